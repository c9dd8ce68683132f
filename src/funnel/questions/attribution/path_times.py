"""Days between the steps of a path, by position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.methods.paths import Basis, converted_journeys, journey_ends, scope_of
from funnel.methods.paths.converted import DAY, Converted
from funnel.results import Result, rows_of, speaks_for
from funnel.results.small_groups import SmallGroups

if TYPE_CHECKING:
    from funnel.dataset import Tables

STEPS_TIMED = 8
FIRST, LAST = "first to end", "last to end"
_COLUMNS = (
    "step", "n", "median_days", "median_days_low", "median_days_high", "p25_days", "p75_days",
)  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True)
class PathTimes(Result):
    """Days between the steps of the paths of won deals.

    `table` has one row per step: `step` (`1 to 2`, `2 to 3` and so on, `last to end`, `first to
    end`), `n` (journeys that took it), `median_days`, `median_days_low`, `median_days_high` (the
    interval of the median, by ranks), `p25_days`, `p75_days`.
    """

    grouped = (SmallGroups(by=("step",), counts={"n": ()}),)

    basis: Basis


def path_times(data: Tables, *, lookback_days: int | None = None) -> PathTimes:
    """Days between the steps of the paths of won deals, by position.

    Touches of one channel in a row are one step.

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

    scope = scope_of(data, lookback_days=lookback_days)
    ends = journey_ends(data, scope)
    z = float(ndtri((1 + data.plan.level) / 2))
    waits = _waits(converted_journeys(data, scope, collapse=True))
    rows = [{"step": step, **_ranked(each / DAY, z)} for step, each in waits.items() if len(each)]
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    return PathTimes(
        table=table.astype({"step": "str", "n": "int64", **dict.fromkeys(_COLUMNS[2:], "float64")}),
        rows=rows_of(scope.noun, scope.table, ends["journey_id"]),
        units={"median_days": "days"},
        basis=Basis.of(data, ends, scope),
        **speaks_for(data),
    )


def _waits(journeys: Converted) -> dict[str, NDArray[np.int64]]:
    """Microseconds between the steps of journeys that took them."""
    paths, moments = journeys.paths, journeys.moments
    waits = {}
    for step in range(1, STEPS_TIMED):
        later = paths.firsts[paths.n_touches[paths.is_traced] > step] + step
        waits[f"{step} to {step + 1}"] = moments[later] - moments[later - 1]
    ends = journeys.milestones[paths.is_traced]
    return waits | {LAST: ends - moments[paths.lasts], FIRST: ends - moments[paths.firsts]}


def _ranked(days: NDArray[np.float64], z: float) -> dict[str, float]:
    """Median, its interval by ranks and the quartiles: each of them one of the days."""
    days, n = np.sort(days), len(days)
    reach = 0.5 * z * np.sqrt(n)
    places = {
        "median_days": np.ceil(0.5 * n),
        "median_days_low": max(1, np.floor(0.5 * n - reach)),
        "median_days_high": min(n, np.ceil(0.5 * n + reach) + 1),
        "p25_days": np.ceil(0.25 * n),
        "p75_days": np.ceil(0.75 * n),
    }
    return {"n": n, **{name: days[int(place) - 1] for name, place in places.items()}}
