"""Which group of a column each lead falls into."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel import checks
from funnel.contract.errors import ParameterError
from funnel.questions.conversion.results import EVERYBODY, NOT_RECORDED, POOLED

if TYPE_CHECKING:
    from funnel.dataset import Tables

USUAL_GROUPS = ("channel", "campaign", "motion", "region", "industry", "employees")
_MOST_GROUPS = 30  # of one column; the smaller ones are pooled
_MOST_VALUES = 12  # different numbers that are each a group of their own
# firms by headcount, as the EU's statistics band them (Recommendation 2003/361/EC)
_SIZES = ([0, 10, 50, 250, np.inf], ["1 to 9", "10 to 49", "50 to 249", "250 and more"])


def usual_columns(data: Tables, frame: pd.DataFrame) -> list[str]:
    """Name the plan's segments, then the columns that groups are usually asked for by."""
    table = "leads" if frame.attrs["unit"] == "leads" else "deals"
    wanted = dict.fromkeys((*data.plan.segments, *USUAL_GROUPS))
    return [name for name in wanted if data.has(table, name)]


def group_of(data: Tables, frame: pd.DataFrame, segment: str, chosen: pd.Series) -> pd.Series:
    """Label each lead with its group: small ones pooled, blank and unknown together."""
    if segment == EVERYBODY:
        return pd.Series(EVERYBODY, index=frame.index, dtype="str")
    if segment not in frame:
        table, key = (
            ("leads", "lead_id") if frame.attrs["unit"] == "leads" else ("deals", "deal_id")
        )
        source = getattr(data, table)
        if segment not in source:
            raise ParameterError(
                f"by={segment!r}: {table} has no such column; it has {', '.join(source.columns)}."
            )
        values = frame["lead_id"].map(source.set_index(key)[segment])
    else:
        values = frame[segment]
    unknown = checks.is_unknown(values)
    labels = _in_words(values, segment).where(~unknown, NOT_RECORDED)
    counts = labels[chosen].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    is_small = (counts < data.plan.smallest_group) | (np.arange(len(counts)) >= _MOST_GROUPS)
    small = set(counts.index[is_small]) - {NOT_RECORDED}
    return labels.where(~labels.isin(small), POOLED)


def _in_words(values: pd.Series, name: str) -> pd.Series:
    """Name each value's group: a word is its own, a number of many values falls into a band."""
    if not pd.api.types.is_numeric_dtype(values) or values.nunique() <= _MOST_VALUES:
        return values.astype("str")
    if name == "employees":
        edges, names = _SIZES
        return pd.cut(values, edges, labels=names, right=False).astype("str")
    thirds = values.quantile([0, 1 / 3, 2 / 3, 1]).unique()
    if len(thirds) < 3:
        return values.astype("str")
    names = [f"{low:,.6g} to {high:,.6g}" for low, high in itertools.pairwise(thirds)]
    return pd.cut(values, thirds, labels=names, include_lowest=True).astype("str")


def ordered(labels: pd.Series) -> list[str]:
    """Sort groups by size, then by name; pooled and not recorded come last."""
    counts = labels.value_counts()
    last = {POOLED: 1, NOT_RECORDED: 2}
    return sorted(counts.index, key=lambda group: (last.get(group, 0), -counts[group], group))
