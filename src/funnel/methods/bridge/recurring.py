"""Movements of recurring revenue between two periods, as drivers of the bridge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.methods.bridge import significance
from funnel.methods.recurring import (
    CURRENCY,
    MOVEMENTS,
    AccountMonth,
    last_month,
    movements_between,
    recurring_revenue,
    to_cents,
)
from funnel.results import rows_of
from funnel.stats import percentiles, smallest_detectable

if TYPE_CHECKING:
    from funnel.dataset import Tables


def account_months(data: Tables) -> tuple[AccountMonth, AccountMonth]:
    """The months that speak for the baseline and for the period."""
    periods = data.comparison.baseline, data.comparison.period
    then, now = (last_month(data, each) for each in periods)
    return then, now


def contributions_of_movements(data: Tables, draws: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of the bridge by movement, and their tests.

    Accounts are independent of each other, so that each has a Poisson weight of its own. The
    contributions add up to the change of recurring revenue.
    """
    plan, months = data.plan, account_months(data)
    moved = movements_between(data, *months)
    before, after = (float(recurring_revenue(data, each).sum()) for each in months)
    names = [name for name in MOVEMENTS if name != CURRENCY or plan.records.rates]
    kinds = np.array([moved["movement"].eq(name) for name in names])
    kinds, change = kinds.reshape(len(names), -1), moved["change"].to_numpy(float)
    accounts, known = pd.factorize(moved["account_id"])
    weight = np.random.default_rng([plan.seed, 3]).poisson(1.0, (draws, len(known)))
    exact, drawn = kinds @ change, (weight[:, accounts] * change) @ kinds.T
    low, high = percentiles(drawn, plan.level)
    contribution = to_cents(exact, round(after, 2) - round(before, 2))
    z = significance.z_of_draws(exact, drawn)
    p = significance.two_sided(z)
    p_adjusted, _, _ = significance.adjusted(p, np.empty((len(p), 0)), 1 - plan.level)
    table = pd.DataFrame({"driver": names, "segment": None}).astype("str")
    tests = table.assign(wins=0.0, z=z, p_value=p, p_combined=p, p_adjusted=p_adjusted)
    table = table.assign(
        contribution=contribution,
        low=low,
        high=high,
        verdict=[
            significance.verdict_of(*ends, 1 - plan.level, before)
            for ends in zip(low, high, p_adjusted, strict=True)
        ],
        smallest_detectable=smallest_detectable(drawn.std(axis=0), plan.level),
    )
    return table, tests


def accounts_behind(data: Tables) -> pd.DataFrame:
    """The accounts of both values."""
    parts = [
        rows_of(name, "subscriptions", recurring_revenue(data, month).index.to_series())
        for name, month in zip(("baseline", "period"), account_months(data), strict=True)
    ]
    return pd.concat(parts[::-1], ignore_index=True)
