"""Touches as they stream by from the engine, unit after unit: counted, or kept where they must be.

A unit is whose touches make one way: a lead, or an account with all its leads. Most ways are
counted at once and forgotten. Kept are the touches of journeys that ended, and those of units with
two touches of one moment, whose order only their keys can tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from funnel.attribution.coded import CodedPaths
from funnel.attribution.packing import bits_of, packed, unpacked

if TYPE_CHECKING:
    from funnel.engine import Engine

_VECTORS_AT_ONCE = 2_000  # of some two thousand rows each, on their way from the engine
_MOST_KEPT = 20_000_000  # touches of one moment, with those around them
_MOST_APART = 16_000_000  # ways that are counted but not yet put together
Touches = dict[str, NDArray]


@dataclass
class Tally:
    """Counts ways, short ones by their number, without a row of a way that was met before.

    Attributes
    ----------
    channels
        Names, by code.
    collapse
        Whether touches of one channel in a row are one step.
    """

    channels: tuple[str, ...]
    collapse: bool = False
    _numbers: list[NDArray[np.uint64]] = field(default_factory=list)
    _counts: list[NDArray[np.int64]] = field(default_factory=list)
    _long: list[CodedPaths] = field(default_factory=list)

    def add(
        self,
        codes: NDArray,
        offsets: NDArray[np.int64],
        began: NDArray[np.int64] | None = None,
        young_after: int | None = None,
    ) -> None:
        """Count ways once each; not those that began, by their first step, after a moment."""
        if self.collapse and len(codes):
            kept = np.concatenate([[True], codes[1:] != codes[:-1]])
            kept[offsets[:-1][np.diff(offsets) > 0]] = True
            offsets = np.concatenate([[0], np.cumsum(kept)])[offsets]
            codes, began = codes[kept], None if began is None else began[kept]
        if began is not None and young_after is not None and len(codes):
            is_old = np.minimum.reduceat(began, offsets[:-1]) <= young_after
            codes = codes[np.repeat(is_old, np.diff(offsets))]
            offsets = np.concatenate([[0], np.cumsum(np.diff(offsets)[is_old])]).astype(np.int64)
        numbers, fits = packed(codes, offsets, self._bits)
        if not fits.all():
            nothing = np.zeros(len(fits))
            ways = CodedPaths(self.channels, codes, offsets, nothing, nothing, nothing + 1)
            self._long.append(ways.taken(~fits).grouped())
            numbers = numbers[fits]
        different, counts = np.unique(numbers, return_counts=True)
        self._numbers.append(different)
        self._counts.append(counts)
        if sum(map(len, self._numbers)) > _MOST_APART:
            different, counts = self._together()
            self._numbers, self._counts = [different], [counts]

    def parts(self) -> list[CodedPaths]:
        """Give each way once, with how often it was counted, as one that was not won."""
        different, counts = self._together()
        codes, offsets = unpacked(different, self._bits)
        nothing = np.zeros(len(counts))
        short = CodedPaths(self.channels, codes, offsets, nothing, nothing, counts)
        return [short, *self._long]

    @property
    def _bits(self) -> int:
        return bits_of(len(self.channels))

    def _together(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        if not self._numbers:
            return np.empty(0, np.uint64), np.empty(0, np.int64)
        numbers, counts = np.concatenate(self._numbers), np.concatenate(self._counts)
        order = np.argsort(numbers)
        numbers, counts = numbers[order], counts[order]
        starts = np.flatnonzero(np.concatenate([[True], numbers[1:] != numbers[:-1]]))
        if not len(numbers):
            return numbers, counts
        return numbers[starts], np.add.reduceat(counts, starts)


@dataclass
class Kept:
    """Touches that were not counted as they came by.

    Attributes
    ----------
    ended
        Of units that have reached the end.
    tied
        Of others with touches of one moment, in an order that is not sure; empty where they are
        too many to be kept.
    tied_units
        The units of these, always.
    """

    ended: Touches
    tied: Touches
    tied_units: NDArray


def whole_units(engine: Engine, text: str, given: dict) -> Iterator[Touches]:
    """Fetch touches, some million rows at a time, so that no unit is cut in two."""
    rows = engine.execute(text, **given)
    rest: Touches = {}
    # the engine gets the next rows ready while these are counted
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(rows.fetch_df_chunk, _VECTORS_AT_ONCE)
        while True:
            frame = coming.result()
            is_last = frame.empty
            if not is_last:
                coming = pool.submit(rows.fetch_df_chunk, _VECTORS_AT_ONCE)
            touches = {key: frame[key].to_numpy() for key in frame}
            if rest:
                touches = {key: np.concatenate([rest[key], touches[key]]) for key in touches}
            unit = touches["unit"]
            n = len(unit)
            # the last unit may go on in the next rows
            end = n if is_last or not n else int(np.searchsorted(unit, unit[-1]))
            rest = {key: values[end:] for key, values in touches.items()}
            if end:
                yield {key: values[:end] for key, values in touches.items()}
            if is_last:
                return


def counted(
    stream: Iterator[Touches],
    tally: Tally,
    *,
    ended: NDArray | None = None,
    young_after: int | None = None,
    is_in_order: bool = False,
) -> Kept:
    """Count the ways of units, and keep the touches of those that cannot be counted yet.

    Parameters
    ----------
    stream
        Rows of `unit`, `moment`, `code` and, where ways may be young, `began`.
    tally
        What counts them.
    ended
        Units that have reached the end, sorted, each once.
    young_after
        Ways that began after it do not count.
    is_in_order
        Whether touches of one moment stand in their order already.
    """
    kept: list[Touches] = []
    tied: list[Touches] = []
    tied_units: list[NDArray] = []
    n_tied = 0
    for touches in stream:
        unit, moment, code = touches["unit"], touches["moment"], touches["code"]
        begins = np.concatenate([[True], unit[1:] != unit[:-1]])
        starts = np.flatnonzero(begins)
        units, offsets = unit[starts], np.append(starts, len(unit))
        is_apart = np.zeros(len(units), dtype=bool)
        if not is_in_order:
            unsure = ~begins[1:] & (moment[1:] == moment[:-1]) & (code[1:] != code[:-1])
            is_apart[np.searchsorted(starts, np.flatnonzero(unsure), side="right") - 1] = True
        if ended is not None and len(ended):
            at = np.minimum(np.searchsorted(ended, units), len(ended) - 1)
            has_ended = ended[at] == units
            kept.append(_of_units(touches, has_ended, offsets))
            is_apart &= ~has_ended
        else:
            has_ended = np.zeros(len(units), dtype=bool)
        if is_apart.any():
            tied_units.append(units[is_apart])
            n_tied += int(np.diff(offsets)[is_apart].sum())
            tied = [*tied, _of_units(touches, is_apart, offsets)] if n_tied <= _MOST_KEPT else []
        counts = ~(has_ended | is_apart)
        if not counts.all():
            touches = _of_units(touches, counts, offsets)
            offsets = np.concatenate([[0], np.cumsum(np.diff(offsets)[counts])]).astype(np.int64)
        tally.add(touches["code"], offsets, touches.get("began"), young_after)
    units = np.concatenate(tied_units if tied_units else [np.empty(0, np.uint64)])
    return Kept(_joined(kept), _joined(tied), units)


def starts_of(unit: NDArray) -> NDArray[np.int64]:
    """Say where each unit begins in rows that are sorted by it, and where the last one ends."""
    if not len(unit):
        return np.zeros(1, dtype=np.int64)
    return np.concatenate([[0], np.flatnonzero(unit[1:] != unit[:-1]) + 1, [len(unit)]])


def _of_units(touches: Touches, chosen: NDArray, offsets: NDArray[np.int64]) -> Touches:
    rows = np.repeat(chosen, np.diff(offsets))
    return {key: values[rows] for key, values in touches.items()}


def _joined(parts: list[Touches]) -> Touches:
    if not parts:
        none = {"unit": np.uint64, "moment": np.int64, "code": np.int16}
        return {key: np.empty(0, kind) for key, kind in none.items()}
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
