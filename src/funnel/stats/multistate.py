"""The states that leads stand in by age, with the covariance of their probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from funnel.stats import wilson
from funnel.stats.value_per_lead import value_interval

NOTHING = 1e-12


@dataclass(eq=False)
class States:
    """Probabilities of the states and the value so far, with their covariance."""

    p: NDArray
    covariance: NDArray
    n_stages: int
    squares: float = 0.0  # of the masses that each win carries

    @classmethod
    def before_all(cls, n_stages: int) -> States:
        """Begin with everybody before the first stage."""
        size = 2 * n_stages + 2
        return cls(np.eye(1, size)[0], np.zeros((size, size)), n_stages)

    def move(
        self, risk: NDArray, origin: NDArray, target: NDArray, n: NDArray, v: NDArray, vv: NDArray
    ) -> None:
        """Take one time's moves: origin and target states, leads, and the value they bring.

        Origins are taken from the highest down: who arrives in a state at this time does not
        move on from it at this time.
        """
        p, covariance = self.p, self.covariance
        for i in sorted(set(origin.tolist()), reverse=True):
            weight = p[i] ** 2 / risk[i]
            change = np.zeros(p.size)
            row = covariance[i].copy()
            moved = zip(
                *(column[origin == i].tolist() for column in (target, n, v, vv)), strict=True
            )
            for j, many, worth, squared in moved:
                share = many / risk[i]
                change[j] += share
                change[i] -= share
                noise = weight * share
                covariance[i, i] += noise
                covariance[j, j] += noise
                covariance[i, j] -= noise
                covariance[j, i] -= noise
                if j == self.n_stages:
                    self.squares += weight / risk[i] * many
                if squared:
                    change[-1] += worth / risk[i]
                    cross = weight * worth / risk[i]
                    covariance[j, -1] += cross
                    covariance[-1, j] += cross
                    covariance[i, -1] -= cross
                    covariance[-1, i] -= cross
                    covariance[-1, -1] += weight * squared / risk[i]
            half = np.outer(change, row + (row[i] - weight) / 2 * change)
            covariance += half + half.T
            p += p[i] * change

    def reached(self, level: float, n_settled: int) -> dict[str, NDArray]:
        """Shares that have reached each stage; `n_settled` leads speak where none, or all, have."""
        which = self._who_reached()[1:]
        share = which @ self.p
        variance = np.einsum("ki,ij,kj->k", which, self.covariance, which)
        return _share_interval(share, variance, np.full(share.shape, n_settled), level)

    def rate(self, level: float, n_before: NDArray) -> dict[str, NDArray]:
        """Shares of those who reached the stage before."""
        which = self._who_reached()
        share = which @ self.p
        is_possible = share[:-1] > NOTHING
        before = np.where(is_possible, share[:-1], 1.0)
        rate = share[1:] / before
        slope = (which[1:] - rate[:, None] * which[:-1]) / before[:, None]
        variance = np.einsum("ki,ij,kj->k", slope, self.covariance, slope)
        found = _share_interval(rate, variance, n_before, level)
        return {name: np.where(is_possible, ends, np.nan) for name, ends in found.items()}

    def value(
        self, level: float, wins: NDArray, reached: tuple[float, float, float]
    ) -> dict[str, float]:
        """Value per lead; `wins` are those seen, `reached` the share won with its interval."""
        worth, share = self.p[-1], self.p[self.n_stages]
        if not worth > 0:
            return {"is": worth, "low": worth, "high": np.nan}
        slope = np.zeros(self.p.size)
        slope[-1], slope[self.n_stages] = 1 / worth, -1 / share
        scatter = max(float(slope @ self.covariance @ slope), 0.0)
        low, high = value_interval(worth, reached, wins, share**2 / self.squares, scatter, level)
        return {"is": worth, "low": low, "high": high}

    def granted(self, standing: NDArray) -> NDArray:
        """Mass below each stage that nobody is followed in any more."""
        stuck = np.where(standing[: self.n_stages] > 0, 0.0, self.p[: self.n_stages])
        return np.cumsum(np.where(stuck > NOTHING, stuck, 0.0))

    def _who_reached(self) -> NDArray:
        """Rows 0 to K: which states have reached each stage; row 0 is everybody."""
        k = np.arange(self.n_stages + 1)
        highest = np.concatenate([k, k[:-1]])
        which = np.zeros((k.size, self.p.size))
        which[:, :-1] = highest[None, :] >= k[:, None]
        return which


def _share_interval(
    share: NDArray, variance: NDArray, n_if_certain: NDArray, level: float
) -> dict[str, NDArray]:
    """Wilson's interval at the size that a plain share with this variance would have."""
    share = np.clip(share, 0.0, 1.0)
    spread = share * (1 - share)
    is_open = (spread > NOTHING) & (variance > 0)
    size = np.where(is_open, spread / np.where(is_open, variance, 1.0), n_if_certain)
    low, high = wilson(np.where(share > 1 - NOTHING, size, share * size), size, level)
    return {"is": share, "low": np.minimum(low, share), "high": np.maximum(high, share)}
