"""The public SaaS customers: their known figures, and that they are no recurring revenue.

The figures are `facts.json` of the public data, computed there with plain pandas.
"""

import pytest

import funnel

PUBLIC_SET = "saas_churn"
pytestmark = pytest.mark.public_data


def test_every_customer_and_every_one_who_left_is_there(data, facts):
    assert len(data.leads) == facts["rows"]
    assert len(data.deals) == facts["churned"] == int(data.leads["churned"].sum())
    assert round(len(data.deals) / len(data.leads), 4) == facts["churn_share"]
    assert data.rejects.empty
    months = data.leads["months_active"]
    assert months.median() == facts["median_months_active"]
    assert [months.min(), months.max()] == facts["months_active_range"]
    assert int((months == 0).sum()) == facts["zero_months"]


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("by_product_payroll", "product_payroll"),
        ("by_company_size", "company_size"),
        ("by_csat", "csat_score"),
    ],
)
def test_rates_by_group(public_set, data, facts, name, column):
    values = data.leads[column]
    values = values.astype(int) if column == "csat_score" else values
    assert public_set.rates_by(values, n="customers", k="churned") == facts[name]


def test_customers_without_amounts_have_no_recurring_revenue(data):
    answer = funnel.revenue(data)
    assert "no table of subscriptions" in answer.headline
    assert answer.movements().table.empty
