"""Where a question's `text.py` registers its sentences.

Each function takes the result and a `Say` in the company's locale:

- `headline(Kind)`: one sentence, the answer;
- `caveats(Kind)`: what a reader must know before using it, a list of sentences;
- `table(Kind)`: the table as a page shows it, every cell formatted: a frame, or an `Excerpt`.
  Without one, the table is shown as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from funnel.results.rooms import Registry


@dataclass(frozen=True, eq=False)
class Excerpt:
    """The formatted first rows of a table that has `n_rows`."""

    rows: pd.DataFrame
    n_rows: int


def cells(
    rows: pd.DataFrame, columns: Mapping[str, str | Callable[[pd.Series], str]]
) -> pd.DataFrame:
    """Rows as a page shows them: under each heading a column, or what a function writes of a row.

    Examples
    --------
    >>> rows = pd.DataFrame({"stage": ["mql", "sal"], "n": [1200, 300]})
    >>> cells(rows, {"reached": "stage", "leads": lambda row: f"{row['n']:,}"}).values.tolist()
    [['mql', '1,200'], ['sal', '300']]
    """
    each = each_row(rows)
    return pd.DataFrame(
        {
            heading: [row[cell] if isinstance(cell, str) else cell(row) for row in each]
            for heading, cell in columns.items()
        }
    )


def each_row(table: pd.DataFrame) -> list[pd.Series]:
    """Rows of a table, each cell as it is; `iterrows` would make text of a row's hidden counts.

    Examples
    --------
    >>> [row["n"] for row in each_row(pd.DataFrame({"stage": ["mql"], "n": [3]}))]
    [3]
    """
    cells_of = zip(*(table[name] for name in table), strict=True)
    return [pd.Series(cells, table.columns, dtype=object) for cells in cells_of]


def capital(clause: str) -> str:
    """A clause as the beginning of a sentence.

    Examples
    --------
    >>> capital("won deals in EUR")
    'Won deals in EUR'
    """
    return f"{clause[:1].upper()}{clause[1:]}"


headline = Registry("text", "headline")
caveats = Registry("text", "caveats")
table = Registry("text", "table in words")
