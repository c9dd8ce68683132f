"""The contract, and the codebook made from it."""

from pathlib import Path

import pytest

from funnel.contract.codebook import codebook
from funnel.contract.tables import TABLES, Kind

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample"


def test_there_are_fifteen_tables():
    assert len(TABLES) == 15


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_the_checks_of_a_table_name_its_own_columns(table):
    names = [column.name for column in table.columns]
    assert len(set(names)) == len(names)
    named = {*table.key, *table.needs_one_of, *(ref.column for ref in table.references)}
    named |= {name for pair in table.ordered for name in pair}
    named |= {table.happened} - {""}
    assert named <= set(names)
    assert {ref.table for ref in table.references} <= set(TABLES)


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_names_follow_the_conventions(table):
    for column in table.columns:
        if column.kind is Kind.TIME:
            assert column.name.endswith("_at")
        if column.kind is Kind.DATE:
            assert column.name.endswith(("_on", "_start", "_end", "month"))
        if column.name.endswith("_id"):
            assert column.kind is Kind.ID


def test_the_codebook_names_every_table_and_column():
    page = codebook()
    for table in TABLES.values():
        section = page.split(f"## `{table.name}`")[1].split("\n## ")[0]
        assert table.owner in section
        for column in table.columns:
            assert f"| `{column.name}` |" in section


def test_the_readme_of_the_sample_is_the_generated_codebook():
    assert (SAMPLE / "README.md").read_text(encoding="utf-8") == codebook()
