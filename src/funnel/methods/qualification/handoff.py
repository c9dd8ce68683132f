"""When each lead was handed over to sales, and when sales accepted it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.checks.limits import EQUAL_AGE_SHARE
from funnel.dataset import stages
from funnel.dataset.cache import cached, shared

if TYPE_CHECKING:
    from funnel.dataset import Tables

ASSIGNED = "assigned_at"  # stands for the hand-off where no stage records it
_DAY = pd.Timedelta(days=1)


@dataclass(frozen=True)
class HandoffStages:
    """Which of the plan's stages is the hand-off to sales, and which is the acceptance by sales.

    Attributes
    ----------
    stage, accepted
        Names of the two stages; empty where nothing records them. `assigned_at` is the hand-off
        where no stage records it.
    usual_days
        The age by which nine in ten of the leads handed over had been.
    decision_days
        The time after the hand-off by which nine in ten of the leads accepted had been.
    """

    stage: str = ""
    accepted: str = ""
    usual_days: float = float("nan")
    decision_days: float = float("nan")

    @property
    def is_known(self) -> bool:
        """Whether a hand-off is recorded."""
        return bool(self.stage)

    @property
    def is_decided(self) -> bool:
        """Whether it is known how long sales takes to accept a lead."""
        return bool(self.accepted) and self.decision_days == self.decision_days


@cached
def handoff_stages(data: Tables) -> HandoffStages:
    """The plan's stages of hand-off and acceptance, and how long both take.

    The hand-off is `mql`, or else the first recorded stage between the lead and the opportunity.
    Acceptance is `sal`, or else the next recorded stage, or else the opportunity. Without a stage
    between, `assigned_at` is the hand-off.
    """
    frame = _stage_times(data)
    handed_stage, accepted_stage = _stages_of(data, frame)
    if not handed_stage:
        return HandoffStages()
    handed, accepted = _times(frame, handed_stage), _times(frame, accepted_stage)
    return HandoffStages(
        handed_stage,
        accepted_stage,
        usual_days=_nine_in_ten(handed - frame["created_at"]),
        decision_days=_nine_in_ten(accepted - handed),
    )


@cached
def leads_with_handoff(data: Tables) -> pd.DataFrame:
    """Each lead with the times of its hand-off and its acceptance, and its money.

    Returns
    -------
    DataFrame
        One row per lead, in the order of `leads`: `lead_id`, `created_at`, `handed_at`,
        `accepted_at`, `amount` (of its won deals), `age_days` (at the end of `as_of`), `is_due`
        (handed over so long ago that sales has decided on most), `in_time` (accepted by then).
    """
    frame, handoff = _stage_times(data), handoff_stages(data)
    handed, created = _times(frame, handoff.stage), frame["created_at"]
    accepted = _times(frame, handoff.accepted).where(handed.notna())
    age_days = (data.ends_at - created) / _DAY
    return pd.DataFrame(
        {
            "lead_id": frame["lead_id"],
            "created_at": created,
            "handed_at": handed,
            "accepted_at": accepted,
            "amount": frame["amount"],
            "age_days": age_days,
            "is_due": age_days >= (handed - created) / _DAY + handoff.decision_days,
            "in_time": (accepted - handed) / _DAY <= handoff.decision_days,
        }
    )


@shared
def _stage_times(data: Tables) -> pd.DataFrame:
    """Each lead with its first entry into each stage; no rows where deals are followed."""
    frame = stages.reached(data)
    if not stages.is_followed_by_lead(data):
        return frame.iloc[:0].assign(**{ASSIGNED: frame["created_at"].iloc[:0]})
    assigned = pd.Series(data.leads[ASSIGNED].to_numpy("datetime64[us]"), index=frame.index)
    return frame.assign(**{ASSIGNED: assigned.dt.tz_localize("UTC")})


def _stages_of(data: Tables, frame: pd.DataFrame) -> tuple[str, str]:
    recorded = stages.recorded_stages(data)
    last = {stages.opportunity_stage(data.plan.stages), stages.won_stage(data.plan.stages)}
    between = [stage for stage in recorded[1:] if stage not in last]
    after = [stage for stage in recorded[1:] if stage in last]
    handed = "mql" if "mql" in between else between[0] if between else ""
    if not handed:
        filled = frame[ASSIGNED].notna().any()
        return (ASSIGNED if filled else "", after[0] if after and filled else "")
    later = [stage for stage in recorded[recorded.index(handed) + 1 :] if stage not in last]
    later = (["sal"] if "sal" in later else later) + after
    return handed, later[0] if later else ""


def _times(frame: pd.DataFrame, stage: str) -> pd.Series:
    if not stage:
        return pd.Series(pd.NaT, index=frame.index, dtype=stages.UTC_TIME)
    if stage == ASSIGNED:
        return frame[ASSIGNED].clip(lower=frame["created_at"])
    return frame[f"{stage}_at"]


def _nine_in_ten(waits: pd.Series) -> float:
    known = waits.dropna()
    return float(max(known.quantile(EQUAL_AGE_SHARE) / _DAY, 0.0)) if len(known) else float("nan")
