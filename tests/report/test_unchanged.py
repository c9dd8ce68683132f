"""A run whose inputs have not changed is skipped, and any other is not."""

import json
import subprocess
import sys

import pytest

from funnel.cli import DONE, STOPPED, main
from funnel.report.manifest import NAME

LEADS = "lead_id,created_at\nL-1,2026-03-01\nL-2,2026-03-02\n"
BRIEF = {"as_of": "2026-03-02", "period": {"start": "2026-01-01"}, "plan_sha256": "a"}


@pytest.fixture
def company(tmp_path, stub_notebooks, monkeypatch):
    def brief(data, staging, runs):
        (staging / "brief.json").write_text(json.dumps({**BRIEF, "plan_changed": False}))
        return ""

    monkeypatch.setattr("funnel.report.snapshot.write_brief", brief)
    folder = tmp_path / "acme"
    folder.mkdir()
    (folder / "leads.csv").write_text(LEADS)
    return folder


@pytest.fixture
def report(company, tmp_path, capsys):
    out = tmp_path / "reports"

    def run(*words):
        status = main(["report", str(company), "--out", str(out), *words])
        printed = capsys.readouterr()
        return status, printed.out.strip(), "started" in printed.err

    assert run() == (DONE, str(out / "2026-03-02" / "index.html"), True)
    return run


def snapshot(company):
    return company.parent / "reports" / "2026-03-02"


def test_nothing_changed_is_skipped_and_shows_the_page_that_is_there(report, company):
    made = (snapshot(company) / NAME).read_bytes()
    assert report() == (DONE, str(snapshot(company) / "index.html"), False)
    assert (snapshot(company) / NAME).read_bytes() == made
    assert report("--force", "--replace")[2]


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "leads.csv").write_text(f"{LEADS}L-3,2026-03-02\n"),
        lambda folder: (folder / "funnel.toml").write_text('[company]\nname = "Acme"\n'),
        lambda folder: (snapshot(folder) / "index.html").write_text("changed by hand"),
        lambda folder: (snapshot(folder) / "brief.json").unlink(),
    ],
    ids=["data", "plan", "a page of the snapshot", "a file of the snapshot is gone"],
)
def test_a_change_runs_again(report, company, change):
    change(company)
    assert report("--replace")[2]


@pytest.mark.parametrize(
    "words", [["--measure", "wins"], ["--as-of", "2026-03-01"], ["--notebooks", "conversion"]]
)
def test_other_parameters_run_again(report, words):
    assert report("--replace", *words)[2]


def test_another_key_runs_again(report, monkeypatch):
    monkeypatch.setenv("FUNNEL_HASH_KEY", "0123456789abcdef8d1f2e3c4b5a6978")
    assert report("--replace")[2]


def test_an_earlier_snapshot_with_another_plan_changes_the_page(report, company):
    other = snapshot(company).with_name("2026-02-20")
    other.mkdir()
    earlier = {**BRIEF, "as_of": "2026-02-20", "plan_sha256": "b"}
    (other / "brief.json").write_text(json.dumps(earlier))
    assert report("--replace")[2]


def test_a_run_in_which_a_notebook_failed_is_not_skipped(report, company, stub_notebooks):
    facts = json.loads((snapshot(company) / NAME).read_text())
    facts["notebooks"][0]["state"] = "failed"
    (snapshot(company) / NAME).write_text(json.dumps(facts))
    assert report("--replace")[2]


def test_nothing_heavy_is_imported_to_find_out():
    code = (
        "import sys; import funnel.cli, funnel.report.unchanged, funnel.report.notebooks; "
        "print(*{'pandas', 'numpy', 'duckdb', 'jupyter_client', 'matplotlib'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_without_replace_a_changed_folder_stops(report, company):
    (company / "leads.csv").write_text(f"{LEADS}L-3,2026-03-02\n")
    assert report()[0] == STOPPED
