"""Second check: changes of the rule for a stage rather than of the leads that pass it."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.checks import thresholds
from funnel.checks.breaks.record_break import lookback
from funnel.checks.limits import EQUAL_AGE_SHARE, FALSE_ALARMS, PERIODS_BACK, SLOWEST_DAYS
from funnel.contract.periods import Period
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
from funnel.questions.why.stage_boundaries import NEAR_DAYS, moved_boundaries
from funnel.stats.change_points import Step, step_in_share

if TYPE_CHECKING:
    from funnel.dataset import Tables

_DAY = pd.Timedelta(days=1)
_SAME_TIME = 0.15  # a share of leads in two stages at once that counts as a new rule
_SHARED = 0.5  # of the change inside the band: with more outside, the threshold explains nothing
_FEWEST = 60
_NUMBERS = (Kind.NUMBER, Kind.MONEY, Kind.COUNT)


@cached
def definition_findings(data: Tables) -> tuple[Finding, ...]:
    """Moved thresholds, moved stage boundaries, and stages entered at once.

    The bridge's look-back is searched in windows of two periods that overlap by one, so that what
    else changed a year ago hides nothing in the newest two.

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
    strata, columns, windows = _strata(data, frame), _columns(data), _windows(data, frame)
    times = [*(f"{stage}_at" for stage in recorded), "left_at"]
    days = pd.DataFrame({name: data.plan.local_days(frame[name]) for name in times})
    n_boundaries = max(len(recorded) - 2, 0)
    n_tests = (len(columns) + 2) * n_boundaries * len(windows)
    limit = FALSE_ALARMS / max(n_tests, 1)
    thresholds_, boundaries, at_once, n = [], [], [], 0
    for window in windows if n_boundaries else ():
        steps = [_step(data, frame, strata, pair, window) for pair in itertools.pairwise(recorded)]
        n = max(n, *(len(step.entered) for step in steps))
        thresholds_ += _thresholds(data, steps, columns, limit)
        boundaries += moved_boundaries(
            data, days, strata, steps, window, FALSE_ALARMS / n_boundaries
        )
        at_once += _at_once(data, frame, recorded, window, limit)
    found = _distinct(thresholds_, boundaries, at_once)
    found = [_within_reach(data, each) for each in found]
    if not found:
        state = PASSED if n_tests else INCONCLUSIVE
        found = [Finding(check="definition", state=state, kind="tests", n=n, n_tests=n_tests)]
    return (*found, *_dated_in_plan(data, found[0].state))


def _windows(data: Tables, frame: pd.DataFrame) -> list[Period]:
    """The two periods, then each earlier two of the look-back that leads reach back to."""
    span, length = data.comparison.span, data.comparison.baseline.n_days
    starts = [span.start - n * length * dt.timedelta(days=1) for n in range(1, PERIODS_BACK + 1)]
    earlier = [Period.between(day, day + 2 * length * dt.timedelta(days=1)) for day in starts]
    created = frame["created_at"].min()
    return [span, *(each for each in earlier if data.plan.midnight(each.end) > created)]


def _distinct(*kinds: list[Finding]) -> list[Finding]:
    """Findings, of those about the same steps on about one day the first kind, then the surest."""
    kept: list[Finding] = []
    for each in itertools.chain(*(sorted(kind, key=lambda found: found.p_value) for kind in kinds)):
        names = {driver for driver, _ in each.touched}
        if not any(
            names & {driver for driver, _ in other.touched}
            and abs(other.since - each.since).days <= NEAR_DAYS
            for other in kept
        ):
            kept.append(each)
    return kept


def _within_reach(data: Tables, found: Finding) -> Finding:
    """A finding with only the drivers that it moves between the two periods."""
    reach = lookback(data)
    touched = (
        (driver, reach.of_step(found.since, moved, of_leads=True))
        for driver, moved in found.touched
    )
    return replace(found, touched=tuple(each for each in touched if each[1]))


def with_most_explained(found: Finding, totals: pd.DataFrame) -> Finding:
    """A finding with the largest amount of its drivers that it can explain.

    A moved boundary explains what cancels between the step into its stage and those after it, and a
    moved threshold no more than it moved at its own step. Each is taken at the end of its interval:
    what chance may have left out of one of two steps is no change of the other.

    Parameters
    ----------
    totals
        Of the bridge: `driver`, `contribution`, `low`, `high`. Where the bridge shows nothing that
        the finding could explain, it touches no driver.
    """
    if not found.touched:
        return found
    bridge_rows = totals.set_index("driver")
    entering, advancing = 0.0, 0.0
    for driver, direction in found.touched:
        largest = _largest(bridge_rows, driver, direction)
        if driver.endswith(f" to {found.stage}"):
            entering = largest
        else:
            advancing += largest
    at_most = entering if found.kind == "threshold moved" else min(entering, advancing)
    return replace(found, at_most=at_most, touched=found.touched if at_most else ())


def _largest(totals: pd.DataFrame, driver: str, direction: str) -> float:
    """The largest contribution of a driver in a direction, by its interval; 0 without any."""
    if driver not in totals.index:
        return 0.0
    row, sign = totals.loc[driver], 1 if direction == UP else -1
    ends = [sign * row[name] for name in ("contribution", "low", "high")]
    return max(0.0, float(np.nanmax(ends)))


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


def _step(
    data: Tables, frame: pd.DataFrame, strata: pd.Series, pair: tuple[str, str], window: Period
) -> StageStep:
    """A step of the leads that entered within a window, with the stratum of each."""
    begins, ends = (f"{stage}_at" for stage in pair)
    rows = frame.loc[data.plan.within(frame[begins], window), ["lead_id", begins, ends]]
    waits = (rows[ends] - rows[begins]).dropna()
    days = min(waits.quantile(EQUAL_AGE_SHARE) / _DAY, SLOWEST_DAYS) if len(waits) else SLOWEST_DAYS
    entered = entered_in_time(data, rows, begins, ends, days)
    return StageStep(*pair, entered.assign(stratum=strata.loc[entered.index]))


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
    data: Tables, frame: pd.DataFrame, recorded: tuple[str, ...], window: Period, limit: float
) -> Iterator[Finding]:
    """Stages that leads skip, or enter together with the next, from a day on."""
    for earlier, stage, following in zip(recorded, recorded[1:], recorded[2:], strict=False):
        at, next_at = frame[f"{stage}_at"], frame[f"{following}_at"]
        here = data.plan.within(next_at, window)
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
