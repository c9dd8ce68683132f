"""Dispersion of weekly counts: season, growth, holidays and one changed level do not count."""

import numpy as np
import pytest
from statsmodels.genmod.families import Poisson
from statsmodels.genmod.generalized_linear_model import GLM

from funnel.stats.dispersion import (
    count_dispersion,
    pearson,
    robust_dispersion,
    segment_dispersion,
    weekly_dispersion,
)


def test_growth_and_season_do_not_count_as_dispersion():
    growing = np.linspace(100, 400, 52)[::-1]
    assert weekly_dispersion(growing) < 0.01
    assert segment_dispersion(growing[:, None] * np.array([[0.3, 0.7]])) < 0.01
    christmas = np.tile(np.r_[20.0, np.full(51, 100.0)], 3)
    assert weekly_dispersion(christmas) < 0.01
    assert weekly_dispersion(christmas[:52]) > 1  # one year cannot tell season from chance


def test_holidays_and_a_level_that_changed_do_not_count_as_dispersion():
    counts = np.full(156, 1000.0)
    is_ordinary = np.ones(156, bool)
    counts[[3, 60, 110]], is_ordinary[[3, 60, 110]] = 600.0, False
    assert weekly_dispersion(counts) > 2
    assert weekly_dispersion(counts, is_ordinary) == pytest.approx(0.0)
    noisy = np.random.default_rng(5).poisson(1000.0, 156).astype(float)
    noisy[:6] *= 1.8  # six weeks ago
    assert weekly_dispersion(noisy) < 1.5


def test_a_segment_s_own_season_does_not_count_as_dispersion():
    random = np.random.default_rng(6)
    season = 1 + 0.8 * np.sin(np.arange(156) / 26 * np.pi)
    shares = np.stack([season, np.full(156, 1.0), np.full(156, 2.0)], axis=1)
    calm = random.poisson(60 * shares).astype(float)
    assert segment_dispersion(calm) == pytest.approx(1.0, abs=0.35)
    assert segment_dispersion(calm[:52]) > 1.3  # one year cannot tell season from chance
    wild = random.negative_binomial(30 * shares, 1 / 3).astype(float)
    assert segment_dispersion(wild) > 2


def test_segments_of_few_leads_do_not_count_as_dispersion():
    random = np.random.default_rng(7)
    found = [segment_dispersion(random.poisson(0.7, (156, 40)) * 1.0) for _ in range(10)]
    assert np.mean(found) == pytest.approx(1.0, abs=0.1)
    mixed = np.r_[np.full(40, 0.7), [30.0, 60.0]]
    found = [segment_dispersion(random.poisson(mixed, (156, 42)) * 1.0) for _ in range(10)]
    assert np.mean(found) == pytest.approx(1.0, abs=0.15)


def test_dispersion_is_that_of_the_weeks():
    random = np.random.default_rng(2)
    calm = [weekly_dispersion(random.poisson(100.0, 150).astype(float)) for _ in range(20)]
    wild = [
        weekly_dispersion(random.negative_binomial(50, 1 / 3, 150).astype(float)) for _ in range(20)
    ]
    assert np.mean(calm) == pytest.approx(1.0, abs=0.1)
    assert np.mean(wild) == pytest.approx(3.0, abs=0.4)


def test_pearson_is_the_scale_of_statsmodels_generalized_linear_models():
    counts = np.random.default_rng(5).negative_binomial(5, 0.1, 40).astype(float)
    line = np.column_stack([np.ones(40), np.arange(40)])
    fit = GLM(counts, line, family=Poisson()).fit(scale="X2")
    found, freedom = pearson(counts - fit.mu, fit.mu, n_fitted=2)
    assert (found, freedom) == pytest.approx((fit.scale, 38))


def test_cells_without_variance_do_not_count():
    assert pearson(np.array([3.0, 1.0]), np.array([0.0, 1.0]), 0) == (1.0, 1)
    assert pearson(np.array([3.0]), np.array([1.0]), 1) == (1.0, 0)


def test_dispersion_of_a_few_counts_is_variance_over_mean():
    counts = [10.0, 30.0, 20.0, 60.0]
    assert count_dispersion(counts) == pytest.approx(np.var(counts, ddof=1) / np.mean(counts))
    assert count_dispersion([20.0, 20.0, 21.0]) == 1.0
    assert count_dispersion([1.0, 90.0]) == count_dispersion([0.0, 0.0, 0.0]) == 1.0


def test_a_level_that_changes_once_does_not_widen_the_robust_dispersion():
    random = np.random.default_rng(3)
    residual = 2 * random.normal(size=4000)
    assert robust_dispersion(residual, np.ones(4000)) == pytest.approx(4, rel=0.1)
    residual[2000:] += 50
    assert robust_dispersion(residual, np.ones(4000)) == pytest.approx(4, rel=0.1)


def test_weeks_of_all_or_nothing_vary_as_they_do():
    """Weeks empty in both years have nothing to compare, so the estimate is a third too high."""
    rng = np.random.default_rng(3)
    weeks = 40.0 * (rng.random((60, 156)) < 0.5)  # variance 400, mean 20
    found = [weekly_dispersion(each) for each in weeks]
    assert np.mean(found) == pytest.approx(20 * 4 / 3, rel=0.15)
