"""What the page shows of conversion: charts and sentences against the tables behind them."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.collections import LineCollection

from funnel.contract.errors import ParameterError
from funnel.dataset import Tables
from funnel.questions.conversion import conversion, reach_by_age
from funnel.results import Say
from funnel.results.neutral_words import unfit_words
from funnel.results.paired_charts import NOW, THEN


@pytest.fixture(scope="module")
def answer():
    """Leads of nine months in two channels; from April on fewer become opportunities."""
    random, n = np.random.default_rng(8), 3600
    created = pd.Timestamp("2025-10-01", tz="UTC") + pd.to_timedelta(
        random.uniform(0, 273, n), unit="D"
    )
    is_new = created >= pd.Timestamp("2026-04-01", tz="UTC")
    channel = random.choice(["web", "fair"], n, p=[0.6, 0.4])
    ids = np.array([f"L{i}" for i in range(n)])
    opens = random.random(n) < np.where(is_new, 0.2, 0.4)
    opened = (created + pd.to_timedelta(random.exponential(9, n), unit="D"))[opens]
    closes = opened + pd.to_timedelta(random.exponential(20, opens.sum()), unit="D")
    won = random.random(opens.sum()) < 0.4
    end = pd.Timestamp("2026-07-01", tz="UTC")
    deals = pd.DataFrame(
        {
            "deal_id": "D" + pd.Series(ids[opens]),
            "lead_id": ids[opens],
            "created_at": opened,
            "outcome": np.where(closes >= end, "open", np.where(won, "won", "lost")),
            "closed_at": closes.where(closes < end),
            "amount": random.lognormal(9, 0.5, opens.sum()),
        }
    )
    leads = pd.DataFrame({"lead_id": ids, "created_at": created, "channel": channel})
    deals = deals[deals["created_at"] < end]
    data = Tables.of(leads=leads, deals=deals, as_of="2026-06-30")
    return conversion(data)


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def ends(ax, color=None, axis=0):
    """Ends of the intervals that are drawn as lines, in the order drawn."""
    found = []
    for each in ax.collections:
        if isinstance(each, LineCollection):
            same = color is None or np.allclose(
                each.get_colors()[0], plt.matplotlib.colors.to_rgba(color)
            )
            found += [tuple(segment[:, axis]) for segment in each.get_segments() if same]
    return found


def points(ax, label):
    return next(line for line in ax.lines if line.get_label() == label)


def two(table, name):
    return [pytest.approx(pair) for pair in table[[f"{name}_low", f"{name}_high"]].to_numpy()]


def compared_rows(result):
    rows = result.table[
        (result.table["segment"] == "all") & (result.table["state"] == "comparable")
    ]
    return rows[rows["age_days"] == rows["age_days"].max()]


def test_the_chart_of_steps_draws_both_periods_rates_and_intervals(answer):
    ax, rows = answer.plot(), compared_rows(answer)
    assert len(rows) == 3
    assert points(ax, "period").get_xdata().tolist() == rows["rate"].tolist()
    assert points(ax, "baseline").get_xdata().tolist() == rows["rate_baseline"].tolist()
    assert ends(ax, NOW) == two(rows, "rate")
    assert ends(ax, THEN) == two(rows, "rate_baseline")
    assert [label.get_text().replace("\n", " ") for label in ax.get_yticklabels()] == [
        Say().step(step) for step in rows["step"]
    ]


def test_the_charts_of_groups_draw_their_rates_and_intervals(answer):
    groups = answer.groups("channel")
    rows = groups.table[groups.table["is_overall"] & (groups.table["state"] == "comparable")]
    rows = rows[rows["age_days"] == rows["age_days"].max()]
    ax = groups.plot()
    assert ends(ax) == two(rows, "rate")
    assert ax.lines[0].get_xdata().tolist() == rows["rate"].tolist()
    within = answer.within("channel")
    split = within.table[(within.table["segment"] == "channel") & within.table["is_overall"]]
    split = split[split["age_days"] == split["age_days"].max()]
    ax = within.plot(chart="groups")
    assert ends(ax, NOW) == two(split, "rate")
    assert ends(ax, THEN) == two(split, "rate_baseline")


def test_the_chart_of_months_draws_each_month_at_both_ages(answer):
    months = answer.cohorts()
    ax = months.plot()
    last = months.table[months.table["stage"] == "won"]
    for line, (age, rows) in zip(ax.lines, last.groupby("age_days"), strict=True):
        assert line.get_label() == f"by day {age:g}"
        assert line.get_ydata() == pytest.approx(rows["reached"].to_numpy(), nan_ok=True)
    for band, (_, rows) in zip(ax.collections, last.groupby("age_days"), strict=False):
        drawn = band.get_paths()[0].vertices[:, 1]
        known = rows.dropna(subset="reached")
        assert drawn.min() == pytest.approx(known["reached_low"].min())
        assert drawn.max() == pytest.approx(known["reached_high"].max())


def test_the_charts_of_times_rates_and_the_cycle_draw_their_tables(answer):
    times = answer.time_to_convert()
    ax, rows = times.plot(), times.table
    assert ends(ax) == [pytest.approx(pair) for pair in rows[["p25_days", "p75_days"]].to_numpy()]
    assert ax.lines[0].get_xdata() == pytest.approx(rows["median_days"].to_numpy())
    win_rate = answer.win_rate()
    months = win_rate.table[win_rate.table["span"] == "month"].dropna(subset="win_rate")
    ax = win_rate.plot()
    assert ends(ax, axis=1) == two(months, "win_rate")
    assert ax.lines[0].get_ydata() == pytest.approx(months["win_rate"].to_numpy())
    cycle = answer.sales_cycle()
    ax = cycle.plot()
    for span, label in (("period", "this period"), ("baseline", "baseline")):
        curve = cycle.curve[cycle.curve["span"] == span]
        line = points(ax, label)
        assert line.get_ydata() == pytest.approx(curve["share"].to_numpy())
        dots = [
            each.get_xdata()
            for each in ax.lines
            if each.get_marker() == "o" and each.get_color() == line.get_color()
        ]
        assert dots == [[cycle.table.set_index("span").loc[span, "cycle_days"]]]


def test_the_chart_of_reach_draws_bars_and_intervals():
    leads = pd.DataFrame({"mql_age": [2, 5, None, None], "won_age": [9, None, None, None],
                          "follow_up": [40, 40, 40, 3]})  # fmt: skip
    result = reach_by_age(leads, 30)
    ax = result.plot()
    heights = [bar.get_height() for bar in ax.patches]
    assert heights == pytest.approx(result.table["reached"].tolist())
    assert ends(ax, axis=1) == two(result.table, "reached")


def test_the_headline_names_the_numbers_of_the_table(answer):
    rows = compared_rows(answer).set_index("step")
    row, say = rows.loc["lead to opportunity"], Say()
    assert row["verdict"] == "moved"
    assert row["change"] < 0
    sentence = (
        f"Leads turned into opportunities: {say.rate(row['rate'])}, was "
        f"{say.rate(row['rate_baseline'])} "
        f"({say.points_apart(row['change_low'], row['change_high'])})."
    )
    assert sentence in answer.headline
    assert "points lower" in sentence
    assert f"by day {row['age_days']:g} of age" in answer.headline


def test_the_table_in_words_shows_period_and_baseline_in_their_columns(answer):
    shown, rows = answer.shown(), compared_rows(answer)
    for cell, n in zip(shown["this period"], rows["n"], strict=True):
        assert cell.endswith(f"{n:,}")
    for cell, n in zip(shown["baseline"], rows["n_baseline"], strict=True):
        assert cell.endswith(f"{n:,}")


def test_period_and_baseline_are_the_leads_created_in_each(answer):
    data = answer.data
    row = compared_rows(answer).iloc[0]
    for n, span in (
        (row["n"], data.comparison.period),
        (row["n_baseline"], data.comparison.baseline),
    ):
        assert n == data.plan.within(data.leads["created_at"], span).sum()


def test_each_figure_is_computed_once_and_stands_on_the_same_dataset(answer):
    assert answer.cohorts() is answer.cohorts()
    assert answer.within() is answer.within()
    assert answer.within().by == answer.data.plan.segments == ("channel",)
    assert answer.within().ages == answer.ages
    assert answer.simpson().table["segment"].unique().tolist() == ["channel"]
    table = answer.within().table
    pd.testing.assert_frame_equal(
        table[table["segment"] == "all"].reset_index(drop=True), answer.table
    )


def test_every_sentence_is_short_and_neutral(answer):
    figures = [answer, answer.within(), answer.simpson(), answer.cohorts(), answer.groups()]
    figures += [answer.time_to_convert(), answer.win_rate(), answer.sales_cycle()]
    for result in figures:
        for sentence in re.split(r"(?<=[.])\s+(?=[A-Z0-9])", result.headline):
            assert len(sentence.split()) <= 24, sentence
        assert not unfit_words(" ".join([result.headline, *result.caveats]))
        result._repr_html_()


@pytest.mark.parametrize("by", ["lead_id", "created_at"])
def test_keys_and_times_make_no_groups(answer, by):
    with pytest.raises(ParameterError, match=f"`{by}`.*channel or region"):
        answer.within(by)
