"""Why a period differs from another: the bridge, its guards, claims and actions."""

from funnel.questions.why.actions import Actions, actions
from funnel.questions.why.claims import Claims, claims
from funnel.questions.why.guards import Guards, guards
from funnel.questions.why.period_change import PeriodChange, period_change
from funnel.questions.why.proposals import Proposals, proposals
from funnel.questions.why.why import Why, why

__all__ = [
    "Actions",
    "Claims",
    "Guards",
    "PeriodChange",
    "Proposals",
    "Why",
    "actions",
    "claims",
    "guards",
    "period_change",
    "proposals",
    "why",
]
