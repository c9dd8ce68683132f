"""What a guard's look found: a sentence, a date, and the drivers it accounts for."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

GUARDS = ("data", "definition", "maturity", "calendar", "mix", "noise")
PASSED, FOUND, CANNOT_SAY = "passed", "found", "cannot tell"
UP, DOWN, EITHER = "up", "down", "either"
FALSE_ALARMS = (
    0.01  # of runs in which a guard stops something that is not there, all looks together
)


@dataclass(frozen=True)
class Found:
    """One thing that a guard found.

    Attributes
    ----------
    explains
        Pairs of a driver and the way it moves by this: `up`, `down` or `either`.
    columns
        Segment columns whose groups cannot be compared between the two periods.
    """

    guard: str
    says: str
    since: dt.date | None = None
    explains: tuple[tuple[str, str], ...] = ()
    columns: tuple[str, ...] = ()
    n: int = 0
    p_value: float = float("nan")


@dataclass(frozen=True)
class Looked:
    """What a guard found, and how many rows and looks it took."""

    found: tuple[Found, ...] = ()
    n: int = 0
    n_looks: int = 0
