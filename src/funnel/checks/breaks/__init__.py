"""Breaks in the records: days from which rows are recorded in another way.

Every detector goes over the bridge's whole look-back (`lookback`), with grouped queries, and gives
`RecordBreak`s: what, since when, how many rows and how much money, which drivers it can explain,
and the line for the plan that mends it. Its `nature` is `records` only where the rows themselves
show that the business did not change; a channel that ends or begins may be either, and is asked
about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from funnel.checks.breaks.closings import late_closings
from funnel.checks.breaks.day_counts import PREFIX
from funnel.checks.breaks.masses import row_masses, table_gaps
from funnel.checks.breaks.mean_steps import amount_scales, clock_shifts
from funnel.checks.breaks.record_break import (
    DOUBLED,
    FIELD_CHANGED,
    KINDS,
    ONLY_WON,
    REJECTED,
    RENAMED,
    TABLE_BEGINS,
    RecordBreak,
)
from funnel.checks.breaks.share_steps import rejected_rows, share_changes
from funnel.checks.breaks.survivor_rows import survivors
from funnel.checks.breaks.value_edges import value_changes
from funnel.dataset.cache import shared

if TYPE_CHECKING:
    from funnel.dataset import Tables

__all__ = [
    "FIELD_CHANGED",
    "KINDS",
    "ONLY_WON",
    "RENAMED",
    "TABLE_BEGINS",
    "RecordBreak",
    "record_breaks",
]

_DETECTORS = (
    value_changes,
    table_gaps,
    row_masses,
    survivors,
    share_changes,
    rejected_rows,
    late_closings,
    clock_shifts,
    amount_scales,
)


@shared
def record_breaks(data: Tables) -> tuple[RecordBreak, ...]:
    """Every break of a dataset's records inside the bridge's look-back, in the order of `KINDS`.

    Each detector is wrong in at most one clean dataset of a thousand.
    """
    found = [each for detector in _DETECTORS for each in detector(data)]
    # a stage whose new word is rejected ends by that
    rejected = {each.words[-1:] for each in found if each.what == REJECTED}
    found = [each for each in found if each.column != "stage" or each.words not in rejected]
    # keys of doubled rows may begin with other letters
    doubled = {(each.table, each.since) for each in found if each.what == DOUBLED}
    found = [
        each
        for each in found
        if not (each.column.startswith(PREFIX) and (each.table, each.since) in doubled)
    ]
    return tuple(sorted(found, key=lambda each: (KINDS.index(each.what), each.since)))
