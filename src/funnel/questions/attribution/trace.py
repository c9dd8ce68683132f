"""Trace of one deal: every touch, stage and sales action up to its close, and after it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.contract.errors import ParameterError
from funnel.contract.labels import NOT_RECORDED
from funnel.dataset.stages import opportunity_stage, won_stage
from funnel.methods.paths import converted_journeys, journey_ends, reasons, scope_of, utc
from funnel.results import Result, rows_of, speaks_for

if TYPE_CHECKING:
    from funnel.dataset import Tables

TOUCH, LEAD, STAGE, ACTION = "touch", "lead created", "stage", "sales action"
_TABLES = {TOUCH: "touches", LEAD: "leads"}


@dataclass(frozen=True, eq=False, kw_only=True)
class Trace(Result):
    """Path of one deal, from the first known touch of anybody on its account to its close.

    `table` has one row per event, in order of time: `happened_at` (UTC), `event` (`touch`, `lead
    created`, `stage`, `sales action`, `deal opened`, `deal won`, `deal lost`), `what` (the
    channel, stage or kind), `lead_id`, `detail` (campaign, content or reason), `id` (the row's
    key, where it has one), `position` (of a touch in the journey; 0 elsewhere),
    `days_before_close` (of an open deal: before the last day of the data; negative after the
    close), `is_after` (after the close: such a touch counts in no journey).

    Attributes
    ----------
    reason
        Why it does not trace; empty where it does.
    """

    deal_id: str
    outcome: str
    amount: float
    reason: str


def trace(data: Tables, deal_id: str = "") -> Trace:
    """Trace of one deal, won, lost or open.

    Without a `deal_id` it is the newest won deal with a touch before its close; without one, the
    newest won deal; without any, the newest deal.

    Returns
    -------
    Trace
        One row per event, in order of time. Touches, stages and sales actions are those of every
        lead of its account. A touch after the close is listed and counts in no journey.

    Raises
    ------
    ParameterError
        If there is no such deal.

    Examples
    --------
    >>> from funnel.methods.paths.example import small_company
    >>> deal = trace(small_company(), "D-1")
    >>> deal.table["event"].tolist()
    ['touch', 'lead created', 'stage', 'touch', 'deal opened', 'deal won']
    >>> deal.table.loc[deal.table["position"] > 0, "what"].tolist()
    ['web', 'demo']
    """
    key = str(deal_id) or _newest(data)
    if not key:
        return _none(data)
    deals = data.sql(
        "select outcome, amount, closed_at from deals where deal_id = $deal_id", deal_id=key
    )
    if deals.empty:
        raise ParameterError(_no_such_deal(data, key))
    deal = deals.iloc[0]
    table = data.step("deal_events", deal_id=key, not_recorded=NOT_RECORDED)
    for text in ("event", "what", "lead_id", "detail", "id"):
        table[text] = table[text].astype("str")
    table["happened_at"] = utc(table["happened_at"])
    end, is_after = data.plan.midnight(data.as_of), pd.Series(False, index=table.index)
    if deal["outcome"] != "open" and pd.notna(deal["closed_at"]):
        end = pd.Timestamp(deal["closed_at"]).tz_localize("UTC")
        is_after = table["happened_at"] > end
    days = (end - table["happened_at"]).dt.total_seconds() / 86_400
    in_journey = (table["event"] == TOUCH) & ~is_after
    table = table.assign(
        position=in_journey.cumsum().where(in_journey, 0),
        days_before_close=days,
        is_after=is_after,
    )
    return Trace(
        table=table,
        rows=_rows(table, key),
        units={"days_before_close": "days", "happened_at": "UTC"},
        deal_id=key,
        outcome=str(deal["outcome"]),
        amount=float(deal["amount"]),
        reason="" if in_journey.any() else _reason(data, key),
        **speaks_for(data),
    )


def _newest(data: Tables) -> str:
    """The newest won deal that traces; else the newest won deal; else the newest deal."""
    scope = scope_of(data)
    won = journey_ends(data, scope)
    if len(won):
        paths = converted_journeys(data, scope).paths
        traced = won[won["journey_id"].isin(paths.names[paths.is_traced])]
        return str((traced if len(traced) else won)["journey_id"].iloc[-1])
    newest = data.sql("select deal_id from deals order by created_at desc, deal_id desc limit 1")
    return str(newest["deal_id"].iloc[0]) if len(newest) else ""


def _none(data: Tables) -> Trace:
    """Answer for a dataset without deals."""
    kinds = dict.fromkeys(("event", "what", "lead_id", "detail", "id"), "str")
    kinds |= dict.fromkeys(("position", "days_before_close"), "float64")
    kinds |= {"happened_at": "datetime64[us, UTC]", "is_after": "bool"}
    return Trace(
        table=pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()}),
        deal_id="",
        outcome="",
        amount=float("nan"),
        reason="there are no deals",
        **speaks_for(data),
    )


def _reason(data: Tables, deal_id: str) -> str:
    opening = opportunity_stage(data.plan.stages) or won_stage(data.plan.stages)
    scope = scope_of(data, to=opening)
    ends = journey_ends(data, scope)
    ends = ends[ends["journey_id"] == deal_id].reset_index(drop=True)
    if ends.empty:
        return "no touch before its end"
    reason = reasons(data, ends, scope, pd.Series(True, index=ends.index)).iloc[0]
    return reason.replace(scope.moment, "its end")


def _rows(table: pd.DataFrame, deal_id: str) -> pd.DataFrame:
    parts = [rows_of("deal", "deals", pd.Series([deal_id]))]
    for event, name in _TABLES.items():
        ids = table.loc[(table["event"] == event) & table["id"].notna(), "id"]
        parts.append(rows_of(event, name, ids))
    return pd.concat(parts, ignore_index=True)


def _no_such_deal(data: Tables, deal_id: str) -> str:
    known = data.sql("select deal_id from deals order by deal_id limit 100000")["deal_id"]
    if known.empty:
        return f"There is no deal {deal_id!r}: the tables hold no deals."
    near = difflib.get_close_matches(deal_id, known.tolist()[:20_000], n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there is, for example, {known[0]}."
    return f"There is no deal {deal_id!r}; {hint}"
