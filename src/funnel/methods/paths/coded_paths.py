"""Paths as whole numbers: what every model of credit reads, however many touches there are.

Channels become codes, and the touches of all paths lie behind each other in one array. Equal paths
are counted once, so that work grows with the ways that were gone and not with who went them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from funnel.methods.paths.packing import bits_of, packed
from funnel.methods.paths.pairs import Pairs
from funnel.methods.paths.runs import offsets_of, rows_of_runs

ARROW = " > "
NOT_TRACED = "(not traced)"
BLANK = "(blank)"
_TOUCHES_AT_ONCE = 500_000
_KINDS = {
    "codes": np.int32,
    "offsets": np.int64,
    **dict.fromkeys(("conversions", "value", "nulls"), np.float64),
}


@dataclass(frozen=True, eq=False)
class CodedPaths:
    """Ways to a win, or to none, in numbers.

    Attributes
    ----------
    channels
        Names; the code of a channel is its place here.
    codes
        One code per touch, path after path, in order.
    offsets
        Where each path begins in `codes`, and the end of the last: one more than there are paths.
        A path without a touch is business that cannot be traced.
    conversions, value, nulls
        Per path: wins, what they are worth together, and how often it was gone without a win.
    squares
        Per path: sum of the squared values of its wins, where single values are known; without it
        the wins of a path count as worth the same.
    days_left
        Per touch: days from it to the last touch of its path, where times are known.
    moments
        Per touch: those of a path that share a number cannot be put in order.
    milestones
        By name, per path: the place in `codes` of the touch that stands for it, -1 where none does.
    names
        Per path: the deal it is of, where each path is one deal's.

    Examples
    --------
    >>> ways = CodedPaths.of([["web", "demo"], ["demo"]], conversions=[3, 1], nulls=[1, 0])
    >>> ways.channels, ways.codes.tolist(), ways.offsets.tolist()
    (('demo', 'web'), [1, 0, 0], [0, 2, 3])
    """

    channels: tuple[str, ...]
    codes: NDArray[np.int32]
    offsets: NDArray[np.int64]
    conversions: NDArray[np.float64]
    value: NDArray[np.float64]
    nulls: NDArray[np.float64]
    squares: NDArray[np.float64] | None = None
    days_left: NDArray[np.float64] | None = None
    moments: NDArray[np.int64] | None = None
    milestones: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    names: NDArray | None = None

    def __post_init__(self) -> None:
        for name, kind in _KINDS.items():
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=kind))

    @classmethod
    def of(
        cls,
        ways: Iterable[Iterable[str]],
        *,
        conversions: ArrayLike,
        value: ArrayLike | None = None,
        nulls: ArrayLike | None = None,
    ) -> CodedPaths:
        """Code ways given as lists of channel names; equal ones are not yet counted together."""
        ways = [list(way) for way in ways]
        n_touches = np.array([len(way) for way in ways], dtype=np.int64)
        codes, channels = coded_names([name for way in ways for name in way])
        return cls(
            channels=channels,
            codes=codes,
            offsets=offsets_of(n_touches),
            conversions=_counts(conversions, len(ways)),
            value=_counts(value, len(ways)),
            nulls=_counts(nulls, len(ways)),
        )

    @property
    def n_paths(self) -> int:
        """How many paths there are, untraceable ones included."""
        return len(self.offsets) - 1

    @cached_property
    def n_touches(self) -> NDArray[np.int64]:
        """Touches of each path."""
        return np.diff(self.offsets)

    @cached_property
    def path_of(self) -> NDArray[np.int64]:
        """The path that each touch is on."""
        return self.spread(np.arange(self.n_paths))

    @cached_property
    def is_traced(self) -> NDArray[np.bool_]:
        """Whether each path has a touch."""
        return self.n_touches > 0

    @property
    def firsts(self) -> NDArray[np.int64]:
        """Where the first touch of each traced path lies in `codes`."""
        return self.offsets[:-1][self.is_traced]

    @property
    def lasts(self) -> NDArray[np.int64]:
        """Where the last touch of each traced path lies in `codes`."""
        return self.offsets[1:][self.is_traced] - 1

    def spread(self, of_paths: NDArray) -> NDArray:
        """Give each touch the whole number of its path (as `np.repeat` would, in less time)."""
        steps = np.zeros(len(self.codes), dtype=of_paths.dtype)
        steps[self.firsts] = np.diff(of_paths[self.is_traced], prepend=0)
        return np.cumsum(steps, out=steps)

    @cached_property
    def place(self) -> NDArray[np.int64]:
        """Place of each touch on its path, from 0."""
        return np.arange(len(self.codes)) - self.spread(self.offsets[:-1])

    @cached_property
    def pairs(self) -> Pairs:
        """Each channel of each path once."""
        return Pairs.of(self.codes, self.offsets, len(self.channels))

    @cached_property
    def alike(self) -> NDArray[np.int64] | None:
        """Where touches begin that cannot be put in order; None where all touches can."""
        if self.moments is None or not len(self.codes):
            return None
        begins = np.ones(len(self.codes), dtype=bool)
        begins[1:] = self.moments[1:] != self.moments[:-1]
        begins[self.firsts] = True
        return None if begins.all() else np.flatnonzero(begins)

    @cached_property
    def begins_run(self) -> NDArray[np.bool_]:
        """Whether each touch is the first of a run of one channel on its path."""
        begins = np.ones(len(self.codes), dtype=bool)
        begins[1:] = self.codes[1:] != self.codes[:-1]
        begins[self.firsts] = True
        return begins

    @property
    def went_by_touch(self) -> NDArray[np.float64]:
        """How many went the path that each touch is on, won or not."""
        return np.repeat(self.conversions + self.nulls, self.n_touches)

    @cached_property
    def met(self) -> NDArray[np.float64]:
        """How often each channel was met, by all that went its paths."""
        met = np.zeros(len(self.channels))
        for _, some in self.in_blocks():
            met += np.bincount(some.codes, some.went_by_touch, len(met))
        return met

    def in_blocks(self) -> Iterator[tuple[slice, CodedPaths]]:
        """Go through some paths at a time, and say which touches they hold.

        What is worked out for a block stays near the processor, and its memory is used again.
        """
        bounds = np.arange(_TOUCHES_AT_ONCE, len(self.codes), _TOUCHES_AT_ONCE)
        cuts = np.unique(
            np.concatenate([[0], np.searchsorted(self.offsets, bounds), [self.n_paths]])
        )
        for start, end in pairwise(cuts.tolist()):
            touches = slice(int(self.offsets[start]), int(self.offsets[end]))
            yield (
                touches,
                CodedPaths(
                    self.channels,
                    self.codes[touches],
                    self.offsets[start : end + 1] - touches.start,
                    *(each[start:end] for each in (self.conversions, self.value, self.nulls)),
                ),
            )

    def touches_of(self, chosen: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Say where the touches of some paths lie, and where each of these paths then begins."""
        return rows_of_runs(self.offsets[:-1][chosen], self.n_touches[chosen])

    def taken(self, chosen: NDArray) -> CodedPaths:
        """Keep some paths, by a mask or their places, with all that is known of their touches."""
        chosen = np.arange(self.n_paths)[chosen]
        touches, offsets = self.touches_of(chosen)
        shift = self.offsets[:-1][chosen] - offsets[:-1]

        def of_paths(values: NDArray | None) -> NDArray | None:
            return None if values is None else values[chosen]

        def of_touches(values: NDArray | None) -> NDArray | None:
            return None if values is None else values[touches]

        return replace(
            self,
            codes=self.codes[touches],
            offsets=offsets,
            conversions=self.conversions[chosen],
            value=self.value[chosen],
            nulls=self.nulls[chosen],
            squares=of_paths(self.squares),
            days_left=of_touches(self.days_left),
            moments=of_touches(self.moments),
            milestones={
                name: np.where(at[chosen] < 0, -1, at[chosen] - shift)
                for name, at in self.milestones.items()
            },
            names=of_paths(self.names),
        )

    def collapsed(self) -> CodedPaths:
        """The same paths with touches of one channel in a row as one step, at the first one's time.

        Examples
        --------
        >>> CodedPaths.of([["web", "web", "demo"]], conversions=[1]).collapsed().strings()
        ['web > demo']
        """
        kept = self.begins_run
        step = np.concatenate([[0], np.cumsum(kept)])  # steps that begin before each touch
        offsets = step[self.offsets]
        steps = replace(
            self,
            codes=self.codes[kept],
            offsets=offsets,
            days_left=None,
            moments=None if self.moments is None else dense_ranks(self.moments[kept], offsets),
            milestones={
                name: np.where(at < 0, -1, step[at + 1] - 1) for name, at in self.milestones.items()
            },
        )
        if self.days_left is None:
            return steps
        days_left = self.days_left[kept]
        after_last = np.repeat(days_left[steps.lasts], steps.n_touches[steps.is_traced])
        return replace(steps, days_left=days_left - after_last)

    def groups(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Number of each path, which equal paths share, and where one path of each number is.

        Examples
        --------
        >>> CodedPaths.of([["b"], ["a"], ["b"]], conversions=[1, 1, 1]).groups()[0].tolist()
        [1, 0, 1]
        """
        return _equal_paths(self)

    def grouped(self) -> CodedPaths:
        """Each different path once, with the sums of its counts and values.

        What is known of single touches is dropped. The order depends on the paths alone, and not
        on the order of rows.
        """
        group, kept = self.groups()
        n = len(kept)
        ways = replace(
            self, squares=None, days_left=None, moments=None, milestones={}, names=None
        ).taken(kept)
        squares = self.squares
        return replace(
            ways,
            conversions=np.bincount(group, self.conversions, n),
            value=np.bincount(group, self.value, n),
            nulls=np.bincount(group, self.nulls, n),
            squares=None if squares is None else np.bincount(group, squares, n),
        )

    def strings(self) -> list[str]:
        """Write each path as "A > B"; what cannot be traced as `(not traced)`."""
        names = np.array(self.channels, dtype=object)[self.codes].tolist()
        return [ARROW.join(names[start:end]) or NOT_TRACED for start, end in pairwise(self.offsets)]


def concatenated(parts: Sequence[CodedPaths]) -> CodedPaths:
    """Paths of all parts, one after the other; parts have the same channels.

    Of touches only channels are kept. `squares` is 0 where a part has none.
    """
    return CodedPaths(
        parts[0].channels,
        np.concatenate([part.codes for part in parts]),
        offsets_of(np.concatenate([part.n_touches for part in parts])),
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("conversions", "value", "nulls")
        ),
        squares=np.concatenate(
            [np.zeros(part.n_paths) if part.squares is None else part.squares for part in parts]
        ),
    )


def dense_ranks(values: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rank of each touch's value on its path, from 1; equal values share a rank.

    Values do not fall along a path.

    Examples
    --------
    >>> dense_ranks(np.array([3, 3, 8, 5]), offsets=np.array([0, 3, 4])).tolist()
    [1, 1, 2, 1]
    """
    if not len(values):
        return values
    n_touches = np.diff(offsets)
    firsts = offsets[:-1][n_touches > 0]
    rises = np.concatenate([[True], values[1:] != values[:-1]])
    rises[firsts] = True
    number = np.cumsum(rises)
    return number - np.repeat(number[firsts], n_touches[n_touches > 0]) + 1


def coded_names(names: list[str]) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Give each name its code, in the order of the names; blanks around a name do not count."""
    given, written = pd.factorize(np.array(names, dtype=object))
    # a name is trimmed once, however often it is met
    trimmed = [str(name).strip() or BLANK for name in written]
    codes, channels = pd.factorize(np.array(trimmed, dtype=object), sort=True)
    return codes.astype(np.int32)[given], tuple(str(name) for name in channels)


def _counts(given: ArrayLike | None, n: int) -> NDArray[np.float64]:
    return np.zeros(n) if given is None else np.asarray(given, dtype="float64")


def _equal_paths(ways: CodedPaths) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give paths numbers that equal ones share, and one path of each number.

    Short paths are told apart by a whole number that stands for no other, and stand in its order;
    long ones come behind them.
    """
    numbers, fits = packed(ways.codes, ways.offsets, bits_of(len(ways.channels)))
    if fits.all():
        return _in_order(numbers)
    short, long = np.flatnonzero(fits), np.flatnonzero(~fits)
    of_short, kept_short = _in_order(numbers[short])
    of_long, kept_long = _equal_long(ways.taken(long))
    group = np.empty(ways.n_paths, dtype=np.int64)
    group[short], group[long] = of_short, of_long + len(kept_short)
    return group, np.concatenate([short[kept_short], long[kept_long]])


def _equal_long(ways: CodedPaths) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Tell paths apart by a hash, then touch by touch: no two different ones are taken for one."""
    for seed in range(8):
        group, kept = _in_order(_marks(ways, seed))
        twin = kept[group]
        if (ways.n_touches == ways.n_touches[twin]).all():
            of_twin = ways.spread(ways.offsets[:-1][twin]) + ways.place
            if (ways.codes == ways.codes[of_twin]).all():
                return group, kept
    raise AssertionError("different paths had the same hash eight times")


def _in_order(numbers: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give each number the rank of its value, and the first place of each value."""
    met, different = pd.factorize(numbers)
    # values that were put in order part by part take hardly any time
    order = np.argsort(different, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[met], _one_of_each(met, len(different))[order]


def _marks(ways: CodedPaths, seed: int) -> NDArray[np.uint64]:
    """Give each path a 64-bit hash of its channels in their order."""
    longest = int(ways.n_touches.max(initial=0))
    random = np.random.default_rng(seed)
    of_code = random.integers(0, 2**64, len(ways.channels) + 1, dtype=np.uint64)
    of_place = random.integers(0, 2**64, longest + 1, dtype=np.uint64) | np.uint64(1)
    mark = np.zeros(ways.n_paths, dtype=np.uint64)
    starts = ways.firsts
    if len(starts):
        mixed = of_code[ways.codes] * of_place[ways.place]
        mixed ^= mixed >> np.uint64(29)
        mark[ways.is_traced] = np.add.reduceat(mixed, starts)
    return mark ^ ways.n_touches.astype(np.uint64)


def _one_of_each(group: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    kept = np.empty(n, dtype=np.int64)
    kept[group[::-1]] = np.arange(len(group))[::-1]
    return kept
