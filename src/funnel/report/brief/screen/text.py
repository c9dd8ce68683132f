"""Sentences, headings and labels of the first screen.

A sentence has one number that matters and one range, and at most twenty words. Money has two
digits, a direction is a word, and no statistic is named.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from funnel.methods.bridge.bridge import RESIDUAL, shown_totals
from funnel.methods.bridge.stage_history import arrivals
from funnel.methods.bridge.text import driver_clause, driver_label, unit_of
from funnel.questions.why.claims import NOT_SUPPORTED, SUPPORTED
from funnel.questions.why.comparisons import PREVIOUS, YEAR_AGO
from funnel.questions.why.measures import ADS
from funnel.questions.why.open_questions import SIDES
from funnel.questions.why.text import figure_name, proposal_work
from funnel.questions.why.verdicts import CLEAR, POSSIBLE, Row, is_in_play
from funnel.report.brief import text as brief_text
from funnel.report.brief.drivers import (
    AFTER,
    BEFORE,
    BOTH,
    PLACES,
    SEASON,
    checked_drivers,
    drivers_of,
    unmoved_drivers,
)
from funnel.report.brief.facts import ACTIONS, CLAIMS, PROPOSALS, WHY, Brief
from funnel.report.brief.inputs import ACCEPTED, MonthlyInput
from funnel.results import Say
from funnel.results.text import capital
from funnel.stats import CANNOT_TELL

LOST_HEADING = "Where it was lost or won"
UNMOVED_HEADING = "Not worth arguing"
ASK_HEADING = "Open, please ask"
CLAIMS_HEADING = "What each side said"
AGREED_HEADING = "Agreed last time"
NEXT_HEADING = "Next {kind}"
DECIDE_HEADING = "Decide today"
SURE_HEADING = "How sure"
PLACE_HEADINGS = {
    BEFORE: "Before the hand-off",
    AFTER: "After the hand-off",
    BOTH: "Elsewhere",
    SEASON: "Season",
}
NOT_COMPUTED = "Not computed in this run; the part below says why."
NOTHING_UNMOVED = "Nothing can be ruled out yet."
_NONE = {
    CLAIMS: "Nothing is recorded.",
    ACTIONS: "Nothing is recorded.",
    PROPOSALS: "No action is clear enough to be measured. Put the open questions first.",
    WHY: "No single place is clear.",
}
MOST_WORDS = 248  # of 250: a browser may split a word in two
_DIGITS = 2
_LONGEST = 10  # words of a sentence that somebody wrote
_CLAIM_WORDS = {SUPPORTED: "yes", NOT_SUPPORTED: "no", CANNOT_TELL: "not settled"}
_ACTION_WORDS = {
    "moved as expected": "got better",
    "moved the other way": "got worse",
    "moved": "changed",
    "within its usual range": "as usual again",
    "no effect seen": "no change seen",
    "cannot tell": "not settled",
    "cannot tell yet": "not due yet",
}


@dataclass(frozen=True)
class Limits:
    """How much of each part is shown.

    Attributes
    ----------
    drivers, in_short
        Drivers with a bar: those with their range in words, and further ones without.
    names
        Drivers named in one line.
    claims, agreed, decisions
        Items of these parts.
    """

    drivers: int
    in_short: int
    names: int
    claims: int
    agreed: int
    decisions: int


# the first that keeps the screen within its words is used
LIMITS = (
    Limits(drivers=2, in_short=2, names=4, claims=4, agreed=2, decisions=2),
    Limits(drivers=2, in_short=2, names=3, claims=2, agreed=2, decisions=1),
    Limits(drivers=2, in_short=1, names=3, claims=2, agreed=1, decisions=1),
    Limits(drivers=2, in_short=1, names=2, claims=2, agreed=1, decisions=1),
    Limits(drivers=1, in_short=2, names=2, claims=2, agreed=1, decisions=1),
    Limits(drivers=1, in_short=1, names=2, claims=2, agreed=1, decisions=1),
    Limits(drivers=1, in_short=0, names=2, claims=2, agreed=1, decisions=1),
)


@dataclass(frozen=True)
class DriverLine:
    """One driver as the first screen shows it: what happened, and what it is worth."""

    row: Row
    what: str
    worth: str


def kicker(brief: Brief) -> list[str]:
    """Company, period, and last day of the data."""
    say, period = brief.say, brief.data.comparison.period
    last = say.day_of_year(brief.data.as_of)
    return [say.company.name, say.span(period.start, period.end), f"data to {last}"]


def headings(brief: Brief) -> list[str]:
    """Headings of the comparisons' table."""
    return ["", "now", "goal", "year ago", f"{brief.comparisons.kind} before", "13 months"]


def input_name(each: MonthlyInput, brief: Brief) -> str:
    """Name of an input at the beginning of its line."""
    if each.measure == ACCEPTED:
        return capital(brief.say.company.labels.get(each.driver, ACCEPTED))
    if each.measure == ADS:
        return "Deal size"
    return figure_name(each.measure)


def value(number: float, unit: str, say: Say) -> str:
    """Number of a line, in two digits where it is money."""
    if not math.isfinite(number):
        return ""
    if unit == "money":
        return say.short_money(number, digits=_DIGITS)
    if unit == "days":
        return f"{say.number(number)} days"
    return say.share(number) if unit == "rate" else say.number(number)


def step_note(each: MonthlyInput, say: Say) -> str:
    """That an input clearly rose or fell in a month; empty where it did not."""
    if each.step is None:
        return ""
    before, after = each.before_and_after
    return f"{'rose' if after > before else 'fell'} in {say.month(each.starts[each.step])}"


def chart_label(each: MonthlyInput, brief: Brief) -> str:
    """What the line of an input shows, for those who cannot see it."""
    say = brief.say
    known = [number for number in each.months if math.isfinite(number)]
    ends = (value(number, each.unit, say) for number in (known[0], known[-1]))
    months = (f"{say.month(day)} {day.year}" for day in (each.starts[0], each.starts[-1]))
    note = f", {step}" if (step := step_note(each, say)) else ""
    return f"{input_name(each, brief)} by month, {' to '.join(months)}: {' to '.join(ends)}{note}"


def against(brief: Brief) -> str:
    """The period that drivers are compared with."""
    when = {YEAR_AGO: "a year ago", PREVIOUS: f"the {brief.comparisons.kind} before"}
    return f"Against {when[brief.data.plan.compare]}."


def drivers_by_place(brief: Brief, limits: Limits) -> dict[str, list[DriverLine]]:
    """The largest clear drivers, by where they are on the way."""
    found: dict[str, list[DriverLine]] = {place: [] for place in PLACES}
    most = limits.drivers + limits.in_short
    for at, row in enumerate(drivers_of(CLEAR, brief.evidence.why.table)[:most]):
        line = _line(row, brief, is_short=at >= limits.drivers)
        found[brief.places[row["driver"]]].append(line)
    return {place: lines for place, lines in found.items() if lines}


def _line(row: Row, brief: Brief, *, is_short: bool) -> DriverLine:
    say, unit = brief.say, unit_of(brief.data.plan.measure)
    figure = brief.figures.get(row["driver"])
    if figure and figure.segment:
        more, rises = figure.value > figure.baseline, row["contribution"] > 0
        what = (
            f"{'More' if more else 'Fewer'} leads came from {clipped(figure.segment)}, where "
            f"{'more' if more == rises else 'fewer'} buy: {_pair(figure, say)}"
        )
    else:
        what = capital(driver_clause(row, say, arrivals(brief.data)))
        if figure:
            what += f": {_pair(figure, say)}"
    side = "less" if row["contribution"] < 0 else "more"
    short = f"About {_amount(row['contribution'], unit, say)} {side}."
    return DriverLine(row, f"{what}.", short if is_short else worth(row, unit, say))


def _pair(figure: Any, say: Say) -> str:
    now, then = (value(each, figure.unit, say) for each in (figure.value, figure.baseline))
    return f"{now} instead of {then}"


def worth(row: Row, unit: str, say: Say) -> str:
    """What a driver cost or brought, with its likely range.

    Examples
    --------
    >>> row = {"contribution": -945_000.0, "low": -1_530_000.0, "high": -316_000.0}
    >>> worth(row, "money", Say())
    'It cost about €940K, likely between €320K and €1.5M.'
    """
    cost = row["contribution"] < 0
    begin = f"It {'cost' if cost else 'brought'} about {_amount(row['contribution'], unit, say)}"
    low, high = sorted((row["low"], row["high"]), key=abs)
    if not math.isfinite(low):
        return f"{begin}."
    if low * high >= 0:
        ends = (_amount(each, unit, say) for each in (low, high))
        return f"{begin}, likely between {' and '.join(ends)}."
    return f"{begin}; it may be none."


def _amount(number: float, unit: str, say: Say) -> str:
    if unit == "count":
        return say.rows(round(abs(number)), "win")
    return say.short_money(abs(number), digits=_DIGITS)


def others(brief: Brief, limits: Limits) -> list[str]:
    """The other drivers that are clear, possible, or explained by the records, a line each."""
    table, arriving = brief.evidence.why.table, arrivals(brief.data)

    def clauses(rows: Sequence[Row]) -> str:
        return ", ".join(driver_clause(row, brief.say, arriving) for row in rows[: limits.names])

    lines = []
    if rest := drivers_of(CLEAR, table)[limits.drivers + limits.in_short :]:
        lines.append(f"Also clear: {clauses(rest)}.")
    if possible := drivers_of(POSSIBLE, table):
        lines.append(f"Possible: {_names(possible, brief, limits)}.")
    if checked := checked_drivers(table):
        lines.append(f"Explained by the records, not by a team: {_names(checked, brief, limits)}.")
    return lines


def _names(rows: Sequence[Row], brief: Brief, limits: Limits) -> str:
    arriving = arrivals(brief.data)
    names = [driver_label(row["driver"], brief.say, arriving) for row in rows]
    more = len(names) - limits.names
    shown = names if more <= 1 else names[: limits.names]
    tail = [f"{more} more"] if more > 1 else []
    return ", ".join([*shown, *tail])


def not_worth_arguing(brief: Brief, limits: Limits) -> str:
    """What did not move, in one line."""
    rows = unmoved_drivers(brief.evidence.why.table)
    if rows:
        return f"{capital(_names(rows, brief, limits))}."
    return NOT_COMPUTED if brief_text.stopped(brief, WHY) else NOTHING_UNMOVED


def none(brief: Brief, name: str) -> str:
    """Why a part has nothing to show."""
    if brief_text.stopped(brief, name):
        return NOT_COMPUTED
    if name == WHY and shown_totals(brief.evidence.why.table).empty:
        return brief_text.no_bridge(brief)
    return _NONE[name]


def ask(brief: Brief) -> dict[str, str]:
    """The first question to each side that names no table, as far as its first ", and"."""
    standing, found = brief_text.standing_questions(brief), {}
    for side, asks in brief_text.questions(brief).items():
        plain = [each.question for each in asks if "`" not in each.question]
        question = [*plain, *standing[side]][0]
        found[side] = f"{question.partition('?')[0].partition(', and ')[0]}?"
    return found


def claims(brief: Brief, limits: Limits) -> list[tuple[str, str, str]]:
    """Side, claim and yes, no or not settled: of each side those with an answer first."""
    table = brief.evidence.claims.table
    if table.empty:
        return []
    order = table.sort_values("verdict", key=lambda each: each == CANNOT_TELL, kind="stable")
    found = []
    for side in SIDES:
        rows = order[order["said_by"] == side].head(limits.claims // len(SIDES))
        found += [
            (capital(side), clipped(row["claim"]), _CLAIM_WORDS[row["verdict"]])
            for row in rows.to_dict("records")
        ]
    return found


def agreed(brief: Brief, limits: Limits) -> list[str]:
    """What was agreed last and became of it; one line that nothing is recorded where it is not."""
    table = brief.evidence.actions.table
    if table.empty:
        return []
    due = table[table["verdict"] != "cannot tell yet"]
    answered = due[due["verdict"] != "cannot tell"]
    shown = (answered if len(answered) else due if len(due) else table).tail(limits.agreed)
    lines = []
    for row in shown.to_dict("records"):
        action = clipped(row["action"]).rstrip(".")
        lines.append(f"{action}: {_ACTION_WORDS[row['verdict']]}{_from_to(row, brief.say)}.")
    return lines


def _from_to(row: Mapping[str, Any], say: Say) -> str:
    if pd.isna(row["before"]) or pd.isna(row["since"]):
        return ""
    before, since = (value(row[name], row["unit"], say) for name in ("before", "since"))
    return f", {since}, was {before}" if before != since else f", {since} as before"


class Decision(NamedTuple):
    """A proposed action in words: who and until when, the work, the number to watch."""

    who: str
    work: str
    watch: str
    driver: str


def decide(brief: Brief, limits: Limits) -> list[Decision]:
    """Proposed actions: who, until when, the work, and the number to watch."""
    table, say = brief.evidence.proposals.table, brief.say
    if table.empty:
        return []
    lines = []
    for (measure, due_on), rows in table.groupby(["measure", "due_on"], sort=False):
        row = rows.iloc[0].to_dict()
        owners = " and ".join(rows["owner"])
        owners = owners.replace("head of sales and head of", "heads of sales and")
        figure = brief.figures.get(measure)
        label = driver_label(measure, say, arrivals(brief.data))
        now = f", now {value(figure.value, figure.unit, say)}" if figure else ""
        day = say.day_of_year(pd.Timestamp(due_on).date())
        work = proposal_work(row, say)
        work = f"{work[:1].lower()}{work[1:]}"
        who = f"{capital(owners)}, by {day}:"
        lines.append(Decision(who, work, f"Watch {label}{now}.", measure))
    return lines[: limits.decisions]


def next_period(brief: Brief) -> str:
    """What the next period is to bring of what is already there; empty where that is unknown."""
    table, say, unit = brief.evidence.outlook.table, brief.say, unit_of(brief.data.plan.measure)
    if table.empty:
        return ""
    row = table.iloc[0].to_dict()
    expected, *ends = (_amount(row[name], unit, say) for name in ("expected", "low", "high"))
    return f"On the way: about {expected}, likely between {' and '.join(ends)}."


def how_sure(brief: Brief) -> str:
    """How many places are clear and how many stay open, in one line."""
    table, say = brief.evidence.why.table, brief.say
    totals = [
        row
        for row in table[table["segment"].isna()].to_dict("records")
        if row["driver"] != RESIDUAL and is_in_play(row)
    ]
    if not totals:
        return "Nothing could be estimated: see below why."
    n_clear = len(drivers_of(CLEAR, table))
    n_open = sum(row["verdict"] == CANNOT_TELL for row in totals)
    return (
        f"{say.number(n_clear)} of {say.rows(len(totals), 'place')} "
        f"{'is' if n_clear == 1 else 'are'} clear, {say.number(n_open)} open; ranges hold in "
        f"{say.share(brief.data.plan.level)}."
    )


def warnings(brief: Brief) -> str:
    """That the figures need a warning, by what it is about; empty where there is none."""
    found = brief_text.notices(brief)
    if not found:
        return ""
    if brief.plan_changed_since:
        return "The plan was changed after looking. Read the warnings first."
    n = brief.say.rows(len(found), "warning")
    return f"{n} on the records or this run. Read {'it' if len(found) == 1 else 'them'} first."


def clipped(sentence: str) -> str:
    """A sentence that somebody wrote, cut after a few words.

    Examples
    --------
    >>> clipped("one two three four five six seven eight nine ten eleven twelve")
    'one two three four five six seven eight nine ten ...'
    """
    words = str(sentence).split()
    if len(words) > _LONGEST + 1:
        words = [*words[:_LONGEST], "..."]
    return " ".join(words)
