"""Short ways as one whole number each: told apart exactly, and in no time.

The code of each touch takes as many bits as the number of channels asks for; a bit above the last
one says where the way ends. What does not fit into 64 bits is left to others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BITS = 63  # of 64; the last one may have to mark the end


def bits_of(n_channels: int) -> int:
    """Say how many bits the code of a touch takes."""
    return max(1, (n_channels - 1).bit_length())


def packed(
    codes: NDArray, offsets: NDArray[np.int64], bits: int
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Write each way as a number, and say which ones fit into one.

    Parameters
    ----------
    codes, offsets
        As in `CodedPaths`.
    bits
        What one touch takes.

    Examples
    --------
    >>> numbers, fits = packed(np.array([1, 0, 1]), np.array([0, 2, 3, 3]), bits=2)
    >>> [f"{number:b}" for number in numbers], fits.tolist()
    (['10001', '101', '1'], [True, True, True])
    """
    n_touches = np.diff(offsets)
    fits = n_touches * bits <= _BITS
    numbers = np.uint64(1) << np.where(fits, n_touches * bits, 0).astype(np.uint64)
    walked = np.flatnonzero(n_touches)
    if len(walked):
        starts = offsets[:-1][walked]
        # how far to the left each code goes: a step more than the one before; none at a start
        left = np.full(len(codes), bits, dtype=np.int64)
        left[0] = 0
        left[starts[1:]] -= bits * n_touches[walked[:-1]]
        np.cumsum(left, out=left)
        # what does not fit runs over, and is not asked for
        numbers[walked] += np.add.reduceat(codes.astype(np.uint64) << left.view(np.uint64), starts)
    return numbers, fits


def unpacked(
    numbers: NDArray[np.uint64], bits: int, room: int = 0
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Read the codes and offsets of ways back from their numbers; leave room behind the codes.

    Examples
    --------
    >>> codes, offsets = unpacked(np.array([0b10001, 0b1], dtype=np.uint64), bits=2)
    >>> codes.tolist(), offsets.tolist()
    ([1, 0], [0, 2, 2])
    """
    step = np.uint64(bits)
    n_touches = np.zeros(len(numbers), dtype=np.int64)
    rest = numbers.copy()
    while (longer := rest > 1).any():
        n_touches += longer
        rest >>= step
    offsets = np.concatenate([[0], np.cumsum(n_touches)]).astype(np.int64)
    codes = np.empty(offsets[-1] + room, dtype=np.int32)
    rest, of_one = numbers.copy(), np.uint64((1 << bits) - 1)
    for place in range(int(n_touches.max(initial=0))):
        at = n_touches > place
        codes[offsets[:-1][at] + place] = (rest[at] & of_one).astype(np.int32)
        rest >>= step
    return codes, offsets
