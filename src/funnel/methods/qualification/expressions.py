"""Definitions as the plan writes them: conditions on columns of leads and on counts of touches."""

from __future__ import annotations

import re
from collections.abc import Collection

from funnel.contract.conditions import Condition, nearest_of, read_condition

COUNT_PREFIX = "n_"


def read_expression(
    text: str, columns: Collection[str], *, name: str = "agreed", what: str = "leads"
) -> Condition:
    """A definition, parsed and checked.

    Parameters
    ----------
    text, columns
        As in `read_condition`.
    name
        Key of the definition in `[definition]`, for the error.
    what
        The rows that have those columns, for the error.

    Raises
    ------
    PlanError
        As `read_condition`; the nearest known column is given.

    Examples
    --------
    >>> read_expression("Score >= 50 and n_demo > 0", ["score", "n_demo"]).columns
    ('score', 'n_demo')
    >>> read_expression("scor >= 50", ["score", "region"])
    Traceback (most recent call last):
    funnel.contract.errors.PlanError: funnel.toml: [definition] `agreed` names `scor`, which leads do not have; did you mean `score`?
    """  # noqa: E501  (an error is one line)
    place = f"funnel.toml: [definition] `{name}`"
    return read_condition(text, columns, place=place, rows=what, hint=_nearest)


def count_name(kind: str) -> str:
    """Name of the count of touches of a kind, as a definition writes it.

    Examples
    --------
    >>> count_name("Landing page")
    'n_landing_page'
    """
    return COUNT_PREFIX + re.sub(r"\W+", "_", kind.strip().casefold()).strip("_")


def counts_among(columns: Collection[str]) -> tuple[str, ...]:
    """Names of the touch counts among the columns of a definition."""
    return tuple(name for name in columns if name.startswith(COUNT_PREFIX))


def _nearest(name: str, known: Collection[str]) -> str:
    counts = counts_among(known)
    found = nearest_of(name, known)
    if counts and name.casefold().startswith(COUNT_PREFIX) and found.startswith("they have"):
        return f"the counts of touches are {', '.join(counts)}."
    return found
