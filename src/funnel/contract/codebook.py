"""The contract as a page, generated from `tables` alone."""

from __future__ import annotations

from funnel.contract.tables import TABLES, Column, Kind, Table

_HOW_READ = {
    Kind.ID: "text, kept as it is",
    Kind.TEXT: "text",
    Kind.FREE: "free text",
    Kind.TIME: "UTC, ISO 8601",
    Kind.DATE: "YYYY-MM-DD",
    Kind.NUMBER: "number",
    Kind.MONEY: "plain number, the company's currency",
    Kind.COUNT: "whole number, not negative",
    Kind.PERSON: "becomes a stable label",
    Kind.IDENTITY: "becomes a keyed hash",
}


def codebook() -> str:
    """The contract's tables as a Markdown page.

    Returns
    -------
    str
        One section per table, in the contract's order: grain, owner, checks and columns.

    Examples
    --------
    >>> print(codebook().splitlines()[0])
    # Codebook
    """
    lines = [
        "# Codebook",
        "",
        "One folder holds one company: `funnel.toml` (the plan) and one file per table, as `.csv`,",
        "`.csv.gz`, `.parquet`, or a folder of Parquet files. Times are UTC; a date without a time",
        "is that day in the company's time zone; an empty cell means *not recorded*. Only `leads`",
        "or `deals` must be there. Extra columns are kept and can be used as segments.",
        "",
        "This page is generated from `src/funnel/contract/tables.py`.",
    ]
    for table in TABLES.values():
        lines += ["", f"## `{table.name}`", "", *_table_page(table)]
    return "\n".join(lines) + "\n"


def _table_page(table: Table) -> list[str]:
    facts = [f"One row is {table.grain}.", f"Ask {table.owner}."]
    if table.key:
        facts.append(f"No two rows share {_and(table.key)}.")
    facts += [f"`{first}` is not after `{then}`." for first, then in table.ordered]
    if table.needs_one_of:
        facts.append(f"Each row fills {_and(table.needs_one_of, 'or')}.")
    facts += [f"`{ref.column}` must be in `{ref.table}`." for ref in table.references]
    facts.append(f"Without it these cannot be answered: {table.without}.")
    rows = [
        f"| `{column.name}` | {'yes' if column.required else ''} | {column.means}"
        f"{_choices(column)} | {column.unit or _HOW_READ[column.kind]} |"
        for column in table.columns
    ]
    head = ["| column | must | means | read as |", "|---|---|---|---|"]
    return [" ".join(facts), "", *head, *rows]


def _choices(column: Column) -> str:
    return f" ({', '.join(f'`{choice}`' for choice in column.choices)})" if column.choices else ""


def _and(names: tuple[str, ...], word: str = "and") -> str:
    quoted = [f"`{name}`" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} {word} {quoted[-1]}"
