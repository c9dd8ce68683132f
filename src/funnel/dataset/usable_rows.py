"""What questions see of a table: usable rows, once each, as at the end of a day."""

from __future__ import annotations

import dataclasses
import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from funnel.contract.plan import Plan
from funnel.contract.tables import Column, Kind
from funnel.dataset import casts, privacy
from funnel.dataset.engine import Engine, quoted
from funnel.dataset.row_checks import FILE, ROW
from funnel.dataset.table_reader import Reader, holds_odd, key_shown, lay_out

_MOST_SORTED = 50_000_000  # keys that fit into memory eight bytes each
_GLANCE = 100_000  # keys that show whether it is worth the while to look at all


def usable(reader: Reader) -> str:
    """Write where a table's usable rows are, on whatever day."""
    return f"checked.{reader.name} where not {reader.is_broken}"


def _is_after(column: Column, plan: Plan, as_of: dt.date) -> str:
    name = quoted(column.name)
    if column.kind is Kind.DATE:
        return f"coalesce({name} > date '{as_of}', false)"
    cut = plan.midnight(as_of + dt.timedelta(days=1)).replace(tzinfo=None)
    return f"coalesce({name} >= timestamp '{cut}', false)"


def keep(engine: Engine, reader: Reader, plan: Plan, as_of: dt.date) -> None:
    """Make the table that questions see: usable rows, once each, as at the end of `as_of`."""
    name, table = reader.name, reader.table
    conditions = [f"not {reader.is_broken}"] if reader.n_broken else []
    reader.as_of = as_of
    if table.happened:
        reader.after = _is_after(table.by_name[table.happened], plan, as_of)
        if _may_be_after(reader, plan, as_of):
            counted = f"select count(*), min({key_shown(reader)}, 3) from {usable(reader)}"
            reader.n_after, reader.strays = engine.rows(f"{counted} and {reader.after}")[0]
        if reader.n_after:
            conditions.append(f"not {reader.after}")
    _find_twice(engine, reader, conditions)
    shown = ", ".join(f"{sql} as {quoted(column)}" for column, sql in _shown(reader, plan, as_of))
    where = f" where {' and '.join(conditions)}" if conditions else ""
    if reader.is_big:
        rows = f"select {shown} from checked.{name}{where}"
        if reader.n_twice:
            also = " and " if conditions else " where "
            rows += f"{also}{_is_key_of(reader, 'not in')} union all by name "
            rows += f'select {shown} from aside.{name}_twice where "nth:" = 1'
        engine.execute(f"create view {name} as {rows}")
        return
    if reader.n_twice:
        also = " and " if conditions else " where "
        where += f"{also}({FILE}, {ROW}) not in (select {FILE}, {ROW} from aside.{name}_twice "
        where += 'where "nth:" > 1)'
    engine.execute(f"create table {name} as select {shown} from checked.{name}{where} order by all")
    if not reader.n_rejected:
        engine.execute(f"drop table raw.{name}")


def _shown(reader: Reader, plan: Plan, as_of: dt.date) -> list[tuple[str, str]]:
    """Write each column as it may be seen: identities hashed, what came later not yet there."""
    table = reader.table
    shown = []
    for column, kind in reader.reading.kinds.items():
        cell = quoted(column)
        known = table.by_name.get(column)
        if reader.source.type_of(column) is None:
            shown.append((column, cell))
            continue
        if kind in (Kind.ID, Kind.TEXT, Kind.PERSON, Kind.IDENTITY) and not (
            known and (known.choices or column == "stage")
        ):
            cell = privacy.protected(kind, cell, is_odd=column in reader.odd)
        elif known and kind in casts.TIMES and column != table.happened and not known.planned:
            cell = f"case when {_is_after(known, plan, as_of)} then null else {cell} end"
        if table.name == "deals" and column in ("outcome", "loss_reason"):
            later = _is_after(table.by_name["closed_at"], plan, as_of)
            then = "'open'" if column == "outcome" else "null"
            cell = f"case when {later} then {then} else {cell} end"
        shown.append((column, cell))
    return shown


def every_key(reader: Reader) -> str:
    """Write a query for the keys of all rows as they may be seen, those set aside too."""
    shown = [
        f"{privacy.protected(kind, quoted(name), is_odd=name in reader.odd)} as {quoted(name)}"
        if (kind := reader.reading.kinds[name]) is Kind.ID
        else quoted(name)
        for name in _key_columns(reader)
    ]
    return f"select {', '.join(shown)} from checked.{reader.name}"


def _key_columns(reader: Reader) -> list[str]:
    return [column for column in reader.table.key if reader.source.type_of(column)]


def _is_key_of(reader: Reader, how: str) -> str:
    keys = [
        f"coalesce({quoted(column)}, '')"
        if reader.reading.kinds[column] not in casts.TIMES
        else quoted(column)
        for column in _key_columns(reader)
    ]
    return f"({', '.join(keys)}) {how} (select {', '.join(keys)} from aside.{reader.name}_twice)"


def _may_be_after(reader: Reader, plan: Plan, as_of: dt.date) -> bool:
    newest = reader.newest
    if isinstance(newest, dt.datetime):
        return newest.replace(tzinfo=dt.UTC) >= plan.midnight(as_of + dt.timedelta(days=1))
    # a day beyond Python's calendar comes as text
    return newest > as_of if isinstance(newest, dt.date) else newest is not None


def _find_twice(engine: Engine, reader: Reader, conditions: list[str]) -> None:
    """Find keys that are there twice, and choose the fullest row, whatever the order of rows."""
    keys = _key_columns(reader)
    if not keys:
        return
    name = reader.name
    required = set(reader.table.required)
    usable = [*conditions]
    if not required & set(keys):
        usable.append(" and ".join(f"{quoted(key)} is not null" for key in keys))
    where = f" where {' and '.join(usable)}" if usable else ""
    listed = ", ".join(quoted(key) for key in keys)
    if _is_counted_up(engine, reader, keys):
        return
    if not _has_equal(engine, reader, listed, where):
        return
    full = " + ".join(f"({quoted(column)} is not null)::int" for column in reader.columns)
    content = ", ".join(quoted(column) for column in reader.columns)
    engine.execute(
        f"create table aside.{name}_twice as select *, row_number() over (partition by {listed} "
        f'order by {full} desc, {content}, {FILE}, {ROW}) as "nth:" from {reader.numbered}{where} '
        f"qualify count(*) over (partition by {listed}) > 1"
    )
    reader.n_twice = engine.rows(f'select count(*) from aside.{name}_twice where "nth:" > 1')[0][0]


def _is_counted_up(engine: Engine, reader: Reader, keys: list[str]) -> bool:
    """Whether each key is greater than the one before it, as keys that were counted up are."""
    cell = _one_text(reader, keys)
    if not cell:
        return False
    is_known = reader.reading.bare[keys[0]] == cell and keys[0] not in reader.odd
    asked = "true" if is_known else casts.all_simple("key")
    scans = _halves(reader)
    for some in (f" limit {_GLANCE}", ""):
        halves = engine.rows_of_each(
            [
                f"select bool_and(key > before), {asked}, min(key) filter (before is null), "
                f"{'max(key)' if scan == scans[0] else 'null'} from "
                f"(select key, lag(key) over () as before from "
                f"(select {cell} as key from {scan} where {cell} is not null{some}))"
                for scan in scans
            ]
        )
        if not all(rows[0][0] for rows in halves):
            return False
    if len(halves) > 1 and not halves[0][0][3] < halves[1][0][2]:
        return False
    is_simple = all(rows[0][1] for rows in halves)
    if is_simple:
        _read_as_it_is(engine, reader, keys[0], cell)
        return True
    rows = f"select {cell} as key from {reader.source.scan} where {cell} is not null"
    # a blank at an end would be trimmed, and what rises before that need not rise after it
    if not engine.rows(f"select bool_and({casts.is_plain('key')}) from ({rows})")[0][0]:
        return False
    if not holds_odd(engine, keys[0], reader.name):
        reader.odd -= set(keys)
    return True


def _halves(reader: Reader) -> list[str]:
    """Write scans of the first and the second half of a Parquet file, each in its order."""
    source = reader.source
    middle = reader.n_in // 2
    if source.text is not None or len(source.files) != 1 or not middle:
        return [source.scan]
    numbered = source.scan.replace("union_by_name", "file_row_number = true, union_by_name", 1)
    return [f"(from {numbered} where file_row_number {is_in} {middle})" for is_in in ("<", ">=")]


def _one_text(reader: Reader, keys: list[str]) -> str:
    """Name the source's column of a big table's key, where that is one column of text."""
    source = reader.source
    if not reader.is_big or len(keys) > 1 or source.type_of(keys[0]) != "VARCHAR":
        return ""
    return quoted(next(given for given, name in source.names.items() if name == keys[0]))


def _read_as_it_is(engine: Engine, reader: Reader, key: str, cell: str) -> None:
    """Leave out the care for blanks and identities where no key needs it."""
    reader.odd -= {key}
    reader.reading = dataclasses.replace(reader.reading, bare={**reader.reading.bare, key: cell})
    lay_out(engine, reader, reader.source.scan)


def _has_equal(engine: Engine, reader: Reader, listed: str, where: str) -> bool:
    """Whether two hashes are equal; sorting numbers takes half the time of grouping keys."""
    hashes = f"select hash({listed}) as h from checked.{reader.name}{where}"
    if reader.n_in > _MOST_SORTED:
        return bool(engine.rows(f"select 1 from ({hashes}) group by h having count(*) > 1 limit 1"))
    keys = _key_columns(reader)
    cell = _one_text(reader, keys)
    if cell:
        # all rows, set aside or not: if no two of them are equal, no two of the others are
        looked = engine.execute(
            f"select hash({cell}) as h, {casts.is_simple(cell)} and strlen({cell}) <= "
            f"{casts.LONGEST_TEXT} as s from {reader.source.scan} where {cell} is not null"
        ).fetchnumpy()
        if np.asarray(looked["s"]).all():
            _read_as_it_is(engine, reader, keys[0], cell)
            return has_equal(np.asarray(looked["h"]))
        del looked
    return has_equal(np.asarray(engine.execute(hashes).fetchnumpy()["h"]))


def has_equal(found: np.ndarray) -> bool:
    """Whether two of many hashes are equal."""
    # two halves that cannot share a hash, sorted at the same time
    upper = found > np.uint64(1 << 63)
    with ThreadPoolExecutor(2) as pool:
        return any(pool.map(_has_equal_neighbours, (found[upper], found[~upper])))


def _has_equal_neighbours(hashes: np.ndarray) -> bool:
    hashes.sort()
    return bool((hashes[1:] == hashes[:-1]).any())
