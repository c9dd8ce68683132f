"""A company's folder, read: nothing lost, nothing guessed, whatever the files look like."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import re

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from funnel import sample
from funnel.contract.errors import FunnelError, ParameterError, TableError
from funnel.contract.plan import Company, Plan
from funnel.contract.tables import TABLES, Kind
from funnel.dataset import Tables, casts, load, privacy, table_reader
from funnel.dataset.engine import Engine

LENIENT = {"max_rejected": 1.0}
LEADS = """lead_id,created_at,channel,employees,grade,note
L-1,2026-01-05T09:30:00Z,web,120,A,first
L-2,2026-01-06 10:00:00,email,,B,
L-3,2026-01-07,web,15,,"two
lines, and a comma"
"""
DEALS = """deal_id,created_at,outcome,lead_id,closed_at,amount,loss_reason
D-1,2026-01-06T08:00:00Z,won,L-1,2026-01-08T16:00:00Z,1200.50,
D-2,2026-01-07T08:00:00Z,lost,L-2,2026-01-09T16:00:00Z,900,price
D-3,2026-01-08T08:00:00Z,open,,,,
"""
FEW = settings(
    max_examples=4,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def folder_of(tmp_path, **tables):
    for name, text in tables.items():
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    return tmp_path


def parquet_of(tmp_path, **tables):
    with duckdb.connect() as connection:
        for name, frame in tables.items():
            connection.register("given", frame)
            connection.execute(f"copy given to '{tmp_path}/{name}.parquet'")
    return tmp_path


def reasons(data):
    return dict(zip(data.rejects["line"], data.rejects["reason"], strict=True))


def assert_nothing_lost(data):
    counts = data.counts
    assert (counts["rows_in"] == counts["rows_used"] + counts["rows_rejected"]).all()
    for row in counts.itertuples():
        assert len(data.frame(row.table)) == row.rows_used
        assert (data.rejects["table"] == row.table).sum() == row.rows_rejected


# --- what comes out ---------------------------------------------------------------------------


def test_a_folder_becomes_frames(tmp_path):
    data = load(folder_of(tmp_path, leads=LEADS, deals=DEALS))
    assert data.as_of == dt.date(2026, 1, 9)
    assert data.leads["lead_id"].tolist() == ["L-1", "L-2", "L-3"]
    assert data.leads["created_at"].tolist() == [
        pd.Timestamp("2026-01-05 09:30", tz="UTC"),
        pd.Timestamp("2026-01-06 10:00", tz="UTC"),
        pd.Timestamp("2026-01-07 00:00", tz="UTC"),
    ]
    assert data.leads["note"].fillna("").tolist() == ["first", "", "two lines, and a comma"]
    assert data.deals["amount"].sum() == 2100.5
    assert data.has("leads", "channel") and not data.has("leads", "region")
    assert not data.has("touches") and not data.has("leads", "no_such_column")
    assert_nothing_lost(data)


def test_a_dataset_prints_what_it_holds_and_completes_its_tables():
    leads = pd.DataFrame({"lead_id": ["L-1", "L-2"], "created_at": "2026-01-05"})
    data = Tables.of(leads=leads, plan={"company": {"name": "Acme"}})
    assert repr(data) == "Dataset of Acme up to 2026-01-05, rows by table: leads 2"
    assert {*TABLES, "findings", "rejects"} <= {*dir(data)}


def test_every_frame_has_the_columns_and_types_of_the_contract(tmp_path):
    data = load(folder_of(tmp_path, leads=LEADS))
    kinds = {Kind.TIME: "datetime64[us, UTC]", Kind.DATE: "datetime64[us]"} | dict.fromkeys(
        (Kind.NUMBER, Kind.MONEY, Kind.COUNT), "float64"
    )
    for name, table in TABLES.items():
        frame = data.frame(name)
        assert list(frame.columns)[: len(table.columns)] == list(table.by_name)
        for column in table.columns:
            assert str(frame[column.name].dtype) == kinds.get(column.kind, "str"), column.name


def test_sql_sees_tables_by_name_and_naive_utc():
    data = Tables.of(
        leads=pd.DataFrame({"lead_id": ["a"], "created_at": ["2026-01-05T01:00+02:00"]})
    )
    found = data.sql("select lead_id, created_at from leads where lead_id = $id", id="a")
    assert found["created_at"].iloc[0] == pd.Timestamp("2026-01-04 23:00")
    with pytest.raises(FunnelError, match="A query cannot be run"):
        data.sql("select nothing from leads")
    with pytest.raises(ParameterError, match="no step"):
        data.step("no_such_step")


def test_a_day_in_a_time_column_begins_at_local_midnight():
    plan = Plan(company=Company(timezone="Europe/Berlin"))
    leads = pd.DataFrame({"lead_id": ["a", "b"], "created_at": ["2026-01-05", "2026-07-05"]})
    moments = Tables.of(plan=plan, as_of="2026-12-31", leads=leads).leads["created_at"]
    assert moments.dt.strftime("%m-%d %H").tolist() == ["01-04 23", "07-04 22"]


@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        ("2026-01-05T09:30:00Z", "2026-01-05 09:30"),
        ("2026-01-05 09:30", "2026-01-05 09:30"),
        ("2026-01-05T09:30:00.25", "2026-01-05 09:30:00.25"),
        ("2026-01-05T09:30:00,25Z", "2026-01-05 09:30:00.25"),
        ("2026-01-05 09:30+02", "2026-01-05 07:30"),
        ("2026-01-05T09:30:00+02:00", "2026-01-05 07:30"),
        ("2026-01-05T09:30:00-0530", "2026-01-05 15:00"),
        ("  2026-01-05T09:30:00 Z ", "2026-01-05 09:30"),
        (" 2026-01-05T09:30:00Z", "2026-01-05 09:30"),
        ("2026-01-05T09:30:00Z\u00a0", "2026-01-05 09:30"),
        ("2026-01-05T09:30Z", "2026-01-05 09:30"),
        ("2026-01-05T24:00:00Z", "2026-01-06 00:00"),
    ],
)
def test_iso_times_are_read(cell, moment):
    data = Tables.of(leads=pd.DataFrame({"lead_id": ["a"], "created_at": [cell]}))
    assert data.leads["created_at"].iloc[0] == pd.Timestamp(moment, tz="UTC")


@pytest.mark.parametrize(
    "cell",
    ["31/12/2026", "12/31/2026", "2026/01/05", "2026-1-5", "20260105", "2026-02-30", "infinity",
     " 2026-1-05T09:30:00Z", "2026-1-05T09:30:00Z ", "2026-1-05T09:30:000Z", "2026-1-5T09:30:00Z",
     "2026-1-5T9:30:00Z", "2026-1-05T9:3:00Z",
     "2026-01-05 (BC)", "2026-01-05 10:00 Europe/Berlin", "2026-01-05T25:00:00", "46027"],
)  # fmt: skip
def test_other_dates_are_never_guessed(cell):
    leads = pd.DataFrame({"lead_id": ["a", "b"], "created_at": ["2026-01-05", cell]})
    data = Tables.of(plan=LENIENT, leads=leads)
    assert len(data.leads) == 1
    assert data.rejects["reason"].tolist() == [f"`created_at` is not a date: '{cell.strip()}'"] or (
        cell == "infinity" and "is not a date: words" in data.rejects["reason"].iloc[0]
    )


@pytest.mark.parametrize(
    "cell", ["1,234.5", "1.234,50", "EUR 3", "nan", "inf", "1_000", "12e", "-"]
)
def test_other_numbers_are_never_guessed(cell):
    deals = pd.DataFrame(
        {
            "deal_id": ["a", "b"],
            "created_at": "2026-01-05",
            "outcome": "open",
            "amount": ["1", cell],
        }
    )
    data = Tables.of(plan=LENIENT, deals=deals)
    assert data.deals.set_index("deal_id")["amount"].dropna().to_dict() == {"a": 1.0}
    assert data.findings["what"].tolist() == ["unread_amount"] and data.rejects.empty
    with pytest.raises(TableError, match=r"`amount` cannot be read in 1 of 2 rows .* mapping"):
        Tables.of(deals=deals)


@pytest.mark.parametrize("cell", ["1e308", "-1e300", "1000000000000001", 1e308, 10**16])
def test_numbers_that_would_overflow_are_rejected(cell):
    leads = pd.DataFrame({"lead_id": ["a", "b"], "created_at": "2026-01-05", "score": [cell, 1]})
    data = Tables.of(plan=LENIENT, leads=leads)
    assert data.leads["score"].tolist() == [1.0]
    assert data.rejects["reason"].tolist() == [
        "`score` is beyond 1,000,000,000,000,000, above or below zero"
    ]
    leads["score"] = [1e15, -1e15]
    assert len(Tables.of(plan=LENIENT, leads=leads).leads) == 2
    deals = pd.DataFrame({"deal_id": ["a", "b"], "created_at": "2026-01-05", "outcome": "open"})
    data = Tables.of(plan=LENIENT, deals=deals.assign(amount=[cell, 1]))
    assert data.deals["amount"].dropna().tolist() == [1.0] and len(data.deals) == 2


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("cell", ["0001-01-01", "0001-12-31T23:00:00Z"])
def test_dates_of_year_one_are_rejected(tmp_path, monkeypatch, cell, big):
    if big:
        monkeypatch.setattr(table_reader, "BIG", -1)
    leads = pd.DataFrame({"lead_id": ["a", "b"], "created_at": ["2026-01-05", cell]})
    folder = parquet_of(
        tmp_path,
        leads=leads.assign(created_at=leads["created_at"].str[:10].astype("datetime64[us]")),
    )
    for data in (Tables.of(plan=LENIENT, leads=leads), load(folder, plan=LENIENT)):
        assert data.leads["lead_id"].tolist() == ["a"]
        assert data.rejects["reason"].tolist() == [
            "`created_at` is before the year 2, often written for an empty date"
        ]
    with pytest.raises(TableError, match="is before the year 2"):
        Tables.of(leads=leads.assign(created_at=cell))


@pytest.mark.parametrize("name", ["line:", "File:", "reason:", "row:", "nth:", "bare:lead_id"])
def test_a_column_with_a_name_of_our_own_is_refused(tmp_path, name):
    folder = folder_of(tmp_path, leads=f"lead_id,created_at,{name}\nL-1,2026-01-05,x\nL-2,,x\n")
    with pytest.raises(TableError, match=f"leads.csv has a column called `{name.lower()}`"):
        load(folder, plan=LENIENT)
    folder_of(tmp_path, leads="lead_id,created_at,deadline:\nL-1,2026-01-05,x\n")
    assert load(folder, plan=LENIENT).leads["deadline:"].tolist() == ["x"]


# --- rows that break the contract -------------------------------------------------------------


def test_each_broken_row_has_its_line_and_reasons(tmp_path):
    leads = (
        "lead_id,created_at,employees\n"
        "L-1,2026-01-05,10\n"
        ",2026-01-05,10\n"
        '"L-\n3",31/12/2026,-4\n'
        "L-4,2026-01-06,many 1\n"
        "\n"
        "L-1,2026-01-05,\n"
    )
    deals = (
        "deal_id,created_at,outcome,lead_id,closed_at\n"
        "D-1,2026-01-06,won,L-1,2026-01-05\n"
        "D-2,2026-01-06,Won,L-4,\n"
        "D-3,2026-01-06,over,L-1,\n"
        "D-4,2026-01-06,open,L-9,\n"
        "D-5,2026-01-06,WON,L-4,2026-01-06\n"
    )
    data = load(folder_of(tmp_path, leads=leads, deals=deals), plan=LENIENT)
    found = {(row.table, row.line): row.reason for row in data.rejects.itertuples()}
    assert found == {
        ("leads", 3): "`lead_id` is empty",
        ("leads", 4): "`created_at` is not a date: '31/12/2026'; `employees` is negative",
        ("leads", 6): "`employees` is not a plain number: 'many 1'",
        ("leads", 8): "`lead_id` is there twice",
        ("deals", 3): "`closed_at` is empty, though the deal is closed",
        ("deals", 4): "`outcome` is none of open, won, lost: 'over'",
    }
    # D-1 was closed before it was created, D-4 has an unknown lead, D-5 a rejected one
    deals = data.deals.set_index("deal_id")
    assert deals["outcome"].to_dict() == {"D-1": "won", "D-4": "open", "D-5": "won"}
    assert deals["lead_id"].dropna().to_dict() == {"D-1": "L-1", "D-5": "L-4"}
    assert deals["created_at"].notna().to_dict() == {"D-1": False, "D-4": True, "D-5": True}
    assert_nothing_lost(data)


def test_a_row_needs_a_stage_of_the_plan_and_one_of_two_keys():
    leads = pd.DataFrame({"lead_id": ["a"], "created_at": ["2026-01-05"]})
    stages = pd.DataFrame(
        {"lead_id": "a", "stage": ["MQL", "dreaming"], "entered_at": "2026-01-05"}
    )
    touches = pd.DataFrame(
        {"occurred_at": "2026-01-05", "channel": "web", "lead_id": ["a", None, None],
         "account_id": [None, "x", " "]}
    )  # fmt: skip
    data = Tables.of(plan=LENIENT, leads=leads, stage_changes=stages, touches=touches)
    assert data.stage_changes["stage"].tolist() == ["mql"]
    assert data.rejects["reason"].tolist() == [
        "`stage` is no stage of the plan: 'dreaming'",
        "neither `lead_id` nor `account_id` is filled",
    ]


def test_a_key_may_consist_of_optional_columns():
    leads = pd.DataFrame({"lead_id": ["a"], "created_at": ["2026-02-05"]})
    subscriptions = pd.DataFrame(
        {"account_id": "x", "month": "2026-01-01", "mrr": [1, 2, 3], "product": ["p", None, None]}
    )
    touches = pd.DataFrame(
        {"occurred_at": "2026-01-05", "channel": "web", "lead_id": "a",
         "touch_id": ["t", "t", None, None]}
    )  # fmt: skip
    data = Tables.of(plan=LENIENT, leads=leads, subscriptions=subscriptions, touches=touches)
    assert sorted(data.subscriptions["mrr"]) == [1, 2]
    assert len(data.touches) == 3


def test_too_many_broken_rows_stop_with_one_paragraph(tmp_path):
    rows = "".join(f"L-{n},{n}/01/2026\n" for n in range(1, 13))
    folder = folder_of(tmp_path, leads="lead_id,created_at\nL-0,2026-01-01\n" + rows)
    with pytest.raises(TableError) as stopped:
        load(folder)
    message = str(stopped.value)
    assert "\n" not in message
    for part in ("12 of 13 rows", "leads.csv", "not a date", "line 3, 4, 5", "Marketing Ops"):
        assert part in message
    assert load(folder, plan={"max_rejected": 0.95}).counts["rows_used"].tolist() == [1]


@pytest.mark.parametrize(
    ("broken", "line", "reason"),
    [
        ('L-2,"2026-01-06,web\n', 3, "a quote opens and does not close"),
        ("L-2,2026-01-06\n", 3, "2 cells where the header has 3"),
        ("L-2,2026-01-06,web,x\n", 3, "4 cells where the header has 3"),
        ('L-2,"2026-01-06"x,web\n', 3, "text follows a closing quote"),
        ('"L-2,2026-01-06,web\n', 3, "a quote opens and does not close"),
    ],
)
def test_a_line_that_cannot_be_split_is_the_only_row_lost(tmp_path, broken, line, reason):
    good = "".join(f'L-{n},2026-01-0{n},"web, {n}"\n' for n in range(3, 9))
    text = "lead_id,created_at,channel\nL-1,2026-01-05,web\n" + broken + good
    data = load(folder_of(tmp_path, leads=text), plan=LENIENT)
    assert reasons(data) == {line: reason}
    assert len(data.leads) == 7
    assert_nothing_lost(data)


def test_rejects_are_written_with_the_columns_of_the_source(tmp_path):
    leads = "Lead_ID ,created_at,E-Mail,note\nL-1,2026-01-05,a@b.de,x\n,2026-01-05,jo@x.org,=1+1\n"
    data = load(folder_of(tmp_path, leads=leads), plan=LENIENT)
    data.write_rejects(tmp_path / "rejects")
    with (tmp_path / "rejects" / "leads.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["Lead_ID ", "created_at", "E-Mail", "note", "line", "reason"]
    assert rows[0]["line"] == "3" and rows[0]["reason"] == "`lead_id` is empty"
    assert rows[0]["E-Mail"].startswith("id-") and rows[0]["note"] == "'=1+1"


# --- laws -------------------------------------------------------------------------------------

CELLS = {
    "lead_id": st.sampled_from(["L-1", "L-2", "L-3", "L-4", " L-1", "", "a@b.de"]),
    "created_at": st.sampled_from(
        ["2026-01-05", "2026-01-06T10:00:00Z", "2026-01-07 10:00:00", "5/1/2026", "", "2099-01-01"]
    ),
    "channel": st.sampled_from(["web", "email", "", "a,b", 'say "x"', "two\nlines"]),
    "employees": st.sampled_from(["1", "20", "", "-3", "1,5", "n/a"]),
    "grade": st.sampled_from(["A", "b", "", "Z"]),
    "extra": st.sampled_from(["1", "02", "", "x;y", "ü"]),
}
ROWS = st.lists(st.fixed_dictionaries(CELLS), min_size=1, max_size=12)
SURE = {"lead_id": "S-1", "created_at": "2026-01-05", "channel": "web"}


def as_csv(rows, columns=tuple(CELLS), separator=","):
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="", delimiter=separator, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def loaded(folder, text, name="leads.csv", encoding="utf-8"):
    for old in folder.iterdir():
        old.unlink()
    raw = text.encode(encoding)
    (folder / name).write_bytes(gzip.compress(raw) if name.endswith("gz") else raw)
    return load(folder, plan=LENIENT)


def assert_same(one, other):
    assert one.as_of == other.as_of
    pd.testing.assert_frame_equal(one.leads, other.leads)
    assert sorted(one.rejects["reason"]) == sorted(other.rejects["reason"])


@FEW
@given(rows=ROWS, lines=st.lists(st.sampled_from(['"', "x", "a,b", ",,,,,", 'L-9,"2026'])))
def test_rows_in_are_rows_used_and_rows_rejected(tmp_path, rows, lines):
    text = as_csv([SURE, *rows]) + "".join(f"{line}\n" for line in lines)
    data = loaded(tmp_path, text)
    assert_nothing_lost(data)
    assert data.counts["rows_in"].sum() == 1 + len(rows) + len(lines)
    assert data.rejects["reason"].str.len().min() > 0 or data.rejects.empty


@FEW
@given(rows=ROWS, data=st.data())
def test_the_order_of_rows_and_columns_does_not_matter(tmp_path, rows, data):
    rows = [SURE, *rows]
    shuffled = data.draw(st.permutations(rows))
    columns = data.draw(st.permutations(list(CELLS)))
    assert_same(loaded(tmp_path, as_csv(rows)), loaded(tmp_path, as_csv(shuffled, columns)))


@FEW
@given(rows=ROWS)
def test_encoding_separator_and_compression_do_not_matter(tmp_path, rows):
    rows = [SURE, *rows]
    plain = loaded(tmp_path, as_csv(rows))
    for name, encoding, separator in (
        ("leads.csv", "utf-8-sig", ";"),
        ("leads.csv", "utf-16", "\t"),
        ("leads.csv", "cp1252", ","),
        ("Leads.CSV.gz", "utf-8", ";"),
    ):
        assert_same(plain, loaded(tmp_path, as_csv(rows, separator=separator), name, encoding))
    loaded_crlf = loaded(tmp_path, as_csv(rows).replace("\n", "\r\n"))
    assert_same(plain, loaded_crlf)


@FEW
@given(rows=ROWS)
def test_parquet_and_big_tables_are_read_alike(tmp_path, rows):
    rows = [SURE, *rows]
    plain = loaded(tmp_path, as_csv(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_reader, "BIG", 0)
        big = loaded(tmp_path, as_csv(rows))
        assert_nothing_lost(big)
        assert_same(plain, big)
    (tmp_path / "leads.csv").unlink()
    frame = pd.DataFrame(rows, columns=list(CELLS)).fillna("")
    connection = duckdb.connect()
    connection.register("frame", frame)
    (tmp_path / "leads").mkdir()
    half = len(frame) // 2
    for part, where in enumerate((f"limit {half}", f"offset {half}")):
        connection.execute(f"copy (from frame {where}) to '{tmp_path}/leads/{part}.parquet'")
    connection.close()
    try:
        assert_same(plain, load(tmp_path, plan=LENIENT))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(table_reader, "BIG", 0)
            assert_same(plain, load(tmp_path, plan=LENIENT))
    finally:
        for part in (tmp_path / "leads").iterdir():
            part.unlink()
        (tmp_path / "leads").rmdir()
    assert_same(plain, Tables.of(plan=LENIENT, leads=frame))


@pytest.mark.parametrize(
    ("touch_ids", "kept"),
    [
        (["T-1", "T-2", "T-3", "T-4"], 4),
        (["T-1", "T-1 ", "T-3", "T-4"], 3),
        (["T-1", "T-1\t", "T-1 ", "T-4"], 2),
        (["T-4", "T-2", "T-3", "T-1"], 4),
        (["T-4", "T-2", "T-3", "T-4"], 3),
        (["T-5", None, "T-5", None], 3),
        (["T-1", "T-3", "T-3", "T-4"], 3),
        (["T-1", "T-4", "T-1", "T-4"], 2),
        (["T-1", "T-3", "T-2", "T-4"], 4),
        ([" ", "", "T-1", "T-2"], 4),
    ],
)
def test_duplicate_keys_of_a_big_table_are_rejected(tmp_path, monkeypatch, touch_ids, kept):
    leads = pd.DataFrame({"lead_id": ["a", "b"], "created_at": "2026-01-05"})
    touches = pd.DataFrame(
        {"occurred_at": ["2026-01-05T09:30:00Z"] * 4, "channel": "web",
         "lead_id": ["a", "b", "b", "a"], "touch_id": touch_ids}
    )  # fmt: skip
    monkeypatch.setattr(table_reader, "BIG", 0)
    data = load(parquet_of(tmp_path, leads=leads, touches=touches), plan=LENIENT)
    assert len(data.touches) == kept
    assert data.touches["touch_id"].dropna().is_unique
    assert set(data.rejects["reason"]) <= {"`touch_id` is there twice"}
    assert_nothing_lost(data)


@pytest.mark.parametrize(
    "words",
    [["web", "web"], ["web", " web\t"], ["web", "ask a@example.com"], ["\xa0w", "web\x07x"]],
)
def test_texts_and_keys_of_big_tables_are_read_as_in_small_ones(
    tmp_path, monkeypatch, words
):  # fmt: skip
    tables = {
        "leads": pd.DataFrame(
            {"lead_id": ["a", " b", "+4 c"], "created_at": "2026-01-05",
             "industry": [str(np.random.default_rng(i).bytes(2000)) for i in range(3)]}
        ),
        "touches": pd.DataFrame(
            {"occurred_at": "2026-01-05", "channel": words, "account_id": ["A", " A"],
             "kind": words, "touch_id": ["T-2", "T-1"]}
        ),
        "deals": pd.DataFrame(
            {"deal_id": ["D-1", "D-2"], "created_at": "2026-01-06", "outcome": "open",
             "lead_id": ["b", "nobody"]}
        ),
    }  # fmt: skip
    plain = Tables.of(plan=LENIENT, **tables)
    folder = parquet_of(tmp_path, **tables)
    for big in (0, (folder / "deals.parquet").stat().st_size):
        monkeypatch.setattr(table_reader, "BIG", big)
        data = load(folder, plan=LENIENT)
        assert data.views == (set(tables) if not big else {"leads"} | data.views - {"deals"})
        for name in tables:
            pd.testing.assert_frame_equal(data.frame(name), plain.frame(name))
        assert data.rejects["reason"].tolist() == plain.rejects["reason"].tolist()
        assert_nothing_lost(data)


def test_a_simple_text_needs_no_trimming_and_no_hashing():
    signs = pd.DataFrame({"sign": pd.Series([chr(code) for code in range(1, 0x2070)], dtype="str")})
    with Engine() as engine:
        privacy.install(engine, "key")
        engine.register("signs", signs)
        for cell in ("sign", "(sign || 'a')", "('a' || sign)", "('a' || sign || '1')"):
            simple = f"from signs where {casts.is_simple(cell)}"
            is_trimmed = f"coalesce({casts.bare(cell, 'VARCHAR')} <> {cell}, true)"
            wrong = f"{is_trimmed} or _odd({cell}) or regexp_matches({cell}, '[@+(]')"
            assert engine.rows(f"select count(*) {simple}")[0][0] > 60
            assert engine.rows(f"select sign {simple} and ({wrong})") == []


@pytest.mark.parametrize("key", ["b ", "\tb", "z", " ", None])
def test_missing_references_of_a_big_table_are_rejected(tmp_path, monkeypatch, key):
    leads = pd.DataFrame({"lead_id": ["a", " b"], "created_at": "2026-01-05"})
    touches = pd.DataFrame({"occurred_at": "2026-01-05", "channel": "web", "lead_id": ["a", key]})
    plain = Tables.of(plan=LENIENT, leads=leads, touches=touches)
    monkeypatch.setattr(table_reader, "BIG", 0)
    big = load(parquet_of(tmp_path, leads=leads, touches=touches), plan=LENIENT)
    assert big.touches["lead_id"].tolist() == plain.touches["lead_id"].tolist()
    assert big.rejects["reason"].tolist() == plain.rejects["reason"].tolist()
    assert len(big.touches) == (2 if key in ("b ", "\tb") else 1)
    assert_nothing_lost(big)


def test_typed_parquet_is_read_as_the_same_text_is(tmp_path):
    query = """select 1001 as lead_id, timestamptz '2026-01-05 10:00:00+02' as created_at,
        date '2026-01-06' as assigned_at, 12.5::decimal(9, 2) as annual_revenue, 7::utinyint as
        employees, 'nan'::double as score, 3::float as stars
        union all select 1002, '2026-01-07 00:00:00+00', null, null, null, 4.5, null"""
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    connection.execute(f"copy ({query}) to '{tmp_path}/leads.parquet'")
    deals = """select 'D-1' as deal_id, timestamp_ns '2026-01-06 10:00:00' as created_at,
        1001.0::double as lead_id, 'won' as outcome, date '2026-01-07' as closed_at, 5 as amount"""
    connection.execute(f"copy ({deals}) to '{tmp_path}/deals.parquet'")
    connection.close()
    data = load(tmp_path)
    assert data.rejects.empty
    assert data.leads["lead_id"].tolist() == ["1001", "1002"]
    assert data.leads["created_at"].iloc[0] == pd.Timestamp("2026-01-05 08:00", tz="UTC")
    assert data.leads["annual_revenue"].iloc[0] == 12.5
    assert data.leads["score"].isna().tolist() == [True, False]
    assert data.deals["lead_id"].tolist() == ["1001"]


# --- the plan ---------------------------------------------------------------------------------

PLAN = """
[company]
name = "Acme"
currency = "USD"
timezone = "Europe/Berlin"

[plan]
level = 0.8

[definition]
agreed = "employees >= 50"
"""


def test_keys_given_to_load_override_those_of_the_folder_and_no_other(tmp_path):
    folder = folder_of(tmp_path, leads=LEADS)
    (folder / "funnel.toml").write_text(PLAN)
    whole = load(folder).plan
    assert (whole.company.currency, whole.level) == ("USD", 0.8)
    keys = {"segments": ["note"]}
    assert load(folder, plan=keys).plan == whole.with_keys(keys)
    assert load(folder, plan=Plan()).plan == Plan()


def test_keys_given_with_frames_override_those_of_the_default_plan_and_no_other():
    leads = pd.DataFrame({"lead_id": ["a"], "created_at": ["2026-01-05"]})
    plan = Plan.of({"company": {"currency": "USD", "timezone": "Europe/Berlin"}})
    company = {"company": {"currency": "USD", "timezone": "Europe/Berlin"}}
    data = Tables.of(leads=leads, plan={"segments": ["region"], **company})
    assert data.plan == plan.with_keys(segments=["region"])
    assert Tables.of(leads=leads, plan=plan.with_keys(level=0.8)).plan.company == plan.company
    assert Tables.of(leads=leads, plan={}).plan == Tables.of(leads=leads).plan == Plan()


def test_a_dataset_under_another_plan_has_the_same_rows_and_the_other_keys_of_its_own():
    leads = pd.DataFrame({"lead_id": ["a"], "created_at": ["2026-01-05"]})
    plan = Plan.of({"company": {"currency": "USD", "timezone": "Europe/Berlin"}})
    data = Tables.of(leads=leads, plan=plan)
    other = data.with_plan({"measure": "wins", "period": "month"})
    assert other.plan == plan.with_keys(measure="wins", period="month")
    assert other.leads is data.leads
    assert data.with_plan(None) is data
    assert data.with_plan(plan.with_keys(level=0.8)).plan.level == 0.8
    for keys in ({"company": {"timezone": "UTC"}}, {"stages": {"order": ["lead", "won"]}}):
        with pytest.raises(ParameterError, match="rows were read"):
            data.with_plan(keys)


def test_the_moment_at_which_a_dataset_ends_is_local_midnight():
    leads = pd.DataFrame({"lead_id": ["a"], "created_at": ["2026-01-05"]})
    plan = {"company": {"timezone": "America/New_York"}}
    data = Tables.of(leads=leads, plan=plan, as_of="2026-03-31")
    assert data.ends_at == pd.Timestamp("2026-04-01T04:00Z")


# --- the last day that the data covers -------------------------------------------------------


def test_what_happened_after_as_of_is_cut():
    plan = Plan(company=Company(timezone="America/New_York"))
    leads = pd.DataFrame(
        {"lead_id": ["a", "b", "c"],
         "created_at": ["2026-03-01", "2026-04-01T03:59:59Z", "2026-04-01T04:00:00Z"],
         "assigned_at": ["2026-04-02", None, None]}
    )  # fmt: skip
    deals = pd.DataFrame(
        {"deal_id": ["x", "y"], "lead_id": ["a", "c"], "created_at": "2026-03-02",
         "outcome": ["won", "lost"], "closed_at": ["2026-04-02", "2026-03-09"], "amount": 5,
         "loss_reason": ["none", "price"]}
    )  # fmt: skip
    reps = pd.DataFrame({"owner": ["Jo"], "started_on": "2025-01-01", "left_on": "2026-04-01"})
    targets = pd.DataFrame(
        {"period_start": ["2026-07-01"], "measure": ["bookings"], "target": [1e6]}
    )
    data = Tables.of(
        plan=plan, as_of="2026-03-31", leads=leads, deals=deals, reps=reps, targets=targets
    )
    assert data.leads["lead_id"].tolist() == ["a", "b"]
    assert data.leads["assigned_at"].isna().all()
    assert data.deals.set_index("deal_id")["outcome"].to_dict() == {"x": "open", "y": "lost"}
    assert data.deals["closed_at"].notna().sum() == 1
    assert data.deals["loss_reason"].notna().sum() == 1
    assert data.reps["left_on"].isna().all()
    assert len(data.targets) == 1
    assert data.rejects["reason"].tolist() == ["after as_of (2026-03-31)"]
    assert data.counts.set_index("table").loc["leads", "rows_after_as_of"] == 1


def test_as_of_before_all_data_and_beyond_it():
    leads = pd.DataFrame({"lead_id": ["a"], "created_at": ["2026-03-01"]})
    with pytest.raises(TableError, match="from 2026-03-01 to 2026-03-01"):
        Tables.of(leads=leads, as_of="2026-02-28")
    data = Tables.of(leads=leads, as_of=dt.date(2026, 3, 20))
    assert data.as_of == dt.date(2026, 3, 20)
    assert data.findings["what"].tolist() == ["as_of_after_data"]
    for wrong in ("20260320", "31/12/2026", "soon", "2026-02-30"):
        with pytest.raises(ParameterError, match="YYYY-MM-DD"):
            Tables.of(leads=leads, as_of=wrong)


def test_every_table_is_cut_at_a_day_within_its_dates(tmp_path):
    company = sample.company("none", seed=3, leads=60, quarters=4)
    sample.write(company, tmp_path / "acme")
    whole = load(tmp_path / "acme")
    early = load(tmp_path / "acme", as_of="2026-02-10")
    assert early.counts["rows_in"].tolist() == whole.counts["rows_in"].tolist()
    used = early.counts["rows_used"] + early.counts["rows_rejected"]
    assert used.tolist() == early.counts["rows_in"].tolist()
    late = early.counts.set_index("table")["rows_after_as_of"]
    for table in ("leads", "deals", "touches", "activities", "spend", "subscriptions"):
        assert late[table] > 0, table
    assert late["targets"] == late["claims"] == 0


# --- folders that cannot be read --------------------------------------------------------------


def stops(folder, *parts, **more):
    with pytest.raises(TableError) as stopped:
        load(folder, **more)
    message = str(stopped.value)
    assert "\n" not in message and len(message) < 700
    for part in parts:
        assert part in message


def test_folders_without_usable_tables_stop(tmp_path):
    stops(tmp_path / "nowhere", "is not there")
    stops(tmp_path, "neither leads nor deals", "It is empty")
    (tmp_path / "lead.csv").write_text(LEADS)
    stops(tmp_path, "lead.csv", "nearest name")
    (tmp_path / "lead.csv").rename(tmp_path / "leads.csv")
    (tmp_path / "leads.parquet").write_bytes(b"")
    stops(tmp_path, "leads.csv, leads.parquet", "guessed")


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("leads.csv", b"", "without even a header"),
        ("leads.csv", b"lead_id,created\nL-1,2026-01-01\n", "nearest column there is `created`"),
        ("leads.csv", b"lead_id,created_at\n", "no row that can be used"),
        ("leads.csv", b"PK\x03\x04" + bytes(range(256)) * 20, "binary"),
        ("leads.csv", bytes(range(128, 192)) + b"\x00\x01\x00\x00\x02", "binary"),
        ("leads.csv", b"x,y,z\n1,2,3\n", "names no column of this table"),
        ("leads.csv", b"lead_id,created_at,Created_At\nL-1,2026-01-01,\n", "both called"),
        ("leads.csv.gz", gzip.compress(LEADS.encode() * 50)[:-20], "cut short"),
        ("leads.csv.gz", LEADS.encode(), "not packed"),
        ("leads.parquet", LEADS.encode(), "no readable Parquet"),
    ],
)
def test_unreadable_files_stop(tmp_path, name, content, part):
    (tmp_path / name).write_bytes(content)
    stops(tmp_path, "leads", part)


def test_a_table_with_only_a_header_is_an_empty_one(tmp_path):
    touches = "occurred_at,channel,lead_id\n"
    data = load(folder_of(tmp_path, leads=LEADS, touches=touches))
    assert data.touches.empty and not data.has("touches")
    assert data.counts.set_index("table").loc["touches", "rows_in"] == 0


def test_subscriptions_or_touches_alone_are_a_dataset(tmp_path):
    (tmp_path / "subscriptions.csv").write_text(
        "account_id,month,mrr\nA,2026-01-01,10\nA,2026-02-01,12\n"
    )
    for _ in range(2):  # read, and opened from the cache
        data = load(tmp_path)
        assert (str(data.as_of), data.plan.measure, len(data.subscriptions)) == (
            *("2026-02-28", "mrr", 2),
        )
    (tmp_path / "subscriptions.csv").rename(tmp_path / "touches.csv")
    (tmp_path / "touches.csv").write_text("occurred_at,channel,account_id\n2026-01-05,web,A\n")
    data = load(tmp_path)
    assert (str(data.as_of), data.plan.measure) == ("2026-01-05", "bookings")


OF_DEALS = "deal_id,created_at,closed_at,outcome,amount\n"


@pytest.mark.parametrize("word", ["Total", "Subtotal:", "SUMME"])
def test_a_line_of_totals_is_named_with_the_line_that_leaves_it_out(tmp_path, word):
    rows = [f"D{i},2026-05-01,2026-05-02,won,100\n" for i in range(9)]
    (tmp_path / "deals.csv").write_text(f"{OF_DEALS}{''.join(rows)}{word},,,,900\n")
    with pytest.raises(TableError, match="Line 11 looks like the totals") as stopped:
        load(tmp_path, fresh=True)
    line = re.search(r"exclude\.deals = \"(.*?)\"", str(stopped.value))[1]
    data = load(tmp_path, plan={"records": {"exclude": {"deals": line}}}, fresh=True)
    assert data.deals["amount"].sum() == 900.0


def test_words_that_are_not_the_contracts_are_answered_with_aliases(tmp_path):
    rows = [f"D{i},2026-05-01,2026-05-02,Closed Won,100\n" for i in range(9)]
    (tmp_path / "deals.csv").write_text(OF_DEALS + "".join(rows))
    with pytest.raises(TableError, match=r"`\[records\] aliases\.outcome"):
        load(tmp_path, fresh=True)
    aliases = {"outcome": {"Closed Won": "won"}}
    data = load(tmp_path, plan={"records": {"aliases": aliases}}, fresh=True)
    assert data.deals["outcome"].tolist() == ["won"] * 9


def test_keys_that_a_spreadsheet_rounded_are_named_where_rows_are_nothing_without_them(tmp_path):
    (tmp_path / "leads.csv").write_text(
        "lead_id,created_at\n" + "".join(f"{100001 + i},2026-05-01\n" for i in range(20))
    )
    # this table has no key of its own, which a hint once asked for
    (tmp_path / "stage_changes.csv").write_text(
        "lead_id,stage,entered_at\n1.00E+05,mql,2026-05-02\n"
    )
    with pytest.raises(TableError, match=r"power of ten \(1.23E\+11\)"):
        load(tmp_path, fresh=True)
