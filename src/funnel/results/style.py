"""How every figure of the package looks, and how it says its finding in words.

Colours keep apart for colour-blind readers and in grey print (Okabe and Ito 2008). Type is large
enough to be read when a page is scaled to a phone.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import IdentityTransform, blended_transform_factory

BLUE = "#0072B2"
ORANGE = "#E69F00"
GREEN = "#009E73"
PURPLE = "#CC79A7"
SKY = "#56B4E9"
VERMILION = "#D55E00"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION)
INK = "#222222"
GREY = "#767676"
PALE = "#D0D0D0"
VERDICTS = {"moved": BLUE, "did not move": GREEN, "cannot tell": GREY}

WIDE = (4.6, 3.2)  # inches: narrow, so that a phone does not shrink its type out of sight
LABEL_WIDTH = 22
_TITLE_WIDTH = 42
_TITLE_LEFT = 0.01
_LABEL_FITS, _LABEL_LINE = 28, 52  # letters below the axes of any chart, and across the figure
_OWN = "made by funnel"
_LINES_TALL = 1.1  # inches that a sentence needs
_STYLE = {
    "text.parse_math": False,  # a company called `$x_{1$ Ltd` must not end a figure
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 11,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": PALE,
    "grid.linewidth": 0.7,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "figure.dpi": 100,
    "figure.max_open_warning": 0,
    "savefig.dpi": 160,
    "axes.prop_cycle": mpl.cycler(color=SERIES),
}


def axes(ax: Axes | None = None, *, size: tuple[float, float] = WIDE) -> Axes:
    """Give the axes to draw on, in the package's style.

    Parameters
    ----------
    ax
        Axes to draw on; without them a new figure is made.
    size
        Width and height of a new figure, inches.

    Examples
    --------
    >>> axes(size=(4, 3)).figure.get_size_inches().tolist()
    [4.0, 3.0]
    """
    mpl.rcParams.update(_STYLE)
    if ax is None:
        figure, ax = plt.subplots(figsize=size, layout="constrained")
        figure.set_gid(_OWN)
    return ax


def is_own(figure: Figure) -> bool:
    """Whether `axes` made a figure, in which all that is drawn has room."""
    return figure.get_gid() == _OWN


def rows_tall(n_rows: int) -> tuple[float, float]:
    """Size of a figure that gives each of its rows room.

    Examples
    --------
    >>> rows_tall(10)
    (4.6, 4.4)
    """
    return WIDE[0], round(1.2 + 0.32 * max(n_rows, 3), 2)


def wrapped(labels: Iterable[str], width: int = LABEL_WIDTH) -> list[str]:
    """Break long labels into at most two lines, and cut what is longer still.

    Examples
    --------
    >>> wrapped(["paid search"])
    ['paid search']
    """
    return [
        "\n".join(textwrap.wrap(str(label), width, max_lines=2, placeholder=" ...")) or " "
        for label in labels
    ]


def no_data(ax: Axes, says: str) -> Axes:
    """Say in the figure's place why there is nothing to draw; an own figure shrinks to that."""
    ax.set_axis_off()
    if is_own(ax.figure):
        ax.figure.set_size_inches(WIDE[0], _LINES_TALL)
    ax.text(
        0.5, 0.5, textwrap.fill(says, 44), ha="center", va="center", transform=ax.transAxes,
        color=GREY, parse_math=False,
    )  # fmt: skip
    return finding(ax, says)


def finding(ax: Axes, says: str) -> Axes:
    """Set the figure's alternative text, said from the plotted data, and break a long title.

    Parameters
    ----------
    ax
        Axes of the figure.
    says
        The finding as a sentence. Pages and snapshots print it where the chart is not seen.

    Examples
    --------
    >>> finding(axes(), "Email stands first, with 40%.").figure.get_label()
    'Email stands first, with 40%.'
    """
    ax.figure.set_label(says)
    title = ax.get_title("left")
    if len(title) > _TITLE_WIDTH:
        ax.set_title(textwrap.fill(title, _TITLE_WIDTH), loc="left")
    if is_own(ax.figure):
        _use_whole_width(ax)
    return ax


def _use_whole_width(ax: Axes) -> None:
    """Begin the title at the left edge of the figure, and center a long label below in it."""
    title = ax._left_title  # matplotlib has no public name for it
    across = blended_transform_factory(ax.figure.transFigure, ax.transAxes)
    title.set(x=_TITLE_LEFT, transform=across + ax.titleOffsetTrans)
    label = ax.xaxis.label
    if len(label.get_text()) > _LABEL_FITS:
        label.set(
            text=textwrap.fill(label.get_text(), _LABEL_LINE),
            transform=blended_transform_factory(ax.figure.transFigure, IdentityTransform()),
        )
