"""Charts of the question why a period differs from another."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from funnel.methods.bridge.charts import waterfall
from funnel.questions.why.change import PeriodChange
from funnel.questions.why.outlook import TOTAL, Outlook
from funnel.questions.why.text import change_cell, figure_name
from funnel.questions.why.why import Why
from funnel.results import Say, charts, style

PHONE_WIDTH = 5.0  # inches: narrow, so that a phone does not shrink its type out of sight


@charts.of(Why)
def why(result: Why, ax: Axes | None = None) -> Axes:
    """Waterfall from the baseline to the period, with the verdicts after the checks."""
    return waterfall(result.bridge, result.totals, result.headline, ax)


@charts.of(PeriodChange)
def change(result: PeriodChange, ax: Axes | None = None) -> Axes:
    """Change of each figure in per cent of its baseline, with its interval."""
    table = result.table
    shown = table[(table["baseline"] > 0) & table["low"].notna()].reset_index(drop=True)
    ax = style.axes(ax, size=(PHONE_WIDTH, style.rows_tall(len(shown) + 1)[1]))
    if shown.empty:
        return style.no_data(ax, result.headline)
    place = np.arange(len(shown))
    low, value, high = (
        (shown[column] / shown["baseline"]).to_numpy() for column in ("low", "change", "high")
    )
    ax.axvline(0, color=style.GREY, linewidth=1)
    for i, word in enumerate(shown["verdict"]):
        colour = style.VERDICTS[word]
        ax.hlines(i, low[i], high[i], color=colour, linewidth=3)
        ax.plot(value[i], i, "o", color=colour, markersize=8)
        ax.annotate(
            word, (high[i], i), xytext=(7, 0), textcoords="offset points", va="center",
            fontsize=10, color=colour, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )  # fmt: skip
    ax.set_yticks(place, style.wrapped(shown["measure"].map(figure_name)))
    ax.invert_yaxis()
    ax.margins(x=0.25, y=0.15)
    ax.xaxis.set_major_formatter(PercentFormatter(1, 0))
    say, comparison = Say(result.company, result.level), result.comparison
    now, then = (
        say.span(each.start, each.end) for each in (comparison.period, comparison.baseline)
    )
    ax.set_xlabel(f"{now}: change in % of {then}")
    ax.grid(axis="x")
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return style.finding(ax, _finding(shown, now, then, say))


def _finding(shown: pd.DataFrame, now: str, then: str, say: Say) -> str:
    parts = [
        f"{row['measure']} {change_cell(row, say)}, {row['verdict']}"
        for row in shown.to_dict("records")
    ]
    return f"{now} compared with {then}: {'; '.join(parts)}."


@charts.of(Outlook)
def outlook(result: Outlook, ax: Axes | None = None) -> Axes:
    """Expected value of both periods by what it comes from, with the interval of the whole."""
    shown = result.table[result.table["span"] != TOTAL]
    ax = style.axes(ax, size=(PHONE_WIDTH, style.rows_tall(len(shown) + 2)[1]))
    if shown.empty:
        return style.no_data(ax, result.headline)
    place, begin = np.arange(len(shown)), np.zeros(len(shown))
    for name, colour, label in (
        ("from_open_deals", style.BLUE, "open deals"),
        ("from_leads", style.SKY, "leads without a deal"),
    ):
        ax.barh(place, shown[name], left=begin, height=0.5, color=colour, label=label)
        begin = begin + shown[name].to_numpy()
    ax.hlines(place, shown["low"], shown["high"], color=style.INK, linewidth=2)
    ax.plot(shown["expected"], place, "o", color=style.INK, markersize=6)
    ax.set_yticks(place, shown["span"])
    ax.invert_yaxis()
    say = Say(result.company, result.level)
    is_count = result.measure == "wins"
    ax.xaxis.set_major_formatter(lambda x, _: say.number(x) if is_count else say.short_money(x))
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.set_xlabel("Expected of what is already there (line: likely range)")
    ax.grid(axis="x")
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return style.finding(ax, result.headline)
