"""What changed from one period to another, by how much, how surely, and what it is made of."""

from funnel.change.period import PeriodChange, period_change
from funnel.change.product import ChangeExplained, explain_change

__all__ = ["ChangeExplained", "PeriodChange", "explain_change", "period_change"]
