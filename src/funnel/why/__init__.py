"""Why a period differs from another: the bridge, its guards, claims and actions."""

from funnel.why.actions import Actions, actions
from funnel.why.claims import Claims, claims
from funnel.why.guards import Guards, guards
from funnel.why.proposals import Proposals, proposals
from funnel.why.verdicts import Why, why

__all__ = [
    "Actions",
    "Claims",
    "Guards",
    "Proposals",
    "Why",
    "actions",
    "claims",
    "guards",
    "proposals",
    "why",
]
