"""The shipped notebooks on other companies and plans, and on companies with few tables."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from funnel import sample
from funnel.dataset.saved import CACHE
from funnel.report.snapshot import make_snapshot

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(autouse=True, scope="module")
def one_load(tmp_path_factory):
    """Read each company once for all notebooks, as plain Papermill does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE, str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def other_company(tmp_path_factory):
    """A smaller company with another cause, of which only some tables were exported."""
    folder = tmp_path_factory.mktemp("companies") / "other"
    sample.write(sample.company("volume", seed=5, leads=250, quarters=7), folder)
    return folder


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
    assert json.loads((made.path / "manifest.json").read_text())["contradictions"] == []


def test_a_company_of_three_leads_gets_its_pages(tmp_path):
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "leads.csv").write_text(
        "lead_id,created_at\nL1,2026-01-05\nL2,2026-02-05\nL3,2026-03-05\n"
    )
    made = make_snapshot(tmp_path / "tiny", out=tmp_path / "reports")
    assert [(run.name, run.says) for run in made.runs] == [(run.name, "") for run in made.runs]
    assert made.ok
