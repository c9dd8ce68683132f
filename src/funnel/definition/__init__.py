"""Whether both teams mean the same lead, and what the criteria, the score and the bar are worth."""

from funnel.definition.adherence import Adherence, adherence
from funnel.definition.agreement import Agreement, agreement, kappa
from funnel.definition.counts import Definitions, Overlap, definition, overlap
from funnel.definition.expressions import Expression, read_expression
from funnel.definition.judged import HandOver, hand_over, judged, matured
from funnel.definition.reasons import REMEDIES, Reasons, reasons

__all__ = [
    "REMEDIES",
    "Adherence",
    "Agreement",
    "Definitions",
    "Expression",
    "HandOver",
    "Overlap",
    "Reasons",
    "adherence",
    "agreement",
    "definition",
    "hand_over",
    "judged",
    "kappa",
    "matured",
    "overlap",
    "read_expression",
    "reasons",
]
