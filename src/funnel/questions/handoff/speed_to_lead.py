"""Stratified comparison of leads acted on soon with leads acted on later: an association."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.checks.limits import EQUAL_AGE_SHARE
from funnel.contract.plan import Plan
from funnel.dataset import stages
from funnel.methods.ages import common_age, followed_age, in_days
from funnel.questions.handoff.response_times import FEEDBACK, handed_leads, sales_actions
from funnel.results import Result, rows_of, speaks_for
from funnel.results.small_groups import SmallGroups
from funnel.stats.stratified import ratio_of_rates

if TYPE_CHECKING:
    from funnel.dataset import Tables

SPEED, POINT = "speed to lead", "hand-off point"
UNADJUSTED, STRATIFIED = "unadjusted", "stratified"
NO_ACTION, NO_OWNER, ONE_SIDED, TOO_FEW, NO_PAIR = (
    "no action", "no owner", "one-sided", "too few", "no pair",
)  # fmt: skip
_BINS, _PER_BIN = 20, 40  # of the score, and leads in each at least
_FEWEST_EVENTS = 10
_FEWEST_LEADS = 30  # in either group, below which there is no hand-off point to compare
_HORIZONS = (14, 30, 45, 60, 90, 120, 180, 270, 365)  # days; the sample moves with the common ages


@dataclass(frozen=True, eq=False, kw_only=True)
class Association(Result):
    """Two groups of leads and the share of each that reaches a stage, unadjusted and stratified.

    `table` has one row per outcome and `comparison` (`unadjusted`, `stratified`): `outcome`
    (a stage), `n` and `rate` of the first group, `n_other` and `rate_other` of the other one,
    `ratio` of the two rates with `ratio_low`, `ratio_high`, and `n_strata` that held both.

    Attributes
    ----------
    about
        `speed to lead` (acted on within `within_days`, or later) or `hand-off point`
        (pre-qualified by somebody else, or first acted on by the owner).
    within_days
        What counts as soon.
    horizon_days
        For how long each lead is followed.
    strata
        The columns that strata are equal in.
    missing
        Why there is no ratio: `no action`, `no owner`, `one-sided` (nearly all leads are in one
        group), `too few` or `no pair` (no stratum holds both); else empty.
    by_owner_share
        Share of the leads that their owner acted on first, for the hand-off point.
    """

    grouped = (
        SmallGroups(
            by=("outcome", "comparison"),
            counts={"n": ("rate", "ratio"), "n_other": ("rate_other", "ratio")},
        ),
    )

    about: str
    within_days: float
    horizon_days: float
    strata: tuple[str, ...] = ()
    missing: str = ""
    by_owner_share: float = float("nan")


def speed_to_lead(data: Tables, *, within_days: float | None = None) -> Association:
    """Leads acted on soon compared with leads acted on later, of equal score and source.

    Parameters
    ----------
    within_days
        What counts as soon, from the assignment (the hand-off, where none is recorded); default:
        the shortest SLA of the plan.

    Returns
    -------
    Association
        For the opportunity and the win, as far as they are recorded.

    Notes
    -----
    Leads thought more likely to buy are called first, so the unadjusted ratio includes the choice
    of whom to call. Leads are put into strata of score (twenty bins, fewer where there are few
    leads), grade and channel. Mantel and Haenszel's ratio compares the soon and the later ones of
    each stratum. Only leads that were acted on count, each followed for equally long from its
    hand-off. Whatever else decides whom to call first is still in the ratio.

    References
    ----------
    Mantel and Haenszel (1959), J. Natl. Cancer Inst. 22, 719-748; Greenland and Robins (1985),
    Biometrics 41, 55-68, for the variance.
    """
    frame = handed_leads(data).frame
    days = [days for grade, days in data.plan.promise.items() if grade != FEEDBACK]
    within = within_days or (min(days) if days else 1.0)
    acted = frame[frame["rep_days"].notna()]
    is_first = (acted["rep_days"] <= within).to_numpy()
    facts = {"about": SPEED, "within_days": within}
    return _association(data, acted, is_first, "" if len(acted) else NO_ACTION, facts)


def handoff_point(data: Tables) -> Association:
    """Leads pre-qualified by somebody else compared with leads their owner acted on first.

    Returns
    -------
    Association
        Pre-qualified: the first sales action on the lead was not its owner's.

    Notes
    -----
    As in `speed_to_lead`. Who passes through whose hands is somebody's choice, so this is an
    association too.
    """
    frame = handed_leads(data).frame
    acts = sales_actions(data).dropna(subset="owner")
    first = acts.sort_values("occurred_at", kind="stable").drop_duplicates("lead_id")
    actor = frame["lead_id"].map(first.set_index("lead_id")["owner"])
    known = frame[actor.notna() & frame["owner"].notna()]
    is_first = (actor[known.index] != known["owner"]).to_numpy()
    missing, by_owner = NO_OWNER, float("nan")
    if len(known):
        by_owner = float((~is_first).mean())
        is_one_sided = min(is_first.sum(), (~is_first).sum()) < _FEWEST_LEADS
        missing = ONE_SIDED if is_one_sided else ""
    facts = {"about": POINT, "within_days": float("nan"), "by_owner_share": by_owner}
    return _association(data, known, is_first, missing, facts)


def _association(
    data: Tables,
    frame: pd.DataFrame,
    is_first: NDArray[np.bool_],
    missing: str,
    facts: dict[str, Any],
) -> Association:
    rows, horizon = [], np.nan
    if len(data.leads) and not missing:
        reached = stages.reached(data).set_index("lead_id").reindex(frame["lead_id"])
        for outcome in _outcomes(data.plan, reached):
            at = reached[f"{outcome}_at"].set_axis(frame.index)
            took = in_days(at - frame["handed_at"])
            horizon = _horizon(took, frame["followed_days"])
            use = (frame["followed_days"] >= horizon).to_numpy() & ~(took < 0).to_numpy()
            happened = (took <= horizon).to_numpy()[use]
            if use.sum() == 0 or happened.sum() < _FEWEST_EVENTS:
                continue
            strata = _strata(frame[use])
            rows += _ratios(outcome, is_first[use], happened, strata, data.plan.level)
        missing = "" if rows else TOO_FEW
    columns = ["outcome", "comparison", "n", "rate", "n_other", "rate_other", "ratio",
               "ratio_low", "ratio_high", "n_strata"]  # fmt: skip
    table = pd.DataFrame(rows, columns=columns)
    if len(table) and table.loc[table["comparison"] == STRATIFIED, "ratio"].isna().all():
        missing = NO_PAIR
    return Association(
        table=table,
        rows=rows_of("compared", "leads", frame["lead_id"]),
        units={"ratio": "one share over the other"},
        horizon_days=float(horizon),
        strata=tuple(n for n in ("score", "grade", "channel") if frame[n].notna().any()),
        missing=missing,
        **facts,
        **speaks_for(data),
    )


def _outcomes(plan: Plan, reached: pd.DataFrame) -> list[str]:
    wanted = [stages.opportunity_stage(plan.stages), stages.won_stage(plan.stages)]
    return [name for name in wanted if name and reached[f"{name}_at"].notna().any()]


def _horizon(took: pd.Series, followed: pd.Series) -> float:
    """Common age by which nine in ten of those that get there do, if leads are so old."""
    took = took[took >= 0]
    wanted = took.quantile(EQUAL_AGE_SHARE) if len(took) else 90.0
    within = [days for days in _HORIZONS if days <= followed_age(followed)]
    return float(min(common_age(wanted, _HORIZONS), within[-1] if within else _HORIZONS[0]))


def _strata(frame: pd.DataFrame) -> NDArray[np.int64]:
    """Number of each lead's stratum of score bin, grade and channel."""
    n_bins = int(np.clip(len(frame) // _PER_BIN, 1, _BINS))
    score = frame["score"].rank(pct=True, method="average")
    bins = np.ceil(score * n_bins).fillna(0)  # no score is a bin of its own
    keys = [bins, frame["channel"].fillna("").astype("str"), frame["grade"]]
    return pd.DataFrame(dict(enumerate(keys))).groupby([0, 1, 2], sort=False).ngroup().to_numpy()


def _ratios(
    outcome: str,
    is_first: NDArray[np.bool_],
    happened: NDArray[np.bool_],
    strata: NDArray[np.int64],
    level: float,
) -> list[list]:
    n1, n0 = int(is_first.sum()), int((~is_first).sum())
    rates = _over(happened[is_first].sum(), n1), _over(happened[~is_first].sum(), n0)
    rows = []
    for comparison, cells in ((UNADJUSTED, np.zeros(len(strata), int)), (STRATIFIED, strata)):
        ratio, low, high, n_both = ratio_of_rates(is_first, happened, cells, level)
        rows.append([outcome, comparison, n1, rates[0], n0, rates[1], ratio, low, high, n_both])
    return rows


def _over(part: float, whole: float) -> float:
    return float(part / whole) if whole else np.nan
