"""`Tables`: one company's dataset as at the end of a day, checked, in the engine."""

from __future__ import annotations

import dataclasses
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
    """One company's dataset, as at the end of `as_of`.

    Each of the contract's tables is an attribute that gives a pandas frame, made at its first use:
    `data.leads`, `data.deals`. It has every column of the contract, then those that only this
    source has; a table that is not there is an empty frame. Moments are UTC.

    Attributes
    ----------
    plan
        What both teams agree on.
    as_of
        The last day that the data covers.
    findings
        What is odd but usable: `table`, `what`, `n`, `examples`, `says`, `owner`, `question`.
    rejects
        Every rejected row: `table`, `file`, `line`, `reason`.
    counts
        Rows in, used and rejected, by table: `rows_in` = `rows_used` + `rows_rejected`.
    sources
        Each input file: `table`, `file`, `bytes`, `sha256`.
    extras
        Columns of each table that the contract does not know.
    views
        Tables too big for memory, which every query reads from their file.
    spark
        Runs the steps that Spark knows, where that engine was chosen.
    keys
        By table, a query for the keys of all its rows, rejected ones included.
    load_findings
        Findings made while the files were read.
    rejected_rows
        By table with rejected rows, a function that fetches them.
    """

    plan: Plan
    as_of: dt.date
    engine: Engine
    counted: tuple[tuple[str, str, int, int, int, int], ...]
    paths: Mapping[str, tuple[Path, ...]]
    extras: Mapping[str, tuple[str, ...]]
    views: frozenset[str] = frozenset()
    spark: Spark | None = None
    load_findings: tuple[Finding, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    rejected_rows: Mapping[str, Callable[[], pd.DataFrame]] = field(
        default_factory=dict, repr=False
    )
    _frames: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False)
    _filled: dict[tuple[str, str], bool] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        *,
        plan: Plan | Mapping[str, Any] | None = None,
        as_of: Any = None,
        engine: str | None = None,
        **frames: pd.DataFrame,
    ) -> Tables:
        """Dataset from pandas frames, checked in the same way as files.

        Parameters
        ----------
        plan
            A plan; or keys that override those of the default plan, as `Plan.with_keys` takes
            them. To change some keys of another dataset's plan, give
            `data.plan.with_keys(...)`.
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
        """The period that is analysed, and the one it is compared with."""
        return self.plan.comparison(self.as_of)

    @property
    def ends_at(self) -> pd.Timestamp:
        """Moment (UTC) at which `as_of` is over in the company's time zone."""
        return pd.Timestamp(self.plan.midnight(self.as_of + dt.timedelta(days=1)))

    def with_plan(self, plan: Plan | Mapping[str, Any] | None) -> Tables:
        """The same rows under another plan; None leaves the dataset's own.

        Parameters
        ----------
        plan
            A plan, or keys that override those of the dataset's plan, as `Plan.with_keys` takes
            them: every other key stays as it is.

        Raises
        ------
        ParameterError
            If the rows would have been read otherwise under that plan, since it has another time
            zone or other stages.

        Examples
        --------
        >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05T09:30:00Z"]})
        >>> data = Tables.of(leads=leads, plan={"company": {"currency": "USD"}})
        >>> by_region = data.with_plan({"segments": ["region"]}).plan
        >>> by_region.segments, by_region.company.currency
        (('region',), 'USD')
        """
        chosen = self.plan.overridden_by(plan)
        if chosen == self.plan:
            return self
        for what, mine, other in (
            ("time zone", self.plan.company.timezone, chosen.company.timezone),
            ("stages", self.plan.stages, chosen.stages),
            ("exits", self.plan.exits, chosen.exits),
        ):
            if mine != other:
                raise ParameterError(
                    f"The plan given has another {what} than the one that the rows were read by "
                    f"({other!r} instead of {mine!r}). Load the folder with this plan instead."
                )
        return dataclasses.replace(self, plan=chosen)

    @cached_property
    def findings(self) -> pd.DataFrame:
        """What is odd but usable: `table`, `what`, `n`, `examples`, `says`, `owner`, `question`."""
        return gather(self)

    @cached_property
    def counts(self) -> pd.DataFrame:
        """Rows in, used and rejected, one row per table of the dataset."""
        return pd.DataFrame(list(self.counted), columns=list(COUNT_COLUMNS))

    @cached_property
    def rejects(self) -> pd.DataFrame:
        """Every rejected row: `table`, `file`, `line`, `reason`."""
        named = {f"{name}:": name for name in ("file", "line", "reason")}
        parts = [
            self._rejected[table][list(named)].rename(columns=named).assign(table=table)
            for table in self.rejected_rows
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
    def _rejected(self) -> dict[str, pd.DataFrame]:
        return {table: fetch() for table, fetch in self.rejected_rows.items()}

    def __getattr__(self, name: str) -> pd.DataFrame:
        if name in TABLES:
            return self.frame(name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def frame(self, table: str) -> pd.DataFrame:
        """A table as a pandas frame; the same frame every time, so copy it to change it."""
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
        """Rows of a query to the engine, which knows the tables by name; parameters as `$name`.

        Moments are timestamps in UTC without a time zone.
        """
        return self.engine.sql(query, **parameters)

    def step(self, name: str, **parameters: Any) -> pd.DataFrame:
        """Rows of the package's query of this name, run on Spark where that engine was chosen."""
        if self.spark is not None and name in STEPS:
            return self.spark.step(name, **parameters)
        return self.engine.step(name, **parameters)

    def write_rejects(self, folder: str | Path) -> None:
        """Write each rejected row as the source has it, with its line and the reason.

        Identities are hashed here too. Each table with rejected rows gets one file. Where the
        source has a `line` or `reason` of its own, that one is written as `source_line` or
        `source_reason`.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for table, rows in self._rejected.items():
            ours = {f"{name}:": name for name in ("line", "reason")}
            theirs = {name: f"source_{name}" for name in ours.values()}
            written = rows.drop(columns="file:").rename(columns=theirs).rename(columns=ours)
            write_csv(written, folder / f"{table}.csv")

    def close(self) -> None:
        """Release the engine's memory and files."""
        self.engine.close()

    def _fetched(self, table: str) -> pd.DataFrame:
        # a table that stays in its file comes in no order
        order = " order by all" if table in self.views else ""
        frame = self.engine.sql(f"select * from {table}{order}")
        for column in TABLES[table].columns:
            if column.kind is Kind.TIME:
                moments = frame[column.name].astype("datetime64[us]")
                frame[column.name] = moments.dt.tz_localize("UTC")
            elif column.kind is Kind.DATE:
                frame[column.name] = frame[column.name].astype("datetime64[us]")
        return frame
