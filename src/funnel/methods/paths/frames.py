"""Tables of paths and of journeys, checked and coded as integers."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.contract.errors import ParameterError
from funnel.methods.paths.coded_paths import ARROW, NOT_TRACED, CodedPaths, coded_names
from funnel.methods.paths.runs import offsets_of

MILESTONES = {"lead": "lead_created_at", "opportunity": "opened_at"}
_MICROSECONDS = 86_400e6  # of a day
_NAMED = 3  # rows named in an error


def coded_paths(table: pd.DataFrame) -> CodedPaths:
    """Different paths of a table of paths, which is checked.

    Parameters
    ----------
    table
        `path` ("A > B"; blanks around a name do not count) and `conversions`; `value` and `nulls`
        count as 0 where they are left out. A missing or empty path, and `(not traced)`, does not
        trace.

    Raises
    ------
    ParameterError
        If a column is missing, or a count or value is not a number, or a count is negative.

    Examples
    --------
    >>> paths = coded_paths(pd.DataFrame({"path": ["web > demo", "web>demo", "web > demo "],
    ...                                   "conversions": [1, 2, 3]}))
    >>> sorted(zip(paths.strings(), paths.conversions.tolist()))
    [('web > demo', 4.0), ('web>demo', 2.0)]
    """
    _check_columns(
        table, ("path", "conversions"), "paths",
        "It holds one row per path: `path` (A > B), `conversions`, `value`, `nulls`.",
    )  # fmt: skip
    whole = table["path"].astype("str").str.strip().fillna("")
    is_traced = ((whole != "") & (whole != NOT_TRACED)).to_numpy()
    texts = whole[is_traced].tolist()
    n_touches = np.zeros(len(table), dtype=np.int64)
    n_touches[is_traced] = [path.count(ARROW) + 1 for path in texts]
    codes, channels = coded_names(ARROW.join(texts).split(ARROW) if texts else [])
    return CodedPaths(
        channels,
        codes,
        offsets_of(n_touches),
        _column(table, "conversions"),
        _column(table, "value", may_be_negative=True),
        _column(table, "nulls"),
    ).grouped()


def coded_journeys(table: pd.DataFrame) -> CodedPaths:
    """One path per won deal of a table of touches, with what is known of each touch.

    Parameters
    ----------
    table
        One row per touch: `deal_id`, `channel` and `position` (1 is the first touch; 0 or below is
        a deal that does not trace). May have `amount` (of the deal), `occurred_at`, `moment`
        (touches of a deal that share one have no known order), and the milestones
        `lead_created_at` and `opened_at`: the last touch up to one stands for it.

    Raises
    ------
    ParameterError
        If a column is missing, or a position or an amount is not a number.

    Examples
    --------
    >>> touches = pd.DataFrame({"deal_id": ["D-1", "D-1"], "position": [2, 1],
    ...                         "channel": ["demo", "web"], "amount": [900.0, 900.0]})
    >>> deals = coded_journeys(touches)
    >>> deals.strings(), deals.value.tolist()
    (['web > demo'], [900.0])
    """
    _check_columns(
        table, ("deal_id", "position", "channel"), "journeys",
        "It holds one row per touch: `deal_id`, `position`, `channel`, `amount`.",
    )  # fmt: skip
    without = int(table["deal_id"].isna().sum())
    if without:
        raise ParameterError(
            f"`deal_id` is missing in {without:,} of {len(table):,} touches. Credit is shared out "
            "deal by deal, so each touch needs its deal; leave out those of no won deal."
        )
    position = _column(table, "position", may_be_negative=True)
    order = np.argsort(position, kind="stable")
    deal, names = pd.factorize(table["deal_id"].astype("str"), sort=True)
    order = order[np.argsort(deal[order], kind="stable")]
    is_touch = position[order] > 0
    touch = order[is_touch]
    codes, channels = coded_names(table["channel"].iloc[touch].astype("str").fillna("").tolist())
    first = np.zeros(len(names), dtype=np.int64)
    first[deal[order[::-1]]] = order[::-1]
    amounts = table["amount"].fillna(0.0) if "amount" in table else np.zeros(len(table))
    value = _column(table.assign(amount=amounts), "amount", may_be_negative=True)[first]
    return CodedPaths.of_journeys(
        channels,
        codes,
        offsets_of(np.bincount(deal[touch], minlength=len(names))),
        names=np.asarray(names, dtype=object),
        value=value,
        days=_days(table, "occurred_at", touch),
        moments=_column(table, "moment").astype(np.int64)[touch] if "moment" in table else None,
        milestones={
            name: _days(table, column, first)
            for name, column in MILESTONES.items()
            if column in table
        },
    )


def _check_columns(table: pd.DataFrame, needed: tuple[str, ...], what: str, form: str) -> None:
    missing = " or ".join(f"`{name}`" for name in needed if name not in table)
    if missing:
        raise ParameterError(f"The table of {what} has no column {missing}. {form}")


def _column(
    table: pd.DataFrame, name: str, *, may_be_negative: bool = False
) -> NDArray[np.float64]:
    if name not in table:
        return np.zeros(len(table))
    values = pd.to_numeric(table[name], errors="coerce").to_numpy("float64", na_value=np.nan)
    wrong, what = ~np.isfinite(values), "no number"
    if not may_be_negative and not wrong.any():
        wrong, what = values < 0, "below 0"
    if wrong.any():
        rows = ", ".join(str(row) for row in table.index[wrong][:_NAMED])
        raise ParameterError(
            f"`{name}` is {what} in {wrong.sum():,} of {len(table):,} rows (rows {rows}). Credit "
            "adds up to what was won, so each row needs its count; whoever made the table can say."
        )
    return values


def _days(table: pd.DataFrame, column: str, rows: NDArray[np.int64]) -> NDArray | None:
    """Times as days since 1970, NaN where one is missing; None where touches have no times."""
    if column not in table:
        return None
    times = table[column].iloc[rows]
    at = pd.to_datetime(times, utc=True, format="ISO8601", errors="coerce")
    at = at.astype("datetime64[us, UTC]")
    days = at.to_numpy("datetime64[us]").astype("int64") / _MICROSECONDS
    missing = at.isna().to_numpy()
    if column == "occurred_at" and missing.any():
        return None
    return np.where(missing, np.nan, days)
