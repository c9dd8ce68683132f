"""The public online shop: its known figures, and the trap that the page tells by itself.

The figures are `facts.json` of the public data, computed there with plain pandas.
"""

import json
from pathlib import Path

import pandas as pd
import pytest

import funnel
from funnel.definition import set_aside
from funnel.sources.mapping import convert

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT.parent / "shared" / "data" / "online_shoppers"

pytestmark = [
    pytest.mark.public_data,
    pytest.mark.skipif(not SOURCE.is_dir(), reason=f"no public data at ../{SOURCE.parent.name}"),
]


@pytest.fixture(scope="module")
def facts():
    return json.loads((SOURCE / "facts.json").read_text())


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    out = tmp_path_factory.mktemp("shop") / "company"
    report = convert(ROOT / "examples" / "online_shoppers" / "mapping.toml", SOURCE, out)
    assert report.tables["not_read"].sum() == 0
    return funnel.load(out)


def rates_by(data, values):
    won = data.leads["lead_id"].isin(data.deals["lead_id"])
    counted = won.groupby(values.to_numpy()).agg(["size", "sum"])
    return {
        str(name): {"sessions": int(n), "converted": int(k), "rate": round(k / n, 4)}
        for name, (n, k) in zip(counted.index, counted.to_numpy(), strict=True)
    }


def test_every_session_and_every_purchase_is_there(data, facts):
    assert (len(data.leads), len(data.deals)) == (facts["rows"], facts["converted"])
    assert data.rejects.empty
    assert round(len(data.deals) / len(data.leads), 4) == facts["rate"]


def test_rates_by_month_visitor_and_traffic(data, facts):
    months = data.leads["created_at"].dt.strftime("%b").replace("Jun", "June")
    assert rates_by(data, months) == facts["by_month"]
    assert rates_by(data, data.leads["visitortype"]) == facts["by_visitor"]
    assert rates_by(data, data.leads["channel"]) == facts["by_traffic_type"]
    assert rates_by(data, data.leads["specialday"]) == facts["by_special_day"]


def test_page_values_are_set_aside_and_the_page_says_so(data, facts):
    won = data.leads["lead_id"].isin(data.deals["lead_id"])
    value = pd.to_numeric(data.leads["pagevalues"])
    assert round(won[value == 0].mean(), 4) == facts["page_value_zero_rate"]
    assert round(won[value > 0].mean(), 4) == facts["page_value_positive_rate"]
    assert [(each.column, each.test) for each in set_aside(data)] == [("pagevalues", "sharpness")]
    worth = funnel.criteria(data)
    assert any("`pagevalues`" in caveat and "is set aside" in caveat for caveat in worth.caveats)


def test_blank_sessions_stay_open(data):
    between = funnel.overlap(data)
    assert any("Of 14 leads a blank field" in caveat for caveat in between.caveats)
    assert "of matured leads, won by day 1" in between.headline
    assert "handed over" not in between.headline
