"""Common paths, how steps flow, how long they take, and whether they changed."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from funnel.dataset import Tables
from funnel.methods.paths import (
    NOT_TRACED,
    OTHER_PATHS,
    journey_ends,
    paths,
    paths_by_journey,
    scope_of,
)
from funnel.questions.attribution import common_paths, path_changes, path_times
from funnel.questions.attribution.common_paths import MORE, step_flow
from funnel.questions.attribution.path_changes import compared
from funnel.results.neutral_words import unfit_words
from funnel.stats import CANNOT_TELL, MOVED, same_distribution

CHANNELS = ["web", "email", "event", "demo"]


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def company(routes, closed, plan=None, **frames):
    """Won deals, each with its channels in order, ten days apart up to ten before the close."""
    closed = pd.to_datetime(pd.Series(closed), utc=True)
    rows = [
        (f"L{i}", channel, closed.iloc[i] - pd.Timedelta(days=10 * (len(route) - place)))
        for i, route in enumerate(routes)
        for place, channel in enumerate(route)
    ]
    touches = pd.DataFrame(rows, columns=["lead_id", "channel", "occurred_at"])
    leads = pd.DataFrame(
        {
            "lead_id": [f"L{i}" for i in range(len(routes))],
            "created_at": closed - pd.Timedelta("99D"),
        }
    )
    deals = pd.DataFrame(
        {
            "deal_id": [f"D{i}" for i in range(len(routes))],
            "lead_id": leads["lead_id"],
            "created_at": closed - pd.Timedelta(days=5),
            "closed_at": closed,
            "outcome": "won",
            "amount": 100.0,
        }
    )
    given = {"leads": leads, "deals": deals, "touches": touches} | frames
    return Tables.of(as_of="2026-06-30", plan=plan, **given)


def drawn(rng, n, weights=(0.4, 0.3, 0.2, 0.1)):
    return [list(rng.choice(CHANNELS, rng.integers(1, 4), p=weights)) for _ in range(n)]


def days(rng, n, first="2026-01-01", last="2026-06-30"):
    span = (pd.Timestamp(last) - pd.Timestamp(first)).days
    return pd.Timestamp(first) + pd.to_timedelta(rng.integers(0, span, n), unit="D")


def test_common_paths_are_those_counted_by_hand():
    rng = np.random.default_rng(4)
    routes = [*drawn(rng, 80), []]
    common = common_paths(company(routes, days(rng, 81)))
    won = common.table[common.table["to"] == "won"].set_index("path")["n"]
    by_hand = pd.Series(
        [" > ".join(name for name, _ in itertools.groupby(route)) for route in routes[:-1]]
    ).value_counts()
    frequent = by_hand[by_hand >= 5]
    assert won[frequent.index].tolist() == frequent.tolist()
    assert won[OTHER_PATHS] == by_hand[by_hand < 5].sum()
    assert won[NOT_TRACED] == 1 and won.sum() == 81
    assert common.table.groupby("to")["share"].sum().tolist() == pytest.approx([1.0, 1.0])
    assert (common.table["share_low"] <= common.table["share"]).all()
    assert frequent.index[0] in common.headline
    common.plot().figure.canvas.draw()
    assert unfit_words(common.headline) == []


def test_stages_are_the_first_recorded_the_opportunity_and_the_win():
    rng = np.random.default_rng(4)
    data = company(drawn(rng, 9), days(rng, 9))
    assert list(common_paths(data).nouns) == ["opportunity", "won"]
    changes = pd.DataFrame({"lead_id": ["L1"], "stage": ["mql"], "entered_at": ["2026-05-01"]})
    with_mql = company(drawn(rng, 9), days(rng, 9), stage_changes=changes)
    assert list(common_paths(with_mql).nouns) == ["mql", "opportunity", "won"]


@given(
    st.lists(st.lists(st.sampled_from(CHANNELS), min_size=1, max_size=7), min_size=1, max_size=12)
)
def test_what_flows_in_flows_out(routes):
    flow = step_flow(pd.Series([" > ".join(route) for route in routes]))
    assert flow.loc[flow["position"] == 1, "n"].sum() == len(routes)
    ended = flow["to_channel"].isin(["won", MORE])
    assert flow.loc[ended, "n"].sum() == len(routes)
    assert flow.loc[flow["to_channel"] == MORE, "n"].sum() == sum(
        len(route) > 4 for route in routes
    )
    for position in (1, 2, 3):
        into = flow[(flow["position"] == position) & ~ended].groupby("to_channel")["n"].sum()
        out = flow[flow["position"] == position + 1].groupby("from_channel")["n"].sum()
        pd.testing.assert_series_equal(into, out, check_names=False)


def test_the_permutation_test_agrees_with_every_possible_permutation():
    ones, zeros = np.array([4, 1, 1]), np.array([1, 3, 2])
    totals, members = ones + zeros, np.repeat([0, 1, 2], ones + zeros)

    def g(counts):
        value = 0.0
        for part in (counts, totals - counts):
            expected = totals * part.sum() / totals.sum()
            value += sum(2 * o * np.log(o / e) for o, e in zip(part, expected, strict=True) if o)
        return value

    chosen = itertools.combinations(range(12), 6)
    every = [g(np.bincount(members[list(each)], minlength=3)) for each in chosen]
    exact = np.mean(np.array(every) >= g(ones) - 1e-9)
    found = same_distribution(ones, zeros, draws=4000, seed=2).p_value
    assert found == pytest.approx(exact, abs=0.025)


def test_several_groupings_of_nothing_keep_the_false_alarm_rate():
    rng = np.random.default_rng(7)
    labels = {"one": np.arange(12), "two": np.arange(12) // 4, "three": np.arange(12) % 3}
    found = [
        same_distribution(
            rng.multinomial(60, [1 / 12] * 12), rng.multinomial(80, [1 / 12] * 12), draws=99,
            seed=seed, groupings=labels,
        ).p_value
        for seed in range(300)
    ]  # fmt: skip
    assert 0.05 < np.mean(np.array(found) <= 0.1) < 0.15


def test_permuted_periods_show_no_change_at_least_ninety_times_in_a_hundred():
    rng = np.random.default_rng(11)
    data = company(drawn(rng, 300), days(rng, 300))
    scope = scope_of(data)
    ends = journey_ends(data, scope)
    each_path = paths_by_journey(data, scope, collapse=True)
    changed = 0
    for _ in range(100):
        result = compared(
            data, scope, ends, each_path.assign(is_now=rng.permutation(300) < 150), draws=199
        )
        changed += (result.table["verdict"] == MOVED).any() or result.headline.startswith(
            "The paths changed"
        )
    assert changed <= 10


def test_a_change_of_paths_is_found_and_named():
    rng = np.random.default_rng(2)
    before = drawn(rng, 250)
    now = [["event", "demo"] if rng.random() < 0.25 else route for route in drawn(rng, 250)]
    closed = [*days(rng, 250, last="2026-03-31"), *days(rng, 250, first="2026-04-01")]
    result = path_changes(company(before + now, closed))
    moved = result.table[result.table["verdict"] == MOVED]
    assert result.p_value <= 0.05
    assert "event > demo" in set(moved["path"]) and "event to demo" in set(moved["path"])
    row = moved[moved["path"] == "event > demo"].iloc[0]
    assert row["change_low"] > 0.1 and row["change"] == row["share"] - row["share_before"]
    assert result.headline.startswith("The paths changed")
    result.plot().figure.canvas.draw()
    assert unfit_words(result.headline) == []
    by_grain = result.table.groupby("grain")[["n", "n_before"]].sum()
    assert (by_grain == [result.n, result.n_before]).all(axis=None)


def test_lost_touches_are_no_change_of_paths():
    rng = np.random.default_rng(5)
    n = 1500
    routes = [["web", *route] for route in drawn(rng, n)]
    whole = company(routes, days(rng, n, first="2025-01-01"))
    before = path_changes(whole)
    assert before.is_comparable and before.p_value > 0.01
    touches = whole.touches
    late = touches["occurred_at"] >= "2026-04-01"
    dark = late & (touches["channel"] == "web")
    frames = {"leads": whole.leads, "deals": whole.deals}
    broken = Tables.of(
        as_of="2026-06-30",
        touches=touches.assign(channel=touches["channel"].mask(dark, "direct")),
        **frames,
    )
    result = path_changes(broken)
    assert "Apr 1, 2026" in result.headline and "is not known" in result.headline
    assert len(result.losses) == 1 and not result.has_coverage_gap
    assert set(result.table["verdict"]) == {CANNOT_TELL}
    assert result.table["p_value"].isna().all() and np.isnan(result.p_value)


def test_fewer_that_trace_are_no_change_of_paths_either():
    rng = np.random.default_rng(6)
    closed = days(rng, 200)
    routes = [
        [] if when >= pd.Timestamp("2026-04-01") and rng.random() < 0.5 else route
        for route, when in zip(drawn(rng, 200), closed, strict=True)
    ]
    result = path_changes(company(routes, closed))
    assert result.has_coverage_gap and "Journeys that trace" in result.headline
    assert set(result.table["verdict"]) == {CANNOT_TELL}


def test_too_few_or_no_journeys_are_not_compared():
    data = company([["web"]] * 4, ["2026-02-01", "2026-05-01"] * 2)
    assert "too few trace" in path_changes(data).headline
    none = company([["web"]], ["2024-02-01"])
    assert "is not known" in path_changes(none).headline
    path_changes(none).plot().figure.canvas.draw()


def test_names_of_channels_and_order_of_rows_change_nothing():
    rng = np.random.default_rng(8)
    routes, closed = drawn(rng, 90), days(rng, 90)
    one = path_changes(company(routes, closed))
    names = dict(zip(CHANNELS, ["z", "'q\"", "a b", "$m$"], strict=True))
    other = path_changes(company([[names[c] for c in route] for route in routes], closed))
    assert one.p_value == pytest.approx(other.p_value, abs=0.04)
    numbers = ["n", "n_before", "change_low", "p_value", "q_value"]
    sort = {"by": ["grain", "n", "n_before"], "ignore_index": True}
    pd.testing.assert_frame_equal(
        one.table.sort_values(**sort)[numbers], other.table.sort_values(**sort)[numbers]
    )


@settings(max_examples=5)
@given(st.integers(0, 1000))
def test_times_are_those_of_a_slow_loop(seed):
    rng = np.random.default_rng(seed)
    routes, closed = drawn(rng, 15), days(rng, 15)
    data = company(routes, closed)
    gaps = {"last to end": [], "first to end": []}
    at = data.touches.merge(data.deals[["lead_id", "closed_at"]], on="lead_id")
    for _, rows in at.groupby("lead_id"):
        rows = rows.sort_values("occurred_at")
        steps = rows[rows["channel"] != rows["channel"].shift()]
        when = steps["occurred_at"].tolist()
        for place, (a, b) in enumerate(itertools.pairwise(when), 1):
            gaps.setdefault(f"{place} to {place + 1}", []).append((b - a).days)
        gaps["last to end"].append((rows["closed_at"].iloc[0] - when[-1]).days)
        gaps["first to end"].append((rows["closed_at"].iloc[0] - when[0]).days)
    table = path_times(data).table.set_index("step")
    assert set(table.index) == {step for step, values in gaps.items() if values}
    for step, row in table.iterrows():
        values = sorted(gaps[step])
        assert row["n"] == len(values)
        assert row["median_days"] == values[int(np.ceil(len(values) / 2)) - 1]
        assert row["median_days_low"] <= row["median_days"] <= row["median_days_high"]
        assert row["p25_days"] <= row["median_days"] <= row["p75_days"]


@pytest.mark.parametrize("n", [1, 3, 12, 40, 150])
def test_the_interval_of_a_median_holds_it_as_often_as_it_says(n):
    closed = pd.Timestamp("2026-06-30") - pd.to_timedelta(np.zeros(n), unit="D")
    data = company([["web"]] * n, closed)
    waits = np.arange(1, n + 1)  # so that the ends of the interval are ranks
    touches = data.touches.assign(
        occurred_at=pd.Timestamp("2026-06-30", tz="UTC") - pd.to_timedelta(waits, unit="D")
    )
    data = Tables.of(as_of="2026-06-30", leads=data.leads, deals=data.deals, touches=touches)
    row = path_times(data).table.iloc[-1]
    below, above = row["median_days_low"], row["median_days_high"]
    holds = binom.cdf(above - 1, n, 0.5) - binom.cdf(below - 1, n, 0.5)
    assert holds >= 0.88 or (below, above) == (1, n)


def test_no_path_no_time():
    rng = np.random.default_rng(1)
    data = company([[]] * 5, days(rng, 5))
    assert "no path" in path_times(data).headline.lower()
    for result in (path_times(data), common_paths(data), path_changes(data)):
        assert result.plot().figure.get_label() == result.headline
        assert result._repr_html_()
    assert paths(data).table["path"].tolist() == [NOT_TRACED]
