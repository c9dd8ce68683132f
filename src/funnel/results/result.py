"""Results: a tidy table, the day it speaks for, the sentence it supports, and its rows.

Every public question of the package answers with a `Result`. It shows itself in a notebook, and
inside a snapshot `save` writes it down, so that each figure on a page can be computed again.
"""

from __future__ import annotations

import copy
import datetime as dt
import html
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import pandas as pd

from funnel.contract.errors import ParameterError
from funnel.contract.plan import Company
from funnel.dataset.csv_files import write_csv
from funnel.results import charts, text
from funnel.results.say import Say
from funnel.results.small_groups import SmallGroups, without_small
from funnel.results.stated import Stated

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
    """Day, level of intervals, company and smallest group that each result of a dataset states."""
    plan = data.plan
    return {
        "as_of": data.as_of,
        "level": plan.level,
        "company": plan.company,
        "smallest_group": plan.smallest_group,
    }


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
    smallest_group
        Leads or deals of the smallest group that is shown and saved with its figures.
    grouped
        Of a class: which of its tables are about groups.
    """

    grouped: ClassVar[tuple[SmallGroups, ...]] = ()
    table: pd.DataFrame
    as_of: dt.date
    rows: pd.DataFrame = field(default_factory=no_rows)
    units: Mapping[str, str] = field(default_factory=dict)
    level: float = 0.9
    company: Company = field(default_factory=Company)
    smallest_group: int = 5

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.__repr__ = Result.__repr__  # else @dataclass writes one that prints every field

    def __repr__(self) -> str:
        shown = self._shown[0].rows.head(ROWS_SHOWN)
        parts = [self.headline, *self.caveats]
        return "\n".join(parts if shown.empty else [*parts, shown.to_string(index=False)])

    @cached_property
    def headline(self) -> str:
        """The one sentence that the table supports, its numbers computed."""
        return text.headline.function(type(self))(self.without_small_groups(), self._say())

    @cached_property
    def caveats(self) -> tuple[str, ...]:
        """What a reader must know before using it, as sentences."""
        write = text.caveats.find(type(self))
        return tuple(write(self, self._say())) if write else ()

    @property
    def stated(self) -> tuple[Stated, ...]:
        """Those of its figures that other results may state too; a snapshot compares them."""
        return ()

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
        return charts.of.function(type(self), chart)(self.without_small_groups(), ax)

    def without_small_groups(self, *, marked: bool = False) -> Self:
        """Itself as it may be shown and saved: small groups pooled, or their figures blank.

        Its headline, its tables, its charts and what `save` writes are made from this. Where no
        group is small it is the result itself.

        Parameters
        ----------
        marked
            Whether a blank count is written as `fewer than 5`, or `not shown`.
        """
        known = self.__dict__.setdefault("_without_small", {})
        if marked not in known:
            known[marked] = self._without_small_groups(marked=marked)
        return known[marked]

    def _without_small_groups(self, *, marked: bool) -> Self:
        own = {groups.table: getattr(self, groups.table) for groups in self.grouped}
        shown: dict[str, Any] = {
            groups.table: without_small(
                own[groups.table], groups, self.smallest_group, marked=marked
            )
            for groups in self.grouped
        }
        for each in fields(self):
            value = self.__dict__.get(each.name)
            if isinstance(value, tuple) and value and isinstance(value[0], Result):
                parts = tuple(one.without_small_groups(marked=marked) for one in value)
                changed = any(new is not old for new, old in zip(parts, value, strict=True))
                own[each.name], shown[each.name] = value, parts if changed else value
        if all(shown[name] is own[name] for name in own):
            return self
        other = copy.copy(self)
        other.__dict__.update(shown, _as_computed=self, _without_small={})
        return other

    @property
    def as_computed(self) -> Self:
        """Itself with every group, for totals: a table without small groups has no true ones."""
        return self.__dict__.get("_as_computed", self)

    def shown(self) -> pd.DataFrame:
        """Table as a page shows it, every cell formatted."""
        return self._shown[0].rows

    @cached_property
    def _shown(self) -> tuple[text.Excerpt, bool]:
        """The table in words, and whether it states intervals."""
        write, say = text.table.find(type(self)), self._say()
        shown = self.without_small_groups(marked=True)
        table = write(shown, say) if write else shown.table
        excerpt = table if isinstance(table, text.Excerpt) else text.Excerpt(table, len(table))
        return excerpt, say.intervals

    def _say(self) -> Say:
        return Say(self.company, self.level)

    def _repr_html_(self) -> str:
        parts = [f"<p><strong>{html.escape(self.headline)}</strong></p>"]
        parts += [f'<p class="caveat">{html.escape(caveat)}</p>' for caveat in self.caveats]
        excerpt, has_intervals = self._shown
        shown = excerpt.rows.head(ROWS_SHOWN)
        if shown.empty:
            return "\n".join(parts)
        parts.append(shown.to_html(index=False, border=0, na_rep="", float_format=_short))
        notes = []
        if self.without_small_groups() is not self:
            notes.append(
                f"Groups of fewer than {self.smallest_group} are pooled, or shown without figures."
            )
        if has_intervals:
            notes.append(f"In brackets: {self._say().share(self.level)} intervals.")
        if excerpt.n_rows > len(shown):
            notes.append(
                f"{len(shown)} of {excerpt.n_rows:,} rows; a snapshot holds all of them, in its "
                "folder `results`."
            )
        parts += [f'<p class="note">{html.escape(note)}</p>' for note in notes]
        return "\n".join(parts)


def save(**results: Result) -> None:
    """Hand results to the snapshot being made; outside of one, do nothing.

    Each is written as `results/<name>.csv` (its table), `results/<name>.json` (its headline, what
    it speaks for, and figures that other results may state too) and `rows/<name>.csv` (the ids
    behind it).

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

    The table is the one that a page shows, formatted or not: small groups are left out of it.

    Raises
    ------
    ParameterError
        If a result of that name was written there before.
    """
    table = result.without_small_groups().table
    whole = [
        name
        for name in table
        if pd.api.types.is_integer_dtype(result.table[name])
        and not pd.api.types.is_integer_dtype(table[name])
    ]
    (folder / "results").mkdir(parents=True, exist_ok=True)
    (folder / "rows").mkdir(exist_ok=True)
    about = {
        "name": name,
        "headline": result.headline,
        "as_of": result.as_of.isoformat(),
        "units": dict(result.units),
        "level": result.level,
        "caveats": list(result.caveats),
        "stated": [each.as_row() for each in result.as_computed.stated],
        "n_rows": len(table),
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
    write_csv(table.astype(dict.fromkeys(whole, "Int64")), folder / "results" / f"{name}.csv")
    write_csv(result.rows, folder / "rows" / f"{name}.csv")


def _short(value: float) -> str:
    """Four digits that matter, and no more decimals than a reader can use."""
    if value != value:
        return ""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"
