"""Maturity: how long an outcome takes, and which cohorts can be compared."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.checks.limits import (
    AGES,
    EQUAL_AGE_SHARE,
    FEWEST_WINS,
    FOLLOWED_SHARE,
    MATURE_SHARE,
    QUANTILES,
)
from funnel.checks.outcomes import (
    DAY,
    Incidence,
    incidence,
    outcomes_recorded_since,
    table_followed,
    times_to,
)
from funnel.dataset.cache import cached

if TYPE_CHECKING:
    from funnel.dataset import Tables


COMPARABLE, IMMATURE = "comparable", "immature"
NOT_COVERED, CANNOT_TELL = "not covered", "cannot tell"


@dataclass(frozen=True, eq=False)
class Maturity:
    """How long an outcome takes, and which cohorts can be compared.

    Attributes
    ----------
    outcome
        `won`, `lost` or a stage. What is said of wins below holds for it.
    n_leads, n_won
        Leads (deals, where there are no leads) whose wins are recorded, and those won.
    horizon_days
        The age up to which at least a tenth of them can be followed.
    quantiles
        `share` of the wins that come by `horizon_days`, and the `days` by which it has come.
    mature_days
        The age by which 95 % of those wins have come; NaN with too few wins to say.
    equal_age_days
        A round age (30, 60, 90 days ...) at which cohorts can be compared: four in five of the
        wins have come by then. NaN with too few wins to say.
    cohorts
        One row per month of creation: `cohort_month`, `n_leads`, `n_won`, `youngest_days` (age
        of the last day's leads at `as_of`), `due_share` (share of its wins by `horizon_days`
        that should have come by now), `state`: `comparable`, `immature` (too recent to compare),
        `not covered` (outcomes were not recorded yet) or `cannot tell`.
    table
        `leads` or `deals`: which rows are followed.
    immature_from
        First month of the unbroken run of immature cohorts at the end; empty if there is none.
    """

    outcome: str
    n_leads: int
    n_won: int
    horizon_days: float
    quantiles: pd.DataFrame
    mature_days: float
    equal_age_days: float
    cohorts: pd.DataFrame
    table: str = "leads"
    immature_from: str = ""

    @property
    def n_immature(self) -> int:
        """Leads of the cohorts that are too recent to compare."""
        if not self.immature_from:
            return 0
        is_recent = self.cohorts["cohort_month"] >= self.immature_from
        return int(self.cohorts.loc[is_recent, "n_leads"].sum())


@cached
def maturity(data: Tables, outcome: str = "won") -> Maturity:
    """How long an outcome takes, and which cohorts can be compared.

    Only leads created since the outcome is recorded count towards the time it takes.

    Parameters
    ----------
    data
        The dataset.
    outcome
        `won`, `lost`, or a stage.
    """
    followed = times_to(data, outcome)
    since = outcomes_recorded_since(data, outcome).covered_from
    months = cohort_month(followed["created_at"], data.plan.company.timezone)
    covered = followed
    if since is not None:
        covered = followed[followed["created_at"] >= pd.Timestamp(data.plan.midnight(since))]
    by_age, horizon = incidence(covered), _horizon(data, covered)
    n_won = int(covered["happened"].sum())
    quantiles = pd.DataFrame({"share": QUANTILES, "days": np.nan})
    mature = equal_age = float("nan")
    at_horizon = float(by_age(np.array([horizon]))[0]) if len(covered) else 0.0
    if n_won >= FEWEST_WINS and at_horizon > 0:
        ages = np.sort(covered.loc[covered["happened"], "age_days"].unique())
        reached = by_age(ages) / at_horizon
        quantiles["days"] = [_first_age(ages, reached, share) for share in QUANTILES]
        mature = _first_age(ages, reached, MATURE_SHARE)
        enough = EQUAL_AGE_SHARE * at_horizon
        ages = [age for age in AGES if by_age(np.array([age]))[0] >= enough]
        equal_age = float(ages[0]) if ages else mature
    cohorts = _cohorts(data, followed, months, by_age, horizon, mature, since)
    return Maturity(
        outcome=outcome,
        n_leads=len(covered),
        n_won=n_won,
        horizon_days=horizon,
        quantiles=quantiles,
        mature_days=mature,
        equal_age_days=equal_age,
        cohorts=cohorts,
        table=table_followed(data, outcome),
        immature_from=_immature_from(cohorts),
    )


def _horizon(data: Tables, covered: pd.DataFrame) -> float:
    """Age that a tenth of the leads have reached; beyond it too few can be followed."""
    if covered.empty:
        return float("nan")
    end = pd.Timestamp(data.plan.midnight(data.as_of + dt.timedelta(days=1)))
    ages = (end - covered["created_at"]).dt.total_seconds() / DAY
    return float(max(ages.quantile(1 - FOLLOWED_SHARE), 0.0))


def _first_age(ages: np.ndarray, reached: np.ndarray, share: float) -> float:
    return float(ages[min(np.searchsorted(reached, share - 1e-12), len(ages) - 1)])


def cohort_month(created_at: pd.Series, zone: str) -> pd.Series:
    """Month in which each lead was created, in the company's time zone."""
    return created_at.dt.tz_convert(zone).dt.tz_localize(None).dt.to_period("M")


def _cohorts(
    data: Tables,
    followed: pd.DataFrame,
    months: pd.Series,
    by_age: Incidence,
    horizon: float,
    mature: float,
    since: dt.date | None,
) -> pd.DataFrame:
    end = pd.Timestamp(data.plan.midnight(data.as_of + dt.timedelta(days=1)))
    age = (end - followed["created_at"]).dt.total_seconds() / DAY
    at_horizon = float(by_age(np.array([horizon]))[0]) if len(followed) else 0.0
    due = by_age(np.minimum(age, horizon).to_numpy()) / at_horizon if at_horizon else np.nan
    cohorts = (
        pd.DataFrame({"month": months, "happened": followed["happened"], "age": age, "due": due})
        .groupby("month")
        .agg(
            n_leads=("happened", "size"),
            n_won=("happened", "sum"),
            youngest_days=("age", "min"),
            due_share=("due", "mean"),
        )
        .reset_index()
    )
    before = (
        cohorts["month"].dt.start_time < pd.Timestamp(since)
        if since is not None
        else pd.Series(False, index=cohorts.index)
    )
    cohorts["state"] = np.select(
        [before, np.full(len(cohorts), np.isnan(mature)), cohorts["due_share"] < MATURE_SHARE],
        [NOT_COVERED, CANNOT_TELL, IMMATURE],
        COMPARABLE,
    )
    cohorts.insert(0, "cohort_month", cohorts.pop("month").astype(str))
    return cohorts


def _immature_from(cohorts: pd.DataFrame) -> str:
    first = ""
    for month, state in zip(cohorts["cohort_month"][::-1], cohorts["state"][::-1], strict=True):
        if state != IMMATURE:
            break
        first = month
    return first
