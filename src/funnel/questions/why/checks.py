"""What could look like a change of the business and is none, checked in a fixed order."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel import checks
from funnel.checks.breaks import FIELD_CHANGED, RENAMED
from funnel.checks.breaks.record_break import touching
from funnel.checks.limits import FALSE_ALARMS
from funnel.contract.periods import Comparison
from funnel.dataset.cache import cached
from funnel.dataset.stages import reached, recorded_stages
from funnel.methods.bridge import Bridge
from funnel.methods.bridge.bridge import (
    CALENDAR,
    MIX,
    RESIDUAL,
    SIZE,
    TIMING,
    VOLUME,
    driver_name,
    is_empty,
    shown_totals,
)
from funnel.methods.bridge.expected_calendar import ExpectedCalendar, expected_calendar
from funnel.methods.bridge.significance import like_for_like
from funnel.methods.bridge.stage_history import LEADS, OPENED, WITHOUT_LEAD, won_deals
from funnel.questions.why.definition_changes import definition_findings, with_most_explained
from funnel.questions.why.findings import (
    DOWN,
    EITHER,
    FOUND,
    INCONCLUSIVE,
    PASSED,
    UP,
    Finding,
    drivers_touched,
    findings_table,
)
from funnel.questions.why.record_changes import record_findings
from funnel.questions.why.touched_wins import value_of, wins_of_both
from funnel.results import Result, Stated, rows_of, speaks_for
from funnel.stats import CANNOT_TELL, MOVED

if TYPE_CHECKING:
    from funnel.dataset import Tables

_MOST_UNRECORDED = 0.5
_Z_OF_CHANCE = 1.645  # z that chance passes once in ten, two-sided
_FEWEST_DEALS = 20
_FEWEST_ALIKE = 10


@dataclass(frozen=True, eq=False, kw_only=True)
class Checks(Result):
    """What could look like a change of the business and is none, in the order of the checks.

    `table` has one row per finding, and one for each check without any: `check`, `state`
    (`passed`, `found`, `cannot tell`), `kind` (what it is about), `since` (the first day of what
    was found, as text), the fields of `Finding`, and the drivers that it explains by direction:
    `drivers_up`, `drivers_down`, `drivers_either` (separated by `; `).
    """

    comparison: Comparison

    @property
    def stated(self) -> tuple[Stated, ...]:
        """What season and working days let expect of what arrives."""
        now, then = self.comparison.period.days, self.comparison.baseline.days
        rows = self.table[self.table["kind"].isin(("expected season", "expected calendar"))]
        return tuple(
            Stated(f"{row.subject or LEADS}, {row.kind}", now, then, row.change, row.low, row.high)
            for row in rows.itertuples()
        )

    @property
    def touched(self) -> pd.DataFrame:
        """Drivers that the checks explain: `check`, `driver`, `direction`, `at_most`."""
        return drivers_touched(self.table)

    @property
    def states(self) -> pd.Series:
        """State of each check, in order."""
        return self.table.groupby("check", sort=False)["state"].first()


def checks_of(data: Tables, bridge: Bridge, totals: pd.DataFrame | None = None) -> Checks:
    """The six checks: data, definition, maturity, calendar, mix, noise.

    What one check explains is not attributed to anybody by the next.

    Parameters
    ----------
    bridge
        Contributions to its change.
    totals
        The bridge's totals with other verdicts than its own.

    Notes
    -----
    `data` and `definition` raise a false alarm in about one run of a hundred each.

    References
    ----------
    See `docs/guards.md`.
    """
    totals = bridge.totals if totals is None else totals
    of_data = [*_truncated(data, bridge), *record_findings(data)]
    found = (
        *sorted(of_data, key=lambda each: (FOUND, INCONCLUSIVE, PASSED).index(each.state)),
        *(with_most_explained(each, bridge.totals) for each in definition_findings(data)),
        _maturity(data),
        *_calendar(totals, expected_calendar(data)),
        _mix(data, bridge, totals),
        *_noise(data, bridge, totals),
    )
    return Checks(
        table=findings_table(found),
        rows=_rows(data),
        units={"n": "rows"},
        comparison=data.comparison,
        **speaks_for(data),
    )


def _truncated(data: Tables, bridge: Bridge) -> list[Finding]:
    """Leads (deals, without any) that begin within the look-back, which is longer for the period.

    Wins of the period whose leads are so old that those of the baseline would have come from
    before the record read as growth of the flow.
    """
    found, comparison = bridge.coverage, data.comparison
    table = "leads" if found.arrivals == LEADS else "deals"
    first = getattr(data, table)["created_at"].min()
    if found.arrivals not in (LEADS, OPENED) or pd.isna(first):
        return []
    since = first.tz_convert(data.plan.company.timezone).date()
    before = (found.n_periods - 1) * comparison.baseline.n_days
    if since <= comparison.baseline.start - dt.timedelta(days=before):
        return []
    wins = wins_of_both(data)
    shorter = data.plan.midnight(since + (comparison.period.start - comparison.baseline.start))
    is_older = wins["in_period"] & wins["driver"].eq("") & (wins["begins_at"] < shorter)
    at_most = value_of(data, is_older)
    if not at_most:
        return []
    steps = [" to ".join(pair) for pair in itertools.pairwise(bridge.coverage.stages)]
    return [
        Finding(
            check="data",
            state=FOUND,
            kind="recorded since",
            since=since,
            table=table,
            n=int(wins["in_period"].sum()),
            n_affected=int(is_older.sum()),
            touched=touching(
                ([VOLUME], UP), ([MIX, *steps, TIMING], EITHER), ([WITHOUT_LEAD], DOWN)
            ),
            at_most=at_most,
        )
    ]


def lost_columns(data: Tables) -> tuple[str, ...]:
    """Columns of leads whose groups cannot be compared between the two periods."""
    lost = [
        each.column
        for each in record_findings(data)
        if each.table == "leads"
        and (each.kind.startswith("lost field") or each.kind in (FIELD_CHANGED, RENAMED))
    ]
    return tuple(dict.fromkeys(lost))


@cached
def _maturity(data: Tables) -> Finding:
    """Recent leads, and steps where a lower rate and a longer time in stage look alike.

    The bridge compares leads at equal age, so that recent leads move no driver. Where exits are
    not recorded, a rate and its timing cannot be separated.
    """
    found = checks.maturity(data)
    begin = f"{data.comparison.baseline.start:%Y-%m}"
    end = f"{data.comparison.period.end:%Y-%m}"
    months = found.cohorts[found.cohorts["cohort_month"].between(begin, end)]
    n = int(months["n_leads"].sum())
    if not n or months["state"].eq("cannot tell").all():
        return Finding(
            check="maturity", state=INCONCLUSIVE, kind="too few wins", n=n, n_affected=found.n_won
        )
    is_recent = ~months["state"].isin(["comparable", "not covered", "cannot tell"])
    n_recent = int(months.loc[is_recent, "n_leads"].sum())
    unrecorded = _without_exits(data) if n_recent else []
    return Finding(
        check="maturity",
        state=INCONCLUSIVE if unrecorded else PASSED,
        kind="recent leads",
        table="deals" if data.leads.empty else "leads",
        n=n,
        n_affected=n_recent,
        days=found.mature_days,
        others=tuple(unrecorded),
    )


def _without_exits(data: Tables) -> list[str]:
    """Steps whose leads mostly neither advance nor have a known exit."""
    frame = reached(data)
    start = data.plan.midnight(data.comparison.period.start)
    found = []
    for first, second in itertools.pairwise(recorded_stages(data)):
        remained = frame[(frame[f"{first}_at"] < start) & frame[f"{second}_at"].isna()]
        if len(remained) and remained["left_at"].isna().mean() > _MOST_UNRECORDED:
            found.append(f"{first} to {second}")
    return found


def _calendar(totals: pd.DataFrame, calendar: ExpectedCalendar) -> list[Finding]:
    """Expected changes of closings and of leads; found where the driver `calendar` moved."""
    moved = bool((totals["driver"].eq(CALENDAR) & totals["verdict"].eq(MOVED)).any())
    change = calendar.change
    rhythms = {} if change is None else dict(change.outside_flow)
    if change is not None and change.won_share is not None:
        rhythms = {"": change.won_share, **rhythms}
    found = [
        Finding(
            check=CALENDAR,
            state=FOUND if moved else PASSED,
            kind="rhythm of closings" if name else "rhythm of win rates",
            subject=name,
            change=float(np.expm1(each.change)),
            low=float(np.expm1(each.low)),
            high=float(np.expm1(each.high)),
            unit="share",
            n=each.n_seen,
            touched=((CALENDAR, EITHER),) if moved else (),
        )
        for name, each in rhythms.items()
    ]
    return [*found, _expected_arrivals(calendar, moved=moved)]


def _expected_arrivals(calendar: ExpectedCalendar, *, moved: bool) -> Finding:
    """The expected change of leads, or of what else arrives."""
    share = calendar.share
    if share is None:
        return Finding(check=CALENDAR, state=INCONCLUSIVE, kind="no leads")
    if share.refused:
        return Finding(
            check=CALENDAR,
            state=INCONCLUSIVE,
            kind="no expectation",
            subject=share.refused.name,
            n=share.n_refused,
        )
    parts = share.table.set_index("part")[["change", "low", "high"]]
    parts = np.expm1(parts.astype(float))
    expected = parts.loc["usual" if share.season_is_claimed else "calendar"]
    return Finding(
        check=CALENDAR,
        state=FOUND if moved else PASSED,
        subject="" if share.of == "leads" else share.of,
        kind="expected season" if share.season_is_claimed else "expected calendar",
        after=float(parts.loc["observed", "change"]),
        **{name: float(expected[name]) for name in ("change", "low", "high")},
        unit="share",
        n=share.n_months,
        p_value=share.p_value,
        touched=((CALENDAR, EITHER),) if moved else (),
    )


def _mix(data: Tables, bridge: Bridge, totals: pd.DataFrame) -> Finding:
    """The contribution of another mix of leads; found where the driver `mix` moved."""
    n = len(data.leads) if not data.leads.empty else len(data.deals)
    is_split = not set(bridge.plan.segments) <= set(bridge.coverage.unfilled_segments)
    if not is_split or MIX not in set(totals["driver"]):
        return Finding(check=MIX, state=INCONCLUSIVE, kind="no segments", n=n)
    row = totals.set_index("driver").loc[MIX]
    if is_empty(row):
        return Finding(check=MIX, state=INCONCLUSIVE, kind="no drivers", n=n)
    moved = row["verdict"] == MOVED
    state = FOUND if moved else INCONCLUSIVE if row["verdict"] == CANNOT_TELL else PASSED
    return Finding(
        check=MIX,
        state=state,
        kind="mix",
        subject=", ".join(bridge.plan.segments),
        change=float(row["contribution"]),
        low=float(row["low"]),
        high=float(row["high"]),
        unit="count" if bridge.plan.measure == "wins" else "money",
        n=n,
        p_value=float(bridge.tests.totals.set_index("driver").loc[MIX, "p_value"]),
        touched=((MIX, EITHER),) if moved else (),
    )


def _noise(data: Tables, bridge: Bridge, totals: pd.DataFrame) -> list[Finding]:
    """Drivers that stay inconclusive, and a deal that differs from all like it."""
    drivers = shown_totals(totals)
    drivers = drivers[drivers["driver"] != RESIDUAL]
    inconclusive = drivers.loc[drivers["verdict"] == CANNOT_TELL, "driver"]
    outlier = _outlier(data, bridge)
    if drivers.empty:
        return [Finding(check="noise", state=INCONCLUSIVE, kind="no drivers")]
    state = FOUND if outlier else INCONCLUSIVE if len(inconclusive) else PASSED
    found = Finding(
        check="noise",
        state=state,
        kind="inconclusive drivers",
        n=bridge.period_wins + bridge.baseline_wins,
        n_before=len(drivers),
        n_affected=len(inconclusive),
        n_tests=bridge.tests.n_tests,
        others=tuple(driver_name(each, bridge.coverage.arrivals) for each in inconclusive),
    )
    return [found, *([outlier] if outlier else [])]


def _outlier(data: Tables, bridge: Bridge) -> Finding | None:
    """The deal that differs from all like it.

    `change` is its value; `before` and `after` are the change of the period without and with it.
    """
    deals = won_deals(data)
    found = outlying_deal(deals)
    if found is None or found[1] >= FALSE_ALARMS or data.plan.measure == "wins":
        return None
    deal = deals.iloc[found[0]]
    comparison, value = data.comparison, float(deal["value"])
    period = comparison.period if deal["in_period"] else comparison.baseline
    direction = UP if deal["in_period"] else DOWN
    return Finding(
        check="noise",
        state=FOUND,
        kind="outlying deal",
        subject=period.label,
        before=bridge.change - value * (1 if deal["in_period"] else -1),
        after=bridge.change,
        change=value,
        unit="money",
        n=len(deals),
        n_affected=1,
        p_value=found[1],
        touched=((SIZE, direction),) if _decides_size(deals, found[0]) else (),
        at_most=value,
    )


def _decides_size(deals: pd.DataFrame, at: int) -> bool:
    """Whether deal sizes, like for like, no longer differ without one deal of the flow."""
    if deals["driver"].iloc[at]:
        return False
    others = deals.drop(deals.index[at])
    others = others[others["driver"] == ""]
    _, z = like_for_like(
        others["value"].to_numpy(float),
        others["in_period"].to_numpy(bool),
        others[["segment", "employees"]],
    )
    return not abs(z) > _Z_OF_CHANCE


def _rows(data: Tables) -> pd.DataFrame:
    """The leads, or else deals, of the two periods that the checks went over."""
    table, key = ("leads", "lead_id") if not data.leads.empty else ("deals", "deal_id")
    frame = getattr(data, table)
    inside = data.plan.within(frame["created_at"], data.comparison.span)
    return rows_of("data, definition, maturity", table, frame.loc[inside, key])


def outlying_deal(deals: pd.DataFrame) -> tuple[int, float] | None:
    """The deal whose size differs most from that of the others, and its p value.

    Sizes are compared as logarithms, for equal segment and firm size where known.

    Parameters
    ----------
    deals
        Won deals: `value`, `segment`, `employees`.

    Returns
    -------
    tuple or None
        Its position, and the p value of the largest of as many deals (Bonferroni); nothing with
        fewer than twenty deals.

    References
    ----------
    Grubbs (1969), Technometrics 11, 1-21, with residuals of a regression: Weisberg (2014), Applied
    Linear Regression, section 9.4.

    Examples
    --------
    >>> values = [*np.linspace(90, 110, 40), 5000.0]
    >>> outlying_deal(pd.DataFrame({"value": values, "segment": "a", "employees": 10.0}))[0]
    40
    """
    from scipy.stats import t

    values = deals["value"].to_numpy(float)
    usable = np.flatnonzero(np.isfinite(values) & (values > 0))
    if len(usable) < _FEWEST_DEALS:
        return None
    rows, logs = deals.iloc[usable], np.log(values[usable])
    columns = [np.ones(len(rows))]
    sizes = rows["segment"].value_counts()
    columns += [(rows["segment"] == name).to_numpy(float) for name in sizes.index[sizes >= 10][1:]]
    people = rows["employees"].to_numpy(float)
    known = np.isfinite(people) & (people > 0)
    if known.sum() >= _FEWEST_DEALS:
        of_people = np.log(np.where(known, people, 1.0))
        columns.append(np.where(known, of_people - of_people[known].mean(), 0.0))
        columns.append((~known).astype(float))
    design = np.column_stack(columns)
    hat = design @ np.linalg.pinv(design)
    residual, leverage = logs - hat @ logs, np.clip(np.diag(hat), 0, 0.9)
    squares = residual**2 / (1 - leverage)
    if not squares.sum() > 1e-9:
        return None
    p_values = np.ones(len(rows))
    # Sizes of deals whose firm is not known scatter more, so each kind has its own spread.
    alike = [known, ~known] if min(known.sum(), (~known).sum()) >= _FEWEST_ALIKE else [known | True]
    for group in alike:
        freedom = group.sum() - 2
        without = np.maximum((squares[group].sum() - squares[group]) / freedom, 1e-12)
        t_values = np.sign(residual[group]) * np.sqrt(squares[group] / without)
        p_values[group] = t.sf(t_values, freedom)
    at = int(np.argmin(p_values))
    return int(usable[at]), min(float(p_values[at]) * len(rows), 1.0)
