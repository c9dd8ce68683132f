"""Gather what the brief says from the data, the results and earlier snapshots."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from funnel.checks import Traps, traps
from funnel.methods.bridge.text import unit_of
from funnel.questions.why import PeriodChange, period_change
from funnel.questions.why.open_questions import SIDES, questions_about
from funnel.questions.why.text import (
    check_summary,
    claim_against,
    claim_for,
    drivers_text,
    question_sentence,
)
from funnel.report.brief.results import Answers, answers
from funnel.results import Say

if TYPE_CHECKING:
    from funnel.dataset import Tables

MOST_QUESTIONS = 3
BRIDGE = ("driver", "segment", "contribution", "low", "high", "verdict")
CLAIM = ("claim", "said_by", "for", "against", "verdict")
ACTION = ("action", "owner", "due_on", "measure", "verdict")


Asked = tuple[str, str]  # the driver that a question is about, empty for none; the question


class NotebookRun(Protocol):
    """What the brief needs to know of a notebook that was run."""

    @property
    def name(self) -> str:
        """Its file's name without the ending."""

    @property
    def title(self) -> str:
        """Its first heading."""

    @property
    def state(self) -> str:
        """`ok`, or what became of it."""

    @property
    def says(self) -> str:
        """Why it stopped; empty if it did not."""


@dataclass(frozen=True, eq=False)
class Answered:
    """One notebook as the brief shows it: its headline, or why there is none."""

    name: str
    title: str
    state: str
    says: str

    @property
    def is_ok(self) -> bool:
        """Whether it ran to its end."""
        return self.state == "ok"


@dataclass(frozen=True, eq=False)
class Brief:
    """All that the page says, before it is set as a page."""

    data: Tables
    change: PeriodChange
    traps: Traps
    notebooks: Sequence[Answered]
    questions: Mapping[str, Sequence[Asked]]
    answers: Answers
    plan_changed_since: str = ""

    @property
    def answer(self) -> str:
        """The measure's change in one sentence, and what of it can be told from chance."""
        table, unit = self.answers.why.table, unit_of(self.data.plan.measure)
        return f"{self.change.headline} {drivers_text(table, unit, self.say)}".strip()

    @property
    def say(self) -> Say:
        """Figures as the company reads them."""
        return Say(self.data.plan.company, self.data.plan.level)

    @property
    def checks(self) -> pd.DataFrame:
        """One row per check: `guard`, `state`, `says`."""
        summary = check_summary(self.answers.guards.table, self.say)
        return summary.rename(columns={"check": "guard", "finding": "says"})

    @property
    def claims(self) -> pd.DataFrame:
        """The claims, each with the evidence `for` and `against` it as a sentence."""
        table = self.answers.claims.table
        rows = table.to_dict("records")
        return table.assign(
            **{
                "for": [claim_for(row, self.say) for row in rows],
                "against": [claim_against(row, self.say) for row in rows],
            }
        )

    def as_dict(self) -> dict[str, Any]:
        """Give the brief as data, in the contract's form."""
        plan, comparison = self.data.plan, self.data.comparison
        row, wins = self.change.table.iloc[0], _wins(self.change)
        sides = {
            name: {
                "start": period.start.isoformat(),
                "end": period.end.isoformat(),
                "value": _number(row[column], row["unit"]),
                "wins": wins[i],
            }
            for i, (name, period, column) in enumerate(
                (
                    ("period", comparison.period, "value"),
                    ("baseline", comparison.baseline, "baseline"),
                )
            )
        }
        return {
            "as_of": self.data.as_of.isoformat(),
            "measure": plan.measure,
            "currency": plan.company.currency,
            **sides,
            "answer": self.answer,
            "bridge": _records(self.answers.why.table, BRIDGE),
            "guards": _records(self.checks, ("guard", "state", "says")),
            "claims": _records(self.claims, CLAIM),
            "questions": {
                side: [f"{about}: {ask}" if about else ask for about, ask in self.questions[side]]
                for side in SIDES
            },
            "actions": _records(self.answers.actions.table, ACTION),
            "plan_sha256": plan.sha256,
            "plan_changed": bool(self.plan_changed_since),
        }


def gather(data: Tables, folder: Path, runs: Iterable[NotebookRun]) -> Brief:
    """Gather what the brief says.

    Parameters
    ----------
    data
        A company's tables.
    folder
        The snapshot being made; reads the `results/` that notebooks kept in it, and the briefs of
        the snapshots beside it.
    runs
        What became of each notebook.
    """
    change, found, said = period_change(data), traps(data), answers(data, folder)
    return Brief(
        data=data,
        change=change,
        traps=found,
        notebooks=[_answered(run, folder, data.plan.measure) for run in runs],
        questions=_questions(data, change, found, folder, said.why.table),
        answers=said,
        plan_changed_since=_plan_changed_since(data, folder),
    )


def _answered(run: NotebookRun, folder: Path, measure: str) -> Answered:
    """Take the headline of the result named like the notebook, or like it and the measure."""
    if run.state != "ok":
        return Answered(run.name, run.title, run.state, run.says)
    kept = [folder / "results" / f"{name}.json" for name in (run.name, f"{run.name}_{measure}")]
    kept += sorted((folder / "results").glob(f"{run.name}_*.json"))
    says = next((said for path in kept if (said := _read_json(path).get("headline"))), "")
    return Answered(run.name, run.title, run.state, str(says))


def _questions(
    data: Tables, change: PeriodChange, found: Traps, folder: Path, shared: pd.DataFrame
) -> dict[str, list[Asked]]:
    """As many questions to sales as to marketing.

    First about the drivers that cannot be told, the same ones to both; then what the data raised;
    then what no table answers.
    """
    raised: dict[str, list[Asked]] = {side: [] for side in SIDES}
    asked = [
        (row["ask"], f"{_about(row)}: {_lower(row['question'])}")
        for _, row in found.table.drop_duplicates(["trap", "ask"]).iterrows()
    ]
    asked += [
        (owner, f"{question} ({says})" if says else question)
        for owner, question, says in zip(
            data.findings["owner"],
            data.findings["question"],
            _examples(data.findings),
            strict=True,
        )
    ]
    asked += _unsettled(folder)
    for team, question in asked:
        for side in SIDES:
            if side in str(team).lower() and question and ("", question) not in raised[side]:
                raised[side].append(("", str(question)))
    say, standing = Say(data.plan.company), _standing(data, change)
    rows = questions_about(shared).to_dict("records")
    for side in SIDES:
        of_drivers = [
            (row["driver"], question_sentence(row, say)) for row in rows if row["side"] == side
        ]
        raised[side] = [*of_drivers, *raised[side], *(("", each) for each in standing[side])]
    return {side: raised[side][:MOST_QUESTIONS] for side in SIDES}


def _about(trap: pd.Series) -> str:
    of = f" of `{trap['table']}`" if trap["table"] else ""
    return f"`{trap['column']}`{of}" if trap["column"] else f"`{trap['table']}`"


def _lower(question: str) -> str:
    return question[:1].lower() + question[1:]


def _examples(findings: pd.DataFrame) -> list[str]:
    return [f"{examples}" if isinstance(examples, str) else "" for examples in findings["examples"]]


def _unsettled(folder: Path) -> list[tuple[str, str]]:
    path = folder / "results" / "readiness.csv"
    if not path.exists():
        return []
    table = pd.read_csv(path, dtype="str", keep_default_na=False)
    if not {"ask", "settle"} <= set(table.columns):
        return []
    return [*zip(table["ask"], table["settle"], strict=True)]


def _standing(data: Tables, change: PeriodChange) -> dict[str, list[str]]:
    """Questions that no table answers, about the measure that cannot be told first."""
    period = data.comparison.period
    when = Say(data.plan.company).span(period.start, period.end)
    open_ones = change.table.loc[change.table["verdict"] == "cannot tell", "measure"]
    about = open_ones.iloc[0] if len(open_ones) else change.table["measure"].iloc[0]
    return {
        "sales": [
            f"What do buyers say about {when} that no table shows and that bears on {about}?",
            f"Which deals that closed in {when} should both teams look at together, and what for?",
            f"Which leads of {when} were not worked, and what would have helped?",
        ],
        "marketing": [
            f"What do leads say about {when} that no table shows and that bears on {about}?",
            f"Which programmes of {when} should both teams look at together, and what for?",
            f"What was changed in forms, tracking or budgets in {when}, and on which day?",
        ],
    }


def _plan_changed_since(data: Tables, folder: Path) -> str:
    """Day of the newest earlier snapshot of this period, if its plan was another one."""
    start = data.comparison.period.start.isoformat()
    for other in sorted(folder.parent.glob("[0-9]*/brief.json"), reverse=True):
        said = _read_json(other)
        earlier = str(said.get("as_of") or "")
        period = said.get("period")
        if (
            other.parent.resolve() == folder.resolve()
            or not earlier
            or earlier > data.as_of.isoformat()
            or not isinstance(period, dict)
            or period.get("start") != start
        ):
            continue
        return earlier if said.get("plan_sha256") != data.plan.sha256 else ""
    return ""


def _read_json(path: Path) -> dict[str, Any]:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _records(table: pd.DataFrame, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Give rows as plain data: numbers to the cent, nothing for what is not known."""
    if table.empty:
        return []
    return [
        {name: _plain(value) for name, value in row.items()}
        for row in table[list(columns)].to_dict("records")
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 2) + 0.0 if math.isfinite(value) else None
    return value


def _wins(change: PeriodChange) -> tuple[int | None, int | None]:
    row = change.table[change.table["measure"] == "wins"].iloc[0]
    now, then = (_number(row[column], "count") for column in ("value", "baseline"))
    return now, then


def _number(value: float, unit: str) -> float | int | None:
    """Plain numbers for JSON: whole counts, money to the cent, nothing for what is not known."""
    if not math.isfinite(value):
        return None
    if unit == "count":
        return round(value)
    return round(float(value), 2 if unit == "money" else 6)
