"""How much of a change is the usual calendar: working days, season, and what is left."""

from funnel.methods.season.decomposition import Decomposition, decompose
from funnel.methods.season.series import series
from funnel.methods.season.share import ShareOfChange

__all__ = ["Decomposition", "ShareOfChange", "decompose", "series"]
