"""Closed deals of the period and the baseline: their groups and the reasons of the lost ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.dataset.cache import cached
from funnel.dataset.stages import NEW
from funnel.methods.ages import in_days
from funnel.methods.loss_reasons import loss_reasons

if TYPE_CHECKING:
    from funnel.dataset import Tables

ENDS = ("", "_baseline")
_THIRDS = ("smallest third", "middle third", "largest third")
_CYCLES = ("shortest third", "middle third", "longest third")


@cached
def closed_deals(data: Tables) -> pd.DataFrame:
    """Won and lost deals: `is_won`, `days` open, and in which of the two periods they closed."""
    deals = data.deals[data.deals["outcome"].isin(["won", "lost"])]
    deals = deals.assign(
        kind=deals["kind"].fillna(NEW),
        is_won=deals["outcome"].eq("won"),
        days=in_days(deals["closed_at"] - deals["created_at"]),
        reason=loss_reasons(deals["loss_reason"], data.plan.losses),
        buyer=loss_reasons(deals["buyer_reason"], data.plan.losses),
        span="",
    )
    for name in ("period", "baseline"):
        is_here = data.plan.within(deals["closed_at"], getattr(data.comparison, name))
        deals["span"] = deals["span"].mask(is_here, name)
    return deals


def deal_groups(data: Tables, deals: pd.DataFrame) -> dict[str, pd.Series]:
    """Group of each deal by each thing that is recorded: size first, then the others in order."""
    found = {
        "size": _thirds(deals["amount"], deals["span"], _THIRDS),
        "cycle": _thirds(deals["days"], deals["span"], _CYCLES),
    }
    if len(data.leads):
        leads = data.leads.drop_duplicates("lead_id").set_index("lead_id")
        for name, column in (("company type", "industry"), ("channel", "channel")):
            found[name] = deals["lead_id"].map(leads[column])
    found |= {"product": deals["product"], "kind": deals["kind"]}
    if len(data.reps):
        team = data.reps.drop_duplicates("owner").set_index("owner")["team"]
        found["team"] = deals["owner"].map(team)
    return {name: values for name, values in found.items() if values.notna().any()}


def _thirds(values: pd.Series, span: pd.Series, names: tuple[str, ...]) -> pd.Series:
    """Third of each value among the deals of both periods; missing where all are equal."""
    known = values[span.ne("")].dropna()
    cuts = np.quantile(known, (1 / 3, 2 / 3)) if len(known) else np.zeros(2)
    if len(known) == 0 or known.min() == known.max():
        return pd.Series(None, index=values.index, dtype="object")
    third = pd.Series(np.searchsorted(cuts, values.fillna(0.0)), values.index)
    return third.map(dict(enumerate(names))).where(values.notna())
