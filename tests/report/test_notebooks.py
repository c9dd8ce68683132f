"""The shipped notebooks on the sample: each runs by itself, and gives the golden results.

The golden results are the sample's, as they were last read and found right; `make golden` writes
them anew.
"""

import base64
import collections
import io
import json
import os
import re
import resource
import runpy
import statistics
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from funnel.dataset.saved import CACHE
from funnel.methods.bridge.text import driver_clause
from funnel.report.snapshot import make_snapshot
from funnel.results import Say
from funnel.results.neutral_words import NOT_ON_THE_FIRST_SCREEN, unfit_words

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SAMPLE = ROOT / "data" / "sample"
GOLDEN = Path(__file__).parents[1] / "golden"
MOST_ROWS = 100  # as scripts/golden.py keeps
MOST_OF_FLOOR = 150  # it was 75 to 95 when this was written


@pytest.fixture(autouse=True, scope="module")
def one_load(tmp_path_factory):
    """Read the sample once for all of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE, str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A snapshot of the sample, and the CPU seconds that it took."""
    before = spent()
    snapshot = make_snapshot(SAMPLE, out=tmp_path_factory.mktemp("reports"))
    return snapshot, spent() - before


@pytest.fixture(scope="module")
def snapshot(made):
    return made[0]


def spent():
    times = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in times)


def test_every_notebook_runs_on_the_sample(snapshot):
    assert [(run.name, run.state, run.says) for run in snapshot.runs] == [
        (run.name, "ok", "") for run in snapshot.runs
    ]
    assert {run.name for run in snapshot.runs} == {path.stem for path in NOTEBOOKS}


def test_a_report_takes_no_more_of_bare_duckdb_than_it_did(made):
    """A ratio of CPU times in one process after the other, so that a slow machine slows both."""
    floor = runpy.run_path(str(ROOT / "benchmarks" / "report.py"))["floor"]
    assert made[1] < MOST_OF_FLOOR * statistics.median(floor(SAMPLE) for _ in range(3))


@pytest.mark.parametrize("name", [path.stem for path in NOTEBOOKS])
def test_every_picture_of_a_page_can_be_shown(snapshot, name):
    page = (snapshot.path / f"{name}.html").read_text(encoding="utf-8")
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert len(pictures) == page.count("<img ")
    for picture in pictures:
        Image.open(io.BytesIO(base64.b64decode(picture, validate=True))).load()


def golden_names():
    return sorted(path.stem for path in GOLDEN.glob("*.csv"))


def test_there_is_a_golden_table_for_every_result(snapshot):
    assert golden_names() == sorted(path.stem for path in (snapshot.path / "results").glob("*.csv"))


def test_no_figure_is_stated_differently_by_two_results(snapshot):
    assert json.loads((snapshot.path / "manifest.json").read_text())["contradictions"] == []
    places = collections.Counter(
        (row["figure"], row["span"], row["against"])
        for path in (snapshot.path / "results").glob("*.json")
        for row in json.loads(path.read_text())["stated"]
    )
    of_both = {figure for (figure, *_), n in places.items() if n > 1}
    assert {"bookings", "wins", "leads", "win rate"} <= of_both  # or nothing was compared


@pytest.mark.parametrize("name", golden_names())
def test_results_of_the_sample_are_the_golden_ones(snapshot, name):
    found = pd.read_csv(snapshot.path / "results" / f"{name}.csv")
    golden = pd.read_csv(GOLDEN / f"{name}.csv")
    found = found.head(len(golden)) if len(golden) == MOST_ROWS else found
    pd.testing.assert_frame_equal(found, golden, rtol=1e-6, atol=1e-9, check_dtype=False)


def test_every_result_says_what_it_speaks_for(snapshot):
    for path in (snapshot.path / "results").glob("*.json"):
        about = json.loads(path.read_text())
        assert about["as_of"] == snapshot.path.name
        assert about["headline"].endswith(".")
        assert (snapshot.path / "rows" / f"{path.stem}.csv").exists()


@pytest.mark.parametrize("name", ["handoff"])
def test_nbval_accepts_a_notebook(name):
    """One that takes little; Papermill runs every one in an ordinary kernel."""
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "-q", "-p", "no:cacheprovider"]
    command += ["-c", os.devnull, "--rootdir", str(ROOT), str(ROOT / "notebooks" / f"{name}.ipynb")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "passed" in done.stdout


# --- the first screen of the sample, read as two people would on a phone ---


@pytest.fixture(scope="module")
def first(snapshot, first_screen_of):
    return first_screen_of((snapshot.path / "index.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def told(snapshot):
    return json.loads((snapshot.path / "brief.json").read_text(encoding="utf-8"))


def test_a_reader_of_the_first_screen_can_answer_what_the_meeting_asks(first, told):
    whole = first.text
    assert told["headline"] in whole
    compared = told["comparisons"]
    assert ("Goal met" in whole) == (compared["target"]["verdict"] == "met")
    for against, words in (("year_ago", "a year ago"), ("previous", "the quarter before")):
        more = "more than" if compared[against]["change"] > 0 else "less than"
        assert f"{more} {words}" in whole
    totals = [row for row in told["bridge"] if row["segment"] is None]
    clear = [row for row in totals if row["tier"] == "clear"]
    largest = max(clear, key=lambda row: abs(row["contribution"] - row["explained"]))
    where = {"before_handoff": "Before the hand-off", "after_handoff": "After the hand-off"}
    lost = first.lines["Where it was lost or won"]
    at = lost.index(where[largest["where"]])
    assert driver_clause(largest, Say()).capitalize() in lost[at + 1]
    assert "likely between" in lost[at + 1]
    unmoved = [row["label"] for row in totals if row["verdict"] == "did not move"]
    assert any(label in first.lines["Not worth arguing"][0].lower() for label in unmoved)
    for side, line in zip(("sales", "marketing"), first.lines["Open, please ask"], strict=True):
        asked = [question.split(", and ")[0].rstrip("?") for question in told["questions"][side]]
        assert any(each.split(": ")[-1] in line for each in asked)
    verdicts = {"supported": " yes", "not supported": " no", "cannot tell": " not settled"}
    said = first.lines["What each side said"]
    shown = [each for each in told["claims"] if any(each["claim"] in line for line in said)]
    assert {each["said_by"] for each in shown} == {"sales", "marketing"}
    for each in shown:
        assert any(line.endswith(each["claim"] + verdicts[each["verdict"]]) for line in said)
    assert re.match(r"Heads of .*, by Jul 31: ", first.lines["Decide today"][0])


def test_the_first_screen_speaks_plainly(first):
    words = first.text.split()
    assert 120 < len(words) <= 250
    forbidden = [
        word
        for word in NOT_ON_THE_FIRST_SCREEN
        if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", first.text, re.IGNORECASE)
    ]
    assert forbidden == [] and unfit_words(first.text) == []
    assert not re.search(r"[\[\]]", first.text)
    for sentence in first.sentences:
        assert len(sentence.split()) <= 20, sentence
        assert len(re.findall(r"\d[\d.,]*", sentence)) <= 4, sentence


def test_all_else_is_folded_and_the_page_is_small(first):
    page = first.page
    assert len(page.encode()) <= 120_000
    rest = page[page.index('<section id="more">') :]
    outside = re.sub(r"<details.*?</details>", "", rest, flags=re.DOTALL)
    assert "<h2>" not in outside and "<details open" not in page and "<script" not in page
    assert page.count('<svg class="spark"') == 6


def test_every_driver_and_every_action_leads_to_records_that_can_be_read(snapshot, first, told):
    page = (snapshot.path / "records.html").read_text(encoding="utf-8")
    there = set(re.findall(r'<h2 id="([^"]+)"', page))
    linked = re.findall(r'href="records.html#([^"]+)"', first.page)
    assert set(linked) == there
    of_actions = first.page[first.page.index("Decide today") : first.page.index('id="more"')]
    assert re.findall(r'href="records.html#([^"]+)"', of_actions)
    rows = pd.read_csv(snapshot.path / "rows" / "record_lists.csv")
    columns = ["figure", "table", "id", "account", "date", "stage", "amount", "owner", "link"]
    assert rows.columns.tolist() == columns
    for driver in {row["driver"] for row in told["bridge"] if "record_lists" in row["rows"]}:
        listed = page[page.index(f'id="{driver.replace(" ", "-")}"') :].split("<h2")[0]
        ids = re.findall(r"<tr><td>(\w+)</td>", listed)
        assert 0 < len(ids) <= 20 and set(ids) <= set(rows["id"][rows["figure"] == driver])


@pytest.mark.browser
def test_the_first_screen_fits_a_phone_and_one_side_of_paper(snapshot, chromium, tmp_path):
    page = (snapshot.path / "index.html").read_text(encoding="utf-8")
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    (tmp_path / "phone.html").write_text(
        '<iframe id="phone" src="page.html" style="width:390px;height:844px;border:0"></iframe>'
        "<script>onload = () => { const page = document.getElementById('phone').contentDocument;"
        "const first = page.getElementById('first'), sizes = [];"
        "for (const each of first.querySelectorAll('*')) if (!each.closest('svg')"
        " && [...each.childNodes].some(n => n.nodeType === 3 && n.data.trim()))"
        " sizes.push(parseFloat(page.defaultView.getComputedStyle(each).fontSize));"
        "document.title = JSON.stringify({height: first.getBoundingClientRect().bottom,"
        " width: page.documentElement.scrollWidth, font: Math.min(...sizes),"
        " words: first.innerText.split(/\\s+/).filter(Boolean).length}) }</script>",
        encoding="utf-8",
    )
    browse = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    dom = subprocess.run(
        [
            *(*browse, "--allow-file-access-from-files", "--virtual-time-budget=3000"),
            *("--dump-dom", (tmp_path / "phone.html").as_uri()),
        ],
        capture_output=True, text=True, timeout=600, check=True,
    ).stdout  # fmt: skip
    found = json.loads(re.search(r"<title>(.*?)</title>", dom)[1])
    assert found["height"] <= 2.5 * 844
    assert found["width"] == 390
    assert found["font"] >= 13
    assert found["words"] <= 250
    pdf = tmp_path / "page.pdf"
    printed = [f"--print-to-pdf={pdf}", "--no-pdf-header-footer", (tmp_path / "page.html").as_uri()]
    subprocess.run([*browse, *printed], capture_output=True, timeout=600, check=True)
    assert len(re.findall(rb"/Type\s*/Page[^s]", pdf.read_bytes())) == 1
    in_print = page[page.index("@media print") : page.index("</style>")]
    sizes = re.findall(r"font(?:-size)?: ([\d.]+)pt", in_print)
    assert len(sizes) > 5 and min(map(float, sizes)) >= 10
