"""The most that a finding explains, counted by hand from the rows that it touches."""

import datetime as dt
import math

import pandas as pd
import pytest

from funnel.checks.breaks import record_break as kinds
from funnel.checks.breaks.record_break import RecordBreak
from funnel.dataset import Tables
from funnel.questions.why import touched_wins
from funnel.questions.why.findings import Finding, findings_table
from funnel.questions.why.text import check_sentence
from funnel.results import Say


@pytest.fixture(scope="module")
def data():
    leads = pd.DataFrame(
        {
            "lead_id": ["L-1", "L-2", "L-3"],
            "created_at": ["2025-11-01", "2026-04-10", "2026-02-02"],
            "channel": ["web", "n/a", "web"],
        }
    )
    deals = pd.DataFrame(
        {
            "deal_id": ["D-1", "D-2", "D-3", "D-4"],
            "lead_id": ["L-1", "L-2", None, "L-3"],
            "created_at": ["2025-12-01", "2026-05-20", "2026-02-01", "2026-02-03"],
            "outcome": "won",
            "closed_at": ["2026-05-01", "2026-05-20", "2026-02-10", "2026-06-29"],
            "amount": [100.0, 70.0, 50.0, None],
        }
    )
    return Tables.of(leads=leads, deals=deals, as_of="2026-06-30")


def test_wins_come_from_their_lead_or_else_their_deal(data):
    wins = touched_wins.wins_of_both(data)
    days = wins.set_index("deal_id")["begins_at"].dt.strftime("%Y-%m-%d")
    assert days.to_dict() == {
        "D-1": "2025-11-01", "D-2": "2026-04-10", "D-3": "2026-02-01", "D-4": "2026-02-02",
    }  # fmt: skip
    assert touched_wins.begun_before(data, dt.date(2025, 11, 1)) == 0
    assert touched_wins.begun_before(data, dt.date(2026, 2, 2)) == 150
    assert touched_wins.larger_value(data) == 170
    assert touched_wins.of_unknown(data, "channel") == 70
    assert touched_wins.without_amount(data) == pytest.approx((100 + 70 + 50) / 3)
    # the baseline has one lead, and the period one: each stands for all that was won
    assert touched_wins.of_rows(data, "leads", 3) == 3 * 170
    assert touched_wins.of_latest(data, "deals", 61) == 70 + 100
    assert touched_wins.of_latest(data, "leads", 90) == 70


@pytest.mark.parametrize(
    ("broken", "at_most"),
    [
        ((kinds.SURVIVORS, "leads", dt.date(2026, 1, 1)), 100),
        ((kinds.TABLE_BEGINS, "leads", dt.date(2025, 12, 1)), 50),
        ((kinds.TABLE_BEGINS, "stage_changes", dt.date(2026, 3, 1)), 150),
        ((kinds.ONLY_WON, "deals", dt.date(2026, 5, 10)), 150),
        ((kinds.SAME_DAY, "deals", dt.date(2026, 5, 1)), 70),
        ((kinds.MIGRATED, "leads", dt.date(2025, 6, 1)), 0),
        ((kinds.MIGRATED, "leads", dt.date(2026, 1, 1)), math.inf),
        ((kinds.REJECTED, "stage_changes", dt.date(2026, 1, 1)), math.inf),
    ],
)
def test_a_break_explains_the_wins_of_the_rows_that_it_touches(data, broken, at_most):
    what, table, since = broken
    found = RecordBreak(what=what, nature="records", table=table, since=since, n=5)
    assert touched_wins.of_break(data, found) == at_most


def test_a_finding_without_wins_says_that_it_explains_nothing():
    found = Finding(
        check="data", state="found", kind="wins recorded since", since=dt.date(2026, 3, 1), n=40,
        n_affected=0, expected=9.0, touched=(("timing", "either"),), at_most=0.0,
    )  # fmt: skip
    row = findings_table([found]).iloc[0]
    assert check_sentence(row, Say()).endswith("so it explains no driver.")
    row = row.copy()
    row["at_most"] = 10.0
    assert "explains no driver" not in check_sentence(row, Say())
