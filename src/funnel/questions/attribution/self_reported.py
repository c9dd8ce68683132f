"""What buyers say themselves of where they heard of the company, beside what was tracked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.checks import is_unknown
from funnel.contract.errors import ParameterError
from funnel.contract.plan import Plan
from funnel.methods.paths import NOT_TRACED, Journeys, journeys
from funnel.results import Result, formats, rows_of
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
    """The source that buyers name, beside the channel of the first touch that was tracked.

    `table` has one row per pair that is met, commonest first: `self_reported`, `first_touch` (what
    cannot be traced stays), `n_deals`, `share` (of the won deals whose buyer named a source) with
    its ends, and `agrees` (both are the same words, whatever their capitals).
    """

    plan: Plan
    column: str
    n_deals: int
    n_won: int

    @property
    def headline(self) -> str:
        """How often both say the same."""
        company = self.plan.company
        if not self.column:
            return (
                "No column of deals or leads holds what buyers say themselves, so tracked sources "
                "cannot be held against it. Sales could ask each buyer, and write it down."
            )
        if not self.n_deals:
            return f"No won deal has a source in `{self.column}`, so there is nothing to compare."
        k = int(self.table.loc[self.table["agrees"], "n_deals"].sum())
        low, high = wilson(k, self.n_deals, self.level)
        ends = formats.interval(formats.share(low, company), formats.share(high, company))
        return (
            f"Of {formats.number(self.n_won, company)} won deals, "
            f"{formats.number(self.n_deals, company)} name a source in `{self.column}`; "
            f"{formats.share(k / self.n_deals, company)} {ends} of these name the channel of "
            "the first tracked touch."
        )

    def shown(self) -> pd.DataFrame:
        """Give the commonest pairs in words."""
        company = self.plan.company
        return pd.DataFrame(
            {
                "buyers say": self.table["self_reported"],
                "first touch": self.table["first_touch"],
                "won deals": [formats.number(n, company) for n in self.table["n_deals"]],
                "share": [
                    formats.share_estimate(row, "share", company, digits=0)
                    for _, row in self.table.iterrows()
                ],
            }
        )


def self_reported(
    data: Tables, column: str | None = None, *, traced: Journeys | None = None
) -> SelfReported:
    """Hold the source that buyers name against the channel of the first tracked touch.

    Parameters
    ----------
    data
        A company's tables. Reads a column of `deals` or `leads`, and what `funnel.journeys` reads.
    column
        The column; `None` takes the first of `self_reported_source`, `how_did_you_hear` and the
        like that is there.
    traced
        What `funnel.journeys` made, where it is at hand.

    Returns
    -------
    SelfReported
        One row per pair of answer and channel.

    Raises
    ------
    ParameterError
        If neither table has the column.

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
    found = _found(data, column)
    traced = journeys(data) if traced is None else traced
    first = traced.table[traced.table["position"] <= 1][["deal_id", "channel"]]
    said = _said(data, *found) if found else pd.Series(dtype="str")
    first = first.assign(self_reported=first["deal_id"].map(said).astype("str"))
    known = first[~is_unknown(first["self_reported"])]
    pairs = (
        known.groupby(["self_reported", "channel"])
        .size()
        .rename("n_deals")
        .reset_index()
        .rename(columns={"channel": "first_touch"})
    )
    low, high = wilson(pairs["n_deals"], len(known), data.plan.level)
    pairs = pairs.assign(
        share=pairs["n_deals"] / max(len(known), 1),
        share_low=low,
        share_high=high,
        agrees=pairs["self_reported"].str.casefold() == pairs["first_touch"].str.casefold(),
    ).sort_values(["n_deals", "self_reported", "first_touch"], ascending=[False, True, True])
    return SelfReported(
        table=pairs.reset_index(drop=True),
        as_of=data.as_of,
        rows=rows_of("won deals", "deals", known["deal_id"]),
        units={"n_deals": "deals", "share": "0 to 1"},
        level=data.plan.level,
        written_caveats=_caveats(first, known) if found else (),
        plan=data.plan,
        column=found[1] if found else "",
        n_deals=len(known),
        n_won=len(first),
    )


def _found(data: Tables, column: str | None) -> tuple[str, str] | None:
    wanted = COLUMNS if column is None else (column,)
    for name in wanted:
        for table in _TABLES:
            if name in getattr(data, table):
                return table, name
    if column is not None:
        raise ParameterError(
            f"Neither deals nor leads have a column {column!r}. Whoever makes the export can add "
            "it: columns beside the contract's are kept."
        )
    return None


def _said(data: Tables, table: str, column: str) -> pd.Series:
    """Give what the buyer of each deal said."""
    deals = data.deals.set_index(data.deals["deal_id"].astype("str"))
    if table == "deals":
        return deals[column].astype("str").str.strip()
    leads = data.leads.drop_duplicates("lead_id").set_index("lead_id")[column]
    return deals["lead_id"].map(leads).astype("str").str.strip()


def _caveats(first: pd.DataFrame, known: pd.DataFrame) -> tuple[str, ...]:
    said = [
        "Buyers name what they remember, and tracking sees what leaves a trace: neither is all."
    ]
    untraced = int((known["channel"] == NOT_TRACED).sum())
    if untraced:
        said.append(f"{untraced:,} won deals name a source and do not trace to a touch.")
    if len(known) < len(first):
        said.append(f"{len(first) - len(known):,} of {len(first):,} won deals name no source.")
    return tuple(said)
