"""What the worth of criteria is shown as."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.contract.plan import Company
from funnel.results import Result, first_rows, formats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KEPT, DROPPED, NO_EVIDENCE, SET_ASIDE = "kept", "dropped", "no evidence", "set aside"


@dataclass(frozen=True, eq=False, kw_only=True)
class Criteria(Result):
    """What each criterion is worth on leads whose outcome is known.

    `table` has one row per criterion, kept ones first:

    - `criterion`, `kind` (`attribute` or `behaviour`), `used_by` (the definitions that read it),
      `n` leads handed over of which it is known, `n_won`;
    - `split` (which leads stand on the one side), `n_in`, `rate_in`, `rate_out` (win rates of the
      two sides), `worth` (their difference, points of 1) with `worth_low`, `worth_high`;
    - `worth_early`, `worth_late` (in the earlier and in the later half of the leads), `stable`;
    - `p_value`, `q_value` (after Benjamini-Hochberg over the criteria looked at);
    - `verdict`: `kept`, `dropped` (whatever it is worth is less than a fifth of the win rate of
      all), `no evidence`, or `set aside` (it seems to be written after the outcome: `says`).

    `groups` has one row per criterion and step or value: `n`, `n_won`, `rate` with its interval.
    """

    groups: pd.DataFrame
    company: Company = field(default_factory=Company)
    why: str = ""
    base: float = float("nan")
    unit: str = "leads handed over"

    @property
    def headline(self) -> str:
        """Which criteria are kept, and how many of the others are dropped or open."""
        if self.why:
            return f"What each criterion is worth cannot be told: {self.why}."
        counts = self.table["verdict"].value_counts()
        kept = self.table.loc[self.table["verdict"] == KEPT, "criterion"]
        named = f": {', '.join(kept)}" if len(kept) else ""
        rest = ", ".join(
            f"{formats.number(counts.get(verdict, 0), self.company)} {words}"
            for verdict, words in (
                (DROPPED, "worth too little to choose by"),
                (NO_EVIDENCE, "without evidence"),
                (SET_ASIDE, "set aside"),
            )
            if counts.get(verdict, 0)
        )
        n = int(self.table["n"].max())
        return (
            f"Of {formats.number(len(self.table), self.company)} criteria looked at on "
            f"{formats.number(n, self.company)} matured {self.unit}, "
            f"{formats.number(len(kept), self.company)} tell won leads from others{named}"
            f"{'; ' if rest else ''}{rest}."
        )

    def shown(self) -> pd.DataFrame:
        """Give each criterion with its worth in points and its verdict."""
        if self.table.empty:
            return pd.DataFrame()
        each = [row for _, row in self.table.iterrows()]
        company = self.company
        shown = pd.DataFrame(
            {
                "criterion": [row["criterion"] for row in each],
                "verdict": [row["verdict"] for row in each],
                "worth, points of win rate": [
                    formats.number_estimate(row, "worth", company, times=100, digits=1, sign=True)
                    for row in each
                ],
                "won more often": [_split_words(row, company) for row in each],
                "over time": [row["stable"] for row in each],
                "leads": [formats.number(row["n"], company) for row in each],
                "used by": [row["used_by"] for row in each],
            }
        )
        return first_rows(shown, 25)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw each criterion's worth with its interval."""
        from funnel.questions.definition import charts

        return charts.criteria(self, ax)


def _split_words(row: pd.Series, company: Company) -> str:
    if np.isnan(row["worth"]):
        return ""
    rates = (formats.share(row[name], company, digits=1) for name in ("rate_in", "rate_out"))
    return f"{row['split']}: {' against '.join(rates)}"
