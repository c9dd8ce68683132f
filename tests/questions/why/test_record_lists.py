"""Lists of records: those that each driver is about, drawn the same each time, with addresses."""

import pandas as pd
import pytest

import funnel
from funnel.dataset import Tables
from funnel.questions.why.record_lists import MOST, record_lists
from funnel.questions.why.text import records_drawn
from funnel.results import Say

PLAN = {"seed": 3}
LINKS = '[links]\ndeal = "https://crm.example/d/{deal_id}"\n'


def bridge_of(*drivers):
    return pd.DataFrame(
        {"driver": drivers, "segment": None, "contribution": -9.0, "low": -20.0, "high": 2.0}
    )


def company():
    """Forty leads a quarter: every second one is accepted, and every fourth one is rejected."""
    made = pd.date_range("2026-01-01", "2026-06-28", periods=80, tz="UTC")
    leads = pd.DataFrame({"lead_id": [f"L{i:02}" for i in range(80)], "created_at": made})
    changes = [
        (f"L{i:02}", stage, day + pd.Timedelta(days=1))
        for i, day in enumerate(made)
        for stage in ["mql"] + ["rejected"] * (i % 4 == 1) + ["sal"] * (i % 2 == 0)
    ]
    deals = pd.DataFrame(
        {"deal_id": [f"D{i:02}" for i in range(60)], "created_at": "2026-01-02",
         "closed_at": [None] * 10 + list(pd.date_range("2026-01-05", "2026-06-29", periods=50)),
         "outcome": ["open"] * 10 + ["won", "lost"] * 25, "amount": 100.0, "owner": "Ada Example",
         "kind": ["new"] * 55 + ["renewal"] * 5}
    )  # fmt: skip
    return leads, pd.DataFrame(changes, columns=["lead_id", "stage", "entered_at"]), deals


@pytest.fixture
def data():
    leads, changes, deals = company()
    return Tables.of(as_of="2026-06-30", plan=PLAN, leads=leads, stage_changes=changes, deals=deals)


def test_a_list_holds_all_records_that_its_driver_is_about(data):
    drivers = ("mql to sal", "opportunity to won", "timing", "deal size", "renewals", "lead volume")
    found = record_lists(data, bridge_of(*drivers))
    ids = found.rows.groupby("figure")["id"].agg(set)
    leads, changes, deals = company()
    begin = pd.Timestamp("2026-04-01", tz=data.plan.company.timezone)
    in_period = pd.to_datetime(deals["closed_at"], utc=True) >= begin
    is_new = deals["kind"] == "new"
    by_hand = {
        "mql to sal": {
            row.lead_id
            for row in changes.itertuples()
            if row.stage == "rejected" and row.entered_at >= begin
        },
        "opportunity to won": set(
            deals["deal_id"][in_period & is_new & (deals["outcome"] == "lost")]
        ),
        "timing": set(deals["deal_id"][is_new & (deals["outcome"] == "open")]),
        "deal size": set(deals["deal_id"][in_period & is_new & (deals["outcome"] == "won")]),
        "renewals": set(deals["deal_id"][in_period & ~is_new & (deals["outcome"] == "won")]),
        "lead volume": set(leads["lead_id"][leads["created_at"] >= begin]),
    }
    assert ids.to_dict() == by_hand
    n = found.table.groupby("driver")["n_records"].agg(set)
    assert n.to_dict() == {driver: {len(each)} for driver, each in by_hand.items()}
    assert "Ada" not in found.table.to_csv() + found.rows.to_csv()


def test_at_most_twenty_are_drawn_and_the_same_each_time(data):
    first, again = (record_lists(data, bridge_of("lead volume", "mix")) for _ in "12")
    pd.testing.assert_frame_equal(first.table, again.table)
    for driver, rows in first.table.groupby("driver"):
        assert len(rows) == min(MOST, rows["n_records"].iloc[0])
        assert rows["id"].is_unique and rows["date"].is_monotonic_increasing
        assert set(rows["id"]) <= set(first.rows["id"][first.rows["figure"] == driver])
    drawn = first.table.groupby("driver")["id"].agg(set)
    assert drawn["lead volume"] != drawn["mix"]  # each is a draw of its own
    row = first.table.iloc[0].to_dict()
    assert records_drawn(row, MOST, Say()).startswith("Leads created: 20 of ")


def test_a_record_is_linked_where_its_key_is_its_own(tmp_path):
    deals = pd.DataFrame(
        {"deal_id": ["D 1/a", "ada@mail.example"], "created_at": "2026-04-02",
         "closed_at": "2026-05-04", "outcome": "won", "amount": 10.0}
    )  # fmt: skip
    deals.to_csv(tmp_path / "deals.csv", index=False)
    (tmp_path / "funnel.toml").write_text(LINKS)
    found = record_lists(funnel.load(tmp_path, as_of="2026-06-30"), bridge_of("deal size"))
    links = dict(zip(found.table["id"], found.table["link"], strict=True))
    assert links.pop("D 1/a") == "https://crm.example/d/D%201%2Fa"
    ((hashed, link),) = links.items()
    assert hashed.startswith("id-") and pd.isna(link)


def test_a_driver_without_records_has_no_list(data):
    assert record_lists(data, bridge_of("calendar", "residual")).table.empty
    assert record_lists(data, pd.DataFrame()).headline.startswith("There is no record to read")


def test_a_record_without_an_address_of_its_own_has_that_of_its_account(tmp_path):
    deals = pd.DataFrame(
        {"deal_id": ["D1", "D2"], "account_id": ["A 1", None], "created_at": "2026-04-02",
         "closed_at": "2026-05-04", "outcome": "won", "amount": 10.0}
    )  # fmt: skip
    deals.to_csv(tmp_path / "deals.csv", index=False)
    (tmp_path / "funnel.toml").write_text(
        '[links]\naccount = "https://crm.example/a/{account_id}"\n'
    )
    found = record_lists(funnel.load(tmp_path, as_of="2026-06-30"), bridge_of("deal size"))
    links = dict(zip(found.table["id"], found.table["link"], strict=True))
    assert links["D1"] == "https://crm.example/a/A%201" and pd.isna(links["D2"])
