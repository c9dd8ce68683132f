"""From every won deal back to the first known touch of anybody on its account.

Tracing comes before credit: what cannot be traced stays in the tables, with the reason, so that
whatever is shared out later adds up to what was booked.
"""

from funnel.journeys.asked import BY, MILESTONES
from funnel.journeys.changed import path_changes
from funnel.journeys.compared import PathChanges
from funnel.journeys.one_deal import Trace, trace
from funnel.journeys.times import PathTimes, path_times
from funnel.journeys.tracing import first_touches, journeys
from funnel.journeys.usual import OTHER_PATHS, UsualPaths, usual_paths
from funnel.journeys.walked import paths
from funnel.journeys.ways import (
    ARROW,
    NO_KEY,
    NO_LEAD,
    NOT_SUPPLIED,
    NOT_TRACED,
    TRACKING_BREAK,
    FirstTouches,
    Journeys,
    Paths,
    short_path,
)

__all__ = [
    "ARROW",
    "BY",
    "MILESTONES",
    "NOT_SUPPLIED",
    "NOT_TRACED",
    "NO_KEY",
    "NO_LEAD",
    "OTHER_PATHS",
    "TRACKING_BREAK",
    "FirstTouches",
    "Journeys",
    "PathChanges",
    "PathTimes",
    "Paths",
    "Trace",
    "UsualPaths",
    "first_touches",
    "journeys",
    "path_changes",
    "path_times",
    "paths",
    "short_path",
    "trace",
    "usual_paths",
]
