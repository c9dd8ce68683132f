"""Spells in which touches were lost: found from the data alone, dated, and no result of anybody."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.checks.fields import is_unknown
from funnel.dataset.cache import cached
from funnel.results import formats
from funnel.stats.spells import Spell, spells

if TYPE_CHECKING:
    from funnel.dataset import Tables

FALSE_ALARMS = 0.01  # of companies in which a loss is told that is none, all looks together
NO_TOUCHES, NO_LEADS_TOUCH, NO_CHANNEL = "no touches", "leads without a touch", "channel lost"
_NO_SOURCE = ("direct", "(direct)")
_CHANNELS_LOOKED_AT = 12
_FEWEST_LEADS = 200
_BESIDE_DAYS = 90
_SHORTEST_GAP = 3
_FEWEST_BESIDE = 50
_FEWEST_ARRIVED = 5


@dataclass(frozen=True)
class Loss:
    """A spell in which touches, or their channels, were not recorded.

    Attributes
    ----------
    kind
        `no touches` (none at all), `leads without a touch`, or `channel lost` (touches that are
        there, and say unknown, blank or direct).
    channel
        Whose touches it concerns; empty for all.
    since, until
        Its first and last day; missing where it is there from the first day of the table, or
        lasts to the last.
    share, usual
        The share lost inside the spell, and outside of it, 0 to 1.
    n
        Rows looked at inside: days, leads or touches.
    p_value
        How often chance would show such a spell, at most.
    says
        The finding as a sentence.
    """

    kind: str
    channel: str
    since: dt.date | None
    until: dt.date | None
    share: float
    usual: float
    n: int
    p_value: float
    says: str

    def holds(self, days: pd.Series) -> pd.Series:
        """Mark the days (without a time zone, where the company is) that lie in it."""
        inside = days.notna()
        if self.since is not None:
            inside &= days >= pd.Timestamp(self.since)
        if self.until is not None:
            inside &= days < pd.Timestamp(self.until) + pd.Timedelta(days=1)
        return inside


@cached
def losses(data: Tables) -> tuple[Loss, ...]:
    """Find spells in which touches were lost, from the first day of the tables to the last.

    Four looks: days without any touch; leads without a touch up to the day after they were
    created; leads of a channel without a touch of it; touches whose channel is unknown, or
    direct while those with a channel of their own fall. Leads that go on arriving while their
    touches do not tell a loss from a channel that was given up.

    Parameters
    ----------
    data
        A company's tables. Reads `touches` and `leads`.

    Returns
    -------
    tuple of Loss
        In order of time. Empty without a table of touches.

    References
    ----------
    See `docs/tracing.md`.
    """
    if not data.has("touches"):
        return ()
    touched = data.step("touches_by_day", zone=data.plan.company.timezone)
    leads = _leads_by_day(data)
    channels = _channels(leads)
    limit = FALSE_ALARMS / (4 + len(channels))
    found = [*_silent(data, touched, leads, limit)]
    own = [each for name in channels for each in _without_own(data, leads, name, limit)]
    for loss in _without(data, leads, limit):
        theirs = [each for each in own if _is_within(each, loss) and _is_within(loss, each)]
        # a loss of all leads that is one channel's is told as that channel's
        found += theirs if len(theirs) == 1 < len(channels) else [loss]
    found += own
    found += _lost_channels(data, touched, limit)
    kept: list[Loss] = []
    for loss in found:
        others = [each for each in kept if NO_CHANNEL not in (each.kind, loss.kind)]
        if not any(_is_within(loss, each) for each in others):
            kept.append(loss)
    return tuple(sorted(kept, key=lambda each: (each.since or dt.date.min, each.kind)))


def _leads_by_day(data: Tables) -> pd.DataFrame:
    if not data.has("leads"):
        columns = ("day", "channel", "n", "n_without", "n_without_own")
        return pd.DataFrame({name: [] for name in columns})
    return data.step("touched_leads", zone=data.plan.company.timezone)


def _channels(leads: pd.DataFrame) -> list[str]:
    """Name the channels whose leads mostly have a touch of the same channel."""
    if leads.empty:
        return []
    by_channel = leads.groupby("channel")[["n", "n_without_own"]].sum()
    by_channel = by_channel[~is_unknown(by_channel.index.to_series())]
    many = by_channel[by_channel["n"] >= _FEWEST_LEADS].sort_values("n", ascending=False)
    same_words = many[many["n_without_own"] < many["n"] / 2]
    return same_words.index[:_CHANNELS_LOOKED_AT].tolist()


def _silent(
    data: Tables, touched: pd.DataFrame, leads: pd.DataFrame, limit: float
) -> Iterator[Loss]:  # fmt: skip
    """Find runs of days without any touch that the days around them make unlikely.

    Where leads stop arriving too, it is the business that rested.
    """
    arrived = leads.groupby("day")["n"].sum()
    by_day = touched.groupby("day")["n"].sum()
    last = pd.Timestamp(data.as_of)
    active = by_day.index.append(pd.DatetimeIndex([last + pd.Timedelta(days=1)])).unique()
    gaps = pd.Series(active[1:] - active[:-1], index=active[:-1]).dt.days - 1
    # a firm that shuts every Christmas has a gap a year: only a longer one counts
    usual = gaps.nlargest(3).iloc[-1] if len(gaps) > 3 else 0
    company = data.plan.company
    for before, days in gaps.items():
        inside = slice(before + pd.Timedelta(days=1), before + pd.Timedelta(days=days))
        if len(arrived) and arrived[inside].sum() < _FEWEST_ARRIVED:
            continue
        beside = by_day[before - pd.Timedelta(days=_BESIDE_DAYS - 1) : before]
        if days < _SHORTEST_GAP or days <= 1.5 * usual or beside.sum() < _FEWEST_BESIDE:
            continue
        beside = beside.reindex(pd.date_range(beside.index.min(), before), fill_value=0)
        spread = float(np.nanmax([beside.var() / beside.mean(), 1.0]))
        expected = float(beside.mean()) * days
        p_value = float(np.exp(-expected / spread)) * len(gaps)
        if p_value > limit:
            continue
        since = before.date() + dt.timedelta(days=1)
        until = before.date() + dt.timedelta(days=int(days))
        says = (
            f"No touch is recorded {span_in_words(data, since, until)}, where the days before "
            f"make about {formats.number(expected, company)} usual: touches were lost, and that "
            "there are none is no fall of any channel."
        )
        yield Loss(
            NO_TOUCHES, "", since, until if until < data.as_of else None, 1.0, 0.0, int(days),
            p_value, says,
        )  # fmt: skip


def _without(data: Tables, leads: pd.DataFrame, limit: float) -> Iterator[Loss]:
    if leads.empty:
        return
    counts = leads.assign(k=leads["n_without"], stratum=leads["channel"].astype("str").fillna(""))
    for spell in spells(counts, limit):
        yield _loss(data, NO_LEADS_TOUCH, "", spell, "leads have no touch up to the day after")


def _without_own(data: Tables, leads: pd.DataFrame, channel: str, limit: float) -> Iterator[Loss]:
    counts = leads[leads["channel"] == channel].assign(k=leads["n_without_own"])
    what = f"leads of channel {channel} have no touch of it"
    for spell in spells(counts, limit, large=0.1):
        yield _loss(data, NO_LEADS_TOUCH, channel, spell, what)


def _lost_channels(data: Tables, touched: pd.DataFrame, limit: float) -> Iterator[Loss]:
    word = touched["channel"].astype("str").str.strip().str.lower()
    unknown = is_unknown(touched["channel"])
    direct = word.isin(_NO_SOURCE)
    told = []
    for is_dark, what in (
        (unknown, "touches have no known channel"),
        (unknown | direct, "touches have no known channel, or say direct"),
    ):
        counts = touched.assign(k=touched["n"].where(is_dark, 0))
        for spell in spells(counts, limit):
            if (is_dark & direct).any() and not _named_fell(counts, spell):
                continue
            loss = _loss(data, NO_CHANNEL, "", spell, what)
            if not any(_is_within(loss, each) for each in told):
                told.append(loss)
    yield from told


def _named_fell(counts: pd.DataFrame, spell: Spell) -> bool:
    """Say whether touches with a channel of their own fell as the others rose.

    More direct visits beside as many of all others are more visits, and no loss of a channel.
    """
    by_day = counts.assign(named=counts["n"] - counts["k"]).groupby("day")[["named", "k"]].sum()
    by_day = by_day.reindex(pd.date_range(by_day.index[0], by_day.index[-1]), fill_value=0)
    days = pd.Timedelta(days=_BESIDE_DAYS)
    since = pd.Timestamp(spell.since)
    until = by_day.index[-1] if spell.until is None else pd.Timestamp(spell.until)
    inside = by_day[since:until]
    before = by_day[since - days : since - pd.Timedelta(days=1)]
    if spell.from_start:
        inside, before = inside[until - days :], by_day[until + pd.Timedelta(days=1) : until + days]
    else:
        inside = inside[: since + days]
    change = inside.mean() - before.mean()
    return bool(change["named"] < 0 < change["k"] and -change["named"] > change["k"] / 2)


def _loss(data: Tables, kind: str, channel: str, spell: Spell, what: str) -> Loss:
    company = data.plan.company
    since = None if spell.from_start else spell.since
    until = spell.until
    says = (
        f"{formats.share(spell.share, company)} of {formats.number(spell.n, company)} {what} "
        f"{span_in_words(data, since, until)}; outside of it "
        f"{formats.share(spell.usual, company)}: tracking changed there, and no figure by channel "
        "can be compared across it."
    )
    return Loss(kind, channel, since, until, spell.share, spell.usual, spell.n, spell.p_value, says)


def span_in_words(data: Tables, since: dt.date | None, until: dt.date | None) -> str:
    """Write from when to when; an end that is missing, or the last day, is none."""
    company = data.plan.company
    if since is not None and until is not None and until < data.as_of:
        return f"from {formats.day(since, company)} to {formats.day(until, company)}"
    if until is not None and until < data.as_of:
        return f"up to {formats.day(until, company)}"
    return f"from {formats.day(since, company)} on" if since is not None else "at any time"


def _is_within(loss: Loss, other: Loss) -> bool:
    """Whether a loss lies within another one, give or take two weeks."""
    slack = pd.Timedelta(days=14)
    starts = other.since is None or (
        loss.since is not None and pd.Timestamp(loss.since) >= pd.Timestamp(other.since) - slack
    )
    ends = other.until is None or (
        loss.until is not None and pd.Timestamp(loss.until) <= pd.Timestamp(other.until) + slack
    )
    return starts and ends
