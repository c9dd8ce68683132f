"""Figures that two results state: found where they differ, and never where they agree."""

import datetime as dt
import json
import math
import tomllib
from dataclasses import dataclass, replace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funnel import sample
from funnel.contract.plan import Plan
from funnel.dataset import Tables
from funnel.methods.bridge import bridge
from funnel.questions.conversion import conversion
from funnel.questions.conversion.deal_groups import deal_groups
from funnel.questions.conversion.pipeline import win_rate
from funnel.questions.definition import definition
from funnel.questions.handoff import handoff
from funnel.questions.seasonality import seasonality
from funnel.questions.why import why
from funnel.questions.why.change import period_change
from funnel.questions.why.comparisons import comparisons
from funnel.report.contradictions import contradictions_in, contradictions_text
from funnel.results import Result, Stated, write_result
from funnel.results.stated import contradictions

Q2 = (dt.date(2026, 4, 1), dt.date(2026, 6, 30))
Q1 = (dt.date(2026, 1, 1), dt.date(2026, 3, 31))
numbers = st.floats(-1e12, 1e12)


@dataclass(frozen=True, eq=False, kw_only=True)
class Page(Result):
    """A result that states what it is given, for these tests."""

    says: tuple[Stated, ...] = ()
    headline = "A page."
    caveats = ()

    @property
    def stated(self):
        return self.says


@given(value=numbers, low=numbers, high=numbers)
def test_the_same_figure_twice_is_no_contradiction(value, low, high):
    rows = [Stated("wins", Q2, Q1, value, low, high, "moved").as_row()]
    assert contradictions({"one": rows, "other": rows}) == []


@given(value=numbers, other=numbers)
def test_figures_differ_by_more_than_rounding_or_agree(value, other):
    pages = {
        name: [Stated("bookings", Q2, value=number).as_row()]
        for name, number in (("one", value), ("other", other))
    }
    differ = abs(value - other) > max(1e-9 * max(abs(value), abs(other)), 0.006)
    assert len(contradictions(pages)) >= differ
    same = math.isclose(value, other, rel_tol=1e-10)
    assert len(contradictions(pages)) <= (not same)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"value": -30.0}, "value"),
        ({"low": -50.0}, "low"),
        ({"high": 1.0}, "high"),
        ({"verdict": "cannot tell"}, "verdict"),
    ],
)
def test_each_part_of_a_figure_is_compared(change, part):
    figure = {"value": -31.0, "low": -55.8, "high": -6.4, "verdict": "moved"}
    pages = {
        "change": [Stated("wins", Q2, Q1, **figure).as_row()],
        "comparisons": [Stated("wins", Q2, Q1, **(figure | change)).as_row()],
    }
    (found,) = contradictions(pages)
    assert (found["figure"], found["part"]) == ("wins", part)
    assert found["results"] == ["change", "comparisons"]


def test_rates_are_not_rounded():
    pages = {
        name: [Stated("win rate", Q2, value=rate).as_row()]
        for name, rate in (("one", 0.27347), ("other", 0.27584))
    }
    assert contradictions(pages)


@pytest.mark.parametrize(
    "other",
    [
        Stated("wins", Q1, value=87.0),
        Stated("wins", Q2, Q1, value=87.0),
        Stated("leads", Q2, value=87.0),
        Stated("wins", Q2),
    ],
)
def test_another_figure_other_days_or_nothing_contradict_nothing(other):
    pages = {"one": [Stated("wins", Q2, value=88.0).as_row()], "other": [other.as_row()]}
    assert contradictions(pages) == []


def test_contradictions_of_a_snapshot_are_told_with_place_and_figure(tmp_path):
    for name, n in (("change", 88.0), ("win_rate", 87.0)):
        page = Page(table=pd.DataFrame(), as_of=Q2[1], says=(Stated("wins", Q2, value=n),))
        write_result(page, name, tmp_path)
    found = contradictions_in(tmp_path)
    assert json.loads(json.dumps(found)) == found
    told = contradictions_text(found)
    assert "wins of 2026-04-01/2026-06-30, value 88.0 in change and 87.0 in win_rate" in told


SOME_SCENARIOS = ("leavers", "season", "up_with_hidden_decline")


@pytest.mark.parametrize("scenario", SOME_SCENARIOS)
def test_the_questions_agree_on_the_figures_of_a_generated_company(scenario):
    made = sample.company(scenario, seed=11, leads=150, quarters=7)
    data = Tables.of(plan=Plan.of(tomllib.loads(made.plan_toml)), as_of=made.as_of, **made.tables)
    results = {
        "bridge": bridge(data, draws=2),
        "why": (answer := why(data, draws=2)),
        "claims": answer.claims(),
        "guards": answer.guards(),
        "proposals": answer.proposals(),
        "conversion": (rates := conversion(data)),
        "conversion_within": rates.within("channel"),
        "handoff": handoff(data),
        "change": period_change(data),
        "comparisons": comparisons(data),
        "win_rate": win_rate(data),
        "deal_groups": deal_groups(data),
        "definition": definition(data),
        "season": seasonality(data).change("bookings"),
        "season of leads": seasonality(data).change("leads"),
    }
    stated = {name: [each.as_row() for each in of.stated] for name, of in results.items()}
    assert contradictions(stated) == []
    twice = {row["figure"] for row in stated["claims"]} & {row["figure"] for row in stated["why"]}
    assert "contribution of timing" in twice
    both = [{row["figure"] for row in stated[name]} for name in ("guards", "season of leads")]
    assert any(figure.startswith("leads, expected") for figure in both[0] & both[1])
    steps = [
        row["figure"] for row in stated["conversion"] if row["figure"].startswith("mql to sal")
    ]
    assert set(steps) <= {row["figure"] for row in stated["conversion_within"]}
    # rates of those at a step and of those created are two figures, with two names
    assert not set(steps) & {row["figure"] for row in stated["claims"]}
    assert any(row["figure"].startswith("first action A") for row in stated["handoff"])


@pytest.mark.parametrize("result", ["claims", "conversion", "handoff", "guards"])
def test_a_step_an_sla_and_the_calendar_that_differ_are_found(result):
    """Each of them states a value with its interval, so that another page's is compared."""
    made = sample.company("leavers", seed=11, leads=150, quarters=7)
    data = Tables.of(plan=Plan.of(tomllib.loads(made.plan_toml)), as_of=made.as_of, **made.tables)
    compute = {"conversion": lambda: conversion(data), "handoff": lambda: handoff(data)}
    of = compute[result]() if result in compute else getattr(why(data, draws=2), result)()
    changes = {each.figure: each for each in of.stated if each.against}.values()
    other = [replace(each, low=each.low - 0.5).as_row() for each in changes if each.low == each.low]
    assert len(contradictions({"a": [each.as_row() for each in changes], "b": other})) == len(other)
    assert other
