"""A period against its goal, the period before and a year ago."""

import datetime as dt
import math
from fractions import Fraction

import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from funnel.contract.plan import Plan
from funnel.dataset import Tables
from funnel.questions.why.change import period_change
from funnel.questions.why.comparisons import comparisons
from funnel.questions.why.text import outcome
from funnel.stats import CANNOT_TELL


def deals_of(*won, **columns):
    """Won deals of days and amounts."""
    days, amounts = zip(*won, strict=True)
    return pd.DataFrame(
        {"deal_id": [f"D-{i}" for i in range(len(won))], "created_at": "2024-01-02",
         "closed_at": days, "outcome": "won", "amount": amounts, **columns}
    )  # fmt: skip


def goals_of(*rows):
    columns = ("period_start", "period_end", "measure", "target", "team", "owner")
    return pd.DataFrame([dict(zip(columns, row, strict=True)) for row in rows])


YEAR = deals_of(("2025-05-10", 80.0), ("2026-02-10", 150.0), ("2026-05-10", 100.0))
QUARTER = ("2026-04-01", None)


def of(deals, as_of="2026-06-30", plan=None, **tables):
    return comparisons(Tables.of(deals=deals, as_of=as_of, plan=plan, **tables))


def test_goal_quarter_before_and_year_ago():
    found = of(YEAR, targets=goals_of((*QUARTER, "bookings", 90.0, None, None)))
    assert [found.row(each)["other"] for each in ("target", "previous", "year_ago")] == [
        90,
        150,
        80,
    ]
    assert [found.row(each)["change"] for each in ("target", "previous", "year_ago")] == [
        10,
        -50,
        20,
    ]
    assert outcome(found) == "Goal met: more than a year ago, less than the quarter before"
    assert found.headline == (
        "Bookings in Apr-Jun 2026: €100, 111% of the goal of €90, 25% more than a year ago, "
        "33% less than the quarter before."
    )


@pytest.mark.parametrize("compare", ["previous", "year_ago"])
def test_the_comparison_of_the_plan_is_the_same_figure_as_the_change(compare):
    plan = {"compare": compare}
    table = period_change(Tables.of(deals=YEAR, as_of="2026-06-30", plan=plan)).table.iloc[0]
    row = of(YEAR, plan=plan).row(compare)
    assert (row["value"], row["change"], row["low"], row["high"], row["verdict"]) == tuple(
        table[["value", "change", "low", "high", "verdict"]]
    )


def test_both_in_one_direction_are_said_at_once():
    deals = deals_of(("2025-05-10", 180.0), ("2026-02-10", 150.0), ("2026-05-10", 100.0))
    found = of(deals, targets=goals_of((*QUARTER, "bookings", 110.0, None, None)))
    assert outcome(found) == "Goal missed: less than a year ago and the quarter before"


def test_team_goals_are_not_added_to_the_goal_of_the_company():
    found = of(YEAR, targets=goals_of(
        (*QUARTER, "bookings", 200.0, None, None), (*QUARTER, "bookings", 120.0, "sales", None),
        (*QUARTER, "bookings", 100.0, "marketing", None),
    ))  # fmt: skip
    assert found.row("target")["other"] == 200
    assert found.team_goals == {"bookings": 220.0}
    assert "the team goals add up to 10% more" in found.caveats[0]


def test_a_quota_is_no_goal_and_teams_alone_add_up():
    quota = (*QUARTER, "bookings", 50.0, None, "rep-1")
    assert of(YEAR, targets=goals_of(quota)).row("target") is None
    team = (*QUARTER, "bookings", 70.0, "north", None), (*QUARTER, "bookings", 40.0, "south", None)
    assert of(YEAR, targets=goals_of(quota, *team)).row("target")["other"] == 110


def test_goals_of_months_count_where_they_cover_the_quarter():
    months = [
        ("2026-04-01", "2026-04-30", "revenue", 30.0, None, None),
        ("2026-05-01", "2026-05-31", "revenue", 30.0, None, None),
        ("2026-06-01", "2026-06-30", "revenue", 35.0, None, None),
    ]
    assert of(YEAR, targets=goals_of(*months)).row("target")["other"] == 95
    assert of(YEAR, targets=goals_of(*months[:2])).row("target") is None
    assert of(YEAR, targets=goals_of(*months, (*months[0][:3], 9.0, "x", None))).team_goals == {}


def test_a_goal_of_a_fiscal_month_of_six_weeks_covers_it():
    weeks = {"weeks": "4-4-5", "year_ends": "Saturday nearest January 31"}
    deals = deals_of(("2023-12-27", 80.0), ("2024-01-10", 100.0), ("2024-02-03", 50.0))
    goal = goals_of(("2023-12-24", None, "bookings", 120.0, None, None))
    plan = {"calendar": weeks, "period": "month"}
    found = of(deals, as_of="2024-02-03", plan=plan, targets=goal)
    assert (found.row("target")["other"], found.row("target")["value"]) == (120, 230)
    assert found.comparison.period.n_days == 42


def test_a_running_quarter_is_seen_at_the_pace_of_earlier_ones():
    quarters = [("2025-04", 30.0, "2025-06", 70.0), ("2025-07", 40.0, "2025-09", 60.0),
                ("2025-10", 50.0, "2025-12", 50.0), ("2026-01", 40.0, "2026-03", 60.0)]  # fmt: skip
    won = [(f"{month}-20", value) for first, a, last, b in quarters
           for month, value in ((first, a), (last, b))]  # fmt: skip
    found = of(deals_of(*won, ("2026-04-20", 60.0)), as_of="2026-05-31",
               targets=goals_of((*QUARTER, "bookings", 140.0, None, None)))  # fmt: skip
    run_rate = found.run_rate
    assert (run_rate.day, run_rate.n_days, run_rate.n_periods) == (61, 91, 4)
    assert (run_rate.share, run_rate.share_low, run_rate.share_high) == pytest.approx(
        (0.4, 0.3, 0.5)
    )
    assert (run_rate.expected, run_rate.low, run_rate.high) == pytest.approx((150, 120, 200))
    assert run_rate.verdict == "cannot tell"
    assert found.row("target")["verdict"] == ""
    assert outcome(found).startswith("So far: ")
    assert (
        "40% of a quarter is usually there (30% to 50% in 4 earlier quarters)" in found.caveats[0]
    )
    assert "The goal lies within that range." in found.caveats[0]


def test_two_earlier_quarters_are_too_few_for_a_pace():
    deals = deals_of(("2025-11-20", 9.0), ("2026-02-10", 9.0), ("2026-04-20", 9.0))
    assert of(deals, as_of="2026-05-31").run_rate is None


def test_without_anything_to_compare_with_nothing_is_claimed():
    found = of(deals_of(("2026-05-10", 100.0)))
    assert found.row("target") is None
    assert outcome(found) == ""
    assert "cannot be compared" in found.headline


@settings(max_examples=10, deadline=None, phases=[Phase.generate])
@given(
    amounts=st.lists(st.floats(1, 1e6), min_size=1, max_size=9),
    goal=st.floats(1, 1e6),
    as_of=st.dates(dt.date(2026, 1, 1), dt.date(2026, 12, 31)),
)
def test_a_goal_and_the_distance_to_it_add_up_to_the_value(amounts, goal, as_of):
    days = [dt.date(2023, 1, 5), *(as_of - dt.timedelta(days=40 * i) for i in range(len(amounts)))]
    deals = deals_of(*zip(days, [1.0, *amounts], strict=True)).assign(created_at="2020-01-02")
    period = Plan().comparison(as_of).period
    target = goals_of((period.start.isoformat(), None, "bookings", goal, None, None))
    found = of(deals, as_of=as_of.isoformat(), targets=target)
    row = found.row("target")
    assert math.isclose(row["change"] + goal, row["value"], rel_tol=1e-9, abs_tol=1e-6)
    is_met = "met" if row["value"] >= goal else "missed"
    assert row["verdict"] == (is_met if found.comparison.is_complete else "")


def test_a_running_quarter_is_no_straight_line(trap):
    data, expected = trap("d01")
    found = comparisons(data)
    rate = found.run_rate
    assert (rate.day, rate.n_days) == (expected["day"], expected["days"])
    assert rate.share == pytest.approx(float(Fraction(expected["usual_share"])))
    shares = [float(Fraction(each)) for each in expected["usual_share_range"]]
    assert [rate.share_low, rate.share_high] == pytest.approx(shares)
    assert rate.expected == pytest.approx(450_000 * 760 / 343)
    assert [rate.low, rate.high] == pytest.approx(expected["expected_range"])
    assert rate.verdict == CANNOT_TELL and found.row("target")["verdict"] == ""
    assert "45% of a quarter is usually there (40% to 50% in 4 earlier quarters)" in str(found)


def test_goals_of_teams_are_not_added_to_the_goal_of_the_company(trap):
    data, expected = trap("d03")
    found = comparisons(data)
    goal = found.row("target")
    assert goal["other"] == expected["goal"]
    assert goal["value"] / goal["other"] == pytest.approx(float(Fraction(expected["attainment"])))
    assert found.team_goals["bookings"] == expected["team_goals_sum"]
    assert "team goals add up to 10% more" in str(found)
