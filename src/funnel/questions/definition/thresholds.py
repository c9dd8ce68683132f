"""Bars that leads are passed by: who passed a step in time, and the value that parts them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.methods.qualification.handoff import hand_over, leads_with_moments
from funnel.results import formats

if TYPE_CHECKING:
    from funnel.dataset import Tables

GRADE_NUMBERS = {"D": 1.0, "C": 2.0, "B": 3.0, "A": 4.0}
_SLOWEST_DAYS = 28
FEWEST = 100
_DAY = pd.Timedelta(days=1)


@dataclass(frozen=True, eq=False)
class Step:
    """Leads entering a stage, and who of them passed it in time.

    `entered` has `lead_id`, `day` (a date), `hit`; leads too young to have passed are left out.
    """

    name: str
    first: str
    second: str
    entered: pd.DataFrame


def best_bar(values: NDArray[np.float64], passed: NDArray[np.bool_]) -> tuple[float, float]:
    """Find the value from which leads are passed, and how sharply it parts them.

    Returns
    -------
    tuple of float
        The bar, and the share passed from it up less the share passed below it (-1 to 1). Not a
        number where all values are alike.

    References
    ----------
    Youden (1950), Cancer 3, 32-35: the bar is where that difference of shares, of the passed above
    it and of the others above it, is largest.

    Examples
    --------
    >>> best_bar(np.array([10.0, 20.0, 30.0, 40.0]), np.array([False, False, True, True]))
    (30.0, 1.0)
    """
    order = np.argsort(values, kind="stable")
    levels, first = np.unique(values[order], return_index=True)
    n_in, n_out = int(passed.sum()), int((~passed).sum())
    if len(levels) < 2 or not (n_in and n_out):
        return float("nan"), float("nan")
    below = np.r_[0, np.cumsum(passed[order])]
    in_below, out_below = below[first], first - below[first]
    gain = (1 - in_below / n_in) - (1 - out_below / n_out)
    at = int(np.argmax(gain[1:])) + 1
    share_above = passed[values >= levels[at]].mean()
    return float(levels[at]), float(share_above - passed[values < levels[at]].mean())


def numbers_of(data: Tables, name: str, lead_ids: pd.Series) -> NDArray[np.float64]:
    """Give a column of leads as numbers, grades as D 1 to A 4."""
    values = data.leads.set_index("lead_id")[name].reindex(lead_ids)
    if name == "grade":
        values = values.map(GRADE_NUMBERS)
    return values.to_numpy(float, na_value=np.nan)


def bar_words(data: Tables, name: str, bar: float) -> str:
    """Write a bar as the company would: a grade by its letter."""
    if name == "grade":
        return next((grade for grade, n in GRADE_NUMBERS.items() if n >= bar), "above A")
    digits = 0 if bar == round(bar) else 2
    return formats.number(bar, data.plan.company, digits=digits)


def steps_of(data: Tables) -> tuple[Step, ...]:
    """Give the hand-over and the acceptance, where enough leads entered them."""
    way, frame = hand_over(data), leads_with_moments(data)
    steps = [_step(data, frame, "lead", way.stage, "created_at", "handed_at", way.usual_days)]
    if way.accepted and way.decision_days == way.decision_days:
        handed = frame[frame["handed_at"].notna()]
        steps.append(
            _step(
                data, handed, way.stage, way.accepted, "handed_at", "accepted_at",
                way.decision_days,
            )
        )  # fmt: skip
    return tuple(step for step in steps if len(step.entered) >= FEWEST)


def _step(
    data: Tables,
    frame: pd.DataFrame,
    first: str,
    second: str,
    begins: str,
    ends: str,
    usual_days: float,
) -> Step:
    days = min(usual_days, _SLOWEST_DAYS)
    end = pd.Timestamp(data.plan.midnight(data.as_of + dt.timedelta(days=1)))
    old = frame[frame[begins] < end - days * _DAY]
    local = old[begins].dt.tz_convert(data.plan.company.timezone).dt.tz_localize(None)
    entered = pd.DataFrame(
        {
            "lead_id": old["lead_id"],
            "day": local.dt.normalize(),
            "hit": ((old[ends] - old[begins]) / _DAY <= days).astype(float),
        }
    )
    return Step(f"{first} to {second}", first, second, entered)
