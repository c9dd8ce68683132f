"""What the definition page draws and writes, compared with the tables of its results."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection

from funnel import sample
from funnel.contract.plan import Plan
from funnel.dataset import Tables
from funnel.questions.definition import definition

REASONS = {"too small": "size", "wrong company type": "fit", "not interested": "interest"}
PLAN = {
    "definition": {
        "marketing": "score >= 40",
        "sales": "employees >= 50 and seniority in ('Director', 'VP')",
        "agreed": "score >= 50 and employees >= 50",
    },
    "reasons": REASONS,
}


@pytest.fixture(scope="module")
def question():
    """The question on a sample company in which the threshold was lowered."""
    made = sample.company("threshold_lowered", seed=3, quarters=7)
    plan = PLAN | {"company": {"timezone": "Europe/Berlin"}}
    return definition(Tables.of(**made.tables, as_of=made.as_of, plan=Plan.of(plan)))


def drawn_points(ax):
    """Horizontal positions of the markers drawn, one array per series, top to bottom as drawn."""
    return [np.asarray(line.get_xdata(), float) for line in ax.lines if _has_marker(line)]


def drawn_intervals(ax):
    """Both ends of the horizontal intervals drawn, one array per series."""
    return [
        np.array([[segment[0][0], segment[-1][0]] for segment in each.get_segments()])
        for each in ax.collections
        if isinstance(each, LineCollection)
    ]


def _has_marker(line):
    return line.get_marker() not in ("", "None", None)


def assert_pair(ax, rows, now, then):
    """Two series with intervals are those of two columns."""
    for points, ends, name in zip(drawn_points(ax), drawn_intervals(ax), (now, then), strict=True):
        assert points == pytest.approx(rows[name].to_numpy(float), nan_ok=True)
        for side, end in enumerate(("low", "high")):
            wanted = rows[f"{name}_{end}"].to_numpy(float)
            assert ends[:, side] == pytest.approx(wanted, nan_ok=True)


def tick_labels(ax):
    return [" ".join(label.get_text().split()) for label in ax.get_yticklabels()]


def of_two_spans(table, name):
    now, then = (table[table["span"] == s].reset_index(drop=True) for s in ("period", "baseline"))
    ends = ("", "_low", "_high")
    return now.assign(**{f"then{end}": then[f"{name}{end}"] for end in ends})


def numbers_in(sentence):
    return [float(each.replace(",", "")) for each in re.findall(r"\d[\d,]*\.?\d*", sentence)]


def per_cent(share, digits=0):
    return f"{100 * share:.{digits}f}%"


# --- counts, overlap, agreement, adherence, reasons ---


def test_the_chart_of_definitions_draws_both_periods(question):
    rows = of_two_spans(question.table, "share")
    ax = question.plot()
    assert_pair(ax, rows, "share", "then")
    assert tick_labels(ax) == rows["definition"].tolist()


def test_the_headline_of_definitions_has_the_counts_of_the_period(question):
    rows = question.table[question.table["span"] == "period"].set_index("definition")
    headline = question.headline
    assert f"Of {rows['n_leads'].iloc[0]:,} leads" in headline
    for name in ("marketing", "sales", "agreed"):
        row = rows.loc[name]
        assert f"{row['n_qualified']:,} ({per_cent(row['share'])}) " in headline
    assert f"{rows.loc['handed over', 'n_qualified']:,} were handed over" in headline


def test_the_chart_and_headline_of_the_overlap_have_its_counts(question):
    result = question.overlap()
    rows = result.table[(result.table["span"] == "period")].set_index("group")
    ax = result.plot()
    widths = [bar.get_width() for bar in ax.patches]
    assert widths == rows.loc[tick_labels(ax), "n"].tolist()
    counts = [rows.loc[group, "n"] for group in ("both", "marketing only", "sales only")]
    first, second = result.headline.split(". ", 1)
    assert numbers_in(first.replace(result.period, ""))[:3] == counts
    mature = result.table[result.table["span"] == "matured"].set_index("group")
    for group in ("both", "marketing only", "sales only"):
        assert f"{per_cent(mature.loc[group, 'win_rate'], 1)} of {group}" in second
    assert f"by day {result.days:.0f}" in second


def test_the_chart_and_headline_of_agreement_have_its_figures(question):
    result = question.agreement()
    rows = of_two_spans(result.table, "kappa").dropna(subset="kappa")
    ax = result.plot()
    assert_pair(_without_guides(ax), rows, "kappa", "then")
    assert tick_labels(ax) == (rows["one"] + " and " + rows["other"]).tolist()
    row = rows.iloc[0]
    assert f"{per_cent(row['agree'])} of {row['n']:,} leads" in result.headline
    assert result.headline.endswith(f"would be {per_cent(row['agree_by_chance'])}.")


def _without_guides(ax):
    """The axes without the line at zero."""
    for line in [line for line in ax.lines if not _has_marker(line)]:
        line.remove()
    return ax


def test_the_chart_and_headline_of_adherence_have_its_figures(question):
    result = question.adherence()
    rows = result.shares.reset_index()
    rows = rows[rows["n"] > 0]
    ax = result.plot()
    assert_pair(ax, rows, "share", "share_before")
    for what in ("of leads handed over, meet it", "of those that meet it, accepted"):
        row = rows.set_index("what").loc[what]
        assert f"{per_cent(row['share'])} of {row['n']:,} " in result.headline
        assert f"(before: {per_cent(row['share_before'])})" in result.headline


def test_the_chart_and_headline_of_reasons_have_its_figures(question):
    result = question.reasons()
    rows = result.table[(result.table["n"] > 0) | (result.table["n_baseline"] > 0)]
    ax = result.plot()
    assert_pair(ax, rows, "share", "share_baseline")
    named = rows[~rows["reason"].isin(["not mapped", "not recorded"])]
    top = named.loc[named["n"].idxmax()]
    assert result.headline.startswith(f"{rows['n'].sum():,} leads left")
    assert f"is {top['reason'].replace('_', ' ')} ({per_cent(top['share'])})" in result.headline
    assert f"; {rows['n'].sum() - named['n'].sum():,} have no reason" in result.headline


# --- criteria, personas, calibration, points ---


def test_the_chart_and_headline_of_criteria_have_its_figures(question):
    result = question.criteria()
    rows = result.table.dropna(subset="worth").set_index("criterion")
    ax = result.plot()
    names = tick_labels(ax)
    place = {name: len(rows) - 1 - at for at, name in enumerate(rows.index)}
    assert names == list(rows.index)
    drawn = {}
    for line in [line for line in ax.lines if _has_marker(line)]:
        drawn |= dict(zip(line.get_ydata(), line.get_xdata(), strict=True))
        assert set(rows.iloc[[len(rows) - 1 - int(y) for y in line.get_ydata()]]["verdict"]) == {
            line.get_label()
        }
    ends = {}
    for each in ax.collections:
        ends |= {start[1]: (start[0], end[0]) for start, end in each.get_segments()}
    for name, row in rows.iterrows():
        assert drawn[place[name]] == pytest.approx(100 * row["worth"])
        assert ends[place[name]] == pytest.approx((100 * row["worth_low"], 100 * row["worth_high"]))
    counts = result.table["verdict"].value_counts()
    assert result.headline.startswith(f"{counts.get('kept', 0)} of {len(result.table)} criteria")
    for verdict, words in (("dropped", "worth too little"), ("no evidence", "without evidence")):
        if verdict in counts:
            assert f"{counts[verdict]} {words}" in result.headline


def test_the_headline_of_personas_counts_its_pairs(question):
    result = question.personas()
    own = result.table[result.table["contact"] == "deciding"]
    compared = own[own["verdict"] != "not compared"]
    assert f" {len(compared)} pairs of role and function" in result.headline
    assert f"{per_cent(result.filled)} of {own['n'].sum():,} leads" in result.headline


def test_the_chart_and_headline_of_calibration_have_its_rates(question):
    result = question.calibration()
    ax = result.plot()
    parts = [result.table[result.table["by"] == by] for by in ("grade", "score")]
    parts = [part for part in parts if len(part)]
    for points, ends, rows in zip(drawn_points(ax), drawn_intervals(ax), parts, strict=True):
        assert points == pytest.approx(rows["rate"].to_numpy())
        assert ends == pytest.approx(rows[["rate_low", "rate_high"]].to_numpy())
    for rate in result.table.loc[result.table["by"] == "grade", "rate"]:
        assert per_cent(rate, 1) in result.headline
    score = result.table.loc[result.table["by"] == "score", "rate"]
    assert f"from {per_cent(score.iloc[0], 1)} (lowest)" in result.headline
    assert f"to {per_cent(score.iloc[-1], 1)} (highest)" in result.headline


def test_the_chart_of_calibration_draws_the_rates_that_are_expected(question):
    result = question.calibration()
    expected = np.linspace(0.1, 0.6, len(result.table))
    known = dataclasses.replace(result, table=result.table.assign(expected=expected))
    (marks,) = (line for line in known.plot().lines if line.get_marker() == "D")
    assert marks.get_xdata() == pytest.approx(expected)


def test_the_chart_of_points_draws_what_behaviours_earn_and_are_worth(question):
    result = question.points()
    if result.missing:
        assert result.missing.code == "few won with a score"
        return
    ax = result.plot()
    assert_pair(_without_guides(ax), result.table, "points", "worth")
    assert tick_labels(ax) == result.table["behaviour"].tolist()


# --- thresholds ---


def test_the_chart_and_headline_of_the_replay_have_its_figures(question):
    result = question.threshold_replay()
    rows = result.table[result.table["state"] == "replayed"]
    ax = result.plot()
    (line,) = ax.lines
    assert line.get_xdata() == pytest.approx(rows["per_week"].to_numpy())
    assert line.get_ydata() == pytest.approx(rows["kept_share"].to_numpy())
    (band,) = ax.collections
    corners = band.get_paths()[0].vertices
    for _, row in rows.iterrows():
        here = corners[np.isclose(corners[:, 0], row["per_week"]), 1]
        assert here.min() == pytest.approx(row["kept_share_low"])
        assert here.max() == pytest.approx(row["kept_share_high"])
    now, higher = result.in_force, result.with_less_load
    assert f"is {result.now:.0f}, with {now['per_week']:.0f} leads a week" in result.headline
    assert f"From {higher['threshold']:.0f} up it would have been {higher['per_week']:.0f}" in (
        result.headline
    )
    assert f"{per_cent(higher['kept_share'])} of the {now['wins_kept']:,}" in result.headline


def test_the_chart_and_headline_of_changes_have_their_days(question):
    result = question.threshold_changes()
    ax = result.plot()
    lines = [line for line in ax.lines if line.get_linestyle() == "--"]
    drawn = [pd.Timestamp(line.get_xdata()[0]).date() for line in lines]
    assert drawn == result.table["day"].tolist()
    assert len(drawn)
    weekly = result.weekly[result.weekly["n"] > 0]
    assert ax.lines[0].get_ydata() == pytest.approx(weekly["share"].to_numpy())
    row = result.table.iloc[-1]
    ends = f"from {row['threshold_before']:.0f} to {row['threshold_after']:.0f}"
    assert f"was {row['move']} {ends}" in result.headline
    more = "more" if row["passed_change_low"] > 0 else "fewer"
    assert f"{more} passed" in result.headline


# --- every figure ---


FIGURES = (
    *("overlap", "agreement", "adherence", "reasons", "criteria", "personas", "calibration"),
    *("points", "threshold_replay", "threshold_changes"),
)


@pytest.mark.parametrize("name", FIGURES)
def test_each_figure_is_computed_once_and_shows_itself(question, name):
    result = getattr(question, name)()
    assert getattr(question, name)() is result
    assert result.as_of == question.as_of
    assert result.headline.endswith(".")
    assert "[" not in result.headline.replace("[reasons]", "")
    assert all(caveat.endswith(".") for caveat in result.caveats)
