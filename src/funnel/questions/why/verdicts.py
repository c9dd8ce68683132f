"""Which drivers are named: verdicts after the checks, one rule for every driver."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.contract.periods import Comparison
from funnel.methods.bridge import Bridge
from funnel.methods.bridge.bridge import CALENDAR, OF_ALL_SEGMENTS, RESIDUAL, SIZE
from funnel.methods.bridge.other_deals import OUTSIDE_FLOW
from funnel.questions.why.findings import explaining_check
from funnel.results import Stated
from funnel.stats import CANNOT_TELL, MOVED, benjamini_hochberg, holm

Row = Mapping[str, Any]
CLEAR, POSSIBLE = "clear", "possible"  # tiers of the drivers that are named
_OF_CLEAR = 0.5  # of the share of false findings: any false name in at most so many reports
LARGEST_RESIDUAL = 0.1  # of the larger of the two values
MOST_OFFSETTING = 1.0  # of the larger of the two values: parts of the flow that cancel
# resamples measure chance, and not what the tables do not hold
_UNCERTAINTY = ["low", "high", "smallest_detectable"]


def is_in_play(row: Row) -> bool:
    """Whether the dataset holds anything on a driver: an interval that is not empty."""
    return bool(math.isfinite(row["low"]) and (row["low"], row["high"]) != (0, 0))


def explained_by(row: Row) -> str:
    """The check that explains all of a row that moved, empty if none does.

    `calendar` and `mix` are drivers as well as checks: what such a check finds is its own driver.
    """
    check = row.get("explained_by")
    if tier_of(row) or row.get("verdict") != MOVED or not isinstance(check, str):
        return ""
    return check if check != row["driver"] else ""


def tier_of(row: Row) -> str:
    """`clear` or `possible` of a driver that is named; empty for all others."""
    tier = row.get("tier")
    return tier if isinstance(tier, str) else ""


def is_named(row: Row) -> bool:
    """Whether a driver moved and no check explains all of it."""
    return bool(row["verdict"] == MOVED and not explained_by(row) and row["driver"] != RESIDUAL)


def remainder(row: Row) -> dict[str, Any]:
    """A row whose contribution and interval are without what a check explains of a driver."""
    explained = row["explained"] if tier_of(row) and row["explained_by"] != row["driver"] else 0.0
    return {**row, **{name: row[name] - explained for name in ("contribution", "low", "high")}}


def stated_contribution(row: Row, windows: Comparison) -> Stated:
    """The contribution of a driver of all segments together, as a result states it."""
    parts = {name: row[name] for name in ("low", "high", "verdict") if name in row}
    now, then = windows.period.days, windows.baseline.days
    return Stated(f"contribution of {row['driver']}", now, then, row["contribution"], **parts)


def residual_share(bridge: Bridge) -> float:
    """Residual as a share of the larger of the two values; 0 where both are 0."""
    residual = bridge.totals.set_index("driver")["contribution"].get(RESIDUAL, 0.0)
    values = max(abs(bridge.period_value), abs(bridge.baseline_value))
    return abs(residual) / values if values else (math.inf if residual else 0.0)


def offsetting_parts(bridge: Bridge) -> float:
    """What parts of the flow take and give that cancels, as a share of the larger of both values.

    Rows dated to another time give one large part and take it away in another one.
    """
    outside = (CALENDAR, SIZE, RESIDUAL, *OUTSIDE_FLOW)
    flow = bridge.totals.loc[~bridge.totals["driver"].isin(outside), "contribution"]
    values = max(abs(bridge.period_value), abs(bridge.baseline_value))
    cancels = min(flow.clip(lower=0).sum(), -flow.clip(upper=0).sum())
    return float(cancels / values) if values else 0.0


def without_intervals(table: pd.DataFrame, *, flow_only: bool = False) -> pd.DataFrame:
    """The bridge's rows where no driver, or none of the flow, can be named."""
    named = (RESIDUAL, CALENDAR, SIZE, *OUTSIDE_FLOW) if flow_only else (RESIDUAL,)
    drivers = ~table["driver"].isin(named)
    table = table.assign(verdict=table["verdict"].mask(drivers, CANNOT_TELL))
    table[_UNCERTAINTY] = table[_UNCERTAINTY].mask(drivers, float("nan"))
    return table


def gated(
    table: pd.DataFrame, tests: pd.DataFrame, touched: pd.DataFrame, q: float
) -> pd.DataFrame:
    """The bridge's rows after the checks: what they explain, and which of the rest is named.

    A check takes the most it can explain out of a driver. What remains is tested again, among the
    drivers of which something remains: those that a check explains are none of the tests that a
    team is compared by, and an adjustment is milder where many tests find something.

    Parameters
    ----------
    table, tests
        Of the bridge.
    touched
        Drivers that the checks explain.
    q
        Share of false findings allowed.

    Returns
    -------
    DataFrame
        `explained_by` names the check that explains a driver that moved, and `explained` is what
        it accounts for. Where something remains, the verdict is that of the remainder. `tier` is
        `clear` or `possible` for the drivers that are named, and for the segments of a driver that
        is found and whose total did not move. `rank` is 1 for the first of them: clear ones come
        first, and in a tier the smallest p value. Only a row's own figures decide, so that drivers
        before and after the hand-off are under one rule.
    """
    rows = _tested_again(table, tests, touched)
    moved = rows["verdict"] == MOVED
    is_whole = moved & ~(rows["remains"] > 0)
    low, high = (rows[end] - rows["taken"] for end in ("low", "high"))
    loses = moved & ~is_whole & (low <= 0) & (high >= 0)
    loses |= moved & rows["in_family"] & ~(rows["possible"] <= q)
    is_total = rows["segment"].isna()
    named = moved & ~loses & ~is_whole & (rows["driver"] != RESIDUAL)
    done = rows.loc[is_total & (named | is_whole), "driver"]
    named &= is_total | (rows["possible"].le(q) & ~rows["driver"].isin({*done, *OF_ALL_SEGMENTS}))
    is_clear = rows[["clear", "clear_of_segment"]].le(q * _OF_CLEAR).all(axis=1)
    tier = is_clear.map({True: CLEAR, False: POSSIBLE}).where(named, "")
    order = rows.assign(tier=tier)[named].sort_values(["tier", "p", "size"]).index  # clear first
    return table.assign(
        verdict=rows["verdict"].mask(loses, CANNOT_TELL),
        explained_by=rows["check"].where(moved, "").astype("str"),
        explained=rows["explained"].where(moved, 0.0),
        tier=tier.astype("str"),
        rank=pd.Series(np.arange(1.0, len(order) + 1), order).reindex(table.index),
    )


def _tested_again(table: pd.DataFrame, tests: pd.DataFrame, touched: pd.DataFrame) -> pd.DataFrame:
    """The bridge's rows with what checks take of each, and adjusted p values of what remains.

    `check`, `explained`; `taken`, the same unless the check is the driver itself; `remains`, the
    share; `p`; `size` (the larger, the smaller); `possible` and `clear`, adjusted p values of the
    driver; `clear_of_segment` that of a segment among the driver's.
    """
    key = ["driver", "segment"]
    rows = table.merge(tests[[*key, "p_combined"]], on=key, how="left").set_index(table.index)
    found = [
        explaining_check(touched, *each)
        for each in zip(rows["driver"], rows["contribution"], strict=True)
    ]
    at_most = np.array([most for _, most in found])
    rows["check"] = pd.Series([check for check, _ in found], rows.index, dtype="str")
    rows["explained"] = rows["contribution"].clip(-at_most, at_most) + 0.0  # no -0.0
    is_own = rows["check"] == rows["driver"]
    rows["taken"] = rows["explained"].mask(is_own, 0.0)
    rows["remains"] = 1 - rows["taken"] / rows["contribution"].mask(rows["taken"] == 0, 1.0)
    rows["p"] = _of_remainder(rows["p_combined"], rows["remains"])
    rows["size"] = -(rows["contribution"] - rows["taken"]).abs()
    totals = rows[rows["segment"].isna()].set_index("driver")
    outside = (totals["check"] == totals.index) | (totals.index == CALENDAR)
    in_family = ~outside & (totals["remains"] > 0)
    for name, adjust in (("possible", benjamini_hochberg), ("clear", holm)):
        adjusted = pd.Series(adjust(totals["p"]), totals.index)
        adjusted[in_family] = adjust(totals["p"][in_family])
        rows[name] = rows["driver"].map(adjusted)
    rows["in_family"] = rows["segment"].isna() & rows["driver"].map(in_family)
    n_alike = rows.groupby("driver")["driver"].transform("size") - 1
    rows["clear_of_segment"] = (rows["p"] * n_alike).where(rows["segment"].notna(), 0.0)
    return rows


def _of_remainder(p_value: pd.Series, remains: pd.Series) -> NDArray[np.float64]:
    """P value of the share of a contribution that remains, with the error of the whole."""
    from scipy.special import ndtr, ndtri

    z = ndtri(p_value.to_numpy(float) / 2)
    return np.where(remains > 0, 2 * ndtr(z * remains.to_numpy(float)), 1.0)
