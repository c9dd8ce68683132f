"""Record problems are found where they are planted, and nowhere else."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import pyplot as plt

from funnel.checks import (
    PROBLEMS,
    collapses,
    coverage_grid,
    fill_changes,
    filled,
    filled_by_outcome,
    is_unknown,
    maturity,
    outcomes_recorded_since,
    record_problems,
    stopped_sources,
    times_to,
)
from funnel.checks.text import QUESTIONS, sentence
from funnel.contract.errors import ParameterError
from funnel.contract.plan import Plan
from funnel.dataset import Tables
from funnel.results import Say

START = pd.Timestamp("2025-01-01", tz="UTC")
DAYS = 500
LAST = dt.date(2026, 5, 15)


def company(seed=1, n=1500, win_rate=0.12, growth=0.0):
    """Leads and closed deals of a company in which nothing is filled wrongly.

    `growth` lets the win rate grow along the way (1 doubles it, roughly) and the share of unknown
    channels fall with it, within months still independently of each other.
    """
    rng = np.random.default_rng(seed)
    at = np.sort(rng.random(n))
    created = START + pd.to_timedelta((at * DAYS * 86_400).round(), unit="s")
    won = rng.random(n) < win_rate * (1 + growth * (at - 0.5))
    closed = created + pd.to_timedelta((rng.lognormal(3, 1, n) * 86_400).round(), unit="s")
    unknown = rng.random(n) < 0.2 * (1 + growth * (0.5 - at))
    ids = [f"L{i}" for i in range(n)]
    leads = pd.DataFrame(
        {
            "lead_id": ids,
            "created_at": created,
            "channel": np.where(unknown, "unknown", rng.choice(["email", "event"], n)),
        }
    )
    deals = pd.DataFrame(
        {
            "deal_id": [f"D{i}" for i in range(n)],
            "lead_id": ids,
            "created_at": created,
            "closed_at": closed,
            "outcome": np.where(won, "won", "lost"),
            "amount": 100.0,
        }
    )
    closed_by_end = closed < START + pd.Timedelta(days=DAYS)
    return leads, deals[(won | (rng.random(n) < 0.4)) & closed_by_end]


def tables(leads=None, deals=None, **more):
    frames = {"leads": leads, "deals": deals} | more
    plan = frames.pop("plan", None)
    as_of = frames.pop("as_of", LAST)
    return Tables.of(plan=plan, as_of=as_of, **{k: v for k, v in frames.items() if v is not None})


# ---- unknown words


@pytest.mark.parametrize(
    "word", ["", " ", "unknown", "(Unknown)", "N/A", "na", "None", "NULL", "(not set)", "-", "?",
             "unspecified", "Undefined", "(blank)", "Not recorded", None]
)  # fmt: skip
def test_words_that_stand_for_not_known(word):
    assert is_unknown(pd.Series(["email", word], dtype="str")).tolist() == [False, True]


@pytest.mark.parametrize("word", ["other", "direct", "(direct)", "Nassau", "unknown caller", "0"])
def test_words_that_are_answers(word):
    assert not is_unknown(pd.Series([word], dtype="str")).any()


def test_numbers_are_unknown_only_where_missing():
    assert is_unknown(pd.Series([0.0, np.nan])).tolist() == [False, True]


# ---- since when outcomes are recorded


def test_times_to_by_hand():
    leads = pd.DataFrame(
        {"lead_id": ["A", "B", "C"], "created_at": ["2026-01-01T00:00:00Z"] * 3},
    )
    deals = pd.DataFrame(
        {
            "deal_id": ["1", "2", "3"],
            "lead_id": ["A", "A", "B"],
            "created_at": "2026-01-01T00:00:00Z",
            "closed_at": ["2026-01-09T00:00:00Z", "2026-01-05T12:00:00Z", "2026-01-04T00:00:00Z"],
            "outcome": ["won", "won", "lost"],
        }
    )
    followed = times_to(tables(leads, deals, as_of=dt.date(2026, 1, 10)))
    assert followed["age_days"].tolist() == [4.5, 10.0, 10.0]
    assert followed["happened"].tolist() == [True, False, False]
    assert times_to(tables(leads, deals, as_of=dt.date(2026, 1, 10)), "lost")["age_days"][1] == 3


def test_an_outcome_that_is_none_is_refused():
    with pytest.raises(ParameterError, match="no outcome"):
        times_to(tables(*company(n=20)), "wno")


@pytest.mark.parametrize("seed", range(4))
def test_wins_that_are_only_kept_from_some_day_on_are_found(seed):
    leads, deals = company(seed)
    kept_from = pd.Timestamp("2025-07-10", tz="UTC")
    since = outcomes_recorded_since(tables(leads, deals[deals["closed_at"] >= kept_from]))
    assert dt.date(2025, 7, 10) <= since.covered_from <= dt.date(2025, 8, 1)
    assert since.p_value < 0.001
    assert since.expected > 30 > since.recorded
    assert sentence(since, Say()).startswith("Wins are not recorded before Jul ")
    assert since.n_leads == (leads["created_at"].dt.date < since.covered_from).sum()


def test_a_stray_early_win_does_not_hide_the_gap():
    leads, deals = company(2)
    kept_from = pd.Timestamp("2025-07-10", tz="UTC")
    won = deals[deals["outcome"] == "won"].sort_values("closed_at")
    late = pd.concat([won.head(1), won[won["closed_at"] >= kept_from]])
    since = outcomes_recorded_since(tables(leads, late))
    assert since.first < dt.date(2025, 3, 1)
    assert dt.date(2025, 6, 1) < since.covered_from <= dt.date(2025, 8, 1)
    assert "only in part before" in sentence(since, Say())


@pytest.mark.parametrize("growth", [0.0, 1.0, -1.0])
@pytest.mark.parametrize(("seed", "n"), [(1, 150), (2, 600), (3, 1500)])
def test_no_gap_is_claimed_where_wins_are_kept_throughout(seed, n, growth):
    data = tables(*company(seed, n, growth=growth))
    assert not outcomes_recorded_since(data).is_late
    assert not outcomes_recorded_since(data, "lost").is_late


def test_too_few_wins_tell_nothing_about_when_they_began():
    leads, deals = company(1, 60)
    since = outcomes_recorded_since(tables(leads, deals.tail(3)))
    assert not since.is_late
    assert since.covered_from is None


# ---- maturity


def test_cohorts_are_immature_uncovered_or_comparable():
    leads, deals = company(3)
    deals = deals[deals["closed_at"] >= pd.Timestamp("2025-06-01", tz="UTC")]
    found = maturity(tables(leads, deals))
    state = found.cohorts.set_index("cohort_month")["state"]
    assert state["2025-02"] == "not covered"
    assert state["2025-08"] == "comparable"
    assert state["2026-05"] == "immature"
    assert found.immature_from == state[state == "immature"].index.min()
    assert found.cohorts["n_leads"].sum() == len(leads)
    # lognormal(3, 1): the median is 20 days, and 95 % take at most 104
    assert found.days_to(0.5) == pytest.approx(20, rel=0.35)
    assert found.mature_days == pytest.approx(104, rel=0.4)


def test_maturity_of_a_handful_of_leads_cannot_tell():
    leads, deals = company(1, 30)
    found = maturity(tables(leads, deals))
    assert np.isnan(found.mature_days)
    assert set(found.cohorts["state"]) == {"cannot tell"}
    assert found.immature_from == ""
    assert found.n_immature == 0


# ---- fields filled by outcome


def fill_by_outcome(leads, deals, share, seed=9):
    """Make `channel` unknown for a share of the won leads, on top of what it is."""
    won = leads["lead_id"].isin(deals.loc[deals["outcome"] == "won", "lead_id"])
    lost_field = won & (np.random.default_rng(seed).random(len(leads)) < share)
    return leads.assign(channel=leads["channel"].where(~lost_field, None))


def test_a_field_filled_by_outcome_is_found():
    leads, deals = company(5, 3000)
    (found,) = filled_by_outcome(tables(fill_by_outcome(leads, deals, 0.3), deals))
    assert found.column == "channel"
    assert found.differs
    assert found.low > 0
    assert found.share_won > found.share_other
    assert "not ranked" in sentence(found, Say())


def test_fields_filled_alike_raise_no_alarm_even_where_both_change_with_time():
    alarms = [
        any(field.differs for field in filled_by_outcome(tables(*company(seed, growth=growth))))
        for seed, growth in [(s, (0.0, 1.0, -1.0)[s % 3]) for s in range(8)]
    ]
    assert sum(alarms) <= 1


def test_a_field_without_a_blank_is_not_looked_at():
    leads, deals = company(5)
    assert filled_by_outcome(tables(leads.assign(channel="email"), deals)) == ()


# ---- coverage by month, sources that stopped


def test_months_are_the_company_s_own():
    leads = pd.DataFrame(
        {"lead_id": ["A", "B"], "created_at": ["2026-01-31T23:30:00Z", "2026-03-05T12:00:00Z"]}
    )
    plan = Plan.of({"company": {"timezone": "Europe/Berlin"}})
    grid = coverage_grid(tables(leads, plan=plan, as_of=dt.date(2026, 4, 2)))
    assert grid.table["month"].tolist() == ["2026-02", "2026-03", "2026-04"]
    assert grid.table["n_rows"].tolist() == [1, 1, 0]
    assert grid.spans()[["n_rows", "last_month", "months_without"]].to_numpy().tolist() == [
        [2, "2026-03", 0]
    ]
    assert "empty months are found in leads" in grid.headline


def test_rows_are_counted_once():
    leads, deals = company(4, 400)
    grid = coverage_grid(tables(leads, deals))
    assert grid.table.groupby("table")["n_rows"].sum().to_dict() == {
        "leads": len(leads),
        "deals": len(deals),
    }


def test_a_channel_that_stopped_is_found_and_others_are_not():
    leads, deals = company(6)
    ended = (leads["channel"] == "event") & (leads["created_at"] >= "2026-02-01")
    (found,) = stopped_sources(
        tables(leads[~ended], deals[~deals["lead_id"].isin(leads["lead_id"][ended])])
    )
    assert (found.table, found.channel) == ("leads", "event")
    assert found.last_on < dt.date(2026, 2, 1)
    assert found.expected > 50
    assert found.p_value < 0.001


def test_a_table_that_stopped_is_found_once_and_not_by_channel():
    leads, deals = company(6)
    found = stopped_sources(
        tables(leads[leads["created_at"] < "2026-02-01"], deals.assign(lead_id=None))
    )
    assert [(each.table, each.channel) for each in found] == [("leads", "")]


@pytest.mark.parametrize("seed", range(3))
def test_nothing_stopped_where_rows_go_on(seed):
    assert stopped_sources(tables(*company(seed, 300))) == ()


STOPPED_ON = "2026-03-01"


def ended(*, leads=True, spend=True, touches=True, renamed="", more_web=False):
    """Leads, touches and spend by channel, of which "event" ends on a day as far as asked for."""
    n = 10 * DAYS
    created = START + pd.to_timedelta(np.arange(n) // 10, unit="D") + pd.Timedelta(hours=9)
    channel = np.where(np.arange(n) % 5 == 0, "event", np.where(np.arange(n) % 2, "web", "email"))
    is_event = (channel == "event") & (created >= STOPPED_ON)
    frame = pd.DataFrame({"lead_id": [f"L{i}" for i in range(n)], "created_at": created})
    frame["channel"] = channel
    if renamed or leads:
        frame.loc[is_event, "channel"] = renamed or ("web" if more_web else "event")
    touched = frame.rename(columns={"created_at": "occurred_at"})
    touched["channel"] = channel
    days = pd.date_range(START, periods=DAYS).tz_localize(None)
    paid = pd.DataFrame({"spent_on": days, "channel": "event", "amount": 50.0})
    paid = paid[(paid["spent_on"] < STOPPED_ON) | ~np.full(DAYS, spend)]
    others = pd.DataFrame({"spent_on": days, "channel": "web", "amount": 50.0})
    if leads and not renamed and not more_web:
        frame = frame[~is_event]
    touched = touched[touched["lead_id"].isin(frame["lead_id"])]
    if touches:
        touched = touched[(touched["channel"] != "event") | (touched["occurred_at"] < STOPPED_ON)]
    return tables(frame, touches=touched, spend=pd.concat([paid, others]))


@pytest.mark.parametrize(
    ("data", "nature", "successor"),
    [
        (ended, "business", ""),
        (lambda: ended(spend=False), "ask", ""),
        (lambda: ended(renamed="Events"), "records", "Events"),
        (lambda: ended(more_web=True), "records", "web"),
        (lambda: ended(more_web=True, touches=False), "records", ""),
    ],
)
def test_a_channel_that_stopped_is_business_only_with_evidence(data, nature, successor):
    found = {each.table: each for each in stopped_sources(data()) if each.channel == "event"}
    assert (found["leads"].nature, found["leads"].successor) == (nature, successor)
    assert found["leads"].last_on == dt.date(2026, 2, 28)


def test_touches_of_a_channel_that_end_while_its_leads_go_on_are_lost():
    (found,) = stopped_sources(ended(leads=False, spend=False))
    assert (found.table, found.nature) == ("touches", "records")
    assert "no evidence of a fall" in sentence(found, Say())


def test_a_channel_that_stopped_is_no_problem_of_the_records():
    listed = record_problems(ended()).table
    assert listed[listed["problem"] == "source stopped"].empty


@pytest.mark.parametrize("left", [0.05, 0.15])
def test_a_collapse_is_dated_and_asked_about(left):
    leads, deals = company(2, 6000, win_rate=0.5)
    rng = np.random.default_rng(1)
    is_late = (deals["closed_at"] >= STOPPED_ON) & (rng.random(len(deals)) > left)
    data = tables(leads, deals[~is_late])
    (found,) = collapses(data)
    assert (found.table, found.column, found.nature) == ("deals", "closed_at", "ask")
    assert abs((found.since - dt.date(2026, 3, 1)).days) <= 7
    assert 5 * found.n < found.expected
    assert "Closings of deals fell to" in sentence(found, Say())
    assert "collapse" in record_problems(data).table["problem"].tolist()


def test_what_is_few_every_summer_has_not_collapsed():
    days = pd.date_range("2024-01-01", "2026-08-14", tz="UTC")
    summer = (days.month * 100 + days.day >= 710) & (days.month * 100 + days.day <= 820)
    created = np.repeat(days, np.where(summer, 1, 20))
    leads = pd.DataFrame({"lead_id": [f"L{i}" for i in range(len(created))]})
    leads = leads.assign(created_at=created)
    assert collapses(tables(leads, as_of="2026-08-14")) == ()
    first = tables(leads[leads["created_at"] >= "2025-09-01"], as_of="2026-08-14")
    assert [each.table for each in collapses(first)] == ["leads"]


@pytest.mark.parametrize("seed", range(3))
def test_nothing_collapsed_where_rows_go_on(seed):
    assert collapses(tables(*company(seed, 600, growth=1.0))) == ()


# ---- fields filled, and changes of it


def test_filled_counts_leads_and_deals_by_hand():
    leads = pd.DataFrame(
        {
            "lead_id": ["A", "B"],
            "created_at": "2026-01-01T00:00:00Z",
            "channel": ["email", "unknown"],
        }
    )
    deals = pd.DataFrame(
        {
            "deal_id": ["1", "2", "3"],
            "lead_id": ["A", "B", None],
            "created_at": "2026-01-01T00:00:00Z",
            "closed_at": "2026-01-02T00:00:00Z",
            "outcome": ["won", "won", "won"],
            "kind": ["new", "new", "expansion"],
            "amount": [5.0, np.nan, 7.0],
        }
    )
    table = filled(tables(leads, deals, as_of=dt.date(2026, 1, 9)))
    share = table.set_index(["rows_of", "column"])["share"]
    assert share["leads", "channel"] == 0.5
    assert share["won deals", "amount"] == pytest.approx(2 / 3)
    assert share["won new deals", "lead_id"] == 1
    assert share["won new deals", "channel"] == 0.5


def test_tracking_that_breaks_between_the_periods_is_found():
    leads, deals = company(7, 3000)
    lost = (leads["created_at"] >= "2026-04-01") & (np.arange(len(leads)) % 3 > 0)
    broken = leads.assign(channel=leads["channel"].where(~lost, None))
    found = fill_changes(tables(broken, deals))
    assert [(each.rows_of, each.column) for each in found] == [("leads", "channel")]
    assert found[0].share < 0.4 < found[0].share_before
    assert fill_changes(tables(leads, deals)) == ()


# ---- all of it


def test_each_problem_has_a_sentence_a_count_and_a_test():
    leads, deals = company(8, 2500)
    deals = deals[(deals["closed_at"] >= "2025-07-01") & (deals["outcome"] == "won")]
    deals = deals.assign(created_at=deals["closed_at"], amount=np.nan)
    result = record_problems(tables(fill_by_outcome(leads, deals, 0.4), deals))
    kinds = result.table["problem"].tolist()
    assert kinds == [
        "recorded late", "filled by outcome", "immature cohorts", "no lost deals",
        "no opening time", "no amount",
    ]  # fmt: skip
    assert (result.table["n"] > 0).all()
    assert result.shown()["what was found"].str.endswith(".").all()
    assert result.shown()["question"].str.endswith("?").all()
    assert (result.table["team"] != "").all()
    tested = result.table[["low", "p_value"]].notna().any(axis=1)
    assert tested[result.table["problem"] != "immature cohorts"].all()
    behind = result.rows.groupby("figure").size()
    assert behind["no opening time: deals.created_at"] == len(deals)
    assert "6 problems" in result.headline


def test_deals_without_a_lead_are_a_problem_but_expansions_need_none():
    leads, deals = company(8)
    half = deals["lead_id"].where(np.arange(len(deals)) % 2 == 0, None)
    unlinked = deals.assign(lead_id=half)
    assert "not linked" in set(record_problems(tables(leads, unlinked)).table["problem"])
    unlinked["kind"] = np.where(unlinked["lead_id"].isna(), "expansion", "new")
    assert "not linked" not in set(record_problems(tables(leads, unlinked)).table["problem"])


def test_a_sound_company_has_only_immature_cohorts():
    assert record_problems(tables(*company(2))).table["problem"].tolist() == ["immature cohorts"]


@pytest.mark.parametrize("only", ["leads", "deals"])
def test_one_table_is_enough(only):
    leads, deals = company(1, 200)
    data = tables(leads) if only == "leads" else tables(deals=deals.assign(lead_id=None))
    result = record_problems(data)
    assert set(result.table["table"]) <= {only}
    assert coverage_grid(data).table["table"].unique().tolist() == [only]


@settings(max_examples=8, deadline=None)
@given(
    n=st.integers(1, 6),
    outcomes=st.lists(st.sampled_from(["won", "lost", "open"]), max_size=6),
)
def test_tiny_data_claims_nothing(n, outcomes):
    leads = pd.DataFrame(
        {
            "lead_id": [f"L{i}" for i in range(n)],
            "created_at": START + pd.to_timedelta(range(n), unit="D"),
        }
    )
    deals = pd.DataFrame(
        {
            "deal_id": [f"D{i}" for i in range(len(outcomes))],
            "lead_id": [f"L{i % n}" for i in range(len(outcomes))],
            "created_at": START + pd.to_timedelta([10] * len(outcomes), unit="D"),
            "closed_at": START + pd.to_timedelta([20] * len(outcomes), unit="D"),
            "outcome": outcomes,
        }
    )
    deals["closed_at"] = deals["closed_at"].where(deals["outcome"] != "open")
    data = tables(leads, deals if outcomes else None, as_of=dt.date(2025, 2, 1))
    assert record_problems(data).table.empty
    assert record_problems(data).headline == ("No problem was found in how the records are filled.")


def test_an_answer_is_worked_out_once_for_each_company():
    data, other = tables(*company(1, 200)), tables(*company(2, 200))
    assert maturity(data) is maturity(data)
    assert maturity(data) is not maturity(data, "lost")
    assert maturity(data) is not maturity(other)


# ---- what a page shows


@pytest.fixture(scope="module")
def several():
    """Problems of six kinds in one company."""
    leads, deals = company(8, 2500)
    deals = deals[(deals["closed_at"] >= "2025-07-01") & (deals["outcome"] == "won")]
    deals = deals.assign(created_at=deals["closed_at"], amount=np.nan)
    return record_problems(tables(fill_by_outcome(leads, deals, 0.4), deals))


def test_every_kind_of_problem_has_a_question():
    assert list(QUESTIONS) == list(PROBLEMS)


def test_sentences_hold_the_numbers_of_the_table(several):
    shown = dict(zip(several.table["problem"], several.shown()["what was found"], strict=True))
    rows = several.table.set_index("problem")
    late, field = rows.loc["recorded late"], rows.loc["filled by outcome"]
    assert f"{late['n']:,} leads created before" in shown["recorded late"]
    assert f"{field['value']:+.1f} points apart" in shown["filled by outcome"]
    assert f"[{field['low']:+.1f} to {field['high']:+.1f}]" in shown["filled by outcome"]
    assert f"The {rows.loc['immature cohorts', 'n']:,} leads created" in shown["immature cohorts"]
    assert f"by {rows.loc['immature cohorts', 'value']:.0f} days" in shown["immature cohorts"]
    amount = rows.loc["no amount"]
    share = f"({amount['value']:.0f}% [{amount['low']:.0f}% to {amount['high']:.0f}%])"
    assert f"{amount['n']:,} of" in shown["no amount"] and share in shown["no amount"]
    assert f"the {rows.loc['no lost deals', 'n']:,} closed deals" in shown["no lost deals"]


def test_bars_are_as_long_as_the_rows_they_stand_for(several):
    ax = several.plot()
    assert [bar.get_width() for bar in ax.patches][::-1] == several.table["n"].tolist()
    assert [text.get_text() for text in ax.texts][::-1] == [f"{n:,}" for n in several.table["n"]]
    top = ax.get_yticklabels()[-1].get_text().replace("\n", " ")
    assert top.startswith(several.table["problem"].iloc[0])
    plt.close(ax.figure)


def test_cells_of_the_grid_are_the_counts_of_the_table():
    leads, deals = company(4, 400)
    grid = coverage_grid(tables(leads, deals))
    ax = grid.plot()
    cells = ax.collections[0].get_array().filled(0)
    wide = grid.table.pivot_table("n_rows", "table", "month")
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["leads", "deals"]
    assert (cells == wide.loc[names].to_numpy()).all()
    assert ax.yaxis_inverted()  # the first table on top
    plt.close(ax.figure)


def test_the_grid_says_from_when_to_when():
    leads, deals = company(4, 400)
    grid = coverage_grid(tables(leads, deals))
    assert "2 tables hold rows from 2025-01 to 2026-05" in grid.headline
    shown = grid.shown().set_index("table")
    assert shown.loc["leads"].tolist() == ["400", "2025-01", "2026-05", "0"]
