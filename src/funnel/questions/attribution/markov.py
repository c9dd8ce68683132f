"""Removal effects of a Markov chain over channels: exact, from one inverse, with no simulation.

A journey walks from a start over its touches to a win or to null. What a channel is worth is read
off the same chain without it, where every step into it goes to null instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from funnel.contract.errors import ParameterError
from funnel.methods.paths.coded_paths import CodedPaths
from funnel.questions.attribution.large_chains import walked
from funnel.questions.attribution.sampling_distribution import Measure, Moves, Sample
from funnel.questions.attribution.transitions import counted_moves

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MOST_ORDER = 4
_MOST_DENSE = 1000  # states up to which one dense inverse is less work than sparse solving
_FEW_MOVES = 10_000  # up to which what each of them moves is worked out once
_TINY = 1e-300

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Chain:
    """Journeys counted by their moves.

    A state is the last touches of a journey: `order` of them, or all there are so far. Each touch
    is entered by a move: a start, or a step from one state to another.

    Attributes
    ----------
    move
        The move by which each touch of the paths was entered.
    origin, target
        The state that each move leaves (-1 for a start), and the one it enters.
    went
        How many journeys made each move.
    channel
        The channel of each state's last touch.
    wins, value, nulls
        What ends in each state.
    n_channels
        How many channels there are.
    """

    move: NDArray[np.int32]
    origin: NDArray[np.int64]
    target: NDArray[np.int64]
    went: Floats
    channel: NDArray[np.int64]
    wins: Floats
    value: Floats
    nulls: Floats
    n_channels: int

    @cached_property
    def start(self) -> Floats:
        """Journeys that begin in each state."""
        begins = self.origin < 0
        return np.bincount(self.target[begins], self.went[begins], len(self.channel))

    @cached_property
    def steps(self) -> Floats:
        """Journeys from one state (row) to another (column); sparse where states are many."""
        from scipy.sparse import csr_array

        inner, n = self.origin >= 0, len(self.channel)
        places = (self.origin[inner], self.target[inner])
        counted = csr_array((self.went[inner], places), shape=(n, n))
        return counted.toarray() if n <= _MOST_DENSE else counted

    @property
    def n(self) -> float:
        """How many journeys there are."""
        return float(self.start.sum())

    @cached_property
    def visits(self) -> Floats:
        """How often each state is entered, which is how often it is left."""
        return np.bincount(self.target, self.went, len(self.channel))

    @cached_property
    def left(self) -> Floats:
        """How often each state is left; 1 where it never is, so that one can divide by it."""
        return np.where(self.visits > 0, self.visits, 1.0)

    @cached_property
    def inverse(self) -> Floats:
        """How often each state (column) is entered by a journey that is in another (row)."""
        return np.linalg.inv(np.eye(len(self.left)) - self.steps / self.left[:, None])

    @cached_property
    def chances(self) -> csr_array:
        """Chance of each step, states by states, where they are many."""
        return (self.steps.T / self.left).T.tocsr()

    @cached_property
    def reached(self) -> Floats:
        """How often a journey enters each state (row) where each channel (column) is removed."""
        start = self.start / max(self.n, _TINY)
        if isinstance(self.steps, np.ndarray):
            return _removed(self, self.inverse.T, start)
        return walked(self.chances.T.tocsr(), self.channel, self.n_channels, start)

    def gain(self, *, of_value: bool) -> Floats:
        """Give what each state wins at its next step: a share of a win, or value."""
        return (self.value if of_value else self.wins) / self.left

    def ahead(self, *, of_value: bool) -> Floats:
        """Give what is to come from each state (row) where each channel (column) is removed."""
        gain = self.gain(of_value=of_value)
        if isinstance(self.steps, np.ndarray):
            return _removed(self, self.inverse, gain)
        return walked(self.chances, self.channel, self.n_channels, gain)


@dataclass(frozen=True, eq=False)
class Removal:
    """What a journey is worth with all channels, and without each: a share of a win, or value."""

    worth: float
    without: Floats

    @property
    def effects(self) -> Floats:
        """Share of what is won that is lost without each channel; NaN where nothing is won."""
        if abs(self.worth) < _TINY:
            return np.full(len(self.without), np.nan)
        return np.clip(1.0 - self.without / self.worth, 0.0, 1.0)


def chain(ways: CodedPaths, order: int = 1) -> Chain:
    """Count the moves of journeys between states.

    Parameters
    ----------
    ways
        Paths in numbers. Those without a touch, and those that nobody went, do not count.
    order
        How many touches a state remembers, 1 to 4.

    Raises
    ------
    ParameterError
        If the order is not one of these.

    Examples
    --------
    >>> ways = CodedPaths.of([["a", "b"], ["a"]], conversions=[1, 0], nulls=[0, 1])
    >>> counted = chain(ways)
    >>> counted.start.tolist(), counted.steps.tolist()
    ([2.0, 0.0], [[0.0, 1.0], [0.0, 0.0]])
    """
    if isinstance(order, bool) or order not in range(1, MOST_ORDER + 1):
        raise ParameterError(f"order={order!r} must be a whole number from 1 to {MOST_ORDER}.")
    base = len(ways.channels) + 1
    move, seen, went = counted_moves(ways, int(order) + 1)
    # the latest touch is the last digit: a move is the state it leaves, and one digit more
    after, before = seen % base ** int(order), seen // base
    states, target = np.unique(after, return_inverse=True)
    n = len(states)
    last = target[move[ways.lasts]]
    on = ways.is_traced
    return Chain(
        move=move,
        origin=np.where(before > 0, np.searchsorted(states, before), -1),
        target=target,
        went=went,
        channel=states % base - 1,
        wins=np.bincount(last, ways.conversions[on], n),
        value=np.bincount(last, ways.value[on], n),
        nulls=np.bincount(last, ways.nulls[on], n),
        n_channels=base - 1,
    )


def removal(counted: Chain, *, of_value: bool = False) -> Removal:
    """Work out what is won without each channel.

    Parameters
    ----------
    counted
        What `chain` counted.
    of_value
        Whether what is won is counted in value, else in wins.

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
    >>> ways = CodedPaths.of([["a", "b", "c"], ["a"], ["b", "c"]],
    ...                      conversions=[1, 0, 0], nulls=[0, 1, 1])
    >>> removal(chain(ways)).effects.round(12).tolist()
    [0.5, 1.0, 1.0]
    """
    # each state is reached as often as it was visited, so all channels are worth what was won
    won = (counted.value if of_value else counted.wins).sum()
    without = counted.gain(of_value=of_value) @ counted.reached
    return Removal(float(won) / max(counted.n, _TINY), without)


def _removed(counted: Chain, inverse: Floats, right: Floats) -> Floats:
    """Solve the chain without each channel (column), from the inverse with all of them."""
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
    ways: CodedPaths,
    counted: Chain,
    measure: Measure,
    sample: Sample,
    *,
    of_value: bool,
    of_shares: bool = True,
) -> Iterator[Moves]:
    """Say how much one more journey of each path would move the removal effects.

    Parameters
    ----------
    ways, counted
        The paths, and their chain.
    measure
        What is won.
    sample
        The paths asked for.
    of_value
        As in `removal`.
    of_shares
        Whether each effect's share of their sum is asked for, else the effect.

    Returns
    -------
    iterator of Moves
        Some paths at a time.

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
    # an effect is 1 - without / worth, and one more journey moves both
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

    last = np.zeros(ways.n_paths, dtype=np.int64)
    last[ways.is_traced] = target[counted.move[ways.lasts]]
    # few moves are worked out once; of many, those that some paths made
    of_all = steps(np.arange(len(target))) if len(target) <= _FEW_MOVES else None
    for some in sample.taken(ways.is_traced[sample.at]).in_blocks(len(without)):
        touches, offsets = ways.touches_of(some.at)
        move, of_moves = counted.move[touches], of_all
        if of_moves is None:
            met, move = np.unique(move, return_inverse=True)
            of_moves = steps(met)
        made = csr_array((np.ones(len(move)), move, offsets), shape=(len(some.at), len(of_moves)))
        by_journey = made @ of_moves + by_end[last[some.at]]
        if of_shares:
            by_journey = in_shares(by_journey, removed.effects)
        by_journey /= worth
        yield Moves(by_journey, ways.nulls[some.at], some.stands_for, np.zeros(len(some.at)))
        won = ways.conversions[some.at] > 0
        wins = some.taken(won)
        yield from measure.of_wins(ways, wins, by_journey[won], by_worth[last[wins.at]] / worth)


def in_shares(moves: Floats, effects: Floats) -> Floats:
    """Turn derivatives of effects into those of each effect's share of their sum."""
    total = effects.sum()
    if not total:
        return np.zeros_like(moves)
    return (moves - np.outer(moves.sum(axis=1), effects / total)) / total
