"""A break in the records: what it is, since when, and which drivers it can explain."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.checks.limits import LEAD_PERIODS, PERIODS_BACK
from funnel.contract.periods import Period
from funnel.contract.tables import TABLES
from funnel.dataset.cache import cached
from funnel.dataset.casts import local_day
from funnel.dataset.stages import opportunity_stage, recorded_stages, won_stage

if TYPE_CHECKING:
    from funnel.dataset import Tables

UP, DOWN, EITHER = "up", "down", "either"
VOLUME, MIX, TIMING, SIZE = "lead volume", "mix", "timing", "deal size"  # as in the contract

VALUE_BEGINS, VALUE_ENDS = "value begins", "value ends"
RENAMED, REPLACED = "value renamed", "values replaced"
TABLE_BEGINS, INTERRUPTED = "table begins", "table interrupted"
ONE_TIME, ONE_DAY, MIGRATED = "rows at one time", "rows on one day", "migrated on one day"
MASS_CLOSING, MASS_EXIT = "mass closing", "mass exit"
SURVIVORS, ONLY_WON = "only leads with deals", "only won deals"
DOUBLED = "doubled rows"
LATE_CLOSINGS = "closings entered late"
FIELD_CHANGED, REJECTED = "field filled since", "rows rejected"
DATES_ONLY, SAME_DAY = "times without hours", "opened when closed"
CLOCK, SCALE = "times shifted", "amounts rescaled"
KINDS = (
    VALUE_BEGINS, VALUE_ENDS, RENAMED, REPLACED, TABLE_BEGINS, INTERRUPTED, ONE_TIME, ONE_DAY,
    MIGRATED, MASS_CLOSING, MASS_EXIT, SURVIVORS, ONLY_WON, DOUBLED, LATE_CLOSINGS, FIELD_CHANGED,
    REJECTED, DATES_ONLY, SAME_DAY, CLOCK, SCALE,
)  # fmt: skip
"""What a break can be, in the order in which they are shown."""


@dataclass(frozen=True, kw_only=True)
class RecordBreak:
    """A day from which, or up to which, rows are recorded in another way.

    Attributes
    ----------
    what
        One of `KINDS`.
    nature
        `records` where the rows themselves show that the business did not change; `ask` where
        they could also show a change of the business.
    table, column, words
        What it is about, as far as these apply; of a rename, the old word and the new one.
    since
        Its first day; of rows that are complete only from a day on, that day.
    n
        Rows that it is about.
    before, after
        A share, a count or a factor before and after.
    expected
        Rows that there should be.
    days
        Days that it spans.
    money
        What was won by these rows, where they are deals.
    touched
        Drivers that it can explain, each with the direction: `up`, `down` or `either`.
    at_most
        Money by which it can move these drivers at most, where that is known.
    remedy
        The line for the plan that mends it; empty without one.
    p_value
        How often chance would show it, at most.
    """

    what: str
    nature: str
    table: str
    since: dt.date
    n: int
    column: str = ""
    words: tuple[str, ...] = ()
    before: float = np.nan
    after: float = np.nan
    expected: float = np.nan
    days: float = np.nan
    money: float = np.nan
    touched: tuple[tuple[str, str], ...] = ()
    at_most: float = np.nan
    remedy: str = ""
    p_value: float = np.nan

    @property
    def team(self) -> str:
        """The team that owns the table, and is asked."""
        return TABLES[self.table].owner


@dataclass(frozen=True)
class Lookback:
    """Days that the bridge uses: the two periods, and those before from which leads come.

    `days` runs to the last day of the dataset.
    """

    span: Period
    baseline: Period
    period: Period

    @property
    def days(self) -> pd.DatetimeIndex:
        """Every day of it."""
        return pd.date_range(self.span.start, self.span.end)

    def direction(self, day: dt.date) -> str:
        """Where more rows on a day move a driver; empty for a day before both periods."""
        if day > self.baseline.end:
            return UP if day <= self.period.end else ""
        return DOWN if day >= self.baseline.start else ""

    def of_step(self, day: dt.date, direction: str, *, of_leads: bool = False) -> str:
        """Where a level that goes up or down on a day moves a driver between the periods.

        Leads take a while to be won, so what changed about them before the baseline still differs
        between those of the baseline's wins and those of the period's.
        """
        lag = LEAD_PERIODS * self.baseline.n_days if of_leads else 0
        first = self.baseline.start - dt.timedelta(days=lag)
        return direction if first < day <= self.period.end else ""


@cached
def lookback(data: Tables) -> Lookback:
    """Days that the bridge of a dataset uses, up to its last day."""
    baseline, period = data.comparison.baseline, data.comparison.period
    start = baseline.start - dt.timedelta(days=PERIODS_BACK * baseline.n_days)
    return Lookback(Period(start, max(period.end, data.as_of)), baseline, period)


def opposite(direction: str) -> str:
    """The other direction."""
    return {UP: DOWN, DOWN: UP}.get(direction, direction)


def day_of(data: Tables, moment: str, table: str) -> str:
    """SQL of the local day of a column, as a timestamp."""
    known = TABLES[table].by_name.get(moment)
    is_date = known is not None and known.kind == "date"
    day = moment if is_date else local_day(moment, data.plan.company.timezone)
    return f"cast({day} as timestamp)"


def steps_of(data: Tables) -> list[str]:
    """Drivers that are a rate between two stages, in order."""
    return [" to ".join(pair) for pair in itertools.pairwise(recorded_stages(data))]


def into_and_from(data: Tables, stage: str) -> tuple[list[str], list[str]]:
    """Drivers that are the rate into a stage, and the one from it."""
    pairs = list(itertools.pairwise(recorded_stages(data)))
    into = [" to ".join(pair) for pair in pairs if pair[1] == stage]
    return into, [" to ".join(pair) for pair in pairs if pair[0] == stage]


def win_step(data: Tables) -> list[str]:
    """The driver that is the rate from opportunity to won."""
    return into_and_from(data, won_stage(data.plan.stages))[0]


def opportunity_step(data: Tables) -> list[str]:
    """The driver that is the rate into opportunity."""
    return into_and_from(data, opportunity_stage(data.plan.stages))[0]


def touching(*drivers: tuple[Iterable[str], str]) -> tuple[tuple[str, str], ...]:
    """Drivers with their direction; those without one are left out."""
    return tuple(
        (name, direction) for names, direction in drivers if direction for name in names
    )  # fmt: skip
