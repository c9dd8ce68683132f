"""From every won deal back to the first known touch of anybody on its account.

Tracing comes before credit: what cannot be traced stays in the tables, with the reason, so that
whatever is shared out later adds up to what was booked.
"""

from funnel.methods.paths.coded_paths import CodedPaths
from funnel.methods.paths.counting import Ways, ways
from funnel.methods.paths.frames import coded_journeys, coded_paths
from funnel.methods.paths.path_counts import paths
from funnel.methods.paths.results import (
    ARROW,
    NO_KEY,
    NO_LEAD,
    NOT_SUPPLIED,
    NOT_TRACED,
    TRACKING_BREAK,
    Basis,
    Journeys,
    Paths,
    Unconverted,
)
from funnel.methods.paths.scope import BY, MILESTONES
from funnel.methods.paths.text import short_path
from funnel.methods.paths.tracing import journeys

__all__ = [
    "ARROW",
    "BY",
    "MILESTONES",
    "NOT_SUPPLIED",
    "NOT_TRACED",
    "NO_KEY",
    "NO_LEAD",
    "TRACKING_BREAK",
    "Basis",
    "CodedPaths",
    "Journeys",
    "Paths",
    "Unconverted",
    "Ways",
    "coded_journeys",
    "coded_paths",
    "journeys",
    "paths",
    "short_path",
    "ways",
]
