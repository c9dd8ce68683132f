"""The tables of numbers that ways are read from, in the engine, and the ways that stream from them.

A unit is whose touches make one way: a lead, or an account with all its leads.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.contract.errors import ParameterError
from funnel.dataset.engine import step_text
from funnel.dataset.usable_rows import has_equal
from funnel.methods.paths.coded_paths import CodedPaths
from funnel.methods.paths.journey_ends import (
    in_one_order,
    put_in_order,
    rows_of_journeys,
    ways_of_journeys,
)
from funnel.methods.paths.packing import bits_of
from funnel.methods.paths.path_counts import usual_days
from funnel.methods.paths.scope import ends_of
from funnel.methods.paths.stream import Steps, Tally, Touches, counted, starts_of, whole_units

if TYPE_CHECKING:
    from funnel.dataset import Tables
    from funnel.methods.paths.scope import Asked

_DAY = dt.timedelta(days=1)
_MOST = 2**63 - 1


class Numbers:
    """The tables of numbers that ways are read from, in the engine for as long as they are read."""

    def __init__(self, data: Tables, which: Asked, collapse: bool) -> None:
        self.data, self.engine, self.which, self.collapse = data, data.engine, which, collapse
        self.made: list[str] = []

    def __enter__(self) -> Numbers:
        self._make("size_channels")
        listed = self.engine.rows("select distinct code, channel from size_channels order by code")
        self.channels = tuple(channel for _, channel in listed)
        self._make("size_ends")
        ends = "select * exclude (journey, lead_id, account_id) from size_ends order by journey"
        self.ends = self.engine.execute(ends).df()
        return self

    def __exit__(self, *_: object) -> None:
        for name in self.made:
            self.engine.execute(f"drop table if exists {name}")
        self.engine.execute("drop view if exists size_keys")

    def read(self, null_after_days: int | None) -> tuple[CodedPaths, Tally]:
        """Read the ways that were won, and count those that were not.

        Raises
        ------
        ParameterError
            If the days are negative.
        """
        young_after, steps = self._young_after(null_after_days), self._steps()
        if young_after is None and steps and self.which.source == "touches":
            if _is_by_lead(self.data, self.which):
                # both cores have time to spare while touches stream by
                with ThreadPoolExecutor(1) as pool:
                    hashes_meet = pool.submit(_hashes_meet, self.data)
                    found = self._by_lead(steps)
                if not hashes_meet.result():
                    return found
            elif not self.data.has("touches", "account_id"):
                return self._by_unit(steps)
        return self._by_key(young_after)

    def _young_after(self, days: int | None) -> int | None:
        """Say after which moment a journey began that does not count as a null; none for all."""
        if days is not None and days < 0:
            raise ParameterError(f"null_after_days={days} must not be negative.")
        if days is None:
            days = usual_days(ends_of(self.data, self.which))
        if not days:
            return None
        midnight = self.data.plan.midnight(self.data.as_of + _DAY) - days * _DAY
        return (midnight - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)

    def _steps(self) -> Steps | None:
        """Say how a moment and a channel become one number; none where no number holds them."""
        span = "select epoch_us(min(occurred_at)), epoch_us(max(occurred_at)) from touches"
        first, last = self.engine.rows(span)[0]
        if first is None:
            return Steps(0, 1)
        steps = Steps(first, bits_of(len(self.channels)))
        return steps if (last - first + 1) << steps.bits <= _MOST else None

    def _by_lead(self, steps: Steps) -> tuple[CodedPaths, Tally]:
        """Read ways where each is one lead's: from one sorted stream, no key looked up."""
        journey = np.flatnonzero(self.ends["has_lead"].to_numpy(dtype=bool))
        unit = self.ends["unit"].to_numpy()[journey]
        rows, tally = self._streamed("lead", steps, journey, unit)
        return self._won(rows), tally

    def _by_unit(self, steps: Steps) -> tuple[CodedPaths, Tally]:
        """Read ways where a unit may be an account: from one sorted stream, each lead looked up."""
        self.engine.execute(f"create or replace temp view size_keys as {self.data.keys['leads']}")
        for step in ("size_accounts", "size_people"):
            self._make(step)
        text, given = self._asked("size_whose")
        whose = self.engine.execute(text, **given).fetchnumpy()
        rows, tally = self._streamed("unit", steps, whose["journey"], whose["unit"])
        if len(whose["journey"]) > len(np.unique(whose["journey"])):
            rows = in_one_order(rows) or self._rows_by_key()
        return self._won(rows), tally

    def _streamed(
        self, of: str, steps: Steps, journey: NDArray, unit: NDArray
    ) -> tuple[Touches, Tally]:
        """Give the touches of journeys that ended, by their units; count the ways of the others."""
        tally, ended = Tally(self.channels, self.collapse), np.sort(unit)
        given = {"first": steps.first, "codes": 1 << steps.bits}
        touches = whole_units(self.engine, step_text(f"size_{of}_touches"), given)
        kept = counted(map(steps.read, touches), tally, ended=ended[starts_of(ended)[:-1]])
        put_in_order(self.engine, step_text(f"size_{of}_near"), kept.tied, kept.ended)
        if len(kept.tied["unit"]):
            counted(iter([kept.tied]), tally, is_in_order=True)
        elif len(kept.tied_units):
            self._count_again(f"size_{of}_again", kept.tied_units, tally)
        milestone = self.ends["milestone"].to_numpy()[journey]
        days = self.which.lookback_days
        return rows_of_journeys(journey, unit, milestone, kept.ended, days), tally

    def _by_key(self, young_after: int | None) -> tuple[CodedPaths, Tally]:
        """Read ways by the keys of leads and accounts, whichever a touch has."""
        won = self._won(self._rows_by_key())
        self._make("size_leads")
        tally = Tally(self.channels, self.collapse)
        kept = counted(self._stream("size_nulls"), tally, young_after=young_after)
        if len(kept.tied_units):
            self._count_again("size_tied", kept.tied_units, tally, young_after)
        return won, tally

    def _rows_by_key(self) -> Touches:
        text, given = self._asked("size_rows")
        rows = self.engine.execute(text, **given).fetchnumpy()
        return {key: np.asarray(values) for key, values in rows.items()}

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
    with data.engine.connection.cursor() as cursor:
        found = cursor.execute(f"select hash(lead_id) as unit from ({keys})").fetchnumpy()["unit"]
        if not has_equal(np.asarray(found)):
            return False
        n, n_hashes = cursor.execute(
            f"select count(distinct lead_id), count(distinct hash(lead_id)) from ({keys})"
        ).fetchall()[0]
    return n != n_hashes
