"""Writes a company's folder from exports, as a mapping file says.

An import renames columns and rewrites cells; it checks no row. A cell that it cannot read is
written unchanged, so that `load` rejects the row with its reason and no row is lost.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from funnel.contract.conditions import CASTS, read_condition
from funnel.contract.errors import FunnelError, SourceError, TableError
from funnel.contract.outgoing_text import clean_file_name, clean_headings
from funnel.contract.plan import FILE_NAME, Plan
from funnel.contract.tables import Column, Kind, Table
from funnel.dataset import csv_repair, files, import_notes
from funnel.dataset.engine import Engine, literal, quoted
from funnel.dataset.files import tidied
from funnel.sources.mapping.cells import Cells, mapped_sql, plain, read_cells
from funnel.sources.mapping.company_keys import completed, disagreements
from funnel.sources.mapping.mapping_file import (
    REST,
    ROW,
    TableMap,
    known,
    listed,
    nearest,
    plan_of,
    read_toml,
    table_maps,
)
from funnel.sources.staged_folder import staged_folder

_HIDDEN = (Kind.IDENTITY, Kind.PERSON, Kind.FREE, Kind.ID)


@dataclass(frozen=True, eq=False)
class Report:
    """What an import read and wrote.

    Attributes
    ----------
    tables
        One row per table: `table`, `source`, `rows_in` = `rows_excluded` (by the mapping's
        `where`) + `rows_not_first` (by its `first_per`) + `rows_broken` (lines that cannot be
        split into cells, such as `broken_lines`) + `rows_out`; `not_read` (cells in a form that
        the mapping does not name, which are written unchanged).
    out
        The company's folder.
    plan
        Where the plan came from: the file that was copied, or empty where `out` had its own or
        none was given.
    plan_keys
        Keys of the plan's section `[company]` that came from the mapping.
    findings
        What had to be chosen to read the exports: the table, and a sentence with the line that
        chooses otherwise.
    """

    tables: pd.DataFrame
    out: Path
    plan: str = ""
    plan_keys: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        lines = []
        for row in self.tables.to_dict("records"):
            line = f"{row['table']}: {row['rows_out']:,} rows from {row['source']}"
            if row["rows_excluded"]:
                line += f"; {row['rows_excluded']:,} of {row['rows_in']:,} excluded by `where`"
            if row["rows_not_first"]:
                line += f"; {row['rows_not_first']:,} later rows excluded by `first_per`"
            if row["rows_broken"]:
                line += (
                    f"; {row['rows_broken']:,} lines cannot be split into cells (such as line "
                    f"{row['broken_lines']}) and are not in it"
                )
            if row["not_read"]:
                line += (
                    f"; cells in a form that the mapping does not name, written unchanged: "
                    f"{row['not_read']:,}"
                )
            lines.append(line + ".")
            lines += [f"  {says}" for table, says in self.findings if table == row["table"]]
        if self.plan:
            lines.append(f"{FILE_NAME}: copied from {self.plan}.")
        if self.plan_keys:
            keys = ", ".join(f'`{key} = "{value}"`' for key, value in self.plan_keys.items())
            lines.append(f"{FILE_NAME}: {keys} written.")
        lines += [f"{FILE_NAME}: {says}" for table, says in self.findings if not table]
        return "\n".join([*lines, f"Written to {self.out}."])


def convert(mapping_file: str | Path, exports: str | Path, out: str | Path) -> Report:
    """Write a company's folder from exports, as a mapping says, and give what was done.

    Parameters
    ----------
    mapping_file
        The mapping, a TOML file; `docs/mapping.md` explains its keys. A `funnel.toml` beside it
        becomes the folder's plan, unless the folder has one; files that its `[records]` names come
        with it.
    exports
        The folder that the mapping's sources are in.
    out
        The company's folder. Tables of the mapping replace those already there; other files
        stay. It is written whole or not at all.

    Raises
    ------
    SourceError
        If the mapping cannot be followed: an unknown key or column, a missing file or column, a
        date format or filter that makes no sense. Nothing is written then.

    References
    ----------
    Date formats are those of Python's `strptime`, as DuckDB reads them.
    """
    mapping_file, exports, out = Path(mapping_file), Path(exports), Path(out)
    raw = read_toml(mapping_file)
    known("the mapping", raw, ("tables", "plan", "timezone", "currency"))
    maps = table_maps(raw)
    plan = plan_of(raw, mapping_file)
    if not exports.is_dir():
        raise SourceError(f"The folder of exports, {exports}, is not there. Nothing was written.")
    with staged_folder(out, [entry.table.name for entry in maps]) as staged, Engine() as engine:
        engine.seal(folders=[exports, staged])
        written = [_write(engine, entry, exports, staged) for entry in maps]
        found = [(row["table"], says) for row, cells in written for says in cells.findings]
        company = {
            "timezone": sorted({entry.timezone for entry in maps if entry.timezone}),
            "currency": sorted({cells.currency for _, cells in written if cells.currency}),
        }
        own = staged / FILE_NAME
        keys: dict[str, str] = {}
        if own.exists():
            text, copied = own.read_text(encoding="utf-8-sig"), ""
        else:
            text, copied = (plan.read_text(encoding="utf-8-sig"), str(plan)) if plan else ("", "")
            text, keys = completed(text, company)
            if text:
                own.write_text(text, encoding="utf-8")
            if plan:
                _copy_record_files(plan, staged)
        found += [("", says) for says in disagreements(text, company)]
        import_notes.write(
            staged,
            {
                row["table"]: (files.fingerprint(staged / f"{row['table']}.csv"), cells.findings)
                for row, cells in written
            },
        )
    rows = pd.DataFrame([row for row, _ in written])
    return Report(rows, out, copied, keys, tuple(found))


def _copy_record_files(plan: Path, staged: Path) -> None:
    """Copy the files that a plan's `[records]` names, which lie beside it."""
    for key, name in Plan.of(read_toml(plan)).records.files.items():
        if not (plan.parent / name).is_file():
            raise SourceError(
                f"{plan.name} names {name} as `records.{key}`, and there is no such file beside "
                "it. Nothing was written."
            )
        shutil.copyfile(plan.parent / name, staged / name)


@dataclass(frozen=True)
class _Choices:
    """What had to be chosen to read one table, and the currency of its amounts."""

    findings: tuple[str, ...]
    currency: str


def _write(
    engine: Engine, entry: TableMap, exports: Path, staged: Path
) -> tuple[dict[str, Any], _Choices]:
    source = _open(engine, entry, exports)
    by_tidy = {tidy: quoted(given) for given, tidy in source.names.items()}
    scan = source.scan
    if ROW in entry.columns.values() and ROW not in by_tidy:
        by_tidy[ROW] = quoted(ROW)
        # counted before `where`, so that two tables from one file give a row the same number
        scan = f"(select *, row_number() over () as {quoted(ROW)} from {source.scan})"
    chosen = f" where ({_condition(entry, source)})" if entry.where else ""
    types = {tidy: source.types[given] for given, tidy in source.names.items()}
    cells: dict[str, str] = {}
    read: list[Cells] = []
    for column in entry.table.columns:
        name = column.name
        if name in entry.constants:
            cells[name] = literal(plain(entry.constants[name]))
        elif name in entry.columns:
            named = tidied(entry.columns[name])
            with _explained(entry):
                read.append(
                    read_cells(
                        engine,
                        entry,
                        column,
                        by_tidy[named],
                        types.get(named, ""),
                        f"from {scan}{chosen}",
                    )
                )
            cells[name] = read[-1].sql
    for name in _kept(entry, source):
        cell = f"trim(cast({by_tidy[name]} as varchar))"
        cells[name] = mapped_sql(cell, entry.renames.get(name, {}))
    target = staged / f"{entry.table.name}.csv"
    selected = ", ".join(f"{cell} as {quoted(name)}" for name, cell in cells.items())
    tests = [one.unread for one in read if one.unread]
    failed_cells = " + ".join(f"count(*) filter (where {test})" for test in tests) or "0"
    query = f"select {selected} from {scan}{chosen}"
    if entry.first_per:
        query = _first_rows(entry, query)
    with _explained(entry):
        rows_in = int(engine.sql(f"select count(*) as n from {source.scan}")["n"].iloc[0])
        counts = engine.sql(
            f"select count(*) as n, {failed_cells} as bad from {scan}{chosen}"
        ).iloc[0]
        copied = engine.sql(f"copy ({query}) to {literal(str(target))} (format csv, header)")
    rows_out, broken = int(copied["Count"].iloc[0]), len(source.malformed)
    findings = [says for what, says in source.findings if what != "renamed"]
    findings += [says for one in read for says in one.findings]
    currencies = {one.currency for one in read if one.currency} or {entry.currency}
    choices = _Choices(tuple(findings), currencies.pop() if len(currencies) == 1 else "")
    row = {
        "table": entry.table.name,
        "source": entry.source,
        "rows_in": rows_in + broken,
        "rows_excluded": rows_in - int(counts["n"]),
        "rows_not_first": int(counts["n"]) - rows_out,
        "rows_broken": broken,
        "rows_out": rows_out,
        "not_read": int(counts["bad"]),
        "broken_lines": ", ".join(str(line) for line, _ in source.malformed[:3]),
    }
    return row, choices


@contextmanager
def _explained(entry: TableMap) -> Iterator[None]:
    """Say, of a query that cannot be run, what of the mapping it was made from."""
    try:
        yield
    except SourceError:
        raise
    except FunnelError as error:
        reason = str(error).removeprefix("A query cannot be run: ").rstrip(".!")
        raise SourceError(
            f"[tables.{entry.table.name}] {entry.source} cannot be turned into {entry.table.name}: "
            f"{reason}. Its `where` and `dates` are read by the database. Nothing was written."
        ) from None


def _first_rows(entry: TableMap, query: str) -> str:
    """Query for the earliest of the rows that are equal in the `first_per` columns.

    Of equal times the first in the file is taken. A row with an empty cell in one of the columns
    is always written, so that `load` can reject it with its reason.
    """
    place = quoted("#place")
    keys = [quoted(name) for name in entry.first_per]
    is_blank = " or ".join(f"coalesce({key}, '') = ''" for key in keys)
    at = f"try_cast({quoted(entry.table.happened)} as timestamptz)"
    return (
        f"select * exclude ({place}) from (select *, row_number() over () as {place} "
        f"from ({query})) qualify row_number() over (partition by {', '.join(keys)}, "
        f"case when {is_blank} then {place} end order by {at} nulls last, {place}) = 1 "
        f"order by {place}"
    )


def _condition(entry: TableMap, source: files.Source) -> str:
    """SQL of a table's `where`, which may compare the columns of its own source only."""
    return read_condition(
        entry.where,
        [*source.types, ROW] if ROW in entry.columns.values() else list(source.types),
        place=f"[tables.{entry.table.name}] `where`",
        rows=f"rows of {entry.source}",
        error=SourceError,
        ends=" Nothing was written.",
        also=(*CASTS, "Substring", "StartsWith", "EndsWith", "Left", "Right"),
    ).sql


def _open(engine: Engine, entry: TableMap, exports: Path) -> files.Source:
    """Source of a table, opened as `load` opens files, with the mapped columns."""
    where = f"[tables.{entry.table.name}]"
    path = exports / entry.source
    if not path.is_file():
        there = sorted(clean_file_name(each.name) for each in exports.iterdir() if each.is_file())
        raise SourceError(
            f"{where} There is no file {entry.source} among the exports. "
            f"{nearest(entry.source, there)} Nothing was written."
        )
    if not path.resolve().is_relative_to(exports.resolve()):
        raise SourceError(
            f"{where} {entry.source} leads out of the folder of exports, {exports}. Only files in "
            "it are read. Nothing was written."
        )
    used = dict.fromkeys(tidied(name) for name in [*entry.columns.values(), *entry.keep])
    for pseudo in (REST, ROW):
        used.pop(pseudo, None)
    export = Table(
        name=entry.table.name,
        grain=entry.table.grain,
        owner=entry.table.owner,
        # the header is recognised by these; the first is required, so that a wrong file is an error
        columns=tuple(
            Column(name, _kind(entry, name), "", required=position == 0)
            for position, name in enumerate(used)
        ),
    )
    try:
        source = files.open_source(engine, export, [path], entry.encoding)
    except TableError as error:
        raise SourceError(f"{error} Nothing was written.") from None
    there = clean_headings(source.types, used)
    for name in used:
        if name not in source.names.values():
            raise SourceError(
                f"{where} {entry.source} has no column `{name}`. {nearest(name, there)} Nothing "
                "was written."
            )
    _repair_if_broken(engine, source)
    return source


def _kind(entry: TableMap, source_name: str) -> Kind:
    """Kind of a source's column, as to whether a finding may quote its words."""
    kinds = [
        entry.table.by_name[name].kind
        for name, given in entry.columns.items()
        if tidied(given) == source_name
    ]
    hidden = [kind for kind in kinds if kind in _HIDDEN]
    return hidden[0] if hidden else Kind.TEXT


def _repair_if_broken(engine: Engine, source: files.Source) -> None:
    """Repair a file with lines that cannot be split into cells, so that only these are lost."""
    if source.text is None:
        return
    width = len(source.types)
    holds_rows = " or ".join(
        csv_repair.holds_rows(quoted(name), source.separator, width) for name in source.types
    )
    try:
        found = engine.sql(f"select count(*) as n from {source.scan} where {holds_rows}")
        is_broken = found["n"].iloc[0] > 0
    except FunnelError:
        is_broken = True
    if is_broken:
        csv_repair.repair(engine, source)


def _kept(entry: TableMap, source: files.Source) -> list[str]:
    """Extra columns to write under their own name, none of which may be one of the contract's."""
    used = {tidied(name) for name in entry.columns.values()}
    names = [tidied(name) for name in entry.keep if name != REST]
    if REST in entry.keep:
        names += [name for name in source.names.values() if name not in {*used, *names}]
    meant = [name for name in names if name in entry.table.by_name]
    if meant:
        raise SourceError(
            f"[tables.{entry.table.name}] `keep`: {listed(meant)} is a column of the contract. "
            "Name it under `columns`, so that it is clear what it means."
        )
    return list(dict.fromkeys(names))
