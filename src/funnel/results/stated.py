"""Figures that a result states, by what they are of, so that results can be compared."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from funnel.contract.periods import Comparison

Days = tuple[dt.date, dt.date]
_FIELDS = ("value", "low", "high", "verdict")
_CENT = 0.006  # money is rounded to the cent where it adds up


@dataclass(frozen=True)
class Stated:
    """A figure as a result states it. Figures of one name, of the same days, are one figure.

    Attributes
    ----------
    figure
        Its name. What counts other rows, or is estimated in another way, has another name.
    span
        First and last day that it is of.
    against
        Of a change, first and last day of what it is compared with.
    value, low, high
        The figure and its interval, missing where the result states none.
    verdict
        On a change; empty where the result states none.
    """

    figure: str
    span: Days
    against: Days | None = None
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    verdict: str = ""

    def as_row(self) -> dict[str, Any]:
        """As plain data: days as text, `None` for what is not stated."""
        row = {name: getattr(self, name) for name in _FIELDS}
        return {
            "figure": self.figure,
            "span": _text(self.span),
            "against": _text(self.against) if self.against else None,
        } | {name: None if _is_missing(value) else value for name, value in row.items()}


def stated_change(row: Mapping[str, Any], windows: Comparison) -> tuple[Stated, ...]:
    """A measure of two windows and its change, as a result states them.

    Parameters
    ----------
    row
        `measure`, `value`, `baseline`, `change`, `low`, `high`, `verdict`.
    """
    name, now, then = row["measure"], windows.period.days, windows.baseline.days
    change = {part: row[part] for part in ("low", "high", "verdict")}
    return (
        Stated(name, now, value=row["value"]),
        Stated(name, then, value=row["baseline"]),
        Stated(name, now, then, row["change"], **change),
    )


def contradictions(stated: Mapping[str, Iterable[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Figures that two results state differently.

    Parameters
    ----------
    stated
        What each result states, as rows of `Stated.as_row`, by the result's name.

    Returns
    -------
    list of dict
        One per figure, part of it (`value`, `low`, `high`, `verdict`) and pair of results that
        differ: `figure`, `span`, `against`, `part`, `results` and what they `state`. A part that a
        result does not state contradicts nothing.

    Examples
    --------
    >>> of = (dt.date(2026, 4, 1), dt.date(2026, 6, 30))
    >>> page = [Stated("wins", of, value=88.0).as_row()]
    >>> contradictions({"change": page, "win_rate": page})
    []
    >>> other = [Stated("wins", of, value=87.0).as_row()]
    >>> contradictions({"change": page, "win_rate": other})[0]["state"]
    [88.0, 87.0]
    """
    places: dict[tuple, list[tuple[str, Mapping[str, Any]]]] = defaultdict(list)
    for result, rows in stated.items():
        for row in rows:
            places[row["figure"], row["span"], row["against"]].append((result, row))
    return [
        {"figure": figure, "span": span, "against": against, "part": part}
        | {"results": [one[0], other[0]], "state": [one[1][part], other[1][part]]}
        for (figure, span, against), found in places.items()
        for one, other in itertools.combinations(found, 2)
        for part in _FIELDS
        if _differ(one[1][part], other[1][part])
    ]


def _differ(one: float | str | None, other: float | str | None) -> bool:
    if one is None or other is None:
        return False
    if isinstance(one, str) or isinstance(other, str):
        return one != other
    # rates lie below 1, and nothing rounds them
    rounding = _CENT if max(abs(one), abs(other)) > 1 else 0.0
    return not math.isclose(one, other, rel_tol=1e-9, abs_tol=rounding)


def _is_missing(value: float | str) -> bool:
    return value == "" if isinstance(value, str) else not math.isfinite(value)


def _text(days: Days) -> str:
    return f"{days[0].isoformat()}/{days[1].isoformat()}"
