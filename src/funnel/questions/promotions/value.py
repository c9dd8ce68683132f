"""What a promotion's units are worth, what was taken off the price, and what is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.questions.promotions.scope import Scope
from funnel.stats import difference_of_rates

if TYPE_CHECKING:
    from funnel.dataset import Tables

VIABLE, NOT_VIABLE, CANNOT_TELL = "viable", "not viable", "cannot tell"
SURE = 0.9
FEWEST_WON = 10  # won deals, below which no usual amount is told
MOST_YEARS = 3  # around the promotion, from which usual amounts are taken
_FEWEST_RATE = 20
_OF_WAITS = 0.9  # of won deals' waits: younger leads have not had their time to win


@dataclass(frozen=True, eq=False)
class Price:
    """What one unit is usually worth in currency: its mean, standard error, and `n` rows.

    Missing where nothing tells it; `says` then holds why.
    """

    mean: float = float("nan")
    error: float = float("nan")
    n: int = 0
    says: str = ""

    def draws(self, n_draws: int, random: np.random.Generator) -> NDArray[np.float64]:
        """Draw it, above 0; the first entry is the mean itself."""
        if not self.error > 0:
            return np.full(1 + n_draws, self.mean)
        shape = (self.mean / self.error) ** 2
        return np.concatenate([[self.mean], random.gamma(shape, self.mean / shape, n_draws)])


def usual_price(data: Tables, scope: Scope, of: str, outside: NDArray[np.bool_]) -> Price:
    """Say what one unit is usually worth, from rows outside promotions.

    Parameters
    ----------
    data
        A company's tables.
    scope
        The rows that the promotion was for.
    of
        `bookings` are worth themselves, wins their mean amount, leads the mean amount won per
        lead that is old enough.
    outside
        Rows of the scope to take.
    """
    if of == "bookings":
        return Price(1.0, 0.0, len(scope.ids))
    if of not in ("leads", "wins"):
        return Price(says=f"what a lead reaching {of} is worth is not told")
    if not data.has("deals", "amount"):
        return Price(says="no amounts of deals are recorded")
    won = data.deals[(data.deals["outcome"] == "won") & data.deals["amount"].notna()]
    ids = scope.ids[outside]
    if of == "wins":
        each = won.loc[won["deal_id"].isin(ids), "amount"].to_numpy(float)
        n_won = len(each)
    else:
        ids = ids[ids.index <= _old_enough(data, won)]
        per_lead = won.groupby("lead_id")["amount"].sum()
        each = per_lead.reindex(ids).fillna(0.0).to_numpy(float)
        n_won = int((each > 0).sum())
    if n_won < FEWEST_WON or each.mean() <= 0:
        return Price(n=n_won, says=f"only {n_won} won deals tell what it is usually worth")
    return Price(float(each.mean()), float(each.std(ddof=1) / np.sqrt(len(each))), len(each))


@dataclass(frozen=True, eq=False)
class WinRate:
    """How often rows of a promotion's days are won, and others: shares, with their counts.

    `low` and `high` are the interval of `during` - `outside`. Leads count from the age by which
    nine in ten wins have come; all is missing where too few are that old.
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
    """Compare how often leads of a promotion's days are won with those of other days.

    Parameters
    ----------
    data
        A company's tables.
    scope
        The rows that the promotion was for.
    of
        What is counted; told for leads only: a series of wins holds nothing that was lost.
    during, outside
        Rows of the scope to compare.
    level
        Of the interval.
    """
    if of != "leads" or not data.has("deals", "lead_id"):
        return WinRate()
    won = data.deals[(data.deals["outcome"] == "won") & data.deals["lead_id"].notna()]
    is_won = scope.ids.isin(won["lead_id"]).to_numpy()
    is_old = np.asarray(scope.ids.index <= _old_enough(data, won))
    if (during & ~is_old).any():
        return WinRate()
    during, outside = during & is_old, outside & is_old
    n, n_outside = int(during.sum()), int(outside.sum())
    if min(n, n_outside) < _FEWEST_RATE:
        return WinRate(n=n, n_outside=n_outside)
    wins, wins_outside = int(is_won[during].sum()), int(is_won[outside].sum())
    low, high = difference_of_rates(wins, n, wins_outside, n_outside, level)
    return WinRate(wins / n, wins_outside / n_outside, float(low), float(high), n, n_outside)


def _old_enough(data: Tables, won: pd.DataFrame) -> pd.Timestamp:
    """Give the last day on which a lead came that has had its time to win."""
    created = data.leads.set_index("lead_id")["created_at"]
    came = created.reindex(won["lead_id"]).to_numpy("datetime64[us]")
    waits = (won["closed_at"].to_numpy("datetime64[us]") - came) / np.timedelta64(1, "D")
    waits = waits[np.isfinite(waits) & (waits >= 0)]
    days = float(np.quantile(waits, _OF_WAITS)) if waits.size else 0.0
    return pd.Timestamp(data.as_of) - pd.Timedelta(days=days)


@dataclass(frozen=True, eq=False)
class Value:
    """What a promotion left, in currency: margin on net units, less discount, less cost.

    `value` holds the estimate and then its draws. `probability` is that of being above 0;
    `leaves_out` says what is not in it.
    """

    value: NDArray[np.float64]
    discount_given: float
    probability: float
    verdict: str
    leaves_out: tuple[str, ...] = ()


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
    """Weigh what a promotion brought net against what it took.

    Parameters
    ----------
    net
        Units net of the weeks around, the estimate first and then draws.
    n_units
        That came in the promotion's days, and so at its price.
    price
        Of a unit.
    margin
        Share of the price that is left when a unit is delivered.
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
    leaves_out = [price.says] if price.says else []
    if missing:
        leaves_out.append(f"no {' and no '.join(missing)} is recorded, and none is taken off")
    # at no price above 0 can net units below 0 leave anything, nor can a cost not recorded help
    basis = value if np.isfinite(value).all() else net
    with np.errstate(invalid="ignore"):
        chance = float((basis[1:] > 0).mean()) if np.isfinite(basis).all() else float("nan")
    is_known = np.isfinite(value).all() and len(missing) < 2
    verdict = CANNOT_TELL
    if chance <= 1 - SURE:
        verdict = NOT_VIABLE
    elif chance >= SURE and is_known:
        verdict = VIABLE
    discount_given = float(given[0]) if np.isfinite(discount) else float("nan")
    probability = chance if np.isfinite(value).all() else float("nan")
    return Value(value, discount_given, probability, verdict, tuple(leaves_out))
