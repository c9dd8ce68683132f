"""Is the usual season of a change found, with intervals that hold it, and beside its peers?

Generates series of leads by day whose calendar and season are known, asks what part of a change
between two windows they make, and holds the answer against the truth: how often the 90 % interval
holds it, how far the figure is off, how wide the interval is, how often a season is claimed where
none was planted, and how much of a real fall in the window is booked as season. The same questions
go to STL, MSTL, statsmodels' UnobservedComponents, and to statsforecast and Prophet where those are
installed (`pip install -r benchmarks/requirements.txt`; they are no part of the package).

    python benchmarks/seasonality.py --runs 20 --peer-runs 2
    python benchmarks/seasonality.py --runs 20 --peers none
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib.util
import logging
import time
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import holidays
import numpy as np
import pandas as pd

from funnel.methods.season import decompose
from funnel.stats import wilson

LEVEL = 0.9
Z = 1.645  # of a normal distribution, for 90 %
FALL = 0.25  # real, begins with the window
COUNTRY = "DE"
WEEKDAYS = np.array([1.0, 1.08, 1.05, 1.0, 0.85, 0.25, 0.2])


@dataclass(frozen=True)
class Process:
    """How leads come about: what is usual, and what is chance."""

    name: str
    rate: float = 0.0  # a day, of the year; 0: anything from 15 to 40
    season: str = "months"  # months | smooth | none | changing
    push: str = ""  # business | calendar: which days of the quarter's end count
    spread: float = 1.3  # variance over mean of a day, and of a week of its own
    wander: float = 0.015  # of the level, by week
    growth: float = 0.1  # a year, log units
    step: float = 0.0  # a level shift, half a year to two years before the window
    years: float = 3.0  # before the window


PROCESSES = (
    Process("season by months"),
    Process("smooth season", season="smooth"),
    Process("more spread", spread=2.2),
    Process("wandering level", wander=0.03),
    Process("growth of 40 % a year", growth=0.34),
    Process("level shift", step=0.4),
    Process("push, business days", push="business"),
    Process("push, calendar days", push="calendar"),
    Process("changing season", season="changing"),
    Process("low counts", rate=1.5, spread=1.1),
    Process("no season", season="none"),
    Process("no season, wandering", season="none", wander=0.03),
)
OUTSIDE = ("low counts", "changing season")  # no three years of 15 to 40 leads a day, or no truth
TASKS = ("month", "year ago", "quarter", "weeks")


@dataclass(frozen=True)
class Case:
    """A series, two windows, and what is usual between them."""

    daily: pd.Series
    period: tuple[dt.date, dt.date]
    baseline: tuple[dt.date, dt.date]
    usual: float
    calendar: float
    fall: float = 0.0


@dataclass(frozen=True)
class Answer:
    """What a method says is usual between the windows, and how much of it by the calendar."""

    figure: float
    low: float
    high: float
    is_claimed: bool = False
    calendar: float = float("nan")
    calendar_low: float = float("nan")
    calendar_high: float = float("nan")


def simulate(process: Process, task: str, seed: int, fall: float = 0.0) -> Case:
    """Draw a series and two windows; the truth is what days of the windows were expected to bring
    with the level held still."""
    random = np.random.default_rng([seed, zlib.crc32(f"{process.name} {task}".encode())])
    if not process.rate:
        process = replace(process, rate=float(random.uniform(15, 40)))
    period, baseline = _windows(task, random)
    first = (pd.Timestamp(period[0]) - pd.Timedelta(days=round(365.25 * process.years))).replace(
        day=1
    )
    days = pd.date_range(first, period[1])
    worth = _worth(process, days, random)
    season = _season(process, days, random)
    n_weeks = len(days) // 7 + 2
    level = np.cumsum(random.normal(0, process.wander, n_weeks))
    if process.step:
        at = random.integers(n_weeks - 110, n_weeks - 30)
        level += process.step * random.choice([-1, 1]) * (np.arange(n_weeks) >= at)
    years = np.arange(len(days)) / 365.25
    level = np.repeat(level, 7)[: len(days)] + process.growth * (years - years[-1])
    usual = worth * np.exp(season)
    mean = process.rate * usual * np.exp(level)
    inside = days >= pd.Timestamp(period[0])
    mean = np.where(inside, mean * (1 - fall), mean)
    over = process.spread - 1
    per_week = random.gamma(4 / over, over / 4, n_weeks) if over else np.ones(n_weeks)
    per_week = 1 + (per_week - 1) / np.sqrt(process.rate)
    mean = mean * np.repeat(np.maximum(per_week, 0.05), 7)[: len(days)]
    if over:
        mean = mean * random.gamma(mean / over, over / mean)
    daily = pd.Series(random.poisson(mean).astype(float), index=days)
    before = (days >= pd.Timestamp(baseline[0])) & (days <= pd.Timestamp(baseline[1]))
    share = float(np.log(usual[inside].sum() / usual[before].sum()))
    calendar = float(np.log(worth[inside].sum() / worth[before].sum()))
    return Case(daily, period, baseline, share, calendar, fall)


def _windows(task: str, random: np.random.Generator) -> tuple:
    month = pd.Period("2023-01", "M") + int(random.integers(0, 36))
    if task == "weeks":
        n_days = 7 * int(random.choice([2, 4, 13]))
        start = month.start_time + pd.Timedelta(days=int(random.integers(0, 28)))
        return (
            (start.date(), (start + pd.Timedelta(days=n_days - 1)).date()),
            ((start - pd.Timedelta(days=n_days)).date(), (start - pd.Timedelta(days=1)).date()),
        )
    length = 3 if task == "quarter" else 1
    if task == "quarter":
        month = month - (month.month - 1) % 3
    back = 12 if task == "year ago" else length
    return tuple(
        ((month - off).start_time.date(), (month - off + length - 1).end_time.date())
        for off in (0, back)
    )


def _worth(process: Process, days: pd.DatetimeIndex, random: np.random.Generator) -> np.ndarray:
    worth = WEEKDAYS[days.day_of_week] * np.exp(random.normal(0, 0.05, 7))[days.day_of_week]
    known = holidays.country_holidays(COUNTRY, years=range(days[0].year, days[-1].year + 1))
    is_holiday = days.isin(pd.DatetimeIndex(list(known)))
    worth = np.where(is_holiday, 0.3 * worth, worth)
    if process.push:
        counts = (days.day_of_week < 5) & ~is_holiday if process.push == "business" else None
        counts = np.ones(len(days), bool) if counts is None else counts
        quarter = days.to_period("Q")
        whole = pd.Series(counts.astype(float), index=days)
        to_end = whole[::-1].groupby(quarter[::-1]).cumsum()[::-1].to_numpy()
        from_start = whole.groupby(quarter).cumsum().to_numpy()
        last = quarter == quarter[-1]  # the last quarter may be cut short: count its days on
        if last.any():
            end = days[-1].to_period("Q").end_time.normalize()
            rest = pd.date_range(days[-1] + pd.Timedelta(days=1), end)
            left = (
                ((rest.day_of_week < 5) & ~rest.isin(pd.DatetimeIndex(list(known)))).sum()
                if process.push == "business"
                else len(rest)
            )
            to_end = to_end + np.where(last, left, 0)
        size = random.uniform(0.2, 0.6)
        near = int(random.choice([5, 7, 10])) if process.push == "calendar" else 5
        worth = worth * np.exp(size * (counts & (to_end <= near)))
        worth = worth * np.exp(-0.5 * size * (counts & (from_start <= 5)))
    return worth


def _season(process: Process, days: pd.DatetimeIndex, random: np.random.Generator) -> np.ndarray:
    if process.season == "none":
        return np.zeros(len(days))
    if process.season == "smooth":
        place = 2 * np.pi * (days.day_of_year.to_numpy() - 1) / 365.25
        waves = [
            random.normal(0, 0.12 / k) * np.cos(k * place - random.uniform(0, 2 * np.pi))
            for k in range(1, 5)
        ]
        return np.sum(waves, axis=0)
    effect = random.normal(0, 0.12, 12)
    if process.season == "months":
        return effect[days.month - 1]
    later = effect + random.normal(0, 0.05, (days[-1].year - days[0].year + 1, 12)).cumsum(axis=0)
    return later[days.year - days[0].year, days.month - 1]


def naive(parts: pd.Series, left: pd.Series, case: Case) -> Answer:
    """Turn a season by day into a statement: two normal errors of the mean of what it leaves."""
    means, variance = [], 0.0
    for window in (case.period, case.baseline):
        days = pd.date_range(*window)
        means.append(np.log(np.mean(np.maximum(parts.reindex(days), 1e-6))))
        spread = left.std() / max(parts.reindex(days).mean(), 1e-6)
        variance += spread**2 / len(days)
    figure = means[0] - means[1]
    return Answer(figure, figure - Z * np.sqrt(variance), figure + Z * np.sqrt(variance))


def package(case: Case) -> Answer:
    """Ask the package."""
    whole = decompose(case.daily, country=COUNTRY, level=LEVEL)
    shown = whole.share_of_change(case.period, case.baseline)
    rows = shown.table.set_index("part")[["change", "low", "high"]].astype(float)
    usual, calendar = rows.loc["usual"], rows.loc["calendar"]
    return Answer(*usual, shown.season_is_claimed, *calendar)


def mstl(case: Case) -> Answer:
    """MSTL of statsmodels on the whole series, weekly and yearly."""
    from statsmodels.tsa.seasonal import MSTL

    fit = MSTL(case.daily, periods=(7, 365)).fit()
    parts = case.daily.mean() + fit.seasonal.sum(axis=1)
    return naive(parts, fit.resid, case)


def stl_months(case: Case) -> Answer:
    """STL of the log of monthly sums; only months can be asked."""
    from statsmodels.tsa.seasonal import STL

    monthly = case.daily.groupby(case.daily.index.to_period("M")).sum()
    fit = STL(np.log(np.maximum(monthly, 0.5)), period=12, robust=True).fit()
    season = np.exp(fit.seasonal)
    shares, n_months = [], []
    for window in (case.period, case.baseline):
        months = pd.period_range(*window, freq="M")
        shares.append(float(np.log(season.reindex(months).mean())))
        n_months.append(len(months))
    figure = shares[0] - shares[1]
    half = Z * fit.resid.std() * np.sqrt(sum(1 / n for n in n_months))
    return Answer(figure, figure - half, figure + half)


def components(case: Case) -> Answer:
    """UnobservedComponents by week: level, harmonics of the year; the window held out."""
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    before = case.daily[case.daily.index < pd.Timestamp(case.period[0])]
    weekly = before.resample("W-MON", label="left", closed="left").sum().iloc[1:-1]
    level = np.log(np.maximum(weekly, 0.5))
    angle = 2 * np.pi * np.outer(weekly.index.day_of_year, np.arange(1, 7)) / 365.25
    waves = np.hstack([np.sin(angle), np.cos(angle)])
    fit = UnobservedComponents(level.to_numpy(), "llevel", exog=waves).fit(disp=False, maxiter=60)
    names = [name for name in fit.model.param_names if name.startswith("beta")]
    which = [fit.model.param_names.index(name) for name in names]
    mean = []
    for window in (case.period, case.baseline):
        at = 2 * np.pi * np.outer(pd.date_range(*window).day_of_year, np.arange(1, 7)) / 365.25
        mean.append(np.hstack([np.sin(at), np.cos(at)]).mean(axis=0))
    wanted = mean[0] - mean[1]
    covariance = fit.cov_params()[np.ix_(which, which)]
    working = [
        np.busday_count(a, b + dt.timedelta(days=1)) for a, b in (case.period, case.baseline)
    ]
    figure = float(wanted @ fit.params[which] + np.log(working[0] / working[1]))
    half = Z * np.sqrt(float(wanted @ covariance @ wanted))
    return Answer(figure, figure - half, figure + half)


def statsforecast_mstl(case: Case) -> Answer:
    """MSTL of statsforecast on the whole series, weekly and yearly."""
    from statsforecast.models import MSTL

    fit = MSTL(season_length=[7, 365]).fit(case.daily.to_numpy()).model_
    seasons = [name for name in fit if str(name).startswith("seasonal")]
    parts = pd.Series(case.daily.mean() + fit[seasons].sum(axis=1).to_numpy(), case.daily.index)
    left = pd.Series(fit["remainder"].to_numpy(), case.daily.index)
    return naive(parts, left, case)


def prophet(case: Case) -> Answer:
    """Prophet on the whole series, with the country's holidays; the trend taken off."""
    from prophet import Prophet

    logging.getLogger("cmdstanpy").disabled = True
    logging.getLogger("prophet").disabled = True
    model = Prophet(interval_width=LEVEL, yearly_seasonality=True, weekly_seasonality=True)
    model.add_country_holidays(COUNTRY)
    frame = pd.DataFrame({"ds": case.daily.index, "y": case.daily.to_numpy()})
    told = model.fit(frame).predict(frame).set_index("ds")
    parts = case.daily.mean() + told["yhat"] - told["trend"]
    return naive(parts, case.daily - told["yhat"], case)


PEERS: dict[str, Callable[[Case], Answer]] = {
    "funnel": package,
    "STL, months, naive": stl_months,
    "MSTL, naive": mstl,
    "UnobservedComponents": components,
    "statsforecast MSTL, naive": statsforecast_mstl,
    "Prophet, naive": prophet,
}
NEEDS = {"statsforecast MSTL, naive": "statsforecast", "Prophet, naive": "prophet"}


def asked(job: tuple[str, Process, str, int]) -> dict:
    """Ask one method of one series, and once more with a real fall in the window."""
    method, process, task, seed = job
    case = simulate(process, task, seed)
    ask = PEERS[method]
    row = {"method": method, "process": process.name, "task": task, "truth": case.usual}
    if method == "STL, months, naive" and task == "weeks":
        return row
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        begin = time.process_time()
        answer = ask(case)
        seconds = time.process_time() - begin
        inside = case.daily.index >= pd.Timestamp(case.period[0])
        fallen = replace(case, daily=case.daily.where(~inside, case.daily * (1 - FALL)))
        moved = ask(fallen).figure - answer.figure
    return row | {
        "error": answer.figure - case.usual,
        "covered": bool(answer.low <= case.usual <= answer.high),
        "width": answer.high - answer.low,
        "claimed": answer.is_claimed,
        "booked": moved / np.log(1 - FALL),
        "calendar_error": 100 * (answer.calendar - case.calendar),
        "calendar_covered": bool(answer.calendar_low <= case.calendar <= answer.calendar_high),
        "seconds": seconds,
    }


def summary(rows: pd.DataFrame, by: str) -> str:
    """Sum up as a Markdown table."""
    lines = [
        f"| {by} | series | interval holds the truth | median error | median width "
        "| fall booked as season | CPU-s a series |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, of in rows.dropna(subset="error").groupby(by, sort=False):
        n, k = len(of), int(of["covered"].sum())
        low, high = wilson(k, n)
        lines.append(
            f"| {name} | {n} | {k / n:.3f} [{low:.3f} to {high:.3f}] "
            f"| {of['error'].abs().median():.3f} | {of['width'].median():.3f} "
            f"| {of['booked'].abs().max():.1%} at most, {of['booked'].median():.0%} median "
            f"| {of['seconds'].mean():.2f} |"
        )
    return "\n".join(lines)


def calendar_summary(rows: pd.DataFrame) -> str:
    """Sum up the calendar of a month against the same month a year ago."""
    lines = [
        "| process | series | error, rms, points | interval holds the truth |",
        "|---|---|---|---|",
    ]
    own = rows[(rows["method"] == "funnel") & (rows["task"] == "year ago")]
    for name, of in [*own.groupby("process", sort=False), ("all", own)]:
        rms = np.sqrt((of["calendar_error"] ** 2).mean())
        lines.append(f"| {name} | {len(of)} | {rms:.2f} | {of['calendar_covered'].mean():.3f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=2, help="series for each process and task")
    parser.add_argument("--peers", nargs="*", default=list(PEERS), help="methods, or none")
    parser.add_argument("--peer-runs", type=int, default=1, help="the same for the slower peers")
    parser.add_argument("--first-seed", type=int, default=5000)
    args = parser.parse_args()
    methods = [name for name in PEERS if name == "funnel" or name in args.peers]
    absent = [
        name for name in methods if name in NEEDS and importlib.util.find_spec(NEEDS[name]) is None
    ]
    jobs = [
        (method, process, task, args.first_seed + run)
        for method in methods
        if method not in absent
        for process in PROCESSES
        for task in TASKS
        for run in range(args.runs if method == "funnel" else args.peer_runs)
    ]
    rows = pd.DataFrame([asked(job) for job in jobs])
    own = rows[rows["method"] == "funnel"]
    daily = own[~own["process"].isin(OUTSIDE) & own["task"].ne("year ago")]
    print(summary(rows[~rows["process"].isin(OUTSIDE)], "method"))
    for name in absent:
        print(f"\n{name}: absent, not installed")
    print("\n15 to 40 leads a day, months and weeks, without year over year:\n\n")
    print(summary(daily, "task"))
    print()
    print(summary(own, "process"))
    print()
    print(calendar_summary(rows))
    none = own[own["process"].str.startswith("no season")]
    print(f"\nSeason claimed where none was planted: {none['claimed'].mean():.1%} of {len(none)}")


if __name__ == "__main__":
    main()
