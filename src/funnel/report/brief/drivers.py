"""What the first screen knows of a driver: where on the way it is, and its own figure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.methods.bridge.bridge import CALENDAR, MIX, SIZE, VOLUME
from funnel.methods.qualification.handoff import handoff_stages
from funnel.questions.why.measures import Measures
from funnel.questions.why.verdicts import (
    CLEAR,
    Row,
    explained_by,
    is_in_play,
    remainder,
    tier_of,
)
from funnel.report.brief.inputs import MonthlyInput
from funnel.stats import DID_NOT_MOVE

if TYPE_CHECKING:
    from funnel.dataset import Tables

BEFORE, AFTER, BOTH, SEASON = "before_handoff", "after_handoff", "both", "calendar"
PLACES = (BEFORE, AFTER, BOTH, SEASON)
_MOST_FIGURES = 5


@dataclass(frozen=True)
class DriverFigure:
    """A driver's own figure in both periods; of a mix, the share of the segment that is most of it.

    `unit` is that of a measure; `segment` is empty for all but a mix.
    """

    unit: str
    value: float
    baseline: float
    segment: str = ""


def place_of(driver: str, data: Tables) -> str:
    """Where on the way a driver is: before the hand-off, after it, both, or the calendar.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-05-05"]})
    >>> place_of("lead volume", Tables.of(leads=leads, as_of="2026-06-30"))
    'before_handoff'
    """
    if driver == CALENDAR:
        return SEASON
    if driver in (VOLUME, MIX):
        return BEFORE if data.has("leads") else BOTH
    start, _, end = driver.partition(" to ")
    stages, handoff = data.plan.stages, handoff_stages(data).stage
    if driver == SIZE or (start == "opportunity" and end):
        return AFTER
    if handoff not in stages or start not in stages or end not in stages:
        return BOTH
    at = stages.index(handoff)
    if stages.index(end) <= at:
        return BEFORE
    return AFTER if stages.index(start) >= at else BOTH


def drivers_of(tier: str, table: pd.DataFrame) -> list[Row]:
    """Drivers of a tier, without what a check explains of them, largest first."""
    rows = [remainder(row) for row in _totals(table) if tier_of(row) == tier]
    return sorted(rows, key=lambda row: -abs(row["contribution"]))


def checked_drivers(table: pd.DataFrame) -> list[Row]:
    """Drivers that moved and that a check of the records explains."""
    return [row for row in _totals(table) if explained_by(row)]


def unmoved_drivers(table: pd.DataFrame) -> list[Row]:
    """Drivers that did not move, the most closely known first."""
    rows = [row for row in _totals(table) if row["verdict"] == DID_NOT_MOVE and is_in_play(row)]
    return sorted(rows, key=lambda row: row["high"] - row["low"])


def _totals(table: pd.DataFrame) -> Sequence[Row]:
    return table[table["segment"].isna()].to_dict("records")


def driver_figures(
    table: pd.DataFrame, data: Tables, inputs: Sequence[MonthlyInput]
) -> Mapping[str, DriverFigure]:
    """Own figures of the largest clear drivers, as far as they have one.

    The figure is that of the input that the first screen shows, so that it states one number for
    one thing; else that of the driver at equal age.
    """
    shown = {each.driver: each for each in inputs if each.driver}
    measures, found = Measures(data), {}
    for row in drivers_of(CLEAR, table)[:_MOST_FIGURES]:
        driver = row["driver"]
        if driver == MIX:
            figure = _share_of_segment(table, data, row)
        elif each := shown.get(driver):
            before = getattr(each, data.plan.compare)
            figure = DriverFigure(each.unit, each.value, before)
        else:
            own = measures.driver(driver)
            figure = DriverFigure(own.unit, own.value, own.baseline) if own else None
        if figure and _agrees(figure, row):
            found[driver] = figure
    return found


def _agrees(figure: DriverFigure, row: Row) -> bool:
    """Whether a figure is known and goes the way of its contribution; else it would confuse."""
    change = figure.value - figure.baseline
    is_known = math.isfinite(change)
    return is_known and (row["driver"] == MIX or change * row["contribution"] > 0)


def _share_of_segment(table: pd.DataFrame, data: Tables, row: Row) -> DriverFigure | None:
    """Share of leads of the segment that most of a mix is about, where it is one column's value."""
    columns = [name for name in data.plan.segments if data.has("leads", name)]
    parts = table[(table["driver"] == MIX) & table["segment"].notna()]
    if len(columns) != 1 or parts.empty:
        return None
    same = parts[parts["contribution"] * row["contribution"] > 0]
    if same.empty:
        return None
    segment = same.loc[same["contribution"].abs().idxmax(), "segment"]
    leads, both = data.leads, data.comparison
    shares = []
    for span in (both.period, both.baseline):
        values = leads.loc[data.plan.within(leads["created_at"], span), columns[0]].astype("str")
        shares.append(float(values.eq(segment).mean()) if len(values) else math.nan)
    return DriverFigure("rate", *shares, segment=str(segment)) if all(shares) else None
