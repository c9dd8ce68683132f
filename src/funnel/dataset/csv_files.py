"""CSV files in which a spreadsheet takes no text for a formula."""

from __future__ import annotations

from pathlib import Path

import pandas as pd


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table so that no spreadsheet takes a cell's text for a formula."""
    safe = table.copy()
    for column in safe.columns[[not pd.api.types.is_numeric_dtype(kind) for kind in safe.dtypes]]:
        if isinstance(safe[column].dtype, pd.StringDtype) or safe[column].dtype == object:
            safe[column] = safe[column].map(_escaped, na_action="ignore")
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
    for column in table.columns[[not pd.api.types.is_numeric_dtype(kind) for kind in table.dtypes]]:
        table[column] = table[column].map(_unescaped, na_action="ignore")
    return table


def _unescaped(cell: object) -> object:
    return cell[1:] if isinstance(cell, str) and _escaped(cell[1:]) == cell else cell


def _escaped(cell: object) -> object:
    return (
        f"'{cell}"
        if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t"))
        else cell
    )
