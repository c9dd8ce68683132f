"""Findings: what is odd in the rows but usable, each with a count, three ids and a question.

Nothing here changes a row. Each finding is a query over the checked tables, run when the findings
are first needed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.contract.tables import TABLES
from funnel.dataset.engine import quoted

if TYPE_CHECKING:
    from funnel.dataset import Tables

COLUMNS = ("table", "what", "n", "examples", "says", "owner", "question")
_STOPPED_DAYS = 14
_EARLIEST = "1970-01-01"


@dataclass(frozen=True)
class Finding:
    """Something odd in a table: a short code, the number of rows, three ids, and a question."""

    table: str
    what: str
    n: int
    examples: str
    says: str
    question: str
    owner: str = ""

    def row(self) -> tuple[str, str, int, str, str, str, str]:
        """Values in the order of `COLUMNS`."""
        owner = self.owner or TABLES[self.table].owner
        return (self.table, self.what, self.n, self.examples, self.says, owner, self.question)


def gather(data: Tables) -> pd.DataFrame:
    """Findings of a dataset: those made while reading, and those of every check here.

    Returns
    -------
    DataFrame
        One row per finding: `table`, `what`, `n`, `examples`, `says`, `owner`, `question`.
    """
    found = list(data.load_findings)
    for check in _CHECKS:
        found += check(data)
    order = {name: position for position, name in enumerate(TABLES)}
    found.sort(key=lambda finding: (order.get(finding.table, -1), finding.what))
    frame = pd.DataFrame([finding.row() for finding in found], columns=list(COLUMNS))
    return frame.astype({name: "str" for name in COLUMNS if name != "n"} | {"n": "int64"})


def unknown_file(name: str) -> Finding:
    """Finding: a file that is no table."""
    return Finding(
        table="",
        what="unknown_file",
        n=1,
        examples=name,
        says=f"{name} is no table of the contract and was not read.",
        question="Is it a table under another name, or can it be left out of the folder?",
        owner="Both teams",
    )


def open_key(variable: str) -> Finding:
    """Finding: anyone who knows the folder's path can make the hashes again."""
    return Finding(
        table="",
        what="open_key",
        n=1,
        examples="",
        says="The key that identities are hashed with could not be saved, so it was made from the "
        "folder's path (of frames, from a fixed word): whoever knows it can make the hashes again.",
        question=f"Can {variable} be set, or the state folder be made writable?",
        owner="Both teams",
    )


def of_file(table: str, what: str, says: str) -> Finding:
    """Finding: something about a file itself."""
    return Finding(table, what, 1, "", says, "Can the export be set up so that it fits as it is?")


def unknown_word(table: str, column: str, n: int, examples: list[str] | None) -> Finding:
    """Finding: words that are not allowed in an optional column."""
    allowed = ", ".join(TABLES[table].by_name[column].choices)
    return Finding(
        table,
        f"unknown_{column}",
        n,
        ", ".join(examples or ()),
        f"{_rows(n, table, 'has', 'have')} a `{column}` other than {allowed}; it counts as not "
        "recorded.",
        f"What is meant, in words of {allowed}?",
    )


def later_than_data(wanted: dt.date, newest: dt.date) -> Finding:
    """Finding: the `as_of` given is later than the data."""
    n = (wanted - newest).days
    return Finding(
        "leads",
        "as_of_after_data",
        n,
        "",
        f"as_of is {wanted}, and the newest day of ordinary activity is {newest}: the "
        f"{'day' if n == 1 else f'{n:,} days'} since count as days without any activity.",
        "Is the export up to date?",
        owner="Marketing Ops and Sales Ops",
    )


def strays(table: str, n: int, examples: list[str] | None, as_of: dt.date) -> Finding:
    """Finding: rows dated after the newest day of ordinary activity."""
    return Finding(
        table,
        "stray_rows",
        n,
        ", ".join(examples or ()),
        f"{_rows(n, table, 'lies', 'lie')} after {as_of}, the newest day of ordinary activity, and "
        f"{'is' if n == 1 else 'are'} not used.",
        "Is this date mistyped?" if n == 1 else "Are these dates mistyped?",
    )


def _rows(n: int, table: str, one: str, more: str) -> str:
    """Beginning of a sentence on some rows, with its verb in the singular or plural."""
    return f"1 row of {table} {one}" if n == 1 else f"{n:,} rows of {table} {more}"


def _counted(
    data: Tables, table: str, what: str, query: str, says: Callable[[int], str], question: str
) -> list[Finding]:
    """Finding of a query that gives how many rows, and three ids; none where it counts no row."""
    n, examples = data.engine.rows(query)[0]
    if not n:
        return []
    listed = ", ".join(str(example) for example in examples or [])
    return [Finding(table, what, n, listed, says(n), question)]


def _early_rows(data: Tables) -> list[Finding]:
    found = []
    for name, table in TABLES.items():
        if table.happened and data.has(name):
            key = quoted((table.key or table.required)[0])
            found += _counted(
                data,
                name,
                "early_rows",
                f"select count(*), min({key}, 3) from {name} "
                f"where {quoted(table.happened)} < date '{_EARLIEST}'",
                lambda n, name=name: f"{_rows(n, name, 'lies', 'lie')} before {_EARLIEST[:4]}.",
                "Does such a date stand for a missing one?",
            )
    return found


def _repeated_touches(data: Tables) -> list[Finding]:
    if not data.has("touches"):
        return []
    same = [name for name in TABLES["touches"].by_name if name != "touch_id"]
    listed = ", ".join(quoted(name) for name in [*same, *data.extras.get("touches", ())])
    return _counted(
        data,
        "touches",
        "repeated_touches",
        f"select coalesce(sum(n - 1), 0)::bigint, min(coalesce(lead_id, account_id), 3) from "
        f"(select lead_id, account_id, count(*) as n from touches group by {listed} "
        "having count(*) > 1)",
        lambda n: (
            f"{_rows(n, 'touches', 'repeats', 'repeat')} another in everything but `touch_id`."
        ),
        "Was one contact recorded twice, or did two take place within the same second?",
    )


def _deals_without_amount(data: Tables) -> list[Finding]:
    if not data.has("deals", "amount"):
        return []
    return _counted(
        data,
        "deals",
        "won_without_amount",
        "select count(*), min(deal_id, 3) from deals "
        "where outcome = 'won' and coalesce(amount, 0) <= 0",
        lambda n: f"{_rows(n, 'deals', 'is', 'are')} won with no amount, zero or less.",
        "For how much?",
    )


def _out_of_order(data: Tables) -> list[Finding]:
    found = []
    if data.has("leads", "assigned_at"):
        found += _counted(
            data,
            "leads",
            "assigned_before_created",
            "select count(*), min(lead_id, 3) from leads where assigned_at < created_at",
            lambda n: f"{_rows(n, 'leads', 'was', 'were')} assigned before being created.",
            "Which of the two times is right?",
        )
    if not data.has("leads"):
        return found
    if data.has("stage_changes"):
        found += _counted(
            data,
            "stage_changes",
            "before_lead",
            "select count(*), min(s.lead_id, 3) from stage_changes s join leads l using (lead_id) "
            "where s.entered_at < l.created_at",
            lambda n: f"{_rows(n, 'stage_changes', 'lies', 'lie')} before the lead was created.",
            "Was the lead created again, or were stages moved from another system?",
        )
    if data.has("deals", "lead_id"):
        found += _counted(
            data,
            "deals",
            "closed_before_lead",
            "select count(*), min(d.deal_id, 3) from deals d join leads l using (lead_id) "
            "where d.closed_at < l.created_at",
            lambda n: f"{_rows(n, 'deals', 'was', 'were')} closed before the lead was created.",
            "Was the lead linked to the deal afterwards?",
        )
    return found


def _stopped_early(data: Tables) -> list[Finding]:
    """Findings: tables that end at least two weeks before the last day that the data covers."""
    found = []
    for name in ("touches", "activities", "stage_changes", "spend"):
        if not data.has(name):
            continue
        happened = TABLES[name].happened
        newest = data.engine.rows(f"select cast(max({happened}) as date) from {name}")[0][0]
        n = (data.as_of - newest).days
        if n > _STOPPED_DAYS:
            found.append(
                Finding(
                    name,
                    "stopped_early",
                    n,
                    "",
                    f"{name} end on {newest}, {n:,} days before {data.as_of}.",
                    "Did the export or the tracking stop, or has nothing happened since?",
                )
            )
    return found


def _extra_columns(data: Tables) -> list[Finding]:
    found = []
    for name, columns in data.extras.items():
        if columns:
            listed = ", ".join(columns[:8]) + (", ..." if len(columns) > 8 else "")
            found.append(
                Finding(
                    name,
                    "extra_columns",
                    len(columns),
                    ", ".join(columns[:3]),
                    (
                        f"{name} have a column that the contract does not name ({listed}); it is "
                        "kept, and may be used as a segment."
                        if len(columns) == 1
                        else f"{name} have {len(columns)} columns that the contract does not name "
                        f"({listed}); they are kept, and may be used as segments."
                    ),
                    "Is one of them a column of the contract under another name?",
                )
            )
        for column in columns:
            if column.strip().casefold() in ("currency", "currency_code"):
                found += _currencies(data, name, column)
    return found


def _currencies(data: Tables, name: str, column: str) -> list[Finding]:
    cell = f"upper(cast({quoted(column)} as varchar))"
    codes = data.engine.rows(
        f"select {cell}, count(*) from {name} where {cell} is not null "
        "group by 1 order by 2 desc, 1"
    )
    if len(codes) < 2:
        return []
    n = sum(count for _, count in codes[1:])
    # anything else in that column may be a cell of another
    listed = ", ".join(code for code, _ in codes[:3] if len(code) == 3 and code.isalpha())
    return [
        Finding(
            name,
            "currencies",
            n,
            listed,
            f"{name} are in {len(codes)} currencies ({listed}), and amounts are added up as if in "
            f"one, {data.plan.company.currency}.",
            "Can the export convert them, at which rate?",
        )
    ]


_CHECKS = (
    _early_rows,
    _repeated_touches,
    _deals_without_amount,
    _out_of_order,
    _stopped_early,
    _extra_columns,
)
