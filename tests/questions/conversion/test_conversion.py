"""Conversion at equal age: against a loop in fractions, planted truths, and unusual histories."""

import datetime as dt
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funnel.contract.errors import ParameterError
from funnel.contract.plan import Plan
from funnel.dataset import Tables
from funnel.methods.ages import RowFacts, aged, comparison_ages
from funnel.questions.conversion import conversion, reach_by_age
from funnel.questions.conversion.cohorts import cohorts, groups
from funnel.questions.conversion.comparison import Conversion
from funnel.questions.conversion.pipeline import WinRate, win_rate
from funnel.questions.conversion.time_to_convert import TimeToConvert, time_to_convert
from funnel.results.formats import NO_BREAK

OLIST = Path(__file__).parents[4] / "shared" / "data" / "olist"
AGE = st.one_of(st.none(), st.integers(0, 9))
LEAD = st.tuples(AGE, AGE, AGE, AGE, st.integers(0, 14), st.integers(0, 50))


def frame_of(leads):
    """Leads as (first, second, won, lost, follow_up, value)."""
    columns = ["first_age", "second_age", "won_age", "lost_age", "follow_up", "value"]
    return pd.DataFrame(leads, columns=columns).astype(float)


def slow(leads, age):
    """Day by day, in fractions: shares that reach each stage, and value per lead."""
    states, worth = {("in", 0): Fraction(1)}, Fraction(0)

    def stands(lead, day):
        *entries, lost, _, _ = lead
        until = day if lost is None else min(day, lost)
        highest = max(
            (k + 1 for k, at in enumerate(entries) if at is not None and at <= until), default=0
        )
        out = lost is not None and lost <= day and highest < len(entries)
        return ("out" if out else "in", highest)

    for day in range(age + 1):
        at_risk, moves, value = {}, {}, {}
        for lead in leads:
            was = stands(lead, day - 1) if day else ("in", 0)
            if lead[4] < day or was[0] == "out":
                continue
            at_risk[was] = at_risk.get(was, 0) + 1
            now = stands(lead, day)
            if now != was:
                moves[was, now] = moves.get((was, now), 0) + 1
                value[was] = value.get(was, 0) + (lead[5] if now == ("in", 3) else 0)
        before = dict(states)
        for (was, now), n in moves.items():
            mass = before.get(was, Fraction(0)) * Fraction(n, at_risk[was])
            states[was] -= mass
            states[now] = states.get(now, Fraction(0)) + mass
        for was, amount in value.items():
            worth += before.get(was, Fraction(0)) * Fraction(amount, at_risk[was])
    reached = [sum(m for (_, k), m in states.items() if k >= stage) for stage in (1, 2, 3)]
    return [float(share) for share in reached], float(worth)


@settings(max_examples=60, deadline=None)
@given(st.lists(LEAD, min_size=1, max_size=12), st.integers(0, 14))
def test_reach_equals_a_day_by_day_loop_in_fractions(leads, age):
    table = reach_by_age(frame_of(leads), age).table
    reached, value = slow(leads, age)
    if table["reached"].isna().any():
        assert max(lead[4] for lead in leads) < age
        return
    assert table["reached"].tolist() == pytest.approx(reached, abs=1e-9)
    assert table["value_per_lead"].tolist() == pytest.approx([value] * 3, abs=1e-9)
    assert (table["reached_low"] <= table["reached"]).all()
    assert (table["reached"] <= table["reached_high"]).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(LEAD, min_size=1, max_size=12), st.integers(0, 14), st.randoms())
def test_the_order_of_leads_and_a_doubled_table_change_no_share(leads, age, random):
    shuffled = random.sample(leads, len(leads))
    one, other, twice = (reach_by_age(frame_of(x), age).table for x in (leads, shuffled, leads * 2))
    for column in ("reached", "rate", "value_per_lead"):
        assert one[column].tolist() == pytest.approx(other[column].tolist(), nan_ok=True)
        assert one[column].tolist() == pytest.approx(twice[column].tolist(), nan_ok=True)


def test_with_mature_leads_only_it_is_plain_counting_with_wilsons_interval():
    leads = [(1, None, None, None, 99, 0)] * 15 + [(None, None, None, 3, 99, 0)] * 133
    first = reach_by_age(frame_of(leads), 60, level=0.95).table.iloc[0]
    assert first["reached"] == pytest.approx(15 / 148)
    # Newcombe (1998), table I
    assert (first["reached_low"], first["reached_high"]) == pytest.approx(
        (0.0624, 0.1605), abs=6e-5
    )


def company_of_leads(
    n, *, seed, days=400, rates=(0.5, 0.4), mean_days=(10, 25), as_of="2026-06-30"
):
    """Leads that arrive evenly, each converting at fixed rates and times: nothing changes."""
    random = np.random.default_rng(seed)
    end = pd.Timestamp(as_of) + pd.Timedelta(days=1)
    youngest, oldest = (0, days) if np.isscalar(days) else days
    created = end - pd.to_timedelta(random.uniform(youngest, oldest, n), unit="D")
    gets = np.cumprod(random.random((n, 2)) < rates, axis=1).astype(bool)
    took = np.cumsum(random.exponential(mean_days, (n, 2)), axis=1)
    ages = np.where(gets, took, np.nan)
    follow_up = (end - created) / pd.Timedelta(days=1)
    seen = np.where(ages <= np.asarray(follow_up)[:, None], ages, np.nan)
    return created, seen, np.asarray(follow_up)


def test_recent_leads_do_not_lower_the_estimate():
    _, seen, follow_up = company_of_leads(20_000, seed=1, days=90)
    leads = pd.DataFrame({"mql_age": seen[:, 0], "won_age": seen[:, 1], "follow_up": follow_up})
    reached = reach_by_age(leads, 60).table["reached"].tolist()
    _, all_seen, long = company_of_leads(200_000, seed=2, days=4000)
    old = long > 60
    truth = [(all_seen[old, stage] <= 60).mean() for stage in (0, 1)]
    assert reached == pytest.approx(truth, abs=0.012)
    naive = [np.isfinite(seen[:, stage]).mean() for stage in (0, 1)]
    assert naive[1] < truth[1] - 0.04  # so far it looks like a fall


def test_intervals_hold_the_truth_as_often_as_they_say():
    _, all_seen, long = company_of_leads(200_000, seed=3, days=4000)
    truth = (all_seen[long > 60] <= 60).mean(axis=0)
    held = np.zeros(2)
    for seed in range(100):
        _, seen, follow_up = company_of_leads(100, seed=seed, days=120)
        leads = pd.DataFrame({"a_age": seen[:, 0], "b_age": seen[:, 1], "follow_up": follow_up})
        table = reach_by_age(leads, 60).table
        held += ((table["reached_low"] <= truth) & (truth <= table["reached_high"])).to_numpy()
    assert (held / 100 >= 0.82).all()  # 0.9 less two and a half standard errors
    assert (held / 100 <= 0.97).all()


def test_nothing_changed_and_recent_leads_show_no_fall_of_wins():
    """Leads of 0 to 90 days against those of a year before; wins so far fall by a third."""
    rates = {}
    for name, seed, days in (("now", 5, (0, 90)), ("then", 6, (365, 455))):
        _, seen, follow_up = company_of_leads(150_000, seed=seed, days=days)
        leads = pd.DataFrame({"mql_age": seen[:, 0], "won_age": seen[:, 1], "follow_up": follow_up})
        table = reach_by_age(leads, [30, 60]).table
        rates[name] = table.loc[table["stage"] == "won", "reached"].to_numpy()
        rates[name + ", so far"] = np.isfinite(seen[:, 1]).mean()
    assert rates["now"] / rates["then"] - 1 == pytest.approx(0, abs=0.02)
    assert rates["now, so far"] / rates["then, so far"] - 1 < -0.3  # so far it looks like a fall


def test_nothing_changed_and_the_notebook_shows_no_fall_of_wins():
    """This quarter's leads are 0 to 91 days old, the baseline's 91 to 181."""
    data = company(30_000, seed=4, days=181, rates=(0.7, 0.6))
    table = conversion(data).table
    won = table[table["is_overall"]].set_index("age_days")
    assert (won["state"] == "comparable").all()
    assert won["n"].min() > 14_000
    assert won["change"].tolist() == pytest.approx([0.0] * len(won), abs=0.02)
    frame = aged(data)
    recent = frame["created_at"] >= pd.Timestamp("2026-04-01", tz="UTC")
    so_far = frame["won_at"].notna().groupby(recent).mean()
    assert so_far[True] / so_far[False] - 1 < -0.2  # so far it looks like a fall


def test_without_a_win_the_share_may_still_be_above_nothing():
    """Three hundredths of leads that win are missed by twenty leads half of the time."""
    leads = frame_of([(None, None, None, None, 15 * (k % 7), 0) for k in range(40)])
    table = reach_by_age(leads, [0, 60]).table
    assert (table["reached"] == 0).all()
    assert (table["reached_high"] > 0.02).all()
    assert table["value_per_lead_high"].isna().all()  # what a win would bring is not known


@pytest.mark.parametrize("amounts", ["one", "two", "equal", "partly missing", "far apart"])
def test_the_value_per_lead_lies_within_ends_that_scale_with_the_currency(amounts):
    value = {
        "one": [900],
        "two": [100, 900],
        "equal": [50] * 6,
        "partly missing": [100, 0, 300],
        "far apart": [1, 10, 1e6, 1e9],
    }[amounts]
    won = [(1, 2, 3 + k, None, 90, v) for k, v in enumerate(value)]
    leads = frame_of(won + [(None, None, None, None, 20 + k % 80, 0) for k in range(60)])
    row = reach_by_age(leads, 30).table.iloc[-1]
    assert 0 < row["value_per_lead_low"] < row["value_per_lead"] < row["value_per_lead_high"]
    other = reach_by_age(leads.assign(value=leads["value"] * 7), 30).table.iloc[-1]
    for end in ("", "_low", "_high"):
        assert other[f"value_per_lead{end}"] == pytest.approx(7 * row[f"value_per_lead{end}"])


def test_value_intervals_hold_the_truth_as_often_as_they_say():
    """Log-normal deals, among them few that make most of the money."""
    _, all_seen, long = company_of_leads(100_000, seed=3, days=4000)
    truth = (all_seen[long > 60, 1] <= 60).mean() * np.exp(0.5)
    held, runs = 0, 120
    for seed in range(runs):
        _, seen, follow_up = company_of_leads(100, seed=seed, days=120)
        leads = pd.DataFrame({"a_age": seen[:, 0], "b_age": seen[:, 1], "follow_up": follow_up})
        leads["value"] = np.random.default_rng(seed).lognormal(0, 1, 100)
        row = reach_by_age(leads, 60).table.iloc[-1]
        held += row["value_per_lead_low"] <= truth <= row["value_per_lead_high"]
    assert 0.83 <= held / runs <= 0.97  # 0.9, give or take two and a half standard errors


def test_a_lead_lost_and_won_within_one_hour_is_won_where_ages_are_cut_to_hours():
    n = 12_000
    leads = frame_of([(1, 2, 20 + (i + 0.5) / n, None, 90, 5) for i in range(n)])
    leads["lost_age"] = leads["won_age"] - 1e-9
    last = reach_by_age(leads, 60).table.iloc[-1]
    assert (last["reached"], last["value_per_lead"]) == pytest.approx((1.0, 5.0))


def test_nobody_followed_long_enough_is_no_rate():
    leads = frame_of([(1, None, None, None, 20, 0), (2, 3, 4, None, 25, 9)])
    table = reach_by_age(leads, [10, 60]).table
    assert table.loc[table["age_days"] == 10, "reached"].tolist() == pytest.approx([1, 0.5, 0.5])
    assert (
        table.loc[table["age_days"] == 60, ["reached", "rate", "value_per_lead"]]
        .isna()
        .all(axis=None)
    )
    settled = frame_of([(1, 2, 3, None, 20, 5), (None, None, None, 4, 20, 0)])
    assert reach_by_age(settled, 60).table["reached"].tolist() == [0.5, 0.5, 0.5]


def test_no_leads_at_all():
    table = reach_by_age(frame_of([]), 30).table
    assert table["n"].tolist() == [0, 0, 0]
    assert table["reached"].isna().all()


def test_entries_before_creation_count_at_once_and_are_reported():
    result = reach_by_age(frame_of([(-2, None, None, None, 30, 0)]), 0)
    assert result.table["reached"].tolist() == [1.0, 0.0, 0.0]
    assert result.n_early == 1
    assert "1 stage entry is dated before" in result.caveats[0]


@pytest.mark.parametrize(
    ("leads", "age"),
    [
        (pd.DataFrame({"won_age": [1.0]}), 30),
        (pd.DataFrame({"follow_up": [1.0]}), 30),
        (pd.DataFrame({"won_age": [1.0], "follow_up": [np.nan]}), 30),
        (pd.DataFrame({"won_age": [1.0], "follow_up": [-1.0]}), 30),
        (pd.DataFrame({"won_age": [1.0], "follow_up": [5.0]}), -1),
        (pd.DataFrame({"won_age": [1.0], "follow_up": [5.0]}), []),
    ],
)
def test_senseless_leads_are_refused(leads, age):
    with pytest.raises(ParameterError):
        reach_by_age(leads, age)


def company(n=3000, *, seed=0, spoiled=1.0, **kind):
    """Tables of such leads; `spoiled` scales the rate of the first step in 2026Q2."""
    random = np.random.default_rng(seed + 77)
    created, seen, _ = company_of_leads(n, seed=seed, **kind)
    drop = (created >= pd.Timestamp("2026-04-01")) & (random.random(n) > spoiled)
    seen = np.where(drop[:, None], np.nan, seen)
    ids = np.array([f"L{i}" for i in range(n)])
    channel = random.choice(["web", "fair", "unknown"], n, p=[0.6, 0.3, 0.1])
    leads = pd.DataFrame({"lead_id": ids, "created_at": created, "channel": channel})
    changes, deals = [], []
    for stage, name in ((0, "mql"), (1, "won")):
        at = np.isfinite(seen[:, stage])
        moments = created[at] + pd.to_timedelta(seen[at, stage], unit="D")
        (changes if name == "mql" else deals).append((ids[at], moments))
    (changed, changed_at), (won, won_at) = changes[0], deals[0]
    return Tables.of(
        leads=leads,
        stage_changes=pd.DataFrame({"lead_id": changed, "stage": "mql", "entered_at": changed_at}),
        deals=pd.DataFrame(
            {
                "deal_id": [f"D{i}" for i in range(len(won))],
                "lead_id": won,
                "created_at": won_at - pd.Timedelta(seconds=1),
                "outcome": "won",
                "closed_at": won_at,
                "amount": 100.0,
            }
        ),
        as_of="2026-06-30",
    )


def test_nothing_changed_is_rarely_called_a_change():
    moved = 0
    for seed in range(6):
        table = conversion(company(seed=seed)).table
        whole = table[table["is_overall"] & (table["state"] == "comparable")]
        moved += int((whole["verdict"] == "moved").any())
    assert moved <= 3  # two ages at 0.9 each: more than three in six once in fifty


def test_a_planted_fall_is_found_at_its_step():
    result = conversion(company(n=8000, spoiled=0.7))
    table = result.table[result.table["state"] == "comparable"].set_index(["step", "age_days"])
    first = table.loc["lead to mql"]
    assert (first["verdict"] == "moved").all()
    assert (first["rate"] / first["rate_baseline"]).tolist() == pytest.approx([0.7] * 2, abs=0.12)
    assert "Leads qualified by marketing: " in result.headline
    assert "1 of 2 steps changed" in result.headline  # no deal is lost: no opportunities


def test_every_comparison_names_its_leads():
    data = company()
    result = conversion(data, by="channel")
    both = data.comparison
    created = data.leads.set_index("lead_id")["created_at"].dt.date
    named = result.rows[result.rows["figure"] == "all, period"]["id"]
    inside = created[(created >= both.period.start) & (created <= both.period.end)]
    assert sorted(named) == sorted(inside.index)
    whole = result.table[result.table["step"] == "lead to mql"].drop_duplicates(
        ["segment", "group"]
    )
    by_group = whole[whole["segment"] == "channel"]
    assert by_group["n"].sum() == whole[whole["segment"] == "all"]["n"].sum() == len(inside)


def test_blank_and_unknown_are_one_group_at_the_end_and_small_groups_are_pooled():
    data = company(300)
    groups = conversion(data, by="channel").table
    assert groups[groups["segment"] == "channel"]["group"].unique().tolist()[-1] == "not recorded"
    few = Tables.of(
        leads=data.leads.assign(region=["east"] * 298 + ["north", "south"]),
        deals=data.deals,
        as_of="2026-06-30",
        plan={"smallest_group": 250},
    )
    groups = conversion(few, by="region").table
    assert set(groups[groups["segment"] == "region"]["group"]) == {"smaller groups"}
    with pytest.raises(ParameterError, match="no such column"):
        conversion(data, by="weather")


def test_groups_of_mature_leads_are_plain_shares_and_unknown_is_not_in_the_range():
    data = company(2000, days=700)
    result = groups(data, "channel", ages=[60])
    frame = aged(data)
    recent = frame[frame["follow_up"] <= 730]
    web = recent[recent["channel"] == "web"]
    row = result.table.set_index(["group", "step"]).loc[("web", "lead to won")]
    assert row["n"] == len(web)
    old = web[web["follow_up"] >= 60]
    assert row["rate"] == pytest.approx((old["won_age"] <= 60).mean(), abs=0.02)
    assert "over 2 groups by channel" in result.headline
    assert "unknown" not in result.headline


def test_without_amounts_no_value_is_claimed():
    data = company(200)
    bare = Tables.of(leads=data.leads, deals=data.deals.assign(amount=np.nan), as_of="2026-06-30")
    assert cohorts(bare, ages=[30]).table["value_per_lead"].isna().all()


def test_immature_months_are_gaps_and_mature_ones_plain_shares():
    data = company(days=500)
    table = cohorts(data, ages=[60]).table
    last = table[table["cohort_month"] == "2026-06"]
    assert (last["state"] == "immature").all()
    assert last[["reached", "rate", "value_per_lead"]].isna().all(axis=None)
    old = table[(table["cohort_month"] == "2025-10") & (table["stage"] == "won")].iloc[0]
    frame = aged(data)
    october = frame[frame["created_at"].dt.strftime("%Y-%m") == "2025-10"]
    assert old["n"] == len(october)
    assert old["reached"] == pytest.approx((october["won_age"] <= 60).mean())


def test_an_exit_that_leads_come_back_from_does_not_count_as_lost():
    data = company(400)
    ids = data.leads.sort_values("created_at")["lead_id"].tolist()
    early = data.leads.set_index("lead_id")["created_at"]
    rows = []
    for number, lead in enumerate(ids[:60]):
        rows.append((lead, "recycled", early[lead] + pd.Timedelta(days=1)))
        if number % 3 == 0:
            rows.append((lead, "mql", early[lead] + pd.Timedelta(days=9)))
    rows += [(lead, "rejected", early[lead] + pd.Timedelta(days=1)) for lead in ids[60:90]]
    changes = pd.DataFrame(rows, columns=["lead_id", "stage", "entered_at"])
    frame = aged(Tables.of(leads=data.leads, stage_changes=changes, as_of="2026-06-30"))
    lost = frame[frame["lost_age"].notna()]
    assert set(lost["left_to"]) == {"rejected"}
    assert len(lost) == 30


def test_ages_follow_from_how_long_wins_take():
    assert comparison_ages(company(4000, days=700)) == (30.0, 90.0)
    assert comparison_ages(company(20)) == (30, 90)


def test_times_recover_planted_quartiles_with_leads_still_waiting():
    table = time_to_convert(company(20_000, days=400)).table.set_index("step")
    first = table.loc["lead to mql"]
    wanted = -10 * np.log(1 - np.array([0.25, 0.5, 0.75]))
    found = first[["p25_days", "median_days", "p75_days"]].astype(float)
    assert found.tolist() == pytest.approx(wanted.tolist(), rel=0.06)
    assert first["n_moved"] + first["n_left"] + first["n_waiting"] == first["n_entered"]


def test_the_win_rate_by_closing_date_counts_closed_deals_only():
    day = pd.Timestamp("2026-05-10", tz="UTC")
    deals = pd.DataFrame(
        {
            "deal_id": [f"D{i}" for i in range(6)],
            "created_at": day - pd.Timedelta(days=200),
            "outcome": ["won", "lost", "lost", "open", "won", "lost"],
            "closed_at": [day, day, day, None, day - pd.DateOffset(months=3), day],
        }
    )
    result = win_rate(Tables.of(deals=deals, as_of="2026-06-30"))
    now, then = (
        result.table[result.table["span"] == span].iloc[0] for span in ("period", "baseline")
    )
    assert (now["n_won"], now["n_lost"], now["win_rate"]) == (1, 3, 0.25)
    assert (then["n_won"], then["n_lost"], then["win_rate"]) == (1, 0, 1.0)
    assert result.headline.startswith("25% of 4 deals closed this period were won")


@pytest.mark.parametrize(
    "there", [["leads"], ["deals"], ["leads", "stage_changes"], ["leads", "deals"]]
)
def test_every_figure_has_a_sentence_with_tables_missing(there):
    data = company(60)
    some = Tables.of(as_of="2026-06-30", **{name: data.frame(name) for name in there})
    for ask in (conversion, cohorts, groups, time_to_convert, win_rate):
        result = ask(some)
        assert result.headline.endswith(".")
        assert result.plot().figure.get_label()
        assert result.as_of == dt.date(2026, 6, 30)


@pytest.mark.public_data
def test_olist_as_counted_there():
    """Wins are recorded from December 2017 on: earlier months are no low rates."""
    if not OLIST.exists():
        pytest.skip("public data sets are not beside the repository")
    facts = json.loads((OLIST / "facts.json").read_text())
    mqls = pd.read_csv(OLIST / "olist_marketing_qualified_leads_dataset.csv")
    won = pd.read_csv(OLIST / "olist_closed_deals_dataset.csv")
    first = mqls.set_index("mql_id")["first_contact_date"]
    data = Tables.of(
        leads=pd.DataFrame(
            {
                "lead_id": mqls["mql_id"],
                "created_at": mqls["first_contact_date"],
                "channel": mqls["origin"],
            }
        ),
        deals=pd.DataFrame(
            {
                "deal_id": won["mql_id"],
                "lead_id": won["mql_id"],
                "created_at": np.minimum(won["mql_id"].map(first), won["won_date"]),
                "outcome": "won",
                "closed_at": won["won_date"],
            }
        ),
        as_of="2018-11-14",
        plan={"max_rejected": 0.5},
    )
    frame = aged(data)
    assert frame["won_at"].notna().sum() == facts["rows"]["closed_deals"]
    assert (frame["n_early"] > 0).sum() == facts["days_to_close"]["negative"]
    table = cohorts(data, ages=[90]).table
    rows = table[table["stage"] == "won"].set_index("cohort_month")
    assert (rows.loc[:"2017-10", "state"] == "not covered").all()
    assert rows.loc[:"2017-10", "reached"].isna().all()
    for month in ("2018-01", "2018-03", "2018-05"):
        fact = facts["by_first_contact_month"][month]
        assert rows.loc[month, "n"] == fact["mqls"]
        assert rows.loc[month, "reached"] == pytest.approx(fact["rate_90_days"], abs=2e-3)


def compared(*rows, by=()):
    """A comparison by hand: segment, group, age, step, overall, state, change, verdict."""
    names = ["segment", "group", "age_days", "step", "is_overall", "state", "change", "verdict"]
    table = pd.DataFrame(rows, columns=names)
    ends = {"": 0.0, "_low": -0.02, "_high": 0.02}
    for end, off in ends.items():
        table[f"rate{end}"] = 0.25 + off
        table[f"rate_baseline{end}"] = 0.25 - table["change"] + off
        table[f"change{end}"] = table["change"] + off
    table["n"], table["n_baseline"] = 1200, 900
    return Conversion(
        data=None, table=table, as_of=dt.date(2026, 6, 30), by=by, facts=RowFacts(unit="leads")
    )


EVERYBODY = [
    ("all", "all", 30.0, "lead to mql", False, "comparable", 0.0, "cannot tell"),
    ("all", "all", 30.0, "lead to won", True, "comparable", 0.0, "cannot tell"),
    ("all", "all", 60.0, "lead to mql", False, "comparable", -0.05, "moved"),
    ("all", "all", 60.0, "mql to won", False, "comparable", -0.1, "moved"),
    ("all", "all", 60.0, "lead to won", True, "comparable", -0.01, "cannot tell"),
]


def in_words(result):
    return result.shown().map(lambda cell: cell.replace(NO_BREAK, " "))


def test_steps_are_shown_at_the_older_age_with_first_to_last_stage_below():
    shown = in_words(compared(*EVERYBODY))
    assert shown.iloc[:, 0].tolist() == [
        "leads qualified by marketing",
        "leads qualified by marketing won",
        "leads won",
    ]
    assert shown.iloc[1].to_dict() == {
        "step, by day 60": "leads qualified by marketing won",
        "change, points": "-10.0 [-12.0 to -8.0]",
        "verdict": "moved",
        "this period": "25.0% [23.0 to 27.0] of 1,200",
        "baseline": "35.0% [33.0 to 37.0] of 900",
    }


def test_an_age_at_which_nothing_can_be_compared_is_not_the_one_shown():
    recent = ("all", "all", 90.0, "lead to won", True, "immature", np.nan, "cannot tell")
    assert "step, by day 60" in compared(*EVERYBODY, recent).shown()
    assert compared(recent).shown().empty


def test_groups_are_shown_at_the_step_that_changed_most():
    split = [
        ("channel", group, 60.0, step, False, state, change, verdict)
        for step in ("lead to mql", "mql to won")
        for group, state, change, verdict in (
            ("web", "comparable", -0.12, "moved"),
            ("email", "comparable", 0.11, "moved"),
            ("demo", "comparable", 0.01, "cannot tell"),
            ("fair", "nobody", np.nan, "cannot tell"),
        )
    ]
    result = compared(*EVERYBODY, *split, by=("channel",))
    shown = in_words(result)
    assert shown["leads qualified by marketing won, by day 60"].tolist() == [
        "all leads",
        "web",
        "email",
        "demo",
        "fair",
    ]
    assert shown["verdict"].tolist() == ["moved", "moved", "moved", "cannot tell", "no leads"]
    sentence = (
        "Leads qualified by marketing won: 2 of 3 groups by channel changed (1 rose, 1 fell)."
    )
    assert sentence in result.headline
    assert result.headline != compared(*EVERYBODY).headline
    alone = compared(*EVERYBODY, by=("channel",)).headline
    assert alone == "No group of leads can be compared at equal age."


def test_months_and_groups_are_shown_a_column_an_age():
    data = company(1500, days=500)
    months = cohorts(data, ages=[30, 60]).shown()
    assert months.columns.tolist() == ["created in", "won by day 30", "won by day 60"]
    assert months["created in"].tolist()[:2] == ["2026-06", "2026-05"]
    assert months["won by day 60"].tolist()[0] == "too recent to judge"
    shown = groups(data, "channel", ages=[60]).shown()
    assert shown["group"].tolist()[-1] == "not recorded"
    assert shown.columns.tolist()[1:] == ["leads won by day 60"]


def test_times_and_win_rates_are_shown_in_words():
    row = {"step": "lead to won", "n_entered": 3000, "n_moved": 1200, "n_waiting": 40}
    row |= {"median_days": 9.5, "median_days_low": 9, "median_days_high": 10}
    table = pd.DataFrame([row | {"p25_days": 4, "p75_days": 12.25}])
    shown = in_words(TimeToConvert(table=table, as_of=dt.date(2026, 6, 30)))
    assert shown.iloc[0].tolist() == [
        *("leads won", "9.5 [9.0 to 10.0]", "4.0 to 12.2", "1,200 of 3,000", "40"),
    ]
    rates = {"win_rate": 0.25, "win_rate_low": 0.1, "win_rate_high": 0.4, "n_won": 1, "n_lost": 3}
    spans = [("period", "2026Q2"), ("baseline", "2026Q1"), ("month", "2026-01")]
    spans.append(("month", "2026-02"))
    table = pd.DataFrame([{"span": span, "label": label} | rates for span, label in spans])
    table = table.assign(kind=pd.Series([None] * 4, dtype="str"))
    about = {"as_of": dt.date(2026, 6, 30), "comparison": Plan().comparison(dt.date(2026, 6, 30))}
    shown = in_words(WinRate(table=table, **about))
    first = ["2026Q2 (this period)", "2026Q1 (baseline)", "2026-02", "2026-01"]
    assert shown["deals closed in"].tolist() == first
    assert shown["won of closed"].tolist()[0] == "25.0% [10.0 to 40.0]"
    nothing_lost = WinRate(table=table.assign(n_lost=0), **about)
    assert nothing_lost.shown().empty


def test_headcounts_fall_into_bands_and_other_numbers_into_thirds():
    n = 60
    leads = pd.DataFrame(
        {
            "lead_id": [f"L-{i}" for i in range(n)],
            "created_at": "2026-04-10",
            "employees": [5, 20, 100, 900] * (n // 4),
            "score": np.arange(n) * 1.5,
        }
    )
    leads.loc[0:12, "employees"] = np.arange(5, 18)  # many values, or each is its own group
    deals = pd.DataFrame(
        {"deal_id": ["D-1"], "lead_id": ["L-1"], "created_at": ["2026-04-12"], "outcome": ["open"]}
    )
    data = Tables.of(leads=leads, deals=deals, as_of="2026-06-30")
    table = groups(data, by=["employees", "score"], ages=[30]).table
    found = table.drop_duplicates(["segment", "group"]).groupby("segment")["group"].agg(set)
    assert found["employees"] == {"1 to 9", "10 to 49", "50 to 249", "250 and more"}
    assert found["score"] == {"0 to 29.5", "29.5 to 59", "59 to 88.5"}
    of_score = table[table["segment"] == "score"].drop_duplicates("group")
    assert of_score["n"].sum() == n
