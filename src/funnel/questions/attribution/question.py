"""Attribution as one object: where won business begins, with its further figures as methods."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from funnel.methods.paths import Journeys, Paths, journeys, paths
from funnel.methods.question import Question, figure
from funnel.questions.attribution.common_paths import CommonPaths, common_paths
from funnel.questions.attribution.costs import CostPerWin, cost_per_win
from funnel.questions.attribution.credit import (
    Credit,
    ModelComparison,
    attribute,
    side_by_side,
)
from funnel.questions.attribution.credited_deals import CreditedDeals, credited_deals
from funnel.questions.attribution.first_touches import FirstTouches, first_touches
from funnel.questions.attribution.lift import Lift, lift
from funnel.questions.attribution.models import NEED_NULLS, OF_JOURNEYS
from funnel.questions.attribution.path_changes import PathChanges, path_changes
from funnel.questions.attribution.path_times import PathTimes, path_times
from funnel.questions.attribution.removal_effects import RemovalEffects, removal_effects
from funnel.questions.attribution.self_reported import SelfReported, self_reported
from funnel.questions.attribution.trace import Trace, trace

if TYPE_CHECKING:
    from funnel.dataset import Tables


@dataclass(frozen=True, eq=False, kw_only=True)
class Attribution(FirstTouches, Question):
    """Where won business begins: the first touch of every won deal, traced or not.

    Attributes
    ----------
    lookback_days
        How far back a touch may lie; None: as the plan says.
    """

    lookback_days: int | None = None

    @figure
    def journeys(self) -> Journeys:
        """Touches of every won deal, in order."""
        return journeys(self.data, lookback_days=self.lookback_days)

    @figure
    def paths(self) -> Paths:
        """Distinct paths, with the journeys on each that were won and were not."""
        return paths(self.data, lookback_days=self.lookback_days)

    def credit(self, model: str = "first_touch") -> Credit:
        """Credit by channel under one model."""
        return self._credit(model)

    @figure
    def _credit(self, model: str) -> Credit:
        # apart from `credit`, so that the default and its name are computed once
        return attribute(self.paths() if model in NEED_NULLS else self.journeys(), model)

    @figure
    def models(self) -> ModelComparison:
        """Credit by channel under each model, side by side."""
        return side_by_side([self.credit(model) for model in OF_JOURNEYS])

    @figure
    def credited_deals(self, model: str = "first_touch", channel: str = "") -> CreditedDeals:
        """Won deals behind a channel's credit; of the first channel if none is named."""
        journeys = self.journeys() if model in NEED_NULLS else None
        return credited_deals(self.credit(model), channel, journeys)

    @figure
    def removal_effects(self, order: int = 1) -> RemovalEffects:
        """Share of wins that a Markov chain of the paths loses without each channel."""
        return removal_effects(self.paths(), order)

    @figure
    def lift(self) -> Lift:
        """Association of wins with each channel, adjusted for the other channels."""
        return lift(self.paths())

    @figure
    def trace(self, deal_id: str = "") -> Trace:
        """Trace of one deal; of the newest won deal that traces if none is named."""
        return trace(self.data, deal_id)

    @figure
    def common_paths(self) -> CommonPaths:
        """Most frequent paths to a qualified lead, to an opportunity and to a won deal."""
        return common_paths(self.data, lookback_days=self.lookback_days)

    @figure
    def path_changes(self) -> PathChanges:
        """Paths of the period compared with those of its baseline."""
        return path_changes(self.data, lookback_days=self.lookback_days)

    @figure
    def path_times(self) -> PathTimes:
        """Days between the steps of a path."""
        return path_times(self.data, lookback_days=self.lookback_days)

    @figure
    def cost_per_win(self) -> CostPerWin:
        """Cost per win by channel, for credited wins and for wins associated with it."""
        return cost_per_win(self.data, lifted=self.lift(), traced=self.journeys())

    @figure
    def self_reported(self) -> SelfReported:
        """Source that buyers name, compared with the channel of the first tracked touch."""
        return self_reported(self.data, traced=self.journeys())


def attribution(data: Tables, lookback_days: int | None = None) -> Attribution:
    """Where won business begins, and which channels it is credited to.

    Parameters
    ----------
    data
        The dataset. Reads `deals`, `leads` and `touches`.
    lookback_days
        How far before a deal's close a touch may lie: 0 sets no limit, None: as the plan says.

    Returns
    -------
    Attribution
        One row per won deal with its first touch. Its methods give the further figures, each
        computed once.

    Raises
    ------
    ParameterError
        If the look-back is negative.

    Examples
    --------
    >>> from funnel.methods.paths.example import small_company
    >>> answer = attribution(small_company())
    >>> answer.table[["deal_id", "first_touch"]].values.tolist()
    [['D-1', 'web']]
    >>> answer.credit("linear").table[["channel", "share"]].values.tolist()
    [['demo', 0.5], ['web', 0.5]]
    """
    first = first_touches(data, lookback_days=lookback_days)
    facts = {field.name: getattr(first, field.name) for field in fields(FirstTouches)}
    return Attribution(data=data, lookback_days=lookback_days, **facts)
