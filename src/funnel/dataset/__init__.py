"""From a company's folder to `Tables`: checked, in UTC, cut at the day the data speaks for."""

from funnel.dataset.load import load
from funnel.dataset.tables import Tables

__all__ = ["Tables", "load"]
