"""Readiness: which questions a dataset can answer, and what would settle the others."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.checks import (
    CoverageGrid,
    Reconciliation,
    RecordProblems,
    coverage_grid,
    maturity,
    reconciliation,
    record_problems,
)
from funnel.methods.question import Question, figure
from funnel.questions import QUESTIONS, QuestionEntry
from funnel.questions.readiness import requirements
from funnel.questions.readiness.requirements import (
    MET,
    MISSING,
    NEEDS,
    NOTHING,
    Definitions,
    Met,
    Needs,
    TableRows,
)
from funnel.results import Result, no_rows, rows_of, speaks_for

if TYPE_CHECKING:
    from funnel.dataset import Tables

CAN_ANSWER, IN_PART, CANNOT_TELL = "can be answered", "in part", "cannot tell"
STATES = (CAN_ANSWER, IN_PART, CANNOT_TELL)
ANSWERED, ANSWERED_IN_PART, NOT_COMPUTED = "answered", "answered in part", "not computed"
PAGE = "readiness"


@dataclass(frozen=True, eq=False, kw_only=True)
class QuestionState:
    """One question, whether it can be answered, and the requirements that decide so.

    `shown` are the requirements worth naming: those that are open, or else all of them. `deciding`
    is the first of these with rows.
    """

    entry: QuestionEntry
    state: str
    shown: tuple[Met, ...]
    deciding: Met

    @property
    def lacks(self) -> tuple[str, ...]:
        """The tables without which it cannot be answered."""
        if self.state != CANNOT_TELL:
            return ()
        return tuple(met.subject for met in self.open if isinstance(met, TableRows))

    @property
    def open(self) -> tuple[Met, ...]:
        """Requirements that are missing or thin."""
        return () if self.state == CAN_ANSWER else self.shown


@dataclass(frozen=True, eq=False, kw_only=True)
class Readiness(Question):
    """What a dataset can answer, question by question.

    `table` has one row per question of the registry, in its order: `question` (its name), `state`
    (`can be answered`, `in part` or `cannot tell`), `n` (rows that the answer rests on), `share`
    (of the field it needs most that is filled, 0 to 1; missing where none is counted),
    `share_low`, `share_high`, `requirement` (the one that decides, such as `table: spend`), `team`
    (those that can settle it; empty where nothing is missing), `page` and `figures` (where the
    answer is, and under which names it is saved). `states` has the same rows as objects.

    Whether a question *was* answered is known at the end of a run only: `answered`.
    """

    states: tuple[QuestionState, ...]

    @figure
    def coverage(self) -> CoverageGrid:
        """Rows of each table by month."""
        return coverage_grid(self.data)

    @figure
    def reconciliation(self) -> Reconciliation:
        """What became of the rows of the period and of its comparison, and of their money."""
        return reconciliation(self.data)

    @figure
    def record_problems(self) -> RecordProblems:
        """What in the records would be read as a result and is none."""
        return record_problems(self.data)

    @figure
    def latest_cohorts(self) -> LatestCohorts:
        """The newest months of leads, and whether their wins can be compared yet."""
        newest_first = maturity(self.data).cohorts[::-1].reset_index(drop=True)
        return LatestCohorts(table=newest_first, **speaks_for(self.data))

    @figure
    def open_questions(self) -> OpenQuestions:
        """What to ask each team to settle what is open."""
        helps: dict[tuple[str, str], tuple[Met, list[str]]] = {}
        for each in self.states:
            for met in each.open:
                names = helps.setdefault((met.team, met.key), (met, []))[1]
                names.append(each.entry.name)
        rows = [(team, key, ", ".join(helps[team, key][1])) for team, key in sorted(helps)]
        return OpenQuestions(
            table=pd.DataFrame(rows, columns=["team", "requirement", "questions"]),
            requirements=tuple(helps[key][0] for key in sorted(helps)),
            **speaks_for(self.data),
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class OpenQuestions(Result):
    """What to ask, by team.

    `table` has one row per thing to ask: `team`, `requirement`, `questions` (names of those it
    would help to answer). `requirements` has the same rows as objects.
    """

    requirements: tuple[Met, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class LatestCohorts(Result):
    """Months of leads, the newest first, and whether their wins can be compared yet.

    `table` is the cohorts of `checks.Maturity`, in reverse.
    """


def readiness(data: Tables) -> Readiness:
    """Which questions of the meeting a dataset can answer.

    A question can be answered where all it needs is there: tables, fields filled for at least four
    in five rows, enough rows on both sides of the plan's comparison, outcomes recorded throughout.
    It can be answered in part where something is thin or missing that it can do without. It cannot
    be answered where what it rests on is missing, filled for less than half of the rows, or
    recorded too late.

    Parameters
    ----------
    data
        The dataset; any table may be missing.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> found = readiness(Tables.of(leads=leads, as_of="2026-01-31"))
    >>> columns = ["state", "requirement", "team"]
    >>> found.table.set_index("question").loc["cost by channel", columns].tolist()
    ['cannot tell', 'table: spend', 'Marketing Ops']
    """
    states = tuple(_state(entry, data) for entry in QUESTIONS if entry.page != PAGE)
    behind = [
        rows_of(each.entry.name, each.deciding.table, each.deciding.ids)
        for each in states
        if each.deciding.ids is not None
    ]
    return Readiness(
        table=pd.DataFrame([_row(each) for each in states]),
        rows=pd.concat(behind, ignore_index=True) if behind else no_rows(),
        units={"n": "rows", "share": "0 to 1"},
        states=states,
        data=data,
        **speaks_for(data),
    )


def answered(found: Readiness, computed: Collection[str]) -> pd.DataFrame:
    """Which questions were answered in a run, by the figures that it saved.

    Parameters
    ----------
    found
        What `readiness` returns.
    computed
        Names of the results that the run saved.

    Returns
    -------
    DataFrame
        One row per question: `question`, `title`, `state` (`answered` or `answered in part` where
        a figure of it was saved; `cannot tell` where it could not be; else `not computed`), `page`
        and `figure` (the first of its figures that was saved; empty where none was).

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> found = readiness(Tables.of(leads=leads, as_of="2026-01-31"))
    >>> run = answered(found, {"handoff", "definition"}).set_index("question")
    >>> run.loc[["the definition", "scores"], ["state", "figure"]].to_numpy().tolist()
    [['cannot tell', ''], ['cannot tell', '']]
    """
    rows = []
    for each in found.states:
        saved = [name for name in each.entry.figures if name in computed]
        state = NOT_COMPUTED
        if each.state == CANNOT_TELL:
            state, saved = CANNOT_TELL, []
        elif saved:
            state = ANSWERED if each.state == CAN_ANSWER else ANSWERED_IN_PART
        entry = each.entry
        rows.append((entry.name, entry.title, state, entry.page, saved[0] if saved else ""))
    return pd.DataFrame(rows, columns=["question", "title", "state", "page", "figure"])


def _state(entry: QuestionEntry, data: Tables) -> QuestionState:
    needs = NEEDS.get(entry.name, Needs())
    needed = [
        *(requirements.table(name)(data) for name in entry.tables),
        *(requirement(data) for requirement in needs.needed),
    ]
    useful = [requirement(data) for requirement in needs.useful]
    state, open_ones = CAN_ANSWER, []
    if missing := [met for met in needed if met.level == MISSING]:
        state, open_ones = CANNOT_TELL, missing
        if any(isinstance(met, TableRows) for met in missing):
            # what is not filled, or too few, in a table that is not there
            open_ones = [met for met in missing if isinstance(met, TableRows | Definitions)]
    elif any(met.level < MET for met in [*needed, *useful]):
        state, open_ones = IN_PART, [met for met in [*needed, *useful] if met.level < MET]
    shown = _distinct(open_ones or needed)
    with_rows = (met for met in shown if open_ones or met.ids is not None)
    deciding = next(with_rows, shown[0] if shown else NOTHING)
    return QuestionState(entry=entry, state=state, shown=shown, deciding=deciding)


def _distinct(found: Iterable[Met]) -> tuple[Met, ...]:
    """Requirements that say something, each once."""
    return tuple({met.key: met for met in found if met.key != Met.code}.values())


def _row(each: QuestionState) -> dict[str, object]:
    met = each.deciding
    return {
        "question": each.entry.name,
        "state": each.state,
        "n": met.n,
        "share": met.share,
        "share_low": met.share_low,
        "share_high": met.share_high,
        "requirement": met.key,
        "team": ", ".join(dict.fromkeys(met.team for met in each.open)),
        "page": each.entry.page,
        "figures": ", ".join(each.entry.figures),
    }
