"""What a change is made of: volume, mix, each step's rate, and value per won deal, exactly.

For tables of counts. The contributions are Shapley values, so they hang on no order and add up to
the change. (The bridge of a period's bookings rests on the same arithmetic.)
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.errors import ParameterError

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ChangeExplained:
    """A change of a total, shared out among what it is made of.

    `table` has the rows `lead volume`, `mix`, one `<from> to <to>` for each pair of counts, and
    `deal size`: `driver`, `segment` (missing in the total of all segments) and `contribution`, in
    the unit of the value. The rows without a segment add up to `change`.
    """

    table: pd.DataFrame
    before: float
    after: float

    @property
    def change(self) -> float:
        """The value after less the value before."""
        return self.after - self.before


def explain_change(before: pd.DataFrame, after: pd.DataFrame) -> ChangeExplained:
    """Share a change of value out among volume, mix, rates and value per deal.

    The value of a period is the sum over its segments of volume x the segment's share of it x the
    rate of each step x the mean value. A rate, share or mean without a denominator is taken from
    the other period, so that a new or a lost segment is volume and mix, and no rate is invented.
    What the product cannot hold (wins or value from a stage that nobody reached) is `residual`.

    Parameters
    ----------
    before, after
        One row per segment (the index), one column per stage count in order, and `value` last.

    Returns
    -------
    ChangeExplained
        One row per driver, in all and by segment.

    Raises
    ------
    ParameterError
        If the columns differ or are too few, a segment comes twice, a cell is no number, or a
        count is negative.

    Notes
    -----
    The Shapley value of a product f_1 ... f_n between two points is

        phi_i = (f1_i - f0_i) * int_0^1 prod_(j != i) (f0_j + u (f1_j - f0_j)) du

    a polynomial of degree n - 1 in u, for which Gauss-Legendre with ceil(n / 2) nodes is exact.

    References
    ----------
    Owen, "Multilinear extensions of games", Management Science 18 (1972). Shorrocks,
    "Decomposition procedures for distributional analysis", J. Economic Inequality 11 (2013).
    Das Gupta, Standardization and Decomposition of Rates, US Bureau of the Census (1993).

    Examples
    --------
    >>> before = pd.DataFrame({"lead": [100], "won": [10], "value": [1000.0]}, index=["all"])
    >>> after = pd.DataFrame({"lead": [120], "won": [12], "value": [1200.0]}, index=["all"])
    >>> explained = explain_change(before, after)
    >>> explained.table[explained.table["segment"].isna()].set_index("driver")["contribution"]
    driver
    lead volume    200.0
    mix              0.0
    lead to won      0.0
    deal size        0.0
    Name: contribution, dtype: float64
    """
    stages = _checked(before, after)
    segments = before.index.append(after.index.difference(before.index, sort=False))
    old = before.reindex(segments, fill_value=0).to_numpy("float64")
    new = after.reindex(segments, fill_value=0).to_numpy("float64")
    old_factors, new_factors = _factors(old, new), _factors(new, old)
    parts = _shares_of_product(old_factors, new_factors)
    drivers = [
        "lead volume",
        "mix",
        *(f"{start} to {end}" for start, end in itertools.pairwise(stages)),
        "deal size",
    ]
    missed = new[:, -1] - old[:, -1] - (new_factors.prod(axis=1) - old_factors.prod(axis=1))
    if np.any(np.abs(missed) > 1e-9 * np.abs([old[:, -1], new[:, -1]]).max(initial=1.0)):
        drivers.append("residual")
        parts = np.column_stack([parts, missed])
    total = pd.DataFrame({"driver": drivers, "segment": None, "contribution": parts.sum(axis=0)})
    by_segment = pd.DataFrame(
        {
            "driver": np.repeat(drivers, len(segments)),
            "segment": np.tile(segments.to_numpy(dtype=object), len(drivers)),
            "contribution": parts.T.ravel(),
        }
    )
    table = pd.concat([total, by_segment], ignore_index=True)
    return ChangeExplained(
        table.astype({"driver": "str", "segment": "str"}),
        float(old[:, -1].sum()),
        float(new[:, -1].sum()),
    )


def _factors(counts: Floats, other: Floats) -> Floats:
    """Volume, share, rates and mean value of each segment; what has no denominator is carried."""
    volume = np.full(len(counts), counts[:, 0].sum())
    share = _divided(counts[:, 0], volume, other[:, 0], np.full(len(other), other[:, 0].sum()))
    rates = [
        _divided(counts[:, k + 1], counts[:, k], other[:, k + 1], other[:, k])
        for k in range(counts.shape[1] - 1)
    ]
    return np.column_stack([volume, share, *rates])


def _divided(part: Floats, whole: Floats, other_part: Floats, other_whole: Floats) -> Floats:
    carried = np.divide(other_part, other_whole, out=np.zeros_like(part), where=other_whole != 0)
    return np.divide(part, whole, out=carried, where=whole != 0)


def _shares_of_product(old: Floats, new: Floats) -> Floats:
    """Shapley values of each segment's product (rows) by factor (columns), mix centred."""
    n_factors = old.shape[1]
    nodes, weights = np.polynomial.legendre.leggauss((n_factors + 1) // 2)
    rest = np.zeros_like(old)
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        between = old + node * (new - old)
        before = np.cumprod(np.column_stack([np.ones(len(old)), between[:, :-1]]), axis=1)
        after = np.cumprod(np.column_stack([np.ones(len(old)), between[:, :0:-1]]), axis=1)
        rest += weight * before * after[:, ::-1]
    parts = (new - old) * rest
    # a segment's share counts against the mean yield: more of a low-yield segment is a loss, and
    # the growth that the mean would have brought is volume. Shares add up to 1: no total changes
    mean_yield = ((old[:, 1] + new[:, 1]) / 2) @ rest[:, 1]
    moved = (new[:, 1] - old[:, 1]) * mean_yield
    parts[:, 0] += moved
    parts[:, 1] -= moved
    return parts


def _checked(before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    columns = list(before.columns)
    if columns != list(after.columns) or len(columns) < 2 or columns[-1] != "value":
        raise ParameterError(
            "explain_change: both tables need the same columns: one or more stage counts in order, "
            "then `value`."
        )
    for name, table in (("before", before), ("after", after)):
        if not table.index.is_unique:
            raise ParameterError(f"explain_change: `{name}` has a segment twice.")
        numbers = table.apply(pd.to_numeric, errors="coerce").to_numpy("float64")
        if not np.isfinite(numbers).all() or (numbers[:, :-1] < 0).any():
            raise ParameterError(
                f"explain_change: `{name}` must hold numbers, and no count below 0."
            )
    return [str(column) for column in columns[:-1]]
