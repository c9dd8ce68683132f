"""What the contract asks of a row, as SQL over its cells: its values, and why it is set aside."""

from __future__ import annotations

from dataclasses import dataclass

from funnel.engine import literal, quoted
from funnel.load import casts, privacy
from funnel.load.files import Source
from funnel.plan import Plan
from funnel.tables import Column, Kind

# Broken: the row cannot be used. Of the contract's other ordered pair, a lead assigned before it
# was created, every question but the hand-over still has its answer: a finding.
HARD_ORDER = {("deals", "closed_at"), ("promos", "ends_on"), ("reps", "left_on")}
_SHOWN = 40


@dataclass(frozen=True)
class Checked:
    """SQL for one table: its values by column, and the reason a row is set aside."""

    values: dict[str, str]
    reasons: tuple[str, ...]
    joins: tuple[str, ...]


def check(source: Source, plan: Plan, present: frozenset[str]) -> Checked:
    """Write the SQL that reads and checks a table's rows.

    Parameters
    ----------
    source
        The table as found.
    plan
        Its stages are the only ones known; its time zone places days.
    present
        Tables that are there, whose keys can be referred to.
    """
    zone = plan.company.timezone
    table = source.table
    reasons: list[str] = []
    values: dict[str, str] = {}
    for column in table.columns:
        cell = source.cell(column.name)
        if cell is None:
            values[column.name] = f"cast(null as {casts.sql_type(column.kind)})"
            continue
        given = source.types[_given(source, column.name)]
        values[column.name] = _value(column, cell, given, zone)
        allowed = _allowed(table.name, column, plan)
        if allowed:
            values[column.name] = _chosen(values[column.name], allowed)
        reasons += _cell_reasons(column, cell, given, values[column.name], allowed)
    for first, then in table.ordered:
        if (table.name, then) in HARD_ORDER and source.cell(then):
            reasons.append(
                _when(f"{values[then]} < {values[first]}", f"`{then}` is before `{first}`")
            )
    if table.name == "deals":
        reasons.append(
            _when(
                f"{values['outcome']} in ('won', 'lost') and not {_filled(source, 'closed_at')}",
                "`closed_at` is empty, and the deal is closed",
            )
        )
    if table.needs_one_of:
        none = " and ".join(f"not {_filled(source, name)}" for name in table.needs_one_of)
        reasons.append(_when(none, f"none of `{'`, `'.join(table.needs_one_of)}` is filled"))
    joins = []
    for reference in table.references:
        if reference.table not in present or not source.cell(reference.column):
            continue
        key = values[reference.column]
        alias = f"_in_{reference.table}"
        joins.append(
            f"left join (select distinct {reference.column} as _key from "
            f"checked.{reference.table} where {reference.column} is not null) {alias} "
            f"on {alias}._key = {key}"
        )
        reasons.append(
            f"case when {key} is not null and {alias}._key is null then "
            f"'`{reference.column}` ' || _shown({key}) || ' is not in {reference.table}' end"
        )
    for name in source.extras:
        given = source.types[_given(source, name)]
        cell = source.cell(name) or "null"
        values[name] = extra(name, cell, given)
    return Checked(values, tuple(reasons), tuple(joins))


def extra(name: str, cell: str, given: str) -> str:
    """A column the contract does not know: kept, unless its name says that it holds identities."""
    kind = privacy.kind_by_name(name)
    if kind is Kind.TEXT and casts.is_number_type(given):
        return casts.number(cell, given)
    return _protected(kind, casts.text(cell, given))


def _value(column: Column, cell: str, given: str, zone: str) -> str:
    value = casts.value(column, cell, given, zone)
    return _protected(column.kind, value) if column.kind in casts.TEXTS else value


def _protected(kind: Kind, text: str) -> str:
    if kind is Kind.IDENTITY:
        return f"_hashed({text})"
    if kind is Kind.PERSON:
        return f"_labelled({text})"
    if kind is Kind.ID:
        return f"_scrubbed_id({casts.clean(text)})"
    return f"_scrubbed({casts.clean(text)})"


def _allowed(table: str, column: Column, plan: Plan) -> tuple[str, ...]:
    if table == "stage_changes" and column.name == "stage":
        return (*plan.stages, *plan.exits)
    return column.choices


def _chosen(value: str, allowed: tuple[str, ...]) -> str:
    """The allowed word that the cell means, in the contract's spelling, or NULL."""
    listed = ", ".join(f"{literal(word.casefold())}: {literal(word)}" for word in allowed)
    return f"(map {{{listed}}})[lower({value})]"


def _filled(source: Source, name: str) -> str:
    cell = source.cell(name)
    if cell is None:
        return "false"
    return casts.is_filled(cell, source.types[_given(source, name)])


def _cell_reasons(
    column: Column, cell: str, given: str, value: str, allowed: tuple[str, ...]
) -> list[str]:
    name = column.name
    filled = casts.is_filled(cell, given)
    reasons = []
    if column.required:
        reasons.append(_when(f"coalesce(not ({filled}), true)", f"`{name}` is empty"))
    shown = f"_shown(_scrubbed({casts.text(cell, given)}))"
    if column.kind in casts.TIMES:
        reasons.append(
            f"case when {filled} and {value} is null then '`{name}` is not a date: ' || "
            f"_shown_figure({casts.text(cell, given)}) end"
        )
    if column.kind in casts.NUMBERS:
        reasons.append(
            f"case when {filled} and {value} is null then '`{name}` is not a plain number: ' || "
            f"_shown_figure({casts.text(cell, given)}) end"
        )
    if column.kind is Kind.COUNT:
        reasons.append(_when(f"{value} < 0", f"`{name}` is negative"))
    if allowed and column.required:
        choices = " ".join(allowed) if len(allowed) < 4 else "a stage of the plan"
        known = f"is none of {choices}" if len(allowed) < 4 else "is no stage of the plan"
        reasons.append(
            f"case when {filled} and {value} is null then '`{name}` {known}: ' || {shown} end"
        )
    return reasons


def _when(condition: str, reason: str) -> str:
    return f"case when {condition} then {literal(reason)} end"


def _given(source: Source, name: str) -> str:
    return next(given for given, known in source.names.items() if known == name)


def macros() -> tuple[str, ...]:
    """SQL that quotes a cell in a reason: short, without identities or control characters."""
    short = f"left(x, {_SHOWN}) || case when length(x) > {_SHOWN} then '...' else '' end"
    return (
        f"create or replace macro _shown(x) as '''' || {short} || ''''",
        # words where a figure belongs may be somebody's name in a shifted row
        "create or replace macro _shown_figure(x) as case when "
        "regexp_matches(x, '\\d') then _shown(_scrubbed("
        f"{casts.clean('x')})) else 'words' end",
    )


def columns_of(checked: Checked) -> str:
    """List the values as SQL."""
    return ", ".join(f"{value} as {quoted(name)}" for name, value in checked.values.items())
