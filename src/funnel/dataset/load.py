"""Load a company's tables: find, check, cut at the last day they cover, and count every row."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from funnel.contract.errors import ParameterError, TableError
from funnel.contract.plan import Plan
from funnel.contract.tables import TABLES, Table
from funnel.dataset import casts, files, findings, privacy, row_checks
from funnel.dataset.as_of import newest_ordinary_day
from funnel.dataset.engine import Engine, quoted
from funnel.dataset.files import Source
from funnel.dataset.rejects import rejected_rows, stop_at_too_many
from funnel.dataset.spark import Spark, engine_named
from funnel.dataset.table_reader import Reader, checked
from funnel.dataset.tables import Tables
from funnel.dataset.usable_rows import all_keys, make_table, usable

# keys that others refer to come first
_ORDER = ("leads", "deals", *(name for name in TABLES if name not in ("leads", "deals")))
_ACTIVITY = (
    ("leads", "created_at", ""),
    ("stage_changes", "entered_at", ""),
    ("deals", "created_at", ""),
    ("deals", "closed_at", "and outcome in ('won', 'lost')"),
)


def load(
    data_dir: str | Path,
    as_of: str | dt.date | None = None,
    plan: Plan | Mapping[str, Any] | None = None,
    *,
    memory_limit: str | None = None,
    engine: str | None = None,
) -> Tables:
    r"""Dataset of one company's folder.

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
    folder = Path(data_dir)
    found, others = files.find(folder)
    chosen = plan if isinstance(plan, Plan) else Plan.read(folder, **(plan or {}))
    wanted = _day(as_of)
    key, is_secret = privacy.key_for(folder)
    notes = [findings.unknown_file(name) for name in others]
    if not is_secret:
        notes.append(findings.open_key(privacy.KEY_VARIABLE))
    database = Engine(memory_limit=memory_limit)
    try:
        spark = Spark(database) if wants_spark else None
        _prepare(database, key)
        sources = [
            files.open_source(database, TABLES[name], found[name])
            for name in _ORDER
            if name in found
        ]
        return _tables(database, sources, chosen, wanted, notes, spark)
    except BaseException:
        database.close()
        raise


def of_frames(
    frames: Mapping[str, pd.DataFrame],
    plan: Plan | Mapping[str, Any] | None,
    as_of: Any,
    engine: str | None = None,
) -> Tables:
    """Dataset from frames; see `Tables.of`."""
    for name in frames:
        if name not in TABLES:
            raise ParameterError(f"There is no table {name!r}; there are {', '.join(TABLES)}.")
    if not frames.keys() & {"leads", "deals"}:
        raise TableError("Neither leads nor deals is given, and every question starts from one.")
    chosen = Plan().overridden_by(plan)
    wanted = _day(as_of)
    wants_spark = engine_named(engine) == "spark"
    key, _ = privacy.key_for(None)
    database = Engine()
    try:
        spark = Spark(database) if wants_spark else None
        _prepare(database, key)
        sources = [
            _of_frame(database, TABLES[name], frames[name]) for name in _ORDER if name in frames
        ]
        return _tables(database, sources, chosen, wanted, [], spark)
    except BaseException:
        database.close()
        raise


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


def _prepare(engine: Engine, key: str) -> None:
    privacy.install(engine, key)
    for macro in row_checks.macros():
        engine.execute(f"create macro {macro}")
    for schema in ("raw", "checked", "rejected"):
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
    notes: list[findings.Finding],
    spark: Spark | None,
) -> Tables:
    readers: dict[str, Reader] = {}
    for source in sources:
        readers[source.table.name] = checked(engine, source, plan, readers)
    as_of, newest = _as_of(engine, readers, plan, wanted)
    for name, table in TABLES.items():
        if name in readers:
            make_table(engine, readers[name], plan, as_of)
        else:
            listed = ", ".join(
                f"cast(null as {casts.sql_type(c.kind)}) as {quoted(c.name)}" for c in table.columns
            )
            engine.execute(f"create table {name} as select {listed} limit 0")
    for reader in readers.values():
        stop_at_too_many(engine, reader, plan)
    counts = [
        (
            reader.name,
            ", ".join(file.name for file in reader.source.files[:3]),
            reader.n_in,
            reader.n_in - reader.n_rejected,
            reader.n_rejected,
            reader.n_after,
        )
        for reader in readers.values()
    ]
    return Tables(
        plan=plan,
        as_of=as_of,
        engine=engine,
        spark=spark,
        counted=tuple(counts),
        paths={reader.name: reader.source.files for reader in readers.values()},
        extras={reader.name: reader.source.extras for reader in readers.values()},
        views=frozenset(reader.name for reader in readers.values() if reader.is_big),
        keys={reader.name: all_keys(reader) for reader in readers.values() if reader.table.key},
        load_findings=(*notes, *_findings_of_reading(readers.values(), wanted, newest)),
        rejected_rows={
            reader.name: (lambda reader=reader: rejected_rows(engine, reader))
            for reader in readers.values()
            if reader.n_rejected
        },
    )


def _as_of(
    engine: Engine, readers: Mapping[str, Reader], plan: Plan, wanted: dt.date | None
) -> tuple[dt.date, dt.date]:
    """The last day that the data covers, and the newest day of ordinary activity."""
    parts = [
        f"select {casts.local_day(column, plan.company.timezone)} as day from {usable(reader)} "
        f"and {column} is not null {also}"
        for table, column, also in _ACTIVITY
        if (reader := readers.get(table)) is not None
    ]
    # a day that Python's calendar cannot hold is a mistyped one
    counted = engine.rows(
        f"select day, count(*) from ({' union all '.join(parts)}) "
        "where day between date '0001-01-02' and date '9999-12-30' group by day"
    )
    newest = newest_ordinary_day(dict(counted))
    if newest is None:
        held = " and ".join(
            f"{name} (rows: {readers[name].n_in:,}, of which rejected: {readers[name].n_broken:,})"
            for name in ("leads", "deals")
            if name in readers
        )
        _stop_with_reasons(engine, readers, plan)
        raise TableError(
            f"{held} hold no row that can be used, so there is no day that the data covers and "
            "nothing to compute. Ask Marketing Ops for leads, or Sales Ops for deals."
        )
    first = min(day for day, _ in counted)
    if wanted is not None and wanted < first:
        raise TableError(
            f"as_of is {wanted}, before all data: leads and deals run from {first} to {newest}. "
            "Nothing had happened by then, so there is nothing to compute; choose a later day."
        )
    return wanted or newest, newest


def _stop_with_reasons(engine: Engine, readers: Mapping[str, Reader], plan: Plan) -> None:
    """Stop with the reasons why rows were rejected, which help more than their number."""
    for name in ("leads", "deals"):
        if name in readers:
            stop_at_too_many(engine, readers[name], plan)


def _findings_of_reading(
    readers: Iterable[Reader], wanted: dt.date | None, newest: dt.date
) -> list[findings.Finding]:
    """Findings made while reading, which the tables no longer show."""
    found = []
    for reader in readers:
        found += [findings.of_file(reader.name, *each) for each in reader.source.findings]
        found += [
            findings.unknown_word(reader.name, column, n, examples)
            for column, (n, examples) in reader.unknown_words.items()
        ]
        if reader.n_after and (wanted is None or wanted >= newest):
            found.append(
                findings.strays(reader.name, reader.n_after, reader.strays, wanted or newest)
            )
    if wanted is not None and wanted > newest:
        found.append(findings.later_than_data(wanted, newest))
    return found
