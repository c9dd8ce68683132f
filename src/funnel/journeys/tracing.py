"""Tracing won deals back, by steps that run in the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from funnel import formats
from funnel.coverage import filled_by_outcome
from funnel.errors import ParameterError
from funnel.journeys.ways import (
    ARROW,
    NO_KEY,
    NOT_SUPPLIED,
    NOT_TRACED,
    FirstTouches,
    Journeys,
    Paths,
)
from funnel.results import rows_of

if TYPE_CHECKING:
    from funnel.load import Tables

MILESTONES = {
    "closed_at": "the close",
    "created_at": "the deal was opened",
    "lead_created_at": "the lead was created",
}
_COLUMNS = (
    "deal_id", "position", "n_touches", "moment", "channel", "occurred_at", "amount",
    "closed_at", "close_month", "lead_id", "touch_id", "reason",
)  # fmt: skip


def journeys(
    data: Tables, *, until: str = "closed_at", lookback_days: int | None = None
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
    >>> from funnel.load import Tables
    >>> deals = pd.DataFrame({"deal_id": ["D-1"], "lead_id": ["L-1"], "outcome": ["won"],
    ...     "created_at": ["2026-02-01"], "closed_at": ["2026-03-01"], "amount": [900.0]})
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-02"]})
    >>> touches = pd.DataFrame({"lead_id": "L-1", "channel": ["demo", "web"],
    ...     "occurred_at": ["2026-01-20", "2026-01-01"]})
    >>> data = Tables.of(as_of="2026-06-30", deals=deals, leads=leads, touches=touches)
    >>> journeys(data).table[["position", "channel"]].values.tolist()
    [[1, 'web'], [2, 'demo']]
    """
    if until not in MILESTONES:
        raise ParameterError(f"until={until!r} is no milestone; use {' or '.join(MILESTONES)}.")
    days = data.plan.lookback_days if lookback_days is None else lookback_days
    if days < 0:
        raise ParameterError(f"lookback_days={days} must not be negative; 0 sets no limit.")
    won = _won_deals(data)
    supplied = _source(data)
    touches = data.step(
        "journey_touches", until=until, lookback_days=int(days), from_leads=supplied == "leads"
    )
    touches["occurred_at"] = _utc(touches["occurred_at"])
    table = won.merge(touches, on="deal_id", how="left")
    untraced = table["position"].isna()
    reasons = _reasons(table, supplied, until, days)
    table = table.assign(
        position=table["position"].fillna(0).astype("int64"),
        n_touches=table["n_touches"].fillna(0).astype("int64"),
        moment=table["moment"].fillna(0).astype("int64"),
        channel=table["channel"].astype("str").mask(untraced, NOT_TRACED),
        reason=reasons.where(untraced, ""),
    )
    return Journeys(
        table=table[list(_COLUMNS)].reset_index(drop=True),
        as_of=data.as_of,
        rows=rows_of("won deals", "deals", won["deal_id"]),
        units={"amount": data.plan.company.currency, "occurred_at": "UTC"},
        level=data.plan.level,
        caveats=_caveats(data, won, supplied, days),
        plan=data.plan,
        until=until,
    )


def first_touches(data: Tables, *, lookback_days: int | None = None) -> FirstTouches:
    """Find where each won deal was first met, before it was won.

    Parameters
    ----------
    data
        A company's tables. Reads `deals`, `leads` and `touches`.
    lookback_days
        As in `journeys`.

    Returns
    -------
    FirstTouches
        One row per won deal, traced or not, and coverage by month.

    Examples
    --------
    >>> from funnel.load import Tables
    >>> deals = pd.DataFrame({"deal_id": ["D-1"], "lead_id": ["L-1"], "outcome": ["won"],
    ...     "created_at": ["2026-02-01"], "closed_at": ["2026-03-01"], "amount": [900.0]})
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-02"]})
    >>> touches = pd.DataFrame({"lead_id": "L-1", "channel": ["demo", "web"],
    ...     "occurred_at": ["2026-01-20", "2026-01-01"]})
    >>> data = Tables.of(as_of="2026-06-30", deals=deals, leads=leads, touches=touches)
    >>> first_touches(data).table[["deal_id", "first_touch", "reason"]].values.tolist()
    [['D-1', 'web', '']]
    """
    traced = journeys(data, lookback_days=lookback_days)
    first = traced.table[traced.table["position"] <= 1]
    lead_channel = _won_deals(data).set_index("deal_id")["lead_channel"]
    table = pd.DataFrame(
        {
            "deal_id": first["deal_id"],
            "closed_at": first["closed_at"],
            "close_month": first["close_month"],
            "amount": first["amount"],
            "first_touch": first["channel"],
            "first_touch_at": first["occurred_at"],
            "lead_channel": first["deal_id"].map(lead_channel).astype("str"),
            "reason": first["reason"],
        }
    ).reset_index(drop=True)
    return FirstTouches(
        table=table,
        as_of=traced.as_of,
        rows=traced.rows,
        units=traced.units,
        level=traced.level,
        caveats=traced.caveats,
        plan=data.plan,
    )


def paths(data: Tables, *, lookback_days: int | None = None) -> Paths:
    """Count the ways that accounts went, won and not won.

    Parameters
    ----------
    data
        A company's tables. Reads `deals`, `leads` and `touches`.
    lookback_days
        As in `journeys`; it cuts won journeys only, since the others have no end yet.

    Returns
    -------
    Paths
        One row per path.

    Examples
    --------
    >>> from funnel.load import Tables
    >>> deals = pd.DataFrame({"deal_id": ["D-1"], "lead_id": ["L-1"], "outcome": ["won"],
    ...     "created_at": ["2026-02-01"], "closed_at": ["2026-03-01"], "amount": [900.0]})
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-02"]})
    >>> touches = pd.DataFrame({"lead_id": "L-1", "channel": ["demo", "web"],
    ...     "occurred_at": ["2026-01-20", "2026-01-01"]})
    >>> data = Tables.of(as_of="2026-06-30", deals=deals, leads=leads, touches=touches)
    >>> paths(data).table.values.tolist()
    [['web > demo', 1, 900.0, 0]]
    """
    traced = journeys(data, lookback_days=lookback_days)
    steps = traced.table.assign(
        channel=traced.table["channel"].str.replace(ARROW, ">", regex=False),
        amount=traced.table["amount"].fillna(0.0),
    )
    by_deal = steps.groupby("deal_id", sort=False).agg(
        path=("channel", ARROW.join), value=("amount", "first")
    )
    won = by_deal.groupby("path").agg(conversions=("value", "size"), value=("value", "sum"))
    nulls = data.step("null_paths", from_leads=_source(data) == "leads").set_index("path")
    table = won.join(nulls, how="outer").fillna(0.0).reset_index()
    table["path"] = table["path"].astype("str")
    for count in ("conversions", "nulls"):
        table[count] = table[count].astype("int64")
    table = table.sort_values(["conversions", "nulls", "path"], ascending=[False, False, True])
    return Paths(
        table=table.reset_index(drop=True)[["path", "conversions", "value", "nulls"]],
        as_of=traced.as_of,
        rows=traced.rows,
        units=traced.units,
        level=traced.level,
        caveats=traced.caveats,
        plan=data.plan,
    )


def _won_deals(data: Tables) -> pd.DataFrame:
    won = data.step("won_deals")
    for moment in ("closed_at", "created_at", "lead_created_at"):
        won[moment] = _utc(won[moment])
    local = won["closed_at"].dt.tz_convert(data.plan.company.timezone)
    won["close_month"] = local.dt.strftime("%Y-%m").astype("str")
    won["deal_id"] = won["deal_id"].astype("str")
    won["lead_channel"] = won["lead_channel"].astype("str")
    return won.rename(columns={"created_at": "opened_at"})


def _source(data: Tables) -> str:
    """Name the table that touches are read from."""
    if data.has("touches"):
        return "touches"
    return "leads" if data.has("leads", "channel") else "none"


def _reasons(table: pd.DataFrame, supplied: str, until: str, days: int) -> pd.Series:
    within = f" within {days} days of it" if days else ""
    no_touch = f"no touch before {MILESTONES[until]}{within}"
    reason = NOT_SUPPLIED if supplied == "none" else no_touch
    return pd.Series(reason, index=table.index, dtype="str").where(table["has_key"], NO_KEY)


def _caveats(data: Tables, won: pd.DataFrame, supplied: str, days: int) -> tuple[str, ...]:
    said = []
    if supplied == "none":
        said.append("There is no table of touches and no channel of leads, so nothing traces.")
    if supplied == "leads":
        said.append(
            "There is no table of touches. The channel on a lead's own record stands in for the "
            "first known touch, on the moment the lead was created; later touches are not known."
        )
        said += [field.says for field in filled_by_outcome(data, "channel") if field.differs]
    if days:
        said.append(f"A touch counts if it lies at most {days} days before the milestone.")
    without = int(won["amount"].isna().sum())
    if without:
        company = data.plan.company
        said.append(
            f"{formats.number(without, company)} of {formats.number(len(won), company)} won deals "
            "carry no amount; they count as deals and add nothing to value."
        )
    return tuple(said)


def _utc(times: pd.Series) -> pd.Series:
    return pd.to_datetime(times).astype("datetime64[us]").dt.tz_localize("UTC")
