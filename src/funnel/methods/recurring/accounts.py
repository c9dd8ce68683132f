"""What each account pays in a month, and which month speaks for a period."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.checks.currencies import mixed_currencies
from funnel.checks.subscription_months import LOADED, account_step, subscription_months
from funnel.contract.periods import Period
from funnel.dataset.cache import cached

if TYPE_CHECKING:
    from funnel.dataset import Tables

NO_MONTH, CURRENCIES = "no month", "account currencies"


@dataclass(frozen=True)
class AccountMonth:
    """A month, and why no figure may read it.

    `gap` is `no month`, `month missing`, `month half loaded`, or `account currencies`: several of
    them, and no rates in the plan.

    Examples
    --------
    >>> AccountMonth(dt.date(2026, 6, 1)).label
    '2026-06'
    """

    month: dt.date | None
    gap: str = ""

    @property
    def label(self) -> str:
        """`YYYY-MM`; empty without a month."""
        return f"{self.month:%Y-%m}" if self.month else ""


def last_month(data: Tables, period: Period) -> AccountMonth:
    """The last month that ended in a period; one that still runs where none did.

    It is the month that speaks for the period, or the reason why none does: an earlier one is not
    taken in its place.
    """
    if mixed_currencies(data, "subscriptions"):
        return AccountMonth(None, CURRENCIES)
    months = subscription_months(data).table
    first = period.start.replace(day=1)
    starts = pd.date_range(first, period.end, freq="MS")
    ended = starts[starts + pd.DateOffset(months=1) <= pd.Timestamp(period.after)]
    known = months.loc[months["state"] == LOADED, "month"]
    held = months.loc[months["n_accounts"] > 0, "month"]
    if not len(starts) or not held.isin(starts).any():
        return AccountMonth(None, NO_MONTH)
    if not len(ended):
        ended = starts[starts.isin(held)]
    return _checked(data, ended[-1], is_known=bool((known == ended[-1]).any()))


def month_before(data: Tables, month: dt.date, n: int = 1) -> AccountMonth:
    """The month that many months before another."""
    at = pd.Timestamp(month) - pd.DateOffset(months=n)
    months = subscription_months(data).table
    if months.empty or at < months["month"].min():
        return AccountMonth(None, NO_MONTH)
    return _checked(data, at, is_known=subscription_months(data).state(at.date()) == LOADED)


def _checked(data: Tables, month: pd.Timestamp, *, is_known: bool) -> AccountMonth:
    day = month.date()
    return AccountMonth(day, "" if is_known else subscription_months(data).state(day))


@cached
def recurring_revenue(data: Tables, month: AccountMonth) -> pd.Series:
    """MRR by account in a month, of accounts above 0; none where no figure may read the month."""
    rows = (
        account_step(data, "account_month", month=month.month) if not month.gap else pd.DataFrame()
    )
    if rows.empty:
        none = pd.Series(dtype="float64", index=pd.Index([], dtype="str", name="account_id"))
        return none.rename("mrr")
    return rows.set_index("account_id")["mrr"]


@cached
def first_months(data: Tables) -> pd.Series:
    """First month above 0 in the whole table, by account."""
    return account_step(data, "first_account_months").set_index("account_id")["first_month"]
