"""Expected change between two windows: steps, small counts, special days, quarters, refusals."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funnel.contract.periods import FiscalMonths, FiscalWeeks
from funnel.contract.plan import CheckItem
from funnel.methods.season import decompose, expected
from funnel.methods.season.day_weights import QuarterBlocks, day_features, fit_day_weights
from funnel.methods.season.expected import Refusal
from funnel.methods.season.grid_regression import InseparableError, working_levels
from funnel.methods.season.monthly import fit_month_effects, yearly_change
from funnel.methods.season.series import Context
from funnel.methods.season.share import share_of_change
from funnel.methods.season.weekly import find_steps

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


def statement(daily, period=PERIOD, baseline=BASELINE, **context):
    """The statement alone, without the decomposition."""
    return share_of_change(daily, period, baseline, context=Context(**context))


def row(result, part="usual"):
    return result.table.set_index("part").loc[part]


def test_windows_of_weeks_are_covered_at_their_level():
    """Four weeks against the four before, with a smooth season that no month knows."""
    period = (dt.date(2025, 5, 14), dt.date(2025, 6, 10))
    baseline = (dt.date(2025, 4, 16), dt.date(2025, 5, 13))

    def curve(index):
        place = 2 * np.pi * index.day_of_year.to_numpy() / 365.25
        return np.exp(0.2 * np.cos(place) + 0.1 * np.sin(3 * place))

    days = [pd.date_range(*window) for window in (period, baseline)]
    sums = [(curve(each) * np.where(each.day_of_week < 5, 1, 0.3)).sum() for each in days]
    truth = np.log(sums[0] / sums[1])
    covered = errors = 0
    for seed in range(20):
        found = row(
            statement(leads(seed, season=np.zeros(12), worth=curve), period, baseline, seed=seed)
        )
        covered += found["low"] <= truth <= found["high"]
        errors += abs(found["change"] - truth) / 20
    assert covered >= 15  # 20 draws at 0.9: fewer than 15 once in a hundred
    assert errors < 0.04


def test_a_fall_of_a_quarter_in_a_fortnight_is_no_season():
    fortnight = (dt.date(2025, 6, 3), dt.date(2025, 6, 16))
    before = (dt.date(2025, 5, 20), dt.date(2025, 6, 2))
    plain = leads(1)
    fallen = plain.where(plain.index < pd.Timestamp(fortnight[0]), 0.75 * plain)
    one, other = (statement(each, fortnight, before) for each in (plain, fallen))
    assert row(other)["change"] == row(one)["change"]
    assert row(other, "rest")["change"] - row(one, "rest")["change"] == pytest.approx(np.log(0.75))


def test_a_step_of_the_level_is_found_and_left_out():
    day = pd.Timestamp("2024-02-05")
    stepped = leads(2, worth=lambda index: np.where(index >= day, 1.6, 1.0))
    result = statement(stepped)
    assert [np.sign(step) for _, step in result.steps] == [1.0]
    assert any("stepped by about +" in caveat for caveat in result.caveats)
    plain = row(statement(leads(2)))
    assert row(result)["change"] == pytest.approx(plain["change"], abs=0.04)
    width = row(result)["high"] - row(result)["low"]
    assert width < 1.4 * (plain["high"] - plain["low"])


def test_no_step_is_found_where_the_level_wanders():
    mondays = pd.date_range("2022-01-03", periods=150, freq="7D")
    found = 0
    for seed in range(15):
        random = np.random.default_rng(seed)
        level = np.cumsum(random.normal(0, 0.03, 150)) + random.normal(0, 0.08, 150)
        found += len(find_steps(level, mondays)[1]) > 0
    assert found <= 1


def test_steps_are_dated():
    random = np.random.default_rng(5)
    mondays = pd.date_range("2022-01-03", periods=150, freq="7D")
    level = random.normal(0, 0.08, 150) + 0.5 * (np.arange(150) >= 90)
    fit, at, _ = find_steps(level, mondays)
    assert at.tolist() == [90]
    assert fit.mean[2] == pytest.approx(0.5, abs=0.08)


def test_small_counts_have_the_season_of_large_ones():
    """One lead a day and months without any: the mean of many is unbiased."""
    truth = row(statement(leads(0, rate=4000.0)))["change"]
    found = [statement(leads(seed, rate=1.0), seed=seed) for seed in range(8)]
    covered = sum(row(each)["low"] <= truth <= row(each)["high"] for each in found)
    assert covered >= 6
    assert np.mean([row(each)["change"] for each in found]) == pytest.approx(truth, abs=0.15)
    assert all(each.is_small_count for each in found)


def test_working_levels_solve_the_poisson_equation():
    """With one common level the fit's mean is the log of the mean, zeros included."""
    totals = np.array([0.0, 1.0, 3.0, 0.0, 2.0, 6.0])
    exposure = np.array([1.0, 1.0, 2.0, 0.5, 1.0, 2.0])

    def fitted(level, noise):
        return np.full(6, np.average(level, weights=1 / noise))

    level, noise = working_levels(totals, exposure, fitted)
    wanted = np.log(totals.sum() / exposure.sum())
    assert np.average(level, weights=1 / noise) == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("by_workdays", [True, False])
def test_a_push_at_the_quarters_end_is_calendar_in_any_year(by_workdays):
    """Year over year, months apart by where their last days fall; error and interval."""

    def push(index):
        features = day_features(index, "DE", QuarterBlocks(by_workdays))
        return np.exp(0.5 * features[:, -3] - 0.25 * features[:, -1])

    june = [(dt.date(year, 6, 1), dt.date(year, 6, 30)) for year in (2025, 2024)]
    worth = []
    for window in june:
        days = pd.date_range(*window)
        worth.append((push(days) * np.where(days.day_of_week < 5, 1, 0.3)).sum())
    truth, covered, errors = np.log(worth[0] / worth[1]), 0, []
    for seed in range(12):
        result = statement(leads(seed, worth=push), *june, country="DE", seed=seed)
        found = row(result, "calendar")
        covered += found["low"] <= truth <= found["high"]
        errors.append(100 * (found["change"] - truth))
    assert np.sqrt(np.mean(np.square(errors))) < 0.55
    assert covered >= 9


def test_quarters_end_with_the_fiscal_year():
    days = pd.date_range("2025-04-20", "2025-05-05")
    february = day_features(days, "", QuarterBlocks(False), fiscal=FiscalMonths(2))
    assert days[february[:, -3] > 0].strftime("%m-%d").tolist()[0] == "04-26"
    assert days[february[:, -1] > 0].strftime("%m-%d").tolist() == [
        "05-01", "05-02", "05-03", "05-04", "05-05",
    ]  # fmt: skip
    assert not day_features(days, "", QuarterBlocks(False))[:, -3:].any(axis=1)[5:].any()


def test_quarters_end_with_the_fiscal_weeks():
    days = pd.date_range("2024-01-25", "2024-02-10")
    retail = FiscalWeeks("4-5-4", "Saturday nearest January 31")
    features = day_features(days, "", QuarterBlocks(False), fiscal=retail)
    assert days[features[:, -3] > 0][-1] == pd.Timestamp("2024-02-03")
    assert days[features[:, -1] > 0][0] == pd.Timestamp("2024-02-04")


def fair(*years):
    return tuple(
        CheckItem("Fair", from_=dt.date(year, 5, 13), to=dt.date(year, 5, 14)) for year in years
    )


def test_special_days_are_calendar_once_earlier_ones_are_known():
    items = fair(2022, 2023, 2024, 2025)

    def busy(index):
        known = [day for item in items for day in pd.date_range(item.from_, item.to)]
        return np.where(index.isin(known), 4.0, 1.0)

    may = (dt.date(2025, 5, 1), dt.date(2025, 5, 31))
    april = (dt.date(2025, 4, 1), dt.date(2025, 4, 30))
    daily = leads(3, worth=busy)
    known, unknown = (statement(daily, may, april, checklist=each) for each in (items, ()))
    more = row(known, "calendar")["change"] - row(unknown, "calendar")["change"]
    assert more == pytest.approx(np.log(1 + 2 * 3 / 24.7), abs=0.06)  # 22 weekdays, 9 of 0.3
    assert [item.n_earlier for item in known.special] == [6]
    assert any("estimated from 6 earlier days" in caveat for caveat in known.caveats)
    first = statement(daily, may, april, checklist=fair(2025))
    assert row(first, "calendar")["change"] == row(unknown, "calendar")["change"]
    assert [item.n_earlier for item in first.special] == [0]
    assert any("part of the unexplained change" in caveat for caveat in first.caveats)


def test_an_unknown_country_is_reported_and_weekends_count():
    known, strange = (statement(leads(4), country=country) for country in ("", "XX"))
    assert row(strange)["change"] == row(known)["change"]
    assert (known.unknown_country, strange.unknown_country) == ("", "XX")
    assert any("'XX'" in caveat and "not known" in caveat for caveat in strange.caveats)


@settings(max_examples=12, deadline=None)
@given(months=st.integers(6, 40), year_ago=st.booleans(), gap=st.booleans())
def test_refused_where_it_cannot_be_known_and_never_with_two_years(months, year_ago, gap):
    daily = leads(years=4)
    start = pd.Timestamp(PERIOD[0])
    daily = daily[daily.index >= start - pd.DateOffset(months=months)]
    baseline = YEAR_AGO if year_ago else BASELINE
    if gap:  # April is never seen before the window
        daily = daily.mask((daily.index.month == 4) & (daily.index < start))
    result = statement(daily, PERIOD, baseline)
    if months >= 24 and not gap:
        assert not result.refused
    if months < 16 or gap or (year_ago and months < 24):
        assert result.refused and "not known" in result.headline
        assert np.isnan(row(result, "season")["change"])


def test_the_beginning_of_the_history_may_be_the_baseline():
    daily = leads(years=3)
    daily = daily[daily.index >= "2023-04-01"]
    first = (dt.date(2023, 4, 1), dt.date(2023, 6, 30))
    assert not statement(daily, PERIOD, first).refused


def test_a_changing_season_is_reported():
    moving, still = [], []
    for seed in range(6):
        by_year = np.random.default_rng(seed).normal(0, 0.15, (6, 12)).cumsum(axis=0)

        def worth(index, by_year=by_year):
            return np.exp(by_year[index.year - index[0].year, index.month - 1])

        moving.append(statement(leads(seed, years=5, worth=worth), seed=seed))
        still.append(statement(leads(seed, years=5), seed=seed).change_p_value < 0.01)
    assert sum(each.change_p_value < 0.01 for each in moving) >= 4
    assert any("season itself is changing" in caveat for caveat in moving[0].caveats)
    assert sum(still) <= 1
    assert np.isnan(statement(leads(years=2.5)).change_p_value)
    width = [
        row(each, "season")["high"] - row(each, "season")["low"]
        for each in moving
        if each.change_p_value < 0.01
    ]
    assert min(width) > 0.3  # a step of 0.15 a year, in months that nobody has seen yet


@pytest.mark.parametrize("step", [0.05, 0.15])
def test_how_far_months_move_from_year_to_year_is_found(step):
    at, found = np.arange(60) + 24_000, []
    for seed in range(8):
        random = np.random.default_rng(seed)
        steps = np.vstack([random.normal(0, 0.12, 12), random.normal(0, step, (4, 12))])
        level = steps.cumsum(axis=0).ravel() + random.normal(0, 0.05, 60)
        found.append(yearly_change(fit_month_effects(level, at, seed=1), at) ** 0.5)
    assert np.mean(found) == pytest.approx(step, rel=0.25)


@pytest.mark.parametrize(
    ("change", "reason", "clause"),
    [
        (lambda daily: daily.iloc[:0], "nothing is recorded in the two windows", "nothing is"),
        (lambda daily: daily * 0, "one of the two windows holds nothing", "holds nothing"),
        (lambda daily: daily.iloc[-1:], "days of the two windows are not recorded", "180 days"),
        (lambda daily: -daily, "one of the two windows holds nothing", "less than nothing"),
        (lambda daily: daily * np.nan, "nothing is recorded in the two windows", "nothing is"),
    ],
)
def test_a_change_that_is_not_known_is_a_sentence(change, reason, clause):
    result = decompose(change(leads())).share_of_change(PERIOD, BASELINE)
    assert result.refused == reason and clause in result.headline
    assert np.isnan(result.table["change"]).all()


def test_refunds_and_gaps_of_years_leave_a_statement():
    money = leads(7) * 100
    money.iloc[::60] = -3000.0
    refunds = decompose(money).share_of_change(PERIOD, BASELINE)
    assert np.isfinite(row(refunds)["change"])
    whole = leads(8, years=6)
    gap = decompose(whole[(whole.index.year != 2021) & (whole.index.year != 2022)])
    assert np.isfinite(row(gap.share_of_change(PERIOD, BASELINE))["change"])
    assert gap.table["observed"].isna().sum() == 730


def test_a_series_of_working_days_has_no_gap_at_weekends():
    daily = leads(9)
    daily = daily.where(daily.index.day_of_week < 5, 0.0)
    whole, working = (
        decompose(each).share_of_change(PERIOD, BASELINE)
        for each in (daily, daily[daily.index.day_of_week < 5])
    )
    assert row(working)["change"] == row(whole)["change"]


def test_too_few_weeks_give_no_weights_of_days():
    daily = leads(years=0.4)
    assert not fit_day_weights(daily).fitted
    assert fit_day_weights(leads()).likeliest.share <= 1


def test_plain_dates_are_days_too():
    daily = leads(years=1)
    plain = daily.set_axis([day.date() for day in daily.index])
    tables = [decompose(each).table for each in (plain, daily)]
    pd.testing.assert_frame_equal(*tables, check_dtype=False)


def test_yearly_peaks_of_a_week_or_two_are_found_and_are_season():
    """Two fairs a year, ten days each, which fourteen harmonics level out."""
    random = np.random.default_rng(8)
    mondays = pd.date_range("2021-01-04", periods=208, freq="7D")
    place = mondays.day_of_year.to_numpy()
    is_fair = ((place >= 71) & (place < 85)) | ((place >= 260) & (place < 274))
    level = 4 + random.normal(0, 0.06, 208) + 0.7 * is_fair
    _, steps, peaks = find_steps(level, mondays)
    assert not len(steps)
    found = {day for start, length in peaks for day in range(start, start + length)}
    assert {75, 80, 264, 269} <= found and len(found) < 60
    assert not find_steps(4 + random.normal(0, 0.06, 208), mondays)[2]


def test_months_recorded_in_one_year_only_leave_the_others_standing():
    """Closed each August but one: no movement of Augusts from year to year can be fitted."""
    daily = leads(years=5.2)
    closed = (daily.index.month == 8) & (daily.index.year != 2022)
    result = statement(daily.mask(closed))
    assert not result.refused and np.isfinite(row(result)["change"])
    assert np.isnan(result.change_p_value)


def test_columns_that_cannot_be_separated_are_a_refusal(monkeypatch):
    def fail(*_, **__):
        raise InseparableError("24 columns cannot be separated in 20 observations")

    monkeypatch.setattr(expected, "fit_month_effects", fail)
    result = statement(leads())
    assert result.refused == Refusal.INSEPARABLE
    assert np.isfinite(row(result, "calendar")["change"])
    assert "The season is not known: the 40 months" in result.headline


def fridays(rate=60.0):
    index = pd.date_range("2021-01-01", "2024-10-26")
    random = np.random.default_rng(5)
    return pd.Series(np.where(index.day_of_week == 4, random.poisson(rate, len(index)), 0.0), index)


OCTOBER, SEPTEMBER = (
    (dt.date(2024, month, 1), dt.date(2024, month, 26)) for month in (10, 9)
)  # four Fridays, and three


def test_rows_imported_on_fridays_are_compared_by_fridays():
    """Four imports instead of three are calendar, and no wider than that is certain."""
    result = statement(fridays(), OCTOBER, SEPTEMBER)
    assert result.n_reports == (4, 3)
    calendar = row(result, "calendar")
    assert calendar["change"] == pytest.approx(np.log(4 / 3), abs=1e-6)
    assert calendar["high"] - calendar["low"] < 0.02
    assert "4 weekly records instead of 3: per record, they rose by 4.3%" in result.headline
    assert any("on one day a week" in caveat for caveat in result.caveats)


def test_a_weekly_series_is_compared_by_the_days_its_weeks_hold():
    """The same whether days between are left out or blank, and 26 days are 26 days."""
    values = fridays()
    is_friday = values.index.day_of_week == 4
    left_out, blank = (
        decompose(each).share_of_change(OCTOBER, SEPTEMBER)
        for each in (values[is_friday], values.where(is_friday))
    )
    assert left_out.table.equals(blank.table)
    assert row(left_out, "calendar")["change"] == pytest.approx(0.0, abs=1e-9)
    assert abs(row(left_out, "observed")["change"]) < 0.15


def test_an_interval_beyond_ten_times_is_not_shown():
    """A Sunday's first leads: nothing says how many a Sunday lets expect."""
    daily = leads()
    daily[daily.index.day_of_week == 6] = 0.0
    sunday, friday = pd.Timestamp("2025-06-29"), pd.Timestamp("2025-06-27")
    daily[sunday] = 5.0
    result = statement(daily, (sunday, sunday), (friday, friday))
    assert result.refused == Refusal.TOO_WIDE
    assert result.table.dropna(subset="change")["part"].tolist() == ["observed"]
    assert "we cannot tell: the days before the period hold too few" in result.headline
