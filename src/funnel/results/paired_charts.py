"""Two figures a row, now and before, and axes of shares: the same on every page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator

from funnel.results import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

    from funnel.results.result import Result

NOW, THEN = style.BLUE, style.GREY
_FEW = 0.05  # a share so small needs a tenth of a per cent on its axis


def pairs(
    ax: Axes,
    rows: pd.DataFrame,
    labels: Iterable[str],
    now: str,
    then: str,
    *,
    names: tuple[str, str] = ("period", "baseline"),
    axis: str = "",
    are_shares: bool = True,
) -> None:
    """Draw two figures a row, each with its interval, the earlier one below.

    Parameters
    ----------
    ax
        Axes to draw on.
    rows
        Top to bottom; has the columns `now` and `then`, each with `_low` and `_high`.
    labels
        What each row is.
    now, then
        Names of the two figures' columns.
    names
        What the legend calls them.
    axis
        Label of the horizontal axis.
    are_shares
        Whether they are shares, 0 to 1, and the axis is in per cent.
    """
    place = np.arange(len(rows))[::-1]
    for column, offset, color, marker, name in (
        (now, 0.14, NOW, "o", names[0]),
        (then, -0.14, THEN, "s", names[1]),
    ):
        ax.hlines(
            place + offset, rows[f"{column}_low"], rows[f"{column}_high"], color=color, lw=2.2
        )
        ax.plot(rows[column], place + offset, marker, color=color, ms=6, label=name)
    ax.set_yticks(place, style.wrapped(labels, 24))
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.set_xlabel(axis)
    if are_shares:
        ends = rows[[f"{now}_high", f"{then}_high"]].to_numpy(float)
        shares_across(ax, float(np.nanmax(ends, initial=0.01)))
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)


def paired(
    result: Result,
    ax: Axes | None,
    rows: pd.DataFrame,
    labels: Iterable[str],
    now: str,
    then: str,
    title: str,
    *,
    n_more: int = 1,
    **options: Any,
) -> Axes:
    """Chart of two figures a row, with the result's headline as its finding, or in its place.

    Parameters
    ----------
    result, ax
        Whose chart it is, and the axes to draw on; without them a new figure is made.
    rows, labels, now, then
        As in `pairs`, with its further `options`.
    title
        Of the chart.
    n_more
        Rows that the legend and the axis need.
    """
    if rows.empty:
        return style.no_data(style.axes(ax), result.headline)
    ax = style.axes(ax, size=style.rows_tall(len(rows) + n_more))
    pairs(ax, rows, labels, now, then, **options)
    ax.set_title(title)
    return style.finding(ax, result.headline)


def shares_across(ax: Axes, top: float) -> None:
    """Make the horizontal axis one of shares in per cent, from 0 to a little above `top`."""
    ax.set_xlim(0, min(max(top * 1.05, 0.01), 1.02))
    _in_per_cent(ax.xaxis, top)


def shares_up(ax: Axes, top: float) -> None:
    """Make the vertical axis one of shares in per cent, from 0 to a little above `top`.

    Examples
    --------
    >>> ax = style.axes()
    >>> shares_up(ax, 0.2)
    >>> [round(float(end), 3) for end in ax.get_ylim()]
    [0.0, 0.224]
    """
    ax.set_ylim(0, min(max(top * 1.12, 0.01), 1.05))
    _in_per_cent(ax.yaxis, top)


def _in_per_cent(axis: Axis, top: float) -> None:
    """Place ticks that whole per cents, or tenths of them, can name."""
    digits = 0 if top > _FEW else 1
    axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.{digits}f}%"))
