"""Days from stage to stage, leads still waiting taken into account."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.checks import RecordedSince
from funnel.checks.maturity import horizon
from funnel.contract.labels import EVERYBODY
from funnel.methods.ages import in_days, leads_with_ages
from funnel.results import Result, rows_of, speaks_for
from funnel.stats import wilson
from funnel.stats.survival import incidence

if TYPE_CHECKING:
    from funnel.dataset import Tables

FEWEST = 5  # conversions, below which no time is given
_CONVERTED, _LEFT, _WAITING = 1, 2, 0
_QUARTILES = {"p25_days": 0.25, "median_days": 0.5, "p75_days": 0.75}


@dataclass(frozen=True, eq=False, kw_only=True)
class TimeToConvert(Result):
    """Days that leads which convert take from stage to stage.

    `table` has one row per step (the last one is from the first stage to the last): `step`,
    `n_entered`, `n_moved` (converted), `n_left`, `n_waiting` (neither, at the end of the data),
    `horizon_days` (how long a tenth of the leads that entered could be followed), `p25_days`,
    `median_days` with `median_days_low` and `median_days_high`, `p75_days`. Missing with fewer
    than five conversions. `recorded_late` holds the stages recorded later than the leads.
    """

    recorded_late: tuple[RecordedSince, ...] = ()


def time_to_convert(data: Tables) -> TimeToConvert:
    """Days that each step takes, leads still waiting taken into account.

    Notes
    -----
    Only leads created since both stages are recorded count. Time runs from the first entry into a
    stage to the first entry into the next. The cumulative incidence of converting, with final
    exits as the competing event and the end of the data as censoring; a quartile is the time by
    which that share of the incidence at the horizon has come. The median's interval turns
    Wilson's interval of one half into times.

    References
    ----------
    Marubini and Valsecchi (1995), Analysing Survival Data, chapter 10.
    """
    leads = leads_with_ages(data)
    frame, late = leads.frame, leads.recorded_late
    pairs = list(itertools.pairwise(leads.stages))
    pairs += [(leads.stages[0], leads.stages[-1])] if len(pairs) > 1 else []
    columns = ["step", "n_entered", "n_moved", "n_left", "n_waiting", "horizon_days"]
    columns += ["p25_days", "median_days", "median_days_low", "median_days_high", "p75_days"]
    rows = []
    for start, end in pairs:
        since = [data.plan.midnight(late[s].covered_from) for s in (start, end) if s in late]
        covered = frame[frame["created_at"] >= max(since)] if since else frame
        rows.append(_step_time(covered, start, end, data.plan.level))
    return TimeToConvert(
        table=pd.DataFrame(rows, columns=columns),
        rows=rows_of(EVERYBODY, leads.unit, frame["lead_id"]),
        units={"median_days": "days", "horizon_days": "days"},
        recorded_late=tuple(late.values()),
        **speaks_for(data),
    )


def _step_time(frame: pd.DataFrame, start: str, end: str, level: float) -> dict[str, object]:
    entered = frame[frame[f"{start}_at"].notna()]
    begin = in_days(entered[f"{start}_at"] - entered["created_at"])
    watched = entered["follow_up"] - begin
    took = in_days(entered[f"{end}_at"] - entered[f"{start}_at"])
    left = (entered["lost_age"] - begin).clip(lower=0)
    outcome = np.select([took.notna(), left.notna()], [_CONVERTED, _LEFT], _WAITING)
    time = took.fillna(left).fillna(watched).clip(lower=0).to_numpy()
    upto = horizon(watched)
    row: dict[str, object] = {
        "step": f"{start} to {end}",
        "n_entered": len(entered),
        "n_moved": int((outcome == _CONVERTED).sum()),
        "n_left": int((outcome == _LEFT).sum()),
        "n_waiting": int((outcome == _WAITING).sum()),
        "horizon_days": upto,
    }
    n_within = int(((outcome == _CONVERTED) & (time <= upto)).sum())
    if n_within < FEWEST:
        return row
    found = incidence(time, outcome, n_outcomes=2)
    whole = float(found.share(upto, _CONVERTED))
    low, high = wilson(n_within / 2, n_within, level)
    wanted = _QUARTILES | {"median_days_low": float(low), "median_days_high": float(high)}
    return row | {name: found.time_of(p, _CONVERTED, whole=whole) for name, p in wanted.items()}
