"""Journeys of won deals and counted paths as results, with what they were read from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.checks import filled_by_outcome
from funnel.contract.plan import Plan
from funnel.results import Result

if TYPE_CHECKING:
    from funnel.checks import FilledByOutcome
    from funnel.dataset import Tables
    from funnel.methods.paths.scope import Asked as Scope

NOT_TRACED = "(not traced)"
ARROW = " > "
NO_KEY = "no lead or account"
NO_LEAD = "no lead"
NOT_SUPPLIED = "touches not supplied"
TRACKING_BREAK = "tracking break"
TYPICAL_SHARE = 0.95  # of converted journeys, by the age that counts as typical


@dataclass(frozen=True)
class Basis:
    """What journeys were read from.

    Attributes
    ----------
    source
        The table of touches: `touches`, `leads` (their own channel) or `none`.
    lookback_days
        How far before the milestone a touch may lie; 0 without a limit.
    n_journeys, n_without_amount
        Journeys, and those of won deals without an amount.
    filled_by_outcome
        Tests that find the leads' own channel filled more often for won leads than for others.
    """

    source: str
    lookback_days: int
    n_journeys: int
    n_without_amount: int = 0
    filled_by_outcome: tuple[FilledByOutcome, ...] = ()

    @classmethod
    def of(cls, data: Tables, ends: pd.DataFrame, scope: Scope) -> Basis:
        """Basis of the journeys in `ends`, as `ends_of` gives them.

        Examples
        --------
        >>> from funnel.methods.paths.example import small_company
        >>> from funnel.methods.paths.scope import asked as scope_of, ends_of
        >>> data = small_company()
        >>> Basis.of(data, ends_of(data, scope_of(data)), scope_of(data)).source
        'touches'
        """
        tested = filled_by_outcome(data, "channel") if scope.source == "leads" else ()
        return cls(
            source=scope.source,
            lookback_days=scope.lookback_days,
            n_journeys=len(ends),
            n_without_amount=int(ends["amount"].isna().sum()) if scope.target == "won" else 0,
            filled_by_outcome=tuple(test for test in tested if test.differs),
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Journeys(Result):
    """Touches of every won deal, in order.

    `table` has one row per touch: `deal_id`, `position` (1 is the first touch), `n_touches`,
    `moment` (touches that share one have no known order), `channel`, `occurred_at`, `amount`,
    `closed_at`, `close_month` (in the company's time zone), `lead_id`, `touch_id`, `reason`, the
    other milestones `lead_created_at` and `opened_at`, and `n_repeats` (touches that a step stands
    for; 1 unless collapsed). A deal that does not trace is one row at position 0, with channel
    `(not traced)` and its reason.
    """

    plan: Plan
    until: str = "closed_at"
    basis: Basis | None = None


@dataclass(frozen=True)
class Unconverted:
    """Journeys without a conversion, and how many of them may still convert.

    Attributes
    ----------
    n, n_immature
        Journeys without a conversion, and those younger than the age they are judged by.
    minimum_age_days
        Age from which they count as not converted; 0: all count.
    typical_days
        Age by which 95 % of the converted journeys had converted; 0 where it is not known.
    n_open
        Open deals whose journeys count as not won.
    """

    n: int
    n_immature: int
    minimum_age_days: float
    typical_days: float
    n_open: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Paths(Result):
    """Distinct paths of channels, and how many journeys on each converted.

    `table` has one row per path, most frequent first: `path` ("A > B"), `conversions` (won deals,
    or what `to` names), `value` (booked, currency of the plan), `nulls` (accounts, or leads
    without one, with this path and no conversion). Conversions that do not trace have the path
    `(not traced)`.
    """

    plan: Plan
    to: str = "won"
    noun: str = "won deals"
    basis: Basis | None = None
    unconverted: Unconverted | None = None
