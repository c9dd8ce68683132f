"""Needs of tables, of rows in both periods, and of fields that are filled."""

from __future__ import annotations

import pandas as pd

from funnel.checks import won_new_deals
from funnel.contract.periods import Period
from funnel.contract.tables import TABLES
from funnel.questions.readiness.needs.facts import (
    ENOUGH_FILLED,
    FINE,
    LEAST_FILLED,
    Facts,
    Met,
    Need,
    none_of,
)

FEWEST_ROWS = 10  # shares of fewer rows say next to nothing
# kind of row: table, key, when it counts, outcome, how it is written
SIDES = {
    "leads": ("leads", "lead_id", "created_at", None, "leads created"),
    "worked leads": ("leads", "lead_id", "created_at", None, "worked leads created"),
    "won deals": ("deals", "deal_id", "closed_at", "won", "won deals closed"),
    "won new deals": ("deals", "deal_id", "closed_at", "won", "won new deals closed"),
    "lost deals": ("deals", "deal_id", "closed_at", "lost", "lost deals closed"),
}


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
            return none_of(rows_of, owner)
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
            ids=rows_of_kind(facts, rows_of)[key],
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
        rows = rows_of_kind(facts, kind)
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


def scored(facts: Facts) -> Met:
    """Ask for scores or grades of leads, whichever is filled more."""
    if not facts.data.has("leads"):
        return table("leads")(facts)
    found = [filled_for("leads", column)(facts) for column in ("score", "grade")]
    return max(found, key=lambda met: met.share)


def rows_of_kind(facts: Facts, kind: str) -> pd.DataFrame:
    """Give the rows of one kind: leads, or deals by their outcome."""
    outcome = SIDES[kind][3]
    if kind == "leads":
        return facts.data.leads
    if kind == "worked leads":
        worked = facts.data.sql("select distinct lead_id from activities")["lead_id"]
        return facts.data.leads[facts.data.leads["lead_id"].isin(worked)]
    if kind == "won new deals":
        return won_new_deals(facts.data)
    return facts.data.deals[facts.data.deals["outcome"] == outcome]


def _within(facts: Facts, at: pd.Series, period: Period) -> pd.Series:
    plan = facts.data.plan
    start = pd.Timestamp(plan.midnight(period.start))
    return (at >= start) & (at < pd.Timestamp(plan.midnight(period.after)))


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
