"""Chart of the margin of channels and campaigns beside what was spent on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from funnel.questions.programmes.programmes import KEEP, STOP, Programmes
from funnel.questions.programmes.text import name
from funnel.results import charts, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 12
_TICKS = (0, 0.3, 1, 3, 10, 30, 100)
_EVEN_BELOW = 0.3  # an axis of equal steps from here down, so that 0 is on it
_COLOURS = {KEEP: style.BLUE, STOP: style.ORANGE}


@charts.of(Programmes)
def programmes(result: Programmes, ax: Axes | None = None) -> Axes:
    """Margin for each 1 spent, with intervals, most spend first; the line is what was spent."""
    rows = result.table[result.table["margin_per_spend"].notna()].head(_MOST)
    if rows.empty:
        return style.no_data(style.axes(ax), result.headline)
    ax = style.axes(ax, size=style.rows_tall(len(rows) + 2))
    place = np.arange(len(rows))[::-1]
    colours = [_COLOURS.get(verdict, style.GREY) for verdict in rows["verdict"]]
    names = ("margin_per_spend", "margin_per_spend_low", "margin_per_spend_high")
    value, low, high = (rows[each].to_numpy(float) for each in names)
    ax.axvline(1, color=style.GREY, lw=0.8)
    ax.hlines(place, low, high, color=colours, lw=2.2)
    ax.scatter(value, place, c=colours, s=36, zorder=3)
    ax.set_xscale("symlog", linthresh=_EVEN_BELOW)
    ax.xaxis.set_major_locator(FixedLocator(_TICKS))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:g}"))
    ax.set_yticks(place, style.wrapped([name(row) for row in rows.to_dict("records")], 24))
    ax.set_xlim(0, 1.1 * max(1, high.max()))
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.set_xlabel("margin for each 1 spent (line: what was spent)")
    ax.set_title("Margin beside spend")
    return style.finding(ax, result.headline)
