"""Weights of days: weekday, public holiday, special day, position in the quarter."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.contract.periods import CALENDAR_YEARS, Fiscal, periods_between
from funnel.contract.plan import CheckItem
from funnel.contract.workdays import is_holiday, is_workday
from funnel.stats.dispersion import pearson

RIDGE = 0.01
FEWEST_WEEKS = 26
_STEPS = 30
LONGEST_SPECIAL = 14  # days; an item of the checklist that lasts longer is no special day
_LEAST_SHARE = 0.01  # of the likelihood, below which a day model is dropped
_NONE: Mapping[str, pd.DatetimeIndex] = MappingProxyType({})


@dataclass(frozen=True)
class QuarterBlocks:
    """Blocks of days at the ends of a quarter, counted in working or in calendar days.

    The last `near` days of the quarter, those `before` them, and the `first` days of the next.
    """

    by_workdays: bool
    near: int = 5
    before: int = 5
    first: int = 5


QUARTER_BLOCKS = (QuarterBlocks(True), QuarterBlocks(False), QuarterBlocks(False, 7, 7, 7))


@dataclass(frozen=True, eq=False)
class DayModel:
    """Log weight of each kind of day, the quarter's ends counted as `blocks` says.

    `coefficients` follow the columns of `day_features`; `share` is its share of the likelihood of
    all models.
    """

    blocks: QuarterBlocks
    coefficients: NDArray[np.float64]
    covariance: NDArray[np.float64]
    share: float = 1.0
    is_level: bool = False

    def weigh(self, days: pd.DatetimeIndex, weights: DayWeights) -> tuple[NDArray, NDArray]:
        """Weights of days, and their features."""
        features = day_features(days, weights.country, self.blocks, weights.special, weights.fiscal)
        return np.exp(features @ self.coefficients), features


class Model(Protocol):
    """Weights of days by one model, with its share of the likelihood of all of them."""

    share: float
    coefficients: NDArray[np.float64]
    covariance: NDArray[np.float64]
    is_level: bool

    def weigh(self, days: pd.DatetimeIndex, weights: DayWeights) -> tuple[NDArray, NDArray]:
        """Weights of days, and their features."""


@dataclass(frozen=True, eq=False)
class DayWeights:
    """Weights of days, averaged over models.

    By day, the models count the quarter's ends differently; by week or month, they differ in the
    effect of working days. Without `models` there was too little data: then working days weigh 1
    and other days 0. `special` holds special days of the plan that were estimated, by name;
    `fiscal` says where quarters end, and `week_begins` on which weekday (0: Monday) weeks do.
    """

    models: tuple[Model, ...]
    country: str = ""
    special: Mapping[str, pd.DatetimeIndex] = field(default_factory=lambda: _NONE)
    fiscal: Fiscal = CALENDAR_YEARS
    week_begins: int = 0
    _known: dict[bytes, list] = field(default_factory=dict, repr=False, init=False)

    @property
    def fitted(self) -> bool:
        """Whether they were estimated, rather than assumed."""
        return bool(self.models)

    @property
    def report_weekday(self) -> int | None:
        """Weekday on which alone anything is recorded (0: Monday), where there is one."""
        return getattr(self.models[0], "weekday", None) if self.models else None

    @property
    def share_of_flows(self) -> float:
        """Share of the models by which totals are sums over days, and not a level."""
        return 1 - sum(model.share for model in self.models if model.is_level)

    @property
    def likeliest(self) -> Model:
        """Model with the largest share of the likelihood."""
        return max(self.models, key=lambda model: model.share)

    def of(self, days: pd.DatetimeIndex) -> NDArray[np.float64]:
        """Weights of days, averaged over the models."""
        if not self.models:
            return is_workday(days, self.country).astype(float)
        return np.sum([model.share * weight for model, weight, _ in self.each(days)], axis=0)

    def each(self, days: pd.DatetimeIndex) -> list[tuple[Model, NDArray, NDArray]]:
        """Weights of days by each model, with the features behind them."""
        key = days.to_numpy().tobytes()
        if key not in self._known:  # the same windows come up many times
            self._known[key] = [(model, *model.weigh(days, self)) for model in self.models]
        return self._known[key]


def day_features(
    days: pd.DatetimeIndex,
    country: str,
    blocks: QuarterBlocks = QUARTER_BLOCKS[0],
    special: Mapping[str, pd.DatetimeIndex] = _NONE,
    fiscal: Fiscal = CALENDAR_YEARS,
) -> NDArray[np.float64]:
    """Features of days: six weekdays, holiday, special days, and three blocks of the quarter.

    Returns
    -------
    ndarray
        Shape (days, 10 + special), of 0 and 1: Tuesday to Sunday, holiday, each of `special`, the
        quarter's last days, those before them, its first days.
    """
    if not len(days):
        return np.zeros((0, 10 + len(special)))
    first = pd.Timestamp(fiscal.period_of(days[0].date(), "quarter").start)
    last = pd.Timestamp(fiscal.period_of(days[-1].date(), "quarter").end)
    general = _weekdays_and_holidays(first, last, country)
    within = _in_quarter_blocks(first, last, country, blocks, fiscal)
    at = (days.to_numpy() - first.to_datetime64()) // np.timedelta64(1, "D")
    own = [np.asarray(days.isin(known), dtype=float)[:, None] for known in special.values()]
    return np.hstack([general[at], *own, within[at]])


@functools.lru_cache(maxsize=64)
def _weekdays_and_holidays(
    first: pd.Timestamp, last: pd.Timestamp, country: str
) -> NDArray[np.float64]:
    """Weekday and holiday of whole quarters; windows of a dataset share them."""
    days = pd.date_range(first, last)
    weekday = days.day_of_week.to_numpy()[:, None] == np.arange(1, 7)
    return np.column_stack([weekday, is_holiday(days, country)]).astype(float)


@functools.lru_cache(maxsize=192)
def _in_quarter_blocks(
    first: pd.Timestamp, last: pd.Timestamp, country: str, blocks: QuarterBlocks, fiscal: Fiscal
) -> NDArray[np.float64]:
    """Blocks of the quarter that days of whole quarters fall into."""
    days = pd.date_range(first, last)
    counts = is_workday(days, country) if blocks.by_workdays else np.ones(len(days), dtype=bool)
    quarters = periods_between(fiscal, first.date(), last.date(), "quarter")
    lengths = [quarter.n_days for quarter in quarters]
    starts = np.cumsum([0, *lengths[:-1]])
    passed = np.cumsum(counts)
    from_start = passed - np.repeat(passed[starts] - counts[starts], lengths)
    per_quarter = np.add.reduceat(counts.astype(int), starts)
    to_end = np.repeat(per_quarter, lengths) - from_start + 1
    marks = [
        counts & (to_end <= blocks.near),
        counts & (to_end > blocks.near) & (to_end <= blocks.near + blocks.before),
        counts & (from_start <= blocks.first),
    ]
    return np.column_stack(marks).astype(float)


def special_days(checklist: Iterable[CheckItem]) -> Mapping[str, pd.DatetimeIndex]:
    """Days of each item of a checklist that begins and ends within two weeks, by name.

    Items of one name, such as a fair that comes every year, are the same special day.

    Examples
    --------
    >>> from datetime import date
    >>> fair = CheckItem("Fair", from_=date(2026, 3, 2), to=date(2026, 3, 3))
    >>> [len(days) for days in special_days([fair, CheckItem("New prices")]).values()]
    [2]
    """
    days: dict[str, pd.DatetimeIndex] = {}
    for item in checklist:
        if item.from_ and item.to and 0 <= (item.to - item.from_).days < LONGEST_SPECIAL:
            found = pd.date_range(item.from_, item.to)
            days[item.name] = found.union(days[item.name]) if item.name in days else found
    return days


def fit_day_weights(
    daily: pd.Series,
    country: str = "",
    special: Mapping[str, pd.DatetimeIndex] = _NONE,
    fiscal: Fiscal = CALENDAR_YEARS,
) -> DayWeights:
    """Weights of days, estimated from days within their own weeks.

    Parameters
    ----------
    daily
        Counts or amounts by day, without gaps in its index; missing where not recorded.
    country
        As in `funnel.contract.workdays.is_workday`.
    special
        Special days, by name. A name without a day in the weeks used is dropped.
    fiscal
        Says where quarters end.

    Returns
    -------
    DayWeights
        Fitted where at least 26 whole weeks hold something.

    Notes
    -----
    Conditional quasi-Poisson: given a week's total, its days share it in proportion to their
    weights, so neither trend nor season can leak in. A ridge of 0.01 keeps days on which nothing
    ever happened finite. Whether the quarter's end counts in working or in calendar days, and in
    blocks of how many, is not picked but weighted by the likelihood.

    References
    ----------
    McCullagh and Nelder (1989), Generalized Linear Models, sections 6.4 and 9.2.
    """
    lead = -int(daily.index[0].day_of_week) % 7 if len(daily) else 0
    n_weeks = max(len(daily) - lead, 0) // 7
    kept = daily.iloc[lead : lead + 7 * n_weeks]
    amounts = kept.to_numpy(float).reshape(-1, 7)
    has_some = (amounts >= 0).all(axis=1) & (amounts > 0).any(axis=1)
    if has_some.sum() < FEWEST_WEEKS:
        return DayWeights((), country)
    known = kept.index[np.repeat(has_some, 7)]
    special = {name: days for name, days in special.items() if known.isin(days).any()}
    amounts = amounts[has_some] / amounts[has_some].mean()
    seen = [day_features(kept.index, country, blocks, special, fiscal) for blocks in QUARTER_BLOCKS]
    seen = [features.reshape(n_weeks, 7, -1)[has_some] for features in seen]
    rough = [_newton(amounts, features)[0] for features in seen]
    dispersion = min(
        _dispersion(amounts, features, each) for features, each in zip(seen, rough, strict=True)
    )
    fits = [
        _newton(amounts / dispersion, features, each)
        for features, each in zip(seen, rough, strict=True)
    ]
    likelihood = np.array([fit[2] for fit in fits])
    shares = np.exp(likelihood - likelihood.max())
    shares = np.where(shares < _LEAST_SHARE * shares.sum(), 0.0, shares) / shares.sum()
    shares /= shares.sum()
    models = [
        DayModel(blocks, found, np.linalg.inv(information), float(share))
        for blocks, (found, information, _), share in zip(QUARTER_BLOCKS, fits, shares, strict=True)
        if share > 0
    ]
    return DayWeights(tuple(models), country, special, fiscal)


def _shares(features: NDArray, coefficients: NDArray) -> NDArray:
    score = features @ coefficients
    score = np.exp(score - score.max(axis=1, keepdims=True))
    return score / score.sum(axis=1, keepdims=True)


def _newton(
    amounts: NDArray, features: NDArray, start: NDArray | None = None
) -> tuple[NDArray, NDArray, float]:
    """Coefficients, information and log likelihood of days given their weeks' totals."""
    size = features.shape[-1]
    totals = amounts.sum(axis=1)
    flat = features.reshape(-1, size)
    found = np.zeros(size) if start is None else start
    value = -np.inf
    for _ in range(_STEPS):
        shares = _shares(features, found)
        expected = totals[:, None] * shares
        mean = (shares[:, None, :] @ features)[:, 0]
        slope = (amounts - expected).ravel() @ flat
        information = (flat * expected.reshape(-1, 1)).T @ flat
        information -= (mean * totals[:, None]).T @ mean
        information += RIDGE * np.eye(size)
        step = np.linalg.solve(information, slope - RIDGE * found)
        found = found + np.clip(step, -2, 2)
        before, value = value, float((amounts * np.log(shares + 1e-300)).sum())
        if np.abs(step).max() < 1e-8 or abs(value - before) < 1e-10:
            break
    return found, information, value


def _dispersion(amounts: NDArray, features: NDArray, coefficients: NDArray) -> float:
    expected = amounts.sum(axis=1, keepdims=True) * _shares(features, coefficients)
    expected = np.where(expected > 1e-6, expected, 0.0)
    n_fitted = len(amounts) + features.shape[-1]
    return max(pearson((amounts - expected).ravel(), expected.ravel(), n_fitted)[0], 1e-6)
