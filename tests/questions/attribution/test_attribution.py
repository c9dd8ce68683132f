"""Credit: by hand, for every journey there could be, against public figures."""

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funnel.contract.errors import ParameterError
from funnel.contract.plan import Plan
from funnel.methods.paths import NOT_TRACED, CodedPaths, coded_journeys
from funnel.questions.attribution import (
    MODELS,
    OF_JOURNEYS,
    PRESETS,
    RULES,
    attribute,
    last_touch,
    linear,
    position_based,
    side_by_side,
    time_decay,
)
from funnel.results.formats import NO_BREAK
from funnel.stats import wilson

JUNE = dt.date(2026, 6, 30)
PUBLIC = Path(__file__).parents[4] / "shared" / "data" / "channel_paths"
PATHS = st.lists(
    st.lists(st.sampled_from(["web", "email", "event", "demo", "unknown"]), min_size=1, max_size=6),
    min_size=1,
    max_size=12,
)


def journeys_of(*paths, amounts=None):
    steps = pd.DataFrame(
        [
            {"deal_id": deal, "position": place + 1, "moment": place + 1, "channel": channel}
            for deal, path in enumerate(paths)
            for place, channel in enumerate(_channels(path))
        ]
    )
    steps["amount"] = steps["deal_id"].map(dict(enumerate(amounts or [250.0] * len(paths))))
    is_untraced = steps["channel"] == NOT_TRACED
    steps["position"] = steps["position"].mask(is_untraced, 0)
    days = pd.to_timedelta(steps["position"], unit="D")
    steps["occurred_at"] = pd.Timestamp("2026-01-01", tz="UTC") + days
    return steps


def coded_of(*paths):
    return coded_journeys(journeys_of(*paths))


def _channels(path):
    if isinstance(path, str) and path != NOT_TRACED:
        return path.split()
    return [path] if isinstance(path, str) else path


def credited(steps, model="first_touch", **more):
    return attribute(steps, model, as_of=JUNE, **more)


def compared_of(steps, models=("first_touch", "linear", "position_based", "last_touch")):
    return side_by_side([credited(steps, model) for model in models])


def values(credit, column="value"):
    return credit.table.set_index("channel")[column].to_dict()


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("first_touch", [1, 0, 0, 0]),
        ("last_touch", [0, 0, 0, 1]),
        ("linear", [0.25, 0.25, 0.25, 0.25]),
        ("linear_distinct", [0.25, 0.25, 0.25, 0.25]),
        ("last_non_direct", [0, 0, 0, 1]),
        ("position_based", [0.4, 0.1, 0.1, 0.4]),
    ],
)
def test_each_model_by_hand(model, expected):
    weights = RULES[model](coded_of("web email event demo"))
    assert weights.tolist() == pytest.approx(expected)


@pytest.mark.parametrize("last", ["Direct traffic", "(direct)", "(none)", "[not set]"])
def test_the_last_channel_that_is_known_and_not_direct_has_the_credit(last):
    paths = CodedPaths.of([["web", "demo", last], [last]], conversions=[1, 1])
    assert RULES["last_non_direct"](paths).tolist() == [0, 1, 0, 1]


def test_time_decay_halves_every_half_life():
    weights = time_decay(coded_of("web email event"), half_life_days=1)
    assert weights.tolist() == pytest.approx([1 / 7, 2 / 7, 4 / 7])


@pytest.mark.parametrize("first", [0.0, 0.4, 1.0])
def test_position_based_hands_out_all_also_without_a_middle(first):
    for path in ("web", "web demo", "web email demo"):
        assert position_based(coded_of(path), first=first, last=0.0 if first else 0.2).sum() == (
            pytest.approx(1)
        )


@given(paths=PATHS, seed=st.integers(0, 3))
@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize(
    "model", ["first_touch", "last_non_direct", "time_decay", "markov", "shapley"]
)
def test_no_model_makes_or_loses_business(model, paths, seed):
    amounts = np.random.default_rng(seed).integers(-20, 500, len(paths)).astype(float).tolist()
    table = credited(journeys_of(*paths, amounts=amounts), model).table
    assert table["conversions"].sum() == pytest.approx(len(paths))
    assert table["value"].sum() == pytest.approx(sum(amounts), abs=0.005)


@given(paths=PATHS, order=st.randoms())
@settings(max_examples=15, deadline=None)
def test_order_of_rows_and_names_of_channels_change_nothing(paths, order):
    steps = journeys_of(*paths)
    plain = values(credited(steps, "linear"))
    rows = list(range(len(steps)))
    order.shuffle(rows)
    assert values(credited(steps.iloc[rows], "linear")) == pytest.approx(plain)
    renamed = credited(steps.assign(channel="z" + steps["channel"]), "linear")
    assert values(renamed) == pytest.approx({f"z{name}": value for name, value in plain.items()})


@given(paths=PATHS)
@settings(max_examples=15, deadline=None)
def test_splitting_a_path_into_rows_changes_nothing(paths):
    one = pd.DataFrame(
        {"path": [" > ".join(path) for path in paths], "conversions": 2, "value": 9.0}
    )
    split = pd.concat([one.assign(conversions=1, value=4.5)] * 2)
    assert values(credited(one, "linear")) == pytest.approx(values(credited(split, "linear")))


def test_paths_and_journeys_agree():
    paths = ["web demo", "web demo", "email"]
    steps = journeys_of(*paths, amounts=[10.0, 30.0, 5.0])
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
    assert replace(credit, smallest_group=1).headline.startswith("web is credited with 17%")
    assert credit.headline.startswith("Too few won deals are credited to any one channel")


def test_unknown_channels_come_last_and_are_named():
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


def test_intervals_hold_the_share_and_need_no_seed():
    steps = journeys_of(*(["web"] * 30 + ["demo"] * 20))
    one, other = credited(steps), credited(steps, plan=Plan(seed=7))
    pd.testing.assert_frame_equal(one.table, other.table)
    assert (one.table["share_low"] < one.table["share"]).all()
    assert (one.table["share"] < one.table["share_high"]).all()


def test_the_interval_of_a_share_of_deals_is_wilsons_with_what_the_spread_leaves_open():
    row = credited(journeys_of(*(["web"] * 300 + ["demo"] * 200), amounts=[0.0] * 500)).table.iloc[
        0
    ]
    low, high = wilson(300, 500, 0.9)
    assert (row["share_low"], row["share_high"]) == pytest.approx((low, high), abs=1e-3)


@given(paths=st.lists(st.sampled_from(["a", "a b", "b c", "c"]), min_size=12), order=st.randoms())
@settings(max_examples=10, deadline=None)
@pytest.mark.parametrize("model", ["linear", "markov", "shapley_rate"])
def test_order_of_rows_and_names_of_channels_change_no_interval(model, paths, order):
    rows = pd.DataFrame({"path": [path.replace(" ", " > ") for path in paths], "conversions": 1})
    rows["value"], rows["nulls"] = np.arange(len(rows)) + 1.0, np.arange(len(rows)) % 3
    plain = credited(rows, model).table.set_index("channel")
    names = {"a": "z", "b": "y", "c": "x"}
    rows["path"] = [" > ".join(names[x] for x in path.split(" ")) for path in paths]
    places = list(range(len(rows)))
    order.shuffle(places)
    other = credited(rows.iloc[places], model).table.set_index("channel")
    for column in ("share", "share_low", "share_high"):
        expected = {names[x]: value for x, value in plain[column].items()}
        assert other[column].to_dict() == pytest.approx(expected, abs=1e-9)


def test_a_large_deal_leaves_more_open_than_its_share_says():
    even = credited(journeys_of(*(["web", "demo"] * 30), amounts=[10.0] * 60)).table
    one = credited(journeys_of(*(["web", "demo"] * 30), amounts=[*[10.0] * 59, 900.0])).table
    widths = [table.set_index("channel")["share_high"]["demo"] for table in (even, one)]
    assert widths[1] > widths[0]
    assert one["share_high"].between(0, 1).all() and one["share_low"].between(0, 1).all()


def test_a_single_deal_leaves_almost_everything_open():
    table = credited(journeys_of("web demo")).table.set_index("channel")
    assert table.loc["web", "share_low"] < 0.5
    assert table.loc["demo", "share_high"] > 0.5


def test_the_first_is_called_ahead_only_where_it_is():
    clear = credited(journeys_of(*(["web"] * 60 + ["demo"] * 5)))
    even = credited(journeys_of(*(["web"] * 31 + ["demo"] * 30)))
    assert clear.is_ahead and "ahead of demo" in clear.headline
    assert not even.is_ahead and "gap to demo" in even.headline


def test_rows_name_the_deals_behind_each_channel():
    rows = credited(journeys_of("web demo", "demo"), "linear").rows
    assert rows[rows["figure"] == "demo"]["id"].tolist() == ["0", "1"]


def test_models_side_by_side():
    steps = journeys_of(*(["web demo"] * 12 + ["email demo"] * 5))
    compared = compared_of(steps)
    spread = compared.table.drop_duplicates("channel").set_index("channel")["spread"]
    assert spread["demo"] == pytest.approx(1.0)
    assert "depends on the model" in compared.headline
    same = compared_of(journeys_of(*["web"] * 12))
    assert "first under each of 4 models" in same.headline


def test_nothing_won_is_an_answer():
    nothing = pd.DataFrame({"path": ["web"], "conversions": [0], "value": [0.0]})
    credit = credited(nothing)
    assert credit.table.empty
    assert credit.headline.startswith("No won deal can be credited")
    assert compared_of(nothing).headline.startswith("No won deal")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: attribute(journeys_of("web"), "magic", as_of=JUNE),
        lambda: attribute(journeys_of("web").drop(columns="channel"), as_of=JUNE),
        lambda: attribute(pd.DataFrame({"path": ["a"], "conversions": [1]}), "w_shaped"),
        lambda: attribute(journeys_of("web"), ["linear"]),
        lambda: attribute(["web"]),
        lambda: attribute(journeys_of("web").assign(deal_id=None)),
        lambda: attribute(journeys_of("web").assign(amount="much")),
        lambda: attribute(journeys_of("web").assign(amount=np.inf)),
        lambda: attribute(journeys_of("web").assign(position="first")),
        lambda: attribute(journeys_of("web"), lambda paths: np.zeros(len(paths.codes))),
        lambda: position_based(coded_of("web"), first=0.8, last=0.4),
        lambda: time_decay(coded_of("web"), half_life_days=0),
    ],
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ParameterError):
        wrong()


@pytest.mark.parametrize("model", [linear, last_touch, "first_touch"])
def test_charts_carry_their_finding(model):
    from matplotlib import pyplot as plt

    credit = credited(journeys_of("web $x_{1$", "demo"), model)
    ax = credit.plot()
    ax.figure.canvas.draw()
    assert ax.figure.get_label() == credit.headline
    compared_of(journeys_of("web demo")).plot().figure.canvas.draw()
    plt.close("all")


def public_paths():
    if not PUBLIC.exists():
        pytest.skip(f"public data is not beside the repository: {PUBLIC.name}")
    return pd.read_csv(PUBLIC / "channel_paths.csv", sep=";").rename(
        columns={
            "total_conversions": "conversions",
            "total_conversion_value": "value",
            "total_null": "nulls",
        }
    )


@pytest.mark.public_data
@pytest.mark.parametrize("model", ["first_touch", "last_touch", "linear"])
def test_public_paths_have_their_published_credit(model):
    paths = public_paths()
    facts = json.loads((PUBLIC / "facts.json").read_text())[f"{model}_conversions"]
    assert values(credited(paths, model), "conversions") == pytest.approx(facts, abs=1e-3)


@pytest.mark.public_data
def test_public_paths_have_the_markov_credit_that_exact_packages_give():
    credit = credited(public_paths(), "markov").table.set_index("channel")["conversions"]
    assert credit["alpha"] == pytest.approx(5345, abs=0.5)
    assert credit.sum() == pytest.approx(19785)


def milestones_of(lead, opened):
    """Four touches on four days; milestones at noon of the days given."""
    steps = journeys_of("web email event demo")
    return steps.assign(
        lead_created_at=None if lead is None else pd.Timestamp(f"2026-01-0{lead}T12:00Z"),
        opened_at=None if opened is None else pd.Timestamp(f"2026-01-0{opened}T12:00Z"),
    )


@pytest.mark.parametrize(
    ("model", "lead", "opened", "expected"),
    [
        ("w_shaped", 3, 4, [0.3, 0.3, 0.3, 0.1]),
        ("full_path", 3, 4, [0.25, 0.25, 0.25, 0.25]),
        ("full_path", 3, 5, [0.225, 0.225, 0.1, 0.45]),
        ("w_shaped", 2, 2, [0.9, 0.1 / 3, 0.1 / 3, 0.1 / 3]),
        ("hubspot_u_shaped", 4, 5, [0.4, 0.1, 0.4, 0.1]),
        ("marketo_measure_u_shaped", 4, 5, [0.5, 0.0, 0.5, 0.0]),
        ("adobe_j_shaped", 4, 5, [0.2, 0.1, 0.1, 0.6]),
    ],
)
def test_milestones_take_their_shares(model, lead, opened, expected):
    got = values(credited(milestones_of(lead, opened), model), "conversions")
    assert [got[channel] for channel in ("web", "email", "event", "demo")] == pytest.approx(
        expected
    )


def test_a_milestone_before_the_first_touch_is_no_touchs_and_its_share_is_dealt_out():
    got = values(credited(milestones_of(1, None), "hubspot_u_shaped"), "conversions")
    assert got["web"] == pytest.approx(0.4 / 0.6)
    assert sum(got.values()) == pytest.approx(1)


def test_time_decay_of_paths_goes_by_touches_with_a_caveat():
    paths = CodedPaths.of([["web", "email", "event"]], conversions=[1])
    assert time_decay(paths).tolist() == pytest.approx([1 / 7, 2 / 7, 4 / 7])
    by_touch = attribute(pd.DataFrame({"path": ["web > demo"], "conversions": [3]}), "time_decay")
    assert values(by_touch, "conversions") == pytest.approx({"web": 1, "demo": 2})
    assert any("Paths hold no times" in each for each in by_touch.caveats)
    assert not any(
        "hold no times" in each for each in credited(journeys_of("web"), "time_decay").caveats
    )


def test_times_may_be_texts_of_several_zones():
    steps = journeys_of("web demo").assign(
        occurred_at=["2026-01-01T01:00:00+01:00", "2026-01-08T00:00:00Z"]
    )
    assert values(credited(steps, "time_decay"), "conversions") == pytest.approx(
        {"web": 1 / 3, "demo": 2 / 3}
    )


@pytest.mark.parametrize("model", [*RULES, *PRESETS, "markov", "shapley", "shapley_rate"])
def test_every_model_adds_up_with_what_does_not_trace(model):
    steps = pd.concat(
        [
            milestones_of(3, 4),
            journeys_of("web demo web", NOT_TRACED, amounts=[70.0, 11.11]).assign(
                deal_id=lambda table: table["deal_id"] + 10
            ),
        ]
    )
    table = credited(steps, model).table
    assert table["conversions"].sum() == pytest.approx(3, abs=1e-9)
    assert round(table["value"].sum(), 2) == 331.11
    assert values(credited(steps, model))[NOT_TRACED] == pytest.approx(11.11)


@pytest.mark.parametrize("model", MODELS)
def test_credit_and_what_does_not_trace_are_what_each_slice_booked_to_the_cent(model):
    random = np.random.default_rng(3)
    paths = [
        " ".join(random.choice(["web", "email", "demo"], n)) for n in random.integers(1, 6, 90)
    ]
    paths = [NOT_TRACED if i % 11 == 0 else path for i, path in enumerate(paths)]
    amounts = random.lognormal(8, 1.2, 90).round(2)
    steps = journeys_of(*paths, amounts=amounts.tolist())
    steps = steps.assign(lead_created_at=steps["occurred_at"], opened_at=steps["occurred_at"])
    slice_of = pd.Series(random.choice(["emea", "amer", ""], 90), index=range(90))
    of_deals = pd.Series(amounts, index=slice_of.index)
    parts = 0.0
    for name in slice_of.unique():
        deals = slice_of.index[slice_of == name]
        table = credited(steps[steps["deal_id"].isin(deals)], model).table
        assert table["value"].sum() == pytest.approx(of_deals[deals].sum(), abs=0.005)
        assert table["conversions"].sum() == pytest.approx(len(deals), abs=1e-6)
        untraced = sum(paths[deal] == NOT_TRACED for deal in deals)
        assert table.set_index("channel")["n_deals"].get(NOT_TRACED, 0) == untraced
        parts += table["value"].sum()
    whole = credited(steps, model).table["value"].sum()
    assert [whole, parts] == pytest.approx([amounts.sum()] * 2, abs=0.005)


def test_all_models_stand_side_by_side_also_where_one_knows_more_channels():
    paths = pd.DataFrame(
        {
            "path": ["web > demo", "email", "demo"],
            "conversions": [12, 0, 3],
            "value": [900.0, 0.0, 30.0],
            "nulls": [5, 9, 1],
        }
    )
    journeys = journeys_of(*["web demo"] * 12, *["demo"] * 3)
    compared = side_by_side([credited(journeys, "linear"), credited(paths, "markov")])
    rows = compared.table.groupby("model")["conversions"].sum()
    assert rows.to_dict() == pytest.approx({"linear": 15, "markov": 15})
    assert "email" in set(compared.table["channel"])
    shown = compared.shown().set_index("channel")
    assert shown.loc["email", "linear"] == "0%"
    models = set(OF_JOURNEYS) - {"time_decay", "w_shaped", "full_path"}
    assert compared_of(paths, models).table["model"].nunique() == len(models)
    compared.plot().figure.canvas.draw()


def test_a_frame_needs_no_day_of_its_own():
    assert attribute(journeys_of("web")).as_of is None


@pytest.mark.parametrize("name", ['say "hi"', " padded ", "$x_{1$", "a>b"])
def test_odd_names_are_kept(name):
    paths = pd.DataFrame({"path": [f"{name} > demo"], "conversions": [1], "nulls": [1]})
    for model in ("linear", "markov", "shapley"):
        assert set(attribute(paths, model).table["channel"]) == {name.strip(), "demo"}


def test_an_arrow_within_a_name_stays_there_in_journeys():
    credit = attribute(journeys_of(["event > fair", "demo"]), "markov")
    assert set(credit.table["channel"]) == {"event > fair", "demo"}


def test_a_comparison_shows_one_column_a_model():
    compared = compared_of(journeys_of(*["web demo"] * 12))
    shown = compared.shown()["first touch"].str.replace(NO_BREAK, " ")
    assert shown.tolist() == ["100% [82 to 100]", "0% [0 to 18]"]
    assert "<th>last touch</th>" in compared._repr_html_()
