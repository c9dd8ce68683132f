"""Movements of recurring revenue between two periods: new, expansion, contraction, churn."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.contract.periods import Period
from funnel.methods.bridge import significance
from funnel.results import rows_of
from funnel.stats import percentiles, smallest_detectable

if TYPE_CHECKING:
    from funnel.dataset import Tables

NEW, EXPANSION, CONTRACTION = "new", "expansion", "contraction"
CHURN, REACTIVATION = "churn", "reactivation"
MOVEMENTS = (NEW, EXPANSION, CONTRACTION, CHURN, REACTIVATION)


def by_account(data: Tables, period: Period) -> pd.Series:
    """Recurring revenue by account in the last month of a period that has any."""
    months = data.subscriptions
    from_first = replace(period, start=period.start.replace(day=1))
    here = months[data.plan.within(months["month"], from_first)]
    last = here[here["month"] == here["month"].max()]
    return last.groupby("account_id")["mrr"].sum()


def movements(data: Tables) -> pd.DataFrame:
    """Change of each account's recurring revenue between the last months of the two periods.

    Returns
    -------
    DataFrame
        One row per account that changed: `account_id`, `movement` (one of `MOVEMENTS`), `change`.
        An account that paid nothing in the earlier month is `reactivation` where it paid in any
        month before that, else `new`.
    """
    then, now = (
        by_account(data, each) for each in (data.comparison.baseline, data.comparison.period)
    )
    both = pd.DataFrame({"then": then, "now": now}).fillna(0.0)
    both["change"] = both["now"] - both["then"]
    months = data.subscriptions
    until = pd.Timestamp(data.comparison.baseline.end)
    paid = months.loc[(months["month"] <= until) & (months["mrr"] > 0), "account_id"]
    came = np.where(both.index.isin(paid), REACTIVATION, NEW)
    changed = np.where(both["change"] > 0, EXPANSION, CONTRACTION)
    both["movement"] = np.select([both["then"] <= 0, both["now"] <= 0], [came, CHURN], changed)
    both = both[both["change"] != 0].rename_axis("account_id").reset_index()
    return both[["account_id", "movement", "change"]]


def contributions_of_movements(data: Tables, draws: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of the bridge by movement, and their tests.

    Accounts are independent of each other, so that each has a Poisson weight of its own. The
    contributions add up to the change of recurring revenue.
    """
    plan, moved = data.plan, movements(data)
    periods = (data.comparison.baseline, data.comparison.period)
    before, after = (round(float(by_account(data, each).sum()), 2) for each in periods)
    kinds = np.array([moved["movement"].eq(name) for name in MOVEMENTS])
    kinds, change = kinds.reshape(len(MOVEMENTS), -1), moved["change"].to_numpy(float)
    weight = np.random.default_rng([plan.seed, 3]).poisson(1.0, (draws, len(moved)))
    exact, drawn = kinds @ change, (weight * change) @ kinds.T
    low, high = percentiles(drawn, plan.level)
    contribution = np.round(exact, 2)
    contribution[np.abs(exact).argmax()] += after - before - contribution.sum()  # cents of rounding
    z = significance.z_of_draws(exact, drawn)
    p = significance.two_sided(z)
    p_adjusted, _, _ = significance.adjusted(p, np.empty((len(p), 0)), 1 - plan.level)
    table = pd.DataFrame({"driver": MOVEMENTS, "segment": None}).astype("str")
    tests = table.assign(wins=0.0, z=z, p_value=p, p_combined=p, p_adjusted=p_adjusted)
    table = table.assign(
        contribution=np.round(contribution, 2),
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
        rows_of(name, "subscriptions", by_account(data, period).index.to_series())
        for name, period in (
            ("period", data.comparison.period),
            ("baseline", data.comparison.baseline),
        )
    ]
    return pd.concat(parts, ignore_index=True)
