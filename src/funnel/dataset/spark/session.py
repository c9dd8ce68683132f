"""Spark's session: the one that runs already, else one that is started at the first step."""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import shutil
import subprocess
import sys
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from funnel.contract.errors import ParameterError
from funnel.dataset.engine import Engine
from funnel.dataset.temporary import new_folder

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ENGINES = ("duckdb", "spark")
CHOSEN = "FUNNEL_ENGINE"
MASTER = "FUNNEL_SPARK_MASTER"
_REMOTE = "SPARK_REMOTE"  # Spark's own variable for the address of a Spark Connect server
_PARTS_OF_A_CORE = 16  # pieces that rows are dealt into on one machine; each must fit in memory
_LEAST_MEMORY = 512  # MiB; Spark starts with no less
_OLDEST_JAVA = 17
_HOW = (
    "`make spark`, or pip install 'funnel[spark]', adds pyspark; Spark needs Java "
    f"{_OLDEST_JAVA} or newer"
)
_OURS = {"spark.sql.session.timeZone": "UTC", "spark.sql.timestampType": "TIMESTAMP_NTZ"}


def engine_named(name: str | None) -> str:
    """Engine that is meant: the one named, else `FUNNEL_ENGINE`'s, else DuckDB.

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
    """Make sure that there is a session, or that one can be started.

    Raises
    ------
    ParameterError
        If pyspark is missing; or if Java is missing or too old where Spark would start here.
    """
    if importlib.util.find_spec("pyspark") is None:
        raise ParameterError(f"The engine `spark` needs pyspark, which is not installed. {_HOW}.")
    if _running() is not None or _remote():
        return
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


def session(engine: Engine) -> SparkSession:
    """Session with settings of its own, on the Spark that runs in this process.

    Where none runs, it is reached at the Spark Connect server, or started on the cluster, that
    `FUNNEL_SPARK_MASTER` names; else on all cores of this machine.
    """
    # speaks of pandas' functions on Spark, which nothing here calls
    warnings.filterwarnings("ignore", "PySpark does not yet fully support", FutureWarning)
    mine = (_running() or _reached(_remote()) or _started(engine)).newSession()
    for key, value in _OURS.items():  # whatever the settings of who started it
        mine.conf.set(key, value)
    return mine


def _running() -> SparkSession | None:
    """Session of this process, where it has one."""
    if "pyspark" not in sys.modules:
        return None
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    found = SparkSession.getActiveSession()
    if found is None and SparkContext._active_spark_context is not None:
        found = SparkSession.builder.getOrCreate()  # one of another thread
    return found


def _remote() -> str:
    """Address of a Spark Connect server; empty where none is named."""
    master = os.environ.get(MASTER, "")
    return master if master.startswith("sc://") else os.environ.get(_REMOTE, "")


def _reached(address: str) -> SparkSession | None:
    if not address:
        return None
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    try:
        found = SparkSession.builder.remote(address).getOrCreate()
        _ = found.version  # nothing is asked of the server before
        return found
    except (PySparkException, ImportError, OSError) as error:
        raise ParameterError(
            f"Spark cannot be reached at {address}: {first_line(error).removesuffix('.')}. "
            "pip install 'pyspark[connect]' adds what its client needs."
        ) from None


def _started(engine: Engine) -> SparkSession:
    from py4j.protocol import Py4JError
    from pyspark import SparkConf, SparkContext
    from pyspark.errors import PySparkException
    from pyspark.java_gateway import launch_gateway
    from pyspark.sql import SparkSession

    logging.getLogger("SQLQueryContextLogger").disabled = True
    master = os.environ.get(MASTER) or f"local[{engine.threads}]"
    place = new_folder("spark-")
    settings = {
        "spark.driver.memory": f"{max(engine.memory_mib, _LEAST_MEMORY)}m",
        "spark.local.dir": str(place),
        "spark.sql.warehouse.dir": (place / "warehouse").as_uri(),
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
    conf = SparkConf().setMaster(master).setAppName("funnel").setAll(list(settings.items()))
    try:
        with (place / "started").open("wb") as log:  # not into a notebook
            gateway = launch_gateway(conf, {"stderr": log})
        SparkContext(conf=conf, gateway=gateway)
        return SparkSession.builder.getOrCreate()
    except (PySparkException, Py4JError, OSError) as error:
        why = _last_complaint(place / "started") or first_line(error)
        shutil.rmtree(place, ignore_errors=True)
        raise ParameterError(
            f"Spark cannot start on {master}: {why.removesuffix('.')}. {_HOW}."
        ) from None


@cache
def _java_version(java: str) -> int | None:
    """First number of Java's version; None where Java does not print one."""
    printed = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(?:1\.)?(\d+)', printed.stderr)
    return int(found[1]) if found else None


def _last_complaint(file: Path) -> str:
    """What Java complained of before it ended, if it did."""
    lines = file.read_text(errors="replace").splitlines() if file.is_file() else []
    named = [line.strip() for line in lines if re.search(r"(Exception|Error)\b", line)]
    return re.sub(r'^Exception in thread "\S+" [\w.$]+: ', "", named[-1])[:300] if named else ""


def first_line(error: Exception) -> str:
    """What an error of Spark says, in one line."""
    lines = str(error).strip().splitlines()
    if len(lines) > 1 and lines[0].startswith("An error occurred while calling"):
        del lines[0]  # what Java says follows, after a colon
    return lines[0].lstrip(": ")[:300] if lines else type(error).__name__
