"""From won deals back to first touches: by hand, untraceable ones, time zones, laws."""

import pandas as pd
import pytest

from funnel.contract.errors import ParameterError
from funnel.contract.labels import NO_LEAD
from funnel.dataset import Tables
from funnel.methods.paths import (
    NO_KEY,
    NOT_SUPPLIED,
    NOT_TRACED,
    journeys,
    paths,
    short_path,
)


def ways(traced):
    return traced.table.groupby("deal_id")["channel"].agg(list).to_dict()


def test_touches_of_the_whole_account_count_up_to_the_close(tables):
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


def test_a_touch_that_names_lead_and_account_counts_once(tables):
    assert ways(journeys(tables()))["D1"].count("web") == 1


def test_reasons_why_a_deal_does_not_trace(tables):
    reason = journeys(tables()).table.drop_duplicates("deal_id").set_index("deal_id")["reason"]
    assert reason.to_dict() == {
        "D1": "",
        "D2": "no touch before the close",
        "D3": "",
        "D4": NO_KEY,
    }
    without = journeys(tables(leads=tables.leads.drop(columns="channel"), touches=None))
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
def test_a_journey_ends_at_its_milestone(tables, until, expected):
    assert ways(journeys(tables(), until=until))["D1"] == expected


def test_lookback_cuts_and_the_plan_sets_it(tables):
    assert ways(journeys(tables(), lookback_days=30))["D1"] == ["email"]
    assert ways(journeys(tables(plan={"lookback_days": 30})))["D1"] == ["email"]
    # from the touch to the close are 27 days to the second; paths are counted by a reader of theirs
    for days, found in ((27, "email"), (26, NOT_TRACED)):
        data = tables(touches=tables.touches.drop(columns="account_id").dropna(subset="lead_id"))
        made = journeys(data, lookback_days=days, by="lead")
        assert ways(made)["D1"] == [found]
        counted = paths(data, until="closed_at", lookback_days=days, by="lead").table
        counted = counted[counted["conversions"] > 0].set_index("path")["conversions"]
        assert counted.to_dict() == made.table["channel"].value_counts().to_dict()
    none = journeys(tables(), lookback_days=5)
    assert ways(none)["D1"] == [NOT_TRACED]
    assert "within 5 days" in none.table.set_index("deal_id").loc["D1", "reason"]


def test_touches_of_one_moment_without_a_key_share_it(tables):
    touches = tables.touches.drop(columns="touch_id")
    moments = journeys(tables(touches=touches)).table.query("deal_id == 'D1'")["moment"]
    assert moments.tolist() == [1, 1, 2]


def test_months_are_those_of_the_company(tables):
    month = journeys(tables()).table.set_index("deal_id")["close_month"]
    assert month["D2"] == "2026-03"
    from funnel.contract.plan import Plan

    berlin = Plan.of({"company": {"timezone": "Europe/Berlin"}})
    assert (
        journeys(tables(plan=berlin)).table.set_index("deal_id")["close_month"]["D2"] == "2026-04"
    )


def test_paths_count_won_and_null_ways(tables):
    more = pd.concat(
        [tables.leads, pd.DataFrame({"lead_id": ["L9"], "created_at": ["2026-02-01"]})],
        ignore_index=True,
    )
    touched = pd.concat(
        [
            tables.touches,
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


def test_order_of_rows_changes_nothing(tables):
    one = journeys(tables()).table
    frames = {"leads": tables.leads, "deals": tables.deals, "touches": tables.touches}
    shuffled = {name: frame.sample(frac=1, random_state=3) for name, frame in frames.items()}
    other = journeys(tables(**shuffled)).table
    pd.testing.assert_frame_equal(one, other)


def test_renaming_channels_changes_nothing_but_the_names(tables):
    names = {"web": "zz", "social": "a b", "email": "mm", "demo": "0"}
    renamed = journeys(
        tables(touches=tables.touches.assign(channel=tables.touches["channel"].map(names)))
    )
    expected = journeys(tables()).table
    expected["channel"] = expected["channel"].replace(names)
    pd.testing.assert_frame_equal(renamed.table, expected)


def test_no_won_deals_is_an_answer(tables):
    opened = tables.deals.assign(outcome="open", closed_at=None)
    assert journeys(tables(deals=opened)).headline == "There are no won deals to trace."
    assert journeys(tables(deals=None)).table.empty


def test_leads_only_and_deals_only(tables):
    assert paths(tables(deals=None, touches=None)).table["nulls"].sum() == 2
    alone = journeys(tables(leads=None, touches=None, deals=tables.deals.drop(columns="lead_id")))
    assert set(alone.table["channel"]) == {NOT_TRACED}


@pytest.mark.parametrize(
    "asked", [{"until": "signed_at"}, {"lookback_days": -1}, {"by": "company"}]
)
def test_what_makes_no_sense_is_refused(tables, asked):
    with pytest.raises(ParameterError):
        journeys(tables(), **asked)


def test_a_stage_that_the_plan_does_not_have_is_refused(tables):
    with pytest.raises(ParameterError, match="no stage"):
        paths(tables(), to="signed")


def test_paths_without_a_won_deal_are_kept_but_not_shown(tables):
    found = paths(tables(deals=tables.deals.assign(outcome="open", closed_at=None)))
    assert len(found.table) and found.shown().empty


@pytest.mark.parametrize("by, n", [("account", 0), ("lead", 1)])
def test_open_deals_that_count_as_not_won_are_told(tables, by, n):
    def told(frame, **asked):
        return [said for said in paths(tables(deals=frame), **asked).caveats if "open" in said]

    # by account, D5 is of one that has won already
    assert len(told(tables.deals, by=by)) == n
    none_won = tables.deals.assign(outcome="open", closed_at=None)
    # D4 has neither lead nor account
    count = 4 if by == "account" else 3
    assert told(none_won, by=by) == [
        f"{count} deals are open. Their journeys count among those that were not won, and may "
        "still be won."
    ]
    assert not told(none_won, to="opportunity")


CHANGES = pd.DataFrame(
    {
        "lead_id": ["L1", "L2", "L3", "L3"],
        "stage": ["mql", "sal", "rejected", "mql"],
        "entered_at": ["2026-01-20", "2026-02-03", "2026-02-04", "2026-02-20"],
    }
)


def test_by_lead_only_the_deals_own_lead_counts(tables):
    traced = journeys(tables(), by="lead")
    assert ways(traced) == {
        "D1": ["social", "email"],
        "D2": [NOT_TRACED],
        "D3": [NOT_TRACED],
        "D4": [NOT_TRACED],
    }
    reason = traced.table.drop_duplicates("deal_id").set_index("deal_id")["reason"]
    assert reason["D3"] == reason["D4"] == NO_LEAD


def test_collapsed_repeats_are_one_step_and_say_how_many_they_were(tables):
    touches = tables.touches.assign(channel=["web", "web", "email", "web", "email"])
    d3 = journeys(tables(touches=touches), collapse=True).table.query("deal_id == 'D3'")
    columns = ["position", "n_touches", "moment", "channel", "n_repeats"]
    assert d3[columns].to_numpy().tolist() == [[1, 2, 1, "web", 2], [2, 2, 2, "email", 2]]
    walked = paths(tables(touches=touches), collapse=True).table.set_index("path")
    assert walked.loc["web > email", "conversions"] == 2
    whole = paths(tables(touches=touches)).table.set_index("path")
    assert whole.loc["web > web > email", "conversions"] == 1


def test_every_milestone_is_on_every_row(tables):
    d1 = journeys(tables()).table.query("deal_id == 'D1'")
    assert d1["lead_created_at"].dt.strftime("%m-%d").unique().tolist() == ["01-05"]
    assert d1["opened_at"].dt.strftime("%m-%d").unique().tolist() == ["02-01"]


def test_paths_lead_to_any_stage(tables):
    data = tables(stage_changes=CHANGES)
    opened = paths(data, to="opportunity")
    assert opened.table["conversions"].sum() == 5  # won, lost or open
    assert opened.table["value"].sum() == 600
    mql = paths(data, to="mql").table.set_index("path")
    # L1 by its stage; L2, whose deal was opened two days before its stage, by the deal
    assert mql.loc["web > social", "conversions"] == 2
    assert mql.loc[NOT_TRACED, "conversions"] == 1
    sal = paths(data, to="sal").table
    assert sal["conversions"].sum() == 3  # by a deal opened, or by the stage itself
    assert "leads that reached mql" in paths(data, to="mql").headline


def test_young_journeys_are_nulls_only_with_a_word_of_it(tables):
    young = pd.DataFrame({"lead_id": ["L9"], "account_id": ["Z"], "created_at": ["2026-06-20"]})
    touched = pd.DataFrame(
        {"touch_id": ["T9"], "lead_id": ["L9"], "occurred_at": ["2026-06-20"], "channel": ["web"]}
    )
    data = tables(
        leads=pd.concat([tables.leads, young], ignore_index=True),
        touches=pd.concat([tables.touches, touched], ignore_index=True),
    )
    assert paths(data).table["nulls"].sum() == 1
    older = paths(data, null_after_days=30)
    assert older.table["nulls"].sum() == 0
    assert older.unconverted.n_immature == 1
    assert "1 more recent ones are excluded" in " ".join(older.caveats)
    many = pd.concat([tables.deals.iloc[[0]].assign(deal_id=f"N{i}") for i in range(30)])
    dated = paths(Tables.of(as_of="2026-06-30", leads=data.leads, deals=many, touches=data.touches))
    assert (dated.unconverted.n_immature, round(dated.unconverted.typical_days)) == (1, 55)
    assert "more recent than the 55 days" in " ".join(dated.caveats)
    left_out = paths(
        Tables.of(as_of="2026-06-30", leads=data.leads, deals=many, touches=data.touches),
        null_after_days=None,
    )
    assert left_out.table["nulls"].sum() == dated.table["nulls"].sum() - 1


def test_a_caveat_says_that_every_journey_converted(tables):
    assert "Every journey converted" in " ".join(paths(tables()).caveats)


def test_long_paths_are_shortened_where_they_are_shown():
    assert short_path("a > b") == "a > b"
    assert short_path(" > ".join("abcdefghij")).endswith("... > j (10 steps)")
