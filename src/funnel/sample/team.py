"""The sales team: who has which seat on which day, how fast and how able they are, who leaves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from funnel.sample.calendar import Calendar, Floats, Ints, day_number
from funnel.sample.market import Spec, stream
from funnel.sample.scenarios import Cause

RAMP_DAYS = 90
_RAMPING = -0.25  # log-odds of winning while new
_SPREAD = 0.10  # sd of ability between salespeople, log-odds of winning
_FAR = 10**7


@dataclass(frozen=True)
class Team:
    """Seats and who holds them. A seat has one salesperson, or a second after the first left.

    Attributes
    ----------
    left_at
        For each seat, the UTC day on which its holder leaves for good; infinite if never.
    wait
        For each seat, the factor on the time to the first action.
    """

    calendar: Calendar
    left_at: Floats
    wait: Floats
    stand_in: Ints  # the seat that takes over a seat's work
    first_left: Ints  # day on which the first holder left; far in the future if never
    second_from: Ints  # day on which the second one started
    first_started: Ints
    skill: Floats  # by seat and holder
    ids: tuple[tuple[str, str], ...]
    quota: float

    def slots_for(self, uniform: Floats) -> Ints:
        """Seats from uniform draws."""
        return np.floor(uniform * len(self.wait)).astype(np.int64)

    def has_left(self, slot: Ints, times: Floats) -> np.ndarray:
        """Whether the holder of a seat has left for good by a time."""
        return times >= self.left_at[slot]

    def holder(self, slot: Ints, times: Floats) -> Ints:
        """Position, in `owners`, of who works a seat's leads at a time."""
        slot = np.where(self.has_left(slot, times), self.stand_in[slot], slot)
        day = self.calendar.local_day(times)
        between = (day > self.first_left[slot]) & (day < self.second_from[slot])
        slot = np.where(between, self.stand_in[slot], slot)
        day_of_second = self.second_from[slot]
        return 2 * slot + (day >= day_of_second)

    def skill_at(self, slot: Ints, times: Floats) -> Floats:
        """Ability of who works a seat's leads at a time, less while new."""
        holder = self.holder(slot, times)
        started = np.where(
            holder % 2 == 0, self.first_started[holder // 2], self.second_from[holder // 2]
        )
        is_new = self.calendar.local_day(times) < started + RAMP_DAYS
        return self.skill.ravel()[holder] + _RAMPING * is_new

    @property
    def owners(self) -> np.ndarray:
        """Ids, two to a seat."""
        return np.array([owner for pair in self.ids for owner in pair], dtype=object)


def hire(spec: Spec, calendar: Calendar, cause: Cause, start: float) -> Team:
    """Team of about fourteen seats for 2,000 leads a quarter, of which some change hands."""
    n = max(4, round(14 * spec.leads / 2000))
    rng = stream(spec.seed, "team")
    first, last = day_number(spec.start), day_number(spec.end)
    changes = rng.random(n) < 0.35
    # ordinary changes of people end half a year before the period analysed.
    span = max(last - 300 - first, 1)
    left = first + np.floor(rng.random(n) * span).astype(np.int64)
    second = left + 20 + rng.integers(0, 50, n)
    started = first - rng.integers(200, 2200, n)
    leaves = np.zeros(n, bool)
    leaves[rng.permutation(n)[: round(cause.leavers * n)]] = True
    leaves_after = 21 * rng.random(n)
    offsets = 1 + np.floor(rng.random(n) * (n - 1)).astype(np.int64)
    stand_in = (np.arange(n) + offsets) % n
    while leaves[stand_in].any():  # who stands in stays
        stand_in = np.where(leaves[stand_in], (stand_in + 1) % n, stand_in)
    numbers = iter(range(101, 101 + 2 * n))
    return Team(
        calendar=calendar,
        left_at=np.where(leaves, start + leaves_after, np.inf),
        wait=np.exp(0.25 * rng.standard_normal(n)),
        stand_in=stand_in,
        first_left=np.where(changes, left, _FAR),
        second_from=np.where(changes, second, _FAR),
        first_started=started,
        skill=_SPREAD * rng.standard_normal((n, 2)),
        ids=tuple((f"rep-{next(numbers)}", f"rep-{next(numbers)}") for _ in range(n)),
        quota=260_000.0,
    )
