"""A period's change in words: sentences made from computed rows, and no number typed in."""

from __future__ import annotations

import math

import pandas as pd

from funnel.contract.periods import Comparison, Period
from funnel.contract.plan import Company, Plan
from funnel.results import formats
from funnel.stats import CANNOT_TELL, DID_NOT_MOVE

_PLURAL = ("bookings", "wins", "leads")
_NAMES = {"mrr": "Monthly recurring revenue", "new mrr": "New recurring revenue"}


def span(period: Period, company: Company) -> str:
    """Write a period's days; whole months by their names.

    Examples
    --------
    >>> import datetime as dt
    >>> span(Period(dt.date(2026, 4, 1), dt.date(2026, 6, 30), "2026Q2"), Company())
    'Apr-Jun 2026'
    >>> span(Period(dt.date(2026, 4, 1), dt.date(2026, 5, 15), "2026Q2"), Company())
    'Apr 1-May 15, 2026'
    """
    from babel.dates import format_interval, format_skeleton

    whole = period.start.day == 1 and period.after.day == 1
    skeleton = "yMMM" if whole else "yMMMd"
    months = (period.after.year - period.start.year) * 12 + period.after.month - period.start.month
    if period.start == period.end or (whole and months == 1):
        return format_skeleton(skeleton, period.start, locale=company.locale)
    text = format_interval(period.start, period.end, skeleton, locale=company.locale)
    for space in ("\u2009", "\u202f"):
        text = text.replace(f"{space}\u2013{space}", "-").replace(space, " ")
    return text.replace("\u2013", "-")


def shown(value: float, unit: str, company: Company, *, sign: bool = False) -> str:
    """Write a value of `unit` `money`, `count` or `rate`.

    Examples
    --------
    >>> shown(0.254, "rate", Company())
    '25.4%'
    """
    if unit == "money":
        return formats.money(value, company, sign=sign)
    if unit == "rate":
        return formats.share(value, company, digits=1, sign=sign)
    return formats.number(value, company, sign=sign)


def change_shown(row: pd.Series, company: Company) -> str:
    """Write a change with its interval: in per cent of the baseline, or points of a rate.

    Examples
    --------
    >>> row = pd.Series({"unit": "count", "baseline": 100.0, "change": -18.0, "low": -27.0,
    ...                  "high": -8.0})
    >>> change_shown(row, Company())
    '-18% [-27% to -8%]'
    """
    values = [row["change"], row["low"], row["high"]]
    if row["unit"] == "rate":
        texts = [formats.number(100 * v, company, digits=1, sign=True) for v in values]
        texts[0] += " points"
    elif row["baseline"] > 0:
        texts = [formats.share(v / row["baseline"], company, sign=True) for v in values]
    else:
        texts = [_short(v, row["unit"], company, sign=True) for v in values]
    if not math.isfinite(row["change"]):
        return formats.NOT_KNOWN
    if not math.isfinite(row["low"]):
        return texts[0]
    return f"{texts[0]} {formats.interval(texts[1], texts[2])}"


def name_of(measure: str) -> str:
    """Write a measure as a sentence begins.

    Examples
    --------
    >>> name_of("win rate")
    'Win rate'
    """
    return _NAMES.get(measure, measure[:1].upper() + measure[1:])


def headline(row: pd.Series, comparison: Comparison, plan: Plan) -> str:
    """Say in one sentence what a measure was, how it changed, how surely and from how many rows."""
    company = plan.company
    period, baseline = (span(each, company) for each in (comparison.period, comparison.baseline))
    name = name_of(row["measure"])
    were = "were" if row["measure"] in _PLURAL else "was"
    if not math.isfinite(row["value"]):
        return f"{name} in {period} cannot be told: {row['why'] or 'nothing is recorded'}."
    value = _short(row["value"], row["unit"], company)
    says = f"{name} in {period} {were} {value}"
    n_rows = _from(row, company)
    if not math.isfinite(row["baseline"]) or (row["why"] and row["baseline"] == 0):
        return f"{says}, {n_rows}; the change cannot be told: {row['why'] or 'nothing before'}."
    against = _short(row["baseline"], row["unit"], company)
    change = f"({change_shown(row, company)}), {n_rows}"
    if row["verdict"] == CANNOT_TELL:
        why = f": {row['why']}" if row["why"] else ""
        open_ = f"whether it moved cannot be told{why}"
        return f"{says} against {against} in {baseline} {change}; {open_}."
    moved = "did not move" if row["verdict"] == DID_NOT_MOVE else "moved"
    return f"{says} against {against} in {baseline}: it {moved} {change}."


def to_date_sentence(comparison: Comparison, company: Company) -> str:
    """Say that a period is not over, and which days stand against which."""
    return (
        f"The period is not over: its first {comparison.period.n_days} days, "
        f"{span(comparison.period, company)}, stand against the first "
        f"{comparison.baseline.n_days} days of the comparison period, "
        f"{span(comparison.baseline, company)}."
    )


def _short(value: float, unit: str, company: Company, *, sign: bool = False) -> str:
    """Write a value for a sentence; pages show the exact one beside it."""
    if unit == "money":
        return formats.short_money(value, company, sign=sign)
    return shown(value, unit, company, sign=sign)


def _from(row: pd.Series, company: Company) -> str:
    now, then = (formats.number(row[key], company) for key in ("n_period", "n_baseline"))
    return f"from {now} against {then} {row['counted']}"
