"""What spans of days were to be expected from, and how surely that is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.methods.season.workdays import DayWeights


@dataclass(frozen=True, eq=False)
class Exposure:
    """What spans are worth by their days, on the log scale, by each way to count.

    `log` has shape (spans,), averaged over ways to count the quarter's end; `off` (ways, spans) is
    how far each way lies from it; `slopes`, one of shape (spans, features) a way, is how it moves
    with what a kind of day is worth.
    """

    log: NDArray[np.float64]
    off: NDArray[np.float64]
    slopes: tuple[NDArray[np.float64], ...]

    def minus(self, other: Exposure) -> Exposure:
        """Subtract span from span."""
        slopes = tuple(a - b for a, b in zip(self.slopes, other.slopes, strict=True))
        return Exposure(self.log - other.log, self.off - other.off, slopes)

    def counted(self, weights: NDArray[np.float64]) -> Exposure:
        """Add spans up by weights, to one span."""
        slopes = tuple((weights @ slope)[None] for slope in self.slopes)
        return Exposure((weights @ self.log)[None], (self.off @ weights)[:, None], slopes)


def expose(
    weights: DayWeights,
    days: pd.DatetimeIndex,
    starts: NDArray[np.int64],
    end: int | None = None,
) -> Exposure:
    """Say what spans of days are worth.

    Parameters
    ----------
    weights
        What each day is worth.
    days
        All days of all spans, in order.
    starts
        Where in `days` each span begins; it ends before the next.
    end
        Where the last one ends; default: with the days.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        if not weights.fitted:
            worth = np.add.reduceat(weights.of(days)[:end], starts)
            return Exposure(np.log(worth), np.zeros((1, starts.size)), ())
        sums, slopes = [], []
        for _, worth, features in weights.each(days):
            total = np.add.reduceat(worth[:end], starts)
            sums.append(total)
            moved = np.add.reduceat((worth[:, None] * features)[:end], starts)
            slopes.append(moved / total[:, None])
        shares = np.array([model.share for model in weights.models])
        log = np.log(shares @ np.array(sums))
        return Exposure(log, np.log(sums) - log, tuple(slopes))


def draw_error(
    weights: DayWeights, spans: list[Exposure], n_draws: int, random: np.random.Generator
) -> list[NDArray[np.float64]]:
    """Draw how far the worth of single spans may be off, the same draws for all of them.

    Returns
    -------
    list
        One array of shape (draws,) for each of `spans`.
    """
    if not weights.fitted:
        return [np.zeros(n_draws) for _ in spans]
    shares = [model.share for model in weights.models]
    way = random.choice(len(shares), n_draws, p=shares)
    drawn = [np.empty(n_draws) for _ in spans]
    for number, model in enumerate(weights.models):
        which = np.flatnonzero(way == number)
        normal = random.standard_normal((which.size, len(model.coefficients)))
        off = normal @ np.linalg.cholesky(model.covariance).T
        for each, span in zip(drawn, spans, strict=True):
            each[which] = span.off[number, 0] + off @ span.slopes[number][0]
    return drawn
