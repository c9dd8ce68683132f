"""Words of recurring revenue that several pages share."""

from __future__ import annotations

from funnel.checks.subscription_months import HALF_LOADED_MONTH, MISSING_MONTH
from funnel.methods.recurring.accounts import CURRENCIES


def month_gap(gap: str, month: str) -> str:
    """Why no figure may read a month, as the end of a sentence; empty where there is no such month.

    Examples
    --------
    >>> month_gap("month missing", "2026-03")
    '2026-03 is missing from the table of subscriptions'
    """
    return {
        MISSING_MONTH: f"{month} is missing from the table of subscriptions",
        HALF_LOADED_MONTH: f"{month} is loaded in part: the table of subscriptions has under half "
        "of its accounts",
        CURRENCIES: "accounts pay in several currencies, and the plan has no rates",
    }.get(gap, "")
