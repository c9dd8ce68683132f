"""Charts of how leads of equal age convert, and how long it takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.contract.labels import EVERYBODY
from funnel.questions.conversion.cohorts import Cohorts, Groups
from funnel.questions.conversion.comparison import Conversion
from funnel.questions.conversion.pipeline import SalesCycle, WinRate
from funnel.questions.conversion.reach import COMPARABLE, IMMATURE, ReachByAge
from funnel.questions.conversion.text import group_names
from funnel.questions.conversion.time_to_convert import TimeToConvert
from funnel.results import Result, Say, charts, style
from funnel.results.paired_charts import NOW, THEN, paired, shares_across, shares_up
from funnel.results.text import capital

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_GROUPS = 12
_MOST_TICKS = 6


def _say(result: Result) -> Say:
    return Say(result.company, result.level)


@charts.of(ReachByAge)
def reach(result: ReachByAge, ax: Axes | None = None) -> Axes:
    """Bars of the share of leads that reach each stage, at the oldest age that is known."""
    ax = style.axes(ax)
    known = result.table.dropna(subset="reached")
    if known.empty:
        return style.no_data(ax, result.headline)
    rows = known[known["age_days"] == known["age_days"].max()]
    place = np.arange(len(rows))
    ax.bar(place, rows["reached"], color=style.SKY, width=0.6)
    _intervals(ax, place, rows, "reached", style.INK)
    ax.set_xticks(place, style.wrapped(rows["stage"].map(_say(result).stage), 14))
    shares_up(ax, rows["reached_high"].max())
    ax.set_title(f"Share of leads by day {rows['age_days'].iloc[0]:g}")
    return style.finding(ax, result.headline)


@charts.of(Conversion)
def conversion(result: Conversion, ax: Axes | None = None) -> Axes:
    """Each step's rate in the period and in the baseline, at the oldest comparable age."""
    rows, age = _oldest(result.table[result.table["segment"] == EVERYBODY])
    title = f"Share that converts by day {age:g}"
    return paired(
        result, ax, rows, rows["step"].map(_say(result).step), "rate", "rate_baseline", title
    )


@charts.of(Conversion, "groups")
def conversion_of_groups(result: Conversion, ax: Axes | None = None) -> Axes:
    """First to last stage by group, in the period and in the baseline."""
    rows = result.table
    rows = rows[(rows["segment"] != EVERYBODY) & rows["is_overall"].astype(bool)]
    rows, age = _oldest(rows)
    if rows.empty:
        return style.no_data(style.axes(ax), "No group can be compared at equal age.")
    n_more = max(len(rows) - _MOST_GROUPS, 0)
    rows = rows.head(_MOST_GROUPS)
    more = f" ({n_more} more)" if n_more else ""
    title = f"{capital(_say(result).step(rows['step'].iloc[0]))} by day {age:g}{more}"
    return paired(result, ax, rows, group_names(rows), "rate", "rate_baseline", title)


@charts.of(Groups)
def groups(result: Groups, ax: Axes | None = None) -> Axes:
    """First to last stage by group over the last two years, at the older age."""
    rows, age = _oldest(result.table[result.table["is_overall"]])
    if rows.empty:
        return style.no_data(style.axes(ax), result.headline)
    rows = rows.head(_MOST_GROUPS)
    ax = style.axes(ax, size=style.rows_tall(len(rows)))
    place = np.arange(len(rows))[::-1]
    ax.hlines(place, rows["rate_low"], rows["rate_high"], color=NOW, lw=2.2)
    ax.plot(rows["rate"], place, "o", color=NOW, ms=6)
    ax.set_yticks(place, style.wrapped(group_names(rows)))
    ax.set_ylim(-0.6, len(rows) - 0.4)
    shares_across(ax, rows["rate_high"].max())
    ax.set_title(f"{capital(_say(result).step(rows['step'].iloc[0]))} by day {age:g}, by group")
    return style.finding(ax, result.headline)


@charts.of(Cohorts)
def cohorts(result: Cohorts, ax: Axes | None = None) -> Axes:
    """Share of each month's leads that reaches the last stage, by age; immature months are gaps."""
    ax = style.axes(ax)
    table = result.table
    if table.empty or table["reached"].isna().all():
        return style.no_data(ax, result.headline)
    last = table[table["stage"] == table["stage"].iloc[-1]]
    months = sorted(last["cohort_month"].unique())
    place = np.arange(len(months))
    markers = ("o", "s", "^", "D")
    for number, (age, rows) in enumerate(last.groupby("age_days")):
        color = style.SERIES[number % len(style.SERIES)]
        rows = rows.set_index("cohort_month").reindex(months)
        ax.fill_between(
            place, rows["reached_low"], rows["reached_high"], color=color, alpha=0.18, lw=0
        )
        ax.plot(
            place, rows["reached"], color=color, lw=1.6, label=f"by day {age:g}",
            marker=markers[number % len(markers)], ms=3.5,
        )  # fmt: skip
    immature = last[last["state"] == IMMATURE]["cohort_month"]
    if len(immature):
        first = months.index(immature.min())
        ax.axvspan(first - 0.5, len(months) - 0.5, color=style.PALE, alpha=0.4)
        ax.text(
            len(months) - 0.6, 0.99, "too recent to judge", ha="right", va="top", fontsize=9,
            color=style.GREY, transform=ax.get_xaxis_transform(),
        )  # fmt: skip
    _month_ticks(ax, months)
    shares_up(ax, last["reached_high"].max())
    ax.legend(loc="upper left", ncols=2)
    ax.set_title(f"Share {_say(result).entered(last['stage'].iloc[0])}, by month of creation")
    return style.finding(ax, result.headline)


@charts.of(TimeToConvert)
def times(result: TimeToConvert, ax: Axes | None = None) -> Axes:
    """Median time of each step as a dot, p25 to p75 as a bar."""
    rows = result.table.dropna(subset="median_days") if len(result.table) else result.table
    if rows.empty:
        return style.no_data(style.axes(ax), result.headline)
    ax = style.axes(ax, size=style.rows_tall(len(rows)))
    place = np.arange(len(rows))[::-1]
    ax.hlines(place, rows["p25_days"], rows["p75_days"], color=style.SKY, lw=9)
    ax.plot(rows["median_days"], place, "o", color=style.INK, ms=5)
    for y, median, top in zip(place, rows["median_days"], rows["p75_days"], strict=True):
        ax.annotate(
            f"{median:.0f}" if median >= 10 else f"{median:.1f}", (max(top, median), y),
            xytext=(7, 0), textcoords="offset points", va="center", fontsize=10,
        )  # fmt: skip
    ax.set_yticks(place, style.wrapped(rows["step"].map(_say(result).step)))
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.set_xlim(0, max(rows["p75_days"].max() * 1.12, 1))
    ax.set_xlabel("days (dot: median; bar: p25 to p75)")
    ax.set_title("Days until those that convert do")
    return style.finding(ax, result.headline)


@charts.of(WinRate)
def win_rate(result: WinRate, ax: Axes | None = None) -> Axes:
    """Won over closed deals, by month of closing, with intervals."""
    ax = style.axes(ax)
    rows = result.table[(result.table["span"] == "month")].dropna(subset="win_rate")
    if rows.empty:
        return style.no_data(ax, result.headline)
    place = np.arange(len(rows))
    _intervals(ax, place, rows, "win_rate", style.PALE)
    ax.plot(place, rows["win_rate"], "o-", color=NOW, lw=1.2, ms=4)
    _month_ticks(ax, rows["label"].tolist())
    shares_up(ax, rows["win_rate_high"].max())
    ax.set_title("Won of the deals closed, by month of closing")
    return style.finding(ax, result.headline)


@charts.of(SalesCycle)
def sales_cycle(result: SalesCycle, ax: Axes | None = None) -> Axes:
    """Share of the deals won in each span that were won by days since their opening."""
    ax = style.axes(ax)
    if result.curve.empty:
        return style.no_data(ax, result.headline)
    rows = result.table.set_index("span")
    for span, colour, label in (("baseline", THEN, "baseline"), ("period", NOW, "this period")):
        curve = result.curve[result.curve["span"] == span]
        if curve.empty:
            continue
        ax.step(curve["days"], curve["share"], where="post", color=colour, lw=2, label=label)
        median = rows.loc[span, "cycle_days"]
        reached = np.interp(median, curve["days"], curve["share"])
        ax.plot([median], [reached], "o", color=colour, ms=6)
    upto = result.curve.groupby("span")["share"].idxmax().map(result.curve["days"]).max()
    ax.set_xlim(0, max(upto * 1.05, 1))
    shares_up(ax, result.curve["share"].max())
    ax.set_xlabel("days since the deal was opened (dot: half of those won)")
    ax.set_title("Won deals, by days since opening")
    ax.legend(loc="lower right")
    return style.finding(ax, result.headline)


def _oldest(rows: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    """Rows of the oldest age at which first to last stage can be compared, else any step."""
    known = rows[rows["state"] == COMPARABLE] if len(rows) else rows
    if known.empty:
        return known, float("nan")
    overall = known[known["is_overall"].astype(bool)]
    age = (overall if len(overall) else known)["age_days"].max()
    return known[known["age_days"] == age], age


def _intervals(ax: Axes, place: np.ndarray, rows: pd.DataFrame, name: str, color: str) -> None:
    ax.vlines(place, rows[f"{name}_low"], rows[f"{name}_high"], color=color, lw=2)


def _month_ticks(ax: Axes, months: list[str]) -> None:
    step = max(1, int(np.ceil(len(months) / _MOST_TICKS)))
    shown = list(range(0, len(months), step))
    ax.set_xticks(shown, [months[i] for i in shown], rotation=30, ha="right")
    ax.set_xlim(-0.6, len(months) - 0.4)
