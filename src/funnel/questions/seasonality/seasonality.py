"""The question: how much of a change the calendar and the season account for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.methods.question import Question, figure
from funnel.methods.season import Decomposition, ShareOfChange, measure_decomposition
from funnel.methods.season.series import COMPARISONS, MEASURES
from funnel.questions.seasonality.months import ExpectedBand, Years, expected_band, years
from funnel.questions.seasonality.quarter import InQuarter, in_quarter
from funnel.results import Result

if TYPE_CHECKING:
    from funnel.dataset import Tables


@dataclass(frozen=True, eq=False, kw_only=True)
class Comparisons(Result):
    """The parts of a change, once for each baseline.

    `table` has the rows of `ShareOfChange.table` for each baseline, named in `compared`:
    `previous` or `year_ago`. `shares` holds the single statements.
    """

    shares: Mapping[str, ShareOfChange]

    @property
    def of(self) -> str:
        """Measure that is compared."""
        return next(iter(self.shares.values())).of


@dataclass(frozen=True, eq=False, kw_only=True)
class Seasonality(Question, ShareOfChange):
    """Share of the change of the plan's measure that the calendar and the season account for.

    The answer is a `ShareOfChange`. The methods give the figures behind it, each for a measure:
    `leads`, `wins`, `bookings`, or a stage of the plan.
    """

    @figure
    def change(self, measure: str) -> ShareOfChange:
        """Share of a measure's change that the calendar and the season account for."""
        return self.decomposition(measure).share_of_change()

    @figure
    def comparisons(self, measure: str) -> Comparisons:
        """Parts of the change from the previous period, and from the same period a year ago."""
        whole = self.decomposition(measure)
        baselines = whole.context.baselines
        shares = {name: whole.share_of_change(baseline=baselines[name]) for name in COMPARISONS}
        tables = [share.table.assign(compared=name) for name, share in shares.items()]
        first = shares[COMPARISONS[0]]
        rows = pd.concat([share.rows for share in shares.values()], ignore_index=True)
        return Comparisons(
            table=pd.concat(tables, ignore_index=True)[["compared", *first.table.columns]],
            as_of=first.as_of,
            rows=rows.drop_duplicates(ignore_index=True),
            units=first.units,
            level=first.level,
            company=first.company,
            shares=shares,
        )

    @figure
    def band(self, measure: str) -> ExpectedBand:
        """Range expected for each month, estimated from the months before the period."""
        return expected_band(self.decomposition(measure))

    @figure
    def in_quarter(self, measure: str) -> InQuarter:
        """Distribution of a quarter's total over its months and its last and first days."""
        return in_quarter(self.decomposition(measure))

    @figure
    def years(self, measure: str) -> Years:
        """Last five years, by month."""
        return years(self.decomposition(measure))

    def decomposition(self, measure: str, grain: str = "day") -> Decomposition:
        """Trend, season and residual of a measure by `day`, `week` or `month`."""
        return measure_decomposition(self.data, measure, grain)


def seasonality(data: Tables) -> Seasonality:
    """Answer to how much of the last change the calendar and the season account for.

    Parameters
    ----------
    data
        A dataset. The measure is the plan's; bookings where that is no series of its own (`mrr`).

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> days = pd.date_range("2024-01-01", "2026-03-31", freq="8h", tz="UTC")
    >>> leads = pd.DataFrame({"lead_id": [f"L{n}" for n in range(len(days))], "created_at": days})
    >>> season = seasonality(Tables.of(leads=leads, as_of="2026-03-31"))
    >>> season.headline
    'How bookings changed is not known: nothing is recorded of it in the two windows.'
    >>> season.change("leads").headline.partition(";")[0]
    'Leads fell by 2.9%'
    """
    measure = data.plan.measure if data.plan.measure in MEASURES else "bookings"
    answer = measure_decomposition(data, measure).share_of_change()
    facts = {each.name: getattr(answer, each.name) for each in dataclasses.fields(answer)}
    return Seasonality(**facts, data=data)
