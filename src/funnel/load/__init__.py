"""From a company's folder to `Tables`: checked, in UTC, cut at the day the data speaks for."""

from funnel.load.read import load
from funnel.load.tables import Tables

__all__ = ["Tables", "load"]
