"""Split a change into what is usual and what is left."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.contract.errors import ParameterError
from funnel.contract.plan import Company
from funnel.contract.workdays import is_holiday
from funnel.methods.season.expected import Usual, usual_between
from funnel.methods.season.grid import DRAWS
from funnel.methods.season.months import FEW_DEGREES, SURE
from funnel.methods.season.share import LEARNT, PARTS, ShareOfChange, Window
from funnel.methods.season.special_days import dated, told
from funnel.methods.season.workdays import DayWeights, fit_day_weights
from funnel.results import formats, no_rows
from funnel.stats import percentiles

_MOST_DAYS = 366 * 5  # that weights of days are learnt from


def share_of_change(
    daily: pd.Series,
    period: Window,
    baseline: Window,
    *,
    grain: str = "day",
    about: Mapping[str, object],
) -> ShareOfChange:
    """Split a change; see `Decomposition.share_of_change`, which calls this.

    Parameters
    ----------
    daily
        By day, without gaps in its index.
    period, baseline
        First and last day of each.
    grain
        Of what was recorded: `day`, `week` or `month`; coarser ones were shared out over days.
    about
        What is known of the series, as `series.attrs`.
    """
    period, baseline = _window("period", period), _window("baseline", baseline)
    inside, before = _inside(daily, period), _inside(daily, baseline)
    history = daily[daily.index < pd.Timestamp(period[0])]
    value, earlier = inside.sum(skipna=False), before.sum(skipna=False)
    refused = _no_change(inside, before, period, baseline, value, earlier)
    level = float(about.get("level", 0.9))
    company = about.get("company") or Company()
    shares = dict.fromkeys(PARTS, np.nan)
    draws: dict[str, NDArray] = {}
    usual, caveats = None, ()
    if not refused:
        country, caveats = known_country(str(about.get("country", "")), daily.index)
        weights = learn_days(history, country, grain, about)
        usual = usual_between(
            history,
            inside.index,
            before.index,
            weights,
            by_week=grain != "month",
            seed=int(about.get("seed", 0)),
        )
        refused = usual.refused
        shares |= {"observed": float(np.log(value / earlier)), "calendar": usual.calendar}
        draws = usual.draws | {"observed": np.full(DRAWS, shares["observed"])}
        if not refused:
            shares["season"] = usual.season
            shares["usual"] = usual.calendar + usual.season
            shares["rest"] = shares["observed"] - shares["usual"]
            draws["rest"] = shares["observed"] - usual.draws["usual"]
        span = (min(period[0], baseline[0]), max(period[1], baseline[1]))
        checklist = tuple(about.get("checklist", ()))
        caveats = (
            *_said(usual, company),
            *caveats,
            *told(checklist, weights.special, pd.Timestamp(period[0]), span, company),
        )
    months = usual.months if usual else None
    source = about.get("source")
    windows = (("period", period), ("baseline", baseline))
    rows = [source.rows(name, *window) for name, window in windows] if source else [no_rows()]
    return ShareOfChange(
        rows=pd.concat(rows, ignore_index=True),
        table=_table(shares, draws, value, earlier, level),
        as_of=about.get("as_of") or (daily.index[-1].date() if len(daily) else period[1]),
        level=level,
        units={"change": "log units", "change_units": str(about.get("unit", "units"))},
        written_caveats=caveats,
        period=period,
        baseline=baseline,
        of=str(about.get("of", "series")),
        value=float(value),
        value_baseline=float(earlier),
        season_is_claimed=months is not None and months.p_value < SURE,
        p_value=months.p_value if months else float("nan"),
        n_months=months.n_months if months else 0,
        seen=usual.seen if usual else (0, 0),
        shifting=usual.shifting if usual else float("nan"),
        refused=refused,
        company=company,
    )


def _window(name: str, given: Window) -> Window:
    start, end = (pd.Timestamp(day).date() for day in given)
    if start > end:
        raise ParameterError(f"{name}: it begins on {start}, after its end, {end}.")
    return start, end


def _inside(daily: pd.Series, window: Window) -> pd.Series:
    return daily.reindex(pd.date_range(*window, freq="D"))


def _no_change(
    inside: pd.Series,
    before: pd.Series,
    period: Window,
    baseline: Window,
    value: float,
    earlier: float,
) -> str:
    if baseline[1] >= period[0]:
        return "the baseline must end before the period begins"
    if inside.isna().all() and before.isna().all():
        return "nothing is recorded of it in the two windows"
    silent = int(inside.isna().sum() + before.isna().sum())
    if silent:
        return f"{silent} days of the two windows are not recorded"
    if value <= 0 or earlier <= 0:
        return "one of the two windows holds nothing, or less than nothing"
    return ""


def known_country(country: str, days: pd.DatetimeIndex) -> tuple[str, tuple[str, ...]]:
    """Give the country if its holidays are known; else none, and say so."""
    try:
        is_holiday(days[:1], country)
    except ParameterError:
        return "", (
            f"The public holidays of {country!r}, the plan's country, are not known, so that "
            "weekends alone are days off here. Countries are written in two letters, such as DE.",
        )
    return country, ()


def learn_days(
    history: pd.Series, country: str, grain: str, about: Mapping[str, object]
) -> DayWeights:
    """Learn what days are worth, as far as the grain tells them apart."""
    if grain != "day":
        return DayWeights((), country)
    special = dated(about.get("checklist", ()))
    company = about.get("company") or Company()
    year_starts = company.fiscal_year_starts
    return fit_day_weights(history.iloc[-_MOST_DAYS:], country, special, year_starts)


def _said(usual: Usual, company: Company) -> tuple[str, ...]:
    if usual.refused or usual.months is None:
        return ()
    months, (agree, n_years) = usual.months, usual.seen
    says = [f"{LEARNT} {months.n_months} months before the period, which is itself left out."]
    if n_years:
        says = [
            f"{LEARNT} {months.n_months} months before the period, which is itself left out; "
            f"the same months went this way in {agree} of {n_years} earlier years."
        ]
    if months.degrees < FEW_DEGREES:
        says.append("One earlier look only: the season is known from little more than one year.")
    for day, step in usual.steps:
        share = formats.share(float(np.expm1(step)), company, sign=True)
        says.append(
            f"The level stepped by about {share} in the week of {_on(day, company)}; that is kept "
            "out of the season."
        )
    if months.p_value >= SURE:
        says.append(
            f"Months of the year do not differ beyond chance (p = {months.p_value:.2g}), so no "
            "season is claimed; its row shows what it could be."
        )
    if usual.shifting < SURE:
        says.append(
            "Months of the year move against each other from year to year "
            f"(p = {usual.shifting:.2g}): the season itself is changing, so its interval is wider "
            "by as far as months moved from one year to the next."
        )
    if usual.is_low:
        says.append("Weeks or months hold few, or nothing, so that they are taken as counts.")
    return tuple(says)


def _on(day: pd.Timestamp, company: Company) -> str:
    date: dt.date = day.date()
    return formats.day(date, company)


def _table(
    shares: dict[str, float],
    draws: Mapping[str, NDArray],
    value: float,
    earlier: float,
    level: float,
) -> pd.DataFrame:
    rows = []
    observed = shares["observed"]
    # the logarithmic mean turns log units into units so that the parts still add up
    per_log = (value - earlier) / observed if observed else earlier
    for part in PARTS:
        known = np.isfinite(shares[part])
        low, high = percentiles(draws[part], level) if known else (np.nan, np.nan)
        rows.append(
            {
                "part": part,
                "change": shares[part],
                "low": float(low),
                "high": float(high),
                "change_units": shares[part] * per_log,
                "change_units_low": low * per_log,
                "change_units_high": high * per_log,
            }
        )
    return pd.DataFrame(rows)
