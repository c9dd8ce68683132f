"""What the data holds, and the traps in it, found from the data alone.

A trap is a way in which a table is filled that would be read as a result: wins that are only
recorded from some day on, a field that is filled for won leads and not for others, cohorts too
young to be compared, a source that stopped. Each comes with a count and a test, and none is a
figure of anybody's work.
"""

from funnel.checks.fields import FilledByOutcome, filled_by_outcome, is_unknown, segment_columns
from funnel.checks.fill_rates import FillChange, fill_changes, filled, won_new_deals
from funnel.checks.findings import findings
from funnel.checks.maturity import Maturity, maturity
from funnel.checks.outcomes import RecordedSince, outcomes_recorded_since, times_to
from funnel.checks.record_problems import TRAPS, Traps, traps
from funnel.checks.repeats import out_of_order
from funnel.checks.table_coverage import CoverageGrid, Stopped, coverage_grid, stopped
from funnel.checks.thresholds import Bar, bar_move
from funnel.checks.tracking_losses import Loss, losses

__all__ = [
    "TRAPS",
    "Bar",
    "CoverageGrid",
    "FillChange",
    "FilledByOutcome",
    "Loss",
    "Maturity",
    "RecordedSince",
    "Stopped",
    "Traps",
    "bar_move",
    "coverage_grid",
    "fill_changes",
    "filled",
    "filled_by_outcome",
    "findings",
    "is_unknown",
    "losses",
    "maturity",
    "out_of_order",
    "outcomes_recorded_since",
    "segment_columns",
    "stopped",
    "times_to",
    "traps",
    "won_new_deals",
]
