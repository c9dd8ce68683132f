"""Why a period differs from another: the bridge after the checks, and the figures beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from funnel.checks.currencies import mixed_currencies
from funnel.contract.errors import TableError
from funnel.contract.plan import Plan
from funnel.methods.bridge import Bridge, DriverTests, bridge
from funnel.methods.bridge.bridge import DRAWS
from funnel.methods.question import Question, figure
from funnel.questions.why.actions import Actions, Proposals, actions, proposals
from funnel.questions.why.change import PeriodChange, period_change
from funnel.questions.why.checks import Checks, checks_of, lost_columns
from funnel.questions.why.claims import Claims, claims
from funnel.questions.why.comparisons import Comparisons, comparisons
from funnel.questions.why.heard import Heard, heard
from funnel.questions.why.open_questions import Questions, questions
from funnel.questions.why.outlook import Outlook, outlook
from funnel.questions.why.record_lists import RecordLists, record_lists
from funnel.questions.why.verdicts import (
    LARGEST_RESIDUAL,
    MOST_OFFSETTING,
    explained_by,
    gated,
    offsetting_parts,
    residual_share,
    stated_contribution,
    without_intervals,
)

if TYPE_CHECKING:
    from funnel.dataset import Tables
    from funnel.results import Stated


@dataclass(frozen=True, eq=False, kw_only=True)
class Why(Question):
    """The bridge after the checks.

    `table` is the bridge's with four more columns: `explained_by`, the check that explains a driver
    that moved, or part of it (empty for none), `explained`, what it accounts for, `tier` of the
    drivers that are named (`clear`, `possible`, empty for all others), and `rank` among these, the
    clearest first (missing for all others). A segment is named where its driver is found, and its
    total did not move. `calendar` and `mix` are drivers and checks at once:
    they are ranked, and are nobody's work.

    Attributes
    ----------
    bridge
        The bridge before the checks, as `funnel.bridge` gives it.
    checks
        What could look like a change of the business and is none.
    lost_columns
        Segment columns of the plan that the bridge is not split by, because their record changed.
    is_residual_large
        Whether the residual is too large for any driver to be named.
    is_offsetting
        Whether parts of the flow with opposite signs exceed the value, so that none is named.
    """

    bridge: Bridge
    checks: Checks
    lost_columns: tuple[str, ...]
    is_residual_large: bool
    is_offsetting: bool

    @property
    def totals(self) -> pd.DataFrame:
        """The rows of all segments together, in order."""
        return self.table[self.table["segment"].isna()]

    @property
    def stated(self) -> tuple[Stated, ...]:
        """What the bridge states, and what the checks leave of each contribution."""
        rows = self.totals.to_dict("records")
        return (
            *self.bridge.stated,
            *(stated_contribution(row, self.bridge.comparison) for row in rows),
        )

    @property
    def named(self) -> list[str]:
        """Drivers that moved and that no check explains, clear ones first."""
        rows = self.table.dropna(subset="rank").sort_values("rank")
        return rows["driver"].drop_duplicates().tolist()

    @property
    def explained(self) -> dict[str, str]:
        """Drivers that moved, each with the check that explains all of it."""
        rows = self.totals.to_dict("records")
        return {row["driver"]: check for row in rows if (check := explained_by(row))}

    def guards(self) -> Checks:
        """What could look like a change of the business and is none, in order."""
        return self.checks

    def tests(self) -> DriverTests:
        """Every test of a driver, before and after the adjustment for their number."""
        return self.bridge.tests

    @figure
    def claims(self) -> Claims:
        """What each side says, compared with the figures."""
        return claims(self.data, self.table, self.checks.touched)

    @figure
    def heard(self) -> Heard:
        """What each side hears, beside how often it is recorded."""
        return heard(self.data, self.table)

    @figure
    def actions(self) -> Actions:
        """What the last meetings agreed, measured again."""
        return actions(self.data)

    @figure
    def proposals(self) -> Proposals:
        """What could be agreed on next."""
        return proposals(self.data, self.table)

    @figure
    def record_lists(self) -> RecordLists:
        """Records behind each driver: twenty drawn at random, and all of them."""
        return record_lists(self.data, self.table)

    @figure
    def questions(self) -> Questions:
        """What to ask both sides about the drivers that are inconclusive."""
        return questions(self.data, self.table)

    @figure
    def comparisons(self) -> Comparisons:
        """Each figure against its goal, the period before and a year ago."""
        return comparisons(self.data)

    @figure
    def outlook(self) -> Outlook:
        """What leads and open deals already there will bring in the next two periods."""
        return outlook(self.data)

    @figure
    def change(self) -> PeriodChange:
        """Each figure of the period, and of the one it is compared with."""
        return period_change(self.data)


def why(data: Tables, plan: Plan | Mapping[str, Any] | None = None, *, draws: int = DRAWS) -> Why:
    """Why a period differs from its baseline: contributions of drivers, after the checks.

    The bridge first, with the expected calendar, then the checks. A field whose record changed is
    no segment of the bridge. A driver that a check explains is not named.

    Parameters
    ----------
    plan
        Keys of `[plan]` that replace those of the dataset's plan, or a whole plan.
    draws
        Resamples behind each interval.

    Raises
    ------
    TableError
        If deals are in more than one currency and the measure is money, or if it is recurring
        revenue and deals carry none.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> deals = pd.DataFrame({"deal_id": ["D-1", "D-2"], "outcome": "won", "amount": [70.0, 50.0],
    ...                       "created_at": ["2026-01-05", "2026-04-02"],
    ...                       "closed_at": ["2026-02-03", "2026-05-04"]})
    >>> why(Tables.of(deals=deals, as_of="2026-06-30")).named
    []
    """
    data = data.with_plan(plan)
    _refuse_unusable(data)
    lost = lost_columns(data)
    segments = tuple(name for name in data.plan.segments if name not in lost)
    made = bridge(data, dataclasses.replace(data.plan, segments=segments), draws=draws)
    first = checks_of(data, made)
    q = 1 - data.plan.level
    is_large = residual_share(made) > LARGEST_RESIDUAL
    is_offsetting = offsetting_parts(made) > MOST_OFFSETTING
    table = made.table
    if is_large or is_offsetting:
        table = without_intervals(table, flow_only=not is_large)
    table = gated(table, made.tests.table, first.touched, q)
    checked = checks_of(data, made, table[table["segment"].isna()])
    return Why(
        table=table,
        as_of=made.as_of,
        rows=made.rows,
        units=made.units,
        level=made.level,
        company=made.company,
        data=data,
        bridge=made,
        checks=checked,
        lost_columns=tuple(name for name in lost if name in data.plan.segments),
        is_residual_large=is_large,
        is_offsetting=is_offsetting,
    )


def _refuse_unusable(data: Tables) -> None:
    mixed = mixed_currencies(data)
    if mixed and data.plan.measure != "wins":
        raise TableError(
            f"Deals name other currencies than {data.plan.company.currency}, the plan's, without "
            f"a rate ({mixed.listed}): the change is not explained. `rates` under [records] of the "
            "plan converts them, and where all are in one, `currency` under [company] names it; "
            "measured in wins, the change can be explained as it is."
        )
    has_mrr = data.has("deals", "mrr") or data.has("subscriptions", "mrr")
    if data.plan.measure == "mrr" and not has_mrr:
        raise TableError(
            "No won deal has an `mrr`, and there are no subscriptions: the change of recurring "
            "revenue is not explained. Sales Ops can add `mrr` to deals, and Finance can export "
            "subscriptions; measured in bookings or wins, the change can be explained as it is."
        )
