"""Everything that happens in one company, with one cause or none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from funnel.sample.customers import Line
from funnel.sample.market import Draws, Leads
from funnel.sample.pipeline import Pipeline
from funnel.sample.scenarios import Cause
from funnel.sample.team import Team


@dataclass(frozen=True)
class World:
    """Everything that happens in a company with one cause, or with none."""

    draws: Draws
    cause: Cause
    start: float
    end: float
    leads: Leads
    team: Team
    pipeline: Pipeline
    deals: pd.DataFrame
    lines: Line
    lead_ids: np.ndarray
    is_shown: np.ndarray
