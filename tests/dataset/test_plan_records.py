"""What the plan's `[records]` does before anything is counted, each with its rows and money."""

import duckdb
import pandas as pd
import pytest

from funnel import checks
from funnel.contract.errors import PlanError, TableError
from funnel.contract.plan import Plan
from funnel.dataset import Tables, load, table_reader

OTHERS = ("as_of_after_data", "stopped_early", "test_")  # findings of which these tests say nothing
LEADS = pd.DataFrame(
    {
        "lead_id": ["L-1", "L-2", "L-3", "T-1"],
        "created_at": "2026-01-05T09:00:00Z",
        "email": ["a@acme.example", "b@acme.example", None, "test@test.com"],
    }
)
DEALS = pd.DataFrame(
    {
        "deal_id": ["D-1", "D-2", "D-3"],
        "lead_id": ["L-1", "T-1", "L-2"],
        "account_id": ["A-1", "A-2", "A-3"],
        "account_name": ["Acme", "TEST do not use", None],
        "owner": ["ann", "bob", "ann"],
        "created_at": ["2026-01-10T08:00:00Z", "2026-01-11T08:00:00Z", "2026-01-12T08:00:00Z"],
        "closed_at": ["2026-01-20", "2026-01-20", "2026-02-20"],
        "outcome": "won",
        "amount": [10.0, 999_999.0, 30.0],
    }
)
CHANGES = pd.DataFrame(
    {"lead_id": ["L-1", "T-1"], "stage": "mql", "entered_at": "2026-01-12T08:00:00Z"}
)


@pytest.fixture(params=["small", "big"])
def loaded(request, tmp_path, monkeypatch):
    """Loads frames as CSV files, and as tables that stay in their Parquet files."""
    if request.param == "big":
        monkeypatch.setattr(table_reader, "BIG", -1)

    def dataset(records, files=None, as_of="2026-03-31", **frames):
        for name, frame in frames.items():
            if request.param == "small":
                frame.to_csv(tmp_path / f"{name}.csv", index=False)
            else:
                duckdb.from_df(frame).write_parquet(str(tmp_path / f"{name}.parquet"))
        for name, text in (files or {}).items():
            (tmp_path / name).write_text(text)
        return load(tmp_path, as_of, plan={"max_rejected": 0.0, "records": records})

    return dataset


def found(data, *columns):
    rows = data.findings.to_dict("records")
    columns = columns or ("n", "money")
    found = {(row["table"], row["what"]): tuple(row[name] for name in columns) for row in rows}
    return {key: each for key, each in found.items() if not key[1].startswith(OTHERS)}


def used(data, column="amount"):
    return data.deals.set_index("deal_id")[column].to_dict()


def not_used(data, table="deals"):
    rows = data.unused_rows[data.unused_rows["table"] == table]
    sums = rows.groupby("state")[["rows", "money"]].sum()
    return {state: tuple(row) for state, row in zip(sums.index, sums.to_numpy(), strict=True)}


def test_excluded_rows_are_not_used_and_counted(loaded):
    data = loaded(
        {"exclude": {"deals": "Amount = 999999 or account_name like 'TEST%'"}},
        leads=LEADS,
        deals=DEALS,
    )
    assert used(data) == {"D-1": 10.0, "D-3": 30.0}
    assert found(data) == {("deals", "excluded"): (1, 999_999.0)}
    assert data.rejects[["table", "reason"]].to_numpy().tolist() == [
        ["deals", "excluded by the plan"]
    ]
    assert not_used(data) == {"excluded": (1, 999_999.0)}
    counts = data.counts.set_index("table").loc["deals"]
    assert (counts["rows_in"], counts["rows_used"], counts["rows_excluded"]) == (3, 2, 1)
    assert "TEST do not use" not in data.rejected_tables["deals"].to_string()


def test_rows_of_an_excluded_lead_keep_their_money_without_the_link(loaded):
    data = loaded(
        {"exclude": {"leads": "email like '%@test.com'"}},
        leads=LEADS,
        deals=DEALS,
        stage_changes=CHANGES,
    )
    assert data.leads["lead_id"].tolist() == ["L-1", "L-2", "L-3"]
    assert data.deals["lead_id"].fillna("").tolist() == ["L-1", "", "L-2"]
    assert data.deals["amount"].sum() == DEALS["amount"].sum()
    assert data.stage_changes["lead_id"].tolist() == ["L-1"]
    assert found(data) == {
        ("leads", "excluded"): (1, pytest.approx(float("nan"), nan_ok=True)),
        ("deals", "excluded_lead_id"): (1, 999_999.0),
        ("stage_changes", "excluded"): (1, pytest.approx(float("nan"), nan_ok=True)),
    }
    assert "`[records] exclude.leads`" in found(data, "says")["stage_changes", "excluded"][0]
    reasons = data.rejects.set_index("table")["reason"]
    assert reasons["stage_changes"] == "its `lead_id` is of leads excluded by the plan"
    assert not_used(data, "leads") == not_used(data, "stage_changes") == {"excluded": (1, 0.0)}


@pytest.mark.parametrize(
    ("condition", "error"),
    [
        ("amont = 3", r"`exclude.deals` names `amont`, which deals do not have; did you mean"),
        ("amount = 'a lot'", r"`exclude.deals` cannot be run \(conversion error\)"),
        ("account_name > 3", r"`exclude.deals` cannot be run \(binder error\)"),
        ("lower(owner)", r"`exclude.deals` is a value \(varchar\) and no condition"),
        ("deal_id in (select 1)", r"`exclude.deals` holds a query"),
        ("amount >", r"`exclude.deals` cannot be read"),
    ],
)
def test_a_condition_that_cannot_be_followed_is_an_error(condition, error):
    with pytest.raises(PlanError, match=error):
        Tables.of(deals=DEALS, plan={"records": {"exclude": {"deals": condition}}})


def test_a_condition_is_of_the_cells_as_read_and_null_is_no_match():
    """A link that is blanked later, or a row without the cell, does not meet it."""
    records = {"exclude": {"deals": "account_name <> 'Acme' or lead_id is null"}}
    data = Tables.of(leads=LEADS.iloc[:1], deals=DEALS, plan={"records": records})
    assert list(used(data)) == ["D-1", "D-3"]
    assert data.deals["lead_id"].isna().tolist() == [False, True]


def test_a_condition_that_no_row_meets_is_shown():
    plan = {"records": {"exclude": {"deals": "amount < 0"}}}
    assert found(Tables.of(deals=DEALS, plan=plan), "n")["deals", "excluded"] == (0,)


def test_links_follow_merged_records(loaded):
    """L-2 became L-1 by way of L-9; T-1 became L-4, which is not there."""
    data = loaded(
        {"merged": {"leads": "merged_leads.csv", "accounts": "accounts.csv"}},
        {
            "merged_leads.csv": "old_id,new_id\nL-2,L-9\nL-9,L-1\nT-1,L-4\n",
            "accounts.csv": "old_id;new_id\nA-3;A-1\n",
        },
        leads=LEADS,
        deals=DEALS,
        stage_changes=CHANGES,
    )
    assert sorted(data.leads["lead_id"]) == ["L-1", "L-3", "L-4"]
    assert used(data, "lead_id") == {"D-1": "L-1", "D-2": "L-4", "D-3": "L-1"}
    assert used(data, "account_id") == {"D-1": "A-1", "D-2": "A-2", "D-3": "A-1"}
    assert sorted(data.stage_changes["lead_id"]) == ["L-1", "L-4"]
    assert found(data, "n") == {
        ("leads", "followed_lead_id"): (2,),
        ("leads", "folded_lead_id"): (1,),
        ("stage_changes", "followed_lead_id"): (1,),
        ("deals", "followed_lead_id"): (2,),
        ("deals", "followed_account_id"): (1,),
    }
    assert data.rejects["reason"].tolist() == ["`lead_id` 'L-2' is merged by the plan into 'L-1'"]
    assert not_used(data, "leads") == {"repeated": (1, 0.0)}
    assert sorted(data.sources["table"]) == [
        "deals", "leads", "merged.accounts", "merged.leads", "stage_changes",
    ]  # fmt: skip


def test_merged_deals_are_folded_and_are_no_split(loaded):
    data = loaded(
        {"merged": {"deals": "m.csv"}}, {"m.csv": "old_id,new_id\nD-2,D-1\n"}, deals=DEALS
    )
    assert used(data) == {"D-1": 10.0, "D-3": 30.0}
    assert found(data)["deals", "folded_deal_id"] == (1, 999_999.0)
    assert not_used(data) == {"repeated": (1, 999_999.0)}


def test_accounts_that_were_merged_keep_what_both_paid(loaded):
    months = {"account_id": ["A-1", "A-3", "A-3"], "month": "2026-01-01", "mrr": [5.0, 7.0, 7.0]}
    data = loaded(
        {"merged": {"accounts": "m.csv"}},
        {"m.csv": "old_id,new_id\nA-3,A-1\n"},
        deals=DEALS,
        subscriptions=pd.DataFrame(months).iloc[:2],
    )
    assert data.subscriptions["account_id"].unique().tolist() == ["A-1"]
    assert data.subscriptions["mrr"].sum() == 12


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("old_id,new_id\na,b\nb,c\nc,b\n", r"m.csv: 'b', 'c' became each other in a circle"),
        ("old_id,new_id\na,b\na,c\n", "'a' became both 'b' and 'c'"),
        ("old_id,new_id\na,\n", r"1 of 1 rows have an empty or unreadable cell \(row 1"),
        ("old,new\na,b\n", "names no column of this table.* must hold old_id, new_id"),
        (None, "names m.csv, and there is no such file"),
    ],
)
def test_a_file_of_merged_records_that_says_two_things_is_an_error(tmp_path, text, error):
    DEALS.to_csv(tmp_path / "deals.csv", index=False)
    if text:
        (tmp_path / "m.csv").write_text(text)
    with pytest.raises((PlanError, TableError), match=error):
        load(tmp_path, plan={"records": {"merged": {"deals": "m.csv"}}})


RATES = "currency,from,rate\nUSD,2026-01-01,0.5\nUSD,2026-02-01,0.25\nGBP,2026-02-01,2\n"
PAID = DEALS.assign(amount=[10.0, 8.0, 8.0], currency=["EUR", "usd", "USD"])


def test_amounts_are_converted_at_the_rate_of_their_day(loaded):
    data = loaded(
        {"rates": "rates.csv"},
        {"rates.csv": RATES},
        deals=PAID,
        spend=pd.DataFrame(
            {"spent_on": ["2026-01-01", "2026-02-01"], "channel": "ads", "amount": 8.0,
             "currency_code": "USD"}
        ),
    )  # fmt: skip
    assert used(data) == {"D-1": 10.0, "D-2": 4.0, "D-3": 2.0}
    assert sorted(data.spend["amount"]) == [2.0, 4.0]
    assert found(data)["deals", "converted_amount"] == (2, 6.0)
    says = found(data, "says")["deals", "converted_amount"][0]
    assert "USD 16.00 (2 rows)" in says


@pytest.mark.parametrize("loaded", ["small"], indirect=True)
def test_money_without_a_rate_is_unknown_and_said(loaded):
    deals = PAID.assign(currency=["GBP", "JPY", None])
    data = loaded({"rates": "rates.csv"}, {"rates.csv": RATES}, deals=deals)
    assert data.deals.set_index("deal_id")["amount"].dropna().to_dict() == {"D-3": 8.0}
    n, says = found(data, "n", "says")["deals", "unconverted_amount"]
    assert n == 2 and "GBP 10.00 (1 row), JPY 8.00 (1 row)" in says
    assert data.rejects.empty and ("deals", "unread_amount") not in found(data)


@pytest.mark.parametrize(
    ("name", "words", "unknown"),
    [
        ("currency", ["EUR", "USD", "n/a"], {"D-2"}),
        ("CurrencyIsoCode", ["EUR", "eur ", "GBP"], {"D-3"}),
        ("deal_currency_code", ["€", "$", ""], {"D-2"}),
        ("currency", ["USD"] * 3, {"D-1", "D-2", "D-3"}),
        ("company_currency", ["USD"] * 3, set()),
    ],
)
def test_amounts_in_another_currency_are_unknown_without_rates(name, words, unknown):
    data = Tables.of(deals=DEALS.assign(amount=8.0, **{name: words}), as_of="2026-03-31")
    assert {key for key, money in used(data).items() if not money > 0} == unknown
    assert (("deals", "unconverted_amount") in found(data)) == bool(unknown)
    assert (checks.mixed_currencies(data) is not None) == bool(unknown)


def test_a_sign_is_a_currency(loaded):
    data = loaded(
        {"rates": "r.csv"}, {"r.csv": RATES}, deals=PAID.assign(currency=["€", "$", "US$"])
    )
    assert used(data) == {"D-1": 10.0, "D-2": 4.0, "D-3": 2.0}


@pytest.mark.parametrize("loaded", ["small"], indirect=True)
def test_rates_per_unit_of_the_own_currency_divide(loaded):
    data = loaded({"rates": "r.csv", "rates_per": "home"}, {"r.csv": RATES}, deals=PAID)
    assert used(data) == {"D-1": 10.0, "D-2": 16.0, "D-3": 32.0}


@pytest.mark.parametrize("per", ["home", "foreign"])
def test_rates_that_are_the_wrong_way_round_are_asked_about(tmp_path, per):
    codes = ["EUR", "JPY"] * 12
    deals = pd.DataFrame(
        DEALS.iloc[0].to_dict()
        | {
            "deal_id": [f"D-{i}" for i in range(24)],
            "currency": codes,
            "amount": [900 + i if code == "EUR" else 160_000 + i for i, code in enumerate(codes)],
        }
    )
    deals.to_csv(tmp_path / "deals.csv", index=False)
    (tmp_path / "rates.csv").write_text("currency,from,rate\nJPY,2020-01-01,160\n")
    data = load(tmp_path, plan={"records": {"rates": "rates.csv", "rates_per": per}})
    says = found(data, "says").get(("deals", "inverted_amount"), ("",))[0]
    assert ("those in JPY would be much closer" in says) == (per == "foreign")


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        ("USD,2026-01-01,0\n", "1 of 1 rates are not above 0"),
        ("USD,2026-01-01,1\nusd,2026-01-01,2\n", "begin on the day of another one"),
        ("USD,1 May,1\n", "empty or unreadable cell"),
    ],
)
def test_rates_that_make_no_sense_are_an_error(tmp_path, rows, error):
    PAID.to_csv(tmp_path / "deals.csv", index=False)
    (tmp_path / "rates.csv").write_text(f"currency,from,rate\n{rows}")
    with pytest.raises(TableError, match=error):
        load(tmp_path, plan={"records": {"rates": "rates.csv"}})


def test_files_of_the_plan_key_the_saved_dataset_and_are_no_unknown_files(tmp_path, monkeypatch):
    monkeypatch.setenv("FUNNEL_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "company"
    folder.mkdir()
    PAID.to_csv(folder / "deals.csv", index=False)
    (folder / "funnel.toml").write_text('[records]\nrates = "rates.csv"\n')
    for rate in (0.5, 0.25, 0.25):
        (folder / "rates.csv").write_text(f"currency,from,rate\nUSD,2026-01-01,{rate}\n")
        data = load(folder)
        assert used(data)["D-3"] == 8 * rate
        assert ("", "unknown_file") not in found(data)
    assert data.saved_in is not None


def test_frames_have_no_folder_for_a_file():
    for records in ({"rates": "rates.csv"}, {"merged": {"deals": "m.csv"}}):
        with pytest.raises(PlanError, match="frames have no folder"):
            Tables.of(deals=DEALS, plan={"records": records})


def test_events_are_kept_and_shown():
    event = {"on": pd.Timestamp("2025-10-15").date(), "what": "CRM migration"}
    data = Tables.of(deals=DEALS, plan={"records": {"event": [event]}})
    assert [(each.on, each.what) for each in data.plan.records.events] == [tuple(event.values())]
    says, since = found(data, "says", "since")["", "event"]
    assert since == "2025-10-15" and "CRM migration" in says


@pytest.mark.parametrize(
    ("records", "error"),
    [
        ({"exclude": {"deal": "amount = 1"}}, "has no table `deal`; did you mean `deals`"),
        ({"exclude": {"deals": 3}}, "must be one condition in quotes"),
        ({"exclude": {"leads": "email = 'test@test.com'"}}, "holds an e-mail address"),
        ({"exclude": {"leads": "email like 'jane%@test.com'"}}, "holds an e-mail address"),
        ({"merged": {"leads": "../m.csv"}}, "must be the name of a file in the same folder"),
        ({"merged": {"touches": "m.csv"}}, "has no table `touches`"),
        ({"rates": 3}, "must be the name of a file in the same folder"),
        ({"rates_per": "other"}, "must be foreign or home"),
        ({"event": [{"on": "soon", "what": "x"}]}, "must be a day"),
        ({"event": [{"what": "x"}]}, "needs `on`, a day, and `what`"),
        ({"event": {"what": "x"}}, r"written \[\[records.event\]\]"),
        ({"excludes": {}}, "has no key `excludes`; did you mean `exclude`"),
    ],
)
def test_what_records_cannot_be_is_refused(records, error):
    with pytest.raises(PlanError, match=error):
        Plan.of({"records": records})


def test_a_plan_without_these_keys_keeps_its_hash():
    assert Plan().as_dict()["records"] == {"split_deals": "stop", "aliases": {}}
    plans = [
        Plan.of({"records": records})
        for records in ({}, {"exclude": {"deals": "amount = 1"}}, {"rates": "r.csv"})
    ]
    assert len({plan.sha256 for plan in plans}) == 3
