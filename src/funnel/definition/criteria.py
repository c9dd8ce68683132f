"""What each criterion is worth: whether it tells won leads from others, and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel import formats
from funnel.coverage import is_unknown
from funnel.definition.association import association_p, pooled
from funnel.definition.columns import SCORES, SetAside, candidates, is_number, stepped
from funnel.definition.late import set_aside
from funnel.definition.settled import dated_late
from funnel.definition.worth import DROPPED, KEPT, NO_EVIDENCE, SET_ASIDE, Criteria
from funnel.errors import ParameterError
from funnel.evidence import benjamini_hochberg, difference, difference_of_rates, wilson
from funnel.judging.leads import hand_over, judged, judging_rule, matured, touch_counts
from funnel.results import no_rows, rows_of

if TYPE_CHECKING:
    from funnel.load import Tables

STABLE, NOT_STABLE, CANNOT_TELL = "stable", "not stable", "cannot tell"
FALSE_DISCOVERIES = 0.05
SMALL = 0.2  # of the win rate of all: a difference within that is too small to choose leads by
_ORDER = {KEPT: 0, NO_EVIDENCE: 1, DROPPED: 2, SET_ASIDE: 3}
_OF_HALVES = 0.99  # level at which two halves are said to differ: every criterion is looked at
_STEPS = 5
_DELAYS = 5
_FEWEST_WON = 20
_FEWEST_IN_HALF = 10
_MOST_KINDS = 15
_RARE = 0.05
Codes = NDArray[np.int64]
Marks = NDArray[np.bool_]


def criteria(data: Tables, columns: Sequence[str] | None = None) -> Criteria:
    """Say what each criterion is worth: whether it tells won leads from others, and for how long.

    Parameters
    ----------
    data
        A company's tables.
    columns
        Columns of leads to look at; default: the contract's (annual revenue, employees, industry,
        region, seniority, function) and the company's own, each kind of touch as a behaviour.

    Raises
    ------
    ParameterError
        If leads have no such column.

    Notes
    -----
    Leads are those handed over and matured. The p value is that of a Mantel-Haenszel test within
    quarters of creation (for behaviours also within classes of the time to the hand-over, since
    who waits longer does more): for a trend over five steps where the criterion is a number, for
    any difference where it is words. The worth of a number is the win rate of its upper half less
    that of its lower; of words, that of the values which won more often in the *other* half of
    time less that of the rest, so that no value is chosen by the leads it is measured on.

    Kept means found after Benjamini-Hochberg over all criteria, with an interval that leaves zero
    out: a criterion that is noise is kept less than once in twenty. Worth is an association.

    References
    ----------
    Landis, Heyman and Koch (1978), Int. Stat. Review 46, 237-254. Benjamini and Hochberg (1995),
    J. R. Stat. Soc. B 57, 289-300. Newcombe (1998), Statistics in Medicine 17, 873-890.

    Examples
    --------
    >>> from funnel.load import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> criteria(Tables.of(leads=leads, as_of="2026-01-31")).headline
    'What each criterion is worth cannot be told: no win of a lead is recorded.'
    """
    old, way = matured(data), hand_over(data)
    tried = old[old["had_a_chance"].to_numpy(bool)].sort_values("created_at", kind="stable")
    n_won = int(tried["won"].sum())
    why = old.attrs["why"]
    if not why and not _FEWEST_WON <= n_won < len(tried):
        why = (
            f"of {formats.number(len(tried), data.plan.company)} matured leads handed over "
            f"{formats.number(n_won, data.plan.company)} were won"
        )
    unknown = [name for name in columns or () if name not in data.leads]
    if unknown:
        raise ParameterError(
            f"criteria: leads have no column {', '.join(map(repr, unknown))}; they have "
            f"{', '.join(data.leads.columns)}."
        )
    late = {each.column: each for each in ([] if why else set_aside(data))}
    measured, groups = [], []
    for look in () if why else _looks(data, tried, columns):
        row, parts = _measured(data, look, tried, late.get(look.name))
        measured.append(row)
        groups += parts
    table = _with_verdicts(pd.DataFrame(measured, columns=_COLUMNS), n_won / max(len(tried), 1))
    return Criteria(
        table=table,
        groups=pd.DataFrame(groups, columns=_GROUP_COLUMNS),
        as_of=data.as_of,
        rows=rows_of("all", "leads", tried["lead_id"]) if len(table) else no_rows(),
        units={"worth": "points of 1", "rate_in": "share won"},
        level=data.plan.level,
        caveats=_caveats(data, table),
        company=data.plan.company,
        why=why or ("" if len(table) else "no column of leads is filled"),
        base=n_won / len(tried) if len(tried) else float("nan"),
        unit="leads handed over" if way.is_known else "leads",
    )


@dataclass(frozen=True, eq=False)
class _Look:
    """One criterion: its value for each lead tried, its steps, and the side each lead stands on."""

    name: str
    kind: str
    cells: pd.Series
    is_number: bool


_COLUMNS = [
    *("criterion", "kind", "used_by", "n", "n_won", "split", "n_in", "rate_in", "rate_out"),
    *("worth", "worth_low", "worth_high", "worth_early", "worth_late", "stable"),
    *("p_value", "says"),
]
_GROUP_COLUMNS = ["criterion", "group", "n", "n_won", "rate", "rate_low", "rate_high"]


def _looks(data: Tables, tried: pd.DataFrame, columns: Sequence[str] | None) -> list[_Look]:
    leads = data.leads.set_index("lead_id")
    names = columns or [name for name in candidates(data) if name not in SCORES]
    looks = [
        _Look(name, "attribute", leads.loc[tried["lead_id"], name], is_number(data, name))
        for name in names
    ]
    counts = touch_counts(data)
    if len(counts) and columns is None:
        known = counts.set_index("lead_id").reindex(tried["lead_id"]).fillna(0.0)
        kinds = [name for name in known if name != "n_touches"]
        kinds = sorted(kinds, key=lambda name: (-known[name].gt(0).sum(), name))[:_MOST_KINDS]
        looks += [
            _Look(name, "behaviour", known[name], is_number=True)
            for name in sorted(kinds) or ["n_touches"]
            if known[name].min() < known[name].max()
        ]
    return looks


def _measured(
    data: Tables, look: _Look, tried: pd.DataFrame, late: SetAside | None
) -> tuple[dict[str, object], list[dict[str, object]]]:
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
    if late or row["n_won"] < _FEWEST_WON or row["n_won"] == len(leads) or values.nunique() < 2:
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


def _steps(look: _Look, values: pd.Series) -> tuple[Codes, list[str]]:
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


def _upper_side(look: _Look, values: pd.Series) -> tuple[Marks, str]:
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
    look: _Look, steps: Codes, labels: list[str], won: Marks, level: float
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
    if row["says"]:
        return SET_ASIDE
    low, high = row["worth_low"], row["worth_high"]
    if np.isnan(low) or np.isnan(row["q_value"]):
        return NO_EVIDENCE
    is_found = row["q_value"] < FALSE_DISCOVERIES and (low > 0 or high < 0)
    flips = row["stable"] == NOT_STABLE and row["worth_early"] * row["worth_late"] < 0
    if is_found and not flips:
        return KEPT
    return DROPPED if not is_found and max(-low, high) <= SMALL * base else NO_EVIDENCE


def _caveats(data: Tables, table: pd.DataFrame) -> tuple[str, ...]:
    says = [text for text in table["says"] if text]
    few = [each.says for each in dated_late(data) if not each.is_many]
    says += [f"{each}; too few to change what it is worth." for each in few]
    if (table["kind"] == "behaviour").any():
        says.append(judging_rule(data))
    if hand_over(data).is_known and len(table):
        says.append(
            "Worth is measured among leads handed over, the only ones that could be won; a "
            "criterion that decides who is handed over shows only what it adds beyond that."
        )
    return tuple(says)
