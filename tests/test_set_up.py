"""The set-up: pip's settings reach uv, and nothing unpinned is installed."""

import importlib.util
import os
import platform
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "set_up.py"


@pytest.fixture
def set_up(tmp_path, monkeypatch):
    """Load the script as on a machine where nothing is configured."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "etc"))
    spec = importlib.util.spec_from_file_location("set_up", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def configure(tmp_path, text):
    folder = tmp_path / ".config" / "pip"
    folder.mkdir(parents=True)
    (folder / "pip.conf").write_text(text)


def test_the_index_of_pip_is_handed_to_uv(set_up, tmp_path):
    configure(tmp_path, "[global]\nindex-url = https://index.example/simple\ncert = /ca.pem\n")
    (tmp_path / "ca.pem").touch()
    settings = set_up.index_settings()
    assert settings["UV_DEFAULT_INDEX"] == "https://index.example/simple"


def test_the_environment_goes_before_the_file(set_up, tmp_path, monkeypatch):
    configure(tmp_path, "[global]\nindex_url = https://file.example/simple\n")
    monkeypatch.setenv("PIP_INDEX_URL", "https://environment.example/simple")
    assert set_up.index_settings()["UV_DEFAULT_INDEX"] == "https://environment.example/simple"


def test_what_is_set_for_uv_itself_stands(set_up, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://pip.example/simple")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://uv.example/simple")
    assert set_up.index_settings()["UV_DEFAULT_INDEX"] == "https://uv.example/simple"


def test_a_local_index_that_is_not_there_is_passed_over(set_up, tmp_path, monkeypatch):
    there = (tmp_path / "wheels").as_uri()
    (tmp_path / "wheels").mkdir()
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"file:///nowhere/simple {there}")
    assert set_up.index_settings()["UV_INDEX"] == there


def test_an_unreadable_file_stops_nothing(set_up, tmp_path):
    configure(tmp_path, "no section = here\n")
    assert "UV_DEFAULT_INDEX" not in set_up.index_settings()


def test_uv_itself_is_locked_with_hashes(set_up):
    lines = set_up.locked_uv().splitlines()
    assert lines[0].startswith("uv==")
    assert all("--hash=sha256:" in line for line in lines[1:])
    assert len(lines) > 5


def test_spark_is_locked_and_left_out_of_the_first_set_up(set_up):
    whole, first = set_up.LOCK.read_text(), set_up.locked(without=set_up.SPARK)
    spark = set_up.locked(only=set_up.SPARK)
    assert first.count("==") + spark.count("==") == whole.count("==")
    named = [line.partition("==")[0] for line in spark.splitlines() if "==" in line]
    assert named == ["py4j", "pyspark"]
    assert "pyspark" not in first
    assert spark.count("--hash=sha256:") >= 2


def test_a_library_that_is_not_locked_is_not_installed(set_up):
    with pytest.raises(SystemExit, match="does not name no-such-library"):
        set_up.locked(only=["uv", "no-such-library"])


def test_without_java_spark_is_left_out_and_nothing_fails(set_up, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    set_up.add_spark()
    assert "tests are skipped: there is no Java" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform != "linux", reason="names of wheels are those of Linux here")
def test_the_wheel_is_the_one_for_this_machine(set_up):
    machine = platform.machine()
    libc = "manylinux_2_17" if platform.libc_ver()[0] == "glibc" else "musllinux_1_1"
    assert set_up.fits_here(f"uv-1.0-py3-none-{libc}_{machine}.whl")
    assert not set_up.fits_here(f"uv-1.0-py3-none-{libc}_other.whl")
    assert not set_up.fits_here("uv-1.0-py3-none-win_amd64.whl")
    assert not set_up.fits_here("uv-1.0.tar.gz")


def test_without_any_index_it_says_what_to_set(set_up):
    with pytest.raises(SystemExit, match="Set PIP_INDEX_URL"):
        set_up.unpack_uv({}, set_up.locked_uv())
