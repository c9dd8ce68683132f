"""Snapshots: whole or not at all, honest about what failed, the same twice, harmless in a browser.

Run on small notebooks of the tests' own, through real kernels.
"""

import base64
import errno
import gc
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from PIL import Image

from funnel.contract import outgoing_text
from funnel.contract.errors import ParameterError, PlanError, SnapshotError, TableError
from funnel.dataset import temporary
from funnel.report import error_text, publishing, rendering
from funnel.report.comparison import differences
from funnel.report.error_text import discreet, error_paragraph, plain
from funnel.report.kernels import Kernels
from funnel.report.listing import write_listing
from funnel.report.manifest import verify
from funnel.report.notebook_run import Record
from funnel.report.notebooks import notebooks_named
from funnel.report.progress import Bar, Lines, Silent
from funnel.report.snapshot import make_snapshot

PARAMETERS = """data_dir: str = "../data/sample"  # one company's folder
as_of: str = ""  # last day the data speaks for
level: float | None = None  # as the plan says"""
LOAD = """from funnel.dataset import load
from funnel.contract.plan import overrides
data = load(data_dir, as_of=as_of, plan=overrides(globals()))
print("reads no export:", data.saved_in is not None)"""
PASSES = [
    "# What do the tables hold?\nFor both teams.",
    PARAMETERS,
    LOAD,
    "## Answer",
    "data.counts",
    "## Evidence",
    "ax = data.leads.groupby('channel').size().plot.bar()\n"
    "ax.figure.set_label('email brought 2 of 3 leads')\nax",
    "print('level', data.plan.level)",
    "import sys; print('a warning of /home/someone/x/y.py', file=sys.stderr)",
    """import dataclasses
from funnel.results import Result, save
class Counted(Result):
    headline = "2 tables."
save(counted=Counted(table=data.counts[["table", "rows_in"]], as_of=data.as_of))""",
]
STOPS = [
    "# Which channels?",
    PARAMETERS,
    "print('before')",
    "import funnel\n"
    "raise funnel.TableError('deals: 3 of 9 rows have no `amount`.\\nAsk Sales Ops.')",
    "print('after')",
]
BREAKS = [
    "# What broke?",
    PARAMETERS,
    "raise RuntimeError('no a.smith@example.com (+49 30 1234567) in /home/smith/leads.csv')",
]
DIES = ["# What died?", PARAMETERS, "import os; os._exit(3)", "print('after')"]
PAYLOADS = [
    "<script>document.title = 'hit'</script>",
    "<img src=x onerror=\"document.title='hit'\">",
    "<svg onload=\"document.title='hit'\"><script>document.title='hit'</script></svg>",
    "<a href=\"javascript:document.title='hit'\" id=click>click</a>",
    "<style>@import url(http://127.0.0.1:9/x.css); body {display: none}</style>",
    '<p style="background: url(http://127.0.0.1:9/x)">styled</p>',
    "<iframe srcdoc=\"<script>parent.document.title='hit'</script>\"></iframe>",
    "<form action=http://127.0.0.1:9/><button autofocus onfocus=\"document.title='hit'\"></form>",
    "<math><mtext><img src=x onerror=\"document.title='hit'\"></mtext></math>",
    "<details open ontoggle=\"document.title='hit'\"><summary>s</summary></details>",
    "<base href=http://127.0.0.1:9/><link rel=stylesheet href=x.css>",
    "<noscript><p title=\"</noscript><img src=x onerror=document.title='hit'>\">",
    "</main></body></html><script>document.title='hit'</script>",
    '<meta http-equiv=refresh content="0;url=http://127.0.0.1:9/">',
]
HOSTILE = [
    "# What is hostile? <script>document.title = 'hit'</script>\n"
    "<img src=x onerror=\"document.title='hit'\"> [link](javascript:document.title='hit')",
    PARAMETERS,
    f"payloads = {PAYLOADS!r}",
    "from IPython.display import HTML, Markdown, SVG, Javascript, display\n"
    "display(*map(HTML, payloads), *map(Markdown, payloads))\n"
    "print(*payloads); display(Javascript(\"document.title = 'hit'\"))\n"
    "display({'image/svg+xml': payloads[2], 'text/plain': payloads[0]}, raw=True)\n"
    "payloads[0]",
]


def notebook(*sources):
    """Make a notebook: what begins with # is Markdown."""
    made = nbformat.v4.new_notebook()
    for source in sources:
        if source.startswith("#"):
            made.cells.append(nbformat.v4.new_markdown_cell(source))
        else:
            made.cells.append(nbformat.v4.new_code_cell(source))
        if source == PARAMETERS:
            made.cells[-1].metadata["tags"] = ["parameters"]
    return made


def folder_of(path, **notebooks):
    path.mkdir()
    for name, sources in notebooks.items():
        nbformat.write(notebook(*sources), path / f"{name}.ipynb")
    return path


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "acme"
    folder.mkdir()
    folder.joinpath("funnel.toml").write_text('[company]\nname = "<Acme>"\n')
    lines = ["lead_id,created_at,channel,email"]
    lines += [
        f"L-{i},2026-{1 + i // 28:02}-{1 + i % 28:02}T10:00:00Z,"
        f"{'web' if i % 3 else 'email'},person{i}@canary.example"
        for i in range(150)
    ]
    lines += ["L-1,2026-01-01T10:00:00Z,web,twice@canary.example"]
    folder.joinpath("leads.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return folder_of(tmp_path_factory.mktemp("tiny") / "notebooks", conversion=["# T", PARAMETERS])


@pytest.fixture
def quick(monkeypatch, kernels_stubbed):
    """Let notebooks pass without a kernel, for tests of what happens around them."""

    def run(source, target, *_, **__):
        read = nbformat.read(source, as_version=4)
        code = [i for i, cell in enumerate(read.cells) if cell.cell_type == "code"]
        return Record(n_cells=len(code), ran=code, notebook=read)

    monkeypatch.setattr("funnel.report.notebook_run.run_notebook", run)


@pytest.fixture(scope="module")
def made(tmp_path_factory, company):
    """Make the snapshot most tests look at: one notebook passes, the others all go wrong."""
    out = tmp_path_factory.mktemp("out") / "reports"
    notebooks = folder_of(
        tmp_path_factory.mktemp("in") / "notebooks",
        readiness=PASSES,
        attribution=STOPS,
        seasonality=BREAKS,
        conversion=DIES,
        zebra=HOSTILE,
    )
    said = io.StringIO()
    snapshot = make_snapshot(
        company,
        out=out,
        notebooks_dir=notebooks,
        overrides={"level": 0.8},
        progress=Lines(said),
    )
    return snapshot, said.getvalue(), notebooks


def page(made, name):
    return (made[0].path / f"{name}.html").read_text(encoding="utf-8")


def manifest(path):
    return json.loads((path / "manifest.json").read_text())


# --- what is told of each notebook ------------------------------------------------------


def test_each_notebook_is_what_it_did(made):
    states = {run.name: (run.state, run.n_ran, run.n_cells) for run in made[0].runs}
    # Papermill's cell of parameters counts as one.
    assert states == {
        "readiness": ("ok", 8, 8),
        "attribution": ("failed", 3, 5),
        "seasonality": ("failed", 2, 3),
        "conversion": ("failed", 2, 4),
        "zebra": ("ok", 4, 4),
    }
    assert not made[0].ok
    assert [run["state"] for run in manifest(made[0].path)["notebooks"]] == [
        "ok",
        "failed",
        "failed",
        "failed",
        "ok",
    ]


def test_notebooks_read_no_export(made):
    assert "reads no export: True" in page(made, "readiness")


def test_notebooks_are_told_of_in_reading_order(made):
    assert [run.name for run in made[0].runs][:3] == ["readiness", "attribution", "seasonality"]


def test_our_own_error_is_a_paragraph_on_its_page(made):
    text = page(made, "attribution")
    assert "deals: 3 of 9 rows have no `amount`. Ask Sales Ops." in text
    assert "Traceback" not in text
    assert ">failed<" in text
    assert "before" in text
    assert "This step was not run." in text


@pytest.mark.parametrize("ending", ["html", "ipynb"])
def test_a_foreign_error_tells_neither_people_nor_folders(made, ending):
    text = (made[0].path / f"seasonality.{ending}").read_text()
    told = text.replace(BREAKS[-1], "").replace(json.dumps(BREAKS[-1])[1:-1], "")
    assert "An unforeseen error: RuntimeError" in told
    outputs = re.sub(r"(?s)<details.*?</details>|\"source\":.*?(\]|\")", "", told)
    assert "smith" not in outputs
    assert "1234567" not in outputs


def test_a_kernel_that_dies_is_told_and_papermill_is_not_believed(made):
    text = page(made, "conversion")
    assert "process that computed it ended by itself at this step, with exit status 3." in text
    assert "memory" not in text
    executed = nbformat.read(made[0].path / "conversion.ipynb", as_version=4)
    assert not any("papermill" in cell.metadata for cell in executed.cells)


@pytest.mark.parametrize("fork", [None, False])
def test_a_kernel_that_is_killed_names_the_signal(company, tmp_path, fork):
    notebooks = folder_of(
        tmp_path / "n",
        conversion=["# C", PARAMETERS, "import os; os.kill(os.getpid(), 9)"],
        readiness=["# R", PARAMETERS, "import os; os.kill(os.getpid(), 11)"],
    )
    made = make_snapshot(company, out=tmp_path / "out", notebooks_dir=notebooks, fork=fork)
    says = {run.name: run.says for run in made.runs}
    assert "killed at this step (signal 9), most often for lack of memory" in says["conversion"]
    assert says["readiness"].endswith("was ended at this step by signal 11.")


def test_progress_is_one_line_at_each_end(made):
    lines = made[1].splitlines()
    assert "readiness: started" in lines
    assert sum(bool(re.fullmatch(r"attribution: failed after \d+\.\d s", x)) for x in lines) == 1
    assert len(lines) == 10


# --- what a snapshot holds ---------------------------------------------------------------


def test_a_snapshot_holds_what_the_contract_says(made, company):
    path = made[0].path
    assert path.name == "2026-06-10"
    assert {"index.html", "readiness.html", "readiness.ipynb", "results", "rows"} < {
        one.name for one in path.iterdir()
    }
    assert (path / "results" / "counted.csv").read_text() == "table,rows_in\nleads,151\n"
    assert json.loads((path / "results" / "counted.json").read_text())["level"] == 0.9
    rejects = (path / "rejects" / "leads.csv").read_text()
    assert "there is twice" in rejects or "twice" in rejects
    assert os.fspath((path.parent / "latest").readlink()) == path.name
    listing = (path.parent / "index.html").read_text()
    assert 'href="2026-06-10/index.html"' in listing
    assert "3 of 5 notebooks stopped" in listing
    assert "&lt;Acme&gt;" in listing


def test_the_manifest_says_what_went_in(made, company):
    import hashlib

    facts = manifest(made[0].path)
    (table,) = facts["data"]["tables"]
    assert (table["rows_in"], table["rows_used"], table["rows_rejected"]) == (151, 150, 1)
    leads = (company / "leads.csv").read_bytes()
    assert facts["data"]["files"][0]["sha256"] == hashlib.sha256(leads).hexdigest()
    assert facts["plan"]["level"] == 0.8
    assert facts["parameters"] == {"data_dir": "acme", "as_of": "2026-06-10", "level": 0.8}
    assert {"funnel", "pandas", "papermill"} <= set(facts["packages"])
    assert facts["seconds"]["total"] >= facts["seconds"]["notebooks"] > 0


def test_parameters_reach_the_notebook(made):
    assert "level 0.8" in page(made, "readiness")


def test_nothing_tells_of_the_machine_or_of_people(made, company):
    for path in made[0].path.rglob("*"):
        if path.is_file():
            text = path.read_bytes()
            assert str(company.parent).encode() not in text, path
            assert str(made[2].parent).encode() not in text, path
            assert b"canary.example" not in text, path
            assert b"/home/someone" not in text or path.stem == "readiness", path
    assert "a warning of" not in re.sub(r"(?s)<details.*?</details>", "", page(made, "readiness"))


def test_a_figure_is_dense_small_and_said_in_words(made):
    found = re.search(
        r'src="data:image/png;base64,([^"]+)" alt="([^"]+)" width="(\d+)"', page(made, "readiness")
    )
    image = Image.open(io.BytesIO(base64.b64decode(found[1])))
    assert found[2] == "email brought 2 of 3 leads"
    assert image.width // 2 == int(found[3])
    assert image.mode == "P"
    assert "&lt;Axes" not in page(made, "readiness")


def test_tables_scroll_in_a_box_with_numbers_to_the_right(made):
    text = page(made, "readiness")
    assert re.search(r'<div class="wide(?: stacked)?" tabindex="0"><table>', text)
    assert re.search(r'<td class="number"[^>]*>151</td>', text)
    assert text.count("<table>") == text.count("</table></div>")


def test_code_is_there_and_folded(made):
    text = page(made, "readiness")
    inside = "".join(re.findall(r"(?s)<details.*?</details>", text))
    assert "data.leads.groupby" in inside
    assert "data.leads.groupby" not in re.sub(r"(?s)<details.*?</details>", "", text)


def test_the_same_twice_gives_the_same_bytes(made, company, tmp_path):
    again = make_snapshot(
        company,
        out=tmp_path / "elsewhere" / "reports",
        notebooks=["readiness", "zebra"],
        notebooks_dir=made[2],
        overrides={"level": 0.8},
    )
    for name in ("readiness.html", "zebra.html", "readiness.ipynb", "results/counted.csv"):
        assert (again.path / name).read_bytes() == (made[0].path / name).read_bytes(), name


# --- hostile text ------------------------------------------------------------------------


class Risks(HTMLParser):
    """What in a page could act, or ask for something."""

    harmless = frozenset(
        (
            *("html", "head", "meta", "title", "style", "body", "nav", "main", "footer"),
            *("a", "h1", "h2", "h3", "h4", "p", "div", "span", "pre", "code", "strong", "em", "br"),
            *("figure", "figcaption", "img", "details", "summary", "ul", "ol", "li"),
            *("table", "thead", "tbody", "tr", "th", "td"),
        )
    )

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag not in self.harmless:
            self.found.append(tag)
        for name, value in attributes:
            if name.startswith("on") or name in ("style", "srcdoc", "action", "id"):
                self.found.append(f"{tag} {name}")
            if name == "http-equiv" and value != "Content-Security-Policy":
                self.found.append(f"{tag} {value}")
            if name == "src" and not value.startswith("data:image/png;base64,"):
                self.found.append(f"{tag} {value}")
            if name == "href" and not re.fullmatch(
                r"[a-z]+\.(html|ipynb|json)|#[a-z-]+", value or ""
            ):
                self.found.append(f"{tag} {value}")


def test_nothing_hostile_is_left_on_a_page(made):
    text = page(made, "zebra")
    assert Risks(text).found == []
    assert text.count("<main>") == text.count("</html>") == 1
    assert "styled" in text  # what is harmless of it stays


@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_sanitiser_alone_leaves_nothing(payload):
    assert Risks(rendering.harmless(payload)).found == []
    assert Risks(rendering.markdown(payload)).found == []


def test_the_sanitiser_keeps_what_pages_need():
    kept = '<div class="box"><p><strong>a</strong> <a href="https://example.org">b</a></p></div>'
    assert rendering.harmless(kept).replace(' rel="noopener noreferrer"', "") == kept


def test_a_page_shows_a_caveat_once():
    caveat = '<p class="caveat">Two deals carry no amount.</p>\n'
    body = f"{caveat}<p>a</p>\n{caveat}<p>b</p>\n"
    assert rendering._without_repeats(body) == f"{caveat}<p>a</p>\n<p>b</p>\n"


@pytest.mark.browser
def test_a_browser_runs_and_asks_for_nothing(made, tmp_path):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("Chromium is not installed: hostile text is not tried in a browser")
    text = page(made, "zebra")
    (tmp_path / "zebra.html").write_text(text, encoding="utf-8")
    log = tmp_path / "net.json"
    told = subprocess.run(
        [
            *(chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--log-net-log={log}"),
            *("--virtual-time-budget=2000", "--dump-dom", (tmp_path / "zebra.html").as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    ).stdout
    assert "<title>hit</title>" not in told
    assert "<title>What is hostile?" in told
    assert "127.0.0.1:9" not in log.read_text(errors="replace")


# --- what is refused before a kernel starts ----------------------------------------------


@pytest.fixture
def no_kernels(monkeypatch):
    def start(*_, **__):
        raise AssertionError("a kernel was started")

    monkeypatch.setattr("funnel.report.kernels.Kernels.__init__", start)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"as_of": "30.6.2026"}, ParameterError, "2026-06-30"),
        ({"notebooks": ["conversoin"]}, ParameterError, "there are conversion"),
        ({"overrides": {"level": "0.8"}}, PlanError, "`level` is '0.8'"),
        ({"overrides": {"level": True}}, PlanError, "`level` is True"),
        ({"overrides": {"levle": 0.8}}, PlanError, "did you mean `level`"),
        ({"overrides": {"x = 1\nimport os": 1}}, PlanError, "has no key"),
        ({"jobs": 0}, ParameterError, "jobs is 0"),
    ],
)
def test_wrong_parameters_stop_before_anything(
    options, error, says, no_kernels, company, tiny, tmp_path
):
    with pytest.raises(error, match=re.escape(says)):
        make_snapshot(company, out=tmp_path / "out", notebooks_dir=tiny, **options)
    assert not (tmp_path / "out").exists()


def test_a_broken_notebook_stops_before_anything(no_kernels, company, tmp_path):
    (tmp_path / "why.ipynb").write_text('{"cells": [')
    with pytest.raises(ParameterError, match=r"why\.ipynb cannot be read"):
        make_snapshot(company, out=tmp_path / "out", notebooks_dir=tmp_path)


def test_an_output_folder_that_cannot_be_written_stops_before_anything(
    no_kernels, company, tiny, tmp_path
):
    (tmp_path / "file").write_text("")
    with pytest.raises(SnapshotError, match="No snapshot can be written to the folder"):
        make_snapshot(company, out=tmp_path / "file" / "out", notebooks_dir=tiny)


def test_a_latest_that_is_no_link_stops_before_anything(no_kernels, company, tiny, tmp_path):
    (tmp_path / "latest").mkdir()
    with pytest.raises(SnapshotError, match="/latest is a folder or a file of its own"):
        make_snapshot(company, out=tmp_path, notebooks_dir=tiny)
    assert [path.name for path in tmp_path.iterdir()] == ["latest"]


def test_data_that_cannot_be_loaded_publishes_nothing(tiny, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(TableError):
        make_snapshot(tmp_path / "empty", out=tmp_path / "out", notebooks_dir=tiny)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".lock"]


def test_a_period_that_has_not_begun_publishes_nothing(company, tiny, tmp_path):
    with pytest.raises(PlanError, match="period 2031Q1 begins on 2031-01-01, after"):
        make_snapshot(
            company, out=tmp_path / "out", notebooks_dir=tiny, overrides={"period": "2031Q1"}
        )
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".lock"]


def test_names_choose_notebooks_in_reading_order(tmp_path):
    folder = folder_of(tmp_path / "n", seasonality=["# S"], readiness=["# R"], own=["# O"])
    names = [path.stem for path in notebooks_named(folder=folder)]
    assert names == ["readiness", "seasonality", "own"]
    assert [path.stem for path in notebooks_named(["own", "readiness"], folder)] == [
        "readiness",
        "own",
    ]


# --- published whole, or not at all ------------------------------------------------------


def test_what_was_published_is_replaced_only_on_request(quick, company, tiny, tmp_path):
    options = {"out": tmp_path, "notebooks_dir": tiny, "as_of": "2026-02-01"}
    first = make_snapshot(company, **options)
    before = manifest(first.path)
    with pytest.raises(SnapshotError, match="--replace"):
        make_snapshot(company, **options)
    assert manifest(first.path) == before
    make_snapshot(company, **options, replace=True)
    assert manifest(first.path)["seconds"] != before["seconds"]
    make_snapshot(company, out=tmp_path, notebooks_dir=tiny, as_of="2026-01-31")
    assert os.fspath((tmp_path / "latest").readlink()) == "2026-02-01"
    order = re.findall(r'href="(\S+)/index\.html"', (tmp_path / "index.html").read_text())
    assert order == ["2026-02-01", "2026-01-31"]
    assert {path.name for path in tmp_path.iterdir()} == {
        *(".lock", "2026-01-31", "2026-02-01", "index.html", "latest")
    }


@pytest.mark.parametrize("swaps", [True, False])
def test_a_full_disk_says_truly_whether_the_snapshot_stands(
    quick, company, tiny, tmp_path, monkeypatch, swaps
):
    monkeypatch.setattr("funnel.report.snapshot.write_brief", lambda *_: "")
    options = {"out": tmp_path, "notebooks_dir": tiny, "as_of": "2026-02-01", "replace": True}
    final = make_snapshot(company, **options).path
    left = None  # calls before the disk is full; None while the pages are still being written
    publish = publishing.publish

    def filling(function):
        def call(*arguments, **others):
            nonlocal left
            if left is not None:
                left -= 1
                if left == 0:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return function(*arguments, **others)

        return call

    def publish_on_a_full_disk(*folders):
        nonlocal left
        left = step
        publish(*folders)

    for name in ("rename", "replace", "symlink_to", "write_text"):
        monkeypatch.setattr(Path, name, filling(getattr(Path, name)))
    monkeypatch.setattr(publishing, "_flush_one", filling(publishing._flush_one))
    monkeypatch.setattr(publishing, "publish", publish_on_a_full_disk)
    if not swaps:
        monkeypatch.setattr(publishing, "_exchanged", lambda *_: False)
    stood = []
    for step in range(1, 100):  # noqa: B007 - read by the stub
        before = final.stat().st_ino
        try:
            make_snapshot(company, **options)
            break
        except SnapshotError as error:
            stands = "The snapshot is published as" in str(error)
            assert stands != ("Nothing was published" in str(error))
            assert "No space left" in str(error)
        left = None
        stood.append(stands)
        assert stands == (final.stat().st_ino != before)
        assert verify(final) == []
        assert {path.name for path in tmp_path.iterdir()} == {
            *(".lock", "2026-02-01", "index.html", "latest")
        }
        assert (tmp_path / "latest" / "manifest.json").exists()
    assert stood == sorted(stood)
    assert stood.count(True) >= 5
    assert stood.count(False) >= 5


@pytest.mark.parametrize("swaps", [True, False])
def test_a_reader_never_sees_half_of_a_replacement(tmp_path, monkeypatch, swaps):
    if not swaps:
        monkeypatch.setattr(publishing, "_exchanged", lambda *_: False)
    final = tmp_path / "2026-06-30"
    seen, done = set(), threading.Event()

    def read():
        while not done.is_set():
            try:
                seen.add((final / "a").read_text() + (final / "b").read_text())
            except FileNotFoundError:
                seen.add("missing")

    def staged(text):
        staging = publishing.staging_folder(tmp_path)
        for name in "ab":
            (staging / name).write_text(text)
        return staging

    publishing.publish(staged("0"), final)
    reader = threading.Thread(target=read)
    reader.start()
    for i in range(1, 60):
        publishing.publish(staged(str(i % 10)), final)
    done.set()
    reader.join()
    # Two files are two reads, so a reader may see an older one beside a newer one; never a part.
    assert all(len(both) == 2 for both in seen - {"missing"})
    assert not swaps or "missing" not in seen or not _exchange_is_there(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["2026-06-30"]


def _exchange_is_there(folder):
    (folder / "x").mkdir()
    (folder / "y").mkdir()
    there = publishing._exchanged(folder / "x", folder / "y")
    (folder / "x").rmdir()
    (folder / "y").rmdir()
    return there


SLOW = [
    "# S",
    PARAMETERS,
    "import os, pathlib, subprocess\n"
    "child = subprocess.Popen(['sleep', '86400'])\n"
    "pathlib.Path(os.environ['PIDS']).write_text(f'{os.getpid()} {os.getppid()} {child.pid}')",
    "import time; time.sleep(86_400)",
]
RUN = """import pathlib, sys
from funnel.cli import main
from funnel.report import notebooks
notebooks.notebooks_folder = lambda: pathlib.Path(sys.argv[3])
raise SystemExit(main(["report", sys.argv[1], "--out", sys.argv[2], "--replace"]))
"""


def is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_until(condition, run=None):
    """Wait however busy the machine is; fail only where `run` ends without it, or after an hour."""
    for _ in range(72_000):
        if condition():
            return
        assert run is None or run.poll() is None or condition(), run.stderr.read()
        time.sleep(0.05)
    raise AssertionError("It did not happen.")


@pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")
@pytest.mark.parametrize(
    ("how", "status"), [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_run_that_is_killed_leaves_nothing_visible_and_nobody_behind(
    quick, how, status, company, tiny, tmp_path, monkeypatch
):
    out, pids, temp = tmp_path / "out", tmp_path / "pids", tmp_path / "temp"
    temp.mkdir()
    before = make_snapshot(company, out=out, notebooks_dir=tiny) if how == signal.SIGKILL else None
    slow = folder_of(tmp_path / "slow", conversion=SLOW)
    run = subprocess.Popen(
        [sys.executable, "-c", RUN, str(company), str(out), str(slow)],
        env=os.environ | {"PIDS": str(pids), "TMPDIR": str(temp)},
        stderr=subprocess.PIPE,
    )
    wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 3, run)
    run.send_signal(how)
    printed = run.communicate()[1].decode()
    assert run.returncode == status
    assert "Traceback" not in printed
    if how != signal.SIGKILL:
        assert printed.endswith("funnel: Stopped on request. Nothing was published.\n")
        assert list(temp.iterdir()) == []
    # The kernel, the process it was forked from, and what the kernel started itself: none of them
    # ends by itself within the hour that this waits.
    begun = [int(pid) for pid in pids.read_text().split()]
    try:
        wait_until(lambda: not any(map(is_alive, begun)))
    finally:
        for pid in filter(is_alive, begun):
            os.kill(pid, signal.SIGKILL)
    monkeypatch.setattr(tempfile, "tempdir", str(temp))
    temporary.sweep()  # as the next process does
    assert list(temp.iterdir()) == []
    visible = {path.name for path in out.iterdir() if not path.name.startswith(".")}
    if before is None:
        assert not visible
        assert [path.name for path in out.iterdir()] == [".lock"]
    else:
        assert visible == {"2026-06-10", "index.html", "latest"}
        assert verify(before.path) == []
        make_snapshot(company, out=out, notebooks_dir=tiny, replace=True)
        assert not list(out.glob(".staging*"))


def test_two_runs_into_one_folder_wait_for_each_other(quick, company, tiny, tmp_path):
    said, made, waits = [], [], threading.Event()

    class Listening(Silent):
        def say(self, text):
            said.append(text)
            waits.set()

        def begin(self, names, n_cells):
            # so that the other one comes while this one holds the folder, however busy the machine;
            # the limit ends a test in which neither waits
            waits.wait(600)

    def run(day):
        made.append(
            make_snapshot(
                company, out=tmp_path, notebooks_dir=tiny, as_of=day, progress=Listening()
            )
        )

    threads = [threading.Thread(target=run, args=(f"2026-02-0{i}",)) for i in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 2
    assert all(snapshot.ok is made[0].ok and verify(snapshot.path) == [] for snapshot in made)
    assert any("waiting" in text for text in said)
    assert os.fspath((tmp_path / "latest").readlink()) == "2026-02-02"


# --- kernels -----------------------------------------------------------------------------


def test_ordinary_kernels_do_where_none_can_be_forked(company, tmp_path):
    notebooks = folder_of(tmp_path / "n", readiness=[*PASSES[:2], *PASSES[2:8]])
    made = make_snapshot(company, out=tmp_path / "out", notebooks_dir=notebooks, fork=False)
    assert [run.state for run in made.runs] == ["ok"]
    assert 'alt="email brought 2 of 3 leads"' in (made.path / "readiness.html").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")
def test_forked_kernels_are_kept_apart_and_stopped_where_they_take_too_long(company, tmp_path):
    notebooks = folder_of(
        tmp_path / "n",
        readiness=[
            "# R",
            PARAMETERS,
            "import os\n"
            "print('own group', os.getpgid(0) == os.getpid())\n"
            "print('threads', os.listdir(f'/proc/{os.getppid()}/task') == [str(os.getppid())])",
        ],
        conversion=["# C", PARAMETERS, "import time; time.sleep(86_400)"],
    )
    made = make_snapshot(company, out=tmp_path / "out", notebooks_dir=notebooks, cell_seconds=15.0)
    assert [run.state for run in made.runs] == ["ok", "failed"]
    assert "more than 15 seconds" in made.runs[1].says
    text = (made.path / "readiness.html").read_text()
    assert "own group True" in text
    assert "threads True" in text  # a process with more than one must not be forked


def test_a_temporary_folder_with_a_long_path_is_no_obstacle(company, tiny, tmp_path, monkeypatch):
    far = tmp_path / ("long" * 20)
    far.mkdir()
    monkeypatch.setattr("funnel.report.kernels.new_folder", lambda name: far)
    made = make_snapshot(company, out=tmp_path / "out", notebooks_dir=tiny)
    assert [run.state for run in made.runs] == ["ok"]


@pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")
def test_a_kernel_that_dies_at_its_start_holds_nothing_open(monkeypatch, company, tiny, tmp_path):
    ask, contexts = Kernels.ask, []

    def kills(self, **request):
        answer = ask(self, **request)
        if "start" in request:
            os.kill(answer["pid"], signal.SIGKILL)
        return answer

    manager = Kernels.manager
    monkeypatch.setattr(Kernels, "ask", kills)
    monkeypatch.setattr(
        Kernels, "manager", lambda self: contexts.append(manager(self)) or contexts[-1]
    )
    made = make_snapshot(company, out=tmp_path / "out", notebooks_dir=tiny)
    assert [run.state for run in made.runs] == ["not run"]
    assert [each.context.closed for each in contexts] == [True]
    gc.collect()  # with a socket left open this would wait for ever


def test_a_process_that_hands_out_kernels_can_end_at_any_time():
    kernels = Kernels()
    kernels.close()
    assert kernels.ask(poll=1) == {}
    kernels.close()


# --- verify, diff, words, progress -------------------------------------------------------


def test_verify_finds_what_was_changed_added_and_removed(quick, company, tiny, tmp_path):
    path = make_snapshot(company, out=tmp_path, notebooks_dir=tiny).path
    assert verify(path) == []
    assert verify(tmp_path / "latest") == []
    (path / "conversion.html").write_text("other")
    (path / "conversion.ipynb").unlink()
    (path / "new.txt").write_text("new")
    assert verify(path) == [
        "conversion.ipynb is missing",
        "new.txt was added",
        "conversion.html was changed",
    ]
    with pytest.raises(SnapshotError, match="no snapshot"):
        verify(tmp_path)


def test_differences_name_what_two_snapshots_say_differently(quick, made, company, tiny, tmp_path):
    other = make_snapshot(company, out=tmp_path, notebooks_dir=tiny, as_of="2026-02-01").path
    lines = differences(made[0].path, other)
    assert lines[:3] == ["as of", "  - 2026-06-10", "  + 2026-02-01"]
    at = lines.index("result counted")
    assert lines[at + 1 : at + 3] == ["  - 2 tables.", "  + not there"]
    assert differences(other, other) == []


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("answer", "answer"),
        ("period", "period"),
        ("baseline", "baseline"),
        ("bridge", "bridge, lead volume"),
    ],
)
def test_differences_compare_each_statement_of_the_first_page(made, tmp_path, key, line):
    folder = tmp_path / "other"
    shutil.copytree(made[0].path, folder)
    brief = {
        "answer": "Bookings fell.",
        "period": {"start": "2026-04-01", "end": "2026-06-10", "value": 10.0},
        "baseline": {"start": "2026-01-01", "end": "2026-03-12", "value": 20.0},
        "bridge": [{"driver": "lead volume", "segment": None, "contribution": -10.0}],
    }
    changed = brief | {key: {"answer": "Bookings rose.", "bridge": []}.get(key, {"value": 1.0})}
    (folder / "brief.json").write_text(json.dumps(brief))
    same = tmp_path / "same"
    shutil.copytree(folder, same)
    (folder / "brief.json").write_text(json.dumps(changed))
    assert differences(same, same) == []
    assert differences(same, folder)[::3] == [line]


@pytest.mark.parametrize("key", ["contribution", "low", "high", "verdict"])
def test_differences_compare_each_figure_of_a_driver(made, tmp_path, key):
    row = {"driver": "mix", "segment": None, "contribution": -10.0, "low": -12.0, "high": -8.0}
    row["verdict"] = "moved"
    for name, other in (("old", {}), ("new", {key: "other"})):
        shutil.copytree(made[0].path, tmp_path / name)
        (tmp_path / name / "brief.json").write_text(json.dumps({"bridge": [row | other]}))
    assert differences(tmp_path / "old", tmp_path / "new")[::3] == ["bridge, mix"]


def test_the_list_of_snapshots_survives_one_that_is_odd(tmp_path):
    for name in ("2026-06-30", "2026-03-31", "notes"):
        (tmp_path / name).mkdir()
    (tmp_path / "2026-03-31" / "manifest.json").write_text("{")
    write_listing(tmp_path)
    text = (tmp_path / "index.html").read_text()
    assert text.index("Jun 30, 2026") < text.index("Mar 31, 2026")
    assert "notes" not in text


def test_an_error_of_our_own_stands_as_it_is_and_others_lose_what_is_private():
    assert error_paragraph("TableError", "3 of 9 rows.\nAsk.") == "3 of 9 rows. Ask."
    assert error_paragraph("OSError", "x\nno /srv/acme/leads.csv") == (
        "An unforeseen error: OSError: no leads.csv"
    )
    assert error_paragraph("KeyError", "") == "An unforeseen error: KeyError"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a\u202eb\x07c\x1b[1md", "abcd"),
        ("<Axes: > at 0x7f0c", "<Axes: >"),
        ("2026-06-30 12:00:00 1,204.50 / 3", "2026-06-30 12:00:00 1,204.50 / 3"),
    ],
)
def test_plain_text_keeps_what_is_meant(text, left):
    assert plain(text) == left
    assert discreet(left) == left


class Counting:
    """A pattern that counts the characters it is given."""

    def __init__(self, pattern):
        self.pattern, self.n_given = pattern, 0

    def sub(self, new, text):
        self.n_given += len(text)
        return self.pattern.sub(new, text)


@pytest.mark.parametrize(
    "text", ["x" * 5_000_000, "a.smith@example.com " * 250_000, "/a/b/c d\n" * 550_000]
)
def test_printed_text_is_cut_before_it_is_searched(text, monkeypatch):
    searched = [(outgoing_text, "_MAIL"), (outgoing_text, "_WRITTEN_PHONE")]
    searched += [(error_text, "_PATH"), (error_text, "_PHONE")]
    patterns = [Counting(getattr(module, name)) for module, name in searched]
    for (module, name), pattern in zip(searched, patterns, strict=True):
        monkeypatch.setattr(module, name, pattern)
    pieces = [text[at : at + 4_096] for at in range(0, len(text), 4_096)]
    made = notebook("# T", "print()")
    made.cells[1].outputs = [
        *(nbformat.v4.new_output("stream", name="stdout", text=piece) for piece in pieces),
        nbformat.v4.new_output("error", ename="RuntimeError", evalue=text, traceback=[text]),
        nbformat.v4.new_output("error", ename="TableError", evalue=text, traceback=[text]),
        nbformat.v4.new_output("display_data", data={"text/plain": text}),
    ]
    printed, error, own, shown = rendering.steady(made, "acme").cells[1].outputs
    longest = error_text.LONGEST_TEXT + 50
    assert max(pattern.n_given for pattern in patterns) <= 3 * longest
    assert max(map(len, (printed.text, error.evalue, own.evalue, shown.data["text/plain"]))) <= (
        longest
    )
    assert printed.text.endswith(" more characters.")
    assert "smith" not in printed.text + error.evalue


def test_a_bar_tells_of_those_that_stop():
    stream = io.StringIO()
    bar = Bar(stream)
    bar.begin(["why"], 2)
    bar.started("why")
    bar.cell_done()
    bar.finished("why", "failed", 1.2)
    bar.end()
    assert "why: failed after 1.2 s" in stream.getvalue()
    assert "2 cells" in stream.getvalue()
