"""What attribution answers: credit by one model, and by several side by side."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from funnel.contract.plan import Company, Plan
from funnel.results import Result, first_rows, formats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.methods.paths import Journeys
    from funnel.methods.paths.coded_paths import CodedPaths
    from funnel.questions.attribution.credited_deals import OpenedCredit
    from funnel.questions.attribution.joint_models import Joint
    from funnel.questions.attribution.models import Model


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
    as_of: dt.date | None = None
    ways: CodedPaths | None = field(default=None, repr=False)
    solver: Model | Joint | None = field(default=None, repr=False)

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

    def deals(self, channel: str = "", journeys: Journeys | None = None) -> OpenedCredit:
        """Open a channel's credit down to the deals and paths behind it, as `opened` does.

        Without a name, that of the channel at the top.
        """
        from funnel.questions.attribution.credited_deals import opened

        return opened(self, channel, journeys)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Shares by channel, with intervals."""
        from funnel.questions.attribution.charts import credit

        return credit(self, ax)


@dataclass(frozen=True, eq=False, kw_only=True)
class RemovalEffects(Result):
    """What share of wins went by way of each channel, as a Markov chain of the paths counts it.

    `table` has one row per channel, largest first: `channel`, `removal_effect` (0 to 1; missing
    where nothing was won), `removal_effect_low`, `removal_effect_high`, `n_journeys` (that touched
    it) and `n_deals` (won deals among them).
    """

    plan: Plan
    order: int
    n_deals: int
    n_journeys: int
    as_of: dt.date | None = None

    @property
    def headline(self) -> str:
        """The channel whose removal takes most wins out of the chain."""
        if self.table["removal_effect"].isna().all():
            return "No won deal can be traced, so no removal effect can be told."
        company, top = self.plan.company, self.table.iloc[0]
        low, high = (
            formats.share(top[f"removal_effect_{end}"], company) for end in ("low", "high")
        )
        return (
            f"Without steps into {top['channel']}, the chain of "
            f"{formats.number(self.n_journeys, company)} journeys loses "
            f"{formats.share(top['removal_effect'], company)} {formats.interval(low, high)} of its "
            f"{formats.number(self.n_deals, company)} won deals."
        )

    def shown(self) -> pd.DataFrame:
        """Give each channel's effect with its interval."""
        company = self.plan.company
        return pd.DataFrame(
            {
                "channel": self.table["channel"],
                "removal effect": [
                    formats.share_estimate(row, "removal_effect", company, digits=0)
                    for _, row in self.table.iterrows()
                ],
                "journeys": [formats.number(n, company) for n in self.table["n_journeys"]],
                "won deals": [formats.number(n, company) for n in self.table["n_deals"]],
            }
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class ModelComparison(Result):
    """The same won business under several models: how much hangs on the choice.

    `table` has one row per channel and model, in the order of the first model: `channel`,
    `model`, then the columns of `Credit`, and `spread`, the largest share less the smallest that
    the channel gets.
    """

    credits: tuple[Credit, ...]
    as_of: dt.date | None = None

    @property
    def headline(self) -> str:
        """Which channel stands first by the first and by the last model."""
        ranked = self.table[self.table["is_ranked"]]
        if ranked.empty or ranked["conversions"].sum() == 0:
            return "No won deal can be credited to a channel, whatever the model."
        first, last = self.credits[0], self.credits[-1]
        n = formats.number(first.n_deals, first.plan.company)
        says = f"Of {n} won deals, {_leads(first)} {first.measured} by {_words(first.model)}"
        if len(self.credits) == 1:
            return f"{says}."
        shares = [_share_of(_top(first), credit) for credit in self.credits]
        if all(
            share >= _largest(credit) for share, credit in zip(shares, self.credits, strict=True)
        ):
            low, high = (formats.share(f(shares), first.plan.company) for f in (min, max))
            ends = f" ({low} to {high})" if low != high else ""
            return f"{says}, and stands first under each of {len(shares)} models{ends}."
        return (
            f"{says}, and {_leads(last)} it by {_words(last.model)}: "
            "which channel stands first depends on the model."
        )

    def shown(self) -> pd.DataFrame:
        """Give each channel's share with its interval, one column a model."""
        company = self.credits[0].plan.company
        columns = {"channel": self.table["channel"].drop_duplicates().to_numpy()}
        for credit in self.credits:
            rows = credit.table.set_index("channel")
            columns[_words(credit.model)] = [
                # a channel of journeys without a win alone has no credit by any rule
                formats.share_estimate(rows.loc[channel], "share", company, digits=0)
                if channel in rows.index
                else formats.share(0.0, company)
                for channel in columns["channel"]
            ]
        return first_rows(pd.DataFrame(columns))

    def plot(self, ax: Axes | None = None) -> Axes:
        """Shares by channel, one mark a model, with intervals."""
        from funnel.questions.attribution.charts import models

        return models(self, ax)


def _leads(credit: Credit) -> str:
    top = credit.table[credit.table["is_ranked"]].iloc[0]
    unsure = "" if credit.is_ahead else " (not told apart from the next)"
    says = f"{top['channel']}{unsure} is credited with the largest share"
    return f"{says}, {_share(top, credit.plan.company)}, of"


def _top(credit: Credit) -> str:
    return str(credit.table.loc[credit.table["is_ranked"], "channel"].iloc[0])


def _share_of(channel: str, credit: Credit) -> float:
    table = credit.table
    return float(table.loc[table["channel"] == channel, "share"].sum())


def _largest(credit: Credit) -> float:
    """Give the largest share, less what rounding makes of two that are equal."""
    return float(credit.table.loc[credit.table["is_ranked"], "share"].max()) - 1e-9


def _share(row: pd.Series, company: Company) -> str:
    low, high = (formats.share(row[end], company) for end in ("share_low", "share_high"))
    return f"{formats.share(row['share'], company)} {formats.interval(low, high)}"


def _words(model: str) -> str:
    return model.replace("_", " ")
