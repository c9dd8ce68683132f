"""Closed deals of the period and the baseline: their groups and the reasons of the lost ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.checks import is_unknown
from funnel.contract.labels import NOT_RECORDED
from funnel.contract.placeholders import plain
from funnel.contract.plan import LOSS_REASONS
from funnel.dataset.cache import cached
from funnel.dataset.stages import NEW
from funnel.methods.ages import in_days

if TYPE_CHECKING:
    from funnel.dataset import Tables

ENDS = ("", "_baseline")
NOT_MAPPED, SEVERAL = "not mapped", "several reasons"
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


def loss_reasons(words: pd.Series, known: Mapping[str, str]) -> pd.Series:
    """Reason that each cell means: one of the plan's seven, or why it is none of them.

    Examples
    --------
    >>> cells = pd.Series(["Price (too high)", "went dark", "timing;price", "n/a", "Sponsor left"])
    >>> loss_reasons(cells, {"went dark": "no_decision"}).tolist()
    ['price', 'no_decision', 'several reasons', 'not recorded', 'not mapped']
    """
    own = {plain(word): reason for word, reason in known.items()}
    blank = is_unknown(words)
    meant = {word: _meant(str(word), own) for word in words[~blank].unique()}
    return words.map(meant).astype("object").where(~blank, NOT_RECORDED)


def _meant(cell: str, own: Mapping[str, str]) -> str:
    """The company's mapping first; else the one of the seven whose name the cell holds."""
    if plain(cell) in own:
        return own[plain(cell)]
    parts = [part for part in cell.split(";") if part.strip()]
    if len(parts) > 1:
        found = {_meant(part, own) for part in parts}
        return found.pop() if len(found) == 1 and NOT_MAPPED not in found else SEVERAL
    words = re.sub(r"[\W_]+", " ", cell.casefold())
    named = [r for r in LOSS_REASONS if re.search(rf"\b{r.replace('_', ' ')}\b", words)]
    return named[0] if len(named) == 1 else SEVERAL if named else NOT_MAPPED


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
