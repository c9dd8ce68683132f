"""Contributions of volume, mix, each step's rate and deal size to the change of two count tables.

The contributions are Shapley values: they depend on no order and add up to the change. The bridge
of a period's bookings rests on the same arithmetic.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.contract.errors import ParameterError

Floats = NDArray[np.longdouble]  # so that the rounded result is exact to the last digit of a float
_SHOWN = 3  # of the cells that are wrong


@dataclass(frozen=True, eq=False)
class ChangeExplained:
    """Contributions to the change of a total.

    `table` has the rows `lead volume`, `mix`, one `<from> to <to>` for each pair of counts, and
    `deal size`: `driver`, `segment` (missing in the total of all segments) and `contribution`, in
    the unit of the value. The rows without a segment add up to `change`, and a driver's segments
    to its own.

    `lmdi` has the same rows by a second method, the logarithmic mean Divisia index. It needs every
    rate, share and mean above zero in both periods: contributions of other segments are missing,
    and so are the totals, volume and mix, which depend on all segments. Where both methods agree,
    the answer does not depend on the method.
    """

    table: pd.DataFrame
    before: float
    after: float
    lmdi: pd.DataFrame

    @property
    def change(self) -> float:
        """The value after less the value before."""
        return self.after - self.before


def explain_change(before: pd.DataFrame, after: pd.DataFrame) -> ChangeExplained:
    """Contributions of volume, mix, rates and deal size to a change of value.

    The value of a period is the sum over segments of volume x share of the segment x rate of each
    step x mean value. A rate, share or mean without a denominator is taken from the other period,
    so that a new or a lost segment is volume and mix. Wins or value from a stage that nobody
    reached do not fit the product and are `residual`.

    Parameters
    ----------
    before, after
        One row per segment (the index), one column per stage count in order, and `value` last.

    Returns
    -------
    ChangeExplained
        One row per driver, in all and by segment; and the same by a second method.

    Raises
    ------
    ParameterError
        If the columns differ or are too few, a segment comes twice or has no name, a cell is no
        number, or a count is negative.

    Notes
    -----
    Segments may come in any order, and be in one of the tables only.

    The Shapley value of a product f_1 ... f_n between two points is

        phi_i = (f1_i - f0_i) * int_0^1 prod_(j != i) (f0_j + u (f1_j - f0_j)) du

    a polynomial of degree n - 1 in u, for which Gauss-Legendre with ceil(n / 2) nodes is exact.

    References
    ----------
    Owen, "Multilinear extensions of games", Management Science 18 (1972). Shorrocks,
    "Decomposition procedures for distributional analysis", J. Economic Inequality 11 (2013).
    Das Gupta, Standardization and Decomposition of Rates, US Bureau of the Census (1993). Ang,
    "LMDI decomposition approach: a guide for implementation", Energy Policy 86 (2015).

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
    stages = _checked_columns(before, after)
    old_table, new_table = _numbers("before", before), _numbers("after", after)
    segments = old_table.index.append(new_table.index.difference(old_table.index, sort=False))
    old, new = (
        each.reindex(segments, fill_value=0.0).to_numpy(np.longdouble)
        for each in (old_table, new_table)
    )
    drivers = [
        "lead volume",
        "mix",
        *(f"{start} to {end}" for start, end in itertools.pairwise(stages)),
        "deal size",
    ]
    old_factors, new_factors = _factors(old, new), _factors(new, old)
    missed = _outside_product(new) - _outside_product(old)
    parts, second = (
        _centred(old_factors, new_factors, others)
        for others in (
            _mean_of_others(old_factors, new_factors),
            _log_mean_shares(old_factors, new_factors),
        )
    )
    if missed.any():
        drivers.append("residual")
        parts, second = (np.column_stack([each, missed]) for each in (parts, second))
    return ChangeExplained(
        _rows(drivers, segments, parts),
        float(old[:, -1].sum()),
        float(new[:, -1].sum()),
        _rows(drivers, segments, second),
    )


def _rows(drivers: list[str], segments: pd.Index, parts: Floats) -> pd.DataFrame:
    """Tidy rows of contributions given by segment (rows) and driver (columns), totals first."""
    total = pd.DataFrame({"driver": drivers, "segment": None, "contribution": parts.sum(axis=0)})
    by_segment = pd.DataFrame(
        {
            "driver": np.repeat(drivers, len(segments)),
            "segment": np.tile(segments.to_numpy(dtype=object), len(drivers)),
            "contribution": parts.T.ravel(),
        }
    )
    table = pd.concat([total, by_segment] if len(segments) else [total], ignore_index=True)
    return table.astype({"driver": "str", "segment": "str", "contribution": "float64"})


def _log_mean_shares(old: Floats, new: Floats) -> Floats:
    """Log mean of the products over that of each factor (LMDI).

    Parameters
    ----------
    old, new
        Factors of each segment (rows) in the two periods.

    Returns
    -------
    ndarray
        Of their shape. A factor's change times this is its contribution, and those of a segment add
        up to the change of its product. Not a number for segments with a factor of 0 or less; 0
        where both products are 0.

    References
    ----------
    Ang and Liu (2001), Energy 26, 537-548; Ang (2015), Energy Policy 86, 233-238.

    Examples
    --------
    >>> old, new = np.array([[100.0, 0.1]]), np.array([[200.0, 0.1]])
    >>> ((new - old) * _log_mean_shares(old, new)).round(6).tolist()
    [[10.0, 0.0]]
    """
    usable = ((old > 0) & (new > 0)).all(axis=1)
    is_empty = (old.prod(axis=1) == 0) & (new.prod(axis=1) == 0)
    shares = np.where(is_empty[:, None], 0, np.full_like(old, np.nan))
    value = _log_mean(old[usable].prod(axis=1), new[usable].prod(axis=1))
    shares[usable] = value[:, None] / _log_mean(old[usable], new[usable])
    return shares


def _log_mean(a: Floats, b: Floats) -> Floats:
    """Logarithmic mean: (a - b) / (ln a - ln b)."""
    apart = a != b
    ratio = np.log1p((a - b) / b, where=apart, out=np.ones_like(a))
    return np.where(apart, (a - b) / ratio, a)


def _factors(counts: Floats, other: Floats) -> Floats:
    """Volume, share, rates and mean value of each segment, carried over without a denominator."""
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


def _outside_product(counts: Floats) -> Floats:
    """Value of segments with wins or value from a stage that nobody reached."""
    part, whole = counts[:, 1:], counts[:, :-1]
    return np.where(((part != 0) & (whole == 0)).any(axis=1), counts[:, -1], 0)


def _mean_of_others(old: Floats, new: Floats) -> Floats:
    """For each factor (columns) the mean, over all orders, of the product of the others."""
    nodes, weights = _gauss_legendre((old.shape[1] + 1) // 2)
    others = np.zeros_like(old)
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        between = old + node * (new - old)
        before = np.cumprod(np.column_stack([np.ones(len(old)), between[:, :-1]]), axis=1)
        after = np.cumprod(np.column_stack([np.ones(len(old)), between[:, :0:-1]]), axis=1)
        others += weight * before * after[:, ::-1]
    return others


def _gauss_legendre(n: int) -> tuple[Floats, Floats]:
    """Nodes and weights in extended precision: those of numpy, refined by Newton's method."""
    nodes = np.polynomial.legendre.leggauss(n)[0].astype(np.longdouble)
    for _ in range(2):
        value, before = nodes, np.ones_like(nodes)
        for degree in range(1, n):
            value, before = (
                ((2 * degree + 1) * nodes * value - degree * before) / (degree + 1),
                value,
            )
        slope = n * (nodes * value - before) / (nodes**2 - 1)
        nodes = nodes - value / slope
    return nodes, 2 / ((1 - nodes**2) * slope**2)


def _centred(old: Floats, new: Floats, others: Floats) -> Floats:
    """Contribution of each factor: its change times the others, with mix centred on the mean yield.

    More of a segment below the mean is then a loss, and growth at the mean yield is volume. Shares
    add up to 1, so that no total changes.
    """
    parts = (new - old) * others
    mean_yield = ((old[:, 1] + new[:, 1]) / 2) @ others[:, 1]
    moved = (new[:, 1] - old[:, 1]) * mean_yield
    parts[:, 0] += moved
    parts[:, 1] -= moved
    return parts


def _checked_columns(before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    for name, table in (("before", before), ("after", after)):
        if not isinstance(table, pd.DataFrame):
            raise ParameterError(
                f"explain_change: `{name}` must be a table (a pandas DataFrame), one row per "
                f"segment, and is a {type(table).__name__}."
            )
    columns, others = ([str(column) for column in table.columns] for table in (before, after))
    if columns != others:
        raise ParameterError(
            "explain_change: both tables need the same columns in the same order: `before` has "
            f"{', '.join(columns) or 'none'}; `after` has {', '.join(others) or 'none'}."
        )
    if len(columns) < 2 or columns[-1] != "value" or len(set(columns)) < len(columns):
        raise ParameterError(
            "explain_change: the columns must be one or more counts of stages, in their order and "
            f"each once, then `value`. They are {', '.join(columns) or 'none'}."
        )
    return columns[:-1]


def _numbers(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Cells as numbers and segments as text; an error names the cells that are none."""
    segments = table.index.map(_label) if len(table.index) else pd.Index([], dtype="str")
    if segments.isna().any():
        raise ParameterError(
            f"explain_change: a segment of `{name}` has no name. Call it something, such as "
            "'unknown': rows without a segment are the totals."
        )
    if not segments.is_unique:
        twice = ", ".join(segments[segments.duplicated()].unique()[:_SHOWN])
        raise ParameterError(
            f"explain_change: `{name}` has a segment twice: {twice}. Add its rows up first."
        )
    columns = [str(column) for column in table.columns]
    numbers = pd.DataFrame(
        {
            column: [_number(cell) for cell in table.iloc[:, place].tolist()]
            for place, column in enumerate(columns)
        },
        index=segments,
        dtype="float64",
    )
    cells = numbers.to_numpy()
    _refuse(name, "no number", numbers, ~np.isfinite(cells))
    is_count = np.array(columns) != "value"
    _refuse(name, "a count below 0", numbers, (cells < 0) & is_count)
    return numbers


def _number(cell: object) -> float:
    """Number of any kind (whole, decimal, fraction, nullable); not a number for all else."""
    try:
        return float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return np.nan


def _label(segment: object) -> object:
    """Segment as text; several parts joined as the bridge joins them."""
    if isinstance(segment, tuple):
        return np.nan if pd.isna(list(segment)).any() else " / ".join(map(str, segment))
    return np.nan if pd.isna(segment) else str(segment)


def _refuse(name: str, what: str, numbers: pd.DataFrame, wrong: NDArray[np.bool_]) -> None:
    if not wrong.any():
        return
    places = [
        f"`{numbers.columns[column]}` of {numbers.index[row]}"
        for row, column in np.argwhere(wrong)[:_SHOWN]
    ]
    more = int(wrong.sum()) - len(places)
    raise ParameterError(
        f"explain_change: {what} in {wrong.sum():,} of {wrong.size:,} cells of `{name}`: "
        f"{', '.join(places)}{f' and {more:,} more' if more else ''}. A change cannot be split "
        "with them; where nothing was counted, write 0."
    )
