"""From a company's folder to what DuckDB can read: which files, in which encoding and format."""

from __future__ import annotations

import codecs
import csv
import difflib
import gzip
import hashlib
import io
import shutil
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from funnel.engine import Engine, literal, quoted
from funnel.errors import TableError
from funnel.plan import FILE_NAME
from funnel.tables import TABLES, Table

ENDINGS = (".csv", ".csv.gz", ".parquet")
_SEPARATORS = (",", ";", "\t")
_CHUNK = 1 << 20


@dataclass
class Source:
    """One table's files, and how to read them.

    Attributes
    ----------
    table
        The contract's table.
    files
        Its files, by name.
    scan
        SQL that reads them; every column as it is in the file.
    types
        The source's columns and their types in the engine, in order.
    names
        The contract's (or the tidied) name of each of the source's columns.
    text
        For CSV: the file as UTF-8 text, the one that lines are counted in.
    """

    table: Table
    files: tuple[Path, ...] = ()
    scan: str = ""
    types: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    text: Path | None = None
    separator: str = ","
    skipped: list[tuple[int, str]] = field(default_factory=list)
    has_lines: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """Size of its files."""
        return sum(file.stat().st_size for file in self.files)

    def cell(self, name: str) -> str | None:
        """SQL that names the cell of a contract's column, or None where the source has none."""
        for given, known in self.names.items():
            if known == name:
                return quoted(given)
        return None

    @property
    def extras(self) -> list[str]:
        """The source's columns that the contract does not know, by tidied name."""
        return sorted(name for name in self.names.values() if name not in self.table.by_name)


def find(folder: Path) -> tuple[dict[str, tuple[Path, ...]], list[str]]:
    """Find each table's files in a company's folder, and the names of files nobody asked for.

    Raises
    ------
    TableError
        If there is no such folder, nothing in it is a table, or a table is there twice.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "is not there"
        raise TableError(
            f"The company's folder {folder} {what}. It holds one file per table, such as "
            "leads.csv or deals.parquet, and the plan, funnel.toml. `funnel init` makes one."
        )
    found: dict[str, list[Path]] = {}
    strange = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "_")) or path.name in (FILE_NAME, "README.md"):
            continue
        name = _table_of(path)
        if name is None:
            strange.append(path.name)
        else:
            found.setdefault(name, []).append(path)
    tables = {}
    for name, paths in found.items():
        if len(paths) > 1:
            raise TableError(
                f"{name}: {len(paths)} sources hold this table "
                f"({', '.join(path.name for path in paths)}). Which one counts cannot be guessed, "
                f"and both would count rows twice. {TABLES[name].owner} can say which to keep."
            )
        files = tuple(sorted(paths[0].rglob("*.parquet"))) if paths[0].is_dir() else tuple(paths)
        if not files:
            raise TableError(
                f"{name}: the folder {paths[0].name}/ holds no Parquet file. Ask "
                f"{TABLES[name].owner} for the export, or remove the folder."
            )
        tables[name] = files
    if not tables.keys() & {"leads", "deals"}:
        near = difflib.get_close_matches("leads.csv", strange, n=1, cutoff=0.5) or (
            difflib.get_close_matches("deals.csv", strange, n=1, cutoff=0.5)
        )
        hint = f" The nearest name there is {near[0]}." if near else ""
        held = ", ".join(sorted(tables) + strange)
        what = f"It holds {held}." if held else "It is empty."
        raise TableError(
            f"The folder {folder} has neither leads nor deals (as .csv, .csv.gz or .parquet). "
            f"{what}{hint} Every question starts from one of the two: ask Marketing Ops for leads "
            "or Sales Ops for deals."
        )
    return tables, strange


def _table_of(path: Path) -> str | None:
    name = path.name.casefold()
    if path.is_dir():
        return name if name in TABLES else None
    for ending in ENDINGS:
        if name.endswith(ending) and name.removesuffix(ending) in TABLES:
            return name.removesuffix(ending)
    return None


def open_source(engine: Engine, table: Table, files: Sequence[Path]) -> Source:
    """Find out how a table's files are to be read.

    Raises
    ------
    TableError
        If they are no table: binary, truncated, empty, or without a column that must be there.
    """
    try:
        if files[0].name.casefold().endswith(".parquet"):
            return _open_parquet(engine, table, tuple(files))
        return _open_csv(engine, table, files[0])
    except OSError as error:
        raise TableError(
            f"{table.name}: {files[0].name} cannot be read ({error.strerror or error}). Nothing "
            f"was computed without it. {table.owner} can export it again."
        ) from None


def _open_parquet(engine: Engine, table: Table, files: tuple[Path, ...]) -> Source:
    listed = ", ".join(literal(str(file)) for file in files)
    scan = f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
    try:
        types = _described(engine, scan)
    except duckdb.Error as error:
        raise TableError(
            f"{table.name}: {files[0].name} is no readable Parquet file "
            f"({str(error).splitlines()[0][:160]}). It may be cut short or named wrongly; "
            f"{table.owner} can export it again."
        ) from None
    source = Source(table, files, scan, types)
    _name_columns(source)
    return source


def _open_csv(engine: Engine, table: Table, file: Path) -> Source:
    text, encoding = _as_utf8(engine, table, file)
    header, separator = _header(table, file, text)
    source = Source(table, (file,), text=text, separator=separator)
    if encoding:
        source.notes.append(f"encoding:{encoding}")
    source.types = dict.fromkeys(header, "VARCHAR")
    source.scan = csv_scan(text, header, separator)
    _name_columns(source)
    return source


def csv_scan(path: Path, columns: Sequence[str], separator: str) -> str:
    """SQL that reads a CSV file strictly, every cell as text."""
    listed = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in columns)
    return (
        f"read_csv({literal(str(path))}, columns = {{{listed}}}, delim = {literal(separator)}, "
        "quote = '\"', escape = '\"', header = true, auto_detect = false, strict_mode = true, "
        "nullstr = '')"
    )


def _described(engine: Engine, scan: str) -> dict[str, str]:
    return {row[0]: row[1] for row in engine.rows(f"describe select * from {scan}")}


def _as_utf8(engine: Engine, table: Table, file: Path) -> tuple[Path, str]:
    """Give the file as UTF-8 text, written anew only where it is something else."""
    packed = file.name.casefold().endswith(".gz")
    with file.open("rb") as raw:
        start = raw.read(4)
    if not start:
        raise TableError(
            f"{table.name}: {file.name} is empty, without even a header. {table.owner} can export "
            "it again; a table that has no rows yet still names its columns."
        )
    if not packed and start[:2] == b"\x1f\x8b":
        packed = True
    try:
        encoding = _encoding(table, file, packed)
        if not packed and encoding == "utf-8":
            return file, ""
        target = engine.folder / f"{table.name}.csv"
        with _opened(file, packed) as raw, target.open("wb") as out:
            if encoding == "utf-8":
                shutil.copyfileobj(raw, out, _CHUNK)
            else:
                reader = codecs.getreader(encoding)(raw, errors="replace")
                while chunk := reader.read(_CHUNK):
                    out.write(chunk.encode("utf-8"))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TableError(
            f"{table.name}: {file.name} cannot be unpacked ({error}). It was cut short or damaged "
            f"on its way, so rows are missing. {table.owner} can export or copy it again."
        ) from None
    return target, "" if encoding == "utf-8" else encoding


def _opened(file: Path, packed: bool) -> io.BufferedIOBase:
    return gzip.open(file, "rb") if packed else file.open("rb")  # type: ignore[return-value]


def _encoding(table: Table, file: Path, packed: bool) -> str:
    """UTF-16 by its mark, UTF-8 if every byte fits, else Windows-1252; never a binary file."""
    with _opened(file, packed) as raw:
        start = raw.read(4096)
        if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return "utf-16"
        if b"\x00" in start:
            odd, even = start[1::2].count(0), start[0::2].count(0)
            half = len(start) // 2
            if odd > 0.7 * half and not even:
                return "utf-16-le"
            if even > 0.7 * half and not odd:
                return "utf-16-be"
            raise TableError(
                f"{table.name}: {file.name} is no text file but a binary one, such as a "
                f"spreadsheet or a database. Save it as CSV or Parquet; {table.owner} can export "
                "it so."
            )
        decoder = codecs.getincrementaldecoder("utf-8")()
        chunk = start
        while chunk:
            try:
                if not chunk.isascii() or decoder.getstate()[0]:
                    decoder.decode(chunk)
            except UnicodeDecodeError:
                return "cp1252"
            chunk = raw.read(_CHUNK)
    return "utf-8"


def _header(table: Table, file: Path, text: Path) -> tuple[list[str], str]:
    """Read the header by whichever separator gives the most columns the contract knows."""
    with text.open("r", encoding="utf-8-sig", errors="replace", newline="") as lines:
        head = lines.read(1 << 16)
    candidates = []
    for separator in _SEPARATORS:
        try:
            row = next(csv.reader(io.StringIO(head, newline=""), delimiter=separator))
        except (StopIteration, csv.Error):
            row = []
        known = sum(_tidied(name) in table.by_name for name in row)
        candidates.append((known, len(row), separator, row))
    known, _, separator, row = max(candidates, key=lambda c: c[:2])
    if not known:
        seen = ", ".join(name.strip()[:40] for name in row[:8] if name.strip().isprintable())
        raise TableError(
            f"{table.name}: the first line of {file.name} names no column of this table "
            f"({seen or 'no readable text'}). It must hold {', '.join(table.required)}. "
            f"{table.owner} can export it with a header, as UTF-8 text."
        )
    return _unlike(row), separator


def _unlike(names: Sequence[str]) -> list[str]:
    """Make every name of a header differ from the others, so that the engine can tell them."""
    seen: set[str] = set()
    unlike = []
    for position, name in enumerate(names, start=1):
        mine = name if name.strip() else f"column_{position}"
        while mine.casefold() in seen:
            mine += "_again"
        seen.add(mine.casefold())
        unlike.append(mine)
    return unlike


def _tidied(name: str) -> str:
    return name.strip().strip("\ufeff").casefold()


def _name_columns(source: Source) -> None:
    table = source.table
    for given in source.types:
        name = _tidied(given)
        if name in source.names.values():
            raise TableError(
                f"{table.name}: two columns are both called `{name}`. Which one counts cannot be "
                f"guessed; {table.owner} can rename one."
            )
        source.names[given] = name
    missing = [name for name in table.required if name not in source.names.values()]
    if missing:
        free = [name for name in source.names.values() if name not in table.by_name]
        near = difflib.get_close_matches(missing[0], free, n=1, cutoff=0.5)
        hint = f" The nearest column there is `{near[0]}`." if near else ""
        has = ", ".join(list(source.names.values())[:12])
        where = source.files[0].name if source.files else "the frame"
        raise TableError(
            f"{table.name}: {where} has no column `{'`, `'.join(missing)}`, which every row needs. "
            f"It has {has}.{hint} {table.owner} can add it, or `funnel import mapping` can rename "
            "it."
        )


def fingerprint(file: Path) -> str:
    """SHA-256 of a file's bytes."""
    with file.open("rb") as raw:
        return hashlib.file_digest(raw, "sha256").hexdigest()


def lines_of(source: Source, rows: Sequence[int]) -> dict[int, int]:
    """Find the physical line on which each of these rows (counted from 1) begins."""
    wanted = set(rows)
    lines: dict[int, int] = {}
    for number, line in enumerate(_row_lines(source), start=1):
        if number in wanted:
            lines[number] = line
            if len(lines) == len(wanted):
                break
    return lines


def _row_lines(source: Source) -> Iterator[int]:
    assert source.text is not None
    with source.text.open("r", encoding="utf-8-sig", errors="replace", newline="") as text:
        csv.field_size_limit(1 << 30)
        reader = csv.reader(text, delimiter=source.separator)
        next(reader)
        before = reader.line_num
        for row in reader:
            if row:
                yield before + 1
            before = reader.line_num
