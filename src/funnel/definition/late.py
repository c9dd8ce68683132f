"""Columns written after the outcome, which would pass for the sharpest criterion of all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel import coverage, formats
from funnel.coverage import is_unknown
from funnel.coverage.outcomes import incidence
from funnel.coverage.remembered import remembered
from funnel.definition.association import association_p
from funnel.evidence import benjamini_hochberg, difference_of_rates
from funnel.judging.leads import leads_with_moments, matured
from funnel.tables import TABLES, Kind

if TYPE_CHECKING:
    from funnel.load import Tables

Floats = NDArray[np.float64]
CRITERIA = ("annual_revenue", "employees", "industry", "region", "seniority", "job_function")
SCORES = ("score", "grade")
FALSE_DISCOVERIES = 0.01
_APART = 0.05  # a smaller difference in fill can hide little
_SURE = 3.0  # standard errors by which young leads must look like leads that were not won
_MISSING = (0.5, 2.0)  # of what speaks for wins still to come: late writing takes all of it
_MUCH_STEEPER = 1.25  # a step accounts for that much more where something else set in on a day
_FEWEST_YOUNG = 100
_Z = 1.645
# Above these a column tells won leads from others more often than what is known beforehand does.
# The contract says when scores and attributes are known, and nothing of columns it does not know.
_TOO_SHARP = {"score": 0.95, "grade": 0.95}
_TOO_SHARP_ATTRIBUTE, _TOO_SHARP_OTHER = 0.85, 0.75
_STEPS = 8
_MOST_WORDS = 40
_FEWEST_WON = 20
_CODED = 12


@dataclass(frozen=True, eq=False)
class SetAside:
    """A column that is no criterion, since it seems to be written after the outcome.

    `test` is how it was found: `fill`, `age` or `sharpness`; `says` is the sentence for a page.
    """

    column: str
    test: str
    n: int
    p_value: float
    says: str


@remembered
def set_aside(data: Tables) -> tuple[SetAside, ...]:
    """Find columns of leads that seem to be written after the outcome is known.

    Three looks, at leads that were handed over (all, where no hand-over is recorded):

    - *fill*: blank or unknown for won leads and for others by shares five points or more apart,
      compared within quarters of creation;
    - *age*: leads too young for their outcome look by it like leads that were not won, the more so
      the younger they are: what is known beforehand does not depend on age;
    - *sharpness*: within quarters of creation it tells won from not won more often than what is
      known beforehand does (the area under its curve is above 0.85, of a score 0.95, of a column
      that the contract does not know 0.75).

    Parameters
    ----------
    data
        A company's tables.

    Returns
    -------
    tuple
        One `SetAside` per column, in the order of `candidates`.

    References
    ----------
    Kaufman, Rosset, Perlich and Stitelman (2012), Leakage in data mining, ACM TKDD 6(4), for what
    it is.
    """
    old = matured(data)
    tried = old[old["had_a_chance"].to_numpy(bool)] if len(old) else old
    if tried.empty or not _FEWEST_WON <= tried["won"].sum() < len(tried):
        return ()
    names = candidates(data)
    found = {each.column: each for each in _by_fill(data, tried, names)}
    for name in names:
        each = found.get(name) or _by_age(data, name) or _by_sharpness(data, tried, name)
        if each:
            found[name] = each
    return tuple(found[name] for name in names if name in found)


@remembered
def candidates(data: Tables) -> tuple[str, ...]:
    """Name the columns that could be a criterion or a score: the contract's, then others.

    A text column of the company's own counts where it has at most forty values.
    """
    leads = data.leads
    own = [name for name in leads if name not in TABLES["leads"].by_name]
    chosen = []
    for name in (*CRITERIA, *SCORES, *own):
        values = leads[name].dropna()
        if values.empty or values.nunique() < 2:
            continue
        if pd.api.types.is_datetime64_any_dtype(values):
            continue
        is_words = not pd.api.types.is_numeric_dtype(values)
        if name in own and is_words and values.nunique() > _MOST_WORDS:
            continue
        chosen.append(name)
    return tuple(chosen)


def stepped(values: pd.Series, steps: int = _STEPS) -> NDArray[np.int64]:
    """Give each value its step, from 0; blank and unknown come last.

    Numbers are cut into steps of about as many leads each; numbers of few values, and words, are
    steps of their own.
    """
    unknown = is_unknown(values).to_numpy(bool)
    known = values[~unknown]
    codes = np.zeros(len(values), dtype=np.int64)
    if pd.api.types.is_numeric_dtype(known) and known.nunique() > _CODED:
        numbers = known.to_numpy(float)
        edges = np.unique(np.quantile(numbers, np.linspace(0, 1, steps + 1)[1:-1], method="lower"))
        codes[~unknown] = np.searchsorted(edges, numbers, side="left")
    elif len(known):
        codes[~unknown] = pd.factorize(known, sort=True)[0]
    codes[unknown] = codes.max(initial=0) + 1
    return codes


def area_under(
    step: NDArray[np.int64], won: NDArray[np.bool_], stratum: NDArray[np.int64] | None = None
) -> float:
    """Give the area under the curve of a column whose steps are put in order of their win rates.

    Half where it tells nothing, 1 where it tells all. Pairs are of the same stratum. The order is
    learnt on every other lead and used on the rest, both ways, so that many steps alone do not make
    a column look sharp.

    Examples
    --------
    >>> area_under(np.tile([0, 0, 1, 1], 50), np.tile([False, False, True, True], 50))
    1.0
    """
    from scipy.stats import rankdata

    stratum = np.zeros(len(won), dtype=np.int64) if stratum is None else stratum
    turn = np.zeros(len(won), dtype=bool)
    for outcome in (True, False):  # as many wins on either side
        at = np.flatnonzero(won == outcome)
        turn[at[1::2]] = True
    above, pairs = 0.0, 0.0
    for learn in (turn, ~turn):
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


def _by_fill(data: Tables, tried: pd.DataFrame, names: tuple[str, ...]) -> list[SetAside]:
    leads = data.leads.set_index("lead_id").loc[tried["lead_id"]]
    won, stratum = tried["won"].to_numpy(bool), pd.factorize(tried["quarter"])[0]
    blank = {name: is_unknown(leads[name]).to_numpy(bool) for name in names}
    looked = [name for name in names if blank[name].any() and not blank[name].all()]
    q_values = benjamini_hochberg(
        [association_p(blank[name].astype(np.int64), won, stratum) for name in looked]
    )
    found = []
    for name, q_value in zip(looked, q_values, strict=True):
        counts = [(int((~blank[name] & side).sum()), int(side.sum())) for side in (won, ~won)]
        shares = [k / n for k, n in counts]
        low, high = difference_of_rates(*counts[0], *counts[1], data.plan.level)
        if not q_value < FALSE_DISCOVERIES or abs(shares[0] - shares[1]) < _APART:
            continue
        if not (low > 0 or high < 0):
            continue
        company = data.plan.company
        points = [
            formats.number(100 * value, company, digits=1, sign=True)
            for value in (shares[0] - shares[1], low, high)
        ]
        says = (
            f"`{name}` is filled for {formats.share(shares[0], company)} of "
            f"{formats.number(counts[0][1], company)} won leads and for "
            f"{formats.share(shares[1], company)} of {formats.number(counts[1][1], company)} "
            f"others ({points[0]} points {formats.interval(points[1], points[2])}, "
            "within quarters of creation): it seems to be filled in once the outcome shows, and is "
            f"set aside. {_ask(name)}"
        )
        found.append(SetAside(name, "fill", len(won), float(q_value), says))
    return found


def _by_age(data: Tables, name: str) -> SetAside | None:
    """Ask whether leads too young for their outcome look like leads that were not won.

    A value known beforehand is spread among young leads as among old ones. One that is written at
    the outcome makes young leads look like those not won, and the more so the younger they are: by
    the share of wins that is still to come at their age.
    """
    young, old, due = _young(data)
    if young is None or len(young) < _FEWEST_YOUNG:
        return None
    values = data.leads.set_index("lead_id")[name]
    won = old["won"].to_numpy(bool)
    step = _fine_steps(values.loc[[*old["lead_id"], *young["lead_id"]]], np.flatnonzero(won))
    before, now = step[: len(old)], step[len(old) :]
    size = step.max() + 1
    of_won = (np.bincount(before[won], minlength=size) + 0.5) / (won.sum() + 0.5 * size)
    of_other = (np.bincount(before[~won], minlength=size) + 0.5) / ((~won).sum() + 0.5 * size)
    # how much a value speaks for a win, so scaled that old leads have 1 on average
    speaks = of_won / of_other - 1
    usual = speaks[before].mean()
    if not usual > 0:
        return None
    speaks = speaks / usual
    noise = speaks[before].var() * _scatter(old, speaks[before])
    short, to_come = 1 - speaks[now], 1 - due
    squares = float((to_come**2).sum())
    if not squares > 0 or not noise > 0:
        return None
    fits = float((to_come * short).sum() / squares)
    z = fits * np.sqrt(squares / noise)
    if z < _SURE or not _MISSING[0] <= fits <= _MISSING[1]:
        return None
    if _best_step(young, short) > _MUCH_STEEPER * fits**2 * squares:
        return None
    from scipy.stats import norm

    company = data.plan.company
    error = np.sqrt(noise / squares)
    ends = (formats.share(max(fits + way * _Z * error, 0.0), company) for way in (-1, 1))
    says = (
        f"By `{name}`, the {formats.number(len(now), company)} leads too young for their outcome "
        "look like leads that were not won, the more so the younger they are: "
        f"{formats.share(fits, company)} {formats.interval(*ends)} of what speaks for the wins "
        "still to come is missing. It seems to be written when the outcome shows, and is set "
        f"aside. {_ask(name)}"
    )
    return SetAside(name, "age", len(now), float(norm.sf(z)), says)


def _fine_steps(values: pd.Series, at_won: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give steps that are fine also where won leads lie, which may be a small part of all."""
    codes = stepped(values)
    known = ~is_unknown(values).to_numpy(bool)
    if not pd.api.types.is_numeric_dtype(values) or values.nunique() <= _CODED:
        return codes
    numbers = values.to_numpy(float)
    of_won = numbers[at_won][known[at_won]]
    if not len(of_won):
        return codes
    share = np.linspace(0, 1, _STEPS + 1)[1:-1]
    edges = np.unique(np.r_[np.quantile(of_won, share), np.quantile(numbers[known], share)])
    return np.where(known, np.searchsorted(edges, np.nan_to_num(numbers)), len(edges) + 1)


def _scatter(old: pd.DataFrame, speaks: Floats) -> float:
    """How much more weekly means scatter than leads do by themselves; at least 1."""
    week = pd.factorize(old["created_at"].dt.tz_localize(None).dt.to_period("W"))[0]
    n = np.bincount(week).astype(float)
    rest = np.bincount(week, speaks - speaks.mean())
    return max(float((rest**2 / n).mean() / max(speaks.var(), 1e-12)), 1.0)


def _best_step(young: pd.DataFrame, short: Floats) -> float:
    """Squares that a change on the best of all days accounts for."""
    order = np.argsort(young["created_at"].to_numpy())[::-1]
    after = np.cumsum(short[order])
    n = np.arange(1, len(short) + 1)
    return float((after**2 / n)[n >= _FEWEST_YOUNG / 4].max(initial=0.0))


@remembered
def _young(data: Tables) -> tuple[pd.DataFrame | None, pd.DataFrame, Floats]:
    """Leads too young for their outcome, matured ones, and the share of wins come by each age."""
    old = matured(data)
    frame = leads_with_moments(data)
    young = frame[(frame["age_days"] < old.attrs["days"]) & (frame["age_days"] > 0)]
    followed = coverage.times_to(data, "won")
    since = coverage.outcomes_recorded_since(data).covered_from
    if since is not None:
        begin = pd.Timestamp(data.plan.midnight(since))
        followed = followed[followed["created_at"] >= begin]
        young = young[young["created_at"] >= begin]
    if young.empty:
        return None, old, np.zeros(0)
    by_age = incidence(followed)
    at_end = float(by_age(np.array([old.attrs["days"]]))[0])
    due = np.clip(by_age(young["age_days"].to_numpy(float)) / at_end, 0, 0.999)
    outcome = coverage.times_to(data, "won").set_index("id").loc[young["lead_id"], "happened"]
    young = young.assign(won=outcome.to_numpy(bool))
    on_their_way = due > 0
    return young[on_their_way], old, due[on_their_way]


def _by_sharpness(data: Tables, tried: pd.DataFrame, name: str) -> SetAside | None:
    values = data.leads.set_index("lead_id").loc[tried["lead_id"], name]
    won = tried["won"].to_numpy(bool)
    area = area_under(stepped(values), won, pd.factorize(tried["quarter"])[0])
    limit = _TOO_SHARP.get(
        name, _TOO_SHARP_ATTRIBUTE if name in TABLES["leads"].by_name else _TOO_SHARP_OTHER
    )
    if area <= limit:
        return None
    company = data.plan.company
    says = (
        f"`{name}` tells won leads from others in {formats.share(area, company)} of pairs "
        f"({formats.number(won.sum(), company)} won, {formats.number((~won).sum(), company)} not), "
        f"more than the {formats.share(limit, company)} that what is known beforehand reaches: it "
        f"may be measured during or after the outcome, and is set aside. {_ask(name)}"
    )
    return SetAside(name, "sharpness", len(won), float("nan"), says)


def _ask(name: str) -> str:
    return f"Ask {TABLES['leads'].owner} when `{name}` is written."


def is_number(data: Tables, name: str) -> bool:
    """Say whether a column's values are amounts, more and less of which means something."""
    known = TABLES["leads"].by_name.get(name)
    if known is not None:
        return known.kind in (Kind.NUMBER, Kind.MONEY, Kind.COUNT)
    return pd.api.types.is_numeric_dtype(data.leads[name])
