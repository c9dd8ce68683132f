"""What closings repeat: win rates by month of the quarter, renewals by time of the year."""

import numpy as np
import pandas as pd
import pytest

from funnel.dataset import Tables
from funnel.methods.bridge import bridge
from funnel.methods.bridge.closing_rhythm import outside_flow_rhythm, won_share_rhythm
from funnel.methods.bridge.expected_calendar import expected_calendar

RHYTHM = (0.49, 0.54, 0.82)  # win rates of a quarter's three months
RENEWALS = {1: 90, 2: 25, 3: 40, 4: 35}  # by quarter of the year


def closings(rates=RHYTHM, *, seed=1, begins="2016-11-01", end="2017-07-31", fall=1.0):
    """Deals that stay open for 10 to 40 days; `fall` multiplies the win rate of the last month."""
    random = np.random.default_rng(seed)
    opened = pd.date_range(begins, end)
    opened = opened.repeat(random.poisson(20.0, len(opened)))
    closed = opened + pd.to_timedelta(random.integers(10, 41, len(opened)), "D")
    rate = np.array(rates)[(closed.month - 1) % 3]
    rate = rate * np.where(closed >= pd.Timestamp(end).replace(day=1), fall, 1.0)
    outcome = np.where(random.random(len(opened)) < rate, "won", "lost")
    is_open = closed > pd.Timestamp(end)
    deals = pd.DataFrame(
        {
            "deal_id": [f"D{n}" for n in range(len(opened))],
            "created_at": opened,
            "closed_at": closed.where(~is_open),
            "outcome": np.where(is_open, "open", outcome),
            "amount": 1000.0,
        }
    )
    return Tables.of(deals=deals, as_of=end).with_plan({"period": "month", "compare": "previous"})


def renewing(*, last=1.0, years=3, kind="renewal"):
    """Renewals of the same yearly pattern, and 60 new deals a quarter that came from leads."""
    random = np.random.default_rng(4)
    quarters = pd.period_range(end="2025Q2", periods=4 * years - 2, freq="Q")
    rows, leads = [], []
    for quarter in quarters:
        days = pd.date_range(quarter.start_time, quarter.end_time.normalize())
        n = RENEWALS[quarter.quarter] * (last if quarter == quarters[-1] else 1.0)
        renewed = random.choice(days, round(n))
        rows += [(day - pd.Timedelta(days=20), day, "won", kind, None) for day in renewed]
        for number, day in enumerate(random.choice(days, 60)):
            leads.append((f"L{quarter}-{number}", day - pd.Timedelta(days=30)))
            outcome = "won" if random.random() < 0.5 else "lost"
            rows.append((day - pd.Timedelta(days=20), day, outcome, "new", leads[-1][0]))
    deals = pd.DataFrame(rows, columns=["created_at", "closed_at", "outcome", "kind", "lead_id"])
    deals = deals.assign(deal_id=[f"D{n}" for n in range(len(deals))], amount=1000.0)
    leads = pd.DataFrame(leads, columns=["lead_id", "created_at"])
    return Tables.of(deals=deals, leads=leads, as_of="2025-06-30")


def test_a_win_rate_by_month_of_the_quarter_is_calendar_after_one_quarter():
    data = closings()
    rhythm = won_share_rhythm(data)
    assert rhythm.n_seen == 2  # April after March, and January after December
    assert rhythm.low < np.log(0.49 / 0.82) < rhythm.high
    totals = bridge(data, draws=60).totals.set_index("driver")
    assert totals.loc["calendar", "verdict"] == "moved"
    assert totals.loc["calendar", "high"] < 0
    assert totals.loc["opportunity to won", "verdict"] != "moved"
    one_quarter = closings(begins="2017-02-15")
    assert won_share_rhythm(one_quarter).n_seen == 1


def test_a_fall_beyond_the_rhythm_stays_with_its_driver():
    totals = bridge(closings(fall=0.5), draws=60).totals.set_index("driver")
    assert totals.loc["opportunity to won", "verdict"] == "moved"
    assert totals.loc["opportunity to won", "high"] < 0


def test_no_rhythm_is_expected_where_there_is_none():
    found = [won_share_rhythm(closings((0.6, 0.6, 0.6), seed=seed)) for seed in range(12)]
    assert sum(each is not None for each in found) <= 1


def test_a_month_compared_with_its_own_place_in_the_quarter_has_no_rhythm_of_one_year():
    data = closings(end="2017-06-30").with_plan({"period": "quarter"})
    assert won_share_rhythm(data) is None


@pytest.mark.parametrize(
    ("kind", "driver"), [("renewal", "renewals"), ("new", "deals without a lead")]
)
def test_renewals_of_the_same_yearly_pattern_are_calendar(kind, driver):
    """90 in the first quarter and 25 in the second, as every year: nothing happened."""
    data = renewing(kind=kind)
    rhythm = outside_flow_rhythm(data)[driver]
    assert rhythm.n_seen == 2 and rhythm.low < np.log(25 / 90) < rhythm.high
    result = bridge(data, draws=60)
    totals = result.totals.set_index("driver")
    assert totals.loc["calendar", "contribution"] < -50_000
    assert totals.loc[driver, "verdict"] != "moved"
    assert totals["contribution"].sum() == pytest.approx(result.change)
    rows = result.table[result.table["segment"].notna()]
    of_segments = rows.groupby("driver")["contribution"].sum()
    assert of_segments["calendar"] == pytest.approx(totals.loc["calendar", "contribution"])


def test_renewals_that_stay_away_beyond_the_pattern_are_a_change():
    totals = bridge(renewing(last=0.0), draws=60).totals.set_index("driver")
    assert totals.loc["renewals", "high"] < 0


def test_deals_opened_have_the_season_where_no_leads_are_recorded():
    data = closings((0.6, 0.6, 0.6), begins="2014-12-01")
    found = expected_calendar(data)
    assert found.share.of == "deals opened" and not found.share.refused
    assert len(found.change.arrivals) > 0
