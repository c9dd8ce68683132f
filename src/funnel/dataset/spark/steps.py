"""Steps as Spark runs them: the package's queries, written in its dialect.

Tables are read and checked by DuckDB whatever the engine. A step that Spark runs reads those
checked tables from Parquet files, and its rows, few by design, come back the same way. Each step
is run once, and its rows stay where Spark can read them, since others stand on them.
"""

from __future__ import annotations

import datetime as dt
import re
import threading
from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from funnel.contract.errors import FunnelError
from funnel.contract.tables import TABLES
from funnel.dataset.engine import Engine, EngineError, literal, quoted, step_text
from funnel.dataset.spark.session import available, first_line, session
from funnel.dataset.spark.store import Store

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from sqlglot import Expression

STEPS = frozenset(
    {
        "account_channels", "channel_codes", "journey_ends", "journey_touches", "touched_leads",
        "touches_by_day", "touches_known", "unconverted_paths",
    }
)  # fmt: skip
_READ_BY_OTHERS = frozenset({"channel_codes", "journey_ends", "journey_touches"})


class Spark:
    """Runs steps on the tables of one engine.

    Parameters
    ----------
    engine
        Holds the checked tables.
    folder
        Where tables and results pass from one to the other, as `Store` takes it.
    """

    def __init__(self, engine: Engine, folder: str | Path | None = None) -> None:
        available()
        self.engine = engine
        self.store = Store(engine, folder)
        self._one_at_a_time = threading.RLock()
        self._written: dict[str, str] = {}
        self._known: dict[tuple[str, str], str] = {}

    @property
    def folder(self) -> Path:
        """Where the engine finds the rows of steps."""
        return self.store.folder

    @cached_property
    def session(self) -> SparkSession:
        """Session of this process, started at the first step."""
        return session(self.engine)

    def step(self, name: str, **parameters: Any) -> pd.DataFrame:
        """Rows of a step, as the engine would give them.

        Raises
        ------
        FunnelError
            If Spark cannot run it, in Spark's words.
        """
        return rows_in(self.engine, self.rows(name, parameters))

    def rows(self, name: str, parameters: Mapping[str, Any]) -> Path:
        """Folder with the rows of a step in Parquet files; errors as of `step`."""
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException

        with self._one_at_a_time:
            try:
                return self.store.fetch(self.session, self._stored(name, parameters))
            except (PySparkException, Py4JError, EngineError, OSError) as error:
                raise FunnelError(f"Spark cannot run {name}: {first_line(error)}") from None

    def close(self) -> None:
        """Remove what was written where Spark reads it."""
        if "session" in self.__dict__:
            self.store.remove(self.session)
            if not hasattr(self.session, "_jvm"):
                # the client of a Spark Connect server; left open it may hold up the process's end
                self.session.stop()

    def _stored(self, name: str, parameters: Mapping[str, Any]) -> str:
        """Let Spark write the rows of a step, unless it has, and give their name in the store."""
        given = {key: parameters[key] for key in _parameters_of(name) if key in parameters}
        known = name, repr(sorted(given.items()))
        if known not in self._known:
            query = self._on_files(parsed(name), parameters)
            rows = self.store.new_name(name)
            bound = _bound(query, given)
            try:
                found = self.session.sql(query.sql("spark"), args=bound)
                found.write.parquet(f"{self.store.address}/{rows}")
            except BaseException:
                self.store.remove(self.session, rows)
                raise
            self._known[known] = rows
        return self._known[known]

    def _on_files(self, query: Expression, parameters: Mapping[str, Any]) -> Expression:
        """Let a query read files where it names tables, or steps whose rows are there."""
        from sqlglot import exp

        files: dict[str, str] = {}
        for part in list(query.ctes):
            if part.alias in _READ_BY_OTHERS:
                files[part.alias] = f"{self.store.address}/{self._stored(part.alias, parameters)}"
                part.pop()
        own = {part.alias for part in query.find_all(exp.CTE)}
        for table in {each.name for each in query.find_all(exp.Table)} - own - files.keys():
            if table in TABLES:
                files[table] = self._file(table)
        parts = [_read_as(name, address) for name, address in sorted(files.items())]
        query.set("with_", exp.With(expressions=[*parts, *query.ctes]))
        return query

    def _file(self, table: str) -> str:
        """Write what steps read of a table, unless it has been written; give its address."""
        if table not in self._written:
            # connections of their own, since a notebook may ask at any moment
            [described] = self.engine.rows_of_each([f"describe {table}"])
            listed = ", ".join(quoted(row[0]) for row in described if row[0] in _names_in_steps())
            name = f"{self.store.new_name(table)}.parquet"
            target = literal(str(self.store.file(name)))
            self.engine.rows_of_each(
                [f"copy (select {listed} from {table}) to {target} (format parquet)"]
            )
            self._written[table] = self.store.put(self.session, name)
        return self._written[table]


def rows_in(engine: Engine, folder: Path) -> pd.DataFrame:
    """Rows of the Parquet files in a folder."""
    return engine.sql(f"select * from read_parquet({literal(f'{folder}/*.parquet')})")


def _read_as(name: str, address: str) -> Expression:
    """Write `name as (select * from parquet.<address>)`; Spark then reads each file once."""
    from sqlglot import exp

    place = exp.to_identifier(address, quoted=True)
    rows = exp.Table(this=place, db=exp.to_identifier("parquet"))
    alias = exp.TableAlias(this=exp.to_identifier(name))
    return exp.CTE(this=exp.select("*").from_(rows), alias=alias)


@cache
def _names_in_steps() -> frozenset[str]:
    """Every name that a step holds, those of the columns that it reads among them."""
    from sqlglot import exp

    return frozenset(each.name for name in STEPS for each in _parsed(name).find_all(exp.Identifier))


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
