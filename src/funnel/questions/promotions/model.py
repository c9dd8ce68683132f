"""One promotion's weeks against the usual, with and without a control."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.methods.season.grid import fit_grid
from funnel.questions.promotions.fit import WALKS, Estimate, estimate, is_told_apart, log_level
from funnel.questions.promotions.scope import Scope, control_of, day_weights, scope_of, share_of
from funnel.questions.promotions.table import Promotion, promotions
from funnel.questions.promotions.weeks import (
    MOST_AFTER,
    WEEKS_BEFORE,
    Span,
    Weeks,
    from_ordinary,
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
MOST_EMPTY = 0.25  # of the weeks: with more, no logarithm speaks for them
LEAK_SURE = 1.96  # standard errors by which a control may move in the promotion's weeks
MOST_DRIFT = 0.2  # log units a year by which a control may leave what it stands beside
SHARED = 0.5  # of the rows: a promotion for fewer of them leaves their sum about as it was
_NAMED = 3  # promotions in a sentence
_FEWEST_CONTROL = 5.0  # a week


@dataclass(frozen=True, eq=False)
class Look:
    """What is known before anything is fitted: rows, weeks, other promotions, and a control.

    `refused` says why nothing can be fitted, `says` what a reader must know of what is.
    """

    promotion: Promotion
    of: str
    own: dict[str, Span]
    scope: Scope
    weeks: Weeks | None = None
    control: Weeks | None = None
    control_name: str = ""
    refused: str = ""
    says: tuple[str, ...] = ()
    size: float = 1.0
    is_together: bool = False

    @cached_property
    def is_promoted(self) -> NDArray[np.bool_]:
        """Rows of the promotion's days, in weeks that are seen as a whole."""
        inside = self.scope.rows_in(self.own["during"])
        if self.weeks is None:
            return inside
        first = pd.Timestamp(self.own["during"][0])
        days = self.scope.ids.index
        starts = first + pd.to_timedelta((days - first).days // 7 * 7, "D")
        return inside & np.asarray(starts.isin(self.weeks.starts))

    @cached_property
    def observed(self) -> float:
        """What these rows count for."""
        return float(self.scope.amounts[self.is_promoted].sum())


@dataclass(frozen=True, eq=False)
class Fitted:
    """A look's estimates: without a control, and with it where it passed its checks.

    `leak` is by how much the control moved in the promotion's weeks (log units) with its standard
    error; `unfit` says why the control is not used.
    """

    plain: Estimate
    beside: Estimate | None = None
    leak: tuple[float, float] = (float("nan"), float("nan"))
    unfit: str = ""

    @property
    def chosen(self) -> Estimate:
        """With the control where there is one."""
        return self.beside or self.plain


def look_at(
    data: Tables,
    promotion: Promotion,
    of: str,
    *,
    n_before: int = WEEKS_BEFORE,
    n_after: int | None = None,
    also: tuple[Promotion, ...] = (),
) -> Look:
    """Gather a promotion's rows and weeks, and set aside weeks that others have.

    Parameters
    ----------
    data
        A company's tables.
    promotion
        The one looked at.
    of
        What is counted.
    n_before, n_after
        Weeks around it in which a dip is looked for.
    also
        Promotions beside those of the table.
    """
    if n_after is None:
        n_after = weeks_after(promotion.first, promotion.last)
    own = spans(promotion.first, promotion.last, n_before, n_after)
    scope = scope_of(data, promotion, of)
    refused = scope.refused or _nothing(data, promotion, scope, of)
    look = Look(promotion, of, own, scope, refused=refused)
    if refused:
        return look
    every = tuple(one for one in (*promotions(data), *also) if one.name != promotion.name)
    beside = tuple(
        one
        for one in every
        if promotion.may_share(one) and share_of(data, scope, of, one) >= SHARED
    )
    weights = day_weights(data, of)
    weeks = weeks_of(scope.daily, weights, own, [(one.first, one.last) for one in beside])
    weeks = nearest(from_ordinary(weeks), own["during"][0])
    kept, says = _kept(weeks, beside, own)
    weeks = weeks.where(kept)
    refused = _too_little(weeks, of, promotion)
    if refused:
        return replace(look, refused=refused)
    together = not is_told_apart(weeks)
    if together:
        weeks = replace(weeks, other=np.zeros_like(weeks.other))
    overlapping = [one.name for one in beside if _meet((one.first, one.last), own["during"])]
    if overlapping:
        end = (
            "so its figures are of all of them together"
            if together
            else "and its weeks free of them tell them apart"
        )
        says = (*says, f"{_listed(overlapping)} ran beside it for some of the same, {end}.")
    amounts = scope.amounts[scope.amounts > 0]
    look = replace(
        look,
        weeks=weeks,
        says=(*says, *_seen(data, promotion, weeks, own)),
        size=float(amounts.median()) if of == "bookings" and len(amounts) else 1.0,
        is_together=together,
    )
    around = (own["before"][0], own["after"][1])
    near = tuple(one for one in every if _meet((one.first, one.last), around))
    control, name = control_of(data, promotion, near, of)
    if control is None or not len(control.daily):
        return look
    aligned = _aligned(weeks, weeks_of(control.daily, weights, own, []))
    return replace(look, control=aligned, control_name=name) if aligned else look


def fitted(look: Look, *, seed: int, n_draws: int, checks: bool = True) -> Fitted:
    """Fit a look without a control, then with it if it neither moved nor drifted.

    Parameters
    ----------
    look
        One that is not refused.
    seed, n_draws
        Of the draws.
    checks
        Whether the control is checked first; else it is used.
    """
    assert look.weeks is not None
    plain = estimate(look.weeks, size=look.size, seed=seed, n_draws=n_draws)
    if look.control is None:
        return Fitted(plain)
    level = log_level(look.control.total, look.control.exposure, look.size)
    leak, unfit = (float("nan"), float("nan")), ""
    if checks:
        alone = estimate(look.control, size=look.size, seed=seed, n_draws=2)
        leak = (alone.log_effect, alone.log_error)
        drift = _drift(look.weeks, level, look.size, seed)
        if abs(leak[0]) > LEAK_SURE * leak[1]:
            unfit = "moved in the same weeks themselves"
        elif drift:
            unfit = "drift away from it"
    if unfit:
        return Fitted(plain, None, leak, unfit)
    both = estimate(look.weeks, level, size=look.size, seed=seed, n_draws=n_draws)
    return Fitted(plain, both, leak)


def _drift(weeks: Weeks, control: NDArray, size: float, seed: int) -> bool:
    """Say whether a control leaves what it stands beside, year by year."""
    ratio = log_level(weeks.total, weeks.exposure, size) - control
    at = ((weeks.starts - weeks.starts[0]).days / 7.0).to_numpy(float)
    columns = [np.ones(at.size), (at - at.mean()) / A_YEAR, weeks.during, weeks.before, weeks.after]
    kept = np.column_stack([each for each in columns if each.any()])
    fit = fit_grid(ratio, kept, at, walks=WALKS, seed=seed, n_draws=2)
    error = float(np.sqrt(fit.covariance[1, 1]))
    return bool(abs(fit.mean[1]) > max(MOST_DRIFT, LEAK_SURE * error))


def _nothing(data: Tables, promotion: Promotion, scope: Scope, of: str) -> str:
    whose = f" in {promotion.runs_for}" if promotion.runs_for else ""
    if not len(scope.daily) or not scope.daily.any():
        return f"nothing is recorded of {of}{whose}"
    begins, ends = scope.daily.index[0].date(), scope.daily.index[-1].date()
    if promotion.last < begins:
        return f"it ended on {promotion.last}, before {of}{whose} begin, on {begins}"
    if promotion.first > ends:
        return f"it begins on {promotion.first}, after the last day of the data, {data.as_of}"
    return ""


def _kept(
    weeks: Weeks, beside: tuple[Promotion, ...], own: dict[str, Span]
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """Mark the weeks to fit: without those of other promotions, and of their pay-back.

    A promotion that comes every year leaves its pay-back weeks in other years in, or nothing would
    tell what is usual in these weeks of the year.
    """
    in_promo = weeks.during > 0
    kept = in_promo | (weeks.other == 0)
    around = ~kept & ~weeks.is_outside
    says = ()
    if around.any():
        names = [
            one.name
            for one in beside
            if any(_meet((one.first, one.last), own[name]) for name in ("before", "after"))
        ]
        says = (
            f"{int(around.sum())} of the weeks around it are left out of the net, since "
            f"{_listed(names)} ran in them.",
        )
    paying = np.zeros_like(kept)
    for one in beside:
        day = dt.timedelta(days=1)
        until = one.last + min(weeks_after(one.first, one.last), MOST_AFTER) * 7 * day
        first, last = np.datetime64(one.last + day), np.datetime64(until)
        starts = weeks.starts.to_numpy("datetime64[D]")
        paying |= (starts + 6 >= first) & (starts <= last)
    paying &= weeks.is_outside & ~same_days(weeks.starts, (own["before"][0], own["after"][1]))
    without = kept & ~paying
    is_enough = int((without & weeks.is_outside).sum()) >= A_YEAR
    return (without if is_enough else kept), says


def _too_little(weeks: Weeks, of: str, promotion: Promotion) -> str:
    outside = weeks.is_outside
    n = int(outside.sum())
    if not (weeks.during > 0).any():
        return f"no whole week of its days is recorded of {of}"
    if n < FEWEST_WEEKS:
        return (
            f"{n} whole weeks are outside it and the weeks around it and free of other "
            f"promotions, and it needs {FEWEST_WEEKS} to say what is usual"
        )
    n_empty = int((weeks.total[outside] <= 0).sum())
    if n_empty > MOST_EMPTY * n:
        whose = f" in {promotion.runs_for}" if promotion.runs_for else ""
        return f"{n_empty} of {n} weeks outside it hold no {of}{whose}"
    return ""


def _seen(
    data: Tables, promotion: Promotion, weeks: Weeks, own: dict[str, Span]
) -> tuple[str, ...]:
    """Say where the data end too early, or begin too late."""
    says = []
    whole = (promotion.last - promotion.first).days + 1
    begins = weeks.starts[0].date()
    if promotion.first < begins:
        unseen = (begins - promotion.first).days
        says.append(f"It began before the data: {unseen} of its {whole} days are not seen.")
    if promotion.last > data.as_of:
        ran = (data.as_of - promotion.first).days + 1
        says.append(f"It is still running: {ran} of its {whole} days are seen.")
    elif not weeks.after.any():
        says.append("No whole week after it is seen, so its net cannot be told.")
    elif own["after"][1] > data.as_of:
        wanted = ((own["after"][1] - own["after"][0]).days + 1) / 7
        says.append(
            f"{weeks.after.sum():.0f} of {wanted:.0f} weeks after it are seen, and the net counts "
            "these."
        )
    if int(weeks.is_outside.sum()) < A_YEAR:
        says.append(
            f"Only {int(weeks.is_outside.sum())} weeks tell what is usual, under a year: what the "
            "time of year does is hardly known."
        )
    elif not (weeks.starts[0] <= weeks.starts[weeks.during > 0][0] - np.timedelta64(A_YEAR, "W")):
        says.append("The same weeks of the year before are not in the data.")
    return tuple(says)


def _aligned(weeks: Weeks, control: Weeks) -> Weeks | None:
    """Take a control's weeks beside those of the series, if it has them all and is not too thin."""
    place = control.starts.get_indexer(weeks.starts)
    if (place < 0).any():
        return None
    control = control.where(place)
    is_thin = control.total.mean() < _FEWEST_CONTROL
    is_empty = (control.total <= 0).mean() > MOST_EMPTY
    return None if is_thin or is_empty else control


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _meet(one: Span, other: Span) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]
