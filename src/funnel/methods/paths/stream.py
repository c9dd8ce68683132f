"""Sorted touches as they come from the engine, counted path by path.

Rows of one unit (a lead, or an account with its leads) lie behind each other and make one path.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from funnel.methods.paths.coded_paths import CodedPaths, concatenated
from funnel.methods.paths.packing import bits_of, packed, unpacked
from funnel.methods.paths.runs import begins_run, rows_of_runs

if TYPE_CHECKING:
    from funnel.dataset.engine import Engine

_VECTORS_AT_ONCE = 500  # of some two thousand rows each, fetched from the engine at a time
_MOST_KEPT = 20_000_000  # touches of units with ties
_MOST_WAITING = 16_000_000  # paths that are not counted yet
_SAMPLE = 1_000  # paths whose median splits the others in two halves
_MOST_APART = 16_000_000  # paths that are counted but not yet merged
Touches = dict[str, NDArray]


@dataclass(frozen=True)
class Steps:
    """Form of a touch as one number: its moment, its channel, and whether its lead is immature.

    Attributes
    ----------
    first
        The moment, in microseconds since 1970, that steps count from.
    bits
        Bits of a channel's code. The moment lies above them, the immaturity (one bit) below.

    Examples
    --------
    >>> touches = {"unit": np.array([1]), "step": np.array([(5 * 8 + 3) * 2 + 1])}
    >>> read = Steps(first=100, bits=3).read(touches)
    >>> read["moment"].tolist(), read["code"].tolist(), read["is_immature"].tolist()
    ([105], [3], [True])
    """

    first: int
    bits: int

    def read(self, touches: Touches) -> Touches:
        """Touches with `moment`, `code` and `is_immature` in place of `step`."""
        step = touches["step"]
        kind = np.int16 if self.bits < 16 else np.int32
        return {
            "unit": touches["unit"],
            "moment": (step >> (self.bits + 1)) + self.first,
            "code": ((step >> 1) & ((1 << self.bits) - 1)).astype(kind),
            "is_immature": (step & 1).astype(bool),
        }


@dataclass(frozen=True)
class Immaturity:
    """What tells journeys that are too immature to have converted.

    Attributes
    ----------
    after
        Microseconds since 1970; a journey is immature if it began later.
    units
        Immature units, ascending; None where each touch says whether its lead is immature.
    unknown
        Units that are not in the table of leads, ascending: they began with their first touch.
    """

    after: int
    units: NDArray | None = None
    unknown: NDArray | None = None

    def of(self, units: NDArray, starts: NDArray[np.int64], touches: Touches) -> NDArray[np.bool_]:
        """Whether each unit is immature; `starts` says where its touches begin."""
        if self.units is None or self.unknown is None:
            return np.logical_and.reduceat(touches["is_immature"], starts)
        began_late = touches["moment"][starts] > self.after
        return _is_in(units, self.units) | (_is_in(units, self.unknown) & began_late)


@dataclass
class Tally:
    """Counts paths as they stream by: those of up to 63 bits as one number each.

    Attributes
    ----------
    channels
        Names, by code.
    leave_out_immature
        Whether immature journeys are not counted.
    n_immature
        Immature journeys so far.
    """

    channels: tuple[str, ...]
    leave_out_immature: bool = False
    n_immature: int = 0
    _waiting: list[NDArray[np.uint64]] = field(default_factory=list)
    _numbers: list[NDArray[np.uint64]] = field(default_factory=list)
    _counts: list[NDArray[np.int64]] = field(default_factory=list)
    _long: list[CodedPaths] = field(default_factory=list)

    def add(
        self,
        codes: NDArray,
        offsets: NDArray[np.int64],
        counts: NDArray[np.bool_],
        is_immature: NDArray[np.bool_] | None = None,
    ) -> None:
        """Count paths once each, those that count."""
        if is_immature is not None:
            self.n_immature += int((counts & is_immature).sum())
            if self.leave_out_immature:
                counts = counts & ~is_immature
        numbers, fits = packed(codes, offsets, self._bits)
        if not fits.all():
            nothing = np.zeros(len(fits))
            paths = CodedPaths(self.channels, codes, offsets, nothing, nothing, nothing + 1)
            self._long.append(paths.taken(counts & ~fits).grouped())
        self._waiting.append(numbers[counts & fits])
        if sum(map(len, self._waiting)) > _MOST_WAITING:
            self._count_waiting()
        if sum(map(len, self._numbers)) > _MOST_APART:
            different, n = self._merged()
            self._numbers, self._counts = [different], [n]

    def with_conversions(self, converted: CodedPaths) -> CodedPaths:
        """Each different path once: with its conversions, and with its count here as nulls."""
        known, fits = packed(converted.codes, converted.offsets, self._bits)
        numbers, counts, place = _inserted(*self._merged(), known[fits])
        long = concatenated([converted.taken(~fits), *self._long]).grouped()
        codes, offsets = unpacked(numbers, self._bits, room=len(long.codes))
        codes[offsets[-1] :] = long.codes

        def of_all(name: str) -> NDArray[np.float64]:
            spread = np.zeros(len(numbers) + long.n_paths)
            spread[place] = getattr(converted, name)[fits]
            spread[len(numbers) :] = getattr(long, name)
            return spread

        return CodedPaths(
            self.channels,
            codes,
            np.append(offsets, offsets[-1] + long.offsets[1:]),
            of_all("conversions"),
            of_all("value"),
            np.append(counts, long.nulls),
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
        some = np.sort(waiting[:: 1 + len(waiting) // _SAMPLE])
        is_upper = waiting > some[len(some) // 2] if len(some) else waiting > 0
        halves = waiting[~is_upper], waiting[is_upper]
        with ThreadPoolExecutor(2) as pool:
            counted = pool.map(lambda half: np.unique(half, return_counts=True), halves)
            different, n = (np.concatenate(parts) for parts in zip(*counted, strict=True))
        self._numbers.append(different)
        self._counts.append(n)

    def _merged(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        self._count_waiting()
        if not self._numbers:
            return np.empty(0, np.uint64), np.empty(0, np.int64)
        numbers, counts = np.concatenate(self._numbers), np.concatenate(self._counts)
        if len(self._numbers) == 1:
            return numbers, counts
        # each part is in order already, which a stable sort makes use of
        order = np.argsort(numbers, kind="stable")
        numbers, counts = numbers[order], counts[order]
        if not len(numbers):
            return numbers, counts
        starts = np.flatnonzero(begins_run(numbers))
        return numbers[starts], np.add.reduceat(counts, starts)


@dataclass
class Kept:
    """Touches that were not counted as they came by.

    Attributes
    ----------
    converted
        Of units that have converted.
    tied
        Of other units with different channels at one moment; empty where they are too many.
    tied_units
        These units, always.
    """

    converted: Touches
    tied: Touches
    tied_units: NDArray


def whole_units(engine: Engine, text: str, parameters: dict) -> Iterator[Touches]:
    """Touches of a query in blocks of about a million rows, no unit cut in two."""
    rows = engine.execute(text, **parameters)
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
    converted: NDArray | None = None,
    immaturity: Immaturity | None = None,
    is_in_order: bool = False,
) -> Kept:
    """Count the paths of units, and return the touches of those that cannot be counted yet.

    Parameters
    ----------
    stream
        Rows of `unit`, `moment`, `code` and `is_immature`, sorted by unit and moment.
    tally
        Counts the paths.
    converted
        Units that have converted, ascending; their touches are kept.
    immaturity
        Tells which units are immature; without it none is.
    is_in_order
        Whether touches of one moment stand in their order already.
    """
    kept: list[Touches] = []
    tied: list[Touches] = []
    tied_units: list[NDArray] = []
    n_tied = 0
    for touches in stream:
        unit, moment, code = touches["unit"], touches["moment"], touches["code"]
        begins = begins_run(unit)
        starts = np.flatnonzero(begins)
        units, offsets = unit[starts], np.append(starts, len(unit))
        is_apart = np.zeros(len(units), dtype=bool)
        if not is_in_order:
            unsure = ~begins[1:] & (moment[1:] == moment[:-1]) & (code[1:] != code[:-1])
            is_apart[np.searchsorted(starts, np.flatnonzero(unsure), side="right") - 1] = True
        has_converted = np.zeros(len(units), dtype=bool)
        if converted is not None and len(converted):
            has_converted = _is_in(units, converted)
            kept.append(_of_units(touches, has_converted, offsets))
            is_apart &= ~has_converted
        if is_apart.any():
            tied_units.append(units[is_apart])
            n_tied += int(np.diff(offsets)[is_apart].sum())
            tied = [*tied, _of_units(touches, is_apart, offsets)] if n_tied <= _MOST_KEPT else []
        is_immature = immaturity.of(units, starts, touches) if immaturity else None
        tally.add(code, offsets, ~(has_converted | is_apart), is_immature)
    units = np.concatenate(tied_units if tied_units else [np.empty(0, np.uint64)])
    return Kept(_joined(kept), _joined(tied), units)


def _is_in(units: NDArray, some: NDArray) -> NDArray[np.bool_]:
    """Whether each unit is among some; both ascend, each value once.

    Examples
    --------
    >>> _is_in(np.array([2, 4, 6]), np.array([1, 4, 5, 9])).tolist()
    [False, True, False]
    """
    found = np.zeros(len(units), dtype=bool)
    first, last = np.searchsorted(some, units[0]), np.searchsorted(some, units[-1], "right")
    near = some[first:last]
    at = np.searchsorted(units, near)
    found[at[units[at] == near]] = True
    return found


def _inserted(
    numbers: NDArray[np.uint64], counts: NDArray[np.int64], others: NDArray[np.uint64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]:
    """Counted numbers with others inserted at a count of 0, and the places of the others.

    All ascend, each value once.

    Examples
    --------
    >>> known, others = np.array([2, 5], np.uint64), np.array([1, 5, 6], np.uint64)
    >>> [each.tolist() for each in _inserted(known, np.array([7, 8]), others)]
    [[1, 2, 5, 6], [0, 7, 8, 0], [0, 2, 3]]
    """
    place = np.searchsorted(numbers, others)
    is_new = np.append(numbers, np.uint64(0))[place] != others
    numbers = np.insert(numbers, place[is_new], others[is_new])
    counts = np.insert(counts, place[is_new], 0)
    return numbers, counts, place + np.cumsum(is_new) - is_new


def _of_units(touches: Touches, chosen: NDArray[np.bool_], offsets: NDArray[np.int64]) -> Touches:
    """Touches of some units."""
    at = np.flatnonzero(chosen)
    rows, _ = rows_of_runs(offsets[at], np.diff(offsets)[at])
    return {key: values[rows] for key, values in touches.items()}


def _joined(parts: list[Touches]) -> Touches:
    if not parts:
        none = {"unit": np.uint64, "moment": np.int64, "code": np.int32, "is_immature": bool}
        return {key: np.empty(0, kind) for key, kind in none.items()}
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
