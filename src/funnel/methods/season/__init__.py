"""Calendar and season: the level of a measure to be expected from earlier years.

`decompose` is public; promotions, seasonality and the bridge's calendar are built on it. What its
results say is in `text`, their charts are in `charts`.
"""

from funnel.methods.season.decomposition import Decomposition, decompose, measure_decomposition
from funnel.methods.season.series import MeasureSeries, series
from funnel.methods.season.share import ShareOfChange

__all__ = [
    "Decomposition",
    "MeasureSeries",
    "ShareOfChange",
    "decompose",
    "measure_decomposition",
    "series",
]
