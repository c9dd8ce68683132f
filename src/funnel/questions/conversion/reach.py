"""Shares of leads that reach each stage by an age, each lead counted as far as it was followed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from funnel.contract.errors import ParameterError
from funnel.contract.plan import Plan
from funnel.methods.ages import is_mature
from funnel.results import Result
from funnel.stats.multistate import Cohort

_SUFFIX = "_age"
_UNITS = {
    "age_days": "days",
    "reached": "share of leads",
    "rate": "share of the stage before",
    "value_per_lead": "currency",
    "value_per_win": "currency",
}
COMPARABLE, IMMATURE, NOT_COVERED, NOBODY = "comparable", "immature", "not covered", "nobody"
_READ = ("lost_age", "follow_up", "value")


@dataclass(frozen=True, eq=False, kw_only=True)
class ReachByAge(Result):
    """Shares of leads that have reached each stage by an age, and the value they bring by then.

    `table` has one row per age and stage, in order:

    - `age_days`, `stage`, `n` (leads), `n_followed` (leads at least that old at the end);
    - `reached` (0 to 1), `reached_low`, `reached_high`: of all leads;
    - `rate`, `rate_low`, `rate_high`: of those that reached the stage before (of all, for the
      first), with `n_before`, the leads seen to reach that one by this age;
    - `value_per_lead`, `value_per_lead_low`, `value_per_lead_high`: the same for every stage of
      an age; `value_per_win` is it over the last stage's `reached`.

    Where no lead was followed to an age, and not all have won or left, its figures are missing.

    Attributes
    ----------
    n_early
        Entries dated before the lead's creation; they count at age 0.
    """

    as_of: dt.date | None = None
    n_early: int = 0


def reach_by_age(
    leads: pd.DataFrame,
    age_days: float | Iterable[float],
    *,
    level: float = 0.9,
    as_of: dt.date | None = None,
) -> ReachByAge:
    """Shares of leads that reach each stage by an age, recent leads included.

    Each lead counts for as long as it was followed: of the leads that stand at a stage at an age,
    the share that converts then. A cohort of recent leads therefore does not look as if it
    converted less.

    Parameters
    ----------
    leads
        One row per lead. `<stage>_age` for each stage in order (days from creation to the first
        entry, missing if not yet; a skipped stage counts as reached with the next one),
        `follow_up` (days the lead was followed), and, if known, `lost_age` (days to a final
        exit: what comes after it is not counted) and `value` (of the win, currency).
    age_days
        The age or ages, days, 0 or more. An entry at exactly this age counts.
    level
        Of the intervals.
    as_of
        The last day of the data; needed only to `save` the result in a snapshot.

    Raises
    ------
    ParameterError
        If there is no stage, or a lead was not followed for a known time.

    Notes
    -----
    The Aalen-Johansen estimator of a progressive model whose states are the highest stage
    reached, and one for the lost of each: the product over all times of I + dA, where dA holds
    moves over leads at risk. Greenwood's covariance goes along, the value being a mark on the
    last move. Intervals of shares are Wilson's at the effective size p(1 - p)/variance, which
    keep their level where a log-log interval does not (shares near 0, few leads), and are the
    usual ones where no lead is censored. Where the last leads followed at a stage are censored,
    the high end assumes that all of them convert. For the value's interval see
    `funnel.stats.multistate.value_interval`. With more than 10,000 different times, ages are cut
    to whole hours.

    References
    ----------
    Aalen and Johansen (1978), Scand. J. Statist. 5, 141-150; Andersen, Borgan, Gill and Keiding
    (1993), Statistical Models Based on Counting Processes, section IV.4; Wilson (1927).

    Examples
    --------
    >>> leads = pd.DataFrame({"mql_age": [2, 5, None, None], "won_age": [9, None, None, None],
    ...                       "follow_up": [40, 40, 40, 3], "value": [100, 0, 0, 0]})
    >>> reach_by_age(leads, 30).table[["stage", "reached", "value_per_lead"]].round(3)
      stage  reached  value_per_lead
    0   mql    0.625           31.25
    1   won    0.312           31.25
    """
    stages = [c[: -len(_SUFFIX)] for c in leads if c.endswith(_SUFFIX) and c != "lost_age"]
    ages = np.unique(np.atleast_1d(np.asarray(age_days, float)))
    if not stages or "follow_up" not in leads:
        raise ParameterError(
            "reach_by_age needs a column `<stage>_age` for each stage, and `follow_up`; it has "
            f"{', '.join(map(repr, leads.columns))}."
        )
    if not ages.size or not (ages >= 0).all():
        raise ParameterError(f"age_days={age_days!r} must be 0 or more days.")
    entries, lost, follow_up, n_early = _times(leads, stages)
    value = leads["value"].to_numpy(float) if "value" in leads else None
    cohort = Cohort.of(entries, lost, follow_up, value, ages)
    table = pd.concat(cohort.curves(ages, stages, level), ignore_index=True)
    return ReachByAge(table=table, as_of=as_of, level=level, units=_UNITS, n_early=n_early)


def _times(
    leads: pd.DataFrame, stages: list[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Entries (stages, leads) with skipped stages filled, losses and follow-up; none is missing."""
    follow_up = leads["follow_up"].to_numpy(float)
    wrong = int((~np.isfinite(follow_up) | (follow_up < 0)).sum())
    if wrong:
        raise ParameterError(
            f"reach_by_age: {wrong:,} of {len(leads):,} leads have no `follow_up` of 0 or more "
            "days. A lead counts for as long as it was followed, so each needs one."
        )
    entries = leads[[f"{stage}{_SUFFIX}" for stage in stages]].to_numpy(float).T
    n_early = int((entries < 0).sum())
    entries = np.where(np.isnan(entries), np.inf, np.maximum(entries, 0.0))
    entries = np.minimum.accumulate(entries[::-1], axis=0)[::-1]
    lost = np.full(len(leads), np.inf)
    if "lost_age" in leads:
        lost_age = leads["lost_age"].to_numpy(float)
        lost = np.where(np.isnan(lost_age), np.inf, np.maximum(lost_age, 0.0))
    lost = np.where(entries[-1] <= lost, np.inf, lost)  # who has won is not lost afterwards
    return entries, lost, follow_up, n_early


STEP_COLUMNS = ("segment", "group", "age_days", "step", "stage", "is_overall", "state")
RATE_COLUMNS = ("n", "rate", "rate_low", "rate_high")


def columns_read(leads: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Columns of leads with ages that `reach_by_age` reads."""
    read = {*(f"{stage}_age" for stage in names[1:]), *_READ}
    return [name for name in leads if name in read]


def reached_by(
    cohort: pd.DataFrame, names: Sequence[str], ages: Iterable[float], plan: Plan
) -> pd.DataFrame:
    """Rows of `reach_by_age` with their `state`: comparable, immature, or nobody there."""
    table = reach_by_age(cohort[columns_read(cohort, names)], ages, level=plan.level).table
    mature = is_mature(table["n_followed"], table["n"], plan.smallest_group)
    immature = ~mature | table["reached"].isna()
    table["state"] = np.select([table["n"] == 0, immature], [NOBODY, IMMATURE], COMPARABLE)
    return table


def step_rates(reached: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Conversion rates of each step, and below them from the first stage to the last."""
    previous = dict(zip(names[1:], names, strict=False))
    steps = reached.assign(
        step=[f"{previous[stage]} to {stage}" for stage in reached["stage"]],
        n=reached["n_before"],
        is_overall=len(names) == 2,
    )
    if len(names) == 2:
        return steps
    last = reached[reached["stage"] == names[-1]]
    overall = last.assign(
        step=f"{names[0]} to {names[-1]}",
        is_overall=True,
        **{f"rate{end}": last[f"reached{end}"] for end in ("", "_low", "_high")},
    )
    order = ["age_days", "is_overall"]
    return pd.concat([steps, overall]).sort_values(order, kind="stable").reset_index(drop=True)


def without_incomparable(table: pd.DataFrame) -> pd.DataFrame:
    """The table with figures missing in rows that are not comparable."""
    figures = [c for c in table if c.startswith(("reached", "rate", "value", "change"))]
    figures += [c for c in ("smallest_detectable",) if c in table]
    table[figures] = table[figures].where(table["state"] == COMPARABLE)
    return table


def no_steps(columns: Sequence[str]) -> pd.DataFrame:
    """The empty form of a table of steps."""
    return pd.DataFrame(columns=list(columns)).astype({"is_overall": bool})
