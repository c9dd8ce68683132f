"""Shapley values of games over channels, exact, by sums over sets and not by orders."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from funnel.contract.errors import ParameterError
from funnel.methods.paths.coded_paths import CodedPaths

MOST_CHANNELS = 16  # 2 ** 16 sets; beyond, the channels with the fewest touches are pooled
MOST_OF_A_GAME = 24


def shapley_values(worth: ArrayLike) -> NDArray[np.float64]:
    """Exact Shapley value of each player in any game over sets.

    Parameters
    ----------
    worth
        What each set of players is worth, along the last axis: 2 ** players of them. Player *i* is
        in the sets whose number has bit *i*; set 0 is nobody. Further axes in front hold further
        games.

    Returns
    -------
    ndarray
        One value per player along the last axis; they add up to the worth of all players, less
        that of nobody.

    Raises
    ------
    ParameterError
        If the number of sets is no power of 2, or there are more than 24 players.

    References
    ----------
    Shapley (1953), A value for n-person games, Contributions to the Theory of Games 2. A game's
    dividends (Harsanyi 1963) come from one Moebius transform over sets, and each set's dividend is
    shared alike by its members.

    Examples
    --------
    >>> shapley_values([0, 1, 2, 5]).tolist()
    [2.0, 3.0]
    """
    dividends = np.array(worth, dtype="float64")
    n_sets = dividends.shape[-1] if dividends.ndim else 0
    players = max(n_sets, 1).bit_length() - 1
    if n_sets != 2**players or players > MOST_OF_A_GAME:
        raise ParameterError(
            f"shapley_values: {n_sets:,} sets are not those of 1 to {MOST_OF_A_GAME} players; "
            "there must be one worth for each of 2 ** players sets."
        )
    _over_subsets(dividends, np.subtract)
    dividends /= np.maximum(np.bitwise_count(np.arange(n_sets)), 1)
    values = np.zeros((*dividends.shape[:-1], players))
    for i in range(players):
        halves = dividends.reshape(*dividends.shape[:-1], -1, 2, 2**i)
        values[..., i] = halves[..., 1, :].sum(axis=(-1, -2))
    return values


def rate_game(
    wins: ArrayLike, journeys: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wins per journey of each set of channels, among journeys that need no other channel.

    Parameters
    ----------
    wins, journeys
        Per set, along the last axis: what was won, and by how many journeys, whose channels are
        just that set.

    Returns
    -------
    tuple of ndarray
        The rate of each set, 0 for the empty set and for sets that no journey lies in; and how
        many journeys lie in it.

    Examples
    --------
    >>> rates, within = rate_game([0, 1, 0, 3], [0, 4, 2, 6])
    >>> rates.tolist(), within.tolist()
    ([0.0, 0.25, 0.0, 0.3333333333333333], [0.0, 4.0, 2.0, 12.0])
    """
    wins, journeys = np.array(wins, dtype="float64"), np.array(journeys, dtype="float64")
    for counts in (wins, journeys):
        counts[..., 0] = 0.0
        _over_subsets(counts, np.add)
    rates = np.divide(wins, journeys, out=np.zeros_like(wins), where=journeys > 0)
    return rates, journeys


def rate_slopes(
    rates: NDArray[np.float64], journeys: NDArray[np.float64], sets: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Influence of one more journey of each set on the Shapley values of the game of rates.

    A journey changes the rate of each set that holds its own; the Shapley value weighs these.

    Returns
    -------
    tuple of ndarray
        Sets by players each: the influence of the journey, won or not; and that of each unit
        of a win's worth.

    Examples
    --------
    >>> rates, journeys = rate_game([0, 1], [0, 4])
    >>> by_journey, by_worth = rate_slopes(rates, journeys, np.array([1]))
    >>> by_journey.tolist(), by_worth.tolist()
    ([[-0.0625]], [[0.25]])
    """
    players = int(math.log2(len(rates)))
    sizes = np.bitwise_count(np.arange(len(rates)))
    numbers = np.arange(1, players + 1)
    joins = 1.0 / (numbers * np.array([math.comb(players, s) for s in numbers]))
    of_members = np.concatenate([[0.0], joins])[sizes]
    # a set without the player is what it joins, one smaller
    of_others = np.append(-joins, 0.0)[sizes]
    one = np.divide(1.0, journeys, out=np.zeros_like(journeys), where=journeys > 0)
    by_journey, by_worth = np.zeros((2, len(sets), players))
    for i in range(players):
        has = (np.arange(len(rates)) >> i) & 1 > 0
        weight = np.where(has, of_members, of_others) * one
        both = np.stack([-weight * rates, weight])
        _over_supersets(both)
        by_journey[:, i], by_worth[:, i] = both[:, sets]
    return by_journey, by_worth


def channel_sets(paths: CodedPaths) -> tuple[NDArray[np.int64], NDArray]:
    """Number of the set of channels on each path.

    Returns
    -------
    tuple of ndarray
        Per path the number of its set, and per channel the bit it has in it. Of more than 16
        channels, those with the fewest touches share the last bit.

    Examples
    --------
    >>> sets, bits = channel_sets(CodedPaths.of([["a", "b", "a"], ["b"]], conversions=[1, 1]))
    >>> sets.tolist(), bits.tolist()
    ([3, 2], [0, 1])
    """
    k = len(paths.channels)
    bits = np.arange(k)
    if k > MOST_CHANNELS:
        bits[np.argsort(-paths.met, kind="stable")] = np.minimum(bits, MOST_CHANNELS - 1)
    marks = np.int64(1) << bits
    sets = [_set_of_each(some, marks) for _, some in paths.in_blocks()]
    return np.concatenate(sets) if sets else np.zeros(0, dtype=np.int64), bits


def _set_of_each(paths: CodedPaths, marks: NDArray[np.int64]) -> NDArray[np.int64]:
    sets = np.zeros(paths.n_paths, dtype=np.int64)
    if len(paths.codes):
        sets[paths.is_traced] = np.bitwise_or.reduceat(marks[paths.codes], paths.firsts)
    return sets


def _over_subsets(values: NDArray[np.float64], combine: np.ufunc) -> None:
    """Add (or subtract) the values of all subsets, in place: a zeta or Moebius transform."""
    players = int(math.log2(values.shape[-1]))
    for i in range(players):
        halves = values.reshape(*values.shape[:-1], -1, 2, 2**i)
        combine(halves[..., 1, :], halves[..., 0, :], out=halves[..., 1, :])


def _over_supersets(values: NDArray[np.float64]) -> None:
    """Add the values of all supersets, in place."""
    players = int(math.log2(values.shape[-1]))
    for i in range(players):
        halves = values.reshape(*values.shape[:-1], -1, 2, 2**i)
        halves[..., 0, :] += halves[..., 1, :]
