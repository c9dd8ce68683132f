"""What a question rests on, and whether the data has it.

A need looks at the facts and says how far it is met: 2 fully, 1 thinly, 0 not. Its sentence names
the table and the column, with the count and the share.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel import formats
from funnel.coverage import (
    CoverageGrid,
    FilledByOutcome,
    Maturity,
    RecordedSince,
    coverage_grid,
    filled,
    filled_by_outcome,
    is_unknown,
    maturity,
    outcomes_recorded_since,
    won_new_deals,
)
from funnel.periods import Period
from funnel.tables import TABLES

if TYPE_CHECKING:
    from funnel.load import Tables

ENOUGH_FILLED, LEAST_FILLED = 0.8, 0.5
ENOUGH_MONTHS, LEAST_MONTHS = 24, 16
FEWEST_ROWS = 10  # shares of fewer rows say next to nothing
FEWEST_A_MONTH = 2  # a season of fewer cannot be told from chance
# kind of row: table, key, when it counts, outcome, how it is written
SIDES = {
    "leads": ("leads", "lead_id", "created_at", None, "leads created"),
    "worked leads": ("leads", "lead_id", "created_at", None, "worked leads created"),
    "won deals": ("deals", "deal_id", "closed_at", "won", "won deals closed"),
    "won new deals": ("deals", "deal_id", "closed_at", "won", "won new deals closed"),
    "lost deals": ("deals", "deal_id", "closed_at", "lost", "lost deals closed"),
}
OUTCOMES = {"won": "wins", "lost": "lost deals"}


@dataclass(frozen=True, eq=False)
class Met:
    """How far a need is met (2, 1 or 0), in words, and by which rows."""

    level: int
    says: str
    short: str
    ask: str = ""
    n: int = 0
    share: float = np.nan
    share_low: float = np.nan
    share_high: float = np.nan
    table: str = ""
    ids: pd.Series | None = None
    settle: str = ""


Need = Callable[["Facts"], Met]


class Facts:
    """What is known of a company's tables, each thing computed once, when first asked for."""

    def __init__(self, data: Tables) -> None:
        self.data = data
        self._recorded: dict[str, RecordedSince] = {}

    @cached_property
    def filled(self) -> pd.DataFrame:
        """Shares of fields filled, by `rows_of` and `column`."""
        return filled(self.data).set_index(["rows_of", "column"])

    @cached_property
    def by_outcome(self) -> dict[str, FilledByOutcome]:
        """Columns of leads that are filled differently by outcome."""
        return {field.column: field for field in filled_by_outcome(self.data) if field.differs}

    @cached_property
    def maturity(self) -> Maturity:
        """How long wins take, and which cohorts can be compared."""
        return maturity(self.data)

    @cached_property
    def coverage(self) -> CoverageGrid:
        """Rows of each table by month."""
        return coverage_grid(self.data)

    @cached_property
    def spans(self) -> pd.DataFrame:
        """First and last month of each table."""
        return self.coverage.spans().set_index("table")

    def recorded(self, outcome: str) -> RecordedSince:
        """Since when an outcome is recorded."""
        if outcome not in self._recorded:
            self._recorded[outcome] = outcomes_recorded_since(self.data, outcome)
        return self._recorded[outcome]

    def number(self, value: float) -> str:
        """Write a count in the company's way."""
        return formats.number(value, self.data.plan.company)

    def percent(self, value: float) -> str:
        """Write a share in the company's way."""
        return formats.share(value, self.data.plan.company)

    def day(self, value: dt.date) -> str:
        """Write a day in the company's way."""
        return formats.day(value, self.data.plan.company)


FINE = Met(2, "", "")


def table(name: str) -> Need:
    """Ask for a table with at least one row."""

    def need(facts: Facts) -> Met:
        if facts.data.has(name):
            n = int(facts.data.sql(f"select count(*) as n from {name}")["n"].iloc[0])
            rows = "row" if n == 1 else "rows"
            says = f"`{name}` holds {facts.number(n)} {rows}"
            return Met(2, says, f"{facts.number(n)} {rows}", n=n, table=name)
        return Met(
            level=0,
            says=f"there is no table `{name}`",
            short=f"no `{name}`",
            ask=TABLES[name].owner,
            settle=f"Can `{name}` be given, where one row is {TABLES[name].grain}?",
        )

    return need


def filled_for(rows_of: str, column: str, *, least: float = LEAST_FILLED) -> Need:
    """Ask for a field filled in most leads, won deals or lost deals."""

    def need(facts: Facts) -> Met:
        table_name, key, *_ = SIDES[rows_of]
        owner = TABLES["leads" if column == "channel" else table_name].owner
        if (rows_of, column) not in facts.filled.index:
            if column in ("touch", "activity"):
                source = {"touch": "touches", "activity": "activities"}[column]
                return table(source)(facts)
            if not facts.data.has(table_name):
                return table(table_name)(facts)
            return _none(rows_of, owner)
        row = facts.filled.loc[(rows_of, column)]
        share = float(row["share"])
        what = {
            "touch": "a touch is known",
            "activity": "a sales activity is recorded",
            "channel": "the lead's `channel` is filled" if table_name == "deals" else "",
        }.get(column) or f"`{column}` is filled"
        says = f"{what} for {facts.percent(share)} of {facts.number(row['n'])} {rows_of}"
        level = 2 if share >= ENOUGH_FILLED else 1 if share >= least else 0
        is_small = row["n"] < FEWEST_ROWS and level > 0
        return Met(
            level=1 if is_small else level,
            says=says,
            short=(
                f"{facts.number(row['n'])} {rows_of} only"
                if is_small
                else f"{facts.percent(share)} filled"
            ),
            ask=owner,
            n=int(row["n"]),
            share=share,
            share_low=float(row["share_low"]),
            share_high=float(row["share_high"]),
            table=table_name,
            ids=_rows(facts, rows_of)[key],
            settle=f"{_capital(what)} for {facts.percent(share)} of {rows_of}: can the others be?",
        )

    return need


def on_both_sides(kind: str, *, least: int = 1, enough: int = 20) -> Need:
    """Ask for rows in the period and in what it is compared with."""

    def need(facts: Facts) -> Met:
        table_name, key, at, _, noun = SIDES[kind]
        owner = TABLES[table_name].owner
        if not facts.data.has(table_name):
            return table(table_name)(facts)
        comparison = facts.data.comparison
        rows = _rows(facts, kind)
        now = rows.loc[_within(facts, rows[at], comparison.period), key]
        then = rows.loc[_within(facts, rows[at], comparison.baseline), key]
        fewest = min(len(now), len(then))
        until = "" if comparison.is_complete else " (to date)"
        says = (
            f"{facts.number(len(now))} {noun} in {comparison.period.label}{until} and "
            f"{facts.number(len(then))} in {comparison.baseline.label}"
        )
        if fewest < least:
            none = comparison.period.label if len(now) <= len(then) else comparison.baseline.label
            short = f"{facts.number(fewest)} {kind} in {none}"
        else:
            short = f"{facts.number(len(now))} and {facts.number(len(then))} {kind}"
        return Met(
            level=2 if fewest >= enough else 1 if fewest >= least else 0,
            says=says,
            short=short,
            ask=owner,
            n=len(now) + len(then),
            table=table_name,
            ids=pd.concat([now, then]),
            settle=f"Are all {kind} of both periods in `{table_name}`?",
        )

    return need


def measured_on_both_sides(facts: Facts) -> Met:
    """Ask for what the plan measures, in the period and in what it is compared with."""
    plan = facts.data.plan
    if plan.measure == "mrr":
        return months_of("subscriptions", least=2, enough=2)(facts)
    counted = on_both_sides("won deals")(facts)
    if plan.measure == "wins" or counted.level == 0:
        return counted
    amounts = filled_for("won deals", "amount")(facts)
    return amounts if amounts.level < counted.level else counted


def recorded(outcome: str) -> Need:
    """Ask that an outcome is recorded since the start of the comparison."""

    def need(facts: Facts) -> Met:
        comparison = facts.data.comparison
        since = facts.recorded(outcome)
        word = OUTCOMES.get(outcome, f"entries into stage `{outcome}`")
        table_name = "deals" if outcome in OUTCOMES else "stage_changes"
        owner = TABLES[table_name].owner
        if since.first is None:
            return _none(word, owner)
        if not since.is_late or since.covered_from <= comparison.baseline.start:
            day = facts.day(since.covered_from or since.first)
            return Met(2, f"{word} are recorded from {day} on", f"since {day}")
        day = facts.day(since.covered_from)
        return Met(
            level=0 if since.covered_from > comparison.period.start else 1,
            says=(
                f"{word} are recorded from {day} on only: about {facts.number(since.expected)} "
                f"should have been there by then, and {facts.number(since.recorded)} are"
            ),
            short=f"recorded since {day}",
            ask=owner,
            n=since.n_leads,
            settle=f"Can the {word} before {day} be added?",
        )

    return need


def comparable_cohorts(facts: Facts) -> Met:
    """Ask for months of leads that are old enough, and whose wins are recorded."""
    found = facts.maturity
    states = found.cohorts["state"].value_counts()
    n = int(states.get("comparable", 0))
    if np.isnan(found.mature_days):
        return Met(
            level=0,
            says=f"{facts.number(found.n_won)} wins are too few to say how long wins take",
            short=f"{facts.number(found.n_won)} wins",
            ask=TABLES["deals"].owner,
            n=found.n_won,
            settle="Are all wins in `deals`, each with its lead?",
        )
    n_months, late = len(found.cohorts), states.get("not covered", 0)
    says = (
        f"{facts.number(n)} of {facts.number(n_months)} months of leads can be compared as they "
        f"stand (not covered: {facts.number(late)}; younger than the "
        f"{facts.number(found.mature_days)} days by which most wins have come: "
        f"{facts.number(states.get('young', 0))})"
    )
    short = f"{facts.number(n)} months to compare"
    level = 2 if n >= 2 and not late else 1
    owner, settle = TABLES["deals"].owner, "Can earlier wins be added?"
    return Met(level, says, short, owner, n=found.n_leads, settle=settle)


def history(kind: str) -> Need:
    """Ask for enough months before the period to tell its season."""

    def need(facts: Facts) -> Met:
        table_name, key, at, _, _ = SIDES[kind]
        owner = TABLES[table_name].owner
        if not facts.data.has(table_name):
            return table(table_name)(facts)
        rows = _rows(facts, kind)
        rows = rows[rows[at].notna()]
        if rows.empty:
            return _none(kind, owner)
        start = pd.Timestamp(facts.data.plan.midnight(facts.data.comparison.period.start))
        before = rows[rows[at] < start]
        n = round((start - rows[at].min()).days / 30.44) if len(before) else 0
        says = (
            f"{kind} go back {facts.number(n)} months before the period "
            f"({facts.number(len(before))} in all)"
        )
        level = 2 if n >= ENOUGH_MONTHS else 1 if n >= LEAST_MONTHS else 0
        return Met(
            level=0 if len(before) < FEWEST_A_MONTH * n else level,
            says=says,
            short=f"{facts.number(n)} months of {kind}",
            ask=owner,
            settle=f"Can {kind} of earlier years be added?",
            n=len(before),
            table=table_name,
            ids=before[key],
        )

    return need


def months_of(name: str, *, least: int, enough: int) -> Need:
    """Ask for a table that covers several months."""

    def need(facts: Facts) -> Met:
        if name not in facts.spans.index:
            return table(name)(facts)
        span = facts.spans.loc[name]
        months = len(pd.period_range(span["first_month"], span["last_month"], freq="M"))
        says = f"`{name}` covers {facts.number(months)} months, to {span['last_month']}"
        return Met(
            level=2 if months >= enough else 1 if months >= least else 0,
            says=says,
            short=f"{facts.number(months)} months",
            ask=TABLES[name].owner,
            settle=f"Can earlier months of `{name}` be added?",
            n=int(span["n_rows"]),
        )

    return need


def segments_filled(facts: Facts) -> Met:
    """Ask that the plan's segments are filled."""
    data = facts.data
    met = []
    for name in data.plan.segments:
        source = "leads" if name in data.leads.columns else "deals"
        if not data.has(source):
            return table(source)(facts)
        rows = data.leads if source == "leads" else data.deals
        owner = TABLES[source].owner
        if name not in rows.columns:
            says = f"the plan's segment `{name}` is a column of neither `leads` nor `deals`"
            met.append(Met(0, says, f"no `{name}`", owner))
            continue
        n_known = int((~is_unknown(rows[name])).sum())
        share = n_known / max(len(rows), 1)
        n = facts.number(len(rows))
        says = f"`{name}` is filled for {facts.percent(share)} of {n} {source}"
        level = 2 if share >= ENOUGH_FILLED else 1 if share >= LEAST_FILLED else 0
        short = f"{facts.percent(share)} filled"
        met.append(Met(level, says, short, owner, len(rows), share, table=source))
    if not met:
        return Met(0, "the plan names no segments", "no segments", "Both teams")
    return min(met, key=_level)


def segments_neutral(facts: Facts) -> Met:
    """Ask that the plan's segments are filled alike for won leads and others."""
    return min(
        (neutral(name)(facts) for name in facts.data.plan.segments), key=_level, default=FINE
    )


def neutral(column: str) -> Need:
    """Ask that a column of leads is filled alike for won leads and others."""

    def need(facts: Facts) -> Met:
        field = facts.by_outcome.get(column)
        if field is None:
            return FINE
        says = (
            f"`{column}` is blank or unknown for {facts.percent(field.share_won)} of won leads "
            f"and {facts.percent(field.share_other)} of the others, so blank and unknown are "
            "not ranked"
        )
        owner = TABLES["leads"].owner
        n = field.n_won + field.n_other
        settle = f"Who fills `{column}`, and at which step?"
        return Met(1, says, "filled by outcome", owner, n, 1 - field.share_won, settle=settle)

    return need


def stages_recorded(facts: Facts) -> Met:
    """Ask for stage changes, where the plan has stages that only they can show."""
    read_elsewhere = {facts.data.plan.stages[0], "opportunity", "won"}
    if set(facts.data.plan.stages) <= read_elsewhere:
        return FINE
    return table("stage_changes")(facts)


def touches_known(facts: Facts) -> Met:
    """Ask for touches; the lead's own channel stands in where there are none."""
    if facts.data.has("touches"):
        return table("touches")(facts)
    channel = filled_for("won new deals", "channel")(facts)
    if channel.level == 0:
        return table("touches")(facts)
    return Met(
        level=1,
        says=f"there is no table `touches`; {channel.says}",
        short="channel of the lead only",
        ask=TABLES["touches"].owner,
        n=channel.n,
        share=channel.share,
        share_low=channel.share_low,
        share_high=channel.share_high,
        table=channel.table,
        ids=channel.ids,
    )


def goals(facts: Facts) -> Met:
    """Ask for a goal of the period."""
    if not facts.data.has("targets"):
        return table("targets")(facts)
    start = pd.Timestamp(facts.data.comparison.period.start)
    n = int((facts.data.targets["period_start"] == start).sum())
    label = facts.data.comparison.period.label
    says = f"`targets` holds {facts.number(n)} goals for {label}"
    settle = f"What are the goals for {label}?"
    owner = TABLES["targets"].owner
    return Met(2 if n else 0, says, f"{facts.number(n)} goals", owner, n, settle=settle)


def definitions(facts: Facts) -> Met:
    """Ask for the three definitions of a qualified lead in the plan."""
    definition = facts.data.plan.definition
    given = [name for name in ("marketing", "sales", "agreed") if getattr(definition, name)]
    missing = [name for name in ("marketing", "sales", "agreed") if name not in given]
    if not missing:
        return Met(2, "the plan has all three definitions", "three definitions", n=3)
    says = f"the plan lacks definitions: {', '.join(missing)}"
    level = 1 if len(given) == 2 else 0
    settle = "What is a qualified lead: for marketing, for sales, and for both?"
    short = f"{len(given)} of 3 definitions"
    return Met(level, says, short, "Both teams", n=len(given), settle=settle)


def scored(facts: Facts) -> Met:
    """Ask for scores or grades of leads, whichever is filled more."""
    if not facts.data.has("leads"):
        return table("leads")(facts)
    found = [filled_for("leads", column)(facts) for column in ("score", "grade")]
    return max(found, key=lambda met: met.share)


def _rows(facts: Facts, kind: str) -> pd.DataFrame:
    """Rows of one kind: leads, or deals by their outcome."""
    outcome = SIDES[kind][3]
    if kind == "leads":
        return facts.data.leads
    if kind == "worked leads":
        worked = facts.data.sql("select distinct lead_id from activities")["lead_id"]
        return facts.data.leads[facts.data.leads["lead_id"].isin(worked)]
    if kind == "won new deals":
        return won_new_deals(facts.data)
    return facts.data.deals[facts.data.deals["outcome"] == outcome]


def _none(what: str, owner: str) -> Met:
    settle = f"Are {what} kept anywhere, and can they be exported?"
    return Met(0, f"there are no {what}", f"no {what}", owner, settle=settle)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _level(met: Met) -> int:
    return met.level


def _within(facts: Facts, at: pd.Series, period: Period) -> pd.Series:
    plan = facts.data.plan
    start = pd.Timestamp(plan.midnight(period.start))
    return (at >= start) & (at < pd.Timestamp(plan.midnight(period.after)))
