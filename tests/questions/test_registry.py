"""The registry of questions agrees with the notebooks, the packages and the docs."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from funnel.contract.tables import TABLES
from funnel.questions import PAGES, QUESTIONS
from funnel.questions.readiness.requirements import NEEDS

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = sorted(
    path.parent for path in (ROOT / "src/funnel/questions").glob("*/__init__.py")
)  # fmt: skip


def saved_by(page: str) -> set[str]:
    """Names that a notebook saves results under."""
    notebook = json.loads((ROOT / "notebooks" / f"{page}.ipynb").read_text(encoding="utf-8"))
    names = set()
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] != "code" or "funnel.save(" not in source:
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "funnel.save":
                names |= {keyword.arg for keyword in node.keywords}
    return names


@pytest.mark.parametrize("entry", QUESTIONS, ids=lambda entry: entry.name)
def test_each_question_has_figures_that_its_notebook_saves(entry):
    saved = saved_by(entry.page)
    assert entry.figures
    assert set(entry.figures) <= saved
    own = entry.name.replace(" ", "_")
    assert own not in saved or entry.figures[0] == own


@pytest.mark.parametrize("entry", QUESTIONS, ids=lambda entry: entry.name)
def test_each_question_names_tables_and_docs_that_exist(entry):
    assert set(entry.tables) <= set(TABLES)
    words = (ROOT / entry.docs).read_text(encoding="utf-8").replace("_", " ")
    assert any(name.replace("_", " ") in words for name in (entry.name, *entry.figures))
    assert entry.title.endswith("?")


def test_names_are_used_once_and_each_notebook_answers_a_question():
    names = [entry.name for entry in QUESTIONS]
    assert len(set(names)) == len(names)
    assert set(PAGES) == {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert PAGES[0] == "readiness"
    assert set(NEEDS) <= set(names)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_each_question_has_the_same_rooms(package):
    rooms = {path.name for path in package.iterdir()}
    assert {"__init__.py", "text.py", "charts.py"} <= rooms
    for path in package.glob("*.py"):
        if path.name in ("text.py", "charts.py"):
            continue
        imported = path.read_text(encoding="utf-8")
        for word in ("results.formats", f"{package.name}.text", f"{package.name}.charts", "Say"):
            assert word not in imported, f"{path.name} writes for people: {word}"


def test_the_registry_imports_nothing_heavy():
    code = (
        "import sys, funnel.questions\n"
        "print(sorted({'pandas', 'numpy', 'matplotlib', 'duckdb'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
