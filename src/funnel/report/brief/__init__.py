"""The first page: everything a snapshot answers, as `index.html` and as `brief.json`."""

from funnel.report.brief.facts import Brief, gather
from funnel.report.brief.write import write

__all__ = ["Brief", "gather", "write"]
