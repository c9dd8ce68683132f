"""Every way of a company in numbers, counted before it comes into memory, however many touches.

Journeys that ended come as they are, one each. Those that did not, by far the most, are sorted by
the engine, which spills to disk, and counted as they stream by.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.attribution.coded import BLANK, CodedPaths, laid_out
from funnel.attribution.ended import put_in_order, rows_of_journeys, ways_of_journeys
from funnel.attribution.not_won import not_won
from funnel.attribution.packing import bits_of
from funnel.attribution.reading import coded_journeys, coded_paths
from funnel.attribution.streamed import Steps, Tally, Touches, counted, starts_of, whole_units
from funnel.engine import step_text
from funnel.errors import ParameterError
from funnel.journeys import NOT_TRACED, paths
from funnel.journeys.asked import asked, ends_of
from funnel.journeys.walked import usual_days
from funnel.load.keep import has_equal

if TYPE_CHECKING:
    from funnel.journeys.asked import Asked
    from funnel.load import Tables

_DAY = dt.timedelta(days=1)
_MOST = 2**63 - 1


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
    >>> from funnel.journeys.example import small_company
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
    with _Numbers(data, which, collapse) as numbers:
        young_after = numbers.young_after(null_after_days)
        steps = numbers.steps()
        if young_after is None and steps and _is_by_lead(data, which) and not _hashes_meet(data):
            won, tally = numbers.by_lead(steps)
        else:
            won, tally = numbers.by_unit(young_after)
    counted_once = tally.with_wins(won.grouped())
    every = named(counted_once)
    # two names may differ by no more than a blank
    is_one_of_two = len(every.channels) < len(_met(counted_once))
    return Ways(named(won), every.grouped() if is_one_of_two else every)


class _Numbers:
    """The tables of numbers that ways are read from, in the engine for as long as they are read."""

    def __init__(self, data: Tables, which: Asked, collapse: bool) -> None:
        self.data, self.engine, self.which, self.collapse = data, data.engine, which, collapse
        self.made: list[str] = []

    def __enter__(self) -> _Numbers:
        self._make("size_channels")
        listed = self.engine.rows("select distinct code, channel from size_channels order by code")
        self.channels = tuple(channel for _, channel in listed)
        self._make("size_ends")
        ends = "select * exclude (journey) from size_ends order by journey"
        self.ends = self.engine.execute(ends).df()
        return self

    def __exit__(self, *_: object) -> None:
        for name in self.made:
            self.engine.execute(f"drop table if exists {name}")

    def young_after(self, days: int | None) -> int | None:
        """Say after which moment a journey began that does not count as a null; none for all."""
        if days is not None and days < 0:
            raise ParameterError(f"null_after_days={days} must not be negative.")
        if days is None:
            days = usual_days(ends_of(self.data, self.which))
        if not days:
            return None
        midnight = self.data.plan.midnight(self.data.as_of + _DAY) - days * _DAY
        return (midnight - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)

    def steps(self) -> Steps | None:
        """Say how a moment and a channel become one number; none where no number holds them."""
        span = "select epoch_us(min(occurred_at)), epoch_us(max(occurred_at)) from touches"
        first, last = self.engine.rows(span)[0]
        if first is None:
            return Steps(0, 1)
        steps = Steps(first, bits_of(len(self.channels)))
        return steps if (last - first + 1) << steps.bits <= _MOST else None

    def by_lead(self, steps: Steps) -> tuple[CodedPaths, Tally]:
        """Read ways where each is one lead's: from one sorted stream, no key looked up."""
        tally = Tally(self.channels, self.collapse)
        has_lead = self.ends["has_lead"].to_numpy(dtype=bool)
        ended = np.sort(self.ends["unit"].to_numpy()[has_lead])
        given = {"first": steps.first, "codes": 1 << steps.bits}
        kept = counted(
            map(steps.read, whole_units(self.engine, step_text("size_touches"), given)),
            tally,
            ended=ended[starts_of(ended)[:-1]],
        )
        put_in_order(self.engine, step_text("size_keyed"), kept.tied, kept.ended)
        if len(kept.tied["unit"]):
            counted(iter([kept.tied]), tally, is_in_order=True)
        elif len(kept.tied_units):
            self._count_again("size_again", kept.tied_units, tally)
        rows = rows_of_journeys(self.ends, kept.ended, self.which.lookback_days)
        return self._won(rows), tally

    def by_unit(self, young_after: int | None) -> tuple[CodedPaths, Tally]:
        """Read ways where a unit may be an account, with all its leads."""
        text, given = self._asked("size_rows")
        rows = self.engine.execute(text, **given).fetchnumpy()
        won = self._won({key: np.asarray(values) for key, values in rows.items()})
        self._make("size_leads")
        tally = Tally(self.channels, self.collapse)
        kept = counted(self._stream("size_nulls"), tally, young_after=young_after)
        if len(kept.tied_units):
            self._count_again("size_tied", kept.tied_units, tally, young_after)
        return won, tally

    def _won(self, rows: Touches) -> CodedPaths:
        return ways_of_journeys(self.ends, rows, self.channels, collapse=self.collapse)

    def _count_again(
        self, step: str, units: NDArray, tally: Tally, young_after: int | None = None
    ) -> None:
        self.engine.register("size_ties", pd.DataFrame({"unit": units}))
        self.made.append("size_ties")
        counted(self._stream(step), tally, young_after=young_after, is_in_order=True)

    def _stream(self, step: str) -> Iterator[Touches]:
        return whole_units(self.engine, *self._asked(step))

    def _make(self, step: str) -> None:
        text, given = self._asked(step)
        self.engine.execute(f"create or replace temp table {step} as {text}", **given)
        self.made.append(step)

    def _asked(self, step: str) -> tuple[str, dict]:
        text = step_text(step)
        known = {**self.which.of_touches, "all_known": _are_all_known(self.data)}
        return text, {key: value for key, value in known.items() if f"${key}" in text}


def _are_all_known(data: Tables) -> bool:
    """Whether each lead that came in may be used, so that a touch can be of no other."""
    counts = data.counts.set_index("table")["rows_rejected"]
    return not counts.get("leads", 0)


def _is_by_lead(data: Tables, which: Asked) -> bool:
    """Whether each way is one lead's, since no account says that two leads belong together."""
    return which.source == "touches" and (
        which.by == "lead"
        or not (data.has("leads", "account_id") or data.has("touches", "account_id"))
    )


def _hashes_meet(data: Tables) -> bool:
    """Whether two leads share a hash; two in a billion companies of this size do."""
    keys = data.keys["leads"]
    found = data.engine.execute(f"select hash(lead_id) as unit from ({keys})").fetchnumpy()["unit"]
    if not has_equal(np.asarray(found)):
        return False
    n, n_hashes = data.engine.rows(
        f"select count(distinct lead_id), count(distinct hash(lead_id)) from ({keys})"
    )[0]
    return n != n_hashes


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
