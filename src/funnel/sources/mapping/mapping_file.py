"""Mapping files, read and checked key by key before any export is opened."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from funnel.contract.errors import PlanError, SourceError
from funnel.contract.plan import FILE_NAME, Plan
from funnel.contract.tables import TABLES, Kind, Table
from funnel.dataset import encodings
from funnel.dataset.casts import UNITS

REST = "*"  # in `values`: every other value; in `keep`: every column not mapped
ROW = "#row"  # in `columns`: the row's place in its file, from 1, for exports without a key
_KEYS = (
    "source", "encoding", "columns", "constants", "keep", "values", "dates", "decimal", "timezone",
    "where", "first_per",
)  # fmt: skip


@dataclass(frozen=True)
class TableMap:
    """One `[tables.<name>]` of a mapping, checked."""

    table: Table
    source: str
    columns: Mapping[str, str]
    constants: Mapping[str, Any]
    keep: tuple[str, ...]
    renames: Mapping[str, Mapping[str, str]]
    dates: Mapping[str, tuple[str, ...]]
    decimal: str
    currency: str
    encoding: str
    timezone: str
    where: str
    first_per: tuple[str, ...]


def read_toml(path: Path) -> dict[str, Any]:
    """Content of a TOML file; a `SourceError` says why it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SourceError(
            f"The mapping {path.name} cannot be read: {error}. Nothing was written. Keys and "
            "sections are those of docs/mapping.md."
        ) from None
    except OSError as error:
        raise SourceError(f"The mapping {path} cannot be read: {error.strerror}.") from None


def table_maps(raw: Mapping[str, Any]) -> list[TableMap]:
    """Every `[tables.<name>]` of a mapping, checked."""
    tables = _section("the mapping", raw, "tables")
    if not tables:
        raise SourceError(
            "The mapping names no table: it needs at least one section [tables.<name>], such as "
            "[tables.leads] with its `source` and `columns`."
        )
    known("[tables]", tables, tuple(TABLES), kind="table")
    top = (_text("the mapping", raw, "timezone"), _currency(raw))
    return [_table_map(TABLES[name], _section("[tables]", tables, name), *top) for name in tables]


def _currency(raw: Mapping[str, Any]) -> str:
    given = _text("the mapping", raw, "currency")
    try:
        return Plan.of({"company": {"currency": given}}).company.currency if given else ""
    except PlanError as error:
        raise SourceError(f"The mapping: {str(error).replace('`company.', '`')}") from None


def _table_map(table: Table, given: Mapping[str, Any], zone: str, currency: str) -> TableMap:
    where = f"[tables.{table.name}]"
    known(where, given, _KEYS)
    source = _text(where, given, "source")
    if not source:
        raise SourceError(f"{where} needs `source`, the name of the file its rows come from.")
    columns = _section(where, given, "columns")
    constants = _section(where, given, "constants")
    for key, named in (("columns", columns), ("constants", constants)):
        _contract_columns(f"{where} `{key}`", table, named)
    for column, name in columns.items():
        if not isinstance(name, str):
            raise SourceError(f"{where} `columns`: {column} is {name!r}; it must be a name.")
    both = sorted(columns.keys() & constants.keys())
    if both:
        raise SourceError(f"{where}: {listed(both)} is under both `columns` and `constants`.")
    missing = [name for name in table.required if name not in {*columns, *constants}]
    if missing:
        raise SourceError(
            f"{where} does not say where {listed(missing)} comes from, which every row of "
            f"{table.name} must have. Name a source column under `columns`, or one value for all "
            "rows under `constants`."
        )
    keep = _names(where, given, "keep", "source columns")
    values = _section(where, given, "values")
    dates = _section(where, given, "dates")
    for key, named in (("values", values), ("dates", dates)):
        mapped = [*columns, *(keep if key == "values" else [])]
        known(f"{where} `{key}`", named, tuple(mapped), kind="mapped column")
    decimal = _text(where, given, "decimal")
    if decimal not in ("", ".", ","):
        raise SourceError(f"{where} `decimal` is {decimal!r}; it must be '.' or ','.")
    return TableMap(
        table=table,
        source=source,
        columns=columns,
        constants=constants,
        keep=keep,
        renames={name: _section(f"{where} `values`", values, name) for name in values},
        dates={name: _formats(where, table, name, dates[name]) for name in dates},
        decimal=decimal,
        currency=currency,
        encoding=_encoding(where, given),
        timezone=_zone(where, _text(where, given, "timezone") or zone),
        where=_text(where, given, "where"),
        first_per=_first_per(where, table, given),
    )


def _encoding(where: str, given: Mapping[str, Any]) -> str:
    name = _text(where, given, "encoding")
    if name and not encodings.known(name):
        raise SourceError(
            f"{where} `encoding` is {name!r}, which is no known encoding. Names look like cp1250, "
            "shift_jis or utf-8."
        )
    return encodings.known(name) if name else ""


def _first_per(where: str, table: Table, given: Mapping[str, Any]) -> tuple[str, ...]:
    """Columns of `first_per`, checked: of rows equal in them only the earliest is written."""
    names = _names(where, given, "first_per", "the contract's columns")
    columns = _section(where, given, "columns")
    known(f"{where} `first_per`", dict.fromkeys(names), tuple(columns), kind="mapped column")
    if names and table.happened not in columns:
        raise SourceError(
            f"{where} `first_per` keeps the earliest row, so `{table.happened}` must come from a "
            "source column."
        )
    return names


def _formats(where: str, table: Table, column: str, given: Any) -> tuple[str, ...]:
    if table.by_name[column].kind not in (Kind.TIME, Kind.DATE):
        raise SourceError(f"{where} `dates`: {column} is no date; it is read as text or number.")
    listed = [given] if isinstance(given, str) else given
    if (
        not isinstance(listed, list)
        or not listed
        or not all(isinstance(one, str) and ("%" in one or one in UNITS) for one in listed)
    ):
        raise SourceError(
            f"{where} `dates`: {column} is {given!r}; it must be a format such as '%d/%m/%Y', "
            f"one of {', '.join(UNITS)} for numbers, or a list of these."
        )
    return tuple(listed)


def plan_of(raw: Mapping[str, Any], mapping_file: Path) -> Path | None:
    """File of the plan that belongs to a mapping, checked; None where there is none."""
    section = _section("the mapping", raw, "plan")
    known("[plan]", section, ("file",))
    named = _text("[plan]", section, "file")
    path = mapping_file.parent / (named or FILE_NAME)
    if not path.is_file():
        if named:
            raise SourceError(
                f"The plan that the mapping names, {named}, is not beside {mapping_file.name}."
            )
        return None
    Plan.of(read_toml(path))  # raises here, before the import, where the plan has an error
    return path


def _section(where: str, given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = given.get(name, {})
    if not isinstance(section, Mapping):
        raise SourceError(f"{where}: `{name}` must be a section or an inline table.")
    return section


def _text(where: str, given: Mapping[str, Any], name: str) -> str:
    text = given.get(name, "")
    if not isinstance(text, str):
        raise SourceError(f"{where}: `{name}` is {text!r}; it must be text in quotes.")
    return text


def _names(where: str, given: Mapping[str, Any], name: str, what: str) -> tuple[str, ...]:
    names = given.get(name, [])
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise SourceError(f"{where} `{name}` is {names!r}; it must be a list of {what}.")
    return tuple(names)


def _zone(where: str, name: str) -> str:
    try:
        return name and ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError):
        raise SourceError(
            f"{where} `timezone` is {name!r}, which is no known time zone. Names look like "
            "Europe/Berlin."
        ) from None


def _contract_columns(where: str, table: Table, given: Mapping[str, Any]) -> None:
    known(where, given, tuple(table.by_name), kind="column", more=" Extra columns go to `keep`.")


def known(
    where: str,
    given: Mapping[str, Any],
    known: tuple[str, ...],
    *,
    kind: str = "key",
    more: str = "",
) -> None:
    """Raise a `SourceError` at an unknown key, with the nearest known one."""
    for key in given:
        if key not in known:
            raise SourceError(f"{where} knows no {kind} `{key}`. {nearest(key, list(known))}{more}")


def nearest(name: str, there: list[str]) -> str:
    """Sentence with the name that was probably meant, or with those that there are."""
    near = difflib.get_close_matches(name, there, n=1, cutoff=0.5)
    if near:
        return f"Did you mean `{near[0]}`?"
    return f"There is {', '.join(there[:15])}." if there else "There is none."


def listed(names: Sequence[str]) -> str:
    """Names in backquotes, joined by "and"."""
    return " and ".join(f"`{name}`" for name in names)
