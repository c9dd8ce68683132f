"""Tables written as CSV, such that a spreadsheet shows their text and runs none of it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table so that no spreadsheet takes a cell's text for a formula."""
    safe = table.copy()
    for column in safe.columns[[not pd.api.types.is_numeric_dtype(kind) for kind in safe.dtypes]]:
        if isinstance(safe[column].dtype, pd.StringDtype) or safe[column].dtype == object:
            safe[column] = safe[column].map(_inert, na_action="ignore")
    safe.to_csv(path, index=False, lineterminator="\n")


def _inert(cell: object) -> object:
    return (
        f"'{cell}"
        if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t"))
        else cell
    )
