"""Power and false alarms of the tests for lost touches and for changes of paths; CPU time.

Generates companies with and without broken tracking, and some in which a share of the period's
won deals has another path; prints how often each is found, or the CPU time of each figure.

    python benchmarks/tracing.py --runs 40
    python benchmarks/tracing.py --touches 1000000
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from funnel.checks import tracking_losses
from funnel.dataset import Tables
from funnel.questions.attribution import attribution, path_changes
from funnel.sample import company
from funnel.stats import MOVED

SCENARIOS = ("none", "mix", "volume", "tracking_break")
PLANTED = (0.0, 0.1, 0.2)
FIRST_SEED = 100


def findings(made: Tables) -> dict[str, bool]:
    """What is found in one company."""
    found, changes = tracking_losses(made), path_changes(made)
    start = made.comparison.period.start
    return {
        "a loss": bool(found),
        "dated within 3 days": any(
            each.since is not None and abs((each.since - start).days) <= 3 for each in found
        ),
        "paths not compared": not changes.is_comparable,
        "paths changed": changes.p_value <= changes.alpha,
        "a path named": bool((changes.table["verdict"] == MOVED).any()),
    }


def generated(scenario: str, seed: int, leads: int) -> Tables:
    """A generated company of nine quarters."""
    made = company(scenario, seed=seed, leads=leads, quarters=9)
    return Tables.of(as_of=made.as_of, **made.tables)


def planted(share: float, seed: int) -> Tables:
    """150 won deals a quarter; in the second, this share of them has the path event > demo."""
    rng = np.random.default_rng(seed)
    closed = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.uniform(0, 180.9, 300), unit="D")
    routes = [list(rng.choice(["web", "email", "event", "demo"], rng.integers(1, 4)))
            for _ in closed]  # fmt: skip
    routes = [
        ["event", "demo"] if day >= pd.Timestamp("2026-04-01") and rng.random() < share else route
        for day, route in zip(closed, routes, strict=True)
    ]
    ids = [f"L{i}" for i in range(len(routes))]
    leads = pd.DataFrame({"lead_id": ids, "created_at": closed - pd.Timedelta(days=60)})
    rows = [
        (lead, channel, day - pd.Timedelta(days=10 * (len(route) - place)))
        for lead, route, day in zip(ids, routes, closed, strict=True)
        for place, channel in enumerate(route)
    ]
    deals = pd.DataFrame(
        {"deal_id": ids, "lead_id": ids, "created_at": closed - pd.Timedelta(days=5),
         "closed_at": closed, "outcome": "won", "amount": 100.0}
    )  # fmt: skip
    touches = pd.DataFrame(rows, columns=["lead_id", "channel", "occurred_at"])
    return Tables.of(as_of="2026-06-30", leads=leads, deals=deals, touches=touches)


def scorecard(runs: int, leads: int) -> pd.DataFrame:
    """How often each is found, one row per kind of company."""
    rows: list[dict] = []
    seeds = range(FIRST_SEED, FIRST_SEED + runs)
    for scenario in SCENARIOS:
        rows += [
            {"company": scenario, **findings(generated(scenario, seed, leads))} for seed in seeds
        ]
    for share in PLANTED:
        name = f"planted {share:.0%}"
        rows += [{"company": name, **findings(planted(share, seed))} for seed in seeds]
    return pd.DataFrame(rows).groupby("company", sort=False).sum()


def large(n_touches: int) -> Tables:
    """A company with this many touches, a fifth as many leads, one in twenty of them won."""
    rng = np.random.default_rng(0)
    n = n_touches // 5
    created = pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 1200 * 86400, n), "s")
    channels = ["web", "email", "event", "ads"]
    leads = pd.DataFrame(
        {"lead_id": [f"L{i}" for i in range(n)], "created_at": created,
         "account_id": [f"A{i}" for i in rng.integers(0, n // 2, n)],
         "channel": rng.choice(channels, n)}
    )  # fmt: skip
    who = rng.integers(0, n, n_touches)
    later = pd.to_timedelta(rng.integers(-20 * 86400, 60 * 86400, n_touches), unit="s")
    touches = pd.DataFrame(
        {"touch_id": [f"T{i}" for i in range(n_touches)], "occurred_at": created[who] + later,
         "lead_id": leads["lead_id"].to_numpy()[who],
         "channel": rng.choice([*channels, "direct"], n_touches)}
    )  # fmt: skip
    won = rng.choice(n, n // 20, replace=False)
    deals = pd.DataFrame(
        {"deal_id": [f"D{i}" for i in range(len(won))], "outcome": "won",
         "lead_id": leads["lead_id"].to_numpy()[won],
         "account_id": leads["account_id"].to_numpy()[won],
         "created_at": created[won] + pd.Timedelta(days=30),
         "closed_at": created[won] + pd.Timedelta(days=80),
         "amount": rng.lognormal(9, 1, len(won))}
    )  # fmt: skip
    return Tables.of(as_of="2026-06-30", leads=leads, deals=deals, touches=touches)


def costs(n_touches: int) -> pd.DataFrame:
    """CPU seconds of each figure, and as a multiple of the floor's."""
    data, spent = large(n_touches), {}

    def timed(name: str, ask: Callable[[], Any]) -> Any:
        begin = time.process_time()
        answer = ask()
        spent[name] = round(time.process_time() - begin, 2)
        return answer

    answer = timed("first touches", lambda: attribution(data))
    for name in ("journeys", "paths", "common_paths", "path_changes", "path_times", "trace"):
        timed(name, getattr(answer, name))
    for model in ("linear", "markov"):
        timed(f"credit, {model}", lambda model=model: answer.credit(model))
        timed(f"deals of {model}", lambda model=model: answer.credited_deals(model))
    begin = time.process_time()
    bare_first_touches(data)
    floor = time.process_time() - begin
    table = pd.DataFrame({"CPU seconds": spent})
    return table.assign(of_floor=(table["CPU seconds"] / floor).round(1))


def bare_first_touches(data: Tables) -> pd.Series:
    """Floor: pandas alone finds each won deal's first touch, and counts channels."""
    won = data.deals.loc[data.deals["outcome"] == "won", ["deal_id", "account_id", "closed_at"]]
    account = data.leads.set_index("lead_id")["account_id"]
    touches = data.touches.assign(account_id=data.touches["lead_id"].map(account))
    each = won.merge(touches[["account_id", "channel", "occurred_at"]], on="account_id")
    each = each[each["occurred_at"] <= each["closed_at"]]
    first = each.loc[each.groupby("deal_id")["occurred_at"].idxmin()]
    return first["channel"].value_counts()


def main() -> None:
    """Print the scorecard, or the costs."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--leads", type=int, default=700, help="a quarter")
    parser.add_argument(
        "--touches", type=int, default=0, help="measure CPU time with so many instead"
    )
    args = parser.parse_args()
    if args.touches:
        print(costs(args.touches).to_string())
    else:
        print(scorecard(args.runs, args.leads).to_string())


if __name__ == "__main__":
    main()
