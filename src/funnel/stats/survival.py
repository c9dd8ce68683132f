"""Time until an outcome where some are still waiting: shares by a time, times, intervals.

The one estimator of the package for a single step: Aalen and Johansen's cumulative incidence of
competing outcomes, which is one less Kaplan and Meier's estimate where there is only one outcome.
Several steps in a row, and the value that comes with the last, are in `funnel.stats.multistate`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from funnel.contract.errors import ParameterError
from funnel.stats.intervals import wilson

NOTHING = 1e-12  # probabilities and shares closer to a bound than this are taken to be there


class ShareBy(NamedTuple):
    """A share by a time, its interval, and how many are known: followed so long, or done before."""

    share: float
    low: float
    high: float
    n_known: int


@dataclass(frozen=True, eq=False)
class Incidence:
    """Cumulative incidence of one or several competing outcomes.

    Attributes
    ----------
    days, outcome, entry
        One per row: when it was last seen, which outcome it then had (0 for none, censored), and
        when it came under observation.
    times
        Days at which any outcome happens, in order.
    at_risk
        Rows followed at each time, and without an outcome before it.
    events, shares
        Outcomes at each time, and the share that each has come to by it; shape (outcomes, times).
    event_free
        Share without any outcome after each time.
    """

    days: NDArray[np.float64]
    outcome: NDArray[np.int64]
    entry: NDArray[np.float64]
    times: NDArray[np.float64]
    at_risk: NDArray[np.float64]
    events: NDArray[np.float64]
    shares: NDArray[np.float64]
    event_free: NDArray[np.float64]

    def share(self, by: ArrayLike, outcome: int = 1) -> NDArray[np.float64]:
        """Share that has had an outcome by a time: a step function, level after the last time."""
        steps = np.concatenate([[0.0], self.shares[outcome - 1]])
        return steps[np.searchsorted(self.times, by, side="right")]

    def by(self, time: float, level: float, outcome: int = 1) -> ShareBy:
        """Share that has had an outcome by a time, with its interval.

        An event at exactly this time counts. Wilson's interval at the size at which a plain share
        has the estimate's variance. Not a number where nobody was followed for so long.

        References
        ----------
        Dorey and Korn (1987), Statistics in Medicine 6, 679-687, for the effective size.
        """
        is_done = (self.outcome > 0) & (self.days <= time)
        n_known = int((is_done | (self.days >= time) & (self.entry <= time)).sum())
        if not n_known:
            return ShareBy(np.nan, np.nan, np.nan, 0)
        share, variance = float(self.share(time, outcome)), self.variance(time, outcome)
        low, high = share_interval(share, variance, n_known, level, most=len(self.days))
        return ShareBy(share, float(low), float(high), n_known)

    def variance(self, time: float, outcome: int = 1) -> float:
        """Variance of `share` by a time: Greenwood's, where there is one outcome.

        Each time adds the variance of one draw per row at risk: it ends with this outcome, with
        another, or stays and has it later by the chance that is left.
        """
        upto = int(np.searchsorted(self.times, time, side="right"))
        if not upto:
            return 0.0
        shares, free = self.shares[outcome - 1][:upto], self.event_free[:upto]
        before, at_risk = np.concatenate([[1.0], free[:-1]]), self.at_risk[:upto]
        hazard = self.events[outcome - 1][:upto] / at_risk
        remains = 1 - self.events[:, :upto].sum(axis=0) / at_risk
        later = np.divide(shares[-1] - shares, free, out=np.zeros(upto), where=free > NOTHING)
        mean = hazard + remains * later
        return float((before**2 * (hazard + remains * later**2 - mean**2) / at_risk).sum())

    def restricted_mean(self, upto: float) -> tuple[float, float]:
        """Mean time without any outcome, counted up to a time, and its standard error.

        The area under the share without an outcome; its variance is Greenwood's.

        References
        ----------
        Klein and Moeschberger (2003), Survival Analysis, section 4.5.
        """
        n = int(np.searchsorted(self.times, upto))
        widths = np.diff(np.concatenate([[0.0], self.times[:n], [upto]]))
        areas = widths * np.concatenate([[1.0], self.event_free[:n]])
        later = np.cumsum(areas[:0:-1])[::-1]  # from each time on
        left, at_risk = self.events[:, :n].sum(axis=0), self.at_risk[:n]
        remain = at_risk - left
        noise = np.divide(left, at_risk * remain, out=np.zeros(n), where=remain > 0)
        return float(areas.sum()), float(np.sqrt((later**2 * noise).sum()))

    def time_of(self, share: float, outcome: int = 1, *, whole: float = 1.0) -> float:
        """Days by which a share of `whole` has had an outcome; not a number where it has not."""
        at = int(np.searchsorted(self.shares[outcome - 1], (share - NOTHING) * whole))
        return float(self.times[at]) if at < len(self.times) else float("nan")


def incidence(
    days: ArrayLike, outcome: ArrayLike, entry: ArrayLike | None = None, *, n_outcomes: int = 1
) -> Incidence:
    """Cumulative incidence of competing outcomes, each row counted for as long as it was followed.

    Parameters
    ----------
    days
        When each row had its outcome, or was last seen; 0 or more.
    outcome
        Which outcome: 0 for none (censored), else 1 to `n_outcomes`. Booleans will do for one.
    entry
        When each row came under observation (late entry); from the start without.
    n_outcomes
        How many outcomes compete.

    Raises
    ------
    ParameterError
        If a time is missing or negative.

    References
    ----------
    Kaplan and Meier (1958), J. Am. Stat. Assoc. 53, 457-481; Aalen and Johansen (1978), Scand. J.
    Statist. 5, 141-150; late entry as in Keiding (1990), Phil. Trans. R. Soc. A 332, 487-509.

    Examples
    --------
    Of four, one is done on day 1, one is last seen on day 2, one is done on day 3.

    >>> found = incidence([1, 2, 3, 9], [True, False, True, False])
    >>> float(found.share(5)), found.time_of(0.5)
    (0.625, 3.0)
    >>> found.by(5, 0.9).n_known
    3
    """
    days, outcome = np.asarray(days, float), np.asarray(outcome).astype(np.int64)
    if not (np.isfinite(days) & (days >= 0)).all():
        raise ParameterError("incidence: each row needs the time it was last seen, 0 or more.")
    begin = np.zeros(days.shape) if entry is None else np.asarray(entry, float)
    times, place = np.unique(days[outcome > 0], return_inverse=True)
    events = np.zeros((n_outcomes, len(times)))
    np.add.at(events, (outcome[outcome > 0] - 1, place.ravel()), 1.0)
    entered = np.searchsorted(np.sort(begin), times, side="right")
    at_risk = (entered - np.searchsorted(np.sort(days), times, side="left")).astype(float)
    shares, event_free = cumulative_incidence(at_risk, events)
    return Incidence(days, outcome, begin, times, at_risk, events, shares, event_free)


def cumulative_incidence(
    at_risk: NDArray[np.float64], events: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares that each outcome has come to, and the share without any, after each time.

    Parameters
    ----------
    at_risk
        Rows at risk at each time; shape (..., times), so that many samples can go at once.
    events
        Outcomes at each time; shape (outcomes, ..., times).

    Returns
    -------
    tuple of ndarray
        Shapes of `events` and of `at_risk`.

    Examples
    --------
    >>> shares, event_free = cumulative_incidence(np.array([4.0, 2.0]), [[1, 1], [1, 0]])
    >>> shares.tolist(), event_free.tolist()
    ([[0.25, 0.5], [0.25, 0.25]], [0.5, 0.25])
    """
    events = np.asarray(events, float)
    hazards = np.divide(events, at_risk, out=np.zeros(events.shape), where=at_risk > 0)
    event_free = np.cumprod(1 - np.minimum(hazards.sum(axis=0), 1.0), axis=-1)
    before = np.concatenate([np.ones((*event_free.shape[:-1], 1)), event_free[..., :-1]], axis=-1)
    return np.cumsum(before * hazards, axis=-1), event_free


def share_interval(
    share: ArrayLike,
    variance: ArrayLike,
    n_if_certain: ArrayLike,
    level: float,
    *,
    most: float = np.inf,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wilson's interval at the size at which a plain share has this variance.

    Parameters
    ----------
    share, variance
        One pair per estimate; shares from 0 to 1.
    n_if_certain
        The size where nobody, or everybody, had the outcome, and so no variance is seen.
    level
        Of the interval.
    most
        The largest size: that of the sample.

    Examples
    --------
    >>> low, high = share_interval(0.5, 0.25 / 100, 100, 0.9)
    >>> print(f"{low:.3f} {high:.3f}")
    0.419 0.581
    """
    share, variance = np.clip(np.asarray(share, float), 0.0, 1.0), np.asarray(variance, float)
    spread = share * (1 - share)
    is_open = (spread > NOTHING) & (variance > 0)
    size = np.where(is_open, spread / np.where(is_open, variance, 1.0), n_if_certain)
    size = np.minimum(size, most)
    low, high = wilson(np.where(share > 1 - NOTHING, size, share * size), size, level)
    return np.minimum(low, share)[()], np.maximum(high, share)[()]
