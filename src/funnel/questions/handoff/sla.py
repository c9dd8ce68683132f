"""The agreed SLA: how often sales, marketing and routing met it, now and in the baseline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from funnel.methods.qualification import by_span, qualification
from funnel.methods.question import Question, figure
from funnel.methods.rates import rate, rate_change
from funnel.questions.handoff.attention import Attention, attention
from funnel.questions.handoff.nurture import NurturePool, nurture_pool
from funnel.questions.handoff.response_times import (
    ASSIGNMENT,
    FEEDBACK,
    NOT_GRADED,
    FollowUp,
    TimeSplit,
    follow_up,
    handed_leads,
    time_split,
    time_until,
)
from funnel.questions.handoff.speed_to_lead import Association, handoff_point, speed_to_lead
from funnel.results import Stated, rows_of, speaks_for, stated_change
from funnel.results.small_groups import SmallGroups
from funnel.stats import smallest_detectable_rate

if TYPE_CHECKING:
    from funnel.dataset import Tables

SALES, MARKETING, ROUTING = "sales", "marketing", "routing"
FIRST_ACTION, ASSIGNED, DEFINITION = "first action", "assignment", "definition"  # and feedback
ROUTED_WITHIN = 1.0  # days; the plan sets no SLA for routing, and it belongs to neither team
NO_DEFINITION = "no definition"
_SUFFIXES = {"period": "", "baseline": "_baseline"}


@dataclass(frozen=True, eq=False, kw_only=True)
class Handoff(Question):
    """How often each team met its part of the SLA, one table and one rule for both.

    `table` has one row per part of the SLA:

    - `side` (`sales`, `marketing`, or `routing`, which belongs to neither), `sla` (`first action`,
      `feedback`, `assignment` or `definition`), `grade` and `within_days` (empty where the SLA
      names none);
    - `met` with `met_low`, `met_high` and `n`, of the leads handed over in the period, and
      `n_immature` of them, which are younger than the SLA's days and so not late;
      the same of the baseline with `_baseline`;
    - `change` (points of 1) with `change_low`, `change_high`, `verdict`, `smallest_detectable`.

    Attributes
    ----------
    stage
        What the hand-off is: a stage, `assigned_at` or `created_at`.
    n_acted_before, n_feedback_before
        Leads acted on, or given feedback, before their hand-off; that does not count.
    n_not_graded
        Leads handed over without a grade, to which no days apply.
    definition_problem
        Why marketing's part is not known: `no definition`, or what is wrong with it; else empty.
    has_activities
        Whether any sales action is recorded.
    """

    grouped = (
        SmallGroups(
            by=("grade",),
            counts={
                "n": ("met", "change", "smallest_detectable"),
                "n_immature": ("n_immature",),
                "n_baseline": ("met_baseline", "change", "smallest_detectable"),
                "n_immature_baseline": ("n_immature_baseline",),
            },
            within=("side", "sla"),
            add_up=("n", "n_baseline"),
        ),
    )

    stage: str
    n_acted_before: int
    n_feedback_before: int
    n_not_graded: int
    definition_problem: str
    has_activities: bool

    @property
    def stated(self) -> tuple[Stated, ...]:
        """Shares that met each part of the SLA, and their change."""
        names = {"met": "value", "met_baseline": "baseline", "change_low": "low"}
        rows = self.table.rename(columns=names | {"change_high": "high"}).to_dict("records")
        for row in rows:
            days = f"within {row['within_days']:g} days" if row["within_days"] > 0 else ""
            row["measure"] = " ".join(filter(None, (row["sla"], row["grade"], days)))
        windows = self.data.comparison
        return tuple(each for row in rows for each in stated_change(row, windows))

    @figure
    def follow_up(self) -> FollowUp:
        """Shares of leads that sales acts on, and how soon, by grade."""
        return follow_up(self.data)

    @figure
    def time_split(self) -> TimeSplit:
        """Days from hand-off to first action, split at the assignment."""
        return time_split(self.data)

    @figure
    def attention(self) -> Attention:
        """Follow-up by week, with returned leads and load of the weeks before."""
        return attention(self.data)

    @figure
    def speed_to_lead(self, *, within_days: float | None = None) -> Association:
        """Leads acted on soon compared with leads acted on later, of equal score and source."""
        return speed_to_lead(self.data, within_days=within_days)

    @figure
    def handoff_point(self) -> Association:
        """Leads pre-qualified by somebody else compared with leads their owner acted on first."""
        return handoff_point(self.data)

    @figure
    def nurture_pool(self) -> NurturePool:
        """Recycled leads: how many wait, how long, and how many come back."""
        return nurture_pool(self.data)


class _Part(NamedTuple):
    """One part of the SLA: days taken, days followed, and the leads (index) that it applies to."""

    side: str
    sla: str
    grade: str
    within_days: float
    took: pd.Series
    followed: pd.Series
    applies_to: pd.Index


def handoff(data: Tables) -> Handoff:
    """How often each team met its part of the SLA, in the period and in the baseline.

    Parameters
    ----------
    data
        A dataset. The plan's section `[promise]` holds the SLA's days by grade.

    Returns
    -------
    Handoff
        Sales: a first action on each graded lead within the plan's days of its assignment, and
        feedback within the plan's days of the hand-off. Marketing: the share of what is handed
        over that meets the agreed definition. Routing lies between the two.

    Notes
    -----
    Leads younger than the SLA's days are not late: they count as far as they were followed. A
    lead that was not assigned counts against routing, not against a salesperson. An action or
    feedback before the hand-off is no response to it.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-05-05"], "grade": ["A"],
    ...                       "assigned_at": ["2026-05-05"]})
    >>> acts = pd.DataFrame({"lead_id": ["L-1"], "occurred_at": ["2026-05-06"], "kind": ["call"]})
    >>> table = handoff(Tables.of(leads=leads, activities=acts, as_of="2026-06-30")).table
    >>> table.loc[table["grade"] == "A", ["sla", "within_days", "met"]].values.tolist()
    [['first action', 1.0, 1.0]]
    """
    handed, level = handed_leads(data), data.plan.level
    frame = handed.frame
    of_spans = by_span(data, frame, "handed_at")
    spans = {_SUFFIXES[span]: leads for span, leads in of_spans.items()}
    table = []
    for part in (*_sales(data, frame), *_routing(frame)):
        row = {name: getattr(part, name) for name in ("side", "sla", "grade", "within_days")}
        for end, rows in spans.items():
            here = rows.index.intersection(part.applies_to)
            took, followed = part.took.loc[here], part.followed.loc[here]
            met, low, high, n = time_until(took, followed).by(part.within_days, level)
            row |= {f"met{end}": met, f"met{end}_low": low, f"met{end}_high": high, f"n{end}": n}
            row[f"n_immature{end}"] = int((took.isna() & (followed < part.within_days)).sum())
        table.append(row | _change(row, level))
    row, problem = _marketing(data, spans)
    table.append(row | _change(row, level))
    result = pd.DataFrame(table)
    return Handoff(
        data=data,
        table=result.iloc[:0] if frame.empty else result,
        rows=pd.concat(
            [
                rows_of(f"handed over, {span}", "leads", leads["lead_id"])
                for span, leads in of_spans.items()
            ],
            ignore_index=True,
        ),
        units={"met": "share of leads handed over", "change": "points of 1"},
        stage=handed.stage,
        n_acted_before=handed.n_acted_before,
        n_feedback_before=handed.n_feedback_before,
        n_not_graded=int((frame["grade"] == NOT_GRADED).sum()),
        has_activities=data.has("activities", "occurred_at"),
        definition_problem=problem,
        **speaks_for(data),
    )


def _sales(data: Tables, frame: pd.DataFrame) -> Iterator[_Part]:
    if not data.has("activities", "occurred_at"):
        return
    is_assigned = has_salesperson(frame)
    grades = {grade: days for grade, days in data.plan.promise.items() if grade != FEEDBACK}
    for grade, days in grades.items():
        of = frame.index[frame["grade"].eq(grade) & is_assigned]
        times = frame["rep_days"], frame["assigned_days"]
        yield _Part(SALES, FIRST_ACTION, grade, days, *times, of)
    days = data.plan.promise.get(FEEDBACK)
    if days is None or not frame["feedback_at"].notna().any():
        return
    of = frame.index[frame["grade"].isin(list(grades))] if grades else frame.index
    yield _Part(SALES, FEEDBACK, "", days, frame["feedback_days"], frame["followed_days"], of)


def has_salesperson(frame: pd.DataFrame) -> pd.Series:
    """Whether each lead handed over counts for sales: assigned or acted on; all without records."""
    is_assigned = frame["assigned_at"].notna()
    return is_assigned | frame["responded_at"].notna() | (not is_assigned.any())


def _routing(frame: pd.DataFrame) -> Iterator[_Part]:
    at = frame[ASSIGNMENT]
    if not at.notna().any() or (at == frame["handed_at"]).all():
        return
    times = frame["routing_days"], frame["followed_days"]
    yield _Part(ROUTING, ASSIGNED, "", ROUTED_WITHIN, *times, frame.index)


def _marketing(data: Tables, spans: dict[str, pd.DataFrame]) -> tuple[dict[str, object], str]:
    """Share of the leads handed over that meet the agreed definition; why it is not known."""
    row: dict[str, object] = {"side": MARKETING, "sla": DEFINITION, "grade": ""}
    row["within_days"] = np.nan
    found = qualification(data)
    is_known = "agreed" in found.sides
    for end, leads in spans.items():
        answers = found.leads.set_index("lead_id")["agreed"] if is_known else pd.Series(dtype=float)
        met = answers.reindex(leads["lead_id"]).dropna()
        row |= rate(f"met{end}", int(met.sum()), len(met), data.plan.level)
        row |= {f"n{end}": len(met), f"n_immature{end}": 0}
    return row, "" if is_known else found.problems.get("agreed", NO_DEFINITION)


def _change(row: dict, level: float) -> dict[str, object]:
    least = smallest_detectable_rate(row["met_baseline"], row["n"], row["n_baseline"], level)
    return rate_change(row, "met", "met_baseline") | {"smallest_detectable": float(least)}
