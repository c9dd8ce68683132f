"""Pictures of what each definition takes, how far they agree, and what is done with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, MaxNLocator

from funnel.results import style
from funnel.results.paired_charts import NOW, pairs, shares_across

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.questions.definition import (
        Adherence,
        Agreement,
        BarMoves,
        BarReplay,
        Calibration,
        Criteria,
        Definitions,
        Overlap,
        Points,
        Reasons,
    )

_MOST_CRITERIA = 18
_MOST_TICKS = 6
_OF_CRITERION = {"kept": style.BLUE, "dropped": style.GREEN, "no evidence": style.GREY}


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
    pairs(ax, rows, rows["definition"], "share", "before")
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
        What `funnel.questions.definition.agreement` answers.
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
    pairs(ax, rows, rows["one"] + " and " + rows["other"], "kappa", "before", are_shares=False)
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
        What `funnel.questions.definition.adherence` answers.
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
    pairs(ax, rows, rows["half"] + ": " + rows["what"], "share", "share_before", names=names)
    ax.set_title("Both halves of what was agreed")
    return style.finding(ax, result.headline)


def reasons(result: Reasons, ax: Axes | None = None) -> Axes:
    """Draw the share of each reason among leads that left, in both periods.

    Parameters
    ----------
    result
        What `funnel.questions.definition.reasons` answers.
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
    pairs(ax, rows, labels, "share", "share_baseline")
    ax.set_title("Why leads left before an opportunity")
    return style.finding(ax, result.headline)


def criteria(result: Criteria, ax: Axes | None = None) -> Axes:
    """Draw the worth of each criterion with its interval.

    Parameters
    ----------
    result
        What `funnel.criteria` answers.
    ax
        Axes to draw on; a new figure without.
    """
    rows = result.table.dropna(subset="worth") if len(result.table) else result.table
    rows = rows.head(_MOST_CRITERIA)
    if rows.empty:
        return style.no_data(style.axes(ax), result.headline)
    ax = style.axes(ax, size=style.rows_tall(len(rows) + 2))
    place = np.arange(len(rows))[::-1]
    ax.axvline(0, color=style.PALE, lw=1, zorder=0)
    for verdict, color in _OF_CRITERION.items():
        here = (rows["verdict"] == verdict).to_numpy()
        if here.any():
            some = rows[here]
            ax.hlines(
                place[here], 100 * some["worth_low"], 100 * some["worth_high"], color=color, lw=2.2
            )
            ax.plot(100 * some["worth"], place[here], "o", color=color, ms=6, label=verdict)
    ax.set_yticks(place, style.wrapped(rows["criterion"], 24))
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.set_xlabel("points of win rate, one side less the other")
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    ax.set_title("What each criterion is worth")
    return style.finding(ax, result.headline)


def calibration(result: Calibration, ax: Axes | None = None) -> Axes:
    """Draw win rates by grade, and by tenth of the score.

    Parameters
    ----------
    result
        What `funnel.calibration` answers.
    ax
        Axes to draw on; a new figure without.
    """
    rows = result.table
    if rows.empty:
        return style.no_data(style.axes(ax), result.headline)
    names = [f"{by} {group}" for by, group in zip(rows["by"], rows["group"], strict=True)]
    ax = style.axes(ax, size=style.rows_tall(len(rows) + 1))
    place = np.arange(len(rows)) + (rows["by"] == "score").to_numpy() * 0.6
    for by, color in (("grade", style.ORANGE), ("score", style.BLUE)):
        here = (rows["by"] == by).to_numpy()
        some = rows[here]
        ax.hlines(place[here], some["rate_low"], some["rate_high"], color=color, lw=2.2)
        ax.plot(some["rate"], place[here], "o", color=color, ms=6)
    if rows["expected"].notna().any():
        ax.plot(rows["expected"], place, "D", color=style.INK, ms=5, mfc="none", label="expected")
        ax.legend(loc="lower right")
    ax.set_yticks(place, style.wrapped(names, 24))
    shares_across(ax, float(rows["rate_high"].max()))
    ax.set_title("Won, by grade and tenth of the score")
    return style.finding(ax, result.headline)


def points(result: Points, ax: Axes | None = None) -> Axes:
    """Draw what each behaviour earns in points, and what it is worth.

    Parameters
    ----------
    result
        What `funnel.points` answers.
    ax
        Axes to draw on; a new figure without.
    """
    rows = result.table
    if rows.empty:
        return style.no_data(style.axes(ax), result.headline)
    ax = style.axes(ax, size=style.rows_tall(len(rows) + 2))
    pairs(
        ax, rows, rows["behaviour"], "points", "worth", names=("earns", "is worth"),
        are_shares=False,
    )  # fmt: skip
    ax.axvline(0, color=style.PALE, lw=1, zorder=0)
    ax.set_xlabel("points of the score")
    ax.set_title("What behaviours earn and are worth")
    return style.finding(ax, result.headline)


def bar_replay(result: BarReplay, ax: Axes | None = None) -> Axes:
    """Draw the share of recorded wins that each bar keeps, against sales' load.

    Parameters
    ----------
    result
        What `funnel.bar_replay` answers.
    ax
        Axes to draw on; a new figure without.
    """
    rows = result.table[result.table["state"] == "replayed"] if len(result.table) else result.table
    ax = style.axes(ax)
    if rows.empty:
        return style.no_data(ax, result.headline)
    ax.fill_between(
        rows["per_week"], rows["kept_share_low"], rows["kept_share_high"], color=style.SKY,
        alpha=0.35, lw=0,
    )  # fmt: skip
    ax.plot(rows["per_week"], rows["kept_share"], "o-", color=NOW, lw=1.4, ms=4)
    some = rows.iloc[:: max(1, int(np.ceil(len(rows) / 7)))]
    for _, row in some.iterrows():
        ax.annotate(
            row["bar_words"], (row["per_week"], row["kept_share"]), xytext=(5, -11),
            textcoords="offset points", fontsize=9, color=style.GREY,
        )  # fmt: skip
    ax.set_xlim(0, rows["per_week"].max() * 1.1)
    ax.set_ylim(0, 1.05)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}%"))
    ax.set_xlabel(f"leads a week (beside each dot: the bar on {result.column})")
    ax.set_title("Recorded wins that each bar keeps")
    return style.finding(ax, result.headline)


def bar_moves(result: BarMoves, ax: Axes | None = None) -> Axes:
    """Draw the share of leads passed by week, and the days on which a bar moved.

    Parameters
    ----------
    result
        What `funnel.bar_moves` answers.
    ax
        Axes to draw on; a new figure without.
    """
    ax = style.axes(ax)
    weekly = result.weekly
    weekly = weekly[weekly["n"] > 0] if len(weekly) else weekly
    if len(weekly) < 2:
        return style.no_data(ax, result.headline)
    ax.plot(weekly["week"], weekly["share"], color=style.SKY, lw=1)
    moved = np.searchsorted(pd.DatetimeIndex(result.table["day"]), weekly["week"], side="right")
    for _, part in weekly.groupby(moved):  # no line runs over the day on which a bar moved
        smooth = part["share"].rolling(9, center=True, min_periods=1).mean()
        ax.plot(part["week"], smooth, color=NOW, lw=1.8)
    for _, row in result.table.iterrows():
        ax.axvline(pd.Timestamp(row["day"]), color=style.VERMILION, lw=1.4, ls="--")
        ax.annotate(
            f"{row['column']} {row['move']}", (pd.Timestamp(row["day"]), 0.02), xytext=(-4, 0),
            textcoords="offset points", rotation=90, ha="right", va="bottom", fontsize=9,
            xycoords=("data", "axes fraction"),
        )  # fmt: skip
    ax.set_ylim(0, min(1.05, max(float(weekly["share"].max()) * 1.15, 0.05)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}%"))
    shown = weekly["week"].iloc[:: int(np.ceil(len(weekly) / _MOST_TICKS))]
    ax.set_xticks(shown, shown.dt.strftime("%Y-%m"), rotation=30, ha="right")
    ax.set_title("Share of leads handed over, by week")
    return style.finding(ax, result.headline)


def _of_span(table: pd.DataFrame, span: str) -> pd.DataFrame:
    return table[table["span"] == span].reset_index(drop=True)
