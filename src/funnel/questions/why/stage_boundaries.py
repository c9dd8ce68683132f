"""Stage boundaries that moved: more leads enter a stage, fewer advance, and as many pass both.

Such a move renames leads and wins or loses none, so that it explains the change of both steps.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.questions.why.findings import DOWN, FOUND, UP, Finding
from funnel.stats import change_points

if TYPE_CHECKING:
    from funnel.dataset import Tables

_NEAR_DAYS = 28  # leads pass from stage to stage meanwhile, so two steps so close may be one
_CLEARER, _OTHER = 0.05, 0.1  # p values of two opposite steps on about the same day
_MOST_THROUGH = 0.5  # of the larger step, in log units: bound on the change over both stages
_SURE_Z = 2.576  # z beyond which more, or fewer, pass both: once in a hundred, two-sided


def moved_boundaries(
    data: Tables, frame: pd.DataFrame, recorded: tuple[str, ...], strata: pd.Series
) -> Iterator[Finding]:
    """Two steps in a row that changed against each other, with no change over both together.

    Leads that advance are counted by working day, with those at risk at equal age, so that a rule
    that begins late in the period is seen from its first days on. The clearer of the two steps may
    be on any day, and the other one near it.

    Parameters
    ----------
    data
        A dataset.
    frame, recorded
        As `stages.reached` and `stages.recorded_stages` give them.
    strata
        Of each row: hazards are only compared within one.
    """
    hazards = [_hazard(data, frame, strata, *names) for names in itertools.pairwise(recorded)]
    explained: set[str] = set()
    for place, stage in enumerate(recorded[1:-1]):
        first, last = recorded[place], recorded[place + 2]
        names = f"{first} to {stage}", f"{stage} to {last}"
        steps = _opposite(hazards[place], hazards[place + 1])
        if steps is None or explained & set(names):
            continue
        through = _hazard(data, frame, strata, first, last)
        clearer = max(steps, key=lambda step: abs(step.z))
        ratios = [each.ratio(clearer.day)[0] for each in (hazards[place], hazards[place + 1])]
        largest = max(abs(np.log(ratio)) for ratio in ratios)
        change, low, high = through.ratio(clearer.day, data.plan.level)
        ends = np.abs(np.log(through.ratio(clearer.day)[1:]))
        is_same_through = (
            ends.max() <= _MOST_THROUGH * largest and abs(through.z(clearer.day)) <= _SURE_Z
        )
        if not is_same_through:
            continue
        directions = (UP, DOWN) if steps[0].z > 0 else (DOWN, UP)
        explained |= set(names)
        yield Finding(
            check="definition",
            state=FOUND,
            kind="boundary moved",
            since=clearer.day,
            stage=stage,
            before=ratios[0],
            after=ratios[1],
            change=change,
            low=low,
            high=high,
            unit="ratio",
            n=min(step.n for step in steps),
            p_value=max(step.p_value for step in steps),
            touched=tuple(zip(names, directions, strict=True)),
        )


def _hazard(
    data: Tables, frame: pd.DataFrame, strata: pd.Series, first: str, second: str
) -> change_points.Hazard:
    """Advances from a stage to a later one; a lead that leaves on the way is out."""
    start, moved = frame[f"{first}_at"], frame[f"{second}_at"]
    end = moved.where(moved.notna(), frame["left_at"])
    known = start.notna()
    visits = pd.DataFrame(
        {
            "start": data.plan.local_days(start[known]),
            "end": data.plan.local_days(end[known]),
            "is_move": moved[known].notna(),
            "stratum": strata[known],
        }
    )
    span = data.comparison.span
    return change_points.hazard_by_day(visits, span.start, span.after, data.plan.company.country)


def _opposite(
    pair: change_points.Hazard, following: change_points.Hazard
) -> tuple[change_points.HazardStep, change_points.HazardStep] | None:
    """The clearer step of two neighbours, and near it one of the other, in the other direction."""
    both = [change_points.step_in_hazard(pair), change_points.step_in_hazard(following)]
    if not all(both):
        return None
    lead = int(abs(both[1].z) > abs(both[0].z))
    other = change_points.step_in_hazard((pair, following)[1 - lead], both[lead].day, _NEAR_DAYS)
    if other is None or both[lead].p_value > _CLEARER or other.p_value > _OTHER:
        return None
    if both[lead].z * other.z >= 0:
        return None
    both[1 - lead] = other
    return both[0], both[1]
