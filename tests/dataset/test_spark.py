"""Spark: the same steps give the same rows as in DuckDB, on hostile touches too."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sqlglot

import funnel
from funnel import dataset
from funnel.contract.errors import FunnelError, ParameterError
from funnel.dataset import Tables
from funnel.dataset.engine import Engine
from funnel.dataset.spark import (
    ENGINES,
    MASTER,
    SHARED,
    STEPS,
    Spark,
    available,
    engine_named,
    served,
    spark_for,
    written_for,
)
from funnel.methods.paths import scope_of
from funnel.methods.qualification.leads import touch_counts

try:
    available()
    MISSING = ""
except ParameterError as error:
    MISSING = str(error)

needs_spark = pytest.mark.skipif(bool(MISSING), reason=MISSING or "Spark is there")
SQL = Path(dataset.__file__).parent / "sql"
SAMPLE = Path(__file__).parents[2] / "data" / "sample"
LONGEST = 20_000
NAMES = (
    "web", "paid > search", 'a "quoted" one', "it's", "größe", "", None, "Web", "back\\slash",
    "two\nlines", "a > > b", "${:x}%s", "名前",
)  # fmt: skip


def hostile(n_leads: int = 60) -> dict[str, pd.DataFrame]:
    """Write touches as exports hold them: late, unknown, at once, in many zones, oddly named."""
    random = np.random.default_rng(11)
    leads = pd.DataFrame(
        {
            "lead_id": [f"L-{i:03}" for i in range(n_leads)],
            "created_at": "2026-01-05T08:00:00Z",
            "account_id": [None if i % 3 else f"A-{i // 6}" for i in range(n_leads)],
            "channel": "web",
        }
    )
    won = leads["lead_id"][::4].tolist()
    deals = pd.DataFrame(
        {
            "deal_id": [f"D-{i:03}" for i in range(len(won) + 1)],
            "lead_id": [*won, None],
            "account_id": [*[None] * len(won), "A-1"],
            "created_at": "2026-02-01T00:00:00Z",
            "closed_at": "2026-03-01T00:00:00Z",
            "outcome": [*("lost" if i % 3 == 1 else "won" for i in range(len(won))), "won"],
            "amount": np.arange(len(won) + 1) * 125.25 + 0.1,
        }
    )
    zones = ("Z", "+02:00", "-08:00", "+05:30")
    n = 12 * n_leads
    day = random.integers(1, 29, n)
    touches = pd.DataFrame(
        {
            "touch_id": [None if i % 5 == 0 else f"T-{i:05}" for i in range(n)],
            "lead_id": [f"L-{i:03}" for i in random.integers(0, n_leads + 3, n)],
            "occurred_at": [
                f"2026-{1 + i % 4:02}-{d:02}T{9 + i % 2:02}:00:00{zones[i % 4]}"
                for i, d in enumerate(day)
            ],
            "channel": [NAMES[i] for i in random.integers(0, len(NAMES), n)],
            "kind": [("web", "mail", None)[i] for i in random.integers(0, 3, n)],
        }
    )
    long = pd.DataFrame(
        {
            "touch_id": None,
            "lead_id": won[0],
            "occurred_at": [f"2026-01-{1 + i % 28:02}T10:00:00Z" for i in range(LONGEST)],
            "channel": [NAMES[i % 5] for i in range(LONGEST)],
        }
    )
    of_account = pd.DataFrame(
        {
            "touch_id": ["T-A", "T-B"],
            "account_id": ["A-1", "A-nobody"],
            "occurred_at": "2026-01-02T09:00:00Z",
            "channel": "fair",
        }
    )
    touches = pd.concat([touches, long, of_account], ignore_index=True)
    return {"leads": leads, "deals": deals, "touches": touches}


def small(data: Tables) -> None:
    """Deal rows into two pieces, one for each worker, and plan once, since there are few."""
    data.spark.session.conf.set("spark.sql.shuffle.partitions", 2)
    data.spark.session.conf.set("spark.sql.adaptive.enabled", False)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Give one hostile company in each engine, on a machine that is not set to UTC.

    Two workers run beside the driver, each in a process of its own, and everything passes through
    an address that is no path of this machine.
    """
    frames = hostile()
    shared = tmp_path_factory.mktemp("shared")
    mounted = f"spark.hadoop.fs.viewfs.mounttable.company.link./shared={shared.as_uri()}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "America/New_York")
        time.tzset()
        patch.setenv(MASTER, "local-cluster[2,1,1024]")
        patch.setenv(SHARED, "viewfs://company/shared/")
        # so short a session is not worth any compiler's while
        quick = "--conf spark.sql.codegen.wholeStage=false"
        quick += " --conf spark.sql.codegen.factoryMode=NO_CODEGEN"
        patch.setenv("PYSPARK_SUBMIT_ARGS", f"--conf {mounted} {quick} pyspark-shell")
        patch.setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        given = [
            Tables.of(plan={"max_rejected": 0.5}, as_of="2026-04-30", engine=engine, **frames)
            for engine in ENGINES
        ]
        small(given[1])
        yield given
        for tables in given:
            tables.close()
    time.tzset()
    assert list(shared.iterdir()) == []


def same(duck: pd.DataFrame, other: pd.DataFrame) -> None:
    assert len(duck) > 3
    pd.testing.assert_frame_equal(duck, other, rtol=1e-9, check_exact=False)


@needs_spark
def test_journeys_are_equal(both):
    duck, other = (funnel.journeys(data, lookback_days=50).table for data in both)
    same(duck, other)
    assert other["n_touches"].max() > LONGEST / 2
    assert other["occurred_at"].max() <= pd.Timestamp(2026, 3, 1, tz="UTC")
    assert both[1].counts.set_index("table").loc["touches", "rows_rejected"] > 0


@needs_spark
def test_paths_of_the_sample_are_equal_byte_by_byte(both):
    duck = funnel.load(SAMPLE, engine="duckdb")
    other = dataclasses.replace(duck, spark=Spark(duck.engine))
    small(other)
    for read in (funnel.paths, funnel.journeys):
        found = [read(data).table.to_csv(index=False) for data in (duck, other)]
        assert found[0] == found[1]
        assert found[0].count("\n") > 3
    other.close()


@needs_spark
def test_paths_won_and_not_won_and_their_credit_are_equal(both):
    duck, other = (funnel.paths(data, collapse=True, null_after_days=3) for data in both)
    same(duck.table, other.table)
    assert duck.table["nulls"].sum() > 0
    assert duck.table["path"].str.contains("paid>search", regex=False).any()
    same(*(funnel.attribute(paths, "linear").table for paths in (duck, other)))


@needs_spark
@pytest.mark.parametrize("by", ["account", "lead"])
def test_coded_paths_and_journeys_are_equal(both, by):
    for read in (funnel.journeys, funnel.paths):
        duck, other = (read(data, by=by, lookback_days=20).coded for data in both)
        assert sorted(duck.strings()) == sorted(other.strings())
        assert duck.nulls.sum() == other.nulls.sum()
        np.testing.assert_allclose(duck.value.sum(), other.value.sum(), rtol=1e-9)
    assert other.nulls.sum() > 10
    same(*(funnel.attribute(paths, "markov").table for paths in (duck, other)))


@needs_spark
def test_paths_to_a_stage_are_equal(both):
    duck, other = (funnel.paths(data, to="opportunity", until="closed_at") for data in both)
    same(duck.table, other.table)


@needs_spark
def test_days_along_the_path_are_equal(both):
    duck, other = (funnel.attribution(data).path_times() for data in both)
    same(duck.table, other.table)
    assert duck.headline == other.headline


@needs_spark
def test_touches_that_a_lead_had_when_it_was_judged_are_equal(both):
    duck, other = (touch_counts(data) for data in both)
    same(duck, other)
    assert {"n_web", "n_mail"} <= set(other.columns)


@needs_spark
def test_what_is_counted_of_all_touches_is_equal(both):
    for step, given in {
        "account_channels": {},
        "touched_leads": {"zone": "America/New_York"},
        "touches_by_day": {"zone": "Asia/Kolkata"},
    }.items():
        duck, other = (data.step(step, **given) for data in both)
        pd.testing.assert_frame_equal(duck, other, check_dtype=False)


@needs_spark
@pytest.mark.parametrize("left_out", ["touches", "won deals"])
def test_what_is_empty_is_empty_in_both(both, left_out):
    frames = hostile(12)
    if left_out == "won deals":
        frames["deals"] = frames["deals"].assign(outcome="lost")
    else:
        del frames[left_out]
    given = [
        Tables.of(plan={"max_rejected": 0.5}, as_of="2026-04-30", engine=engine, **frames)
        for engine in ENGINES
    ]
    small(given[1])
    for ask in (
        lambda data: funnel.paths(data).table,
        lambda data: funnel.attribution(data).path_times().table,
        lambda data: pd.DataFrame({"path": funnel.journeys(data).coded.strings()}),
    ):
        duck, other = (ask(data) for data in given)
        pd.testing.assert_frame_equal(duck, other, rtol=1e-9)
    for tables in given:
        tables.close()


@needs_spark
def test_steps_that_others_stand_on_are_run_once(both, monkeypatch):
    runs, query = both[1].spark, scope_of(both[1]).of_touches
    both[1].step("journey_touches", **query)
    files = set(runs.folder.iterdir())
    monkeypatch.setattr(type(runs), "_file", None)  # no table is read again
    both[1].step("journey_touches", **query)
    assert set(runs.folder.iterdir()) == files


@needs_spark
def test_a_runs_notebooks_share_its_session_and_what_it_computed(both, tmp_path, monkeypatch):
    runs = both[1].spark
    with served(runs, tmp_path), Engine() as engine:
        monkeypatch.setattr("funnel.dataset.spark.session._started", None)  # no second one
        notebook = spark_for(engine, tmp_path)
        asked = notebook.step("touches_by_day", zone="Asia/Kolkata")
        pd.testing.assert_frame_equal(asked, both[1].step("touches_by_day", zone="Asia/Kolkata"))
        rows = runs.rows("touches_by_day", {"zone": "Asia/Kolkata"})
        assert rows == runs.rows("touches_by_day", {"zone": "Asia/Kolkata"})
        with pytest.raises(FunnelError, match=r"Spark cannot run touches_by_day: "):
            notebook.step("touches_by_day")
        with pytest.raises(FunnelError, match="There is no step named"):
            notebook.step("nothing")
    with pytest.raises(FunnelError, match="the run that this notebook belongs to has ended"):
        notebook.step("touches_by_day", zone="Asia/Kolkata")


@needs_spark
def test_a_session_that_runs_is_taken_before_java_is_looked_for(both, monkeypatch, tmp_path):
    theirs = both[1].spark.session
    theirs.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with Engine() as engine:
        mine = Spark(engine, tmp_path).session
    assert mine.sparkContext is theirs.sparkContext
    assert mine.conf.get("spark.sql.session.timeZone") == "UTC"
    assert theirs.conf.get("spark.sql.session.timeZone") == "Asia/Tokyo"
    theirs.conf.set("spark.sql.session.timeZone", "UTC")


@needs_spark
def test_what_passed_between_the_engines_is_gone_when_they_close(tmp_path):
    with Engine() as engine:
        for table in ("leads", "deals", "stage_changes"):
            engine.execute(f"create table {table} as select 'L-1' as lead_id")
        runs = Spark(engine, tmp_path)
        with pytest.raises(FunnelError, match="Spark cannot run journey_ends"):
            runs.step("journey_ends")
        assert len(list(runs.folder.iterdir())) == 3
    assert list(tmp_path.iterdir()) == []


@needs_spark
def test_the_folder_that_a_cluster_shares_is_used(tmp_path, monkeypatch):
    monkeypatch.setenv(SHARED, str(tmp_path))
    with Engine() as engine:
        assert Spark(engine).folder.parent == tmp_path


@pytest.mark.parametrize("dialect", ["spark", "bigquery", "snowflake"])
@pytest.mark.parametrize("name", sorted(file.stem for file in SQL.glob("*.sql")))
def test_every_step_is_written_for_other_engines_and_parses_there(name, dialect):
    text = written_for(name, dialect)
    assert sqlglot.parse_one(text, read=dialect).find(sqlglot.exp.Select)
    assert name not in STEPS or dialect != "spark" or "$" not in text


def test_the_engine_is_the_one_named_or_the_environments(monkeypatch):
    assert engine_named(None) == "duckdb"
    monkeypatch.setenv("FUNNEL_ENGINE", "spark")
    assert engine_named(None) == "spark"
    assert engine_named("duckdb") == "duckdb"
    monkeypatch.setenv("FUNNEL_ENGINE", "oracle")
    with pytest.raises(ParameterError, match=r"no engine 'oracle'; use duckdb or spark"):
        funnel.load("nowhere")


def test_what_is_missing_is_said_in_words(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ParameterError, match="needs pyspark"):
        available()
    monkeypatch.setattr("importlib.util.find_spec", lambda _: True)
    monkeypatch.setattr("funnel.dataset.spark.session._running", lambda: None)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(ParameterError, match="needs Java"):
        available()


def java_that_says(folder: Path, words: str) -> str:
    """Write a program `java` that says something and ends; give its home."""
    program = folder / "bin" / "java"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 1\n")
    program.chmod(0o755)
    return str(folder)


@pytest.mark.parametrize("said, version", [('"11.0.2" 2019', 11), ('"1.8.0_402"', 8)])
def test_a_java_that_is_too_old_is_told_before_anything_runs(monkeypatch, tmp_path, said, version):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: True)
    monkeypatch.setattr("funnel.dataset.spark.session._running", lambda: None)
    monkeypatch.setenv("JAVA_HOME", java_that_says(tmp_path, f"openjdk version {said}"))
    with pytest.raises(ParameterError, match=rf"Java 17 or newer, and .* is Java {version}\."):
        available()


@needs_spark
def test_why_spark_cannot_start_is_said_in_javas_words(monkeypatch, tmp_path):
    words = "Error: the heap does not fit"
    code = "from funnel.dataset import engine, spark; spark.Spark(engine.Engine(threads=1)).session"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"JAVA_HOME": java_that_says(tmp_path, words), MASTER: "local[1]"},
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stderr.strip().splitlines()[-1]
    assert "ParameterError: Spark cannot start on local[1]: Error: the heap does not fit." in last
