"""Journeys of won deals and counted paths as results, with what they were read from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from funnel.checks import filled_by_outcome
from funnel.contract.plan import Plan
from funnel.methods.paths.coded_paths import OTHER_PATHS, CodedPaths
from funnel.results import Result
from funnel.results.small_groups import SmallGroups

if TYPE_CHECKING:
    from funnel.checks import FilledByOutcome
    from funnel.dataset import Tables
    from funnel.methods.paths.scope import Scope

NO_KEY = "no lead or account"
NOT_SUPPLIED = "touches not supplied"
TRACKING_BREAK = "tracking break"


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
    n_without_amount: int
    filled_by_outcome: tuple[FilledByOutcome, ...]

    @classmethod
    def of(cls, data: Tables, ends: pd.DataFrame, scope: Scope) -> Basis:
        """Basis of the journeys in `ends`, as `journey_ends` gives them.

        Examples
        --------
        >>> from funnel.methods.paths.example import small_company
        >>> from funnel.methods.paths.scope import journey_ends, scope_of
        >>> data = small_company()
        >>> Basis.of(data, journey_ends(data, scope_of(data)), scope_of(data)).source
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

    Attributes
    ----------
    deals
        One row per won deal, newest last: `deal_id`, `closed_at`, `amount`, `first_touch` (a
        channel, or `(not traced)`), `reason` (empty where it traces).
    coded
        The paths of these deals as integers: what credit is computed from.
    read_table, read_deals
        Read these two, when they are first asked for.
    """

    table: pd.DataFrame = field(
        init=False, repr=False, default=cached_property(lambda journeys: journeys.read_table())
    )
    deals: pd.DataFrame = field(
        init=False, repr=False, default=cached_property(lambda journeys: journeys.read_deals())
    )
    coded: CodedPaths
    read_table: Callable[[], pd.DataFrame] = field(repr=False)
    read_deals: Callable[[], pd.DataFrame] = field(repr=False)
    plan: Plan
    basis: Basis


@dataclass(frozen=True)
class Unconverted:
    """Journeys without a conversion, and how many of them may still convert.

    Attributes
    ----------
    n, n_immature
        Journeys without a conversion, and those immatureer than the age they are judged by.
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
    `(not traced)`. The table is written when it is first asked for.

    Attributes
    ----------
    coded
        The same paths as integers: what credit and lift are computed from.
    """

    grouped = (
        SmallGroups(by=("path",), counts={"conversions": (), "nulls": ()}, pooled=OTHER_PATHS),
    )

    table: pd.DataFrame = field(
        init=False, repr=False, default=cached_property(lambda paths: path_table(paths.coded))
    )
    coded: CodedPaths
    plan: Plan
    to: str
    noun: str
    basis: Basis
    unconverted: Unconverted


def path_table(paths: CodedPaths) -> pd.DataFrame:
    """Table of different paths, most frequent first.

    Examples
    --------
    >>> paths = CodedPaths.of([["b"], ["a", "b"]], conversions=[1, 2], nulls=[1, 0])
    >>> path_table(paths).values.tolist()
    [['a > b', 2, 0.0, 0], ['b', 1, 0.0, 1]]
    """
    paths = paths.taken((paths.conversions > 0) | (paths.nulls > 0))
    table = pd.DataFrame(
        {
            "path": pd.Series(paths.strings(), dtype="str"),
            "conversions": paths.conversions.astype("int64"),
            "value": paths.value,
            "nulls": paths.nulls.astype("int64"),
        }
    )
    order = ["conversions", "nulls", "path"]
    return table.sort_values(order, ascending=[False, False, True], ignore_index=True)
