"""Removal effects of a Markov chain over channels: exact, from one inverse, with no simulation.

A journey is a walk from a start over its touches to a win or to null. A channel is removed by
sending every step into it to null; its removal effect is the share of wins that is then lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from funnel.contract.errors import ParameterError
from funnel.methods.paths.coded_paths import CodedPaths
from funnel.questions.attribution.large_chains import solve_without_channels
from funnel.questions.attribution.sampling_distribution import Influence, Sample, of_wins

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MOST_ORDER = 4
_MOST_DENSE = 1000  # states up to which one dense inverse is less work than sparse solving
_FEW_TRANSITIONS = 10_000  # up to which the influence of each is computed once
_MOST_LISTED = 2**26  # possible transitions up to which they are looked up in a table
_TINY = 1e-300

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Chain:
    """Journeys counted by their transitions.

    A state is the last touches of a journey: `order` of them, or all there are so far. Each touch
    is entered by a transition: a start, or a step from one state to another.

    Attributes
    ----------
    transition
        The transition by which each touch of the paths was entered.
    origin, target
        The state that each transition leaves (-1 for a start), and the one it enters.
    count
        How many journeys made each transition.
    channel
        The channel of each state's last touch.
    wins, value
        What is won in each state.
    n_channels
        How many channels there are.
    """

    transition: NDArray[np.int32]
    origin: NDArray[np.int64]
    target: NDArray[np.int64]
    count: Floats
    channel: NDArray[np.int64]
    wins: Floats
    value: Floats
    n_channels: int

    @cached_property
    def start(self) -> Floats:
        """Journeys that begin in each state."""
        begins = self.origin < 0
        return np.bincount(self.target[begins], self.count[begins], len(self.channel))

    @cached_property
    def steps(self) -> Floats:
        """Journeys from one state (row) to another (column); sparse where states are many."""
        from scipy.sparse import csr_array

        inner, n = self.origin >= 0, len(self.channel)
        places = (self.origin[inner], self.target[inner])
        counted = csr_array((self.count[inner], places), shape=(n, n))
        return counted.toarray() if n <= _MOST_DENSE else counted

    @property
    def n(self) -> float:
        """How many journeys there are."""
        return float(self.start.sum())

    @cached_property
    def left(self) -> Floats:
        """How often each state is entered and left; 1 where it never is, so as to divide by it."""
        visits = np.bincount(self.target, self.count, len(self.channel))
        return np.where(visits > 0, visits, 1.0)

    @cached_property
    def inverse(self) -> Floats:
        """Fundamental matrix: visits of each state (column) by a journey in another (row)."""
        return np.linalg.inv(np.eye(len(self.left)) - self.steps / self.left[:, None])

    @cached_property
    def chances(self) -> csr_array:
        """Chance of each step, states by states, where they are many."""
        return (self.steps.T / self.left).T.tocsr()

    @cached_property
    def reached(self) -> Floats:
        """Expected visits of each state (row) by a journey, with each channel (column) removed."""
        start = self.start / max(self.n, _TINY)
        if isinstance(self.steps, np.ndarray):
            return _removed(self, self.inverse.T, start)
        return solve_without_channels(self.chances.T.tocsr(), self.channel, self.n_channels, start)

    def gain(self, *, of_value: bool) -> Floats:
        """Expected win at the next step from each state: a share of a win, or value."""
        return (self.value if of_value else self.wins) / self.left

    def ahead(self, *, of_value: bool) -> Floats:
        """Expected win from each state (row) on, with each channel (column) removed."""
        gain = self.gain(of_value=of_value)
        if isinstance(self.steps, np.ndarray):
            return _removed(self, self.inverse, gain)
        return solve_without_channels(self.chances, self.channel, self.n_channels, gain)


@dataclass(frozen=True, eq=False)
class Removal:
    """Worth of a journey with all channels, and without each: a share of a win, or value."""

    worth: float
    without: Floats

    @property
    def effects(self) -> Floats:
        """Removal effect of each channel: share of wins lost without it; NaN without wins."""
        if abs(self.worth) < _TINY:
            return np.full(len(self.without), np.nan)
        return np.clip(1.0 - self.without / self.worth, 0.0, 1.0)


def chain(paths: CodedPaths, order: int = 1) -> Chain:
    """Markov chain of journeys, counted by transitions between states.

    Paths without a touch do not count. A state remembers `order` touches.

    Raises
    ------
    ParameterError
        If the order is not 1 to 4.

    Examples
    --------
    >>> paths = CodedPaths.of([["a", "b"], ["a"]], conversions=[1, 0], nulls=[0, 1])
    >>> counted = chain(paths)
    >>> counted.start.tolist(), counted.steps.tolist()
    ([2.0, 0.0], [[0.0, 1.0], [0.0, 0.0]])
    """
    if isinstance(order, bool) or order not in range(1, MOST_ORDER + 1):
        raise ParameterError(f"order={order!r} must be a whole number from 1 to {MOST_ORDER}.")
    base = len(paths.channels) + 1
    transition, seen, count = count_transitions(paths, int(order) + 1)
    # the latest touch is the last digit: a transition is the state it leaves, and one digit more
    after, before = seen % base ** int(order), seen // base
    states, target = np.unique(after, return_inverse=True)
    n = len(states)
    last = target[transition[paths.lasts]]
    on = paths.is_traced
    return Chain(
        transition=transition,
        origin=np.where(before > 0, np.searchsorted(states, before), -1),
        target=target,
        count=count,
        channel=states % base - 1,
        wins=np.bincount(last, paths.conversions[on], n),
        value=np.bincount(last, paths.value[on], n),
        n_channels=base - 1,
    )


def removal(counted: Chain, *, of_value: bool = False) -> Removal:
    """Worth of a journey with all channels and without each, in value or in wins.

    Notes
    -----
    With N the inverse of (1 - Q), s the shares that begin in each state and r what a state wins at
    its next step, a journey is worth s N r. Without the states X of a channel, states are reached
    a - a_X inv(N_XX) N_X times, with a = s N; for order 1 a channel's removal costs
    a_x (N r)_x / N_xx. N is made once, and serves wins and value.

    References
    ----------
    Anderl, Becker, von Wangenheim and Schumann (2016), International Journal of Research in
    Marketing 33, 457-474, for the removal effect. Kemeny and Snell (1960), Finite Markov Chains,
    chapter 3, for the fundamental matrix.

    Examples
    --------
    >>> paths = CodedPaths.of([["a", "b", "c"], ["a"], ["b", "c"]],
    ...                      conversions=[1, 0, 0], nulls=[0, 1, 1])
    >>> removal(chain(paths)).effects.round(12).tolist()
    [0.5, 1.0, 1.0]
    """
    # each state is reached as often as it was visited, so all channels are worth what was won
    won = (counted.value if of_value else counted.wins).sum()
    without = counted.gain(of_value=of_value) @ counted.reached
    return Removal(float(won) / max(counted.n, _TINY), without)


def _removed(counted: Chain, inverse: Floats, right: Floats) -> Floats:
    """Solution of the chain without each channel (column), from the inverse with all of them."""
    solved = inverse @ right
    found = np.tile(solved[:, None], counted.n_channels)
    order = np.argsort(counted.channel, kind="stable")
    ends = np.searchsorted(counted.channel[order], np.arange(1, counted.n_channels))
    for x, at in enumerate(np.split(order, ends)):
        if len(at):
            block = inverse[np.ix_(at, at)]
            found[:, x] -= inverse[:, at] @ np.linalg.solve(block, solved[at])
            found[at, x] = 0.0
    return found


def influences(
    paths: CodedPaths,
    counted: Chain,
    worth_of_win: Floats,
    sample: Sample,
    *,
    of_value: bool,
    of_shares: bool = True,
) -> Iterator[Influence]:
    """Influence of one more journey of each path of a sample on the removal effects.

    With `of_shares`, on each effect's share of their sum. A block of paths at a time.

    References
    ----------
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 22, for the
    infinitesimal jackknife.
    """
    from scipy.sparse import csr_array

    removed = removal(counted, of_value=of_value)
    n, worth, without = counted.n, removed.worth, removed.without
    pull = counted.reached / counted.left[:, None]
    ahead = counted.ahead(of_value=of_value)
    begins, origin, target = counted.origin < 0, counted.origin, counted.target
    # an effect is 1 - without / worth, and one more journey changes both
    kept = without / worth
    by_end, by_worth = pull * ahead, kept / n - pull
    if of_shares:
        by_worth = in_shares(by_worth, removed.effects)

    def steps(some: NDArray[np.int64]) -> Floats:
        left, entered = origin[some], target[some]
        found = pull[left] * (ahead[left] - ahead[entered])
        first = begins[some]
        found[first] = (without - ahead[entered[first]]) / n - kept * (worth / n)
        return found

    last = np.zeros(paths.n_paths, dtype=np.int64)
    last[paths.is_traced] = target[counted.transition[paths.lasts]]
    # few transitions are computed once; of many, those that a block of paths made
    of_all = steps(np.arange(len(target))) if len(target) <= _FEW_TRANSITIONS else None
    for some in sample.taken(paths.is_traced[sample.at]).in_blocks(len(without)):
        touches, offsets = paths.touches_of(some.at)
        made, of_each = counted.transition[touches], of_all
        if of_each is None:
            met, made = np.unique(made, return_inverse=True)
            of_each = steps(met)
        by_path = csr_array((np.ones(len(made)), made, offsets), shape=(len(some.at), len(of_each)))
        by_journey = by_path @ of_each + by_end[last[some.at]]
        if of_shares:
            by_journey = in_shares(by_journey, removed.effects)
        by_journey /= worth
        yield Influence(by_journey, paths.nulls[some.at], some.stands_for, np.zeros(len(some.at)))
        won = paths.conversions[some.at] > 0
        wins = some.taken(won)
        by_win = by_worth[last[wins.at]] / worth
        yield of_wins(paths, worth_of_win, wins, by_journey[won], by_win)


def in_shares(slopes: Floats, effects: Floats) -> Floats:
    """Derivatives of each effect's share of their sum, from derivatives of the effects."""
    total = effects.sum()
    if not total:
        return np.zeros_like(slopes)
    return (slopes - np.outer(slopes.sum(axis=1), effects / total)) / total


def count_transitions(
    paths: CodedPaths, most: int
) -> tuple[NDArray[np.int32], NDArray[np.int64], Floats]:
    """Number of the transition that enters each touch; each one's key, and its journeys.

    A key is the last `most` touches as one number with a digit for each.

    Raises
    ------
    ParameterError
        If there are so many channels that no number holds that many touches.

    Examples
    --------
    >>> paths = CodedPaths.of([["a", "b"], ["b"]], conversions=[2, 1], nulls=[0, 4])
    >>> [each.tolist() for each in count_transitions(paths, 2)]
    [[0, 2, 1], [1, 2, 5], [2.0, 5.0, 2.0]]
    """
    base = len(paths.channels) + 1
    if base**most >= 2**62:
        raise ParameterError(
            f"order={most - 1} is too much for {base - 1:,} channels: there are too many states."
        )
    keys = np.empty(len(paths.codes), dtype=np.int32 if base**most < 2**31 else np.int64)
    for touches, some in paths.in_blocks():
        keys[touches] = _last_touches(some, most, keys.dtype)
    seen, number = _seen(keys, base**most)
    count = np.zeros(len(seen))
    for touches, some in paths.in_blocks():
        keys[touches] = number(keys[touches])
        count += np.bincount(keys[touches], some.went_by_touch, len(seen))
    return keys.astype(np.int32, copy=False), seen, count


def _last_touches(paths: CodedPaths, most: int, kind: np.dtype) -> NDArray:
    """Key of the last touches of a journey up to each touch: one number, a digit for each."""
    base = len(paths.channels) + 1
    latest = paths.codes.astype(kind) + 1
    whole, earlier = latest.copy(), np.empty_like(latest)
    for _ in range(most - 1):
        earlier[1:] = whole[:-1]
        earlier[paths.firsts] = 0
        np.multiply(earlier, base, out=whole)
        whole += latest
    return whole


def _seen(keys: NDArray, most: int) -> tuple[NDArray[np.int64], Callable[[NDArray], NDArray]]:
    """Distinct keys in order, and a function that gives the place of a key among them."""
    if most > _MOST_LISTED:
        import pandas as pd

        seen = np.sort(pd.unique(keys))
        return seen, lambda some: np.searchsorted(seen, some)
    met = np.zeros(most, dtype=bool)
    met[keys] = True
    seen = np.flatnonzero(met)
    number = np.zeros(most, dtype=np.int32)
    number[seen] = np.arange(len(seen))
    return seen, number.__getitem__
