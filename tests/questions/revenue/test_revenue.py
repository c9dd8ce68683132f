"""Revenue: movements to the cent, unread months, retention, churn and productivity."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import funnel
from funnel.checks import record_problems
from funnel.checks.subscription_months import subscription_months
from funnel.checks.text import sentence
from funnel.dataset import Tables
from funnel.dataset.saved import CACHE
from funnel.methods.recurring import MOVEMENTS, monthly_movements
from funnel.questions.revenue.productivity import days_at_work
from funnel.results import Say


def subscriptions(*rows, as_of=None, **plan):
    """Rows of account, month and MRR."""
    frame = pd.DataFrame(rows, columns=["account_id", "month", "mrr"])
    return Tables.of(subscriptions=frame, as_of=as_of, plan=plan)


def by_month(data):
    return funnel.revenue(data).months().table.set_index("month")


def moved(row):
    """Movements of a month that are not 0."""
    return {name: row[name] for name in MOVEMENTS if row[name]}


# movements


def test_one_account_five_movements(trap):
    data, expected = trap("c01")
    table = by_month(data)
    assert {month: moved(table.loc[month]) for month in table.index[1:]} == {
        month: parts for month, parts in expected.items() if month != "mrr"
    }
    assert table["mrr"].to_dict() == expected["mrr"]
    assert table.loc["2026-01", list(MOVEMENTS)].isna().all()  # an opening balance is no movement


def test_a_month_missing_for_all_is_no_churn_and_for_one_account_it_is(trap):
    data, expected = trap("c03")
    months = funnel.revenue(data).months()
    table = months.table.set_index("month")
    assert table.index[table["state"] != "loaded"].tolist() == expected["hole"]
    assert table.loc["2026-04", "since"] == "2026-02"
    assert moved(table.loc["2026-04"]) == {}
    assert moved(table.loc["2026-05"]) == expected["2026-05"]
    assert table["mrr"].replace({np.nan: None}).to_dict() == {"2026-01": 400} | expected["mrr"]
    assert "2026-03 is missing from the table" in months.caveats[0]


def test_lines_are_added_up_first_and_an_account_below_zero_counts_as_none(trap):
    data, expected = trap("c12")
    months = funnel.revenue(data).months()
    row = months.table.set_index("month").loc["2026-05"]
    assert (row["opening"], row["mrr"]) == (expected["start"], expected["end"])
    assert moved(row) == {name: expected[name] for name in ("contraction", "churn")}
    (found,) = months.found
    excluded = expected["set_aside"]
    assert (found.ids, found.money) == ((excluded["account_id"],), excluded["mrr"])
    assert row["mrr"] + found.money == expected["end_with_set_aside"]
    assert "-€50 of 1 account (B; 2026-05)" in months.caveats[0]
    assert len(data.subscriptions) == 5  # no line is rejected


ROWS = st.lists(
    st.tuples(
        st.sampled_from("ABCDEF"),
        st.integers(1, 9),
        st.integers(-99_999_999, 99_999_999).map(lambda units: units / 10_000),
        st.sampled_from(["Gold", "Silver", "discount"]),
    ),
    min_size=1,
    unique_by=lambda row: (row[0], row[1], row[3]),
)


@settings(max_examples=15)
@given(ROWS)
def test_movements_add_up_to_the_change_in_cents(rows):
    frame = pd.DataFrame(rows, columns=["account_id", "month", "mrr", "product"])
    frame["month"] = "2026-0" + frame["month"].astype("str") + "-01"
    table = monthly_movements(Tables.of(subscriptions=frame, as_of="2026-09-30"))
    change = (table["mrr"] - table["opening"]).dropna().round(2)
    parts = table.loc[change.index, list(MOVEMENTS)]
    assert (100 * parts % 1).round(4).isin([0, 1]).all(axis=None)
    assert parts.sum(axis=1).round(2).tolist() == change.tolist()
    known = table["mrr"].dropna()
    opened = known.iloc[0] + change.sum() if len(known) else 0
    assert not len(known) or round(opened, 2) == round(known.iloc[-1], 2)


def test_exchange_rates_are_a_movement_of_their_own(tmp_path, monkeypatch):
    rows = [("A", m, 100, "USD") for m in (4, 5)] + [("B", m, 50, "EUR") for m in (4, 5)]
    rows += [("C", 4, 10, "USD"), ("C", 5, 30, "USD"), ("D", 5, 20, "USD")]
    frame = pd.DataFrame(rows, columns=["account_id", "month", "mrr", "currency"])
    frame["month"] = "2026-0" + frame["month"].astype("str") + "-01"
    folder = tmp_path / "company"
    folder.mkdir()
    frame.to_csv(folder / "subscriptions.csv", index=False)
    rates = "currency,from,rate\nUSD,2026-01-01,0.9\nUSD,2026-05-01,0.8\n"
    (folder / "rates.csv").write_text(rates)
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    plan = {"records": {"rates": "rates.csv"}, "period": "month"}
    read, data = (funnel.load(folder, plan=plan) for _ in range(2))
    assert (read.saved_in, data.saved_in is None) == (None, False)  # the rates are saved too
    assert monthly_movements(read).equals(monthly_movements(data))
    # C pays 20 dollars more, at 0.9; A and C then lose 0.1 on 130 dollars; D is new at 0.8
    expected = {"new": 16.0, "expansion": 18.0, "currency": -13.0}
    assert moved(monthly_movements(data).iloc[1]) == expected
    answer = funnel.revenue(data).movements()
    table = answer.table.set_index("movement")
    assert {name: table.loc[name, "change"] for name in expected} == expected
    assert answer.mrr_now - answer.mrr_then == 21.0


# months that no figure may read


def half_loaded(n=40, loaded=9, months=("03", "04", "05", "06"), hole="06"):
    return [
        (f"A{account}", f"2026-{month}-01", 10.0)
        for month in months
        for account in range(loaded if month == hole else n)
    ]


@pytest.mark.parametrize("hole", ["04", "06"])
def test_a_month_loaded_in_part_is_a_finding_and_no_churn(hole):
    data = subscriptions(*half_loaded(hole=hole), measure="mrr")
    table = by_month(data)
    assert table.loc[f"2026-{hole}", "state"] == "month half loaded"
    assert not any(moved(row) for _, row in table.dropna(subset="new").iterrows())
    problem = record_problems(data).table.iloc[0]
    assert problem[["problem", "since", "n", "value"]].tolist() == [
        "month half loaded", f"2026-{hole}", 9, 40.0,
    ]  # fmt: skip
    (found,) = subscription_months(data).findings
    assert sentence(found, Say()).startswith(f"2026-{hole} has rows of 9 accounts, and 40 paid")


def test_every_measure_that_reads_the_newest_month_refuses_it():
    data = subscriptions(*half_loaded(), measure="mrr")
    why = "2026-06 is loaded in part"
    answer = funnel.revenue(data)
    assert why in answer.headline
    for each in (answer.movements(), answer.churn(), answer.retention(), funnel.why(data)):
        assert why in each.headline
    change = funnel.why(data).change().table.set_index("measure")
    assert change.loc[["mrr", "logo churn"], "gap"].tolist() == ["month half loaded"] * 2
    assert np.isnan(change.loc["mrr", "value"])


def test_a_missing_newest_month_is_not_replaced_by_an_earlier_one():
    rows = [row for row in half_loaded() if row[1] != "2026-06-01"]
    data = subscriptions(*rows, as_of="2026-06-30")
    row = funnel.revenue(data).table.set_index("figure").loc["mrr"]
    assert row[["gap", "gap_subject"]].tolist() == ["month missing", "2026-06"]
    assert "2026-06 is missing from the table" in funnel.revenue(data).headline


@pytest.mark.parametrize(
    ("n", "state"),
    [
        ([40, 40, 20, 40], ["loaded"] * 4),  # half is not under half
        ([3, 9, 30, 80], ["loaded"] * 4),  # growth
        ([80, 30, 28, 27], ["loaded"] * 4),  # a loss that lasts
        ([40, 9, 11, 40], ["loaded", "month half loaded", "month half loaded", "loaded"]),
        ([40, 9, 0, 40], ["loaded", "month half loaded", "month missing", "loaded"]),
    ],
)
def test_which_months_are_half_loaded(n, state):
    rows = [(f"A{i}", f"2026-0{m}-01", 5.0) for m, k in enumerate(n, 1) for i in range(k)]
    assert subscription_months(subscriptions(*rows)).table["state"].tolist() == state


def test_an_account_without_one_month_left_and_came_back_and_is_a_finding():
    rows = [
        (name, f"2026-0{m}-01", 7.0) for name in "ABC" for m in (1, 2, 3) if name + str(m) != "A2"
    ]
    data = subscriptions(*rows)
    table = by_month(data)
    assert moved(table.loc["2026-02"]) == {"churn": -7.0}
    assert moved(table.loc["2026-03"]) == {"reactivation": 7.0}
    (found,) = subscription_months(data).findings
    assert (found.kind, found.ids, found.money) == ("month missing for an account", ("A",), 7.0)


def test_accounts_in_several_currencies_are_not_added_up():
    rows = half_loaded(hole="")
    frame = pd.DataFrame(rows, columns=["account_id", "month", "mrr"])
    frame["currency"] = ["USD", "EUR"] * (len(frame) // 2)
    answer = funnel.revenue(Tables.of(subscriptions=frame, as_of="2026-06-30"))
    assert "accounts pay in several currencies, and the plan has no rates" in answer.headline
    assert answer.movements().table.empty


# retention and churn


def test_retention_is_of_the_same_accounts_then_and_now(trap):
    data, expected = trap("c05")
    found = funnel.revenue(data).retention()
    value = found.table.set_index("figure")["value"]
    assert found.mrr_then == expected["then"]
    for name in ("net", "gross", "logo"):
        exact = Fraction(expected[f"{name}_retention"])
        assert value[f"{name} retention"] == pytest.approx(float(exact), abs=1e-12)
    assert (found.mrr_later, found.n_later) == (expected["new_after"]["C"], 1)
    assert found.caveats[0] == "The same accounts then and now."


def test_an_account_that_came_back_was_not_kept(trap):
    data, expected = trap("c07")
    found = funnel.revenue(data).retention()
    assert found.mrr_then == expected["then"]
    assert found.table["value"].tolist() == [float(expected["net_retention"])] * 3
    assert (found.mrr_returned, found.n_returned, found.n_later) == (100, 1, 0)
    assert "are back, not kept" in found.caveats[1]
    assert by_month(data).loc["2026-06", "reactivation"] == expected["reactivation_2026_06"]


def growing_base():
    """A fifth of all accounts leaves in both quarters; the second one has twice as many."""
    rows = []
    for account in range(50):
        months = ["2025-12", "2026-01", "2026-02"] + ["2026-03"] * (account >= 10)
        rows += [(f"A{account}", f"{month}-01", 10.0) for month in months]
    for account in range(60):
        months = ["2026-03", "2026-04", "2026-05"]
        rows += [(f"B{account}", f"{month}-01", 10.0) for month in months]
    for account in range(10, 50):
        months = ["2026-04", "2026-05"] + ["2026-06"] * (account >= 30)
        rows += [(f"A{account}", f"{month}-01", 10.0) for month in months]
    rows += [(f"B{account}", "2026-06-01", 10.0) for account in range(60)]
    return subscriptions(*rows)


def test_a_flat_rate_of_a_growing_base_loses_more_money():
    answer = funnel.revenue(growing_base())
    rows = answer.churn().table.set_index("figure")
    money = rows.loc["mrr churn"]
    assert (money["lost"], money["lost_baseline"]) == (200.0, 100.0)
    assert (money["value"], money["value_baseline"]) == (0.2, 0.2)
    assert (money["from_base"], money["from_rate"]) == (pytest.approx(100.0), pytest.approx(0.0))
    assert rows.loc["logo churn", ["lost", "base"]].tolist() == [20, 100]
    assert "at the earlier rate the larger base lost €100 a month more" in answer.headline
    assert "+€100 with the size of the base, €0 with the rate" in answer.churn().headline


def test_joiners_lost_in_their_first_month_stand_apart():
    rows = [("A", f"2026-0{month}-01", 10.0) for month in range(1, 7)]
    rows += [("B", "2026-04-01", 5.0), ("C", "2026-04-01", 5.0), ("C", "2026-05-01", 5.0)]
    row = funnel.revenue(subscriptions(*rows)).churn().table.set_index("figure")
    joined = row.loc["joiners lost in their first month"]
    assert joined[["lost", "base"]].tolist() == [1, 2]
    assert row.loc["logo churn", ["lost", "base", "value", "n_baseline"]].tolist() == [0, 1, 0, 0]


def test_cohorts_are_compared_at_equal_age():
    rows = [("old", f"2025-{month:02}-01", 1.0) for month in range(1, 13)]
    rows += [("A", f"2025-0{month}-01", 10.0) for month in (2, 3, 4, 5)]
    rows += [("B", f"2025-0{month}-01", 10.0 + month) for month in range(3, 10)]
    rows += [("C", f"2025-{month:02}-01", 4.0) for month in (10, 11, 12)]
    found = funnel.revenue(subscriptions(*rows)).cohorts()
    table = found.table.set_index(["cohort", "age_months"])
    assert found.n_before == 1  # when it began is unknown
    assert table.loc[("2025Q1", 3), ["n", "kept"]].tolist() == [2, 1.0]
    assert table.loc[("2025Q1", 6), ["kept", "mrr_start", "mrr_kept"]].tolist() == [0.5, 23, 19]
    assert table.loc["2025Q4"].index.tolist() == [1]  # too recent for more


# bookings and productivity


def test_longer_contracts_add_to_bookings_and_not_to_recurring_revenue():
    deals = pd.DataFrame(
        {
            "deal_id": ["D1", "D2"],
            "created_at": ["2026-01-05", "2026-04-05"],
            "outcome": "won",
            "closed_at": ["2026-02-05", "2026-05-05"],
            "amount": [12_000.0, 36_000.0],
            "mrr": [1_000.0, 1_000.0],
        }
    )
    found = funnel.revenue(Tables.of(deals=deals, as_of="2026-06-30")).bookings()
    assert (found.term_baseline, found.term) == (12, 36)
    assert (found.from_mrr, found.from_term) == (0, 24_000)
    by_term = found.table.set_index("term")
    assert by_term.loc["more than a year", ["bookings", "mrr", "n"]].tolist() == [36_000, 1_000, 1]


def test_a_leaver_is_capacity_and_not_productivity(trap):
    data, expected = trap("c14")
    found = funnel.revenue(data).productivity()
    table = found.table.set_index("figure")
    parts = found.parts.set_index("part")["change"]
    exact = {name: float(Fraction(str(value).split("*")[0])) for name, value in expected.items()
             if "*" not in str(value)}  # fmt: skip
    assert table.loc["heads", "baseline"] == exact["heads_before"]
    assert table.loc["heads", "value"] == pytest.approx(exact["heads_now"], abs=1e-12)
    assert table.loc["bookings per head", "baseline"] == exact["per_head_before"]
    per_head_now = 333_000 * 91 / 303
    assert table.loc["bookings per head", "value"] == pytest.approx(per_head_now, abs=1e-6)
    assert parts["capacity"] == pytest.approx(exact["capacity"], abs=1e-6)
    assert parts["productivity"] == pytest.approx(exact["productivity"], abs=1e-6)
    assert parts["capacity"] + parts["productivity"] == pytest.approx(exact["change"], abs=1e-6)
    assert found.caveats[0] == "1 left or had fewer days: that is capacity, not productivity."


def test_a_quota_counts_for_the_days_at_work(trap):
    data, expected = trap("c16")
    found = funnel.revenue(data).attainment()
    *each, whole = found.table.to_dict("records")
    one, two = (float(Fraction(expected[name])) for name in ("rep1", "rep2"))
    assert sorted(row["attainment"] for row in each) == pytest.approx([one, two], abs=1e-12)
    leaver = min(each, key=lambda row: row["days"])
    assert (leaver["days"], leaver["quota"]) == (expected["rep1_days"], expected["rep1_quota"])
    assert whole["owner"] == "all"
    assert whole["attainment"] == pytest.approx(float(Fraction(expected["team"])), abs=1e-12)
    assert found.headline.startswith("Bookings are 106.7% of the quota that was in force")


def sales(closed_at=("2026-02-05", "2026-05-20"), owner=("rep-1", "rep-1"), **reps):
    deals = pd.DataFrame(
        {
            "deal_id": ["D1", "D2"],
            "created_at": "2026-01-05",
            "outcome": "won",
            "closed_at": list(closed_at),
            "amount": 10_000.0,
            "owner": list(owner),
        }
    )
    given = {"owner": ["rep-1", "rep-2"], "started_on": ["2024-01-01", "2026-02-01"]} | reps
    return Tables.of(deals=deals, reps=pd.DataFrame(given), as_of="2026-06-30")


def test_a_win_after_its_owner_left_is_flagged_and_counted():
    data = sales(left_on=["2026-04-30", None])
    found = funnel.revenue(data).productivity()
    assert (found.n_after_leaving, found.amount_after_leaving) == (1, 10_000.0)
    assert found.table.set_index("figure").loc["bookings", "value"] == 10_000.0
    assert any("closed after the owner left" in each for each in found.caveats)
    unknown = funnel.revenue(sales(owner=("rep-1", "rep-9"))).productivity()
    assert (unknown.n_unknown_owner, unknown.amount_unknown_owner) == (1, 10_000.0)


def test_a_joiner_counts_from_the_end_of_the_ramp():
    data = sales(ramp_days=[0, 90])
    found = funnel.revenue(data).productivity()
    heads = found.table.set_index("figure").loc["heads"]
    assert (heads["baseline"], heads["value"]) == (1.0, pytest.approx(1 + 60 / 91))
    assert found.parts.set_index("part").loc["joiners and ramp", "n"] == 1
    ramping = funnel.revenue(sales(ramp_days=[0, 365])).productivity()
    assert ramping.n_ramping == 1
    assert (days_at_work(data.reps, data.comparison.period, ramped=False) == 91).all()


def test_a_target_of_ones_own_replaces_the_quota():
    data = sales(quota=[1_000.0, 1_000.0])
    targets = pd.DataFrame(
        {"period_start": ["2026-04-01"], "measure": ["bookings"], "target": [20_000.0],
         "owner": ["rep-1"]}
    )  # fmt: skip
    reps = pd.DataFrame({"owner": ["rep-1"], "started_on": ["2024-01-01"], "quota": [1_000.0]})
    deals = data.deals.assign(owner="rep-1")[
        ["deal_id", "created_at", "outcome", "closed_at", "amount", "owner"]
    ]
    made = Tables.of(deals=deals, reps=reps, targets=targets, as_of="2026-06-30")
    row = funnel.revenue(made).attainment().table.iloc[0]
    assert (row["quota"], row["attainment"]) == (20_000.0, 0.5)


# the answer


def test_one_sentence_reconciles_the_directions():
    months = half_loaded(hole="", months=("12", "01", "02", "03", "04", "05", "06"))
    months = [(a, m.replace("2026-12", "2025-12"), r) for a, m, r in months]
    months += [(f"N{i}", "2026-06-01", 10.0) for i in range(20)]
    frame = pd.DataFrame(months, columns=["account_id", "month", "mrr"])
    deals = pd.DataFrame(
        {
            "deal_id": [f"D{i}" for i in range(200)],
            "created_at": "2026-01-02",
            "outcome": "won",
            "closed_at": ["2026-02-10"] * 160 + ["2026-05-10"] * 40,
            "amount": [1_000.0, 1_002.0] * 80 + [2_000.0, 2_004.0] * 20,
            "owner": "rep-1",
        }
    )
    reps = pd.DataFrame({"owner": ["rep-1"], "started_on": ["2024-01-01"]})
    data = Tables.of(deals=deals, reps=reps, subscriptions=frame, as_of="2026-06-30")
    answer = funnel.revenue(data)
    assert answer.headline == (
        "Bookings per salesperson fell by 50%; deal size rose by 100%; recurring revenue rose by "
        "50%; MRR churn shows no clear change."
    )
    assert answer.caveats == ()
    shown = answer.shown().set_index("figure")
    assert shown.loc["MRR (recurring revenue a month)", "period"] == "€600"


def test_what_is_missing_is_named():
    leads = pd.DataFrame({"lead_id": ["L"], "created_at": ["2026-05-01"]})
    answer = funnel.revenue(Tables.of(leads=leads))
    assert answer.headline == (
        "Nothing can be compared: there is no table of salespeople, and there is no table of "
        "subscriptions."
    )
    assert len(answer.caveats) == 3
    assert "no table of subscriptions" in answer.months().headline


FIGURES = ("movements", "months", "retention", "churn", "cohorts", "bookings", "productivity",
           "attainment")  # fmt: skip


@pytest.mark.parametrize("name", FIGURES)
def test_charts_state_the_headline_and_draw_the_table(name):
    from matplotlib import pyplot as plt

    answer = funnel.revenue(growing_base())
    found = getattr(answer, name)()
    ax = found.plot()
    assert ax.figure.get_label() == found.headline
    if name == "movements":
        drawn = sorted(bar.get_width() for bar in ax.patches)
        assert drawn == sorted(found.table.loc[found.table["n"] > 0, "change"])
    plt.close("all")
    assert answer.plot().figure.get_label() == answer.headline
    plt.close("all")
