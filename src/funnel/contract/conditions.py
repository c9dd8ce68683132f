"""Conditions that a file states: boolean SQL expressions, parsed before they are run.

The text comes from a plan or a mapping, which people edit and pass on. So it is parsed, and only
comparisons of a row's columns with plain values are allowed, nothing that reads or writes
elsewhere.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from funnel.contract.errors import FunnelError, PlanError
from funnel.contract.outgoing_text import clean_headings
from funnel.contract.tables import TABLES

CASTS = ("Cast", "TryCast", "DataType", "DataTypeParam")
_LONGEST = 4000
_DIALECT = "duckdb"
_ALLOWED = (
    *("And", "Or", "Not", "Paren", "Is", "In", "Between", "Like", "ILike", "Escape", "Null"),
    *("EQ", "NEQ", "GT", "GTE", "LT", "LTE", "NullSafeEQ", "NullSafeNEQ", "Boolean"),
    *("Add", "Sub", "Mul", "Div", "Mod", "Neg", "Literal", "Column", "Identifier"),
    *("Lower", "Upper", "Trim", "Length", "Coalesce", "Nullif", "Abs", "Round", "Floor", "Ceil"),
    *("Least", "Greatest", "Case", "If"),
)
_NAMES = {
    "Select": "a query",
    "Subquery": "a query",
    "Union": "a query",
    "Window": "a window over other rows",
    "Star": "all columns at once",
    "Placeholder": "a value to be filled in later",
    "Cast": "a change of type",
    "Interval": "a length of time",
}


@dataclass(frozen=True)
class Condition:
    """A condition that may be run.

    Attributes
    ----------
    text
        The condition as it is written.
    sql
        The same, generated from its syntax tree with quoted names.
    columns
        Names of the columns that it reads, in order of appearance.
    """

    text: str
    sql: str
    columns: tuple[str, ...]


def nearest_of(name: str, known: Collection[str]) -> str:
    """End of a sentence with the name that was probably meant, or with those that there are.

    Examples
    --------
    >>> nearest_of("scor", ["score", "region"])
    'did you mean `score`?'
    """
    contract = [name for table in TABLES.values() for name in table.by_name]
    plain = {each.casefold(): each for each in clean_headings(known, contract)}
    near = difflib.get_close_matches(name.casefold(), plain, n=1, cutoff=0.5)
    return (
        f"did you mean `{plain[near[0]]}`?" if near else f"they have {', '.join(plain.values())}."
    )


def read_condition(
    text: str,
    columns: Collection[str],
    *,
    place: str,
    rows: str,
    error: type[FunnelError] = PlanError,
    ends: str = "",
    also: Collection[str] = (),
    hint: Callable[[str, Collection[str]], str] = nearest_of,
) -> Condition:
    """A condition, parsed and checked.

    Parameters
    ----------
    text
        A boolean SQL expression, such as `score >= 50 and employees >= 50`.
    columns
        Names that it may read, in any case.
    place, rows
        Where it is written, and the rows that have those columns, for the error.
    error, ends
        The error to raise, and the sentence that it ends with.
    also
        Further kinds of sqlglot's expressions that are allowed, such as `CASTS`.
    hint
        Gives the end of the sentence on an unknown column.

    Raises
    ------
    FunnelError
        If it does not parse, if it names an unknown column, or if it holds anything but
        comparisons, `and`, `or`, `not`, `in`, `between`, `like`, `is null`, arithmetic, plain
        values, `case` and a few functions of one row's values.

    Examples
    --------
    >>> read_condition("Score >= 50", ["score"], place="here", rows="leads").sql
    '"score" >= 50'
    """
    import sqlglot
    from sqlglot import errors, expressions

    if len(text) > _LONGEST:
        raise error(f"{place} is {len(text):,} letters long; {_LONGEST:,} are allowed.")
    try:
        parsed = [tree for tree in sqlglot.parse(text, read=_DIALECT) if tree is not None]
        nodes = [node for tree in parsed for node in tree.walk()]
    except (errors.SqlglotError, RecursionError) as problem:
        raise error(
            f"{place} cannot be read: {_parser_message(problem)} It must be one condition on "
            f"columns of {rows}, such as `score >= 50 and employees >= 50`.{ends}"
        ) from None
    if len(parsed) != 1:
        raise error(f"{place} holds {len(parsed)} statements; it must be one condition.{ends}")
    for node in nodes:
        kind = type(node).__name__
        if kind not in _ALLOWED and kind not in also:
            raise error(
                f"{place} holds {_NAMES.get(kind, repr(kind.lower()))}, which is not allowed: it "
                f"compares columns of {rows} with plain values. Write it without.{ends}"
            )
    known = {column.casefold(): column for column in columns}
    used: dict[str, str] = {}
    for column in parsed[0].find_all(expressions.Column):
        if len(column.parts) > 1:
            raise error(f"{place}: write `{column.name}` without a table before it.{ends}")
        own = known.get(column.name.casefold())
        if own is None:
            raise error(
                f"{place} names `{column.name}`, which {rows} do not have; "
                f"{hint(column.name, columns)}{ends}"
            )
        used.setdefault(own, own)
        column.set("this", expressions.to_identifier(own, quoted=True))
    return Condition(text, parsed[0].sql(_DIALECT, comments=False), tuple(used))


def _parser_message(error: Exception) -> str:
    """Message of the parser, without its colours and its copy of the text."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply."
    message = re.sub(r"\x1b\[\d*m", "", str(error)).strip().split("\n", 1)[0]
    message = re.sub(r"^(Invalid expression / )|for <class [^>]*>", "", message)
    return message.replace(" .", ".").strip()
