"""Customers after a won deal: recurring revenue, expansion, contraction, churn.

A customer's draws belong to the deal that won it, so that one deal less changes no other customer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from funnel.sample.calendar import Floats, Ints, day_number
from funnel.sample.market import Draws, stream
from funnel.sample.scenarios import Cause
from funnel.sample.team import Team
from funnel.sample.vocabulary import PRODUCTS

_MONTHLY_CHURN = np.array([0.020, 0.012, 0.006])  # by size of the customer
_GROWS_EVERY, _GROWS_BY = 22.0, 1.14  # months; seats added without a deal
_SHRINKS, _SHRINKS_TO = 0.15, 0.8


@dataclass(frozen=True)
class Line:
    """Recurring revenue by deal: from which month until which, how it moves; and later deals."""

    account: Ints
    first_month: Ints
    last_month: Ints
    mrr: Floats
    product: Ints
    grows: Floats  # months from the first to each growth, two a line
    shrinks: Floats
    expands: Floats
    expands_by: Floats
    n_accounts: int
    deals: pd.DataFrame


def month_number(days: Ints) -> Ints:
    """Months since 1970 of day numbers."""
    return np.asarray(days).astype("datetime64[D]").astype("datetime64[M]").astype("int64")


def lines_of(
    draws: Draws, cause: Cause, team: Team, raw: pd.DataFrame, n_other: int, end: float
) -> Line:
    """Recurring revenue of won deals, and of the customers from before.

    Accounts are numbered in blocks: those of leads, of the `n_other` deals without a lead, of
    customers from before, and self-served ones.
    """
    spec, calendar = draws.spec, draws.calendar
    n = len(draws.created)
    won = raw[raw["is_won"] & (raw["closed"] < end)].reset_index(drop=True)
    window = int(month_number(np.array([day_number(spec.start)]))[0])
    last = int(month_number(np.array([day_number(spec.end)]))[0])
    n_base = round(260 * spec.leads / 2000)
    base = stream(spec.seed, "base customers")
    base_size = np.clip(np.round(90 * np.exp(1.3 * base.standard_normal(n_base))), 2, 90_000)
    base_mrr = np.round(118 * np.sqrt(base_size) * np.exp(0.5 * base.standard_normal(n_base)), 2)
    base_slot = team.slots_for(base.random(n_base))
    n_self = int(cause.self_serve * n_base) * 24
    selfs = stream(spec.seed, "self-served")
    self_size = np.clip(np.round(90 * np.exp(1.3 * selfs.standard_normal(n_self))), 2, 90_000)
    self_mrr = np.round(118 * np.sqrt(self_size) * np.exp(0.5 * selfs.standard_normal(n_self)), 2)
    self_month = last - 23 + np.arange(n_self) // max(int(cause.self_serve * n_base), 1)
    # One row of draws for each lead, deal without a lead, and customer from before.
    is_lead = (won["lead"] >= 0).to_numpy()
    lead, other = won["lead"].to_numpy(), won["account"].to_numpy() - n

    def fates(columns: int, purpose: str) -> Floats:
        by_lead = stream(spec.seed, f"{purpose} lead").random((n, columns))
        by_other = stream(spec.seed, f"{purpose} other").random((n_other + 1, columns))
        by_base = stream(spec.seed, f"{purpose} base").random((n_base, columns))
        by_self = stream(spec.seed, f"{purpose} self").random((n_self, columns))
        mine = np.where(
            is_lead[:, None], by_lead[np.maximum(lead, 0)], by_other[np.clip(other, 0, n_other)]
        )
        return np.concatenate([mine, by_base, by_self])

    size = np.concatenate([won["employees"], base_size, self_size])
    product = (size >= 50).astype(int) + (size >= 500)
    first = np.concatenate(
        [
            month_number(calendar.local_day(won["closed"].to_numpy())) + 1,
            np.full(n_base, window - 12),
            self_month,
        ]
    )
    fate = fates(7, "fate")
    wait = -np.log1p(-fate)
    months = np.floor(wait[:, 0] / _MONTHLY_CHURN[product]).astype(np.int64)
    months[len(won) : len(won) + n_base] += 12  # who was a customer before is one at the start
    lines = {
        "account": np.concatenate(
            [
                won["account"].to_numpy(),
                n + n_other + np.arange(n_base + n_self),
            ]
        ),
        "first_month": first,
        "last_month": first + np.minimum(months, 2000),
        "mrr": np.concatenate([won["mrr"], base_mrr, self_mrr]),
        "product": product,
        "grows": np.cumsum(_GROWS_EVERY * wait[:, 1:3], axis=1),
        "shrinks": np.where(fate[:, 3] < _SHRINKS, 1 + np.floor(fate[:, 4] * 30), np.inf),
        "expands": 3 + np.floor(330 * wait[:, 5]),
        "expands_by": 0.3 + 0.5 * fate[:, 4],
    }
    slot = np.concatenate([won["slot"], base_slot, np.zeros(n_self)]).astype(np.int64)
    # Self-served accounts grow without a salesperson, so without a deal.
    sold = np.arange(len(slot)) < len(won) + n_base
    deals = _expansions(draws, lines, size, slot, fate[:, 6], sold, end)
    return Line(**lines, n_accounts=n + n_other + n_base + n_self, deals=deals)


def _expansions(
    draws: Draws,
    lines: dict[str, np.ndarray],
    size: Floats,
    slot: Ints,
    clock: Floats,
    sold: np.ndarray,
    end: float,
) -> pd.DataFrame:
    """Deals of the expansions that sales closes; other growth has no deal."""
    calendar = draws.calendar
    month = lines["first_month"] + lines["expands"]
    alive = np.flatnonzero(sold & (month <= lines["last_month"]))
    within = clock[alive]
    # The deal is closed in the month before the recurring revenue grows.
    first_days = (month[alive] - 1).astype("int64").astype("datetime64[M]")
    day = first_days.astype("datetime64[D]").astype("int64") + np.floor(27 * within)
    inside = (day > calendar.days[0] + 60) & (day < calendar.days[-1] - 60)
    alive, day = alive[inside], day[inside].astype(float)
    closed = calendar.in_office(day + within[inside], day)
    opened = closed - 21.0
    mrr = np.round(lines["mrr"][alive] * lines["expands_by"][alive], 2)
    is_renewal = lines["expands_by"][alive] < 0.42
    before = opened < end
    return pd.DataFrame(
        {
            "lead": -1,
            "account": lines["account"][alive],
            "opened": opened,
            "closed": closed,
            "is_won": True,
            "slot": slot[alive],
            "employees": size[alive],
            "mrr": mrr,
            "amount": np.round(12 * mrr, 2),
            "kind": np.where(is_renewal, "renewal", "expansion"),
        }
    )[before].reset_index(drop=True)


def subscriptions(draws: Draws, lines: Line, end: float) -> pd.DataFrame:
    """One row for each account, month and product in the window."""
    spec = draws.spec
    window = int(month_number(np.array([day_number(spec.start)]))[0])
    last = int(month_number(np.array([day_number(spec.end)]))[0])
    begin = np.maximum(lines.first_month, window)
    stop = np.minimum(lines.last_month, last)
    n_months = np.maximum(stop - begin + 1, 0)
    line = np.repeat(np.arange(len(begin)), n_months)
    month = begin[line] + np.arange(len(line)) - np.repeat(np.cumsum(n_months) - n_months, n_months)
    age = month - lines.first_month[line]
    mrr = lines.mrr[line]
    for step in range(lines.grows.shape[1]):
        mrr = np.where(age > lines.grows[line, step], mrr * _GROWS_BY, mrr)
    mrr = np.where(age > lines.shrinks[line], mrr * _SHRINKS_TO, mrr)
    mrr = np.where(age >= lines.expands[line], mrr * (1 + lines.expands_by[line]), mrr)
    frame = pd.DataFrame(
        {
            "account": lines.account[line],
            "month": month,
            "product": lines.product[line],
            "cents": np.round(100 * mrr).astype("int64"),
        }
    )
    frame = frame.groupby(["account", "month", "product"], sort=True, as_index=False)["cents"].sum()
    months = frame["month"].to_numpy().astype("datetime64[M]").astype("datetime64[us]")
    return pd.DataFrame(
        {
            "account_id": pd.Series([f"A{a + 1:06d}" for a in frame["account"]], dtype="str"),
            "month": pd.Series(months),
            "mrr": frame["cents"].to_numpy() / 100,
            "product": pd.Series(np.array(PRODUCTS, dtype=object)[frame["product"]], dtype="str"),
        }
    )
