"""What tracing answers: journeys, first touches with their coverage, and paths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.checks.text import sentence
from funnel.checks.tracking_losses import TrackingLoss
from funnel.contract.plan import Company, Plan
from funnel.results import Listing, Result, first_rows, formats
from funnel.stats import wilson

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NOT_TRACED = "(not traced)"
ARROW = " > "
NO_KEY = "no lead or account"
NO_LEAD = "no lead"
NOT_SUPPLIED = "touches not supplied"
TRACKING_BREAK = "tracking break"
NEWEST_SHOWN = 10
MONTHS_SHOWN = 12
COMMONEST_SHOWN = 12
STEPS_SHOWN = 8
_ASKED = {
    NO_KEY: ("Sales Ops", "Which lead or account did these deals grow from?"),
    NO_LEAD: ("Sales Ops", "Which lead did these deals grow from?"),
    TRACKING_BREAK: ("Marketing Ops", "What was changed in tracking then, and can it be mended?"),
    NOT_SUPPLIED: ("Marketing Ops", "Can touches be exported, with their time and channel?"),
}
_ASKED_OF_TOUCHES = ("Marketing Ops", "Where were these accounts first met, and is it recorded?")


@dataclass(frozen=True, eq=False, kw_only=True)
class Journeys(Result):
    """The way to every won deal, touch by touch.

    `table` has one row per touch, in order: `deal_id`, `position` (1 is the first touch),
    `n_touches`, `moment` (touches that share one cannot be put in order), `channel`,
    `occurred_at`, `amount`, `closed_at`, `close_month` (where the company is), `lead_id`,
    `touch_id`, `reason`, the other milestones `lead_created_at` and `opened_at`, and `n_repeats`
    (touches that a step stands for; 1 unless collapsed). A deal that cannot be traced is one row
    at position 0, with channel `(not traced)` and its reason.
    """

    plan: Plan
    until: str = "closed_at"

    @property
    def headline(self) -> str:
        """How many won deals trace, and how much money."""
        return _coverage_sentence(self.table.drop_duplicates("deal_id"), self.plan, self.level)


@dataclass(frozen=True, eq=False, kw_only=True)
class FirstTouches(Result):
    """Where each won deal was first met.

    `table` has one row per won deal, newest last: `deal_id`, `closed_at`, `close_month`,
    `amount`, `first_touch` (a channel), `first_touch_at`, `lead_channel` (what its own lead's
    record says), `reason` (empty where it traces). `coverage` has one row per month of closing,
    and `losses` are the spells in which touches were lost.
    """

    plan: Plan
    losses: tuple[TrackingLoss, ...] = ()

    @property
    def headline(self) -> str:
        """How many won deals trace, and how much money."""
        return _coverage_sentence(self.table, self.plan, self.level)

    @property
    def coverage(self) -> pd.DataFrame:
        """Share of deals and of money that trace, by month of closing.

        Returns
        -------
        DataFrame
            `close_month`, `n_deals`, `n_traced`, `traced_share`, `traced_share_low`,
            `traced_share_high` (Wilson), `amount`, `traced_amount`, `amount_share` (missing in
            a month without money).
        """
        table = self.table.assign(
            is_traced=self.table["reason"] == "",
            amount=self.table["amount"].fillna(0.0),
        )
        table["traced_amount"] = table["amount"].where(table["is_traced"], 0.0)
        by_month = table.groupby("close_month").agg(
            n_deals=("deal_id", "size"),
            n_traced=("is_traced", "sum"),
            amount=("amount", "sum"),
            traced_amount=("traced_amount", "sum"),
        )
        low, high = wilson(by_month["n_traced"], by_month["n_deals"], self.level)
        return by_month.assign(
            traced_share=by_month["n_traced"] / by_month["n_deals"],
            traced_share_low=low,
            traced_share_high=high,
            amount_share=by_month["traced_amount"] / by_month["amount"].replace(0, np.nan),
        ).reset_index()[
            [
                "close_month", "n_deals", "n_traced", "traced_share", "traced_share_low",
                "traced_share_high", "amount", "traced_amount", "amount_share",
            ]
        ]  # fmt: skip

    def shown(self) -> pd.DataFrame:
        """Give the newest won deals, newest first."""
        newest = first_rows(self.table[::-1], NEWEST_SHOWN)
        company = self.plan.company
        closed, touched = (
            [_on(moment, company) for moment in newest[name].dt.tz_convert(company.timezone)]
            for name in ("closed_at", "first_touch_at")
        )
        amounts = [
            "" if np.isnan(each) else formats.number(each, company) for each in newest["amount"]
        ]
        shown = pd.DataFrame(
            {
                "won deal": newest["deal_id"],
                "first touch": newest["first_touch"].mask(newest["reason"] != "", newest["reason"]),
                "on": touched,
                "closed": closed,
                company.currency: amounts,
                "channel of its lead": newest["lead_channel"],
            }
        )
        shown.attrs = newest.attrs
        return shown if any(amounts) else shown.drop(columns=company.currency)

    def months(self) -> Listing:
        """Give the newest months of closing, and what share of their deals and money traces."""
        coverage, company = self.coverage[::-1], self.plan.company
        shown = first_rows(coverage, MONTHS_SHOWN)
        rows = [row for _, row in shown.iterrows()]
        words = pd.DataFrame(
            {
                "closed in": shown["close_month"],
                "won deals that trace": [
                    formats.share_estimate(row, "traced_share", company, of="n_deals", digits=0)
                    for row in rows
                ],
                "of what was booked": [formats.share(row["amount_share"], company) for row in rows],
            }
        )
        if not coverage["amount"].any():
            words = words.drop(columns="of what was booked")
        says = "No won deal closed in any month."
        if len(coverage):
            lowest = coverage.iloc[coverage["traced_share"].argmin()]
            says = (
                f"Of {formats.number(len(coverage), company)} months, {lowest['close_month']} "
                "traces least: "
                f"{formats.share(lowest['traced_share'], company)} of "
                f"{formats.number(lowest['n_deals'], company)} won deals."
            )
        if self.losses:
            says = f"{says} {sentence(self.losses[-1], self._say())}"
        return Listing(table=coverage, words=words, says=says, as_of=self.as_of, level=self.level)

    def untraced(self) -> pd.DataFrame:
        """List what does not trace, by reason, and whom to ask.

        Returns
        -------
        DataFrame
            `reason`, `n_deals`, `amount`, `examples` (three ids), `ask` (the team), `question`.
        """
        missing = self.table[self.table["reason"] != ""]
        by_reason = missing.groupby("reason").agg(
            n_deals=("deal_id", "size"),
            amount=("amount", "sum"),
            examples=("deal_id", lambda ids: ", ".join(ids.head(3))),
        )
        by_reason = by_reason.sort_values("n_deals", ascending=False).reset_index()
        asked = [_ASKED.get(reason, _ASKED_OF_TOUCHES) for reason in by_reason["reason"]]
        return by_reason.assign(
            ask=pd.Series([ask for ask, _ in asked], dtype="str"),
            question=pd.Series([question for _, question in asked], dtype="str"),
        )

    def to_ask(self) -> Listing:
        """Say what does not trace, by reason, and whom to ask, in words."""
        table, company = self.untraced(), self.plan.company
        n = formats.number(table["n_deals"].sum(), company)
        words = pd.DataFrame(
            {
                "team": table["ask"],
                "what is missing": table["reason"],
                "question": table["question"],
                "won deals": [formats.number(each, company) for each in table["n_deals"]],
                company.currency: [formats.number(each, company) for each in table["amount"]],
                "for example": table["examples"],
            }
        )
        if not table["amount"].any():
            words = words.drop(columns=company.currency)
        says = f"{n} won deals do not trace to a first touch."
        if n == "1":
            says = "1 won deal does not trace to a first touch."
        if table.empty:
            says = "Every won deal traces to a first touch." if len(self.table) else self.headline
        return Listing(table=table, words=words, says=says, as_of=self.as_of, level=self.level)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Share of won deals that trace, by month, with intervals."""
        from funnel.questions.attribution.charts import coverage

        return coverage(self, ax)


@dataclass(frozen=True, eq=False, kw_only=True)
class Paths(Result):
    """Which ways were gone, and how often they ended where they were to lead.

    `table` has one row per path, commonest first: `path` ("A > B"), `conversions` (won deals, or
    what else was asked for), `value` (booked, currency of the plan), `nulls` (accounts, or leads
    without one, that went this way and have none). What cannot be traced is the path
    `(not traced)`.
    """

    plan: Plan
    to: str = "won"
    noun: str = "won deals"

    def shown(self) -> pd.DataFrame:
        """Give the commonest paths of won deals."""
        won = self.table[self.table["conversions"] > 0]
        rows, company = first_rows(won, COMMONEST_SHOWN), self.plan.company
        shown = pd.DataFrame({"path": [short_path(path) for path in rows["path"]]})
        yet = "no won deal yet" if self.to == "won" else f"not yet at {self.to}"
        headings = {self.noun: "conversions", company.currency: "value", yet: "nulls"}
        for heading, name in headings.items():
            shown[heading] = [formats.number(each, company) for each in rows[name]]
        shown.attrs = rows.attrs
        return shown if won["value"].any() else shown.drop(columns=company.currency)

    @property
    def headline(self) -> str:
        """The commonest path, and how many paths there are."""
        company = self.plan.company
        walked = self.table[(self.table["conversions"] > 0) & (self.table["path"] != NOT_TRACED)]
        if walked.empty:
            return f"No path to {self.noun} is known."
        top = walked.iloc[0]
        n, k = (
            formats.number(each, company)
            for each in (self.table["conversions"].sum(), top["conversions"])
        )
        return (
            f"The commonest path of {n} {self.noun} is {short_path(top['path'])}, with {k} of "
            f"them; {formats.number(len(walked), company)} paths are seen."
        )


def short_path(path: str, most: int = STEPS_SHOWN) -> str:
    """Write a long path by its first steps, its last one, and how many there are.

    Examples
    --------
    >>> short_path("web > web > email > demo", most=3)
    'web > web > ... > demo (4 steps)'
    """
    steps = path.split(ARROW)
    if len(steps) <= most:
        return path
    return ARROW.join([*steps[: most - 1], "...", steps[-1]]) + f" ({len(steps):,} steps)"


def _on(moment: pd.Timestamp, company: Company) -> str:
    """Write a day that no line ends in; nothing where there is none."""
    if pd.isna(moment):
        return ""
    return formats.day(moment.date(), company).replace(" ", formats.NO_BREAK)


def _coverage_sentence(deals: pd.DataFrame, plan: Plan, level: float) -> str:
    company = plan.company
    n = len(deals)
    if not n:
        return "There are no won deals to trace."
    traced = deals["reason"] == ""
    k = int(traced.sum())
    low, high = wilson(k, n, level)
    ends = formats.interval(formats.share(low, company), formats.share(high, company))
    says = (
        f"{formats.number(k, company)} of {formats.number(n, company)} won deals "
        f"({formats.share(k / n, company)} {ends}) trace to a first known touch"
    )
    booked = deals["amount"].sum()
    if booked > 0:
        held = deals.loc[traced, "amount"].sum() / booked
        says += f"; they hold {formats.share(held, company)} of what was booked"
    return f"{says}."
