"""Charts of revenue: directions, movements, MRR by month, retention and churn, cohorts, quota."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, MaxNLocator

from funnel.methods.recurring import MOVEMENTS
from funnel.questions.revenue.bookings import BookingsByTerm
from funnel.questions.revenue.movements import MonthlyMovements, Movements
from funnel.questions.revenue.productivity import Attainment, Productivity
from funnel.questions.revenue.retention import AccountCohorts, Churn, Retention
from funnel.questions.revenue.revenue import Revenue
from funnel.questions.revenue.text import FIGURES, MOVEMENT_NAMES
from funnel.results import charts, style
from funnel.results.paired_charts import NOW, paired, shares_up

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MONTHS_SHOWN = 13
_AGE = 3  # months
_MOST_TICKS = 5  # labels of months that fit beside each other
_WIDTH = 12  # points, of a month


@charts.of(Revenue)
def revenue(result: Revenue, ax: Axes | None = None) -> Axes:
    """Change of each direction in per cent of its baseline, with intervals."""
    rows = result.table[result.table["change_low"].notna() & (result.table["baseline"] > 0)]
    if rows.empty:
        return style.no_data(style.axes(ax), result.headline)
    ax = style.axes(ax, size=style.rows_tall(len(rows) + 1))
    share = rows[["change", "change_low", "change_high"]].div(rows["baseline"], axis=0)
    labels = [FIGURES[name].partition(" (")[0] for name in rows["figure"]]
    _ranges(ax, share.to_numpy(float), labels)
    ax.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{100 * value:+.0f}%" if value else "0")
    )
    ax.set_title("Change since the baseline")
    return style.finding(ax, result.headline)


def _ranges(ax: Axes, values: np.ndarray, labels: list[str]) -> None:
    """Points with intervals across a line at 0; `values` has columns value, low, high."""
    place = np.arange(len(values))[::-1]
    ax.axvline(0, color=style.GREY, lw=0.8)
    ax.hlines(place, values[:, 1], values[:, 2], color=NOW, lw=2.2)
    ax.plot(values[:, 0], place, "o", color=NOW, ms=6)
    ax.set_yticks(place, style.wrapped(labels, 24))
    ax.set_ylim(-0.6, len(values) - 0.4)
    ax.xaxis.set_major_locator(MaxNLocator(4))


@charts.of(Movements)
def movements(result: Movements, ax: Axes | None = None) -> Axes:
    """Bars of each movement of MRR, with intervals."""
    rows = result.table[result.table["n"] > 0] if len(result.table) else result.table
    if rows.empty:
        return style.no_data(style.axes(ax), result.headline)
    ax = style.axes(ax, size=style.rows_tall(len(rows) + 1))
    _bars(ax, rows, [MOVEMENT_NAMES[name] for name in rows["movement"]])
    ax.set_xlabel(result.units["change"])
    ax.set_title("Movements of MRR")
    return style.finding(ax, result.headline)


def _bars(ax: Axes, rows: pd.DataFrame, labels: list[str]) -> None:
    place = np.arange(len(rows))[::-1]
    colours = [style.BLUE if value >= 0 else style.ORANGE for value in rows["change"]]
    ax.barh(place, rows["change"], color=colours, height=0.55)
    ax.hlines(place, rows["change_low"], rows["change_high"], color=style.INK, lw=1.6)
    ax.axvline(0, color=style.GREY, lw=0.8)
    ax.set_yticks(place, style.wrapped(labels, 24))
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.xaxis.set_major_formatter(FuncFormatter(_short))


def _short(value: float, _: int = 0) -> str:
    """Money on an axis.

    Examples
    --------
    >>> _short(1_200_000), _short(-45_000), _short(0)
    ('1.2M', '-45K', '0')
    """
    for size, name in ((1e6, "M"), (1e3, "K")):
        if abs(value) >= size:
            return f"{value / size:g}{name}"
    return f"{value:g}"


@charts.of(MonthlyMovements)
def months(result: MonthlyMovements, ax: Axes | None = None) -> Axes:
    """Bars of the movements of each month of the last year, stacked up and down."""
    ax = style.axes(ax)
    table = result.table.tail(_MONTHS_SHOWN)
    if len(table) < 2:
        return style.no_data(ax, result.headline)
    place = np.arange(len(table))
    up, down = np.zeros(len(table)), np.zeros(len(table))
    for name, colour in zip(MOVEMENTS, style.SERIES, strict=False):
        value = table[name].fillna(0.0).to_numpy(float)
        if not value.any():
            continue
        base = np.where(value >= 0, up, down)  # one line each: bars are patches, and slow
        ax.vlines(place, base, base + value, color=colour, lw=_WIDTH, label=MOVEMENT_NAMES[name])
        up, down = up + value.clip(min=0), down + value.clip(max=0)
    ax.axhline(0, color=style.GREY, lw=0.8)
    step = -(-len(table) // _MOST_TICKS)
    ax.set_xticks(place[::step], table["month"].iloc[::step])
    ax.yaxis.set_major_locator(MaxNLocator(5))
    ax.yaxis.set_major_formatter(FuncFormatter(_short))
    handles = ax.get_legend_handles_labels()
    if handles[0]:
        ax.figure.legend(*handles, loc="outside lower center", ncols=3)
    ax.set_title("Movements of MRR by month")
    return style.finding(ax, result.headline)


@charts.of(Retention)
def retention(result: Retention, ax: Axes | None = None) -> Axes:
    """Net, gross and logo retention, to the period and to the baseline."""
    rows = result.table.dropna(subset="value")
    axis = "of twelve months before"
    ax = paired(result, ax, rows, rows["figure"], "value", "value_baseline", "Retention", axis=axis)
    if len(rows):  # net retention may pass 100 %
        ax.set_xlim(
            0, np.nanmax(rows[["value_high", "value_baseline_high"]].to_numpy(float)) * 1.05
        )
    return ax


@charts.of(Churn)
def churn(result: Churn, ax: Axes | None = None) -> Axes:
    """Logo churn, MRR churn and joiners lost, in the period and in the baseline."""
    rows = result.table.dropna(subset="value") if len(result.table) else result.table
    labels = rows["figure"].str.replace("mrr", "MRR")
    return paired(result, ax, rows, labels, "value", "value_baseline", "Churn")


@charts.of(AccountCohorts)
def cohorts(result: AccountCohorts, ax: Axes | None = None) -> Axes:
    """Share of accounts that still pay at one age, by start cohort, with intervals."""
    ax = style.axes(ax)
    table = result.table
    ages = table.loc[table["age_months"] <= _AGE, "age_months"] if len(table) else table
    if not len(ages):
        return style.no_data(ax, result.headline)
    rows = table[table["age_months"] == ages.max()].tail(_MONTHS_SHOWN)
    place = np.arange(len(rows))
    ax.vlines(
        place, rows["kept_low"].astype(float), rows["kept_high"].astype(float), color=NOW, lw=2.2
    )
    ax.plot(place, rows["kept"].astype(float), "o", color=NOW, ms=6)
    shares_up(ax, 1.0)
    step = -(-len(rows) // _MOST_TICKS)
    ax.set_xticks(place[::step], rows["cohort"].iloc[::step])
    ax.set_title(f"Accounts that pay after {ages.max()} months, by start")
    return style.finding(ax, result.headline)


@charts.of(BookingsByTerm)
def bookings(result: BookingsByTerm, ax: Axes | None = None) -> Axes:
    """Change of bookings by term, with intervals."""
    known = result.table.dropna(subset="change")
    rows = known[(known["n"] > 0) | (known["n_baseline"] > 0)]
    if rows.empty:
        return style.no_data(style.axes(ax), result.headline)
    ax = style.axes(ax, size=style.rows_tall(len(rows) + 1))
    _bars(ax, rows, list(rows["term"]))
    ax.set_xlabel(result.units["change"])
    ax.set_title("Change of bookings, by length of contract")
    return style.finding(ax, result.headline)


@charts.of(Productivity)
def productivity(result: Productivity, ax: Axes | None = None) -> Axes:
    """Parts of the change of bookings: capacity, its two parts, and productivity."""
    if result.gap:
        return style.no_data(style.axes(ax), result.headline)
    ax = style.axes(ax, size=style.rows_tall(len(result.parts) + 1))
    _bars(ax, result.parts, list(result.parts["part"]))
    ax.set_xlabel(result.units["change"])
    ax.set_title("Change of bookings")
    return style.finding(ax, result.headline)


@charts.of(Attainment)
def attainment(result: Attainment, ax: Axes | None = None) -> Axes:
    """Attainment of everybody, and of each salesperson who is shown."""
    rows = result.table.dropna(subset="attainment") if len(result.table) else result.table
    if rows.empty:
        return style.no_data(style.axes(ax), result.headline)
    ax = style.axes(ax, size=style.rows_tall(len(rows) + 1))
    rows = rows.sort_values("attainment", ascending=False, kind="stable")
    names = ["attainment", "attainment_low", "attainment_high"]
    _ranges(ax, rows[names].to_numpy(float), list(rows["owner"]))
    ax.axvline(1, color=style.PALE, lw=1)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}%"))
    ax.set_title("Bookings over the quota in force")
    return style.finding(ax, result.headline)
