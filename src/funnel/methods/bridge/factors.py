"""Factors of the two worlds, estimated from counts in cells.

Hazards are those of all segments in a block, by age, times one factor for the segment. Where a
segment has few leads in a block, its factor is shrunk towards the segment's over both worlds, and
that one towards 1, each with the weight of two leads (`_PRIOR`). So a change that all segments
share is counted in full, and chance in a small segment is not taken for a change of its own. A cell
without leads takes the rate seen elsewhere, so that it contributes nothing.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from funnel.methods.bridge.cells import AGES
from funnel.methods.bridge.flow import PER_BLOCK, Factors

Floats = NDArray[np.float64]
_PRIOR = 2.0
_LEAST = 0.01
_ROUNDS = 3  # of fitting hazards by age and factors by segment to each other


@dataclasses.dataclass(frozen=True)
class Season:
    """What the calendar accounts for, as logarithms of a factor; one per draw.

    `arrivals` is (b, w), on leads that arrive in a bin; `closing` is (b,), on wins in the period,
    of which `won_share` (b,) comes from the share of deals that are won, the rest from timing.
    """

    arrivals: Floats
    closing: Floats
    won_share: Floats


def factors(
    counts: dict[str, Floats],
    is_exit_recorded: NDArray[np.bool_],
    waits: Floats,
    season: Season | None = None,
) -> tuple[Factors, Factors]:
    """Factors of both worlds.

    Parameters
    ----------
    counts
        As `Layout.split` gives them: the world first, then the draw.
    is_exit_recorded
        For each stage, whether exits other than an advance are recorded.
    waits
        For stages without recorded exits, the density of the age (in bins) at an advance, the
        same in both worlds; shape (stages, bins).
    season
        The period's arrivals and wins are divided by it, and it is a factor of its own.
    """
    arrivals = counts["arrive"]
    n_bins = arrivals.shape[-1]
    none = np.ones((arrivals.shape[1], arrivals.shape[2], n_bins))
    expected = none.copy()
    if season is not None:
        expected[:, 0] = np.exp(season.arrivals)
    volume, mix, spread = _arrivals(np.stack([arrivals[0], arrivals[1] / expected[:, :, None]]))
    rate, leaving = _moves(counts, n_bins)
    for k in np.flatnonzero(~is_exit_recorded):
        rate[:, :, k], leaving[:, :, k] = _unrecorded(counts, k, waits[k])
    _match(arrivals, rate, leaving, counts["advance"].sum(axis=-1), is_exit_recorded)
    size = _carried(counts["value"], counts["wins"])
    closing = np.ones((2, arrivals.shape[1]))
    if season is not None:
        closing[1] = np.exp(season.closing)
        in_share = np.exp(season.won_share)[:, None]
        rate[1][:, -1, :, -1] /= in_share
        leaving[1][:, -1, :, :, -PER_BLOCK:] /= (closing[1][:, None] / in_share)[..., None, None]
    seasons = (none, expected)
    old, new = (
        Factors(
            volume[t],
            mix[t],
            spread[t],
            seasons[t],
            rate[t],
            leaving[t],
            closing[t],
            size[t],
        )
        for t in (0, 1)
    )
    return old, new


def density_of_waits(advances: Floats) -> Floats:
    """Density of the time until an advance, each advance seen only up to the end of the window.

    Parameters
    ----------
    advances
        Number by bin of entry and age at the advance, both from 0; shape (bins, bins).

    Returns
    -------
    ndarray
        Share of advances by age; it adds up to 1.

    References
    ----------
    Lagakos, Barraj and De Gruttola (1988), Biometrika 75, 515-523: the product limit in reversed
    time for data truncated on the right.

    Examples
    --------
    >>> density_of_waits(np.array([[2.0, 2.0], [3.0, 0.0]])).tolist()
    [0.5, 0.5]
    """
    n_bins = len(advances)
    seen_until = n_bins - 1 - np.arange(n_bins)
    at_age = advances.sum(axis=0)
    up_to = np.cumsum(advances, axis=1)  # by entry, advances up to an age
    known = np.array([up_to[seen_until >= age, age].sum() for age in range(n_bins)])
    reversed_hazard = np.divide(at_age, known, out=np.zeros(n_bins), where=known > 0)
    beyond = np.cumprod((1 - reversed_hazard)[::-1])[::-1]  # share at younger ages than this
    density = reversed_hazard * np.append(beyond[1:], 1.0)
    total = density.sum()
    return density / total if total > 0 else np.eye(1, n_bins)[0]


def _arrivals(arrivals: Floats) -> tuple[Floats, Floats, Floats]:
    """Volume (t, b, k, h), mix (t, b, k, s, h) and spread within blocks (t, b, k, s, w)."""
    by_block = arrivals.reshape(*arrivals.shape[:-1], -1, PER_BLOCK)
    of_segment = by_block.sum(axis=-1)
    volume = of_segment.sum(axis=3)
    mix = _carried(of_segment, volume[:, :, :, None])
    spread = _carried(by_block, of_segment[..., None], otherwise=1 / PER_BLOCK)
    return volume, mix, spread.reshape(arrivals.shape)


def _carried(part: Floats, whole: Floats, otherwise: float = 0.0) -> Floats:
    """Ratio; without a denominator that of the other world, and without either `otherwise`."""
    part, whole = np.broadcast_arrays(part, whole)
    ratio = np.full(part.shape, np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    ratio = np.where(np.isnan(ratio), ratio[::-1], ratio)
    return np.where(np.isnan(ratio), otherwise, ratio)


def _moves(counts: dict[str, Floats], n_bins: int) -> tuple[Floats, Floats]:
    """Shares that advance in the end, (t, b, k, s, h), and when they do, (t, b, k, s, w, x).

    Both come from the hazards of advancing and of leaving otherwise, at each age, in a block. The
    share is that of a lead that lives through all ages in that block. The ages of the leads that
    happen to leave do not matter, so that a wave of recent leads changes no rate.
    """
    onward, out = hazards(counts)
    staying = 1 - onward - out

    group = np.searchsorted(AGES, np.arange(n_bins), side="right") - 1
    lived = np.cumprod(staying[..., group[:-1]], axis=-1)
    rate = onward[..., 0] + (lived * onward[..., group[1:]]).sum(axis=-1)

    entered, left = np.arange(n_bins)[:, None], np.arange(n_bins)[None, :]
    age = left - entered
    cell = left // PER_BLOCK * len(AGES) + group[np.maximum(age, 0)]
    by_cell = (*rate.shape[:-1], -1)
    lived = np.take(staying.reshape(by_cell), cell, axis=-1)
    lived[..., age < 0] = 1.0
    np.cumprod(lived, axis=-1, out=lived)
    per_rate = _ratio(onward, np.broadcast_to(rate[..., None], onward.shape))
    leaving = np.take(per_rate.reshape(by_cell), cell, axis=-1)
    leaving[..., age < 0] = 0.0
    leaving[..., 1:] *= lived[..., :-1]
    return rate, leaving


def hazards(counts: dict[str, Floats]) -> tuple[Floats, Floats]:
    """Hazards of advancing and of leaving otherwise by segment, block and age, (t, b, k, s, h, g).

    `counts` are as `Layout.split` gives them.
    """
    risk, leave, advance = (counts[kind] for kind in ("risk", "leave", "advance"))
    onward, out = _chances(advance, risk), _chances(leave - advance, risk)
    certain = np.maximum(onward + out, 1.0)
    return onward / certain, out / certain


def _chances(events: Floats, risk: Floats) -> Floats:
    """Hazard of an event by segment, block and age, (t, b, k, s, h, g).

    It is that of all segments by block and age, times one factor for each segment and block. The
    factors' mean is held at 1 for the same weights in all blocks, or another mix would read as a
    change of them all.
    """
    everywhere = _ratio(events.sum(axis=(0, 3, 4)), risk.sum(axis=(0, 3, 4)))[None, :, :, None]
    weight = events.sum(axis=(0, 4, 5))[None, ..., None]  # (1, b, k, s, 1)
    weight = _ratio(weight, np.broadcast_to(weight.sum(axis=3, keepdims=True), weight.shape))
    factor = np.ones(events.shape[:-1])
    for _ in range(_ROUNDS):
        at_risk = (risk * factor[..., None]).sum(axis=3)
        chance = (events.sum(axis=3) + everywhere) / (at_risk + 1.0)
        factor = _shrunk(events.sum(axis=-1), (risk * chance[:, :, :, None]).sum(axis=-1))
        mean = (weight * factor).sum(axis=3, keepdims=True)
        factor = _ratio(factor, np.broadcast_to(mean, factor.shape))
        chance *= mean[:, :, :, 0, :, None]
    return factor[..., None] * chance[:, :, :, None]


def _match(
    arrivals: Floats,
    rate: Floats,
    leaving: Floats,
    advanced: Floats,
    is_exit_recorded: NDArray[np.bool_],
) -> None:
    """Scale the timing so that as many leads advance, in each segment and block, as really did.

    Leads at risk in the model differ from the real ones by chance. How many advance in a block is
    observed, so the difference is timing.
    """
    here = np.zeros_like(arrivals[:, :, 0])  # (t, b, s, w)
    for k in range(arrivals.shape[2]):
        here = here + arrivals[:, :, k]
        out = np.matmul(here[..., None, :], leaving[:, :, k])[..., 0, :]
        moving = out * np.repeat(rate[:, :, k], PER_BLOCK, axis=-1)
        if is_exit_recorded[k]:
            modelled = moving.reshape(*moving.shape[:-1], -1, PER_BLOCK).sum(axis=-1)
            scale = (advanced[:, :, k] + _LEAST) / (modelled + _LEAST)
            by_bin = np.repeat(scale, PER_BLOCK, axis=-1)
            leaving[:, :, k] *= by_bin[..., None, :]
            moving *= by_bin
        here = moving


def _shrunk(seen: Floats, expected: Floats) -> Floats:
    """Seen over expected, (t, b, k, s, h), shrunk to the segment's, and that to all segments'."""
    everybody = _ratio(seen.sum(axis=(0, 3, 4)), expected.sum(axis=(0, 3, 4)))[
        None, :, :, None, None
    ]
    of_segment = (seen.sum(axis=(0, 4)) + _PRIOR * everybody[0, ..., 0]) / (
        expected.sum(axis=(0, 4)) + _PRIOR
    )
    return (seen + _PRIOR * of_segment[None, ..., None]) / (expected + _PRIOR)


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=whole > 0)


def _unrecorded(counts: dict[str, Floats], k: int, wait: Floats) -> tuple[Floats, Floats]:
    """Rate: advances over those due by the pooled timing. Leaving: that timing, in both worlds."""
    entered = counts["enter"][:, :, k]  # (t, b, s, w)
    n_bins = entered.shape[-1]
    lag = np.arange(n_bins)[None, :] - np.arange(n_bins)[:, None]
    timing = np.where(lag >= 0, wait[np.maximum(lag, 0)], 0.0)  # (w, x)
    due = (entered @ timing).reshape(*entered.shape[:-1], -1, PER_BLOCK).sum(axis=-1)
    seen = counts["advance"][:, :, k].sum(axis=-1)
    of_all = _ratio(seen.sum(axis=2), due.sum(axis=2))[:, :, None]  # (t, b, 1, h)
    rate = of_all * _shrunk(seen[:, :, None], (due * of_all)[:, :, None])[:, :, 0]
    return rate, np.broadcast_to(timing, (*entered.shape[:-1], n_bins, n_bins))
