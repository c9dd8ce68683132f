"""One deal's whole way, and touches nobody would expect: nothing fails and nothing is lost."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from funnel.contract.errors import ParameterError
from funnel.dataset import Tables
from funnel.methods.paths import first_touches, journeys, paths
from funnel.questions.attribution import trace
from funnel.results.neutral_words import unfit_words

CHANGES = pd.DataFrame(
    {
        "lead_id": ["L1", "L2", "L3", "L3"],
        "stage": ["mql", "sal", "rejected", "mql"],
        "entered_at": ["2026-01-20", "2026-02-03", "2026-02-04", "2026-02-20"],
    }
)
ACTIONS = pd.DataFrame({"lead_id": ["L1"], "occurred_at": ["2026-01-03"], "kind": ["call"]})


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def test_the_way_of_a_deal_by_hand(tables):
    way = trace(tables(stage_changes=CHANGES, activities=ACTIONS), "D1")
    assert list(zip(way.table["event"], way.table["what"].fillna(""), strict=True)) == [
        ("touch", "web"),
        ("touch", "social"),
        ("lead created", "web"),
        ("sales action", "call"),
        ("lead created", "email"),
        ("stage", "mql"),
        ("deal opened", ""),
        ("touch", "email"),
        ("stage", "sal"),
        ("deal won", ""),
        ("touch", "demo"),  # of its account, two weeks later
    ]
    touches = way.table[way.table["event"] == "touch"]
    assert touches["position"].tolist() == [1, 2, 3, 0]
    assert touches["days_before_close"].tolist() == [59, 59, 27, -14]
    assert "first met through web" in way.headline and "3 touches" in way.headline
    assert "1 touch lies after the close" in way.caveats[0]
    assert set(way.rows["table"]) == {"deals", "touches", "leads"}


def test_a_trace_holds_the_touches_of_the_journey_in_its_order(tables):
    data = tables()
    for deal_id, rows in journeys(data).table.query("position > 0").groupby("deal_id"):
        way = trace(data, deal_id).table.query("position > 0")
        assert way["what"].tolist() == rows["channel"].tolist()
        assert way["id"].tolist() == rows["touch_id"].tolist()


def test_what_does_not_trace_says_why(tables):
    assert "no lead or account" in trace(tables(), "D4").headline
    assert "no touch before its end" in trace(tables(), "D2").headline
    bare = tables(touches=None, leads=tables.leads.drop(columns="channel"))
    assert "touches not supplied" in trace(bare, "D1").headline
    assert trace(tables(), "D5").outcome == "open"


def test_a_deal_that_is_not_there_is_named_with_near_ones(tables):
    with pytest.raises(ParameterError, match="did you mean D1"):
        trace(tables(), "D11")
    with pytest.raises(ParameterError, match="hold no deals"):
        trace(tables(deals=None), "D1")


def test_without_a_name_the_newest_won_deal_that_traces_is_shown(tables):
    assert trace(tables()).deal_id == "D3"  # D4 is newer and names no lead
    assert trace(tables(touches=tables.touches.assign(occurred_at="2026-06-01"))).deal_id == "D4"
    assert trace(tables(deals=tables.deals.assign(outcome="open", closed_at=None))).deal_id == "D5"
    none = trace(tables(deals=None))
    assert none.headline == "There are no deals to trace." == none.plot().figure.get_label()
    assert none._repr_html_() and none.shown().empty


def test_every_way_can_be_drawn_and_judges_nobody(tables):
    data = tables(stage_changes=CHANGES, activities=ACTIONS)
    for deal_id in tables.deals["deal_id"]:
        way = trace(data, deal_id)
        ax = way.plot()
        assert ax.figure.get_label() == way.headline
        assert unfit_words(way.headline + " ".join(way.caveats)) == []
        assert way._repr_html_()


def test_a_long_way_shows_its_touches_and_says_how_many_events_there_are(tables):
    actions = pd.concat([ACTIONS] * 30, ignore_index=True)
    shown = trace(tables(activities=actions), "D1").shown()
    assert "sales action" not in set(shown["event"])
    assert shown.attrs["n_rows"] > 30


@pytest.fixture
def hostile(tables):
    def made(plan=None, **touches):
        return tables(plan=plan, touches=pd.DataFrame({"lead_id": "L1", **touches}))

    return made


def test_touches_after_the_close_and_of_unknown_leads_count_in_no_journey(hostile):
    data = hostile(
        plan={"max_rejected": 0.5},
        occurred_at=["2026-01-01", "2026-06-01", "2026-01-01"],
        channel=["web", "late", "lost"],
        lead_id=["L1", "L1", "nobody"],
    )
    assert set(journeys(data).table.query("position > 0")["channel"]) == {"web"}
    assert data.rejects["table"].tolist() == ["touches"]  # set aside, with the reason
    assert paths(data).table["conversions"].sum() == 4


def test_names_that_hold_arrows_and_quotes(hostile):
    data = hostile(occurred_at=["2026-01-01", "2026-01-02"], channel=["a > b", 'it\'s "c" > $x$'])
    walked = paths(data).table
    assert walked["path"].str.split(" > ").str.len().max() == 2
    assert journeys(data).table["channel"].isin(["a > b", 'it\'s "c" > $x$']).any()
    trace(data, "D1").plot().figure.canvas.draw()


def test_mixed_time_zones_are_put_in_one_order(hostile):
    data = hostile(
        occurred_at=["2026-01-02T00:30:00+02:00", "2026-01-01T23:00:00Z", "2026-01-01T17:15-05:00"],
        channel=["first", "third", "second"],
    )
    walked = journeys(data).table.query("deal_id == 'D1'")
    assert walked["channel"].tolist() == ["second", "first", "third"]


def test_two_touches_of_one_second_share_their_moment_and_the_order_is_the_same_each_time(hostile):
    same = hostile(occurred_at=["2026-01-01"] * 3, channel=["c", "a", "b"])
    walked = journeys(same).table.query("deal_id == 'D1'")
    assert walked["channel"].tolist() == ["a", "b", "c"]
    assert walked["moment"].tolist() == [1, 1, 1]


def test_one_journey_of_a_hundred_thousand_touches(hostile):
    n = 100_000
    at = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(n), unit="s")
    data = hostile(occurred_at=at, channel=np.where(np.arange(n) % 2, "web", "email"))
    walked = paths(data)
    longest = walked.table["path"].str.len().max()
    assert longest > 5 * n and len(walked.shown()["path"].iloc[0]) < 200
    assert paths(data, collapse=True).table["conversions"].sum() == 4
    assert journeys(data).table["n_touches"].max() == n
    assert "100,000 touches" in trace(data, "D1").headline


def test_a_single_channel_and_no_deals_won(tables, hostile):
    one = hostile(occurred_at=["2026-01-01"], channel=["web"])
    assert first_touches(one).table["first_touch"].isin(["web", "(not traced)"]).all()
    none = tables(
        deals=tables.deals.assign(outcome="lost", closed_at="2026-05-01"), touches=tables.touches
    )
    assert paths(none).headline == "No path to won deals is known."
    assert paths(none, to="opportunity").table["conversions"].sum() == 5
    assert trace(none, "D1").headline.startswith("Deal D1, lost")


def test_without_touches_paths_still_answer(tables):
    alone = Tables.of(as_of="2026-06-30", deals=tables.deals.drop(columns="lead_id"))
    assert paths(alone).table["conversions"].tolist() == [4]
