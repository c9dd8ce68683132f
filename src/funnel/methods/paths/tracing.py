"""Tracing deals back, by steps that run in the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from funnel.checks.tracking_losses import NO_CHANNEL, tracking_losses
from funnel.methods.paths.results import (
    NO_KEY,
    NO_LEAD,
    NOT_SUPPLIED,
    NOT_TRACED,
    TRACKING_BREAK,
    Basis,
    Journeys,
)
from funnel.methods.paths.scope import Asked, asked, ends_of, utc
from funnel.results import rows_of

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
    """Put the touches of every won deal in order.

    A deal's touches are those of its own lead, of every lead of its account (the buying group),
    and of the account itself. They count up to the milestone, that moment included. Touches of
    the same moment stand in the order of their `touch_id`; without one they share a `moment`.
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
        One row per touch, and one per deal that cannot be traced.

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
    which = asked(data, until=until, by=by, lookback_days=lookback_days)
    ends = ends_of(data, which).rename(columns={"journey_id": "deal_id"})
    touches = data.step("journey_rows", **which.of_touches)
    touches = touches.rename(columns={"journey_id": "deal_id"}).assign(n_repeats=1)
    touches["occurred_at"] = utc(touches["occurred_at"])
    if collapse:
        touches = _collapsed(touches)
    table = ends.drop(columns="lead_id").merge(touches, on="deal_id", how="left")
    untraced = table["position"].isna()
    for count in ("position", "n_touches", "moment", "n_repeats"):
        table[count] = table[count].fillna(0).astype("int64")
    table["channel"] = table["channel"].astype("str").mask(untraced, NOT_TRACED)
    table["reason"] = reasons(data, table, which, untraced)
    return Journeys(
        table=table[list(_COLUMNS)].reset_index(drop=True),
        as_of=data.as_of,
        rows=rows_of(which.noun, "deals", ends["deal_id"]),
        units={"amount": data.plan.company.currency, "occurred_at": "UTC"},
        level=data.plan.level,
        company=data.plan.company,
        plan=data.plan,
        until=until,
        basis=Basis.of(data, ends, which),
    )


def reasons(
    data: Tables, ends: pd.DataFrame, which: Asked, is_untraced: pd.Series
) -> pd.Series:  # fmt: skip
    """Say why each journey does not trace; empty where it does.

    Parameters
    ----------
    data
        A company's tables.
    ends
        As `ends_of` gives them.
    which
        The journeys asked for.
    is_untraced
        Whether no touch of it was found, one per row of `ends`.
    """
    within = f" within {which.lookback_days} days of it" if which.lookback_days else ""
    reason = NOT_SUPPLIED if which.source == "none" else f"no touch before {which.moment}{within}"
    no_key = NO_KEY if which.by == "account" else NO_LEAD
    told = pd.Series(reason, index=ends.index, dtype="str").where(ends["has_key"], no_key)
    if which.source == "touches" and (is_untraced & ends["has_key"]).any():
        told = told.mask(ends["has_key"] & _is_in_a_loss(data, ends), TRACKING_BREAK)
    return told.where(is_untraced, "")


def _is_in_a_loss(data: Tables, ends: pd.DataFrame) -> pd.Series:
    """Mark journeys whose lead was created (deal opened, without one) while touches were lost."""
    began = ends["lead_created_at"].fillna(ends["opened_at"])
    day = began.dt.tz_convert(data.plan.company.timezone).dt.tz_localize(None)
    inside = pd.Series(False, index=ends.index)
    for loss in tracking_losses(data):
        if loss.kind != NO_CHANNEL:
            concerns = (ends["lead_channel"] == loss.channel) if loss.channel else True
            inside |= loss.holds(day) & concerns
    return inside


def _collapsed(touches: pd.DataFrame) -> pd.DataFrame:
    """Keep the first touch of each run of one channel, and say how many it stands for."""
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
