"""Which drivers are named: verdicts after the checks, one rule for every driver."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.methods.bridge import Bridge
from funnel.methods.bridge.bridge import CALENDAR, RESIDUAL
from funnel.questions.why.findings import explaining_check
from funnel.stats import CANNOT_TELL, MOVED, benjamini_hochberg, holm

Row = Mapping[str, Any]
CLEAR, POSSIBLE = "clear", "possible"  # tiers of the drivers that are named
_OF_CLEAR = 0.5  # of the share of false findings: any false name in at most so many reports
LARGEST_RESIDUAL = 0.1  # of the larger of the two values
# resamples measure chance, and not what the tables do not hold
_UNCERTAINTY = ["low", "high", "smallest_detectable"]


def is_in_play(row: Row) -> bool:
    """Whether the dataset holds anything on a driver: an interval that is not empty."""
    return bool(math.isfinite(row["low"]) and (row["low"], row["high"]) != (0, 0))


def explained_by(row: Row) -> str:
    """The check that explains a row, empty if none does, or where the remainder is named.

    `calendar` and `mix` are drivers as well as checks: what such a check finds is its own driver.
    """
    check = row.get("explained_by")
    if tier_of(row) or not isinstance(check, str) or check == row["driver"]:
        return ""
    return check


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


def residual_share(bridge: Bridge) -> float:
    """Residual as a share of the larger of the two values; 0 where both are 0."""
    residual = bridge.totals.set_index("driver")["contribution"].get(RESIDUAL, 0.0)
    values = max(abs(bridge.period_value), abs(bridge.baseline_value))
    return abs(residual) / values if values else (math.inf if residual else 0.0)


def without_intervals(table: pd.DataFrame) -> pd.DataFrame:
    """The bridge's rows where the residual is too large for any driver to be named."""
    drivers = table["driver"] != RESIDUAL
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
        `clear` or `possible` for the drivers that are named, and `rank` 1 for the first of them:
        clear ones come first, and in a tier the smallest p value. Only a row's own figures decide,
        so that drivers before and after the hand-off are under one rule.
    """
    p_values = tests[["driver", "segment", "p_combined"]]
    rows = table[["driver", "segment"]].merge(p_values, how="left").set_index(table.index)
    checks, explained = _explained(table, touched)
    is_own = checks == table["driver"]  # what the check finds is the driver itself
    remains = 1 - (explained / table["contribution"].where(explained != 0, 1.0)).mask(is_own, 0.0)
    p_value = pd.Series(_of_remainder(rows["p_combined"], remains), table.index)
    totals = table["segment"].isna()
    in_family = totals & (remains > 0) & ~is_own & (table["driver"] != CALENDAR)
    possible, clear = (pd.Series(np.nan, table.index) for _ in range(2))
    for family, mine in ((totals, totals & ~in_family), (in_family, in_family)):
        for adjusted, adjust in ((possible, benjamini_hochberg), (clear, holm)):
            of_family = pd.Series(adjust(p_value[family]), p_value.index[family])
            adjusted[mine] = of_family[mine[mine].index]
    moved = table["verdict"] == MOVED
    is_whole = moved & (remains <= 0)
    shift = explained.mask(is_own, 0.0)
    holds_zero = (table["low"] <= shift) & (table["high"] >= shift)
    loses = moved & ~is_whole & (holds_zero | (in_family & ~(possible <= q)))
    table = table.assign(
        verdict=table["verdict"].mask(loses, CANNOT_TELL),
        explained_by=checks.where(moved, "").astype("str"),
        explained=explained.where(moved, 0.0),
    )
    named = totals & moved & ~loses & ~is_whole & (table["driver"] != RESIDUAL)
    tier = pd.Series("", table.index, dtype="str")
    table["tier"] = tier.mask(named, POSSIBLE).mask(named & (clear <= q * _OF_CLEAR), CLEAR)
    size = -(table["contribution"] - shift).abs()
    order = pd.DataFrame({"tier": table["tier"], "p": p_value, "size": size})[named]
    order = order.sort_values(["tier", "p", "size"]).index  # `clear` sorts first
    rank = pd.Series(np.arange(1.0, len(order) + 1), order)
    return table.assign(rank=rank.reindex(table.index))


def _explained(table: pd.DataFrame, touched: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """The check that touches each row, and the most of its contribution that it explains."""
    found = [
        explaining_check(touched, driver, contribution)
        for driver, contribution in zip(table["driver"], table["contribution"], strict=True)
    ]
    checks = pd.Series([check for check, _ in found], table.index, dtype="str")
    at_most = pd.Series([most for _, most in found], table.index, dtype="float64")
    return checks, table["contribution"].clip(-at_most, at_most)


def _of_remainder(p_value: pd.Series, remains: pd.Series) -> NDArray[np.float64]:
    """P value of the share of a contribution that remains, with the error of the whole."""
    from scipy.special import ndtr, ndtri

    z = ndtri(p_value.to_numpy(float) / 2)
    return np.where(remains > 0, 2 * ndtr(z * remains.to_numpy(float)), 1.0)
