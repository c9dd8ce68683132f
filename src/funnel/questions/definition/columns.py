"""Columns of leads that could be a criterion or a score, and their values in steps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.checks import is_unknown
from funnel.contract.tables import TABLES, Kind
from funnel.dataset.cache import cached

if TYPE_CHECKING:
    from funnel.dataset import Tables

CRITERIA = ("annual_revenue", "employees", "industry", "region", "seniority", "job_function")
SCORES = ("score", "grade")
STEPS = 8
FEWEST_WON = 20  # wins, below which they are not compared by anything
MOST_KINDS = 15  # of behaviour, the most frequent ones
CODED = 12  # different numbers up to which each is a step of its own
FEWEST_EXPECTED = 5.0  # wins in a group; with fewer the test's distribution is not the one used
_MOST_WORDS = 40
# what a column's own date is called after its name, as CRM systems and their exports write it
_DATED = tuple(
    f"{what}_{ending}"
    for what in ("", "_updated", "_changed", "_modified", "_set", "_written")
    for ending in ("at", "on", "date")
)


@cached
def candidates(data: Tables) -> tuple[str, ...]:
    """Names of the columns that could be a criterion or a score: the contract's, then others.

    A text column that the contract does not know counts where it has at most forty values. The date
    of another column (see `date_column`) does not count.
    """
    leads = data.leads
    dates = {date_column(leads.columns, name) for name in leads}
    own = [name for name in leads if name not in TABLES["leads"].by_name and name not in dates]
    chosen = []
    for name in (*CRITERIA, *SCORES, *own):
        values = leads[name].dropna()
        if values.empty or values.nunique() < 2:
            continue
        if pd.api.types.is_datetime64_any_dtype(values):
            continue
        is_words = not pd.api.types.is_numeric_dtype(values)
        if name in own and is_words and values.nunique() > _MOST_WORDS:
            continue
        chosen.append(name)
    return tuple(chosen)


def date_column(columns: Iterable[str], name: str) -> str:
    """Name of the column with the time at which another was written; empty if there is none.

    Examples
    --------
    >>> date_column(["score", "score_updated_at"], "score")
    'score_updated_at'
    """
    known = {column.casefold(): column for column in columns}
    named = (known.get(f"{name}{ending}".casefold(), "") for ending in _DATED)
    return next((column for column in named if column not in ("", *TABLES["leads"].by_name)), "")


def stepped(values: pd.Series, steps: int = STEPS) -> NDArray[np.int64]:
    """Step of each value, from 0; blank and unknown come last.

    Numbers are cut into steps of about as many leads each; numbers of few values, and words, are
    steps of their own.

    Examples
    --------
    >>> stepped(pd.Series(["web", "email", None, "web"])).tolist()
    [1, 0, 2, 1]
    """
    unknown = is_unknown(values).to_numpy(bool)
    known = values[~unknown]
    codes = np.zeros(len(values), dtype=np.int64)
    if pd.api.types.is_numeric_dtype(known) and known.nunique() > CODED:
        numbers = known.to_numpy(float)
        edges = np.unique(np.quantile(numbers, np.linspace(0, 1, steps + 1)[1:-1], method="lower"))
        edges = edges[edges < numbers.max()]
        if not edges.size:  # nearly all have the highest value, and the few others are a step
            edges = np.array([numbers[numbers < numbers.max()].max()])
        codes[~unknown] = np.searchsorted(edges, numbers, side="left")
    elif len(known):
        codes[~unknown] = pd.factorize(known, sort=True)[0]
    codes[unknown] = codes.max(initial=0) + 1
    return codes


def is_number(data: Tables, name: str) -> bool:
    """Whether a column holds quantities, and not codes or words."""
    known = TABLES["leads"].by_name.get(name)
    if known is not None:
        return known.kind in (Kind.NUMBER, Kind.MONEY, Kind.COUNT)
    return pd.api.types.is_numeric_dtype(data.leads[name])


def pooled(group: NDArray[np.int64], won: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Codes of groups, small ones pooled as one more code after the others.

    A group is small where fewer than five of its leads would be won at the rate of all.

    Examples
    --------
    >>> pooled(np.repeat([0, 1, 2], [50, 4, 50]), np.arange(104) % 2 == 0)[[0, 52, 60]].tolist()
    [0, 2, 1]
    """
    size = np.bincount(group)
    small = size * won.mean() < FEWEST_EXPECTED
    codes = np.cumsum(~small) - 1
    codes[small] = (~small).sum()
    return codes[group]
