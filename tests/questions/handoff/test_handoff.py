"""The hand-off: times by hand, both parts of the SLA, and planted associations."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funnel.contract.plan import Company, Plan
from funnel.dataset import Tables
from funnel.questions.handoff import handoff
from funnel.questions.handoff.attention import LOAD, RETURNED, _slopes, attention
from funnel.questions.handoff.nurture import nurture_pool
from funnel.questions.handoff.response_times import (
    business_hours,
    follow_up,
    handed_leads,
    time_split,
)
from funnel.questions.handoff.speed_to_lead import (
    STRATIFIED,
    UNADJUSTED,
    handoff_point,
    speed_to_lead,
)
from funnel.questions.handoff.text import sla_label
from funnel.results.neutral_words import unfit_words
from funnel.sample import company
from funnel.stats import CANNOT_TELL, MOVED

JUNE = "2026-06-30"


def times(*texts):
    return pd.to_datetime(pd.Series(texts), utc=True, format="mixed")


@pytest.fixture(scope="module")
def both_at_fault():
    made = company("both_at_fault", seed=3, leads=2000, quarters=5)
    names = ("leads", "stage_changes", "deals", "activities", "reps", "touches")
    plan = {
        "definition": {"agreed": "score >= 50 and employees >= 50"},
        "company": {"timezone": "Europe/Berlin", "country": "DE"},
    }
    return Tables.of(
        plan=Plan.of(plan), as_of=made.as_of, **{name: made.tables[name] for name in names}
    )


def two_leads(**more):
    leads = pd.DataFrame(
        {
            "lead_id": ["L-1", "L-2"],
            "created_at": ["2026-05-04T08:00:00", "2026-05-04T08:00:00"],
            "assigned_at": ["2026-05-05T10:00:00", None],
            "grade": ["A", "B"],
            "score": [60.0, 20.0],
            "employees": [80.0, 10.0],
        }
    )
    changes = pd.DataFrame(
        {
            "lead_id": ["L-1", "L-1", "L-2"],
            "stage": ["mql", "mql", "mql"],
            "entered_at": ["2026-05-05T08:00:00", "2026-05-20", "2026-05-06"],
        }
    )
    acts = pd.DataFrame(
        {
            "lead_id": ["L-1", "L-1", "L-1"],
            "occurred_at": ["2026-05-05T16:00:00", "2026-05-07T16:00:00", "2026-05-08T08:00:00"],
            "kind": ["call", "email", "feedback"],
            "owner": ["Kim", "Kim", "Kim"],
        }
    )
    frames = {"leads": leads, "stage_changes": changes, "activities": acts} | more
    return Tables.of(as_of=JUNE, **frames)


def test_each_lead_is_handed_over_once_and_the_parts_of_its_response_time_add_up():
    frame = handed_leads(two_leads()).frame
    assert frame["lead_id"].tolist() == ["L-1", "L-2"]
    first = frame.iloc[0]
    assert first["handed_at"] == pd.Timestamp("2026-05-05T08:00:00Z")
    assert first["routing_days"] == pytest.approx(2 / 24)
    assert first["rep_days"] == pytest.approx(6 / 24)
    assert first["response_days"] == pytest.approx(8 / 24)
    assert first["feedback_days"] == pytest.approx(3.0)
    assert frame["response_days"].isna().tolist() == [False, True]


def test_a_lead_acted_on_before_its_assignment_has_no_time_of_a_salesperson():
    acts = pd.DataFrame(
        {"lead_id": ["L-1"], "occurred_at": ["2026-05-05T09:00:00"], "kind": ["call"]}
    )
    first = handed_leads(two_leads(activities=acts)).frame.iloc[0]
    assert (first["routing_days"], first["rep_days"]) == (pytest.approx(1 / 24), 0.0)


def test_an_action_before_the_handoff_is_no_response_and_is_reported():
    """Calls on 4 and 7 May; the hand-off is on 5 May at eight."""
    acts = pd.DataFrame(
        {"lead_id": ["L-1"] * 2, "occurred_at": ["2026-05-04T09:00", "2026-05-07T08:00"]}
    ).assign(kind="call")
    handed = handed_leads(two_leads(activities=acts))
    assert handed.frame["response_days"].iloc[0] == pytest.approx(2.0)
    assert handed.n_acted_before == 1
    only_before = handed_leads(two_leads(activities=acts.head(1)))
    assert only_before.frame["response_days"].isna().all()
    assert only_before.n_acted_before == 1
    caveats = " ".join(handoff(two_leads(activities=acts)).caveats)
    assert "1 lead has a sales action before the hand-off" in caveats


def test_feedback_before_the_handoff_does_not_meet_the_sla():
    """Feedback on 5 and 20 May, hand-off on 6 May: fourteen days, not none."""
    changes = pd.DataFrame({"lead_id": ["L-1"], "stage": ["mql"], "entered_at": ["2026-05-06"]})
    acts = pd.DataFrame(
        {"lead_id": ["L-1"] * 2, "occurred_at": ["2026-05-05", "2026-05-20"], "kind": "feedback"}
    )
    data = two_leads(stage_changes=changes, activities=acts)
    handed = handed_leads(data)
    assert handed.frame["feedback_days"].tolist() == [14.0]
    assert handed.n_feedback_before == 1
    row = handoff(data).table.set_index("sla").loc["feedback"]
    assert (row["within_days"], row["met"], row["n"]) == (7.0, 0.0, 1)
    assert any("feedback before the hand-off" in caveat for caveat in handoff(data).caveats)


def test_feedback_is_no_first_sales_action():
    """Feedback on 6 May, a call on 8 May, after a hand-off on 5 May at eight."""
    acts = pd.DataFrame(
        {
            "lead_id": ["L-1"] * 2,
            "occurred_at": ["2026-05-06T08:00", "2026-05-08T08:00"],
            "kind": ["Feedback", "call"],
        }
    )
    first = handed_leads(two_leads(activities=acts)).frame.iloc[0]
    assert first["response_days"] == pytest.approx(3.0)
    assert first["feedback_days"] == pytest.approx(1.0)


def test_without_stage_changes_the_assignment_is_the_handoff_and_without_it_the_creation():
    nothing = pd.DataFrame({"lead_id": [], "stage": [], "entered_at": []})
    assert handed_leads(two_leads(stage_changes=nothing)).frame["lead_id"].tolist() == ["L-1"]
    leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-05-04"]})
    data = Tables.of(leads=leads, as_of=JUNE)
    assert handed_leads(data).stage == "created_at"
    assert any("a lead's creation" in caveat for caveat in handoff(data).caveats)


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2026-01-02 08:00", "2026-01-02 15:00", 7.0),  # 9:00 to 16:00 in Berlin
        ("2026-01-02 20:00", "2026-01-05 08:00", 0.0),  # Friday evening to Monday 9:00
        ("2026-01-02 15:00", "2026-01-05 09:00", 2.0),
        ("2025-12-31 15:00", "2026-01-02 08:30", 1.5),  # New Year's Day is a public holiday
        ("2026-03-27 15:00", "2026-03-30 08:00", 2.0),  # over the change to summer time
        ("2026-01-02 15:00", "2026-01-02 08:00", 0.0),
    ],
)
def test_business_hours_by_hand(start, end, hours):
    plan = Plan(company=Company(timezone="Europe/Berlin", country="DE"))
    assert business_hours(times(start), times(end), plan).tolist() == pytest.approx([hours])


@given(
    starts=st.lists(st.integers(0, 400_000), min_size=1, max_size=6),
    gaps=st.lists(st.integers(0, 60_000), min_size=6, max_size=6),
)
@settings(max_examples=25)
def test_business_hours_equal_a_count_by_the_minute(starts, gaps):
    plan = Plan(company=Company(timezone="Europe/Berlin", country="DE"))
    base = pd.Timestamp("2025-12-20", tz="UTC")
    start = pd.Series([base + pd.Timedelta(minutes=m) for m in starts])
    end = start + pd.to_timedelta(gaps[: len(starts)], unit="min")
    for got, first, last in zip(business_hours(start, end, plan), start, end, strict=True):
        minutes = pd.date_range(first, last, freq="min", inclusive="left").tz_convert(
            "Europe/Berlin"
        )
        holidays = pd.to_datetime(["2025-12-25", "2025-12-26", "2026-01-01", "2026-04-03",
                                   "2026-04-06", "2026-05-01", "2026-05-14", "2026-05-25",
                                   "2026-10-03"])  # fmt: skip
        days = minutes.tz_localize(None).normalize()
        works = (days.day_of_week < 5) & ~days.isin(holidays)
        count = ((minutes.hour >= 9) & (minutes.hour < 17) & works).sum()
        assert got == pytest.approx(count / 60, abs=1e-9)


@pytest.mark.parametrize("n_acted", [2, 3, 5])
def test_a_median_of_business_hours_counts_those_still_waiting(n_acted):
    # of five leads handed over on a Monday at nine, some are called one, two, three ... hours later
    leads = pd.DataFrame(
        {"lead_id": [f"L-{i}" for i in range(5)], "created_at": "2026-05-04T09:00:00"}
    )
    acts = leads.head(n_acted).assign(
        kind="call",
        occurred_at=pd.Timestamp("2026-05-04T09:00:00Z")
        + pd.to_timedelta([1, 2, 3, 4, 5][:n_acted], unit="h"),
    )
    plan = Plan(company=Company(timezone="UTC"))
    data = Tables.of(leads=leads, activities=acts, as_of=JUNE, plan=plan)
    table = follow_up(data).table.set_index(["grade", "span"])
    row = table.loc[("all", "period")]
    expected = 3.0 if n_acted >= 3 else np.nan
    assert row["median_business_hours"] == pytest.approx(expected, nan_ok=True)
    assert np.isnan(row["median_days"]) == np.isnan(row["median_business_hours"])


def test_times_of_minutes_and_hours_are_shown_as_such():
    """Eight leads, called after five minutes; assigned after two."""
    days = [f"2026-05-{day:02}" for day in range(4, 12)]
    leads = pd.DataFrame(
        {
            "lead_id": [f"L-{day}" for day in days],
            "created_at": [f"{day}T08:00:00" for day in days],
            "assigned_at": [f"{day}T08:02:00" for day in days],
        }
    )
    calls = leads[["lead_id"]].assign(occurred_at=[f"{day}T08:05:00" for day in days], kind="call")
    changes = leads[["lead_id"]].assign(stage="mql", entered_at=leads["created_at"])
    data = Tables.of(as_of=JUNE, leads=leads, activities=calls, stage_changes=changes)
    found = follow_up(data)
    assert "first sales action: 5 minutes, was not known yet." in found.headline
    assert found.shown()["median"].iloc[0] == "5 minutes"
    parts = time_split(data).shown().iloc[0]
    assert parts[["mean", "routing", "salesperson"]].tolist() == [
        "5 minutes", "2 minutes", "3 minutes",
    ]  # fmt: skip


def test_leads_more_recent_than_the_sla_are_not_late():
    leads = pd.DataFrame(
        {
            "lead_id": ["L-1", "L-2"],
            "created_at": ["2026-06-01", "2026-06-30T12:00:00"],
            "assigned_at": ["2026-06-01", "2026-06-30T12:00:00"],
            "grade": ["A", "A"],
        }
    )
    acts = pd.DataFrame({"lead_id": ["L-1"], "occurred_at": ["2026-06-01T18:00"], "kind": ["call"]})
    table = handoff(Tables.of(leads=leads, activities=acts, as_of=JUNE)).table
    row = table[table["grade"] == "A"].iloc[0]
    assert (row["met"], row["n"], row["n_immature"]) == (1.0, 1, 1)


def test_a_lead_that_was_not_assigned_counts_against_routing_alone():
    table = handoff(two_leads()).table
    labels = [sla_label(row) for _, row in table.iterrows()]
    table = table.set_index(pd.Index(labels))
    assert table.loc["B: first action within 3 days", "n"] == 0
    assert table.loc["assigned within 1 day", ["met", "n"]].tolist() == [0.5, 2]


def test_both_sides_are_in_one_table_with_the_same_columns(both_at_fault):
    result = handoff(both_at_fault)
    assert set(result.table["side"]) == {"sales", "marketing", "routing"}
    by_side = result.table.set_index("side")
    assert "Sales SLA." in result.headline
    assert "Marketing SLA." in result.headline
    assert by_side.loc["marketing", "verdict"] == MOVED
    sales = by_side.loc["sales"]
    assert (sales["verdict"] == MOVED).any()
    assert (sales.loc[sales["verdict"] == MOVED, "change"] < 0).all()
    assert by_side.loc["routing", "verdict"] != MOVED
    assert not unfit_words(result.headline)


@pytest.mark.parametrize("agreed", ["", "score >=", "tall > 3"])
def test_marketings_part_without_a_usable_definition_is_not_known_and_the_page_shows_it(agreed):
    data = two_leads()
    plan = Plan.of({"definition": {"agreed": agreed}} if agreed else {})
    made = handoff(Tables.of(plan=plan, as_of=JUNE, leads=data.leads))
    row = made.table[made.table["side"] == "marketing"].iloc[0]
    assert row["verdict"] == CANNOT_TELL
    assert np.isnan(row["met"])
    assert made.definition_problem
    assert any("Marketing's part of the SLA" in caveat for caveat in made.caveats)


def test_the_parts_of_the_mean_wait_add_up(both_at_fault):
    table = time_split(both_at_fault).table.dropna(subset="mean_days")
    assert len(table) > 4
    parts = table["routing_days"] + table["rep_days"]
    assert parts.to_numpy() == pytest.approx(table["mean_days"].to_numpy())
    assert (
        table["routing_share"]
        .between(table["routing_share_low"], table["routing_share_high"])
        .all()
    )


def test_follow_up_slows_where_it_was_planted(both_at_fault):
    rows = follow_up(both_at_fault).table.set_index(["grade", "span"])
    now, then = rows.loc[("all", "period")], rows.loc[("all", "baseline")]
    assert now["median_days"] > then["median_days"]
    assert now["by_30_days_high"] < then["by_30_days_low"]


def hot_leads_first(n, ratio, seed):
    """Leads of better score are called sooner; being called soon multiplies the rate by `ratio`."""
    random = np.random.default_rng(seed)
    score = random.normal(50, 12, n)
    is_soon = random.random(n) < 1 / (1 + np.exp(-(score - 52) / 6))
    rate = np.clip(0.05 + 0.012 * np.clip(score - 35, 0, 40), 0, 0.6) * np.where(is_soon, ratio, 1)
    is_won = random.random(n) < rate
    created = pd.Timestamp("2025-01-01", tz="UTC") + pd.to_timedelta(
        random.uniform(0, 300, n), unit="D"
    )
    ids = pd.Series([f"L-{i}" for i in range(n)])
    wait = np.where(is_soon, random.uniform(0.05, 0.9, n), random.uniform(1.2, 6, n))
    acted = created + pd.to_timedelta(wait, unit="D")
    leads = pd.DataFrame({"lead_id": ids, "created_at": created, "assigned_at": created,
                          "score": score,
                          "channel": random.choice(["web", "event"], n)})  # fmt: skip
    acts = pd.DataFrame({"lead_id": ids, "occurred_at": acted, "kind": "call"})
    opened = acted + pd.to_timedelta(random.uniform(1, 20, n), unit="D")
    deals = pd.DataFrame({"deal_id": "D" + ids, "lead_id": ids, "created_at": opened,
                          "outcome": "open"})[is_won]  # fmt: skip
    return Tables.of(leads=leads, activities=acts, deals=deals, as_of=JUNE)


def test_a_planted_speed_ratio_is_recovered_where_hot_leads_are_called_first():
    found = []
    for seed in (1, 2, 3):
        table = speed_to_lead(hot_leads_first(12_000, 1.15, seed)).table.set_index("comparison")
        assert table.loc[UNADJUSTED, "ratio"] > 1.6
        found.append(table.loc[STRATIFIED, "ratio"])
    assert 1.05 <= np.mean(found) <= 1.30
    assert all(1.05 <= ratio <= 1.30 for ratio in found)


def test_speed_is_called_an_association(both_at_fault):
    result = speed_to_lead(both_at_fault)
    assert "association" in result.headline
    assert not unfit_words(result.headline + " ".join(result.caveats))


def weeks(seed, *, returned=0.0, load=0.0, n=104):
    random = np.random.default_rng(seed)
    sent_back, leads = 0.4 + 0.05 * random.normal(size=n), 8 + random.normal(size=n)
    followed = 0.8 + 0.04 * random.normal(size=n)
    followed[1:] += returned * (sent_back[:-1] - 0.4)
    followed += load * (leads - 8)
    start = pd.date_range("2024-01-01", periods=n, freq="7D")
    return pd.DataFrame({"week_start": start, "followed_share": followed,
                         "returned_share": sent_back, "load": leads})  # fmt: skip


@pytest.mark.parametrize(
    ("planted", "line", "lag"),
    [({"returned": -0.6}, RETURNED, 1), ({"load": -0.03}, LOAD, 0)],
)
def test_a_planted_line_is_found_at_its_lag(planted, line, lag):
    table = _slopes(weeks(5, **planted), 0.9)
    moved = table[table["verdict"] == MOVED]
    first = moved.sort_values("p_adjusted").iloc[0]
    assert (first["line"], first["lag_weeks"]) == (line, lag)
    assert first["slope"] < 0


def test_lines_are_seldom_found_where_nothing_was_planted():
    found = [(_slopes(weeks(seed), 0.9)["verdict"] == MOVED).any() for seed in range(40)]
    assert sum(found) <= 6  # at most this many in 39 of 40 tries, at one in twelve


def test_attention_shows_both_lines_by_one_rule(both_at_fault):
    result = attention(both_at_fault)
    assert set(result.table["line"]) == {RETURNED, LOAD}
    assert set(result.table.groupby("line").size()) == {5}
    assert "leads sent back" in result.headline
    assert "salesperson" in result.headline


def test_a_recycled_lead_counts_once_from_its_first_recycling():
    leads = pd.DataFrame({"lead_id": ["L-1", "L-2", "L-3"], "created_at": "2025-01-01"})
    changes = pd.DataFrame(
        [
            ("L-1", "recycled", "2025-02-01"),
            ("L-1", "mql", "2025-02-11"),
            ("L-1", "recycled", "2025-03-01"),
            ("L-2", "recycled", "2025-02-01"),
            ("L-2", "mql", "2025-03-03"),
        ],
        columns=["lead_id", "stage", "entered_at"],
    )
    deals = pd.DataFrame({"deal_id": ["D-2"], "lead_id": ["L-2"], "created_at": ["2025-03-04"],
                          "outcome": ["won"], "closed_at": ["2025-03-13"],
                          "amount": [70.0]})  # fmt: skip
    data = Tables.of(leads=leads, stage_changes=changes, deals=deals, as_of=JUNE)
    table = nurture_pool(data).table
    row = table[(table["grade"] == "all") & (table["by_days"] == 90)].iloc[0]
    assert row[["n_recycled", "n_waiting", "returned", "won", "won_amount"]].tolist() == [
        2, 1, 1.0, 0.5, 70.0,
    ]  # fmt: skip


def test_a_lead_with_ten_thousand_actions_counts_once():
    n = 10_000
    acts = pd.DataFrame(
        {
            "lead_id": ["L-1"] * n,
            "occurred_at": pd.date_range("2026-05-05T16:00", periods=n, freq="min").astype("str"),
            "kind": "call",
        }
    )
    assert len(handed_leads(two_leads(activities=acts)).frame) == 2


@pytest.mark.parametrize(
    "question",
    [handoff, follow_up, time_split, attention, speed_to_lead, handoff_point, nurture_pool],
)
def test_each_figure_has_a_sentence_where_tables_are_missing(question):
    leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-05-05"]})
    deals = pd.DataFrame({"deal_id": ["D-1"], "created_at": ["2026-05-05"], "outcome": ["open"]})
    for frames in ({"leads": leads}, {"deals": deals}, {"leads": leads, "deals": deals}):
        result = question(Tables.of(as_of=JUNE, **frames))
        assert result.headline.endswith(".")
        assert result.as_of == dt.date(2026, 6, 30)
        result._repr_html_()
