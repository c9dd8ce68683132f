"""Does the bridge find what was planted, and keep still where nothing was?

Generates companies with a known cause, runs the bridge on each, and prints a scorecard as
Markdown: how often the planted driver is named, and named first; how often something is named when
nothing changed; how often the intervals hold the truth; the residual; the time.

    python benchmarks/known_causes.py --runs 40 --leads 400 2000 20000
    python benchmarks/known_causes.py --runs 5 --leads 2000 --scenarios win_rate none
"""

from __future__ import annotations

import argparse
import contextlib
import json
import time
import tomllib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from funnel.bridge import Usual, bridge, calendar_pairs
from funnel.evidence import MOVED, wilson
from funnel.load import Tables
from funnel.plan import Plan
from funnel.sample import SCENARIOS, company
from funnel.seasonality import decompose, series

SINGLE = ("volume", "mix", "follow_up", "win_rate", "deal_size", "slippage")
NOTHING = ("none",)
TABLES = ("leads", "stage_changes", "deals")
RESIDUAL, CALENDAR = "residual", "calendar"
FIRST_SEED = 1000


def one(job: dict) -> pd.DataFrame:
    """Generate a company, run the bridge on it and give one row per driver."""
    made = company(
        job["scenario"],
        seed=job["seed"],
        leads=job["leads"],
        quarters=job["quarters"],
        weekly_dispersion=job["dispersion"],
    )
    plan = Plan.of(tomllib.loads(made.plan_toml))
    frames = {name: made.tables[name] for name in TABLES}
    data = Tables.of(plan=plan, as_of=made.as_of, **frames)
    begin = time.perf_counter()
    result = bridge(data, calendar=_usual(data) if job["calendar"] else None, draws=job["draws"])
    seconds = time.perf_counter() - begin
    data.close()
    table = result.totals.drop(columns="segment")
    looks = result.tests[result.tests["segment"].isna()]
    table = table.merge(looks[["driver", "wins", "z", "p_adjusted"]], on="driver")
    return table.assign(
        scenario=job["scenario"],
        seed=job["seed"],
        leads=job["leads"],
        dispersion=job["dispersion"],
        baseline=result.baseline_value,
        period=result.period_value,
        difference=made.truth.difference,
        seconds=seconds,
    )


def _usual(data: Tables) -> Usual | None:
    """Ask earlier years what the calendar does to arrivals; nothing where they cannot tell."""
    usual = decompose(series(data, "leads"))
    arrivals = []
    for period, baseline in calendar_pairs(data):
        parts = usual.share_of_change(period, baseline).table.set_index("part")
        row = parts.loc["usual", ["change", "low", "high"]].astype(float)
        if row.isna().any():
            return None
        arrivals.append(tuple(row))
    return Usual(arrivals, level=data.plan.level)


def run(jobs: list[dict], workers: int) -> pd.DataFrame:
    """Run all jobs; a job that fails is told and left out."""
    if workers == 1:
        return pd.concat([one(job) for job in jobs], ignore_index=True)
    with ProcessPoolExecutor(workers) as pool:
        return pd.concat(list(pool.map(one, jobs)), ignore_index=True)


def named(runs: pd.DataFrame) -> pd.DataFrame:
    """Give one row per run: the drivers named, the one named first, and the one planted."""
    rows = []
    for key, of_run in runs.groupby(["scenario", "leads", "dispersion", "seed"], sort=False):
        moved = of_run[of_run["verdict"].eq(MOVED) & of_run["driver"].ne(RESIDUAL)]
        if key[0] != "season":  # the season of any year is no cause; as a guard it comes first
            moved = moved[moved["driver"].ne(CALENDAR)]
        order = moved["contribution"].abs().sort_values(ascending=False).index
        names = moved.loc[order, "driver"].tolist()
        planted = SCENARIOS[key[0]].drivers
        residual = of_run.loc[of_run["driver"] == RESIDUAL, "contribution"].abs().iloc[0]
        rows.append(
            {
                "scenario": key[0],
                "leads": key[1],
                "dispersion": key[2],
                "any": bool(names),
                "first": bool(names) and bool(planted) and names[0] == planted[0],
                "planted": bool(planted) and planted[0] in names,
                "all_planted": bool(planted) and set(planted) <= set(names),
                "blamed": bool(set(names) - {CALENDAR}),
                "names": ", ".join(names),
                "residual": residual / max(of_run["period"].iloc[0], 1e-9),
                "seconds": of_run["seconds"].iloc[0],
            }
        )
    return pd.DataFrame(rows)


def truths(leads: int, big: int, scenarios: list[str], quarters: int, calendar: bool) -> dict:
    """Give each driver's true contribution for a company of `leads` a quarter.

    What the season does is taken from a company so large that chance is small; what was planted
    is the difference to the same company without it.
    """
    base = one(_job("none", FIRST_SEED - 1, big, quarters, 2, 1.0, calendar))
    still = base.set_index("driver")["contribution"] * leads / big
    found = {}
    for name in scenarios:
        truth = still.copy()
        if name != "none":
            made = company(name, seed=FIRST_SEED - 1, leads=big, quarters=quarters)
            if len(SCENARIOS[name].drivers) != 1:
                continue
            truth[SCENARIOS[name].drivers[0]] += made.truth.difference * leads / big
        found[name] = truth.drop(RESIDUAL)
    return found


def coverage(runs: pd.DataFrame, truth: dict) -> pd.DataFrame:
    """Give the share of intervals that hold the truth, by scenario and driver."""
    rows = []
    for (scenario, driver), of in runs.groupby(["scenario", "driver"], sort=False):
        if scenario in truth and driver in truth[scenario] and driver != CALENDAR:
            true = truth[scenario][driver]
            inside = (of["low"] <= true) & (true <= of["high"])
            rows.append((scenario, driver, true, of["contribution"].mean(), inside.mean()))
    return pd.DataFrame(rows, columns=["scenario", "driver", "truth", "mean", "covered"])


def scorecard(runs: pd.DataFrame) -> str:
    """Write the scorecard as Markdown."""
    by_run = named(runs)
    lines = [
        "| scenario | leads a quarter | weekly variance / mean | runs | something named "
        "| planted named | planted first, of runs that name | residual, median | seconds |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (scenario, leads, dispersion), of in by_run.groupby(
        ["scenario", "leads", "dispersion"], sort=False
    ):
        n, k = len(of), int(of["any"].sum())
        low, high = wilson(k, n)
        first = f"{of['first'].sum() / k:.0%} ({of['first'].sum()}/{k})" if k else "-"
        planted = f"{of['planted'].mean():.0%}" if SCENARIOS[scenario].drivers else "-"
        lines.append(
            f"| {scenario} | {leads:,} | {dispersion:g} | {n} "
            f"| {k / n:.0%} [{low:.0%} to {high:.0%}] | {planted} "
            f"| {first if SCENARIOS[scenario].drivers else '-'} | {of['residual'].median():.1%} "
            f"| {of['seconds'].median():.1f} |"
        )
    return "\n".join(lines)


def _job(scenario, seed, leads, quarters, draws, dispersion, calendar) -> dict:
    return {
        "scenario": scenario,
        "seed": seed,
        "leads": leads,
        "quarters": quarters,
        "draws": draws,
        "dispersion": dispersion,
        "calendar": calendar,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--leads", type=int, nargs="+", default=[2000])
    parser.add_argument("--scenarios", nargs="+", default=["none", *SINGLE, "both_at_fault"])
    parser.add_argument("--dispersion", type=float, nargs="+", default=[1.0])
    parser.add_argument("--quarters", type=int, default=16)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--no-calendar", action="store_true", help="do not use earlier years")
    parser.add_argument("--truth", type=int, default=0, help="size at which truth is measured")
    parser.add_argument("--out", type=Path, help="where to keep every driver of every run")
    parser.add_argument("--reuse", type=Path, help="sum up what `--out` kept; no new runs")
    args = parser.parse_args()
    jobs = [
        _job(
            scenario, FIRST_SEED + i, n, args.quarters, args.draws, dispersion, not args.no_calendar
        )
        for n in args.leads
        for dispersion in args.dispersion
        for scenario in args.scenarios
        for i in range(args.runs)
    ]
    runs = pd.read_csv(args.reuse) if args.reuse else run(jobs, args.workers)
    if args.out:
        runs.to_csv(args.out, index=False)
    print(scorecard(runs))
    false = named(runs).query("scenario == 'none'")["names"]
    print("\nNamed when nothing changed:", json.dumps(false[false != ""].tolist()))
    if args.truth:
        for n in args.leads:
            truth = truths(n, args.truth, args.scenarios, args.quarters, not args.no_calendar)
            covered = coverage(runs[runs["leads"] == n], truth)
            print(f"\n{n:,} leads a quarter, intervals that hold the truth:\n")
            print(covered.round(2).to_string(index=False))
            print(f"\nover all: {np.mean(covered['covered']):.3f}")


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main()
