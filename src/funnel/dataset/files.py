"""Files of a company's folder: which table each holds, its encoding, format and columns."""

from __future__ import annotations

import codecs
import csv
import difflib
import gzip
import hashlib
import io
import re
import shutil
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from funnel.contract.errors import TableError
from funnel.contract.outgoing_text import (
    clean_file_name,
    clean_headings,
    clean_path,
    holds_identity,
)
from funnel.contract.plan import FILE_NAME
from funnel.contract.tables import TABLES, Table
from funnel.dataset.engine import Engine, EngineError, literal
from funnel.dataset.temporary import writing

ENDINGS = (".csv", ".csv.gz", ".parquet")
_SEPARATORS = (",", ";", "\t")
_RESERVED = re.compile(r"(row|file|line|reason|nth|like|path):|(bare|cell):.*", re.DOTALL)
_CHUNK = 1 << 20
MOST_COLUMNS = 1000  # the widest object of a CRM has some 800
_MOST_UNPACKED = 256 << 20  # bytes, or as many times the packed size as here below
_MOST_TIMES = 200  # exports of text unpack to 5 to 50 times their size


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
        SQL that reads them, every column as it is in the file.
    types
        The source's columns and their types in the engine, in order.
    names
        The contract's (or the tidied) name of each of the source's columns.
    text
        For CSV: the file as UTF-8 text, in which lines are counted.
    is_quoted
        For CSV: whether any cell is quoted, and so may hold a line break.
    malformed
        Lines that could not be split into cells, and why.
    has_lines
        Whether the scan has the line of each row, since the file was repaired.
    numeric
        Columns beside the contract's that are text in the source and hold numbers only.
    findings
        Findings about the file itself: code and sentence of each.
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
    findings: list[tuple[str, str]] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """Size of its files."""
        return sum(file.stat().st_size for file in self.files)

    @property
    def label(self) -> str:
        """Its name in a sentence."""
        return clean_path(self.files[0].name) if self.files else "the frame"

    def type_of(self, name: str) -> str | None:
        """Type of a column in the source; None where the source has no such column."""
        types = (self.types[given] for given, known in self.names.items() if known == name)
        return next(types, None)

    @property
    def extras(self) -> tuple[str, ...]:
        """The source's columns that are not in the contract, by name."""
        return tuple(sorted(name for name in self.names.values() if name not in self.table.by_name))


def find(folder: Path) -> tuple[dict[str, tuple[Path, ...]], list[str]]:
    """Files of each table in a company's folder, and the names of files that are no table.

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
    others = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "_")) or path.name in (FILE_NAME, "README.md"):
            continue
        name = _table_of(path)
        if name is None:
            others.append(clean_file_name(path.name))
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
        for file in files:
            if not file.is_file():
                raise TableError(
                    f"{name}: {file.name} is no regular file but a pipe, a device or a broken "
                    f"link, and cannot be read twice. {TABLES[name].owner} can export it as a file."
                )
        if not files:
            raise TableError(
                f"{name}: the folder {paths[0].name}/ holds no Parquet file. Ask "
                f"{TABLES[name].owner} for the export, or remove the folder."
            )
        tables[name] = files
    if not tables.keys() & {"leads", "deals"}:
        near = difflib.get_close_matches("leads.csv", others, n=1, cutoff=0.5) or (
            difflib.get_close_matches("deals.csv", others, n=1, cutoff=0.5)
        )
        hint = f" The nearest name there is {near[0]}." if near else ""
        held = ", ".join([*sorted(tables), *others])
        what = f"It holds {held}." if held else "It is empty."
        raise TableError(
            f"The folder {folder} has neither leads nor deals (as .csv, .csv.gz or .parquet). "
            f"{what}{hint} Every question starts from one of the two: ask Marketing Ops for leads "
            "or Sales Ops for deals."
        )
    return tables, others


def _table_of(path: Path) -> str | None:
    name = path.name.casefold()
    if path.is_dir():
        return name if name in TABLES else None
    for ending in ENDINGS:
        if name.endswith(ending) and name.removesuffix(ending) in TABLES:
            return name.removesuffix(ending)
    return None


def open_source(engine: Engine, table: Table, files: Sequence[Path]) -> Source:
    """Source of a table: how its files are read.

    Raises
    ------
    TableError
        If they are no table: binary, truncated, empty, or without a column that must be there.
    TemporaryError
        If what they unpack to does not fit into the folder for temporary data.
    """
    try:
        with writing():
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
        says = f"{file.name} is not UTF-8 and was read as Windows-1252."
        source.findings.append(("encoding", says))
    return source


def as_utf8(engine: Engine, table: Table, file: Path) -> tuple[Path, str, bool]:
    """A table's file as UTF-8 text; a copy is written only where it is something else.

    Returns
    -------
    tuple
        The file to read, its original encoding, and whether any cell may be quoted.

    Raises
    ------
    TableError
        If the file is empty, binary, or packed and damaged.
    """
    with file.open("rb") as raw:
        start = raw.read(4)
    if not start:
        raise TableError(
            f"{table.name}: {file.name} is empty, without even a header. {table.owner} can export "
            "it again; a table that has no rows yet still names its columns."
        )
    packed = start[:2] == b"\x1f\x8b"
    if file.name.casefold().endswith(".gz") and not packed:
        raise TableError(
            f"{table.name}: {file.name} is not packed with gzip, as its name says. It may be "
            f"named wrongly or damaged; {table.owner} can export it again."
        )
    try:
        encoding, is_quoted = _encoding(table, file, packed)
        if not packed and encoding == "utf-8":
            return file, encoding, is_quoted
        target = engine.folder / f"{table.name}.csv"
        with _opened(file, packed) as raw, target.open("wb") as out:
            if encoding == "utf-8":
                shutil.copyfileobj(raw, out, _CHUNK)
            else:
                reader = codecs.getreader(encoding)(raw, errors="replace")
                while chunk := reader.read(_CHUNK):
                    out.write(chunk.encode("utf-8", errors="replace"))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TableError(
            f"{table.name}: {file.name} cannot be unpacked ({str(error).rstrip('.')}). It may be "
            f"cut short or damaged, so rows are missing. {table.owner} can export or copy "
            "it again."
        ) from None
    return target, encoding, is_quoted


def _opened(file: Path, packed: bool) -> io.BufferedIOBase:
    return _Unpacked(file, "rb") if packed else file.open("rb")  # type: ignore[return-value]


class _Unpacked(gzip.GzipFile):
    """A packed file that stops where no export would unpack to so much."""

    def read(self, size: int | None = -1) -> bytes:
        chunk = super().read(size)
        if self.tell() > max(_MOST_UNPACKED, _MOST_TIMES * Path(str(self.name)).stat().st_size):
            raise zlib.error(f"it unpacks to more than {self.tell() >> 20:,} MiB")
        return chunk


def _encoding(table: Table, file: Path, packed: bool) -> tuple[str, bool]:
    """Encoding of a text file, and whether it has quotes: UTF-16, UTF-8 or else Windows-1252."""
    with _opened(file, packed) as raw:
        start = chunk = raw.read(_CHUNK)
        utf16 = _utf16(start[:4096])
        if utf16:
            return utf16, True
        if b"\x00" in start[:4096] or start.startswith((b"PK\x03\x04", b"%PDF", b"\x89PNG")):
            raise TableError(
                f"{table.name}: {file.name} is no text file but a binary one, such as a "
                f"spreadsheet or a database. Save it as CSV or Parquet; {table.owner} can export "
                "it so."
            )
        decoder = codecs.getincrementaldecoder("utf-8")()
        is_quoted, encoding = False, "utf-8"
        while chunk:
            is_quoted = is_quoted or b'"' in chunk
            try:
                if not chunk.isascii() or decoder.getstate()[0]:
                    decoder.decode(chunk)
            except UnicodeDecodeError:
                return "cp1252", True
            chunk = raw.read(_CHUNK)
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252", True
    return encoding, is_quoted


def _utf16(start: bytes) -> str:
    """UTF-16 by its mark, or by the zeros in every second byte of Latin text; else empty."""
    if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16"
    even, odd, half = start[0::2].count(0), start[1::2].count(0), len(start) // 2
    if odd > 0.7 * half and not even:
        return "utf-16-le"
    return "utf-16-be" if even > 0.7 * half and not odd else ""


def csv_scan(path: Path, columns: Sequence[str], separator: str) -> str:
    """SQL scan of a CSV file: strict, and every cell as text."""
    listed = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in columns)
    return (
        f"read_csv({literal(str(path))}, columns = {{{listed}}}, delim = {literal(separator)}, "
        "quote = '\"', escape = '\"', header = true, auto_detect = false, strict_mode = true, "
        "nullstr = '')"
    )


def described(engine: Engine, scan: str) -> dict[str, str]:
    """Columns of a scan, with their types."""
    return {row[0]: row[1] for row in engine.rows(f"describe select * from {scan}")}


def _header(table: Table, file: Path, text: Path) -> tuple[list[str], str]:
    """Header and separator of a CSV file: those that give the most columns of the contract."""
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
        raise TableError(
            f"{table.name}: the first line of {clean_path(file.name)} names no column of this "
            f"table, in {len(row)} {'cell' if len(row) == 1 else 'cells'}. It must hold "
            f"{', '.join(table.required)}. {table.owner} can export it with a header, as UTF-8 "
            "text."
        )
    return unique_names(row), separator


def unique_names(names: Sequence[str]) -> list[str]:
    """Names of a header, changed where needed so that no two are equal."""
    seen: set[str] = set()
    unique = []
    for position, name in enumerate(names, start=1):
        mine = name if name.strip() else f"column_{position}"
        while mine.casefold() in seen:
            mine += "_again"
        seen.add(mine.casefold())
        unique.append(mine)
    return unique


def _tidied(name: str) -> str:
    return name.strip().strip("\ufeff").casefold()


def name_columns(source: Source) -> None:
    """Match the source's columns to the contract's; raise where a required one is missing."""
    table = source.table
    if len(source.types) > MOST_COLUMNS:
        raise TableError(
            f"{table.name}: {source.label} has {len(source.types):,} columns, and at most "
            f"{MOST_COLUMNS:,} are read. {table.owner} can export those that are needed: "
            f"{', '.join(table.required)} must be there."
        )
    shown = dict(zip(source.types, clean_headings(source.types, table.by_name), strict=True))
    for position, given in enumerate(source.types, start=1):
        # a heading is shown wherever its column is
        name = _tidied(given)
        if holds_identity(name):
            name = f"column_{position}"
        if _RESERVED.fullmatch(name):
            raise TableError(
                f"{table.name}: {source.label} has a column called `{name[:60]}`, a name that is "
                "used here for the place of a row and why it is rejected. "
                f"{table.owner} can rename it."
            )
        if name in table.by_name and given.strip("\ufeff") != name:
            says = f"The column `{given.strip()[:60]}` of {source.label} was read as `{name}`."
            source.findings.append(("renamed", says))
        before = name.removesuffix("_again")
        if before != name and before in table.by_name:
            name = before
        if name in source.names.values():
            raise TableError(
                f"{table.name}: two columns are both called `{shown[given]}`. Which one counts "
                f"cannot be guessed; {table.owner} can rename one."
            )
        source.names[given] = name
    missing = [name for name in table.required if name not in source.names.values()]
    if missing:
        free = [
            shown[given]
            for given, name in source.names.items()
            if name not in table.by_name and shown[given].casefold() == name
        ]
        near = difflib.get_close_matches(missing[0], free, n=1, cutoff=0.5)
        hint = f" The nearest column there is `{near[0]}`." if near else ""
        has = ", ".join(list(shown.values())[:12])
        raise TableError(
            f"{table.name}: {source.label} has no column `{'`, `'.join(missing)}`, which every row "
            f"needs. It has {has}.{hint} {table.owner} can add it, or `funnel import mapping` can "
            "rename it."
        )


def fingerprint(file: Path) -> str:
    """SHA-256 of a file's bytes."""
    with file.open("rb") as raw:
        return hashlib.file_digest(raw, "sha256").hexdigest()
