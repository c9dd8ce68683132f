"""CSV files in which a spreadsheet takes no text for a formula, and no cell holds an address."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from funnel.contract.outgoing_text import are_clean, clean_cell


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table, its cells and headings cleaned as `clean_cell` does."""
    safe = table.rename(columns=clean_cell)
    for column in _texts(safe):
        if not are_clean(safe[column].tolist()):
            safe[column] = safe[column].map(clean_cell, na_action="ignore")
    safe.to_csv(path, index=False, lineterminator="\n")


def read_csv(path: Path) -> pd.DataFrame:
    """Table that `write_csv` wrote, with each number and text as it was.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "table.csv"
    >>> write_csv(pd.DataFrame({"name": ["-x", "NA"], "n": [0.1, None]}), path)
    >>> read_csv(path).to_dict("list")
    {'name': ['-x', 'NA'], 'n': [0.1, nan]}
    """
    table = pd.read_csv(path, na_values=[""], keep_default_na=False, encoding="utf-8")
    for column in _texts(table):
        table[column] = table[column].map(_unescaped, na_action="ignore")
    return table.rename(columns=_unescaped)


def _texts(table: pd.DataFrame) -> list[str]:
    return [
        name
        for name, kind in table.dtypes.items()
        if isinstance(kind, pd.StringDtype) or kind == "object"
    ]


def _unescaped(cell: object) -> object:
    return cell[1:] if isinstance(cell, str) and clean_cell(cell[1:]) == cell else cell
