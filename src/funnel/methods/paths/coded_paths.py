"""Paths as integers: what every model of credit reads, however many touches there are.

Channels are codes, and the codes of all paths lie in one array, path after path. Equal paths are
counted once, so that work grows with the number of different paths, not of journeys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from funnel.contract.labels import NOT_RECORDED
from funnel.methods.paths.packing import bits_of, packed
from funnel.methods.paths.pairs import Pairs
from funnel.methods.paths.runs import (
    begins_run,
    dense_ranks,
    latest,
    latest_by,
    offsets_of,
    rows_of_runs,
)

ARROW = " > "
NOT_TRACED = "(not traced)"
OTHER_PATHS = "(other paths)"  # paths of few journeys, together
_TOUCHES_AT_ONCE = 500_000
_KINDS = {
    "codes": np.int32,
    "offsets": np.int64,
    **dict.fromkeys(("conversions", "value", "nulls"), np.float64),
}


@dataclass(frozen=True, eq=False)
class CodedPaths:
    """Paths to a conversion, or to none, as integers.

    Attributes
    ----------
    channels
        Names; the code of a channel is its index here.
    codes
        int32, one per touch, in order, path after path.
    offsets
        int64, one more than there are paths: where each path begins in `codes`, and the end of the
        last. A path without a touch does not trace.
    conversions, value, nulls
        float64, one per path: journeys that converted, their value together, and journeys that did
        not convert.
    days_left
        Per touch: days from it to the last touch of its path, where times are known.
    moments
        Per touch: touches of a path that share a number have no known order.
    milestones
        By name, per path: the index in `codes` of the last touch up to the milestone; -1 without
        one.
    names
        Per path: the key of its journey, where each path is of one journey.

    Examples
    --------
    >>> paths = CodedPaths.of([["web", "demo"], ["demo"]], conversions=[3, 1], nulls=[1, 0])
    >>> paths.channels, paths.codes.tolist(), paths.offsets.tolist()
    (('demo', 'web'), [1, 0, 0], [0, 2, 3])
    """

    channels: tuple[str, ...]
    codes: NDArray[np.int32]
    offsets: NDArray[np.int64]
    conversions: NDArray[np.float64]
    value: NDArray[np.float64]
    nulls: NDArray[np.float64]
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
        paths: Iterable[Iterable[str]],
        *,
        conversions: ArrayLike,
        value: ArrayLike | None = None,
        nulls: ArrayLike | None = None,
    ) -> CodedPaths:
        """Paths from lists of channel names, one path per list; equal ones stay apart."""
        paths = [list(path) for path in paths]
        n_touches = np.array([len(path) for path in paths], dtype=np.int64)
        codes, channels = coded_names([name for path in paths for name in path])
        nothing = np.zeros(len(paths))
        return cls(
            channels,
            codes,
            offsets_of(n_touches),
            conversions,
            nothing if value is None else value,
            nothing if nulls is None else nulls,
        )

    @classmethod
    def of_journeys(
        cls,
        channels: tuple[str, ...],
        codes: NDArray[np.int32],
        offsets: NDArray[np.int64],
        *,
        names: NDArray,
        value: NDArray[np.float64],
        days: NDArray[np.float64] | None = None,
        moments: NDArray[np.int64] | None = None,
        milestones: Mapping[str, NDArray[np.float64]] | None = None,
    ) -> CodedPaths:
        """Converted journeys, one path each; `days` of touches and milestones are since 1970."""
        n = len(names)
        return cls(
            channels,
            codes,
            offsets,
            np.ones(n),
            value,
            np.zeros(n),
            days_left=None if days is None else latest(days, offsets) - days,
            moments=moments,
            milestones={}
            if days is None
            else {name: latest_by(days, at, offsets) for name, at in milestones.items()},
            names=names,
        )

    @property
    def n_paths(self) -> int:
        """Number of paths, those that do not trace included."""
        return len(self.offsets) - 1

    @cached_property
    def n_touches(self) -> NDArray[np.int64]:
        """Touches of each path."""
        return np.diff(self.offsets)

    @cached_property
    def path_of(self) -> NDArray[np.int64]:
        """Index of the path that each touch is on."""
        return self.spread(np.arange(self.n_paths))

    @cached_property
    def is_traced(self) -> NDArray[np.bool_]:
        """Whether each path has a touch."""
        return self.n_touches > 0

    @property
    def firsts(self) -> NDArray[np.int64]:
        """Index in `codes` of the first touch of each traced path."""
        return self.offsets[:-1][self.is_traced]

    @property
    def lasts(self) -> NDArray[np.int64]:
        """Index in `codes` of the last touch of each traced path."""
        return self.offsets[1:][self.is_traced] - 1

    def spread(self, of_paths: NDArray) -> NDArray:
        """Integer of each touch's path, per touch (`np.repeat` in less time)."""
        steps = np.zeros(len(self.codes), dtype=of_paths.dtype)
        steps[self.firsts] = np.diff(of_paths[self.is_traced], prepend=0)
        return np.cumsum(steps, out=steps)

    @cached_property
    def place(self) -> NDArray[np.int64]:
        """Position of each touch on its path, from 0."""
        return np.arange(len(self.codes)) - self.spread(self.offsets[:-1])

    @cached_property
    def pairs(self) -> Pairs:
        """Each channel of each path, once."""
        return Pairs.of(self.codes, self.offsets, len(self.channels))

    @cached_property
    def alike(self) -> NDArray[np.int64] | None:
        """Where runs of touches without a known order begin; None where every order is known."""
        if self.moments is None or not len(self.codes):
            return None
        begins = begins_run(self.moments, self.firsts)
        return None if begins.all() else np.flatnonzero(begins)

    @cached_property
    def begins_run(self) -> NDArray[np.bool_]:
        """Whether each touch is the first of a run of one channel on its path."""
        return begins_run(self.codes, self.firsts)

    @property
    def went_by_touch(self) -> NDArray[np.float64]:
        """Journeys on the path of each touch, converted or not."""
        return np.repeat(self.conversions + self.nulls, self.n_touches)

    @cached_property
    def met(self) -> NDArray[np.float64]:
        """Touches of each channel, over all journeys."""
        met = np.zeros(len(self.channels))
        for _, some in self.in_blocks():
            met += np.bincount(some.codes, some.went_by_touch, len(met))
        return met

    def by_channel(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum of counts over the paths that each channel is on."""
        return np.bincount(self.pairs.channel, counts[self.pairs.path], len(self.channels))

    def in_blocks(self) -> Iterator[tuple[slice, CodedPaths]]:
        """Blocks of paths of about half a million touches, each with the slice of its touches.

        A block fits into the processor's cache, and its memory is used again for the next one.
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
        """Indices of the touches of some paths, and where each of these paths then begins."""
        return rows_of_runs(self.offsets[:-1][chosen], self.n_touches[chosen])

    def taken(self, chosen: NDArray) -> CodedPaths:
        """Some of the paths, by a mask or by indices, with all that is known of their touches."""
        chosen = np.arange(self.n_paths)[chosen]
        touches, offsets = self.touches_of(chosen)
        shift = self.offsets[:-1][chosen] - offsets[:-1]

        def of_touches(values: NDArray | None) -> NDArray | None:
            return None if values is None else values[touches]

        return replace(
            self,
            codes=self.codes[touches],
            offsets=offsets,
            conversions=self.conversions[chosen],
            value=self.value[chosen],
            nulls=self.nulls[chosen],
            days_left=of_touches(self.days_left),
            moments=of_touches(self.moments),
            milestones={
                name: np.where(at[chosen] < 0, -1, at[chosen] - shift)
                for name, at in self.milestones.items()
            },
            names=None if self.names is None else self.names[chosen],
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
        numbers, fits = packed(self.codes, self.offsets, bits_of(len(self.channels)))
        if fits.all():
            return _in_order(numbers)
        # longer ones than an integer encodes follow the others
        short, long = np.flatnonzero(fits), np.flatnonzero(~fits)
        of_short, kept_short = _in_order(numbers[short])
        of_long, kept_long = _equal_long(self.taken(long))
        group = np.empty(self.n_paths, dtype=np.int64)
        group[short], group[long] = of_short, of_long + len(kept_short)
        return group, np.concatenate([short[kept_short], long[kept_long]])

    def grouped(self) -> CodedPaths:
        """Each different path once, with the sums of its counts and values.

        What is known of single touches is dropped. The order depends on the paths alone, and not
        on the order of rows.
        """
        group, kept = self.groups()
        n = len(kept)
        paths = replace(self, days_left=None, moments=None, milestones={}, names=None)
        return replace(
            paths.taken(kept),
            conversions=np.bincount(group, self.conversions, n),
            value=np.bincount(group, self.value, n),
            nulls=np.bincount(group, self.nulls, n),
        )

    def cleaned(self) -> CodedPaths:
        """The same paths, with no blank around a channel's name, no arrow in it, and none unused.

        Examples
        --------
        >>> CodedPaths.of([["b", "a > c "]], conversions=[1]).cleaned().channels
        ('a>c', 'b')
        """
        names = [name.replace(ARROW, ">").strip() or NOT_RECORDED for name in self.channels]
        channels = tuple(sorted({names[code] for code in self._used_codes()}))
        code_of = {channel: code for code, channel in enumerate(channels)}
        new = np.array([code_of.get(name, -1) for name in names], dtype=np.int32)
        is_same = len(channels) == len(new) and (new == np.arange(len(new))).all()
        codes = self.codes if is_same or not len(self.codes) else new[self.codes]
        return replace(self, channels=channels, codes=codes)

    def merged(self) -> CodedPaths:
        """As `cleaned`, with paths that have become equal counted once.

        Examples
        --------
        >>> paths = CodedPaths.of([["a > b"], ["a>b"]], conversions=[1, 2]).merged()
        >>> paths.strings(), paths.conversions.tolist()
        (['a>b'], [3.0])
        """
        clean = self.cleaned()
        return clean.grouped() if len(clean.channels) < len(self._used_codes()) else clean

    def _used_codes(self) -> NDArray[np.int64]:
        """Codes of the channels that are on some path, ascending."""
        counts = np.zeros(len(self.channels))
        for _, some in self.in_blocks():
            counts += np.bincount(some.codes, minlength=len(counts))
        return np.flatnonzero(counts)

    def strings(self) -> list[str]:
        """Each path as text, "A > B"; `(not traced)` without a touch."""
        names = np.array(self.channels, dtype=object)[self.codes].tolist()
        return [ARROW.join(names[start:end]) or NOT_TRACED for start, end in pairwise(self.offsets)]


def concatenated(parts: Sequence[CodedPaths]) -> CodedPaths:
    """Paths of all parts, one after the other; parts have the same channels.

    Of touches only channels are kept.
    """
    return CodedPaths(
        parts[0].channels,
        np.concatenate([part.codes for part in parts]),
        offsets_of(np.concatenate([part.n_touches for part in parts])),
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("conversions", "value", "nulls")
        ),
    )


def coded_names(names: list[str]) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Code of each name, and the names by code, sorted; blanks around a name do not count."""
    written, different = pd.factorize(np.array(names, dtype=object))
    # a name is trimmed once, however often it occurs
    trimmed = [str(name).strip() or NOT_RECORDED for name in different]
    codes, channels = pd.factorize(np.array(trimmed, dtype=object), sort=True)
    return codes.astype(np.int32)[written], tuple(str(name) for name in channels)


def _equal_long(paths: CodedPaths) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """As `groups`, by a hash and then touch by touch, so that a collision is found."""
    for seed in range(8):
        group, kept = _in_order(_marks(paths, seed))
        twin = kept[group]
        if (paths.n_touches == paths.n_touches[twin]).all():
            of_twin = paths.spread(paths.offsets[:-1][twin]) + paths.place
            if (paths.codes == paths.codes[of_twin]).all():
                return group, kept
    raise AssertionError("different paths had the same hash eight times")


def _in_order(numbers: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rank of each number among the different ones, and the index of the first of each."""
    code, different = pd.factorize(numbers)
    # a stable sort makes use of parts that are sorted already
    order = np.argsort(different, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    first = np.empty_like(order)
    first[code[::-1]] = np.arange(len(code))[::-1]
    return rank[code], first[order]


def _marks(paths: CodedPaths, seed: int) -> NDArray[np.uint64]:
    """64-bit hash of each path's channels in their order."""
    longest = int(paths.n_touches.max(initial=0))
    random = np.random.default_rng(seed)
    of_code = random.integers(0, 2**64, len(paths.channels) + 1, dtype=np.uint64)
    of_place = random.integers(0, 2**64, longest + 1, dtype=np.uint64) | np.uint64(1)
    mark = np.zeros(paths.n_paths, dtype=np.uint64)
    starts = paths.firsts
    if len(starts):
        mixed = of_code[paths.codes] * of_place[paths.place]
        mixed ^= mixed >> np.uint64(29)
        mark[paths.is_traced] = np.add.reduceat(mixed, starts)
    return mark ^ paths.n_touches.astype(np.uint64)
