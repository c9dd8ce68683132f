"""Intervals against published tables and slow loops; the verdict rule by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from funnel.contract.errors import ParameterError
from funnel.stats import (
    benjamini_hochberg,
    bootstrap,
    difference_of_rates,
    holm,
    percentiles,
    poisson_interval,
    ratio_of_counts,
    resampled,
    smallest_detectable,
    smallest_detectable_rate,
    standard_error,
    verdict,
    wilson,
)

# Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3
WILSON = [
    (81, 263, 0.2553, 0.3662),
    (15, 148, 0.0624, 0.1605),
    (0, 20, 0.0000, 0.1611),
    (1, 29, 0.0061, 0.1718),
]
# Newcombe (1998), Statistics in Medicine 17, 873-890, table II, method 10
NEWCOMBE = [
    (56, 70, 48, 80, 0.0524, 0.3339),
    (9, 10, 3, 10, 0.1705, 0.8090),
    (6, 7, 2, 7, 0.0582, 0.8062),
    (5, 56, 0, 29, -0.0381, 0.1926),
    (0, 10, 0, 20, -0.1611, 0.2775),
    (0, 10, 0, 10, -0.2775, 0.2775),
    (10, 10, 0, 20, 0.6791, 1.0000),
    (10, 10, 0, 10, 0.6075, 1.0000),
]
# Benjamini and Hochberg (1995), section 3.2
HEART = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459]
HEART += [0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000]


@pytest.mark.parametrize(("successes", "n", "low", "high"), WILSON)
def test_wilson_as_published(successes, n, low, high):
    assert wilson(successes, n, 0.95) == pytest.approx((low, high), abs=6e-5)


@given(n=st.integers(1, 10**6), share=st.floats(0, 1), level=st.floats(0.5, 0.999))
def test_wilson_as_in_statsmodels(n, share, level):
    k = round(share * n)
    theirs = proportion_confint(k, n, alpha=1 - level, method="wilson")
    assert wilson(k, n, level) == pytest.approx(theirs, abs=1e-12)


def test_wilson_takes_many_at_once_and_knows_nothing_of_nobody():
    low, high = wilson([81, 0], [263, 0], 0.95)
    assert low.tolist() == pytest.approx([0.2553, 0.0], abs=6e-5)
    assert high.tolist() == pytest.approx([0.3662, 1.0], abs=6e-5)


@pytest.mark.parametrize(("x1", "n1", "x0", "n0", "low", "high"), NEWCOMBE)
def test_difference_as_published(x1, n1, x0, n0, low, high):
    assert difference_of_rates(x1, n1, x0, n0, 0.95) == pytest.approx((low, high), abs=6e-5)


@given(st.lists(st.integers(1, 60), min_size=2, max_size=2), st.data())
def test_difference_agrees_with_statsmodels_and_turns_its_sign(sizes, data):
    from statsmodels.stats.proportion import confint_proportions_2indep

    n1, n0 = sizes
    x1, x0 = data.draw(st.integers(0, n1)), data.draw(st.integers(0, n0))
    low, high = difference_of_rates(x1, n1, x0, n0)
    theirs = confint_proportions_2indep(x1, n1, x0, n0, "newcomb", "diff", alpha=0.1)
    assert (low, high) == pytest.approx(theirs, abs=1e-12)
    back = difference_of_rates(x0, n0, x1, n1)
    assert (low, high) == pytest.approx((-back[1], -back[0]), abs=1e-12)


def test_poisson_interval_holds_exactly_what_its_definition_says():
    """Each end is the mean at which the count, or more extreme, has the tail's probability."""
    low, high = poisson_interval(7, 0.9)
    below = sum(math.exp(-high) * high**k / math.factorial(k) for k in range(8))
    above = 1 - sum(math.exp(-low) * low**k / math.factorial(k) for k in range(7))
    assert (below, above) == pytest.approx((0.05, 0.05), abs=1e-9)
    assert poisson_interval(0, 0.95) == pytest.approx((0.0, 3.6889), abs=1e-4)


@pytest.mark.parametrize("ratio", [0.6, 1.0, 1.7])
def test_ratio_of_counts_covers(ratio):
    """All pairs of counts that can happen, each with its probability: no simulation."""
    mean = 20.0
    counts = np.arange(90)
    log_factorial = np.cumsum(np.log(np.maximum(counts, 1)))
    likely = [np.exp(counts * np.log(m) - m - log_factorial) for m in (ratio * mean, mean)]
    first, second = np.meshgrid(counts, counts, indexing="ij")
    low, high = ratio_of_counts(first, second, 0.9)
    covered = (np.outer(*likely) * ((low <= ratio) & (ratio <= high))).sum()
    assert covered == pytest.approx(0.9, abs=0.02)


def test_ratio_of_counts_counts_exposure_and_nothing():
    plain, doubled = ratio_of_counts(30, 20), ratio_of_counts(30, 20, exposure1=2)
    assert np.divide(doubled, plain) == pytest.approx(0.5)
    assert ratio_of_counts(0, 0) == (0.0, np.inf)
    assert ratio_of_counts(5, 0)[1] == np.inf


def test_benjamini_hochberg_as_published():
    assert (benjamini_hochberg(HEART) <= 0.05).tolist() == [True] * 4 + [False] * 11


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_benjamini_hochberg_equals_a_slow_loop(p_values):
    ranked = sorted(p_values)
    slow = [
        min(1, *(len(ranked) * ranked[j] / (j + 1) for j in range(len(ranked)) if ranked[j] >= p))
        for p in p_values
    ]
    assert benjamini_hochberg(p_values).tolist() == pytest.approx(slow)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_equals_a_slow_loop_and_is_never_milder(p_values):
    ranked = sorted(p_values)
    n = len(ranked)
    slow = [min(1, max((n - j) * ranked[j] for j in range(ranked.index(p) + 1))) for p in p_values]
    assert holm(p_values).tolist() == pytest.approx(slow)
    assert (holm(p_values) >= benjamini_hochberg(p_values) - 1e-12).all()


def test_a_test_not_made_does_not_count():
    with_gap = benjamini_hochberg([0.01, math.nan, 0.04])
    assert with_gap[[0, 2]].tolist() == benjamini_hochberg([0.01, 0.04]).tolist()


@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from("ab")), min_size=1, max_size=6),
    st.integers(0, 2**32),
)
def test_each_stratum_keeps_its_rows_in_every_draw(groups, seed):
    counts, strata = (np.array(column) for column in zip(*groups, strict=True))
    weights = resampled(counts, 5, seed, strata=strata)
    for label in set(strata):
        assert (weights[:, strata == label].sum(axis=1) == counts[strata == label].sum()).all()
    assert (weights == resampled(counts, 5, seed, strata=strata)).all()
    assert (weights[:, counts == 0] == 0).all()


def test_bootstrap_of_a_mean_agrees_with_its_standard_error():
    values = np.random.default_rng(3).normal(size=400)
    low, high = bootstrap(
        lambda weights: np.average(values, weights=weights), np.ones(400), draws=2000, seed=1
    )
    assert standard_error(low, high) == pytest.approx(values.std() / 20, rel=0.06)


def test_draws_without_an_answer_are_left_out():
    draws = np.array([[1.0, np.nan], [np.inf, np.nan], [3.0, np.nan]])
    low, high = percentiles(draws, 0.5)
    assert (low[0], high[0]) == (1.5, 2.5)
    assert np.isnan([low[1], high[1]]).all()


def test_smallest_detectable_is_found_as_often_as_it_says():
    change = smallest_detectable(1.0, level=0.9, power=0.8)
    seen = np.random.default_rng(5).normal(change, 1.0, 40_000)
    assert (np.abs(seen) > 1.6449).mean() == pytest.approx(0.8, abs=0.01)
    assert smallest_detectable_rate(0.2, 50, 0) == np.inf


@pytest.mark.parametrize(
    ("low", "high", "narrow", "says"),
    [
        (0.01, 0.5, 1.0, "moved"),
        (-0.5, -0.01, 0.0, "moved"),
        (0.0, 0.5, 0.4, "cannot tell"),
        (0.0, 0.5, 0.5, "did not move"),
        (-0.5, 0.1, 0.4, "cannot tell"),
        (math.nan, 0.1, 9.0, "cannot tell"),
        (-math.inf, math.inf, 9.0, "cannot tell"),
    ],
)
def test_verdict_by_hand(low, high, narrow, says):
    assert verdict(low, high, narrow) == says


@given(st.floats(-9, 9), st.floats(0, 9), st.floats(0, 9))
def test_the_verdict_does_not_depend_on_the_direction(low, width, narrow):
    assert verdict(low, low + width, narrow) == verdict(-low - width, -low, narrow)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: wilson(3, 2),
        lambda: wilson(-1, 2),
        lambda: wilson(math.nan, 2),
        lambda: wilson(1, 2, level=90),
        lambda: ratio_of_counts(1, 1, exposure0=0),
        lambda: resampled([1, 2], 0, 1),
        lambda: resampled([1, 2], 3, 1, strata=["a"]),
        lambda: benjamini_hochberg([1.2]),
        lambda: smallest_detectable(1.0, power=1.0),
        lambda: verdict(2, 1, 1),
        lambda: verdict(0, 1, -1),
    ],
)
def test_senseless_asks_are_refused(wrong):
    with pytest.raises(ParameterError):
        wrong()
