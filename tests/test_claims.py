"""Claims, actions and proposals: by hand, and one rule whoever says it."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funnel.load import Tables
from funnel.why.actions import actions, expected_of
from funnel.why.claims import claims, verdict_of
from funnel.why.proposals import proposals
from funnel.why.unsettled import questions, settled_by, unsettled
from funnel.wording import unfit_words

LEADS = pd.DataFrame({"lead_id": ["L1"], "created_at": ["2026-05-05"]})
OPPOSITE = {"down": "up", "up": "down"}


def row(driver="timing", segment=None, value=-40.0, low=-70.0, high=-10.0, verdict="moved", by=""):
    return {
        "driver": driver, "segment": segment, "contribution": value, "low": low, "high": high,
        "verdict": verdict, "smallest_detectable": 50.0, "explained_by": by,
    }  # fmt: skip


def shared(*rows):
    return SimpleNamespace(table=pd.DataFrame(rows or [row()]).iloc[: None if rows else 0])


def held(claim, *rows):
    said = {"claim": "It is so.", "said_by": "sales", "driver": "timing", "direction": "down"}
    data = Tables.of(as_of="2026-06-30", leads=LEADS, claims=pd.DataFrame([said | claim]))
    return claims(data, shared(*rows)).table.iloc[0]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, ["supported", "not supported", "not supported"]),
        ({"value": 40.0}, ["not supported", "supported", "not supported"]),
        ({"verdict": "did not move"}, ["not supported", "not supported", "supported"]),
        ({"verdict": "cannot tell"}, ["cannot tell"] * 3),
        ({"by": "data"}, ["cannot tell"] * 3),
        ({"driver": "calendar", "by": "calendar"}, ["supported", "not supported", "not supported"]),
        ({"driver": "residual"}, ["cannot tell"] * 3),
    ],
)
def test_verdicts_on_claims_by_hand(changed, expected):
    assert [verdict_of(said, row(**changed)) for said in ("down", "up", "same")] == expected


@given(
    value=st.floats(-1e6, 1e6),
    verdict=st.sampled_from(["moved", "did not move", "cannot tell"]),
    by=st.sampled_from(["", "data", "definition"]),
    said=st.sampled_from(["down", "up"]),
)
def test_turning_the_claim_and_the_figures_round_changes_no_verdict(value, verdict, by, said):
    one = verdict_of(said, row(value=value, verdict=verdict, by=by))
    assert one == verdict_of(OPPOSITE[said], row(value=-value, verdict=verdict, by=by))


@pytest.mark.parametrize("said_by", ["sales", "marketing"])
@pytest.mark.parametrize("direction", ["down", "up", "same"])
@pytest.mark.parametrize("driver", ["timing", " Timing ", "weather", "mix"])
def test_both_cells_are_filled_and_neutral(driver, direction, said_by):
    claim = {"driver": driver, "direction": direction, "said_by": said_by}
    found = held(claim, row(), row("timing", "web"), row("timing", "email", 5.0, -1.0, 9.0))
    for cell in (found["for"], found["against"]):
        assert cell.endswith(".")
        assert unfit_words(cell) == []
    if "iming" not in driver:
        assert found["verdict"] == "cannot tell"
        assert "timing" in found["for"]


def test_an_unknown_segment_names_the_known_ones():
    found = held({"segment": "fax"}, row(), row(segment="web"))
    assert found["verdict"] == "cannot tell"
    assert "'fax'" in found["for"] and "web" in found["against"]


def test_a_change_that_is_not_shared_out_leaves_claims_open():
    assert held({})["verdict"] == "cannot tell"


@pytest.mark.parametrize(
    ("text", "before", "unit", "change"),
    [
        ("up by 5 points", 0.4, "rate", 0.05),
        ("down by 2.5 points", 0.4, "rate", -0.025),
        ("at least 0.9", 0.8, "rate", 0.1),
        ("at least 90%", 0.8, "rate", 0.1),
        ("10% fewer", 200.0, "count", -20.0),
        ("up by 20", 200.0, "count", 20.0),
        ("to 1,200", 1000.0, "count", 200.0),
        ("a next step on each", 10.0, "count", np.nan),
    ],
)
def test_what_was_expected_is_read_as_people_write_it(text, before, unit, change):
    assert expected_of(text).change(before, unit) == pytest.approx(change, nan_ok=True)


def agreed(expected="up by 20 points", since=0.5, measure="win rate", **changed):
    """Win rate of a half up to the end of March, then another; some 770 closed deals a quarter."""
    closed = pd.date_range("2025-12-01", "2026-06-30", periods=1800, tz="UTC")
    place = np.arange(1800)
    share = np.where(closed < pd.Timestamp("2026-04-01", tz="UTC"), 0.5, since)
    won = np.floor((place + 1) * share) > np.floor(place * share)
    deals = pd.DataFrame(
        {"deal_id": [f"D{i}" for i in place], "created_at": "2025-11-01", "closed_at": closed,
         "outcome": np.where(won, "won", "lost"), "amount": 100.0}
    )  # fmt: skip
    action = {"action": "Call earlier", "owner": "Ada", "due_on": "2026-04-01",
              "decided_on": "2026-03-31", "measure": measure, "expected": expected}  # fmt: skip
    data = Tables.of(as_of="2026-06-30", deals=deals, actions=pd.DataFrame([action | changed]))
    return actions(data)


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({}, "no effect seen"),
        ({"since": 0.7}, "moved as expected"),
        ({"since": 0.3}, "moved the other way"),
        ({"since": 0.3, "expected": "another talk"}, "moved"),
        ({"expected": "up by 2 points"}, "cannot tell"),
        ({"due_on": "2026-07-15"}, "cannot tell yet"),
        ({"measure": "morale"}, "cannot tell"),
        ({"segment": "fax"}, "cannot tell"),
        ({"measure": "lead to opportunity"}, "cannot tell"),
    ],
)
def test_actions_are_measured_again(changed, verdict):
    result = agreed(**changed)
    assert result.table["verdict"].tolist() == [verdict]
    assert "Ada" not in result.table.to_csv()
    for said in (*result.table["says"], result.headline, *result.caveats):
        assert unfit_words(said) == []


def test_an_action_stands_against_as_many_days_and_names_its_rows():
    result = agreed(since=0.7)
    found = result.table.iloc[0]
    # 91 days since the first of April, and the 91 up to the day before it was decided.
    n = result.rows.groupby("figure").size().to_dict()
    assert n == {
        "1. Call earlier, since": found["n_since"],
        "1. Call earlier, before": found["n_before"],
    }
    assert found["since"] - found["before"] == pytest.approx(found["change"])
    assert found["low"] < 0.2 < found["high"]


def test_nothing_named_proposes_nothing_and_says_so():
    data = Tables.of(as_of="2026-06-30", leads=LEADS)
    made = proposals(data, shared(row(verdict="cannot tell"), row("mix", by="data")))
    assert made.table.empty
    assert made.headline.startswith("None is proposed")


def test_at_most_five_as_many_to_each_side():
    data = Tables.of(as_of="2026-06-30", leads=LEADS)
    names = ("lead volume", "mql to sal", "timing", "deal size")
    made = proposals(data, shared(*(row(name, value=-10.0 * i) for i, name in enumerate(names, 1))))
    assert made.table["owner"].value_counts().to_dict() == {
        "head of sales": 2,
        "head of marketing": 2,
    }
    assert made.table["measure"].tolist() == ["deal size"] * 2 + ["timing"] * 2


def test_questions_point_at_what_cannot_be_told_largest_first():
    rows = [
        row("mix", value=0.0, low=0.0, high=0.0, verdict="cannot tell"),
        row("timing", low=-20.0, high=30.0, verdict="cannot tell"),
        row("mql to sal", low=-90.0, high=30.0, verdict="cannot tell"),
        row("deal size"),
    ]
    table = shared(*rows).table
    assert [each["driver"] for each in unsettled(table)] == ["mql to sal", "timing", "mix"]
    asked = questions(table)
    for side in ("sales", "marketing"):
        assert ["mql to sal" in asked[side][0], "timing" in asked[side][1], len(asked[side])] == [
            True, True, 3,
        ]  # fmt: skip


def test_what_would_settle_it_grows_with_the_square():
    data = Tables.of(as_of="2026-06-30", leads=LEADS)
    table = shared(row(verdict="cannot tell", low=-70.0, high=20.0)).table
    # A change of 50 shows now; a tenth of 250 is half of it, and takes four times the wins.
    (said,) = settled_by(table, data, (40, 30), 250.0)
    assert "some 120 wins" in said
    assert "52 weeks" in said
