"""The brief: everything a snapshot answers, on one page and as data."""

from funnel.report.brief.gather import Brief, gather
from funnel.report.brief.write import write

__all__ = ["Brief", "gather", "write"]
