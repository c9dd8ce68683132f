"""Trace of one deal: by hand, deals that do not trace, and its chart."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from funnel.contract.errors import ParameterError
from funnel.methods.paths import journeys
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


def test_the_events_of_a_deal_by_hand(tables):
    deal = trace(tables(stage_changes=CHANGES, activities=ACTIONS), "D1")
    assert list(zip(deal.table["event"], deal.table["what"].fillna(""), strict=True)) == [
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
    touches = deal.table[deal.table["event"] == "touch"]
    assert touches["position"].tolist() == [1, 2, 3, 0]
    assert touches["days_before_close"].tolist() == [59, 59, 27, -14]
    assert "first met through web" in deal.headline and "3 touches" in deal.headline
    assert "1 touch lies after the close" in deal.caveats[0]
    assert set(deal.rows["table"]) == {"deals", "touches", "leads"}


def test_a_trace_holds_the_touches_of_the_journey_in_its_order(tables):
    data = tables()
    for deal_id, rows in journeys(data).table.query("position > 0").groupby("deal_id"):
        deal = trace(data, deal_id).table.query("position > 0")
        assert deal["what"].tolist() == rows["channel"].tolist()
        assert deal["id"].tolist() == rows["touch_id"].tolist()


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


def test_every_deal_can_be_drawn_in_neutral_words(tables):
    data = tables(stage_changes=CHANGES, activities=ACTIONS)
    for deal_id in tables.deals["deal_id"]:
        deal = trace(data, deal_id)
        ax = deal.plot()
        assert ax.figure.get_label() == deal.headline
        assert unfit_words(deal.headline + " ".join(deal.caveats)) == []
        assert deal._repr_html_()


def test_a_long_trace_shows_its_touches_and_counts_all_events(tables):
    actions = pd.concat([ACTIONS] * 30, ignore_index=True)
    found = trace(tables(activities=actions), "D1")
    assert "sales action" not in set(found.shown()["event"])
    assert f"of {len(found.table)} rows" in found._repr_html_()
    assert len(found.table) > 30


@pytest.fixture
def touched(tables):
    def made(**touches):
        return tables(touches=pd.DataFrame({"lead_id": "L1", **touches}))

    return made


def test_names_that_hold_arrows_and_quotes_can_be_drawn(touched):
    data = touched(occurred_at=["2026-01-01", "2026-01-02"], channel=["a > b", 'it\'s "c" > $x$'])
    ax = trace(data, "D1").plot()
    ax.figure.canvas.draw()
    labels = {label.get_text().replace("\\$", "$") for label in ax.get_yticklabels()}
    assert {"a > b", 'it\'s "c" > $x$'} <= labels


def test_a_trace_of_a_hundred_thousand_touches(touched):
    n = 100_000
    at = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(n), unit="s")
    data = touched(occurred_at=at, channel=np.where(np.arange(n) % 2, "web", "email"))
    assert "100,000 touches" in trace(data, "D1").headline


def test_a_lost_deal_has_its_outcome(tables):
    lost = tables(deals=tables.deals.assign(outcome="lost", closed_at="2026-05-01"))
    assert trace(lost, "D1").headline.startswith("Deal D1, lost")
