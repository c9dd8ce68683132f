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


def test_lift_is_the_expected_loss_of_the_fitted_model():
    paths = world(2, 300)
    rows = [set(path.split(" > ")) for path in paths["path"]]
    names = sorted(EFFECTS)
    touched = np.array([[name in row for name in names] for row in rows], dtype=float)
    won = paths["conversions"].to_numpy()

    def unlikely(params):
        odds = params[0] + touched @ params[1:]
        prior = params[1:] / 2 - np.logaddexp(0, params[1:])
        return -(won * odds - np.logaddexp(0, odds)).sum() - prior.sum()

    params = minimize(unlikely, np.zeros(5), tol=1e-12, options={"gtol": 1e-9}).x
    chance = expit(params[0] + touched @ params[1:])
    got = lift(paths).table.set_index("channel")["lift"]
    for i, name in enumerate(names):
        without = touched.copy()
        without[:, i] = 0
        loss = 1 - expit(params[0] + without @ params[1:]).sum() / chance.sum()
        assert got[name] == pytest.approx(loss, abs=1e-5)


def test_its_interval_is_as_wide_as_resampling_says():
    paths = world(3, 1500)
    table = lift(paths).table.set_index("channel")
    reach = (table["lift_high"] - table["lift_low"]) / 2 / 1.6449
    again = [
        lift(paths.sample(len(paths), replace=True, random_state=i)).table.set_index("channel")
        for i in range(60)
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
