"""From every won deal back to the first known touch of anybody on its account.

Tracing comes before credit: what cannot be traced stays in the tables, with the reason, so that
whatever is shared out later adds up to what was booked.
"""

from funnel.journeys.tracing import MILESTONES, first_touches, journeys, paths
from funnel.journeys.ways import (
    ARROW,
    NO_KEY,
    NOT_SUPPLIED,
    NOT_TRACED,
    FirstTouches,
    Journeys,
    Paths,
)

__all__ = [
    "ARROW",
    "MILESTONES",
    "NOT_SUPPLIED",
    "NOT_TRACED",
    "NO_KEY",
    "FirstTouches",
    "Journeys",
    "Paths",
    "first_touches",
    "journeys",
    "paths",
]
