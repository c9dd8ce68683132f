"""Lost touches: found from the data alone, dated, and told from channels that were given up."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funnel.checks import losses
from funnel.checks.tracking_losses import NO_CHANNEL, NO_LEADS_TOUCH, NO_TOUCHES
from funnel.dataset import Tables
from funnel.methods.paths import NOT_TRACED, TRACKING_BREAK
from funnel.questions.attribution import first_touches
from funnel.stats.spells import spells

DAYS = pd.date_range("2025-01-01", "2026-06-30")


def counts(share, n=20, days=DAYS):
    k = np.random.default_rng(5).binomial(n, share)
    return pd.DataFrame({"day": days, "n": n, "k": k})


def company():
    """Ten leads a day, each with a touch an hour before and one a week later; one in five won."""
    rng = np.random.default_rng(3)
    created = np.repeat(DAYS, 10) + pd.to_timedelta(rng.integers(8, 20, 10 * len(DAYS)), unit="h")
    n = len(created)
    leads = pd.DataFrame(
        {
            "lead_id": [f"L{i}" for i in range(n)],
            "created_at": created,
            "channel": rng.choice(["web", "email", "event"], n, p=[0.5, 0.3, 0.2]),
        }
    )
    hour, week = pd.Timedelta(hours=1), pd.Timedelta(days=7)
    raised = leads.rename(columns={"created_at": "occurred_at"})
    later = raised.assign(channel="email", occurred_at=raised["occurred_at"] + week)
    touches = pd.concat(
        [raised.assign(occurred_at=raised["occurred_at"] - hour), later], ignore_index=True
    )
    won = leads[rng.random(n) < 0.2]
    deals = pd.DataFrame(
        {
            "deal_id": "D" + won["lead_id"],
            "lead_id": won["lead_id"],
            "created_at": won["created_at"] + pd.Timedelta(days=5),
            "closed_at": won["created_at"] + pd.Timedelta(days=20),
            "outcome": "won",
            "amount": 100.0,
        }
    ).reset_index(drop=True)
    return {"leads": leads, "touches": touches, "deals": deals}


def told(frames):
    found = losses(Tables.of(as_of="2026-06-30", **frames))
    return [
        (each.kind, each.channel, str(each.since or ""), str(each.until or "")) for each in found
    ]


def at(frames):
    return frames["touches"]["occurred_at"]


def test_a_spell_is_found_and_dated_to_the_day():
    share = np.where((DAYS >= "2025-10-01") & (DAYS <= "2025-10-14"), 0.9, 0.1)
    (found,) = spells(counts(share), 0.01)
    assert (str(found.since), str(found.until)) == ("2025-10-01", "2025-10-14")
    assert found.share == pytest.approx(0.9, abs=0.05)
    assert found.usual == pytest.approx(0.1, abs=0.02)
    assert found.n == 14 * 20


def test_spells_at_either_end_say_so():
    share = np.where(DAYS < "2025-03-01", 1.0, np.where(DAYS >= "2026-05-01", 0.6, 0.05))
    first, last = spells(counts(share), 0.01)
    assert first.from_start and str(first.until) == "2025-02-28"
    assert not last.from_start and str(last.since) == "2026-05-01" and last.until is None


def test_a_slow_change_is_no_spell():
    assert spells(counts(np.linspace(0.05, 0.3, len(DAYS))), 0.01) == []


def test_a_share_is_only_compared_within_its_stratum():
    half = len(DAYS) // 2
    one, other = counts(0.05), counts(0.6)
    one["n"] = np.where(np.arange(len(DAYS)) < half, 20, 2)
    other["n"] = np.where(np.arange(len(DAYS)) < half, 2, 20)
    both = []
    for name, each, share in (("a", one, 0.05), ("b", other, 0.6)):
        each["k"] = np.random.default_rng(8).binomial(each["n"], share)
        both.append(each.assign(stratum=name))
    both = pd.concat(both)
    assert spells(both, 0.01) == []
    assert len(spells(both.drop(columns="stratum"), 0.01)) == 1


def test_a_few_rows_at_both_ends_are_no_spell():
    share = np.full(len(DAYS), 0.04)
    some = counts(share, n=1)
    ends = np.r_[0:11, len(DAYS) - 11 : len(DAYS)]
    some.loc[ends, "k"] = [1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0] * 2
    assert spells(some, 0.001) == []


@given(st.integers(0, 10_000))
def test_chance_makes_no_spell(seed):
    k = np.random.default_rng(seed).binomial(8, 0.1, 200)
    days = pd.date_range("2026-01-01", periods=200)
    found = spells(pd.DataFrame({"day": days, "n": 8, "k": k}), 1e-4)
    assert found == [] or found[0].p_value <= 1e-4


def test_nothing_is_lost_where_nothing_was_lost():
    assert told(company()) == []


def test_an_outage_is_told_once_and_its_deals_say_so():
    frames = company()
    inside = (at(frames) >= "2026-02-02") & (at(frames) < "2026-03-02")
    frames["touches"] = frames["touches"][~inside]
    assert told(frames) == [(NO_TOUCHES, "", "2026-02-02", "2026-03-01")]
    first = first_touches(Tables.of(as_of="2026-06-30", **frames))
    assert first.losses[0].says in first.caveats
    lost = first.table[first.table["reason"] == TRACKING_BREAK]
    assert set(lost["first_touch"]) == {NOT_TRACED}
    lead = lost["deal_id"].str.removeprefix("D")
    created = frames["leads"].set_index("lead_id").loc[lead, "created_at"]
    assert created.min() >= pd.Timestamp("2026-02-02") and created.max() < pd.Timestamp(
        "2026-03-02"
    )
    assert len(lost) > 40 and set(first.table["reason"]) == {"", TRACKING_BREAK}
    assert "what was changed in tracking" in " ".join(first.untraced()["question"]).lower()


def test_a_channel_whose_touches_are_lost_is_named():
    frames = company()
    gone = (frames["touches"]["channel"] == "web") & (at(frames) >= "2026-04-01")
    frames["touches"] = frames["touches"][~gone]
    assert told(frames) == [(NO_LEADS_TOUCH, "web", "2026-04-01", "")]


def test_a_channel_that_was_given_up_is_no_loss():
    frames = company()
    given_up = frames["leads"].query("channel == 'web' and created_at >= '2026-04-01'")["lead_id"]
    for name in ("leads", "touches", "deals"):
        frames[name] = frames[name][~frames[name]["lead_id"].isin(given_up)]
    assert told(frames) == []


def test_touches_that_lose_their_channel_are_told_and_more_direct_ones_are_not():
    frames = company()
    late = at(frames) >= "2026-04-01"
    some = pd.Series(np.random.default_rng(2).random(len(late)) < 0.4, index=late.index)
    for word in ("unknown", "direct"):
        dark = frames["touches"].assign(
            channel=frames["touches"]["channel"].mask(late & some, word)
        )
        found = told(frames | {"touches": dark})
        assert (NO_CHANNEL, "", "2026-04-01", "") in found
    more = frames["touches"][late & some].assign(channel="direct")
    assert told(frames | {"touches": pd.concat([frames["touches"], more])}) == []


def test_tracking_that_began_later_is_dated():
    frames = company()
    frames["touches"] = frames["touches"][at(frames) >= "2025-06-01"]
    assert told(frames) == [(NO_LEADS_TOUCH, "", "", "2025-05-31")]


def test_without_touches_or_leads_there_is_nothing_to_find():
    frames = company()
    assert told({"leads": frames["leads"]}) == []
    alone = {name: frames[name] for name in ("touches", "deals")}
    inside = (at(frames) >= "2026-02-02") & (at(frames) < "2026-03-02")
    alone["touches"] = alone["touches"][~inside]
    assert told(alone) == [(NO_TOUCHES, "", "2026-02-02", "2026-03-01")]


def test_fewer_deals_that_trace_are_dated_by_their_close():
    frames = company()
    closed = frames["deals"]["closed_at"] >= "2026-03-01"
    untraced = frames["deals"].loc[closed, "lead_id"].iloc[::2]
    frames["touches"] = frames["touches"][~frames["touches"]["lead_id"].isin(untraced)]
    last = first_touches(Tables.of(as_of="2026-06-30", **frames)).low_coverage
    assert len(last) == 1 and str(last[0].since)[:7] in ("2026-02", "2026-03")
    assert last[0].share == pytest.approx(0.5, abs=0.05)
