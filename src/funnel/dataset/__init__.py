"""From a company's folder to `Tables`: checked, in UTC, cut at the last day the data covers."""

from funnel.dataset.load import load
from funnel.dataset.tables import Tables

__all__ = ["Tables", "load"]
