"""First check: changes of the records rather than of the business."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from funnel import checks
from funnel.checks.breaks import RENAMED, RecordBreak
from funnel.checks.breaks.record_break import lookback, opposite, touching
from funnel.checks.limits import FALSE_ALARMS, PERIODS_BACK
from funnel.checks.natures import RECORDS
from funnel.contract.tables import TABLES
from funnel.dataset.cache import cached
from funnel.dataset.casts import local_day
from funnel.dataset.engine import quoted
from funnel.dataset.stages import recorded_stages
from funnel.methods.bridge.other_deals import OUTSIDE_FLOW
from funnel.questions.why import touched_wins
from funnel.questions.why.findings import (
    DOWN,
    EITHER,
    FOUND,
    INCONCLUSIVE,
    PASSED,
    SEPARATOR,
    UP,
    Finding,
)
from funnel.questions.why.late_rows import drivers_of_missing, late_rows
from funnel.stats.change_points import Step, step_in_share

if TYPE_CHECKING:
    from funnel.dataset import Tables

Test = tuple[int, Finding | None]  # rows tested, and what a large step would be
LARGE = 0.05  # a share that changed by less is too small to be mistaken for something else
_REPEAT_DAYS = 7
_STATES = (FOUND, INCONCLUSIVE, PASSED)
_STATE_OF = {checks.RECORDS: FOUND, checks.ASK: INCONCLUSIVE, checks.BUSINESS: PASSED}


@cached
def record_findings(data: Tables) -> tuple[Finding, ...]:
    """Changes of the records: lost fields, late rows, stopped sources, breaks in the look-back.

    Returns
    -------
    tuple
        Each finding; or one row that says that none was found, or that there are too few rows.
    """
    tests = [*_lost_fields(data), *_repeats(data)]
    late = [*late_rows(data)]
    n_tests = len(tests) + len(late)
    limit = FALSE_ALARMS / max(n_tests, 1)
    # Of two tests of one field, the wider one counts.
    fields = {(each.table, each.column): each for _, each in tests if each and each.p_value < limit}
    found = [*fields.values()]
    collapsed = [*_collapses(data)]
    # rows that have been few for four weeks are not late
    known = {each.table for each in collapsed if each.column == TABLES[each.table].happened}
    found += [each for each in late if each.p_value < limit and each.table not in known]
    broken = [each for each in checks.record_breaks(data) if _explains(each, found)]
    renamed = {(each.table, word) for each in broken if each.what == RENAMED for word in each.words}
    stopped = [each for each in _stopped(data) if (each.table, each.subject) not in renamed]
    found += [*stopped, *_outcome_gaps(data), *collapsed]
    found += [_of_break(data, each) for each in broken]
    found.sort(key=lambda each: _STATES.index(each.state))
    if found and found[0].state != PASSED:
        return tuple(found)
    n = max((n for n, _ in tests), default=0)
    state = PASSED if n_tests else INCONCLUSIVE
    return (Finding(check="data", state=state, kind="tests", n=n, n_tests=n_tests), *found)


def _explains(broken: RecordBreak, found: list[Finding]) -> bool:
    """Whether a break is one of the records, can explain a driver, and is not found already."""
    same = any((each.table, each.column) == (broken.table, broken.column) for each in found)
    return broken.nature == RECORDS and bool(broken.touched) and not (same and broken.column)


def _of_break(data: Tables, broken: RecordBreak) -> Finding:
    return Finding(
        check="data",
        state=FOUND,
        kind=broken.what,
        since=broken.since,
        table=broken.table,
        column=broken.column,
        subject=SEPARATOR.join(broken.words),
        before=broken.before,
        after=broken.after,
        n=broken.n,
        expected=broken.expected,
        days=broken.days,
        p_value=broken.p_value,
        touched=broken.touched,
        at_most=touched_wins.of_break(data, broken),
    )


def _lost_fields(data: Tables) -> Iterator[Test]:
    """Segments of leads, and the channel of touches, that are unknown more often from a day on."""
    segments = [name for name in data.plan.segments if data.has("leads", name)]
    fields = [("leads", name) for name in dict.fromkeys(("channel", *segments))]
    fields += [("touches", "channel")]
    for table, column in fields:
        if not data.has(table, column) or _is_number(data, table, column):
            continue
        counts = _by_value(data, table, column)
        yield _lost(data, table, column, counts, counts["is_unknown"])
        if column == "channel" and counts["is_direct"].any():
            dark = counts["is_unknown"] | counts["is_direct"]
            yield _lost(data, table, column, counts, dark, or_direct=True)


def _is_number(data: Tables, table: str, column: str) -> bool:
    described = data.sql(f"select typeof({quoted(column)}) as kind from {table} limit 1")
    return bool(described["kind"].iloc[0] in ("DOUBLE", "BIGINT"))


def _by_value(data: Tables, table: str, column: str) -> pd.DataFrame:
    """Rows by local day and value, and whether the value says that nothing is known."""
    happened = TABLES[table].happened
    day = local_day(happened, data.plan.company.timezone)
    counts = data.sql(
        f"select cast({day} as timestamp) as day, {quoted(column)} as value, count(*) as n "
        f"from {table} where {data.plan.within_sql(happened, lookback(data).span)} "
        "group by all order by all"
    )
    values = counts["value"]
    return counts.assign(is_unknown=checks.is_unknown(values), is_direct=checks.is_direct(values))


def _lost(
    data: Tables,
    table: str,
    column: str,
    counts: pd.DataFrame,
    lost: pd.Series,
    *,
    or_direct: bool = False,
) -> Test:
    """Test of the share of rows whose value is lost."""
    counts = counts.assign(k=counts["n"].where(lost, 0))
    step = step_in_share(counts, data.plan.level)
    if not _is_large(step) or (or_direct and not _named_changed_against(counts, step)):
        return step.n if step else 0, None
    is_segment = table == "leads" and column in data.plan.segments
    return step.n, Finding(
        **of_step("data", step),
        kind="lost field or direct" if or_direct else "lost field",
        table=table,
        column=column,
        touched=(("mix", EITHER),) if is_segment else (),
        at_most=touched_wins.of_unknown(data, column) if is_segment else math.inf,
    )


def _is_large(step: Step | None) -> bool:
    return step is not None and abs(step.change) >= LARGE


def of_step(check: str, step: Step) -> dict[str, Any]:
    """Fields of a finding that follow from a step in a share."""
    return {
        "check": check,
        "state": FOUND,
        "since": None if step.is_gradual else step.day,
        "before": step.before,
        "after": step.after,
        "change": step.change,
        "low": step.low,
        "high": step.high,
        "unit": "share",
        "n": step.n,
        "p_value": step.p_value,
    }


def _named_changed_against(counts: pd.DataFrame, step: Step) -> bool:
    """Whether rows with a named channel changed the other way, as relabelled ones do.

    More direct visits with as many of all others are more visits, and no lost channel.
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


def _repeats(data: Tables) -> Iterator[Test]:
    """Leads that repeat one of the same person within days."""
    if not data.has("leads", "email"):
        return
    day = local_day("created_at", data.plan.company.timezone)
    counts = data.sql(
        "with each as (select created_at, email, lag(created_at) over "
        "(partition by email order by created_at) as earlier from leads where email is not null) "
        f"select cast({day} as timestamp) as day, count(*) as n, "
        f"count(*) filter (created_at - earlier <= interval {_REPEAT_DAYS} day) as k from each "
        f"where {data.plan.within_sql('created_at', lookback(data).span)} "
        "group by all order by all"
    )
    step = step_in_share(counts, data.plan.level) if len(counts) else None
    if not _is_large(step):
        yield step.n if step else 0, None
        return
    more = lookback(data).of_step(step.day, UP if step.change > 0 else DOWN, of_leads=True)
    stages = recorded_stages(data)
    second = stages[1] if len(stages) > 1 else data.plan.stages[-1]
    yield (
        step.n,
        Finding(
            **of_step("data", step),
            kind="repeated leads",
            table="leads",
            days=_REPEAT_DAYS,
            touched=touching(
                (["lead volume"], more), ([f"{data.plan.stages[0]} to {second}"], opposite(more))
            ),
            at_most=abs(step.change) * touched_wins.larger_value(data),
        ),
    )


def _stopped(data: Tables) -> Iterator[Finding]:
    for source in checks.stopped_sources(data):
        if source.last_on < data.comparison.baseline.start and source.channel:
            continue  # a channel given up long ago; a table that ended is missing in both periods
        touched, channel = drivers_of_missing(data, source.table), source.channel
        if channel:
            is_missing = source.table == "leads" and source.nature == checks.RECORDS
            touched = (("lead volume", DOWN), ("mix", EITHER)) if is_missing else ()
        yield Finding(
            check="data",
            state=_STATE_OF[source.nature],
            kind="source stopped",
            since=source.last_on + dt.timedelta(days=1),
            table=source.table,
            subject=source.channel,
            nature=source.nature,
            successor=source.successor,
            n=source.n_rows,
            expected=source.expected,
            p_value=source.p_value,
            touched=touched,
            at_most=touched_wins.of_rows(data, "leads", source.expected) if channel else math.inf,
        )


def _collapses(data: Tables) -> Iterator[Finding]:
    """Events at a fraction of their rate: drivers stay as they are, and both sides are asked."""
    for collapse in checks.collapses(data):
        yield Finding(
            check="data",
            state=_STATE_OF[collapse.nature],
            kind="collapse",
            since=collapse.since,
            table=collapse.table,
            column=collapse.column,
            nature=collapse.nature,
            n=collapse.n,
            expected=collapse.expected,
            p_value=collapse.p_value,
        )


def _outcome_gaps(data: Tables) -> Iterator[Finding]:
    """Wins recorded from a day on that the bridge looks back to, and amounts of won deals."""
    baseline, until = data.comparison.baseline, data.comparison.period.end
    looked_back_to = baseline.start - dt.timedelta(days=PERIODS_BACK * baseline.n_days)
    since = checks.outcomes_recorded_since(data, "won")
    if since.is_late and since.covered_from and looked_back_to < since.covered_from <= until:
        pairs = [" to ".join(pair) for pair in itertools.pairwise(recorded_stages(data))]
        flow = ("lead volume", "mix", *pairs, "timing")
        yield Finding(
            check="data",
            state=FOUND,
            kind="wins recorded since",
            since=since.covered_from,
            n=since.n_leads,
            n_affected=since.recorded,
            expected=since.expected,
            p_value=since.p_value,
            touched=tuple((driver, EITHER) for driver in flow),
            at_most=touched_wins.begun_before(data, since.covered_from),
        )
    for change in checks.fill_changes(data):
        if change.rows_of == "won deals" and change.column == "amount":
            yield Finding(
                check="data",
                state=FOUND,
                kind="fill change",
                since=data.comparison.period.start,
                table="deals",
                column="amount",
                before=change.share_before,
                after=change.share,
                change=change.share - change.share_before,
                low=change.low,
                high=change.high,
                unit="share",
                n=change.n,
                n_before=change.n_before,
                p_value=change.q_value,
                touched=tuple((driver, EITHER) for driver in ("deal size", *OUTSIDE_FLOW)),
                at_most=touched_wins.without_amount(data),
            )
