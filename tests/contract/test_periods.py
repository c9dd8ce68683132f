"""Which two spans of days are compared."""

import calendar
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funnel.contract.errors import PlanError
from funnel.contract.periods import (
    FiscalMonths,
    FiscalWeeks,
    named_comparison,
    periods_between,
    running_comparison,
)
from funnel.contract.plan import Plan

D = dt.date
DAYS = st.dates(D(1990, 1, 1), D(2090, 12, 31))
KINDS = st.sampled_from(["month", "quarter"])
COMPARES = st.sampled_from(["previous", "year_ago"])
WEEKDAYS, MONTHS = list(calendar.day_name), list(calendar.month_name)[1:]
YEAR_ENDS = st.one_of(
    st.builds("last {} of {}".format, st.sampled_from(WEEKDAYS), st.sampled_from(MONTHS)),
    st.builds(
        "{} nearest {} {}".format,
        st.sampled_from(WEEKDAYS),
        st.sampled_from(MONTHS),
        st.integers(1, 28),
    ),
)
WEEKS = st.builds(FiscalWeeks, st.sampled_from(["4-4-5", "4-5-4", "5-4-4"]), YEAR_ENDS)
FISCAL = st.one_of(st.builds(FiscalMonths, st.integers(1, 12)), WEEKS)
RETAIL = FiscalWeeks("4-5-4", "Saturday nearest January 31")


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
    comparison = named_comparison(
        name, D(2027, 12, 31), "quarter", "previous", FiscalMonths(starts)
    )
    assert spans(comparison)[:2] == (start, end)
    assert comparison.period.label == name


@given(DAYS, KINDS, COMPARES, FISCAL)
def test_the_two_periods_never_overlap_and_end_by_as_of(as_of, kind, compare, fiscal):
    comparison = running_comparison(as_of, kind, compare, fiscal)
    period, baseline = comparison.period, comparison.baseline
    assert baseline.start <= baseline.end < period.start <= period.end <= as_of
    assert comparison.is_complete or period.end == as_of
    if not comparison.is_complete:
        whole = named_comparison(baseline.label, period.end, kind, compare, fiscal).period
        assert baseline.n_days == min(period.n_days, whole.n_days)
        if isinstance(fiscal, FiscalMonths):
            assert period.n_days <= baseline.n_days + 3


@given(DAYS, KINDS, COMPARES, FISCAL)
def test_a_label_names_its_own_period(as_of, kind, compare, fiscal):
    running = running_comparison(as_of, kind, compare, fiscal)
    assert named_comparison(running.period.label, as_of, kind, compare, fiscal) == running


@given(DAYS, KINDS, FISCAL)
def test_previous_periods_leave_no_day_between(as_of, kind, fiscal):
    comparison = running_comparison(as_of, kind, "previous", fiscal)
    if comparison.is_complete:
        assert comparison.baseline.after == comparison.period.start
        n_days = comparison.baseline.n_days + comparison.period.n_days
        assert comparison.span.n_days == n_days


@pytest.mark.parametrize("name", ["2026Q3", "2026-07"])
def test_a_period_that_has_not_begun_is_refused(name):
    with pytest.raises(PlanError, match="nothing to analyse yet"):
        named_comparison(name, D(2026, 6, 30), "month" if "-" in name else "quarter", "previous")


def test_there_is_no_thirteenth_month():
    with pytest.raises(PlanError, match="01 to 12"):
        named_comparison("2026-13", D(2026, 6, 30), "month", "previous")


# ---- fiscal weeks


@pytest.mark.parametrize(
    ("year", "starts", "ends", "weeks"),
    [  # the 4-5-4 calendars that the National Retail Federation publishes
        (2012, D(2012, 1, 29), D(2013, 2, 2), 53),
        (2017, D(2017, 1, 29), D(2018, 2, 3), 53),
        (2022, D(2022, 1, 30), D(2023, 1, 28), 52),
        (2023, D(2023, 1, 29), D(2024, 2, 3), 53),
        (2024, D(2024, 2, 4), D(2025, 2, 1), 52),
        (2025, D(2025, 2, 2), D(2026, 1, 31), 52),
    ],
)
def test_fiscal_years_of_the_retail_calendar(year, starts, ends, weeks):
    quarters = [RETAIL.named(year, number, "quarter") for number in range(1, 5)]
    assert (quarters[0].start, quarters[3].end) == (starts, ends)
    assert sum(quarter.n_days for quarter in quarters) == 7 * weeks
    assert [RETAIL.named(year, n, "month").n_days // 7 for n in range(1, 13)] == [
        4, 5, 4, 4, 5, 4, 4, 5, 4, 4, 5, 4 + (weeks == 53),
    ]  # fmt: skip


def test_months_of_the_retail_calendar():
    months = periods_between(RETAIL, D(2023, 11, 1), D(2024, 3, 15), "month")
    assert [(each.label, each.start, each.end) for each in months] == [
        ("2023-10", D(2023, 10, 29), D(2023, 11, 25)),
        ("2023-11", D(2023, 11, 26), D(2023, 12, 30)),
        ("2023-12", D(2023, 12, 31), D(2024, 2, 3)),
        ("2024-01", D(2024, 2, 4), D(2024, 3, 2)),
        ("2024-02", D(2024, 3, 3), D(2024, 4, 6)),
    ]


@pytest.mark.parametrize(
    ("year_ends", "year", "ends"),
    [
        ("last Saturday of September", 2023, D(2023, 9, 30)),  # Apple's fiscal 2023
        ("last Saturday of September", 2022, D(2022, 9, 24)),
        ("Saturday nearest December 31", 2025, D(2026, 1, 3)),
        ("saturday  nearest to december 31", 2024, D(2024, 12, 28)),
        ("last Sunday of January", 2023, D(2024, 1, 28)),
        ("last Friday of June", 2025, D(2025, 6, 27)),
    ],
)
def test_rules_for_the_end_of_a_year(year_ends, year, ends):
    assert FiscalWeeks("4-4-5", year_ends).named(year, 4, "quarter").end == ends


def test_to_date_and_year_ago_across_a_year_of_53_weeks():
    whole = named_comparison("2023Q4", D(2024, 12, 31), "quarter", "year_ago", RETAIL)
    assert (whole.period.n_days, whole.baseline.n_days) == (98, 91)
    after = named_comparison("2024Q1", D(2024, 3, 2), "quarter", "year_ago", RETAIL)
    assert spans(after) == (D(2024, 2, 4), D(2024, 3, 2), D(2023, 1, 29), D(2023, 2, 25))
    running = running_comparison(D(2024, 2, 20), "quarter", "previous", RETAIL)
    assert running.period.label == "2023Q4" and running.is_complete
    assert running_comparison(D(2024, 2, 20), "month", "previous", RETAIL).period.label == "2024-01"


@given(DAYS, KINDS, WEEKS)
def test_fiscal_weeks_tile_time(day, kind, fiscal):
    period = fiscal.period_of(day, kind)
    assert period.start <= day <= period.end
    weeks = (13, 14) if kind == "quarter" else (4, 5, 6)
    assert period.n_days in [7 * n for n in weeks]
    before = fiscal.period_of(period.start - dt.timedelta(days=1), kind)
    assert before.after == period.start
    assert fiscal.period_of(period.after, kind).start == period.after
    year, number = int(period.label[:4]), int(period.label[5:])
    assert fiscal.named(year, number, kind) == period
    if number > 1:
        assert fiscal.named(year, number - 1, kind) == before
    quarter = fiscal.period_of(day, "quarter")
    months = periods_between(fiscal, quarter.start, quarter.end, "month")
    assert len(months) == 3 and months[-1].end == quarter.end


@given(st.integers(1990, 2090), WEEKS)
def test_fiscal_years_have_52_or_53_weeks(year, fiscal):
    first, last = (fiscal.named(year, number, "quarter") for number in (1, 4))
    assert (last.after - first.start).days in (364, 371)
    assert fiscal.named(year + 1, 1, "quarter").start == last.after


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ({"weeks": "4-4-4", "year_ends": "last Saturday of January"}, "4-4-5 or 4-5-4 or 5-4-4"),
        ({"weeks": "4-4-5", "year_ends": "January"}, "last Saturday of January"),
        ({"weeks": "4-4-5", "year_ends": "Saturday nearest February 30"}, "February 30"),
        ({"weeks": "4-4-5", "year_ends": "last Caturday of May"}, "Caturday"),
        ({"weeks": "4-4-5"}, "has no `year_ends`"),
        ({"week": "4-4-5"}, "did you mean `weeks`"),
    ],
)
def test_a_calendar_that_makes_no_sense_is_refused(section, says):
    with pytest.raises(PlanError, match=says):
        Plan.of({"calendar": section})


def test_weeks_and_a_month_cannot_both_start_the_fiscal_year():
    raw = {"calendar": {"weeks": "4-5-4", "year_ends": "Saturday nearest January 31"}}
    plan = Plan.of(raw)
    assert plan.comparison(D(2024, 2, 3)).period.label == "2023Q4"
    assert plan.as_dict()["calendar"] == raw["calendar"]
    assert "calendar" not in Plan().as_dict()
    with pytest.raises(PlanError, match="remove the other"):
        Plan.of(raw | {"company": {"fiscal_year_starts": 2}})
