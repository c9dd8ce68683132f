"""Charts of a series with its trend and season, and of the parts of a change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.ticker import FuncFormatter, MaxNLocator

from funnel.methods.season.decomposition import Decomposition
from funnel.methods.season.share import ShareOfChange
from funnel.methods.season.text import PARTS, capital
from funnel.results import charts, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLORS = {"observed": style.INK, "usual": style.BLUE, "rest": style.ORANGE}


@charts.of(Decomposition)
def decomposition(result: Decomposition, ax: Axes | None = None) -> Axes:
    """Lines of a series, of its trend, and of trend and season together."""
    ax = style.axes(ax)
    table = result.table
    if table.empty or table["observed"].isna().all():
        return style.no_data(ax, result.headline)
    seasons = [name for name in table if name.startswith("seasonal")]
    ax.plot(
        table["date"], table["observed"], color=style.GREY, lw=0.7, marker=".", ms=4,
        label="observed",
    )  # fmt: skip
    if table[seasons].any(axis=None):
        expected = table["trend"] + table[seasons].sum(axis=1)
        ax.plot(table["date"], expected, color=style.SKY, lw=1.2, label="trend and season")
    ax.plot(table["date"], table["trend"], color=style.BLUE, lw=2, label="trend")
    date_axis(ax)
    amount_axis(ax)
    ax.set_ylim(bottom=min(0.0, float(table["observed"].min())))
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    ax.set_title(f"{capital(result.context.of)} by {result.grain}")
    return style.finding(ax, result.headline)


@charts.of(ShareOfChange)
def share_of_change(result: ShareOfChange, ax: Axes | None = None) -> Axes:
    """Bars of the parts of a change with their intervals, in per cent of the baseline."""
    rows = result.table.dropna(subset="change")
    if rows.empty:
        return style.no_data(style.axes(ax), result.headline)
    ax = style.axes(ax, size=style.rows_tall(len(rows)))
    place = np.arange(len(rows))[::-1]
    change = {name: 100 * np.expm1(rows[name].to_numpy()) for name in ("change", "low", "high")}
    colors = [_COLORS.get(part, style.SKY) for part in rows["part"]]
    ax.barh(place, change["change"], color=colors, height=0.55)
    is_uncertain = change["high"] > change["low"]
    ax.hlines(
        place[is_uncertain], change["low"][is_uncertain], change["high"][is_uncertain],
        color=style.INK, lw=1.6,
    )  # fmt: skip
    ends = np.where(change["change"] < 0, change["low"], change["high"])
    for y, value, end in zip(place, change["change"], ends, strict=True):
        ax.annotate(
            f"{value:+.1f}%", (end, y), xytext=(-5 if value < 0 else 5, 0), fontsize=10,
            textcoords="offset points", va="center", ha="right" if value < 0 else "left",
        )  # fmt: skip
    ax.axvline(0, color=style.GREY, lw=0.8)
    ax.set_yticks(place, [PARTS[part] for part in rows["part"]])
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.margins(x=0.32)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+.0f}%" if value else "0"))
    ax.set_title(f"Parts of the change: {result.of}")
    return style.finding(ax, result.headline)


def date_axis(ax: Axes, most: int | None = None) -> None:
    """Dates along the horizontal axis, written briefly."""
    locator = AutoDateLocator(maxticks=most)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def amount_axis(ax: Axes) -> None:
    """Amounts along the vertical axis, large ones in thousands or millions."""

    def short(value: float, _: object) -> str:
        for size, word in ((1e6, "M"), (1e3, "k")):
            if abs(value) >= size:
                return f"{value / size:g}{word}"
        return f"{value:g}"

    ax.yaxis.set_major_locator(MaxNLocator(6))
    ax.yaxis.set_major_formatter(FuncFormatter(short))
