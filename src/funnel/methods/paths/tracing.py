"""Journeys of won deals, touch by touch, and why a journey does not trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from funnel.checks.tracking_losses import NO_CHANNEL, tracking_losses
from funnel.contract.labels import NO_LEAD
from funnel.methods.paths.coded_paths import NOT_TRACED
from funnel.methods.paths.journey_paths import converted_journeys
from funnel.methods.paths.results import (
    NO_KEY,
    NOT_SUPPLIED,
    TRACKING_BREAK,
    Basis,
    Journeys,
)
from funnel.methods.paths.scope import Scope, journey_ends, scope_of, utc
from funnel.results import rows_of, speaks_for

if TYPE_CHECKING:
    from funnel.dataset import Tables

_COLUMNS = (
    "deal_id", "position", "n_touches", "moment", "channel", "occurred_at", "amount",
    "closed_at", "close_month", "lead_id", "touch_id", "reason", "lead_created_at", "opened_at",
    "n_repeats",
)  # fmt: skip


def journeys(
    data: Tables,
    *,
    until: str = "closed_at",
    lookback_days: int | None = None,
    by: str = "account",
    collapse: bool = False,
) -> Journeys:
    """Touches of every won deal, in order.

    A deal's touches are those of its own lead, of every lead of its account (the buying group),
    and of the account itself. They count up to the milestone, that moment included. Touches of
    one moment stand in the order of their `touch_id`; without one they
    share a `moment`.
    Where no touches are supplied, each lead is one touch: its own channel when it was created.

    Parameters
    ----------
    data
        A company's tables. Reads `deals`, `leads` and `touches`.
    until
        The milestone: `closed_at` (won), `created_at` (the deal was opened) or
        `lead_created_at`.
    lookback_days
        How far before the milestone a touch may lie; 0 sets no limit, and `None` does as the
        plan says.
    by
        `account`, or `lead` for the touches of the deal's own lead alone.
    collapse
        Whether touches of one channel in a row are one step, at the time of the first of them.

    Returns
    -------
    Journeys
        One row per touch, and one per deal that does not trace. The rows are read when they are
        first asked for; credit does without them.

    Raises
    ------
    ParameterError
        If there is no such milestone, or the look-back is negative.

    Examples
    --------
    >>> from funnel.methods.paths.example import small_company
    >>> journeys(small_company()).table[["position", "channel"]].values.tolist()
    [[1, 'web'], [2, 'demo']]
    """
    scope = scope_of(data, until=until, by=by, lookback_days=lookback_days)
    ends = journey_ends(data, scope)
    return Journeys(
        coded=converted_journeys(data, scope, collapse=collapse).paths,
        read_table=lambda: _touches(data, scope, collapse=collapse),
        read_deals=lambda: _deals(data, scope),
        rows=rows_of(scope.noun, "deals", ends["journey_id"]),
        units={"amount": data.plan.company.currency, "occurred_at": "UTC"},
        plan=data.plan,
        basis=Basis.of(data, ends, scope),
        **speaks_for(data),
    )


def first_touches_by_journey(data: Tables, scope: Scope) -> pd.DataFrame:
    """First touch of each converted journey, traced or not.

    Returns
    -------
    DataFrame
        `journey_ends` with `first_touch` (a channel, or `(not traced)`), `first_touch_at` (UTC),
        `n_touches` and `reason` (why it does not trace; empty where it does).

    Examples
    --------
    >>> from funnel.methods.paths.example import small_company
    >>> data = small_company()
    >>> first = first_touches_by_journey(data, scope_of(data))
    >>> first[["journey_id", "first_touch", "reason"]].values.tolist()
    [['D-1', 'web', '']]
    """
    first = converted_journeys(data, scope).first_touches()
    table = journey_ends(data, scope).merge(first, on="journey_id", how="left")
    return table.assign(reason=reasons(data, table, scope, table["n_touches"] == 0))


def reasons(data: Tables, ends: pd.DataFrame, scope: Scope, is_untraced: pd.Series) -> pd.Series:
    """Why each of some journeys does not trace; empty where it does."""
    within = f" within {scope.lookback_days} days of it" if scope.lookback_days else ""
    reason = NOT_SUPPLIED if scope.source == "none" else f"no touch before {scope.moment}{within}"
    no_key = NO_KEY if scope.by == "account" else NO_LEAD
    found = pd.Series(reason, index=ends.index, dtype="str").where(ends["has_key"], no_key)
    if scope.source == "touches" and (is_untraced & ends["has_key"]).any():
        found = found.mask(ends["has_key"] & _is_in_a_loss(data, ends), TRACKING_BREAK)
    return found.where(is_untraced, "")


def _deals(data: Tables, scope: Scope) -> pd.DataFrame:
    """Deals of `Journeys`."""
    deals = first_touches_by_journey(data, scope).rename(columns={"journey_id": "deal_id"})
    return deals[["deal_id", "closed_at", "amount", "first_touch", "reason"]]


def _touches(data: Tables, scope: Scope, *, collapse: bool) -> pd.DataFrame:
    """Table of `Journeys`, from the step `journey_touches`, which either engine runs."""
    touches = data.step("journey_touches", **scope.of_touches)
    touches = touches.rename(columns={"journey_id": "deal_id"}).assign(n_repeats=1)
    touches["n_touches"] = touches.groupby("deal_id")["position"].transform("size")
    touches["occurred_at"] = utc(touches["occurred_at"])
    if collapse:
        touches = _collapsed(touches)
    ends = journey_ends(data, scope).rename(columns={"journey_id": "deal_id"})
    table = ends.drop(columns="lead_id").merge(touches, on="deal_id", how="left")
    is_untraced = table["position"].isna()
    for count in ("position", "n_touches", "moment", "n_repeats"):
        table[count] = table[count].fillna(0).astype("int64")
    table["channel"] = table["channel"].astype("str").mask(is_untraced, NOT_TRACED)
    table["reason"] = reasons(data, table, scope, is_untraced)
    return table[list(_COLUMNS)].reset_index(drop=True)


def _is_in_a_loss(data: Tables, ends: pd.DataFrame) -> pd.Series:
    """Whether each journey's lead was created (its deal opened) while touches were lost."""
    began = ends["lead_created_at"].fillna(ends["opened_at"])
    day = data.plan.local_days(began)
    inside = pd.Series(False, index=ends.index)
    for loss in tracking_losses(data):
        if loss.kind != NO_CHANNEL:
            concerns = (ends["lead_channel"] == loss.channel) if loss.channel else True
            inside |= loss.holds(day) & concerns
    return inside


def _collapsed(touches: pd.DataFrame) -> pd.DataFrame:
    """First touch of each run of one channel, with the number of touches it stands for."""
    same_deal = touches["deal_id"] == touches["deal_id"].shift()
    run = (~(same_deal & (touches["channel"] == touches["channel"].shift()))).cumsum()
    kept = touches[~run.duplicated()].copy()
    kept["n_repeats"] = run.value_counts(sort=False).loc[run[kept.index]].to_numpy()
    by_deal = kept.groupby("deal_id")
    kept["position"] = by_deal.cumcount() + 1
    kept["n_touches"] = by_deal["position"].transform("size")
    # a run's moment is that of its first touch: those that shared one still do
    kept["moment"] = by_deal["moment"].rank(method="dense").astype("int64")
    return kept
