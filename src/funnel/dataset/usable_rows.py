"""The rows of a table that every analysis uses: each once, as at the end of a day."""

from __future__ import annotations

import dataclasses
import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from funnel.contract.plan import Plan
from funnel.contract.tables import Column, Kind
from funnel.dataset import casts, privacy, repeated_deals
from funnel.dataset.engine import Engine, quoted
from funnel.dataset.row_checks import FILE, FOLDED, MERGED, ROW
from funnel.dataset.table_reader import (
    MAY_BE_WON,
    Reader,
    holds_odd,
    key_shown,
    materialise,
    money_of,
    oddities,
)

_MOST_SORTED = 50_000_000  # keys whose hashes, of eight bytes each, are sorted in memory
_FIRST_ROWS = 100_000  # keys that show whether it pays to check all of them


def usable(reader: Reader) -> str:
    """SQL of a table's rows that are not broken, whenever they happened."""
    return f"checked.{reader.name} where not {reader.is_broken}"


def _is_after(column: Column, plan: Plan, as_of: dt.date) -> str:
    name = quoted(column.name)
    if column.kind is Kind.DATE:
        return f"coalesce({name} > date '{as_of}', false)"
    return _is_later(name, plan, as_of)


def _is_later(moment: str, plan: Plan, day: dt.date) -> str:
    """SQL condition that a moment lies after the end of a day."""
    cut = plan.midnight(day + dt.timedelta(days=1)).replace(tzinfo=None)
    return f"coalesce({moment} >= timestamp '{cut}', false)"


def make_table(engine: Engine, reader: Reader, plan: Plan, as_of: dt.date, newest: dt.date) -> None:
    """Create the table that analyses use: usable rows, once each, as at the end of `as_of`.

    A deal closed after both `as_of` and `newest`, the newest day of ordinary activity, has a
    mistyped date: whether it was open then is unknown, so it is not used.
    """
    name, table = reader.name, reader.table
    conditions = [f"not {reader.is_broken}"] if reader.n_broken else []
    reader.as_of = as_of
    if table.happened:
        reader.after = _is_after(table.by_name[table.happened], plan, as_of)
        if name == "deals":
            closed = "case when outcome <> 'open' then closed_at end"
            opened = f"coalesce(created_at, {closed})"
            reader.closed_later = _is_later(f"({closed})", plan, as_of)
            reader.mistyped = _is_later(f"({closed})", plan, max(as_of, newest))
            reader.after = f"({_is_later(opened, plan, as_of)} or {reader.mistyped})"
            unused = {
                "closed_after_data": f"not {reader.is_broken} and {reader.mistyped}",
                "rejected_money": f"{reader.is_broken} and {money_of(reader, plan)} <> 0 "
                f"and {MAY_BE_WON}",
            }
            reader.oddities |= oddities(engine, reader, plan, reader.numbered, unused)
        if name == "deals" or _may_be_after(reader, plan, as_of):
            stray = f"filter (not {reader.mistyped})"
            reader.n_after, reader.n_strays, reader.strays = engine.rows(
                f"select count(*), count(*) {stray}, min({key_shown(reader)}, 3) {stray} "
                f"from {usable(reader)} and {reader.after}"
            )[0]
        if reader.n_after:
            conditions.append(f"not {reader.after}")
    _find_duplicates(engine, reader, plan, conditions)
    if name == "deals":
        repeated_deals.settle(engine, reader, plan, conditions)
    shown = ", ".join(
        f"{sql} as {quoted(column)}" for column, sql in _visible_columns(reader, plan, as_of)
    )
    where = f" where {' and '.join(conditions)}" if conditions else ""
    if reader.is_big:
        rows = f"select {shown} from checked.{name}{where}"
        if reader.n_duplicates:
            also = " and " if conditions else " where "
            rows += f"{also}{_has_duplicate_key(reader, 'not in')} union all by name "
            rows += f'select {shown} from rejected.{name}_duplicates where "nth:" = 1'
        engine.execute(f"create view {name} as {rows}")
        return
    if reader.n_duplicates:
        also = " and " if conditions else " where "
        where += f"{also}({FILE}, {ROW}) not in (select {FILE}, {ROW} "
        where += f'from rejected.{name}_duplicates where "nth:" > 1)'
    engine.execute(f"create table {name} as select {shown} from checked.{name}{where} order by all")
    if not reader.n_rejected and not reader.n_excluded:
        engine.execute(f"drop table raw.{name}")


def _visible_columns(reader: Reader, plan: Plan, as_of: dt.date) -> list[tuple[str, str]]:
    """SQL of each column as it is shown: identities hashed, and empty what came after `as_of`."""
    table = reader.table
    shown = []
    for column, kind in reader.reading.kinds.items():
        cell = quoted(column)
        known = table.by_name.get(column)
        if reader.source.type_of(column) is None:
            shown.append((column, cell))
            continue
        if kind in (Kind.ID, *casts.TEXTS, Kind.PERSON, Kind.IDENTITY) and not (
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


def all_keys(reader: Reader) -> str:
    """Query for the keys of all rows as they are shown, those of rejected rows included."""
    shown = [
        f"{privacy.protected(kind, quoted(name), is_odd=name in reader.odd)} as {quoted(name)}"
        if (kind := reader.reading.kinds[name]) is Kind.ID
        else quoted(name)
        for name in _key_columns(reader)
    ]
    return f"select {', '.join(shown)} from checked.{reader.name}"


def _key_columns(reader: Reader) -> list[str]:
    keys = [column for column in reader.table.key if reader.source.type_of(column)]
    # what was recorded of two accounts, before they became one, is no repeat
    return [*keys, MERGED.strip('"')] if reader.reading.was and not reader.folds else keys


def _has_duplicate_key(reader: Reader, how: str) -> str:
    keys = [
        f"coalesce({quoted(column)}, '')"
        if reader.reading.kinds.get(column) not in casts.TIMES
        else quoted(column)
        for column in _key_columns(reader)
    ]
    listed = ", ".join(keys)
    return f"({listed}) {how} (select {listed} from rejected.{reader.name}_duplicates)"


def _may_be_after(reader: Reader, plan: Plan, as_of: dt.date) -> bool:
    newest = reader.newest
    if isinstance(newest, dt.datetime):
        return newest.replace(tzinfo=dt.UTC) >= plan.midnight(as_of + dt.timedelta(days=1))
    # a day that Python's calendar cannot hold comes as text
    return newest > as_of if isinstance(newest, dt.date) else newest is not None


def _find_duplicates(engine: Engine, reader: Reader, plan: Plan, conditions: list[str]) -> None:
    """Find rows with the same key, the fullest one first, whatever the order of the file."""
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
    if _is_ascending(engine, reader, keys):
        return
    if not _has_equal(engine, reader, listed, where):
        return
    full = " + ".join(f"({quoted(column)} is not null)::int" for column in reader.columns)
    content = ", ".join(quoted(column) for column in reader.columns)
    folded = "false"
    if reader.folds:
        same = f"partition by {listed} order by {MERGED} is not null, {MERGED}"
        folded = f"{MERGED} is distinct from first_value({MERGED}) over ({same})"
    engine.execute(
        f"create table rejected.{name}_duplicates as "
        f"select *, row_number() over (partition by {listed} "
        f'order by {FOLDED}, {full} desc, {content}, {FILE}, {ROW}) as "nth:", '
        f'cast(null as varchar) as "like:" '
        f"from (select *, {folded} as {FOLDED} from {reader.numbered}{where}) "
        f"qualify count(*) over (partition by {listed}) > 1"
    )
    counted = f'select count(*) from rejected.{name}_duplicates where "nth:" > 1'
    reader.n_duplicates = engine.rows(counted)[0][0]
    if reader.folds:
        which = {f"folded_{keys[0]}": FOLDED}
        found = oddities(engine, reader, plan, f"rejected.{name}_duplicates", which)
        reader.n_folded = sum(odd.n for odd in found.values())
        reader.oddities |= found


def _is_ascending(engine: Engine, reader: Reader, keys: list[str]) -> bool:
    """Whether each key is greater than the one before it, so that none can occur twice."""
    cell = _one_text(reader, keys)
    if not cell:
        return False
    is_known = reader.reading.bare[keys[0]] == cell and keys[0] not in reader.odd
    simple = "true" if is_known else casts.all_simple("key")
    scans = _halves(reader)
    for some in (f" limit {_FIRST_ROWS}", ""):
        halves = engine.rows_of_each(
            [
                f"select bool_and(key > before), {simple}, min(key) filter (before is null), "
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
    # keys with blanks at an end are trimmed, and may be out of order afterwards
    if not engine.rows(f"select bool_and({casts.is_plain('key')}) from ({rows})")[0][0]:
        return False
    if not holds_odd(engine, keys[0], reader.name):
        reader.odd -= set(keys)
    return True


def _halves(reader: Reader) -> list[str]:
    """SQL scans of the first and the second half of a Parquet file, each in its order."""
    source = reader.source
    middle = reader.n_in // 2
    if source.text is not None or len(source.files) != 1 or not middle:
        return [source.scan]
    numbered = source.scan.replace("union_by_name", "file_row_number = true, union_by_name", 1)
    return [f"(from {numbered} where file_row_number {is_in} {middle})" for is_in in ("<", ">=")]


def _one_text(reader: Reader, keys: list[str]) -> str:
    """The source's column of a big table's key, where that is one column of text; else empty."""
    source = reader.source
    if not reader.is_big or len(keys) > 1 or source.type_of(keys[0]) != "VARCHAR":
        return ""
    if keys[0] in reader.reading.changed:
        return ""
    return quoted(next(given for given, name in source.names.items() if name == keys[0]))


def _read_as_it_is(engine: Engine, reader: Reader, key: str, cell: str) -> None:
    """Read a key without trimming and cleaning it, since no key needs that."""
    reader.odd -= {key}
    reader.reading = dataclasses.replace(reader.reading, bare={**reader.reading.bare, key: cell})
    materialise(engine, reader, reader.source.scan)


def _has_equal(engine: Engine, reader: Reader, listed: str, where: str) -> bool:
    """Whether the hashes of two keys are equal, which takes half the time of comparing keys."""
    hashes = f"select hash({listed}) as h from checked.{reader.name}{where}"
    if reader.n_in > _MOST_SORTED:
        return bool(engine.rows(f"select 1 from ({hashes}) group by h having count(*) > 1 limit 1"))
    keys = _key_columns(reader)
    cell = _one_text(reader, keys)
    if cell:
        # over all rows, rejected ones included: without equal keys here there are none below
        found = engine.execute(
            f"select hash({cell}) as h, {casts.is_key(cell)} and strlen({cell}) <= "
            f"{casts.LONGEST_TEXT} as s from {reader.source.scan} where {cell} is not null"
        ).fetchnumpy()
        if np.asarray(found["s"]).all():
            _read_as_it_is(engine, reader, keys[0], cell)
            return has_equal(np.asarray(found["h"]))
        del found
    return has_equal(np.asarray(engine.execute(hashes).fetchnumpy()["h"]))


def has_equal(found: np.ndarray) -> bool:
    """Whether any two of many hashes are equal."""
    # two halves that cannot share a hash, sorted at the same time
    upper = found > np.uint64(1 << 63)
    with ThreadPoolExecutor(2) as pool:
        return any(pool.map(_has_equal_neighbours, (found[upper], found[~upper])))


def _has_equal_neighbours(hashes: np.ndarray) -> bool:
    hashes.sort()
    return bool((hashes[1:] == hashes[:-1]).any())
