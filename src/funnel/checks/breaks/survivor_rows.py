"""Rows whose past exists only for those that succeeded."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.checks.breaks.day_counts import ALL, LOGS, DayCounts, day_counts
from funnel.checks.breaks.record_break import (
    DOWN,
    EITHER,
    ONLY_WON,
    SURVIVORS,
    TIMING,
    UP,
    VOLUME,
    RecordBreak,
    lookback,
    steps_of,
    touching,
    win_step,
)
from funnel.checks.limits import FEWEST_SURVIVORS, SETTLED_DAYS, SURE
from funnel.checks.natures import RECORDS

if TYPE_CHECKING:
    from funnel.dataset import Tables


def survivors(data: Tables) -> Iterator[RecordBreak]:
    """Leads that exist before a day only with a deal, and deals that exist only won.

    Of a whole table, or of one value of a column, as of a team that was bought. The chance that
    none of so many rows failed is that of their later rate, raised to their number.
    """
    logs = ("leads", "closings")
    counted = [
        counts
        for log in logs
        for column, counts in day_counts(data, log).items()
        if column not in LOGS[log].blanks and column != "outcome"
    ]
    n_tests = max(sum(len(counts.words) for counts in counted), 1)
    begins: dict[str, dt.date] = {}
    whole: dict[str, dt.date] = {}
    for counts in sorted(counted, key=lambda each: each.column != ALL):
        for at, value in enumerate(counts.words):
            found = _of_value(data, counts, at, n_tests, begins.get(counts.log))
            if found is None or whole.get(counts.log) == found.since:
                continue
            if counts.column == ALL:
                begins[counts.log] = found.since
            if not value and counts.column != ALL:
                continue
            yield found
            if counts.column != ALL:
                whole.setdefault(counts.log, found.since)  # the same rows by another column


def _of_value(
    data: Tables, counts: DayCounts, at: int, n_tests: int, begins: dt.date | None
) -> RecordBreak | None:
    """Break of one value; `begins` is the day before which all values have survivors only."""
    n, hits = counts.n[at], counts.hits[at]
    failed = np.flatnonzero(n > hits)
    if not len(failed):
        return None
    first = int(failed[0])
    start = 0 if begins is None else (pd.Timestamp(begins) - lookback(data).days[0]).days
    rows = int(n[start:first].sum())
    rate = hits[first:].sum() / n[first:].sum()
    if rows < FEWEST_SURVIVORS or first < SETTLED_DAYS or n[first:].sum() < 2 * FEWEST_SURVIVORS:
        return None
    p_value = float(rate**rows) * n_tests
    if p_value >= SURE:
        return None
    back = lookback(data)
    since = back.days[first].date()
    is_lead = counts.log == "leads"
    if is_lead:
        touched = touching(
            ([VOLUME], back.of_step(since, UP, of_leads=True)),
            (steps_of(data)[:-1], back.of_step(since, DOWN, of_leads=True)),
            ([TIMING], back.of_step(since, EITHER, of_leads=True)),
        )
    else:
        touched = touching(
            (win_step(data), back.of_step(since, DOWN)), ([TIMING], back.of_step(since, EITHER))
        )
    return RecordBreak(
        what=SURVIVORS if is_lead else ONLY_WON,
        nature=RECORDS,
        table=counts.table,
        column="" if counts.column == ALL else counts.column,
        words=() if counts.column == ALL else (counts.words[at],),
        since=since,
        n=rows,
        before=1.0,
        after=float(rate),
        touched=touched,
        p_value=p_value,
    )
