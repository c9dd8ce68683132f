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

from funnel.methods.paths.coded_paths import BLANK, CodedPaths, laid_out
from funnel.methods.paths.frames import coded_journeys, coded_paths
from funnel.methods.paths.number_tables import Numbers
from funnel.methods.paths.path_counts import paths
from funnel.methods.paths.results import NOT_TRACED
from funnel.methods.paths.scope import asked, ends_of
from funnel.methods.paths.unconverted import not_won

if TYPE_CHECKING:
    from funnel.dataset import Tables
    from funnel.methods.paths.scope import Asked


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
    data: Tables,
    *,
    to: str = "won",
    until: str = "closed_at",
    lookback_days: int | None = None,
    by: str = "account",
    collapse: bool = False,
    null_after_days: int | None = 0,
) -> Ways:
    """Read every way of a company, won and not won, in numbers.

    The same as `funnel.journeys` and `funnel.paths` give, without a row per touch or a text per
    path: for tables of touches that are too large for those.

    Parameters
    ----------
    data
        A company's tables. Reads `deals`, `leads` and `touches`, and `stage_changes` for a stage.
    to, until, lookback_days, by, collapse, null_after_days
        As in `funnel.paths`.

    Returns
    -------
    Ways
        `won` (of what was asked for: won deals, deals, or leads that reached a stage) and
        `every`; give either to `funnel.attribute`.

    Raises
    ------
    ParameterError
        As in `funnel.paths`.

    Examples
    --------
    >>> from funnel.methods.paths.example import small_company
    >>> found = ways(small_company())
    >>> found.won.strings(), sorted(zip(found.every.strings(), found.every.nulls.tolist()))
    (['web > demo'], [('web', 1.0), ('web > demo', 0.0)])
    >>> found.first_touches[["deal_id", "first_touch"]].values.tolist()
    [['D-1', 'web']]
    """
    which = asked(data, to=to, until=until, lookback_days=lookback_days, by=by)
    if data.spark is not None and not collapse and null_after_days == 0:
        won = _from_rows(data, which, collapse)
        return Ways(won, joined([won.grouped(), named(not_won(data, which))]))
    if data.spark is not None or not data.has("leads"):
        every = paths(
            data, to=to, until=until, lookback_days=lookback_days, by=by, collapse=collapse,
            null_after_days=null_after_days,
        )  # fmt: skip
        return Ways(_from_rows(data, which, collapse), coded_paths(every.table))
    with Numbers(data, which, collapse) as numbers:
        won, tally = numbers.read(null_after_days)
    different = tally.with_wins(won.grouped())
    every = named(different)
    # names that differ by no more than a blank are one, and so are their ways
    has_fewer_names = len(every.channels) < len(_met(different))
    return Ways(named(won), every.grouped() if has_fewer_names else every)


def _from_rows(data: Tables, which: Asked, collapse: bool) -> CodedPaths:
    """Read journeys that ended from a table of touches."""
    ends = ends_of(data, which)
    touches = data.step("journey_rows", **which.of_touches)
    table = ends.drop(columns="lead_id").merge(touches, on="journey_id", how="left")
    table["position"] = table["position"].fillna(0)
    table["moment"] = table["moment"].fillna(0)
    if collapse:
        same = (table["journey_id"] == table["journey_id"].shift()) & (
            table["channel"] == table["channel"].shift()
        )
        table = table[~same]
    return named(coded_journeys(table.rename(columns={"journey_id": "deal_id"})))


def joined(parts: list[CodedPaths]) -> CodedPaths:
    """Put ways together, equal ones counted once, and know the channels that are on them.

    Examples
    --------
    >>> parts = [CodedPaths.of([["a"], ["b"]], conversions=[1, 2]),
    ...          CodedPaths.of([["b"]], conversions=[3])]
    >>> both = joined(parts)
    >>> sorted(zip(both.strings(), both.conversions.tolist()))
    [('a', 1.0), ('b', 5.0)]
    """
    met = {part.channels[code] for part in parts for code in _met(part)}
    channels = tuple(sorted(met))
    code_of = {channel: code for code, channel in enumerate(channels)}
    return laid_out([_recoded(part, code_of, channels) for part in parts]).grouped()


def named(found: CodedPaths) -> CodedPaths:
    """Name channels as a table of paths would: no blank around a name, no arrow within, each met.

    Examples
    --------
    >>> named(CodedPaths.of([["b", "a > c "]], conversions=[1])).channels
    ('a>c', 'b')
    """
    plain = [name.replace(" > ", ">").strip() or BLANK for name in found.channels]
    channels = tuple(sorted({plain[code] for code in _met(found)}))
    code_of = {channel: code for code, channel in enumerate(channels)}
    return _recoded(replace(found, channels=tuple(plain)), code_of, channels)


def _recoded(found: CodedPaths, code_of: dict[str, int], channels: tuple[str, ...]) -> CodedPaths:
    """Give channels other codes; one that has none is on no way."""
    new = np.array([code_of.get(name, -1) for name in found.channels], dtype=np.int32)
    is_same = len(channels) == len(new) and (new == np.arange(len(new))).all()
    codes = found.codes if is_same or not len(found.codes) else new[found.codes]
    return replace(found, channels=channels, codes=codes)


def _met(ways: CodedPaths) -> NDArray[np.int64]:
    """Give the codes that are on some way."""
    n = len(ways.channels)
    return np.flatnonzero(
        sum((np.bincount(some.codes, minlength=n) for _, some in ways.in_blocks()), np.zeros(n))
    )
