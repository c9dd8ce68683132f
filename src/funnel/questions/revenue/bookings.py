"""Bookings compared with recurring revenue: what longer contracts add to bookings alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.methods.change_intervals import change_of_totals
from funnel.results import Result, rows_of, speaks_for
from funnel.results.small_groups import SmallGroups

if TYPE_CHECKING:
    from funnel.dataset import Tables

A_YEAR, LONGER, NO_TERM = "up to a year", "more than a year", "term not recorded"
TERMS = (A_YEAR, LONGER, NO_TERM)
_MONTHS_A_YEAR = 12.5  # months up to which a term counts as a year, for amounts that are rounded


@dataclass(frozen=True, eq=False, kw_only=True)
class BookingsByTerm(Result):
    """Won amount and won MRR by the months that an amount is of.

    `table` has one row per term (`up to a year`, `more than a year`, `term not recorded`): `term`,
    `bookings`, `mrr` (of the same deals), `n`, the same with `_baseline`, and `change` of bookings
    with `change_low` and `change_high`. A deal's term is its amount by its MRR.

    Attributes
    ----------
    term, term_baseline
        Months that the bookings of deals with a term are of, on average by MRR.
    from_mrr, from_term
        Parts of the change of those bookings: the change of won MRR at the earlier term, and the
        change of the term. They add up.
    has_mrr
        Whether any won deal has one.
    """

    grouped = (
        SmallGroups(
            by=("term",),
            counts={
                "n": ("bookings", "mrr", "change"),
                "n_baseline": ("bookings_baseline", "mrr_baseline", "change"),
            },
            add_up=("n", "n_baseline"),
        ),
    )

    term: float
    term_baseline: float
    from_mrr: float
    from_term: float
    has_mrr: bool


def bookings_by_term(data: Tables) -> BookingsByTerm:
    """Bookings and won MRR by term, in the period and in the baseline."""
    deals, comparison = data.deals, data.comparison
    is_won = (deals["outcome"] == "won") & deals["amount"].notna()
    won = deals.loc[is_won, ["deal_id", "closed_at", "amount", "mrr"]]
    months = won["amount"] / won["mrr"].where(won["mrr"] > 0)
    terms = np.select([months > _MONTHS_A_YEAR, months.notna()], [LONGER, A_YEAR], NO_TERM)
    won = won.assign(term=terms)
    parts = [
        won[data.plan.within(won["closed_at"], each)]
        for each in (comparison.period, comparison.baseline)
    ]
    rows = []
    for term in TERMS:
        row: dict[str, object] = {"term": term}
        here = [part[part["term"] == term] for part in parts]
        for each, end in zip(here, ("", "_baseline"), strict=True):
            row |= {
                f"bookings{end}": round(float(each["amount"].sum()), 2),
                f"mrr{end}": round(float(each["mrr"].sum()), 2),
                f"n{end}": len(each),
            }
        amounts = [each["amount"] for each in here]
        low, high = change_of_totals(*amounts, data.plan.level, history=won["amount"])
        change = float(amounts[0].sum() - amounts[1].sum())
        rows.append(row | {"change": round(change, 2), "change_low": low, "change_high": high})
    known = [part[part["term"] != NO_TERM] for part in parts]
    (booked, mrr), (booked_then, mrr_then) = (
        (float(each["amount"].sum()), float(each["mrr"].sum())) for each in known
    )
    term, term_then = (
        total / of if of else np.nan for total, of in ((booked, mrr), (booked_then, mrr_then))
    )
    behind = [
        rows_of(f"{term}, {name}", "deals", part.loc[part["term"] == term, "deal_id"])
        for term in TERMS
        for name, part in zip(("period", "baseline"), parts, strict=True)
    ]
    currency = data.plan.company.currency
    return BookingsByTerm(
        table=pd.DataFrame(rows),
        rows=pd.concat(behind, ignore_index=True),
        units={"bookings": currency, "mrr": f"{currency} a month", "change": currency},
        term=term,
        term_baseline=term_then,
        from_mrr=(mrr - mrr_then) * term_then,
        from_term=mrr * (term - term_then),
        has_mrr=bool(len(known[0]) + len(known[1])),
        **speaks_for(data),
    )
