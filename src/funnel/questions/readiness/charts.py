"""Pictures of what the data holds and which questions it can answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.colors import LogNorm

from funnel.results import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.checks import CoverageGrid, Traps
    from funnel.questions.readiness import Readiness

_STATES = {"answered": style.GREEN, "in part": style.ORANGE, "cannot tell": style.GREY}
_MARKS = {"answered": "o", "in part": "D", "cannot tell": "x"}
_MOST_LABELS = 7
_FEWEST_BARS = 3  # room for these, so that one bar alone is no wall


def readiness(result: Readiness, ax: Axes | None = None) -> Axes:
    """Draw each question with its state, and in a few words why.

    Parameters
    ----------
    result
        What `funnel.readiness` answers.
    ax
        Axes to draw on; a new figure without.
    """
    table = result.table.iloc[::-1].reset_index(drop=True)
    ax = style.axes(ax, size=style.rows_tall(len(table)))
    for state, color in _STATES.items():
        rows = table.index[table["state"] == state]
        ax.scatter(np.zeros(len(rows)), rows, color=color, marker=_MARKS[state], s=52, zorder=2)
    words = (table["state"] + ": " + table["short"]).str.replace("`", "")
    for row, says in enumerate(words):
        ax.text(0.06, row, says, va="center", color=style.INK, fontsize=10, parse_math=False)
    ax.set_yticks(range(len(table)), style.wrapped(table["topic"]))
    ax.set_xlim(-0.06, 1)
    ax.set_ylim(-0.7, len(table) - 0.3)
    ax.set_xticks([])
    ax.tick_params(axis="y", length=0)
    ax.spines[["bottom", "left"]].set_visible(False)
    ax.set_title("Questions this data can answer")
    return style.finding(ax, result.headline)


def coverage_grid(result: CoverageGrid, ax: Axes | None = None) -> Axes:
    """Draw tables by months: white where nothing is held, darker where there are more rows.

    Parameters
    ----------
    result
        What `funnel.coverage_grid` answers.
    ax
        Axes to draw on; a new figure without.
    """
    if result.table.empty:
        return style.no_data(style.axes(ax), result.headline)
    wide = result.table.pivot(index="table", columns="month", values="n_rows")
    wide = wide.loc[list(dict.fromkeys(result.table["table"]))]
    ax = style.axes(ax, size=style.rows_tall(len(wide)))
    counts = wide.to_numpy(dtype=float)
    image = ax.pcolormesh(
        np.ma.masked_equal(counts, 0),
        cmap="Blues",
        norm=LogNorm(vmin=0.3, vmax=max(counts.max(), 3)),
        edgecolors="white",
        linewidth=0.8 if counts.shape[1] <= 80 else 0,
    )
    ax.set_facecolor("white")
    months = list(wide.columns)
    step = int(np.ceil(len(months) / _MOST_LABELS))
    shown = range(0, len(months), step)
    ax.set_xticks([x + 0.5 for x in shown], [months[x] for x in shown], rotation=45, ha="right")
    ax.set_yticks(np.arange(len(wide)) + 0.5, wide.index)
    ax.tick_params(length=0)
    ax.invert_yaxis()
    ax.spines[["bottom", "left"]].set_color(style.PALE)
    ax.set_title("Rows by table and month")
    bar = plt.colorbar(image, ax=ax, pad=0.02, shrink=0.9, label="rows in a month")
    bar.ax.yaxis.set_major_formatter(lambda n, _: f"{n:,.0f}")
    bar.ax.minorticks_off()
    bar.outline.set_visible(False)
    bar.ax.set_ylim(1, None)
    return style.finding(ax, result.headline)


def traps(result: Traps, ax: Axes | None = None) -> Axes:
    """Draw how many rows each trap touches.

    Parameters
    ----------
    result
        What `funnel.traps` answers.
    ax
        Axes to draw on; a new figure without.
    """
    if result.table.empty:
        return style.no_data(style.axes(ax), result.headline)
    table = result.table.iloc[::-1]
    ax = style.axes(ax, size=style.rows_tall(len(table)))
    where = table["table"] + ("." + table["column"]).where(table["column"] != "", "")
    labels = [f"{trap}: {at}" for trap, at in zip(table["trap"], where, strict=True)]
    bars = ax.barh(range(len(table)), table["n"], color=style.BLUE, height=0.6)
    ax.bar_label(bars, labels=[f"{n:,}" for n in table["n"]], padding=3)
    ax.set_yticks(range(len(table)), style.wrapped(labels))
    ax.set_ylim(-0.6, max(len(table), _FEWEST_BARS) - 0.4)
    ax.set_xlabel("rows touched")
    ax.tick_params(axis="y", length=0)
    ax.margins(x=0.12)
    ax.set_title("Traps in how the data is filled")
    return style.finding(ax, result.headline)
