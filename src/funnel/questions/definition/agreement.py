"""How often two definitions, or a definition and what was done, give the same answer."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.methods.qualification import (
    Qualification,
    by_span,
    handoff_stages,
    qualification,
)
from funnel.methods.rates import rate
from funnel.results import Result, no_rows, rows_of, speaks_for
from funnel.results.small_groups import SmallGroups
from funnel.stats import percentiles

if TYPE_CHECKING:
    from funnel.dataset import Tables

HANDED_OVER, ACCEPTED = "handed over", "accepted"
_DRAWS = 2000
_FEWEST = 10
_CELLS = ("n_both", "n_one_only", "n_other_only", "n_neither")


@dataclass(frozen=True, eq=False, kw_only=True)
class Agreement(Result):
    """How often two sides give the same answer for the same leads.

    `table` has one row per pair (`one`, `other`) and `span` (`period`, `baseline`):

    - `n` leads for which both have an answer; `n_both`, `n_one_only`, `n_other_only`, `n_neither`;
    - `agree` (share of leads with the same answer) with `agree_low`, `agree_high`;
      `one_share`, `other_share` (the prevalence: the share that each qualifies); `agree_by_chance`
      (the agreement that those two shares give by chance);
    - `kappa` with `kappa_low`, `kappa_high`: the agreement beyond chance, 1 at most. It is missing
      where both qualify all leads, or none.

    `problems` says why a definition cannot be used; `period` is the label of the period.
    """

    grouped = (
        SmallGroups(
            by=("one", "other"),
            counts=dict.fromkeys(_CELLS, (*_CELLS, "one_share", "other_share")),
            within=("span",),
        ),
    )

    problems: tuple[str, ...] = ()
    period: str = ""


def agreement(data: Tables) -> Agreement:
    """How often the definitions give the same answer as each other and as what was done.

    Parameters
    ----------
    data
        The dataset, with `[definition]` in its plan. Pairs: each two definitions; the agreed one
        with the hand-off, among leads of an age to have been handed over; the agreed one with the
        acceptance, among leads handed over long enough ago.

    Notes
    -----
    Kappa depends on how many leads qualify. Where nearly all or nearly none do, agreement by chance
    is high, and kappa is low however often both give the same answer. So it is always shown with
    the agreement and the two shares. Its interval is that of the four shares given the counts, half
    a lead added to each: resampled counts alone are too narrow where one of the four is small.

    References
    ----------
    Cohen (1960), Educational and Psychological Measurement 20, 37-46. Feinstein and Cicchetti
    (1990), J. Clinical Epidemiology 43, 543-549, for the effect of prevalence.
    """
    known = qualification(data)
    table, rows = [], [no_rows()]
    for one, other, leads in _pairs(data, known):
        for span, here in by_span(data, leads, "created_at").items():
            here = here[here[one].notna() & here[other].notna()]
            first, second = (here[side].to_numpy(bool) for side in (one, other))
            counts = [
                int(cell.sum())
                for cell in (first & second, first & ~second, ~first & second, ~first & ~second)
            ]
            table.append(
                {"one": one, "other": other, "span": span}
                | _compared(counts, data.plan.level, data.plan.seed)
            )
            differ = here.loc[first != second, "lead_id"]
            rows.append(rows_of(f"{one} and {other} differ, {span}", "leads", differ))
    columns = [
        *("one", "other", "span", "n", "n_both", "n_one_only", "n_other_only", "n_neither"),
        *("agree", "agree_low", "agree_high", "one_share", "other_share", "agree_by_chance"),
        *("kappa", "kappa_low", "kappa_high"),
    ]
    return Agreement(
        table=pd.DataFrame(table, columns=columns),
        rows=pd.concat(rows, ignore_index=True),
        units={"agree": "share of leads", "kappa": "1 is full agreement, 0 that of chance"},
        problems=tuple(known.problems.values()),
        period=data.comparison.period.label,
        **speaks_for(data),
    )


def kappa(both: float, one_only: float, other_only: float, neither: float) -> float:
    """Cohen's kappa of two yes-or-no raters from their four counts.

    Returns
    -------
    float
        Not a number where both answer yes to all, or no to all: chance alone then agrees fully.

    References
    ----------
    Cohen (1960), Educational and Psychological Measurement 20, 37-46.

    Examples
    --------
    >>> round(kappa(20, 5, 10, 15), 2)
    0.4
    """
    return float(_kappas(np.array([[both, one_only, other_only, neither]], float))[0])


def kappa_interval(counts: list[int], level: float, seed: int = 0) -> tuple[float, float]:
    """Interval of kappa from the four counts, by draws from Jeffreys' posterior.

    References
    ----------
    Gelman, Carlin, Stern, Dunson, Vehtari and Rubin (2013), Bayesian Data Analysis, section 3.4.

    Examples
    --------
    >>> low, high = kappa_interval([200, 50, 100, 150], 0.9)
    >>> low < 0.4 < high
    True
    """
    random = np.random.default_rng([seed, 3])
    drawn = random.dirichlet(np.asarray(counts, float) + 0.5, size=_DRAWS)
    low, high = percentiles(_kappas(drawn), level)
    return float(low), float(high)


def _kappas(cells: np.ndarray) -> np.ndarray:
    n = cells.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        agree = (cells[:, 0] + cells[:, 3]) / n
        one, other = (cells[:, 0] + cells[:, 1]) / n, (cells[:, 0] + cells[:, 2]) / n
        chance = _by_chance(one, other)
        return np.where(chance < 1, (agree - chance) / (1 - chance), np.nan)


def _by_chance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Agreement of two independent raters, from the share that each says yes to."""
    return one * other + (1 - one) * (1 - other)


def _compared(counts: list[int], level: float, seed: int) -> dict[str, float]:
    n = sum(counts)
    both, one_only, other_only, neither = counts
    value, low, high = kappa(*counts) if n else np.nan, np.nan, np.nan
    if n >= _FEWEST and not np.isnan(value):
        low, high = kappa_interval(counts, level, seed)
        low, high = min(low, value), max(high, value)
    one, other = ((both + only) / n if n else np.nan for only in (one_only, other_only))
    return {
        "n": n,
        "n_both": both,
        "n_one_only": one_only,
        "n_other_only": other_only,
        "n_neither": neither,
        **rate("agree", both + neither, n, level),
        "one_share": one,
        "other_share": other,
        "agree_by_chance": _by_chance(one, other),
        "kappa": value,
        "kappa_low": low,
        "kappa_high": high,
    }


def _pairs(data: Tables, known: Qualification) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Two sides to compare, with the leads for which both could have an answer."""
    for one, other in itertools.combinations(known.sides, 2):
        yield one, other, known.leads
    handoff, leads = handoff_stages(data), known.leads
    if "agreed" not in known.sides or not handoff.is_known:
        return
    mature = leads[leads["age_days"] >= handoff.usual_days]
    passed = mature["handed_at"].notna().astype("boolean")
    yield "agreed", HANDED_OVER, mature.assign(**{HANDED_OVER: passed})
    if handoff.is_decided:
        decided = leads[leads["is_due"]]
        taken = decided["accepted_at"].notna().astype("boolean")
        yield "agreed", ACCEPTED, decided.assign(**{ACCEPTED: taken})
