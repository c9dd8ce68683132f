"""How a cell becomes a value: one SQL expression per kind of column.

Every expression gives NULL for a cell that is empty or cannot be read; `is_filled` tells the two
apart. Only ISO 8601 counts as a date and only a plain number as a number, since anything else
would have to be guessed.
"""

from __future__ import annotations

from funnel.engine import literal
from funnel.tables import Column, Kind

LONGEST_TEXT = 500
NUMBERS = (Kind.NUMBER, Kind.MONEY, Kind.COUNT)
TIMES = (Kind.TIME, Kind.DATE)
TEXTS = (Kind.ID, Kind.TEXT, Kind.PERSON, Kind.IDENTITY)

_SQL_TYPE = {Kind.TIME: "timestamp", Kind.DATE: "date"} | dict.fromkeys(NUMBERS, "double")
_ISO = (
    r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?"
    r" ?(Z|z|[+-]\d{2}(:?\d{2})?)?)?"
)
_OFFSET = r"(Z|z|[+-]\d{2}(:?\d{2})?)$"
_NUMBERS_OF_SQL = (
    "TINYINT SMALLINT INTEGER BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT UHUGEINT "
    "FLOAT DOUBLE"
).split()
# what no page should show: controls, soft hyphens, direction marks and overrides, byte-order marks
STRANGE = (
    r"[\x00-\x1f\x7f-\x9f\x{ad}\x{61c}\x{200b}-\x{200f}\x{2028}-\x{202e}\x{2060}-\x{2069}"
    r"\x{feff}\x{fff9}-\x{fffb}]"
)


def sql_type(kind: Kind) -> str:
    """Name the type that a column of this kind has in the engine."""
    return _SQL_TYPE.get(kind, "varchar")


def is_number_type(given: str) -> bool:
    """Whether a source's column holds numbers already."""
    return given in _NUMBERS_OF_SQL or given.startswith("DECIMAL")


def is_filled(cell: str, given: str) -> str:
    """Whether the cell holds anything; whitespace is nothing, and neither is a missing number."""
    if given == "VARCHAR":
        return f"trim({cell}, e' \\t\\r\\n\u00a0') <> ''"
    if given in ("FLOAT", "DOUBLE"):
        # a frame writes a missing number as NaN
        return f"({cell} is not null and not isnan({cell}))"
    return f"{cell} is not null"


def text(cell: str, given: str) -> str:
    """The cell as trimmed text, or NULL when it is empty."""
    if given == "VARCHAR":
        return f"nullif(trim({cell}, e' \\t\\r\\n\u00a0'), '')"
    if given in ("FLOAT", "DOUBLE"):
        # keys that went through a float: 1001.0 is the key 1001
        whole = f"{cell} = trunc({cell}) and abs({cell}) < 1e15"
        return (
            f"case when isnan({cell}) then null when {whole} then cast(cast({cell} as bigint) as "
            f"varchar) else cast({cell} as varchar) end"
        )
    return f"cast({cell} as varchar)"


def clean(cell: str) -> str:
    """Text without what no page should show, and never longer than a page can bear."""
    strange = literal(STRANGE)
    return (
        f"case when {cell} is null then null when strlen({cell}) > {LONGEST_TEXT} or "
        f"regexp_matches({cell}, {strange}) then nullif(trim(left(regexp_replace({cell}, {strange},"
        f" ' ', 'g'), {LONGEST_TEXT})), '') else {cell} end"
    )


def number(cell: str, given: str) -> str:
    """A finite number, or NULL."""
    if given == "VARCHAR":
        bare = text(cell, given)
        plain = f"not contains({cell}, '_')"
        return (
            f"case when {plain} and isfinite(try_cast({bare} as double)) "
            f"then try_cast({bare} as double) end"
        )
    if is_number_type(given):
        value = f"cast({cell} as double)"
        return (
            f"case when isfinite({value}) then {value} end"
            if given in ("FLOAT", "DOUBLE")
            else value
        )
    return "cast(null as double)"


def time(cell: str, given: str, zone: str) -> str:
    """A moment, UTC; a day without a time is that day's midnight where the company is."""
    if given == "VARCHAR":
        x = text(cell, given)
        iso = f"regexp_full_match({x}, {literal(_ISO)})"
        moment = f"timezone('UTC', try_cast(replace({x}, ' Z', 'Z') as timestamptz))"
        return (
            f"case when strlen({cell}) = 19 and {cell} like '____-__-_____:__:__' "
            f"then try_cast({cell} as timestamp) "
            f"when strlen({cell}) = 20 and {cell} like '____-__-_____:__:__Z' "
            f"then try_cast(left({cell}, 19) as timestamp) "
            f"when not {iso} then null "
            f"when strlen({x}) = 10 then {_midnight(f'try_cast({x} as date)', zone)} "
            f"when regexp_matches(substr({x}, 11), {literal(_OFFSET)}) then {moment} "
            f"else try_cast(replace({x}, ',', '.') as timestamp) end"
        )
    if given == "TIMESTAMP WITH TIME ZONE":
        return f"timezone('UTC', {cell})"
    if given.startswith("TIMESTAMP"):
        return f"cast({cell} as timestamp)"
    if given == "DATE":
        return _midnight(cell, zone)
    return "cast(null as timestamp)"


def date(cell: str, given: str, zone: str) -> str:
    """A day; a moment other than midnight is the day it falls on where the company is."""
    if given == "VARCHAR":
        x = text(cell, given)
        zero = r"[T ]00:00(:00([.,]0+)?)?"
        return (
            f"case when strlen({x}) = 10 and {x} like '____-__-__' then try_cast({x} as date) "
            f"when regexp_full_match(substr({x}, 11), {literal(zero)}) "
            f"and {x} like '____-__-__%' then try_cast(left({x}, 10) as date) "
            f"else {_local_day(time(cell, given, zone), zone)} end"
        )
    if given == "DATE":
        return cell
    if given == "TIMESTAMP WITH TIME ZONE":
        return _local_day(f"timezone('UTC', {cell})", zone)
    if given.startswith("TIMESTAMP"):
        x = f"cast({cell} as timestamp)"
        return (
            f"case when {x} = date_trunc('day', {x}) then cast({x} as date) "
            f"else {_local_day(x, zone)} end"
        )
    return "cast(null as date)"


def local_day(moment: str, zone: str) -> str:
    """The day on which a moment (UTC) falls where the company is."""
    return _local_day(moment, zone)


def value(column: Column, cell: str, given: str, zone: str) -> str:
    """Read a column's cell as its kind says.

    Parameters
    ----------
    column
        The contract's column.
    cell
        SQL that names the source's cell.
    given
        The type it has in the source, as DuckDB calls it.
    zone
        The company's time zone.
    """
    if column.kind is Kind.TIME:
        return time(cell, given, zone)
    if column.kind is Kind.DATE:
        return date(cell, given, zone)
    if column.kind in NUMBERS:
        return number(cell, given)
    return text(cell, given)


def _midnight(day: str, zone: str) -> str:
    at = f"cast({day} as timestamp)"
    return at if zone == "UTC" else f"timezone('UTC', timezone({literal(zone)}, {at}))"


def _local_day(moment: str, zone: str) -> str:
    if zone == "UTC":
        return f"cast({moment} as date)"
    return f"cast(timezone({literal(zone)}, timezone('UTC', {moment})) as date)"
