"""Pictures of what each definition takes, how far they agree, and what is done with them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, MaxNLocator

from funnel.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.definition import Adherence, Agreement, Definitions, Overlap, Reasons

_NOW, _THEN = style.BLUE, style.GREY


def definitions(result: Definitions, ax: Axes | None = None) -> Axes:
    """Draw the share of leads that each definition takes, in the period and in the baseline.

    Parameters
    ----------
    result
        What `funnel.definition` answers.
    ax
        Axes to draw on; a new figure without.
    """
    now, then = (_of_span(result.table, span) for span in ("period", "baseline"))
    if now.empty or not now["n_known"].any():
        return style.no_data(style.axes(ax), result.headline)
    rows = now.assign(
        **{f"before{end}": then[f"share{end}"].to_numpy() for end in ("", "_low", "_high")}
    )
    ax = style.axes(ax, size=style.rows_tall(len(rows) + 2))
    _pairs(ax, rows, rows["definition"], "share", "before")
    ax.set_title("Share of leads that each definition takes")
    return style.finding(ax, result.headline)


def overlap(result: Overlap, ax: Axes | None = None) -> Axes:
    """Draw how many leads of the period are qualified for both sides, one only, or neither.

    Parameters
    ----------
    result
        What `funnel.definition.overlap` answers.
    ax
        Axes to draw on; a new figure without.
    """
    rows = _of_span(result.table, "period")
    if rows.empty or not rows["n"].any():
        return style.no_data(style.axes(ax), result.headline)
    rows = rows[(rows["n"] > 0) | (rows["group"] != "cannot tell")]
    ax = style.axes(ax, size=style.rows_tall(len(rows)))
    place = np.arange(len(rows))[::-1]
    colors = [style.PALE if g in ("neither", "cannot tell") else style.SKY for g in rows["group"]]
    ax.barh(place, rows["n"], color=colors, height=0.62)
    for y, n in zip(place, rows["n"], strict=True):
        ax.annotate(
            f"{n:,.0f}", (n, y), xytext=(5, 0), textcoords="offset points", va="center", fontsize=10
        )
    ax.set_yticks(place, style.wrapped(rows["group"]))
    ax.set_xlim(0, rows["n"].max() * 1.14)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.set_title(f"Leads of {result.period}, by who takes them")
    return style.finding(ax, result.headline)


def agreement(result: Agreement, ax: Axes | None = None) -> Axes:
    """Draw kappa of each pair in the period and in the baseline.

    Parameters
    ----------
    result
        What `funnel.definition.agreement` answers.
    ax
        Axes to draw on; a new figure without.
    """
    now, then = (_of_span(result.table, span) for span in ("period", "baseline"))
    rows = now.assign(
        **{f"before{end}": then[f"kappa{end}"].to_numpy() for end in ("", "_low", "_high")}
    )
    rows = rows.dropna(subset="kappa")
    if rows.empty:
        return style.no_data(style.axes(ax), result.headline)
    ax = style.axes(ax, size=style.rows_tall(len(rows) + 2))
    _pairs(ax, rows, rows["one"] + " and " + rows["other"], "kappa", "before", in_per_cent=False)
    ends = rows[["kappa_low", "before_low", "kappa", "before"]].min().min()
    ax.set_xlim(min(0.0, ends - 0.05), 1.02)
    ax.axvline(0, color=style.PALE, lw=1, zorder=0)
    ax.set_xlabel("0: as by chance, 1: always the same")
    ax.set_title("Agreement beyond chance")
    return style.finding(ax, result.headline)


def adherence(result: Adherence, ax: Axes | None = None) -> Axes:
    """Draw how often each half of what was agreed is done, and how often it was before.

    Parameters
    ----------
    result
        What `funnel.definition.adherence` answers.
    ax
        Axes to draw on; a new figure without.
    """
    table = result.table
    kind = "agreement" if (table["comparison"] == "agreement").any() else "period"
    rows = table[(table["comparison"] == kind) & (table["n"] > 0)]
    if rows.empty:
        return style.no_data(style.axes(ax), result.headline)
    ax = style.axes(ax, size=(style.WIDE[0], 1.4 + 0.5 * len(rows)))
    names = ("since agreed", "year before") if kind == "agreement" else ("period", "baseline")
    _pairs(ax, rows, rows["half"] + ": " + rows["what"], "share", "share_before", names=names)
    ax.set_title("Both halves of what was agreed")
    return style.finding(ax, result.headline)


def reasons(result: Reasons, ax: Axes | None = None) -> Axes:
    """Draw the share of each reason among leads that left, in both periods.

    Parameters
    ----------
    result
        What `funnel.definition.reasons` answers.
    ax
        Axes to draw on; a new figure without.
    """
    rows = result.table[result.table["group"] == "all"]
    rows = rows[(rows["n"] > 0) | (rows["n_baseline"] > 0)]
    if rows.empty or not rows["n"].any():
        return style.no_data(style.axes(ax), result.headline)
    labels = rows["reason"].str.replace("_", " ")
    labels = labels.where(rows["reason"] != "not mapped", '"' + rows["words"] + '"')
    ax = style.axes(ax, size=style.rows_tall(len(rows) + 1))
    _pairs(ax, rows, labels, "share", "share_baseline")
    ax.set_title("Why leads left before an opportunity")
    return style.finding(ax, result.headline)


def _of_span(table: pd.DataFrame, span: str) -> pd.DataFrame:
    return table[table["span"] == span].reset_index(drop=True)


def _pairs(
    ax: Axes,
    rows: pd.DataFrame,
    labels: Iterable[str],
    now: str,
    then: str,
    *,
    names: tuple[str, str] = ("period", "baseline"),
    in_per_cent: bool = True,
) -> None:
    """Draw two figures a row, each with its interval, the earlier one below."""
    place = np.arange(len(rows))[::-1]
    for column, offset, color, marker, name in (
        (now, 0.14, _NOW, "o", names[0]),
        (then, -0.14, _THEN, "s", names[1]),
    ):
        ax.hlines(
            place + offset, rows[f"{column}_low"], rows[f"{column}_high"], color=color, lw=2.2
        )
        ax.plot(rows[column], place + offset, marker, color=color, ms=6, label=name)
    ax.set_yticks(place, style.wrapped(labels, 24))
    ax.set_ylim(-0.6, len(rows) - 0.4)
    if in_per_cent:
        top = np.nanmax(rows[[f"{now}_high", f"{then}_high"]].to_numpy(float), initial=0.01)
        _shares(ax, top)
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)


def _shares(ax: Axes, top: float) -> None:
    ax.set_xlim(0, min(max(top * 1.05, 0.01), 1.02))
    ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    digits = 0 if top > 0.05 else 1
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.{digits}f}%"))
