"""Removal effects of a Markov chain over channels: exact, from one inverse, with no simulation.

A journey walks from a start over its touches to a win or to null. What a channel is worth is read
off the same chain without it, where every step into it goes to null instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from funnel.attribution.coded import CodedPaths
from funnel.errors import ParameterError

MOST_ORDER = 4
_MOST_DENSE = 1500  # states up to which one dense inverse is less work than sparse solving
_TINY = 1e-300

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Chain:
    """Journeys counted by their steps.

    A state is the last touches of a journey: `order` of them, or all there are so far.

    Attributes
    ----------
    state
        The state after each touch of the paths.
    channel
        The channel of each state's last touch.
    start
        Journeys that begin in each state.
    steps
        Journeys that go from one state (row) to another (column): an array where there are few
        states, a sparse one where there are many.
    wins, value, nulls
        What ends in each state.
    n_channels
        How many channels there are.
    """

    state: NDArray[np.int64]
    channel: NDArray[np.int64]
    start: Floats
    steps: Floats
    wins: Floats
    value: Floats
    nulls: Floats
    n_channels: int

    @property
    def n(self) -> float:
        """How many journeys there are."""
        return float(self.start.sum())

    @property
    def visits(self) -> Floats:
        """How often each state is entered, which is how often it is left."""
        return np.asarray(self.steps.sum(axis=0)).ravel() + self.start


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
    """Count the steps of journeys between states.

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
    k = len(ways.channels)
    state, channel = _states(ways, int(order))
    n = len(channel)
    went = ways.conversions + ways.nulls
    on = ways.is_traced
    first, last = state[ways.firsts], state[ways.lasts]
    is_whole = bool((went == np.rint(went)).all())
    weight = ways.spread(went) if is_whole else went[ways.path_of]
    weight[ways.lasts] = 0.0
    return Chain(
        state=state,
        channel=channel,
        start=np.bincount(first, went[on], n),
        steps=_steps(state[:-1], state[1:], weight[:-1], n),
        wins=np.bincount(last, ways.conversions[on], n),
        value=np.bincount(last, ways.value[on], n),
        nulls=np.bincount(last, ways.nulls[on], n),
        n_channels=k,
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
    if isinstance(counted.steps, np.ndarray):
        return _dense(counted, start, gain, left, needs_states)
    return _sparse(counted, start, gain, left, needs_states)


def _states(ways: CodedPaths, order: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give each touch its state, and each state the channel it ends in."""
    k = len(ways.channels)
    if order == 1:
        return ways.codes.astype(np.int64), np.arange(k)
    key = ways.codes.astype(np.int64) + 1
    whole = key.copy()
    for back in range(1, order):
        earlier = np.zeros_like(key)
        earlier[back:] = key[:-back]
        earlier[ways.place < back] = 0
        whole += earlier * np.int64(k + 1) ** back
    seen, state = np.unique(whole, return_inverse=True)
    return state, seen % (k + 1) - 1


def _steps(origin: NDArray[np.int64], target: NDArray[np.int64], weight: Floats, n: int) -> Floats:
    if n <= _MOST_DENSE:
        pair = origin * n
        pair += target
        return np.bincount(pair, weight, n * n).reshape(n, n)
    from scipy.sparse import coo_array

    steps = coo_array((weight, (origin, target)), shape=(n, n)).tocsr()
    steps.eliminate_zeros()
    return steps


def _dense(
    counted: Chain, start: Floats, gain: Floats, left: Floats, needs_states: bool
) -> Removal:
    n, k = len(start), counted.n_channels
    inverse = np.linalg.inv(np.eye(n) - counted.steps / left[:, None])
    reached, ahead = start @ inverse, inverse @ gain
    worth = float(start @ ahead)
    without = np.full(k, worth)
    of_channel = _places(counted.channel, k)
    if not needs_states and np.array_equal(counted.channel, np.arange(k)):
        return Removal(worth, worth - reached * ahead / np.diag(inverse), *_nothing())
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


def _sparse(
    counted: Chain, start: Floats, gain: Floats, left: Floats, needs_states: bool
) -> Removal:
    """Solve the chain without each channel: more solving, and no inverse that fills up."""
    from scipy.sparse import diags_array, eye_array
    from scipy.sparse.linalg import splu

    n, k = len(start), counted.n_channels
    system = (eye_array(n) - diags_array(1.0 / left) @ counted.steps).tocsc()
    worth = float(start @ splu(system).solve(gain))
    without = np.full(k, worth)
    reached = np.zeros((k, n)) if needs_states else np.zeros((0, 0))
    ahead = np.zeros((k, n)) if needs_states else np.zeros((0, 0))
    for x in np.unique(counted.channel):
        kept = np.flatnonzero(counted.channel != x)
        if not len(kept):
            without[x] = 0.0
            continue
        solver = splu(system[kept][:, kept])
        to_come = solver.solve(gain[kept])
        without[x] = start[kept] @ to_come
        if needs_states:
            ahead[x, kept] = to_come
            reached[x, kept] = solver.solve(start[kept], trans="T")
    return Removal(worth, without, reached, ahead)


def _places(channel: NDArray[np.int64], k: int) -> list[NDArray[np.int64]]:
    order = np.argsort(channel, kind="stable")
    return np.split(order, np.searchsorted(channel[order], np.arange(1, k)))


def _nothing() -> tuple[Floats, Floats]:
    return np.zeros((0, 0)), np.zeros((0, 0))


def influences(
    ways: CodedPaths, counted: Chain, removed: Removal, *, of_value: bool = False
) -> tuple[Floats, Floats]:
    """Say how much one more journey of each path would move the removal effects.

    Parameters
    ----------
    ways, counted
        The paths, and their chain.
    removed
        What `removal` made of it, with its states.
    of_value
        As it was there.

    Returns
    -------
    tuple of ndarray
        Shape (paths, channels) each: the derivative of each channel's effect by the number of
        journeys of the path that are won, and by those that are not.

    References
    ----------
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 22, for the
    infinitesimal jackknife.
    """
    k, n, worth = counted.n_channels, counted.n, removed.worth
    left = np.where(counted.visits > 0, counted.visits, 1.0)
    each = worth_of_one(ways, of_value=of_value)
    won, lost = np.zeros((ways.n_paths, k)), np.zeros((ways.n_paths, k))
    on, at = ways.is_traced, counted.state
    first, last = at[ways.firsts], at[ways.lasts]
    follows = np.append(at[1:], 0)
    for x in range(k):
        pull, ahead, without = removed.reached[x] / left, removed.ahead[x], removed.without[x]
        step = pull[at] * (ahead[follows] - ahead[at])
        step[ways.lasts] = -pull[last] * ahead[last]
        base = np.add.reduceat(step, ways.firsts) if len(step) else step
        base += (ahead[first] - without) / n
        # an effect is 1 - without / worth, and one more journey moves both
        kept = without / worth
        lost[on, x] = (-kept * worth / n - base) / worth
        won[on, x] = (kept * (each[on] - worth) / n - base - pull[last] * each[on]) / worth
    return won, lost


def worth_of_one(ways: CodedPaths, *, of_value: bool) -> Floats:
    """Give what one win of each path is worth: its mean value, or one win; 0 without a win."""
    what = ways.value if of_value else ways.conversions
    return np.divide(what, ways.conversions, out=np.zeros_like(what), where=ways.conversions > 0)
