"""The hand-over from marketing to sales: promises kept, clocks, loops, and the pool to nurture."""

from funnel.handoff.attention import Attention, attention
from funnel.handoff.clock import business_hours, handovers
from funnel.handoff.follow_up import ClockSplit, FollowUp, clock_split, follow_up
from funnel.handoff.nurture import Nurture, nurture_pool
from funnel.handoff.promises import Promises, promises
from funnel.handoff.speed import Association, hand_over_point, speed_to_lead

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
