"""The question which deals are won and lost, and why.

`winloss(data)` answers by group of deals. `.reasons()` has why they were lost, `.won_deals()` their
size and cycle, `.owners()` how far owners differ, `.interviews()` whom to ask, and `.slipped()` the
deals that were due.
"""

from funnel.questions.winloss.winloss import WinLoss, winloss

__all__ = ["WinLoss", "winloss"]
