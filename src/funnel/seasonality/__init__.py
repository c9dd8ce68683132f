"""How much of a change is the usual calendar: working days, season, and what is left."""

from funnel.seasonality.decomposition import Decomposition, decompose
from funnel.seasonality.series import series
from funnel.seasonality.share import ShareOfChange

__all__ = ["Decomposition", "ShareOfChange", "decompose", "series"]
