"""CPU time of a whole report, by part, and of bare DuckDB reading and grouping the same tables.

The floor reads every cell that loading reads, with the same casts, and makes the few counts that
any answer starts from: leads by month and channel, entries by stage and month, closed deals by
month, touches before a won deal by channel. It checks nothing, tests nothing and draws nothing. A
report does far more, so the ratio is no grade; a rise of the ratio is what to look into.

Run as `python benchmarks/report.py [--data DIR] [--leads N]`: on `data/sample`, and with
`--leads 40000` on a generated company (640,000 leads in sixteen quarters). Notebooks run one after
the other, so that each process is one notebook; a second run, two notebooks at once, gives the
wall time and the peak memory of all processes together (their proportional share, so that what
forked kernels have in common counts once). A third finds nothing changed. Linux only. Prints a
Markdown table.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import duckdb
import psutil

ROOT = Path(__file__).resolve().parents[1]
OFTEN = 0.1  # seconds between two looks at the processes
MOMENTS = {
    "leads": "created_at",
    "stage_changes": "entered_at",
    "deals": "closed_at",
    "touches": "occurred_at",
    "activities": "occurred_at",
}
COUNTS = (
    "select date_trunc('month', created_at), channel, count(*) from leads group by all",
    "select date_trunc('month', entered_at), stage, count(*) from stage_changes group by all",
    "select date_trunc('month', closed_at), outcome, count(*), sum(amount) from deals group by all",
    "select channel, count(*), count(distinct deal_id) from deals join touches using (account_id) "
    "where outcome = 'won' and occurred_at <= closed_at group by all",
)


class Watch(threading.Thread):
    """CPU seconds of each process below this one, and the most memory of all at once."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seconds: dict[int, float] = {}
        self.began: dict[int, float] = {}
        self.parent: dict[int, int] = {}
        self.most_bytes = 0
        self._ended = threading.Event()

    def run(self) -> None:
        """Look until `stop` is called."""
        while not self._ended.wait(OFTEN):
            total = 0
            for process in psutil.Process().children(recursive=True):
                try:
                    spent = process.cpu_times()
                    self.seconds[process.pid] = spent.user + spent.system
                    self.began[process.pid] = process.create_time()
                    self.parent[process.pid] = process.ppid()
                    total += process.memory_full_info().pss
                except psutil.Error:
                    continue
            self.most_bytes = max(self.most_bytes, total)

    def stop(self) -> Watch:
        """Stop looking."""
        self._ended.set()
        self.join()
        return self


def report(data: Path, out: Path, *more: str) -> tuple[float, float, Watch]:
    """CPU seconds, wall seconds and the processes of one report."""
    watch = Watch()
    watch.start()
    before, start = _children(), time.perf_counter()
    command = [sys.executable, "-m", "funnel", "report", str(data), "--out", str(out), *more]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    return _children() - before, seconds, watch.stop()


def by_part(total: float, watch: Watch, names: list[str]) -> dict[str, float]:
    """CPU seconds of each notebook, and of all that is none.

    The processes are the command, the one that kernels are forked from, and the kernels in the
    order of the notebooks.
    """
    command = min(watch.began, key=watch.began.get)
    server = next(pid for pid, parent in watch.parent.items() if parent == command)
    kernels = [pid for pid, parent in watch.parent.items() if parent == server]
    kernels.sort(key=watch.began.get)
    parts = {name: watch.seconds[pid] for name, pid in zip(names, kernels, strict=True)}
    parts["imports for kernels"] = watch.seconds[server]
    parts["load, pages, publishing"] = total - sum(parts.values())
    return parts


def floor(data: Path) -> float:
    """CPU seconds of bare DuckDB on the same tables."""
    code = f"import runpy; runpy.run_path({__file__!r})['bare']({str(data)!r})"
    before = _children()
    subprocess.run([sys.executable, "-c", code], check=True)
    return _children() - before


def bare(folder: str) -> None:
    """Read every table with its casts, and count."""
    with duckdb.connect() as connection:
        for name, moment in MOMENTS.items():
            file = next(Path(folder).glob(f"{name}.*"))
            scan = f"read_csv('{file}', all_varchar = true, header = true)"
            if file.suffix == ".parquet":
                scan = f"read_parquet('{file}')"
            amount = ", try_cast(amount as double) as amount" if name == "deals" else ""
            connection.execute(
                f"create table {name} as select * replace (try_cast({moment} as timestamp) "
                f"as {moment}{amount}) from {scan}"
            )
        for query in COUNTS:
            connection.execute(query).fetchall()


def main() -> None:
    """Generate where asked, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT / "data" / "sample")
    parser.add_argument("--leads", type=int, help="leads per quarter of a generated company")
    options = parser.parse_args()
    os.environ["FUNNEL_CACHE"] = "off"
    with tempfile.TemporaryDirectory(prefix="funnel-benchmark-") as place:
        data, out = options.data, Path(place) / "reports"
        if options.leads:
            data = Path(place) / "company"
            made = ["sample", "--out", str(data), "--leads", str(options.leads)]
            subprocess.run([sys.executable, "-m", "funnel", *made], check=True)
        from funnel.questions import PAGES

        report(data, out, "--notebooks", "readiness")  # what was never imported is compiled once
        total, _, watch = report(data, out, "--jobs", "1", "--force", "--replace")
        parts = by_part(total, watch, list(PAGES))
        both, seconds, at_once = report(data, out, "--force", "--replace")
        skipped = report(data, out)[1]
        least = min(floor(data) for _ in range(3))
    print("| part | CPU s | of the floor |\n|---|---:|---:|")
    for name, spent in [*parts.items(), ("**all, one at a time**", total), ("floor", least)]:
        print(f"| {name} | {spent:.1f} | {spent / least:.1f} |")
    print(
        f"\nTwo notebooks at once: {both:.1f} CPU s, {seconds:.1f} s, "
        f"{at_once.most_bytes / 1024**3:.1f} GiB. Nothing changed: {skipped:.2f} s."
    )


def _children() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


if __name__ == "__main__":
    main()
