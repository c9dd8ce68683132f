"""The public telephone campaign: its known figures, and the trap that the page tells by itself.

The figures are `facts.json` of the public data, computed there with plain pandas.
"""

import json
from pathlib import Path

import pytest

import funnel
from funnel.coverage import traps
from funnel.definition import set_aside
from funnel.sources.mapping import convert

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT.parent / "shared" / "data" / "bank_marketing"

pytestmark = [
    pytest.mark.public_data,
    pytest.mark.skipif(not SOURCE.is_dir(), reason=f"no public data at ../{SOURCE.parent.name}"),
]


@pytest.fixture(scope="module")
def facts():
    return json.loads((SOURCE / "facts.json").read_text())["bank-full"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    out = tmp_path_factory.mktemp("bank") / "company"
    report = convert(ROOT / "examples" / "bank_marketing" / "mapping.toml", SOURCE, out)
    assert report.tables["not_read"].sum() == 0
    return funnel.load(out)


def rates_by(data, values):
    won = data.leads["lead_id"].isin(data.deals["lead_id"])
    counted = won.groupby(values.to_numpy()).agg(["size", "sum"])
    return {
        name: {"contacts": int(n), "yes": int(k), "rate": round(k / n, 4)}
        for name, (n, k) in zip(counted.index, counted.to_numpy(), strict=True)
    }


def test_every_call_and_every_deposit_is_there(data, facts):
    assert len(data.leads) == facts["rows"]
    assert len(data.deals) == facts["yes"]
    assert data.rejects.empty
    assert round(len(data.deals) / len(data.leads), 4) == facts["rate"]


def test_rates_by_month_and_by_past_outcome(data, facts):
    months = data.leads["created_at"].dt.strftime("%b").str.lower()
    assert rates_by(data, months) == facts["by_month"]
    assert rates_by(data, data.leads["poutcome"]) == facts["by_poutcome"]


def test_the_length_of_the_call_is_set_aside_and_the_page_says_so(data):
    found = {each.column: each for each in set_aside(data)}
    assert found["duration"].test == "sharpness"
    # blank means "not called before": a question for the bank, and no other column is asked about
    assert set(found) == {"duration", "poutcome"}
    worth = funnel.criteria(data)
    table = worth.table.set_index("criterion")
    assert table.loc["duration", "verdict"] == "set aside"
    assert any("`duration`" in caveat and "is set aside" in caveat for caveat in worth.caveats)
    assert {"housing", "loan", "job_function"} <= set(table.index[table["verdict"] == "kept"])


def test_a_definition_that_reads_such_a_column_is_told(data):
    assert any("`sales` reads poutcome" in each for each in funnel.definition(data).caveats)


def test_what_cannot_be_told_is_said(data):
    assert "no hand-over is recorded" in funnel.adherence(data).headline
    assert "no score" in funnel.bar_replay(data).headline
    found = traps(data).table["trap"].tolist()
    assert {"no lost deals", "no opening time"} <= set(found)
