"""Load ten million touches, beside a bare DuckDB count with the same casts.

The floor counts the rows of both files and casts what loading casts: the time from text to a
timestamp, each key and required text read to its last cell. It asks DuckDB in the way that takes
it least time (`try_cast`, and lengths added up: a `where` on a text would be answered from the
file's statistics, with no cell read). It checks nothing: no shape of a date, no key that is there
twice, no reference. Columns that loading leaves in the file are not in the floor either.

Run as `python benchmarks/load.py [--touches N]`. Each reading has a process of its own, so that
none profits from another and the peak memory is its own; the two of a pair run one after the
other, five times. The least CPU time and the least time by the clock count; CPU time, all threads
together, is the one that other work on the machine hardly moves. Touches are numbered in the order
of the file, or at random (`shuffled`), where every key must be held against every other. Prints a
Markdown table.
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

TIMES = 5
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
    {touch_id} as touch_id,
    'campaign ' || (hash(i + 3) % 40) as campaign,
    '/page/' || (hash(i + 5) % 300) as content,
    ['visit', 'download', 'demo'][1 + (hash(i + 9) % 3)::int] as kind
from range({touches}) t(i)) to '{file}'
"""
COUNTED_UP = "'T-' || lpad(i::varchar, 8, '0')"
SHUFFLED = "'T-' || lpad(((i * 7919) % {touches})::varchar, 8, '0')"  # a prime, so each once
TOUCH_COLUMNS = ("occurred_at", "channel", "lead_id", "touch_id", "campaign", "content", "kind")


def bare(folder: Path) -> int:
    """Count touches with the casts that loading makes, and read each cell that it reads."""
    file = next(folder.glob("touches.*"))
    touches = f"read_parquet('{file}')"
    if file.suffix == ".csv":
        columns = ", ".join(f"'{name}': 'VARCHAR'" for name in TOUCH_COLUMNS)
        touches = f"read_csv('{file}', columns = {{{columns}}}, header = true, auto_detect = false)"
    with duckdb.connect() as connection:
        connection.execute(
            "select count(*), max(created_at), sum(strlen(lead_id)), sum(strlen(channel)) "
            f"from read_parquet('{folder}/leads.parquet')"
        ).fetchone()
        n, n_times, *_ = connection.execute(
            "select count(*), count(try_cast(occurred_at as timestamp)), sum(strlen(channel)), "
            f"sum(strlen(lead_id)), sum(strlen(touch_id)) from {touches}"
        ).fetchone()
    assert n == n_times
    return n


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
        import funnel.dataset  # noqa: F401 - what is measured is reading, not importing

        start, worked = time.perf_counter(), time.process_time()
        n = (bare if asked.read == "bare" else load)(asked.folder)
        seconds, cpu = time.perf_counter() - start, time.process_time() - worked
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
        print(json.dumps({"n": n, "seconds": seconds, "cpu": cpu, "gib": peak}))
        return
    print("| touches from | bare, CPU s | load, CPU s | ratio | bare, s | load, s | load, GiB |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory(prefix="funnel-benchmark-") as place:
        for what, kind, touch_id in (
            ("parquet", "parquet", COUNTED_UP),
            ("parquet, shuffled", "parquet", SHUFFLED),
            ("csv", "csv", COUNTED_UP),
            ("csv, shuffled", "csv", SHUFFLED),
        ):
            folder = Path(place) / what
            folder.mkdir()
            make(folder, kind, touch_id, asked.touches)
            runs = [(measured("bare", folder), measured("load", folder)) for _ in range(TIMES)]
            assert all(run["n"] == asked.touches for pair in runs for run in pair)
            floor, ours = (
                {key: min(run[key] for run in side) for key in ("seconds", "cpu")}
                for side in zip(*runs, strict=True)
            )
            peak = max(run["gib"] for _, run in runs)
            print(
                f"| {what} | {floor['cpu']:.2f} | {ours['cpu']:.2f} "
                f"| {ours['cpu'] / floor['cpu']:.1f} | {floor['seconds']:.2f} "
                f"| {ours['seconds']:.2f} | {peak:.2f} |",
                flush=True,
            )


def make(folder: Path, kind: str, touch_id: str, n: int) -> None:
    """Write leads, and forty touches for each of them."""
    values = {
        "touches": n,
        "leads": max(n // 40, 1),
        "folder": folder,
        "file": folder / f"touches.{kind}",
        "touch_id": touch_id.format(touches=n),
    }
    with duckdb.connect() as connection:
        connection.execute(LEADS.format(**values))
        connection.execute(TOUCHES.format(**values))


if __name__ == "__main__":
    main()
