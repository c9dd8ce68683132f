"""How a driver and its part of the change are written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from funnel.contract.plan import Plan
from funnel.results import formats
from funnel.stats import MOVED

Row = Mapping[str, Any]
RESIDUAL = "residual"


def amount(value: float, plan: Plan, *, sign: bool = False) -> str:
    """Write a part of the change in the unit of the plan's measure.

    Examples
    --------
    >>> amount(-40, Plan()), amount(3, Plan(measure="wins"), sign=True)
    ('-€40', '+3')
    """
    if plan.measure == "wins":
        return formats.number(value, plan.company, sign=sign)
    return formats.short_money(value, plan.company, sign=sign)


def with_interval(row: Row, plan: Plan) -> str:
    """Write a contribution and its interval.

    Examples
    --------
    >>> with_interval({"contribution": -40, "low": -70, "high": -10}, Plan())
    '-€40 [-€70 to -€10]'
    """
    said = amount(row["contribution"], plan, sign=True)
    if not math.isfinite(row["low"]):
        return said
    ends = (amount(row[end], plan, sign=True) for end in ("low", "high"))
    return f"{said} {formats.interval(*ends)}"


def is_in_play(row: Row) -> bool:
    """Say whether the data have anything on a driver: an interval that is not empty."""
    return bool(math.isfinite(row["low"]) and (row["low"], row["high"]) != (0, 0))


def explained_by(row: Row) -> str:
    """Name the guard that explains a row, empty if none does.

    `calendar` and `mix` are drivers as well as guards: what such a guard says of its own driver is
    the finding, and takes nothing away from it.
    """
    guard = row.get("explained_by")
    return guard if isinstance(guard, str) and guard != row["driver"] else ""


def is_named(row: Row) -> bool:
    """Say whether a driver moved, and no guard explains it."""
    return bool(row["verdict"] == MOVED and not explained_by(row) and row["driver"] != RESIDUAL)
