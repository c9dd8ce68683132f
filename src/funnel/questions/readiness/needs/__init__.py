"""What a question rests on, and whether the data has it.

A need looks at the facts and says how far it is met: 2 fully, 1 thinly, 0 not. Its sentence names
the table and the column, with the count and the share.
"""

from funnel.questions.readiness.needs.facts import FINE, Facts, Met, Need
from funnel.questions.readiness.needs.plan import (
    definitions,
    goals,
    neutral,
    segments_filled,
    segments_neutral,
)
from funnel.questions.readiness.needs.rows import (
    filled_for,
    on_both_sides,
    scored,
    stages_recorded,
    table,
    touches_known,
)
from funnel.questions.readiness.needs.times import (
    comparable_cohorts,
    history,
    measured_on_both_sides,
    months_of,
    recorded,
)

__all__ = [
    "FINE",
    "Facts",
    "Met",
    "Need",
    "comparable_cohorts",
    "definitions",
    "filled_for",
    "goals",
    "history",
    "measured_on_both_sides",
    "months_of",
    "neutral",
    "on_both_sides",
    "recorded",
    "scored",
    "segments_filled",
    "segments_neutral",
    "stages_recorded",
    "table",
    "touches_known",
]
