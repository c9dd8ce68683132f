"""Journeys that converted, as integers: one path per journey, with its times and milestones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.methods.paths.coded_paths import NOT_TRACED, CodedPaths
from funnel.methods.paths.frames import MILESTONES
from funnel.methods.paths.runs import dense_ranks, offsets_of, rows_of_runs, starts_of
from funnel.methods.paths.stream import Touches

if TYPE_CHECKING:
    from funnel.dataset import Tables
    from funnel.methods.paths.scope import Scope

DAY = 86_400_000_000  # microseconds


@dataclass(frozen=True, eq=False)
class Converted:
    """Journeys that converted, in the order of their keys.

    Attributes
    ----------
    paths
        One path per journey, named by its key; without touches where it does not trace.
    moments
        Per touch: microseconds since 1970, UTC.
    milestones
        Per journey: up to which moment touches count, in microseconds since 1970.
    """

    paths: CodedPaths
    moments: NDArray[np.int64]
    milestones: NDArray[np.int64]

    def collapsed(self) -> Converted:
        """The same with touches of one channel in a row as one step, at the first one's time."""
        is_first = self.paths.begins_run
        return replace(self, paths=self.paths.collapsed(), moments=self.moments[is_first])

    def cleaned(self) -> Converted:
        """The same with channel names as a table of paths has them."""
        return replace(self, paths=self.paths.cleaned())

    def first_touches(self) -> pd.DataFrame:
        """First touch of each journey.

        Returns
        -------
        DataFrame
            `journey_id`, `first_touch` (a channel, or `(not traced)`), `first_touch_at` (UTC),
            `n_touches`.
        """
        paths, is_traced = self.paths, self.paths.is_traced
        first_touch = np.full(paths.n_paths, NOT_TRACED, dtype=object)
        first_touch[is_traced] = np.array(paths.channels, dtype=object)[paths.codes[paths.firsts]]
        first_touch_at = np.full(paths.n_paths, np.datetime64("NaT", "us"))
        first_touch_at[is_traced] = self.moments[paths.firsts].view("M8[us]")
        return pd.DataFrame(
            {
                "journey_id": pd.Series(paths.names, dtype="str"),
                "first_touch": pd.Series(first_touch, dtype="str"),
                "first_touch_at": pd.Series(first_touch_at).dt.tz_localize("UTC"),
                "n_touches": paths.n_touches,
            }
        )

    def by_journey(self) -> pd.DataFrame:
        """As `first_touches`, with each path as text: "A > B", `(not traced)` without a touch."""
        group, one_of_each = self.paths.groups()
        texts = np.array(self.paths.taken(one_of_each).strings(), dtype=object)
        return self.first_touches().assign(path=pd.Series(texts[group], dtype="str"))


def converted_from_rows(
    data: Tables, scope: Scope, ends: pd.DataFrame, channels: tuple[str, ...]
) -> Converted:
    """Journeys that converted, from the step `journey_touches`, which either engine runs."""
    touches = data.step("journey_touches", **scope.of_touches)
    keys = pd.Index(ends["journey_id"]).sort_values()
    names, written = pd.factorize(touches["channel"].astype("str"))
    code_of = {channel: code for code, channel in enumerate(channels)}
    codes = np.array([code_of[name.replace(" > ", ">")] for name in written], dtype=np.int32)
    rows = {
        "journey": keys.get_indexer(touches["journey_id"].astype("str")),
        "moment": touches["occurred_at"].to_numpy("M8[us]").astype(np.int64),
        "code": codes[names] if len(names) else np.empty(0, np.int32),
        "tie": touches["moment"].to_numpy(np.int64),
    }
    return converted_of(ends, rows, channels)


def converted_of(ends: pd.DataFrame, rows: Touches, channels: tuple[str, ...]) -> Converted:
    """Journeys that converted, from the touches of each.

    Parameters
    ----------
    ends
        One row per journey, as `journey_ends` gives them.
    rows
        `journey` (its rank among the keys, from 0), `moment` (microseconds since 1970), `code` and
        `tie` of each touch, in order.
    channels
        Names, by code.
    """
    ends = ends.sort_values("journey_id", ignore_index=True)
    journey, moment, tie = (rows[key].astype(np.int64) for key in ("journey", "moment", "tie"))
    offsets = offsets_of(np.bincount(journey, minlength=len(ends)))
    paths = CodedPaths.of_journeys(
        channels,
        rows["code"].astype(np.int32),
        offsets,
        names=ends["journey_id"].to_numpy(dtype=object),
        value=ends["amount"].fillna(0.0).to_numpy("float64"),
        days=moment / DAY,
        moments=dense_ranks(tie, offsets),
        milestones={name: _microseconds(ends[column]) / DAY for name, column in MILESTONES.items()},
    )
    return Converted(paths, moment, milestones_of(ends))


def milestones_of(ends: pd.DataFrame) -> NDArray[np.int64]:
    """Milestones in microseconds since 1970; the least integer where one is not known."""
    return ends["milestone"].dt.tz_localize(None).to_numpy("M8[us]").astype(np.int64)


def order_ties(
    touches_at: Callable[[pd.DataFrame], Touches], tied: Touches, converted: Touches
) -> None:
    """Order touches of one moment by their keys, in place, and number those with a known order.

    Parameters
    ----------
    touches_at
        Gives `code` and `has_key` of the touches at some moments, in order, as the step
        `tied_touches` does. The moments are `unit`, `moment` and `has_converted`.
    tied, converted
        `unit`, `moment` and `code` per touch, sorted. `code` is corrected in place; `tie` is
        added: touches of a unit that share one cannot be put in order.
    """
    n = len(tied["unit"])
    unit, moment, code = (
        np.concatenate([tied[key], converted[key]]) for key in ("unit", "moment", "code")
    )
    has_converted = np.arange(len(unit)) >= n
    same = np.zeros(len(unit) + 1, dtype=bool)  # as the one before
    same[1:-1] = (unit[1:] == unit[:-1]) & (moment[1:] == moment[:-1])
    same[n] = False
    shared = same[:-1] | same[1:]
    has_key = np.ones(len(unit), dtype=bool)
    if shared.any():
        first = np.flatnonzero(shared & ~same[:-1])
        ties = {"unit": unit[first], "moment": moment[first], "has_converted": has_converted[first]}
        found = touches_at(pd.DataFrame(ties))
        code[shared], has_key[shared] = found["code"], found["has_key"]
    tied["code"], converted["code"] = code[:n], code[n:]
    # those without a key are last, and share their place
    is_alone = has_key.copy()
    is_alone[1:] |= has_key[:-1]
    tie = np.cumsum(~same[:-1] | is_alone)
    tied["tie"], converted["tie"] = tie[:n], tie[n:]


def touches_of_journeys(
    journey: NDArray[np.int64],
    unit: NDArray,
    milestone: NDArray[np.int64],
    touches: Touches,
    lookback_days: int,
) -> Touches:
    """Touches of each journey's units, up to its milestone and within the look-back.

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
        counts &= moment >= last - lookback_days * DAY
    return {"journey": journey[held[counts]]} | {
        key: touches[key][rows[counts]] for key in ("unit", "moment", "code", "tie")
    }


def in_one_order(rows: Touches) -> Touches | None:
    """Touches of journeys in order of time, where a journey holds several units.

    None where the order is not known: where two units of a journey were touched at one moment.

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


def _microseconds(times: pd.Series) -> NDArray[np.float64]:
    """Microseconds since 1970, NaN where a time is missing."""
    at = times.dt.tz_localize(None).to_numpy("M8[us]")
    return np.where(np.isnat(at), np.nan, at.astype(np.int64))
