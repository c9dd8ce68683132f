"""Pictures of a series, its season, and the parts of a change."""

from __future__ import annotations

from calendar import month_name
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.ticker import FuncFormatter, MaxNLocator

from funnel.methods.season.share import WORDS
from funnel.results import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.methods.season.band import UsualBand
    from funnel.methods.season.decomposition import Decomposition
    from funnel.methods.season.quarter import InQuarter
    from funnel.methods.season.share import ShareOfChange

_MOST_YEARS = 5
_MOST_MONTHS = 39
_YEAR_ROOM = 0.065  # of the axis, which one line of type takes
_COLORS = {"observed": style.INK, "usual": style.BLUE, "rest": style.ORANGE}


def decomposition(result: Decomposition, ax: Axes | None = None) -> Axes:
    """Draw a series with its trend, and with trend and season together.

    Parameters
    ----------
    result
        What `funnel.decompose` answers.
    ax
        Axes to draw on; a new figure without.
    """
    ax = style.axes(ax)
    table = result.table
    if table.empty or table["observed"].isna().all():
        return style.no_data(ax, result.headline)
    seasons = [name for name in table if name.startswith("seasonal")]
    ax.plot(table["date"], table["observed"], color=style.GREY, lw=0.7, marker=".", ms=4)
    if table[seasons].any(axis=None):
        usual = table["trend"] + table[seasons].sum(axis=1)
        ax.plot(table["date"], usual, color=style.SKY, lw=1.2, label="trend and season")
    ax.plot(table["date"], table["trend"], color=style.BLUE, lw=2, label="trend")
    ax.plot([], [], color=style.GREY, marker=".", lw=1, label="observed")
    locator = AutoDateLocator()
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    _amounts(ax)
    ax.set_ylim(bottom=min(0.0, float(table["observed"].min())))
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    of = str(result.about.get("of", "series"))
    ax.set_title(f"{of[:1].upper()}{of[1:]} by {result.grain}")
    return style.finding(ax, result.headline)


def years(result: Decomposition, ax: Axes | None = None) -> Axes:
    """Draw the last years over each other by month, the newest one in front.

    Parameters
    ----------
    result
        What `funnel.decompose` answers.
    ax
        Axes to draw on; a new figure without.
    """
    ax = style.axes(ax)
    observed = result.observed.dropna()
    if observed.empty:
        return style.no_data(ax, result.headline)
    index = observed.index
    monthly = observed.groupby([index.year, index.month]).sum()
    shown = sorted({year for year, _ in monthly.index})[-_MOST_YEARS:]
    ends: list[tuple[float, int, int, str]] = []
    for number, year in enumerate(reversed(shown)):
        line = monthly[year].reindex(range(1, 13))
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
    _amounts(ax)
    ax.set_ylim(bottom=min(0.0, float(monthly.min())))
    _name_ends(ax, ends)
    of = str(result.about.get("of", "series"))
    ax.set_title(f"{of[:1].upper()}{of[1:]} by month, year over year")
    newest = monthly[shown[-1]]
    top, bottom = (
        f"{month_name[each]} ({newest[each]:,.0f})" for each in (newest.idxmax(), newest.idxmin())
    )
    says = (
        f"{of[:1].upper()}{of[1:]} by month for {len(shown)} years; in {shown[-1]} the highest "
        f"month is {top}, the lowest {bottom}."
    )
    return style.finding(ax, says)


def usual_band(result: UsualBand, ax: Axes | None = None) -> Axes:
    """Draw months as dots on the band in which they usually lie, the period's filled.

    Parameters
    ----------
    result
        What `Decomposition.usual_band` answers.
    ax
        Axes to draw on; a new figure without.
    """
    table = result.table.iloc[-_MOST_MONTHS:]
    if table.empty:
        return style.no_data(style.axes(ax), result.headline)
    ax = style.axes(ax)
    date, held = table["date"], table["held_out"].to_numpy(bool)
    if table["usual"].notna().any():
        share = f"usual, {100 * result.level:g}%"
        ax.fill_between(date, table["low"], table["high"], color=style.SKY, alpha=0.35, label=share)
        ax.plot(date, table["usual"], color=style.BLUE, lw=1)
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
    locator = AutoDateLocator()
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    _amounts(ax)
    ax.set_ylim(bottom=min(0.0, float(table["observed"].min())))
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    ax.set_title(f"{result.of[:1].upper()}{result.of[1:]} by month, and what is usual")
    return style.finding(ax, result.headline)


def in_quarter(result: InQuarter, ax: Axes | None = None) -> Axes:
    """Draw each month's share of its quarter, beside the share that working days would give it.

    Parameters
    ----------
    result
        What `Decomposition.in_quarter` answers.
    ax
        Axes to draw on; a new figure without.
    """
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
    ax.set_title(f"{result.of[:1].upper()}{result.of[1:]}: months of a quarter")
    return style.finding(ax, result.headline)


def share_of_change(result: ShareOfChange, ax: Axes | None = None) -> Axes:
    """Draw the parts of a change, each with its interval, in per cent of the baseline.

    Parameters
    ----------
    result
        What `Decomposition.share_of_change` answers.
    ax
        Axes to draw on; a new figure without.
    """
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
    ax.set_yticks(place, [WORDS[part] for part in rows["part"]])
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.margins(x=0.32)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+.0f}%" if value else "0"))
    ax.set_title(f"Parts of the change: {result.of}")
    return style.finding(ax, result.headline)


def _name_ends(ax: Axes, ends: list[tuple[float, int, int, str]]) -> None:
    """Write each year beside its last month; years that end together stand one above another."""
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


def _amounts(ax: Axes) -> None:
    """Write large amounts in thousands or millions, so that labels stay short."""

    def short(value: float, _: object) -> str:
        for size, word in ((1e6, "M"), (1e3, "k")):
            if abs(value) >= size:
                return f"{value / size:g}{word}"
        return f"{value:g}"

    ax.yaxis.set_major_locator(MaxNLocator(6))
    ax.yaxis.set_major_formatter(FuncFormatter(short))
