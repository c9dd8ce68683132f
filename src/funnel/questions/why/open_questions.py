"""Inconclusive drivers: what to ask both sides, and how many rows would settle them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.methods.bridge.bridge import VOLUME, shown_totals
from funnel.methods.bridge.other_deals import OUTSIDE_FLOW
from funnel.methods.bridge.stage_history import ACCOUNTS, LEADS, arrivals
from funnel.methods.recurring import MOVEMENTS
from funnel.questions.why.verdicts import RESIDUAL, Row, explained_by, is_in_play
from funnel.results import Result, speaks_for
from funnel.stats import CANNOT_TELL, DID_NOT_MOVE, NARROW

if TYPE_CHECKING:
    from funnel.dataset import Tables

SIDES = ("sales", "marketing")
STEP, DEALS = "step", "deals"
# all other drivers are steps
KINDS = (VOLUME, "mix", "timing", "deal size", "calendar", *OUTSIDE_FLOW)


@dataclass(frozen=True, eq=False, kw_only=True)
class Questions(Result):
    """As many questions to sales as to marketing, about the same drivers.

    `table` has one row per driver and side: `driver`, `side`, `kind` (the driver, `step`, `deals`
    for lead volume where no leads are followed, or `accounts` for recurring revenue), `stage` (the
    one that a step leaves), largest possible contribution first.
    """


def questions(data: Tables, table: pd.DataFrame) -> Questions:
    """Questions to both sides about each driver that is inconclusive."""
    return Questions(table=questions_about(table, arrivals(data)), **speaks_for(data))


def questions_about(table: pd.DataFrame, arrivals: str = LEADS) -> pd.DataFrame:
    """Questions about the inconclusive drivers of a bridge: `driver`, `side`, `kind`, `stage`.

    Examples
    --------
    >>> table = pd.DataFrame({"driver": ["timing"], "segment": [None], "contribution": [4.0],
    ...                       "low": [-9.0], "high": [12.0], "verdict": ["cannot tell"]})
    >>> questions_about(table)[["driver", "side", "kind"]].values.tolist()
    [['timing', 'sales', 'timing'], ['timing', 'marketing', 'timing']]
    """
    rows = []
    for row in inconclusive(table):
        driver = row["driver"]
        is_step = driver not in KINDS
        stage = driver.split(" to ")[0] if is_step else ""
        kind = STEP if is_step else driver
        if driver == VOLUME and arrivals != LEADS:
            kind = DEALS
        elif driver in MOVEMENTS:
            kind, stage = ACCOUNTS, ""
        rows += [(driver, side, kind, stage) for side in SIDES]
    return pd.DataFrame(rows, columns=["driver", "side", "kind", "stage"], dtype="str")


def unmoved(table: pd.DataFrame) -> list[Row]:
    """Drivers that did not move, as rows of the bridge."""
    return [row for row in _totals(table) if row["verdict"] == DID_NOT_MOVE and is_in_play(row)]


def inconclusive(table: pd.DataFrame) -> list[Row]:
    """Drivers that are inconclusive or explained by a check, largest possible contribution first.

    The residual is not among them, nor drivers that the dataset holds nothing on.
    """
    rows = [
        row
        for row in shown_totals(table).to_dict("records")
        if row["driver"] != RESIDUAL and (row["verdict"] == CANNOT_TELL or explained_by(row))
    ]
    return sorted(rows, key=lambda row: (not is_in_play(row), -_reach(row)))


@dataclass(frozen=True)
class Needed:
    """What would settle an inconclusive driver.

    `n_wins` in each period and `days` at the present number of wins would show a change of a tenth
    of the baseline's value; both are missing where a check explains the driver, where nothing was
    won, or where such a change would be visible now.
    """

    row: Row
    n_wins: float = math.nan
    days: float = math.nan


def needed_to_settle(
    table: pd.DataFrame, data: Tables, wins: tuple[int, int], value: float
) -> list[Needed]:
    """How many wins, and days, would settle each driver that is inconclusive.

    Parameters
    ----------
    table
        Rows of the bridge.
    data
        A dataset.
    wins
        Deals won in the period and in its baseline.
    value
        The baseline's, in the measure's unit; the change to be found is a tenth of it.
    """
    found = []
    wanted = NARROW * abs(value)
    for row in inconclusive(table):
        if not is_in_play(row):
            continue
        least = row["smallest_detectable"]
        if explained_by(row) or not (min(wins) and wanted and least > wanted):
            found.append(Needed(row))
            continue
        times = (least / wanted) ** 2  # the standard error falls with the root of the rows
        days = times * data.comparison.period.n_days
        found.append(Needed(row, times * min(wins), days))
    return found


def _totals(table: pd.DataFrame) -> Sequence[Row]:
    return table[table["segment"].isna()].to_dict("records")


def _reach(row: Row) -> float:
    return max(-row["low"], row["high"]) if is_in_play(row) else 0.0
