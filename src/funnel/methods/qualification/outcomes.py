"""Mature leads: their outcome is known, and they are compared at the same age."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel import checks
from funnel.dataset.cache import cached
from funnel.methods.qualification.handoff import handoff_stages, leads_with_handoff

if TYPE_CHECKING:
    from funnel.dataset import Tables

NO_OUTCOME, NO_WIN, FEW_WINS, NONE_MATURE = "no outcome", "no win", "few wins", "none mature"
NO_HANDOFF, FEW_WON = "no hand-off", "few won"
_DAY = pd.Timedelta(days=1)


@dataclass(frozen=True)
class Missing:
    """What the data lacks for an answer: a code, with the counts and the name that belong to it.

    The sentence is in `text.py` of the question that has no answer.
    """

    code: str
    n: float = float("nan")
    of: float = float("nan")
    name: str = ""


@dataclass(frozen=True, eq=False)
class MatureLeads:
    """Leads whose outcome is known.

    Attributes
    ----------
    leads
        The columns of `leads_with_handoff`, with `won` (by the age of `days`), `had_a_chance`
        (handed over by that age; true where no hand-off is recorded) and `quarter` of creation.
    days
        The age by which 95 % of the wins have come; not a number with too few wins to say.
    missing
        Why there are none, if there are none.
    """

    leads: pd.DataFrame
    days: float
    missing: Missing | None = None

    @property
    def worked(self) -> pd.DataFrame:
        """Those that were handed over, the only ones that could be won."""
        return self.leads[self.leads["had_a_chance"].to_numpy(bool)]


@cached
def mature_leads(data: Tables) -> MatureLeads:
    """The leads created since wins are recorded that are as old as most wins take."""
    frame = leads_with_handoff(data)
    maturity = checks.maturity(data)
    missing, days = None, float("nan")
    if not _deals_name_leads(data):
        missing = Missing(NO_OUTCOME)
    elif np.isnan(maturity.mature_days):
        missing = Missing(FEW_WINS if maturity.n_won else NO_WIN, n=maturity.n_won)
    else:
        days = max(maturity.mature_days, 1.0)
    keep = (frame["age_days"] >= days).to_numpy(copy=True)  # none, where the age is not known
    since = checks.outcomes_recorded_since(data).covered_from
    if since is not None:
        keep &= (frame["created_at"] >= data.plan.midnight(since)).to_numpy()
    if missing is None and not keep.any():
        missing = Missing(NONE_MATURE, n=days)
    return MatureLeads(_with_outcome(data, frame[keep & (missing is None)], days), days, missing)


def _deals_name_leads(data: Tables) -> bool:
    """Whether there are leads whose outcome deals could record."""
    return not data.leads.empty and (data.deals.empty or data.deals["lead_id"].notna().any())


def _with_outcome(data: Tables, leads: pd.DataFrame, days: float) -> pd.DataFrame:
    outcome = checks.times_to(data, "won").set_index("id").reindex(leads["lead_id"])
    won = (outcome["happened"].eq(True) & (outcome["age_days"] <= days)).to_numpy()
    in_time = (leads["handed_at"] - leads["created_at"]) / _DAY <= days
    return leads.assign(
        won=won,
        had_a_chance=(in_time | won) if handoff_stages(data).is_known else True,
        quarter=data.plan.local_days(leads["created_at"]).dt.to_period("Q").astype("str"),
    )
