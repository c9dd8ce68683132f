"""Chart of win rates by group, each beside that of the period before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from funnel.contract.labels import EVERYBODY
from funnel.questions.winloss.winloss import WinLoss
from funnel.results import charts, style
from funnel.results.paired_charts import pairs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 12


@charts.of(WinLoss)
def winloss(result: WinLoss, ax: Axes | None = None) -> Axes:
    """Win rates of the period and the period before, with intervals, by group."""
    rows = result.table.dropna(subset=["win_rate", "win_rate_baseline"]).head(_MOST)
    if rows.empty:
        return style.no_data(style.axes(ax), result.headline)
    ax = style.axes(ax, size=style.rows_tall(len(rows) + 2))
    labels = rows["group"].where(rows["by"].eq(EVERYBODY), rows["by"] + ": " + rows["group"])
    now, then = "win_rate", "win_rate_baseline"
    names = (result.comparison.period.label, result.comparison.baseline.label)
    pairs(ax, rows, labels, now, then, names=names, axis="win rate")
    ax.set_title("Win rates")
    return style.finding(ax, result.headline)
