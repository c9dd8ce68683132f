"""What a bridge costs on a large company: CPU time of each part, and the most memory held.

The floor is numpy drawing a weight for each visit and counting the visits by stage, once a draw.

python benchmarks/bridge_size.py --leads 1000000 --segments channel industry
python benchmarks/bridge_size.py --leads 35000 --segments channel
"""

from __future__ import annotations

import argparse
import dataclasses
import resource
import time
import tomllib

import numpy as np
import pandas as pd

from funnel.contract.plan import Plan
from funnel.dataset import Tables
from funnel.methods.bridge import bridge
from funnel.methods.bridge.stage_history import stage_history
from funnel.sample import company

TABLES = ("leads", "stage_changes", "deals")


def _floor(visits: pd.DataFrame, draws: int) -> float:
    """CPU seconds of numpy weighing and counting every visit by stage, once a draw."""
    random, stage = np.random.default_rng(0), visits["stage"].to_numpy()
    begin = time.process_time()
    for _ in range(draws):
        np.bincount(stage, random.poisson(1.0, len(stage)).astype(float))
    return time.process_time() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--leads", type=int, default=100_000, help="of all quarters together")
    parser.add_argument("--quarters", type=int, default=16)
    parser.add_argument("--segments", nargs="*", default=["channel", "industry"])
    parser.add_argument("--draws", type=int, default=200)
    args = parser.parse_args()
    made = company("none", seed=1, leads=args.leads // args.quarters, quarters=args.quarters)
    plan = Plan.of(tomllib.loads(made.plan_toml))
    plan = dataclasses.replace(plan, segments=tuple(args.segments))
    frames = {name: made.tables[name] for name in TABLES}
    del made
    data = Tables.of(plan=plan, as_of="2026-06-30", **frames)
    n_leads = len(frames.pop("leads"))
    del frames
    begin, wall = time.process_time(), time.perf_counter()
    history = stage_history(data)
    followed = time.process_time()
    result = bridge(data, draws=args.draws)
    end = time.process_time()
    floor = _floor(history.visits, args.draws)
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{n_leads:,} leads, {len(history.segments)} segments, {len(history.visits):,} visits, "
        f"{result.n_draws} resamples: {end - followed:.1f} CPU-s "
        f"({followed - begin:.1f} of them to read the visits), {time.perf_counter() - wall:.0f} s "
        f"by the clock for both; floor {floor:.1f} CPU-s; {kilobytes / 1024**2:.1f} GiB at most, "
        "tables and all"
    )


if __name__ == "__main__":
    main()
