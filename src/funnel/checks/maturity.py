"""Maturity: how long an outcome takes, and which cohorts can be compared."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.checks.limits import FEWEST_WINS, HORIZON_SHARE, MATURE_SHARE
from funnel.checks.outcomes import DAY, outcomes_recorded_since, table_followed, times_to
from funnel.dataset.cache import shared
from funnel.stats.survival import Incidence, incidence

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
    incidence
        Share of them won, by age in days.
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
    incidence: Incidence
    cohorts: pd.DataFrame
    table: str = "leads"
    immature_from: str = ""

    @property
    def mature_days(self) -> float:
        """The age by which 95 % of the wins have come; NaN with too few wins to say."""
        return self.days_to(MATURE_SHARE)

    def days_to(self, share: float) -> float:
        """The age by which a share of the wins by `horizon_days` has come; NaN with too few."""
        if self.n_won < FEWEST_WINS:
            return float("nan")
        whole = float(self.incidence.share(self.horizon_days))
        return self.incidence.time_of(share, whole=whole) if whole > 0 else float("nan")

    @property
    def n_immature(self) -> int:
        """Leads of the cohorts that are too recent to compare."""
        if not self.immature_from:
            return 0
        is_recent = self.cohorts["cohort_month"] >= self.immature_from
        return int(self.cohorts.loc[is_recent, "n_leads"].sum())


@shared
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
    months = data.plan.local_days(followed["created_at"]).dt.to_period("M")
    covered = followed
    if since is not None:
        covered = followed[followed["created_at"] >= data.plan.midnight(since)]
    age = (data.ends_at - followed["created_at"]).dt.total_seconds() / DAY
    upto, wins = horizon(age[covered.index]), incidence(covered["age_days"], covered["happened"])
    whole, n_won = float(wins.share(upto)), int(covered["happened"].sum())
    due = wins.share(age.clip(upper=upto)) / whole if whole else np.nan
    cohorts = _cohorts(followed.assign(month=months, age=age, due=due), since)
    if n_won < FEWEST_WINS or not whole:
        cohorts.loc[cohorts["state"] != NOT_COVERED, "state"] = CANNOT_TELL
    return Maturity(
        outcome=outcome,
        n_leads=len(covered),
        n_won=n_won,
        horizon_days=upto,
        incidence=wins,
        cohorts=cohorts,
        table=table_followed(data, outcome),
        immature_from=_immature_from(cohorts),
    )


def horizon(follow_up: pd.Series) -> float:
    """The age to which a tenth of the rows could be followed, days; missing without any.

    Examples
    --------
    >>> round(horizon(pd.Series(range(101))))
    90
    """
    return float(follow_up.clip(lower=0.0).quantile(1 - HORIZON_SHARE))


def _cohorts(followed: pd.DataFrame, since: dt.date | None) -> pd.DataFrame:
    cohorts = (
        followed.groupby("month")
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
        [before, cohorts["due_share"] < MATURE_SHARE], [NOT_COVERED, IMMATURE], COMPARABLE
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
