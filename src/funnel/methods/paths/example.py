"""A company small enough to be followed by hand, for the examples of this package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from funnel.dataset import Tables


def small_company() -> Tables:
    """Tables of two leads, of which one was won after two touches.

    Examples
    --------
    >>> small_company().touches[["lead_id", "channel"]].values.tolist()
    [['L-1', 'web'], ['L-2', 'web'], ['L-1', 'demo']]
    """
    from funnel.dataset import Tables

    leads = pd.DataFrame({"lead_id": ["L-1", "L-2"], "created_at": ["2026-01-02", "2026-01-09"]})
    changes = pd.DataFrame({"lead_id": ["L-1"], "stage": ["mql"], "entered_at": ["2026-01-05"]})
    deals = pd.DataFrame(
        {
            "deal_id": ["D-1"],
            "lead_id": ["L-1"],
            "outcome": ["won"],
            "created_at": ["2026-02-01"],
            "closed_at": ["2026-03-01"],
            "amount": [900.0],
        }
    )
    touches = pd.DataFrame(
        {
            "touch_id": ["T-1", "T-2", "T-3"],
            "lead_id": ["L-1", "L-1", "L-2"],
            "channel": ["web", "demo", "web"],
            "occurred_at": ["2026-01-01", "2026-01-20", "2026-01-09"],
        }
    )
    return Tables.of(
        as_of="2026-06-30", leads=leads, stage_changes=changes, deals=deals, touches=touches
    )
