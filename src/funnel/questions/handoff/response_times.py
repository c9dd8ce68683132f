"""When each lead was handed over, assigned and first acted on, and how soon that is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.contract.labels import EVERYBODY
from funnel.contract.plan import Plan
from funnel.contract.workdays import is_workday
from funnel.dataset.cache import cached
from funnel.methods.ages import in_days
from funnel.methods.qualification import by_span
from funnel.methods.qualification.handoff import handoff_stages
from funnel.methods.qualification.handoff import leads_with_handoff as leads_with_handoff
from funnel.results import Result, rows_of, speaks_for
from funnel.results.small_groups import SmallGroups
from funnel.stats.survival import Incidence, incidence

if TYPE_CHECKING:
    from funnel.dataset import Tables

OPENS, CLOSES = 9, 17  # local hours of a working day
FEEDBACK = "feedback"
NOT_GRADED = "not graded"
CREATION, ASSIGNMENT = "created_at", "assigned_at"  # a hand-off that no stage records
SPANS = ("period", "baseline")
CURVE_DAYS = (0.25, 0.5, 1, 2, 3, 4, 5, 7, 10, 14, 21, 30)
LONG = 30.0  # days by which a first action is reported; without one by then it seldom comes
_FEWEST = 10  # leads, below which no share of the time is given
_BOTH_ENDS = np.array([-1.0, 1.0])


@dataclass(frozen=True, eq=False)
class HandedLeads:
    """Every lead that was handed over, once, with its times.

    Attributes
    ----------
    frame
        One row per lead handed over, in the order of leads:

        - `lead_id`, `grade` (`not graded` where there is none), `channel`, `score`, `owner`;
        - `handed_at`: the first entry into the plan's second stage; where stage changes do not
          record that stage, the assignment; without assignments, the lead's creation;
        - `assigned_at`; `responded_at`, the first sales action at or after the hand-off that is
          no feedback; `feedback_at`, the first feedback at or after the hand-off; missing where
          it did not happen;
        - `routing_days` (hand-off to assignment), `rep_days` (assignment to first action),
          `response_days` (hand-off to first action, and the sum of both), missing without that
          action; `feedback_days` (hand-off to feedback); `followed_days` since the hand-off and
          `assigned_days` since the assignment, to the end of `as_of`;
        - `business_hours` from hand-off to first action, and `followed_hours` to the end of
          `as_of`.
    stage
        The stage whose first entry is the hand-off; `assigned_at` or `created_at` where no stage
        records it.
    n_acted_before, n_feedback_before
        Leads with a sales action, or feedback, before their hand-off. It is no response to it and
        does not count.
    """

    frame: pd.DataFrame
    stage: str
    n_acted_before: int
    n_feedback_before: int


@cached
def handed_leads(data: Tables) -> HandedLeads:
    """Every lead that was handed over, once, with its times.

    Notes
    -----
    A lead that is recycled and handed over again counts once, at its first hand-off. An action
    before the assignment ends the response time with no days of a salesperson.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05T08:00:00"],
    ...                       "assigned_at": ["2026-01-05T14:00:00"]})
    >>> activities = pd.DataFrame({"lead_id": ["L-1"], "kind": ["call"],
    ...                            "occurred_at": ["2026-01-06T14:00:00"]})
    >>> data = Tables.of(leads=leads, activities=activities, as_of="2026-01-31")
    >>> handed_leads(data).frame[["routing_days", "rep_days"]].values.tolist()
    [[0.0, 1.0]]
    """
    leads = data.leads
    frame = leads[["lead_id", "created_at", "assigned_at", "channel", "score", "owner"]].copy()
    frame["grade"] = leads["grade"].fillna(NOT_GRADED).astype("str")
    frame["handed_at"], stage = _handed_at(data, frame)
    frame = frame[frame["handed_at"].notna()].reset_index(drop=True)
    begin = frame["handed_at"]
    is_feedback = data.activities["kind"].str.lower().eq(FEEDBACK).fillna(False)
    frame["responded_at"], n_acted_before = _first(sales_actions(data), frame)
    frame["feedback_at"], n_feedback_before = _first(data.activities[is_feedback], frame)
    responded = frame["responded_at"]
    # an assignment before the hand-off, or after the first action, leaves no days of routing
    assigned = frame["assigned_at"].fillna(begin).clip(lower=begin)
    assigned = assigned.where(responded.isna(), np.minimum(assigned, responded.fillna(assigned)))
    frame["routing_days"] = in_days(frame["assigned_at"].clip(lower=begin) - begin)
    has_response = responded.notna()
    frame.loc[has_response, "routing_days"] = in_days(assigned - begin)[has_response]
    frame["rep_days"] = in_days(responded - assigned)
    frame["response_days"] = in_days(responded - begin)
    frame["feedback_days"] = in_days(frame["feedback_at"] - begin)
    frame["followed_days"] = in_days(data.ends_at - begin)
    frame["assigned_days"] = in_days(data.ends_at - assigned)
    hours = business_hours(begin, responded, data.plan)
    frame["business_hours"] = pd.Series(hours, index=frame.index)
    ends = pd.Series(data.ends_at, index=frame.index, dtype=begin.dtype)
    frame["followed_hours"] = pd.Series(business_hours(begin, ends, data.plan), index=frame.index)
    return HandedLeads(frame, stage, n_acted_before, n_feedback_before)


def sales_actions(data: Tables) -> pd.DataFrame:
    """Activities that are no feedback."""
    kind = data.activities["kind"].str.lower()
    return data.activities[kind.ne(FEEDBACK).fillna(True)]


def business_hours(start: pd.Series, end: pd.Series, plan: Plan) -> NDArray[np.float64]:
    """Hours of work between times, at the company's place.

    Parameters
    ----------
    start, end
        Times (UTC), one pair per row; a missing time gives not a number.
    plan
        Its time zone and country: working days are Mondays to Fridays that are no public holiday,
        from 9:00 to 17:00.

    Examples
    --------
    >>> friday, monday = pd.to_datetime(["2026-01-02 16:00Z", "2026-01-05 10:00Z"])
    >>> business_hours(pd.Series([friday]), pd.Series([monday]), Plan()).tolist()
    [2.0]
    """
    times = [side.dt.tz_convert(plan.company.timezone).dt.tz_localize(None)
               for side in (start, end)]  # fmt: skip
    known = pd.concat(times).dropna()
    if known.empty:
        return np.full(len(start), np.nan)
    days = pd.date_range(known.min().normalize(), known.max().normalize(), freq="D")
    works = is_workday(days, plan.company.country).astype(float)
    before = np.concatenate([[0.0], np.cumsum(works)]) * (CLOSES - OPENS)

    def worked(moment: pd.Series) -> NDArray[np.float64]:
        day = ((moment.dt.normalize() - days[0]) / pd.Timedelta(days=1)).to_numpy(float)
        at = np.nan_to_num(day).astype(int)
        hour = (moment - moment.dt.normalize()).dt.total_seconds().to_numpy() / 3600
        today = np.clip(hour - OPENS, 0, CLOSES - OPENS) * works[at]
        return np.where(np.isnan(day), np.nan, before[at] + today)

    return np.maximum(worked(times[1]) - worked(times[0]), 0.0)


def _handed_at(data: Tables, frame: pd.DataFrame) -> tuple[pd.Series, str]:
    recorded = handoff_stages(data)
    if not recorded.is_known:
        return frame["created_at"], CREATION
    at = leads_with_handoff(data).set_index("lead_id")["handed_at"]
    at = at.reindex(frame["lead_id"]).set_axis(frame.index).clip(lower=frame["created_at"])
    return at, recorded.stage


def _first(activities: pd.DataFrame, frame: pd.DataFrame) -> tuple[pd.Series, int]:
    """First activity at or after each hand-off, and how many leads have one before it."""
    handed = frame.set_index("lead_id")["handed_at"].reindex(activities["lead_id"])
    handed = handed.set_axis(activities.index)
    before = activities["occurred_at"] < handed
    first = activities[activities["occurred_at"] >= handed].groupby("lead_id")["occurred_at"].min()
    at = first.reindex(frame["lead_id"]).set_axis(frame.index).astype(frame["handed_at"].dtype)
    return at, int(activities.loc[before, "lead_id"].nunique())


def by_grade(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Rows of each grade in order, then all of them under `EVERYBODY`."""
    for grade in sorted(set(frame["grade"])):
        yield grade, frame[frame["grade"] == grade]
    yield EVERYBODY, frame


@dataclass(frozen=True, eq=False, kw_only=True)
class FollowUp(Result):
    """Shares of the leads handed over that sales acts on, and how soon, by grade.

    `table` has one row per grade (and `all`) and span (`period`, `baseline`): `grade`, `span`,
    `n` leads handed over, `n_responded` so far; `median_days` and `p75_days` from the hand-off to
    the first action (Kaplan-Meier, leads without one followed to the end of the data; missing
    where so many are not acted on), `median_business_hours` likewise; `by_30_days` with
    `by_30_days_low`, `by_30_days_high` and `n_followed`, the share acted on within thirty days.

    `curve` has the share acted on by a number of days, one row per grade, span and `days`.
    """

    grouped = (
        SmallGroups(
            by=("grade",),
            counts={
                "n": (),
                "n_responded": ("median_days", "p75_days", "median_business_hours"),
                "n_followed": ("by_30_days",),
            },
            within=("span",),
            add_up=("n", "n_responded", "n_followed"),
        ),
        SmallGroups(
            table="curve",
            by=("grade",),
            counts={"n": ("share",)},
            within=("span", "days"),
            add_up=("n",),
        ),
    )

    curve: pd.DataFrame


def follow_up(data: Tables) -> FollowUp:
    """Shares of the leads handed over that sales acts on, and how soon, by grade.

    Notes
    -----
    A lead without an action is followed to the end of the data and no further, so the newest
    leads are neither late nor never acted on.

    References
    ----------
    Kaplan and Meier (1958), J. Am. Stat. Assoc. 53, 457-481.
    """
    frame = handed_leads(data).frame
    rows, curve = [], []
    for grade, span, leads in _by_grade_and_span(data, frame):
        responses = time_until(leads["response_days"], leads["followed_days"])
        rows.append({"grade": grade, "span": span} | _row(leads, responses, data.plan.level))
        curve += [(grade, span, days, *responses.by(days, data.plan.level)) for days in CURVE_DAYS]
    return FollowUp(
        table=pd.DataFrame(rows),
        curve=pd.DataFrame(
            curve, columns=["grade", "span", "days", "share", "share_low", "share_high", "n"]
        ),
        rows=_rows(frame, data),
        units={"median_days": "days", "by_30_days": "share of leads handed over"},
        **speaks_for(data),
    )


def time_until(took: pd.Series, followed: pd.Series) -> Incidence:
    """Incidence of something that took so long where it happened, else was waited for so long."""
    days = took.fillna(followed).to_numpy(float)
    known = days >= 0
    return incidence(days[known], took.notna().to_numpy()[known])


def _row(frame: pd.DataFrame, responses: Incidence, level: float) -> dict[str, object]:
    share, low, high, n = responses.by(LONG, level)
    hours = time_until(frame["business_hours"], frame["followed_hours"])
    return {
        "n": len(frame),
        "n_responded": int(frame["response_days"].notna().sum()),
        "median_days": responses.time_of(0.5),
        "p75_days": responses.time_of(0.75),
        "median_business_hours": hours.time_of(0.5),
        "by_30_days": share,
        "by_30_days_low": low,
        "by_30_days_high": high,
        "n_followed": n,
    }


@dataclass(frozen=True, eq=False, kw_only=True)
class TimeSplit(Result):
    """Days from hand-off to first action, split into routing and the salesperson's.

    `table` has one row per grade (and `all`) and span: `grade`, `span`, `n` (leads acted on, of
    which the assignment is known), `mean_days` and its parts `routing_days` and `rep_days`, which
    add up to it, and `routing_share` (0 to 1) with `routing_share_low`, `routing_share_high`.
    """

    grouped = (SmallGroups(by=("grade",), counts={"n": ()}, within=("span",), add_up=("n",)),)


def time_split(data: Tables) -> TimeSplit:
    """Days from hand-off to first action, split at the assignment.

    Notes
    -----
    Means, since they add up: `routing_days + rep_days = mean_days`. The share is a ratio of means,
    and its interval that of the linearised ratio.

    References
    ----------
    Cochran (1977), Sampling Techniques, section 6.4.
    """
    frame = handed_leads(data).frame
    acted = frame[frame["response_days"].notna() & frame["assigned_at"].notna()]
    if (acted["routing_days"] == 0).all():
        acted = acted.iloc[:0]  # no time between hand-off and assignment is recorded
    rows = [
        {"grade": grade, "span": span} | _split(leads, data.plan.level)
        for grade, span, leads in _by_grade_and_span(data, acted)
    ]
    return TimeSplit(
        table=pd.DataFrame(rows),
        rows=_rows(acted, data),
        units={"mean_days": "days", "routing_share": "share of the time"},
        **speaks_for(data),
    )


def _split(frame: pd.DataFrame, level: float) -> dict[str, object]:
    from scipy.special import ndtri

    routing, rep = frame["routing_days"].to_numpy(), frame["rep_days"].to_numpy()
    total = routing + rep
    share = low = high = np.nan
    if len(frame) >= _FEWEST and total.sum() > 0:
        share = routing.sum() / total.sum()
        error = np.std(routing - share * total, ddof=1) / (np.sqrt(len(frame)) * total.mean())
        low, high = np.clip(share + error * ndtri((1 + level) / 2) * _BOTH_ENDS, 0, 1)
    return {
        "n": len(frame),
        "mean_days": total.mean() if len(frame) else np.nan,
        "routing_days": routing.mean() if len(frame) else np.nan,
        "rep_days": rep.mean() if len(frame) else np.nan,
        "routing_share": share,
        "routing_share_low": low,
        "routing_share_high": high,
    }


def _by_grade_and_span(
    data: Tables, frame: pd.DataFrame
) -> Iterator[tuple[str, str, pd.DataFrame]]:
    for grade, of_grade in by_grade(frame):
        for span, leads in by_span(data, of_grade, "handed_at").items():
            yield grade, span, leads


def _rows(frame: pd.DataFrame, data: Tables) -> pd.DataFrame:
    of_spans = by_span(data, frame, "handed_at").items()
    return pd.concat(
        [rows_of(span, "leads", leads["lead_id"]) for span, leads in of_spans], ignore_index=True
    )
