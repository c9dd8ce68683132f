"""Borders between two stages that moved: more leads enter a stage, fewer go on, as many pass both.

Such a move renames leads and wins or loses none, so that neither neighbour is anybody's doing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.questions.why.guard_findings import DOWN, UP, Found
from funnel.questions.why.record_changes import span_of
from funnel.results import formats
from funnel.stats.change_points import Hazard, HazardStep, hazard_by_day, step_in_hazard

if TYPE_CHECKING:
    from funnel.dataset import Tables

_NEAR_DAYS = 28  # leads pass from stage to stage meanwhile, so two steps so close may be one
_CLEARER, _OTHER = 0.05, 0.1  # p values of two opposite steps on about the same day
_LEFT = 0.5  # of the larger step, in log units: all that may be left of it from end to end, surely
_SURE_REST = 2.576  # deviate from which more, or fewer, pass both: once in a hundred, two-sided


def moved_borders(data: Tables, frame: pd.DataFrame, strata: pd.Series) -> Iterator[Found]:
    """Find two neighbours that moved against each other on about one day, with nothing left of it.

    Who moves on is counted by working day beside those at risk at equal age, so that a rule which
    begins late in the period is seen from its first days on. The clearer of the two steps is
    looked for on every day, and the other one near it.

    Parameters
    ----------
    data
        A company's tables.
    frame
        As `stages.reached` gives it.
    strata
        Of each row: a pace is only compared within one.
    """
    recorded = frame.attrs["stages"]
    paces = [_pace(data, frame, strata, *names) for names in itertools.pairwise(recorded)]
    told: set[str] = set()
    for place, stage in enumerate(recorded[1:-1]):
        first, last = recorded[place], recorded[place + 2]
        names = f"{first} to {stage}", f"{stage} to {last}"
        steps = _opposite(paces[place], paces[place + 1])
        if steps is None or told & set(names):
            continue
        through = _pace(data, frame, strata, first, last)
        clearer = max(steps, key=lambda step: abs(step.z))
        both = paces[place], paces[place + 1]
        largest = max(abs(np.log(each.ratio(clearer.day)[0])) for each in both)
        ends = np.abs(np.log(through.ratio(clearer.day)[1:]))
        is_kept = ends.max() <= _LEFT * largest and abs(through.z(clearer.day)) <= _SURE_REST
        if not is_kept:
            continue
        ways = (UP, DOWN) if steps[0].z > 0 else (DOWN, UP)
        told |= set(names)
        says = _says(data, stage, names, f"{first} to {last}", clearer, (*both, through))
        yield Found(
            "definition", says, clearer.day, tuple(zip(names, ways, strict=True)), (),
            min(step.n for step in steps), max(step.p_value for step in steps),
        )  # fmt: skip


def _pace(data: Tables, frame: pd.DataFrame, strata: pd.Series, first: str, second: str) -> Hazard:
    """Count moves from a stage to a later one; a lead that leaves on the way is gone."""
    start, moved = frame[f"{first}_at"], frame[f"{second}_at"]
    end = moved.where(moved.notna(), frame["left_at"])
    known = start.notna()
    stays = pd.DataFrame(
        {
            "start": _local(data, start[known]),
            "end": _local(data, end[known]),
            "is_move": moved[known].notna(),
            "stratum": strata[known],
        }
    )
    begin, after = span_of(data)
    return hazard_by_day(stays, begin, after, data.plan.company.country)


def _local(data: Tables, moments: pd.Series) -> pd.Series:
    local = moments.dt.tz_convert(data.plan.company.timezone)
    return local.dt.tz_localize(None).dt.normalize()


def _opposite(pair: Hazard, following: Hazard) -> tuple[HazardStep, HazardStep] | None:
    """Find the clearer step of two neighbours, and near it one of the other, the other way."""
    both = [step_in_hazard(pair), step_in_hazard(following)]
    if not all(both):
        return None
    lead = int(abs(both[1].z) > abs(both[0].z))
    other = step_in_hazard((pair, following)[1 - lead], both[lead].day, _NEAR_DAYS)
    if other is None or both[lead].p_value > _CLEARER or other.p_value > _OTHER:
        return None
    if both[lead].z * other.z >= 0:
        return None
    both[1 - lead] = other
    return both[0], both[1]


def _says(
    data: Tables, stage: str, names: tuple[str, str], through: str, step: HazardStep,
    paces: tuple[Hazard, Hazard, Hazard],
) -> str:  # fmt: skip
    company, level = data.plan.company, data.plan.level
    told = []
    for name, moves in zip((*names, through), paces, strict=True):
        ratio, *ends = (
            formats.number(each, company, digits=2) for each in moves.ratio(step.day, level)
        )
        n = formats.number(moves.observed.sum(), company)
        told.append(f"{name} {ratio} times {formats.interval(*ends)} ({n} leads)")
    return (
        f"The border of {stage} moved from {formats.day(step.day, company)} on. At equal time in a "
        f"stage, leads move on each working day, beside before: {told[0]}, {told[1]}; from one "
        f"end to the other, {told[2]}."
    )
