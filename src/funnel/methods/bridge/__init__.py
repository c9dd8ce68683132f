"""Why a period's value differs from its baseline's: contributions that add up, and how surely."""

from funnel.methods.bridge.bridge import bridge
from funnel.methods.bridge.product import ChangeExplained, explain_change
from funnel.methods.bridge.resampled_bridge import Usual
from funnel.methods.bridge.result import Bridge
from funnel.methods.bridge.stage_stays import calendar_pairs

__all__ = ["Bridge", "ChangeExplained", "Usual", "bridge", "calendar_pairs", "explain_change"]
