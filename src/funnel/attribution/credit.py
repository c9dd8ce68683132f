"""What attribution answers: credit by one model, and by several side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel import formats
from funnel.plan import Company, Plan
from funnel.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False, kw_only=True)
class Credit(Result):
    """Won business, shared out among channels by one model.

    `table` has one row per channel, largest first: `channel`, `conversions` (won deals,
    fractional), `value` (currency of the plan), `share` of that value (of conversions where
    there is no value; 0 to 1), `share_low`, `share_high`, `n_deals` (won deals that it touched)
    and `is_ranked`. Blank and unknown channels and `(not traced)` are no channels: they come
    last and are not ranked. `is_ahead` says whether the first is told apart from the second.
    """

    model: str
    n_deals: int
    plan: Plan
    of_value: bool = True
    is_ahead: bool = False

    @property
    def headline(self) -> str:
        """What the channel at the top is credited with, and how surely it is at the top."""
        ranked = self.table[self.table["is_ranked"]]
        if ranked.empty or ranked["conversions"].sum() == 0:
            return f"No won deal can be credited to a channel ({_words(self.model)})."
        company = self.plan.company
        top = ranked.iloc[0]
        says = (
            f"{top['channel']} is credited with {_share(top, company)} of {self.measured} by "
            f"{_words(self.model)}, from {formats.number(self.n_deals, company)} won deals"
        )
        if len(ranked) > 1:
            second = ranked.iloc[1]
            joins = "ahead of" if self.is_ahead else "which cannot be told apart from"
            says += f", {joins} {second['channel']} with {_share(second, company)}"
        return f"{says}."

    @property
    def measured(self) -> str:
        """What `share` is a share of, in words."""
        return "booked value" if self.of_value else "won deals"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Shares by channel, with intervals."""
        from funnel.plots.attribution import credit  # late: the arithmetic needs no matplotlib

        return credit(self, ax)


@dataclass(frozen=True, eq=False, kw_only=True)
class ModelComparison(Result):
    """The same won business under several models: how much hangs on the choice.

    `table` has one row per channel and model, in the order of the first model: `channel`,
    `model`, then the columns of `Credit`, and `spread`, the largest share less the smallest that
    the channel gets.
    """

    credits: tuple[Credit, ...]

    @property
    def headline(self) -> str:
        """Which channel hangs most on the choice of the model."""
        ranked = self.table[self.table["is_ranked"]]
        if ranked.empty or ranked["conversions"].sum() == 0:
            return "No won deal can be credited to a channel, whatever the model."
        company = self.credits[0].plan.company
        widest = ranked.loc[ranked["spread"].idxmax(), "channel"]
        shares = ranked[ranked["channel"] == widest].sort_values("share")
        low, high = shares.iloc[0], shares.iloc[-1]
        tops = [_top(credit) for credit in self.credits]
        sure = "" if all(credit.is_ahead for credit in self.credits) else ", not always told apart"
        same = (
            f"{tops[0]} stands first under each of them{sure}"
            if len(set(tops)) == 1
            else "which channel stands first depends on the model"
        )
        n = self.credits[0].n_deals
        return (
            f"Under {len(self.credits)} models, {same}; the choice weighs most on {widest}, "
            f"credited with {_share(low, company)} by {_words(low['model'])} and "
            f"{_share(high, company)} by {_words(high['model'])}, "
            f"from {formats.number(n, company)} won deals."
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Shares by channel, one mark a model, with intervals."""
        from funnel.plots.attribution import models

        return models(self, ax)


def _top(credit: Credit) -> str:
    return str(credit.table.loc[credit.table["is_ranked"], "channel"].iloc[0])


def _share(row: pd.Series, company: Company) -> str:
    low, high = (formats.share(row[end], company) for end in ("share_low", "share_high"))
    return f"{formats.share(row['share'], company)} {formats.interval(low, high)}"


def _words(model: str) -> str:
    return model.replace("_", " ")
