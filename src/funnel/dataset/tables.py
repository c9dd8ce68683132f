"""`Tables`: one company's dataset as at the end of a day, loaded from a folder or from frames.

Loading finds the files, checks every row, cuts at the last day that the data covers, and counts.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from funnel.contract.errors import ParameterError, PlanError, TableError, TemporaryError
from funnel.contract.outgoing_text import clean_path
from funnel.contract.periods import Comparison
from funnel.contract.plan import Plan
from funnel.contract.tables import TABLES, Kind, Table
from funnel.dataset import (
    casts,
    files,
    findings,
    import_notes,
    label_key,
    links,
    privacy,
    record_files,
    row_checks,
    saved,
    test_records,
)
from funnel.dataset.as_of import newest_ordinary_day
from funnel.dataset.csv_files import write_csv
from funnel.dataset.engine import Engine, literal, quoted
from funnel.dataset.files import Source, fingerprint
from funnel.dataset.findings import Finding
from funnel.dataset.label_key import LabelKey
from funnel.dataset.rejects import (
    UNUSED_COLUMNS,
    rejected_rows,
    stop_at_too_many,
    unused_rows,
)
from funnel.dataset.spark import STEPS, RunSteps, Spark, engine_named, spark_for
from funnel.dataset.spellings import SPELLED, OddWord, is_category, may_be_shown, odd_words
from funnel.dataset.table_reader import Reader, checked, money_of
from funnel.dataset.usable_rows import all_keys, make_table, usable

REJECT_COLUMNS = ("table", "file", "line", "reason")
COUNT_COLUMNS = (
    "table",
    "files",
    "rows_in",
    "rows_used",
    "rows_rejected",
    "rows_after_as_of",
    "rows_excluded",
)
# keys that others refer to come first
_ORDER = ("leads", "deals", *(name for name in TABLES if name not in ("leads", "deals")))
_ACTIVITY = (
    ("leads", "created_at", ""),
    ("stage_changes", "entered_at", ""),
    ("deals", "created_at", ""),
    ("deals", "closed_at", "and outcome in ('won', 'lost')"),
)
_OTHER_ACTIVITY = (("touches", "occurred_at", ""), ("subscriptions", "last_day(month)", ""))


def load(
    data_dir: str | Path,
    as_of: str | dt.date | None = None,
    plan: Plan | Mapping[str, Any] | None = None,
    *,
    memory_limit: str | None = None,
    engine: str | None = None,
    fresh: bool = False,
) -> Tables:
    r"""Dataset of one company's folder.

    What passed the checks is saved, hashed, in the user's cache folder, and the next load of the
    same files under the same plan opens that. `FUNNEL_CACHE` names another folder, or `off`;
    `FUNNEL_CACHE_SIZE` is the most it may hold, in bytes (8 GiB), and the oldest goes first.
    Where there are subscriptions and no deals, the plan's measure is `mrr`, whatever it says.

    Parameters
    ----------
    data_dir
        The folder, with one file per table and the plan.
    as_of
        The last day that the data covers, `YYYY-MM-DD`: what happened after its end is cut.
        Default: the newest day on which the data shows ordinary activity.
    plan
        A plan in place of the folder's, or keys that override those of the folder's plan, as
        `Plan.with_keys` takes them.
    memory_limit
        Most memory for the engine, such as `"2GB"`; what does not fit goes to disk. Default: what
        `FUNNEL_MEMORY_LIMIT` says, else 4 GiB or 45 % of the machine's, whichever is less.
    engine
        `duckdb`, or `spark` for the steps that grow with touches. Default: what `FUNNEL_ENGINE`
        says, else `duckdb`.
    fresh
        Whether to read the files again, whatever is saved.

    Raises
    ------
    ParameterError
        If there is no such engine, or it cannot be started.
    TableError
        If the folder or a table in it breaks the contract.
    PlanError
        If the plan cannot be followed.

    Examples
    --------
    >>> folder = getfixture("tmp_path")
    >>> _ = (folder / "leads.csv").write_text("lead_id,created_at\nL-1,2026-03-01\n")
    >>> data = load(folder)
    >>> data.as_of, len(data.leads), len(data.deals)
    (datetime.date(2026, 3, 1), 1, 0)
    """
    wants_spark = engine_named(engine) == "spark"
    if not isinstance(data_dir, str | Path):
        raise ParameterError(f"data_dir is {data_dir!r}; it must be the path of a folder.")
    folder, wanted = Path(data_dir), _day(as_of)
    chosen = plan if isinstance(plan, Plan) else Plan.read(folder, **(plan or {}))
    day = wanted.isoformat() if wanted else ""
    if not fresh and (place := saved.handed(folder, chosen.sha256, day)):
        data = _opened(place, chosen, memory_limit, wants_spark=wants_spark)
        data.shared_in = saved.shared_results(place)
        return data
    named = record_files.find(folder, chosen)
    found, others = files.find(folder, tuple(chosen.records.files.values()))
    key = label_key.key_for(folder, chosen.company.key)
    listed = _listed(found | named)
    imported = import_notes.read(folder, dict(zip(listed["table"], listed["sha256"], strict=True)))
    origin = saved.Origin(
        sources=listed,
        others=(*others, *(says for _, says in imported)),
        plan_sha256=chosen.sha256,
        as_of=day,
        key_sha256=hashlib.sha256(key.secret.encode()).hexdigest(),
    )
    place = None if fresh else saved.cached(origin)
    if place is not None:
        with contextlib.suppress(
            OSError, ValueError, KeyError
        ):  # damaged: the files are read again
            data = _opened(place, chosen, memory_limit, wants_spark=wants_spark)
            data.folder, data.label_key = str(folder.resolve()), key
            place.touch()
            return _measurable(data)
    notes = [findings.unknown_file(name) for name in others]
    notes += [findings.of_file(table, "imported", says) for table, says in imported]
    if not key.is_secret:
        notes.append(findings.open_key(label_key.HASH_KEY))
    database = Engine(memory_limit=memory_limit)
    try:
        spark = spark_for(database) if wants_spark else None
        _prepare(database, key, chosen)
        record_files.read(database, chosen, named)
        sources = [
            files.open_source(database, TABLES[name], found[name])
            for name in _ORDER
            if name in found
        ]
        data = _tables(database, sources, chosen, wanted, notes, spark, origin.sources)
    except BaseException:
        database.close()
        raise
    data.folder, data.label_key = str(folder.resolve()), key
    if place is not None and _listed(found | named).equals(origin.sources):
        with contextlib.suppress(OSError, TemporaryError):
            saved.save(data, place)
            saved.make_room(place)
    _seal(data, sources)
    return _measurable(data)


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
        Every row that is rejected or excluded: `table`, `file`, `line`, `reason`.
    counts
        Rows in, used and not used, by table: `rows_in` = `rows_used` + `rows_rejected` +
        `rows_excluded`.
    sources
        Each input file: `table`, `file`, `bytes`, `sha256`.
    extras
        Columns of each table that the contract does not know.
    views
        Tables too big for memory, which every query reads from their file.
    spark
        Runs the steps that Spark knows, where that engine was chosen.
    lead_keys
        Query for the keys of all leads, rejected ones included; empty without that table.
    load_findings
        Findings made while the files were read.
    unused
        Rows of `unused_rows`.
    spellings
        Words that are read in another spelling of the same column.
    test_keys
        By table, keys of rows with a word for tests in a name or address.
    rejected_rows
        By table with rejected rows, a function that fetches them.
    folder
        The company's folder; empty for frames.
    saved_in
        The folder of the saved dataset that the engine reads, where it reads one.
    shared_in
        The folder in which a run's processes share results, where this is the dataset of a run.
    label_key
        Key of the labels of people; None in a notebook, which opens what the run loaded.
    """

    plan: Plan
    as_of: dt.date
    engine: Engine
    counted: tuple[tuple[str, str, int, int, int, int, int], ...]
    sources: pd.DataFrame = field(repr=False)
    extras: Mapping[str, tuple[str, ...]]
    views: frozenset[str] = frozenset()
    spark: Spark | RunSteps | None = None
    load_findings: tuple[Finding, ...] = ()
    unused: tuple[tuple[str, str | None, str, int, float], ...] = field(default=(), repr=False)
    spellings: tuple[OddWord, ...] = field(default=(), repr=False)
    test_keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    lead_keys: str = field(default="", repr=False)
    rejected_rows: Mapping[str, Callable[[], pd.DataFrame]] = field(
        default_factory=dict, repr=False
    )
    folder: str = ""
    saved_in: Path | None = None
    shared_in: Path | None = None
    label_key: LabelKey | None = field(default=None, repr=False)
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
        return _of_frames(frames, plan, as_of, engine)

    @property
    def comparison(self) -> Comparison:
        """The period that is analysed, and the one it is compared with."""
        return self.plan.comparison(self.as_of)

    @property
    def ends_at(self) -> pd.Timestamp:
        """Moment (UTC) at which `as_of` is over in the company's time zone."""
        return self.plan.midnight(self.as_of + dt.timedelta(days=1))

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
            zone, other stages or another section `[records]`.

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
        if self.plan.records != chosen.records:
            raise ParameterError(
                "The plan given has another section [records] than the one that the rows were read "
                "by. Load the folder with this plan instead."
            )
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
        return findings.gather(self)

    @cached_property
    def odd_words(self) -> list[OddWord]:
        """Words of categories that may not be values of their own."""
        return odd_words(self.engine, self.counts["table"])

    @cached_property
    def counts(self) -> pd.DataFrame:
        """Rows in, used, rejected and excluded, one row per table of the dataset."""
        return pd.DataFrame(list(self.counted), columns=list(COUNT_COLUMNS))

    @cached_property
    def unused_rows(self) -> pd.DataFrame:
        """Rows that are not used: `table`, `day`, `state`, `rows`, `money` of deals.

        What was won of the deals read = that of the deals used + `money`. The state is `rejected`,
        `repeated`, `excluded` or `after as_of`; a deal's day is that of the closing, else of the
        creation.
        """
        return pd.DataFrame(list(self.unused), columns=list(UNUSED_COLUMNS))

    @cached_property
    def rejects(self) -> pd.DataFrame:
        """Every row that is rejected or excluded: `table`, `file`, `line`, `reason`."""
        named = {f"{name}:": name for name in ("file", "line", "reason")}
        parts = [
            self.rejected_tables[table][list(named)].rename(columns=named).assign(table=table)
            for table in self.rejected_rows
        ]
        none = pd.DataFrame({name: pd.Series(dtype="str") for name in REJECT_COLUMNS})
        rows = pd.concat(parts, ignore_index=True) if parts else none
        return rows[list(REJECT_COLUMNS)].astype({"line": "int64"})

    @cached_property
    def rejected_tables(self) -> dict[str, pd.DataFrame]:
        """By table, its rejected rows: the source's columns, then `file:`, `line:`, `reason:`."""
        return {table: fetch() for table, fetch in self.rejected_rows.items()}

    def __repr__(self) -> str:
        rows = [f"{table} {used:,}" for table, _, _, used, *_ in self.counted]
        name = self.plan.company.name
        return f"Dataset of {name} up to {self.as_of}, rows by table: {', '.join(rows)}"

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *TABLES]

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
        """Write each row not used as the source has it, with its line and the reason.

        Identities are hashed here too. Each table with such rows gets one file. Where the
        source has a `line` or `reason` of its own, that one is written as `source_line` or
        `source_reason`.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for table, rows in self.rejected_tables.items():
            ours = {f"{name}:": name for name in ("line", "reason")}
            theirs = {name: f"source_{name}" for name in ours.values()}
            written = rows.drop(columns="file:").rename(columns=theirs).rename(columns=ours)
            write_csv(written, folder / f"{table}.csv")

    def close(self) -> None:
        """Release the engine's memory and files."""
        if self.spark is not None:
            self.spark.close()
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


def _of_frames(
    frames: Mapping[str, pd.DataFrame],
    plan: Plan | Mapping[str, Any] | None,
    as_of: Any,
    engine: str | None = None,
) -> Tables:
    """Dataset from frames; see `Tables.of`."""
    for name in frames:
        if name not in TABLES:
            raise ParameterError(f"There is no table {name!r}; there are {', '.join(TABLES)}.")
    if not frames.keys() & files.STARTS:
        raise TableError(
            f"None of {', '.join(sorted(files.STARTS))} is given, and every question starts from "
            "one."
        )
    chosen = Plan().overridden_by(plan)
    record_files.refuse(chosen)
    wanted = _day(as_of)
    wants_spark = engine_named(engine) == "spark"
    key = label_key.key_for(None, chosen.company.key)
    notes = [] if key.is_secret else [findings.open_key(label_key.HASH_KEY)]
    database = Engine()
    try:
        spark = spark_for(database) if wants_spark else None
        _prepare(database, key, chosen)
        sources = [
            _of_frame(database, TABLES[name], frames[name]) for name in _ORDER if name in frames
        ]
        data = _tables(database, sources, chosen, wanted, notes, spark, _listed({}))
        data.label_key = key
        _seal(data, sources)
        return _measurable(data)
    except BaseException:
        database.close()
        raise


def _opened(place: Path, plan: Plan, memory_limit: str | None, *, wants_spark: bool) -> Tables:
    """A saved dataset, under the plan by which it was read."""
    database, facts = saved.opened(place, memory_limit)
    del facts["plan_sha256"]
    spark = spark_for(database, place) if wants_spark else None
    data = Tables(plan=plan, engine=database, spark=spark, saved_in=place, **facts)
    _seal(data, [])
    return data


def _measurable(data: Tables) -> Tables:
    """The dataset; without deals, the measure is recurring revenue where that is recorded."""
    if data.has("subscriptions", "mrr") and not data.has("deals"):
        data.plan = data.plan.with_keys(measure="mrr")
    return data


def _seal(data: Tables, sources: Iterable[Source]) -> None:
    """Leave the engine what it needs: files of tables that stay in them, and Spark's folder."""
    _ = data.rejected_tables  # from files that are closed to queries afterwards
    big = [source for source in sources if source.table.name in data.views]
    used = [file for source in big for file in (*source.files, source.text) if file is not None]
    folders = [data.spark.folder] if data.spark is not None else []
    data.engine.seal(used, folders)


def _listed(found: Mapping[str, tuple[Path, ...]]) -> pd.DataFrame:
    """One row per input file: its table, name, size and hash."""
    rows = [
        (table, clean_path(file.name), file.stat().st_size, fingerprint(file))
        for table, paths in found.items()
        for file in paths
    ]
    return pd.DataFrame(rows, columns=list(saved.SOURCE_COLUMNS))


def _day(as_of: str | dt.date | None) -> dt.date | None:
    if as_of is None or as_of == "":
        return None
    if isinstance(as_of, dt.datetime):
        return as_of.date()
    if isinstance(as_of, dt.date):
        return as_of
    try:
        if len(as_of) != len("YYYY-MM-DD"):
            raise ValueError
        return dt.date.fromisoformat(as_of)
    except (TypeError, ValueError):
        raise ParameterError(
            f"as_of is {as_of!r}; it must be a day written YYYY-MM-DD, such as 2026-06-30."
        ) from None


def _prepare(engine: Engine, key: LabelKey, plan: Plan) -> None:
    hides_free_text = plan.company.free_text == "hide"
    privacy.install(engine, key.secret, hides_free_text=hides_free_text, roles=plan.roles)
    for macro in (*row_checks.macros(), *test_records.macros(), links.macro()):
        engine.execute(f"create macro {macro}")
    for schema in ("raw", "checked", "rejected", "records"):
        engine.execute(f"create schema {schema}")


def _of_frame(engine: Engine, table: Table, frame: pd.DataFrame) -> Source:
    plain = frame.reset_index(drop=True)
    plain.columns = files.unique_names([str(name) for name in plain.columns])
    for name in plain.columns:
        kind = plain[name].dtype
        if isinstance(kind, pd.CategoricalDtype | pd.PeriodDtype) or kind == "object":
            plain[name] = plain[name].map(str, na_action="ignore").astype("str")
    name = f"_frame_{table.name}"
    engine.register(name, plain)
    source = Source(table, (), name, files.described(engine, name))
    files.name_columns(source)
    return source


def _tables(
    engine: Engine,
    sources: list[Source],
    plan: Plan,
    wanted: dt.date | None,
    notes: list[Finding],
    spark: Spark | RunSteps | None,
    inputs: pd.DataFrame,
) -> Tables:
    readers: dict[str, Reader] = {}
    for source in sources:
        readers[source.table.name] = checked(engine, source, plan, readers)
    as_of, newest = _as_of(engine, readers, plan, wanted)
    for name, table in TABLES.items():
        if name in readers:
            make_table(engine, readers[name], plan, as_of, newest)
        else:
            listed = ", ".join(
                f"cast(null as {casts.sql_type(c.kind)}) as {quoted(c.name)}" for c in table.columns
            )
            engine.execute(f"create table {name} as select {listed} limit 0")
    comparison = None
    with contextlib.suppress(PlanError):  # has not begun: an error where it is used
        comparison = plan.comparison(as_of)
    for reader in readers.values():
        stop_at_too_many(engine, reader, plan, comparison)
    _note_money_of_test_leads(engine, readers, plan)
    unused = [row for reader in readers.values() for row in unused_rows(engine, reader, plan)]
    counts = [
        (
            reader.name,
            ", ".join(clean_path(file.name) for file in reader.source.files[:3]),
            reader.n_in + reader.n_excluded,
            reader.n_in - reader.n_rejected,
            reader.n_rejected,
            reader.n_after,
            reader.n_excluded,
        )
        for reader in readers.values()
    ]
    return Tables(
        plan=plan,
        as_of=as_of,
        engine=engine,
        spark=spark,
        counted=tuple(counts),
        sources=inputs,
        extras={reader.name: reader.source.extras for reader in readers.values()},
        views=frozenset(reader.name for reader in readers.values() if reader.is_big),
        unused=tuple(unused),
        spellings=tuple(
            OddWord(SPELLED, reader.name, column, word, meant, each.rows[word])
            for reader in readers.values()
            for column, each in reader.respelled.items()
            if is_category(reader.name, column)
            for word, meant in each.spellings.items()
            if may_be_shown(word) and may_be_shown(meant)
        ),
        test_keys={
            reader.name: tuple(sorted(keys))
            for reader in readers.values()
            if (keys := {key for odd in reader.oddities.values() for key in odd.of.get("keys", ())})
        },
        lead_keys=all_keys(readers["leads"]) if "leads" in readers else "",
        load_findings=(*notes, *_findings_of_reading(readers, plan, wanted, newest)),
        rejected_rows={
            reader.name: (lambda reader=reader: rejected_rows(engine, reader))
            for reader in readers.values()
            if reader.n_rejected or reader.n_excluded
        },
    )


def _note_money_of_test_leads(engine: Engine, readers: Mapping[str, Reader], plan: Plan) -> None:
    """Note what was won from leads with a word for tests, which deals alone show."""
    if not {"leads", "deals"} <= readers.keys():
        return
    money = money_of(readers["deals"], plan)
    for name, odd in readers["leads"].oddities.items():
        if keys := odd.of.get("keys"):
            won = engine.rows(
                f"select sum({money}) from deals where outcome = 'won' "
                f"and lead_id in ({', '.join(map(literal, keys))})"
            )[0][0]
            readers["leads"].oddities[name] = dataclasses.replace(odd, money=won)


def _as_of(
    engine: Engine, readers: Mapping[str, Reader], plan: Plan, wanted: dt.date | None
) -> tuple[dt.date, dt.date]:
    """The last day that the data covers, and the newest day of ordinary activity."""
    activity = _ACTIVITY if readers.keys() & {"leads", "deals"} else _OTHER_ACTIVITY
    parts = [
        f"select '{table}' as name, {_day_of(column, plan)} as day from {usable(reader)} "
        f"and {column} is not null {also}"
        for table, column, also in activity
        if (reader := readers.get(table)) is not None
    ]
    # a day that Python's calendar cannot hold is a mistyped one
    counted = engine.rows(
        f"select name, day, count(*) from ({' union all '.join(parts)}) "
        "where day between date '0001-01-02' and date '9999-12-30' group by all"
    )
    by_table: dict[str, dict[dt.date, int]] = {}
    for name, day, n in counted:
        by_table.setdefault(name, {})[day] = n
    newest = newest_ordinary_day(*by_table.values())
    if newest is None:
        held = " and ".join(
            f"{name} (rows: {readers[name].n_in:,}, of which rejected: {readers[name].n_broken:,})"
            for name in readers
            if name in files.STARTS
        )
        _stop_with_reasons(engine, readers, plan)
        raise TableError(
            f"{held} hold no row that can be used, so there is no day that the data covers and "
            "nothing to compute. Ask Marketing Ops for leads, or Sales Ops for deals."
        )
    first = min(day for _, day, _ in counted)
    if wanted is not None and wanted < first:
        raise TableError(
            f"as_of is {wanted}, before all data, which run from {first} to {newest}. "
            "Nothing had happened by then, so there is nothing to compute; choose a later day."
        )
    return wanted or newest, newest


def _day_of(column: str, plan: Plan) -> str:
    """SQL of the local day of a moment; a month counts with its last day."""
    if column.startswith("last_day"):
        return column
    return casts.local_day(column, plan.company.timezone)


def _stop_with_reasons(engine: Engine, readers: Mapping[str, Reader], plan: Plan) -> None:
    """Stop with the reasons why rows were rejected, which help more than their number."""
    for name in readers:
        if name in files.STARTS:
            stop_at_too_many(engine, readers[name], plan)


def _findings_of_reading(
    readers: Mapping[str, Reader],
    plan: Plan,
    wanted: dt.date | None,
    newest: dt.date,
) -> list[Finding]:
    """Findings made while reading, which the tables no longer show."""
    found = findings.of_events(plan)
    for reader in readers.values():
        found += [findings.of_file(reader.name, *each) for each in reader.source.findings]
        found += findings.of_oddities(reader, plan.company.currency)
        if reader.n_strays and (wanted is None or wanted >= newest):
            found.append(
                findings.strays(reader.name, reader.n_strays, reader.strays, wanted or newest)
            )
    found += findings.cut_leads(readers.values(), plan.company.currency)
    if wanted is not None and wanted > newest:
        found.append(findings.later_than_data(wanted, newest))
    return found
