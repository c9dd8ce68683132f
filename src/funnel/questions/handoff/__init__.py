"""The hand-off from marketing to sales: whether both teams met the SLA, and where the time goes.

`handoff` answers for the period against the baseline. Its further figures are its methods:
`.follow_up()`, `.time_split()`, `.attention()`, `.speed_to_lead()`, `.handoff_point()` and
`.nurture_pool()`.
"""

from funnel.questions.handoff.attention import Attention, attention
from funnel.questions.handoff.nurture import NurturePool, nurture_pool
from funnel.questions.handoff.response_times import (
    FollowUp,
    HandedLeads,
    TimeSplit,
    business_hours,
    follow_up,
    handed_leads,
    time_split,
)
from funnel.questions.handoff.sla import Handoff, handoff
from funnel.questions.handoff.speed_to_lead import Association, handoff_point, speed_to_lead

__all__ = [
    "Association",
    "Attention",
    "FollowUp",
    "HandedLeads",
    "Handoff",
    "NurturePool",
    "TimeSplit",
    "attention",
    "business_hours",
    "follow_up",
    "handed_leads",
    "handoff",
    "handoff_point",
    "nurture_pool",
    "speed_to_lead",
    "time_split",
]
