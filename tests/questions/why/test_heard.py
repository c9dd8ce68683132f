"""What each side hears: counted, beside its base rate, and nothing of it lost."""

from fractions import Fraction

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funnel.dataset import Tables
from funnel.questions.why.heard import heard
from funnel.questions.why.text import heard_evidence
from funnel.results import Say
from funnel.results.neutral_words import unfit_words

NO_BRIDGE = pd.DataFrame()
SENTENCES = ("Too expensive", "too  expensive ", "They chose a rival.", "The demo froze.")


def test_an_anecdote_stands_beside_its_base_rate(trap):
    data, expected = trap("e03")
    found = heard(data, NO_BRIDGE)
    (row,) = found.table.to_dict("records")
    assert (row["n"], row["n_linked"]) == (expected["items"], expected["linked"])
    assert (row["n_won"], row["n_lost"]) == (expected["linked_won"], expected["linked_lost"])
    assert row["value"] == float(Fraction(expected["price_share_of_lost"]))
    assert row["value_low"] < row["value"] < row["value_high"]
    assert found.headline.startswith(
        "Heard 3 times by sales: Too expensive. 2 deals named: 1 won, 1 lost; lost on price: 6 of "
        "40 lost deals with a reason, 15.0% ["
    )
    (unlinked,) = [each for each in data.load_findings if each.what == "unlinked_deal_id"]
    assert unlinked.n == len(expected["unknown_ids"])


def test_a_driver_that_was_named_brings_its_contribution():
    said = pd.DataFrame(
        {"heard_on": ["2026-05-06"], "heard_by": ["marketing"], "what": ["Calls come late."],
         "driver": ["Timing"]}
    )  # fmt: skip
    leads = pd.DataFrame({"lead_id": ["L1"], "created_at": ["2026-05-05"]})
    bridge = pd.DataFrame(
        {"driver": ["timing"], "segment": [None], "contribution": [-40.0], "low": [-70.0],
         "high": [-9.0], "verdict": ["moved"]}
    )  # fmt: skip
    found = heard(Tables.of(leads=leads, heard=said, as_of="2026-06-30"), bridge)
    (row,) = found.table.to_dict("records")
    assert (row["driver"], row["contribution"], row["contribution_low"]) == ("timing", -40.0, -70.0)
    assert "its contribution -€40" in heard_evidence(row, Say())
    assert "(moved)" in heard_evidence(row, Say())


@settings(max_examples=15)
@given(
    items=st.lists(
        st.tuples(
            st.sampled_from(SENTENCES),
            st.sampled_from(["sales", "marketing"]),
            st.sampled_from(["W", "L", "O", "none", None]),
            st.sampled_from(["timing", "morale", None]),
        ),
        max_size=8,
    )
)
def test_nothing_that_was_heard_is_lost(items):
    deals = pd.DataFrame(
        {"deal_id": ["W", "L", "O"], "created_at": "2026-04-02",
         "closed_at": ["2026-05-04", "2026-05-05", None], "outcome": ["won", "lost", "open"],
         "amount": 10.0, "loss_reason": [None, "price", None]}
    )  # fmt: skip
    said = pd.DataFrame(items, columns=["what", "heard_by", "deal_id", "driver"])
    said.insert(0, "heard_on", "2026-05-06")
    found = heard(Tables.of(deals=deals, heard=said, as_of="2026-06-30"), NO_BRIDGE)
    table = found.table
    assert table["n"].sum() == len(items)
    for outcome, name in (("W", "n_won"), ("L", "n_lost"), ("O", "n_open")):
        assert table[name].sum() == sum(deal == outcome for _, _, deal, _ in items)
    sides = {(" ".join(what.split()).casefold(), by) for what, by, *_ in items}
    assert len(table) == len(sides)
    for sentence in [found.headline, *found.caveats, *found.shown().get("beside it", [])]:
        assert unfit_words(sentence) == [] and "nan" not in sentence.lower()


@pytest.mark.parametrize("what", ["The demo froze.", "Nobody knows us."])
def test_what_no_figure_speaks_of_says_so(what):
    said = pd.DataFrame({"heard_on": ["2026-05-06"], "heard_by": ["sales"], "what": [what]})
    leads = pd.DataFrame({"lead_id": ["L1"], "created_at": ["2026-05-05"]})
    found = heard(Tables.of(leads=leads, heard=said, as_of="2026-06-30"), NO_BRIDGE)
    assert found.shown()["beside it"].tolist() == ["Nothing is recorded on it."]
