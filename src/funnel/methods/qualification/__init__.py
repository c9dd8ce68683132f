"""Leads as the plan's definitions judge them, and the moments at which they were handed over.

Both the definition of a lead and the hand-over ask this, so that they count the same leads.
"""

from funnel.methods.qualification.expressions import Expression, read_expression
from funnel.methods.qualification.handoff import HandOver, hand_over
from funnel.methods.qualification.leads import judged, matured

__all__ = ["Expression", "HandOver", "hand_over", "judged", "matured", "read_expression"]
