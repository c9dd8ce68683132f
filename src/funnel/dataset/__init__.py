"""From a company's folder to `Tables`: checked, in UTC, cut at the last day the data covers."""

from funnel.dataset.tables import Tables, load

__all__ = ["Tables", "load"]
