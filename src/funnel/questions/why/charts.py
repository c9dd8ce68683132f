"""Pictures of a period's change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import PercentFormatter

from funnel.questions.why.period_text import change_shown, name_of, span
from funnel.results import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.questions.why.period_change import PeriodChange

PHONE_WIDTH = 5.0  # inches: narrow, so that a phone does not shrink its type out of sight


def period_change(result: PeriodChange, ax: Axes | None = None) -> Axes:
    """Draw the change of each measure in per cent of its baseline, with its interval.

    Parameters
    ----------
    result
        What `funnel.period_change` made.
    ax
        Axes to draw on; new ones if left out.
    """
    table = result.table
    shown = table[(table["baseline"] > 0) & table["low"].notna()].reset_index(drop=True)
    ax = style.axes(ax, size=(PHONE_WIDTH, style.rows_tall(len(shown) + 1)[1]))
    if shown.empty:
        return style.no_data(ax, result.headline)
    place = np.arange(len(shown))
    low, change, high = (
        (shown[column] / shown["baseline"]).to_numpy() for column in ("low", "change", "high")
    )
    ax.axvline(0, color=style.GREY, linewidth=1)
    for i, word in enumerate(shown["verdict"]):
        colour = style.VERDICTS[word]
        ax.hlines(i, low[i], high[i], color=colour, linewidth=3)
        ax.plot(change[i], i, "o", color=colour, markersize=8)
        ax.annotate(
            word, (high[i], i), xytext=(7, 0), textcoords="offset points", va="center",
            fontsize=10, color=colour, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )  # fmt: skip
    ax.set_yticks(place, style.wrapped(shown["measure"].map(name_of)))
    ax.invert_yaxis()
    ax.margins(x=0.25, y=0.15)
    ax.xaxis.set_major_formatter(PercentFormatter(1, 0))
    company, comparison = result.plan.company, result.comparison
    now, then = span(comparison.period, company), span(comparison.baseline, company)
    ax.set_xlabel(f"{now}: change in % of {then}")
    ax.grid(axis="x")
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return style.finding(ax, _says(shown, now, then, result))


def _says(shown: pd.DataFrame, now: str, then: str, result: PeriodChange) -> str:
    parts = [
        f"{row['measure']} {change_shown(row, result.plan.company)}, {row['verdict']}"
        for _, row in shown.iterrows()
    ]
    return f"{now} against {then}: {'; '.join(parts)}."
