"""Money stands by itself: broken links and dates of deals lose no money, and are reported."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funnel.checks.reconciliation import STATES, reconciliation
from funnel.contract.errors import PlanError, TableError
from funnel.contract.plan import Plan
from funnel.dataset import Tables, load, table_reader

LEADS = pd.DataFrame(
    {
        "lead_id": ["007", "008", "00Q5g00000pLIixEAG"],
        "created_at": ["2026-01-05", "2026-01-06", "2026-01-20"],
    }
)
WON = {"created_at": "2026-01-10T08:00:00Z", "outcome": "won", "closed_at": "2026-01-20T08:00:00Z"}


@pytest.fixture(params=["small", "big"])
def load_frames(request, tmp_path, monkeypatch):
    """Reads frames as small tables, and as tables that stay in their files."""
    if request.param == "small":
        return Tables.of
    monkeypatch.setattr(table_reader, "BIG", -1)

    def dataset(plan=None, **frames):
        for name, frame in frames.items():
            frame = duckdb.from_df(pd.DataFrame(frame))
            frame.write_parquet(str(tmp_path / f"{name}.parquet"))
        return load(tmp_path, plan=plan)

    return dataset


def read(plan=None, as_of=None, **frames):
    frames = {name: pd.DataFrame(frame) for name, frame in frames.items()}
    return Tables.of(plan=plan, as_of=as_of, **frames)


def found(data, *columns):
    columns = columns or ("n", "examples", "money")
    rows = data.findings.to_dict("records")
    return {row["what"]: tuple(row[name] for name in columns) for row in rows}


def test_an_unknown_lead_blanks_the_link_and_keeps_the_money():
    deals = WON | {"deal_id": ["x", "y"], "lead_id": ["007", "GONE"], "amount": [10.0, 30.0]}
    data = read(leads=LEADS, deals=deals)
    assert data.deals["amount"].sum() == 40 and data.rejects.empty
    assert data.deals.set_index("deal_id")["lead_id"].dropna().to_dict() == {"x": "007"}
    assert found(data, "n", "examples", "money", "since", "owner") == {
        "unlinked_lead_id": (1, "y", 30.0, "2026-01-20", "Sales Ops")
    }


@pytest.mark.parametrize(
    ("given", "known", "what"),
    [
        ("7", "007", "zeros_lead_id"),
        ("8.0", "008", "float_lead_id"),
        ("00Q5g00000pLIix", "00Q5g00000pLIixEAG", "salesforce_lead_id"),
        ("12,345", "12345", "marks_lead_id"),
        ("l-12", "L-12", "capitals_lead_id"),
        ("1.2346E+4", None, "rounded_lead_id"),
        ("00Q5g00000pLIIX", None, "unlinked_lead_id"),
        ("00Q5g00000pLIixAAA", None, "unlinked_lead_id"),
    ],
)
def test_keys_in_another_form_are_matched_where_one_fits(given, known, what):
    deals = WON | {"deal_id": ["x"], "lead_id": given, "amount": 10.0}
    changes = {"lead_id": [given], "stage": "mql", "entered_at": "2026-01-20T09:00:00Z"}
    leads = pd.concat([LEADS, LEADS.iloc[:2].assign(lead_id=["12345", "L-12"])])
    data = read({"max_rejected": 1.0}, leads=leads, deals=deals, stage_changes=changes)
    assert data.deals["lead_id"].dropna().tolist() == [known] * bool(known)
    assert data.stage_changes["lead_id"].tolist() == [known] * bool(known)
    assert what in found(data)


def test_a_key_that_fits_two_is_left_open():
    leads = pd.concat([LEADS, LEADS.iloc[:1].assign(lead_id="07")])
    data = read(leads=leads, deals=WON | {"deal_id": ["x"], "lead_id": "7", "amount": 10.0})
    assert data.deals["lead_id"].isna().all()
    assert found(data).keys() == {"several_lead_id", "unlinked_lead_id"}


def test_closed_before_created_keeps_money_and_closing_date():
    deals = WON | {"deal_id": ["x"], "created_at": "2026-01-23T08:00:00Z", "amount": 10.0}
    data = read(leads=LEADS, deals=deals)
    assert data.deals["created_at"].isna().all() and data.deals["amount"].tolist() == [10.0]
    assert data.deals["closed_at"].dt.day.tolist() == [20]
    assert found(data) == {"closed_before_created": (1, "x", 10.0)}


def test_leads_cut_by_date_leave_older_deals_unlinked():
    days = pd.date_range("2025-11-01", periods=8, tz="UTC").astype("str")
    old = {f"D-{i}": f"L-{i}" for i in range(8)}
    deals = WON | {"deal_id": list(old), "lead_id": list(old.values()), "created_at": days}
    moves = {"lead_id": list(old.values()), "stage": "mql", "entered_at": days}
    data = read(leads=LEADS, deals=deals | {"amount": 5.0}, stage_changes=moves, as_of="2026-01-31")
    assert len(data.deals) == 8 and data.stage_changes.empty
    assert found(data, "n", "money", "since")["cut_by_date"] == (16, 40.0, "2026-01-05")
    assert data.findings["says"].str.contains("leads begin on 2026-01-05").any()


def test_a_deal_is_rejected_for_its_key_outcome_or_closing_date_only():
    rows = [
        (None, "won", "2026-01-20", "1"),
        ("b", "sold", "2026-01-20", "2"),
        ("c", "won", "soon", "4"),
        ("d", "lost", None, "8"),
        ("e", "won", "2026-01-20", "a lot of money"),
        ("f", "won", "2026-01-20", None),
        ("g", "won", "2026-01-20", "16"),
    ]
    deals = pd.DataFrame(rows, columns=["deal_id", "outcome", "closed_at", "amount"])
    deals["created_at"] = "2026-01-10"
    data = read({"max_rejected": 1.0}, deals=deals)
    assert sorted(data.deals["deal_id"]) == ["e", "f", "g"] and data.deals["amount"].sum() == 16
    assert sorted(data.rejects["reason"]) == [
        "`closed_at` is empty, though the deal is closed",
        "`closed_at` is not a date: words",
        "`deal_id` is empty",
        "`outcome` is none of open, won, lost: 'sold'",
    ]
    assert found(data, "n", "money") == {
        "unread_amount": (1, pytest.approx(float("nan"), nan_ok=True)),
        "rejected_money": (3, 7.0),
        "won_without_amount": (2, pytest.approx(float("nan"), nan_ok=True)),
    }


def test_a_deal_closed_after_the_data_is_mistyped_and_not_open():
    deals = pd.DataFrame(WON | {"deal_id": ["x", "y"], "amount": [10.0, 30.0]}).assign(
        closed_at=["2026-01-20T08:00:00Z", "2062-01-20T08:00:00Z"]
    )
    for as_of, outcomes in ((None, {"x": "won"}), ("2026-01-15", {"x": "open"})):
        data = read(as_of=as_of, leads=LEADS, deals=deals)
        assert data.deals.set_index("deal_id")["outcome"].to_dict() == outcomes
        assert found(data)["closed_after_data"] == (1, "y", 30.0)
        assert "closed after the data ends" in data.rejects["reason"].tolist()


def test_rows_of_one_deal_that_differ_in_other_columns_are_one():
    deals = WON | {"deal_id": ["x", "x", "y"], "account_id": ["A", "B", "C"], "amount": 10.0}
    data = read(leads=LEADS, deals=deals)
    assert data.deals["amount"].sum() == 20
    assert found(data) == {"repeated_deals": (1, "x", 10.0)}
    assert "they differ in `account_id`" in data.findings["says"].iloc[0]


def test_big_tables_of_deals_are_read_as_small_ones(load_frames):
    deals = pd.DataFrame(
        [
            ("a", "7", "ann", "2026-01-10T08:00:00Z", "2026-01-20", 1.0),
            ("a", "7", "bob", "2026-01-10T08:00:00Z", "2026-01-20", 2.0),
            ("b", "GONE", "bob", "2026-01-20T08:00:00Z", "2026-01-10", 4.0),
            ("c", "008", "bob", "2026-01-11T08:00:00Z", "2026-01-20", 8.0),
            ("d", "008", "bob", "2026-01-11T08:00:00Z", "2026-01-20", 8.0),
            ("e", "008", "bob", "2026-01-12T08:00:00Z", "2026-01-20", 16.0),
            ("e", "007", "bob", "2026-01-12T08:00:00Z", "2026-01-20", 16.0),
            ("f", "008", "bob", "2026-01-11T08:00:00Z", "2062-01-20", 32.0),
        ],
        columns=["deal_id", "lead_id", "owner", "created_at", "closed_at", "amount"],
    ).assign(outcome="won")
    plan = {"max_rejected": 1.0, "records": {"split_deals": "sum"}}
    data = load_frames(plan=plan, leads=LEADS, deals=deals)
    kept = data.deals.set_index("deal_id")
    assert kept["amount"].to_dict() == {"a": 3.0, "b": 4.0, "c": 8.0, "e": 16.0}
    assert kept["lead_id"].dropna().to_dict() == {"a": "007", "c": "008", "e": "007"}
    assert kept["created_at"].isna().to_dict() == {"a": False, "b": True, "c": False, "e": False}
    assert found(data, "n") == {
        "closed_after_data": (1,),
        "closed_before_created": (1,),
        "merged_deals": (1,),
        "repeated_deals": (1,),
        "split_deals": (1,),
        "unlinked_lead_id": (1,),
        "zeros_lead_id": (2,),
    }
    assert data.unused_rows["money"].sum() + kept["amount"].sum() == deals["amount"].sum()
    unused = data.unused_rows[data.unused_rows["table"] == "deals"]
    assert unused["rows"].sum() == len(data.rejects) == 4


SPLIT = pd.DataFrame(
    WON
    | {
        "deal_id": ["x", "x", "x", "y", "y", "z"],
        "owner": ["ann", "bob", "bob", "ann", "bob", "ann"],
        "amount": [60.0, 40.0, 40.0, 25.0, 25.0, 7.0],
    }
)


def test_split_deals_stop_with_a_question():
    with pytest.raises(TableError, match=r"2 deals .* differ in `amount`, `owner` \(x, y\)"):
        read(leads=LEADS, deals=SPLIT)
    with pytest.raises(PlanError, match="must be stop or sum or first"):
        Plan.of({"records": {"split_deals": "add"}})


@pytest.mark.parametrize(
    ("how", "kept"),
    [("sum", {"x": 100.0, "y": 50.0, "z": 7.0}), ("first", {"x": 40.0, "y": 25.0, "z": 7.0})],
)
def test_split_deals_are_read_as_the_plan_says(how, kept):
    data = read({"records": {"split_deals": how}}, leads=LEADS, deals=SPLIT)
    assert data.deals.set_index("deal_id")["amount"].to_dict() == kept
    assert data.deals["deal_id"].is_unique
    assert found(data, "n")["split_deals"] == (3,)


def test_lines_of_a_deal_are_asked_about_and_added_up():
    lines = pd.DataFrame(
        WON | {"deal_id": ["x", "x", "y"], "product": ["core", "add-on", "core"],
               "owner": "ann", "amount": [70.0, 30.0, 7.0]}
    )  # fmt: skip
    with pytest.raises(TableError, match=r"1 deal has several rows that differ in `amount`, `prod"):
        read(leads=LEADS, deals=lines)
    data = read({"records": {"split_deals": "sum"}}, leads=LEADS, deals=lines)
    assert data.deals.set_index("deal_id")["amount"].to_dict() == {"x": 100.0, "y": 7.0}


@pytest.mark.parametrize("column", ["owner", "product"])
def test_equal_shares_are_counted_once_until_the_plan_says_what_they_are(column):
    halves = pd.DataFrame(
        WON | {"deal_id": ["x", "x", "y"], column: ["one", "two", "one"], "amount": [50.0, 50, 7]}
    )
    for how, x in (("stop", 50.0), ("sum", 100.0), ("first", 50.0)):
        data = read({"records": {"split_deals": how}}, leads=LEADS, deals=halves)
        assert data.deals.set_index("deal_id")["amount"].to_dict() == {"x": x, "y": 7.0}
        what = "equal_shares" if how == "stop" else "split_deals"
        assert found(data, "n") == {what: (1,)}
    # who had it when it was lost is no share of what was won
    passed = halves.assign(outcome=["lost", "won", "won"])
    data = read({"records": {"split_deals": "sum"}}, leads=LEADS, deals=passed)
    assert found(data, "n") == {"repeated_deals": (1,)}


def test_rows_equal_in_all_but_the_key_are_one_deal():
    deals = pd.DataFrame(
        WON | {"deal_id": ["x", "y", "z"], "lead_id": ["007", "007", "008"], "amount": 10.0}
    )
    data = read(leads=LEADS, deals=deals)
    assert data.deals["deal_id"].tolist() == ["x", "z"]
    assert found(data) == {"merged_deals": (1, "y", 10.0)}
    assert data.rejects["reason"].tolist() == ["equal to 'x' in all but the key"]
    # of a day alone, or without a lead or account, two deals may be equal by chance
    same_day = deals.assign(created_at="2026-01-10")
    assert len(read(leads=LEADS, deals=same_day).deals) == 3
    assert len(read(leads=LEADS, deals=deals.drop(columns="lead_id")).deals) == 3


def test_the_money_of_few_rejected_rows_stops_the_run():
    deals = pd.DataFrame(WON | {"deal_id": [f"D-{i}" for i in range(100)], "amount": 1_000.0})
    deals["closed_at"] = pd.date_range("2016-01-15", "2026-03-25", periods=100).astype("str")
    deals["created_at"] = "2016-01-10"
    deals.loc[97, ["outcome", "amount"]] = ["signed", 600.0]  # one of three in 2026Q1
    with pytest.raises(TableError, match=r"600.00 of 2,600.00 EUR|1 of 3 rows in 2026Q1"):
        Tables.of(deals=deals)
    data = Tables.of(deals=deals, plan={"max_rejected": 0.4})
    assert found(data) == {"rejected_money": (1, "D-97", 600.0)}


def test_unknown_owners_and_other_spellings_are_reported():
    deals = pd.DataFrame(WON | {"deal_id": list("abcd"), "amount": [1.0, 2.0, 4.0, 8.0]})
    deals["owner"] = ["Ann Miller", "ann miller", "Queue", None]
    reps = pd.DataFrame({"owner": ["Ann Miller"], "started_on": "2025-01-01"})
    data = Tables.of(leads=LEADS, deals=deals, reps=reps)
    assert found(data, "n", "money") == {
        "no_owner": (1, 8.0),
        "spelled_owner": (1, 2.0),
        "unlinked_owner": (1, 4.0),
    }


CELLS = st.fixed_dictionaries(
    {
        "deal_id": st.sampled_from(["a", "b", "c", "d", None]),
        "lead_id": st.sampled_from(["007", "7", "8.0", "GONE", None]),
        "owner": st.sampled_from(["ann", "Ann", "bob", None]),
        "created_at": st.sampled_from(["2026-01-10T08:00:00Z", "2026-01-23", "never", None]),
        "closed_at": st.sampled_from(
            ["2025-12-15", "2026-01-15", "2026-01-19", "2062-01-20", "soon", None]
        ),
        "outcome": st.sampled_from(["won", "lost", "open", "sold"]),
        "amount": st.sampled_from(["1", "2", "400", "a lot", None]),
        "currency": st.sampled_from(["EUR", "USD", "JPY", None]),
    }
)
FILES = {"m.csv": "old_id,new_id\na,b\nc,z\n", "r.csv": "currency,from,rate\nUSD,2000-01-01,2\n"}
KEYS = {
    "exclude": {"deals": "amount = 400 or owner = 'ann'", "leads": "lead_id = '008'"},
    "merged": {"deals": "m.csv"},
    "rates": "r.csv",
}


def loaded(plan, as_of=None, **frames):
    """Dataset of a folder with these tables and the files that plans name."""
    with tempfile.TemporaryDirectory() as folder:
        for name, frame in frames.items():
            frame.to_csv(Path(folder) / f"{name}.csv", index=False)
        for name, text in FILES.items():
            (Path(folder) / name).write_text(text)
        data = load(folder, as_of, {"max_rejected": 1.0, "records": plan}, fresh=True)
        _ = data.deals, data.rejects, data.findings
        return data


@settings(max_examples=20)
@given(
    rows=st.lists(CELLS, min_size=4, max_size=12),
    how=st.sampled_from(["sum", "first"]),
    keys=st.sets(st.sampled_from(sorted(KEYS))),
    as_of=st.sampled_from([None, "2026-01-17"]),
)
def test_money_in_is_money_used_and_money_not_used(rows, how, keys, as_of):
    usable = {"deal_id": "e", "closed_at": "2026-01-16", "outcome": "won", "amount": "8"}
    deals = pd.DataFrame([*rows, usable], dtype="str")
    plan = {"split_deals": how} | {key: KEYS[key] for key in keys}
    data = loaded(plan, as_of, leads=LEADS, deals=deals)
    days = pd.to_datetime(deals["closed_at"], format="%Y-%m-%d", errors="coerce")
    opened = pd.to_datetime(deals["created_at"].str[:10], format="%Y-%m-%d", errors="coerce")
    days = days.fillna(opened)
    # an amount without a rate is in no total, but in a finding of its own
    factor = deals["currency"].map({"USD": 2.0 if "rates" in keys else None}.get)
    is_foreign = deals["currency"].isin(["USD", "JPY"])
    may_be_won = deals["outcome"].isin(["won", "sold"])
    money = pd.to_numeric(deals["amount"], errors="coerce").where(may_be_won)
    money = money.where(~may_be_won | ~is_foreign, money * factor.astype("float64"))
    money = money.where(days.notna() | ~is_foreign).fillna(0)
    used = data.deals.loc[data.deals["outcome"] == "won", "amount"].sum()
    counts = data.counts.set_index("table").loc["deals"]
    unused = data.unused_rows[data.unused_rows["table"] == "deals"]
    by_state = unused.groupby("state")["rows"].sum()
    assert counts["rows_in"] == len(deals) == len(data.deals) + unused["rows"].sum()
    assert counts["rows_excluded"] == by_state.get("excluded", 0)
    assert counts["rows_rejected"] == unused["rows"].sum() - counts["rows_excluded"]
    assert unused["rows"].sum() == (data.rejects["table"] == "deals").sum()
    assert used + unused["money"].sum() == pytest.approx(money.sum())
    found = reconciliation(data)
    for period in (data.comparison.period, data.comparison.baseline):
        states = {state: found.row(period, state) for state in STATES}
        for at in (0, 1):
            parts = [states[state][at] for state in STATES[1:]]
            assert states["read"][at] == pytest.approx(sum(parts))
        if how == "first":  # shares that are added up belong to the day of the row that is used
            inside = days.between(str(period.start), str(period.end))
            assert states["read"][1] == pytest.approx(money[inside].sum())


LOSSES = {  # what is done to a deal, and the finding that states what it was won for
    "deal_id": (None, "rejected_money"),
    "outcome": ("sold", "rejected_money"),
    "closed_at": ("2062-01-20", "closed_after_data"),
    "owner": ("test", "excluded"),
    "currency": ("JPY", "unconverted_amount"),
    "lead_id": ("GONE", None),
    "created_at": ("2026-01-25T08:00:00Z", None),
}


@settings(max_examples=20)
@given(
    defects=st.lists(st.sampled_from(sorted(LOSSES)), min_size=1, max_size=5),
    merged=st.booleans(),
)
def test_a_defect_changes_no_total_without_a_finding_that_states_it(defects, merged):
    deals = pd.DataFrame(
        WON
        | {
            "deal_id": list("abefghi"),
            "lead_id": "007",
            "owner": "ann",
            "currency": "EUR",
            "amount": [2.0**i for i in range(7)],
        }
    )
    for at, column in enumerate(defects):
        deals.loc[at, column] = LOSSES[column][0]
    plan = {"exclude": {"deals": "owner = 'test'"}, "rates": "r.csv"}
    data = loaded(
        plan | ({"merged": {"deals": "m.csv"}} if merged else {}), leads=LEADS, deals=deals
    )
    stated = found(data, "money", "says")
    total = sum(
        stated[what][0]
        for what in ("rejected_money", "closed_after_data", "excluded", "folded_deal_id")
        if what in stated and stated[what][0] > 0
    )
    if "unconverted_amount" in stated:
        total += float(re.search(r"JPY ([\d.,]+)", stated["unconverted_amount"][1])[1])
    assert data.deals["amount"].sum() + total == deals["amount"].sum()
