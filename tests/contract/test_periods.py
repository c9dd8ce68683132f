"""Which two spans of days are compared."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funnel.contract.errors import PlanError
from funnel.contract.periods import named_comparison, running_comparison

D = dt.date
DAYS = st.dates(D(1990, 1, 1), D(2090, 12, 31))
KINDS = st.sampled_from(["month", "quarter"])
COMPARES = st.sampled_from(["previous", "year_ago"])
FISCAL = st.integers(1, 12)


def spans(comparison):
    period, baseline = comparison.period, comparison.baseline
    return period.start, period.end, baseline.start, baseline.end


@pytest.mark.parametrize(
    ("as_of", "kind", "compare", "expected", "label"),
    [
        # a complete quarter, whatever its and the other's length
        (
            D(2026, 6, 30),
            "quarter",
            "previous",
            "2026-04-01 2026-06-30 2026-01-01 2026-03-31",
            "2026Q2",
        ),
        # to date, against as many days
        (
            D(2026, 5, 15),
            "quarter",
            "previous",
            "2026-04-01 2026-05-15 2026-01-01 2026-02-14",
            "2026Q2",
        ),
        # day 22 of 91 is less than a quarter of it, day 23 is not
        (
            D(2026, 4, 22),
            "quarter",
            "previous",
            "2026-01-01 2026-03-31 2025-10-01 2025-12-31",
            "2026Q1",
        ),
        (
            D(2026, 4, 23),
            "quarter",
            "previous",
            "2026-04-01 2026-04-23 2026-01-01 2026-01-23",
            "2026Q2",
        ),
        (
            D(2026, 2, 28),
            "month",
            "year_ago",
            "2026-02-01 2026-02-28 2025-02-01 2025-02-28",
            "2026-02",
        ),
        # the 31st day has no partner in a shorter month
        (
            D(2026, 3, 30),
            "month",
            "previous",
            "2026-03-01 2026-03-30 2026-02-01 2026-02-28",
            "2026-03",
        ),
    ],
)
def test_periods_and_comparisons_by_hand(as_of, kind, compare, expected, label):
    comparison = running_comparison(as_of, kind, compare)
    assert spans(comparison) == tuple(map(D.fromisoformat, expected.split()))
    assert comparison.period.label == label


@pytest.mark.parametrize(
    ("starts", "name", "start", "end"),
    [
        (1, "2026Q2", D(2026, 4, 1), D(2026, 6, 30)),
        (7, "2026Q1", D(2025, 7, 1), D(2025, 9, 30)),
        (4, "2027Q4", D(2027, 1, 1), D(2027, 3, 31)),
        (12, "2026Q1", D(2025, 12, 1), D(2026, 2, 28)),
    ],
)
def test_fiscal_quarters_are_named_by_the_year_they_end_in(starts, name, start, end):
    comparison = named_comparison(name, D(2027, 12, 31), "quarter", "previous", starts)
    assert spans(comparison)[:2] == (start, end)
    assert comparison.period.label == name


@given(DAYS, KINDS, COMPARES, FISCAL)
def test_the_two_periods_never_overlap_and_end_by_as_of(as_of, kind, compare, starts):
    comparison = running_comparison(as_of, kind, compare, starts)
    period, baseline = comparison.period, comparison.baseline
    assert baseline.start <= baseline.end < period.start <= period.end <= as_of
    assert comparison.is_complete or period.end == as_of
    if not comparison.is_complete:
        assert baseline.n_days <= period.n_days <= baseline.n_days + 3


@given(DAYS, KINDS, COMPARES, FISCAL)
def test_a_label_names_its_own_period(as_of, kind, compare, starts):
    running = running_comparison(as_of, kind, compare, starts)
    assert named_comparison(running.period.label, as_of, kind, compare, starts) == running


@given(DAYS, KINDS, FISCAL)
def test_previous_periods_leave_no_day_between(as_of, kind, starts):
    comparison = running_comparison(as_of, kind, "previous", starts)
    if comparison.is_complete:
        assert comparison.baseline.after == comparison.period.start


@pytest.mark.parametrize("name", ["2026Q3", "2026-07"])
def test_a_period_that_has_not_begun_is_refused(name):
    with pytest.raises(PlanError, match="nothing to analyse yet"):
        named_comparison(name, D(2026, 6, 30), "month" if "-" in name else "quarter", "previous")


def test_there_is_no_thirteenth_month():
    with pytest.raises(PlanError, match="01 to 12"):
        named_comparison("2026-13", D(2026, 6, 30), "month", "previous")
