"""What the bridge answers: contributions that add up, each with its interval and verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.contract.periods import Comparison
from funnel.contract.plan import Plan
from funnel.results import Listing, Result, formats
from funnel.stats import MOVED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MEASURES = {"bookings": "Bookings", "wins": "Wins", "mrr": "New recurring revenue"}
CALENDAR, VOLUME, MIX, TIMING = "calendar", "lead volume", "mix", "timing"
SIZE, RESIDUAL = "deal size", "residual"


@dataclass(frozen=True, eq=False, kw_only=True)
class Bridge(Result):
    """The change of a period's value against its baseline, shared out among its drivers.

    `table` has rows `driver`, `segment` (missing for the total), `contribution`, `low`, `high`,
    `verdict`, `smallest_detectable`, all but the verdict in the unit of the measure. The totals
    come first, from `calendar` to `residual`, and add up to `period_value - baseline_value` to the
    cent; a driver's segments add up to its total.

    Attributes
    ----------
    comparison
        The two periods, cut to the same number of days where the newer one has not ended.
    period_value, baseline_value
        Of the plan's measure.
    period_wins, baseline_wins
        Deals won.
    tests
        One row per look: `driver`, `segment`, `wins` (the contribution counted in wins), `z`,
        `p_value`, `p_adjusted`.
    n_looks, n_draws
        Looks that the adjustment is made for; resamples behind each interval.
    """

    plan: Plan
    comparison: Comparison
    period_value: float
    baseline_value: float
    period_wins: int
    baseline_wins: int
    tests: pd.DataFrame
    n_looks: int
    n_draws: int

    @property
    def change(self) -> float:
        """Value of the period less that of the baseline."""
        return round(self.period_value - self.baseline_value, 2)

    @property
    def totals(self) -> pd.DataFrame:
        """The rows of all segments together, in order."""
        return self.table[self.table["segment"].isna()]

    @property
    def headline(self) -> str:
        """The change, and the parts of it that stand out from chance."""
        now, then = self.comparison.period.label, self.comparison.baseline.label
        name = MEASURES[self.plan.measure]
        if not (self.period_wins or self.baseline_wins):
            return f"No deal was won in {now} or {then}, so there is no change to share out."
        amount = self._say(abs(self.change))
        if self.change == 0:
            first = f"{name} of {now} equal those of {then}"
        else:
            side = "above" if self.change > 0 else "below"
            first = f"{name} of {now} are {amount} {side} those of {then}"
            if self.baseline_value > 0:
                part = formats.share(abs(self.change) / self.baseline_value, self.plan.company)
                first += f" ({part})"
        return f"{first}; {self._told()}."

    def shown(self) -> pd.DataFrame:
        """Give the totals: each driver's part, its verdict, and what would have shown."""
        totals = self.totals
        return pd.DataFrame(
            {
                "driver": totals["driver"],
                "part of the change": [self._estimate(row) for _, row in totals.iterrows()],
                "verdict": totals["verdict"],
                "would have shown": [self._say(size) for size in totals["smallest_detectable"]],
            }
        )

    def looks(self) -> Listing:
        """List every look at a driver in all segments together, before and after adjustment."""
        looks = self.tests[self.tests["segment"].isna()]
        company = self.plan.company
        words = pd.DataFrame(
            {
                "driver": looks["driver"],
                "in wins": [formats.number(n, company, digits=1, sign=True) for n in looks["wins"]],
                "deviate": [formats.number(z, company, digits=2, sign=True) for z in looks["z"]],
                "p": [self._probability(p) for p in looks["p_value"]],
                "p, adjusted": [self._probability(p) for p in looks["p_adjusted"]],
            }
        )
        n_looks = formats.number(self.n_looks, company)
        says = f"The adjustment is made for {n_looks} looks, those at segments and stages included."
        return Listing(table=looks, words=words, says=says, as_of=self.as_of, level=self.level)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the waterfall from the baseline to the period."""
        from funnel.methods.bridge import charts

        return charts.waterfall(self, ax)

    def _told(self) -> str:
        moved = self.totals[self.totals["verdict"] == MOVED]
        looks = formats.number(self.n_looks, self.plan.company)
        if moved.empty:
            return f"none of its drivers stands out from chance ({looks} looks)"
        order = moved["contribution"].abs().sort_values(ascending=False).index
        parts = [
            f"{row.driver} {self._say(row.contribution, sign=True)} "
            + formats.interval(self._say(row.low, sign=True), self._say(row.high, sign=True))
            for row in moved.loc[order].itertuples()
        ]
        return f"drivers that stand out from chance ({looks} looks): {', '.join(parts)}"

    def _estimate(self, row: pd.Series) -> str:
        names = ("contribution", "low", "high")
        value, low, high = (self._say(row[name], sign=True) for name in names)
        return value if low == formats.NOT_KNOWN else formats.estimate(value, low, high)

    def _probability(self, p: float) -> str:
        least = 0.001
        below = f"under {formats.number(least, self.plan.company, digits=3)}"
        return below if p < least else formats.number(p, self.plan.company, digits=3)

    def _say(self, value: float, *, sign: bool = False) -> str:
        if self.plan.measure == "wins":
            return formats.number(value, self.plan.company, sign=sign)
        return formats.short_money(value, self.plan.company, sign=sign)
