"""Whether both teams mean the same lead, and what the criteria, the score and its threshold do.

`definition(data)` answers with the leads, wins and money under each definition. Its methods give
the further figures: overlap, agreement, adherence, reasons, criteria, personas, calibration,
points, threshold_replay and threshold_changes.
"""

from funnel.questions.definition.adherence import Adherence
from funnel.questions.definition.agreement import Agreement, kappa
from funnel.questions.definition.calibration import Calibration
from funnel.questions.definition.counts import Definition, Overlap, definition
from funnel.questions.definition.criteria import Criteria
from funnel.questions.definition.personas import Personas
from funnel.questions.definition.points import Points
from funnel.questions.definition.reasons import Reasons
from funnel.questions.definition.thresholds import ThresholdChanges, ThresholdReplay

__all__ = [
    "Adherence",
    "Agreement",
    "Calibration",
    "Criteria",
    "Definition",
    "Overlap",
    "Personas",
    "Points",
    "Reasons",
    "ThresholdChanges",
    "ThresholdReplay",
    "definition",
    "kappa",
]
