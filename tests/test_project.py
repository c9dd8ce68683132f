"""What holds for the repository as a whole: its layers, its libraries and its notebooks."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "funnel"

# Imports point down only: a module may import those on lines below its own, and of its own line
# only where the line says so.
LAYERS = [
    ("cli",),
    ("checked", "template", "schedule"),
    ("snapshot",),
    ("brief",),
    ("pages",),
    ("plots",),
    ("why",),
    (
        "readiness",
        "attribution",
        "seasonality",
        "conversion",
        "change",
        "bridge",
        "definition",
        "handoff",
    ),
    ("journeys", "judging"),
    ("coverage",),
    ("stages",),
    ("evidence",),
    ("results", "formats", "wording"),
    ("sources", "sample"),
    ("load",),
    ("spark",),
    ("engine", "codebook", "tabular"),
    ("plan",),
    ("periods", "tables", "workdays"),
    ("errors",),
]
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
ONLY_IN = {
    "papermill": "snapshot",
    "duckdb": "engine",
    "pyspark": "spark",
    "statsmodels.tsa": "seasonality",
}


def module_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports_of(path: Path) -> list[tuple[str, bool]]:
    """Give the modules that a file imports, and whether at its top (not inside a function)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {
        child
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for child in ast.walk(node)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node not in inside) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [(f"{node.module}.{alias.name}", node not in inside) for alias in node.names]
    return found


SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def test_every_module_has_its_place_in_the_layers():
    assert {module_of(path) for path in SOURCES} == set(RANK)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down_only(path):
    mine = module_of(path)
    for name, at_top in imports_of(path):
        parts = name.split(".")
        if parts[0] != "funnel" or len(parts) < 2 or parts[1] not in RANK or parts[1] == mine:
            continue
        # A result draws itself: that one call up is late, so that arithmetic needs no picture.
        draws = parts[1] == "plots" and not at_top
        assert RANK[parts[1]] > RANK[mine] or draws, f"{mine} imports {parts[1]}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_some_libraries_are_known_in_one_place_only(path):
    for name, _ in imports_of(path):
        for library, home in ONLY_IN.items():
            if name == library or name.startswith(f"{library}."):
                assert module_of(path) == home, f"{path.name} imports {name}"


def test_the_help_starts_without_the_heavy_libraries():
    code = (
        "import sys, funnel.cli\n"
        "heavy = {'pandas', 'matplotlib', 'statsmodels', 'papermill', 'nbconvert', 'duckdb'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def requirement(line: str) -> tuple[str, str]:
    name, version = re.fullmatch(r"([A-Za-z0-9_-]+)(.*)", line.strip()).groups()
    return {"python-duckdb": "duckdb"}.get(name, name), version


def test_conda_and_pip_ask_for_the_same_set():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed = project["dependencies"] + project["optional-dependencies"]["dev"]
    conda = [
        line.strip()[2:]
        for line in (ROOT / "environment.yml").read_text().split("dependencies:")[1].splitlines()
        if line.strip().startswith("- ")
    ]
    wanted = {requirement(line) for line in listed}
    wanted.add(("python", project["requires-python"]))
    assert {requirement(line) for line in conda} == wanted


def test_the_lock_is_pinned_hashed_and_names_no_address():
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    entries = re.split(r"\n(?=\S)", text.strip())
    assert len(entries) > 50
    for entry in entries:
        assert re.match(r"[A-Za-z0-9._-]+==", entry), entry[:80]
        assert "--hash=sha256:" in entry, entry[:80]


NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_thin_and_clean(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert sum("parameters" in cell["metadata"].get("tags", []) for cell in code) == 1
    for cell in code:
        source = "".join(cell["source"])
        assert not cell["outputs"]
        assert cell["execution_count"] is None
        assert len(source.splitlines()) <= 10, source
        body = "\n".join(line for line in source.splitlines() if not line.startswith("%"))
        for node in ast.walk(ast.parse(body)):
            forbidden = ast.FunctionDef | ast.Lambda | ast.For | ast.While | ast.BinOp
            assert not isinstance(node, forbidden | ast.ListComp | ast.DictComp), source


def test_there_are_notebooks():
    assert {path.stem for path in NOTEBOOKS} >= {
        "readiness",
        "why",
        "attribution",
        "seasonality",
        "conversion",
        "definition",
    }


TRACKED = subprocess.run(
    ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
).stdout.split()


@pytest.mark.skipif(not TRACKED, reason="not a git checkout: what is tracked cannot be told")
def test_no_tracked_file_names_a_folder_of_this_machine():
    places = [f"{place}/" for place in (ROOT, Path.home()) if len(place.parts) > 1]
    for name in TRACKED:
        path = ROOT / name
        if path.exists() and path.suffix not in {".gz", ".png", ".parquet"}:
            text = path.read_text(encoding="utf-8", errors="replace")
            assert not [place for place in places if place in text], name
