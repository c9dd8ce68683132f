"""What can be answered follows from what is there, and each gap names who can close it."""

import datetime as dt
import importlib

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

from funnel.contract.plan import Plan
from funnel.dataset import Tables
from funnel.questions import QUESTIONS, QuestionEntry
from funnel.questions.readiness import STATES, answered, readiness
from funnel.questions.readiness.charts import COLORS
from funnel.questions.readiness.readiness import PAGE
from funnel.questions.readiness.text import STATES_IN_SHORT, in_words
from funnel.results import Say

START = pd.Timestamp("2024-01-01", tz="UTC")
LAST = dt.date(2026, 6, 30)
LISTED = [entry for entry in QUESTIONS if entry.page != PAGE]
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
            "amount": np.where(rng.random(n) < 0.38, 1000.0, np.nan),
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


def states_of(found):
    return found.table.set_index("question")["state"]


def row_of(found, name):
    return found.table.set_index("question").loc[name]


def reason_of(found, name):
    names = found.table["question"].tolist()
    return in_words(found, Say(found.company, found.level))["reason"].iloc[names.index(name)]


def test_each_question_has_a_state_a_reason_and_somebody_to_ask(answer):
    assert answer.table["question"].tolist() == [entry.name for entry in LISTED]
    assert answer.table["question"].is_unique
    assert set(answer.table["state"]) == set(STATES)
    words = in_words(answer, Say())
    assert (words["reason"].str.len() > 0).all()
    assert words["question"].str.endswith("?").all()
    is_open = answer.table["state"] != "can be answered"
    helped = ", ".join(answer.open_questions().table["questions"]).split(", ")
    assert set(helped) == set(answer.table.loc[is_open, "question"])
    assert (answer.open_questions().table != "").all(axis=None)
    assert (answer.table.loc[~is_open, "team"] == "").all()


def test_a_thin_field_is_shown_with_its_count_and_share(answer, frames):
    row = row_of(answer, "deal size")
    won = frames["deals"][frames["deals"]["outcome"] == "won"]
    assert row["state"] == "cannot tell"
    assert row["n"] == len(won)
    assert row["share"] == pytest.approx(won["amount"].notna().mean())
    assert row["share_low"] < row["share"] < row["share_high"]
    assert row["requirement"] == "filled: won deals.amount"
    assert row["team"] == "Sales Ops"
    text = f"`amount` is filled for {100 * row['share']:.0f}% of {row['n']:,} won deals."
    assert reason_of(answer, "deal size") == text
    behind = answer.rows[answer.rows["figure"] == "deal size"]
    assert sorted(behind["id"]) == sorted(won["deal_id"])


@pytest.mark.parametrize(
    ("filled", "state"), [(0.9, "can be answered"), (0.6, "in part"), (0.4, "cannot tell")]
)
def test_states_follow_the_share_filled(frames, filled, state):
    deals = frames["deals"].copy()
    deals["amount"] = np.where(np.arange(len(deals)) % 100 < 100 * filled, 1000.0, np.nan)
    answer = readiness(Tables.of(as_of=LAST, leads=frames["leads"], deals=deals))
    assert states_of(answer)["deal size"] == state


def test_a_table_that_is_added_answers_its_question(frames):
    activities = pd.DataFrame(
        {"lead_id": frames["leads"]["lead_id"], "occurred_at": frames["leads"]["created_at"]}
    )
    leads = frames["leads"].assign(grade="A", assigned_at=frames["leads"]["created_at"])
    tables = {"leads": leads, "deals": frames["deals"]}
    without = readiness(Tables.of(as_of=LAST, **tables))
    with_them = readiness(Tables.of(as_of=LAST, **tables, activities=activities))
    assert row_of(without, "follow-up")["requirement"] == "table: activities"
    assert states_of(with_them)["follow-up"] == "can be answered"
    changed = states_of(without) != states_of(with_them)
    assert changed[changed].index.tolist() == ["follow-up"]


def test_wins_recorded_late_leave_conversion_open(frames):
    deals = frames["deals"][frames["deals"]["closed_at"] >= "2026-05-01"]
    answer = readiness(Tables.of(as_of=LAST, leads=frames["leads"], deals=deals))
    assert row_of(answer, "conversion by stage")["state"] == "cannot tell"
    assert "recorded from" in reason_of(answer, "conversion by stage")
    assert "recorded late" in set(answer.record_problems().table["problem"])


def test_without_touches_the_lead_s_channel_stands_in(frames):
    answer = readiness(Tables.of(as_of=LAST, leads=frames["leads"], deals=frames["deals"]))
    assert states_of(answer)["first click"] == "in part"
    assert states_of(answer)["credit by channel"] == "cannot tell"


def test_a_plan_without_stages_in_between_needs_no_stage_changes(frames):
    frames = frames | {"deals": frames["deals"].assign(amount=1000.0)}
    short = Plan.of({"stages": {"order": ["lead", "won"], "exits": ["lost"]}})
    answer = readiness(Tables.of(as_of=LAST, plan=short, **frames))
    assert states_of(answer)["the change"] == "can be answered"
    longer = readiness(Tables.of(as_of=LAST, **frames))
    assert "stage_changes" in reason_of(longer, "the change")


def test_the_headline_counts_and_names_what_is_open(answer):
    counts = answer.table["state"].value_counts()
    assert answer.headline.startswith(f"{counts['can be answered']} of {len(LISTED)} questions")
    assert f"{counts['in part']} in part" in answer.headline
    first = answer.table[answer.table["state"] == "cannot tell"].iloc[0]
    assert f"cannot tell: {first['question']} (" in answer.headline


def test_what_to_ask_is_grouped_by_team(answer):
    open_ones = answer.open_questions()
    assert open_ones.table["team"].is_monotonic_increasing
    shown = open_ones.shown()
    assert shown.columns.tolist() == ["team", "question", "would help with"]
    assert not shown.duplicated(["team", "question"]).any()
    spend = shown[shown["question"].str.contains("`spend`")]
    assert spend[["team", "would help with"]].to_numpy().tolist() == [
        ["Marketing Ops", "cost by channel, programmes"]
    ]
    assert open_ones.headline.startswith(
        f"{len(shown)} questions to {shown['team'].nunique()} teams"
    )


@pytest.mark.parametrize("only", ["leads", "deals"])
def test_one_table_is_enough_to_learn_what_is_missing(frames, only):
    frame = frames[only].head(3).drop(columns="lead_id" if only == "deals" else [])
    answer = readiness(Tables.of(as_of=LAST, **{only: frame}))
    assert len(answer.table) == len(LISTED)
    assert (answer.table["state"] != "can be answered").all()


def test_a_single_lead_draws_and_shows_itself():
    leads = pd.DataFrame({"lead_id": ["<b>"], "created_at": ["2026-06-01T00:00:00Z"]})
    answer = readiness(Tables.of(as_of=LAST, leads=leads))
    for result in (answer, answer.coverage(), answer.record_problems()):
        ax = result.plot()
        assert ax.figure.get_label() == result.headline
        assert result.headline.replace("<", "&lt;") in result._repr_html_()
        plt.close(ax.figure)


def test_what_is_open_is_shown_with_its_reason(answer):
    shown = answer.shown()
    assert set(shown["state"]) == {"in part", "cannot tell"}
    assert shown.columns.tolist() == ["question", "state", "reason", "team to ask"]


def test_the_latest_months_of_leads_come_first_with_their_state(answer):
    latest = answer.latest_cohorts()
    shown = latest.shown()
    assert shown["created in"].tolist() == sorted(shown["created in"], reverse=True)
    assert shown["created in"].iloc[0] == "2026-06"
    assert shown["state"].iloc[0] == "too recent to compare"
    n = (shown["state"] == "comparable").sum()
    assert latest.headline.startswith(f"{n} of the latest {len(shown)} months")
    assert [int(n.replace(",", "")) for n in shown["leads"]] == latest.table["n_leads"].head(
        len(shown)
    ).tolist()


def test_each_table_is_shown_from_when_to_when(answer):
    shown = answer.coverage().shown().set_index("table")
    assert shown.loc["leads", ["rows", "empty months"]].tolist() == ["2,400", "0"]


# ---- what the chart draws


def test_each_question_has_a_mark_in_the_colour_of_its_state(answer):
    ax = answer.plot()
    names = [label.get_text().replace("\n", " ") for label in ax.get_yticklabels()]
    assert names[::-1] == answer.table["question"].tolist()
    drawn = {
        int(y): to_hex(points.get_facecolor()[0]) for points in ax.collections
        for _, y in points.get_offsets()
    }  # fmt: skip
    states = answer.table["state"].tolist()[::-1]
    assert drawn == {row: to_hex(COLORS[state]) for row, state in enumerate(states)}
    assert len({to_hex(color) for color in COLORS.values()}) == len(STATES)
    labels = [text.get_text() for text in sorted(ax.texts, key=lambda each: each.get_position()[1])]
    assert [label.split(":")[0] for label in labels] == [STATES_IN_SHORT[each] for each in states]
    plt.close(ax.figure)


# ---- what was answered in a run


def test_a_question_is_answered_only_where_a_figure_of_it_was_saved(answer):
    ready = answer.table[answer.table["state"] == "can be answered"].iloc[0]
    main = ready["figures"].split(", ")[0]
    with_it = answered(answer, {main, "something"}).set_index("question").loc[ready["question"]]
    assert (with_it["state"], with_it["figure"], with_it["page"]) == (
        "answered", main, ready["page"],
    )  # fmt: skip
    without = answered(answer, set())
    assert set(without["state"]) == {"not computed", "cannot tell"}
    assert (without["figure"] == "").all()


def test_what_the_data_cannot_answer_is_not_answered_whatever_was_saved(answer):
    everything = {name for entry in QUESTIONS for name in entry.figures}
    run = answered(answer, everything).set_index("question")["state"]
    unable = states_of(answer) == "cannot tell"
    assert set(run[unable]) == {"cannot tell"}
    assert set(run[~unable]) == {"answered", "answered in part"}


def test_a_question_that_is_added_needs_one_line(frames, monkeypatch):
    module = importlib.import_module("funnel.questions.readiness.readiness")
    line = QuestionEntry("heard", "What is heard?", "heard", ("heard",), "docs/x.md", ("heard",))
    monkeypatch.setattr(module, "QUESTIONS", (*QUESTIONS, line))
    heard = pd.DataFrame({"heard_on": ["2026-06-01"], "heard_by": ["sales"], "what": ["x"]})
    tables = {"leads": frames["leads"], "deals": frames["deals"]}
    without = readiness(Tables.of(as_of=LAST, **tables))
    assert row_of(without, "heard")[["state", "requirement"]].tolist() == [
        "cannot tell", "table: heard",
    ]  # fmt: skip
    with_it = readiness(Tables.of(as_of=LAST, **tables, heard=heard))
    assert states_of(with_it)["heard"] == "can be answered"


def test_questions_that_lack_a_table_are_one_line_where_they_are_many():
    months = pd.period_range("2025-01", "2026-06", freq="M").astype("str")
    paid = pd.DataFrame(
        [(f"A{i}", f"{month}-01", 10.0) for i in range(30) for month in months],
        columns=["account_id", "month", "mrr"],
    )
    found = readiness(Tables.of(subscriptions=paid, plan={"measure": "mrr"}))
    shown = found.shown()
    assert len(shown) <= 3
    last = shown.iloc[-1]
    assert last["question"].startswith("Others: goal, lead volume, mix, deal size,")
    assert last["reason"].startswith("They need tables that are not there: `targets`, `deals`, ")
    assert "need tables that are not there" in found.headline
    # nothing is asked about the rows of a table that is not there
    asked = found.open_questions().shown()["question"].str.cat(sep=" ")
    assert "win" not in asked and "lost deals" not in asked
    assert found.reconciliation().headline.startswith("No deal is recorded")
