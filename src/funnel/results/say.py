"""Figures as a reader of one company reads them: its currency, locale and level of intervals."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from babel.dates import format_interval, format_skeleton

from funnel.contract.plan import Company
from funnel.results import formats


@dataclass(frozen=True)
class Say:
    """Formats figures for one company.

    Examples
    --------
    >>> say = Say(Company(currency="EUR"))
    >>> say.share(0.1234), say.money(1234567.8), say.number(8612), say.day(dt.date(2026, 6, 30))
    ('12%', '€1,234,568', '8,612', 'Jun 30, 2026')
    >>> say.rows(1, "lead"), say.rows(1200, "lead")
    ('1 lead', '1,200 leads')
    """

    company: Company = field(default_factory=Company)
    level: float = 0.9

    def money(self, value: float, *, sign: bool = False) -> str:
        """Amount in whole units of the company's currency."""
        return formats.money(value, self.company, sign=sign)

    def short_money(self, value: float, *, sign: bool = False) -> str:
        """Amount for a sentence, three digits."""
        return formats.short_money(value, self.company, sign=sign)

    def number(self, value: float, *, digits: int = 0, sign: bool = False) -> str:
        """Count or measure with a fixed number of digits."""
        return formats.number(value, self.company, digits=digits, sign=sign)

    def share(self, value: float, *, digits: int = 0, sign: bool = False) -> str:
        """Share or rate of 0 to 1, in per cent."""
        return formats.share(value, self.company, digits=digits, sign=sign)

    def duration(self, days: float) -> str:
        """Time known in days, in the unit a reader would use."""
        return formats.duration(days, self.company)

    def day(self, value: dt.date) -> str:
        """Day, its month in words."""
        return formats.day(value, self.company)

    def span(self, start: dt.date, end: dt.date) -> str:
        """Days of a period, both ends included; whole months by their names.

        Examples
        --------
        >>> Say().span(dt.date(2026, 4, 1), dt.date(2026, 6, 30))
        'Apr-Jun 2026'
        >>> Say().span(dt.date(2026, 4, 1), dt.date(2026, 5, 15))
        'Apr 1-May 15, 2026'
        """
        locale, after = self.company.locale, end + dt.timedelta(days=1)
        whole = start.day == 1 and after.day == 1
        skeleton = "yMMM" if whole else "yMMMd"
        months = (after.year - start.year) * 12 + after.month - start.month
        if start == end or (whole and months == 1):
            return format_skeleton(skeleton, start, locale=locale)
        text = format_interval(start, end, skeleton, locale=locale)
        for space in ("\u2009", "\u202f"):
            text = text.replace(f"{space}\u2013{space}", "-").replace(space, " ")
        return text.replace("\u2013", "-")

    def interval(self, low: str, high: str) -> str:
        """Two ends of an interval, formatted already."""
        return formats.interval(low, high)

    def estimate(self, value: str, low: str, high: str, *, of: str = "") -> str:
        """Figure with its interval and count, for a cell; all formatted already."""
        return formats.estimate(value, low, high, of=of)

    def share_estimate(
        self, row: Mapping[str, Any], name: str, *, of: str = "", digits: int = 1
    ) -> str:
        """Share with its interval from a row that has `<name>`, `<name>_low`, `<name>_high`."""
        return formats.share_estimate(row, name, self.company, of=of, digits=digits)

    def number_estimate(self, row: Mapping[str, Any], name: str, **options: Any) -> str:
        """Number with its interval from a row that has `<name>`, `<name>_low`, `<name>_high`."""
        return formats.number_estimate(row, name, self.company, **options)

    def rows(self, n: int, noun: str, plural: str = "") -> str:
        """Count with its noun, singular or plural."""
        return f"{self.number(n)} {noun if n == 1 else plural or f'{noun}s'}"
