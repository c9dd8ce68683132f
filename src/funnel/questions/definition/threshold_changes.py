"""Thresholds that changed in the past: dated, with the rates before and after."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel import checks
from funnel.checks import ThresholdChange, threshold_change
from funnel.checks.limits import SLOWEST_DAYS
from funnel.dataset.cache import cached
from funnel.methods.ages import followed_age
from funnel.methods.qualification import (
    NO_HANDOFF,
    Missing,
    handoff_stages,
    leads_with_handoff,
    mature_leads,
)
from funnel.questions.definition.columns import candidates, is_number
from funnel.questions.definition.leakage import leakage
from funnel.questions.definition.rates import rate_change
from funnel.results import Result, no_rows, rows_of, speaks_for

if TYPE_CHECKING:
    from funnel.dataset import Tables

Marks = NDArray[np.bool_]
LOWERED, RAISED = "lowered", "raised"
NO_NUMBER = "no number"
GRADE = "grade"
GRADE_NUMBERS = {"D": 1.0, "C": 2.0, "B": 3.0, "A": 4.0}
FIGURES = ("passed", "accepted", "won")
_FEWEST = 100  # leads that entered a stage, without which no change is searched for
_WINDOW_DAYS, _STEP_DAYS = 182, 91  # each day lies in the central half of some window
_FALSE_ALARMS = 0.05
_SMALLEST_P = 0.0004  # that the permutations of one test can resolve
_SAME_DAYS = 21
_DAY = pd.Timedelta(days=1)


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


@dataclass(frozen=True, eq=False)
class StageStep:
    """Leads that entered a stage, and which of them passed to the next one in time.

    `entered` has `lead_id`, `day` (a date) and `hit`; leads that have not had the time are not in
    it.
    """

    first: str
    second: str
    entered: pd.DataFrame

    @property
    def name(self) -> str:
        """Name of the step, as drivers are named."""
        return f"{self.first} to {self.second}"


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

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> threshold_changes(Tables.of(leads=leads, as_of="2026-01-31")).headline
    'Whether a threshold changed is not known: no hand-off is recorded.'
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
            values = numbers_of(data, name, step.entered["lead_id"])
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


def numbers_of(data: Tables, name: str, lead_ids: pd.Series) -> NDArray[np.float64]:
    """Values of a column of leads as numbers, grades as D 1 to A 4."""
    values = data.leads.set_index("lead_id")[name].reindex(lead_ids)
    if name == GRADE:
        values = values.map(GRADE_NUMBERS)
    return values.to_numpy(float, na_value=np.nan)


def _stage_steps(data: Tables) -> tuple[StageStep, ...]:
    """The hand-off and the acceptance, where enough leads entered them."""
    handoff, frame = handoff_stages(data), leads_with_handoff(data)
    steps = [("lead", handoff.stage, frame, "created_at", "handed_at", handoff.usual_days)]
    if handoff.is_decided:
        handed = frame[frame["handed_at"].notna()]
        steps.append(
            (
                *(handoff.stage, handoff.accepted, handed),
                *("handed_at", "accepted_at", handoff.decision_days),
            )
        )
    found = (StageStep(first, second, _entered(data, *rest)) for first, second, *rest in steps)
    return tuple(step for step in found if len(step.entered) >= _FEWEST)


def _entered(
    data: Tables, frame: pd.DataFrame, begins: str, ends: str, usual_days: float
) -> pd.DataFrame:
    """Leads with the time to pass a step: `lead_id`, the `day` they entered, whether they `hit`."""
    days = min(usual_days, SLOWEST_DAYS)
    mature = frame[frame[begins] < data.ends_at - days * _DAY]
    return pd.DataFrame(
        {
            "lead_id": mature["lead_id"],
            "day": data.plan.local_days(mature[begins]),
            "hit": ((mature[ends] - mature[begins]) / _DAY <= days).astype(float),
        }
    )


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
    values, hit = numbers_of(data, name, here["lead_id"]), here["hit"].to_numpy(bool)
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
    handoff, nobody = handoff_stages(data), np.zeros(len(here), dtype=bool)
    if step.second != handoff.stage or handoff.decision_days != handoff.decision_days:
        return nobody, nobody
    frame = leads_with_handoff(data).set_index("lead_id").loc[here["lead_id"]]
    waited = (frame["handed_at"] - frame["created_at"]) / _DAY + handoff.decision_days
    took = (frame["accepted_at"] - frame["handed_at"]) / _DAY
    counted = hit & (frame["age_days"] >= waited).to_numpy(bool)
    return (took <= handoff.decision_days).to_numpy(bool), counted


def _wins(data: Tables, here: pd.DataFrame, is_after: Marks) -> Pair:
    """Which were won by the age that four in five of the later leads have reached."""
    nobody = np.zeros(len(here), dtype=bool)
    full_age = mature_leads(data).days
    if np.isnan(full_age) or not is_after.any():
        return nobody, nobody
    followed = checks.times_to(data, "won").set_index("id").loc[here["lead_id"]]
    age = leads_with_handoff(data).set_index("lead_id").loc[here["lead_id"], "age_days"]
    days = min(full_age, followed_age(age[is_after]))
    if not days >= checks.maturity(data).days_to(0.5):
        return nobody, nobody
    won = followed["happened"].to_numpy(bool) & (followed["age_days"].to_numpy() <= days)
    return won, (age >= days).to_numpy(bool)


def _compared(
    name: str, hit: Marks, counted: Marks, is_after: Marks, level: float
) -> dict[str, object]:
    (k1, n1), (k0, n0) = (
        (int((hit & counted & side).sum()), int((counted & side).sum()))
        for side in (is_after, ~is_after)
    )
    change = rate_change(k1, n1, k0, n0, level)
    return {
        f"{name}_before": k0 / n0 if n0 else np.nan,
        f"{name}_after": k1 / n1 if n1 else np.nan,
        f"{name}_change_low": change["change_low"],
        f"{name}_change_high": change["change_high"],
        f"{name}_verdict": change["verdict"],
    }


def _weekly(entered: pd.DataFrame) -> pd.DataFrame:
    """Share passed by week of entry."""
    week = entered["day"].dt.to_period("W").dt.start_time
    weekly = entered.groupby(week)["hit"].agg(n="size", share="mean").reset_index()
    return weekly.rename(columns={"day": "week"})
