"""One table on its way in: where its rows are, how they are read, and how many cannot be used.

A small table is read into the engine once. A big one stays where it is: what the engine holds is
a view of its file, and the few rows that must not be seen through it.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from funnel.contract.errors import TableError
from funnel.contract.plan import Plan
from funnel.contract.tables import Kind, Table
from funnel.dataset import casts, csv_repair, privacy, row_checks
from funnel.dataset.engine import Engine, EngineError, literal, quoted
from funnel.dataset.files import Source
from funnel.dataset.row_checks import FILE, ROW

BIG = 64 << 20  # bytes of a file beyond which a table is left where it is
_GLANCE, _FEW = 100_000, 1_000  # rows that show whether a column holds a few words only


@dataclass
class Reader:
    """One table on its way in."""

    source: Source
    reading: row_checks.Reading
    is_big: bool
    odd: frozenset[str]  # columns with cells that hold something to take out
    n_in: int = 0
    n_broken: int = 0
    n_after: int = 0
    n_twice: int = 0
    newest: Any = None
    after: str = "false"  # the condition that a row lies after `as_of`
    as_of: dt.date | None = None
    strays: list[str] | None = None  # three keys of rows after `as_of`
    emptied: dict[str, tuple[int, list[str]]] = field(default_factory=dict)

    @property
    def table(self) -> Table:
        """The contract's table."""
        return self.source.table

    @property
    def name(self) -> str:
        """The table's name."""
        return self.source.table.name

    @property
    def columns(self) -> list[str]:
        """Its columns: the contract's, then the source's own."""
        return list(self.reading.values)

    @property
    def numbered(self) -> str:
        """SQL for values with their place in the source."""
        if self.is_big:
            return f"({self.reading.rows(numbered(self.source), ROW, FILE)})"
        return f"checked.{self.name}"

    @property
    def n_rejected(self) -> int:
        """Rows that are set aside."""
        return self.n_broken + self.n_after + self.n_twice

    @property
    def is_broken(self) -> str:
        """The condition on a row that it cannot be used."""
        return f"({self.reading.is_broken})" if self.is_big else "broken"


def numbered(source: Source) -> str:
    """Write a scan with each row's place: `row:` counted in its file, and `file:`."""
    if source.has_lines:
        place = f'cast("line:" as bigint) as {ROW}, {literal(source.label)} as {FILE}'
        return f'(select * exclude ("line:"), {place} from {source.scan})'
    if source.files and source.text is None:
        scan = source.scan.replace(
            "union_by_name", "file_row_number = true, filename = 'path:', union_by_name", 1
        )
        root = source.files[0].parent.parent if len(source.files) > 1 else source.files[0].parent
        start = len(str(root)) + 2
        return (
            f'(select * exclude (file_row_number, "path:"), file_row_number + 1 as {ROW}, '
            f'substr("path:", {start}) as {FILE} from {scan})'
        )
    return (
        f"(select *, row_number() over () as {ROW}, {literal(source.label)} as {FILE} "
        f"from {source.scan})"
    )


def checked(engine: Engine, source: Source, plan: Plan, readers: Mapping[str, Reader]) -> Reader:
    """Read and check a table; a CSV file that cannot be split is mended first."""
    try:
        return _first_pass(engine, source, plan, readers)
    except (EngineError, _Swallowed) as error:
        if source.text is None or source.has_lines:
            raise TableError(
                f"{source.table.name}: {source.label} cannot be read "
                f"({str(error).splitlines()[0][:160]}). It may be damaged; {source.table.owner} "
                "can export it again."
            ) from None
        csv_repair.mend(engine, source)
        return checked(engine, source, plan, readers)


class _Swallowed(Exception):  # noqa: N818 - a turn in the road, no error to be shown
    """Rows were found inside a quoted cell."""


def _first_pass(
    engine: Engine, source: Source, plan: Plan, readers: Mapping[str, Reader]
) -> Reader:
    name, table = source.table.name, source.table
    is_big = source.bytes > BIG
    scan = source.scan
    if not is_big:
        engine.execute(f"create or replace table raw.{name} as from {numbered(source)}")
        scan = f"raw.{name}"
    odd = _look(engine, source, scan, is_big)
    others = {
        reference.column: reference.table
        for reference in table.references
        if source.type_of(reference.column)
        and reference.table in readers
        and readers[reference.table].n_in
    }
    plain, tidy = _tidy(engine, source, others) if is_big else (frozenset(), frozenset())
    # a key that another table holds has no blanks around it, so all are first taken to be plain
    trimmed = [name for name in others if is_big and source.type_of(name) == "VARCHAR"]
    reader = Reader(source, row_checks.read(source, plan, [*trimmed, *plain]), is_big, odd - tidy)
    lay_out(engine, reader, scan)
    lacks = _count(engine, reader, others, readers)
    if lacks and trimmed:
        reader.reading = row_checks.read(source, plan, plain)
        lay_out(engine, reader, scan)
        lacks = _count(engine, reader, others, readers)
    if lacks:
        for column, other in others.items():
            _refer(engine, reader, column, other)
        _count(engine, reader, {}, readers)
    elif is_big:
        # every key is one of the other table's, which are fewer to look at
        reader.odd -= {
            name
            for name, other in others.items()
            if name not in readers[other].odd or not holds_odd(engine, name, other)
        }
    _count_emptied(engine, reader, scan)
    return reader


def holds_odd(engine: Engine, key: str, table: str) -> bool:
    """Whether some key of a checked table holds what must not be seen."""
    asked = f"select coalesce(bool_or(_odd_id({quoted(key)})), false) from checked.{table}"
    return bool(engine.rows(asked)[0][0])


def lay_out(engine: Engine, reader: Reader, scan: str) -> None:
    """Make `checked.<table>`: a table's values, as a view of its file where it is big."""
    name, reading = reader.name, reader.reading
    if reader.is_big:
        engine.execute(f"create or replace view checked.{name} as {reading.rows(scan)}")
        return
    listed = ", ".join(quoted(column) for column in reader.columns)
    engine.execute(
        f"create or replace table checked.{name} as select {listed}, {ROW}, {FILE}, "
        f"({reading.is_broken}) as broken from ({reading.rows(scan, ROW, FILE)})"
    )


def _look(engine: Engine, source: Source, scan: str, is_big: bool) -> frozenset[str]:
    """Look once over text cells for what needs more care; a big table is always read with it."""
    asked: dict[tuple[str, str], str] = {}
    for given, name in source.names.items():
        if source.types[given] != "VARCHAR":
            continue
        known, cell = source.table.by_name.get(name), quoted(given)
        kind = known.kind if known else privacy.kind_by_name(name)
        if not is_big and kind in (Kind.TEXT, Kind.ID):
            odd = "_odd_id" if kind is Kind.ID else "_odd"
            asked["odd", name] = f"bool_or({odd}({cell}))"
        if not known and kind is Kind.TEXT:
            bare = casts.bare(cell, "VARCHAR")
            # 007 is a code
            asked["numeric", name] = (
                f"count({bare}) > 0 and bool_and({bare} is null or "
                f"({casts.number(bare, 'VARCHAR')} is not null "
                f"and not regexp_matches({bare}, '^[+-]?0\\d')))"
            )
        if source.is_quoted and not source.has_lines:
            held = csv_repair.holds_rows(cell, source.separator, len(source.types))
            asked["swallowed", name] = f"bool_or({held})"
    if not asked:
        return frozenset(source.names.values())
    answers = engine.rows(f"select {', '.join(asked.values())} from {scan}")[0]
    said = {question for question, answer in zip(asked, answers, strict=True) if answer}
    if any(question == "swallowed" for question, _ in said):
        raise _Swallowed
    source.numeric = frozenset(name for question, name in said if question == "numeric")
    if is_big:
        return frozenset(source.names.values())
    return frozenset(name for question, name in said if question == "odd")


def _tidy(
    engine: Engine, source: Source, others: Collection[str]
) -> tuple[frozenset[str], frozenset[str]]:
    """Find columns of a big Parquet table that need no care, so that no question takes it again.

    Of words, which a file keeps as a list and numbers into it, each different one is looked at.
    Keys are, except where another table has them too, or where they are looked over later on, when
    two rows with the same one are looked for.

    Returns
    -------
    tuple
        Columns without a blank to trim, and columns without anything to take out.
    """
    plain, tidy = set(), set()
    if source.text is not None:
        return frozenset(), frozenset()
    later = {*others, *(set(source.table.key) - set(source.table.required))}
    for given, name in source.names.items():
        column, cell = source.table.by_name.get(name), quoted(given)
        if column is None or source.types[given] != "VARCHAR":
            continue
        if column.kind is Kind.ID and name not in later:
            asked = f"{casts.all_simple(cell)}, {casts.all_simple(cell)}"
            rows = source.scan
        elif column.kind is Kind.TEXT and _are_few(engine, source.scan, cell):
            asked = f"bool_and({cell} is null or {casts.is_plain(cell)}), not bool_or(_odd({cell}))"
            rows = f"(select distinct {cell} from {source.scan})"
        else:
            continue
        is_plain, is_tidy = engine.rows(f"select {asked} from {rows}")[0]
        plain |= {name} if is_plain else set()
        tidy |= {name} if is_tidy else set()
    return frozenset(plain), frozenset(tidy)


def _are_few(engine: Engine, scan: str, cell: str) -> bool:
    """Whether a column seems to hold the same few words again and again."""
    seen = f"select count(distinct {cell}) from (select {cell} from {scan} limit {_GLANCE})"
    return engine.rows(seen)[0][0] <= _FEW


def _count(
    engine: Engine, reader: Reader, others: Mapping[str, str], readers: Mapping[str, Reader]
) -> bool:
    """Count rows, and those that cannot be used, in one scan; say whether a reference fails."""
    if not (reader.is_big and _are_all_filled(engine, reader)):
        happened = reader.table.happened
        newest = f"max({quoted(happened)}) filter (not {reader.is_broken})" if happened else "null"
        n_in, reader.n_broken, reader.newest = engine.rows(
            f"select count(*), count_if({reader.is_broken}), {newest} from checked.{reader.name}"
        )[0]
        n_malformed = len(reader.source.malformed)
        reader.n_in = n_in + n_malformed
        reader.n_broken = (reader.n_broken or 0) + n_malformed
    return any(_lacks(engine, reader, column, other) for column, other in others.items())


def _are_all_filled(engine: Engine, reader: Reader) -> bool:
    """Count rows where every cell that must be there is, and that is all that is asked of them.

    A Parquet file says so by itself, without a row being read.
    """
    asked = reader.reading.checks
    if reader.source.malformed or not all(check.filled for check in asked):
        return False
    cells = list(dict.fromkeys(cell for check in asked for cell in check.filled))
    newest = f"max({quoted(reader.table.happened)})" if reader.table.happened else "null"
    counted = ", ".join(f"count({cell})" for cell in cells)
    n, newest, *n_filled = engine.rows(
        f"select count(*), {newest}, {counted} from checked.{reader.name}"
    )[0]
    full = {cell for cell, n_cell in zip(cells, n_filled, strict=True) if n_cell == n}
    if not all(full.intersection(check.filled) for check in asked):
        return False
    reader.n_in, reader.n_broken, reader.newest = n, 0, newest
    return True


def _lacks(engine: Engine, reader: Reader, column: str, other: str) -> bool:
    """Whether some row has a key that another table lacks."""
    key = quoted(column)
    own = f"(select {key} from checked.{reader.name} where {key} is not null)"
    return bool(
        engine.rows(f"select exists (from {own} anti join checked.{other} using ({key}))")[0][0]
    )


def _is_lacking(column: str, other: str) -> str:
    """Write that a key is not in another table; rows set aside there are there all the same."""
    key = quoted(column)
    return (
        f"{key} is not null and {key} not in "
        f"(select {key} from checked.{other} where {key} is not null)"
    )


def _refer(engine: Engine, reader: Reader, column: str, other: str) -> None:
    """Set aside the rows whose key another table lacks."""
    keys = f"aside.{reader.name}_without_{column}"
    engine.execute(
        f"create or replace table {keys} as select distinct {quoted(column)} as missing "
        f"from checked.{reader.name} where {_is_lacking(column, other)}"
    )
    asked = row_checks.missing(column, other, keys)
    reader.reading = dataclasses.replace(reader.reading, checks=(*reader.reading.checks, asked))
    if not reader.is_big:
        engine.execute(f"update checked.{reader.name} set broken = true where {asked.is_broken}")


def key_shown(reader: Reader) -> str:
    """Write what names a row of the table in a finding."""
    name = (reader.table.key or reader.table.required)[0]
    cell = f"cast({quoted(name)} as varchar)"
    return privacy.protected(reader.reading.kinds[name], cell)


def _count_emptied(engine: Engine, reader: Reader, scan: str) -> None:
    words = row_checks.emptied(reader.source)
    if not words:
        return
    key = key_shown(reader)
    asked = ", ".join(f"count_if({when}), min({key}, 3) filter ({when})" for when in words.values())
    answers = engine.rows(f"select {asked} from ({reader.reading.rows(scan)})")[0]
    for position, name in enumerate(words):
        n, examples = answers[2 * position : 2 * position + 2]
        if n:
            reader.emptied[name] = (n, examples)
