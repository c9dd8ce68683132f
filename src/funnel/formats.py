"""How figures are written on pages: by the company's locale, with their interval."""

from __future__ import annotations

import copy
import datetime as dt
import math

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_decimal, format_percent

from funnel.plan import Company

NOT_KNOWN = "not known"


def money(value: float, company: Company, *, sign: bool = False) -> str:
    """Write an amount in whole units of the company's currency.

    Examples
    --------
    >>> money(1234567.8, Company(currency="EUR"))
    '€1,234,568'
    >>> money(40, Company(currency="EUR"), sign=True)
    '+€40'
    """
    if not math.isfinite(value):
        return NOT_KNOWN
    locale = Locale.parse(company.locale)
    pattern = copy.copy(locale.currency_formats["standard"])
    pattern.frac_prec = (0, 0)
    whole = round(value)
    text = pattern.apply(whole, locale, currency=company.currency, currency_digits=False)
    return f"+{text}" if sign and whole > 0 else text


def number(value: float, company: Company, *, digits: int = 0, sign: bool = False) -> str:
    """Write a count or a measure with a fixed number of digits.

    Examples
    --------
    >>> number(8612, Company())
    '8,612'
    """
    if not math.isfinite(value):
        return NOT_KNOWN
    shown = round(value, digits) + 0.0
    text = format_decimal(shown, "#,##0" + "." * bool(digits) + "0" * digits, company.locale)
    return f"+{text}" if sign and shown > 0 else text


def share(value: float, company: Company, *, digits: int = 0, sign: bool = False) -> str:
    """Write a share or a rate of 0 to 1 in per cent.

    Examples
    --------
    >>> share(0.1234, Company(), digits=1)
    '12.3%'
    """
    if not math.isfinite(value):
        return NOT_KNOWN
    shown = round(value, digits + 2) + 0.0
    locale = Locale.parse(company.locale)
    pattern = copy.copy(locale.percent_formats[None])
    pattern.frac_prec = (digits, digits)
    text = format_percent(shown, pattern, locale)
    return f"+{text}" if sign and shown > 0 else text


def day(value: dt.date, company: Company) -> str:
    """Write a day with its month in words, so that no reader takes it for the month's number.

    Examples
    --------
    >>> day(dt.date(2026, 6, 30), Company())
    'Jun 30, 2026'
    """
    return format_date(value, "medium", locale=company.locale)


def interval(low: str, high: str) -> str:
    """Write the two ends of an interval, which come formatted.

    Examples
    --------
    >>> interval("2%", "9%")
    '[2% to 9%]'
    """
    return f"[{low} to {high}]"
