"""Files of a company's folder: which table each holds, its encoding, format and columns."""

from __future__ import annotations

import codecs
import contextlib
import csv
import difflib
import gzip
import hashlib
import io
import itertools
import re
import shutil
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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
from funnel.contract.tables import TABLES, Kind, Table
from funnel.dataset import casts, encodings, privacy
from funnel.dataset.engine import Engine, EngineError, literal, quoted
from funnel.dataset.temporary import writing

ENDINGS = (".csv", ".csv.gz", ".parquet")
STARTS = frozenset({"leads", "deals", "subscriptions", "touches"})  # one of them must be there
_SEPARATORS = (",", ";", "\t", "|")
_NAMED_SEPARATOR = re.compile(r"\"?sep=(\W)", re.IGNORECASE)  # a first line for spreadsheets
_MOST_ABOVE = 20  # lines in which the header is looked for
_FIRST_ROWS = 200
_HEADING = 32  # bytes in which a file has only letters of a heading
_MOST_ZEROS = 0.05
_NO_TEXT = re.compile(rb"[\x01-\x08\x0e-\x19\x1c-\x1f]")
_RESERVED = re.compile(
    r"(row|file|line|reason|nth|like|path|excluded|merged|folded):|(bare|cell|paid):.*", re.DOTALL
)
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
    n_above
        For CSV: lines of the file above its header, which `text` lacks.
    malformed
        Lines that could not be split into cells, and why.
    has_lines
        Whether the scan has the line of each row, since the file was repaired.
    numeric
        Columns beside the contract's that are text in the source and hold numbers only.
    words
        The words of text columns that have few, blanks around them included.
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
    n_above: int = 0
    malformed: list[tuple[int, str]] = field(default_factory=list)
    has_lines: bool = False
    numeric: frozenset[str] = frozenset()
    words: dict[str, list[str]] = field(default_factory=dict)
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


def find(
    folder: Path, named: Collection[str] = ()
) -> tuple[dict[str, tuple[Path, ...]], list[str]]:
    """Files of each table in a company's folder, and the names of files that are no table.

    Parameters
    ----------
    folder
        The company's folder.
    named
        Files that the plan names, which are read as what it says.

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
        if path.name.startswith((".", "_")) or path.name in (FILE_NAME, "README.md", *named):
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
    if not tables.keys() & STARTS:
        near = difflib.get_close_matches("leads.csv", others, n=1, cutoff=0.5) or (
            difflib.get_close_matches("deals.csv", others, n=1, cutoff=0.5)
        )
        hint = f" The nearest name there is {near[0]}." if near else ""
        held = ", ".join([*sorted(tables), *others])
        what = f"It holds {held}." if held else "It is empty."
        raise TableError(
            f"The folder {folder} has neither leads nor deals (as .csv, .csv.gz or .parquet). "
            f"{what}{hint} Nearly every question starts from one of the two, and the others from "
            "subscriptions or touches: ask Marketing Ops for leads or Sales Ops for deals."
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


def open_source(engine: Engine, table: Table, files: Sequence[Path], encoding: str = "") -> Source:
    """Source of a table: how its files are read; `encoding` is that of CSV, where it is known.

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
            return _open_csv(engine, table, files[0], encoding)
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
    for given, name in source.names.items():
        column = table.by_name.get(name)
        if column and column.kind in casts.TIMES and casts.is_number_type(types[given]):
            low, high = engine.rows(
                f"select min({quoted(given)}), max({quoted(given)}) from {scan}"
            )[0]
            if low is not None:
                refuse_counted(table, source.label, name, float(low), float(high))
    return source


def _open_csv(engine: Engine, table: Table, file: Path, encoding: str) -> Source:
    text = as_utf8(engine, table, file, encoding)
    header = _header(table, file, text.path)
    path = text.path
    if header.at:
        path = engine.folder / f"{table.name}.below.csv"
        with text.path.open("rb") as whole, path.open("wb") as below:
            whole.seek(header.at)
            shutil.copyfileobj(whole, below, _CHUNK)
    source = Source(table, (file,), text=path, separator=header.separator)
    source.is_quoted, source.n_above = text.is_quoted, header.n_above
    source.types = dict.fromkeys(header.names, "VARCHAR")
    source.scan = csv_scan(path, header.names, header.separator)
    name_columns(source)
    _refuse_numbers(table, source.label, header.first_cells)
    source.findings += _text_findings(source, text)
    if header.n_titles:
        lines = "line" if header.n_titles == 1 else f"{header.n_titles} lines"
        verb = "stands" if header.n_titles == 1 else "stand"
        says = f"The first {lines} of {source.label} {verb} above the header and held no rows."
        source.findings.append(("lines_above", says))
    return source


@dataclass(frozen=True)
class TextFile:
    """A table's file as UTF-8 text, and what was changed to make it so.

    Attributes
    ----------
    path
        The file to read: the table's own, or a copy.
    is_quoted
        Whether any cell may be quoted.
    encoding
        What it was in.
    is_guess
        Whether nothing in the file says so.
    n_zeros, n_lost
        Null characters that were removed, and bytes that are no character of the encoding.
    """

    path: Path
    is_quoted: bool
    encoding: str = "utf-8"
    is_guess: bool = False
    n_zeros: int = 0
    n_lost: int = 0


def as_utf8(engine: Engine, table: Table, file: Path, encoding: str = "") -> TextFile:
    """A table's file as UTF-8 text; a copy is written only where it is something else.

    Parameters
    ----------
    encoding
        What the file is in, where somebody said so.

    Raises
    ------
    TableError
        If the file is empty, binary, packed and damaged, or not in the encoding given.
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
        form = _form(table, file, packed, encoding)
        if not (packed or form.is_rewritten):
            return TextFile(file, form.is_quoted)
        target = engine.folder / f"{table.name}.csv"
        if form.is_rewritten:
            return _rewritten(table, file, packed, form, target)
        with _opened(file, packed) as raw, target.open("wb") as out:
            shutil.copyfileobj(raw, out, _CHUNK)
        return TextFile(target, form.is_quoted)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TableError(
            f"{table.name}: {file.name} cannot be unpacked ({str(error).rstrip('.')}). It may be "
            f"cut short or damaged, so rows are missing. {table.owner} can export or copy "
            "it again."
        ) from None


def _opened(file: Path, packed: bool) -> io.BufferedIOBase:
    return _Unpacked(file, "rb") if packed else file.open("rb")  # type: ignore[return-value]


class _Unpacked(gzip.GzipFile):
    """A packed file that stops where no export would unpack to so much."""

    def read(self, size: int | None = -1) -> bytes:
        chunk = super().read(size)
        if self.tell() > max(_MOST_UNPACKED, _MOST_TIMES * Path(str(self.name)).stat().st_size):
            raise zlib.error(f"it unpacks to more than {self.tell() >> 20:,} MiB")
        return chunk


@dataclass(frozen=True)
class _Form:
    """How a text file is written: its encoding, and whether a copy must be made of it."""

    encoding: str = "utf-8"
    is_quoted: bool = True
    is_guess: bool = False
    errors: str = "strict"
    is_rewritten: bool = True


def _form(table: Table, file: Path, packed: bool, stated: str) -> _Form:
    """Form of a text file: as stated, else by its mark, else UTF-8 if it is, else a guess."""
    with _opened(file, packed) as raw:
        start = chunk = raw.read(_CHUNK)
        wide = _wide(start[:4096])
        if stated not in ("", "utf-8"):
            return _Form(stated)
        if wide:
            return _Form(wide, errors="replace")
        if start.startswith((b"PK\x03\x04", b"%PDF", b"\x89PNG")) or _is_binary(start[:4096]):
            raise TableError(
                f"{table.name}: {file.name} is no text file but a binary one, such as a "
                f"spreadsheet or a database. Save it as CSV or Parquet; {table.owner} can export "
                "it so."
            )
        is_rewritten = b"\r\r\n" in start
        decoder = codecs.getincrementaldecoder("utf-8")()
        is_quoted = False
        while chunk:
            is_quoted = is_quoted or b'"' in chunk
            is_rewritten = is_rewritten or b"\x00" in chunk
            try:
                if not chunk.isascii() or decoder.getstate()[0]:
                    decoder.decode(chunk)
            except UnicodeDecodeError:
                break
            following = raw.read(_CHUNK)
            if not following:
                try:
                    decoder.decode(b"", final=True)
                except UnicodeDecodeError:
                    break
            chunk = following
        else:
            return _Form(is_quoted=is_quoted, is_rewritten=is_rewritten)
    if stated:
        return _Form(stated)  # which the copy then refuses, with the line
    if encodings.is_mostly_utf8(chunk):
        return _Form(is_guess=True, errors=encodings.FALLBACK)
    return _Form(encodings.guess(chunk), is_guess=True, errors="replace")


def _is_binary(start: bytes) -> bool:
    """Whether a file holds more than a few zeros, or zeros and other bytes that no text has."""
    n_zeros = start.count(0)
    return bool(n_zeros > _MOST_ZEROS * len(start) or (n_zeros and _NO_TEXT.search(start)))


def _wide(start: bytes) -> str:
    """UTF-32 or UTF-16 by its mark, or by zeros in every second byte; else empty."""
    if start[:4] in (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE):
        return "utf-32"
    if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16"
    start = start[:_HEADING]  # the cells may be of another script
    even, odd, half = start[0::2].count(0), start[1::2].count(0), len(start) // 2
    if odd > 0.7 * half and not even:
        return "utf-16-le"
    return "utf-16-be" if even > 0.7 * half and not odd else ""


def _rewritten(table: Table, file: Path, packed: bool, form: _Form, target: Path) -> TextFile:
    """Copy of a file in UTF-8, without null characters, each line with one ending."""
    n_zeros = n_lost = 0
    with (
        _opened(file, packed) as raw,
        io.TextIOWrapper(raw, form.encoding, form.errors, newline="") as reader,  # type: ignore[type-var]
        target.open("w", encoding="utf-8", errors="replace", newline="") as out,
    ):
        try:
            while chunk := reader.read(_CHUNK):
                while chunk.endswith("\r") and (more := reader.read(1)):
                    chunk += more
                n_zeros += chunk.count("\0")
                n_lost += chunk.count("\ufffd")
                out.write(chunk.replace("\0", "").replace("\r\r\n", "\n"))
        except UnicodeError:
            raise TableError(
                f"{table.name}: {file.name} is not in the encoding given, {form.encoding}: line "
                f"{_line_not_in(file, packed, form.encoding):,} cannot be read. {table.owner} can "
                "say how it was saved, or save it as UTF-8."
            ) from None
    return TextFile(target, form.is_quoted, form.encoding, form.is_guess, n_zeros, n_lost)


def _line_not_in(file: Path, packed: bool, encoding: str) -> int:
    """First line of a file that is not in an encoding."""
    with _opened(file, packed) as raw:
        for number, line in enumerate(raw, start=1):
            try:
                line.decode(encoding)
            except UnicodeError:
                return number
    return 1


def _text_findings(source: Source, text: TextFile) -> list[tuple[str, str]]:
    """Findings about a text that is not read as it is in the file."""
    found = []
    name = encodings.NAMES.get(text.encoding, "UTF-8")
    if text.is_guess:
        words = _shown_words(source)
        sample = (
            f"words with letters beyond A to Z read {', '.join(words)}"
            if words
            else ("no word with letters beyond A to Z stands in a column that may be shown")
        )
        lost = f", and {text.n_lost:,} bytes are no character of it" if text.n_lost else ""
        says = (
            f"{source.label} is not UTF-8 and was read as {name}, which is a guess: {sample}"
            f"{lost}. Where that is wrong, save it as UTF-8, or name the encoding in a mapping "
            f'(`encoding = "{text.encoding}"` is the guess).'
        )
        found.append(("encoding", says))
    if text.n_zeros:
        were = "character was" if text.n_zeros == 1 else "characters were"
        says = f"{text.n_zeros:,} null {were} removed from {source.label}."
        found.append(("null_characters", says))
    return found


def _shown_words(source: Source) -> list[str]:
    """Three words with letters beyond ASCII, of columns that pages may show."""
    shown = []
    for position, name in enumerate(source.names.values()):
        column = source.table.by_name.get(name)
        if column is None and source.table is not TABLES.get(source.table.name):
            continue  # a column that a mapping does not name reaches no page
        kinds = {privacy.kind_by_name(name), column.kind if column else Kind.TEXT}
        if kinds == {Kind.TEXT}:
            shown.append(position)
    assert source.text is not None
    words: list[str] = []
    with source.text.open("r", encoding="utf-8-sig", errors="replace", newline="") as lines:
        next(lines, None)
        odd = (line for line in lines if not line.isascii())
        for row in csv.reader(itertools.islice(odd, 200), delimiter=source.separator):
            if len(row) == len(source.types):
                words += [row[position] for position in shown]
    found = encodings.odd_words(" ".join(words))
    return [word for word in found if not holds_identity(word)][:3]


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


@dataclass(frozen=True)
class _Header:
    """Header of a CSV file.

    Attributes
    ----------
    at
        Byte at which its line begins; 0 for the first.
    n_above, n_titles
        Lines above it, and how many of them are not the one that names the separator.
    first_cells
        Cells of the first rows, by column of times.
    """

    names: list[str]
    separator: str
    at: int
    n_above: int
    n_titles: int
    first_cells: Mapping[str, list[str]]


def _header(table: Table, file: Path, text: Path) -> _Header:
    """Header of a CSV file: the line and separator that give the most columns of the table."""
    with text.open("r", encoding="utf-8-sig", errors="replace", newline="") as whole:
        lines = list(io.StringIO(whole.read(1 << 16), newline="")) or [""]
    named = _NAMED_SEPARATOR.match(lines[0])
    known, start, separator, row = _best_header(
        table, lines, dict.fromkeys([*(named[1] if named else ""), *_SEPARATORS])
    )
    if not set(table.required) <= {tidied(name) for name in row}:
        unusual = _unusual_separator(table, lines)
        if len(unusual) > 1:
            raise TableError(
                f"{table.name}: the cells of {clean_path(file.name)} are separated by `{unusual}`. "
                "That is more than one character, and no row could be split by it. "
                f"{table.owner} can export it with a comma, a semicolon, a tab or `|`."
            )
        if unusual:
            known, start, separator, row = _best_header(table, lines, [unusual])
    if not known:
        raise TableError(
            f"{table.name}: the first line of {clean_path(file.name)} names no column of this "
            f"table, in {len(row)} {'cell' if len(row) == 1 else 'cells'}, nor do the "
            f"{_MOST_ABOVE - 1} below it. One must hold "
            f"{', '.join(table.required)}. {table.owner} can export it with a header, as UTF-8 "
            "text."
        )
    above = [line for line in lines[: start if start else 0] if line.strip()]
    at = sum(len(line.encode()) for line in lines[:start])
    if at:
        with text.open("rb") as raw:
            at += len(codecs.BOM_UTF8) if raw.read(3) == codecs.BOM_UTF8 else 0
    rows = _rows(lines[start:], separator)
    rows = [each for each in itertools.islice(rows, 1, _FIRST_ROWS) if len(each) == len(row)]
    cells = {
        tidied(name): [each[position].strip() for each in rows] for position, name in enumerate(row)
    }
    return _Header(
        unique_names(row), separator, at, start, len(above) - bool(named and above), cells
    )


def _rows(lines: Sequence[str], separator: str) -> Iterator[list[str]]:
    """Rows of CSV text, up to the first that cannot be split."""
    with contextlib.suppress(csv.Error):
        yield from csv.reader(lines, delimiter=separator)


def _best_header(
    table: Table, lines: Sequence[str], separators: Iterable[str]
) -> tuple[int, int, str, list[str]]:
    """Known columns, line, separator and cells of what is most likely the header."""
    best: tuple[int, int, str, list[str]] = (0, 0, ",", [])
    for start in range(min(len(lines), _MOST_ABOVE)):
        for separator in separators:
            row = next(_rows(lines[start:], separator), [])
            known = len({tidied(name) for name in row}.intersection(table.by_name))
            if (known, -start, len(row)) > (best[0], -best[1], len(best[3])):
                best = (known, start, separator, row)
        if set(table.required) <= {tidied(name) for name in best[3]}:
            break
    return best


def _unusual_separator(table: Table, lines: Sequence[str]) -> str:
    """What stands between the table's columns in one of the first lines; else empty."""
    names = "|".join(map(re.escape, sorted(table.by_name, key=len, reverse=True)))
    between = re.compile(rf"\b(?:{names})\"?([^\w\s\"'.-]{{1,4}})\"?(?={names})", re.IGNORECASE)
    found = [mark for line in lines[:_MOST_ABOVE] for mark in between.findall(line)]
    return max(found, key=found.count, default="")


def _refuse_numbers(table: Table, label: str, first_cells: Mapping[str, Sequence[str]]) -> None:
    """Stop where a column of times holds numbers alone, and name what they are."""
    for name, cells in first_cells.items():
        column, filled = table.by_name.get(name), [cell for cell in cells if cell]
        if column is None or column.kind not in (Kind.TIME, Kind.DATE) or not filled:
            continue
        if all(casts.is_counted(cell) for cell in filled):
            values = [float(cell) for cell in filled]
            refuse_counted(table, label, name, min(values), max(values), " in the first rows")


def refuse_counted(
    table: Table, label: str, name: str, low: float, high: float, where: str = ""
) -> None:
    """Raise where numbers in a column of times are a known way to count time."""
    unit = casts.unit_of(low, high)
    if unit:
        raise TableError(
            f"{table.name}: `{name}` of {label} holds numbers in place of dates: {unit.what}, "
            f"from {unit.day(low)} to {unit.day(high)}{where}. Read as they are, no row has a "
            f'date. `funnel import mapping` reads them with `dates.{name} = "{unit.form}"` in '
            f"[tables.{table.name}]; {table.owner} can also export days as 2026-03-31."
        )


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


def tidied(name: str) -> str:
    """Name of a column as it is compared: lower case, line breaks and blanks as one blank."""
    return " ".join(name.strip("\ufeff").split()).casefold()


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
    plain = {tidied(given) for given in source.types}
    for position, given in enumerate(source.types, start=1):
        # a heading is shown wherever its column is
        name = tidied(given)
        joined = name.replace(" ", "_")
        if joined in table.by_name and joined not in plain:
            name = joined
        if holds_identity(name):
            name = f"column_{position}"
        if _RESERVED.fullmatch(name):
            raise TableError(
                f"{table.name}: {source.label} has a column called `{name[:60]}`, a name that is "
                "used here for the place of a row and why it is rejected. "
                f"{table.owner} can rename it."
            )
        if name in table.by_name and given.strip("\ufeff") != name:
            shown_as = " ".join(given.split())[:60]
            says = f"The column `{shown_as}` of {source.label} was read as `{name}`."
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
