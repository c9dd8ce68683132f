"""Problems of how records are filled, from every detector in one table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from funnel.checks import breaks, deal_records, subscription_months
from funnel.checks.breaks import RecordBreak, record_breaks
from funnel.checks.deal_records import deal_gaps
from funnel.checks.fields import filled_by_outcome, is_unknown
from funnel.checks.fill_rates import fill_changes
from funnel.checks.maturity import maturity
from funnel.checks.natures import ASK, BUSINESS, RECORDS
from funnel.checks.outcomes import outcomes_recorded_since, times_to
from funnel.checks.repeats import one_channel, out_of_order, repeat_leads
from funnel.checks.table_coverage import collapses, stopped_sources
from funnel.contract.tables import TABLES
from funnel.dataset.cache import shared
from funnel.results import Result, no_rows, rows_of, speaks_for

if TYPE_CHECKING:
    from funnel.dataset import Tables

RECORDED_LATE, STOPPED, COLLAPSED = "recorded late", "source stopped", "collapse"
BY_OUTCOME, FILL_CHANGED = "filled by outcome", "fill changed"
IMMATURE_COHORTS = "immature cohorts"
NO_ORDER, REPEAT_LEADS, ONE_CHANNEL = "no fixed order", "repeat leads", "one channel"
PROBLEMS = (
    RECORDED_LATE,
    STOPPED,
    COLLAPSED,
    BY_OUTCOME,
    FILL_CHANGED,
    IMMATURE_COHORTS,
    NO_ORDER,
    REPEAT_LEADS,
    ONE_CHANNEL,
    deal_records.NO_LOST,
    deal_records.NO_OPENING,
    deal_records.NO_AMOUNT,
    deal_records.NOT_LINKED,
    subscription_months.MISSING_MONTH,
    subscription_months.HALF_LOADED_MONTH,
    subscription_months.ACCOUNT_GAP,
    subscription_months.BELOW_ZERO,
    *breaks.KINDS,
)
"""Kinds of problem, in the order in which they are shown. Each has its question in `text.py`."""
_COLUMNS = (
    "problem", "table", "column", "since", "n", "value", "unit", "low", "high", "p_value", "team",
    "nature", "money", "drivers", "at_most", "remedy",
)  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True)
class RecordProblem:
    """One problem: its kind, where it is, what a detector found, and the rows it is about.

    `problem` is one of `PROBLEMS`, and also names the question to ask. `found` is what the detector
    returns; `text.sentence` writes it as a sentence.
    """

    problem: str
    table: str
    found: Any
    n: int
    column: str = ""
    since: dt.date | str = ""
    value: float = np.nan
    unit: str = ""
    low: float = np.nan
    high: float = np.nan
    p_value: float = np.nan
    ids: pd.Series | None = None
    nature: str = RECORDS
    money: float = np.nan
    drivers: str = ""
    at_most: float = np.nan
    remedy: str = ""

    @property
    def team(self) -> str:
        """The team that owns the table, and is asked."""
        return TABLES[self.table].owner

    @property
    def figure(self) -> str:
        """Label of its rows."""
        return f"{self.problem}: {self.table}" + f".{self.column}" * bool(self.column)


@dataclass(frozen=True, eq=False, kw_only=True)
class RecordProblems(Result):
    """What in the records would be read as a result and is none.

    `table` has one row per problem: `problem` (its kind, one of `PROBLEMS`; it also names the
    question to ask), `table`, `column` (empty for the whole table), `since` (day or month from
    which, or up to which, it holds; empty without one), `n` (rows it touches), `value` with `unit`,
    `low` and `high` (its interval, where it has one), `p_value` (where it has a test), `team` (to
    ask), `nature` (`records`, or `ask` where the business may have changed), `money` (what was won
    by the rows, where known), `drivers` of the bridge that it can explain, each with its direction,
    and by how much `at_most`; `remedy`, the line for the plan's `[records]`. `problems` has
    the same rows with what each detector found.
    """

    problems: tuple[RecordProblem, ...] = ()


@shared
def record_problems(data: Tables) -> RecordProblems:
    """Every known problem of how the records of a dataset are filled.

    Parameters
    ----------
    data
        The dataset; any table may be missing.

    Returns
    -------
    RecordProblems
        In the order of `PROBLEMS`. None is a figure of anybody's work.
    """
    broken = record_breaks(data)
    found = [
        *_recorded_late(data),
        *_stopped(data),
        *_collapses(data),
        *_fields(data),
        *_immature(data),
        *_repeats(data),
        *_deals(data),
        *_subscriptions(data),
    ]
    found = [each for each in found if not any(_is_same(each, other) for other in broken)]
    found += map(_of_break, broken)
    found.sort(key=lambda each: PROBLEMS.index(each.problem))
    behind = [rows_of(each.figure, each.table, each.ids) for each in found if each.ids is not None]
    return RecordProblems(
        table=pd.DataFrame(
            [[_cell(each, name) for name in _COLUMNS] for each in found], columns=_COLUMNS
        ),
        rows=pd.concat(behind, ignore_index=True) if behind else no_rows(),
        units={"n": "rows"},
        problems=tuple(found),
        **speaks_for(data),
    )


def _cell(problem: RecordProblem, name: str) -> Any:
    value = getattr(problem, name)
    return value.isoformat() if isinstance(value, dt.date) else value


def _is_same(problem: RecordProblem, broken: RecordBreak) -> bool:
    """Whether a break says the same of the same rows, with a day or a remedy besides."""
    if problem.table != broken.table:
        return False
    if problem.problem == STOPPED:
        return broken.what == breaks.RENAMED and problem.column in broken.words
    if problem.problem == RECORDED_LATE:
        whole = {"lost": breaks.ONLY_WON}.get(problem.column, breaks.TABLE_BEGINS)
        return broken.what == whole and not broken.column
    same_field = broken.what == breaks.FIELD_CHANGED and problem.column == broken.column
    return problem.problem == FILL_CHANGED and same_field


def _of_break(broken: RecordBreak) -> RecordProblem:
    has_change = np.isfinite(broken.before) and np.isfinite(broken.after)
    return RecordProblem(
        problem=broken.what,
        table=broken.table,
        column=broken.column,
        found=broken,
        since=broken.since,
        n=broken.n,
        value=broken.after if has_change else broken.expected,
        unit="from that day on" if has_change else "rows expected",
        p_value=broken.p_value,
        nature=broken.nature,
        money=broken.money,
        drivers="; ".join(f"{driver} {direction}" for driver, direction in broken.touched),
        at_most=broken.at_most,
        remedy=broken.remedy,
    )


def _recorded_late(data: Tables) -> Iterator[RecordProblem]:
    outcomes = ["won", "lost"] if data.has("deals") else []
    if data.has("stage_changes") and data.has("leads"):
        # the first stage is the lead itself, and deals show what is won or lost
        skip = {data.plan.stages[0], "won", "lost"}
        outcomes += [stage for stage in (*data.plan.stages, *data.plan.exits) if stage not in skip]
    for outcome in outcomes:
        since = outcomes_recorded_since(data, outcome)
        if not since.is_late:
            continue
        followed = times_to(data, outcome)
        start = data.plan.midnight(since.covered_from)
        table = "deals" if outcome in ("won", "lost", "opportunity") else "stage_changes"
        ids = followed.loc[followed["created_at"] < start, "id"]
        yield RecordProblem(
            problem=RECORDED_LATE, table=table, column=outcome, found=since,
            since=since.covered_from, n=since.n_leads, value=since.expected - since.recorded,
            unit="missing", p_value=since.p_value, ids=ids if since.table == table else None,
        )  # fmt: skip


def _stopped(data: Tables) -> Iterator[RecordProblem]:
    for source in stopped_sources(data):
        if source.nature == BUSINESS:
            continue
        yield RecordProblem(
            problem=STOPPED, table=source.table, column=source.channel, found=source,
            since=source.last_on, n=source.n_rows, value=source.expected,
            unit="rows expected since", p_value=source.p_value, nature=ASK,
        )  # fmt: skip


def _collapses(data: Tables) -> Iterator[RecordProblem]:
    for found in collapses(data):
        yield RecordProblem(
            problem=COLLAPSED, table=found.table, column=found.column, found=found,
            since=found.since, n=found.n, value=found.expected, unit="rows expected since",
            p_value=found.p_value, nature=found.nature,
        )  # fmt: skip


def _fields(data: Tables) -> Iterator[RecordProblem]:
    for field in filled_by_outcome(data):
        if field.differs:
            unknown = is_unknown(data.leads[field.column])
            yield RecordProblem(
                problem=BY_OUTCOME, table="leads", column=field.column, found=field,
                n=field.unknown_won + field.unknown_other, value=100 * field.difference,
                unit="points", low=100 * field.low, high=100 * field.high, p_value=field.p_value,
                ids=data.leads.loc[unknown, "lead_id"],
            )  # fmt: skip
    for change in fill_changes(data):
        yield RecordProblem(
            problem=FILL_CHANGED, table=change.table, column=change.column, found=change,
            n=change.n, value=100 * (change.share - change.share_before), unit="points",
            low=100 * change.low, high=100 * change.high, p_value=change.q_value,
        )  # fmt: skip


def _immature(data: Tables) -> Iterator[RecordProblem]:
    found = maturity(data)
    if not found.immature_from:
        return
    followed = times_to(data)
    month = data.plan.local_days(followed["created_at"]).dt.to_period("M")
    yield RecordProblem(
        problem=IMMATURE_COHORTS, table=found.table, found=found,
        since=found.immature_from, n=found.n_immature, value=found.mature_days,
        unit="days to be comparable",
        ids=followed.loc[month.astype("str") >= found.immature_from, "id"],
    )  # fmt: skip


def _repeats(data: Tables) -> Iterator[RecordProblem]:
    """Rows of an event log that are read as leads, as stages and as touches."""
    for problem, table, column, detector in (
        (NO_ORDER, "stage_changes", "stage", out_of_order),
        (REPEAT_LEADS, "leads", "account_id", repeat_leads),
        (ONE_CHANNEL, "touches", "channel", one_channel),
    ):
        found = detector(data)
        if found is not None:
            yield RecordProblem(
                problem=problem, table=table, column=column, found=found, n=found.n or found.of,
                value=100 * found.n / found.of, unit="per cent", low=100 * found.low,
                high=100 * found.high, ids=found.ids if table == "leads" else None,
            )  # fmt: skip


def _deals(data: Tables) -> Iterator[RecordProblem]:
    for gap in deal_gaps(data):
        yield RecordProblem(
            problem=gap.kind, table="deals", column=gap.column, found=gap, n=gap.n or gap.of,
            value=100 * gap.share, unit="per cent", low=100 * gap.low, high=100 * gap.high,
            ids=gap.ids,
        )  # fmt: skip


def _subscriptions(data: Tables) -> Iterator[RecordProblem]:
    for found in subscription_months.subscription_months(data).findings:
        yield RecordProblem(
            problem=found.kind, table="subscriptions", column="month", found=found,
            since=found.months[0], n=found.n, value=float(found.expected or np.nan),
            unit="accounts expected" if found.expected else "", money=found.money,
            ids=pd.Series(found.ids, dtype="str") if found.ids else None,
        )  # fmt: skip
