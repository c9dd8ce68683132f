"""Credit of won business by channel: by one model, and by several side by side."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.checks import is_unknown
from funnel.contract.errors import ParameterError
from funnel.contract.plan import Company, Plan
from funnel.methods.paths import NOT_TRACED, Journeys, Paths
from funnel.methods.paths.coded_paths import CodedPaths
from funnel.methods.paths.frames import coded_journeys, coded_paths
from funnel.questions.attribution.joint_models import Joint, RateShapley
from funnel.questions.attribution.models import Shares, model_of, shares_of
from funnel.questions.attribution.rules import Model, time_decay
from funnel.questions.attribution.sampling_distribution import (
    FEWEST_TO_RESAMPLE,
    SamplingDistribution,
    intervals,
)
from funnel.questions.attribution.shapley import MOST_CHANNELS
from funnel.results import Result, no_rows
from funnel.results.small_groups import SmallGroups

JourneysOrPaths = Journeys | Paths | CodedPaths | pd.DataFrame


@dataclass(frozen=True)
class Limits:
    """What limits how a credit can be read.

    Attributes
    ----------
    is_one_channel_each
        No journey has touches of two channels, so all models agree.
    is_by_touch
        Time decay halved credit by the touch, since paths hold no times.
    has_no_nulls
        No journey without a win is known to a model that needs them.
    is_value_by_wins
        Some value is negative, so value was divided in proportion to wins.
    never_alone
        Channels that no journey met alone, of `shapley_rate`.
    n_pooled
        Channels that `shapley_rate` counted as one together.
    """

    is_one_channel_each: bool
    is_by_touch: bool
    has_no_nulls: bool
    is_value_by_wins: bool
    never_alone: tuple[str, ...]
    n_pooled: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Credit(Result):
    """Won business credited to channels by one model.

    `table` has one row per channel, largest first: `channel`, `conversions` (won deals,
    fractional), `value` (currency of the plan), `share` of that value (of conversions where
    there is no value; 0 to 1), `share_low`, `share_high`, `n_deals` (won deals that it touched)
    and `is_ranked`. Blank and unknown channels and `(not traced)` are no channels: they come
    last and are not ranked.

    Attributes
    ----------
    is_ahead
        Whether the interval of the difference between the first two channels excludes zero.
    of_value
        Whether `share` is of value, else of won deals.
    paths, solver
        The coded paths and the model behind it.
    source
        The journeys or paths it was computed from; None for a frame.
    """

    grouped = (
        SmallGroups(
            by=("channel",),
            counts={"conversions": ("value", "share"), "n_deals": ()},
            add_up=("conversions",),
        ),
    )

    model: str
    n_deals: int
    of_value: bool
    is_ahead: bool
    limits: Limits
    paths: CodedPaths = field(repr=False)
    solver: Model | Joint = field(repr=False)
    source: Result | None = field(repr=False)

    @property
    def ranked(self) -> pd.DataFrame:
        """Rows of `table` that are known channels."""
        return self.table[self.table["is_ranked"]]


@dataclass(frozen=True, eq=False, kw_only=True)
class ModelComparison(Result):
    """Credit of the same won business under several models.

    `table` has one row per channel and model, in the order of the first model: `channel`,
    `model`, then the columns of `Credit`, and `spread`, the channel's largest share less its
    smallest.
    """

    grouped = (
        SmallGroups(
            by=("channel",),
            counts={"conversions": ("value", "share", "spread"), "n_deals": ()},
            within=("model",),
            add_up=("conversions",),
        ),
    )

    credits: tuple[Credit, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class InputPaths:
    """Coded paths that credit is computed from, with what their result knows of itself."""

    paths: CodedPaths
    as_of: dt.date | None
    level: float
    company: Company
    smallest_group: int
    seed: int
    rows: pd.DataFrame
    source: Result | None

    def speaks_for(self) -> dict[str, Any]:
        """Day, level of intervals, company and smallest group that a result of them states."""
        return {
            "as_of": self.as_of,
            "level": self.level,
            "company": self.company,
            "smallest_group": self.smallest_group,
        }


def attribute(
    journeys: JourneysOrPaths,
    model: str | Model = "first_touch",
    *,
    order: int = 1,
    as_of: dt.date | None = None,
    plan: Plan | None = None,
    draws: int = 0,
) -> Credit:
    """Credit of won business by channel.

    Touches whose order is not known, because they happened at the same moment and have no key,
    share the credit of their places.

    Parameters
    ----------
    journeys
        `funnel.journeys(data)` or `funnel.paths(data)`, or a frame with their columns: `deal_id`,
        `position`, `channel`, `amount`; or `path`, `conversions`, `value`, `nulls`.
    model
        `first_touch`, `last_touch`, `last_non_direct`, `linear`, `linear_distinct`,
        `position_based`, `time_decay`, `w_shaped`, `full_path`, `markov`, `shapley`,
        `shapley_rate`, a vendor's preset (`hubspot_u_shaped`, ...); or a function of `CodedPaths`
        that returns the weight of each touch.
    order
        Of `markov`: number of touches in a state, 1 to 4.
    as_of
        The day that a frame speaks for; the results of `funnel` know theirs.
    plan
        A frame's level, seed and currency; the results of `funnel` know theirs.
    draws
        Bootstrap samples to draw and solve one by one. With 0, intervals come from the sampling
        distribution that the samples converge to; some thousand samples give the same.

    Returns
    -------
    Credit
        One row per channel; together they are all won business.

    Raises
    ------
    ParameterError
        If there is no such model, a column is missing, or a count is no number or negative.

    Notes
    -----
    Intervals are those of the sample: of won deals for rules, of all journeys for `markov` and
    `shapley_rate`. The variance of bootstrap samples is the sum of the squared influences of the
    journeys (the infinitesimal jackknife). A share's interval is Wilson's for the number of deals
    with the same variance, with Student's quantile where the variance depends on few deals. With
    fewer than ten deals, or where a channel has all or nothing, that number is Kish's effective
    sample size. Shares that may be negative have Student's interval.

    References
    ----------
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 22. Franco, Little,
    Louis and Slud (2019), Journal of Survey Statistics and Methodology 7. Kish (1965), Survey
    Sampling, section 11.7. The models' sources stand with each of them.

    Examples
    --------
    >>> won = pd.DataFrame({"path": ["web > demo", "demo"], "conversions": [3, 1],
    ...                     "value": [300.0, 100.0], "nulls": [0, 6]})
    >>> credit = attribute(won, "linear", as_of=dt.date(2026, 6, 30))
    >>> credit.table[["channel", "conversions", "value", "share"]].values.tolist()
    [['demo', 2.5, 250.0, 0.625], ['web', 1.5, 150.0, 0.375]]
    >>> attribute(won, "markov").table["share"].round(3).tolist()
    [0.769, 0.231]
    """
    name, solver = model_of(model, order)
    known = input_paths(journeys, as_of, plan)
    paths = known.paths
    of_value = bool(paths.value.sum() > 0)
    shares = shares_of(paths, solver, of_value=of_value, draws=draws, seed=known.seed)
    table = pd.DataFrame(
        {
            "channel": pd.Series([*paths.channels, NOT_TRACED], dtype="str"),
            "conversions": shares.conversions,
            "value": shares.value,
            "n_deals": whole(shares.touched),
        }
    )
    measured = "value" if of_value else "conversions"
    total = table[measured].sum()
    table["share"] = table[measured] / total if total else np.nan
    table["is_ranked"] = ~(is_unknown(table["channel"]) | (table["channel"] == NOT_TRACED))
    n_deals = paths.conversions.sum()
    low, high = intervals(
        table["share"].to_numpy(), shares.distribution, _effective(paths, of_value), n_deals,
        known.level, within=_within(paths, solver),
    )  # fmt: skip
    table["share_low"], table["share_high"] = low, high
    if not (paths.conversions[~paths.is_traced].any() or paths.value[~paths.is_traced].any()):
        table = table.iloc[:-1]
    if not n_deals:
        table = table.iloc[:0]
    order_of = table.sort_values(
        ["is_ranked", "share", "conversions", "channel"], ascending=[False, False, False, True]
    ).index
    table = table.loc[order_of]
    is_ahead = _is_ahead(table, shares.distribution, n_deals, known.level)
    table = table.reset_index(drop=True)
    columns = ["channel", "conversions", "value", "share", "share_low", "share_high", "n_deals"]
    return Credit(
        table=table[[*columns, "is_ranked"]],
        rows=_rows(shares) if paths.names is not None else known.rows,
        units={"value": known.company.currency, "share": "0 to 1", "conversions": "deals"},
        model=name,
        n_deals=round(n_deals),
        of_value=of_value,
        is_ahead=is_ahead,
        limits=_limits(paths, solver),
        paths=paths,
        solver=solver,
        source=known.source,
        **known.speaks_for(),
    )


def side_by_side(credits_: Sequence[Credit]) -> ModelComparison:
    """Comparison of the credit of several models; a channel that one of them lacks has 0 there.

    Examples
    --------
    >>> won = pd.DataFrame({"path": ["web > demo"], "conversions": [20], "value": [900.0]})
    >>> compared = side_by_side([attribute(won, "first_touch"), attribute(won, "linear")])
    >>> compared.table["spread"].tolist()
    [0.5, 0.5, 0.5, 0.5]
    """
    table = pd.concat(
        [credit.table.assign(model=credit.model) for credit in credits_], ignore_index=True
    )
    by_channel = table.groupby("channel")["share"]
    # a channel that one of the models does not have gets nothing there
    met = by_channel.transform("size")
    lowest = by_channel.transform("min").where(met == len(credits_), 0.0)
    table["spread"] = by_channel.transform("max") - lowest
    # within a channel, models stay in their order
    order_of = {channel: i for i, channel in enumerate(table["channel"].drop_duplicates())}
    table = table.sort_values("channel", key=lambda names: names.map(order_of), kind="stable")
    first = credits_[0]
    columns = ["channel", "model", *[c for c in table if c not in ("channel", "model")]]
    return ModelComparison(
        table=table[columns].reset_index(drop=True),
        as_of=first.as_of,
        rows=first.rows,
        units={**first.units, "spread": "0 to 1"},
        level=first.level,
        company=first.company,
        smallest_group=first.smallest_group,
        credits=tuple(credits_),
    )


def input_paths(
    journeys: JourneysOrPaths, as_of: dt.date | None = None, plan: Plan | None = None
) -> InputPaths:
    """Coded paths of a result or frame; a frame speaks for `as_of`, under `plan`.

    Raises
    ------
    ParameterError
        If it is no table of journeys or paths.
    """
    source = journeys if isinstance(journeys, Result) else None
    plan = source.plan if source is not None else plan or Plan()
    table = journeys if source is None else source.coded
    if isinstance(table, CodedPaths):
        paths = table
    elif not isinstance(table, pd.DataFrame):
        raise ParameterError(
            f"attribute: {type(journeys).__name__} is no table; use `funnel.journeys(data)` or "
            "`funnel.paths(data)`, or a frame with one row per touch or per path."
        )
    elif "path" not in table and "deal_id" in table:
        paths = coded_journeys(table)
    else:
        paths = coded_paths(table)
    return InputPaths(
        paths=paths,
        as_of=as_of if source is None else source.as_of,
        level=plan.level if source is None else source.level,
        company=plan.company,
        smallest_group=plan.smallest_group,
        seed=plan.seed,
        rows=no_rows() if source is None else source.rows,
        source=source,
    )


def lacks_nulls(paths: CodedPaths) -> bool:
    """Whether there are touches, and no traced journey without a win."""
    return bool(len(paths.codes)) and not paths.nulls[paths.is_traced].any()


def whole(counts: NDArray[np.float64]) -> NDArray:
    """Counts as whole numbers, where that is what they are."""
    return counts.astype(np.int64) if (counts == np.rint(counts)).all() else counts


def without_value(paths: CodedPaths) -> CodedPaths:
    """The same paths without their value, so that credit is of wins."""
    return replace(paths, value=np.zeros(paths.n_paths))


def _effective(paths: CodedPaths, of_value: bool) -> float:
    """Kish's effective sample size: the number of wins of equal size with the same uncertainty."""
    if not of_value:
        return float(paths.conversions.sum())
    squares = paths.value**2 / np.maximum(paths.conversions, 1.0)
    return float(paths.value.sum() ** 2 / squares.sum())


def _within(paths: CodedPaths, model: Model | Joint) -> bool:
    """Whether no share can be negative."""
    return not isinstance(model, RateShapley) and paths.value.min(initial=0.0) >= 0


def _is_ahead(
    table: pd.DataFrame, distribution: SamplingDistribution | None, n_wins: float, level: float
) -> bool:
    """Whether the first two shares differ; the index of `table` is their place among all shares."""
    if distribution is None or table["is_ranked"].sum() < 2 or n_wins < FEWEST_TO_RESAMPLE:
        return False
    first, second = table.index[:2]
    by = table["share"].iloc[0] - table["share"].iloc[1]
    return distribution.differ(first, second, by, level)


def _rows(shares: Shares) -> pd.DataFrame:
    """The deals behind each channel's credit."""
    channel, path = shares.credited
    channels = pd.Series([*shares.won.channels, NOT_TRACED], dtype="str")
    deals = pd.Series(shares.won.names, dtype="str")
    return pd.DataFrame(
        {
            "figure": channels.take(channel).array,
            "table": pd.Series(["deals"], dtype="str").take(np.zeros_like(path)).array,
            "id": deals.take(path).array,
        }
    )


def _limits(paths: CodedPaths, model: Model | Joint) -> Limits:
    has_touches, is_joint = bool(len(paths.codes)), isinstance(model, Joint)
    is_rate = isinstance(model, RateShapley)
    n_pooled = len(paths.channels) - MOST_CHANNELS + 1
    return Limits(
        is_one_channel_each=has_touches and paths.begins_run.sum() == len(paths.firsts),
        is_by_touch=has_touches and model is time_decay and paths.days_left is None,
        has_no_nulls=is_joint and lacks_nulls(paths),
        is_value_by_wins=is_joint and bool(paths.value.min(initial=0.0) < 0),
        never_alone=_never_alone(paths) if is_rate else (),
        n_pooled=n_pooled if is_rate and n_pooled > 1 else 0,
    )


def _never_alone(paths: CodedPaths) -> tuple[str, ...]:
    """Channels that no journey met alone, so that their wins by themselves are not known."""
    occurs = (paths.conversions + paths.nulls > 0) & paths.is_traced
    of_one = paths.codes[paths.offsets[:-1][occurs & (paths.n_touches == 1)]]
    if len(np.unique(of_one)) == len(paths.channels):
        return ()
    first = np.full(paths.n_paths, -1)
    first[paths.is_traced] = paths.codes[paths.firsts]
    is_alone = np.ones(paths.n_paths, dtype=bool)
    if len(paths.codes):
        same = paths.codes == paths.spread(first)
        is_alone[paths.is_traced] = np.logical_and.reduceat(same, paths.firsts)
    k = len(paths.channels)
    is_met = np.bincount(paths.codes, minlength=k) > 0
    is_met &= np.bincount(first[occurs & is_alone], minlength=k) == 0
    return tuple(paths.channels[code] for code in np.flatnonzero(is_met))
