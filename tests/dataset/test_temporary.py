"""A full folder for temporary data, or full memory, is told as that and never as a broken table."""

import errno
import gzip
import os
import tempfile
from pathlib import Path

import pytest

import funnel
from funnel.contract.errors import TableError, TemporaryError
from funnel.dataset import csv_repair, files
from funnel.dataset.engine import Engine, EngineError
from funnel.dataset.temporary import PREFIX, writing

TEMPORARY = Path(tempfile.gettempdir())
IS_FULL = rf"temporary data, {TEMPORARY}, is full: [\d,]+ MiB are free.* TMPDIR"
LEADS = "lead_id,created_at,name\nL-1,2026-03-01,a\n"


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), IS_FULL),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), IS_FULL),
        (
            PermissionError(errno.EACCES, "Permission denied", str(TEMPORARY / f"{PREFIX}x")),
            r"cannot be written to \(Permission denied\)",
        ),
        (
            OSError(errno.EROFS, "Read-only file system", str(TEMPORARY / f"{PREFIX}x" / "y")),
            r"cannot be written to \(Read-only file system\)",
        ),
        (
            FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/a']"),
            r"no folder for temporary data .* in \['/a'\]\. .* TMPDIR",
        ),
        (
            EngineError(
                f'IO Error: Could not write file "{TEMPORARY}/{PREFIX}x/a.duckdb": '
                "No space left on device"
            ),
            IS_FULL,
        ),
        (
            EngineError(
                'IO Error: Async write failed for range: {"exception_message":"Could not write '
                f'file \\"{TEMPORARY}/{PREFIX}x/y.csv\\": No space left on device"}}'
            ),
            IS_FULL,
        ),
        (
            EngineError(
                "Out of Memory Error: failed to offload data block of size 256.0 KiB\nThis limit "
                "was set by the 'max_temp_directory_size' setting."
            ),
            IS_FULL,
        ),
        (
            EngineError("Out of Memory Error: could not allocate block of size 256.0 KiB"),
            "memory for queries is used up.*FUNNEL_MEMORY_LIMIT",
        ),
    ],
)
def test_what_the_system_says_of_temporary_data_is_an_error_of_its_own(error, message):
    with pytest.raises(TemporaryError, match=message) as raised, writing():
        raise error
    assert "Nothing is wrong with the data" in str(raised.value)


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(errno.EACCES, "Permission denied", "/exports/leads.csv"),
        FileNotFoundError(errno.ENOENT, "No such file or directory", "/exports/leads.csv"),
        EngineError('IO Error: Could not write file "/elsewhere/x": No space left on device'),
        EngineError("Invalid Input Error: CSV Error on Line: 2"),
        ValueError("bad"),
    ],
)
def test_other_errors_stay_what_they_are(error):
    with pytest.raises(type(error)) as raised, writing():
        raise error
    assert raised.value is error


def test_a_packed_export_that_does_not_fit_blames_nobody(tmp_path, monkeypatch):
    (tmp_path / "leads.csv.gz").write_bytes(gzip.compress(LEADS.encode()))
    monkeypatch.setattr(files.shutil, "copyfileobj", full)
    with pytest.raises(TemporaryError, match=IS_FULL):
        funnel.load(tmp_path)


def test_a_repair_that_does_not_fit_blames_nobody(tmp_path, monkeypatch):
    (tmp_path / "leads.csv").write_text(LEADS + 'L-2,2026-03-02,"a\n' + LEADS[24:] * 3)
    monkeypatch.setattr(csv_repair, "_records", full)
    with pytest.raises(TemporaryError, match=IS_FULL):
        funnel.load(tmp_path)


def test_a_query_that_spills_too_much_blames_nobody():
    with Engine(memory_limit="20MB", threads=1) as engine:
        engine.execute("set max_temp_directory_size = '1MB'")
        with pytest.raises(TemporaryError, match=IS_FULL):
            engine.execute("create table t as select i, 'x' || i as s from range(2000000) r(i)")


def test_an_export_that_may_not_be_read_is_still_the_exports(tmp_path, monkeypatch):
    (tmp_path / "leads.csv").write_text(LEADS)

    def refused(*_):
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "leads.csv"))

    monkeypatch.setattr(files, "as_utf8", refused)
    with pytest.raises(TableError, match=r"Permission denied.*Marketing Ops"):
        funnel.load(tmp_path)
