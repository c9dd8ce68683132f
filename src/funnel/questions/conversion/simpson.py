"""Whether a rate moved the other way within groups than it did for everybody."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from funnel import stats
from funnel.contract.plan import Company
from funnel.questions.conversion.results import COMPARABLE, EVERYBODY, Conversion
from funnel.results import Result, formats

REVERSED, SAME_WAY, NEITHER = "reversed", "same way", "neither is seen to move"
BLENDED_ONLY, WITHIN_ONLY = "for everybody only", "within groups only"


@dataclass(frozen=True, eq=False, kw_only=True)
class Reversals(Result):
    """Each step's change for everybody, beside the same change within groups.

    `table` has one row per column split by and step, at the oldest age that can be compared:
    `segment`, `step`, `age_days`, `n_groups`, `share_compared` (of both spans' leads at the step),
    `change` for everybody with `change_low`, `change_high`; `within` with `within_low`,
    `within_high`: the mean change of the groups, each weighted by its leads of both spans, so that
    another mix of groups moves nothing; `n_against`, groups that went against everybody; and
    `state`: `reversed` (both leave zero out, and differ in sign: Simpson's paradox), `same way`
    (both leave zero out, with one sign), `for everybody only`, `within groups only`, or
    `neither is seen to move`.
    """

    company: Company = field(default_factory=Company)

    @property
    def headline(self) -> str:
        """The steps for which groups and everybody part ways; else that none is seen."""
        if self.table.empty:
            return "No step can be compared within groups."
        turned = self.table[self.table["state"].isin([REVERSED, BLENDED_ONLY])]
        turned = turned.sort_values("state", key=lambda state: state != REVERSED, kind="stable")
        if turned.empty:
            n = formats.number(len(self.table), self.company)
            return (
                "No step is seen to move one way for everybody and the other way within groups "
                f"({n} looked at)."
            )
        return " ".join(self._said(row) for _, row in turned.iterrows())

    def _said(self, row: pd.Series) -> str:
        everybody, within = (
            f"{self._points(row[name])} points "
            + formats.interval(*(self._points(row[f"{name}_{end}"]) for end in ("low", "high")))
            for name in ("change", "within")
        )
        why = (
            "the other way (Simpson's paradox), so read the groups"
            if row["state"] == REVERSED
            else "which cannot be told from none: other groups came, so read the groups"
        )
        return (
            f"{row['step']} moved by {everybody} for everybody, and within groups of "
            f"{row['segment']} by {within}, {why}."
        )

    def _points(self, value: float) -> str:
        return formats.number(100 * value, self.company, digits=1, sign=True)

    def shown(self) -> pd.DataFrame:
        """Give both changes in points, side by side."""
        rows = [row for _, row in self.table.iterrows()]
        both = {
            words: [
                formats.number_estimate(row, name, self.company, times=100, digits=1, sign=True)
                for row in rows
            ]
            for words, name in (("everybody, points", "change"), ("within groups", "within"))
        }
        return pd.DataFrame(
            {
                "step": self.table["step"],
                "by": self.table["segment"],
                **both,
                "groups": [f"{row['n_groups']:g}" for row in rows],
                "": self.table["state"],
            }
        )


def reversals(compared: Conversion) -> Reversals:
    """Hold each step's change for everybody against the change within groups.

    Parameters
    ----------
    compared
        What `funnel.conversion(data, by=...)` answers.

    Notes
    -----
    Direct standardisation: each group's change counts with the group's share of both spans' leads
    that reached the step's first stage. The interval adds the groups' variances. Blank and pooled
    groups count as groups.

    References
    ----------
    Simpson (1951), J. R. Stat. Soc. B 13, 238-241; Kitagawa (1955), J. Am. Stat. Assoc. 50.

    Examples
    --------
    >>> from funnel.questions.conversion import conversion
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> reversals(conversion(Tables.of(leads=leads, as_of="2026-01-31"))).headline
    'No step can be compared within groups.'
    """
    table = compared.table[compared.table["state"] == COMPARABLE]
    rows = []
    for (segment, step), of_step in table[table["segment"] != EVERYBODY].groupby(
        ["segment", "step"], sort=False
    ):
        everybody = table[(table["segment"] == EVERYBODY) & (table["step"] == step)]
        age = min(of_step["age_days"].max(), everybody["age_days"].max())
        here = of_step[of_step["age_days"] == age]
        blended = everybody[everybody["age_days"] == age]
        if len(here) < 2 or blended.empty:
            continue
        rows.append(
            {"segment": segment, "step": step, "age_days": age}
            | _row(here, blended.iloc[0], compared.level)
        )
    columns = ["segment", "step", "age_days", "n_groups", "share_compared"]
    columns += ["change", "change_low", "change_high", "within", "within_low", "within_high"]
    return Reversals(
        table=pd.DataFrame(rows, columns=[*columns, "n_against", "state"]),
        as_of=compared.as_of,
        rows=compared.rows,
        units={"change": "points of 1", "within": "points of 1"},
        level=compared.level,
        company=compared.company,
    )


def _row(groups: pd.DataFrame, everybody: pd.Series, level: float) -> dict[str, object]:
    n = (groups["n"] + groups["n_baseline"]).to_numpy(float)
    weight = n / n.sum()
    change = groups["change"].to_numpy(float)
    within = float(weight @ change)
    below, above = (
        float(np.sqrt(((weight * (groups[f"change_{end}"] - change)) ** 2).sum()))
        for end in ("low", "high")
    )
    low, high = within - below, within + above
    ends = everybody["change_low"], everybody["change_high"]
    sides = [stats.verdict(*pair, 0.0) == stats.MOVED for pair in (ends, (low, high))]
    one_way = np.sign(within) == np.sign(everybody["change"])
    state = {
        (True, True): SAME_WAY if one_way else REVERSED,
        (True, False): BLENDED_ONLY,
        (False, True): WITHIN_ONLY,
        (False, False): NEITHER,
    }[tuple(sides)]
    return {
        "n_groups": len(groups),
        "share_compared": n.sum() / (everybody["n"] + everybody["n_baseline"]),
        "change": everybody["change"],
        "change_low": ends[0],
        "change_high": ends[1],
        "within": within,
        "within_low": low,
        "within_high": high,
        "n_against": int((np.sign(change) == -np.sign(everybody["change"])).sum()),
        "state": state,
    }
