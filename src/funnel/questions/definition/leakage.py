"""Columns of leads that leak the outcome: they seem to be written once it is known.

Such a column would look like the best criterion of all. It is excluded from every figure that
compares won leads with others, and the page says which test found it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel import checks
from funnel.checks import is_unknown
from funnel.contract.tables import TABLES
from funnel.dataset import stages
from funnel.dataset.cache import cached
from funnel.methods.qualification import handoff_stages, leads_with_handoff, mature_leads
from funnel.questions.definition.columns import (
    CODED,
    FEWEST_WON,
    STEPS,
    candidates,
    date_column,
    stepped,
)
from funnel.stats import benjamini_hochberg, difference_of_rates
from funnel.stats.dispersion import pearson
from funnel.stats.stratified import association_p

if TYPE_CHECKING:
    from funnel.dataset import Tables

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Marks = NDArray[np.bool_]

DATED, FILL, SETTLED, AGE, SHARPNESS = "dated", "fill", "settled", "age", "sharpness"
LEAKS = "leaks"  # why a figure is missing: its column is excluded
FALSE_DISCOVERIES = 0.01  # fewer than elsewhere: a leak found excludes a column from every figure

_FEW_DATED = 0.01  # a smaller share of values dated after the outcome hides little
_MOSTLY = 0.5  # of a date column's cells that must read as dates
_DATE_LENGTH = 10  # letters of a date without a time

_FILL_APART = 0.05  # a smaller difference in fill can hide little

_SETTLED_APART = 0.5  # fields that make a lead be handled sooner come nowhere near it
_SETTLED_P = 1e-4
_FEWEST_SETTLED = 20
_AGES = 10

_AGE_Z = 3.0  # standard errors by which immature leads must look like leads that were not won
_AGE_SHARE = (0.5, 2.0)  # missing part of what separates future wins; a leak misses all of it
_STEEPER = 1.25  # a step explains that much more where something else began on a day
_FEWEST_IMMATURE = 100
_INTERVAL_Z = 1.645

# Areas under the curve that no column known beforehand reaches. The contract says when scores and
# attributes are known, and nothing about columns that it does not know.
_AREA = {"score": 0.95, "grade": 0.95}
_AREA_ATTRIBUTE, _AREA_OTHER = 0.85, 0.75


@dataclass(frozen=True, eq=False)
class Leakage:
    """A column that seems to be written after the outcome, and is excluded.

    A column of which few values are dated so (see `is_many`) is not excluded.

    Attributes
    ----------
    column
        Its name.
    test
        How it was found; it decides what the shares are.
    p_value
        Of the test; missing for `dated` and `sharpness`.
    n, share
        - `dated`: values dated after the outcome, and their share of those with date and outcome;
        - `fill`: won leads, and the share of them that is filled;
        - `settled`: leads that were won or left, and the share filled at the ages of open ones;
        - `age`: immature leads, and the part of the signal of future wins that they lack;
        - `sharpness`: won leads, and the area under the curve.
    n_other, share_other
        The same of what it is compared with: for `dated` all values with a date and an outcome, for
        `fill` other leads, for `settled` open leads, for `sharpness` other leads and the limit.
    low, high
        Interval of the difference in fill (`fill`) or of the missing part (`age`).
    dated_by
        The column of its dates (`dated`).
    """

    column: str
    test: str
    n: int
    share: float
    n_other: int = 0
    share_other: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    p_value: float = float("nan")
    dated_by: str = ""

    @property
    def is_many(self) -> bool:
        """Whether more values are dated after the outcome than a column may have and be kept."""
        return self.n > _FEW_DATED * self.n_other


@cached
def leakage(data: Tables) -> tuple[Leakage, ...]:
    """Columns of leads that seem to be written after the outcome is known.

    Five tests, on leads that were handed over (all leads, where no hand-off is recorded):

    - *dated*: its own date (`score_updated_at` for `score`) lies after the outcome of more than
      one in a hundred leads that have both: see `dated_after_outcome`;
    - *fill*: filled for won leads and for others by shares five points or more apart, compared
      within quarters of creation;
    - *settled*: filled for leads that were won or have left, and for open ones of the same age, by
      shares fifty points or more apart;
    - *age*: immature leads look like leads that were not won, the more so the more recent they
      are. A value known beforehand does not depend on age;
    - *sharpness*: within quarters of creation the area under its curve is above 0.85, for a score
      above 0.95, for a column that the contract does not know above 0.75.

    Returns
    -------
    tuple
        One `Leakage` per column, in the order of `candidates`.

    References
    ----------
    Kaufman, Rosset, Perlich and Stitelman (2012), Leakage in data mining, ACM TKDD 6(4).
    """
    worked, names = mature_leads(data).worked, candidates(data)
    found = {each.column: each for each in dated_after_outcome(data) if each.is_many}
    if worked.empty or not FEWEST_WON <= worked["won"].sum() < len(worked):
        return tuple(found.values())
    found = {each.column: each for each in _by_fill(data, worked, names)} | found
    for name in names:
        each = (
            found.get(name)
            or by_settling(data, name)
            or by_age(data, name)
            or _by_sharpness(data, worked, name)
        )
        if each:
            found[name] = each
    return tuple(found[name] for name in names if name in found)


# --- dated: values with a date after the outcome ---


@cached
def dated_after_outcome(data: Tables) -> tuple[Leakage, ...]:
    """Columns of which some values are dated after the outcome of their lead.

    The outcome is the first of: acceptance by sales (where a stage records it), an exit that the
    lead did not come back from, the win. A column's date is the column of its name with `_at`,
    `_on`, `_updated_at`, `_changed_on` and the like. A date without a time is late from the day
    after the outcome on.
    """
    dates = {name: date_column(data.leads.columns, name) for name in candidates(data)}
    found = []
    for name, dated_by in dates.items():
        if not dated_by:
            continue
        written, has_time = _times(data.leads[dated_by].reset_index(drop=True))
        if written is None:
            continue
        outcome = _ends(data).min(axis=1)
        here = outcome.notna() & written.notna() & ~is_unknown(data.leads[name]).to_numpy(bool)
        on_day = written.dt.tz_localize(None).dt.normalize() > data.plan.local_days(outcome)
        late = here & (written > outcome).where(has_time, on_day)
        if late.any():
            n_late, n = int(late.sum()), int(here.sum())
            found.append(Leakage(name, DATED, n_late, n_late / n, n, dated_by=dated_by))
    return tuple(found)


@cached
def _ends(data: Tables) -> pd.DataFrame:
    """When each lead was accepted, won or left, in the order of leads."""
    if not stages.is_followed_by_lead(data):
        return pd.DataFrame(columns=["accepted", "won", "left"], dtype=stages.UTC_TIME)
    frame = stages.reached(data)
    accepted = leads_with_handoff(data)["accepted_at"]
    won = stages.won_stage(data.plan.stages)
    deals = {stages.opportunity_stage(data.plan.stages), won}
    if handoff_stages(data).accepted in deals:  # where each lead opens a deal, nothing is decided
        accepted = pd.Series(pd.NaT, accepted.index, dtype=stages.UTC_TIME)
    ends = {"accepted": accepted, "won": frame[f"{won}_at"], "left": frame["left_at"]}
    return pd.DataFrame({name: at.reset_index(drop=True) for name, at in ends.items()})


def _times(cells: pd.Series) -> tuple[pd.Series | None, pd.Series]:
    """Cells as times, UTC, and which of them have a time of day; None if they are no dates."""
    if pd.api.types.is_numeric_dtype(cells) or cells.notna().sum() == 0:
        return None, pd.Series(dtype=bool)
    if pd.api.types.is_datetime64_any_dtype(cells):
        times = pd.to_datetime(cells, utc=True)
        has_time = bool((times != times.dt.normalize())[times.notna()].any())
        return times, pd.Series(has_time, cells.index)
    text = cells.map(lambda cell: cell.isoformat() if isinstance(cell, dt.date) else cell)
    text = text.astype("str").str.strip()
    times = pd.to_datetime(text, utc=True, errors="coerce", format="ISO8601")
    if times.notna().sum() < _MOSTLY * text.notna().sum():
        return None, pd.Series(dtype=bool)
    return times, text.str.len() > _DATE_LENGTH


# --- fill and sharpness: won leads compared with others ---


def _by_fill(data: Tables, worked: pd.DataFrame, names: tuple[str, ...]) -> list[Leakage]:
    won, stratum = worked["won"].to_numpy(bool), pd.factorize(worked["quarter"])[0]
    leads = data.leads
    blank = {name: is_unknown(leads[name].loc[worked.index]).to_numpy(bool) for name in names}
    tested = [name for name in names if blank[name].any() and not blank[name].all()]
    p_values = [association_p(blank[name].astype(np.int64), won, stratum) for name in tested]
    found = []
    for name, q_value in zip(tested, benjamini_hochberg(p_values), strict=True):
        (k1, n1), (k0, n0) = ((int((~blank[name] & s).sum()), int(s.sum())) for s in (won, ~won))
        low, high = difference_of_rates(k1, n1, k0, n0, data.plan.level)
        is_apart = abs(k1 / n1 - k0 / n0) >= _FILL_APART and (low > 0 or high < 0)
        if q_value < FALSE_DISCOVERIES and is_apart:
            ends = {"low": float(low), "high": float(high)}
            found.append(
                Leakage(name, FILL, n1, k1 / n1, n0, k0 / n0, p_value=float(q_value), **ends)
            )
    return found


def _by_sharpness(data: Tables, worked: pd.DataFrame, name: str) -> Leakage | None:
    values = data.leads[name].loc[worked.index]
    won = worked["won"].to_numpy(bool)
    area = area_under(stepped(values), won, pd.factorize(worked["quarter"])[0])
    is_attribute = name in TABLES["leads"].by_name
    limit = _AREA.get(name, _AREA_ATTRIBUTE if is_attribute else _AREA_OTHER)
    if area <= limit:
        return None
    return Leakage(name, SHARPNESS, int(won.sum()), area, int((~won).sum()), limit)


def area_under(step: Codes, won: Marks, stratum: Codes | None = None) -> float:
    """Area under the curve of a column whose steps are ordered by their win rates.

    It is 0.5 where the column says nothing about wins, and 1 where it decides them. Pairs are of
    the same stratum. The order is learned on every other lead and applied to the rest, both ways,
    so that many steps alone do not enlarge the area.

    Examples
    --------
    >>> area_under(np.tile([0, 0, 1, 1], 50), np.tile([False, False, True, True], 50))
    1.0
    """
    from scipy.stats import rankdata

    stratum = np.zeros(len(won), dtype=np.int64) if stratum is None else stratum
    half = np.zeros(len(won), dtype=bool)
    for outcome in (True, False):  # as many wins on either side
        at = np.flatnonzero(won == outcome)
        half[at[1::2]] = True
    above, pairs = 0.0, 0.0
    for learn in (half, ~half):
        if not learn.any():
            continue
        n = np.bincount(step[learn], minlength=step.max() + 1)
        k = np.bincount(step[learn], won[learn], minlength=step.max() + 1)
        rate = (k + won[learn].mean()) / (n + 1)
        for each in np.unique(stratum):
            here = ~learn & (stratum == each)
            rank, hit = rankdata(rate[step[here]]), won[here]
            n1, n0 = int(hit.sum()), int((~hit).sum())
            above += rank[hit].sum() - n1 * (n1 + 1) / 2
            pairs += n1 * n0
    return float(above / pairs) if pairs else 0.5


# --- settled: leads with any outcome compared with open ones of the same age ---


def by_settling(data: Tables, name: str) -> Leakage | None:
    """Leakage of a column that is filled for settled leads and blank for open ones of their age.

    Leads are those handed over. A column that is filled with the outcome, whichever it is, shows no
    difference between won and lost, but it is blank while a lead is open.
    """
    is_settled = _ends(data)[["won", "left"]].notna().any(axis=1)
    frame = leads_with_handoff(data).assign(settled=is_settled.to_numpy(bool))
    if handoff_stages(data).is_known:
        frame = frame[frame["handed_at"].notna()]
    settled = frame["settled"].to_numpy(bool)
    values = data.leads[name].loc[frame.index]
    filled = ~is_unknown(values).to_numpy(bool)
    enough = min(settled.sum(), (~settled).sum()) >= _FEWEST_SETTLED
    if not enough or filled.all() or not filled.any():
        return None
    ages = frame["age_days"].to_numpy(float)
    edges = np.unique(np.quantile(ages[~settled], np.linspace(0, 1, _AGES + 1)[1:-1]))
    stratum = np.searchsorted(edges, ages)
    share, share_open = _share_at(filled, settled, stratum), float(filled[~settled].mean())
    p_value = association_p(filled.astype(np.int64), settled, stratum)
    if not (share - share_open >= _SETTLED_APART and p_value < _SETTLED_P):
        return None
    n, n_open = int(settled.sum()), int((~settled).sum())
    return Leakage(name, SETTLED, n, share, n_open, share_open, p_value=float(p_value))


def _share_at(filled: Marks, settled: Marks, stratum: Codes) -> float:
    """Share of settled leads that is filled, at the ages of the open ones."""
    n_open = np.bincount(stratum[~settled], minlength=stratum.max() + 1)
    n = np.bincount(stratum[settled], minlength=stratum.max() + 1)
    k = np.bincount(stratum[settled], filled[settled], minlength=stratum.max() + 1)
    weight = np.where(n > 0, n_open, 0)
    return float((weight * k / np.maximum(n, 1)).sum() / max(weight.sum(), 1))


# --- age: immature leads compared with leads that were not won ---


def by_age(data: Tables, name: str) -> Leakage | None:
    """Leakage of a column by which immature leads look like leads that were not won.

    A value known beforehand is distributed among immature leads as among mature ones. One that is
    written at the outcome makes immature leads look like those not won, by the share of wins that
    is still to come at their age.
    """
    immature, mature, due = _immature(data)
    if len(immature) < _FEWEST_IMMATURE:
        return None
    values = data.leads[name].loc[mature.index.append(immature.index)]
    won = mature["won"].to_numpy(bool)
    step = _fine_steps(values, np.flatnonzero(won))
    before, now = step[: len(mature)], step[len(mature) :]
    size = step.max() + 1
    of_won = (np.bincount(before[won], minlength=size) + 0.5) / (won.sum() + 0.5 * size)
    of_other = (np.bincount(before[~won], minlength=size) + 0.5) / ((~won).sum() + 0.5 * size)
    # how much a value speaks for a win, scaled to 1 on average of mature leads
    signal = of_won / of_other - 1
    average = signal[before].mean()
    if not average > 0:
        return None
    signal = signal / average
    noise = signal[before].var() * _overdispersion(mature, signal[before])
    lacking, to_come = 1 - signal[now], 1 - due
    squares = float((to_come**2).sum())
    if not squares > 0 or not noise > 0:
        return None
    share = float((to_come * lacking).sum() / squares)
    z = share * np.sqrt(squares / noise)
    if z < _AGE_Z or not _AGE_SHARE[0] <= share <= _AGE_SHARE[1]:
        return None
    if _largest_step(immature, lacking) > _STEEPER * share**2 * squares:
        return None
    from scipy.stats import norm

    reach = _INTERVAL_Z * np.sqrt(noise / squares)
    ends = {"low": max(share - reach, 0.0), "high": share + reach}
    return Leakage(name, AGE, len(now), share, p_value=float(norm.sf(z)), **ends)


def _fine_steps(values: pd.Series, at_won: Codes) -> Codes:
    """Steps that are fine also where won leads lie, which may be a small part of all."""
    codes = stepped(values)
    known = ~is_unknown(values).to_numpy(bool)
    if not pd.api.types.is_numeric_dtype(values) or values.nunique() <= CODED:
        return codes
    numbers = values.to_numpy(float)
    of_won = numbers[at_won][known[at_won]]
    if not len(of_won):
        return codes
    share = np.linspace(0, 1, STEPS + 1)[1:-1]
    edges = np.unique(np.r_[np.quantile(of_won, share), np.quantile(numbers[known], share)])
    return np.where(known, np.searchsorted(edges, np.nan_to_num(numbers)), len(edges) + 1)


def _overdispersion(mature: pd.DataFrame, signal: Floats) -> float:
    """Variance of weekly means over what single leads give; at least 1."""
    week = pd.factorize(mature["created_at"].dt.tz_localize(None).dt.to_period("W"))[0]
    n = np.bincount(week)
    residual = np.bincount(week, signal - signal.mean())
    return max(pearson(residual, n * signal.var(), n_fitted=1)[0], 1.0)


def _largest_step(immature: pd.DataFrame, lacking: Floats) -> float:
    """Sum of squares that the best single step in time explains."""
    order = np.argsort(immature["created_at"].to_numpy())[::-1]
    after = np.cumsum(lacking[order])
    n = np.arange(1, len(lacking) + 1)
    return float((after**2 / n)[n >= _FEWEST_IMMATURE / 4].max(initial=0.0))


@cached
def _immature(data: Tables) -> tuple[pd.DataFrame, pd.DataFrame, Floats]:
    """Immature leads, mature ones, and the share of wins that has come at each immature age."""
    mature, frame = mature_leads(data), leads_with_handoff(data)
    immature = frame[(frame["age_days"] < mature.days) & (frame["age_days"] > 0)]
    since = checks.outcomes_recorded_since(data).covered_from
    if since is not None:
        immature = immature[immature["created_at"] >= data.plan.midnight(since)]
    if immature.empty:
        return immature, mature.leads, np.zeros(0)
    wins = checks.maturity(data).incidence
    at_end = float(wins.share(mature.days))
    due = np.clip(wins.share(immature["age_days"]) / at_end, 0, 0.999)
    outcome = checks.times_to(data, "won").set_index("id").loc[immature["lead_id"], "happened"]
    immature = immature.assign(won=outcome.to_numpy(bool))
    return immature[due > 0], mature.leads, due[due > 0]
