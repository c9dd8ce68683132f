"""Whether a higher grade, or a higher score, comes with more wins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.checks import is_unknown, maturity
from funnel.contract.tables import TABLES
from funnel.methods.qualification import (
    FEW_WON,
    HandoffStages,
    Missing,
    handoff_stages,
    mature_leads,
)
from funnel.methods.rates import rate
from funnel.questions.definition.columns import FEWEST_WON
from funnel.questions.definition.leakage import LEAKS, Leakage, leakage
from funnel.results import Result, no_rows, rows_of, speaks_for
from funnel.results.small_groups import SmallGroups
from funnel.stats import difference_of_rates

if TYPE_CHECKING:
    from funnel.dataset import Tables

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Marks = NDArray[np.bool_]
ORDER, CHANCES = "order", "chances"
IN_ORDER, OUT_OF_ORDER, CANNOT_TELL = "in order", "out of order", "cannot tell"
OFF, NOT_OFF = "off its own chances", "as its own chances"
NO_SCORE, FEW_SCORED = "no score or grade", "few scored"
FALSE_ALARMS = 0.1  # of scores that are right, all tests of one score; `checks.limits` has another
GRADES = TABLES["leads"].by_name["grade"].choices
_DECILES = 10
_DRAWS = 999


@dataclass(frozen=True, eq=False, kw_only=True)
class Calibration(Result):
    """Win rates of leads handed over, by grade and by tenth of the score.

    `table` has one row per group: `by` (`grade` or `score`), `group` (the grade, or the lowest and
    the highest score), `n`, `n_won`, `rate` with `rate_low`, `rate_high`, `expected` (the mean
    score, where scores are chances of 0 to 1; else missing), in rising order of score.

    `verdicts` has one row per test: `by`, `test` (`order`: is a higher group won at least as often
    as any lower one; `chances`: are leads won as often as their scores say), `verdict`,
    `statistic`, `p_value`, and `apart` with `apart_low`, `apart_high` (win rate of the highest
    group less that of the lowest). `leaks` are the columns that were excluded.
    """

    grouped = (
        SmallGroups(
            by=("by", "group"),
            counts={"n": (), "n_won": ("rate",)},
            within=("by",),
            add_up=("n", "n_won"),
        ),
    )

    verdicts: pd.DataFrame
    handoff: HandoffStages
    leaks: tuple[Leakage, ...] = ()
    missing: Missing | None = None


def calibration(data: Tables) -> Calibration:
    """Win rates by grade and by tenth of the score, and whether they rise.

    Parameters
    ----------
    data
        The dataset. Grades other than A to D are not counted.

    Notes
    -----
    Leads are those handed over and mature. Points of a score are no chances, so the test is of the
    order: whether each group wins at least as often as those below. It is the likelihood ratio of
    the rates against rates that never fall. Its p value comes from draws in which all groups win
    equally often, the least favourable case. Only where all scores lie between 0 and 1 are they
    read as chances of a win, and Spiegelhalter's z is added. The tests of one score share one false
    alarm in ten. A score that leaks the outcome is excluded.

    References
    ----------
    Barlow, Bartholomew, Bremner and Brunk (1972), Statistical Inference under Order Restrictions.
    Spiegelhalter (1986), Statistics in Medicine 5, 421-433.
    """
    worked = mature_leads(data).worked
    missing = _missing(data, worked)
    leaks = {each.column: each for each in ([] if missing else leakage(data))}
    tables, verdicts, rows = [], [], [no_rows()]
    leads = data.leads.loc[worked.index]
    for by in () if missing else ("grade", "score"):
        if by in leaks:
            continue
        keep, codes, labels, chances = _grouped(leads, by)
        chances = chances * _share_come(data)  # the last wins come after the age compared at
        won = worked["won"].to_numpy(bool)[keep]
        if won.sum() < FEWEST_WON or len(labels) < 2:
            continue
        table = _rates(by, codes, labels, won, chances, data.plan.level)
        tables.append(table)
        verdicts += _tests(by, table, won, chances, data)
        ids = worked["lead_id"].to_numpy()[keep]
        for code, label in enumerate(labels):
            rows.append(rows_of(f"{by} {label}", "leads", pd.Series(ids[codes == code])))
    leaks = tuple(leaks[by] for by in ("grade", "score") if by in leaks)
    if missing is None and not tables:
        missing = Missing(LEAKS if leaks else FEW_SCORED)
    return Calibration(
        table=pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=_COLUMNS),
        rows=pd.concat(rows, ignore_index=True),
        units={"rate": "share won", "expected": "mean score"},
        verdicts=pd.DataFrame(verdicts, columns=_VERDICT_COLUMNS),
        handoff=handoff_stages(data),
        leaks=leaks,
        missing=missing,
        **speaks_for(data),
    )


def _share_come(data: Tables) -> float:
    """Share of the wins that have come by the age at which leads are compared."""
    found = maturity(data)
    by_then, in_the_end = found.incidence.share([mature_leads(data).days, found.horizon_days])
    return float(min(by_then / in_the_end, 1.0)) if in_the_end > 0 else 1.0


_COLUMNS = ["by", "group", "n", "n_won", "rate", "rate_low", "rate_high", "expected"]
_VERDICT_COLUMNS = [
    *("by", "test", "verdict", "statistic", "p_value", "apart", "apart_low", "apart_high"),
]


def _missing(data: Tables, worked: pd.DataFrame) -> Missing | None:
    if data.leads.empty or not (data.has("leads", "grade") or data.has("leads", "score")):
        return Missing(NO_SCORE)
    if mature_leads(data).missing:
        return mature_leads(data).missing
    n_won = int(worked["won"].sum())
    return Missing(FEW_WON, n=n_won, of=len(worked)) if n_won < FEWEST_WON else None


def _grouped(leads: pd.DataFrame, by: str) -> tuple[Marks, Codes, list[str], Floats]:
    """Marks of the leads that count, their groups, the groups' names from below, and chances."""
    nothing = np.zeros(0)
    if by == "grade":
        keep = leads["grade"].isin(GRADES).to_numpy(bool)
        grades = leads["grade"][keep]
        labels = [grade for grade in GRADES[::-1] if (grades == grade).any()]
        codes = grades.map({grade: code for code, grade in enumerate(labels)})
        return keep, codes.to_numpy(np.int64), labels, nothing
    keep = ~is_unknown(leads["score"]).to_numpy(bool)
    score = leads["score"].to_numpy(float)[keep]
    if not len(score):
        return keep, np.zeros(0, np.int64), [], nothing
    edges = np.unique(
        np.quantile(score, np.linspace(0, 1, _DECILES + 1)[1:-1], method="inverted_cdf")
    )
    codes = pd.factorize(np.searchsorted(edges, score, side="left"), sort=True)[0]
    labels = [
        f"{score[codes == code].min():g} to {score[codes == code].max():g}"
        for code in range(codes.max() + 1)
    ]
    is_chance = score.min() >= 0 and score.max() <= 1 and len(labels) > 2
    return keep, codes, labels, score if is_chance else nothing


def _rates(
    by: str,
    codes: Codes,
    labels: list[str],
    won: Marks,
    chances: Floats,
    level: float,
) -> pd.DataFrame:
    n, k = np.bincount(codes), np.bincount(codes, won)
    expected = np.bincount(codes, chances) / n if len(chances) else np.full(len(n), np.nan)
    return pd.DataFrame(
        [
            {"by": by, "group": label, "n": n[code], "n_won": int(k[code])}
            | rate("rate", int(k[code]), int(n[code]), level)
            | {"expected": expected[code]}
            for code, label in enumerate(labels)
        ]
    )


def _tests(
    by: str, table: pd.DataFrame, won: Marks, chances: Floats, data: Tables
) -> list[dict[str, object]]:
    n, k = table["n"].to_numpy(float), table["n_won"].to_numpy(float)
    limit = FALSE_ALARMS / (2 if len(chances) else 1)
    low, high = difference_of_rates(k[-1], n[-1], k[0], n[0], data.plan.level)
    apart = {
        "apart": k[-1] / n[-1] - k[0] / n[0],
        "apart_low": float(low),
        "apart_high": float(high),
    }
    statistic, p_value = order_p(k, n, seed=data.plan.seed)
    verdict = OUT_OF_ORDER if p_value <= limit else IN_ORDER if low > 0 else CANNOT_TELL
    found = [(ORDER, verdict, statistic, p_value)]
    if len(chances):
        z, p_value = spiegelhalter(won, chances)
        found.append((CHANCES, OFF if p_value <= limit else NOT_OFF, z, p_value))
    names = ("test", "verdict", "statistic", "p_value")
    return [{"by": by} | dict(zip(names, each, strict=True)) | apart for each in found]


def order_p(won: Floats, n: Floats, draws: int = _DRAWS, seed: int = 0) -> tuple[float, float]:
    """Test of whether rates never fall from each group to the next.

    Parameters
    ----------
    won, n
        Counts by group, in the order in which the rate should rise.
    draws, seed
        Draws of the least favourable case, in which all groups have one rate, and their seed.

    Returns
    -------
    tuple of float
        The likelihood ratio statistic (0 where no rate falls) and its p value.

    Examples
    --------
    >>> order_p(np.array([10.0, 20.0, 30.0]), np.array([100.0, 100.0, 100.0]))
    (0.0, 1.0)
    """
    from scipy.optimize import isotonic_regression
    from scipy.special import xlogy

    def statistic(k: Floats) -> float:
        rate, fitted = k / n, isotonic_regression(k / n, weights=n).x
        gain = xlogy(k, rate) + xlogy(n - k, 1 - rate) - xlogy(k, fitted) - xlogy(n - k, 1 - fitted)
        return float(2 * gain.sum())

    found = statistic(won)
    if found < 1e-9:
        return 0.0, 1.0
    random = np.random.default_rng([seed, 5])
    drawn = random.binomial(n.astype(np.int64), won.sum() / n.sum(), size=(draws, len(n)))
    reached = sum(statistic(k.astype(float)) >= found for k in drawn)
    return found, float((reached + 1) / (draws + 1))


def spiegelhalter(won: Marks, chances: Floats) -> tuple[float, float]:
    """Test of whether outcomes are as frequent as their chances say.

    Returns
    -------
    tuple of float
        Spiegelhalter's z and its two-sided p value; 0 and 1 where every chance is a half, 0 or 1.

    References
    ----------
    Spiegelhalter (1986), Statistics in Medicine 5, 421-433.

    Examples
    --------
    >>> z, p_value = spiegelhalter(np.arange(100) < 30, np.full(100, 0.2))
    >>> round(z, 2), round(p_value, 3)
    (2.5, 0.012)
    """
    from scipy.stats import norm

    spread = np.sqrt(((1 - 2 * chances) ** 2 * chances * (1 - chances)).sum())
    if not spread > 0:
        return 0.0, 1.0
    z = float(((won - chances) * (1 - 2 * chances)).sum() / spread)
    return z, float(2 * norm.sf(abs(z)))
