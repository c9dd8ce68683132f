"""Each channel of each path once, however often the path touched it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from funnel.methods.paths.runs import begins_run

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Channels of paths, each once per path, path after path, by ascending code.

    Attributes
    ----------
    order
        Indices of all touches, those of a pair together.
    starts
        Where each pair begins in `order`.
    channel
        The code of each pair's channel.
    offsets
        Where each path's pairs begin, and the end of the last: one more than there are paths.
    n_channels
        Number of channels.

    Examples
    --------
    >>> pairs = Pairs.of(codes=np.array([1, 0, 1, 0]), offsets=np.array([0, 3, 4]), n_channels=2)
    >>> pairs.channel.tolist(), pairs.path.tolist()
    ([0, 1, 0], [0, 0, 1])
    >>> pairs.sums(np.array([0.5, 0.25, 0.25, 1.0])).tolist()
    [0.25, 0.75, 1.0]
    """

    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    channel: NDArray[np.int32]
    offsets: NDArray[np.int64]
    n_channels: int

    @classmethod
    def of(cls, codes: NDArray[np.int32], offsets: NDArray[np.int64], n_channels: int) -> Pairs:
        """Pairs from the codes of touches and the offsets of paths."""
        from scipy.sparse import csr_array

        shape = (len(offsets) - 1, n_channels)
        # copied, since it is sorted in place
        places = csr_array((np.arange(len(codes)), codes, offsets), shape=shape, copy=True)
        places.sort_indices()
        channel = places.indices
        begins = begins_run(channel, offsets[:-1][np.diff(offsets) > 0])
        before = np.concatenate([[0], np.cumsum(begins)])
        starts = np.flatnonzero(begins)
        return cls(places.data, starts, channel[begins], before[offsets], n_channels)

    @property
    def path(self) -> NDArray[np.int64]:
        """Path of each pair."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    @property
    def n_touches(self) -> NDArray[np.int64]:
        """Touches of each pair."""
        return np.diff(np.append(self.starts, len(self.order)))

    def sums(self, of_touches: Floats) -> Floats:
        """Sum over the touches of each pair."""
        if not len(self.starts):
            return np.zeros(0)
        return np.add.reduceat(of_touches[self.order], self.starts)

    def table(self, of_pairs: Floats) -> csr_array:
        """Values of pairs as a sparse table of paths by channels."""
        from scipy.sparse import csr_array

        shape = (len(self.offsets) - 1, self.n_channels)
        return csr_array((of_pairs, self.channel, self.offsets), shape=shape)
