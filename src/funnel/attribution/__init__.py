"""Credit: won business, shared out among the channels on the way to it.

Credit follows the volume of touches, and says nothing of what would have happened without one. No
model makes or loses business: what is credited and what cannot be traced add up to what was
booked.
"""

from funnel.attribution.credit import Credit, ModelComparison
from funnel.attribution.models import (
    MODELS,
    first_touch,
    last_touch,
    linear,
    position_based,
    steps_of,
    time_decay,
)
from funnel.attribution.sharing import SIDE_BY_SIDE, attribute, compare_models

__all__ = [
    "MODELS",
    "SIDE_BY_SIDE",
    "Credit",
    "ModelComparison",
    "attribute",
    "compare_models",
    "first_touch",
    "last_touch",
    "linear",
    "position_based",
    "steps_of",
    "time_decay",
]
