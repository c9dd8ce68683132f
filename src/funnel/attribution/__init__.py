"""Credit: won business, shared out among the channels on the way to it.

Credit follows the volume of touches, and says nothing of what would have happened without one. No
model makes or loses business: what is credited and what cannot be traced add up to what was
booked.
"""

from funnel.attribution.at_size import Ways, ways
from funnel.attribution.choosing import MODELS, OF_JOURNEYS, OF_PATHS, SIDE_BY_SIDE
from funnel.attribution.coded import CodedPaths
from funnel.attribution.costs import CostPerWin, cost_per_win
from funnel.attribution.credit import Credit, ModelComparison, RemovalEffects
from funnel.attribution.joint import Markov, RateShapley
from funnel.attribution.lifting import Lift, lift
from funnel.attribution.models import (
    PRESETS,
    RULES,
    first_touch,
    last_non_direct,
    last_touch,
    linear,
    linear_distinct,
    milestones,
    position_based,
    time_decay,
)
from funnel.attribution.opening import OpenedCredit, opened
from funnel.attribution.reading import coded_journeys, coded_paths
from funnel.attribution.removing import removal_effects
from funnel.attribution.said import SelfReported, self_reported
from funnel.attribution.shapley import shapley_values
from funnel.attribution.sharing import attribute, compare_models, side_by_side

__all__ = [
    "MODELS",
    "OF_JOURNEYS",
    "OF_PATHS",
    "PRESETS",
    "RULES",
    "SIDE_BY_SIDE",
    "CodedPaths",
    "CostPerWin",
    "Credit",
    "Lift",
    "Markov",
    "ModelComparison",
    "OpenedCredit",
    "RateShapley",
    "RemovalEffects",
    "SelfReported",
    "Ways",
    "attribute",
    "coded_journeys",
    "coded_paths",
    "compare_models",
    "cost_per_win",
    "first_touch",
    "last_non_direct",
    "last_touch",
    "lift",
    "linear",
    "linear_distinct",
    "milestones",
    "opened",
    "position_based",
    "removal_effects",
    "self_reported",
    "shapley_values",
    "side_by_side",
    "time_decay",
    "ways",
]
