"""Why a period's value differs from its baseline's: the question, from tables to verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.contract.errors import ParameterError
from funnel.contract.plan import Plan
from funnel.methods.bridge import tests
from funnel.methods.bridge.notes import caveats_of, rows_behind
from funnel.methods.bridge.resampled_bridge import Estimate, Usual, estimated
from funnel.methods.bridge.result import CALENDAR, MIX, RESIDUAL, SIZE, TIMING, VOLUME, Bridge
from funnel.methods.bridge.stage_stays import Paths, paths_of, won_deals
from funnel.stats import CANNOT_TELL, percentiles, smallest_detectable

if TYPE_CHECKING:
    from funnel.dataset import Tables

Floats = NDArray[np.float64]
DRAWS = 200


def bridge(
    data: Tables,
    plan: Plan | Mapping[str, Any] | None = None,
    *,
    calendar: Usual | None = None,
    draws: int = DRAWS,
) -> Bridge:
    """Share out the change of a period's bookings among its drivers, and say how surely.

    What closed in a period came from leads of many earlier weeks. Leads are therefore followed in
    bins of a thirteenth of the period, over at least four periods: how many arrived where, what
    share moved on among those that left a stage, and how long it took, each by the block in which
    they left. The value is linear in each of these factors, so that its contributions are exact
    Shapley values, which hang on no order and add up.

    Two questions are kept apart. *Did it change?* is asked of the contribution counted in wins,
    over its spread in resamples of whole leads (deal size: of the mean logarithm, like for like),
    adjusted for all tests. *What is it worth?* is the contribution in money, with the resamples'
    interval. A driver moved only where both say so.

    Parameters
    ----------
    data
        A company's tables.
    plan
        Keys of `[plan]` to use in place of the data's plan, or a whole plan.
    calendar
        What a season and working days account for, from earlier years. Without it the driver
        `calendar` is 0 and "cannot tell", and lead volume holds the season.
    draws
        Resamples behind each interval.

    Returns
    -------
    Bridge
        Rows `driver`, `segment`, `contribution`, `low`, `high`, `verdict`, `smallest_detectable`,
        in the unit of the measure.

    Raises
    ------
    ParameterError
        If there are fewer than two draws.

    Notes
    -----
    Leads with all their deals are drawn by Poisson weights, the same in both periods; weekly
    arrivals that vary more than chance widen them. The interval of a contribution is the draws'
    middle `level`.

    References
    ----------
    Kitagawa (1955), J. Am. Stat. Assoc. 50, 1168-1194; Das Gupta (1993), Standardization and
    Decomposition of Rates; Owen (1972), Management Science 18, 64-79; Shorrocks (2013), Journal
    of Economic Inequality 11, 99-126; Benjamini and Hochberg (1995), J. R. Stat. Soc. B 57.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> deals = pd.DataFrame({"deal_id": ["D-1", "D-2"], "outcome": "won", "amount": [70.0, 50.0],
    ...                       "created_at": ["2026-01-05", "2026-04-02"],
    ...                       "closed_at": ["2026-02-03", "2026-05-04"]})
    >>> result = bridge(Tables.of(deals=deals, as_of="2026-06-30"))
    >>> result.change, round(float(result.totals["contribution"].sum()), 2)
    (-20.0, -20.0)
    """
    if draws < 2:
        raise ParameterError(f"draws={draws} must be at least 2: an interval needs a spread.")
    data = _with_plan(data, plan)
    paths = paths_of(data)
    made = estimated(paths, calendar, draws, data.plan.seed)
    return _judged(data, paths, made, calendar)


def _with_plan(data: Tables, plan: Plan | Mapping[str, Any] | None) -> Tables:
    if plan is None:
        return data
    plan = plan if isinstance(plan, Plan) else data.plan.with_keys(**plan)
    return replace(data, plan=plan)


def _judged(data: Tables, paths: Paths, made: Estimate, calendar: Usual | None) -> Bridge:
    plan = data.plan
    drivers = [CALENDAR, VOLUME, MIX, *paths.steps, TIMING, SIZE, RESIDUAL]
    deals = won_deals(data)
    tests, n_looks = _tests(drivers, paths, made, calendar, deals, 1 - plan.level)
    values = np.round(made.value.sum(axis=1), 2)
    table = _table(drivers, paths, made, plan, values[0])
    table = table.merge(tests[["driver", "segment", "p_adjusted"]], on=["driver", "segment"])
    table["verdict"] = [
        tests.verdict_of(row.low, row.high, row.p_adjusted, 1 - plan.level, values[0])
        for row in table.itertuples()
    ]
    table.loc[table["driver"].eq(RESIDUAL), "verdict"] = CANNOT_TELL
    unit = "deals" if plan.measure == "wins" else plan.company.currency
    if plan.measure == "mrr":
        unit += " a month"
    named = ("contribution", "low", "high", "smallest_detectable")
    wins = made.wins.sum(axis=1).round().astype(int)
    return Bridge(
        table=table[["driver", "segment", *named[:3], "verdict", named[3]]],
        as_of=data.as_of,
        rows=rows_behind(data, deals),
        units=dict.fromkeys(named, unit),
        level=plan.level,
        written_caveats=caveats_of(data, paths, calendar is not None, wins, deals),
        plan=plan,
        comparison=data.comparison,
        period_value=float(values[1]),
        baseline_value=float(values[0]),
        period_wins=int(wins[-1]),
        baseline_wins=int(wins[0]),
        tests=tests,
        n_looks=n_looks,
        n_draws=len(made.draws),
    )


def _tests(
    drivers: list[str],
    paths: Paths,
    made: Estimate,
    calendar: Usual | None,
    deals: pd.DataFrame,
    q: float,
) -> tuple[pd.DataFrame, int]:
    """Look at every driver, and at the segments of those found; `driver`, `segment`, ..."""
    wins, drawn = made.point[..., 1], made.draws[..., 1]
    z = tests.deviates(wins.sum(axis=1), drawn.sum(axis=2))
    z_segments = tests.deviates(wins, drawn)
    size = drivers.index(SIZE)
    _, z[size] = tests.like_for_like(
        deals["value"].to_numpy(), deals["is_new"].to_numpy(), deals[["segment", "employees"]]
    )
    z_segments[size] = tests.deviates(made.point[size, :, 0], made.draws[:, size, :, 0])
    not_looked = [drivers.index(RESIDUAL)] + [drivers.index(CALENDAR)] * (calendar is None)
    z[not_looked], z_segments[not_looked] = np.nan, np.nan
    p, p_segments = tests.two_sided(z), tests.two_sided(z_segments)
    in_blocks = [drivers.index(VOLUME), drivers.index(MIX)]
    in_blocks += [*(drivers.index(step) for step in paths.steps), drivers.index(TIMING)]
    of_blocks = tests.two_sided(tests.deviates(made.blocks, made.drawn_blocks))
    p[in_blocks] = tests.in_all_or_a_block(p[in_blocks], of_blocks, made.passing)
    fair, fair_segments, n_looks = tests.adjusted(p, p_segments, q)
    return (
        _stacked(
            drivers,
            paths.segments,
            wins=(wins.sum(axis=1), wins),
            z=(z, z_segments),
            p_value=(p, p_segments),
            p_adjusted=(fair, fair_segments),
        ),
        n_looks,
    )


def _table(
    drivers: list[str], paths: Paths, made: Estimate, plan: Plan, baseline: float
) -> pd.DataFrame:
    value, drawn = made.point[..., 0], made.draws[..., 0]
    change = round(float(np.round(made.value[1].sum(), 2) - baseline), 2)
    totals = np.round(value.sum(axis=1), 2)
    totals[-1] = round(change - totals[:-1].sum(), 2)
    segments = np.round(value, 2)
    largest = np.abs(value).argmax(axis=1)
    at = np.arange(len(segments))
    segments[at, largest] += totals - segments.sum(axis=1)
    low, high = percentiles(drawn.sum(axis=2), plan.level)
    low_segments, high_segments = percentiles(drawn, plan.level)
    spread, spread_segments = drawn.sum(axis=2).std(axis=0), drawn.std(axis=0)
    return _stacked(
        drivers,
        paths.segments,
        contribution=(totals, np.round(segments, 2)),
        low=(low, low_segments),
        high=(high, high_segments),
        smallest_detectable=(
            smallest_detectable(spread, plan.level),
            smallest_detectable(spread_segments, plan.level),
        ),
    )


def _stacked(
    drivers: list[str], segments: tuple[str, ...], **columns: tuple[Floats, Floats]
) -> pd.DataFrame:
    """Totals first, then each driver's segments."""
    frame = pd.DataFrame(
        {
            "driver": drivers + [driver for driver in drivers for _ in segments],
            "segment": [None] * len(drivers) + list(segments) * len(drivers),
        }
    ).astype("str")
    for name, (totals, by_segment) in columns.items():
        frame[name] = np.concatenate([totals, by_segment.ravel()])
    return frame
