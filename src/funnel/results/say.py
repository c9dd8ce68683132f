"""Figures as a reader of one company reads them: its currency, locale and level of intervals."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from babel.dates import format_interval, format_skeleton

from funnel.contract.plan import Company
from funnel.results import formats
from funnel.results.vocabulary import entry_words, stage_words, step_words

_TEN_PER_CENT = 0.0995  # what is shown as ten per cent or more needs no digit
_WIDE = 0.02  # apart at least, for two whole per cents to be different ones
_WHOLE_POINTS = 2  # from which points need no digit


@dataclass
class Say:
    """Formats figures for one company, and counts the intervals in brackets that it wrote.

    Examples
    --------
    >>> say = Say(Company(currency="EUR"))
    >>> say.share(0.1234), say.money(1234567.8), say.number(8612), say.day(dt.date(2026, 6, 30))
    ('12%', '€1,234,568', '8,612', 'Jun 30, 2026')
    >>> say.likely(0.284, 0.378), say.points_apart(-0.18, -0.099)
    ('likely 28% to 38%', 'likely 10 to 18 points lower')
    >>> say.rows(1, "lead"), say.rows(1200, "lead")
    ('1 lead', '1,200 leads')
    """

    company: Company = field(default_factory=Company)
    level: float = 0.9
    intervals: int = field(default=0, compare=False, repr=False)

    def money(self, value: float, *, sign: bool = False) -> str:
        """Amount in whole units of the company's currency."""
        return formats.money(value, self.company, sign=sign)

    def short_money(self, value: float, *, sign: bool = False, digits: int = 3) -> str:
        """Amount for a sentence, of three digits or as many as are given."""
        return formats.short_money(value, self.company, sign=sign, digits=digits)

    def day_of_year(self, value: dt.date) -> str:
        """Day without its year, where the year is plain."""
        return format_skeleton("MMMd", value, locale=self.company.locale)

    def month(self, day: dt.date) -> str:
        """Name of a day's month, short."""
        return format_skeleton("MMM", day, locale=self.company.locale)

    def number(self, value: float, *, digits: int = 0, sign: bool = False) -> str:
        """Count or measure with a fixed number of digits."""
        return formats.number(value, self.company, digits=digits, sign=sign)

    def share(self, value: float, *, digits: int = 0, sign: bool = False) -> str:
        """Share or rate of 0 to 1, in per cent."""
        return formats.share(value, self.company, digits=digits, sign=sign)

    def rate(self, value: float) -> str:
        """Share for a sentence: whole per cents, or with one digit below ten per cent."""
        return self.share(value, digits=0 if value >= _TEN_PER_CENT else 1)

    def likely(self, low: float, high: float) -> str:
        """Interval of a share for a sentence, its ends never the same: `likely 28% to 38%`."""
        digits = 0 if low >= _TEN_PER_CENT and round(high - low, 2) >= _WIDE else 1
        ends = (self.share(end, digits=digits) for end in (low, high))
        return f"likely {' to '.join(ends)}"

    def points_apart(self, low: float, high: float) -> str:
        """Change of a share that leaves zero out: `likely 11 to 19 points lower`."""
        ends = sorted((abs(100 * low), abs(100 * high)))
        texts = (self.number(end, digits=0 if ends[0] >= _WHOLE_POINTS else 1) for end in ends)
        return f"likely {' to '.join(texts)} points {'higher' if low > 0 else 'lower'}"

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
        self.intervals += 1
        return formats.interval(low, high)

    def estimate(self, value: str, low: str, high: str, *, of: str = "") -> str:
        """Figure with its interval and count, for a cell; all formatted already."""
        return self._counted(formats.estimate(value, low, high, of=of))

    def share_estimate(
        self, row: Mapping[str, Any], name: str, *, of: str = "", digits: int = 1
    ) -> str:
        """Share with its interval from a row that has `<name>`, `<name>_low`, `<name>_high`."""
        return self._counted(formats.share_estimate(row, name, self.company, of=of, digits=digits))

    def number_estimate(self, row: Mapping[str, Any], name: str, **options: Any) -> str:
        """Number with its interval from a row that has `<name>`, `<name>_low`, `<name>_high`."""
        return self._counted(formats.number_estimate(row, name, self.company, **options))

    def points_estimate(self, row: Mapping[str, Any], name: str) -> str:
        """Change of a share with its interval, in points."""
        return self.number_estimate(row, name, times=100, digits=1, sign=True)

    def _counted(self, cell: str) -> str:
        self.intervals += "[" in cell
        return cell

    def stage(self, stage: str) -> str:
        """Those at a stage, in the plural: `leads accepted by sales`."""
        return stage_words(stage, self.company.labels)

    def entered(self, stage: str) -> str:
        """What happened to those that entered a stage: `accepted by sales`."""
        return entry_words(stage, self.company.labels)

    def step(self, step: str) -> str:
        """Those that passed a step: of `mql to sal`, `leads accepted by sales`."""
        who, what = step_words(step, self.company.labels) or (step, "")
        return f"{who} {what}".strip()

    def rows(self, n: int, noun: str, plural: str = "") -> str:
        """Count with its noun, singular or plural."""
        return f"{self.number(n)} {noun if n == 1 else plural or f'{noun}s'}"
