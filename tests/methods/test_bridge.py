"""The bridge: exact, free of order, to the cent, and on known causes."""

import itertools
import math
import tomllib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funnel.contract.errors import ParameterError
from funnel.contract.plan import Plan
from funnel.dataset import Tables
from funnel.methods.bridge import bridge
from funnel.methods.bridge.bridge import bridge_with_calendar, shown_totals
from funnel.methods.bridge.cells import AGES, Layout, Window, cells
from funnel.methods.bridge.expected_calendar import ExpectedChange
from funnel.methods.bridge.factors import _chances, density_of_waits, factors
from funnel.methods.bridge.flow import PER_BLOCK, Factors, _value, contributions
from funnel.methods.bridge.resampling import weights
from funnel.methods.bridge.significance import (
    Parts,
    adjusted,
    combined_p,
    like_for_like,
    two_sided,
    verdict_of,
)
from funnel.methods.bridge.stage_history import calendar_pairs, stage_history, waits_of, won_deals
from funnel.methods.bridge.text import driver_label
from funnel.results import Say
from funnel.sample import company

DRIVERS = [
    "calendar", "lead volume", "mix", "lead to mql", "mql to sal", "sal to sql",
    "sql to opportunity", "opportunity to won", "timing", "deal size",
    "deals without a lead", "renewals", "residual",
]  # fmt: skip
COLUMNS = ["driver", "segment", "contribution", "low", "high", "verdict", "smallest_detectable"]


def tables_of(scenario="none", *, leads=300, quarters=6, seed=5, only=(), plan=None, as_of=None):
    made = company(scenario, leads=leads, quarters=quarters, seed=seed)
    names = only or ("leads", "stage_changes", "deals")
    read = Plan.of(tomllib.loads(made.plan_toml)).with_keys(**(plan or {}))
    frames = {name: made.tables[name] for name in names}
    return made, Tables.of(plan=read, as_of=as_of or made.as_of, **frames)


@pytest.fixture(scope="module")
def small():
    return tables_of()


def assert_adds_up(result):
    totals = result.totals
    if np.isnan(result.baseline_value):  # nothing is recorded of it, so nothing is split
        assert np.isnan(result.change) and result.table.empty
        return
    assert round(totals["contribution"].sum(), 2) == result.change
    by_driver = result.table[result.table["segment"].notna()].groupby("driver", sort=False)
    if len(by_driver):
        summed = by_driver["contribution"].sum().round(2)
        assert summed.tolist() == pytest.approx(totals["contribution"].tolist(), abs=0.005)
    assert (result.table["low"] <= result.table["high"]).all()
    moved = result.table[result.table["verdict"] == "moved"]
    assert (moved["low"] * moved["high"] > 0).all()


# the arithmetic


def random_factors(random, n_stages=2, n_segments=2, n_blocks=2):
    n_bins = n_blocks * PER_BLOCK
    shape = (1, n_stages, n_segments)
    mix = random.random((*shape, n_blocks))
    leaving = np.triu(random.random((*shape, n_bins, n_bins))) / n_bins
    return Factors(
        volume=10 * random.random((1, n_stages, n_blocks)),
        mix=mix / mix.sum(axis=2, keepdims=True),
        spread=random.random((*shape, n_bins)),
        season=random.random((1, n_stages, n_bins)) + 0.5,
        rate=random.random((*shape, n_blocks)),
        leaving=leaving,
        closing=random.random(1) + 0.5,
        size=random.normal(size=(1, n_segments)),  # negative ones too
    )


def every_order(old, new):
    """Shapley values by their definition: over all sets of factors that have changed before."""
    n_stages = old.rate.shape[1]
    names = ["volume", "spread", "mix", "season", "closing", "size"]
    players = names + [(n, k) for n in ("rate", "leaving") for k in range(n_stages)]

    def value(changed):
        parts = {n: getattr(new if n in changed else old, n) for n in names}
        for name in ("rate", "leaving"):
            stacked = getattr(old, name).copy()
            for k in range(n_stages):
                if (name, k) in changed:
                    stacked[:, k] = getattr(new, name)[:, k]
            parts[name] = stacked
        return _value(Factors(**parts)).sum(axis=(0, 1))

    values = {
        frozenset(some): value(some)
        for size in range(len(players) + 1)
        for some in itertools.combinations(players, size)
    }
    n = len(players)
    shares = {}
    for player in players:
        total = 0.0
        for some, worth in values.items():
            if player not in some:
                weight = math.factorial(len(some)) * math.factorial(n - len(some) - 1)
                total = total + weight * (values[some | {player}] - worth)
        shares[player] = total / math.factorial(n)
    return shares


def test_contributions_are_the_mean_over_all_orders():
    random = np.random.default_rng(3)
    old, new = random_factors(random), random_factors(random)
    brute, fast = every_order(old, new), contributions(old, new)
    by_driver = {
        "volume": brute["volume"] + brute["spread"],
        "mix": brute["mix"],
        "calendar": brute["season"] + brute["closing"],
        "timing": brute["leaving", 0] + brute["leaving", 1],
        "size": brute["size"],
    }
    scale = np.abs(_value(old)).sum() + np.abs(_value(new)).sum()
    for name, expected in by_driver.items():
        assert getattr(fast, name)[0].sum(axis=0) == pytest.approx(expected, abs=1e-9 * scale)
    for k in range(2):
        found = fast.rates[0, k].sum(axis=0)
        assert found == pytest.approx(brute["rate", k], abs=1e-9 * scale)


def test_contributions_add_up_by_segment_and_in_all():
    random = np.random.default_rng(4)
    old, new = random_factors(random, 3, 4, 1), random_factors(random, 3, 4, 1)
    shared = contributions(old, new)
    by_segment = shared.calendar + shared.volume + shared.mix + shared.timing + shared.size
    by_segment = by_segment + shared.rates.sum(axis=1)
    assert by_segment == pytest.approx(shared.worlds[1] - shared.worlds[0], abs=1e-12)


def test_six_nodes_do_for_the_draws_of_a_plan_with_many_stages():
    random = np.random.default_rng(4)
    old = random_factors(random, 5, 2, 1)
    new = Factors(**{name: part * random.uniform(0.7, 1.4) for name, part in vars(old).items()})
    exact, few = contributions(old, new), contributions(old, new, 6)
    scale = np.abs(exact.worlds).max()
    for name in ("calendar", "volume", "mix", "rates", "timing", "size"):
        assert getattr(few, name) == pytest.approx(getattr(exact, name), abs=1e-8 * scale)


def test_one_factor_that_changes_takes_it_all():
    random = np.random.default_rng(5)
    old = random_factors(random)
    new = Factors(**{**vars(old), "size": old.size * 1.5})
    shared = contributions(old, new)
    assert shared.size == pytest.approx(shared.worlds[1] - shared.worlds[0])
    for name in ("calendar", "volume", "mix", "rates", "timing"):
        assert not getattr(shared, name).any()


def test_waits_seen_only_so_long_are_not_taken_for_short():
    # Half wait one bin, half two, but of those who came last only the short waits are seen.
    advances = np.array([[0.0, 50, 50], [0, 50, 0], [0, 0, 0]])
    assert density_of_waits(advances).tolist() == pytest.approx([0, 0.5, 0.5])
    assert advances.sum(axis=0)[1] / advances.sum() > 0.6  # which is what a plain mean would say


def visits(*rows):
    columns = ["unit", "segment", "stage", "entered", "left_", "is_advance", "is_source", "value"]
    return pd.DataFrame(rows, columns=columns)


def test_cells_by_hand():
    # Bins of one second, one block; the baseline's window ends where the period's begins.
    windows = (Window(13.0, 13.0, 1), Window(26.0, 13.0, 1))
    layout = Layout(n_stages=1, n_segments=1, n_blocks=1)
    frame = visits(
        (0, 0, 0, 2.5, 4.5, True, True, 70.0),
        (1, 0, 0, 12.0, 14.5, False, True, 0.0),
        (2, 0, 0, 20.0, np.nan, False, True, 0.0),
    )
    matrix = cells(frame, windows, layout, np.array([True]))
    counts = layout.split(matrix @ np.ones((3, 1)))
    assert counts["value"].ravel().tolist() == [70.0, 0.0]
    assert counts["wins"].ravel().tolist() == [1.0, 0.0]
    assert counts["leave"].sum(axis=(1, 2, 3, 4, 5)).tolist() == [1.0, 1.0]
    arrivals = counts["arrive"][:, 0, 0, 0]
    assert np.flatnonzero(arrivals[0]).tolist() == [2, 12]
    assert np.flatnonzero(arrivals[1]).tolist() == [0, 7]  # who was there already, and the third
    at_risk = counts["risk"][:, 0, 0, 0, 0]
    assert at_risk[0, :3].tolist() == [2.0, 1.0, 1.0]  # ages 0, 1 and 2 of the first two
    assert at_risk[1].sum() == 2 + 6
    assert AGES[0] == 0


def test_a_win_at_the_first_moment_of_a_period_is_in_it():
    for days, n_blocks in itertools.product((28, 90, 91, 92), range(1, 7)):
        window = Window(1.7e9 + 86_400 * days, 86_400.0 * days, n_blocks)
        edges = window.start + 86_400.0 * days * np.arange(n_blocks + 1)
        assert window.bins(edges).tolist() == [PER_BLOCK * h for h in range(n_blocks + 1)]


def test_a_worlds_factors_give_its_wins_back(small):
    _, data = small
    history = stage_history(data)
    layout = Layout(len(history.stages) - 1, len(history.segments), history.windows[1].n_blocks)
    matrix = cells(history.visits, history.windows, layout, history.is_exit_recorded)
    counts = layout.split(matrix @ np.ones((matrix.shape[1], 1)))
    waits = np.array([density_of_waits(seen) for seen in waits_of(history)])
    worlds = factors(counts, history.is_exit_recorded, waits)
    for t, world in enumerate(worlds):
        assert _value(world)[..., 1].sum() == pytest.approx(counts["wins"][t].sum(), rel=0.03)


def test_another_mix_changes_no_chance():
    random = np.random.default_rng(4)
    n_segments, n_blocks = 3, 2
    by_age = random.uniform(0.02, 0.3, len(AGES))
    of_segment = np.array([0.4, 1.0, 1.8])
    # As many lead-bins of each segment, block and world as you like: another mix in each.
    risk = random.uniform(1e4, 1e6, (2, 1, 1, n_segments, n_blocks, len(AGES)))
    true = np.broadcast_to(of_segment[:, None, None] * by_age, risk.shape)
    assert _chances(true * risk, risk) == pytest.approx(true, rel=0.01)


# the question


def test_rows_are_those_of_the_contract(small):
    made, data = small
    result = bridge(data, draws=20)
    assert list(result.table.columns) == COLUMNS
    assert result.totals["driver"].tolist() == DRIVERS
    assert result.period_value == made.truth.booked
    assert result.baseline_value == made.truth.baseline_booked
    assert (result.period_wins, result.baseline_wins) == (made.truth.wins, made.truth.baseline_wins)
    assert "no lead" in set(result.table["segment"].dropna())
    assert result.tests.n_tests >= 9
    assert result.totals.set_index("driver")["verdict"]["calendar"] == "cannot tell"
    assert set(result.rows["table"]) == {"deals", "leads"}
    period = result.rows.query("figure == 'period' and table == 'deals'")
    assert len(period) == made.truth.wins
    assert_adds_up(result)


@pytest.mark.parametrize(
    "plan",
    [
        {"measure": "wins"},
        {"measure": "mrr"},
        {"period": "month"},
        {"compare": "year_ago"},
        {"segments": ["region", "industry"]},
        {"segments": ["no such column"]},
        {"period": "2026Q1"},
    ],
    ids=str,
)
def test_every_plan_adds_up(small, plan):
    _, data = small
    assert_adds_up(bridge(data, plan=plan, draws=10))


def test_a_segment_called_like_a_label_is_not_taken_for_it(small):
    made, data = small
    names = {"paid search": "no lead", "organic search": "smaller groups", "social": "all"}
    leads = data.leads.assign(channel=data.leads["channel"].replace(names))
    frames = {"leads": leads, "stage_changes": data.stage_changes, "deals": data.deals}
    result = bridge(Tables.of(plan=data.plan, as_of=made.as_of, **frames), draws=10)
    assert_adds_up(result)
    segments = set(result.table["segment"].dropna())
    assert {"no lead", "channel: no lead", "channel: smaller groups", "all"} <= segments
    assert not result.table.duplicated(["driver", "segment"]).any()
    assert result.coverage.n_without_lead == bridge(data, draws=10).coverage.n_without_lead


def test_the_order_of_rows_does_not_matter(small):
    made, data = small
    frames = {
        name: made.tables[name].sample(frac=1, random_state=1)
        for name in ("leads", "stage_changes", "deals")
    }
    again = Tables.of(plan=data.plan, as_of=made.as_of, **frames)
    first, second = bridge(data, draws=10), bridge(again, draws=10)
    pd.testing.assert_frame_equal(first.table, second.table)
    assert first.headline == second.headline


def test_the_names_of_segments_do_not_matter(small):
    made, data = small
    leads = made.tables["leads"].assign(channel=lambda f: "x" + f["channel"].fillna(""))
    frames = {name: made.tables[name] for name in ("stage_changes", "deals")}
    again = Tables.of(plan=data.plan, as_of=made.as_of, leads=leads, **frames)
    first, second = bridge(data, draws=2).totals, bridge(again, draws=2).totals
    assert first["contribution"].tolist() == pytest.approx(second["contribution"].tolist())


def deals_of_kinds(n_before, n_after, kind="renewal", lead_id=None):
    """New deals alike in both quarters, won and lost, and others of a kind."""
    rows, at = [], 0
    for quarter, n in (("2026-01", n_before), ("2026-04", n_after)):
        for i in range(40 + n):
            of_lead = f"L{at}" if i < 40 else lead_id
            outcome = "lost" if i < 20 else "won"
            day = f"{quarter}-{i % 27 + 1:02d}"
            rows.append((f"D{at}", day, outcome, day, 1000.0, of_lead, "new" if i < 40 else kind))
            at += 1
    columns = ["deal_id", "created_at", "outcome", "closed_at", "amount", "lead_id", "kind"]
    frame = pd.DataFrame(rows, columns=columns)
    linked = frame.loc[frame["lead_id"].notna(), ["lead_id", "created_at"]]
    linked = linked.drop_duplicates("lead_id")
    return {"deals": frame, "leads": linked}


def test_deals_are_followed_where_none_names_a_lead(small):
    made, _ = small
    deals = made.tables["deals"].drop(columns="lead_id")
    plan = Plan.of(tomllib.loads(made.plan_toml))
    unlinked = Tables.of(plan=plan, as_of=made.as_of, **(made.tables | {"deals": deals}))
    alone = Tables.of(plan=plan, as_of=made.as_of, deals=deals)
    found, expected = (bridge(data, plan, draws=20) for data in (unlinked, alone))
    pd.testing.assert_frame_equal(found.table, expected.table)
    assert "deals without a lead" not in set(shown_totals(found.table)["driver"])
    assert "No deal names a lead: deals are followed from their opening." in found.caveats


@pytest.mark.parametrize(
    ("kind", "driver"), [("renewal", "renewals"), ("new", "deals without a lead")]
)
def test_deals_outside_the_flow_of_leads_are_a_driver_of_their_own(kind, driver):
    result = bridge(Tables.of(as_of="2026-06-30", **deals_of_kinds(60, 10, kind)), draws=40)
    totals = result.totals.set_index("driver")
    assert totals.loc[driver, "contribution"] == -50_000 == result.change
    assert totals.loc[driver, "verdict"] == "moved"
    assert totals.loc[driver, "low"] < -50_000 < totals.loc[driver, "high"] < 0
    others = totals.drop(driver)
    assert others["contribution"].abs().max() < 500
    assert not others["verdict"].eq("moved").any()
    assert ({"renewals", "deals without a lead"} - {driver}).isdisjoint(totals.index)
    assert f"`{driver_label(driver, Say())}`" in " ".join(result.caveats)
    assert "Less from " in result.headline
    assert "share went from" not in result.headline
    assert_adds_up(result)


def test_renewals_are_split_by_kind_and_outside_the_flow_also_where_they_have_a_lead():
    frames = deals_of_kinds(60, 10, "renewal", lead_id="L0")
    frames["deals"].loc[frames["deals"].index[-10:], "kind"] = "expansion"
    result = bridge(Tables.of(as_of="2026-06-30", **frames), draws=20)
    segments = result.table[result.table["driver"].eq("renewals")].set_index("segment")
    assert segments["contribution"].dropna().to_dict() == {
        np.nan: -50_000,
        "expansion": 10_000,
        "renewal": -60_000,
    }
    assert result.totals.set_index("driver")["contribution"].drop("renewals").abs().max() < 500
    assert_adds_up(result)


def test_a_deal_without_a_kind_counts_as_new():
    frames = deals_of_kinds(60, 10, None)
    assert "renewals" not in set(bridge(Tables.of(**frames), draws=2).table["driver"])


def test_only_renewals_have_an_interval():
    frame = deals_of_kinds(60, 10)["deals"].query("kind == 'renewal'")
    result = bridge(Tables.of(as_of="2026-06-30", deals=frame), draws=20)
    found = result.totals.set_index("driver").loc["renewals"]
    assert (found["contribution"], found["verdict"]) == (-50_000, "moved")
    assert_adds_up(result)


@pytest.mark.parametrize("only", [("leads", "deals"), ("deals",), ("leads", "stage_changes")])
def test_fewer_tables_have_a_caveat_and_add_up(only):
    made, data = tables_of(only=only)
    result = bridge(data, draws=10)
    assert_adds_up(result)
    assert any(caveat.startswith("There are no") for caveat in result.caveats)
    if "deals" in only:
        assert result.change == made.truth.change
    if only == ("leads", "deals"):
        assert "lead to opportunity" in set(result.table["driver"])
        assert any("leads turned into opportunities" in caveat for caveat in result.caveats)


def assert_headline_gives_the_numbers(result, row):
    say = Say(result.company)
    assert say.short_money(abs(result.change)) in result.headline
    sentence = result.headline.split("Fewer opportunities were won: ")[1]
    ends = sorted((abs(row["low"]), abs(row["high"])))
    assert sentence.startswith(
        f"about {say.short_money(abs(row['contribution']))} less "
        f"(likely {say.short_money(ends[0])} to {say.short_money(ends[1])})"
    )


def test_a_planted_cause_is_found():
    planted = {"win_rate": "opportunity to won", "threshold_lowered": "lead to mql"}
    for scenario, driver in planted.items():
        made, data = tables_of(scenario, leads=6000, seed=11)
        result = bridge(data, draws=40)
        found = result.totals.set_index("driver").loc[driver]
        assert found["verdict"] == "moved", scenario
        assert driver == made.truth.driver
        if scenario == "win_rate":
            assert found["low"] < made.truth.difference < found["high"]
            largest = result.totals.set_index("driver")["contribution"].abs().idxmax()
            assert largest == driver
            assert_headline_gives_the_numbers(result, found)


def test_little_is_named_where_nothing_changed():
    n_named = 0
    for seed in range(3):
        _, data = tables_of("none", seed=seed)
        named = bridge(data, draws=40).totals.query("verdict == 'moved'")
        n_named += len(named) > 0
    assert n_named <= 1


def test_what_is_ordinary_is_taken_out_of_volume():
    _, data = tables_of()
    expected = ExpectedChange([(0.1, 0.05, 0.15)] * len(calendar_pairs(data)))
    plain, seasonal = (bridge_with_calendar(data, each, 20) for each in (None, expected))
    plain, seasonal = (result.totals.set_index("driver") for result in (plain, seasonal))
    taken = seasonal.loc["calendar", "contribution"]
    assert taken > 0
    difference = (
        plain.loc["lead volume", "contribution"] - seasonal.loc["lead volume", "contribution"]
    )
    assert difference == pytest.approx(taken, rel=0.1)
    assert seasonal["contribution"].sum() == pytest.approx(plain["contribution"].sum())
    assert seasonal.loc["calendar", "low"] < seasonal.loc["calendar", "high"]


def test_pairs_for_the_calendar_are_the_months_of_the_quarter(small):
    _, data = small
    (period, baseline), *rest = calendar_pairs(data)
    assert [day.isoformat() for day in period] == ["2026-06-01", "2026-06-30"]
    assert [day.isoformat() for day in baseline] == ["2026-03-02", "2026-03-31"]
    assert len(rest) == 11


# odd input: a sentence, not a traceback


def deals(*rows):
    columns = ["deal_id", "created_at", "outcome", "closed_at", "amount"]
    return pd.DataFrame(rows, columns=columns)


def test_deals_alone_by_hand():
    frame = deals(
        ("D-1", "2026-01-05", "won", "2026-02-03", 100.0),
        ("D-2", "2026-04-06", "won", "2026-05-05", 60.0),
    )
    result = bridge(Tables.of(deals=frame, as_of="2026-06-30"))
    totals = result.totals.set_index("driver")["contribution"]
    assert result.change == totals.sum() == -40.0
    assert totals["deal size"] == pytest.approx(-40.0, abs=1.0)


def test_refunds_open_deals_and_empty_periods_have_a_caveat():
    frame = deals(
        ("D-1", "2026-01-05", "won", "2026-02-03", 100.0),
        ("D-2", "2026-04-06", "won", "2026-05-05", -30.0),
        ("D-3", "2026-04-07", "won", "2026-05-06", None),
        ("D-4", "2026-04-08", "open", None, 500.0),
    )
    refunds = bridge(Tables.of(deals=frame, as_of="2026-06-30"), draws=10)
    assert_adds_up(refunds)
    assert any("below 0" in caveat for caveat in refunds.caveats)
    assert any("no amount" in caveat for caveat in refunds.caveats)

    still_open = frame.assign(outcome="open", closed_at=None)
    nothing = bridge(Tables.of(deals=still_open, as_of="2026-06-30"), draws=10)
    assert nothing.change == 0
    assert "no change to explain" in nothing.headline
    assert set(nothing.table["verdict"]) <= {"cannot tell", "did not move"}

    one_side = frame[frame["deal_id"] != "D-1"]
    result = bridge(Tables.of(deals=one_side, as_of="2026-06-30"), draws=10)
    assert result.table.empty and np.isnan(result.change)
    assert "There is no comparison: won deals are recorded from May 5" in result.headline
    assert result.plot().figure.get_label() == result.headline

    earlier = one_side.assign(
        closed_at=one_side["closed_at"].mask(one_side.index == 2, "2025-12-01")
    )
    result = bridge(Tables.of(deals=earlier, as_of="2026-06-30"), draws=10)
    assert_adds_up(result)
    assert any("2026Q1" in caveat for caveat in result.caveats)


def test_a_quarter_of_fourteen_weeks_is_named_with_its_days():
    weeks = {"weeks": "4-5-4", "year_ends": "Saturday nearest January 31"}
    deals = pd.DataFrame({"deal_id": ["D-1", "D-2"], "outcome": "won", "amount": [70.0, 50.0]})
    deals["created_at"] = ["2023-09-05", "2023-12-02"]
    deals["closed_at"] = ["2023-10-28", "2024-02-03"]
    result = bridge(Tables.of(deals=deals, as_of="2024-02-03", plan={"calendar": weeks}), draws=5)
    assert_adds_up(result)
    assert (result.period_wins, result.baseline_wins) == (1, 1)
    assert any(each.startswith("2023Q4 has 98 days, 2023Q3 91") for each in result.caveats)


def test_a_running_period_is_cut_to_equal_days():
    _, data = tables_of(as_of="2026-05-10")
    result = bridge(data, draws=10)
    assert_adds_up(result)
    assert result.comparison.period.n_days == result.comparison.baseline.n_days == 40
    assert any("has not ended" in caveat for caveat in result.caveats)


def test_too_few_draws_are_refused(small):
    with pytest.raises(ParameterError, match="at least 2"):
        bridge(small[1], draws=1)


# intervals and tests


def test_weights_are_repeatable_with_mean_one_and_widen_with_dispersion():
    random = np.random.default_rng(1)
    n_weeks, per_week = 52, 40

    def frame(counts):
        weeks = np.repeat(np.arange(n_weeks), counts)
        entered = 7 * 86_400.0 * (n_weeks - weeks - 0.5)
        n = len(weeks)
        return pd.DataFrame({"unit": np.arange(n), "segment": 0, "entered": entered})

    def spread(counts):
        end = 7 * 86_400.0 * n_weeks
        weekly = counts[::-1, None].astype(float)
        ordinary = np.ones(n_weeks, bool)
        pieces = weights(
            frame(counts),
            1,
            end,
            weekly=weekly,
            is_ordinary=ordinary,
            draws=300,
            seed=7,
            at_once=50,
        )
        drawn = np.concatenate([piece.sum(axis=0) for piece in pieces])
        assert drawn.mean() == pytest.approx(counts.sum(), rel=0.02)
        return drawn.var() / counts.sum()

    calm = random.poisson(per_week, n_weeks)
    wild = random.negative_binomial(per_week / 2, 1 / 3, n_weeks)  # variance three times the mean
    assert spread(calm) == pytest.approx(spread(calm))
    assert spread(calm) < 1.6
    assert spread(wild) > 1.9


def test_segments_are_tested_only_where_their_driver_is_found():
    totals, segments, n_tests = adjusted(
        np.array([0.001, 0.6, np.nan]), np.array([[0.01, 0.9], [1e-6, 1e-6], [0.5, 0.5]]), 0.1
    )
    assert totals[0] == pytest.approx(0.002)
    assert segments[0].tolist() == pytest.approx([0.04, 1.0])
    assert np.isnan(segments[1:]).all()
    assert n_tests == 4


def test_moved_needs_both_the_interval_and_the_test():
    assert verdict_of(1.0, 2.0, 0.01, 0.1, 100.0) == "moved"
    assert verdict_of(1.0, 2.0, 0.2, 0.1, 100.0) == "cannot tell"
    assert verdict_of(-1.0, 2.0, 0.01, 0.1, 100.0) == "did not move"
    assert verdict_of(-1.0, 9.0, 0.01, 0.1, 100.0) == "did not move"  # a tenth
    assert verdict_of(-1.0, 20.0, 0.01, 0.1, 100.0) == "cannot tell"
    assert verdict_of(1.0, 2.0, np.nan, 0.1, 100.0) == "cannot tell"


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.floats(-0.5, 0.5))
def test_like_for_like_is_not_moved_by_larger_customers(seed, effect):
    random = np.random.default_rng(seed)
    is_new = np.arange(60) < 30
    employees = np.exp(random.normal(size=60) + 2.0 * is_new)
    amounts = 100 * employees * np.exp(effect * is_new)
    strata = pd.DataFrame({"segment": "all", "employees": employees})
    found, _ = like_for_like(amounts, is_new, strata)
    assert found == pytest.approx(effect, abs=1e-6)


def test_like_for_like_needs_a_few_deals():
    strata = pd.DataFrame({"segment": "all", "employees": np.ones(8)})
    found = like_for_like(np.ones(8), np.arange(8) < 4, strata)
    assert np.isnan(found).all()


def test_what_is_not_in_play_has_no_interval(small):
    _, data = small
    totals = bridge(data, plan={"segments": [], "measure": "wins"}, draws=10).totals
    totals = totals.set_index("driver")
    for driver in ("calendar", "deal size"):
        assert (totals.loc[driver, ["contribution", "low", "high"]] == 0).all(), driver


def test_the_waterfall_draws_the_rows_of_the_table(small):
    from matplotlib import pyplot as plt

    result = bridge(small[1], draws=5)
    ax = result.plot()
    assert ax.figure.get_label() == result.headline
    labels = [label.get_text().replace("\n", " ") for label in ax.get_yticklabels()]
    drivers = [driver_label(name, Say()) for name in DRIVERS[1:]]  # no calendar is expected
    assert labels == ["Jan-Mar 2026", *drivers, "Apr-Jun 2026"]
    totals = shown_totals(result.table)
    ends, steps = ax.containers
    both = [result.baseline_value, result.period_value]
    assert [bar.get_width() for bar in ends] == pytest.approx(both)
    assert [bar.get_width() for bar in steps] == pytest.approx(totals["contribution"].tolist())
    # each step begins where the one before it ends, from the baseline to the period
    begin = np.array([bar.get_x() for bar in steps])
    reached = result.baseline_value + totals["contribution"].cumsum().to_numpy()
    assert begin[0] == pytest.approx(result.baseline_value)
    assert begin[1:] == pytest.approx(reached[:-1])
    assert reached[-1] == pytest.approx(result.period_value)
    (intervals,) = ax.collections
    drawn = np.array([segment[:, 0] for segment in intervals.get_segments()])
    assert drawn[:, 0] - begin == pytest.approx(totals["low"].to_numpy(), nan_ok=True)
    assert drawn[:, 1] - begin == pytest.approx(totals["high"].to_numpy(), nan_ok=True)
    assert drawn[:, 1].max() > drawn[:, 0].min()
    plt.close(ax.figure)


def test_z_and_p_are_of_one_test_and_the_error_is_spent_on_the_total_and_its_parts(small):
    result = bridge(small[1], draws=20)
    tests = result.tests.table.dropna(subset="z")
    assert tests["p_value"].tolist() == pytest.approx(two_sided(tests["z"].to_numpy()).tolist())
    totals = result.tests.totals.dropna(subset="z").set_index("driver")
    in_parts = totals[totals["p_combined"] != totals["p_value"]]
    assert len(in_parts) >= 3
    # two parts in five of the error are spent on the total
    assert (in_parts["p_combined"] <= 2.5 * in_parts["p_value"] * 1.1 + 0.05).all()


def parts_of(z, draws, share):
    return Parts(np.asarray(z, float), draws, np.asarray(share, float))


def test_a_cause_in_one_segment_is_found_though_the_total_holds_still():
    random = np.random.default_rng(1)
    drawn = random.standard_normal((200, 5))
    total = parts_of([0.4], drawn.sum(axis=1)[:, None], [1.0])
    share = np.full(5, 0.2)

    def p_of(z):
        return combined_p(total, None, parts_of(z, drawn, share), np.random.default_rng(2))

    assert p_of([3.6, -1.5, -0.5, 0.2, 0.1]) < 0.01
    assert p_of([1.6, -1.5, -0.5, 0.2, 0.1]) > 0.3
    # a segment that few wins come from is not tested, and one alone is the total
    tiny = parts_of([3.6, 0.1], drawn[:, :2], [0.01, 0.99])
    alone = combined_p(total, None, tiny, np.random.default_rng(2))
    assert alone == pytest.approx(two_sided(np.array([0.4]))[0])


def test_totals_blocks_and_segments_together_spend_the_error_asked_for():
    """Where nothing changed, one in ten of the combined p values is at most 0.1, and not more."""
    random, n = np.random.default_rng(4), 600
    parts = random.standard_normal((200, 4))

    def p_of(z):
        drawn = parts.sum(axis=1)[:, None]
        total = parts_of([z.sum() / 2], drawn, [1.0])
        blocks = parts_of(z[:2], parts[:, :2], [0.3, 0.7])
        return combined_p(total, blocks, parts_of(z[2:], parts[:, 2:], [0.5, 0.5]), random)

    combined = np.array([p_of(random.standard_normal(4)) for _ in range(n)])
    assert 0.05 <= (combined <= 0.1).mean() <= 0.13


def test_rows_of_the_periods_begin_at_local_midnight():
    plan = Plan.of({"company": {"timezone": "Europe/Berlin"}})
    frame = deals(
        ("D-1", "2026-01-05", "won", "2026-03-31T21:59:59Z", 100.0),
        ("D-2", "2026-01-06", "won", "2026-03-31T22:00:00Z", 60.0),
    )
    found = won_deals(Tables.of(deals=frame, as_of="2026-06-30", plan=plan))
    assert found["in_period"].tolist() == [False, True]


def test_a_short_history_has_a_caveat(small):
    made, data = small
    assert not any("on record from" in caveat for caveat in bridge(data, draws=2).caveats)
    frames = {name: made.tables[name] for name in ("leads", "deals")}
    recent = frames["leads"]["created_at"] >= "2025-12-15"
    frames["leads"] = frames["leads"][recent]
    frames["deals"] = frames["deals"][
        frames["deals"]["lead_id"].isna()
        | frames["deals"]["lead_id"].isin(frames["leads"]["lead_id"])
    ]
    short = bridge(Tables.of(plan=data.plan, as_of=made.as_of, **frames), draws=2)
    assert any("on record from Dec 1" in caveat for caveat in short.caveats)
    assert_adds_up(short)


@st.composite
def odd_companies(draw):
    """Few rows in any order: skipped and repeated stages, returns, refunds, open ends."""
    day = st.integers(0, 860).map(lambda n: pd.Timestamp("2024-01-01") + pd.Timedelta(n, "D"))
    stages = st.sampled_from(["mql", "sal", "sql", "opportunity", "recycled", "lost", "won"])
    n_leads = draw(st.integers(0, 8))
    leads = pd.DataFrame(
        {
            "lead_id": pd.Series([f"L{i}" for i in range(n_leads)], dtype="str"),
            "created_at": pd.Series([draw(day) for _ in range(n_leads)], dtype="datetime64[us]"),
            "channel": pd.Series(
                [draw(st.sampled_from(["a", "b", None])) for _ in range(n_leads)], dtype="str"
            ),
        }
    )
    ids = st.sampled_from([*leads["lead_id"], None] if n_leads else [None])
    deals = []
    for i in range(draw(st.integers(1, 8))):
        created, outcome = draw(day), draw(st.sampled_from(["won", "lost", "open"]))
        closed = created + pd.Timedelta(draw(st.integers(0, 300)), "D")
        closed = None if outcome == "open" else closed
        amount = draw(st.sampled_from([100.0, 250.5, -40.0, 0.0, None]))
        kind = draw(st.sampled_from(["new", "renewal", None]))
        deals.append((f"D{i}", created, outcome, closed, amount, draw(ids), kind))
    columns = ["deal_id", "created_at", "outcome", "closed_at", "amount", "lead_id", "kind"]
    deals = pd.DataFrame(deals, columns=columns)
    frames = {"deals": deals.astype({"lead_id": "str", "amount": float, "kind": "str"})}
    if n_leads:
        frames["leads"] = leads
        moved = [
            (lead, draw(stages), draw(day))
            for lead in leads["lead_id"]
            for _ in range(draw(st.integers(0, 4)))
        ]
        if moved:
            columns = ["lead_id", "stage", "entered_at"]
            frames["stage_changes"] = pd.DataFrame(moved, columns=columns)
    return frames


def test_a_win_that_waited_since_before_the_window_is_counted():
    deals = pd.DataFrame(
        {
            "deal_id": ["D1", "D2"],
            "lead_id": ["L1", "L2"],
            "created_at": pd.to_datetime(["2024-01-01", "2025-06-05"]),
            "outcome": ["won", "won"],
            "closed_at": pd.to_datetime(["2024-01-01", "2026-04-01"]),
            "amount": [100.0, 100.0],
        }
    )
    moments = pd.to_datetime(["2024-01-01"] * 3)
    leads = pd.DataFrame({"lead_id": ["L1", "L2", "L3"], "created_at": moments})
    changes = pd.DataFrame({"lead_id": ["L3"], "stage": ["opportunity"], "entered_at": moments[:1]})
    data = Tables.of(as_of="2026-05-20", deals=deals, leads=leads, stage_changes=changes)
    result = bridge(data, draws=3)
    assert not stage_history(data).is_exit_recorded.all()
    assert (result.period_value, result.period_wins) == (100.0, 1)
    assert_adds_up(result)


def test_without_a_record_of_the_baseline_nothing_is_split():
    deal = {"deal_id": "D1", "created_at": "2025-04-26", "outcome": "won", "amount": 100.0}
    deals = pd.DataFrame([deal | {"closed_at": "2026-02-20"}])  # after the days compared with
    result = bridge(Tables.of(as_of="2026-05-20", deals=deals), draws=3)
    assert np.isnan(result.baseline_value)
    assert_adds_up(result)


@settings(max_examples=12, deadline=None)
@given(odd_companies(), st.sampled_from(["bookings", "wins"]))
def test_whatever_the_tables_hold_the_bridge_adds_up(frames, measure):
    data = Tables.of(plan={"measure": measure, "smallest_group": 1}, as_of="2026-05-20", **frames)
    result = bridge(data, draws=3)
    assert_adds_up(result)
    deals = data.deals[data.deals["outcome"] == "won"]
    plan, period = data.plan, data.comparison.period
    inside = deals["closed_at"].between(
        plan.midnight(period.start), plan.midnight(period.after), inclusive="left"
    )
    expected = inside.sum() if measure == "wins" else deals.loc[inside, "amount"].sum()
    assert result.period_value == pytest.approx(expected)


def test_a_fall_of_leads_is_found_before_it_costs_most_of_its_wins():
    made, data = tables_of("volume", leads=4000, quarters=6, seed=7)
    result = bridge(data, draws=40)
    volume = result.tests.totals.set_index("driver").loc["lead volume"]
    assert made.truth.driver == "lead volume"
    assert volume["p_adjusted"] < 0.05


def test_a_page_shows_each_driver_once_and_every_test_of_the_total(small):
    _, data = small
    result = bridge(data, draws=20)
    shown = result.shown()
    totals = shown_totals(result.table)
    assert totals["driver"].tolist() == DRIVERS[1:]
    assert shown["driver"].tolist() == [driver_label(name, Say()) for name in DRIVERS[1:]]
    assert shown["verdict"].tolist() == totals["verdict"].tolist()
    say = Say(result.company)
    for cell, row in zip(shown["contribution"], totals.to_dict("records"), strict=True):
        assert cell.startswith(say.short_money(row["contribution"], sign=True))
    tests = result.tests
    assert len(tests.shown()) == len(tests.totals) == len(result.totals)
    assert not tests.shown().isin(["0.000"]).any(axis=None)
    assert str(tests.n_tests) in tests.headline


def test_the_legend_is_made_from_the_margin(small, monkeypatch):
    from funnel.results import legend

    result = bridge(small[1], draws=2)
    assert any("within 10% of the earlier value" in caveat for caveat in result.caveats)
    monkeypatch.setattr(legend, "NARROW", 0.25)
    other = replace(result)
    assert any("within 25% of the earlier value" in caveat for caveat in other.caveats)


def test_the_headline_names_days_and_not_a_quarter_that_has_not_ended():
    frame = deals(
        ("D-1", "2026-01-05", "won", "2026-02-03", 100.0),
        ("D-2", "2026-01-05", "won", "2026-03-30", 900.0),
        ("D-3", "2026-04-06", "won", "2026-05-05", 30.0),
    )
    to_date = bridge(Tables.of(deals=frame, as_of="2026-05-20"), draws=10)
    assert "from €100 in Jan 1-Feb 19, 2026 to €30 in Apr 1-May 20, 2026" in to_date.headline
    whole = bridge(Tables.of(deals=frame, as_of="2026-06-30"), draws=10)
    assert "from €1,000 in Jan-Mar 2026 to €30 in Apr-Jun 2026" in whole.headline
    assert whole.plot().get_yticklabels()[0].get_text() == "Jan-Mar 2026"


@pytest.mark.parametrize("measure", ["bookings", "mrr"])
def test_won_deals_without_a_value_are_not_a_change_of_0(measure):
    frame = deals(("D-1", "2026-01-05", "won", "2026-02-03", None))
    data = Tables.of(deals=frame, as_of="2026-06-30", plan={"measure": measure})
    assert bridge(data, draws=10).headline.startswith("No won deal has a value")
    assert "Wins fell by 1" in bridge(data.with_plan({"measure": "wins"}), draws=10).headline


def test_a_company_without_deals_is_not_one_that_won_none():
    leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-05-01"]})
    nothing = bridge(Tables.of(leads=leads, as_of="2026-06-30"), draws=10)
    assert nothing.headline == "There are no deals, so there is no change to explain."


@pytest.mark.parametrize("segments", [["channel", "chanel"], ["chanel"]])
def test_a_segment_that_no_row_has_is_named(segments):
    leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-05-01"], "channel": ["web"]})
    data = Tables.of(leads=leads, as_of="2026-06-30", plan={"segments": segments})
    caveats = bridge(data, draws=10).caveats
    assert "No lead has a `chanel`, so the change is not split by it." in caveats
    assert not any("`channel`" in caveat for caveat in caveats)


def test_a_column_of_deals_does_not_split_leads_unnoticed():
    leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-01"]})
    frame = deals(("D-1", "2026-01-05", "won", "2026-02-03", 100.0))
    frame = frame.assign(product="Team", lead_id="L-1")
    split = {"segments": ["product"]}
    followed = Tables.of(leads=leads, deals=frame, as_of="2026-06-30", plan=split)
    assert any("No lead has a `product`" in each for each in bridge(followed, draws=10).caveats)
    alone = Tables.of(deals=frame, as_of="2026-06-30", plan=split)
    assert not any("`product`" in each for each in bridge(alone, draws=10).caveats)


def test_deals_that_are_all_won_give_no_rate_but_number_and_size():
    frame = deals_of_kinds(0, 30, "new")["deals"]
    result = bridge(Tables.of(deals=frame.query("outcome == 'won'"), as_of="2026-06-30"), draws=40)
    totals = result.totals.set_index("driver")
    assert set(totals.index) == {"calendar", "lead volume", "mix", "deal size", "residual"}
    assert totals.loc["lead volume", "contribution"] == pytest.approx(30_000)
    assert totals.loc["lead volume", "verdict"] == "moved"
    assert "More deals won: " in result.headline
    assert sum("Every deal on record is won" in caveat for caveat in result.caveats) == 1
    assert "number of deals won" in result.shown()["driver"].tolist()
    assert_adds_up(result)


def test_leads_keep_their_rates_where_deals_are_all_won():
    frames = deals_of_kinds(0, 0)
    frames["deals"] = frames["deals"].query("outcome == 'won'")
    drivers = set(bridge(Tables.of(as_of="2026-06-30", **frames), draws=2).table["driver"])
    assert "lead to won" in drivers
    assert "opportunity to won" not in drivers


def subscriptions(*rows):
    frame = pd.DataFrame(rows, columns=["account_id", "month", "mrr"])
    return Tables.of(subscriptions=frame, plan={"measure": "mrr"})


def test_movements_of_recurring_revenue_by_hand():
    data = subscriptions(
        ("A", "2026-03-01", 100.0), ("A", "2026-06-01", 130.0),  # expansion
        ("B", "2026-03-01", 80.0), ("B", "2026-06-01", 50.0),  # contraction
        ("C", "2026-03-01", 60.0), ("C", "2026-06-01", 0.0),  # churn
        ("D", "2026-05-01", 45.0), ("D", "2026-06-01", 45.0),  # new
        ("E", "2025-11-01", 20.0), ("E", "2026-06-01", 20.5),  # reactivation
    )  # fmt: skip
    assert str(data.as_of) == "2026-06-30"
    result = bridge(data, draws=10)
    assert result.totals.set_index("driver")["contribution"].to_dict() == {
        "new": 45.0, "expansion": 30.0, "contraction": -30.0, "churn": -60.0, "reactivation": 20.5
    }  # fmt: skip
    assert (result.baseline_value, result.period_value, result.change) == (240.0, 245.5, 5.5)
    assert result.headline.startswith("Recurring revenue rose by €6 (2%), from €240 in Jan-Mar")
    assert_adds_up(result)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("ABCDEF"), st.integers(1, 6), st.integers(0, 9999)),
        min_size=1,
        unique_by=lambda row: row[:2],
    )
)
def test_movements_of_recurring_revenue_add_up(rows):
    made = [(account, f"2026-{month:02}-01", cents / 100) for account, month, cents in rows]
    # accounts that are there every month, so that none is loaded in part
    made += [(f"Z{i}", f"2026-{month:02}-01", 1.0) for i in range(8) for month in range(1, 7)]
    assert_adds_up(bridge(subscriptions(*made), draws=3))
