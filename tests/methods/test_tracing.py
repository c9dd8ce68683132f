"""Journeys and paths of touches nobody would expect: nothing fails and nothing is lost."""

import numpy as np
import pandas as pd
import pytest

from funnel.dataset import Tables
from funnel.methods.paths import journeys, paths


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


def test_a_single_channel_and_no_deals_won(tables, hostile):
    one = hostile(occurred_at=["2026-01-01"], channel=["web"])
    assert journeys(one).table["channel"].isin(["web", "(not traced)"]).all()
    none = tables(
        deals=tables.deals.assign(outcome="lost", closed_at="2026-05-01"), touches=tables.touches
    )
    assert paths(none).headline == "No path to won deals is known."
    assert paths(none, to="opportunity").table["conversions"].sum() == 5


def test_without_touches_paths_still_answer(tables):
    alone = Tables.of(as_of="2026-06-30", deals=tables.deals.drop(columns="lead_id"))
    assert paths(alone).table["conversions"].tolist() == [4]
