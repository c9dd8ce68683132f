"""What leads and open deals already there will bring: laws, a planted fall in leads, back-test."""

import math

import numpy as np
import pandas as pd
import pytest

from funnel.dataset import Tables
from funnel.questions.why.outlook import TOTAL, outlook

JUNE = "2026-06-30"
END = pd.Timestamp("2026-07-01", tz="UTC")
SINCE = pd.Timestamp("2025-01-01", tz="UTC")
PERIOD = pd.Timestamp("2026-04-01", tz="UTC")


def company(seed, n=6000, *, days=30, fewer=1.0, unlinked=0.0):
    """Leads of which 30 % become a deal after a while, and 40 % of these are won."""
    random = np.random.default_rng(seed)
    created = SINCE + pd.to_timedelta(np.sort(random.uniform(0, 545, n)), unit="D")
    created = created[(created < PERIOD) | (random.random(n) < fewer)]
    leads = pd.DataFrame({"created_at": created})
    leads["lead_id"] = [f"L-{i}" for i in range(len(leads))]
    deals = leads[random.random(len(leads)) < 0.3].reset_index(drop=True)
    deals["created_at"] += pd.to_timedelta(random.exponential(10, len(deals)), unit="D")
    wait = pd.to_timedelta(random.exponential(days, len(deals)), unit="D")
    deals = deals.assign(
        deal_id=[f"D-{i}" for i in range(len(deals))],
        closed_at=deals["created_at"] + wait,
        outcome=np.where(random.random(len(deals)) < 0.4, "won", "lost"),
        amount=1000.0,
        lead_id=deals["lead_id"].where(random.random(len(deals)) >= unlinked),
    )
    is_open = deals["closed_at"] >= END
    deals.loc[is_open, ["outcome", "closed_at", "amount"]] = ["open", None, None]
    deals = deals[deals["created_at"] < END]
    return Tables.of(leads=leads, deals=deals, as_of=JUNE)


@pytest.fixture(scope="module")
def steady():
    data = company(1)
    return data, outlook(data, draws=60)


def test_open_deals_bring_what_their_hazard_says(steady):
    data, result = steady
    n_open = data.deals["outcome"].eq("open").sum()
    first, second, total = result.table.itertuples()
    # four in ten are won, and each waits for 30 days in the mean
    by = [0.4 * n_open * 1000 * (1 - math.exp(-days / 30)) for days in (92, 184)]
    assert first.from_open_deals == pytest.approx(by[0], rel=0.15)
    assert total.from_open_deals == pytest.approx(by[1], rel=0.15)
    assert [first.start, second.start, total.end] == ["2026-07-01", "2026-10-01", "2026-12-31"]


def test_parts_add_up_and_intervals_hold_them(steady):
    table = steady[1].table.set_index("span")
    parts = table["from_open_deals"] + table["from_leads"]
    assert parts.tolist() == pytest.approx(table["expected"].tolist())
    for name in ("expected", "wins", "difference"):
        assert table.loc[TOTAL, name] == pytest.approx(table[name].iloc[:2].sum())
    assert (table["low"] < table["expected"]).all()
    assert (table["expected"] < table["high"]).all()
    assert table.loc[TOTAL, "expected"] == pytest.approx(1000 * table.loc[TOTAL, "wins"])


def test_earlier_periods_are_expected_in_the_same_way(steady):
    result = steady[1]
    tests = result.back_test
    assert tests["ahead"].tolist() == [1, 1, 2, 1, 2]
    inside = (tests["low"] <= tests["actual"]) & (tests["actual"] <= tests["high"])
    assert inside.tolist() == tests["is_inside"].tolist()
    assert result.n_inside >= 3
    assert any(f"{result.n_inside} came out within the interval" in each for each in result.caveats)
    # of deals of leads known by then, counted by hand
    data = steady[0]
    deals = data.deals.merge(data.leads[["lead_id", "created_at"]], on="lead_id")
    won = deals[(deals["outcome"] == "won") & (deals["closed_at"] >= PERIOD)]
    known = won[won["created_at_y"] < PERIOD]
    assert tests["actual"].iloc[0] == pytest.approx(1000 * len(known), abs=5000)


def test_fewer_leads_are_worth_what_they_would_have_brought():
    results = [outlook(company(seed, fewer=0.6), draws=20) for seed in (2, 5)]
    result, totals = results[0], [each.table.iloc[-1] for each in results]
    assert all(each["difference_high"] < 0 for each in totals)
    more = [outlook(company(seed), draws=2).table.iloc[-1]["expected"] for seed in (2, 5)]
    real = sum(each["expected"] for each in totals) - sum(more)
    assert sum(each["difference"] for each in totals) == pytest.approx(real, rel=0.25)
    assert "fewer leads than in the baseline: about " in result.headline
    assert " less in these two periods" in result.headline


def test_deals_without_a_lead_are_followed_too():
    both = [
        outlook(company(3, unlinked=share), draws=2).table.iloc[-1]["from_open_deals"]
        for share in (0.0, 0.5)
    ]
    assert both[1] == pytest.approx(both[0], rel=0.1)


def test_without_a_flow_there_is_none():
    won = pd.DataFrame(
        {
            "deal_id": [f"D-{i}" for i in range(40)],
            "created_at": "2026-01-05",
            "closed_at": pd.date_range("2026-01-10", "2026-06-20", periods=40),
            "outcome": "won",
            "amount": 10.0,
        }
    )
    result = outlook(Tables.of(deals=won, as_of=JUNE))
    assert result.table.empty
    assert result.headline.startswith("No outlook is given: only won deals")
    result.plot().figure.canvas.draw()
    few = outlook(company(4, n=100))
    assert "fewer than 10 deals" in few.headline
    assert isinstance(few._repr_html_(), str)


def test_the_page_and_the_chart_show_the_table(steady):
    result = steady[1]
    ax = result.plot()
    ax.figure.canvas.draw()
    widths = [bar.get_width() for bar in ax.patches]
    parts = result.table.iloc[:2][["from_open_deals", "from_leads"]].to_numpy().T.ravel()
    assert widths == pytest.approx(parts.tolist())
    (lines,) = ax.collections
    drawn = [[begin[0], end[0]] for begin, end in lines.get_segments()]
    assert drawn == [
        pytest.approx(pair) for pair in result.table.iloc[:2][["low", "high"]].to_numpy()
    ]
    assert ax.lines[0].get_xdata() == pytest.approx(result.table["expected"].iloc[:2].tolist())
    shown = result.shown()
    assert shown["period"].tolist() == ["2026Q3", "2026Q4", "both"]
    assert "already there are expected to bring" in result.headline
