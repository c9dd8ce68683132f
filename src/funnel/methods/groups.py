"""Groups of rows by the value of a column: what each is called, and their order in a table."""

from __future__ import annotations

import pandas as pd

from funnel.checks import is_unknown
from funnel.contract.labels import EVERYBODY, NO_LEAD, NOT_RECORDED, POOLED
from funnel.results.small_groups import are_small

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
    labels: pd.Series,
    n: pd.Series,
    fewest: int,
    most: int | None = None,
    *,
    pool: str = POOLED,
    not_pooled: str = NOT_RECORDED,
) -> pd.Series:
    """Labels of groups, small ones pooled, with those that hold nothing that is counted.

    Which groups are small is `funnel.results.small_groups.are_small`.

    Parameters
    ----------
    labels
        Group of each row.
    n
        Count of each group, by its label.
    fewest, most
        Size of the smallest group, and number of groups, that are not pooled.
    pool, not_pooled
        Label of the groups that are pooled, and the label that never is.

    Examples
    --------
    >>> labels = pd.Series(["web", "fair", "call", "not recorded"])
    >>> n = pd.Series({"web": 40, "fair": 3, "call": 7, "not recorded": 1})
    >>> with_small_pooled(labels, n, fewest=5).tolist()
    ['web', 'smaller groups', 'smaller groups', 'not recorded']
    """
    known = n.drop(not_pooled, errors="ignore").sort_index()
    known = known.sort_values(ascending=False, kind="stable")
    kept = known.index[(known > 0) & ~are_small(known, fewest)][:most]
    return labels.where(labels.isin({not_pooled, *kept}), pool)


def ordered(names: pd.Series) -> list[str]:
    """Groups by size, then by name; pooled and not recorded come last."""
    counts = names.value_counts()
    return sorted(counts.index, key=lambda name: (LAST.get(name, 0), -counts[name], name))
