"""Whether both teams mean the same lead, and what the criteria, the score and the bar are worth."""

from funnel.definition.adherence import Adherence, adherence
from funnel.definition.agreement import Agreement, agreement, kappa
from funnel.definition.answers import Definitions, Overlap
from funnel.definition.calibration import Calibration, calibration
from funnel.definition.columns import SetAside
from funnel.definition.counts import definition, overlap
from funnel.definition.criteria import criteria
from funnel.definition.late import set_aside
from funnel.definition.moves import BarMoves, bar_moves
from funnel.definition.personas import Personas, personas
from funnel.definition.points import Points, points
from funnel.definition.reasons import REMEDIES, Reasons, reasons
from funnel.definition.replay import BarReplay, bar_replay
from funnel.definition.worth import Criteria
from funnel.judging.expressions import Expression, read_expression
from funnel.judging.handover import HandOver, hand_over
from funnel.judging.leads import judged, matured

__all__ = [
    "REMEDIES",
    "Adherence",
    "Agreement",
    "BarMoves",
    "BarReplay",
    "Calibration",
    "Criteria",
    "Definitions",
    "Expression",
    "HandOver",
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
    "hand_over",
    "judged",
    "kappa",
    "matured",
    "overlap",
    "personas",
    "points",
    "read_expression",
    "reasons",
    "set_aside",
]
