"""When each lead was handed over to sales, and when sales took it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.dataset import stages
from funnel.dataset.cache import cached

if TYPE_CHECKING:
    from funnel.dataset import Tables

_DAY = pd.Timedelta(days=1)
_USUAL = 0.9


@dataclass(frozen=True)
class HandOver:
    """Which of the plan's stages is the hand-over to sales, and which says that sales took it.

    Attributes
    ----------
    stage, accepted
        Their names; empty where nothing records them. `assigned_at` stands for a hand-over that
        no stage records.
    usual_days
        The age by which nine in ten of those handed over had been.
    decision_days
        The time after the hand-over by which nine in ten of those accepted had been.
    """

    stage: str = ""
    accepted: str = ""
    usual_days: float = float("nan")
    decision_days: float = float("nan")

    @property
    def is_known(self) -> bool:
        """Whether anything records a hand-over."""
        return bool(self.stage)


@cached
def hand_over(data: Tables) -> HandOver:
    """Find the plan's stages of hand-over and acceptance, and how long both take.

    The hand-over is `mql`, or else the first recorded stage between the lead and the opportunity;
    acceptance is `sal`, or else the next one, or else the opportunity. Without such a stage,
    `assigned_at` is the hand-over.
    """
    frame = _followed(data)
    ways = _stages_of(data, frame)
    if not ways[0]:
        return HandOver()
    handed, accepted = _moments(frame, ways[0]), _moments(frame, ways[1])
    return HandOver(
        *ways,
        usual_days=_nine_in_ten(handed - frame["created_at"]),
        decision_days=_nine_in_ten(accepted - handed),
    )


@cached
def leads_with_moments(data: Tables) -> pd.DataFrame:
    """Give each lead with its hand-over, its acceptance and its money.

    Returns
    -------
    DataFrame
        `lead_id`, `created_at`, `handed_at`, `accepted_at`, `amount` (of its won deals), `age_days`
        (to the end of `as_of`); one row per lead, in the order of `leads`.
    """
    frame, way = _followed(data), hand_over(data)
    handed = _moments(frame, way.stage)
    end = pd.Timestamp(data.plan.midnight(data.as_of + dt.timedelta(days=1)))
    return pd.DataFrame(
        {
            "lead_id": frame["lead_id"],
            "created_at": frame["created_at"],
            "handed_at": handed,
            "accepted_at": _moments(frame, way.accepted).where(handed.notna()),
            "amount": frame["amount"],
            "age_days": (end - frame["created_at"]) / _DAY,
        }
    )


@cached
def _followed(data: Tables) -> pd.DataFrame:
    frame = stages.reached(data)
    if frame.attrs["unit"] == "leads":
        frame["assigned_at"] = data.leads["assigned_at"].to_numpy("datetime64[us]")
        frame["assigned_at"] = frame["assigned_at"].dt.tz_localize("UTC")
        return frame
    nobody = frame.iloc[:0].assign(assigned_at=frame["created_at"].iloc[:0])
    nobody.attrs.update(frame.attrs)
    return nobody


def _stages_of(data: Tables, frame: pd.DataFrame) -> tuple[str, str]:
    recorded = frame.attrs["stages"]
    last = {stages.opportunity_stage(data.plan.stages), stages.won_stage(data.plan.stages)}
    between = [stage for stage in recorded[1:] if stage not in last]
    after = [stage for stage in recorded[1:] if stage in last]
    handed = "mql" if "mql" in between else between[0] if between else ""
    if not handed:
        filled = frame["assigned_at"].notna().any()
        return ("assigned_at" if filled else "", after[0] if after and filled else "")
    later = [stage for stage in recorded[recorded.index(handed) + 1 :] if stage not in last]
    later = (["sal"] if "sal" in later else later) + after
    return handed, later[0] if later else ""


def _moments(frame: pd.DataFrame, stage: str) -> pd.Series:
    if not stage:
        return pd.Series(pd.NaT, index=frame.index, dtype=stages.UTC_TIME)
    if stage == "assigned_at":
        return frame["assigned_at"].clip(lower=frame["created_at"])
    return frame[f"{stage}_at"]


def _nine_in_ten(waits: pd.Series) -> float:
    known = waits.dropna()
    return float(max(known.quantile(_USUAL) / _DAY, 0.0)) if len(known) else float("nan")
