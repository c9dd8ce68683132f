"""Models of credit by rule: how much of a win each touch on the way to it is given.

Each model takes `CodedPaths` and gives one weight per touch; the weights of a path add up to 1. A
share that no touch can take (a path of two touches has none between) goes to the others in
proportion, and where nobody is left, to all alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from funnel.contract.errors import ParameterError
from funnel.methods.paths.coded_paths import CodedPaths

Weights = NDArray[np.float64]
Model = Callable[[CodedPaths], Weights]

HALF_LIFE_DAYS = 7.0
_CELLS_AT_ONCE = 500_000  # of paths by channels, so that counts stay near the processor
LEAD, OPPORTUNITY = "lead", "opportunity"
_DIRECT = frozenset(("direct", "(direct)", "direct traffic", "typed / bookmarked", "(none)"))


def first_touch(ways: CodedPaths) -> Weights:
    """Give all credit to the first touch.

    Parameters
    ----------
    ways
        Paths in numbers.

    Returns
    -------
    ndarray
        One weight per touch; the weights of a path add up to 1.

    Examples
    --------
    >>> first_touch(CodedPaths.of([["web", "demo"]], conversions=[1])).tolist()
    [1.0, 0.0]
    """
    weights = np.zeros(len(ways.codes))
    weights[ways.firsts] = 1.0
    return weights


def last_touch(ways: CodedPaths) -> Weights:
    """Give all credit to the last touch.

    Parameters and returned weights are those of `first_touch`.

    Examples
    --------
    >>> last_touch(CodedPaths.of([["web", "demo"]], conversions=[1])).tolist()
    [0.0, 1.0]
    """
    weights = np.zeros(len(ways.codes))
    weights[ways.lasts] = 1.0
    return weights


def last_non_direct(ways: CodedPaths) -> Weights:
    """Give all credit to the last touch that is not direct; to the last where all are.

    Direct is a channel called `direct`, `(direct)`, `direct traffic`, `typed / bookmarked` or
    `(none)`, whatever its capitals. Parameters and returned weights are those of `first_touch`.

    Examples
    --------
    >>> last_non_direct(CodedPaths.of([["web", "direct"], ["direct"]], conversions=[1, 1])).tolist()
    [1.0, 0.0, 1.0]
    """
    direct = np.array([name.casefold() in _DIRECT for name in ways.channels] + [False])
    counts = ~direct[ways.codes] if len(ways.codes) else np.zeros(0, dtype=bool)
    place = np.where(counts, np.arange(len(ways.codes)), -1)
    at = ways.lasts.copy()
    if len(at):
        latest = np.maximum.reduceat(place, ways.firsts)
        at = np.where(latest >= 0, latest, at)
    weights = np.zeros(len(ways.codes))
    weights[at] = 1.0
    return weights


def linear(ways: CodedPaths) -> Weights:
    """Give every touch the same credit.

    Parameters and returned weights are those of `first_touch`.

    Examples
    --------
    >>> linear(CodedPaths.of([["web", "web", "demo"]], conversions=[1])).round(2).tolist()
    [0.33, 0.33, 0.33]
    """
    return _per_path(1.0 / np.maximum(ways.n_touches, 1), ways)


def linear_distinct(ways: CodedPaths) -> Weights:
    """Give every channel of a path the same credit, however often it was touched.

    It is the Shapley value of the game in which a set of channels is worth the wins on paths that
    need no other channel. Parameters and returned weights are those of `first_touch`.

    References
    ----------
    Zhao, Mahboobi and Bagheri (2018), Shapley value methods for attribution modeling in online
    advertising, arXiv:1804.05327, for the equality.

    Examples
    --------
    >>> linear_distinct(CodedPaths.of([["web", "web", "demo"]], conversions=[1])).tolist()
    [0.25, 0.25, 0.5]
    """
    times, pairs = np.ones(len(ways.codes)), ways.pairs
    times[pairs.order] = np.repeat(pairs.n_touches, pairs.n_touches)
    return _shared(1.0 / times, ways)


def position_based(ways: CodedPaths, *, first: float = 0.4, last: float = 0.4) -> Weights:
    """Weigh the first and the last touch most, and share the rest among those between.

    Also called U-shaped, or 40-20-40; with 0.2 and 0.6, J-shaped.

    Parameters
    ----------
    ways
        Paths in numbers.
    first, last
        Shares from 0 to 1; together more than 0 and at most 1.

    Returns
    -------
    ndarray
        One weight per touch; the weights of a path add up to 1.

    Raises
    ------
    ParameterError
        If the shares would hand out nothing, or more than there is.

    Examples
    --------
    >>> ways = CodedPaths.of([["web", "email", "event", "demo"]], conversions=[1])
    >>> position_based(ways).round(2).tolist()
    [0.4, 0.1, 0.1, 0.4]
    """
    if not (first >= 0 and last >= 0 and 0 < first + last <= 1 + 1e-12):
        raise ParameterError(
            f"first={first:g} and last={last:g} must not be negative, and must add up to "
            "more than 0 and at most 1. The usual choice is 0.4 and 0.4."
        )
    between = max(1 - first - last, 0.0)
    weights = _per_path(between / np.maximum(ways.n_touches - 2, 1), ways)
    weights[ways.firsts] = first
    weights[ways.lasts] = last
    alone = ways.firsts[ways.firsts == ways.lasts]
    weights[alone] = 1.0
    return _shared(weights, ways)


def time_decay(
    ways: CodedPaths, *, half_life_days: float = HALF_LIFE_DAYS, half_life_touches: float = 0.0
) -> Weights:
    """Halve a touch's credit for every so many days that it lies before the last one.

    Parameters
    ----------
    ways
        Paths in numbers, with the days from each touch to the last. Where these are not known
        (paths hold the order of touches and not their times), credit is halved for every touch.
    half_life_days
        Above 0. Seven days is the usual choice of open and commercial packages.
    half_life_touches
        Where above 0, credit is halved for every so many touches, also where times are known.

    Returns
    -------
    ndarray
        One weight per touch; the weights of a path add up to 1.

    Raises
    ------
    ParameterError
        If a half-life is not above 0.

    Examples
    --------
    >>> ways = CodedPaths.of([["web", "demo"]], conversions=[1])
    >>> time_decay(ways).round(2).tolist()
    [0.33, 0.67]
    """
    if not (half_life_days > 0 and half_life_touches >= 0):
        raise ParameterError(f"half_life_days={half_life_days:g} must be above 0.")
    if half_life_touches > 0 or ways.days_left is None:
        left = (ways.spread(ways.n_touches) - 1 - ways.place) / (half_life_touches or 1.0)
    else:
        left = ways.days_left / half_life_days
    return _shared(np.exp2(-left), ways)


def milestones(ways: CodedPaths, shares: Mapping[str, float]) -> Weights:
    """Give shares to the touches that stand for milestones, and the rest to the others.

    Parameters
    ----------
    ways
        Paths in numbers, with their milestones' touches.
    shares
        By milestone: `first`, `lead`, `opportunity`, `last` and what the paths know besides. A
        touch that stands for several takes each one's share. What is left up to 1 is shared by
        the touches that stand for none.

    Returns
    -------
    ndarray
        One weight per touch; the weights of a path add up to 1.

    Raises
    ------
    ParameterError
        If the paths do not know a milestone, or the shares hand out more than there is.

    Examples
    --------
    >>> ways = CodedPaths.of([["web", "email", "event", "demo"]], conversions=[1])
    >>> milestones(ways, {"first": 0.3, "last": 0.6}).round(2).tolist()
    [0.3, 0.05, 0.05, 0.6]
    """
    if min(shares.values()) < 0 or not 0 < sum(shares.values()) <= 1 + 1e-12:
        raise ParameterError("The shares of milestones must be 0 or more, and add up to at most 1.")
    unknown = [name for name in shares if name not in ("first", "last", *ways.milestones)]
    if unknown:
        raise ParameterError(
            f"It is not known which touch stands for {' or '.join(unknown)}: paths hold no times. "
            "Give what `funnel.journeys` makes, which dates each milestone."
        )
    weights = np.zeros(len(ways.codes))
    is_taken = np.zeros(len(ways.codes), dtype=bool)
    for name, share in shares.items():
        at = {"first": ways.firsts, "last": ways.lasts}.get(name)
        if at is None:
            at = ways.milestones[name]
            at = at[at >= 0]
        np.add.at(weights, at, share)
        is_taken[at] = True
    others = np.bincount(ways.path_of[~is_taken], minlength=ways.n_paths)
    rest = max(1.0 - sum(shares.values()), 0.0)
    between = _per_path(rest / np.maximum(others, 1), ways)
    return _shared(np.where(is_taken, weights, between), ways)


_U = {"first": 0.4, LEAD: 0.4}
_U_HALVES = {"first": 0.5, LEAD: 0.5}
_W = {"first": 0.3, LEAD: 0.3, OPPORTUNITY: 0.3}
_FULL = {"first": 0.225, LEAD: 0.225, OPPORTUNITY: 0.225, "last": 0.225}

RULES: dict[str, Model] = {
    "first_touch": first_touch,
    "last_touch": last_touch,
    "last_non_direct": last_non_direct,
    "linear": linear,
    "linear_distinct": linear_distinct,
    "position_based": position_based,
    "time_decay": time_decay,
    "w_shaped": partial(milestones, shares=_W),
    "full_path": partial(milestones, shares=_FULL),
}
# Whose each one is, and where they say so, stands in docs/attribution.md.
PRESETS: dict[str, Model] = {
    "adobe_u_shaped": position_based,
    "adobe_j_shaped": partial(position_based, first=0.2, last=0.6),
    "adobe_inverse_j": partial(position_based, first=0.6, last=0.2),
    "adobe_time_decay": time_decay,
    "marketo_measure_u_shaped": partial(milestones, shares=_U_HALVES),
    "marketo_measure_w_shaped": partial(milestones, shares=_W),
    "marketo_measure_full_path": partial(milestones, shares=_FULL),
    "hubspot_u_shaped": partial(milestones, shares=_U),
    "hubspot_w_shaped": partial(milestones, shares=_W),
    "hubspot_full_path": partial(milestones, shares=_FULL),
    "hubspot_j_shaped": partial(position_based, first=0.2, last=0.6),
    "hubspot_inverse_j": partial(position_based, first=0.6, last=0.2),
    "hubspot_time_decay": time_decay,
}


def weights_of(ways: CodedPaths, model: Model) -> Weights:
    """Weigh touches by a model, so that touches that cannot be put in order share their places.

    Parameters
    ----------
    ways
        Paths in numbers.
    model
        A function of `ways` that gives one weight per touch.

    Raises
    ------
    ParameterError
        If the model gives another number of weights, or a path's do not add up to 1.

    Examples
    --------
    >>> ways = CodedPaths.of([["web", "demo"]], conversions=[1])
    >>> weights_of(ways, last_touch).tolist()
    [0.0, 1.0]
    """
    weights = np.asarray(model(ways), dtype="float64")
    sums = np.zeros(0)
    if weights.shape == ways.codes.shape and len(weights):
        sums = np.add.reduceat(weights, ways.firsts)
    if weights.shape != ways.codes.shape or not np.allclose(sums, 1.0, atol=1e-9):
        raise ParameterError(
            "A model must give each touch one weight, and the weights of each path must add up "
            "to 1: otherwise business would be made or lost."
        )
    if ways.alike is None:
        return weights
    sizes = np.diff(np.append(ways.alike, len(weights)))
    return np.repeat(np.add.reduceat(weights, ways.alike) / sizes, sizes)


def _per_path(of_paths: NDArray[np.float64], ways: CodedPaths) -> Weights:
    return of_paths[ways.path_of]


def _shared(weights: Weights, ways: CodedPaths) -> Weights:
    """Scale the weights of each path to add up to 1."""
    if not len(weights):
        return weights
    total = np.bincount(ways.path_of, weights, ways.n_paths)
    even = 1.0 / np.maximum(ways.n_touches, 1)
    has_taker = total > 0
    scale = np.where(has_taker, 1.0 / np.where(has_taker, total, 1.0), 0.0)
    return weights * scale[ways.path_of] + (even * ~has_taker)[ways.path_of]
