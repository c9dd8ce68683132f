"""Cells of the contract's tables, made from numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from funnel.sample.calendar import MINUTE, Floats, Ints


def times(values: Floats) -> pd.Series:
    """Times of the contract from UTC days, cut to the minute; infinite ones are missing."""
    finite = np.isfinite(values)
    minutes = np.floor(np.where(finite, values, 0.0) / MINUTE + 1e-6).astype("int64")
    stamps = (minutes * 60_000_000).astype("datetime64[us]")
    stamps[~finite] = np.datetime64("NaT")
    return pd.Series(stamps).dt.tz_localize("UTC")


def dates(days: Ints | Floats) -> pd.Series:
    """Dates of the contract from day numbers; infinite ones are missing."""
    days = np.asarray(days, float)
    finite = np.isfinite(days)
    stamps = np.where(finite, days, 0).astype("int64").astype("datetime64[D]")
    stamps = stamps.astype("datetime64[us]")
    stamps[~finite] = np.datetime64("NaT")
    return pd.Series(stamps)


def words(choices: tuple[str, ...] | np.ndarray, codes: Ints) -> pd.Series:
    """Texts by code; a code below 0 is missing."""
    return pd.Series(np.array([*choices, None], dtype=object)[codes], dtype="str")


def account_ids(account: Ints) -> np.ndarray:
    """Keys of accounts."""
    return np.array([f"A{i + 1:06d}" for i in account], dtype=object)


def known_by(values: Floats, end: float) -> Floats:
    """Times, infinite where they lie after the last day."""
    return np.where(values < end, values, np.inf)
