"""The later file of the telephone campaign: its known figures, and the trap told by the page.

The figures are `facts.json` of the public data, computed there with plain pandas.
"""

import pytest

import funnel
from funnel.questions.definition.leakage import leakage

PUBLIC_SET, MAPPING = "bank_marketing", "additional.toml"
pytestmark = pytest.mark.public_data


@pytest.fixture(scope="module")
def facts(public_set):
    return public_set.facts["bank-additional-full"]


def test_every_call_and_every_deposit_is_there(data, facts):
    assert len(data.leads) == facts["rows"]
    assert len(data.deals) == facts["yes"]
    assert data.rejects.empty
    assert round(len(data.deals) / len(data.leads), 4) == facts["rate"]
    assert (data.leads["pdays"] == 999).sum() == facts["pdays_999"]


@pytest.mark.parametrize(
    ("column", "fact"),
    [
        ("created_at", "by_month"),
        ("channel", "by_contact"),
        ("job_function", "by_job"),
        ("poutcome", "by_poutcome"),
        ("day_of_week", "by_day_of_week"),
    ],
)
def test_rates_by_each_column_of_the_facts(public_set, data, facts, column, fact):
    values = data.leads[column]
    if column == "created_at":
        values = values.dt.strftime("%b").str.lower()
    assert public_set.rates_by(values, n="contacts", k="yes") == facts[fact]


def test_the_length_of_the_call_is_excluded_and_the_page_says_so(data):
    found = {each.column: each.test for each in leakage(data)}
    # whether a credit is in default is known more often of those who bought: the bank is asked
    assert found == {"duration": "sharpness", "default": "fill"}
    worth = funnel.definition(data).criteria()
    table = worth.table.set_index("criterion")
    assert table.loc["duration", "verdict"] == "excluded"
    assert any("`duration`" in caveat and "is excluded" in caveat for caveat in worth.caveats)
    # 96 % of them are 999, "not called before"; the others are a step of their own
    assert table.loc["pdays", "verdict"] == "kept"


def test_functions_are_compared_where_no_role_is_recorded(data):
    roles = funnel.definition(data).personas()
    assert set(roles.table["seniority"]) == {"not recorded"}
    assert "student" in roles.headline.split(" more often")[0]
    assert "blue-collar" in roles.headline.split(" more often")[1]
    assert "not recorded" not in roles.headline
