"""What the data holds, and the traps in it, found from the data alone.

A trap is a way in which a table is filled that would be read as a result: wins that are only
recorded from some day on, a field that is filled for won leads and not for others, cohorts too
young to be compared, a source that stopped. Each comes with a count and a test, and none is a
figure of anybody's work.
"""

from funnel.coverage.fields import FilledByOutcome, filled_by_outcome, is_unknown
from funnel.coverage.outcomes import (
    Maturity,
    RecordedSince,
    maturity,
    outcomes_recorded_since,
    times_to,
)

__all__ = [
    "FilledByOutcome",
    "Maturity",
    "RecordedSince",
    "filled_by_outcome",
    "is_unknown",
    "maturity",
    "outcomes_recorded_since",
    "times_to",
]
