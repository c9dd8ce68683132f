"""Value of a promotion: margin on its net units, less discount, less cost; and win rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.checks import maturity
from funnel.questions.promotions.scope import Scope
from funnel.stats import difference_of_rates

if TYPE_CHECKING:
    from funnel.dataset import Tables

VIABLE, NOT_VIABLE, CANNOT_TELL = "viable", "not viable", "cannot tell"
VERDICT_LEVEL = 0.9  # probability of a value above 0 from which it is viable; 1 - it: not viable
FEWEST_WON = 10  # won deals, below which no price is estimated
NO_PRICE, NO_AMOUNTS, FEW_WON = "measure has no price", "no amounts of deals", "few won deals"
_FEWEST_RATE = 20  # rows below which no win rate is shown


@dataclass(frozen=True, eq=False)
class Price:
    """Mean value of one unit in currency, its standard error, and `n` rows.

    Missing where it is `unknown`: the measure has no price, there are no amounts of deals, or `n`
    won deals are too few.
    """

    mean: float = float("nan")
    error: float = float("nan")
    n: int = 0
    unknown: str = ""

    def draws(self, n_draws: int, random: np.random.Generator) -> NDArray[np.float64]:
        """The mean, then draws around it, above 0."""
        if not self.error > 0:
            return np.full(1 + n_draws, self.mean)
        shape = (self.mean / self.error) ** 2
        return np.concatenate([[self.mean], random.gamma(shape, self.mean / shape, n_draws)])


def unit_price(data: Tables, scope: Scope, of: str, outside: NDArray[np.bool_]) -> Price:
    """Price of one unit, from rows outside the promotion.

    Parameters
    ----------
    data
        A company's tables.
    scope
        The rows that the promotion was for.
    of
        A unit of `bookings` is worth 1, a win its mean amount, a lead the mean amount won per
        mature lead.
    outside
        Rows of the scope to use.
    """
    if of == "bookings":
        return Price(1.0, 0.0, len(scope.ids))
    if of not in ("leads", "wins"):
        return Price(unknown=NO_PRICE)
    if not data.has("deals", "amount"):
        return Price(unknown=NO_AMOUNTS)
    won = data.deals[(data.deals["outcome"] == "won") & data.deals["amount"].notna()]
    ids = scope.ids[outside]
    if of == "wins":
        each = won.loc[won["deal_id"].isin(ids), "amount"].to_numpy(float)
        n_won = len(each)
    else:
        ids = ids[ids.index <= _mature_until(data)]
        per_lead = won.groupby("lead_id")["amount"].sum()
        each = per_lead.reindex(ids).fillna(0.0).to_numpy(float)
        n_won = int((each > 0).sum())
    if n_won < FEWEST_WON or each.mean() <= 0:
        return Price(n=n_won, unknown=FEW_WON)
    return Price(float(each.mean()), float(each.std(ddof=1) / np.sqrt(len(each))), len(each))


@dataclass(frozen=True, eq=False)
class WinRate:
    """Win rates of leads of a promotion's days and of others, with their counts.

    `low` and `high` are the interval of `during` - `outside`. Only mature leads count;
    all is missing where too few are.
    """

    during: float = float("nan")
    outside: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    n: int = 0
    n_outside: int = 0


def win_rate(
    data: Tables,
    scope: Scope,
    of: str,
    during: NDArray[np.bool_],
    outside: NDArray[np.bool_],
    level: float,
) -> WinRate:
    """Win rates of leads of a promotion's days and of other days.

    Parameters
    ----------
    data
        A company's tables.
    scope
        The rows that the promotion was for.
    of
        What is counted; for leads only, since a series of wins holds nothing that was lost.
    during, outside
        Rows of the scope to compare.
    level
        Of the interval.
    """
    if of != "leads" or not data.has("deals", "lead_id"):
        return WinRate()
    won = data.deals[(data.deals["outcome"] == "won") & data.deals["lead_id"].notna()]
    is_won = scope.ids.isin(won["lead_id"]).to_numpy()
    is_mature = np.asarray(scope.ids.index <= _mature_until(data))
    if (during & ~is_mature).any():
        return WinRate()
    during, outside = during & is_mature, outside & is_mature
    n, n_outside = int(during.sum()), int(outside.sum())
    if min(n, n_outside) < _FEWEST_RATE:
        return WinRate(n=n, n_outside=n_outside)
    wins, wins_outside = int(is_won[during].sum()), int(is_won[outside].sum())
    low, high = difference_of_rates(wins, n, wins_outside, n_outside, level)
    return WinRate(wins / n, wins_outside / n_outside, float(low), float(high), n, n_outside)


def _mature_until(data: Tables) -> pd.Timestamp:
    """Last day on which a lead came that is mature by now; none with too few wins to say."""
    return pd.Timestamp(data.as_of) - pd.to_timedelta(maturity(data).mature_days, unit="D")


@dataclass(frozen=True, eq=False)
class Value:
    """Value of a promotion in currency: margin on net units, less discount, less cost.

    `value` holds the estimate and then its draws; `probability` is that of being above 0. `price`
    is that of a unit; `not_recorded` names what is missing of discount and cost, and counts 0.
    """

    value: NDArray[np.float64]
    discount_given: float
    probability: float
    verdict: str
    price: Price
    not_recorded: tuple[str, ...] = ()


def value_of(
    net: NDArray[np.float64],
    n_units: float,
    price: Price,
    *,
    margin: float,
    discount: float,
    cost: float,
    random: np.random.Generator,
) -> Value:
    """Value of a promotion's net units, less what was given away and spent.

    Parameters
    ----------
    net
        Units net of the weeks around it, the estimate first and then draws.
    n_units
        Observed in the promotion's days, and so at its price.
    price
        Of a unit.
    margin
        Contribution margin, a share of the price.
    discount, cost
        Share taken off the price, and fixed cost; missing where not recorded.
    random
        For the price's draws.

    Examples
    --------
    >>> made = value_of(np.array([10.0, 9, 11]), 50, Price(100.0, 0.0), margin=0.5, discount=0.1,
    ...                 cost=20.0, random=np.random.default_rng(0))
    >>> made.value.tolist(), made.verdict
    ([-20.0, -70.0, 30.0], 'cannot tell')
    """
    prices = price.draws(len(net) - 1, random)
    given = np.nan_to_num(discount) * prices * n_units
    value = margin * prices * net - given - np.nan_to_num(cost)
    missing = [
        word for word, figure in (("discount", discount), ("cost", cost)) if not np.isfinite(figure)
    ]
    # net units below 0 have no value above 0 at any price, whatever is not recorded
    basis = value if np.isfinite(value).all() else net
    with np.errstate(invalid="ignore"):
        chance = float((basis[1:] > 0).mean()) if np.isfinite(basis).all() else float("nan")
    is_known = np.isfinite(value).all() and len(missing) < 2
    verdict = CANNOT_TELL
    if chance <= 1 - VERDICT_LEVEL:
        verdict = NOT_VIABLE
    elif chance >= VERDICT_LEVEL and is_known:
        verdict = VIABLE
    discount_given = float(given[0]) if np.isfinite(discount) else float("nan")
    probability = chance if np.isfinite(value).all() else float("nan")
    return Value(value, discount_given, probability, verdict, price, tuple(missing))
