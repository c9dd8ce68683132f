"""Requirements: what each question rests on, and how far a dataset meets it.

A requirement takes a dataset and returns how far it is met: fully, thinly or not. What it returns
holds facts; `text.py` writes them as sentences and questions.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from funnel.checks import (
    coverage_grid,
    filled,
    filled_by_outcome,
    is_unknown,
    maturity,
    outcomes_recorded_since,
    won_new_deals,
)
from funnel.checks.maturity import COMPARABLE, IMMATURE, NOT_COVERED
from funnel.checks.subscription_months import subscription_months
from funnel.contract.tables import TABLES
from funnel.methods.recurring import last_month

if TYPE_CHECKING:
    from funnel.dataset import Tables

MISSING, THIN, MET = 0, 1, 2

# Settings that a reader may ask about, each with its reason.
ENOUGH_FILLED = 0.8  # of the rows: what is missing can no longer turn a comparison around
LEAST_FILLED = 0.5  # of the rows: below it, those without the field outnumber those with it
FEWEST_ROWS = 10  # shares of fewer rows mean next to nothing
ENOUGH_ROWS = 20  # in each period: fewer can be compared, but hardly any change would be seen
FEWEST_DEALS = 5  # in each period, for a rate or an average of deals
ENOUGH_MONTHS = 24  # before the period: every month of the year was there twice
LEAST_MONTHS = 16  # before the period: a year, and some to see whether it repeats
FEWEST_A_MONTH = 2  # a season of fewer rows cannot be distinguished from chance
DAYS_A_MONTH = 30.44

_BOTH_TEAMS = "Both teams"
_DEFINITIONS = ("marketing", "sales", "agreed")


@dataclass(frozen=True, eq=False, kw_only=True)
class Met:
    """How far a requirement is met, and by which rows.

    Attributes
    ----------
    level
        `MET`, `THIN` or `MISSING`.
    subject
        What it is about: a table, a field, an outcome.
    team
        Who can settle it.
    n
        Rows it rests on.
    share, share_low, share_high
        Of those rows that have what is needed, with its interval; missing where none is counted.
    table, ids
        The rows themselves.
    """

    code: ClassVar[str] = "nothing"
    level: int
    subject: str = ""
    team: str = ""
    n: int = 0
    share: float = np.nan
    share_low: float = np.nan
    share_high: float = np.nan
    table: str = ""
    ids: pd.Series | None = None

    @property
    def key(self) -> str:
        """Name of the requirement, the same for everybody who has it."""
        return f"{self.code}: {self.subject}" if self.subject else self.code


@dataclass(frozen=True, eq=False, kw_only=True)
class TableRows(Met):
    """A table with at least one row; `subject` is the table."""

    code: ClassVar[str] = "table"


@dataclass(frozen=True, eq=False, kw_only=True)
class NothingRecorded(Met):
    """No row of a kind, or no outcome, is there at all; `subject` is the kind."""

    code: ClassVar[str] = "recorded at all"


@dataclass(frozen=True, eq=False, kw_only=True)
class FieldFilled(Met):
    """A field filled in most rows of a kind."""

    code: ClassVar[str] = "filled"
    rows_of: str
    column: str

    @property
    def is_small(self) -> bool:
        """Whether there are too few rows for the share to mean much."""
        return self.n < FEWEST_ROWS and self.level > MISSING


@dataclass(frozen=True, eq=False, kw_only=True)
class RowsInBothPeriods(Met):
    """Rows of a kind (`subject`) in the period and in what it is compared with."""

    code: ClassVar[str] = "both periods"
    n_period: int
    n_baseline: int
    period: str
    baseline: str
    is_to_date: bool


@dataclass(frozen=True, eq=False, kw_only=True)
class RecordedThroughout(Met):
    """An outcome (`subject`) recorded since before the comparison; `since` is the first day."""

    code: ClassVar[str] = "recorded throughout"
    since: dt.date
    expected: float = np.nan
    recorded: int = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class ComparableCohorts(Met):
    """Months of leads that are mature, and whose wins are recorded."""

    code: ClassVar[str] = "comparable cohorts"
    n_won: int
    n_months: int
    n_comparable: int
    n_not_covered: int
    n_immature: int
    mature_days: float


@dataclass(frozen=True, eq=False, kw_only=True)
class MonthsBefore(Met):
    """Enough months of a kind of row (`subject`) before the period to see its season."""

    code: ClassVar[str] = "months before"
    n_months: int


@dataclass(frozen=True, eq=False, kw_only=True)
class MonthsCovered(Met):
    """A table (`subject`) that covers several months."""

    code: ClassVar[str] = "months covered"
    n_months: int
    last_month: str


@dataclass(frozen=True, eq=False, kw_only=True)
class NewestMonths(Met):
    """The months of subscriptions that speak for both periods; `gap` of one is why none can."""

    code: ClassVar[str] = "newest months"
    gap: str
    month: str


@dataclass(frozen=True, eq=False, kw_only=True)
class SegmentFilled(Met):
    """A segment of the plan (`subject`) that is a column, and filled."""

    code: ClassVar[str] = "segment"


@dataclass(frozen=True, eq=False, kw_only=True)
class FilledAlike(Met):
    """A column of leads (`subject`) filled as often for won leads as for the others."""

    code: ClassVar[str] = "filled alike"
    share_won: float
    share_other: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Definitions(Met):
    """The definitions of a qualified lead in the plan."""

    code: ClassVar[str] = "definitions"
    missing: tuple[str, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class ChannelOfLead(Met):
    """The channel on the lead's record, which stands in for touches."""

    code: ClassVar[str] = "channel of the lead"
    field: FieldFilled


Requirement = Callable[["Tables"], Met]
NOTHING = Met(level=MET)


@dataclass(frozen=True)
class Rows:
    """A kind of row: where it is, its key, and the time at which it counts."""

    table: str
    key: str
    at: str


KINDS = {
    "leads": Rows("leads", "lead_id", "created_at"),
    "worked leads": Rows("leads", "lead_id", "created_at"),
    "won deals": Rows("deals", "deal_id", "closed_at"),
    "won new deals": Rows("deals", "deal_id", "closed_at"),
    "lost deals": Rows("deals", "deal_id", "closed_at"),
}


def rows_of_kind(data: Tables, kind: str) -> pd.DataFrame:
    """Rows of one kind: leads, or deals by their outcome."""
    if kind == "leads":
        return data.leads
    if kind == "worked leads":
        worked = data.sql("select distinct lead_id from activities")["lead_id"]
        return data.leads[data.leads["lead_id"].isin(worked)]
    if kind == "won new deals":
        return won_new_deals(data)
    return data.deals[data.deals["outcome"] == kind.removesuffix(" deals")]


def table(name: str) -> Requirement:
    """A table with at least one row."""

    def requirement(data: Tables) -> Met:
        if not data.has(name):
            return TableRows(level=MISSING, subject=name, team=TABLES[name].owner)
        n = int(data.sql(f"select count(*) as n from {name}")["n"].iloc[0])
        return TableRows(level=MET, subject=name, n=n, table=name)

    return requirement


def filled_for(rows_of: str, column: str) -> Requirement:
    """A field filled in most leads, won deals or lost deals."""

    def requirement(data: Tables) -> Met:
        kind = KINDS[rows_of]
        team = TABLES["leads" if column == "channel" else kind.table].owner
        shares = filled(data).set_index(["rows_of", "column"])
        if (rows_of, column) not in shares.index:
            if column in ("touch", "activity"):
                return table({"touch": "touches", "activity": "activities"}[column])(data)
            if not data.has(kind.table):
                return table(kind.table)(data)
            return NothingRecorded(level=MISSING, subject=rows_of, team=team)
        row = shares.loc[(rows_of, column)]
        share, n = float(row["share"]), int(row["n"])
        level = _level_of(share)
        return FieldFilled(
            level=THIN if n < FEWEST_ROWS and level > MISSING else level,
            subject=f"{rows_of}.{column}",
            team=team,
            n=n,
            share=share,
            share_low=float(row["share_low"]),
            share_high=float(row["share_high"]),
            table=kind.table,
            ids=rows_of_kind(data, rows_of)[kind.key],
            rows_of=rows_of,
            column=column,
        )

    return requirement


def in_both_periods(kind: str, *, least: int = 1) -> Requirement:
    """Rows in the period and in what it is compared with."""

    def requirement(data: Tables) -> Met:
        where, comparison = KINDS[kind], data.comparison
        if not data.has(where.table):
            return table(where.table)(data)
        rows = rows_of_kind(data, kind)
        now, then = (
            rows.loc[data.plan.within(rows[where.at], each), where.key]
            for each in (comparison.period, comparison.baseline)
        )
        fewest = min(len(now), len(then))
        return RowsInBothPeriods(
            level=MET if fewest >= ENOUGH_ROWS else THIN if fewest >= least else MISSING,
            subject=kind,
            team=TABLES[where.table].owner,
            n=len(now) + len(then),
            table=where.table,
            ids=pd.concat([now, then]),
            n_period=len(now),
            n_baseline=len(then),
            period=comparison.period.label,
            baseline=comparison.baseline.label,
            is_to_date=not comparison.is_complete,
        )

    return requirement


def measured_in_both_periods(data: Tables) -> Met:
    """What the plan measures, in the period and in what it is compared with."""
    if data.plan.measure == "mrr":
        covered, loaded = months_of("subscriptions", least=2, enough=2)(data), newest_months(data)
        return loaded if loaded.level < covered.level else covered
    if not data.has("deals"):
        return table("deals")(data)
    counted = in_both_periods("won deals")(data)
    if data.plan.measure == "wins" or counted.level == MISSING:
        return counted
    amounts = filled_for("won deals", "amount")(data)
    return amounts if amounts.level < counted.level else counted


def stages_recorded(data: Tables) -> Met:
    """Stage changes, where the plan has stages that only they can show."""
    read_elsewhere = {data.plan.stages[0], "opportunity", "won"}
    if set(data.plan.stages) <= read_elsewhere:
        return NOTHING
    return table("stage_changes")(data)


def touches_known(data: Tables) -> Met:
    """Touches; the lead's own channel stands in where there are none."""
    touches = table("touches")(data)
    if touches.level == MET:
        return touches
    channel = filled_for("won new deals", "channel")(data)
    if not isinstance(channel, FieldFilled) or channel.level == MISSING:
        return touches
    return ChannelOfLead(
        level=THIN,
        team=touches.team,
        n=channel.n,
        share=channel.share,
        share_low=channel.share_low,
        share_high=channel.share_high,
        table=channel.table,
        ids=channel.ids,
        field=channel,
    )


def scored(data: Tables) -> Met:
    """Scores or grades of leads, whichever is filled more."""
    if not data.has("leads"):
        return table("leads")(data)
    found = [filled_for("leads", column)(data) for column in ("score", "grade")]
    return max(found, key=lambda met: met.share)


def recorded(outcome: str) -> Requirement:
    """An outcome recorded since the start of the comparison."""

    def requirement(data: Tables) -> Met:
        comparison, since = data.comparison, outcomes_recorded_since(data, outcome)
        team = TABLES["deals" if outcome in ("won", "lost") else "stage_changes"].owner
        if since.first is None:
            return NothingRecorded(level=MISSING, subject=outcome, team=team)
        if not since.is_late or since.covered_from <= comparison.baseline.start:
            day = since.covered_from or since.first
            return RecordedThroughout(level=MET, subject=outcome, since=day)
        return RecordedThroughout(
            level=MISSING if since.covered_from > comparison.period.start else THIN,
            subject=outcome,
            team=team,
            n=since.n_leads,
            since=since.covered_from,
            expected=since.expected,
            recorded=since.recorded,
        )

    return requirement


def comparable_cohorts(data: Tables) -> Met:
    """Months of leads that are mature, and whose wins are recorded."""
    found = maturity(data)
    states = found.cohorts["state"].value_counts()
    n, n_late = int(states.get(COMPARABLE, 0)), int(states.get(NOT_COVERED, 0))
    unknown = bool(np.isnan(found.mature_days))
    return ComparableCohorts(
        level=MISSING if unknown else MET if n >= 2 and not n_late else THIN,
        team=TABLES["deals"].owner,
        n=found.n_won if unknown else found.n_leads,
        n_won=found.n_won,
        n_months=len(found.cohorts),
        n_comparable=n,
        n_not_covered=n_late,
        n_immature=int(states.get(IMMATURE, 0)),
        mature_days=found.mature_days,
    )


def history(kind: str) -> Requirement:
    """Enough months before the period to see the season of a kind of row."""

    def requirement(data: Tables) -> Met:
        where = KINDS[kind]
        team = TABLES[where.table].owner
        if not data.has(where.table):
            return table(where.table)(data)
        rows = rows_of_kind(data, kind)
        rows = rows[rows[where.at].notna()]
        if rows.empty:
            return NothingRecorded(level=MISSING, subject=kind, team=team)
        start = data.plan.midnight(data.comparison.period.start)
        before = rows[rows[where.at] < start]
        n = round((start - rows[where.at].min()).days / DAYS_A_MONTH) if len(before) else 0
        level = MET if n >= ENOUGH_MONTHS else THIN if n >= LEAST_MONTHS else MISSING
        return MonthsBefore(
            level=MISSING if len(before) < FEWEST_A_MONTH * n else level,
            subject=kind,
            team=team,
            n=len(before),
            table=where.table,
            ids=before[where.key],
            n_months=n,
        )

    return requirement


def months_of(name: str, *, least: int, enough: int) -> Requirement:
    """A table that covers several months."""

    def requirement(data: Tables) -> Met:
        spans = coverage_grid(data).spans().set_index("table")
        if name not in spans.index:
            return table(name)(data)
        span = spans.loc[name]
        months = len(pd.period_range(span["first_month"], span["last_month"], freq="M"))
        return MonthsCovered(
            level=MET if months >= enough else THIN if months >= least else MISSING,
            subject=name,
            team=TABLES[name].owner,
            n=int(span["n_rows"]),
            n_months=months,
            last_month=span["last_month"],
        )

    return requirement


def newest_months(data: Tables) -> Met:
    """The months of subscriptions that speak for the period and for its comparison, whole."""
    if not data.has("subscriptions"):
        return table("subscriptions")(data)
    both = [last_month(data, each) for each in (data.comparison.period, data.comparison.baseline)]
    found = next((each for each in both if each.gap), both[0])
    months = subscription_months(data).table
    return NewestMonths(
        level=MISSING if found.gap else MET,
        subject="subscriptions",
        team=TABLES["subscriptions"].owner,
        n=int(months["n_accounts"].sum()),
        gap=found.gap,
        month=found.label,
    )


def segments_filled(data: Tables) -> Met:
    """The plan's segments, each a column that is filled; the worst of them."""
    found: list[Met] = []
    for name in data.plan.segments:
        source = "leads" if name in data.leads.columns else "deals"
        if not data.has(source):
            return table(source)(data)
        rows, team = (data.leads if source == "leads" else data.deals), TABLES[source].owner
        if name not in rows.columns:
            found.append(SegmentFilled(level=MISSING, subject=name, team=team))
            continue
        share = int((~is_unknown(rows[name])).sum()) / max(len(rows), 1)
        found.append(
            SegmentFilled(
                level=_level_of(share), subject=name, team=team, n=len(rows), share=share,
                table=source,
            )
        )  # fmt: skip
    if not found:
        return SegmentFilled(level=MISSING, team=_BOTH_TEAMS)
    return min(found, key=lambda met: met.level)


def segments_filled_alike(data: Tables) -> Met:
    """The plan's segments, filled as often for won leads as for the others; the worst of them."""
    found = (filled_alike(name)(data) for name in data.plan.segments)
    return min(found, key=lambda met: met.level, default=NOTHING)


def filled_alike(column: str) -> Requirement:
    """A column of leads filled as often for won leads as for the others."""

    def requirement(data: Tables) -> Met:
        for field in filled_by_outcome(data):
            if field.column == column and field.differs:
                return FilledAlike(
                    level=THIN,
                    subject=column,
                    team=TABLES["leads"].owner,
                    n=field.n_won + field.n_other,
                    share=1 - field.share_won,
                    share_won=field.share_won,
                    share_other=field.share_other,
                )
        return NOTHING

    return requirement


def definitions(data: Tables) -> Met:
    """The three definitions of a qualified lead in the plan."""
    missing = tuple(name for name in _DEFINITIONS if not getattr(data.plan.definition, name))
    n = len(_DEFINITIONS) - len(missing)
    return Definitions(
        level=MET if not missing else THIN if len(missing) == 1 else MISSING,
        team=_BOTH_TEAMS if missing else "",
        n=n,
        missing=missing,
    )


def _level_of(share: float) -> int:
    return MET if share >= ENOUGH_FILLED else THIN if share >= LEAST_FILLED else MISSING


@dataclass(frozen=True)
class Needs:
    """Beside its tables: what a question cannot do without, and what makes its answer whole."""

    needed: tuple[Requirement, ...] = ()
    useful: tuple[Requirement, ...] = ()


NEEDS: dict[str, Needs] = {
    "the change": Needs(
        needed=(measured_in_both_periods,),
        useful=(in_both_periods("leads"), stages_recorded),
    ),
    "lead volume": Needs(needed=(in_both_periods("leads"),)),
    "mix": Needs(
        needed=(in_both_periods("leads"), segments_filled),
        useful=(segments_filled_alike,),
    ),
    "conversion by stage": Needs(
        needed=(filled_for("won new deals", "lead_id"), recorded("won"), comparable_cohorts),
        useful=(stages_recorded,),
    ),
    "follow-up": Needs(
        useful=(filled_for("worked leads", "assigned_at"), filled_for("leads", "grade")),
    ),
    "win rate": Needs(
        needed=(
            recorded("lost"),
            in_both_periods("won deals", least=FEWEST_DEALS),
            in_both_periods("lost deals", least=FEWEST_DEALS),
        ),
    ),
    "deal size": Needs(
        needed=(
            filled_for("won deals", "amount"),
            in_both_periods("won deals", least=FEWEST_DEALS),
        ),
    ),
    "season": Needs(needed=(history("won deals"),), useful=(history("leads"),)),
    "first click": Needs(
        needed=(touches_known,),
        useful=(filled_for("won new deals", "lead_id"), filled_alike("channel")),
    ),
    "credit by channel": Needs(
        useful=(
            filled_for("won new deals", "lead_id"),
            filled_for("leads", "touch"),
            filled_alike("channel"),
        ),
    ),
    "cost by channel": Needs(
        needed=(filled_for("leads", "channel"),),
        useful=(filled_for("won new deals", "lead_id"), filled_alike("channel")),
    ),
    "promotions": Needs(
        needed=(history("won deals"),), useful=(filled_for("won deals", "amount"),)
    ),
    "the definition": Needs(needed=(definitions,)),
    "revenue": Needs(
        needed=(newest_months,), useful=(months_of("subscriptions", least=2, enough=13),)
    ),
    "win and loss": Needs(
        needed=(recorded("lost"), in_both_periods("lost deals", least=FEWEST_DEALS)),
    ),
    "programmes": Needs(
        needed=(filled_for("leads", "channel"),),
        useful=(filled_for("won new deals", "lead_id"),),
    ),
    "productivity": Needs(
        needed=(filled_for("won deals", "amount"), in_both_periods("won deals")),
    ),
    "scores": Needs(needed=(scored, recorded("won"))),
}
"""What questions rest on beside the tables that the registry names for them."""
