"""The saved dataset: the same as a fresh load, found by what it was made from, and bounded."""

import gzip
import os
import secrets
import shutil
import subprocess
import sys
import time

import pandas as pd
import pytest

from funnel.contract.errors import FunnelError, ParameterError, PlanError, TableError
from funnel.contract.tables import TABLES
from funnel.dataset import files, load, saved, table_reader, tables, temporary

LEADS = """lead_id,created_at,channel,email
L-1,2026-01-05T09:30:00Z,web,ann@example.com
L-2,2026-01-06,"email
by hand",
L-3,never,web,bob@example.com
L-2,2026-01-06,email,
L-4,2026-01-20,,
"""
TOUCHES = "lead_id,occurred_at,channel\nL-1,2026-01-04,web\nL-3,2026-01-05,email\nL-9,2026-01-05,\n"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv(saved.CACHE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def company(tmp_path):
    folder = tmp_path / "company"
    folder.mkdir()
    (folder / "leads.csv").write_text(LEADS)
    (folder / "touches.csv").write_text(TOUCHES)
    (folder / "funnel.toml").write_text("[plan]\nmax_rejected = 1.0\n")
    return folder


def entries(cache):
    return sorted(each.name for each in cache.iterdir()) if cache.is_dir() else []


@pytest.fixture
def reads(monkeypatch):
    """Names of tables whose files are read."""
    seen, opened = [], tables.files.open_source
    monkeypatch.setattr(
        tables.files, "open_source", lambda *each: seen.append(each[1].name) or opened(*each)
    )
    return seen


@pytest.mark.parametrize("big", [table_reader.BIG, 0])
def test_a_saved_dataset_is_the_one_that_was_read(
    company, cache, monkeypatch, tmp_path, reads, big
):
    monkeypatch.setattr(table_reader, "BIG", big)
    fresh, first = load(company, fresh=True), load(company)
    reads.clear()
    again = load(company)
    assert reads == [] and again.saved_in is not None and first.saved_in is None
    assert len(again.leads) == 3 and len(again.rejects) == 3
    for table in TABLES:
        pd.testing.assert_frame_equal(again.frame(table), fresh.frame(table))
    for what in ("findings", "rejects", "counts", "sources"):
        pd.testing.assert_frame_equal(getattr(again, what), getattr(fresh, what))
    for what in ("as_of", "extras", "views", "counted", "load_findings", "folder"):
        assert getattr(again, what) == getattr(fresh, what)
    keys = [sorted(data.sql(data.lead_keys)["lead_id"].dropna()) for data in (again, fresh)]
    assert keys[0] == keys[1] and set(keys[0]) == {"L-1", "L-2", "L-3", "L-4"}
    for data, name in ((again, "saved"), (fresh, "fresh")):
        data.write_rejects(tmp_path / name)
    for file in (tmp_path / "fresh").iterdir():
        assert (tmp_path / "saved" / file.name).read_text() == file.read_text()


def test_no_identity_is_saved(company, cache):
    load(company)
    load(company)
    for file in cache.rglob("*"):
        if file.is_file():
            assert b"ann@example" not in file.read_bytes()
            assert b"bob@example" not in file.read_bytes()
    assert cache.stat().st_mode & 0o077 == 0


def test_what_it_is_made_from_decides(company, cache, monkeypatch):
    load(company)
    os.utime(company / "leads.csv", (1, 1))
    load(company)
    assert len(entries(cache)) == 1
    load(company, as_of="2026-01-10")
    load(company, plan={"level": 0.8})
    monkeypatch.setenv("FUNNEL_HASH_KEY", secrets.token_hex(16))
    load(company)
    (company / "leads.csv").write_text(LEADS.replace("L-4", "L-5"))
    assert "L-5" in set(load(company).leads["lead_id"])
    (company / "notes.csv").write_text("a\n1\n")
    assert "unknown_file" in set(load(company).findings["what"])
    monkeypatch.setattr(saved, "_code", lambda: "another release")
    load(company)
    assert len(entries(cache)) == 7


def test_fresh_and_off_neither_open_nor_save(company, cache, monkeypatch, reads):
    load(company, fresh=True)
    monkeypatch.setenv(saved.CACHE, "off")
    load(company)
    assert entries(cache) == [] and len(reads) == 4


@pytest.mark.parametrize("file", ["facts.json", "tables.duckdb"])
@pytest.mark.parametrize(
    "damage", [lambda path: path.write_bytes(b"{"), lambda path: path.unlink()]
)
def test_a_damaged_dataset_is_read_anew(company, cache, file, damage):
    load(company)
    damage(cache / entries(cache)[0] / file)
    data = load(company)
    assert data.saved_in is None and len(data.leads) == 3


def test_a_file_that_changes_while_it_is_read_is_not_saved(company, cache, monkeypatch):
    made = tables._tables

    def changes(*each):
        (company / "leads.csv").write_text(LEADS + "L-7,2026-01-07,web,\n")
        return made(*each)

    monkeypatch.setattr(tables, "_tables", changes)
    load(company)
    assert entries(cache) == []


def test_the_cache_is_bounded_and_the_oldest_goes_first(company, cache, monkeypatch):
    load(company)
    size = (cache / entries(cache)[0] / "tables.duckdb").stat().st_size
    monkeypatch.setenv(saved.CACHE_SIZE, str(2 * size))
    names = dict.fromkeys(("2026-01-18", "2026-01-19"))
    before = set(entries(cache))
    for place, day in enumerate(names):
        os.utime(cache / entries(cache)[0], (place, place))
        load(company, as_of=day)
        names[day] = (set(entries(cache)) - before).pop()
        before = set(entries(cache))
    assert entries(cache) == sorted(names.values())
    monkeypatch.setenv(saved.CACHE_SIZE, "1")
    data = load(company)
    assert entries(cache) == [] and len(data.leads) == 3


def test_a_kernel_opens_what_its_run_loaded_and_no_export(company, tmp_path, monkeypatch, reads):
    data = load(company, plan={"level": 0.8})
    place = temporary.new_folder() / "handed"
    saved.save(data, place)
    monkeypatch.setenv(saved.HANDED, str(place))
    reads.clear()
    again = load(company, as_of=data.as_of, plan={"level": 0.8})
    assert reads == [] and again.saved_in == place
    assert load(company, plan={"level": 0.9}).saved_in is None
    assert load(company, as_of="2026-01-10", plan={"level": 0.8}).saved_in is None
    other = shutil.copytree(company, tmp_path / "other")
    assert load(other, plan={"level": 0.8}).saved_in is None


def test_what_a_killed_process_half_saved_is_removed_and_a_wrong_size_refused(
    company, cache, monkeypatch
):
    for name, age in (("old", 2 * 86_400), ("new", 0)):
        (cache / f".new-{name}").mkdir(parents=True)
        at = time.time() - age
        os.utime(cache / f".new-{name}", (at, at))
    load(company)
    assert [each for each in entries(cache) if each.startswith(".new-")] == [".new-new"]
    monkeypatch.setenv(saved.CACHE_SIZE, "8GB")
    with pytest.raises(ParameterError, match="FUNNEL_CACHE_SIZE is '8GB'"):
        load(company, as_of="2026-01-10")


# what queries may read, and how much a file may hold


@pytest.mark.parametrize("is_saved", [True, False])
def test_queries_read_and_write_no_other_file(company, cache, tmp_path, is_saved):
    load(company)
    data = load(company, fresh=not is_saved)
    assert (data.saved_in is not None) is is_saved
    for query in (
        f"select * from read_csv('{company}/leads.csv')",
        f"copy (select 1) to '{tmp_path}/out.csv'",
        f"attach '{tmp_path}/out.duckdb' as other",
        "set enable_external_access = true",
        "install httpfs",
    ):
        with pytest.raises(FunnelError, match="cannot be run"):
            data.sql(query)
    assert not list(tmp_path.glob("out.*"))
    assert len(data.sql("select * from leads")) == 3


def test_a_pipe_is_no_table_and_no_plan(company):
    (company / "deals.csv").unlink(missing_ok=True)
    os.mkfifo(company / "deals.csv")
    with pytest.raises(TableError, match=r"deals\.csv is no regular file"):
        load(company)
    (company / "deals.csv").unlink()
    (company / "funnel.toml").unlink()
    os.mkfifo(company / "funnel.toml")
    with pytest.raises(PlanError, match="no regular file"):
        load(company)


def test_a_plan_nested_without_end_is_an_error(company):
    (company / "funnel.toml").write_text("a = " + "[" * 5000 + "]" * 5000)
    with pytest.raises(PlanError, match="cannot be read"):
        load(company)


def test_a_small_file_that_unpacks_to_far_more_is_refused(company, monkeypatch):
    monkeypatch.setattr(files, "_MOST_UNPACKED", 1 << 20)
    (company / "leads.csv").unlink()
    text = LEADS.encode() + b"L-8,2026-01-07,web,\n" * 400_000
    (company / "leads.csv.gz").write_bytes(gzip.compress(text))
    with pytest.raises(TableError, match="unpacks to more than"):
        load(company)


def test_a_table_of_thousands_of_columns_is_refused(company):
    more = [f"c{i}" for i in range(files.MOST_COLUMNS)]
    (company / "leads.csv").write_text(",".join(["lead_id", "created_at", *more]) + "\n")
    with pytest.raises(TableError, match="1,002 columns, and at most 1,000 are read"):
        load(company)


# temporary data

LOADS = "import funnel, sys, os; data = funnel.load(sys.argv[1]); "


def run(code, company, temp, **more):
    environment = os.environ | {"TMPDIR": str(temp)}
    command = [sys.executable, "-c", LOADS + code, str(company)]
    return subprocess.run(command, env=environment, check=False, **more)


@pytest.mark.parametrize("ending", ["pass", "raise SystemExit(3)", "1 / 0", "data.close()"])
def test_nothing_temporary_is_left(company, tmp_path, ending):
    temp = tmp_path / "temp"
    temp.mkdir()
    run(ending, company, temp, stderr=subprocess.DEVNULL)
    assert list(temp.iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next_and_nothing_else(company, tmp_path):
    temp = tmp_path / "temp"
    temp.mkdir()
    run("os.kill(os.getpid(), 9)", company, temp)
    (left,) = temp.iterdir()
    other = temp / f"{temporary.PREFIX}of-somebody"
    other.mkdir()
    waiting = subprocess.Popen(
        [sys.executable, "-c", LOADS + "print(1, flush=True); input()", str(company)],
        env=os.environ | {"TMPDIR": str(temp)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    waiting.stdout.readline()
    assert not left.exists()
    alive = set(temp.iterdir()) - {other}
    run("pass", company, temp)
    assert set(temp.iterdir()) == alive | {other} and len(alive) == 1
    waiting.communicate(b"\n")
    assert list(temp.iterdir()) == [other]
