"""Scope of a promotion: its rows, their series by day, and the rows outside it as a control."""

from __future__ import annotations

import datetime as dt
import difflib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.checks import is_unknown
from funnel.dataset.cache import cached
from funnel.methods.season.day_weights import DayWeights, fit_day_weights, special_days
from funnel.methods.season.series import MeasureSeries, series
from funnel.questions.promotions.promos import Promotion, read_promotions
from funnel.questions.promotions.weeks import Span

if TYPE_CHECKING:
    from funnel.dataset import Tables

FEWEST_WINS = 3.0  # a week: with fewer, a promotion for everybody is measured by its leads
_ENOUGH_DAYS = 400  # outside promotions, to estimate weights of days from
_KEYS = {"leads": "lead_id", "deals": "deal_id"}
_SEGMENTS = ("region", "industry", "motion", "product", "kind", "grade", "seniority")
_NAMED = re.compile(r"(\w+)\s*[=:]\s*(.+)")


class Refusal(StrEnum):
    """Why the effect of a promotion is not estimated."""

    NO_CHANNELS = "no channel is recorded"
    UNKNOWN_CHANNEL = "its channel is in no row"
    UNKNOWN_SEGMENT = "its segment is in no column"
    NOTHING_RECORDED = "nothing is recorded"
    ENDED_BEFORE = "it ended before the data begin"
    BEGINS_AFTER = "it begins after the data end"
    NO_WHOLE_WEEK = "no whole week of its days is recorded"
    TOO_FEW_WEEKS = "too few weeks outside it"
    EMPTY_WEEKS = "too many weeks outside it hold nothing"


@dataclass(frozen=True)
class Refused:
    """A refusal with its facts: a count of how many, a name and the nearest one, or a day."""

    reason: Refusal
    n: int = 0
    of: int = 0
    name: str = ""
    nearest: str = ""
    day: dt.date | None = None


@dataclass(frozen=True, eq=False)
class Scope:
    """The rows that a promotion was for, and their series by day.

    `amounts` are what each row counts for; `refused` is why there are none.
    """

    daily: pd.Series
    table: str
    ids: pd.Series
    amounts: pd.Series
    refused: Refused | None = None

    def rows_in(self, span: Span) -> NDArray[np.bool_]:
        """Marks of the rows of some days, both ends included."""
        days = self.ids.index
        return (days >= pd.Timestamp(span[0])) & (days <= pd.Timestamp(span[1]))


def measure_of(data: Tables, promotion: Promotion, of: str | None) -> str:
    """Measure that a promotion is evaluated by, if none is passed.

    Leads where it ran in a channel; else wins, if there are at least three a week; else leads, or
    wins where there are no leads.
    """
    if of is not None:
        return of
    if data.leads.empty:
        return "wins"
    if promotion.channel or data.deals.empty:
        return "leads"
    wins = _whole(data, "wins").observed.dropna()
    return "wins" if len(wins) and 7 * wins.mean() >= FEWEST_WINS else "leads"


def scope_of(data: Tables, promotion: Promotion, of: str) -> Scope:
    """Rows that a promotion was for, and their series.

    Raises
    ------
    ParameterError
        If there is no such measure.
    """
    return _scope(data, of, promotion.channel, promotion.segment)


@cached
def _scope(data: Tables, of: str, channel: str, segment: str) -> Scope:
    everybody = _events(data, of)
    if not channel and not segment:
        return everybody
    kept = _are_in(data, of, channel, segment)
    if isinstance(kept, Refused):
        return _part(everybody, np.zeros(len(everybody.ids), dtype=bool), refused=kept)
    return _part(everybody, kept)


def share_of(data: Tables, scope: Scope, of: str, other: Promotion) -> float:
    """Share of a scope's rows that another promotion was for too."""
    theirs = scope_of(data, other, of)
    if other.is_for_all or not len(scope.ids):
        return float(bool(len(scope.ids)))
    return float(scope.ids.isin(theirs.ids).mean())


def control_of(
    data: Tables, promotion: Promotion, near: tuple[Promotion, ...], of: str
) -> tuple[Scope | None, str]:
    """Rows that neither this promotion nor those around its days were for, and their name.

    Parameters
    ----------
    data
        A company's tables.
    promotion
        With a channel or segment, or there is nobody that it was not for.
    near
        Other promotions in or around its days.
    of
        What is counted.
    """
    if promotion.is_for_all or any(other.is_for_all for other in near):
        return None, ""
    is_known = bool(promotion.channel)
    name = "other channels" if is_known and not promotion.segment else "others"
    whom = frozenset((one.channel, one.segment) for one in (promotion, *near))
    return _others(data, of, whom, is_known), name


@cached
def _others(data: Tables, of: str, whom: frozenset[tuple[str, str]], is_known: bool) -> Scope:
    """Rows in none of these channels and segments."""
    everybody = _events(data, of)
    kept = np.ones(len(everybody.ids), dtype=bool)
    for channel, segment in whom:
        inside = _are_in(data, of, channel, segment)
        if not isinstance(inside, Refused):
            kept &= ~inside
    if is_known:
        frame = _described(data, everybody.table)
        blank = frame.index[is_unknown(frame["channel"])]
        kept &= ~everybody.ids.isin(blank).to_numpy()
    return _part(everybody, kept)


@cached
def day_weights(data: Tables, of: str) -> DayWeights:
    """Weights of days of the whole company, estimated outside promotions.

    A special day of the plan within a promotion is left out: it would absorb the effect.
    """
    whole = _whole(data, of).observed
    promoted = np.zeros(len(whole), dtype=bool)
    for one in read_promotions(data):
        promoted |= (whole.index >= str(one.first)) & (whole.index <= str(one.last))
    plain = whole.mask(promoted)
    if plain.notna().sum() < _ENOUGH_DAYS:
        plain = whole
    days = whole.index[promoted]
    special = {
        name: found
        for name, found in special_days(data.plan.checklist).items()
        if not found.isin(days).any()
    }
    return fit_day_weights(plain, data.plan.company.country, special, data.plan.fiscal)


@cached
def _whole(data: Tables, of: str) -> MeasureSeries:
    return series(data, of)


@cached
def _events(data: Tables, of: str) -> Scope:
    """Every row of a measure by its local day, and what it counts for."""
    whole = _whole(data, of)
    source = whole.context.source
    ids = pd.Series(source.ids, index=pd.DatetimeIndex(source.days), dtype="str")
    amounts = pd.Series(1.0, index=ids.index)
    if of == "bookings":
        amounts[:] = data.deals.set_index("deal_id")["amount"].reindex(ids).fillna(0.0).to_numpy()
    return Scope(whole.observed, source.table, ids, amounts)


def _part(everybody: Scope, kept: NDArray[np.bool_], refused: Refused | None = None) -> Scope:
    """Scope of some rows; a day recorded for the whole that holds none of them is 0."""
    ids, amounts = everybody.ids[kept], everybody.amounts[kept]
    days = everybody.daily.index
    place = days.get_indexer(ids.index)
    inside = place >= 0
    sums = np.bincount(place[inside], amounts.to_numpy()[inside], minlength=len(days))
    daily = pd.Series(sums, index=days).where(everybody.daily.notna())
    begun = daily.index[daily.to_numpy() > 0]
    daily = daily[daily.index >= begun[0]] if len(begun) else daily.iloc[:0]
    return Scope(daily, everybody.table, ids, amounts, refused)


def _described(data: Tables, table: str) -> pd.DataFrame:
    """Rows with their own columns, deals also with those of their lead that they lack."""
    frame = data.frame(table).set_index(_KEYS[table], drop=False)
    if table == "leads" or data.leads.empty:
        return frame
    leads = data.leads.set_index("lead_id")
    lead = leads.reindex(frame["lead_id"]).set_axis(frame.index)
    return frame.join(lead[[name for name in lead if name not in frame]])


@cached
def _are_in(data: Tables, of: str, channel: str, segment: str) -> NDArray[np.bool_] | Refused:
    """Marks of a measure's rows that are in a channel and segment; empty stands for all."""
    everybody = _events(data, of)
    frame = _described(data, everybody.table)
    kept = np.ones(len(frame), dtype=bool)
    found = [_has_channel(frame, channel)] if channel else []
    found += [_has_segment(data, frame, segment)] if segment else []
    for each in found:
        if isinstance(each, Refused):
            return each
        kept &= each
    return everybody.ids.isin(frame.index[kept]).to_numpy()


def _has_channel(frame: pd.DataFrame, channel: str) -> NDArray[np.bool_] | Refused:
    if "channel" not in frame or not frame["channel"].notna().any():
        return Refused(Refusal.NO_CHANNELS, name=channel)
    plain = _plain(frame["channel"])
    wanted = [channel.casefold()]
    if not plain.isin(wanted).any():
        wanted = [part.strip().casefold() for part in re.split(r"[,;+/]", channel)]
    missing = sorted(set(wanted) - set(plain.dropna()))
    if missing:
        near = difflib.get_close_matches(missing[0], plain.dropna().unique(), n=1, cutoff=0.5)
        return Refused(Refusal.UNKNOWN_CHANNEL, name=channel, nearest=near[0] if near else "")
    return plain.isin(wanted).to_numpy()


def _has_segment(data: Tables, frame: pd.DataFrame, segment: str) -> NDArray[np.bool_] | Refused:
    named = _NAMED.fullmatch(segment)
    searched = dict.fromkeys((*data.plan.segments, *_SEGMENTS, *frame.columns))
    columns = [
        name
        for name in searched
        if name in frame and isinstance(frame[name].dtype, pd.StringDtype)
        and name not in ("lead_id", "deal_id", "account_id", "owner", "email")
    ]  # fmt: skip
    if named and named[1] in columns:
        columns, segment = [named[1]], named[2]
    for name in columns:
        is_it = _plain(frame[name]) == segment.strip().casefold()
        if is_it.any():
            return is_it.to_numpy(bool)
    return Refused(Refusal.UNKNOWN_SEGMENT, name=segment)


def _plain(values: pd.Series) -> pd.Series:
    return values.astype("str").str.strip().str.casefold().where(values.notna())
