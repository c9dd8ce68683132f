"""Models that look at all journeys together: Markov chains, and the Shapley value of win rates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from funnel.attribution.coded import CodedPaths
from funnel.attribution.markov import Chain, chain, influences, removal
from funnel.attribution.shapley import channel_sets, rate_game, rate_slopes, shapley_values
from funnel.attribution.sureness import Law, Moves, in_blocks, law_of, measured, worth_of_one

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Markov:
    """A Markov chain whose states are the last `order` touches."""

    order: int = 1

    def counted(self, ways: CodedPaths) -> Chain:
        """Count the chain; shares of wins and of value are read off the same one."""
        return chain(ways, self.order)

    def shares(self, ways: CodedPaths, *, of_value: bool, counted: Chain | None = None) -> Floats:
        """Give each channel's share of the removal effects."""
        counted = counted or self.counted(ways)
        return normed(removal(counted, of_value=of_value).effects)

    def moves(
        self,
        ways: CodedPaths,
        chosen: NDArray[np.int64],
        *,
        of_value: bool,
        counted: Chain | None = None,
    ) -> Iterator[Moves]:
        """Say how each journey of the chosen paths moves these shares."""
        counted = counted or self.counted(ways)
        removed = removal(counted, of_value=of_value, needs_states=True)
        effects = removed.effects
        for some in influences(ways, counted, removed, chosen):
            yield Moves(
                some.at, _of_shares(some.by_journey, effects), _of_shares(some.by_worth, effects)
            )


@dataclass(frozen=True, eq=False)
class RateShapley:
    """The Shapley value of what each set of channels wins per journey."""

    def counted(self, ways: CodedPaths) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give each path its set of channels."""
        return channel_sets(ways)

    def shares(
        self, ways: CodedPaths, *, of_value: bool, counted: tuple | None = None
    ) -> Floats:  # fmt: skip
        """Give each channel's share of the Shapley values; a channel's may be negative."""
        sets, bits = counted or self.counted(ways)
        game, _ = _game(ways, sets, bits, of_value=of_value)
        return unpooled(shapley_values(game), ways, bits)

    def moves(
        self,
        ways: CodedPaths,
        chosen: NDArray[np.int64],
        *,
        of_value: bool,
        counted: tuple | None = None,
    ) -> Iterator[Moves]:
        """Say how each journey of the chosen paths moves these shares."""
        sets, bits = counted or self.counted(ways)
        game, journeys = _game(ways, sets, bits, of_value=of_value)
        values = shapley_values(game)
        is_met = np.bincount(sets, minlength=len(game)) > 0
        met, place = np.flatnonzero(is_met), (np.cumsum(is_met) - 1)[sets]
        part = _part_of_pool(ways, bits)
        by_journey, by_worth = (
            _of_shares(slope, values)[:, bits] * part for slope in rate_slopes(game, journeys, met)
        )
        for at in in_blocks(chosen, len(bits)):
            on = ways.is_traced[at][:, None]
            yield Moves(at, by_journey[place[at]] * on, by_worth[place[at]] * on)


Joint = Markov | RateShapley


def joint_law(
    ways: CodedPaths,
    model: Joint,
    share: Floats,
    counted: object,
    worth: Floats,
    spread: Floats,
    *,
    of_value: bool,
) -> Law:
    """Say how the shares of a model vary, and with them the share of what cannot be traced.

    Parameters
    ----------
    ways
        Paths that somebody went.
    model, share
        The model, and what it gives each channel of what is traced.
    counted
        What the model counted.
    worth, spread
        As `law_of` takes them.
    of_value
        Whether shares are of value, else of wins.
    """
    within = ways.value.min(initial=0.0) >= 0
    total = (worth * ways.conversions).sum()
    held = (worth * ways.conversions)[ways.is_traced].sum() / total
    # a share of everything is the share of what is traced, times how much of it is
    of_held = np.where(ways.is_traced, 1 - held, -held) / total
    of_all = np.append(share, -1.0)
    chosen, factor = measured(ways, ways.conversions * worth**2 + spread, len(of_all))

    def whole() -> Iterator[Moves]:
        for some in model.moves(ways, chosen, of_value=of_value and within, counted=counted):
            by_worth = _and_untraced(some.by_worth * held)
            by_worth += of_held[some.at][:, None] * of_all
            yield Moves(some.at, _and_untraced(some.by_journey * held), by_worth)

    return law_of(ways, worth, spread, whole(), factor)


def effects_law(ways: CodedPaths, counted: Chain) -> Law:
    """Say how removal effects of wins vary."""
    removed = removal(counted, needs_states=True)
    wins = worth_of_one(ways, of_value=False)
    chosen, factor = measured(ways, ways.conversions, counted.n_channels)
    blocks = influences(ways, counted, removed, chosen)
    return law_of(ways, wins, np.zeros(ways.n_paths), blocks, factor)


def normed(effects: Floats) -> Floats:
    """Scale effects to shares; where nothing is won, nothing is shared."""
    effects = np.clip(np.nan_to_num(effects), 0.0, None)
    total = effects.sum(axis=-1, keepdims=True)
    return np.divide(effects, total, out=np.zeros_like(effects), where=total > 0)


def unpooled(values: Floats, ways: CodedPaths, bits: NDArray[np.int64]) -> Floats:
    """Scale Shapley values to shares, and deal a pooled value out by how often each is met."""
    total = values.sum(axis=-1, keepdims=True)
    values = np.divide(values, total, out=np.zeros_like(values), where=np.abs(total) > 0)
    return values[..., bits] * _part_of_pool(ways, bits)


def _part_of_pool(ways: CodedPaths, bits: NDArray[np.int64]) -> Floats:
    if len(set(bits.tolist())) == len(bits):
        return np.ones(len(bits))
    went = (ways.conversions + ways.nulls)[ways.path_of]
    met = np.bincount(ways.codes, went, len(ways.channels)).astype("float64")
    pooled = np.bincount(bits, met)
    return np.divide(met, pooled[bits], out=np.zeros_like(met), where=pooled[bits] > 0)


def _game(
    ways: CodedPaths, sets: NDArray[np.int64], bits: NDArray[np.int64], *, of_value: bool
) -> tuple[Floats, Floats]:
    """Give what each set wins per journey, and how many journeys need no other channel."""
    journeys = np.where(ways.is_traced, ways.conversions + ways.nulls, 0.0)
    worth = np.where(ways.is_traced, ways.value if of_value else ways.conversions, 0.0)
    n_sets = 2 ** (int(bits.max(initial=-1)) + 1)
    return rate_game(np.bincount(sets, worth, n_sets), np.bincount(sets, journeys, n_sets))


def _and_untraced(moves: Floats) -> Floats:
    return np.hstack([moves, np.zeros((len(moves), 1))])


def _of_shares(moves: Floats, effects: Floats) -> Floats:
    """Turn derivatives of effects into those of each effect's share of their sum."""
    total = effects.sum()
    if not total:
        return np.zeros_like(moves)
    return (moves - np.outer(moves.sum(axis=1), effects / total)) / total
