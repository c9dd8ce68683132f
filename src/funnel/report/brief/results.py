"""What the page answers: from the results that the notebook kept, or else computed here."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from funnel.contract.errors import FunnelError
from funnel.dataset.csv_files import read_csv
from funnel.questions.why.actions import actions
from funnel.questions.why.claims import claims
from funnel.questions.why.findings import drivers_touched
from funnel.questions.why.proposals import proposals
from funnel.questions.why.why import why
from funnel.results import Result, write_result

if TYPE_CHECKING:
    from funnel.dataset import Tables

WHY, GUARDS, CLAIMS, ACTIONS, PROPOSALS = "why", "guards", "claims", "actions", "proposals"
_BRIDGE = ("driver", "segment", "contribution", "low", "high", "verdict", "smallest_detectable")


@dataclass(frozen=True, eq=False)
class Said:
    """One result as the page needs it: its table, and what it says."""

    table: pd.DataFrame
    headline: str = ""
    caveats: tuple[str, ...] = ()

    @classmethod
    def of(cls, result: Result) -> Said:
        """Take it from a result."""
        return cls(result.table, result.headline, result.caveats)

    @classmethod
    def kept(cls, name: str, folder: Path) -> Said | None:
        """Read it from a snapshot; `None` where it was not kept, or cannot be read."""
        try:
            about = json.loads((folder / "results" / f"{name}.json").read_text(encoding="utf-8"))
            table = read_csv(folder / "results" / f"{name}.csv")
        except (OSError, ValueError):
            return None
        return cls(table, str(about.get("headline", "")), tuple(about.get("caveats", ())))


@dataclass(frozen=True, eq=False)
class Answers:
    """Everything the page says beside the measures, and why the bridge stopped if it did."""

    why: Said
    guards: Said
    claims: Said
    actions: Said
    proposals: Said
    stopped: Mapping[str, str] = field(default_factory=dict)


def answers(data: Tables, folder: Path) -> Answers:
    """Take what a notebook kept in the snapshot, and compute and keep what none did.

    The bridge is the dearest step of all, and the same figures must stand on the notebook's page
    and on the brief; so it is made once. Where one part stops, the others stand.
    """
    stopped: dict[str, str] = {}

    def part(name: str, compute: Callable[[], Result]) -> Said:
        kept = Said.kept(name, folder)
        if kept is not None:
            return kept
        try:
            made = compute()
            write_result(made, name, folder)
        except FunnelError as error:
            stopped[name] = str(error)
        except Exception as error:  # one part that fails must not take the page with it
            stopped[name] = f"It stopped with an error of its own ({type(error).__name__})."
        else:
            return Said.of(made)
        return Said(pd.DataFrame())

    shared_out = functools.cache(lambda: why(data))
    shared = part(WHY, shared_out)
    guards = part(GUARDS, lambda: shared_out().guards())
    table = shared.table if len(shared.table) else pd.DataFrame(columns=list(_BRIDGE))
    touched = drivers_touched(guards.table)
    return Answers(
        why=Said(table, shared.headline, shared.caveats),
        guards=guards,
        claims=part(CLAIMS, lambda: claims(data, table, touched)),
        actions=part(ACTIONS, lambda: actions(data)),
        proposals=part(PROPOSALS, lambda: proposals(data, table)),
        stopped=stopped,
    )
