"""Charts of the definition question: each draws the table of one result."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from funnel.contract.labels import EVERYBODY
from funnel.questions.definition.adherence import Adherence
from funnel.questions.definition.agreement import Agreement
from funnel.questions.definition.calibration import Calibration
from funnel.questions.definition.counts import NEITHER, OPEN, Definition, Overlap
from funnel.questions.definition.criteria import DROPPED, KEPT, NO_EVIDENCE, Criteria
from funnel.questions.definition.points import Points
from funnel.questions.definition.reasons import Reasons
from funnel.questions.definition.text import (
    AXES,
    EARNED,
    EXPECTED,
    SINCE,
    SPANS,
    TITLES,
    reason_labels,
    threshold_label,
)
from funnel.questions.definition.thresholds import REPLAYED, ThresholdChanges, ThresholdReplay
from funnel.results import Result, Say, charts, style
from funnel.results.paired_charts import NOW, paired, shares_across, shares_up

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_CRITERIA = 18
_MOST_LABELS = 7
_MOST_TICKS = 6
_COLORS = {KEPT: style.BLUE, DROPPED: style.GREEN, NO_EVIDENCE: style.GREY}


def _finished(ax: Axes, result: Result, title: str) -> Axes:
    """The axes with their title, and with the headline as alternative text."""
    ax.set_title(title)
    return style.finding(ax, result.headline)


def _of_span(table: pd.DataFrame, span: str) -> pd.DataFrame:
    return table[table["span"] == span].reset_index(drop=True)


def _with_baseline(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Rows of the period, with a figure of the baseline and its interval as `before`."""
    then = _of_span(table, "baseline")
    before = {f"before{end}": then[f"{name}{end}"].to_numpy() for end in ("", "_low", "_high")}
    return _of_span(table, "period").assign(**before)


@charts.of(Definition)
def definition(result: Definition, ax: Axes | None = None) -> Axes:
    """The share of leads that each definition takes, in the period and in the baseline."""
    rows = _with_baseline(result.table, "share")
    rows = rows if rows["n_known"].any() else rows.iloc[:0]
    title, names = TITLES["definition"], rows["definition"]
    return paired(result, ax, rows, names, "share", "before", title, n_more=2, names=SPANS)


@charts.of(Overlap)
def overlap(result: Overlap, ax: Axes | None = None) -> Axes:
    """The leads of the period that are qualified for both sides, one only, or neither."""
    rows = _of_span(result.table, "period")
    if rows.empty or not rows["n"].any():
        return style.no_data(style.axes(ax), result.headline)
    rows = rows[(rows["n"] > 0) | (rows["group"] != OPEN)]
    ax = style.axes(ax, size=style.rows_tall(len(rows)))
    place = np.arange(len(rows))[::-1]
    colors = [style.PALE if group in (NEITHER, OPEN) else style.SKY for group in rows["group"]]
    ax.barh(place, rows["n"], color=colors, height=0.62)
    say = Say(result.company, result.level)
    for y, n in zip(place, rows["n"], strict=True):
        ax.annotate(
            say.number(n), (n, y), xytext=(5, 0), textcoords="offset points", va="center",
            fontsize=10,
        )  # fmt: skip
    ax.set_yticks(place, style.wrapped(rows["group"]))
    ax.set_xlim(0, rows["n"].max() * 1.14)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    return _finished(ax, result, TITLES["overlap"].format(period=result.period))


@charts.of(Agreement)
def agreement(result: Agreement, ax: Axes | None = None) -> Axes:
    """Kappa of each pair, in the period and in the baseline."""
    rows = _with_baseline(result.table, "kappa").dropna(subset="kappa")
    options = {"n_more": 2, "names": SPANS, "axis": AXES["agreement"], "are_shares": False}
    labels = rows["one"] + " and " + rows["other"]
    ax = paired(result, ax, rows, labels, "kappa", "before", TITLES["agreement"], **options)
    if len(rows):
        lowest = rows[["kappa_low", "before_low", "kappa", "before"]].min().min()
        ax.set_xlim(min(0.0, lowest - 0.05), 1.02)
        ax.axvline(0, color=style.PALE, lw=1, zorder=0)
    return ax


@charts.of(Adherence)
def adherence(result: Adherence, ax: Axes | None = None) -> Axes:
    """How often each team does what was agreed, and how often it did before."""
    rows = result.shares.reset_index()
    rows = rows[rows["n"] > 0]
    names = SINCE if result.comparison == "agreement" else SPANS
    labels, title = rows["half"] + ": " + rows["what"], TITLES["adherence"]
    return paired(result, ax, rows, labels, "share", "share_before", title, n_more=2, names=names)


@charts.of(Reasons)
def reasons(result: Reasons, ax: Axes | None = None) -> Axes:
    """The share of each reason among leads that left, in both periods."""
    rows = result.table[result.table["group"] == EVERYBODY]
    rows = rows[(rows["n"] > 0) | (rows["n_baseline"] > 0)]
    rows = rows if rows["n"].any() else rows.iloc[:0]
    labels, title = reason_labels(rows), TITLES["reasons"]
    return paired(result, ax, rows, labels, "share", "share_baseline", title, names=SPANS)


@charts.of(Criteria)
def criteria(result: Criteria, ax: Axes | None = None) -> Axes:
    """The worth of each criterion with its interval."""
    rows = result.table.dropna(subset="worth").head(_MOST_CRITERIA)
    if rows.empty:
        return style.no_data(style.axes(ax), result.headline)
    ax = style.axes(ax, size=style.rows_tall(len(rows) + 2))
    place = np.arange(len(rows))[::-1]
    ax.axvline(0, color=style.PALE, lw=1, zorder=0)
    for verdict, color in _COLORS.items():
        here = (rows["verdict"] == verdict).to_numpy()
        if here.any():
            some = 100 * rows.loc[here, ["worth", "worth_low", "worth_high"]]
            ax.hlines(place[here], some["worth_low"], some["worth_high"], color=color, lw=2.2)
            ax.plot(some["worth"], place[here], "o", color=color, ms=6, label=verdict)
    ax.set_yticks(place, style.wrapped(rows["criterion"], 24))
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.set_xlabel(AXES["criteria"])
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return _finished(ax, result, TITLES["criteria"])


@charts.of(Calibration)
def calibration(result: Calibration, ax: Axes | None = None) -> Axes:
    """Win rates by grade and by tenth of the score."""
    rows = result.table
    if rows.empty:
        return style.no_data(style.axes(ax), result.headline)
    ax = style.axes(ax, size=style.rows_tall(len(rows) + 1))
    place = np.arange(len(rows)) + (rows["by"] == "score").to_numpy() * 0.6
    for by, color in (("grade", style.ORANGE), ("score", style.BLUE)):
        here = (rows["by"] == by).to_numpy()
        some = rows[here]
        ax.hlines(place[here], some["rate_low"], some["rate_high"], color=color, lw=2.2)
        ax.plot(some["rate"], place[here], "o", color=color, ms=6)
    if rows["expected"].notna().any():
        ax.plot(rows["expected"], place, "D", color=style.INK, ms=5, mfc="none", label=EXPECTED)
        ax.legend(loc="lower right")
    ax.set_yticks(place, style.wrapped(rows["by"] + " " + rows["group"], 24))
    shares_across(ax, float(rows["rate_high"].max()))
    return _finished(ax, result, TITLES["calibration"])


@charts.of(Points)
def points(result: Points, ax: Axes | None = None) -> Axes:
    """The points that each behaviour earns, and those that it is worth."""
    rows, title = result.table, TITLES["points"]
    options = {"n_more": 2, "names": EARNED, "axis": AXES["points"], "are_shares": False}
    ax = paired(result, ax, rows, rows["behaviour"], "points", "worth", title, **options)
    if len(rows):
        ax.axvline(0, color=style.PALE, lw=1, zorder=0)
    return ax


@charts.of(ThresholdReplay)
def threshold_replay(result: ThresholdReplay, ax: Axes | None = None) -> Axes:
    """The share of recorded wins above each threshold, against sales' load."""
    rows = result.table[result.table["state"] == REPLAYED]
    ax = style.axes(ax)
    if rows.empty:
        return style.no_data(ax, result.headline)
    ax.fill_between(
        rows["per_week"], rows["kept_share_low"], rows["kept_share_high"], color=style.SKY,
        alpha=0.35, lw=0,
    )  # fmt: skip
    ax.plot(rows["per_week"], rows["kept_share"], "o-", color=NOW, lw=1.4, ms=4)
    say = Say(result.company, result.level)
    for _, row in rows.iloc[:: max(1, int(np.ceil(len(rows) / _MOST_LABELS)))].iterrows():
        ax.annotate(
            threshold_label(result.column, row["threshold"], say),
            (row["per_week"], row["kept_share"]), xytext=(5, -11), textcoords="offset points",
            fontsize=9, color=style.GREY,
        )  # fmt: skip
    ax.set_xlim(0, rows["per_week"].max() * 1.1)
    shares_up(ax, 1.0)
    ax.set_xlabel(AXES["threshold_replay"].format(column=result.column))
    return _finished(ax, result, TITLES["threshold_replay"])


@charts.of(ThresholdChanges)
def threshold_changes(result: ThresholdChanges, ax: Axes | None = None) -> Axes:
    """The share of leads handed over by week, and the days on which a threshold changed."""
    ax, weekly = style.axes(ax), result.weekly[result.weekly["n"] > 0]
    if len(weekly) < 2:
        return style.no_data(ax, result.headline)
    ax.plot(weekly["week"], weekly["share"], color=style.SKY, lw=1)
    days = pd.DatetimeIndex(result.table["day"])
    part = np.searchsorted(days, weekly["week"], side="right")
    for _, between in weekly.groupby(part):  # no line runs over the day of a change
        smooth = between["share"].rolling(9, center=True, min_periods=1).mean()
        ax.plot(between["week"], smooth, color=NOW, lw=1.8)
    for day, (_, row) in zip(days, result.table.iterrows(), strict=True):
        ax.axvline(day, color=style.VERMILION, lw=1.4, ls="--")
        ax.annotate(
            f"{row['column']} {row['move']}", (day, 0.02), xytext=(-4, 0),
            textcoords="offset points", rotation=90, ha="right", va="bottom", fontsize=9,
            xycoords=("data", "axes fraction"),
        )  # fmt: skip
    shares_up(ax, float(weekly["share"].max()))
    shown = weekly["week"].iloc[:: int(np.ceil(len(weekly) / _MOST_TICKS))]
    ax.set_xticks(shown, shown.dt.strftime("%Y-%m"), rotation=30, ha="right")
    return _finished(ax, result, TITLES["threshold_changes"])
