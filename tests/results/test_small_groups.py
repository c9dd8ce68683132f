"""Small groups: the function by itself for all counts, then every table of every page."""

import html
import importlib
import pkgutil
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import funnel
from funnel import sample
from funnel.contract.labels import EVERYBODY
from funnel.results import Result, charts, text, write_result
from funnel.results.small_groups import Hidden, SmallGroups, are_small, without_small

FEWEST = 5
COUNTS = st.lists(st.integers(0, 12), min_size=1, max_size=7)
PAIRS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=7)

# Tables without a group of leads or deals: one row per record, day, month, whole period or check.
NO_GROUPS = {
    "RecordLists",  # records by key
    *("CoverageGrid", "Reconciliation", "RowFindings", "RecordProblems", "OpenQuestions"),
    *("Readiness", "LatestCohorts", "Questions", "Checks", "DriverTests", "Untraced"),  # of checks
    *("Journeys", "NewestDeals", "Trace"),  # records by key
    *("Decomposition", "ShareOfChange", "ExpectedBand", "Years", "InQuarter", "Comparisons"),
    *("TracedByMonth", "WinRate", "SalesCycle", "Cohorts", "ReachByAge", "TimeToConvert"),
    *("PeriodChange", "Attention", "Proposals", "ThresholdChanges", "Placebos", "PromoEffect"),
    *("Bridge", "Why", "Simpson"),  # groups pooled before anything is computed; no counts of them
    # of all accounts together, by what moved: the rows add up to the change of MRR in cents
    *("Revenue", "Movements", "MonthlyMovements", "Retention", "Churn", "Productivity"),
    "AccountCohorts",
    *("Interviews", "Owners", "Slipped", "WonDeals"),  # records by key; parts of a whole period
    *("Outlook", "Question", "Result", "Seasonality"),
}


def is_small(n):
    return 0 < n < FEWEST


@given(COUNTS)
def test_hidden_groups_cannot_be_worked_out_from_the_total(counts):
    n, hidden = np.array(counts), are_small(counts, FEWEST)
    assert not any(map(is_small, n[~hidden]))
    assume(hidden.any() and n[~hidden].any())
    assert hidden.sum() > 1
    assert n[hidden].sum() >= FEWEST
    joined = hidden & ~((n > 0) & (n < FEWEST))
    if joined.any():  # the smallest of the others, and no more than needed
        assert n[joined].max() <= n[~hidden & (n > 0)].min()
        without = hidden & (n != n[joined].max())
        assert without.sum() < 2 or n[without].sum() < FEWEST or (n == n[joined].max()).sum() > 1


@given(PAIRS)
def test_pooling_loses_nothing_and_gives_nothing_away(pairs):
    names = [f"p{i}" for i in range(len(pairs))]
    table = pd.DataFrame(pairs, columns=["won", "others"]).assign(path=names, value=2.5)
    groups = SmallGroups(by=("path",), counts={"won": (), "others": ()}, pooled="(other)")
    shown = without_small(table, groups, FEWEST)
    columns = ["won", "others", "value"]
    assert shown[columns].sum().tolist() == table[columns].sum().tolist()
    kept = shown[shown["path"] != "(other)"]
    assert not kept[["won", "others"]].map(is_small).any(axis=None)
    assume(len(kept) < len(shown) and kept[["won", "others"]].to_numpy().any(axis=0).all())
    pool = shown[shown["path"] == "(other)"]
    assert not pool[["won", "others"]].map(is_small).any(axis=None)
    assert len(table) - len(kept) > 1


def test_by_hand():
    table = pd.DataFrame(
        {
            "grade": ["A", "B", "C", EVERYBODY, "A", "B"],
            "span": ["now"] * 4 + ["before"] * 2,
            "n": [3, 8, 20, 31, 7, 9],
            "met": [0.3, 0.5, 0.6, 0.5, 0.1, 0.2],
            "met_low": [0.1] * 6,
            "late": [0, 2, 1, 3, 0, 0],
            "verdict": ["moved"] * 6,
        }
    )
    groups = SmallGroups(
        by=("grade",), counts={"n": ("met",), "late": ("late",)}, within=("span",), add_up=("n",)
    )
    shown = without_small(table, groups, FEWEST, marked=True)
    assert [*map(str, shown["n"])] == [
        "fewer than 5",
        "not shown",
        "20.0",
        "31.0",
        "7.0",
        "9.0",
    ]
    assert [str(n) for n in shown["late"]] == ["0.0", *["fewer than 5"] * 2, "3.0", "0.0", "0.0"]
    assert shown["met"].isna().tolist() == [True, True, False, False, False, False]
    assert shown["met_low"].isna().tolist() == shown["met"].isna().tolist()
    assert (shown["verdict"] == "moved").all()
    assert without_small(table, groups, 1) is table
    by_key = table.assign(deal_id="D-1")
    assert without_small(by_key, groups, FEWEST) is by_key


def test_every_result_says_whether_its_table_is_about_groups():
    for module in pkgutil.walk_packages(funnel.__path__, "funnel."):
        if module.name.startswith(("funnel.checks", "funnel.methods", "funnel.questions")):
            importlib.import_module(module.name)
    kinds, found = [Result], {}
    for kind in kinds:
        kinds += kind.__subclasses__()
        if kind.__module__.startswith("funnel."):
            found[kind.__name__] = bool(kind.grouped)
    assert {name for name, has_groups in found.items() if not has_groups} <= NO_GROUPS
    assert sum(found.values()) >= 25


FIGURES = {
    "attribution": (
        *("path_changes", "models", "credit", "credited_deals", "lift", "cost_per_win", "paths"),
        *("self_reported", "common_paths", "path_times", "months"),
    ),
    "conversion": ("within", "groups"),
    "definition": (
        *("overlap", "agreement", "adherence", "reasons", "criteria", "personas", "calibration"),
        *("points", "threshold_replay"),
    ),
    "handoff": ("follow_up", "time_split", "nurture_pool", "speed_to_lead", "handoff_point"),
    "promotions": (),
}
NO_COUNTS = {"n_strata", "n_weeks"}  # of no leads and no deals
COUNT = re.compile(r"n(_.*)?|k(_.*)?|conversions|nulls|wins_(kept|lost)|credited_wins")
LISTS = {"conversion", "attribution credited_deals"}  # of all leads, and deals by key
WHOLE = re.compile(r"all |sales feedback|routing|marketing handed over")  # rows of every lead
CELL = re.compile(r"(?:.* of )?([1-4])(?: of .*| \(.*)?")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What the pages show of a company with some 60 leads a quarter."""
    folder = tmp_path_factory.mktemp("small") / "company"
    sample.write(sample.company("volume", seed=5, leads=60, quarters=5), folder)
    data, found = funnel.load(folder), {}
    for name, figures in FIGURES.items():
        found[name] = question = getattr(funnel, name)(data)
        found |= {f"{name} {figure}": getattr(question, figure)() for figure in figures}
    return {name: result for name, result in found.items() if result.grouped}


def test_no_page_shows_a_small_count_of_a_group(results):
    n_hidden = 0
    for name, result in results.items():
        if name in LISTS:
            continue
        page = result._repr_html_()
        for row in re.findall(r"<tr.*?</tr>", page.partition("<tbody>")[2], re.DOTALL):
            cells = re.findall(r"<td>(.*?)</td>", row, re.DOTALL)
            cells = [html.unescape(cell).replace("\u00a0", " ") for cell in cells]
            if not WHOLE.match(" ".join(cells)):
                assert not [cell for cell in cells if CELL.fullmatch(cell)], (name, cells)
        n_hidden += page.count("fewer than 5</td>")
    assert n_hidden > 20


def test_no_saved_table_holds_a_small_count_of_a_group(results, tmp_path):
    for name, result in results.items():
        (groups,) = (each for each in result.grouped if each.table in ("table", "by_channel"))
        if groups.table != "table" or "deal_id" in result.table:
            continue
        write_result(result, name.replace(" ", "_"), tmp_path)
        table = pd.read_csv(tmp_path / "results" / f"{name.replace(' ', '_')}.csv")
        by = table[list(groups.by)]
        of_groups = table[~(by.isna() | (by == EVERYBODY)).all(axis=1)]
        counts = [each for each in table if COUNT.fullmatch(each) and each not in NO_COUNTS]
        assert counts and set(groups.counts) <= set(counts)
        assert not of_groups[counts].map(is_small).any(axis=None), name


def test_charts_and_headlines_are_given_what_the_tables_show(results, monkeypatch):
    given = []
    for registry in (charts.of, text.headline):
        monkeypatch.setattr(registry, "function", lambda *_: lambda result, _: given.append(result))
    result = replace(results["handoff follow_up"])
    assert result.headline is result.plot() is None
    assert len(given) == 2
    for shown in given:
        assert shown.table["n"].isna().any() and shown.curve["share"].isna().any()
        assert shown.as_computed is result


def test_a_hidden_count_is_written_out():
    assert np.isnan(Hidden("fewer than 5")) and pd.isna(Hidden("fewer than 5"))
