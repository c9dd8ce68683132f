"""Why a period's value differs from its baseline's: the question, from tables to verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.bridge import looks
from funnel.bridge.cells import Layout, cells
from funnel.bridge.estimate import Season, density_of_waits, factors
from funnel.bridge.flow import Contributions, contributions
from funnel.bridge.notes import caveats_of, rows_behind
from funnel.bridge.paths import PARTS, Paths, part_of_bins, paths_of, waits_of, won_deals
from funnel.bridge.resample import weights
from funnel.bridge.result import CALENDAR, MIX, RESIDUAL, SIZE, TIMING, VOLUME, Bridge
from funnel.errors import ParameterError
from funnel.evidence import CANNOT_TELL, percentiles, smallest_detectable, standard_error
from funnel.plan import Plan

if TYPE_CHECKING:
    from funnel.load import Tables

Floats = NDArray[np.float64]
DRAWS = 200
_AT_ONCE = 25
_DISCREPANCY = 0.005  # of the value: how far bins and blocks are from the truth, sd per driver
_MEMORY = 256 * 1024**2


@dataclass(frozen=True)
class Usual:
    """What the calendar alone would do to the period against its baseline, in log units.

    Attributes
    ----------
    arrivals
        (change, low, high) of lead arrivals for each pair of `calendar_pairs`, in that order;
        pairs that are left out count as no change.
    closing
        The same for wins among those due, such as by working days and the quarter's end.
    level
        Of the intervals.
    """

    arrivals: Sequence[tuple[float, float, float]] = ()
    closing: tuple[float, float, float] = (0.0, 0.0, 0.0)
    level: float = 0.9


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
    adjusted for all looks. *What is it worth?* is the contribution in money, with the resamples'
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
    >>> from funnel.load import Tables
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
    made = _estimated(paths, calendar, draws, data.plan.seed)
    return _judged(data, paths, made, calendar)


@dataclass(frozen=True)
class _Estimate:
    """Parts (drivers, segments, 2) in value and wins, their draws, and the worlds' true sums."""

    point: Floats
    draws: Floats
    value: Floats  # (world, segment)
    wins: Floats
    blocks: Floats  # wins by driver (volume, mix, rates, timing), and by stage and block
    drawn_blocks: Floats
    passing: Floats


def _with_plan(data: Tables, plan: Plan | Mapping[str, Any] | None) -> Tables:
    if plan is None:
        return data
    plan = plan if isinstance(plan, Plan) else data.plan.with_keys(**plan)
    return replace(data, plan=plan)


def _estimated(paths: Paths, calendar: Usual | None, n_draws: int, seed: int) -> _Estimate:
    n_stages, n_segments = len(paths.stages) - 1, len(paths.segments)
    layout = Layout(n_stages, n_segments, paths.windows[1].n_blocks)
    n_parts = n_stages + 6
    if paths.stays.empty:
        nothing, still = np.zeros((n_parts, n_segments, 2)), np.zeros((n_stages + 3, 1))
        none = np.zeros((2, n_segments))
        return _Estimate(nothing, nothing[None], none, none, still, still[None], still)
    matrix = cells(paths.stays, paths.windows, layout, paths.is_exit_recorded)
    waits = np.array([density_of_waits(seen) for seen in waits_of(paths)])
    random = np.random.default_rng([seed, 1])

    def parts_of(counted: Floats, *, is_point: bool) -> tuple[Floats, Floats, Floats]:
        counts = layout.split(counted)
        season = _season(calendar, counted.shape[1], layout.n_blocks, None if is_point else random)
        old, new = factors(counts, paths.is_exit_recorded, waits, season)
        shared = contributions(old, new)
        cut = (*shared.passing.shape[:2], -1)
        return _parts(shared, counts), shared.by_block.reshape(cut), shared.passing.reshape(cut)

    point = matrix @ np.ones((matrix.shape[1], 1))
    counts = layout.split(point)
    per_draw = 8 * 10 * n_stages * n_segments * layout.n_bins**2
    size = max(1, int(_MEMORY // per_draw))
    pieces = []
    for weight in weights(
        paths.stays,
        n_segments,
        paths.windows[1].end,
        weekly=paths.weekly,
        is_usual=paths.is_usual_week,
        draws=n_draws,
        seed=seed,
        at_once=_AT_ONCE,
    ):
        counted = matrix @ weight
        pieces += [
            parts_of(counted[:, i : i + size], is_point=False)
            for i in range(0, counted.shape[1], size)
        ]
    value, wins = counts["value"][:, 0], counts["wins"][:, 0]
    drawn, drawn_blocks = (np.concatenate([piece[i] for piece in pieces]) for i in (0, 1))
    drawn[:, :-1] += _discrepancy(value, wins, drawn[:, :-1], random)
    parts, blocks, passing = (part[0] for part in parts_of(point, is_point=True))
    total = passing.sum(axis=1, keepdims=True)
    passing = np.divide(passing, total, out=np.zeros_like(passing), where=total > 0)
    spread = _DISCREPANCY * wins.sum(axis=1).mean() * np.sqrt(np.maximum(passing, 0))
    drawn_blocks += spread * random.standard_normal(drawn_blocks.shape)
    return _Estimate(parts, drawn, value, wins, blocks, drawn_blocks, passing)


def _discrepancy(value: Floats, wins: Floats, drawn: Floats, random: np.random.Generator) -> Floats:
    """Draw what a model in bins and blocks leaves unsaid, in proportion to each segment.

    A driver that is not in play (no calendar, one segment, no deal size) has nothing unsaid.
    """
    size = np.stack([np.abs(value).mean(axis=0), wins.mean(axis=0)], axis=-1)  # (s, 2)
    common = random.standard_normal((*drawn.shape[:2], 1, 1))
    in_play = np.abs(drawn).max(axis=(0, 2), keepdims=True) > 1e-9 * np.abs(size).max()
    return _DISCREPANCY * common * size * in_play


def _season(
    calendar: Usual | None, n_draws: int, n_blocks: int, random: np.random.Generator | None
) -> Season | None:
    if calendar is None:
        return None
    n_parts = n_blocks * PARTS
    rows = [*calendar.arrivals[:n_parts]]
    rows += [(0.0, 0.0, 0.0)] * (n_parts - len(rows))
    usual = np.array([*rows[::-1], calendar.closing], float)  # oldest first, then closing
    spread = standard_error(usual[:, 1], usual[:, 2], calendar.level)
    chance = np.zeros((n_draws, len(usual)))
    if random is not None:
        chance = random.standard_normal(chance.shape)
    drawn = usual[:, 0] + spread * chance
    return Season(drawn[:, part_of_bins(n_blocks)], drawn[:, -1])


def _parts(shared: Contributions, counts: dict[str, Floats]) -> Floats:
    """All drivers in order, the residual last; (b, drivers, segments, 2)."""
    parts = [shared.calendar, shared.volume, shared.mix]
    parts += list(np.moveaxis(shared.rates, 1, 0))
    parts += [shared.timing, shared.size]
    parts = np.stack(parts, axis=1)
    real = np.stack(
        [counts["value"][1] - counts["value"][0], counts["wins"][1] - counts["wins"][0]], -1
    )
    residual = real - parts.sum(axis=1)
    return np.concatenate([parts, residual[:, None]], axis=1)


def _judged(data: Tables, paths: Paths, made: _Estimate, calendar: Usual | None) -> Bridge:
    plan = data.plan
    drivers = [CALENDAR, VOLUME, MIX, *paths.steps, TIMING, SIZE, RESIDUAL]
    deals = won_deals(data)
    tests, n_looks = _tests(drivers, paths, made, calendar, deals, 1 - plan.level)
    values = np.round(made.value.sum(axis=1), 2)
    table = _table(drivers, paths, made, plan, values[0])
    table = table.merge(tests[["driver", "segment", "p_adjusted"]], on=["driver", "segment"])
    table["verdict"] = [
        looks.verdict_of(row.low, row.high, row.p_adjusted, 1 - plan.level, values[0])
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
        caveats=caveats_of(data, paths, calendar is not None, wins, deals),
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
    made: _Estimate,
    calendar: Usual | None,
    deals: pd.DataFrame,
    q: float,
) -> tuple[pd.DataFrame, int]:
    """Look at every driver, and at the segments of those found; `driver`, `segment`, ..."""
    wins, drawn = made.point[..., 1], made.draws[..., 1]
    z = looks.deviates(wins.sum(axis=1), drawn.sum(axis=2))
    z_segments = looks.deviates(wins, drawn)
    size = drivers.index(SIZE)
    _, z[size] = looks.like_for_like(
        deals["value"].to_numpy(), deals["is_new"].to_numpy(), deals[["segment", "employees"]]
    )
    z_segments[size] = looks.deviates(made.point[size, :, 0], made.draws[:, size, :, 0])
    not_looked = [drivers.index(RESIDUAL)] + [drivers.index(CALENDAR)] * (calendar is None)
    z[not_looked], z_segments[not_looked] = np.nan, np.nan
    p, p_segments = looks.two_sided(z), looks.two_sided(z_segments)
    in_blocks = [drivers.index(VOLUME), drivers.index(MIX)]
    in_blocks += [*(drivers.index(step) for step in paths.steps), drivers.index(TIMING)]
    of_blocks = looks.two_sided(looks.deviates(made.blocks, made.drawn_blocks))
    p[in_blocks] = looks.in_all_or_a_block(p[in_blocks], of_blocks, made.passing)
    fair, fair_segments, n_looks = looks.adjusted(p, p_segments, q)
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
    drivers: list[str], paths: Paths, made: _Estimate, plan: Plan, baseline: float
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
