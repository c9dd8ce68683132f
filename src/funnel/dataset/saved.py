"""The saved dataset: what passed the checks, hashed and cut, in one file that others open.

A load is saved in the user's cache folder, named by what it was made from: the bytes of the inputs,
the plan, the day, the key of the hashes and this code. A run of notebooks hands its kernels a copy
of its own (`FUNNEL_DATASET`), so that no notebook reads the exports again.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import os
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from funnel.contract.errors import ParameterError
from funnel.contract.tables import TABLES
from funnel.dataset.engine import Engine, EngineError, literal
from funnel.dataset.findings import Finding
from funnel.dataset.record_files import RATES
from funnel.dataset.spellings import OddWord

if TYPE_CHECKING:
    from funnel.dataset import Tables

CACHE = "FUNNEL_CACHE"  # a folder in place of the user's cache folder; `off` saves nothing
CACHE_SIZE = "FUNNEL_CACHE_SIZE"  # bytes
HANDED = "FUNNEL_DATASET"
SOURCE_COLUMNS = ("table", "file", "bytes", "sha256")
_ROWS, _FACTS = "tables.duckdb", "facts.json"
_STAGED = ".new-"
_MOST_BYTES = 8 * 1024**3
_A_DAY = 86_400.0  # seconds; no dataset takes so long to save
_READING = ("contract", "dataset")  # packages whose code decides what a dataset holds


@dataclass(frozen=True)
class Origin:
    """What a dataset is made from.

    Attributes
    ----------
    sources
        One row per input file: `table`, `file`, `bytes`, `sha256`.
    others
        Files of the folder that are no table.
    plan_sha256
        Hash of the plan.
    as_of
        The day wanted; empty for the newest.
    key_sha256
        Hash of the key that identities are hashed with.
    """

    sources: pd.DataFrame
    others: tuple[str, ...]
    plan_sha256: str
    as_of: str
    key_sha256: str

    @property
    def name(self) -> str:
        """A name that no other origin has."""
        facts = [
            self.sources.to_csv(index=False), *self.others,
            self.plan_sha256, self.as_of, self.key_sha256, _code(),
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def save(data: Tables, folder: Path) -> None:
    """Save a dataset into a new folder, whole or not at all.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=_STAGED, dir=folder.parent))
    try:
        if data.saved_in is not None:
            _link(data.saved_in / _ROWS, staged / _ROWS)
        else:
            _write_rows(data, staged / _ROWS)
        (staged / _FACTS).write_text(json.dumps(_facts(data), ensure_ascii=False))
        if not folder.exists():  # else another process was first, with the same rows
            staged.rename(folder)
    except EngineError as error:
        raise OSError(str(error)) from None
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def opened(folder: Path, memory_limit: str | None = None) -> tuple[Engine, dict[str, Any]]:
    """Engine that knows a saved dataset's tables by name, read-only, and the dataset's facts.

    Raises
    ------
    OSError
        If there is none, or it cannot be read.
    """
    facts = json.loads((folder / _FACTS).read_text())
    engine = Engine(memory_limit=memory_limit)
    try:
        engine.execute(f"attach {literal(str(folder / _ROWS))} as saved (read_only)")
        for name in TABLES:
            engine.execute(f"create view {name} as from saved.{name}")
        if engine.rows(
            "select 1 from duckdb_schemas() where database_name = 'saved' "
            "and schema_name = 'records'"
        ):
            engine.execute("create schema records")
            engine.execute(f"create view {RATES} as from saved.{RATES}")
    except EngineError as error:
        engine.close()
        raise OSError(str(error)) from None
    facts["as_of"] = dt.date.fromisoformat(facts["as_of"])
    facts["counted"] = tuple(tuple(row) for row in facts["counted"])
    facts["extras"] = {name: tuple(columns) for name, columns in facts["extras"].items()}
    facts["views"] = frozenset(facts["views"])
    facts["unused"] = tuple(tuple(row) for row in facts["unused"])
    facts["spellings"] = tuple(OddWord(**each) for each in facts["spellings"])
    facts["test_keys"] = {name: tuple(keys) for name, keys in facts["test_keys"].items()}
    facts["load_findings"] = tuple(Finding(**each) for each in facts["load_findings"])
    facts["sources"] = pd.DataFrame(facts["sources"], columns=list(SOURCE_COLUMNS))
    facts["rejected_rows"] = {
        name: (lambda name=name: engine.sql(f"select * from saved.rejected.{name}"))
        for name in facts["rejected_rows"]
    }
    return engine, facts


def shared_results(folder: Path) -> Path:
    """Folder, beside a run's saved dataset, in which its processes share results."""
    place = folder / "results"
    place.mkdir(mode=0o700, exist_ok=True)
    return place


def cached(origin: Origin) -> Path | None:
    """Where the cache has, or would have, a dataset; None where nothing is to be cached."""
    folder = _cache_folder()
    return folder / origin.name if folder else None


def handed(folder: Path, plan_sha256: str, as_of: str) -> Path | None:
    """The dataset that the run of this notebook loaded, where it is the one wanted."""
    given = os.environ.get(HANDED)
    if not given:
        return None
    with contextlib.suppress(OSError, ValueError):
        facts = json.loads((Path(given) / _FACTS).read_text())
        wanted = (str(folder.resolve()), plan_sha256, as_of or facts["as_of"])
        if wanted == (facts["folder"], facts["plan_sha256"], facts["as_of"]):
            return Path(given)
    return None


def make_room(newest: Path) -> None:
    """Remove the datasets that were used longest ago, until the cache is within its size."""
    left = _most_bytes()
    for half in newest.parent.glob(f"{_STAGED}*"):  # of a process that was killed
        if half.stat().st_mtime < time.time() - _A_DAY:
            shutil.rmtree(half, ignore_errors=True)
    entries = [each for each in newest.parent.iterdir() if (each / _ROWS).is_file()]
    for entry in sorted(entries, key=lambda each: each.stat().st_mtime, reverse=True):
        left -= (entry / _ROWS).stat().st_size
        if left < 0:
            shutil.rmtree(entry, ignore_errors=True)


def _most_bytes() -> int:
    given = os.environ.get(CACHE_SIZE, "")
    if given and not given.isdecimal():
        raise ParameterError(f"{CACHE_SIZE} is {given!r}; it must be a whole number of bytes.")
    return int(given or _MOST_BYTES)


def _cache_folder() -> Path | None:
    given = os.environ.get(CACHE, "")
    if given.casefold() in ("off", "0", "no"):
        return None
    if given:
        return Path(given)
    try:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:  # no home folder is known
        return None
    return Path(base) / "funnel" / "datasets"


@cache
def _code() -> str:
    """Hash of the code that reads tables."""
    found = hashlib.sha256()
    for name in _READING:
        package = resources.files(f"funnel.{name}")
        for file in sorted(package.rglob("*"), key=str) if isinstance(package, Path) else ():
            if file.suffix in (".py", ".sql"):
                found.update(file.read_bytes())
    return found.hexdigest()


def _write_rows(data: Tables, file: Path) -> None:
    engine = data.engine
    engine.execute(f"attach {literal(str(file))} as saving")
    try:
        for name in TABLES:
            engine.execute(f"create table saving.{name} as from {name}")
        engine.execute("create schema saving.rejected")
        for name, rows in data.rejected_tables.items():
            engine.register("_rejected", rows)
            engine.execute(f"create table saving.rejected.{name} as from _rejected")
            engine.execute("drop table _rejected")
        if data.plan.records.rates:
            engine.execute("create schema saving.records")
            engine.execute(f"create table saving.{RATES} as from {RATES}")
        if "leads" in data.rejected_rows:
            engine.execute(f"create table saving.rejected.keys_of_leads as {data.lead_keys}")
    finally:
        engine.execute("detach saving")


def _facts(data: Tables) -> dict[str, Any]:
    with_rejected = "select lead_id from saved.rejected.keys_of_leads"
    keys = with_rejected if "leads" in data.rejected_rows else "select lead_id from leads"
    return {
        "folder": data.folder,
        "plan_sha256": data.plan.sha256,
        "as_of": data.as_of.isoformat(),
        "counted": data.counted,
        "extras": data.extras,
        "views": sorted(data.views),
        "load_findings": [asdict(each) for each in data.load_findings],
        "unused": data.unused,
        "spellings": [asdict(each) for each in data.spellings],
        "test_keys": data.test_keys,
        "sources": data.sources.to_dict("records"),
        "lead_keys": keys if data.lead_keys else "",
        "rejected_rows": list(data.rejected_rows),
    }


def _link(file: Path, other: Path) -> None:
    try:
        os.link(file, other)
    except OSError:
        shutil.copyfile(file, other)
