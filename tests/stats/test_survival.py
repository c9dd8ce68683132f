"""Cumulative incidence: by hand, against statsmodels, and against the estimator of many stages."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from statsmodels.duration.survfunc import CumIncidenceRight, SurvfuncRight

from funnel.contract.errors import ParameterError
from funnel.stats.multistate import States
from funnel.stats.survival import incidence

ROWS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2)), min_size=1, max_size=30)


def test_a_row_counts_as_far_as_it_was_followed():
    # of four, one is done at day 1, one is last seen on day 2, one is done at day 3
    found = incidence([1, 2, 3, 9], [1, 0, 1, 0]).by(5, 0.9)
    assert found.share == pytest.approx(1 - 3 / 4 * 1 / 2)
    assert found.n_known == 3
    assert 0 < found.low < found.share < found.high < 1


@given(took=st.lists(st.one_of(st.none(), st.integers(0, 10)), min_size=1, max_size=30),
       at=st.integers(0, 12))  # fmt: skip
@settings(max_examples=50)
def test_with_every_row_followed_the_share_is_the_plain_share(took, at):
    days = np.array([20.0 if t is None else t for t in took])
    found = incidence(days, [t is not None for t in took]).by(at, 0.9)
    assert found.share == pytest.approx(np.mean([t is not None and t <= at for t in took]))
    assert found.n_known == len(days)
    assert 0 <= found.low <= found.share <= found.high <= 1


def test_nothing_is_known_where_no_row_was_followed_so_long():
    assert np.isnan(incidence([2.0], [0]).by(5, 0.9).share)
    assert incidence([], []).by(5, 0.9).n_known == 0
    assert np.isnan(incidence([2.0], [0]).time_of(0.5))


def test_the_time_of_a_share_is_the_first_by_which_it_has_come():
    found = incidence([1, 2, 3, 9], [1, 1, 1, 0])
    assert found.time_of(0.5) == 2.0
    assert np.isnan(found.time_of(0.9))
    assert found.time_of(0.5, whole=0.25) == 1.0


@given(ROWS, st.integers(0, 12))
@settings(max_examples=60)
def test_one_outcome_equals_statsmodels_kaplan_meier(rows, at):
    days, outcome = np.array(rows, float).T
    happened = (outcome > 0).astype(int)
    assume(happened.any())
    found = incidence(days, happened)
    with np.errstate(divide="ignore", invalid="ignore"):
        fit = SurvfuncRight(days, happened)
    assert found.event_free == pytest.approx(fit.surv_prob, abs=1e-12)
    place = int(np.searchsorted(fit.surv_times, at, side="right")) - 1
    if place >= 0 and fit.surv_prob[place] > 1e-9:
        assert found.variance(at) == pytest.approx(fit.surv_prob_se[place] ** 2, abs=1e-12)


@given(ROWS)
@settings(max_examples=60)
def test_competing_outcomes_equal_statsmodels(rows):
    days, outcome = np.array(rows).T
    assume({1, 2} <= set(outcome))
    found = incidence(days.astype(float), outcome, n_outcomes=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        fit = CumIncidenceRight(days.astype(float), outcome)
    for at in range(13):
        place = int(np.searchsorted(fit.times, at, side="right")) - 1
        for k in (1, 2):
            wanted = fit.cinc[k - 1][place] if place >= 0 else 0.0
            assert float(found.share(at, k)) == pytest.approx(wanted, abs=1e-12)


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 8), st.integers(0, 2)), min_size=3, max_size=25
    ),
    st.integers(0, 12),
)
@settings(max_examples=60)
def test_late_entry_and_competing_outcomes_equal_the_estimator_of_many_stages(rows, at):
    entry, more, outcome = np.array(rows).T
    days = entry + more
    found = incidence(days, outcome, entry, n_outcomes=2)
    times = np.unique(days[(outcome > 0) & (days <= at)])
    at_risk = ((entry <= times[:, None]) & (days >= times[:, None])).sum(axis=1)
    moves = [
        (step, 0, k, n, 0.0, 0.0)
        for step, day in enumerate(times)
        for k in (1, 2)
        if (n := ((days == day) & (outcome == k)).sum())
    ]
    moves = pd.DataFrame(moves, columns=["step", "origin", "target", "n", "v", "vv"])
    moves = moves.astype(dict.fromkeys(moves, int) | {"v": float, "vv": float})
    states = States.after(np.column_stack([at_risk, np.zeros_like(at_risk)]), moves)
    assert float(found.share(at)) == pytest.approx(states.share[1], abs=1e-12)
    if states.standing[0] > 1e-9:
        assert found.variance(at) == pytest.approx(states.covariance[1, 1], abs=1e-12)


@given(ROWS, st.integers(1, 14))
@settings(max_examples=60)
def test_with_every_row_followed_the_restricted_mean_is_the_plain_mean(rows, upto):
    days = np.array(rows, float)[:, 0]
    mean, error = incidence(days, np.ones(len(days))).restricted_mean(upto)
    assert mean == pytest.approx(np.minimum(days, upto).mean())
    assert error == pytest.approx(np.minimum(days, upto).std() / np.sqrt(len(days)), abs=1e-9)


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 8), st.integers(0, 1)), min_size=3, max_size=25
    ),
    st.integers(1, 12),
)
@settings(max_examples=60)
def test_the_restricted_mean_equals_a_slow_loop_over_statsmodels_curve(rows, upto):
    entry, more, outcome = np.array(rows).T
    days = entry + more
    assume(outcome.any())
    with np.errstate(divide="ignore", invalid="ignore"):
        fit = SurvfuncRight(
            days + 0.5, outcome, entry=entry
        )  # those who enter on a day are at risk
    place = np.searchsorted(fit.surv_times - 0.5, np.arange(upto), side="right") - 1
    curve = np.where(place >= 0, fit.surv_prob[place], 1.0)
    assume(curve.min() > 1e-9)
    part = np.where(place >= 0, fit.surv_prob_se[place] / fit.surv_prob[place], 0.0) ** 2
    variance = sum(curve[i] * curve[j] * part[min(i, j)] for i in range(upto) for j in range(upto))
    mean, error = incidence(days, outcome, entry).restricted_mean(upto)
    assert mean == pytest.approx(curve.sum())
    assert error**2 == pytest.approx(variance, abs=1e-9)


@pytest.mark.parametrize("days", [[-1.0], [np.nan], [np.inf]])
def test_a_time_that_is_no_time_is_refused(days):
    with pytest.raises(ParameterError):
        incidence(days, [1])
