"""Leads on their path through ordered stages, by age: shares reached, rates, and value per lead.

The Aalen-Johansen estimator of a progressive model. Its states are the highest stage reached, and
one for the leads lost from each. A single step is in `funnel.stats.survival`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.stats.survival import NOTHING, share_interval

_MOST_TIMES = 10_000  # with more different times, ages are cut to whole hours
_HOURS = 24
_AS_WINS = 2  # wins that the usual spread counts as: one or two wins show no spread of their own
_USUAL_SPREAD = 1.0  # standard deviation of log deal sizes
_LARGEST_SPREAD = 3.0**0.5  # bounds what a few wins of very different size seem to show


@dataclass(frozen=True, eq=False)
class Cohort:
    """Leads as times, and the moves between states at each of them.

    States are 0 (before the first stage) to K (the last), then the lost of 0 to K - 1. A move is
    a row of `steps`, `origin`, `target`, `n`, with the sums of the value and of its square;
    `risk` holds who stands in each state just before each time, shape (times, K + 1).
    """

    entries: NDArray
    lost: NDArray
    follow_up: NDArray
    grid: float
    worth: NDArray | None
    times: NDArray
    risk: NDArray
    moves: pd.DataFrame

    @classmethod
    def of(
        cls,
        entries: NDArray,
        lost: NDArray,
        follow_up: NDArray,
        value: NDArray | None,
        ages: NDArray,
    ) -> Cohort:
        """Count the moves of leads up to the oldest of some ages.

        Parameters
        ----------
        entries
            Days from creation to each stage; shape (stages, leads), infinite where not reached.
        lost, follow_up
            Days to a final exit (infinite: none) and to the end of the data, one per lead.
        value
            What a lead's win brings, currency; missing where no amounts are recorded.
        ages
            In days, in order.
        """
        times, grid = _event_times(entries, lost, follow_up, ages[-1]), 0.0
        if times.size > _MOST_TIMES:
            grid = 1 / _HOURS
            entries, lost, follow_up = (
                np.floor(t / grid) * grid for t in (entries, lost, follow_up)
            )
            lost = np.where(entries[-1] <= lost, np.inf, lost)  # won and lost within one hour
            times = _event_times(entries, lost, follow_up, ages[-1])
        worth = np.zeros(lost.shape) if value is None else np.nan_to_num(value)
        origin, target, at, lead = _every_move(entries, lost, follow_up)
        n_states = len(entries) + 1
        within = at <= ages[-1]
        origin, target, lead = origin[within], target[within], lead[within]
        step = np.searchsorted(times, at[within])
        landed = target < n_states
        stands = (entries <= np.minimum(lost, follow_up)).sum(axis=0)
        watched = np.isinf(lost) | (lost > follow_up)
        leaves_at = np.searchsorted(times, follow_up[watched], "right")
        shape = times.size + 1, n_states
        change = _counted(step[landed] + 1, target[landed], shape)
        change -= _counted(step + 1, origin, shape)
        change -= _counted(leaves_at, stands[watched], shape)
        change[0, 0] += lost.size
        won = np.where(target == n_states - 1, worth[lead], 0.0)
        moves = _added_up(step, origin, target, won, 2 * n_states)
        risk = change[:-1].cumsum(axis=0)
        return cls(
            entries, lost, follow_up, grid, None if value is None else worth, times, risk, moves
        )

    def curves(self, ages: NDArray, stages: list[str], level: float) -> list[pd.DataFrame]:
        """One table per age, with a row per stage, as `funnel.reach_by_age` returns it."""
        step, tables = self.moves["step"], []
        for age in ages:
            upto = int(np.searchsorted(self.times, age, side="right"))
            moves = self.moves.iloc[: int(np.searchsorted(step, upto))]
            state = States.after(self.risk[:upto], moves)
            tables.append(self._at(age, stages, state, level))
        return tables

    def _at(self, age: float, stages: list[str], state: States, level: float) -> pd.DataFrame:
        n_stages, n = self.entries.shape
        last = np.minimum(self.lost, self.follow_up)
        is_followed = self.follow_up >= (
            np.floor(age / self.grid) * self.grid if self.grid else age
        )
        n_seen = (self.entries <= np.minimum(last, age)).sum(axis=1)
        standing = np.bincount(
            (self.entries <= age).sum(axis=0)[is_followed & (self.lost > age)],
            minlength=n_stages + 1,
        )
        n_settled = int((is_followed | (self.lost <= last) | (self.entries[-1] <= last)).sum())
        reached = state.reached(level, n_settled)
        rate = state.rate(level, np.concatenate([[n], n_seen[:-1]]))
        granted = state.granted(standing)
        reached["high"] = np.minimum(reached["high"] + granted, 1.0)
        rate["high"] = np.minimum(rate["high"] + granted, 1.0)
        worth = dict.fromkeys(("is", "low", "high"), np.nan)
        if self.worth is not None:
            wins = self.worth[self.entries[-1] <= np.minimum(last, age)]
            worth = state.value(level, wins, tuple(ends[-1] for ends in reached.values()))
        table = pd.DataFrame(
            {
                "age_days": age,
                "stage": stages,
                "n": n,
                "n_followed": int(is_followed.sum()),
                **_named("reached", reached),
                **_named("rate", rate),
                "n_before": np.concatenate([[n], n_seen[:-1]]),
                **_named("value_per_lead", worth),
                "value_per_win": worth["is"] / reached["is"][-1] if reached["is"][-1] else np.nan,
            }
        )
        if not n or (not is_followed.any() and state.standing.sum() > NOTHING):
            known = [c for c in table if c.startswith(("reached", "rate", "value"))]
            table[known] = np.nan
        return table


def _event_times(entries: NDArray, lost: NDArray, follow_up: NDArray, upto: float) -> NDArray:
    last = np.minimum(lost, np.minimum(follow_up, upto))
    return np.unique(np.concatenate([entries[entries <= last], lost[lost <= last]]))


def _every_move(
    entries: NDArray, lost: NDArray, follow_up: NDArray
) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Origin, target, time and lead of each move; several stages in one moment are one move."""
    n_stages = len(entries)
    last = np.minimum(lost, follow_up)
    found = []
    for k in range(1, n_stages + 1):
        at = entries[k - 1]
        goes_on = entries[k] <= at if k < n_stages else np.zeros(at.shape, bool)
        lead = np.flatnonzero((at <= last) & ~goes_on)
        target = np.where(lost[lead] == at[lead], n_stages + 1 + k, k)
        found.append(((entries[:, lead] < at[lead]).sum(axis=0), target, at[lead], lead))
    lead = np.flatnonzero((lost <= follow_up) & ~(entries == lost).any(axis=0))
    stood = (entries[:, lead] <= lost[lead]).sum(axis=0)
    found.append((stood, n_stages + 1 + stood, lost[lead], lead))
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def _counted(row: NDArray, column: NDArray, shape: tuple[int, int]) -> NDArray:
    """How often each place of a table is named."""
    return np.bincount(row * shape[1] + column, minlength=shape[0] * shape[1]).reshape(shape)


def _added_up(
    step: NDArray, origin: NDArray, target: NDArray, value: NDArray, n_states: int
) -> pd.DataFrame:
    """Equal moves added up: how many, their value and its square; in order of time."""
    key = (step * n_states + origin) * n_states + target
    order = np.argsort(key, kind="stable")
    first = np.flatnonzero(np.diff(key[order], prepend=-1))
    sums = {"n": np.ones(key.size), "v": value[order], "vv": value[order] ** 2}
    moves = {
        name: column[order[first]]
        for name, column in zip(_MOVE, (step, origin, target), strict=True)
    }
    return pd.DataFrame(
        moves | {name: np.add.reduceat(column, first) for name, column in sums.items()}
    )


_MOVE = ("step", "origin", "target")


def _named(name: str, found: dict[str, NDArray]) -> dict[str, NDArray]:
    return {name: found["is"], f"{name}_low": found["low"], f"{name}_high": found["high"]}


@dataclass(frozen=True, eq=False)
class States:
    """Shares that stand at each stage and that have reached it, and the value so far.

    `standing` has one share per stage from 0 (before the first) to K - 1; `share` those that have
    reached 0 (all) to K, then the value per lead; `covariance` is of `share`, and `squares` the sum
    of the squared masses that each win carries.
    """

    standing: NDArray
    share: NDArray
    covariance: NDArray
    squares: float

    @classmethod
    def after(cls, risk: NDArray, moves: pd.DataFrame) -> States:
        """States after moves, all leads standing before the first stage at first.

        Parameters
        ----------
        risk
            Who stands in each state just before each time, shape (times, K + 1).
        moves
            As those of a `Cohort`, at these times.

        Notes
        -----
        Moves only go up, so both the shares that stand in a state and what a lead in it still
        gains follow from the states below or above it, by one recursion over all times. Each time
        and state adds the covariance of one draw per lead at risk: where it moves, with what it
        gains by that and later. That is Greenwood's covariance, for all times at once.
        """
        n_times, last = risk.shape[0], risk.shape[1] - 1
        step, origin, target, n, value, squared = (
            moves[name].to_numpy() for name in (*_MOVE, "n", "v", "vv")
        )
        at_risk = risk[step, origin]
        chance = n / at_risk
        remain = 1 - np.stack(
            [np.bincount(step, chance * (origin == k), n_times) for k in range(last)]
        )
        standing = np.zeros((last, n_times + 1))
        for k in range(last):
            rows = target == k
            arrive = chance[rows] * standing[origin[rows], step[rows]]
            arrive = np.bincount(step[rows], arrive, n_times)
            standing[k] = _carried(remain[k], arrive[:, None], float(k == 0))[:, 0]
        weight = standing[origin, step] ** 2 / at_risk
        stages = np.arange(last + 1)
        highest = np.where(target > last, target - last - 1, target)[:, None]
        gain = np.column_stack([(origin[:, None] < stages) & (stages <= highest), value / n])
        later = np.zeros((last + 1, n_times + 1, last + 2))  # nothing more once won or lost
        covariance = np.zeros((last + 2, last + 2))
        for k in range(last)[::-1]:
            rows = origin == k
            at, odds = step[rows], chance[rows, None]
            whole = gain[rows] + later[np.minimum(target[rows], last), at + 1]
            gained = _by_step(at, odds * whole, n_times)
            later[k] = _carried(remain[k][::-1], gained[::-1])[::-1]
            whole -= later[k, at + 1]
            mean = _by_step(at, odds * whole, n_times)
            of_mean = np.zeros((n_times, 1))
            of_mean[at, 0] = weight[rows]
            covariance += (weight[rows, None] * odds * whole).T @ whole - (of_mean * mean).T @ mean
        covariance[-1, -1] += (weight * (squared - value**2 / n) / at_risk).sum()
        won = target == last
        return cls(
            standing[:, -1],
            later[0, 0] + np.eye(1, last + 2)[0],
            covariance,
            float((weight * chance)[won].sum()),
        )

    def reached(self, level: float, n_settled: int) -> dict[str, NDArray]:
        """Shares that have reached each stage; `n_settled` is the size where none or all have."""
        variance = np.diag(self.covariance)[1:-1]
        return _with_interval(self.share[1:-1], variance, n_settled, level)

    def rate(self, level: float, n_before: NDArray) -> dict[str, NDArray]:
        """Conversion rates: shares of the leads that reached the stage before."""
        share = self.share[:-1]
        is_possible = share[:-1] > NOTHING
        before = np.where(is_possible, share[:-1], 1.0)
        rate = share[1:] / before
        which = np.eye(*self.covariance.shape)[: share.size]
        slope = (which[1:] - rate[:, None] * which[:-1]) / before[:, None]
        variance = np.einsum("ki,ij,kj->k", slope, self.covariance, slope)
        found = _with_interval(rate, variance, n_before, level)
        return {name: np.where(is_possible, ends, np.nan) for name, ends in found.items()}

    def value(
        self, level: float, wins: NDArray, reached: tuple[float, float, float]
    ) -> dict[str, float]:
        """Value per lead; `wins` are the amounts seen, `reached` the share won with its ends."""
        share, worth = self.share[-2:]
        if not worth > 0:
            return {"is": worth, "low": worth, "high": np.nan}
        slope = np.array([-1 / share, 1 / worth])
        scatter = max(float(slope @ self.covariance[-2:, -2:] @ slope), 0.0)
        low, high = value_interval(worth, reached, wins, share**2 / self.squares, scatter, level)
        return {"is": worth, "low": low, "high": high}

    def granted(self, standing: NDArray) -> NDArray:
        """Probability below each stage of states in which no lead is followed any more."""
        stuck = np.where(standing[: self.standing.size] > 0, 0.0, self.standing)
        return np.cumsum(np.where(stuck > NOTHING, stuck, 0.0))


def _carried(remain: NDArray, adds: NDArray, start: float = 0.0) -> NDArray:
    """Rows x[0] = start, x[i + 1] = remain[i] x[i] + adds[i]; a bidiagonal system."""
    from scipy.linalg import solve_banded

    bands = np.ones((2, len(remain) + 1))
    bands[1, :-1] = -remain
    right = np.concatenate([np.full((1, adds.shape[1]), start), adds])
    return solve_banded((1, 0), bands, right, overwrite_b=True, check_finite=False)


def _by_step(step: NDArray, columns: NDArray, n_times: int) -> NDArray:
    """Sums of columns at each time; shape (times, columns)."""
    return np.stack([np.bincount(step, column, n_times) for column in columns.T], axis=1)


def _with_interval(
    share: NDArray, variance: NDArray, n_if_certain: NDArray | int, level: float
) -> dict[str, NDArray]:
    low, high = share_interval(share, variance, n_if_certain, level)
    return {"is": np.clip(share, 0.0, 1.0), "low": low, "high": high}


def value_interval(
    value: float,
    reached: tuple[float, float, float],
    wins: NDArray,
    n_effective: float,
    scatter: float,
    level: float = 0.9,
) -> tuple[float, float]:
    """Interval of the value per lead: the share won, times the mean of the wins.

    Parameters
    ----------
    value
        Value per lead, currency.
    reached
        Share won, and the ends of its interval, 0 to 1.
    wins
        The wins that are seen, currency each; missing amounts are 0.
    n_effective
        Wins of equal weight that would say as much as these do.
    scatter
        Variance of the mean win over its square, as counted from the wins.
    level
        Of the interval.

    Returns
    -------
    tuple
        Low and high end. Without any value the low end is the value itself, and the high end is
        missing: what a win would bring is not known.

    Notes
    -----
    The mean win has a t interval on the log scale. A sample of few deals seldom holds the largest
    sizes, and so lacks most of the variance. The variance is therefore at least that of a
    log-normal that spreads like the upper half of the wins. The share and the mean are then
    combined on the log scale, each end by its own distance (Zou and Donner 2008).

    References
    ----------
    Zou and Donner (2008), Statistics in Medicine 27, 1693-1702. Zhou and Gao (1997), Statistics
    in Medicine 16, 783-790, for means of log-normal amounts.

    Examples
    --------
    >>> wins = np.array([50.0, 100, 200, 400])
    >>> low, high = value_interval(75.0, (0.4, 0.2, 0.6), wins, 4, 0.17)
    >>> round(low), round(high)
    (19, 265)
    """
    from scipy.special import stdtrit

    if not value > 0:
        return value, float("nan")
    share, low, high = reached
    freedom = _AS_WINS + len(wins) - 1
    seen = scatter * len(wins) / max(len(wins) - 1, 1)
    implied = _log_normal_scatter(wins, freedom) / max(n_effective, 1.0)
    error = stdtrit(freedom, (1 + level) / 2) * np.sqrt(max(seen, implied))
    down = np.hypot(np.log(share / low), error) if low > 0 else np.inf
    up = np.hypot(np.log(high / share), error)
    return float(value * np.exp(-down)), float(value * np.exp(up))


def _log_normal_scatter(wins: NDArray, freedom: int) -> float:
    """Squared variation of a log-normal that spreads as the upper half of the wins does."""
    logs = np.log(wins[wins > 0])
    above = np.maximum(logs - np.median(logs), 0.0)
    squares = _AS_WINS * _USUAL_SPREAD**2 + 2 * float((above**2).sum())
    spread = min(squares / freedom, _LARGEST_SPREAD**2)
    return float(np.exp(spread) * len(wins) / len(logs) - 1)
