"""The last word on each driver: calendar, bridge, guards, and what is left standing."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.checks import mixed_currencies
from funnel.checks.text import sentence
from funnel.contract.errors import TableError
from funnel.methods.bridge import Bridge, bridge
from funnel.methods.bridge.bridge import DRAWS
from funnel.methods.bridge.result import CALENDAR, RESIDUAL
from funnel.questions.why.driver_text import is_named
from funnel.questions.why.expected_calendar import usual_calendar
from funnel.questions.why.guard_findings import FOUND
from funnel.questions.why.guards import Guards, guards, looked, lost_columns, said_anew
from funnel.questions.why.open_questions import questions
from funnel.results import Listing, Say, formats
from funnel.stats import CANNOT_TELL, MOVED, benjamini_hochberg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.dataset import Tables

LARGEST_RESIDUAL = 0.1  # of the larger of the two values
# resamples know chance, and not what the tables leave out
_SURENESS = ["low", "high", "smallest_detectable"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Why(Bridge):
    """A bridge whose drivers have been held against the guards.

    `table` is the bridge's with two more columns: `explained_by`, the guard that accounts for a
    driver that moved (empty for none), and `rank` among the drivers that moved and that no guard
    accounts for, 1 for the largest (missing for all others, and for segments). `calendar` and
    `mix` are drivers and guards at once: they are ranked, and are nobody's doing.

    Attributes
    ----------
    guards
        What was asked before anybody is.
    """

    guards: Guards

    @property
    def named(self) -> list[str]:
        """Drivers that moved and that no guard accounts for, largest first."""
        totals = self.totals.dropna(subset="rank").sort_values("rank")
        return totals["driver"].tolist()

    @property
    def stopped(self) -> dict[str, str]:
        """Drivers that moved, each with the guard that accounts for it."""
        totals = self.totals
        held = totals[(totals["explained_by"] != "") & totals["rank"].isna()]
        return dict(zip(held["driver"], held["explained_by"], strict=True))

    @property
    def bridge(self) -> Bridge:
        """The bridge as it was before the guards were asked."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(Bridge)}
        fields["table"] = self.table.drop(columns=["explained_by", "rank"])
        return Bridge(**fields)

    def shown(self) -> pd.DataFrame:
        """Give the totals as the bridge does, and the guard that accounts for a driver."""
        if not self.stopped:
            return super().shown()
        guard = [self.stopped.get(driver, "") for driver in self.totals["driver"]]
        return super().shown().assign(guard=guard)

    def questions(self) -> Listing:
        """Ask both sides about each driver that cannot be told; `sales`, `marketing`."""
        asked = pd.DataFrame(questions(self.table))
        n = formats.number(len(asked), self.plan.company)
        says = (
            f"To each side {n} question{'s' * (len(asked) != 1)}, about what cannot be told."
            if len(asked)
            else "No driver is left that cannot be told, so there is nothing to ask about one."
        )
        return Listing(table=asked, says=says, as_of=self.as_of, level=self.level)

    @property
    def headline(self) -> str:
        """The change, what accounts for it before anybody is asked, and what is left."""
        first = super().headline.split("; ")[0].rstrip(".")
        if not (self.period_wins or self.baseline_wins):
            return super().headline
        found = self.guards.table[self.guards.table["state"] == FOUND]["guard"].tolist()
        held = [f"{driver} ({guard})" for driver, guard in self.stopped.items()]
        parts = [first]
        if held:
            parts.append(f"the guards account for {', '.join(held)}")
        elif "data" in found or "definition" in found:
            parts.append(f"{' and '.join(g for g in found if g in ('data', 'definition'))} changed")
        looks = formats.number(self.n_looks, self.plan.company)
        if self.named:
            rows = self.totals.set_index("driver")
            told = [f"{name} {self._with_ends(rows.loc[name])}" for name in self.named]
            parts.append(f"drivers that stand out from chance ({looks} looks): {', '.join(told)}")
        elif left_over(self):
            parts.append("its drivers leave too much over for any to be named")
        else:
            which = "none of the other drivers" if len(parts) > 1 else "none of its drivers"
            parts.append(f"{which} stands out from chance ({looks} looks)")
        return f"{'; '.join(parts)}."

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the waterfall from the baseline to the period."""
        return super().plot(ax)

    def _with_ends(self, row: pd.Series) -> str:
        value, low, high = (
            self._say(row[name], sign=True) for name in ("contribution", "low", "high")
        )
        return f"{value} {formats.interval(low, high)}"


def why(data: Tables, *, draws: int = DRAWS) -> Why:
    """Say why a period differs from its baseline, after all that is nobody's doing.

    The usual calendar first, then the bridge, then the guards. A field that was lost on the way is
    no segment of the bridge. What a guard accounts for is not named.

    Parameters
    ----------
    data
        A company's tables.
    draws
        Resamples behind each interval.

    Returns
    -------
    Why

    Raises
    ------
    TableError
        If deals are in more than one currency and the measure is money, or if it is recurring
        revenue and deals carry none.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> deals = pd.DataFrame({"deal_id": ["D-1", "D-2"], "outcome": "won", "amount": [70.0, 50.0],
    ...                       "created_at": ["2026-01-05", "2026-04-02"],
    ...                       "closed_at": ["2026-02-03", "2026-05-04"]})
    >>> why(Tables.of(deals=deals, as_of="2026-06-30")).named
    []
    """
    mixed = mixed_currencies(data)
    if mixed and data.plan.measure != "wins":
        raise TableError(
            f"{sentence(mixed, Say(data.plan.company)).removesuffix('.')}: "
            "the change is not shared out. Sales Ops can convert "
            f"them to {data.plan.company.currency}, the plan's, or leave the others out; measured "
            "in wins, the change can be shared out as it is."
        )
    if data.plan.measure == "mrr" and not data.has("deals", "mrr"):
        raise TableError(
            "No won deal carries an `mrr`: the change of recurring revenue is not shared out, for "
            "it is the deals' ways that are followed. Sales Ops can add `mrr` to deals; measured "
            "in bookings or wins, the change can be shared out as it is."
        )
    calendar = usual_calendar(data)
    lost = lost_columns(looked(data)[0])
    kept = tuple(name for name in data.plan.segments if name not in lost)
    plan = dataclasses.replace(data.plan, segments=kept)
    made = bridge(data, plan, calendar=calendar.usual, draws=draws)
    asked = guards(data, made, calendar)
    caveats = made.caveats
    if lost:
        caveats += (f"Not split by {', '.join(lost)}, which changed on the way.",)
    fields = {f.name: getattr(made, f.name) for f in dataclasses.fields(made)}
    table = without_company(made.table, made.tests, asked, 1 - data.plan.level)
    missed = left_over(made)
    if missed:
        caveats += (missed,)
        drivers = table["driver"] != RESIDUAL
        table = table.assign(verdict=table["verdict"].mask(drivers, CANNOT_TELL))
        table[_SURENESS] = table[_SURENESS].mask(drivers, float("nan"))
    asked = said_anew(asked, data, dataclasses.replace(made, table=table), calendar)
    fields |= {"table": held(table, asked), "caveats": caveats}
    return Why(**fields, guards=asked)


def left_over(made: Bridge) -> str:
    """Say so where the drivers together miss so much of the values that none may be named.

    Parameters
    ----------
    made
        The bridge.

    Returns
    -------
    str
        A sentence; empty where the residual is at most `LARGEST_RESIDUAL` of the larger value.
    """
    left = made.totals.set_index("driver")["contribution"].get(RESIDUAL, 0.0)
    values = max(abs(made.period_value), abs(made.baseline_value))
    if abs(left) <= LARGEST_RESIDUAL * values:
        return ""
    company = made.plan.company
    return (
        f"The drivers leave {formats.share(abs(left) / values, company)} of the larger value as "
        f"residual, more than {formats.share(LARGEST_RESIDUAL, company)}: the tables do not hold "
        "how these deals came about, so no driver is named."
    )


def without_company(
    table: pd.DataFrame, tests: pd.DataFrame, asked: Guards, q: float
) -> pd.DataFrame:
    """Let no driver pass for one that moved in the company of those that a guard accounts for.

    The adjustment for many looks is milder where many looks find something. What a guard accounts
    for is none of the looks that a team is judged by, so those are adjusted among themselves.

    Parameters
    ----------
    table, tests
        Of the bridge.
    asked
        The guards.
    q
        Share of false findings allowed.

    Returns
    -------
    DataFrame
        The table, with "cannot tell" where "moved" does not hold among the drivers left.
    """
    looks = tests[tests["segment"].isna()].merge(table[table["segment"].isna()], on="driver")
    is_left = [
        driver != CALENDAR and not asked.stops(driver, contribution)
        for driver, contribution in zip(looks["driver"], looks["contribution"], strict=True)
    ]
    looks = looks[is_left]
    too_rare = looks["driver"][~(benjamini_hochberg(looks["p_value"]) <= q)]
    loses = table["driver"].isin(too_rare) & (table["verdict"] == MOVED)
    return table.assign(verdict=table["verdict"].mask(loses, CANNOT_TELL))


def held(table: pd.DataFrame, asked: Guards) -> pd.DataFrame:
    """Hold each driver that moved against the guards, and rank those left by size.

    Parameters
    ----------
    table
        As the bridge gives it.
    asked
        The guards.

    Returns
    -------
    DataFrame
        The same rows, with `explained_by` and `rank`. A driver's segments are accounted for where
        the driver itself would be. Nothing but a row's own figures decides, so that drivers before
        and after the hand-over are held to one rule.
    """
    moved = table["verdict"] == MOVED
    explained = [
        asked.stops(driver, contribution) if has_moved else ""
        for driver, contribution, has_moved in zip(
            table["driver"], table["contribution"], moved, strict=True
        )
    ]
    table = table.assign(explained_by=pd.Series(explained, index=table.index, dtype="str"))
    standing = table.apply(is_named, axis=1).astype(bool) & table["segment"].isna()
    size = table["contribution"].abs().where(standing)
    return table.assign(rank=size.rank(ascending=False, method="first"))
