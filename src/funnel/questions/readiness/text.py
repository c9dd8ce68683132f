"""Every sentence, heading and question of readiness.

`words` writes one requirement: a clause that says how far it is met, the same in a few words, and
the question that would settle it.
"""

from __future__ import annotations

from functools import singledispatch
from typing import NamedTuple

import numpy as np
import pandas as pd

from funnel.checks.maturity import COMPARABLE
from funnel.contract.tables import TABLES
from funnel.methods.recurring.text import month_gap
from funnel.questions.readiness.readiness import (
    CAN_ANSWER,
    CANNOT_TELL,
    IN_PART,
    LatestCohorts,
    OpenQuestions,
    QuestionState,
    Readiness,
)
from funnel.questions.readiness.requirements import (
    MISSING,
    ChannelOfLead,
    ComparableCohorts,
    Definitions,
    FieldFilled,
    FilledAlike,
    Met,
    MonthsBefore,
    MonthsCovered,
    NewestMonths,
    NothingRecorded,
    RecordedThroughout,
    RowsInBothPeriods,
    SegmentFilled,
    TableRows,
)
from funnel.results import Say, text

NAMED = 3  # questions that the headline names: more is a list
MOST_ALONE = 5  # questions that lack a table, each in a line: more are one line
MONTHS_SHOWN = 12
OUTCOMES = {"won": "wins", "lost": "lost deals"}
FIELDS = {"touch": "a touch is known", "activity": "a sales activity is recorded"}
CREATED = ("leads", "worked leads")  # other rows count by the day they were closed
STATES_IN_SHORT = {CAN_ANSWER: "yes", IN_PART: "in part", CANNOT_TELL: "cannot tell"}
STATES_OF_COHORTS = {"immature": "too recent to compare"}


class Words(NamedTuple):
    """A requirement in words."""

    clause: str
    short: str
    question: str = ""


@singledispatch
def words(met: Met, say: Say) -> Words:
    """A requirement in words.

    Examples
    --------
    >>> words(TableRows(level=MISSING, subject="claims", team="Both teams"), Say()).short
    'no `claims`'
    """
    return Words("", "")


@words.register
def _(met: TableRows, say: Say) -> Words:
    if met.level == MISSING:
        return Words(
            f"there is no table `{met.subject}`",
            f"no `{met.subject}`",
            f"Can `{met.subject}` be added, where one row is {TABLES[met.subject].grain}?",
        )
    rows = say.rows(met.n, "row")
    return Words(f"`{met.subject}` holds {rows}", rows)


@words.register
def _(met: NothingRecorded, say: Say) -> Words:
    what = outcome_name(met.subject)
    return Words(
        f"there are no {what}",
        f"no {what}",
        f"Are {what} recorded anywhere, and can they be exported?",
    )


@words.register
def _(met: FieldFilled, say: Say) -> Words:
    field = FIELDS.get(met.column, f"`{met.column}` is filled")
    if met.column == "channel" and met.table == "deals":
        field = "the lead's `channel` is filled"
    share, n = say.share(met.share), say.number(met.n)
    return Words(
        f"{field} for {share} of {n} {met.rows_of}",
        f"{n} {met.rows_of} only" if met.is_small else f"{share} filled",
        f"{text.capital(field)} for {share} of {met.rows_of}: can the others be?",
    )


@words.register
def _(met: RowsInBothPeriods, say: Say) -> Words:
    one = met.subject.removesuffix("s")
    rows = f"{say.rows(met.n_period, one)} {'created' if met.subject in CREATED else 'closed'}"
    now, then = say.number(met.n_period), say.number(met.n_baseline)
    short = f"{now} and {then} {met.subject}"
    if met.level == MISSING:
        fewest = met.period if met.n_period <= met.n_baseline else met.baseline
        short = f"{say.rows(min(met.n_period, met.n_baseline), one)} in {fewest}"
    return Words(
        f"{rows} in {met.period}{' (to date)' * met.is_to_date} and {then} in {met.baseline}",
        short,
        f"Are all {met.subject} of both periods in `{met.table}`?",
    )


@words.register
def _(met: RecordedThroughout, say: Say) -> Words:
    what, day = outcome_name(met.subject), say.day(met.since)
    if np.isnan(met.expected):
        return Words(f"{what} are recorded from {day} on", f"since {day}")
    return Words(
        f"{what} are recorded from {day} on only: about {say.number(met.expected)} are expected by "
        f"then, and {say.number(met.recorded)} are there",
        f"recorded since {day}",
        f"Can the {what} before {day} be added?",
    )


@words.register
def _(met: ComparableCohorts, say: Say) -> Words:
    if met.level == MISSING:
        wins = say.rows(met.n_won, "win")
        return Words(
            f"{wins} are too few to say how long wins take",
            wins,
            "Are all wins in `deals`, each with its lead?",
        )
    n = say.number(met.n_comparable)
    return Words(
        f"{n} of {say.number(met.n_months)} months of leads can be compared as they stand (not "
        f"covered: {say.number(met.n_not_covered)}; more recent than the "
        f"{say.number(met.mature_days)} days by which most wins have come: "
        f"{say.number(met.n_immature)})",
        f"{n} months to compare",
        "Can earlier wins be added?",
    )


@words.register
def _(met: MonthsBefore, say: Say) -> Words:
    n = say.number(met.n_months)
    return Words(
        f"{met.subject} go back {n} months before the period ({say.number(met.n)} in all)",
        f"{n} months of {met.subject}",
        f"Can {met.subject} of earlier years be added?",
    )


@words.register
def _(met: MonthsCovered, say: Say) -> Words:
    n = say.number(met.n_months)
    return Words(
        f"`{met.subject}` covers {n} months, to {met.last_month}",
        f"{n} months",
        f"Can earlier months of `{met.subject}` be added?",
    )


@words.register
def _(met: NewestMonths, say: Say) -> Words:
    if not met.gap:
        return Words(f"`{met.subject}` has all accounts in {met.month}", met.month, "")
    return Words(
        month_gap(met.gap, met.month) or "no month of one of the periods is recorded",
        f"{met.month} incomplete".strip(),
        "Is the month complete, and can it be exported again?",
    )


@words.register
def _(met: SegmentFilled, say: Say) -> Words:
    if not met.subject:
        clause, short = "the plan names no segments", "no segments"
    elif not met.table:
        clause = f"the plan's segment `{met.subject}` is a column of neither `leads` nor `deals`"
        short = f"no `{met.subject}`"
    else:
        share = say.share(met.share)
        clause = f"`{met.subject}` is filled for {share} of {say.number(met.n)} {met.table}"
        short = f"{share} filled"
    return Words(clause, short, f"{text.capital(clause)}: is that all there is?")


@words.register
def _(met: FilledAlike, say: Say) -> Words:
    return Words(
        f"`{met.subject}` is blank or unknown for {say.share(met.share_won)} of won leads and "
        f"{say.share(met.share_other)} of the others, so blank and unknown are not ranked",
        "filled by outcome",
        f"Who fills `{met.subject}`, and at which step?",
    )


@words.register
def _(met: Definitions, say: Say) -> Words:
    if not met.missing:
        return Words("the plan has all three definitions", "three definitions")
    return Words(
        f"the plan lacks definitions: {', '.join(met.missing)}",
        f"{met.n} of 3 definitions",
        "What is a qualified lead: for marketing, for sales, and for both?",
    )


@words.register
def _(met: ChannelOfLead, say: Say) -> Words:
    clause = f"there is no table `touches`; {words(met.field, say).clause}"
    return Words(
        clause, "channel of the lead only", f"{text.capital(clause)}: is that all there is?"
    )


def outcome_name(outcome: str) -> str:
    """An outcome, or a kind of row, in the plural."""
    if outcome.endswith(("leads", "deals")):
        return outcome
    return OUTCOMES.get(outcome, f"entries into stage `{outcome}`")


def reason(each: QuestionState, say: Say) -> str:
    """Why a question can be answered, or what is missing, as sentences."""
    clauses = dict.fromkeys(words(met, say).clause for met in each.shown)
    return " ".join(f"{text.capital(clause)}." for clause in clauses)


def questions_to_ask(found: Readiness, say: Say) -> pd.DataFrame:
    """What to ask, in the order of the questions: `team`, `question`; each once.

    Leads are not asked for: a company that has none follows its deals or accounts.
    """
    rows = [
        (met.team, words(met, say).question)
        for each in found.states
        for met in each.open
        if (met.level, met.subject) != (MISSING, "leads")
    ]
    return pd.DataFrame(rows, columns=["team", "question"]).drop_duplicates(ignore_index=True)


def in_words(found: Readiness, say: Say) -> pd.DataFrame:
    """Every question with its `state`, its `reason` and the `team` to ask, in words."""
    return pd.DataFrame(
        {
            "question": [each.entry.title for each in found.states],
            "state": found.table["state"],
            "reason": [reason(each, say) for each in found.states],
            "team": found.table["team"],
        }
    )


def grouped(found: Readiness, say: Say) -> pd.DataFrame:
    """As `in_words`, but the questions that lack a table are one row, the last, where many do."""
    each, names, tables = in_words(found, say), *lacking(found)
    if len(names) <= MOST_ALONE:
        return each
    together = {
        "question": f"Others: {', '.join(names)}",
        "state": CANNOT_TELL,
        "reason": f"They need tables that are not there: {', '.join(tables)}.",
        "team": ", ".join(dict.fromkeys(TABLES[name.strip("`")].owner for name in tables)),
    }
    alone = [not state.lacks for state in found.states]
    return pd.concat([each[alone], pd.DataFrame([together])], ignore_index=True)


def lacking(found: Readiness) -> tuple[list[str], list[str]]:
    """Names of the questions that lack a table, and the tables."""
    names = [each.entry.name for each in found.states if each.lacks]
    tables = dict.fromkeys(f"`{table}`" for each in found.states for table in each.lacks)
    return names, list(tables)


@text.headline(Readiness)
def readiness_headline(found: Readiness, say: Say) -> str:
    """How many questions can be answered, and the first that cannot."""
    count = found.table["state"].value_counts()
    total = say.number(len(found.table))
    begin = f"{say.number(count.get(CAN_ANSWER, 0))} of {total} questions can be answered"
    if n_part := count.get(IN_PART, 0):
        begin += f", {say.number(n_part)} in part"
    unanswered = [each for each in found.states if each.state == CANNOT_TELL]
    if not unanswered:
        return f"{begin}."
    names, tables = lacking(found)
    if 2 * len(names) > len(found.states):
        n_more = len(tables) - NAMED
        more = f" and {say.number(n_more)} more" if n_more > 0 else ""
        return (
            f"{begin}; {say.number(len(names))} need tables that are not there: "
            f"{', '.join(tables[:NAMED])}{more}."
        )
    named = [
        f"{each.entry.name} ({words(each.deciding, say).short})" for each in unanswered[:NAMED]
    ]
    n_more = len(unanswered) - len(named)
    more = f" and {say.number(n_more)} more" if n_more else ""
    return f"{begin}; cannot tell: {', '.join(named)}{more}."


@text.table(Readiness)
def readiness_table(found: Readiness, say: Say) -> pd.DataFrame:
    """The questions that are open, why, and whom to ask; with none open, all of them."""
    shown = grouped(found, say).rename(columns={"team": "team to ask"})
    is_open = shown["state"] != CAN_ANSWER
    return (shown[is_open] if is_open.any() else shown).reset_index(drop=True)


@text.headline(OpenQuestions)
def open_questions_headline(found: OpenQuestions, say: Say) -> str:
    """How many questions to how many teams."""
    if found.table.empty:
        return "No question is open."
    n = say.rows(len(found.table), "question")
    return f"{n} to {say.rows(found.table['team'].nunique(), 'team')} would help with what is open."


@text.table(OpenQuestions)
def open_questions_table(found: OpenQuestions, say: Say) -> pd.DataFrame:
    """Each thing to ask, and which questions it would help to answer."""
    return pd.DataFrame(
        {
            "team": found.table["team"],
            "question": [words(met, say).question for met in found.requirements],
            "would help with": found.table["questions"],
        }
    )


@text.headline(LatestCohorts)
def latest_cohorts_headline(found: LatestCohorts, say: Say) -> str:
    """How many of the latest months can be compared."""
    latest = found.table["state"].head(MONTHS_SHOWN)
    if latest.empty or (found.table["state"] == CANNOT_TELL).any():
        return "Too few wins are recorded to say at which age leads can be compared."
    n = say.number((latest == COMPARABLE).sum())
    return (
        f"{n} of the latest {say.number(len(latest))} months of leads can be compared as they are."
    )


@text.table(LatestCohorts)
def latest_cohorts_table(found: LatestCohorts, say: Say) -> pd.DataFrame:
    """The newest months, one row each."""
    latest = found.table.head(MONTHS_SHOWN)
    return pd.DataFrame(
        {
            "created in": latest["cohort_month"],
            "state": latest["state"].replace(STATES_OF_COHORTS),
            "leads": [say.number(n) for n in latest["n_leads"]],
            "won so far": [say.number(n) for n in latest["n_won"]],
            "wins due by now": [say.share(n) for n in latest["due_share"]],
        }
    )
