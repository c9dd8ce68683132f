"""Reads one table: where its rows are, how cells become values, and which rows are broken.

A small table is read into the engine once. A big one stays in its file: the engine holds a view of
it, and the few rows that the view must leave out.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from funnel.contract.errors import PlanError, TableError
from funnel.contract.plan import Plan
from funnel.contract.tables import Kind, Table
from funnel.dataset import casts, csv_repair, links, privacy, record_files, row_checks, spellings
from funnel.dataset.engine import Engine, EngineError, literal, quoted
from funnel.dataset.files import Source, described
from funnel.dataset.row_checks import BARE, EXCLUDED, FILE, MERGED, PAID, ROW, day_of
from funnel.dataset.spellings import Respelling

MOST_KEYS = 1_000  # of test records that are remembered
BIG = 64 << 20  # bytes of a file beyond which a table stays in it
MAY_BE_WON = "coalesce(outcome, 'won') = 'won'"  # a rejected deal may have no readable outcome
_FEWEST_CUT = 3  # rows from before another table begins, that show that it was cut
_MOST_WORDS = 10  # of a column that holds none of those allowed
_FEWEST_INVERTED, _FAR = 10, 5  # amounts of a currency, and times the company's typical one


@dataclass(frozen=True)
class Oddity:
    """Rows that are used, with something in them blanked or changed.

    `money` is what was won by those of deals, `since` the day of the first row; `of` holds further
    facts by name.
    """

    n: int
    examples: list[str]
    money: float | None = None
    since: dt.date | None = None
    of: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Reader:
    """One table while it is read, with the number of its rows that cannot be used."""

    source: Source
    reading: row_checks.Reading
    is_big: bool
    odd: frozenset[str]  # columns with cells that hold something to remove
    n_in: int = 0
    n_broken: int = 0
    n_after: int = 0
    n_duplicates: int = 0
    n_folded: int = 0  # duplicates by the plan's `merged`
    n_excluded: int = 0
    newest: Any = None
    after: str = "false"  # SQL condition that a row lies after `as_of`
    as_of: dt.date | None = None
    n_strays: int = 0
    strays: list[str] | None = None  # three keys of rows after `as_of`, mistyped deals left out
    oddities: dict[str, Oddity] = field(default_factory=dict)
    leads_begin: dt.date | None = None  # where leads were cut by date, and rows refer to older ones
    n_cut: int = 0  # rows rejected for that
    respelled: Mapping[str, Respelling] = field(default_factory=dict)  # by column
    closed_later: str = "false"  # SQL condition that a deal was closed after `as_of`
    mistyped: str = "false"  # SQL condition that a deal was closed after the data ends

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
        """SQL of its values with their place in the source."""
        if self.is_big:
            return f"({self.reading.rows(numbered(self.source), ROW, FILE)})"
        return f"checked.{self.name}"

    @property
    def n_rejected(self) -> int:
        """Number of rejected rows."""
        return self.n_broken + self.n_after + self.n_duplicates

    @property
    def folds(self) -> bool:
        """Whether rows of one record may become one, since the plan says that it was merged."""
        return bool(self.reading.was) and len(self.table.key) == 1

    @property
    def is_broken(self) -> str:
        """SQL condition that a row is broken."""
        return f"({self.reading.is_broken})" if self.is_big else "broken"


def numbered(source: Source) -> str:
    """SQL scan with each row's place: `row:`, counted in its file, and `file:`."""
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
    """Reader of a table, checked; a CSV file that cannot be split into cells is repaired first."""
    try:
        return _first_pass(engine, source, plan, readers)
    except (EngineError, UnbalancedQuotes) as error:
        if source.text is None or source.has_lines:
            raise TableError(
                f"{source.table.name}: {source.label} cannot be read "
                f"({str(error).splitlines()[0][:160]}). It may be damaged; {source.table.owner} "
                "can export it again."
            ) from None
        csv_repair.repair(engine, source)
        return checked(engine, source, plan, readers)


class UnbalancedQuotes(Exception):  # noqa: N818 - caught here: the file is then repaired
    """A quoted cell holds rows, since a quote before them was never closed."""


def _first_pass(
    engine: Engine, source: Source, plan: Plan, readers: Mapping[str, Reader]
) -> Reader:
    name, table = source.table.name, source.table
    is_big = source.bytes > BIG
    scan = source.scan
    if not is_big:
        engine.execute(f"create or replace table raw.{name} as from {numbered(source)}")
        scan = f"raw.{name}"
    odd = _cell_properties(engine, source, scan, is_big)
    source.words = _words(engine, source, scan, is_big)
    others = {
        reference.column: reference.table
        for reference in table.references
        if source.type_of(reference.column)
        and reference.table in readers
        and (readers[reference.table].n_in or readers[reference.table].n_excluded)
    }
    plain, clean = _clean_columns(engine, source, others) if is_big else (frozenset(), frozenset())
    earlier = [reader.respelled for reader in readers.values()]
    respelled = spellings.respellings(engine, source, scan, plan, earlier)
    # keys found in another table have no blanks around them, so first read all keys untrimmed
    trimmed = [name for name in others if is_big and source.type_of(name) == "VARCHAR"]
    reading = row_checks.read(source, plan, [*trimmed, *plain], respelled)
    reader = Reader(source, reading, is_big, odd - clean, respelled=respelled)
    # a key that a record has now comes from the plan's file, which nothing has searched
    reader.odd |= frozenset(reader.reading.changed)
    _find_excluded(engine, reader, plan)
    materialise(engine, reader, scan)
    has_missing = _count(engine, reader, others, readers)
    if has_missing and trimmed:
        reader.reading = row_checks.read(source, plan, plain, respelled)
        _find_excluded(engine, reader, plan)
        materialise(engine, reader, scan)
        has_missing = _count(engine, reader, others, readers)
    if has_missing:
        reading, n_broken = reader.reading, reader.n_broken
        for column, other in others.items():
            n_excluded = readers[other].n_excluded
            reading = links.link_keys(
                engine, table, reading, column, other, has_excluded=bool(n_excluded)
            )
            _note_cut(engine, reader, column, readers[other], plan)
        has_more = reading.excluded != reader.reading.excluded
        reader.reading = reading
        if has_more:
            _find_excluded(engine, reader, plan)
        materialise(engine, reader, scan)
        for column, other in others.items():
            if links.must_link(table, column):
                _reject_missing_references(engine, reader, column, other)
        _count(engine, reader, {}, readers)
        if reader.leads_begin:
            reader.n_cut = reader.n_broken - n_broken
    elif is_big:
        # every key is one of the other table's, and that one has fewer to check
        reader.odd -= {
            name
            for name, other in others.items()
            if name not in readers[other].odd or not holds_odd(engine, name, other)
        }
    _count_oddities(engine, reader, scan, plan)
    return reader


def holds_odd(engine: Engine, key: str, table: str) -> bool:
    """Whether some key of a checked table holds something to remove."""
    query = f"select coalesce(bool_or(_odd_id({quoted(key)})), false) from checked.{table}"
    return bool(engine.rows(query)[0][0])


def _find_excluded(engine: Engine, reader: Reader, plan: Plan) -> None:
    """Create `rejected.<table>_excluded`, where the plan leaves rows out, and count them."""
    name, reading = reader.name, reader.reading
    if not reading.excluded:
        return
    rows = numbered(reader.source) if reader.is_big else f"raw.{name}"
    listed = ", ".join(quoted(column) for column in reader.columns)
    place = f"funnel.toml: [records] `exclude.{name}`"
    try:
        if name in plan.records.exclude:
            condition = reading.excluded[0].is_broken
            scan = f"(select {condition} as is_met from ({reading.as_read(rows)}))"
            if (kind := described(engine, scan)["is_met"]) != "BOOLEAN":
                raise PlanError(
                    f"{place} is a value ({kind.lower()}) and no condition. It must say when a "
                    "row is not used, such as `amount = 999999`."
                )
        engine.execute(
            f"create or replace table rejected.{name}_excluded as select {listed}, {ROW}, {FILE}, "
            f"{EXCLUDED} from ({reading.all_rows(rows, ROW, FILE)}) where {EXCLUDED} is not null"
        )
    except EngineError as error:
        raise PlanError(
            # the rest of the message may quote a cell
            f"{place} cannot be run ({str(error).partition(':')[0].lower()}). A text is compared "
            "with a text in single quotes, a number with a number."
        ) from None
    excluded = f"rejected.{name}_excluded"
    reader.n_excluded = engine.rows(f"select count(*) from {excluded}")[0][0]
    found = oddities(engine, reader, plan, excluded, {"excluded": "true"})
    named = (name, *(reference.table for reference in reader.table.references))
    key = {"key": next(each for each in named if each in plan.records.exclude)}
    odd = found.get("excluded", Oddity(0, []))
    reader.oddities["excluded"] = dataclasses.replace(odd, of=key)


def materialise(engine: Engine, reader: Reader, scan: str) -> None:
    """Create `checked.<table>` with a table's values: a view of its file where it is big."""
    name, reading = reader.name, reader.reading
    if reader.is_big:
        engine.execute(f"create or replace view checked.{name} as {reading.rows(scan)}")
        return
    listed = ", ".join(quoted(column) for column in reader.columns)
    listed += f", {MERGED}" if reading.was else ""
    engine.execute(
        f"create or replace table checked.{name} as select {listed}, {ROW}, {FILE}, "
        f"({reading.is_broken}) as broken from ({reading.rows(scan, ROW, FILE)})"
    )


def _cell_properties(engine: Engine, source: Source, scan: str, is_big: bool) -> frozenset[str]:
    """Columns with text cells to clean, from one pass; a big table has all its columns cleaned.

    Also finds the extra columns that hold numbers only, and quotes that are never closed.
    """
    tests: dict[tuple[str, str], str] = {}
    for given, name in source.names.items():
        if source.types[given] != "VARCHAR":
            continue
        known, cell = source.table.by_name.get(name), quoted(given)
        kind = known.kind if known else privacy.kind_by_name(name)
        if not is_big and kind in (*casts.TEXTS, Kind.ID):
            odd = "_odd_id" if kind is Kind.ID else "_odd"
            tests["odd", name] = f"bool_or({odd}({cell}))"
        if not known and kind in casts.TEXTS:
            bare = casts.bare(cell, "VARCHAR")
            # 007 is a code, no number
            tests["numeric", name] = (
                f"count({bare}) > 0 and bool_and({bare} is null or "
                f"({casts.number(bare, 'VARCHAR')} is not null "
                f"and not regexp_matches({bare}, '^[+-]?0\\d')))"
            )
        if kind in casts.WHOLE_OR_MONEY:
            has_dot = f"contains({cell}, '.')"
            is_doubted = f"bool_or({has_dot}) and bool_and(not {has_dot} or {cell} like '%.___')"
            tests["threes", name] = is_doubted
        if source.is_quoted and not source.has_lines:
            held = csv_repair.holds_rows(cell, source.separator, len(source.types))
            tests["swallowed", name] = f"bool_or({held})"
    if not tests:
        return frozenset(source.names.values())
    answers = engine.rows(f"select {', '.join(tests.values())} from {scan}")[0]
    true = [test for test, answer in zip(tests, answers, strict=True) if answer]
    if any(test == "swallowed" for test, _ in true):
        raise UnbalancedQuotes
    for test, name in true:
        if test == "threes":
            _note_threes(engine, source, scan, name)
    source.numeric = frozenset(name for test, name in true if test == "numeric")
    if is_big:
        return frozenset(source.names.values())
    return frozenset(name for test, name in true if test == "odd")


def _note_threes(engine: Engine, source: Source, scan: str, name: str) -> None:
    """Add the finding that an amount's dots may mark thousands."""
    given = next(given for given, known in source.names.items() if known == name)
    cell = casts.bare(quoted(given), "VARCHAR")
    is_three = casts.is_three(cell)
    n, n_dots, n_threes, example = engine.rows(
        f"select count({cell}), count_if(contains({cell}, '.')), count_if({is_three}), "
        f"min({cell}) filter ({is_three}) from {scan}"
    )[0]
    if n_threes and n_threes == n_dots:
        says = casts.says_threes(name, n_threes, n, example)
        source.findings.append(("threes", says))


def _clean_columns(
    engine: Engine, source: Source, others: Collection[str]
) -> tuple[frozenset[str], frozenset[str]]:
    """Columns of a big Parquet table whose cells need no cleaning, so that no query repeats it.

    Of a column of few words, each different word is checked. Of a column of keys, every key is
    checked, except where another table has the keys too, and where the search for duplicates
    checks them later.

    Returns
    -------
    tuple
        Columns without a blank to trim, and columns without anything to remove.
    """
    plain, clean = set(), set()
    if source.text is not None:
        return frozenset(), frozenset()
    later = {*others, *(set(source.table.key) - set(source.table.required))}
    for given, name in source.names.items():
        column, cell = source.table.by_name.get(name), quoted(given)
        if column is None or source.types[given] != "VARCHAR":
            continue
        if column.kind is Kind.ID and name not in later:
            tests = f"{casts.all_simple(cell)}, {casts.all_simple(cell)}"
            rows = source.scan
        elif column.kind in casts.TEXTS and (words := source.words.get(name)):
            tests = f"bool_and({casts.is_plain(cell)}), not bool_or(_odd({cell}))"
            rows = f"(select unnest([{', '.join(map(literal, words))}]) as {cell})"
        else:
            continue
        is_plain, is_clean = engine.rows(f"select {tests} from {rows}")[0]
        plain |= {name} if is_plain else set()
        clean |= {name} if is_clean else set()
    return frozenset(plain), frozenset(clean)


def _words(engine: Engine, source: Source, scan: str, is_big: bool) -> dict[str, list[str]]:
    """The words of columns of words, or of people, that hold few; by name.

    A big CSV file is split into cells again at every scan, so only its first rows are read: a
    spelling that comes later is found by `spellings.odd_words`.
    """
    kinds = (Kind.TEXT, Kind.PERSON, *((Kind.FREE,) if is_big and source.text is None else ()))
    cells = {}
    for given, name in source.names.items():
        known = source.table.by_name.get(name)
        kind = known.kind if known else privacy.kind_by_name(name)
        if source.types[given] == "VARCHAR" and kind in kinds:
            cells[name] = quoted(given)
    first = f"(select {', '.join(cells.values())} from {scan} limit {spellings.FIRST_ROWS})"
    if not cells or not (words := _distinct(engine, first, cells)):
        return {}
    if (is_big and source.text is not None) or not engine.rows(
        f"select 1 from {scan} offset {spellings.FIRST_ROWS} limit 1"
    ):
        return words
    return _distinct(engine, scan, {name: cells[name] for name in words})


def _distinct(engine: Engine, rows: str, cells: Mapping[str, str]) -> dict[str, list[str]]:
    """Words of columns, by name, where they are few."""
    lists = ", ".join(f"list(distinct {cell})" for cell in cells.values())
    found = engine.rows(f"select {lists} from {rows}")[0]
    return {
        name: sorted(word for word in words or () if word is not None)
        for name, words in zip(cells, found, strict=True)
        if len(words or ()) <= spellings.MOST_WORDS
    }


def _count(
    engine: Engine, reader: Reader, others: Mapping[str, str], readers: Mapping[str, Reader]
) -> bool:
    """Count rows and broken rows in one scan; give whether a reference is missing."""
    if not (reader.is_big and _are_all_filled(engine, reader)):
        happened = reader.table.happened
        newest = f"max({quoted(happened)}) filter (not {reader.is_broken})" if happened else "null"
        n_in, reader.n_broken, reader.newest = engine.rows(
            f"select count(*), count_if({reader.is_broken}), {newest} from checked.{reader.name}"
        )[0]
        n_malformed = len(reader.source.malformed)
        reader.n_in = n_in + n_malformed
        reader.n_broken = (reader.n_broken or 0) + n_malformed
    return any(
        _has_missing_reference(engine, reader, column, other) for column, other in others.items()
    )


def _are_all_filled(engine: Engine, reader: Reader) -> bool:
    """Count rows, where all checks ask for filled cells or limits, and every row is within them.

    The statistics of a Parquet file hold these counts, so no row is read. Gives False, and counts
    nothing, where that is not so.
    """
    checks = reader.reading.checks
    if reader.source.malformed or not all(check.filled or check.never for check in checks):
        return False
    cells = list(dict.fromkeys(cell for check in checks for cell in check.filled))
    newest = f"max({quoted(reader.table.happened)})" if reader.table.happened else "null"
    counted = ", ".join(f"count({cell})" for cell in cells)
    never = " and ".join(f"coalesce({check.never}, true)" for check in checks if check.never)
    n, newest, is_never, *n_filled = engine.rows(
        f"select count(*), {newest}, {never or 'true'}, {counted} from checked.{reader.name}"
    )[0]
    full = {cell for cell, n_cell in zip(cells, n_filled, strict=True) if n_cell == n}
    if not is_never or not all(check.never or full.intersection(check.filled) for check in checks):
        return False
    reader.n_in, reader.n_broken, reader.newest = n, 0, newest
    return True


def _has_missing_reference(engine: Engine, reader: Reader, column: str, other: str) -> bool:
    """Whether some row has a key that is not in another table."""
    key = quoted(column)
    own = f"(select {key} from checked.{reader.name} where {key} is not null)"
    return bool(
        engine.rows(f"select exists (from {own} anti join checked.{other} using ({key}))")[0][0]
    )


def _note_cut(engine: Engine, reader: Reader, column: str, other: Reader, plan: Plan) -> None:
    """Note that leads begin after rows that refer to them: the file was cut by date."""
    if other.name != "leads" or not reader.table.happened:
        return
    zone = plan.company.timezone
    n, n_before, first = links.begins_after(engine, reader.table, column, other.table, zone)
    if n_before >= max(_FEWEST_CUT, n / 2):
        reader.leads_begin = first


def _reject_missing_references(engine: Engine, reader: Reader, column: str, other: str) -> None:
    """Mark the rows whose key is not in another table as broken."""
    keys = f"rejected.{reader.name}_without_{column}"
    engine.execute(
        f"create or replace table {keys} as select distinct {quoted(column)} as missing "
        f"from checked.{reader.name} where {links.is_lacking(column, other)}"
    )
    check = row_checks.missing(column, other, keys)
    reader.reading = dataclasses.replace(reader.reading, checks=(*reader.reading.checks, check))
    if not reader.is_big:
        engine.execute(f"update checked.{reader.name} set broken = true where {check.is_broken}")


def key_shown(reader: Reader) -> str:
    """SQL of what names a row of the table in a finding."""
    name = (reader.table.key or reader.table.required)[0]
    cell = f"cast({quoted(name)} as varchar)"
    return privacy.protected(reader.reading.kinds[name], cell)


def money_of(reader: Reader, plan: Plan) -> str:
    """SQL of what a deal was won for, in the plan's measure; NULL in other tables."""
    if reader.name != "deals":
        return "cast(null as double)"
    return "mrr" if plan.measure == "mrr" else "amount"


def oddities(
    engine: Engine, reader: Reader, plan: Plan, rows: str, conditions: Mapping[str, str]
) -> dict[str, Oddity]:
    """What some of a table's rows have in common, by name: those that at least one row has."""
    if not conditions:
        return {}
    key, money, day = key_shown(reader), money_of(reader, plan), day_of(reader.table, plan)
    won = f"and {MAY_BE_WON}" if reader.name == "deals" else ""
    counts = ", ".join(
        f"count_if({one}), min(distinct {key}, 3) filter ({one}), "
        f"cast(sum({money}) filter (({one}) {won}) as double), min({day}) filter ({one})"
        for one in conditions.values()
    )
    answers = iter(engine.rows(f"select {counts} from {rows}")[0])
    found = {}
    for name, (n, keys, won_for, since) in zip(
        conditions, zip(*[answers] * 4, strict=True), strict=True
    ):
        if n:
            since = since if isinstance(since, dt.date) else None
            found[name] = Oddity(n, keys or [], won_for, since)
    return found


def _count_oddities(engine: Engine, reader: Reader, scan: str, plan: Plan) -> None:
    odd, rows = reader.reading.odd, f"({reader.reading.rows(scan)})"
    if not odd:
        return
    # most tables have nothing odd, and whether a row is used takes most of the time
    any_rows = engine.rows(
        f"select {', '.join(f'bool_or({one})' for one in odd.values())} from {rows}"
    )
    there = [name for name, is_there in zip(odd, any_rows[0], strict=True) if is_there]
    conditions = {name: f"({odd[name]}) and not ({reader.reading.is_broken})" for name in there}
    found = oddities(engine, reader, plan, rows, conditions)
    for name, oddity in list(found.items()):
        kind, _, column = name.partition("_")
        if kind in ("converted", "unconverted"):
            sums = _sums(engine, reader, rows, column, conditions[name], plan)
            found[name] = dataclasses.replace(oddity, of={"sums": sums})
            if kind == "converted" and (codes := _inverted(engine, reader, rows, column, plan)):
                found[f"inverted_{column}"] = dataclasses.replace(oddity, of={"codes": codes})
        if kind == "unknown":
            text = casts.text(quoted(BARE + column), reader.source.type_of(column) or "")
            named = f"(select {text} as word, _is_name({text}) as is_name from {rows} "
            query = f"select distinct word from {named} where {conditions[name]}) where not is_name"
            words = [word for (word,) in engine.rows(f"{query} order by word limit {_MOST_WORDS}")]
            shown = {word: "" for word in words if spellings.may_be_shown(word)}
            found[name] = dataclasses.replace(oddity, of={"words": shown})
        if kind == "unread":
            text = casts.text(quoted(BARE + column), reader.source.type_of(column) or "")
            query = f"select _figure({text}) from {rows} where {conditions[name]} limit 1"
            found[name] = dataclasses.replace(oddity, of={"cell": engine.rows(query)[0][0]})
        column = name.removeprefix("spelled_")
        if column != name and spellings.is_category(reader.name, column):
            words = {
                word: meant
                for word, meant in reader.respelled[column].spellings.items()
                if spellings.may_be_shown(word) and spellings.may_be_shown(meant)
            }
            found[name] = dataclasses.replace(oddity, of={"words": words})
        if name.startswith("test_"):
            query = f"select distinct {key_shown(reader)} from {rows} where {conditions[name]}"
            keys = [key for (key,) in engine.rows(f"{query} order by 1 limit {MOST_KEYS}")]
            found[name] = dataclasses.replace(oddity, of={"keys": keys})
    reader.oddities |= found


def _sums(
    engine: Engine, reader: Reader, rows: str, column: str, condition: str, plan: Plan
) -> list[tuple[str, int, float]]:
    """Currency, rows and sum of some amounts as they are written, the most frequent first."""
    return engine.rows(
        f"select {_currency(reader, plan)} as code, count(*) as n, sum({quoted(PAID + column)}) "
        f"from {rows} where {condition} group by code order by n desc, code"
    )


def _currency(reader: Reader, plan: Plan) -> str:
    column = record_files.currency_column(reader.source.names.values()) or ""
    return casts.currency_code(quoted(column), plan.company.currency)


def _inverted(engine: Engine, reader: Reader, rows: str, column: str, plan: Plan) -> list[str]:
    """Currencies whose amounts look like the company's own by the reciprocal of the rate only."""
    own, paid = quoted(column), quoted(PAID + column)
    medians = engine.rows(
        f"select {own} = {paid} as is_own, {_currency(reader, plan)} as code, median({own}), "
        f"median({paid}) from {rows} where {own} > 0 group by is_own, code "
        f"having count(*) >= {_FEWEST_INVERTED}"
    )
    homes = [now for is_own, _, now, _ in medians if is_own]
    codes = []
    for is_own, code, now, before in medians:
        if not is_own and homes:
            far, reciprocal = (abs(math.log(each / homes[0])) for each in (now, before**2 / now))
            if far > math.log(_FAR) and reciprocal < far / 2:
                codes.append(code)
    return sorted(codes)
