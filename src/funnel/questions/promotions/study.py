"""Study of a promotion: its rows and weeks, other promotions in them, and a control."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.questions.promotions.promos import Promotion, read_promotions
from funnel.questions.promotions.scope import (
    Refusal,
    Refused,
    Scope,
    control_of,
    day_weights,
    scope_of,
    share_of,
)
from funnel.questions.promotions.weeks import (
    MOST_AFTER,
    WEEKS_BEFORE,
    Span,
    Weeks,
    from_start,
    nearest,
    same_days,
    spans,
    weeks_after,
    weeks_of,
)

if TYPE_CHECKING:
    from funnel.dataset import Tables

FEWEST_WEEKS = 26
A_YEAR = 52
MOST_EMPTY = 0.25  # of the weeks: with more, a logarithm does not describe them
SHARED = 0.5  # of the rows: a promotion for fewer of them leaves their sum about as it was
_FEWEST_CONTROL = 5.0  # a week


@dataclass(frozen=True)
class Coverage:
    """How much of a promotion and of the weeks around it the data hold.

    `days` it lasts, `days_before_data` that come before the data, `days_so_far` if it still runs
    (else 0); recorded `weeks_after` it, of `weeks_after_planned`, and whether these are over;
    `weeks_outside` it, and whether the same weeks of the year before are among them.
    """

    days: int
    days_before_data: int = 0
    days_so_far: int = 0
    weeks_after: float = 0.0
    weeks_after_planned: float = 0.0
    is_after_over: bool = True
    weeks_outside: int = 0
    has_year_before: bool = True


@dataclass(frozen=True, eq=False)
class Study:
    """Everything known of a promotion before a fit: rows, weeks, other promotions, a control.

    `spans` are the days before, during and after it; `refused` is why nothing can be fitted.
    `overlapping` names other promotions for the same that ran in its days, `is_together` says that
    its weeks cannot be separated from theirs. `n_left_out` weeks around it are left out, in which
    those `around` ran. `size` is that of one event.
    """

    promotion: Promotion
    of: str
    spans: dict[str, Span]
    scope: Scope
    weeks: Weeks | None = None
    control: Weeks | None = None
    control_name: str = ""
    refused: Refused | None = None
    coverage: Coverage | None = None
    overlapping: tuple[str, ...] = ()
    is_together: bool = False
    around: tuple[str, ...] = ()
    n_left_out: int = 0
    size: float = 1.0

    @cached_property
    def is_promoted(self) -> NDArray[np.bool_]:
        """Marks of rows of the promotion's days, in weeks that are recorded as a whole."""
        inside = self.scope.rows_in(self.spans["during"])
        if self.weeks is None:
            return inside
        first = pd.Timestamp(self.spans["during"][0])
        days = self.scope.ids.index
        starts = first + pd.to_timedelta((days - first).days // 7 * 7, "D")
        return inside & np.asarray(starts.isin(self.weeks.starts))

    @cached_property
    def observed(self) -> float:
        """Sum of what these rows count for."""
        return float(self.scope.amounts[self.is_promoted].sum())


def study_of(
    data: Tables,
    promotion: Promotion,
    of: str,
    *,
    n_before: int = WEEKS_BEFORE,
    n_after: int | None = None,
) -> Study:
    """Study of a promotion, weeks of other promotions left out.

    Parameters
    ----------
    data
        A dataset.
    promotion
        The promotion.
    of
        What is counted.
    n_before, n_after
        Weeks around it in which a shortfall is estimated.
    """
    if n_after is None:
        n_after = weeks_after(promotion.first, promotion.last)
    own = spans(promotion.first, promotion.last, n_before, n_after)
    scope = scope_of(data, promotion, of)
    refused = scope.refused or _nothing(promotion, scope)
    study = Study(promotion, of, own, scope, refused=refused)
    if refused:
        return study
    every = tuple(one for one in read_promotions(data) if one.name != promotion.name)
    others = tuple(
        one
        for one in every
        if promotion.may_share(one) and share_of(data, scope, of, one) >= SHARED
    )
    weights = day_weights(data, of)
    weeks = weeks_of(scope.daily, weights, own, [(one.first, one.last) for one in others])
    weeks = nearest(from_start(weeks), own["during"][0])
    kept, n_left_out = _kept(weeks, others, own)
    weeks = weeks.where(kept)
    if refused := _too_little(weeks):
        return replace(study, refused=refused)
    together = not weeks.is_separable
    if together:
        weeks = replace(weeks, other=np.zeros_like(weeks.other))
    amounts = scope.amounts[scope.amounts > 0]
    study = replace(
        study,
        weeks=weeks,
        coverage=_coverage(data, promotion, weeks, own),
        overlapping=_meeting(others, own["during"]),
        is_together=together,
        around=_meeting(others, own["before"], own["after"]) if n_left_out else (),
        n_left_out=n_left_out,
        size=float(amounts.median()) if of == "bookings" and len(amounts) else 1.0,
    )
    around = (own["before"][0], own["after"][1])
    near = tuple(one for one in every if _meet((one.first, one.last), around))
    control, name = control_of(data, promotion, near, of)
    if control is None or not len(control.daily):
        return study
    aligned = _aligned(weeks, weeks_of(control.daily, weights, own, []))
    return replace(study, control=aligned, control_name=name) if aligned else study


def _nothing(promotion: Promotion, scope: Scope) -> Refused | None:
    if not len(scope.daily) or not scope.daily.any():
        return Refused(Refusal.NOTHING_RECORDED)
    begins, ends = scope.daily.index[0].date(), scope.daily.index[-1].date()
    if promotion.last < begins:
        return Refused(Refusal.ENDED_BEFORE, day=begins)
    if promotion.first > ends:
        return Refused(Refusal.BEGINS_AFTER, day=ends)
    return None


def _kept(
    weeks: Weeks, others: tuple[Promotion, ...], own: dict[str, Span]
) -> tuple[NDArray[np.bool_], int]:
    """Marks of the weeks to fit, and how many around the promotion are left out.

    Weeks of other promotions and of their pay-back are left out. On the same days of other years
    pay-back weeks stay in, or nothing would show the level expected in these weeks of the year.
    """
    in_promo = weeks.during > 0
    kept = in_promo | (weeks.other == 0)
    around = ~kept & ~weeks.is_outside
    paying = np.zeros_like(kept)
    for one in others:
        day = dt.timedelta(days=1)
        until = one.last + min(weeks_after(one.first, one.last), MOST_AFTER) * 7 * day
        first, last = np.datetime64(one.last + day), np.datetime64(until)
        starts = weeks.starts.to_numpy("datetime64[D]")
        paying |= (starts + 6 >= first) & (starts <= last)
    paying &= weeks.is_outside & ~same_days(weeks.starts, (own["before"][0], own["after"][1]))
    without = kept & ~paying
    is_enough = int((without & weeks.is_outside).sum()) >= A_YEAR
    return (without if is_enough else kept), int(around.sum())


def _too_little(weeks: Weeks) -> Refused | None:
    outside = weeks.is_outside
    n = int(outside.sum())
    if not (weeks.during > 0).any():
        return Refused(Refusal.NO_WHOLE_WEEK)
    if n < FEWEST_WEEKS:
        return Refused(Refusal.TOO_FEW_WEEKS, n)
    n_empty = int((weeks.total[outside] <= 0).sum())
    return Refused(Refusal.EMPTY_WEEKS, n_empty, n) if n_empty > MOST_EMPTY * n else None


def _coverage(data: Tables, promotion: Promotion, weeks: Weeks, own: dict[str, Span]) -> Coverage:
    is_running = promotion.last > data.as_of
    a_year_before = weeks.starts[weeks.during > 0][0] - np.timedelta64(A_YEAR, "W")
    return Coverage(
        days=(promotion.last - promotion.first).days + 1,
        days_before_data=max((weeks.starts[0].date() - promotion.first).days, 0),
        days_so_far=(data.as_of - promotion.first).days + 1 if is_running else 0,
        weeks_after=float(weeks.after.sum()),
        weeks_after_planned=((own["after"][1] - own["after"][0]).days + 1) / 7,
        is_after_over=own["after"][1] <= data.as_of,
        weeks_outside=int(weeks.is_outside.sum()),
        has_year_before=bool(weeks.starts[0] <= a_year_before),
    )


def _aligned(weeks: Weeks, control: Weeks) -> Weeks | None:
    """A control's weeks for those of the series, if it has them all and enough in them."""
    place = control.starts.get_indexer(weeks.starts)
    if (place < 0).any():
        return None
    control = control.where(place)
    is_thin = control.total.mean() < _FEWEST_CONTROL
    is_empty = (control.total <= 0).mean() > MOST_EMPTY
    return None if is_thin or is_empty else control


def _meeting(others: tuple[Promotion, ...], *these: Span) -> tuple[str, ...]:
    """Names of the promotions that ran in any of these spans."""
    return tuple(
        one.name for one in others if any(_meet((one.first, one.last), span) for span in these)
    )


def _meet(one: Span, other: Span) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]
