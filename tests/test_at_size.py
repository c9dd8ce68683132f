"""Ways in numbers: the same as paths and first touches give, from sorted touches."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import funnel
from funnel.attribution import at_size, coded_paths
from funnel.attribution.at_size import joined, ways
from funnel.attribution.coded import CodedPaths
from funnel.load import Tables

TOUCH = st.tuples(
    st.integers(0, 5),
    st.integers(1, 3),
    st.sampled_from(["web", "demo", "paid > search", 'a "b"', None]),
    st.one_of(st.none(), st.integers(0, 9)),
)


def company(touches: list[tuple]) -> Tables:
    leads = pd.DataFrame(
        {
            "lead_id": [f"L-{i}" for i in range(6)],
            "created_at": "2026-01-01",
            "account_id": ["A", "A", "B", "B", None, None],
        }
    )
    deals = pd.DataFrame(
        {
            "deal_id": ["D-0", "D-1"],
            "lead_id": ["L-0", "L-4"],
            "account_id": ["A", None],
            "created_at": "2026-02-01",
            "closed_at": "2026-03-01",
            "outcome": "won",
            "amount": [100.25, 50.0],
        }
    )
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
    return Tables.of(as_of="2026-06-30", leads=leads, deals=deals, touches=listed)


def counted(found: CodedPaths) -> dict[str, tuple[float, float, float]]:
    rows = zip(found.conversions, found.value, found.nulls, strict=True)
    return dict(zip(found.strings(), rows, strict=True))


@settings(max_examples=12)
@given(touches=st.lists(TOUCH, min_size=1, max_size=12), by=st.sampled_from(["account", "lead"]))
def test_ways_are_those_of_paths_and_first_touches(touches, by):
    data = company(touches)
    found = ways(data, by=by)
    assert counted(found.every) == counted(coded_paths(funnel.paths(data, by=by).table))
    if by == "account":
        first = funnel.first_touches(data).table.set_index("deal_id")["first_touch"]
        ours = found.first_touches.set_index("deal_id")["first_touch"]
        assert ours.to_dict() == first.str.replace(" > ", ">").to_dict()
    data.close()


def test_units_that_reach_over_two_fetches_stay_whole(monkeypatch):
    data = company([(5, 1 + i % 3, "web", None) for i in range(5000)] + [(2, 1, "demo", 1)])
    monkeypatch.setattr(at_size, "_VECTORS_AT_ONCE", 1)
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
