"""How often a promotion's effect is claimed, missed and covered, on days with a known truth.

Generates three years of daily leads with a season, public holidays, a wandering level, weeks that
vary more than chance, a push at each quarter's end, and with them a control that shares part of
the level and of the weeks' variation. Prints a table in Markdown: how often an effect is claimed,
how often intervals of effect and net hold the truth, how often the control is used, CPU-seconds.

    python benchmarks/promotions.py --runs 200
    python benchmarks/promotions.py --runs 50 --cases "no effect" "pull-forward"
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

from funnel.contract.workdays import is_holiday, is_workday
from funnel.methods.season.day_weights import fit_day_weights
from funnel.questions.promotions.fit import DRAWS, StudyFit, fit_study
from funnel.questions.promotions.promos import Promotion
from funnel.questions.promotions.scope import Scope
from funnel.questions.promotions.study import Study
from funnel.questions.promotions.value import Price, value_of
from funnel.questions.promotions.weeks import WEEKS_BEFORE, spans, weeks_after, weeks_of
from funnel.stats import percentiles, wilson

COUNTRY = "DE"
SEASON = np.array([0.0, 0.0, 0.1, -0.1, 0.05, 0.0, -0.2, -0.25, 0.1, 0.15, 0.1, 0.05])
CASES: dict[str, dict] = {
    "no effect": {},
    "no effect, at a quarter's end": {"at_end": True},
    "no effect, few leads": {"rate": 6.0},
    "no effect, level wanders more": {"walk": 0.04},
    "lift of 18 %": {"lift": 0.18},
    "lift of 18 %, at a quarter's end": {"lift": 0.18, "at_end": True},
    "lift of 40 %": {"lift": 0.40},
    "pull-forward: 40 %, all of it from later": {"lift": 0.40, "pull": 1.0},
    "leak of 10 % into the control": {"lift": 0.18, "leak": 0.10},
}
LEVEL = 0.9


def days_of(
    seed: int,
    *,
    rate: float = 25.0,
    years: float = 3.0,
    n_days: int = 21,
    lift: float = 0.0,
    pull: float = 0.0,
    leak: float = 0.0,
    at_end: bool = False,
    walk: float = 0.02,
    varies: float = 0.05,
    shared: float = 0.6,
    push: float = 0.3,
    spread: float = 1.5,
) -> tuple[pd.Series, pd.Series, Promotion]:
    """Leads and control by day, and the promotion."""
    random = np.random.default_rng(seed)
    days = pd.date_range(end="2025-12-31", periods=int(365.25 * years))
    n_weeks = len(days) // 7 + 1
    worked = is_workday(days, COUNTRY)
    quarter = days.to_period("Q")
    left = pd.Series(worked.astype(int), index=days)[::-1].groupby(quarter[::-1]).cumsum()[::-1]
    expected = (
        SEASON[days.month - 1]
        + np.where(days.day_of_week < 5, 0, -1.2)
        - is_holiday(days, COUNTRY)
        + push * (worked & (left.to_numpy() <= 5))
    )

    def moving(share: float) -> np.ndarray:
        level = np.cumsum(random.normal(0, walk * np.sqrt(share), n_weeks))
        return (level + random.normal(0, varies * np.sqrt(share), n_weeks)).repeat(7)[: len(days)]

    common = moving(shared)
    first = random.integers(int(0.4 * len(days)), len(days) - 90)
    if at_end:
        ends = np.flatnonzero(quarter[1:] != quarter[:-1])
        ends = ends[(ends > 0.4 * len(days)) & (ends < len(days) - 60)]
        first = random.choice(ends) - n_days + 1
    promotion = Promotion("promo", days[first].date(), days[first + n_days - 1].date(), "web")
    n_after = 7 * weeks_after(promotion.first, promotion.last)
    planted = np.ones(len(days))
    planted[first : first + n_days] = 1 + lift
    planted[first + n_days : first + n_days + n_after] = 1 - pull * lift * n_days / n_after
    leaked = np.ones(len(days))
    leaked[first : first + n_days] = 1 + leak

    def drawn(size: float, times: np.ndarray) -> pd.Series:
        mean = size * np.exp(expected + common + moving(1 - shared)) * times
        return pd.Series(random.poisson(random.gamma(mean / (spread - 1), spread - 1)), days) * 1.0

    return drawn(rate, planted), drawn(3 * rate, leaked), promotion


def one(seed: int, **world: float) -> dict:
    """Figures of one generated promotion, compared with the truth."""
    daily, control, promotion = days_of(seed, **world)
    own = spans(
        promotion.first,
        promotion.last,
        WEEKS_BEFORE,
        weeks_after(promotion.first, promotion.last),
    )
    weights = fit_day_weights(daily, COUNTRY)
    ids = pd.Series(dtype="str", index=pd.DatetimeIndex([]))
    study = Study(
        promotion, "leads", own, Scope(daily, "leads", ids, ids),
        weeks=weeks_of(daily, weights, own, []), control=weeks_of(control, weights, own, []),
    )  # fmt: skip
    begin = time.process_time()
    fit = fit_study(study, seed=seed, n_draws=DRAWS)
    seconds = time.process_time() - begin
    observed = float(daily[str(promotion.first) : str(promotion.last)].sum())
    lift, pull = world.get("lift", 0.0), world.get("pull", 0.0)
    return {
        "is_controlled": fit.controlled is not None,
        "seconds": seconds,
        **_compared(fit, observed, lift, pull, "chosen"),
        **_compared(fit, observed, lift, pull, "plain"),
    }


def _compared(fit: StudyFit, observed: float, lift: float, pull: float, which: str) -> dict:
    made = getattr(fit, which)
    expected = np.maximum(observed - made.effect, 0.5)
    low, high = percentiles((made.effect / expected)[1:], LEVEL)
    net = made.net / expected
    net_low, net_high = percentiles(net[1:], LEVEL)
    # a price of 1, a discount of 0.15, a margin of 0.7
    worth = value_of(
        made.net, observed, Price(1.0, 0.0), margin=0.7, discount=0.15, cost=0.02 * observed,
        random=np.random.default_rng(0),
    )  # fmt: skip
    return {
        f"{which} claimed": bool(low > 0 or high < 0),
        f"{which} positive": bool(low > 0),
        f"{which} covers": bool(low <= lift <= high),
        f"{which} net covers": bool(net_low <= lift * (1 - pull) <= net_high),
        f"{which} effect": made.effect[0] / expected[0],
        f"{which} net": net[0],
        f"{which} not viable": worth.verdict == "not viable",
        f"{which} viable": worth.verdict == "viable",
    }


def main() -> None:
    """Run the cases and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--cases", nargs="*", default=list(CASES))
    args = parser.parse_args()
    print(
        "| case | fit | claimed | positive | effect covered | net covered | median effect "
        "| median net | viable | not viable | control used | CPU-s |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for case in args.cases:
        found = pd.DataFrame([one(seed, **CASES[case]) for seed in range(args.runs)])
        for which, label in (("chosen", "with control"), ("plain", "without")):
            rate = {
                name: _rate(found[f"{which} {name}"])
                for name in ("claimed", "positive", "covers", "net covers")
            }
            middle = [f"{found[f'{which} {name}'].median():+.1%}" for name in ("effect", "net")]
            ends = [f"{found[f'{which} {name}'].mean():.0%}" for name in ("viable", "not viable")]
            print(
                f"| {case} | {label} | "
                + " | ".join([*rate.values(), *middle, *ends])
                + f" | {found['is_controlled'].mean():.0%} | {found['seconds'].median():.3f} |",
                flush=True,
            )


def _rate(found: pd.Series) -> str:
    low, high = wilson(int(found.sum()), len(found), LEVEL)
    return f"{found.mean():.1%} [{100 * low:.0f} to {100 * high:.0f}]"


if __name__ == "__main__":
    main()
