"""Leads with their ages, and maturity: by which ages they can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from funnel import checks
from funnel.checks.limits import COMMON_AGES, EQUAL_AGE_SHARE, FOLLOWED_SHARE
from funnel.checks.outcomes import DAY
from funnel.dataset import stages
from funnel.dataset.cache import shared

if TYPE_CHECKING:
    from funnel.dataset import Tables

WITHOUT_WINS = (30.0, 90.0)  # the ages compared where too few wins say how long they take
FINAL_RETURNS = 0.01  # an exit from which a larger share comes back is not final


@dataclass(frozen=True, eq=False)
class LeadsWithAges:
    """Leads of a dataset with the age at which each reached each stage.

    Attributes
    ----------
    frame
        As `aged` returns it.
    stages
        The plan's stages that are recorded, in order.
    unit
        `leads`, or `deals` where there are no leads.
    recorded_late
        Stages that are recorded only from a later day than the leads.
    """

    frame: pd.DataFrame
    stages: tuple[str, ...]
    unit: str
    recorded_late: Mapping[str, checks.RecordedSince]


@dataclass(frozen=True, eq=False)
class RowFacts:
    """What a reader must know of the rows behind conversion rates.

    Attributes
    ----------
    unit
        `leads` or `deals`.
    recorded_late
        Stages recorded only from a later day than the leads.
    missing_stages
        Stages of the plan that nothing records.
    out_of_order
        Leads that enter stages in another order, skip or repeat one; `None` where few do.
    n_early
        Rows with a stage dated before their creation; it counts at age 0.
    n_deals_without_lead, amount_without_lead
        Deals that name no lead and so are in no rate, and the amount of the won ones.
    filled_by_outcome
        Columns that are blank for won leads more or less often than for the others.
    """

    unit: str
    recorded_late: tuple[checks.RecordedSince, ...] = ()
    missing_stages: tuple[str, ...] = ()
    out_of_order: object | None = None
    n_early: int = 0
    n_deals_without_lead: int = 0
    amount_without_lead: float = 0.0
    filled_by_outcome: tuple[checks.FilledByOutcome, ...] = ()


def in_days(spans: pd.Series) -> pd.Series:
    """Spans of time as numbers of days."""
    return spans.dt.total_seconds() / DAY


def comparison_ages(data: Tables) -> tuple[float, float]:
    """Two ages at which to compare: when half, and nine in ten, of the wins have come.

    Each is rounded up to a common one (7, 14, 30, 60 ... days). With fewer than ten wins, 30 and
    90 days.
    """
    days = [checks.maturity(data).days_to(share) for share in (0.5, EQUAL_AGE_SHARE)]
    if np.isnan(days).any():
        return WITHOUT_WINS
    first, second = map(common_age, days)
    later = [age for age in COMMON_AGES if age > first]
    return first, max(second, float(later[0]) if later else 2 * first)


def common_age(days: float, ages: Sequence[float] = COMMON_AGES) -> float:
    """The first common age that is not below some days; the days rounded up beyond the last.

    Examples
    --------
    >>> common_age(41.3), common_age(800.5)
    (60.0, 801.0)
    """
    return float(next((age for age in ages if age >= days), np.ceil(days)))


def followed_age(follow_up: pd.Series) -> float:
    """The age that a fifth of the leads have reached, days: the oldest at which they are mature.

    Examples
    --------
    >>> round(followed_age(pd.Series(range(101))))
    80
    """
    return float(follow_up.quantile(1 - FOLLOWED_SHARE))


def mature_ages(wanted: tuple[float, float], follow_up: pd.Series) -> tuple[float, ...]:
    """Two ages lowered to what a fifth of the leads have reached; unchanged where none has.

    Examples
    --------
    >>> mature_ages((30.0, 90.0), pd.Series(range(91)))
    (30.0, 60.0)
    """
    if follow_up.empty:
        return wanted
    oldest = followed_age(follow_up)
    within = [float(age) for age in COMMON_AGES if age <= oldest]
    if wanted[1] <= oldest or not within:
        return wanted
    older = within[-1]
    younger = [age for age in (*within, wanted[0]) if age < older]
    return (min(wanted[0], younger[-1]), older) if younger else (older,)


def is_mature(n_followed: ArrayLike, n: ArrayLike, smallest_group: int) -> NDArray[np.bool_]:
    """Whether enough of a cohort has reached an age: a fifth of it, and the smallest group.

    Examples
    --------
    >>> is_mature([40, 3, 19], [100, 10, 100], smallest_group=5).tolist()
    [True, False, False]
    """
    return np.asarray(n_followed) >= np.maximum(smallest_group, FOLLOWED_SHARE * np.asarray(n))


def aged(data: Tables) -> pd.DataFrame:
    """Leads with ages in days, as `reach_by_age` reads them.

    Returns
    -------
    DataFrame
        The columns of `stages.reached`, `<stage>_age` for each recorded stage after the first,
        `lost_age` (final exits only), `follow_up` (days to the end of `as_of`) and, where any deal
        has an amount, `value`.

    Notes
    -----
    An exit is final if at most one in a hundred of those who took it came back later. After any
    other exit (recycling, as a rule) a lead stays at its stage: recent leads have not had the time
    to come back, and would look lost.
    """
    frame = stages.reached(data).copy()
    created = frame["created_at"]
    for stage in stages.recorded_stages(data)[1:]:
        frame[f"{stage}_age"] = in_days(frame[f"{stage}_at"] - created)
    left, back = frame["left_to"].value_counts(), frame["returned_from"].value_counts()
    back = back.reindex(left.index, fill_value=0)
    final = left.index[back / (left + back) <= FINAL_RETURNS]
    lost_age = in_days(frame["left_at"] - created)
    frame["lost_age"] = lost_age.where(frame["left_to"].isin(final))
    frame["follow_up"] = in_days(data.ends_at - created)
    if data.has("deals", "amount"):
        frame["value"] = frame["amount"]
    return frame


@shared
def leads_with_ages(data: Tables) -> LeadsWithAges:
    """Leads with their ages, the stages recorded, and those recorded late."""
    recorded = stages.recorded_stages(data)
    unit = "leads" if stages.is_followed_by_lead(data) else "deals"
    return LeadsWithAges(aged(data), recorded, unit, _recorded_late(data, recorded[1:], unit))


def known(data: Tables) -> tuple[pd.DataFrame, Mapping[str, checks.RecordedSince]]:
    """Frame and late stages of `leads_with_ages`."""
    leads = leads_with_ages(data)
    return leads.frame, leads.recorded_late


def _recorded_late(
    data: Tables, names: Sequence[str], unit: str
) -> dict[str, checks.RecordedSince]:
    entered = stages.changed_stages(data)
    found = {}
    for stage in names:
        outcome = "won" if stage == stages.won_stage(data.plan.stages) else stage
        if outcome != "won" and (unit == "deals" or stage not in entered):
            continue
        since = checks.outcomes_recorded_since(data, outcome)
        if since.is_late:
            found[stage] = since
    return found


def row_facts(data: Tables, columns: Sequence[str] = ()) -> RowFacts:
    """What a reader must know of the rows: late, missing, out of order, early or excluded.

    Parameters
    ----------
    data
        A dataset.
    columns
        Columns of leads that rates are split by.
    """
    leads = leads_with_ages(data)
    missing = tuple(name for name in data.plan.stages if name not in leads.stages)
    n_deals, amount = 0, 0.0
    if leads.unit == "leads":
        apart = stages.deals_without_lead(data)
        n_deals = int(apart["n_deals"].sum())
        amount = float(apart.loc[apart["outcome"] == "won", "amount"].sum())
    return RowFacts(
        unit=leads.unit,
        recorded_late=tuple(leads.recorded_late.values()),
        missing_stages=missing,
        out_of_order=checks.out_of_order(data),
        n_early=int((leads.frame["n_early"] > 0).sum()),
        n_deals_without_lead=n_deals,
        amount_without_lead=amount,
        filled_by_outcome=tuple(
            each
            for name in columns
            for each in checks.filled_by_outcome(data, name)
            if each.differs
        ),
    )
