"""Is what was planted found, and is nobody named where nothing was?

Generates companies with a known cause, asks each what a user asks (`funnel.why`: the expected
calendar, the bridge, the checks), and prints a scorecard as Markdown: how often the planted driver
is named, and first among those clear; how often another driver is clear beside it; how often
something is named when nothing changed; what each check explained; how often the intervals hold the
truth; the residual; CPU time. The bridge is scored before the checks, too.

With `--broken` the defects of `funnel.sample.defects` are planted in companies in which nothing
changed: the defect must be found, and no driver of a team may be clear.

    python benchmarks/known_causes.py --runs 20 --leads 400 2000 20000 --out runs.csv
    python benchmarks/known_causes.py --runs 5 --leads 2000 --scenarios win_rate none
    python benchmarks/known_causes.py --runs 0 --broken 2 --leads 2000
    python benchmarks/known_causes.py --reuse runs.csv more.csv
"""

from __future__ import annotations

import argparse
import contextlib
import time
import tomllib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pandas as pd
import record_defects

from funnel.checks.breaks import record_breaks
from funnel.contract.plan import Plan
from funnel.dataset import Tables
from funnel.methods.bridge.significance import verdict_of
from funnel.questions.why import why
from funnel.questions.why.verdicts import CLEAR
from funnel.sample import SCENARIOS, company
from funnel.sample.defects import DEFECTS
from funnel.stats import MOVED, wilson

SINGLE = ("volume", "mix", "follow_up", "win_rate", "deal_size", "slippage")
SEVERAL = ("both_at_fault", "up_with_hidden_decline", "leavers", "promo_pull_forward")
CHECKED = ("season", "definition_changed", "threshold_lowered", "tracking_break", "whale")
TABLES = ("leads", "stage_changes", "deals")
CALENDAR, MIX, RESIDUAL = "calendar", "mix", "residual"
NOBODY = {CALENDAR, MIX}  # drivers that are checks at once: no team's work
RUN = ["scenario", "leads", "dispersion", "seed"]
FIRST_SEED, _APART = 1000, 1000


def one(job: dict) -> pd.DataFrame:
    """Generate a company, ask why it changed, and return one row per driver."""
    made = company(
        job["scenario"],
        seed=job["seed"],
        leads=job["leads"],
        quarters=job["quarters"],
        weekly_dispersion=job["dispersion"],
    )
    plan = Plan.of(tomllib.loads(made.plan_toml))
    data = Tables.of(plan=plan, as_of=made.as_of, **{name: made.tables[name] for name in TABLES})
    begin = time.process_time()
    result = why(data, draws=job["draws"])
    seconds = time.process_time() - begin
    data.close()
    bridge, tests = result.bridge, result.tests().totals
    ranked = result.table.dropna(subset="rank").sort_values("rank").drop_duplicates("driver")
    of_driver = ranked.set_index("driver")[["rank", "tier", "segment"]]
    table = result.totals.drop(columns=list(of_driver)).join(of_driver, on="driver")
    table = table.merge(tests[["driver", "wins", "z", "p_value", "p_adjusted"]], on="driver")
    q, baseline = 1 - plan.level, bridge.baseline_value
    bare = [
        verdict_of(row.low, row.high, row.p_adjusted, q, baseline) for row in table.itertuples()
    ]
    states = result.guards().states
    return table.assign(
        bare=bare,
        **{key: job[key] for key in RUN},
        baseline=bridge.baseline_value,
        period=bridge.period_value,
        difference=made.truth.difference,
        found=" ".join(states.index[states == "found"]),
        seconds=seconds,
    )


def broken(job: dict) -> pd.DataFrame:
    """Plant a defect of the records where nothing changed, and return one row: what is named."""
    data, day, _ = record_defects.planted(job["defect"], job["seed"], job["leads"])
    result = why(data, draws=job["draws"])
    ranked = result.table.dropna(subset="rank").sort_values("rank")
    teams = ranked[~ranked["driver"].isin(NOBODY)]
    found = record_defects.is_found(job["defect"], day, record_breaks(data))
    data.close()
    clear = teams.loc[teams["tier"] == CLEAR, "driver"]
    row = {name: job[name] for name in ("defect", "leads", "seed")}
    row |= {"found": found, "clear": ", ".join(clear), "named": ", ".join(teams["driver"])}
    row["explained"] = ", ".join(result.explained)
    return pd.DataFrame([row])


def run(jobs: list[dict], workers: int, out: Path | None) -> pd.DataFrame:
    """Run all jobs, and save each result as it comes."""
    done = []
    with ProcessPoolExecutor(workers) if workers > 1 else contextlib.nullcontext() as pool:
        ask = broken if "defect" in jobs[0] else one
        for table in pool.map(ask, jobs) if pool else map(ask, jobs):
            done.append(table)
            if out:
                table.to_csv(out, mode="w" if len(done) == 1 else "a", header=len(done) == 1)
    return pd.concat(done, ignore_index=True)


def answers(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per run: who is named, before and after the checks, and what was planted."""
    rows = []
    for key, of_run in runs.groupby(RUN, sort=False):
        by_size = of_run.loc[of_run["contribution"].abs().sort_values(ascending=False).index]
        by_size = by_size[by_size["driver"] != RESIDUAL]
        bare = by_size.loc[by_size["bare"] == MOVED, "driver"].tolist()
        ranked = by_size.dropna(subset="rank").sort_values("rank")
        names, clear = (
            rows["driver"].tolist() for rows in (ranked, ranked[ranked["tier"] == CLEAR])
        )
        explained = by_size[(by_size["bare"] == MOVED) & by_size["rank"].isna()]
        checks = explained["explained_by"].fillna("").replace("", "adjustment")
        if key[0] != "season":  # the season of any year is not what was planted
            bare, names, clear = (
                [name for name in each if name != CALENDAR] for each in (bare, names, clear)
            )
        planted = SCENARIOS[key[0]].drivers
        residual = of_run.loc[of_run["driver"] == RESIDUAL, "contribution"].abs().iloc[0]
        rows.append(
            dict(zip(RUN, key, strict=True))
            | {
                "bare": bool(bare),
                "bare_first": bool(bare) and bare[:1] == list(planted[:1]),
                "named": bool(names),
                "first": bool(names) and names[:1] == list(planted[:1]),
                "clear": bool(clear),
                "clear_first": bool(clear) and clear[:1] == list(planted[:1]),
                "companion": bool(set(clear) - set(planted)),
                "planted": bool(planted) and planted[0] in names,
                "all_planted": bool(planted) and set(planted) <= set(names),
                "bare_team": bool(set(bare) - NOBODY),
                "team": bool(set(names) - NOBODY),
                "clear_team": bool(set(clear) - NOBODY),
                "clear_names": ", ".join(clear),
                "names": ", ".join(names),
                "explained": ", ".join(
                    f"{driver} ({check})"
                    for driver, check in zip(explained["driver"], checks, strict=True)
                    if driver != CALENDAR
                ),
                "found": of_run["found"].fillna("").iloc[0],
                "residual": residual / max(of_run["period"].iloc[0], 1e-9),
                "seconds": of_run["seconds"].iloc[0],
            }
        )
    return pd.DataFrame(rows)


def scorecard(by_run: pd.DataFrame) -> str:
    """Write who is named, scenario by scenario."""
    lines = [
        "| scenario | leads a quarter | weekly variance / mean | runs | bridge alone: named "
        "| planted first | with checks: named | planted named | clear | planted first of these "
        "| another clear | all planted | a team named | residual, largest | CPU s |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for key, of in by_run.groupby(["scenario", "leads", "dispersion"], sort=False):
        has_driver = bool(SCENARIOS[key[0]].drivers)
        cells = [
            key[0],
            f"{key[1]:,}",
            f"{key[2]:g}",
            f"{len(of)}",
            f"{of['bare'].sum()}",
            f"{of['bare_first'].sum()}" if has_driver else "-",
            f"{of['named'].sum()}",
            f"{of['planted'].sum()}" if has_driver else "-",
            f"{of['clear'].sum()}",
            f"{of['clear_first'].sum()}" if has_driver else "-",
            f"{of['companion'].sum()}",
            f"{of['all_planted'].sum()}" if has_driver else "-",
            f"{of['team'].sum()} [{_interval(of['team'])}]",
            f"{of['residual'].max():.2%}",
            f"{of['seconds'].median():.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    for leads, of in by_run[by_run["scenario"].isin(SINGLE)].groupby("leads"):
        for say, named, first in (
            ("bridge", "bare", "bare_first"),
            ("why", "named", "first"),
            ("why, clear", "clear", "clear_first"),
        ):
            hit = of.loc[of[named], first]
            lines.append(
                f"\nAll single causes, {leads:,} leads, {say}: named in {of[named].sum()} of "
                f"{len(of)}; planted first in {hit.sum()} of these [{_interval(hit)}]"
            )
    return "\n".join(lines)


def _interval(hits: pd.Series) -> str:
    if hits.empty:
        return "-"
    low, high = wilson(int(hits.sum()), len(hits))
    return f"{low:.0%} to {high:.0%}"


def explanations(by_run: pd.DataFrame) -> str:
    """Write what each check found, and which drivers that had moved it explains."""
    lines = [
        "| scenario | leads a quarter | runs | check found in | explained |",
        "|---|---|---|---|---|",
    ]
    for (scenario, leads), of in by_run.groupby(["scenario", "leads"], sort=False):
        found = of["found"].str.split().explode().value_counts()
        explained = of["explained"].str.split(", ").explode()
        explained = explained[explained != ""].value_counts()
        cells = [
            ", ".join(f"{name} {n}" for name, n in each.items()) for each in (found, explained)
        ]
        lines.append(f"| {scenario} | {leads:,} | {len(of)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def coverage(runs: pd.DataFrame) -> pd.DataFrame:
    """Share of intervals that hold the truth, by size, scenario and driver.

    The truth of a driver is what it comes to a lead over all companies with nothing planted, times
    leads; for the planted driver of a single cause, what that cause cost a lead over all companies
    with it, by common random numbers, comes on top. Left out: the calendar, which is estimated like
    the truth; scenarios of several drivers; and drivers without an interval.
    """
    runs = runs[(runs["dispersion"] == 1) & ~runs["driver"].isin([CALENDAR, RESIDUAL])]
    nothing = runs[runs["scenario"] == "none"].groupby("driver")[["contribution", "leads"]].sum()
    still = nothing["contribution"] / nothing["leads"]
    planted = runs.groupby("scenario")[["difference", "leads"]].sum()
    cost = planted["difference"] / planted["leads"]
    rows = []
    for (leads, scenario, driver), of in runs.groupby(["leads", "scenario", "driver"], sort=False):
        if scenario in ("none", *SINGLE) and scenario in cost and driver in still:
            is_planted = driver in SCENARIOS[scenario].drivers
            truth = leads * (still[driver] + (cost[scenario] if is_planted else 0.0))
            seen = of.dropna(subset=["low", "high"])
            inside = (seen["low"] <= truth) & (truth <= seen["high"])
            mean = seen["contribution"].mean()
            rows.append((leads, scenario, driver, is_planted, truth, mean, inside.sum(), len(seen)))
    columns = ["leads", "scenario", "driver", "is_planted", "truth", "mean", "held", "n"]
    return pd.DataFrame(rows, columns=columns)


def broken_scorecard(runs: pd.DataFrame) -> str:
    """Write, defect by defect, whether it is found and what is named all the same."""
    lines = ["| defect | leads a quarter | runs | found | a team clear | named |", "|" + "---|" * 6]
    for (defect, leads), of in runs.fillna("").groupby(["defect", "leads"], sort=False):
        names = "; ".join(name for name in of["named"] if name)
        n_clear = (of["clear"] != "").sum()
        lines.append(
            f"| {defect} | {leads:,} | {len(of)} | {of['found'].sum()} | {n_clear} | {names} |"
        )
    is_clear = runs["clear"].fillna("") != ""
    lines.append(f"\nA team clear in {is_clear.sum()} of {len(runs)} [{_interval(is_clear)}]")
    return "\n".join(lines)


def _job(scenario: str, seed: int, leads: int, args: argparse.Namespace, dispersion: float) -> dict:
    """Name one company. Scenarios get seeds of their own, or they would share their chance."""
    seed += _APART * sorted(SCENARIOS).index(scenario)
    job = {"scenario": scenario, "seed": seed, "leads": leads, "dispersion": dispersion}
    return job | {"quarters": args.quarters, "draws": args.draws}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--leads", type=int, nargs="+", default=[2000])
    parser.add_argument("--scenarios", nargs="+", default=["none", *SINGLE, *SEVERAL, *CHECKED])
    parser.add_argument("--broken", type=int, default=0, help="companies with each defect")
    parser.add_argument("--defects", nargs="+", default=list(DEFECTS))
    parser.add_argument("--dispersion", type=float, nargs="+", default=[1.0])
    parser.add_argument("--quarters", type=int, default=16)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--seed", type=int, default=FIRST_SEED, help="of the first run")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, help="where to save every driver of every run")
    parser.add_argument("--reuse", type=Path, nargs="+", help="sum up what `--out` saved")
    args = parser.parse_args()
    if args.broken:
        broken_jobs = [
            {"defect": name, "seed": args.seed + i, "leads": n, "draws": args.draws}
            for n in args.leads
            for name in args.defects
            for i in range(args.broken)
        ]
        print(broken_scorecard(run(broken_jobs, args.workers, args.out)))
        return
    if args.reuse:
        runs = pd.concat([pd.read_csv(path) for path in args.reuse], ignore_index=True)
    else:
        jobs = [
            _job(scenario, args.seed + i, n, args, dispersion)
            for n in args.leads
            for dispersion in args.dispersion
            for scenario in args.scenarios
            for i in range(args.runs)
        ]
        runs = run(jobs, args.workers, args.out)
    by_run = answers(runs)
    print(scorecard(by_run), explanations(by_run), sep="\n\n")
    named = by_run[by_run["names"] != ""]
    print("\nNamed:\n", named[[*RUN, "names"]].to_string(index=False))
    covered = coverage(runs)
    if len(covered):
        print("\nIntervals that hold the truth:\n", covered.round(0).to_string(index=False))
        for leads, of in covered.groupby("leads"):
            planted = of[of["is_planted"]]
            print(
                f"{leads:,}: {of['held'].sum()} of {of['n'].sum()}; "
                f"of planted drivers {planted['held'].sum()} of {planted['n'].sum()}"
            )


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main()
