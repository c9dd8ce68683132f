"""The newest day of ordinary activity: mistyped dates change nothing, slow endings count."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funnel.dataset.as_of import newest_ordinary_day

FIRST = dt.date(2025, 1, 1)


def days(*offsets, n=1):
    return {FIRST + dt.timedelta(days=int(offset)): n for offset in offsets}


def last(rows):
    return (newest_ordinary_day(rows) - FIRST).days


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
