"""SQL for the cells of one column of the contract, over the columns of an export.

What a column's cells leave open (which mark is the decimal one, day or month first) is counted
before they are read, and each choice is a finding with the line of the mapping that makes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from funnel.contract.errors import SourceError, TableError
from funnel.contract.tables import Column, Kind
from funnel.dataset import casts, files
from funnel.dataset.engine import Engine, literal
from funnel.sources.mapping.mapping_file import REST, TableMap

_TIME_PARTS = ("%H", "%I", "%-H", "%-I", "%X", "%c")
_EARLIEST = "timestamp '1000-01-01'"  # %Y reads the year 26 of 03/04/26
# formats that are tried where a mapping names none, to propose one
_USUAL = tuple(
    f"{day}{time}"
    for day in ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d")
    for time in ("", " %H:%M", " %H:%M:%S", " %I:%M %p")
)
_FIGURE = r"[\d.,/:' +-]+"  # a cell that names nobody


@dataclass(frozen=True)
class Cells:
    """How the cells of one column are read.

    Attributes
    ----------
    sql
        SQL of a cell as it is written.
    unread
        SQL condition that it could not be read; empty where nothing is read.
    findings
        Sentences on what had to be chosen.
    currency
        The currency that stands beside its amounts, where there is one.
    """

    sql: str
    unread: str = ""
    findings: tuple[str, ...] = ()
    currency: str = ""


def read_cells(
    engine: Engine, entry: TableMap, column: Column, cell: str, given: str, rows: str
) -> Cells:
    """How the cells of a column of the contract are read.

    Parameters
    ----------
    cell, given
        SQL of a cell of the export, and its type there.
    rows
        SQL of the rows that are read, from `from` on.
    """
    bare_cell = f"trim(cast({cell} as varchar), e' \\t\\r\\n\u00a0')"
    mapped = f"nullif({mapped_sql(bare_cell, entry.renames.get(column.name, {}))}, '')"
    query = f"(select {mapped} as cell {rows})"
    if column.kind in casts.TIMES:
        return _times(engine, entry, column, mapped, query)
    if column.kind in casts.NUMBERS and not casts.is_number_type(given):
        return _amounts(engine, entry, column, mapped, query)
    return Cells(mapped)


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


def _amounts(engine: Engine, entry: TableMap, column: Column, mapped: str, query: str) -> Cells:
    """Cells of an amount: plain numbers as they are, others by their marks."""
    name = column.name
    if not entry.decimal:
        plain_number = casts.number("cell", "VARCHAR")
        n, n_plain = engine.rows(f"select count(cell), count({plain_number}) from {query}")[0]
        if n == n_plain:
            return Cells(mapped)
    comma, point = (casts.marked_number("cell", mark) for mark in ",.")
    differ = "comma[1] <> point[1]"
    only_comma = "comma is not null and point is null"
    only_point = "point is not null and comma is null"
    n, n_comma, n_point, n_differ, *examples, units = engine.rows(
        f"select count(cell), {_count(only_comma)}, {_count(only_point)}, {_count(differ)}, "
        f"{_example(differ)}, {_example(only_comma)}, {_example(only_point)}, "
        "histogram(coalesce(comma, point)[2]) "
        f"from (select cell, {comma} as comma, {point} as point from {query})"
    )[0]
    decimal = entry.decimal
    if not decimal and not (n_comma and n_point):
        decimal = "," if n_comma else "." if n_point or not n_differ else ""
    currency, accepted, n_other = _currency(entry.currency, units or {})
    comma, point = (casts.marked_number(mapped, mark) for mark in ",.")
    marked = {",": comma, ".": point}.get(decimal) or (
        f"case when {point} is null then {comma} when {comma} is null or ({point})[1] = "
        f"({comma})[1] then {point} end"
    )
    allowed = ", ".join(map(literal, ["", *accepted]))
    read = f"list_transform([{marked}], lambda a: case when a[2] in ({allowed}) then a[1] end)[1]"
    is_plain = casts.number(mapped, "VARCHAR")
    # a plain number that the mapping does not read must not be read by `load`
    kept = f"case when {is_plain} is not null then 'unread ' || {mapped} else {mapped} end"
    found = _mark_findings(entry, name, decimal, (n, n_comma, n_point, n_differ), _shown(examples))
    if accepted and not entry.currency:
        found.append(
            f"`{name}` is in {currency}, as its cells say ({', '.join(sorted(accepted))}); "
            '`currency = "..."` at the top of the mapping says otherwise.'
        )
    if n_other:
        found.append(
            f"{n_other:,} of {n:,} `{name}` are in another currency than {currency} and were not "
            "read. Can the export convert them?"
        )
    return Cells(
        f"coalesce({read}, {kept})",
        f"{mapped} is not null and ({read}) is null",
        tuple(found),
        currency,
    )


def _mark_findings(
    entry: TableMap, name: str, decimal: str, counts: Sequence[int], examples: Sequence[str]
) -> list[str]:
    """Findings on which mark was taken for the decimal one."""
    n, n_comma, n_point, n_differ = counts
    differ, comma, point = examples
    n_own, n_not, other = (n_comma, n_point, ".") if decimal == "," else (n_point, n_comma, ",")
    if not decimal and n_comma and n_point:
        return [
            f"Of {n:,} `{name}`, {n_comma:,} fit only a decimal comma{comma} and {n_point:,} only "
            f"a decimal point{point}; each was read by its own marks. {n_differ:,} fit "
            f"both{differ} and were not read: `decimal` says which."
        ]
    if not decimal:
        return [
            f"{n_differ:,} of {n:,} `{name}` fit a decimal comma and a decimal point{differ}, and "
            'none fits one only. They were not read: add `decimal = ","` or `decimal = "."`.'
        ]
    if not entry.decimal:
        if not n_own:
            return []
        return [
            f'`{name}` is read with `decimal = "{decimal}"`, the only mark that fits all '
            f"amounts ({n_own:,} of {n:,} fit no other{comma if decimal == ',' else point})."
        ]
    found = []
    if n_not:
        found.append(
            f'{n_not:,} of {n:,} `{name}` fit only `decimal = "{other}"`'
            f"{point if decimal == ',' else comma} and were not read; {n_differ:,} fit both and "
            f'were read with `decimal = "{decimal}"`.'
        )
    elif n_differ and not n_own:
        found.append(
            f"{n_differ:,} of {n:,} `{name}` fit a decimal comma and a decimal point{differ}; "
            f'they were read with `decimal = "{decimal}"`, as the mapping says.'
        )
    return found


def _currency(stated: str, units: Mapping[str, int]) -> tuple[str, list[str], int]:
    """Currency of a column, the words for it, and how many amounts are in another."""
    marked = {unit: n for unit, n in units.items() if unit}
    if not stated and marked:
        by_code: dict[str, int] = {}
        for unit, n in marked.items():
            code = casts.CURRENCY_CODES.get(unit, unit)
            by_code[code] = by_code.get(code, 0) + n
        stated = max(by_code, key=lambda code: by_code[code])
    accepted = [
        unit
        for unit in marked
        if stated in (casts.CURRENCY_CODES.get(unit, unit), *casts.SHARED_SIGNS.get(unit, ()))
    ]
    return stated if marked else "", accepted, sum(marked.values()) - sum(map(marked.get, accepted))


def _times(engine: Engine, entry: TableMap, column: Column, mapped: str, query: str) -> Cells:
    """Cells of a time: ISO 8601, and the formats that the mapping names."""
    name, zone = column.name, entry.timezone
    forms = entry.dates.get(name, ())
    if not forms:
        found = _counted_times(engine, entry, name, query)
        found = found or _form_findings(engine, column, query)
        read = _iso(mapped, zone)
        is_written = not zone or column.kind is Kind.DATE
        sql = mapped if is_written else f"coalesce({read}, {mapped})"
        return Cells(sql, f"{mapped} is not null and ({read}) is null", found)
    reads = [_time(column, mapped, form, zone) for form in forms]
    read = f"coalesce({', '.join([*reads, _iso(mapped, zone)])})"
    return Cells(
        f"coalesce({read}, {mapped})",
        f"{mapped} is not null and ({read}) is null",
        _order_findings(engine, entry, column, forms, query),
    )


def _order_findings(
    engine: Engine, entry: TableMap, column: Column, forms: Sequence[str], query: str
) -> tuple[str, ...]:
    """Findings on dates that another order of day and month would read too."""
    name, zone = column.name, entry.timezone
    others = [_swapped(form) for form in forms]
    tried = list(dict.fromkeys([*forms, *(form for form in others if form)]))
    if len(tried) < 2:
        return ()
    reads = [_time(column, "cell", form, zone) for form in tried]
    given = f"coalesce({', '.join(reads[: len(forms)])})"
    every = f"list_distinct(list_filter([{', '.join(reads)}], lambda r: r is not null))"
    fits_both, fits_other = "len(fits) > 1", "read is null and len(fits) > 0"
    n, n_both, n_one, n_other, example, other = engine.rows(
        f"select count(cell), {_count(fits_both)}, {_count('read is not null and len(fits) = 1')}, "
        f"{_count(fits_other)}, {_example(fits_both)}, {_example(fits_other)} "
        f"from (select cell, {given} as read, {every} as fits from {query})"
    )[0]
    example, other = _shown([example, other])
    lists_both = len({*forms} | {*others}) < len(forms) + len([each for each in others if each])
    line = f"dates.{name} = " + (
        f'"{forms[0]}"' if len(forms) == 1 else str(list(forms)).replace("'", '"')
    )
    found = []
    if n_both and (lists_both or n_other or not n_one):
        found.append(
            f"{n_both:,} of {n:,} dates of `{name}` fit day/month and month/day{example}; they "
            f"were read by the first format that fits, `{line}`. Which comes first?"
        )
    if n_other:
        found.append(
            f"{n_other:,} of {n:,} dates of `{name}` fit only the other order of day and month"
            f"{other} and were not read."
        )
    return tuple(found)


def _form_findings(engine: Engine, column: Column, query: str) -> tuple[str, ...]:
    """Finding on times that are not ISO 8601, for which the mapping names no format."""
    is_other = f"({_iso('cell', '')}) is null"
    n, n_other, example = engine.rows(
        f"select count(cell), {_count(f'cell is not null and {is_other}')}, {_example(is_other)} "
        f"from {query}"
    )[0]
    if not n_other:
        return ()
    fits = ", ".join(_count(f"{_time(column, 'cell', form, '')} is not null") for form in _USUAL)
    counts = zip(engine.rows(f"select {fits} from {query}")[0], _USUAL, strict=True)
    most = sorted((each for each in counts if each[0]), key=lambda each: -each[0])[:2]
    lines = " and ".join(f'{n_fit:,} fit `"{form}"`' for n_fit, form in most)
    hint = f' Of all, {lines}: add `dates.{column.name} = "{most[0][1]}"`.' if most else ""
    return (
        f"{n_other:,} of {n:,} `{column.name}` are not ISO 8601 and were not read"
        f"{_shown([example])[0]}.{hint}",
    )


def _swapped(form: str) -> str:
    """Format with day and month in each other's place; empty where it has not both as numbers."""
    if "%d" not in form or "%m" not in form:
        return ""
    return form.replace("%d", "\0").replace("%m", "%d").replace("\0", "%m")


def _counted_times(engine: Engine, entry: TableMap, name: str, query: str) -> tuple[str, ...]:
    """Finding on times that are numbers; a `SourceError` where all are."""
    is_counted = f"regexp_full_match(cell, {literal(casts.COUNTED)})"
    n, n_counted, low, high = engine.rows(
        f"select count(cell), {_count(is_counted)}, "
        f"min(try_cast(cell as double)) filter ({is_counted}), "
        f"max(try_cast(cell as double)) filter ({is_counted}) from {query}"
    )[0]
    unit = casts.unit_of(low, high) if n_counted else None
    if unit is None:
        return ()
    if n == n_counted:
        try:
            files.refuse_counted(entry.table, entry.source, name, low, high)
        except TableError as error:
            raise SourceError(f"{error} Nothing was written.") from None
    return (
        f"{n_counted:,} of {n:,} `{name}` are numbers, which read as {unit.what} are "
        f"{unit.day(low)} to {unit.day(high)}. They were not read; add "
        f'`dates.{name} = ["{unit.form}"]`, beside the formats of the others.',
    )


def _time(column: Column, cell: str, form: str, zone: str) -> str:
    """SQL that reads a time by one format; a day stays a day, a time becomes UTC."""
    is_day = column.kind is Kind.DATE
    if form in casts.UNITS:
        moment = casts.UNITS[form].sql(cell)
        if not casts.UNITS[form].is_local:
            if is_day:
                return f"strftime({casts.local_day(moment, zone or 'UTC')}, '%Y-%m-%d')"
            return _as_utc(moment, "")
        whole = "true" if is_day else f"regexp_full_match({cell}, '\\d+')"
        day = f"strftime({moment}, '%Y-%m-%d')"
        return f"case when {whole} then {day} else {_as_utc(moment, zone)} end"
    read = f"try_strptime({cell}, {literal(form)})"
    if is_day or not any(part in form for part in _TIME_PARTS):
        text = f"strftime({read}, '%Y-%m-%d')"
    elif "%z" in form.lower():
        text = f"strftime(timezone('UTC', {read}), '%Y-%m-%dT%H:%M:%SZ')"
    else:
        text = _as_utc(read, zone)
    return f"case when {read} >= {_EARLIEST} then {text} end"


def _iso(cell: str, zone: str) -> str:
    """SQL of ISO times in UTC; those without an offset are in the source's zone, days stay days."""
    return (
        f"case when not regexp_matches({cell}, '^\\d{{4}}-\\d\\d-\\d\\d([T ]|$)') then null "
        f"when strlen({cell}) = 10 then {cell} "
        f"when regexp_matches(substr({cell}, 11), '(Z|z|[+-]\\d\\d(:?\\d\\d)?)$') then {cell} "
        f"else {_as_utc(f'try_cast({cell} as timestamp)', zone)} end"
    )


def _as_utc(moment: str, zone: str) -> str:
    utc = f"timezone('UTC', timezone({literal(zone)}, {moment}))" if zone else moment
    return f"strftime({utc}, '%Y-%m-%dT%H:%M:%SZ')"


def _count(condition: str) -> str:
    """SQL aggregate: rows for which a condition holds; 0, where `count_if` may give NULL."""
    return f"count(*) filter ({condition})"


def _example(condition: str) -> str:
    """SQL aggregate: one cell of figures only, for which a condition holds."""
    return f"min(cell) filter ({condition} and regexp_full_match(cell, {literal(_FIGURE)}))"


def _shown(examples: Sequence[str | None]) -> list[str]:
    return [f", such as {each}" if each else "" for each in examples]


def plain(value: Any) -> str:
    """Text of a value in the mapping, as a cell has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
