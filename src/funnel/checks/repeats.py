"""Repeats: leads of known accounts, stages entered in any order, and accounts of one channel.

An event log of visits looks like a table of leads and stages. It answers other questions: what
was reached, and not in which order; how many visits, and not how many new people.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.checks.limits import FEWEST_REPEATING, MOSTLY, OFTEN
from funnel.dataset.cache import cached, shared
from funnel.dataset.stages import is_followed_by_lead, reached, recorded_stages
from funnel.stats import wilson

if TYPE_CHECKING:
    from funnel.dataset import Tables


@dataclass(frozen=True, eq=False, kw_only=True)
class RepeatShare:
    """A share `n` of `of` leads or accounts, with its interval and the leads' ids."""

    n: int
    of: int
    low: float
    high: float
    ids: pd.Series | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class StageOrder(RepeatShare):
    """Leads beyond `first_stage` that enter stages again, in another order, or skip one."""

    first_stage: str
    n_again: int
    n_other_order: int
    n_skipped: int


@dataclass(frozen=True, eq=False, kw_only=True)
class OneChannel(RepeatShare):
    """Accounts (or leads) of which none has touches of two channels; `n_again` have two touches."""

    unit: str
    n_again: int


@dataclass(frozen=True, eq=False, kw_only=True)
class MonthOfAccounts:
    """Leads of a month, and those of them from an account that had none before."""

    month: str
    n_leads: int
    n_new: int


@dataclass(frozen=True, eq=False, kw_only=True)
class RepeatLeads(RepeatShare):
    """Leads from an account that had one before; `first` and `last` month for comparison."""

    first: MonthOfAccounts
    last: MonthOfAccounts


@shared
def out_of_order(data: Tables) -> StageOrder | None:
    """Leads that skip a stage, enter one again, or enter stages in another order.

    Returns
    -------
    StageOrder or None
        Of the leads beyond the first stage; none where fewer than a fifth are such, or stages are
        not recorded lead by lead.
    """
    stages = recorded_stages(data)
    if not is_followed_by_lead(data) or len(stages) < 3:
        return None
    frame = reached(data)
    frame = frame[frame[f"{stages[1]}_at"].notna()]
    if len(frame) < FEWEST_REPEATING:
        return None
    skipped, again, other = (
        (frame[name] > 0).to_numpy() for name in ("n_skipped", "n_repeats", "n_disordered")
    )
    any_of = skipped | again | other
    if any_of.mean() < OFTEN:
        return None
    low, high = wilson(any_of.sum(), len(frame), data.plan.level)
    return StageOrder(
        n=int(any_of.sum()),
        of=len(frame),
        low=float(low),
        high=float(high),
        ids=frame["lead_id"][any_of],
        first_stage=stages[0],
        n_again=int(again.sum()),
        n_other_order=int(other.sum()),
        n_skipped=int(skipped.sum()),
    )


@cached
def one_channel(data: Tables) -> OneChannel | None:
    """That no account was touched through more than one channel.

    Returns
    -------
    OneChannel or None
        `n` is 0 of the accounts touched; none where some have two channels.
    """
    if not data.has("touches"):
        return None
    found = data.step("account_channels").iloc[0]
    n = int(found["n_accounts"])
    if n < FEWEST_REPEATING or found["n_more"] > 0:
        return None
    low, high = wilson(0, n, data.plan.level)
    by_account = data.has("leads", "account_id") or data.has("touches", "account_id")
    return OneChannel(
        n=0,
        of=n,
        low=float(low),
        high=float(high),
        unit="account" if by_account else "lead",
        n_again=int(found["n_again"]),
    )


@cached
def repeat_leads(data: Tables) -> RepeatLeads | None:
    """Leads from accounts that had one before, where most are.

    Returns
    -------
    RepeatLeads or None
        Of the leads that name an account; none where at most half of them are such.
    """
    leads = data.leads.dropna(subset=["account_id"]).sort_values("created_at", kind="stable")
    if len(leads) < FEWEST_REPEATING:
        return None
    again = leads.duplicated("account_id")
    if again.mean() <= MOSTLY:
        return None
    low, high = wilson(again.sum(), len(again), data.plan.level)
    month = data.plan.local_days(leads["created_at"]).dt.to_period("M").to_numpy()
    by_month = (~again).groupby(month).agg(["size", "sum"])
    first, last = (
        MonthOfAccounts(
            month=str(by_month.index[at]),
            n_leads=int(by_month["size"].iloc[at]),
            n_new=int(by_month["sum"].iloc[at]),
        )
        for at in (0, -1)
    )
    return RepeatLeads(
        n=int(again.sum()),
        of=len(again),
        low=float(low),
        high=float(high),
        ids=leads.loc[again, "lead_id"],
        first=first,
        last=last,
    )
