"""The brief: everything a snapshot answers, on one page and as data."""

from funnel.brief.gather import Brief, gather
from funnel.brief.write import write

__all__ = ["Brief", "gather", "write"]
