"""The newest day of ordinary activity: mistyped dates change nothing, slow endings count."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funnel.dataset.as_of import newest_ordinary_day

FIRST = dt.date(2025, 1, 1)


def days(*offsets, n=1):
    return {FIRST + dt.timedelta(days=int(offset)): n for offset in offsets}


def last(*tables):
    return (newest_ordinary_day(*tables) - FIRST).days


def test_no_day_and_few_days():
    assert newest_ordinary_day({}) is None
    assert newest_ordinary_day({FIRST: 0}) is None
    assert last(days(0)) == 0
    assert last(days(0, 60)) == 60


@pytest.mark.parametrize(
    ("strays", "steps"),
    [
        ([30_000], (1, 2, 3)),
        ([30_000, 30_001, 30_002], (1, 2, 3)),
        ([400, 9_000, 30_000], (1, 2, 3)),
        ([230], (1, 2, 3)),
        ([230, 231, 232, 233, 234], (1, 2)),
    ],
)
def test_a_few_rows_far_in_the_future_change_nothing(strays, steps):
    for step in steps:
        body = days(*range(0, 200, step))
        assert last(body | days(*strays)) == last(body)


def test_placeholder_dates_in_the_past_change_nothing():
    assert last(days(-40_000, 0, 5)) == 5
    assert last(days(-40_000, -39_999, *range(20))) == 19


def test_weekends_and_two_weeks_without_work_are_ordinary():
    office = [day for day in range(300) if (FIRST + dt.timedelta(days=day)).weekday() < 5]
    assert last(days(*office)) == max(office)
    closed = [day for day in office if not 200 <= day < 214]
    assert last(days(*closed)) == max(closed)
    back_for_a_week = [day for day in closed if day < 224]
    assert last(days(*back_for_a_week)) == max(back_for_a_week)


def test_a_sales_process_that_slowly_ends_counts_to_its_last_day():
    ending = [200, 202, 205, 209, 214, 220, 227, 235, 244, 254, 266, 280]
    assert last(days(*range(200), n=8) | days(*ending)) == 280


def test_a_company_that_rarely_closes_a_deal():
    assert last(days(*range(0, 900, 20))) == 880
    assert last(days(*range(0, 900, 20), 30_000)) == 880


@settings(max_examples=60, deadline=None)
@given(
    offsets=st.sets(st.integers(0, 700), min_size=1, max_size=200),
    beyond=st.integers(460, 30_000),
    n=st.integers(1, 500),
)
def test_one_row_far_in_the_future_never_changes_it(offsets, beyond, n):
    body = days(*offsets)
    assert last(body | days(max(offsets) + beyond, n=n)) == last(body)


# ---- a collapse is activity


def weekdays(until, first=0):
    return [d for d in range(first, until) if (FIRST + dt.timedelta(days=d)).weekday() < 5]


def thin(rate, first, until, seed):
    """Weekdays on which something happens at a rate per day, and the last of them."""
    rng = np.random.default_rng(seed)
    return [day for day in weekdays(until, first) if rng.random() < 1 - np.exp(-rate)]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("months", [1, 3, 12])
def test_a_fall_to_a_twentieth_is_followed_to_its_last_day(seed, months):
    tail = thin(46 / 65, 400, 400 + 30 * months, seed)
    assert last(days(*weekdays(400), n=14) | days(*tail)) == max(tail)


@pytest.mark.parametrize("step", [7, 14, 30, 31])
@pytest.mark.parametrize("n", [5, 8, 12])
def test_a_thin_but_regular_tail_is_activity(step, n):
    tail = [400 + step * i for i in range(1, n + 1)]
    body, end = days(*weekdays(400), n=14) | days(*tail), max(tail)
    assert last(body) == last(body | days(30_000)) == end
    assert last(body, days(*weekdays(end))) == end


def test_a_gradual_collapse_is_followed_to_its_last_day():
    rng = np.random.default_rng(5)
    falling = [d for d in range(300, 700) if rng.random() < 0.99 ** (d - 300)]
    assert last(days(*range(300), n=10) | days(*falling)) == max(falling)


def test_a_table_that_ended_does_not_end_the_others():
    leads, deals = days(*weekdays(300), n=20), days(*weekdays(600), n=2)
    assert last(leads, deals) == max(weekdays(600))
    rare = days(*range(0, 700, 110))
    assert last(days(*weekdays(300), n=20), rare) == 660
    assert last(days(*weekdays(300)), days(*weekdays(295))) == max(weekdays(300))


def test_a_company_that_closes_in_august_is_back_on_the_first_day():
    august = range(212, 243)
    first_year = [day for day in weekdays(365) if day not in august]
    second = [day for day in weekdays(365 + 245, 365) if day - 365 not in august]
    assert last(days(*first_year, *second)) == max(second) > 365 + 243
    away = [day for day in second if day < 365 + 212]
    assert last(days(*first_year, *away)) == max(away)


@pytest.mark.parametrize("strays", [[13_500], [27_000], [13_500, 27_000], [900, 901, 13_500]])
def test_mistyped_years_change_nothing_in_any_table(strays):
    leads, rare = days(*weekdays(500), n=9), days(*range(0, 500, 110))
    for tables in ([leads | days(*strays), rare], [leads, rare | days(*strays)]):
        assert last(*tables) == last(leads, rare) == max(weekdays(500))


def test_a_mistyped_month_changes_nothing():
    body = days(*weekdays(500), n=9)
    months_ahead = days(520, 551, 585, 612, 700)
    assert last(body | days(545)) == last(body | days(*range(520, 520 + 2))) == last(body)
    assert last(body | months_ahead, days(*weekdays(498), n=5)) == last(body)
    assert last(body, days(*range(0, 490, 60), 540)) == last(body)


def test_rows_expected_in_a_table_are_no_activity_while_all_others_end():
    leads, changes = days(*weekdays(500), n=9), days(*weekdays(499), n=30)
    deals = days(*weekdays(500))
    expected = days(*range(525, 1100, 30))
    assert last(leads, changes, deals | expected) == last(leads)


@settings(max_examples=40, deadline=None)
@given(
    offsets=st.sets(st.integers(0, 400), min_size=30, max_size=200),
    others=st.sets(st.integers(0, 400), min_size=1, max_size=30),
    beyond=st.integers(460, 30_000),
)
def test_one_row_far_in_the_future_of_either_table_never_changes_it(offsets, others, beyond):
    body, other = days(*offsets), days(*others)
    stray = days(max(offsets | others) + beyond)
    assert last(body | stray, other) == last(body, other | stray) == last(body, other)
