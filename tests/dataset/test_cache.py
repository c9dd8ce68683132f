"""Results that the notebooks of a run share."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from funnel.dataset import Tables, cache


def dataset_of_a_run(folder, **plan):
    leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-03-01"]})
    data = Tables.of(leads=leads, plan={"plan": plan})
    data.shared_in = folder
    return data


def test_one_process_of_a_run_computes_and_the_others_read(tmp_path):
    computed = []

    @cache.shared
    def leads_by(data, column, *, most=3):
        computed.append((column, most))
        return data.leads.assign(by=column, most=most)

    first = leads_by(dataset_of_a_run(tmp_path), "channel")
    other = leads_by(dataset_of_a_run(tmp_path), "channel")
    pd.testing.assert_frame_equal(first, other)
    assert computed == [("channel", 3)]

    leads_by(dataset_of_a_run(tmp_path), "channel", most=4)  # another argument
    leads_by(dataset_of_a_run(tmp_path, level=0.8), "channel")  # another plan
    leads_by(dataset_of_a_run(None), "channel")  # no run
    assert computed[1:] == [("channel", 4), ("channel", 3), ("channel", 3)]


def test_a_second_process_waits_for_the_first(tmp_path):
    computed = []

    @cache.shared
    def slow(data):
        computed.append(1)
        time.sleep(0.2)
        return 7

    with ThreadPoolExecutor(2) as pool:  # a lock of a file keeps threads apart as it does processes
        found = pool.map(slow, [dataset_of_a_run(tmp_path), dataset_of_a_run(tmp_path)])
        assert list(found) == [7, 7]
    assert computed == [1]


def test_a_full_disk_costs_no_result(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    answer = cache.shared(lambda data: len(data.leads))
    monkeypatch.setattr(Path, "write_bytes", full)
    assert answer(dataset_of_a_run(tmp_path)) == 1
