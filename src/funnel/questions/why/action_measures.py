"""One figure in two windows of days: what an action was to move, before and since."""

from __future__ import annotations

import dataclasses
import itertools
import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.contract.periods import Comparison
from funnel.dataset.stages import reached
from funnel.questions.why.measures import MEASURES, Facts, Measured, facts_of
from funnel.questions.why.totals import change_of_means
from funnel.stats import difference_of_rates

if TYPE_CHECKING:
    from funnel.dataset import Tables

_SAME = {
    "lead volume": "leads",
    "lead": "leads",
    "deal size": "average deal size",
    "deals won": "wins",
    "won deals": "wins",
    "revenue": "bookings",
}
CYCLE = ("timing", "sales cycle", "cycle days")
_STEP = re.compile(r"(.+) to (.+)")


class Gauges:
    """Measures figures of one company, and reads its ways through the stages once."""

    def __init__(self, data: Tables) -> None:
        self.data = data
        self._reached: pd.DataFrame | None = None

    @property
    def reached(self) -> pd.DataFrame:
        """When each lead reached each stage."""
        if self._reached is None:
            self._reached = reached(self.data)
        return self._reached

    def names(self) -> list[str]:
        """Name what can be measured."""
        stages = self.reached.attrs["stages"]
        steps = [f"{a} to {b}" for a, b in itertools.pairwise(stages)]
        return [*MEASURES, *steps, CYCLE[0], "<column> filled"]

    def measure(self, name: str, segment: str, comparison: Comparison) -> Measured | None:
        """Measure a figure in both windows; `None` where it has no such name.

        Parameters
        ----------
        name
            A measure of the period's change, a step such as `mql to sal` (those that advanced, of
            those that left the first stage), `timing` (days from a deal's opening to its closing)
            or `<column> filled` (share of rows).
        segment
            Where, as the plan's segments name it; empty for everywhere.
        comparison
            The two windows.
        """
        key = re.sub(r"[\s_-]+", " ", name).strip().casefold()
        key = _SAME.get(key, key)
        facts = facts_of(self.data, comparison)
        keep = self.units(segment) if segment else None
        if keep is not None and not len(keep):
            return Measured("count", "rows", why=f"no row is of a segment {segment!r}")
        if keep is not None:
            facts = _within_segment(facts, keep)
        if key in MEASURES:
            if key == "mrr" and keep is not None:
                return Measured("money", "accounts", why="accounts have no segment")
            return MEASURES[key](facts)
        if key in CYCLE:
            return _cycle(facts)
        if key.endswith(" filled"):
            return _filled(facts, key.removesuffix(" filled"))
        if match := _STEP.fullmatch(key):
            return self._step(match[1], match[2], facts, keep)
        return None

    def units(self, segment: str) -> pd.Index:
        """Give the leads (without any, the deals) that are of a segment."""
        data = self.data
        table, key = ("leads", "lead_id") if data.has("leads") else ("deals", "deal_id")
        frame = data.leads if table == "leads" else data.deals
        columns = [name for name in data.plan.segments if data.has(table, name)]
        wanted = segment.strip().casefold()
        names = [frame[name].astype("str").str.strip().str.casefold() for name in columns]
        if len(names) > 1:
            joined = names[0]
            for other in names[1:]:
                joined = joined + " / " + other
            names.append(joined)
        found = np.zeros(len(frame), bool)
        for each in names:
            found |= each.eq(wanted).to_numpy(bool, na_value=False)
        return pd.Index(frame.loc[found, key])

    def _step(self, a: str, b: str, facts: Facts, keep: pd.Index | None) -> Measured | None:
        """Those that advanced among those that left a stage in a window, by the day they left."""
        frame = self.reached
        by_key = {stage.casefold(): stage for stage in frame.attrs["stages"]}
        if a not in by_key or b not in by_key:
            return None
        came, next_at = frame[f"{by_key[a]}_at"], frame[f"{by_key[b]}_at"]
        there = came.notna() if keep is None else came.notna() & frame["lead_id"].isin(keep)
        is_advance = next_at.notna()
        left = frame.assign(at=next_at.where(is_advance, frame["left_at"]), is_advance=is_advance)
        left = left.loc[there & left["at"].notna(), ["lead_id", "at", "is_advance"]]
        counted = f"that left {by_key[a]}"
        if left["is_advance"].all():
            return Measured("rate", counted, why=f"leaving {by_key[a]} otherwise is not recorded")
        now, then = facts.both(left, "at")
        table = "leads" if frame.attrs["unit"] == "leads" else "deals"
        return _share(facts, counted, table, "is_advance", now, then)


def _within_segment(facts: Facts, keep: pd.Index) -> Facts:
    by_lead = facts.data.has("leads")
    key = "lead_id" if by_lead else "deal_id"
    return dataclasses.replace(
        facts,
        leads=facts.leads[facts.leads["lead_id"].isin(keep)] if by_lead else facts.leads,
        closed=facts.closed[facts.closed[key].isin(keep)],
        won=facts.won[facts.won[key].isin(keep)],
    )


def _share(
    facts: Facts, counted: str, table: str, flag: str, now: pd.DataFrame, then: pd.DataFrame
) -> Measured:
    """Share of a flag among the rows of each window; the rows' key is their first column."""
    key = now.columns[0]
    if not (len(now) and len(then)):
        return Measured("rate", counted, n=(len(now), len(then)), why="a window holds no such row")
    hits = [int(each[flag].sum()) for each in (now, then)]
    low, high = difference_of_rates(hits[0], len(now), hits[1], len(then), facts.data.plan.level)
    return Measured(
        "rate",
        counted,
        hits[0] / len(now),
        hits[1] / len(then),
        (float(low), float(high)),
        (len(now), len(then)),
        rows=((table, now[key], then[key]),),
    )


def _cycle(facts: Facts) -> Measured:
    """Days from opening to closing, of deals closed in a window."""
    closed = facts.closed[facts.closed["closed_at"].notna()]
    days = (closed["closed_at"] - closed["created_at"]) / pd.Timedelta(days=1)
    now, then = facts.both(closed.assign(days=days), "closed_at")
    counted = "closed deals"
    if min(len(now), len(then)) < 2:
        return Measured("days", counted, n=(len(now), len(then)), why="too few closed deals")
    return Measured(
        "days",
        counted,
        float(now["days"].mean()),
        float(then["days"].mean()),
        change_of_means(now["days"], then["days"], facts.data.plan.level),
        (len(now), len(then)),
        rows=(("deals", now["deal_id"], then["deal_id"]),),
    )


def _filled(facts: Facts, words: str) -> Measured | None:
    """Share of rows with a column filled: of leads by creation, of lost or all deals by date."""
    name = words.replace(" ", "_")
    for column in (name, name.removesuffix("s")):
        for table, key, rows, at, counted in (
            ("deals", "deal_id", facts.closed, "closed_at", "closed deals"),
            ("leads", "lead_id", facts.leads, "created_at", "leads"),
        ):
            if column not in rows:
                continue
            if column in ("loss_reason", "competitor"):
                rows, counted = rows[rows["outcome"] == "lost"], "lost deals"
            flagged = rows[[key, at]].assign(is_filled=rows[column].notna())
            return _share(facts, counted, table, "is_filled", *facts.both(flagged, at))
    return None
