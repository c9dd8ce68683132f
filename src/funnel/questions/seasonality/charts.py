"""Charts of the question about the season: expected ranges, quarters, and years compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FuncFormatter

from funnel.methods.season.charts import amount_axis, date_axis
from funnel.methods.season.text import capital
from funnel.questions.seasonality.months import ExpectedBand, Years
from funnel.questions.seasonality.quarter import InQuarter
from funnel.results import charts, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_MONTHS = 39
_YEAR_ROOM = 0.065  # of the axis, which one line of type takes


@charts.of(ExpectedBand)
def expected_band(result: ExpectedBand, ax: Axes | None = None) -> Axes:
    """Months as dots on the range expected for them, those of the period filled."""
    table = result.table.iloc[-_MOST_MONTHS:]
    ax = style.axes(ax)
    if table.empty:
        return style.no_data(ax, result.headline)
    date, held = table["date"], table["held_out"].to_numpy(bool)
    if table["expected"].notna().any():
        label = f"expected, {100 * result.level:g}%"
        ax.fill_between(date, table["low"], table["high"], color=style.SKY, alpha=0.35, label=label)
        ax.plot(date, table["expected"], color=style.BLUE, lw=1)
    ax.plot(date, table["observed"], color=style.GREY, lw=0.8)
    ax.plot(
        date[~held], table["observed"][~held], color=style.GREY, marker="o", ms=3, lw=0,
        label="before the period",
    )  # fmt: skip
    if held.any():
        ax.plot(
            date[held], table["observed"][held], color=style.VERMILION, marker="D", ms=5, lw=0,
            label="from the period on",
        )  # fmt: skip
    date_axis(ax)
    amount_axis(ax)
    ax.set_ylim(bottom=min(0.0, float(table["observed"].min())))
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    ax.set_title(f"{capital(result.of)} by month, with the expected range")
    return style.finding(ax, result.headline)


@charts.of(InQuarter)
def in_quarter(result: InQuarter, ax: Axes | None = None) -> Axes:
    """Bars of each month's share of its quarter, with the share of its working days."""
    ax = style.axes(ax)
    months = result.table[result.table["kind"] == "month"]
    if months.empty:
        return style.no_data(ax, result.headline)
    place = np.arange(len(months))
    share, low, high = (100 * months[name] for name in ("value", "value_low", "value_high"))
    ax.bar(place, share, color=style.SKY, width=0.55, label="its share")
    ax.vlines(place, low, high, color=style.INK, lw=1.6)
    ax.hlines(
        100 * months["by_days"], place - 0.36, place + 0.36, color=style.VERMILION, lw=2,
        label="by working days alone",
    )  # fmt: skip
    for x, value in zip(place, share, strict=True):
        ax.annotate(
            f"{value:.1f}%", (x, 0), xytext=(0, 6), textcoords="offset points", ha="center",
            fontsize=10,
        )  # fmt: skip
    ax.set_xticks(place, months["place"])
    ax.set_ylim(0, 1.15 * float(np.nanmax([high.max(), share.max()])))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}%"))
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    ax.set_title(f"{capital(result.of)}: months of a quarter")
    return style.finding(ax, result.headline)


@charts.of(Years)
def years(result: Years, ax: Axes | None = None) -> Axes:
    """Lines of the last years over the months of the year, the newest one in front."""
    ax = style.axes(ax)
    monthly = result.table.set_index(["year", "month"])["value"]
    if not monthly.notna().any():
        return style.no_data(ax, result.headline)
    ends: list[tuple[float, int, int, str]] = []
    for number, year in enumerate(sorted(result.table["year"].unique())[::-1]):
        line = monthly[year]
        color = style.BLUE if number == 0 else str(0.3 + 0.1 * number)
        ax.plot(
            line.index, line, color=color, lw=2.4 if number == 0 else 1.2, marker="o",
            ms=5 if number == 0 else 3, zorder=10 - number,
        )  # fmt: skip
        last = line.last_valid_index()
        ends.append((float(line[last]), last, year, color))
    ax.set_xticks(range(1, 13))
    ax.set_xlim(0.7, 13.2)
    ax.set_xlabel("month of the year")
    amount_axis(ax)
    ax.set_ylim(bottom=min(0.0, float(monthly.min())))
    _name_ends(ax, ends)
    ax.set_title(f"{capital(result.of)} by month, year over year")
    return style.finding(ax, result.headline)


def _name_ends(ax: Axes, ends: list[tuple[float, int, int, str]]) -> None:
    """Write each year at its last month; years that end together stand one above another."""
    room = _YEAR_ROOM * float(np.diff(ax.get_ylim())[0])
    for month in {month for _, month, _, _ in ends}:
        lowest = -np.inf
        for value, _, year, color in sorted(end for end in ends if end[1] == month):
            lowest = max(value, lowest + room)
            ax.annotate(
                str(year), (month, lowest), xytext=(6, 0), textcoords="offset points",
                color=color, va="center", fontsize=10, zorder=20,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
            )  # fmt: skip
