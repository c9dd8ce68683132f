"""The public clicks of a shop: its known figures, and the traps that the page tells by itself.

The figures are `facts.json` of the public data, computed there with plain pandas. A session is a
lead here, and a purchase a won deal.
"""

import pandas as pd
import pytest

import funnel
from funnel.checks import record_problems
from funnel.dataset.stages import reached
from funnel.questions.conversion.cohorts import cohorts

PUBLIC_SET = "ecom_clickstream"
pytestmark = pytest.mark.public_data


@pytest.fixture(scope="module")
def found(data):
    problems = record_problems(data)
    return problems.table.assign(text=problems.shown()["what was found"]).set_index("problem")


def test_every_session_user_and_click_is_there(data, facts):
    assert len(data.touches) == facts["rows"]
    assert len(data.leads) == facts["sessions"]
    assert data.leads["account_id"].nunique() == facts["users"]
    assert data.touches["kind"].value_counts().to_dict() == facts["event_counts"]
    span = data.touches["occurred_at"].agg(["min", "max"]).dt.strftime("%Y-%m-%d %H:%M:%S")
    assert span.tolist() == facts["span"]
    assert data.rejects.empty


def test_a_lead_is_created_with_the_first_click_of_its_session(data):
    first = data.touches.groupby("lead_id")["occurred_at"].min()
    created = data.leads.set_index("lead_id")["created_at"]
    pd.testing.assert_series_equal(created.sort_index(), first, check_names=False)


def test_stages_by_their_own_entries(data, facts):
    entered = data.stage_changes.drop_duplicates(["lead_id", "stage"])
    users = entered["lead_id"].map(data.leads.set_index("lead_id")["account_id"])
    for stage, known in facts["reached_by_stage"].items():
        is_here = entered["stage"] == stage
        assert is_here.sum() == known["sessions"]
        assert users[is_here].nunique() == known["users"]


def test_reach_counts_a_skipped_stage_with_the_next_one(data, facts):
    frame = reached(data)
    own = {stage: known["sessions"] for stage, known in facts["reached_by_stage"].items()}
    n = {stage: frame[f"{stage}_at"].notna().sum() for stage in own}
    skipped = int((frame["n_skipped"] > 0).sum())
    # only the product's page is skipped, by those who fill a basket without it
    assert n == own | {"product_view": own["product_view"] + skipped}


def test_conversion_by_channel_platform_and_month(public_set, data, facts):
    assert len(data.deals) == facts["event_counts"]["purchase"]
    rate = len(data.deals) / len(data.leads)
    assert round(rate, 4) == facts["session_conversion_rate"]
    names = {"k": "purchases"}
    months = data.leads["created_at"].dt.strftime("%Y-%m")
    assert public_set.rates_by(data.leads["channel"], **names) == facts["by_channel"]
    assert public_set.rates_by(data.leads["platform"], **names) == facts["by_platform"]
    assert public_set.rates_by(months, **names) == facts["by_month"]


def test_the_conversion_page_shows_the_same_rates(data, facts):
    seen = cohorts(data).table
    seen = seen[seen["stage"] == "purchase"].drop_duplicates("cohort_month", keep="last")
    rates = seen.set_index("cohort_month")["reached"].round(4).to_dict()
    assert rates == {month: known["rate"] for month, known in facts["by_month"].items()}


def test_one_channel_a_user_is_told(data, found, facts):
    assert (
        data.touches.groupby("account_id")["channel"].nunique().max()
        == (facts["channels_per_user_max"])
    )
    assert found.loc["one channel", "n"] == facts["users"]
    assert "None of 600 accounts has touches of more than one" in found.loc["one channel", "text"]
    credit = funnel.attribute(funnel.journeys(data), model="linear")
    assert any("No journey has touches of two channels" in each for each in credit.caveats)
    assert credit.table.set_index("channel")["conversions"].to_dict() == pytest.approx(
        {channel: known["purchases"] for channel, known in facts["by_channel"].items()}
    )


def test_models_that_cannot_differ_are_not_said_to(data):
    compared = funnel.attribution(data).models()
    assert "depends on the model" not in compared.headline
    assert "is first under each of" in compared.headline


def test_stages_in_no_fixed_order_are_told(data, found):
    told = found.loc["no fixed order"]
    assert told["text"] in funnel.conversion(data).caveats
    assert "enter a stage again" in told["text"]
    assert "another order" in told["text"]
    assert told["low"] < told["value"] < told["high"]


def test_sessions_that_grow_with_the_users_are_told(found, facts):
    told = found.loc["repeat leads"]
    assert told["n"] == facts["sessions"] - facts["users"]
    first, last = facts["by_month"]["2024-01"], facts["by_month"]["2024-06"]
    assert f"In 2024-01 there were {first['sessions']} leads" in told["text"]
    assert f"in 2024-06 {last['sessions']}" in told["text"]


def test_clicks_recorded_twice_are_told(data, facts):
    says = data.findings["says"].tolist()
    assert any(f"{facts['exact_duplicates']} rows of touches repeat another" in s for s in says)


def test_what_is_not_in_the_clicks_is_not_told(found):
    assert {"no lost deals", "no opening time"} <= set(found.index)
