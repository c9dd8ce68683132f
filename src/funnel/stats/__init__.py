"""Statistics: intervals, tests, resampling, change points, and the rule for verdicts.

One rule for everybody: `verdict`. It reads an interval and nothing else, so that no side's figure
can be held to another standard. Arithmetic is scipy's and statsmodels' where they have it. The
settings that a reader may ask about stand in `stats.limits`, each with its reason.
"""

from funnel.stats.arguments import Interval
from funnel.stats.intervals import (
    difference,
    difference_of_rates,
    median_interval,
    poisson_interval,
    ratio_of_counts,
    wilson,
)
from funnel.stats.permutation import SameDistribution, same_distribution
from funnel.stats.resampling import bootstrap, percentiles, resampled
from funnel.stats.verdicts import (
    CANNOT_TELL,
    DID_NOT_MOVE,
    MOVED,
    NARROW,
    Verdict,
    benjamini_hochberg,
    holm,
    smallest_detectable,
    smallest_detectable_rate,
    standard_error,
    verdict,
)

__all__ = [
    "CANNOT_TELL",
    "DID_NOT_MOVE",
    "MOVED",
    "NARROW",
    "Interval",
    "SameDistribution",
    "Verdict",
    "benjamini_hochberg",
    "bootstrap",
    "difference",
    "difference_of_rates",
    "holm",
    "median_interval",
    "percentiles",
    "poisson_interval",
    "ratio_of_counts",
    "resampled",
    "same_distribution",
    "smallest_detectable",
    "smallest_detectable_rate",
    "standard_error",
    "verdict",
    "wilson",
]
