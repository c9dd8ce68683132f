"""Files that the plan's `[records]` names: records that were merged, and exchange rates.

They are read before any table, into the engine's schema `records`, so that the values of a table
can be followed and converted in the same scan that reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from funnel.contract.errors import PlanError, TableError
from funnel.contract.plan import FILE_NAME, Plan
from funnel.contract.tables import Column, Kind, Table
from funnel.dataset import casts, files
from funnel.dataset.engine import Engine, EngineError, literal, quoted

RATES = "records.rates"
_FOLLOWED = {"lead_id": "leads", "account_id": "accounts", "deal_id": "deals"}
_CURRENCY = re.compile(
    r"(?:(?:deal|opportunity|opp|order|invoice|amount|transaction|record|local)[ _]?)?"
    r"currency[ _]?(?:iso[ _]?)?(?:code)?"
)
_SHOWN = 3  # keys that an error names
_OWNER = "Whoever maintains the plan"
_MERGED_COLUMNS = (
    Column("old_id", Kind.ID, "the key that is no longer used", required=True),
    Column("new_id", Kind.ID, "the key of the record that it became part of", required=True),
)
_RATES_COLUMNS = (
    Column("currency", Kind.TEXT, "the other currency", required=True),
    Column("from", Kind.DATE, "first day of the rate", required=True),
    Column("rate", Kind.NUMBER, "the rate", required=True),
)
_LEAST_RATE, _MOST_RATE = 1e-9, 1e9


def find(folder: Path, plan: Plan) -> dict[str, tuple[Path, ...]]:
    """Files that the plan names, by its key.

    Raises
    ------
    PlanError
        If one of them is not there.
    """
    found = {key: (folder / name,) for key, name in plan.records.files.items()}
    for key, (path,) in found.items():
        if not path.is_file():
            raise PlanError(
                f"{FILE_NAME}: `records.{key}` names {path.name}, and there is no such file in "
                f"{folder}. Without it records would be read other than agreed, so nothing was "
                f"computed. {_OWNER} can add it, or remove that line."
            )
    return found


def refuse(plan: Plan) -> None:
    """Raise a `PlanError` where a plan names files, since frames have no folder."""
    for key, name in plan.records.files.items():
        raise PlanError(
            f"`records.{key}` names the file {name}, and frames have no folder that could hold "
            "it. Load the company's folder instead, or leave the key out of the plan."
        )


def read(engine: Engine, plan: Plan, found: Mapping[str, tuple[Path, ...]]) -> None:
    """Create the tables `records.merged_<table>` and `records.rates` of the files found.

    Raises
    ------
    TableError
        If a file cannot be read, or says two things at once.
    """
    for key, paths in found.items():
        if key == "rates":
            _read_rates(engine, plan, paths)
        else:
            of = key.rpartition(".")[2]
            pairs = _cells(engine, f"merged_{of}", _MERGED_COLUMNS, paths, plan)
            ends = _ends(pairs, paths[0].name)
            frame = pd.DataFrame(list(ends.items()), columns=["old_id", "new_id"], dtype="str")
            engine.register("_merged_records", frame)
            engine.execute(f"create table {_merged(of)} as from _merged_records")
            engine.execute("drop table _merged_records")


def is_followed(column: str, plan: Plan) -> bool:
    """Whether keys of a column may be those of a record that the plan says was merged."""
    return _FOLLOWED.get(column) in plan.records.merged


def followed(column: str, key: str) -> tuple[str, str]:
    """SQL of the key that a record has now, and SQL condition that it had another."""
    table = _merged(_FOLLOWED[column])
    now = f"coalesce((select new_id from {table} where old_id = {key}), {key})"
    return now, f"coalesce({key} in (select old_id from {table}), false)"


def currency_column(columns: Iterable[str]) -> str | None:
    """The column that names a row's currency, the one of the shortest name; None without one.

    Examples
    --------
    >>> currency_column(("region", "currency_code")), currency_column(("region",))
    ('currency_code', None)
    >>> currency_column(("company_currency", "CurrencyIsoCode"))  # the name in Salesforce
    'CurrencyIsoCode'
    """
    found = [name for name in columns if _CURRENCY.fullmatch(name.strip().casefold())]
    return min(found, key=len, default=None)


def converted(amount: str, currency: str, day: str, plan: Plan) -> tuple[str, str]:
    """SQL of an amount in the company's currency, and SQL condition that it was in another.

    The amount is NULL where there is no rate of its currency on its day, and where the plan has no
    rates. An amount without a currency is in the company's.
    """
    own = plan.company.currency
    code = casts.currency_code(quoted(currency), own)
    is_foreign = f"coalesce({code} <> {literal(own)}, false)"
    if not plan.records.rates:
        return f"case when not {is_foreign} then {amount} end", is_foreign
    rate = (
        f"(select factor from {RATES} where rate_of = {code} "
        f"and rate_since <= {day} and {day} < rate_until)"
    )
    return f"case when {is_foreign} then {amount} * {rate} else {amount} end", is_foreign


def _merged(of: str) -> str:
    return f"records.merged_{of}"


def _ends(pairs: list[tuple], label: str) -> dict[str, str]:
    """Old key to the last one of its chain.

    Raises
    ------
    TableError
        If a key became two, or keys became each other.
    """
    next_of: dict[str, str] = {}
    for old, new in pairs:
        if next_of.setdefault(old, new) != new:
            raise TableError(
                f"{label}: {old!r} became both {next_of[old]!r} and {new!r}, so it is unknown "
                f"which record it is part of. {_OWNER} can correct the file."
            )
    ends: dict[str, str] = {}
    for start in next_of:
        chain = {start: None}
        at = start
        while at not in ends and next_of.get(at, at) != at:
            at = next_of[at]
            if at in chain:
                circle = [*chain][[*chain].index(at) :]
                shown = ", ".join(map(repr, circle[:_SHOWN]))
                more = f" and {len(circle) - _SHOWN:,} more" if len(circle) > _SHOWN else ""
                raise TableError(
                    f"{label}: {shown}{more} became each other in a circle, so it is unknown "
                    f"which record is the last one. {_OWNER} can correct the file."
                )
            chain[at] = None
        end = ends.get(at, at)
        ends |= {each: end for each in chain if each != end}
    return ends


def _read_rates(engine: Engine, plan: Plan, paths: tuple[Path, ...]) -> None:
    rows = _cells(engine, "rates", _RATES_COLUMNS, paths, plan)
    frame = pd.DataFrame(rows, columns=["currency", "since", "rate"])
    frame["currency"] = frame["currency"].astype("str").str.upper()
    frame["since"] = frame["since"].astype("str")
    frame["rate"] = frame["rate"].astype("float64")
    label = paths[0].name
    wrong = frame[~frame["rate"].between(_LEAST_RATE, _MOST_RATE)]
    if len(wrong):
        one = wrong.iloc[0]
        raise TableError(
            f"{label}: {len(wrong):,} of {len(frame):,} rates are not above 0, or beyond what a "
            f"rate can be, such as {one['rate']:g} for {one['currency']} from {one['since']}. "
            f"{_OWNER} can correct the file."
        )
    twice = frame[frame.duplicated(["currency", "since"])]
    if len(twice):
        one = twice.iloc[0]
        raise TableError(
            f"{label}: {len(twice):,} of {len(frame):,} rates begin on the day of another one of "
            f"the same currency, such as {one['currency']} from {one['since']}. Which one counts "
            f"cannot be guessed. {_OWNER} can correct the file."
        )
    factor = "rate" if plan.records.rates_per == "foreign" else "1 / rate"
    engine.register("_rates", frame)
    # names that no column of a table has, since a query of the rates sees the row's columns too
    engine.execute(
        f"create table {RATES} as select currency as rate_of, cast(since as date) as rate_since, "
        "coalesce(lead(cast(since as date)) over (partition by currency order by since), "
        f"date '9999-12-31') as rate_until, {factor} as factor from _rates"
    )
    engine.execute("drop table _rates")


def _cells(
    engine: Engine, name: str, columns: tuple[Column, ...], paths: tuple[Path, ...], plan: Plan
) -> list[tuple]:
    """Rows of a file that the plan names, of which each cell must be filled and readable."""
    table = Table(name=name, grain="", owner=_OWNER, columns=columns)
    source = files.open_source(engine, table, paths)
    given = {known: cell for cell, known in source.names.items()}
    bare = {
        column: casts.bare(
            quoted(given[column.name]), source.types[given[column.name]], column.kind
        )
        for column in columns
    }
    values = ", ".join(
        casts.value(column, cell, source.types[given[column.name]], plan.company.timezone)
        for column, cell in bare.items()
    )
    try:
        rows = engine.rows(f"select {values} from {source.scan}")
    except EngineError as error:
        raise TableError(
            f"{source.label} cannot be read ({str(error).splitlines()[0][:160]}). {_OWNER} can "
            "correct the file."
        ) from None
    bad = [at for at, row in enumerate(rows, start=1) if None in row]
    if bad:
        listed = ", ".join(map(str, bad[:_SHOWN]))
        what = ", ".join(f"`{column.name}`" for column in columns)
        raise TableError(
            f"{source.label}: {len(bad):,} of {len(rows):,} rows have an empty or unreadable cell "
            f"(row {listed} below the header). Each needs {what}: a date is YYYY-MM-DD, a rate a "
            f"plain number. {_OWNER} can correct the file."
        )
    return rows
