"""Since when outcomes are recorded, and how old a cohort must be to be compared."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel import formats
from funnel.errors import ParameterError

if TYPE_CHECKING:
    from funnel.load import Tables

DAY = 86_400.0
SURE = 0.001  # a trap is claimed only where chance would show it less often than this
FAR_BELOW = 0.1  # recorded over expected: rates that merely grow stay clear of it
NEARBY_DAYS = 183  # leads created soon after a day speak for those created before it
BACK_TO_USUAL = 0.5
FEWEST_WINS = 10  # fewer say too little about how long wins take
MATURE_SHARE = 0.95
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
AGES = (7, 14, 30, 60, 90, 120, 180, 270, 365, 540, 730, 1095)

Incidence = Callable[[np.ndarray], np.ndarray]


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
    says
        All that in one sentence; empty where there is nothing to tell.
    """

    outcome: str
    first: dt.date | None
    covered_from: dt.date | None = None
    recorded: int = 0
    expected: float = float("nan")
    p_value: float = float("nan")
    n_leads: int = 0
    says: str = ""

    @property
    def is_late(self) -> bool:
        """Whether the outcome is recorded later than the leads."""
        return self.covered_from is not None


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


def times_to(data: Tables, outcome: str = "won") -> pd.DataFrame:
    """Follow every lead from its creation to an outcome, or to the end of the data.

    Parameters
    ----------
    data
        A company's tables. Without leads, or where no deal names its lead, deals are followed
        from their own creation.
    outcome
        `won` or `lost` (by the closing time of the lead's first such deal), `opportunity` (by
        the deal's creation), or another stage of the plan (by `stage_changes`).

    Returns
    -------
    DataFrame
        `id`, `created_at`, `happened_at` (missing if not yet), `age_days` (time to the outcome,
        or to the end of `as_of`; an outcome dated before the creation counts as day 0) and
        `happened`. `attrs["table"]` names the table followed.
    """
    end = pd.Timestamp(data.plan.midnight(data.as_of + dt.timedelta(days=1)))
    events, start, key = _events(data, outcome)
    first = events.dropna().groupby("id", sort=False)["at"].min()
    created_at = start["created_at"].reset_index(drop=True)
    happened_at = first.reindex(start[key]).reset_index(drop=True)
    waited = happened_at.fillna(end) - created_at
    followed = pd.DataFrame(
        {
            "id": start[key].reset_index(drop=True),
            "created_at": created_at,
            "happened_at": happened_at,
            "age_days": waited.dt.total_seconds().clip(lower=0) / DAY,
            "happened": happened_at.notna(),
        }
    )
    followed.attrs["table"] = "leads" if key == "lead_id" else "deals"
    return followed


def outcomes_recorded_since(data: Tables, outcome: str = "won") -> RecordedSince:
    """Find out whether an outcome is recorded only from a later day than the leads.

    Leads created in the half-year after a day show how many of them are won by which age. Applied
    to the leads created earlier, that says how many wins should have been recorded before the day.
    Where far fewer are (under a tenth, and so few by chance less than once in a thousand), they
    were not recorded, and cohorts created earlier are no evidence of a low rate.

    Parameters
    ----------
    data
        A company's tables.
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
    late, none_before = None, False
    for cut, is_first in _cuts(first_at, followed["created_at"].max(), zone):
        found = _shortfall(followed, cut, zone)
        if found is None:
            break
        recorded, expected, p_value, last_share = found
        if recorded <= FAR_BELOW * expected and p_value < SURE and last_share < BACK_TO_USUAL:
            late = (cut, recorded, expected, p_value)
            none_before |= is_first
        elif not is_first and last_share >= BACK_TO_USUAL and recorded >= FEWEST_WINS:
            break  # recorded like later on: further months can only speak of change
    if late is None:
        return RecordedSince(outcome, first)
    cut, recorded, expected, p_value = late
    n_before = int((followed["created_at"] < cut).sum())
    covered_from = cut.tz_convert(zone).date()
    found = RecordedSince(outcome, first, covered_from, recorded, expected, p_value, n_before)
    says = _says_late(data, found, followed.attrs["table"], none_before=none_before)
    return dataclasses.replace(found, says=says)


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
    months = _cohort_month(followed["created_at"], data.plan.company.timezone)
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
    says = _says_young(data, cohorts, young_from, mature, horizon) if young_from else ""
    return Maturity(
        len(covered), n_won, horizon, quantiles, mature, equal_age, cohorts, young_from, says
    )


def incidence(followed: pd.DataFrame) -> Incidence:
    """Estimate the share to which the outcome has happened, by age in days.

    Parameters
    ----------
    followed
        Reads `age_days` and `happened`, as `times_to` makes them.

    Returns
    -------
    callable
        Ages (array, days) to shares, a step function; 0 below the first event, and level beyond
        the last age seen.
    """
    from statsmodels.duration.survfunc import SurvfuncRight  # late: it costs a second to import

    if not followed["happened"].any():
        return lambda ages: np.zeros(np.shape(ages))
    fit = SurvfuncRight(followed["age_days"].to_numpy(), followed["happened"].to_numpy())
    times = np.concatenate([[-np.inf], fit.surv_times])
    shares = np.concatenate([[0.0], 1 - fit.surv_prob])
    return lambda ages: shares[np.searchsorted(times, ages, side="right") - 1]


def _events(data: Tables, outcome: str) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    deals = data.deals
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
    """Days at which recording may have begun: the first event, then each month's start."""
    yield first_at, True
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
    by_age = incidence(later)
    month_start = (cut - pd.Timedelta(seconds=1)).tz_convert(zone).tz_localize(None)
    month_start = month_start.to_period("M").start_time.tz_localize(zone)

    def due(day: pd.Timestamp) -> float:
        return float(
            by_age((day - earlier["created_at"]).dt.total_seconds().to_numpy() / DAY).sum()
        )

    expected = due(cut)
    recorded = int((earlier["happened_at"] < cut).sum())
    in_month = ((earlier["happened_at"] < cut) & (earlier["happened_at"] >= month_start)).sum()
    due_in_month = expected - due(month_start)
    p_value = float(nbinom.cdf(recorded, n_later + 0.5, n_later / (n_later + expected)))
    return recorded, expected, p_value, float(in_month / max(due_in_month, 1e-9))


def _horizon(data: Tables, covered: pd.DataFrame) -> float:
    """Find the age that a tenth of the leads have reached; beyond it too few can be followed."""
    if covered.empty:
        return float("nan")
    end = pd.Timestamp(data.plan.midnight(data.as_of + dt.timedelta(days=1)))
    ages = (end - covered["created_at"]).dt.total_seconds() / DAY
    return float(max(ages.quantile(0.9), 0.0))


def _first_age(ages: np.ndarray, reached: np.ndarray, share: float) -> float:
    return float(ages[min(np.searchsorted(reached, share - 1e-12), len(ages) - 1)])


def _cohort_month(created_at: pd.Series, zone: str) -> pd.Series:
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


def _word(outcome: str) -> str:
    return {"won": "Wins", "lost": "Lost deals"}.get(outcome, f"Entries into stage `{outcome}`")


def _says_late(data: Tables, found: RecordedSince, table: str, *, none_before: bool) -> str:
    company = data.plan.company
    word, covered_from = _word(found.outcome), formats.day(found.covered_from, company)
    if not none_before:
        begin = f"{word} are recorded only in part before {covered_from}"
    else:
        begin = f"{word} are not recorded before {formats.day(found.first, company)}"
        if found.covered_from > found.first:
            begin += f", and only in part before {covered_from}"
    return (
        f"{begin}: by what later {table} show at the same age, about "
        f"{formats.number(found.expected, company)} should have been by then; recorded: "
        f"{formats.number(found.recorded, company)}. The "
        f"{formats.number(found.n_leads, company)} {table} created before {covered_from} are not "
        "covered: their rates say nothing about success."
    )


def _says_young(
    data: Tables, cohorts: pd.DataFrame, young_from: str, mature: float, horizon: float
) -> str:
    company = data.plan.company
    young = cohorts[cohorts["cohort_month"] >= young_from]
    return (
        f"Late cohorts are young: the {formats.number(young['n_leads'].sum(), company)} created "
        f"from {young_from} on have had less than the {formats.number(mature, company)} days by "
        f"which {formats.share(MATURE_SHARE, company)} of the wins seen within "
        f"{formats.number(horizon, company)} days have come. Compare cohorts at equal age only."
    )
