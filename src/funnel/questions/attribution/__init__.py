"""Where won business begins, by which paths it came, and which channels it is credited to.

`attribution` answers with the first touch of every won deal. Its further figures are its methods:
`.credit(model)`, `.models()`, `.credited_deals()`, `.lift()`, `.removal_effects()`, `.trace()`,
`.journeys()`, `.paths()`, `.common_paths()`, `.path_changes()`, `.path_times()`,
`.cost_per_win()`, `.self_reported()`, `.months()`, `.untraced()` and `.newest()`. `attribute` and
`removal_effects` compute from plain frames.

Credit follows the volume of touches, and does not say what would have happened without one. For
every model, credit and what is not traced add up to what was booked.
"""

from funnel.questions.attribution.common_paths import common_paths
from funnel.questions.attribution.costs import cost_per_win
from funnel.questions.attribution.credit import attribute, side_by_side
from funnel.questions.attribution.credited_deals import credited_deals
from funnel.questions.attribution.first_touches import first_touches
from funnel.questions.attribution.lift import lift
from funnel.questions.attribution.models import MODELS, OF_JOURNEYS
from funnel.questions.attribution.path_changes import path_changes
from funnel.questions.attribution.path_times import path_times
from funnel.questions.attribution.question import Attribution, attribution
from funnel.questions.attribution.removal_effects import removal_effects
from funnel.questions.attribution.rules import (
    PRESETS,
    RULES,
    last_touch,
    linear,
    position_based,
    time_decay,
)
from funnel.questions.attribution.self_reported import self_reported
from funnel.questions.attribution.trace import trace

__all__ = [
    "MODELS",
    "OF_JOURNEYS",
    "PRESETS",
    "RULES",
    "Attribution",
    "attribute",
    "attribution",
    "common_paths",
    "cost_per_win",
    "credited_deals",
    "first_touches",
    "last_touch",
    "lift",
    "linear",
    "path_changes",
    "path_times",
    "position_based",
    "removal_effects",
    "self_reported",
    "side_by_side",
    "time_decay",
    "trace",
]
