"""How far two definitions, or a definition and what was done, say the same of a lead."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.contract.plan import Company
from funnel.methods.qualification.handoff import hand_over
from funnel.methods.qualification.leads import Judged, in_span, judged
from funnel.questions.definition.results import HANDED_OVER
from funnel.results import Result, formats, no_rows, rows_of
from funnel.stats import percentiles, wilson

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.dataset import Tables

ACCEPTED = "accepted"
_DRAWS = 2000
_FEWEST = 10


@dataclass(frozen=True, eq=False, kw_only=True)
class Agreement(Result):
    """How far two sides say the same of the same leads.

    `table` has one row per pair (`one`, `other`) and `span` (`period`, `baseline`): `n` leads that
    both judge; `n_both`, `n_one_only`, `n_other_only`, `n_neither`; `agree` (share of leads of
    which both say the same) with `agree_low`, `agree_high`; `one_share`, `other_share` (the
    prevalence: how many each takes); `kappa` with `kappa_low`, `kappa_high`: the agreement beyond
    what those two shares give by chance, 1 at most. It is missing where both take all, or none.
    """

    company: Company = field(default_factory=Company)
    period: str = ""

    @property
    def headline(self) -> str:
        """Kappa of the first pair in the period, with the agreement and the two shares."""
        rows = self.table[(self.table["span"] == "period") & (self.table["n"] > 0)]
        if rows.empty:
            return "Fewer than two definitions judge leads of this period: nothing to agree on."
        row = rows.iloc[0]
        return (
            f"Of {formats.number(row['n'], self.company)} leads of {self.period}, {row['one']} and "
            f"{row['other']} say the same of {self._part(row, 'agree')}; kappa is "
            f"{self._kappa(row)} where {row['one']} takes "
            f"{formats.share(row['one_share'], self.company)} and {row['other']} "
            f"{formats.share(row['other_share'], self.company)}."
        )

    def _part(self, row: pd.Series, name: str) -> str:
        share = formats.share(row[name], self.company)
        ends = (formats.number(100 * row[f"{name}_{end}"], self.company) for end in ("low", "high"))
        return f"{share} {formats.interval(*ends)}"

    def _kappa(self, row: pd.Series) -> str:
        if np.isnan(row["kappa"]):
            return "not defined (both take all leads, or none)"
        value, low, high = (
            formats.number(row[f"kappa{end}"], self.company, digits=2)
            for end in ("", "_low", "_high")
        )
        return f"{value} {formats.interval(low, high)}"

    def shown(self) -> pd.DataFrame:
        """Give each pair in the period, with the baseline's kappa beside it."""
        rows = self.table[self.table["span"] == "period"]
        then = self.table[self.table["span"] == "baseline"].set_index(["one", "other"])
        return pd.DataFrame(
            {
                "between": [f"{row['one']} and {row['other']}" for _, row in rows.iterrows()],
                "say the same": [
                    formats.share_estimate(row, "agree", self.company, of="n")
                    for _, row in rows.iterrows()
                ],
                "kappa": [self._kappa(row) for _, row in rows.iterrows()],
                "kappa, baseline": [
                    self._kappa(then.loc[(row["one"], row["other"])]) for _, row in rows.iterrows()
                ],
                "each takes": [
                    f"{formats.share(row['one_share'], self.company)}, "
                    f"{formats.share(row['other_share'], self.company)}"
                    for _, row in rows.iterrows()
                ],
            }
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw kappa and per cent agreement of each pair."""
        from funnel.questions.definition import charts

        return charts.agreement(self, ax)


def agreement(data: Tables) -> Agreement:
    """Say how far the definitions agree on leads, with each other and with what was done.

    Parameters
    ----------
    data
        A company's tables, with `[definition]` in its plan. Pairs: each two definitions; the agreed
        one with what marketing handed over, among leads old enough to have been; the agreed one
        with what sales accepted, among leads handed over long enough ago.

    Notes
    -----
    Kappa depends on how many leads qualify: where nearly all or nearly none do, chance agreement is
    high and kappa low however often both say the same. So it never stands without the agreement and
    the two shares. Its interval is that of the four shares given the counts, half a lead added to
    each: resampled counts alone say too little where one of the four is small or none.

    References
    ----------
    Cohen (1960), Educational and Psychological Measurement 20, 37-46. Feinstein and Cicchetti
    (1990), J. Clinical Epidemiology 43, 543-549, for what prevalence does to it.

    Examples
    --------
    >>> import pandas as pd
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> agreement(Tables.of(leads=leads, as_of="2026-01-31")).headline
    'Fewer than two definitions judge leads of this period: nothing to agree on.'
    """
    who = judged(data)
    table, rows = [], []
    for one, other, leads in _pairs(data, who):
        for span in ("period", "baseline"):
            here = leads[in_span(data, leads["created_at"], span).to_numpy()]
            here = here[here[one].notna() & here[other].notna()]
            first, second = (here[side].to_numpy(bool) for side in (one, other))
            counts = [
                int(cell.sum())
                for cell in (first & second, first & ~second, ~first & second, ~first & ~second)
            ]
            table.append(
                {"one": one, "other": other, "span": span}
                | _measured(counts, data.plan.level, data.plan.seed)
            )
            differ = here.loc[first != second, "lead_id"]
            rows.append(rows_of(f"{one} and {other} differ, {span}", "leads", differ))
    columns = [
        *("one", "other", "span", "n", "n_both", "n_one_only", "n_other_only", "n_neither"),
        *("agree", "agree_low", "agree_high", "one_share", "other_share"),
        *("kappa", "kappa_low", "kappa_high"),
    ]
    return Agreement(
        table=pd.DataFrame(table, columns=columns),
        as_of=data.as_of,
        rows=pd.concat(rows, ignore_index=True) if rows else no_rows(),
        units={"agree": "share of leads", "kappa": "1 is full agreement, 0 that of chance"},
        level=data.plan.level,
        written_caveats=who.caveats,
        company=data.plan.company,
        period=data.comparison.period.label,
    )


def kappa(both: float, one_only: float, other_only: float, neither: float) -> float:
    """Give Cohen's kappa of two yes-or-no judges from their four counts.

    Returns
    -------
    float
        Not a number where both say yes to all, or no to all: chance alone then agrees fully.

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
    """Give the interval of kappa from the four counts, by draws from Jeffreys' posterior.

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
        chance = one * other + (1 - one) * (1 - other)
        return np.where(chance < 1, (agree - chance) / (1 - chance), np.nan)


def _measured(counts: list[int], level: float, seed: int) -> dict[str, float]:
    n = sum(counts)
    both, one_only, other_only, neither = counts
    low, high = wilson(both + neither, n, level) if n else (np.nan, np.nan)
    ends: tuple[float, float] = (np.nan, np.nan)
    value = kappa(*counts) if n else np.nan
    if n >= _FEWEST and not np.isnan(value):
        low_, high_ = kappa_interval(counts, level, seed)
        ends = min(low_, value), max(high_, value)
    return {
        "n": n,
        "n_both": both,
        "n_one_only": one_only,
        "n_other_only": other_only,
        "n_neither": neither,
        "agree": (both + neither) / n if n else np.nan,
        "agree_low": float(low),
        "agree_high": float(high),
        "one_share": (both + one_only) / n if n else np.nan,
        "other_share": (both + other_only) / n if n else np.nan,
        "kappa": value,
        "kappa_low": float(ends[0]),
        "kappa_high": float(ends[1]),
    }


def _pairs(data: Tables, who: Judged) -> list[tuple[str, str, pd.DataFrame]]:
    pairs = [(one, other, who.leads) for one, other in itertools.combinations(who.sides, 2)]
    way = hand_over(data)
    if "agreed" not in who.sides or not way.is_known:
        return pairs
    leads, day = who.leads, pd.Timedelta(days=1)
    old = leads[leads["age_days"] >= way.usual_days]
    passed = old["handed_at"].notna().astype("boolean")
    pairs.append(("agreed", HANDED_OVER, old.assign(**{HANDED_OVER: passed})))
    if way.accepted and way.decision_days == way.decision_days:
        handed = leads[leads["handed_at"].notna()]
        waited = (handed["handed_at"] - handed["created_at"]) / day + way.decision_days
        decided = handed[handed["age_days"] >= waited]
        taken = decided["accepted_at"].notna().astype("boolean")
        pairs.append(("agreed", ACCEPTED, decided.assign(**{ACCEPTED: taken})))
    return pairs
