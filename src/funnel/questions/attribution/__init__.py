"""Credit: won business, shared out among the channels on the way to it.

Credit follows the volume of touches, and says nothing of what would have happened without one. No
model makes or loses business: what is credited and what cannot be traced add up to what was
booked.
"""

from funnel.questions.attribution.attribute import attribute, compare_models, side_by_side
from funnel.questions.attribution.common_paths import OTHER_PATHS, UsualPaths, usual_paths
from funnel.questions.attribution.costs import CostPerWin, cost_per_win
from funnel.questions.attribution.credit import Credit, ModelComparison, RemovalEffects
from funnel.questions.attribution.credited_deals import OpenedCredit, opened
from funnel.questions.attribution.joint_models import Markov, RateShapley
from funnel.questions.attribution.lift import Lift, lift
from funnel.questions.attribution.model_names import MODELS, OF_JOURNEYS, OF_PATHS, SIDE_BY_SIDE
from funnel.questions.attribution.models import (
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
from funnel.questions.attribution.path_changes import PathChanges
from funnel.questions.attribution.path_comparison import path_changes
from funnel.questions.attribution.path_times import PathTimes, path_times
from funnel.questions.attribution.removal_effects import removal_effects
from funnel.questions.attribution.self_reported import SelfReported, self_reported
from funnel.questions.attribution.shapley import shapley_values
from funnel.questions.attribution.trace import Trace, trace

__all__ = [
    "MODELS",
    "OF_JOURNEYS",
    "OF_PATHS",
    "OTHER_PATHS",
    "PRESETS",
    "RULES",
    "SIDE_BY_SIDE",
    "CostPerWin",
    "Credit",
    "Lift",
    "Markov",
    "ModelComparison",
    "OpenedCredit",
    "PathChanges",
    "PathTimes",
    "RateShapley",
    "RemovalEffects",
    "SelfReported",
    "Trace",
    "UsualPaths",
    "attribute",
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
    "path_changes",
    "path_times",
    "position_based",
    "removal_effects",
    "self_reported",
    "shapley_values",
    "side_by_side",
    "time_decay",
    "trace",
    "usual_paths",
]
