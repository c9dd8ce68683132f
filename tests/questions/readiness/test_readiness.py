"""What can be answered follows from what is there, and each gap names who can close it."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from funnel.questions.readiness.questions import QUESTIONS

from funnel.contract.plan import Plan
from funnel.dataset import Tables
from funnel.questions.readiness import STATES, readiness

START = pd.Timestamp("2024-01-01", tz="UTC")
LAST = dt.date(2026, 6, 30)
DAYS = (pd.Timestamp(LAST, tz="UTC") - START).days + 1


@pytest.fixture(scope="module")
def frames():
    rng = np.random.default_rng(4)
    n = 2400
    created = START + pd.to_timedelta(np.sort(rng.integers(0, DAYS * 1440, n)), unit="min")
    ids = [f"L{i}" for i in range(n)]
    won = rng.random(n) < 0.15
    closed = created + pd.to_timedelta(rng.integers(1, 60 * 1440, n), unit="min")
    deals = pd.DataFrame(
        {
            "deal_id": [f"D{i}" for i in range(n)],
            "lead_id": ids,
            "created_at": created,
            "closed_at": closed,
            "outcome": np.where(won, "won", "lost"),
            "amount": 1000.0,
            "loss_reason": np.where(won, None, np.where(rng.random(n) < 0.38, "price", None)),
        }
    )[won | (rng.random(n) < 0.3)]
    leads = pd.DataFrame(
        {"lead_id": ids, "created_at": created, "channel": rng.choice(["email", "event"], n)}
    )
    return {
        "leads": leads,
        "deals": deals[deals["closed_at"] <= "2026-06-30"],
        "touches": leads.rename(columns={"created_at": "occurred_at"}),
    }


@pytest.fixture(scope="module")
def answer(frames):
    return readiness(Tables.of(as_of=LAST, **frames))


def states_of(answer):
    return answer.table.set_index("topic")["state"]


def row_of(answer, topic):
    return answer.table.set_index("topic").loc[topic]


def test_each_question_has_a_state_a_reason_and_somebody_to_ask(answer):
    assert answer.table["topic"].tolist() == [question.topic for question in QUESTIONS]
    assert answer.table["topic"].is_unique
    assert set(answer.table["state"]) == set(STATES)
    assert (answer.table["why"].str.len() > 0).all()
    assert (answer.table["short"].str.len() > 0).all()
    is_open = answer.table["state"] != "answered"
    assert set(answer.gaps["topic"]) == set(answer.table.loc[is_open, "topic"])
    assert (answer.gaps != "").all(axis=None)
    assert (answer.table.loc[~is_open, "ask"] == "").all()


def test_a_thin_field_is_told_with_its_count_and_share(answer, frames):
    row = row_of(answer, "reasons of loss")
    lost = frames["deals"][frames["deals"]["outcome"] == "lost"]
    assert row["state"] == "cannot tell"
    assert row["n"] == len(lost)
    assert row["share"] == pytest.approx(lost["loss_reason"].notna().mean())
    assert row["share_low"] < row["share"] < row["share_high"]
    assert "`loss_reason` is filled for" in row["why"]
    assert row["ask"] == "Sales Ops"
    behind = answer.rows[answer.rows["figure"] == "reasons of loss"]
    assert sorted(behind["id"]) == sorted(lost["deal_id"])


@pytest.mark.parametrize(
    ("filled", "state"), [(0.9, "answered"), (0.6, "in part"), (0.4, "cannot tell")]
)
def test_states_follow_the_share_filled(frames, filled, state):
    deals = frames["deals"].copy()
    keep = np.arange(len(deals)) % 100 < 100 * filled
    deals["loss_reason"] = np.where(keep, "price", None)
    answer = readiness(Tables.of(as_of=LAST, leads=frames["leads"], deals=deals))
    assert states_of(answer)["reasons of loss"] == state


def test_a_table_that_is_added_answers_its_question(frames):
    reps = pd.DataFrame({"owner": ["A"], "started_on": ["2024-01-01"]})
    deals = frames["deals"].assign(owner="A")
    without = readiness(Tables.of(as_of=LAST, leads=frames["leads"], deals=deals))
    with_reps = readiness(Tables.of(as_of=LAST, leads=frames["leads"], deals=deals, reps=reps))
    assert row_of(without, "bookings per head")["short"] == "no `reps`"
    assert states_of(with_reps)["bookings per head"] == "answered"
    changed = states_of(without) != states_of(with_reps)
    assert changed[changed].index.tolist() == ["bookings per head"]


def test_wins_recorded_late_leave_conversion_open(frames):
    deals = frames["deals"][frames["deals"]["closed_at"] >= "2026-05-01"]
    answer = readiness(Tables.of(as_of=LAST, leads=frames["leads"], deals=deals))
    row = row_of(answer, "conversion by stage")
    assert row["state"] == "cannot tell"
    assert "recorded from" in row["why"]
    assert "recorded late" in set(answer.traps.table["trap"])


def test_without_touches_the_lead_s_channel_stands_in(frames):
    answer = readiness(Tables.of(as_of=LAST, leads=frames["leads"], deals=frames["deals"]))
    assert row_of(answer, "first click")["state"] == "in part"
    assert row_of(answer, "credit by channel")["state"] == "cannot tell"


def test_a_plan_without_stages_in_between_needs_no_stage_changes(frames):
    short = Plan.of({"stages": {"order": ["lead", "won"], "exits": ["lost"]}})
    answer = readiness(Tables.of(as_of=LAST, plan=short, **frames))
    assert states_of(answer)["the change"] == "answered"
    assert (
        "stage_changes" in row_of(readiness(Tables.of(as_of=LAST, **frames)), "the change")["why"]
    )


def test_the_headline_counts_and_names_what_is_open(answer):
    counts = answer.table["state"].value_counts()
    assert answer.headline.startswith(f"{counts['answered']} of {len(QUESTIONS)} questions")
    first = answer.table[answer.table["state"] == "cannot tell"].iloc[0]
    assert f"{first['topic']} ({first['short']})" in answer.headline


def test_questions_to_ask_are_grouped_by_team(answer):
    asked = answer.questions()
    assert asked["ask"].is_monotonic_increasing
    assert not asked.duplicated("settle").any()
    assert sum(len(topics.split(", ")) for topics in asked["topics"]) == len(answer.gaps)
    spend = asked[asked["settle"].str.contains("`spend`")]
    assert spend[["ask", "topics"]].to_numpy().tolist() == [["Marketing Ops", "cost by channel"]]


@pytest.mark.parametrize("only", ["leads", "deals"])
def test_one_table_is_enough_to_be_told_what_is_missing(frames, only):
    frame = frames[only].head(3).drop(columns="lead_id" if only == "deals" else [])
    answer = readiness(Tables.of(as_of=LAST, **{only: frame}))
    assert len(answer.table) == len(QUESTIONS)
    assert (answer.table["state"] != "answered").all()


def test_a_single_lead_draws_and_shows_itself():
    from matplotlib import pyplot as plt

    leads = pd.DataFrame({"lead_id": ["<b>"], "created_at": ["2026-06-01T00:00:00Z"]})
    answer = readiness(Tables.of(as_of=LAST, leads=leads))
    for result in (answer, answer.coverage, answer.traps):
        ax = result.plot()
        assert ax.figure.get_label() == result.headline
        assert result.headline.replace("<", "&lt;") in result._repr_html_()
        plt.close(ax.figure)


def test_pictures_show_every_question_month_and_trap(frames):
    from matplotlib import pyplot as plt

    deals = frames["deals"][frames["deals"]["closed_at"] >= "2025-01-01"]
    answer = readiness(Tables.of(as_of=LAST, leads=frames["leads"], deals=deals))
    ax = answer.plot()
    assert len(ax.get_yticklabels()) == len(QUESTIONS)
    shown = [text.get_text() for text in ax.texts]
    assert (
        sum(text.startswith("cannot tell") for text in shown)
        == (states_of(answer) == "cannot tell").sum()
    )
    bars = answer.traps.plot()
    assert [patch.get_width() for patch in bars.patches][::-1] == answer.traps.table["n"].tolist()
    grid = answer.coverage.plot()
    assert [label.get_text() for label in grid.get_yticklabels()] == ["leads", "deals"]
    for each in (ax, bars, grid):
        plt.close(each.figure)


def test_what_is_open_is_shown_and_what_to_ask_is_in_words(answer):
    shown = answer.shown()
    assert set(shown["state"]) == {"in part", "cannot tell"}
    assert shown.columns.tolist() == ["question", "state", "why", "whom to ask"]
    asked = answer.to_ask()
    assert len(asked.table) == len(answer.questions())
    assert asked.shown().columns.tolist() == ["team", "question", "would help with"]
    assert f"{len(asked.table)} questions to" in asked.headline


def test_the_latest_months_of_leads_come_first_with_their_state(answer):
    latest = answer.latest_cohorts()
    shown = latest.shown()
    assert shown["created in"].tolist() == sorted(shown["created in"], reverse=True)
    assert shown["created in"].iloc[0] == "2026-06" and shown["state"].iloc[0] == "young"
    n = (shown["state"] == "comparable").sum()
    assert latest.headline.startswith(f"{n} of the latest {len(shown)} months")


def test_each_table_is_shown_from_when_to_when(answer):
    shown = answer.coverage.shown().set_index("table")
    assert shown.loc["leads", ["rows", "empty months"]].tolist() == ["2,400", "0"]
