"""What each side hears, beside how often it is recorded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from funnel.contract.periods import Comparison
from funnel.questions.why.claim_words import normalised, subject_of
from funnel.questions.why.measures import RATE
from funnel.questions.why.verdicts import Row
from funnel.results import Result, Stated, no_rows, speaks_for, stated_change
from funnel.results.small_groups import SmallGroups
from funnel.stats import wilson

if TYPE_CHECKING:
    from funnel.dataset import Tables

_OUTCOMES = ("won", "lost", "open")
_COUNTS = ("n", "n_linked", *(f"n_{outcome}" for outcome in _OUTCOMES))
_FIGURES = ("value", "value_low", "value_high", "baseline", "change", "low", "high")
_PARTS = ("contribution", "contribution_low", "contribution_high")
COLUMNS = (
    *("what", "heard_by", "first_on", "last_on", *_COUNTS, "driver"),
    *("measure", "unit", "counted", *_FIGURES, "n_period", "n_baseline", "measure_verdict"),
    *(*_PARTS, "contribution_unit", "contribution_verdict"),
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Heard(Result):
    """What sales and marketing hear, beside what the tables hold on it.

    `table` has one row per sentence and team, what was heard most often first: `what`, `heard_by`,
    `first_on`, `last_on`, `n` (times), `n_linked` (with a deal, of which `n_won`, `n_lost`,
    `n_open`), `driver`; the figure that its words name, as of a claim: `measure`, `unit`,
    `counted`, `value` (of a rate with `value_low` and `value_high`), `baseline`, `change`, `low`,
    `high`, `n_period`, `n_baseline`, `measure_verdict`; and what its driver contributes:
    `contribution` with `contribution_low`, `contribution_high`, `contribution_unit` and
    `contribution_verdict`.
    """

    comparison: Comparison

    @property
    def stated(self) -> tuple[Stated, ...]:
        """The figures beside what was heard, as claims state them."""
        rows = self.table.dropna(subset=["measure", "change"]).to_dict("records")
        return tuple(
            each
            for row in rows
            for each in stated_change(
                {**row, "measure": f"{row['measure']} of {row['counted']}",
                 "verdict": row["measure_verdict"]},
                self.comparison,
            )
        )  # fmt: skip

    grouped = (
        SmallGroups(
            by=("measure",),
            counts={"n_period": _FIGURES, "n_baseline": ("baseline", "change", "low", "high")},
            within=("what",),
        ),
    )


def heard(data: Tables, table: pd.DataFrame) -> Heard:
    """What each side hears, beside how often it is recorded.

    Parameters
    ----------
    data
        A dataset; reads `heard`, `deals`, and the tables of the figures that the words name.
    table
        Rows of the bridge after the checks; empty where there is none.

    Notes
    -----
    What was heard is an anecdote: it says that a thing happens, and not how often. Beside it stands
    the base rate: of "too expensive" the share of all lost deals with a reason that were lost on
    price. The words are read as those of a claim are. An item whose deal is not in `deals` stays;
    loading says how many there are.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> deals = pd.DataFrame({"deal_id": ["D-1", "D-2"], "outcome": "lost",
    ...                       "created_at": "2026-04-02", "closed_at": "2026-05-04",
    ...                       "loss_reason": ["price", "timing"]})
    >>> said = pd.DataFrame({"heard_on": ["2026-05-06"], "heard_by": ["sales"],
    ...                      "what": ["Too expensive"], "deal_id": ["D-1"]})
    >>> found = heard(Tables.of(deals=deals, heard=said, as_of="2026-06-30"), pd.DataFrame())
    >>> found.table[["n", "n_lost", "measure", "value", "n_period"]].values.tolist()
    [[1, 1, 'lost on price', 0.5, 2]]
    """
    items = data.heard.sort_values("heard_on", kind="stable")
    outcome = data.deals.set_index("deal_id")["outcome"].fillna("open")
    items = items.assign(
        outcome=items["deal_id"].map(outcome), sentence=items["what"].map(normalised)
    )
    totals = table[table["segment"].isna()].to_dict("records") if len(table) else []
    rows, behind = [], [no_rows()]
    for _, same in items.groupby(["sentence", "heard_by"], sort=False):
        row, ids = _one_sentence(same, totals, data)
        rows.append(row)
        behind += ids
    rows.sort(key=lambda row: -row["n"])
    texts = ("what", "heard_by", "driver", "measure", "unit", "counted", "measure_verdict")
    kinds = dict.fromkeys((*texts, "contribution_unit", "contribution_verdict"), "str")
    kinds |= dict.fromkeys((*_FIGURES, *_PARTS), "float64")
    kinds |= dict.fromkeys((*_COUNTS, "n_period", "n_baseline"), "Int64")
    return Heard(
        table=pd.DataFrame(rows, columns=list(COLUMNS)).astype(kinds),
        rows=pd.concat(behind, ignore_index=True),
        units=dict.fromkeys(_FIGURES, "by `unit`: rate and ratio as shares"),
        comparison=data.comparison,
        **speaks_for(data),
    )


def _one_sentence(
    same: pd.DataFrame, totals: list[Row], data: Tables
) -> tuple[dict[str, Any], list[pd.DataFrame]]:
    newest = {name: each for name, each in same.iloc[-1].items() if isinstance(each, str)}
    outcomes = same["outcome"].value_counts()
    cells: dict[str, Any] = {
        "what": newest["what"],
        "heard_by": newest["heard_by"],
        "first_on": same["heard_on"].min().date().isoformat(),
        "last_on": same["heard_on"].max().date().isoformat(),
        "n": len(same),
        "n_linked": int(outcomes.sum()),
        **{f"n_{name}": int(outcomes.get(name, 0)) for name in _OUTCOMES},
        **_of_driver(newest.get("driver", ""), totals, data.plan.measure),
    }
    words = {"claim": newest["what"], "direction": "same"}
    subject = subject_of(words, str(cells["driver"] or ""), data)
    own = subject.figure(data) if subject.measure and not subject.gap else None
    if own is None or not math.isfinite(own.value):
        return cells, []
    found = own.as_row()
    names = ("measure", "unit", "counted", "value", "baseline", "change", "low", "high")
    cells |= {name: found[name] for name in (*names, "n_period", "n_baseline")}
    cells["measure_verdict"] = own.verdict
    if own.unit == RATE and math.isnan(own.age_days):
        n = own.n[0]
        low, high = wilson(round(own.value * n), n, data.plan.level)
        cells |= {"value_low": float(low), "value_high": float(high)}
    return cells, own.rows_behind(newest["what"], data.comparison)


def _of_driver(name: str, totals: list[Row], measure: str) -> Mapping[str, Any]:
    """A driver's contribution and its verdict; only its name where it is not of the bridge."""
    for row in totals:
        if normalised(row["driver"]) == normalised(name):
            parts = {f"contribution_{part}": row[part] for part in ("low", "high", "verdict")}
            parts["contribution_unit"] = "count" if measure == "wins" else "money"
            return {"driver": row["driver"], "contribution": row["contribution"], **parts}
    return {"driver": name or None}
