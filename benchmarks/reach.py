"""How often the intervals of `reach_by_age` hold the truth, compared with other intervals.

    python benchmarks/reach.py [shares|chances|values|size] [--runs N]

Each line is one kind of company; figures are shares of runs at a nominal 0.90.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.duration.api import CumIncidenceRight

from funnel import reach_by_age
from funnel.stats import wilson

LEVEL = 0.9
Z = stats.norm.ppf(0.5 + LEVEL / 2)
SIZES = (30, 100, 300, 1000, 3000)
RANGES = {"7 %": (0.04, 0.10), "18 %": (0.12, 0.24), "50 %": (0.40, 0.60)}
FOLLOWED = {"all mature": (400, 401), "0-180 days": (0, 180), "0-90 days": (0, 90)}
MEAN_DAYS = (10.0, 25.0)  # days, of the two steps
AMOUNTS = {
    "log-normal 0.5": (lambda r, n: r.lognormal(0, 0.5, n), np.exp(0.125)),
    "log-normal 1.0": (lambda r, n: r.lognormal(0, 1.0, n), np.exp(0.5)),
    "log-normal 1.5": (lambda r, n: r.lognormal(0, 1.5, n), np.exp(1.125)),
    "exponential": (lambda r, n: r.exponential(1, n), 1.0),
    "one price": (lambda r, n: np.ones(n), 1.0),
    "a tenth ten times": (lambda r, n: np.where(r.random(n) < 0.1, 10.0, 1.0), 1.9),
}


def came(age: float, mean_days: tuple[float, float] = MEAN_DAYS) -> float:
    """Share of the leads that take both steps which has done so by an age."""
    a, b = mean_days
    return 1 - (a * np.exp(-age / a) - b * np.exp(-age / b)) / (a - b)


def cohort(
    random: np.random.Generator, n: int, share: float, age: float, followed: tuple[int, int]
) -> tuple[pd.DataFrame, float]:
    """Leads of whom `share` wins by `age`, others leaving; and the share at the first stage."""
    wins = min(share / came(age), 1.0)
    first = min(1.2 * wins**0.5, 1.0)
    gets = np.cumprod(random.random((n, 2)) < (first, wins / first), axis=1).astype(bool)
    at = np.cumsum(random.exponential(MEAN_DAYS, (n, 2)), axis=1)
    leaves = np.where(gets[:, 0], at[:, 0] + random.exponential(40, n), random.exponential(30, n))
    leaves[gets[:, 1] | (random.random(n) < 0.3)] = np.nan
    seen = random.uniform(*followed, n)
    ages = np.where(gets & (at <= seen[:, None]), at, np.nan)
    frame = pd.DataFrame({"mql_age": ages[:, 0], "won_age": ages[:, 1], "follow_up": seen})
    frame["lost_age"] = np.where(leaves <= seen, leaves, np.nan)
    return frame, first * (1 - np.exp(-age / MEAN_DAYS[0]))


def others(share: float, low: float, high: float) -> dict[str, tuple[float, float]]:
    """Other intervals at the effective size of ours, which follows from its ends."""
    end = high if share - low < high - share else low
    size = Z**2 * end * (1 - end) / (end - share) ** 2
    k, half = share * size, (1 - LEVEL) / 2
    beta = stats.beta.ppf
    exact = (
        beta(half, k, size - k + 1) if k else 0.0,
        beta(1 - half, k + 1, size - k) if k < size else 1.0,
    )
    inner = (
        beta(half, k + 1, size - k) if k and k < size else exact[0],
        beta(1 - half, k, size - k + 1) if k and k < size else exact[1],
    )
    jeffreys = beta([half, 1 - half], k + 0.5, size - k + 0.5)
    log = np.log(share) if 0 < share < 1 else np.nan
    slope = Z * np.sqrt((1 - share) / (size * share)) / -log if 0 < share < 1 else np.nan
    return {
        "Jeffreys": (jeffreys[0] if k else 0.0, jeffreys[1] if k < size else 1.0),
        "mid p": ((exact[0] + inner[0]) / 2, (exact[1] + inner[1]) / 2),
        "exact": exact,
        "log-log": (np.exp(log * np.exp(slope)), np.exp(log * np.exp(-slope))),
    }


def shares(runs: int) -> None:
    """Coverage of the share won and of the last step's rate, the truth drawn from a range."""
    for followed, span in FOLLOWED.items():
        for name, (lowest, highest) in RANGES.items():
            for n in SIZES:
                random = np.random.default_rng([n, *span, round(100 * lowest)])
                held: dict[str, list[bool]] = {}
                for _ in range(runs if n < 1000 else max(runs // 2, 1)):
                    truth, age = random.uniform(lowest, highest), random.choice([30.0, 60.0])
                    leads, first = cohort(random, n, truth, age, span)
                    row = reach_by_age(leads, age).table.iloc[-1]
                    if np.isnan(row["reached"]):
                        continue
                    truth = min(truth, came(age))
                    ends = row["reached_low"], row["reached_high"]
                    found = {"Wilson": ends} | others(row["reached"], *ends)
                    for method, (low, high) in found.items():
                        held.setdefault(method, []).append(low <= truth <= high)
                    if row["rate"] == row["rate"]:
                        inside = row["rate_low"] <= truth / first <= row["rate_high"]
                        held.setdefault("rate, Wilson", []).append(inside)
                line = " ".join(f"{method} {np.mean(each):.3f}" for method, each in held.items())
                print(f"{followed:>10} {name:>4} {n:>5}: {line}", flush=True)


def chances(_: int) -> None:
    """Wilson's exact coverage at one share, all leads mature: it varies, since wins are whole."""
    for name, (lowest, highest) in RANGES.items():
        for n in SIZES:
            k = np.arange(n + 1)
            low, high = wilson(k, np.full(n + 1, n), LEVEL)
            truths = np.linspace(lowest, highest, 601)
            held = [stats.binom.pmf(k, n, p)[(low <= p) & (p <= high)].sum() for p in truths]
            print(
                f"{name:>4} {n:>5}: from {min(held):.3f} to {max(held):.3f}, "
                f"mean {np.mean(held):.3f}"
            )


def of_values(worth: np.ndarray, random: np.random.Generator) -> dict[str, tuple[float, float]]:
    """Other intervals of the mean value, all leads mature."""
    n, mean, draws = worth.size, worth.mean(), 300
    error = worth.std() / np.sqrt(n) / mean
    picked = worth[random.integers(0, n, (draws, n))]
    means = picked.mean(axis=1)
    errors = picked.std(axis=1) / np.sqrt(n)
    tails = np.array([0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    known = errors > 0
    pivots = np.log(means[known] / mean) * means[known] / errors[known]
    turned = np.quantile(pivots, tails) if known.sum() > draws / 2 else np.array([-Z, Z])
    skew = stats.skew(worth)
    shift = skew * (1 + 2 * Z**2) / (6 * np.sqrt(n)) * error * mean  # Johnson's
    lift = stats.norm.ppf(np.clip((means < mean).mean(), 0.01, 0.99))
    bend = skew / (6 * np.sqrt(n))
    z = lift + stats.norm.ppf(tails)
    corrected = stats.norm.cdf(lift + z / (1 - bend * z))
    return {
        "log scale": (mean * np.exp(-Z * error), mean * np.exp(Z * error)),
        "percentile": tuple(np.quantile(means, tails)),
        "BCa": tuple(np.quantile(means, corrected)),
        "bootstrap t": (mean * np.exp(-turned[1] * error), mean * np.exp(-turned[0] * error)),
        "Johnson": (mean + shift - Z * error * mean, mean + shift + Z * error * mean),
    }


def values(runs: int) -> None:
    """Coverage of the value per lead, and how many times the low end the high end is."""
    for amounts, (make, mean) in AMOUNTS.items():
        for followed in ("all mature", "0-90 days"):
            for name, (lowest, highest) in RANGES.items():
                for n in SIZES:
                    random = np.random.default_rng(n)
                    held: dict[str, list[bool]] = {}
                    wide: dict[str, list[float]] = {}
                    for _ in range(runs if n < 1000 else max(runs // 2, 1)):
                        truth = random.uniform(lowest, highest)
                        leads, _first = cohort(random, n, truth, 60.0, FOLLOWED[followed])
                        amount = make(random, n)
                        leads["value"] = np.where(leads["won_age"].notna(), amount, 0.0)
                        row = reach_by_age(leads, 60).table.iloc[-1]
                        if not row["value_per_lead"] > 0:
                            continue
                        ends = row["value_per_lead_low"], row["value_per_lead_high"]
                        found = {"here": ends}
                        if followed == "all mature" and n <= 300:
                            by_then = leads["value"].where(leads["won_age"] <= 60, 0.0)
                            found |= of_values(by_then.to_numpy(), random)
                        for method, (low, high) in found.items():
                            held.setdefault(method, []).append(low <= truth * mean <= high)
                            wide.setdefault(method, []).append(high / max(low, 1e-9))
                    line = " ".join(
                        f"{method} {np.mean(each):.3f} (x{np.median(wide[method]):.3g})"
                        for method, each in held.items()
                    )
                    print(f"{amounts} {followed:>9} {name:>4} {n:>5}: {line}", flush=True)


def size(_: int) -> None:
    """A million leads, six stages, two ages."""
    random, n = np.random.default_rng(0), 1_000_000
    gets = np.cumprod(random.random((n, 6)) < 0.6, axis=1).astype(bool)
    at = np.cumsum(random.exponential(10, (n, 6)), axis=1)
    seen = random.uniform(0, 400, n)
    ages = np.where(gets & (at <= seen[:, None]), at, np.nan)
    leads = pd.DataFrame(ages, columns=[f"stage_{k}_age" for k in range(6)])
    leaves = np.where(gets.all(axis=1), np.nan, random.exponential(100, n))
    leads["lost_age"], leads["follow_up"] = np.where(leaves <= seen, leaves, np.nan), seen
    leads["value"] = np.where(np.isfinite(ages[:, 5]), random.lognormal(8, 1, n), 0.0)
    reach_by_age(leads.head(100), 30)  # late imports are not timed
    begin = time.process_time()
    reach_by_age(leads, [30, 90])
    ours = time.process_time() - begin
    begin = time.process_time()
    for k in range(6):  # one curve a stage: statsmodels, without value, ages or intervals of steps
        first = leads[[f"stage_{k}_age", "lost_age", "follow_up"]].min(axis=1)
        cause = np.select([first == leads[f"stage_{k}_age"], first == leads["lost_age"]], [1, 2], 0)
        CumIncidenceRight(first.to_numpy(), cause)
    peer = time.process_time() - begin
    print(f"a million leads: {ours:.1f} CPU-s; statsmodels, six curves: {peer:.1f} CPU-s")


def main() -> None:
    """Run one of them, or all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("which", nargs="?", default="all")
    parser.add_argument("--runs", type=int, default=400)
    given = parser.parse_args()
    studies = {"shares": shares, "chances": chances, "values": values, "size": size}
    for name, study in studies.items():
        if given.which in (name, "all"):
            begin = time.process_time()
            study(given.runs)
            print(f"   ({name}: {time.process_time() - begin:.0f} CPU-s)")


if __name__ == "__main__":
    main()
