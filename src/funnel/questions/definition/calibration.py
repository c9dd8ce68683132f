"""Whether a higher grade, or a higher score, goes with more wins."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.checks import is_unknown, maturity, outcomes_recorded_since, times_to
from funnel.checks.outcomes import incidence
from funnel.contract.plan import Company
from funnel.contract.tables import TABLES
from funnel.methods.qualification.handoff import hand_over
from funnel.methods.qualification.leads import matured
from funnel.questions.definition.leakage import set_aside
from funnel.questions.definition.order_tests import order_p, spiegelhalter
from funnel.results import Result, formats, no_rows, rows_of
from funnel.stats import difference_of_rates, wilson

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.dataset import Tables

Floats = NDArray[np.float64]
IN_ORDER, OUT_OF_ORDER, CANNOT_TELL = "in order", "out of order", "cannot tell"
OFF, NOT_OFF = "off its own chances", "as its own chances"
FALSE_ALARMS = 0.1  # of scores that are right, all looks at one score together
GRADES = TABLES["leads"].by_name["grade"].choices
_DECILES = 10
_FEWEST_WON = 20


@dataclass(frozen=True, eq=False, kw_only=True)
class Calibration(Result):
    """Win rates of leads handed over, by grade and by tenth of the score.

    `table` has one row per group: `by` (`grade` or `score`), `group` (the grade, or the score from
    and to), `n`, `n_won`, `rate` with `rate_low`, `rate_high`, `expected` (the mean score, where
    scores are chances of 0 to 1; else missing), in rising order of score.

    `verdicts` has one row per look: `by`, `look` (`order`: is a higher group won at least as often
    as any lower one; `chances`: are leads won as often as their scores say), `verdict`,
    `statistic`, `p_value`, and `apart` with `apart_low`, `apart_high` (win rate of the highest
    group less that of the lowest).
    """

    verdicts: pd.DataFrame
    company: Company = field(default_factory=Company)
    why: str = ""
    unit: str = "leads handed over"

    @property
    def headline(self) -> str:
        """Whether win rates rise with the grade, and with the score."""
        if self.why:
            return f"What grades and scores are worth cannot be told: {self.why}."
        says = [self._says(row) for _, row in self.verdicts.iterrows()]
        n = formats.number(self.table.groupby("by")["n"].sum().max(), self.company)
        return f"Of {n} matured {self.unit}, {'; '.join(says)}."

    def _says(self, row: pd.Series) -> str:
        groups = self.table[self.table["by"] == row["by"]]
        if row["look"] == "chances":
            words = {OFF: "do not come as often as", NOT_OFF: "come about as often as"}
            return f"wins {words[row['verdict']]} the scores say (p {row['p_value']:.2f})"
        if row["by"] == "grade":
            rates = ", ".join(
                f"{group} {formats.share(rate, self.company, digits=1)}"
                for group, rate in zip(groups["group"][::-1], groups["rate"][::-1], strict=True)
            )
            name = f"grades win {rates}"
        else:
            ends = [
                formats.share(groups["rate"].iloc[at], self.company, digits=1) for at in (0, -1)
            ]
            name = f"tenths of the score win from {ends[0]} (lowest) to {ends[1]} (highest)"
        tail = {
            IN_ORDER: "each at least as often as those below it, as far as can be seen",
            OUT_OF_ORDER: "and not in the order of their names",
            CANNOT_TELL: "and highest and lowest cannot be told apart",
        }[row["verdict"]]
        return f"{name}, {tail}"

    def shown(self) -> pd.DataFrame:
        """Give each grade and tenth with its win rate."""
        each = [row for _, row in self.table[::-1].iterrows()]
        each.sort(key=lambda row: row["by"] != "grade")
        shown = pd.DataFrame(
            {
                "by": [row["by"] for row in each],
                "group": [row["group"] for row in each],
                "won": [formats.share_estimate(row, "rate", self.company, of="n") for row in each],
            }
        )
        if self.table["expected"].notna().any():
            shown["expected by the score"] = [
                formats.share(row["expected"], self.company, digits=1) for row in each
            ]
        return shown

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw win rates by grade and by tenth of the score."""
        from funnel.questions.definition import charts

        return charts.calibration(self, ax)


def calibration(data: Tables) -> Calibration:
    """Say whether win rates rise with the grade and with the score.

    Parameters
    ----------
    data
        A company's tables. Grades other than A to D are no grade, and are not counted.

    Notes
    -----
    Leads are those handed over and matured. Points of a score are no chances, so what is asked is
    the order: whether each group wins at least as often as those below. The test is the likelihood
    ratio of the rates as they are against rates that never fall; its p value comes from draws in
    which all groups win equally often, the hardest case. Only where all scores lie between 0 and 1
    are they read as chances of a win, and Spiegelhalter's z is added. The looks of one score share
    one false alarm in ten. A score that seems to be written after the outcome is set aside.

    References
    ----------
    Barlow, Bartholomew, Bremner and Brunk (1972), Statistical Inference under Order Restrictions.
    Spiegelhalter (1986), Statistics in Medicine 5, 421-433.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> calibration(Tables.of(leads=leads, as_of="2026-01-31")).headline
    'What grades and scores are worth cannot be told: no score or grade is filled.'
    """
    old, company = matured(data), data.plan.company
    tried = old[old["had_a_chance"].to_numpy(bool)]
    why = _why_not(data, tried)
    late = {each.column: each for each in ([] if why else set_aside(data))}
    tables, verdicts, rows = [], [], []
    leads = data.leads.set_index("lead_id").loc[tried["lead_id"]]
    for by in () if why else ("grade", "score"):
        if by in late:
            continue
        keep, codes, labels, chances = _grouped(leads, by)
        chances = chances * _come(data)  # the last wins come after the age that all are judged at
        won = tried["won"].to_numpy(bool)[keep]
        if won.sum() < _FEWEST_WON or len(labels) < 2:
            continue
        table = _rates(by, codes, labels, won, chances, data.plan.level)
        tables.append(table)
        verdicts += _looks(by, table, won, chances, data)
        ids = tried["lead_id"].to_numpy()[keep]
        for code, label in enumerate(labels):
            rows.append(rows_of(f"{by} {label}", "leads", pd.Series(ids[codes == code])))
    if not why and not tables:
        why = "too few leads with a score or grade were handed over, or won"
        if late:
            why = "what there is seems to be written after the outcome"
    return Calibration(
        table=pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=_COLUMNS),
        verdicts=pd.DataFrame(verdicts, columns=_VERDICT_COLUMNS),
        as_of=data.as_of,
        rows=pd.concat(rows, ignore_index=True) if rows else no_rows(),
        units={"rate": "share won", "expected": "mean score"},
        level=data.plan.level,
        written_caveats=tuple(late[by].says for by in ("grade", "score") if by in late),
        company=company,
        why=why,
        unit="leads handed over" if hand_over(data).is_known else "leads",
    )


def _come(data: Tables) -> float:
    """Share of the wins that have come by the age at which all leads are judged."""
    how_long, followed = maturity(data), times_to(data, "won")
    since = outcomes_recorded_since(data).covered_from
    if since is not None:
        followed = followed[followed["created_at"] >= pd.Timestamp(data.plan.midnight(since))]
    ages = np.array([matured(data).attrs["days"], how_long.horizon_days])
    by_then, in_the_end = incidence(followed)(ages)
    return float(min(by_then / in_the_end, 1.0)) if in_the_end > 0 else 1.0


_COLUMNS = ["by", "group", "n", "n_won", "rate", "rate_low", "rate_high", "expected"]
_VERDICT_COLUMNS = [
    *("by", "look", "verdict", "statistic", "p_value", "apart", "apart_low", "apart_high"),
]


def _why_not(data: Tables, tried: pd.DataFrame) -> str:
    old, company = matured(data), data.plan.company
    filled = [by for by in ("grade", "score") if not data.leads.empty and data.has("leads", by)]
    if not filled:
        return "no score or grade is filled"
    if old.attrs["why"]:
        return old.attrs["why"]
    n_won = int(tried["won"].sum())
    if n_won < _FEWEST_WON:
        return (
            f"of {formats.number(len(tried), company)} matured leads handed over "
            f"{formats.number(n_won, company)} were won"
        )
    return ""


def _grouped(
    leads: pd.DataFrame, by: str
) -> tuple[NDArray[np.bool_], NDArray[np.int64], list[str], Floats]:
    """Give who counts, the group of each of them, the groups' names from below, and chances."""
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
    codes: NDArray[np.int64],
    labels: list[str],
    won: NDArray[np.bool_],
    chances: Floats,
    level: float,
) -> pd.DataFrame:
    n, k = np.bincount(codes), np.bincount(codes, won)
    low, high = wilson(k, n, level)
    expected = np.bincount(codes, chances) / n if len(chances) else np.full(len(n), np.nan)
    return pd.DataFrame(
        {
            "by": by,
            "group": labels,
            "n": n,
            "n_won": k.astype(int),
            "rate": k / n,
            "rate_low": low,
            "rate_high": high,
            "expected": expected,
        }
    )


def _looks(
    by: str, table: pd.DataFrame, won: NDArray[np.bool_], chances: Floats, data: Tables
) -> list[dict[str, object]]:
    n, k = table["n"].to_numpy(float), table["n_won"].to_numpy(float)
    limit = FALSE_ALARMS / (2 if len(chances) else 1)
    statistic, p_value = order_p(k, n, seed=data.plan.seed)
    low, high = difference_of_rates(k[-1], n[-1], k[0], n[0], data.plan.level)
    verdict = OUT_OF_ORDER if p_value <= limit else IN_ORDER if low > 0 else CANNOT_TELL
    apart = {
        "apart": k[-1] / n[-1] - k[0] / n[0],
        "apart_low": float(low),
        "apart_high": float(high),
    }
    found = [
        {"by": by, "look": "order", "verdict": verdict, "statistic": statistic, "p_value": p_value}
        | apart
    ]
    if len(chances):
        z, p_value = spiegelhalter(won, chances)
        verdict = OFF if p_value <= limit else NOT_OFF
        found.append(
            {"by": by, "look": "chances", "verdict": verdict, "statistic": z, "p_value": p_value}
            | apart
        )
    return found
