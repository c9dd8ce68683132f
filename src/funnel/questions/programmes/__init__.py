"""The question which channels and campaigns earn more than they cost, and which are too recent.

`programmes(data)` answers by campaign, where spend names campaigns. `.channels()` gives the same by
channel, `.recent()` for the last twelve months.
"""

from funnel.questions.programmes.programmes import Programmes, programmes

__all__ = ["Programmes", "programmes"]
