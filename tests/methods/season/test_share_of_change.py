"""Share of a change: parts that add up, the period held out, planted seasons, published series."""

import datetime as dt
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from funnel.contract.errors import ParameterError
from funnel.contract.plan import Company, Plan
from funnel.contract.workdays import is_workday
from funnel.dataset import Tables
from funnel.methods.season import ShareOfChange, decompose, series
from funnel.methods.season.day_weights import day_features, fit_day_weights
from funnel.methods.season.monthly import fit_month_effects
from funnel.methods.season.series import Context
from funnel.methods.season.share import share_of_change
from funnel.results.formats import NO_BREAK

PUBLIC = Path(__file__).parents[4] / "shared" / "data" / "seasonal_series"
PERIOD = (dt.date(2025, 4, 1), dt.date(2025, 6, 30))
BASELINE = (dt.date(2025, 1, 1), dt.date(2025, 3, 31))
SEASON = np.array([0.0, 0.0, 0.1, -0.1, 0.05, 0.0, -0.2, -0.25, 0.1, 0.15, 0.1, 0.05])


def days(years=3.5, seed=0, rate=25.0, season=SEASON, end="2025-06-30", fall=0.0, spread=1.0):
    """Leads by day: fewer at weekends, a season, a wandering level, and a fall in the period."""
    random = np.random.default_rng(seed)
    index = pd.date_range(end=end, periods=int(365.25 * years), freq="D")
    index = index[index >= (index[0] + pd.offsets.MonthBegin())]
    level = np.repeat(np.cumsum(random.normal(0, 0.02, len(index) // 7 + 1)), 7)[: len(index)]
    mean = rate * np.exp(level + season[index.month - 1]) * np.where(index.day_of_week < 5, 1, 0.3)
    mean = mean * np.where(index >= pd.Timestamp(PERIOD[0]), np.exp(-fall), 1.0)
    if spread > 1:
        mean = mean * random.gamma(1 / (spread - 1), spread - 1, len(index))
    return pd.Series(random.poisson(mean).astype(float), index=index)


def statement(daily, seed=0):
    """The statement alone, without the decomposition, which takes longer."""
    return share_of_change(daily, PERIOD, BASELINE, context=Context(seed=seed))


def parts(result):
    return result.table.set_index("part")["change"]


def test_parts_add_up_on_both_scales():
    result = decompose(days()).share_of_change(PERIOD, BASELINE)
    rows = result.table.set_index("part")
    for column in ("change", "change_units"):
        of = rows[column]
        assert of["calendar"] + of["season"] == pytest.approx(of["usual"], abs=1e-9)
        assert of["usual"] + of["rest"] == pytest.approx(of["observed"], abs=1e-9)
    assert rows.loc["observed", "change_units"] == pytest.approx(
        result.value - result.value_baseline
    )
    assert (rows["low"] <= rows["change"] + 1e-12).all()
    assert (rows["change"] <= rows["high"] + 1e-12).all()


def test_a_fall_in_the_period_does_not_move_the_season():
    plain = days(seed=4)
    fallen = plain.where(plain.index < pd.Timestamp(PERIOD[0]), plain * 0.75)
    one, other = (decompose(each).share_of_change(PERIOD, BASELINE) for each in (plain, fallen))
    for part in ("calendar", "season", "usual"):
        assert parts(one)[part] == pytest.approx(parts(other)[part], abs=1e-9)
    assert parts(other)["rest"] - parts(one)["rest"] == pytest.approx(np.log(0.75), abs=1e-9)


def test_a_planted_season_is_covered_at_its_level():
    truth = np.log(
        np.average(np.exp(SEASON[3:6]), weights=[30, 31, 30])
        / np.average(np.exp(SEASON[:3]), weights=[31, 28, 31])
    )
    covered, errors = 0, []
    for seed in range(40):
        result = statement(days(seed=seed, spread=1.3), seed)
        row = result.table.set_index("part").loc["season"]
        covered += bool(row["low"] - 0.004 <= truth <= row["high"] + 0.004)
        errors.append(abs(row["change"] - truth))
    assert covered >= 32  # 40 draws at 0.9: fewer than 32 once in a hundred
    assert np.median(errors) < 0.04


def test_without_a_season_none_is_claimed():
    claimed = [
        statement(days(seed=seed, season=np.zeros(12)), seed).season_is_claimed
        for seed in range(20)
    ]
    assert sum(claimed) <= 2


def of_months(per_month):
    """Monthly totals in proportion to something of each month, with noise of half a per cent."""
    months = pd.date_range("2019-01-01", "2025-02-01", freq="MS")
    random = np.random.default_rng(3)
    noise = np.exp(random.normal(0, 0.005, len(months)))
    return pd.Series([1000 * per_month(month) for month in months] * noise, index=months)


def workdays_of(month):
    return is_workday(pd.date_range(month, month + pd.offsets.MonthEnd())).sum()


@pytest.mark.parametrize(
    ("per_month", "calendar"),
    [
        (workdays_of, np.log(20 / 21)),
        (lambda month: month.days_in_month, np.log(28 / 29)),
        (lambda month: 30.0, 0.0),
    ],
    ids=["working days", "days", "level"],
)
def test_how_far_months_follow_working_days_is_estimated(per_month, calendar):
    """February 2025 has 20 weekdays of 28 days, 2024 had 21 of 29: same month, a year apart."""
    result = decompose(of_months(per_month)).share_of_change(
        (dt.date(2025, 2, 1), dt.date(2025, 2, 28)), (dt.date(2024, 2, 1), dt.date(2024, 2, 29))
    )
    row = result.table.set_index("part").loc["calendar"]
    assert row["change"] == pytest.approx(calendar, abs=0.004)
    assert row["low"] - 1e-9 <= calendar <= row["high"] + 1e-9


def test_too_few_months_leave_the_effect_of_working_days_open():
    """Ten months say nothing of it, so that the interval holds both none and all of it."""
    result = decompose(of_months(workdays_of)[-10:]).share_of_change(
        (dt.date(2025, 2, 1), dt.date(2025, 2, 28)), (dt.date(2025, 1, 1), dt.date(2025, 1, 31))
    )
    row = result.table.set_index("part").loc["calendar"]
    assert row["low"] < np.log(20 / 23) + 0.01 and row["high"] > -0.01


def test_public_holidays_are_no_working_days():
    december = pd.date_range("2025-12-01", "2025-12-31")
    assert is_workday(december).sum() == 23
    assert is_workday(december, "DE").sum() == 21
    with pytest.raises(ParameterError, match="XX"):
        is_workday(december, "XX")


def test_day_weights_equal_a_poisson_model_with_week_effects():
    """The conditional fit against statsmodels' GLM with one effect per week."""
    from statsmodels.genmod.families import Poisson
    from statsmodels.genmod.generalized_linear_model import GLM

    daily = days(years=1.2, rate=60)
    weights = fit_day_weights(daily)
    whole = daily.groupby(daily.index.to_period("W-SUN")).filter(lambda week: len(week) == 7)
    week = pd.get_dummies(whole.index.to_period("W-SUN").astype(str)).to_numpy(float)
    model = weights.likeliest
    design = np.hstack([day_features(whole.index, "", model.blocks), week])
    design = design[:, design.any(axis=0)]
    theirs = GLM(whole.to_numpy(), design, family=Poisson()).fit().params[:6]
    assert model.coefficients[:6] == pytest.approx(theirs, abs=5e-3)


def test_month_effects_of_an_exact_season_are_that_season():
    at = np.arange(24_000, 24_048)
    level = 3.0 + 0.01 * np.arange(48) + SEASON[at % 12]
    effects = fit_month_effects(level, at, seed=1)
    assert np.median(effects.draws, axis=0) == pytest.approx(SEASON - SEASON.mean(), abs=1e-6)
    assert effects.p_value < 1e-6


@pytest.mark.parametrize(
    ("years", "reasons"),
    [
        (0.9, {"too few months before the period"}),
        (
            1.5,
            {
                "too few months before the period",
                "these months of the year were not seen before",
            },
        ),
    ],
)
def test_short_series_have_the_calendar_only(years, reasons):
    result = decompose(days(years=years)).share_of_change(PERIOD, BASELINE)
    assert np.isfinite(parts(result)["calendar"])
    assert np.isnan(parts(result)[["season", "usual", "rest"]]).all()
    assert result.refused in reasons
    assert "The season is not known" in result.headline


def test_a_season_from_one_earlier_year_is_reported():
    result = decompose(days(years=2.0)).share_of_change(PERIOD, BASELINE)
    assert any("one earlier year" in caveat for caveat in result.caveats)


def test_months_with_nothing_are_counts():
    """No logarithm of 0 is needed, and a month without leads is reported, not refused."""
    daily = days(seed=5)
    daily[(daily.index.year == 2024) & (daily.index.month == 2)] = 0.0
    result = decompose(daily).share_of_change(PERIOD, BASELINE)
    assert not result.refused
    assert result.is_small_count
    assert any("modelled as counts" in caveat for caveat in result.caveats)
    nothing = decompose(daily * 0).share_of_change(PERIOD, BASELINE)
    assert nothing.refused == "one of the two windows holds nothing"
    assert "not known" in nothing.headline


def test_a_gap_is_not_zero():
    daily = days(seed=2)
    gap = daily.where(~((daily.index.year == 2023) & (daily.index.month == 9)))
    result = decompose(gap)
    missing = result.table["observed"].isna()
    assert missing.sum() == 30
    assert result.table.loc[missing, "trend"].notna().all()
    with_gap = parts(result.share_of_change(PERIOD, BASELINE))
    whole = parts(decompose(daily).share_of_change(PERIOD, BASELINE))
    assert with_gap["season"] == pytest.approx(whole["season"], abs=0.03)


def test_windows_in_days_and_months_agree_where_working_days_count_alike():
    daily = days(seed=3)
    daily = daily.where(daily.index.day_of_week < 5, 0.0)
    monthly = daily.groupby(daily.index.to_period("M")).sum()
    by_day, by_month = (
        parts(decompose(each).share_of_change(PERIOD, BASELINE)) for each in (daily, monthly)
    )
    assert by_month["usual"] == pytest.approx(by_day["usual"], abs=0.03)


@pytest.mark.parametrize("n", [0, 1, 2, 7, 30])
def test_short_and_empty_series_have_a_table_and_a_sentence(n):
    index = pd.date_range("2025-01-01", periods=n, freq="D")
    result = decompose(pd.Series(np.arange(n, dtype=float), index=index), as_of=dt.date(2025, 2, 1))
    assert len(result.table) == n
    assert result.headline
    known = result.table.dropna()
    rebuilt = known.drop(columns=["date", "observed"]).sum(axis=1)
    assert rebuilt.tolist() == pytest.approx(known["observed"].tolist())


@pytest.mark.parametrize(
    "wrong",
    [
        pd.Series([1.0, 2.0]),
        pd.Series([1.0, 2.0], index=pd.DatetimeIndex(["2025-01-01", "2025-01-01"])),
        pd.Series(["a", "b"], index=pd.date_range("2025-01-01", periods=2)),
        pd.Series([1.0, np.inf], index=pd.date_range("2025-01-01", periods=2)),
    ],
)
def test_no_series_is_an_error(wrong):
    with pytest.raises(ParameterError):
        decompose(wrong)


def test_windows_must_fit_the_series():
    monthly = days().groupby(pd.Grouper(freq="MS")).sum()
    with pytest.raises(ParameterError, match="whole months"):
        decompose(monthly).share_of_change((dt.date(2025, 4, 2), dt.date(2025, 4, 30)), BASELINE)
    with pytest.raises(ParameterError, match="needs `period`"):
        decompose(monthly).share_of_change()
    with pytest.raises(ParameterError, match="begins on"):
        decompose(days()).share_of_change(PERIOD[::-1], BASELINE)


def company(leads, zone="UTC", as_of="2026-03-20"):
    frame = pd.DataFrame({"lead_id": [f"L{i}" for i in range(len(leads))], "created_at": leads})
    return Tables.of(leads=frame, plan=Plan(company=Company(timezone=zone)), as_of=as_of)


def test_series_count_local_days_and_whole_spans():
    leads = ["2026-01-04T23:30:00Z", "2026-01-31T23:30:00Z", "2026-02-10", "2026-03-05"]
    local = series(company(leads, "Europe/Berlin"), grain="month").observed
    assert local.index.strftime("%Y-%m").tolist() == ["2026-02"]
    assert local.tolist() == [2.0]
    daily = series(company(leads, "Europe/Berlin")).observed
    assert daily.index[-1] == pd.Timestamp("2026-03-20")
    assert daily["2026-03-05"] == 1.0
    assert daily.sum() == 3.0


def test_a_silent_month_is_blank_and_a_quiet_one_in_an_active_table_is_zero():
    data = company(["2026-01-01", "2026-03-01"])
    assert series(data, grain="month").observed.isna().tolist() == [False, True]
    deals = pd.DataFrame(
        {
            "deal_id": ["D1", "D2", "D3"],
            "created_at": ["2025-12-01", "2026-01-02", "2026-02-03"],
            "outcome": ["won", "open", "won"],
            "closed_at": ["2025-12-05", None, "2026-02-07"],
            "amount": [10.0, 99.0, 30.0],
        }
    )
    data = Tables.of(deals=deals, as_of="2026-02-28")
    assert series(data, "wins", "month").observed.tolist() == [1.0, 0.0, 1.0]
    assert series(data, "bookings", "month").observed.tolist() == [10.0, 0.0, 30.0]


def test_start_up_months_are_left_out():
    first = [f"2025-0{month}-10" for month in range(1, 4)]
    later = [f"2025-{month:02}-{day:02}" for month in range(4, 13) for day in range(1, 21)]
    begins = series(company([*first, *later], as_of="2025-12-31"), grain="month").observed.index[0]
    assert begins == pd.Timestamp("2025-04-01")


def test_a_statement_names_the_rows_of_both_windows():
    data = company(["2025-12-30", "2026-01-02", "2026-02-10", "2026-03-05"])
    result = decompose(series(data)).share_of_change()
    named = result.rows.groupby("figure")["id"].apply(list).to_dict()
    assert named == {"period": ["L1", "L2", "L3"]}
    assert set(result.rows["table"]) == {"leads"}


def test_an_unknown_measure_is_an_error():
    with pytest.raises(ParameterError, match="of='clicks'"):
        series(company(["2026-01-01"]), "clicks")
    with pytest.raises(ParameterError, match="grain"):
        series(company(["2026-01-01"]), grain="hour")


@pytest.mark.public_data
def test_us_retail_sales_as_published():
    if not PUBLIC.exists():
        pytest.skip("public data sets are not beside the repository")
    facts = json.loads((PUBLIC / "facts.json").read_text())["us_retail_sales_monthly"]
    sales = pd.read_csv(PUBLIC / "us_retail_sales_monthly.csv", index_col=0, parse_dates=True)
    log_sales = np.log(sales.iloc[:, 0].astype(float))
    result = decompose(log_sales)
    assert len(result.table) == facts["rows"]
    wanted = facts["strength_log_period12"]["seasonal"]
    assert result.strength == pytest.approx(wanted, abs=5e-5)
    index = np.exp(result.table.groupby(result.table["date"].dt.month)["seasonal"].mean())
    for month, value in facts["month_index"].items():
        assert index[int(month)] == pytest.approx(value, abs=5e-5)


def test_parts_are_shown_in_per_cent_and_in_units():
    table = pd.DataFrame(
        {
            "part": ["observed", "calendar", "season"],
            "change": [np.log(0.8), np.log(0.9), np.nan],
            "low": [np.log(0.8), np.log(0.85), np.nan],
            "high": [np.log(0.8), np.log(0.95), np.nan],
            "change_units": [-200_000.0, -100_400.0, np.nan],
            "change_units_low": [-200_000.0, -150_000.0, np.nan],
            "change_units_high": [-200_000.0, -50_000.0, np.nan],
        }
    )
    of = {"as_of": PERIOD[1], "period": PERIOD, "baseline": BASELINE, "of": "bookings"}
    money = ShareOfChange(table=table, units={"change_units": "EUR"}, **of).shown()
    money = money.map(lambda cell: cell.replace(NO_BREAK, " "))
    assert money.to_dict("list") == {
        "part": ["observed change", "calendar (days)"],
        "change": ["-20.0%", "-10.0% [-15.0 to -5.0]"],
        "EUR, thousands": ["-200", "-100 [-150 to -50]"],
    }
    small = table.assign(change_units=-1.0)
    assert (
        "in bookings" in ShareOfChange(table=small, units={"change_units": "number"}, **of).shown()
    )


def test_a_day_without_rows_counts_zero():
    """Silent days of an active month lower its total's mean; none of them is dropped."""
    daily = series(company(["2026-01-01", "2026-01-20", "2026-02-03"], as_of="2026-02-28")).observed
    assert daily.loc["2026-01"].tolist() == [1.0] + [0.0] * 18 + [1.0] + [0.0] * 11
    assert daily.notna().all() and len(daily) == 59
    week = series(company(["2026-01-01", "2026-01-20"], as_of="2026-01-31"), grain="week").observed
    assert week.tolist() == [0.0, 0.0, 1.0]


def test_days_of_a_silent_month_are_blank():
    daily = series(company(["2026-01-01", "2026-03-05"])).observed
    assert daily.loc["2026-02"].isna().all() and daily.loc["2026-03"].notna().all()


@pytest.mark.parametrize(("window", "n"), [(PERIOD, 31), (BASELINE, 28), (None, 59)])
def test_days_not_recorded_in_either_window_refuse_the_change(window, n):
    """Blank days are no zeros: a total over them would be too low."""
    daily = days(seed=2)
    may, february = ((daily.index.year == 2025) & (daily.index.month == m) for m in (5, 2))
    blank = {PERIOD: may, BASELINE: february}.get(window, may | february)
    result = statement(daily.mask(blank))
    assert (result.refused, result.n_refused) == ("days of the two windows are not recorded", n)
    assert f"{n} days of the two windows are not recorded" in result.headline
    assert statement(daily.mask(blank, 0.0)).refused == ""


def test_days_without_rows_lower_the_weight_of_their_weekday():
    """Nothing on Wednesdays is a weight of about 0, not a gap."""
    daily = days(seed=3)
    closed = daily.mask(daily.index.day_of_week == 2, 0.0)
    weights = fit_day_weights(closed)
    wednesday, thursday = weights.of(pd.DatetimeIndex(["2025-05-14", "2025-05-15"]))
    assert wednesday < 0.05 * thursday


def numbers(text):
    """Percentages in a sentence, as shares with their sign."""
    return [float(each) / 100 for each in re.findall(r"[-+]?\d+\.\d(?=%)", text)]


@pytest.fixture(scope="module")
def seasonal():
    return statement(days(seed=1, years=5.0, season=4 * SEASON))


def test_the_headline_states_the_numbers_of_the_table(seasonal):
    assert seasonal.season_is_claimed
    rows = seasonal.table.set_index("part")
    observed, *expected = numbers(seasonal.headline)
    assert observed == pytest.approx(abs(np.expm1(rows.loc["observed", "change"])), abs=5e-4)
    wanted = np.expm1(rows.loc["usual", ["change", "low", "high"]].to_numpy(float))
    assert expected == pytest.approx(wanted, abs=5e-4)
    is_fall = rows.loc["observed", "change"] < 0
    assert ("fell" if is_fall else "rose") in seasonal.headline
    flat = statement(days(seed=1, season=np.zeros(12)))
    assert not flat.season_is_claimed and "No seasonal pattern found" in flat.headline
    wanted = np.expm1(flat.table.set_index("part").loc["calendar", ["change", "low", "high"]])
    assert numbers(flat.headline)[1:] == pytest.approx(wanted.to_numpy(float), abs=5e-4)


def test_the_chart_draws_the_parts_of_the_table(seasonal):
    ax = seasonal.plot()
    rows = seasonal.table
    percent = {name: 100 * np.expm1(rows[name].to_numpy()) for name in ("change", "low", "high")}
    assert [bar.get_width() for bar in ax.patches] == pytest.approx(percent["change"])
    intervals = ax.collections[0].get_segments()
    is_uncertain = rows["part"].ne("observed").to_numpy()  # what was observed has no interval
    ends = np.array([[line[0, 0], line[1, 0]] for line in intervals])
    assert ends[:, 0] == pytest.approx(percent["low"][is_uncertain])
    assert ends[:, 1] == pytest.approx(percent["high"][is_uncertain])
    heights = [bar.get_y() + bar.get_height() / 2 for bar in ax.patches]
    assert [line[0, 1] for line in intervals] == pytest.approx(np.array(heights)[is_uncertain])
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == seasonal.shown()["part"].tolist()
    assert ax.figure.get_label() == seasonal.headline


def test_the_chart_of_a_decomposition_draws_its_columns():
    months = pd.date_range("2021-01-01", periods=48, freq="MS")
    result = decompose(pd.Series(100.0 + 20 * (months.month == 3) + np.arange(48), index=months))
    result.table.loc[5, "observed"] = np.nan  # a gap stays a gap
    observed, both, trend = (line.get_ydata() for line in result.plot().lines)
    table = result.table
    np.testing.assert_allclose(observed, table["observed"])
    np.testing.assert_allclose(both, table["trend"] + table["seasonal"])
    np.testing.assert_allclose(trend, table["trend"])
