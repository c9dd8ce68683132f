"""Formats of figures in a company's locale; `Say` is their only caller."""

from __future__ import annotations

import copy
import datetime as dt
import math
from collections.abc import Mapping

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_compact_currency, format_decimal, format_percent

from funnel.contract.plan import Company
from funnel.results.small_groups import Hidden

NOT_KNOWN = "not known"
WRITTEN_OUT = 10_000  # smaller amounts are short as they are
_DIGITS = 3
_HOURS = 24  # of a day
NO_BREAK = "\u00a0"  # a space at which no line ends


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


def short_money(
    value: float, company: Company, *, sign: bool = False, digits: int = _DIGITS
) -> str:
    """Write an amount for a sentence: a few digits, and the locale's word for the rest.

    An estimate is not known to the unit, and a reader compares the first digits. Where the locale
    has no short form, zeros stand for what is rounded off.

    Examples
    --------
    >>> short_money(3910299, Company(currency="EUR"))
    '€3.91M'
    >>> short_money(936_316, Company(currency="EUR"), digits=2)
    '€940K'
    >>> short_money(-804_300, Company(currency="EUR", locale="de")).replace(NO_BREAK, " ")
    '-804.000 €'
    >>> short_money(9999, Company(currency="EUR"), sign=True)
    '+€9,999'
    """
    if not math.isfinite(value) or abs(value) < WRITTEN_OUT:
        return money(value, company, sign=sign)
    rounded = round(value, digits - 1 - math.floor(math.log10(abs(value))))
    text = format_compact_currency(
        rounded, company.currency, locale=company.locale, fraction_digits=digits - 1
    )
    if sum(letter.isdigit() for letter in text) > _DIGITS + 1:
        return money(rounded, company, sign=sign)
    return f"+{text}" if sign and rounded > 0 else text


def number(value: float, company: Company, *, digits: int = 0, sign: bool = False) -> str:
    """Write a count or a measure with a fixed number of digits.

    Examples
    --------
    >>> number(8612, Company()), number(Hidden("fewer than 5"), Company())
    ('8,612', 'fewer than 5')
    """
    if isinstance(value, Hidden):
        return str(value)
    if not math.isfinite(value):
        return NOT_KNOWN
    shown = round(value, digits) + 0.0
    text = format_decimal(shown, "#,##0" + "." * bool(digits) + "0" * digits, company.locale)
    return f"+{text}" if sign and shown > 0 else text


def duration(days: float, company: Company) -> str:
    """Time known in days, in the unit a reader would use.

    Examples
    --------
    >>> [duration(days, Company()) for days in (1.34, 0.25, 5 / 1440, 1 / 1440)]
    ['1.3 days', '6.0 hours', '5 minutes', '1 minute']
    """
    if not math.isfinite(days):
        return NOT_KNOWN
    if abs(days) >= 1:
        return f"{number(days, company, digits=1)} days"
    if abs(days) >= 1 / _HOURS:
        return f"{number(days * _HOURS, company, digits=1)} hours"
    minutes = number(days * _HOURS * 60, company)
    return f"{minutes} minute{'s' * (minutes != '1')}"


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


def estimate(value: str, low: str, high: str, *, of: str = "") -> str:
    """Write a figure with its interval, and with what it is a share of, for a cell of a table.

    Parameters
    ----------
    value, low, high
        The figure and the ends of its interval, formatted.
    of
        How many rows it rests on, formatted; left out where there is no figure.

    Returns
    -------
    str
        A narrow cell breaks it before the bracket and before `of`, and nowhere else.

    Examples
    --------
    >>> print(estimate("46.5%", "44.4", "48.6", of="1,736").replace(NO_BREAK, " "))
    46.5% [44.4 to 48.6] of 1,736
    """
    if value == NOT_KNOWN:
        return value
    parts = [value] + [interval(low, high)] * (NOT_KNOWN not in (low, high))
    parts += [f"of {of}"] * bool(of)
    return " ".join(part.replace(" ", NO_BREAK) for part in parts)


def share_estimate(
    row: Mapping[str, float], name: str, company: Company, *, of: str = "", digits: int = 1
) -> str:
    """Write a share with its interval, as `estimate` does, from a row of a result's table.

    Parameters
    ----------
    row
        Has `<name>`, `<name>_low` and `<name>_high`, 0 to 1, and the count `of`.
    name, of
        Columns of `row`.

    Examples
    --------
    >>> row = {"rate": 0.465, "rate_low": 0.444, "rate_high": 0.486, "n": 1736}
    >>> print(share_estimate(row, "rate", Company(), of="n").replace(NO_BREAK, " "))
    46.5% [44.4 to 48.6] of 1,736
    """
    if of and isinstance(row[of], Hidden):
        return str(row[of])
    ends = (number(100 * row[f"{name}_{end}"], company, digits=digits) for end in ("low", "high"))
    count = number(row[of], company) if of else ""
    return estimate(share(row[name], company, digits=digits), *ends, of=count)


def number_estimate(
    row: Mapping[str, float],
    name: str,
    company: Company,
    *,
    times: float = 1.0,
    digits: int = 0,
    sign: bool = False,
    ends: tuple[str, str] | None = None,
) -> str:
    """Write a number with its interval, as `estimate` does, from a row of a result's table.

    Parameters
    ----------
    row
        Has `<name>`, and its `ends`: `<name>_low` and `<name>_high` if left out.
    times
        What each is multiplied by first: 100 turns shares into points.

    Examples
    --------
    >>> row = {"change": -0.14, "change_low": -0.18, "change_high": 0.01}
    >>> print(number_estimate(row, "change", Company(), times=100, sign=True)
    ...     .replace(NO_BREAK, " "))
    -14 [-18 to +1]
    """
    names = (name, *(ends or (f"{name}_low", f"{name}_high")))
    return estimate(
        *(number(times * row[each], company, digits=digits, sign=sign) for each in names)
    )
