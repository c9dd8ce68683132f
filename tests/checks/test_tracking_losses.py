"""Lost touches are found and dated, and distinguished from channels that were given up."""

import numpy as np
import pandas as pd
import pytest

from funnel.checks import tracking_losses
from funnel.checks.text import sentence
from funnel.checks.tracking_losses import NO_CHANNEL, NO_LEADS_TOUCH, NO_TOUCHES
from funnel.dataset import Tables
from funnel.methods.paths import NOT_TRACED, TRACKING_BREAK
from funnel.questions.attribution import first_touches
from funnel.results import Say

DAYS = pd.date_range("2025-01-01", "2026-06-30")


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


def losses_in(frames):
    found = tracking_losses(Tables.of(as_of="2026-06-30", **frames))
    return [
        (each.kind, each.channel, str(each.since or ""), str(each.until or "")) for each in found
    ]


def at(frames):
    return frames["touches"]["occurred_at"]


def test_nothing_is_lost_where_nothing_was_lost():
    assert losses_in(company()) == []


def test_an_outage_is_named_once_and_its_deals_say_so():
    frames = company()
    inside = (at(frames) >= "2026-02-02") & (at(frames) < "2026-03-02")
    frames["touches"] = frames["touches"][~inside]
    assert losses_in(frames) == [(NO_TOUCHES, "", "2026-02-02", "2026-03-01")]
    first = first_touches(Tables.of(as_of="2026-06-30", **frames))
    assert sentence(first.losses[0], Say()) in first.caveats
    lost = first.table[first.table["reason"] == TRACKING_BREAK]
    assert set(lost["first_touch"]) == {NOT_TRACED}
    lead = lost["deal_id"].str.removeprefix("D")
    created = frames["leads"].set_index("lead_id").loc[lead, "created_at"]
    assert created.min() >= pd.Timestamp("2026-02-02") and created.max() < pd.Timestamp(
        "2026-03-02"
    )
    assert len(lost) > 40 and set(first.table["reason"]) == {"", TRACKING_BREAK}
    assert "what was changed in tracking" in " ".join(first.untraced().shown()["question"]).lower()


def test_a_channel_whose_touches_are_lost_is_named():
    frames = company()
    is_lost = (frames["touches"]["channel"] == "web") & (at(frames) >= "2026-04-01")
    frames["touches"] = frames["touches"][~is_lost]
    assert losses_in(frames) == [(NO_LEADS_TOUCH, "web", "2026-04-01", "")]


def test_a_channel_that_was_given_up_is_no_loss():
    frames = company()
    given_up = frames["leads"].query("channel == 'web' and created_at >= '2026-04-01'")["lead_id"]
    for name in ("leads", "touches", "deals"):
        frames[name] = frames[name][~frames[name]["lead_id"].isin(given_up)]
    assert losses_in(frames) == []


def test_touches_that_lose_their_channel_are_a_loss_and_more_direct_ones_are_not():
    frames = company()
    late = at(frames) >= "2026-04-01"
    some = pd.Series(np.random.default_rng(2).random(len(late)) < 0.4, index=late.index)
    for word in ("unknown", "direct"):
        dark = frames["touches"].assign(
            channel=frames["touches"]["channel"].mask(late & some, word)
        )
        found = losses_in(frames | {"touches": dark})
        assert (NO_CHANNEL, "", "2026-04-01", "") in found
    more = frames["touches"][late & some].assign(channel="direct")
    assert losses_in(frames | {"touches": pd.concat([frames["touches"], more])}) == []


def test_tracking_that_began_later_is_dated():
    frames = company()
    frames["touches"] = frames["touches"][at(frames) >= "2025-06-01"]
    assert losses_in(frames) == [(NO_LEADS_TOUCH, "", "", "2025-05-31")]


def test_without_touches_or_leads_there_is_nothing_to_find():
    frames = company()
    assert losses_in({"leads": frames["leads"]}) == []
    alone = {name: frames[name] for name in ("touches", "deals")}
    inside = (at(frames) >= "2026-02-02") & (at(frames) < "2026-03-02")
    alone["touches"] = alone["touches"][~inside]
    assert losses_in(alone) == [(NO_TOUCHES, "", "2026-02-02", "2026-03-01")]


def test_fewer_deals_that_trace_are_dated_by_their_close():
    frames = company()
    closed = frames["deals"]["closed_at"] >= "2026-03-01"
    untraced = frames["deals"].loc[closed, "lead_id"].iloc[::2]
    frames["touches"] = frames["touches"][~frames["touches"]["lead_id"].isin(untraced)]
    last = first_touches(Tables.of(as_of="2026-06-30", **frames)).low_coverage
    assert len(last) == 1 and str(last[0].since)[:7] in ("2026-02", "2026-03")
    assert last[0].share == pytest.approx(0.5, abs=0.05)


def test_a_sentence_has_the_share_and_the_days():
    frames = company()
    is_lost = (frames["touches"]["channel"] == "web") & (at(frames) >= "2026-04-01")
    frames["touches"] = frames["touches"][~is_lost]
    (loss,) = tracking_losses(Tables.of(as_of="2026-06-30", **frames))
    written = sentence(loss, Say())
    assert f"{100 * loss.share:.0f}% of {loss.n} leads of channel web" in written
    assert "from Apr 1, 2026 on" in written
    assert f"outside of it {100 * loss.share_outside:.0f}%" in written


@pytest.mark.parametrize("word", ["Direct traffic", "(direct)", "Typed / bookmarked"])
def test_other_words_for_direct_are_direct_too(word):
    frames = company()
    random = np.random.default_rng(2)
    is_dark = (at(frames) >= "2026-04-01") & (random.random(len(at(frames))) < 0.4)
    dark = frames["touches"].assign(channel=frames["touches"]["channel"].mask(is_dark, word))
    found = tracking_losses(Tables.of(as_of="2026-06-30", **frames | {"touches": dark}))
    assert [each.with_direct for each in found if each.kind == NO_CHANNEL] == [True]
