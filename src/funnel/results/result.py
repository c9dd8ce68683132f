"""Results: a tidy table, the day it speaks for, the sentence it supports, and its rows.

Every public question of the package answers with a `Result`. It shows itself in a notebook, and
inside a snapshot `save` writes it down, so that each figure on a page can be computed again.
"""

from __future__ import annotations

import datetime as dt
import html
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from funnel.contract.errors import ParameterError
from funnel.contract.plan import Company
from funnel.dataset.csv_files import write_csv
from funnel.results import charts, text
from funnel.results.say import Say

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.dataset import Tables

SNAPSHOT_FOLDER = "FUNNEL_SNAPSHOT"
ROW_COLUMNS = ("figure", "table", "id")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
ROWS_SHOWN = 20  # of a table on a page; the saved results hold them all


def no_rows() -> pd.DataFrame:
    """Empty form of a result's `rows`."""
    return pd.DataFrame({name: pd.Series(dtype="str") for name in ROW_COLUMNS})


def rows_of(figure: str, table: str, ids: pd.Series) -> pd.DataFrame:
    """Rows behind one figure, by their keys.

    Parameters
    ----------
    figure
        The figure they are behind, by the label of its row in the result's table.
    table
        The contract's table they come from.
    ids
        Their keys.

    Examples
    --------
    >>> rows_of("email", "deals", pd.Series(["D-1"])).to_dict("records")
    [{'figure': 'email', 'table': 'deals', 'id': 'D-1'}]
    """
    return pd.DataFrame({"figure": figure, "table": table, "id": ids.astype("str").to_numpy()})


def speaks_for(data: Tables) -> dict[str, Any]:
    """Day, level of intervals and company that each result of a dataset states."""
    return {"as_of": data.as_of, "level": data.plan.level, "company": data.plan.company}


@dataclass(frozen=True, eq=False, kw_only=True)
class Result:
    """What a question's function answers: facts and a tidy table, no prose and no drawing.

    Its sentences are in `text.py` of its package, its charts in `charts.py`; both are found by its
    class (`funnel.results.rooms`).

    Attributes
    ----------
    table
        Tidy: one row per thing, fixed column names, intervals as `<x>_low` and `<x>_high`.
    as_of
        The last day that it speaks for.
    rows
        The rows behind it: `figure` (which row of `table`), `table`, `id`.
    units
        What each figure's column is counted in.
    level
        The level of its intervals, 0 to 1.
    company
        Whose figures these are: currency and locale of its sentences.
    """

    table: pd.DataFrame
    as_of: dt.date
    rows: pd.DataFrame = field(default_factory=no_rows)
    units: Mapping[str, str] = field(default_factory=dict)
    level: float = 0.9
    company: Company = field(default_factory=Company)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.__repr__ = Result.__repr__  # else @dataclass writes one that prints every field

    def __repr__(self) -> str:
        shown = self._excerpt().rows.head(ROWS_SHOWN)
        parts = [self.headline, *self.caveats]
        return "\n".join(parts if shown.empty else [*parts, shown.to_string(index=False)])

    @property
    def headline(self) -> str:
        """The one sentence that the table supports, its numbers computed."""
        return text.headline.function(type(self))(self, self._say())

    @property
    def caveats(self) -> tuple[str, ...]:
        """What a reader must know before using it, as sentences."""
        write = text.caveats.find(type(self))
        return tuple(write(self, self._say())) if write else ()

    def plot(self, ax: Axes | None = None, *, chart: str = "") -> Axes:
        """Draw the result.

        Parameters
        ----------
        ax
            Axes to draw on; without them a new figure is made.
        chart
            Which of its charts; the first without a name.

        Raises
        ------
        NotImplementedError
            If it has no such chart.
        """
        return charts.of.function(type(self), chart)(self, ax)

    def shown(self) -> pd.DataFrame:
        """Table as a page shows it, every cell formatted."""
        return self._excerpt().rows

    def _excerpt(self, say: Say | None = None) -> text.Excerpt:
        write = text.table.find(type(self))
        table = write(self, say or self._say()) if write else self.table
        return table if isinstance(table, text.Excerpt) else text.Excerpt(table, len(table))

    def _say(self) -> Say:
        return Say(self.company, self.level)

    def _repr_html_(self) -> str:
        parts = [f"<p><strong>{html.escape(self.headline)}</strong></p>"]
        parts += [f'<p class="caveat">{html.escape(caveat)}</p>' for caveat in self.caveats]
        say = self._say()
        excerpt = self._excerpt(say)
        shown = excerpt.rows.head(ROWS_SHOWN)
        if shown.empty:
            return "\n".join(parts)
        parts.append(shown.to_html(index=False, border=0, na_rep="", float_format=_short))
        notes = []
        if say.intervals:
            notes.append(f"In brackets: {say.share(self.level)} intervals.")
        if excerpt.n_rows > len(shown):
            notes.append(
                f"{len(shown)} of {excerpt.n_rows:,} rows; a snapshot holds all of them, in its "
                "folder `results`."
            )
        parts += [f'<p class="note">{html.escape(note)}</p>' for note in notes]
        return "\n".join(parts)


def save(**results: Result) -> None:
    """Hand results to the snapshot being made; outside of one, do nothing.

    Each is written as `results/<name>.csv` (its table), `results/<name>.json` (its headline and
    what it speaks for) and `rows/<name>.csv` (the ids behind it).

    Raises
    ------
    ParameterError
        If a name cannot be a file's name, or was saved before in this snapshot.
    """
    folder = os.environ.get(SNAPSHOT_FOLDER)
    for name, result in results.items():
        if not _NAME.fullmatch(name):
            raise ParameterError(f"save: {name!r} must be lower-case letters, digits and '_'.")
        if folder:
            write_result(result, name, Path(folder))


def write_result(result: Result, name: str, folder: Path) -> None:
    """Write a result's table, what it says and its rows into a snapshot's folder.

    Raises
    ------
    ParameterError
        If a result of that name was written there before.
    """
    (folder / "results").mkdir(parents=True, exist_ok=True)
    (folder / "rows").mkdir(exist_ok=True)
    about = {
        "name": name,
        "headline": result.headline,
        "as_of": result.as_of.isoformat(),
        "units": dict(result.units),
        "level": result.level,
        "caveats": list(result.caveats),
        "n_rows": len(result.table),
        "rows_used": result.rows[["table", "id"]]
        .drop_duplicates()
        .groupby("table")
        .size()
        .to_dict(),
    }
    path = folder / "results" / f"{name}.json"
    try:
        with path.open("x", encoding="utf-8") as file:
            json.dump(about, file, ensure_ascii=False, indent=1)
            file.write("\n")
    except FileExistsError:
        raise ParameterError(f"save: a result named {name!r} was saved before.") from None
    write_csv(result.table, folder / "results" / f"{name}.csv")
    write_csv(result.rows, folder / "rows" / f"{name}.csv")


def _short(value: float) -> str:
    """Four digits that matter, and no more decimals than a reader can use."""
    if value != value:
        return ""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"
