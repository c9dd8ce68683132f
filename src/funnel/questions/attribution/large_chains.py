"""Markov chains of many states, solved without each channel, all channels at once.

Journeys are short, so a Krylov method converges within some tens of steps. Where it does not (one
journey of very many touches), the system is factorised.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_NEAR = 1e-14  # of the right side; aimed at
_NEAR_ENOUGH = 1e-12  # of the right side; beyond, the system is factorised
_MOST_STEPS = 200
_TINY = 1e-300

Floats = NDArray[np.float64]


def solve_without_channels(
    steps: csr_array, channel: NDArray[np.int64], n_channels: int, right: Floats
) -> Floats:
    """Solution of a chain without each channel: expected wins, or expected visits of states.

    Parameters
    ----------
    steps
        Chance of each step, states by states; transposed for expected visits.
    channel
        Of each state.
    n_channels
        Number of channels.
    right
        Expected win at the next step from each state; or the share of journeys that begin in it.

    Returns
    -------
    ndarray
        States by channels; 0 in the states that a channel's removal closes.

    References
    ----------
    Van der Vorst (1992), SIAM J. Sci. Stat. Comput. 13, 631-644, for the stabilised biconjugate
    gradients.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> steps = csr_array(np.array([[0.0, 0.5], [0.0, 0.0]]))
    >>> solve_without_channels(steps, np.arange(2), 2, np.ones(2)).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    >>> solve_without_channels(steps.T.tocsr(), np.arange(2), 2, np.array([1.0, 0.0])).tolist()
    [[0.0, 1.0], [0.0, 0.0]]
    """
    is_open = (channel[:, None] != np.arange(n_channels)).astype(np.float64)
    rights = right[:, None] * is_open

    def without_steps(values: Floats) -> Floats:
        stepped = steps @ values
        stepped *= is_open
        return np.subtract(values, stepped, out=stepped)

    found = _by_krylov(without_steps, rights)
    left = np.linalg.norm(rights - without_steps(found), axis=0)
    for x in np.flatnonzero(~(left <= _NEAR_ENOUGH * np.linalg.norm(rights, axis=0))):
        found[:, x] = _factorised(steps, is_open[:, x] > 0, right)
    return found


def _by_krylov(system: Callable[[Floats], Floats], rights: Floats) -> Floats:
    """Solution of all columns at once, by stabilised biconjugate gradients."""
    found = rights.copy()
    rest = rights - system(found)
    shadow, direction = rest.copy(), rest.copy()
    near = _NEAR * np.linalg.norm(rights, axis=0)
    product = _dot(shadow, rest)
    for _ in range(_MOST_STEPS):
        is_left = np.linalg.norm(rest, axis=0) > near
        if not is_left.any():
            break
        ahead = system(direction)
        length = _ratio(product, _dot(shadow, ahead)) * is_left
        found += length * direction
        rest -= length * ahead
        mended = system(rest)
        weight = _ratio(_dot(mended, rest), _dot(mended, mended)) * is_left
        found += weight * rest
        rest -= weight * mended
        earlier, product = product, _dot(shadow, rest)
        turn = _ratio(product, earlier) * _ratio(length, weight)
        direction = rest + turn * (direction - weight * ahead)
    return found


def _factorised(steps: csr_array, kept: NDArray[np.bool_], right: Floats) -> Floats:
    from scipy.sparse import eye_array
    from scipy.sparse.linalg import splu

    values, places = np.zeros(len(right)), np.flatnonzero(kept)
    if len(places):
        system = (eye_array(len(places)) - steps[places][:, places]).tocsc()
        values[places] = splu(system).solve(right[places])
    return values


def _dot(one: Floats, other: Floats) -> Floats:
    return np.einsum("ij,ij->j", one, other)


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(part), where=np.abs(whole) > _TINY)
