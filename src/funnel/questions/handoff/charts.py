"""Charts of the hand-off: the SLA, follow-up over time, and what it is associated with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.contract.labels import EVERYBODY
from funnel.questions.handoff.attention import Attention
from funnel.questions.handoff.nurture import NurturePool
from funnel.questions.handoff.response_times import FollowUp
from funnel.questions.handoff.sla import Handoff
from funnel.questions.handoff.speed_to_lead import STRATIFIED, Association
from funnel.questions.handoff.text import (
    COMPARISONS,
    association_groups,
    association_title,
    sla_label,
)
from funnel.results import charts, style
from funnel.results.paired_charts import NOW, THEN, paired, shares_up

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_GRADES = 6
_TICKS = (0.1, 0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 10)  # of a ratio, on a log axis


@charts.of(Handoff)
def handoff(result: Handoff, ax: Axes | None = None) -> Axes:
    """How often each part of the SLA was met, in the period and in the baseline."""
    rows = result.table.dropna(subset="met") if len(result.table) else result.table
    labels = [f"{row['side']}: {sla_label(row)}" for _, row in rows.iterrows()]
    title = "SLA met, by both teams"
    axis = "share of leads handed over"
    return paired(result, ax, rows, labels, "met", "met_baseline", title, n_more=4, axis=axis)


@charts.of(FollowUp)
def follow_up(result: FollowUp, ax: Axes | None = None) -> Axes:
    """Share acted on by days since the hand-off, by grade, with intervals of the period."""
    ax = style.axes(ax)
    curve = result.curve.dropna(subset="share")
    grades = [grade for grade in dict.fromkeys(curve["grade"]) if grade != EVERYBODY]
    if not result.table["n_responded"].sum() or not grades:
        return style.no_data(ax, result.headline)
    for grade, colour in zip(grades[:_MOST_GRADES], style.SERIES, strict=False):
        for span, line in (("baseline", ":"), ("period", "-")):
            rows = curve[(curve["grade"] == grade) & (curve["span"] == span)]
            ax.plot(rows["days"], rows["share"], line, color=colour, lw=2,
                    label=grade if span == "period" else None)  # fmt: skip
            if span == "period":
                ax.fill_between(rows["days"], rows["share_low"], rows["share_high"],
                                color=colour, alpha=0.15, lw=0)  # fmt: skip
    shares_up(ax, 1.0)
    ax.set_xlabel("days since the hand-off")
    ax.set_title("Acted on, by grade (dotted: baseline)")
    ax.legend(title="grade", loc="lower right")
    return style.finding(ax, result.headline)


@charts.of(Attention)
def attention(result: Attention, ax: Axes | None = None) -> Axes:
    """Share acted on within the SLA, share sent back, and load, by week (means of four weeks)."""
    ax = style.axes(ax)
    weeks = result.weeks
    if weeks.empty or weeks["followed_share"].notna().sum() < 2:
        return style.no_data(ax, result.headline)
    smooth = {name: pd.to_numeric(weeks[name]).rolling(4, min_periods=2, center=True).mean()
              for name in ("followed_share", "returned_share", "load")}  # fmt: skip
    ax.plot(weeks["week_start"], smooth["followed_share"], color=NOW, lw=2,
            label="acted on in time")  # fmt: skip
    ax.plot(weeks["week_start"], smooth["returned_share"], color=style.ORANGE, lw=2,
            label="sent back")  # fmt: skip
    shares_up(ax, 1.0)
    if smooth["load"].notna().any():
        load = ax.twinx()
        load.plot(weeks["week_start"], smooth["load"], ":", color=style.GREY, lw=1.6)
        load.set_ylim(0, None)
        load.set_ylabel("leads per salesperson and week", color=style.GREY)
        ax.plot([], [], ":", color=style.GREY, lw=1.6, label="load (right)")
    ax.set_title("Follow-up, returns and load (4 weeks)")
    ax.tick_params(axis="x", rotation=30)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.24), ncols=3, columnspacing=1)
    return style.finding(ax, result.headline)


@charts.of(Association)
def association(result: Association, ax: Axes | None = None) -> Axes:
    """Ratio of both groups' rates with its interval, unadjusted and stratified."""
    rows = result.table.dropna(subset="ratio") if len(result.table) else result.table
    if rows.empty:
        return style.no_data(style.axes(ax), result.headline)
    ax = style.axes(ax, size=style.rows_tall(len(rows) + 1))
    place = np.arange(len(rows))[::-1]
    colours = [NOW if each == STRATIFIED else THEN for each in rows["comparison"]]
    ax.axvline(1, color=style.PALE, lw=1)
    ax.hlines(place, rows["ratio_low"], rows["ratio_high"], color=colours, lw=2.2)
    ax.scatter(rows["ratio"], place, color=colours, s=36, zorder=3)
    ax.set_xscale("log")
    low, high = rows["ratio_low"].min(), rows["ratio_high"].max()
    ticks = [each for each in _TICKS if low / 1.6 < each < high * 1.6]
    ax.set_xticks(ticks, [f"{each:g}" for each in ticks])
    ax.minorticks_off()
    labels = rows["outcome"] + ", " + rows["comparison"].map(COMPARISONS)
    ax.set_yticks(place, style.wrapped(labels, 24))
    ax.set_xlabel(f"times as often: {association_groups(result)[0]}")
    ax.set_title(f"{association_title(result)}: an association")
    return style.finding(ax, result.headline)


@charts.of(NurturePool)
def nurture(result: NurturePool, ax: Axes | None = None) -> Axes:
    """Shares of recycled leads that came back and were won, by days since."""
    ax = style.axes(ax)
    rows = result.table[result.table["grade"] == EVERYBODY].dropna(subset="returned")
    if rows.empty:
        return style.no_data(ax, result.headline)
    place = np.arange(len(rows))
    for name, shift, colour, label in (("returned", -0.12, NOW, "came back"),
                                       ("won", 0.12, style.GREEN, "won")):  # fmt: skip
        ax.vlines(place + shift, rows[f"{name}_low"], rows[f"{name}_high"], color=colour, lw=2.2)
        ax.plot(place + shift, rows[name], "o", color=colour, ms=6, label=label)
    ax.set_xticks(place, [f"{days:g} days" for days in rows["by_days"]])
    ax.set_xlim(-0.5, len(rows) - 0.5)
    shares_up(ax, rows["returned_high"].max())
    ax.set_title("Recycled leads that came back")
    ax.legend(loc="center left")
    return style.finding(ax, result.headline)
