"""Deals behind credit: every channel of every model drills down to its own total."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funnel.contract.errors import ParameterError
from funnel.dataset import Tables
from funnel.methods.paths import NOT_TRACED, journeys, paths
from funnel.questions.attribution import MODELS, attribute, credited_deals
from funnel.questions.attribution.credited_deals import NO_WIN
from funnel.results.neutral_words import unfit_words

CHANNELS = ["web", "email", "demo", "direct"]
PATHS = st.lists(
    st.tuples(st.lists(st.sampled_from(CHANNELS), max_size=5), st.integers(0, 90_000)),
    min_size=1,
    max_size=12,
)


def company(paths):
    """Deals that went these paths, every third a lead that was not won."""
    n = len(paths)
    leads = pd.DataFrame({"lead_id": [f"L{i}" for i in range(n)], "created_at": "2026-01-01"})
    won = [i for i in range(n) if i % 3 != 2]
    deals = pd.DataFrame(
        {
            "deal_id": [f"D{i}" for i in won],
            "lead_id": [f"L{i}" for i in won],
            "created_at": "2026-03-01",
            "closed_at": "2026-05-01",
            "outcome": "won",
            "amount": [paths[i][1] / 100 for i in won],
        }
    )
    rows = [
        (f"L{i}", channel, pd.Timestamp("2026-01-02") + pd.Timedelta(days=7 * place))
        for i, (path, _) in enumerate(paths)
        for place, channel in enumerate(path)
    ]
    touches = pd.DataFrame(rows, columns=["lead_id", "channel", "occurred_at"])
    return Tables.of(as_of="2026-06-30", leads=leads, deals=deals, touches=touches)


@pytest.mark.parametrize("model", ["linear", "markov", "shapley_rate"])
@settings(max_examples=25)
@given(PATHS)
def test_every_channel_of_any_paths_drills_down_to_its_own_total(model, paths):
    frame = pd.DataFrame(
        {
            "path": [" > ".join(path) or NOT_TRACED for path, _ in paths],
            "conversions": [i % 3 for i in range(len(paths))],
            "value": [cents / 100 if i % 3 else 0.0 for i, (_, cents) in enumerate(paths)],
            "nulls": [i % 2 for i in range(len(paths))],
        }
    )
    credit = attribute(frame, model, draws=20)
    for row in credit.table.itertuples():
        deals = credited_deals(credit, row.channel)
        assert deals.table["value"].sum() == pytest.approx(row.value, abs=0.005)
        assert deals.table["conversions"].sum() == pytest.approx(row.conversions, abs=1e-6)
        assert deals.paths()["value"].sum() == pytest.approx(row.value, abs=0.005)


@pytest.mark.parametrize("model", [*MODELS])
def test_every_channel_of_every_model_drills_down_to_its_own_total(model):
    rng = np.random.default_rng(5)
    data = company([(list(rng.choice(CHANNELS, rng.integers(1, 5))), 900) for _ in range(12)])
    credit = attribute(journeys(data), model, draws=20)
    for row in credit.table.itertuples():
        assert credited_deals(credit, row.channel).table["value"].sum() == pytest.approx(
            row.value, abs=0.005
        )


def test_deals_by_hand():
    data = company([(["web", "demo"], 30_000), (["demo"], 10_000), (["email"], 0), ([], 500)])
    credit = attribute(journeys(data), "linear")
    demo = credited_deals(credit, "demo")
    columns = ["deal_id", "path", "n_deals", "conversions", "value", "booked"]
    assert demo.table[columns].to_numpy().tolist() == [
        ["D0", "web > demo", 1, 0.5, 150.0, 300.0],
        ["D1", "demo", 1, 1.0, 100.0, 100.0],
    ]
    assert demo.rows["id"].tolist() == ["D0", "D1"]
    assert "€250 of the €400" in demo.headline
    assert credited_deals(credit, NOT_TRACED).table["deal_id"].tolist() == ["D3"]
    assert unfit_words(demo.headline) == [] and demo._repr_html_()
    value = sum(
        credited_deals(credit, channel).table["value"].sum() for channel in credit.table["channel"]
    )
    assert value == pytest.approx(405.0)


@pytest.mark.parametrize("model", ["markov", "shapley_rate", "linear", "first_touch"])
def test_credit_from_paths_drills_down_to_deals_where_the_journeys_are_given(model):
    rng = np.random.default_rng(3)
    worth = rng.integers(1, 9e6, 60)
    data = company([(list(rng.choice(CHANNELS, rng.integers(1, 5))), int(n)) for n in worth])
    credit = attribute(paths(data), model, draws=20)
    by_touch = journeys(data)
    for row in credit.table.itertuples():
        by_path, by_deal = (
            credited_deals(credit, row.channel),
            credited_deals(credit, row.channel, by_touch),
        )
        assert "deal_id" not in by_path.table and by_deal.table["deal_id"].is_unique
        for deals in (by_path, by_deal):
            assert deals.table["value"].sum() == pytest.approx(row.value, abs=1e-6)
    merged = by_deal.paths().merge(by_path.paths(), on="path")
    assert len(merged) == len(by_path.paths())


def test_a_model_of_all_journeys_says_how_it_was_laid_on_deals():
    won = pd.DataFrame({"path": ["a > b", "b"], "conversions": [3, 0], "nulls": [0, 4]})
    deals = credited_deals(attribute(won, "markov", draws=20), "a")
    assert "in proportion" in deals.caveats[0]
    assert deals.table["path"].tolist() == ["a > b"]


def test_a_drill_down_that_does_not_fit_is_refused():
    data = company([(["web"], 100), (["demo"], 200)])
    credit = attribute(journeys(data), "linear")
    with pytest.raises(ParameterError, match="no channel 'wbe'; it has demo, web"):
        credited_deals(credit, "wbe")
    assert credited_deals(credit).channel == "demo"
    nothing = credited_deals(attribute(journeys(company([([], 1)] * 3)), "linear"))
    assert nothing.channel == NOT_TRACED and nothing.table["value"].sum() > 0
    none = company([(["web"], 100)])
    none = Tables.of(as_of="2026-06-30", leads=none.leads, touches=none.touches)
    assert credited_deals(attribute(journeys(none), "linear")).headline.startswith("No won deal")
    other = journeys(company([(["web"], 9_900), (["demo"], 200)]))
    with pytest.raises(ParameterError, match="computed from other journeys"):
        credited_deals(credit, "web", other)


def test_credit_that_no_won_deal_holds_is_a_row_of_its_own():
    # without `b` more of the journeys would be won: its part is negative, and no win holds it
    won = pd.DataFrame({"path": ["a", "a > b"], "conversions": [4, 0], "nulls": [4, 4]})
    credit = attribute(won, "shapley_rate", draws=20)
    deals = credited_deals(credit, "b").table
    assert deals["path"].tolist() == [NO_WIN]
    assert deals["conversions"].sum() == pytest.approx(
        credit.table.set_index("channel").loc["b", "conversions"]
    )
