"""Definitions as the plan writes them: boolean SQL expressions, parsed before they are run.

The text comes from a file that both teams edit. So it is parsed, and only what a definition needs
is allowed: comparisons of columns of leads, of touch counts and of plain values.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from dataclasses import dataclass

from funnel.contract.errors import PlanError

COUNT_PREFIX = "n_"
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
class Expression:
    """A definition that may be run.

    Attributes
    ----------
    text
        The definition as the plan writes it.
    sql
        The same, generated from its syntax tree with quoted names.
    columns
        Names of the columns that it reads, in order of appearance.
    """

    text: str
    sql: str
    columns: tuple[str, ...]

    @property
    def counts(self) -> tuple[str, ...]:
        """Names of the touch counts among its columns."""
        return tuple(name for name in self.columns if name.startswith(COUNT_PREFIX))


def read_expression(
    text: str, columns: Collection[str], *, name: str = "agreed", what: str = "leads"
) -> Expression:
    """A definition, parsed and checked.

    Parameters
    ----------
    text
        A boolean SQL expression, such as `score >= 50 and employees >= 50`.
    columns
        Names that it may read, in any case.
    name
        Key of the definition in `[definition]`, for the error.
    what
        The rows that have those columns, for the error.

    Raises
    ------
    PlanError
        If it does not parse, if it names an unknown column (the nearest known one is given), or if
        it holds anything but comparisons, `and`, `or`, `not`, `in`, `between`, `like`, `is null`,
        arithmetic, plain values, `case` and a few functions of one row's values.

    Examples
    --------
    >>> read_expression("Score >= 50 and n_demo > 0", ["score", "n_demo"]).columns
    ('score', 'n_demo')
    >>> read_expression("scor >= 50", ["score", "region"])
    Traceback (most recent call last):
    funnel.contract.errors.PlanError: funnel.toml: [definition] `agreed` names `scor`, which leads do not have; did you mean `score`?
    """  # noqa: E501  (an error is one line)
    import sqlglot
    from sqlglot import errors, expressions

    where = f"funnel.toml: [definition] `{name}`"
    if len(text) > _LONGEST:
        raise PlanError(f"{where} is {len(text):,} letters long; {_LONGEST:,} are allowed.")
    try:
        parsed = [tree for tree in sqlglot.parse(text, read=_DIALECT) if tree is not None]
        nodes = [node for tree in parsed for node in tree.walk()]
    except (errors.SqlglotError, RecursionError) as error:
        raise PlanError(
            f"{where} cannot be read: {_parser_message(error)} It must be one condition on columns "
            "of leads, such as `score >= 50 and employees >= 50`. Both teams own it."
        ) from None
    if len(parsed) != 1:
        raise PlanError(f"{where} holds {len(parsed)} statements; it must be one condition.")
    for node in nodes:
        kind = type(node).__name__
        if kind not in _ALLOWED:
            raise PlanError(
                f"{where} holds {_NAMES.get(kind, repr(kind.lower()))}, which a definition may "
                "not: it compares columns of leads with plain values. Write it without."
            )
    known = {column.casefold(): column for column in columns}
    used: dict[str, str] = {}
    for column in parsed[0].find_all(expressions.Column):
        if len(column.parts) > 1:
            raise PlanError(f"{where}: write `{column.name}` without a table before it.")
        own = known.get(column.name.casefold())
        if own is None:
            raise PlanError(
                f"{where} names `{column.name}`, which {what} do not have; "
                f"{_nearest(column.name, known)}"
            )
        used.setdefault(own, own)
        column.set("this", expressions.to_identifier(own, quoted=True))
    return Expression(text, parsed[0].sql(_DIALECT, comments=False), tuple(used))


def count_name(kind: str) -> str:
    """Name of the count of touches of a kind, as a definition writes it.

    Examples
    --------
    >>> count_name("Landing page")
    'n_landing_page'
    """
    return COUNT_PREFIX + re.sub(r"\W+", "_", kind.strip().casefold()).strip("_")


def _nearest(name: str, known: dict[str, str]) -> str:
    near = difflib.get_close_matches(name.casefold(), known, n=1, cutoff=0.5)
    if near:
        return f"did you mean `{known[near[0]]}`?"
    counts = [own for own in known.values() if own.startswith(COUNT_PREFIX)]
    if name.casefold().startswith(COUNT_PREFIX) and counts:
        return f"the counts of touches are {', '.join(counts)}."
    return f"they have {', '.join(known.values())}."


def _parser_message(error: Exception) -> str:
    """Message of the parser, without its colours and its copy of the text."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply."
    message = re.sub(r"\x1b\[\d*m", "", str(error)).strip().split("\n", 1)[0]
    message = re.sub(r"^(Invalid expression / )|for <class [^>]*>", "", message)
    return message.replace(" .", ".").strip()
