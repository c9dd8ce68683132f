"""Ways in numbers: the same as paths and first touches give, from sorted touches."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import funnel
from funnel.dataset import Tables
from funnel.methods.paths import coded_journeys, coded_paths, number_tables, stream
from funnel.methods.paths.coded_paths import CodedPaths
from funnel.methods.paths.counting import joined, ways
from funnel.methods.paths.packing import packed, unpacked

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
) -> Tables:
    """Seven leads, the last of them created after the day the data speaks for."""
    leads = pd.DataFrame(
        {
            "lead_id": [f"L-{i}" for i in range(7)],
            "created_at": [*["2026-01-01", "2026-01-02"] * 3, "2026-07-05"],
            "account_id": ["A", "A", "B", "B", None, None, "C"],
        }
    )
    given = [(0, "A", 20, "won"), (4, None, 20, "won")] if deals is None else deals
    sold = pd.DataFrame(
        {
            "deal_id": pd.Series([f"D-{i}" for i, _ in enumerate(given)], dtype="str"),
            "lead_id": pd.Series(
                [None if lead is None else f"L-{lead}" for lead, *_ in given], dtype="str"
            ),
            "account_id": pd.Series([account for _, account, *_ in given], dtype="str"),
            "created_at": "2026-01-02",
            "closed_at": [f"2026-01-{day:02}T10:00:00Z" for _, _, day, _ in given],
            "outcome": [outcome for *_, outcome in given],
            "amount": [100.25 / (1 + i) for i, _ in enumerate(given)],
        }
    )
    if deals is None:
        sold["lead_id"], sold["amount"] = ["L-0", "L-4"], [100.25, 50.0]
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
    return Tables.of(as_of="2026-06-30", leads=leads, deals=sold, touches=listed)


def counted(found: CodedPaths) -> dict[str, tuple[float, float, float]]:
    rows = zip(found.conversions, found.value, found.nulls, strict=True)
    return dict(zip(found.strings(), rows, strict=True))


def assert_same_journeys(ours: CodedPaths, theirs: CodedPaths) -> None:
    assert [name.replace(" > ", ">") for name in theirs.names] == list(ours.names)
    plain = np.array([name.replace(" > ", ">") for name in theirs.channels], dtype=object)
    assert (
        np.array(ours.channels, dtype=object)[ours.codes].tolist() == plain[theirs.codes].tolist()
    )
    for name in ("offsets", "conversions", "value", "squares", "moments"):
        assert getattr(ours, name).tolist() == getattr(theirs, name).tolist(), name
    assert ours.days_left == pytest.approx(theirs.days_left, abs=1e-9)
    assert {name: at.tolist() for name, at in ours.milestones.items()} == {
        name: at.tolist() for name, at in theirs.milestones.items()
    }


@settings(max_examples=40, deadline=None, phases=GENERATED)
@given(
    touches=st.lists(TOUCH, min_size=1, max_size=14),
    deals=st.lists(DEAL, min_size=1, max_size=4),
    accounts=st.booleans(),
    of_touches=st.booleans(),
    by=st.sampled_from(["account", "lead"]),
    until=st.sampled_from(["closed_at", "created_at", "lead_created_at"]),
    lookback_days=st.sampled_from([0, 1]),
    collapse=st.booleans(),
    null_after_days=st.sampled_from([0, 0, 179, None]),
)
def test_ways_are_those_of_journeys_and_paths(touches, deals, accounts, of_touches, **asked):
    data = company(touches, deals, accounts=accounts, of_touches=of_touches)
    found = ways(data, **asked)
    assert counted(found.every) == counted(coded_paths(funnel.paths(data, **asked).table))
    del asked["null_after_days"]
    assert_same_journeys(found.won, coded_journeys(funnel.journeys(data, **asked).table))
    data.close()


@settings(max_examples=6, deadline=None, phases=GENERATED)
@given(
    touches=st.lists(TOUCH, min_size=1, max_size=14),
    to=st.sampled_from(["mql", "opportunity"]),
    accounts=st.booleans(),
)
def test_ways_may_lead_to_any_stage(touches, to, accounts):
    data = company(touches, [(0, "A", 3, "lost"), (2, None, 2, "won")], accounts=accounts)
    found = ways(data, to=to)
    assert counted(found.every) == counted(coded_paths(funnel.paths(data, to=to).table))
    assert found.won.n_paths == 2
    data.close()


@pytest.mark.parametrize("most", [0, 20])
def test_ties_are_put_right_however_many_there_are(monkeypatch, most):
    touches = [(i % 6, 1, CHANNELS[i % 3], (7 * i) % 10) for i in range(60)]
    data = company(touches, accounts=False)
    monkeypatch.setattr(stream, "_MOST_KEPT", most)
    found = ways(data)
    assert counted(found.every) == counted(coded_paths(funnel.paths(data).table))
    assert_same_journeys(found.won, coded_journeys(funnel.journeys(data).table))


def test_hashes_that_meet_are_found_and_not_used(monkeypatch):
    data = company([(i % 6, 1 + i % 3, "web", None) for i in range(20)], accounts=False)
    assert not number_tables._hashes_meet(data)
    expected = counted(ways(data).every)
    # two keys that are one to a query which looks at less of them
    data.keys["leads"] = "select lead_id from leads union all select lead_id from leads"
    assert not number_tables._hashes_meet(data)
    monkeypatch.setattr(number_tables, "_hashes_meet", lambda _: True)
    assert counted(ways(data).every) == expected
    data.engine.execute("create or replace macro hash(x) as length(x)")
    monkeypatch.undo()
    assert number_tables._hashes_meet(data)


def test_ways_longer_than_a_number_holds_are_counted_alike():
    long = [(2, 1 + i % 3, CHANNELS[i % 5], i % 10) for i in range(90)]
    data = company([*long, *((5, day, word, key) for _, day, word, key in long)], accounts=False)
    found = ways(data)
    assert found.every.n_touches.max() == 90
    assert counted(found.every) == counted(coded_paths(funnel.paths(data).table))


@given(
    ways=st.lists(st.lists(st.integers(0, 6), max_size=30), min_size=1),
    bits=st.integers(3, 9),
)
def test_a_packed_way_is_read_back_as_it_was(ways, bits):
    codes = np.array([code for way in ways for code in way], dtype=np.int32)
    offsets = np.concatenate([[0], np.cumsum([len(way) for way in ways])]).astype(np.int64)
    numbers, fits = packed(codes, offsets, bits)
    assert fits.tolist() == [len(way) * bits <= 63 for way in ways]
    short = [tuple(way) for way, is_short in zip(ways, fits, strict=True) if is_short]
    assert len(set(short)) == len(set(numbers[fits].tolist()))
    back, begins = unpacked(numbers[fits], bits)
    assert [tuple(back[a:b]) for a, b in pairwise(begins)] == short


def test_a_tally_puts_together_what_it_met_apart(monkeypatch):
    monkeypatch.setattr(stream, "_MOST_WAITING", 2)
    monkeypatch.setattr(stream, "_MOST_APART", 2)
    tally = stream.Tally(("a", "b"), collapse=True)
    for _ in range(3):
        tally.add(np.array([0, 0, 1, 1, 0, 1]), np.array([0, 2, 4, 5, 6]), np.arange(4) < 3)
    won = CodedPaths.of([["a"], ["b", "a"]], conversions=[2, 1], value=[5, 7])
    assert counted(tally.with_wins(replace(won, squares=won.value**2).grouped())) == {
        "a": (2.0, 5.0, 6.0),
        "b": (0.0, 0.0, 3.0),
        "b > a": (1.0, 7.0, 0.0),
    }


def test_the_largest_numbers_there_can_be_are_counted():
    tally = stream.Tally(("a", "b"))
    for _ in range(3):
        tally.add(np.ones(63, dtype=np.int16), np.array([0, 63]), np.array([True]))
    won = CodedPaths.of([["a"], ["b"]], conversions=[1, 0])
    found = tally.with_wins(replace(won, squares=won.value**2).grouped())
    assert counted(found)[" > ".join("b" * 63)] == (0.0, 0.0, 3.0)


def test_units_that_reach_over_two_fetches_stay_whole(monkeypatch):
    data = company([(5, 1 + i % 3, "web", None) for i in range(5000)] + [(2, 1, "demo", 1)])
    monkeypatch.setattr(stream, "_VECTORS_AT_ONCE", 1)
    found = ways(data)
    assert found.every.n_touches.max() == 5000
    assert found.every.nulls.sum() == 2


def test_nothing_is_left_in_the_engine():
    data = company([(2, 1, "web", 2), (2, 1, "demo", 1)])
    before = data.engine.rows("select count(*) from duckdb_tables()")
    assert ways(data).every.strings().count("demo > web") == 1
    assert data.engine.rows("select count(*) from duckdb_tables()") == before


def test_the_commonest_paths_are_listed_with_their_nulls():
    top = ways(company([(0, 1, "web", 1), (1, 2, "demo", 2), (2, 1, "web", 3)])).commonest(5)
    assert top["path"].tolist() == ["(not traced)", "web > demo"]
    assert top["value"].tolist() == [50.0, 100.25]


def test_without_leads_the_ways_come_from_paths():
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
    found = ways(Tables.of(as_of="2026-06-30", deals=deals, touches=touches))
    assert counted(found.every) == {"web": (1.0, 0.0, 0.0), "demo": (0.0, 0.0, 1.0)}


def test_credit_of_ways_is_that_of_journeys_and_paths():
    data = company([(0, 1, "web", 1), (1, 2, "demo", 2), (2, 1, "web", 3), (4, 1, "web", 4)])
    found = ways(data)
    for ours, theirs, model in (
        (found.won, funnel.journeys(data), "linear"),
        (found.won, funnel.journeys(data), "time_decay"),
        (found.every, funnel.paths(data), "markov"),
    ):
        credit, known = (
            funnel.attribute(given, model).table.set_index("channel")["value"]
            for given in (ours, theirs)
        )
        assert credit.to_dict() == pytest.approx(known.to_dict())


def test_parts_may_know_other_channels():
    parts = [
        CodedPaths.of([["b", "c"], []], conversions=[1, 2], value=[5, 6]),
        CodedPaths.of([["a"], ["b", "c"]], conversions=[1, 1], nulls=[3, 1]),
    ]
    assert counted(joined(parts)) == {
        "b > c": (2.0, 5.0, 1.0),
        "(not traced)": (2.0, 6.0, 0.0),
        "a": (1.0, 0.0, 3.0),
    }
