"""The same fit on the same days of other periods, in which nothing was promoted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.questions.promotions.fit import DRAWS, Estimate
from funnel.questions.promotions.model import Look, fitted, look_at
from funnel.questions.promotions.table import promotions
from funnel.questions.promotions.weeks import WEEKS_BEFORE, spans, weeks_after
from funnel.stats import percentiles

if TYPE_CHECKING:
    from funnel.dataset import Tables

MOST_PLACEBOS = 8
_MONTHS_IN_QUARTER = 3
_MOST_QUARTERS = 20


def placebos(data: Tables, look: Look) -> list[dict[str, Any]]:
    """Fit the same days of other periods, in which nothing was promoted for the same rows."""
    promotion = look.promotion
    beside = [one for one in promotions(data) if promotion.may_share(one)]
    windows = []
    for quarters in sorted(range(-_MOST_QUARTERS, _MOST_QUARTERS + 1), key=_by_distance):
        moved = pd.Timestamp(promotion.first) + pd.DateOffset(months=_MONTHS_IN_QUARTER * quarters)
        first = moved.date()
        last = first + (promotion.last - promotion.first)
        near = spans(first, last, WEEKS_BEFORE, weeks_after(first, last))
        reach = (near["before"][0], near["after"][1])
        is_free = all(one.last < reach[0] or one.first > reach[1] for one in beside)
        if quarters and is_free and reach[1] <= data.as_of:
            windows.append((quarters, first, last))
    found = []
    for quarters, first, last in windows:
        if len(found) == MOST_PLACEBOS:
            break
        moved_one = replace(promotion, name=f"{promotion.name} {first}", first=first, last=last)
        other = look_at(data, moved_one, look.of)
        # a window that is not in the data as a whole is no comparison
        if other.refused or other.weeks is None or other.weeks.is_outside[:1].sum() == 0:
            continue
        fit = fitted(other, seed=data.plan.seed, n_draws=DRAWS // 2)
        plain, chosen = (shares(each, other, data.plan.level) for each in (fit.plain, fit.chosen))
        found.append(
            {
                "promo": promotion.name,
                "first": pd.Timestamp(first),
                "last": pd.Timestamp(last),
                "quarters": quarters,
                "control": other.control_name if fit.beside else "",
                **dict(zip(("effect", "low", "high"), chosen, strict=True)),
                **dict(zip(("plain_effect", "plain_low", "plain_high"), plain, strict=True)),
            }
        )
    return found


def _by_distance(quarters: int) -> tuple[bool, int]:
    """Whole years first, the nearest first."""
    return quarters % 4 != 0, abs(quarters) * 2 + (quarters > 0)


def shares(each: Estimate, look: Look, level: float) -> tuple[float, float, float]:
    """Give the effect as a share of the usual, with its interval."""
    usual = usual_units(look, each)
    share = each.effect / usual
    low, high = percentiles(share[1:], level)
    return float(share[0]), float(low), float(high)


def usual_units(look: Look, each: Estimate) -> NDArray[np.float64]:
    """Count the units usual in a promotion's days, estimate and draws; above 0."""
    return np.maximum(look.observed - each.effect, look.size / 2)
