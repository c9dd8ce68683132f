"""The public telephone campaign: its known figures, and the trap that the page tells by itself.

The figures are `facts.json` of the public data, computed there with plain pandas.
"""

import pytest

import funnel
from funnel.checks import record_problems
from funnel.questions.definition.leakage import leakage

PUBLIC_SET = "bank_marketing"
pytestmark = pytest.mark.public_data


@pytest.fixture(scope="module")
def facts(public_set):
    return public_set.facts["bank-full"]


def test_every_call_and_every_deposit_is_there(data, facts):
    assert len(data.leads) == facts["rows"]
    assert len(data.deals) == facts["yes"]
    assert data.rejects.empty
    assert round(len(data.deals) / len(data.leads), 4) == facts["rate"]


def test_rates_by_month_and_by_past_outcome(public_set, data, facts):
    months = data.leads["created_at"].dt.strftime("%b").str.lower()
    names = {"n": "contacts", "k": "yes"}
    assert public_set.rates_by(months, **names) == facts["by_month"]
    assert public_set.rates_by(data.leads["poutcome"], **names) == facts["by_poutcome"]


def test_the_length_of_the_call_is_excluded_and_the_page_says_so(data):
    found = {each.column: each for each in leakage(data)}
    assert found["duration"].test == "sharpness"
    # blank means "not called before": a question for the bank, and no other column is asked about
    assert set(found) == {"duration", "poutcome"}
    worth = funnel.definition(data).criteria()
    table = worth.table.set_index("criterion")
    assert table.loc["duration", "verdict"] == "excluded"
    assert any("`duration`" in caveat and "is excluded" in caveat for caveat in worth.caveats)
    assert {"housing", "loan", "job_function"} <= set(table.index[table["verdict"] == "kept"])


def test_a_definition_that_reads_such_a_column_is_told(data):
    assert any("`sales` reads poutcome" in each for each in funnel.definition(data).caveats)


def test_what_cannot_be_told_is_said(data):
    assert "no hand-off is recorded" in funnel.definition(data).adherence().headline
    assert "no score" in funnel.definition(data).threshold_replay().headline
    found = record_problems(data).table["problem"].tolist()
    assert {"no lost deals", "no opening time"} <= set(found)
