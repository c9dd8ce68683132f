"""How far owners differ in winning, and how a change divides between them and their deals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import chdtrc, chdtri

from funnel.dataset.stages import new_business
from funnel.methods.ages import in_days
from funnel.results import Result, rows_of, speaks_for

if TYPE_CHECKING:
    from funnel.dataset import Tables


@dataclass(frozen=True)
class Older:
    """Deals of at least a usual cycle of age, by owner without names, the most still open first.

    Attributes
    ----------
    usual_days
        Median days from opening to closing of won deals: the usual cycle.
    n
        Deals created in the year that ended a usual cycle ago.
    still_open
        Share of each owner's that is open.
    won
        Share of each owner's that is won, open ones in the base.
    spread, spread_closed, spread_open
        Spread of the shares won beyond chance; that of won / (won + lost) of the same deals; that
        of the shares still open.
    """

    usual_days: float
    n: int
    still_open: tuple[float, ...]
    won: tuple[float, ...]
    spread: float
    spread_closed: float
    spread_open: float

    @property
    def is_of_records(self) -> bool:
        """Whether owners differ in what they leave open, and no difference in winning is seen."""
        return min(self.spread_closed, self.spread_open) > 0 and self.spread == 0


@dataclass(frozen=True, eq=False, kw_only=True)
class Owners(Result):
    """Spread of the owners' win rates, and the parts of their change; no owner by name.

    `table` has one row per part of the change of the win rate: `part` (`within owners`: the same
    owners win more or less often; `allocation`: deals went to other owners) and `change` (points
    of 1). The parts add up to the change of the win rate of deals with an owner.

    Attributes
    ----------
    n_owners, n_deals, pooled
        Owners with deals closed in the period, these deals, and their win rate.
    q, tau2
        Cochran's Q, and the variance between owners beyond chance.
    spread_low, spread_high
        Spreads at which Q is as large as chance makes it (Viechtbauer 2007).
    older
        The same owners' deals created in the year that ended a usual cycle ago, open ones among
        them; missing where there is no usual cycle.
    """

    n_owners: int = 0
    n_deals: int = 0
    pooled: float = math.nan
    q: float = math.nan
    tau2: float = math.nan
    spread_low: float = math.nan
    spread_high: float = math.nan
    older: Older | None = None

    @property
    def spread(self) -> float:
        """Standard deviation between owners, points of 1."""
        return math.sqrt(self.tau2) if self.tau2 >= 0 else math.nan


def owners_of(data: Tables, deals: pd.DataFrame) -> Owners:
    """Spread and parts of the change, from closed deals.

    References
    ----------
    DerSimonian and Laird (1986), Controlled Clinical Trials 7, 177-188. Viechtbauer (2007),
    Statistics in Medicine 26, 37-52, for the interval of the spread. Kitagawa
    (1955), J. Am. Stat. Assoc. 50, 1168-1194, for the parts of the change.
    """
    known = deals[deals["owner"].notna()]
    now, then = (
        known.loc[known["span"].eq(span)].groupby("owner")["is_won"].agg(["size", "mean"])
        for span in ("period", "baseline")
    )
    both = (now.join(then, how="outer", suffixes=("_now", "_then"))).astype("float64")
    parts = []
    if len(now) and len(then):
        share = {end: (both[f"size_{end}"] / both[f"size_{end}"].sum()).fillna(0.0)
                 for end in ("now", "then")}  # fmt: skip
        rate_now = both["mean_now"].fillna(both["mean_then"])
        rate_then = both["mean_then"].fillna(both["mean_now"])
        within = ((share["now"] + share["then"]) / 2 * (rate_now - rate_then)).sum()
        allocation = ((rate_now + rate_then) / 2 * (share["now"] - share["then"])).sum()
        parts = [("within owners", float(within)), ("allocation", float(allocation))]
    here = known.loc[known["span"].eq("period"), "deal_id"]
    return Owners(
        table=pd.DataFrame(parts, columns=["part", "change"]),
        rows=rows_of("closed deals with an owner", "deals", here),
        units={"change": "points of 1"},
        n_owners=len(now),
        n_deals=len(here),
        **_spread(now, data.plan.level),
        older=_older(data),
        **speaks_for(data),
    )


def _older(data: Tables) -> Older | None:
    """Deals of new business that are at least a usual cycle old, by owner."""
    deals = new_business(data)
    won = deals[deals["outcome"] == "won"]
    usual = float(in_days(won["closed_at"] - won["created_at"]).median())
    if not math.isfinite(usual):
        return None
    until = data.ends_at - pd.Timedelta(days=usual)
    deals = deals[deals["owner"].notna() & (deals["created_at"] <= until)]
    deals = deals[deals["created_at"] > until - pd.Timedelta(days=365)]
    hit = deals.assign(
        is_won=deals["outcome"].eq("won"), is_open=~deals["outcome"].isin(["won", "lost"])
    )
    by_owner = hit.groupby("owner")
    shares = by_owner[["is_open", "is_won"]].mean().sort_values("is_open", ascending=False)
    of_all, still_open = (by_owner[name].agg(["size", "mean"]) for name in ("is_won", "is_open"))
    of_closed = hit[~hit["is_open"]].groupby("owner")["is_won"].agg(["size", "mean"])
    spreads = (
        math.sqrt(_spread(rates, data.plan.level).get("tau2", 0.0))
        for rates in (of_all, of_closed, still_open)
    )
    return Older(usual, len(hit), tuple(shares["is_open"]), tuple(shares["is_won"]), *spreads)


def _spread(rates: pd.DataFrame, level: float) -> dict[str, float]:
    """Moments of DerSimonian and Laird, with the binomial variance of the pooled rate.

    Zero unless Q exceeds chance at the plan's level: of equal owners the moments alone are above
    zero in four of ten cases.
    """
    n, p = rates["size"].astype("float64"), rates["mean"].astype("float64")
    if len(rates) < 2:
        return {}
    pooled = float((n * p).sum() / n.sum())
    if not 0 < pooled < 1:
        return {"pooled": pooled, "q": 0.0, "tau2": 0.0}
    weight = n / (pooled * (1 - pooled))
    q = float((weight * (p - pooled) ** 2).sum())
    scale = float(weight.sum() - (weight**2).sum() / weight.sum())
    is_chance = chdtrc(len(n) - 1, q) >= 1 - level
    tau2 = 0.0 if is_chance else (q - (len(n) - 1)) / scale
    low, high = _spread_interval(p.to_numpy(), 1 / weight.to_numpy(), level)
    return {"pooled": pooled, "q": q, "tau2": tau2, "spread_low": low, "spread_high": high}


def _spread_interval(
    rates: NDArray[np.float64], noise: NDArray[np.float64], level: float
) -> tuple[float, float]:
    """Spreads at which Q, as a function of the variance between owners, is at its quantiles."""

    def q(between: float) -> float:
        weight = 1 / (noise + between)
        return float(weight @ (rates - weight @ rates / weight.sum()) ** 2)

    ends = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        limit = float(chdtri(len(rates) - 1, tail))
        least = q(0.0) - limit
        ends.append(0.0 if least <= 0 else brentq(lambda b, limit=limit: q(b) - limit, 0.0, 1e6))
    return math.sqrt(ends[0]), math.sqrt(ends[1])
