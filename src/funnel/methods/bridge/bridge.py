"""Why a period's value differs from its baseline's: contributions of drivers, with verdicts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.contract.errors import ParameterError
from funnel.contract.periods import Comparison
from funnel.contract.plan import Plan
from funnel.methods.bridge import significance
from funnel.methods.bridge.estimate import Estimate, estimate, without_rates
from funnel.methods.bridge.expected_calendar import ExpectedChange, expected_calendar
from funnel.methods.bridge.other_deals import (
    OUTSIDE_FLOW,
    OtherDeals,
    other_deals,
    with_other_deals,
)
from funnel.methods.bridge.recurring import (
    account_months,
    accounts_behind,
    contributions_of_movements,
)
from funnel.methods.bridge.stage_history import (
    ACCOUNTS,
    LEADS,
    RENEWALS,
    WITHOUT_LEAD,
    StageHistory,
    arrivals,
    follows_leads,
    stage_history,
    won_deals,
)
from funnel.methods.recurring import recurring_revenue
from funnel.results import Result, Stated, rows_of, speaks_for
from funnel.stats import CANNOT_TELL, percentiles, smallest_detectable

if TYPE_CHECKING:
    from funnel.dataset import Tables

Floats = NDArray[np.float64]
CALENDAR, VOLUME, MIX, TIMING = "calendar", "lead volume", "mix", "timing"
OF_ALL_SEGMENTS = (CALENDAR, VOLUME, MIX)  # segments have one calendar, and their leads are the mix
SIZE, RESIDUAL = "deal size", "residual"
DRAWS = 200


@dataclass(frozen=True)
class Coverage:
    """What the dataset holds of the flow from leads to wins.

    Attributes
    ----------
    tables
        Those of `leads`, `stage_changes` and `deals` that are there.
    arrivals
        What lead volume counts: `leads`, `deals opened`, or `deals won`.
    stages
        Recorded ones, in order.
    leads_since
        First day of the leads, where it lies within the look-back; else missing.
    wins_since
        First day of the won deals, where it lies after the baseline: there is nothing to compare.
    n_periods
        Periods of look-back, the baseline included.
    unrecorded_exits
        Steps whose exits other than an advance are mostly not recorded.
    has_calendar
        Whether earlier years were enough to expect anything.
    n_deals, n_without_lead, n_renewals, n_without_amount, n_refunds
        Deals won in the two periods, and how many of them are new and have no lead, are expansions
        or renewals, or have no amount, or one below 0. Of recurring revenue, accounts.
    month_gap
        Of recurring revenue: why a month is no basis of a figure, and the month (`YYYY-MM`).
    """

    tables: tuple[str, ...]
    arrivals: str
    stages: tuple[str, ...]
    leads_since: dt.date | None
    wins_since: dt.date | None
    n_periods: int
    unrecorded_exits: tuple[str, ...]
    has_calendar: bool
    n_deals: int
    n_without_lead: int
    n_renewals: int
    n_without_amount: int
    n_refunds: int
    unfilled_segments: tuple[str, ...]
    month_gap: tuple[str, str] = ("", "")


@dataclass(frozen=True, eq=False, kw_only=True)
class DriverTests(Result):
    """Every test of a driver, before and after the adjustment for their number.

    `table` has rows `driver`, `segment` (missing for the total), `wins` (the contribution counted
    in wins), `z` (of that; of the value for `deal size`, `renewals` and `deals without a lead`),
    `p_value` (two-sided, of that z), `p_combined` (with the tests of stages and blocks and of the
    segments; of the same z where there are none) and `p_adjusted` (Benjamini-Hochberg, of
    `p_combined`).

    Attributes
    ----------
    n_tests
        Number of tests that the adjustment is made for.
    """

    n_tests: int

    @property
    def totals(self) -> pd.DataFrame:
        """The rows of all segments together, in order."""
        return self.table[self.table["segment"].isna()]


@dataclass(frozen=True, eq=False, kw_only=True)
class Bridge(Result):
    """The change of a period's value from its baseline's, as contributions of drivers.

    `table` has rows `driver`, `segment` (missing for the total), `contribution`, `low`, `high`,
    `verdict`, `smallest_detectable`, all but the verdict in the unit of the measure. The totals
    come first, from `calendar` to `residual`, and add up to `period_value - baseline_value` to the
    cent; a driver's segments add up to its total. Where won deals are recorded only from a day
    after the baseline (or no month of a period is, of recurring revenue), its value is missing, and
    there are no rows.

    Attributes
    ----------
    comparison
        The two periods, cut to the same number of days where the newer one has not ended.
    period_value, baseline_value
        Of the plan's measure.
    period_wins, baseline_wins
        Deals won.
    tests
        Of every driver, and of the segments of those found.
    coverage
        What the dataset holds, for the caveats.
    n_draws
        Resamples behind each interval.
    """

    plan: Plan
    comparison: Comparison
    period_value: float
    baseline_value: float
    period_wins: int
    baseline_wins: int
    tests: DriverTests
    coverage: Coverage
    n_draws: int

    @property
    def stated(self) -> tuple[Stated, ...]:
        """The measure and wins of both periods, and the change of the measure."""
        both = self.comparison
        now, then = both.period.days, both.baseline.days
        recurring = "mrr" if self.coverage.arrivals == ACCOUNTS else "new mrr"
        measure = recurring if self.plan.measure == "mrr" else self.plan.measure
        wins = (
            ()
            if self.coverage.arrivals == ACCOUNTS
            else (
                Stated("wins", now, value=float(self.period_wins)),
                Stated("wins", then, value=float(self.baseline_wins)),
            )
        )
        return (
            *wins,
            Stated(measure, now, value=self.period_value),
            Stated(measure, then, value=self.baseline_value),
            Stated(measure, now, then, self.change),
        )

    @property
    def change(self) -> float:
        """Value of the period less that of the baseline; missing where that is unknown."""
        return round(self.period_value - self.baseline_value, 2)

    @property
    def totals(self) -> pd.DataFrame:
        """The rows of all segments together, in order."""
        return self.table[self.table["segment"].isna()]


def driver_name(driver: str, arrive: str) -> str:
    """Name of a driver on pages: where no leads are followed, lead volume is what arrives.

    Examples
    --------
    >>> driver_name("lead volume", "deals opened"), driver_name("lead volume", "leads")
    ('deals opened', 'lead volume')
    """
    return arrive if driver == VOLUME and arrive != LEADS else driver


def shown_totals(table: pd.DataFrame) -> pd.DataFrame:
    """Totals of a bridge without the drivers that the dataset holds nothing on."""
    totals = table[table["segment"].isna()]
    empty = [is_empty(row) for row in totals.to_dict("records")]
    return totals[~np.array(empty, bool)].reset_index(drop=True)


def is_empty(row: Mapping[str, Any]) -> bool:
    """Whether the dataset holds nothing on a driver: no contribution, and no interval of one."""
    return not (row["contribution"] or row["low"] or row["high"])


def bridge(
    data: Tables, plan: Plan | Mapping[str, Any] | None = None, *, draws: int = DRAWS
) -> Bridge:
    """Contributions of drivers to the change of a period's bookings, with intervals and verdicts.

    Deals closed in a period come from leads of many earlier weeks. Leads are therefore followed in
    bins of a thirteenth of the period, over at least four periods: how many arrived where, what
    share advanced among those that left a stage, and how long it took, by the block in which they
    left. The value is linear in each of these factors, so that the contributions are exact Shapley
    values. They depend on no order and add up. What working days and season do in any year is
    estimated from earlier years, and is the driver `calendar`. Won expansions and renewals are the
    driver `renewals`, and new deals that name no lead `deals without a lead`: no lead, stage or win
    rate stands behind them, and each contributes the change of its value.

    There are two questions. *Did it change?* is a test of the contribution counted in wins, from
    resamples of whole leads (of deal size: of the mean logarithm, like for like), adjusted for the
    number of tests. *What is it worth?* is the contribution in money with the interval of the
    resamples. A driver moved only where both say so.

    Parameters
    ----------
    data
        A dataset.
    plan
        Keys of `[plan]` that replace those of the dataset's plan, or a whole plan.
    draws
        Resamples behind each interval.

    Returns
    -------
    Bridge
        Rows `driver`, `segment`, `contribution`, `low`, `high`, `verdict`, `smallest_detectable`,
        in the unit of the measure.

    Raises
    ------
    ParameterError
        If there are fewer than two draws.

    Notes
    -----
    Leads with all their deals get Poisson weights, the same in both periods; weekly arrivals that
    vary more than independent events widen them. See `docs/change.md`.

    References
    ----------
    Kitagawa (1955), J. Am. Stat. Assoc. 50, 1168-1194; Das Gupta (1993), Standardization and
    Decomposition of Rates; Owen (1972), Management Science 18, 64-79; Shorrocks (2013), Journal
    of Economic Inequality 11, 99-126; Benjamini and Hochberg (1995), J. R. Stat. Soc. B 57.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> deals = pd.DataFrame({"deal_id": ["D-1", "D-2"], "outcome": "won", "amount": [70.0, 50.0],
    ...                       "created_at": ["2026-01-05", "2026-04-02"],
    ...                       "closed_at": ["2026-02-03", "2026-05-04"]})
    >>> result = bridge(Tables.of(deals=deals, as_of="2026-06-30"))
    >>> result.change, round(float(result.totals["contribution"].sum()), 2)
    (-20.0, -20.0)
    """
    data = data.with_plan(plan)
    return bridge_with_calendar(data, expected_calendar(data).change, draws)


def bridge_with_calendar(data: Tables, calendar: ExpectedChange | None, draws: int) -> Bridge:
    """The bridge with a given expected change; without one, lead volume includes the season."""
    if draws < 2:
        raise ParameterError(f"draws={draws} must be at least 2: an interval needs a spread.")
    if arrivals(data) == ACCOUNTS:
        return _of_accounts(data, draws)
    history, plan = stage_history(data), data.plan
    others = other_deals(won_deals(data), plan.smallest_group, draws, plan.seed, calendar)
    made = estimate(history, calendar, draws, plan.seed)
    made = with_other_deals(made if history.steps else without_rates(made), others)
    return _with_verdicts(data, history, others, made, has_calendar=calendar is not None)


def _of_accounts(data: Tables, draws: int) -> Bridge:
    """The bridge of recurring revenue, by movement of accounts."""
    table, tests = contributions_of_movements(data, draws)
    months = account_months(data)
    accounts = [recurring_revenue(data, each) for each in months]
    values = [
        np.nan if month.gap else round(float(each.sum()), 2)
        for month, each in zip(months, accounts, strict=True)
    ]
    if np.isnan(values).any():
        table, tests = table.iloc[:0], tests.iloc[:0]
    n_accounts = len(accounts[0].index.union(accounts[1].index))
    unit = f"{data.plan.company.currency} a month"
    named = ("contribution", "low", "high", "smallest_detectable")
    tested = int(np.isfinite(tests["p_value"]).sum())
    return Bridge(
        table=table[["driver", "segment", *named[:3], "verdict", named[3]]],
        rows=accounts_behind(data),
        units=dict.fromkeys(named, unit),
        **speaks_for(data),
        plan=data.plan,
        comparison=data.comparison,
        period_value=values[1],
        baseline_value=values[0],
        period_wins=0,
        baseline_wins=0,
        tests=DriverTests(table=tests, units={}, **speaks_for(data), n_tests=tested),
        coverage=Coverage(
            tables=("subscriptions",), arrivals=ACCOUNTS, stages=(), leads_since=None,
            wins_since=None, n_periods=0, unrecorded_exits=(), has_calendar=False,
            n_deals=n_accounts, n_without_lead=0, n_renewals=0, n_without_amount=0, n_refunds=0,
            unfilled_segments=data.plan.segments,
            month_gap=next(((each.gap, each.label) for each in months if each.gap), ("", "")),
        ),
        n_draws=draws,
    )  # fmt: skip


@dataclass(frozen=True)
class _Labels:
    """Names along the axes of an estimate, and which pairs of them are rows of the table."""

    drivers: list[str]
    segments: tuple[str, ...]
    is_row: NDArray[np.bool_]

    @classmethod
    def of(cls, history: StageHistory, others: OtherDeals) -> _Labels:
        outside = tuple(dict.fromkeys(others.drivers))
        rates = [*history.steps, TIMING] if history.steps else []
        flow = [CALENDAR, VOLUME, MIX, *rates, SIZE]
        drivers = [*flow, *outside, RESIDUAL]
        of_other = [[driver == name for name in others.drivers] for driver in drivers]
        of_other[0] = others.calendar.any(axis=1).tolist()
        in_flow = np.array([[driver not in outside] * len(history.segments) for driver in drivers])
        is_row = np.concatenate([in_flow, np.array(of_other, bool)], axis=1)
        return cls(drivers, (*history.segments, *others.segments), is_row)


def _with_verdicts(
    data: Tables,
    history: StageHistory,
    others: OtherDeals,
    made: Estimate,
    *,
    has_calendar: bool,
) -> Bridge:
    plan, labels = data.plan, _Labels.of(history, others)
    tests = _tests(labels, history, made, data, has_calendar=has_calendar)
    values = np.round(made.value.sum(axis=1), 2)
    table = _table(labels, made, plan, values[0])
    p_adjusted = tests.table[["driver", "segment", "p_adjusted"]]
    table = table.merge(p_adjusted, on=["driver", "segment"])
    table["verdict"] = [
        significance.verdict_of(row.low, row.high, row.p_adjusted, 1 - plan.level, values[0])
        for row in table.itertuples()
    ]
    table.loc[table["driver"].eq(RESIDUAL), "verdict"] = CANNOT_TELL
    unit = "deals" if plan.measure == "wins" else plan.company.currency
    if plan.measure == "mrr":
        unit += " a month"
    named = ("contribution", "low", "high", "smallest_detectable")
    wins = made.wins.sum(axis=1).round().astype(int)
    coverage = _coverage(data, history, has_calendar=has_calendar)
    if coverage.wins_since:
        table, values[0] = table.iloc[:0], np.nan
        tests = replace(tests, table=tests.table.iloc[:0], n_tests=0)
    return Bridge(
        table=table[["driver", "segment", *named[:3], "verdict", named[3]]],
        rows=_rows(data),
        units=dict.fromkeys(named, unit),
        **speaks_for(data),
        plan=plan,
        comparison=data.comparison,
        period_value=float(values[1]),
        baseline_value=float(values[0]),
        period_wins=int(wins[-1]),
        baseline_wins=int(wins[0]),
        tests=tests,
        coverage=coverage,
        n_draws=len(made.draws),
    )


def _tests(
    labels: _Labels,
    history: StageHistory,
    made: Estimate,
    data: Tables,
    *,
    has_calendar: bool,
) -> DriverTests:
    """Tests of every driver, and of the segments of those found."""
    drivers = labels.drivers
    wins, drawn = made.point[..., 1], made.draws[..., 1]
    z = significance.z_of_draws(wins.sum(axis=1), drawn.sum(axis=2))
    z_segments = significance.z_of_draws(wins, drawn)
    size, deals = drivers.index(SIZE), won_deals(data)
    deals = deals[deals["driver"] == ""]
    _, z[size] = significance.like_for_like(
        deals["value"].to_numpy(float),
        deals["in_period"].to_numpy(bool),
        deals[["segment", "employees"]],
    )
    outside = [drivers.index(name) for name in OUTSIDE_FLOW if name in drivers]
    value, drawn_value = made.point[..., 0], made.draws[..., 0]
    of_value = significance.z_of_draws(value.sum(axis=1), drawn_value.sum(axis=2))
    z[outside] = of_value[outside]
    in_value = [size, *outside]
    z_segments[in_value] = significance.z_of_draws(value[in_value], drawn_value[:, in_value])
    untested = [drivers.index(RESIDUAL)] + [drivers.index(CALENDAR)] * (not has_calendar)
    z[untested], z_segments[untested] = np.nan, np.nan
    p, p_segments = significance.two_sided(z), significance.two_sided(z_segments)
    combined = _combined(labels, made, z, z_segments, in_value, data.plan.seed)
    totals, segments, n_tests = significance.adjusted(combined, p_segments, 1 - data.plan.level)
    table = _stacked(
        labels,
        wins=(wins.sum(axis=1), wins),
        z=(z, z_segments),
        p_value=(p, p_segments),
        p_combined=(combined, p_segments),
        p_adjusted=(totals, segments),
    )
    return DriverTests(table=table, units={"wins": "deals"}, **speaks_for(data), n_tests=n_tests)


def _combined(
    labels: _Labels, made: Estimate, z: Floats, z_segments: Floats, in_value: list[int], seed: int
) -> Floats:
    """P value of each driver over its total, its stages and blocks, and its segments."""
    random, wins = np.random.default_rng([seed, 2]), made.wins.mean(axis=0)
    tested = significance.z_of_draws(made.blocks, made.drawn_blocks)
    outside = (CALENDAR, SIZE, RESIDUAL, *OUTSIDE_FLOW)
    in_blocks = [name for name in labels.drivers if name not in outside]
    combined = []
    for i, driver in enumerate(labels.drivers):
        drawn = made.draws[:, i, :, 0 if i in in_value else 1]
        total = significance.Parts(z[i : i + 1], drawn.sum(axis=1)[:, None], np.ones(1))
        share = np.where(labels.is_row[i], wins, 0.0)
        segments = significance.Parts(z_segments[i], drawn, share / max(share.sum(), 1e-12))
        if driver in OF_ALL_SEGMENTS:
            segments = None
        blocks = None
        if driver in in_blocks:
            k = in_blocks.index(driver)
            blocks = significance.Parts(tested[k], made.drawn_blocks[:, k], made.passing[k])
        combined.append(significance.combined_p(total, blocks, segments, random))
    return np.array(combined)


def _table(labels: _Labels, made: Estimate, plan: Plan, baseline: float) -> pd.DataFrame:
    value, drawn = made.point[..., 0], made.draws[..., 0]
    change = round(float(np.round(made.value[1].sum(), 2) - baseline), 2)
    totals = np.round(value.sum(axis=1), 2)
    totals[-1] = round(change - totals[:-1].sum(), 2)
    segments = np.round(value, 2)
    largest = np.abs(value).argmax(axis=1)
    at = np.arange(len(segments))
    segments[at, largest] += totals - segments.sum(axis=1)
    low, high = percentiles(drawn.sum(axis=2), plan.level)
    low_segments, high_segments = percentiles(drawn, plan.level)
    spread, spread_segments = drawn.sum(axis=2).std(axis=0), drawn.std(axis=0)
    return _stacked(
        labels,
        contribution=(totals, np.round(segments, 2)),
        low=(low, low_segments),
        high=(high, high_segments),
        smallest_detectable=(
            smallest_detectable(spread, plan.level),
            smallest_detectable(spread_segments, plan.level),
        ),
    )


def _stacked(labels: _Labels, **columns: tuple[Floats, Floats]) -> pd.DataFrame:
    """Totals first, then each driver's segments."""
    drivers, segments = labels.drivers, labels.segments
    frame = pd.DataFrame(
        {
            "driver": drivers + [driver for driver in drivers for _ in segments],
            "segment": [None] * len(drivers) + list(segments) * len(drivers),
        }
    ).astype("str")
    for name, (totals, by_segment) in columns.items():
        frame[name] = np.concatenate([totals, by_segment.ravel()])
    is_row = np.concatenate([np.ones(len(drivers), bool), labels.is_row.ravel()])
    return frame[is_row].reset_index(drop=True)


def _coverage(data: Tables, history: StageHistory, *, has_calendar: bool) -> Coverage:
    deals = won_deals(data)
    first = data.leads["created_at"].min() if follows_leads(data) else pd.NaT
    is_late = pd.notna(first) and first.timestamp() > history.windows[0].start
    first_win = data.deals.loc[data.deals["outcome"] == "won", "closed_at"].min()
    is_new = first_win >= data.plan.midnight(data.comparison.baseline.after)
    zone = data.plan.company.timezone
    exits = zip(history.steps, history.is_exit_recorded, strict=False)
    table = "leads" if follows_leads(data) else "deals"
    return Coverage(
        tables=tuple(name for name in ("leads", "stage_changes", "deals") if data.has(name)),
        arrivals=history.arrivals,
        stages=history.stages,
        leads_since=first.date() if is_late else None,
        wins_since=first_win.tz_convert(zone).date() if is_new else None,
        n_periods=history.windows[0].n_blocks,
        unrecorded_exits=tuple(step for step, is_recorded in exits if not is_recorded),
        has_calendar=has_calendar,
        n_deals=len(deals),
        n_without_lead=int(deals["driver"].eq(WITHOUT_LEAD).sum()),
        n_renewals=int(deals["driver"].eq(RENEWALS).sum()),
        n_without_amount=int(deals["value"].isna().sum()),
        n_refunds=int((deals["value"] < 0).sum()),
        unfilled_segments=tuple(name for name in data.plan.segments if not data.has(table, name)),
    )


def _rows(data: Tables) -> pd.DataFrame:
    """The deals behind both values, and the leads created in each period."""
    deals, comparison = won_deals(data), data.comparison
    parts = [
        rows_of("period", "deals", deals.loc[deals["in_period"], "deal_id"]),
        rows_of("baseline", "deals", deals.loc[~deals["in_period"], "deal_id"]),
    ]
    for figure, period in (("period", comparison.period), ("baseline", comparison.baseline)):
        here = data.plan.within(data.leads["created_at"], period)
        parts.append(rows_of(figure, "leads", data.leads.loc[here, "lead_id"].sort_values()))
    return pd.concat(parts, ignore_index=True)
