"""Read a company's tables: find, check, cut at the day they speak for, and count every row."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from funnel.engine import Engine, quoted
from funnel.errors import ParameterError, TableError
from funnel.load import casts, checks, files, privacy
from funnel.load.as_of import newest_ordinary_day
from funnel.load.files import Source
from funnel.load.tables import COUNT_COLUMNS, REJECT_COLUMNS, Tables
from funnel.plan import Plan
from funnel.tables import TABLES, Column, Kind, Table

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
) -> Tables:
    """Read one company's folder.

    Parameters
    ----------
    data_dir
        The folder, with one file per table and the plan.
    as_of
        The last day that the data speaks for, `YYYY-MM-DD`: what happened after its end is cut.
        Default: the newest day on which the data shows ordinary activity.
    plan
        A plan in place of the folder's, or keys of `[plan]` in place of the file's.

    Raises
    ------
    TableError
        If the folder or a table in it breaks the contract.
    PlanError
        If the plan cannot be followed.
    """
    folder = Path(data_dir)
    found, strange = files.find(folder)
    chosen = plan if isinstance(plan, Plan) else Plan.read(folder, **dict(plan or {}))
    wanted = _day(as_of)
    engine = Engine()
    try:
        key, is_secret = privacy.key_for(folder)
        _prepare(engine, key)
        sources = {
            name: files.open_source(engine, TABLES[name], found[name])
            for name in _ORDER
            if name in found
        }
        return _made(engine, sources, chosen, wanted)
    except BaseException:
        engine.close()
        raise


def of_frames(
    frames: Mapping[str, pd.DataFrame], plan: Plan | Mapping[str, Any] | None, as_of: Any
) -> Tables:
    """Make tables from frames; see `Tables.of`."""
    for name in frames:
        if name not in TABLES:
            raise ParameterError(f"There is no table {name!r}; there are {', '.join(TABLES)}.")
    chosen = plan if isinstance(plan, Plan) else Plan.of({}, **dict(plan or {}))
    wanted = _day(as_of)
    engine = Engine()
    try:
        key, _ = privacy.key_for(None)
        _prepare(engine, key)
        sources = {
            name: _of_frame(engine, TABLES[name], frames[name]) for name in _ORDER if name in frames
        }
        return _made(engine, sources, chosen, wanted)
    except BaseException:
        engine.close()
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
    for macro in checks.macros():
        engine.execute(macro)
    engine.execute("create schema if not exists checked")


def _of_frame(engine: Engine, table: Table, frame: pd.DataFrame) -> Source:
    plain = frame.reset_index(drop=True).copy()
    plain.columns = files._unlike([str(name) for name in plain.columns])
    for name in plain.columns:
        kind = plain[name].dtype
        if isinstance(kind, pd.CategoricalDtype | pd.PeriodDtype) or kind == object:
            plain[name] = plain[name].map(str, na_action="ignore").astype("str")
    name = f"_frame_{table.name}"
    engine.register(name, plain)
    types = files._described(engine, name)
    source = Source(table, (), name, types)
    files._name_columns(source)
    return source


def _made(engine: Engine, sources: dict[str, Source], plan: Plan, wanted: dt.date | None) -> Tables:
    present = frozenset(sources)
    for source in sources.values():
        _check_rows(engine, source, plan, present)
    as_of = wanted or _as_of(engine, present, plan)
    counts, rejects, aside, extras = [], [], {}, {}
    for name, table in TABLES.items():
        source = sources.get(name)
        if source is None:
            listed = ", ".join(
                f"cast(null as {casts.sql_type(c.kind)}) as {quoted(c.name)}" for c in table.columns
            )
            engine.execute(f"create table {name} as select {listed} limit 0")
            continue
        extras[name] = tuple(source.extras)
        _keep_rows(engine, source, plan, as_of)
        rows = _set_aside(engine, source)
        aside[name] = rows
        rejects.append(
            pd.DataFrame(
                {
                    "table": name,
                    "file": rows["_file"],
                    "line": rows["line"],
                    "reason": rows["reason"],
                }
            )
        )
        aside[name] = rows.drop(columns="_file")
        n_in = engine.rows(f"select count(*) from checked.{name}")[0][0]
        n_used = engine.rows(f"select count(*) from {name}")[0][0]
        n_after = int(rows["reason"].str.startswith("after as_of").sum())
        names = ", ".join(file.name for file in source.files)
        counts.append((name, names, n_in, n_used, len(rows), n_after))
    count_table = pd.DataFrame(counts, columns=list(COUNT_COLUMNS))
    all_rejects = (
        pd.concat(rejects, ignore_index=True)
        if rejects
        else pd.DataFrame(columns=list(REJECT_COLUMNS))
    )
    _stop_if_too_many(count_table, all_rejects, plan)
    findings = pd.DataFrame(columns=["table", "what", "n", "examples", "says", "owner", "question"])
    listed = [
        (name, file.name, file.stat().st_size, files.fingerprint(file))
        for name, source in sources.items()
        for file in source.files
    ]
    return Tables(
        plan=plan,
        as_of=as_of,
        engine=engine,
        findings=findings,
        rejects=all_rejects,
        counts=count_table,
        sources=pd.DataFrame(listed, columns=["table", "file", "bytes", "sha256"]),
        extras=extras,
        _set_aside=aside,
    )


def _numbered(source: Source) -> str:
    if source.text is not None:
        name = source.files[0].name.replace("'", "''")
        return f"(select row_number() over () as _row, '{name}' as _file, * from {source.scan})"
    if source.files:
        scan = source.scan.replace("union_by_name", "file_row_number = true, union_by_name", 1)
        scan = scan.replace("union_by_name", "filename = '_file', union_by_name", 1)
        return f"(select file_row_number + 1 as _row, * from {scan})"
    return f"(select row_number() over () as _row, 'frame' as _file, * from {source.scan})"


def _check_rows(engine: Engine, source: Source, plan: Plan, present: frozenset[str]) -> None:
    checked = checks.check(source, plan, present)
    reason = f"nullif(concat_ws('; ', {', '.join(checked.reasons)}), '')"
    engine.execute(
        f"create table checked.{source.table.name} as select _row, _file, "
        f"{checks.columns_of(checked)}, {reason} as _reason from {_numbered(source)} "
        f"{' '.join(checked.joins)}"
    )


def _as_of(engine: Engine, present: frozenset[str], plan: Plan) -> dt.date:
    newest = []
    for table, column, also in _ACTIVITY:
        if table not in present:
            continue
        day = casts.local_day(column, plan.company.timezone)
        counted = engine.rows(
            f"select {day} as day, count(*) from checked.{table} "
            f"where _reason is null and {column} is not null {also} group by 1"
        )
        day = newest_ordinary_day(dict(counted))
        if day is not None:
            newest.append(day)
    if not newest:
        raise TableError(
            "leads and deals hold no usable row, so there is no day that the data speaks for, and "
            "nothing to compute. Ask Marketing Ops for leads, or Sales Ops for deals."
        )
    return max(newest)


def _is_after(column: Column, plan: Plan, as_of: dt.date, cell: str = "") -> str:
    name = cell or quoted(column.name)
    if column.kind is Kind.DATE:
        return f"{name} > date '{as_of}'"
    cut = plan.midnight(as_of + dt.timedelta(days=1)).replace(tzinfo=None)
    return f"{name} >= timestamp '{cut}'"


def _keep_rows(engine: Engine, source: Source, plan: Plan, as_of: dt.date) -> None:
    """Mark what is after `as_of` and what is there twice, and keep the rest."""
    table = source.table
    name = table.name
    if table.happened:
        after = _is_after(table.by_name[table.happened], plan, as_of)
        engine.execute(
            f"update checked.{name} set _reason = 'after as_of ({as_of})' "
            f"where _reason is null and {after}"
        )
    names = [*table.by_name, *source.extras]
    if table.key and all(source.cell(k) for k in table.key if table.by_name[k].required):
        filled = " + ".join(f"({quoted(n)} is not null)::int" for n in names)
        content = ", ".join(quoted(n) for n in names)
        optional = table.key == ("touch_id",)
        where = "and touch_id is not null" if optional else ""
        words = " and ".join(f"`{k}`" for k in table.key)
        engine.execute(
            f"update checked.{name} c set _reason = '{words} is there twice' from "
            f"(select _file, _row, row_number() over (partition by {', '.join(table.key)} "
            f"order by {filled} desc, {content}, _file, _row) as n from checked.{name} "
            f"where _reason is null {where}) d "
            "where d.n > 1 and d._row = c._row and d._file = c._file"
        )
    listed = []
    for column in names:
        known = table.by_name.get(column)
        cell = quoted(column)
        if known and known.kind in casts.TIMES and column != table.happened and not known.planned:
            cell = f"case when {_is_after(known, plan, as_of)} then null else {cell} end as {cell}"
        elif name == "deals" and column in ("outcome", "loss_reason"):
            later = _is_after(table.by_name["closed_at"], plan, as_of)
            then = "'open'" if column == "outcome" else "null"
            cell = f"case when {later} then {then} else {cell} end as {cell}"
        listed.append(cell)
    order = ", ".join(quoted(n) for n in ([table.happened] if table.happened else []) + names)
    engine.execute(
        f"create table {name} as select {', '.join(listed)} from checked.{name} "
        f"where _reason is null order by {order}"
    )


def _set_aside(engine: Engine, source: Source) -> pd.DataFrame:
    cells = []
    for given, name in source.names.items():
        known = source.table.by_name.get(name)
        kind = known.kind if known else privacy.kind_by_name(name)
        kind = kind if kind in casts.TEXTS else Kind.TEXT
        cell = casts.text("r." + quoted(given), source.types[given])
        cells.append(f"{checks._protected(kind, cell)} as {quoted(given)}")
    frame = engine.sql(
        f"select c._row, c._file, {', '.join(cells)}, c._row as line, c._reason as reason "
        f"from checked.{source.table.name} c join {_numbered(source)} r "
        "on r._row = c._row and r._file = c._file "
        "where c._reason is not null order by c._file, c._row"
    )
    if source.text is not None and len(frame):
        lines = files.lines_of(source, frame["_row"].tolist())
        frame["line"] = frame["_row"].map(lines)
    return frame.drop(columns="_row")


def _stop_if_too_many(counts: pd.DataFrame, rejects: pd.DataFrame, plan: Plan) -> None:
    for row in counts.itertuples():
        broken = row.rows_rejected - row.rows_after_as_of
        of = row.rows_in - row.rows_after_as_of
        if of and broken / of > plan.max_rejected:
            mine = rejects[(rejects["table"] == row.table)]
            mine = mine[~mine["reason"].str.startswith("after as_of")]
            common = mine["reason"].value_counts().head(3)
            said = "; ".join(
                f"{reason} ({n:,} rows, such as line "
                f"{', '.join(map(str, mine.loc[mine['reason'] == reason, 'line'].head(3)))})"
                for reason, n in common.items()
            )
            raise TableError(
                f"{row.table}: {broken:,} of {of:,} rows break the contract, more than the "
                f"{plan.max_rejected:.0%} that the plan allows. Most often: {said}. Figures "
                "computed from what is left could miss a part of the business. "
                f"{TABLES[row.table].owner} can mend the export, or `max_rejected` in the plan "
                "can be raised."
            )
