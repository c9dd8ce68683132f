"""Tracking losses: intervals in which touches, or their channels, were not recorded."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.checks.fields import is_direct, is_unknown
from funnel.checks.limits import (
    FALSE_ALARMS,
    FEWEST_ARRIVED,
    FEWEST_LEADS,
    FEWEST_TOUCHES,
    LONGER_THAN_BEFORE,
    MOST_CHANNELS,
    NEIGHBOUR_DAYS,
    OWN_CHANNEL_RISE,
    SAME_LOSS_DAYS,
    SHORTEST_SILENCE,
)
from funnel.dataset.cache import shared
from funnel.stats.change_points import ShareInterval, intervals_of_higher_share
from funnel.stats.dispersion import count_dispersion

if TYPE_CHECKING:
    from funnel.dataset import Tables

NO_TOUCHES, NO_LEADS_TOUCH, NO_CHANNEL = "no touches", "leads without a touch", "channel lost"
FEWER_TRACE = "fewer deals trace"  # found where deals are traced, in `methods.paths`


@dataclass(frozen=True, kw_only=True)
class TrackingLoss:
    """An interval in which touches, or their channels, were not recorded.

    Attributes
    ----------
    kind
        `no touches` (none at all), `leads without a touch`, or `channel lost` (touches that are
        there, and say unknown or blank; `with_direct`: or direct) or `fewer deals trace`.
    channel
        Whose touches it concerns; empty for all.
    since, until
        Its first and last day; missing where it is there from the first day of the table, or
        lasts to the last.
    share, share_outside
        The share lost inside the interval, and outside of it, 0 to 1.
    n
        Rows inside: days, leads or touches.
    p_value
        How often chance would show such an interval, at most.
    expected
        Touches that the days before make likely, where there are none.
    """

    kind: str
    since: dt.date | None
    until: dt.date | None
    share: float
    share_outside: float
    n: int
    p_value: float
    channel: str = ""
    with_direct: bool = False
    expected: float = float("nan")

    @classmethod
    def of(
        cls, kind: str, found: ShareInterval, *, channel: str = "", with_direct: bool = False
    ) -> TrackingLoss:
        """The loss that an interval of a higher share shows."""
        return cls(
            kind=kind,
            since=None if found.from_start else found.since,
            until=found.until,
            share=found.share,
            share_outside=found.share_outside,
            n=found.n,
            p_value=found.p_value,
            channel=channel,
            with_direct=with_direct,
        )

    def holds(self, days: pd.Series) -> pd.Series:
        """Whether each day (local, without a time zone) lies in it."""
        inside = days.notna()
        if self.since is not None:
            inside &= days >= pd.Timestamp(self.since)
        if self.until is not None:
            inside &= days < pd.Timestamp(self.until) + pd.Timedelta(days=1)
        return inside


@shared
def tracking_losses(data: Tables) -> tuple[TrackingLoss, ...]:
    """Intervals in which touches were lost, from the first day of the tables to the last.

    Four tests: days without any touch; leads without a touch up to the day after they were
    created; leads of a channel without a touch of it; touches whose channel is unknown, or
    direct while those with a channel of their own fall. Leads that go on arriving while their
    touches do not distinguish a loss from a channel that was given up.

    Parameters
    ----------
    data
        The dataset. Reads `touches` and `leads`.

    Returns
    -------
    tuple of TrackingLoss
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
    found = [*_silences(data.as_of, touched, leads, limit)]
    own = [each for name in channels for each in _without_own_channel(leads, name, limit)]
    for loss in _without_touch(leads, limit):
        same = [each for each in own if _is_within(each, loss) and _is_within(loss, each)]
        # a loss of all leads that is one channel's is named as that channel's
        found += same if len(same) == 1 < len(channels) else [loss]
    found += own
    found += _lost_channels(touched, limit)
    distinct: list[TrackingLoss] = []
    for loss in found:
        others = [each for each in distinct if NO_CHANNEL not in (each.kind, loss.kind)]
        if not any(_is_within(loss, each) for each in others):
            distinct.append(loss)
    return tuple(sorted(distinct, key=lambda each: (each.since or dt.date.min, each.kind)))


def _leads_by_day(data: Tables) -> pd.DataFrame:
    if not data.has("leads"):
        columns = ("day", "channel", "n", "n_without", "n_without_own")
        return pd.DataFrame({name: [] for name in columns})
    return data.step("touched_leads", zone=data.plan.company.timezone)


def _channels(leads: pd.DataFrame) -> list[str]:
    """Channels whose leads mostly have a touch of the same channel."""
    if leads.empty:
        return []
    by_channel = leads.groupby("channel")[["n", "n_without_own"]].sum()
    by_channel = by_channel[~is_unknown(by_channel.index.to_series())]
    many = by_channel[by_channel["n"] >= FEWEST_LEADS].sort_values("n", ascending=False)
    same_words = many[many["n_without_own"] < many["n"] / 2]
    return same_words.index[:MOST_CHANNELS].tolist()


def _silences(
    as_of: dt.date, touched: pd.DataFrame, leads: pd.DataFrame, limit: float
) -> Iterator[TrackingLoss]:
    """Runs of days without any touch that the days before make unlikely.

    Where leads stop arriving too, it is the business that rested.
    """
    arrived = leads.groupby("day")["n"].sum()
    by_day = touched.groupby("day")["n"].sum()
    last = pd.Timestamp(as_of)
    active = by_day.index.append(pd.DatetimeIndex([last + pd.Timedelta(days=1)])).unique()
    gaps = pd.Series(active[1:] - active[:-1], index=active[:-1]).dt.days - 1
    # a firm that shuts every Christmas has a gap a year: only a longer one counts
    yearly = gaps.nlargest(3).iloc[-1] if len(gaps) > 3 else 0
    for before, days in gaps.items():
        inside = slice(before + pd.Timedelta(days=1), before + pd.Timedelta(days=days))
        if len(arrived) and arrived[inside].sum() < FEWEST_ARRIVED:
            continue
        if days < SHORTEST_SILENCE or days <= LONGER_THAN_BEFORE * yearly:
            continue
        earlier = by_day[before - pd.Timedelta(days=NEIGHBOUR_DAYS - 1) : before]
        if earlier.sum() < FEWEST_TOUCHES:
            continue
        earlier = earlier.reindex(pd.date_range(earlier.index.min(), before), fill_value=0)
        expected = float(earlier.mean()) * days
        p_value = float(np.exp(-expected / count_dispersion(earlier))) * len(gaps)
        if p_value > limit:
            continue
        until = before.date() + dt.timedelta(days=int(days))
        yield TrackingLoss(
            kind=NO_TOUCHES,
            since=before.date() + dt.timedelta(days=1),
            until=until if until < as_of else None,
            share=1.0,
            share_outside=0.0,
            n=int(days),
            p_value=p_value,
            expected=expected,
        )


def _without_touch(leads: pd.DataFrame, limit: float) -> Iterator[TrackingLoss]:
    if leads.empty:
        return
    counts = leads.assign(k=leads["n_without"], stratum=leads["channel"].astype("str").fillna(""))
    for found in intervals_of_higher_share(counts, limit):
        yield TrackingLoss.of(NO_LEADS_TOUCH, found)


def _without_own_channel(
    leads: pd.DataFrame, channel: str, limit: float
) -> Iterator[TrackingLoss]:  # fmt: skip
    counts = leads[leads["channel"] == channel].assign(k=leads["n_without_own"])
    for found in intervals_of_higher_share(counts, limit, OWN_CHANNEL_RISE):
        yield TrackingLoss.of(NO_LEADS_TOUCH, found, channel=channel)


def _lost_channels(touched: pd.DataFrame, limit: float) -> Iterator[TrackingLoss]:
    unknown, direct = is_unknown(touched["channel"]), is_direct(touched["channel"])
    losses: list[TrackingLoss] = []
    for with_direct in (False, True):
        is_dark = unknown | direct if with_direct else unknown
        counts = touched.assign(k=touched["n"].where(is_dark, 0))
        for found in intervals_of_higher_share(counts, limit):
            if with_direct and direct.any() and not _named_fell(counts, found):
                continue
            loss = TrackingLoss.of(NO_CHANNEL, found, with_direct=with_direct)
            if not any(_is_within(loss, each) for each in losses):
                losses.append(loss)
    yield from losses


def _named_fell(counts: pd.DataFrame, found: ShareInterval) -> bool:
    """Whether touches with a channel of their own fell as the others rose.

    More direct visits with as many of all others are more visits, and no loss of a channel.
    """
    by_day = counts.assign(named=counts["n"] - counts["k"]).groupby("day")[["named", "k"]].sum()
    by_day = by_day.reindex(pd.date_range(by_day.index[0], by_day.index[-1]), fill_value=0)
    days = pd.Timedelta(days=NEIGHBOUR_DAYS)
    since = pd.Timestamp(found.since)
    until = by_day.index[-1] if found.until is None else pd.Timestamp(found.until)
    inside = by_day[since:until]
    before = by_day[since - days : since - pd.Timedelta(days=1)]
    if found.from_start:
        inside, before = inside[until - days :], by_day[until + pd.Timedelta(days=1) : until + days]
    else:
        inside = inside[: since + days]
    change = inside.mean() - before.mean()
    return bool(change["named"] < 0 < change["k"] and -change["named"] > change["k"] / 2)


def _is_within(loss: TrackingLoss, other: TrackingLoss) -> bool:
    """Whether a loss lies within another one, give or take two weeks."""
    slack = pd.Timedelta(days=SAME_LOSS_DAYS)
    starts = other.since is None or (
        loss.since is not None and pd.Timestamp(loss.since) >= pd.Timestamp(other.since) - slack
    )
    ends = other.until is None or (
        loss.until is not None and pd.Timestamp(loss.until) <= pd.Timestamp(other.until) + slack
    )
    return starts and ends
