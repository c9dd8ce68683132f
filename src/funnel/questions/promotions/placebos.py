"""Placebos: the same fit on the same days of other periods, in which nothing was promoted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.questions.promotions.fit import DRAWS, Estimate, fit_study
from funnel.questions.promotions.promos import read_promotions
from funnel.questions.promotions.study import Study, study_of
from funnel.questions.promotions.weeks import WEEKS_BEFORE, spans, weeks_after
from funnel.results import Result
from funnel.stats import percentiles

if TYPE_CHECKING:
    from funnel.dataset import Tables

MOST_PLACEBOS = 8
PLACEBO_COLUMNS = (
    "promo", "first", "last", "quarters", "control", "effect", "low", "high",
    "plain_effect", "plain_low", "plain_high",
)  # fmt: skip
_MONTHS_IN_QUARTER = 3
_MOST_QUARTERS = 20


@dataclass(frozen=True, eq=False, kw_only=True)
class Placebos(Result):
    """A promotion compared with the same days of other periods, in which nothing was promoted.

    `table` has one row per window, the promotion's own with 0 `quarters` away: `promo`, `first`,
    `last`, `quarters`, the `control` used, and `effect`, `low`, `high` (share of the expected
    level) with the control and, as `plain_...`, without it. `of` is the promotion's name.
    """

    of: str = ""

    @property
    def others(self) -> pd.DataFrame:
        """Rows of the windows that hold no promotion."""
        return self.table[self.table["quarters"] != 0]


def placebo_windows(data: Tables, study: Study) -> list[dict[str, Any]]:
    """Rows of `Placebos.table` for the same days of other periods.

    Whole years away first, then quarters; at most 8 that no promotion for the same comes near.
    """
    promotion = study.promotion
    others = [one for one in read_promotions(data) if promotion.may_share(one)]
    windows = []
    for quarters in sorted(range(-_MOST_QUARTERS, _MOST_QUARTERS + 1), key=_by_distance):
        moved = pd.Timestamp(promotion.first) + pd.DateOffset(months=_MONTHS_IN_QUARTER * quarters)
        first = moved.date()
        last = first + (promotion.last - promotion.first)
        near = spans(first, last, WEEKS_BEFORE, weeks_after(first, last))
        reach = (near["before"][0], near["after"][1])
        is_free = all(one.last < reach[0] or one.first > reach[1] for one in others)
        if quarters and is_free and reach[1] <= data.as_of:
            windows.append((quarters, first, last))
    found = []
    for quarters, first, last in windows:
        if len(found) == MOST_PLACEBOS:
            break
        moved_one = replace(promotion, name=f"{promotion.name} {first}", first=first, last=last)
        other = study_of(data, moved_one, study.of)
        # a window that is not in the data as a whole is no comparison
        if other.refused or other.weeks is None or other.weeks.is_outside[:1].sum() == 0:
            continue
        fit = fit_study(other, seed=data.plan.seed, n_draws=DRAWS // 2)
        plain, chosen = (_shares(each, other, data.plan.level) for each in (fit.plain, fit.chosen))
        found.append(
            {
                "promo": promotion.name,
                "first": pd.Timestamp(first),
                "last": pd.Timestamp(last),
                "quarters": quarters,
                "control": other.control_name if fit.controlled else "",
                **dict(zip(("effect", "low", "high"), chosen, strict=True)),
                **dict(zip(("plain_effect", "plain_low", "plain_high"), plain, strict=True)),
            }
        )
    return found


def _by_distance(quarters: int) -> tuple[bool, int]:
    """Whole years first, the nearest first."""
    return quarters % 4 != 0, abs(quarters) * 2 + (quarters > 0)


def _shares(each: Estimate, study: Study, level: float) -> tuple[float, float, float]:
    """Effect as a share of the expected level, with its interval."""
    share = each.effect / expected_units(study, each)
    low, high = percentiles(share[1:], level)
    return float(share[0]), float(low), float(high)


def expected_units(study: Study, each: Estimate) -> NDArray[np.float64]:
    """Units expected in a promotion's days, estimate and draws; above 0."""
    return np.maximum(study.observed - each.effect, study.size / 2)
