"""What goes into the plan's measure, month by month, and the months in which it clearly stepped."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.contract.periods import Period
from funnel.dataset.stages import new_business
from funnel.methods.qualification.handoff import handoff_stages, leads_with_handoff
from funnel.methods.recurring import last_month, recurring_revenue
from funnel.questions.handoff.response_times import FEEDBACK, handed_leads, time_until
from funnel.questions.handoff.sla import has_salesperson
from funnel.questions.why.comparisons import AGAINST, GOAL, PREVIOUS, YEAR_AGO, Comparisons
from funnel.questions.why.measures import ADS, BOOKINGS, COUNT, LEADS, MONEY, MRR, RATE, WIN_RATE
from funnel.stats.change_points import step_in_series

if TYPE_CHECKING:
    from funnel.dataset import Tables
    from funnel.questions.why.change import PeriodChange

FOLLOW_UP, ACCEPTED = "follow-up in time", "accepted by sales"
TOUCHES = "touches"  # of a company that has neither leads nor deals
N_MONTHS = 13
_YEAR = 12
_CLEAR = 0.01  # p value of a step, of all months tried
_FEWEST = 5  # rows of a month, below which it has no share and no mean


@dataclass(frozen=True)
class MonthlyInput:
    """One input: the period, what it is compared with, its months, and the step that is clear.

    Attributes
    ----------
    measure, unit
        A calendar figure of the period, or `follow-up in time` (of graded leads handed over, a
        first action within the SLA's days), or `accepted by sales` (of leads handed over). The
        unit is `money`, `count` or `rate`.
    driver
        The driver of the bridge that it is about; empty for the plan's measure.
    value, goal, previous, year_ago
        Missing where unknown.
    starts, months
        First day and value of each of the last 13 complete months, the newest last.
    goal_a_month
        Level of a month at which the goal is met; missing without a goal.
    step
        Place in `months` of the first one of a level that clearly differs from all before; missing
        where there is none.
    """

    measure: str
    unit: str
    driver: str
    value: float
    goal: float
    previous: float
    year_ago: float
    starts: tuple[dt.date, ...]
    months: tuple[float, ...]
    goal_a_month: float = math.nan
    step: int | None = None

    @property
    def before_and_after(self) -> tuple[float, float]:
        """Mean of the months before a step, and from it on; missing without a step."""
        if self.step is None:
            return math.nan, math.nan
        parts = (self.months[: self.step], self.months[self.step :])
        before, after = (float(np.nanmean(part)) for part in parts)
        return before, after


def monthly_inputs(
    data: Tables, found: Comparisons, change: PeriodChange
) -> tuple[MonthlyInput, ...]:
    """The plan's measure and its inputs, as far as the dataset holds them.

    Parameters
    ----------
    data
        A dataset.
    found, change
        Its comparisons and figures, from which those of the period are taken: what is unknown
        there is no row here.

    Notes
    -----
    A month steps where the means before and after it differ by more than chance lets the largest
    of all such differences be, one time in a hundred. Of counts and money the logarithm is taken,
    less that of a year before where the records reach so far, so that a season is no step.
    """
    months = _months(data)
    year_before = [_ago(data, each) for each in months]
    values_now = dict(zip(change.table["measure"], change.table["value"], strict=True))
    rows = []
    for measure, unit, driver, of in _figures(data, found):
        values = [of(each) for each in months]
        now = values_now[measure] if measure in values_now else of(data.comparison.period)
        if sum(map(math.isfinite, values)) < 2 or not math.isfinite(now):
            continue
        earlier = [of(each) for each in year_before] if unit != RATE else []
        known = {against: found.row(against, measure) for against in AGAINST}
        others = {
            against: known[against]["other"] if known[against] else math.nan
            for against in (PREVIOUS, YEAR_AGO)
        }
        if measure not in values_now:
            others = {against: of(_window(data, against)) for against in others}
        goal = known[GOAL]["other"] if known[GOAL] else math.nan
        rows.append(
            MonthlyInput(
                measure=measure,
                unit=unit,
                driver=driver,
                value=now,
                goal=goal,
                **others,
                starts=tuple(each.start for each in months),
                months=tuple(values),
                goal_a_month=_a_month(goal, measure, unit, data),
                step=_step(values, earlier, unit, data.plan.seed),
            )
        )
    return tuple(rows)


def _months(data: Tables) -> list[Period]:
    """The last complete months of the period's own calendar, the newest last."""
    fiscal, end = data.plan.fiscal, data.comparison.period.end
    month = fiscal.period_of(end, "month")
    if month.end > end:
        month = fiscal.period_of(month.start - dt.timedelta(days=1), "month")
    found = [month]
    while len(found) < N_MONTHS:
        month = fiscal.period_of(month.start - dt.timedelta(days=1), "month")
        found.append(month)
    return found[::-1]


def _ago(data: Tables, month: Period) -> Period:
    year, number = (int(part) for part in month.label.split("-"))
    return data.plan.fiscal.named(year - 1, number, "month")


def _window(data: Tables, against: str) -> Period:
    plan = dataclasses.replace(data.plan, compare=against)
    return plan.comparison(data.as_of).baseline


Figure = tuple[str, str, str, Callable[[Period], float]]


def _figures(data: Tables, found: Comparisons) -> Iterator[Figure]:
    """Measure, unit, driver, and what computes it of a span."""
    plan, deals = data.plan, data.deals
    won = deals[deals["outcome"].eq("won")]
    first = _total(won, "mrr" if plan.measure == MRR else "amount", data)
    if plan.measure == MRR and not data.has("deals", "mrr"):
        first = _of_accounts(data)
    if plan.measure == "wins":
        first = _number(won, "closed_at", data)
    yield found.measure, COUNT if plan.measure == "wins" else MONEY, "", first
    if data.has("leads"):
        yield LEADS, COUNT, "lead volume", _number(data.leads, "created_at", data)
        yield from _of_handoff(data)
    elif data.has("touches") and not data.has("deals"):
        yield TOUCHES, COUNT, "", _touches(data)
    closed = new_business(data)
    closed = closed[closed["outcome"].isin(["won", "lost"])]
    if closed["outcome"].eq("lost").any():
        hit = closed["outcome"].eq("won")
        yield WIN_RATE, RATE, "opportunity to won", _mean(closed, "closed_at", hit, data)
    if plan.measure == BOOKINGS:
        sized = won[won["amount"].notna()]
        yield ADS, MONEY, "deal size", _mean(sized, "closed_at", sized["amount"], data)


def _of_handoff(data: Tables) -> Iterator[Figure]:
    handoff = handoff_stages(data)
    if not handoff.is_known:
        return
    days = {grade: each for grade, each in data.plan.promise.items() if grade != FEEDBACK}
    frame = handed_leads(data).frame
    frame = frame.assign(within=frame["grade"].map(days).astype(float))
    frame = frame[frame["within"].notna() & has_salesperson(frame)]
    if data.has("activities", "occurred_at") and len(frame):

        def in_time(span: Period) -> float:
            rows = frame[data.plan.within(frame["handed_at"], span)]
            times = (rows[name] / rows["within"] for name in ("rep_days", "assigned_days"))
            return (
                time_until(*times).by(1.0, data.plan.level)[0] if len(rows) >= _FEWEST else math.nan
            )

        yield FOLLOW_UP, RATE, "", in_time
    if handoff.is_decided:
        leads = leads_with_handoff(data)
        due = leads[leads["is_due"]]
        driver = f"{handoff.stage} to {handoff.accepted}"
        yield ACCEPTED, RATE, driver, _mean(due, "handed_at", due["in_time"], data)


def _within(rows: pd.DataFrame, at: str, span: Period, data: Tables) -> pd.Series:
    return data.plan.within(rows[at], span)


def _is_recorded(rows: pd.DataFrame, at: str, data: Tables) -> Callable[[Period], bool]:
    first = data.plan.local_days(rows[at].dropna()).min()
    return lambda span: not pd.isna(first) and first.date() <= span.end


def _number(rows: pd.DataFrame, at: str, data: Tables) -> Callable[[Period], float]:
    known = _is_recorded(rows, at, data)
    return lambda span: float(_within(rows, at, span, data).sum()) if known(span) else math.nan


def _touches(data: Tables) -> Callable[[Period], float]:
    first = data.sql("select min(occurred_at) as first from touches")["first"].iloc[0]

    def number(span: Period) -> float:
        if pd.isna(first) or first.date() > span.end:
            return math.nan
        inside = data.plan.within_sql("occurred_at", span)
        found = data.sql(f"select count(*) as n from touches where {inside}")
        return float(found["n"].iloc[0])

    return number


def _total(won: pd.DataFrame, column: str, data: Tables) -> Callable[[Period], float]:
    known = _is_recorded(won, "closed_at", data)

    def total(span: Period) -> float:
        amounts = won.loc[_within(won, "closed_at", span, data), column]
        return float(amounts.sum()) if known(span) else math.nan

    return total


def _mean(
    rows: pd.DataFrame, at: str, values: pd.Series, data: Tables
) -> Callable[[Period], float]:
    def mean(span: Period) -> float:
        here = values[_within(rows, at, span, data)]
        return float(here.mean()) if len(here) >= _FEWEST else math.nan

    return mean


def _of_accounts(data: Tables) -> Callable[[Period], float]:
    def total(span: Period) -> float:
        month = last_month(data, span)
        return math.nan if month.gap else float(recurring_revenue(data, month).sum())

    return total


def _a_month(goal: float, measure: str, unit: str, data: Tables) -> float:
    """Level of a month: a goal of a sum is spread evenly, one of a rate or mean holds for each."""
    is_sum = unit != RATE and measure not in (ADS, MRR)
    months = 3 if data.plan.period == "quarter" else 1
    return goal / months if is_sum else goal


def _step(
    values: Sequence[float], earlier: Sequence[float], unit: str, seed: int
) -> int | None:  # fmt: skip
    series = np.array(values, float)
    if unit != RATE:
        before = np.array(earlier, float)
        if not (series > 0).all():
            return None
        series = np.log(series)
        if (before > 0).all():
            series = series - np.log(before)
    return step_in_series(series, _CLEAR, seed=seed)
