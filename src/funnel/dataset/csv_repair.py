"""Repairs CSV files with unbalanced quotes, and finds the line on which a row begins.

A quote that is never closed would make one cell of all rows after it. Here only its line is lost.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence

from funnel.dataset.engine import Engine
from funnel.dataset.files import Source, csv_scan
from funnel.dataset.temporary import writing

LINE = "line:"
_MOST_LINES = 200  # a cell with more lines than this is an unclosed quote
_MOST_TEXT = 1_000_000


def lines_of(source: Source, rows: Sequence[int]) -> dict[int, int]:
    """Line of the file on which each of these rows (counted from 1) begins."""
    wanted = set(rows)
    lines: dict[int, int] = {}
    if source.text is None or not wanted:
        return lines
    csv.field_size_limit(1 << 30)
    with source.text.open("r", encoding="utf-8-sig", errors="replace", newline="") as text:
        reader = csv.reader(text, delimiter=source.separator)
        before = row_number = 0
        for row in reader:
            if row:
                # the header is row 0
                if row_number in wanted:
                    lines[row_number] = source.n_above + before + 1
                row_number += 1
            before = reader.line_num
            if row_number > max(wanted):
                break
    return lines


def repair(engine: Engine, source: Source) -> None:
    """Write the rows that can be split into cells to a new file, and note the other lines.

    Changes the source: it then scans the new file, whose rows have their line in the old one.
    """
    assert source.text is not None
    repaired = engine.folder / f"{source.table.name}.repaired.csv"
    columns = list(source.types)
    with (
        writing(),
        source.text.open("r", encoding="utf-8-sig", errors="replace", newline=None) as text,
        repaired.open("w", encoding="utf-8", newline="") as out,
    ):
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([LINE, *columns])
        escaped = []
        for line, cells, is_escaped in _records(text, source.separator, len(columns)):
            if is_escaped:
                escaped.append(source.n_above + line)
            if isinstance(cells, str):
                source.malformed.append((source.n_above + line, cells))
            else:
                writer.writerow([source.n_above + line, *cells])
    if escaped:
        lines = "1 line" if len(escaped) == 1 else f"{len(escaped):,} lines"
        says = (
            f"In {lines} of {source.label} (such as line {escaped[0]}) quotes within a cell are "
            'written \\" and were read so; CSV doubles them, "".'
        )
        source.findings.append(("backslash_quotes", says))
    source.scan = csv_scan(repaired, [LINE, *columns], ",")
    source.has_lines = True


def holds_rows(cell: str, separator: str, n_columns: int) -> str:
    """SQL condition that a text cell holds what looks like a whole row."""
    mark = re.escape(separator)
    row = rf"\n([^{mark}\n]*{mark}){{{n_columns - 1}}}[^{mark}\n]*(\n|$)"
    quoted_row = row.replace("'", "''")
    return f"contains({cell}, chr(10)) and regexp_matches({cell}, '{quoted_row}')"


def _records(
    text: Iterator[str], separator: str, width: int
) -> Iterator[tuple[int, list[str] | str, bool]]:
    """Rows of a file: line, cells or the reason why it is no row, whether quotes are escaped."""
    mark = re.escape(separator)
    cell = rf'(?:"(?:[^"]|"")*+"|[^"{mark}][^{mark}\n]*+|)'
    whole = re.compile(rf"{cell}(?:{mark}{cell})*+\Z")
    still_open = re.compile(rf'(?:{cell}{mark})*+"(?:[^"]|"")*+\Z')
    split = re.compile(rf"({cell})(?:{mark}|\Z)")
    ahead: list[str] = []
    number = 0
    is_header = True

    def line_at(index: int) -> str | None:
        while len(ahead) <= index:
            following = next(text, None)
            if following is None:
                return None
            ahead.append(following.removesuffix("\n"))
        return ahead[index]

    while (record := line_at(0)) is not None:
        taken, size = 1, len(record)
        while still_open.match(record) and taken < _MOST_LINES and size < _MOST_TEXT:
            following = line_at(taken)
            if following is None:
                break
            record += "\n" + following
            size = len(record)
            taken += 1
        inner = ahead[1:taken]
        # several lines are one row only if they fit as one, and no single one fits by itself
        if taken > 1 and (
            _width(record, whole, split) != width
            or any(_width(line, whole, split) == width for line in inner)
        ):
            taken, record = 1, ahead[0]
        line = number + 1
        number += taken
        del ahead[:taken]
        if not record.strip():
            continue
        if is_header:
            is_header = False
            continue
        cells = _cells(record, whole, split, still_open, width)
        unescaped = _unescaped(record, separator, width) if isinstance(cells, str) else None
        yield line, unescaped or cells, unescaped is not None


def _unescaped(record: str, separator: str, width: int) -> list[str] | None:
    r"""Cells of a line whose quotes are written as \\"; None where it is no such line."""
    if '\\"' not in record or len(record) > _MOST_TEXT:
        return None
    rows = csv.reader([record], delimiter=separator, escapechar="\\", strict=True)
    try:
        cells = next(rows)
    except csv.Error:
        return None
    return cells if len(cells) == width else None


def _width(record: str, whole: re.Pattern, split: re.Pattern) -> int:
    return len(_split(record, split)) if whole.match(record) else 0


def _split(record: str, split: re.Pattern) -> list[str]:
    cells, at = [], 0
    while True:
        match = split.match(record, at)
        assert match is not None
        cells.append(match[1])
        if match.end() == len(record) and match.end(1) == match.end():
            return cells
        at = match.end()


def _cells(
    record: str, whole: re.Pattern, split: re.Pattern, still_open: re.Pattern, width: int
) -> list[str] | str:
    if len(record) > _MOST_TEXT:
        return "the line is too long to be a row"
    if still_open.match(record) and not whole.match(record):
        return "a quote opens and does not close"
    if not whole.match(record):
        return "text follows a closing quote"
    cells = [
        cell[1:-1].replace('""', '"') if cell.startswith('"') else cell
        for cell in _split(record, split)
    ]
    while len(cells) > width and not cells[-1].strip():
        cells.pop()
    if len(cells) != width:
        return f"{len(cells)} cells where the header has {width}"
    return cells
