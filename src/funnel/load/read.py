"""Read a company's tables: find, check, cut at the day they speak for, and count every row.

A small table is read into the engine once. A big one stays where it is: what the engine holds is
a view of its file, and the few rows that must not be seen through it.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from funnel.engine import Engine, literal, quoted
from funnel.errors import ParameterError, TableError
from funnel.load import casts, checks, files, findings, mending, privacy
from funnel.load.as_of import newest_ordinary_day
from funnel.load.checks import FILE, ROW
from funnel.load.files import Source
from funnel.load.tables import Tables
from funnel.plan import Plan
from funnel.tables import TABLES, Column, Kind, Table

BIG = 64 << 20  # bytes of a file beyond which a table is left where it is
AFTER = "after as_of"
_MOST_SORTED = 50_000_000  # keys that fit into memory eight bytes each
# keys that others refer to come first
_ORDER = ("leads", "deals", *(name for name in TABLES if name not in ("leads", "deals")))
_ACTIVITY = (
    ("leads", "created_at", ""),
    ("stage_changes", "entered_at", ""),
    ("deals", "created_at", ""),
    ("deals", "closed_at", "and outcome in ('won', 'lost')"),
)


@dataclass
class _Reader:
    """One table on its way in."""

    source: Source
    reading: checks.Reading
    is_big: bool
    odd: frozenset[str]  # columns with cells that hold something to take out
    n_in: int = 0
    n_broken: int = 0
    n_after: int = 0
    n_twice: int = 0
    newest: Any = None
    after: str = "false"  # the condition that a row lies after `as_of`
    as_of: dt.date | None = None
    emptied: dict[str, tuple[int, list[str]]] = field(default_factory=dict)

    @property
    def table(self) -> Table:
        return self.source.table

    @property
    def name(self) -> str:
        return self.source.table.name

    @property
    def columns(self) -> list[str]:
        return list(self.reading.values)

    @property
    def numbered(self) -> str:
        """SQL for values with their place in the source."""
        if self.is_big:
            return f"({self.reading.rows(_numbered(self.source), ROW, FILE)})"
        return f"checked.{self.name}"

    @property
    def is_broken(self) -> str:
        return f"({self.reading.is_broken})" if self.is_big else "broken"


def load(
    data_dir: str | Path,
    as_of: str | dt.date | None = None,
    plan: Plan | Mapping[str, Any] | None = None,
    *,
    memory_limit: str | None = None,
) -> Tables:
    r"""Read one company's folder.

    Parameters
    ----------
    data_dir
        The folder, with one file per table and the plan.
    as_of
        The last day that the data speaks for, `YYYY-MM-DD`: what happened after its end is cut.
        Default: the newest day on which the data shows ordinary activity.
    plan
        A plan in place of the folder's, or keys of `[plan]` in place of the file's.
    memory_limit
        Most memory for the engine, such as `"2GB"`.

    Raises
    ------
    TableError
        If the folder or a table in it breaks the contract.
    PlanError
        If the plan cannot be followed.

    Examples
    --------
    >>> folder = getfixture("tmp_path")
    >>> _ = (folder / "leads.csv").write_text("lead_id,created_at\nL-1,2026-03-01\n")
    >>> data = load(folder)
    >>> data.as_of, len(data.leads), len(data.deals)
    (datetime.date(2026, 3, 1), 1, 0)
    """
    folder = Path(data_dir)
    found, strange = files.find(folder)
    chosen = plan if isinstance(plan, Plan) else Plan.read(folder, **dict(plan or {}))
    wanted = _day(as_of)
    key, is_secret = privacy.key_for(folder)
    told = [findings.unknown_file(name) for name in strange]
    if not is_secret:
        told.append(findings.open_key(privacy.KEY_VARIABLE))
    engine = Engine(memory_limit=memory_limit)
    try:
        _prepare(engine, key)
        sources = [
            files.open_source(engine, TABLES[name], found[name]) for name in _ORDER if name in found
        ]
        return _tables(engine, sources, chosen, wanted, told)
    except BaseException:
        engine.close()
        raise


def of_frames(
    frames: Mapping[str, pd.DataFrame], plan: Plan | Mapping[str, Any] | None, as_of: Any
) -> Tables:
    """Make tables from frames; see `Tables.of`."""
    for name in frames:
        if name not in TABLES:
            raise ParameterError(f"There is no table {name!r}; there are {', '.join(TABLES)}.")
    if not frames.keys() & {"leads", "deals"}:
        raise TableError("Neither leads nor deals is given, and every question starts from one.")
    chosen = plan if isinstance(plan, Plan) else Plan.of({}, **dict(plan or {}))
    wanted = _day(as_of)
    key, _ = privacy.key_for(None)
    engine = Engine()
    try:
        _prepare(engine, key)
        sources = [
            _of_frame(engine, TABLES[name], frames[name]) for name in _ORDER if name in frames
        ]
        return _tables(engine, sources, chosen, wanted, [])
    except BaseException:
        engine.close()
        raise


def _day(as_of: str | dt.date | None) -> dt.date | None:
    if as_of is None or as_of == "":
        return None
    if isinstance(as_of, dt.datetime):
        return as_of.date()
    if isinstance(as_of, dt.date):
        return as_of
    try:
        if len(as_of) != len("YYYY-MM-DD"):
            raise ValueError
        return dt.date.fromisoformat(as_of)
    except (TypeError, ValueError):
        raise ParameterError(
            f"as_of is {as_of!r}; it must be a day written YYYY-MM-DD, such as 2026-06-30."
        ) from None


def _prepare(engine: Engine, key: str) -> None:
    privacy.install(engine, key)
    for macro in checks.macros():
        engine.execute(f"create macro {macro}")
    for schema in ("raw", "checked", "aside"):
        engine.execute(f"create schema {schema}")


def _of_frame(engine: Engine, table: Table, frame: pd.DataFrame) -> Source:
    plain = frame.reset_index(drop=True)
    plain.columns = files.unlike([str(name) for name in plain.columns])
    for name in plain.columns:
        kind = plain[name].dtype
        if isinstance(kind, pd.CategoricalDtype | pd.PeriodDtype) or kind == "object":
            plain[name] = plain[name].map(str, na_action="ignore").astype("str")
    name = f"_frame_{table.name}"
    engine.register(name, plain)
    source = Source(table, (), name, files.described(engine, name))
    files.name_columns(source)
    return source


def _tables(
    engine: Engine,
    sources: list[Source],
    plan: Plan,
    wanted: dt.date | None,
    told: list[findings.Finding],
) -> Tables:
    readers: dict[str, _Reader] = {}
    for source in sources:
        readers[source.table.name] = _checked(engine, source, plan, readers)
    as_of, newest = _as_of(engine, readers, plan, wanted)
    for name, table in TABLES.items():
        if name in readers:
            _keep(engine, readers[name], plan, as_of)
        else:
            listed = ", ".join(
                f"cast(null as {casts.sql_type(c.kind)}) as {quoted(c.name)}" for c in table.columns
            )
            engine.execute(f"create table {name} as select {listed} limit 0")
    for reader in readers.values():
        _stop_if_too_many(engine, reader, plan)
    counts = [
        (
            reader.name,
            ", ".join(file.name for file in reader.source.files[:3]),
            reader.n_in,
            reader.n_in - _n_rejected(reader),
            _n_rejected(reader),
            reader.n_after,
        )
        for reader in readers.values()
    ]
    return Tables(
        plan=plan,
        as_of=as_of,
        engine=engine,
        counted=tuple(counts),
        paths={reader.name: reader.source.files for reader in readers.values()},
        extras={reader.name: reader.source.extras for reader in readers.values()},
        views=frozenset(reader.name for reader in readers.values() if reader.is_big),
        told=(*told, *_told(readers.values(), wanted, newest)),
        set_aside={
            reader.name: (lambda reader=reader: _set_aside(engine, reader))
            for reader in readers.values()
            if _n_rejected(reader)
        },
    )


def _n_rejected(reader: _Reader) -> int:
    return reader.n_broken + reader.n_after + reader.n_twice


def _numbered(source: Source) -> str:
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


def _checked(engine: Engine, source: Source, plan: Plan, readers: Mapping[str, _Reader]) -> _Reader:
    """Read and check a table; a CSV file that cannot be split is mended first."""
    try:
        return _first_pass(engine, source, plan, readers)
    except (duckdb.Error, _Swallowed) as error:
        if source.text is None or source.has_lines:
            raise TableError(
                f"{source.table.name}: {source.label} cannot be read "
                f"({str(error).splitlines()[0][:160]}). It may be damaged; {source.table.owner} "
                "can export it again."
            ) from None
        mending.mend(engine, source)
        return _checked(engine, source, plan, readers)


class _Swallowed(Exception):  # noqa: N818 - a turn in the road, no error to be shown
    """Rows were found inside a quoted cell."""


def _first_pass(
    engine: Engine, source: Source, plan: Plan, readers: Mapping[str, _Reader]
) -> _Reader:
    name, table = source.table.name, source.table
    is_big = source.bytes > BIG
    scan = source.scan
    if not is_big:
        engine.execute(f"create or replace table raw.{name} as from {_numbered(source)}")
        scan = f"raw.{name}"
    odd = _look(engine, source, scan, is_big)
    reader = _Reader(source, checks.read(source, plan), is_big, odd)
    rows = f"({reader.reading.rows(scan, *(() if is_big else (ROW, FILE)))})"
    if is_big:
        engine.execute(f"create or replace view checked.{name} as from {rows}")
    else:
        listed = ", ".join(quoted(column) for column in reader.columns)
        engine.execute(
            f"create or replace table checked.{name} as select {listed}, {ROW}, {FILE}, "
            f"({reader.reading.is_broken}) as broken from {rows}"
        )
    others = {
        reference.column: reference.table
        for reference in table.references
        if source.type_of(reference.column)
        and reference.table in readers
        and readers[reference.table].n_in
    }
    if _count(engine, reader, others):
        for column, other in others.items():
            _refer(engine, reader, column, other)
        _count(engine, reader, {})
    _count_emptied(engine, reader, rows)
    return reader


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
            held = mending.holds_rows(cell, source.separator, len(source.types))
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


def _count(engine: Engine, reader: _Reader, others: Mapping[str, str]) -> bool:
    """Count rows, and those that cannot be used, in one scan; say whether a reference fails."""
    happened = reader.table.happened
    newest = f"max({quoted(happened)}) filter (not {reader.is_broken})" if happened else "null"
    lacking = [f"count_if({_is_lacking(column, other)})" for column, other in others.items()]
    n_in, reader.n_broken, reader.newest, *n_lacking = engine.rows(
        f"select {', '.join(['count(*)', f'count_if({reader.is_broken})', newest, *lacking])} "
        f"from checked.{reader.name}"
    )[0]
    n_malformed = len(reader.source.malformed)
    reader.n_in = n_in + n_malformed
    reader.n_broken = (reader.n_broken or 0) + n_malformed
    return any(n_lacking)


def _is_lacking(column: str, other: str) -> str:
    """Write that a key is not in another table; rows set aside there are there all the same."""
    key = quoted(column)
    return (
        f"{key} is not null and {key} not in "
        f"(select {key} from checked.{other} where {key} is not null)"
    )


def _refer(engine: Engine, reader: _Reader, column: str, other: str) -> None:
    """Set aside the rows whose key another table lacks."""
    keys = f"aside.{reader.name}_without_{column}"
    engine.execute(
        f"create or replace table {keys} as select distinct {quoted(column)} as missing "
        f"from checked.{reader.name} where {_is_lacking(column, other)}"
    )
    asked = checks.missing(column, other, keys)
    reader.reading = dataclasses.replace(reader.reading, checks=(*reader.reading.checks, asked))
    if not reader.is_big:
        engine.execute(f"update checked.{reader.name} set broken = true where {asked.is_broken}")


def _count_emptied(engine: Engine, reader: _Reader, rows: str) -> None:
    words = checks.emptied(reader.source)
    if not words:
        return
    name = (reader.table.key or reader.table.required)[0]
    key = privacy.protected(reader.reading.kinds[name], quoted(name))
    asked = ", ".join(f"count_if({when}), min({key}, 3) filter ({when})" for when in words.values())
    answers = engine.rows(f"select {asked} from {rows}")[0]
    for position, name in enumerate(words):
        n, examples = answers[2 * position : 2 * position + 2]
        if n:
            reader.emptied[name] = (n, examples)


def _as_of(
    engine: Engine, readers: Mapping[str, _Reader], plan: Plan, wanted: dt.date | None
) -> tuple[dt.date, dt.date]:
    """Say which day the data speaks for, and the newest day of ordinary activity."""
    parts = [
        f"select {casts.local_day(column, plan.company.timezone)} as day from {_usable(reader)} "
        f"and {column} is not null {also}"
        for table, column, also in _ACTIVITY
        if (reader := readers.get(table)) is not None
    ]
    # a day beyond the calendar of Python is no ordinary one
    counted = engine.rows(
        f"select day, count(*) from ({' union all '.join(parts)}) "
        "where day between date '0001-01-02' and date '9999-12-30' group by day"
    )
    newest = newest_ordinary_day(dict(counted))
    if newest is None:
        held = " and ".join(
            f"{name} ({readers[name].n_in:,} rows, {readers[name].n_broken:,} of them set aside)"
            for name in ("leads", "deals")
            if name in readers
        )
        _stop_early(engine, readers, plan)
        raise TableError(
            f"{held} hold no row that can be used, so there is no day that the data speaks for, "
            "and nothing to compute. Ask Marketing Ops for leads, or Sales Ops for deals."
        )
    first = min(day for day, _ in counted)
    if wanted is not None and wanted < first:
        raise TableError(
            f"as_of is {wanted}, before all data: leads and deals run from {first} to {newest}. "
            "Nothing had happened by then, so there is nothing to compute; choose a later day."
        )
    return wanted or newest, newest


def _stop_early(engine: Engine, readers: Mapping[str, _Reader], plan: Plan) -> None:
    """Where no row is left, the reasons say more than that none is."""
    for name in ("leads", "deals"):
        if name in readers:
            _stop_if_too_many(engine, readers[name], plan)


def _usable(reader: _Reader) -> str:
    return f"checked.{reader.name} where not {reader.is_broken}"


def _is_after(column: Column, plan: Plan, as_of: dt.date) -> str:
    name = quoted(column.name)
    if column.kind is Kind.DATE:
        return f"coalesce({name} > date '{as_of}', false)"
    cut = plan.midnight(as_of + dt.timedelta(days=1)).replace(tzinfo=None)
    return f"coalesce({name} >= timestamp '{cut}', false)"


def _keep(engine: Engine, reader: _Reader, plan: Plan, as_of: dt.date) -> None:
    """Make the table that questions see: usable rows, once each, as at the end of `as_of`."""
    name, table = reader.name, reader.table
    conditions = [f"not {reader.is_broken}"] if reader.n_broken else []
    reader.as_of = as_of
    if table.happened:
        reader.after = _is_after(table.by_name[table.happened], plan, as_of)
        if _may_be_after(reader, plan, as_of):
            counted = f"select count_if({reader.after}) from {_usable(reader)}"
            reader.n_after = engine.rows(counted)[0][0]
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
    if not _n_rejected(reader):
        engine.execute(f"drop table raw.{name}")


def _shown(reader: _Reader, plan: Plan, as_of: dt.date) -> list[tuple[str, str]]:
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


def _key_columns(reader: _Reader) -> list[str]:
    return [column for column in reader.table.key if reader.source.type_of(column)]


def _is_key_of(reader: _Reader, how: str) -> str:
    keys = [
        f"coalesce({quoted(column)}, '')"
        if reader.reading.kinds[column] not in casts.TIMES
        else quoted(column)
        for column in _key_columns(reader)
    ]
    return f"({', '.join(keys)}) {how} (select {', '.join(keys)} from aside.{reader.name}_twice)"


def _may_be_after(reader: _Reader, plan: Plan, as_of: dt.date) -> bool:
    newest = reader.newest
    if isinstance(newest, dt.datetime):
        return newest.replace(tzinfo=dt.UTC) >= plan.midnight(as_of + dt.timedelta(days=1))
    # a day beyond Python's calendar comes as text
    return newest > as_of if isinstance(newest, dt.date) else newest is not None


def _find_twice(engine: Engine, reader: _Reader, conditions: list[str]) -> None:
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
    if not _has_equal(
        engine, f"select hash({listed}) as h from checked.{name}{where}", reader.n_in
    ):
        return
    full = " + ".join(f"({quoted(column)} is not null)::int" for column in reader.columns)
    content = ", ".join(quoted(column) for column in reader.columns)
    engine.execute(
        f"create table aside.{name}_twice as select *, row_number() over (partition by {listed} "
        f'order by {full} desc, {content}, {FILE}, {ROW}) as "nth:" from {reader.numbered}{where} '
        f"qualify count(*) over (partition by {listed}) > 1"
    )
    reader.n_twice = engine.rows(f'select count(*) from aside.{name}_twice where "nth:" > 1')[0][0]


def _has_equal(engine: Engine, hashes: str, n: int) -> bool:
    """Whether two hashes are equal; sorting numbers takes half the time of grouping keys."""
    if n > _MOST_SORTED:
        return bool(engine.rows(f"select 1 from ({hashes}) group by h having count(*) > 1 limit 1"))
    found = np.asarray(engine.execute(hashes).fetchnumpy()["h"])
    # two halves that cannot share a hash, sorted at the same time
    upper = found > np.uint64(1 << 63)
    with ThreadPoolExecutor(2) as pool:
        return any(pool.map(_has_equal_neighbours, (found[upper], found[~upper])))


def _has_equal_neighbours(hashes: np.ndarray) -> bool:
    hashes.sort()
    return bool((hashes[1:] == hashes[:-1]).any())


def _set_aside(engine: Engine, reader: _Reader) -> pd.DataFrame:
    """Fetch the rows that are not used: the source's columns, then `file`, `line` and `reason`."""
    source, name = reader.source, reader.name
    scan = _numbered(source) if reader.is_big else f"raw.{name}"
    cells = [f'{quoted(given)} as "cell:{i}"' for i, given in enumerate(source.types)]
    rows = f"({reader.reading.rows(scan, ROW, FILE, *cells)})"
    shown = []
    for i, (given, known) in enumerate(source.names.items()):
        column = source.table.by_name.get(known)
        kind = column.kind if column else privacy.kind_by_name(known)
        is_text = kind in (Kind.ID, Kind.PERSON, Kind.IDENTITY)
        kept = f'"cell:{i}"'
        text = casts.text(casts.bare(kept, source.types[given]), source.types[given])
        hidden = privacy.protected(kind if is_text else Kind.TEXT, text)
        if kind in casts.TIMES or (column and kind in casts.NUMBERS):
            # words where a figure belongs may be a name in a row whose cells have shifted
            hidden = f"case when regexp_matches({text}, '\\d') then {hidden} end"
        shown.append(f"{hidden} as {quoted(given)}")
    twice = " and ".join(f"`{key}`" for key in reader.table.key) + " is there twice"
    joined, is_twice = "", "false"
    if reader.n_twice:
        joined = (
            f'left join (select {ROW}, {FILE}, "nth:" from aside.{name}_twice where "nth:" > 1) '
            f"using ({ROW}, {FILE})"
        )
        is_twice = '"nth:" is not null'
    frame = engine.sql(
        f'select {", ".join(shown)}, {FILE} as "file:", {ROW} as "line:", '
        f"case when {reader.reading.is_broken} then {reader.reading.reason} "
        f"when {reader.after} then {literal(f'{AFTER} ({reader.as_of})')} "
        f'else {literal(twice)} end as "reason:" '
        f"from {rows} {joined} where ({reader.reading.is_broken}) or {reader.after} or {is_twice} "
        f"order by {FILE}, {ROW}"
    )
    if source.text is not None and not source.has_lines:
        frame["line:"] = frame["line:"].map(mending.lines_of(source, frame["line:"].tolist()))
    if source.malformed:
        lines = pd.DataFrame(source.malformed, columns=["line:", "reason:"])
        frame = pd.concat([frame, lines.assign(**{"file:": source.label})], ignore_index=True)
        frame = frame.sort_values("line:", ignore_index=True)
    return frame


def _told(
    readers: Iterable[_Reader], wanted: dt.date | None, newest: dt.date
) -> list[findings.Finding]:
    """Say what was seen on the way in that the tables no longer show."""
    told = []
    for reader in readers:
        told += [findings.of_file(reader.name, what, says) for what, says in reader.source.told]
        told += [
            findings.emptied(reader.name, column, n, examples)
            for column, (n, examples) in reader.emptied.items()
        ]
        if reader.n_after and (wanted is None or wanted >= newest):
            told.append(findings.strays(reader.name, reader.n_after, "", wanted or newest))
    if wanted is not None and wanted > newest:
        told.append(findings.later_than_data(wanted, newest))
    return told


def _stop_if_too_many(engine: Engine, reader: _Reader, plan: Plan) -> None:
    n_bad = reader.n_broken + reader.n_twice
    n_rows = reader.n_in - reader.n_after
    if not n_bad or n_bad <= plan.max_rejected * n_rows:
        return
    rows = _set_aside(engine, reader)
    rows = rows[~rows["reason:"].str.startswith(AFTER)]
    # the value quoted differs from row to row, the reason does not
    kinds = rows["reason:"].str.replace(r": '.*?'|'.*?' ", " ", regex=True).str.strip()
    said = []
    for kind, n in kinds.value_counts(sort=True).head(3).items():
        lines = ", ".join(str(line) for line in rows.loc[kinds == kind, "line:"].head(3))
        one = rows.loc[kinds == kind, "reason:"].iloc[0]
        said.append(f"{one} ({n:,} {'row' if n == 1 else 'rows'}: line {lines})")
    hint = ""
    if any("not a plain number" in one or "not a date" in one for one in said):
        hint = " `funnel import mapping` reads other ways to write dates and decimals."
    raise TableError(
        f"{reader.name}: {n_bad:,} of {n_rows:,} rows of {reader.source.label} break the contract, "
        f"{n_bad / n_rows:.0%}, and the plan allows {plan.max_rejected:.0%} (`max_rejected`). Most "
        f"often: {'; '.join(said)}. What is left may no longer speak for the whole, so nothing was "
        f"computed. {reader.table.owner} can mend the export.{hint}"
    )
