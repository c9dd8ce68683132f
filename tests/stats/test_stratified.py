"""Stratified comparisons against statsmodels, and a slow loop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import StratifiedTable

from funnel.stats.stratified import association_p, ratio_of_rates

CELLS = st.lists(
    st.tuples(*(st.integers(0, 30) for _ in range(4))).filter(
        lambda cell: cell[0] + cell[1] > 0 and cell[2] + cell[3] > 0
    ),
    min_size=1,
    max_size=5,
)


def rows_of(cells):
    """Rows of two-by-two tables: whether of the first group, whether with the outcome, stratum."""
    kinds = [(True, True), (True, False), (False, True), (False, False)]
    rows = [
        (*kind, stratum)
        for stratum, cell in enumerate(cells)
        for kind, many in zip(kinds, cell, strict=True)
        for _ in range(many)
    ]
    is_first, outcome, stratum = np.array(rows).T
    return is_first.astype(bool), outcome.astype(bool), stratum.astype(int)


def tables_of(cells):
    return StratifiedTable([np.array(cell, float).reshape(2, 2) for cell in cells])


@given(CELLS)
@settings(max_examples=60)
def test_the_ratio_of_rates_agrees_with_statsmodels(cells):
    ratio, low, high, n_strata = ratio_of_rates(*rows_of(cells))
    first, other = (sum(cell[place] for cell in cells) for place in (0, 2))
    assert n_strata == len(cells)
    if first and other:
        assert ratio == pytest.approx(tables_of(cells).riskratio_pooled)
        assert low <= ratio <= high
    else:
        assert np.isnan(ratio)


def test_the_interval_of_the_ratio_is_greenland_and_robins():
    cells = [(20, 80, 10, 90), (9, 21, 12, 48)]
    ratio, low, high, _ = ratio_of_rates(*rows_of(cells), 0.9)
    above = below = spread = 0.0
    for a, b, c, d in cells:
        n1, n0, n = a + b, c + d, a + b + c + d
        above, below = above + a * n0 / n, below + c * n1 / n
        spread += (n1 * n0 * (a + c) - a * c * n) / n**2
    reach = np.exp(1.6448536 * np.sqrt(spread / (above * below)))
    assert (ratio, low, high) == pytest.approx((above / below, ratio / reach, ratio * reach))


@given(CELLS)
@settings(max_examples=60)
def test_the_test_of_association_is_cochran_mantel_and_haenszel(cells):
    is_first, outcome, stratum = rows_of(cells)
    p_value = association_p(is_first.astype(int), outcome, stratum)
    if outcome.all() or not outcome.any():
        assert p_value == 1.0
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            wanted = tables_of(cells).test_null_odds(correction=False).pvalue
        assert p_value == pytest.approx(1.0 if np.isnan(wanted) else wanted, abs=1e-9)


def test_two_groups_of_many_rows_have_one_degree_of_freedom():
    rng = np.random.default_rng(1)
    for _ in range(40):
        group, won, stratum = (
            rng.random(9000) < 0.1,
            rng.random(9000) < 0.08,
            rng.integers(0, 12, 9000),
        )
        cells = [
            (sum(group[at] & won[at]), sum(group[at] & ~won[at]),
             sum(~group[at] & won[at]), sum(~group[at] & ~won[at]))
            for at in (stratum == each for each in range(12))
        ]  # fmt: skip
        wanted = tables_of(cells).test_null_odds(correction=False).pvalue
        assert association_p(group.astype(int), won, stratum) == pytest.approx(wanted, abs=1e-9)
