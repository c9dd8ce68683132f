"""Paths of up to 63 bits, each encoded as one uint64.

The code of each touch takes as many bits as the number of channels needs. A set bit above the last
touch marks the end. With 20 channels (5 bits) a path of 12 touches fits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from funnel.methods.paths.runs import offsets_of

_BITS = 63  # of 64; the last one may have to mark the end


def bits_of(n_channels: int) -> int:
    """Bits that the code of a touch takes.

    Examples
    --------
    >>> bits_of(20)
    5
    """
    return max(1, (n_channels - 1).bit_length())


def packed(
    codes: NDArray, offsets: NDArray[np.int64], bits: int
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Each path as a number, and whether it fits; the number of a path that does not is no code.

    Examples
    --------
    >>> numbers, fits = packed(np.array([1, 0, 1]), np.array([0, 2, 3, 3]), bits=2)
    >>> [f"{number:b}" for number in numbers], fits.tolist()
    (['10001', '101', '1'], [True, True, True])
    """
    n_touches = np.diff(offsets)
    fits = n_touches * bits <= _BITS
    numbers = np.uint64(1) << np.where(fits, n_touches * bits, 0).astype(np.uint64)
    traced = np.flatnonzero(n_touches)
    if len(traced):
        starts = offsets[:-1][traced]
        # how far to the left each code goes: a step more than the one before; none at a start
        left = np.full(len(codes), bits, dtype=np.int64)
        left[0] = 0
        left[starts[1:]] -= bits * n_touches[traced[:-1]]
        np.cumsum(left, out=left)
        # the shift overflows where a path does not fit
        numbers[traced] += np.add.reduceat(codes.astype(np.uint64) << left.view(np.uint64), starts)
    return numbers, fits


def unpacked(
    numbers: NDArray[np.uint64], bits: int, room: int = 0
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Codes and offsets of paths from their numbers; `codes` has `room` more entries at its end.

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
    offsets = offsets_of(n_touches)
    codes = np.empty(offsets[-1] + room, dtype=np.int32)
    rest, of_one = numbers.copy(), np.uint64((1 << bits) - 1)
    for place in range(int(n_touches.max(initial=0))):
        at = n_touches > place
        codes[offsets[:-1][at] + place] = (rest[at] & of_one).astype(np.int32)
        rest >>= step
    return codes, offsets
