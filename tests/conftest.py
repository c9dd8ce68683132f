"""What every test starts from: its own key for labels of people, and no state of this machine.

Tests of a public set name its folder in `PUBLIC_SET` and ask for `public_set`; where its example
has several mappings, `MAPPING` names the one that is meant.
"""

import json
import re
import shutil
from dataclasses import dataclass
from functools import cached_property
from html import unescape
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from hypothesis import settings

import funnel
from funnel.dataset import Tables
from funnel.dataset.engine import MEMORY
from funnel.dataset.label_key import HASH_KEY
from funnel.dataset.saved import CACHE, HANDED
from funnel.dataset.spark import CHOSEN, MASTER, SHARED
from funnel.dataset.temporary import VARIABLE
from funnel.results import SNAPSHOT_FOLDER

KEY = "8d1f2e3c4b5a69780f1e2d3c4b5a6978"  # as in scripts/golden.py

# The speed of a shared machine is no property of the code.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")


@pytest.fixture(autouse=True, scope="session")
def own_surroundings(tmp_path_factory):
    """Make labels the same everywhere, and keep keys and datasets out of the user's home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(HASH_KEY, KEY)
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.setenv(CACHE, "off")
        for name in (SNAPSHOT_FOLDER, MEMORY, CHOSEN, MASTER, SHARED, HANDED, VARIABLE):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture
def kernels_stubbed(monkeypatch):
    """Start none: whoever uses this says what running a notebook does."""

    class NoKernels:
        def __init__(self, **_):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def close(self):
            pass

    monkeypatch.setattr("funnel.report.kernels.Kernels", NoKernels)


@pytest.fixture
def stub_notebooks(tmp_path, monkeypatch, kernels_stubbed):
    """Two notebooks that run without a kernel; what is given names those that do not end."""
    from funnel.report.notebook_run import Record

    folder = tmp_path / "notebooks"
    folder.mkdir()
    for name in ("readiness", "conversion"):
        nbformat.write(
            nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(f"# {name}?")]),
            folder / f"{name}.ipynb",
        )
    fails = {}

    def run(source, *_, **__):
        if fails.get(source.stem) is KeyboardInterrupt:
            raise KeyboardInterrupt
        read = nbformat.read(source, as_version=4)
        return Record(says=fails.get(source.stem, ""), notebook=read)

    monkeypatch.setattr("funnel.report.notebook_run.run_notebook", run)
    monkeypatch.setattr("funnel.report.notebooks.notebooks_folder", lambda: folder)
    return fails


@pytest.fixture(scope="session")
def chromium():
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
    if found is None:
        pytest.skip("Chromium is not installed: what pages do in a browser is not tested")
    return found


@dataclass
class FirstScreen:
    """What a reader sees before any tap: all its text, and each line by the heading above it."""

    text: str
    lines: dict
    page: str

    @classmethod
    def of(cls, page):
        html = re.search(r'<section id="first">(.*?)</section>', page, re.DOTALL)[1]
        html = re.sub(r"</?(?:b|strong|a)\b[^>]*>", "", html).replace("\u2060", "")
        ended = re.sub(r"</(?:p|li|h\d|t[dhr])>", "\n", html)
        parts = re.split(r"<h2>", ended)
        texts = [unescape(re.sub(r"<[^>]*>", " ", part)) for part in parts]
        rows = [[" ".join(line.split()) for line in text.split("\n")] for text in texts]
        rows = [[line for line in lines if line] for lines in rows]
        return cls(
            text=" ".join(line for lines in rows for line in lines),
            lines={"": rows[0]} | {first: rest for first, *rest in rows[1:]},
            page=page,
        )

    @property
    def sentences(self):
        lines = [line for lines in self.lines.values() for line in lines]
        return [each for line in lines for each in re.split(r"(?<=[.?:]) (?=[A-Z])", line)]


@pytest.fixture(scope="session")
def first_screen_of():
    return FirstScreen.of


ROOT = Path(__file__).resolve().parent.parent
TRAPS = ROOT.parent / "shared" / "cases" / "traps"


@pytest.fixture
def trap_case():
    """A small case with right answers that were worked out by hand, by the start of its name."""

    def load(name):
        path = next(iter(TRAPS.glob(f"{name}-*.json")), None)
        if path is None:
            pytest.skip(f"no case {name} at ../shared/cases/traps")
        return json.loads(path.read_text())

    return load


@pytest.fixture
def trap(trap_case):
    """Tables of such a case, and its right answers."""

    def load(name):
        case = trap_case(name)
        plan = {key: value for key, value in case["plan"].items() if key != "as_of"}
        frames = {name: pd.DataFrame(rows) for name, rows in case["tables"].items()}
        return Tables.of(as_of=case["plan"]["as_of"], plan=plan, **frames), case["expected"]

    return load


@dataclass
class PublicSet:
    """A public set, brought in by the mapping of its example; `facts` are its `facts.json`."""

    source: Path
    folder: Path
    facts: dict

    @cached_property
    def data(self):
        return funnel.load(self.folder)

    def rates_by(self, values, n="sessions", k="converted"):
        """Leads by these values, and those with a deal, in the words of the set's own facts."""
        won = self.data.leads["lead_id"].isin(self.data.deals["lead_id"])
        counted = won.groupby(pd.Series(values).to_numpy()).agg(["size", "sum"])
        return {
            str(name): {n: int(of), k: int(hits), "rate": round(hits / of, 4)}
            for name, (of, hits) in zip(counted.index, counted.to_numpy(), strict=True)
        }


@pytest.fixture(scope="module")
def public_set(request, tmp_path_factory):
    """Import the set that a module of tests names, and lose no row and no cell on the way."""
    from funnel.sources.mapping import convert

    name = request.module.PUBLIC_SET
    source = ROOT.parent / "shared" / "data" / name
    if not source.is_dir():
        pytest.skip(f"no public data at ../{source.relative_to(ROOT.parent)}")
    folder = tmp_path_factory.mktemp(name) / "company"
    mapping = getattr(request.module, "MAPPING", "mapping.toml")
    tables = convert(ROOT / "examples" / name / mapping, source, folder).tables
    assert tables["not_read"].sum() == tables["rows_broken"].sum() == 0
    excluded = tables["rows_excluded"] + tables["rows_not_first"]
    assert (tables["rows_in"] == excluded + tables["rows_out"]).all()
    return PublicSet(source, folder, json.loads((source / "facts.json").read_text()))


@pytest.fixture(scope="module")
def facts(public_set):
    return public_set.facts


@pytest.fixture(scope="module")
def data(public_set):
    return public_set.data


class SmallCompany:
    """Three leads of two accounts, five deals, five touches; called, they become tables."""

    leads = pd.DataFrame(
        {
            "lead_id": ["L1", "L2", "L3"],
            "account_id": ["A", "A", None],
            "created_at": ["2026-01-01", "2026-01-05", "2026-02-01"],
            "channel": ["web", "email", None],
        }
    )
    deals = pd.DataFrame(
        {
            "deal_id": ["D1", "D2", "D3", "D4", "D5"],
            "lead_id": ["L2", "L3", None, None, "L1"],
            "account_id": [None, None, "A", None, None],
            "created_at": ["2026-02-01"] * 5,
            "closed_at": ["2026-03-01", "2026-03-31T23:00:00Z", "2026-04-01", "2026-05-01", None],
            "outcome": ["won", "won", "won", "won", "open"],
            "amount": [100.0, 200.0, 300.0, None, 50.0],
        }
    )
    touches = pd.DataFrame(
        {
            "touch_id": ["T1", "T2", "T3", "T4", "T5"],
            "lead_id": ["L1", "L2", "L2", "L3", None],
            "account_id": ["A", None, None, None, "A"],
            "occurred_at": ["2026-01-01", "2026-01-01", "2026-02-02", "2026-05-01", "2026-03-15"],
            "channel": ["web", "social", "email", "web", "demo"],
        }
    )

    def __call__(self, plan=None, **frames):
        """Put other frames in their place; None leaves one out."""
        given = {"leads": self.leads, "deals": self.deals, "touches": self.touches} | frames
        kept = {name: frame for name, frame in given.items() if frame is not None}
        return Tables.of(as_of="2026-06-30", plan=plan, **kept)


@pytest.fixture
def tables():
    return SmallCompany()
