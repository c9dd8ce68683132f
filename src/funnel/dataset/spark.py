"""Spark, where touches outgrow one machine: the same steps, written in its dialect.

Tables are read and checked by DuckDB whatever the engine. A step that Spark runs reads those
checked tables from Parquet files, and its rows, few by design, come back the same way. Steps that
many others stand on are run once, and stay where Spark can read them.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib.util
import logging
import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from funnel.contract.errors import FunnelError, ParameterError
from funnel.contract.tables import TABLES
from funnel.dataset.engine import Engine, EngineError, literal, quoted, step_text
from funnel.dataset.temporary import new_folder

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from sqlglot import Expression

ENGINES = ("duckdb", "spark")
STEPS = frozenset(
    {
        "account_channels", "channel_codes", "journey_ends", "journey_touches", "touched_leads",
        "touches_by_day", "touches_known", "unconverted_paths",
    }
)  # fmt: skip
KEPT = frozenset({"channel_codes", "journey_ends", "journey_touches"})  # run once, read by others
CHOSEN = "FUNNEL_ENGINE"
MASTER = "FUNNEL_SPARK_MASTER"
SHARED = "FUNNEL_SPARK_FOLDER"
_PARTS_OF_A_CORE = 16  # pieces that rows are dealt into on one machine; each must fit in memory
_LEAST_MEMORY = 512  # MiB; Spark starts with no less
_OLDEST_JAVA = 17
_HOW = (
    "`make spark`, or pip install 'funnel[spark]', adds pyspark; Spark needs Java "
    f"{_OLDEST_JAVA} or newer"
)


class Spark:
    """Runs steps on the tables of one engine.

    Parameters
    ----------
    engine
        Holds the checked tables.
    folder
        Where tables and results pass from one to the other: a place that every machine of the
        cluster sees under the same name. Default: what `FUNNEL_SPARK_FOLDER` names, else the
        engine's own folder, which does for a session on this machine.

    Notes
    -----
    The session is the process's own, started at the first step: on the cluster that
    `FUNNEL_SPARK_MASTER` names, else on all cores of this machine. One that is there already is
    taken as it is.
    """

    def __init__(self, engine: Engine, folder: str | Path | None = None) -> None:
        available()
        self.engine = engine
        shared = folder or os.environ.get(SHARED)
        place = Path(shared).absolute() if shared else engine.folder
        self.folder = place / f"spark-{uuid.uuid4().hex[:12]}"
        engine.removes(self.folder)
        self._written: dict[str, tuple[frozenset[str], Path]] = {}
        self._kept: dict[tuple[str, str], Path] = {}

    def step(self, name: str, **parameters: Any) -> pd.DataFrame:
        """Run a step, and give its rows as the engine would.

        Raises
        ------
        FunnelError
            If Spark cannot run it, in Spark's words.
        """
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException

        try:
            rows = self._rows(name, parameters)
        except (PySparkException, Py4JError, EngineError, OSError) as error:
            raise FunnelError(f"Spark cannot run {name}: {_first_line(error)}") from None
        try:
            return self.engine.sql(f"select * from read_parquet({literal(f'{rows}/*.parquet')})")
        finally:
            if name not in KEPT:
                shutil.rmtree(rows, ignore_errors=True)

    def _rows(self, name: str, parameters: Mapping[str, Any]) -> Path:
        """Let Spark write the rows of a step, unless they are kept, and say where they are."""
        given = {key: parameters[key] for key in _parameters_of(name) if key in parameters}
        known = name, repr(sorted(given.items()))
        if known in self._kept:
            return self._kept[known]
        query = self._on_files(parsed(name), parameters)
        rows = self.folder / f"rows-{uuid.uuid4().hex[:12]}"
        bound = _bound(query, given)
        try:
            found = session(self.engine).sql(query.sql("spark"), args=bound)
            found.write.parquet(_place(rows))
        except BaseException:
            shutil.rmtree(rows, ignore_errors=True)
            raise
        if name in KEPT:
            self._kept[known] = rows
        return rows

    def _on_files(self, query: Expression, parameters: Mapping[str, Any]) -> Expression:
        """Let a query read files where it names tables, or steps whose rows are kept."""
        from sqlglot import exp

        files: dict[str, Path] = {}
        for part in list(query.ctes):
            if part.alias in KEPT:
                files[part.alias] = self._rows(part.alias, parameters)
                part.pop()
        named = frozenset(each.name for each in query.find_all(exp.Identifier))
        own = {part.alias for part in query.find_all(exp.CTE)}
        for table in {each.name for each in query.find_all(exp.Table)} - own - files.keys():
            if table in TABLES:
                files[table] = self._file(table, named)
        parts = [_read_as(name, file) for name, file in sorted(files.items())]
        query.set("with_", exp.With(expressions=[*parts, *query.ctes]))
        return query

    def _file(self, table: str, named: frozenset[str]) -> Path:
        """Write the columns that a query names, unless they have been written."""
        given = [row[0] for row in self.engine.rows(f"describe {table}")]
        wanted = named.intersection(given)
        known, narrower = self._written.get(table, (frozenset(), None))
        if narrower is None or not wanted <= known:
            wanted |= known
            self.folder.mkdir(parents=True, exist_ok=True)
            file = self.folder / f"{table}-{uuid.uuid4().hex[:12]}.parquet"
            listed = ", ".join(quoted(column) for column in given if column in wanted)
            self.engine.execute(
                f"copy (select {listed} from {table}) to {literal(str(file))} (format parquet)"
            )
            self._written[table] = wanted, file
            if narrower is not None:
                narrower.unlink()
        return self._written[table][1]


def _read_as(name: str, file: Path) -> Expression:
    """Write `name as (select * from parquet.<file>)`; Spark looks into each file once a query."""
    from sqlglot import exp

    place = exp.to_identifier(_place(file), quoted=True)
    rows = exp.Table(this=place, db=exp.to_identifier("parquet"))
    alias = exp.TableAlias(this=exp.to_identifier(name))
    return exp.CTE(this=exp.select("*").from_(rows), alias=alias)


def _parameters_of(name: str) -> list[str]:
    return sorted(set(re.findall(r"\$(\w+)", step_text(name))))


def _bound(query: Expression, given: Mapping[str, Any]) -> dict[str, Any]:
    """Give parameters as Spark takes them; a moment has no zone, whatever that of the session."""
    from sqlglot import exp

    moments = {key for key, value in given.items() if isinstance(value, dt.datetime)}
    for place in list(query.find_all(exp.Placeholder)):
        if place.name in moments:
            place.replace(exp.cast(place.copy(), "timestampntz"))
    return {key: str(value) if key in moments else value for key, value in given.items()}


def _place(file: Path) -> str:
    # Hadoop takes what follows the scheme as it stands: blanks are not written as %20
    return f"file://{file}"


def engine_named(name: str | None) -> str:
    """Say which engine is meant: the one named, else `FUNNEL_ENGINE`'s, else DuckDB.

    Raises
    ------
    ParameterError
        If there is no such engine.

    Examples
    --------
    >>> engine_named("spark")
    'spark'
    """
    wanted = name or os.environ.get(CHOSEN) or ENGINES[0]
    if wanted not in ENGINES:
        raise ParameterError(f"There is no engine {wanted!r}; use {' or '.join(ENGINES)}.")
    return wanted


def available() -> None:
    """Make sure that Spark can be started.

    Raises
    ------
    ParameterError
        If pyspark or Java is missing, or Java is too old; it says how to add them.
    """
    if importlib.util.find_spec("pyspark") is None:
        raise ParameterError(f"The engine `spark` needs pyspark, which is not installed. {_HOW}.")
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=str(Path(home) / "bin") if home else None)
    if java is None:
        raise ParameterError(f"The engine `spark` needs Java, which was not found. {_HOW}.")
    version = _java_version(java)
    if version is not None and version < _OLDEST_JAVA:
        raise ParameterError(
            f"The engine `spark` needs Java {_OLDEST_JAVA} or newer, and {java} is Java {version}. "
            "JAVA_HOME names the one to use."
        )


@cache
def _java_version(java: str) -> int | None:
    """First number of Java's version; None where Java does not print one."""
    printed = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(?:1\.)?(\d+)', printed.stderr)
    return int(found[1]) if found else None


def written_for(name: str, dialect: str) -> str:
    """Write a step, with those that it stands on, in another dialect of SQL.

    Parameters
    ----------
    name
        One of `STEPS`.
    dialect
        As sqlglot names it: `spark`, `bigquery`, `snowflake`. Only DuckDB's and Spark's are run
        by this package; the others are parsed, and no more is known of them.

    Examples
    --------
    >>> written_for("unconverted_paths", "spark").splitlines()[-3:]
    ['FROM journeys', 'GROUP BY', '  path']
    """
    from sqlglot import ErrorLevel

    return parsed(name).sql(dialect, pretty=True, unsupported_level=ErrorLevel.IGNORE)


@cache
def _parsed(name: str) -> Expression:
    import sqlglot

    tree = sqlglot.parse_one(step_text(name), read="duckdb")
    for part in tree.find_all(sqlglot.exp.CTE):
        part.set("materialized", None)  # only DuckDB knows what to materialise
    return tree


def parsed(name: str) -> Expression:
    """Give a step, with those that it stands on, as a tree that may be changed."""
    return _parsed(name).copy()


def session(engine: Engine) -> SparkSession:
    """Give this process's Spark session, started where there is none."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    running = SparkSession.getActiveSession()
    if running is not None:
        return running
    logging.getLogger("SQLQueryContextLogger").disabled = True
    master = os.environ.get(MASTER) or f"local[{engine.threads}]"
    place = new_folder("spark-")
    settings = {
        "spark.driver.memory": f"{max(engine.memory_mib, _LEAST_MEMORY)}m",
        "spark.local.dir": str(place),
        "spark.sql.warehouse.dir": (place / "warehouse").as_uri(),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.timestampType": "TIMESTAMP_NTZ",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "OFF",
    }
    if master.startswith("local"):
        settings |= {
            "spark.driver.host": "localhost",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.sql.shuffle.partitions": str(_PARTS_OF_A_CORE * engine.threads),
        }
    builder = SparkSession.builder.master(master).appName("funnel")
    for key, value in settings.items():
        builder = builder.config(key, value)
    try:
        with _stderr_to(place / "started"):
            started = builder.getOrCreate()
    except (PySparkException, Py4JError, OSError) as error:
        why = _last_complaint(place / "started") or _first_line(error)
        shutil.rmtree(place, ignore_errors=True)
        raise ParameterError(
            f"Spark cannot start on {master}: {why.removesuffix('.')}. {_HOW}."
        ) from None
    return started


@contextlib.contextmanager
def _stderr_to(file: Path) -> Iterator[None]:
    """Send what Java prints, at its start and later, to a file and not into a notebook."""
    own = os.dup(2)
    with file.open("wb") as log:
        os.dup2(log.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(own, 2)
        os.close(own)


def _last_complaint(file: Path) -> str:
    """Find what Java complained of before it ended, if it did."""
    lines = file.read_text(errors="replace").splitlines() if file.is_file() else []
    named = [line.strip() for line in lines if re.search(r"(Exception|Error)\b", line)]
    return re.sub(r'^Exception in thread "\S+" [\w.$]+: ', "", named[-1])[:300] if named else ""


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    if len(lines) > 1 and lines[0].startswith("An error occurred while calling"):
        del lines[0]  # what Java says follows, after a colon
    return lines[0].lstrip(": ")[:300] if lines else type(error).__name__
