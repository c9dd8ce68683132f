"""First guard: whether the records changed, rather than the business."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel import checks
from funnel.checks.fields import UNKNOWN_WORDS
from funnel.checks.text import sentence
from funnel.contract.tables import TABLES
from funnel.dataset.casts import local_day
from funnel.dataset.engine import quoted
from funnel.questions.why.guard_findings import DOWN, EITHER, FALSE_ALARMS, UP, Found, Looked
from funnel.results import Say, formats
from funnel.stats.change_points import Step, step_in_share

if TYPE_CHECKING:
    from funnel.dataset import Tables

Make = Callable[[Step], Found | None]
LARGE = 0.05  # a share that changed by less loses too little to be read as something else
_OR_DIRECT = " or direct"
_NO_SOURCE = ("direct", "(direct)")
_REPEAT_DAYS = 7
_LATE_DAYS = (3, 7, 14)
_LATE_WEEKS = 8
_LATE_SHARE = 0.5
_FEWEST_EXPECTED = 20
PERIODS_BACK = 4  # the bridge follows leads through at least as many periods before the baseline
_WITH_DELAY = ("leads", "stage_changes", "deals", "touches", "activities")


def look_at_data(data: Tables) -> Looked:
    """Look for lost fields, late rows, rows recorded twice and sources that stopped.

    Parameters
    ----------
    data
        A company's tables.
    """
    shares = [*_lost_fields(data), *_repeats(data)]
    late = [*_late_looks(data)]
    n_looks = len(shares) + len(late)
    limit = FALSE_ALARMS / max(n_looks, 1)
    # Of two looks at one field, the wider one stands.
    fields = {
        key.removesuffix(_OR_DIRECT): make(step)
        for key, step, make in shares
        if step and step.p_value < limit and make(step)
    }
    found = [*fields.values()]
    found += [make() for p_value, make in late if p_value < limit]
    found += [*_stopped(data), *_traps(data)]
    n = max((step.n for _, step, _ in shares if step), default=0)
    return Looked(tuple(found), n, n_looks)


def span_of(data: Tables) -> tuple[dt.date, dt.date]:
    """Give the first day compared, and the first one after the last."""
    return data.comparison.baseline.start, data.comparison.period.after


def moments_of(data: Tables) -> dict[str, dt.datetime]:
    """Give the same as moments, as parameters of a query."""
    begin, after = (data.plan.midnight(day).replace(tzinfo=None) for day in span_of(data))
    return {"begin": begin, "after": after}


def _lost_fields(data: Tables) -> Iterator[tuple[str, Step | None, Make]]:
    """Look at segments of leads, and the channel of touches, that say less from a day on."""
    level = data.plan.level
    segments = [name for name in data.plan.segments if data.has("leads", name)]
    looks = [("leads", name) for name in dict.fromkeys(("channel", *segments))]
    looks += [("touches", "channel")]
    for table, column in looks:
        if not data.has(table, column) or _is_number(data, table, column):
            continue
        counts = _by_value(data, table, column)
        blank = counts.assign(k=counts["n"].where(counts["is_unknown"], 0))
        key = f"{table}.{column}"
        yield key, step_in_share(blank, level), _lost(data, table, column, blank, "")
        if column == "channel" and counts["is_direct"].any():
            dark = counts["is_unknown"] | counts["is_direct"]
            both = counts.assign(k=counts["n"].where(dark, 0))
            wide = _lost(data, table, column, both, "direct")
            yield key + _OR_DIRECT, step_in_share(both, level), wide


def _is_number(data: Tables, table: str, column: str) -> bool:
    described = data.sql(f"select typeof({quoted(column)}) as kind from {table} limit 1")
    return bool(described["kind"].iloc[0] in ("DOUBLE", "BIGINT"))


def _by_value(data: Tables, table: str, column: str) -> pd.DataFrame:
    """Rows by local day and value, and whether the value says that nothing is known."""
    happened = TABLES[table].happened
    day = local_day(happened, data.plan.company.timezone)
    counts = data.sql(
        f"select cast({day} as timestamp) as day, {quoted(column)} as value, count(*) as n "
        f"from {table} where {happened} >= $begin and {happened} < $after "
        "group by all order by all",
        **moments_of(data),
    )
    word = counts["value"].astype("str").str.strip().str.lower()
    plain = word.str.strip("()[]<>").str.strip()
    return counts.assign(
        is_unknown=counts["value"].isna() | plain.isin(UNKNOWN_WORDS),
        is_direct=plain.isin([each.strip("()") for each in _NO_SOURCE]),
    )


def _lost(data: Tables, table: str, column: str, counts: pd.DataFrame, also: str) -> Make:
    def make(step: Step) -> Found | None:
        if abs(step.change) < LARGE:
            return None
        if also and not _named_changed_against(counts, step):
            return None
        company = data.plan.company
        what = "unknown, blank or direct" if also else "unknown or blank"
        splits = f"splits by {column} are not compared"
        says = (
            f"`{column}` of {table} is {what} for {formats.share(step.after, company)} "
            f"{when(data, step)}; it was for {formats.share(step.before, company)} before, "
            f"{points(data, step)} over {formats.number(step.n, company)} rows: {splits}."
        )
        is_segment = table == "leads" and column in data.plan.segments
        return Found(
            "data",
            says,
            since=None if step.is_gradual else step.day,
            explains=(("mix", EITHER),) if is_segment else (),
            columns=(column,) if table == "leads" else (),
            n=step.n,
            p_value=step.p_value,
        )

    return make


def _named_changed_against(counts: pd.DataFrame, step: Step) -> bool:
    """Say whether rows with a channel of their own moved the other way, as relabelled ones do.

    More direct visits beside as many of all others are more visits, and no loss of a channel.
    """
    is_after = counts["day"] >= pd.Timestamp(step.day)
    days = counts["day"].nunique()
    n_after = counts.loc[is_after, "day"].nunique()
    named = counts["n"] - counts["k"]
    rate1 = named[is_after].sum() / max(n_after, 1)
    rate0 = named[~is_after].sum() / max(days - n_after, 1)
    dark1 = counts.loc[is_after, "k"].sum() / max(n_after, 1)
    dark0 = counts.loc[~is_after, "k"].sum() / max(days - n_after, 1)
    return bool(
        (rate1 - rate0) * (dark1 - dark0) < 0 and abs(rate1 - rate0) > (abs(dark1 - dark0) / 2)
    )


def _repeats(data: Tables) -> Iterator[tuple[str, Step | None, Make]]:
    """Leads that come again, by the same person, within days."""
    if not data.has("leads", "email"):
        return
    day = local_day("created_at", data.plan.company.timezone)
    counts = data.sql(
        "with each as (select created_at, email, lag(created_at) over "
        "(partition by email order by created_at) as earlier from leads where email is not null) "
        f"select cast({day} as timestamp) as day, count(*) as n, "
        f"count(*) filter (created_at - earlier <= interval {_REPEAT_DAYS} day) as k from each "
        "where created_at >= $begin and created_at < $after group by all order by all",
        **moments_of(data),
    )

    def make(step: Step) -> Found | None:
        if abs(step.change) < LARGE:
            return None
        company, way = data.plan.company, (UP, DOWN) if step.change > 0 else (DOWN, UP)
        first = f"{data.plan.stages[0]} to {_second_stage(data)}"
        says = (
            f"{formats.share(step.after, company)} of leads repeat one of the same person within "
            f"{_REPEAT_DAYS} days {when(data, step)}; {formats.share(step.before, company)} did "
            f"before, {points(data, step)} over {formats.number(step.n, company)} leads: they "
            "count as leads and move on once."
        )
        return Found(
            "data", says, None if step.is_gradual else step.day,
            (("lead volume", way[0]), (first, way[1])), (), step.n, step.p_value,
        )  # fmt: skip

    yield "repeats", step_in_share(counts, data.plan.level) if len(counts) else None, make


def _second_stage(data: Tables) -> str:
    from funnel.dataset.stages import recorded_stages

    stages = recorded_stages(data)
    return stages[1] if len(stages) > 1 else data.plan.stages[-1]


def _late_looks(data: Tables) -> Iterator[tuple[float, Callable[[], Found]]]:
    """Tables whose last days are thin, which those of a year earlier were not."""
    if data.comparison.period.end < data.as_of - dt.timedelta(days=_LATE_DAYS[-1]):
        return
    for table in _WITH_DELAY:
        if not data.has(table):
            continue
        daily = _daily(data, table)
        for length in _LATE_DAYS:
            seen, usual, p_value = _thin(daily, length)
            if usual >= _FEWEST_EXPECTED:
                is_thin = seen < _LATE_SHARE * usual
                yield (
                    p_value if is_thin else 1.0,
                    lambda a=table, b=length, c=seen, d=usual, e=p_value: _late(
                        data, a, b, c, d, e
                    ),
                )


def _daily(data: Tables, table: str) -> pd.Series:
    """Rows by local day over the last two years, up to `as_of`; days without any are 0."""
    happened = TABLES[table].happened
    day = local_day(happened, data.plan.company.timezone)
    counts = data.sql(
        f"select cast({day} as timestamp) as day, count(*) as n from {table} "
        f"where {happened} is not null group by all order by all"
    ).set_index("day")["n"]
    last = pd.Timestamp(data.as_of)
    first = max(counts.index.min(), last - pd.Timedelta(days=730))
    return counts.reindex(pd.date_range(first, last), fill_value=0)


def _thin(daily: pd.Series, length: int) -> tuple[float, float, float]:
    """Rows of the last days, those usual for them, and how often chance shows so few."""
    from scipy.stats import norm

    seen, usual, spread = _tail(daily, length)
    year_ago = daily[: daily.index[-1] - pd.Timedelta(days=364)]
    if len(year_ago) >= _LATE_WEEKS * 7 + length:
        earlier, usual_then, _ = _tail(year_ago, length)
        if usual_then > 0:
            usual *= min(earlier / usual_then, 1.0)  # a holiday then is one now
    if not usual > 0:
        return seen, 0.0, 1.0
    # Square roots of counts scatter alike, whatever their mean.
    deviate = 2 * (np.sqrt(seen) - np.sqrt(usual)) / np.sqrt(spread)
    return seen, usual, float(norm.cdf(deviate))


def _tail(daily: pd.Series, length: int) -> tuple[float, float, float]:
    """Rows of the last days, what the same weekdays of the weeks before hold, and their scatter."""
    last = daily.iloc[-length:]
    before = daily.iloc[:-length].iloc[-_LATE_WEEKS * 7 :]
    if len(before) < _LATE_WEEKS * 7:
        return float(last.sum()), 0.0, 1.0
    by_weekday = before.groupby(before.index.day_of_week).mean()
    weekly = before.to_numpy().reshape(_LATE_WEEKS, 7).sum(axis=1)
    spread = max(weekly.var(ddof=1) / max(weekly.mean(), 1e-9), 1.0)
    return float(last.sum()), float(by_weekday[last.index.day_of_week].sum()), float(spread)


def _late(
    data: Tables, table: str, length: int, seen: float, usual: float, p_value: float
) -> Found:
    company = data.plan.company
    since = data.as_of - dt.timedelta(days=length - 1)
    says = (
        f"The last {length} days up to {formats.day(data.as_of, company)} hold "
        f"{formats.number(seen, company)} rows of {table}, where the same weekdays of the "
        f"{_LATE_WEEKS} weeks before make {formats.number(usual, company)} usual: rows may still "
        "arrive."
    )
    return Found("data", says, since, _missing(data, table), (), int(seen), p_value)


def _missing(data: Tables, table: str) -> tuple[tuple[str, str], ...]:
    """Drivers that fall where rows of a table are missing at the end."""
    from funnel.dataset.stages import opportunity_stage, recorded_stages

    stages = recorded_stages(data)
    pairs = [f"{a} to {b}" for a, b in itertools.pairwise(stages)]
    opportunity = opportunity_stage(data.plan.stages)
    at = stages.index(opportunity) if opportunity in stages else len(stages) - 1
    of_table = {
        "leads": ["lead volume"],
        "stage_changes": [*pairs[: max(at - 1, 0)], "timing"],
        "deals": [*pairs[max(at - 1, 0) :], "timing"],
    }
    return tuple((driver, DOWN) for driver in of_table.get(table, ()))


def _stopped(data: Tables) -> Iterator[Found]:
    begin, _ = span_of(data)
    for source in checks.stopped_sources(data):
        if source.last_on < begin and source.channel:
            continue  # a channel given up long ago; a table that ended is missing in both periods
        explains = _missing(data, source.table)
        if source.channel and source.table == "leads":
            explains = (("lead volume", DOWN), ("mix", EITHER))
        yield Found(
            "data", sentence(source, _say(data)), source.last_on + dt.timedelta(days=1), explains,
            (), source.n_rows, source.p_value,
        )  # fmt: skip


def _traps(data: Tables) -> Iterator[Found]:
    """Wins that are recorded from a day on that the bridge looks back to, and amounts likewise."""
    begin, after = span_of(data)
    looked_back_to = begin - dt.timedelta(days=PERIODS_BACK * data.comparison.baseline.n_days)
    since = checks.outcomes_recorded_since(data, "won")
    if since.is_late and since.covered_from and looked_back_to < since.covered_from < after:
        from funnel.dataset.stages import recorded_stages

        pairs = [" to ".join(pair) for pair in itertools.pairwise(recorded_stages(data))]
        flow = ("lead volume", "mix", *pairs, "timing")
        yield Found(
            "data", sentence(since, _say(data)), since.covered_from,
            tuple((driver, EITHER) for driver in flow), (), since.n_leads, since.p_value,
        )  # fmt: skip
    for change in checks.fill_changes(data):
        if change.rows_of == "won deals" and change.column == "amount":
            yield Found(
                "data", sentence(change, _say(data)), data.comparison.period.start,
                (("deal size", EITHER),), (), change.n + change.n_before, change.q_value,
            )  # fmt: skip


def _say(data: Tables) -> Say:
    return Say(data.plan.company, data.plan.level)


def when(data: Tables, step: Step) -> str:
    """Say from which day on, where there is one."""
    if step.is_gradual:
        return "by the end, after a gradual change"
    return f"from {formats.day(step.day, data.plan.company)} on"


def points(data: Tables, step: Step) -> str:
    """Write the change of a share and its interval in points."""
    company = data.plan.company
    change, low, high = (
        formats.number(100 * value, company, digits=1, sign=True)
        for value in (step.change, step.low, step.high)
    )
    return f"{change} points {formats.interval(low, high)}"
