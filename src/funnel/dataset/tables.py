"""`Tables`: one company's data as at the end of a day, checked, in the engine."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from funnel.contract.errors import ParameterError
from funnel.contract.periods import Comparison
from funnel.contract.plan import Plan
from funnel.contract.tables import TABLES, Kind
from funnel.dataset.csv_files import write_csv
from funnel.dataset.engine import Engine, quoted
from funnel.dataset.files import fingerprint
from funnel.dataset.findings import Finding, gather
from funnel.dataset.spark import STEPS, Spark

REJECT_COLUMNS = ("table", "file", "line", "reason")
COUNT_COLUMNS = ("table", "files", "rows_in", "rows_used", "rows_rejected", "rows_after_as_of")


@dataclass(eq=False)
class Tables:
    """One company's tables, as at the end of `as_of`.

    Each of the contract's tables is an attribute that gives a pandas frame, made when it is first
    asked for: `data.leads`, `data.deals`. It has every column of the contract, then those that
    only this source has; a table that is not there is an empty frame. Moments are UTC.

    Attributes
    ----------
    plan
        What both teams agree on.
    as_of
        The last day that the data speaks for.
    findings
        Odd but usable: `table`, `what`, `n`, `examples`, `says`, `owner`, `question`.
    rejects
        Every row set aside: `table`, `file`, `line`, `reason`.
    counts
        Rows in, used and set aside, by table: `rows_in` = `rows_used` + `rows_rejected`.
    sources
        Each input file: `table`, `file`, `bytes`, `sha256`.
    extras
        Columns of each table that the contract does not know.
    views
        Tables too big for memory, which are read from their file at every question.
    spark
        Runs the steps that Spark knows, where that was asked for.
    keys
        By table, a query for the keys of all its rows, those set aside too.
    """

    plan: Plan
    as_of: dt.date
    engine: Engine
    counted: tuple[tuple[str, str, int, int, int, int], ...]
    paths: Mapping[str, tuple[Path, ...]]
    extras: Mapping[str, tuple[str, ...]]
    views: frozenset[str] = frozenset()
    spark: Spark | None = None
    told: tuple[Finding, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    set_aside: Mapping[str, Callable[[], pd.DataFrame]] = field(default_factory=dict, repr=False)
    _frames: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False)
    _filled: dict[tuple[str, str], bool] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        *,
        plan: Plan | dict[str, Any] | None = None,
        as_of: Any = None,
        engine: str | None = None,
        **frames: pd.DataFrame,
    ) -> Tables:
        """Make tables from pandas frames, checked in the same way as files.

        Parameters
        ----------
        plan
            A plan, or keys of its section `[plan]`.
        as_of
            A day; default: the newest day of ordinary activity.
        engine
            As in `load`.
        frames
            One frame per table, by the contract's name.

        Raises
        ------
        TableError
            If a table breaks the contract.

        Examples
        --------
        >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05T09:30:00Z"]})
        >>> Tables.of(leads=leads).leads["created_at"].iloc[0]
        Timestamp('2026-01-05 09:30:00+0000', tz='UTC')
        """
        from funnel.dataset.load import of_frames

        return of_frames(frames, plan, as_of, engine)

    @property
    def comparison(self) -> Comparison:
        """The period looked at, and the one it is compared with."""
        return self.plan.comparison(self.as_of)

    @cached_property
    def findings(self) -> pd.DataFrame:
        """Odd but usable: `table`, `what`, `n`, `examples`, `says`, `owner`, `question`."""
        return gather(self)

    @cached_property
    def counts(self) -> pd.DataFrame:
        """Rows in, used and set aside, one row per table that is there."""
        return pd.DataFrame(list(self.counted), columns=list(COUNT_COLUMNS))

    @cached_property
    def rejects(self) -> pd.DataFrame:
        """Every row set aside: `table`, `file`, `line`, `reason`."""
        named = {f"{name}:": name for name in ("file", "line", "reason")}
        parts = [
            self._rows_aside[table][list(named)].rename(columns=named).assign(table=table)
            for table in self.set_aside
        ]
        none = pd.DataFrame({name: pd.Series(dtype="str") for name in REJECT_COLUMNS})
        rows = pd.concat(parts, ignore_index=True) if parts else none
        return rows[list(REJECT_COLUMNS)].astype({"line": "int64"})

    @cached_property
    def sources(self) -> pd.DataFrame:
        """Each input file: `table`, `file`, `bytes`, `sha256`."""
        listed = [
            (table, file.name, file.stat().st_size, fingerprint(file))
            for table, paths in self.paths.items()
            for file in paths
        ]
        return pd.DataFrame(listed, columns=["table", "file", "bytes", "sha256"])

    @cached_property
    def _rows_aside(self) -> dict[str, pd.DataFrame]:
        return {table: fetch() for table, fetch in self.set_aside.items()}

    def __getattr__(self, name: str) -> pd.DataFrame:
        if name in TABLES:
            return self.frame(name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def frame(self, table: str) -> pd.DataFrame:
        """Give a table as a pandas frame; the same frame every time, so copy it to change it."""
        if table not in self._frames:
            if table not in TABLES:
                raise ParameterError(f"There is no table {table!r}; there are {', '.join(TABLES)}.")
            self._frames[table] = self._fetched(table)
        return self._frames[table]

    def has(self, table: str, *columns: str) -> bool:
        """Whether a table has rows, and each of these columns at least one value."""
        if table not in TABLES:
            raise ParameterError(f"There is no table {table!r}; there are {', '.join(TABLES)}.")
        known = {*TABLES[table].by_name, *self.extras.get(table, ())}
        return known.issuperset(columns) and all(
            self._is_filled(table, column) for column in ("", *columns)
        )

    def _is_filled(self, table: str, column: str) -> bool:
        if (table, column) not in self._filled:
            where = f" where {quoted(column)} is not null" if column else ""
            rows = self.engine.rows(f"select 1 from {table}{where} limit 1")
            self._filled[table, column] = bool(rows)
        return self._filled[table, column]

    def sql(self, query: str, **parameters: Any) -> pd.DataFrame:
        """Ask the engine, which knows the tables by name; parameters as `$name`.

        Moments are naive timestamps in UTC.
        """
        return self.engine.sql(query, **parameters)

    def step(self, name: str, **parameters: Any) -> pd.DataFrame:
        """Run the package's step of this name on the tables, on Spark where that was asked for."""
        if self.spark is not None and name in STEPS:
            return self.spark.step(name, **parameters)
        return self.engine.step(name, **parameters)

    def write_rejects(self, folder: str | Path) -> None:
        """Write each row set aside as the source has it, with its line and the reason.

        Identities are hashed here too. One file per table that lost a row. Where the source has a
        `line` or `reason` of its own, that one is written as `source_line`, `source_reason`.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for table, rows in self._rows_aside.items():
            ours = {f"{name}:": name for name in ("line", "reason")}
            theirs = {name: f"source_{name}" for name in ours.values()}
            written = rows.drop(columns="file:").rename(columns=theirs).rename(columns=ours)
            write_csv(written, folder / f"{table}.csv")

    def close(self) -> None:
        """Let go of the engine's memory and files."""
        self.engine.close()

    def _fetched(self, table: str) -> pd.DataFrame:
        # a table that was left in its file is in no order
        order = " order by all" if table in self.views else ""
        frame = self.engine.sql(f"select * from {table}{order}")
        for column in TABLES[table].columns:
            if column.kind is Kind.TIME:
                moments = frame[column.name].astype("datetime64[us]")
                frame[column.name] = moments.dt.tz_localize("UTC")
            elif column.kind is Kind.DATE:
                frame[column.name] = frame[column.name].astype("datetime64[us]")
        return frame
