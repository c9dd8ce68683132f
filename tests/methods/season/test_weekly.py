"""The weekly fit: compared with the same model computed slowly, its properties, its coverage."""

import numpy as np
import pandas as pd
import pytest

from funnel.contract.errors import ParameterError
from funnel.methods.season.day_weights import DayWeights
from funnel.methods.season.exposure import month_spans, week_spans
from funnel.methods.season.grid_regression import fit_grid
from funnel.methods.season.weekly import fit_weeks, harmonics, week_season

WEEKS = pd.date_range("2022-01-03", periods=156, freq="7D")


def wandering(seed, n=156, step=0.01, noise=0.08):
    random = np.random.default_rng(seed)
    return 5 + np.cumsum(random.normal(0, step, n)) + random.normal(0, noise, n)


def slow(y, fixed, shrunk, prior, q, tau):
    """Estimate, covariance and restricted likelihood from the whole covariance matrix."""
    at = np.arange(len(y)) + 1.0
    error = np.eye(len(y)) + q * np.minimum.outer(at, at)
    whole = error + tau * shrunk @ np.diag(prior) @ shrunk.T
    inverse = np.linalg.inv(whole)
    information = fixed.T @ inverse @ fixed
    found = np.linalg.solve(information, fixed.T @ inverse @ y)
    residual = y - fixed @ found
    degrees = len(y) - fixed.shape[1]
    rss = residual @ inverse @ residual
    score = -0.5 * (
        np.linalg.slogdet(whole)[1] + np.linalg.slogdet(information)[1] + degrees * np.log(rss)
    )
    season = tau * np.diag(prior) @ shrunk.T @ inverse @ residual
    return found, season, rss / degrees * np.linalg.inv(information), score


def test_one_cell_of_the_grid_is_generalised_least_squares():
    random = np.random.default_rng(3)
    y = wandering(3, 60)
    fixed = np.column_stack([np.ones(60), random.normal(size=60)])
    shrunk, prior = random.normal(size=(60, 4)), np.array([1.0, 0.5, 0.25, 0.1])
    found, season, covariance, _ = slow(y, fixed, shrunk, prior, 0.1, 2.0)
    fit = fit_grid(y, fixed, range(60), walks=(0.1,), shrunk=shrunk, prior=prior, shrinks=(2.0,))
    assert fit.mean == pytest.approx([*found, *season], abs=1e-9)
    widened = fit.degrees / (fit.degrees - 2)  # of a t distribution
    assert fit.covariance[:2, :2] / widened == pytest.approx(covariance, rel=1e-9)


def test_cells_are_weighted_by_restricted_likelihood():
    random = np.random.default_rng(4)
    y = wandering(4, 50)
    fixed, shrunk = np.ones((50, 1)), random.normal(size=(50, 3))
    prior, walks, shrinks = np.ones(3), (0.0, 0.03, 1.0), (0.1, 10.0)
    cells = [slow(y, fixed, shrunk, prior, q, tau) for q in walks for tau in shrinks]
    weights = np.exp([cell[3] - max(cell[3] for cell in cells) for cell in cells])
    weights /= weights.sum()
    fit = fit_grid(y, fixed, range(50), walks=walks, shrunk=shrunk, prior=prior, shrinks=shrinks)
    assert fit.mean[0] == pytest.approx(weights @ [cell[0][0] for cell in cells], abs=1e-9)
    assert fit.walking == pytest.approx(weights @ np.repeat(walks, 2), abs=1e-9)
    likelihood = np.log(np.mean(np.exp([cell[3] for cell in cells])))
    assert fit.log_likelihood == pytest.approx(likelihood, abs=1e-6)


def test_draws_have_the_moments_of_the_mixture():
    fit = fit_weeks(wandering(5), WEEKS, n_draws=20_000)
    spread = np.sqrt(np.diag(fit.covariance))
    assert fit.draws.mean(axis=0) == pytest.approx(fit.mean, abs=0.05 * spread.max())
    assert fit.draws.std(axis=0) == pytest.approx(spread, rel=0.08)
    assert (fit.of([0, 1]) == fit.draws[:, 1]).all()


def test_noisier_weeks_weigh_less():
    y = np.concatenate([np.zeros(30), np.ones(30)]) + np.random.default_rng(0).normal(0, 0.1, 60)
    noise = np.repeat([1.0, 100.0], 30)
    fit = fit_grid(y, np.ones((60, 1)), range(60), walks=(0.0,), noise=noise)
    assert fit.mean[0] == pytest.approx(np.average(y, weights=1 / noise), abs=1e-9)


def test_a_season_shrinks_less_than_none():
    flat = fit_weeks(wandering(6), WEEKS)
    place = 2 * np.pi * np.arange(156) / 52.18
    seasonal = fit_weeks(wandering(6) + 0.3 * np.sin(place), WEEKS)
    assert seasonal.shrinking > 3 * flat.shrinking
    curve = week_season(WEEKS) @ seasonal.mean[2:]
    assert np.corrcoef(curve, np.sin(place))[0, 1] > 0.97


def test_an_effect_of_two_weeks_is_covered_at_its_level():
    """Season, drift and a wandering level beside it; at most 13 in 100 claimed where none is."""
    two = np.isin(np.arange(156), [103, 104])[:, None]
    place = 2 * np.pi * np.arange(156) / 52.18
    covered = 0
    for seed in range(60):
        y = wandering(seed) + 0.2 * np.cos(place) + 0.1 * np.sin(3 * place) + 0.15 * two[:, 0]
        low, high = np.percentile(fit_weeks(y, WEEKS, two).of([0, 0, 1]), [5, 95])
        covered += low <= 0.15 <= high
    assert covered >= 48  # 60 draws at 0.9: fewer than 48 once in a hundred


def test_gaps_keep_their_length():
    """A level that wanders moves further over a gap, so that a step across it is less certain."""
    y = wandering(7, 100)
    kept = np.r_[0:50, 90:100]
    step = (np.arange(100) >= 50)[kept, None]
    spread = [
        np.sqrt(
            fit_grid(y[kept], np.column_stack([np.ones(60), step]), at, walks=(0.1,)).covariance[
                1, 1
            ]
        )
        for at in (kept, np.arange(60))
    ]
    assert spread[0] > 1.5 * spread[1]


def test_columns_that_cannot_be_separated_are_refused():
    with pytest.raises(ParameterError, match="3 columns cannot be separated in 156"):
        fit_weeks(wandering(8), WEEKS, np.ones((156, 1)))
    with pytest.raises(ParameterError, match="too few"):
        fit_weeks([1.0, 2.0], WEEKS[:2])


def test_weeks_are_whole_and_recorded():
    """A week with a blank day is left out; a week without events has a total of 0."""
    daily = pd.Series(1.0, index=pd.date_range("2024-12-30", periods=7 * 80 + 3))
    daily["2025-01-14"] = np.nan
    daily["2025-02-03":"2025-02-09"] = 0.0
    weeks = week_spans(daily, DayWeights(()))
    missing = pd.Timestamp("2025-01-13")
    assert len(weeks.total) == 79 and missing not in weeks.mondays
    assert weeks.total[weeks.mondays == pd.Timestamp("2025-02-03")].tolist() == [0.0]
    assert sorted(set(weeks.total)) == [0.0, 7.0]
    assert np.exp(weeks.exposure.log) == pytest.approx(5.0)
    assert week_spans(daily.iloc[:300], DayWeights(())) is None


def test_months_are_whole_and_recorded():
    daily = pd.Series(1.0, index=pd.date_range("2024-01-05", "2025-03-31"))
    daily["2024-06-30"] = np.nan
    daily["2024-08"] = 0.0
    months = month_spans(daily, DayWeights(()))
    assert len(months.total) == 13  # neither the first, which is cut, nor June
    assert months.total[:6].tolist() == [29.0, 31.0, 30.0, 31.0, 31.0, 0.0]


def test_harmonics_come_round_every_year():
    both = harmonics(pd.DatetimeIndex(["2023-01-01", "2024-01-01", "2023-12-31", "2024-12-31"]))
    assert both[0] == pytest.approx(both[1], abs=0.12)  # half a day of 365 and of 366
    assert both[2] == pytest.approx(both[3], abs=0.12)
    assert (both**2).sum(axis=1) == pytest.approx(14.0)
