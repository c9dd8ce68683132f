"""The docs are true: examples run, the index follows the registry, links and figures are there."""

import doctest
import functools
import re
from pathlib import Path

import pytest

import funnel
from funnel.questions import QUESTIONS

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.glob("*.md")), ROOT / "README.md"]
LOAD = functools.cache(funnel.load)  # the sample once for all pages
TARGETS = re.compile(r"\]\(([^)#]+)\)")
PARTS = (
    "**Question.**", "## Formula", "## Example", "## Assumptions", "## How it was checked",
    "## Sources",
)  # fmt: skip
WITH_EXAMPLES = [path for path in PAGES if ">>>" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: path.stem)
def test_examples_run_and_are_true(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(funnel, "load", LOAD)
    failed, tried = doctest.testfile(str(path), module_relative=False)
    assert tried and not failed


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_links_lead_to_files(path):
    targets = TARGETS.findall(path.read_text(encoding="utf-8"))
    missing = [each for each in targets if ":" not in each and not (path.parent / each).exists()]
    assert not missing


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.md")), ids=lambda path: path.stem)
def test_each_page_has_the_same_parts(path):
    text = path.read_text(encoding="utf-8")
    places = [text.find(part) for part in PARTS]
    assert path.stem == "index" or (-1 not in places and places == sorted(places))


def test_the_index_lists_the_questions_of_the_registry_and_every_page():
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    listed = re.findall(r"\| (.+) \| \[(\w+)\]\(\2\.md\) \| \[(\w+)\]\(.*/\3\.ipynb\) \|", text)
    assert listed == [(each.title, Path(each.docs).stem, each.page) for each in QUESTIONS]
    assert {path.name for path in DOCS.glob("*.md")} <= {*TARGETS.findall(text), "index.md"}


def test_figures_are_small_and_each_is_shown_on_its_page():
    for path in (DOCS / "img").glob("*.png"):
        assert path.stat().st_size < 40_000
        assert f"](img/{path.name})" in (DOCS / f"{path.stem}.md").read_text(encoding="utf-8")
