"""Pictures of the hand-over: promises kept, follow-up over time, and what it goes with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.results import style
from funnel.results.paired_charts import NOW, THEN, pairs, shares_up

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.questions.handoff import Association, Attention, FollowUp, Nurture, Promises

_MOST_GRADES = 6


def promises(result: Promises, ax: Axes | None = None) -> Axes:
    """Draw how often each promise was kept, in the period and in the baseline.

    Parameters
    ----------
    result
        What `funnel.promises` answers.
    ax
        Axes to draw on; a new figure without.
    """
    rows = result.table.dropna(subset="kept") if len(result.table) else result.table
    if rows.empty:
        return style.no_data(style.axes(ax), result.headline)
    ax = style.axes(ax, size=style.rows_tall(len(rows) + 4))
    pairs(ax, rows, rows["side"] + ": " + rows["promise"], "kept", "kept_baseline")
    ax.set_xlabel("share of leads handed over")
    ax.set_title("Promises kept, by both sides")
    return style.finding(ax, result.headline)


def follow_up(result: FollowUp, ax: Axes | None = None) -> Axes:
    """Draw the share acted on by days since the hand-over, by grade, in the period.

    Parameters
    ----------
    result
        What `funnel.questions.handoff.follow_up` answers.
    ax
        Axes to draw on; a new figure without.
    """
    ax = style.axes(ax)
    curve = result.curve.dropna(subset="share")
    grades = [grade for grade in dict.fromkeys(curve["grade"]) if grade != "all"][:_MOST_GRADES]
    if not result.table["n_touched"].sum() or not grades:
        return style.no_data(ax, result.headline)
    for grade, colour in zip(grades, style.SERIES, strict=False):
        for span, line in (("baseline", ":"), ("period", "-")):
            rows = curve[(curve["grade"] == grade) & (curve["span"] == span)]
            ax.plot(rows["days"], rows["share"], line, color=colour, lw=2,
                    label=grade if span == "period" else None)  # fmt: skip
            if span == "period":
                ax.fill_between(rows["days"], rows["share_low"], rows["share_high"],
                                color=colour, alpha=0.15, lw=0)  # fmt: skip
    shares_up(ax, 1.0)
    ax.set_xlabel("days since the hand-over")
    ax.set_title("Acted on, by grade (dotted: baseline)")
    ax.legend(title="grade", loc="lower right")
    return style.finding(ax, result.headline)


def attention(result: Attention, ax: Axes | None = None) -> Axes:
    """Draw by week the share acted on in time, the share sent back, and the load.

    Parameters
    ----------
    result
        What `funnel.questions.handoff.attention` answers.
    ax
        Axes to draw on; a new figure without.
    """
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


def association(result: Association, ax: Axes | None = None) -> Axes:
    """Draw the ratio of both groups' rates, raw and like for like.

    Parameters
    ----------
    result
        What `funnel.handoff.speed_to_lead` or `hand_over_point` answers.
    ax
        Axes to draw on; a new figure without.
    """
    rows = result.table.dropna(subset="ratio") if len(result.table) else result.table
    if rows.empty:
        return style.no_data(style.axes(ax), result.headline)
    ax = style.axes(ax, size=style.rows_tall(len(rows) + 1))
    place = np.arange(len(rows))[::-1]
    colours = [NOW if words == "like for like" else THEN for words in rows["comparison"]]
    ax.axvline(1, color=style.PALE, lw=1)
    ax.hlines(place, rows["ratio_low"], rows["ratio_high"], color=colours, lw=2.2)
    ax.scatter(rows["ratio"], place, color=colours, s=36, zorder=3)
    ax.set_xscale("log")
    low, high = rows["ratio_low"].min(), rows["ratio_high"].max()
    ticks = [
        each for each in (0.1, 0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 10) if low / 1.6 < each < high * 1.6
    ]
    ax.set_xticks(ticks, [f"{each:g}" for each in ticks])
    ax.minorticks_off()
    ax.set_yticks(place, style.wrapped(rows["outcome"] + ", " + rows["comparison"], 24))
    ax.set_xlabel(f"times as often: {result.groups[0]}")
    ax.set_title(f"{result.about}: an association")
    return style.finding(ax, result.headline)


def nurture(result: Nurture, ax: Axes | None = None) -> Axes:
    """Draw what share of recycled leads came back, by days since.

    Parameters
    ----------
    result
        What `funnel.handoff.nurture_pool` answers.
    ax
        Axes to draw on; a new figure without.
    """
    ax = style.axes(ax)
    rows = result.table[result.table["grade"] == "all"].dropna(subset="returned")
    if rows.empty:
        return style.no_data(ax, result.headline)
    place = np.arange(len(rows))
    for name, shift, colour, words in (("returned", -0.12, NOW, "came back"),
                                       ("won", 0.12, style.GREEN, "won")):  # fmt: skip
        ax.vlines(place + shift, rows[f"{name}_low"], rows[f"{name}_high"], color=colour, lw=2.2)
        ax.plot(place + shift, rows[name], "o", color=colour, ms=6, label=words)
    ax.set_xticks(place, [f"{days:g} days" for days in rows["by_days"]])
    ax.set_xlim(-0.5, len(rows) - 0.5)
    shares_up(ax, rows["returned_high"].max())
    ax.set_title("Recycled leads that came back")
    ax.legend(loc="center left")
    return style.finding(ax, result.headline)
