"""Arrival of leads and their properties: everything about leads that happens without sales.

All random draws are made here and in `Draws`, whatever is planted: a cause only changes what is
done with them. So a company with a cause and the one without differ by the cause alone (common
random numbers).
"""

from __future__ import annotations

import datetime as dt
import zlib
from dataclasses import dataclass

import numpy as np

from funnel.contract.errors import ParameterError
from funnel.contract.periods import Comparison, running_comparison
from funnel.sample.calendar import Calendar, Floats, Ints, day_number, day_of
from funnel.sample.scenarios import Cause
from funnel.sample.vocabulary import SOCIAL

SCORE_THRESHOLD = 40.0
BURN_IN_DAYS = 275  # long enough that the first quarter's deals have leads to come from

_SHARE = np.array([0.26, 0.22, 0.16, 0.13, 0.09, 0.14])
_QUALITY = np.array([0.25, 0.05, -0.75, 0.05, 0.60, -0.15])
_SPEED = np.array([1.0, 0.95, 1.15, 1.1, 0.8, 1.2])
_MEDIAN_SIZE = np.array([110.0, 100.0, 45.0, 160.0, 130.0, 220.0])
# The first two quarters of a year are about equal, after-effects of Christmas included, so that the
# season hides no cause; summer is low and autumn high.
_WEEK = np.array([1.16, 1.20, 1.16, 1.10, 0.92, 0.30, 0.26])
_YEAR = np.array([1.12, 1.04, 1.02, 1.02, 1.04, 1.08, 0.93, 0.83, 1.04, 1.02, 1.10, 1.06])
_YEAR_OF_CHANNEL = np.ones((6, 12))
_YEAR_OF_CHANNEL[2] = [1.05, 1.0, 1.0, 1.0, 1.02, 1.03, 1.0, 0.95, 1.0, 1.0, 1.1, 0.95]
_YEAR_OF_CHANNEL[3] = [0.9, 1.1, 1.3, 1.1, 1.4, 0.9, 0.5, 0.4, 1.4, 1.5, 1.0, 0.7]
_YEAR_OF_CHANNEL[5] = [1.05, 1.0, 1.0, 1.05, 1.0, 1.0, 0.9, 0.8, 1.1, 1.05, 1.0, 0.85]
_LOW_SPRING = np.array([1.0, 0.80, 0.68, 0.60, 0.60, 0.66, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
_LEVEL_DAYS = 550
_HOLIDAY, _CHRISTMAS = 0.35, 0.75
_RESERVE = 1.0  # leads in reserve for causes that bring more, as a share of those that arrive
_OF_SENIORITY = (0.34, 0.36, 0.20, 0.10)
_OF_INDUSTRY = (0.24, 0.22, 0.18, 0.14, 0.12, 0.10)
_OF_FUNCTION = (0.18, 0.26, 0.18, 0.22, 0.16)
_SENIORITY_FIT = np.array([-0.35, 0.0, 0.35, 0.45])
_INDUSTRY_FIT = np.array([0.25, 0.10, -0.10, 0.0, 0.0, -0.30])
_OF_CAMPAIGN = (0.5, 0.3, 0.2)
_CAMPAIGN_FIT = np.array([0.08, 0.0, -0.20])
PROMO_LIFT = 1.18


@dataclass(frozen=True)
class Spec:
    """Parameters of a company: its size, its last day, and the seed."""

    seed: int
    leads: int
    quarters: int
    end: dt.date
    weekly_dispersion: float

    def __post_init__(self) -> None:
        for name, low in (("leads", 1), ("quarters", 3), ("weekly_dispersion", 1), ("seed", 0)):
            if not getattr(self, name) >= low:
                raise ParameterError(
                    f"{name}={getattr(self, name)} is too small for a sample company; the "
                    f"least is {low}."
                )

    @property
    def comparison(self) -> Comparison:
        """The period looked at on the last day, and the one before."""
        return running_comparison(self.end, "quarter", "previous")

    @property
    def start(self) -> dt.date:
        """First day of the window."""
        months = self.end.year * 12 + 3 * ((self.end.month - 1) // 3) - 3 * (self.quarters - 1)
        return dt.date(months // 12, months % 12 + 1, 1)


def stream(seed: int, purpose: str) -> np.random.Generator:
    """Random generator for one purpose, independent of all others."""
    return np.random.default_rng(
        np.random.SeedSequence(seed, spawn_key=(zlib.crc32(purpose.encode()),))
    )


@dataclass(frozen=True)
class Promo:
    """A promotion, as in the table `promos`."""

    name: str
    start: int
    end: int
    channel: int | None
    discount: float
    cost: float


@dataclass(frozen=True)
class Draws:
    """All random draws about leads: one entry each, by arrival, those in reserve last."""

    spec: Spec
    calendar: Calendar
    created: Floats
    channel: Ints
    is_reserve: np.ndarray
    account: Ints  # the first lead of the same company
    promos: tuple[Promo, ...]
    intensity: np.ndarray  # expected leads by day and channel

    def uniform(self, purpose: str) -> Floats:
        """One uniform draw per lead."""
        return stream(self.spec.seed, purpose).random(len(self.created))

    def normal(self, purpose: str) -> Floats:
        """One standard normal draw per lead."""
        return stream(self.spec.seed, purpose).standard_normal(len(self.created))


@dataclass(frozen=True)
class Leads:
    """The leads of one company: arrays as long as the draws; `is_there` marks those that exist."""

    is_there: np.ndarray
    channel: Ints
    campaign: Ints
    employees: Floats
    revenue: Floats
    industry: Ints
    region: Ints
    seniority: Ints
    function: Ints
    score: Floats
    quality: Floats
    speed: Floats


def draw(spec: Spec) -> Draws:
    """Random draws of a company: arrivals of leads, and which of them work for the same firm."""
    first = spec.start - dt.timedelta(days=BURN_IN_DAYS)
    # deals are followed for years after the end, so that the calendar cuts none
    calendar = Calendar(first, spec.end + dt.timedelta(days=1200))
    promos = _promos(spec)
    intensity = _intensity(spec, calendar, promos)
    n_days = len(intensity)
    week = (calendar.days[:n_days] + 3) // 7
    week -= week[0]
    if spec.weekly_dispersion > 1:
        # A gamma factor per week with this variance makes weekly counts negative binomial.
        excess = (spec.weekly_dispersion - 1) / np.bincount(week, intensity.sum(axis=1))
        factor = stream(spec.seed, "weeks").gamma(1 / excess, excess)
        arriving = intensity * factor[week][:, None]
    else:
        arriving = intensity
    usual = _arrivals(stream(spec.seed, "arrivals"), calendar, arriving)
    reserve_from = day_number(spec.comparison.baseline.start) - calendar.first
    extra = _RESERVE * arriving * (np.arange(n_days) >= reserve_from)[:, None]
    reserve = _arrivals(stream(spec.seed, "reserve"), calendar, extra)
    n_usual, n = len(usual[0]), len(usual[0]) + len(reserve[0])
    return Draws(
        spec=spec,
        calendar=calendar,
        created=np.concatenate([usual[0], reserve[0]]),
        channel=np.concatenate([usual[1], reserve[1]]),
        is_reserve=np.arange(n) >= n_usual,
        account=_accounts(stream(spec.seed, "accounts"), n_usual, n, spec.leads),
        promos=promos,
        intensity=intensity,
    )


def leads_of(draws: Draws, cause: Cause) -> Leads:
    """Leads of a company with this cause."""
    from_start = draws.created >= _moment(draws.spec.comparison.period.start, draws.calendar)
    n = len(draws.created)
    shifted = from_start & (draws.uniform("shift") < cause.shift)
    channel = np.where(shifted, SOCIAL, draws.channel)
    root = draws.account
    size = _MEDIAN_SIZE[channel[root]] * np.exp(1.35 * draws.normal("size")[root])
    employees = np.clip(np.round(size), 2, 90_000)
    turnover = employees * 140_000 * np.exp(0.5 * draws.normal("revenue")[root])
    industry = _pick(draws.uniform("industry")[root], _OF_INDUSTRY)
    seniority = _pick(draws.uniform("seniority"), _OF_SENIORITY)
    campaign = _pick(draws.uniform("campaign"), _OF_CAMPAIGN)
    fit = (
        _QUALITY[channel]
        + _CAMPAIGN_FIT[campaign]
        + np.clip(0.28 * np.log(employees / 100), -0.8, 0.8)
        + _SENIORITY_FIT[seniority]
        + _INDUSTRY_FIT[industry]
    )
    behaviour = draws.normal("behaviour")
    score = 37 + 15 * fit + 9 * behaviour + 6 * draws.normal("score noise")
    return Leads(
        is_there=_is_there(draws, cause),
        channel=channel,
        campaign=campaign,
        employees=employees,
        revenue=np.round(turnover, -3),
        industry=industry,
        region=_pick(draws.uniform("region")[root], (0.32, 0.28, 0.16, 0.24)),
        seniority=seniority,
        function=_pick(draws.uniform("function"), _OF_FUNCTION),
        score=np.clip(np.round(score), 0, 100),
        quality=0.6 * fit + 0.35 * behaviour + 0.30 * draws.normal("unseen"),
        speed=_SPEED[channel] * np.exp(0.1 * np.log(employees / 100)) * np.ones(n),
    )


def _is_there(draws: Draws, cause: Cause) -> np.ndarray:
    calendar, comparison = draws.calendar, draws.spec.comparison
    chance = draws.uniform("is there")
    start = _moment(comparison.period.start, calendar) - cause.leads_from
    share = np.where(draws.is_reserve, 0.0, 1.0)
    if cause.leads < 1:
        share = np.where(draws.created >= start, cause.leads * share, share)
    elif cause.leads > 1:
        more = (cause.leads - 1) / _RESERVE
        share = np.where(draws.is_reserve & (draws.created >= start), more, share)
    if cause.low_spring:
        share = (
            share * _LOW_SPRING[calendar.month[calendar.at(calendar.local_day(draws.created))] - 1]
        )
    return chance < share


def _intensity(spec: Spec, calendar: Calendar, promos: tuple[Promo, ...]) -> np.ndarray:
    """Expected leads by day and channel; their sum over the window is the size wanted."""
    n_days = day_number(spec.end) - calendar.first + 1
    days = calendar.days[:n_days]
    month = calendar.month[:n_days] - 1
    window = days >= day_number(spec.start)
    # growth ends a year and a half before the end, so that nothing changes where nothing is planted
    to_grow = day_number(spec.end) - _LEVEL_DAYS - days
    growth = 1 - 0.22 * np.clip(to_grow / 1100, 0, 1)
    by_day = growth * _WEEK[calendar.weekday[:n_days]] * _YEAR[month]
    by_day = by_day * np.where(calendar.is_holiday[:n_days], _HOLIDAY, 1.0)
    dates = [day_of(day) for day in days]
    christmas = np.array(
        [(d.month, d.day) >= (12, 24) or (d.month, d.day) <= (1, 2) for d in dates]
    )
    by_day = by_day * np.where(christmas, _CHRISTMAS, 1.0)
    by_channel = by_day[:, None] * _SHARE * _YEAR_OF_CHANNEL[:, month].T
    for promo in promos:
        if promo.channel is not None:
            running = (days >= promo.start) & (days <= promo.end)
            by_channel[running, promo.channel] *= PROMO_LIFT
    return by_channel * spec.leads * spec.quarters / by_channel[window].sum()


def _promos(spec: Spec) -> tuple[Promo, ...]:
    """Two promotions a year, up to half a year before the period analysed."""
    last = day_number(spec.comparison.baseline.start)
    made = []
    for year in range(spec.start.year, spec.end.year + 1):
        for name, month, channel, discount, cost in (
            ("spring offer", 4, 1, 0.10, 12_000.0),
            ("autumn offer", 10, 3, 0.15, 18_000.0),
        ):
            start = day_number(dt.date(year, month, 7))
            if start >= day_number(spec.start) and start + 20 < last:
                made.append(Promo(f"{name} {year}", start, start + 20, channel, discount, cost))
    return tuple(made)


def _arrivals(
    rng: np.random.Generator, calendar: Calendar, expected: np.ndarray
) -> tuple[Floats, Ints]:
    counts = rng.poisson(expected)
    day, channel = np.nonzero(counts)
    times = counts[day, channel]
    day, channel = np.repeat(day, times), np.repeat(channel, times)
    # Between six and eleven at night, most around the middle of the day.
    clock = 0.25 + 0.71 * rng.beta(2.2, 2.4, len(day))
    created = calendar.utc(calendar.days[day] + clock)
    order = np.argsort(created, kind="stable")
    return created[order], channel[order]


def _accounts(rng: np.random.Generator, n_usual: int, n: int, leads: int) -> Ints:
    """First lead of each lead's firm; one lead in five works where an earlier one does."""
    own = np.arange(n)
    back = 1 + np.floor(rng.exponential(0.25 * leads, n)).astype(np.int64)
    joins = (rng.random(n) < 0.2) & (own < n_usual) & (own >= back)
    parent = np.where(joins, own - back, own)
    while not np.array_equal(parent[parent], parent):
        parent = parent[parent]
    return parent


def _pick(uniform: Floats, shares: tuple[float, ...]) -> Ints:
    return np.searchsorted(np.cumsum(shares)[:-1], uniform, side="right")


def _moment(day: dt.date, calendar: Calendar) -> float:
    return float(calendar.utc(np.array([float(day_number(day))]))[0])
