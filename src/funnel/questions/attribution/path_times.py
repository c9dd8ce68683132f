"""Days between the steps of a path, by position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.methods.paths import Basis, converted_journeys
from funnel.questions.attribution.selection import journey_ends, scope_of, table_of
from funnel.results import Result, rows_of, speaks_for

if TYPE_CHECKING:
    from funnel.dataset import Tables

STEPS_TIMED = 8
FIRST, LAST = "first to end", "last to end"


@dataclass(frozen=True, eq=False, kw_only=True)
class PathTimes(Result):
    """Days between the steps of a path.

    `table` has one row per step: `step` (`1 to 2`, `2 to 3` and so on, `last to end`, `first to
    end`), `n` (journeys that took it), `median_days`, `median_days_low`, `median_days_high` (the
    interval of the median, by ranks), `p25_days`, `p75_days`.
    """

    noun: str
    basis: Basis


def path_times(
    data: Tables,
    *,
    to: str = "won",
    until: str = "closed_at",
    by: str = "account",
    lookback_days: int | None = None,
    collapse: bool = True,
) -> PathTimes:
    """Days between the steps of a path, by position.

    Parameters
    ----------
    data
        The dataset.
    to, until, by, lookback_days, collapse
        As in `funnel.paths`; by default repeats of one channel in a row are one step.

    Returns
    -------
    PathTimes
        One row per step.

    Raises
    ------
    ParameterError
        As in `funnel.paths`.

    References
    ----------
    The interval of a median by ranks: Conover (1999), Practical Nonparametric Statistics, 3.2.

    Examples
    --------
    >>> from funnel.methods.paths.example import small_company
    >>> path_times(small_company()).table[["step", "median_days"]].values.tolist()
    [['1 to 2', 19.0], ['last to end', 40.0], ['first to end', 59.0]]
    """
    from scipy.special import ndtri

    scope = scope_of(data, to=to, until=until, by=by, lookback_days=lookback_days)
    ends = journey_ends(data, scope)
    z = float(ndtri((1 + data.plan.level) / 2))
    gaps = converted_journeys(data, scope, collapse=collapse).step_days(STEPS_TIMED, z)
    order = gaps["step"].map({-1: 101, 0: 102}).fillna(gaps["step"])
    gaps = gaps.iloc[order.argsort(kind="stable")].reset_index(drop=True)
    names = [{-1: LAST, 0: FIRST}.get(step, f"{step} to {step + 1}") for step in gaps["step"]]
    table = gaps.assign(step=pd.Series(names, dtype="str")).astype({"n": "int64"})
    return PathTimes(
        table=table,
        rows=rows_of(scope.noun, table_of(scope), ends["journey_id"]),
        units={"median_days": "days"},
        noun=scope.noun,
        basis=Basis.of(data, ends, scope),
        **speaks_for(data),
    )
