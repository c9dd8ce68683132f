"""The scope of a query for journeys (to what, cut where, by what key), and the journeys' ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from funnel.contract.errors import ParameterError
from funnel.contract.labels import NOT_RECORDED
from funnel.dataset.cache import cached
from funnel.dataset.stages import opportunity_stage, won_stage

if TYPE_CHECKING:
    from funnel.contract.plan import Plan
    from funnel.dataset import Tables

_UNTIL = {
    "closed_at": "the close",
    "created_at": "the deal was opened",
    "lead_created_at": "the lead was created",
}
_BY = ("account", "lead")
TIMES = ("lead_created_at", "opened_at", "closed_at", "happened_at", "milestone")


@dataclass(frozen=True)
class Scope:
    """Which journeys a query is about.

    Attributes
    ----------
    target
        What a journey converts to: `won` (won deals), `opportunity` (all deals) or `stage` (leads
        that reached `stage` or a later one).
    stage
        The stage named in the query.
    until
        The milestone up to which touches of won deals count.
    by
        `account` or `lead`: whose touches make one journey.
    lookback_days
        How many days before the milestone a touch may lie; 0 sets no limit.
    source
        The table that touches are read from: `touches`, `leads` or `none`.
    stages
        All stages of the plan.
    has_accounts
        Whether any table names an account.
    """

    target: str
    stage: str
    until: str
    by: str
    lookback_days: int
    source: str
    stages: tuple[str, ...]
    has_accounts: bool

    @property
    def is_of_deals(self) -> bool:
        """Whether a journey is a deal's; else it is a lead's."""
        return self.target != "stage"

    @property
    def table(self) -> str:
        """The table that keys of journeys are of."""
        return "deals" if self.is_of_deals else "leads"

    @property
    def noun(self) -> str:
        """What journeys convert to, in the plural."""
        return {"won": "won deals", "opportunity": "opened deals"}.get(
            self.target, f"leads that reached {self.stage}"
        )

    @property
    def moment(self) -> str:
        """The milestone that touches come before."""
        if self.target == "won":
            return _UNTIL[self.until]
        return _UNTIL["created_at"] if self.is_of_deals else f"it reached {self.stage}"

    @property
    def of_ends(self) -> dict[str, Any]:
        """Parameters of the step `journey_ends`."""
        stages = self.stages
        later = stages[stages.index(self.stage) :] if self.target == "stage" else ()
        opportunity = opportunity_stage(stages)
        return {
            "target": self.target,
            "until": self.until,
            "reached_by": "".join(f"|{stage}" for stage in later) + "|",
            "by_opening": bool(opportunity) and opportunity in later,
        }

    @property
    def of_touches(self) -> dict[str, Any]:
        """Parameters of the step `journey_touches`, and of those that stand on it."""
        return {
            **self.of_ends,
            "by_account": self.by == "account" and self.has_accounts,
            "from_leads": self.source == "leads",
            "lookback_days": self.lookback_days,
            "not_recorded": NOT_RECORDED,
        }


def scope_of(
    data: Tables,
    *,
    to: str = "won",
    until: str = "closed_at",
    by: str = "account",
    lookback_days: int | None = None,
) -> Scope:
    """Scope of a query, checked against the plan.

    Raises
    ------
    ParameterError
        If there is no such milestone, stage or key, or the look-back is negative.
    """
    if until not in _UNTIL:
        raise ParameterError(f"until={until!r} is no milestone; use {' or '.join(_UNTIL)}.")
    if by not in _BY:
        raise ParameterError(f"by={by!r} makes no journeys; use {' or '.join(_BY)}.")
    days = data.plan.lookback_days if lookback_days is None else lookback_days
    if days < 0:
        raise ParameterError(f"lookback_days={days} must not be negative; 0 sets no limit.")
    target = _target(data.plan, to)
    if until != "closed_at" and target != "won":
        raise ParameterError(
            f"until={until!r} cuts journeys to won deals; those to {to} end when it was reached."
        )
    has_accounts = any(data.has(table, "account_id") for table in ("leads", "deals", "touches"))
    source = "leads" if data.has("leads", "channel") else "none"
    if data.has("touches"):
        source = "touches"
    return Scope(target, to, until, by, int(days), source, data.plan.stages, has_accounts)


@cached
def journey_ends(data: Tables, scope: Scope) -> pd.DataFrame:
    """Converted journeys, in the order in which they converted; copy the frame to change it.

    Returns
    -------
    DataFrame
        `journey_id` (a deal's or a lead's), `lead_id`, `account_id`, `lead_account_id`,
        `lead_channel`, `lead_created_at`, `opened_at`, `closed_at`, `happened_at` (the win, the
        opening or the stage), `milestone` (touches count up to it), `amount` (booked by it),
        `close_month` (of `happened_at`, where the company is), `has_key`.
    """
    ends = data.step("journey_ends", **scope.of_ends)
    for moment in TIMES:
        ends[moment] = utc(ends[moment])
    for text in ("journey_id", "lead_id", "account_id", "lead_account_id", "lead_channel"):
        ends[text] = ends[text].astype("str")
    closed_on = data.plan.local_days(ends["happened_at"])
    ends["close_month"] = closed_on.dt.strftime("%Y-%m").astype("str")
    ends["has_key"] = ends["lead_id"].notna()
    if scope.by == "account":
        ends["has_key"] |= ends["account_id"].notna()
    return ends.sort_values(["happened_at", "journey_id"], ignore_index=True)


def utc(times: pd.Series) -> pd.Series:
    """Times of the engine, which are naive, as UTC."""
    return pd.to_datetime(times).astype("datetime64[us]").dt.tz_localize("UTC")


def _target(plan: Plan, to: str) -> str:
    later = plan.stages[1:]
    if to == "won":  # the win, under whatever name the plan has for it
        return "won"
    if to not in later:
        stages = " or ".join(later)
        raise ParameterError(f"to={to!r} is no stage that a lead comes to; use {stages}.")
    if to == won_stage(plan.stages):
        return "won"
    return "opportunity" if to == opportunity_stage(plan.stages) else "stage"
