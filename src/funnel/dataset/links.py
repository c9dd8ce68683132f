"""Keys of one table that refer to another: found in another form, excluded, or not there.

Spreadsheets drop leading zeros, and add `.0` and marks of thousands; systems differ in capitals;
Salesforce writes one record with 15 characters in reports and with 18 through its interface. A key
that fits exactly one key of the other table after that is read as that one. One that fits none, or
that of a row which the plan excludes, is blank where the row stands by itself.
"""

from __future__ import annotations

import dataclasses
import datetime as dt

from funnel.contract.tables import Table
from funnel.dataset import casts
from funnel.dataset.engine import Engine, literal, quoted
from funnel.dataset.row_checks import BARE, Reading, of_excluded

# what happened to a key on its way; findings begin with these words
FORMS = ("zeros", "float", "marks", "capitals", "salesforce")
LOST = ("several", "rounded")
_DIGITS = r"\d+(\.0+)?"
_GROUPS = r"\d{1,3}(,\d{3})+(\.0+)?"
_ROUNDED = r"\d(\.\d+)?[eE]\+?\d+"
_RECORD = r"[A-Za-z0-9]{15}([A-Za-z0-9]{3})?"


def macro() -> str:
    """SQL macro of what two forms of one key have in common; NULL for a key of zeros."""
    return (
        f"_key_form(x) as case when regexp_full_match(x, {literal(_DIGITS)}) "
        "then nullif(ltrim(regexp_replace(x, '\\.0+$', ''), '0'), '') "
        f"when regexp_full_match(x, {literal(_GROUPS)}) "
        "then replace(regexp_replace(x, '\\.0+$', ''), ',', '') "
        # in the keys of Salesforce capitals count
        f"when regexp_full_match(x, {literal(_RECORD)}) then left(x, 15) else lower(x) end"
    )


def must_link(table: Table, column: str) -> bool:
    """Whether a row may be nothing without this key."""
    return column in table.required or column in table.needs_one_of


def link_keys(
    engine: Engine,
    table: Table,
    reading: Reading,
    column: str,
    other: str,
    *,
    has_excluded: bool = False,
) -> Reading:
    """Reading with the keys that another table does not have replaced, or blank.

    Creates `rejected.<table>_<column>_links`: `given`, `known` (the key meant, or NULL) and `how`,
    one of `FORMS`, `several` where more than one key fits, `rounded` where a spreadsheet wrote a
    power of ten, or `excluded`. With `has_excluded`, the
    plan excludes rows of the other table, which are in `rejected.<other>_excluded`.
    """
    key, links = quoted(column), f"rejected.{table.name}_{column}_links"
    is_other = f"not regexp_full_match(given, {literal(_RECORD)}) or strlen(given) <> strlen(one)"
    engine.execute(
        f"create or replace table {links} as with lacking as (select distinct {key} as given "
        f"from checked.{table.name} where {is_lacking(column, other)}), "
        f"known as (select distinct {key} as known from checked.{other} where {key} is not null), "
        "forms as (select _key_form(known) as form, min(known) as one, count(*) as n "
        "from known group by form) "
        "select given, case when n = 1 and is_form then one end as known, "
        "case when n > 1 and is_form then 'several' "
        f"when not is_form then case when regexp_full_match(given, {literal(_ROUNDED)}) "
        "then 'rounded' end when lower(given) = lower(one) then 'capitals' "
        "when contains(given, ',') or contains(one, ',') then 'marks' "
        "when contains(given, '.') or contains(one, '.') then 'float' "
        f"when regexp_full_match(given, {literal(_DIGITS)}) then 'zeros' else 'salesforce' end "
        f"as how from (select *, coalesce(form is not null and ({is_other}), false) as is_form "
        "from lacking left join forms on _key_form(given) = form)"
    )
    if has_excluded:
        engine.execute(
            f"update {links} set how = 'excluded', known = null "
            f"where given in (select {key} from rejected.{other}_excluded)"
        )
    value = reading.changed.get(column, reading.values[column])
    alone = [name for name in table.needs_one_of if name in reading.bare and name != column]
    filled = " or ".join(f"{quoted(BARE + name)} is not null" for name in alone)
    is_known = f"{value} in (select given from {links} where known is not null)"
    is_open = f"{value} in (select given from {links} where known is null)"
    is_excluded = f"{value} in (select given from {links} where how = 'excluded')"
    excluded = reading.excluded
    if must_link(table, column):
        is_open = f"({is_open} and ({filled or 'false'}))"
        if has_excluded:
            nothing = f"{is_excluded} and not ({filled or 'false'})"
            excluded = (*excluded, of_excluded(column, other, nothing))
    known = f"(select known from {links} where given = {value})"
    of_form = {
        f"{form}_{column}": f"{value} in (select given from {links} where how = {literal(form)})"
        for form in (*FORMS, *LOST)
    }
    odd = {**reading.odd, f"unlinked_{column}": is_open, **of_form}
    if has_excluded:
        odd[f"unlinked_{column}"] = f"({is_open}) and not ({is_excluded})"
        odd[f"excluded_{column}"] = is_excluded
    linked = f"case when {is_known} then {known} when {is_open} then null else {value} end"
    return dataclasses.replace(
        reading, changed={**reading.changed, column: linked}, odd=odd, excluded=excluded
    )


def has_rounded(engine: Engine, table: str, column: str) -> bool:
    """Whether a spreadsheet wrote keys that `link_keys` could not find as powers of ten."""
    query = f"select count(*) from rejected.{table}_{column}_links where how = 'rounded'"
    return bool(engine.rows(query)[0][0])


def is_lacking(column: str, other: str) -> str:
    """SQL condition that a key is not in another table, whose rejected rows count too."""
    key = quoted(column)
    return (
        f"{key} is not null and {key} not in "
        f"(select {key} from checked.{other} where {key} is not null)"
    )


def begins_after(
    engine: Engine, table: Table, column: str, other: Table, zone: str
) -> tuple[int, int, dt.date | None]:
    """Rows whose key is not in another table, how many are from before its first day, and that."""
    links = f"rejected.{table.name}_{column}_links"
    began, happened = quoted(other.happened), quoted(table.happened)
    return engine.rows(
        f"select count(*), coalesce(count_if({happened} < first), 0), "
        f"{casts.local_day('any_value(first)', zone)} "
        f"from (select min({began}) as first from checked.{other.name} "
        f"where {began} >= date '1970-01-01'), checked.{table.name} "
        f"where {quoted(column)} in (select given from {links} "
        "where known is null and how is distinct from 'excluded')"
    )[0]
