"""Rates with their intervals, and changes of rates, as columns of a result's table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from funnel.stats import NARROW, difference, verdict, wilson

_ENDS = ("", "_low", "_high")


def rate(name: str, k: int, n: int, level: float) -> dict[str, float]:
    """A rate with Wilson's interval as `<name>`, `<name>_low` and `<name>_high`.

    Parameters
    ----------
    name
        Of the column.
    k, n
        How many of how many; without any the rate is missing.
    level
        Of the interval.

    Examples
    --------
    >>> {name: round(value, 2) for name, value in rate("share", 20, 100, 0.9).items()}
    {'share': 0.2, 'share_low': 0.14, 'share_high': 0.27}
    """
    low, high = wilson(k, n, level) if n else (np.nan, np.nan)
    return {name: k / n if n else np.nan, f"{name}_low": float(low), f"{name}_high": float(high)}


def rate_change(
    row: Mapping[str, Any], now: str, then: str, name: str = "change"
) -> dict[str, Any]:
    """Change from one rate of a row to another, its interval and its verdict.

    Parameters
    ----------
    row
        Has `<now>` and `<then>`, each with `_low` and `_high`.
    now, then
        Columns of the later and of the earlier rate.
    name
        Of the column of the change.

    Returns
    -------
    dict
        `<name>`, `<name>_low`, `<name>_high` and `verdict`; missing, and `cannot tell`, where
        either rate is missing.

    References
    ----------
    Newcombe (1998), Statistics in Medicine 17, 873-890, where the rates have Wilson's intervals.

    Examples
    --------
    >>> row = rate("share", 10, 100, 0.9) | rate("before", 30, 100, 0.9)
    >>> found = rate_change(row, "share", "before")
    >>> round(found["change"], 2), found["verdict"]
    (-0.2, 'moved')
    """
    low, high = difference(*(row[f"{side}{end}"] for side in (now, then) for end in _ENDS))
    margin = 0.0 if np.isnan(row[then]) else NARROW * row[then]
    return {
        name: row[now] - row[then],
        f"{name}_low": float(low),
        f"{name}_high": float(high),
        "verdict": verdict(low, high, margin),
    }
