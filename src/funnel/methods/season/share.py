"""What part of a change the calendar and the usual season make, the rest left open."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.contract.plan import Company
from funnel.results import Result, formats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Window = tuple[dt.date, dt.date]
WORDS = {
    "observed": "observed change",
    "calendar": "calendar (days)",
    "season": "season (months)",
    "usual": "usual: both",
    "rest": "left over",
}
PARTS = tuple(WORDS)
LEARNT = "Learnt from"
_LARGE = 100_000  # units that a page counts in thousands


@dataclass(frozen=True, eq=False, kw_only=True)
class ShareOfChange(Result):
    """A change from a baseline to a period, in parts that add up.

    `table` has one row per `part`: `observed`; `calendar` (weekdays, public holidays, position in
    the quarter, length); `season` (month of year); `usual` (both together); `rest` (observed less
    usual, and so anything else, growth included). `change` with `low` and `high` is in log units;
    `change_units` with `change_units_low`, `change_units_high` in units of the series. A part
    that cannot be told is missing.
    """

    period: Window
    baseline: Window
    of: str = "series"
    value: float = float("nan")
    value_baseline: float = float("nan")
    season_is_claimed: bool = False
    p_value: float = float("nan")
    n_months: int = 0
    seen: tuple[int, int] = (0, 0)
    shifting: float = float("nan")
    refused: str = ""
    company: Company = field(default_factory=Company)

    @property
    def headline(self) -> str:
        """What was observed, and how much of it is usual."""
        rows = self.table.set_index("part")
        if not np.isfinite(rows.loc["observed", "change"]):
            return f"How {self.of} changed cannot be told: {self.refused}."
        begin = f"{self.of.capitalize()} changed by {self._per_cent(rows, 'observed')}"
        if not np.isfinite(rows.loc["usual", "change"]):
            return (
                f"{begin}; the calendar alone makes {self._with_ends(rows, 'calendar')}, and the "
                f"usual season cannot be told: {self.refused}."
            )
        season = "calendar and usual season make" if self.season_is_claimed else "calendar makes"
        part = "usual" if self.season_is_claimed else "calendar"
        tail = "" if self.season_is_claimed else "; no season beyond it is seen"
        rest = self._with_ends(rows, "rest") if self.season_is_claimed else ""
        return f"{begin}; {season} {self._with_ends(rows, part)}" + (
            f", and {rest} is left." if rest else f"{tail}."
        )

    def _per_cent(self, rows: pd.DataFrame, part: str, end: str = "change") -> str:
        share = float(np.expm1(rows.loc[part, end]))
        return formats.share(share, self.company, digits=1, sign=True)

    def _with_ends(self, rows: pd.DataFrame, part: str) -> str:
        ends = formats.interval(*(self._per_cent(rows, part, end) for end in ("low", "high")))
        return f"{self._per_cent(rows, part)} {ends}"

    def shown(self) -> pd.DataFrame:
        """Give each part in per cent of the baseline, and in units of the series."""
        known = self.table.dropna(subset="change")
        rows = [row for _, row in known.iterrows()]
        unit = self.units.get("change_units", "")
        unit = unit if unit not in ("", "number") else f"in {self.of}"
        is_large = bool((known["change_units"].abs() >= _LARGE).any())
        units = [self._in_units(row, 1 / 1000 if is_large else 1.0) for row in rows]
        return pd.DataFrame(
            {
                "part": known["part"].map(WORDS).to_numpy(),
                "change": [self._in_per_cent(row) for row in rows],
                f"{unit}, thousands" if is_large else unit: units,
            }
        )

    def _in_per_cent(self, row: pd.Series) -> str:
        shares = {name: float(np.expm1(row[name])) for name in ("change", "low", "high")}
        change = formats.share(shares["change"], self.company, digits=1, sign=True)
        ends = [
            formats.number(100 * shares[end], self.company, digits=1, sign=True)
            for end in ("low", "high")
        ]
        return change if row["part"] == "observed" else formats.estimate(change, *ends)

    def _in_units(self, row: pd.Series, times: float) -> str:
        if row["part"] == "observed":
            return formats.number(times * row["change_units"], self.company, sign=True)
        return formats.number_estimate(row, "change_units", self.company, times=times, sign=True)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Bars of the parts, with intervals."""
        from funnel.methods.season import charts

        return charts.share_of_change(self, ax)
