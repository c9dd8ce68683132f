"""Stage rates of cohorts at equal age: this period's against the baseline's, and month by month."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel import checks, stats
from funnel.contract.plan import Plan
from funnel.methods.ages import (
    FOLLOWED_SHARE,
    age_caveat,
    caveats,
    known,
    month_of,
    old_enough,
    rows_named,
    usual_ages,
)
from funnel.questions.conversion.groups import group_of, ordered, usual_columns
from funnel.questions.conversion.reach import reach_by_age
from funnel.questions.conversion.results import (
    COMPARABLE,
    EVERYBODY,
    GROUP_COLUMNS,
    NOBODY,
    NOT_COVERED,
    TOO_YOUNG,
    Cohorts,
    Conversion,
    Groups,
)
from funnel.results import no_rows

if TYPE_CHECKING:
    from funnel.dataset import Tables

_READ = ("lost_age", "follow_up", "value")


def conversion(
    data: Tables,
    by: str | Sequence[str] | None = None,
    *,
    ages: Iterable[float] | None = None,
) -> Conversion:
    """Compare the stage rates of this period's leads with the baseline's, at equal ages.

    Parameters
    ----------
    data
        A company's tables. Without leads, deals are followed from their own creation.
    by
        A column of leads, or several, to split by as well. Groups of fewer leads than the plan's
        `smallest_group`, and those after the thirty largest, are pooled; blank and unknown are a
        group of their own, put last. Numbers fall into bands: employees into those of firm sizes,
        others into thirds.
    ages
        Days of age; default: two, from how long wins take in this data (`usual_ages`), and no
        older than a fifth of this period's leads are.

    Raises
    ------
    ParameterError
        If there is no such column.

    Notes
    -----
    Rates are those of `reach_by_age`. The interval of a change is recovered from the two rates'
    (Zou and Donner 2008). A change is said not to have moved where its whole interval lies within
    a tenth of the baseline's rate.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> conversion(Tables.of(leads=leads, as_of="2026-01-31")).headline
    'How leads of equal age get on cannot be told here: no stage after the first is recorded.'
    """
    frame, since = known(data)
    both = data.comparison
    in_period, in_baseline = (
        data.plan.within(frame["created_at"], span.start, span.after)
        for span in (both.period, both.baseline)
    )
    usual = usual_ages(data)
    ages = old_enough(usual, frame.loc[in_period, "follow_up"]) if ages is None else tuple(ages)
    names = [by] if isinstance(by, str) else list(by or ())
    parts, rows = [], []
    for segment in (EVERYBODY, *names) if len(frame.attrs["stages"]) > 1 else ():
        labels = group_of(data, frame, segment, in_period | in_baseline)
        found = ordered(labels[in_period | in_baseline])
        for group in found if segment != EVERYBODY else [EVERYBODY]:
            now, then = (frame[(labels == group) & chosen] for chosen in (in_period, in_baseline))
            compared = _compared(now, then, frame.attrs["stages"], ages, data.plan)
            compared.insert(0, "group", group)
            compared.insert(0, "segment", segment)
            parts.append(compared)
            label = group if segment == EVERYBODY else f"{segment}: {group}"
            rows += [
                rows_named(f"{label}, {span}", frame.attrs["unit"], cohort["lead_id"])
                for span, cohort in (("period", now), ("baseline", then))
            ]
    table = pd.concat(parts, ignore_index=True) if parts else _nothing(GROUP_COLUMNS[:7])
    table = _uncovered(table, since, both.baseline.start)
    return Conversion(
        table=table,
        as_of=data.as_of,
        rows=pd.concat(rows, ignore_index=True) if rows else no_rows(),
        units={"rate": "share", "change": "points of 1", "age_days": "days"},
        level=data.plan.level,
        written_caveats=(
            *age_caveat(data, frame.attrs["unit"], ages, usual),
            *caveats(data, frame, names, since),
        ),
        company=data.plan.company,
        unit=frame.attrs["unit"],
        by=tuple(names),
    )


def cohorts(data: Tables, *, ages: Iterable[float] | None = None) -> Cohorts:
    """Say what the leads of each month reach by equal ages.

    Parameters
    ----------
    data
        A company's tables. Without leads, deals are followed from their own creation.
    ages
        Days of age; default: `usual_ages`.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> cohorts(Tables.of(leads=leads, as_of="2026-01-31")).headline
    'No month of leads to follow.'
    """
    frame, since = known(data)
    ages = usual_ages(data) if ages is None else tuple(ages)
    month = month_of(frame["created_at"], data.plan)
    parts = []
    if len(frame.attrs["stages"]) > 1:
        for name, cohort in frame.groupby(month, sort=True):
            reached = _reach(cohort, frame.attrs["stages"], ages, data.plan)
            reached.insert(0, "cohort_month", str(name))
            before = [s for s, late in since.items() if name.start_time.date() < late.covered_from]
            reached.loc[reached["stage"].isin(before), "state"] = NOT_COVERED
            parts.append(_blank(reached))
    columns = ["cohort_month", "age_days", "stage", "n", "reached", "state"]
    return Cohorts(
        table=pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns),
        as_of=data.as_of,
        rows=rows_named(month.astype("str").to_numpy(), frame.attrs["unit"], frame["lead_id"]),
        units={"reached": "share of leads", "rate": "share of the stage before"},
        level=data.plan.level,
        written_caveats=caveats(data, frame, (), since),
        company=data.plan.company,
        unit=frame.attrs["unit"],
    )


def groups(
    data: Tables,
    by: str | Sequence[str] | None = None,
    *,
    ages: Iterable[float] | None = None,
) -> Groups:
    """Say how the leads of each group get on, by equal ages, over the last two years.

    Only leads created since every stage is recorded are counted.

    Parameters
    ----------
    data
        A company's tables. Without leads, deals are followed from their own creation.
    by
        As in `conversion`; default: the plan's segments, and of channel, campaign, motion, region,
        industry and employees those that are recorded.
    ages
        Days of age; default: `usual_ages`.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> groups(Tables.of(leads=leads, as_of="2026-01-31")).headline
    'No group of leads can be followed for long enough, with outcomes recorded.'
    """
    frame, since = known(data)
    ages = usual_ages(data) if ages is None else tuple(ages)
    names = [by] if isinstance(by, str) else list(usual_columns(data, frame) if by is None else by)
    chosen = data.plan.within(frame["created_at"], *_last_two_years(data, since))
    parts, rows = [], []
    for segment in names if len(frame.attrs["stages"]) > 1 else ():
        labels = group_of(data, frame, segment, chosen)
        for group in ordered(labels[chosen]):
            cohort = frame[(labels == group) & chosen]
            stages_reached = _reach(cohort, frame.attrs["stages"], ages, data.plan)
            table = _blank(_steps(stages_reached, frame.attrs["stages"]))
            table.insert(0, "group", group)
            table.insert(0, "segment", segment)
            parts.append(table[list(GROUP_COLUMNS)])
            rows.append(rows_named(f"{segment}: {group}", frame.attrs["unit"], cohort["lead_id"]))
    return Groups(
        table=pd.concat(parts, ignore_index=True) if parts else _nothing(GROUP_COLUMNS),
        as_of=data.as_of,
        rows=pd.concat(rows, ignore_index=True) if rows else no_rows(),
        units={"rate": "share", "age_days": "days"},
        level=data.plan.level,
        written_caveats=caveats(data, frame, names, since),
        company=data.plan.company,
        unit=frame.attrs["unit"],
        by=tuple(names),
        plan_segments=data.plan.segments,
    )


def _last_two_years(
    data: Tables, since: dict[str, checks.RecordedSince]
) -> tuple[dt.date, dt.date]:
    after = data.as_of + dt.timedelta(days=1)
    late = [found.covered_from for found in since.values()]
    return max([after - dt.timedelta(days=730), *late]), after


def _reach(
    cohort: pd.DataFrame, names: Sequence[str], ages: Iterable[float], plan: Plan
) -> pd.DataFrame:
    """Rows of `reach_by_age` with their `state`."""
    columns = [f"{stage}_age" for stage in names[1:]]
    table = reach_by_age(
        cohort[cohort.columns.intersection([*columns, *_READ])], ages, level=plan.level
    ).table
    enough = np.maximum(plan.smallest_group, FOLLOWED_SHARE * table["n"])
    young = (table["n_followed"] < enough) | table["reached"].isna()
    table["state"] = np.select([table["n"] == 0, young], [NOBODY, TOO_YOUNG], COMPARABLE)
    return table


def _blank(table: pd.DataFrame) -> pd.DataFrame:
    """Take out the figures of rows that are not comparable."""
    figures = [c for c in table if c.startswith(("reached", "rate", "value", "change"))]
    figures += [c for c in ("smallest_detectable",) if c in table]
    table.loc[table["state"] != COMPARABLE, figures] = np.nan
    return table


def _compared(
    now: pd.DataFrame, then: pd.DataFrame, names: Sequence[str], ages: Iterable[float], plan: Plan
) -> pd.DataFrame:
    both = [_steps(_reach(cohort, names, ages, plan), names) for cohort in (now, then)]
    table = both[0][["age_days", "step", "stage", "is_whole_way"]].copy()
    for suffix, each in zip(("", "_baseline"), both, strict=True):
        for end in ("", "_low", "_high"):
            table[f"rate{suffix}{end}"] = each[f"rate{end}"]
        table[f"n{suffix}"] = each["n"].astype(int)
    states = [each["state"] for each in both]
    table["state"] = states[0].where(states[0] != COMPARABLE, states[1])
    nobody = (table["state"] == COMPARABLE) & table[["rate", "rate_baseline"]].isna().any(axis=1)
    table.loc[nobody, "state"] = NOBODY
    table["change"] = table["rate"] - table["rate_baseline"]
    columns = [f"rate{s}{e}" for s in ("", "_baseline") for e in ("", "_low", "_high")]
    low, high = stats.difference(*(table[column] for column in columns))
    table["change_low"], table["change_high"] = low, high
    error = stats.standard_error(low, high, plan.level)
    table["smallest_detectable"] = stats.smallest_detectable(error, plan.level)
    return _with_verdict(_blank(table))


def _steps(reach: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Step rates, and below them the whole way, where that is more than one step."""
    previous = dict(zip(names[1:], names, strict=False))
    steps = reach.assign(
        step=[f"{previous[stage]} to {stage}" for stage in reach["stage"]],
        n=reach["n_before"],
        is_whole_way=len(names) == 2,
    )
    if len(names) == 2:
        return steps
    last = reach[reach["stage"] == names[-1]]
    whole = last.assign(
        step=f"{names[0]} to {names[-1]}",
        is_whole_way=True,
        **{f"rate{end}": last[f"reached{end}"] for end in ("", "_low", "_high")},
    )
    order = ["age_days", "is_whole_way"]
    return pd.concat([steps, whole]).sort_values(order, kind="stable").reset_index(drop=True)


def _with_verdict(table: pd.DataFrame) -> pd.DataFrame:
    ends = zip(table["change_low"], table["change_high"], table["rate_baseline"], strict=True)
    table["verdict"] = [
        stats.verdict(low, high, stats.NARROW * (0 if np.isnan(rate) else rate))
        for low, high, rate in ends
    ]
    return table


def _uncovered(
    table: pd.DataFrame, since: dict[str, checks.RecordedSince], start: dt.date
) -> pd.DataFrame:
    late = [stage for stage, found in since.items() if start < found.covered_from]
    table.loc[table["stage"].isin(late), "state"] = NOT_COVERED
    return _with_verdict(_blank(table)) if late else table


def _nothing(columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(columns=list(columns)).astype({"is_whole_way": bool})
