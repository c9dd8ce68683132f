"""Charts of the checks: rows by table and month, and how many rows each problem touches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.colors import LogNorm

from funnel.checks.record_problems import RecordProblems
from funnel.checks.table_coverage import CoverageGrid
from funnel.results import charts, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_LABELS = 7
_MOST_MONTHS = 80  # with lines between them
_FEWEST_BARS = 3  # room for these, so that one bar alone does not fill the chart


@charts.of(CoverageGrid)
def coverage(grid: CoverageGrid, ax: Axes | None = None) -> Axes:
    """Tables by months: white where nothing is held, darker where there are more rows."""
    if grid.table.empty:
        return style.no_data(style.axes(ax), grid.headline)
    wide = grid.table.pivot(index="table", columns="month", values="n_rows")
    wide = wide.loc[list(dict.fromkeys(grid.table["table"]))]
    ax = style.axes(ax, size=style.rows_tall(len(wide)))
    counts = wide.to_numpy(dtype=float)
    image = ax.pcolormesh(
        np.ma.masked_equal(counts, 0),
        cmap="Blues",
        norm=LogNorm(vmin=0.3, vmax=max(counts.max(), 3)),
        edgecolors="white",
        linewidth=0.8 if counts.shape[1] <= _MOST_MONTHS else 0,
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
    return style.finding(ax, grid.headline)


@charts.of(RecordProblems)
def record_problems(found: RecordProblems, ax: Axes | None = None) -> Axes:
    """One bar per problem: how many rows it touches, the first one on top."""
    if found.table.empty:
        return style.no_data(style.axes(ax), found.headline)
    table = found.table.iloc[::-1]
    ax = style.axes(ax, size=style.rows_tall(len(table)))
    where = table["table"] + ("." + table["column"]).where(table["column"] != "", "")
    labels = [f"{problem}: {at}" for problem, at in zip(table["problem"], where, strict=True)]
    bars = ax.barh(range(len(table)), table["n"], color=style.BLUE, height=0.6)
    ax.bar_label(bars, labels=[f"{n:,}" for n in table["n"]], padding=3)
    ax.set_yticks(range(len(table)), style.wrapped(labels))
    ax.set_ylim(-0.6, max(len(table), _FEWEST_BARS) - 0.4)
    ax.set_xlabel("rows touched")
    ax.tick_params(axis="y", length=0)
    ax.margins(x=0.12)
    ax.set_title("Problems in how the records are filled")
    return style.finding(ax, found.headline)
