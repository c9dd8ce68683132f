"""Months of `subscriptions`: missing for all accounts or for one, loaded in part, below zero."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.checks.limits import HALF_LOADED, LONGEST_HALF_LOADED
from funnel.dataset.cache import cached, shared
from funnel.dataset.engine import step_text

if TYPE_CHECKING:
    from funnel.dataset import Tables

LOADED, MISSING_MONTH, HALF_LOADED_MONTH = "loaded", "month missing", "month half loaded"
ACCOUNT_GAP, BELOW_ZERO = "month missing for an account", "account below zero"
_COLUMNS = ("month", "n_accounts", "n_paying", "mrr", "n_below_zero", "below_zero")


@dataclass(frozen=True, eq=False)
class SubscriptionFinding:
    """Something odd in the months of `subscriptions`.

    Attributes
    ----------
    kind
        `month missing`, `month half loaded`, `month missing for an account` or
        `account below zero`.
    months
        The months it is about, `YYYY-MM`, in order.
    n
        Months that are missing; accounts that a month has; accounts (with a month) otherwise.
    expected
        Accounts of the month before one that is half loaded.
    money
        MRR of the accounts in the months beside the gap, or below zero.
    ids
        Accounts.
    """

    kind: str
    months: tuple[str, ...]
    n: int
    expected: int = 0
    money: float = np.nan
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class SubscriptionMonths:
    """Every month from the first to the last that has ended, and what is odd.

    `table` has one row per month: `month` (its first day), `n_accounts` (with a row), `n_paying`
    (above zero), `mrr` (accounts below zero count as 0), `n_below_zero`, `below_zero` (their MRR),
    and `state`: `loaded`, `month missing` or `month half loaded`.
    """

    table: pd.DataFrame
    findings: tuple[SubscriptionFinding, ...] = field(default=())

    @property
    def holes(self) -> tuple[str, ...]:
        """Months that no figure may read, `YYYY-MM`."""
        is_hole = self.table["state"] != LOADED
        return tuple(self.table.loc[is_hole, "month"].dt.strftime("%Y-%m"))

    def state(self, month: dt.date) -> str:
        """State of a month; `month missing` where the table does not reach it."""
        return self._states.get(month, MISSING_MONTH)

    @cached_property
    def _states(self) -> dict[dt.date, str]:
        return dict(zip(self.table["month"].dt.date, self.table["state"], strict=True))


@cached
def add_up_lines(data: Tables) -> None:
    """Make the engine's table `account_months`: what each account pays in a month, all its lines.

    It is made once, since every query of recurring revenue starts from it.
    """
    text = step_text("account_months")
    data.engine.execute(f"create or replace temp table account_months as {text}")


def account_step(data: Tables, name: str, **parameters: Any) -> pd.DataFrame:
    """Rows of a step that reads the table `account_months`."""
    add_up_lines(data)
    return data.engine.step(name, **parameters)


@shared
def subscription_months(data: Tables) -> SubscriptionMonths:
    """Months of `subscriptions`, and which of them are no basis of a figure.

    Lines of an account (products, discounts) are added up first. A month without any row is
    missing. A month is half loaded where it has rows of under half of the accounts that pay in the
    months on both sides of it; the newest one has one side only. An account without a row pays
    nothing in that month, and is a finding where it paid the same before and after.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> rows = [(name, f"2026-0{m}-01", 9.0) for name in "ABC" for m in (1, 2, 4)]
    >>> frame = pd.DataFrame(rows, columns=["account_id", "month", "mrr"])
    >>> subscription_months(Tables.of(subscriptions=frame)).holes
    ('2026-03',)
    """
    months = (
        account_step(data, "subscription_months") if data.has("subscriptions") else pd.DataFrame()
    )
    if months.empty:
        empty = pd.DataFrame({name: pd.Series(dtype="float64") for name in (*_COLUMNS, "state")})
        return SubscriptionMonths(empty.astype({"month": "datetime64[us]", "state": "str"}))
    ended = pd.Timestamp(data.as_of) + pd.Timedelta(days=1)
    last = max(months["month"].max(), ended.to_period("M").to_timestamp() - pd.DateOffset(months=1))
    every = pd.date_range(months["month"].min(), last, freq="MS", unit="us", name="month")
    state = np.full(len(months), LOADED, dtype=object)
    state[_half_loaded(*months[["n_accounts", "n_paying"]].to_numpy().T)] = HALF_LOADED_MONTH
    table = months.assign(state=state).set_index("month").reindex(every)
    table["state"] = table["state"].fillna(MISSING_MONTH).astype("str")
    counts = dict.fromkeys(("n_accounts", "n_paying", "n_below_zero"), "int64")
    table = table.fillna(dict.fromkeys(_COLUMNS[1:], 0)).astype(counts).reset_index()
    table.loc[table["state"] == MISSING_MONTH, "mrr"] = np.nan
    return SubscriptionMonths(table, tuple(_findings(data, table)))


def _half_loaded(n_accounts: NDArray, n_paying: NDArray) -> list[int]:
    """Positions of months with under half of the accounts of both neighbours.

    Up to three such months in a row are compared with the months on both sides of all of them. The
    first month is the opening balance, and has nothing to be compared with.
    """
    found: list[int] = []
    first, last = 1, len(n_paying) - 1
    while first <= last:
        low = n_accounts < HALF_LOADED * n_paying[first - 1]
        run = 0
        for length in range(1, LONGEST_HALF_LOADED + 1):
            after = first + length
            if after > last + 1 or not low[first:after].all():
                break
            if after <= last:
                below = n_accounts[first:after] < HALF_LOADED * n_paying[after]
                run = length if below.all() else run
            elif length == 1:
                run = length
        found += range(first, first + run)
        first += run + 1
    return found


def _findings(data: Tables, table: pd.DataFrame) -> list[SubscriptionFinding]:
    found = []
    names = table["month"].dt.strftime("%Y-%m")
    missing = tuple(names[table["state"] == MISSING_MONTH])
    if missing:
        found.append(SubscriptionFinding(MISSING_MONTH, missing, len(missing)))
    good = table["n_paying"].where(table["state"] == LOADED).ffill()
    for at in table.index[table["state"] == HALF_LOADED_MONTH]:
        n, expected = int(table.loc[at, "n_accounts"]), int(good[at])
        found.append(SubscriptionFinding(HALF_LOADED_MONTH, (names[at],), n, expected))
    holes = " ".join(names[table["state"] != LOADED])
    gaps = account_step(data, "subscription_gaps", holes=holes)
    if len(gaps):
        found.append(_of_accounts(ACCOUNT_GAP, gaps))
    if table["n_below_zero"].any():
        found.append(_of_accounts(BELOW_ZERO, account_step(data, "subscriptions_below_zero")))
    return found


def _of_accounts(kind: str, rows: pd.DataFrame) -> SubscriptionFinding:
    return SubscriptionFinding(
        kind,
        tuple(sorted(rows["month"].dt.strftime("%Y-%m").unique())),
        len(rows),
        money=float(rows["mrr"].sum()),
        ids=tuple(rows["account_id"]),
    )
