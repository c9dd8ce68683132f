"""Size and cycle of won deals, and the lost deals worth an interview."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.results import Result, rows_of, speaks_for
from funnel.stats import difference, median_interval

if TYPE_CHECKING:
    from funnel.dataset import Tables

INTERVIEWS = 10


@dataclass(frozen=True, eq=False, kw_only=True)
class WonDeals(Result):
    """Amount and cycle of the deals won in the period and the baseline.

    `table` has one row per `measure` (`size`, currency; `cycle`, days): `n`, `mean`, `median` and
    `mean_without_largest`, each also with `_baseline`, `change` of the median with `change_low` and
    `change_high`, and `flips` (whether the mean's direction is another one without the largest deal
    of each period).
    """


def won_deals_of(data: Tables, deals: pd.DataFrame) -> WonDeals:
    """Size and cycle of won deals, from closed deals."""
    won = deals[deals["is_won"]]
    parts = {"": won[won["span"].eq("period")], "_baseline": won[won["span"].eq("baseline")]}
    rows = []
    for measure, column in (("size", "amount"), ("cycle", "days")):
        row: dict[str, Any] = {"measure": measure}
        for end, here in parts.items():
            values = np.sort(here[column].dropna().to_numpy(float))
            nan = float("nan")
            row |= {
                f"n{end}": len(values),
                f"mean{end}": float(values.mean()) if len(values) else nan,
                **_median(values, end, data.plan.level),
                f"mean_without_largest{end}": float(values[:-1].mean()) if len(values) > 1 else nan,
            }
        change, without = (
            row[name] - row[f"{name}_baseline"] for name in ("mean", "mean_without_largest")
        )
        rows.append(row | _change_of_medians(row) | {"flips": bool(change * without < 0)})
    return WonDeals(
        table=pd.DataFrame(rows),
        rows=rows_of("won", "deals", parts[""]["deal_id"]),
        units={"n": "won deals"},
        **speaks_for(data),
    )


def _median(values: NDArray[np.float64], end: str, level: float) -> dict[str, float]:
    """Median with its interval from order statistics; missing without values."""
    found = median_interval(values, level) if len(values) else (math.nan,) * 3
    names = (f"median{end}{side}" for side in ("", "_low", "_high"))
    return dict(zip(names, map(float, found), strict=True))


def _change_of_medians(row: Mapping[str, Any]) -> dict[str, float]:
    sides = (
        [row[f"median{end}{side}"] for side in ("", "_low", "_high")] for end in ("", "_baseline")
    )
    now, then = sides
    low, high = difference(*now, *then)
    return {"change": now[0] - then[0], "change_low": float(low), "change_high": float(high)}


@dataclass(frozen=True, eq=False, kw_only=True)
class Interviews(Result):
    """Lost deals worth an interview: the largest of the period without the buyer's own reason.

    `table` has at most ten rows, largest amount first: `deal_id`, `closed_on`, `amount`, `reason`
    as sales recorded it.
    """


def interviews_of(data: Tables, deals: pd.DataFrame) -> Interviews:
    """The largest lost deals of the period whose buyer has not given a reason."""
    is_open_question = deals["span"].eq("period") & ~deals["is_won"] & deals["buyer_reason"].isna()
    found = deals[is_open_question].dropna(subset=["amount"])
    found = found.sort_values(["amount", "deal_id"], ascending=[False, True]).head(INTERVIEWS)
    table = pd.DataFrame(
        {
            "deal_id": found["deal_id"],
            "closed_on": data.plan.local_days(found["closed_at"]).dt.date,
            "amount": found["amount"],
            "reason": found["reason"],
        }
    ).reset_index(drop=True)
    return Interviews(
        table=table,
        rows=rows_of("lost deals to ask about", "deals", found["deal_id"]),
        units={"amount": data.plan.company.currency},
        **speaks_for(data),
    )
