"""The engine: its limits, its temporary files, and names and texts that SQL takes as they are."""

from __future__ import annotations

import multiprocessing

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funnel.contract.errors import FunnelError, ParameterError
from funnel.dataset.engine import Engine, literal, quoted, step_text

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1)


def test_closing_removes_the_temporary_files():
    engine = Engine()
    (engine.folder / "spilled").write_text("x")
    engine.close()
    engine.close()
    assert not engine.folder.exists()


def test_memory_limit_and_errors():
    with Engine(memory_limit="300MiB", threads=1) as engine:
        assert engine.rows("select current_setting('memory_limit')") == [("300.0 MiB",)]
        assert engine.rows("select current_setting('TimeZone')") == [("UTC",)]
        with pytest.raises(FunnelError, match="cannot be run"):
            engine.sql("select")
        with pytest.raises(ParameterError, match="no step"):
            engine.step("../engine")
    with pytest.raises(ParameterError, match="cannot start"):
        Engine(memory_limit="much")


def test_a_frame_registered_is_read_back_unchanged():
    with Engine() as engine:
        engine.register("given", pd.DataFrame({"a": ["x", None], "n": [1.5, None]}))
        frame = engine.sql("select *, null::varchar as empty from given order by n")
        assert frame["a"].tolist()[0] == "x" and frame["n"].tolist()[0] == 1.5
        assert [str(kind) for kind in frame.dtypes] == ["str", "float64", "str"]


def test_a_reversed_or_stepped_slice_of_a_frame_is_registered():
    frame = pd.DataFrame({"a": ["x", None, "y", None], "n": [1.0, 2.0, None, 4.0]})
    with Engine() as engine:
        for slice_ in (frame[::-1], frame.iloc[::2], frame.astype(object)[::-1]):
            engine.register("given", slice_)
            rows = [tuple(None if pd.isna(v) else v for v in row) for row in slice_.to_numpy()]
            assert engine.rows("select * from given") == rows


def _elsewhere(queue):
    with Engine() as engine:
        queue.put(engine.rows("select 42")[0][0])


def test_a_forked_process_can_open_an_engine():
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_elsewhere, args=(queue,))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert queue.get() == 42


@given(text=TEXT)
def test_any_text_and_any_name_is_quoted_correctly(text):
    with_engine = ENGINE.rows(f"select {literal(text)} as {quoted(text)}")
    assert with_engine == [(text,)]


ENGINE = Engine(threads=1)


def test_a_step_reads_the_steps_that_it_names(tmp_path, monkeypatch):
    (tmp_path / "sql").mkdir()
    files = {
        "low": "-- One row.\nwith a as (select 1 as n)\nselect n from a\n",
        "middle": "-- over: low\n-- Twice.\nselect n + n as n from low\n",
        "high": "-- over: middle, low\nwith b as (select n from middle)\nselect b.n + low.n as n "
        "from b, low\n",
    }
    for name, text in files.items():
        (tmp_path / "sql" / f"{name}.sql").write_text(text)
    monkeypatch.setattr("funnel.dataset.engine.resources.files", lambda _: tmp_path)
    with Engine() as engine:
        assert engine.step("low")["n"].tolist() == [1]
        assert engine.step("middle")["n"].tolist() == [2]
        assert engine.step("high")["n"].tolist() == [3]
    assert step_text("high").count("select 1 as n") == 1
