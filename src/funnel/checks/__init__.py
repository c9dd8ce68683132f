"""Checks: what the records of a dataset hold, and where they would be read wrongly.

A record problem is a way in which a table is filled that would be read as a result: wins that are
recorded only from some day on, a field that is filled for won leads and not for others, cohorts too
recent to compare, a source that stopped. Detectors return facts, found from the dataset alone, with
a count and an interval or a test. None is a figure of anybody's work. `checks.text.sentence` writes
each in words; the settings they share stand in `checks.limits`, each with its reason.
"""

from funnel.checks.breaks import RecordBreak, record_breaks
from funnel.checks.currencies import MixedCurrencies, mixed_currencies
from funnel.checks.deal_records import DealGap, deal_gaps
from funnel.checks.fields import (
    FilledByOutcome,
    filled_by_outcome,
    is_direct,
    is_unknown,
    segment_columns,
)
from funnel.checks.fill_rates import FillChange, fill_changes, filled, won_new_deals
from funnel.checks.maturity import Maturity, maturity
from funnel.checks.natures import ASK, BUSINESS, RECORDS
from funnel.checks.outcomes import (
    RecordedSince,
    outcomes_recorded_since,
    table_followed,
    times_to,
)
from funnel.checks.proposals import (
    Alias,
    Exclusion,
    PossibleTests,
    Proposals,
    possible_tests,
    proposals,
)
from funnel.checks.reconciliation import Reconciliation, reconciliation
from funnel.checks.record_problems import PROBLEMS, RecordProblem, RecordProblems, record_problems
from funnel.checks.repeats import one_channel, out_of_order, repeat_leads
from funnel.checks.row_findings import RowFindings, findings
from funnel.checks.table_coverage import (
    Collapse,
    CoverageGrid,
    StoppedSource,
    collapses,
    coverage_grid,
    stopped_sources,
)
from funnel.checks.thresholds import ThresholdChange, threshold_change
from funnel.checks.tracking_losses import TrackingLoss, tracking_losses

__all__ = [
    "ASK",
    "BUSINESS",
    "PROBLEMS",
    "RECORDS",
    "Alias",
    "Collapse",
    "CoverageGrid",
    "DealGap",
    "Exclusion",
    "FillChange",
    "FilledByOutcome",
    "Maturity",
    "MixedCurrencies",
    "PossibleTests",
    "Proposals",
    "Reconciliation",
    "RecordBreak",
    "RecordProblem",
    "RecordProblems",
    "RecordedSince",
    "RowFindings",
    "StoppedSource",
    "ThresholdChange",
    "TrackingLoss",
    "collapses",
    "coverage_grid",
    "deal_gaps",
    "fill_changes",
    "filled",
    "filled_by_outcome",
    "findings",
    "is_direct",
    "is_unknown",
    "maturity",
    "mixed_currencies",
    "one_channel",
    "out_of_order",
    "outcomes_recorded_since",
    "possible_tests",
    "proposals",
    "reconciliation",
    "record_breaks",
    "record_problems",
    "repeat_leads",
    "segment_columns",
    "stopped_sources",
    "table_followed",
    "threshold_change",
    "times_to",
    "tracking_losses",
    "won_new_deals",
]
