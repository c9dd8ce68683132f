"""Journeys that ended, in numbers: one way per journey, with its times and milestones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.dataset.engine import step_text
from funnel.methods.paths.coded_paths import CodedPaths
from funnel.methods.paths.frames import MILESTONES, latest, latest_by
from funnel.methods.paths.runs import offsets_of, rows_of_runs
from funnel.methods.paths.stream import Touches, starts_of

if TYPE_CHECKING:
    from funnel.dataset.engine import Engine

_DAY = 86_400_000_000  # microseconds


def put_in_order(engine: Engine, near: str, tied: Touches, ended: Touches) -> None:
    """Put touches of one moment in the order of their keys, and number what can be told apart.

    Parameters
    ----------
    engine
        Holds `size_channels`.
    near
        A step that gives the touches in `size_moments` their units.
    tied, ended
        `unit`, `moment` and `code` per touch, sorted. `code` is put right in place; `tie` is
        added: touches of a unit that share one cannot be put in order.
    """
    n = len(tied["unit"])
    unit, moment, code = (
        np.concatenate([tied[key], ended[key]]) for key in ("unit", "moment", "code")
    )
    has_ended = np.arange(len(unit)) >= n
    same = np.zeros(len(unit) + 1, dtype=bool)  # as the one before
    same[1:-1] = (unit[1:] == unit[:-1]) & (moment[1:] == moment[:-1])
    same[n] = False
    shared = same[:-1] | same[1:]
    has_key = np.ones(len(unit), dtype=bool)
    if shared.any():
        first = np.flatnonzero(shared & ~same[:-1])
        ties = {"unit": unit[first], "moment": moment[first], "has_ended": has_ended[first]}
        engine.register("size_ties", pd.DataFrame(ties))
        # a table that is there says how small it is, and the engine goes about it accordingly
        steps = {"size_moments": step_text("size_moments"), "size_near": near}
        try:
            for name, text in steps.items():
                engine.execute(f"create or replace temp table {name} as {text}")
            found = engine.execute(step_text("size_keyed")).fetchnumpy()
        finally:
            for name in ("size_ties", *steps):
                engine.execute(f"drop table if exists {name}")
        code[shared], has_key[shared] = found["code"], found["has_key"]
    tied["code"], ended["code"] = code[:n], code[n:]
    # those without a key are last, and share their place
    is_alone = has_key.copy()
    is_alone[1:] |= has_key[:-1]
    tie = np.cumsum(~same[:-1] | is_alone)
    tied["tie"], ended["tie"] = tie[:n], tie[n:]


def rows_of_journeys(
    journey: NDArray[np.int64],
    unit: NDArray,
    milestone: NDArray[np.int64],
    touches: Touches,
    lookback_days: int,
) -> Touches:
    """Give journeys the touches of their units, up to their milestone and within the look-back.

    Parameters
    ----------
    journey, unit, milestone
        One entry per journey and unit that it holds, journey after journey.
    touches
        `unit`, `moment`, `code` and `tie`, sorted by unit and moment.
    lookback_days
        0 sets no limit.
    """
    starts = starts_of(touches["unit"])
    units = touches["unit"][starts[:-1]]
    place = np.minimum(np.searchsorted(units, unit), max(len(units) - 1, 0))
    has_any = np.flatnonzero(units[place] == unit) if len(units) else np.empty(0, np.int64)
    n_touches = np.diff(starts)[place[has_any]]
    rows, _ = rows_of_runs(starts[:-1][place[has_any]], n_touches)
    held = np.repeat(has_any, n_touches)
    moment, last = touches["moment"][rows], milestone[held]
    counts = moment <= last
    if lookback_days:
        counts &= moment >= last - lookback_days * _DAY
    return {"journey": journey[held[counts]]} | {
        key: touches[key][rows[counts]] for key in ("unit", "moment", "code", "tie")
    }


def in_one_order(rows: Touches) -> Touches | None:
    """Put touches that a journey has of several units in one order.

    None where the order is not known: where two units were touched at one moment.

    Examples
    --------
    >>> rows = {"journey": [0, 0, 0], "unit": [1, 1, 2], "moment": [4, 8, 6], "code": [0, 1, 2]}
    >>> in_one_order({key: np.array(values) for key, values in rows.items()})["code"].tolist()
    [0, 2, 1]
    """
    order = np.lexsort((rows["moment"], rows["journey"]))
    rows = {key: values[order] for key, values in rows.items()}
    unit, others = rows["unit"], (rows["journey"], rows["moment"])
    at_once = np.logical_and.reduce([each[1:] == each[:-1] for each in others])
    return None if (at_once & (unit[1:] != unit[:-1])).any() else rows


def ways_of_journeys(
    ends: pd.DataFrame, rows: Touches, channels: tuple[str, ...], *, collapse: bool = False
) -> CodedPaths:
    """Make one way of each journey that ended.

    Parameters
    ----------
    ends
        One row per journey, in the order of their numbers from 0.
    rows
        `journey`, `moment` (microseconds since 1970), `code` and `tie` of each touch, in order.
    channels
        Names, by code.
    collapse
        Whether touches of one channel in a row are one step, at the time of the first of them.
    """
    journey, moment, tie = (rows[key].astype(np.int64) for key in ("journey", "moment", "tie"))
    code = rows["code"]
    if collapse and len(code):
        step = np.concatenate(
            [[True], (journey[1:] != journey[:-1]) | (code[1:] != code[:-1])]
        )  # fmt: skip
        journey, moment, tie, code = journey[step], moment[step], tie[step], code[step]
    offsets = offsets_of(np.bincount(journey, minlength=len(ends)))
    days = moment / _DAY
    value = ends["amount"].to_numpy("float64")
    return CodedPaths(
        channels,
        code.astype(np.int32),
        offsets,
        np.ones(len(ends)),
        value,
        np.zeros(len(ends)),
        squares=value**2,
        days_left=latest(days, offsets) - days,
        moments=_dense(journey, tie, offsets),
        milestones={
            name: latest_by(days, ends[column].to_numpy("float64") / _DAY, offsets)
            for name, column in MILESTONES.items()
        },
        names=ends["journey_id"].to_numpy(dtype=object),
    )


def _dense(
    journey: NDArray[np.int64], tie: NDArray[np.int64], offsets: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Give the ties of each journey numbers from 1."""
    if not len(tie):
        return tie
    changes = (journey[1:] != journey[:-1]) | (tie[1:] != tie[:-1])
    number = np.concatenate([[0], np.cumsum(changes)])
    n_touches = np.diff(offsets)
    first = number[offsets[:-1][n_touches > 0]]
    return number - np.repeat(first, n_touches[n_touches > 0]) + 1
