"""The bridge as a waterfall: from one period's value to another's, driver by driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from funnel.results import formats, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.methods.bridge import Bridge


def waterfall(result: Bridge, ax: Axes | None = None) -> Axes:
    """Draw the baseline, what each driver adds or takes with its interval, and the period.

    Parameters
    ----------
    result
        What `bridge` answers.
    ax
        Axes to draw on; a new figure without.
    """
    totals = result.totals
    ax = style.axes(ax, size=style.rows_tall(len(totals) + 2))
    if not (result.period_wins or result.baseline_wins):
        return style.no_data(ax, result.headline)
    steps = totals["contribution"].to_numpy()
    begin = result.baseline_value + np.concatenate([[0.0], np.cumsum(steps)[:-1]])
    at = np.arange(1, len(steps) + 1)
    ends = [result.baseline_value, result.period_value]
    ax.barh([0, len(steps) + 1], ends, color=style.PALE, height=0.62)
    colors = totals["verdict"].map(style.VERDICTS)
    ax.barh(at, steps, left=begin, color=colors, height=0.62)
    low, high = begin + totals["low"].to_numpy(), begin + totals["high"].to_numpy()
    ax.hlines(at, low, high, color=style.INK, lw=1.1)
    reach = np.concatenate([begin, begin + steps, low, high, ends])
    left, right = np.nanmin(reach), np.nanmax(reach)  # a part may have no interval
    span = max(right - left, 1e-9)
    ax.set_xlim(left - 0.1 * span, right + 0.05 * span)
    for place, begins, step in zip(at, begin, steps, strict=True):
        ax.plot([begins + step] * 2, [place, place + 1], color=style.GREY, lw=0.6, zorder=0)
    comparison = result.comparison
    labels = [comparison.baseline.label, *totals["driver"], comparison.period.label]
    ax.set_yticks(range(len(labels)), style.wrapped(labels))
    ax.invert_yaxis()
    company = result.plan.company
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: formats.number(value, company)))
    ax.set_xlabel(f"{result.units['contribution']}; the axis need not begin at 0")
    ax.set_title(f"From {comparison.baseline.label} to {comparison.period.label}")
    used = [verdict for verdict in style.VERDICTS if verdict in set(totals["verdict"])]
    handles = [Patch(color=style.VERDICTS[verdict], label=verdict) for verdict in used]
    ax.figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return style.finding(ax, result.headline)
