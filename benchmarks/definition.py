"""Error rates of the definition question where the truth is known.

    python benchmarks/definition.py [noise|leakage|scores|thresholds|kappa] [--runs N]

Prints, for each test, how often it was right, of how many runs.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter

import numpy as np
import pandas as pd

from funnel import sample
from funnel.contract.plan import Plan
from funnel.dataset import Tables
from funnel.questions.definition.agreement import kappa, kappa_interval
from funnel.questions.definition.calibration import calibration
from funnel.questions.definition.criteria import criteria
from funnel.questions.definition.leakage import leakage
from funnel.questions.definition.thresholds import threshold_changes

AS_OF = "2026-06-30"


def company(seed: int, *, n: int = 6000, days: int = 900, base: float = 0.08, **extra) -> Tables:
    """Leads that are all handed over on the first day, and won by a logit of two columns."""
    random = np.random.default_rng(seed)
    end = pd.Timestamp("2026-07-01", tz="UTC")
    created = end - pd.to_timedelta(np.sort(random.uniform(0.1, days, n))[::-1], unit="D")
    size = random.normal(0, 1, n)
    level = random.integers(0, 4, n)
    odds = np.log(base / (1 - base)) + 0.35 * size + 0.2 * (level - 1.5)
    chance = 1 / (1 + np.exp(-odds))
    won = random.random(n) < chance
    won_at = created + pd.to_timedelta(random.lognormal(3.8, 0.6, n), unit="D")
    ids = pd.Series([f"L{i:06d}" for i in range(n)])
    leads = pd.DataFrame(
        {
            "lead_id": ids,
            "created_at": created,
            "employees": np.round(np.exp(4 + size)),
            "seniority": np.array(["Specialist", "Manager", "Director", "VP"])[level],
            "chance": chance,
            "won": won & (won_at < end),
            "ended_at": pd.Series(won_at).where(won & (won_at < end)),
        }
    )
    for name, make in extra.items():
        leads[name] = make(leads, random)
    seen = leads["won"].to_numpy(bool)
    changes = pd.DataFrame(
        {"lead_id": ids, "stage": "mql", "entered_at": created + pd.Timedelta(hours=5)}
    )
    deals = pd.DataFrame(
        {
            "deal_id": "D" + ids[seen],
            "lead_id": ids[seen],
            "created_at": created[seen],
            "outcome": "won",
            "closed_at": won_at[seen],
            "amount": 1000.0,
        }
    )
    return Tables.of(
        leads=leads.drop(columns=["chance", "won", "ended_at"]),
        stage_changes=changes[changes["entered_at"] < end],
        deals=deals,
        as_of=AS_OF,
        plan=Plan(),
    )


def noise(runs: int) -> None:
    """Columns of noise of several kinds, with two that decide the outcome."""
    kinds = {
        "region": lambda leads, r: r.choice(["North", "South", "East", "West"], len(leads)),
        "job_function": lambda leads, r: r.choice(list("abcdefghijkl"), len(leads)),
        "industry": lambda leads, r: r.choice(["a", "b"], len(leads), p=[0.97, 0.03]),
        "annual_revenue": lambda leads, r: np.exp(r.normal(15, 2, len(leads))),
        "visits": lambda leads, r: r.poisson(0.4, len(leads)).astype(float),
        # its mix changes over time, as the win rate may
        "drifting": lambda leads, r: (
            np.arange(len(leads)) / len(leads) + r.random(len(leads)) > 1
        ).astype(float),
    }
    kept, real = Counter(), Counter()
    verdicts = Counter()
    for seed in range(runs):
        table = criteria(company(seed, **kinds)).table.set_index("criterion")
        for name in kinds:
            kept[name] += table.loc[name, "verdict"] == "kept"
            verdicts[table.loc[name, "verdict"]] += 1
        for name in ("employees", "seniority"):
            real[name] += table.loc[name, "verdict"] == "kept"
    n = runs * len(kinds)
    print(f"noise kept: {sum(kept.values())} of {n} {dict(kept)}; verdicts {dict(verdicts)}")
    print(f"real kept, of {runs}: {dict(real)}")


def leaking_columns(runs: int) -> None:
    """Columns written after the outcome, and the same ones written before."""
    leaks = {
        "score_of_won": lambda leads, r: np.where(
            leads["won"], 80 + 5 * r.normal(size=len(leads)), 45 + 15 * r.normal(size=len(leads))
        ).round(),
        "raised": lambda leads, r: (
            40 + 20 * r.normal(size=len(leads)) + 25 * leads["won"]
        ).round(),
        "half_raised": lambda leads, r: (
            40 + 20 * r.normal(size=len(leads)) + 12 * leads["won"]
        ).round(),
        # raised as little, but with the date of writing beside it
        "dated": lambda leads, r: (40 + 20 * r.normal(size=len(leads)) + 12 * leads["won"]).round(),
        "dated_updated_at": lambda leads, r: (leads["ended_at"] + pd.Timedelta(days=1)).fillna(
            leads["created_at"]
        ),
        "filled_late": lambda leads, r: np.where(
            r.random(len(leads)) < np.where(leads["won"], 0.95, 0.4),
            r.normal(size=len(leads)),
            np.nan,
        ),
    }
    honest = {
        "drifting": lambda leads, r: np.round(
            50 * np.log(leads["chance"]) + 10 * np.arange(len(leads)) / len(leads), 1
        ),
        "score": lambda leads, r: np.round(
            40 + 15 * np.log(leads["chance"]) + 5 * r.normal(size=len(leads))
        ),
        "stamped": lambda leads, r: r.normal(size=len(leads)),
        "stamped_updated_at": lambda leads, r: leads["created_at"] + pd.Timedelta(hours=1),
        "blank_at_random": lambda leads, r: np.where(
            r.random(len(leads)) < 0.3, np.nan, r.normal(size=len(leads))
        ),
        "came_into_use": lambda leads, r: np.where(
            np.arange(len(leads)) < len(leads) / 3, np.nan, r.normal(size=len(leads))
        ),
    }
    for name, columns in (("leaking", leaks), ("known beforehand", honest)):
        found = Counter()
        for seed in range(runs):
            data = company(seed, **columns)
            for each in leakage(data):
                found[each.column, each.test] += 1
        print(f"{name}, excluded of {runs} each: {dict(sorted(found.items()))}")


def scores(runs: int) -> None:
    """A score that is the chance itself, one in points of the same order, one upside down."""
    makers = {
        "chance": lambda leads, r: leads["chance"],
        "points": lambda leads, r: np.round(100 * leads["chance"] ** 0.5),
        "chance x 1.5": lambda leads, r: np.clip(1.5 * leads["chance"], 0, 1),
        "highest tenth no better than the lowest": lambda leads, r: (
            np.where(leads["chance"].rank(pct=True) > 0.85, -1.0, 1.0)
            * leads["chance"].rank(pct=True)
            % 1
        ),
    }
    for name, make in makers.items():
        found, wrong = Counter(), 0
        for seed in range(runs):
            verdicts = calibration(company(seed, score=make)).verdicts
            wrong += bool(verdicts["verdict"].isin(["out of order", "off its own chances"]).any())
            found.update(verdicts["test"] + ": " + verdicts["verdict"])
        print(f"score {name}: called off in {wrong} of {runs} {dict(found)}")


def thresholds(runs: int) -> None:
    """Changes found where the threshold was lowered, and where something else or nothing was."""
    for scenario in ("threshold_lowered", "none", "win_rate", "mix"):
        days, headlines = [], Counter()
        n_found = 0
        for seed in range(runs):
            made = sample.company(scenario, seed=seed, quarters=7)
            plan = Plan.of({"company": {"timezone": "Europe/Berlin"}})
            result = threshold_changes(Tables.of(**made.tables, as_of=made.as_of, plan=plan))
            n_found += len(result.table)
            if made.truth.starts_on is not None:
                days += [(day - made.truth.starts_on).days for day in result.table["day"]]
            headlines[result.headline.split("on, ")[-1]] += 1
        print(f"{scenario}: {n_found} changes found in {runs}; days off {days}")
        for headline, n in headlines.most_common(3):
            print(f"   {n} x {headline}")


def kappas(runs: int) -> None:
    """Coverage of kappa's interval."""
    random = np.random.default_rng(0)
    for truth in (
        [0.2, 0.2, 0.1, 0.5],
        [0.02, 0.03, 0.03, 0.92],
        [0.9, 0.04, 0.03, 0.03],
        [0.4, 0.01, 0.01, 0.58],
    ):
        for n in (60, 300, 2000):
            covered, known = 0, 0
            for _ in range(runs * 10):
                counts = random.multinomial(n, truth)
                if np.isnan(kappa(*counts)):
                    continue
                ends = kappa_interval(counts, 0.9)
                covered += ends[0] <= kappa(*truth) <= ends[1]
                known += 1
            print(f"kappa {kappa(*truth):.2f} at n={n}: covered {covered / known:.3f} of {known}")


def main() -> None:
    """Run one of them, or all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("which", nargs="?", default="all")
    parser.add_argument("--runs", type=int, default=20)
    options = parser.parse_args()
    benchmarks = {
        "noise": noise,
        "leakage": leaking_columns,
        "scores": scores,
        "thresholds": thresholds,
        "kappa": kappas,
    }
    for name, run in benchmarks.items():
        if options.which in (name, "all"):
            begin = time.process_time()
            run(options.runs)
            print(f"   ({time.process_time() - begin:.0f} CPU-s)")


if __name__ == "__main__":
    main()
