"""Pictures of attribution: coverage of tracing, credit by one model, and by several."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import PercentFormatter

from funnel.results import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.methods.paths import FirstTouches
    from funnel.questions.attribution.credit import Credit, ModelComparison
    from funnel.questions.attribution.lift import Lift

MONTHS_SHOWN = 24
CHANNELS_SHOWN = 12
MODELS_SHOWN = 12
_MARKS = "osD^vPX*<>hd"


def credit(result: Credit, ax: Axes | None = None) -> Axes:
    """Draw each channel's share by one model, with its interval.

    Parameters
    ----------
    result
        What `funnel.attribute` made.
    ax
        Axes to draw on; new ones if left out.
    """
    shown = result.table.head(CHANNELS_SHOWN)
    ax = style.axes(ax, size=style.rows_tall(len(shown)))
    if shown.empty or shown["share"].isna().all():
        return style.no_data(ax, result.headline)
    place = np.arange(len(shown))
    colours = np.where(shown["is_ranked"], style.BLUE, style.PALE)
    ax.barh(place, shown["share"], color=colours, height=0.62)
    ax.hlines(place, shown["share_low"], shown["share_high"], color=style.INK, linewidth=1.4)
    _channels(ax, shown["channel"], f"Share of {result.measured}")
    ax.set_title(f"Credit by {result.model.replace('_', ' ')}")
    return style.finding(ax, result.headline)


def models(result: ModelComparison, ax: Axes | None = None) -> Axes:
    """Draw each channel's share under several models: one mark a model, with its interval.

    Parameters
    ----------
    result
        What `funnel.compare_models` made.
    ax
        Axes to draw on; new ones if left out.
    """
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
        ax.hlines(place, rows["share_low"], rows["share_high"], color=colour, linewidth=1.6)
        ax.plot(
            rows["share"], place, _MARKS[i], color=colour, markersize=6,
            label=each.model.replace("_", " "),
        )  # fmt: skip
    _channels(ax, channels, f"Share of {credits_[0].measured}")
    columns = 2 if len(credits_) <= 4 else 3
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside upper left", ncols=columns)
    return style.finding(ax, result.headline)


def lift(result: Lift, ax: Axes | None = None) -> Axes:
    """Draw each channel's share of lift beside its share of credit, with intervals.

    Parameters
    ----------
    result
        What `funnel.lift` made.
    ax
        Axes to draw on; new ones if left out.
    """
    shown = result.table[result.table["lift_share"].notna()].head(CHANNELS_SHOWN)
    ax = style.axes(ax, size=style.rows_tall(round(1.3 * len(shown)) + 1))
    if shown.empty:
        return style.no_data(ax, result.headline)
    for name, step, mark, colour, label in (
        ("lift_share", -0.13, "o", style.BLUE, "lift"),
        ("credit_share", 0.13, "s", style.SERIES[1], f"credit, {result.model.replace('_', ' ')}"),
    ):
        place = np.arange(len(shown)) + step
        low, high = shown[f"{name}_low"], shown[f"{name}_high"]
        ax.hlines(place, low, high, color=colour, linewidth=1.8)
        ax.plot(shown[name], place, mark, color=colour, markersize=6, label=label)
    ax.axvline(0, color=style.INK, linewidth=0.8)
    names = shown["channel"].where(~shown["disagrees"], shown["channel"] + " *")
    _channels(ax, names, "Share of wins; *: lift and credit disagree", from_zero=False)
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return style.finding(ax, result.headline)


def coverage(result: FirstTouches, ax: Axes | None = None) -> Axes:
    """Draw the share of won deals that trace to a first touch, by month, with intervals.

    Parameters
    ----------
    result
        What `funnel.first_touches` made.
    ax
        Axes to draw on; new ones if left out.
    """
    shown = result.coverage.tail(MONTHS_SHOWN)
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
    lowest = shown.loc[shown["traced_share"].idxmin()]
    return style.finding(
        ax,
        f"{result.headline} Lowest of the {len(shown)} months shown: {lowest['close_month']}, "
        f"{lowest['traced_share']:.0%} of {lowest['n_deals']:.0f} deals.",
    )


def _channels(ax: Axes, channels: object, label: str, *, from_zero: bool = True) -> None:
    ax.set_yticks(range(len(channels)), style.wrapped(channels))
    ax.invert_yaxis()
    if from_zero:
        ax.set_xlim(left=0)
    ax.xaxis.set_major_formatter(PercentFormatter(1, 0))
    ax.set_xlabel(label)
    ax.grid(axis="x")
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
