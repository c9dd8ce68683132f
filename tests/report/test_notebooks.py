"""The shipped notebooks: each runs on the sample, on other companies and plans, and by itself.

The golden results are the sample's, as they were last read and found right; `make golden` writes
them anew.
"""

import base64
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from funnel import sample
from funnel.report import make_snapshot

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SAMPLE = ROOT / "data" / "sample"
GOLDEN = Path(__file__).parents[1] / "golden"
MOST_ROWS = 100  # as scripts/golden.py keeps


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    return make_snapshot(SAMPLE, out=tmp_path_factory.mktemp("reports"))


@pytest.fixture(scope="module")
def other_company(tmp_path_factory):
    """A smaller company with another cause, of which only some tables were exported."""
    folder = tmp_path_factory.mktemp("companies") / "other"
    sample.write(sample.company("volume", seed=5, leads=250, quarters=7), folder)
    return folder


def test_every_notebook_runs_on_the_sample(snapshot):
    assert [(run.name, run.state, run.says) for run in snapshot.runs] == [
        (run.name, "ok", "") for run in snapshot.runs
    ]
    assert {run.name for run in snapshot.runs} == {path.stem for path in NOTEBOOKS}


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


def papermill(notebook, target, **parameters):
    """Run a notebook as anyone with Papermill would, and give what went wrong."""
    words = [word for key, value in parameters.items() for word in ("-p", key, str(value))]
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", str(notebook), str(target)]
    done = subprocess.run(
        command + words, cwd=notebook.parent, capture_output=True, text=True, check=False
    )
    return done.stderr if done.returncode else ""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_plain_papermill_runs_it_with_another_company_and_plan(path, tmp_path, other_company):
    plan = {"measure": "wins", "period": "month", "compare": "year_ago", "level": 0.8}
    target = tmp_path / "out.ipynb"
    said = papermill(path, target, data_dir=other_company, as_of="2026-05-20", **plan)
    assert said == ""
    shown = json.dumps(json.loads(target.read_text())["cells"])
    assert "2026-05-20" in shown


COMPANIES = {
    "leads only": ["leads.csv*"],
    "deals only": ["deals.csv*"],
    "leads and deals": ["leads.csv*", "deals.csv*"],
    "all but the stages": ["leads.csv*", "deals.csv*", "touches.csv*", "activities.csv*"],
}


@pytest.mark.parametrize("tables", COMPANIES.values(), ids=list(COMPANIES))
def test_missing_tables_leave_questions_open_and_nothing_fails(tables, tmp_path, other_company):
    folder = tmp_path / "company"
    folder.mkdir()
    for pattern in [*tables, "funnel.toml"]:
        for path in other_company.glob(pattern):
            (folder / path.name).write_bytes(path.read_bytes())
    made = make_snapshot(folder, out=tmp_path / "reports")
    assert [(run.name, run.says) for run in made.runs] == [(run.name, "") for run in made.runs]
    assert made.ok


def test_a_company_of_three_leads_gets_its_pages(tmp_path):
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "leads.csv").write_text(
        "lead_id,created_at\nL1,2026-01-05\nL2,2026-02-05\nL3,2026-03-05\n"
    )
    made = make_snapshot(tmp_path / "tiny", out=tmp_path / "reports")
    assert [(run.name, run.says) for run in made.runs] == [(run.name, "") for run in made.runs]
    assert made.ok


def test_nbval_accepts_every_notebook():
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "-q", "-p", "no:cacheprovider"]
    command += ["-c", os.devnull, "--rootdir", str(ROOT), str(ROOT / "notebooks")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "passed" in done.stdout
