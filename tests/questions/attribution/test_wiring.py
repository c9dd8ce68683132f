"""What charts draw and pages show, compared with the tables behind them."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from funnel.dataset import Tables
from funnel.methods.paths import NOT_TRACED
from funnel.questions.attribution import MODELS, attribution
from funnel.questions.attribution.charts import CHANGES_SHOWN

CHANNELS = np.array(["web", "email", "event", "demo"])


@pytest.fixture(scope="module")
def answer():
    """240 leads of which every second is won; every eighth has no touch; spend on two channels."""
    rng = np.random.default_rng(3)
    n = 240
    ids = [f"L{i:03d}" for i in range(n)]
    created = pd.Timestamp("2026-01-02", tz="UTC") + pd.to_timedelta(rng.integers(0, 120, n), "D")
    won = np.arange(n) % 2 == 0
    deals = pd.DataFrame(
        {
            "deal_id": [f"D{i:03d}" for i in range(n)],
            "lead_id": ids,
            "outcome": np.where(won, "won", "lost"),
            "created_at": created + pd.Timedelta("9D"),
            "closed_at": created + pd.Timedelta("40D"),
            "amount": rng.lognormal(7, 0.8, n).round(2),
        }
    )
    rows = [
        (ids[i], created[i] + pd.Timedelta(days=3 * step), channel)
        for i in range(n)
        if i % 8
        for step, channel in enumerate(
            rng.choice(CHANNELS, rng.integers(1, 5), p=[0.4, 0.3, 0.2, 0.1])
        )
    ]
    touches = pd.DataFrame(rows, columns=["lead_id", "occurred_at", "channel"])
    spend = pd.DataFrame(
        {"spent_on": ["2026-01-05"] * 2, "channel": ["web", "email"], "amount": [900.0, 400.0]}
    )
    leads = pd.DataFrame({"lead_id": ids, "created_at": created})
    data = Tables.of(as_of="2026-06-30", leads=leads, deals=deals, touches=touches, spend=spend)
    return attribution(data)


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def bar_widths(ax):
    return [patch.get_width() for patch in ax.patches]


def interval_ends(collection):
    """Low and high ends of the lines that `hlines` or `vlines` drew."""
    ends = np.array(collection.get_segments())
    axis = 0 if np.ptp(ends[:, :, 0], axis=1).any() else 1
    return ends[:, 0, axis], ends[:, 1, axis]


def assert_intervals(collection, rows, name, times=1.0):
    low, high = interval_ends(collection)
    assert low == pytest.approx(times * rows[f"{name}_low"].to_numpy())
    assert high == pytest.approx(times * rows[f"{name}_high"].to_numpy())


def labels_of(ax):
    return [text.get_text() for text in ax.get_yticklabels()]


def number(cell):
    return float(re.sub(r"[^\d.-]", "", cell))


def first_number(cell):
    return float(re.match(r"-?[\d.,]+", cell)[0].replace(",", ""))


def test_the_chart_of_first_touches_draws_shares_and_intervals(answer):
    ax, rows = answer.plot(), answer.by_channel
    assert bar_widths(ax) == pytest.approx(rows["share"].tolist())
    assert_intervals(ax.collections[0], rows, "share")
    assert labels_of(ax) == rows["channel"].tolist()


@pytest.mark.parametrize("model", ["first_touch", "linear", "markov"])
def test_the_chart_of_credit_draws_shares_and_intervals(answer, model):
    credit = answer.credit(model)
    ax, rows = credit.plot(), credit.table
    assert bar_widths(ax) == pytest.approx(rows["share"].tolist())
    assert_intervals(ax.collections[0], rows, "share")
    assert labels_of(ax) == rows["channel"].tolist()


def test_the_chart_of_models_draws_one_mark_per_model_and_channel(answer):
    models = answer.models()
    ax = models.plot()
    channels = models.table["channel"].drop_duplicates()
    assert labels_of(ax) == channels.tolist()
    for credit, line, drawn in zip(models.credits, ax.lines, ax.collections, strict=True):
        rows = credit.table.set_index("channel").loc[channels]
        assert line.get_xdata() == pytest.approx(rows["share"].to_numpy())
        assert line.get_label() == credit.model.replace("_", " ")
        assert_intervals(drawn, rows, "share")


def test_the_chart_of_lift_draws_lift_and_credit(answer):
    lift = answer.lift()
    ax, rows = lift.plot(), lift.table.dropna(subset="lift_share")
    names = ("lift_share", "credit_share")  # the third line marks zero
    for name, line, drawn in zip(names, ax.lines[:2], ax.collections, strict=True):
        assert line.get_xdata() == pytest.approx(rows[name].to_numpy())
        assert_intervals(drawn, rows, name)
    starred = [label.endswith(" *") for label in labels_of(ax)]
    assert starred == rows["disagrees"].tolist()


def test_the_chart_of_months_draws_coverage_and_its_intervals(answer):
    months = answer.months()
    ax, rows = months.plot(), months.table[::-1]
    assert ax.lines[0].get_ydata() == pytest.approx(rows["traced_share"].to_numpy())
    assert_intervals(ax.collections[0], rows, "traced_share")


def test_the_chart_of_path_changes_draws_points_and_intervals(answer):
    changes = answer.path_changes()
    ax = changes.plot()
    rows = changes.without_small_groups().ordered().dropna(subset="change").head(CHANGES_SHOWN)
    for line, drawn in zip([line for line in ax.lines if line.get_label() in set(rows["verdict"])],
                           ax.collections, strict=True):  # fmt: skip
        some = rows[rows["verdict"] == line.get_label()]
        assert line.get_xdata() == pytest.approx(100 * some["change"].to_numpy())
        assert_intervals(drawn, some, "change", times=100)


def test_the_chart_of_path_times_draws_medians_quartiles_and_intervals(answer):
    times = answer.path_times()
    ax, rows = times.plot(), times.table
    assert ax.lines[0].get_xdata() == pytest.approx(rows["median_days"].to_numpy())
    ends = np.array(ax.collections[0].get_segments())[:, :, 0]
    assert ends == pytest.approx(rows[["p25_days", "p75_days"]].to_numpy())
    ends = np.array(ax.collections[1].get_segments())[:, :, 0]
    assert ends == pytest.approx(rows[["median_days_low", "median_days_high"]].to_numpy())


def test_the_chart_of_common_paths_draws_every_traced_journey(answer):
    common = answer.common_paths()
    ax, flow = common.plot(), common.flow
    tall = [bar.get_height() for bar in ax.patches if round(bar.get_x() + 0.06) == 1]
    by_channel = flow[flow["position"] == 1].groupby("from_channel")["n"].sum()
    assert sorted(tall) == sorted(by_channel.tolist())
    assert len(ax.collections) == len(flow)


def test_the_chart_of_a_trace_draws_every_touch_on_its_day(answer):
    trace = answer.trace()
    ax = trace.plot()
    touches = trace.table[(trace.table["event"] == "touch") & ~trace.table["is_after"]]
    drawn = ax.lines[0]
    assert len(drawn.get_xdata()) == len(touches)
    lanes = [labels_of(ax)[int(place)] for place in drawn.get_ydata()]
    assert lanes == touches["what"].tolist()


@pytest.mark.parametrize("model", MODELS)
def test_credit_and_what_does_not_trace_are_what_was_booked_on_the_page_s_own_table(answer, model):
    credit = answer.credit(model)
    shown = credit.shown()
    booked, won = answer.table["amount"].sum(), len(answer.table)
    assert NOT_TRACED in set(shown["channel"])
    n = len(shown)
    assert sum(map(number, shown["credited EUR"])) == pytest.approx(booked, abs=0.5 * n)
    assert sum(map(number, shown["credited deals"])) == pytest.approx(won, abs=0.05 * n)
    shares = [first_number(cell) for cell in shown["share of booked value"]]
    assert shares == pytest.approx((100 * credit.table["share"]).tolist(), abs=0.5)


def test_the_answer_s_table_holds_every_won_deal_and_all_money(answer):
    shown = answer.shown()
    assert sum(map(number, shown["won deals"])) == len(answer.table)
    booked = answer.table["amount"].sum()
    assert sum(map(number, shown["EUR"])) == pytest.approx(booked, abs=0.5 * len(shown))
    credit = answer.credit().table.set_index("channel")
    by_channel = answer.by_channel.set_index("channel")
    assert by_channel["n_deals"].to_dict() == pytest.approx(credit["conversions"].to_dict())
    assert by_channel["amount"].to_dict() == pytest.approx(credit["value"].to_dict())


def test_numbers_of_the_headlines_are_those_of_the_tables(answer):
    top = answer.by_channel.iloc[0]
    assert f"{top['channel']}: {top['n_deals']} of {len(answer.table)}" in answer.headline
    untraced = (answer.table["reason"] != "").mean()
    assert f"{untraced:.0%} do not trace" in answer.headline
    credit = answer.credit("linear")
    first = credit.table.iloc[0]
    assert credit.headline.startswith(f"{first['channel']} is credited with {first['share']:.0%} (")
    low, high = map(float, re.search(r"likely ([\d.]+)% to ([\d.]+)%", credit.headline).groups())
    assert [low, high] == pytest.approx(
        [100 * first["share_low"], 100 * first["share_high"]], abs=0.5
    )
    lift = answer.lift()
    assert f"{lift.n_journeys} journeys with {lift.n_deals} won deals" in lift.headline
    effects = answer.removal_effects()
    assert f"{effects.table['removal_effect'].iloc[0]:.0%}" in effects.headline
    times = answer.path_times()
    whole = times.table[times.table["step"] == "first to end"].iloc[0]
    assert f"median of {whole['median_days']:.0f} days" in times.headline
    costs = answer.cost_per_win()
    assert f"{costs.table['channel'].iloc[0]}: €900" in costs.headline


def test_wins_behind_costs_are_shares_of_all_won_deals_and_lift_of_those_that_trace(answer):
    costs = answer.cost_per_win().table.set_index("channel")
    n_won, n_traced = len(answer.table), (answer.table["reason"] == "").sum()
    assert n_traced < n_won
    lift = answer.lift().table.set_index("channel").loc[costs.index]
    for end in ("", "_low", "_high"):
        lifted = costs[f"lifted_wins{end}"]
        assert lifted.tolist() == pytest.approx((n_traced * lift[f"lift{end}"]).tolist())
    credited = answer.credit("linear").table.set_index("channel")
    assert credited["conversions"].sum() == pytest.approx(n_won)
    conversions = credited.loc[costs.index, "conversions"]
    assert costs["credited_wins"].tolist() == pytest.approx(conversions.tolist())


def test_the_page_shows_lift_with_its_interval_and_the_wins_of_the_table(answer):
    lift = answer.lift()
    shown = lift.shown()
    assert [number(cell) for cell in shown["won deals"]] == lift.table["n_deals"].tolist()
    cells = shown["lift, of won deals"].str.replace("\u00a0", " ")
    for cell, row in zip(cells, lift.table.itertuples(), strict=True):
        assert cell == f"{row.lift:.0%} [{100 * row.lift_low:.0f} to {100 * row.lift_high:.0f}]"


def test_a_channel_called_like_a_label_is_not_taken_for_it(answer):
    data = answer.data
    touches = data.touches.assign(channel=data.touches["channel"].replace("web", NOT_TRACED))
    frames = {"leads": data.leads, "deals": data.deals, "touches": touches}
    again = attribution(Tables.of(as_of="2026-06-30", **frames))
    channels = again.credit().table["channel"]
    assert {f"channel: {NOT_TRACED}", NOT_TRACED} <= set(channels)
    assert channels.is_unique
    again.models().plot()
