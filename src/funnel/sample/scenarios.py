"""Scenarios: what can be planted in a generated company, and what an analysis should find.

A cause is a set of plain numbers, without effect by default. Each acts from the first day of the
period analysed, on what *happens* from that day on: a lead that was handed off the day before is
followed up under the new conditions. Exceptions are documented where they are declared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """How a company differs from the same company with nothing planted.

    Attributes
    ----------
    leads
        Leads that arrive, as a share of those without the cause; at most 2.
    leads_from
        Days before the period from which `leads` acts.
    shift
        Share of other channels' leads that come through social instead, from smaller firms.
    wait
        Factor on the time a salesperson takes to the first action.
    never
        Share of handed-off leads that nobody acts on, added to the one without the cause.
    win, size, cycle
        Factors on the chance to win, on won amounts, and on the time a deal takes.
    low_spring
        Whether arrivals are low from February to June, in every year.
    threshold
        Score from which marketing hands a lead off; 40 without the cause.
    threshold_days
        From which day on, and until before which, `threshold` counts: days after the first day of
        the period, negative before it. One that ends within the dataset is a raised threshold.
    blind
        Share of web leads and web touches whose channel is lost.
    early_sql
        Share of leads that would leave at `sal` but are recorded as `sql` first, from the middle
        of the period.
    whale
        One deal of the baseline, as a share of all that was booked there.
    self_serve
        Accounts that join a month without a deal, over the last two years, as a share of the
        customers at the start.
    leavers
        Share of the salespeople who leave in the first weeks.
    pulled
        Share of deals due within six weeks after a promotion that close during it instead.
    """

    leads: float = 1.0
    leads_from: int = 0
    shift: float = 0.0
    wait: float = 1.0
    never: float = 0.0
    win: float = 1.0
    size: float = 1.0
    cycle: float = 1.0
    low_spring: bool = False
    threshold: float = 40.0
    threshold_days: tuple[float, float] = (0.0, math.inf)
    blind: float = 0.0
    early_sql: float = 0.0
    whale: float = 0.0
    self_serve: float = 0.0
    leavers: float = 0.0
    pulled: float = 0.0


@dataclass(frozen=True)
class Scenario:
    """One planted cause, described, with what an analysis should find.

    Attributes
    ----------
    drivers
        The bridge's drivers that move, in the contract's wording, the first named first; empty
        where none of them should be.
    guard
        The check that explains it, if one does: no team is then at fault.
    """

    name: str
    planted: str
    cause: Cause = Cause()
    drivers: tuple[str, ...] = ()
    guard: str | None = None

    @property
    def driver(self) -> str | None:
        """Driver that an analysis should name first."""
        return self.drivers[0] if self.drivers else None


SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario("none", "Nothing."),
        Scenario(
            "volume",
            "Three in ten leads fail to arrive, in every channel alike.",
            Cause(leads=0.70),
            ("lead volume",),
        ),
        Scenario(
            "mix",
            "Four in ten leads of the other channels come through social instead, from smaller "
            "firms. As many leads arrive, and alike ones convert as before.",
            Cause(shift=0.40),
            ("mix",),
            "mix",
        ),
        Scenario(
            "follow_up",
            "Salespeople take four times as long to the first action, and one more lead in five "
            "is never acted on. Later contact means fewer leads accepted.",
            Cause(wait=4.0, never=0.20),
            ("mql to sal",),
        ),
        Scenario(
            "win_rate",
            "A deal's chance to be won falls by 28 %.",
            Cause(win=0.72),
            ("opportunity to won",),
        ),
        Scenario(
            "deal_size",
            "Deals are won at a quarter less money.",
            Cause(size=0.75),
            ("deal size",),
        ),
        Scenario(
            "slippage",
            "Deals take half as long again from the first day of the period on, so that some "
            "close after its end. As many are won in the long run.",
            Cause(cycle=1.5),
            ("timing",),
        ),
        Scenario(
            "season",
            "Fewer leads arrive from February to June, in every year alike.",
            Cause(low_spring=True),
            ("calendar",),
            "calendar",
        ),
        Scenario(
            "threshold_lowered",
            "Marketing hands leads off from a score of 32 on, where it was 40. The leads so "
            "added are rejected or recycled; who wins what does not change.",
            Cause(threshold=32.0),
            ("lead to mql", "mql to sal"),
            "definition",
        ),
        Scenario(
            "tracking_break",
            "Seven in ten web leads and web touches lose their channel: direct, unknown or "
            "empty. Nothing else changes.",
            Cause(blind=0.70),
            (),
            "data",
        ),
        Scenario(
            "whale",
            "One deal of the baseline is as large as a third of all else booked there.",
            Cause(whale=0.35),
            ("deal size",),
            "noise",
        ),
        Scenario(
            "churn_growing_base",
            "Accounts join through a marketplace over the last two years, so that the base "
            "grows. The chance to churn is what it was, so more money leaves. Deals do not "
            "change.",
            Cause(self_serve=0.12),
        ),
        Scenario(
            "up_with_hidden_decline",
            "Leads rise by 80 % from six weeks before the period on; from its first day, a "
            "deal's chance to be won falls by 15 %. Bookings rise all the same.",
            Cause(leads=1.8, leads_from=45, win=0.85),
            ("lead volume", "opportunity to won"),
        ),
        Scenario(
            "both_at_fault",
            "A fifth of the leads fail to arrive and one in seven of the others comes through "
            "social instead; salespeople take twice as long and act on fewer; a deal's chance "
            "to be won falls by 18 %.",
            Cause(leads=0.80, shift=0.15, wait=2.2, never=0.10, win=0.82),
            ("opportunity to won", "mql to sal", "lead volume", "mix"),
        ),
        Scenario(
            "leavers",
            "Three in ten salespeople leave in the first three weeks. Half of the leads meant "
            "for them wait about a week to be given to somebody else, half wait for a month or "
            "more; the others have more to do and take longer.",
            Cause(leavers=0.30, wait=1.5),
            ("mql to sal", "timing"),
        ),
        Scenario(
            "definition_changed",
            "From the middle of the period on, a lead counts as sql when a meeting is booked, "
            "not when it was held. Who wins what does not change.",
            Cause(early_sql=0.50),
            ("sal to sql", "sql to opportunity"),
            "definition",
        ),
        Scenario(
            "promo_pull_forward",
            "A promotion in the last four weeks of the baseline makes deals close then that "
            "would have closed in the six weeks after it. Over both quarters, nothing is won "
            "or lost by it.",
            Cause(pulled=0.60),
            ("timing",),
        ),
    )
}
