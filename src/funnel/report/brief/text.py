"""Sentences, headings and labels of the first page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from funnel.checks import text as checks_text
from funnel.checks.breaks.record_break import SCALE
from funnel.checks.deal_records import NO_LOST
from funnel.checks.reconciliation import USED, unknown_money
from funnel.checks.record_problems import COLLAPSED
from funnel.methods.bridge.stage_history import WON, arrivals
from funnel.methods.bridge.text import driver_label, unit_of
from funnel.questions.readiness import text as readiness_text
from funnel.questions.readiness.readiness import ANSWERED, ANSWERED_IN_PART, NOT_COMPUTED
from funnel.questions.readiness.readiness import CANNOT_TELL as CANNOT_ANSWER
from funnel.questions.why.comparisons import AGAINST, GOAL
from funnel.questions.why.open_questions import (
    SIDES,
    needed_to_settle,
    questions_about,
    unmoved,
)
from funnel.questions.why.text import (
    action_sentence,
    check_summary,
    claim_evidence,
    compared_cell,
    drivers_text,
    figure_name,
    figure_value,
    gap_text,
    heard_evidence,
    measured,
    outcome,
    proposal_action,
    proposal_expected,
    question_sentence,
    settle_sentence,
    unmoved_sentence,
)
from funnel.report.brief.facts import WHY, Brief, Card
from funnel.results import Say
from funnel.results.legend import verdict_legend
from funnel.results.text import capital
from funnel.stats import CANNOT_TELL, DID_NOT_MOVE, smallest_detectable, standard_error

MOST_QUESTIONS = 3

WARNINGS_HEADING = "Warnings"
FIGURES_HEADING = "All figures"
BRIDGE_HEADING = "What the change is made of"
CHECKS_HEADING = "Checks, in this order"
UNMOVED_HEADING = "What did not move"
CLAIMS_HEADING = "What each side says"
LISTS_HEADING = "Records to read"
LIST_LINK = "records"
NO_LINKS = "No record has an address: keys that look like those of persons are replaced by labels."
LISTS_NOTE = "All of them, with the same columns:"
HEARD_HEADING = "What each side hears, beside how often it is recorded"
OPEN_HEADING = "What is still open, and what would settle it"
QUESTIONS_HEADING = "Please ask"
AGREED_HEADING = "Agreed last time, measured again"
PROPOSED_HEADING = "What could be agreed next"
RECORDS_HEADING = "Limits of the records"
CARDS_HEADING = "Behind this page"
QUESTIONS_BY_STATE = {
    ANSWERED: "Answered in this run",
    ANSWERED_IN_PART: "Answered in part",
    CANNOT_ANSWER: "No answer, since the records lack what it needs",
    NOT_COMPUTED: "Not computed in this run",
}

LOST_SHARE = 0.005  # of a period's money that is not used, above which the first page says so
NOT_RUN = f"Not computed: the notebook `{WHY}` was not run for this snapshot."
NOTHING_UNMOVED = "Of no driver and no measure can it be shown that it did not move."
NOTHING_OPEN = "No driver and no measure is open."
NOTHING_RECORDED = "Nothing is recorded."
WATERFALL_NOTE = "The line is the interval; the scale need not begin at zero."


@dataclass(frozen=True)
class Ask:
    """One question to a side, and the driver it is about (empty for none)."""

    question: str
    driver: str = ""

    @property
    def sentence(self) -> str:
        """The driver and the question, as one line."""
        return f"{self.driver}: {self.question}" if self.driver else self.question


def answer(brief: Brief) -> str:
    """Change of the plan's measure, and the drivers that moved."""
    unit = unit_of(brief.data.plan.measure)
    drivers = drivers_text(brief.evidence.why.table, unit, brief.say, arrivals(brief.data))
    return f"{brief.change.headline} {drivers}".strip()


def title(brief: Brief) -> str:
    """Heading of the page: the plan's measure against its goal and two other periods."""
    return outcome(brief.comparisons) or f"What changed in {_period(brief)}"


def compared(brief: Brief) -> list[str]:
    """The plan's measure against goal and other periods; nothing where there is none."""
    known = any(brief.comparisons.row(against) for against in AGAINST)
    return [brief.comparisons.headline] if known else []


def kicker(brief: Brief) -> str:
    """Company, period and last day, above the heading."""
    say = brief.say
    return f"{say.company.name} \u00b7 {_period(brief)} \u00b7 data to {say.day(brief.data.as_of)}"


def other_comparisons(brief: Brief, measure: str) -> str:
    """A measure against its goal, and against the period that the plan does not compare it with."""
    plan, parts = brief.data.plan, []
    for against in AGAINST:
        row = brief.comparisons.row(against, measure)
        if row is None or against == plan.compare:
            continue
        label = "" if against == GOAL else f"{row['label']}: "
        parts.append(f"{label}{compared_cell(row, brief.say)}")
    return "; ".join(parts)


def notices(brief: Brief) -> list[str]:
    """What a reader must know before the figures: a changed plan, lost money, stopped notebooks."""
    sentences = []
    if brief.plan_changed_since:
        sentences.append(
            "The plan was changed after looking: the snapshot of this period made for "
            f"{brief.plan_changed_since} has another one. Compare the plans in the two "
            "`manifest.json` before the figures."
        )
    comparison, found = brief.data.comparison, brief.reconciliation
    sentences += [
        checks_text.lost_money_sentence(found, period, brief.say)
        for period in (comparison.period, comparison.baseline)
        if found.lost_share(period) > LOST_SHARE
    ]
    sentences += [
        checks_text.possible_tests_sentence(tests, brief.say)
        for tests in brief.possible_tests
        if tests.share > LOST_SHARE
    ]
    sentences += [
        checks_text.sentence(each.found, brief.say)
        for each in brief.record_problems.problems
        if each.problem in (COLLAPSED, SCALE)
    ]
    if brief.data.plan.measure != "wins":
        sentences += _unknown_money(brief)
    stopped = [card.name for card in brief.cards if not card.is_ok]
    if stopped:
        sentences.append(f"Notebooks that stopped: {', '.join(stopped)}. The others are complete.")
    return sentences


def _unknown_money(brief: Brief) -> list[str]:
    """Wins without a known amount, and money that a finding says may be missing."""
    sentences = [
        checks_text.unknown_money_sentence(each, brief.say)
        for each in unknown_money(brief.data)
        if each.share > LOST_SHARE
    ]
    used = brief.reconciliation.row(brief.data.comparison.period, USED)[1]
    sentences += [
        _LOST[each.what](each.n, each.money, brief.say)
        for each in brief.data.load_findings
        if each.what in _LOST and (each.money or 0.0) > LOST_SHARE * used
    ]
    return sentences


_LOST = {
    "closed_after_data": checks_text.closed_after_data_sentence,
    "equal_shares": checks_text.equal_shares_sentence,
}


def stopped(brief: Brief, name: str) -> str:
    """Why a part of the evidence is missing; empty where nothing stopped it."""
    return brief.evidence.stopped.get(name, "") if brief.evidence.was_run else NOT_RUN


def no_bridge(brief: Brief) -> str:
    """Why there is no driver: nothing was won, or nothing is recorded of the comparison period."""
    first = brief.change.table.iloc[0].to_dict()
    gap = gap_text(first, brief.say, brief.data.comparison)
    return f"There is no comparison: {gap}." if gap else "Nothing was won in either period."


def checks(brief: Brief) -> pd.DataFrame:
    """One row per check: `guard`, `state`, `says`."""
    summary = check_summary(brief.evidence.checks.table, brief.say)
    return summary.rename(columns={"check": "guard", "finding": "says"})


def claims(brief: Brief) -> pd.DataFrame:
    """The claims, each with the evidence `for` and `against` it as a sentence."""
    table = brief.evidence.claims.table
    rows = table.to_dict("records")
    evidence = [claim_evidence(row, brief.say) for row in rows]
    return table.assign(**{side: [each[side] for each in evidence] for side in ("for", "against")})


def heard(brief: Brief) -> pd.DataFrame:
    """What was heard, with what is recorded `beside` it."""
    table = brief.evidence.heard.table
    return table.assign(beside=[heard_evidence(row, brief.say) for row in table.to_dict("records")])


def times(n: int, brief: Brief) -> str:
    """How often something was heard."""
    return "once" if n == 1 else f"{brief.say.number(int(n))} times"


def actions(brief: Brief) -> pd.DataFrame:
    """Actions agreed earlier, with their `target`, and their measure before and since: `result`."""
    table = brief.evidence.actions.table
    rows = table.to_dict("records")
    return table.assign(
        target=[_target(row, brief.say) for row in rows],
        result=[action_sentence(row, brief.say) for row in rows],
    )


def proposals(brief: Brief) -> pd.DataFrame:
    """Proposed actions in words: `driver`, `action`, `owner`, `due_on`, `measure`, `expected`."""
    table = brief.evidence.proposals.table
    rows = table.to_dict("records")
    return table.assign(
        driver=[row["measure"] for row in rows],
        action=[proposal_action(row, brief.say, brief.data.comparison) for row in rows],
        measure=[driver_label(row["measure"], brief.say) for row in rows],
        expected=[proposal_expected(row, brief.say) for row in rows],
    )


def did_not_move(brief: Brief) -> list[str]:
    """Drivers and measures that did not move, each with its bound."""
    unit = unit_of(brief.data.plan.measure)
    sentences = [
        unmoved_sentence(row, unit, brief.say, arrivals(brief.data))
        for row in unmoved(brief.evidence.why.table)
    ]
    table = brief.change.table
    for row in table[table["verdict"] == DID_NOT_MOVE].to_dict("records"):
        bound = _size(max(-row["low"], row["high"]), row, brief)
        sentences.append(f"{figure_name(row['measure'])}: no change above {bound}, up or down.")
    return sentences


def still_open(brief: Brief) -> list[str]:
    """Drivers and measures that are inconclusive, and what would settle them."""
    table = brief.change.table
    wins = table[table["measure"] == "wins"].iloc[0]
    n_wins = tuple(0 if pd.isna(wins[key]) else int(wins[key]) for key in ("value", "baseline"))
    baseline = table["baseline"].iloc[0]
    needed = needed_to_settle(
        brief.evidence.why.table, brief.data, n_wins, 0.0 if pd.isna(baseline) else baseline
    )
    unit = unit_of(brief.data.plan.measure)
    return [
        *(settle_sentence(each, unit, brief.say, arrivals(brief.data)) for each in needed),
        *brief.evidence.why.caveats,
        *_open_measures(table[table["verdict"] == CANNOT_TELL], brief),
    ]


def _open_measures(rows: pd.DataFrame, brief: Brief) -> list[str]:
    """The smallest visible change of open measures; without an interval, the reason, each once."""
    sentences = []
    known = rows[rows["low"].notna()]
    if len(known):
        least = [
            f"{row['measure']} by {_size(_smallest_detectable(row, brief), row, brief)}"
            for row in known.to_dict("records")
        ]
        sentences.append(
            "These may have changed by chance. Four times in five, a change of this size would be "
            f"visible: {', '.join(least)}."
        )
    unknown = measured(rows[rows["low"].isna()])
    if _only_wins(brief):
        unknown = unknown[unknown["gap"] != "no lost deals"]  # the bridge says so
    reasons = [
        gap_text(row, brief.say, brief.data.comparison) or "too few rows"
        for row in unknown.to_dict("records")
    ]
    for reason, same in unknown.groupby(pd.Series(reasons, unknown.index), sort=False):
        sentences.append(f"{figure_name(', '.join(same['measure']))}: {reason}.")
    return sentences


def _smallest_detectable(row: Mapping[str, Any], brief: Brief) -> float:
    level = brief.change.level
    return float(smallest_detectable(standard_error(row["low"], row["high"], level), level))


def questions(brief: Brief) -> dict[str, list[Ask]]:
    """As many questions to sales as to marketing.

    First about the drivers that are inconclusive, the same ones to both; then about the records;
    then what no table answers.
    """
    say = brief.say
    arriving = arrivals(brief.data)
    about = questions_about(brief.evidence.why.table, arriving).to_dict("records")
    raised = _record_questions(brief)
    standing = standing_questions(brief)
    found = {}
    for side in SIDES:
        of_drivers = [
            Ask(question_sentence(row, say), capital(driver_label(row["driver"], say, arriving)))
            for row in about
            if row["side"] == side
        ]
        of_records = [Ask(ask) for team, ask in raised if ask and side in team.lower()]
        asks = dict.fromkeys([*of_drivers, *of_records, *map(Ask, standing[side])])
        found[side] = list(asks)[:MOST_QUESTIONS]
    return found


def _record_questions(brief: Brief) -> list[tuple[str, str]]:
    """Questions about the records, each with the team to ask."""
    asks = []
    for row in brief.record_problems.table.to_dict("records"):
        of = f" of `{row['table']}`" if row["table"] else ""
        where = f"`{row['column']}`{of}" if row["column"] else f"`{row['table']}`"
        question = checks_text.question(row["problem"])
        asks.append((str(row["team"]), f"{where}: {question[:1].lower()}{question[1:]}"))
    for row in brief.data.findings.to_dict("records"):
        has_examples = isinstance(row["examples"], str) and row["examples"]
        examples = f" ({row['examples']})" if has_examples else ""
        question = row["question"] if isinstance(row["question"], str) else ""
        asks.append((str(row["owner"]), f"{question}{examples}" if question else ""))
    open_ones = readiness_text.questions_to_ask(brief.readiness, brief.say)
    asks += zip(open_ones["team"].astype(str), open_ones["question"].astype(str), strict=True)
    return asks


def standing_questions(brief: Brief) -> dict[str, list[str]]:
    """Questions that no table answers, about the measure that is inconclusive first."""
    when, table = _period(brief), brief.change.table
    open_ones = table.loc[table["verdict"] == CANNOT_TELL, "measure"]
    known = table.loc[table["value"].notna(), "measure"]
    open_ones = open_ones[open_ones.isin(known)]
    about = next(iter([*open_ones, *known]), table["measure"].iloc[0])
    people = "leads" if brief.data.has("leads") else "customers"
    asks = {
        "sales": [
            f"What do buyers say about {when} that no table shows and that bears on {about}?",
            f"Which deals that closed in {when} should both teams look at together, and what for?",
            f"Which leads of {when} were not worked, and what would have helped?",
        ],
        "marketing": [
            f"What do {people} say about {when} that no table shows and that bears on {about}?",
            f"Which programmes of {when} should both teams look at together, and what for?",
            f"What was changed in forms, tracking or budgets in {when}, and on which day?",
        ],
    }
    if not brief.data.has("leads"):
        asks["sales"][-1] = f"Which deals of {when} wait for something that no table shows?"
        asks["marketing"][-1] = f"Which customers of {when} had met a programme, and which one?"
    return asks


def record_limits(brief: Brief) -> list[str]:
    """Each kind of problem of the records once; further ones of a kind are counted."""
    problems: dict[str, list[str]] = {}
    for each in brief.record_problems.problems:
        if each.problem == NO_LOST and _only_wins(brief):
            continue
        sentence = checks_text.sentence(each.found, brief.say)
        problems.setdefault(each.problem, []).append(sentence)
    sentences = [
        f"{same[0]} ({len(same) - 1} more like this: see readiness.)" if len(same) > 1 else same[0]
        for same in problems.values()
    ]
    return sentences or [brief.record_problems.headline]


def _only_wins(brief: Brief) -> bool:
    """Whether a caveat of the bridge already says that every deal is won."""
    return arrivals(brief.data) == WON and len(brief.evidence.why.caveats) > 0


def rejected_rows(brief: Brief) -> list[tuple[str, str]]:
    """Tables of which not every row is used: how many are not, and the table."""
    found = []
    for row in brief.data.counts.to_dict("records"):
        number = {name: brief.say.number(n) for name, n in row.items() if name.startswith("rows_")}
        left_out = row["rows_rejected"] + row["rows_excluded"]
        notes = [f"{number['rows_after_as_of']} dated later"] * bool(row["rows_after_as_of"])
        notes += [f"{number['rows_excluded']} excluded by the plan"] * bool(row["rows_excluded"])
        note = f" ({', '.join(notes)})" if notes else ""
        if left_out:
            n = f"{brief.say.number(left_out)} of {number['rows_in']} rows{note}"
            found.append((n, row["table"]))
    return found


def no_rejected_rows(brief: Brief) -> str:
    """That every row was used, with their number."""
    return f"All {brief.say.number(brief.data.counts['rows_in'].sum())} rows were used."


def rejected_actions(brief: Brief) -> str:
    """How many rows of `actions` were rejected; empty for none."""
    n = int((brief.data.rejects["table"] == "actions").sum())
    if not n:
        return ""
    return (
        f"{brief.say.rows(n, 'row')} of actions {'was' if n == 1 else 'were'} rejected, for "
        "instance without a measure: see `rejects/actions.csv`."
    )


def how_sure(card: Card, brief: Brief) -> str:
    """What the answer of a card rests on; empty where it rests on no rows of its own."""
    say = brief.say
    rows = [
        f"{say.number(n)} {table.replace('_', ' ')}" for table, n in sorted(card.rows_used.items())
    ]
    if not rows:
        return ""
    listed = " and ".join(filter(None, [", ".join(rows[:-1]), rows[-1]]))
    return f"How sure: {say.share(card.level)} intervals, from {listed}."


def not_run(card: Card) -> str:
    """Why a notebook has no answer."""
    return f"Not run to its end: {card.message}" if card.message else "Not run to its end."


def folded_claims(n: int, brief: Brief) -> str:
    """Label of the claims that are folded away."""
    return f"{brief.say.rows(n, 'more claim')}"


def folded_actions(n: int, brief: Brief) -> str:
    """Label of the actions that are folded away."""
    return f"{brief.say.number(n)} due earlier"


def periods(brief: Brief) -> str:
    """The two periods that are compared, with their days, and the plan's measure."""
    company, say = brief.data.plan.company, brief.say
    days = " compared with ".join(
        f"{each.label} ({say.day(each.start)} to {say.day(each.end)})"
        for each in (brief.data.comparison.period, brief.data.comparison.baseline)
    )
    return (
        f"{days}, days of {company.timezone}. Measure: {brief.data.plan.measure}. "
        f"{verdict_legend(say)}"
    )


def reasons(sentences: Sequence[str]) -> str:
    """Sentences that stand before the links to the files of a part."""
    return " ".join(f"{each[:1].upper()}{each[1:].rstrip('.')}." for each in sentences if each)


def _target(row: Mapping[str, Any], say: Say) -> str:
    where = f" in {row['segment']}" if isinstance(row["segment"], str) else ""
    return f"{driver_label(row['measure'], say)}{where}: {row['expected']}"


def _size(size: float, row: Mapping[str, Any], brief: Brief) -> str:
    if row["unit"] == "rate":
        return f"{brief.say.number(100 * size, digits=1)} points"
    if row["baseline"] > 0:
        return brief.say.share(size / row["baseline"])
    return figure_value(size, row["unit"], brief.say)


def _period(brief: Brief) -> str:
    period = brief.data.comparison.period
    return brief.say.span(period.start, period.end)
