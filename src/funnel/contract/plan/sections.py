"""Sections of `funnel.toml` that are fields of the plan in their own right."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True)
class Company:
    """Who the plan is for, and how its pages write dates and money."""

    name: str = "Company"
    currency: str = "EUR"
    timezone: str = "UTC"
    country: str = ""
    locale: str = "en"
    fiscal_year_starts: int = 1


@dataclass(frozen=True)
class Definition:
    """What a qualified lead is, as SQL expressions over the columns of `leads`."""

    marketing: str = ""
    sales: str = ""
    agreed: str = ""
    agreed_on: dt.date | None = None


@dataclass(frozen=True)
class CheckItem:
    """A variable of the meeting's own: something that began on a day, and what to ask about it."""

    name: str
    question: str = ""
    from_: dt.date | None = None
    to: dt.date | None = None
