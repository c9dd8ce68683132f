"""What could be agreed on next: at most five actions, as many for one side as for the other."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.contract.periods import Comparison
from funnel.questions.why.open_questions import SIDES
from funnel.questions.why.verdicts import Row, is_named
from funnel.results import Result, speaks_for

if TYPE_CHECKING:
    from funnel.dataset import Tables

MOST = 5
COLUMNS = (
    *("owner", "due_on", "measure", "stage", "contribution", "low", "high"),
    *("smallest_detectable", "unit"),
)
_NOBODYS = ("calendar", "residual")  # no work of either side moves them


@dataclass(frozen=True, eq=False, kw_only=True)
class Proposals(Result):
    """Actions that follow from the drivers named, for both sides alike, or none.

    `table` has rows `owner` (a role), `due_on`, `measure` (the driver expected to move), `stage`
    (the one that a step leaves), `contribution` with `low` and `high` (what it is now),
    `smallest_detectable` (the change that would be visible) and `unit`.
    """

    comparison: Comparison
    next_on: dt.date


def proposals(data: Tables, table: pd.DataFrame) -> Proposals:
    """The same work proposed to both sides for each driver that is named.

    Parameters
    ----------
    data
        A dataset.
    table
        Rows of the bridge, with `explained_by` and `rank` where it went through the checks.

    Returns
    -------
    Proposals
        Two per driver, one for each side, for as many drivers as five actions allow. They are due
        a third into the period that follows, and measured at its end.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-05-05"]})
    >>> table = pd.DataFrame({"driver": ["timing"], "segment": [None], "contribution": [-40.0],
    ...     "low": [-70.0], "high": [-9.0], "verdict": ["moved"], "smallest_detectable": [50.0]})
    >>> made = proposals(Tables.of(leads=leads, as_of="2026-06-30"), table).table
    >>> made[["owner", "due_on", "measure"]].values.tolist()
    [['head of sales', '2026-07-31', 'timing'], ['head of marketing', '2026-07-31', 'timing']]
    """
    days = dt.timedelta(days=data.comparison.period.n_days)
    begins = data.comparison.period.after
    totals = table[table["segment"].isna()].to_dict("records")
    named = [row for row in totals if is_named(row) and row["driver"] not in _NOBODYS]
    rows = [
        {
            "owner": f"head of {side}",
            "due_on": (begins + days / 3).isoformat(),
            "measure": row["driver"],
            "stage": row["driver"].split(" to ")[0] if " to " in row["driver"] else None,
            **{name: row[name] for name in ("contribution", "low", "high", "smallest_detectable")},
            "unit": "count" if data.plan.measure == "wins" else "money",
        }
        for row in sorted(named, key=_place)[: MOST // len(SIDES)]
        for side in SIDES
    ]
    texts = ("owner", "due_on", "measure", "stage", "unit")
    return Proposals(
        table=pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(texts, "str")),
        **speaks_for(data),
        comparison=data.comparison,
        next_on=begins + days - dt.timedelta(days=1),
    )


def _place(row: Row) -> tuple[float, float]:
    rank = row.get("rank", 0.0)
    return (rank if rank == rank else float("inf"), -abs(row["contribution"]))
