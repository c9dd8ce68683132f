"""Intervals of a higher share are found, dated to the day, and not made of chance."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from funnel.stats.change_points import (
    hazard_by_day,
    intervals_of_higher_share,
    split_scores,
    step_in_hazard,
    step_in_share,
)

DAYS = pd.date_range("2025-01-01", "2026-06-30")


def counts(share, n=20, days=DAYS):
    k = np.random.default_rng(5).binomial(n, share)
    return pd.DataFrame({"day": days, "n": n, "k": k})


def test_an_interval_is_found_and_dated_to_the_day():
    share = np.where((DAYS >= "2025-10-01") & (DAYS <= "2025-10-14"), 0.9, 0.1)
    (found,) = intervals_of_higher_share(counts(share), 0.01)
    assert (str(found.since), str(found.until)) == ("2025-10-01", "2025-10-14")
    assert found.share == pytest.approx(0.9, abs=0.05)
    assert found.share_outside == pytest.approx(0.1, abs=0.02)
    assert found.n == 14 * 20


def test_an_interval_at_either_end_is_marked():
    share = np.where(DAYS < "2025-03-01", 1.0, np.where(DAYS >= "2026-05-01", 0.6, 0.05))
    first, last = intervals_of_higher_share(counts(share), 0.01)
    assert first.from_start and str(first.until) == "2025-02-28"
    assert not last.from_start and str(last.since) == "2026-05-01" and last.until is None


def test_a_slow_change_is_no_interval():
    assert intervals_of_higher_share(counts(np.linspace(0.05, 0.3, len(DAYS))), 0.01) == []


@pytest.mark.parametrize("is_silent", [DAYS.day_of_week > 4, DAYS.month % 3 == 2])
def test_days_without_rows_are_days(is_silent):
    """A table leaves out the days on which nothing happened: they count as days of no rows."""
    share = np.where((DAYS >= "2025-09-13") & (DAYS < "2025-11-09"), 0.4, 0.1)
    every = counts(share, n=np.where(is_silent, 0, 20))
    found = intervals_of_higher_share(every[every["n"] > 0], 0.01)
    assert found == intervals_of_higher_share(every, 0.01)
    assert len(found) == 1


def test_a_share_is_only_compared_within_its_stratum():
    half = len(DAYS) // 2
    one, other = counts(0.05), counts(0.6)
    one["n"] = np.where(np.arange(len(DAYS)) < half, 20, 2)
    other["n"] = np.where(np.arange(len(DAYS)) < half, 2, 20)
    both = []
    for name, each, share in (("a", one, 0.05), ("b", other, 0.6)):
        each["k"] = np.random.default_rng(8).binomial(each["n"], share)
        both.append(each.assign(stratum=name))
    both = pd.concat(both)
    assert intervals_of_higher_share(both, 0.01) == []
    assert len(intervals_of_higher_share(both.drop(columns="stratum"), 0.01)) == 1


def test_a_few_rows_at_both_ends_are_no_interval():
    share = np.full(len(DAYS), 0.04)
    some = counts(share, n=1)
    ends = np.r_[0:11, len(DAYS) - 11 : len(DAYS)]
    some.loc[ends, "k"] = [1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0] * 2
    assert intervals_of_higher_share(some, 0.001) == []


@given(st.integers(0, 10_000))
def test_chance_makes_no_interval(seed):
    k = np.random.default_rng(seed).binomial(8, 0.1, 200)
    days = pd.date_range("2026-01-01", periods=200)
    found = intervals_of_higher_share(pd.DataFrame({"day": days, "n": 8, "k": k}), 1e-4)
    assert found == [] or found[0].p_value <= 1e-4


def test_a_score_by_hand():
    # two of the four rows after the first day have it, and none of the two up to it
    n, k = np.array([[2.0, 4.0]]), np.array([[0.0, 2.0]])
    score, variance = split_scores(n, k)
    assert score[0, 0] == pytest.approx(2 * 2 / 6 - 0)
    # the variance of a hypergeometric count: 2 of 6 drawn, 2 of 6 have it
    assert variance[0, 0] == pytest.approx(2 * 4 * 2 * 4 / (6 * 6 * 5))


def test_a_step_and_an_interval_agree_on_the_day():
    share = np.where(DAYS < "2026-02-10", 0.1, 0.4)
    rows = counts(share)
    step = step_in_share(rows)
    (interval,) = intervals_of_higher_share(rows, 0.01)
    assert step.day == interval.since == dt.date(2026, 2, 10)
    assert step.after == pytest.approx(interval.share, abs=0.01)


def test_a_hazard_that_triples_is_a_step_on_that_day():
    random = np.random.default_rng(6)
    start = pd.DatetimeIndex(random.choice(DAYS[:400], 1500))
    end = start + pd.to_timedelta(random.geometric(0.05, 1500), unit="D")
    late = start.where(start > "2025-09-01", pd.Timestamp("2025-09-01"))
    sooner = late + pd.to_timedelta(random.geometric(0.15, 1500), unit="D")
    end = end.where(end < "2025-09-01", sooner)
    times = pd.DataFrame({"start": start, "end": end, "is_move": True, "stratum": ""})
    moves = hazard_by_day(times, DAYS[0].date(), DAYS[450].date())
    step = step_in_hazard(moves)
    assert abs((step.day - dt.date(2025, 9, 1)).days) <= 5
    ratio, low, high = moves.ratio(step.day)
    assert 1 < low < ratio < high
    assert step.z > 5 and step.p_value < 1e-4


def test_a_step_of_few_rows_is_no_rarer_than_their_binomial():
    days = pd.date_range("2026-01-01", periods=90)
    hits = np.zeros(90, int)
    hits[:6] = [1, 0, 2, 1, 0, 1]  # 5 of the first 12 rows
    hits[[20, 33, 47, 60, 81]] = 1  # 5 of the other 168
    step = step_in_share(pd.DataFrame({"day": days, "n": 2, "k": hits}))
    assert step.day == days[6].date()
    assert step.p_value > binom.sf(4, 12, 5 / 168)  # a normal distribution gives 2e-6
