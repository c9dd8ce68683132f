"""The public marketing funnel: its known figures, and the traps that a careful analyst would tell.

The figures are `facts.json` of the public data, computed there with plain pandas. They are read
here through the package: the mapping, load, coverage, conversion and attribution.
"""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

import funnel
from funnel.checks import coverage_grid, is_unknown, maturity, record_problems, times_to
from funnel.questions.conversion.cohorts import cohorts
from funnel.stats import wilson

PUBLIC_SET = "olist"
pytestmark = pytest.mark.public_data


@pytest.fixture(scope="module")
def followed(data):
    return times_to(data, "won")


@pytest.fixture(scope="module")
def found(data):
    problems = record_problems(data)
    return problems.table.assign(text=problems.shown()["what was found"]).set_index(
        ["problem", "table"]
    )


# ---- figures


def test_every_row_is_there_and_used(data, facts):
    assert len(data.leads) == facts["rows"]["mqls"]
    assert len(data.deals) == facts["rows"]["closed_deals"]
    assert data.rejects.empty
    assert data.deals["lead_id"].isin(data.leads["lead_id"]).all()
    assert data.leads["landing_page_id"].nunique() == facts["unique"]["landing_pages"]
    assert data.deals["owner"].nunique() == facts["unique"]["sr"]


def test_the_data_speaks_until_the_last_win(data, facts):
    assert data.as_of == dt.date.fromisoformat(facts["won_range"][1][:10])
    first, last = data.leads["created_at"].agg(["min", "max"])
    assert [str(first.date()), str(last.date())] == facts["first_contact_range"]
    assert [str(at)[:19] for at in data.deals["closed_at"].agg(["min", "max"])] == (
        facts["won_range"]
    )


def test_conversion_and_days_to_close(followed, facts):
    assert followed["happened"].mean() == pytest.approx(facts["conversion_rate"], abs=5e-5)
    # the lead has a day and the win a time of day: calendar days are whole days of age
    won = followed[followed["happened"]]
    days = np.floor((won["happened_at"] - won["created_at"]) / pd.Timedelta(days=1))
    known = facts["days_to_close"]
    assert days.quantile([0.25, 0.5, 0.75]).tolist() == [
        known["p25"],
        known["median"],
        known["p75"],
    ]
    assert days.mean() == pytest.approx(known["mean"], abs=1e-4)
    assert [days.min(), days.max(), (days < 0).sum()] == [
        known["min"],
        known["max"],
        known["negative"],
    ]


def test_wins_by_origin_with_their_intervals(data, followed, facts):
    known = pd.DataFrame(facts["by_origin"]).T
    origin = data.leads.set_index("lead_id")["channel"].reindex(followed["id"]).fillna("(blank)")
    counts = followed.groupby(origin.to_numpy())["happened"].agg(["size", "sum"]).loc[known.index]
    assert counts["size"].tolist() == known["mqls"].tolist()
    assert counts["sum"].tolist() == known["won"].tolist()
    low, high = wilson(counts["sum"].to_numpy(), counts["size"].to_numpy(), level=0.95)
    assert low == pytest.approx(known["wilson_low"].to_numpy(), abs=6e-5)
    assert high == pytest.approx(known["wilson_high"].to_numpy(), abs=6e-5)


def test_cohorts_by_month(data, facts):
    known = pd.DataFrame(facts["by_first_contact_month"]).T
    seen = maturity(data).cohorts.set_index("cohort_month")
    assert seen.index.tolist() == known.index.tolist()
    assert seen["n_leads"].tolist() == known["mqls"].tolist()
    assert seen["n_won"].tolist() == known["won"].tolist()


def test_rates_at_ninety_days_where_wins_are_recorded(data, facts):
    known = pd.DataFrame(facts["by_first_contact_month"]).T
    seen = cohorts(data, ages=[90]).table
    seen = seen[seen["stage"] == "won"].set_index("cohort_month")
    covered = seen.index[seen["state"] == "comparable"]
    assert covered.tolist() == ["2018-01", "2018-02", "2018-03", "2018-04", "2018-05"]
    assert seen.loc[covered, "reached"].to_numpy() == pytest.approx(
        known.loc[covered, "rate_90_days"].to_numpy(dtype=float), abs=6e-5
    )
    assert (seen.loc[covered, "reached_low"] < seen.loc[covered, "reached"]).all()
    assert seen.drop(covered)["reached"].isna().all()


def test_wins_by_month(data, facts):
    grid = coverage_grid(data).table
    won = grid[(grid["table"] == "deals") & (grid["n_rows"] > 0)]
    assert dict(zip(won["month"], won["n_rows"], strict=True)) == facts["won_by_month"]


def test_the_largest_seller_keeps_a_label_only(data, facts):
    by_owner = data.deals["owner"].value_counts()
    assert by_owner.head(6).tolist() == list(facts["deals_by_top_sr"].values())
    assert by_owner.iloc[0] / len(data.deals) == pytest.approx(facts["top_sr_share"], abs=5e-4)
    assert not set(by_owner.index.str[:8]) & set(facts["deals_by_top_sr"])


def test_credit_adds_up_to_every_win_and_follows_the_origin(data, facts):
    credit = funnel.attribute(funnel.journeys(data), model="first_touch").table
    won = credit.set_index("channel")["conversions"]
    assert won.sum() == pytest.approx(facts["rows"]["closed_deals"])
    # one deal was won before its lead's first contact, so no touch stands before it
    assert won["(not traced)"] == facts["days_to_close"]["negative"]
    known = pd.Series({name: row["won"] for name, row in facts["by_origin"].items()})
    off = known - won.reindex(known.index)
    assert off.sum() == facts["days_to_close"]["negative"]
    assert off.between(0, 1).all()


# ---- what a careful analyst would tell


def test_wins_are_not_recorded_before_december(data, found):
    late = found.loc[("recorded late", "deals")]
    assert late["column"] == "won"
    assert late["text"].startswith("Wins are not recorded before Dec 5, 2017")
    assert "say nothing about success" in late["text"]
    assert late["p_value"] < 1e-20
    seen = maturity(data).cohorts.set_index("cohort_month")["state"]
    assert (seen[:"2017-12"] == "not covered").all()


def test_blank_and_unknown_origins_are_not_ranked(data, found, facts):
    told = found.loc[("filled by outcome", "leads")]
    assert told["column"] == "channel"
    assert 0 < told["low"] < told["value"] < told["high"]
    n_unknown = facts["by_origin"]["unknown"]["mqls"] + facts["blank_counts"]["origin"]
    assert is_unknown(data.leads["channel"]).sum() == n_unknown
    credit = funnel.attribute(funnel.journeys(data), model="first_touch").table
    ranked = credit.set_index("channel")["is_ranked"]
    assert not ranked[["unknown", "(blank)", "(not traced)"]].any()
    assert ranked[["organic_search", "other"]].all()


def test_late_cohorts_are_young_and_leads_have_ended(data, found):
    assert "2018-05" in found.loc[("immature cohorts", "leads"), "text"]
    assert maturity(data).immature_from == "2018-05"
    assert "May 31, 2018" in found.loc[("source stopped", "leads"), "text"]


def test_what_is_not_in_the_data_is_not_told(data, found):
    assert ("no lost deals", "deals") in found.index
    assert ("no opening time", "deals") in found.index
    answer = funnel.readiness(data)
    state = answer.table.set_index("question")["state"]
    unanswerable = ["win rate", "deal size", "lead volume"]
    assert (state[unanswerable] == "cannot tell").all()
    assert (state[["conversion by stage", "first click", "credit by channel"]] == "in part").all()
    assert "cannot tell" in answer.headline
