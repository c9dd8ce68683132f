"""Time of loading ten million touches, compared with a DuckDB count that makes the same casts.

The count is the floor: it reads every cell that loading reads and casts the times from text to
timestamps, with the fastest query (`try_cast`, and sums of lengths: DuckDB would answer a `where`
on a text from the file's statistics). It checks nothing: no format of a date, no duplicate key, no
reference. It leaves out the columns that loading leaves in the file.

Run as `python benchmarks/load.py [--touches N]`. Each measurement has a process of its own, so
that none profits from another and the peak memory is its own. Loading and floor run in turn, five
times, and the least CPU time (of all threads) and the least wall time are printed; other work on
the machine hardly changes the first. Keys of touches rise in the order of the file, or come in
random order (`shuffled`), where every key must be compared with all others. Prints a Markdown
table.
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
RISING = "'T-' || lpad(i::varchar, 8, '0')"
SHUFFLED = "'T-' || lpad(((i * 7919) % {touches})::varchar, 8, '0')"  # a prime, so each once
TOUCH_COLUMNS = ("occurred_at", "channel", "lead_id", "touch_id", "campaign", "content", "kind")


def bare(folder: Path) -> int:
    """Number of touches, counted with the casts that loading makes and every cell that it reads."""
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
    """Number of usable touches after loading the folder."""
    import funnel

    data = funnel.load(folder, fresh=True)
    return int(data.counts.set_index("table").loc["touches", "rows_used"])


def measured(what: str, folder: Path) -> dict[str, float]:
    """Seconds and peak memory of reading a folder in a process of its own."""
    command = [sys.executable, __file__, "--read", what, "--folder", str(folder)]
    environment = os.environ | {"FUNNEL_HASH_KEY": "0123456789abcdef8d1f2e3c4b5a6978"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return json.loads(done.stdout)


def main() -> None:
    """Generate, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--touches", type=int, default=10_000_000)
    parser.add_argument("--read", choices=("bare", "load"))
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.read:
        import funnel.dataset.tables  # noqa: F401 - imported before the clock starts

        start, worked = time.perf_counter(), time.process_time()
        n = (bare if options.read == "bare" else load)(options.folder)
        seconds, cpu = time.perf_counter() - start, time.process_time() - worked
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
        print(json.dumps({"n": n, "seconds": seconds, "cpu": cpu, "gib": peak}))
        return
    print("| touches from | bare, CPU s | load, CPU s | ratio | bare, s | load, s | load, GiB |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory(prefix="funnel-benchmark-") as place:
        for what, kind, touch_id in (
            ("parquet", "parquet", RISING),
            ("parquet, shuffled", "parquet", SHUFFLED),
            ("csv", "csv", RISING),
            ("csv, shuffled", "csv", SHUFFLED),
        ):
            folder = Path(place) / what
            folder.mkdir()
            make(folder, kind, touch_id, options.touches)
            runs = [(measured("bare", folder), measured("load", folder)) for _ in range(TIMES)]
            assert all(run["n"] == options.touches for pair in runs for run in pair)
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
