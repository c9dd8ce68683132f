"""Pictures of tracing: one deal's way, how steps flow, and which paths changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

from funnel.plots import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from funnel.journeys.one_deal import Trace

LANES_SHOWN = 8
OTHER = "other channels"
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


def _lanes(table: pd.DataFrame) -> pd.Series:
    """Name the lane of each event: a channel, or what sales did."""
    touches = table["event"] == "touch"
    channels = table.loc[touches, "what"].drop_duplicates()
    rest = channels[LANES_SHOWN - 1 :] if len(channels) > LANES_SHOWN else channels[:0]
    lane = table["what"].where(touches).mask(table["what"].isin(rest) & touches, OTHER)
    for event, name in (("lead created", LEADS), ("stage", STAGES), ("sales action", ACTIONS)):
        lane = lane.mask(table["event"] == event, name)
    return lane.dropna()
