"""Needs of time: since when something is recorded, and how far back it goes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from funnel.contract.tables import TABLES
from funnel.questions.readiness.needs.facts import Facts, Met, Need, none_of
from funnel.questions.readiness.needs.rows import (
    SIDES,
    filled_for,
    on_both_sides,
    rows_of_kind,
    table,
)

ENOUGH_MONTHS, LEAST_MONTHS = 24, 16
FEWEST_A_MONTH = 2  # a season of fewer cannot be told from chance
OUTCOMES = {"won": "wins", "lost": "lost deals"}


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
            return none_of(word, owner)
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
        rows = rows_of_kind(facts, kind)
        rows = rows[rows[at].notna()]
        if rows.empty:
            return none_of(kind, owner)
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
