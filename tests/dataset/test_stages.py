"""When leads reach stages: by hand, and against a slow loop over made-up histories."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funnel.dataset import Tables
from funnel.dataset.stages import (
    deals_without_lead,
    is_followed_by_lead,
    reached,
    recorded_stages,
    segments,
)

AS_OF = "2026-03-31"
STAGES = ["lead", "mql", "sal", "sql", "opportunity", "won"]


def day(n):
    return pd.Timestamp("2026-01-10", tz="UTC") + pd.Timedelta(days=n)


def tables(changes=(), deals=(), n_leads=3, plan=None):
    """Leads L0, L1, ... created on day 0; changes (lead, stage, day); deals (lead, opened, ...)."""
    leads = pd.DataFrame(
        {
            "lead_id": [f"L{i}" for i in range(n_leads)],
            "created_at": day(0),
            "channel": "web",
        }
    )
    frames = {"leads": leads}
    if changes:
        frames["stage_changes"] = pd.DataFrame(
            [(f"L{lead}", stage, day(n)) for lead, stage, n in changes],
            columns=["lead_id", "stage", "entered_at"],
        )
    if deals:
        frames["deals"] = pd.DataFrame(
            [
                (
                    f"D{i}",
                    None if lead is None else f"L{lead}",
                    day(opened),
                    outcome,
                    None if outcome == "open" else day(closed),
                    amount,
                )
                for i, (lead, opened, outcome, closed, amount) in enumerate(deals)
            ],
            columns=["deal_id", "lead_id", "created_at", "outcome", "closed_at", "amount"],
        )
    return Tables.of(plan=plan, as_of=AS_OF, **frames)


def days(frame, column):
    return (frame.set_index("lead_id")[column] - day(0)).dt.days.to_dict()


def test_a_skipped_stage_counts_with_the_next_and_going_back_changes_nothing():
    data = tables([(0, "sql", 4), (0, "mql", 9), (1, "mql", 2), (1, "mql", 3)])
    frame = reached(data)
    assert days(frame, "mql_at")["L0"] == 4
    assert days(frame, "mql_at")["L1"] == 2
    assert frame["sal_at"].isna().all()  # nothing records it: not known, not skipped
    assert frame["n_repeats"].tolist() == [0, 1, 0]
    assert recorded_stages(data) == ("lead", "mql", "sql")
    assert frame["n_skipped"].tolist() == [0, 0, 0]


def test_a_stage_without_an_entry_that_others_have_was_skipped():
    frame = reached(tables([(0, "sql", 4), (1, "mql", 2)]))
    assert frame["n_skipped"].tolist() == [1, 0, 0]


def test_several_deals_give_the_earliest_opportunity_the_earliest_win_and_all_the_money():
    frame = reached(
        tables(deals=[(0, 5, "won", 30, 100), (0, 3, "won", 40, 50), (0, 6, "lost", 50, 70)])
    )
    assert days(frame, "opportunity_at")["L0"] == 3
    assert days(frame, "won_at")["L0"] == 30
    assert frame["amount"].tolist() == [150, 0, 0]
    assert frame[["n_deals", "n_won"]].iloc[0].tolist() == [3, 2]
    assert frame["left_at"].isna().all()


def test_leaving_and_coming_back():
    frame = reached(
        tables(
            [(0, "recycled", 3), (0, "mql", 8), (1, "mql", 2), (1, "rejected", 2)],
            [(2, 4, "lost", 9, 1)],
        )
    )
    assert frame["left_to"].fillna("").tolist() == ["", "rejected", "lost"]
    assert frame["returned_from"].fillna("").tolist() == ["recycled", "", ""]
    assert days(frame, "left_at")["L2"] == 9


def test_losing_one_deal_with_another_still_open_is_no_exit():
    frame = reached(tables(deals=[(0, 4, "lost", 9, 1), (0, 5, "open", None, 2)]))
    assert frame["left_at"].isna().all()


def test_winning_a_deal_that_was_open_is_no_return():
    frame = reached(tables(deals=[(0, 4, "lost", 9, 1), (0, 5, "won", 12, 2)]))
    assert frame["returned_from"].isna().all()


def test_what_is_dated_before_the_lead_happens_at_its_creation_and_is_counted():
    deals = [(1, -6, "won", -2, 9), (2, 4, "open", None, 1)]
    frame = reached(tables([(0, "mql", -4)], deals))
    assert days(frame, "mql_at")["L0"] == 0
    assert days(frame, "won_at")["L1"] == 0
    assert frame["n_early"].tolist() == [1, 2, 0]


def test_deals_without_a_lead_are_counted_by_outcome():
    data = tables(deals=[(None, 1, "won", 2, 10), (None, 1, "open", None, 5), (0, 1, "won", 2, 1)])
    apart = deals_without_lead(data).set_index("outcome")
    assert apart["n_deals"].to_dict() == {"open": 1, "won": 1}
    assert apart.loc["won", "amount"] == 10
    assert reached(data)["amount"].sum() == 1


def test_without_leads_each_deal_is_followed_from_its_own_creation():
    deals = pd.DataFrame(
        {
            "deal_id": ["D1", "D2"],
            "created_at": [day(0), day(0)],
            "outcome": ["won", "lost"],
            "closed_at": [day(8), day(9)],
            "amount": [5.0, 7.0],
        }
    )
    data = Tables.of(deals=deals, as_of=AS_OF)
    frame = reached(data)
    assert not is_followed_by_lead(data)
    assert recorded_stages(data) == ("opportunity", "won")
    assert not is_followed_by_lead(data)
    assert days(frame, "won_at") == {"D1": 8, "D2": pytest.approx(float("nan"), nan_ok=True)}
    assert frame["amount"].tolist() == [5.0, 0.0]
    assert frame["left_to"].fillna("").tolist() == ["", "lost"]


def test_a_plan_with_other_stage_names():
    plan = {"stages": {"order": ["contact", "demo", "customer"], "exits": ["left"]}}
    from funnel.contract.plan import Plan

    data = tables([(0, "demo", 2), (1, "left", 3)], [(0, 3, "won", 7, 4)], plan=Plan.of(plan))
    frame = reached(data)
    assert recorded_stages(data) == ("contact", "demo", "customer")
    assert days(frame, "customer_at")["L0"] == 7
    assert frame["left_to"].fillna("").tolist() == ["", "left", ""]


def test_segments_are_those_that_the_leads_have():
    assert segments(tables()) == ["channel"]
    from funnel.contract.plan import Plan

    assert segments(tables(plan=Plan(segments=("region", "nowhere")))) == ["channel"]


def test_leads_alone():
    data = tables()
    frame = reached(data)
    assert recorded_stages(data) == ("lead",)
    assert (frame["lead_at"] == frame["created_at"]).all()
    assert frame["won_at"].isna().all()


MOVES = st.lists(
    st.tuples(
        st.integers(0, 79), st.sampled_from([*STAGES, "recycled", "lost"]), st.integers(-3, 20)
    ),
    min_size=40,
    max_size=300,
)


@settings(max_examples=4, deadline=None)
@given(changes=MOVES)
def test_random_histories_agree_with_a_plain_loop(changes):
    frame = reached(tables(changes, n_leads=80)).set_index("lead_id")
    recorded = [s for s in STAGES if s == "lead" or s in {stage for _, stage, _ in changes}]
    for lead in range(80):
        mine = [(n, stage) for who, stage, n in changes if who == lead]
        row = frame.loc[f"L{lead}"]
        for k, stage in enumerate(STAGES):
            entered = [n for n, word in mine if word in STAGES[k:]]
            if stage == "lead":
                entered = [0]
            if stage not in recorded or not entered:
                assert pd.isna(row[f"{stage}_at"])
            else:
                assert (row[f"{stage}_at"] - day(0)).days == max(0, min(entered))
        exits = [n for n, word in mine if word not in STAGES]
        entries = [n for n, word in mine if word in STAGES]
        has_left = bool(exits) and max(exits) >= max(entries, default=-99)
        has_left &= not any(word == "won" for _, word in mine)
        assert pd.notna(row["left_at"]) == has_left
        assert row["n_repeats"] == sum(
            max(0, sum(word == stage for _, word in mine) - 1) for stage in STAGES
        )
        firsts = [min((n for n, word in mine if word == stage), default=None) for stage in STAGES]
        assert row["n_disordered"] == sum(
            at is not None and any(each is not None and each < at for each in firsts[k + 2 :])
            for k, at in enumerate(firsts[1:])
        )


def test_the_order_of_rows_does_not_matter():
    changes = [(0, "mql", 1), (0, "sql", 4), (1, "rejected", 3), (2, "mql", 5), (1, "mql", 3)]
    one, other = reached(tables(changes)), reached(tables(changes[::-1]))
    pd.testing.assert_frame_equal(one, other)
