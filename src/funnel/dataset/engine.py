"""The engine: one DuckDB connection, its temporary files, and the package's `.sql` queries.

Nothing is connected at import, so a process may fork and make its engine afterwards. No extension
is ever downloaded: what the package needs is built in.
"""

from __future__ import annotations

import os
import shutil
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from funnel.contract.errors import FunnelError, ParameterError
from funnel.dataset.temporary import new_folder, writing

EngineError = duckdb.Error  # raised by `execute` and `rows`, for modules that do not know DuckDB

MEMORY = "FUNNEL_MEMORY_LIMIT"
_MOST_MEMORY = 4 * 1024**3
_OVER = "-- over: "
_INLINE = "-- not materialized"


class Engine:
    """One private database in memory, which spills to a folder of its own.

    Parameters
    ----------
    memory_limit
        Most memory it may take, as DuckDB writes it (`"2GB"`); what does not fit goes to disk.
        Default: what `FUNNEL_MEMORY_LIMIT` says, else 4 GiB or 45 % of the machine's, whichever
        is less.
    threads
        Default: as many as this process may run on.

    Examples
    --------
    >>> with Engine() as engine:
    ...     int(engine.sql("select $n + 1 as n", n=41)["n"].iloc[0])
    42
    """

    def __init__(self, *, memory_limit: str | None = None, threads: int | None = None) -> None:
        self.threads = threads or len(os.sched_getaffinity(0))
        self.folder = new_folder()
        self._folders = [self.folder]
        self._finalizer = weakref.finalize(self, _remove, self._folders)
        try:
            self.connection = duckdb.connect(
                ":memory:",
                config={
                    "memory_limit": memory_limit or os.environ.get(MEMORY) or _memory_limit(),
                    "threads": self.threads,
                    "temp_directory": str(self.folder / "spill"),
                    "autoinstall_known_extensions": False,
                    "autoload_known_extensions": False,
                },
            )
        except EngineError as error:
            self._finalizer()
            raise ParameterError(f"The engine cannot start: {_first_line(error)}") from None
        self.execute("set TimeZone = 'UTC'")
        # without ipywidgets a notebook has no progress bar, and turning it off is an error
        if self.rows("select current_setting('enable_progress_bar')")[0][0]:
            self.execute("set enable_progress_bar = false")

    @property
    def memory_mib(self) -> int:
        """Most memory it may take, in MiB."""
        size, unit = self.rows("select current_setting('memory_limit')")[0][0].split()
        return int(float(size) * 1024 ** ("KiB", "MiB", "GiB", "TiB").index(unit) / 1024)

    def execute(self, query: str, **parameters: Any) -> duckdb.DuckDBPyConnection:
        """Run one statement, parameters as `$name`; errors are DuckDB's own.

        Raises
        ------
        TemporaryError
            If memory, or the folder that it spills to, is full.
        """
        with writing():
            return self.connection.execute(query, parameters or None)

    def rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """Run a query and fetch its rows as plain tuples."""
        with writing():
            return self.execute(query, **parameters).fetchall()

    def rows_of_each(self, queries: Sequence[str]) -> list[list[tuple[Any, ...]]]:
        """Rows of several queries, run in parallel; for queries that use one core each."""

        def rows(query: str) -> list[tuple[Any, ...]]:
            with self.connection.cursor() as cursor:
                return cursor.execute(query).fetchall()

        with writing(), ThreadPoolExecutor(len(queries)) as pool:
            return list(pool.map(rows, queries))

    def sql(self, query: str, **parameters: Any) -> pd.DataFrame:
        """Rows of a query as a frame; text columns are `str`.

        Raises
        ------
        FunnelError
            If the query cannot be run, with the engine's message.
        """
        try:
            with writing():
                return _as_frame(self.execute(query, **parameters))
        except EngineError as error:
            raise FunnelError(f"A query cannot be run: {_first_line(error)}") from None

    def step(self, name: str, **parameters: Any) -> pd.DataFrame:
        """Rows of the query `sql/<name>.sql`, together with the queries that it reads."""
        return self.sql(step_text(name), **parameters)

    def register(self, name: str, frame: pd.DataFrame) -> None:
        """Copy a frame into a table of this name."""
        # a slice of a frame may lie in memory backwards or in steps, which the engine does not read
        self.connection.register("_given", frame.copy())
        try:
            self.execute(f"create or replace table {quoted(name)} as select * from _given")
        finally:
            self.connection.unregister("_given")

    def seal(self, files: Sequence[Path] = (), folders: Sequence[Path] = ()) -> None:
        """Refuse every other file from here on, and every change of a setting.

        Parameters
        ----------
        files, folders
            What queries may still read and write, beside the temporary files.

        Examples
        --------
        >>> with Engine() as engine:
        ...     engine.seal()
        ...     engine.sql("select * from read_text('funnel.toml')")
        Traceback (most recent call last):
        funnel.contract.errors.FunnelError: A query cannot be run: Permission Error: ...
        """
        own = [self.folder.parent, *folders]
        for setting, places in (("allowed_directories", own), ("allowed_paths", files)):
            listed = ", ".join(literal(str(place)) for place in places)
            self.execute(f"set {setting} = [{listed}]")
        self.execute("set enable_external_access = false")
        self.execute("set lock_configuration = true")

    def removes(self, folder: Path) -> None:
        """Remove another folder together with the temporary files."""
        self._folders.append(folder)

    def close(self) -> None:
        """Release the memory and the temporary files; calling it twice does no harm."""
        self.connection.close()
        self._finalizer()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def step_text(name: str) -> str:
    """Query of a step: its file, preceded by the steps that it reads.

    A file that begins with the line `-- over: one, two` reads the rows of those steps by their
    names, as if they were tables. A file with the line `-- not materialized` is read again by each
    of the steps that stand on it.

    Raises
    ------
    ParameterError
        If there is no such step.
    """
    below: dict[str, str] = {}
    text = _with_below(name, below)
    if not below:
        return text
    parts = ",\n\n".join(f"{each} as {query}" for each, query in below.items())
    # a step's own parts follow those below it, in the same list
    return f"with {parts},\n{text[5:]}" if text.startswith("with ") else f"with {parts}\n{text}"


def _with_below(name: str, below: dict[str, str]) -> str:
    """A step's own query; adds the steps that it reads to `below`, in the order needed."""
    lines = _lines_of(name)
    if lines[0].startswith(_OVER):
        for each in lines[0].removeprefix(_OVER).split(","):
            if each.strip() not in below:
                query = _with_below(each.strip(), below)
                how = "not materialized " if _is_inline(each.strip()) else ""
                below[each.strip()] = f"{how}(\n{query}\n)"
    while lines[0].startswith("--") or not lines[0]:
        del lines[0]
    return "\n".join(lines)


def _is_inline(name: str) -> bool:
    return _INLINE in _lines_of(name)


def _lines_of(name: str) -> list[str]:
    file = resources.files("funnel.dataset") / "sql" / f"{name}.sql"
    if not file.is_file():
        raise ParameterError(f"There is no step named {name!r}.")
    return file.read_text(encoding="utf-8").splitlines()


def quoted(name: str) -> str:
    """SQL of a name, whatever characters it holds.

    Examples
    --------
    >>> print(quoted('say "a" twice'))
    "say ""a"" twice"
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """SQL of a text, whatever characters it holds.

    Examples
    --------
    >>> literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def _as_frame(result: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    texts = [column[0] for column in result.description if str(column[1]) == "VARCHAR"]
    frame = result.df()
    # a column of text without a single value would come back as `object`
    other = {name: "str" for name in texts if frame[name].dtype == object}
    return frame.astype(other) if other else frame


def _remove(folders: list[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]


def _memory_limit() -> str:
    try:
        physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        physical = 2 * _MOST_MEMORY
    return f"{min(_MOST_MEMORY, int(physical * 0.45)) // 1024**2}MiB"
