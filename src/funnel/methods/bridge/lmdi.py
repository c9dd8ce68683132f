"""A second way to share a product's change out: the logarithmic mean Divisia index (LMDI).

It weighs relative changes by the logarithmic mean of the values, where the Shapley value averages
over orders. It too hangs on no order and leaves nothing over; but it knows no zero and no sign.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.longdouble]


def shares_by_log_mean(old: Floats, new: Floats) -> Floats:
    """Give what a unit of each factor is worth: log mean of the products over that of the factor.

    Parameters
    ----------
    old, new
        Factors of each segment (rows) in the two periods.

    Returns
    -------
    ndarray
        Of their shape. A factor's change times this is its part, and a segment's parts add up to
        the change of its product. Not a number for segments with a factor of 0 or less; where both
        products are 0, and so nothing is to be shared out, it is 0.

    References
    ----------
    Ang and Liu (2001), Energy 26, 537-548; Ang (2015), Energy Policy 86, 233-238.

    Examples
    --------
    >>> old, new = np.array([[100.0, 0.1]]), np.array([[200.0, 0.1]])
    >>> ((new - old) * shares_by_log_mean(old, new)).round(6).tolist()
    [[10.0, 0.0]]
    """
    usable = ((old > 0) & (new > 0)).all(axis=1)
    is_empty = (old.prod(axis=1) == 0) & (new.prod(axis=1) == 0)
    shares = np.where(is_empty[:, None], 0, np.full_like(old, np.nan))
    value = _log_mean(old[usable].prod(axis=1), new[usable].prod(axis=1))
    shares[usable] = value[:, None] / _log_mean(old[usable], new[usable])
    return shares


def _log_mean(a: Floats, b: Floats) -> Floats:
    """Give (a - b) / (ln a - ln b), the mean that lies between the geometric and arithmetic."""
    apart = a != b
    ratio = np.log1p((a - b) / b, where=apart, out=np.ones_like(a))
    return np.where(apart, (a - b) / ratio, a)
