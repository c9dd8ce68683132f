"""Facts of the first page: saved results, measures, problems of the records, earlier snapshots."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pandas as pd

from funnel.checks import (
    PossibleTests,
    Reconciliation,
    RecordProblems,
    possible_tests,
    reconciliation,
    record_problems,
)
from funnel.contract.errors import FunnelError
from funnel.dataset.csv_files import read_csv
from funnel.questions import QUESTIONS
from funnel.questions.readiness import Readiness, answered, readiness
from funnel.questions.why.actions import actions, proposals
from funnel.questions.why.change import PeriodChange, period_change
from funnel.questions.why.claims import claims
from funnel.questions.why.comparisons import Comparisons, comparisons
from funnel.questions.why.findings import drivers_touched
from funnel.questions.why.heard import heard
from funnel.questions.why.outlook import outlook
from funnel.questions.why.record_lists import record_lists
from funnel.questions.why.why import why
from funnel.report.brief.drivers import DriverFigure, driver_figures, place_of
from funnel.report.brief.inputs import MonthlyInput, monthly_inputs
from funnel.report.earlier import plan_changed_since, read_json
from funnel.results import Result, Say, write_result

if TYPE_CHECKING:
    from funnel.dataset import Tables

CHANGE = "change"
WHY, CHECKS, CLAIMS, ACTIONS, PROPOSALS = "why", "guards", "claims", "actions", "proposals"
HEARD, OUTLOOK, LISTS = "heard", "outlook", "record_lists"
_BRIDGE = (
    "driver", "segment", "contribution", "low", "high", "verdict", "smallest_detectable",
    "explained_by", "explained", "tier", "rank",
)  # fmt: skip


class NotebookRun(Protocol):
    """What the first page reads of a notebook that was run."""

    @property
    def name(self) -> str:
        """Its file's name without the ending."""

    @property
    def title(self) -> str:
        """Its first heading."""

    @property
    def state(self) -> str:
        """`ok`, or why it is not."""

    @property
    def says(self) -> str:
        """Why it stopped; empty if it did not."""


@dataclass(frozen=True, eq=False)
class SavedResult:
    """A result as its files hold it: its table, headline and caveats."""

    table: pd.DataFrame
    headline: str = ""
    caveats: tuple[str, ...] = ()

    @classmethod
    def of(cls, result: Result) -> SavedResult:
        """The same of a result in memory."""
        return cls(result.without_small_groups().table, result.headline, result.caveats)

    @classmethod
    def read(cls, name: str, folder: Path) -> SavedResult | None:
        """Result of this name in a snapshot; `None` where none was saved, or it is unreadable."""
        about = read_json(folder / "results" / f"{name}.json")
        try:
            table = read_csv(folder / "results" / f"{name}.csv")
        except (OSError, ValueError):
            return None
        return cls(table, str(about.get("headline", "")), tuple(about.get("caveats", ())))


@dataclass(frozen=True, eq=False)
class Evidence:
    """Bridge, checks, claims, actions and outlook.

    `stopped` has the reason for each part that failed. `was_run` is whether the notebook that
    computes them was run for this snapshot.
    """

    why: SavedResult
    checks: SavedResult
    claims: SavedResult
    heard: SavedResult
    actions: SavedResult
    proposals: SavedResult
    outlook: SavedResult
    lists: SavedResult
    stopped: Mapping[str, str] = field(default_factory=dict)
    was_run: bool = True


@dataclass(frozen=True, eq=False)
class Card:
    """One notebook as the first page shows it: its headline, or why there is none.

    `level` is that of the intervals of its answer, and `rows_used` the rows behind it by table.
    """

    name: str
    title: str
    state: str
    message: str
    level: float = 0.9
    rows_used: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_ok(self) -> bool:
        """Whether every cell ran."""
        return self.state == "ok"


@dataclass(frozen=True, eq=False)
class Brief:
    """All facts of the first page.

    `answered` has one row per question of the registry, as `readiness.answered` returns it;
    `figures` has the drivers' own figures, and `places` where on the way each driver is.
    """

    data: Tables
    change: PeriodChange
    comparisons: Comparisons
    evidence: Evidence
    record_problems: RecordProblems
    reconciliation: Reconciliation
    possible_tests: Sequence[PossibleTests]
    readiness: Readiness
    answered: pd.DataFrame
    cards: Sequence[Card]
    plan_changed_since: str = ""
    inputs: Sequence[MonthlyInput] = ()
    figures: Mapping[str, DriverFigure] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)

    @property
    def say(self) -> Say:
        """Figures as the company reads them."""
        return Say(self.data.plan.company, self.data.plan.level)


def gather(data: Tables, folder: Path, runs: Iterable[NotebookRun]) -> Brief:
    """Facts of the first page of a snapshot.

    Parameters
    ----------
    data
        A dataset.
    folder
        The snapshot being made; reads the `results/` that notebooks saved in it, and the first
        pages of the snapshots beside it.
    runs
        State of each notebook.
    """
    runs = tuple(runs)
    was_run = any(run.name == WHY for run in runs)
    ready, found = readiness(data), evidence(data, folder) if was_run else no_evidence()
    compared = comparisons(data)
    change = period_change(data)
    inputs = monthly_inputs(data, compared, change)
    drivers = found.why.table["driver"].unique()
    saved = {path.stem for path in (folder / "results").glob("*.json")}  # those of `found` as well
    return Brief(
        data=data,
        change=change,
        comparisons=compared,
        evidence=found,
        record_problems=record_problems(data),
        reconciliation=reconciliation(data),
        possible_tests=possible_tests(data),
        readiness=ready,
        answered=answered(ready, saved),
        cards=[_card(run, folder, data.plan.measure) for run in runs],
        inputs=inputs,
        figures=driver_figures(found.why.table, data, inputs),
        places={driver: place_of(driver, data) for driver in drivers},
        plan_changed_since=plan_changed_since(
            {
                "as_of": data.as_of.isoformat(),
                "period": {"start": data.comparison.period.start.isoformat()},
                "plan_sha256": data.plan.sha256,
            },
            folder,
        ),
    )


def no_evidence() -> Evidence:
    """Evidence of a snapshot for which the notebook `why` was not run: nothing is computed."""
    none = SavedResult(pd.DataFrame())
    bridge = SavedResult(pd.DataFrame(columns=list(_BRIDGE)))
    return Evidence(bridge, *[none] * 7, was_run=False)


def evidence(data: Tables, folder: Path) -> Evidence:
    """Results that notebooks saved in a snapshot; those missing are computed and saved.

    The bridge is the most expensive step, and a notebook's page and the first page must show the
    same figures, so it is computed once. Where one part stops, the others stand.
    """
    stopped: dict[str, str] = {}

    def part(name: str, compute: Callable[[], Result]) -> SavedResult:
        saved = SavedResult.read(name, folder)
        if saved is not None:
            return saved
        try:
            made = compute()
            write_result(made, name, folder)
        except FunnelError as error:
            stopped[name] = str(error)
        except Exception as error:  # one part that fails must not take the page with it
            stopped[name] = f"It stopped with an error of its own ({type(error).__name__})."
        else:
            return SavedResult.of(made)
        return SavedResult(pd.DataFrame())

    answer = functools.cache(lambda: why(data))
    bridge = part(WHY, answer)
    checks = part(CHECKS, lambda: answer().guards())
    table = bridge.table if len(bridge.table) else pd.DataFrame(columns=list(_BRIDGE))
    return Evidence(
        why=SavedResult(table, bridge.headline, bridge.caveats),
        checks=checks,
        claims=part(CLAIMS, lambda: claims(data, table, drivers_touched(checks.table))),
        heard=part(HEARD, lambda: heard(data, table)),
        actions=part(ACTIONS, lambda: actions(data)),
        proposals=part(PROPOSALS, lambda: proposals(data, table)),
        outlook=part(OUTLOOK, lambda: outlook(data)),
        lists=part(LISTS, lambda: record_lists(data, table)),
        stopped=stopped,
    )


def _card(run: NotebookRun, folder: Path, measure: str) -> Card:
    """Card of a notebook, with the headline of the first figure of its page that was saved.

    A figure of the plan's measure comes before the same figure of another measure.
    """
    if run.state != "ok":
        return Card(run.name, run.title, run.state, run.says)
    names = [name for each in QUESTIONS if each.page == run.name for name in each.figures]
    names = sorted([run.name, *names], key=lambda name: not name.endswith(f"_{measure}"))
    saved = (read_json(folder / "results" / f"{name}.json") for name in names)
    about = next((each for each in saved if each.get("headline")), {})
    return Card(
        run.name,
        run.title,
        run.state,
        str(about.get("headline", "")),
        level=float(about.get("level", 0.9)),
        rows_used=dict(about.get("rows_used", {})),
    )
