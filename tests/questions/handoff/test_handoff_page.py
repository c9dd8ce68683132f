"""What the page shows of the hand-off: charts and sentences against the tables behind them."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgba

from funnel.contract.plan import Plan
from funnel.dataset import Tables
from funnel.methods.qualification.handoff import leads_with_handoff
from funnel.questions.handoff import handoff
from funnel.questions.handoff.attention import by_week
from funnel.questions.handoff.speed_to_lead import speed_to_lead
from funnel.results import Say
from funnel.results.neutral_words import unfit_words
from funnel.results.paired_charts import NOW, THEN
from funnel.sample import company

JUNE = "2026-06-30"


@pytest.fixture(scope="module")
def answer():
    made = company("both_at_fault", seed=3, leads=1000, quarters=5)
    names = ("leads", "stage_changes", "deals", "activities", "reps", "touches")
    plan = Plan.of({"definition": {"agreed": "score >= 50 and employees >= 50"}})
    frames = {name: made.tables[name] for name in names}
    return handoff(Tables.of(plan=plan, as_of=made.as_of, **frames))


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def ends(ax, color=None, axis=0):
    """Ends of the intervals that are drawn as lines, in the order drawn."""
    found = []
    for each in ax.collections:
        if isinstance(each, LineCollection):
            same = color is None or np.allclose(each.get_colors()[0], to_rgba(color))
            found += [tuple(segment[:, axis]) for segment in each.get_segments() if same]
    return found


def two(table, name):
    return [pytest.approx(pair) for pair in table[[f"{name}_low", f"{name}_high"]].to_numpy()]


def three_leads():
    """Two A leads in the period, one called in time; one in the baseline, called in time."""
    leads = pd.DataFrame(
        {
            "lead_id": ["L-1", "L-2", "L-3"],
            "created_at": ["2026-05-04", "2026-05-05", "2026-02-03"],
            "grade": "A",
        }
    )
    calls = pd.DataFrame(
        {
            "lead_id": ["L-1", "L-2", "L-3"],
            "occurred_at": ["2026-05-04T12:00", "2026-05-09", "2026-02-03T06:00"],
            "kind": "call",
        }
    )
    plan = {"smallest_group": 1}
    return handoff(Tables.of(leads=leads, activities=calls, as_of=JUNE, plan=plan))


def test_period_and_baseline_stand_in_their_columns_sentence_and_chart():
    result = three_leads()
    row = result.table.set_index("grade").loc["A"]
    assert row[["met", "n", "met_baseline", "n_baseline"]].tolist() == [0.5, 2, 1.0, 1]
    assert row["change"] == -0.5
    assert "Grade A acted on within 1 day: 50%, was 100%" in result.headline
    shown = result.shown().iloc[0]
    assert shown["this period"].startswith("50.0%")
    assert shown["baseline"].startswith("100.0%")
    ax = result.plot()
    drawn = {line.get_label(): line.get_xdata().tolist() for line in ax.lines}
    assert drawn == {"period": [0.5], "baseline": [1.0]}
    named = result.rows.groupby("figure")["id"].agg(set)
    assert named["handed over, period"] == {"L-1", "L-2"}
    assert named["handed over, baseline"] == {"L-3"}
    medians = result.follow_up().table.set_index(["grade", "span"])["median_days"]
    assert medians["all", "period"] == 0.5
    assert medians["all", "baseline"] == 0.25


def test_the_chart_of_the_sla_draws_its_shares_and_intervals(answer):
    ax, rows = answer.plot(), answer.table.dropna(subset="met")
    assert len(rows) > 4
    assert ends(ax, NOW) == two(rows, "met")
    assert ends(ax, THEN) == two(rows, "met_baseline")
    drawn = {line.get_label(): line.get_xdata().tolist() for line in ax.lines}
    assert drawn == {"period": rows["met"].tolist(), "baseline": rows["met_baseline"].tolist()}


def test_the_chart_of_follow_up_draws_its_curve_and_intervals(answer):
    result = answer.follow_up()
    ax = result.plot()
    curve = result.curve[result.curve["span"] == "period"]
    bands = [each for each in ax.collections if isinstance(each, PolyCollection)]
    lines = [line for line in ax.lines if not line.get_label().startswith("_")]
    assert len(lines) == len(bands) == 4
    for line, band in zip(lines, bands, strict=True):
        rows = curve[curve["grade"] == line.get_label()]
        assert line.get_ydata() == pytest.approx(rows["share"].to_numpy())
        (before,) = (
            each for each in ax.lines
            if each.get_linestyle() == ":" and each.get_color() == line.get_color()
        )  # fmt: skip
        then = result.curve[result.curve["span"] == "baseline"]
        then = then[then["grade"] == line.get_label()].dropna(subset="share")
        assert before.get_ydata() == pytest.approx(then["share"].to_numpy())
        drawn = band.get_paths()[0].vertices[:, 1]
        assert (drawn.min(), drawn.max()) == pytest.approx(
            (rows["share_low"].min(), rows["share_high"].max())
        )


def test_the_charts_of_associations_and_of_the_pool_draw_their_intervals(answer):
    speed = speed_to_lead(answer.data)
    ax = speed.plot()
    assert ends(ax) == two(speed.table, "ratio")
    dots = np.asarray(ax.collections[-1].get_offsets())[:, 0]
    assert dots.tolist() == pytest.approx(speed.table["ratio"].tolist())
    pool = answer.nurture_pool()
    rows = pool.table[pool.table["grade"] == "all"].dropna(subset="returned")
    ax = pool.plot()
    assert ends(ax, axis=1) == [*two(rows, "returned"), *two(rows, "won")]
    marks = [line.get_ydata().tolist() for line in ax.lines]
    assert marks == [rows["returned"].tolist(), rows["won"].tolist()]


def test_the_chart_of_weeks_draws_their_means(answer):
    result = answer.attention()
    ax = result.plot()
    drawn = {line.get_label(): line.get_ydata() for line in ax.lines}
    for name, label in (("followed_share", "acted on in time"), ("returned_share", "sent back")):
        mean = pd.to_numeric(result.weeks[name]).rolling(4, min_periods=2, center=True).mean()
        assert drawn[label] == pytest.approx(mean.to_numpy(), nan_ok=True)
    load = pd.to_numeric(result.weeks["load"]).rolling(4, min_periods=2, center=True).mean()
    (line,) = ax.figure.axes[1].lines
    assert line.get_ydata() == pytest.approx(load.to_numpy(), nan_ok=True)


def test_the_headline_names_the_numbers_of_the_table(answer):
    say = Say()
    row = answer.table.set_index("side").loc["marketing"]
    change = {
        "moved": say.points_apart(row["change_low"], row["change_high"]),
        "did not move": "no sign of a change",
        "cannot tell": "inconclusive",
    }[row["verdict"]]
    sentence = f"{say.rate(row['met'])}, was {say.rate(row['met_baseline'])} ({change})."
    assert f"Marketing SLA. Handed over as agreed: {sentence}" in answer.headline
    rows = answer.follow_up().table.set_index(["grade", "span"])
    now, then = (say.duration(rows.loc[("all", s), "median_days"]) for s in ("period", "baseline"))
    assert f"first sales action: {now}, was {then}." in answer.follow_up().headline


def test_acceptance_and_returns_count_only_after_a_handoff():
    """Ten leads are decided on after their hand-off, five were rejected without one."""
    monday = pd.Timestamp("2026-03-02")
    leads, changes, calls = [], [], []
    for week in range(4):
        for i in range(10):
            lead_id, day = f"L-{week}-{i}", monday + pd.Timedelta(days=7 * week)
            leads.append({"lead_id": lead_id, "created_at": day})
            changes.append({"lead_id": lead_id, "stage": "mql", "entered_at": day})
            stage = "rejected" if i < 4 else "sal"
            decided = day + pd.Timedelta(days=2)
            changes.append({"lead_id": lead_id, "stage": stage, "entered_at": decided})
            calls.append({"lead_id": lead_id, "occurred_at": day, "kind": "call", "owner": "Kim"})
            # feedback is no sales action, so who gives it is none of the people who acted
            feedback = {"occurred_at": decided, "kind": "feedback", "owner": "Lee"}
            calls.append({"lead_id": lead_id, **feedback})
        for i in range(5):
            lead_id = f"N-{week}-{i}"
            leads.append({"lead_id": lead_id, "created_at": day})
            changes.append({"lead_id": lead_id, "stage": "rejected", "entered_at": decided})
    frames = {"leads": leads, "stage_changes": changes, "activities": calls}
    data = Tables.of(as_of=JUNE, **{name: pd.DataFrame(rows) for name, rows in frames.items()})
    weeks = by_week(data)
    assert weeks["n"].tolist() == [10, 10, 10]
    assert weeks["returned_share"].tolist() == pytest.approx([0.4] * 3)
    assert weeks["load"].tolist() == [10, 10, 10]


def test_a_lead_without_a_handoff_is_not_accepted():
    """Where the assignment is the hand-off, an opportunity without it is no acceptance."""
    leads = pd.DataFrame(
        {
            "lead_id": ["L-1", "L-2"],
            "created_at": "2026-05-04",
            "assigned_at": ["2026-05-05", None],
        }
    )
    deals = pd.DataFrame(
        {
            "deal_id": ["D-1", "D-2"],
            "lead_id": ["L-1", "L-2"],
            "created_at": "2026-05-08",
            "outcome": "open",
        }
    )
    found = leads_with_handoff(Tables.of(leads=leads, deals=deals, as_of=JUNE))
    assert found.set_index("lead_id")["accepted_at"].notna().to_dict() == {
        "L-1": True,
        "L-2": False,
    }


def test_each_figure_is_computed_once(answer):
    assert answer.follow_up() is answer.follow_up()
    assert answer.time_split() is answer.time_split()


def test_every_sentence_is_short_and_neutral(answer):
    figures = [answer, answer.follow_up(), answer.time_split(), answer.attention()]
    figures += [answer.speed_to_lead(), answer.handoff_point(), answer.nurture_pool()]
    for result in figures:
        for sentence in re.split(r"(?<=[.])\s+(?=[A-Z0-9])", result.headline):
            assert len(sentence.split()) <= 26, sentence
        assert not unfit_words(" ".join([result.headline, *result.caveats]))
        result._repr_html_()
