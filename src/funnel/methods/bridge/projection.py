"""What leads and open deals that are already there will bring, at the hazards of one period.

The visits, bins, hazards and resamples are those of the bridge. Leads and deals that stand at a
stage when the period ends go on through the next bins at the period's hazards by stage, segment
and age. Leads that come back after an exit do so as often as in the period.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from funnel.methods.bridge.cells import AGES, Layout, Window, cells
from funnel.methods.bridge.factors import hazards
from funnel.methods.bridge.flow import PER_BLOCK
from funnel.methods.bridge.resampling import weights
from funnel.methods.bridge.stage_history import StageHistory

Floats = NDArray[np.float64]
_AT_ONCE = 25
_PRIOR = 2.0  # wins with which a segment's mean value is shrunk to everybody's
# Of what stands at the end of the period: earlier leads, leads of the period, and the same with
# an open deal.
GROUPS = (
    *("earlier leads", "leads of the period"),
    *("earlier open deals", "open deals of the period"),
)
IS_DEAL, IS_OF_PERIOD = (
    np.array([name in each for each in GROUPS]) for name in ("deals", "of the")
)


@dataclass(frozen=True)
class Projection:
    """Expected wins of the bins after a window, and their value.

    Attributes
    ----------
    wins, value
        By draw, group (`GROUPS`), segment and bin. The first draw is of the rows as they are, the
        others are resamples of whole leads.
    amounts
        Values of the wins that the mean value is taken from.
    """

    wins: Floats
    value: Floats
    amounts: Floats


def known_by(visits: pd.DataFrame, end: float) -> pd.DataFrame:
    """Visits as they stood at a moment (seconds since 1970)."""
    visits = visits[visits["entered"] < end]
    is_past = (visits["left_"] < end).to_numpy()
    return visits.assign(
        left_=visits["left_"].where(is_past),
        is_advance=visits["is_advance"].to_numpy(bool) & is_past,
        value=visits["value"].where(is_past),
    )


def projection(
    history: StageHistory, window: Window, n_bins: int, *, draws: int, seed: int
) -> Projection:
    """Expected wins of leads and deals that stand at a window's end.

    Parameters
    ----------
    history
        Its visits may reach beyond the window; what happened later is not used.
    window
        Its last block is the period whose hazards are taken.
    n_bins
        Bins after the window, each a thirteenth of the period.
    draws, seed
        Resamples, and where they start.
    """
    visits = known_by(history.visits, window.end)
    layout = Layout(len(history.stages) - 1, len(history.segments), window.n_blocks)
    counted = cells(visits, (window,), layout, history.is_exit_recorded)
    state = _State(history, visits, window, n_bins)
    amounts = state.amounts()
    pieces = [(np.ones((counted.shape[1], 1)))]
    pieces += weights(
        visits,
        len(history.segments),
        window.end,
        weekly=history.weekly,
        is_ordinary=history.is_ordinary_week,
        draws=draws,
        seed=seed,
        at_once=_AT_ONCE,
    )
    wins, value = [], []
    for weight in pieces:
        advancing, leaving = hazards(layout.split(counted @ weight))
        found = state.moved(weight, advancing[0][..., -1, :], leaving[0][..., -1, :])
        wins.append(found)
        value.append(found * state.size(weight)[:, None, :, None])
    return Projection(np.concatenate(wins), np.concatenate(value), amounts)


class _State:
    """Those that stand at each stage when the window ends, by age, and those that come back."""

    def __init__(
        self, history: StageHistory, visits: pd.DataFrame, window: Window, n_bins: int
    ) -> None:
        self.n_stages, self.n_segments = len(history.stages) - 1, len(history.segments)
        self.window, self.n_bins = window, n_bins
        self.visits = {name: visits[name].to_numpy() for name in visits}
        self.n_units = int(self.visits["unit"].max(initial=-1)) + 1
        self.entered = window.bins(self.visits["entered"]).astype(int)
        self.left = window.bins(self.visits["left_"])
        self.is_recorded = history.is_exit_recorded[self.visits["stage"]]
        self.n_ages = window.n_bins + n_bins + 1
        self.standing, self.returning = self._standing(), self._returning()
        block = (self.window.n_blocks - 2) * PER_BLOCK
        is_win = self.visits["is_advance"] & (self.visits["stage"] == self.n_stages - 1)
        self.recent_wins = is_win & (self.left >= block)

    def _matrix(self, which: NDArray[np.bool_], shape: tuple[int, ...], *index: NDArray):
        cell = np.ravel_multi_index(tuple(each[which] for each in index), shape)
        data = (np.ones(len(cell)), (cell, self.visits["unit"][which]))
        return sparse.coo_array(data, shape=(int(np.prod(shape)), self.n_units)).tocsr()

    def _standing(self):
        """Cells by units: (group, stage, segment, age)."""
        stage, segment = (self.visits[name].astype(int) for name in ("stage", "segment"))
        # from before the window, one whose exits are not recorded may have left long ago
        here = np.isnan(self.left) & ((self.entered >= 0) | self.is_recorded)
        age = self.window.n_bins - np.maximum(self.entered, 0)
        first = np.full(self.n_units, -1)
        arrived = stage == 0
        first[self.visits["unit"][arrived]] = self.entered[arrived]
        is_of_period = first[self.visits["unit"]] >= self.window.n_bins - PER_BLOCK
        group = 2 * (stage == self.n_stages - 1) + is_of_period
        shape = (len(GROUPS), self.n_stages, self.n_segments, self.n_ages)
        return self._matrix(here, shape, group, stage, segment, age)

    def _returning(self):
        """Cells by units: (stage, segment, bin), of leads that came back in the period.

        In the first thirteen bins after the period as many come back as came in the period of
        those known when it began; later, as many as came of those known a period before.
        """
        stage, segment = (self.visits[name].astype(int) for name in ("stage", "segment"))
        known = np.full(self.n_units, np.inf)
        np.minimum.at(known, self.visits["unit"], self.visits["entered"])
        known = self.window.bins(known)[self.visits["unit"]]
        begin = self.window.n_bins - PER_BLOCK
        back = self.visits["is_source"] & (stage > 0) & (self.entered >= begin)
        shape, parts = (self.n_stages, self.n_segments, self.n_bins), []
        for ahead in range(-(-self.n_bins // PER_BLOCK)):
            at = self.entered - begin + ahead * PER_BLOCK
            which = back & (known < begin - ahead * PER_BLOCK) & (at < self.n_bins)
            parts.append(self._matrix(which, shape, stage, segment, at))
        return sum(parts[1:], parts[0])

    def moved(self, weight: Floats, advancing: Floats, leaving: Floats) -> Floats:
        """Expected wins by draw, group, segment and bin; hazards are (b, k, s, age group)."""
        n_draws = weight.shape[1]
        there = (self.standing @ weight).reshape(
            len(GROUPS), self.n_stages, self.n_segments, self.n_ages, n_draws
        )
        there = np.moveaxis(there, -1, 0).copy()  # (b, group, k, s, age)
        back = (self.returning @ weight).reshape(
            self.n_stages, self.n_segments, self.n_bins, n_draws
        )
        # older than the window no age is known: the hazard of the oldest holds
        ages = np.minimum(np.arange(self.n_ages), self.window.n_bins - 1)
        group = np.searchsorted(AGES, ages, side="right") - 1
        advancing, leaving = (each[:, None][..., group] for each in (advancing, leaving))
        staying = 1 - advancing - leaving
        wins = np.zeros((n_draws, len(GROUPS), self.n_segments, self.n_bins))
        for x in range(self.n_bins):
            there[:, 0, :, :, 0] += np.moveaxis(back[:, :, x], -1, 0)
            for k in range(self.n_stages):
                onward = (there[:, :, k] * advancing[:, :, k]).sum(axis=-1)
                if k + 1 < self.n_stages:
                    there[:, :, k + 1, :, 0] += onward
                else:
                    wins[..., x] = onward
            there *= staying
            there[..., 1:] = there[..., :-1].copy()
            there[..., 0] = 0.0
        return wins

    def amounts(self) -> Floats:
        """Values of the wins of the last two blocks."""
        return np.nan_to_num(self.visits["value"][self.recent_wins].astype(float))

    def size(self, weight: Floats) -> Floats:
        """Mean value of a win by draw and segment, shrunk to everybody's."""
        of = weight[self.visits["unit"][self.recent_wins]]
        segment = self.visits["segment"][self.recent_wins].astype(int)
        wins, value = (np.zeros((self.n_segments, weight.shape[1])) for _ in range(2))
        np.add.at(wins, segment, of)
        np.add.at(value, segment, of * self.amounts()[:, None])
        n = wins.sum(axis=0)
        mean = np.divide(value.sum(axis=0), n, out=np.zeros(len(n)), where=n > 0)
        return ((value + _PRIOR * mean) / (wins + _PRIOR)).T
