"""What did not move, what cannot be told, what would settle it, and whom to ask what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from funnel.contract.plan import Company
from funnel.questions.why.driver_text import (
    RESIDUAL,
    Row,
    amount,
    explained_by,
    is_in_play,
    with_interval,
)
from funnel.results import formats
from funnel.stats import CANNOT_TELL, DID_NOT_MOVE

if TYPE_CHECKING:
    from funnel.dataset import Tables

OPEN = "Whether {driver} moved cannot be told: "
SIDES = ("sales", "marketing")
TENTH = 0.1
_YEARS = 2  # who would have to wait for longer should ask
# What each side may know of a driver that no table shows. Both are asked about the same drivers.
_ASKED: Mapping[str, tuple[str, str]] = {
    "lead volume": (
        "where did the leads that you worked come from, and what did no form ask them?",
        "what was changed in budgets, forms or tracking, and on which day?",
    ),
    "mix": (
        "which kinds of companies did you meet more, or less, than before?",
        "which audiences were meant to grow or to shrink, and from which day?",
    ),
    "timing": (
        "which open deals were expected to be closed by now, and what do they wait for?",
        "which leads were asked to wait, and for what?",
    ),
    "deal size": (
        "which deals were discounted, split or merged, and where is it written down?",
        "which prices or offers were shown in campaigns, and on which days?",
    ),
    "calendar": (
        "which days were lost to leave, fairs or holidays that were not lost before?",
        "which campaigns of the earlier period had no counterpart in this one?",
    ),
}
_STEP = (
    "what do you hear from those who stand at {stage} that no table shows?",
    "what were those who stand at {stage} promised or shown that no table holds?",
)


def still(table: pd.DataFrame, data: Tables) -> list[str]:
    """Say which drivers did not move, each with the bound and the smallest change to be seen.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-05-05"]})
    >>> table = pd.DataFrame({"driver": ["mix"], "segment": [None], "contribution": [4.0],
    ...     "low": [-9.0], "high": [12.0], "verdict": ["did not move"],
    ...     "smallest_detectable": [16.0]})
    >>> still(table, Tables.of(leads=leads, as_of="2026-06-30"))
    ['mix: not by more than €12, up or down; a change of €16 would have shown.']
    """
    plan = data.plan
    said = []
    for row in _totals(table):
        if row["verdict"] != DID_NOT_MOVE or not is_in_play(row):
            continue
        bound = amount(max(-row["low"], row["high"]), plan)
        least = amount(row["smallest_detectable"], plan)
        said.append(
            f"{row['driver']}: not by more than {bound}, up or down; a change of {least} would "
            "have shown."
        )
    return said


def unsettled(table: pd.DataFrame) -> list[Row]:
    """Give the drivers that cannot be told, the one that may be largest first.

    Those that these tables hold nothing on come last, the residual not at all.
    """
    rows = [
        row
        for row in _totals(table)
        if row["driver"] != RESIDUAL and (row["verdict"] == CANNOT_TELL or explained_by(row))
    ]
    return sorted(rows, key=lambda row: (not is_in_play(row), -_reach(row)))


def settled_by(table: pd.DataFrame, data: Tables, wins: tuple[int, int], value: float) -> list[str]:
    """Say of each driver that cannot be told how many rows, and weeks, would settle it.

    Parameters
    ----------
    table
        Rows of the bridge.
    data
        A company's tables.
    wins
        Deals won in the period and in its baseline.
    value
        The baseline's, in the measure's unit. What is looked for is a tenth of it.
    """
    plan, company = data.plan, data.plan.company
    days = data.comparison.period.n_days
    fewest = min(wins)
    said = []
    for row in unsettled(table):
        if not is_in_play(row):
            continue
        text = f"{row['driver']} {with_interval(row, plan)}"
        if guard := explained_by(row):
            said.append(f"{text}: the guard {guard} accounts for it.")
            continue
        least = row["smallest_detectable"]
        chance = "over all looks it may be chance; " if row["low"] > 0 or row["high"] < 0 else ""
        seen = f"{chance}a change of {amount(least, plan)} would have shown"
        wanted = TENTH * abs(value)
        if not (fewest and wanted and least > wanted):
            said.append(f"{text}: {seen}.")
            continue
        more = (least / wanted) ** 2
        n = formats.number(more * fewest, company)
        said.append(
            f"{text}: {seen}; one of a tenth, with some {n} wins in each period "
            f"({_how_long(more * days, company)})."
        )
    return said


def _how_long(days: float, company: Company) -> str:
    """Say how long as many rows take to come in; what takes years is settled by other means."""
    if days < _YEARS * 365:
        return f"{formats.number(days / 7, company)} weeks at this pace"
    return f"{formats.number(days / 365, company)} years at this pace: ask rather than wait"


def questions(table: pd.DataFrame) -> dict[str, list[str]]:
    """Ask both sides about each driver that cannot be told, in the same order.

    Returns
    -------
    dict
        For each side as many questions, each beginning with the driver it points at.
    """
    asked: dict[str, list[str]] = {side: [] for side in SIDES}
    for row in unsettled(table):
        about = OPEN.format(driver=row["driver"])
        stage = row["driver"].split(" to ")[0]
        for side, question in zip(SIDES, _ASKED.get(row["driver"], _STEP), strict=True):
            asked[side].append(f"{about}{question.format(stage=stage)}")
    return asked


def _totals(table: pd.DataFrame) -> Sequence[Row]:
    return table[table["segment"].isna()].to_dict("records")


def _reach(row: Row) -> float:
    return max(-row["low"], row["high"]) if is_in_play(row) else 0.0
