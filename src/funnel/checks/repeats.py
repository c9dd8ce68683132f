"""Leads that come again, stages that are entered in any order, and accounts of one channel.

An event log of visits looks like a table of leads and stages. It answers other questions: what
was reached, and not in which order; how many visits, and not how many new people.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.checks.maturity import cohort_month
from funnel.dataset.cache import cached
from funnel.dataset.stages import is_followed_by_lead, reached, recorded_stages
from funnel.results import formats
from funnel.stats import wilson

if TYPE_CHECKING:
    from funnel.dataset import Tables

FEWEST = 20  # leads or accounts, below which no share is told
OFTEN = 0.2  # a share of leads that changes what a rate or a time between two stages means
MOSTLY = 0.5


@dataclass(frozen=True)
class Share:
    """A share of leads or accounts, its interval, and the sentence that says what it means."""

    n: int
    of: int
    low: float
    high: float
    says: str
    ids: pd.Series | None = None


@cached
def out_of_order(data: Tables) -> Share | None:
    """Tell leads that skip a stage, enter one again, or enter stages in another order.

    Parameters
    ----------
    data
        A company's tables.

    Returns
    -------
    Share or None
        Of the leads that got beyond the first stage; none where fewer than a fifth are such, or
        stages are not recorded lead by lead.
    """
    stages = recorded_stages(data)
    if not is_followed_by_lead(data) or len(stages) < 3:
        return None
    frame = reached(data)
    frame = frame[frame[f"{stages[1]}_at"].notna()]
    if len(frame) < FEWEST:
        return None
    skipped = (frame["n_skipped"] > 0).to_numpy()
    again = (frame["n_repeats"] > 0).to_numpy()
    other = (frame["n_disordered"] > 0).to_numpy()
    any_of = skipped | again | other
    low, high = wilson(any_of.sum(), len(frame), data.plan.level)
    if any_of.mean() < OFTEN:
        return None
    company = data.plan.company
    n = [formats.number(int(mark.sum()), company) for mark in (any_of, again, other, skipped)]
    says = (
        f"{n[0]} of {formats.number(len(frame), company)} leads beyond {stages[0]} "
        f"({_share(data, any_of.mean(), low, high)}) enter a stage again ({n[1]}), enter stages in "
        f"another order than the plan's ({n[2]}) or skip one ({n[3]}). A rate counts what was "
        "reached, by the first entry, and a skipped stage with the next one; the time between two "
        "stages says little here."
    )
    return Share(
        int(any_of.sum()), len(frame), float(low), float(high), says, frame["lead_id"][any_of]
    )


@cached
def one_channel(data: Tables) -> Share | None:
    """Tell that no account was touched through more than one channel.

    Returns
    -------
    Share or None
        `n` is 0 of the accounts touched; none where some have two channels.
    """
    if not data.has("touches"):
        return None
    found = data.step("account_channels").iloc[0]
    n, company = int(found["n_accounts"]), data.plan.company
    if n < FEWEST or found["n_more"] > 0:
        return None
    low, high = wilson(0, n, data.plan.level)
    by_account = data.has("leads", "account_id") or data.has("touches", "account_id")
    whose = "account" if by_account else "lead"
    again = formats.number(int(found["n_again"]), company)
    says = (
        f"None of {formats.number(n, company)} {whose}s has touches of more than one channel "
        f"({_share(data, 0.0, low, high)}; {again} have more than one touch). So the channel is "
        f"one per {whose}, and not each touch's own: first, last and shared credit say the same, "
        "and which channels work together cannot be told."
    )
    return Share(0, n, float(low), float(high), says)


@cached
def coming_again(data: Tables) -> Share | None:
    """Tell that most leads come from accounts that had one before.

    Returns
    -------
    Share or None
        Of the leads that name an account; none where at most half of them come again.
    """
    leads = data.leads.dropna(subset=["account_id"]).sort_values("created_at", kind="stable")
    if len(leads) < FEWEST:
        return None
    again = leads.duplicated("account_id")
    if again.mean() <= MOSTLY:
        return None
    low, high = wilson(again.sum(), len(again), data.plan.level)
    company = data.plan.company
    month = cohort_month(leads["created_at"], company.timezone).to_numpy()
    counts = (~again).groupby(month).agg(["size", "sum"])
    ends = [counts.iloc[0], counts.iloc[-1]]
    all_, new = ([formats.number(int(row[name]), company) for row in ends] for name in counts)
    moved = (
        f" In {counts.index[0]} there were {all_[0]} leads, {new[0]} of them from new accounts; in "
        f"{counts.index[-1]} {all_[1]}, {new[1]} of them from new ones."
        if len(counts) > 1
        else ""
    )
    says = (
        f"{formats.number(int(again.sum()), company)} of {formats.number(len(again), company)} "
        f"leads ({_share(data, again.mean(), low, high)}) come from an account that had one "
        f"before.{moved} A number of leads follows the accounts known by then: compare months by "
        "rates."
    )
    return Share(
        int(again.sum()), len(again), float(low), float(high), says, leads.loc[again, "lead_id"]
    )


def _share(data: Tables, value: float, low: float, high: float) -> str:
    company = data.plan.company
    between = formats.interval(formats.share(low, company), formats.share(high, company))
    return f"{formats.share(value, company)} {between}"
