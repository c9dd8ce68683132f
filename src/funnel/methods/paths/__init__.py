"""Paths: the channels that touched a lead or an account, in order, up to a conversion or none.

One engine reads them, whatever the number of touches (`journey_paths`): as integers, one path per
converted journey and one per different path. What does not trace stays in, with the reason, so that
credit adds up to what was booked.
"""

from funnel.methods.paths.coded_paths import ARROW, NOT_TRACED, OTHER_PATHS, CodedPaths
from funnel.methods.paths.frames import coded_journeys, coded_paths
from funnel.methods.paths.journey_paths import converted_journeys, paths, paths_by_journey
from funnel.methods.paths.results import (
    NO_KEY,
    NOT_SUPPLIED,
    TRACKING_BREAK,
    Basis,
    Journeys,
    Paths,
)
from funnel.methods.paths.scope import Scope, journey_ends, scope_of, utc
from funnel.methods.paths.text import basis_caveats, short_path
from funnel.methods.paths.tracing import first_touches_by_journey, journeys, reasons

__all__ = [
    "ARROW",
    "NOT_SUPPLIED",
    "NOT_TRACED",
    "NO_KEY",
    "OTHER_PATHS",
    "TRACKING_BREAK",
    "Basis",
    "CodedPaths",
    "Journeys",
    "Paths",
    "Scope",
    "basis_caveats",
    "coded_journeys",
    "coded_paths",
    "converted_journeys",
    "first_touches_by_journey",
    "journey_ends",
    "journeys",
    "paths",
    "paths_by_journey",
    "reasons",
    "scope_of",
    "short_path",
    "utc",
]
