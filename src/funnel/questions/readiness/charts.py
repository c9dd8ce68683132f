"""Chart of readiness: each question with its state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from funnel.questions.readiness.readiness import CAN_ANSWER, CANNOT_TELL, IN_PART, Readiness
from funnel.questions.readiness.text import STATES_IN_SHORT, words
from funnel.results import Say, charts, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = {CAN_ANSWER: style.GREEN, IN_PART: style.ORANGE, CANNOT_TELL: style.GREY}
MARKS = {CAN_ANSWER: "o", IN_PART: "D", CANNOT_TELL: "x"}


@charts.of(Readiness)
def readiness(found: Readiness, ax: Axes | None = None) -> Axes:
    """One row per question: a mark in the colour of its state, and in a few words why."""
    states = found.states[::-1]
    ax = style.axes(ax, size=style.rows_tall(len(states)))
    for state, color in COLORS.items():
        rows = [row for row, each in enumerate(states) if each.state == state]
        ax.scatter(np.zeros(len(rows)), rows, color=color, marker=MARKS[state], s=52, zorder=2)
    say = Say(found.company, found.level)
    for row, each in enumerate(states):
        short = words(each.deciding, say).short.replace("`", "")
        ax.text(
            0.06, row, f"{STATES_IN_SHORT[each.state]}: {short}", va="center", color=style.INK,
            fontsize=10, parse_math=False,
        )  # fmt: skip
    ax.set_yticks(range(len(states)), style.wrapped(each.entry.name for each in states))
    ax.set_xlim(-0.06, 1)
    ax.set_ylim(-0.7, len(states) - 0.3)
    ax.set_xticks([])
    ax.tick_params(axis="y", length=0)
    ax.spines[["bottom", "left"]].set_visible(False)
    ax.set_title("Questions this data can answer")
    return style.finding(ax, found.headline)
