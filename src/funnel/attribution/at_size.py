"""Every way of a company in numbers, counted before it comes into memory, however many touches.

Journeys that ended come as they are, one each. Those that did not, by far the most, are sorted by
the engine, which spills to disk, and counted as they stream by.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.attribution.coded import CodedPaths
from funnel.attribution.not_won import not_won
from funnel.attribution.reading import coded_journeys, coded_paths
from funnel.engine import step_text
from funnel.journeys import NOT_TRACED, journeys, paths
from funnel.journeys.asked import asked

if TYPE_CHECKING:
    from funnel.journeys.asked import Asked
    from funnel.load import Tables

_VECTORS_AT_ONCE = 2_000  # of some two thousand rows each, on their way from the engine
_STEPS = ("size_channels", "size_leads")
Parts = list[CodedPaths]


@dataclass(frozen=True, eq=False)
class Ways:
    """Every way of a company, in numbers: what `attribute` reads.

    Attributes
    ----------
    won
        One path per won deal, with its times and milestones; for rules.
    every
        Each different path once, with its wins and with the journeys that were not won; for
        `markov`, `shapley` and `shapley_rate`.
    """

    won: CodedPaths
    every: CodedPaths

    @cached_property
    def first_touches(self) -> pd.DataFrame:
        """Where each won deal was first met: `deal_id`, `first_touch`, `amount`."""
        first = np.full(self.won.n_paths, NOT_TRACED, dtype=object)
        names = np.array(self.won.channels, dtype=object)
        first[self.won.is_traced] = names[self.won.codes[self.won.firsts]]
        return pd.DataFrame(
            {
                "deal_id": pd.Series(self.won.names, dtype="str"),
                "first_touch": pd.Series(first, dtype="str"),
                "amount": self.won.value,
            }
        )

    def commonest(self, n: int = 20) -> pd.DataFrame:
        """Give the commonest paths of won deals: `path`, `conversions`, `value`, `nulls`."""
        wins = self.every.conversions
        most = np.argpartition(-wins, min(n, len(wins) - 1))[:n] if len(wins) else []
        chosen = self.every.taken(np.asarray(most, dtype=np.int64))
        table = pd.DataFrame(
            {
                "path": pd.Series(chosen.strings(), dtype="str"),
                "conversions": chosen.conversions.astype("int64"),
                "value": chosen.value,
                "nulls": chosen.nulls.astype("int64"),
            }
        )
        table = table[table["conversions"] > 0]
        return table.sort_values(
            ["conversions", "nulls", "path"], ascending=[False, False, True], ignore_index=True
        )


def ways(
    data: Tables, *, until: str = "closed_at", lookback_days: int | None = None, by: str = "account"
) -> Ways:
    """Read every way of a company, won and not won, in numbers.

    The same as `funnel.journeys` and `funnel.paths` give, without a row per touch or a text per
    path: for tables of touches that are too large for those.

    Parameters
    ----------
    data
        A company's tables. Reads `deals`, `leads` and `touches`.
    until, lookback_days, by
        As in `funnel.journeys`.

    Returns
    -------
    Ways
        `won` and `every`; give either to `funnel.attribute`.

    Examples
    --------
    >>> from funnel.journeys.example import small_company
    >>> found = ways(small_company())
    >>> found.won.strings(), sorted(zip(found.every.strings(), found.every.nulls.tolist()))
    (['web > demo'], [('web', 1.0), ('web > demo', 0.0)])
    >>> found.first_touches[["deal_id", "first_touch"]].values.tolist()
    [['D-1', 'web']]
    """
    won = _arrows_out(
        coded_journeys(journeys(data, until=until, lookback_days=lookback_days, by=by).table)
    )
    which = asked(data, until=until, lookback_days=lookback_days, by=by)
    if data.spark is not None:
        return Ways(won, joined([won.grouped(), not_won(data, which)]))
    if not data.has("leads"):
        every = paths(data, until=until, lookback_days=lookback_days, by=by)
        return Ways(won, coded_paths(every.table))
    return Ways(won, joined([won.grouped(), *_not_won(data, which)]))


def _not_won(data: Tables, which: Asked) -> Parts:
    """Count the ways of those that have not won, a few million touches at a time."""
    engine = data.engine
    for name in _STEPS:
        text, given = _asked_of(name, which)
        engine.execute(f"create or replace temp table {name} as {text}", **given)
    try:
        listed = engine.rows("select distinct code, channel from size_channels order by code")
        channels = tuple(channel for _, channel in listed)
        counted, tied = _streamed(data, "size_nulls", which, channels)
        if len(tied):
            engine.register("size_ties", pd.DataFrame({"unit": tied}))
            counted += _streamed(data, "size_tied", which, channels, sure=True)[0]
            engine.execute("drop table size_ties")
    finally:
        for name in _STEPS:
            engine.execute(f"drop table if exists {name}")
    return counted


def _asked_of(name: str, which: Asked) -> tuple[str, dict]:
    text = step_text(name)
    given = {key: value for key, value in which.of_touches.items() if f"${key}" in text}
    return text, given


def _streamed(
    data: Tables, name: str, which: Asked, channels: tuple[str, ...], *, sure: bool = False
) -> tuple[Parts, NDArray[np.int32]]:
    """Count ways as their touches come by; those whose order is not sure are left for later."""
    text, given = _asked_of(name, which)
    rows = data.engine.execute(text, **given)
    counted: Parts = []
    tied: list[NDArray[np.int32]] = []
    rest: dict[str, NDArray] = {}
    while True:
        frame = rows.fetch_df_chunk(_VECTORS_AT_ONCE)
        is_last = frame.empty
        touches = {key: frame[key].to_numpy() for key in ("unit", "moment", "code")}
        if rest:
            touches = {key: np.concatenate([rest[key], touches[key]]) for key in touches}
        n = len(touches["unit"])
        if not n:
            break
        # the last unit may go on in the next rows
        end = n if is_last else int(np.searchsorted(touches["unit"], touches["unit"][-1]))
        rest = {key: values[end:] for key, values in touches.items()}
        part, unsure = _counted({key: v[:end] for key, v in touches.items()}, channels, sure)
        counted.append(part)
        tied.append(unsure)
        if is_last:
            break
    return _merged(counted), np.concatenate(tied) if tied else np.empty(0, np.int32)


def _counted(
    touches: dict[str, NDArray], channels: tuple[str, ...], sure: bool
) -> tuple[CodedPaths, NDArray[np.int32]]:
    unit, moment, code = touches["unit"], touches["moment"], touches["code"]
    starts = np.flatnonzero(np.diff(unit, prepend=unit[:1] - 1))
    offsets = np.append(starts, len(unit))
    units = unit[starts]
    nulls = np.ones(len(units))
    found = CodedPaths(
        channels, code.astype(np.int32), offsets, np.zeros(len(units)), np.zeros(len(units)), nulls
    )
    if sure or not len(units):
        return found.grouped(), np.empty(0, np.int32)
    same = (np.diff(unit) == 0) & (np.diff(moment) == 0) & (np.diff(code) != 0)
    tied = np.unique(unit[1:][same])
    if len(tied):
        found = found.taken(~np.isin(units, tied))
    return found.grouped(), tied.astype(np.int32)


def _merged(parts: Parts) -> Parts:
    return [joined(parts)] if parts else []


def joined(parts: Parts) -> CodedPaths:
    """Put ways together, equal ones counted once, and know the channels that are on them.

    Examples
    --------
    >>> parts = [CodedPaths.of([["a"], ["b"]], conversions=[1, 2]),
    ...          CodedPaths.of([["b"]], conversions=[3])]
    >>> both = joined(parts)
    >>> sorted(zip(both.strings(), both.conversions.tolist()))
    [('a', 1.0), ('b', 5.0)]
    """
    met = {part.channels[code] for part in parts for code in np.unique(part.codes)}
    channels = tuple(sorted(met))
    code_of = {channel: code for code, channel in enumerate(channels)}
    codes, n_touches = [], []
    for part in parts:
        new = np.array([code_of.get(channel, -1) for channel in part.channels], dtype=np.int32)
        codes.append(new[part.codes] if len(part.codes) else part.codes)
        n_touches.append(part.n_touches)
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(n_touches))]).astype(np.int64)
    whole = CodedPaths(
        channels,
        np.concatenate(codes).astype(np.int32),
        offsets,
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("conversions", "value", "nulls")
        ),
        squares=np.concatenate(
            [np.zeros(part.n_paths) if part.squares is None else part.squares for part in parts]
        ),
    )
    return whole.grouped()


def _arrows_out(found: CodedPaths) -> CodedPaths:
    """Name channels so that no name holds what stands between two steps."""
    plain = [name.replace(" > ", ">") for name in found.channels]
    channels = tuple(sorted(set(plain)))
    code_of = {channel: code for code, channel in enumerate(channels)}
    new = np.array([code_of[name] for name in plain], dtype=np.int32)
    return replace(
        found, channels=channels, codes=new[found.codes] if len(found.codes) else found.codes
    )
