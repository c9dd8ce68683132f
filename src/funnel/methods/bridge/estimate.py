"""Contributions of all drivers and their resamples."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from funnel.methods.bridge.cells import Layout, cells
from funnel.methods.bridge.expected_calendar import ExpectedChange
from funnel.methods.bridge.factors import Season, density_of_waits, factors
from funnel.methods.bridge.flow import Contributions, contributions
from funnel.methods.bridge.resampling import weights
from funnel.methods.bridge.stage_history import PARTS, StageHistory, part_of_bins, waits_of
from funnel.stats import standard_error

Floats = NDArray[np.float64]
_AT_ONCE = 25
_NODES_OF_A_DRAW = 6  # of the integral; more move no interval of the sample by 1e-9 of itself
_DISCREPANCY = 0.005  # of the value: standard deviation of the error of binning, per driver
_MEMORY = 256 * 1024**2


@dataclass(frozen=True)
class Estimate:
    """Contributions (drivers, segments, 2) in value and wins, with their draws.

    `value` and `wins` are the recorded sums, (world, segment). `blocks` holds wins by driver
    (volume, mix, rates, timing) and by stage and block; `passing` the share of wins there.
    """

    point: Floats
    draws: Floats
    value: Floats
    wins: Floats
    blocks: Floats
    drawn_blocks: Floats
    passing: Floats


def estimate(
    history: StageHistory, calendar: ExpectedChange | None, n_draws: int, seed: int
) -> Estimate:
    """Contributions of the rows as they are, and of each resample."""
    n_stages, n_segments = len(history.stages) - 1, len(history.segments)
    layout = Layout(n_stages, n_segments, history.windows[1].n_blocks)
    n_parts = n_stages + 6
    if history.visits.empty:
        nothing, still = np.zeros((n_draws, n_parts, n_segments, 2)), np.zeros((n_stages + 3, 1))
        none = np.zeros((2, n_segments))
        return Estimate(nothing[0], nothing, none, none, still, still[None], still)
    matrix = cells(history.visits, history.windows, layout, history.is_exit_recorded)
    waits = np.array([density_of_waits(seen) for seen in waits_of(history)])
    random = np.random.default_rng([seed, 1])

    def parts_of(counted: Floats, *, is_point: bool) -> tuple[Floats, Floats, Floats]:
        counts = layout.split(counted)
        season = _season(calendar, counted.shape[1], layout.n_blocks, None if is_point else random)
        old, new = factors(counts, history.is_exit_recorded, waits, season)
        shared = contributions(old, new, None if is_point else _NODES_OF_A_DRAW)
        cut = (*shared.passing.shape[:2], -1)
        return _parts(shared, counts), shared.by_block.reshape(cut), shared.passing.reshape(cut)

    point = matrix @ np.ones((matrix.shape[1], 1))
    counts = layout.split(point)
    per_draw = 8 * 10 * n_stages * n_segments * layout.n_bins**2
    size = max(1, int(_MEMORY // per_draw))
    pieces = []
    for weight in weights(
        history.visits,
        n_segments,
        history.windows[1].end,
        weekly=history.weekly,
        is_ordinary=history.is_ordinary_week,
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
    return Estimate(parts, drawn, value, wins, blocks, drawn_blocks, passing)


def without_rates(made: Estimate) -> Estimate:
    """The estimate without rates and timing, where no share of those who arrive is known."""
    point, draws = (np.delete(each, slice(3, -2), axis=-3) for each in (made.point, made.draws))
    blocks, drawn, passing = (
        each[..., :2, :] for each in (made.blocks, made.drawn_blocks, made.passing)
    )
    return replace(
        made, point=point, draws=draws, blocks=blocks, drawn_blocks=drawn, passing=passing
    )


def _discrepancy(value: Floats, wins: Floats, drawn: Floats, random: np.random.Generator) -> Floats:
    """Random error of the model in bins and blocks, in proportion to each segment.

    A driver that is not in play (no calendar, one segment, no deal size) has none.
    """
    size = np.stack([np.abs(value).mean(axis=0), wins.mean(axis=0)], axis=-1)  # (s, 2)
    common = random.standard_normal((*drawn.shape[:2], 1, 1))
    in_play = np.abs(drawn).max(axis=(0, 2), keepdims=True) > 1e-9 * np.abs(size).max()
    return _DISCREPANCY * common * size * in_play


def _season(
    calendar: ExpectedChange | None, n_draws: int, n_blocks: int, random: np.random.Generator | None
) -> Season | None:
    if calendar is None:
        return None
    n_parts = n_blocks * PARTS
    rows = [*calendar.arrivals[:n_parts]]
    rows += [(0.0, 0.0, 0.0)] * (n_parts - len(rows))
    expected = np.array([*rows[::-1], calendar.closing], float)  # oldest first, then closing
    spread = standard_error(expected[:, 1], expected[:, 2], calendar.level)
    chance = np.zeros((n_draws, len(expected)))
    if random is not None:
        chance = random.standard_normal(chance.shape)
    drawn = expected[:, 0] + spread * chance
    won_share = np.zeros(n_draws)
    if calendar.won_share is not None:
        share = calendar.won_share
        error = standard_error(share.low, share.high, calendar.level)
        won_share += share.change
        won_share += error * (0.0 if random is None else random.standard_normal(n_draws))
    return Season(drawn[:, part_of_bins(n_blocks)], drawn[:, -1] + won_share, won_share)


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
