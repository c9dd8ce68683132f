"""What each criterion is worth: whether it tells won leads from others, and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.contract.errors import ParameterError
from funnel.methods.qualification.handoff import hand_over
from funnel.methods.qualification.leads import judging_rule, matured, touch_counts
from funnel.questions.definition.columns import SCORES, candidates, is_number
from funnel.questions.definition.criteria_result import (
    DROPPED,
    KEPT,
    NO_EVIDENCE,
    SET_ASIDE,
    Criteria,
)
from funnel.questions.definition.criterion import FEWEST_WON, NOT_STABLE, Look, measured
from funnel.questions.definition.late_values import dated_late
from funnel.questions.definition.leakage import set_aside
from funnel.results import formats, no_rows, rows_of
from funnel.stats import benjamini_hochberg

if TYPE_CHECKING:
    from funnel.dataset import Tables

FALSE_DISCOVERIES = 0.05
SMALL = 0.2  # of the win rate of all: a difference within that is too small to choose leads by
_ORDER = {KEPT: 0, NO_EVIDENCE: 1, DROPPED: 2, SET_ASIDE: 3}
_MOST_KINDS = 15


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
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> criteria(Tables.of(leads=leads, as_of="2026-01-31")).headline
    'What each criterion is worth cannot be told: no win of a lead is recorded.'
    """
    old, way = matured(data), hand_over(data)
    tried = old[old["had_a_chance"].to_numpy(bool)].sort_values("created_at", kind="stable")
    n_won = int(tried["won"].sum())
    why = old.attrs["why"]
    if not why and not FEWEST_WON <= n_won < len(tried):
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
    rows, groups = [], []
    for look in () if why else _looks(data, tried, columns):
        row, parts = measured(data, look, tried, late.get(look.name))
        rows.append(row)
        groups += parts
    table = _with_verdicts(pd.DataFrame(rows, columns=_COLUMNS), n_won / max(len(tried), 1))
    return Criteria(
        table=table,
        groups=pd.DataFrame(groups, columns=_GROUP_COLUMNS),
        as_of=data.as_of,
        rows=rows_of("all", "leads", tried["lead_id"]) if len(table) else no_rows(),
        units={"worth": "points of 1", "rate_in": "share won"},
        level=data.plan.level,
        written_caveats=_caveats(data, table),
        company=data.plan.company,
        why=why or ("" if len(table) else "no column of leads is filled"),
        base=n_won / len(tried) if len(tried) else float("nan"),
        unit="leads handed over" if way.is_known else "leads",
    )


_COLUMNS = [
    *("criterion", "kind", "used_by", "n", "n_won", "split", "n_in", "rate_in", "rate_out"),
    *("worth", "worth_low", "worth_high", "worth_early", "worth_late", "stable"),
    *("p_value", "says"),
]
_GROUP_COLUMNS = ["criterion", "group", "n", "n_won", "rate", "rate_low", "rate_high"]


def _looks(data: Tables, tried: pd.DataFrame, columns: Sequence[str] | None) -> list[Look]:
    leads = data.leads.set_index("lead_id")
    names = columns or [name for name in candidates(data) if name not in SCORES]
    looks = [
        Look(name, "attribute", leads.loc[tried["lead_id"], name], is_number(data, name))
        for name in names
    ]
    counts = touch_counts(data)
    if len(counts) and columns is None:
        known = counts.set_index("lead_id").reindex(tried["lead_id"]).fillna(0.0)
        kinds = [name for name in known if name != "n_touches"]
        kinds = sorted(kinds, key=lambda name: (-known[name].gt(0).sum(), name))[:_MOST_KINDS]
        looks += [
            Look(name, "behaviour", known[name], is_number=True)
            for name in sorted(kinds) or ["n_touches"]
            if known[name].min() < known[name].max()
        ]
    return looks


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
