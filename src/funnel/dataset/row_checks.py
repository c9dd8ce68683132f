"""What the contract demands of a row, as SQL: its values, whether it is broken, and why.

A query over a table's rows is built in layers: `bare` cells, the `values` read from them, which
rows the plan excludes, what the plan and other tables change of the values, and the checks of all.
Whether a row is broken is computed for every row, so it is one cheap condition; the reasons are
written for the broken rows only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from funnel.contract.conditions import read_condition
from funnel.contract.placeholders import AROUND, BRACKETS, UNKNOWN_WORDS
from funnel.contract.plan import FILE_NAME, Plan
from funnel.contract.tables import Column, Kind, Table
from funnel.dataset import casts, privacy, record_files, test_records
from funnel.dataset.engine import literal, quoted
from funnel.dataset.files import Source
from funnel.dataset.spellings import Respelling

# A lead assigned before it was created is a finding: only analyses of the hand-off cannot use it.
# A deal closed before it was created has no known creation. A row of another table with a pair of
# times in the wrong order is rejected.
_SOFT_ORDER = (("leads", "assigned_at"), ("deals", "closed_at"))
# Money stands by itself: whatever else of a deal cannot be read is blank, and a finding.
_MONEY, _VITAL = "deals", ("deal_id", "outcome")
_SHOWN = 40
_MARKS = 8  # marks around a word that stands for "not known"
_TWO_WORDS, _SEVERAL = r"\pL{2,}[\s,.]+\pL{2,}", 5
_EARLIEST = "date '0002-01-01'"  # Python's calendar begins in year 1, and so do empty dates of .NET
_LARGEST = 10**15  # squares and sums of more overflow or lose their cents
BARE, PAID = "bare:", "paid:"  # prefixes that no column of a source has
ROW, FILE = '"row:"', '"file:"'
EXCLUDED, MERGED, FOLDED = '"excluded:"', '"merged:"', '"folded:"'
BY_THE_PLAN = "excluded by the plan"


@dataclass(frozen=True)
class Check:
    """One condition that a row must meet, as SQL.

    Attributes
    ----------
    is_broken
        When a row does not meet it.
    reason
        The text that is then written.
    filled
        Cells; if one of them is filled in every row, no row is broken.
    never
        Aggregate over all rows; if it is true, no row is broken.
    """

    is_broken: str
    reason: str
    filled: tuple[str, ...] = ()
    never: str = ""


@dataclass(frozen=True)
class Reading:
    """How one table's rows are read: SQL by the contract's names, over the source's cells.

    Attributes
    ----------
    bare
        The source's cells, trimmed, as `bare:<name>`.
    values
        The values read from them, identities not yet hashed; for checks and joins only.
    kinds
        The kind of each value.
    checks
        What is checked of each row.
    odd
        By name, SQL conditions that a row of `rows` is used but has something blanked or changed.
    excluded
        What leaves a row out of `rows`, as SQL over its bare cells and values.
    changed
        Values that are not used as they are read: SQL over bare cells and values.
    was
        SQL of the key that a row had before its record was merged; empty where none can have been.
    """

    bare: dict[str, str]
    values: dict[str, str]
    kinds: dict[str, Kind]
    checks: tuple[Check, ...]
    odd: dict[str, str] = field(default_factory=dict)
    excluded: tuple[Check, ...] = ()
    changed: dict[str, str] = field(default_factory=dict)
    was: str = ""

    def rows(self, scan: str, *also: str) -> str:
        """Query for bare cells and values; `also` adds more of the scan's columns."""
        rows = self.all_rows(scan, *also)
        return f"select * from ({rows}) where {EXCLUDED} is null" if self.excluded else rows

    def all_rows(self, scan: str, *also: str) -> str:
        """As `rows`, those excluded too: `"excluded:"` is the reason, where there can be one."""
        rows = self.as_read(scan, *also)
        if self.excluded:
            cases = " ".join(f"when {each.is_broken} then {each.reason}" for each in self.excluded)
            rows = f"select *, case {cases} end as {EXCLUDED} from ({rows})"
        if not self.changed:
            return rows
        changed = ", ".join(f"{sql} as {quoted(name)}" for name, sql in self.changed.items())
        # what was paid in another currency is checked as it is written
        paid = [name for name in self.changed if self.kinds[name] is Kind.MONEY]
        more = "".join(f", {quoted(name)} as {quoted(PAID + name)}" for name in paid)
        more += f", {self.was} as {MERGED}" if self.was else ""
        return f"select * replace ({changed}){more} from ({rows})"

    def as_read(self, scan: str, *also: str) -> str:
        """Query for bare cells and the values read from them, which conditions of the plan see."""
        kept = "".join(f", {name}" for name in also)
        bare = ", ".join(f"{sql} as {quoted(BARE + name)}" for name, sql in self.bare.items())
        values = ", ".join(f"{sql} as {quoted(name)}" for name, sql in self.values.items())
        return f"select *, {values} from (select {bare}{kept} from {scan})"

    @property
    def is_broken(self) -> str:
        """SQL condition that a row of `rows` is broken."""
        return " or ".join(f"coalesce({check.is_broken}, false)" for check in self.checks)

    @property
    def reason(self) -> str:
        """SQL of why a row of `rows` is broken, every reason in one text; NULL if it is not."""
        reasons = [f"case when {check.is_broken} then {check.reason} end" for check in self.checks]
        return f"nullif(concat_ws('; ', {', '.join(reasons)}), '')"


def read(
    source: Source,
    plan: Plan,
    trimmed: Collection[str] = (),
    respelled: Mapping[str, Respelling] = MappingProxyType({}),
) -> Reading:
    """How a table's rows are read, and what is checked of each.

    Parameters
    ----------
    source
        The table as found.
    plan
        Its stages are the only ones allowed; days begin in its time zone.
    trimmed
        Columns known to hold no blanks around their texts.
    respelled
        Words that are read as another, by column.
    """
    table, zone = source.table, plan.company.timezone
    bare = {}
    for given, name in source.names.items():
        kind = table.by_name[name].kind if name in table.by_name else Kind.TEXT
        cell = quoted(given)
        bare[name] = cell if name in trimmed else casts.bare(cell, source.types[given], kind)
    values: dict[str, str] = {}
    checks: list[Check] = []
    odd: dict[str, str] = {}
    currency = record_files.currency_column(source.names.values())
    changed: dict[str, str] = {}
    for column in table.columns:
        given = source.type_of(column.name)
        if given is None:
            values[column.name] = f"cast(null as {casts.sql_type(column.kind)})"
            continue
        cell = quoted(BARE + column.name)
        words = _allowed(table.name, column, plan)
        value = casts.value(column, cell, given, zone)
        if column.name in respelled:
            value = _renamed(column.name, value, cell, respelled[column.name], odd)
        values[column.name] = _chosen(value, words) if words else value
        shown = quoted(column.name)
        if currency and table.happened and column.kind is Kind.MONEY:
            day, paid = day_of(table, plan), quoted(PAID + column.name)
            now, is_other = record_files.converted(shown, currency, day, plan)
            changed[column.name] = now
            if plan.records.rates:
                odd[f"converted_{column.name}"] = f"{is_other} and {shown} is not null"
            odd[f"unconverted_{column.name}"] = f"{paid} <> 0 and {shown} is null"
            shown = paid
        found = _cell_checks(column, cell, given, words, shown)
        if table.name == _MONEY and column.name not in _VITAL and found:
            values[column.name] = _limited(column, values[column.name])
            odd[f"unread_{column.name}"] = f"{cell} is not null and {shown} is null"
            if column.required:
                odd[f"empty_{column.name}"] = f"{cell} is null"
        else:
            checks += found
    odd |= _unknown_words(source)
    if table.name == _MONEY and source.type_of("closed_at"):
        created, closed = values["created_at"], values["closed_at"]
        changed["created_at"] = f"case when {closed} < {created} then null else {created} end"
        odd["closed_before_created"] = f'"closed_at" < {created}'
        odd["unread_created_at"] += f" and {created} is null"
    checks += _row_checks(source)
    kinds = {column.name: column.kind for column in table.columns}
    for name in source.extras:
        given, cell = source.type_of(name) or "", quoted(BARE + name)
        kinds[name] = privacy.kind_by_name(name)
        is_number = kinds[name] in casts.TEXTS and (
            casts.is_number_type(given) or name in source.numeric
        )
        values[name] = (casts.number if is_number else casts.text)(cell, given)
        if is_number:
            kinds[name] = Kind.NUMBER
        elif name in respelled:
            values[name] = _renamed(name, values[name], cell, respelled[name], odd)
    for given, name in source.names.items():
        if kinds[name] in casts.NUMBERS or name not in respelled or not respelled[name].padded:
            continue
        bare[f"padded:{name}"] = quoted(given)
        cell, raw = quoted(BARE + name), quoted(f"{BARE}padded:{name}")
        is_padded = f"{cell} in ({_listed(respelled[name].padded)}) and {raw} <> {cell}"
        spelled = odd.get(f"spelled_{name}", "false")
        odd[f"spelled_{name}"] = f"({spelled}) or ({is_padded})"
    for name in source.names.values():
        if _hides_words(table, name, kinds[name]) and source.type_of(name) == "VARCHAR":
            # a word for "not known" would be the key, or the hash, of one account or person
            values[name] = f"nullif({values[name]}, _placeholder({values[name]}))"
            odd[f"placeholder_{name}"] = f"_placeholder({quoted(BARE + name)}) is not null"
        if is_test := test_records.condition(table.name, name, kinds[name]):
            odd[f"test_{name}"] = is_test
    was = ""
    for name in bare:
        if record_files.is_followed(name, plan) and kinds[name] is not Kind.NUMBER:
            changed[name], is_old = record_files.followed(name, values[name])
            odd[f"followed_{name}"] = is_old
            if name in table.key:
                was = f"case when {is_old} then {values[name]} end"
    excluded = _excluded(source, plan)
    return Reading(bare, values, kinds, tuple(checks), odd, excluded, changed, was)


def day_of(table: Table, plan: Plan) -> str:
    """SQL of the day that a row belongs to: of a deal its closing, if it is closed."""
    happened = table.happened
    if not happened:
        return "cast(null as date)"
    zone = plan.company.timezone
    if table.by_name[happened].kind is Kind.DATE:
        return quoted(happened)
    if table.name != "deals":
        return casts.local_day(quoted(happened), zone)
    moment = "case when outcome = 'open' then created_at else coalesce(closed_at, created_at) end"
    return casts.local_day(f"({moment})", zone)


def _excluded(source: Source, plan: Plan) -> tuple[Check, ...]:
    """The plan's condition on rows that are not used, over the columns that the source has."""
    table = source.table.name
    text = plan.records.exclude.get(table)
    if text is None:
        return ()
    condition = read_condition(
        text,
        list(source.names.values()),
        place=f"{FILE_NAME}: [records] `exclude.{table}`",
        rows=table,
    )
    return (Check(condition.sql, literal(BY_THE_PLAN)),)


def _hides_words(table: Table, name: str, kind: Kind) -> bool:
    """Whether a column may be empty and its words cannot be seen later, since they are hashed."""
    if name in (*table.required, *table.key, *table.needs_one_of):
        return False
    return kind in (Kind.PERSON, Kind.IDENTITY) or name == "account_id"


def _renamed(column: str, value: str, cell: str, words: Respelling, odd: dict[str, str]) -> str:
    """SQL of a text, with the words that are read as another replaced."""
    if not words.words:
        return value
    for what, some in (("alias", words.aliases), ("spelled", words.spellings)):
        if some:
            odd[f"{what}_{column}"] = f"cast({cell} as varchar) in ({_listed(some)})"
    cases = " ".join(
        f"when {literal(word)} then {literal(meant)}" for word, meant in words.words.items()
    )
    return f"case {value} {cases} else {value} end"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(literal(word) for word in sorted(words))


def _cell_checks(
    column: Column, cell: str, given: str, words: tuple[str, ...], value: str
) -> list[Check]:
    name, checks = column.name, []
    if column.required:
        checks.append(Check(f"{cell} is null", literal(f"`{name}` is empty"), (cell,)))
    unread = f"{cell} is not null and {value} is null"
    text = casts.text(cell, given)
    if column.kind in casts.TIMES and not _is_always_read(column.kind, given):
        checks.append(Check(unread, f"'`{name}` is not a date: ' || _figure({text})"))
    if column.kind in casts.NUMBERS and not casts.is_always_number(given):
        checks.append(Check(unread, f"'`{name}` is not a plain number: ' || _figure({text})"))
    if column.kind in casts.TIMES:
        early = literal(f"`{name}` is before the year 2, often written for an empty date")
        never = f"min({value}) >= {_EARLIEST}"
        checks.append(Check(f"{value} < {_EARLIEST}", early, never=never))
    if column.kind in casts.NUMBERS:
        large = literal(f"`{name}` is beyond {_LARGEST:,}, above or below zero")
        never = f"max({value}) <= {_LARGEST} and min({value}) >= -{_LARGEST}"
        checks.append(Check(f"abs({value}) > {_LARGEST}", large, never=never))
    if column.kind is Kind.COUNT:
        checks.append(Check(f"{value} < 0", literal(f"`{name}` is negative")))
    if words and column.required:
        known = "no stage of the plan" if name == "stage" else f"none of {', '.join(words)}"
        checks.append(Check(unread, f"'`{name}` is {known}: ' || _word({text})"))
    return checks


def _limited(column: Column, value: str) -> str:
    """SQL of a value, or NULL where it is beyond what can be counted with."""
    if column.kind in casts.TIMES:
        return f"case when {value} >= {_EARLIEST} then {value} end"
    return f"case when abs({value}) <= {_LARGEST} then {value} end"


def _is_always_read(kind: Kind, given: str) -> bool:
    return kind in casts.TIMES and (given == "DATE" or given.startswith("TIMESTAMP"))


def _row_checks(source: Source) -> list[Check]:
    table = source.table
    checks = []
    for first, then in table.ordered:
        if (table.name, then) not in _SOFT_ORDER and source.type_of(then):
            checks.append(
                Check(
                    f"{quoted(then)} < {quoted(first)}",
                    literal(f"`{then}` is before `{first}`"),
                )
            )
    if table.name == "deals":
        closed = "\"outcome\" in ('won', 'lost') and \"closed_at\" is null"
        why = literal("`closed_at` is empty, though the deal is closed")
        if given := source.type_of("closed_at"):
            cell = quoted(BARE + "closed_at")
            unread = f"'`closed_at` is not a date: ' || _figure({casts.text(cell, given)})"
            why = f"case when {cell} is null then {why} else {unread} end"
        checks.append(Check(closed, why))
    if table.needs_one_of:
        there = [name for name in table.needs_one_of if source.type_of(name)]
        cells = tuple(quoted(BARE + name) for name in there)
        none = " and ".join(f"{cell} is null" for cell in cells) or "true"
        listed = "` nor `".join(table.needs_one_of)
        checks.append(Check(none, literal(f"neither `{listed}` is filled"), cells))
    return checks


def of_excluded(column: str, other: str, condition: str) -> Check:
    """What leaves out a row that is nothing without a row of another table that is left out."""
    return Check(condition, literal(f"its `{column}` is of {other} {BY_THE_PLAN}"))


def missing(column: str, other: str, missing_keys: str) -> Check:
    """Check that a key is not one of those that another table does not have."""
    return Check(
        f"{quoted(column)} in (from {missing_keys})",
        f"'`{column}` ' || _key_shown({quoted(column)}) || ' is not in {other}'",
    )


def _unknown_words(source: Source) -> dict[str, str]:
    """SQL conditions, by name, that a cell that may be empty holds a word not allowed."""
    return {
        f"unknown_{column.name}": f"{quoted(BARE + column.name)} is not null "
        f"and {quoted(column.name)} is null"
        for column in source.table.columns
        if column.choices and not column.required and source.type_of(column.name)
    }


def _allowed(table: str, column: Column, plan: Plan) -> tuple[str, ...]:
    if table == "stage_changes" and column.name == "stage":
        return (*plan.stages, *plan.exits)
    return column.choices


def _chosen(value: str, words: tuple[str, ...]) -> str:
    """SQL of the allowed word that a cell means, in the contract's spelling, or NULL."""
    means = " ".join(f"when {literal(word.casefold())} then {literal(word)}" for word in words)
    return f"case lower({value}) {means} end"


def macros() -> tuple[str, ...]:
    """SQL macros that quote a cell in a reason: short, without identities or control characters.

    Two words may be somebody's name, in a row whose cells have shifted. `_is_name` holds for them
    unless several rejected rows have the same: then they are a stage or an outcome.
    """
    words = {word.replace(" / ", "/") for word in UNKNOWN_WORDS}
    plain = f"trim(replace(lower(x), '_', ' '), {literal(AROUND + BRACKETS)})"
    short = f"left(y, {_SHOWN}) || case when length(y) > {_SHOWN} then '...' else '' end"
    text = privacy.protected(Kind.TEXT, "x")
    key = privacy.protected(Kind.ID, "x")
    return (
        # few words are so short, and have no digit
        f"_placeholder(x) as case when strlen(x) <= {max(map(len, words)) + _MARKS} "
        f"and not regexp_matches(x, '\\d') and {plain} in ({_listed(words)}) then x end",
        f"_quoted(x) as list_transform([coalesce({text}, '')], lambda y: '''' || {short} || "
        "'''')[1]",
        f"_key_shown(x) as list_transform([coalesce({key}, '')], lambda y: '''' || {short} || "
        "'''')[1]",
        f"_is_name(x) as regexp_matches(x, '{_TWO_WORDS}') "
        f"and count(*) over (partition by x) < {_SEVERAL}",
        "_word(x) as case when _is_name(x) then 'words' else _quoted(x) end",
        # a long number is a time in seconds or a phone number, and only its length is shown
        "_is_long_number(x) as regexp_full_match(x, '[+-]?\\d{10,}')",
        f"_is_figure(x) as regexp_matches(x, '\\d') and not regexp_matches(x, '{_TWO_WORDS}')",
        "_figure(x) as case when _is_long_number(x) "
        "then 'a number of ' || strlen(ltrim(x, '+-')) || ' digits' "
        "when _is_figure(x) then _quoted(x) else 'words' end",
    )
