"""Spells in which a share stood higher than usual, from a day on and up to another."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LARGE = 0.05  # a share that differs by less loses too little to be read as something else
_FEWEST = 40
_FEWEST_INSIDE = 20
_MOST_BINS = 700
_MOST_CUTS = 12
_WEEK = 7


@dataclass(frozen=True)
class Spell:
    """Days in which a share stood higher than usual.

    `since` is the first of them and `until` the last; `until` is missing where it lasts to the end
    of the counts, and `from_start` says that it was there from their first day on. `share` is the
    one inside, `usual` the one outside, `n` the rows inside, `p_value` of the longest look.
    """

    since: dt.date
    until: dt.date | None
    from_start: bool
    share: float
    usual: float
    n: int
    p_value: float


def spells(counts: pd.DataFrame, limit: float, large: float = LARGE) -> list[Spell]:
    """Look for spells in which a share stood higher, like for like.

    Every first and last day are tried, again within and beside each spell found. Weeks that
    scatter more than chance widen it. What changes in a straight line is no spell.

    Parameters
    ----------
    counts
        `day` (a date), `n` (rows), `k` (those that have it), and, where rows differ in kind,
        `stratum`: a share is only compared within one.
    limit
        The largest p value of a spell, all pairs of days together.
    large
        The least by which the share stands higher.

    Returns
    -------
    list of Spell
        In order of time; the usual share is the lowest level that holds a twentieth of the rows.

    References
    ----------
    Olshen, Venkatraman, Lucito and Wigler (2004), Biostatistics 5, 557-572: circular binary
    segmentation; here with a Bonferroni bound over all pairs.

    Examples
    --------
    >>> days = pd.date_range("2026-01-01", periods=100)
    >>> lost = [2] * 60 + [8] * 20 + [2] * 20
    >>> found = spells(pd.DataFrame({"day": days, "n": 20, "k": lost}), limit=0.001)
    >>> [(each.since.isoformat(), each.until.isoformat(), each.share) for each in found]
    [('2026-03-02', '2026-03-21', 0.4)]
    """
    if counts.empty or counts["n"].sum() < _FEWEST:
        return []
    n, k, days = _by_stratum_and_day(counts)
    cuts: dict[int, float] = {}
    _cut(n, k, 0, n.shape[1], limit, large, cuts)
    if not cuts:
        return []
    edges = [0, *sorted(cuts), n.shape[1]]
    total, rest = n.sum(axis=0), _rest(n, k)[0]
    parts = [slice(a, b) for a, b in itertools.pairwise(edges)]
    size = np.array([total[part].sum() for part in parts])
    share = k.sum() / total.sum() + np.array([rest[part].sum() for part in parts]) / size
    usual = share[size >= 0.05 * total.sum()].min()
    is_high = share - usual >= large
    found = []
    i = 0
    while i < len(parts):
        j = i
        while j < len(parts) and is_high[j]:
            j += 1
        if j > i:
            inside = slice(edges[i], edges[j])
            p_value = min(cuts.get(edges[i], 1.0), cuts.get(edges[j], 1.0))
            level = float(np.average(share[i:j], weights=size[i:j]))
            until = days[edges[j] - 1].date() if j < len(parts) else None
            found.append(
                Spell(
                    days[edges[i]].date(), until, i == 0, min(max(level, 0.0), 1.0),
                    float(max(usual, 0.0)), int(total[inside].sum()), p_value,
                )
            )  # fmt: skip
        i = j + 1
    return found


def _by_stratum_and_day(counts: pd.DataFrame) -> tuple[Floats, Floats, pd.DatetimeIndex]:
    """Rows, and those that have it, (stratum, day); every day between the first and the last."""
    if "stratum" not in counts:
        counts = counts.assign(stratum="")
    summed = counts.groupby(["stratum", "day"], dropna=False)[["n", "k"]].sum()
    wide = summed.unstack("day", fill_value=0)  # noqa: PD010  (its pivot cannot fill two columns)
    days = pd.date_range(wide["n"].columns.min(), wide["n"].columns.max())
    n, k = (wide[name].reindex(columns=days, fill_value=0).to_numpy(float) for name in ("n", "k"))
    return n, k, days


def _cut(
    n: Floats, k: Floats, a: int, b: int, limit: float, large: float, cuts: dict[int, float]
) -> None:  # fmt: skip
    """Find where the share changes between days `a` and `b`, then look beside each cut."""
    if len(cuts) >= _MOST_CUTS or n[:, a:b].sum() < _FEWEST:
        return
    found = _strongest(n[:, a:b], k[:, a:b], large)
    if found is None or found[2] > limit:
        return
    i, j, p_value = found
    inner = [edge for edge in (i, j) if 0 < edge < b - a]
    for edge in inner:
        cuts[a + edge] = p_value
    edges = [a, *(a + edge for edge in inner), b]
    for left, right in itertools.pairwise(edges):
        _cut(n, k, left, right, limit, large, cuts)


def _strongest(n: Floats, k: Floats, large: float) -> tuple[int, int, float] | None:
    """Days `i` to `j` (excluded) whose share differs most from that of the others, and p."""
    rest, spread = _rest(n, k)
    if spread.sum() <= 0:
        return None
    wider = _dispersion(rest, spread)
    each = -(-n.shape[1] // _MOST_BINS)
    places = np.unique(np.append(np.arange(0, n.shape[1], each), n.shape[1]))
    i, j, z = _widest_pair(places, places, rest, spread)
    if each > 1 and z > 0:  # once more, day by day, near the two ends
        near = [np.arange(max(edge - each, 0), min(edge + each, n.shape[1]) + 1) for edge in (i, j)]
        i, j, z = _widest_pair(near[0], near[1], rest, spread)
    inside = np.zeros(n.shape[1], bool)
    inside[i:j] = True
    total = n.sum(axis=0)
    if z <= 0 or min(total[inside].sum(), total[~inside].sum()) < _FEWEST_INSIDE:
        return None
    difference = rest[inside].sum() / total[inside].sum() - rest[~inside].sum() / max(
        total[~inside].sum(), 1.0
    )
    z /= np.sqrt(wider)
    is_one_step = i == 0 or j == n.shape[1]
    if abs(difference) < large or (is_one_step and _slope(rest, spread) / np.sqrt(wider) > z):
        return None
    n_pairs = len(places) * (len(places) - 1) / 2
    rare = _rareness(n, k, inside, wider)
    return i, j, float(min(1.0, max(2 * _normal_tail(z), rare) * n_pairs))


def _rest(n: Floats, k: Floats) -> tuple[Floats, Floats]:
    """Rows that have it beyond those expected, by day, and their variance by chance."""
    rows = n.sum(axis=1, keepdims=True)
    rate = np.divide(k.sum(axis=1, keepdims=True), rows, out=np.zeros_like(rows), where=rows > 0)
    return (k - n * rate).sum(axis=0), (n * rate * (1 - rate)).sum(axis=0)


def _widest_pair(
    first: NDArray[np.int64], last: NDArray[np.int64], rest: Floats, spread: Floats
) -> tuple[int, int, float]:
    """Of all spells that begin and end at these places, the one furthest from the usual."""
    sums, variances = (np.append(0.0, np.cumsum(each)) for each in (rest, spread))
    whole = variances[-1]
    inside = variances[last][None, :] - variances[first][:, None]
    scale = inside * (1 - inside / whole)
    z = np.zeros_like(scale)
    usable = (scale > 1e-9 * whole) & (last[None, :] > first[:, None])
    np.divide(
        np.abs(sums[last][None, :] - sums[first][:, None]), np.sqrt(np.maximum(scale, 0.0)),
        out=z, where=usable,
    )  # fmt: skip
    at = np.unravel_index(int(np.argmax(z)), z.shape)
    return int(first[at[0]]), int(last[at[1]]), float(z[at])


def _dispersion(rest: Floats, spread: Floats) -> float:
    """How much more one week differs from the next than chance; at least 1.

    The middle of all differences: spells, which move a few of them, do not widen it.
    """
    week = np.arange(len(rest)) // _WEEK
    by_week, variance = np.bincount(week, rest), np.bincount(week, spread)
    usable = variance > 0
    if usable.sum() < 6:
        return 1.0
    z = np.diff(by_week[usable]) / np.sqrt(variance[usable][1:] + variance[usable][:-1])
    return float(max((np.median(np.abs(z)) / 0.6745) ** 2, 1.0))


def _slope(rest: Floats, spread: Floats) -> float:
    """Deviate of a straight line, in absolute size."""
    position = np.arange(len(rest), dtype=float)
    centred = position - np.average(position, weights=spread)
    return float(abs((rest * centred).sum()) / np.sqrt((spread * centred**2).sum()))


def _rareness(n: Floats, k: Floats, inside: NDArray[np.bool_], wider: float) -> float:
    """Chance of so many on the smaller side, or of so few, at the rate of the larger one.

    Counts may be too small there for a normal law.
    """
    from scipy.stats import binom

    if n[:, inside].sum() > n[:, ~inside].sum():
        inside = ~inside
    rows, others = n[:, inside].sum(), n[:, ~inside].sum()
    rate = k[:, ~inside].sum() / others
    expected = rows * rate
    # what is beyond the rate of all is that much further beyond the rate of the others
    beyond = _rest(n, k)[0][inside].sum() * (1 + rows / others)
    seen = min(max(expected + beyond, 0.0), rows)
    rows, seen, expected = rows / wider, seen / wider, expected / wider
    above = binom.sf(np.ceil(seen) - 1, np.ceil(rows), rate)
    below = binom.cdf(np.floor(seen), np.ceil(rows), rate)
    return float(2 * (above if seen > expected else below))


def _normal_tail(z: float) -> float:
    from scipy.stats import norm

    return float(norm.sf(z))
