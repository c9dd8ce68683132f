"""Won deals outside the flow of leads: renewals, and deals without a lead.

No stage, timing or win rate stands behind them, so that each is one driver: the change of their
value.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.contract.labels import POOLED
from funnel.methods.bridge.estimate import Estimate
from funnel.methods.bridge.expected_calendar import ExpectedChange
from funnel.methods.bridge.stage_history import RENEWALS, WITHOUT_LEAD
from funnel.results.small_groups import are_small
from funnel.stats import standard_error

Floats = NDArray[np.float64]
OUTSIDE_FLOW = (WITHOUT_LEAD, RENEWALS)


@dataclass(frozen=True)
class OtherDeals:
    """Sums of won deals outside the flow, in value and wins (last axis).

    Attributes
    ----------
    drivers, segments
        One pair for each group of deals.
    sums
        (group, world, 2).
    draws
        Of the change; (draw, group, 2).
    calendar, drawn_calendar
        The part of the change that earlier years let expect, and its draws.
    """

    drivers: tuple[str, ...]
    segments: tuple[str, ...]
    sums: Floats
    draws: Floats
    calendar: Floats
    drawn_calendar: Floats


def other_deals(
    deals: pd.DataFrame,
    smallest_group: int,
    n_draws: int,
    seed: int,
    calendar: ExpectedChange | None = None,
) -> OtherDeals:
    """Sums of the deals outside the flow, by driver and segment, and their resamples.

    Deals come independently of each other, so that each has a Poisson weight of its own.

    Parameters
    ----------
    deals
        As `won_deals` returns them.
    smallest_group
        Smaller segments are pooled.
    calendar
        Its changes of the number of deals are applied to the baseline's value.

    References
    ----------
    Hanley and MacGibbon (2006), Computer Methods and Programs in Biomedicine 83, 57-62 (Poisson
    weights).
    """
    deals = deals[deals["driver"] != ""]
    sizes = deals.groupby(["driver", "segment"])["deal_id"].transform("size")
    n_segments = deals.groupby("driver")["segment"].transform("nunique")
    is_pooled = are_small(sizes, smallest_group, add_up=False) & (n_segments > 1)
    deals = deals.assign(segment=deals["segment"].mask(is_pooled, POOLED))
    names = sorted(
        {*zip(deals["driver"], deals["segment"], strict=True)},
        key=lambda pair: (OUTSIDE_FLOW.index(pair[0]), pair[1] == POOLED, pair[1]),
    )
    value = np.column_stack([deals["value"].fillna(0.0), np.ones(len(deals))])
    world = deals["in_period"].to_numpy(int)
    random = np.random.default_rng([seed, 2])
    weight = random.poisson(1.0, (n_draws, len(deals))).astype(float)
    sums, draws = np.zeros((len(names), 2, 2)), np.zeros((n_draws, len(names), 2))
    expected, drawn_expected = np.zeros((len(names), 2)), np.zeros_like(draws)
    chance = random.standard_normal((n_draws, 1))
    for place, (driver, segment) in enumerate(names):
        here = (deals["driver"].eq(driver) & deals["segment"].eq(segment)).to_numpy()
        for t in (0, 1):
            sums[place, t] = value[here & (world == t)].sum(axis=0)
        draws[:, place] = weight[:, here] @ (value[here] * (2 * world[here] - 1)[:, None])
        rhythm = calendar.outside_flow.get(driver) if calendar else None
        if rhythm is not None:
            error = standard_error(rhythm.low, rhythm.high, calendar.level)
            base = weight[:, here & (world == 0)] @ value[here & (world == 0)]
            expected[place] = np.expm1(rhythm.change) * sums[place, 0]
            drawn_expected[:, place] = np.expm1(rhythm.change + error * chance) * base
    drivers, segments = zip(*names, strict=True) if names else ((), ())
    return OtherDeals(drivers, segments, sums, draws, expected, drawn_expected)


def with_other_deals(made: Estimate, others: OtherDeals) -> Estimate:
    """The estimate of the flow with further drivers before the residual, and their segments last.

    A driver of the flow is 0 in the segments of the others, and the other way round; but the
    calendar, which comes first, has its part of both.
    """
    drivers = tuple(dict.fromkeys(others.drivers))
    row = [len(made.point) - 1 + drivers.index(name) for name in others.drivers]
    column = np.arange(len(others.segments)) + made.point.shape[1]
    n_draws, n_drivers, n_segments, _ = made.draws.shape
    draws = np.zeros((n_draws, n_drivers + len(drivers), n_segments + len(column), 2))
    draws[:, : n_drivers - 1, :n_segments] = made.draws[:, :-1]
    draws[:, -1, :n_segments] = made.draws[:, -1]
    point = np.zeros(draws.shape[1:])
    point[: n_drivers - 1, :n_segments], point[-1, :n_segments] = made.point[:-1], made.point[-1]
    draws[:, row, column] = others.draws - others.drawn_calendar
    point[row, column] = others.sums[:, 1] - others.sums[:, 0] - others.calendar
    draws[:, 0, column], point[0, column] = others.drawn_calendar, others.calendar
    return replace(
        made,
        point=point,
        draws=draws,
        value=np.concatenate([made.value, others.sums[..., 0].T], axis=1),
        wins=np.concatenate([made.wins, others.sums[..., 1].T], axis=1),
    )
