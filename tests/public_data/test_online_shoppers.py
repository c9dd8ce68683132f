"""The public online shop: its known figures, and the trap that the page tells by itself.

The figures are `facts.json` of the public data, computed there with plain pandas.
"""

import pandas as pd
import pytest

import funnel
from funnel.questions.definition.leakage import leakage

PUBLIC_SET = "online_shoppers"
pytestmark = pytest.mark.public_data


def test_every_session_and_every_purchase_is_there(data, facts):
    assert (len(data.leads), len(data.deals)) == (facts["rows"], facts["converted"])
    assert data.rejects.empty
    assert round(len(data.deals) / len(data.leads), 4) == facts["rate"]


def test_rates_by_month_visitor_and_traffic(public_set, data, facts):
    months = data.leads["created_at"].dt.strftime("%b").replace("Jun", "June")
    assert public_set.rates_by(months) == facts["by_month"]
    assert public_set.rates_by(data.leads["visitortype"]) == facts["by_visitor"]
    assert public_set.rates_by(data.leads["channel"]) == facts["by_traffic_type"]
    assert public_set.rates_by(data.leads["specialday"]) == facts["by_special_day"]


def test_page_values_are_excluded_and_the_page_says_so(data, facts):
    won = data.leads["lead_id"].isin(data.deals["lead_id"])
    value = pd.to_numeric(data.leads["pagevalues"])
    assert round(won[value == 0].mean(), 4) == facts["page_value_zero_rate"]
    assert round(won[value > 0].mean(), 4) == facts["page_value_positive_rate"]
    assert [(each.column, each.test) for each in leakage(data)] == [("pagevalues", "sharpness")]
    worth = funnel.definition(data).criteria()
    assert any("`pagevalues`" in caveat and "is excluded" in caveat for caveat in worth.caveats)


def test_blank_sessions_stay_open(data):
    between = funnel.definition(data).overlap()
    assert any("For 14 leads a blank field" in caveat for caveat in between.caveats)
    assert "Of mature leads, won by day 1" in between.headline
    assert "handed over" not in between.headline
