"""Rates with their intervals, and changes of rates, as columns of a result's table."""

from __future__ import annotations

import numpy as np

from funnel.stats import NARROW, difference_of_rates, verdict, wilson


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
    value = k / n if n else np.nan
    return {name: value, f"{name}_low": float(low), f"{name}_high": float(high)}


def rate_change(
    k1: int, n1: int, k0: int, n0: int, level: float, name: str = "change"
) -> dict[str, object]:
    """Change from one rate to another with Newcombe's interval, and its verdict.

    Parameters
    ----------
    k1, n1
        How many of how many after.
    k0, n0
        How many of how many before.
    level
        Of the interval.
    name
        Of the column of the change.

    Returns
    -------
    dict
        `<name>`, `<name>_low`, `<name>_high` and `verdict`; missing, and `cannot tell`, where there
        are no rows before or after.

    Examples
    --------
    >>> found = rate_change(10, 100, 30, 100, 0.9)
    >>> round(found["change"], 2), found["verdict"]
    (-0.2, 'moved')
    """
    known = n1 > 0 and n0 > 0
    low, high = difference_of_rates(k1, n1, k0, n0, level) if known else (np.nan, np.nan)
    return {
        name: k1 / n1 - k0 / n0 if known else np.nan,
        f"{name}_low": float(low),
        f"{name}_high": float(high),
        "verdict": verdict(low, high, NARROW * (k0 / n0) if known else 0.0),
    }
