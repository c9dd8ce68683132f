"""Which drivers are named: verdicts after the checks, one rule for every driver."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from funnel.methods.bridge import Bridge
from funnel.methods.bridge.bridge import CALENDAR, RESIDUAL
from funnel.questions.why.findings import explaining_check
from funnel.stats import CANNOT_TELL, MOVED, benjamini_hochberg

Row = Mapping[str, Any]
LARGEST_RESIDUAL = 0.1  # of the larger of the two values
# resamples measure chance, and not what the tables do not hold
_UNCERTAINTY = ["low", "high", "smallest_detectable"]


def is_in_play(row: Row) -> bool:
    """Whether the dataset holds anything on a driver: an interval that is not empty."""
    return bool(math.isfinite(row["low"]) and (row["low"], row["high"]) != (0, 0))


def explained_by(row: Row) -> str:
    """The check that explains a row, empty if none does.

    `calendar` and `mix` are drivers as well as checks: what such a check finds is its own driver.
    """
    check = row.get("explained_by")
    return check if isinstance(check, str) and check != row["driver"] else ""


def is_named(row: Row) -> bool:
    """Whether a driver moved and no check explains it."""
    return bool(row["verdict"] == MOVED and not explained_by(row) and row["driver"] != RESIDUAL)


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


def adjusted_without_explained(
    table: pd.DataFrame, tests: pd.DataFrame, touched: pd.DataFrame, q: float
) -> pd.DataFrame:
    """The bridge's rows with verdicts adjusted among the drivers that no check explains.

    The adjustment for the number of tests is milder where many tests find something. Drivers that
    a check explains are none of the tests that a team is compared by, so the others are adjusted
    among themselves.

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
        The table, with `cannot tell` where `moved` does not hold among the other drivers.
    """
    totals = tests[tests["segment"].isna()].merge(table[table["segment"].isna()], on="driver")
    is_other = [
        driver != CALENDAR and not explaining_check(touched, driver, contribution)
        for driver, contribution in zip(totals["driver"], totals["contribution"], strict=True)
    ]
    totals = totals[np.array(is_other, bool)]
    too_rare = totals["driver"][~(benjamini_hochberg(totals["p_combined"]) <= q)]
    loses = table["driver"].isin(too_rare) & (table["verdict"] == MOVED)
    return table.assign(verdict=table["verdict"].mask(loses, CANNOT_TELL))


def with_checks(table: pd.DataFrame, touched: pd.DataFrame) -> pd.DataFrame:
    """The bridge's rows with `explained_by` and `rank`.

    Parameters
    ----------
    table
        As the bridge gives it.
    touched
        Drivers that the checks explain.

    Returns
    -------
    DataFrame
        `explained_by` names the check that explains a driver that moved; a driver's segments are
        explained where the driver itself would be. `rank` is 1 for the largest of the drivers that
        moved and that no check explains, and missing for all others. Only a row's own figures
        decide, so that drivers before and after the hand-off are under one rule.
    """
    explained = [
        explaining_check(touched, row["driver"], row["contribution"])
        if row["verdict"] == MOVED
        else ""
        for row in table.to_dict("records")
    ]
    table = table.assign(explained_by=pd.Series(explained, index=table.index, dtype="str"))
    is_clear = np.array([is_named(row) for row in table.to_dict("records")], bool)
    named = table["segment"].isna() & is_clear
    size = table["contribution"].abs().where(named)
    return table.assign(rank=size.rank(ascending=False, method="first"))
