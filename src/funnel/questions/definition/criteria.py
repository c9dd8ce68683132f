"""How far each criterion separates won leads from others, and whether it does so over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.checks import is_unknown
from funnel.contract.errors import ParameterError
from funnel.contract.labels import EVERYBODY, POOLED
from funnel.methods.qualification import (
    FEW_WON,
    HandoffStages,
    Missing,
    handoff_stages,
    mature_leads,
    qualification,
    touch_counts,
)
from funnel.methods.rates import rate, rate_change
from funnel.questions.definition.columns import (
    FEWEST_WON,
    MOST_KINDS,
    SCORES,
    candidates,
    is_number,
    pooled,
    stepped,
)
from funnel.questions.definition.leakage import (
    Leakage,
    dated_after_outcome,
    leakage,
)
from funnel.results import Result, no_rows, rows_of, speaks_for
from funnel.results.small_groups import SmallGroups
from funnel.stats import benjamini_hochberg, difference
from funnel.stats.limits import FALSE_DISCOVERIES
from funnel.stats.stratified import association_p

if TYPE_CHECKING:
    from funnel.dataset import Tables

KEPT, DROPPED, NO_EVIDENCE, EXCLUDED = "kept", "dropped", "no evidence", "excluded"
STABLE, NOT_STABLE, CANNOT_TELL = "stable", "not stable", "cannot tell"
ATTRIBUTE, BEHAVIOUR = "attribute", "behaviour"
ANY, FROM, VALUES = "any", "from", "values"
NO_COLUMN = "no column"
SMALL = 0.2  # of the win rate of all: a difference within that is too small to choose leads by
_ORDER = {KEPT: 0, NO_EVIDENCE: 1, DROPPED: 2, EXCLUDED: 3}
_LEVEL_OF_HALVES = 0.99  # at which two halves are said to differ: every criterion is tested
_STEPS = 5
_DELAYS = 5
_FEWEST_IN_HALF = 10
_RARE = 0.05
Codes = NDArray[np.int64]
Marks = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)
class Criteria(Result):
    """How far each criterion separates won leads from others, on leads with a known outcome.

    `table` has one row per criterion, kept ones first:

    - `criterion`, `kind` (`attribute` or `behaviour`), `used_by` (the definitions that read it),
      `n` leads handed over of which it is known, `n_won`;
    - `split`, what is compared: leads with `any` of a behaviour, leads `from` a number up
      (`split_from`), or leads with one of some `values` (`split_values`); `n_in` such leads;
      `rate_in`, `rate_out` (their win rate and that of the others), `worth` (the difference, points
      of 1) with `worth_low`, `worth_high`;
    - `worth_early`, `worth_late` (in the earlier and in the later half of the leads), `stable`;
    - `p_value`, `q_value` (after Benjamini-Hochberg over the criteria tested);
    - `verdict`: `kept`, `dropped` (its worth is less than a fifth of the win rate of all), `no
      evidence`, or `excluded` (it leaks the outcome: then `leakage` names the test).

    `groups` has one row per criterion and step or value: `n`, `n_won`, `rate` with its interval.
    `leaks` are the excluded columns, `dated` the columns with few values dated after the outcome.
    """

    grouped = (SmallGroups(by=("criterion",), counts={"n": (), "n_won": (), "n_in": ()}),)

    groups: pd.DataFrame
    handoff: HandoffStages
    leaks: tuple[Leakage, ...] = ()
    dated: tuple[Leakage, ...] = ()
    missing: Missing | None = None


@dataclass(frozen=True, eq=False)
class Criterion:
    """A criterion with its value for each lead handed over.

    `kind` is `attribute` or `behaviour`; `is_number` is whether its values are quantities.
    """

    name: str
    kind: str
    cells: pd.Series
    is_number: bool


def criteria(data: Tables, columns: Sequence[str] = ()) -> Criteria:
    """How far each criterion separates won leads from others, and whether it does so over time.

    Parameters
    ----------
    columns
        Columns of leads to test; default: the contract's (annual revenue, employees, industry,
        region, seniority, function) and the company's own, each kind of touch as a behaviour.

    Raises
    ------
    ParameterError
        If leads have no such column.

    Notes
    -----
    Leads are those handed over and mature. The p value is that of a Mantel-Haenszel test within
    quarters of creation (for behaviours also within classes of the time to the hand-off, since a
    lead that waits longer does more). A number is tested for a trend over five steps, words for any
    difference. The worth of a number is the win rate of its upper half less that of its lower. The
    worth of words is the win rate of the values which won more often in the *other* half of time
    less that of the rest, so that no value is chosen by the leads it is measured on.

    A criterion is kept if it is found after Benjamini-Hochberg over all criteria and its interval
    excludes zero. Noise is kept less than once in twenty. Worth is an association.

    References
    ----------
    Landis, Heyman and Koch (1978), Int. Stat. Review 46, 237-254. Benjamini and Hochberg (1995),
    J. R. Stat. Soc. B 57, 289-300. Newcombe (1998), Statistics in Medicine 17, 873-890.
    """
    unknown = [name for name in columns if name not in data.leads]
    if unknown:
        raise ParameterError(
            f"criteria: leads have no column {', '.join(map(repr, unknown))}; they have "
            f"{', '.join(data.leads.columns)}."
        )
    mature = mature_leads(data)
    worked = mature.worked.sort_values("created_at", kind="stable")
    n_won, missing = int(worked["won"].sum()), mature.missing
    if missing is None and not FEWEST_WON <= n_won < len(worked):
        missing = Missing(FEW_WON, n=n_won, of=len(worked))
    leaks = {each.column: each for each in ([] if missing else leakage(data))}
    rows, groups = [], []
    for each in () if missing else _criteria(data, worked, columns):
        row, parts = _measured(data, each, worked, leaks.get(each.name))
        rows.append(row)
        groups += parts
    table = _with_verdicts(pd.DataFrame(rows, columns=_COLUMNS), n_won / max(len(worked), 1))
    if missing is None and table.empty:
        missing = Missing(NO_COLUMN)
    tested = set(table["criterion"])
    return Criteria(
        table=table,
        groups=pd.DataFrame(groups, columns=_GROUP_COLUMNS),
        rows=rows_of(EVERYBODY, "leads", worked["lead_id"]) if len(table) else no_rows(),
        units={"worth": "points of 1", "rate_in": "share won"},
        handoff=handoff_stages(data),
        leaks=tuple(each for each in leaks.values() if each.column in tested),
        dated=tuple(each for each in dated_after_outcome(data) if not each.is_many),
        missing=missing,
        **speaks_for(data),
    )


_COLUMNS = [
    *("criterion", "kind", "used_by", "n", "n_won", "split", "split_from", "split_values"),
    *("n_in", "rate_in", "rate_out"),
    *("worth", "worth_low", "worth_high", "worth_early", "worth_late", "stable"),
    *("p_value", "leakage"),
]
_OF_SIDES = (
    *("split_from", "n_in", "rate_in", "rate_out"),
    *("worth", "worth_low", "worth_high", "worth_early", "worth_late"),
)
_GROUP_COLUMNS = ["criterion", "group", "n", "n_won", "rate", "rate_low", "rate_high"]


def _criteria(data: Tables, worked: pd.DataFrame, columns: Sequence[str]) -> list[Criterion]:
    names = columns or [name for name in candidates(data) if name not in SCORES]
    found = [
        Criterion(name, ATTRIBUTE, data.leads[name].loc[worked.index], is_number(data, name))
        for name in names
    ]
    counts = touch_counts(data)
    if len(counts) and not columns:
        known = counts.set_index("lead_id").reindex(worked["lead_id"]).fillna(0.0)
        kinds = [name for name in known if name != "n_touches"]
        kinds = sorted(kinds, key=lambda name: (-known[name].gt(0).sum(), name))[:MOST_KINDS]
        found += [
            Criterion(name, BEHAVIOUR, known[name], is_number=True)
            for name in sorted(kinds) or ["n_touches"]
            if known[name].min() < known[name].max()
        ]
    return found


def _with_verdicts(table: pd.DataFrame, base: float) -> pd.DataFrame:
    table["q_value"] = (
        benjamini_hochberg(table["p_value"].to_numpy(float)) if len(table) else np.zeros(0)
    )
    table["verdict"] = [_verdict(row, base) for _, row in table.iterrows()]
    order = table["verdict"].map(_ORDER)
    by_size = table["worth"].astype(float).abs().fillna(0.0)
    table = table.assign(order=order, size=-by_size).sort_values(
        ["order", "size", "criterion"], kind="stable"
    )
    return table.drop(columns=["order", "size"]).reset_index(drop=True)


def _verdict(row: pd.Series, base: float) -> str:
    if row["leakage"]:
        return EXCLUDED
    low, high = row["worth_low"], row["worth_high"]
    if np.isnan(low) or np.isnan(row["q_value"]):
        return NO_EVIDENCE
    is_found = row["q_value"] < FALSE_DISCOVERIES and (low > 0 or high < 0)
    flips = row["stable"] == NOT_STABLE and row["worth_early"] * row["worth_late"] < 0
    if is_found and not flips:
        return KEPT
    return DROPPED if not is_found and max(-low, high) <= SMALL * base else NO_EVIDENCE


def _measured(
    data: Tables, criterion: Criterion, worked: pd.DataFrame, leak: Leakage | None
) -> tuple[dict[str, object], list[dict[str, object]]]:
    """Row of a criterion, and one row for each of its steps or values."""
    is_known = ~is_unknown(criterion.cells).to_numpy(bool)
    leads, values = worked[is_known], criterion.cells[is_known]
    won = leads["won"].to_numpy(bool)
    used = [side for side, names in qualification(data).columns.items() if criterion.name in names]
    row: dict[str, object] = {
        "criterion": criterion.name,
        "kind": criterion.kind,
        "used_by": ", ".join(used),
        "n": len(leads),
        "n_won": int(won.sum()),
        "stable": CANNOT_TELL,
        "p_value": np.nan,
        "leakage": leak.test if leak else "",
        **dict.fromkeys(_OF_SIDES, np.nan),
        "split": "",
        "split_values": "",
    }
    if leak or row["n_won"] < FEWEST_WON or row["n_won"] == len(leads) or values.nunique() < 2:
        return row, []
    steps, labels = _steps(criterion, values)
    early = np.arange(len(leads)) < len(leads) / 2
    if criterion.is_number:
        inside, split = _upper_side(criterion, values)
    else:
        inside, split = _values_that_won(steps, labels, won, early)
    row |= split
    stratum = _strata(leads, criterion.kind)
    if criterion.is_number:
        scores = _mid_ranks(steps)
        row["p_value"] = association_p(steps, won, stratum, scores)
    else:
        row["p_value"] = association_p(pooled(steps, won), won, stratum)
    level = data.plan.level
    row |= _worth(inside, won, level)
    parts = [_worth(inside[half], won[half], _LEVEL_OF_HALVES) for half in (early, ~early)]
    row["worth_early"], row["worth_late"] = (part["worth"] for part in parts)
    enough = min(won[early].sum(), won[~early].sum()) >= _FEWEST_IN_HALF
    row["stable"] = _over_time(*parts) if enough else CANNOT_TELL
    return row, _group_rows(criterion, steps, labels, won, level)


def _steps(criterion: Criterion, values: pd.Series) -> tuple[Codes, list[str]]:
    """Step of each lead's value, and the name of each step."""
    steps = pd.factorize(stepped(values, _STEPS), sort=True)[0]
    labels = []
    for step in range(steps.max() + 1):
        here = values[steps == step]
        ends = [here.iloc[0]] if not criterion.is_number else sorted({here.min(), here.max()})
        labels.append(" to ".join(f"{x:.12g}" if criterion.is_number else str(x) for x in ends))
    return steps, labels


def _upper_side(criterion: Criterion, values: pd.Series) -> tuple[Marks, dict[str, object]]:
    """Leads above a value fixed beforehand: any instead of none, or the upper half."""
    numbers = values.to_numpy(float)
    has_any = numbers > 0
    if criterion.kind == BEHAVIOUR and _RARE <= has_any.mean() <= 1 - _RARE:
        return has_any, {"split": ANY}
    middle = np.median(numbers)
    inside = min(numbers > middle, numbers >= middle, key=lambda side: abs(side.mean() - 0.5))
    return inside, {"split": FROM, "split_from": float(numbers[inside].min())}


def _values_that_won(
    steps: Codes, labels: list[str], won: Marks, early: Marks
) -> tuple[Marks, dict[str, object]]:
    """Leads with a value that won more often in the other half of time."""
    inside = np.zeros(len(won), dtype=bool)
    chosen = []
    for learn in (early, ~early):
        n = np.bincount(steps[learn], minlength=len(labels))
        k = np.bincount(steps[learn], won[learn], minlength=len(labels))
        base = won[learn].mean()
        above = (k + base) / (n + 1) > base  # a rare value is shrunk to the rate of all
        inside[~learn] = above[steps[~learn]]
        chosen.append({label for label, is_in in zip(labels, above, strict=True) if is_in})
    both = [label for label in labels if label in chosen[0] & chosen[1]]
    return inside, {"split": VALUES, "split_values": ", ".join(both)}


def _mid_ranks(steps: Codes) -> NDArray[np.float64]:
    size = np.bincount(steps).astype(float)
    return (np.cumsum(size) - size / 2) / size.sum()


def _strata(leads: pd.DataFrame, kind: str) -> Codes:
    label = leads["quarter"].astype("str")
    if kind == BEHAVIOUR and leads["handed_at"].notna().any():
        wait = (leads["handed_at"] - leads["created_at"]).dt.total_seconds()
        edges = np.unique(wait.quantile(np.linspace(0, 1, _DELAYS + 1)[1:-1]))
        label = label + "/" + pd.Series(np.searchsorted(edges, wait), index=leads.index).astype(str)
    return pd.factorize(label)[0]


def _worth(inside: Marks, won: Marks, level: float) -> dict[str, float]:
    n1, n0 = int(inside.sum()), int((~inside).sum())
    rates = rate("rate_in", int(won[inside].sum()), n1, level)
    rates |= rate("rate_out", int(won[~inside].sum()), n0, level)
    known = n1 > 0 and n0 > 0
    return {
        "n_in": n1,
        **{name: rates[name] if known else np.nan for name in ("rate_in", "rate_out")},
        **rate_change(rates, "rate_in", "rate_out", "worth"),
    }


def _over_time(early: dict[str, float], late: dict[str, float]) -> str:
    """Whether the worth of the two halves differs by more than chance gives."""
    ends = [each[name] for each in (late, early) for name in ("worth", "worth_low", "worth_high")]
    if np.isnan(ends).any():
        return CANNOT_TELL
    low, high = difference(*ends)
    if low > 0 or high < 0:
        return NOT_STABLE
    return STABLE if early["worth"] * late["worth"] > 0 else CANNOT_TELL


def _group_rows(
    criterion: Criterion, steps: Codes, labels: list[str], won: Marks, level: float
) -> list[dict[str, object]]:
    codes = steps if criterion.is_number else pooled(steps, won)
    rows = []
    for code in np.unique(codes):
        here = codes == code
        names = {labels[step] for step in np.unique(steps[here])}
        label = next(iter(names)) if len(names) == 1 else POOLED
        n, k = int(here.sum()), int(won[here].sum())
        rows.append(
            {"criterion": criterion.name, "group": label, "n": n, "n_won": k}
            | rate("rate", k, n, level)
        )
    return rows
