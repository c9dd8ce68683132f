"""Each channel of each path once, however often the path touched it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pairs:
    """The channels of paths, path after path, in the order of their codes.

    Attributes
    ----------
    order
        The places of all touches, those of a pair together.
    starts
        Where each pair begins in `order`.
    channel
        The code of each pair's channel.
    offsets
        Where each path's pairs begin, and the end of the last: one more than there are paths.
    n_channels
        How many channels there are.

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
        """Find them, from the codes of touches and where each path begins."""
        from scipy.sparse import csr_array

        shape = (len(offsets) - 1, n_channels)
        # copied, since it is put in order where it lies
        places = csr_array((np.arange(len(codes)), codes, offsets), shape=shape, copy=True)
        places.sort_indices()
        channel = places.indices
        begins = np.ones(len(codes), dtype=bool)
        begins[1:] = channel[1:] != channel[:-1]
        begins[offsets[:-1][np.diff(offsets) > 0]] = True
        met = np.concatenate([[0], np.cumsum(begins)])
        return cls(places.data, np.flatnonzero(begins), channel[begins], met[offsets], n_channels)

    @property
    def path(self) -> NDArray[np.int64]:
        """The path of each pair."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    @property
    def n_touches(self) -> NDArray[np.int64]:
        """How often the path touched the channel."""
        return np.diff(np.append(self.starts, len(self.order)))

    def sums(self, of_touches: Floats) -> Floats:
        """Add up what the touches of each pair have."""
        if not len(self.starts):
            return np.zeros(0)
        return np.add.reduceat(of_touches[self.order], self.starts)

    def table(self, of_pairs: Floats) -> csr_array:
        """Lay out what pairs have as paths by channels."""
        from scipy.sparse import csr_array

        shape = (len(self.offsets) - 1, self.n_channels)
        return csr_array((of_pairs, self.channel, self.offsets), shape=shape)
