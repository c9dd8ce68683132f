"""Special days: what the plan's checklist dates, as far as earlier days can tell what they do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

import pandas as pd

from funnel.contract.plan import CheckItem, Company
from funnel.results import formats

LONGEST = 14  # days; what lasts longer is a time of its own, and no special day


def dated(checklist: Iterable[CheckItem]) -> Mapping[str, pd.DatetimeIndex]:
    """Give the days of each item that begins and ends, and lasts two weeks at most.

    Items of one name, such as a fair that comes every year, are the same special day.

    Examples
    --------
    >>> fair = CheckItem("Fair", from_=dt.date(2026, 3, 2), to=dt.date(2026, 3, 3))
    >>> [len(days) for days in dated([fair, CheckItem("New prices")]).values()]
    [2]
    """
    days: dict[str, pd.DatetimeIndex] = {}
    for item in checklist:
        if item.from_ and item.to and 0 <= (item.to - item.from_).days < LONGEST:
            found = pd.date_range(item.from_, item.to)
            days[item.name] = found.union(days[item.name]) if item.name in days else found
    return days


def told(
    checklist: Iterable[CheckItem],
    learnt: Mapping[str, pd.DatetimeIndex],
    history_ends: pd.Timestamp,
    span: tuple[dt.date, dt.date],
    company: Company,
) -> tuple[str, ...]:
    """Say of each dated item that touches the two windows whether the calendar holds it.

    Parameters
    ----------
    checklist
        The plan's.
    learnt
        Special days that the weights of days hold.
    history_ends
        The first day that nothing was learnt from.
    span
        First and last day of both windows together.
    company
        Of the plan, for how days are written.
    """
    says = {}
    first, last = (pd.Timestamp(day) for day in span)
    for item in checklist:
        begin, end = item.from_ or item.to, item.to or item.from_
        if begin is None or pd.Timestamp(end) < first or pd.Timestamp(begin) > last:
            continue
        if item.name in learnt:
            n_days = int((learnt[item.name] < history_ends).sum())
            says[item.name] = (
                f"{item.name}, of the plan's checklist, is part of the calendar, learnt from "
                f"{n_days} earlier {'day' if n_days == 1 else 'days'}."
            )
        else:
            says[item.name] = (
                f"{item.name}, of the plan's checklist ({formats.day(begin, company)}), cannot be "
                "told apart from what is left over: no earlier day says what it does."
            )
    return tuple(says.values())
