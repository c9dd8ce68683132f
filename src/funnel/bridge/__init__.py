"""Why a period's value differs from its baseline's: contributions that add up, and how surely."""

from funnel.bridge.drawn import Usual
from funnel.bridge.paths import calendar_pairs
from funnel.bridge.question import bridge
from funnel.bridge.result import Bridge

__all__ = ["Bridge", "Usual", "bridge", "calendar_pairs"]
