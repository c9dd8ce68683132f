"""Stage conversion of the period's leads and the baseline's, overall and within groups."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel import checks, stats
from funnel.contract.labels import EVERYBODY
from funnel.contract.plan import Plan
from funnel.methods.ages import (
    WITHOUT_WINS,
    RowFacts,
    comparison_ages,
    leads_with_ages,
    mature_ages,
    row_facts,
)
from funnel.methods.groups import ordered
from funnel.methods.question import Question, figure
from funnel.questions.conversion.cohorts import (
    Cohorts,
    Groups,
    cohorts,
    column_names,
    group_of,
    groups,
    recorded_columns,
)
from funnel.questions.conversion.deal_groups import DealGroups, OpenDeals, deal_groups, open_deals
from funnel.questions.conversion.pipeline import SalesCycle, WinRate, sales_cycle, win_rate
from funnel.questions.conversion.reach import (
    COMPARABLE,
    NOBODY,
    NOT_COVERED,
    STEP_COLUMNS,
    no_steps,
    reached_by,
    step_rates,
    without_incomparable,
)
from funnel.questions.conversion.time_to_convert import TimeToConvert, time_to_convert
from funnel.results import Result, Stated, no_rows, rows_of, speaks_for, stated_change
from funnel.results.small_groups import SmallGroups

if TYPE_CHECKING:
    from funnel.dataset import Tables

REVERSED, SAME, NEITHER = "reversed", "same direction", "neither"
OVERALL_ONLY, WITHIN_ONLY = "overall only", "within groups only"
_STATES = {
    (True, False): OVERALL_ONLY,
    (False, True): WITHIN_ONLY,
    (False, False): NEITHER,
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Conversion(Question):
    """Conversion of the period's leads and of the baseline's by equal ages, step by step.

    `table` has one row per group, age and step:

    - `segment` (the column split by; `all` for all leads) and `group` (its value), `age_days`,
      `step` (`mql to sal`), `stage` (its second), `is_overall` (from the first stage to the last,
      below the steps), `state`;
    - `rate` with `rate_low`, `rate_high` and `n`: of the period's leads that reached the step's
      first stage by this age, the share that reached its second by this age too;
      `rate_baseline` with `rate_baseline_low`, `rate_baseline_high`, `n_baseline`: the same of
      the baseline's leads;
    - `change` (points of 1) with `change_low`, `change_high`, its `verdict` and
      `smallest_detectable`.

    `state` is `comparable`; `immature` (too few leads as old as that), `not covered` (the
    outcome was not recorded when the leads were new) or `nobody` (no lead, or none that reached
    the step's first stage): then figures are missing.

    Attributes
    ----------
    by
        The columns split by.
    ages, full_ages
        Days of age compared; and the two by which half, and nine in ten, of the wins have come,
        where they are known and the period's leads are too recent for them.
    facts
        What a reader must know of the rows.
    """

    grouped = (
        SmallGroups(
            by=("segment", "group"),
            counts={
                "n": ("rate", "change"),
                "n_baseline": ("rate_baseline", "change", "smallest_detectable"),
            },
            within=("segment", "age_days", "step"),
            add_up=("n", "n_baseline"),
        ),
    )

    by: tuple[str, ...] = ()
    ages: tuple[float, ...] = ()
    full_ages: tuple[float, ...] = ()
    facts: RowFacts

    @property
    def stated(self) -> tuple[Stated, ...]:
        """Rates of the leads created in each period, by step and age, and their change."""
        rows = self.table[
            (self.table["segment"] == EVERYBODY) & (self.table["state"] == COMPARABLE)
        ]
        names = {"rate": "value", "rate_baseline": "baseline", "change_low": "low"}
        rows = rows.rename(columns=names | {"change_high": "high"})
        rows["measure"] = [
            f"{row.step} by day {row.age_days:g}, {self.facts.unit} created"
            for row in rows.itertuples()
        ]
        windows = self.data.comparison
        return tuple(
            each for row in rows.to_dict("records") for each in stated_change(row, windows)
        )

    @figure
    def cohorts(self, *, ages: tuple[float, ...] | None = None) -> Cohorts:
        """What the leads of each month reach by equal ages."""
        return cohorts(self.data, ages=ages)

    @figure
    def groups(self, *by: str, ages: tuple[float, ...] | None = None) -> Groups:
        """Conversion of each group's leads over two years; usual columns without `by`."""
        return groups(self.data, by or None, ages=ages)

    @figure
    def within(self, *by: str) -> Conversion:
        """The same comparison within groups; the plan's segments without `by`."""
        return conversion(self.data, by or recorded_columns(self.data), ages=self.ages)

    @figure
    def simpson(self) -> Simpson:
        """Simpson's paradox: each step's change overall and within groups."""
        return simpson(self if self.by else self.within())

    @figure
    def time_to_convert(self) -> TimeToConvert:
        """Days that each step takes, leads still waiting taken into account."""
        return time_to_convert(self.data)

    @figure
    def win_rate(self) -> WinRate:
        """Won over closed deals by closing date."""
        return win_rate(self.data)

    @figure
    def sales_cycle(self) -> SalesCycle:
        """Days that deals take to be won, and what the pipeline turns over in a day."""
        return sales_cycle(self.data)

    @figure
    def deal_groups(self) -> DealGroups:
        """Won and lost deals by product, owner, kind and month of the quarter."""
        return deal_groups(self.data)

    @figure
    def open_deals(self) -> OpenDeals:
        """Deals open now, by stage and age."""
        return open_deals(self.data)


def conversion(
    data: Tables,
    by: str | Sequence[str] | None = None,
    *,
    ages: Iterable[float] | None = None,
) -> Conversion:
    """Stage conversion of the period's leads compared with the baseline's, at equal ages.

    Parameters
    ----------
    data
        A dataset. Without leads, deals are followed from their own creation.
    by
        A column of leads, or several, to split by as well. Groups of fewer leads than the plan's
        `smallest_group`, and those after the thirty largest, are pooled; blank and unknown are a
        group of their own, put last. Numbers fall into bands: employees into those of firm sizes,
        others into thirds.
    ages
        Days of age; default: two, from how long wins take in this data (`comparison_ages`), and
        no older than a fifth of the period's leads are.

    Raises
    ------
    ParameterError
        If there is no such column.

    Notes
    -----
    Rates are those of `reach_by_age`. The interval of a change is recovered from the two rates'
    (Zou and Donner 2008). A change is `did not move` where its whole interval lies within a tenth
    of the baseline's rate.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> conversion(Tables.of(leads=leads, as_of="2026-01-31")).headline
    'Conversion cannot be compared at equal age: no stage after the first is recorded.'
    """
    leads = leads_with_ages(data)
    frame, both = leads.frame, data.comparison
    in_period, in_baseline = (
        data.plan.within(frame["created_at"], span) for span in (both.period, both.baseline)
    )
    full = comparison_ages(data)
    ages = mature_ages(full, frame.loc[in_period, "follow_up"]) if ages is None else tuple(ages)
    names = column_names(by)
    parts, rows = [], []
    for segment in (EVERYBODY, *names) if len(leads.stages) > 1 else ():
        labels = group_of(data, leads, segment, in_period | in_baseline)
        found = ordered(labels[in_period | in_baseline])
        for group in found if segment != EVERYBODY else [EVERYBODY]:
            now, then = (frame[(labels == group) & chosen] for chosen in (in_period, in_baseline))
            compared = _compared(now, then, leads.stages, ages, data.plan)
            compared.insert(0, "group", group)
            compared.insert(0, "segment", segment)
            parts.append(compared)
            label = group if segment == EVERYBODY else f"{segment}: {group}"
            rows += [
                rows_of(f"{label}, {span}", leads.unit, cohort["lead_id"])
                for span, cohort in (("period", now), ("baseline", then))
            ]
    table = pd.concat(parts, ignore_index=True) if parts else no_steps(STEP_COLUMNS)
    is_recent = max(ages) < max(full) and full != WITHOUT_WINS
    return Conversion(
        data=data,
        table=_uncovered(table, leads.recorded_late, both.baseline.start),
        rows=pd.concat(rows, ignore_index=True) if rows else no_rows(),
        units={"rate": "share", "change": "points of 1", "age_days": "days"},
        by=names,
        ages=ages,
        full_ages=full if is_recent else (),
        facts=row_facts(data, names),
        **speaks_for(data),
    )


def _compared(
    now: pd.DataFrame, then: pd.DataFrame, names: Sequence[str], ages: Iterable[float], plan: Plan
) -> pd.DataFrame:
    both = [step_rates(reached_by(cohort, names, ages, plan), names) for cohort in (now, then)]
    table = both[0][["age_days", "step", "stage", "is_overall"]].copy()
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
    return _with_verdict(without_incomparable(table))


def _with_verdict(table: pd.DataFrame) -> pd.DataFrame:
    ends = zip(table["change_low"], table["change_high"], table["rate_baseline"], strict=True)
    table["verdict"] = [
        stats.verdict(low, high, stats.NARROW * (0 if np.isnan(rate) else rate))
        for low, high, rate in ends
    ]
    return table


def _uncovered(
    table: pd.DataFrame, late: Mapping[str, checks.RecordedSince], start: dt.date
) -> pd.DataFrame:
    """The table without figures of stages that were not recorded when the baseline began."""
    uncovered = [stage for stage, found in late.items() if start < found.covered_from]
    table.loc[table["stage"].isin(uncovered), "state"] = NOT_COVERED
    return _with_verdict(without_incomparable(table)) if uncovered else table


@dataclass(frozen=True, eq=False, kw_only=True)
class Simpson(Result):
    """Each step's change overall, and the same change within groups.

    `table` has one row per column split by and step, at the oldest age that can be compared:
    `segment`, `step`, `age_days`, `n_groups`, `share_compared` (of both spans' leads at the step),
    `change` overall with `change_low`, `change_high`; `within` with `within_low`, `within_high`:
    the mean change of the groups, each weighted by its leads of both spans, so that another mix
    of groups changes nothing; `n_against`, groups that changed in the other direction than all
    leads; and `state`: `reversed` (both leave zero out, and differ in sign: Simpson's paradox),
    `same direction` (both leave zero out, with one sign), `overall only`, `within groups only`, or
    `neither`.
    """


def simpson(compared: Result) -> Simpson:
    """Each step's change overall, and within the groups of a split comparison.

    Parameters
    ----------
    compared
        `funnel.conversion(data, by=...)`, or any result with such a table.

    Notes
    -----
    Direct standardisation: each group's change counts with the group's share of both spans' leads
    that reached the step's first stage. The interval adds the groups' variances. Blank and pooled
    groups count as groups.

    References
    ----------
    Simpson (1951), J. R. Stat. Soc. B 13, 238-241; Kitagawa (1955), J. Am. Stat. Assoc. 50.
    """
    table = compared.table[compared.table["state"] == COMPARABLE]
    rows = []
    for (segment, step), of_step in table[table["segment"] != EVERYBODY].groupby(
        ["segment", "step"], sort=False
    ):
        overall = table[(table["segment"] == EVERYBODY) & (table["step"] == step)]
        age = min(of_step["age_days"].max(), overall["age_days"].max())
        of_groups = of_step[of_step["age_days"] == age]
        of_all = overall[overall["age_days"] == age]
        if len(of_groups) < 2 or of_all.empty:
            continue
        rows.append(
            {"segment": segment, "step": step, "age_days": age}
            | _row(of_groups, of_all.iloc[0], compared.level)
        )
    columns = ["segment", "step", "age_days", "n_groups", "share_compared"]
    columns += ["change", "change_low", "change_high", "within", "within_low", "within_high"]
    return Simpson(
        table=pd.DataFrame(rows, columns=[*columns, "n_against", "state"]),
        as_of=compared.as_of,
        rows=compared.rows,
        units={"change": "points of 1", "within": "points of 1"},
        level=compared.level,
        company=compared.company,
    )


def _row(groups: pd.DataFrame, overall: pd.Series, level: float) -> dict[str, object]:
    n = (groups["n"] + groups["n_baseline"]).to_numpy(float)
    weight = n / n.sum()
    change = groups["change"].to_numpy(float)
    within = float(weight @ change)
    below, above = (
        float(np.sqrt(((weight * (groups[f"change_{end}"] - change)) ** 2).sum()))
        for end in ("low", "high")
    )
    low, high = within - below, within + above
    ends = overall["change_low"], overall["change_high"]
    moved = tuple(stats.verdict(*pair, 0.0) == stats.MOVED for pair in (ends, (low, high)))
    is_same = np.sign(within) == np.sign(overall["change"])
    return {
        "n_groups": len(groups),
        "share_compared": n.sum() / (overall["n"] + overall["n_baseline"]),
        "change": overall["change"],
        "change_low": ends[0],
        "change_high": ends[1],
        "within": within,
        "within_low": low,
        "within_high": high,
        "n_against": int((np.sign(change) == -np.sign(overall["change"])).sum()),
        "state": (SAME if is_same else REVERSED) if all(moved) else _STATES[moved],
    }
