"""Attribution of many touches: from Parquet to every model, beside a bare floor and Spark.

A company of five touches a journey, one journey in ten with a deal and one deal in three won. Ours
runs `funnel.load`, then `funnel.paths`, `funnel.journeys` (with the first touch of every won deal)
and every model with its intervals. The floor is what DuckDB and numpy take for less: the
touches read, sorted by journey and moment, and counted by the pair of channels that follow each
other; no check, no order of ties, no deal, no interval. Spark runs the steps of `funnel.paths` and
`funnel.journeys` on the same checked tables, without the models.

With `--accounts`, leads belong to accounts, two and a half to each, and so do deals: a path is then
an account's. With `--figures`, the other figures of the attribution notebook are read as well.

Run as `python benchmarks/attribution_size.py [--millions 1 5] [--accounts] [--spark] [--memory
4GB]`. Each reading has a process of its own. CPU time, all threads and children together, is what
other work on the machine hardly moves. Prints a Markdown table.
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
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np

CHANNELS = [f"channel {k:02}" for k in range(20)]
A_JOURNEY, A_DEAL, WINDOW = 5, 10, 20_000
ACCOUNT = "'A-' || lpad((hash({lead} + 7) % ({leads} * 2 // 5 + 1))::varchar, 9, '0') as account_id"
Seconds = dict[str, list[float]]  # of a part: by the clock, and of this process's CPU
TABLES = {
    "leads": """select 'L-' || lpad(i::varchar, 9, '0') as lead_id,
        timestamp '2023-01-01' + to_seconds(i * 94000000 // {leads}) as created_at
        from range({leads}) t(i)""",
    "deals": """select 'D-' || lpad(i::varchar, 9, '0') as deal_id,
        'L-' || lpad((i * {a_deal} + 3)::varchar, 9, '0') as lead_id,
        timestamp '2023-01-01' + to_seconds(i * {a_deal} * 94000000 // {leads}) as created_at,
        created_at + to_days(40 + (hash(i) % 60)::int) as closed_at,
        case when hash(i + 1) % 3 = 0 then 'won' else 'lost' end as outcome,
        500 + (hash(i + 2) % 100000) / 10.0 as amount
        from range({deals}) t(i)""",
    "touches": """select 'T-' || lpad(i::varchar, 10, '0') as touch_id,
        'L-' || lpad(lead::varchar, 9, '0') as lead_id,
        timestamp '2023-01-01'
            + to_seconds(lead * 94000000 // {leads} + (hash(i + 3) % 7776000)::int) as occurred_at,
        {channels}[1 + least(19, -3 * ln((hash(i + 5) % 1000003 + 1) / 1000004.0))::int] as channel
        from (select i, (i // ({window} * {a_journey})) * {window} + hash(i) % {window} as lead
            from range({touches}) t(i))""",
}


def make(folder: Path, touches: int, *, accounts: bool = False) -> None:
    """Write a company of so many touches, in the order in which its leads came."""
    leads = touches // A_JOURNEY
    lead_of = {"leads": "i", "deals": f"(i * {A_DEAL} + 3)"} if accounts else {}
    with duckdb.connect() as connection:
        connection.execute("set memory_limit = '2GB'")
        for name, text in TABLES.items():
            query = text.format(
                leads=leads, deals=leads // A_DEAL, a_deal=A_DEAL, a_journey=A_JOURNEY,
                touches=touches, window=min(WINDOW, leads), channels=CHANNELS,
            )  # fmt: skip
            if name in lead_of:
                account = ACCOUNT.format(lead=lead_of[name], leads=leads)
                query = query.replace("select ", f"select {account}, ", 1)
            connection.execute(f"copy ({query}) to '{folder}/{name}.parquet' (format parquet)")


def floor(folder: Path, memory: str) -> Seconds:
    """Sort touches, and count which channel follows which."""
    seconds = {}
    with duckdb.connect() as connection, _timed(seconds, "all"):
        connection.execute(f"set memory_limit = '{memory}'")
        found = connection.execute(
            "select hash(lead_id) as unit, channel[-2:]::int as code "
            f"from read_parquet('{folder}/touches.parquet') order by unit, occurred_at"
        ).fetchnumpy()
        follows = found["unit"][1:] == found["unit"][:-1]
        pairs = found["code"][:-1] * 20 + found["code"][1:]
        np.bincount(pairs[follows], minlength=400)
    return seconds


def ours(folder: Path, memory: str) -> Seconds:
    """Read paths and journeys, and credit every model."""
    import funnel
    from funnel.questions.attribution import RULES

    seconds = {}
    with _timed(seconds, "load"):
        data = funnel.load(folder, memory_limit=memory, engine="duckdb")
    with _timed(seconds, "paths"):
        paths, journeys = funnel.paths(data), funnel.journeys(data)
    with _timed(seconds, "models"):
        for model in RULES:
            funnel.attribute(journeys, model)
        for model in ("markov", "shapley", "shapley_rate"):
            funnel.attribute(paths, model)
    with _timed(seconds, "one channel's deals"):
        credit = funnel.attribute(journeys, "linear")
        (credit.rows["figure"] == credit.table["channel"].iloc[0]).sum()
    data.close()
    return seconds


def figures(folder: Path, memory: str) -> Seconds:
    """Read the figures of the attribution notebook one after the other."""
    import funnel

    seconds = {}
    with _timed(seconds, "load"):
        data = funnel.load(folder, memory_limit=memory, engine="duckdb")
    with _timed(seconds, "first touches"):
        question = funnel.attribution(data)
    for name in (
        "path_changes", "models", "trace", "common_paths", "path_times", "credited_deals", "lift",
        "cost_per_win", "self_reported",
    ):  # fmt: skip
        with _timed(seconds, name):
            getattr(question, name)()
    with _timed(seconds, "table of paths"):
        question.paths().table  # noqa: B018 - it is written when it is options for
    data.close()
    return seconds


def spark(folder: Path, memory: str) -> Seconds:
    """Run the steps of paths and journeys on Spark."""
    import funnel

    seconds = {}
    with _timed(seconds, "load"):
        data = funnel.load(folder, memory_limit=memory, engine="spark")
    with _timed(seconds, "start"):
        data.spark.session  # noqa: B018 - it is started when it is first asked for
    with _timed(seconds, "paths"):
        funnel.paths(data), funnel.journeys(data)
    data.close()
    return seconds


def of_java() -> tuple[float, float]:
    """Give the CPU seconds and the peak memory (GiB) of Spark's own process, where it runs."""
    context = sys.modules.get("pyspark")
    context = context and context.SparkContext._active_spark_context
    if not context:
        return 0.0, 0.0
    own = Path(f"/proc/{context._jvm.java.lang.ProcessHandle.current().pid()}")
    ticks = [int(each) for each in (own / "stat").read_text().rsplit(")", 1)[1].split()[11:13]]
    peak = (own / "status").read_text().split("VmHWM:")[1].split()[0]
    return sum(ticks) / os.sysconf("SC_CLK_TCK"), int(peak) / 1024**2


class _timed:  # noqa: N801 - read as a word
    def __init__(self, seconds: dict[str, list[float]], name: str) -> None:
        self.seconds, self.name = seconds, name

    def __enter__(self) -> None:
        self.began = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        now = time.perf_counter(), time.process_time()
        self.seconds[self.name] = [end - start for end, start in zip(now, self.began, strict=True)]


READINGS: dict[str, Callable[[Path, str], Seconds]] = {
    "floor": floor,
    "ours": ours,
    "figures": figures,
    "spark": spark,
}


def measured(what: str, folder: Path, memory: str) -> dict:
    """Take one reading in a process of its own, its children counted."""
    command = [sys.executable, __file__, "--read", what, "--folder", str(folder)]
    environment = os.environ | {"FUNNEL_HASH_KEY": "0123456789abcdef8d1f2e3c4b5a6978"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [*command, "--memory", memory], capture_output=True, text=True, check=True, env=environment
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    read = json.loads(done.stdout)
    return read | {"cpu": cpu + read["java_cpu"], "gib": read["gib"] + read["java_gib"]}


def main() -> None:
    """Generate, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 5])
    parser.add_argument("--accounts", action="store_true")
    parser.add_argument("--memory", default="4GB")
    parser.add_argument("--spark", action="store_true")
    parser.add_argument("--figures", action="store_true")
    parser.add_argument("--read", choices=READINGS)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.read:
        seconds = READINGS[options.read](options.folder, options.memory)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
        cpu, gib = of_java()
        read = {"seconds": seconds, "gib": peak, "java_cpu": cpu, "java_gib": gib}
        print(json.dumps(read))
        return
    print(
        "| touches | what | CPU s | by the clock, s | GiB | of which CPU s (Spark: by the clock) |"
    )
    print("|---:|---|---:|---:|---:|---|")
    for millions in options.millions:
        with tempfile.TemporaryDirectory(prefix="funnel-benchmark-") as place:
            make(Path(place), int(millions * 1e6), accounts=options.accounts)
            for what in READINGS:
                if what in ("spark", "figures") and not getattr(options, what):
                    continue
                read = measured(what, Path(place), options.memory)
                kind = 0 if what == "spark" else 1
                seconds = read["seconds"].items()
                parts = ", ".join(f"{name} {each[kind]:.1f}" for name, each in seconds)
                print(
                    f"| {millions:g} M | {what} | {read['cpu']:.1f} "
                    f"| {sum(each[0] for each in read['seconds'].values()):.1f} "
                    f"| {read['gib']:.2f} | {parts} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
