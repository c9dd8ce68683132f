"""Conversion of each month's leads, and of each group's, by equal ages."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.contract.errors import ParameterError
from funnel.contract.labels import EVERYBODY
from funnel.contract.periods import Period
from funnel.contract.plan import NO_SEGMENTS
from funnel.methods.ages import (
    LeadsWithAges,
    RowFacts,
    comparison_ages,
    leads_with_ages,
    row_facts,
)
from funnel.methods.groups import group_labels, ordered, with_small_pooled
from funnel.questions.conversion.reach import (
    NOT_COVERED,
    RATE_COLUMNS,
    STEP_COLUMNS,
    columns_read,
    no_steps,
    reached_by,
    step_rates,
    without_incomparable,
)
from funnel.results import Result, no_rows, rows_of, speaks_for
from funnel.results.small_groups import SmallGroups

if TYPE_CHECKING:
    from funnel.dataset import Tables

_MOST_GROUPS = 30  # of one column; the smaller ones are pooled
_MOST_VALUES = 12  # different numbers that are each a group of their own
_DAYS = 730  # of creation that are counted
# firms by headcount, as the EU's statistics band them (Recommendation 2003/361/EC)
_SIZES = ([0, 10, 50, 250, np.inf], ["1 to 9", "10 to 49", "50 to 249", "250 and more"])


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
    """
    leads = leads_with_ages(data)
    ages = comparison_ages(data) if ages is None else tuple(ages)
    month = data.plan.local_days(leads.frame["created_at"]).dt.to_period("M")
    parts = []
    counted = leads.frame[columns_read(leads.frame, leads.stages)]
    for name, cohort in counted.groupby(month, sort=True) if len(leads.stages) > 1 else ():
        reached = reached_by(cohort, leads.stages, ages, data.plan)
        reached.insert(0, "cohort_month", str(name))
        first = name.start_time.date()
        late = [s for s, found in leads.recorded_late.items() if first < found.covered_from]
        reached.loc[reached["stage"].isin(late), "state"] = NOT_COVERED
        parts.append(reached)
    columns = ["cohort_month", "age_days", "stage", "n", "reached", "state"]
    return Cohorts(
        table=without_incomparable(pd.concat(parts, ignore_index=True))
        if parts
        else pd.DataFrame(columns=columns),
        rows=rows_of(month.astype("str").to_numpy(), leads.unit, leads.frame["lead_id"]),
        units={"reached": "share of leads", "rate": "share of the stage before"},
        facts=row_facts(data),
        **speaks_for(data),
    )


USUAL_COLUMNS = ("channel", "campaign", "motion", "region", "industry", "employees")


@dataclass(frozen=True, eq=False, kw_only=True)
class Groups(Result):
    """Conversion of each group's leads by equal ages.

    `table` has one row per group, age and step: `segment`, `group`, `age_days`, `step` (the last
    one is from the first stage to the last, `is_overall`), `n` that reached the step's first
    stage, `rate` with `rate_low`, `rate_high`, and `state`, as in `Conversion`.

    Attributes
    ----------
    by
        The columns that leads are split by.
    facts
        What a reader must know of the rows.
    """

    grouped = (
        SmallGroups(
            by=("segment", "group"),
            counts={"n": ("rate",)},
            within=("segment", "age_days", "step"),
            add_up=("n",),
        ),
    )

    by: tuple[str, ...] = ()
    facts: RowFacts


def groups(
    data: Tables,
    by: str | Sequence[str] | None = None,
    *,
    ages: Iterable[float] | None = None,
) -> Groups:
    """Conversion of each group's leads by equal ages, over the last two years.

    Only leads created since every stage is recorded are counted.

    Parameters
    ----------
    data
        A dataset. Without leads, deals are followed from their own creation.
    by
        As in `conversion`; default: the plan's segments, and of channel, campaign, motion, region,
        industry and employees those that are recorded.
    ages
        Days of age; default: `comparison_ages`.
    """
    leads = leads_with_ages(data)
    frame, stages = leads.frame, leads.stages
    ages = comparison_ages(data) if ages is None else tuple(ages)
    names = column_names(by) if by is not None else recorded_columns(data, *USUAL_COLUMNS)
    chosen = data.plan.within(frame["created_at"], _last_two_years(data, leads))
    counted = frame.loc[chosen, ["lead_id", *columns_read(frame, stages)]]
    parts, rows = [], []
    for segment in names if len(stages) > 1 else ():
        labels = group_of(data, leads, segment, chosen)[chosen]
        places = labels.groupby(labels).indices
        for group in ordered(labels):
            cohort = counted.iloc[places[group]]
            table = step_rates(reached_by(cohort, stages, ages, data.plan), stages)
            table.insert(0, "group", group)
            table.insert(0, "segment", segment)
            parts.append(table[[*STEP_COLUMNS, *RATE_COLUMNS]])
            rows.append(rows_of(f"{segment}: {group}", leads.unit, cohort["lead_id"]))
    nothing = no_steps((*STEP_COLUMNS, *RATE_COLUMNS))
    return Groups(
        table=without_incomparable(pd.concat(parts, ignore_index=True)) if parts else nothing,
        rows=pd.concat(rows, ignore_index=True) if rows else no_rows(),
        units={"rate": "share", "age_days": "days"},
        by=names,
        facts=row_facts(data, names),
        **speaks_for(data),
    )


def column_names(by: str | Sequence[str] | None) -> tuple[str, ...]:
    """Columns to split by, as a tuple; keys and times make no groups."""
    names = (by,) if isinstance(by, str) else tuple(by or ())
    if alone := [name for name in names if name in NO_SEGMENTS]:
        raise ParameterError(
            f"Hardly two rows share {', '.join(f'`{name}`' for name in alone)}, so there are no "
            "groups to compare. Name columns such as channel or region."
        )
    return names


def recorded_columns(data: Tables, *usual: str) -> tuple[str, ...]:
    """The plan's segments and the usual columns, as far as they are recorded."""
    unit = leads_with_ages(data).unit
    names = dict.fromkeys((*data.plan.segments, *usual))
    return tuple(name for name in names if data.has(unit, name))


def group_of(data: Tables, leads: LeadsWithAges, segment: str, chosen: pd.Series) -> pd.Series:
    """Group of each lead: small groups pooled, blank and unknown together."""
    frame = leads.frame
    if segment == EVERYBODY:
        return pd.Series(EVERYBODY, index=frame.index, dtype="str")
    if segment in frame:
        values = frame[segment]
    else:
        source = data.frame(leads.unit)
        if segment not in source:
            raise ParameterError(
                f"by={segment!r}: {leads.unit} has no such column; it has "
                f"{', '.join(source.columns)}."
            )
        values = frame["lead_id"].map(source.set_index(f"{leads.unit[:-1]}_id")[segment])
    labels = group_labels(_labels(values, segment), segment)
    return with_small_pooled(
        labels, labels[chosen].value_counts(), data.plan.smallest_group, _MOST_GROUPS
    )


def _labels(values: pd.Series, name: str) -> pd.Series:
    """Name of each value's group: the value itself, or the band that a number falls into."""
    if not pd.api.types.is_numeric_dtype(values) or values.nunique() <= _MOST_VALUES:
        return values.astype("str")
    if name == "employees":
        edges, names = _SIZES
        return pd.cut(values, edges, labels=names, right=False).astype("str")
    thirds = values.quantile([0, 1 / 3, 2 / 3, 1]).unique()
    if len(thirds) < 3:
        return values.astype("str")
    names = [f"{low:,.6g} to {high:,.6g}" for low, high in itertools.pairwise(thirds)]
    return pd.cut(values, thirds, labels=names, include_lowest=True).astype("str")


def _last_two_years(data: Tables, leads: LeadsWithAges) -> Period:
    late = [found.covered_from for found in leads.recorded_late.values()]
    return Period(max([data.as_of - dt.timedelta(days=_DAYS - 1), *late]), data.as_of)
