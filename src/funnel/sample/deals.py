"""Deals: the amount of each, how it ended and why."""

from __future__ import annotations

import numpy as np
import pandas as pd

from funnel.sample.calendar import day_number
from funnel.sample.cells import account_ids, known_by, times, words
from funnel.sample.customers import Line
from funnel.sample.market import Draws, Leads, stream
from funnel.sample.pipeline import Pipeline
from funnel.sample.scenarios import Cause
from funnel.sample.team import Team
from funnel.sample.vocabulary import COMPETITORS, PRODUCTS, REASON_FILLED, REASONS


def raw_deals(
    draws: Draws,
    cause: Cause,
    start: float,
    end: float,
    leads: Leads,
    pipeline: Pipeline,
    other: dict[str, np.ndarray],
) -> pd.DataFrame:
    """Deals as they happen, from leads and without one, with their amounts."""
    n = len(draws.created)
    price, terms = draws.normal("price"), draws.uniform("terms")
    parts = []
    for passage in (pipeline.first, pipeline.second):
        lead = np.flatnonzero(np.isfinite(passage.opportunity) & (passage.opportunity < end))
        parts.append(
            pd.DataFrame(
                {
                    "lead": lead,
                    "account": draws.account[lead],
                    "opened": passage.opportunity[lead],
                    "closed": passage.closed[lead],
                    "is_won": passage.is_won[lead].astype(bool),
                    "slot": pipeline.slot[lead],
                    "employees": leads.employees[lead],
                    "price": price[lead],
                    "terms": terms[lead],
                }
            )
        )
    # a lead can open a second deal only after it left its first passage, so never two at once
    rng = stream(draws.spec.seed, "no lead price")
    m = len(other["opened"])
    extra = pd.DataFrame(
        {
            "lead": -1,
            "account": n + np.arange(m),
            **other,
            "price": rng.standard_normal(m),
            "terms": rng.random(m),
        }
    )
    deals = pd.concat([*parts, extra[extra["opened"] < end]], ignore_index=True)
    mrr = 118 * np.sqrt(deals["employees"]) * np.exp(0.5 * deals["price"])
    lowered = deals["is_won"] & (deals["closed"] >= start)
    mrr = mrr * np.where(lowered, cause.size, 1.0)
    deals["mrr"] = mrr.round(2)
    years = np.where(deals["terms"] < 0.12, 24, 12)
    deals["amount"] = (deals["mrr"] * years).round(2)
    deals["kind"] = "new"
    if cause.whale:
        _blow_up(deals, draws, cause.whale)
    return deals


def _blow_up(deals: pd.DataFrame, draws: Draws, share: float) -> None:
    """Change one deal of the baseline, of a large buyer, to a share of all else booked there."""
    baseline = draws.spec.comparison.baseline
    days = draws.calendar.local_day(deals["closed"].to_numpy())
    inside = (days >= day_number(baseline.start)) & (days <= day_number(baseline.end))
    won = deals[inside & deals["is_won"] & (deals["lead"] >= 0)]
    usual = won[won["amount"] <= won["amount"].mean()]  # so that it is this that makes a whale
    if len(usual):
        largest = usual["employees"].idxmax()
        amount = share * won["amount"].drop(largest).sum()
        deals.loc[largest, "amount"] = round(amount, 2)
        deals.loc[largest, "mrr"] = round(amount / 12, 2)


def deals_table(
    draws: Draws,
    end: float,
    team: Team,
    raw: pd.DataFrame,
    lines: Line,
    lead_ids: np.ndarray,
    is_shown: np.ndarray,
) -> pd.DataFrame:
    """Write up every deal that was open in the window, with what the CRM tells of it."""
    deals = pd.concat([raw, lines.deals], ignore_index=True)
    deals = deals.sort_values(["opened", "lead", "account"], kind="stable", ignore_index=True)
    deals["deal_id"] = [f"D{i + 1:06d}" for i in range(len(deals))]
    first = draws.calendar.utc(np.array([float(day_number(draws.spec.start))]))[0]
    deals = deals[deals["closed"] >= first].reset_index(drop=True)
    # Who bought before buys again: that is no new customer.
    first_won = deals["closed"].where(deals["is_won"]).groupby(deals["account"]).transform("min")
    again = (deals["kind"] == "new") & (deals["opened"] > first_won)
    deals["kind"] = deals["kind"].mask(again, "expansion")
    lead = deals["lead"].to_numpy()
    row = np.where(lead >= 0, lead, deals["account"])
    pick = stream(draws.spec.seed, "deal fields").random((lines.n_accounts, 5))[row]
    is_closed = (deals["closed"] < end).to_numpy()
    is_lost = is_closed & ~deals["is_won"].to_numpy()
    # leads from before the window are in no table, so their deals have no link to a lead
    is_known = (lead >= 0) & is_shown[np.maximum(lead, 0)]
    names, shares = REASONS["lost"]
    reason = np.searchsorted(np.cumsum(shares)[:-1], pick[:, 0])
    reason_filled = is_lost & (pick[:, 1] < REASON_FILLED["lost"])
    to_competitor = is_lost & (reason == 1)
    named = pick[:, 2] < np.where(to_competitor, 0.8, 0.25)
    size = deals["employees"].to_numpy()
    empty = is_lost & (pick[:, 4] < 0.05)
    holder = team.holder(
        deals["slot"].to_numpy(), np.where(is_closed, deals["closed"], deals["opened"])
    )
    return pd.DataFrame(
        {
            "deal_id": deals["deal_id"].astype("str"),
            "created_at": times(deals["opened"].to_numpy()),
            "outcome": words(
                ("open", "won", "lost"), np.where(is_closed, np.where(deals["is_won"], 1, 2), 0)
            ),
            "lead_id": words(lead_ids, np.where(is_known, lead, -1)),
            "account_id": pd.Series(account_ids(deals["account"].to_numpy()), dtype="str"),
            "account_name": pd.Series(
                [f"Company {a + 1} Example" for a in deals["account"]], dtype="str"
            ),
            "closed_at": times(known_by(deals["closed"].to_numpy(), end)),
            "amount": np.where(empty, np.nan, deals["amount"]),
            "mrr": np.where(empty, np.nan, deals["mrr"]),
            "owner": words(team.owners, holder),
            "kind": deals["kind"].astype("str"),
            "loss_reason": words(names, np.where(reason_filled, reason, -1)),
            "competitor": words(
                COMPETITORS,
                np.where(is_closed & named, np.floor(pick[:, 3] * 4).astype(int), -1),
            ),
            "product": words(PRODUCTS, (size >= 50).astype(int) + (size >= 500)),
        }
    )
