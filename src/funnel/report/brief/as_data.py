"""The first page as data: `brief.json`, in the contract's form."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from funnel.checks.reconciliation import (
    AFTER,
    DEALS,
    EXCLUDED,
    READ,
    REJECTED,
    REPEATED,
    USED,
    Reconciliation,
)
from funnel.contract.periods import Period
from funnel.methods.bridge.stage_history import arrivals
from funnel.methods.bridge.text import driver_label
from funnel.questions.why.change import PeriodChange
from funnel.questions.why.comparisons import AGAINST
from funnel.report.brief import text
from funnel.report.brief.facts import LISTS, WHY, Brief
from funnel.report.brief.inputs import MonthlyInput
from funnel.report.brief.records_page import records_of

VERSION = 2
BRIDGE = (
    "driver", "segment", "contribution", "low", "high", "verdict", "tier", "explained_by",
    "explained",
)  # fmt: skip
CHECK = ("guard", "state", "says")
CLAIM = ("claim", "said_by", "for", "against", "verdict")
OUTLOOK = (
    *("span", "start", "end", "expected", "low", "high", "from_open_deals", "from_leads"),
    *("difference", "difference_low", "difference_high"),
)
ACTION = ("action", "owner", "due_on", "measure", "verdict")


def as_data(brief: Brief) -> dict[str, Any]:
    """The first page in the form of `brief.json`; not known is `None`."""
    plan, comparison = brief.data.plan, brief.data.comparison
    row, wins = brief.change.table.iloc[0], _wins(brief.change)
    sides = {
        name: {
            "start": period.start.isoformat(),
            "end": period.end.isoformat(),
            "value": _number(row[column], row["unit"]),
            "wins": n_wins,
        }
        for name, period, column, n_wins in (
            ("period", comparison.period, "value", wins[0]),
            ("baseline", comparison.baseline, "baseline", wins[1]),
        )
    }
    return {
        "version": VERSION,
        "as_of": brief.data.as_of.isoformat(),
        "measure": plan.measure,
        "currency": plan.company.currency,
        **sides,
        "headline": text.title(brief),
        "answer": text.answer(brief),
        "comparisons": {against: _compared(brief, against) for against in AGAINST},
        "inputs": {each.measure: _input(each) for each in brief.inputs},
        "bridge": _bridge(brief),
        "guards": _records(text.checks(brief), CHECK),
        "claims": _records(text.claims(brief), CLAIM),
        "questions": {
            side: [ask.sentence for ask in asks] for side, asks in text.questions(brief).items()
        },
        "actions": _records(brief.evidence.actions.table, ACTION),
        "outlook": _records(brief.evidence.outlook.table, OUTLOOK),
        "records": _records_of(
            brief.reconciliation,
            {"period": comparison.period, "baseline": comparison.baseline},
        ),
        "plan_sha256": plan.sha256,
        "plan_changed": bool(brief.plan_changed_since),
    }


def _bridge(brief: Brief) -> list[dict[str, Any]]:
    """Rows of the bridge, each with its label, its place on the way and the file of its rows."""
    table, arriving = brief.evidence.why.table, arrivals(brief.data)
    return [
        row
        | {name: row[name] or None for name in ("tier", "explained_by")}
        | {
            "label": driver_label(row["driver"], brief.say, arriving),
            "where": brief.places[row["driver"]],
            "rows": f"rows/{LISTS if records_of(row['driver'], brief) else WHY}.csv",
        }
        for row in _records(table, BRIDGE)
    ]


def _input(each: MonthlyInput) -> dict[str, Any]:
    """Values of the last 13 months, the goal, and the month since which the level is another."""
    before, after = (_number(number, each.unit) for number in each.before_and_after)
    step = None
    if each.step is not None:
        step = {"since": each.starts[each.step].isoformat(), "before": before, "after": after}
    return {
        "unit": each.unit,
        "value": _number(each.value, each.unit),
        "goal": _number(each.goal, each.unit),
        "months": [
            {"start": start.isoformat(), "value": _number(number, each.unit)}
            for start, number in zip(each.starts, each.months, strict=True)
        ],
        "step": step,
    }


def _compared(brief: Brief, against: str) -> dict[str, Any] | None:
    """The plan's measure against its goal or another period; `None` where there is none."""
    row = brief.comparisons.row(against)
    if row is None:
        return None
    numbers = {"value": row["other"], **{name: row[name] for name in ("change", "low", "high")}}
    return {name: _number(value, row["unit"]) for name, value in numbers.items()} | {
        "label": row["label"],
        "verdict": row["verdict"] or None,
    }


def _records_of(found: Reconciliation, periods: Mapping[str, Period]) -> dict[str, Any]:
    """Rows and money of deals by period, and rows of every table.

    Each `in` = used + rejected + excluded + after.
    """

    def states(period: Period, table: str, at: int) -> dict[str, float | int]:
        parts = {
            "in": [READ], "used": [USED], "rejected": [REJECTED, REPEATED], "excluded": [EXCLUDED],
            "after": [AFTER],
        }  # fmt: skip
        return {
            name: round(sum(found.row(period, each, table)[at] for each in of), 2)
            for name, of in parts.items()
        }

    return {
        name: {"rows": states(period, DEALS, 0), "money": states(period, DEALS, 1)}
        for name, period in periods.items()
    } | {
        "tables": {
            table: {name: states(period, table, 0) for name, period in periods.items()}
            for table in found.tables
        }
    }


def _records(table: pd.DataFrame, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Rows as plain data: numbers to the cent, `None` for what is not known."""
    if table.empty:
        return []
    return [
        {name: _plain(value) for name, value in row.items()}
        for row in table[list(columns)].to_dict("records")
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 2) + 0.0 if math.isfinite(value) else None
    return None if value == "" else value  # an empty cell of a saved table is not known


def _wins(change: PeriodChange) -> tuple[int | None, int | None]:
    row = change.table[change.table["measure"] == "wins"].iloc[0]
    now, then = (_number(row[column], "count") for column in ("value", "baseline"))
    return now, then


def _number(value: float, unit: str) -> float | int | None:
    """Number for JSON: whole counts, money to the cent, `None` for what is not known."""
    if not math.isfinite(value):
        return None
    if unit == "count":
        return round(value)
    return round(float(value), 2 if unit == "money" else 6)
