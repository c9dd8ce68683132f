"""Groups of rows by the value of a column: what each is called, and their order in a table."""

from __future__ import annotations

import pandas as pd

from funnel.checks import is_unknown
from funnel.contract.labels import EVERYBODY, NO_LEAD, NOT_RECORDED, POOLED

LAST = {POOLED: 1, NOT_RECORDED: 2}  # place of groups that come after all others


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


def with_small_pooled(
    labels: pd.Series, counted: pd.Series, fewest: int, most: int | None = None
) -> pd.Series:
    """Names of groups, those pooled that are small among the rows counted, or hold none of them.

    Parameters
    ----------
    labels, counted
        Names as `group_labels` gives them: of all rows, and of those that are counted.
    fewest, most
        Rows of the smallest group, and number of groups, that are not pooled. `not recorded` stays.

    Examples
    --------
    >>> labels = pd.Series(["web", "web", "fair", "not recorded"])
    >>> with_small_pooled(labels, labels, fewest=2).tolist()
    ['web', 'web', 'smaller groups', 'not recorded']
    """
    counts = counted.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    kept = set(counts[counts >= fewest].index[:most]) | ({NOT_RECORDED} & set(counts.index))
    return labels.where(labels.isin(kept), POOLED)


def ordered(names: pd.Series) -> list[str]:
    """Groups by size, then by name; pooled and not recorded come last."""
    counts = names.value_counts()
    return sorted(counts.index, key=lambda name: (LAST.get(name, 0), -counts[name], name))
