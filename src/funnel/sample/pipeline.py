"""Leads from the hand-off on: stages and deals. All times are UTC days, infinite for never.

A cause acts on events by the time they happen. Where it slows things down, the part of a wait that
lies after its first day takes longer; where it changes a probability, the one at the time of the
decision counts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from funnel.sample.calendar import Calendar, Floats, Ints, day_number
from funnel.sample.market import SCORE_THRESHOLD, Draws, Leads, stream
from funnel.sample.scenarios import Cause
from funnel.sample.team import Team
from funnel.sample.vocabulary import CHANNELS

NEVER = np.inf
STAGES = ("lead", "mql", "sal", "sql", "opportunity")

# Chances on the log-odds scale, for a lead of quality 0 that is followed up at once.
_TO_SAL, _TO_SQL, _TO_OPPORTUNITY, _TO_WON = 0.92, 0.10, 0.20, -0.62
_QUALITY_COUNTS = {"sal": 0.7, "sql": 0.5, "opportunity": 0.5, "won": 0.45}
_COST_OF_A_DAY, _COST_AT_MOST = 0.16, 2.2  # of waiting, in log-odds of being accepted
_NEVER_ACTED_ON = np.array([0.03, 0.06, 0.13, 0.22])  # by grade
_WAIT = np.array([0.35, 0.6, 1.2, 2.0])  # median days to the first action, by grade
_COMES_BACK = 0.14
_LATE_MQL = 0.05
_RECYCLED_BY_SALES, _RECYCLED = 0.25, 0.6  # of those that leave at the hand-off, and elsewhere
_BIG_DEAL = 0.10


@dataclass(frozen=True)
class Passage:
    """One passage of the leads through the stages, from the hand-off on: when each entered what.

    `left_at` is when a lead left, `left_from` the position of the stage it left: -1 for a lead
    that was won, or was never handed off.
    """

    mql: Floats
    assigned: Floats
    acted: Floats
    sal: Floats
    sql: Floats
    opportunity: Floats
    closed: Floats
    is_won: np.ndarray
    left_at: Floats
    left_from: Ints


@dataclass(frozen=True)
class Pipeline:
    """Two passages: the first, and that of leads which come back after they were recycled.

    `left_early` is when a lead left without a hand-off. `relabelled` is a third passage, of leads
    that only a changed rule hands off.
    """

    first: Passage
    second: Passage
    left_early: Floats
    turn: Floats
    slot: Ints
    relabelled: Passage | None = None

    @property
    def passages(self) -> tuple[Passage, ...]:
        """All passages."""
        return tuple(w for w in (self.first, self.second, self.relabelled) if w is not None)

    def is_recycled(self, place: Ints) -> np.ndarray:
        """Whether a lead that leaves from the stage at a position may come back."""
        return self.turn < np.where(place == 1, _RECYCLED_BY_SALES, _RECYCLED)


def grade_of(score: Floats) -> Ints:
    """Position of a score's grade: 0 is A.

    Examples
    --------
    >>> grade_of(np.array([70.0, 55.0, 40.0, 12.0])).tolist()
    [0, 1, 2, 3]
    """
    return (score < 66).astype(int) + (score < 54) + (score < SCORE_THRESHOLD)


def stretched(begin: Floats, wait: Floats, factor: float | Floats, start: float | Floats) -> Floats:
    """End of a wait, of which the part after `start` takes `factor` times as long.

    Examples
    --------
    >>> stretched(np.array([0.0, 8.0, 20.0]), np.array([10.0]), 2.0, 5.0).tolist()
    [15.0, 28.0, 40.0]
    """
    plain = begin + wait
    slow_from = np.maximum(begin, start)
    return np.where(plain > start, slow_from + (plain - slow_from) * factor, plain)


def run(draws: Draws, leads: Leads, team: Team, cause: Cause, start: float) -> Pipeline:
    """Passages of all leads through the stages."""
    uniform, normal = draws.uniform, draws.normal
    slot = team.slots_for(uniform("owner"))
    handed_off = leads.score >= SCORE_THRESHOLD
    soon = draws.created + 0.08 * np.exp(1.1 * normal("mql delay"))
    late = draws.created + 32 * np.exp(0.6 * normal("late mql"))
    is_late = ~handed_off & (uniform("late mql") < _LATE_MQL)
    mql = np.where(handed_off, soon, np.where(is_late, late, NEVER))
    mql = np.where(leads.is_there, mql, NEVER)
    nurtured = draws.created + 18 * np.exp(0.7 * normal("nurture"))
    left_early = np.where(leads.is_there & ~handed_off & ~is_late, nurtured, NEVER)
    first = _passage("first", draws, leads, team, cause, start, mql, slot)
    left = np.minimum(first.left_at, left_early)
    once = Pipeline(first, first, left_early, uniform("recycled"), slot)
    again = once.is_recycled(first.left_from) & (uniform("again") < _COMES_BACK)
    again &= first.left_from < 4
    back_at = np.where(again, left + 40 * np.exp(0.6 * normal("again")), NEVER)
    second = _passage("second", draws, leads, team, cause, start, back_at, slot)
    return dataclasses.replace(once, second=second)


def _passage(
    which: str,
    draws: Draws,
    leads: Leads,
    team: Team,
    cause: Cause,
    start: float,
    mql: Floats,
    slot: Ints,
) -> Passage:
    calendar = draws.calendar
    entering = np.flatnonzero(np.isfinite(mql))  # only these are computed; draws are made for all

    def uniform(purpose: str) -> Floats:
        return draws.uniform(f"{which} {purpose}")[entering]

    def normal(purpose: str) -> Floats:
        return draws.normal(f"{which} {purpose}")[entering]

    entered = mql[entering]
    quality, speed = leads.quality[entering], leads.speed[entering]
    grade, rep = grade_of(leads.score[entering]), slot[entering]
    outbound = leads.channel[entering] == CHANNELS.index("outbound")

    # hand-off: routing is the system's delay, the wait after it the salesperson's.
    routing = np.where(outbound, 0.01, 0.12) * np.exp(0.8 * normal("routing"))
    lost_owner = team.has_left(rep, entered)
    stranded = np.where(uniform("stranded") < 0.5, 6.0, 32.0) * np.exp(0.25 * normal("stranded"))
    assigned = entered + np.where(lost_owner, stranded, routing)
    wait = _WAIT[grade] * team.wait[rep] * np.exp(0.9 * normal("wait"))
    acted = calendar.in_office(stretched(assigned, wait, cause.wait, start), assigned)
    neglect = _NEVER_ACTED_ON[grade] + np.where(assigned >= start, cause.never, 0.0)
    is_neglected = uniform("neglect") < neglect
    given_up = assigned + 12 * np.exp(0.4 * normal("given up"))
    decided = np.where(
        is_neglected,
        calendar.in_office(given_up, assigned),
        calendar.in_office(acted + 1.6 * np.exp(0.7 * normal("to sal")), acted),
    )
    cost = np.minimum(_COST_OF_A_DAY * (acted - entered), _COST_AT_MOST)
    odds = _TO_SAL + _QUALITY_COUNTS["sal"] * quality - cost
    accepted = ~is_neglected & (uniform("to sal") < _chance(odds))

    sal = np.where(accepted, decided, NEVER)
    sql_at = _later(calendar, sal, 6.0 * speed * np.exp(0.6 * normal("to sql")))
    qualified = uniform("to sql") < _chance(_TO_SQL + _QUALITY_COUNTS["sql"] * quality)
    sql = np.where(accepted & qualified, sql_at, NEVER)
    opened = _later(calendar, sql, 8.0 * speed * np.exp(0.6 * normal("to opportunity")))
    odds = _TO_OPPORTUNITY + _QUALITY_COUNTS["opportunity"] * quality
    opens = np.isfinite(sql) & (uniform("to opportunity") < _chance(odds))
    opportunity = np.where(opens, opened, NEVER)

    lean = _QUALITY_COUNTS["won"] * quality - _BIG_DEAL * np.log(leads.employees[entering] / 100)
    deals = np.flatnonzero(opens)
    closed, is_won = np.full(len(entering), NEVER), np.zeros(len(entering), bool)
    closed[deals], is_won[deals] = close(
        draws,
        team,
        cause,
        start,
        opened[deals],
        38 * speed[deals],
        lean[deals],
        rep[deals],
        lambda purpose: normal(purpose)[deals],
        lambda purpose: uniform(purpose)[deals],
    )
    left_from = np.full(len(entering), -1)
    left_at = np.full(len(entering), NEVER)
    for place, (enters, leaves, goes_on) in enumerate(
        (
            (np.ones(len(entering), bool), decided, accepted),
            (accepted, sql_at, qualified),
            (np.isfinite(sql), opened, opens),
            (opens, closed, is_won),
        ),
        start=1,
    ):
        here = enters & ~goes_on
        left_from[here], left_at[here] = place, leaves[here]

    def spread(values: np.ndarray, empty: float) -> np.ndarray:
        whole = np.full(len(mql), empty, dtype=np.asarray(values).dtype)
        whole[entering] = values
        return whole

    times = (
        spread(values, NEVER)
        for values in (
            assigned,
            np.where(is_neglected, NEVER, acted),
            sal,
            sql,
            opportunity,
            closed,
        )
    )
    return Passage(mql, *times, spread(is_won, 0), spread(left_at, NEVER), spread(left_from, -1))


def close(
    draws: Draws,
    team: Team,
    cause: Cause,
    start: float,
    opened: Floats,
    speed: Floats,
    lean: Floats,
    rep: Ints,
    normal: Callable[[str], Floats],
    uniform: Callable[[str], Floats],
) -> tuple[Floats, np.ndarray]:
    """When deals close, and whether they are won.

    `speed` is the median number of days that a deal takes, `lean` what its own properties add to
    the log-odds of winning; `normal` and `uniform` give one draw per deal for a purpose.
    """
    calendar = draws.calendar
    wait = speed * np.exp(0.55 * normal("cycle"))
    push, push_day = uniform("push"), uniform("push day")
    natural = stretched(opened, wait, cause.cycle, start)
    left = team.has_left(rep, natural)
    natural[left] = stretched(opened[left], wait[left], 1.25, team.left_at[rep[left]])
    plainly = calendar.in_office(opened + wait, opened + 1, spread=True)
    plainly_pulled = calendar.pushed(plainly, opened, push, push_day)
    closed = np.maximum(plainly, calendar.in_office(natural, opened + 1, spread=True))
    # a deal pulled to before the cause began was closed before anything could slow it down
    pulled = np.where(
        plainly_pulled < start,
        plainly_pulled,
        np.maximum(plainly_pulled, calendar.pushed(closed, opened, push, push_day)),
    )
    chance = _chance(_TO_WON + lean + team.skill_at(rep, plainly_pulled))
    luck = uniform("won")
    # only deals that would be won are pulled into the last days of a quarter
    would = luck < chance
    closed = np.where(would, pulled, closed)
    is_won = would & (luck < chance * np.where(closed >= start, cause.win, 1.0))
    if cause.pulled:
        promoted = _promoted(draws, cause, start, opened, closed, uniform("promoted"))
        closed = np.where(is_won, promoted, closed)
    return closed, is_won


def promotion_days(draws: Draws) -> tuple[int, int]:
    """First and last day of the promotion that `promo_pull_forward` plants."""
    start = day_number(draws.spec.comparison.period.start)
    return start - 30, start - 3


def _promoted(
    draws: Draws, cause: Cause, start: float, opened: Floats, closed: Floats, chance: Floats
) -> Floats:
    """Closing times: deals due in the six weeks after a promotion close during it instead."""
    calendar = draws.calendar
    first, last = promotion_days(draws)
    due = (closed >= start) & (closed < start + 42)
    length = last - first + 1
    day = first + np.floor(np.clip(chance / cause.pulled, 0, 0.999) * length)
    earlier = calendar.in_office(calendar.utc(day + calendar.wall(closed) % 1.0), opened)
    fits = due & (chance < cause.pulled) & (earlier > opened + 3) & (earlier < start)
    return np.where(fits, earlier, closed)


def _later(calendar: Calendar, entered: Floats, wait: Floats) -> Floats:
    """Times of leaving a stage after a wait, in office hours; infinite where never entered."""
    here = np.isfinite(entered)
    safe = np.where(here, entered, calendar.days[0])
    return np.where(here, calendar.in_office(safe + wait, safe, spread=True), NEVER)


def _chance(log_odds: Floats) -> Floats:
    return 1 / (1 + np.exp(-log_odds))


def no_lead_deals(draws: Draws, team: Team, cause: Cause, start: float) -> dict[str, np.ndarray]:
    """Deals from partners and old contacts, without a lead: when, by whom, how they end."""
    spec, calendar = draws.spec, draws.calendar
    n_days = len(draws.intensity)
    rng = stream(spec.seed, "no lead")
    n = rng.poisson(10.0 * spec.leads / 2000 * n_days / 91)
    day = rng.integers(0, n_days, n) + calendar.first
    opened = calendar.in_office(day + rng.random(n), day.astype(float))
    opened = np.sort(opened)
    rep = team.slots_for(rng.random(n))
    employees = np.clip(np.round(140 * np.exp(1.3 * rng.standard_normal(n))), 2, 90_000)
    generators: dict[str, np.random.Generator] = {}

    def of(purpose: str) -> np.random.Generator:
        return generators.setdefault(purpose, stream(spec.seed, f"no lead {purpose}"))

    closed, is_won = close(
        draws,
        team,
        cause,
        start,
        opened,
        np.full(n, 38.0),
        np.full(n, 0.2),
        rep,
        lambda purpose: of(purpose).standard_normal(n),
        lambda purpose: of(purpose).random(n),
    )
    return {
        "opened": opened,
        "closed": closed,
        "is_won": is_won,
        "slot": rep,
        "employees": employees,
    }
