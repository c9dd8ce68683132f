"""What is known of a company's tables, and how far a need is met."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.checks import (
    CoverageGrid,
    FilledByOutcome,
    Maturity,
    RecordedSince,
    coverage_grid,
    filled,
    filled_by_outcome,
    maturity,
    outcomes_recorded_since,
)
from funnel.results import formats

if TYPE_CHECKING:
    from funnel.dataset import Tables

ENOUGH_FILLED, LEAST_FILLED = 0.8, 0.5


@dataclass(frozen=True, eq=False)
class Met:
    """How far a need is met (2, 1 or 0), in words, and by which rows."""

    level: int
    says: str
    short: str
    ask: str = ""
    n: int = 0
    share: float = np.nan
    share_low: float = np.nan
    share_high: float = np.nan
    table: str = ""
    ids: pd.Series | None = None
    settle: str = ""


Need = Callable[["Facts"], Met]
FINE = Met(2, "", "")


class Facts:
    """What is known of a company's tables, each thing computed once, when first asked for."""

    def __init__(self, data: Tables) -> None:
        self.data = data
        self._recorded: dict[str, RecordedSince] = {}

    @cached_property
    def filled(self) -> pd.DataFrame:
        """Shares of fields filled, by `rows_of` and `column`."""
        return filled(self.data).set_index(["rows_of", "column"])

    @cached_property
    def by_outcome(self) -> dict[str, FilledByOutcome]:
        """Columns of leads that are filled differently by outcome."""
        return {field.column: field for field in filled_by_outcome(self.data) if field.differs}

    @cached_property
    def maturity(self) -> Maturity:
        """How long wins take, and which cohorts can be compared."""
        return maturity(self.data)

    @cached_property
    def coverage(self) -> CoverageGrid:
        """Rows of each table by month."""
        return coverage_grid(self.data)

    @cached_property
    def spans(self) -> pd.DataFrame:
        """First and last month of each table."""
        return self.coverage.spans().set_index("table")

    def recorded(self, outcome: str) -> RecordedSince:
        """Since when an outcome is recorded."""
        if outcome not in self._recorded:
            self._recorded[outcome] = outcomes_recorded_since(self.data, outcome)
        return self._recorded[outcome]

    def number(self, value: float) -> str:
        """Write a count in the company's way."""
        return formats.number(value, self.data.plan.company)

    def percent(self, value: float) -> str:
        """Write a share in the company's way."""
        return formats.share(value, self.data.plan.company)

    def day(self, value: dt.date) -> str:
        """Write a day in the company's way."""
        return formats.day(value, self.data.plan.company)


def none_of(what: str, owner: str) -> Met:
    """Say that something is not there at all."""
    settle = f"Are {what} kept anywhere, and can they be exported?"
    return Met(0, f"there are no {what}", f"no {what}", owner, settle=settle)


def level_of(met: Met) -> int:
    """Give how far a need is met, to order by."""
    return met.level
