"""A period against its goal, the period before and the same one a year ago."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from funnel.contract.periods import Comparison, Period
from funnel.dataset.cache import shared
from funnel.questions.why.measures import MONEY, Measured, Measures, canonical
from funnel.results import Result, Stated, speaks_for, stated_change
from funnel.stats import CANNOT_TELL

if TYPE_CHECKING:
    from funnel.contract.plan import Plan
    from funnel.dataset import Tables

GOAL, PREVIOUS, YEAR_AGO = "target", "previous", "year_ago"
AGAINST = (GOAL, PREVIOUS, YEAR_AGO)
MET, MISSED = "met", "missed"
_MOST_EARLIER = 8  # periods that the run rate is learnt from
_FEWEST_EARLIER = 3
_COLUMNS = (
    "measure", "against", "label", "unit", "value", "other", "change", "low", "high",
    "n_period", "n_other", "verdict",
)  # fmt: skip


@dataclass(frozen=True)
class RunRate:
    """How much of a running period is usually there by the same day, and what that leads to.

    Attributes
    ----------
    day, n_days
        Days that have passed, and days of the whole period.
    n_periods
        Complete earlier periods that it is learnt from.
    share, share_low, share_high
        Share of an earlier period's value that was there by that day: of all, the least and the
        most.
    expected, low, high
        Value of the whole period at these shares.
    verdict
        Against the goal: `met`, `missed`, or `cannot tell` where the range includes it; empty
        without a goal.
    """

    day: int
    n_days: int
    n_periods: int
    share: float
    share_low: float
    share_high: float
    expected: float
    low: float
    high: float
    verdict: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Comparisons(Result):
    """Each calendar figure of a period against its goal, the period before, and a year ago.

    `table` has one row per measure and comparison that there is: `measure`, `against` (`target`,
    `previous`, `year_ago`), `label` (the period compared with), `unit`, `value`, `other`, `change`,
    `low` and `high` (its interval; none against a goal, which is no estimate), `n_period`,
    `n_other` (rows), `verdict` (against a goal `met` or `missed`, empty while the period is
    running). The plan's own measure comes first. Of a goal `other` is that of the whole period.

    Attributes
    ----------
    measure, kind, comparison
        The plan's measure, kind of period, and comparison.
    windows
        The two periods of each comparison with another period.
    team_goals
        Sum of the teams' parts, by measure, where the company has a goal of its own.
    run_rate
        Of the plan's measure, while the period is running; missing where too little is known.
    """

    measure: str
    kind: str
    comparison: Comparison
    windows: dict[str, Comparison] = field(default_factory=dict)
    team_goals: dict[str, float] = field(default_factory=dict)
    run_rate: RunRate | None = None

    @property
    def stated(self) -> tuple[Stated, ...]:
        """Each measure of the periods compared, and its change."""
        rows = self.table[self.table["against"].isin(self.windows)]
        return tuple(
            each
            for row in rows.rename(columns={"other": "baseline"}).to_dict("records")
            for each in stated_change(row, self.windows[row["against"]])
        )

    def row(self, against: str, measure: str = "") -> dict[str, Any] | None:
        """A comparison of the plan's measure or another; `None` where there is none."""
        table = self.table
        rows = table[
            (table["measure"] == (measure or self.measure)) & (table["against"] == against)
        ]
        return rows.iloc[0].to_dict() if len(rows) else None


@shared
def comparisons(data: Tables) -> Comparisons:
    """Figures of a period against its goal, the period before and the same one a year ago.

    While the period is not over, it is compared with the same number of days of the others, and
    with the goal of the whole period.

    Parameters
    ----------
    data
        A dataset. Reads what `period_change` reads, and `targets`.

    Notes
    -----
    A row of `targets` without a team or owner is the company's goal. Where a measure has only rows
    of teams, their sum is its goal. Quotas of persons are no goals of the company. Goals of months
    add up to that of a quarter where they cover all of it.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> deals = pd.DataFrame({"deal_id": ["D-1", "D-2"], "outcome": "won", "amount": [70.0, 50.0],
    ...                       "created_at": ["2026-01-05", "2026-04-02"],
    ...                       "closed_at": ["2026-02-03", "2026-05-04"]})
    >>> goal = pd.DataFrame({"period_start": ["2026-04-01"], "measure": "bookings", "target": 40.0})
    >>> found = comparisons(Tables.of(deals=deals, targets=goal, as_of="2026-06-30"))
    >>> found.row("target")["verdict"], found.row("previous")["change"], found.row("year_ago")
    ('met', -20.0, None)
    """
    windows = {
        against: replace(data.plan, compare=against).comparison(data.as_of)
        for against in (PREVIOUS, YEAR_AGO)
    }
    found = {against: Measures(data, each).period_figures() for against, each in windows.items()}
    goals, team_goals = _goals(data)
    rows = []
    for figures in zip(*found.values(), strict=True):
        first = figures[0]
        if canonical(first.measure) in goals and math.isfinite(first.value):
            rows.append(_of_goal(first, goals[canonical(first.measure)], data.comparison))
        rows += [
            _of_figure(each, against, windows[against].baseline.label)
            for against, each in zip(found, figures, strict=True)
            if math.isfinite(each.change)
        ]
    measure = found[PREVIOUS][0].measure
    return Comparisons(
        table=pd.DataFrame(rows, columns=list(_COLUMNS)),
        units={"value": f"{data.plan.company.currency} where `unit` is money, 0 to 1 where rate"},
        measure=measure,
        kind=data.plan.period,
        comparison=data.comparison,
        windows=windows,
        team_goals=team_goals,
        run_rate=_run_rate(data, measure, goals.get(measure)),
        **speaks_for(data),
    )


def _of_figure(each: Measured, against: str, label: str) -> dict[str, Any]:
    return {
        "measure": each.measure, "against": against, "label": label, "unit": each.unit,
        "value": each.value, "other": each.baseline, "change": each.change, "low": each.low,
        "high": each.high, "n_period": each.n[0], "n_other": each.n[1], "verdict": each.verdict,
    }  # fmt: skip


def _of_goal(each: Measured, goal: float, comparison: Comparison) -> dict[str, Any]:
    is_over = comparison.is_complete
    verdict = (MET if each.value >= goal else MISSED) if is_over else ""
    return {
        "measure": each.measure, "against": GOAL, "label": comparison.period.label,
        "unit": each.unit, "value": each.value, "other": goal, "change": each.value - goal,
        "low": math.nan, "high": math.nan, "n_period": each.n[0], "n_other": 1, "verdict": verdict,
    }  # fmt: skip


def _whole(plan: Plan, part: Period) -> Period:
    """The whole of a period that is known to date."""
    return plan.fiscal.period_of(part.start, plan.period)


def _goals(data: Tables) -> tuple[dict[str, float], dict[str, float]]:
    """Goals of the whole period by measure, and the sums of the teams' parts beside them."""
    if not data.has("targets"):
        return {}, {}
    targets = data.targets[data.targets["target"].notna()]
    if "owner" in targets:
        targets = targets[targets["owner"].isna()]
    targets = targets.assign(measure=targets["measure"].astype("str").map(canonical))
    whole, goals, of_teams = _whole(data.plan, data.comparison.period), {}, {}
    team = targets["team"] if "team" in targets else pd.Series(pd.NA, targets.index)
    for measure, rows in targets.groupby("measure"):
        has_team = team[rows.index].notna()
        company = _covering(data, rows[~has_team], whole)
        parts = [_covering(data, part, whole) for _, part in rows[has_team].groupby(team)]
        parts = [each for each in parts if each is not None]
        if company is not None:
            goals[measure] = company
            if parts:
                of_teams[measure] = sum(parts)
        elif parts:
            goals[measure] = sum(parts)
    return goals, of_teams


def _covering(data: Tables, rows: pd.DataFrame, whole: Period) -> float | None:
    """Sum of the goals that together cover a period, each day once; `None` where they do not."""
    ends = rows["period_end"] if "period_end" in rows else pd.Series(pd.NaT, rows.index)
    spans = []
    for start, end, goal in zip(rows["period_start"].dt.date, ends, rows["target"], strict=True):
        period = data.plan.fiscal.period_of(start, data.plan.period)
        last = period.end if pd.isna(end) else end.date()
        if whole.start <= start and last <= whole.end:
            spans.append((start, last, float(goal)))
    at = whole.start
    for start, last, _ in sorted(spans):
        if start != at:
            return None
        at = last + dt.timedelta(days=1)
    return sum(goal for *_, goal in spans) if at == whole.after else None


def _run_rate(data: Tables, measure: str, goal: float | None) -> RunRate | None:
    """What the running period leads to, by the shares of earlier periods at the same day."""
    comparison = data.comparison
    if comparison.is_complete:
        return None
    n_days = comparison.period.n_days
    now = Measures(data).period_figures()[0]
    earlier = [
        (_value(data, measure, Period(each.start, _day(each, n_days))), _value(data, measure, each))
        for each in _earlier(data)
    ]
    known = [(part, total) for part, total in earlier if total > 0 and part >= 0]
    if now.unit != MONEY or len(known) < _FEWEST_EARLIER or not math.isfinite(now.value):
        return None
    shares = [part / total for part, total in known]
    least, most = min(shares), max(shares)
    share = sum(part for part, _ in known) / sum(total for _, total in known)
    expected, low, high = (
        now.value / each if each > 0 else math.inf for each in (share, most, least)
    )
    verdict = ""
    if goal is not None:
        verdict = MET if low >= goal else MISSED if high < goal else CANNOT_TELL
    return RunRate(
        day=n_days, n_days=_whole(data.plan, comparison.period).n_days, n_periods=len(known),
        share=share, share_low=least, share_high=most, expected=expected, low=low, high=high,
        verdict=verdict,
    )  # fmt: skip


def _day(period: Period, n_days: int) -> dt.date:
    return min(period.start + dt.timedelta(days=n_days - 1), period.end)


def _earlier(data: Tables) -> Iterator[Period]:
    """Complete periods before, the newest first, as far as wins are recorded."""
    plan = data.plan
    won = data.deals.loc[data.deals["outcome"] == "won", "closed_at"]
    first = plan.local_days(won.dropna()).min()
    day = data.comparison.period.start
    for _ in range(_MOST_EARLIER):
        period = plan.fiscal.period_of(day - dt.timedelta(days=1), plan.period)
        if pd.isna(first) or period.end < first.date():
            return
        yield period
        day = period.start


def _value(data: Tables, measure: str, window: Period) -> float:
    figure = Measures(data, Comparison(window, window, is_complete=True)).figure(measure)
    return figure.value if figure else math.nan
