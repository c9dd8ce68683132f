"""The change of a period: by hand, with few rows, and split exactly among its factors."""

import datetime as dt
import itertools
import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funnel.contract.errors import ParameterError
from funnel.contract.periods import Period
from funnel.contract.plan import Company
from funnel.dataset import Tables
from funnel.methods.bridge import explain_change
from funnel.methods.change_intervals import (
    Typical,
    change_of_means,
    change_of_totals,
    total_interval,
)
from funnel.questions.why.change import period_change
from funnel.questions.why.measures import Measures
from funnel.questions.why.text import gap_text
from funnel.results import Say


def deals_of(*days, amount=100.0, outcome="won", prefix="D"):
    return pd.DataFrame(
        {
            "deal_id": [f"{prefix}{i}" for i in range(len(days))],
            "created_at": "2024-01-01",
            "closed_at": list(days),
            "outcome": outcome,
            "amount": amount,
        }
    )


def spread(first, last, n):
    return pd.date_range(first, last, periods=n).strftime("%Y-%m-%dT%H:%M:%SZ").tolist()


def rows(plan=None, as_of="2026-06-30", **frames):
    change = period_change(Tables.of(as_of=as_of, plan=plan, **frames))
    return change, change.table.set_index("measure")


STEADY = deals_of(*spread("2025-01-05", "2026-06-29", 540))


def test_each_measure_by_hand():
    deals = pd.concat(
        [
            deals_of("2026-02-03", "2026-03-31T23:59:59Z", amount=[100.0, 300.0], prefix="A"),
            deals_of("2026-04-01", "2026-05-02", "2026-06-30T12:00:00Z", amount=50.0, prefix="B"),
            deals_of("2026-02-01", "2026-02-02", outcome="lost", prefix="C"),
            deals_of("2026-05-01", outcome="lost", prefix="E"),
        ],
        ignore_index=True,
    )
    _, table = rows(deals=deals)
    assert table.loc["bookings", ["value", "baseline", "change"]].tolist() == [150, 400, -250]
    assert table.loc["bookings", "change_share"] == pytest.approx(-250 / 400)
    assert table.loc["wins", ["value", "baseline"]].tolist() == [3, 2]
    assert table.loc["average deal size", ["value", "baseline"]].tolist() == [50, 200]
    assert table.loc["win rate", ["value", "baseline"]].tolist() == [3 / 4, 2 / 4]
    assert table.loc["win rate", ["n_period", "n_baseline"]].tolist() == [4, 4]
    assert gap_text(table.loc["leads"], Say()) == "there is no table of leads"
    assert (table["verdict"] == "cannot tell").all()


def test_a_period_begins_at_local_midnight():
    from funnel.contract.plan import Plan

    late = deals_of(*spread("2025-01-05", "2026-03-30", 300), "2026-03-31T22:30:00Z")
    plan = Plan.of({"company": {"timezone": "Europe/Berlin"}})
    assert rows(deals=late)[1].loc["wins", "value"] == 0
    assert rows(plan=plan, deals=late)[1].loc["wins", "value"] == 1


def test_the_plans_measure_comes_first_and_answers():
    change, _ = rows(plan={"measure": "wins"}, deals=STEADY)
    assert change.table["measure"].tolist()[0] == "wins"
    assert change.headline.startswith(
        "Wins fell by 1% to 89 in Apr-Jun 2026, from 90 in Jan-Mar 2026."
    )


def test_each_verdict():
    many = deals_of(*spread("2025-01-05", "2026-06-29", 40_000))
    assert rows(deals=many)[1].loc["wins", "verdict"] == "did not move"
    fewer = pd.concat([STEADY, deals_of(*spread("2026-01-02", "2026-03-30", 300), prefix="X")])
    change, table = rows(deals=fewer)
    assert table.loc["wins", "verdict"] == "moved"
    assert table.loc["wins", "high"] < 0
    assert change.headline.startswith("Bookings fell by")
    assert rows(deals=STEADY)[1].loc["wins", "verdict"] == "cannot tell"


def test_to_date_takes_the_same_number_of_days_and_says_so():
    change, table = rows(as_of="2026-05-15", deals=STEADY)
    assert change.comparison.period.n_days == change.comparison.baseline.n_days == 45
    assert "first 45 days" in " ".join(change.caveats)
    assert abs(table.loc["wins", "value"] - table.loc["wins", "baseline"]) <= 1


@pytest.mark.parametrize(
    ("first", "part"), [("2026-04-05", "is before that"), ("2026-03-20", "in part only")]
)
def test_a_baseline_before_the_record_begins_is_none(first, part):
    change, table = rows(deals=deals_of(*spread(first, "2026-06-29", 300)))
    assert table.loc["bookings", "verdict"] == "cannot tell"
    assert part in gap_text(table.loc["bookings"], Say(), change.comparison)
    assert math.isnan(table.loc["bookings", "low"])
    assert part in change.headline


def test_a_slow_start_by_chance_is_no_late_record():
    few = deals_of("2026-02-20", "2026-04-04", "2026-06-01")
    assert rows(deals=few)[1].loc["wins", "gap"] == ""


def test_missing_and_negative_amounts():
    amounts = np.where(np.arange(540) % 10 == 0, np.nan, 100.0)
    change, table = rows(deals=STEADY.assign(amount=amounts))
    assert "17 of 179 won deals of the two periods have no amount" in " ".join(change.caveats)
    assert table.loc["average deal size", "n_period"] < table.loc["wins", "n_period"]
    refunds = STEADY.assign(amount=np.where(np.arange(540) % 2 == 0, 100.0, -150.0))
    row = rows(deals=refunds)[1].loc["bookings"]
    assert row["value"] < 0 and math.isnan(row["change_share"])
    assert row["low"] < row["change"] < row["high"]


def test_without_lost_deals_there_is_no_win_rate():
    assert rows(deals=STEADY)[1].loc["win rate", "gap"] == "no lost deals"


@pytest.mark.parametrize(
    "frames",
    [
        {"leads": pd.DataFrame({"lead_id": ["L1"], "created_at": ["2026-06-01"]})},
        {"deals": STEADY.assign(outcome="open", closed_at=None)},
        {"deals": deals_of("2026-06-01", amount=None)},
        {"deals": deals_of("2024-06-01")},
    ],
    ids=["leads only", "all open", "no amount", "nothing for two years"],
)
def test_little_or_nothing_is_a_sentence(frames):
    change, table = rows(**frames)
    assert (table["verdict"] == "cannot tell").all() or not table["gap"].any()
    assert change.headline.endswith(".")
    assert "nan" not in change.headline.lower()


def test_zero_deals_against_some_has_an_interval():
    row = rows(deals=deals_of(*spread("2025-01-05", "2026-03-30", 450)))[1].loc["wins"]
    assert row["value"] == 0 and row["verdict"] == "moved"
    # no total without refunds falls by more than all there was
    assert row["low"] == -row["baseline"] < row["high"] < 0


def test_recurring_revenue_takes_each_periods_last_month():
    months = pd.DataFrame(
        {
            "account_id": ["A", "B", "A", "B", "A", "C"],
            "month": ["2026-03-01"] * 2 + ["2026-05-01"] * 2 + ["2026-06-01"] * 2,
            "mrr": [10.0, 20.0, 99.0, 99.0, 15.0, 40.0],
        }
    )
    _, table = rows(plan={"measure": "mrr"}, deals=STEADY, subscriptions=months)
    row = table.loc["mrr"]
    assert row[["value", "baseline", "n_period", "n_baseline"]].tolist() == [55, 30, 2, 2]
    assert row["low"] < 25 < row["high"]


def test_the_recurring_revenue_of_the_bridge_comes_first():
    deals = STEADY.assign(mrr=np.arange(540) % 7 * 10.0)
    months = pd.DataFrame({"account_id": ["A"], "month": ["2026-06-01"], "mrr": [10.0]})
    change, table = rows(plan={"measure": "mrr"}, deals=deals, subscriptions=months)
    won = deals[deals["closed_at"] >= "2026-04-01"]
    assert change.table["measure"].tolist()[0] == "new mrr"
    assert table.loc["new mrr", "value"] == won["mrr"].sum()
    assert "mrr" in table.index
    assert "mrr" not in rows(plan={"measure": "mrr"}, deals=deals)[1].index


def test_rows_recompute_the_figures():
    change, table = rows(deals=STEADY)
    ids = change.rows[change.rows["figure"] == "bookings, 2026Q2"]["id"]
    assert STEADY.set_index("deal_id").loc[ids, "amount"].sum() == table.loc["bookings", "value"]


def test_periods_in_words():
    quarter = Period(dt.date(2026, 1, 1), dt.date(2026, 3, 31), "2026Q1")
    assert Say().span(quarter.start, quarter.end) == "Jan-Mar 2026"
    assert Say().span(dt.date(2026, 2, 1), dt.date(2026, 2, 28)) == "Feb 2026"
    assert "2026" in Say(Company(locale="de")).span(quarter.start, quarter.end)


def test_the_chart_draws_the_rows_of_the_table():
    from matplotlib import pyplot as plt

    change, table = rows(deals=STEADY)
    ax = change.plot()
    ax.figure.canvas.draw()
    assert "bookings" in ax.figure.get_label() and "cannot tell" in ax.figure.get_label()
    shown = table[(table["baseline"] > 0) & table["low"].notna()]
    share = shown[["low", "change", "high"]].div(shown["baseline"], axis=0)
    drawn = [each.get_segments()[0][:, 0] for each in ax.collections]
    assert np.array(drawn) == pytest.approx(share[["low", "high"]].to_numpy())
    points = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "o"]
    assert points == pytest.approx(share["change"].tolist())
    assert [note.get_text() for note in ax.texts] == shown["verdict"].tolist()
    rows(leads=pd.DataFrame({"lead_id": ["L"], "created_at": ["2026-06-01"]}))[0].plot()
    plt.close("all")


def test_the_page_gives_the_numbers_of_the_table():
    change, table = rows(deals=STEADY)
    shown = change.shown().set_index("figure")
    for name, row in table[table["value"].notna()].iterrows():
        cells = shown.loc[f"{name[:1].upper()}{name[1:]}"]
        assert cells["verdict"] == row["verdict"]
        if row["unit"] == "count":
            assert cells["period"] == Say().number(row["value"])
            assert cells["baseline"] == Say().number(row["baseline"])
            assert cells["change"].startswith(
                Say().share(row["change"] / row["baseline"], sign=True)
            )


# Intervals

AMOUNT = st.integers(-10_000_000, 10_000_000).map(lambda cents: cents / 100)


@given(n=st.integers(0, 40), level=st.sampled_from([0.8, 0.9, 0.95]))
def test_a_total_of_ones_has_the_exact_poisson_interval(n, level):
    from funnel.stats import poisson_interval

    found = total_interval(np.ones(n), Typical(1.0, 1.0), level)
    assert found == pytest.approx(tuple(float(end) for end in poisson_interval(n, level)))


@given(now=st.lists(AMOUNT, max_size=8), then=st.lists(AMOUNT, max_size=8))
@settings(deadline=None)
def test_an_interval_of_a_change_holds_it_and_mirrors(now, then):
    low, high = change_of_totals(now, then, 0.9)
    change = sum(now) - sum(then)
    if not any(now) and not any(then):
        assert math.isnan(low) and math.isnan(high)
        return
    slack = 1e-6 * (1 + abs(change))
    assert low - slack <= change <= high + slack
    mirrored = change_of_totals(then, now, 0.9)
    assert mirrored == pytest.approx((-high, -low), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(("mean", "sigma"), [(40, 1.0), (5, 0.5), (100, 0.0)])
def test_nine_intervals_in_ten_hold_the_truth(mean, sigma):
    random = np.random.default_rng(11)
    held = 0
    for _ in range(1000):
        now, then = (
            np.exp(sigma * random.standard_normal(random.poisson(mean * k))) for k in (1.0, 1.3)
        )
        low, high = change_of_totals(now, then, 0.9, history=[1.0])
        held += low <= mean * (1 - 1.3) * math.exp(sigma**2 / 2) <= high
    assert 0.86 <= held / 1000 <= 0.97


def test_weeks_that_vary_more_widen_the_interval():
    random = np.random.default_rng(3)
    end = pd.Timestamp("2026-07-01", tz="UTC")

    def interval(weekly):
        weeks = np.repeat(np.arange(len(weekly)), weekly)
        days = (end - pd.to_timedelta(7 * weeks + 3, unit="D")).strftime("%Y-%m-%dT%H:%M:%SZ")
        leads = pd.DataFrame({"lead_id": [f"L{i}" for i in range(len(days))], "created_at": days})
        measures = Measures(Tables.of(as_of="2026-06-30", leads=leads))
        return measures.figure("leads"), measures._dispersion(measures.leads["created_at"])

    lumpy, dispersion = interval(random.poisson(random.gamma(5, 4, 110)))
    assert 3 < dispersion < 8
    even, of_even = interval(random.poisson(20, 110))
    assert of_even < 1.5
    assert lumpy.high - lumpy.low > 1.4 * (even.high - even.low)
    # within a year, a week without rows is a week: half of them are silent, the others are alike
    assert interval(40 * random.integers(0, 2, 50))[1] > 10
    narrow, wide = (change_of_totals(np.ones(50), np.ones(60), 0.9, dispersion=d) for d in (1, 4))
    assert wide[0] + 10 == pytest.approx(2 * (narrow[0] + 10))


def test_a_mean_of_one_value_has_no_interval():
    assert all(math.isnan(end) for end in change_of_means([1.0], [1.0, 2.0], 0.9))


# A change split among its factors


COUNTS = st.lists(st.integers(0, 60), min_size=3, max_size=3).map(
    lambda counts: sorted(counts, reverse=True)
)
ROW = st.tuples(COUNTS, st.integers(-900, 900)).map(
    lambda row: [*row[0], row[1] if row[0][-1] else 0]
)


def _factors(table, other):
    def over(part, whole, other_part, other_whole):
        if whole:
            return Fraction(part) / whole
        return Fraction(other_part) / other_whole if other_whole else Fraction(0)

    volume, other_volume = (sum(row[0] for row in each) for each in (table, other))
    return [
        [
            Fraction(volume),
            over(row[0], volume, its[0], other_volume),
            *(over(row[k + 1], row[k], its[k + 1], its[k]) for k in range(len(row) - 1)),
        ]
        for row, its in zip(table, other, strict=True)
    ]


def _by_brute_force(before, after):
    """Let the drivers change one after the other, for all segments at once, in every order."""
    old, new = _factors(before, after), _factors(after, before)
    n = len(old[0])
    shares = [Fraction(0)] * n
    for order in itertools.permutations(range(n)):
        now = [list(each) for each in old]
        value = sum(map(math.prod, now))
        for driver in order:
            for mine, its in zip(now, new, strict=True):
                mine[driver] = its[driver]
            moved = sum(map(math.prod, now))
            shares[driver] += moved - value
            value = moved
    return [share / math.factorial(n) for share in shares]


def tables(before, after, columns=("lead", "sql", "won", "value"), index=None):
    return tuple(pd.DataFrame(each, index, list(columns)) for each in (before, after))


def totals_of(table):
    return table[table["segment"].isna()].set_index("driver")["contribution"]


def compared_with_brute_force(before, after, columns=("lead", "sql", "won", "value")):
    explained = explain_change(*tables(before, after, columns))
    total = totals_of(explained.table)
    expected = [float(share) for share in _by_brute_force(before, after)]
    assert total.drop("residual", errors="ignore").tolist() == pytest.approx(
        expected, rel=1e-14, abs=1e-9
    )
    assert total.sum() == pytest.approx(explained.change, rel=1e-14, abs=1e-9)
    by_driver = explained.table.dropna(subset="segment").groupby("driver")["contribution"].sum()
    for driver, share in total.items():
        assert by_driver[driver] == pytest.approx(share, rel=1e-12, abs=1e-9)
    return explained


@given(pairs=st.lists(st.tuples(ROW, ROW), min_size=1, max_size=3))
@settings(max_examples=25, deadline=None)
def test_shares_are_those_over_all_orders(pairs):
    compared_with_brute_force(*([list(row) for row in each] for each in zip(*pairs, strict=True)))


ODD = {
    "one stage": ([[10, 70], [4, 90]], [[7, 80], [9, 10]], ("lead", "value")),
    "new and lost": ([[10, 4, 2, 70], [0, 0, 0, 0]], [[0, 0, 0, 0], [9, 9, 3, 11]]),
    "empty in both": ([[0, 0, 0, 0], [5, 4, 3, 10]], [[0, 0, 0, 0], [6, 4, 1, 10]]),
    "nothing before": ([[0, 0, 0, 0]], [[6, 4, 1, 10]]),
    "nothing at all": ([[0, 0, 0, 0]], [[0, 0, 0, 0]]),
    "no value": ([[9, 5, 2, 0]], [[6, 4, 1, 0]]),
    "refunds": ([[9, 5, 2, -70], [8, 5, 2, 20]], [[6, 4, 1, 30], [9, 5, 3, -99]]),
    "drivers that cancel": ([[100, 50, 10, 1000]], [[200, 50, 10, 1000]]),
    "segments that cancel": ([[9, 5, 2, 70], [8, 5, 2, 20]], [[8, 5, 2, 20], [9, 5, 2, 70]]),
    "a dead step": ([[9, 0, 0, 0], [8, 5, 2, 20]], [[9, 5, 2, 20], [8, 0, 0, 0]]),
    "more won than led": ([[3, 9, 20, 5e8]], [[4, 9, 30, 7.5e8]]),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_odd_tables_are_split_as_over_all_orders(odd):
    compared_with_brute_force(*odd)


def test_the_names_and_the_order_of_segments_change_nothing():
    before, after = tables([[9, 5, 2, 70], [8, 5, 2, 20]], [[6, 4, 1, 30], [9, 5, 3, 99]])
    one = totals_of(explain_change(before, after).table)
    named = [each.set_axis(["web", "fair"]) for each in (before, after)]
    assert totals_of(explain_change(named[0], named[1][::-1]).table).equals(one)
    two = [each.set_axis(pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])) for each in named]
    explained = explain_change(*two).table
    assert totals_of(explained).equals(one)
    assert set(explained["segment"].dropna()) == {"a / 1", "b / 2"}


@pytest.mark.parametrize(
    "kind",
    [
        lambda table: table.astype("Int64"),
        lambda table: table.astype("Float64"),
        lambda table: table.astype("uint16"),
        lambda table: table.map(lambda cell: Decimal(int(cell))),
        lambda table: table.map(lambda cell: Fraction(int(cell))),
        lambda table: table.astype(object),
    ],
    ids=["Int64", "Float64", "uint16", "Decimal", "Fraction", "object"],
)
def test_numbers_of_any_kind_are_read(kind):
    before, after = tables([[9, 5, 2, 70], [8, 5, 2, 20]], [[6, 4, 1, 30], [9, 5, 3, 99]])
    assert explain_change(kind(before), kind(after)).table.equals(
        explain_change(before, after).table
    )


WHOLE = st.lists(st.integers(1, 60), min_size=4, max_size=4)


@given(pairs=st.lists(st.tuples(WHOLE, WHOLE), min_size=1, max_size=3))
@settings(max_examples=25, deadline=None)
def test_the_second_method_has_no_residual_and_mirrors(pairs):
    before, after = tables(*zip(*pairs, strict=True))
    explained = explain_change(before, after)
    total = totals_of(explained.lmdi)
    assert total.index.tolist() == totals_of(explained.table).index.tolist()
    assert total.sum() == pytest.approx(explained.change, abs=1e-9)
    back = totals_of(explain_change(after, before).lmdi)
    assert back.tolist() == pytest.approx((-total).tolist(), abs=1e-9)
    slow = np.zeros(len(total))
    both = (_factors(*_lists(*each)) for each in ((before, after), (after, before)))
    for old, new in zip(*both, strict=True):
        values = [float(math.prod(each)) for each in (old, new)]
        mean = values[0]
        if values[0] != values[1]:
            mean = (values[1] - values[0]) / math.log(values[1] / values[0])
        slow += [mean * math.log(float(now / then)) for then, now in zip(old, new, strict=True)]
    assert total.tolist() == pytest.approx(slow.tolist(), abs=1e-9)


def _lists(*frames):
    return [each.to_numpy().tolist() for each in frames]


def test_the_second_opinion_agrees_where_one_driver_changed_and_has_none_on_zero():
    before, after = tables([[9, 6, 3, 90], [8, 6, 3, 30]], [[18, 12, 6, 180], [16, 12, 6, 60]])
    explained = explain_change(before, after)
    assert totals_of(explained.lmdi).tolist() == pytest.approx([120, 0, 0, 0, 0])
    assert totals_of(explained.table).tolist() == pytest.approx([120, 0, 0, 0, 0])
    lost = explain_change(before, after.iloc[:1]).lmdi
    by_segment = lost.dropna(subset="segment").groupby("segment")["contribution"]
    # what only one of the segments has is known; volume and mix hang on both
    assert by_segment.count().tolist() == [3, 0] and totals_of(lost).isna().all()


def test_a_new_and_a_lost_segment_invent_no_rate():
    columns = ["lead", "won", "value"]
    before = pd.DataFrame([[100, 10, 1000.0]], index=["old"], columns=columns)
    after = pd.DataFrame([[100, 20, 1000.0]], index=["new"], columns=columns)
    explained = explain_change(before, after).table.dropna(subset="segment")
    moved = explained.set_index(["driver", "segment"])["contribution"]
    assert moved["lead to won", "new"] == moved["deal size", "old"] == 0
    assert explained["contribution"].sum() == pytest.approx(0)


def test_value_that_no_product_holds_is_residual():
    columns = ["lead", "won", "value"]
    before = pd.DataFrame([[10, 1, 100.0]], columns=columns)
    after = pd.DataFrame([[10, 0, -40.0]], columns=columns)
    total = explain_change(before, after).table.query("segment.isna()").set_index("driver")
    assert total.loc["residual", "contribution"] == pytest.approx(-40)
    assert total["contribution"].sum() == pytest.approx(-140)


def test_a_small_residual_is_kept_with_a_large_value():
    before, after = tables([[5, 2, 1, 4e9], [9, 3, 0, 0]], [[5, 2, 1, 4e9], [9, 3, 0, 0.5]])
    assert totals_of(explain_change(before, after).table)["residual"] == 0.5


RIGHT = pd.DataFrame({"lead": [9, 8], "won": [2, 2], "value": [70, 20]}, index=["web", "fair"])


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (RIGHT[["lead", "value", "won"]], "then `value`"),
        (RIGHT[["value"]], "then `value`"),
        (RIGHT.set_axis(["lead", "lead", "value"], axis=1), "each once"),
        (RIGHT.assign(lead=[-1, 8]), "a count below 0 in 1 of 6 cells.*`lead` of web"),
        (RIGHT.assign(lead=[np.nan, 8]), "no number in 1 of 6 cells.*`lead` of web"),
        (RIGHT.assign(value=[np.inf, 8]), "`value` of web"),
        (RIGHT.astype("Int64").replace(8, pd.NA), "`lead` of fair"),
        (RIGHT.assign(lead="many"), "`lead` of web, `lead` of fair"),
        (RIGHT.set_axis(["web", "web"]), "twice: web"),
        (RIGHT.set_axis(["web", None]), "has no name"),
        (RIGHT.set_axis([1, "1"]), "twice: 1"),
        (RIGHT.to_dict(), "must be a table"),
    ],
)
def test_tables_that_make_no_sense_are_refused(wrong, says):
    with pytest.raises(ParameterError, match=says):
        explain_change(wrong, wrong)


def test_tables_of_other_columns_are_refused_with_both_named():
    with pytest.raises(ParameterError, match="`before` has lead, won, value; `after` has won"):
        explain_change(RIGHT, RIGHT[["won", "value"]])


def test_nothing_less_than_a_comparison_of_0_is_likely():
    deals = pd.DataFrame(
        {
            "deal_id": ["D-1", "D-2", "D-3"],
            "created_at": "2025-12-01",
            "closed_at": ["2025-12-05", "2026-05-05", "2026-06-05"],
            "outcome": "won",
            "amount": [100.0, 200.0, 300.0],
        }
    )
    headline = period_change(Tables.of(as_of="2026-06-30", deals=deals)).headline
    assert "Likely €0 to €" in headline, headline
