"""Outcomes by age of their leads, and since when they are recorded."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.checks.limits import BACK_TO_NORMAL, FAR_BELOW, FEWEST_WINS, NEARBY_DAYS, SURE
from funnel.contract.errors import ParameterError
from funnel.dataset.cache import shared
from funnel.dataset.stages import keys, new_business
from funnel.stats.survival import incidence

if TYPE_CHECKING:
    from funnel.dataset import Tables

DAY = 86_400.0  # seconds


@dataclass(frozen=True, eq=False)
class RecordedSince:
    """Whether an outcome is recorded for as long as the leads are.

    Attributes
    ----------
    outcome
        `won`, `lost` or a stage.
    first
        Day of the first one recorded; `None` where there is none.
    covered_from
        The first day from which it is recorded like later on; leads created earlier show fewer
        than there were. `None` where nothing speaks for a late start.
    recorded, expected
        How many are recorded before `covered_from`, and how many should have been, by what leads
        created later show at the same age.
    p_value
        How often chance alone would leave so few.
    n_leads
        Leads (deals, where there are no leads) created before `covered_from`.
    table
        `leads` or `deals`: which rows are followed.
    is_from_first
        Whether none is recorded before `first`; else some are, too few.
    """

    outcome: str
    first: dt.date | None
    covered_from: dt.date | None = None
    recorded: int = 0
    expected: float = float("nan")
    p_value: float = float("nan")
    n_leads: int = 0
    table: str = "leads"
    is_from_first: bool = False

    @property
    def is_late(self) -> bool:
        """Whether the outcome is recorded later than the leads."""
        return self.covered_from is not None


@shared
def times_to(data: Tables, outcome: str = "won") -> pd.DataFrame:
    """Time from each lead's creation to an outcome, or to the end of the dataset.

    Parameters
    ----------
    data
        The dataset. Without leads, or where no deal names its lead, deals are followed
        from their own creation.
    outcome
        `won` or `lost` (by the closing time of the lead's first such new deal), `opportunity` (by
        the deal's creation), or another stage of the plan (by `stage_changes`).

    Returns
    -------
    DataFrame
        `id`, `created_at`, `happened_at` (missing if not yet), `age_days` (time to the outcome,
        or to the end of `as_of`; an outcome dated before the creation counts as day 0) and
        `happened`. `table_followed` names the table they are rows of.
    """
    events, start, key = _events(data, outcome)
    events = events.dropna()
    ids = keys(data, "leads") if key == "lead_id" else pd.Index(start[key])
    row = ids.get_indexer(events["id"])
    first = events["at"].groupby(row).min()
    created_at = start["created_at"].reset_index(drop=True)
    happened_at = first.reindex(created_at.index)
    waited = happened_at.fillna(data.ends_at) - created_at
    return pd.DataFrame(
        {
            "id": start[key].reset_index(drop=True),
            "created_at": created_at,
            "happened_at": happened_at,
            "age_days": waited.dt.total_seconds().clip(lower=0) / DAY,
            "happened": happened_at.notna(),
        }
    )


def table_followed(data: Tables, outcome: str = "won") -> str:
    """The table whose rows `times_to` follows: `leads`, or `deals` where there are no leads."""
    return "leads" if _events(data, outcome)[2] == "lead_id" else "deals"


@shared
def outcomes_recorded_since(data: Tables, outcome: str = "won") -> RecordedSince:
    """Whether an outcome is recorded only from a later day than the leads, and which day.

    Leads created in the half-year after a day show how many of them are won by which age. Applied
    to the leads created earlier, that says how many wins should have been recorded before the day.
    Where far fewer are (under a tenth, and so few by chance less than once in a thousand), they
    were not recorded, and cohorts created earlier are no evidence of a low rate.

    Parameters
    ----------
    data
        The dataset.
    outcome
        `won`, `lost`, or a stage.

    Notes
    -----
    Ages are those of the product-limit estimator, everybody being followed to the end of
    `as_of`, so a lost lead stays one that was not won. The count is compared with a Poisson
    count whose mean is itself known from D wins: the negative binomial of its gamma posterior.
    Before the first one recorded this is exact: the mean up to the first event of a Poisson
    process is exponential. Later days are the starts of months; the last month before such a day
    must itself hold under half of what was expected.

    References
    ----------
    Kaplan and Meier, "Nonparametric estimation from incomplete observations", JASA 53 (1958).
    """
    followed = times_to(data, outcome)
    zone = data.plan.company.timezone
    events = followed.loc[followed["happened"], "happened_at"]
    if events.empty:
        return RecordedSince(outcome, None)
    first_at = events.min()
    first = first_at.tz_convert(zone).date()
    late, is_from_first = None, False
    for cut, is_first in _cuts(first_at, followed["created_at"].max(), zone):
        found = _shortfall(followed, cut, zone)
        if found is None:
            continue
        recorded, expected, p_value, last_share = found
        if recorded <= FAR_BELOW * expected and p_value < SURE and last_share < BACK_TO_NORMAL:
            late = (cut, recorded, expected, p_value)
            is_from_first |= is_first
        elif not is_first and last_share >= BACK_TO_NORMAL and recorded >= FEWEST_WINS:
            break  # recorded like later on: further months can only speak of change
    if late is None:
        return RecordedSince(outcome, first)
    cut, recorded, expected, p_value = late
    covered_from = cut.tz_convert(zone).date()
    begins = data.plan.midnight(covered_from)
    return RecordedSince(
        outcome=outcome,
        first=first,
        covered_from=covered_from,
        recorded=recorded,
        expected=expected,
        p_value=p_value,
        n_leads=int((followed["created_at"] < begins).sum()),
        table=table_followed(data, outcome),
        is_from_first=is_from_first,
    )


def _events(data: Tables, outcome: str) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    deals = new_business(data)
    by_lead = not data.leads.empty and (deals["lead_id"].notna().any() or deals.empty)
    start, key = (data.leads, "lead_id") if by_lead else (deals, "deal_id")
    if outcome in ("won", "lost"):
        chosen, at = deals[deals["outcome"] == outcome], "closed_at"
    elif outcome == "opportunity":
        chosen, at = deals, "created_at"
    elif outcome in (*data.plan.stages, *data.plan.exits):
        start, key = data.leads, "lead_id"
        chosen, at = data.stage_changes, "entered_at"
        chosen = chosen[chosen["stage"] == outcome]
    else:
        raise ParameterError(
            f"{outcome!r} is no outcome: it must be won, lost or a stage of the plan "
            f"({', '.join((*data.plan.stages, *data.plan.exits))})."
        )
    return chosen[[key, at]].set_axis(["id", "at"], axis=1), start, key


def _cuts(first_at: pd.Timestamp, last: pd.Timestamp, zone: str):
    """Days at which recording may have begun: that of the first event, then each month's first."""
    yield first_at.tz_convert(zone).normalize().tz_convert("UTC"), True
    month = first_at.tz_convert(zone).tz_localize(None).to_period("M") + 1
    while (start := month.start_time.tz_localize(zone).tz_convert("UTC")) <= last:
        yield start, False
        month += 1


def _shortfall(
    followed: pd.DataFrame, cut: pd.Timestamp, zone: str
) -> tuple[int, float, float, float] | None:
    """Count what is recorded before a day and what should be; `None` if later wins are few."""
    from scipy.stats import nbinom

    is_later = followed["created_at"] >= cut
    is_near = followed["created_at"] < cut + pd.Timedelta(days=NEARBY_DAYS)
    later, earlier = followed[is_later & is_near], followed[~is_later]
    n_later = int(later["happened"].sum())
    if n_later < FEWEST_WINS:
        return None
    by_age = incidence(later["age_days"], later["happened"])
    month_start = (cut - pd.Timedelta(seconds=1)).tz_convert(zone).tz_localize(None)
    month_start = month_start.to_period("M").start_time.tz_localize(zone)

    def due(day: pd.Timestamp) -> float:
        ages = (day - earlier["created_at"]).dt.total_seconds().to_numpy() / DAY
        return float(by_age.share(ages).sum())

    expected = due(cut)
    recorded = int((earlier["happened_at"] < cut).sum())
    in_month = ((earlier["happened_at"] < cut) & (earlier["happened_at"] >= month_start)).sum()
    due_in_month = expected - due(month_start)
    p_value = float(nbinom.cdf(recorded, n_later + 0.5, n_later / (n_later + expected)))
    return recorded, expected, p_value, float(in_month / max(due_in_month, 1e-9))
