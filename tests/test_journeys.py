"""From won deals back to first touches: by hand, untraceable ones, time zones, laws."""

import pandas as pd
import pytest

from funnel.errors import ParameterError
from funnel.journeys import NO_KEY, NOT_SUPPLIED, NOT_TRACED, first_touches, journeys, paths
from funnel.load import Tables

LEADS = pd.DataFrame(
    {
        "lead_id": ["L1", "L2", "L3"],
        "account_id": ["A", "A", None],
        "created_at": ["2026-01-01", "2026-01-05", "2026-02-01"],
        "channel": ["web", "email", None],
    }
)
DEALS = pd.DataFrame(
    {
        "deal_id": ["D1", "D2", "D3", "D4", "D5"],
        "lead_id": ["L2", "L3", None, None, "L1"],
        "account_id": [None, None, "A", None, None],
        "created_at": ["2026-02-01"] * 5,
        "closed_at": ["2026-03-01", "2026-03-31T23:00:00Z", "2026-04-01", "2026-05-01", None],
        "outcome": ["won", "won", "won", "won", "open"],
        "amount": [100.0, 200.0, 300.0, None, 50.0],
    }
)
TOUCHES = pd.DataFrame(
    {
        "touch_id": ["T1", "T2", "T3", "T4", "T5"],
        "lead_id": ["L1", "L2", "L2", "L3", None],
        "account_id": ["A", None, None, None, "A"],
        "occurred_at": ["2026-01-01", "2026-01-01", "2026-02-02", "2026-05-01", "2026-03-15"],
        "channel": ["web", "social", "email", "web", "demo"],
    }
)


def tables(plan=None, **frames):
    given = {"leads": LEADS, "deals": DEALS, "touches": TOUCHES} | frames
    kept = {name: frame for name, frame in given.items() if frame is not None}
    return Tables.of(as_of="2026-06-30", plan=plan, **kept)


def ways(traced):
    return traced.table.groupby("deal_id")["channel"].agg(list).to_dict()


def test_touches_of_the_whole_account_count_up_to_the_close():
    traced = journeys(tables())
    assert ways(traced) == {
        "D1": ["web", "social", "email"],  # same moment: in the order of their key
        "D2": [NOT_TRACED],  # its only touch lies after the close
        "D3": ["web", "social", "email", "demo"],
        "D4": [NOT_TRACED],
    }
    d3 = traced.table[traced.table["deal_id"] == "D3"]
    assert d3["position"].tolist() == [1, 2, 3, 4]
    assert d3["n_touches"].unique().tolist() == [4]
    assert len(traced.rows) == 4


def test_a_touch_that_names_lead_and_account_counts_once():
    assert ways(journeys(tables()))["D1"].count("web") == 1


def test_reasons_why_a_deal_does_not_trace():
    reason = journeys(tables()).table.drop_duplicates("deal_id").set_index("deal_id")["reason"]
    assert reason.to_dict() == {
        "D1": "",
        "D2": "no touch before the close",
        "D3": "",
        "D4": NO_KEY,
    }
    without = journeys(tables(leads=LEADS.drop(columns="channel"), touches=None))
    assert set(without.table["reason"]) == {NOT_SUPPLIED, NO_KEY}
    assert "nothing traces" in " ".join(without.caveats)


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        ("closed_at", ["web", "social", "email"]),
        ("created_at", ["web", "social"]),
        ("lead_created_at", ["web", "social"]),
    ],
)
def test_a_journey_ends_at_its_milestone(until, expected):
    assert ways(journeys(tables(), until=until))["D1"] == expected


def test_lookback_cuts_and_the_plan_sets_it():
    assert ways(journeys(tables(), lookback_days=30))["D1"] == ["email"]
    assert ways(journeys(tables(plan={"lookback_days": 30})))["D1"] == ["email"]
    none = journeys(tables(), lookback_days=5)
    assert ways(none)["D1"] == [NOT_TRACED]
    assert "within 5 days" in none.table.set_index("deal_id").loc["D1", "reason"]


def test_touches_of_one_moment_without_a_key_share_it():
    touches = TOUCHES.drop(columns="touch_id")
    moments = journeys(tables(touches=touches)).table.query("deal_id == 'D1'")["moment"]
    assert moments.tolist() == [1, 1, 2]


def test_without_touches_a_leads_own_channel_stands_in():
    first = first_touches(tables(touches=None))
    met = first.table.set_index("deal_id")
    assert met["first_touch"].to_dict() == {
        "D1": "web",
        "D2": "(blank)",
        "D3": "web",
        "D4": NOT_TRACED,
    }
    assert met.loc["D1", "lead_channel"] == "email"
    assert any("stands in for the first known touch" in caveat for caveat in first.caveats)


def test_months_are_those_of_the_company():
    month = journeys(tables()).table.set_index("deal_id")["close_month"]
    assert month["D2"] == "2026-03"
    from funnel.plan import Plan

    berlin = Plan.of({"company": {"timezone": "Europe/Berlin"}})
    assert (
        journeys(tables(plan=berlin)).table.set_index("deal_id")["close_month"]["D2"] == "2026-04"
    )


def test_coverage_counts_deals_and_money():
    coverage = first_touches(tables()).coverage.set_index("close_month")
    assert coverage.loc["2026-03", ["n_deals", "n_traced"]].tolist() == [2, 1]
    assert coverage.loc["2026-03", "amount_share"] == pytest.approx(100 / 300)
    assert coverage.loc["2026-03", "traced_share_low"] < 0.5 < coverage["traced_share_high"].max()
    assert pd.isna(coverage.loc["2026-05", "amount_share"])


def test_untraced_deals_come_with_a_question_and_three_ids():
    asked = first_touches(tables()).untraced().set_index("reason")
    assert asked.loc[NO_KEY, ["n_deals", "examples", "ask"]].tolist() == [1, "D4", "Sales Ops"]


def test_paths_count_won_and_null_ways():
    more = pd.concat(
        [LEADS, pd.DataFrame({"lead_id": ["L9"], "created_at": ["2026-02-01"]})], ignore_index=True
    )
    touched = pd.concat(
        [
            TOUCHES,
            pd.DataFrame(
                {"touch_id": ["T9"], "lead_id": ["L9"], "occurred_at": ["2026-02-02"],
                 "channel": ["A > B"]}
            ),
        ],
        ignore_index=True,
    )  # fmt: skip
    walked = paths(tables(leads=more, touches=touched)).table.set_index("path")
    assert walked["conversions"].sum() == 4
    assert walked.loc["A>B", ["conversions", "nulls"]].tolist() == [0, 1]
    assert walked.loc["web > social > email", "value"] == 100
    assert walked["value"].sum() == 600


def test_order_of_rows_changes_nothing():
    one = journeys(tables()).table
    frames = {"leads": LEADS, "deals": DEALS, "touches": TOUCHES}
    shuffled = {name: frame.sample(frac=1, random_state=3) for name, frame in frames.items()}
    other = journeys(tables(**shuffled)).table
    pd.testing.assert_frame_equal(one, other)


def test_renaming_channels_changes_nothing_but_the_names():
    names = {"web": "zz", "social": "a b", "email": "mm", "demo": "0"}
    renamed = journeys(tables(touches=TOUCHES.assign(channel=TOUCHES["channel"].map(names))))
    expected = journeys(tables()).table
    expected["channel"] = expected["channel"].replace(names)
    pd.testing.assert_frame_equal(renamed.table, expected)


def test_no_won_deals_is_an_answer():
    opened = DEALS.assign(outcome="open", closed_at=None)
    first = first_touches(tables(deals=opened))
    assert first.headline == "There are no won deals to trace."
    assert first.coverage.empty and first.untraced().empty
    assert journeys(tables(deals=None)).table.empty


def test_leads_only_and_deals_only():
    assert paths(tables(deals=None, touches=None)).table["nulls"].sum() == 2
    alone = journeys(tables(leads=None, touches=None, deals=DEALS.drop(columns="lead_id")))
    assert set(alone.table["channel"]) == {NOT_TRACED}


@pytest.mark.parametrize("asked", [{"until": "signed_at"}, {"lookback_days": -1}])
def test_what_makes_no_sense_is_refused(asked):
    with pytest.raises(ParameterError):
        journeys(tables(), **asked)


def test_the_newest_deals_are_shown_first():
    shown = first_touches(tables()).shown()
    assert shown["won deal"].tolist() == ["D4", "D3", "D2", "D1"]
    assert shown["closed"].tolist()[0] == "2026-05-01"
    assert paths(tables())._repr_html_().count("<tr") == 4
