"""How often the outlook's intervals hold what came of leads and deals, on generated companies.

Run as `python benchmarks/outlook.py [--first SEED] [--runs N] [--leads N ...]`. Each company has
nothing planted. Its earlier quarters are withheld one after another: what was expected at the end
of each is compared with what was then booked by the leads and deals known by that day.
"""

from __future__ import annotations

import argparse

import pandas as pd


def main() -> None:
    """Print coverage by size and by how far ahead."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=9200)
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--leads", type=int, nargs="+", default=[600, 2000])
    args = parser.parse_args()

    from funnel.dataset import Tables
    from funnel.questions.why.outlook import outlook
    from funnel.sample import company

    print("| leads a quarter | quarters ahead | values | within | actual / expected |")
    print("|---:|---:|---:|---:|---:|", flush=True)
    for leads in args.leads:
        parts = []
        for seed in range(args.first, args.first + args.runs):
            made = company(seed=seed, leads=leads, quarters=10)
            frames = {name: made.tables[name] for name in ("leads", "stage_changes", "deals")}
            data = Tables.of(as_of=made.as_of.isoformat(), **frames)
            parts.append(outlook(data, draws=2).back_test)
        tests = pd.concat(parts)
        for ahead, of in [*tests.groupby("ahead"), ("both", tests)]:
            ratio = of["actual"].sum() / of["expected"].sum()
            print(
                f"| {leads:,} | {ahead} | {len(of)} | {of['is_inside'].mean():.1%} | {ratio:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
