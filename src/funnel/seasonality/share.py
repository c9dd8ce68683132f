"""What part of a change the calendar and the usual season make, the rest left open."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel import formats
from funnel.errors import ParameterError
from funnel.evidence import percentiles
from funnel.plan import Company
from funnel.results import Result, no_rows
from funnel.seasonality.months import (
    DRAWS,
    FEW_DEGREES,
    FEWEST_MONTHS,
    MOST_MONTHS,
    SURE,
    MonthEffects,
    fit_month_effects,
)
from funnel.seasonality.workdays import DayWeights, fit_day_weights

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Window = tuple[dt.date, dt.date]
WORDS = {
    "observed": "observed change",
    "calendar": "calendar (days)",
    "season": "season (months)",
    "usual": "usual: both",
    "rest": "left over",
}
PARTS = tuple(WORDS)
CALENDAR_DISCREPANCY = 0.004  # what weights of days leave unsaid, standard deviation, log units


@dataclass(frozen=True, eq=False, kw_only=True)
class ShareOfChange(Result):
    """A change from a baseline to a period, in parts that add up.

    `table` has one row per `part`: `observed`; `calendar` (weekdays, public holidays, position in
    the quarter, length); `season` (month of year); `usual` (both together); `rest` (observed less
    usual, and so anything else, growth included). `change` with `low` and `high` is in log units;
    `change_units` with `change_units_low`, `change_units_high` in units of the series. A part
    that cannot be told is missing.
    """

    period: Window
    baseline: Window
    of: str = "series"
    value: float = float("nan")
    value_baseline: float = float("nan")
    season_is_claimed: bool = False
    p_value: float = float("nan")
    n_months: int = 0
    seen: tuple[int, int] = (0, 0)
    refused: str = ""
    company: Company = field(default_factory=Company)

    @property
    def headline(self) -> str:
        """What was observed, and how much of it is usual."""
        rows = self.table.set_index("part")
        if not np.isfinite(rows.loc["observed", "change"]):
            return f"How {self.of} changed cannot be told: {self.refused}."
        begin = f"{self.of.capitalize()} changed by {self._per_cent(rows, 'observed')}"
        if not np.isfinite(rows.loc["usual", "change"]):
            return (
                f"{begin}; the calendar alone makes {self._with_ends(rows, 'calendar')}, and the "
                f"usual season cannot be told: {self.refused}."
            )
        season = "calendar and usual season make" if self.season_is_claimed else "calendar makes"
        part = "usual" if self.season_is_claimed else "calendar"
        tail = "" if self.season_is_claimed else "; no season beyond it is seen"
        rest = self._with_ends(rows, "rest") if self.season_is_claimed else ""
        return f"{begin}; {season} {self._with_ends(rows, part)}" + (
            f", and {rest} is left." if rest else f"{tail}."
        )

    def _per_cent(self, rows: pd.DataFrame, part: str, end: str = "change") -> str:
        share = float(np.expm1(rows.loc[part, end]))
        return formats.share(share, self.company, digits=1, sign=True)

    def _with_ends(self, rows: pd.DataFrame, part: str) -> str:
        ends = formats.interval(*(self._per_cent(rows, part, end) for end in ("low", "high")))
        return f"{self._per_cent(rows, part)} {ends}"

    def shown(self) -> pd.DataFrame:
        """Give each part in per cent of the baseline, and in units of the series."""
        known = self.table.dropna(subset="change")
        rows = [row for _, row in known.iterrows()]
        unit = self.units.get("change_units", "")
        units = [self._in_units(row) for row in rows]
        return pd.DataFrame(
            {
                "part": known["part"].map(WORDS).to_numpy(),
                "change": [self._in_per_cent(row) for row in rows],
                unit if unit not in ("", "number") else f"in {self.of}": units,
            }
        )

    def _in_per_cent(self, row: pd.Series) -> str:
        shares = {name: float(np.expm1(row[name])) for name in ("change", "low", "high")}
        change = formats.share(shares["change"], self.company, digits=1, sign=True)
        ends = [
            formats.number(100 * shares[end], self.company, digits=1, sign=True)
            for end in ("low", "high")
        ]
        return change if row["part"] == "observed" else formats.estimate(change, *ends)

    def _in_units(self, row: pd.Series) -> str:
        if row["part"] == "observed":
            return formats.number(row["change_units"], self.company, sign=True)
        return formats.number_estimate(row, "change_units", self.company, sign=True)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Bars of the parts, with intervals."""
        from funnel.plots import seasonality as pictures

        return pictures.share_of_change(self, ax)


def share_of_change(
    daily: pd.Series,
    period: Window,
    baseline: Window,
    *,
    learns_days: bool,
    about: Mapping[str, object],
) -> ShareOfChange:
    """Split a change; see `Decomposition.share_of_change`, which calls this."""
    period, baseline = _window("period", period), _window("baseline", baseline)
    inside, before = _inside(daily, period), _inside(daily, baseline)
    history = daily[daily.index < pd.Timestamp(period[0])]
    value, earlier = inside.sum(skipna=False), before.sum(skipna=False)
    refused = _no_change(inside, before, period, baseline, value, earlier)
    parts = {part: np.full(DRAWS, np.nan) for part in PARTS}
    shares = dict.fromkeys(PARTS, np.nan)
    fit, seen, caveats = None, (0, 0), ()
    if not refused:
        country, seed = str(about.get("country", "")), int(about.get("seed", 0))
        weights = _weights(history, country, learns_days)
        random = np.random.default_rng(seed)
        shares["observed"] = float(np.log(value / earlier))
        shares["calendar"], parts["calendar"] = _calendar(weights, inside, before, random)
        months = _months(history, weights)
        refused = _no_season(months, inside, before)
        if not refused:
            fit = fit_month_effects(
                np.log(months["total"] / months["exposure"]).to_numpy(),
                months.index.to_numpy(),
                seed=seed,
            )
            season = _season(fit.draws, weights, inside) - _season(fit.draws, weights, before)
            shares["season"] = float(np.median(season))
            shares["usual"] = shares["calendar"] + shares["season"]
            shares["rest"] = shares["observed"] - shares["usual"]
            parts["season"] = season
            # what is wrong with the days' worth is as wrong in earlier years, so the months'
            # effects take it up: only the discrepancy is left in the sum of both
            off = CALENDAR_DISCREPANCY * random.standard_normal(DRAWS)
            parts["usual"] = shares["calendar"] + season + off
            parts["rest"] = shares["observed"] - parts["usual"]
            seen = _seen(months, weights, inside, before, shares["season"])
            caveats = _said(fit, seen)
        parts["observed"] = np.full(DRAWS, shares["observed"])
    source = about.get("source")
    windows = (("period", period), ("baseline", baseline))
    rows = [source.rows(name, *window) for name, window in windows] if source else [no_rows()]
    return ShareOfChange(
        rows=pd.concat(rows, ignore_index=True),
        table=_table(shares, parts, value, earlier, float(about.get("level", 0.9))),
        as_of=about.get("as_of") or daily.index[-1].date(),
        level=float(about.get("level", 0.9)),
        units={"change": "log units", "change_units": str(about.get("unit", "units"))},
        caveats=caveats,
        period=period,
        baseline=baseline,
        of=str(about.get("of", "series")),
        value=float(value),
        value_baseline=float(earlier),
        season_is_claimed=fit is not None and fit.p_value < SURE,
        p_value=fit.p_value if fit else float("nan"),
        n_months=fit.n_months if fit else 0,
        seen=seen,
        refused=refused,
        company=about.get("company") or Company(),
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
        return "one of the two windows holds nothing"
    return ""


def _weights(history: pd.Series, country: str, learns_days: bool) -> DayWeights:
    days = history.iloc[-366 * 5 :] if learns_days else history.iloc[:0]
    return fit_day_weights(days, country)


def _calendar(
    weights: DayWeights, inside: pd.Series, before: pd.Series, random: np.random.Generator
) -> tuple[float, NDArray]:
    """Log ratio of what the days are worth, and draws of it by the delta method."""
    worth = [weights.of(window.index) for window in (inside, before)]
    exact = float(np.log(worth[0].sum() / worth[1].sum()))
    variance = CALENDAR_DISCREPANCY**2
    if weights.fitted:
        slope = np.subtract(
            *(
                day @ weights.features(window.index) / day.sum()
                for day, window in zip(worth, (inside, before), strict=True)
            )
        )
        variance += float(slope @ weights.covariance @ slope)
    return exact, exact + np.sqrt(variance) * random.standard_normal(DRAWS)


def _months(history: pd.Series, weights: DayWeights) -> pd.DataFrame:
    """Whole months known throughout, by number (12 * year + month - 1): total and exposure."""
    if history.empty:
        return pd.DataFrame({"total": [], "exposure": []})
    number = history.index.year * 12 + history.index.month - 1
    months = pd.DataFrame({"total": history, "exposure": weights.of(history.index), "n": 1})
    months = months.groupby(number).agg(
        total=("total", lambda values: values.sum(skipna=False)),
        exposure=("exposure", "sum"),
        n=("n", "sum"),
        first=("n", lambda values: values.index[0].days_in_month),
    )
    whole = months[(months["n"] == months["first"]) & months["total"].notna()]
    return whole.loc[whole["exposure"] > 0, ["total", "exposure"]].iloc[-MOST_MONTHS:]


def _no_season(months: pd.DataFrame, inside: pd.Series, before: pd.Series) -> str:
    if len(months) < FEWEST_MONTHS:
        return (
            f"it needs {FEWEST_MONTHS} whole months before the period, and there are {len(months)}"
        )
    if (months["total"] <= 0).any():
        n_none = int((months["total"] <= 0).sum())
        return f"{n_none} of {len(months)} months before the period hold nothing"
    wanted = set(inside.index.month) | set(before.index.month)
    never = wanted - {number % 12 + 1 for number in months.index[:-1]}
    earlier = {number for number in months.index if number < _number(before.index[0])}
    if never or not {number % 12 + 1 for number in earlier} >= wanted:
        return "these months of the year were not seen before"
    return ""


def _number(day: pd.Timestamp) -> int:
    return day.year * 12 + day.month - 1


def _season(effects: NDArray, weights: DayWeights, window: pd.Series) -> NDArray:
    """Log of a window's mean month effect, each day by what it is worth."""
    worth = np.bincount(window.index.month - 1, weights.of(window.index), minlength=12)
    present = worth > 0
    return np.log(np.exp(effects[:, present]) @ (worth[present] / worth.sum()))


def _seen(
    months: pd.DataFrame, weights: DayWeights, inside: pd.Series, before: pd.Series, season: float
) -> tuple[int, int]:
    """In how many earlier years the same months went the season's way, of how many."""
    level = np.log(months["total"] / months["exposure"])
    agree = n_years = 0
    for years in range(1, MOST_MONTHS // 12 + 1):
        pair = []
        for window in (inside, before):
            worth = (
                pd.Series(weights.of(window.index))
                .groupby((window.index.year - years) * 12 + window.index.month - 1)
                .sum()
            )
            pair.append((level.reindex(worth.index) * worth / worth.sum()).sum(skipna=False))
        went = pair[0] - pair[1]
        if np.isfinite(went):
            n_years += 1
            agree += bool(np.sign(went) == np.sign(season))
    return agree, n_years


def _said(fit: MonthEffects, seen: tuple[int, int]) -> tuple[str, ...]:
    says = [
        f"Learnt from {fit.n_months} months before the period, which is itself left out; "
        f"the same months went this way in {seen[0]} of {seen[1]} earlier years."
    ]
    if fit.degrees < FEW_DEGREES:
        says.append("One earlier look only: the season is known from little more than one year.")
    if fit.p_value >= SURE:
        says.append(
            f"Months of the year do not differ beyond chance (p = {fit.p_value:.2g}), so no season "
            "is claimed; its row shows what it could be."
        )
    return tuple(says)


def _table(
    shares: dict[str, float],
    parts: dict[str, NDArray],
    value: float,
    earlier: float,
    level: float,
) -> pd.DataFrame:
    rows = []
    observed = shares["observed"]
    # the logarithmic mean turns log units into units so that the parts still add up
    per_log = (value - earlier) / observed if observed else earlier
    for part in PARTS:
        low, high = (
            percentiles(parts[part], level) if np.isfinite(shares[part]) else (np.nan, np.nan)
        )
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
