"""The flow of leads through the stages as a product of factors, with Shapley values.

There are two worlds, the baseline and the period, each with its own history in bins. In a world,
leads arrive in a bin at a stage, wait, and advance or leave. Those that reach the last stage in
the newest block of bins are the wins. The value is linear in each factor while the others are
fixed, so its Shapley value is the integral of a polynomial along the line between the worlds.

Axes, in this order: draw `b`, stage `k`, segment `s`, bin `w` or block `h` (13 bins; the last one
is the period itself), bin of leaving `x`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
PER_BLOCK = 13


@dataclass(frozen=True)
class Factors:
    """Factors of a world's value.

    Attributes
    ----------
    volume
        Arrivals by stage and block; (b, k, h).
    mix
        Share of each segment in them; (b, k, s, h). Shares of a block add up to 1.
    spread
        How a segment's arrivals lie within a block; (b, k, s, w). They add up to 1 in each block.
    season
        Factor on arrivals that the calendar accounts for; (b, k, w).
    rate
        Advances per leaving one, by the block of leaving; (b, k, s, h).
    leaving
        Chance to leave in bin x for one who entered in bin w; (b, k, s, w, x).
    closing
        Factor on wins in the period that the calendar accounts for; (b,).
    size
        Value per win; (b, s).
    """

    volume: Floats
    mix: Floats
    spread: Floats
    season: Floats
    rate: Floats
    leaving: Floats
    closing: Floats
    size: Floats


@dataclass(frozen=True)
class Contributions:
    """Contributions by segment, each in value and in wins (last axis).

    `calendar`, `volume`, `mix`, `timing`, `size`: (b, s, 2); `rates`: (b, k, s, 2); `worlds`: what
    the factors give for each world, (2, b, s, 2). `by_block` holds wins of all segments by stage
    and block, of arrival or of leaving, for volume, mix, each rate and timing: (b, 2 + k + 1, k,
    h); `passing` how many wins pass there.
    """

    calendar: Floats
    volume: Floats
    mix: Floats
    rates: Floats
    timing: Floats
    size: Floats
    worlds: Floats
    by_block: Floats
    passing: Floats


def contributions(old: Factors, new: Factors, most_nodes: int | None = None) -> Contributions:
    """Shapley values of the factors in the change from one world to another.

    Parameters
    ----------
    old, new
        The factors of both worlds.
    most_nodes
        Of the quadrature, which is exact with one for every two factors; by default so many.

    References
    ----------
    Owen (1972), Management Science 18, 64-79: the Shapley value of a multilinear function is the
    integral of its gradient along the diagonal. Shorrocks (2013), Journal of Economic Inequality
    11, 99-126, for its use in decompositions.
    """
    n_draws, n_stages, n_segments, _ = old.mix.shape
    empty = np.zeros((n_draws, n_segments, 2))
    calendar, volume, mix, timing, size = (empty.copy() for _ in range(5))
    rates = np.zeros((n_draws, n_stages, n_segments, 2))
    by_block = np.zeros((n_draws, n_stages + 3, n_stages, old.mix.shape[-1]))
    passing = np.zeros_like(by_block)
    step = {name: getattr(new, name) - getattr(old, name) for name in Factors.__dataclass_fields__}
    n_factors = 2 * n_stages + 6
    exact = (n_factors + 1) // 2
    nodes, weights = np.polynomial.legendre.leggauss(min(exact, most_nodes or exact))
    for u, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        at = _between(old, step, u)
        arrivals, on_old, on_step = _forward(at, old.leaving, step["leaving"], u)
        wins = arrivals[:, -1, :, -PER_BLOCK:].sum(axis=-1)  # (b, s)
        size[..., 0] += weight * step["size"] * wins

        worth = _worth_of_a_win(at)
        for k in reversed(range(n_stages)):
            last = k == n_stages - 1
            out = (on_old[:, k] + u * on_step[:, k])[..., None]  # leaving in bin x, (b, s, x, 1)
            closing = _closing(at.closing, out.shape[2]) if last else 1.0
            rate = _by_bin(at.rate[:, k])[..., None]
            onward = rate * closing * worth
            changed = weight * _by_bin(step["rate"][:, k])[..., None] * out * closing * worth
            delayed = weight * on_step[:, k][..., None] * onward
            rates[:, k] += changed.sum(axis=2)
            timing += delayed.sum(axis=2)
            by_block[:, 2 + k, k] += _wins_by_block(changed)
            by_block[:, -1, k] += _wins_by_block(delayed)
            through = _wins_by_block(weight * out * onward)
            passing[:, 2 + k, k] += through
            passing[:, -1, k] += through
            if last:
                change = _closing(step["closing"], out.shape[2], 0.0)
                calendar += weight * (rate * change * out * worth).sum(axis=2)
            worth = np.matmul(old.leaving[:, k], onward)
            worth += u * np.matmul(step["leaving"][:, k], onward)
            parts = _of_arrivals(at, step, worth, k)
            calendar += weight * parts[0].sum(axis=2)
            volume += weight * parts[1].sum(axis=2)
            mix += weight * parts[2].sum(axis=2)
            by_block[:, 0, k] += weight * parts[1][..., 1].sum(axis=1)
            by_block[:, 1, k] += weight * parts[2][..., 1].sum(axis=1)
            passing[:, :2, k] += weight * parts[3][..., 1].sum(axis=1)[:, None]
    worlds = np.stack([_value(old), _value(new)])
    return Contributions(calendar, volume, mix, rates, timing, size, worlds, by_block, passing)


def _wins_by_block(parts: Floats) -> Floats:
    wins = parts[..., 1].sum(axis=1)  # (b, x)
    return wins.reshape(len(wins), -1, PER_BLOCK).sum(axis=-1)


def _between(old: Factors, step: dict[str, Floats], u: float) -> Factors:
    """Factors at a point between the worlds; `leaving`, the large one, is used in two parts."""
    moved = {
        name: getattr(old, name) + u * change if name != "leaving" else old.leaving
        for name, change in step.items()
    }
    return Factors(**moved)


def _forward(
    at: Factors, old_leaving: Floats, step_leaving: Floats, u: float
) -> tuple[Floats, Floats, Floats]:
    """Arrivals by stage (k + 1 of them), and those leaving by the old timing and by its change."""
    sources = _sources(at)
    n_draws, n_stages, n_segments, n_bins = sources.shape
    arrivals = np.zeros((n_draws, n_stages + 1, n_segments, n_bins))
    on_old, on_step = np.zeros_like(sources), np.zeros_like(sources)
    for k in range(n_stages):
        arrivals[:, k] += sources[:, k]
        here = arrivals[:, k][:, :, None]
        on_old[:, k] = np.matmul(here, old_leaving[:, k])[:, :, 0]
        on_step[:, k] = np.matmul(here, step_leaving[:, k])[:, :, 0]
        arrivals[:, k + 1] = (on_old[:, k] + u * on_step[:, k]) * _by_bin(at.rate[:, k])
    arrivals[:, -1, :, -PER_BLOCK:] *= at.closing[:, None, None]
    return arrivals, on_old, on_step


def _sources(at: Factors) -> Floats:
    return _by_bin(at.volume[:, :, None] * at.mix) * at.spread * at.season[:, :, None]


def _of_arrivals(at: Factors, step: dict[str, Floats], worth: Floats, k: int) -> tuple[Floats, ...]:
    """Parts of calendar, volume and mix in what arrives at a stage, and it; each (b, s, h, 2)."""
    n_draws, n_segments, n_bins, _ = worth.shape
    blocks = (n_draws, n_segments, n_bins // PER_BLOCK, PER_BLOCK, 2)

    def summed(spread: Floats, season: Floats) -> Floats:
        weight = spread[:, k] * season[:, k][:, None]
        return (weight[..., None] * worth).reshape(blocks).sum(axis=3)  # (b, s, h, 2)

    per_one = summed(at.spread, at.season)
    share = at.mix[:, k][..., None]
    level = at.volume[:, k][:, None, :, None]
    changed_share = step["mix"][:, k][..., None]
    mean = (share * per_one).sum(axis=1, keepdims=True)
    calendar = level * share * summed(at.spread, step["season"])
    volume = (
        step["volume"][:, k][:, None, :, None] * share * per_one
        + level * share * summed(step["spread"], at.season)
        + level * changed_share * mean  # growth at the mean yield
    )
    mix = level * changed_share * (per_one - mean)
    return calendar, volume, mix, level * share * per_one


def _worth_of_a_win(at: Factors) -> Floats:
    """Value, and count, of one that arrives at the last stage in bin x; (b, s, x, 2)."""
    n_draws, n_segments = at.size.shape
    worth = np.zeros((n_draws, n_segments, at.spread.shape[-1], 2))
    worth[:, :, -PER_BLOCK:, 0] = at.size[..., None]
    worth[:, :, -PER_BLOCK:, 1] = 1.0
    return worth


def _closing(factor: Floats, n_bins: int, before: float = 1.0) -> Floats:
    by_bin = np.full((len(factor), 1, n_bins, 1), before)
    by_bin[:, 0, -PER_BLOCK:, 0] = factor[:, None]
    return by_bin


def _by_bin(by_block: Floats) -> Floats:
    return np.repeat(by_block, PER_BLOCK, axis=-1)


def _value(world: Factors) -> Floats:
    arrivals, _, _ = _forward(world, world.leaving, np.zeros_like(world.leaving), 0.0)
    wins = arrivals[:, -1, :, -PER_BLOCK:].sum(axis=-1)
    return np.stack([wins * world.size, wins], axis=-1)
