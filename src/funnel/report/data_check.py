"""Check of a company's tables, as text for a terminal and as JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pandas as pd

from funnel.checks import proposals, record_problems
from funnel.checks.text import proposal_lines, question, sentence
from funnel.contract.tables import TABLES

if TYPE_CHECKING:
    from funnel.dataset import Tables

_WIDTH = 96
_STATES = ("can be answered", "in part", "cannot tell")


def check_as_data(data: Tables) -> str:
    """JSON of the check.

    It has `as_of`, `tables`, `missing`, `rejected`, `findings`, `problems` (of how records are
    filled over time: what, since when, rows, money, drivers, remedy), `proposals` (`aliases`,
    `exclusions` and the `lines` of the plan that say so) and `questions`.
    """
    proposed = proposals(data)
    whole = {
        "as_of": data.as_of.isoformat(),
        "tables": _records(data.counts),
        "missing": _missing(data),
        "rejected": _records(_reasons(data)),
        "findings": _records(data.findings),
        "problems": _problems(data),
        "proposals": {
            "aliases": [
                {"column": each.column, "from": each.from_, "to": each.to, "rows": each.rows}
                for each in proposed.aliases
            ],
            "exclusions": [asdict(each) for each in proposed.exclusions],
            "lines": proposal_lines(proposed),
        },
        "questions": _records(_questions(data)),
    }
    return json.dumps(whole, ensure_ascii=False, indent=1)


def check_as_text(data: Tables) -> str:
    """Rows of each table, what is odd in them, lines for the plan, and which questions stay."""
    parts = [f"The data covers the time up to {data.as_of}.", _table_text(data.counts)]
    if missing := _missing(data):
        parts.append(_filled(f"Missing tables: {', '.join(missing)}."))
    reasons = _reasons(data)
    if len(reasons):
        parts += ["Rejected rows:", _table_text(reasons)]
    else:
        parts.append("No row was rejected.")
    if len(data.findings):
        parts.append("Findings in rows that are used:")
        parts += [
            _filled(f"- {row['says']} {row['question']} ({row['owner']})")
            for row in data.findings.to_dict("records")
        ]
    if problems := _problems(data):
        parts.append("Problems in how the records are filled:")
        parts += [
            _filled(f"- {each['says']} {each['question']} ({each['team']})") for each in problems
        ]
    if lines := proposal_lines(proposals(data)):
        parts.append("Lines for [records] of funnel.toml, where they are right:")
        parts.append("\n".join(lines))
    parts.append("Which questions can be answered:")
    by_state = _questions(data, together=True)
    for state in _STATES:
        questions = by_state[by_state["state"] == state]
        if questions.empty:
            continue
        lines = [
            f"- {row['question']}\n"
            + textwrap.indent(textwrap.fill(row["reason"] + _whom(row["team"]), _WIDTH - 4), "    ")
            for row in questions.to_dict("records")
        ]
        parts.append("\n".join([f"{state}:", *lines]))
    return "\n\n".join(parts)


def _reasons(data: Tables) -> pd.DataFrame:
    counted = data.rejects.groupby(["table", "reason"], sort=False, dropna=False).size()
    return counted.rename("rows").reset_index()


def _missing(data: Tables) -> list[str]:
    there = set(data.counts["table"])
    return [name for name in TABLES if name not in there]


def _questions(data: Tables, *, together: bool = False) -> pd.DataFrame:
    from funnel.questions.readiness import readiness
    from funnel.questions.readiness.text import grouped, in_words
    from funnel.results import Say

    words = grouped if together else in_words
    return words(readiness(data), Say(data.plan.company, data.plan.level))


def _problems(data: Tables) -> list[dict[str, Any]]:
    from funnel.results import Say

    found = record_problems(data)
    say = Say(data.plan.company, data.plan.level)
    says = [sentence(each.found, say) for each in found.problems]
    asks = [question(each.problem) for each in found.problems]
    return _records(found.table.assign(says=says, question=asks))


def _whom(team: str) -> str:
    return f" Ask {team.replace('Both', 'both')}." if team else ""


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return json.loads(table.to_json(orient="records", date_format="iso"))


def _table_text(table: pd.DataFrame) -> str:
    """Text of a table: numbers aligned right, long texts wrapped."""
    numbers = [pd.api.types.is_numeric_dtype(kind) for kind in table.dtypes]
    cells = [[_cell(cell) for cell in row] for row in table.itertuples(index=False)]
    rows = [list(table.columns), *cells]
    widths = [min(max(len(row[i]) for row in rows), 44) for i in range(len(table.columns))]
    return "\n".join(line for row in rows for line in _lines(row, widths, numbers))


def _lines(row: Sequence[str], widths: Sequence[int], numbers: Sequence[bool]) -> list[str]:
    wrapped = [textwrap.wrap(cell, width) or [""] for cell, width in zip(row, widths, strict=True)]
    lines = []
    for at in range(max(map(len, wrapped))):
        cells = [
            (lines_of[at : at + 1] or [""])[0].rjust(width)
            if is_number
            else (lines_of[at : at + 1] or [""])[0].ljust(width)
            for lines_of, width, is_number in zip(wrapped, widths, numbers, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def _cell(value: Any) -> str:
    if value is None or value != value:
        return ""
    return f"{value:,}" if isinstance(value, int) else str(value)


def _filled(text: str) -> str:
    return textwrap.fill(text, _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
