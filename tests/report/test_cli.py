"""The command line: what it prints, where, and the status it ends with."""

import dataclasses
import errno
import json
import os
import re
import subprocess
import sys
import tomllib

import pytest

from funnel.cli import DONE, INTERRUPTED, STOPPED, WRONG_USAGE, main
from funnel.contract.plan import Plan, Records
from funnel.contract.tables import TABLES
from funnel.contract.template import PLAN_TEXT, write_template
from funnel.dataset import load
from funnel.report import kernels
from funnel.report.schedule import SNIPPETS


@pytest.fixture
def company(tmp_path):
    folder = tmp_path / "acme"
    folder.mkdir()
    rows = [
        f"L-{i},2026-{1 + i // 28:02}-{1 + i % 28:02}T10:00:00Z,web,a{i}@canary.example"
        for i in range(60)
    ]
    text = "\n".join(["lead_id,created_at,channel,email", *rows, rows[0]])
    (folder / "leads.csv").write_text(f"{text}\n")
    return folder


@pytest.fixture
def notebooks(stub_notebooks, monkeypatch):
    # the brief is tested in test_brief.py
    monkeypatch.setattr("funnel.report.snapshot.write_brief", lambda *_: "")
    return stub_notebooks


def one_paragraph(text):
    return text.startswith("funnel:") and "\n\n" not in text and "Traceback" not in text


def test_report_prints_the_path_of_the_page_and_nothing_else(notebooks, company, tmp_path, capsys):
    out = tmp_path / "reports"
    assert main(["report", str(company), "--out", str(out), "--as-of", "2026-03-02"]) == DONE
    printed = capsys.readouterr()
    assert printed.out == f"{out / '2026-03-02' / 'index.html'}\n"
    assert "readiness: started" in printed.err
    facts = json.loads((out / "2026-03-02" / "manifest.json").read_text())
    assert facts["as_of"] == "2026-03-02"


def test_parameters_of_the_plan_reach_the_run(notebooks, company, tmp_path):
    out = tmp_path / "reports"
    words = ["--compare", "year_ago", "--period", "2026-02", "--notebooks", "conversion"]
    assert main(["report", str(company), "--out", str(out), *words]) == DONE
    facts = json.loads((out / "latest" / "manifest.json").read_text())
    assert facts["plan"]["compare"] == "year_ago"
    assert facts["plan"]["named_period"] == "2026-02"
    assert [run["name"] for run in facts["notebooks"]] == ["conversion"]


def test_a_notebook_that_stops_is_named_and_the_page_is_made(notebooks, company, tmp_path, capsys):
    notebooks["conversion"] = "There are no won deals."
    out = tmp_path / "reports"
    assert main(["report", str(company), "--out", str(out)]) == STOPPED
    printed = capsys.readouterr()
    assert printed.out.endswith("index.html\n")
    paragraph = printed.err[printed.err.index("funnel: ") :]
    assert one_paragraph(paragraph)
    assert "conversion: There are no won deals." in " ".join(paragraph.split())


def test_latest_stays_where_not_one_notebook_came_to_its_end(notebooks, company, tmp_path, capsys):
    out = tmp_path / "reports"
    words = ["report", str(company), "--out", str(out), "--as-of"]
    assert main([*words, "2026-02-01"]) == DONE
    notebooks.update(conversion="No memory.", readiness="No memory.")
    capsys.readouterr()
    assert main([*words, "2026-03-01"]) == STOPPED
    printed = " ".join(capsys.readouterr().err.split())
    assert "not one of its 2 notebooks came to its end. `latest` leads to 2026-02-01." in printed
    assert (out / "2026-03-01" / "manifest.json").exists()
    assert os.fspath((out / "latest").readlink()) == "2026-02-01"
    assert "2 of 2 notebooks stopped" in (out / "index.html").read_text()
    # an earlier day that is made again does not bring the failed one back
    notebooks.clear()
    assert main([*words, "2026-01-31"]) == DONE
    assert os.fspath((out / "latest").readlink()) == "2026-02-01"
    notebooks.update(conversion="No memory.", readiness="No memory.")
    for day in ("2026-02-01", "2026-01-31"):
        assert main([*words, day, "--replace"]) == STOPPED
    assert not (out / "latest").is_symlink()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["rprot"], "invalid choice"),
        (["report", "--as-of", "30.06.2026"], "'30.06.2026' is not a day; write it as 2026-06-30"),
        (["report", "--as-of", "2026-02-30"], "is not a day"),
        (["report", "--period", "2026Q5"], "is not a period"),
        (["report", "--compare", "last"], "invalid choice"),
        (["report", "--jobs", "0"], "is not a whole number of at least 1"),
        (["report", "--notebooks", "conversoin"], "There is no notebook 'conversoin'"),
        (["check"], "the following arguments are required: DATA"),
        (["import", "hubspot", "x", "--out", "y"], "`hubspot` is not there yet"),
        (["import", "mapping", "x", "--out", "y"], "needs the mapping file and the folder"),
        (["import", "excel", "x", "--out", "y"], "invalid choice"),
        (["report", "x", "--engine", "oracle"], "invalid choice"),
        (["sample", "--out", "x", "--scenario", "nope"], "there is no scenario 'nope'"),
    ],
)
def test_wrong_usage_ends_with_2_and_names_the_mistake(words, says, capsys):
    assert main(words) == WRONG_USAGE
    printed = " ".join(capsys.readouterr().err.split())
    assert says in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["report", "{data}/nowhere"], "nowhere"),
        (["report", "{data}", "--out", "{data}/leads.csv"], "there is a file of that name"),
        (["report", "{data}", "--out", "{data}/leads.csv/x"], "No snapshot can be written"),
        (["check", "{data}/nowhere"], "nowhere"),
        (["verify", "{data}"], "holds no manifest.json"),
        (["diff", "{data}", "{data}"], "holds no manifest.json"),
        (["init", "{data}"], "holds 2 of these files already"),
        (["import", "mapping", "{data}/no.toml", "{data}", "--out", "{data}/x"], "no.toml"),
    ],
)
def test_a_stopped_analysis_ends_with_1_and_one_paragraph(words, says, notebooks, company, capsys):
    (company / "funnel.toml").write_text("")
    assert main([word.replace("{data}", str(company)) for word in words]) == STOPPED
    printed = capsys.readouterr()
    assert printed.out == ""
    assert one_paragraph(printed.err)
    assert says in " ".join(printed.err.split())


def test_without_spark_the_report_says_how_to_add_it(notebooks, company, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert main(["report", str(company), "--engine", "spark"]) == STOPPED
    printed = " ".join(capsys.readouterr().err.split())
    assert "needs pyspark, which is not installed. `make spark`" in printed


def test_a_second_report_of_a_day_is_refused_and_replaced_on_request(
    notebooks, company, tmp_path, capsys
):
    words = ["report", str(company), "--out", str(tmp_path / "reports")]
    assert main(words) == DONE
    assert main(words) == STOPPED
    assert "--replace" in capsys.readouterr().err
    assert main([*words, "--replace"]) == DONE


def test_interrupting_a_report_prints_no_traceback(notebooks, company, tmp_path, capsys):
    notebooks["readiness"] = KeyboardInterrupt
    assert main(["report", str(company), "--out", str(tmp_path / "reports")]) == INTERRUPTED
    printed = capsys.readouterr()
    assert "Stopped on request" in printed.err
    assert [path.name for path in (tmp_path / "reports").iterdir()] == [".lock"]


@pytest.mark.parametrize("moment", ["publishing.point_to_newest", "listing.write_listing"])
def test_interrupting_a_report_that_is_published_says_so(
    notebooks, company, tmp_path, capsys, monkeypatch, moment
):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"funnel.report.{moment}", interrupted)
    assert main(["report", str(company), "--out", str(tmp_path / "reports")]) == INTERRUPTED
    printed = " ".join(capsys.readouterr().err.split())
    assert "Stopped on request. The snapshot is published as" in printed
    assert "Nothing was published" not in printed


def test_interrupting_the_tidying_up_says_that_the_snapshot_is_published(
    notebooks, company, tmp_path, capsys, monkeypatch
):
    class Interrupted(kernels.Kernels):
        def __exit__(self, *_):
            raise KeyboardInterrupt

    monkeypatch.setattr(kernels, "Kernels", Interrupted)
    assert main(["report", str(company), "--out", str(tmp_path / "reports")]) == INTERRUPTED
    assert "The snapshot is published as" in " ".join(capsys.readouterr().err.split())


def test_a_full_folder_for_temporary_data_is_one_paragraph(
    notebooks, company, tmp_path, capsys, monkeypatch
):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("funnel.dataset.saved._facts", full)
    assert main(["report", str(company), "--out", str(tmp_path / "reports")]) == STOPPED
    printed = " ".join(capsys.readouterr().err.split())
    assert "The folder for temporary data" in printed and "TMPDIR" in printed
    assert [path.name for path in (tmp_path / "reports").iterdir()] == [".lock"]


def test_a_fault_of_the_program_is_one_paragraph_unless_debugging(company, capsys, monkeypatch):
    def broken(_):
        raise RuntimeError("x of /srv/acme/leads.csv, a@canary.example")

    monkeypatch.setattr("funnel.report.data_check.check_as_text", broken)
    assert main(["check", str(company)]) == STOPPED
    printed = " ".join(capsys.readouterr().err.split())
    assert "An unforeseen error: RuntimeError: x of leads.csv, [e-mail]" in printed
    assert "fault of the program" in printed
    monkeypatch.setenv("FUNNEL_DEBUG", "1")
    with pytest.raises(RuntimeError):
        main(["check", str(company)])


def test_check_prints_rows_reasons_and_questions(company, capsys):
    assert main(["check", str(company)]) == DONE
    text = capsys.readouterr().out
    assert re.search(r"leads +leads\.csv +61 +60 +1 +0", text)
    assert re.search(r"Rejected rows:\n\ntable +reason +rows\nleads +`lead_id`.* 1\n", text)
    assert "Which questions can be answered:" in text
    assert "canary" not in text


def test_check_as_json_has_the_same_content(company, capsys):
    assert main(["check", str(company), "--json", "--as-of", "2026-02-28"]) == DONE
    facts = json.loads(capsys.readouterr().out)
    assert facts["as_of"] == "2026-02-28"
    (table,) = facts["tables"]
    assert table["rows_in"] == table["rows_used"] + table["rows_rejected"]
    assert facts["questions"]
    assert {row["state"] for row in facts["questions"]} <= {
        "can be answered",
        "in part",
        "cannot tell",
    }
    assert set(facts["missing"]) == set(TABLES) - {"leads"}


def test_check_counts_every_row_once_as_the_tables_have_them(company, capsys):
    deals = ["deal_id,created_at,outcome,lead_id,closed_at,amount"]
    deals += [f"D-{i},2026-01-10,won,L-{i},2026-02-{1 + i:02},100" for i in range(20)]
    deals += ["D-1,2026-01-10,won,L-1,2026-02-02,100", "D-90,2026-01-10,won,L-90,2026-02-02,1"]
    deals += ["D-91,2026-02-27,open,,,1"]
    (company / "deals.csv").write_text("\n".join([*deals, ""]))
    (company / "funnel.toml").write_text("[plan]\nmax_rejected = 0.5\n")
    options = [str(company), "--as-of", "2026-02-20"]
    assert main(["check", *options, "--json"]) == DONE
    facts = json.loads(capsys.readouterr().out)
    assert main(["check", *options]) == DONE
    text = capsys.readouterr().out
    one = next(each for each in facts["problems"] if each["problem"] == "rows on one day")
    assert (one["table"], one["since"], one["team"]) == ("deals", "2026-01-10", "Sales Ops")
    assert "Problems in how the records are filled:" in text
    assert " ".join(one["says"].split()) in " ".join(text.split())
    data = load(company, as_of="2026-02-20")
    assert {row["table"] for row in facts["tables"]} == {"leads", "deals"}
    for row in facts["tables"]:
        n_lines = len((company / row["files"]).read_text().splitlines()) - 1
        rejected = [each["rows"] for each in facts["rejected"] if each["table"] == row["table"]]
        assert row["rows_in"] == n_lines == row["rows_used"] + row["rows_rejected"]
        assert row["rows_used"] == len(data.frame(row["table"]))
        assert (
            row["rows_rejected"] == sum(rejected) == (data.rejects["table"] == row["table"]).sum()
        )
        counts = [str(row[name]) for name in row if name.startswith("rows_")]
        line = rf"{row['table']} +{row['files']} +" + " +".join(counts)
        assert re.search(rf"{line}\n", text)
    after = [each for each in facts["rejected"] if each["reason"] == "after as_of (2026-02-20)"]
    n_after = {row["table"]: row["rows_after_as_of"] for row in facts["tables"]}
    assert {each["table"]: each["rows"] for each in after} == n_after


def test_init_writes_the_defaults_with_every_key_named(tmp_path, capsys):
    assert main(["init", str(tmp_path / "new")]) == DONE
    assert "funnel check" in capsys.readouterr().out
    assert Plan.read(tmp_path / "new") == Plan()
    assert {path.stem for path in (tmp_path / "new").glob("*.csv")} == set(TABLES)
    heading = (tmp_path / "new" / "deals.csv").read_text()
    assert heading == ",".join(TABLES["deals"].by_name) + "\n"


def test_every_key_of_the_plan_is_in_the_template():
    live = "\n".join(
        line.removeprefix("# ") if re.match(r"# (\[|[\w\"][^#]* = )", line) else line
        for line in PLAN_TEXT.splitlines()
    )
    written, known = tomllib.loads(live), Plan().as_dict()
    sections = {"company", "definition", "promise", "reasons", "checklist", "records", "calendar"}
    assert set(written["plan"]) == set(known) - sections - {"stages", "exits"}
    for section in ("company", "definition", "promise"):
        assert set(written[section]) == set(known[section])
    records = {each.name.replace("events", "event") for each in dataclasses.fields(Records)}
    assert set(written["records"]) == records
    assert set(written["stages"]) == {"order", "exits"}
    assert Plan.of(written).checklist[0].question


def test_the_template_is_never_written_over_a_file(tmp_path):
    (tmp_path / "leads.csv").write_text("mine")
    assert main(["init", str(tmp_path)]) == STOPPED
    assert [path.name for path in tmp_path.iterdir()] == ["leads.csv"]
    assert (tmp_path / "leads.csv").read_text() == "mine"
    assert len(write_template(tmp_path / "other")) == 1 + len(TABLES)


def test_verify_and_diff(notebooks, company, tmp_path, capsys):
    out = tmp_path / "reports"
    for day in ("2026-02-01", "2026-03-01"):
        assert main(["report", str(company), "--out", str(out), "--as-of", day]) == DONE
    capsys.readouterr()
    assert main(["verify", str(out / "latest")]) == DONE
    assert "are as they were published" in capsys.readouterr().out
    assert main(["diff", str(out / "2026-02-01"), str(out / "latest")]) == DONE
    assert "- 2026-02-01\n  + 2026-03-01" in capsys.readouterr().out
    (out / "latest" / "readiness.html").write_text("other")
    assert main(["verify", str(out / "latest")]) == STOPPED
    printed = capsys.readouterr()
    assert printed.out == "readiness.html was changed\n"
    assert one_paragraph(printed.err)


def test_a_mapping_is_imported(tmp_path, capsys, monkeypatch):
    given = []

    def convert(*paths):
        given.extend(paths)
        return "leads: 3 rows"

    monkeypatch.setattr("funnel.sources.mapping.convert", convert)
    assert main(["import", "mapping", "m.toml", "exports", "--out", "data"]) == DONE
    assert given == ["m.toml", "exports", "data"]
    assert capsys.readouterr().out == "leads: 3 rows\n"


def test_sample_passes_the_given_options_only(tmp_path, capsys, monkeypatch):
    given = {}
    monkeypatch.setattr(
        "funnel.sample.write_sample", lambda out, **options: given.update(options, out=out)
    )
    assert main(["sample", "--out", "x", "--scenario", "mix", "--seed", "3"]) == DONE
    assert given == {"out": "x", "scenario": "mix", "seed": 3}


def test_schedule_prints_three_examples(capsys):
    assert main(["schedule"]) == DONE
    text = capsys.readouterr().out
    for example in ("# --- cron", "OnCalendar=", "cron: "):
        assert example in text


def test_help_imports_nothing_heavy():
    printed = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "funnel.cli", "report", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--as-of DATE" in printed.stdout
    imported = set(re.findall(r"\| +(\w+)$", printed.stderr, re.MULTILINE))
    assert "argparse" in imported
    assert not imported & {"pandas", "numpy", "duckdb", "matplotlib", "papermill", "babel"}


def test_the_package_runs_as_a_module():
    command = [sys.executable, "-m", "funnel", "schedule"]
    printed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert printed.returncode == DONE
    assert printed.stdout == SNIPPETS
    wrong = subprocess.run([*command[:3], "nothing"], capture_output=True, text=True, check=False)
    assert wrong.returncode == WRONG_USAGE


def test_a_closed_pipe_is_no_fault_of_the_program():
    run = subprocess.Popen(
        [sys.executable, "-c", "from funnel.cli import main; raise SystemExit(main(['schedule']))"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    run.stdout.close()
    assert run.wait() == STOPPED
    assert run.stderr.read() == b""
    run.stderr.close()
