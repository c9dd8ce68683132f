"""What every question answers with: a table, a headline, caveats, the rows behind it, a chart."""

from funnel.results.result import (
    ROW_COLUMNS,
    ROWS_SHOWN,
    SNAPSHOT_FOLDER,
    Result,
    no_rows,
    rows_of,
    save,
    speaks_for,
    write_result,
)
from funnel.results.say import Say
from funnel.results.stated import Stated, stated_change

__all__ = [
    "ROWS_SHOWN",
    "ROW_COLUMNS",
    "SNAPSHOT_FOLDER",
    "Result",
    "Say",
    "Stated",
    "no_rows",
    "rows_of",
    "save",
    "speaks_for",
    "stated_change",
    "write_result",
]
