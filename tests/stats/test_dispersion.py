"""Dispersion of weekly counts: season, growth, holidays and one changed level do not count."""

import numpy as np
import pytest

from funnel.stats.dispersion import segment_dispersion, weekly_dispersion


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
