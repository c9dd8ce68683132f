"""Retention and churn of accounts, point to point, and by start cohort at equal age."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from funnel.checks.subscription_months import LOADED, account_step, subscription_months
from funnel.contract.periods import Period
from funnel.dataset.cache import cached
from funnel.methods.rates import rate, rate_change
from funnel.methods.recurring import (
    AccountMonth,
    Losses,
    first_months,
    last_month,
    losses,
    month_before,
    recurring_revenue,
)
from funnel.results import Result, no_rows, rows_of, speaks_for
from funnel.stats import wilson

if TYPE_CHECKING:
    from funnel.dataset import Tables

NET, GROSS, LOGO = "net retention", "gross retention", "logo retention"
LOGO_CHURN, MRR_CHURN = "logo churn", "mrr churn"
FIRST_MONTH = "joiners lost in their first month"
MONTHS = 12  # over which retention is measured
AGES = (1, 3, 6, 12, 24)  # months, at which cohorts are compared


@dataclass(frozen=True, eq=False, kw_only=True)
class Retention(Result):
    """What is left of the MRR and of the accounts of twelve months ago, of the same accounts.

    `table` has one row per figure: `net retention` (MRR now over MRR then), `gross retention` (sum
    of the smaller of both over MRR then), `logo retention`; `value` with `value_low`, `value_high`,
    the same with `_baseline` of the twelve months that end with the baseline, and `change` with its
    interval and `verdict`; `n` and `n_baseline`, accounts that paid then.

    Attributes
    ----------
    then, now
        The two months, of the period.
    mrr_then, mrr_now
        MRR of the accounts that paid then, in both.
    mrr_later, n_later
        Of accounts that first paid after `then`: in neither figure.
    mrr_returned, n_returned
        Of accounts at 0 `then` that had paid before: in neither figure.
    """

    then: AccountMonth
    now: AccountMonth
    mrr_then: float
    mrr_now: float
    mrr_later: float
    n_later: int
    mrr_returned: float
    n_returned: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Churn(Result):
    """Accounts lost, counted and in MRR, in the period and in the baseline.

    `table` has one row per figure: `logo churn` (accounts), `mrr churn` (their MRR), of all that
    paid in the month before the period; and `joiners lost in their first month`, of accounts that
    began in that month or within the period, not its last month: `lost` of `base`, `value` (their
    ratio) with its interval, the same with `_baseline`, `change` with its interval and `verdict`.
    `from_base` and `from_rate` split the change of `lost`: what the larger base alone would have
    lost at the earlier rate, and the rest. `n` and `n_baseline` are accounts of the base.

    Attributes
    ----------
    gap, gap_baseline
        The month that no figure of the period, or of the baseline, may read; missing where known.
        Without a period there are no rows, and without a baseline no comparison.
    """

    gap: AccountMonth | None
    gap_baseline: AccountMonth | None


@dataclass(frozen=True, eq=False, kw_only=True)
class AccountCohorts(Result):
    """Accounts by the quarter in which they first paid, at equal age.

    `table` has one row per cohort and age: `cohort`, `age_months`, `n` (accounts), `kept` (the
    share that pays at that age) with `kept_low`, `kept_high`, `mrr_start`, `mrr_kept` and
    `net_retention`. A cohort has an age once all its months have reached it in a loaded month.

    Attributes
    ----------
    n_before
        Accounts of the table's first month: when they began is unknown.
    """

    n_before: int


def retention(data: Tables) -> Retention:
    """Net, gross and logo retention over twelve months."""
    comparison = data.comparison
    pairs = [_pair(data, each) for each in (comparison.period, comparison.baseline)]
    found = [_retained(data, *pair) for pair in pairs]
    rows = []
    for name in (NET, GROSS, LOGO):
        row: dict[str, Any] = {"figure": name, **found[0][name]}
        row |= {f"{key}_baseline": value for key, value in found[1][name].items()}
        row = {_renamed(key): value for key, value in row.items()}
        rows.append(row | rate_change(row, "value", "value_baseline"))
    (then, now), _ = pairs
    before, after = recurring_revenue(data, then), recurring_revenue(data, now)
    kept = after[after.index.isin(before.index)]
    others = after[~after.index.isin(before.index)] if len(before) else after.iloc[:0]
    is_later = np.zeros(0, bool)
    if len(others):
        is_later = (first_months(data).reindex(others.index) > pd.Timestamp(then.month)).to_numpy()
    return Retention(
        table=pd.DataFrame(rows),
        rows=rows_of("accounts of twelve months ago", "subscriptions", before.index.to_series()),
        units={"value": "share of MRR, or of accounts", "n": "accounts"},
        then=then,
        now=now,
        mrr_then=_cents(before.sum()),
        mrr_now=_cents(kept.sum()),
        mrr_later=_cents(others[is_later].sum()),
        n_later=int(is_later.sum()),
        mrr_returned=_cents(others[~is_later].sum()),
        n_returned=int((~is_later).sum()),
        **speaks_for(data),
    )


def _pair(data: Tables, period: Period) -> tuple[AccountMonth, AccountMonth]:
    """The month twelve months before a period's, and that one."""
    now = last_month(data, period)
    return (month_before(data, now.month, MONTHS) if now.month else now), now


def _renamed(key: str) -> str:
    """`value_low_baseline` as other tables have it: `value_baseline_low`."""
    for end in ("low", "high"):
        if key == f"value_{end}_baseline":
            return f"value_baseline_{end}"
    return key


def _retained(data: Tables, then: AccountMonth, now: AccountMonth) -> dict[str, dict[str, Any]]:
    """Each figure with its interval and its accounts."""
    before = recurring_revenue(data, then)
    if then.gap or now.gap or before.empty:
        none = {"value": np.nan, "value_low": np.nan, "value_high": np.nan, "n": 0}
        return dict.fromkeys((NET, GROSS, LOGO), none)
    after = recurring_revenue(data, now).reindex(before.index, fill_value=0.0)
    n, level = {"n": len(before)}, data.plan.level
    kept = int((after > 0).sum())
    return {
        NET: _ratio(after, before, level) | n,
        GROSS: _ratio(np.minimum(after, before), before, level) | n,
        LOGO: rate("value", kept, len(before), level) | n,
    }


def _ratio(part: pd.Series, whole: pd.Series, level: float) -> dict[str, float]:
    """Ratio of two sums over accounts, which are independent of each other.

    The interval is Fieller's without the variance of the denominator, which is known: the accounts
    then. It is never below 0.
    """
    from scipy.special import ndtri

    value = float(part.sum() / whole.sum())
    spread = float(np.sqrt(((part - value * whole) ** 2).sum()) / whole.sum())
    reach = float(ndtri((1 + level) / 2)) * spread
    return {"value": value, "value_low": max(value - reach, 0.0), "value_high": value + reach}


@cached
def churn(data: Tables) -> Churn:
    """Logo churn, MRR churn, and joiners lost in their first month."""
    comparison, level = data.comparison, data.plan.level
    both = [losses(data, each) for each in (comparison.period, comparison.baseline)]
    rows = []
    if both[0].gap is None:
        rows = [
            _churned(LOGO_CHURN, *(_counted(each, level) for each in both)),
            _churned(MRR_CHURN, *(_weighed(each, level) for each in both)),
            _churned(FIRST_MONTH, *(_joiners(data, each, level) for each in both)),
        ]
    named = zip(("lost in the period", "lost in the baseline"), both, strict=True)
    behind = [rows_of(name, "subscriptions", each.lost.index.to_series()) for name, each in named]
    return Churn(
        table=pd.DataFrame(rows, columns=None if rows else ["figure", "value", "value_baseline"]),
        rows=pd.concat(behind, ignore_index=True) if behind else no_rows(),
        units={"lost": "accounts, or currency a month", "value": "share"},
        gap=both[0].gap,
        gap_baseline=both[1].gap,
        **speaks_for(data),
    )


def _counted(found: Losses, level: float) -> dict[str, Any]:
    lost, base = len(found.lost), len(found.base)
    if found.gap:
        unknown = ("lost", "base", "value", "value_low", "value_high")
        return {**dict.fromkeys(unknown, np.nan), "n": 0}
    return {"lost": float(lost), "base": float(base), **rate("value", lost, base, level), "n": base}


def _weighed(found: Losses, level: float) -> dict[str, Any]:
    base = found.base
    if base.empty:
        return _counted(found, level)
    ends = _ratio(found.lost.reindex(base.index, fill_value=0.0), base, level)
    if found.lost.empty:  # none of so many: an interval of width 0 would be none
        ends["value_high"] = float(wilson(0, len(base), level)[1])
    return {"lost": _cents(found.lost.sum()), "base": _cents(base.sum()), **ends, "n": len(base)}


def _joiners(data: Tables, found: Losses, level: float) -> dict[str, Any]:
    """Accounts that begin before the last month, and those that do not pay in the month after."""
    if found.gap:
        return _counted(found, level)
    first, months = first_months(data), subscription_months(data)
    opening = months.table["month"].min()
    n = lost = 0
    for month in pd.date_range(found.before.month, found.last.month, freq="MS")[:-1]:
        here, after = (
            AccountMonth(each.date()) for each in (month, month + pd.DateOffset(months=1))
        )
        if month == opening or {months.state(each.month) for each in (here, after)} != {LOADED}:
            continue
        began = first.index[first == month]
        n += len(began)
        lost += int((~began.isin(recurring_revenue(data, after).index)).sum())
    return {"lost": float(lost), "base": float(n), **rate("value", lost, n, level), "n": n}


def _churned(name: str, now: dict[str, Any], then: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {"figure": name, **now}
    row |= {_renamed(f"{key}_baseline"): value for key, value in then.items()}
    row |= {
        "from_base": (now["base"] - then["base"]) * then["value"],
        "from_rate": now["base"] * (now["value"] - then["value"]),
    }
    return row | rate_change(row, "value", "value_baseline")


def cohorts(data: Tables) -> AccountCohorts:
    """Accounts and MRR kept by start cohort, at equal age."""
    months = subscription_months(data)
    table = pd.DataFrame(
        columns=["cohort", "age_months", "n", "kept", "kept_low", "kept_high", "mrr_start",
                 "mrr_kept", "net_retention"]
    )  # fmt: skip
    if months.table.empty:
        return AccountCohorts(table=table, n_before=0, **speaks_for(data))
    opening = months.table["month"].min()
    found = account_step(data, "account_cohorts", ages=[0, *AGES])
    by_age = found.pivot_table(
        index="first_month", columns="age", values=["n", "mrr"], fill_value=0.0
    ).reindex(columns=pd.MultiIndex.from_product([("n", "mrr"), (0, *AGES)]), fill_value=0.0)
    n_before = int(by_age.loc[opening, ("n", 0)]) if opening in by_age.index else 0
    by_age = by_age[by_age.index > opening]
    for age in AGES:
        ends = [month.date() for month in by_age.index + pd.DateOffset(months=age)]
        is_known = [months.state(month) == LOADED for month in ends]
        by_age.loc[np.logical_not(is_known), ("n", age)] = np.nan  # and so is its cohort
    fiscal = data.plan.fiscal
    quarters = [fiscal.period_of(month.date(), "quarter").label for month in by_age.index]
    totals = by_age.groupby(np.array(quarters, dtype=object)).sum(min_count=1)
    is_whole = by_age["n"].notna().groupby(np.array(quarters, dtype=object)).all()
    rows = []
    for cohort in totals.index:
        n, mrr_start = int(totals.loc[cohort, ("n", 0)]), float(totals.loc[cohort, ("mrr", 0)])
        for age in AGES:
            if not is_whole.loc[cohort, age]:
                continue
            kept, mrr = int(totals.loc[cohort, ("n", age)]), float(totals.loc[cohort, ("mrr", age)])
            rows.append(
                {"cohort": cohort, "age_months": age, "n": n,
                 **rate("kept", kept, n, data.plan.level), "mrr_start": _cents(mrr_start),
                 "mrr_kept": _cents(mrr), "net_retention": _cents(mrr) / _cents(mrr_start)}
            )  # fmt: skip
    return AccountCohorts(
        table=pd.DataFrame(rows, columns=table.columns) if rows else table,
        units={"kept": "share of accounts", "net_retention": "share of MRR"},
        n_before=n_before,
        **speaks_for(data),
    )


def _cents(value: float) -> float:
    return round(float(value), 2)
