"""A mapping turns exports into tables, loses no row, and says what it cannot follow."""

import os
import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funnel.contract.errors import FunnelError, SourceError
from funnel.dataset import load
from funnel.sources.mapping import convert

LEADS = """
[tables.leads]
source = "crm.csv"
columns = { lead_id = "Id", created_at = "Created", channel = "Source", annual_revenue = "Revenue" }
"""
EXPORT = "Id,Created,Source,Revenue,Page\nA,2026-01-05,Web,1000,home\nB,2026-01-06,,2000,price\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "crm.csv").write_text(EXPORT)
    return tmp_path


def imported(folder, mapping, export=None, **how):
    (folder / "mapping.toml").write_text(mapping, encoding="utf-8")
    if export is not None:
        encoding = how.get("encoding", "utf-8")
        (folder / "exports" / "crm.csv").write_bytes(export.encode(encoding))
    return convert(folder / "mapping.toml", folder / "exports", folder / "out")


def written(folder, table="leads"):
    return pd.read_csv(folder / "out" / f"{table}.csv", dtype=str, keep_default_na=False)


def test_columns_are_renamed_and_others_not_written(folder):
    report = imported(folder, LEADS)
    assert written(folder).to_dict("list") == {
        "lead_id": ["A", "B"],
        "created_at": ["2026-01-05", "2026-01-06"],
        "channel": ["Web", ""],
        "annual_revenue": ["1000", "2000"],
    }
    (row,) = report.tables.to_dict("records")
    assert (row["rows_in"], row["rows_excluded"], row["rows_broken"], row["rows_out"]) == (
        2,
        0,
        0,
        2,
    )
    assert str(report).startswith("leads: 2 rows from crm.csv.")


def test_constants_extra_columns_and_values(folder):
    imported(
        folder,
        LEADS
        + 'constants = { motion = "inbound", employees = 5 }\nkeep = ["Page"]\n'
        + '[tables.leads.values.channel]\n"Web" = "web"\n"" = "(blank)"\n',
    )
    table = written(folder)
    assert table["channel"].tolist() == ["web", "(blank)"]
    assert table["motion"].tolist() == ["inbound"] * 2
    assert table["employees"].tolist() == ["5", "5"]
    assert table["page"].tolist() == ["home", "price"]


def test_every_other_value(folder):
    export = "Id,Created,Source,Revenue\nA,2026-01-05,Web,\nB,2026-01-05,Fair,\nC,2026-01-05,,\n"
    imported(folder, LEADS + '[tables.leads.values.channel]\nWeb = "web"\n"*" = "rest"\n', export)
    assert written(folder)["channel"].tolist() == ["web", "rest", ""]


def test_keep_all(folder):
    imported(folder, LEADS + 'keep = ["*"]\n')
    assert written(folder)["page"].tolist() == ["home", "price"]


@pytest.mark.parametrize(
    ("form", "cell", "expected"),
    [
        ("%d/%m/%Y", "05/01/2026", "2026-01-05"),
        ("%m/%d/%Y %I:%M %p", "01/05/2026 02:30 PM", "2026-01-05T14:30:00Z"),
        ("%Y-%m-%d %H:%M:%S%z", "2026-01-05 14:30:00+02:00", "2026-01-05T12:30:00Z"),
        ("%d.%m.%Y", "05.01.2026", "2026-01-05"),
    ],
)
def test_dates_are_read_by_their_format(folder, form, cell, expected):
    export = f"Id,Created,Source,Revenue\nA,{cell},x,\n"
    imported(folder, LEADS + f'dates.created_at = "{form}"\n', export)
    assert written(folder)["created_at"].tolist() == [expected]


def test_times_are_in_the_source_s_zone_and_days_remain_days(folder):
    export = (
        "Id,Created,Source,Revenue\nA,05.01.2026 00:30,x,\nB,05.07.2026,x,\n"
        "C,2026-07-05T12:00:00+00:00,x,\n"
    )
    mapping = 'timezone = "Europe/Berlin"\n' + LEADS + (
        'dates.created_at = ["%d.%m.%Y %H:%M", "%d.%m.%Y", "%Y-%m-%dT%H:%M:%S%z"]\n'
    )  # fmt: skip
    imported(folder, mapping, export)
    assert written(folder)["created_at"].tolist() == [
        "2026-01-04T23:30:00Z",
        "2026-07-05",
        "2026-07-05T12:00:00Z",
    ]


def test_iso_times_without_an_offset_are_in_the_zone(folder):
    export = (
        "Id,Created,Source,Revenue\nA,2026-07-05 02:00:00,x,\nB,2026-07-05T02:00:00Z,x,\n"
        "C,2026-07-05,x,\n"
    )
    imported(folder, LEADS + 'timezone = "Europe/Berlin"\n', export)
    assert written(folder)["created_at"].tolist() == [
        "2026-07-05T00:00:00Z",
        "2026-07-05T02:00:00Z",
        "2026-07-05",
    ]


def test_an_unreadable_cell_is_written_unchanged_and_rejected_by_load(folder):
    export = "Id,Created,Source,Revenue\n" + "".join(
        f"L{i},{'05/01/2026' if i else 'soon'},x,1\n" for i in range(40)
    )
    report = imported(folder, LEADS + 'dates.created_at = "%d/%m/%Y"\n', export)
    assert report.tables["not_read"].tolist() == [1]
    assert "does not name, written unchanged: 1." in str(report)
    data = load(folder / "out")
    assert len(data.leads) == 39
    assert data.rejects["line"].tolist() == [2]


@pytest.mark.parametrize(
    ("decimal", "cell", "expected"),
    [
        (",", "1.234.567,89", "1234567.89"),
        (",", "12", "12"),
        (".", "1,234.50", "1234.50"),
        (",", "1\u00a0234,5", "1234.5"),
        (",", "n/a", "n/a"),
    ],
)
def test_numbers_by_their_decimal_sign(folder, decimal, cell, expected):
    export = f'Id;Created;Source;Revenue\nA;2026-01-05;x;"{cell}"\n'
    imported(folder, LEADS + f'decimal = "{decimal}"\n', export)
    assert written(folder)["annual_revenue"].tolist() == [expected]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_encodings_and_separators(folder, encoding, separator):
    export = "Id,Created,Source,Revenue\nÄ1,2026-01-05,Köln,5\n".replace(",", separator)
    imported(folder, LEADS, export, encoding=encoding)
    assert written(folder)[["lead_id", "channel"]].to_numpy().tolist() == [["Ä1", "Köln"]]


def test_rows_excluded_by_where_are_counted(folder):
    report = imported(folder, LEADS + "where = \"Source <> ''\"\n")
    assert written(folder)["lead_id"].tolist() == ["A"]
    assert report.tables[["rows_in", "rows_excluded", "rows_out"]].to_numpy().tolist() == [
        [2, 1, 1]
    ]
    assert "1 of 2 excluded" in str(report)


@pytest.mark.parametrize(
    "broken", ['X,2026-01-05,"Web,1,home\n', "X,2026-01-05,Web,1,home,more\n", "X,2026\n"]
)
def test_a_broken_line_is_the_only_row_lost_and_is_counted(folder, broken):
    head, *rows = EXPORT.splitlines(keepends=True)
    report = imported(folder, LEADS, "".join([head, broken, *rows]))
    assert written(folder)["lead_id"].tolist() == ["A", "B"]
    assert report.tables[["rows_in", "rows_broken"]].to_numpy().tolist() == [[3, 1]]
    assert "line 2" in str(report)


CELLS = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12)


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=6))
def test_no_row_and_no_word_is_lost(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("law")
    (folder / "exports").mkdir()
    export = pd.DataFrame(rows, columns=["Source", "Page"])
    export.insert(0, "Id", [f"L{i}" for i in range(len(rows))])
    export["Created"], export["Revenue"] = "2026-01-05", "1"
    export.to_csv(folder / "exports" / "crm.csv", index=False)
    report = imported(folder, LEADS + 'keep = ["Page"]\ndecimal = "."\n')
    table = written(folder)
    assert report.tables["rows_out"].tolist() == [len(rows)]
    assert table["lead_id"].tolist() == export["Id"].tolist()
    trimmed = [source.strip(" \t\r\n\u00a0") for source, _ in rows]
    assert table["channel"].tolist() == trimmed


# ---- what cannot be followed


@pytest.mark.parametrize(
    ("mapping", "says"),
    [
        ("", "names no table"),
        ("[tables.lead]\n", "Did you mean `leads`"),
        (LEADS + 'keeps = ["Page"]\n', "Did you mean `keep`"),
        (LEADS.replace("channel =", "chanel ="), "Did you mean `channel`"),
        (LEADS.replace('"Source"', '"Sorce"'), "Did you mean `Source`"),
        (LEADS.replace("crm.csv", "crn.csv"), "Did you mean `crm.csv`"),
        (LEADS.replace('created_at = "Created", ', ""), "does not say where `created_at` comes"),
        (LEADS + 'dates.channel = "%Y"\n', "is no date"),
        (LEADS + 'dates.created_at = "YYYY-MM-DD"\n', "must be a format"),
        (LEADS + 'dates.created_at = "%Q"\n', "cannot be turned into leads"),
        (LEADS + 'where = "Sourc = 1"\n', "names `Sourc`, .* did you mean `Source`"),
        (LEADS + 'decimal = ";"\n', "must be '.' or ','"),
        (LEADS + 'timezone = "Berlin"\n', "no known time zone"),
        (LEADS + 'constants = { channel = "x" }\n', "is under both `columns` and `constants`"),
        (LEADS + 'keep = ["Page", "Nothing"]\n', "has no column `nothing`"),
        (LEADS + "[tables.leads.values.region]\nA = 'b'\n", "knows no mapped column `region`"),
        (LEADS.replace("annual_revenue", "employees") + 'keep = ["Id", "Region"]\n', "no column"),
        (LEADS + '[plan]\nfile = "plan.toml"\n', "is not beside"),
        (LEADS + 'first_per = "lead_id"\n', "must be a list of the contract's columns"),
        (LEADS + 'first_per = ["leadid"]\n', "Did you mean `lead_id`"),
        (LEADS + 'first_per = ["region"]\n', "knows no mapped column `region`"),
        (
            LEADS.replace('created_at = "Created", ', "")
            + 'constants = { created_at = "2026-01-05" }\nfirst_per = ["lead_id"]\n',
            "so `created_at` must come from a source column",
        ),
        ("tables = 1\n", "must be a section"),
        ("[tables.leads\n", "cannot be read"),
    ],
)
def test_a_mapping_that_cannot_be_followed_writes_nothing(folder, mapping, says):
    with pytest.raises(SourceError, match=says):
        imported(folder, mapping)
    assert sorted(each.name for each in folder.iterdir()) == ["exports", "mapping.toml"]


def test_keep_does_not_take_a_column_of_the_contract(folder):
    with pytest.raises(SourceError, match="`region` is a column of the contract"):
        imported(folder, LEADS + 'keep = ["*"]\n', "Id,Created,Source,Revenue,Region\n")


def test_an_export_that_is_not_a_table_stops(folder):
    with pytest.raises(SourceError):
        imported(folder, LEADS, "\x00\x01\x02" * 50)
    with pytest.raises(SourceError, match="is not there"):
        convert(folder / "mapping.toml", folder / "nowhere", folder / "out")
    with pytest.raises(SourceError, match="cannot be read"):
        convert(folder / "no.toml", folder / "exports", folder / "out")


def test_a_plan_that_cannot_be_followed_stops_the_import(folder):
    (folder / "funnel.toml").write_text("[plan]\nmesure = 'wins'\n")
    with pytest.raises(FunnelError, match="did you mean `measure`"):
        imported(folder, LEADS)
    assert not (folder / "out").exists()


# ---- the folder


def test_the_plan_is_copied_once_and_other_files_remain(folder):
    (folder / "funnel.toml").write_text("[plan]\nmeasure = 'wins'\n")
    assert imported(folder, LEADS).plan.endswith("funnel.toml")
    out = folder / "out"
    (out / "funnel.toml").write_text("[plan]\nmeasure = 'bookings'\n")
    (out / "claims.csv").write_text("claim,said_by,driver,direction\n")
    (out / "leads.csv").rename(out / "leads.csv.gz")  # an older form of the same table
    assert imported(folder, LEADS).plan == ""
    assert sorted(each.name for each in out.iterdir()) == ["claims.csv", "funnel.toml", "leads.csv"]
    assert "bookings" in (out / "funnel.toml").read_text()


def test_files_that_the_plan_names_are_copied_with_it(folder):
    (folder / "funnel.toml").write_text("[records]\nrates = 'rates.csv'\n")
    with pytest.raises(FunnelError, match=r"names rates.csv as `records.rates`, and there is no"):
        imported(folder, LEADS)
    (folder / "rates.csv").write_text("currency,from,rate\nUSD,2026-01-01,0.5\n")
    imported(folder, LEADS)
    assert (folder / "out" / "rates.csv").read_text().endswith("0.5\n")


def test_a_failed_import_changes_nothing_in_the_folder(folder):
    imported(folder, LEADS)
    before = (folder / "out" / "leads.csv").read_bytes()
    two = LEADS + '[tables.deals]\nsource = "deals.csv"\n' + (
        'columns = { deal_id = "Id", created_at = "Created", outcome = "Source" }\n'
    )  # fmt: skip
    with pytest.raises(SourceError, match="no file deals"):
        imported(folder, two)
    assert (folder / "out" / "leads.csv").read_bytes() == before
    assert sorted(each.name for each in folder.iterdir()) == ["exports", "mapping.toml", "out"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_an_error(folder):
    folder.chmod(0o555)
    with pytest.raises(SourceError, match="Nothing can be written"):
        convert(folder / "mapping.toml", folder / "exports", folder / "out")


def test_out_that_is_a_file_is_an_error(folder):
    (folder / "out").write_text("")
    with pytest.raises(SourceError, match="is a file"):
        imported(folder, LEADS)


def test_the_worked_example_of_the_docs(tmp_path):
    page = (Path(__file__).resolve().parents[2] / "docs" / "mapping.md").read_text()
    export, mapping, result = re.findall(r"```(?:toml)?\n(.*?)```", page, re.DOTALL)[2:5]
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "opportunities.csv").write_text(export)
    (tmp_path / "crm.toml").write_text(mapping)
    convert(tmp_path / "crm.toml", tmp_path / "exports", tmp_path / "out")
    assert (tmp_path / "out" / "deals.csv").read_text() == result
    data = load(tmp_path / "out")
    assert data.rejects.empty
    assert data.deals["outcome"].tolist() == ["won", "lost", "open"]


NUMBERED = """
[tables.leads]
source = "crm.csv"
columns = { lead_id = "#row", created_at = "Created" }

[tables.deals]
source = "crm.csv"
columns = { deal_id = "#row", lead_id = "#row", created_at = "Created", closed_at = "Created" }
constants = { outcome = "won" }
where = "Source = 'Web'"
"""


def test_rows_without_a_key_get_their_position_in_the_file(folder):
    lines = [f"2026-01-{day:02d},{'Web' if day % 3 == 0 else ''}" for day in range(1, 21)]
    imported(folder, NUMBERED, "Created,Source\n" + "\n".join(lines))
    leads, deals = written(folder), written(folder, "deals")
    assert leads["lead_id"].tolist() == [str(n) for n in range(1, 21)]
    assert (
        deals["lead_id"].tolist() == deals["deal_id"].tolist() == ["3", "6", "9", "12", "15", "18"]
    )
    report = leads.set_index("lead_id")["created_at"]
    assert deals["created_at"].tolist() == report[deals["lead_id"]].tolist()


def test_a_real_column_named_row_is_used(folder):
    imported(folder, NUMBERED, "#row,Created,Source\nx,2026-01-05,Web\ny,2026-01-06,\n")
    assert written(folder)["lead_id"].tolist() == ["x", "y"]


EVENTS = """
[tables.leads]
source = "crm.csv"
columns = { lead_id = "Session", created_at = "At", channel = "Source" }
dates.created_at = "%d/%m/%Y %H:%M"
first_per = ["lead_id"]

[tables.stage_changes]
source = "crm.csv"
columns = { lead_id = "Session", stage = "Event", entered_at = "At" }
dates.entered_at = "%d/%m/%Y %H:%M"
where = "Event <> 'page'"
first_per = ["lead_id", "stage"]
"""
LOG = """Session,At,Event,Source
A,02/01/2026 09:00,page,late
A,01/02/2026 09:00,page,later
B,05/01/2026 09:00,mql,web
A,31/12/2025 09:00,mql,first
A,31/12/2025 09:00,mql,same time
B,06/01/2026 09:00,sal,web
,07/01/2026 09:00,page,nobody
,08/01/2026 09:00,page,nobody
C,soon,page,unread
"""


def test_the_earliest_row_of_each_group_is_kept(folder):
    report = imported(folder, EVENTS, LOG)
    leads, changes = written(folder), written(folder, "stage_changes")
    # compared as times: as texts, A's first row would be another; rows with a blank key stay
    assert leads.to_numpy().tolist() == [
        ["B", "2026-01-05T09:00:00Z", "web"],
        ["A", "2025-12-31T09:00:00Z", "first"],
        ["", "2026-01-07T09:00:00Z", "nobody"],
        ["", "2026-01-08T09:00:00Z", "nobody"],
        ["C", "soon", "unread"],
    ]
    assert changes[["lead_id", "stage"]].to_numpy().tolist() == [
        ["B", "mql"],
        ["A", "mql"],
        ["B", "sal"],
    ]
    counts = report.tables[["rows_in", "rows_excluded", "rows_not_first", "rows_out"]]
    assert counts.to_numpy().tolist() == [[9, 0, 4, 5], [9, 5, 1, 3]]
    assert "4 later rows excluded by `first_per`" in str(report)


@settings(max_examples=15, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from("ABC"), st.integers(0, 5), st.integers(0, 99)),
        min_size=1,
        max_size=12,
    )
)
def test_the_first_of_a_group_is_that_of_a_stable_sort(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("first")
    (folder / "exports").mkdir()
    log = pd.DataFrame(rows, columns=["Session", "day", "Source"])
    log["At"] = [f"0{1 + day}/01/2026 09:00" for day in log["day"]]
    log["Event"] = "mql"
    log.to_csv(folder / "exports" / "crm.csv", index=False)
    imported(folder, EVENTS)
    expected = log.sort_values("day", kind="stable").drop_duplicates("Session").sort_index()
    seen = written(folder)
    assert seen["lead_id"].tolist() == expected["Session"].tolist()
    assert seen["channel"].tolist() == expected["Source"].astype(str).tolist()


WRITES = "/tmp/funnel-elsewhere.csv"


@pytest.mark.parametrize(
    "where",
    [
        f"true); copy (select 'x') to '{WRITES}'; --",
        f"Source in (select column0 from read_csv('{__file__}'))",
        "exists (select 1)",
        "Source = (select getenv('HOME'))",
        "true); attach 'elsewhere.duckdb' as elsewhere; select (true",
        "row_number() over () = 1",
        "Source = 'Web') or (exists (from read_text('/etc/passwd'))",
        "leads.Source = 'Web'",
        "read_text('/etc/passwd') is not null",
    ],
)
def test_a_condition_reads_and_writes_nothing_but_its_row(folder, where, monkeypatch):
    monkeypatch.chdir(folder)
    with pytest.raises(SourceError, match="`where`"):
        imported(folder, LEADS + f'where = """{where}"""\n')
    assert not Path(WRITES).exists()
    assert sorted(each.name for each in folder.iterdir()) == ["exports", "mapping.toml"]


@pytest.mark.parametrize(
    ("where", "n"),
    [
        ("cast(revenue as double) > 1500", 1),
        ("\"Source\" is null or lower(Source) = 'web'", 2),
        ("cast(Created as date) >= date '2026-01-06'", 1),
        ("try_cast(Revenue as integer) between 1 and 1000", 1),
        ("Page not like '%o%' or Page in ('home')", 2),
        ("starts_with(Page, 'pr')", 1),
    ],
)
def test_a_condition_compares_the_columns_of_its_source(folder, where, n):
    mapping = LEADS + f"where = '''{where}'''\n"
    assert imported(folder, mapping).tables["rows_out"].tolist() == [n]


def test_a_source_does_not_leave_the_exports(folder):
    (folder / "secret.csv").write_text(EXPORT)
    (folder / "exports" / "linked.csv").symlink_to(folder / "secret.csv")
    for source in ("../secret.csv", "linked.csv", str(folder / "secret.csv")):
        with pytest.raises(SourceError, match="leads out of the folder of exports"):
            imported(folder, LEADS.replace("crm.csv", source))


DEALS = """
[tables.deals]
source = "crm.csv"
columns = { deal_id = "Id", created_at = "Created", amount = "Betrag" }
constants = { outcome = "open" }
"""


def amounts_of(folder, mapping, *cells):
    rows = "".join(f"D{i};2026-01-05;{cell}\n" for i, cell in enumerate(cells))
    report = imported(folder, mapping, "Id;Created;Betrag\n" + rows)
    return written(folder, "deals")["amount"].tolist(), "\n".join(s for _, s in report.findings)


@pytest.mark.parametrize(
    ("decimal", "cell", "expected"),
    [
        (",", "EUR 1.234,50", "1234.50"),
        (",", "1 234,50 €", "1234.50"),
        (",", "1\u202f234\u00a0567,5", "1234567.5"),
        (",", "(250,00)", "-250.00"),
        (",", "250,00-", "-250.00"),
        (",", "€ -250,00", "-250.00"),
        (",", "\u2212250,00", "-250.00"),
        (".", "$1,234", "1234"),
        (".", "($1,234.50)", "-1234.50"),
        (".", "1'234.50", "1234.50"),
        (".", "CHF 1\u2019234.50", "1234.50"),
        (".", "-1,234,567.8", "-1234567.8"),
        # of the other mark, of groups of two, of thousands, of two currencies: never a wrong value
        (",", "1,234.56", "1,234.56"),
        (".", "1,20", "1,20"),
        (".", "12,34,567", "12,34,567"),
        (".", "1,5 Mio", "1,5 Mio"),
        (".", "12k", "12k"),
        (".", "TEUR 5", "TEUR 5"),
        (".", "EUR 5 $", "EUR 5 $"),
        (".", "--5", "--5"),
        (".", "(5", "(5"),
        (",", "1.5", "unread 1.5"),
        (",", "1.23.456", "1.23.456"),
    ],
)
def test_amounts_with_marks(folder, decimal, cell, expected):
    assert amounts_of(folder, DEALS + f'decimal = "{decimal}"\n', cell)[0] == [expected]


def test_the_decimal_mark_is_found_where_the_column_leaves_no_doubt(folder):
    cells, found = amounts_of(folder, DEALS, "1.234", "12,50", "€ 1.000,00")
    assert cells == ["1234", "12.50", "1000.00"]
    assert 'decimal = ","' in found and "2 of 3 fit no other, such as 12,50" in found
    cells, found = amounts_of(folder, DEALS, "1,234", "12.50")
    assert cells == ["1234", "12.50"]
    assert 'decimal = "."' in found


def test_amounts_that_fit_both_marks_are_asked_and_not_read(folder):
    cells, found = amounts_of(folder, DEALS, "1,234", "2,500", "10")
    assert cells == ["1,234", "2,500", "10"]
    assert "2 of 3 `amount` fit a decimal comma and a decimal point, such as 1,234" in found
    assert 'add `decimal = ","` or `decimal = "."`' in found
    cells, found = amounts_of(folder, DEALS, "1.234,50", "1,234.50", "1,234")
    assert cells == ["1234.50", "1234.50", "1,234"]
    assert "1 fit only a decimal comma" in found and "1 fit both" in found


def test_a_decimal_mark_that_the_cells_contradict_is_told(folder):
    mapping = DEALS + 'decimal = ","\n'
    cells, found = amounts_of(folder, mapping, "1,234", "1,234.50")
    assert cells == ["1.234", "1,234.50"]
    assert '1 of 2 `amount` fit only `decimal = "."`, such as 1,234.50 and were not read' in found
    assert (
        "2 of 2 `amount` fit a decimal comma and"
        in amounts_of(folder, mapping, "1,234", "9,999")[1]
    )
    assert not amounts_of(folder, mapping, "1.234", "9,99")[1]


def test_plain_numbers_need_no_decimal_and_no_word(folder):
    assert amounts_of(folder, DEALS, "1234.5", "-7", "", "1e3") == (
        ["1234.5", "-7", "", "1e3"],
        "",
    )


def test_a_second_currency_is_not_read_and_told(folder):
    mapping = DEALS + 'decimal = "."\n'
    cells, found = amounts_of(folder, mapping, "EUR 10", "€ 20", "USD 30", "40")
    assert cells == ["10", "20", "USD 30", "40"]
    assert "1 of 4 `amount` are in another currency than EUR" in found
    assert "`amount` is in EUR, as its cells say (EUR, €)" in found
    assert amounts_of(folder, 'currency = "AUD"\n' + mapping, "$10", "US$ 20")[0] == [
        "10",
        "US$ 20",
    ]


@pytest.mark.parametrize(
    ("form", "cell", "expected"),
    [
        ("epoch_s", "1767258000", "2026-01-01T09:00:00Z"),
        ("epoch_ms", "1767258000123", "2026-01-01T09:00:00Z"),
        ("epoch_us", "1767258000000000", "2026-01-01T09:00:00Z"),
        ("epoch_ns", "1767258000000000000", "2026-01-01T09:00:00Z"),
        ("epoch_ms", "1767258000000.0", "2026-01-01T09:00:00Z"),
        ("epoch_ms", "1767258000", "1767258000"),  # seconds would fall into January 1970
        ("epoch_s", "1767258000000", "1767258000000"),
        ("spreadsheet", "46023", "2026-01-01"),
        ("spreadsheet", "46023.375", "2026-01-01T08:00:00Z"),  # 9:00 in Berlin
        ("spreadsheet", "20260101", "20260101"),
        ("%Y%m%d", "20260101", "2026-01-01"),
        ("%Y%m%d", "46023", "46023"),
        ("%d/%m/%Y", "03/04/26", "03/04/26"),  # no year 26
        ("%d/%m/%Y", "2026-03-04", "2026-03-04"),
    ],
)
def test_times_that_are_numbers(folder, form, cell, expected):
    mapping = f'timezone = "Europe/Berlin"\n{LEADS}dates.created_at = "{form}"\n'
    imported(folder, mapping, f"Id,Created,Source,Revenue\nA,{cell},x,\n")
    assert written(folder)["created_at"].tolist() == [expected]


def test_a_column_of_numbers_without_a_format_stops_with_the_line(folder):
    with pytest.raises(SourceError, match=r'milliseconds .* `dates.created_at = "epoch_ms"`'):
        imported(folder, LEADS, "Id,Created,Source,Revenue\nA,1767258000000,x,\n")
    report = imported(folder, LEADS, "Id,Created,Source,Revenue\nA,2026-01-05,x,\nB,46023,x,\n")
    assert "1 of 2 `created_at` are numbers" in str(report)
    assert "2026-01-01" in str(report)


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ("03/04/2026 05/06/2026", "2 of 2 dates of `created_at` fit day/month and month/day"),
        ("03/04/2026 25/06/2026", ""),
        ("03/03/2026", ""),
        ("03/04/2026 25/06/2026 06/25/2026", "1 of 3 dates of `created_at` fit only the other"),
    ],
)
def test_the_order_of_day_and_month_is_asked_where_cells_leave_it_open(folder, cells, says):
    rows = "".join(f"L{i},{cell},x,\n" for i, cell in enumerate(cells.split()))
    report = imported(
        folder,
        LEADS + 'dates.created_at = "%d/%m/%Y"\n',
        "Id,Created,Source,Revenue\n" + rows,
    )
    assert len(report.findings) == (0 if not says else 2 if "other" in says else 1)
    assert says in str(report)
    assert written(folder)["created_at"].iloc[0] in ("2026-04-03", "2026-03-03")


def test_times_in_a_form_that_is_not_named_are_counted_with_a_line_to_add(folder):
    export = "Id,Created,Source,Revenue\nA,03/04/2026,x,\nB,25/04/2026,x,\nC,2026-05-01,x,\n"
    report = imported(folder, LEADS, export)
    assert report.tables["not_read"].tolist() == [2]
    assert "2 of 3 `created_at` are not ISO 8601 and were not read, such as 03/04/2026" in str(
        report
    )
    assert '2 fit `"%d/%m/%Y"` and 1 fit `"%m/%d/%Y"`: add `dates.created_at = "%d/%m' in str(
        report
    )


def test_a_sample_word_is_of_a_column_that_the_mapping_names(folder):
    export = "Id,Created,Source,Revenue,Kunde\nA,2026-01-05,x,,Jürgens\n"
    report = imported(folder, LEADS, export, encoding="cp1252")
    assert "no word" in str(report) and "Jürgens" not in str(report)


def test_the_encoding_of_a_mapping_overrides_the_guess(folder):
    export = "Id,Created,Source,Revenue\nA,2026-01-05,Gyõr,\n"
    report = imported(folder, LEADS, export, encoding="cp1252")
    assert "which is a guess: words with letters beyond A to Z read Győr" in str(report)
    assert load(folder / "out", fresh=True).findings["what"].tolist() == ["imported"]
    report = imported(folder, LEADS + 'encoding = "cp1252"\n', export, encoding="cp1252")
    assert written(folder)["channel"].tolist() == ["Gyõr"]
    assert not report.findings
    assert load(folder / "out", fresh=True).findings.empty
    with pytest.raises(SourceError, match="not in the encoding given, utf-8: line 2"):
        imported(folder, LEADS + 'encoding = "utf-8"\n', export, encoding="cp1252")
    with pytest.raises(SourceError, match="no known encoding"):
        imported(folder, LEADS + 'encoding = "klingon"\n')


def test_a_note_of_an_import_goes_when_its_table_is_replaced(folder):
    imported(folder, LEADS, "Id,Created,Source,Revenue\nA,2026-01-05,Köln,\n", encoding="cp1252")
    (folder / "out" / "leads.csv").write_text("lead_id,created_at\nL1,2026-01-05\n")
    assert load(folder / "out", fresh=True).findings.empty


TOP = 'timezone = "Europe/Berlin"\ncurrency = "CHF"\n'


@pytest.mark.parametrize(
    ("plan", "zone", "currency", "n_findings"),
    [
        (None, "Europe/Berlin", "CHF", 0),
        ("", "Europe/Berlin", "CHF", 0),
        ('[plan]\nlevel = 0.8\n\n[company] # ours\nname = "A"\n', "Europe/Berlin", "CHF", 0),
        ('[company]\ncurrency = "EUR"\n', "Europe/Berlin", "EUR", 1),
        ('[company]\ntimezone = "UTC"\ncurrency = "CHF"', "UTC", "CHF", 1),
        ('company = { name = "A" }\n', "UTC", "EUR", 2),
    ],
)
def test_zone_and_currency_of_a_mapping_reach_the_plan(folder, plan, zone, currency, n_findings):
    if plan is not None:
        (folder / "funnel.toml").write_text(plan)
    report = imported(folder, TOP + LEADS)
    company = load(folder / "out", fresh=True).plan.company
    assert (company.timezone, company.currency) == (zone, currency)
    assert len(report.findings) == n_findings
    # the folder's own plan stays as it is
    before = (folder / "out" / "funnel.toml").read_text()
    imported(folder, TOP.replace("Berlin", "Paris") + LEADS)
    assert (folder / "out" / "funnel.toml").read_text() == before
