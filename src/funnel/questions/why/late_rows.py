"""Tables with few rows in the last days: some of them may still arrive.

Some rows exist only because of a later event: touches of people who have become leads, deals of an
export of closed ones. Such rows are always few in the last days. So the last days are compared with
earlier days as these looked then: with the rows whose event had come by that day.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from funnel.contract.periods import Period
from funnel.contract.tables import TABLES
from funnel.dataset.casts import local_day
from funnel.dataset.stages import opportunity_stage, recorded_stages
from funnel.methods.bridge.other_deals import OUTSIDE_FLOW
from funnel.questions.why.findings import DOWN, FOUND, Finding
from funnel.questions.why.touched_wins import of_latest
from funnel.stats.dispersion import count_dispersion

if TYPE_CHECKING:
    from funnel.dataset import Tables

Counts = NDArray[np.int64]
_TABLES = ("leads", "stage_changes", "deals", "touches", "activities")
_LENGTHS = (3, 7, 14)  # days
_WEEKS = 8
_LONGEST = 7 * (_WEEKS + 1) + _LENGTHS[-1]
_YEAR = 364  # days: whole weeks
_LATE_SHARE = 0.5
_FEWEST_EXPECTED = 20
_FELL = -3.0  # z of a week: of one company and table in seven hundred by chance
_HANGS_ON = 0.99  # of the latest rows have the event: without it they would not be there


def late_rows(data: Tables) -> Iterator[Finding]:
    """Tables with few rows in the last days, compared with the weeks before and a year earlier.

    One per test; its p value is 1 where the rows are not few.
    """
    if data.comparison.period.end < data.as_of - dt.timedelta(days=_LENGTHS[-1]):
        return
    for table in _TABLES:
        if not data.has(table):
            continue
        if table == "touches" and not (data.has("leads") or data.has("deals")):
            continue  # of people who may have to become leads first, which nothing shows
        first = _first_day(data, table)
        arrivals = _arrivals(data, table)
        latest, year_ago = (_known_by(data, arrivals, back) for back in (0, _YEAR))
        if _fell_before(latest, year_ago):
            continue
        for length in _LENGTHS:
            n_days = (data.as_of - first).days + 1
            seen, expected, p_value = _last_days(latest, year_ago, length, n_days)
            if expected < _FEWEST_EXPECTED:
                continue
            is_late = seen < _LATE_SHARE * expected
            yield Finding(
                check="data",
                state=FOUND,
                kind="late rows",
                since=data.as_of - dt.timedelta(days=length - 1),
                table=table,
                n=int(seen),
                expected=expected,
                days=length,
                p_value=p_value if is_late else 1.0,
                touched=drivers_of_missing(data, table),
                at_most=of_latest(data, table, length) if is_late else 0.0,
            )


def _first_day(data: Tables, table: str) -> dt.date:
    """First day of a table, as far back as it matters."""
    day = local_day(f"min({TABLES[table].happened})", data.plan.company.timezone)
    earliest = data.as_of - dt.timedelta(days=2 * _YEAR)
    query = f"select greatest({day}, date '{earliest}') from {table}"
    return data.engine.rows(query)[0][0]


def _known_by(data: Tables, arrivals: str, days_back: int) -> Counts:
    """Rows by day, the latest last, and by how many days later at most they were there."""
    zone = data.plan.company.timezone
    last = data.as_of - dt.timedelta(days=days_back)
    first = last - dt.timedelta(days=_LONGEST - 1)
    at, known = local_day("happened_at", zone), local_day("known_at", zone)
    counted = data.sql(
        f"select date_diff('day', $first, {at}) as place, date_diff('day', {at}, {known}) as lag, "
        f"count(*) as n from ({arrivals}) "
        f"where {data.plan.within_sql('happened_at', Period(first, last))} group by all",
        first=first,
    )
    soon = counted[counted["lag"] < _LENGTHS[-1]]
    counts = np.zeros((_LONGEST, _LENGTHS[-1]), dtype=np.int64)
    np.add.at(counts, (soon["place"], soon["lag"].clip(lower=0)), soon["n"])
    return counts.cumsum(axis=1)


def _arrivals(data: Tables, table: str) -> str:
    """SQL of when each row of a table happened, and from when on it was there."""
    linked = _linked(table)
    recent = Period(data.as_of - dt.timedelta(days=_LONGEST - 1), data.as_of)
    n, *with_event = data.engine.rows(
        f"select count(*), count(opened_at), count(closed_at) from ({linked}) "
        f"where {data.plan.within_sql('happened_at', recent)}"
    )[0]
    events = zip(("opened_at", "closed_at"), with_event, strict=True)
    needed = [event for event, k in events if k >= _HANGS_ON * n]
    known = ", ".join(["happened_at", "lead_at", *needed])
    return f"select happened_at, greatest({known}) as known_at from ({linked})"


def _linked(table: str) -> str:
    """SQL of the rows of a table, each with its lead's creation and its deal's two ends."""
    happened = TABLES[table].happened
    closed = "case when outcome <> 'open' then closed_at end"
    if table == "deals":
        return (
            f"select {happened} as happened_at, cast(null as timestamp) as lead_at, "
            f"cast(null as timestamp) as opened_at, {closed} as closed_at from deals"
        )
    account, first_lead, by_account = "l.account_id", "null", ""
    if table == "touches":
        account, first_lead = "coalesce(r.account_id, l.account_id)", "a.created_at"
        by_account = (
            "left join (select account_id, min(created_at) as created_at from leads group by all) "
            "a on r.lead_id is null and a.account_id = r.account_id "
        )
    deals_by = {
        key: f"(select {key}, min(created_at) as opened_at, min({closed}) as closed_at "
        "from deals group by all)"
        for key in ("lead_id", "account_id")
    }
    return (
        f"select r.{happened} as happened_at, coalesce(l.created_at, {first_lead}) as lead_at, "
        "least(d.opened_at, o.opened_at) as opened_at, "
        f"least(d.closed_at, o.closed_at) as closed_at from {table} r "
        f"left join leads l on l.lead_id = r.lead_id {by_account}"
        f"left join {deals_by['lead_id']} d on d.lead_id = r.lead_id "
        f"left join {deals_by['account_id']} o on o.account_id = {account}"
    )


def _last_days(
    latest: Counts, year_ago: Counts, length: int, n_days: int
) -> tuple[float, float, float]:
    """Rows of the last days, those expected, and the p value of so few."""
    from scipy.stats import norm

    needed = 7 * _first_week(length) + 7 * (_WEEKS - 1) + length
    if n_days < needed:
        return 0.0, 0.0, 1.0
    seen, *before = _as_they_looked(latest, length)
    expected = float(np.mean(before))
    if n_days >= needed + _YEAR:
        seen_then, *before_then = _as_they_looked(year_ago, length)
        if any(before_then):
            expected *= min(seen_then / np.mean(before_then), 1.0)  # a holiday then is one now
    if not expected > 0:
        return seen, 0.0, 1.0
    # Square roots of counts scatter alike, whatever their mean.
    spread = count_dispersion(np.array(_as_they_looked(latest, 7)[1:]))
    z = 2 * (math.sqrt(seen) - math.sqrt(expected)) / math.sqrt(spread)
    return seen, expected, float(norm.cdf(z))


def _fell_before(latest: Counts, year_ago: Counts) -> bool:
    """Whether rows were already few in the week before the longest of the lengths.

    A row of then would be there by now, so that what fell is the business, or the whole record.
    """
    week, *before = _settled_weeks(latest)
    expected = float(np.mean(before))
    then, *before_then = _settled_weeks(year_ago)
    if any(before_then):
        expected *= min(then / np.mean(before_then), 1.0)
    if expected < _FEWEST_EXPECTED or week >= _LATE_SHARE * expected:
        return False
    z = 2 * (math.sqrt(week) - math.sqrt(expected)) / math.sqrt(count_dispersion(np.array(before)))
    return z < _FELL


def _settled_weeks(known_by: Counts) -> list[float]:
    """Rows of the weeks before the last days, newest first, with those known two weeks later."""
    weeks = known_by[: -_LENGTHS[-1], -1].reshape(-1, 7).sum(axis=1)
    return [float(n) for n in weeks[::-1]]


def _as_they_looked(known_by: Counts, length: int) -> list[float]:
    """Rows of the last days on the last day; then on the same weekday of each of eight weeks."""
    days = np.arange(length)
    weeks = range(_first_week(length), _first_week(length) + _WEEKS)
    return [float(known_by[_LONGEST - 1 - 7 * back - days, days].sum()) for back in (0, *weeks)]


def _first_week(length: int) -> int:
    """Weeks back to the first day whose last days do not overlap with the latest."""
    return math.ceil(length / 7)


def drivers_of_missing(data: Tables, table: str) -> tuple[tuple[str, str], ...]:
    """Drivers that fall where rows of a table are missing at the end."""
    stages = recorded_stages(data)
    pairs = [f"{a} to {b}" for a, b in itertools.pairwise(stages)]
    opportunity = opportunity_stage(data.plan.stages)
    at = stages.index(opportunity) if opportunity in stages else len(stages) - 1
    of_table = {
        "leads": ["lead volume"],
        "stage_changes": [*pairs[: max(at - 1, 0)], "timing"],
        "deals": [*pairs[max(at - 1, 0) :], "timing", *OUTSIDE_FLOW],
    }
    return tuple((driver, DOWN) for driver in of_table.get(table, ()))
