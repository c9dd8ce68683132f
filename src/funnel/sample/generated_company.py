"""A generated company with one planted cause, and the truth about it.

The same company without the cause is made from the same random draws, so what the cause cost is
known to the cent: see `Truth`.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd

from funnel.contract.errors import ParameterError
from funnel.contract.periods import Period, midnight, within
from funnel.contract.tables import TABLES
from funnel.sample.calendar import TIMEZONE
from funnel.sample.folder import write_folder
from funnel.sample.market import Draws, Spec, draw, leads_of
from funnel.sample.meeting import meeting_tables, plan_toml
from funnel.sample.pipeline import run
from funnel.sample.scenarios import SCENARIOS, Cause, Scenario
from funnel.sample.tables import tables_of, world_of
from funnel.sample.team import hire
from funnel.sample.world import World

# The first seed whose last two quarters differ by less than 5 %, in money and in wins, when nothing
# is planted: what differs is then due to the cause.
DEFAULT_SEED = 2
END = dt.date(2026, 6, 30)
_ZONE = ZoneInfo(TIMEZONE)
_SECONDS = 86_400  # of a day


@dataclass(frozen=True)
class Truth:
    """What was planted, and what would have been booked without it.

    Money is won amount by closing date, in the plan's currency; `without` is the company made from
    the same draws with no cause. The baseline is the period before the one analysed; it
    differs only where a cause acts on it: see `starts_on`.
    """

    scenario: str
    planted: str
    drivers: tuple[str, ...]
    guard: str | None
    starts_on: dt.date | None
    period_start: dt.date
    period_end: dt.date
    booked: float
    booked_without: float
    wins: int
    wins_without: int
    baseline_start: dt.date
    baseline_end: dt.date
    baseline_booked: float
    baseline_booked_without: float
    baseline_wins: int
    baseline_wins_without: int

    @property
    def driver(self) -> str | None:
        """Driver that an analysis should name first; None where there is none."""
        return self.drivers[0] if self.drivers else None

    @property
    def difference(self) -> float:
        """Bookings of the period that the cause added; negative where it lost some."""
        return round(self.booked - self.booked_without, 2)

    @property
    def change(self) -> float:
        """Bookings of the period less those of the baseline: what the bridge has to explain."""
        return round(self.booked - self.baseline_booked, 2)

    def as_dict(self) -> dict[str, object]:
        """Every figure as plain data, for `truth.json`."""
        plain = dataclasses.asdict(self) | {"difference": self.difference, "change": self.change}
        return {
            key: value.isoformat() if isinstance(value, dt.date) else value
            for key, value in plain.items()
        }


@dataclass(frozen=True, eq=False)
class SampleCompany:
    """A generated company: its tables as frames, its plan, and the truth about it.

    `as_of` is the last day that the tables cover.
    """

    tables: dict[str, pd.DataFrame]
    plan_toml: str
    truth: Truth
    as_of: dt.date


def company(
    scenario: str = "none",
    *,
    seed: int = DEFAULT_SEED,
    leads: int = 2000,
    quarters: int = 16,
    end: dt.date = END,
    weekly_dispersion: float = 1.0,
    cause: Cause | None = None,
) -> SampleCompany:
    """Company in which one cause acts, or none.

    Parameters
    ----------
    scenario
        One of `SCENARIOS`. Its cause acts in the quarter that holds `end`; the baseline is the
        quarter before.
    seed
        Seed of all random draws. Scenarios with the same seed share them.
    leads
        Leads a quarter, on average over the window when nothing is planted.
    quarters
        Quarters in the window, the last of which ends with `end`.
    end
        The last day that the tables cover.
    weekly_dispersion
        Variance of weekly lead counts over their mean; 1 is Poisson.
    cause
        In place of the scenario's own, such as its kind at another depth or from another day.

    Raises
    ------
    ParameterError
        If the scenario is not known, or a size is too small.

    Examples
    --------
    >>> small = company("win_rate", leads=100, quarters=3)
    >>> small.truth.driver, small.truth.starts_on
    ('opportunity to won', datetime.date(2026, 4, 1))
    >>> list(small.tables)[:3]
    ['leads', 'stage_changes', 'deals']
    """
    if scenario not in SCENARIOS:
        raise ParameterError(
            f"There is no scenario {scenario!r}. Known are {', '.join(SCENARIOS)}."
        )
    spec = Spec(seed, leads, quarters, end, weekly_dispersion)
    draws = draw(spec)
    planted = SCENARIOS[scenario]
    planted = dataclasses.replace(planted, cause=cause or planted.cause)
    world = _world(draws, planted.cause)
    without = world if planted.cause == Cause() else _world(draws, Cause())
    made = tables_of(world)
    made |= meeting_tables(spec, made["deals"], made["leads"])
    tables = {name: made[name] for name in TABLES if name in made}
    return SampleCompany(tables, plan_toml(spec), _truth(planted, world, without), end)


def write(made: SampleCompany, out: str | Path, *, truth: bool = False) -> None:
    """Write a company's folder: plan, tables, codebook.

    Parameters
    ----------
    made
        The company, as `company` returns it.
    out
        A folder that is empty or new, or holds an earlier sample, which is replaced.
    truth
        Whether to write `truth.json` too. Not by default: an analysis should not find the answer
        among the data.

    Raises
    ------
    FunnelError
        If the folder holds anything else, or cannot be written.
    """
    write_folder(made.tables, made.plan_toml, Path(out), made.truth.as_dict() if truth else None)


def write_sample(
    out: str | Path,
    *,
    scenario: str = "both_at_fault",
    seed: int = DEFAULT_SEED,
    leads: int = 2000,
    truth: bool = False,
) -> SampleCompany:
    """Company, generated and written to a folder: what `funnel sample` does."""
    made = company(scenario, seed=seed, leads=leads)
    write(made, out, truth=truth)
    return made


def _world(draws: Draws, cause: Cause) -> World:
    period = draws.spec.comparison.period
    after = draws.spec.end + dt.timedelta(days=1)
    start, end = (midnight(day, _ZONE).timestamp() / _SECONDS for day in (period.start, after))
    leads = leads_of(draws, cause)
    team = hire(draws.spec, draws.calendar, cause, start)
    pipeline = run(draws, leads, team, cause, start)
    return world_of(draws, cause, start, end, leads, team, pipeline)


def _truth(scenario: Scenario, world: World, without: World) -> Truth:
    comparison = world.draws.spec.comparison
    figures: dict[str, float | int] = {}
    for which, period in (("", comparison.period), ("baseline_", comparison.baseline)):
        for end, made in (("", world), ("_without", without)):
            booked, wins = _booked(made.deals, period)
            figures |= {f"{which}booked{end}": booked, f"{which}wins{end}": wins}
    return Truth(
        scenario=scenario.name,
        planted=scenario.planted,
        drivers=scenario.drivers,
        guard=scenario.guard,
        starts_on=_starts_on(scenario, world),
        period_start=comparison.period.start,
        period_end=comparison.period.end,
        baseline_start=comparison.baseline.start,
        baseline_end=comparison.baseline.end,
        **figures,
    )


def _starts_on(scenario: Scenario, world: World) -> dt.date | None:
    comparison = world.draws.spec.comparison
    cause = scenario.cause
    if cause == Cause():
        return None
    if cause.low_spring or cause.self_serve:
        return world.draws.spec.start
    if cause.whale:
        return comparison.baseline.start
    if cause.pulled:
        return comparison.period.start - dt.timedelta(days=30)
    if cause.threshold_days != Cause.threshold_days:
        changes = [day for day in cause.threshold_days if math.isfinite(day)]
        return comparison.period.start + dt.timedelta(days=math.floor(changes[-1]))
    if cause.early_sql:
        return comparison.period.start + dt.timedelta(days=comparison.period.n_days // 2)
    return comparison.period.start - dt.timedelta(days=cause.leads_from)


def _booked(deals: pd.DataFrame, period: Period) -> tuple[float, int]:
    won = deals[within(deals["closed_at"], period, _ZONE) & (deals["outcome"] == "won")]
    return round(float(won["amount"].sum()), 2), len(won)
