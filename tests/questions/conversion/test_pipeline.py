"""How deals go in a period, and whether groups go the other way than everybody."""

import numpy as np
import pandas as pd
import pytest

from funnel.dataset import Tables
from funnel.questions.conversion import conversion
from funnel.questions.conversion.pipeline import sales_cycle
from funnel.stats import CANNOT_TELL, MOVED

JUNE = "2026-06-30"


def deals_of(seed, *, days, n=900, since="2025-01-01"):
    """Deals that close after `days` in the mean, three in ten won, over a year and a half."""
    random = np.random.default_rng(seed)
    created = pd.Timestamp(since, tz="UTC") + pd.to_timedelta(random.uniform(0, 545, n), unit="D")
    wait = random.gamma(4.0, days / 4, n)
    return pd.DataFrame(
        {
            "deal_id": [f"D-{i}" for i in range(n)],
            "created_at": created,
            "closed_at": created + pd.to_timedelta(wait, unit="D"),
            "outcome": np.where(random.random(n) < 0.3, "won", "lost"),
            "amount": random.lognormal(9, 0.5, n),
        }
    )


def as_known(deals, day=JUNE):
    """Deals as they stand at the end of a day."""
    end = pd.Timestamp(day, tz="UTC") + pd.Timedelta(days=1)
    deals = deals[deals["created_at"] < end].copy()
    is_open = deals["closed_at"] >= end
    deals.loc[is_open, "outcome"] = "open"
    deals.loc[is_open, ["closed_at", "amount"]] = None
    return Tables.of(deals=deals, as_of=day)


def test_open_deals_do_not_shorten_the_cycle():
    from scipy.stats import gamma

    found = [
        sales_cycle(as_known(deals_of(seed, days=60, n=2700)), draws=2)
        .table.set_index("span")
        .loc["period", "cycle_days"]
        for seed in range(6)
    ]
    assert np.mean(found) == pytest.approx(gamma(4.0, scale=15).median(), rel=0.08)


def test_a_cycle_that_slows_with_the_period_is_seen_in_the_period():
    deals = deals_of(2, days=40, n=2500)
    begin = pd.Timestamp("2026-04-01", tz="UTC")
    late = deals["closed_at"] > begin
    # most deals won in the period were opened before it, and slow for the rest of their time only
    from_then = (deals["closed_at"] - deals["created_at"].clip(lower=begin)) * 1.0
    deals.loc[late, "closed_at"] += from_then[late]
    rows = sales_cycle(as_known(deals), draws=200).table.set_index("span")
    assert rows.loc["change", "verdict_cycle"] == MOVED
    assert rows.loc["period", "cycle_days"] > 1.2 * rows.loc["baseline", "cycle_days"]


@pytest.mark.parametrize("is_closed", [True, False], ids=["all closed", "some open"])
def test_the_cycle_and_its_curve_are_those_of_the_deals_won_in_the_period(is_closed):
    deals = deals_of(4, days=30, n=700)
    # volume that falls to a tenth leaves old deals alone to close
    deals = deals[(deals["created_at"] < "2026-04-15") | (deals.index % 10 == 0)]
    if is_closed:
        deals = deals[deals["closed_at"] < "2026-07-01"]
    result = sales_cycle(as_known(deals), draws=2)
    rows = result.table.set_index("span")
    for span, first, stop in (
        ("period", "2026-04-01", "2026-07-01"),
        ("baseline", "2026-01-01", "2026-04-01"),
    ):
        here = deals[(deals["closed_at"] >= first) & (deals["closed_at"] < stop)]
        won = here[here["outcome"] == "won"]
        days = (won["closed_at"] - won["created_at"]) / pd.Timedelta(days=1)
        assert rows.loc[span, "cycle_days"] == pytest.approx(days.median(), abs=1e-4)
        assert rows.loc[span, "win_rate"] == pytest.approx(len(won) / len(here))
        curve = result.curve[result.curve["span"] == span].set_index("days")["share"]
        assert curve.loc[20.0] == pytest.approx((days < 21).mean())
        assert curve.iloc[-1] == 1.0


def test_velocity_is_what_is_booked_where_deals_come_and_go_evenly():
    table = sales_cycle(as_known(deals_of(8, days=40, n=2500)), draws=50).table.set_index("span")
    assert table["agrees"].all()
    for span in ("period", "baseline"):
        row = table.loc[span]
        assert row["velocity"] == pytest.approx(row["bookings"], rel=0.15)


def test_velocity_that_bookings_contradict_is_inconclusive_and_says_why():
    deals = deals_of(8, days=40, n=2500)
    forgotten = deals_of(9, days=40, n=3000, since="2024-06-01").query("deal_id < 'D-3'")
    forgotten = forgotten.assign(
        deal_id="F" + forgotten["deal_id"], closed_at=pd.Timestamp("2030-01-01", tz="UTC")
    )
    result = sales_cycle(as_known(pd.concat([deals, forgotten], ignore_index=True)), draws=50)
    table = result.table.set_index("span")
    assert not table["agrees"].any()
    assert table.loc["change", "verdict_velocity"] == CANNOT_TELL
    assert table.loc["period", "velocity"] > 2 * table.loc["period", "bookings"]
    assert any("Deals that are still open do not explain" in each for each in result.caveats)
    alone = sales_cycle(as_known(deals), draws=50)
    assert not any("still open" in each for each in alone.caveats)
    assert (
        table.loc["period", "cycle_days"]
        == alone.table.set_index("span").loc["period", "cycle_days"]
    )


def test_where_no_opening_is_recorded_there_is_no_cycle_anywhere():
    deals = deals_of(10, days=30)
    deals["created_at"] = deals["closed_at"]
    data = as_known(deals)
    result = sales_cycle(data, draws=5)
    assert result.headline.startswith("No sales cycle is recorded.")
    assert "same opening and closing time" in result.headline
    unknown = result.table[["cycle_days", "days_open", "velocity", "velocity_high"]]
    assert unknown.isna().all(axis=None)
    assert result.table["bookings"].notna().all()
    verdicts = result.table.set_index("span").loc["change", ["verdict_cycle", "verdict_velocity"]]
    assert (verdicts == CANNOT_TELL).all()
    result.plot().figure.canvas.draw()
    assert isinstance(result._repr_html_(), str)


def test_intervals_hold_the_figure_and_the_change_adds_up():
    table = sales_cycle(as_known(deals_of(5, days=30)), draws=100).table.set_index("span")
    for name in ("win_rate", "cycle_days", "avg_deal_size", "velocity", "bookings"):
        now, then, change = table.loc[["period", "baseline", "change"], name]
        assert change == pytest.approx(now - then)
        spans = table.loc[["period", "baseline"]]
        assert (spans[f"{name}_low"] <= spans[f"{name}_high"]).all()
    row = table.loc["period"]
    assert row["velocity"] == pytest.approx(
        row["n_open"] * row["win_rate"] * row["avg_deal_size"] / row["days_open"]
    )


def test_expansions_and_renewals_are_excluded_and_counted():
    deals = deals_of(7, days=30)
    more = deals.assign(deal_id="E" + deals["deal_id"], kind="renewal")
    more["closed_at"] = more["created_at"] + pd.Timedelta(days=1)
    both = pd.concat([deals.assign(kind="new"), more], ignore_index=True)
    alone, with_renewals = (sales_cycle(as_known(frame), draws=2) for frame in (deals, both))
    pd.testing.assert_frame_equal(alone.table, with_renewals.table)
    assert with_renewals.n_not_new == len(deals)
    assert any("are excluded" in caveat for caveat in with_renewals.caveats)


def test_with_few_wins_no_cycle_is_given():
    result = sales_cycle(as_known(deals_of(6, days=30, n=20)), draws=5)
    assert result.headline.startswith("No sales cycle is given")
    assert result.table["cycle_days"].isna().all()
    result._repr_html_()


def test_more_given_back_than_sold_is_a_figure_like_any_other():
    deals = deals_of(5, days=30)
    deals["amount"] = -deals["amount"]
    table = sales_cycle(as_known(deals), draws=20).table.set_index("span")
    assert table.loc["baseline", "velocity"] < 0
    assert table.loc["change", "verdict_velocity"] in ("moved", "did not move", "cannot tell")


def leads_of(cells):
    """Leads by (channel, span): how many, and how many of them become opportunities."""
    rows, deals = [], []
    for (channel, day), (n, n_opened) in cells.items():
        for i in range(n):
            lead_id = f"{channel}-{day}-{i}"
            rows.append({"lead_id": lead_id, "created_at": day, "channel": channel})
            if i < n_opened:
                opened = pd.Timestamp(day) + pd.Timedelta(days=3)
                deals.append({"deal_id": f"D-{lead_id}", "lead_id": lead_id,
                              "created_at": opened, "outcome": "open"})  # fmt: skip
    return Tables.of(leads=pd.DataFrame(rows), deals=pd.DataFrame(deals), as_of=JUNE)


BEFORE, NOW = "2026-01-10", "2026-04-10"


def states(cells):
    result = conversion(leads_of(cells), by="channel", ages=[30]).simpson()
    row = result.table[result.table["step"] == "lead to opportunity"].iloc[0]
    return row["state"], result


def test_simpsons_paradox_is_flagged():
    state, result = states(
        {
            ("web", BEFORE): (200, 80), ("event", BEFORE): (800, 80),
            ("web", NOW): (800, 240), ("event", NOW): (200, 8),
        }
    )  # fmt: skip
    assert state == "reversed"
    assert "Simpson's paradox" in result.headline


def test_another_mix_of_equal_groups_is_distinguished_from_a_rate_that_changed():
    mix, _ = states(
        {
            ("web", BEFORE): (200, 80), ("event", BEFORE): (800, 80),
            ("web", NOW): (800, 320), ("event", NOW): (200, 20),
        }
    )  # fmt: skip
    rate, result = states(
        {
            ("web", BEFORE): (500, 200), ("event", BEFORE): (500, 50),
            ("web", NOW): (500, 140), ("event", NOW): (500, 20),
        }
    )  # fmt: skip
    assert (mix, rate) == ("overall only", "same direction")
    assert result.headline.startswith("No step changed in opposite directions")


def test_within_groups_is_the_change_standardised_by_hand():
    _, result = states(
        {
            ("web", BEFORE): (100, 40), ("event", BEFORE): (300, 30),
            ("web", NOW): (300, 90), ("event", NOW): (100, 20),
        }
    )  # fmt: skip
    row = result.table.iloc[0]
    assert row["within"] == pytest.approx(0.5 * (0.3 - 0.4) + 0.5 * (0.2 - 0.1))
    assert row["n_against"] == 1


def two_kinds():
    """In each quarter four new deals of which one is won, and two renewals that are won."""
    rows = []
    for quarter in ("2026-02", "2026-05"):
        for i in range(6):
            outcome = "won" if i in (0, 4, 5) else "lost"
            kind = "renewal" if i > 3 else "new" if i % 2 else None
            product = "Team" if i < 3 else "Pro"
            day = f"{quarter}-0{i + 1}"
            rows.append((f"{quarter}{i}", day, day, outcome, 10.0 * (i + 1), kind, product))
    names = ["deal_id", "created_at", "closed_at", "outcome", "amount", "kind", "product"]
    opened = ("O-1", "2026-06-20", None, "open", 5.0, None, "Team")
    return Tables.of(
        deals=pd.DataFrame([*rows, opened], columns=names), as_of=JUNE, plan={"smallest_group": 1}
    )


def test_the_win_rate_is_of_new_business_and_other_kinds_stand_beside_it():
    result = conversion(two_kinds()).win_rate()
    new = result.new_business.set_index("span")
    assert new.loc["period", ["n_won", "n_lost", "win_rate"]].tolist() == [1, 3, 0.25]
    other = result.table[result.table["kind"] == "renewal"]
    assert other["n_won"].tolist() == [2, 2]
    assert other["win_rate"].isna().all()  # no renewal is recorded as lost
    assert result.headline.startswith("25% of 4 deals closed this period were won")
    assert "renewal" in result.shown()["kind"].tolist()
    assert "renewal" in result.caveats[0]


def test_deals_in_groups_by_hand():
    table = conversion(two_kinds()).deal_groups().table.set_index(["by", "group"])
    assert table.loc[("product", "Pro"), ["n_won", "n_lost", "value"]].tolist() == [2, 1, 110.0]
    assert table.loc[("product", "Team"), "win_rate"] == pytest.approx(1 / 3)
    assert table.loc[("product", "Pro"), "win_rate"] == 0  # of the one new deal
    assert table.loc[("kind", "new"), ["n_won", "n_lost"]].tolist() == [1, 3]
    assert np.isnan(table.loc[("kind", "renewal"), "win_rate"])
    assert table.loc[("month of quarter", "2"), "value"] == 120.0
    hidden = conversion(two_kinds().with_plan({"smallest_group": 50})).deal_groups()
    assert hidden.headline == "3 deals were won this period."
    assert "fewer than 50" in hidden.shown()["won"].tolist()


def test_open_deals_by_age():
    result = conversion(two_kinds()).open_deals()
    assert result.table.to_numpy().tolist() == [["all", "0 to 30 days", 1, 5.0]]
    assert result.headline == "1 deal is open, €5 in all."


def test_deals_that_are_all_won_have_a_time_to_win_and_no_win_rate():
    deals = deals_of(3, days=30).query("outcome == 'won'")
    table = sales_cycle(as_known(deals).with_plan(None), draws=5).table.set_index("span")
    assert table.loc["period", ["win_rate", "velocity"]].isna().all()
    only_closed = Tables.of(deals=deals[deals["closed_at"] < "2026-06-30"], as_of=JUNE)
    answer = conversion(only_closed)
    assert "no stage after the first is recorded" in answer.headline
    assert answer.sales_cycle().table["cycle_days"].notna().all()


def test_time_open_is_no_measure_where_no_opening_is_recorded():
    from funnel.questions.why.measures import Measures

    deals = deals_of(10, days=30)
    assert Measures(as_known(deals)).figure("sales cycle").gap is None
    deals["created_at"] = deals["closed_at"]
    assert Measures(as_known(deals)).figure("sales cycle").gap.code == "no opening time"
