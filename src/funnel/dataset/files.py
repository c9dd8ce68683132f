"""From a company's folder to what DuckDB can read: which files, in which encoding and format."""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from funnel.contract.errors import TableError
from funnel.contract.plan import FILE_NAME
from funnel.contract.tables import TABLES, Table
from funnel.dataset.encodings import as_utf8
from funnel.dataset.engine import Engine, EngineError, literal

ENDINGS = (".csv", ".csv.gz", ".parquet")
_SEPARATORS = (",", ";", "\t")


@dataclass
class Source:
    """One table's files, and how to read them.

    Attributes
    ----------
    table
        The contract's table.
    files
        Its files, by name; none for a frame.
    scan
        SQL that reads them; every column as it is in the file.
    types
        The source's columns and their types in the engine, in order.
    names
        The contract's (or the tidied) name of each of the source's columns.
    text
        For CSV: the file as UTF-8 text, the one that lines are counted in.
    is_quoted
        For CSV: whether any cell is quoted, and so may hold a line break.
    malformed
        Lines that could not be split into cells, and why.
    has_lines
        Whether the scan has the line of each row, since the file had to be mended.
    numeric
        Columns beside the contract's that are text in the source and hold numbers only.
    told
        What is to be told of the file itself: a finding's code and sentence.
    """

    table: Table
    files: tuple[Path, ...] = ()
    scan: str = ""
    types: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    text: Path | None = None
    separator: str = ","
    is_quoted: bool = False
    malformed: list[tuple[int, str]] = field(default_factory=list)
    has_lines: bool = False
    numeric: frozenset[str] = frozenset()
    told: list[tuple[str, str]] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """Size of its files."""
        return sum(file.stat().st_size for file in self.files)

    @property
    def label(self) -> str:
        """What to call it in a sentence."""
        return self.files[0].name if self.files else "the frame"

    def type_of(self, name: str) -> str | None:
        """Give the type of a column in the source, or None where the source has none."""
        types = (self.types[given] for given, known in self.names.items() if known == name)
        return next(types, None)

    @property
    def extras(self) -> tuple[str, ...]:
        """The source's columns that the contract does not know, by name."""
        return tuple(sorted(name for name in self.names.values() if name not in self.table.by_name))


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
        types = described(engine, scan)
    except EngineError as error:
        raise TableError(
            f"{table.name}: {files[0].name} is no readable Parquet file "
            f"({str(error).splitlines()[0][:160]}). It may be cut short or named wrongly; "
            f"{table.owner} can export it again."
        ) from None
    source = Source(table, files, scan, types)
    name_columns(source)
    return source


def _open_csv(engine: Engine, table: Table, file: Path) -> Source:
    text, encoding, is_quoted = as_utf8(engine, table, file)
    header, separator = _header(table, file, text)
    source = Source(table, (file,), text=text, separator=separator, is_quoted=is_quoted)
    source.types = dict.fromkeys(header, "VARCHAR")
    source.scan = csv_scan(text, header, separator)
    name_columns(source)
    if encoding == "cp1252":
        source.told.append(("encoding", f"{file.name} is not UTF-8 and was read as Windows-1252."))
    return source


def csv_scan(path: Path, columns: Sequence[str], separator: str) -> str:
    """Write the scan of a CSV file: strict, and every cell as text."""
    listed = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in columns)
    return (
        f"read_csv({literal(str(path))}, columns = {{{listed}}}, delim = {literal(separator)}, "
        "quote = '\"', escape = '\"', header = true, auto_detect = false, strict_mode = true, "
        "nullstr = '')"
    )


def described(engine: Engine, scan: str) -> dict[str, str]:
    """Name the columns of a scan and their types."""
    return {row[0]: row[1] for row in engine.rows(f"describe select * from {scan}")}


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
    return unlike(row), separator


def unlike(names: Sequence[str]) -> list[str]:
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


def name_columns(source: Source) -> None:
    """Match the source's columns to the contract's, and see that those it must have are there."""
    table = source.table
    for given in source.types:
        name = _tidied(given)
        if name in table.by_name and given.strip("\ufeff") != name:
            said = f"The column `{given.strip()[:60]}` of {source.label} was read as `{name}`."
            source.told.append(("renamed", said))
        before = name.removesuffix("_again")
        if before != name and before in table.by_name:
            name = before
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
        raise TableError(
            f"{table.name}: {source.label} has no column `{'`, `'.join(missing)}`, which every row "
            f"needs. It has {has}.{hint} {table.owner} can add it, or `funnel import mapping` can "
            "rename it."
        )


def fingerprint(file: Path) -> str:
    """SHA-256 of a file's bytes."""
    with file.open("rb") as raw:
        return hashlib.file_digest(raw, "sha256").hexdigest()
