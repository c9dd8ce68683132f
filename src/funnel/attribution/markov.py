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

from funnel.attribution.coded import CodedPaths
from funnel.attribution.sureness import Moves, in_blocks
from funnel.attribution.walking import solved_without
from funnel.errors import ParameterError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MOST_ORDER = 4
_MOST_DENSE = 1000  # states up to which one dense inverse is less work than sparse solving
_MOST_LISTED = 2**26  # moves that there could be, up to which they are looked up in a table
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


@dataclass(frozen=True, eq=False)
class Removal:
    """What a chain is worth with all channels, and without each.

    Attributes
    ----------
    worth
        Per journey: the share that is won, or the value.
    without
        The same without each channel.
    reached
        Per channel and state: how often a journey enters the state where the channel is removed.
    ahead
        Per channel and state: what is still to come from the state where the channel is removed.
    """

    worth: float
    without: Floats
    reached: Floats
    ahead: Floats

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
    move, seen = _numbered(_last_touches(ways, int(order) + 1), base ** (int(order) + 1))
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
        went=_moves_of(ways, move, len(seen)).T @ (ways.conversions + ways.nulls),
        channel=states % base - 1,
        wins=np.bincount(last, ways.conversions[on], n),
        value=np.bincount(last, ways.value[on], n),
        nulls=np.bincount(last, ways.nulls[on], n),
        n_channels=base - 1,
    )


def removal(counted: Chain, *, of_value: bool = False, needs_states: bool = False) -> Removal:
    """Work out what is won without each channel.

    Parameters
    ----------
    counted
        What `chain` counted.
    of_value
        Whether what is won is counted in value, else in wins.
    needs_states
        Whether `reached` and `ahead` are asked for too; they are empty otherwise.

    Notes
    -----
    With N the inverse of (1 - Q), s the shares that begin in each state, r what a state wins at
    its next step, a = s N and b = N r, a journey is worth s b. Without the states X of a channel
    it is worth less by a_X inv(N_XX) b_X; for order 1 that is a_x b_x / N_xx. N is made once.

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
    visits = counted.visits
    left = np.where(visits > 0, visits, 1.0)
    start = counted.start / max(counted.n, _TINY)
    gain = (counted.value if of_value else counted.wins) / left
    # what a chain is worth is what was won: each state is reached as often as it was visited
    worth = float((counted.value if of_value else counted.wins).sum()) / max(counted.n, _TINY)
    if isinstance(counted.steps, np.ndarray):
        return _dense(counted, worth, start, gain, left, needs_states)
    steps = (counted.steps.T / left).T.tocsr()
    to_come, entered = solved_without(
        steps, counted.channel, counted.n_channels, gain, start if needs_states else None
    )
    if not needs_states:
        return Removal(worth, start @ to_come, *_nothing())
    return Removal(worth, start @ to_come, entered.T, to_come.T)


def _last_touches(ways: CodedPaths, most: int) -> NDArray[np.int64]:
    """Write the last touches of a journey up to each touch as one number, a digit a touch."""
    base = len(ways.channels) + 1
    if base**most >= 2**62:
        raise ParameterError(
            f"order={most - 1} is too much for {base - 1:,} channels: there are too many states."
        )
    latest = ways.codes.astype(np.int32 if base**most < 2**31 else np.int64) + 1
    whole, earlier = latest.copy(), np.empty_like(latest)
    for _ in range(most - 1):
        earlier[1:] = whole[:-1]
        earlier[ways.firsts] = 0
        np.multiply(earlier, base, out=whole)
        whole += latest
    return whole


def _numbered(keys: NDArray[np.int64], most: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Give each key that is met its number, in their order."""
    if most <= _MOST_LISTED:
        met = np.zeros(most, dtype=bool)
        met[keys] = True
        seen = np.flatnonzero(met)
        number = np.zeros(most, dtype=np.int32)
        number[seen] = np.arange(len(seen))
        return number[keys], seen
    import pandas as pd

    place, found = pd.factorize(keys)
    order = np.argsort(found)
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order))
    return rank[place], found[order].astype(np.int64)


def _moves_of(ways: CodedPaths, move: NDArray[np.int32], n: int) -> csr_array:
    from scipy.sparse import csr_array

    return csr_array((np.ones(len(move)), move, ways.offsets), shape=(ways.n_paths, n))


def _dense(
    counted: Chain, worth: float, start: Floats, gain: Floats, left: Floats, needs_states: bool
) -> Removal:
    n, k = len(start), counted.n_channels
    inverse = np.linalg.inv(np.eye(n) - counted.steps / left[:, None])
    reached, ahead = start @ inverse, inverse @ gain
    without = np.full(k, worth)
    of_channel = _places(counted.channel, k)
    if not needs_states and max((len(at) for at in of_channel), default=0) <= 1:
        without[counted.channel] -= reached * ahead / np.diag(inverse)
        return Removal(worth, without, *_nothing())
    reached_without = np.tile(reached, (k, 1)) if needs_states else np.zeros((0, 0))
    ahead_without = np.tile(ahead, (k, 1)) if needs_states else np.zeros((0, 0))
    for x, at in enumerate(of_channel):
        if not len(at):
            continue
        block = inverse[np.ix_(at, at)]
        first_met = np.linalg.solve(block.T, reached[at])
        without[x] = worth - first_met @ ahead[at]
        if needs_states:
            reached_without[x] -= first_met @ inverse[at]
            ahead_without[x] -= inverse[:, at] @ np.linalg.solve(block, ahead[at])
            reached_without[x, at] = ahead_without[x, at] = 0.0
    return Removal(worth, without, reached_without, ahead_without)


def _places(channel: NDArray[np.int64], k: int) -> list[NDArray[np.int64]]:
    order = np.argsort(channel, kind="stable")
    return np.split(order, np.searchsorted(channel[order], np.arange(1, k)))


def _nothing() -> tuple[Floats, Floats]:
    return np.zeros((0, 0)), np.zeros((0, 0))


def influences(
    ways: CodedPaths, counted: Chain, removed: Removal, chosen: NDArray[np.int64]
) -> Iterator[Moves]:
    """Say how much one more journey of each path would move the removal effects.

    Parameters
    ----------
    ways, counted
        The paths, and their chain.
    removed
        What `removal` made of it, with its states.
    chosen
        The paths asked for.

    Returns
    -------
    iterator of Moves
        Some paths at a time.

    References
    ----------
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 22, for the
    infinitesimal jackknife.
    """
    n, worth, without = counted.n, removed.worth, removed.without
    left = np.where(counted.visits > 0, counted.visits, 1.0)
    pull, ahead = removed.reached.T / left[:, None], removed.ahead.T
    kept = without / worth
    begins = counted.origin < 0
    # an effect is 1 - without / worth, and one more journey moves both
    step = pull[counted.origin] * (ahead[counted.target] - ahead[counted.origin])
    step[begins] = (ahead[counted.target[begins]] - without) / n
    step /= -worth
    end = pull * ahead / worth
    last = np.zeros(ways.n_paths, dtype=np.int64)
    last[ways.is_traced] = counted.target[counted.move[ways.lasts]]
    moves = _moves_of(ways, counted.move, len(step))
    for at in in_blocks(chosen, len(without)):
        on = ways.is_traced[at][:, None]
        by_journey = (moves[at] @ step + end[last[at]] - kept / n) * on
        yield Moves(at, by_journey, (kept / n - pull[last[at]]) / worth * on)
