"""Second check: changes of the rule for a stage rather than of the leads that pass it."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.checks import thresholds
from funnel.checks.limits import EQUAL_AGE_SHARE, FALSE_ALARMS, SLOWEST_DAYS
from funnel.contract.tables import TABLES, Kind
from funnel.dataset.cache import cached
from funnel.dataset.stages import reached, recorded_stages
from funnel.methods.stage_steps import StageStep, entered_in_time, numbers_of
from funnel.questions.why.findings import (
    DOWN,
    FOUND,
    INCONCLUSIVE,
    PASSED,
    UP,
    Finding,
)
from funnel.questions.why.record_changes import of_step
from funnel.stats import change_points
from funnel.stats.change_points import Step, step_in_share

if TYPE_CHECKING:
    from funnel.dataset import Tables

_DAY = pd.Timedelta(days=1)
_SAME_TIME = 0.15  # a share of leads in two stages at once that counts as a new rule
_SHARED = 0.5  # of the change inside the band: with more outside, the threshold explains nothing
_FEWEST = 60
_NUMBERS = (Kind.NUMBER, Kind.MONEY, Kind.COUNT)
_NEAR_DAYS = 28  # leads pass from stage to stage meanwhile, so two steps so close may be one
_CLEARER, _OTHER = 0.05, 0.1  # p values of two opposite steps on about the same day
_MOST_THROUGH = 0.5  # of the larger step, in log units: bound on the change over both stages
_SURE_Z = 2.576  # z beyond which more, or fewer, pass both: once in a hundred, two-sided


@cached
def definition_findings(data: Tables) -> tuple[Finding, ...]:
    """Moved thresholds, moved stage boundaries, and stages entered at once.

    Parameters
    ----------
    data
        A dataset. With no more than two stages recorded there is no boundary to move.

    Returns
    -------
    tuple
        Each finding, or one row that says that none was found or that there are too few stages;
        and the days that the plan itself dates.
    """
    frame, recorded = reached(data), recorded_stages(data)
    pairs = [_pair(data, frame, *names) for names in itertools.pairwise(recorded)]
    columns = _columns(data)
    n_tests = (len(columns) + 2) * max(len(pairs) - 1, 0)
    limit = FALSE_ALARMS / max(n_tests, 1)
    found = [*_thresholds(data, pairs, columns, limit)]
    explained = {driver for each in found for driver, _ in each.touched}
    boundaries = moved_boundaries(data, frame, recorded, _strata(data, frame))
    for each in (*boundaries, *_at_once(data, frame, recorded, limit)):
        names = {driver for driver, _ in each.touched}
        if not names <= explained:
            found.append(each)
            explained |= names
    if not found:
        n = max((len(pair.entered) for pair in pairs), default=0) if n_tests else 0
        state = PASSED if n_tests else INCONCLUSIVE
        found = [Finding(check="definition", state=state, kind="tests", n=n, n_tests=n_tests)]
    return (*found, *_dated_in_plan(data, found[0].state))


def _dated_in_plan(data: Tables, state: str) -> Iterator[Finding]:
    """What the plan itself dates within the two periods."""
    span, agreed_on = data.comparison.span, data.plan.definition.agreed_on
    if agreed_on and span.start <= agreed_on <= span.end:
        yield Finding(check="definition", state=state, kind="agreed", since=agreed_on)
    for item in data.plan.checklist:
        if item.from_ and span.start <= item.from_ <= span.end:
            yield Finding(
                check="definition", state=state, kind="checklist", since=item.from_,
                subject=item.name,
            )  # fmt: skip


def _pair(data: Tables, frame: pd.DataFrame, first: str, second: str) -> StageStep:
    """A step of the leads that entered within the compared span, with the stratum of each."""
    begins, ends = f"{first}_at", f"{second}_at"
    rows = frame[data.plan.within(frame[begins], data.comparison.span)]
    waits = (rows[ends] - rows[begins]).dropna()
    days = min(waits.quantile(EQUAL_AGE_SHARE) / _DAY, SLOWEST_DAYS) if len(waits) else SLOWEST_DAYS
    entered = entered_in_time(data, rows, begins, ends, days)
    return StageStep(first, second, entered.assign(stratum=_strata(data, rows.loc[entered.index])))


def _strata(data: Tables, rows: pd.DataFrame) -> pd.Series:
    """Segments of the plan that are rarely blank, of each lead, so that mix moves no rate."""
    names = [name for name in data.plan.segments if name in rows]
    kept = [name for name in names if rows[name].notna().mean() > 0.5]
    text = pd.Series("", index=rows.index)
    for name in kept:
        text = text + "/" + rows[name].astype("str").fillna("")
    return text


def _columns(data: Tables) -> list[str]:
    """Columns of leads that a threshold could be set on."""
    contract = [c.name for c in TABLES["leads"].columns if c.kind in _NUMBERS]
    frame = data.leads
    own = [
        name
        for name in frame
        if name not in TABLES["leads"].by_name and pd.api.types.is_numeric_dtype(frame[name])
    ]
    filled = [n for n in (*contract, "grade", *own) if n in frame and frame[n].notna().mean() > 0.5]
    return [name for name in filled if frame[name].nunique() > 2]


def _thresholds(
    data: Tables, pairs: list[StageStep], columns: list[str], limit: float
) -> Iterator[Finding]:
    """For each pair the moved threshold, on the column that shows it most."""
    explained: set[str] = set()
    for place, pair in enumerate(pairs[:-1]):
        if pair.name in explained:
            continue  # its leads are others since the threshold before it moved
        best: tuple[thresholds.ThresholdChange, str] | None = None
        for column in columns:
            values = numbers_of(data, column, pair.entered.index)
            entered = pair.entered.assign(value=values).dropna(subset="value")
            if len(entered) < _FEWEST:
                continue
            threshold = thresholds.threshold_change(entered, limit=limit, seed=data.plan.seed)
            if threshold and (best is None or threshold.z > best[0].z):
                best = threshold, column
        if best:
            moved = _moved_threshold(data, pair, pairs[place + 1 :], *best)
            explained |= {pair.name, pairs[place + 1].name} | {name for name, _ in moved.touched}
            yield moved


def _moved_threshold(
    data: Tables,
    pair: StageStep,
    following: list[StageStep],
    threshold: thresholds.ThresholdChange,
    column: str,
) -> Finding:
    into, later = (UP, DOWN) if threshold.after > threshold.before else (DOWN, UP)
    touched, others = [], []
    for each, direction in ((pair, into), *((other, later) for other in following)):
        values = numbers_of(data, column, each.entered.index)
        is_outside = ~((values >= threshold.low) & (values < threshold.high))
        moved = _change(each.entered, threshold.day)
        outside = _change(each.entered[is_outside], threshold.day)
        # a change of most leads outside the band is not explained by the threshold
        if (moved > 0) != (direction == UP) or abs(outside) > _SHARED * abs(moved):
            others += [each.name] * (each in (pair, following[0]))
        else:
            touched.append((each.name, direction))
    return Finding(
        check="definition",
        state=FOUND,
        kind="threshold moved",
        since=threshold.day,
        column=column,
        stage=pair.second,
        before=threshold.before,
        after=threshold.after,
        change=threshold.after - threshold.before,
        low=threshold.low_change,
        high=threshold.high_change,
        unit="share",
        band=(threshold.low, threshold.high),
        n=threshold.n_after,
        n_before=threshold.n_before,
        p_value=threshold.p_value,
        touched=tuple(touched),
        others=tuple(others),
    )


def _change(entered: pd.DataFrame, day: dt.date) -> float:
    """Change of the share that advances, from a day on compared with before."""
    is_after = entered["day"] >= pd.Timestamp(day)
    if is_after.all() or not is_after.any():
        return 0.0
    return float(entered.loc[is_after, "hit"].mean() - entered.loc[~is_after, "hit"].mean())


def _at_once(
    data: Tables, frame: pd.DataFrame, recorded: tuple[str, ...], limit: float
) -> Iterator[Finding]:
    """Stages that leads skip, or enter together with the next, from a day on."""
    for earlier, stage, following in zip(recorded, recorded[1:], recorded[2:], strict=False):
        at, next_at = frame[f"{stage}_at"], frame[f"{following}_at"]
        here = data.plan.within(next_at, data.comparison.span)
        is_at_once = pd.DataFrame(
            {
                "day": data.plan.local_days(next_at[here]),
                "hit": (at[here] == next_at[here]).astype(float),
            }
        )
        counts = is_at_once.groupby("day")["hit"].agg(n="size", k="sum").reset_index()
        step: Step | None = step_in_share(counts, data.plan.level)
        if not step or step.p_value > limit or abs(step.change) < _SAME_TIME:
            continue
        into, onward = (DOWN, UP) if step.change > 0 else (UP, DOWN)
        yield Finding(
            **of_step("definition", step),
            kind="entered at once",
            stage=stage,
            subject=following,
            touched=((f"{earlier} to {stage}", into), (f"{stage} to {following}", onward)),
        )


def moved_boundaries(
    data: Tables, frame: pd.DataFrame, recorded: tuple[str, ...], strata: pd.Series
) -> Iterator[Finding]:
    """Two steps in a row that changed against each other, with no change over both together.

    Such a move renames leads and wins or loses none, so that it explains the change of both steps.
    Leads that advance are counted by working day, with those at risk at equal age, so that a rule
    that begins late in the period is seen from its first days on. The clearer of the two steps may
    be on any day, and the other one near it.

    Parameters
    ----------
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
