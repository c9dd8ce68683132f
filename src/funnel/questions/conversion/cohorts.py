"""Shares of each month's leads that reach each stage by equal ages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.methods.ages import (
    RowFacts,
    comparison_ages,
    leads_with_ages,
    row_facts,
)
from funnel.questions.conversion.stage_rates import NOT_COVERED, reached_by, without_incomparable
from funnel.results import Result, rows_of, speaks_for

if TYPE_CHECKING:
    from funnel.dataset import Tables


@dataclass(frozen=True, eq=False, kw_only=True)
class Cohorts(Result):
    """What the leads of each month reach by equal ages.

    `table` has one row per month of creation, age and stage: `cohort_month`, `age_days`,
    `stage`, `n`, `n_followed` (as old as that at the end), `reached` with `reached_low` and
    `reached_high` (of all the month's leads), `rate` with `rate_low`, `rate_high` and `n_before`
    (of those that reached the stage before), `value_per_lead` with its interval, and `state`, as
    in `Conversion`. `facts` is what a reader must know of the rows.
    """

    facts: RowFacts


def cohorts(data: Tables, *, ages: Iterable[float] | None = None) -> Cohorts:
    """Shares of each month's leads that reach each stage by equal ages.

    Parameters
    ----------
    data
        A dataset. Without leads, deals are followed from their own creation.
    ages
        Days of age; default: `comparison_ages`.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> cohorts(Tables.of(leads=leads, as_of="2026-01-31")).headline
    'No month of leads to follow.'
    """
    leads = leads_with_ages(data)
    ages = comparison_ages(data) if ages is None else tuple(ages)
    month = data.plan.local_days(leads.frame["created_at"]).dt.to_period("M")
    parts = []
    for name, cohort in leads.frame.groupby(month, sort=True) if len(leads.stages) > 1 else ():
        reached = reached_by(cohort, leads.stages, ages, data.plan)
        reached.insert(0, "cohort_month", str(name))
        first = name.start_time.date()
        late = [s for s, found in leads.recorded_late.items() if first < found.covered_from]
        reached.loc[reached["stage"].isin(late), "state"] = NOT_COVERED
        parts.append(without_incomparable(reached))
    columns = ["cohort_month", "age_days", "stage", "n", "reached", "state"]
    return Cohorts(
        table=pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns),
        rows=rows_of(month.astype("str").to_numpy(), leads.unit, leads.frame["lead_id"]),
        units={"reached": "share of leads", "rate": "share of the stage before"},
        facts=row_facts(data),
        **speaks_for(data),
    )
