"""First touch of every won deal, with the deals that do not trace and the reason why."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.checks import is_unknown
from funnel.checks.limits import FALSE_ALARMS
from funnel.checks.tracking_losses import TrackingLoss, tracking_losses
from funnel.contract.labels import NO_LEAD
from funnel.methods.paths import (
    NO_KEY,
    NOT_TRACED,
    Basis,
    first_touches_by_journey,
    scope_of,
)
from funnel.results import Result, rows_of, speaks_for
from funnel.results.small_groups import SmallGroups
from funnel.stats import wilson
from funnel.stats.change_points import ShareInterval, intervals_of_higher_share

if TYPE_CHECKING:
    from funnel.dataset import Tables

LARGE_GAP = 0.1  # of the untraced share, to count as lower coverage
NEWEST_SHOWN = 10
_COLUMNS = (
    "deal_id", "closed_at", "close_month", "amount", "first_touch", "first_touch_at",
    "lead_channel", "reason",
)  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True)
class NewestDeals(Result):
    """The newest won deals with their first touch: rows of `FirstTouches`, newest first."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TracedByMonth(Result):
    """Share of won deals and of money that traces, by month of closing.

    `table` has one row per month, newest first: `close_month`, `n_deals`, `n_traced`,
    `traced_share`, `traced_share_low`, `traced_share_high` (Wilson), `amount`, `traced_amount`,
    `amount_share` (missing in a month without money).
    """

    losses: tuple[TrackingLoss, ...]
    low_coverage: tuple[ShareInterval, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Untraced(Result):
    """Won deals that do not trace, by reason.

    `table` has one row per reason, most deals first: `reason`, `n_deals`, `amount`, `examples`
    (three ids).
    """

    n_won: int


@dataclass(frozen=True, eq=False, kw_only=True)
class FirstTouches(Result):
    """First touch of each won deal.

    `table` has one row per won deal, newest last: `deal_id`, `closed_at`, `close_month`,
    `amount`, `first_touch` (a channel, or `(not traced)`), `first_touch_at`, `lead_channel` (of
    its own lead's record), `reason` (empty where it traces).

    Attributes
    ----------
    basis
        What the journeys were read from.
    losses
        Intervals in which touches were lost.
    low_coverage
        Intervals of closing days in which fewer won deals trace: `share` of them does not.
    """

    grouped = (
        SmallGroups(
            table="by_channel", by=("channel",), counts={"n_deals": ()}, add_up=("n_deals",)
        ),
    )

    basis: Basis
    losses: tuple[TrackingLoss, ...]
    low_coverage: tuple[ShareInterval, ...]

    @cached_property
    def by_channel(self) -> pd.DataFrame:
        """Won deals by first touch.

        Returns
        -------
        DataFrame
            `channel`, `n_deals`, `share` (of won deals), `share_low`, `share_high` (Wilson),
            `amount`, `is_ranked` (false where the channel is unknown), most deals first, then
            unknown channels, and `(not traced)` last.
        """
        counts = self.table.groupby("first_touch").agg(
            n_deals=("deal_id", "size"), amount=("amount", "sum")
        )
        low, high = wilson(counts["n_deals"], len(self.table), self.level)
        counts = counts.assign(
            share=counts["n_deals"] / max(len(self.table), 1),
            share_low=low,
            share_high=high,
            is_traced=counts.index != NOT_TRACED,
        )
        counts = counts.rename_axis("channel").reset_index()
        counts["is_ranked"] = counts["is_traced"] & ~is_unknown(counts["channel"])
        counts = counts.sort_values(
            ["is_ranked", "is_traced", "n_deals", "channel"],
            ascending=[False, False, False, True],
            ignore_index=True,
        )
        columns = ["channel", "n_deals", "share", "share_low", "share_high", "amount", "is_ranked"]
        return counts[columns]

    @property
    def is_traced(self) -> pd.Series:
        """Whether each row of `table` traces."""
        return self.table["reason"] == ""

    def months(self) -> TracedByMonth:
        """Share of won deals and of money that traces, by month of closing."""
        table = self.table.assign(is_traced=self.is_traced, amount=self.table["amount"].fillna(0.0))
        table["traced_amount"] = table["amount"].where(table["is_traced"], 0.0)
        by_month = table.groupby("close_month").agg(
            n_deals=("deal_id", "size"),
            n_traced=("is_traced", "sum"),
            amount=("amount", "sum"),
            traced_amount=("traced_amount", "sum"),
        )
        low, high = wilson(by_month["n_traced"], by_month["n_deals"], self.level)
        by_month = by_month.assign(
            traced_share=by_month["n_traced"] / by_month["n_deals"],
            traced_share_low=low,
            traced_share_high=high,
            amount_share=by_month["traced_amount"] / by_month["amount"].replace(0, np.nan),
        ).reset_index()
        columns = [
            "close_month", "n_deals", "n_traced", "traced_share", "traced_share_low",
            "traced_share_high", "amount", "traced_amount", "amount_share",
        ]  # fmt: skip
        return TracedByMonth(
            table=by_month[columns][::-1],
            losses=self.losses,
            low_coverage=self.low_coverage,
            **self._about(),
        )

    def untraced(self) -> Untraced:
        """Won deals that do not trace, by reason."""
        by_reason = (
            self.table[~self.is_traced]
            .groupby("reason")
            .agg(
                n_deals=("deal_id", "size"),
                amount=("amount", "sum"),
                examples=("deal_id", lambda ids: ", ".join(ids.head(3))),
            )
        )
        table = by_reason.sort_values("n_deals", ascending=False).reset_index()
        return Untraced(table=table, n_won=len(self.table), **self._about())

    def newest(self) -> NewestDeals:
        """The newest won deals with their first touch."""
        table = self.table[::-1].head(NEWEST_SHOWN).reset_index(drop=True)
        return NewestDeals(table=table, **self._about())

    def _about(self) -> dict[str, object]:
        return {"as_of": self.as_of, "level": self.level, "company": self.company}


def first_touches(data: Tables, *, lookback_days: int | None = None) -> FirstTouches:
    """First touch of every won deal up to its close, traced or not.

    Examples
    --------
    >>> from funnel.methods.paths.example import small_company
    >>> first = first_touches(small_company())
    >>> first.table[["deal_id", "first_touch", "reason"]].values.tolist()
    [['D-1', 'web', '']]
    """
    scope = scope_of(data, lookback_days=lookback_days)
    table = first_touches_by_journey(data, scope).rename(columns={"journey_id": "deal_id"})
    has_touches = scope.source == "touches"
    return FirstTouches(
        table=table[list(_COLUMNS)],
        rows=rows_of("won deals", "deals", table["deal_id"]),
        units={"amount": data.plan.company.currency, "first_touch_at": "UTC"},
        basis=Basis.of(data, table, scope),
        losses=tracking_losses(data) if has_touches else (),
        low_coverage=_low_coverage(data, table) if has_touches else (),
        **speaks_for(data),
    )


def _low_coverage(data: Tables, first: pd.DataFrame) -> tuple[ShareInterval, ...]:
    """Intervals of closing days in which fewer won deals trace than outside of them."""
    keyed = first[~first["reason"].isin([NO_KEY, NO_LEAD]) & first["closed_at"].notna()]
    if keyed.empty:
        return ()
    day = data.plan.local_days(keyed["closed_at"])
    is_untraced = (keyed["reason"] != "").astype("int64")
    counts = pd.DataFrame({"day": day, "n": 1, "k": is_untraced})
    return tuple(intervals_of_higher_share(counts, FALSE_ALARMS, smallest_rise=LARGE_GAP))
