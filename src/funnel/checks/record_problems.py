"""Every trap in the data in one table: a sentence, a count, an interval or a test, whom to ask."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.checks.fields import filled_by_outcome, is_unknown
from funnel.checks.fill_rates import fill_changes, won_new_deals
from funnel.checks.maturity import cohort_month, maturity
from funnel.checks.outcomes import outcomes_recorded_since, times_to
from funnel.checks.repeats import coming_again, one_channel, out_of_order
from funnel.checks.table_coverage import stopped
from funnel.contract.tables import TABLES
from funnel.results import Result, first_rows, formats, no_rows, rows_of
from funnel.stats import wilson

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.contract.plan import Company
    from funnel.dataset import Tables

TRAPS = {
    "recorded late": "Since when are these kept, and can the earlier ones be added?",
    "source stopped": "Did this end, or is the export cut off?",
    "filled by outcome": "Who fills this field, and at which step?",
    "fill changed": "What changed in how this field is filled?",
    "young cohorts": "Can the meeting wait for these cohorts, or compare at equal age?",
    "no fixed order": "Which way do leads really take, and is coming back to a stage meant?",
    "leads come again": "Is a row of leads a person, or one visit of a person?",
    "one channel": "Is the channel of each single contact kept anywhere?",
    "no lost deals": "Where are lost deals kept, and can they be exported?",
    "no opening time": "When was each deal opened?",
    "no amount": "What was booked for these deals?",
    "not linked": "Which lead did these deals grow from?",
}
_COLUMNS = (
    "trap", "table", "column", "n", "value", "unit", "low", "high", "p_value", "says", "ask",
    "question",
)  # fmt: skip
_TOO_MANY = 0.2  # a share of won deals without amount or lead that changes what a total means
_MOST = 0.5
_FEWEST_DEALS = 20


@dataclass(frozen=True, eq=False, kw_only=True)
class Traps(Result):
    """What in the data would be read as a result and is none.

    `table` has one row per trap: `trap` (its kind, a key of `TRAPS`), `table`, `column` (empty for
    the whole table), `n` (rows it touches), `value` with `unit`, `low` and `high` (its interval,
    where it has one), `p_value` (where it has a test), `says` (the sentence for a page), `ask`
    (the team), `question` (to ask it).
    """

    company: Company

    @property
    def headline(self) -> str:
        """The one sentence that the table supports."""
        n = len(self.table)
        if n == 0:
            return "No trap was found in how the data is filled."
        kinds = ", ".join(dict.fromkeys(self.table["trap"]))
        noun = "trap" if n == 1 else "traps"
        return f"{formats.number(n, self.company)} {noun} found in how the data is filled: {kinds}."

    def shown(self) -> pd.DataFrame:
        """Give each trap with its sentence, which holds the count, and what to ask whom."""
        shown = self.table[["trap", "says", "ask", "question"]]
        return first_rows(shown.rename(columns={"says": "what was found", "ask": "whom to ask"}))

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw how many rows each trap touches."""
        from funnel.questions.readiness import charts

        return charts.traps(self, ax)


@dataclass(frozen=True, eq=False)
class _Trap:
    trap: str
    table: str
    says: str
    n: int
    column: str = ""
    value: float = np.nan
    unit: str = ""
    low: float = np.nan
    high: float = np.nan
    p_value: float = np.nan
    ids: pd.Series | None = None


def traps(data: Tables) -> Traps:
    """Look for every known trap in a company's tables.

    Parameters
    ----------
    data
        A company's tables; any of them may be missing.

    Returns
    -------
    Traps
        Those found, in the order of `TRAPS`. None is a figure of anybody's work.
    """
    found = [
        *_late(data),
        *_stopped(data),
        *_fields(data),
        *_young(data),
        *_repeats(data),
        *_deals(data),
    ]
    order = {trap: position for position, trap in enumerate(TRAPS)}
    found.sort(key=lambda each: order[each.trap])
    table = pd.DataFrame(
        [
            (
                each.trap, each.table, each.column, each.n, each.value, each.unit, each.low,
                each.high, each.p_value, each.says, TABLES[each.table].owner, TRAPS[each.trap],
            )
            for each in found
        ],
        columns=_COLUMNS,
    )  # fmt: skip
    behind = [
        rows_of(_figure(each), each.table, each.ids) for each in found if each.ids is not None
    ]
    return Traps(
        table=table,
        as_of=data.as_of,
        rows=pd.concat(behind, ignore_index=True) if behind else no_rows(),
        level=data.plan.level,
        units={"n": "rows"},
        company=data.plan.company,
    )


def _figure(trap: _Trap) -> str:
    return f"{trap.trap}: {trap.table}" + f".{trap.column}" * bool(trap.column)


def _late(data: Tables) -> Iterator[_Trap]:
    outcomes = ["won", "lost"] if data.has("deals") else []
    if data.has("stage_changes") and data.has("leads"):
        # the first stage is the lead itself, and won is told by the deals
        skip = {data.plan.stages[0], "won", "lost"}
        outcomes += [stage for stage in (*data.plan.stages, *data.plan.exits) if stage not in skip]
    for outcome in outcomes:
        since = outcomes_recorded_since(data, outcome)
        if not since.is_late:
            continue
        followed = times_to(data, outcome)
        start = pd.Timestamp(data.plan.midnight(since.covered_from))
        table = "deals" if outcome in ("won", "lost", "opportunity") else "stage_changes"
        ids = followed.loc[followed["created_at"] < start, "id"]
        yield _Trap(
            "recorded late", table, since.says, since.n_leads, column=outcome,
            value=since.expected - since.recorded, unit="missing", p_value=since.p_value,
            ids=ids if followed.attrs["table"] == table else None,
        )  # fmt: skip


def _stopped(data: Tables) -> Iterator[_Trap]:
    for source in stopped(data):
        yield _Trap(
            "source stopped", source.table, source.says, source.n_rows, column=source.channel,
            value=source.expected, unit="rows expected since", p_value=source.p_value,
        )  # fmt: skip


def _fields(data: Tables) -> Iterator[_Trap]:
    for field in filled_by_outcome(data):
        if field.differs:
            unknown = is_unknown(data.leads[field.column])
            yield _Trap(
                "filled by outcome", "leads", field.says, field.unknown_won + field.unknown_other,
                column=field.column, value=100 * field.difference, unit="points",
                low=100 * field.low, high=100 * field.high, p_value=field.p_value,
                ids=data.leads.loc[unknown, "lead_id"],
            )  # fmt: skip
    for change in fill_changes(data):
        table = "leads" if change.rows_of == "leads" else "deals"
        yield _Trap(
            "fill changed", table, change.says, change.n, column=change.column,
            value=100 * (change.share - change.share_before), unit="points",
            low=100 * change.low, high=100 * change.high, p_value=change.q_value,
        )  # fmt: skip


def _young(data: Tables) -> Iterator[_Trap]:
    found = maturity(data)
    if not found.young_from:
        return
    young = found.cohorts[found.cohorts["cohort_month"] >= found.young_from]
    followed = times_to(data)
    month = cohort_month(followed["created_at"], data.plan.company.timezone)
    yield _Trap(
        "young cohorts", followed.attrs["table"], found.says, int(young["n_leads"].sum()),
        value=found.mature_days, unit="days to be comparable",
        ids=followed.loc[month.astype("str") >= found.young_from, "id"],
    )  # fmt: skip


def _repeats(data: Tables) -> Iterator[_Trap]:
    """Rows of an event log, where they are read as leads, as stages and as touches."""
    looks = (
        ("no fixed order", "stage_changes", "stage", out_of_order),
        ("leads come again", "leads", "account_id", coming_again),
        ("one channel", "touches", "channel", one_channel),
    )
    for trap, table, column, look in looks:
        found = look(data)
        if found is not None:
            yield _Trap(
                trap, table, found.says, found.n or found.of, column=column,
                value=100 * found.n / found.of, unit="per cent", low=100 * found.low,
                high=100 * found.high, ids=found.ids if table == "leads" else None,
            )  # fmt: skip


def _deals(data: Tables) -> Iterator[_Trap]:
    deals, company = data.deals, data.plan.company
    closed = deals[deals["outcome"].isin(["won", "lost"])]
    won = deals[deals["outcome"] == "won"]
    if len(won) >= _FEWEST_DEALS and len(won) == len(closed):
        _, high = wilson(0, len(closed), data.plan.level)
        yield _Trap(
            "no lost deals", "deals",
            f"None of the {formats.number(len(closed), company)} closed deals is lost: lost deals "
            "are not recorded, so no win rate of deals can be told, and no reason of loss.",
            len(closed), column="outcome", value=0.0, unit="share lost", low=0.0,
            high=float(high), ids=closed["deal_id"],
        )  # fmt: skip
    same = closed["created_at"] == closed["closed_at"]
    yield from _share_trap(
        data, "no opening time", "created_at", closed, same, _MOST,
        "have the same opening and closing time: the opening is not recorded, so no sales cycle "
        "of deals can be told.",
    )  # fmt: skip
    if won["amount"].notna().any() or data.plan.measure == "bookings":
        yield from _share_trap(
            data, "no amount", "amount", won, ~(won["amount"] > 0), _TOO_MANY,
            "have no amount above zero: bookings and deal size speak only for the others.",
        )  # fmt: skip
    if not data.leads.empty:
        new = won_new_deals(data)
        yield from _share_trap(
            data, "not linked", "lead_id", new, new["lead_id"].isna(), _TOO_MANY,
            "name no lead: conversion of leads counts only the others.",
        )  # fmt: skip


def _share_trap(
    data: Tables,
    trap: str,
    column: str,
    rows: pd.DataFrame,
    mark: pd.Series,
    limit: float,
    says: str,
) -> Iterator[_Trap]:
    """Tell a share of deals that is as large as the limit."""
    n, k = len(rows), int(mark.sum())
    if n < _FEWEST_DEALS or k / n < limit:
        return
    company = data.plan.company
    low, high = wilson(k, n, data.plan.level)
    which = "won" if (rows["outcome"] == "won").all() and trap != "no opening time" else "closed"
    between = formats.interval(formats.share(low, company), formats.share(high, company))
    yield _Trap(
        trap, "deals",
        f"{formats.number(k, company)} of {formats.number(n, company)} {which} deals "
        f"({formats.share(k / n, company)} {between}) {says}",
        k, column=column, value=100 * k / n, unit="per cent", low=100 * float(low),
        high=100 * float(high), ids=rows.loc[mark, "deal_id"],
    )  # fmt: skip
