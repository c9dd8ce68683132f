"""Charts of promotions: one by week, all of them, and the same days of other periods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, MaxNLocator

from funnel.methods.season.charts import date_axis
from funnel.methods.season.text import capital
from funnel.questions.promotions.effect import PromoEffect
from funnel.questions.promotions.placebos import Placebos
from funnel.questions.promotions.promotions import Promotions
from funnel.results import charts, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WEEK = pd.Timedelta(days=7)
_MOST_SHOWN = 3.0  # a share: what lies beyond is cut at the edge, so that the rest can be read
_OFF = 0.17  # rows that stand together are this far from their line


@charts.of(PromoEffect)
def promo_effect(result: PromoEffect, ax: Axes | None = None) -> Axes:
    """Lines of weeks observed, and expected during a promotion and around it, with a band."""
    ax = style.axes(ax)
    weekly = result.weekly
    if weekly.empty:
        return style.no_data(ax, result.headline)
    first, last = result.spans["during"]
    ax.axvspan(
        pd.Timestamp(first), pd.Timestamp(last) + pd.Timedelta(days=1), color=style.ORANGE,
        alpha=0.25, lw=0, label="promotion",
    )  # fmt: skip
    middle = weekly["starts_on"] + _WEEK / 2
    known = weekly["expected"].notna()
    ax.fill_between(
        middle[known], weekly["low"][known], weekly["high"][known], color=style.SKY, alpha=0.35,
        lw=0,
    )  # fmt: skip
    ax.plot(middle[known], weekly["expected"][known], color=style.BLUE, lw=2, label="expected")
    ax.plot(middle, weekly["observed"], color=style.INK, lw=1, marker=".", ms=5, label="observed")
    date_axis(ax, most=6)
    ax.yaxis.set_major_locator(MaxNLocator(5))
    ax.set_ylim(bottom=0)
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    ax.set_title(f"{capital(result.of)} by week: {result.promotion.name}")
    return style.finding(ax, result.headline)


@charts.of(Promotions)
def promotions(result: Promotions, ax: Axes | None = None) -> Axes:
    """Points of each promotion's effect and net, with intervals."""
    table = result.table.dropna(subset="effect") if len(result.table) else result.table
    if table.empty:
        return style.no_data(style.axes(ax), result.headline)
    ax = style.axes(ax, size=style.rows_tall(len(table) + 1))
    place = np.arange(len(table))[::-1].astype(float)
    _ranges(ax, place + _OFF, table, ("effect", "low", "high"), style.ORANGE, "in its days")
    _ranges(
        ax, place - _OFF, table, ("net", "net_low", "net_high"), style.BLUE,
        "net of the weeks around",
    )  # fmt: skip
    _finish(ax, place, table["promo"])
    ax.set_title("Above expected, by promotion")
    return style.finding(ax, result.headline)


@charts.of(Promotions, "newest")
def newest(result: Promotions, ax: Axes | None = None) -> Axes:
    """Chart of the newest promotion with an estimate."""
    if result.newest is None:
        return style.no_data(style.axes(ax), result.headline)
    return promo_effect(result.newest, ax)


@charts.of(Placebos)
def placebos(result: Placebos, ax: Axes | None = None) -> Axes:
    """Points of a promotion's effect and of the same days of other periods, with intervals."""
    if result.others.empty:
        return style.no_data(style.axes(ax), result.headline)
    rows = result.table.sort_values("first")
    ax = style.axes(ax, size=style.rows_tall(len(rows) + 2))
    place = np.arange(len(rows))[::-1].astype(float)
    is_own = (rows["quarters"] == 0).to_numpy(bool)
    names = ("effect", "low", "high")
    is_controlled = bool((rows["control"] != "").any())
    up = _OFF * is_controlled
    _ranges(ax, place[is_own] + up, rows[is_own], names, style.ORANGE, "the promotion")
    label = "same days elsewhere" + (", with control" if is_controlled else "")
    _ranges(ax, place[~is_own] + up, rows[~is_own], names, style.BLUE, label)
    if is_controlled:
        names = ("plain_effect", "plain_low", "plain_high")
        _ranges(ax, place - _OFF, rows, names, style.GREY, "without control")
    _finish(ax, place, rows["first"].dt.strftime("%b %Y"))
    ax.set_title(f"The same days of other periods: {result.of}")
    return style.finding(ax, result.headline)


def _ranges(
    ax: Axes,
    place: np.ndarray,
    rows: pd.DataFrame,
    names: tuple[str, str, str],
    color: str,
    label: str,
) -> None:
    """Points with intervals, in per cent."""
    value, low, high = (100 * rows[name].clip(-1, _MOST_SHOWN).to_numpy(float) for name in names)
    ax.hlines(place, low, high, color=color, lw=2)
    ax.plot(value, place, "o", color=color, ms=5, label=label)


def _finish(ax: Axes, place: np.ndarray, names: pd.Series) -> None:
    """Zero line, labels and legend."""
    ax.axvline(0, color=style.GREY, lw=0.8)
    ax.set_yticks(place, style.wrapped(names))
    ax.set_ylim(-0.6, len(place) - 0.4)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+.0f}%" if value else "0"))
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
