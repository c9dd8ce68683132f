"""Counts of visits in cells, as one sparse matrix, so that a resample is a matrix product.

A column of the matrix is a unit (a lead with its deals), a row is a cell: leads at risk of leaving
a stage at an age, those that left, those that advanced, arrivals, wins and their value, for each
world, segment and block.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from funnel.methods.bridge.flow import PER_BLOCK

# First age, in bins, of each group within which the chance to leave is taken to be the same.
AGES = np.array([0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 22, 28, 36, 48])
_KINDS = ("risk", "leave", "advance")


@dataclass(frozen=True)
class Window:
    """A world's time: blocks of 13 bins, the last of which is the period; seconds since 1970."""

    end: float
    length: float
    n_blocks: int

    @property
    def n_bins(self) -> int:
        """Bins of all blocks."""
        return self.n_blocks * PER_BLOCK

    @property
    def start(self) -> float:
        """When the first block begins."""
        return self.end - self.n_blocks * self.length

    def bins(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bin of each moment: below 0 before the window, missing where the moment is missing."""
        # Multiplied first: whole seconds so fall exactly on a bin's first moment.
        return np.floor((seconds - self.start) * PER_BLOCK / self.length)


@dataclass(frozen=True)
class Layout:
    """Position of each kind of cell among the rows of the matrix."""

    n_stages: int
    n_segments: int
    n_blocks: int

    @property
    def n_bins(self) -> int:
        """Bins of all blocks."""
        return self.n_blocks * PER_BLOCK

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Axes of each kind, the first of which is the world."""
        by_age = (2, self.n_stages, self.n_segments, self.n_blocks, len(AGES))
        by_bin = (2, self.n_stages, self.n_segments, self.n_bins)
        shapes = dict.fromkeys(_KINDS, by_age)
        shapes |= {"arrive": by_bin, "enter": by_bin}
        return shapes | {"wins": (2, self.n_segments), "value": (2, self.n_segments)}

    @property
    def starts(self) -> dict[str, int]:
        """First row of each kind."""
        sizes = [int(np.prod(shape)) for shape in self.shapes.values()]
        return dict(zip(self.shapes, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))

    @property
    def n_cells(self) -> int:
        """Rows in all."""
        return sum(int(np.prod(shape)) for shape in self.shapes.values())

    def split(self, counts: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Rows by draws as one array per kind; the world first, then the draw."""
        parts = {}
        for kind, shape in self.shapes.items():
            start = self.starts[kind]
            block = counts[start : start + int(np.prod(shape))]
            parts[kind] = np.moveaxis(block.reshape(*shape, -1), -1, 1)
        return parts


def cells(
    visits: pd.DataFrame,
    windows: tuple[Window, Window],
    layout: Layout,
    is_exit_recorded: NDArray[np.bool_],
) -> sparse.csr_array:
    """Counts of each unit in its cells.

    Parameters
    ----------
    visits
        Ordered as in `StageHistory`, with `unit` and `segment` as numbers from 0.
    windows
        Of the baseline and of the period.

    Returns
    -------
    csr_array
        Cells by units.
    """
    columns = {name: visits[name].to_numpy() for name in visits}
    rows, units, amounts = [], [], []

    def add(kind: str, which: NDArray, index: tuple, amount: NDArray | float) -> None:
        flat = np.ravel_multi_index(index, layout.shapes[kind]) + layout.starts[kind]
        rows.append(flat.astype(np.int32))
        units.append(columns["unit"][which].astype(np.int32))
        amounts.append(np.broadcast_to(np.asarray(amount, np.float64), flat.shape))

    for world, window in enumerate(windows):
        entered, left = window.bins(columns["entered"]), window.bins(columns["left_"])
        left = np.where(np.isfinite(left), left, window.n_bins)
        here = (entered < window.n_bins) & (left >= 0)
        # Where exits are not recorded, a lead from before the window may have left long ago: only
        # those that advance within it are seen, and they count as arriving at the next stage.
        unseen = here & (entered < 0) & ~is_exit_recorded[columns["stage"]]
        is_source = columns["is_source"].copy()
        is_source[1:] |= unseen[:-1] & columns["is_advance"][:-1]
        here = np.flatnonzero(here & ~unseen)
        stage, segment = columns["stage"][here].astype(int), columns["segment"][here]
        begin, end = entered[here].astype(int), left[here].astype(int)
        has_left = end < window.n_bins
        advances = columns["is_advance"][here] & has_left
        was_there, begin = begin < 0, np.maximum(begin, 0)

        new = is_source[here] | was_there
        add("arrive", here[new], _at(world, stage, segment, begin, which=new), 1.0)
        everybody = np.ones(len(here), bool)
        add("enter", here, _at(world, stage, segment, begin, which=everybody), 1.0)

        block = end // PER_BLOCK
        group = np.searchsorted(AGES, end - begin, side="right") - 1
        for kind, which in (("leave", has_left), ("advance", advances)):
            add(kind, here[which], _at(world, stage, segment, block, group, which=which), 1.0)
        for h in range(window.n_blocks):
            for g, youngest in enumerate(AGES):
                oldest = AGES[g + 1] - 1 if g + 1 < len(AGES) else window.n_bins
                low = np.maximum(begin + youngest, h * PER_BLOCK)
                high = np.minimum(np.minimum(begin + oldest, end), (h + 1) * PER_BLOCK - 1)
                n_bins = high - low + 1
                which = n_bins > 0
                if which.any():
                    index = (world, stage[which], segment[which], h, g)
                    add("risk", here[which], np.broadcast_arrays(*index), n_bins[which])

        # Every win, also of a lead from before the window, which no factor holds.
        won = columns["is_advance"] & (columns["stage"] == layout.n_stages - 1)
        won &= left // PER_BLOCK == window.n_blocks - 1
        at = _at(world, columns["segment"], which=won)
        won = np.flatnonzero(won)
        add("wins", won, at, 1.0)
        add("value", won, at, columns["value"][won])

    shape = (layout.n_cells, int(columns["unit"].max(initial=-1)) + 1)
    data = (np.concatenate(amounts), (np.concatenate(rows), np.concatenate(units)))
    return sparse.coo_array(data, shape=shape).tocsr()


def _at(world: int, *index: NDArray, which: NDArray) -> tuple[NDArray, ...]:
    return tuple(np.broadcast_arrays(world, *(part[which] for part in index)))
