"""Moved stage boundaries: more leads enter a stage from a day on, and fewer of them advance."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.contract.periods import Period
from funnel.methods.stage_steps import StageStep
from funnel.questions.why.findings import DOWN, FOUND, UP, Finding
from funnel.stats.change_points import (
    Hazard,
    HazardStep,
    hazard_by_day,
    step_in_hazard,
    z_of_share,
)

if TYPE_CHECKING:
    import datetime as dt

    from funnel.dataset import Tables

NEAR_DAYS = 28  # leads pass from stage to stage meanwhile, so two steps so close may be one
_CANCELS = 0.25  # of the larger step, in log units: less may come from who is selected before
_SAME_DAY = 9.0  # squared z: a step that fits another day by more moved on that one
_OTHER = 0.05  # p value of the other step where nothing changed over both
_MOST_THROUGH = 0.5  # of the larger step, in log units: bound on the change over both steps
_SURE_Z = 2.576  # z beyond which more, or fewer, pass both: once in a hundred, two-sided


def moved_boundaries(
    data: Tables,
    days: pd.DataFrame,
    strata: pd.Series,
    steps: list[StageStep],
    window: Period,
    limit: float,
) -> Iterator[Finding]:
    """Stages that more leads enter from a day on and fewer leave for the next, or the reverse.

    Such a move renames leads, so it explains what cancels between the steps; what remains over both
    is another change. Leads that advance are counted by working day, with those at risk at equal
    age, so that a rule that begins late in the window is seen from its first days on. The clearer
    of two neighbouring steps gives the day. The other one must have moved against it on that day:

    - beyond chance by itself, and by a quarter of the clearer one or more; or
    - so that over both steps nothing changed, where fewer leads are needed to say so.

    A change of one step alone is neither: the other one stays what it was, or is moved a little
    by who comes to it.

    Parameters
    ----------
    days
        Local day of each entry and exit: `<stage>_at` and `left_at`, as `stages.reached` has them.
    strata
        Of each row: leads are only compared within one.
    steps
        From each recorded stage to the next, of leads that entered within the window.
    limit
        P value of a step that moved beyond chance.
    """
    hazards = [_hazard(data, days, strata, step.first, step.second, window) for step in steps]
    changes = [step_in_hazard(each) for each in hazards]
    for place, (into, onward) in enumerate(itertools.pairwise(changes)):
        if into is None or onward is None:
            continue
        is_into_clear = abs(into.z) >= abs(onward.z)
        clear, other = (into, onward) if is_into_clear else (onward, into)
        if clear.p_value > limit:
            continue
        at = place + is_into_clear
        day, against = clear.day, -np.sign(clear.z)
        z = max(_z_values(hazards[at], steps[at], day) * against)
        p_value = _one_of_two(z)
        if p_value > _OTHER or _is_of_another_day(other, day, z):
            continue
        through = _hazard(data, days, strata, steps[place].first, steps[place + 1].second, window)
        logs = [np.log(each.ratio(day)[0]) for each in hazards[place : place + 2]]
        if not _cancels(logs, p_value <= limit, through, day):
            continue
        change, low, high = through.ratio(day, data.plan.level)
        later = _later_steps(logs, hazards[place + 2 :], steps[place + 2 :], day)
        names = [step.name for step in steps[place : place + 2 + later]]
        directions = (UP, DOWN) if logs[0] > 0 else (DOWN, UP)
        yield Finding(
            check="definition",
            state=FOUND,
            kind="boundary moved",
            since=day,
            stage=steps[place].second,
            before=float(np.exp(logs[0])),
            after=float(np.exp(logs[1])),
            change=change,
            low=low,
            high=high,
            unit="ratio",
            n=min(into.n, onward.n),
            p_value=max(clear.p_value, p_value),
            touched=tuple((name, directions[i > 0]) for i, name in enumerate(names)),
        )


def _hazard(
    data: Tables, days: pd.DataFrame, strata: pd.Series, first: str, second: str, window: Period
) -> Hazard:
    """Advances from a stage to a later one; a lead that leaves on the way is out."""
    start, moved = days[f"{first}_at"], days[f"{second}_at"]
    end = moved.where(moved.notna(), days["left_at"])
    known = (start < pd.Timestamp(window.after)) & ~(end < pd.Timestamp(window.start))
    visits = pd.DataFrame(
        {
            "start": start[known],
            "end": end[known],
            "is_move": moved[known].notna(),
            "stratum": strata[known],
        }
    )
    return hazard_by_day(visits, window.start, window.after, data.plan.company.country)


def _z_values(moves: Hazard, step: StageStep, day: dt.date) -> np.ndarray:
    """Z values of a step on a day: by the day on which leads advance, and on which they entered.

    A rule for those who enter shows sharply by the second, one for those in the stage by the first.
    """
    counts = step.entered.groupby(["stratum", "day"])["hit"].agg(n="size", k="sum").reset_index()
    return np.array([moves.z(day), z_of_share(counts, day)])


def _one_of_two(z: float) -> float:
    """P value of the larger of two z values, one-sided (Bonferroni)."""
    from scipy.stats import norm

    return min(2 * float(norm.sf(z)), 1.0)


def _is_of_another_day(other: HazardStep, day: dt.date, z: float) -> bool:
    is_far = abs((other.day - day).days) > NEAR_DAYS
    return is_far and other.z**2 - z**2 > _SAME_DAY


def _cancels(logs: list[float], is_sure: bool, through: Hazard, day: dt.date) -> bool:
    """Whether steps are one boundary, by the log ratios of entering it and of advancing."""
    if not logs[0] * logs[1] < 0:
        return False
    smaller, larger = sorted(map(abs, logs))
    ends = np.abs(np.log(through.ratio(day)[1:]))
    is_same_through = ends.max() <= _MOST_THROUGH * larger and abs(through.z(day)) <= _SURE_Z
    return is_same_through or (is_sure and smaller >= _CANCELS * larger)


def _later_steps(
    logs: list[float], hazards: list[Hazard], steps: list[StageStep], day: dt.date
) -> int:
    """How many further steps, one after another, lose or gain what remains of the boundary."""
    remains = sum(logs)
    for n, (moves, step) in enumerate(zip(hazards, steps, strict=True)):
        ratio = moves.ratio(day)[0]
        against = -np.sign(logs[0])
        z = max(_z_values(moves, step, day) * against)
        if remains * logs[0] <= 0 or _one_of_two(z) > _OTHER or not np.log(ratio) * logs[0] < 0:
            return n
        remains += np.log(ratio)
    return len(steps)
