"""Text files as they come: packed or not, and in which encoding; what follows reads UTF-8."""

from __future__ import annotations

import codecs
import gzip
import io
import shutil
import zlib
from pathlib import Path

from funnel.contract.errors import TableError
from funnel.contract.tables import Table
from funnel.dataset.engine import Engine

_CHUNK = 1 << 20


def as_utf8(engine: Engine, table: Table, file: Path) -> tuple[Path, str, bool]:
    """Give a table's file as UTF-8 text, written anew only where it is something else.

    Returns
    -------
    tuple
        The file to read, the encoding it came in, and whether any cell may be quoted.

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
            f"{table.name}: {file.name} cannot be unpacked ({str(error).rstrip('.')}). It was cut "
            f"short or damaged on its way, so rows are missing. {table.owner} can export or copy "
            "it again."
        ) from None
    return target, encoding, is_quoted


def _opened(file: Path, packed: bool) -> io.BufferedIOBase:
    return gzip.open(file, "rb") if packed else file.open("rb")  # type: ignore[return-value]


def _encoding(table: Table, file: Path, packed: bool) -> tuple[str, bool]:
    """Tell UTF-16 by its mark, UTF-8 if every byte fits, else Windows-1252; and see quotes."""
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
    """Tell UTF-16 by its mark, or by the zeros that every second byte of Latin text is."""
    if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16"
    even, odd, half = start[0::2].count(0), start[1::2].count(0), len(start) // 2
    if odd > 0.7 * half and not even:
        return "utf-16-le"
    return "utf-16-be" if even > 0.7 * half and not odd else ""
