"""When each lead was handed over, given to somebody, first acted on and answered."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.contract.plan import Plan
from funnel.contract.workdays import is_workday
from funnel.methods.qualification import handoff_stages, leads_with_handoff

if TYPE_CHECKING:
    from funnel.dataset import Tables

DAY = 86_400
OPENS, CLOSES = 9, 17  # local hours of a working day
FEEDBACK = "feedback"
NOT_GRADED = "not graded"
EVERYBODY = "all"
_KNOWN: WeakKeyDictionary[Tables, pd.DataFrame] = WeakKeyDictionary()


def handovers(data: Tables) -> pd.DataFrame:
    """Give the moments of every lead that was handed over, each lead once.

    Parameters
    ----------
    data
        A company's tables.

    Returns
    -------
    DataFrame
        One row per lead handed over, in the order of leads:

        - `lead_id`, `grade` (`not graded` where there is none), `channel`, `score`, `owner`;
        - `handed_at`: the first entry into the plan's second stage; where stage changes do not
          record that stage, the assignment; without assignments, the lead's creation;
        - `assigned_at`, `touched_at` (the first sales action that is no feedback),
          `fed_back_at` (the first feedback after the hand-over), missing where it did not happen;
        - `routing_days` (hand-over to assignment), `rep_days` (assignment to first action),
          `touch_days` (hand-over to first action, and the sum of both), missing without that
          action; `watched_days` since the hand-over and `held_days` since the assignment, to the
          end of `as_of`;
        - `business_hours` from hand-over to first action, and `watched_hours` to the end of
          `as_of`.

        `attrs["starts_with"]` says in words what the hand-over is; `attrs["n_acted_before"]`
        counts leads acted on before their hand-over, whose clock reads 0.

    Notes
    -----
    A lead that is recycled and handed over again counts once, at its first hand-over. An action
    before the assignment ends the clock with no time of a salesperson's.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05T08:00:00"],
    ...                       "assigned_at": ["2026-01-05T14:00:00"]})
    >>> activities = pd.DataFrame({"lead_id": ["L-1"], "kind": ["call"],
    ...                            "occurred_at": ["2026-01-06T14:00:00"]})
    >>> data = Tables.of(leads=leads, activities=activities, as_of="2026-01-31")
    >>> handovers(data)[["routing_days", "rep_days"]].values.tolist()
    [[0.0, 1.0]]
    """
    if data not in _KNOWN:
        _KNOWN[data] = _handovers(data)
    return _KNOWN[data]


def _handovers(data: Tables) -> pd.DataFrame:
    leads = data.leads
    frame = leads[["lead_id", "created_at", "assigned_at", "channel", "score", "owner"]].copy()
    frame["grade"] = leads["grade"].fillna(NOT_GRADED).astype("str")
    frame["handed_at"], starts_with = _handed_at(data, frame)
    frame = frame[frame["handed_at"].notna()].reset_index(drop=True)
    acts = data.activities
    acts = acts[acts["lead_id"].isin(frame["lead_id"])]
    acts = acts.assign(kind=acts["kind"].str.lower())
    frame["touched_at"] = _first(acts[acts["kind"].ne(FEEDBACK).fillna(True)], frame)
    feedback = acts[acts["kind"].eq(FEEDBACK).fillna(False)]
    frame["fed_back_at"] = _first(feedback, frame)
    n_before = int((frame["touched_at"] < frame["handed_at"]).sum())
    begin = frame["handed_at"]
    touched = frame["touched_at"].clip(lower=begin)
    # what is assigned before the hand-over, or after the first action, has no time of routing
    assigned = frame["assigned_at"].fillna(begin).clip(lower=begin)
    assigned = assigned.where(touched.isna(), np.minimum(assigned, touched.fillna(assigned)))
    end = pd.Timestamp(data.plan.midnight(data.as_of + dt.timedelta(days=1)))
    frame["routing_days"] = _days(frame["assigned_at"].clip(lower=begin) - begin)
    has_touch = touched.notna()
    frame.loc[has_touch, "routing_days"] = _days(assigned - begin)[has_touch]
    frame["rep_days"] = _days(touched - assigned)
    frame["touch_days"] = _days(touched - begin)
    frame["feedback_days"] = _days(frame["fed_back_at"].clip(lower=begin) - begin)
    frame["watched_days"] = _days(end - begin)
    frame["held_days"] = _days(end - assigned)
    hours = business_hours(begin, touched, data.plan)
    frame["business_hours"] = pd.Series(hours, index=frame.index)
    ends = pd.Series(end, index=frame.index, dtype=begin.dtype)
    frame["watched_hours"] = pd.Series(business_hours(begin, ends, data.plan), index=frame.index)
    frame.attrs.update(starts_with=starts_with, n_acted_before=n_before)
    return frame


def business_hours(start: pd.Series, end: pd.Series, plan: Plan) -> NDArray[np.float64]:
    """Count hours of work between moments, where the company is.

    Parameters
    ----------
    start, end
        Moments (UTC), one pair per row; not a time gives not a number.
    plan
        Its time zone and country: working days are Mondays to Fridays that are no public holiday,
        from 9:00 to 17:00.

    Examples
    --------
    >>> friday, monday = pd.to_datetime(["2026-01-02 16:00Z", "2026-01-05 10:00Z"])
    >>> business_hours(pd.Series([friday]), pd.Series([monday]), Plan()).tolist()
    [2.0]
    """
    moments = [side.dt.tz_convert(plan.company.timezone).dt.tz_localize(None)
               for side in (start, end)]  # fmt: skip
    known = pd.concat(moments).dropna()
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

    return np.maximum(worked(moments[1]) - worked(moments[0]), 0.0)


def _handed_at(data: Tables, frame: pd.DataFrame) -> tuple[pd.Series, str]:
    way = handoff_stages(data)
    if not way.is_known:
        return frame["created_at"], "a lead's creation"
    at = leads_with_handoff(data).set_index("lead_id")["handed_at"]
    at = at.reindex(frame["lead_id"]).set_axis(frame.index).clip(lower=frame["created_at"])
    if way.stage == "assigned_at":
        return at, "a lead's assignment"
    return at, f"a lead's first entry into {way.stage}"


def _first(acts: pd.DataFrame, frame: pd.DataFrame) -> pd.Series:
    first = acts.groupby("lead_id")["occurred_at"].min()
    at = first.reindex(frame["lead_id"]).set_axis(frame.index)
    return at.astype(frame["handed_at"].dtype)


def _days(spans: pd.Series) -> pd.Series:
    return spans.dt.total_seconds() / DAY


def by_grade(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Give the rows of each grade in order, then all of them under `EVERYBODY`."""
    for grade in sorted(set(frame["grade"])):
        yield grade, frame[frame["grade"] == grade]
    yield EVERYBODY, frame


def in_span(frame: pd.DataFrame, data: Tables, span: str) -> pd.Series:
    """Mark the leads handed over in the `period` or the `baseline` of the comparison."""
    window = getattr(data.comparison, span)
    return data.plan.within(frame["handed_at"], window.start, window.after)
