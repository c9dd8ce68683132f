"""Which questions of the meeting this data can answer, and what would settle the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.checks import CoverageGrid, Maturity, Traps, traps
from funnel.questions.readiness.needs import Facts, Met
from funnel.questions.readiness.questions import QUESTIONS, Question
from funnel.results import Listing, Result, first_rows, formats, no_rows, rows_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.contract.plan import Company
    from funnel.dataset import Tables

__all__ = ["Readiness", "readiness"]

ANSWERED, IN_PART, CANNOT_TELL = "answered", "in part", "cannot tell"
STATES = (ANSWERED, IN_PART, CANNOT_TELL)
_NAMED = 3  # open questions named in the headline
_MONTHS_SHOWN = 12


@dataclass(frozen=True, eq=False, kw_only=True)
class Readiness(Result):
    """What the data can answer, question by question.

    `table` has one row per question of the meeting, in its order: `topic`, `question`, `state`
    (`answered`, `in part` or `cannot tell`), `n` (rows that the answer rests on), `share` (of the
    field it needs most that is filled, 0 to 1; missing where none is counted), `share_low`,
    `share_high`, `why` (what is there, or what is missing), `short` (the same in a few words),
    `ask` (teams that can settle it; empty where nothing is missing), `settle` (what to ask them).
    `gaps` has one row per thing missing or thin: `topic`, `ask` (the team), `settle`.

    What that rests on is beside it: `coverage` (rows by table and month), `traps` (what would be
    read as a result and is none) and `maturity` (which cohorts can be compared).
    """

    gaps: pd.DataFrame
    coverage: CoverageGrid
    traps: Traps
    maturity: Maturity
    company: Company

    @property
    def headline(self) -> str:
        """The one sentence that the table supports."""
        count = self.table["state"].value_counts()
        n_answered, n_part = int(count.get(ANSWERED, 0)), int(count.get(IN_PART, 0))
        total = formats.number(len(self.table), self.company)
        says = f"{formats.number(n_answered, self.company)} of {total} questions can be answered"
        if n_part:
            says += f", {formats.number(n_part, self.company)} in part"
        unanswered = self.table[self.table["state"] == CANNOT_TELL]
        if unanswered.empty:
            return f"{says}."
        named = [
            f"{topic} ({short})"
            for topic, short in zip(
                unanswered["topic"].head(_NAMED), unanswered["short"].head(_NAMED), strict=True
            )
        ]
        more = len(unanswered) - len(named)
        rest = f" and {formats.number(more, self.company)} more" if more else ""
        return f"{says}; cannot tell: {', '.join(named)}{rest}."

    def questions(self) -> pd.DataFrame:
        """List what to ask, by team: `ask`, `settle`, and the `topics` it would help to settle."""
        return (
            self.gaps.groupby(["ask", "settle"], sort=True)["topic"]
            .agg(", ".join)
            .rename("topics")
            .reset_index()
        )

    def to_ask(self) -> Listing:
        """Give what to ask, by team, in words."""
        table = self.questions()
        n, n_teams = (formats.number(n, self.company) for n in (len(table), table["ask"].nunique()))
        noun, team = (
            ("question" if n == "1" else "questions"),
            ("team" if n_teams == "1" else "teams"),
        )
        says = f"{n} {noun} to {n_teams} {team} would help to settle what is open."
        if table.empty:
            says = "No question is open."
        words = table.rename(
            columns={"ask": "team", "settle": "question", "topics": "would help with"}
        )
        return Listing(table=table, words=words, says=says, as_of=self.as_of, level=self.level)

    def latest_cohorts(self) -> Listing:
        """Give the newest months of leads, and whether their wins can be compared yet, in words."""
        table = self.maturity.cohorts[::-1].reset_index(drop=True)
        counts = {"leads": "n_leads", "won so far": "n_won"}
        words = pd.DataFrame({"created in": table["cohort_month"], "state": table["state"]})
        for heading, name in counts.items():
            words[heading] = [formats.number(n, self.company) for n in table[name]]
        words["wins due by now"] = [formats.share(n, self.company) for n in table["due_share"]]
        words = first_rows(words, _MONTHS_SHOWN)
        n, n_known = (
            formats.number(n, self.company)
            for n in (len(words), (words["state"] == "comparable").sum())
        )
        says = f"{n_known} of the latest {n} months of leads can be compared as they stand."
        if words.empty or (table["state"] == CANNOT_TELL).any():
            says = "Too few wins are recorded to say how old leads must be to be compared."
        return Listing(table=table, words=words, says=says, as_of=self.as_of, level=self.level)

    def shown(self) -> pd.DataFrame:
        """Give the questions that are open, why, and whom to ask; with none open, all of them."""
        is_open = self.table["state"] != ANSWERED
        rows = self.table[is_open] if is_open.any() else self.table
        columns = {"question": "question", "state": "state", "why": "why", "ask": "whom to ask"}
        return first_rows(rows[list(columns)].rename(columns=columns))

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw each question with its state."""
        from funnel.questions.readiness import charts

        return charts.readiness(self, ax)


def readiness(data: Tables) -> Readiness:
    """Say which questions of the meeting a company's tables can answer.

    A question is answered where all it needs is there: tables, fields filled for at least four in
    five rows, enough rows on both sides of the plan's comparison, outcomes recorded throughout. It
    is answered in part where something is thin or missing that it can do without, and cannot be
    told where what it rests on is missing, filled for less than half of the rows, or recorded too
    late.

    Parameters
    ----------
    data
        A company's tables; any of them may be missing.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> answer = readiness(Tables.of(leads=leads, as_of="2026-01-31"))
    >>> answer.table.set_index("topic").loc["win rate", ["state", "short", "ask"]].tolist()
    ['cannot tell', 'no lost deals', 'Sales Ops']
    """
    facts = Facts(data)
    rows, gaps, behind = [], [], []
    for question in QUESTIONS:
        row, met, open_ones = _answer(question, facts)
        rows.append(row)
        gaps += [(question.topic, each.ask, _settles(each)) for each in open_ones]
        behind += [rows_of(question.topic, met.table, met.ids)] if met.ids is not None else []
    return Readiness(
        table=pd.DataFrame(rows),
        as_of=data.as_of,
        rows=pd.concat(behind, ignore_index=True) if behind else no_rows(),
        level=data.plan.level,
        units={"n": "rows", "share": "0 to 1"},
        gaps=pd.DataFrame(gaps, columns=["topic", "ask", "settle"]).drop_duplicates(),
        coverage=facts.coverage,
        traps=traps(data),
        maturity=facts.maturity,
        company=data.plan.company,
    )


def _answer(question: Question, facts: Facts) -> tuple[dict[str, object], Met, list[Met]]:
    needed = [need(facts) for need in question.needs]
    useful = [need(facts) for need in question.helps]
    worst = min(met.level for met in needed)
    if worst == 0:
        state = CANNOT_TELL
        open_ones = [met for met in needed if met.level == 0]
    elif min(met.level for met in [*needed, *useful]) < 2:
        state = IN_PART
        open_ones = [met for met in [*needed, *useful] if met.level < 2]
    else:
        state = ANSWERED
        open_ones = []
    # what is missing may be missing twice, in the words of two needs: the first is enough
    shown = _unlike(open_ones) or _unlike(needed)
    first = next((met for met in shown if open_ones or met.ids is not None), shown[0])
    row = {
        "topic": question.topic,
        "question": question.question,
        "state": state,
        "n": first.n,
        "share": first.share,
        "share_low": first.share_low,
        "share_high": first.share_high,
        "why": _sentences(met.says for met in shown),
        "short": first.short,
        "ask": ", ".join(dict.fromkeys(met.ask for met in open_ones)),
        "settle": " ".join(dict.fromkeys(_settles(met) for met in open_ones)),
    }
    return row, first, open_ones


def _settles(met: Met) -> str:
    """Ask for what would settle it, in the words of the need or else from what was found."""
    return met.settle or f"{met.says[0].upper()}{met.says[1:]}: is that all there is?"


def _unlike(mets: Sequence[Met]) -> list[Met]:
    return list({met.says: met for met in mets if met.says}.values())


def _sentences(says: Iterable[str]) -> str:
    return " ".join(f"{each[0].upper()}{each[1:]}." for each in says)
