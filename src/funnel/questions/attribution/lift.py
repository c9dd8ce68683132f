"""Lift: the share of wins associated with a channel, adjusted for all other channels.

Credit follows how often a channel is touched. Lift compares journeys that touched it with journeys
of as many touches that did not, and so may be below 0. It is an association: who touches a channel
may have been closer to buying before.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.contract.plan import Plan
from funnel.methods.paths.coded_paths import CodedPaths
from funnel.methods.paths.runs import offsets_of
from funnel.questions.attribution.credit import (
    JourneysOrPaths,
    attribute,
    input_paths,
    whole,
    without_value,
)
from funnel.results import Result
from funnel.results.small_groups import SmallGroups
from funnel.stats import CANNOT_TELL

MORE, FEWER = "more wins with it", "fewer wins with it"
CREDIT_MODEL = "linear"  # that lift is compared with
MOST_LIFTED = 30  # channels in the regression; those with fewer journeys have no lift
FEWEST_EACH = 5  # journeys with and without a channel, to compare at all
_FEWEST_IN_COMMON = 3  # channels, of which it says something that all point one way
_MOST = 0.5  # a larger share of channels is most of them
_OWN_STRATUM = 10  # touches, up to which journeys are compared only with those of as many
_KNOWN_BY_LENGTH = 0.9  # share of the variance of the number of channels, from which both are one
_PRIOR = 0.5  # wins and losses added to each channel

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Lift(Result):
    """Association of wins with each channel, adjusted for the other channels and for length.

    `table` has one row per channel, largest lift first: `channel`, `lift` (share of the traced
    wins that the model does not expect without it; below 0: it expects more), `lift_low`,
    `lift_high`, `lifted_wins` with its interval, `unadjusted` (the lift without regard to the
    number of touches), `verdict` (`more wins with it`, `fewer wins with it`, `cannot tell`; the
    chance that any channel is flagged where none matters is that of one interval), `lift_share`
    (of the sum of all positive lifts) with its interval, `credit_share` (of wins, by the linear
    model) with its interval, `disagrees` (the two shares' intervals do not overlap), `n_journeys`
    and `n_deals` (that touched it). Where no journey without a win is known, nothing can be
    compared and every lift is missing.

    Attributes
    ----------
    is_relative
        Whether each channel is compared with the average channel, because nothing can be said of
        all channels together.
    common_direction
        `more wins with it` or `fewer wins with it` where, without regard to the number of touches,
        all channels point that way and it would be said of most of them; else empty.
    touches_won, touches_not_won
        Mean number of touches of journeys with and without a win.
    """

    grouped = (SmallGroups(by=("channel",), counts={"n_deals": (), "n_journeys": ()}),)

    n_deals: int
    n_journeys: int
    has_no_nulls: bool
    is_relative: bool
    common_direction: str
    touches_won: float
    touches_not_won: float


def lift(paths: JourneysOrPaths) -> Lift:
    """Association of wins with each channel, adjusted for the other channels and for length.

    `paths` are as in `funnel.attribute`; wins are compared with journeys without one (`nulls`).

    Notes
    -----
    A logistic regression of being won on which channels were touched and on the number of touches,
    over journeys grouped by both. Won journeys end at the close, and others at the end of the
    data, so that their numbers of touches differ where no channel matters. Journeys are therefore
    compared at an equal number of touches: up to ten, each number has an intercept of its own.
    Half a win and half a loss are added to each channel (a log-F prior), which keeps its
    coefficient finite where its journeys were all won or all lost. The lift of a channel is the
    share by which the sum of predicted wins falls when that channel is removed from every journey
    and the number of touches stays; its interval is the delta method's.

    Journeys of as many touches may still differ in how many channels they touch, for reasons that
    are no channel's. So a channel is flagged only where it also differs from the average channel:
    the same lift from its coefficient less the mean of all (weighted by journeys), adjusted for
    the number of channels by Holm's method. Where journeys hardly touch a channel twice, the
    number of touches is the number of channels, and no data tell whether all channels help or
    length does. The same holds where all channels still point one way. The lift shown is then the
    one relative to the average channel. A flag needs the lift without regard to length to agree,
    unless that one points one way for all channels.

    References
    ----------
    Shao and Li (2011), Data-driven multi-touch attribution models, KDD, for regression in place of
    rules. Greenland and Mansournia (2015), Statistics in Medicine 34, 3133-3143, for the prior by
    added rows. Holm (1979), Scand. J. Statist. 6, 65-70.

    Examples
    --------
    >>> paths = pd.DataFrame({"path": ["web", "demo", "web > demo"], "conversions": [50, 100, 200],
    ...                       "nulls": [950, 400, 800]})
    >>> lift(paths).table[["channel", "verdict"]].values.tolist()
    [['demo', 'more wins with it'], ['web', 'cannot tell']]
    """
    from scipy.stats import norm

    known = input_paths(paths)
    paths = known.paths
    occurs = paths.conversions + paths.nulls > 0
    paths = paths.taken(paths.is_traced & occurs)
    n_by_path = paths.conversions + paths.nulls
    met, met_won = paths.by_channel(n_by_path), paths.by_channel(paths.conversions)
    n, n_wins = n_by_path.sum(), paths.conversions.sum()
    compared = (met >= FEWEST_EACH) & (n - met >= FEWEST_EACH)
    compared &= (n_wins > 0) & (paths.nulls.sum() > 0)
    compared[np.argsort(-met, kind="stable")[MOST_LIFTED:]] = False
    found = _Lifts.of(paths, np.flatnonzero(compared), known.level)
    table = pd.DataFrame({"channel": pd.Series(paths.channels, dtype="str")})
    for name in ("lift", "error", "unadjusted"):
        table[name] = np.nan
        table.loc[compared, name] = getattr(found, name)
    reach = norm.ppf(0.5 + known.level / 2) * table.pop("error")
    table["lift_low"], table["lift_high"] = (
        table["lift"] - reach,
        np.minimum(table["lift"] + reach, 1.0),
    )
    for end in ("", "_low", "_high"):
        table[f"lifted_wins{end}"] = table[f"lift{end}"] * n_wins
    table["verdict"] = CANNOT_TELL
    table.loc[compared, "verdict"] = found.verdicts
    whole_lift = table["lift"].clip(lower=0).sum()
    for end in ("", "_low", "_high"):
        table[f"lift_share{end}"] = table[f"lift{end}"] / whole_lift if whole_lift > 0 else np.nan
    # credit of wins, as lift is of wins
    credit = attribute(without_value(paths), CREDIT_MODEL, plan=Plan(level=known.level))
    shares = credit.table.set_index("channel").reindex(table["channel"])
    for end in ("", "_low", "_high"):
        table[f"credit_share{end}"] = shares[f"share{end}"].to_numpy()
    table["disagrees"] = (table["lift_share_low"] > table["credit_share_high"]) | (
        table["lift_share_high"] < table["credit_share_low"]
    )
    table["n_journeys"], table["n_deals"] = whole(met), whole(met_won)
    table = table.sort_values(["lift", "channel"], ascending=[False, True], na_position="last")
    return Lift(
        table=table.reset_index(drop=True),
        rows=known.rows,
        units={"lift": "0 to 1", "lifted_wins": "deals", "lift_share": "0 to 1"},
        n_deals=round(n_wins),
        n_journeys=round(n),
        has_no_nulls=not paths.nulls.any(),
        is_relative=found.is_relative,
        common_direction=found.common_direction,
        touches_won=_mean_touches(paths, paths.conversions),
        touches_not_won=_mean_touches(paths, paths.nulls),
        **known.speaks_for(),
    )


def _mean_touches(paths: CodedPaths, journeys: Floats) -> float:
    n = journeys.sum()
    return float(paths.n_touches @ journeys / n) if n else np.nan


@dataclass(frozen=True, eq=False)
class _Lifts:
    """Lift of the compared channels, its standard error, and what is said of it."""

    lift: Floats
    error: Floats
    unadjusted: Floats
    verdicts: NDArray
    is_relative: bool
    common_direction: str

    @classmethod
    def of(cls, paths: CodedPaths, chosen: NDArray[np.int64], level: float) -> _Lifts:
        """Lifts of the chosen channels; none where none is chosen."""
        if not len(chosen):
            nothing = np.empty(0)
            return cls(nothing, nothing, nothing, np.empty(0, dtype=object), False, "")
        journeys = _Journeys.of(paths, chosen)
        k, length = len(chosen), _length(journeys)
        itself, share = np.eye(k), journeys.n @ journeys.touched
        unadjusted, error0 = journeys.lifts(journeys.fitted(np.ones((len(length), 1))), itself)
        fitted = journeys.fitted(length)
        relative, error1 = journeys.lifts(fitted, itself - share / share.sum())
        plain = _flags(unadjusted, error0, level)
        lift, error = journeys.lifts(fitted, itself)
        own, common = _flags(lift, error, level), _common_direction(unadjusted, plain)
        is_relative = journeys.is_known_by(length) or bool(_common_direction(lift, own))
        if is_relative:
            lift, error = relative, error1
        flags = _flags(relative, error1, level, adjust=True)
        flags[flags != (plain if is_relative else own)] = CANNOT_TELL
        if not common:  # the number of touches moves no lift, and takes none away
            flags[flags != plain] = CANNOT_TELL
        return cls(lift, error, unadjusted, flags, is_relative, common)


def _flags(lift: Floats, error: Floats, level: float, *, adjust: bool = False) -> NDArray:
    """What each interval says, or with Holm's adjustment for their number."""
    from scipy.stats import norm
    from statsmodels.stats.multitest import multipletests

    p = 2 * norm.sf(np.abs(lift) / error)
    is_found = multipletests(p, 1 - level, "holm")[0] if adjust else p <= 1 - level
    return np.where(is_found, np.where(lift > 0, MORE, FEWER), CANNOT_TELL)


def _common_direction(lift: Floats, flags: NDArray) -> str:
    """What is said of most channels, where all point that way; empty where they are few."""
    is_one = len(lift) >= _FEWEST_IN_COMMON and len(np.unique(np.sign(lift))) == 1
    is_clear = is_one and (flags != CANNOT_TELL).mean() > _MOST
    return (MORE if lift[0] > 0 else FEWER) if is_clear else ""


@dataclass(frozen=True, eq=False)
class _Journeys:
    """Journeys by the set of compared channels that they touched, and by number of touches."""

    touched: Floats
    n_touches: NDArray[np.int64]
    wins: Floats
    losses: Floats

    @classmethod
    def of(cls, paths: CodedPaths, chosen: NDArray[np.int64]) -> _Journeys:
        """One row per set of the chosen channels and number of touches."""
        pairs = paths.pairs
        is_chosen = np.isin(pairs.channel, chosen)
        sets = replace(
            paths,
            codes=pairs.channel[is_chosen],
            offsets=offsets_of(np.bincount(pairs.path[is_chosen], minlength=paths.n_paths)),
            days_left=None,
            moments=None,
            milestones={},
        )
        group, one_of_each = sets.groups()
        most = int(paths.n_touches.max()) + 1
        cell, place = np.unique(group * most + paths.n_touches, return_inverse=True)
        wins, losses = (
            np.bincount(place, each, len(cell)) for each in (paths.conversions, paths.nulls)
        )
        distinct = sets.taken(one_of_each)
        touched = np.zeros((len(one_of_each), len(paths.channels)))
        touched[distinct.path_of, distinct.codes] = 1.0
        return cls(touched[cell // most][:, chosen], cell % most, wins, losses)

    @property
    def n(self) -> Floats:
        """Journeys of each row."""
        return self.wins + self.losses

    def is_known_by(self, length: Floats) -> bool:
        """Whether the number of touches says how many channels a journey touched."""
        n_channels, weight = self.touched.sum(axis=1), np.sqrt(self.n)
        fitted = np.linalg.lstsq(length * weight[:, None], n_channels * weight, rcond=None)[0]
        left = self.n @ (n_channels - length @ fitted) ** 2
        whole = self.n @ (n_channels - np.average(n_channels, weights=self.n)) ** 2
        return bool(left <= (1 - _KNOWN_BY_LENGTH) * whole)

    def fitted(self, length: Floats) -> tuple[Floats, Floats, Floats]:
        """Design with these columns for the length, coefficients and their covariance."""
        design = np.column_stack([self.touched, length])
        return design, *_logit(design, self.wins, self.losses, self.touched.shape[1])

    def lifts(
        self, fitted: tuple[Floats, Floats, Floats], contrasts: Floats
    ) -> tuple[Floats, Floats]:
        """Lift of each channel and its standard error.

        `contrasts` says what is removed with a channel: weights of all channels' coefficients.
        """
        from scipy.special import expit

        k = self.touched.shape[1]
        design, params, spread = fitted
        chance = expit(design @ params)
        won = self.n @ chance
        slope = (self.n * chance * (1 - chance)) @ design
        estimate, error = np.zeros(k), np.zeros(k)
        for i in range(k):
            without = design.copy()
            without[:, :k] -= np.outer(self.touched[:, i], contrasts[i])
            chance0 = expit(without @ params)
            estimate[i] = 1 - (self.n @ chance0) / won
            slope0 = (self.n * chance0 * (1 - chance0)) @ without
            gradient = ((1 - estimate[i]) * slope - slope0) / won
            error[i] = np.sqrt(gradient @ spread @ gradient)
        return estimate, error


def _logit(design: Floats, wins: Floats, losses: Floats, k: int) -> tuple[Floats, Floats]:
    """Coefficients and their covariance, with a prior on those of the first k columns."""
    from statsmodels.genmod import families
    from statsmodels.genmod.generalized_linear_model import GLM
    from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

    prior = np.eye(k, design.shape[1])
    counts = np.vstack([np.column_stack([wins, losses]), np.full((k, 2), _PRIOR)])
    with warnings.catch_warnings():
        # the prior keeps every coefficient finite, also where the fit is exact
        warnings.simplefilter("ignore", PerfectSeparationWarning)
        model = GLM(counts, np.vstack([design, prior]), family=families.Binomial()).fit()
    return model.params, model.cov_params()


def _length(journeys: _Journeys) -> Floats:
    """Columns of the number of touches: its stratum, and its logarithm.

    Each number up to ten is a stratum, longer journeys are in strata of a doubled number. A
    stratum with too few wins, or too few journeys without one, is one with the next.
    """
    n_touches = journeys.n_touches
    beyond = _OWN_STRATUM + np.log2(np.maximum(n_touches, 1) / _OWN_STRATUM)
    _, own = np.unique(np.where(n_touches > _OWN_STRATUM, np.floor(beyond) + 1, n_touches),
                       return_inverse=True)  # fmt: skip
    wins, losses = (np.bincount(own, each) for each in (journeys.wins, journeys.losses))
    stratum, begun = np.zeros(len(wins), np.int64), 0
    for i in range(1, len(wins)):
        is_full = min(wins[begun:i].sum(), losses[begun:i].sum()) >= FEWEST_EACH
        remains = min(wins[i:].sum(), losses[i:].sum()) >= FEWEST_EACH
        begun = i if is_full and remains else begun
        stratum[i] = stratum[i - 1] + (begun == i)
    strata = np.eye(stratum[-1] + 1)[stratum[own]]
    varies = len(np.unique(n_touches)) > strata.shape[1]
    return np.column_stack([strata, np.log(n_touches)]) if varies else strata
