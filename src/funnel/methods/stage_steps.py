"""Steps from stage to stage, and the numbers on which a threshold for a step could be set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    from funnel.dataset import Tables

GRADE = "grade"
_GRADES = {"D": 1.0, "C": 2.0, "B": 3.0, "A": 4.0}
_DAY = pd.Timedelta(days=1)


@dataclass(frozen=True, eq=False)
class StageStep:
    """Leads that entered a stage, and which of them passed to a later one in time.

    `entered` has one row per lead that has had the time: `lead_id`, `day` (a date) and `hit`.
    """

    first: str
    second: str
    entered: pd.DataFrame

    @property
    def name(self) -> str:
        """Name of the step, as drivers are named."""
        return f"{self.first} to {self.second}"


def entered_in_time(
    data: Tables, frame: pd.DataFrame, begins: str, ends: str, days: float
) -> pd.DataFrame:
    """Leads that entered a stage long enough ago, and whether they passed within some days.

    Parameters
    ----------
    frame
        One row per lead: `lead_id`, and the times `begins` and `ends` (missing: not yet).

    Returns
    -------
    DataFrame
        `lead_id`, `day` (local, of the entry) and `hit` (1 where it passed), on the same index.
    """
    mature = frame[frame[begins] < data.ends_at - days * _DAY]
    return pd.DataFrame(
        {
            "lead_id": mature["lead_id"],
            "day": data.plan.local_days(mature[begins]),
            "hit": ((mature[ends] - mature[begins]) / _DAY <= days).astype(float),
        }
    )


def numbers_of(data: Tables, name: str, rows: pd.Index) -> NDArray[np.float64]:
    """Values of a column as numbers, grades as D 1 to A 4, in some rows of leads."""
    values = data.leads[name].loc[rows]
    if name == GRADE:
        values = values.map(_GRADES)
    return values.to_numpy(float, na_value=np.nan)


def grade_from(number: float) -> str:
    """Lowest grade that is not below a number; empty where all are.

    Examples
    --------
    >>> grade_from(2.5), grade_from(5.0)
    ('B', '')
    """
    return next((grade for grade, value in _GRADES.items() if value >= number), "")
