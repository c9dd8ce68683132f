"""Are planted defects of the records found and dated, and is nothing found where none is?

Plants each defect of `funnel.sample.defects` in generated companies, and prints how often the
check finds it with its day within a week; how often clean companies have a finding; and, with
`--why`, how often a driver is named that is not named in the same company without the defect.

    python benchmarks/record_defects.py --seeds 5 --leads 400 2000
    python benchmarks/record_defects.py --seeds 0 --clean 50 --leads 2000
    python benchmarks/record_defects.py --seeds 2 --why --draws 60
"""

from __future__ import annotations

import argparse
import datetime as dt
import time
import tomllib

import numpy as np
import pandas as pd

from funnel.checks.breaks import RecordBreak, record_breaks
from funnel.contract.plan import Plan
from funnel.dataset import Tables
from funnel.questions.why import why
from funnel.sample import SCENARIOS, SampleCompany, company
from funnel.sample.defects import DEFECTS, day_of

TABLES = ("leads", "stage_changes", "deals", "touches", "activities")
FIRST_SEED, QUARTERS = 3000, 9
WITHIN = dt.timedelta(days=7)


def loaded(made: SampleCompany, tables: dict[str, pd.DataFrame]) -> Tables:
    """The dataset of a company's tables; a defect may reject more rows than a plan allows."""
    plan = Plan.of(tomllib.loads(made.plan_toml)).with_keys(max_rejected=0.5)
    return Tables.of(plan=plan, as_of=made.as_of, **tables)


def planted(name: str, seed: int, leads: int) -> tuple[Tables, dt.date, SampleCompany]:
    """A company with one defect, and its day."""
    made = company(seed=seed, leads=leads, quarters=QUARTERS)
    rng, defect = np.random.default_rng(seed), DEFECTS[name]
    day = day_of(defect, made.truth.period_start, made.as_of, rng)
    tables = {each: made.tables[each] for each in TABLES}
    tables = defect.plant(tables, pd.Timestamp(day, tz="UTC"), rng)
    return loaded(made, tables), day, made


def is_found(name: str, day: dt.date, breaks: tuple[RecordBreak, ...]) -> bool:
    """Whether the defect is among the findings, and dated within a week."""
    defect = DEFECTS[name]
    days = [
        each.since for each in breaks if each.what in defect.what and each.table == defect.table
    ]
    return any(abs(each - day) <= WITHIN for each in days)


def summary(breaks: tuple[RecordBreak, ...]) -> str:
    """What was found, on one line."""
    return "; ".join(
        f"{each.what} {each.table}.{each.column} {','.join(each.words[:2])} {each.since}"
        for each in breaks
    )


def named(data: Tables, draws: int) -> set[str]:
    """Drivers that a report names."""
    totals = why(data, draws=draws).totals
    return set(totals.loc[totals["rank"].notna(), "driver"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=FIRST_SEED)
    parser.add_argument("--clean", type=int, default=0, help="clean companies of each scenario")
    parser.add_argument("--leads", type=int, nargs="+", default=[2000])
    parser.add_argument("--defects", nargs="+", default=list(DEFECTS))
    parser.add_argument("--scenarios", nargs="+", default=list(SCENARIOS))
    parser.add_argument(
        "--dispersion", type=float, default=1.0, help="of weeks, of clean companies"
    )
    parser.add_argument("--why", action="store_true")
    parser.add_argument("--draws", type=int, default=60)
    args = parser.parse_args()
    rows = []
    for leads in args.leads:
        clean = {}
        for name in args.defects:
            for seed in range(args.first, args.first + args.seeds):
                data, day, made = planted(name, seed, leads)
                begin = time.process_time()
                breaks = record_breaks(data)
                seconds = time.process_time() - begin
                row = {"leads": leads, "defect": name, "seed": seed, "seconds": seconds}
                row["found"] = is_found(name, day, breaks)
                if not row["found"]:
                    print(f"missed: {leads} {name} {seed} {day}: {summary(breaks)}", flush=True)
                if args.why:
                    if seed not in clean:
                        tables = {each: made.tables[each] for each in TABLES}
                        clean[seed] = named(loaded(made, tables), args.draws)
                    extra = named(data, args.draws) - clean[seed]
                    row["named"] = bool(extra)
                    if extra:
                        print(f"named: {leads} {name} {seed} {day}: {sorted(extra)}", flush=True)
                rows.append(row)
                data.close()
        n_false = n_clean = 0
        for scenario in args.scenarios if args.clean else ():
            for seed in range(args.first, args.first + args.clean):
                made = company(
                    scenario,
                    seed=seed,
                    leads=leads,
                    quarters=QUARTERS,
                    weekly_dispersion=args.dispersion,
                )
                data = loaded(made, {each: made.tables[each] for each in TABLES})
                breaks = record_breaks(data)
                n_clean, n_false = n_clean + 1, n_false + bool(breaks)
                if breaks:
                    print(f"found: {leads} {scenario} {seed}: {summary(breaks)}", flush=True)
                data.close()
        if n_clean:
            print(
                f"{leads:,} leads: something found in {n_false} of {n_clean} companies", flush=True
            )
    if rows:
        table = pd.DataFrame(rows)
        by = table.groupby(["defect", "leads"], sort=False)
        sums = by[[name for name in ("found", "named") if name in table]].sum()
        print(sums.assign(runs=by.size(), seconds=by["seconds"].mean().round(2)).to_string())
        print(table.groupby("leads")[list(sums)].mean().to_string())


if __name__ == "__main__":
    main()
