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
from funnel.report.snapshot import make_snapshot

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


@pytest.mark.parametrize("name", ["readiness", "handoff"])
def test_nbval_accepts_a_notebook(name):
    """Those that take least; Papermill runs every one in an ordinary kernel."""
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "-q", "-p", "no:cacheprovider"]
    command += ["-c", os.devnull, "--rootdir", str(ROOT), str(ROOT / "notebooks" / f"{name}.ipynb")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "passed" in done.stdout
