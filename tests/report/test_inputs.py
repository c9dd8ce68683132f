"""Inputs of the first screen: the period's own figures, and months in which they step."""

import datetime as dt
import math

import numpy as np
import pandas as pd
import pytest

from funnel.contract.periods import Comparison, Period
from funnel.dataset import Tables
from funnel.questions.why.change import period_change
from funnel.questions.why.comparisons import comparisons
from funnel.questions.why.late_rows import late_rows
from funnel.questions.why.measures import Measures
from funnel.report.brief.drivers import place_of
from funnel.report.brief.inputs import monthly_inputs
from funnel.stats.change_points import step_in_series


def company():
    random = np.random.default_rng(3)
    created = pd.date_range("2024-01-01", "2026-06-28", freq="6h", tz="UTC")
    created = created[random.random(len(created)) < np.where(created >= "2026-04-01", 0.4, 0.8)]
    n = len(created)
    leads = pd.DataFrame(
        {"lead_id": [f"L{i}" for i in range(n)], "created_at": created, "grade": "A"}
    )
    handed = pd.DataFrame(
        {"lead_id": leads["lead_id"], "stage": "mql", "entered_at": created + pd.Timedelta("1h")}
    )
    taken = handed[random.random(n) < 0.5].assign(stage="sal")
    taken["entered_at"] += pd.Timedelta("1D")
    late = created >= "2026-04-01"
    hours = np.where(random.random(n) < np.where(late, 0.4, 0.9), 5, 60)
    calls = pd.DataFrame(
        {
            "lead_id": leads["lead_id"],
            "occurred_at": created + pd.Timedelta("1h") + pd.to_timedelta(hours, unit="h"),
            "kind": "call",
        }
    )
    deals = pd.DataFrame(
        {
            "deal_id": leads["lead_id"],
            "lead_id": leads["lead_id"],
            "created_at": created,
            "closed_at": created + pd.Timedelta("2D"),
            "outcome": random.choice(["won", "lost"], n),
            "amount": random.integers(50, 150, n) * 1.0,
        }
    )
    goal = pd.DataFrame(
        {"period_start": ["2026-04-01"], "measure": "bookings", "target": [9_000.0]}
    )
    return Tables.of(
        as_of="2026-06-30", leads=leads, stage_changes=pd.concat([handed, taken]),
        activities=calls, deals=deals, targets=goal,
    )  # fmt: skip


@pytest.fixture(scope="module")
def data():
    return company()


@pytest.fixture(scope="module")
def inputs(data):
    return {
        each.measure: each for each in monthly_inputs(data, comparisons(data), period_change(data))
    }


def test_the_inputs_are_those_of_the_way_from_lead_to_money(inputs):
    assert list(inputs) == [
        "bookings", "leads", "follow-up in time", "accepted by sales", "win rate",
        "average deal size",
    ]  # fmt: skip
    assert inputs["bookings"].goal == 9_000 and inputs["bookings"].goal_a_month == 3_000
    assert inputs["leads"].starts[0] == dt.date(2025, 6, 1)
    assert inputs["leads"].starts[-1] == dt.date(2026, 6, 1)


def test_months_are_measured_as_periods_are(data, inputs):
    may = Period(dt.date(2026, 5, 1), dt.date(2026, 5, 31), "2026-05")
    of_may = Measures(data, Comparison(may, may, is_complete=True))
    for measure in ("bookings", "leads", "win rate", "average deal size"):
        assert inputs[measure].months[-2] == pytest.approx(of_may.figure(measure).value)


def test_an_input_that_steps_is_marked_at_its_month_and_no_other(inputs):
    april = inputs["leads"].starts.index(dt.date(2026, 4, 1))
    assert inputs["leads"].step == inputs["follow-up in time"].step == april
    before, after = inputs["follow-up in time"].before_and_after
    assert before == pytest.approx(0.9, abs=0.1) and after == pytest.approx(0.4, abs=0.1)
    assert inputs["win rate"].step is None and inputs["accepted by sales"].step is None


def test_a_step_is_seen_in_one_series_of_a_hundred_without_one():
    random = np.random.default_rng(17)
    found = [step_in_series(random.standard_normal(13), 0.01, seed=1) for _ in range(600)]
    assert sum(each is not None for each in found) <= 13  # 6 expected
    trend = np.arange(13.0) + 0.1 * random.standard_normal(13)
    assert step_in_series(trend, 0.01, seed=1) is None
    assert step_in_series(np.full(13, 4.0), 0.01, seed=1) is None


def test_drivers_are_placed_by_the_hand_off_and_not_by_team(data):
    places = {
        "calendar": "calendar", "lead volume": "before_handoff", "lead to mql": "before_handoff",
        "mql to sal": "after_handoff", "opportunity to won": "after_handoff",
        "deal size": "after_handoff", "timing": "both", "lead to opportunity": "both",
    }  # fmt: skip
    assert {driver: place_of(driver, data) for driver in places} == places


def test_a_month_is_measured_as_any_other_window_is(data, inputs):
    compared = 0
    for each in inputs.values():
        for start, value in zip(each.starts, each.months, strict=True):
            month = data.plan.fiscal.period_of(start, "month")
            found = Measures(data, Comparison(month, month, is_complete=True)).figure(each.measure)
            if found is not None and math.isfinite(value):
                assert found.value == pytest.approx(value, rel=1e-12)
                compared += 1
    assert compared > 2 * len(next(iter(inputs.values())).months)


def test_touches_alone_are_counted_and_are_not_late():
    days = pd.date_range("2025-01-01", "2026-06-30")
    # of accounts that are known later, so that the last days have few
    n = np.minimum(len(days) - np.arange(len(days)), 30)
    touches = pd.DataFrame({"occurred_at": days.repeat(n), "channel": "web"})
    data = Tables.of(touches=touches.assign(account_id=[f"A{i}" for i in touches.index]))
    assert [*late_rows(data)] == []
    compared = comparisons(data)
    (only,) = monthly_inputs(data, compared, period_change(data))
    assert (only.measure, only.value) == (
        "touches",
        float((touches["occurred_at"] >= "2026-04-01").sum()),
    )
