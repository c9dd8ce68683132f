"""Results show themselves, and are kept so that every figure can be computed again."""

import csv
import datetime as dt
import json
from dataclasses import dataclass

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funnel.contract.errors import ParameterError
from funnel.contract.outgoing_text import without_controls, without_mail
from funnel.dataset.csv_files import read_csv, write_csv
from funnel.results import SNAPSHOT_FOLDER, Result, charts, rows_of, save, text


@dataclass(frozen=True, eq=False, kw_only=True)
class Wins(Result):
    """Won deals by channel, for these tests."""

    @property
    def headline(self) -> str:
        return f"{self.table['wins'].sum()} deals were won."


@text.caveats(Wins)
def wins_caveats(wins, say):
    return ["Two deals carry no amount."]


def wins(channel="email"):
    return Wins(
        table=pd.DataFrame({"channel": [channel, "web"], "wins": [2, 1]}),
        as_of=dt.date(2026, 6, 30),
        rows=pd.concat(
            [
                rows_of(channel, "deals", pd.Series(["D-1", "D-2"])),
                rows_of("web", "deals", pd.Series(["D-2"])),
            ]
        ),
        units={"wins": "deals"},
    )


def test_outside_a_snapshot_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.delenv(SNAPSHOT_FOLDER, raising=False)
    monkeypatch.chdir(tmp_path)
    save(wins=wins())
    assert list(tmp_path.iterdir()) == []


def test_a_kept_result_is_table_headline_and_rows(tmp_path, monkeypatch):
    monkeypatch.setenv(SNAPSHOT_FOLDER, str(tmp_path))
    save(wins=wins())
    about = json.loads((tmp_path / "results" / "wins.json").read_text())
    assert about["headline"] == "3 deals were won."
    assert about["as_of"] == "2026-06-30"
    assert about["rows_used"] == {"deals": 2}  # D-2 stands behind both figures, and is one deal
    assert pd.read_csv(tmp_path / "results" / "wins.csv")["wins"].tolist() == [2, 1]
    assert pd.read_csv(tmp_path / "rows" / "wins.csv")["id"].tolist() == ["D-1", "D-2", "D-2"]


def test_a_name_is_kept_once(tmp_path, monkeypatch):
    monkeypatch.setenv(SNAPSHOT_FOLDER, str(tmp_path))
    save(wins=wins())
    with pytest.raises(ParameterError, match="saved before"):
        save(wins=wins())


@pytest.mark.parametrize("name", ["../wins", "Wins", "wins.csv", ""])
def test_a_name_must_be_able_to_name_a_file(name):
    with pytest.raises(ParameterError, match="lower-case"):
        save(**{name: wins()})


def test_in_a_notebook_names_are_text_and_never_markup():
    shown = wins(channel="<script>alert(1)</script>")._repr_html_()
    assert "<script>" not in shown
    assert "3 deals were won." in shown
    assert "Two deals carry no amount." in shown


def test_a_long_table_says_how_much_of_it_is_shown():
    table = pd.DataFrame({"wins": range(1000)})
    shown = Wins(table=table, as_of=dt.date(2026, 6, 30))._repr_html_()
    assert "of 1,000 rows" in shown
    assert shown.count("<tr") < 100


FORMULA = ("=", "+", "-", "@", "\t", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1))
def test_no_cell_of_an_export_is_a_formula(tmp_path_factory, cell_text):
    path = tmp_path_factory.mktemp("export") / "t.csv"
    write_csv(pd.DataFrame({cell_text: [cell_text], "amount": [-1.5]}), path)
    with path.open(newline="", encoding="utf-8") as file:
        (heading, _), (cell, amount) = csv.reader(file)
    assert not cell.startswith(FORMULA)
    assert cell.removeprefix("'") == without_mail(without_controls(cell_text)).removeprefix("'")
    assert heading == cell
    assert float(amount) == -1.5


@pytest.mark.parametrize("start", FORMULA)
def test_a_heading_or_cell_that_begins_as_a_formula_is_guarded_and_read_back(tmp_path, start):
    table = pd.DataFrame({f"{start}1": [f"{start}A1", "x\x1b[31m"], "n": [1, 2]})
    write_csv(table, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text().startswith(f"'{start}1,n\n'{start}A1,1\nx,2")
    assert read_csv(tmp_path / "t.csv").iloc[0].to_dict() == table.iloc[0].to_dict()


def test_a_result_finds_its_text_and_chart_by_its_class(monkeypatch):
    class Spend(Wins):
        headline = Result.headline

    spend = Spend(table=pd.DataFrame(), as_of=dt.date(2026, 6, 30))
    assert spend.caveats == wins().caveats  # of the nearest class that has some
    with pytest.raises(NotImplementedError, match="Spend has no headline"):
        _ = Spend(table=pd.DataFrame(), as_of=dt.date(2026, 6, 30)).headline
    text.headline(Spend)(lambda spend, say: f"{say.rows(len(spend.table), 'channel')} on record.")
    text.caveats(Spend)(lambda spend, say: ["Costs are net of tax."])
    charts.of(Spend, "share")(lambda spend, ax: (spend, ax))
    spend = Spend(table=pd.DataFrame({"channel": ["web", "email"]}), as_of=dt.date(2026, 6, 30))
    assert spend.headline == "2 channels on record."
    assert spend.caveats == ("Costs are net of tax.",)
    assert spend.plot("axes", chart="share") == (spend, "axes")
    with pytest.raises(NotImplementedError, match="Spend has no chart"):
        spend.plot()


def shown_as(table, **facts):
    """A result whose table in words is what `table` returns."""

    class Shown(Result):
        headline = "Wins."

    text.table(Shown)(table)
    empty = pd.DataFrame({"wins": range(40)})
    return Shown(table=empty, as_of=dt.date(2026, 6, 30), **facts)._repr_html_()


def test_brackets_are_explained_where_there_are_any():
    row = {"share": 0.465, "share_low": 0.444, "share_high": 0.486}
    page = shown_as(lambda _, say: pd.DataFrame({"share": [say.share_estimate(row, "share")]}))
    assert "In brackets: 90% intervals." in page
    page = shown_as(lambda _, say: pd.DataFrame({"share": [say.interval("1", "2")]}), level=0.8)
    assert "In brackets: 80% intervals." in page
    assert "brackets" not in wins()._repr_html_()


def test_an_empty_table_is_a_sentence_and_no_grid():
    page = shown_as(lambda *_: pd.DataFrame({"team": []}))
    assert page == "<p><strong>Wins.</strong></p>"


def test_a_shortened_table_shows_how_many_rows_there_are():
    page = shown_as(lambda result, _: text.Excerpt(result.table.head(3), len(result.table)))
    assert "3 of 40 rows" in page


def test_a_result_prints_its_headline_and_table_and_not_its_fields():
    shown = repr(wins())
    assert shown.startswith("3 deals were won.\nTwo deals carry no amount.\n")
    assert "email" in shown
    assert "as_of" not in shown


def test_an_unknown_chart_names_those_there_are():
    @charts.of(Wins, "by month")
    def by_month(result, ax):
        return ax

    with pytest.raises(NotImplementedError, match="Wins has no chart 'by week'; it has 'by month'"):
        wins().plot(chart="by week")
