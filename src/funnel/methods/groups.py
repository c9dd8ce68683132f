"""Groups of rows by the value of a column: what each is called, and their order in a table."""

from __future__ import annotations

import pandas as pd

from funnel.checks import is_unknown
from funnel.contract.labels import EVERYBODY, NO_LEAD, NOT_RECORDED, POOLED

_LAST = {POOLED: 1, NOT_RECORDED: 2}


def group_labels(values: pd.Series, column: str) -> pd.Series:
    """Name of each row's group: its value, or `not recorded` where that is unknown.

    A value that is itself one of the labels is named with its column, so that it is not taken for
    the label.

    Examples
    --------
    >>> group_labels(pd.Series(["web", "all", "n/a", None]), "channel").tolist()
    ['web', 'channel: all', 'not recorded', 'not recorded']
    """
    names = values.astype("str")
    names = names.mask(names.isin([EVERYBODY, POOLED, NO_LEAD]), f"{column}: " + names)
    return names.where(~is_unknown(values), NOT_RECORDED)


def ordered(names: pd.Series) -> list[str]:
    """Groups by size, then by name; pooled and not recorded come last."""
    counts = names.value_counts()
    return sorted(counts.index, key=lambda name: (_LAST.get(name, 0), -counts[name], name))
