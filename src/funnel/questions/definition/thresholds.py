"""Thresholds that changed, and recorded outcomes at other thresholds."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel import checks
from funnel.checks import ThresholdChange, threshold_change
from funnel.checks.limits import SLOWEST_DAYS
from funnel.contract.errors import ParameterError
from funnel.contract.labels import EVERYBODY
from funnel.dataset.cache import cached
from funnel.methods.ages import followed_age
from funnel.methods.qualification import (
    NO_HANDOFF,
    Missing,
    handoff_stages,
    leads_with_handoff,
    mature_leads,
)
from funnel.methods.rates import rate, rate_change
from funnel.methods.stage_steps import GRADE, StageStep, entered_in_time, numbers_of
from funnel.questions.definition.columns import FEWEST_WON, candidates, is_number
from funnel.questions.definition.leakage import LEAKS, Leakage, leakage
from funnel.results import Result, no_rows, rows_of, speaks_for
from funnel.results.small_groups import SmallGroups
from funnel.stats import poisson_interval

if TYPE_CHECKING:
    from funnel.dataset import Tables

Marks = NDArray[np.bool_]
LOWERED, RAISED = "lowered", "raised"
NO_NUMBER = "no number"
FIGURES = ("passed", "accepted", "won")
_FEWEST = 100  # leads that entered a stage, without which no change is searched for
_WINDOW_DAYS, _STEP_DAYS = 182, 91  # each day lies in the central half of some window
_FALSE_ALARMS = 0.05  # over all years; the check of one period (`checks.limits`) allows less
_SMALLEST_P = 0.0004  # that the permutations of one test can resolve
_SAME_DAYS = 21
_DAY = pd.Timedelta(days=1)
REPLAYED, CANNOT_TELL = "replayed", "cannot tell"
NOT_FILLED, NO_THRESHOLD = "not filled", "no threshold"
FEW_WON_AT_ONE = "few won at one threshold"
_LONGEST_DAYS = 730
_SEPARATES = 0.4  # share passed above less share passed below: with less there is no threshold
_MOST_BELOW, _MOST_ABOVE = 4, 14
_QUARTER_LESS = 0.75


@dataclass(frozen=True, eq=False, kw_only=True)
class ThresholdChanges(Result):
    """Thresholds that changed, and the rates before and after.

    `table` has one row per change, the earliest first: `column` (the threshold's), `step` (`lead to
    mql`, or `mql to sal`), `stage` (which the step enters), `day`, `move` (`lowered` or `raised`),
    `threshold_before`, `threshold_after` (grades as D 1 to A 4), `p_value`. Then, for leads created
    up to a quarter before and after, for `passed` (share of leads that pass the step in time),
    `accepted` (share of these that pass the next one in time) and `won` (share of leads won by the
    same age): `<x>_before`, `<x>_after`, `<x>_change_low`, `<x>_change_high`, `<x>_verdict`.

    `n_tests` counts the columns and half-years tested. `weekly` has the share of leads handed over
    by week of creation: `week`, `n`, `share`.
    """

    n_tests: int = 0
    weekly: pd.DataFrame = field(default_factory=pd.DataFrame)
    missing: Missing | None = None


@cached
def threshold_changes(data: Tables) -> ThresholdChanges:
    """Thresholds that changed since the records begin, with the rates before and after.

    The hand-off and the acceptance are tested on every number that leads have and on the grade, in
    half-years that overlap by half.

    Parameters
    ----------
    data
        The dataset. Columns that leak the outcome are excluded.

    Notes
    -----
    Each test is that of the definition check (`funnel.checks`): a band of values that was let
    through on one side of a day and not on the other, while elsewhere little changed. Wins are
    compared at the age that the later leads have reached, and not at all where that is too recent
    for half of the wins to have come.
    """
    missing = None if handoff_stages(data).is_known else Missing(NO_HANDOFF)
    names: list[str] = []
    if missing is None:
        leaks = {each.column for each in leakage(data)}
        names = [name for name in candidates(data) if name not in leaks]
        names = [name for name in names if name == GRADE or is_number(data, name)]
        missing = None if names else Missing(NO_NUMBER)
    steps = () if missing else _stage_steps(data)
    windows = [] if missing else _windows(data)
    n_tests = len(names) * len(steps) * len(windows)
    limit = max(_FALSE_ALARMS / max(n_tests, 1), _SMALLEST_P)
    found: list[tuple[ThresholdChange, str, StageStep]] = []
    for step in steps:
        for name in names:
            values = numbers_of(data, name, step.entered.index)
            known = step.entered.assign(value=values).dropna(subset="value")
            for begin, after in windows:
                here = known[(known["day"] >= begin) & (known["day"] < after)]
                if len(here) < _FEWEST or here["value"].nunique() < 3:
                    continue
                change = threshold_change(here, limit=limit, seed=data.plan.seed)
                if change is not None:
                    found.append((change, name, step))
    table, rows = [], [no_rows()]
    for change, name, step in _distinct(found):
        row, ids = _row(data, change, name, step)
        table.append(row)
        rows.append(rows_of(f"{name}, {change.day}", "leads", ids))
    order = ["day", "step"]
    return ThresholdChanges(
        table=pd.DataFrame(table, columns=_COLUMNS).sort_values(order, ignore_index=True),
        rows=pd.concat(rows, ignore_index=True),
        units={f"{name}_{when}": "share" for name in FIGURES for when in ("before", "after")},
        n_tests=n_tests,
        weekly=_weekly(steps[0].entered) if steps else pd.DataFrame(columns=["week", "n", "share"]),
        missing=missing,
        **speaks_for(data),
    )


_COLUMNS = [
    *("column", "step", "stage", "day", "move", "threshold_before", "threshold_after", "p_value"),
    *(
        f"{name}_{what}"
        for name in FIGURES
        for what in ("before", "after", "change_low", "change_high", "verdict")
    ),
]


def best_threshold(values: NDArray[np.float64], passed: NDArray[np.bool_]) -> tuple[float, float]:
    """Value that best separates leads that passed from the others, and how well it does.

    Returns
    -------
    tuple of float
        The threshold, and the share passed from it up less the share passed below it (-1 to 1).
        Not a number where all values are equal, or all or none passed.

    References
    ----------
    Youden (1950), Cancer 3, 32-35: the threshold is where the share of the passed that lie above it
    exceeds the share of the others above it by most.

    Examples
    --------
    >>> best_threshold(np.array([10.0, 20.0, 30.0, 40.0]), np.array([False, False, True, True]))
    (30.0, 1.0)
    """
    order = np.argsort(values, kind="stable")
    levels, first = np.unique(values[order], return_index=True)
    n_in, n_out = int(passed.sum()), int((~passed).sum())
    if len(levels) < 2 or not (n_in and n_out):
        return float("nan"), float("nan")
    below = np.r_[0, np.cumsum(passed[order])]
    in_below, out_below = below[first], first - below[first]
    gain = (1 - in_below / n_in) - (1 - out_below / n_out)
    at = int(np.argmax(gain[1:])) + 1
    share_above = passed[values >= levels[at]].mean()
    return float(levels[at]), float(share_above - passed[values < levels[at]].mean())


def _stage_steps(data: Tables) -> tuple[StageStep, ...]:
    """The hand-off and the acceptance, where enough leads entered them."""
    handoff, frame = handoff_stages(data), leads_with_handoff(data)
    steps = [("lead", handoff.stage, frame, "created_at", "handed_at", handoff.usual_days)]
    if handoff.is_decided:
        handed = frame[frame["handed_at"].notna()]
        times = "handed_at", "accepted_at", handoff.decision_days
        steps.append((handoff.stage, handoff.accepted, handed, *times))
    found = (
        StageStep(first, second, entered_in_time(data, *rest, min(days, SLOWEST_DAYS)))
        for first, second, *rest, days in steps
    )
    return tuple(step for step in found if len(step.entered) >= _FEWEST)


def _windows(data: Tables) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """Half-years that overlap by half, the last ending with the data."""
    first = leads_with_handoff(data)["created_at"].min().tz_localize(None).normalize()
    windows = []
    after = pd.Timestamp(data.as_of) + _DAY
    while after > first + _STEP_DAYS * _DAY:
        windows.append((after - _WINDOW_DAYS * _DAY, after))
        after -= _STEP_DAYS * _DAY
    return windows[::-1]


def _distinct(
    found: list[tuple[ThresholdChange, str, StageStep]],
) -> list[tuple[ThresholdChange, str, StageStep]]:
    """Of changes of one step on about one day, the one with the largest z.

    A change of a later step within a quarter of one of an earlier step is dropped: its leads are
    others since the threshold before it changed.
    """
    chosen: list[tuple[ThresholdChange, str, StageStep]] = []
    for each in sorted(found, key=lambda each: -each[0].z):
        same = (
            abs((each[0].day - other[0].day).days) <= _SAME_DAYS and each[2] is other[2]
            for other in chosen
        )
        if not any(same):
            chosen.append(each)
    return [
        each
        for each in chosen
        if not any(
            other[2].second == each[2].first
            and abs((each[0].day - other[0].day).days) <= _STEP_DAYS
            for other in chosen
        )
    ]


def _row(
    data: Tables, change: ThresholdChange, name: str, step: StageStep
) -> tuple[dict[str, object], pd.Series]:
    """Row of a change, and the leads that it rests on."""
    day = pd.Timestamp(change.day)
    near = step.entered["day"].sub(day).abs() <= _STEP_DAYS * _DAY
    here = step.entered[near]
    is_after = (here["day"] >= day).to_numpy()
    hit = here["hit"].to_numpy(bool)
    move = LOWERED if change.after > change.before else RAISED
    before, after = _thresholds(data, change, name, here, move)
    row: dict[str, object] = {
        "column": name,
        "step": step.name,
        "stage": step.second,
        "day": change.day,
        "move": move,
        "threshold_before": before,
        "threshold_after": after,
        "p_value": change.p_value,
    }
    figures = (
        (hit, np.ones(len(here), dtype=bool)),
        _next_step(data, step, here, hit),
        _wins(data, here, is_after),
    )
    for figure, (hits, counted) in zip(FIGURES, figures, strict=True):
        row |= _compared(figure, hits, counted, is_after, data.plan.level)
    return row, here["lead_id"]


def _thresholds(
    data: Tables, change: ThresholdChange, name: str, here: pd.DataFrame, move: str
) -> tuple[float, float]:
    """Threshold before and after a change, by the leads on either side of its day."""
    is_after = (here["day"] >= pd.Timestamp(change.day)).to_numpy()
    values, hit = numbers_of(data, name, here.index), here["hit"].to_numpy(bool)
    known = ~np.isnan(values)
    before, after = (
        best_threshold(values[known & side], hit[known & side])[0] for side in (~is_after, is_after)
    )
    if np.isnan([before, after]).any() or (after < before) != (move == LOWERED):
        return (change.high, change.low) if move == LOWERED else (change.low, change.high)
    return before, after


Pair = tuple[Marks, Marks]


def _next_step(data: Tables, step: StageStep, here: pd.DataFrame, hit: Marks) -> Pair:
    """Which of those that passed long enough ago passed the next step in time."""
    if step.second != handoff_stages(data).stage:
        nobody = np.zeros(len(here), dtype=bool)
        return nobody, nobody
    frame = leads_with_handoff(data).loc[here.index]
    return frame["in_time"].to_numpy(bool), hit & frame["is_due"].to_numpy(bool)


def _wins(data: Tables, here: pd.DataFrame, is_after: Marks) -> Pair:
    """Which were won by the age that four in five of the later leads have reached."""
    nobody = np.zeros(len(here), dtype=bool)
    full_age = mature_leads(data).days
    if np.isnan(full_age) or not is_after.any():
        return nobody, nobody
    followed = checks.times_to(data, "won").set_index("id").loc[here["lead_id"]]
    age = leads_with_handoff(data)["age_days"].loc[here.index]
    days = min(full_age, followed_age(age[is_after]))
    if not days >= checks.maturity(data).days_to(0.5):
        return nobody, nobody
    won = followed["happened"].to_numpy(bool) & (followed["age_days"].to_numpy() <= days)
    return won, (age >= days).to_numpy(bool)


def _compared(
    name: str, hit: Marks, counted: Marks, is_after: Marks, level: float
) -> dict[str, object]:
    row: dict[str, object] = {}
    for when, side in (("before", ~is_after), ("after", is_after)):
        k, n = int((hit & counted & side).sum()), int((counted & side).sum())
        row |= rate(f"{name}_{when}", k, n, level)
    change = rate_change(row, f"{name}_after", f"{name}_before", f"{name}_change")
    return row | change | {f"{name}_verdict": change["verdict"]}


def _weekly(entered: pd.DataFrame) -> pd.DataFrame:
    """Share passed by week of entry."""
    week = entered["day"].dt.to_period("W").dt.start_time
    weekly = entered.groupby(week)["hit"].agg(n="size", share="mean").reset_index()
    return weekly.rename(columns={"day": "week"})


@dataclass(frozen=True, eq=False, kw_only=True)
class ThresholdReplay(Result):
    """Recorded outcomes at other thresholds than the one in force.

    `table` has one row per threshold, from low to high: `threshold` (grades as D 1 to A 4),
    `in_force`, `n_passed` (leads from it up), `n_tried` (those of them that were handed over, and
    so have an outcome), `per_week` (leads passed a week), `wins_kept` and `wins_lost` of the
    recorded ones, with `wins_lost_low`, `wins_lost_high`; `kept_share` with `kept_share_low`,
    `kept_share_high`; `win_rate` of those tried with its interval; `amount_kept`, `amount_lost`
    (currency); `state`: `replayed`, or `cannot tell` below the threshold in force, where leads were
    never handed over and have no outcome.

    `column` is the threshold's; `now` the threshold in force; `days` the age by which outcomes are
    counted; `created_from` and `created_to` the days of creation of the leads; `n_below` the leads
    that were handed over from below the threshold and are excluded.
    """

    grouped = (
        SmallGroups(
            by=("threshold",),
            counts={
                "n_passed": (),
                "n_tried": ("win_rate",),
                "wins_kept": ("wins_lost", "kept_share", "amount_kept", "amount_lost", "win_rate"),
                "wins_lost": ("wins_kept", "kept_share", "amount_kept", "amount_lost"),
            },
        ),
    )

    column: str = "score"
    now: float = float("nan")
    days: float = float("nan")
    created_from: dt.date | None = None
    created_to: dt.date | None = None
    n_below: int = 0
    leaks: tuple[Leakage, ...] = ()
    missing: Missing | None = None

    @property
    def in_force(self) -> pd.Series:
        """Row of the threshold in force."""
        return self.table[self.table["in_force"]].iloc[0]

    @property
    def with_less_load(self) -> pd.Series | None:
        """Row of the higher threshold whose load is nearest to a quarter less; none without one."""
        higher = self.table[self.table["threshold"] > self.now]
        if higher.empty:
            return None
        gap = (higher["per_week"] / self.in_force["per_week"] - _QUARTER_LESS).abs()
        return higher.loc[gap.idxmin()]


def threshold_replay(data: Tables, column: str = "score") -> ThresholdReplay:
    """Recorded outcomes at other thresholds of the score, of the grade or of another number.

    Parameters
    ----------
    column
        `score`, `grade`, or another column of leads that holds numbers.

    Raises
    ------
    ParameterError
        If leads have no such column, or it holds words.

    Notes
    -----
    Leads are mature ones of up to two years, created since the threshold last changed. The
    threshold in force is the value that best separates leads handed over from the others; where
    none does, there is no threshold to replay. Leads handed over from below it are excluded. It is
    a replay and no forecast: with fewer leads, sales may do better or worse with each.
    """
    _check_column(data, column)
    missing = _missing(data, column)
    leads, now = mature_leads(data).leads.iloc[:0].assign(value=pd.Series(dtype=float)), np.nan
    if missing is None:
        leads = _leads(data, column)
        n_won = int(leads["won"].sum())
        if n_won < FEWEST_WON:
            missing = Missing(FEW_WON_AT_ONE, n=n_won, name=column)
        else:
            now, difference = best_threshold(
                leads["value"].to_numpy(float), leads["had_a_chance"].to_numpy(bool)
            )
            if not difference >= _SEPARATES:
                missing = Missing(NO_THRESHOLD, name=column)
    if missing is not None:
        leads = leads.iloc[:0]
    from_below = leads["had_a_chance"] & (leads["value"] < now)
    n_below, leads = int(from_below.sum()), leads[~from_below]
    created = leads["created_at"]
    weeks = max((created.max() - created.min()) / _DAY / 7, 1.0) if len(leads) else 1.0
    table = [_replayed(data, leads, each, now, weeks) for each in _around(leads["value"], now)]
    day = data.plan.local_days(created)
    return ThresholdReplay(
        table=pd.DataFrame(table, columns=_REPLAY_COLUMNS),
        rows=rows_of(EVERYBODY, "leads", leads["lead_id"]) if len(leads) else no_rows(),
        units={"per_week": "leads", "amount_lost": data.plan.company.currency},
        column=column,
        now=now,
        days=mature_leads(data).days,
        created_from=day.min().date() if len(leads) else None,
        created_to=day.max().date() if len(leads) else None,
        n_below=n_below,
        leaks=tuple(each for each in leakage(data) if each.column == column),
        missing=missing,
        **speaks_for(data),
    )


_REPLAY_COLUMNS = [
    *("threshold", "in_force", "state", "n_passed", "n_tried", "per_week"),
    *("wins_kept", "kept_share", "kept_share_low", "kept_share_high"),
    *("wins_lost", "wins_lost_low", "wins_lost_high", "win_rate", "win_rate_low", "win_rate_high"),
    *("amount_kept", "amount_lost"),
]


def _check_column(data: Tables, column: str) -> None:
    leads = data.leads
    if column not in leads or not (column == GRADE or pd.api.types.is_numeric_dtype(leads[column])):
        numbers = [name for name in leads if pd.api.types.is_numeric_dtype(leads[name])]
        raise ParameterError(
            f"threshold_replay: column={column!r} must be `grade` or a number of leads; there are "
            f"{', '.join(numbers)}."
        )


def _missing(data: Tables, column: str) -> Missing | None:
    if data.leads.empty or not data.has("leads", column):
        return Missing(NOT_FILLED, name=column)
    if mature_leads(data).missing:
        return mature_leads(data).missing
    if not handoff_stages(data).is_known:
        return Missing(NO_HANDOFF)
    if any(each.column == column for each in leakage(data)):
        return Missing(LEAKS, name=column)
    return None


def _leads(data: Tables, column: str) -> pd.DataFrame:
    """Mature leads with their value, since the threshold last changed."""
    mature = mature_leads(data).leads
    mature = mature.assign(value=numbers_of(data, column, mature.index))
    mature = mature.dropna(subset="value")
    recent = mature[mature["created_at"] >= mature["created_at"].max() - _LONGEST_DAYS * _DAY]
    for day in _changed_on(data, column)[::-1]:
        since = recent[recent["created_at"] >= day]
        enough = since["won"].sum() >= FEWEST_WON
        recent = since if enough else recent[recent["created_at"] < day]
        if enough:
            break
    return recent


def _changed_on(data: Tables, column: str) -> list[pd.Timestamp]:
    changes = threshold_changes(data).table
    own = changes[(changes["column"] == column) & (changes["stage"] == handoff_stages(data).stage)]
    return [data.plan.midnight(day) for day in own["day"]]


def _around(values: pd.Series, now: float) -> list[float]:
    """Thresholds to replay, about as many leads apart from each other: few below that in force."""
    chosen: set[float] = {now} if len(values) else set()
    for side, most in ((values[values < now], _MOST_BELOW), (values[values >= now], _MOST_ABOVE)):
        levels = np.unique(side)
        if len(levels) > most:
            share = np.linspace(0, 1, most + 1)[:-1]
            levels = np.unique(np.quantile(side, share, method="inverted_cdf"))
        chosen |= set(levels.tolist())
    return sorted(chosen)


def _replayed(
    data: Tables, leads: pd.DataFrame, threshold: float, now: float, weeks: float
) -> dict[str, object]:
    passed = leads["value"] >= threshold
    won = leads["won"] & (leads["value"] >= now)
    kept, lost = int((won & passed).sum()), int((won & ~passed).sum())
    n_tried, level = int((passed & leads["had_a_chance"]).sum()), data.plan.level
    low, high = poisson_interval(lost, level)
    return {
        "threshold": threshold,
        "in_force": threshold == now,
        "state": REPLAYED if threshold >= now else CANNOT_TELL,
        "n_passed": int(passed.sum()),
        "n_tried": n_tried,
        "per_week": float(passed.sum() / weeks),
        "wins_kept": kept,
        **rate("kept_share", kept, int(won.sum()), level),
        "wins_lost": lost,
        "wins_lost_low": float(low),
        "wins_lost_high": float(high),
        **rate("win_rate", kept, n_tried, level),
        "amount_kept": float(leads.loc[won & passed, "amount"].sum()),
        "amount_lost": float(leads.loc[won & ~passed, "amount"].sum()),
    }
