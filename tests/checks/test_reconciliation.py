"""Rows and money add up: read = used + rejected + repeated + excluded + after as_of."""

import pandas as pd
import pytest

from funnel.checks import reconciliation, text
from funnel.checks.reconciliation import unknown_money
from funnel.checks.text import unknown_money_sentence
from funnel.dataset import Tables
from funnel.results import Say

COLUMNS = ["deal_id", "created_at", "closed_at", "outcome", "amount"]
ROWS = [
    ("D-1", "2026-01-05", "2026-05-03", "won", 70.0),
    ("D-2", "2026-01-05", "2026-05-04", "won", 20.0),
    ("D-2", "2026-01-05", "2026-05-04", "won", None),  # a repeat with less in it
    (None, "2026-01-05", "2026-05-05", "won", 10.0),  # no key
    ("D-4", "2026-04-05", "2026-05-06", "lost", 500.0),
    ("D-5", "2026-04-07", None, "open", 300.0),
    ("D-6", "2026-01-09", "2026-02-03", "won", 40.0),
    ("D-7", "2026-02-05", "2026-06-20", "won", 8.0),  # after the day chosen
]


@pytest.fixture
def data():
    deals = pd.DataFrame(ROWS, columns=COLUMNS)
    return Tables.of(deals=deals, as_of="2026-06-15", plan={"max_rejected": 1.0})


def test_states_of_a_period_by_hand(data):
    found, period = reconciliation(data), data.comparison.period
    assert found.row(period, "used") == (4, 90.0)
    assert found.row(period, "rejected") == (1, 10.0)
    assert found.row(period, "repeated")[0] == 1
    assert found.row(period, "read")[1] == 100.0 + found.row(period, "repeated")[1]
    assert found.lost_share(period) == pytest.approx(0.1)
    assert found.lost_share(data.comparison.baseline) == 0.0
    assert found.row(data.comparison.baseline, "used")[1] == 40.0


def test_states_add_up_to_what_was_read(data):
    table = reconciliation(data).table
    read = table["state"] == "read"
    for column in ("n_rows", "money"):
        parts = table[~read].groupby(["table", "period"])[column].sum()
        whole = table[read].groupby(["table", "period"])[column].sum()
        pd.testing.assert_series_equal(parts, whole)


def test_the_sentences_state_the_figures(data):
    headline = reconciliation(data).headline
    assert "is recorded as won in 2026Q2: \u20ac90 used, \u20ac10 rejected" in headline
    assert "is recorded as won in 2026Q1: all used." in headline


def test_without_deals_nothing_is_read():
    leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-05-05"]})
    found = reconciliation(Tables.of(leads=leads, as_of="2026-06-30"))
    assert found.tables == ["leads", "deals"]
    assert (found.table.loc[found.table["table"] == "deals", "n_rows"] == 0).all()


def test_excluded_rows_are_their_own_state_and_sentence():
    deals = pd.DataFrame(ROWS, columns=COLUMNS)
    leads = pd.DataFrame(
        {"lead_id": ["L-1", "T-1", "L-2"], "created_at": ["2026-05-05", "2026-05-05", "2026-06-20"]}
    )
    exclude = {"deals": "amount = 20", "leads": "lead_id = 'T-1'"}
    plan = {"max_rejected": 1.0, "records": {"exclude": exclude}}
    data = Tables.of(leads=leads, deals=deals, as_of="2026-06-15", plan=plan)
    found, period = reconciliation(data), data.comparison.period
    assert found.row(period, "excluded") == (1, 20.0)
    assert found.row(period, "used") == (4, 70.0)
    states = ("read", "used", "excluded", "after as_of")
    assert [found.row(period, state, "leads")[0] for state in states] == [2, 1, 1, 0]
    assert found.lost_share(period) == pytest.approx(0.3)
    assert "\u20ac10 rejected, \u20ac20 excluded" in found.headline
    assert text.lost_money_sentence(found, period, Say(data.plan.company)) == (
        "1 rejected deal of 2026Q2 holds \u20ac10 and the plan excludes 1 deal with \u20ac20, of "
        "\u20ac100 in all. No figure on this page counts it."
    )
    shown = text.reconciliation_table(found, Say()).set_index("table")["excluded"].tolist()
    assert shown[:2] == ["1", "0"]


def test_a_table_of_which_no_row_is_used_is_counted_too():
    leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-05-05"]})
    touches = pd.DataFrame({"occurred_at": ["never"], "channel": ["web"], "lead_id": ["L-1"]})
    data = Tables.of(leads=leads, touches=touches, as_of="2026-06-30", plan={"max_rejected": 1.0})
    assert reconciliation(data).row(data.comparison.period, "used", "touches") == (0, 0.0)


def test_wins_without_known_money_are_counted_by_period():
    deals = pd.DataFrame(ROWS[:5] + ROWS[-2:], columns=COLUMNS).assign(currency="EUR")
    deals.loc[0, ["amount", "currency"]] = [5_000.0, "usd"]
    deals.loc[1, "amount"] = None
    data = Tables.of(deals=deals.dropna(subset="deal_id"), as_of="2026-06-25")
    period, baseline = unknown_money(data)
    assert (period.n, baseline.n, dict(period.other)) == (2, 0, {"USD": 1})
    says = unknown_money_sentence(period, Say(data.plan.company, 0.9))
    assert says.startswith(f"The money of 2 of {period.of} wins of 2026Q2 is unknown (USD 1, ")
