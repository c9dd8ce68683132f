"""Why a period's value differs from its baseline's: contributions of drivers that add up.

`bridge` follows leads through the stages; `explain_change` takes two tables of counts.
"""

from funnel.methods.bridge.bridge import Bridge, DriverTests, bridge
from funnel.methods.bridge.product import ChangeExplained, explain_change

__all__ = ["Bridge", "ChangeExplained", "DriverTests", "bridge", "explain_change"]
