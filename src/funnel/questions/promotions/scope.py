"""Whom a promotion was for: its rows, their series by day, and those it was not for."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.checks import is_unknown
from funnel.contract.errors import ParameterError
from funnel.dataset.cache import cached
from funnel.methods.season.series import series
from funnel.methods.season.special_days import dated
from funnel.methods.season.workdays import DayWeights, fit_day_weights
from funnel.questions.promotions.table import Promotion, promotions
from funnel.questions.promotions.weeks import Span

if TYPE_CHECKING:
    from funnel.dataset import Tables

FEWEST_WINS = 3.0  # a week: with fewer, a promotion for everybody is read off its leads
_ENOUGH_DAYS = 400  # to learn from without those of promotions
_KEYS = {"leads": "lead_id", "deals": "deal_id"}
_SEGMENTS = ("region", "industry", "motion", "product", "kind", "grade", "seniority")
_NAMED = re.compile(r"(\w+)\s*[=:]\s*(.+)")


@dataclass(frozen=True, eq=False)
class Scope:
    """The rows that a promotion was for, and their series by day.

    `amounts` are what each row counts for. `refused` says why there are none.
    """

    daily: pd.Series
    table: str
    ids: pd.Series
    amounts: pd.Series
    refused: str = ""

    def rows_in(self, span: Span) -> NDArray[np.bool_]:
        """Mark the rows of some days, both ends included."""
        days = self.ids.index
        return (days >= pd.Timestamp(span[0])) & (days <= pd.Timestamp(span[1]))


def measure_of(data: Tables, promotion: Promotion, of: str | None) -> str:
    """Choose what a promotion is read off, where nobody says.

    Leads where it ran in a channel; else wins, if there are at least three a week; else leads, or
    wins where there are no leads.
    """
    if of is not None:
        return of
    if data.leads.empty:
        return "wins"
    if promotion.channel or data.deals.empty:
        return "leads"
    wins = _whole(data, "wins").dropna()
    return "wins" if len(wins) and 7 * wins.mean() >= FEWEST_WINS else "leads"


def scope_of(data: Tables, promotion: Promotion, of: str) -> Scope:
    """Give the rows that a promotion was for, and their series.

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
    try:
        return _part(everybody, _are_in(data, of, channel, segment))
    except ParameterError as error:
        return _part(everybody, np.zeros(len(everybody.ids), dtype=bool), refused=str(error))


def share_of(data: Tables, scope: Scope, of: str, other: Promotion) -> float:
    """Say what share of a scope's rows another promotion was for too."""
    theirs = scope_of(data, other, of)
    if not other.runs_for or not len(scope.ids):
        return float(bool(len(scope.ids)))
    return float(scope.ids.isin(theirs.ids).mean())


def control_of(
    data: Tables, promotion: Promotion, beside: tuple[Promotion, ...], of: str
) -> tuple[Scope | None, str]:
    """Give rows that neither this promotion nor those around its days were for, and their name.

    Parameters
    ----------
    data
        A company's tables.
    promotion
        With a channel or segment, or there is nobody that it was not for.
    beside
        Other promotions in or around its days.
    of
        What is counted.
    """
    if not promotion.runs_for or any(not other.runs_for for other in beside):
        return None, ""
    is_known = bool(promotion.channel)
    name = "other channels" if is_known and not promotion.segment else "others"
    whom = frozenset((one.channel, one.segment) for one in (promotion, *beside))
    return _others(data, of, whom, is_known), name


@cached
def _others(data: Tables, of: str, whom: frozenset[tuple[str, str]], is_known: bool) -> Scope:
    """Give the rows that none of these channels and segments has."""
    everybody = _events(data, of)
    kept = np.ones(len(everybody.ids), dtype=bool)
    for channel, segment in whom:
        try:
            kept &= ~_are_in(data, of, channel, segment)
        except ParameterError:
            continue
    if is_known:
        frame = _described(data, everybody.table)
        blank = frame.index[is_unknown(frame["channel"])]
        kept &= ~everybody.ids.isin(blank).to_numpy()
    return _part(everybody, kept)


@cached
def day_weights(data: Tables, of: str) -> DayWeights:
    """Learn what each kind of day is worth to the whole company, from days without promotions.

    Special days of the plan that are a promotion's own are none: they would take what it brought.
    """
    whole = _whole(data, of)
    promoted = np.zeros(len(whole), dtype=bool)
    for one in promotions(data):
        promoted |= (whole.index >= str(one.first)) & (whole.index <= str(one.last))
    plain = whole.mask(promoted)
    if plain.notna().sum() < _ENOUGH_DAYS:
        plain = whole
    days = whole.index[promoted]
    special = {
        name: found
        for name, found in dated(data.plan.checklist).items()
        if not found.isin(days).any()
    }
    return fit_day_weights(plain, data.plan.company.country, special)


@cached
def _whole(data: Tables, of: str) -> pd.Series:
    return series(data, of)


@cached
def _events(data: Tables, of: str) -> Scope:
    """Every row of a measure by its local day, and what it counts for."""
    whole = _whole(data, of)
    source = whole.attrs["source"]
    ids = pd.Series(source.ids, index=pd.DatetimeIndex(source.days), dtype="str")
    amounts = pd.Series(1.0, index=ids.index)
    if of == "bookings":
        amounts[:] = data.deals.set_index("deal_id")["amount"].reindex(ids).fillna(0.0).to_numpy()
    daily = pd.Series(whole.to_numpy(), index=whole.index)  # without what pandas would copy along
    return Scope(daily, source.table, ids, amounts)


def _part(everybody: Scope, kept: NDArray[np.bool_], refused: str = "") -> Scope:
    """Keep some rows; days that are known to the whole and hold none of these are 0."""
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
    """Describe rows by their own columns, and deals by their lead's where they have none."""
    frame = data.frame(table).set_index(_KEYS[table], drop=False)
    if table == "leads" or data.leads.empty:
        return frame
    leads = data.leads.set_index("lead_id")
    lead = leads.reindex(frame["lead_id"]).set_axis(frame.index)
    return frame.join(lead[[name for name in lead if name not in frame]])


@cached
def _are_in(data: Tables, of: str, channel: str, segment: str) -> NDArray[np.bool_]:
    """Mark the rows of a measure that are in a channel and segment; empty stands for all."""
    everybody = _events(data, of)
    frame = _described(data, everybody.table)
    kept = np.ones(len(frame), dtype=bool)
    if channel:
        kept &= _has_channel(frame, channel)
    if segment:
        kept &= _has_segment(data, frame, segment)
    return everybody.ids.isin(frame.index[kept]).to_numpy()


def _has_channel(frame: pd.DataFrame, channel: str) -> NDArray[np.bool_]:
    if "channel" not in frame or not frame["channel"].notna().any():
        raise ParameterError(f"it ran in {channel!r}, and no channel is recorded")
    plain = _plain(frame["channel"])
    wanted = [channel.casefold()]
    if not plain.isin(wanted).any():
        wanted = [part.strip().casefold() for part in re.split(r"[,;+/]", channel)]
    missing = sorted(set(wanted) - set(plain.dropna()))
    if missing:
        near = difflib.get_close_matches(missing[0], plain.dropna().unique(), n=1, cutoff=0.5)
        hint = f" (the nearest is {near[0]!r})" if near else ""
        raise ParameterError(f"its channel {channel!r} is in no row{hint}")
    return plain.isin(wanted).to_numpy()


def _has_segment(data: Tables, frame: pd.DataFrame, segment: str) -> NDArray[np.bool_]:
    named = _NAMED.fullmatch(segment)
    looked = dict.fromkeys((*data.plan.segments, *_SEGMENTS, *frame.columns))
    columns = [
        name
        for name in looked
        if name in frame and isinstance(frame[name].dtype, pd.StringDtype)
        and name not in ("lead_id", "deal_id", "account_id", "owner", "email")
    ]  # fmt: skip
    if named and named[1] in columns:
        columns, segment = [named[1]], named[2]
    for name in columns:
        is_it = _plain(frame[name]) == segment.strip().casefold()
        if is_it.any():
            return is_it.to_numpy(bool)
    raise ParameterError(f"its segment {segment!r} is in no column")


def _plain(values: pd.Series) -> pd.Series:
    return values.astype("str").str.strip().str.casefold().where(values.notna())
