"""Values of a column that begin or end inside the look-back, and successors that replace them."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from funnel.checks.breaks.day_counts import ALL, LOGS, PREFIX, DayCounts, day_counts, rows_before
from funnel.checks.breaks.record_break import (
    EITHER,
    MIX,
    RENAMED,
    REPLACED,
    VALUE_BEGINS,
    VALUE_ENDS,
    RecordBreak,
    into_and_from,
    lookback,
    touching,
)
from funnel.checks.limits import (
    FEWEST_EXPECTED,
    FEWEST_TOGETHER,
    LARGE_GROUP,
    SETTLED_DAYS,
    SHORTEST_SILENCE_OF_VALUE,
    SIMILAR_VOLUME,
    SMALL_SHARE,
    SUCCESSOR_DAYS,
    SUCCESSOR_ROWS,
    SURE,
)
from funnel.checks.natures import ASK, RECORDS
from funnel.checks.table_coverage import BY_CHANNEL
from funnel.contract.tables import TABLES, Kind
from funnel.stats.dispersion import count_dispersion

if TYPE_CHECKING:
    from funnel.dataset import Tables

_ALIKE = 0.6  # of two words, by `difflib`: one is the other one, in another spelling


@dataclass(frozen=True)
class Edge:
    """A value that begins, or ends, on a day (its first day, or the first one without it).

    `rate` is its share of the table's rows while it is there, `n` its rows, `expected` those that
    the other side of the day lacks.
    """

    value: str
    day: int
    begins: bool
    rate: float
    n: int
    expected: float
    p_value: float


def value_changes(data: Tables) -> Iterator[RecordBreak]:
    """Values that begin or end, renamed values, and people who are replaced together.

    A value begins on a day where the rate at which it is seen from then on makes its absence
    before improbable, as a share of the table's rows. Where another value ends within days and has
    about the same volume, it is the same thing under another name.
    """
    counted = [
        (counts, [*_edges(counts)])
        for log in LOGS
        if log != "closings"  # its deals are followed from their opening
        for column, counts in day_counts(data, log).items()
        if column != ALL and column not in LOGS[log].blanks
    ]
    begin = _begin_of_leads(data)
    n_tests = 2 * sum(len(counts.words) for counts, _ in counted)
    for counts, edges in counted:
        # what hangs on leads begins with them
        edges = [
            each
            for each in edges
            if not each.begins or begin is None or abs(each.day - begin) > SUCCESSOR_DAYS
        ]
        yield from _of_column(data, counts, edges, SURE / max(n_tests, 1))


def _begin_of_leads(data: Tables) -> int | None:
    """The day on which leads begin, where that is inside the look-back."""
    counts = day_counts(data, "leads").get(ALL)
    if counts is None or rows_before(data, "leads", "created_at"):
        return None
    return int(np.flatnonzero(counts.total)[0])


def _edges(counts: DayCounts) -> Iterator[Edge]:
    rows = np.flatnonzero(counts.total)
    for value, n, skip in zip(counts.words, counts.n, counts.is_blank, strict=True):
        days = np.flatnonzero(n)
        if skip and not counts.column.startswith(PREFIX):
            continue
        first, last = int(days[0]), int(days[-1])
        if first == last:
            continue  # rows of one day, which begin and end nothing
        there, total = n[first : last + 1], counts.total[first : last + 1].sum()
        rate = n.sum() / total
        weeks = len(there) // 7
        weekly = there[: weeks * 7].reshape(weeks, 7).sum(axis=1)
        dispersion = count_dispersion(weekly)
        before, after = counts.total[:first].sum(), counts.total[last + 1 :].sum()
        if rate < SMALL_SHARE:
            continue
        longest = int(np.diff(days).max(initial=1))
        for begins, others, silence, settled in (
            (True, before, first - rows[0], first - rows[0] >= SETTLED_DAYS),
            (False, after, rows[-1] - last, last - rows[0] >= SETTLED_DAYS),
        ):
            expected = rate * others
            long_enough = silence >= max(SHORTEST_SILENCE_OF_VALUE, 1.5 * longest)
            if expected < FEWEST_EXPECTED / 2 or not settled or not long_enough:
                continue
            yield Edge(
                value=value,
                day=first if begins else last + 1,
                begins=begins,
                rate=float(rate),
                n=int(n.sum()),
                expected=float(expected),
                p_value=float(np.exp(-expected / dispersion)),
            )


def _of_column(
    data: Tables, counts: DayCounts, edges: list[Edge], limit: float
) -> Iterator[RecordBreak]:
    begins = [each for each in edges if each.begins]
    ends = [each for each in edges if not each.begins]
    pairs = _pairs(counts, begins, ends)
    sure = {id(each) for each in edges if each.expected >= FEWEST_EXPECTED and each.p_value < limit}
    named = {id(each) for pair in pairs for each in pair}
    pairs = [pair for pair in pairs if sure & {id(each) for each in pair}]
    if _is_person(counts):
        if len(pairs) >= FEWEST_TOGETHER:  # one by one, people are replaced by others
            yield _replaced(data, counts, pairs)
    elif len(pairs) > 1 and counts.column.startswith(PREFIX):
        yield _replaced(data, counts, pairs)
    else:
        yield from (_renamed(data, counts, *pair) for pair in pairs)
    single = [each for each in edges if id(each) in sure and id(each) not in named]
    if _is_person(counts):
        yield from _groups(data, counts, edges, named)
        return
    for each in single:
        if not each.begins and counts.table in BY_CHANNEL and counts.column == "channel":
            continue  # a source that stopped, which has a test of its own
        yield _alone(data, counts, each)


def _pairs(counts: DayCounts, begins: list[Edge], ends: list[Edge]) -> list[tuple[Edge, Edge]]:
    """Each value that ends with its successor: the one spelled alike, else the only similar one."""
    free, pairs = list(begins), []
    near = {
        id(old): [
            new
            for new in begins
            if new.value != old.value
            and _follows(counts, old, new)
            and min(new.rate, old.rate) >= SIMILAR_VOLUME * max(new.rate, old.rate)
        ]
        for old in ends
    }
    for spelled in (True, False):
        for old in ends:
            if any(old is each for each, _ in pairs):
                continue
            left = [new for new in near[id(old)] if any(new is each for each in free)]
            if spelled:
                left = [new for new in left if _is_alike(old.value, new.value)]
            if left:
                new = min(left, key=lambda each: abs(np.log(each.rate / old.rate)))
                pairs.append((old, new))
                free = [each for each in free if each is not new]
    return pairs


def _follows(counts: DayCounts, old: Edge, new: Edge) -> bool:
    """Whether one value begins as the other ends: within days, or hardly a row of it later."""
    between = slice(*sorted((old.day, new.day)))
    rows = old.rate * counts.total[between].sum()
    return abs(new.day - old.day) <= SUCCESSOR_DAYS or rows <= SUCCESSOR_ROWS


def _is_alike(old: str, new: str) -> bool:
    a, b = ("".join(filter(str.isalnum, each.casefold())) for each in (old, new))
    return a == b or difflib.SequenceMatcher(None, a, b).ratio() >= _ALIKE


def _renamed(data: Tables, counts: DayCounts, old: Edge, new: Edge) -> RecordBreak:
    is_key = counts.column.startswith(PREFIX)
    has_line = not (is_key or _is_person(counts))
    line = alias_line(data, counts.column, old.value, new.value) if has_line else ""
    return RecordBreak(
        what=RENAMED,
        nature=RECORDS,
        table=counts.table,
        column=counts.column,
        words=(old.value, new.value),
        since=_day(data, new.day),
        n=old.n,
        before=old.rate,
        after=new.rate,
        touched=_touched(data, counts, new.day, (old.value, new.value)),
        remedy=line,
        p_value=min(old.p_value, new.p_value),
    )


def _replaced(
    data: Tables, counts: DayCounts, pairs: list[tuple[Edge, Edge]]
) -> RecordBreak:  # fmt: skip
    return RecordBreak(
        what=REPLACED,
        nature=RECORDS,
        table=counts.table,
        column=counts.column,
        words=tuple(new.value for _, new in pairs),
        since=_day(data, int(np.median([new.day for _, new in pairs]))),
        n=sum(old.n for old, _ in pairs),
        before=sum(old.rate for old, _ in pairs),
        after=sum(new.rate for _, new in pairs),
        touched=_touched(data, counts, pairs[0][1].day, ()),
        p_value=min(each.p_value for pair in pairs for each in pair),
    )


def _alone(data: Tables, counts: DayCounts, edge: Edge) -> RecordBreak:
    """A value that begins or ends by itself: the records, or the business."""
    return RecordBreak(
        what=VALUE_BEGINS if edge.begins else VALUE_ENDS,
        nature=ASK,
        table=counts.table,
        column=counts.column,
        words=(edge.value,),
        since=_day(data, edge.day),
        n=edge.n,
        before=0.0 if edge.begins else edge.rate,
        after=edge.rate if edge.begins else 0.0,
        expected=edge.expected,
        touched=_touched(data, counts, edge.day, (edge.value,)),
        p_value=edge.p_value,
    )


def _groups(
    data: Tables, counts: DayCounts, edges: Iterable[Edge], named: set[int]
) -> Iterator[RecordBreak]:
    """People who begin, or end, within days of each other and hold many of the rows."""
    for begins in (True, False):
        mine = sorted(
            (each for each in edges if each.begins == begins and id(each) not in named),
            key=lambda each: each.day,
        )
        groups = [
            [each for each in mine if 0 <= each.day - first.day <= SUCCESSOR_DAYS] for first in mine
        ]
        group = max(groups, key=len, default=[])
        if len(group) < FEWEST_TOGETHER or sum(each.rate for each in group) < LARGE_GROUP:
            continue
        yield RecordBreak(
            what=VALUE_BEGINS if begins else VALUE_ENDS,
            nature=ASK,
            table=counts.table,
            column=counts.column,
            words=tuple(each.value for each in group),
            since=_day(data, group[0].day),
            n=sum(each.n for each in group),
            before=0.0 if begins else sum(each.rate for each in group),
            after=sum(each.rate for each in group) if begins else 0.0,
            expected=sum(each.expected for each in group),
            p_value=min(each.p_value for each in group),
        )


def _touched(
    data: Tables, counts: DayCounts, day: int, values: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    direction = lookback(data).of_step(_day(data, day), EITHER, of_leads=True)
    if counts.table == "leads" and counts.column in data.plan.segments:
        return touching(([MIX], direction))
    if counts.table == "stage_changes" and counts.column == "stage":
        steps = [name for stage in values for part in into_and_from(data, stage) for name in part]
        return touching((dict.fromkeys(steps), direction))
    return ()


def _is_person(counts: DayCounts) -> bool:
    column = TABLES[counts.table].by_name.get(counts.column)
    return column is not None and column.kind is Kind.PERSON


def alias_line(data: Tables, column: str, old: str, new: str) -> str:
    """The plan's line that reads one word as another one; it replaces the one that is there."""
    words = {**data.plan.records.aliases.get(column, {}), old: new}
    listed = ", ".join(f"{_toml(word)} = {_toml(meant)}" for word, meant in words.items())
    return f"aliases.{column} = {{ {listed} }}"


def _toml(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _day(data: Tables, at: int) -> dt.date:
    return lookback(data).days[min(at, len(lookback(data).days) - 1)].date()
