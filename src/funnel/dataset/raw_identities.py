"""Identities as the exports have them, to prove that a finished snapshot holds none.

They are read again from the files, whatever the dataset was loaded from, and stay in memory: no
saved dataset and no cache ever holds them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from funnel.contract.tables import TABLES, Kind, Table
from funnel.dataset import casts, csv_repair, files, privacy
from funnel.dataset.engine import Engine, EngineError, quoted
from funnel.dataset.files import Source

if TYPE_CHECKING:
    from funnel.dataset import Tables

# what is specific enough to differ from other words: an address; a phone number of seven digits
# with a blank or sign among them, or of ten bare ones; a name of two to six words of letters
_SHAPES = {
    "phone": re.compile(r"(?=(?:\D*\d){7})[+(]?\d[\d ()./+-]*[ ()./+-][\d ()./+-]*\d"),
    "digits": re.compile(r"\d{10,15}"),
    "name": re.compile(r"(?=.*[^\W\d]{2}.* .*[^\W\d]{2})[^\s\d@]+(?: [^\s\d@]+){1,5}"),
}
_LONG_KEY = 7  # digits of a key that could be taken for a phone number
_PEOPLE = ("leads", "deals")  # tables whose keys may be addresses


@dataclass(frozen=True)
class RawIdentities:
    """Identities of a company's folder, in lower case and with single blanks.

    Attributes
    ----------
    by_shape
        `mail`, `phone`, `digits` and `name` to the values of that shape, each with the table and
        column that it stands in.
    """

    by_shape: dict[str, dict[str, str]]

    def __len__(self) -> int:
        return sum(map(len, self.by_shape.values()))


def raw_identities(data: Tables) -> RawIdentities:
    """Every identity that the exports of a dataset hold in a column of people.

    Numbers of digits alone are left out where keys are such numbers too: nobody could tell them
    apart.
    """
    found: dict[str, dict[str, str]] = {shape: {} for shape in ("mail", *_SHAPES)}
    has_long_keys = False
    with Engine() as engine:
        for name, paths in files.find(Path(data.folder))[0].items():
            names = [*TABLES[name].by_name, *data.extras.get(name, ())]
            if any(_kind(TABLES[name], each) for each in names):
                source = files.open_source(engine, TABLES[name], paths)
                has_long_keys |= _read(engine, source, found)
    if has_long_keys:
        found["digits"].clear()
    return RawIdentities(found)


def _kind(table: Table, name: str) -> Kind | None:
    """Kind of a column that may hold identities; None for any other."""
    known = table.by_name.get(name)
    kind = known.kind if known else privacy.kind_by_name(name)
    is_key = kind is Kind.ID and name in table.key and table.name in _PEOPLE
    return kind if kind in (Kind.IDENTITY, Kind.PERSON) or is_key else None


def _read(engine: Engine, source: Source, found: dict[str, dict[str, str]]) -> bool:
    """Add a table's identities; give whether some key of it is a long number."""
    try:
        return _read_columns(engine, source, found)
    except EngineError:
        if source.text is None:
            raise
        csv_repair.repair(engine, source)
        return _read_columns(engine, source, found)


def _read_columns(engine: Engine, source: Source, found: dict[str, dict[str, str]]) -> bool:
    table, kinds = source.table.name, {}
    for given, name in source.names.items():
        if kind := _kind(source.table, name):
            kinds[given] = kind
    if not kinds:
        return False
    cells = ", ".join(
        f"{casts.text(quoted(given), source.types[given])} as {quoted(given)}" for given in kinds
    )
    engine.execute(f"create or replace temp table people as select {cells} from {source.scan}")
    has_long_keys = False
    for given, kind in kinds.items():
        cell, place = quoted(given), f"`{source.names[given]}` of {table}"
        mails = f"select distinct lower(trim({cell})) from people where contains({cell}, '@')"
        found["mail"] |= {mail: place for (mail,) in engine.rows(mails)}
        if kind is Kind.ID:
            longs = f"max(strlen({cell})) filter (not {cell} glob '*[!0-9]*')"
            longest = engine.rows(f"select {longs} from people")[0][0]
            has_long_keys |= (longest or 0) >= _LONG_KEY
            continue
        # the others hold a blank, or begin as numbers do
        is_other = f"not contains({cell}, '@') and ({cell} glob '*? ?*' or {cell} glob '[0-9(+]*')"
        for (raw,) in engine.rows(f"select distinct {cell} from people where {is_other}"):
            value = " ".join(raw.lower().split())
            shape = next((shape for shape, form in _SHAPES.items() if form.fullmatch(value)), "")
            if shape and not (
                kind is Kind.PERSON and privacy.ROLE_WORDS.intersection(value.split())
            ):
                found[shape].setdefault(value, place)
    return has_long_keys
