"""The band in which months usually lie, learnt from the months before the period."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.contract.plan import Company
from funnel.methods.season.expected import fit_months
from funnel.methods.season.months import WALKS, MonthEffects
from funnel.methods.season.spans import month_spans
from funnel.methods.season.workdays import DayWeights
from funnel.results import Result, formats

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False, kw_only=True)
class UsualBand(Result):
    """Months beside what was usual for them.

    `table` has one row per whole month: `date` (its first day), `observed`, `usual` with `low` and
    `high`, and `held_out`: whether the band was made without this month. A band that cannot be told
    is missing.
    """

    of: str = "series"
    refused: str = ""
    company: Company = field(default_factory=Company)

    @property
    def headline(self) -> str:
        """How many of the months that were held out lie in their band."""
        held = self.table[self.table["held_out"]]
        if self.refused:
            return f"The usual band of {self.of} cannot be told: {self.refused}."
        if held.empty:
            return f"No whole month of {self.of} lies in the period."
        inside = held["observed"].between(held["low"], held["high"])
        below = int((held["observed"] < held["low"]).sum())
        above = int((held["observed"] > held["high"]).sum())
        places = [f"{int(inside.sum())} in its usual band"]
        places += [f"{n} {word}" for n, word in ((below, "below"), (above, "above")) if n]
        share = formats.share(self.level, self.company)
        return (
            f"Of {len(held)} whole months of {self.of} from the period's first day on, "
            f"{', '.join(places)}; a month as usual lies in it {share} of the time."
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the months with the band."""
        from funnel.methods.season import charts

        return charts.usual_band(self, ax)


def usual_band(
    daily: pd.Series, first: pd.Timestamp, weights: DayWeights, level: float, seed: int
) -> tuple[pd.DataFrame, str]:
    """Give whole months of a series with the band that months before `first` make usual.

    Notes
    -----
    The fit of the season by month, carried on: level and drift go on as they were at the end of
    what was learnt, and the further from it, the wider the walk makes the band (best linear
    prediction, in each cell of the grid). Before `first` it is the fit with its noise.
    """
    shown = month_spans(daily, weights)
    dates = pd.Series((shown.when - 1970 * 12).astype("datetime64[M]").astype("datetime64[s]"))
    table = pd.DataFrame(
        {
            "date": dates,
            "observed": shown.total,
            "usual": np.nan,
            "low": np.nan,
            "high": np.nan,
            "held_out": (dates >= first).to_numpy(dtype=bool),
        }
    )
    months = month_spans(daily[daily.index < first], weights)
    fit = fit_months(months, seed)
    if isinstance(fit, str):
        return table, fit
    drawn = _predicted(fit, months.when, shown.when, seed)
    log = shown.exposure.log + np.array(
        [np.percentile(drawn, 100 * at, axis=0) for at in (0.5, (1 - level) / 2, (1 + level) / 2)]
    )
    table[["usual", "low", "high"]] = np.exp(log).T
    return table, ""


def _predicted(
    effects: MonthEffects, known: NDArray, wanted: NDArray, seed: int
) -> NDArray[np.float64]:
    """Draw log levels of months, seen or to come, with their noise."""
    fit, cells = effects.fit, effects.fit.cells
    random = np.random.default_rng([seed, 1])
    columns, old = effects.design(wanted), effects.design(known)
    since = known - known[0] + 1.0
    then = np.maximum(wanted - known[0] + 1.0, 0.0)
    drawn = np.empty((len(fit.draws), len(wanted)))
    for cell in np.unique(fit.drawn_from):
        which = fit.drawn_from == cell
        q = WALKS[cell // cells.n_shrinks]
        # the walk at the wanted months, given what is left at the known ones
        walk = q * np.minimum.outer(since, since) + np.diag(effects.noise)
        across = q * np.minimum.outer(then, since)
        gain = np.linalg.solve(walk, across.T).T
        spread = 1 + np.maximum(q * then - (gain * across).sum(axis=1), 0.0)
        coefficients = fit.draws[which]
        left = effects.log_level - coefficients @ old.T
        noise = random.standard_normal((int(which.sum()), len(wanted)))
        drawn[which] = coefficients @ columns.T + left @ gain.T
        drawn[which] += noise * np.sqrt(cells.variance[cell] * spread)
    return drawn
