"""Paths as whole numbers: what every model of credit reads, however many touches there are.

Channels become codes, and the touches of all paths lie behind each other in one array. Equal paths
are counted once, so that work grows with the ways that were gone and not with who went them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from funnel.errors import ParameterError
from funnel.journeys import ARROW, NOT_TRACED

BLANK = "(blank)"
_NAMED = 3  # rows named in an error


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
            offsets=_offsets(n_touches),
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

    def spread(self, of_paths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give each touch the whole number of its path (as `np.repeat` would, in less time)."""
        steps = np.zeros(len(self.codes), dtype=np.int64)
        steps[self.firsts] = np.diff(of_paths[self.is_traced], prepend=0)
        return np.cumsum(steps, out=steps)

    @cached_property
    def place(self) -> NDArray[np.int64]:
        """Place of each touch on its path, from 0."""
        return np.arange(len(self.codes)) - self.spread(self.offsets[:-1])

    def taken(self, chosen: NDArray) -> CodedPaths:
        """Keep some paths, by a mask or their places, with all that is known of their touches."""
        chosen = np.arange(self.n_paths)[chosen]
        n_touches = self.n_touches[chosen]
        offsets = _offsets(n_touches)
        shift = self.offsets[:-1][chosen] - offsets[:-1]
        touches = np.arange(offsets[-1]) + np.repeat(shift, n_touches)

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

    def grouped(self) -> CodedPaths:
        """Count equal paths together; what is known of single touches is left behind.

        The order of the result depends on the ways alone, and not on the order of rows.
        """
        group, kept = _equal_ways(self)
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


def coded_paths(table: pd.DataFrame) -> CodedPaths:
    """Read a table of paths, checked, with equal paths counted together.

    Parameters
    ----------
    table
        `path` ("A > B"; blanks around a name do not count) and `conversions`; `value` and `nulls`
        count as 0 where they are left out. A missing or empty path, and `(not traced)`, is
        business that cannot be traced.

    Raises
    ------
    ParameterError
        If a column is missing, or a count or value is not a number, or a count is negative.

    Examples
    --------
    >>> ways = coded_paths(pd.DataFrame({"path": ["web > demo", "web>demo", "web > demo "],
    ...                                  "conversions": [1, 2, 3]}))
    >>> sorted(zip(ways.strings(), ways.conversions.tolist()))
    [('web > demo', 4.0), ('web>demo', 2.0)]
    """
    missing = [name for name in ("path", "conversions") if name not in table]
    if missing:
        raise ParameterError(
            f"The table of paths has no column {' or '.join(f'`{name}`' for name in missing)}. "
            "It holds one row per path: `path` (A > B), `conversions`, `value`, `nulls`."
        )
    conversions = _column(table, "conversions")
    value = _column(table, "value", may_be_negative=True)
    nulls = _column(table, "nulls")
    whole = table["path"].astype("str").str.strip().fillna("")
    is_traced = ((whole != "") & (whole != NOT_TRACED)).to_numpy()
    given = whole[is_traced].tolist()
    n_touches = np.zeros(len(table), dtype=np.int64)
    n_touches[is_traced] = [path.count(ARROW) + 1 for path in given]
    codes, channels = coded_names(ARROW.join(given).split(ARROW) if given else [])
    return CodedPaths(
        channels=channels,
        codes=codes,
        offsets=_offsets(n_touches),
        conversions=conversions,
        value=value,
        nulls=nulls,
    ).grouped()


def coded_journeys(table: pd.DataFrame) -> CodedPaths:
    """Read a table of touches: one path per won deal, with what is known of each touch.

    Parameters
    ----------
    table
        One row per touch: `deal_id`, `channel` and `position` (1 is the first touch; 0 or below is
        a deal that cannot be traced). May have `amount` (of the deal), `occurred_at` and `moment`
        (touches of a deal that share one cannot be put in order).

    Raises
    ------
    ParameterError
        If a column is missing, or a position or an amount is not a number.

    Examples
    --------
    >>> touches = pd.DataFrame({"deal_id": ["D-1", "D-1"], "position": [2, 1],
    ...                         "channel": ["demo", "web"], "amount": [900.0, 900.0]})
    >>> deals = coded_journeys(touches)
    >>> deals.strings(), deals.value.tolist()
    (['web > demo'], [900.0])
    """
    missing = [name for name in ("deal_id", "position", "channel") if name not in table]
    if missing:
        raise ParameterError(
            f"The table of journeys has no column {' or '.join(f'`{name}`' for name in missing)}. "
            "It holds one row per touch: `deal_id`, `position`, `channel`, `amount`."
        )
    position = _column(table, "position", may_be_negative=True)
    order = np.argsort(position, kind="stable")
    deal, names = pd.factorize(table["deal_id"].astype("str"), sort=True)
    order = order[np.argsort(deal[order], kind="stable")]
    is_touch = position[order] > 0
    touch = order[is_touch]
    codes, channels = coded_names(table["channel"].iloc[touch].astype("str").fillna("").tolist())
    n = len(names)
    offsets = _offsets(np.bincount(deal[touch], minlength=n))
    first = np.zeros(n, dtype=np.int64)
    first[deal[order[::-1]]] = order[::-1]
    amount = np.zeros(len(table))
    if "amount" in table:
        amount = np.nan_to_num(table["amount"].to_numpy(dtype="float64", na_value=np.nan))
    value = amount[first]
    if not np.isfinite(value).all():
        raise ParameterError("journeys: an `amount` is infinite, so shares of it mean nothing.")
    return CodedPaths(
        channels=channels,
        codes=codes,
        offsets=offsets,
        conversions=np.ones(n),
        value=value,
        nulls=np.zeros(n),
        squares=value**2,
        days_left=_days_left(table, touch, offsets),
        moments=table["moment"].to_numpy(dtype=np.int64)[touch] if "moment" in table else None,
        names=np.asarray(names, dtype=object),
    )


def coded_names(names: list[str]) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Give each name its code, in the order of the names; blanks around a name do not count."""
    trimmed = [name.strip() or BLANK for name in names]
    codes, channels = pd.factorize(np.array(trimmed, dtype=object), sort=True)
    return codes.astype(np.int32), tuple(str(name) for name in channels)


def _offsets(n_touches: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(n_touches)]).astype(np.int64)


def _counts(given: ArrayLike | None, n: int) -> NDArray[np.float64]:
    return np.zeros(n) if given is None else np.asarray(given, dtype="float64")


def _column(
    table: pd.DataFrame, name: str, *, may_be_negative: bool = False
) -> NDArray[np.float64]:
    if name not in table:
        return np.zeros(len(table))
    values = pd.to_numeric(table[name], errors="coerce").to_numpy("float64", na_value=np.nan)
    wrong, what = ~np.isfinite(values), "no number"
    if not may_be_negative and not wrong.any():
        wrong, what = values < 0, "below 0"
    if wrong.any():
        rows = ", ".join(str(row) for row in table.index[wrong][:_NAMED])
        raise ParameterError(
            f"`{name}` is {what} in {wrong.sum():,} of {len(table):,} rows (rows {rows}). Credit "
            "adds up to what was won, so each row needs its count; whoever made the table can say."
        )
    return values


def _days_left(
    table: pd.DataFrame, touch: NDArray[np.int64], offsets: NDArray[np.int64]
) -> NDArray[np.float64] | None:
    if "occurred_at" not in table or not len(touch):
        return None
    at = pd.to_datetime(table["occurred_at"].iloc[touch], utc=True)
    if at.isna().any():
        return None
    days = at.to_numpy("datetime64[us]").astype("int64") / 86_400e6
    n_touches = np.diff(offsets)
    latest = np.maximum.reduceat(days, offsets[:-1][n_touches > 0])
    return np.repeat(latest, n_touches[n_touches > 0]) - days


def _equal_ways(ways: CodedPaths) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give paths numbers that equal ones share, and one path of each number.

    Paths are told apart by a 64-bit hash and then compared touch by touch, so that no two
    different ones can be taken for one.
    """
    longest = int(ways.n_touches.max(initial=0))
    for seed in range(8):
        random = np.random.default_rng(seed)
        of_code = random.integers(0, 2**64, len(ways.channels) + 1, dtype=np.uint64)
        of_place = random.integers(0, 2**64, longest + 1, dtype=np.uint64) | np.uint64(1)
        mark = np.zeros(ways.n_paths, dtype=np.uint64)
        starts = ways.firsts
        if len(starts):
            mixed = of_code[ways.codes] * of_place[ways.place]
            mark[ways.is_traced] = np.add.reduceat(mixed ^ (mixed >> np.uint64(29)), starts)
        mark ^= ways.n_touches.astype(np.uint64)
        met, marks = pd.factorize(mark)
        order = np.argsort(marks)
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        group = rank[met]
        kept = np.empty_like(order)
        kept[group[::-1]] = np.arange(ways.n_paths)[::-1]
        twin = kept[group]
        if (ways.n_touches == ways.n_touches[twin]).all():
            of_twin = ways.spread(ways.offsets[:-1][twin]) + ways.place
            if (ways.codes == ways.codes[of_twin]).all():
                return group, kept
    raise AssertionError("different paths had the same hash eight times")
