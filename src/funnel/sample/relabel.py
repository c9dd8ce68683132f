"""Rules that change what a stage is called, and nothing about who buys."""

from __future__ import annotations

import dataclasses

import numpy as np

from funnel.sample.calendar import Floats
from funnel.sample.market import SCORE_BAR, Draws, Leads
from funnel.sample.pipeline import NEVER, Pipeline, Walk
from funnel.sample.scenarios import Cause

_ACTED_ON, _ACCEPTED = 0.5, 0.12  # of the leads that only a lowered bar hands over


def relabel(
    draws: Draws, leads: Leads, walks: Pipeline, cause: Cause, start: float, end: float
) -> Pipeline:
    """Apply a lowered bar, or an earlier moment at which a lead counts as sql."""
    if cause.bar < SCORE_BAR:
        walks = _with_lower_bar(draws, leads, walks, cause.bar, start)
    if cause.early_sql:
        middle = (start + end) / 2
        luck = draws.uniform("early sql")
        walks = dataclasses.replace(
            walks,
            first=_with_early_sql(walks.first, cause.early_sql, luck, middle),
            second=_with_early_sql(walks.second, cause.early_sql, luck, middle),
        )
    return walks


def _with_lower_bar(
    draws: Draws, leads: Leads, walks: Pipeline, bar: float, start: float
) -> Pipeline:
    """Hand more leads over. Sales rejects most of them, and recycles the few it accepts."""
    calendar, normal = draws.calendar, draws.normal
    added = leads.is_there & (draws.created >= start)
    added &= (leads.score >= bar) & (leads.score < SCORE_BAR)
    mql = draws.created + 0.08 * np.exp(1.1 * normal("mql delay"))
    assigned = mql + 0.12 * np.exp(0.8 * normal("added routing"))
    acted = calendar.in_office(assigned + 2.0 * np.exp(0.9 * normal("added wait")), assigned)
    decided = calendar.in_office(acted + 2.5 * np.exp(0.7 * normal("added to sal")), acted)
    left = calendar.in_office(decided + 6.0 * np.exp(0.6 * normal("added to exit")), decided)
    # Some come back later of their own accord, as they do under the old bar: out before that.
    returns = walks.first.mql
    accepted = added & (draws.uniform("added accepted") < _ACCEPTED) & ~np.isfinite(returns)
    is_acted_on = accepted | (draws.uniform("added acted on") < _ACTED_ON)
    left = np.where(accepted, left, np.minimum(decided, returns - 0.01))
    fits = added & (left > assigned)
    never = np.full(len(mql), NEVER)

    def if_(here: np.ndarray, values: Floats) -> Floats:
        return np.where(fits & here, values, NEVER)

    relabelled = Walk(
        mql=if_(added, mql),
        assigned=if_(added, assigned),
        acted=if_(is_acted_on & (acted < left), acted),
        sal=if_(accepted, decided),
        sql=never,
        opportunity=never,
        closed=never,
        is_won=np.zeros(len(mql), bool),
        left_at=if_(added, left),
        left_from=np.where(fits, np.where(accepted, 2, 1), -1),
    )
    left_early = np.where(fits, NEVER, walks.left_early)
    return dataclasses.replace(walks, relabelled=relabelled, left_early=left_early)


def _with_early_sql(walk: Walk, share: float, luck: Floats, middle: float) -> Walk:
    """Call leads sql halfway through their time at sal, and more of those that leave there."""
    leaves = (walk.left_from == 2) & (walk.left_at >= middle) & (luck < share)
    goes_on = np.isfinite(walk.sql) & (walk.sql >= middle)
    changed = leaves | goes_on
    sal = np.where(changed, walk.sal, 0.0)
    ends = np.where(changed, np.where(leaves, walk.left_at, walk.sql), 0.0)
    return dataclasses.replace(
        walk, sql=np.where(changed, np.maximum(middle, (sal + ends) / 2), walk.sql)
    )
