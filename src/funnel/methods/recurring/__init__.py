"""Recurring revenue of accounts: the month that speaks for a period, and movements between months.

An account is all its lines of a month together. A month that is missing or half loaded is no basis
of any figure (`funnel.checks.subscription_months`).
"""

from funnel.methods.recurring.accounts import (
    CURRENCIES,
    NO_MONTH,
    AccountMonth,
    first_months,
    last_month,
    month_before,
    recurring_revenue,
)
from funnel.methods.recurring.change import Losses, change_of_mrr, losses
from funnel.methods.recurring.movements import (
    CHURN,
    CONTRACTION,
    CURRENCY,
    EXPANSION,
    MOVEMENTS,
    NEW,
    REACTIVATION,
    monthly_movements,
    movements_between,
    to_cents,
)

__all__ = [
    "CHURN",
    "CONTRACTION",
    "CURRENCIES",
    "CURRENCY",
    "EXPANSION",
    "MOVEMENTS",
    "NEW",
    "NO_MONTH",
    "REACTIVATION",
    "AccountMonth",
    "Losses",
    "change_of_mrr",
    "first_months",
    "last_month",
    "losses",
    "month_before",
    "monthly_movements",
    "movements_between",
    "recurring_revenue",
    "to_cents",
]
