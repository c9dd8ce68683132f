"""Paths as integers: grouping loses nothing and confuses no two paths."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funnel.contract.errors import ParameterError
from funnel.methods.paths import NOT_TRACED, CodedPaths, coded_journeys, coded_paths

NAMES = ["web", "email", "event", "a>b", 'say "hi"', "$x_{1$"]
PATHS = st.lists(st.lists(st.sampled_from(NAMES), max_size=5), min_size=1, max_size=15)


def counted(paths):
    return {
        path: (wins, value, nulls)
        for path, wins, value, nulls in zip(
            paths.strings(), paths.conversions, paths.value, paths.nulls, strict=True
        )
    }


@given(paths=PATHS, order=st.randoms())
@settings(max_examples=40)
def test_grouping_counts_as_a_slow_loop_does_whatever_the_order_of_rows(paths, order):
    n = len(paths)
    table = pd.DataFrame(
        {
            "path": [" > ".join(path) for path in paths],
            "conversions": range(n),
            "value": [1.5 * i for i in range(n)],
            "nulls": [2 * i for i in range(n)],
        }
    )
    expected = {}
    for i, path in enumerate(paths):
        key = " > ".join(path) or NOT_TRACED
        wins, value, nulls = expected.get(key, (0, 0, 0))
        expected[key] = (wins + i, value + 1.5 * i, nulls + 2 * i)
    read = coded_paths(table)
    assert counted(read) == expected
    rows = list(range(n))
    order.shuffle(rows)
    again = coded_paths(table.iloc[rows])
    assert again.strings() == read.strings()
    assert np.array_equal(again.conversions, read.conversions)


def test_blanks_around_names_do_not_count_and_blank_names_are_shown():
    table = pd.DataFrame(
        {"path": [" web > demo ", "web >  demo", "web >  > demo", None, ""], "conversions": 1}
    )
    read = counted(coded_paths(table))
    assert {path: wins for path, (wins, _, _) in read.items()} == {
        "web > demo": 2,
        "web > not recorded > demo": 1,
        NOT_TRACED: 2,
    }


def test_journeys_keep_what_is_known_of_touches_in_order():
    touches = pd.DataFrame(
        {
            "deal_id": ["B", "A", "B", "C"],
            "position": [2, 1, 1, 0],
            "channel": ["demo", "web", "event > fair", NOT_TRACED],
            "amount": [5.0, np.nan, 5.0, 7.0],
            "occurred_at": pd.to_datetime(
                ["2026-01-05T12:00", "2026-01-01", "2026-01-02", None], format="ISO8601", utc=True
            ),
        }
    )
    deals = coded_journeys(touches)
    assert deals.names.tolist() == ["A", "B", "C"]
    assert deals.value.tolist() == [0.0, 5.0, 7.0]
    assert [deals.channels[code] for code in deals.codes] == ["web", "event > fair", "demo"]
    assert deals.days_left.tolist() == [0.0, 3.5, 0.0]
    assert deals.is_traced.tolist() == [True, True, False]


def test_paths_that_are_taken_bring_their_touches_and_milestones():
    paths = CodedPaths.of([["a", "b"], [], ["c", "a", "b"]], conversions=[1, 2, 3])
    paths = CodedPaths(**{**vars(paths), "milestones": {"lead": np.array([1, -1, 2])}})
    last = paths.taken(np.array([False, True, True]))
    assert last.strings() == [NOT_TRACED, "c > a > b"]
    assert last.milestones["lead"].tolist() == [-1, 0]
    assert last.conversions.tolist() == [2, 3]


def test_a_path_of_many_steps_is_one_path():
    path = " > ".join(["web", "demo"] * 50_000)
    read = coded_paths(pd.DataFrame({"path": [path, path], "conversions": [1, 1]}))
    assert read.n_paths == 1
    assert read.n_touches.tolist() == [100_000]
    assert read.conversions.tolist() == [2]


def test_an_empty_table_has_no_paths():
    empty = pd.DataFrame({"path": pd.Series(dtype="str"), "conversions": pd.Series(dtype=float)})
    assert coded_paths(empty).n_paths == 0
    journeys = pd.DataFrame({"deal_id": [], "position": [], "channel": []})
    assert coded_journeys(journeys).n_paths == 0


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (pd.DataFrame({"path": ["a"]}), "no column `conversions`"),
        (pd.DataFrame({"path": ["a", "b"], "conversions": [1, -1]}), "below 0 in 1 of 2"),
        (pd.DataFrame({"path": ["a"], "conversions": [np.nan]}), "no number in 1 of 1"),
        (pd.DataFrame({"path": ["a"], "conversions": [1], "nulls": ["x"]}), "`nulls` is no number"),
        (pd.DataFrame({"path": ["a"], "conversions": [1], "value": [np.inf]}), "`value`"),
    ],
)
def test_a_table_that_cannot_be_counted_is_refused(wrong, says):
    with pytest.raises(ParameterError, match=says):
        coded_paths(wrong)
