"""Leads under the plan's definitions, their hand-off to sales, and which of them have matured.

The questions of the definition and of the hand-off both stand on this, so they count the same
leads.
"""

from funnel.methods.qualification.expressions import read_expression
from funnel.methods.qualification.handoff import (
    HandoffStages,
    handoff_stages,
    leads_with_handoff,
)
from funnel.methods.qualification.leads import (
    SIDES,
    Qualification,
    by_span,
    qualification,
    touch_counts,
)
from funnel.methods.qualification.outcomes import (
    FEW_WON,
    NO_HANDOFF,
    MatureLeads,
    Missing,
    mature_leads,
)

__all__ = [
    "FEW_WON",
    "NO_HANDOFF",
    "SIDES",
    "HandoffStages",
    "MatureLeads",
    "Missing",
    "Qualification",
    "by_span",
    "handoff_stages",
    "leads_with_handoff",
    "mature_leads",
    "qualification",
    "read_expression",
    "touch_counts",
]
