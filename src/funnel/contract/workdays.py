"""Working days: Mondays to Fridays that are no public holiday of a country."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.contract.errors import ParameterError


def is_workday(days: pd.DatetimeIndex, country: str = "") -> NDArray[np.bool_]:
    """Whether each day is a Monday to Friday and no public holiday of the country.

    Parameters
    ----------
    days
        Days, without time zone.
    country
        Two letters (ISO 3166), as the plan's; empty: weekends only.

    Raises
    ------
    ParameterError
        If the country's holidays are not known.

    Examples
    --------
    >>> is_workday(pd.date_range("2025-12-24", "2025-12-28"), "DE").tolist()
    [True, False, False, False, False]
    """
    return (days.day_of_week < 5) & ~is_holiday(days, country)


def is_holiday(days: pd.DatetimeIndex, country: str = "") -> NDArray[np.bool_]:
    """Whether each day is a public holiday of the country; none is without a country.

    References
    ----------
    The `holidays` package; nationwide ones only.

    Examples
    --------
    >>> is_holiday(pd.DatetimeIndex(["2026-01-01", "2026-01-02"]), "DE").tolist()
    [True, False]
    """
    if not country or not len(days):
        return np.zeros(len(days), dtype=bool)
    try:
        known = _holidays(country, days[0].year, days[-1].year)
    except NotImplementedError:
        raise ParameterError(
            f"country={country!r}: its public holidays are not known. Write two letters, such as "
            "DE or US, or leave it empty to count weekdays only."
        ) from None
    return days.isin(known)


@functools.cache
def _holidays(country: str, first: int, last: int) -> pd.DatetimeIndex:
    """Public holidays of a country from one year to another."""
    import holidays

    known = holidays.country_holidays(country, years=range(first, last + 1))
    return pd.DatetimeIndex(list(known))
