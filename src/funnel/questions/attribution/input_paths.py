"""What credit is asked of: paths in numbers, and what a result of the package knows of them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.contract.errors import ParameterError
from funnel.contract.plan import Plan
from funnel.methods.paths import Journeys, Paths
from funnel.methods.paths.coded_paths import CodedPaths
from funnel.methods.paths.frames import coded_journeys, coded_paths
from funnel.results import Result, no_rows

Given = Journeys | Paths | CodedPaths | pd.DataFrame


@dataclass(frozen=True, eq=False, kw_only=True)
class Asked:
    """What was given, in numbers, with what a result of the package knows of itself."""

    ways: CodedPaths
    as_of: dt.date | None
    level: float
    plan: Plan
    rows: pd.DataFrame
    caveats: tuple[str, ...] = ()


def asked(journeys: Given, as_of: dt.date | None, plan: Plan | None) -> Asked:
    """Read whatever credit may be asked of; a frame speaks for `as_of`, under `plan`."""
    plan_known = plan or Plan()
    about = {"as_of": as_of, "level": plan_known.level, "plan": plan_known, "rows": no_rows()}
    if isinstance(journeys, Result):
        about = {name: getattr(journeys, name) for name in (*about, "caveats")}
        journeys = journeys.table
    if isinstance(journeys, CodedPaths):
        return Asked(ways=journeys, **about)
    if not isinstance(journeys, pd.DataFrame):
        raise ParameterError(
            f"attribute: {type(journeys).__name__} is no table; give what `funnel.journeys` or "
            "`funnel.paths` made, or a frame with one row per touch or per path."
        )
    if "path" not in journeys and "deal_id" in journeys:
        return Asked(ways=coded_journeys(journeys), **about)
    return Asked(ways=coded_paths(journeys), **about)


def about_nulls(ways: CodedPaths) -> list[str]:
    """Say what cannot be told where no journey without a win is known."""
    if not len(ways.codes) or ways.nulls[ways.is_traced].any():
        return []
    return [
        "No journey without a win is known. How much less often a channel's journeys are won "
        "without it cannot be told; what is shown counts how many wins went by way of it."
    ]


def whole(counts: NDArray[np.float64]) -> NDArray:
    """Write counts as whole numbers, where that is what they are."""
    return counts.astype(np.int64) if (counts == np.rint(counts)).all() else counts
