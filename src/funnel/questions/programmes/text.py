"""Sentences and tables of the question on channels and campaigns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from funnel.questions.programmes.programmes import (
    KEEP,
    NO_LEADS,
    NO_SPEND,
    STOP,
    TOO_EARLY,
    Programmes,
)
from funnel.results import Say, text
from funnel.results.text import Excerpt, cells
from funnel.stats import CANNOT_TELL

Row = Mapping[str, Any]
_MOST_ROWS = 30
_COUNTED = {
    KEEP: "margin is above spend for",
    STOP: "below it for",
    CANNOT_TELL: "it is inconclusive for",
    TOO_EARLY: "it is too early for",
    NO_LEADS: "there is no lead for",
}


def name(row: Row) -> str:
    """Channel and campaign as one label.

    Examples
    --------
    >>> name({"channel": "events", "campaign": "fair"}), name({"channel": "web", "campaign": ""})
    ('events: fair', 'web')
    """
    return f"{row['channel']}: {row['campaign']}" if row["campaign"] else str(row["channel"])


@text.headline(Programmes)
def headline(result: Programmes, say: Say) -> str:
    """For how many margin is above spend, below it, or inconclusive."""
    if result.first_day is None:
        return "No spend is recorded, so what channels and campaigns cost is not known."
    table = result.table[result.table["spend"] > 0]
    counts = table["verdict"].value_counts()
    parts = [
        f"{phrase} {say.number(counts[verdict])}"
        for verdict, phrase in _COUNTED.items()
        if verdict in counts
    ]
    noun = "campaign" if table["campaign"].ne("").any() else "channel"
    total, since = say.short_money(table["spend"].sum()), say.day(result.first_day)
    return (
        f"Of {say.rows(len(table), noun)} with spend since {since} ({total}), {', '.join(parts)}."
    )


@text.caveats(Programmes)
def caveats(result: Programmes, say: Say) -> list[str]:
    """How spend, leads and wins are matched, and what is in no row."""
    if result.first_day is None:
        return []
    margin = say.share(result.margin)
    found = [
        f"Margin is {margin} of bookings, as the plan says. A win belongs to the channel and "
        "campaign of its lead; the page of attribution shares it between touches.",
    ]
    if math.isfinite(result.first_wins_after):
        found.append(
            "Wins still to come are counted in, by the ages of the leads: a tenth of all wins has "
            f"come after {say.duration(result.first_wins_after)}. Until then it is too early."
        )
    if result.n_other:
        n, amount = say.rows(result.n_other, "deal"), say.money(result.bookings_other)
        found.append(
            f"In no row: {n} won since then ({amount}) that are expansions or renewals, have no "
            "lead or are of earlier leads."
        )
    no_leads = result.table[result.table["verdict"] == NO_LEADS]
    if len(no_leads):
        names = ", ".join(name(row) for row in no_leads.head(3).to_dict("records"))
        spent = say.money(no_leads["spend"].sum())
        found.append(
            f"{names}: {spent} spent, and no lead has that channel and campaign. Is it called "
            "otherwise in leads? Marketing Ops can check."
        )
    return found


@text.table(Programmes)
def table(result: Programmes, say: Say) -> Excerpt:
    """Each channel and campaign, most spend first."""
    rows = result.table.head(_MOST_ROWS)
    has_campaigns = rows["campaign"].ne("").any()
    columns: dict[str, Any] = {
        "campaign" if has_campaigns else "channel": name,
        "verdict": lambda row: verdict(row, say),
        "margin for each 1 spent": lambda row: _margin(row, say),
        "spend": lambda row: say.money(row["spend"]) if row["spend"] else "",
        "leads": lambda row: say.number(row["n_leads"]),
        "wins": lambda row: say.number(row["n_wins"]),
        "cost of a win": lambda row: _cost(row, "cost_per_win", say),
        "cost of a lead": lambda row: _cost(row, "cost_per_lead", say),
    }
    return Excerpt(cells(rows, columns), len(result.table))


def verdict(row: Row, say: Say) -> str:
    """Verdict, with the day from which it can be given."""
    if row["verdict"] == TOO_EARLY and row["readable_on"]:
        return f"{TOO_EARLY}: from {say.day(row['readable_on'])}"
    return "" if row["verdict"] == NO_SPEND else str(row["verdict"])


def _cost(row: Row, figure: str, say: Say) -> str:
    value, low, high = (row[f"{figure}{end}"] for end in ("", "_low", "_high"))
    if math.isfinite(value):
        return say.estimate(say.money(value), say.money(low), say.money(high))
    return f"at least {say.money(low)}" if math.isfinite(low) else ""


def _margin(row: Row, say: Say) -> str:
    if not math.isfinite(row["margin_per_spend"]):
        return ""
    return say.number_estimate(row, "margin_per_spend", digits=1)
