"""Charts of attribution: first touches by month, one deal, paths, credit and lift."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.ticker import PercentFormatter

from funnel.questions.attribution.common_paths import MORE, OTHER_CHANNELS, CommonPaths
from funnel.questions.attribution.credit import Credit, ModelComparison
from funnel.questions.attribution.first_touches import FirstTouches, TracedByMonth
from funnel.questions.attribution.lift import CREDIT_MODEL, Lift
from funnel.questions.attribution.path_changes import PathChanges
from funnel.questions.attribution.path_times import PathTimes
from funnel.questions.attribution.text import change_label, measured, model_label
from funnel.questions.attribution.trace import ACTION, LEAD, STAGE, TOUCH, Trace
from funnel.results import Result, Say, charts, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

MONTHS_SHOWN = 24
CHANNELS_SHOWN = 12
MODELS_SHOWN = 12
LANES_SHOWN = 8
CHANGES_SHOWN = 10
_MODEL_MARKS = "osD^vPX*<>hd"
_LANES = {LEAD: "leads created", STAGE: "stages entered", ACTION: "sales actions"}
_EVENT_MARKS = {
    TOUCH: ("o", style.BLUE),
    LEAD: ("D", style.ORANGE),
    STAGE: ("^", style.PURPLE),
    ACTION: ("|", style.GREEN),
}


@charts.of(FirstTouches)
def first_touches(result: FirstTouches, ax: Axes | None = None) -> Axes:
    """Share of won deals that begin with each channel, with intervals."""
    return _bars(result, result.by_channel, "won deals", "First touch of won deals", ax)


@charts.of(Credit)
def credit(result: Credit, ax: Axes | None = None) -> Axes:
    """Share of each channel under one model, with intervals, largest on top."""
    title = f"Credit by {model_label(result.model)}"
    return _bars(result, result.table, measured(result), title, ax)


@charts.of(ModelComparison)
def models(result: ModelComparison, ax: Axes | None = None) -> Axes:
    """Share of each channel under several models: one mark per model, with its interval."""
    credits_ = result.credits[:MODELS_SHOWN]
    channels = result.table["channel"].drop_duplicates().head(CHANNELS_SHOWN).tolist()
    tall = max(1.5, 0.22 * len(credits_))
    ax = style.axes(ax, size=style.rows_tall(round(tall * len(channels)) + 2))
    if result.table.empty or result.table["share"].isna().all():
        return style.no_data(ax, result.headline)
    steps = np.linspace(-0.36, 0.36, len(credits_)) if len(credits_) > 1 else np.zeros(1)
    for i, (each, step) in enumerate(zip(credits_, steps, strict=True)):
        rows = each.table.set_index("channel").reindex(channels)
        place = np.arange(len(channels)) + step
        colour = style.SERIES[i % len(style.SERIES)]
        _marks(ax, rows, "share", place, _MODEL_MARKS[i], colour, model_label(each.model))
    _share_axis(ax, channels, f"Share of {measured(credits_[0])}")
    columns = 2 if len(credits_) <= 4 else 3
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside upper left", ncols=columns)
    return style.finding(ax, result.headline)


@charts.of(Lift)
def lift(result: Lift, ax: Axes | None = None) -> Axes:
    """Share of lift and share of credit of each channel, with intervals."""
    shown = result.table[result.table["lift_share"].notna()].head(CHANNELS_SHOWN)
    ax = style.axes(ax, size=style.rows_tall(round(1.3 * len(shown)) + 1))
    if shown.empty:
        return style.no_data(ax, result.headline)
    for name, step, mark, colour, label in (
        ("lift_share", -0.13, "o", style.BLUE, "lift"),
        ("credit_share", 0.13, "s", style.SERIES[1], f"credit, {model_label(CREDIT_MODEL)}"),
    ):
        _marks(ax, shown, name, np.arange(len(shown)) + step, mark, colour, label)
    ax.axvline(0, color=style.INK, linewidth=0.8)
    names = shown["channel"].where(~shown["disagrees"], shown["channel"] + " *")
    _share_axis(ax, names, "Share of wins; *: lift and credit disagree", from_zero=False)
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return style.finding(ax, result.headline)


@charts.of(TracedByMonth)
def months(result: TracedByMonth, ax: Axes | None = None) -> Axes:
    """Share of won deals that trace to a first touch, by month, with intervals."""
    shown = result.table[::-1].tail(MONTHS_SHOWN)
    ax = style.axes(ax)
    if shown.empty:
        return style.no_data(ax, result.headline)
    place = np.arange(len(shown))
    ax.vlines(
        place, shown["traced_share_low"], shown["traced_share_high"], color=style.SKY, linewidth=3
    )
    ax.plot(place, shown["traced_share"], "o-", color=style.BLUE, markersize=4, linewidth=1)
    every = max(1, -(-len(shown) // 4))
    ax.set_xticks(place[::-1][::every], shown["close_month"].iloc[::-1].iloc[::every])
    ax.set_ylim(0, 1.04)
    ax.yaxis.set_major_formatter(PercentFormatter(1, 0))
    ax.grid(axis="y")
    ax.set_title("Won deals that trace to a first touch")
    ax.set_xlabel("Month of closing")
    return style.finding(ax, result.headline)


@charts.of(Trace)
def trace(result: Trace, ax: Axes | None = None) -> Axes:
    """Events of one deal over time: a lane per channel; leads, stages and actions below."""
    table = result.table.dropna(subset=["happened_at"])
    local = table["happened_at"].dt.tz_convert(result.company.timezone).dt.tz_localize(None)
    table = table.assign(happened_at=local)
    if table.empty:
        return style.no_data(style.axes(ax), result.headline)
    lane = _lanes(table)
    lanes, of_sales = lane.drop_duplicates().tolist(), list(_LANES.values())
    order = [name for name in lanes if name not in of_sales]
    order += [name for name in of_sales if name in lanes]
    ax = style.axes(ax, size=style.rows_tall(len(order) + 2))
    place = lane.map({name: i for i, name in enumerate(order)})
    for event, (mark, colour) in _EVENT_MARKS.items():
        mine = table["event"] == event
        after = mine & table["is_after"]
        on_time = mine & ~table["is_after"]
        ax.plot(table["happened_at"][on_time], place[on_time], mark, color=colour, ms=7)
        ax.plot(table["happened_at"][after], place[after], mark, color=style.GREY, mfc="none", ms=7)
    for _, each in table[table["event"].str.startswith("deal ")].iterrows():
        ax.axvline(each["happened_at"], color=style.INK, lw=1.2, zorder=0)
        ax.annotate(
            each["event"].removeprefix("deal "), (each["happened_at"], 1.0), (0, 2),
            xycoords=("data", "axes fraction"), textcoords="offset points", fontsize=9,
            ha="right" if each["event"] == "deal opened" else "left",
        )  # fmt: skip
    _row_axis(ax, order, grid="y")
    ax.set_ylim(max(len(order) - 0.4, 0.6), -0.6)
    locator = AutoDateLocator(maxticks=5)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    ax.set_title(f"Path of deal {result.deal_id}", pad=18)
    return style.finding(ax, result.headline)


@charts.of(CommonPaths)
def flow(result: CommonPaths, ax: Axes | None = None) -> Axes:
    """Flow of journeys from their first step to the next ones, and to their end."""
    ax = style.axes(ax, size=(style.WIDE[0], 4.4))
    steps = result.flow
    end = next(reversed(result.nouns), "")
    if steps.empty:
        return style.no_data(ax, result.headline)
    nodes, order = _nodes(steps, end)
    colours = {name: style.SERIES[i % len(style.SERIES)] for i, name in enumerate(order)}
    colours |= {OTHER_CHANNELS: style.PALE, MORE: style.GREY, end: style.INK}
    bottom = {key: low for key, (low, _) in nodes.items()}
    outgoing, incoming = dict(bottom), dict(bottom)
    rank = {name: i for i, name in enumerate([*order, OTHER_CHANNELS, MORE, end])}
    rows = steps.assign(a=steps["from_channel"].map(rank), b=steps["to_channel"].map(rank))
    for row in rows.sort_values(["position", "a", "b"]).itertuples():
        left = (row.position, row.from_channel)
        right = (row.position + 1, row.to_channel)
        _band(ax, row.position, row.n, outgoing[left], incoming[right], colours[row.from_channel])
        outgoing[left] += row.n
        incoming[right] += row.n
    tallest = max(high for _, high in nodes.values())
    for (position, name), (low, high) in nodes.items():
        ax.bar(position, high - low, 0.12, low, color=colours[name], zorder=3)
        if high - low > 0.03 * tallest and (position == 1 or name in (end, MORE)):
            shift = -0.1 if position == 1 else 0.1
            ax.text(
                position + shift, (low + high) / 2, name, fontsize=9, va="center",
                ha="right" if position == 1 else "left",
            )  # fmt: skip
    last = max(position for position, _ in nodes)
    ax.set_xlim(0.85, last + 0.15)
    ax.set_xticks(range(1, last), [f"step {i}" for i in range(1, last)])
    ax.set_ylim(0, tallest)
    ax.yaxis.set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    ax.tick_params(axis="x", length=0)
    ax.set_title(f"How steps flow to {Say(result.company).stage(end)}")
    return style.finding(ax, result.headline)


@charts.of(PathChanges)
def changes(result: PathChanges, ax: Axes | None = None) -> Axes:
    """Change of each path's share with its interval, smallest p value first."""
    shown = result.ordered().dropna(subset="change").head(CHANGES_SHOWN)
    ax = style.axes(ax, size=style.rows_tall(round(1.4 * len(shown)) + 2))
    if shown.empty or min(result.n, result.n_before) == 0:
        return style.no_data(ax, result.headline)
    place = np.arange(len(shown))
    for verdict, colour in style.VERDICTS.items():
        mine = (shown["verdict"] == verdict).to_numpy()
        if mine.any():
            low, high = (100 * shown[name][mine] for name in ("change_low", "change_high"))
            ax.hlines(place[mine], low, high, color=colour, linewidth=2)
            ax.plot(100 * shown["change"][mine], place[mine], "o", color=colour, label=verdict)
    ax.axvline(0, color=style.INK, linewidth=0.8)
    _row_axis(ax, [change_label(row) for _, row in shown.iterrows()])
    ax.set_xlabel(f"Points of share, {result.comparison.period.label} less "
                  f"{result.comparison.baseline.label}")  # fmt: skip
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside upper left", ncols=3)
    return style.finding(ax, result.headline)


@charts.of(PathTimes)
def times(result: PathTimes, ax: Axes | None = None) -> Axes:
    """Median of each step's days with its interval, and the interquartile range."""
    shown = result.table
    ax = style.axes(ax, size=style.rows_tall(len(shown)))
    if shown.empty:
        return style.no_data(ax, result.headline)
    place = np.arange(len(shown))
    ax.hlines(place, shown["p25_days"], shown["p75_days"], color=style.SKY, linewidth=7)
    ax.hlines(
        place, shown["median_days_low"], shown["median_days_high"], color=style.BLUE, linewidth=7
    )
    ax.plot(shown["median_days"], place, "|", color=style.INK, markersize=11)
    _row_axis(ax, shown["step"])
    ax.set_xlim(left=0)
    ax.set_xlabel("Days: median with its interval, and p25 to p75")
    ax.set_title("Days from step to step")
    return style.finding(ax, result.headline)


def _nodes(
    steps: pd.DataFrame, end: str
) -> tuple[dict[tuple[int, str], tuple[float, float]], list[str]]:
    """Low and high end of each step's channels, one above the other, and their order."""
    out = steps.groupby(["position", "from_channel"])["n"].sum()
    into = steps.groupby([steps["position"] + 1, "to_channel"])["n"].sum()
    size = {**into.to_dict(), **out.to_dict()}
    names = steps.groupby("from_channel")["n"].sum().sort_values(ascending=False).index
    order = [name for name in names if name != OTHER_CHANNELS]
    gap = 0.02 * out[1].sum()
    nodes: dict[tuple[int, str], tuple[float, float]] = {}
    for position in sorted({key[0] for key in size}):
        low = 0.0
        for name in [*order, OTHER_CHANNELS, MORE, end]:
            n = size.get((position, name), 0)
            if n:
                nodes[position, name] = (low, low + n)
                low += n + gap
    return nodes, order


def _band(ax: Axes, position: int, n: float, low: float, to: float, colour: str) -> None:
    """Band of even height from one step to the next."""
    across = np.linspace(0, 1, 24)
    ease = low + (to - low) * across**2 * (3 - 2 * across)
    ax.fill_between(
        position + 0.06 + 0.88 * across, ease, ease + n, color=colour, alpha=0.35, linewidth=0
    )


def _lanes(table: pd.DataFrame) -> pd.Series:
    """Lane of each event: a channel, or a kind of sales event."""
    touches = table["event"] == TOUCH
    channels = table.loc[touches, "what"].drop_duplicates()
    rest = channels[LANES_SHOWN - 1 :] if len(channels) > LANES_SHOWN else channels[:0]
    lane = table["what"].where(touches).mask(table["what"].isin(rest) & touches, OTHER_CHANNELS)
    for event, name in _LANES.items():
        lane = lane.mask(table["event"] == event, name)
    return lane.dropna()


def _bars(result: Result, table: pd.DataFrame, measure: str, title: str, ax: Axes | None) -> Axes:
    """Bars of `share` with intervals, one per channel, pale where it is not ranked."""
    shown = table.head(CHANNELS_SHOWN)
    ax = style.axes(ax, size=style.rows_tall(len(shown)))
    if shown["share"].isna().all():
        return style.no_data(ax, result.headline)
    place = np.arange(len(shown))
    colours = np.where(shown["is_ranked"], style.BLUE, style.PALE)
    ax.barh(place, shown["share"], color=colours, height=0.62)
    ax.hlines(place, shown["share_low"], shown["share_high"], color=style.INK, linewidth=1.4)
    _share_axis(ax, shown["channel"], f"Share of {measure}")
    ax.set_title(title)
    return style.finding(ax, result.headline)


def _marks(
    ax: Axes, rows: pd.DataFrame, name: str, place: NDArray, mark: str, colour: str, label: str
) -> None:
    """One mark per row with its interval."""
    low, high = rows[f"{name}_low"], rows[f"{name}_high"]
    ax.hlines(place, low, high, color=colour, linewidth=1.6)
    ax.plot(rows[name], place, mark, color=colour, markersize=6, label=label)


def _share_axis(ax: Axes, channels: Sequence[str], label: str, *, from_zero: bool = True) -> None:
    """Names of channels on one axis, their shares in per cent on the other."""
    _row_axis(ax, channels)
    if from_zero:
        ax.set_xlim(left=0)
    ax.xaxis.set_major_formatter(PercentFormatter(1, 0))
    ax.set_xlabel(label)


def _row_axis(ax: Axes, labels: Sequence[str], grid: str = "x") -> None:
    """Names of rows, the first on top, without a line beside them."""
    ax.set_yticks(range(len(labels)), style.wrapped(labels))
    ax.invert_yaxis()
    ax.grid(axis=grid)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
