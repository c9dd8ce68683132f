"""Needs of what both teams put into the plan: segments, goals, definitions."""

from __future__ import annotations

import pandas as pd

from funnel.checks import is_unknown
from funnel.contract.tables import TABLES
from funnel.questions.readiness.needs.facts import (
    ENOUGH_FILLED,
    FINE,
    LEAST_FILLED,
    Facts,
    Met,
    Need,
    level_of,
)
from funnel.questions.readiness.needs.rows import table


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
    return min(met, key=level_of)


def segments_neutral(facts: Facts) -> Met:
    """Ask that the plan's segments are filled alike for won leads and others."""
    return min(
        (neutral(name)(facts) for name in facts.data.plan.segments), key=level_of, default=FINE
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
