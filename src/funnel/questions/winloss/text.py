"""Sentences and tables of the question which deals are won and lost, and why."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from funnel.contract.labels import EVERYBODY
from funnel.questions.winloss.owners import Owners
from funnel.questions.winloss.reasons import RANKED_FROM, LossReasons
from funnel.questions.winloss.slipped import Slipped
from funnel.questions.winloss.winloss import WinLoss
from funnel.questions.winloss.won_deals import Interviews, WonDeals
from funnel.results import Say, text
from funnel.results.text import cells

Row = Mapping[str, Any]
_REASONS = {
    "competitor": "lost to a competitor",
    "no_decision": "no decision",
    "not mapped": "in other words",
    "other": "other reasons",
}


def reason(word: str) -> str:
    """Reason as a page shows it.

    Examples
    --------
    >>> reason("no_decision"), reason("price")
    ('no decision', 'price')
    """
    return _REASONS.get(word, word)


@text.headline(WinLoss)
def headline(result: WinLoss, say: Say) -> str:
    """Both win rates, each with that of the period before."""
    row = result.table.iloc[0]
    if math.isnan(row["win_rate"]):
        return f"No new deal was closed in {result.comparison.period.label}."
    if not row["n_lost"] and not row["n_lost_baseline"]:
        return "No lost deal is recorded, so no win rate can be given."
    parts = [_rate(row, "win_rate", say)]
    if not math.isnan(row["competitive_win_rate"]):
        against = _rate(row, "competitive_win_rate", say)
        parts.append(f"of those won or lost to a competitor, {against}")
    return f"Of the new deals closed in {result.comparison.period.label}, {'; '.join(parts)}."


def _rate(row: Row, name: str, say: Say) -> str:
    now, then = row[name], row[f"{name}_baseline"]
    before = "" if math.isnan(then) else f" ({say.share(then)} before)"
    return f"{say.share(now)}{before} were won" if name == "win_rate" else say.share(now) + before


@text.caveats(WinLoss)
def caveats(result: WinLoss, say: Say) -> list[str]:
    """What the rates leave out."""
    del result, say
    return [
        "Open deals are in no rate: a deal that nobody marks as lost makes a rate look better.",
        "Deals that take long are closed late, so rates by length of the cycle are not compared "
        "with each other. Rates are of new business; the rows by kind are of all deals.",
    ]


@text.table(WinLoss)
def table(result: WinLoss, say: Say) -> pd.DataFrame:
    """Each group, with both periods and the change."""
    return cells(
        result.table,
        {
            "deals": lambda row: _group(row),
            "win rate": lambda row: say.share_estimate(row, "win_rate", digits=0),
            "before": lambda row: _share(row["win_rate_baseline"], say),
            "change in points": lambda row: say.points_estimate(row, "change"),
            "verdict": lambda row: "" if math.isnan(row["change"]) else row["verdict"],
            "against competitors": lambda row: say.share_estimate(
                row, "competitive_win_rate", digits=0
            ),
            "won": lambda row: _count(row["n_won"], say),
            "lost": lambda row: _count(row["n_lost"], say),
        },
    )


def _group(row: Row) -> str:
    return "all" if row["by"] == EVERYBODY else f"{row['by']}: {row['group']}"


def _share(value: float, say: Say) -> str:
    return "" if math.isnan(value) else say.share(value)


def _count(value: Any, say: Say) -> str:
    return str(value) if isinstance(value, float) and math.isnan(value) else say.number(value)


@text.headline(LossReasons)
def reasons_headline(result: LossReasons, say: Say) -> str:
    """How many losses have a reason, and whether one comes first."""
    if not result.n_lost:
        return "No lost deal is recorded in the period."
    filled = f"{say.share(result.coverage)} of {say.rows(result.n_lost, 'lost deal')} have a reason"
    if result.first:
        return f"{filled}; first is {reason(result.first)}, whatever the others were."
    why = "" if result.coverage >= RANKED_FROM else f", fewer than {say.share(RANKED_FROM)}"
    return f"{filled}{why}; no reason comes first beyond doubt."


@text.caveats(LossReasons)
def reasons_caveats(result: LossReasons, say: Say) -> list[str]:
    """Words that changed, the buyer's own reason, and where competitors are noted."""
    found = ["Shares are of all lost deals: the low end counts no blank in, the high end all."]
    if result.words_changed:
        words = ", ".join(result.words_changed[:3])
        found.append(
            f"Words in use in one of the two periods alone: {words}. The list of choices changed, "
            "so no change of reasons is read from it. Sales Ops can say since when."
        )
    if result.n_both:
        agree = say.share(result.n_agree / result.n_both)
        deals = say.rows(result.n_both, "deal")
        found.append(f"Sales and the buyer name the same reason on {agree} of {deals} with both.")
    if not math.isnan(result.named_low):
        low, high = say.share(result.named_low), say.share(result.named_high)
        found.append(
            f"A competitor is named on {_share(result.named_won, say)} of won and "
            f"{_share(result.named_lost, say)} of lost deals. The win rate where one took part "
            f"is between {low} and {high}."
        )
    return found


@text.table(LossReasons)
def reasons_table(result: LossReasons, say: Say) -> pd.DataFrame:
    """Each reason with the bounds of its share."""
    return cells(
        result.table,
        {
            "reason": lambda row: reason(row["reason"]),
            "lost deals": lambda row: _count(row["n"], say),
            "share of lost deals": lambda row: _between(row, "", say),
            "before": lambda row: _between(row, "_baseline", say),
            "change": "verdict",
        },
    )


def _between(row: Row, end: str, say: Say) -> str:
    low, high = row[f"share_low{end}"], row[f"share_high{end}"]
    if math.isnan(low):
        return ""
    return say.share(low) if low == high else f"{say.share(low)} to {say.share(high)}"


@text.headline(Owners)
def owners_headline(result: Owners, say: Say) -> str:
    """Whether owners differ beyond chance."""
    if math.isnan(result.spread):
        return "Fewer than two owners closed deals, so they are not compared."
    who = f"{say.rows(result.n_owners, 'owner')}, {say.rows(result.n_deals, 'closed deal')}"
    low, high = (
        say.number(100 * each, digits=1) for each in (result.spread_low, result.spread_high)
    )
    if result.spread == 0:
        return (
            f"No difference between owners can be seen beyond chance ({who}); a spread of up to "
            f"{high} points is possible."
        )
    points = f"{say.number(100 * result.spread, digits=1)} points {say.interval(low, high)}"
    return f"Owners differ by {points} around {say.share(result.pooled)} ({who})."


@text.caveats(Owners)
def owners_caveats(result: Owners, say: Say) -> list[str]:
    """How the spread is measured, and whether owners close their lost deals alike."""
    found = ["The spread is what is beyond chance. No owner is named or ranked."]
    old = result.older
    if old is None or len(old.won) < 2:
        return found
    least, most = say.share(min(old.still_open)), say.share(max(old.still_open))
    found.append(
        f"Of {say.rows(old.n, 'deal')} created in the year up to {say.number(old.usual_days)} days "
        f"(a usual cycle) before the data end, {least} to {most} by owner are still open."
    )
    if old.is_of_records:
        found.append(
            "With open deals in the base no difference between owners is seen: the difference is "
            "in closing records, not in winning."
        )
    return found


@text.table(Owners)
def owners_table(result: Owners, say: Say) -> pd.DataFrame:
    """Parts of the change, in points."""
    return cells(
        result.table,
        {
            "part of the change": "part",
            "points": lambda row: say.number(100 * row["change"], digits=1, sign=True),
        },
    )


@text.headline(WonDeals)
def won_deals_headline(result: WonDeals, say: Say) -> str:
    """Median deal size, and whether one deal makes the direction of the mean."""
    row = result.table.iloc[0]
    if math.isnan(row["median"]):
        return "No new deal was won in the period with a known amount."
    before = row["median_baseline"]
    then = "" if math.isnan(before) else f" ({say.money(before)} before)"
    then += f", from {say.number(row['n'])} and {say.number(row['n_baseline'])} deals"
    flips = "; one deal makes the direction of the average" if row["flips"] else ""
    return f"The median won deal is {say.money(row['median'])}{then}{flips}."


@text.table(WonDeals)
def won_deals_table(result: WonDeals, say: Say) -> pd.DataFrame:
    """Size and cycle, each figure with that of the period before."""

    def both(row: Row, name: str) -> str:
        write = say.money if row["measure"] == "size" else say.duration
        now, then = (
            "-" if math.isnan(row[f"{name}{end}"]) else write(row[f"{name}{end}"])
            for end in ("", "_baseline")
        )
        return f"{now} ({then} before)"

    def change(row: Row) -> str:
        if math.isnan(row["change_low"]):
            return ""
        ends = [row[name] for name in ("change", "change_low", "change_high")]
        if row["measure"] == "size":
            value, *reach = (say.money(end, sign=True) for end in ends)
            return f"{value} {say.interval(*reach)}"
        value, *reach = (say.number(end, digits=1, sign=True) for end in ends)
        return f"{value} days {say.interval(*reach)}"

    return cells(
        result.table,
        {
            "of won deals": "measure",
            "deals": lambda row: f"{say.number(row['n'])} / {say.number(row['n_baseline'])}",
            "median": lambda row: both(row, "median"),
            "change of the median": lambda row: change(row),
            "average": lambda row: both(row, "mean"),
            "average without the largest": lambda row: both(row, "mean_without_largest"),
        },
    )


@text.headline(Interviews)
def interviews_headline(result: Interviews, say: Say) -> str:
    """How many lost deals to ask about, and their amount."""
    if result.table.empty:
        return "No lost deal of the period is without the buyer's own reason."
    deals = say.rows(len(result.table), "lost deal")
    return f"{deals} worth an interview ({say.short_money(result.table['amount'].sum())})."


@text.caveats(Interviews)
def interviews_caveats(result: Interviews, say: Say) -> list[str]:
    """The rule, and three questions."""
    del result, say
    return [
        "The largest lost deals of the period whose buyer has not given a reason.",
        "Ask: What would have had to be different? Whom did you compare us with, and on what? "
        "When did you decide, and who did?",
    ]


@text.table(Interviews)
def interviews_table(result: Interviews, say: Say) -> pd.DataFrame:
    """Deals to ask about."""
    return cells(
        result.table,
        {
            "deal": "deal_id",
            "closed": lambda row: say.day(row["closed_on"]),
            "amount": lambda row: say.money(row["amount"]),
            "reason as sales recorded it": lambda row: reason(row["reason"]),
        },
    )


@text.headline(Slipped)
def slipped_headline(result: Slipped, say: Say) -> str:
    """Of the deals due, how many were won, lost, or slipped."""
    if not result.has_dates:
        return "No data: record expected close dates and their changes (`deal_changes`)."
    if not result.n_due:
        return "No deal was due in the period when it began."
    n = dict(zip(result.table["state"], result.table["n"], strict=True))
    return (
        f"{say.number(result.n_due)} deals were due: {say.number(n['won'])} were won, "
        f"{say.number(n['lost'])} lost, {say.number(n['slipped'])} slipped."
    )


@text.table(Slipped)
def slipped_table(result: Slipped, say: Say) -> pd.DataFrame:
    """What became of the deals that were due."""
    return cells(
        result.table,
        {
            "deals that were due": "state",
            "n": lambda row: _count(row["n"], say),
            "amount": lambda row: say.money(row["amount"]),
            "share": lambda row: say.share_estimate(row, "share", digits=0),
        },
    )
