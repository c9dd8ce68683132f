"""Every sentence, heading and question of the checks.

`sentence` writes what a detector found; `question` gives what to ask about a kind of problem.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from functools import singledispatch
from typing import Any

import pandas as pd

from funnel.checks.breaks import record_break as kinds
from funnel.checks.breaks.day_counts import PREFIX
from funnel.checks.breaks.record_break import RecordBreak
from funnel.checks.currencies import MixedCurrencies
from funnel.checks.deal_records import NO_AMOUNT, NO_LOST, NO_OPENING, NOT_LINKED, DealGap
from funnel.checks.fields import FilledByOutcome
from funnel.checks.fill_rates import FillChange
from funnel.checks.limits import MATURE_SHARE, MOST_CURRENCIES
from funnel.checks.maturity import Maturity
from funnel.checks.natures import ASK, BUSINESS, RECORDS
from funnel.checks.outcomes import RecordedSince
from funnel.checks.proposals import (
    Alias,  # noqa: F401 - for the doctest
    Exclusion,  # noqa: F401
    PossibleTests,
    Proposals,
)
from funnel.checks.reconciliation import (
    DEALS,
    EXCLUDED,
    NOT_USED,
    READ,
    REJECTED,
    STATES,
    USED,
    Reconciliation,
    UnknownMoney,
)
from funnel.checks.record_problems import (
    BY_OUTCOME,
    COLLAPSED,
    FILL_CHANGED,
    IMMATURE_COHORTS,
    NO_ORDER,
    ONE_CHANNEL,
    RECORDED_LATE,
    REPEAT_LEADS,
    STOPPED,
    RecordProblem,
    RecordProblems,
)
from funnel.checks.repeats import OneChannel, RepeatLeads, RepeatShare, StageOrder
from funnel.checks.row_findings import RowFindings
from funnel.checks.subscription_months import (
    ACCOUNT_GAP,
    BELOW_ZERO,
    HALF_LOADED_MONTH,
    MISSING_MONTH,
    SubscriptionFinding,
)
from funnel.checks.table_coverage import STREAMS, UNKNOWN, Collapse, CoverageGrid, StoppedSource
from funnel.checks.tracking_losses import FEWER_TRACE, NO_CHANNEL, NO_TOUCHES, TrackingLoss
from funnel.contract.outgoing_text import without_controls
from funnel.contract.periods import Period
from funnel.dataset.engine import literal
from funnel.results import Say, text

_MOST_MONTHS = 3  # that a sentence names
QUESTIONS = {
    RECORDED_LATE: "Since when are these recorded, and can earlier ones be added?",
    STOPPED: "Did this end, or is the export cut off?",
    COLLAPSED: "Did the business fall so far, or are rows missing since?",
    BY_OUTCOME: "Who fills this field, and at which step?",
    FILL_CHANGED: "What changed in how this field is filled?",
    IMMATURE_COHORTS: "Can the meeting wait for these cohorts, or compare at equal age?",
    NO_ORDER: "In which order do leads enter stages, and is coming back to a stage meant?",
    REPEAT_LEADS: "Is a row of leads a person, or one visit of a person?",
    ONE_CHANNEL: "Is the channel of each single contact recorded anywhere?",
    NO_LOST: "Where are lost deals recorded, and can they be exported?",
    NO_OPENING: "When was each deal opened?",
    NO_AMOUNT: "What was booked for these deals?",
    NOT_LINKED: "Which lead did these deals grow from?",
    MISSING_MONTH: "Can the missing months be exported?",
    HALF_LOADED_MONTH: "Is the month complete, and can it be exported again?",
    ACCOUNT_GAP: "Did these accounts pause, or is a month of theirs missing?",
    BELOW_ZERO: "Are these credits, and to which months do they belong?",
    kinds.VALUE_BEGINS: "Is this new in the business, or only in the system?",
    kinds.VALUE_ENDS: "Did the business give this up, or does the system record it otherwise?",
    kinds.RENAMED: "Is this one thing under two names?",
    kinds.REPLACED: "Did the system give new keys to the same people or records?",
    kinds.TABLE_BEGINS: "Since when is this recorded, and can earlier rows be exported?",
    kinds.INTERRUPTED: "Are the rows of these days lost, or can they be exported?",
    kinds.ONE_TIME: "What was imported or changed at once, and when did it really happen?",
    kinds.ONE_DAY: "What happened on this day: an event, or an import?",
    kinds.MIGRATED: "Can the days from before the migration be exported?",
    kinds.MASS_CLOSING: "When were these deals really decided?",
    kinds.MASS_EXIT: "When did these leads really leave?",
    kinds.SURVIVORS: "Where are the leads from which no deal came?",
    kinds.ONLY_WON: "Where are the lost deals from before this day?",
    kinds.DOUBLED: "Why is one record there under two keys, and which one stays?",
    kinds.LATE_CLOSINGS: "Which deals are decided and not yet closed in the system?",
    kinds.FIELD_CHANGED: "What changed in how this field is filled?",
    kinds.REJECTED: "What do these rows mean, in the words of the plan?",
    kinds.DATES_ONLY: "Which system recorded the hour, and which only the day?",
    kinds.SAME_DAY: "When were these deals opened?",
    kinds.CLOCK: "Did the time zone of the system or of the export change?",
    kinds.SCALE: "In which unit are these amounts: cents, a year or a month, gross or net?",
}
EVENTS = {
    ("leads", "created_at"): "New leads",
    ("stage_changes", "entered_at"): "Stage changes",
    ("deals", "created_at"): "New deals",
    ("deals", "closed_at"): "Closings of deals",
}
OUTCOMES = {"won": "Wins", "lost": "Lost deals"}
DEAL_GAPS = {
    NO_OPENING: "have the same opening and closing time. The opening is not recorded, "
    "so there is no sales cycle of deals.",
    NO_AMOUNT: "have no amount above zero. Bookings and deal size cover only the others.",
    NOT_LINKED: "are linked to no lead. Conversion of leads counts only the others.",
}


def question(problem: str) -> str:
    """What to ask the owning team about a kind of record problem."""
    return QUESTIONS[problem]


@singledispatch
def sentence(found: Any, say: Say) -> str:
    """What a detector found, as one or two sentences.

    Examples
    --------
    >>> from funnel.checks.currencies import MixedCurrencies
    >>> sentence(MixedCurrencies("currency", (("EUR", 12), ("USD", 3))), Say())
    'Deals are in EUR 12, USD 3 by `currency`, and there is no rate between them.'
    """
    raise NotImplementedError(f"{type(found).__name__} has no sentence.")


@sentence.register
def _(found: RecordedSince, say: Say) -> str:
    outcomes, covered_from = outcome_name(found.outcome), say.day(found.covered_from)
    if not found.is_from_first:
        begin = f"{outcomes} are recorded only in part before {covered_from}"
    else:
        begin = f"{outcomes} are not recorded before {say.day(found.first)}"
        if found.covered_from > found.first:
            begin += f", and only in part before {covered_from}"
    return (
        f"{begin}: later {found.table} at the same age suggest about {say.number(found.expected)} "
        f"by then, and {say.number(found.recorded)} are recorded. The "
        f"{say.number(found.n_leads)} {found.table} created before {covered_from} are not covered: "
        "their rates say nothing about success."
    )


@sentence.register
def _(found: Maturity, say: Say) -> str:
    outcomes = outcome_name(found.outcome)
    return (
        f"The {say.number(found.n_immature)} {found.table} created from {found.immature_from} on "
        f"are too recent to compare: {say.share(MATURE_SHARE)} of the "
        f"{outcomes[0].lower()}{outcomes[1:]} within "
        f"{say.number(found.horizon_days)} days come by {say.number(found.mature_days)} days. "
        "Compare cohorts at equal age only."
    )


@sentence.register
def _(found: FilledByOutcome, say: Say) -> str:
    points = [_points(each, say) for each in (found.difference, found.low, found.high)]
    return (
        f"`{found.column}` of leads is blank or unknown for {say.share(found.share_won)} of the "
        f"{say.number(found.n_won)} won leads and for {say.share(found.share_other)} of the "
        f"{say.number(found.n_other)} others, {points[0]} points apart "
        f"{say.interval(*points[1:])}. It is filled differently by outcome, so blank and unknown "
        "are not ranked."
    )


@sentence.register
def _(found: FillChange, say: Say) -> str:
    field = {"touch": "A touch", "activity": "A sales activity"}.get(
        found.column, f"`{found.column}`"
    )
    points = [
        _points(each, say) for each in (found.share - found.share_before, found.low, found.high)
    ]
    return (
        f"{field} of {found.rows_of} is filled for {say.share(found.share)} of "
        f"{say.number(found.n)} in {found.period} and was for {say.share(found.share_before)} of "
        f"{say.number(found.n_before)} in {found.baseline}, {points[0]} points "
        f"{say.interval(*points[1:])}. Splits by it cannot be compared between the two."
    )


@sentence.register
def _(found: StoppedSource, say: Say) -> str:
    source = f"`{found.table}`" + f" of channel {found.channel}" * bool(found.channel)
    return (
        f"{source} end on {say.day(found.last_on)}, {say.number(found.gap_days)} days before "
        f"{say.day(found.as_of)}. At the rate of the weeks before, about "
        f"{say.number(found.expected)} more rows would be there. "
        f"{nature_of_stop(found.table, found.channel, found.nature, found.successor)}"
    )


def nature_of_stop(table: str, channel: str, nature: str, successor: str) -> str:
    """What the end of a source says about the business.

    Examples
    --------
    >>> nature_of_stop("leads", "Paid Search", "records", "PPC")[:53]
    'Rows of channel PPC rose by as many at the same time:'
    """
    if successor:
        name = "no known channel" if successor == UNKNOWN else f"channel {successor}"
        rose = f"Rows of {name} rose by as many at the same time"
        if nature == RECORDS:
            return f"{rose}: the records changed, and that is no evidence of a fall."
        return f"{rose}, and so did its spend. Ask whether the channel was renamed or replaced."
    if nature == RECORDS:
        elsewhere = " Other tables still have the channel." if channel else ""
        return f"That there are none is no evidence of a fall.{elsewhere}"
    if nature == BUSINESS:
        other = "Leads of it" if table == "spend" else "Spend on it"
        return f"{other} ended too, and no other channel took over: the channel itself stopped."
    return "Ask whether it stopped, or whether its rows are no longer recorded."


@sentence.register
def _(found: Collapse, say: Say) -> str:
    return collapse_sentence(
        EVENTS[found.table, found.column], found.since, found.n, found.expected, say
    )


def collapse_sentence(what: str, since: dt.date, n: int, expected: float, say: Say) -> str:
    """How few events there are since a day."""
    return (
        f"{what} fell to {say.share(n / expected)} of what was expected: {say.number(n)} from "
        f"{say.day(since)} on, where the weeks before make about {say.number(expected)} likely. "
        "Ask whether the business fell so far, or rows are missing."
    )


@sentence.register
def _(found: TrackingLoss, say: Say) -> str:
    when = interval_in_words(found.since, found.until, say)
    if found.kind == NO_TOUCHES:
        return (
            f"No touch is recorded {when}, where the days before make about "
            f"{say.number(found.expected)} likely. Touches were lost, and that there are none is "
            "no fall of any channel."
        )
    if found.kind == FEWER_TRACE:
        return (
            f"{say.share(found.share)} of {say.number(found.n)} won deals that name a lead or an "
            f"account and closed {when} cannot be traced; of the others "
            f"{say.share(found.share_outside)} cannot. Coverage was lower then, which is no shift "
            "between channels."
        )
    if found.kind == NO_CHANNEL:
        rows = "touches have no known channel" + ", or say direct" * found.with_direct
    elif found.channel:
        rows = f"leads of channel {found.channel} have no touch of it"
    else:
        rows = "leads have no touch up to the day after"
    return (
        f"{say.share(found.share)} of {say.number(found.n)} {rows} {when}; outside of it "
        f"{say.share(found.share_outside)}. Tracking changed there, and no figure by channel can "
        "be compared across it."
    )


@sentence.register
def _(found: StageOrder, say: Say) -> str:
    return (
        f"{say.number(found.n)} of {say.number(found.of)} leads beyond {found.first_stage} "
        f"({_share(found, say)}) enter a stage again ({say.number(found.n_again)}), enter stages "
        f"in another order than the plan's ({say.number(found.n_other_order)}) or skip one "
        f"({say.number(found.n_skipped)}). Rates count the first entry, and a skipped stage with "
        "the next one; times between two stages say little here."
    )


@sentence.register
def _(found: OneChannel, say: Say) -> str:
    return (
        f"None of {say.rows(found.of, found.unit)} has touches of more than one channel "
        f"({_share(found, say)}; {say.number(found.n_again)} have more than one touch). The "
        f"channel is one per {found.unit}, and not each touch's own: every model gives the same "
        "credit, and which channels work together cannot be seen."
    )


@sentence.register
def _(found: RepeatLeads, say: Say) -> str:
    first, last, months = found.first, found.last, ""
    if first.month != last.month:
        months = (
            f" In {first.month} there were {say.number(first.n_leads)} leads, "
            f"{say.number(first.n_new)} of them from new accounts; in {last.month} "
            f"{say.number(last.n_leads)}, {say.number(last.n_new)} of them from new ones."
        )
    return (
        f"{say.number(found.n)} of {say.number(found.of)} leads ({_share(found, say)}) come from "
        f"an account that had one before.{months} The number of leads grows with the accounts "
        "known: compare months by rates."
    )


@sentence.register
def _(found: DealGap, say: Say) -> str:
    if found.kind == NO_LOST:
        return (
            f"None of the {say.number(found.of)} closed deals is lost. Lost deals are not "
            "recorded, so deals have no win rate, and no reason of loss is known."
        )
    between = say.interval(say.share(found.low), say.share(found.high))
    return (
        f"{say.number(found.n)} of {say.number(found.of)} {found.outcome} deals "
        f"({say.share(found.share)} {between}) {DEAL_GAPS[found.kind]}"
    )


@sentence.register
def _(found: MixedCurrencies, say: Say) -> str:
    shown = [f"{code} {say.number(n)}" for code, n in found.n_deals[:MOST_CURRENCIES]]
    return (
        f"Deals are in {', '.join(shown)} by `{found.column}`, and there is no rate between them."
    )


@sentence.register
def _(found: SubscriptionFinding, say: Say) -> str:
    listed = ", ".join(found.months[:_MOST_MONTHS])
    if len(found.months) > _MOST_MONTHS:
        listed += f" and {say.number(len(found.months) - _MOST_MONTHS)} more"
    ids = ", ".join(found.ids[:_MOST_MONTHS])
    if found.kind == MISSING_MONTH:
        are = "is" if found.n == 1 else "are"
        return (
            f"{listed} {are} missing from the table of subscriptions: no movement is computed into "
            "or out of a missing month."
        )
    if found.kind == HALF_LOADED_MONTH:
        n, expected = say.rows(found.n, "account"), say.number(found.expected)
        return (
            f"{listed} has rows of {n}, and {expected} paid in the month before: it is loaded in "
            "part, and no figure reads it."
        )
    if found.kind == ACCOUNT_GAP:
        return (
            f"{say.rows(found.n, 'account')} ({ids}) have no row in one month ({listed}) and pay "
            f"the same before and after, {say.money(found.money)} a month. As recorded, each left "
            "and came back."
        )
    return (
        f"{say.money(found.money)} of {say.rows(found.n, 'account')} ({ids}; {listed}) are below "
        "zero: they are excluded with their money, and such an account counts as 0 in that month."
    )


@sentence.register
def _(found: RecordBreak, say: Say) -> str:
    says = _BREAKS[found.what](found, say)
    if found.remedy:
        says += f" If it is one thing, add to `[records]` of the plan: `{found.remedy}`."
    return says


def _column(found: RecordBreak) -> str:
    """A column with its table, in a sentence."""
    if found.column.startswith(PREFIX):
        column = found.column.removeprefix(PREFIX)
        return f"The first letters of `{column}` of {found.table}"
    return f"`{found.column}` of {found.table}"


def _words(found: RecordBreak, say: Say) -> str:
    """Words of a column, or their number where they are many."""
    if len(found.words) > 2:
        return f"{say.number(len(found.words))} values"
    return " and ".join(found.words)


def _value_begins(found: RecordBreak, say: Say) -> str:
    return (
        f"{_column(found)}: {_words(found, say)} {_from(found, say)} ({say.share(found.after)} of "
        f"the rows), and not before, where about {say.number(found.expected)} rows would be likely."
    )


def _value_ends(found: RecordBreak, say: Say) -> str:
    return (
        f"{_column(found)}: no row of {_words(found, say)} {_from(found, say)}, "
        f"{say.share(found.before)} before. About {say.number(found.expected)} more were likely."
    )


def _renamed(found: RecordBreak, say: Say) -> str:
    old, new = found.words
    return (
        f"{_column(found)}: {new} begins on {say.day(found.since)}, when {old} ends, and has about "
        f"as many rows ({say.share(found.before)} before, {say.share(found.after)} since)."
    )


def _replaced(found: RecordBreak, say: Say) -> str:
    return (
        f"{_column(found)}: {say.number(len(found.words))} values end about "
        f"{say.day(found.since)}, and as many begin with the same volume. The keys changed, "
        "and not who or what they stand for."
    )


def _table_begins(found: RecordBreak, say: Say) -> str:
    return (
        f"`{found.table}` begin on {say.day(found.since)}, and other tables hold earlier rows. "
        f"About {say.number(found.expected)} earlier ones would be likely. That there are none is "
        "no evidence."
    )


def _interrupted(found: RecordBreak, say: Say) -> str:
    return (
        f"`{found.table}` have no `{found.column}` for {say.number(found.days)} days "
        f"{_from(found, say)}, where about {say.number(found.expected)} rows would be likely. "
        "Other tables go on, so rows were lost."
    )


def _at_once(found: RecordBreak, say: Say) -> str:
    if found.expected == 0:
        return (
            f"All {say.number(found.n)} rows of {found.table} with a `{found.column}` have "
            f"{say.day(found.since)}. It may be the day of the export: nothing can be compared "
            "over time."
        )
    within = "within one minute " if found.what == kinds.ONE_TIME else ""
    word = f" ({found.words[0]})" if found.words else ""
    end = "entered them, and the moment says when" if within else "or an event may be behind it"
    system = "A system " if within else "An import "
    return (
        f"{say.number(found.n)} rows of {found.table}{word} have a `{found.column}` {within}on "
        f"{say.day(found.since)}, far more than on other days. {system}{end}."
    )


def _migrated(found: RecordBreak, say: Say) -> str:
    return (
        f"{say.number(found.n)} rows of {found.table} have {say.day(found.since)} as "
        f"`{found.column}`, and hardly any an earlier day. A migration set it, and when they "
        "really began is unknown."
    )


def _mass_closing(found: RecordBreak, say: Say) -> str:
    return (
        f"{say.number(found.n)} deals were set lost on {say.day(found.since)}, far more than on "
        "other days. They were cleaned up, and lost earlier."
    )


def _mass_exit(found: RecordBreak, say: Say) -> str:
    return (
        f"{say.number(found.n)} leads were set {found.words[0]} on {say.day(found.since)}, far "
        "more than on other days. They were cleaned up, and left earlier."
    )


def _survivors(found: RecordBreak, say: Say) -> str:
    of = f" whose `{found.column}` is {found.words[0]}" if found.words else ""
    rows, have = ("leads", "have a deal")
    if found.what == kinds.ONLY_WON:
        rows, have = ("closed deals", "are won")
    return (
        f"All {say.number(found.n)} {rows}{of} from before {say.day(found.since)} {have}; of later "
        f"ones {say.share(found.after)}. The others were not recorded, and rates before that day "
        "say nothing."
    )


def _doubled(found: RecordBreak, say: Say) -> str:
    shares = ""
    if math.isfinite(found.after):
        shares = f" ({say.share(found.after)}; {say.share(found.before)} before)"
    return (
        f"{say.number(found.n)} rows of {found.table} {_from(found, say)} equal another one in all "
        f"but the key{shares}."
    )


def _late_closings(found: RecordBreak, say: Say) -> str:
    if math.isnan(found.p_value):
        return (
            f"The stage history has leads won or lost in the last {say.number(found.days)} days, "
            f"and {say.rows(round(found.expected) - found.n, 'deal')} of these "
            f"{'is' if round(found.expected) - found.n == 1 else 'are'} still open; "
            f"{say.rows(found.n, 'closing')} of these days {'is' if found.n == 1 else 'are'} there."
        )
    return (
        f"The last {say.number(found.days)} days have {say.rows(found.n, 'closing')}, where about "
        f"{say.number(found.expected)} were expected by the same days of earlier quarters. "
        + (
            "More may still be entered."
            if found.nature == RECORDS
            else "Ask whether more will be entered, or fewer deals were decided."
        )
    )


def _field_changed(found: RecordBreak, say: Say) -> str:
    return (
        f"{_column(found)} is filled for {say.share(found.after)} of rows {_from(found, say)} and "
        f"for {say.share(found.before)} before. Splits by it cannot be compared across that day."
    )


def _rejected(found: RecordBreak, say: Say) -> str:
    when = _from(found, say) if found.after >= found.before else f"before {say.day(found.since)}"
    rows = f"{say.number(found.n)} rows of {found.table} {when} were rejected"
    if not found.column:
        return f"{rows}: {found.words[0]}."
    stage = found.words[1:]
    missing = f" Entries into {stage[0]} are missing meanwhile." if stage else ""
    return f"{rows}: `{found.column}` is {found.words[0]}, which the plan does not know.{missing}"


def _dates_only(found: RecordBreak, say: Say) -> str:
    return (
        f"{_column(found)} has no hour for {say.share(found.before)} of rows before "
        f"{say.day(found.since)} and for {say.share(found.after)} since. Times of hours cannot be "
        "compared across that day."
    )


def _same_day(found: RecordBreak, say: Say) -> str:
    return (
        f"{say.share(found.after)} of closed deals were opened on the day of their closing "
        f"{_from(found, say)}, and {say.share(found.before)} before. Sales cycles cannot be "
        "compared across that day."
    )


def _clock(found: RecordBreak, say: Say) -> str:
    hours = say.number(abs(24 * found.days), digits=1)
    return (
        f"{_column(found)} is {hours} hours {'later' if found.days > 0 else 'earlier'} "
        f"{_from(found, say)}, with the same profile over the day. The time zone changed, and not "
        "when people work."
    )


def _scale(found: RecordBreak, say: Say) -> str:
    factor = say.number(found.after, digits=0 if found.after >= 10 else 2)
    how = (
        "compared with the recurring revenue of the same deals" if found.words else "in all groups"
    )
    return (
        f"Amounts of deals are {factor} times those before {_from(found, say)}, {how}. The unit "
        "changed, and not the size of deals."
    )


def _from(found: RecordBreak, say: Say) -> str:
    return f"from {say.day(found.since)} on"


_BREAKS = {
    kinds.VALUE_BEGINS: _value_begins,
    kinds.VALUE_ENDS: _value_ends,
    kinds.RENAMED: _renamed,
    kinds.REPLACED: _replaced,
    kinds.TABLE_BEGINS: _table_begins,
    kinds.INTERRUPTED: _interrupted,
    kinds.ONE_TIME: _at_once,
    kinds.ONE_DAY: _at_once,
    kinds.MIGRATED: _migrated,
    kinds.MASS_CLOSING: _mass_closing,
    kinds.MASS_EXIT: _mass_exit,
    kinds.SURVIVORS: _survivors,
    kinds.ONLY_WON: _survivors,
    kinds.DOUBLED: _doubled,
    kinds.LATE_CLOSINGS: _late_closings,
    kinds.FIELD_CHANGED: _field_changed,
    kinds.REJECTED: _rejected,
    kinds.DATES_ONLY: _dates_only,
    kinds.SAME_DAY: _same_day,
    kinds.CLOCK: _clock,
    kinds.SCALE: _scale,
}


def outcome_name(outcome: str) -> str:
    """An outcome in the plural, as a sentence begins."""
    return OUTCOMES.get(outcome, f"Entries into stage `{outcome}`")


def interval_in_words(since: dt.date | None, until: dt.date | None, say: Say) -> str:
    """From when to when; an end that is missing has no limit.

    Examples
    --------
    >>> interval_in_words(dt.date(2026, 2, 2), dt.date(2026, 3, 1), Say())
    'from Feb 2, 2026 to Mar 1, 2026'
    >>> interval_in_words(None, dt.date(2026, 3, 1), Say())
    'up to Mar 1, 2026'
    """
    if since is not None and until is not None:
        return f"from {say.day(since)} to {say.day(until)}"
    if until is not None:
        return f"up to {say.day(until)}"
    return f"from {say.day(since)} on" if since is not None else "at any time"


@text.headline(RecordProblems)
def record_problems_headline(found: RecordProblems, say: Say) -> str:
    """How many problems, and of which kinds."""
    if not found.problems:
        return "No problem was found in how the records are filled."
    kinds = ", ".join(dict.fromkeys(found.table["problem"]))
    n = say.rows(len(found.table), "problem")
    return f"{n} found in how the records are filled: {kinds}."


@text.table(RecordProblems)
def record_problems_table(found: RecordProblems, say: Say) -> pd.DataFrame:
    """Each problem with its sentence, and what to ask whom."""
    return pd.DataFrame(
        {
            "problem": found.table["problem"],
            "what was found": [sentence(each.found, say) for each in found.problems],
            "what it can move": [_reach(each, say) for each in found.problems],
            "team to ask": found.table["team"],
            "question": [question(each) for each in found.table["problem"]],
        }
    )


def _reach(problem: RecordProblem, say: Say) -> str:
    """Whether it may be the business, the drivers that it can move, and their money at most."""
    drivers = dict.fromkeys(each.rpartition(" ")[0] for each in problem.drivers.split("; "))
    parts = ["records or business: ask"] if problem.nature == ASK else []
    parts += [", ".join(map(say.step, drivers))] if problem.drivers else []
    if math.isfinite(problem.at_most) and problem.at_most > 0:
        parts.append(f"at most {say.money(problem.at_most)}")
    return "; ".join(parts)


@text.headline(Reconciliation)
def reconciliation_headline(found: Reconciliation, say: Say) -> str:
    """What of the money recorded as won is used, and where the rest is."""
    parts = []
    deals = found.table[found.table["table"] == DEALS]
    if not deals["n_rows"].any():
        return "No deal is recorded in either period, so there is no money to follow."
    for period, rows in deals.groupby("period", sort=False):
        money = rows.set_index("state")["money"]
        rest = [f"{say.money(money[state])} {state}" for state in NOT_USED if money[state]]
        what = f"{', '.join([f'{say.money(money[USED])} used', *rest])}" if rest else "all used"
        parts.append(f"{say.money(money[READ])} is recorded as won in {period}: {what}.")
    return " ".join(parts)


@text.table(Reconciliation)
def reconciliation_table(found: Reconciliation, say: Say) -> pd.DataFrame:
    """Rows of each table by period and state, and what the deals were won for."""
    rows = []
    for (name, period), one in found.table.groupby(["table", "period"], sort=False):
        of = one.set_index("state")
        shown = {state: say.number(of.loc[state, "n_rows"]) for state in STATES}
        rows.append({"table": name, "period": period, **shown})
        if name == DEALS:
            money = {state: say.money(of.loc[state, "money"]) for state in STATES}
            rows.append({"table": "deals: won", "period": period, **money})
    return pd.DataFrame(rows, columns=["table", "period", *STATES])


def lost_money_sentence(found: Reconciliation, period: Period, say: Say) -> str:
    """How much of a period's money is in rejected deals, and how much the plan excludes."""
    (n, lost), (n_out, out) = found.row(period, REJECTED), found.row(period, EXCLUDED)
    read = sum(found.row(period, state)[1] for state in (USED, REJECTED, EXCLUDED))
    parts = []
    if lost:
        holds = "holds" if n == 1 else "hold"
        parts.append(f"{say.rows(n, 'rejected deal')} of {period.label} {holds} {say.money(lost)}")
    if out:
        parts.append(
            f"the plan excludes {say.rows(n_out, 'deal')}{'' if lost else f' of {period.label}'} "
            f"with {say.money(out)}"
        )
    clause = f"{' and '.join(parts)}, of {say.money(read)} in all"
    return f"{text.capital(clause)}. No figure on this page counts it."


def unknown_money_sentence(found: UnknownMoney, say: Say) -> str:
    """How many wins of a period have no money that can be counted, and in which currencies."""
    codes = ", ".join(f"{code} {say.number(n)}" for code, n in found.other[:MOST_CURRENCIES])
    why = f" ({codes}, without a rate in the plan)" if codes else ""
    return (
        f"The money of {say.number(found.n)} of {say.rows(found.of, 'win')} of {found.period} is "
        f"unknown{why}. Every figure of money on this page is without it."
    )


def closed_after_data_sentence(n: int, money: float, say: Say) -> str:
    """How much money is in deals whose closing is dated after the data ends."""
    holds = "holds" if n == 1 else "hold"
    return (
        f"{say.rows(n, 'deal')} won or lost on a day after the data ends {holds} "
        f"{say.money(money)}, and no figure on this page counts them. Are the dates mistyped?"
    )


def equal_shares_sentence(n: int, money: float, say: Say) -> str:
    """How much more was won if rows of one deal are equal shares of it."""
    repeat = "repeats" if n == 1 else "repeat"
    return (
        f"{say.rows(n, 'row')} of deals {repeat} a deal and its amount for another owner or "
        f"product, and each deal is counted once. As shares they would add {say.money(money)}: "
        "`split_deals` of the plan says which."
    )


@text.headline(CoverageGrid)
def coverage_headline(grid: CoverageGrid, say: Say) -> str:
    """From when to when tables hold rows, and which have empty months."""
    if grid.table.empty:
        return "No table holds a dated row."
    held = grid.table[grid.table["n_rows"] > 0]
    start, end = held["month"].min(), held["month"].max()
    spans = grid.spans()
    steady = spans[spans["table"].isin(STREAMS)]
    last = grid.table["month"].max()
    short = steady[(steady["last_month"] < last) | (steady["months_without"] > 0)]
    n_tables = held["table"].nunique()
    held_by = f"{say.rows(n_tables, 'table')} hold{'s' * (n_tables == 1)} rows"
    if short.empty:
        return (
            f"{held_by} from {start} to {end}, without an empty month in those that fill steadily."
        )
    return (
        f"{held_by} from {start} to {end}; empty months are found in {', '.join(short['table'])}."
    )


@text.table(CoverageGrid)
def coverage_table(grid: CoverageGrid, say: Say) -> pd.DataFrame:
    """One row per table: how much it holds, from when to when."""
    spans = grid.spans()
    return pd.DataFrame(
        {
            "table": spans["table"],
            "rows": [say.number(n) for n in spans["n_rows"]],
            "from": spans["first_month"],
            "to": spans["last_month"],
            "empty months": [say.number(n) for n in spans["months_without"]],
        }
    )


@text.headline(RowFindings)
def row_findings_headline(found: RowFindings, say: Say) -> str:
    """How many findings, and for which teams."""
    n = len(found.table)
    if not n:
        return "Nothing odd was found in the rows."
    teams = ", ".join(found.table["owner"].unique())
    return f"In the rows, {say.rows(n, 'finding')} raise{'s' * (n == 1)} a question for {teams}."


@text.caveats(RowFindings)
def row_findings_caveats(found: RowFindings, say: Say) -> list[str]:
    """Lines of the plan that would settle findings."""
    return [
        f"Where this is right, `[records]` of funnel.toml may hold: `{line}`"
        for line in proposal_lines(found.proposals)
    ]


@text.table(RowFindings)
def row_findings_table(found: RowFindings, say: Say) -> pd.DataFrame:
    """Each finding with its question and examples."""
    headings = {"owner": "team", "says": "what was found", "question": "question"}
    headings["examples"] = "for example"
    return found.table[list(headings)].rename(columns=headings)


def possible_tests_sentence(found: PossibleTests, say: Say) -> str:
    """How much of a period's money is in deals that may be test records."""
    return (
        f"{say.rows(found.n, 'won deal')} of {found.period} may be "
        f"{'a test record' if found.n == 1 else 'test records'}, with {say.money(found.money)} of "
        f"{say.money(found.won)}. Every figure on this page counts "
        f"{'it' if found.n == 1 else 'them'}; `funnel check` prints the line that leaves "
        f"{'it' if found.n == 1 else 'them'} out."
    )


def proposal_lines(found: Proposals) -> list[str]:
    r"""Lines for `[records]` of the plan, in TOML.

    Examples
    --------
    >>> aliases = (Alias("channel", "E-Mail", "email", 9), Alias("loss reason", 'a "b"', "b", 2))
    >>> tests = (Exclusion("deals", "amount", (999999.0,), 3),)
    >>> for line in proposal_lines(Proposals(aliases, tests)):
    ...     print(line)
    aliases.channel = { "E-Mail" = "email" }
    aliases."loss reason" = { "a \"b\"" = "b" }
    exclude.deals = "amount in (999999)"
    """
    words: dict[str, dict[str, str]] = {}
    for alias in found.aliases:
        column = words.setdefault(alias.column, dict(found.known.get(alias.column, {})))
        column[alias.from_] = alias.to
    lines = [
        f"aliases.{_toml_key(column)} = {{ "
        + ", ".join(f"{_toml_text(word)} = {_toml_text(meant)}" for word, meant in each.items())
        + " }"
        for column, each in words.items()
    ]
    conditions: dict[str, list[str]] = {}
    for each in found.exclusions:
        listed = ", ".join(map(_sql_value, each.values))
        known = found.excluded.get(each.table)
        conditions.setdefault(each.table, [f"({known})"] if known else []).append(
            f"{each.column} in ({listed})"
        )
    lines += [
        f"exclude.{table} = {_toml_text(' or '.join(parts))}" for table, parts in conditions.items()
    ]
    return lines


def _toml_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml_text(name)


def _toml_text(value: str) -> str:
    """A string of TOML, whose escapes are those of JSON."""
    return json.dumps(without_controls(value), ensure_ascii=False)


def _sql_value(value: str | float) -> str:
    return literal(value) if isinstance(value, str) else f"{value:.2f}".removesuffix(".00")


def _share(found: RepeatShare, say: Say) -> str:
    ends = say.interval(say.share(found.low), say.share(found.high))
    return f"{say.share(found.n / found.of)} {ends}"


def _points(value: float, say: Say) -> str:
    return say.number(100 * value, digits=1, sign=True)
