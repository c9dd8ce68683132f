"""Pictures of tracing: one deal's way, how steps flow, and which paths changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

from funnel.questions.attribution.path_changes import in_words
from funnel.questions.attribution.path_flow import MORE, OTHER_CHANNELS
from funnel.results import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from funnel.questions.attribution.common_paths import UsualPaths
    from funnel.questions.attribution.path_changes import PathChanges
    from funnel.questions.attribution.path_times import PathTimes
    from funnel.questions.attribution.trace import Trace

LANES_SHOWN = 8
OTHER = OTHER_CHANNELS
ROWS_SHOWN = 10
LEADS, STAGES, ACTIONS = "leads created", "stages entered", "sales actions"
_OF_SALES = (LEADS, STAGES, ACTIONS)
_MARKS = {
    "touch": ("o", style.BLUE),
    "lead created": ("D", style.ORANGE),
    "stage": ("^", style.PURPLE),
    "sales action": ("|", style.GREEN),
}


def trace(result: Trace, ax: Axes | None = None) -> Axes:
    """Draw one deal's way: a lane a channel, and below them leads, stages and sales actions.

    Parameters
    ----------
    result
        What `funnel.trace` made.
    ax
        Axes to draw on; new ones if left out.
    """
    table = result.table.dropna(subset=["happened_at"])
    local = table["happened_at"].dt.tz_convert(result.company.timezone).dt.tz_localize(None)
    table = table.assign(happened_at=local)
    if table.empty:
        return style.no_data(style.axes(ax), result.headline)
    lane = _lanes(table)
    lanes = lane.drop_duplicates().tolist()
    order = [name for name in lanes if name not in _OF_SALES]
    order += [name for name in _OF_SALES if name in lanes]
    ax = style.axes(ax, size=style.rows_tall(len(order) + 2))
    place = lane.map({name: i for i, name in enumerate(order)})
    for event, (mark, colour) in _MARKS.items():
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
    ax.set_yticks(range(len(order)), style.wrapped(order))
    ax.set_ylim(max(len(order) - 0.4, 0.6), -0.6)
    ax.grid(axis="y")
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    locator = AutoDateLocator(maxticks=5)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    ax.set_title(f"The way of deal {result.deal_id}", pad=18)
    return style.finding(ax, result.headline)


def flow(result: UsualPaths, ax: Axes | None = None) -> Axes:
    """Draw how journeys flow from their first step to the next ones, and to their end.

    Parameters
    ----------
    result
        What `funnel.usual_paths` made.
    ax
        Axes to draw on; new ones if left out.
    """
    ax = style.axes(ax, size=(style.WIDE[0], 4.4))
    steps = result.flow
    end = next(reversed(result.nouns), "")
    if steps.empty:
        return style.no_data(ax, result.headline)
    nodes, order = _nodes(steps, end)
    colours = {name: style.SERIES[i % len(style.SERIES)] for i, name in enumerate(order)}
    colours |= {OTHER: style.PALE, MORE: style.GREY, end: style.INK}
    bottom = {key: low for key, (low, _) in nodes.items()}
    outgoing, incoming = dict(bottom), dict(bottom)
    rank = {name: i for i, name in enumerate([*order, OTHER, MORE, end])}
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
            beside = -0.1 if position == 1 else 0.1
            ax.text(
                position + beside, (low + high) / 2, name, fontsize=9, va="center",
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
    ax.set_title(f"How steps flow to {result.nouns[end]}")
    top = steps[steps["position"] == 1].groupby("from_channel")["n"].sum().sort_values()
    n = top.sum()
    return style.finding(
        ax,
        f"{result.headline} Of {n:,} journeys that trace, {top.iloc[-1]:,} begin with "
        f"{top.index[-1]}.",
    )


def changes(result: PathChanges, ax: Axes | None = None) -> Axes:
    """Draw the change of each path's share, with its interval, those most sure first.

    Parameters
    ----------
    result
        What `funnel.path_changes` made.
    ax
        Axes to draw on; new ones if left out.
    """
    shown = result.by_sureness().head(ROWS_SHOWN)
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
    ax.set_yticks(place, style.wrapped([in_words(row) for _, row in shown.iterrows()]))
    ax.invert_yaxis()
    ax.set_xlabel(f"Points of share, {result.comparison.period.label} less "
                  f"{result.comparison.baseline.label}")  # fmt: skip
    ax.grid(axis="x")
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside upper left", ncols=3)
    return style.finding(ax, result.headline)


def times(result: PathTimes, ax: Axes | None = None) -> Axes:
    """Draw the median and the middle half of each step's days.

    Parameters
    ----------
    result
        What `funnel.path_times` made.
    ax
        Axes to draw on; new ones if left out.
    """
    shown = result.table
    ax = style.axes(ax, size=style.rows_tall(len(shown)))
    if shown.empty:
        return style.no_data(ax, result.headline)
    place = np.arange(len(shown))
    ax.hlines(
        place, shown["quarter_days"], shown["three_quarters_days"], color=style.SKY, linewidth=7
    )
    ax.hlines(
        place, shown["median_days_low"], shown["median_days_high"], color=style.BLUE, linewidth=7
    )
    ax.plot(shown["median_days"], place, "|", color=style.INK, markersize=11)
    ax.set_yticks(place, shown["step"])
    ax.invert_yaxis()
    ax.set_xlim(left=0)
    ax.set_xlabel("Days: median with its interval, and middle half")
    ax.grid(axis="x")
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.set_title("Days from step to step")
    return style.finding(ax, result.headline)


def _nodes(
    steps: pd.DataFrame, end: str
) -> tuple[dict[tuple[int, str], tuple[float, float]], list[str]]:
    """Place each step's channels one above the other: low and high end; and their order."""
    out = steps.groupby(["position", "from_channel"])["n"].sum()
    into = steps.groupby([steps["position"] + 1, "to_channel"])["n"].sum()
    size = {**into.to_dict(), **out.to_dict()}
    names = steps.groupby("from_channel")["n"].sum().sort_values(ascending=False).index
    order = [name for name in names if name != OTHER]
    gap = 0.02 * out[1].sum()
    nodes: dict[tuple[int, str], tuple[float, float]] = {}
    for position in sorted({key[0] for key in size}):
        low = 0.0
        for name in [*order, OTHER, MORE, end]:
            n = size.get((position, name), 0)
            if n:
                nodes[position, name] = (low, low + n)
                low += n + gap
    return nodes, order


def _band(ax: Axes, position: int, n: float, low: float, to: float, colour: str) -> None:
    """Draw a band of even height from one step to the next."""
    across = np.linspace(0, 1, 24)
    ease = low + (to - low) * across**2 * (3 - 2 * across)
    ax.fill_between(
        position + 0.06 + 0.88 * across, ease, ease + n, color=colour, alpha=0.35, linewidth=0
    )


def _lanes(table: pd.DataFrame) -> pd.Series:
    """Name the lane of each event: a channel, or what sales did."""
    touches = table["event"] == "touch"
    channels = table.loc[touches, "what"].drop_duplicates()
    rest = channels[LANES_SHOWN - 1 :] if len(channels) > LANES_SHOWN else channels[:0]
    lane = table["what"].where(touches).mask(table["what"].isin(rest) & touches, OTHER)
    for event, name in (("lead created", LEADS), ("stage", STAGES), ("sales action", ACTIONS)):
        lane = lane.mask(table["event"] == event, name)
    return lane.dropna()
