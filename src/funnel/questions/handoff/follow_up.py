"""How long the first sales action takes, and which part of it lies before the assignment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.contract.plan import Company
from funnel.questions.handoff.share_by_time import share_by, times_of
from funnel.questions.handoff.times import EVERYBODY, by_grade, handovers, in_span
from funnel.results import Result, formats, rows_of, speaks_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.dataset import Tables

SPANS = ("period", "baseline")
CURVE_DAYS = (0.25, 0.5, 1, 2, 3, 4, 5, 7, 10, 14, 21, 30)
LONG = 30.0  # days after which a lead without any action is told as never acted on
_FEWEST = 10
SIDES = np.array([-1.0, 1.0])


@dataclass(frozen=True, eq=False, kw_only=True)
class FollowUp(Result):
    """How many of the leads handed over are acted on, and when, by grade.

    `table` has one row per grade (and `all`) and span (`period`, `baseline`): `grade`, `span`,
    `n` leads handed over, `n_touched` so far; `median_days` and `q3_days` from the hand-over to
    the first action (Kaplan-Meier, those without one followed to the end of the data; missing
    where so many are not acted on), `median_business_hours` likewise; `by_30_days` with
    `by_30_days_low`, `by_30_days_high` and `n_followed`, the share acted on within thirty days.

    `curve` has the share acted on by a number of days, a row per grade, span and `days`.
    """

    curve: pd.DataFrame
    company: Company = field(default_factory=Company)

    @property
    def headline(self) -> str:
        """The median of the period beside the baseline's, and who is never acted on."""
        rows = self.table[self.table["grade"] == EVERYBODY].set_index("span")
        if rows.empty or not rows["n_touched"].sum():
            return "How long the first sales action takes cannot be told: none is recorded."
        said = [self._said(rows.loc[span]) for span in SPANS]
        return f"From hand-over to first action: {said[0]} this period, {said[1]} in the baseline."

    def _said(self, row: pd.Series) -> str:
        n = formats.number(row["n"], self.company)
        if np.isnan(row["median_days"]):
            return f"no median yet (of {n} leads)"
        median = formats.duration(row["median_days"], self.company)
        says = f"a median of {median} (of {n} leads"
        if not np.isnan(row["by_30_days"]):
            low, high = (
                formats.share(1 - row[f"by_30_days_{end}"], self.company, digits=1)
                for end in ("high", "low")
            )
            left = formats.share(1 - row["by_30_days"], self.company, digits=1)
            says += f", {left} {formats.interval(low, high)} without one after {LONG:g} days"
        return f"{says})"

    def shown(self) -> pd.DataFrame:
        """Give each grade's median and the share acted on within thirty days, both spans."""
        rows = [row for _, row in self.table.iterrows()]
        return pd.DataFrame(
            {
                "grade": self.table["grade"],
                "leads of": self.table["span"],
                "handed over": [formats.number(row["n"], self.company) for row in rows],
                "median": [formats.duration(row["median_days"], self.company) for row in rows],
                "median business hours": [
                    formats.number(row["median_business_hours"], self.company, digits=1)
                    for row in rows
                ],
                f"acted on by day {LONG:g}": [
                    formats.share_estimate(row, "by_30_days", self.company, of="n_followed")
                    for row in rows
                ],
            }
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the share acted on by days since the hand-over, by grade."""
        from funnel.questions.handoff import charts

        return charts.follow_up(self, ax)


def follow_up(data: Tables) -> FollowUp:
    """Say how many of the leads handed over are acted on, and how soon, by grade.

    Parameters
    ----------
    data
        A company's tables.

    Notes
    -----
    A lead without an action is followed to the end of the data and no further, so that the newest
    are neither late nor never acted on.

    References
    ----------
    Kaplan and Meier (1958), J. Am. Stat. Assoc. 53, 457-481.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-05-05"]})
    >>> follow_up(Tables.of(leads=leads, as_of="2026-06-30")).headline
    'How long the first sales action takes cannot be told: none is recorded.'
    """
    frame = handovers(data)
    rows, curve = [], []
    for grade, of_grade in by_grade(frame):
        for span in SPANS:
            here = of_grade[in_span(of_grade, data, span)]
            rows.append({"grade": grade, "span": span} | _row(here, data.plan.level))
            curve += _curve(here, grade, span, data.plan.level)
    return FollowUp(
        table=pd.DataFrame(rows),
        curve=pd.DataFrame(
            curve, columns=["grade", "span", "days", "share", "share_low", "share_high", "n"]
        ),
        rows=_rows(frame, data),
        units={"median_days": "days", "by_30_days": "share of leads handed over"},
        **speaks_for(data),
    )


def _row(frame: pd.DataFrame, level: float) -> dict[str, object]:
    took, watched = frame["touch_days"], frame["watched_days"]
    median, upper = times_of(took, watched, (0.5, 0.75))
    share, low, high, n = share_by(took, watched, LONG, level)
    (hours,) = times_of(frame["business_hours"], frame["watched_hours"], (0.5,))
    return {
        "n": len(frame),
        "n_touched": int(took.notna().sum()),
        "median_days": median,
        "q3_days": upper,
        "median_business_hours": hours,
        "by_30_days": share,
        "by_30_days_low": low,
        "by_30_days_high": high,
        "n_followed": n,
    }


def _curve(frame: pd.DataFrame, grade: str, span: str, level: float) -> list[tuple]:
    return [
        (grade, span, days, *share_by(frame["touch_days"], frame["watched_days"], days, level))
        for days in CURVE_DAYS
    ]


@dataclass(frozen=True, eq=False, kw_only=True)
class ClockSplit(Result):
    """How the time from hand-over to first action splits into routing and the salesperson's.

    `table` has one row per grade (and `all`) and span: `grade`, `span`, `n` (leads acted on, of
    whom the assignment is known), `mean_days` and its parts `routing_days` and `rep_days`, which
    add up to it, and `routing_share` (0 to 1) with `routing_share_low`, `routing_share_high`.
    """

    company: Company = field(default_factory=Company)

    @property
    def headline(self) -> str:
        """What part of the wait lies before anybody had the lead."""
        rows = self.table[(self.table["grade"] == EVERYBODY) & (self.table["span"] == "period")]
        if rows.empty or np.isnan(rows["routing_share"].iloc[0]):
            return "Routing and the salesperson's own time cannot be told apart here."
        row = rows.iloc[0]
        share, low, high = (
            formats.share(row[name], self.company)
            for name in ("routing_share", "routing_share_low", "routing_share_high")
        )
        return (
            f"{share} {formats.interval(low, high)} of the time from hand-over to first action "
            f"lies before the assignment ({formats.number(row['n'], self.company)} leads)."
        )

    def shown(self) -> pd.DataFrame:
        """Give the parts of the mean time."""
        rows = [row for _, row in self.table.iterrows()]
        parts = {
            words: [formats.duration(row[name], self.company) for row in rows]
            for words, name in (
                ("mean", "mean_days"),
                ("routing", "routing_days"),
                ("salesperson", "rep_days"),
            )
        }
        return pd.DataFrame(
            {
                "grade": self.table["grade"],
                "leads of": self.table["span"],
                **parts,
                "routing's share": [
                    formats.share_estimate(row, "routing_share", self.company, of="n")
                    for row in rows
                ],
            }
        )


def clock_split(data: Tables) -> ClockSplit:
    """Split the time to the first action into routing and what came after the assignment.

    Parameters
    ----------
    data
        A company's tables.

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
    >>> clock_split(Tables.of(leads=leads, as_of="2026-06-30")).headline
    "Routing and the salesperson's own time cannot be told apart here."
    """
    frame = handovers(data)
    acted = frame[frame["touch_days"].notna() & frame["assigned_at"].notna()]
    if (acted["routing_days"] == 0).all():
        acted = acted.iloc[:0]  # nothing says when a lead was handed over and not yet assigned
    rows = []
    for grade, of_grade in by_grade(acted):
        for span in SPANS:
            here = of_grade[in_span(of_grade, data, span)]
            rows.append({"grade": grade, "span": span} | _split(here, data))
    return ClockSplit(
        table=pd.DataFrame(rows),
        rows=_rows(acted, data),
        units={"mean_days": "days", "routing_share": "share of the time"},
        **speaks_for(data),
    )


def _split(frame: pd.DataFrame, data: Tables) -> dict[str, object]:
    from scipy.special import ndtri

    routing, rep = frame["routing_days"].to_numpy(), frame["rep_days"].to_numpy()
    total = routing + rep
    share = low = high = np.nan
    if len(frame) >= _FEWEST and total.sum() > 0:
        share = routing.sum() / total.sum()
        error = np.std(routing - share * total, ddof=1) / (np.sqrt(len(frame)) * total.mean())
        low, high = np.clip(share + error * ndtri((1 + data.plan.level) / 2) * SIDES, 0, 1)
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
        rows_of(span, "leads", frame.loc[in_span(frame, data, span), "lead_id"]) for span in SPANS
    ]
    return pd.concat(of_spans, ignore_index=True)
