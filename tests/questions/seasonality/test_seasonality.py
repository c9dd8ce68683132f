"""The question about the season: its figures, its sentences, and what its charts draw."""

import datetime as dt
import re

import numpy as np
import pandas as pd
import pytest

from funnel.contract.plan import Company, Plan
from funnel.dataset import Tables
from funnel.methods.season import decompose, series
from funnel.methods.season.day_weights import QuarterBlocks, day_features
from funnel.questions.seasonality import quarter, seasonality
from funnel.questions.seasonality.months import expected_band, years
from funnel.questions.seasonality.quarter import in_quarter
from funnel.results.neutral_words import unfit_words

PERIOD = (dt.date(2025, 4, 1), dt.date(2025, 6, 30))
BASELINE = (dt.date(2025, 1, 1), dt.date(2025, 3, 31))
YEAR_AGO = (dt.date(2024, 4, 1), dt.date(2024, 6, 30))
SEASON = np.array([0.0, 0.0, 0.1, -0.1, 0.05, 0.0, -0.2, -0.25, 0.1, 0.15, 0.1, 0.05])


def leads(seed=0, years=3.5, rate=25.0, season=SEASON, end="2025-06-30", worth=None):
    """Leads by day, Poisson: fewer at weekends, a season by months, further weights of days."""
    random = np.random.default_rng(seed)
    first = (pd.Timestamp(end) - pd.Timedelta(days=round(365.25 * years))).replace(day=1)
    index = pd.date_range(first, end)
    mean = rate * np.exp(season[index.month - 1]) * np.where(index.day_of_week < 5, 1, 0.3)
    mean = mean * (np.ones(len(index)) if worth is None else worth(index))
    return pd.Series(random.poisson(mean).astype(float), index=index)


def rows_of(daily):
    moments = daily.index.repeat(daily.astype(int)).strftime("%Y-%m-%dT10:00:00Z")
    return pd.DataFrame({"lead_id": [f"L{i}" for i in range(len(moments))], "created_at": moments})


@pytest.fixture(scope="module")
def question():
    """Leads and won deals of three and a half years, one deal a working day."""
    made = leads(1, rate=6.0)
    days = made.index[made.index.day_of_week < 5]
    deals = pd.DataFrame(
        {
            "deal_id": [f"D{i}" for i in range(len(days))],
            "created_at": days.strftime("%Y-%m-%dT09:00:00Z"),
            "closed_at": days.strftime("%Y-%m-%dT15:00:00Z"),
            "outcome": "won",
            "amount": 1000.0 + 10 * np.arange(len(days)),
        }
    )
    plan = Plan(company=Company(country="DE"))
    data = Tables.of(leads=rows_of(made), deals=deals, plan=plan, as_of="2025-06-30")
    return seasonality(data)


def numbers(text):
    return [float(each) / 100 for each in re.findall(r"[-+]?\d+\.\d(?=%)", text)]


# the question


def test_the_answer_is_the_change_of_the_plans_measure(question):
    assert question.of == question.data.plan.measure == "bookings"
    change = question.change("bookings")
    pd.testing.assert_frame_equal(question.table, change.table)
    assert (question.headline, question.caveats) == (change.headline, change.caveats)
    assert question.rows.equals(change.rows) and len(question.rows)
    assert question.plot().figure.get_label() == question.headline
    assert question.findings().headline


def test_each_figure_is_computed_once(question):
    for figure in (question.change, question.comparisons, question.band, question.in_quarter):
        assert figure("leads") is figure("leads")
    assert question.decomposition("leads") is question.decomposition("leads")


def test_both_comparisons_are_the_single_ones(question):
    whole = question.decomposition("leads")
    both = question.comparisons("leads")
    assert both.of == "leads"
    for name, baseline in (("previous", BASELINE), ("year_ago", YEAR_AGO)):
        own = both.table[both.table["compared"] == name].drop(columns="compared")
        single = whole.share_of_change(PERIOD, baseline)
        pd.testing.assert_frame_equal(own.reset_index(drop=True), single.table)
        sentence = single.headline[1:]
        assert sentence in both.headline
    assert "a year ago" in both.headline
    column = both.shown().set_index("part")["since the previous period"]
    shown = question.change("leads").shown().set_index("part")["change"]
    assert column[column != ""].to_dict() == shown.to_dict()


def test_every_sentence_is_neutral_and_has_no_blank_number(question):
    results = [
        figure(measure)
        for measure in ("leads", "wins", "bookings")
        for figure in (
            question.change,
            question.comparisons,
            question.band,
            question.in_quarter,
            question.years,
        )
    ]
    text = " ".join(
        part
        for each in results
        for part in (
            each.headline,
            *each.caveats,
            *each.shown().astype("str").fillna("").to_numpy().ravel(),
        )
    )
    assert unfit_words(text) == []
    headlines = " ".join(each.headline for each in results)
    assert "nan" not in headlines.lower()


# months


def test_the_expected_range_holds_plain_months_and_not_a_fall():
    inside = n = 0
    for seed in range(4):
        held = expected_band(decompose(leads(seed), seed=seed), PERIOD).held_out
        inside += int(held["observed"].between(held["low"], held["high"]).sum())
        n += len(held)
    assert n == 12 and inside >= 8
    daily = leads(9)
    fallen = decompose(daily.where(daily.index < pd.Timestamp(PERIOD[0]), 0.6 * daily))
    band, plain = (expected_band(each, PERIOD) for each in (fallen, decompose(daily)))
    assert "3 below" in band.headline
    assert band.table["expected"].tolist() == plain.table["expected"].tolist()
    short = expected_band(decompose(leads(years=0.8)), PERIOD)
    assert short.refused == "too few months before the period"
    assert "16 whole months" in short.headline and short.table["low"].isna().all()


def test_the_headline_counts_the_months_of_the_table(question):
    band = question.band("leads")
    held = band.held_out
    inside = held["observed"].between(held["low"], held["high"]).sum()
    assert re.findall(r"\d+", band.headline)[:2] == [str(len(held)), str(inside)]


def test_the_chart_of_months_draws_the_table(question):
    band = question.band("leads")
    ax = band.plot()
    shown = band.table.iloc[-39:]
    held = shown["held_out"].to_numpy(bool)
    expected, observed, before, after = ax.lines
    assert expected.get_ydata() == pytest.approx(shown["expected"])
    assert observed.get_ydata() == pytest.approx(shown["observed"])
    assert before.get_ydata() == pytest.approx(shown["observed"][~held])
    assert after.get_ydata() == pytest.approx(shown["observed"][held])
    edge = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert edge.min() == pytest.approx(shown["low"].min())
    assert edge.max() == pytest.approx(shown["high"].max())
    outline = set(edge.round(6))
    assert set(shown["low"].round(6)) | set(shown["high"].round(6)) <= outline


def test_years_are_sums_of_their_months(question):
    found = question.years("leads")
    daily = question.decomposition("leads").observed
    for row in found.table.dropna().itertuples():
        of = daily[(daily.index.year == row.year) & (daily.index.month == row.month)]
        assert row.value == of.sum()
    newest = found.table[found.table["year"] == 2025].set_index("month")["value"]
    high, low = newest.max(), newest.min()
    assert f"({high:,.0f})" in found.headline and f"({low:,.0f})" in found.headline


def test_the_chart_of_years_draws_a_line_a_year(question):
    found = question.years("leads")
    ax = found.plot()
    by_year = found.table.set_index(["year", "month"])["value"]
    newest_first = sorted(found.table["year"].unique())[::-1]
    for line, year in zip(ax.lines, newest_first, strict=True):
        np.testing.assert_allclose(line.get_ydata(), by_year[year])
        assert line.get_xdata().tolist() == list(range(1, 13))
    assert {text.get_text() for text in ax.texts} == {str(year) for year in newest_first}


def test_years_that_end_together_are_named_one_above_another():
    index = pd.date_range("2022-01-01", "2024-12-01", freq="MS")
    ax = years(decompose(pd.Series(100.0, index=index))).plot()
    places = sorted(text.xy[1] for text in ax.texts)
    room = np.diff(places).min() / np.diff(ax.get_ylim())[0]
    assert len(places) == 3 and room > 0.05


# quarters


def test_months_of_a_quarter_by_hand():
    """Three months of 100, 100 and 200 in every quarter; working days alone give a third."""
    months = pd.date_range("2022-01-01", "2024-12-01", freq="MS")
    result = in_quarter(decompose(pd.Series([100.0, 100.0, 200.0] * 12, index=months)))
    table = result.table
    assert table["value"].tolist() == pytest.approx([0.25, 0.25, 0.5])
    assert table["by_days"].sum() == pytest.approx(1.0)
    assert (table["n"] == 11).all()  # the last quarter holds the month that is held out
    share, low, high, by_days = numbers(result.headline)
    third = table.iloc[-1]
    assert (share, low, high) == pytest.approx(
        tuple(third[["value", "value_low", "value_high"]]), abs=5e-4
    )
    assert by_days == pytest.approx(third["by_days"], abs=5e-4)


def test_a_push_at_a_quarters_end_is_measured_and_so_is_its_echo():
    def push(index):
        features = day_features(index, "", QuarterBlocks(True))
        return np.exp(0.6 * features[:, -3] - 0.3 * features[:, -1])

    whole = decompose(leads(6, rate=60.0, season=np.zeros(12), worth=push))
    result = in_quarter(whole, PERIOD)
    days = result.table[result.table["kind"] == "days"].set_index("place")
    last = days.loc["last 5 working days of a quarter"]
    first = days.loc["first 5 working days of a quarter"]
    assert last["value_low"] < np.exp(0.6) < last["value_high"]
    assert first["value_low"] < np.exp(-0.3) < first["value_high"]
    assert result.shown()["place"].tolist() == result.table["place"].tolist()


def test_the_chart_of_a_quarter_draws_the_table(question):
    result = question.in_quarter("bookings")
    months = result.table[result.table["kind"] == "month"]
    ax = result.plot()
    assert [bar.get_height() for bar in ax.patches] == pytest.approx(100 * months["value"])
    intervals, by_days = (each.get_segments() for each in ax.collections)
    ends = np.array([[line[0, 1], line[1, 1]] for line in intervals])
    assert ends[:, 0] == pytest.approx(100 * months["value_low"])
    assert ends[:, 1] == pytest.approx(100 * months["value_high"])
    assert [line[0, 1] for line in by_days] == pytest.approx(100 * months["by_days"])
    assert [label.get_text() for label in ax.get_xticklabels()] == months["place"].tolist()


def test_rows_imported_once_a_week_have_no_last_days_of_a_quarter():
    """No interval from 0 to thousands of times another day: the page says what is missing."""
    daily = leads(years=3.0)
    weekly = daily.where(daily.index.day_of_week == 4, 0.0)
    result = in_quarter(decompose(weekly), (dt.date(2025, 4, 1), dt.date(2025, 6, 30)))
    assert result.is_by_report and set(result.table["kind"]) == {"month"}
    assert any("That needs the day of each row" in caveat for caveat in result.caveats)


def test_a_level_of_a_day_within_a_factor_of_ten_only_is_not_shown(monkeypatch):
    monkeypatch.setattr(quarter, "WIDEST", 0.0)
    result = in_quarter(decompose(leads(years=2.0)), (dt.date(2025, 4, 1), dt.date(2025, 6, 30)))
    days = result.table["kind"].eq("days")
    assert result.table.loc[days, ["value", "value_low", "value_high"]].isna().all(axis=None)
    shown = result.shown()["share, or times another day"][days.to_numpy()]
    assert shown.eq("cannot tell: too few series on them").all()


def test_a_company_closed_each_august_has_an_answer():
    """Silent Augusts are months of 0, and the rise after them is season."""
    daily = leads(years=4.6, rate=12.0)
    data = Tables.of(leads=rows_of(daily[daily.index.month != 8]), as_of="2025-06-30")
    season = seasonality(data)
    july_on = (
        (dt.date(2024, 7, 1), dt.date(2024, 9, 30)),
        (dt.date(2024, 4, 1), dt.date(2024, 6, 30)),
    )
    share = season.decomposition("leads").share_of_change(*july_on)
    rows = share.table.set_index("part")
    assert not share.refused and share.season_is_claimed
    assert rows.loc["usual", "high"] < np.log(0.9)
    assert season.change("leads").headline and season.comparisons("leads").headline
    assert season.band("leads").headline and not season.band("leads").refused


def test_a_month_silent_once_stays_missing():
    """One silent month is a gap in the records, and no closed company."""
    daily = leads(years=4.6, rate=3.0)
    gap = (daily.index.month == 8) & (daily.index.year == 2023)
    observed = series(Tables.of(leads=rows_of(daily[~gap]), as_of="2025-06-30")).observed
    assert observed[gap[-len(observed) :]].isna().all()
