"""Load ten million touches, beside a bare DuckDB count with the same casts.

Run as `python benchmarks/load.py [--touches N]`. Each reading has a process of its own, so that
none profits from another and the peak memory is its own; the two of a pair run one after the
other, three times, and the quickest counts. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

TIMES = 3
LEADS = """
copy (select 'L-' || lpad(i::varchar, 7, '0') as lead_id,
    timestamp '2023-01-01' + to_seconds(i * 94000000 // {leads}) as created_at,
    ['web', 'email', 'event', 'paid', 'partner', 'referral'][1 + i % 6] as channel
from range({leads}) t(i)) to '{folder}/leads.parquet'
"""
TOUCHES = """
copy (select strftime(timestamp '2023-01-01' + to_seconds(i * 94000000 // {touches}),
        '%Y-%m-%dT%H:%M:%SZ') as occurred_at,
    ['web', 'email', 'event', 'paid', 'partner', 'referral'][1 + (hash(i) % 6)::int] as channel,
    'L-' || lpad((hash(i + 7) % {leads})::varchar, 7, '0') as lead_id,
    'T-' || lpad(i::varchar, 8, '0') as touch_id,
    'campaign ' || (hash(i + 3) % 40) as campaign,
    '/page/' || (hash(i + 5) % 300) as content,
    ['visit', 'download', 'demo'][1 + (hash(i + 9) % 3)::int] as kind
from range({touches}) t(i)) to '{file}'
"""
TEXTS = ("channel", "lead_id", "touch_id", "campaign", "content", "kind")


def bare(folder: Path) -> int:
    """Count touches with the casts that loading makes, every cell read."""
    file = next(folder.glob("touches.*"))
    scan = f"read_parquet('{file}')"
    if file.suffix == ".csv":
        columns = ", ".join(f"'{name}': 'VARCHAR'" for name in ("occurred_at", *TEXTS))
        scan = f"read_csv('{file}', columns = {{{columns}}}, header = true, auto_detect = false)"
    cells = " and ".join(f"cast({name} as varchar) <> ''" for name in TEXTS)
    with duckdb.connect() as connection:
        return connection.execute(
            f"select count(*) from {scan} "
            f"where try_cast(rtrim(occurred_at, 'Z') as timestamp) is not null and {cells}"
        ).fetchone()[0]


def load(folder: Path) -> int:
    """Load the folder, and say how many touches may be used."""
    import funnel

    data = funnel.load(folder)
    return int(data.counts.set_index("table").loc["touches", "rows_used"])


def measured(what: str, folder: Path) -> dict[str, float]:
    """Read a folder in a process of its own: seconds within it, and its peak memory."""
    command = [sys.executable, __file__, "--read", what, "--folder", str(folder)]
    environment = os.environ | {"FUNNEL_HASH_KEY": "benchmark"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return json.loads(done.stdout)


def main() -> None:
    """Generate, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--touches", type=int, default=10_000_000)
    parser.add_argument("--read", choices=("bare", "load"))
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    if asked.read:
        import funnel.load  # noqa: F401 - what is measured is reading, not importing

        start = time.perf_counter()
        n = (bare if asked.read == "bare" else load)(asked.folder)
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
        print(json.dumps({"n": n, "seconds": seconds, "gib": peak}))
        return
    print("| touches from | rows | bare, s | load, s | ratio | peak of bare, GiB | of load, GiB |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory(prefix="funnel-benchmark-") as place:
        for kind in ("parquet", "csv"):
            folder = Path(place) / kind
            folder.mkdir()
            values = {
                "touches": asked.touches,
                "leads": max(asked.touches // 40, 1),
                "folder": folder,
                "file": folder / f"touches.{kind}",
            }
            with duckdb.connect() as connection:
                connection.execute(LEADS.format(**values))
                connection.execute(TOUCHES.format(**values))
            runs = [(measured("bare", folder), measured("load", folder)) for _ in range(TIMES)]
            floor = min((one for one, _ in runs), key=lambda run: run["seconds"])
            ours = min((other for _, other in runs), key=lambda run: run["seconds"])
            assert floor["n"] == ours["n"] == asked.touches
            print(
                f"| {kind} | {asked.touches:,} | {floor['seconds']:.2f} | {ours['seconds']:.2f} "
                f"| {ours['seconds'] / floor['seconds']:.1f} | {floor['gib']:.2f} "
                f"| {ours['gib']:.2f} |"
            )


if __name__ == "__main__":
    main()
