"""Changed rules for stages: they change which stage is recorded, and not who buys."""

from __future__ import annotations

import dataclasses

import numpy as np

from funnel.sample.calendar import Floats
from funnel.sample.market import SCORE_THRESHOLD, Draws, Leads
from funnel.sample.pipeline import NEVER, Passage, Pipeline
from funnel.sample.scenarios import Cause

_ACTED_ON, _ACCEPTED = 0.5, 0.12  # of the leads that only a lower threshold hands off


def with_changed_rules(
    draws: Draws, leads: Leads, pipeline: Pipeline, cause: Cause, start: float, end: float
) -> Pipeline:
    """Passages under a lower threshold, or with an earlier moment at which a lead counts as sql."""
    if cause.threshold < SCORE_THRESHOLD:
        since, until = (start + days for days in cause.threshold_days)
        pipeline = _with_lower_threshold(draws, leads, pipeline, cause.threshold, since, until)
    if cause.early_sql:
        middle = (start + end) / 2
        luck = draws.uniform("early sql")
        pipeline = dataclasses.replace(
            pipeline,
            first=_with_early_sql(pipeline.first, cause.early_sql, luck, middle),
            second=_with_early_sql(pipeline.second, cause.early_sql, luck, middle),
        )
    return pipeline


def _with_lower_threshold(
    draws: Draws,
    leads: Leads,
    pipeline: Pipeline,
    threshold: float,
    since: float,
    until: float,
) -> Pipeline:
    """More leads handed off. Sales rejects most of them, and recycles the few it accepts."""
    calendar, normal = draws.calendar, draws.normal
    added = leads.is_there & (draws.created >= since) & (draws.created < until)
    added &= (leads.score >= threshold) & (leads.score < SCORE_THRESHOLD)
    mql = draws.created + 0.08 * np.exp(1.1 * normal("mql delay"))
    assigned = mql + 0.12 * np.exp(0.8 * normal("added routing"))
    acted = calendar.in_office(assigned + 2.0 * np.exp(0.9 * normal("added wait")), assigned)
    decided = calendar.in_office(acted + 2.5 * np.exp(0.7 * normal("added to sal")), acted)
    left = calendar.in_office(decided + 6.0 * np.exp(0.6 * normal("added to exit")), decided)
    # Some come back later by themselves, as under the old threshold: they leave before that.
    returns = pipeline.first.mql
    accepted = added & (draws.uniform("added accepted") < _ACCEPTED) & ~np.isfinite(returns)
    is_acted_on = accepted | (draws.uniform("added acted on") < _ACTED_ON)
    left = np.where(accepted, left, np.minimum(decided, returns - 0.01))
    fits = added & (left > assigned)
    never = np.full(len(mql), NEVER)

    def if_(here: np.ndarray, values: Floats) -> Floats:
        return np.where(fits & here, values, NEVER)

    relabelled = Passage(
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
    left_early = np.where(fits, NEVER, pipeline.left_early)
    return dataclasses.replace(pipeline, relabelled=relabelled, left_early=left_early)


def _with_early_sql(passage: Passage, share: float, luck: Floats, middle: float) -> Passage:
    """Passage in which leads become sql halfway through their time at sal, even some that leave."""
    leaves = (passage.left_from == 2) & (passage.left_at >= middle) & (luck < share)
    goes_on = np.isfinite(passage.sql) & (passage.sql >= middle)
    changed = leaves | goes_on
    sal = np.where(changed, passage.sal, 0.0)
    ends = np.where(changed, np.where(leaves, passage.left_at, passage.sql), 0.0)
    return dataclasses.replace(
        passage, sql=np.where(changed, np.maximum(middle, (sal + ends) / 2), passage.sql)
    )
