"""Days from the hand-off to the first sales action, and their split at the assignment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.methods.qualification import in_span
from funnel.questions.handoff.response_times import SPANS, by_grade, handed_leads
from funnel.results import Result, rows_of, speaks_for
from funnel.stats.survival import Incidence, incidence

if TYPE_CHECKING:
    from funnel.dataset import Tables

CURVE_DAYS = (0.25, 0.5, 1, 2, 3, 4, 5, 7, 10, 14, 21, 30)
LONG = 30.0  # days by which a first action is reported; without one by then it seldom comes
_FEWEST = 10  # leads, below which no share of the time is given
_BOTH_ENDS = np.array([-1.0, 1.0])


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

    curve: pd.DataFrame


def follow_up(data: Tables) -> FollowUp:
    """Shares of the leads handed over that sales acts on, and how soon, by grade.

    Parameters
    ----------
    data
        A dataset.

    Notes
    -----
    A lead without an action is followed to the end of the data and no further, so the newest
    leads are neither late nor never acted on.

    References
    ----------
    Kaplan and Meier (1958), J. Am. Stat. Assoc. 53, 457-481.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-05-05"]})
    >>> follow_up(Tables.of(leads=leads, as_of="2026-06-30")).headline
    'No sales action is recorded, so there is no response time.'
    """
    frame = handed_leads(data).frame
    rows, curve = [], []
    for grade, of_grade in by_grade(frame):
        for span in SPANS:
            of_span = of_grade[in_span(data, of_grade["handed_at"], span)]
            responses = time_until(of_span["response_days"], of_span["followed_days"])
            row = _row(of_span, responses, data.plan.level)
            rows.append({"grade": grade, "span": span} | row)
            curve += [
                (grade, span, days, *responses.by(days, data.plan.level)) for days in CURVE_DAYS
            ]
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


def time_split(data: Tables) -> TimeSplit:
    """Days from hand-off to first action, split at the assignment.

    Parameters
    ----------
    data
        A dataset.

    Notes
    -----
    Means, since they add up: `routing_days + rep_days = mean_days`. The share is a ratio of means,
    and its interval that of the linearised ratio.

    References
    ----------
    Cochran (1977), Sampling Techniques, section 6.4.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-05-05"]})
    >>> time_split(Tables.of(leads=leads, as_of="2026-06-30")).headline
    'Routing and the time of the salesperson cannot be separated here.'
    """
    frame = handed_leads(data).frame
    acted = frame[frame["response_days"].notna() & frame["assigned_at"].notna()]
    if (acted["routing_days"] == 0).all():
        acted = acted.iloc[:0]  # no time between hand-off and assignment is recorded
    rows = []
    for grade, of_grade in by_grade(acted):
        for span in SPANS:
            of_span = of_grade[in_span(data, of_grade["handed_at"], span)]
            rows.append({"grade": grade, "span": span} | _split(of_span, data.plan.level))
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


def _rows(frame: pd.DataFrame, data: Tables) -> pd.DataFrame:
    of_spans = [
        rows_of(span, "leads", frame.loc[in_span(data, frame["handed_at"], span), "lead_id"])
        for span in SPANS
    ]
    return pd.concat(of_spans, ignore_index=True)
