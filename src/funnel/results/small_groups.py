"""Small groups of leads or deals: which they are in a table, and the table without them.

One rule for every table that is shown or saved, stated in `docs/small_groups.md`. It hides what one
table alone gives away; it does not compare the tables of a snapshot with each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from funnel.contract.labels import EVERYBODY

_KEYS = {"deal_id", "lead_id"}  # a table with one of them lists records, not groups
_ENDS = ("", "_low", "_high")


class Hidden(float):
    """NaN in place of a count that is not shown, with what a page writes instead.

    Examples
    --------
    >>> str(Hidden("fewer than 5")), Hidden("fewer than 5") == Hidden("fewer than 5")
    ('fewer than 5', False)
    """

    text: str

    def __new__(cls, text: str) -> Hidden:
        """NaN with its text."""
        made = super().__new__(cls, "nan")
        made.text = text
        return made

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class SmallGroups:
    """What makes the rows of a table groups of leads or deals.

    Attributes
    ----------
    table
        The result's attribute that holds the table.
    by
        Columns that name a row's group. A row in which they are blank or `all` is everybody.
    counts
        Columns that count a group, and the figures that rest on each, without `_low` and `_high`;
        none given: all numbers of the row.
    within
        Columns that part the table into blocks; numbers in them are not figures.
    add_up
        Those of the counts whose total over the groups of a block is shown or known.
    pooled
        Name of the row that takes up small groups, where all figures are sums; without it their
        figures are left blank.
    """

    by: tuple[str, ...]
    counts: Mapping[str, tuple[str, ...]]
    within: tuple[str, ...] = ()
    add_up: tuple[str, ...] = ()
    pooled: str = ""
    table: str = "table"


def are_small(counts: ArrayLike, fewest: int, *, add_up: bool = True) -> NDArray[np.bool_]:
    """Whether each group is small, or hidden with those that are.

    Parameters
    ----------
    counts
        Counts of each group; one row per group where there are several.
    fewest
        Size from which a group is shown. None at all may be shown too.
    add_up
        Whether the total is known. Then the next smallest groups join, until those hidden are two
        or more, and together none or `fewest` of each count.

    Examples
    --------
    >>> are_small([40, 3, 0, 12, 90], 5).tolist()
    [False, True, False, True, False]
    >>> are_small([40, 3, 0, 12, 90], 5, add_up=False).tolist()
    [False, True, False, False, False]
    """
    n = np.nan_to_num(np.asarray(counts, dtype=float))
    n = n[:, None] if n.ndim == 1 else n
    small = _is_few(n, fewest).any(axis=1)
    if not add_up or not small.any():
        return small
    for group in np.lexsort(n.T[::-1]):
        lacking = _is_few(n[small].sum(axis=0), fewest)
        if small.sum() > 1 and not lacking.any():
            break
        helps = n[group, lacking] if lacking.any() else n[group]
        small[group] |= bool(helps.any())
    return small


def without_small(
    table: pd.DataFrame, groups: SmallGroups, fewest: int, *, marked: bool = False
) -> pd.DataFrame:
    """Table as it may be shown: small groups pooled, or their figures blank.

    Parameters
    ----------
    fewest
        Size from which a group is shown.
    marked
        Whether a blank count is a `Hidden`, written as `fewer than 5` where it is that, and else
        as `not shown`; else NaN.

    Returns
    -------
    DataFrame
        The table itself where no group is small.

    Examples
    --------
    >>> table = pd.DataFrame({"grade": ["A", "B", "C"], "n": [3, 8, 20], "met": [0.3, 0.5, 0.6]})
    >>> shown = without_small(table, SmallGroups(by=("grade",), counts={"n": ()}, add_up=("n",)), 5)
    >>> shown.values.tolist()
    [['A', nan, nan], ['B', nan, nan], ['C', 20.0, 0.6]]
    >>> paths = SmallGroups(by=("grade",), counts={"n": ()}, pooled="other grades")
    >>> without_small(table[["grade", "n"]], paths, 5).values.tolist()
    [['C', 20], ['other grades', 11]]
    """
    if table.empty or _KEYS & set(table.columns):
        return table
    if groups.pooled:
        return _pooled(table, groups, fewest)
    hidden = {
        name: mask
        for name in groups.counts
        if name in table and (mask := _hidden(table, groups, name, fewest)).any()
    }
    if not hidden:
        return table
    shown = table.copy()
    for count, mask in hidden.items():
        for name in _figures(table, groups, count):
            shown[name] = shown[name].astype("float64").mask(mask)
    if marked:
        for name in set(groups.counts) & set(table.columns):
            shown[name] = _marked(table[name], shown[name], fewest)
    return shown


def _is_few(n: NDArray[np.float64], fewest: int) -> NDArray[np.bool_]:
    return (n > 0) & (n < fewest)


def _is_everybody(table: pd.DataFrame, groups: SmallGroups) -> NDArray[np.bool_]:
    names = table[list(groups.by)]
    return (names.isna() | names.isin(["", EVERYBODY])).to_numpy().all(axis=1)


def _hidden(table: pd.DataFrame, groups: SmallGroups, count: str, fewest: int) -> NDArray[np.bool_]:
    """Rows whose `count` is not shown."""
    n = table[count].to_numpy(dtype=float, na_value=np.nan)
    hidden = np.zeros(len(table), bool)
    is_group = ~_is_everybody(table, groups)
    blocks = [np.arange(len(table))]
    if groups.within:
        by = list(groups.within)
        blocks = list(table.groupby(by, dropna=False, sort=False).indices.values())
    for block in blocks:
        rows = block[is_group[block]]
        hidden[rows] = are_small(n[rows], fewest, add_up=count in groups.add_up)
    return hidden


def _figures(table: pd.DataFrame, groups: SmallGroups, count: str) -> list[str]:
    """Columns that are blank where a count is."""
    named = groups.counts[count]
    if not named:
        kept = {*groups.by, *groups.within}
        numbers = table.select_dtypes("number").columns
        return [name for name in numbers if name not in kept]
    chosen = [f"{name}{end}" for name in named for end in _ENDS]
    return [count, *(name for name in chosen if name in table and name != count)]


def _marked(n: pd.Series, shown: pd.Series, fewest: int) -> pd.Series:
    few = _is_few(n.to_numpy(dtype=float, na_value=np.nan), fewest)
    is_hidden = shown.isna() & n.notna()
    if not is_hidden.any():
        return shown
    marks = [
        Hidden(f"fewer than {fewest}" if small else "not shown") if hidden else cell
        for cell, hidden, small in zip(shown, is_hidden, few, strict=True)
    ]
    return pd.Series(marks, shown.index, dtype=object)


def _pooled(table: pd.DataFrame, groups: SmallGroups, fewest: int) -> pd.DataFrame:
    counts = table[list(groups.counts)].to_numpy(dtype=float)
    small = are_small(counts, fewest)
    if not small.any():
        return table
    sums = table.loc[small].sum(numeric_only=True)
    rest = pd.DataFrame([dict.fromkeys(groups.by, groups.pooled) | sums.to_dict()])
    return pd.concat([table.loc[~small], rest[table.columns].astype(table.dtypes)]).reset_index(
        drop=True
    )
