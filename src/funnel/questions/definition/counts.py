"""Counts and money under each side's definition, and who falls between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.methods.qualification.handoff import hand_over
from funnel.methods.qualification.leads import SIDES, in_span, judged, judging_rule, matured
from funnel.questions.definition.leakage import set_aside
from funnel.questions.definition.results import (
    BOTH,
    HANDED_OVER,
    NEITHER,
    OPEN,
    SPANS,
    Definitions,
    Overlap,
)
from funnel.results import formats, no_rows, rows_of
from funnel.stats import wilson

if TYPE_CHECKING:
    from funnel.dataset import Tables

_OUTCOMES = ("n_tried", "n_won", "win_rate", "win_rate_low", "win_rate_high", "amount")


def definition(data: Tables) -> Definitions:
    """Count leads, wins and money under marketing's, sales' and the agreed definition.

    Parameters
    ----------
    data
        A company's tables, with `[definition]` in its plan. A definition that cannot be read or
        run is told among the caveats, and the others are counted all the same.

    Notes
    -----
    A lead is judged by what was known when it was handed over (see `docs/definition.md`). Where a
    field that decides is blank, the answer is open, and the lead counts on neither side. Wins are
    those of matured leads, by the age by which 95 % of wins have come, so that younger leads do not
    look as if they won less.

    Examples
    --------
    >>> import pandas as pd
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> definition(Tables.of(leads=leads, as_of="2026-01-31")).headline
    'No definition that can be read is in the plan, so there is none to compare.'
    """
    who, old = judged(data), matured(data)
    way, has_amount = hand_over(data), data.has("deals", "amount")
    frame = who.leads.assign(**{HANDED_OVER: who.leads["handed_at"].notna().astype("boolean")})
    names = [*who.sides, *([HANDED_OVER] if way.is_known and who.sides else [])]
    table, rows = [], []
    for name in names:
        for span in SPANS:
            leads = _of_span(data, frame, old, span)
            answer = leads[name]
            takes = answer.fillna(False).to_numpy(bool)
            n, k = int(answer.notna().sum()), int(takes.sum())
            table.append(
                {
                    "definition": name,
                    "span": span,
                    "expression": who.texts.get(name, way.stage),
                    "n_leads": len(leads),
                    "n_known": n,
                    "n_qualified": k,
                    "share": k / n if n else np.nan,
                    **_ends("share", k, n, data.plan.level),
                    **_outcomes(leads[takes], span, data.plan.level, has_amount=has_amount),
                }
            )
            rows.append(rows_of(f"{name}, {span}", "leads", leads.loc[takes, "lead_id"]))
    columns = [
        *("definition", "span", "expression", "n_leads", "n_known", "n_qualified", "share"),
        *("share_low", "share_high", *_OUTCOMES),
    ]
    return Definitions(
        table=pd.DataFrame(table, columns=columns),
        as_of=data.as_of,
        rows=pd.concat(rows, ignore_index=True) if rows else no_rows(),
        units={
            "share": "of leads known",
            "win_rate": "share",
            "amount": data.plan.company.currency,
        },
        level=data.plan.level,
        written_caveats=_caveats(data),
        company=data.plan.company,
        days=old.attrs["days"],
        period=data.comparison.period.label,
        unit="leads handed over" if hand_over(data).is_known else "leads",
    )


def overlap(data: Tables, sides: tuple[str, str] | None = None) -> Overlap:
    """Say which leads are qualified for both sides, for one only, or for neither.

    Parameters
    ----------
    data
        A company's tables, with `[definition]` in its plan.
    sides
        Two of `marketing`, `sales`, `agreed`; default: the first two that can be read.

    Examples
    --------
    >>> import pandas as pd
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> overlap(Tables.of(leads=leads, as_of="2026-01-31")).headline
    'Fewer than two definitions can be read, so none falls between them.'
    """
    who, old = judged(data), matured(data)
    pair, has_amount = tuple(who.sides[:2] if sides is None else sides), data.has("deals", "amount")
    able = len(pair) == 2 and all(side in who.sides for side in pair)
    table, rows = [], []
    for span in SPANS if able else ():
        leads = _of_span(data, who.leads, old, span)
        labels = groups_of(leads, pair)
        for group in (BOTH, *(f"{side} only" for side in pair), NEITHER, OPEN):
            here = leads[(labels == group).to_numpy()]
            table.append(
                {
                    "group": group,
                    "span": span,
                    "n": len(here),
                    "share": len(here) / len(leads) if len(leads) else np.nan,
                    **_ends("share", len(here), len(leads), data.plan.level),
                    "n_handed_over": int(here["handed_at"].notna().sum()),
                    **_outcomes(here, span, data.plan.level, has_amount=has_amount),
                }
            )
            rows.append(rows_of(f"{group}, {span}", "leads", here["lead_id"]))
    columns = [
        *("group", "span", "n", "share", "share_low", "share_high", "n_handed_over"),
        *_OUTCOMES,
    ]
    return Overlap(
        table=pd.DataFrame(table, columns=columns),
        as_of=data.as_of,
        rows=pd.concat(rows, ignore_index=True) if rows else no_rows(),
        units={"share": "of leads", "win_rate": "share", "amount": data.plan.company.currency},
        level=data.plan.level,
        written_caveats=_caveats(data),
        company=data.plan.company,
        sides=pair if able else ("marketing", "sales"),
        days=old.attrs["days"],
        period=data.comparison.period.label,
        unit="leads handed over" if hand_over(data).is_known else "leads",
    )


def groups_of(leads: pd.DataFrame, sides: tuple[str, ...]) -> pd.Series:
    """Name for each lead who of two sides takes it."""
    one, other = (leads[side] for side in sides)
    known = (one.notna() & other.notna()).to_numpy()
    first, second = (side.fillna(False).to_numpy(bool) for side in (one, other))
    labels = np.select(
        [~known, first & second, first, second],
        [OPEN, BOTH, f"{sides[0]} only", f"{sides[1]} only"],
        NEITHER,
    )
    return pd.Series(labels, index=leads.index)


def _of_span(data: Tables, frame: pd.DataFrame, old: pd.DataFrame, span: str) -> pd.DataFrame:
    if span != "matured":
        return frame[in_span(data, frame["created_at"], span)]
    chosen = frame.loc[old.index]
    return chosen.assign(won=old["won"], had_a_chance=old["had_a_chance"])


def _outcomes(
    leads: pd.DataFrame, span: str, level: float, *, has_amount: bool
) -> dict[str, float]:
    """Count wins among those that had a chance: what was never handed over has no outcome."""
    if span != "matured":
        return dict.fromkeys(_OUTCOMES, np.nan)
    n = int(leads["had_a_chance"].sum())
    n_won = int(leads["won"].sum())
    return {
        "n_tried": n,
        "n_won": n_won,
        "win_rate": n_won / n if n else np.nan,
        **_ends("win_rate", n_won, n, level),
        "amount": float(leads.loc[leads["won"], "amount"].sum()) if has_amount else np.nan,
    }


def _ends(name: str, k: int, n: int, level: float) -> dict[str, float]:
    low, high = wilson(k, n, level) if n else (np.nan, np.nan)
    return {f"{name}_low": float(low), f"{name}_high": float(high)}


def _caveats(data: Tables) -> tuple[str, ...]:
    who, old, company = judged(data), matured(data), data.plan.company
    says = list(who.caveats)
    missing = [side for side in SIDES if side not in who.texts]
    if missing:
        says.append(f"The plan's [definition] leaves out {', '.join(missing)}.")
    if any(name.startswith("n_") for used in who.columns.values() for name in used):
        says.append(judging_rule(data))
    for side in who.sides:
        n_open = int(who.leads[side].isna().sum())
        if n_open:
            says.append(
                f"Of {formats.number(n_open, company)} leads a blank field leaves open whether "
                f"they meet `{side}` ({', '.join(who.columns[side])}); they count on neither side."
            )
    late = {each.column for each in set_aside(data)}
    for side in who.sides:
        read = [name for name in who.columns[side] if name in late]
        if read:
            says.append(
                f"`{side}` reads {', '.join(read)}, which seems to be written after the outcome: "
                "win rates under it may only repeat the outcome."
            )
    if old.attrs["why"]:
        why = old.attrs["why"]
        says.append(f"What became of the leads cannot be told yet: {why}.")
    return tuple(says)
