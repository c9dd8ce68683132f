"""What could be agreed on next: at most five actions, as many for one side as for the other."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.contract.plan import Plan
from funnel.questions.why.claims import SharedOut
from funnel.questions.why.driver_text import Row, amount, is_named, with_interval
from funnel.questions.why.open_questions import SIDES
from funnel.questions.why.period_text import span
from funnel.results import Result, formats

if TYPE_CHECKING:
    from funnel.dataset import Tables

MOST = 5
COLUMNS = ("action", "owner", "due_on", "measure", "expected")
_READ = {
    "lead volume": "List the sources that sent more or fewer leads than in {then}",
    "mix": "Set each segment's share of leads beside that of {then}, and mark what was meant",
    "timing": "Go through the open deals by age, and write down the next step of each",
    "deal size": "Set the won deals beside those of {then}: scope, price, discount",
}
_NOBODYS = ("calendar", "residual")  # no work of either side moves them
_STEP = (
    "Read twenty who left {stage} in {when}, drawn by lot, and write down what they had in common"
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Proposals(Result):
    """Actions that follow from the drivers named, for both sides alike, or none.

    `table` has rows `action`, `owner` (a role), `due_on`, `measure` (the figure expected to move)
    and `expected` (what it is now, and which change would be seen).
    """

    plan: Plan
    next_on: dt.date

    @property
    def headline(self) -> str:
        """How many there are, or why there is none."""
        if self.table.empty:
            return (
                "None is proposed: no driver that work could move can be told from chance, so "
                "that nothing agreed on now could be aimed, or be seen to work. The questions come "
                "first."
            )
        company = self.plan.company
        n, day = formats.number(len(self.table), company), formats.day(self.next_on, company)
        return f"{n} actions are proposed, as many to sales as to marketing; to be read on {day}."


def proposals(data: Tables, shared: SharedOut) -> Proposals:
    """Propose the same work to both sides for each driver that is named.

    Parameters
    ----------
    data
        A company's tables.
    shared
        The bridge of the change, with `explained_by` and `rank` where its guards were held.

    Returns
    -------
    Proposals
        Two per driver, one for each side, for as many drivers as five leave room for; due a third
        into the period that follows, and to be read at its end.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-05-05"]})
    >>> table = pd.DataFrame({"driver": ["timing"], "segment": [None], "contribution": [-40.0],
    ...     "low": [-70.0], "high": [-9.0], "verdict": ["moved"], "smallest_detectable": [50.0]})
    >>> class Bridge:
    ...     table = table
    >>> made = proposals(Tables.of(leads=leads, as_of="2026-06-30"), Bridge()).table
    >>> made[["owner", "due_on", "measure"]].values.tolist()
    [['head of sales', '2026-07-31', 'timing'], ['head of marketing', '2026-07-31', 'timing']]
    """
    plan, comparison = data.plan, data.comparison
    days = dt.timedelta(days=comparison.period.n_days)
    begins = comparison.period.after
    due, next_on = begins + days / 3, begins + days - dt.timedelta(days=1)
    totals = shared.table[shared.table["segment"].isna()].to_dict("records")
    named = [row for row in totals if is_named(row) and row["driver"] not in _NOBODYS]
    named = sorted(named, key=_place)
    when, then = (span(each, plan.company) for each in (comparison.period, comparison.baseline))
    rows = [
        {
            "action": _work(row, when, then),
            "owner": f"head of {side}",
            "due_on": due.isoformat(),
            "measure": row["driver"],
            "expected": _expected(row, plan),
        }
        for row in named[: MOST // len(SIDES)]
        for side in SIDES
    ]
    return Proposals(
        table=pd.DataFrame(rows, columns=list(COLUMNS)).astype("str"),
        as_of=data.as_of,
        level=plan.level,
        plan=plan,
        next_on=next_on,
    )


def _place(row: Row) -> tuple[float, float]:
    rank = row.get("rank", 0.0)
    return (rank if rank == rank else float("inf"), -abs(row["contribution"]))


def _work(row: Row, when: str, then: str) -> str:
    work = _READ.get(row["driver"], _STEP)
    return work.format(when=when, then=then, stage=row["driver"].split(" to ")[0])


def _expected(row: Row, plan: Plan) -> str:
    least = amount(row["smallest_detectable"], plan)
    return f"{with_interval(row, plan)} now; a move of {least} would show"
