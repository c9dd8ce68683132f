"""Models of credit by rule: the share of a win that each touch before it is given.

Each rule takes `CodedPaths` and gives one weight per touch; the weights of a path add up to 1. A
share that no touch can take (a path of two touches has none between) goes to the others in
proportion; where no other is left, all touches get the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.checks import is_direct, is_unknown
from funnel.contract.errors import ParameterError
from funnel.methods.paths.coded_paths import CodedPaths

Weights = NDArray[np.float64]
Model = Callable[[CodedPaths], Weights]

HALF_LIFE_DAYS = 7.0
LEAD, OPPORTUNITY = "lead", "opportunity"


def first_touch(paths: CodedPaths) -> Weights:
    """Weights with all credit on the first touch.

    Examples
    --------
    >>> first_touch(CodedPaths.of([["web", "demo"]], conversions=[1])).tolist()
    [1.0, 0.0]
    """
    return _all_on(paths.firsts, paths)


def last_touch(paths: CodedPaths) -> Weights:
    """Weights with all credit on the last touch.

    Examples
    --------
    >>> last_touch(CodedPaths.of([["web", "demo"]], conversions=[1])).tolist()
    [0.0, 1.0]
    """
    return _all_on(paths.lasts, paths)


def last_non_direct(paths: CodedPaths) -> Weights:
    """Weights with all credit on the last touch whose channel is known and not direct.

    Which channels these are, `is_unknown` and `is_direct` of the checks say. Where there is none,
    the last touch has the credit.

    Examples
    --------
    >>> last_non_direct(CodedPaths.of([["web", "direct"], ["direct"]], conversions=[1, 1])).tolist()
    [1.0, 0.0, 1.0]
    """
    channels = pd.Series(paths.channels, dtype="str")
    is_named = ~(is_direct(channels) | is_unknown(channels)).to_numpy(bool)
    place = np.where(is_named[paths.codes], np.arange(len(paths.codes)), -1)
    if not len(place):
        return last_touch(paths)
    latest = np.maximum.reduceat(place, paths.firsts)
    return _all_on(np.where(latest >= 0, latest, paths.lasts), paths)


def linear(paths: CodedPaths) -> Weights:
    """Weights that are the same for every touch.

    Examples
    --------
    >>> linear(CodedPaths.of([["web", "web", "demo"]], conversions=[1])).round(2).tolist()
    [0.33, 0.33, 0.33]
    """
    return (1.0 / np.maximum(paths.n_touches, 1))[paths.path_of]


def linear_distinct(paths: CodedPaths) -> Weights:
    """Weights that give every channel of a path the same credit, however often it was touched.

    It is the Shapley value of the game in which a set of channels is worth the wins on paths that
    need no other channel.

    References
    ----------
    Zhao, Mahboobi and Bagheri (2018), Shapley value methods for attribution modeling in online
    advertising, arXiv:1804.05327, for the equality.

    Examples
    --------
    >>> linear_distinct(CodedPaths.of([["web", "web", "demo"]], conversions=[1])).tolist()
    [0.25, 0.25, 0.5]
    """
    times, pairs = np.ones(len(paths.codes)), paths.pairs
    times[pairs.order] = np.repeat(pairs.n_touches, pairs.n_touches)
    return _shared(1.0 / times, paths)


def position_based(paths: CodedPaths, *, first: float = 0.4, last: float = 0.4) -> Weights:
    """Weights of 40 % on the first and on the last touch, the rest on those between.

    Also called U-shaped, or 40-20-40; with 0.2 and 0.6, J-shaped.

    Parameters
    ----------
    first, last
        Shares from 0 to 1; together more than 0 and at most 1.

    Raises
    ------
    ParameterError
        If the shares add up to nothing, or to more than 1.

    Examples
    --------
    >>> paths = CodedPaths.of([["web", "email", "event", "demo"]], conversions=[1])
    >>> position_based(paths).round(2).tolist()
    [0.4, 0.1, 0.1, 0.4]
    """
    if not (first >= 0 and last >= 0 and 0 < first + last <= 1 + 1e-12):
        raise ParameterError(
            f"first={first:g} and last={last:g} must not be negative, and must add up to "
            "more than 0 and at most 1. The usual choice is 0.4 and 0.4."
        )
    between = max(1 - first - last, 0.0)
    weights = (between / np.maximum(paths.n_touches - 2, 1))[paths.path_of]
    weights[paths.firsts] = first
    weights[paths.lasts] = last
    alone = paths.firsts[paths.firsts == paths.lasts]
    weights[alone] = 1.0
    return _shared(weights, paths)


def time_decay(paths: CodedPaths, *, half_life_days: float = HALF_LIFE_DAYS) -> Weights:
    """Weights that halve for every half-life a touch lies before the last one.

    Where times are not known (paths hold the order of touches alone), they halve with every touch.

    Parameters
    ----------
    half_life_days
        Above 0. Seven days is the default of open and commercial packages.

    Raises
    ------
    ParameterError
        If the half-life is not above 0.

    Examples
    --------
    >>> paths = CodedPaths.of([["web", "demo"]], conversions=[1])
    >>> time_decay(paths).round(2).tolist()
    [0.33, 0.67]
    """
    if not half_life_days > 0:
        raise ParameterError(f"half_life_days={half_life_days:g} must be above 0.")
    if paths.days_left is None:
        left = paths.spread(paths.n_touches) - 1 - paths.place
    else:
        left = paths.days_left / half_life_days
    return _shared(np.exp2(-left), paths)


def milestones(paths: CodedPaths, shares: Mapping[str, float]) -> Weights:
    """Weights with given shares on the touches of milestones, the rest on the others.

    Parameters
    ----------
    shares
        By milestone: `first`, `lead`, `opportunity`, `last` and others that the paths know. A
        touch of several milestones takes the share of each. The rest is divided equally among
        the touches of no milestone.

    Raises
    ------
    ParameterError
        If the paths do not know a milestone, or the shares add up to more than 1.

    Examples
    --------
    >>> paths = CodedPaths.of([["web", "email", "event", "demo"]], conversions=[1])
    >>> milestones(paths, {"first": 0.3, "last": 0.6}).round(2).tolist()
    [0.3, 0.05, 0.05, 0.6]
    """
    if min(shares.values()) < 0 or not 0 < sum(shares.values()) <= 1 + 1e-12:
        raise ParameterError("The shares of milestones must be 0 or more, and add up to at most 1.")
    unknown = [name for name in shares if name not in ("first", "last", *paths.milestones)]
    if unknown:
        raise ParameterError(
            f"Paths hold no times, so the touch of {' or '.join(unknown)} is not known. "
            "Use `funnel.journeys(data)`, which dates each milestone."
        )
    weights = np.zeros(len(paths.codes))
    is_taken = np.zeros(len(paths.codes), dtype=bool)
    for name, share in shares.items():
        at = {"first": paths.firsts, "last": paths.lasts}.get(name)
        if at is None:
            at = paths.milestones[name]
            at = at[at >= 0]
        np.add.at(weights, at, share)
        is_taken[at] = True
    others = np.bincount(paths.path_of[~is_taken], minlength=paths.n_paths)
    rest = max(1.0 - sum(shares.values()), 0.0)
    between = (rest / np.maximum(others, 1))[paths.path_of]
    return _shared(np.where(is_taken, weights, between), paths)


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
# docs/attribution.md gives the vendor and the source of each.
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


def weights_of(paths: CodedPaths, model: Model) -> Weights:
    """Weights by a rule, averaged over touches whose order is not known.

    Raises
    ------
    ParameterError
        If the model gives another number of weights, or a path's do not add up to 1.

    Examples
    --------
    >>> paths = CodedPaths.of([["web", "demo"]], conversions=[1])
    >>> weights_of(paths, last_touch).tolist()
    [0.0, 1.0]
    """
    weights = np.asarray(model(paths), dtype="float64")
    sums = np.zeros(0)
    if weights.shape == paths.codes.shape and len(weights):
        sums = np.add.reduceat(weights, paths.firsts)
    if weights.shape != paths.codes.shape or not np.allclose(sums, 1.0, atol=1e-9):
        raise ParameterError(
            "A model must give each touch one weight, and the weights of each path must add up "
            "to 1: otherwise business would be made or lost."
        )
    if paths.alike is None:
        return weights
    sizes = np.diff(np.append(paths.alike, len(weights)))
    return np.repeat(np.add.reduceat(weights, paths.alike) / sizes, sizes)


def _all_on(touches: NDArray[np.int64], paths: CodedPaths) -> Weights:
    """Weights with all credit on some touches, one of each path."""
    weights = np.zeros(len(paths.codes))
    weights[touches] = 1.0
    return weights


def _shared(weights: Weights, paths: CodedPaths) -> Weights:
    """Weights scaled to add up to 1 on each path."""
    if not len(weights):
        return weights
    total = np.bincount(paths.path_of, weights, paths.n_paths)
    even = 1.0 / np.maximum(paths.n_touches, 1)
    has_taker = total > 0
    scale = np.where(has_taker, 1.0 / np.where(has_taker, total, 1.0), 0.0)
    return weights * scale[paths.path_of] + (even * ~has_taker)[paths.path_of]
