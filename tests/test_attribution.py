"""Credit: by hand, for every journey there could be, against public figures."""

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funnel.attribution import (
    MODELS,
    attribute,
    compare_models,
    last_touch,
    linear,
    position_based,
    steps_of,
    time_decay,
)
from funnel.errors import ParameterError
from funnel.formats import NO_BREAK
from funnel.journeys import NOT_TRACED
from funnel.plan import Plan

JUNE = dt.date(2026, 6, 30)
PUBLIC = Path(__file__).parents[2] / "shared" / "data" / "channel_paths"
WAYS = st.lists(
    st.lists(st.sampled_from(["web", "email", "event", "demo", "unknown"]), min_size=1, max_size=6),
    min_size=1,
    max_size=12,
)


def journeys_of(*ways, amounts=None):
    steps = steps_of([" > ".join(_channels(way)) for way in ways])
    steps["amount"] = steps["deal_id"].map(dict(enumerate(amounts or [250.0] * len(ways))))
    is_untraced = steps["channel"] == NOT_TRACED
    steps["position"] = steps["position"].mask(is_untraced, 0)
    days = pd.to_timedelta(steps["position"], unit="D")
    steps["occurred_at"] = pd.Timestamp("2026-01-01", tz="UTC") + days
    return steps


def _channels(way):
    if isinstance(way, str) and way != NOT_TRACED:
        return way.split()
    return [way] if isinstance(way, str) else way


def credited(steps, model="first_touch", **more):
    return attribute(steps, model, as_of=JUNE, draws=50, **more)


def values(credit, column="value"):
    return credit.table.set_index("channel")[column].to_dict()


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("first_touch", [1, 0, 0, 0]),
        ("last_touch", [0, 0, 0, 1]),
        ("linear", [0.25, 0.25, 0.25, 0.25]),
        ("position_based", [0.4, 0.1, 0.1, 0.4]),
    ],
)
def test_each_model_by_hand(model, expected):
    weights = MODELS[model](journeys_of("web email event demo"))
    assert weights.tolist() == pytest.approx(expected)


def test_time_decay_halves_every_half_life():
    weights = time_decay(journeys_of("web email event"), half_life_days=1)
    assert weights.tolist() == pytest.approx([1 / 7, 2 / 7, 4 / 7])


@pytest.mark.parametrize("first", [0.0, 0.4, 1.0])
def test_position_based_hands_out_all_also_without_a_middle(first):
    for way in ("web", "web demo", "web email demo"):
        assert position_based(journeys_of(way), first=first, last=0.0 if first else 0.2).sum() == (
            pytest.approx(1)
        )


@given(ways=WAYS, seed=st.integers(0, 3))
@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize("model", list(MODELS))
def test_no_model_makes_or_loses_business(model, ways, seed):
    amounts = np.random.default_rng(seed).integers(-20, 500, len(ways)).astype(float).tolist()
    table = credited(journeys_of(*ways, amounts=amounts), model).table
    assert table["conversions"].sum() == pytest.approx(len(ways))
    assert table["value"].sum() == pytest.approx(sum(amounts), abs=0.005)


@given(ways=WAYS, order=st.randoms())
@settings(max_examples=15, deadline=None)
def test_order_of_rows_and_names_of_channels_change_nothing(ways, order):
    steps = journeys_of(*ways)
    plain = values(credited(steps, "linear"))
    rows = list(range(len(steps)))
    order.shuffle(rows)
    assert values(credited(steps.iloc[rows], "linear")) == pytest.approx(plain)
    renamed = credited(steps.assign(channel="z" + steps["channel"]), "linear")
    assert values(renamed) == pytest.approx({f"z{name}": value for name, value in plain.items()})


@given(ways=WAYS)
@settings(max_examples=15, deadline=None)
def test_splitting_a_path_into_rows_changes_nothing(ways):
    one = pd.DataFrame({"path": [" > ".join(way) for way in ways], "conversions": 2, "value": 9.0})
    split = pd.concat([one.assign(conversions=1, value=4.5)] * 2)
    assert values(credited(one, "linear")) == pytest.approx(values(credited(split, "linear")))


def test_paths_and_journeys_agree():
    ways = ["web demo", "web demo", "email"]
    steps = journeys_of(*ways, amounts=[10.0, 30.0, 5.0])
    grouped = pd.DataFrame(
        {"path": ["web > demo", "email"], "conversions": [2, 1], "value": [40.0, 5.0]}
    )
    for model in ("first_touch", "last_touch", "linear", "position_based"):
        assert values(credited(grouped, model)) == pytest.approx(values(credited(steps, model)))


def test_what_does_not_trace_is_a_row_and_is_not_ranked():
    steps = journeys_of("web", NOT_TRACED, NOT_TRACED, amounts=[10.0, 20.0, 30.0])
    credit = credited(steps)
    assert values(credit) == {"web": 10.0, NOT_TRACED: 50.0}
    assert credit.table["is_ranked"].tolist() == [True, False]
    assert credit.headline.startswith("web is credited with 17%")


def test_unknown_channels_come_last_and_are_told():
    credit = credited(journeys_of("unknown", "unknown", "web"))
    assert credit.table["channel"].tolist() == ["web", "unknown"]
    assert any("unknown" in caveat for caveat in credit.caveats)


def test_touches_that_cannot_be_ordered_share_their_places():
    steps = journeys_of("web email demo").assign(moment=[1, 1, 2])
    assert values(credited(steps), "conversions") == {"web": 0.5, "email": 0.5, "demo": 0.0}


def test_shares_are_of_deals_where_nothing_was_booked():
    credit = credited(journeys_of("web", "demo", "demo", amounts=[0.0, 0.0, 0.0]))
    assert values(credit, "share") == pytest.approx({"demo": 2 / 3, "web": 1 / 3})
    assert not credit.of_value


def test_intervals_hold_the_share_and_are_the_same_for_a_seed():
    steps = journeys_of(*(["web"] * 30 + ["demo"] * 20))
    one, again = credited(steps), credited(steps)
    pd.testing.assert_frame_equal(one.table, again.table)
    assert (one.table["share_low"] < one.table["share"]).all()
    assert (one.table["share"] < one.table["share_high"]).all()
    other = credited(steps, plan=Plan(seed=7)).table
    assert not other["share_low"].equals(one.table["share_low"])


def test_a_single_deal_leaves_almost_everything_open():
    table = credited(journeys_of("web demo")).table.set_index("channel")
    assert table.loc["web", "share_low"] < 0.5
    assert table.loc["demo", "share_high"] > 0.5


def test_the_first_is_called_ahead_only_where_it_is():
    clear = credited(journeys_of(*(["web"] * 60 + ["demo"] * 5)))
    even = credited(journeys_of(*(["web"] * 31 + ["demo"] * 30)))
    assert clear.is_ahead and "ahead of demo" in clear.headline
    assert not even.is_ahead and "cannot be told apart from demo" in even.headline


def test_rows_name_the_deals_behind_each_channel():
    rows = credited(journeys_of("web demo", "demo"), "linear").rows
    assert rows[rows["figure"] == "demo"]["id"].tolist() == ["0", "1"]


def test_models_side_by_side():
    steps = journeys_of(*(["web demo"] * 12 + ["email demo"] * 4))
    compared = compare_models(steps, as_of=JUNE)
    spread = compared.table.drop_duplicates("channel").set_index("channel")["spread"]
    assert spread["demo"] == pytest.approx(1.0)
    assert "depends on the model" in compared.headline
    same = compare_models(journeys_of(*["web"] * 12), as_of=JUNE)
    assert "stands first under each of 4 models" in same.headline


def test_nothing_won_is_an_answer():
    nothing = pd.DataFrame({"path": ["web"], "conversions": [0], "value": [0.0]})
    credit = credited(nothing)
    assert credit.table.empty
    assert credit.headline.startswith("No won deal can be credited")
    assert compare_models(nothing, as_of=JUNE).headline.startswith("No won deal")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: attribute(journeys_of("web"), "magic", as_of=JUNE),
        lambda: attribute(journeys_of("web")),
        lambda: attribute(journeys_of("web").drop(columns="channel"), as_of=JUNE),
        lambda: attribute(
            pd.DataFrame({"path": ["a"], "conversions": [1]}), time_decay, as_of=JUNE
        ),
        lambda: position_based(journeys_of("web"), first=0.8, last=0.4),
        lambda: time_decay(journeys_of("web"), half_life_days=0),
        lambda: compare_models(journeys_of("web"), [], as_of=JUNE),
    ],
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ParameterError):
        wrong()


@pytest.mark.parametrize("model", [linear, last_touch, "first_touch"])
def test_pictures_say_their_finding(model):
    from matplotlib import pyplot as plt

    credit = credited(journeys_of("web $x_{1$", "demo"), model)
    ax = credit.plot()
    ax.figure.canvas.draw()
    assert ax.figure.get_label() == credit.headline
    compare_models(journeys_of("web demo"), as_of=JUNE).plot().figure.canvas.draw()
    plt.close("all")


@pytest.mark.public_data
@pytest.mark.parametrize("model", ["first_touch", "last_touch", "linear"])
def test_public_paths_have_their_published_credit(model):
    if not PUBLIC.exists():
        pytest.skip(f"public data is not beside the repository: {PUBLIC.name}")
    facts = json.loads((PUBLIC / "facts.json").read_text())[f"{model}_conversions"]
    data = pd.read_csv(PUBLIC / "channel_paths.csv", sep=";").rename(
        columns={"total_conversions": "conversions", "total_conversion_value": "value"}
    )
    assert values(credited(data, model), "conversions") == pytest.approx(facts, abs=1e-3)


def test_a_comparison_shows_one_column_a_model():
    compared = compare_models(journeys_of(*["web demo"] * 12), as_of=JUNE)
    shown = compared.shown()["first touch"].str.replace(NO_BREAK, " ")
    assert shown.tolist() == ["100% [82 to 100]", "0% [0 to 18]"]
    assert "<th>last touch</th>" in compared._repr_html_()
