"""Simpson's paradox: whether a rate changed in another direction within groups than overall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from funnel import stats
from funnel.contract.labels import EVERYBODY
from funnel.questions.conversion.stage_rates import COMPARABLE
from funnel.results import Result

REVERSED, SAME, NEITHER = "reversed", "same direction", "neither"
OVERALL_ONLY, WITHIN_ONLY = "overall only", "within groups only"
_STATES = {
    (True, False): OVERALL_ONLY,
    (False, True): WITHIN_ONLY,
    (False, False): NEITHER,
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Simpson(Result):
    """Each step's change overall, and the same change within groups.

    `table` has one row per column split by and step, at the oldest age that can be compared:
    `segment`, `step`, `age_days`, `n_groups`, `share_compared` (of both spans' leads at the step),
    `change` overall with `change_low`, `change_high`; `within` with `within_low`, `within_high`:
    the mean change of the groups, each weighted by its leads of both spans, so that another mix
    of groups changes nothing; `n_against`, groups that changed in the other direction than all
    leads; and `state`: `reversed` (both leave zero out, and differ in sign: Simpson's paradox),
    `same direction` (both leave zero out, with one sign), `overall only`, `within groups only`, or
    `neither`.
    """


def simpson(compared: Result) -> Simpson:
    """Each step's change overall, and within the groups of a split comparison.

    Parameters
    ----------
    compared
        `funnel.conversion(data, by=...)`, or any result with such a table.

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
    >>> simpson(conversion(Tables.of(leads=leads, as_of="2026-01-31"))).headline
    'No step can be compared within groups.'
    """
    table = compared.table[compared.table["state"] == COMPARABLE]
    rows = []
    for (segment, step), of_step in table[table["segment"] != EVERYBODY].groupby(
        ["segment", "step"], sort=False
    ):
        overall = table[(table["segment"] == EVERYBODY) & (table["step"] == step)]
        age = min(of_step["age_days"].max(), overall["age_days"].max())
        of_groups = of_step[of_step["age_days"] == age]
        of_all = overall[overall["age_days"] == age]
        if len(of_groups) < 2 or of_all.empty:
            continue
        rows.append(
            {"segment": segment, "step": step, "age_days": age}
            | _row(of_groups, of_all.iloc[0], compared.level)
        )
    columns = ["segment", "step", "age_days", "n_groups", "share_compared"]
    columns += ["change", "change_low", "change_high", "within", "within_low", "within_high"]
    return Simpson(
        table=pd.DataFrame(rows, columns=[*columns, "n_against", "state"]),
        as_of=compared.as_of,
        rows=compared.rows,
        units={"change": "points of 1", "within": "points of 1"},
        level=compared.level,
        company=compared.company,
    )


def _row(groups: pd.DataFrame, overall: pd.Series, level: float) -> dict[str, object]:
    n = (groups["n"] + groups["n_baseline"]).to_numpy(float)
    weight = n / n.sum()
    change = groups["change"].to_numpy(float)
    within = float(weight @ change)
    below, above = (
        float(np.sqrt(((weight * (groups[f"change_{end}"] - change)) ** 2).sum()))
        for end in ("low", "high")
    )
    low, high = within - below, within + above
    ends = overall["change_low"], overall["change_high"]
    moved = tuple(stats.verdict(*pair, 0.0) == stats.MOVED for pair in (ends, (low, high)))
    is_same = np.sign(within) == np.sign(overall["change"])
    return {
        "n_groups": len(groups),
        "share_compared": n.sum() / (overall["n"] + overall["n_baseline"]),
        "change": overall["change"],
        "change_low": ends[0],
        "change_high": ends[1],
        "within": within,
        "within_low": low,
        "within_high": high,
        "n_against": int((np.sign(change) == -np.sign(overall["change"])).sum()),
        "state": (SAME if is_same else REVERSED) if all(moved) else _STATES[moved],
    }
