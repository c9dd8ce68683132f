"""Paths read from streamed touches are those that the SQL steps of either engine give."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import funnel
from funnel.dataset import Tables
from funnel.methods.paths import CodedPaths, journey_ends, scope_of, stream, touch_reader
from funnel.methods.paths.converted import Converted
from funnel.methods.paths.packing import packed, unpacked
from funnel.methods.paths.spark_reader import StepReader
from funnel.methods.paths.touch_reader import TouchReader, hashes_collide

GENERATED = (Phase.explicit, Phase.reuse, Phase.generate)  # to shrink takes minutes
CHANNELS = ["web", "demo", "paid > search", 'a "b"', "a > b", "a b", None]
TOUCH = st.tuples(
    st.integers(0, 6),
    st.integers(1, 3),
    st.sampled_from(CHANNELS),
    st.one_of(st.none(), st.integers(0, 9)),
)
DEAL = st.tuples(
    st.one_of(st.none(), st.integers(0, 6)),
    st.one_of(st.none(), st.sampled_from("ABC")),
    st.integers(2, 3),
    st.sampled_from(["won", "won", "lost"]),
)


def company(
    touches: list[tuple],
    deals: list[tuple] | None = None,
    *,
    accounts: bool = True,
    of_touches: bool = False,
    has_touches: bool = True,
) -> Tables:
    """Seven leads, the last of them created after the last day of the data."""
    leads = pd.DataFrame(
        {
            "lead_id": [f"L-{i}" for i in range(7)],
            "created_at": [*["2026-01-01", "2026-01-02"] * 3, "2026-07-05"],
            "account_id": ["A", "A", "B", "B", None, None, "C"],
            "channel": [*CHANNELS[:5], "web", "web"],
        }
    )
    rows = [(0, "A", 20, "won"), (4, None, 20, "won")] if deals is None else deals
    sold = pd.DataFrame(
        {
            "deal_id": pd.Series([f"D-{i}" for i, _ in enumerate(rows)], dtype="str"),
            "lead_id": pd.Series(
                [None if lead is None else f"L-{lead}" for lead, *_ in rows], dtype="str"
            ),
            "account_id": pd.Series([account for _, account, *_ in rows], dtype="str"),
            "created_at": "2026-01-02",
            "closed_at": [f"2026-01-{day:02}T10:00:00Z" for _, _, day, _ in rows],
            "outcome": [outcome for *_, outcome in rows],
            "amount": [100.25 / (1 + i) for i, _ in enumerate(rows)],
        }
    )
    if not accounts:
        leads = leads.drop(columns="account_id")
    listed = pd.DataFrame(
        {
            "lead_id": [f"L-{lead}" for lead, *_ in touches],
            "occurred_at": [f"2026-01-0{day}T10:00:00Z" for _, day, *_ in touches],
            "channel": pd.Series([channel for *_, channel, _ in touches], dtype="str"),
            "touch_id": pd.Series(
                [None if key is None else f"T-{key}-{i}" for i, (*_, key) in enumerate(touches)],
                dtype="str",
            ),
        }
    )
    late = {"lead_id": "L-4", "occurred_at": "2026-03-02T00:00:00Z", "channel": "late"}
    listed = pd.concat([listed, pd.DataFrame([late])], ignore_index=True)
    listed["channel"] = listed["channel"].fillna("unknown")
    if of_touches:
        listed["account_id"] = [[None, "A", "B", "D"][i % 4] for i in range(len(listed))]
    frames = {"leads": leads, "deals": sold} | ({"touches": listed} if has_touches else {})
    return Tables.of(as_of="2026-06-30", **frames)


def counts(paths: CodedPaths) -> dict[str, tuple[float, float, float]]:
    rows = zip(paths.conversions, paths.value.round(9), paths.nulls, strict=True)
    return dict(zip(paths.strings(), rows, strict=True))


def assert_same_journeys(streamed: Converted, stepped: Converted) -> None:
    ours, theirs = streamed.paths, stepped.paths
    assert list(ours.names) == list(theirs.names)
    assert ours.strings() == theirs.strings()
    for name in ("offsets", "conversions", "value", "days_left", "moments"):
        assert getattr(ours, name).tolist() == getattr(theirs, name).tolist(), name
    assert {name: at.tolist() for name, at in ours.milestones.items()} == {
        name: at.tolist() for name, at in theirs.milestones.items()
    }
    assert streamed.moments.tolist() == stepped.moments.tolist()
    assert streamed.milestones.tolist() == stepped.milestones.tolist()


def assert_readers_agree(data: Tables, immature_after=None, *, leave_out=False, **query) -> None:
    scope = scope_of(data, **query)
    ends = journey_ends(data, scope)
    of_steps = StepReader(data, scope, ends)
    converted, every, n = of_steps.every_path(immature_after, leave_out_immature=leave_out)
    with TouchReader(data, scope, ends) as reader:
        ours, paths, n_immature = reader.every_path(immature_after, leave_out_immature=leave_out)
        assert counts(paths) == counts(every)
        assert n_immature == n
        assert_same_journeys(ours, converted)
    with TouchReader(data, scope, ends) as reader:
        assert_same_journeys(reader.converted(), converted)


@settings(max_examples=40, deadline=None, phases=GENERATED)
@given(
    touches=st.lists(TOUCH, min_size=1, max_size=14),
    deals=st.lists(DEAL, min_size=1, max_size=4),
    accounts=st.booleans(),
    of_touches=st.booleans(),
    has_touches=st.sampled_from([True, True, True, False]),
    by=st.sampled_from(["account", "lead"]),
    until=st.sampled_from(["closed_at", "created_at", "lead_created_at"]),
    lookback_days=st.sampled_from([0, 1]),
    immature_after=st.sampled_from([None, dt.datetime(2026, 1, 1, 12), dt.datetime(2026, 1, 2)]),
    leave_out=st.booleans(),
)
def test_streamed_paths_are_those_of_the_steps(
    touches, deals, accounts, of_touches, has_touches, **query
):
    data = company(
        touches, deals, accounts=accounts, of_touches=of_touches, has_touches=has_touches
    )
    assert_readers_agree(data, **query)
    data.close()


@settings(max_examples=6, deadline=None, phases=GENERATED)
@given(
    touches=st.lists(TOUCH, min_size=1, max_size=14),
    to=st.sampled_from(["mql", "opportunity"]),
    accounts=st.booleans(),
)
def test_paths_may_lead_to_any_stage(touches, to, accounts):
    data = company(touches, [(0, "A", 3, "lost"), (2, None, 2, "won")], accounts=accounts)
    assert_readers_agree(data, to=to)
    assert funnel.paths(data, to=to).coded.conversions.sum() == 2
    data.close()


@pytest.mark.parametrize("most", [0, 20])
def test_ties_are_ordered_by_key_however_many_there_are(monkeypatch, most):
    touches = [(i % 6, 1, CHANNELS[i % 3], (7 * i) % 10) for i in range(60)]
    monkeypatch.setattr(stream, "_MOST_KEPT", most)
    assert_readers_agree(company(touches, accounts=False))


@pytest.mark.parametrize("accounts", [True, False])
def test_moments_that_do_not_fit_into_a_step_are_sorted_apart(monkeypatch, accounts):
    monkeypatch.setattr(touch_reader, "_MOST", 0)
    touches = [(i % 6, 1 + i % 3, CHANNELS[i % 3], i % 10) for i in range(40)]
    assert_readers_agree(company(touches, accounts=accounts), dt.datetime(2026, 1, 1, 12))


def test_hashes_that_collide_are_found_and_not_used(monkeypatch):
    data = company([(i % 6, 1 + i % 3, "web", None) for i in range(20)], accounts=False)
    collide = hashes_collide.__wrapped__
    assert not collide(data, data.lead_keys)
    # two equal keys are no collision
    twice = "select lead_id from leads union all select lead_id from leads"
    assert not collide(data, twice)
    monkeypatch.setattr(touch_reader, "hashes_collide", lambda *_: True)
    assert_readers_agree(data, dt.datetime(2026, 1, 1, 12))
    data.engine.execute("create or replace macro hash(x) as length(x)")
    assert collide(data, twice)


def test_paths_longer_than_a_number_holds_are_counted_alike():
    long = [(2, 1 + i % 3, CHANNELS[i % 5], i % 10) for i in range(90)]
    data = company([*long, *((5, day, word, key) for _, day, word, key in long)], accounts=False)
    assert_readers_agree(data)
    assert funnel.paths(data).coded.n_touches.max() == 90


@given(
    paths=st.lists(st.lists(st.integers(0, 6), max_size=30), min_size=1),
    bits=st.integers(3, 9),
)
def test_a_packed_path_is_read_back_as_it_was(paths, bits):
    codes = np.array([code for path in paths for code in path], dtype=np.int32)
    offsets = np.concatenate([[0], np.cumsum([len(path) for path in paths])]).astype(np.int64)
    numbers, fits = packed(codes, offsets, bits)
    assert fits.tolist() == [len(path) * bits <= 63 for path in paths]
    short = [tuple(path) for path, is_short in zip(paths, fits, strict=True) if is_short]
    assert len(set(short)) == len(set(numbers[fits].tolist()))
    back, begins = unpacked(numbers[fits], bits)
    assert [tuple(back[a:b]) for a, b in pairwise(begins)] == short


def test_a_tally_merges_what_it_counted_apart(monkeypatch):
    monkeypatch.setattr(stream, "_MOST_WAITING", 2)
    monkeypatch.setattr(stream, "_MOST_APART", 2)
    tally = stream.Tally(("a", "b"), leave_out_immature=True)
    is_immature = np.array([False, True, False, False])
    for _ in range(3):
        codes, offsets = np.array([0, 1, 1, 0, 1]), np.array([0, 1, 3, 4, 5])
        tally.add(codes, offsets, np.arange(4) < 3, is_immature)
    converted = CodedPaths.of([["a"], ["b", "a"]], conversions=[2, 1], value=[5, 7]).grouped()
    assert counts(tally.with_conversions(converted)) == {
        "a": (2.0, 5.0, 6.0),
        "b > a": (1.0, 7.0, 0.0),
    }
    assert tally.n_immature == 3


def test_the_largest_numbers_there_can_be_are_counted():
    tally = stream.Tally(("a", "b"))
    for _ in range(3):
        tally.add(np.ones(63, dtype=np.int16), np.array([0, 63]), np.array([True]))
    converted = CodedPaths.of([["a"], ["b"]], conversions=[1, 0]).grouped()
    assert counts(tally.with_conversions(converted))[" > ".join("b" * 63)] == (0.0, 0.0, 3.0)


def test_units_that_reach_over_two_fetches_stay_whole(monkeypatch):
    data = company([(5, 1 + i % 3, "web", None) for i in range(5000)] + [(2, 1, "demo", 1)])
    monkeypatch.setattr(stream, "_VECTORS_AT_ONCE", 1)
    paths = funnel.paths(data).coded
    assert paths.n_touches.max() == 5000
    assert paths.nulls.sum() == 2


def test_nothing_is_left_in_the_engine():
    data = company([(2, 1, "web", 2), (2, 1, "demo", 1)])
    query = (
        "select (select count(*) from duckdb_tables()), "
        "(select count(*) from duckdb_views() where not internal)"
    )
    before = data.engine.rows(query)
    assert funnel.paths(data).table["path"].tolist().count("demo > web") == 1
    assert data.engine.rows(query) == before


def test_touches_are_read_once_for_all_figures(monkeypatch):
    data = company([(0, 1, "web", 1), (1, 2, "demo", 2), (2, 1, "web", 3)])
    funnel.paths(data)
    monkeypatch.setattr(TouchReader, "__enter__", None)
    assert funnel.journeys(data).coded.strings() == ["web > demo", "(not traced)"]
    assert funnel.paths(data, collapse=True).coded.nulls.sum() == 1


def test_without_leads_each_lead_of_touches_is_a_journey():
    deals = pd.DataFrame(
        {
            "deal_id": ["D-1"],
            "lead_id": ["L-1"],
            "created_at": "2026-01-01",
            "closed_at": "2026-02-01",
            "outcome": "won",
        }
    )
    touches = pd.DataFrame(
        {"lead_id": ["L-1", "L-2"], "occurred_at": "2026-01-03", "channel": ["web", "demo"]}
    )
    for account in (None, "A"):
        data = Tables.of(
            as_of="2026-06-30", deals=deals.assign(account_id=account), touches=touches
        )
        assert_readers_agree(data, dt.datetime(2026, 1, 2))
        assert counts(funnel.paths(data).coded) == {"web": (1.0, 0.0, 0.0), "demo": (0.0, 0.0, 1.0)}


def test_a_frame_of_journeys_gives_the_credit_of_their_coded_paths():
    data = company([(0, 1, "web", 1), (1, 2, "demo", 2), (2, 1, "web", 3), (4, 1, "web", 4)])
    journeys, paths = funnel.journeys(data), funnel.paths(data)
    for result, model in ((journeys, "linear"), (journeys, "time_decay"), (paths, "markov")):
        credit, known = (
            funnel.attribute(each, model).table.set_index("channel")["value"]
            for each in (result, result.table)
        )
        assert credit.to_dict() == pytest.approx(known.to_dict())


def test_collapsed_journeys_keep_their_times_and_milestones():
    paths = CodedPaths.of([["a", "a", "b", "b"], []], conversions=[1, 1])
    paths = replace(
        paths,
        days_left=np.array([9.0, 7.0, 4.0, 0.0]),
        moments=np.array([1, 1, 2, 3]),
        milestones={"lead": np.array([1, -1]), "opportunity": np.array([3, -1])},
    )
    steps = paths.collapsed()
    assert steps.strings() == ["a > b", "(not traced)"]
    assert steps.days_left.tolist() == [5.0, 0.0]
    assert steps.moments.tolist() == [1, 2]
    assert steps.milestones["lead"].tolist() == [0, -1]
    assert steps.milestones["opportunity"].tolist() == [1, -1]
    assert steps.cleaned().channels == ("a", "b")
