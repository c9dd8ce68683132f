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

# Imports point down only: a module may import those on lines below its own, and never those beside
# its own package. One question never imports another.
LAYERS = [
    ("__main__",),
    ("cli",),
    ("report",),
    ("questions",),
    ("registry",),
    ("methods",),
    ("checks",),
    ("results",),
    ("stats", "sources", "sample"),
    ("dataset",),
    ("contract",),
]
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
ONLY_IN = {
    "papermill": "report",
    "duckdb": "dataset.engine",
    "pyspark": "dataset.spark",
    "statsmodels.tsa": "methods.season",
}


def place_of(path: Path) -> tuple[str, ...]:
    """Give where a module is: `("questions", "why", "claims")`."""
    return path.relative_to(PACKAGE).with_suffix("").parts


def imports_of(path: Path) -> list[str]:
    """Give what a file imports, inside functions too, as dotted names."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def package_of(place: tuple[str, ...]) -> tuple[str, ...]:
    """Give the package that imports are counted by: the floor, or the question on its floor.

    The front of `questions` is the registry, which every question may read.
    """
    if place[0] != "questions":
        return place[:1]
    is_question = len(place) > 1 and (PACKAGE / "questions" / place[1]).is_dir()
    return place[:2] if is_question else ("registry",)


SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def test_every_module_has_its_place_in_the_layers():
    assert {package_of(place_of(path))[0] for path in SOURCES} == set(RANK)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down_only(path):
    mine = package_of(place_of(path))
    for name in imports_of(path):
        parts = tuple(name.split("."))
        if parts[0] != "funnel" or len(parts) < 2 or parts[1] not in RANK:
            continue
        theirs = package_of(parts[1:])
        assert theirs == mine or RANK[theirs[0]] > RANK[mine[0]], f"{mine} imports {name}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_some_libraries_are_known_in_one_place_only(path):
    here = ".".join(place_of(path))
    for name in imports_of(path):
        for library, home in ONLY_IN.items():
            if name == library or name.startswith(f"{library}."):
                assert here == home or here.startswith(f"{home}."), f"{path.name} imports {name}"


def test_no_modules_import_each_other_in_a_circle():
    """A package's front does not count: it only lists what its modules hold."""
    modules = {".".join(("funnel", *place_of(path))): path for path in SOURCES}
    arrows = {
        name: {
            target
            for each in imports_of(path)
            for target in (each, each.rpartition(".")[0])
            if target in modules and target != name
        }
        for name, path in modules.items()
        if path.name != "__init__.py"
    }
    while leaves := {name for name, targets in arrows.items() if not targets & arrows.keys()}:
        arrows = {name: targets for name, targets in arrows.items() if name not in leaves}
    assert not arrows, sorted(arrows)


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
