"""One term per thing, the field's own: no private word in identifiers, docs, notebooks or pages."""

import ast
import io
import itertools
import json
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "funnel"

# Parts of an identifier between underscores, and pairs of them, with what is used instead.
IN_IDENTIFIERS = {
    "way": "path", "ways": "paths", "walked": "path", "gone": "path", "told": "reported",
    "said": "text", "sureness": "uncertainty", "look": "test", "looks": "tests",
    "deviate": "z", "deviates": "z", "judged": "qualified", "judging": "qualification",
    "border": "stage boundary", "borders": "stage boundaries", "pace": "hazard",
    "paces": "hazards", "spell": "interval", "spells": "intervals", "trap": "finding",
    "traps": "findings", "gauge": "measure", "gauges": "measures", "stay": "time in stage",
    "stays": "time in stage", "young": "immature", "handover": "handoff",
    "handovers": "handoffs", "beside": "", "remembered": "cached", "asked": "query",
    "picture": "chart", "pictures": "charts", "law": "sampling distribution",
    "hand_over": "handoff", "set_aside": "rejected", "left_over": "residual",
    "held_against": "compared", "at_size": "out_of_core", "old_enough": "mature",
}  # fmt: skip
MODULE_NAMES = {
    "said",
    "told",
    "given",
    "asked",
    "own",
    "found",
    "kept",
    "look",
    "looks",
    "way",
    "ways",
    "shown",
    "used",
    "meant",
    "moving",
    "ended",
    "opened",
    "judged",
    "judging",
    "usual",
    "young",
    "late",
    "settled",
    "border",
    "borders",
    "bar",
    "bars",
    "pace",
    "paces",
    "spell",
    "spells",
    "trap",
    "traps",
    "gauge",
    "gauges",
    "stay",
    "stays",
}
IN_PROSE = re.compile(
    r"\b(set aside|held against|at size|sureness|how surely|would have shown|by lot|left over|"
    r"taken out|stands? out from chance|cannot be told|not told|told|looked at first|a row a \w+|"
    r"anew|gets? on|commonest|by the name of|goes with|go with|deviates?|all looks|many looks|"
    r"stage borders?|borders?|pictures?|the bar (?:in|moved|was|is)|lowered bar|hand-?overs?|"
    r"in the middle half|put back to be nurtured|old enough|too young|young|"
    r"(?<![\[\"'`])promises?(?![\]\"'`])|traps?|gone)\b",
    re.IGNORECASE,
)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def files(*patterns: str) -> list[Path]:
    found = {path for pattern in patterns for path in ROOT.glob(pattern) if path.is_file()}
    return sorted(found)


def identifiers(source: str) -> set[str]:
    """Names that a module defines: functions, classes, arguments, variables."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Attribute):
            names.add(node.attr)
    return names


def private_words(identifier: str) -> list[str]:
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", identifier).lower().strip("_")
    parts = plain.split("_")
    pairs = ["_".join(pair) for pair in itertools.pairwise(parts)]
    return [part for part in (*parts, *pairs) if part in IN_IDENTIFIERS]


def prose_of(path: Path) -> str:
    """What a person reads in a file: comments and strings of code, cells, or the whole text."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        return "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    if path.suffix == ".py":
        read = tokenize.generate_tokens(io.StringIO(text).readline)
        kinds = {tokenize.STRING, tokenize.COMMENT}
        return "\n".join(token.string for token in read if token.type in kinds)
    return text


@pytest.mark.parametrize("path", files("src/funnel/**/*.py"), ids=name_of)
def test_identifiers_are_words_of_the_field(path):
    names = identifiers(path.read_text(encoding="utf-8"))
    found = {name: words for name in names if (words := private_words(name))}
    assert not found


@pytest.mark.parametrize("path", files("src/funnel/**/*.py"), ids=name_of)
def test_modules_are_named_by_nouns_of_the_field(path):
    assert path.stem not in MODULE_NAMES


@pytest.mark.parametrize(
    "path",
    files(
        "src/funnel/**/*.py", "src/funnel/**/*.sql", "notebooks/*.ipynb", "docs/*.md",
        "benchmarks/*.py", "examples/**/*.md", "examples/**/*.toml", "README.md",
        "CONTRIBUTING.md",
    ),
    ids=name_of,
)  # fmt: skip
def test_prose_is_in_the_words_of_the_field(path):
    found = {match[0].lower() for match in IN_PROSE.finditer(" ".join(prose_of(path).split()))}
    assert not found
