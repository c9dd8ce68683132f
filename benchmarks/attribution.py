"""Credit compared with a known truth, with other packages, and with plain numpy.

Run as `python benchmarks/attribution.py [--part truth|nulls|coverage|peers|size] [--worlds N]
[--peers PYTHON] [--paths FILE]`. Without `--part`, all of them; what is not installed is left out.

- `truth`: journeys of worlds in which each channel moves the odds of a win by a known amount. The
  true effect of a channel is the share of wins that the world itself would lose without it.
- `nulls`: how often lift flags any channel where touches carry no signal: journeys cut at the first
  or the last flagged touch, wins that go on for longer, channels that depend on the place.
- `coverage`: how often 95 % intervals of shares hold the share of the population.
- `peers`: the same grouped paths given to other packages, each in a process of its own. `--peers`
  names a Python that has ChannelAttribution and marketing-attribution-models, `--paths` a file of
  paths (columns `path`, `total_conversions`, `total_conversion_value`, `total_null`); without it,
  paths are generated. The floor is what numpy alone needs for first touch and one chain.
- `size`: removal effects of 500 channels from 10 million journeys, after grouping.

CPU time is that of all threads together; other work on the machine hardly moves it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import spearmanr

CHANNELS = 10
JOURNEYS = 5_000
BASE = -2.2
MODELS = ("first_touch", "last_touch", "linear", "position_based", "shapley", "shapley_rate",
          "markov")  # fmt: skip
SEPARATOR = ";"


def world(seed: int, n: int, *, per_touch: bool, intent: float):
    """Draw journeys; two channels harm, two do nothing, six help. Gives paths, wins and truth."""
    random = np.random.default_rng(seed)
    met = random.permutation(np.geomspace(0.08, 0.6, CHANNELS))
    effects, kind = np.zeros(CHANNELS), random.permutation(CHANNELS)
    effects[kind[:2]] = -random.uniform(0.5, 1.1, 2)
    effects[kind[4:]] = random.uniform(0.1, 1.1, CHANNELS - 4)

    def drawn(n: int):
        near = random.normal(size=n) * intent
        touched = random.random((n, CHANNELS)) < expit(np.log(met / (1 - met)) + near[:, None])
        nobody = ~touched.any(axis=1)
        touched[nobody, random.choice(CHANNELS, nobody.sum(), p=met / met.sum())] = True
        times = touched * (1 + random.poisson(0.7, (n, CHANNELS)))
        moves = np.log1p(times) / np.log(2) if per_touch else touched.astype(float)
        return times, moves, near

    _, moves, near = drawn(200_000)
    chance = expit(BASE + moves @ effects + near)
    truth = [
        1 - expit(BASE + moves @ np.where(np.arange(CHANNELS) == i, 0, effects) + near).mean()
        / chance.mean()
        for i in range(CHANNELS)
    ]  # fmt: skip
    times, moves, near = drawn(n)
    won = random.random(n) < expit(BASE + moves @ effects + near)
    routes = [
        random.permutation(np.repeat(np.arange(CHANNELS), row)).astype(str).tolist()
        for row in times
    ]
    return routes, won, np.array(truth), times.sum(axis=0)


def truth(worlds: int) -> None:
    """Rank correlation of credit and of lift with the true effect, and what is flagged."""
    from funnel.methods.paths import CodedPaths
    from funnel.questions.attribution import attribute, lift

    print(
        f"\n{worlds} worlds of {JOURNEYS:,} journeys each; rank correlation with the true effect\n"
    )
    print("| world | " + " | ".join(MODELS) + " | lift | with volume: markov |")
    print("|---|" + "---:|" * (len(MODELS) + 2))
    flags = {}
    for name, per_touch, intent in (
        ("effect by channel", False, 0.0),
        ("effect by touch", True, 0.0),
        ("by channel, intent hidden", False, 0.5),
        ("by touch, intent hidden", True, 0.5),
    ):
        ranks = {model: [] for model in (*MODELS, "lift", "volume")}
        harmful, harmless = [], []
        for seed in range(worlds):
            routes, won, effect, volume = world(seed, JOURNEYS, per_touch=per_touch, intent=intent)
            coded = CodedPaths.of(routes, conversions=won, nulls=~won).grouped()
            order = np.array(coded.channels).astype(int)
            for model in MODELS:
                table = attribute(coded, model).table.set_index("channel")
                got = table["conversions"].reindex(coded.channels).to_numpy()
                ranks[model].append(spearmanr(got, effect[order])[0])
                if model == "markov":
                    ranks["volume"].append(spearmanr(got, volume[order])[0])
            table = lift(coded).table.set_index("channel")
            table = table.reindex(coded.channels)
            ranks["lift"].append(spearmanr(table["lift"], effect[order])[0])
            fewer = (table["verdict"] == "fewer wins with it").to_numpy()
            harms = effect[order] < 0
            harmful += fewer[harms].tolist()
            harmless += fewer[~harms].tolist()
        flags[name] = (np.mean(harmful), np.mean(harmless))
        print(
            f"| {name} | " + " | ".join(f"{np.mean(each):.2f}" for each in ranks.values()) + " |",
            flush=True,
        )
    print("\n| world | harmful channels flagged | others flagged |\n|---|---:|---:|")
    for name, (found, false) in flags.items():
        print(f"| {name} | {found:.1%} | {false:.1%} |")


def null_journeys(seed: int, n: int, kind: str):
    """Draw journeys over six channels, of which none matters. Gives paths and wins."""
    random = np.random.default_rng(seed)
    often, rate = random.dirichlet(np.full(6, 3.0)), random.choice([0.03, 0.08])
    repeats = 0.0 if kind == "place" else random.choice([0.0, 0.4])
    routes, won = [], []
    for length in 1 + random.poisson(random.choice([1, 3, 6]), n):
        flags = random.random(length) < rate
        is_won = bool(flags.any()) if kind in ("first", "last", "place") else random.random() < 0.1
        length += random.poisson(3) if is_won and kind == "longer" else 0
        later = 0.6 ** np.arange(length)[:, None] if kind == "place" else np.ones((length, 1))
        chance = later * often + (1 - later) * often[::-1]
        route = (chance.cumsum(axis=1) < random.random((length, 1))).sum(axis=1).clip(0, 5)
        for i in np.flatnonzero(random.random(length - 1) < repeats):
            route[i + 1] = route[i]
        if is_won and kind in ("first", "place"):
            route = route[: flags.argmax() + 1]
        if is_won and kind == "last":
            route = route[: length - flags[::-1].argmax()]
        routes.append(route.astype(str).tolist())
        won.append(is_won)
    return routes, np.array(won)


def nulls(runs: int, sizes: tuple[int, ...] = (400, 3000)) -> None:
    """How often any channel is flagged where none matters."""
    from funnel.methods.paths import CodedPaths
    from funnel.questions.attribution import lift

    print("\n| journeys without a signal | n | any channel flagged | one direction, unadjusted |")
    print("|---|---:|---:|---:|")
    for n in sizes:
        for kind in ("first", "last", "longer", "place", "chance"):
            results = []
            for seed in range(runs):
                routes, won = null_journeys(10_000 + 7 * seed, n, kind)
                coded = CodedPaths.of(routes, conversions=won, nulls=~won)
                results.append(lift(coded.grouped()))
            flagged = [(each.table["verdict"] != "cannot tell").any() for each in results]
            in_common = [bool(each.common_direction) for each in results]
            shares = f"{np.mean(flagged):.1%} | {np.mean(in_common):.1%}"
            print(f"| {kind} | {n:,} | {shares} |", flush=True)


def _population(seed: int, paths: int = 400):
    """Make a population of paths over eight channels, of which three are rarely met."""
    from funnel.methods.paths import CodedPaths

    random = np.random.default_rng(seed)
    often = [0.35, 0.25, 0.2, 0.12, 0.05, 0.02, 0.008, 0.002]
    routes = [random.choice(list("abcdefgh"), 1 + random.poisson(2), p=often) for _ in range(paths)]
    went = random.dirichlet(np.full(paths, 0.4))
    chance, mean = random.beta(2, 10, paths), random.uniform(50, 150, paths)
    whole = CodedPaths.of(
        routes,
        conversions=went * chance * 1e6,
        value=went * chance * 1e6 * mean,
        nulls=went * (1 - chance) * 1e6,
    )
    return routes, went, chance, mean, whole.grouped()


def coverage(times: int, journeys: int = 4000, spread: float = 0.8) -> None:
    """How often 95 % intervals hold the share of the population that journeys are drawn from."""
    from funnel.contract.plan import Plan
    from funnel.methods.paths import CodedPaths
    from funnel.questions.attribution import attribute

    cases = [
        ("first_touch", 1), ("last_touch", 1), ("linear", 1), ("position_based", 1),
        ("shapley", 1), ("shapley_rate", 1), ("markov", 1), ("markov", 2), ("markov", 3),
    ]  # fmt: skip
    held = {}
    for world in (1, 2, 3):
        population, often, chance, mean, whole = _population(world)
        for i in range(times):
            draw = np.random.default_rng(world * 100_000 + i)
            went = draw.multinomial(journeys, often)
            wins = draw.binomial(went, chance)
            at = np.repeat(np.arange(len(often)), wins)
            values = draw.lognormal(np.log(mean[at]) - spread**2 / 2, spread)
            lost = went - wins
            singly = dict.fromkeys(("conversions", "nulls"), 0)
            singly["conversions"] = np.concatenate([np.ones(len(at)), np.zeros(len(often))])
            singly["nulls"] = np.concatenate([np.zeros(len(at)), lost])
            routes = [population[j] for j in at] + population
            for what in ("wins", "value"):
                booked = np.concatenate([values, np.zeros(len(often))]) * (what == "value")
                sample = CodedPaths.of(routes, value=booked, **singly)
                of_all = CodedPaths(**{**vars_of(whole), "value": whole.value * (what == "value")})
                for model, order in cases:
                    got = attribute(sample, model, order=order, plan=Plan(level=0.95)).table
                    true = attribute(of_all, model, order=order).table
                    both = got.merge(true[["channel", "share"]], on="channel", suffixes=("", "_t"))
                    inside = both["share_low"] <= both["share_t"]
                    inside &= both["share_t"] <= both["share_high"]
                    held.setdefault((model, order, what), []).extend(inside.tolist())
    print(
        f"\n95 % intervals of eight channels' shares, {times} samples of {journeys:,} journeys "
        f"from each of three worlds; the log of a deal's value has a spread of {spread:g}\n"
    )
    print("| model | order | of | held |\n|---|---:|---|---:|")
    for (model, order, what), inside in held.items():
        print(f"| {model} | {order} | {what} | {np.mean(inside):.1%} |", flush=True)


def vars_of(routes) -> dict:
    """Give what paths in numbers are made with."""
    return {name: getattr(routes, name) for name in routes.__dataclass_fields__}


def made_paths(n: int, channels: int, seed: int = 1) -> pd.DataFrame:
    """Make grouped paths of the public sample's shape."""
    random = np.random.default_rng(seed)
    names = [f"channel {i:02d}" for i in range(channels)]
    often = random.dirichlet(np.full(channels, 0.7))
    return pd.DataFrame(
        {
            "path": [
                " > ".join(random.choice(names, 1 + random.poisson(4), p=often)) for _ in range(n)
            ],
            "total_conversions": random.poisson(2, n),
            "total_conversion_value": random.gamma(2, 4, n).round(3),
            "total_null": random.poisson(7, n),
        }
    )


def _ours(paths: pd.DataFrame, models: tuple[str, ...]) -> dict[str, float]:
    from funnel.methods.paths import coded_paths
    from funnel.questions.attribution import attribute

    routes = coded_paths(
        paths.rename(
            columns={
                "total_conversions": "conversions",
                "total_conversion_value": "value",
                "total_null": "nulls",
            }
        )
    )
    credit = [attribute(routes, model) for model in models][-1].table
    return credit.set_index("channel")["conversions"].to_dict()


def _floor(paths: pd.DataFrame) -> dict[str, float]:
    routes = [path.split(" > ") for path in paths["path"]]
    lengths = np.array([len(route) for route in routes])
    names, codes = np.unique([name for route in routes for name in route], return_inverse=True)
    k, last = len(names), np.cumsum(lengths) - 1
    wins = paths["total_conversions"].to_numpy(float)
    went = wins + paths["total_null"].to_numpy()
    first = last - lengths + 1
    weight = np.repeat(went, lengths)
    weight[last] = 0
    steps = np.bincount(codes[:-1] * k + codes[1:], weight[:-1], k * k).reshape(k, k)
    start = np.bincount(codes[first], went, k)
    left = np.maximum(steps.sum(axis=0) + start, 1)
    inverse = np.linalg.inv(np.eye(k) - steps / left[:, None])
    reached = start @ inverse
    ahead = inverse @ (np.bincount(codes[last], wins, k) / left)
    lost = reached * ahead / np.diag(inverse)
    return dict(zip(names, lost / lost.sum() * wins.sum(), strict=True))


def _channel_attribution(
    paths: pd.DataFrame, walks: float | None = None, longest: int | None = None
) -> dict[str, float]:
    """Credit by its simulation; with its defaults where nothing is given.

    By default it cuts a walk at the length of the longest path, so that more walks come no nearer
    to the chain's own effects; `longest` lets them end by themselves.
    """
    import ChannelAttribution

    chosen = {"nsim_start": walks, "max_step": longest}
    table = ChannelAttribution.markov_model(
        paths, "path", "total_conversions", var_null="total_null", flg_pro=False, verbose=False,
        **{name: value for name, value in chosen.items() if value},
    )  # fmt: skip
    return dict(zip(table.iloc[:, 0], table["total_conversions"], strict=True))


def _with_heuristics(paths: pd.DataFrame) -> dict[str, float]:
    import ChannelAttribution

    ChannelAttribution.heuristic_models(paths, "path", "total_conversions", flg_pro=False)
    return _channel_attribution(paths, 1e5)


def _mam(paths: pd.DataFrame) -> dict[str, float]:
    from mam import MAM

    won = paths.assign(converted=True, occurrences=paths["total_conversions"])
    lost = paths.assign(converted=False, occurrences=paths["total_null"])
    rows = pd.concat([won, lost])[["path", "converted", "occurrences"]]
    model = MAM(
        rows[rows["occurrences"] > 0], "grouped_journey", "path", "converted",
        occurrences_colname="occurrences",
    )  # fmt: skip
    for run in (model.run_first_click, model.run_last_click, model.run_linear):
        run()
    effects = model.run_markov().metadata["removal_effect"]["removal_effect"]
    shares = effects / effects.sum() * paths["total_conversions"].sum()
    return shares.to_dict()


WHOLE = 100_000  # steps; no walk is so long
FOUR = ("first_touch", "last_touch", "linear", "markov")
RUNS = {
    "floor: numpy, one chain, no intervals": _floor,
    "funnel, Markov alone, with intervals": lambda paths: _ours(paths, ("markov",)),
    "funnel, four models, with intervals": lambda paths: _ours(paths, FOUR),
    "ChannelAttribution, four models": _with_heuristics,
    "ChannelAttribution, Markov, its defaults": _channel_attribution,
    "ChannelAttribution, Markov, 1 million walks to their end": lambda paths: _channel_attribution(
        paths, 1e6, WHOLE
    ),
    "ChannelAttribution, Markov, 10 million walks to their end": lambda paths: _channel_attribution(
        paths, 1e7, WHOLE
    ),
    "marketing-attribution-models, four models": _mam,
}


def peers(python: str, file: Path | None) -> None:
    """Run each package on the same paths in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        if file is None:
            file = Path(folder) / "paths.csv"
            made_paths(10_000, 12).to_csv(file, sep=SEPARATOR, index=False)
        print("\n| run | CPU s | of the floor | GiB | off exact, mean | at most | above 1,000 |")
        print("|---|---:|---:|---:|---:|---:|---:|")
        exact, least = None, None
        for name in RUNS:
            which = sys.executable if name.startswith(("floor", "funnel")) else python
            command = [which, __file__, "--run", name, "--paths", str(file)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                why = done.stderr.strip().splitlines()[-1:] or ["no word"]
                print(f"| {name} | not run: {why[0][:80]} | | | | | |", flush=True)
                continue
            got = json.loads(done.stdout.strip().splitlines()[-1])
            exact, least = exact or got["credit"], least or got["cpu"]
            off = [
                abs(got["credit"].get(channel, 0) - value) / value
                for channel, value in exact.items()
            ]
            large = [each for each, wins in zip(off, exact.values(), strict=True) if wins > 1000]
            large = large or off
            print(
                f"| {name} | {got['cpu']:.3f} | {got['cpu'] / least:.1f} | {got['gib']:.2f} "
                f"| {np.mean(off):.2%} | {max(off):.2%} | {max(large):.2%} |",
                flush=True,
            )


def run(name: str, file: Path) -> None:
    """Run one package once to warm up and once for the record."""
    paths = pd.read_csv(file, sep=SEPARATOR)
    RUNS[name](paths.head(50))
    worked = time.process_time()
    credit = RUNS[name](paths)
    cpu = time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(json.dumps({"cpu": cpu, "gib": peak, "credit": credit}))


def size(journeys: int = 10_000_000, channels: int = 500) -> None:
    """Removal effects of many channels, from journeys that are grouped already."""
    from funnel.methods.paths import CodedPaths
    from funnel.questions.attribution.markov import chain, removal

    random = np.random.default_rng(3)
    lengths = np.minimum(1 + random.poisson(4, journeys), 12)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    often = random.dirichlet(np.full(channels, 0.5))
    codes = random.choice(channels, offsets[-1], p=often).astype(np.int32)
    won = (random.random(journeys) < 0.1).astype(float)
    routes = CodedPaths(
        channels=tuple(f"c{i:03d}" for i in range(channels)),
        codes=codes, offsets=offsets, conversions=won, value=won * 100, nulls=1 - won,
    )  # fmt: skip
    worked = time.process_time()
    routes = routes.grouped()
    grouped = time.process_time()
    counted = chain(routes)
    chained = time.process_time()
    effects = removal(counted).effects
    done = time.process_time()
    print(
        f"\n{journeys:,} journeys, {len(codes):,} touches, {channels} channels: grouping into "
        f"{routes.n_paths:,} paths {grouped - worked:.2f} CPU s, counting steps "
        f"{chained - grouped:.2f}, all {np.isfinite(effects).sum()} removal effects "
        f"{done - chained:.2f}"
    )


def main() -> None:
    """Run the parts that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=("truth", "nulls", "coverage", "peers", "size"))
    parser.add_argument("--worlds", type=int, default=40)
    parser.add_argument("--peers", default=sys.executable)
    parser.add_argument("--paths", type=Path)
    parser.add_argument("--run", choices=RUNS)
    args = parser.parse_args()
    if args.run:
        run(args.run, args.paths)
        return
    parts = [args.part] if args.part else ["truth", "nulls", "coverage", "peers", "size"]
    if "truth" in parts:
        truth(args.worlds)
    if "nulls" in parts:
        nulls(args.worlds)
    if "coverage" in parts:
        coverage(2 * args.worlds)
    if "peers" in parts:
        peers(args.peers, args.paths)
    if "size" in parts:
        size()


if __name__ == "__main__":
    main()
