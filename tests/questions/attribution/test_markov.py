"""Removal effects and Shapley values: against brute force in fractions, and against each other."""

import itertools
import math
from collections import defaultdict
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import funnel
from funnel.contract.errors import ParameterError
from funnel.methods.paths import CodedPaths, coded_paths
from funnel.questions.attribution import (
    attribute,
    joint_models,
    large_chains,
    linear,
    markov,
    removal_effects,
    sampling_distribution,
    shapley,
)
from funnel.questions.attribution.joint_models import Markov, RateShapley
from funnel.questions.attribution.markov import chain, influences, removal
from funnel.questions.attribution.models import shares_of
from funnel.questions.attribution.sampling_distribution import Sample, worth_of_one
from funnel.questions.attribution.shapley import channel_sets, rate_game, shapley_values

ROWS = st.lists(
    st.tuples(
        st.lists(st.sampled_from("abcd"), min_size=1, max_size=6),
        st.integers(0, 4),
        st.integers(0, 5),
        st.integers(0, 900),
    ),
    min_size=1,
    max_size=8,
)


def table_of(rows):
    return pd.DataFrame(
        [
            {"path": " > ".join(path), "conversions": wins, "value": wins * value, "nulls": nulls}
            for path, wins, nulls, value in rows
        ]
    )


def worth_by_elimination(rows, order, removed=None, of_value=False):
    """Count the chain in a slow loop and solve it in fractions, state by state."""
    steps = defaultdict(lambda: defaultdict(Fraction))
    gained = defaultdict(Fraction)
    for path, wins, nulls, value in rows:
        before = ()
        for channel in path:
            after = (*before, channel)[-order:]
            steps[before][after] += wins + nulls
            before = after
        steps[before]["end"] += wins + nulls
        gained[before] += wins * value if of_value else wins
    states = [state for state in steps if sum(steps[state].values()) > 0]
    total = {state: sum(steps[state].values()) for state in states}

    def lives(state):
        return not (removed and state and state[-1] == removed)

    kept = [state for state in states if lives(state)]
    place = {state: i for i, state in enumerate(kept)}
    n = len(kept)
    rows_of = [[Fraction(int(i == j)) for j in range(n)] + [Fraction(0)] for i in range(n)]
    for state in kept:
        i = place[state]
        for after, count in steps[state].items():
            if after in place:
                rows_of[i][place[after]] -= count / total[state]
        rows_of[i][n] = gained[state] / total[state]
    for i in range(n):
        pivot = next(r for r in range(i, n) if rows_of[r][i] != 0)
        rows_of[i], rows_of[pivot] = rows_of[pivot], rows_of[i]
        scale = rows_of[i][i]
        rows_of[i] = [cell / scale for cell in rows_of[i]]
        for r in range(n):
            if r != i and rows_of[r][i]:
                factor = rows_of[r][i]
                rows_of[r] = [a - factor * b for a, b in zip(rows_of[r], rows_of[i], strict=True)]
    return rows_of[place[()]][n] if () in place else Fraction(0)


@given(rows=ROWS, order=st.integers(1, 4))
@settings(max_examples=40)
def test_removal_effects_are_those_of_the_chain_solved_in_fractions(rows, order):
    worth = worth_by_elimination(rows, order)
    table = removal_effects(table_of(rows), order).table
    for channel, effect in zip(table["channel"], table["removal_effect"], strict=True):
        if not worth:
            assert np.isnan(effect)
        else:
            expected = 1 - worth_by_elimination(rows, order, channel) / worth
            assert effect == pytest.approx(float(expected), abs=1e-9)


@given(rows=ROWS, order=st.integers(1, 3))
@settings(max_examples=15)
def test_value_is_shared_out_by_what_each_removal_loses_of_it(rows, order):
    whole = worth_by_elimination(rows, order, of_value=True)
    credit = attribute(table_of(rows), "markov", order=order)
    total = sum(wins * value for _, wins, _, value in rows)
    assert credit.table["value"].sum() == pytest.approx(total, abs=0.005)
    if whole:
        lost = {
            channel: float(1 - worth_by_elimination(rows, order, channel, of_value=True) / whole)
            for channel in credit.table["channel"]
        }
        shares = {channel: each / sum(lost.values()) for channel, each in lost.items()}
        got = credit.table.set_index("channel")["share"].to_dict()
        assert got == pytest.approx(shares, abs=1e-9)


def test_the_textbook_chain_by_hand():
    rows = [(["C1", "C2", "C3"], 1, 0, 0), (["C1"], 0, 1, 0), (["C2", "C3"], 0, 1, 0)]
    effects = funnel.removal_effects(table_of(rows)).table.set_index("channel")["removal_effect"]
    assert effects.to_dict() == pytest.approx({"C1": 0.5, "C2": 1.0, "C3": 1.0})
    credit = funnel.attribute(table_of(rows), model="markov").table.set_index("channel")
    assert credit["conversions"].to_dict() == pytest.approx({"C1": 0.2, "C2": 0.4, "C3": 0.4})


@given(rows=ROWS)
@settings(max_examples=20)
def test_a_memory_as_long_as_the_paths_loses_just_the_wins_that_met_the_channel(rows):
    rows = [(path[:4], wins, nulls, value) for path, wins, nulls, value in rows]
    wins = sum(row[1] for row in rows)
    if wins:
        table = removal_effects(table_of(rows), 4).table
        met = {x: sum(n for path, n, *_ in rows if x in path) / wins for x in table["channel"]}
        got = table.set_index("channel")["removal_effect"].to_dict()
        assert got == pytest.approx(met, abs=1e-9)


@given(rows=ROWS, order=st.integers(1, 3))
@settings(max_examples=20)
def test_repeats_in_a_row_do_not_matter_to_a_chain_of_order_one(rows, order):
    doubled = [([x for x in path for _ in range(order)], *rest) for path, *rest in rows]
    one, two = (removal_effects(table_of(each)).table for each in (rows, doubled))
    assert one["removal_effect"].to_numpy() == pytest.approx(
        two["removal_effect"].to_numpy(), abs=1e-9, nan_ok=True
    )


@given(rows=ROWS, order=st.integers(1, 4), shuffle=st.randoms())
@settings(max_examples=20)
def test_renaming_splitting_and_reordering_change_nothing(rows, order, shuffle):
    table = table_of(rows)
    split = pd.concat([table, table.assign(conversions=0, value=0)])  # nulls twice: see below
    split["nulls"] = np.concatenate([table["nulls"] * 0, table["nulls"]])
    split = split.iloc[shuffle.sample(range(len(split)), len(split))]
    renamed = table.assign(path=table["path"].str.translate(str.maketrans("abcd", "zyxw")))
    back = dict(zip("zyxw", "abcd", strict=True))
    for model in ("markov", "shapley", "shapley_rate"):
        plain = attribute(table, model, order=order).table.set_index("channel")["share"]
        other = attribute(split, model, order=order).table.set_index("channel")["share"]
        assert other.to_dict() == pytest.approx(plain.to_dict(), abs=1e-9, nan_ok=True)
        names = attribute(renamed, model, order=order).table
        named = dict(zip(names["channel"].map(back), names["share"], strict=True))
        assert named == pytest.approx(plain.to_dict(), abs=1e-9, nan_ok=True)


@given(rows=ROWS, order=st.integers(1, 3))
@settings(max_examples=15)
def test_solving_sparsely_gives_the_same_as_the_inverse(rows, order):
    paths = coded_paths(table_of(rows))
    paths = paths.taken(paths.conversions + paths.nulls > 0)
    dense, sparse = chain(paths, order), chain(paths, order)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(markov, "_MOST_DENSE", 0)
        assert sparse.reached == pytest.approx(dense.reached, abs=1e-10)
        for of_value in (False, True):
            ahead = sparse.ahead(of_value=of_value)
            patch.setattr(markov, "_MOST_DENSE", 1000)
            assert ahead == pytest.approx(dense.ahead(of_value=of_value), abs=1e-9)
            patch.setattr(markov, "_MOST_DENSE", 0)


def test_a_chain_that_walks_for_very_long_is_solved_as_well():
    path = ("ab" * 400 + "c" + "ab" * 400 + "b") * 5
    paths = coded_paths(table_of([(list(path), 1, 0, 1), (["a", "c"], 2, 3, 1)]))
    dense = removal(chain(paths, 2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(markov, "_MOST_DENSE", 0)
        patch.setattr(large_chains, "_MOST_STEPS", 3)
        sparse = removal(chain(paths, 2))
    assert sparse.without == pytest.approx(dense.without, abs=1e-9)


def influence_by_path(blocks, paths):
    """Influence of one journey of each path, without a win and with one."""
    lost, won = np.zeros((2, paths.n_paths, len(paths.channels)))
    for some in blocks:
        for row, path in zip(some.of_one, some.times - 1, strict=True):
            if path < 0:
                continue
            (won if some.worth.any() else lost)[int(path)] = row
    return lost, won


@pytest.mark.parametrize("of_value", [False, True])
@pytest.mark.parametrize("model", [Markov(1), Markov(2), RateShapley(), "effects"])
def test_the_influence_of_a_journey_is_the_change_by_one_more_of_them(model, of_value, monkeypatch):
    rows = [("ab", 1, 1, 3), ("abc", 2, 2, 7), ("b", 3, 3, 2), ("aca", 4, 4, 1), ("c", 5, 5, 4)]
    paths = coded_paths(table_of([(list(path), *rest) for path, *rest in rows]))
    paths = paths.taken(np.argsort(paths.nulls))  # the journeys of a path say which one it is

    def shares(paths):
        if model == "effects":
            return removal(chain(paths), of_value=of_value).effects
        return model.shares(paths, model.counted(paths), of_value=of_value)

    worth = worth_of_one(paths, of_value=of_value)
    sample = Sample(np.arange(paths.n_paths), np.ones(paths.n_paths))
    if model == "effects":
        blocks = influences(paths, chain(paths), worth, sample, of_value=of_value, of_shares=False)
    else:
        monkeypatch.setattr(
            joint_models, "_ALONE", 0.0
        )  # the spread is asked for, with nothing added
        blocks = model.influence(paths, model.counted(paths), worth, sample, of_value=of_value)
    lost, won = influence_by_path(blocks, paths)
    before, step = shares(paths), 1e-6
    for path in range(paths.n_paths):
        one = np.eye(paths.n_paths)[path] * step
        more = {"nulls": paths.nulls + one}
        moved = (shares(CodedPaths(**{**fields_of(paths), **more})) - before) / step
        assert moved == pytest.approx(lost[path], abs=1e-4)
        each = worth[path] if of_value else 1.0
        more = {"conversions": paths.conversions + one, "value": paths.value + one * each}
        moved = (shares(CodedPaths(**{**fields_of(paths), **more})) - before) / step
        assert moved == pytest.approx(won[path], abs=1e-4)


def fields_of(paths):
    names = ("channels", "codes", "offsets", "conversions", "value", "nulls")
    return {name: getattr(paths, name) for name in names}


def some_ways():
    random = np.random.default_rng(4)
    wins = random.integers(0, 4, 400)
    value = random.integers(1, 90, 400) * wins
    return CodedPaths.of(
        [random.choice(list("abcdef"), random.integers(0, 6)) for _ in range(400)],
        conversions=wins, value=value, nulls=random.integers(0, 9, 400),
    ).grouped()  # fmt: skip


def test_a_channel_that_few_journeys_met_alone_has_a_wide_interval():
    paths = [("ab", 60, 300, 1), ("a", 80, 400, 1), ("b", 2, 0, 1)]
    few = attribute(table_of([(list(path), *rest) for path, *rest in paths]), "shapley_rate").table
    many = [(list(path), wins * 10, nulls * 10, 1) for path, wins, nulls, _ in paths]
    sure = attribute(table_of(many), "shapley_rate").table
    wide, narrow = (table["share_high"] - table["share_low"] for table in (few, sure))
    assert (wide > 2 * narrow).all()


def test_channels_that_no_journey_met_alone_are_named():
    table = table_of([(list("ab"), 60, 300, 1), (["a"], 80, 400, 1)])
    assert any(each.startswith("No journey met b alone") for each in caveats_of(table))
    assert not any("alone" in each for each in caveats_of(table_of([(["a"], 8, 9, 1)])))


def caveats_of(table):
    return attribute(table, "shapley_rate").caveats


@pytest.mark.parametrize("of_value", [False, True])
@pytest.mark.parametrize("model", [linear, Markov(1), RateShapley()])
def test_the_sampling_distribution_of_shares_is_that_of_bootstrap_samples(model, of_value):
    paths = some_ways()
    distribution = shares_of(paths, model, of_value=of_value).distribution
    drawn = shares_of(paths, model, of_value=of_value, draws=1500, seed=1).distribution
    error, seen = np.sqrt(distribution.variance), np.sqrt(drawn.variance)
    assert error == pytest.approx(seen, rel=0.12)
    apart = np.outer(error, error)
    assert distribution.covariance / apart == pytest.approx(drawn.covariance / apart, abs=0.2)


@pytest.mark.parametrize("model", [linear, Markov(1), Markov(2), RateShapley()])
def test_a_spread_measured_on_a_part_of_the_paths_is_about_that_of_all(model, monkeypatch):
    paths = some_ways()
    distribution = shares_of(paths, model, of_value=True).distribution
    monkeypatch.setattr(sampling_distribution, "_MOST_CELLS", 0)
    monkeypatch.setattr(sampling_distribution, "_FEWEST", 200)
    part = shares_of(paths, model, of_value=True).distribution
    assert np.sqrt(part.variance) == pytest.approx(np.sqrt(distribution.variance), rel=0.25)
    assert (part.degrees < distribution.degrees * 1.5).all()


@pytest.mark.parametrize("model", [linear, Markov(1), RateShapley()])
def test_without_a_covariance_two_shares_differ_only_if_they_do_with_it(model, monkeypatch):
    paths = some_ways()
    distribution = shares_of(paths, model, of_value=True).distribution
    monkeypatch.setattr(sampling_distribution, "_MOST_COMPARED", 0)
    many = shares_of(paths, model, of_value=True).distribution
    assert many.covariance is None
    assert many.variance == pytest.approx(distribution.variance, rel=1e-12)
    assert many.degrees == pytest.approx(distribution.degrees, rel=1e-9)
    for by in np.sqrt(distribution.variance[0] + distribution.variance[1]) * np.linspace(0.5, 4, 8):
        assert distribution.differ(0, 1, by, 0.9) or not many.differ(0, 1, by, 0.9)


def test_removal_effects_of_bootstrap_samples_have_the_same_intervals():
    table = table_of([(list("ab"), 30, 90, 1), (list("bca"), 20, 40, 1), (list("ca"), 9, 70, 1)])
    distribution, drawn = (removal_effects(table, draws=draws).table for draws in (0, 2000))
    for end in ("low", "high"):
        name = f"removal_effect_{end}"
        assert drawn[name].to_numpy() == pytest.approx(distribution[name].to_numpy(), abs=0.012)


@pytest.mark.parametrize("order", [0, 5, 1.5, True, "1"])
def test_an_order_that_is_no_memory_is_refused(order):
    with pytest.raises(ParameterError, match="whole number from 1 to 4"):
        removal_effects(table_of([("a", 1, 1, 1)]), order)


def test_without_null_journeys_a_caveat_says_what_is_missing():
    table = pd.DataFrame({"path": ["web > demo", "demo"], "conversions": [20, 10]})
    for result in (removal_effects(table), attribute(table, "markov")):
        assert any("No journey without a win is known" in each for each in result.caveats)
    assert removal_effects(table).table["removal_effect"].tolist() == [1.0, 2 / 3]


def test_nothing_won_has_no_effects_and_says_so():
    result = removal_effects(pd.DataFrame({"path": ["a > b"], "conversions": [0], "nulls": [4]}))
    assert result.table["removal_effect"].isna().all()
    assert "there is no removal effect" in result.headline
    empty = pd.DataFrame({"path": pd.Series(dtype="str"), "conversions": pd.Series(dtype=float)})
    assert removal_effects(empty).table.empty
    assert attribute(empty, "markov").table.empty


def test_a_single_channel_and_a_path_of_many_steps():
    one = pd.DataFrame({"path": ["a", "a > a"], "conversions": [30, 10], "nulls": [10, 50]})
    assert removal_effects(one).table["removal_effect"].tolist() == [1.0]
    long = " > ".join(["a", "b", "b", "c"] * 25_000)
    table = pd.DataFrame({"path": [long, "c"], "conversions": [1, 1], "nulls": [1, 0]})
    for order in (1, 4):
        effects = removal_effects(table, order).table.set_index("channel")
        expected = {"a": 0.5, "b": 0.5, "c": 1.0} if order == 4 else None
        assert effects["removal_effect"].between(0, 1).all()
        if expected:
            assert effects.loc["c", "removal_effect"] == pytest.approx(1.0)


def worth_of_sets(rows, channels):
    wins, all_of = defaultdict(int), defaultdict(int)
    for path, won, nulls, _ in rows:
        for r in range(len(channels) + 1):
            for members in itertools.combinations(channels, r):
                if set(path) <= set(members):
                    wins[members] += won
                    all_of[members] += won + nulls
    return wins, all_of


@given(rows=ROWS)
@settings(max_examples=20)
def test_shapley_by_sets_is_shapley_by_all_orders(rows):
    channels = sorted({x for path, *_ in rows for x in path})
    wins, all_of = worth_of_sets(rows, channels)
    rates = {key: wins[key] / n for key, n in all_of.items() if n}
    table = table_of(rows)
    for model, game in (("shapley", wins), ("shapley_rate", rates)):
        values = dict.fromkeys(channels, 0.0)
        for order in itertools.permutations(channels):
            for i, x in enumerate(order):
                with_x, without = tuple(sorted(order[: i + 1])), tuple(sorted(order[:i]))
                values[x] += game.get(with_x, 0) - game.get(without, 0)
        values = {x: value / math.factorial(len(channels)) for x, value in values.items()}
        total = sum(values.values())
        n = sum(row[1] for row in rows)
        credit = attribute(table, model).table.set_index("channel")["conversions"]
        if n:
            expected = {x: value / total * n for x, value in values.items()}
            assert credit.to_dict() == pytest.approx(expected, abs=1e-9)


def test_any_game_can_be_asked_and_no_other():
    assert shapley_values([[0, 1, 1, 1], [0, 0, 0, 6]]).tolist() == [[0.5, 0.5], [3.0, 3.0]]
    for wrong in ([0, 1, 2], 5.0):
        with pytest.raises(ParameterError, match="sets"):
            shapley_values(wrong)
    assert rate_game([0, 1, 0, 0], [0, 2, 0, 0])[0].tolist() == [0, 0.5, 0, 0.5]


def test_more_channels_than_sets_can_hold_count_the_least_met_as_one():
    random = np.random.default_rng(2)
    names = [f"c{i:02d}" for i in range(20)]
    paths = [random.choice(names, random.integers(1, 4)) for _ in range(300)]
    coded = CodedPaths.of(paths, conversions=random.integers(0, 3, 300), nulls=np.ones(300))
    sets, bits = channel_sets(coded)
    assert bits.max() == shapley.MOST_CHANNELS - 1
    assert sets.max() < 2**shapley.MOST_CHANNELS
    credit = attribute(coded, "shapley_rate")
    assert credit.table["conversions"].sum() == pytest.approx(coded.conversions.sum())
    assert any("count as one together" in each for each in credit.caveats)


def test_only_untraced_wins_leave_nothing_to_share_among_channels():
    table = pd.DataFrame(
        {"path": ["web", "(not traced)"], "conversions": [0, 30], "nulls": [50, 0]}
    )
    shares = attribute(table, "markov").table.set_index("channel")["share"]
    assert shares.to_dict() == {"web": 0.0, "(not traced)": 1.0}


def test_a_spread_that_hangs_on_one_journey_is_wide_and_still_a_number():
    paths = {"path": ["b > c > c", "c", "b > a", "a"], "conversions": [1, 30, 0, 10_000]}
    credit = attribute(pd.DataFrame(paths | {"nulls": [0, 0, 0, 5]}), "shapley_rate")
    reach = credit.table["share_high"] - credit.table["share_low"]
    assert (reach < 1e6).all()
    assert credit.headline
