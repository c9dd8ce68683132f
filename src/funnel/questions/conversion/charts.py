"""Pictures of how leads of equal age get on, and how long it takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.results import style
from funnel.results.paired_charts import NOW, THEN, pairs, shares_across, shares_up

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.questions.conversion.reach import ReachByAge
    from funnel.questions.conversion.results import Cohorts, Conversion, Groups
    from funnel.questions.conversion.sales_cycle import SalesCycle
    from funnel.questions.conversion.time_to_convert import TimeToConvert, WinRate

_MOST_GROUPS = 12
_MOST_TICKS = 6


def reach(result: ReachByAge, ax: Axes | None = None) -> Axes:
    """Draw the share of leads that reach each stage by the oldest age that is known.

    Parameters
    ----------
    result
        What `funnel.reach_by_age` answers.
    ax
        Axes to draw on; a new figure without.
    """
    ax = style.axes(ax)
    known = result.table.dropna(subset="reached")
    if known.empty:
        return style.no_data(ax, result.headline)
    rows = known[known["age_days"] == known["age_days"].max()]
    place = np.arange(len(rows))
    ax.bar(place, rows["reached"], color=style.SKY, width=0.6)
    _whiskers(ax, place, rows, "reached", style.INK)
    ax.set_xticks(place, style.wrapped(rows["stage"], 14))
    shares_up(ax, rows["reached_high"].max())
    ax.set_title(f"Share of leads by day {rows['age_days'].iloc[0]:g}")
    return style.finding(ax, result.headline)


def conversion(result: Conversion, ax: Axes | None = None) -> Axes:
    """Draw each step's rate in the period and in the baseline, at the oldest comparable age.

    Parameters
    ----------
    result
        What `funnel.conversion` answers.
    ax
        Axes to draw on; a new figure without.
    """
    rows = result.table[result.table["segment"] == "all"]
    rows, age = _oldest(rows)
    if rows.empty:
        return style.no_data(style.axes(ax), result.headline)
    ax = style.axes(ax, size=style.rows_tall(len(rows) + 1))
    pairs(ax, rows, rows["step"], "rate", "rate_baseline")
    ax.set_title(f"Share that gets on by day {age:g}")
    return style.finding(ax, result.headline)


def groups(result: Conversion, ax: Axes | None = None) -> Axes:
    """Draw the whole way by group, in the period and in the baseline.

    Parameters
    ----------
    result
        What `funnel.conversion` answers, split by a column.
    ax
        Axes to draw on; a new figure without.
    """
    rows = result.table
    rows = rows[(rows["segment"] != "all") & rows["is_whole_way"].astype(bool)]
    rows, age = _oldest(rows)
    if rows.empty:
        return style.no_data(style.axes(ax), "No group can be compared at equal age.")
    n_more = max(len(rows) - _MOST_GROUPS, 0)
    rows = rows.head(_MOST_GROUPS)
    ax = style.axes(ax, size=style.rows_tall(len(rows) + 1))
    several = len(rows["segment"].unique()) > 1
    labels = rows["segment"] + ": " + rows["group"] if several else rows["group"]
    pairs(ax, rows, labels, "rate", "rate_baseline")
    step = rows["step"].iloc[0]
    ax.set_title(
        f"{step[:1].upper()}{step[1:]} by day {age:g}" + f" ({n_more} more)" * (n_more > 0)
    )
    moved = [label for label, v in zip(labels, rows["verdict"], strict=True) if v == "moved"]
    says = (
        f"{step} by day {age:g} for {len(rows)} groups, period against baseline: "
        f"{', '.join(moved) if moved else 'none'} moved."
    )
    return style.finding(ax, says)


def by_group(result: Groups, ax: Axes | None = None) -> Axes:
    """Draw the whole way by group over the last two years, at the older age.

    Parameters
    ----------
    result
        What `funnel.conversion.groups` answers.
    ax
        Axes to draw on; a new figure without.
    """
    rows, age = _oldest(result.table[result.table["is_whole_way"]])
    if rows.empty:
        return style.no_data(style.axes(ax), result.headline)
    rows = rows.head(_MOST_GROUPS)
    ax = style.axes(ax, size=style.rows_tall(len(rows)))
    place = np.arange(len(rows))[::-1]
    ax.hlines(place, rows["rate_low"], rows["rate_high"], color=NOW, lw=2.2)
    ax.plot(rows["rate"], place, "o", color=NOW, ms=6)
    several = len(rows["segment"].unique()) > 1
    labels = rows["segment"] + ": " + rows["group"] if several else rows["group"]
    ax.set_yticks(place, style.wrapped(labels))
    ax.set_ylim(-0.6, len(rows) - 0.4)
    top = rows["rate_high"].max()
    shares_across(ax, top)
    step = rows["step"].iloc[0]
    ax.set_title(f"{step[:1].upper()}{step[1:]} by day {age:g}, by group")
    return style.finding(ax, result.headline)


def cohorts(result: Cohorts, ax: Axes | None = None) -> Axes:
    """Draw what share of each month's leads reaches the last stage, at each age.

    Months that are too young, or not covered, are gaps.

    Parameters
    ----------
    result
        What `funnel.questions.conversion.cohorts` answers.
    ax
        Axes to draw on; a new figure without.
    """
    ax = style.axes(ax)
    table = result.table
    if table.empty or table["reached"].isna().all():
        return style.no_data(ax, result.headline)
    last = table[table["stage"] == table["stage"].iloc[-1]]
    months = sorted(last["cohort_month"].unique())
    markers = ("o", "s", "^", "D")
    for number, (age, rows) in enumerate(last.groupby("age_days")):
        color = style.SERIES[number % len(style.SERIES)]
        rows = rows.set_index("cohort_month").reindex(months)
        place = np.arange(len(months))
        ax.fill_between(
            place, rows["reached_low"], rows["reached_high"], color=color, alpha=0.18, lw=0
        )
        ax.plot(
            place, rows["reached"], color=color, lw=1.6, label=f"by day {age:g}",
            marker=markers[number % len(markers)], ms=3.5,
        )  # fmt: skip
    young = last[(last["state"] == "too young")]["cohort_month"]
    if len(young):
        ax.axvspan(months.index(young.min()) - 0.5, len(months) - 0.5, color=style.PALE, alpha=0.4)
        ax.text(
            len(months) - 0.6, 0.99, "some too young", ha="right", va="top", fontsize=9,
            color=style.GREY, transform=ax.get_xaxis_transform(),
        )  # fmt: skip
    _month_ticks(ax, months)
    shares_up(ax, last["reached_high"].max())
    ax.legend(loc="upper left", ncols=2)
    ax.set_title(f"Share that reaches {last['stage'].iloc[0]}, by month of creation")
    return style.finding(ax, result.headline)


def times(result: TimeToConvert, ax: Axes | None = None) -> Axes:
    """Draw the median time of each step as a dot, and its quartiles as a bar.

    Parameters
    ----------
    result
        What `funnel.conversion.time_to_convert` answers.
    ax
        Axes to draw on; a new figure without.
    """
    rows = result.table.dropna(subset="median_days") if len(result.table) else result.table
    if rows.empty:
        return style.no_data(style.axes(ax), result.headline)
    ax = style.axes(ax, size=style.rows_tall(len(rows)))
    place = np.arange(len(rows))[::-1]
    ax.hlines(place, rows["q1_days"], rows["q3_days"], color=style.SKY, lw=9)
    ax.plot(rows["median_days"], place, "o", color=style.INK, ms=5)
    for y, (median, top) in zip(
        place, zip(rows["median_days"], rows["q3_days"], strict=True), strict=True
    ):
        ax.annotate(
            f"{median:.0f}" if median >= 10 else f"{median:.1f}", (max(top, median), y),
            xytext=(7, 0), textcoords="offset points", va="center", fontsize=10,
        )  # fmt: skip
    ax.set_yticks(place, style.wrapped(rows["step"]))
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.set_xlim(0, max(rows["q3_days"].max() * 1.12, 1))
    ax.set_xlabel("days (dot: median; bar: middle half)")
    ax.set_title("How long those who get on take")
    return style.finding(ax, result.headline)


def win_rate(result: WinRate, ax: Axes | None = None) -> Axes:
    """Draw won over closed deals, by month of closing.

    Parameters
    ----------
    result
        What `funnel.conversion.win_rate` answers.
    ax
        Axes to draw on; a new figure without.
    """
    ax = style.axes(ax)
    rows = result.table[(result.table["span"] == "month")].dropna(subset="win_rate")
    if rows.empty:
        return style.no_data(ax, result.headline)
    place = np.arange(len(rows))
    _whiskers(ax, place, rows, "win_rate", style.PALE)
    ax.plot(place, rows["win_rate"], "o-", color=NOW, lw=1.2, ms=4)
    _month_ticks(ax, rows["label"].tolist())
    shares_up(ax, rows["win_rate_high"].max())
    ax.set_title("Won of the deals closed, by month of closing")
    return style.finding(ax, result.headline)


def sales_cycle(result: SalesCycle, ax: Axes | None = None) -> Axes:
    """Draw the share of deals won by days since their opening, as deals went in each span.

    Parameters
    ----------
    result
        What `funnel.conversion.sales_cycle` answers.
    ax
        Axes to draw on; a new figure without.
    """
    ax = style.axes(ax)
    if result.curve.empty:
        return style.no_data(ax, result.headline)
    rows = result.table.set_index("span")
    for span, colour, words in (("baseline", THEN, "baseline"), ("period", NOW, "this period")):
        curve = result.curve[result.curve["span"] == span]
        if curve.empty:
            continue
        ax.step(curve["days"], curve["share"], where="post", color=colour, lw=2, label=words)
        median = rows.loc[span, "cycle_days"]
        reached = np.interp(median, curve["days"], curve["share"])
        ax.plot([median], [reached], "o", color=colour, ms=6)
    upto = result.curve.groupby("span")["share"].idxmax().map(result.curve["days"]).max()
    ax.set_xlim(0, max(upto * 1.05, 1))
    shares_up(ax, result.curve["share"].max())
    ax.set_xlabel("days since the deal was opened (dot: half of those won)")
    ax.set_title("Deals won, as deals went in each period")
    ax.legend(loc="lower right")
    return style.finding(ax, result.headline)


def _oldest(rows: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    """Rows of the oldest age at which the whole way can be compared, else any step."""
    known = rows[rows["state"] == "comparable"] if len(rows) else rows
    if known.empty:
        return known, float("nan")
    whole = known[known["is_whole_way"].astype(bool)]
    age = (whole if len(whole) else known)["age_days"].max()
    return known[known["age_days"] == age], age


def _whiskers(ax: Axes, place: np.ndarray, rows: pd.DataFrame, name: str, color: str) -> None:
    ax.vlines(place, rows[f"{name}_low"], rows[f"{name}_high"], color=color, lw=2)


def _month_ticks(ax: Axes, months: list[str]) -> None:
    step = max(1, int(np.ceil(len(months) / _MOST_TICKS)))
    shown = list(range(0, len(months), step))
    ax.set_xticks(shown, [months[i] for i in shown], rotation=30, ha="right")
    ax.set_xlim(-0.6, len(months) - 0.4)
