"""SQL for one cell of the contract, over the columns of an export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from funnel.contract.tables import Column, Kind
from funnel.dataset.engine import literal
from funnel.sources.mapping.mapping_file import REST, TableMap

_TIME_PARTS = ("%H", "%I", "%-H", "%-I", "%X", "%c")
_NUMBERS = (Kind.NUMBER, Kind.MONEY, Kind.COUNT)
_PLAIN_NUMBER = r"[+-]?\d+(\.\d+)?"


def cell_sql(one: TableMap, column: Column, cell: str, zone: str) -> tuple[str, list[str]]:
    """SQL of one cell of the contract, and the conditions that it could not be read."""
    bare_cell = f"trim(cast({cell} as varchar), e' \\t\\r\\n\u00a0')"
    mapped = mapped_sql(bare_cell, one.renames.get(column.name, {}))
    filled = f"coalesce({mapped}, '') <> ''"
    if column.name in one.dates:
        read = _date(column, mapped, one.dates[column.name], zone)
    elif column.kind is Kind.TIME and zone:
        read = _iso(mapped, zone)
    elif column.kind in _NUMBERS and one.decimal:
        thousands = r"[\s\x{a0}\x{202f}'" + ("." if one.decimal == "," else ",") + "]"
        bare = f"replace(regexp_replace({mapped}, {literal(thousands)}, '', 'g'), ',', '.')"
        read = f"case when regexp_full_match({bare}, {literal(_PLAIN_NUMBER)}) then {bare} end"
    else:
        return mapped, []
    return f"coalesce({read}, {mapped})", [f"{filled} and ({read}) is null"]


def mapped_sql(cell: str, values: Mapping[str, Any]) -> str:
    """SQL that replaces values; the empty text is an empty cell, `*` is every other value."""
    if not values:
        return cell
    cases = [
        f"when coalesce({cell}, '') = {literal(value.strip())} then {literal(plain(new))}"
        for value, new in values.items()
        if value != REST
    ]
    rest = cell
    if REST in values:
        cases.append(f"when coalesce({cell}, '') <> '' then {literal(plain(values[REST]))}")
    return f"case {' '.join(cases)} else {rest} end"


def _date(column: Column, cell: str, formats: Sequence[str], zone: str) -> str:
    """SQL that reads a date by its formats; a day stays a day, a time becomes UTC."""
    reads = []
    for form in formats:
        read = f"try_strptime({cell}, {literal(form)})"
        if column.kind is Kind.DATE or not any(part in form for part in _TIME_PARTS):
            reads.append(f"strftime({read}, '%Y-%m-%d')")
        elif "%z" in form.lower():
            reads.append(f"strftime(timezone('UTC', {read}), '%Y-%m-%dT%H:%M:%SZ')")
        else:
            reads.append(_as_utc(read, zone))
    return f"coalesce({', '.join(reads)})"


def _iso(cell: str, zone: str) -> str:
    """SQL of ISO times in UTC; those without an offset are in the source's zone, days stay days."""
    return (
        f"case when regexp_full_match({cell}, '\\d{{4}}-\\d\\d-\\d\\d') then {cell} "
        f"when regexp_matches(substr({cell}, 11), '(Z|z|[+-]\\d\\d(:?\\d\\d)?)$') then {cell} "
        f"else {_as_utc(f'try_cast({cell} as timestamp)', zone)} end"
    )


def _as_utc(moment: str, zone: str) -> str:
    utc = f"timezone('UTC', timezone({literal(zone)}, {moment}))" if zone else moment
    return f"strftime({utc}, '%Y-%m-%dT%H:%M:%SZ')"


def plain(value: Any) -> str:
    """Text of a value in the mapping, as a cell has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
