"""The hand-over from marketing to sales: promises kept, clocks, loops, and the pool to nurture."""

from funnel.questions.handoff.attention import Attention, attention
from funnel.questions.handoff.follow_up import ClockSplit, FollowUp, clock_split, follow_up
from funnel.questions.handoff.nurture import Nurture, nurture_pool
from funnel.questions.handoff.sla import Promises, promises
from funnel.questions.handoff.speed_to_lead import Association, hand_over_point, speed_to_lead
from funnel.questions.handoff.times import business_hours, handovers

__all__ = [
    "Association",
    "Attention",
    "ClockSplit",
    "FollowUp",
    "Nurture",
    "Promises",
    "attention",
    "business_hours",
    "clock_split",
    "follow_up",
    "hand_over_point",
    "handovers",
    "nurture_pool",
    "promises",
    "speed_to_lead",
]
