"""Whether both teams mean the same lead, and what the criteria, the score and the bar are worth."""

from funnel.questions.definition.adherence import Adherence, adherence
from funnel.questions.definition.agreement import Agreement, agreement, kappa
from funnel.questions.definition.calibration import Calibration, calibration
from funnel.questions.definition.columns import SetAside
from funnel.questions.definition.counts import definition, overlap
from funnel.questions.definition.criteria import criteria
from funnel.questions.definition.criteria_result import Criteria
from funnel.questions.definition.leakage import set_aside
from funnel.questions.definition.personas import Personas, personas
from funnel.questions.definition.points import Points, points
from funnel.questions.definition.reasons import REMEDIES, Reasons, reasons
from funnel.questions.definition.replay import BarReplay, bar_replay
from funnel.questions.definition.results import Definitions, Overlap
from funnel.questions.definition.threshold_changes import BarMoves, bar_moves

__all__ = [
    "REMEDIES",
    "Adherence",
    "Agreement",
    "BarMoves",
    "BarReplay",
    "Calibration",
    "Criteria",
    "Definitions",
    "Overlap",
    "Personas",
    "Points",
    "Reasons",
    "SetAside",
    "adherence",
    "agreement",
    "bar_moves",
    "bar_replay",
    "calibration",
    "criteria",
    "definition",
    "kappa",
    "overlap",
    "personas",
    "points",
    "reasons",
    "set_aside",
]
