"""Paths of a dataset in DuckDB: touches sorted by the engine, and counted as they stream by.

A unit is what one path is of: a lead, or an account with all its leads.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.dataset.cache import cached
from funnel.dataset.engine import step_text
from funnel.dataset.usable_rows import has_equal
from funnel.methods.paths.coded_paths import CodedPaths
from funnel.methods.paths.converted import (
    Converted,
    converted_from_rows,
    converted_of,
    in_one_order,
    milestones_of,
    order_ties,
    touches_of_journeys,
)
from funnel.methods.paths.packing import bits_of
from funnel.methods.paths.stream import (
    Immaturity,
    Steps,
    Tally,
    Touches,
    counted,
    whole_units,
)

if TYPE_CHECKING:
    from funnel.dataset import Tables
    from funnel.methods.paths.scope import Scope

_EPOCH = dt.datetime(1970, 1, 1)
_NEVER = dt.datetime(9999, 1, 1)
_MOST = 2**62 - 1  # of a step, whose last bit is the lead's immaturity
_KEYS = ["lead_id", "account_id"]


class TouchReader:
    """Reads paths from touches; its tables are in the engine for as long as it is open."""

    def __init__(self, data: Tables, scope: Scope, ends: pd.DataFrame) -> None:
        self.data, self.engine, self.scope = data, data.engine, scope
        self.ends = ends.sort_values("journey_id", ignore_index=True)
        table = "leads" if scope.source == "leads" else "touches"
        self.names_accounts = scope.by == "account" and data.has(table, "account_id")
        self._tables: list[str] = []
        self._may_hash = True

    def __enter__(self) -> TouchReader:
        self._view("contacts", self._text("contacts"))
        self._table("channel_codes")
        query = "select distinct code, channel from channel_codes order by code"
        self.channels = tuple(channel for _, channel in self.engine.rows(query))
        journeys = self.ends[["journey_id", *_KEYS]].reset_index(names="journey")
        self._register("converted_journeys", journeys)
        return self

    def __exit__(self, *_: object) -> None:
        for name in self._tables:
            self.engine.execute(f"drop table if exists {name}")
        for name in ("touches_by_unit", "contacts", "lead_keys"):
            self.engine.execute(f"drop view if exists {name}")

    def converted(self) -> Converted:
        """Journeys that converted, one path each, from their own touches alone."""
        if self.names_accounts:
            return self._converted_by_key()
        steps = self._prepared(None)
        journey, unit = self._journey_units()
        self._register("converted_units", pd.DataFrame({"unit": np.unique(unit)}))
        self._touches("unit in (select unit from converted_units)")
        converted, _, _ = self._read(steps, journey, unit, None, leave_out_immature=False)
        if self.is_hashed and self._hashes_collide():
            self._may_hash = False
            return self.converted()
        return converted

    def every_path(
        self, immature_after: dt.datetime | None, *, leave_out_immature: bool
    ) -> tuple[Converted, CodedPaths, int]:
        """Journeys that converted, every path with its nulls, and how many nulls are immature.

        Parameters
        ----------
        immature_after
            Naive, UTC. A journey is immature if it began later: by the creation of its leads, by
            their touches where that is not known.
        leave_out_immature
            Whether immature journeys are no nulls.
        """
        steps = self._prepared(immature_after)
        journey, unit = self._journey_units()
        where = "true"
        if self.names_accounts:  # a lead that converted may be on an account that has not
            where = "not exists (select 1 from converted_journeys as j where j.lead_id = t.lead_id)"
        self._touches(where)
        immaturity = self._immaturity(immature_after)
        with ThreadPoolExecutor(1) as pool:
            # both cores have time to spare while touches stream by
            collide = pool.submit(self._hashes_collide) if self.is_hashed else None
            converted, tally, n_immature = self._read(
                steps, journey, unit, immaturity, leave_out_immature=leave_out_immature
            )
        if collide and collide.result():
            self._may_hash = False
            return self.every_path(immature_after, leave_out_immature=leave_out_immature)
        every = tally.with_conversions(converted.paths.grouped())
        return converted, every.merged(), n_immature

    @property
    def is_hashed(self) -> bool:
        """Whether each path is one lead's, so that a hash of its key does for a number."""
        return self._may_hash and (self.scope.by == "lead" or not self.scope.has_accounts)

    def _prepared(self, immature_after: dt.datetime | None) -> Steps | None:
        """Make the tables of units, and give the form of steps; none where no number holds them."""
        if not self.is_hashed:
            keys = self.data.lead_keys or "select distinct lead_id from contacts"
            self._view("lead_keys", keys)
            self._table("account_units", touches_name_accounts=self.names_accounts)
            self._table("lead_units", immature_after=immature_after or _NEVER)
        span = "select epoch_us(min(occurred_at)), epoch_us(max(occurred_at)) from contacts"
        first, last = self.engine.rows(span)[0]
        steps = Steps(first or 0, bits_of(len(self.channels)))
        return steps if (((last or 0) - steps.first + 1) << steps.bits) <= _MOST else None

    def _touches(self, where: str = "true") -> None:
        """Make the view `touches_by_unit`."""
        unit = "account" if self.names_accounts else "numbered_lead"
        text = step_text(f"touches_by_{'lead' if self.is_hashed else unit}")
        self._view("touches_by_unit", f"select * from ({text}) as t where {where}")

    def _journey_units(self) -> tuple[NDArray[np.int64], NDArray]:
        """Number of each converted journey with each unit that it holds, journey after journey."""
        text = step_text("journey_units")
        if self.is_hashed:
            text = (
                "select journey, hash(lead_id) as unit from converted_journeys "
                "where lead_id is not null order by journey"
            )
        found = self.engine.execute(text).fetchnumpy()
        return np.asarray(found["journey"]), np.asarray(found["unit"])

    def _immaturity(self, immature_after: dt.datetime | None) -> Immaturity | None:
        """What tells immature journeys; none where all count alike."""
        if immature_after is None:
            return None
        after = (immature_after - _EPOCH) // dt.timedelta(microseconds=1)
        if not self.is_hashed:
            return Immaturity(after)
        immature = "select hash(lead_id) as unit from leads where created_at > $after"
        unknown = "select 0::ubigint as unit where false"
        if not _are_all_known(self.data):
            keys = self.data.lead_keys or "select lead_id from contacts"
            unknown = (
                f"select distinct hash(lead_id) as unit from ({keys}) as k "
                "where lead_id is not null "
                "and not exists (select 1 from leads where leads.lead_id = k.lead_id)"
            )
        found = [
            np.unique(np.asarray(self.engine.execute(query, **given).fetchnumpy()["unit"]))
            for query, given in ((immature, {"after": immature_after}), (unknown, {}))
        ]
        return Immaturity(after, *found)

    def _read(
        self,
        steps: Steps | None,
        journey: NDArray[np.int64],
        unit: NDArray,
        immaturity: Immaturity | None,
        *,
        leave_out_immature: bool,
    ) -> tuple[Converted, Tally, int]:
        """Read `touches_by_unit`: the touches of converted journeys, and the counts of others."""
        tally = Tally(self.channels, leave_out_immature=leave_out_immature)
        converted_units = np.unique(unit)
        after = {"immature_after": immaturity.after if immaturity else np.iinfo(np.int64).max}
        stream = self._stream(steps, after)
        kept = counted(stream, tally, converted=converted_units, immaturity=immaturity)
        order_ties(self._touches_at, kept.tied, kept.converted)
        if len(kept.tied["unit"]):
            counted(iter([kept.tied]), tally, immaturity=immaturity, is_in_order=True)
        elif len(kept.tied_units):
            self._register("tied_unit_numbers", pd.DataFrame({"unit": kept.tied_units}))
            again = whole_units(self.engine, step_text("tied_units"), after)
            counted(again, tally, immaturity=immaturity, is_in_order=True)
        if self.names_accounts:
            return self._converted_by_key(), tally, tally.n_immature
        milestone = milestones_of(self.ends)[journey]
        rows = touches_of_journeys(
            journey, unit, milestone, kept.converted, self.scope.lookback_days
        )
        if len(journey) > len(np.unique(journey)):
            rows = in_one_order(rows)
        if rows is None:
            return self._converted_by_key(), tally, tally.n_immature
        return converted_of(self.ends, rows, self.channels), tally, tally.n_immature

    def _stream(self, steps: Steps | None, after: dict[str, int]) -> Iterator[Touches]:
        if steps is None:
            return whole_units(self.engine, step_text("touches_in_order_unpacked"), after)
        given = {"first": steps.first, "codes": 1 << steps.bits, **after}
        return map(steps.read, whole_units(self.engine, step_text("touches_in_order"), given))

    def _touches_at(self, ties: pd.DataFrame) -> Touches:
        """Touches at some moments, in the order of their keys, from the few contacts of then."""
        self._register("tied_moments", ties)
        # a table that is there says how small it is, and the engine plans accordingly
        self.engine.execute(
            "create or replace temp table contacts_at_ties as select * from contacts "
            "where occurred_at in (select make_timestamp(moment) from tied_moments)"
        )
        self._tables.append("contacts_at_ties")
        self._view("contacts", "select * from contacts_at_ties")
        try:
            return self.engine.execute(step_text("tied_touches")).fetchnumpy()
        finally:
            self._view("contacts", self._text("contacts"))

    def _converted_by_key(self) -> Converted:
        return converted_from_rows(self.data, self.scope, self.ends, self.channels)

    def _hashes_collide(self) -> bool:
        """Whether two leads share a hash; two in a billion companies of this size do."""
        distinct = f"select distinct lead_id from ({self._text('contacts')})"
        return hashes_collide(self.data, self.data.lead_keys or distinct)

    def _text(self, step: str) -> str:
        """Query of a step that is made a view, which takes no parameter."""
        return step_text(step).replace("$from_leads", str(self.scope.source == "leads").lower())

    def _view(self, name: str, text: str) -> None:
        self.engine.execute(f"create or replace temp view {name} as {text}")

    def _register(self, name: str, frame: pd.DataFrame) -> None:
        self.engine.register(name, frame)
        self._tables.append(name)

    def _table(self, step: str, **parameters: object) -> None:
        text = step_text(step)
        known = {
            **self.scope.of_touches, "all_known": _are_all_known(self.data), **parameters,
        }  # fmt: skip
        given = {key: value for key, value in known.items() if f"${key}" in text}
        self.engine.execute(f"create or replace temp table {step} as {text}", **given)
        self._tables.append(step)


@cached
def hashes_collide(data: Tables, keys: str) -> bool:
    """Whether two different keys of a query have one hash."""
    with data.engine.connection.cursor() as cursor:
        found = cursor.execute(f"select hash(lead_id) as unit from ({keys})").fetchnumpy()["unit"]
        if not has_equal(np.asarray(found)):
            return False
        n, n_hashes = cursor.execute(
            f"select count(distinct lead_id), count(distinct hash(lead_id)) from ({keys})"
        ).fetchall()[0]
    return n != n_hashes


def _are_all_known(data: Tables) -> bool:
    """Whether each lead that came in may be used, so that a touch can be of no other."""
    counts = data.counts.set_index("table")["rows_rejected"]
    return data.has("leads") and not counts.get("leads", 0)
