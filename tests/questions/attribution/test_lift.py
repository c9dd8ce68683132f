"""Lift, costs and what buyers say: known effects, invariances, and missing figures."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit

from funnel.dataset import Tables
from funnel.methods.paths import CodedPaths
from funnel.questions.attribution import cost_per_win, lift, self_reported
from funnel.questions.attribution.lift import FEWER, MORE
from funnel.results.neutral_words import unfit_words
from funnel.stats import CANNOT_TELL

EFFECTS = {"web": 0.9, "email": 0.4, "event": 0.0, "banner": -0.9}
MET = {"web": 0.3, "email": 0.5, "event": 0.2, "banner": 0.6}


def world(seed, n=4000):
    """Journeys on which each channel moves the log odds of a win by a known amount."""
    random = np.random.default_rng(seed)
    touched = random.random((n, 4)) < list(MET.values())
    touched[~touched.any(axis=1), 3] = True
    won = random.random(n) < expit(-2 + touched @ list(EFFECTS.values()))
    names = np.array(list(EFFECTS))
    paths = [" > ".join(random.permutation(names[row])) for row in touched]
    return pd.DataFrame({"path": paths, "conversions": won.astype(int), "nulls": 1 - won})


def test_known_effects_are_found_and_a_harmful_channel_is_flagged():
    table = lift(world(1)).table.set_index("channel")
    assert table["verdict"].to_dict() == {
        "web": MORE, "email": MORE, "event": CANNOT_TELL, "banner": FEWER,
    }  # fmt: skip
    assert table.loc["banner", "disagrees"]
    assert table.loc["banner", "credit_share"] > 0
    assert table["lifted_wins"].to_numpy() == pytest.approx(
        table["lift"].to_numpy() * world(1)["conversions"].sum()
    )


def repeated(seed, n, touch=0.4):
    """Journeys as in `world` on which each channel is touched once or more."""
    random = np.random.default_rng(seed)
    paths = world(seed, n)
    again = [
        " > ".join(name for name in path.split(" > ") for _ in range(random.geometric(1 - touch)))
        for path in paths["path"]
    ]
    return paths.assign(path=again)


def test_lift_is_the_expected_loss_of_the_fitted_model():
    paths = repeated(2, 400)
    rows = [path.split(" > ") for path in paths["path"]]
    names = sorted(EFFECTS)
    touched = np.array([[name in row for name in names] for row in rows], dtype=float)
    won, n_touches = paths["conversions"].to_numpy(), np.array([len(row) for row in rows])
    # up to ten touches each number has an intercept, where five were won and five were not
    strata, begun = np.zeros(11, int), 0
    for n in range(2, 11):
        before, after = ((n_touches <= n - 1) & (n_touches >= begun)), n_touches >= n
        enough = [min(won[each].sum(), (1 - won[each]).sum()) >= 5 for each in (before, after)]
        begun = n if all(enough) else begun
        strata[n] = strata[n - 1] + (begun == n)
    own = np.eye(strata[10] + 1)[strata[np.minimum(n_touches, 10)]]
    design = np.column_stack([touched, own, np.log(n_touches)])

    def unlikely(params):
        odds = design @ params
        prior = params[:4] / 2 - np.logaddexp(0, params[:4])
        return -(won * odds - np.logaddexp(0, odds)).sum() - prior.sum()

    params = minimize(unlikely, np.zeros(design.shape[1]), options={"gtol": 1e-6}).x
    chance = expit(design @ params)
    result = lift(paths)
    assert not result.is_relative
    got = result.table.set_index("channel")["lift"]
    for i, name in enumerate(names):
        without = design.copy()
        without[:, i] = 0
        loss = 1 - expit(without @ params).sum() / chance.sum()
        assert got[name] == pytest.approx(loss, abs=1e-4)


def stopped(seed, n, at, rate=0.15):
    """Journeys of touches without any signal, cut at the first or the last flagged touch."""
    random = np.random.default_rng(seed)
    routes, won = [], []
    # of lengths that vary much, the long ones hold a flag; else the cut ones are the short ones
    lengths = random.geometric(0.2, n) if at else 1 + random.poisson(5, n)
    for length in lengths:
        flags = random.random(length) < rate
        end = [length, 1 + np.flatnonzero(flags)[at] if flags.any() else 0][int(flags.any())]
        routes.append(random.choice(list("abcdef"), end).tolist())
        won.append(flags.any())
    won = np.array(won)
    return CodedPaths.of(routes, conversions=won, nulls=~won)


@pytest.mark.parametrize(("at", "verdict"), [(0, FEWER), (-1, MORE)], ids=["first", "last"])
def test_journeys_cut_at_a_win_are_no_sign_of_a_channel(at, verdict):
    results = [lift(stopped(seed, 3000, at)) for seed in range(5)]
    n_flagged = sum((result.table["verdict"] != CANNOT_TELL).any() for result in results)
    assert n_flagged <= 1  # one in ten is expected
    directions = [result.common_direction for result in results]
    assert set(directions) <= {verdict, ""}
    assert directions.count(verdict) >= 3
    quiet = next(
        each
        for each in results
        if each.common_direction and (each.table["verdict"] == CANNOT_TELL).all()
    )
    assert "That is the length of journeys, and no channel" in quiet.headline
    assert (np.sign(quiet.table["unadjusted"]) == (1 if verdict == MORE else -1)).all()


def test_where_the_number_of_touches_is_that_of_channels_lift_is_relative():
    result = lift(world(1))
    assert result.is_relative
    assert any("compared with the average channel" in each for each in result.caveats)
    assert not lift(repeated(1, 2000)).is_relative


def test_its_interval_is_as_wide_as_resampling_says():
    paths = world(3, 1500)
    table = lift(paths).table.set_index("channel")
    reach = (table["lift_high"] - table["lift_low"]) / 2 / 1.6449
    again = [
        lift(paths.sample(len(paths), replace=True, random_state=i)).table.set_index("channel")
        for i in range(25)
    ]
    spread = pd.DataFrame([each["lift"] for each in again]).std()
    for name in EFFECTS:
        assert reach[name] == pytest.approx(spread[name], rel=0.4)


@given(seed=st.integers(0, 50), order=st.randoms())
@settings(max_examples=5)
def test_renaming_splitting_and_reordering_change_no_lift(seed, order):
    paths = world(seed, 120)
    plain = lift(paths).table.set_index("channel")["lift"].dropna()
    rows = order.sample(range(len(paths)), len(paths))
    other = paths.iloc[rows].assign(path=lambda table: "z" + table["path"].str.replace("> ", "> z"))
    renamed = lift(other).table.set_index("channel")["lift"].dropna()
    assert renamed.rename(lambda name: name[1:]).to_dict() == pytest.approx(
        plain.to_dict(), abs=1e-8
    )


def test_all_won_or_all_lost_stays_finite():
    paths = pd.DataFrame(
        {
            "path": ["a", "b", "a > b", "c"],
            "conversions": [40, 0, 20, 10],
            "nulls": [0, 60, 0, 90],
        }
    )
    table = lift(paths).table
    assert np.isfinite(table[["lift", "lift_low", "lift_high"]].to_numpy()).all()
    assert table["channel"].iloc[0] == "a"


@pytest.mark.parametrize(
    "paths",
    [
        pd.DataFrame({"path": ["a > b", "a"], "conversions": [30, 20], "nulls": [0, 0]}),
        pd.DataFrame({"path": ["a > b", "a"], "conversions": [0, 0], "nulls": [9, 9]}),
        pd.DataFrame({"path": ["a", "a > a"], "conversions": [9, 9], "nulls": [9, 9]}),
        pd.DataFrame({"path": pd.Series(dtype="str"), "conversions": pd.Series(dtype=float)}),
    ],
    ids=["no nulls", "no wins", "one channel", "nothing"],
)
def test_without_a_comparison_there_is_no_lift(paths):
    result = lift(paths)
    assert result.table["lift"].isna().all()
    assert (result.table["verdict"] == CANNOT_TELL).all()
    assert result.headline.startswith("Lift is not known")
    result.plot().figure.canvas.draw()
    assert isinstance(result._repr_html_(), str)


def test_channels_beyond_those_in_the_regression_have_no_lift():
    random = np.random.default_rng(5)
    paths = [random.choice(40, 3) for _ in range(900)]
    coded = CodedPaths.of(
        [[f"c{i}" for i in path] for path in paths],
        conversions=random.integers(0, 2, 900),
        nulls=np.ones(900),
    )
    result = lift(coded)
    assert result.table["lift"].notna().sum() == 30
    assert any("no lift, with fewer than 5 journeys" in each for each in result.caveats)


def test_it_speaks_of_association_alone_and_draws_itself():
    result = lift(world(1))
    assert any("association" in answers for answers in result.caveats)
    assert unfit_words(" ".join([result.headline, *result.caveats])) == []
    ax = result.plot()
    ax.figure.canvas.draw()
    assert ax.figure.get_label() == result.headline
    assert "Fewer wins are associated with banner" in result.headline


def company(**more):
    n = 40
    at = pd.date_range("2026-01-01", periods=n, freq="D", tz="UTC")
    ids = [f"{i:02d}" for i in range(n)]
    frames = {
        "leads": pd.DataFrame({"lead_id": ids, "created_at": at, "channel": "web"}),
        "deals": pd.DataFrame(
            {
                "deal_id": [f"D{i}" for i in ids],
                "lead_id": ids,
                "outcome": ["won", "lost"] * (n // 2),
                "created_at": at + pd.Timedelta("5D"),
                "closed_at": at + pd.Timedelta("20D"),
                "amount": 100.0,
            }
        ),
        "touches": pd.DataFrame(
            {"lead_id": ids, "occurred_at": at, "channel": ["web", "web", "demo", "web"] * 10}
        ),
    }
    return Tables.of(as_of="2026-06-30", **{**frames, **more})


def test_a_win_costs_what_was_spent_over_the_wins_credited():
    spend = pd.DataFrame(
        {
            "spent_on": ["2025-12-01", "2026-01-05", "2026-01-06"],
            "channel": ["web", "demo", "radio"],
            "amount": [500.0, 250.0, 70.0],
        }
    )
    result = cost_per_win(company(spend=spend))
    table = result.table.set_index("channel")
    assert table["spend"].to_dict() == {"web": 500.0, "demo": 250.0, "radio": 70.0}
    assert table.loc["web", "cost_per_credited_win"] == pytest.approx(50.0)
    assert table.loc["demo", "cost_per_credited_win"] == pytest.approx(25.0)
    assert np.isnan(table.loc["radio", "cost_per_credited_win"])
    assert table.loc["web", "cost_per_credited_win_low"] < 50
    assert table["lifted_wins"].isna().all()
    assert any("radio: money is spent there" in answers for answers in result.caveats)
    assert "most was spent on web" in result.headline


def test_a_lifted_win_has_no_cost_where_there_may_be_none():
    spend = pd.DataFrame(
        {"spent_on": ["2025-12-01"] * 2, "channel": ["web", "demo"], "amount": [500.0, 100.0]}
    )
    paths = pd.DataFrame(
        {"path": ["web", "demo", "web > demo"], "conversions": [5, 90, 80], "nulls": [95, 10, 20]}
    )
    lifted = lift(paths)
    table = cost_per_win(company(spend=spend), lifted=lifted).table.set_index("channel")
    share = lifted.table.set_index("channel")["lift"]
    assert table.loc["demo", "cost_per_lifted_win"] == pytest.approx(100 / (share["demo"] * 20))
    assert np.isnan(table.loc["web", "cost_per_lifted_win"])
    only_later = cost_per_win(company(spend=spend.assign(spent_on="2026-01-31")))
    assert only_later.n_deals < 20


def test_without_spend_there_is_no_cost():
    result = cost_per_win(company())
    assert result.table.empty
    assert "No spend is recorded" in result.headline
    assert isinstance(result._repr_html_(), str)


@pytest.mark.parametrize("where", ["deals", "leads"])
def test_what_buyers_say_stands_beside_what_was_tracked(where):
    base = company()
    frame = getattr(base, where)
    answers = (["Web", "podcast", None, "unknown"] * 10)[: len(frame)]
    result = self_reported(company(**{where: frame.assign(how_did_you_hear=answers)}))
    assert result.column == "how_did_you_hear"
    known = [i for i in range(0, 40, 2) if answers[i] == "Web"]
    assert result.n_deals == len(known)
    assert result.table["agrees"].tolist() == [True]
    assert result.table["n_deals"].sum() == len(known)
    assert result.table["share"].sum() == pytest.approx(1)
    assert "name the channel of the first tracked touch" in result.headline


def test_without_answers_nothing_is_compared():
    result = self_reported(company())
    assert result.table.empty
    assert "nothing to be compared with" in result.headline


def test_paths_that_nobody_went_and_a_fit_that_is_exact_are_no_trouble():
    paths = {
        "path": ["a > c > b", "c", "a", "b"],
        "conversions": [10, 9, 8, 0],
        "nulls": [90, 9, 1, 0],
    }
    paths = pd.DataFrame(paths)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = lift(paths).table
        without = lift(paths[paths["path"] != "b"]).table
    assert table.drop(columns=["credit_share_low", "credit_share_high"]).equals(
        without.drop(columns=["credit_share_low", "credit_share_high"])
    )
