"""Self-reported source of buyers, compared with the channel of the first tracked touch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.checks import is_unknown
from funnel.methods.paths import Journeys, journeys
from funnel.results import Result, rows_of, speaks_for
from funnel.results.small_groups import SmallGroups
from funnel.stats import wilson

if TYPE_CHECKING:
    from funnel.dataset import Tables

COLUMNS = (
    "self_reported_source", "self_reported", "self_reported_attribution", "how_did_you_hear",
    "how_did_you_hear_about_us", "heard_about_us", "heard_from",
)  # fmt: skip
_TABLES = ("deals", "leads")


@dataclass(frozen=True, eq=False, kw_only=True)
class SelfReported(Result):
    """Source that buyers name, compared with the channel of the first tracked touch.

    `table` has one row per pair, most frequent first: `self_reported`, `first_touch` (`(not
    traced)` included), `n_deals`, `share` (of the won deals whose buyer named a source) with its
    interval, and `agrees` (the same words, ignoring case).

    Attributes
    ----------
    column
        The column of answers; empty where there is none.
    n_deals, n_won
        Won deals whose buyer named a source, and all won deals.
    """

    grouped = (
        SmallGroups(
            by=("self_reported", "first_touch"), counts={"n_deals": ()}, add_up=("n_deals",)
        ),
    )

    column: str
    n_deals: int
    n_won: int

    @property
    def n_agree(self) -> int:
        """Won deals whose buyer names the channel of the first touch."""
        return int(self.table.loc[self.table["agrees"], "n_deals"].sum())


def self_reported(data: Tables, *, traced: Journeys | None = None) -> SelfReported:
    """Comparison of the source that buyers name with the channel of the first tracked touch.

    The column is the first that deals or leads have of `self_reported_source`, `how_did_you_hear`
    and the like. The journeys of `data` are `traced`; computed if left out.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> deals = pd.DataFrame({"deal_id": ["D-1"], "lead_id": ["L-1"], "outcome": ["won"],
    ...     "created_at": ["2026-02-01"], "closed_at": ["2026-03-01"], "heard_from": ["Podcast"]})
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-02"],
    ...     "channel": ["web"]})
    >>> data = Tables.of(as_of="2026-06-30", deals=deals, leads=leads)
    >>> self_reported(data).table[["self_reported", "first_touch", "agrees"]].values.tolist()
    [['Podcast', 'web', False]]
    """
    places = [(table, name) for name in COLUMNS for table in _TABLES]
    place = next((each for each in places if each[1] in getattr(data, each[0])), None)
    traced = journeys(data) if traced is None else traced
    first = traced.deals[["deal_id", "first_touch"]]
    answers = _answers(data, *place) if place else pd.Series(dtype="str")
    first = first.assign(self_reported=first["deal_id"].map(answers).astype("str"))
    known = first[~is_unknown(first["self_reported"])]
    pairs = known.groupby(["self_reported", "first_touch"]).size().rename("n_deals").reset_index()
    low, high = wilson(pairs["n_deals"], len(known), data.plan.level)
    pairs = pairs.assign(
        share=pairs["n_deals"] / max(len(known), 1),
        share_low=low,
        share_high=high,
        agrees=pairs["self_reported"].str.casefold() == pairs["first_touch"].str.casefold(),
    ).sort_values(["n_deals", "self_reported", "first_touch"], ascending=[False, True, True])
    return SelfReported(
        table=pairs.reset_index(drop=True),
        **speaks_for(data),
        rows=rows_of("won deals", "deals", known["deal_id"]),
        units={"n_deals": "deals", "share": "0 to 1"},
        column=place[1] if place else "",
        n_deals=len(known),
        n_won=len(first),
    )


def _answers(data: Tables, table: str, column: str) -> pd.Series:
    """Answer of each deal's buyer."""
    deals = data.deals.set_index(data.deals["deal_id"].astype("str"))
    if table == "deals":
        return deals[column].astype("str").str.strip()
    leads = data.leads.drop_duplicates("lead_id").set_index("lead_id")[column]
    return deals["lead_id"].map(leads).astype("str").str.strip()
