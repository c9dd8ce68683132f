"""Sentences, table headings and labels of the bridge."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from funnel.methods.bridge.bridge import (
    CALENDAR,
    MIX,
    RESIDUAL,
    SIZE,
    TIMING,
    VOLUME,
    Bridge,
    DriverTests,
    shown_totals,
)
from funnel.methods.bridge.stage_history import (
    ACCOUNTS,
    LEADS,
    OPENED,
    RENEWALS,
    WITHOUT_LEAD,
    WON,
)
from funnel.methods.recurring import (
    CHURN,
    CONTRACTION,
    CURRENCY,
    EXPANSION,
    NEW,
    REACTIVATION,
)
from funnel.methods.recurring.text import month_gap
from funnel.results import Say, text
from funnel.results.legend import verdict_legend
from funnel.results.vocabulary import step_words
from funnel.stats import MOVED

Row = Mapping[str, Any]
MEASURES = {"bookings": "Bookings", "wins": "Wins", "mrr": "New recurring revenue"}
_PLURAL = ("bookings", "wins")
_LAST_MONTHS = (
    "The last months of both periods are compared. An account is new, or came back, where it paid "
    "nothing in the earlier one."
)
_LEAST_P = 0.001
_FEW_WINS = 60
_MOST_NAMED = 4
_WEEK = 7
_NAMES = {
    CALENDAR: "season and working days",
    VOLUME: "number of {arrivals}",
    MIX: "kinds of {arrivals}",
    TIMING: "time to a win",
    RENEWALS: "expansions and renewals",
    RESIDUAL: "unexplained",
    NEW: "new customers",
    EXPANSION: "customers that pay more",
    CONTRACTION: "customers that pay less",
    CHURN: "customers that left",
    REACTIVATION: "customers that came back",
    CURRENCY: "exchange rates",
}
_CLAUSES = {  # where a driver adds, and where it takes away
    CALENDAR: ("working days and season", "working days and season"),
    VOLUME: ("more {arrivals}", "fewer {arrivals}"),
    MIX: ("kinds of {arrivals} with more wins", "kinds of {arrivals} with fewer wins"),
    TIMING: ("faster progress through the stages", "slower progress through the stages"),
    SIZE: ("larger deals", "smaller deals"),
    WITHOUT_LEAD: ("more from deals without a lead", "less from deals without a lead"),
    RENEWALS: ("more from expansions and renewals", "less from expansions and renewals"),
    RESIDUAL: ("what stays unexplained", "what stays unexplained"),
    NEW: ("new customers", "new customers"),
    EXPANSION: ("customers that pay more", "customers that pay more"),
    CONTRACTION: ("customers that pay less", "customers that pay less"),
    CHURN: ("customers that left", "customers that left"),
    REACTIVATION: ("customers that came back", "customers that came back"),
    CURRENCY: ("exchange rates", "exchange rates"),
}


def unit_of(measure: str) -> str:
    """Unit of a measure's contributions: `count` of wins, `money` of all others."""
    return "count" if measure == "wins" else "money"


def amount(value: float, unit: str, say: Say, *, sign: bool = False) -> str:
    """Contribution in its unit, `money` or `count`.

    Examples
    --------
    >>> amount(-40, "money", Say()), amount(3, "count", Say(), sign=True)
    ('-€40', '+3')
    """
    return say.number(value, sign=sign) if unit == "count" else say.short_money(value, sign=sign)


def contribution_cell(row: Row, unit: str, say: Say) -> str:
    """Contribution with its interval, for a cell of a table.

    Examples
    --------
    >>> contribution_cell({"contribution": -40, "low": -70, "high": -10}, "money", Say())
    '-€40 [-€70 to -€10]'
    """
    value = amount(row["contribution"], unit, say, sign=True)
    if not math.isfinite(row["low"]):
        return value
    ends = (amount(row[end], unit, say, sign=True) for end in ("low", "high"))
    return f"{value} {say.interval(*ends)}"


def contribution_phrase(row: Row, unit: str, say: Say) -> str:
    """Contribution for a sentence, direction in words.

    Examples
    --------
    >>> contribution_phrase({"contribution": -40, "low": -70, "high": -10}, "money", Say())
    'about €40 less (likely €10 to €70)'
    >>> contribution_phrase({"contribution": -40, "low": -70, "high": 10}, "money", Say())
    'about €40 less (likely between €70 less and €10 more)'
    """
    value, low, high = row["contribution"], row["low"], row["high"]
    phrase = f"about {_more_or_less(value, unit, say)}"
    if not math.isfinite(low):
        return phrase
    if low * high > 0:
        ends = (amount(each, unit, say) for each in sorted((abs(low), abs(high))))
        return f"{phrase} (likely {' to '.join(ends)})"
    ends = (_more_or_less(each, unit, say) for each in (low, high))
    return f"{phrase} (likely between {' and '.join(ends)})"


def _more_or_less(value: float, unit: str, say: Say) -> str:
    return f"{amount(abs(value), unit, say)} {'less' if value < 0 else 'more'}"


def driver_label(driver: str, say: Say, arrivals: str = LEADS) -> str:
    """Name of a driver for a reader: the company's label, else plain words.

    Parameters
    ----------
    arrivals
        What lead volume counts.

    Examples
    --------
    >>> driver_label("opportunity to won", Say()), driver_label("lead volume", Say(), "deals")
    ('opportunities won', 'number of deals')
    >>> from funnel.contract.plan import Company
    >>> driver_label("mix", Say(Company(labels={"mix": "sources"})))
    'sources'
    """
    if driver in _NAMES and driver not in say.company.labels:
        return _NAMES[driver].format(arrivals=arrivals)
    return say.step(driver)


def driver_clause(row: Row, say: Say, arrivals: str = LEADS) -> str:
    """What a driver did, for a sentence.

    Examples
    --------
    >>> driver_clause({"driver": "opportunity to won", "contribution": -40}, Say())
    'fewer opportunities were won'
    >>> driver_clause({"driver": "lead volume", "contribution": -40}, Say(), "deals opened")
    'fewer deals opened'
    >>> driver_clause({"driver": "lead volume", "segment": "web", "contribution": -40}, Say())
    'fewer leads in web'
    >>> from funnel.contract.plan import Company
    >>> labels = {"mql to sal": "accepted by sales"}
    >>> driver_clause({"driver": "mql to sal", "contribution": 40}, Say(Company(labels=labels)))
    'accepted by sales rose'
    """
    driver, place, segment = row["driver"], int(row["contribution"] < 0), row.get("segment")
    where = f" in {segment}" if isinstance(segment, str) else ""
    who, what = step_words(driver, say.company.labels) or ("", "")
    if what:
        return f"{('more', 'fewer')[place]} {who} were {what}{where}"
    if driver in _CLAUSES and not who:
        return _CLAUSES[driver][place].format(arrivals=arrivals) + where
    return f"{who or driver}{where} {('rose', 'fell')[place]}"


def driver_sentence(row: Row, unit: str, say: Say, arrivals: str = LEADS) -> str:
    """What a driver did and what it is worth.

    Examples
    --------
    >>> row = {"driver": "lead volume", "contribution": -40, "low": -70, "high": -10}
    >>> driver_sentence(row, "money", Say())
    'Fewer leads: about €40 less (likely €10 to €70).'
    """
    clause = text.capital(driver_clause(row, say, arrivals))
    return f"{clause}: {contribution_phrase(row, unit, say)}."


def change_sentence(bridge: Bridge, say: Say) -> str:
    """By how much the measure changed, from which value to which."""
    periods = (bridge.comparison.period, bridge.comparison.baseline)
    now, then = (say.span(each.start, each.end) for each in periods)
    name, measure = MEASURES[bridge.plan.measure], bridge.plan.measure
    found = bridge.coverage
    if found.arrivals == ACCOUNTS:
        name = "Recurring revenue"
    elif "deals" not in found.tables:
        return "There are no deals, so there is no change to explain."
    if not found.n_deals:
        what = "account paid" if found.arrivals == ACCOUNTS else "deal was won"
        return f"No {what} in {now} or {then}, so there is no change to explain."
    if bridge.coverage.n_deals == bridge.coverage.n_without_amount:
        return f"No won deal has a value, so there is no change of {name.lower()} to explain."
    if not math.isfinite(bridge.change) and found.arrivals == ACCOUNTS:
        why = month_gap(*found.month_gap) or f"no month of {then} or {now} is recorded"
        return f"{name} is not compared: {why}."
    unit = unit_of(measure)
    before, after = (
        amount(each, unit, say) for each in (bridge.baseline_value, bridge.period_value)
    )
    were = "were" if measure in _PLURAL else "was"
    if since := bridge.coverage.wins_since:
        return (
            f"{name} {were} {after} in {now}. There is no comparison: won deals are recorded from "
            f"{say.day(since)} on."
        )
    if bridge.change == 0:
        return f"{name} {were} {after} in both {then} and {now}."
    verb = "rose" if bridge.change > 0 else "fell"
    size = amount(abs(bridge.change), unit, say)
    if bridge.baseline_value > 0:
        size += f" ({say.share(abs(bridge.change) / bridge.baseline_value)})"
    return f"{name} {verb} by {size}, from {before} in {then} to {after} in {now}."


def has_value(bridge: Bridge) -> bool:
    """Whether there is a change to explain: won deals with a value on record, and a baseline."""
    found = bridge.coverage
    return found.n_deals > found.n_without_amount and math.isfinite(bridge.change)


def named_sentences(rows: list[Row], unit: str, say: Say, arrivals: str = LEADS) -> str:
    """Sentences of the drivers that moved, in the order given, at most four."""
    sentences = [driver_sentence(row, unit, say, arrivals) for row in rows[:_MOST_NAMED]]
    more = len(rows) - len(sentences)
    if more:
        sentences.append(f"{say.rows(more, 'further driver')} moved too.")
    return " ".join(sentences)


@text.headline(Bridge)
def bridge_headline(bridge: Bridge, say: Say) -> str:
    """Change of the measure, and the drivers that moved."""
    sentence = change_sentence(bridge, say)
    if not has_value(bridge):
        return sentence
    moved = bridge.totals[bridge.totals["verdict"] == MOVED]
    if moved.empty:
        return f"{sentence} No single driver is clear."
    order = moved["contribution"].abs().sort_values(ascending=False).index
    rows = moved.loc[order].to_dict("records")
    named = named_sentences(rows, unit_of(bridge.plan.measure), say, bridge.coverage.arrivals)
    return f"{sentence} {named}"


@text.table(Bridge)
def bridge_table(bridge: Bridge, say: Say) -> pd.DataFrame:
    """Each driver's contribution, verdict and smallest visible change."""
    return totals_table(bridge.table, bridge, say)


def totals_table(table: pd.DataFrame, bridge: Bridge, say: Say) -> pd.DataFrame:
    """Each driver's contribution, its verdict, and the smallest change that would be visible.

    Parameters
    ----------
    table
        Rows of the bridge, before or after the checks.
    """
    totals, unit = shown_totals(table), unit_of(bridge.plan.measure)
    cells = []
    for row in totals.to_dict("records"):
        value, *ends = (
            amount(row[name], unit, say, sign=True) for name in ("contribution", "low", "high")
        )
        cells.append(say.estimate(value, *ends) if math.isfinite(row["low"]) else value)
    return pd.DataFrame(
        {
            "driver": [
                driver_label(name, say, bridge.coverage.arrivals) for name in totals["driver"]
            ],
            "contribution": cells,
            "verdict": totals["verdict"],
            "visible from": [amount(size, unit, say) for size in totals["smallest_detectable"]],
        }
    )


@text.caveats(Bridge)
def bridge_caveats(bridge: Bridge, say: Say) -> list[str]:
    """What limits a bridge, and what its verdicts mean."""
    found, comparison = bridge.coverage, bridge.comparison
    now, then = comparison.period, comparison.baseline
    sentences = []
    if not comparison.is_complete:
        sentences.append(
            f"{now.label} has not ended: its {say.number(now.n_days)} days to {say.day(now.end)} "
            f"are compared with the first {say.number(then.n_days)} days of {then.label}."
        )
    elif abs(now.n_days - then.n_days) >= _WEEK:  # a fiscal year of 53 weeks
        sentences.append(
            f"{now.label} has {say.number(now.n_days)} days, {then.label} "
            f"{say.number(then.n_days)}: part of the change is their length."
        )
    if found.arrivals == ACCOUNTS:
        return [*sentences, _LAST_MONTHS, verdict_legend(say)]
    wins = (bridge.baseline_wins, bridge.period_wins)
    noun = "lead" if found.arrivals == LEADS else "deal"
    unsplit = [
        f"No {noun} has a `{name}`, so the change is not split by it."
        for name in found.unfilled_segments
        if found.tables
    ]
    if "deals" not in found.tables:
        return [*sentences, "There are no deals, so bookings and deal size are unknown.", *unsplit]
    if not any(wins):
        sentences.append(f"No deal was won in {now.label} or {then.label}.")
    elif not all(wins) and not found.wins_since:
        empty = (then if wins[0] == 0 else now).label
        sentences.append(
            f"No deal was won in {empty}. Rates and deal size unknown there are taken from the "
            "other period, so they contribute nothing."
        )
    if found.arrivals == OPENED:
        lacking = "No deal names a lead" if "leads" in found.tables else "There are no leads"
        sentences.append(f"{lacking}: deals are followed from their opening.")
    elif found.arrivals == WON:
        sentences.append(
            "Every deal on record is won. Without those that were lost, or are open, there is no "
            "win rate and no time to win, so the change is split by number and size of the wins."
        )
    elif "stage_changes" not in found.tables:
        sentences.append(
            f"There are no stage changes: the stages are {', '.join(found.stages)}, read from "
            "leads and deals."
        )
    if found.leads_since is not None:
        sentences.append(
            f"Leads are on record from {say.day(found.leads_since)} on, less than "
            f"{say.number(found.n_periods)} periods back. Lead volume is overstated by the leads "
            "missing before."
        )
    if found.unrecorded_exits:
        sentences.append(
            f"{', '.join(driver_label(each, say) for each in found.unrecorded_exits)}: exits are "
            "mostly not recorded, so a lower rate "
            "and a longer time in stage look alike."
        )
    if found.has_calendar:
        sentences.append(
            "Season and working days: what arrivals, working days and closings of earlier periods "
            "let expect. The page of seasons shows another figure: what the history of bookings "
            "alone lets expect."
        )
    if not found.has_calendar and not found.wins_since:
        sentences.append(
            "There are too few earlier years to expect a season: it is part of the other drivers."
        )
    sentences += unsplit
    n_deals = say.number(found.n_deals)
    if found.n_without_lead:
        sentences.append(
            f"{say.number(found.n_without_lead)} of {n_deals} deals won in the two periods are new "
            f"and have no lead: they are the driver `{driver_label(WITHOUT_LEAD, say)}`, and in no "
            "rate."
        )
    if found.n_renewals:
        sentences.append(
            f"{say.number(found.n_renewals)} of {n_deals} deals won in the two periods are "
            f"expansions or renewals: they are the driver `{driver_label(RENEWALS, say)}`, and in "
            "no rate."
        )
    if found.n_without_amount:
        sentences.append(
            f"{say.number(found.n_without_amount)} of {n_deals} won deals have no amount; they "
            "count as 0."
        )
    if found.n_refunds:
        sentences.append(
            f"{say.rows(found.n_refunds, 'won deal has', 'won deals have')} an amount below 0; "
            "they count as they are."
        )
    if 0 < min(wins) < _FEW_WINS:
        sentences.append(
            f"With {say.number(wins[0])} and {say.number(wins[1])} wins only large changes are "
            "visible; each row says how large."
        )
    if any(wins) and not found.wins_since:
        sentences.append(verdict_legend(say))
    return sentences


@text.headline(DriverTests)
def tests_headline(tests: DriverTests, say: Say) -> str:
    """Number of tests that the adjustment is made for."""
    return (
        f"P values are adjusted for {say.number(tests.n_tests)} tests, those of segments and "
        "stages included."
    )


@text.table(DriverTests)
def tests_table(tests: DriverTests, say: Say) -> pd.DataFrame:
    """Each driver: z, its p value, and both adjustments."""
    totals = tests.totals
    return pd.DataFrame(
        {
            "driver": [driver_label(driver, say) for driver in totals["driver"]],
            "in wins": [say.number(n, digits=1, sign=True) for n in totals["wins"]],
            "z": [say.number(z, digits=2, sign=True) for z in totals["z"]],
            "p of z": [_probability(p, say) for p in totals["p_value"]],
            "p with stages, times, segments": [_probability(p, say) for p in totals["p_combined"]],
            "adjusted": [_probability(p, say) for p in totals["p_adjusted"]],
        }
    )


def _probability(p: float, say: Say) -> str:
    if p < _LEAST_P:
        return f"under {say.number(_LEAST_P, digits=3)}"
    return say.number(p, digits=3)
