"""One criterion measured: win rates on both sides of it, by step, and in both halves of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.checks import is_unknown
from funnel.methods.qualification.leads import judged
from funnel.questions.definition.association import association_p, pooled
from funnel.questions.definition.columns import SetAside, stepped
from funnel.stats import difference, difference_of_rates, wilson

if TYPE_CHECKING:
    from funnel.dataset import Tables

STABLE, NOT_STABLE, CANNOT_TELL = "stable", "not stable", "cannot tell"
FEWEST_WON = 20
_OF_HALVES = 0.99  # level at which two halves are said to differ: every criterion is looked at
_STEPS = 5
_DELAYS = 5
_FEWEST_IN_HALF = 10
_RARE = 0.05
Codes = NDArray[np.int64]
Marks = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Look:
    """One criterion: its value for each lead tried, its steps, and the side each lead stands on."""

    name: str
    kind: str
    cells: pd.Series
    is_number: bool


def measured(
    data: Tables, look: Look, tried: pd.DataFrame, late: SetAside | None
) -> tuple[dict[str, object], list[dict[str, object]]]:
    """Give a criterion's row, and one row for each of its steps or values.

    Parameters
    ----------
    data
        A company's tables.
    look
        The criterion.
    tried
        Leads handed over and matured, in order of creation.
    late
        Why it is set aside, if it is: then nothing is measured.
    """
    is_known = ~is_unknown(look.cells).to_numpy(bool)
    leads, values = tried[is_known], look.cells[is_known]
    won = leads["won"].to_numpy(bool)
    used = [side for side, names in judged(data).columns.items() if look.name in names]
    row: dict[str, object] = {
        "criterion": look.name,
        "kind": look.kind,
        "used_by": ", ".join(used),
        "n": len(leads),
        "n_won": int(won.sum()),
        "stable": CANNOT_TELL,
        "p_value": np.nan,
        "says": late.says if late else "",
        "split": "",
    }
    for name in ("n_in", "rate_in", "rate_out", "worth", "worth_low", "worth_high"):
        row[name] = np.nan
    row |= {"worth_early": np.nan, "worth_late": np.nan}
    if late or row["n_won"] < FEWEST_WON or row["n_won"] == len(leads) or values.nunique() < 2:
        return row, []
    steps, labels = _steps(look, values)
    early = np.arange(len(leads)) < len(leads) / 2
    if look.is_number:
        inside, split = _upper_side(look, values)
    else:
        inside, split = _values_that_won(steps, labels, won, early)
    row["split"] = split
    stratum = _strata(leads, look.kind)
    if look.is_number:
        scores = _mid_ranks(steps)
        row["p_value"] = association_p(steps, won, stratum, scores)
    else:
        row["p_value"] = association_p(pooled(steps, won), won, stratum)
    level = data.plan.level
    row |= _worth(inside, won, level)
    parts = [_worth(inside[half], won[half], _OF_HALVES) for half in (early, ~early)]
    row["worth_early"], row["worth_late"] = (part["worth"] for part in parts)
    enough = min(won[early].sum(), won[~early].sum()) >= _FEWEST_IN_HALF
    row["stable"] = _over_time(*parts) if enough else CANNOT_TELL
    return row, _group_rows(look, steps, labels, won, level)


def _steps(look: Look, values: pd.Series) -> tuple[Codes, list[str]]:
    """Give each lead the step of its value, and each step a name."""
    steps = stepped(values, _STEPS)
    steps = pd.factorize(steps, sort=True)[0]
    labels = []
    for step in range(steps.max() + 1):
        here = values[steps == step]
        if not look.is_number:
            labels.append(str(here.iloc[0]))
            continue
        low, high = here.min(), here.max()
        labels.append(_plain(low) if low == high else f"{_plain(low)} to {_plain(high)}")
    return steps, labels


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:,.4g}"


def _upper_side(look: Look, values: pd.Series) -> tuple[Marks, str]:
    """Part leads at a value fixed beforehand: any against none, or the upper half."""
    numbers = values.to_numpy(float)
    any_ = numbers > 0
    if look.kind == "behaviour" and _RARE <= any_.mean() <= 1 - _RARE:
        return any_, "any"
    middle = np.median(numbers)
    inside = min(numbers > middle, numbers >= middle, key=lambda side: abs(side.mean() - 0.5))
    return inside, f"from {_plain(numbers[inside].min())} up"


def _values_that_won(
    steps: Codes, labels: list[str], won: Marks, early: Marks
) -> tuple[Marks, str]:
    """Part leads by the values that won more often in the other half of time."""
    inside = np.zeros(len(won), dtype=bool)
    chosen = []
    for learn in (early, ~early):
        n = np.bincount(steps[learn], minlength=len(labels))
        k = np.bincount(steps[learn], won[learn], minlength=len(labels))
        base = won[learn].mean()
        above = (k + base) / (n + 1) > base  # a value hardly seen is taken to be like all
        inside[~learn] = above[steps[~learn]]
        chosen.append({label for label, is_in in zip(labels, above, strict=True) if is_in})
    both = [label for label in labels if label in chosen[0] & chosen[1]]
    return inside, ", ".join(both) or "no value in both halves of time"


def _mid_ranks(steps: Codes) -> NDArray[np.float64]:
    size = np.bincount(steps).astype(float)
    return (np.cumsum(size) - size / 2) / size.sum()


def _strata(leads: pd.DataFrame, kind: str) -> Codes:
    label = leads["quarter"].astype("str")
    if kind == "behaviour" and leads["handed_at"].notna().any():
        wait = (leads["handed_at"] - leads["created_at"]).dt.total_seconds()
        edges = np.unique(wait.quantile(np.linspace(0, 1, _DELAYS + 1)[1:-1]))
        label = label + "/" + pd.Series(np.searchsorted(edges, wait), index=leads.index).astype(str)
    return pd.factorize(label)[0]


def _worth(inside: Marks, won: Marks, level: float) -> dict[str, float]:
    n1, n0 = int(inside.sum()), int((~inside).sum())
    k1, k0 = int(won[inside].sum()), int(won[~inside].sum())
    if not (n1 and n0):
        return {
            "n_in": n1,
            "rate_in": np.nan,
            "rate_out": np.nan,
            "worth": np.nan,
            "worth_low": np.nan,
            "worth_high": np.nan,
        }
    low, high = difference_of_rates(k1, n1, k0, n0, level)
    return {
        "n_in": n1,
        "rate_in": k1 / n1,
        "rate_out": k0 / n0,
        "worth": k1 / n1 - k0 / n0,
        "worth_low": float(low),
        "worth_high": float(high),
    }


def _over_time(early: dict[str, float], late: dict[str, float]) -> str:
    """Say whether the worth of the two halves differs by more than chance shows."""
    ends = [each[name] for each in (late, early) for name in ("worth", "worth_low", "worth_high")]
    if np.isnan(ends).any():
        return CANNOT_TELL
    low, high = difference(*ends)
    if low > 0 or high < 0:
        return NOT_STABLE
    return STABLE if early["worth"] * late["worth"] > 0 else CANNOT_TELL


def _group_rows(
    look: Look, steps: Codes, labels: list[str], won: Marks, level: float
) -> list[dict[str, object]]:
    codes = steps if look.is_number else pooled(steps, won)
    rows = []
    for code in np.unique(codes):
        here = codes == code
        names = {labels[step] for step in np.unique(steps[here])}
        n, k = int(here.sum()), int(won[here].sum())
        low, high = wilson(k, n, level)
        label = next(iter(names)) if len(names) == 1 else "smaller groups"
        rows.append(
            {
                "criterion": look.name,
                "group": label,
                "n": n,
                "n_won": k,
                "rate": k / n,
                "rate_low": float(low),
                "rate_high": float(high),
            }
        )
    return rows
