"""Promotions: weeks by hand, planted lifts and pull-forward, controls, money, and odd rows."""

import dataclasses
import datetime as dt
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import funnel
from funnel.contract.errors import ParameterError
from funnel.dataset import Tables
from funnel.methods.season.day_weights import fit_day_weights
from funnel.methods.season.series import series
from funnel.questions.promotions import fit, promotions, value, weeks
from funnel.questions.promotions.promos import read_promotions
from funnel.questions.promotions.scope import scope_of
from funnel.questions.promotions.text import promotion_notes
from funnel.results import Say
from funnel.results.neutral_words import unfit_words

FIRST, LAST = dt.date(2025, 5, 5), dt.date(2025, 5, 25)
END = "2025-12-31"


def daily(seed=0, *, lift=0.0, pull=0.0, rate=12.0, years=3.0, spread=1.5, span=(FIRST, LAST)):
    """Leads by day: fewer at weekends, a random-walk level, a lift, and its pay-back.

    `pull` is how much of the lift comes out of the weeks after, 0 to 1.
    """
    random = np.random.default_rng(seed)
    days = pd.date_range(end=END, periods=int(365.25 * years))
    level = np.cumsum(random.normal(0, 0.015, len(days) // 7 + 1)).repeat(7)[: len(days)]
    mean = rate * np.exp(level) * np.where(days.day_of_week < 5, 1, 0.3)
    first, last = (pd.Timestamp(day) for day in span)
    in_promo = (days >= first) & (days <= last)
    n_after = 7 * weeks.weeks_after(*span)
    after = (days > last) & (days <= last + pd.Timedelta(days=n_after))
    mean = mean * np.where(in_promo, 1 + lift, 1.0)
    mean = mean * np.where(after, 1 - pull * lift * in_promo.sum() / n_after, 1.0)
    if spread > 1:
        mean = random.gamma(mean / (spread - 1), spread - 1)
    return pd.Series(random.poisson(mean), index=days)


def leads_of(**channels):
    """Leads as the contract has them, one row each, from counts by day."""
    parts = [
        pd.DataFrame({"created_at": counts.index.repeat(counts), "channel": channel})
        for channel, counts in channels.items()
    ]
    frame = pd.concat(parts, ignore_index=True)
    frame["created_at"] += pd.Timedelta(hours=12)
    return frame.assign(lead_id=[f"L{n}" for n in range(len(frame))])


def promo_rows(*rows, **columns):
    frame = pd.DataFrame(list(rows), columns=["promo", "starts_on", "ends_on"])
    return frame.assign(**columns)


MAY = ("May sale", FIRST, LAST)


def company(promos, plan=None, as_of=END, **channels):
    return Tables.of(leads=leads_of(**channels), promos=promos, as_of=as_of, plan=plan or {})


def estimated(counts, control=None, span=(FIRST, LAST)):
    own = weeks.spans(*span, weeks.WEEKS_BEFORE, weeks.weeks_after(*span))
    weights = fit_day_weights(counts.astype(float))
    found = weeks.weeks_of(counts.astype(float), weights, own, [])
    if control is not None:
        other = weeks.weeks_of(control.astype(float), weights, own, [])
        control = fit.log_level(other.total, other.exposure)
    return fit.estimate(found, control, seed=1)


def share(made, counts, span=(FIRST, LAST)):
    """Effect as a share of the expected: estimate, low and high end."""
    drawn = made.effect / (counts[str(span[0]) : str(span[1])].sum() - made.effect)
    return drawn[0], *np.percentile(drawn[1:], [5, 95])


# weeks


def test_weeks_are_counted_from_the_first_day_by_hand():
    days = pd.date_range("2025-01-01", "2025-03-31")
    own = weeks.spans(dt.date(2025, 2, 5), dt.date(2025, 2, 14), 1, 2)  # Wednesday, ten days
    assert own["after"] == (dt.date(2025, 2, 15), dt.date(2025, 3, 4))
    weights = fit_day_weights(pd.Series(0.0, index=days))  # too little: working days count alike
    found = weeks.weeks_of(pd.Series(1.0, index=days), weights, own, [])
    table = pd.DataFrame(
        {name: getattr(found, name) for name in ("total", "before", "during", "after")},
        index=found.starts.strftime("%m-%d"),
    ).loc["01-22":"03-05"]
    assert table["total"].tolist() == [7.0] * 7
    assert table["before"].tolist() == pytest.approx([0, 1, 0, 0, 0, 0, 0])
    assert table["during"].tolist() == pytest.approx([0, 0, 1, 3 / 5, 0, 0, 0], abs=0.02)
    assert table["after"].tolist() == pytest.approx([0, 0, 0, 2 / 5, 1, 1, 0], abs=0.02)


@settings(max_examples=25)
@given(
    start=st.integers(0, 200),
    length=st.integers(1, 90),
    before=st.integers(0, 5),
    after=st.integers(1, 9),
)
def test_spans_share_no_week_twice(start, length, before, after):
    days = pd.date_range("2025-01-01", periods=400)
    first = days[start].date()
    own = weeks.spans(first, first + dt.timedelta(days=length - 1), before, after)
    weights = fit_day_weights(pd.Series(0.0, index=days))
    found = weeks.weeks_of(pd.Series(1.0, index=days), weights, own, [])
    together = found.before + found.during + found.after
    assert (together <= 1 + 1e-9).all()
    assert ((together < 1e-9) | (together > 1 - 1e-9)).all()


def test_a_quarters_last_days_are_worked_days():
    days = pd.date_range("2025-01-01", "2025-12-31")
    own = weeks.spans(dt.date(2025, 6, 25), dt.date(2025, 6, 30), 0, 1)
    found = weeks.weeks_of(
        pd.Series(1.0, index=days), fit_day_weights(pd.Series(0.0, index=days)), own, []
    )
    # 25 June to 1 July 2025 has five working days: the last two of the quarter are among its last
    # five, of which it holds four
    at = found.starts.get_loc(pd.Timestamp("2025-06-25"))
    assert found.quarter[at, :3] == pytest.approx([2 / 5, 4 / 5, 4 / 5], abs=0.02)


# the fit


def test_a_lift_without_noise_is_found_exactly():
    days = pd.date_range(end=END, periods=1096)
    plain = pd.Series(np.where(days.day_of_week < 5, 500.0, 0.0), index=days)
    lifted = plain.where((days < str(FIRST)) | (days > str(LAST)), plain * 1.18)
    made = estimated(lifted)
    assert share(made, lifted)[0] == pytest.approx(0.18, abs=0.002)
    assert made.pull_forward[0] == pytest.approx(0.0, abs=15)


def test_a_lift_pulled_forward_is_zero_net():
    days = pd.date_range(end=END, periods=1096)
    plain = pd.Series(np.where(days.day_of_week < 5, 500.0, 0.0), index=days)
    last = pd.Timestamp(LAST)
    later = (days > last) & (days <= last + pd.Timedelta(days=35))
    moved = plain.where(~later, plain * (1 - 0.2 * 3 / 5))
    moved = moved.where((days < str(FIRST)) | (days > last), plain * 1.2)
    made = estimated(moved)
    assert made.effect[0] == pytest.approx(0.2 * 7500, rel=0.02)
    assert made.net[0] == pytest.approx(0.0, abs=0.02 * 7500)


def test_nothing_is_claimed_where_nothing_was_planted():
    claimed = 0
    for seed in range(24):
        counts = daily(seed)
        _, low, high = share(estimated(counts), counts)
        claimed += low > 0 or high < 0
    assert claimed <= 6  # 24 at 0.1: seven or more once in a hundred


def test_a_lift_is_claimed_more_often_than_not_and_covered():
    claimed = covered = 0
    for seed in range(20):
        counts = daily(seed, lift=0.18, rate=30.0)
        _, low, high = share(estimated(counts), counts)
        claimed += low > 0
        covered += low <= 0.18 <= high
    assert claimed >= 10
    assert covered >= 14


def test_a_control_adjusts_for_what_moves_both():
    random = np.random.default_rng(5)
    days = pd.date_range(end=END, periods=1096)
    shock = np.exp(random.normal(0, 0.15, len(days) // 7 + 1)).repeat(7)[: len(days)]
    rate = np.where(days.day_of_week < 5, 60, 10) * shock
    counts, control = (pd.Series(random.poisson(rate), index=days) for _ in range(2))
    plain, controlled = estimated(counts), estimated(counts, control)
    assert controlled.log_error < 0.7 * plain.log_error


def test_a_promotion_of_one_day_is_estimated_in_its_own_units():
    days = pd.date_range(end=END, periods=1096)
    span = (dt.date(2025, 5, 6), dt.date(2025, 5, 6))
    plain = pd.Series(np.where(days.day_of_week < 5, 500.0, 0.0), index=days)
    plain[str(span[0])] += 400.0
    made = estimated(plain, span=span)
    assert made.effect[0] == pytest.approx(400.0, rel=0.03)


# the public function


@pytest.fixture(scope="module")
def lifted():
    promos = promo_rows(MAY, channel="web", cost=1000.0)
    return company(promos, web=daily(3, lift=0.4), events=daily(4, rate=20.0))


def test_a_promotion_in_one_channel(lifted):
    result = funnel.promo_effect(lifted, "may SALE")
    assert result.of == "leads"
    assert result.table["control"].tolist() == ["other channels", ""]
    row = result.table.iloc[0]
    assert row["low"] < 0.4 < row["high"] and row["low"] > 0
    assert row["net"] == pytest.approx(row["effect"] - row["pull_forward"])
    assert row["net_units"] == pytest.approx(row["effect_units"] - row["pull_forward_units"])
    assert row["expected"] + row["effect_units"] == pytest.approx(row["observed"])
    assert row["effect"] == pytest.approx(row["effect_units"] / row["expected"])
    assert row["cost"] == 1000.0 and np.isnan(row["value"])
    assert row["smallest_detectable"] > 0
    rows = result.rows.groupby("figure").size()
    assert rows["during"] == row["n"] == row["observed"]
    ids = set(result.rows["id"])
    web = lifted.leads[lifted.leads["channel"] == "web"]
    assert ids <= set(web["lead_id"])


def test_the_same_plan_gives_the_same_figures(lifted):
    one, other = (funnel.promo_effect(lifted, "May sale").table for _ in range(2))
    pd.testing.assert_frame_equal(one, other)


def test_its_row_does_for_its_name(lifted):
    row = lifted.promos.iloc[0]
    assert funnel.promo_effect(lifted, row).promotion.name == "May sale"


def test_other_periods_are_shown_with_and_without_the_control(lifted):
    result = funnel.promo_effect(lifted, "May sale")
    found = result.placebos()
    others = found.others
    assert found.table["effect"].iloc[0] == result.table["effect"].iloc[0]
    assert 3 <= len(others) <= 8
    assert (others["quarters"] != 0).all()
    assert {-4}.issubset(others["quarters"])
    assert (others["control"] == "other channels").any()
    beyond = ((others["low"] > 0) | (others["high"] < 0)).sum()
    assert beyond <= 3
    assert f"{len(others)} other periods" in found.headline
    assert f"{beyond} would show" in found.headline
    assert found.plot().figure.get_label() == found.headline
    assert len(found.shown()) == len(found.table)


def test_a_control_that_moved_with_it_is_not_used():
    promos = promo_rows(MAY, channel="web")
    data = company(promos, web=daily(3, lift=0.4), events=daily(4, lift=0.7, rate=20.0))
    result = funnel.promo_effect(data, "May sale")
    assert result.table["control"].tolist() == [""]
    assert any("are no control: they moved" in caveat for caveat in result.caveats)


@pytest.mark.parametrize(
    ("moved", "error", "is_uncertain"), [(-0.1, 0.066, True), (0.0, 0.03, False)]
)
def test_a_control_that_may_have_moved_far_is_called_uncertain(lifted, moved, error, is_uncertain):
    """Not shown to have moved is not shown to have stayed: -19 % is possible in the first."""
    result = funnel.promo_effect(lifted, "May sale")
    result = dataclasses.replace(result, fit=dataclasses.replace(result.fit, leak=(moved, error)))
    (caveat,) = [each for each in result.caveats if "are the control" in each]
    assert ("an uncertain one" in caveat) is is_uncertain
    assert ("If they moved by -19%" in caveat) is is_uncertain
    assert ("before they moved alike" in caveat) is not is_uncertain


def test_what_a_verdict_lacks_is_said(lifted):
    """A probability of 0.78: how far it is from 0.9, and what would carry it there."""
    result = funnel.promo_effect(lifted, "May sale")
    value = {"value": 7_720.0, "value_low": -8_730.0, "value_high": 24_170.0, "probability": 0.78}
    table = result.table.assign(verdict="cannot tell", **value)
    found = " ".join(dataclasses.replace(result, table=table).caveats)
    assert "has a probability of 78%; a verdict needs 90%" in found
    assert "would have to be +€12.8K instead of +€7,720" in found
    assert "about 2.8 times as many days" in found
    sure = dataclasses.replace(result, table=table.assign(probability=0.95))
    assert "a verdict needs" not in " ".join(sure.caveats)


def test_a_channel_with_a_promotion_of_its_own_is_no_control():
    promos = promo_rows(MAY, ("Fair", dt.date(2025, 5, 12), dt.date(2025, 5, 20)))
    promos["channel"] = ["web", "events"]
    data = company(promos, web=daily(3), events=daily(4, lift=0.5), email=daily(5))
    result = funnel.promo_effect(data, "May sale")
    assert result.table["control"].iloc[0] == "other channels"
    only = company(promos, web=daily(3), events=daily(4, lift=0.5))
    assert funnel.promo_effect(only, "May sale").table["control"].tolist() == [""]


# money


def test_value_by_hand():
    price = value.Price(100.0, 0.0)
    net = np.concatenate([[10.0], np.full(95, 12.0), np.full(5, -1.0)])
    made = value.value_of(
        net, 50.0, price, margin=0.5, discount=0.1, cost=20.0, random=np.random.default_rng(0)
    )
    assert made.value[0] == pytest.approx(0.5 * 100 * 10 - 0.1 * 100 * 50 - 20)
    assert made.discount_given == pytest.approx(500.0)
    assert made.probability == pytest.approx(0.95)
    assert made.verdict == "viable"


@pytest.mark.parametrize(
    ("net", "cost", "discount", "price", "verdict"),
    [
        (5.0, 10.0, 0.0, 100.0, "viable"),
        (5.0, 9999.0, 0.0, 100.0, "not viable"),
        (-5.0, np.nan, np.nan, np.nan, "not viable"),
        (5.0, np.nan, np.nan, 100.0, "cannot tell"),  # what it took is not known
        (5.0, 10.0, 0.0, np.nan, "cannot tell"),  # nor what it brought
        (np.nan, 10.0, 0.0, 100.0, "cannot tell"),
    ],
)
def test_verdicts(net, cost, discount, price, verdict):
    worth = value.Price(price, 0.0, unknown="" if price > 0 else value.NO_AMOUNTS)
    made = value.value_of(
        np.full(50, net), 10.0, worth,
        margin=0.7, discount=discount, cost=cost, random=np.random.default_rng(0),
    )  # fmt: skip
    assert made.verdict == verdict


def deals_of(counts, amount=1000.0):
    days = counts.index.repeat(counts)
    closed = days + pd.Timedelta(hours=12)
    return pd.DataFrame(
        {
            "deal_id": [f"D{n}" for n in range(len(days))],
            "created_at": closed - pd.Timedelta(days=5),
            "closed_at": closed,
            "outcome": "won",
            "amount": amount,
        }
    )


def test_an_offer_that_only_pulls_wins_forward_is_not_viable():
    wins = daily(8, lift=0.5, pull=1.0, rate=15.0)
    promos = promo_rows(("Offer", FIRST, LAST), discount=0.15, cost=20_000.0)
    leads = pd.DataFrame({"lead_id": ["L0"], "created_at": ["2023-01-05"]})
    data = Tables.of(leads=leads, deals=deals_of(wins), promos=promos, as_of=END)
    result = funnel.promo_effect(data, "Offer")
    row = result.table.iloc[0]
    assert result.of == "wins"
    assert row["low"] > 0 and row["pull_forward"] > 0
    assert row["net_low"] < 0 < row["net_high"]
    assert result.verdict == "not viable"
    assert row["discount_given"] == pytest.approx(0.15 * 1000 * row["observed"])
    assert row["value"] == pytest.approx(
        0.7 * 1000 * row["net_units"] - row["discount_given"] - 20_000.0
    )
    in_money = funnel.promo_effect(data, "Offer", of="bookings").table.iloc[0]
    assert in_money["effect"] == pytest.approx(row["effect"], abs=0.02)
    assert in_money["observed"] == pytest.approx(1000 * row["observed"])


def test_a_lead_is_worth_what_leads_of_its_channel_brought():
    counts = daily(2, rate=6.0)
    leads = leads_of(web=counts)
    won = leads.iloc[::20]
    deals = pd.DataFrame(
        {
            "deal_id": "D" + won["lead_id"],
            "lead_id": won["lead_id"],
            "created_at": won["created_at"],
            "closed_at": won["created_at"] + pd.Timedelta(days=30),
            "outcome": "won",
            "amount": 2000.0,
        }
    )
    deals = deals[deals["closed_at"] <= END]
    promos = promo_rows(MAY, channel="web", discount=0.1, cost=0.0)
    data = Tables.of(leads=leads, deals=deals, promos=promos, as_of=END)
    row = funnel.promo_effect(data, "May sale").table.iloc[0]
    assert row["discount_given"] / row["n"] == pytest.approx(0.1 * 100.0, rel=0.02)


# odd rows


@pytest.mark.parametrize(
    ("recorded", "read", "note"),
    [
        (0.15, 0.15, ""),
        (15.0, 0.15, "read as 15%"),
        (1.0, 1.0, ""),
        (250.0, np.nan, "no share of a price"),
        (-0.1, np.nan, "no share of a price"),
    ],
)
def test_discounts_as_recorded(recorded, read, note):
    data = company(promo_rows(MAY, discount=recorded), web=daily(rate=1.0, years=0.1))
    one = read_promotions(data)[0]
    assert one.discount == pytest.approx(read, nan_ok=True)
    assert one.discount_recorded == recorded
    assert note in " ".join(promotion_notes(one, Say()))
    assert bool(note) == bool(promotion_notes(one, Say()))


def test_a_cost_below_nothing_is_not_recorded():
    data = company(promo_rows(MAY, cost=-5.0), web=daily(rate=1.0, years=0.1))
    one = read_promotions(data)[0]
    assert np.isnan(one.cost) and one.cost_recorded == -5.0
    assert "below 0" in " ".join(promotion_notes(one, Say()))


def test_an_unknown_name_names_the_nearest(lifted):
    with pytest.raises(ParameterError, match="did you mean 'May sale'"):
        funnel.promo_effect(lifted, "Mai sale")
    with pytest.raises(ParameterError, match="there are May sale"):
        funnel.promo_effect(lifted, "zzz")
    with pytest.raises(ParameterError, match="of='clicks'"):
        funnel.promo_effect(lifted, "May sale", of="clicks")
    with pytest.raises(ParameterError, match="weeks_after=0"):
        funnel.promo_effect(lifted, "May sale", weeks_after=0)


def test_without_promotions_a_sentence():
    data = Tables.of(leads=leads_of(web=daily(rate=1.0, years=0.1)), as_of=END)
    with pytest.raises(ParameterError, match="no promotion is in the table"):
        funnel.promo_effect(data, "May sale")
    every = promotions(data)
    assert every.table.empty and "No promotions are listed" in every.headline
    assert every.plot().figure.get_label() == every.headline
    assert every.plot(chart="newest").figure.get_label() == every.headline
    assert "free of promotions" in every.placebos().headline
    assert every.shown().empty and "<p>" in every._repr_html_()


@pytest.mark.parametrize(
    ("row", "columns", "reason", "clause"),
    [
        (
            ("P", "2019-01-01", "2019-01-10"),
            {},
            "it ended before the data begin",
            "ended before leads begin",
        ),
        (
            ("P", "2023-01-01", "2025-12-31"),
            {},
            "too few weeks outside it",
            "needs 26 whole weeks outside it",
        ),
        (MAY, {"channel": "wbe"}, "its channel is in no row", "nearest is 'web'"),
        (MAY, {"segment": "Mars"}, "its segment is in no column", "segment 'Mars' is in no"),
        (
            ("P", "2025-12-30", "2025-12-31"),
            {},
            "no whole week of its days is recorded",
            "no whole week",
        ),
    ],
)
def test_a_refusal_is_a_fact_and_a_sentence(row, columns, reason, clause):
    data = company(promo_rows(row, **columns), web=daily(rate=3.0))
    result = funnel.promo_effect(data, row[0])
    assert result.refused.reason == reason and clause in result.headline
    assert result.verdict == "cannot tell"
    assert result.table[["effect", "net", "value"]].isna().all(axis=None)
    assert result.plot().figure.get_label() == result.headline
    assert "free of promotions" in result.placebos().plot().figure.get_label()
    assert result._repr_html_()
    every = promotions(data)
    assert every.table["refused"].tolist() == [reason]
    assert every.shown()["verdict"].iloc[0] in result.headline


def test_short_and_empty_series_are_refused():
    short = company(promo_rows(("P", "2025-12-01", "2025-12-07")), web=daily(years=0.3))
    refused = funnel.promo_effect(short, "P").refused
    assert refused.reason == "too few weeks outside it" and refused.n < 26
    rare = daily(rate=0.1)
    sparse = company(promo_rows(MAY), web=rare)
    result = funnel.promo_effect(sparse, "May sale")
    assert result.refused.reason == "too many weeks outside it hold nothing"
    assert "hold no leads" in result.headline


def test_zeros_in_its_own_weeks_are_a_fall_and_no_failure():
    counts = daily(6)
    counts[str(FIRST) : str(LAST)] = 0
    row = funnel.promo_effect(company(promo_rows(MAY), web=counts), "May sale").table.iloc[0]
    assert row["observed"] == 0
    assert row["high"] < -0.9


def test_a_promotion_still_running_has_no_net():
    promos = promo_rows(("P", "2025-12-01", "2026-01-31"), cost=1.0)
    result = funnel.promo_effect(company(promos, web=daily(6)), "P")
    assert np.isfinite(result.table["effect"]).all() and result.table["net"].isna().all()
    assert any("still running: 31 of its 62 days" in caveat for caveat in result.caveats)
    assert "not known yet" in result.headline


def test_only_whole_weeks_of_its_days_count():
    promos = promo_rows(("P", "2025-12-15", "2025-12-31"))  # two whole weeks and three days
    result = funnel.promo_effect(company(promos, web=daily(6)), "P")
    row, counts = result.table.iloc[0], daily(6)
    assert row["observed"] == counts["2025-12-15":"2025-12-28"].sum()
    assert (result.rows["figure"] == "during").sum() == row["n"]


@pytest.mark.parametrize(
    ("row", "clause"),
    [
        (("P", "0002-01-05", "0002-02-01"), "before leads begin"),
        (("P", "2025-10-06", "9999-12-31"), "still running"),
        (("P", "2022-12-01", "2023-02-20"), "began before the data"),
    ],
)
def test_days_out_of_all_reason_are_no_failure(row, clause):
    result = funnel.promo_effect(company(promo_rows(row), web=daily(6, rate=3.0)), "P")
    assert clause in " ".join([result.headline, *result.caveats])


def test_promotions_on_the_same_days_are_estimated_together():
    promos = promo_rows(MAY, ("Twin", FIRST, LAST), cost=1.0)
    result = funnel.promo_effect(company(promos, web=daily(6, lift=0.8)), "Twin")
    assert result.study.is_together and result.study.overlapping == ("May sale",)
    assert any("of all of them together" in caveat for caveat in result.caveats)
    assert result.table["low"].iloc[0] > 0
    assert result.verdict == "cannot tell"


def test_promotions_that_overlap_are_separated_by_their_free_weeks():
    promos = promo_rows(MAY, ("Late", dt.date(2025, 5, 19), dt.date(2025, 6, 8)))
    data = company(promos, web=daily(6, lift=0.8))
    result = funnel.promo_effect(data, "May sale")
    assert not result.study.is_together and result.study.overlapping == ("Late",)
    assert any("free of them separate" in caveat for caveat in result.caveats)
    row = result.table.iloc[0]
    assert row["low"] < 0.8 < row["high"]
    assert result.study.n_left_out and result.study.around == ("Late",)
    assert any("left out of the net" in caveat for caveat in result.caveats)


def test_a_promotion_for_few_is_no_reason_to_leave_weeks_out():
    others = [(f"P{n}", dt.date(2023 + n, 9, 1), dt.date(2023 + n, 9, 20)) for n in range(3)]
    promos = promo_rows(MAY, *others)
    promos["channel"] = [None, "email", "email", "email"]
    data = company(promos, web=daily(6), email=daily(7, rate=2.0))
    row = funnel.promo_effect(data, "May sale").table.iloc[0]
    promos["channel"] = [None, None, None, None]
    fewer = funnel.promo_effect(company(promos, web=daily(6)), "May sale").table.iloc[0]
    assert fewer["n_weeks"] < row["n_weeks"]


def test_a_segment_is_found_in_any_column():
    leads = leads_of(web=daily(6)).assign(region=lambda rows: np.where(rows.index % 3, "EU", "US"))
    for segment in ("eu", "region=EU"):
        data = Tables.of(leads=leads, promos=promo_rows(MAY, segment=segment), as_of=END)
        result = funnel.promo_effect(data, "May sale")
        inside = leads["created_at"].dt.date.between(FIRST, LAST) & (leads["region"] == "EU")
        assert result.table["n"].iloc[0] == inside.sum()
        assert result.table["control"].iloc[-1] == ""


def test_every_sentence_keeps_to_the_word_list(lifted):
    result = funnel.promo_effect(lifted, "May sale")
    every = promotions(lifted)
    results = (result, every, result.placebos())
    parts = [one.headline for one in results]
    parts += [*result.caveats, *every.caveats]
    for one in results:
        parts += one.shown().astype("str").to_numpy().ravel().tolist()
    text = " ".join(parts)
    assert unfit_words(text) == []
    assert "nan" not in text and "NaN" not in text


def test_all_promotions_newest_first(lifted):
    every = promotions(lifted)
    one = funnel.promo_effect(lifted, "May sale")
    assert every.table["promo"].tolist() == ["May sale"]
    assert every.table["effect"].iloc[0] == one.table["effect"].iloc[0]
    assert every.effect("may SALE") is every.effects[0]
    with pytest.raises(ParameterError, match="did you mean"):
        every.effect("Mai sale")
    assert every.rows["figure"].str.startswith("May sale: ").all()
    assert every.plot().figure.get_label() == every.headline
    assert every.plot(chart="newest").figure.get_label() == one.headline
    assert one.plot().figure.get_label() == one.headline


def test_leads_of_a_promotion_are_compared_with_mature_others():
    counts = daily(2, rate=6.0)
    leads = leads_of(web=counts)
    in_promo = leads["created_at"].dt.date.between(FIRST, LAST)
    won = leads[(leads.index % 20 == 0) & ~in_promo | (leads.index % 4 == 0) & in_promo]
    deals = pd.DataFrame(
        {
            "deal_id": "D" + won["lead_id"],
            "lead_id": won["lead_id"],
            "created_at": won["created_at"],
            "closed_at": won["created_at"] + pd.Timedelta(days=30),
            "outcome": "won",
            "amount": 2000.0,
        }
    )
    deals = deals[deals["closed_at"] <= END]
    promos = promo_rows(MAY, ("Late", dt.date(2025, 11, 24), dt.date(2025, 12, 14)), channel="web")
    data = Tables.of(leads=leads, deals=deals, promos=promos, as_of=END)
    result = funnel.promo_effect(data, "May sale")
    row = result.table.iloc[0]
    assert row["win_rate"] == pytest.approx(1 / 4, abs=0.02)
    assert row["other_win_rate"] == pytest.approx(1 / 20, abs=0.005)
    assert row["win_rate_change_low"] > 0.1
    assert any("counts them alike" in caveat for caveat in result.caveats)
    # some of these leads are immature
    assert np.isnan(funnel.promo_effect(data, "Late").table["win_rate"].iloc[0])


def test_money_paid_back_needs_no_logarithm_below_zero():
    deals = deals_of(daily(5, rate=4.0))
    deals.loc[deals["closed_at"].dt.date == dt.date(2025, 3, 4), "amount"] = -90_000.0
    data = Tables.of(deals=deals, promos=promo_rows(("Offer", FIRST, LAST)), as_of=END)
    row = funnel.promo_effect(data, "Offer", of="bookings").table.iloc[0]
    assert np.isfinite(row[["effect", "low", "high", "net"]].astype(float)).all()


def test_the_nearest_five_years_are_enough():
    data = company(promo_rows(MAY), web=daily(1, rate=2.0, years=8.0))
    row = funnel.promo_effect(data, "May sale").table.iloc[0]
    assert 240 <= row["n_weeks"] <= 260


def test_a_special_day_that_is_a_promotion_absorbs_nothing_of_it():
    counts = daily(3, lift=0.5, span=(FIRST, dt.date(2025, 5, 8)))
    plans = [
        funnel.Plan.of({"checklist": [{"name": "sale", "from": FIRST, "to": dt.date(2025, 5, 8)}]}),
        funnel.Plan(),
    ]
    promos = promo_rows(("Sale", FIRST, dt.date(2025, 5, 8)))
    effects = [
        funnel.promo_effect(company(promos, plan=plan, web=counts), "Sale").table["effect"].iloc[0]
        for plan in plans
    ]
    assert effects[0] == effects[1]


# silent days


def test_days_without_rows_of_a_channel_count_zero():
    """A day with other leads and none of the channel is 0; a month without any lead is blank."""
    web, events = daily(1, rate=1.0, years=1.5), daily(2, rate=5.0, years=1.5)
    web["2025-03-03":"2025-03-20"] = 0
    for counts in (web, events):
        counts["2025-08"] = 0
    data = company(promo_rows(MAY, channel="web"), web=web, events=events)
    found = scope_of(data, read_promotions(data)[0], "leads").daily
    assert found["2025-03-03":"2025-03-20"].tolist() == [0.0] * 18
    assert found["2025-08"].isna().all()
    recorded = found.drop(found["2025-08"].index)
    assert recorded.to_numpy() == pytest.approx(web[recorded.index].to_numpy())
    assert series(data).observed["2025-08"].isna().all()


def test_a_week_of_silent_days_counts_in_the_effect_and_a_blank_one_does_not():
    web, events = daily(6, rate=12.0), daily(4, rate=20.0)
    week = slice("2025-05-12", "2025-05-18")
    web[week] = 0
    data = company(promo_rows(MAY, channel="web"), web=web, events=events)
    result = funnel.promo_effect(data, "May sale")
    assert result.table["observed"].iloc[0] == web[str(FIRST) : str(LAST)].sum()
    weekly = result.weekly.set_index("starts_on")["observed"]
    assert weekly["2025-05-12"] == 0.0
    whole = daily(6, rate=12.0)
    whole["2025-02"] = 0
    blank = funnel.promo_effect(company(promo_rows(MAY), web=whole), "May sale")
    starts = blank.study.weeks.starts
    assert not ((starts >= "2025-01-27") & (starts <= "2025-02-28")).any()


# sentences and charts against the table


def percents(text):
    return [float(each) / 100 for each in re.findall(r"[-+]?\d+(?=%)", text)]


def test_the_headline_states_the_numbers_of_the_table(lifted):
    result = funnel.promo_effect(lifted, "May sale")
    row = result.table.iloc[0]
    wanted = row[["effect", "low", "high", "net", "net_low", "net_high"]].astype(float)
    assert percents(result.headline) == pytest.approx(wanted.tolist(), abs=0.0051)
    assert "inconclusive" in result.headline and "above expected" in result.headline
    every = promotions(lifted)
    assert "inconclusive: 1" in every.headline and "viable: 0" in every.headline


def test_the_page_table_states_the_numbers_of_the_table(lifted):
    result = funnel.promo_effect(lifted, "May sale")
    shown = result.shown().set_index("")
    for (_, row), head in zip(result.table.iterrows(), shown, strict=True):
        assert shown.loc["observed in its days", head] == f"{row['observed']:,.0f}"
        assert shown.loc["expected in its days", head] == f"{row['expected']:,.0f}"
        effect = f"{100 * row['effect']:+.0f}%"
        ends = f"[{100 * row['low']:+.0f} to {100 * row['high']:+.0f}]"
        cell = shown.loc["above expected", head].replace("\u00a0", " ")
        assert cell == f"{effect} {ends}"


def intervals(collection):
    return np.array([[line[0, 0], line[1, 0]] for line in collection.get_segments()])


def test_the_chart_of_a_promotion_draws_its_weeks(lifted):
    result = funnel.promo_effect(lifted, "May sale")
    weekly = result.weekly
    known = weekly["expected"].notna()
    ax = result.plot()
    expected, observed = ax.lines
    assert expected.get_ydata() == pytest.approx(weekly["expected"][known])
    assert observed.get_ydata() == pytest.approx(weekly["observed"])
    edge = ax.collections[0].get_paths()[0].vertices[:, 1]
    ends = set(weekly["low"][known].round(6)) | set(weekly["high"][known].round(6))
    assert ends <= set(edge.round(6))


def test_the_chart_of_all_promotions_draws_effects_and_nets():
    late = ("Autumn", dt.date(2025, 9, 1), dt.date(2025, 9, 21))
    every = promotions(company(promo_rows(MAY, late), web=daily(3, lift=0.4)))
    table, ax = every.table, every.plot()
    for names, points, lines in zip(
        (("effect", "low", "high"), ("net", "net_low", "net_high")),
        ax.lines[:2],
        ax.collections,
        strict=True,
    ):
        percent = 100 * table[list(names)].to_numpy(float).clip(-1, 3)
        assert points.get_xdata() == pytest.approx(percent[:, 0])
        assert intervals(lines) == pytest.approx(percent[:, 1:])
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == table["promo"].tolist() == ["Autumn", "May sale"]


def test_the_chart_of_other_periods_draws_both_fits(lifted):
    result = funnel.promo_effect(lifted, "May sale").placebos()
    rows, ax = result.table.sort_values("first"), result.plot()
    is_own = rows["quarters"].eq(0)
    parts = [
        (rows[is_own], ["effect", "low", "high"]),
        (rows[~is_own], ["effect", "low", "high"]),
        (rows, ["plain_effect", "plain_low", "plain_high"]),
    ]
    for (of, names), points, lines in zip(parts, ax.lines[:3], ax.collections, strict=True):
        percent = 100 * of[names].to_numpy(float).clip(-1, 3)
        assert points.get_xdata() == pytest.approx(percent[:, 0])
        assert intervals(lines) == pytest.approx(percent[:, 1:])
