"""The bridge as a waterfall: from one period's value to another's, driver by driver."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from funnel.methods.bridge.bridge import Bridge, shown_totals
from funnel.methods.bridge.text import driver_label
from funnel.results import Say, charts, style


@charts.of(Bridge)
def bridge(result: Bridge, ax: Axes | None = None) -> Axes:
    """Waterfall of the bridge's own rows."""
    return waterfall(result, result.totals, result.headline, ax)


def waterfall(bridge: Bridge, totals: pd.DataFrame, headline: str, ax: Axes | None = None) -> Axes:
    """Baseline, each driver's contribution with its interval, and the period.

    Parameters
    ----------
    bridge
        Gives the two values, their periods and the unit.
    totals
        One row per driver: `driver`, `contribution`, `low`, `high`, `verdict`.
    headline
        The finding, for the alternative text.
    ax
        Axes to draw on; without them a new figure is made.
    """
    totals = shown_totals(totals)
    ax = style.axes(ax, size=style.rows_tall(len(totals) + 2))
    if totals.empty or not bridge.coverage.n_deals:
        return style.no_data(ax, headline)
    steps = totals["contribution"].to_numpy()
    begin = bridge.baseline_value + np.concatenate([[0.0], np.cumsum(steps)[:-1]])
    at = np.arange(1, len(steps) + 1)
    values = [bridge.baseline_value, bridge.period_value]
    ax.barh([0, len(steps) + 1], values, color=style.PALE, height=0.62)
    ax.barh(at, steps, left=begin, color=totals["verdict"].map(style.VERDICTS), height=0.62)
    low, high = begin + totals["low"].to_numpy(), begin + totals["high"].to_numpy()
    ax.hlines(at, low, high, color=style.INK, lw=1.1)
    reach = np.concatenate([begin, begin + steps, low, high, values])
    left, right = np.nanmin(reach), np.nanmax(reach)  # a contribution may have no interval
    span = max(right - left, 1e-9)
    ax.set_xlim(left - 0.1 * span, right + 0.05 * span)
    for place, begins, step in zip(at, begin, steps, strict=True):
        ax.plot([begins + step] * 2, [place, place + 1], color=style.GREY, lw=0.6, zorder=0)
    say = Say(bridge.company, bridge.level)
    periods = (bridge.comparison.baseline, bridge.comparison.period)
    before, after = (say.span(each.start, each.end) for each in periods)
    names = [driver_label(driver, say, bridge.coverage.arrivals) for driver in totals["driver"]]
    labels = [before, *names, after]
    ax.set_yticks(range(len(labels)), style.wrapped(labels))
    ax.invert_yaxis()
    ax.xaxis.set_major_locator(MaxNLocator(4))
    write = say.number if bridge.plan.measure == "wins" else say.short_money
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: write(value)))
    ax.set_xlabel(f"{bridge.units['contribution']}; the axis need not begin at 0")
    ax.set_title(f"From {before} to {after}")
    used = [verdict for verdict in style.VERDICTS if verdict in set(totals["verdict"])]
    handles = [Patch(color=style.VERDICTS[verdict], label=verdict) for verdict in used]
    ax.figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return style.finding(ax, headline)
