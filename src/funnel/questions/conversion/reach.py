"""How many leads reach each stage by an age, each counted for as long as it was followed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.contract.errors import ParameterError
from funnel.results import Result
from funnel.stats.multistate import NOTHING, States

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SUFFIX = "_age"
_MOST_TIMES = 10_000
_HOURS = 24


@dataclass(frozen=True, eq=False, kw_only=True)
class ReachByAge(Result):
    """The share of leads that have reached each stage by an age, and the value they bring by then.

    `table` has one row per age and stage, in order:

    - `age_days`, `stage`, `n` (leads), `n_followed` (leads at least that old at the end);
    - `reached` (0 to 1), `reached_low`, `reached_high`: of all leads;
    - `rate`, `rate_low`, `rate_high`: of those who reached the stage before (of all, for the
      first), with `n_before`, the leads seen to reach that one by this age;
    - `value_per_lead`, `value_per_lead_low`, `value_per_lead_high`: the same for every stage of
      an age; `value_per_win` is it over the last stage's `reached`.

    Where no lead was followed to an age, and not all have won or left, its figures are missing.
    """

    as_of: dt.date | None = None
    unit: str = field(default="leads")

    @property
    def headline(self) -> str:
        """The last stage at the last age that is known."""
        known = self.table.dropna(subset="reached")
        if known.empty:
            return "No lead was followed for as long as was asked."
        last = known[known["age_days"] == known["age_days"].max()].iloc[-1]
        return (
            f"By day {last['age_days']:g}, {last['reached']:.1%} of {last['n']:,} {self.unit} "
            f"reach {last['stage']} [{last['reached_low']:.1%} to {last['reached_high']:.1%}]."
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Bars of `reached` by stage, with intervals."""
        from funnel.questions.conversion import charts

        return charts.reach(self, ax)


def reach_by_age(
    leads: pd.DataFrame,
    age_days: float | Iterable[float],
    *,
    level: float = 0.9,
    as_of: dt.date | None = None,
) -> ReachByAge:
    """Estimate the share of leads that reach each stage by an age, young leads included.

    Every lead speaks for as long as it was followed, and no longer: among those standing at a
    stage at an age, the share that moves on then. So a cohort of young leads does not look as if
    it converted less.

    Parameters
    ----------
    leads
        One row per lead. `<stage>_age` for each stage in order (days from creation to the first
        entry, missing if not yet; a skipped stage counts as reached with the next one),
        `follow_up` (days the lead has been watched), and, if known, `lost_age` (days to a final
        exit: what comes after it is not counted) and `value` (of the win, currency).
    age_days
        The age or ages to speak for, days, 0 or more. An entry at exactly this age counts.
    level
        Of the intervals.
    as_of
        The day the frame speaks for; needed only to `keep` the result in a snapshot.

    Returns
    -------
    ReachByAge
        One row per age and stage.

    Raises
    ------
    ParameterError
        If there is no stage, or a lead was not followed for a known time.

    Notes
    -----
    The Aalen-Johansen estimator of a progressive model whose states are the highest stage
    reached, and one for the lost of each: the product over all times of I + dA, where dA holds
    moves over leads at risk. Greenwood's covariance goes along, the value being a mark on the
    last move. Intervals of shares are Wilson's at the effective size p(1 - p)/variance, which
    hold their level where a log-log interval does not (shares near 0, few leads), and are the
    usual ones where nobody is censored. Where some who stand at a stage are the last ones followed
    there, the high end grants that all of them move on. For the value's interval
    see `funnel.stats.value_per_lead`. With more than 10,000 different times, ages are cut to
    whole hours.

    References
    ----------
    Aalen and Johansen (1978), Scand. J. Statist. 5, 141-150; Andersen, Borgan, Gill and Keiding
    (1993), Statistical Models Based on Counting Processes, section IV.4; Wilson (1927).

    Examples
    --------
    >>> leads = pd.DataFrame({"mql_age": [2, 5, None, None], "won_age": [9, None, None, None],
    ...                       "follow_up": [40, 40, 40, 3], "value": [100, 0, 0, 0]})
    >>> reach_by_age(leads, 30).table[["stage", "reached", "value_per_lead"]].round(3)
      stage  reached  value_per_lead
    0   mql    0.625           31.25
    1   won    0.312           31.25
    """
    stages = [c[: -len(_SUFFIX)] for c in leads if c.endswith(_SUFFIX) and c != "lost_age"]
    ages = np.unique(np.atleast_1d(np.asarray(age_days, float)))
    if not stages or "follow_up" not in leads:
        raise ParameterError(
            "reach_by_age needs a column `<stage>_age` for each stage, and `follow_up`; it has "
            f"{', '.join(map(repr, leads.columns))}."
        )
    if not ages.size or not (ages >= 0).all():
        raise ParameterError(f"age_days={age_days!r} must be 0 or more days.")
    entries, lost, follow_up, n_early = _times(leads, stages)
    value = leads["value"].to_numpy(float) if "value" in leads else None
    cohort = _Cohort.of(entries, lost, follow_up, value, ages)
    table = pd.concat(cohort.curves(ages, stages, level), ignore_index=True)
    caveats = (
        (f"{n_early:,} entries are dated before the lead's creation; they count at age 0.",)
        if n_early
        else ()
    )
    return ReachByAge(table=table, as_of=as_of, level=level, written_caveats=caveats, units=_UNITS)


_UNITS = {
    "age_days": "days",
    "reached": "share of leads",
    "rate": "share of the stage before",
    "value_per_lead": "currency",
    "value_per_win": "currency",
}


def _times(
    leads: pd.DataFrame, stages: list[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Entries (stages, leads) with skipped stages filled, losses and follow-up; none is missing."""
    follow_up = leads["follow_up"].to_numpy(float)
    wrong = int((~np.isfinite(follow_up) | (follow_up < 0)).sum())
    if wrong:
        raise ParameterError(
            f"reach_by_age: {wrong:,} of {len(leads):,} leads have no `follow_up` of 0 or more "
            "days. A lead speaks for as long as it was followed, so each needs one."
        )
    entries = leads[[f"{stage}{_SUFFIX}" for stage in stages]].to_numpy(float).T
    n_early = int((entries < 0).sum())
    entries = np.where(np.isnan(entries), np.inf, np.maximum(entries, 0.0))
    entries = np.minimum.accumulate(entries[::-1], axis=0)[::-1]
    lost = np.full(len(leads), np.inf)
    if "lost_age" in leads:
        given = leads["lost_age"].to_numpy(float)
        lost = np.where(np.isnan(given), np.inf, np.maximum(given, 0.0))
    lost = np.where(entries[-1] <= lost, np.inf, lost)  # who has won is not lost afterwards
    return entries, lost, follow_up, n_early


@dataclass(frozen=True, eq=False)
class _Cohort:
    """Leads as times, and what happens at each of them.

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
    ) -> _Cohort:
        times, grid = _event_times(entries, lost, follow_up, ages[-1]), 0.0
        if times.size > _MOST_TIMES:
            grid = 1 / _HOURS
            entries, lost, follow_up = (
                np.floor(t / grid) * grid for t in (entries, lost, follow_up)
            )
            times = _event_times(entries, lost, follow_up, ages[-1])
        worth = np.zeros(lost.shape) if value is None else np.nan_to_num(value)
        origin, target, at, lead = _every_move(entries, lost, follow_up)
        n_states = len(entries) + 1
        within = at <= ages[-1]
        origin, target, lead = origin[within], target[within], lead[within]
        step = np.searchsorted(times, at[within])
        landed = target < n_states
        stays = (entries <= np.minimum(lost, follow_up)).sum(axis=0)
        watched = np.isinf(lost) | (lost > follow_up)
        gone = np.searchsorted(times, follow_up[watched], "right")
        shape = times.size + 1, n_states
        change = _counted(step[landed] + 1, target[landed], shape)
        change -= _counted(step + 1, origin, shape)
        change -= _counted(gone, stays[watched], shape)
        change[0, 0] += lost.size
        won = np.where(target == n_states - 1, worth[lead], 0.0)
        moves = _added_up(step, origin, target, won, 2 * n_states)
        risk = change[:-1].cumsum(axis=0)
        return cls(
            entries, lost, follow_up, grid, None if value is None else worth, times, risk, moves
        )

    def curves(self, ages: NDArray, stages: list[str], level: float) -> list[pd.DataFrame]:
        """One table per age; the state is carried on from each to the next."""
        state = States.before_all(len(stages))
        columns = [self.moves[name].to_numpy() for name in ("origin", "target", "n", "v", "vv")]
        begins = np.searchsorted(self.moves["step"], np.arange(self.times.size + 1))
        tables, done = [], 0
        for age in ages:
            upto = int(np.searchsorted(self.times, age, side="right"))
            for step in range(done, upto):
                rows = slice(begins[step], begins[step + 1])
                state.move(self.risk[step], *(column[rows] for column in columns))
            done = upto
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
        if not n or (not is_followed.any() and state.p[:n_stages].sum() > NOTHING):
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
    """Count how often each place of a table is named."""
    return np.bincount(row * shape[1] + column, minlength=shape[0] * shape[1]).reshape(shape)


def _added_up(
    step: NDArray, origin: NDArray, target: NDArray, value: NDArray, n_states: int
) -> pd.DataFrame:
    """Add up equal moves: how many, their value and its square; in order of time."""
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
