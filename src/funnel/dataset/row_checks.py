"""What the contract asks of a row, as SQL: its values, whether it is broken, and why.

A query over a table's rows is built in three layers: `bare` cells, the `values` read from them,
and what is said about both. Whether a row is broken is asked of every row, so it is one cheap
condition; the reasons are put into words for the broken ones only.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from funnel.contract.plan import Plan
from funnel.contract.tables import Column, Kind
from funnel.dataset import casts, privacy
from funnel.dataset.engine import literal, quoted
from funnel.dataset.files import Source

# A lead assigned before it was created still answers every question but the hand-over's: a
# finding. The other pairs of the contract are hard.
_SOFT_ORDER = (("leads", "assigned_at"),)
_SHOWN = 40
BARE = "bare:"  # no column of a source is taken for one of ours
ROW, FILE = '"row:"', '"file:"'


@dataclass(frozen=True)
class Check:
    """One thing asked of a row, as SQL.

    Attributes
    ----------
    is_broken
        When it is broken.
    reason
        What is then said.
    filled
        Cells of which one, if every row has it, says that no row is broken.
    """

    is_broken: str
    reason: str
    filled: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """How one table's rows are read: SQL by the contract's names, over the source's cells.

    Attributes
    ----------
    bare
        The source's cells, trimmed, as `bare:<name>`.
    values
        What they mean, identities still in the open; only keys of checks and joins see these.
    kinds
        What each value is, for a value's name.
    checks
        What is asked of each row.
    """

    bare: dict[str, str]
    values: dict[str, str]
    kinds: dict[str, Kind]
    checks: tuple[Check, ...]

    def rows(self, scan: str, *also: str) -> str:
        """Write the query for bare cells and values; `also` keeps more of the scan's columns."""
        kept = "".join(f", {name}" for name in also)
        bare = ", ".join(f"{sql} as {quoted(BARE + name)}" for name, sql in self.bare.items())
        values = ", ".join(f"{sql} as {quoted(name)}" for name, sql in self.values.items())
        return f"select *, {values} from (select {bare}{kept} from {scan})"

    @property
    def is_broken(self) -> str:
        """The condition on a row of `rows` that it cannot be used."""
        return " or ".join(f"coalesce({check.is_broken}, false)" for check in self.checks)

    @property
    def reason(self) -> str:
        """Why a row of `rows` cannot be used, every reason in one text; NULL if it can."""
        reasons = [f"case when {check.is_broken} then {check.reason} end" for check in self.checks]
        return f"nullif(concat_ws('; ', {', '.join(reasons)}), '')"


def read(source: Source, plan: Plan, trimmed: Collection[str] = ()) -> Reading:
    """Say how a table's rows are read and what is asked of each.

    Parameters
    ----------
    source
        The table as found.
    plan
        Its stages are the only ones known; its time zone places days.
    trimmed
        Columns known to hold no blanks around their texts.
    """
    table, zone = source.table, plan.company.timezone
    bare = {}
    for given, name in source.names.items():
        kind = table.by_name[name].kind if name in table.by_name else Kind.TEXT
        cell = quoted(given)
        bare[name] = cell if name in trimmed else casts.bare(cell, source.types[given], kind)
    values: dict[str, str] = {}
    asked: list[Check] = []
    for column in table.columns:
        given = source.type_of(column.name)
        if given is None:
            values[column.name] = f"cast(null as {casts.sql_type(column.kind)})"
            continue
        cell = quoted(BARE + column.name)
        words = _allowed(table.name, column, plan)
        value = casts.value(column, cell, given, zone)
        values[column.name] = _chosen(value, words) if words else value
        asked += _of_a_cell(column, cell, given, words)
    asked += _of_a_row(source)
    kinds = {column.name: column.kind for column in table.columns}
    for name in source.extras:
        given, cell = source.type_of(name) or "", quoted(BARE + name)
        kinds[name] = privacy.kind_by_name(name)
        is_number = kinds[name] is Kind.TEXT and (
            casts.is_number_type(given) or name in source.numeric
        )
        values[name] = (casts.number if is_number else casts.text)(cell, given)
        if is_number:
            kinds[name] = Kind.NUMBER
    return Reading(bare, values, kinds, tuple(asked))


def _of_a_cell(column: Column, cell: str, given: str, words: tuple[str, ...]) -> list[Check]:
    name, value = column.name, quoted(column.name)
    asked = []
    if column.required:
        asked.append(Check(f"{cell} is null", literal(f"`{name}` is empty"), (cell,)))
    unread = f"{cell} is not null and {value} is null"
    text = casts.text(cell, given)
    if column.kind in casts.TIMES and not _is_always_read(column.kind, given):
        asked.append(Check(unread, f"'`{name}` is not a date: ' || _figure({text})"))
    if column.kind in casts.NUMBERS and not casts.is_always_number(given):
        asked.append(Check(unread, f"'`{name}` is not a plain number: ' || _figure({text})"))
    if column.kind is Kind.COUNT:
        asked.append(Check(f"{value} < 0", literal(f"`{name}` is negative")))
    if words and column.required:
        known = "no stage of the plan" if name == "stage" else f"none of {', '.join(words)}"
        asked.append(Check(unread, f"'`{name}` is {known}: ' || _word({text})"))
    return asked


def _is_always_read(kind: Kind, given: str) -> bool:
    return kind in casts.TIMES and (given == "DATE" or given.startswith("TIMESTAMP"))


def _of_a_row(source: Source) -> list[Check]:
    table = source.table
    asked = []
    for first, then in table.ordered:
        if (table.name, then) not in _SOFT_ORDER and source.type_of(then):
            asked.append(
                Check(
                    f"{quoted(then)} < {quoted(first)}",
                    literal(f"`{then}` is before `{first}`"),
                )
            )
    if table.name == "deals":
        empty = f"{quoted(BARE + 'closed_at')} is null" if source.type_of("closed_at") else "true"
        asked.append(
            Check(
                f"\"outcome\" in ('won', 'lost') and {empty}",
                literal("`closed_at` is empty, though the deal is closed"),
            )
        )
    if table.needs_one_of:
        there = [name for name in table.needs_one_of if source.type_of(name)]
        cells = tuple(quoted(BARE + name) for name in there)
        none = " and ".join(f"{cell} is null" for cell in cells) or "true"
        listed = "` nor `".join(table.needs_one_of)
        asked.append(Check(none, literal(f"neither `{listed}` is filled"), cells))
    return asked


def missing(column: str, other: str, missing_keys: str) -> Check:
    """Ask that a key is not among those that another table lacks."""
    return Check(
        f"{quoted(column)} in (from {missing_keys})",
        f"'`{column}` ' || _key_shown({quoted(column)}) || ' is not in {other}'",
    )


def emptied(source: Source) -> dict[str, str]:
    """Write, for each column whose word need not be there, when a cell holds no allowed one."""
    return {
        column.name: f"{quoted(BARE + column.name)} is not null and {quoted(column.name)} is null"
        for column in source.table.columns
        if column.choices and not column.required and source.type_of(column.name)
    }


def _allowed(table: str, column: Column, plan: Plan) -> tuple[str, ...]:
    if table == "stage_changes" and column.name == "stage":
        return (*plan.stages, *plan.exits)
    return column.choices


def _chosen(value: str, words: tuple[str, ...]) -> str:
    """Write the allowed word that a cell means, in its own spelling, or NULL."""
    means = " ".join(f"when {literal(word.casefold())} then {literal(word)}" for word in words)
    return f"case lower({value}) {means} end"


def macros() -> tuple[str, ...]:
    """Write how reasons quote a cell: short, and without identities or control characters."""
    short = f"left(y, {_SHOWN}) || case when length(y) > {_SHOWN} then '...' else '' end"
    text = privacy.protected(Kind.TEXT, "x")
    key = privacy.protected(Kind.ID, "x")
    return (
        f"_word(x) as list_transform([coalesce({text}, '')], lambda y: '''' || {short} || '''')[1]",
        f"_key_shown(x) as list_transform([coalesce({key}, '')], lambda y: '''' || {short} || "
        "'''')[1]",
        # words where a figure belongs may be a name in a row whose cells have shifted
        "_figure(x) as case when regexp_matches(x, '\\d') then _word(x) else 'words' end",
    )
