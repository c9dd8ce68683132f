"""Decomposition: STL as R's `stl` computes it, redone slowly, on published series."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from funnel.contract.errors import ParameterError
from funnel.methods.season import decompose

PUBLIC = Path(__file__).parents[4] / "shared" / "data" / "seasonal_series"
ROUNDS = {"inner_iter": 2, "outer_iter": 0}


def local(y, at, left, right, length, degree):
    """Loess at one place from the points left to right, both from 1 and inclusive."""
    n = len(y)
    points = np.arange(left, right + 1)
    reach = max(at - left, right - at)
    if length > n:
        reach += (length - n) // 2
    distance = np.abs(points - at)
    weights = np.where(distance <= 0.001 * reach, 1.0, (1 - (distance / reach) ** 3) ** 3)
    weights[distance > 0.999 * reach] = 0.0
    weights /= weights.sum()
    if degree:
        centre = weights @ points
        spread = weights @ (points - centre) ** 2
        if np.sqrt(spread) > 0.001 * (n - 1):
            weights *= 1 + (at - centre) / spread * (points - centre)
    return weights @ y[left - 1 : right]


def neighbours(at, n, length):
    """The window of `length` points around a place, moved inside at the ends."""
    if length >= n:
        return 1, n
    left = min(max(at - (length + 1) // 2 + 1, 1), n - length + 1)
    return left, left + length - 1


def loess(y, length, degree, jump):
    """Loess at every `jump`th place and at the last, straight lines between."""
    n = len(y)
    places = sorted({*range(1, n + 1, jump), n})
    fitted = [local(y, at, *neighbours(at, n, length), length, degree) for at in places]
    return np.interp(np.arange(1, n + 1), places, fitted)


def cycles(y, period, length, degree, jump):
    """Loess of each month of the year by itself, one year further at both ends."""
    smooth = np.zeros(len(y) + 2 * period)
    for month in range(period):
        of = y[month::period]
        n = len(of)
        before = local(of, 0, 1, min(length, n), length, degree)
        after = local(of, n + 1, max(1, n - length + 1), n, length, degree)
        smooth[month::period] = [before, *loess(of, length, degree, jump), after]
    return smooth


def averaged(y, *lengths):
    for length in lengths:
        y = np.convolve(y, np.ones(length) / length, "valid")
    return y


def slow_stl(y, period, seasonal, trend, low_pass, degree, jumps):
    """STL without robustness weights, two inner rounds, as Cleveland et al. (1990) write it."""
    level = np.zeros(len(y))
    for _ in range(2):
        rough = cycles(y - level, period, seasonal, degree, jumps[0])
        low = loess(averaged(rough, period, period, 3), low_pass, 1, jumps[2])
        season = rough[period:-period] - low
        level = loess(y - season, trend, 1, jumps[1])
    return season, level


def public(name):
    if not PUBLIC.exists():
        pytest.skip("public data sets are not beside the repository")
    return pd.read_csv(PUBLIC / name, index_col=0, parse_dates=True)


def log_retail():
    return np.log(public("us_retail_sales_monthly.csv").iloc[:, 0].astype(float))


def weekly_bikes():
    if not PUBLIC.exists():
        pytest.skip("public data sets are not beside the repository")
    rides = pd.read_csv(PUBLIC / "bike_sharing_daily.csv", parse_dates=["dteday"])
    return rides.set_index("dteday")["cnt"].resample("W-MON", label="left", closed="left").sum()


@pytest.mark.public_data
@pytest.mark.parametrize(
    ("seasonal", "degree", "jumps"),
    [
        (7, 0, (1, 1, 1)),
        (13, 0, (2, 3, 2)),  # R's own: degree 0, every tenth of the window
        (35, 1, (4, 2, 2)),
    ],
)
def test_stl_by_month_is_the_slow_one(seasonal, degree, jumps):
    y = log_retail()
    trend = int(np.ceil(1.5 * 12 / (1 - 1.5 / seasonal))) // 2 * 2 + 1
    settings = {
        "seasonal": seasonal, "trend": trend, "low_pass": 13, "seasonal_deg": degree,
        "seasonal_jump": jumps[0], "trend_jump": jumps[1], "low_pass_jump": jumps[2],
    }  # fmt: skip
    ours = decompose(y, robust=False, settings=settings | ROUNDS).table
    season, level = slow_stl(y.to_numpy(), 12, seasonal, trend, 13, degree, jumps)
    assert ours["seasonal"].to_numpy() == pytest.approx(season, abs=1e-6)
    assert ours["trend"].to_numpy() == pytest.approx(level, abs=1e-6)


@pytest.mark.public_data
def test_stl_by_week_is_the_slow_one():
    y = weekly_bikes()
    settings = {"seasonal": 11, "trend": 93, "low_pass": 53, "seasonal_deg": 0, "trend_jump": 10}
    ours = decompose(y, robust=False, settings=settings | ROUNDS).table
    season, level = slow_stl(y.to_numpy(float), 52, 11, 93, 53, 0, (1, 10, 1))
    size = float(np.abs(y).max())
    assert ours["seasonal"].to_numpy() == pytest.approx(season, abs=1e-6 * size)
    assert ours["trend"].to_numpy() == pytest.approx(level, abs=1e-6 * size)


@pytest.mark.public_data
def test_christmas_of_retail_is_season_and_its_recession_is_not():
    """December to January falls by 22 % each year; the fall of 2008 to 2009 is no season."""
    sales = public("us_retail_sales_monthly.csv").iloc[:, 0].astype(float)
    whole = decompose(sales)
    january = whole.share_of_change(("2015-01-01", "2015-01-31"), ("2014-12-01", "2014-12-31"))
    rows = january.table.set_index("part")
    assert january.season_is_claimed and january.seen[0] == january.seen[1] >= 4
    assert rows.loc["observed", "change"] == pytest.approx(-0.25, abs=0.03)
    assert abs(rows.loc["rest", "change"]) < 0.05
    year = whole.share_of_change(("2009-02-01", "2009-02-28"), ("2008-02-01", "2008-02-29"))
    residual = year.table.set_index("part").loc["rest"]
    assert residual["high"] < -0.05


@pytest.mark.public_data
def test_one_year_of_bike_orders_has_no_season():
    """One year of orders: the calendar is estimated, the season is refused."""
    folder = PUBLIC.parent / "bike_sales"
    if not folder.exists():
        pytest.skip("public data sets are not beside the repository")
    orders = pd.read_csv(folder / "bike_sales_sample.csv", parse_dates=["order_date"])
    daily = orders.groupby("order_date")["total_price"].sum()
    daily = daily.reindex(pd.date_range("2011-01-01", "2011-12-31"), fill_value=0.0).astype(float)
    whole = decompose(daily, of="bookings", unit="USD")
    result = whole.share_of_change(("2011-10-01", "2011-12-31"), ("2011-07-01", "2011-09-30"))
    assert result.value_baseline == 1194430 + 679790 + 814720
    assert result.refused == "too few months before the period"
    assert "16 whole months" in result.headline
    rows = result.table.set_index("part")["change"]
    assert np.isfinite(rows["calendar"]) and np.isnan(rows["season"])


def test_a_storm_does_not_bend_a_robust_season():
    days = pd.date_range("2019-01-01", periods=72, freq="MS")
    season = 10 * np.sin(2 * np.pi * days.month / 12)
    y = pd.Series(100 + season, index=days)
    y.iloc[40] -= 90
    table = decompose(y).table
    assert table["resid"].iloc[40] == pytest.approx(-90, abs=3)
    assert table["seasonal"].to_numpy() == pytest.approx(season, abs=2)


def test_two_months_of_one_name_are_refused():
    with pytest.raises(ParameterError, match="more than once"):
        decompose(
            pd.Series(
                [1.0, 2.0, 3.0], index=pd.to_datetime(["2025-01-03", "2025-01-30", "2025-03-01"])
            )
        )
