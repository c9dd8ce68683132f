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

from funnel.methods.paths.coded_paths import CodedPaths, laid_out
from funnel.methods.paths.packing import bits_of, packed, unpacked
from funnel.methods.paths.runs import rows_of_runs

if TYPE_CHECKING:
    from funnel.dataset.engine import Engine

_VECTORS_AT_ONCE = 500  # of some two thousand rows each, on their way from the engine
_MOST_KEPT = 20_000_000  # touches of one moment, with those around them
_MOST_WAITING = 16_000_000  # ways that are not counted yet
_FEW = 1_000  # ways that show where the middle of all lies
_MOST_APART = 16_000_000  # ways that are counted but not yet put together
Touches = dict[str, NDArray]


@dataclass(frozen=True)
class Steps:
    """How a touch's moment and channel are one number, so that they are sorted as one.

    Attributes
    ----------
    first
        The moment, in microseconds since 1970, that is told from.
    bits
        What a channel's code takes; the moment lies above.

    Examples
    --------
    >>> read = Steps(first=100, bits=3).read({"unit": np.array([1]), "step": np.array([5 * 8 + 3])})
    >>> read["moment"].tolist(), read["code"].tolist()
    ([105], [3])
    """

    first: int
    bits: int

    def read(self, touches: Touches) -> Touches:
        """Give `moment` and `code` in place of `step`."""
        step = touches["step"]
        code = (step & ((1 << self.bits) - 1)).astype(np.int16)
        return {"unit": touches["unit"], "moment": (step >> self.bits) + self.first, "code": code}


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
    _waiting: list[NDArray[np.uint64]] = field(default_factory=list)
    _numbers: list[NDArray[np.uint64]] = field(default_factory=list)
    _counts: list[NDArray[np.int64]] = field(default_factory=list)
    _long: list[CodedPaths] = field(default_factory=list)

    def add(
        self,
        codes: NDArray,
        offsets: NDArray[np.int64],
        counts: NDArray[np.bool_],
        began: NDArray[np.int64] | None = None,
        young_after: int | None = None,
    ) -> None:
        """Count ways once each, those that count; not if they began, by their steps, too late."""
        if self.collapse and len(codes):
            kept = np.concatenate([[True], codes[1:] != codes[:-1]])
            kept[offsets[:-1][np.diff(offsets) > 0]] = True
            offsets = np.concatenate([[0], np.cumsum(kept)])[offsets]
            codes, began = codes[kept], None if began is None else began[kept]
        if began is not None and young_after is not None and len(codes):
            counts = counts & (np.minimum.reduceat(began, offsets[:-1]) <= young_after)
        numbers, fits = packed(codes, offsets, self._bits)
        if not fits.all():
            nothing = np.zeros(len(fits))
            ways = CodedPaths(self.channels, codes, offsets, nothing, nothing, nothing + 1)
            self._long.append(ways.taken(counts & ~fits).grouped())
        self._waiting.append(numbers[counts & fits])
        if sum(map(len, self._waiting)) > _MOST_WAITING:
            self._count_waiting()
        if sum(map(len, self._numbers)) > _MOST_APART:
            different, n = self._together()
            self._numbers, self._counts = [different], [n]

    def with_wins(self, won: CodedPaths) -> CodedPaths:
        """Give each way once: with its wins, and how often it was counted here, as not won.

        Parameters
        ----------
        won
            Ways of the same channels that were won, equal ones counted together.
        """
        of_wins, fits = packed(won.codes, won.offsets, self._bits)
        numbers, counts, place = _with_room(*self._together(), of_wins[fits])
        long = laid_out([won.taken(~fits), *self._long]).grouped()
        codes, offsets = unpacked(numbers, self._bits, room=len(long.codes))
        codes[offsets[-1] :] = long.codes

        def of_wins_and_long(name: str) -> NDArray[np.float64]:
            spread = np.zeros(len(numbers) + long.n_paths)
            spread[place] = getattr(won, name)[fits]
            spread[len(numbers) :] = getattr(long, name)
            return spread

        return CodedPaths(
            self.channels,
            codes,
            np.append(offsets, offsets[-1] + long.offsets[1:]),
            of_wins_and_long("conversions"),
            of_wins_and_long("value"),
            np.append(counts, long.nulls),
            squares=of_wins_and_long("squares"),
        )

    @property
    def _bits(self) -> int:
        return bits_of(len(self.channels))

    def _count_waiting(self) -> None:
        if not self._waiting:
            return
        waiting = np.concatenate(self._waiting)
        self._waiting = []
        # two halves that share no number, counted at the same time
        some = np.sort(waiting[:: 1 + len(waiting) // _FEW])
        is_upper = waiting > some[len(some) // 2] if len(some) else waiting > 0
        halves = waiting[~is_upper], waiting[is_upper]
        with ThreadPoolExecutor(2) as pool:
            counted = pool.map(lambda half: np.unique(half, return_counts=True), halves)
            different, n = (np.concatenate(parts) for parts in zip(*counted, strict=True))
        self._numbers.append(different)
        self._counts.append(n)

    def _together(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        self._count_waiting()
        if not self._numbers:
            return np.empty(0, np.uint64), np.empty(0, np.int64)
        numbers, counts = np.concatenate(self._numbers), np.concatenate(self._counts)
        if len(self._numbers) == 1:
            return numbers, counts
        # each part is in order already, which a stable sort makes use of
        order = np.argsort(numbers, kind="stable")
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
        has_ended = np.zeros(len(units), dtype=bool)
        if ended is not None and len(ended):
            first, last = (
                np.searchsorted(ended, units[0]),
                np.searchsorted(ended, units[-1], "right"),
            )
            among = ended[first:last]
            at = np.searchsorted(units, among)
            has_ended[at[units[at] == among]] = True
            kept.append(_of_units(touches, has_ended, offsets))
            is_apart &= ~has_ended
        if is_apart.any():
            tied_units.append(units[is_apart])
            n_tied += int(np.diff(offsets)[is_apart].sum())
            tied = [*tied, _of_units(touches, is_apart, offsets)] if n_tied <= _MOST_KEPT else []
        counts = ~(has_ended | is_apart)
        tally.add(code, offsets, counts, touches.get("began"), young_after)
    units = np.concatenate(tied_units if tied_units else [np.empty(0, np.uint64)])
    return Kept(_joined(kept), _joined(tied), units)


def starts_of(unit: NDArray) -> NDArray[np.int64]:
    """Say where each unit begins in rows that are sorted by it, and where the last one ends."""
    if not len(unit):
        return np.zeros(1, dtype=np.int64)
    return np.concatenate([[0], np.flatnonzero(unit[1:] != unit[:-1]) + 1, [len(unit)]])


def _with_room(
    numbers: NDArray[np.uint64], counts: NDArray[np.int64], others: NDArray[np.uint64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]:
    """Put numbers among those that are counted, and say where; all are in order, each once.

    Examples
    --------
    >>> known, others = np.array([2, 5], np.uint64), np.array([1, 5, 6], np.uint64)
    >>> [each.tolist() for each in _with_room(known, np.array([7, 8]), others)]
    [[1, 2, 5, 6], [0, 7, 8, 0], [0, 2, 3]]
    """
    place = np.searchsorted(numbers, others)
    is_new = np.append(numbers, np.uint64(0))[place] != others
    numbers = np.insert(numbers, place[is_new], others[is_new])
    counts = np.insert(counts, place[is_new], 0)
    return numbers, counts, place + np.cumsum(is_new) - is_new


def _of_units(touches: Touches, chosen: NDArray[np.bool_], offsets: NDArray[np.int64]) -> Touches:
    """Keep the touches of some units."""
    at = np.flatnonzero(chosen)
    rows, _ = rows_of_runs(offsets[at], np.diff(offsets)[at])
    return {key: values[rows] for key, values in touches.items()}


def _joined(parts: list[Touches]) -> Touches:
    if not parts:
        none = {"unit": np.uint64, "moment": np.int64, "code": np.int16}
        return {key: np.empty(0, kind) for key, kind in none.items()}
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
