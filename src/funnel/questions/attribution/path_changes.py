"""What a comparison of two periods' paths answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.contract.periods import Comparison
from funnel.contract.plan import Company
from funnel.methods.paths.results import short_path
from funnel.questions.attribution.common_paths import OTHER_PATHS
from funnel.results import Result, first_rows, formats
from funnel.stats import MOVED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIRST, ENDS, WHOLE = "first step", "first and last step", "whole path"
ALONE = " alone"
FEWEST = 10
_SHOWN = 6


@dataclass(frozen=True, eq=False, kw_only=True)
class PathChanges(Result):
    """The paths of the period against those of its baseline.

    `table` has one row per grain and path: `grain` (`first step`, `first and last step`, `whole
    path`), `path`, `n`, `n_before` (journeys that went it, of those that trace), `share`,
    `share_before`, `change`, `change_low`, `change_high` (Newcombe), `p_value` (Fisher), `q_value`
    (Benjamini-Hochberg over all rows), `verdict`, `smallest_detectable` (a change of that path's
    share found four times in five). Paths of fewer than the plan's smallest group, both periods
    together, are `(other paths)`.

    Attributes
    ----------
    p_value
        Of all grains together: how often shuffled periods differ as much. Missing where touches
        were lost on the way, since a loss of coverage is no change of paths.
    n, n_before
        Journeys that trace.
    lost
        What was lost on the way, in words; empty where nothing was.
    """

    company: Company
    comparison: Comparison
    noun: str
    p_value: float
    n: int
    n_before: int
    lost: tuple[str, ...]

    @property
    def alpha(self) -> float:
        """The largest p value that is called a change."""
        return (1 - self.level) / 2

    @property
    def headline(self) -> str:
        """Whether the paths changed, and the one that changed most surely."""
        company = self.company
        label, before = self.comparison.period.label, self.comparison.baseline.label
        n, n_before = (formats.number(each, company) for each in (self.n, self.n_before))
        of = f"{n} {self.noun} of {label} against {n_before} of {before}"
        if self.lost:
            return f"Whether paths changed cannot be told ({of}): {self.lost[0]}"
        if min(self.n, self.n_before) < FEWEST:
            return f"Whether paths changed cannot be told: too few trace, {of}."
        p = f"p = {formats.number(self.p_value, company, digits=3)}"
        if self.p_value > self.alpha:
            rows = self.table[self.table["grain"] == FIRST]
            least = rows["smallest_detectable"].max()
            return (
                f"No change of paths is shown, {of} ({p}); a first step's share had to change by "
                f"up to {formats.number(100 * least, company)} points to be found."
            )
        says = f"The paths changed, {of} ({p})"
        moved = self.table[self.table["verdict"] == MOVED]
        if moved.empty:
            return f"{says}; no single path can be named."
        return f"{says}: {self._moved(moved.sort_values('q_value').iloc[0])}."

    def _moved(self, row: pd.Series) -> str:
        company = self.company
        points = [
            formats.number(100 * row[name], company, digits=1, sign=True)
            for name in ("change", "change_low", "change_high")
        ]
        return (
            f"{in_words(row)} went from {formats.share(row['share_before'], company)} to "
            f"{formats.share(row['share'], company)}, {points[0]} points "
            f"{formats.interval(points[1], points[2])}"
        )

    def shown(self) -> pd.DataFrame:
        """Give the paths whose share differs most surely."""
        company = self.company
        rows = first_rows(self.by_sureness(), _SHOWN)
        shown = pd.DataFrame(
            {
                "path": [in_words(row) for _, row in rows.iterrows()],
                self.comparison.baseline.label: [
                    formats.share(each, company) for each in rows["share_before"]
                ],
                self.comparison.period.label: [
                    formats.share(each, company) for each in rows["share"]
                ],
                "points": [
                    formats.estimate(
                        *(
                            formats.number(100 * row[name], company, digits=1, sign=True)
                            for name in ("change", "change_low", "change_high")
                        )
                    )
                    for _, row in rows.iterrows()
                ],
                "verdict": rows["verdict"],
            }
        )
        shown.attrs = rows.attrs
        return shown

    def by_sureness(self) -> pd.DataFrame:
        """Order the named paths by how sure their change is, of each kind the first."""
        named = self.table[self.table["path"] != OTHER_PATHS]
        # a path of one step is there as a whole path too
        is_twice = (named["grain"] == ENDS) & named["path"].str.endswith(ALONE)
        named = named[~is_twice]
        order = named.assign(size=-named["change"].abs())
        return order.sort_values(["p_value", "size", "path"]).drop(columns="size")

    def plot(self, ax: Axes | None = None) -> Axes:
        """Shares before and after, path by path, with the interval of the change."""
        from funnel.questions.attribution.path_charts import changes

        return changes(self, ax)


def in_words(row: pd.Series) -> str:
    """Name a row of the table by its grain and path."""
    if row["grain"] == FIRST:
        return f"first step {row['path']}"
    if row["grain"] == ENDS:
        return f"from {row['path']}"
    return short_path(row["path"])
