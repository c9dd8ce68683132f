"""How long an outcome takes, and which cohorts are old enough to be compared."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.checks.outcomes import (
    DAY,
    FEWEST_WINS,
    Incidence,
    incidence,
    outcome_words,
    outcomes_recorded_since,
    times_to,
)
from funnel.dataset.cache import cached
from funnel.results import formats

if TYPE_CHECKING:
    from funnel.dataset import Tables

MATURE_SHARE = 0.95
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
AGES = (7, 14, 30, 60, 90, 120, 180, 270, 365, 540, 730, 1095)


@dataclass(frozen=True, eq=False)
class Maturity:
    """How long wins take, and which cohorts are old enough to be compared.

    Attributes
    ----------
    n_leads, n_won
        Leads (deals, where there are no leads) whose wins are recorded, and those won.
    horizon_days
        The age up to which at least a tenth of them can be followed.
    quantiles
        `share` of the wins that come by `horizon_days`, and the `days` by which it has come.
    mature_days
        The age by which 95 % of those wins have come; NaN with too few wins to say.
    equal_age_days
        A usual age (30, 60, 90 days ...) at which cohorts can be compared: four in five of the
        wins have come by then. NaN with too few wins to say.
    cohorts
        One row per month of creation: `cohort_month`, `n_leads`, `n_won`, `youngest_days` (age
        of the last day's leads at `as_of`), `due_share` (share of its wins by `horizon_days`
        that should have come by now), `state`: `comparable`, `young`, `not covered` (outcomes
        were not recorded yet) or `cannot tell`.
    young_from
        First month of the unbroken run of young cohorts at the end; empty if there is none.
    says
        The finding in one sentence; empty where no cohort is young.
    """

    n_leads: int
    n_won: int
    horizon_days: float
    quantiles: pd.DataFrame
    mature_days: float
    equal_age_days: float
    cohorts: pd.DataFrame
    young_from: str = ""
    says: str = ""


@cached
def maturity(data: Tables, outcome: str = "won") -> Maturity:
    """Say how long an outcome takes, and which cohorts are old enough to be compared.

    Only leads created since the outcome is recorded count towards the time it takes.

    Parameters
    ----------
    data
        A company's tables.
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
        usual = [age for age in AGES if by_age(np.array([age]))[0] >= 0.8 * at_horizon]
        equal_age = float(usual[0]) if usual else mature
    cohorts = _cohorts(data, followed, months, by_age, horizon, mature, since)
    young_from = _young_from(cohorts)
    says = _says_young(data, outcome, cohorts, young_from, mature, horizon) if young_from else ""
    return Maturity(
        len(covered), n_won, horizon, quantiles, mature, equal_age, cohorts, young_from, says
    )


def _horizon(data: Tables, covered: pd.DataFrame) -> float:
    """Find the age that a tenth of the leads have reached; beyond it too few can be followed."""
    if covered.empty:
        return float("nan")
    end = pd.Timestamp(data.plan.midnight(data.as_of + dt.timedelta(days=1)))
    ages = (end - covered["created_at"]).dt.total_seconds() / DAY
    return float(max(ages.quantile(0.9), 0.0))


def _first_age(ages: np.ndarray, reached: np.ndarray, share: float) -> float:
    return float(ages[min(np.searchsorted(reached, share - 1e-12), len(ages) - 1)])


def cohort_month(created_at: pd.Series, zone: str) -> pd.Series:
    """Give the month in which each lead was created, where the company is."""
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
        ["not covered", "cannot tell", "young"],
        "comparable",
    )
    cohorts.insert(0, "cohort_month", cohorts.pop("month").astype(str))
    return cohorts


def _young_from(cohorts: pd.DataFrame) -> str:
    tail = ""
    for month, state in zip(cohorts["cohort_month"][::-1], cohorts["state"][::-1], strict=True):
        if state != "young":
            break
        tail = month
    return tail


def _says_young(
    data: Tables,
    outcome: str,
    cohorts: pd.DataFrame,
    young_from: str,
    mature: float,
    horizon: float,
) -> str:
    company = data.plan.company
    young = cohorts[cohorts["cohort_month"] >= young_from]
    words = outcome_words(outcome)
    return (
        f"Late cohorts are young: the {formats.number(young['n_leads'].sum(), company)} created "
        f"from {young_from} on have had less than the {formats.number(mature, company)} days by "
        f"which {formats.share(MATURE_SHARE, company)} of the {words[0].lower()}{words[1:]} seen "
        f"within {formats.number(horizon, company)} days have come. Compare cohorts at equal age "
        "only."
    )
