"""What leads and open deals that are already there will bring in the next two periods."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.contract.labels import NO_LEAD
from funnel.contract.periods import Period
from funnel.dataset.stages import new_business
from funnel.methods.bridge.cells import Window
from funnel.methods.bridge.flow import PER_BLOCK
from funnel.methods.bridge.projection import (
    IS_DEAL,
    IS_OF_PERIOD,
    Projection,
    projection,
)
from funnel.methods.bridge.stage_history import (
    ACCOUNTS,
    LEADS,
    WON,
    StageHistory,
    arrivals,
    stage_history,
)
from funnel.results import Result, no_rows, rows_of, speaks_for
from funnel.stats import percentiles

if TYPE_CHECKING:
    from funnel.dataset import Tables

Floats = NDArray[np.float64]
TOTAL = "total"
DRAWS = 200
FEWEST_WINS = 10  # in the period, below which its rates say little
_DRAWS_OF_A_TEST = 100
_BETWEEN_PERIODS = 0.1  # standard deviation of the log of one period's rates to the next one's
_FEWEST_BLOCKS = 2  # of history, the period included
_COLUMNS = (
    *("span", "start", "end", "expected", "low", "high", "from_open_deals", "from_leads", "wins"),
    *("difference", "difference_low", "difference_high"),
)
_TESTED = ("as_of", "ahead", "expected", "low", "high", "actual", "is_inside")


@dataclass(frozen=True, eq=False, kw_only=True)
class Outlook(Result):
    """What leads and open deals already there are expected to bring in the next two periods.

    `table` has one row per period and one for both (`span` is its label, or `total`): `start` and
    `end` (days, as text), `expected` (measure of the plan) with `low` and `high` (within which the
    actual value is to be expected), its parts `from_open_deals` and `from_leads`, `wins`, and
    `difference` with its interval: to what as many leads in the period as in its baseline would
    have brought. Leads and deals still to come are in none of these. Without a flow to follow, or
    with fewer than ten wins in the period, there are no rows.

    Attributes
    ----------
    back_test
        The same of earlier periods: `as_of` (their last day), `ahead` (1 or 2 periods later),
        `expected`, `low`, `high`, `actual`, `is_inside`.
    n_leads, n_leads_baseline
        Leads of the period and of its baseline (or what else arrives).
    arrivals
        What arrives: `leads`, `deals opened`, `deals won` or `accounts`.
    measure
        Of the plan.
    has_renewals
        Whether expansions and renewals are recorded, which are in no figure here.
    """

    back_test: pd.DataFrame
    n_leads: int
    n_leads_baseline: int
    arrivals: str
    measure: str
    has_renewals: bool

    @property
    def n_tests(self) -> int:
        """Earlier values that were expected."""
        return len(self.back_test)

    @property
    def n_inside(self) -> int:
        """How many of them were within the interval."""
        return int(self.back_test["is_inside"].sum())


def outlook(data: Tables, *, draws: int = DRAWS) -> Outlook:
    """What leads and open deals already there are expected to bring in the next two periods.

    Parameters
    ----------
    data
        A dataset.
    draws
        Resamples behind each interval.

    Notes
    -----
    Leads and deals that stand at a stage when the period ends advance and leave at the hazards of
    the period by stage, segment and age, as in the bridge. Leads that come back after an exit do so
    as often as in the period. A win is worth the mean of the last two periods, by segment. The
    interval holds the resamples of whole leads, and on top the chance of wins and amounts, and
    rates that differ by a tenth (one standard deviation) from period to period. Deals without a
    lead are a segment of their own; expansions and renewals are not in it.

    `difference` takes the expected value of the period's leads (with or without a deal) by segment
    in proportion to the leads of the baseline.
    """
    both, arrive = data.comparison, arrivals(data)
    facts = {
        "arrivals": arrive,
        "measure": data.plan.measure,
        "has_renewals": len(new_business(data)) < len(data.deals),
        "units": {"expected": _unit(data), "difference": _unit(data)},
        **speaks_for(data),
    }
    nothing = {
        "table": pd.DataFrame(columns=list(_COLUMNS)),
        "back_test": pd.DataFrame(columns=list(_TESTED)),
        "n_leads": 0,
        "n_leads_baseline": 0,
    }
    if arrive in (ACCOUNTS, WON):
        return Outlook(**nothing, rows=no_rows(), **facts)
    history = _with_unlinked(stage_history(data), data)
    old, window = history.windows
    leads = [_arrived(history, each) for each in (window, old)]
    counts = {"n_leads": int(leads[0].sum()), "n_leads_baseline": int(leads[1].sum())}
    if len(_wins(history, window.end - window.length, window.end)) < FEWEST_WINS:
        return Outlook(**nothing | counts, rows=no_rows(), **facts)
    spans = _next_periods(data)
    n_bins = math.ceil((spans[-1].after - both.period.after).days / both.period.n_days * PER_BLOCK)
    found = projection(history, window, n_bins, draws=draws, seed=data.plan.seed)
    ratio = np.divide(leads[1], leads[0], out=np.ones(len(leads[0])), where=leads[0] > 0)
    random = np.random.default_rng([data.plan.seed, 5])
    shares = [_share_of_bins(data, each, n_bins) for each in spans]
    rows, drawn = [], []
    for each, share in zip(spans, shares, strict=True):
        drawn.append(_outcomes(found, share, random))
        rows.append(_row(found, share, ratio, drawn[-1], data.plan.level, each.label))
    rows.append(_row(found, sum(shares), ratio, sum(drawn), data.plan.level, TOTAL))
    table = pd.DataFrame(rows)
    table["start"] = [*(each.start.isoformat() for each in spans), spans[0].start.isoformat()]
    table["end"] = [*(each.end.isoformat() for each in spans), spans[-1].end.isoformat()]
    return Outlook(
        table=table[list(_COLUMNS)],
        back_test=_back_test(history, data),
        rows=_rows(data),
        **counts,
        **facts,
    )


def _unit(data: Tables) -> str:
    return "deals" if data.plan.measure == "wins" else data.plan.company.currency


def _next_periods(data: Tables) -> tuple[Period, Period]:
    """The two periods to come; the first is the rest of a running one."""
    plan, period = data.plan, data.comparison.period
    first = plan.fiscal.period_of(period.after, plan.period)
    second = plan.fiscal.period_of(first.after, plan.period)
    return replace(first, start=period.after), second


def _share_of_bins(data: Tables, span: Period, n_bins: int) -> Floats:
    """Share of each bin after the period that lies within a span."""
    period = data.comparison.period
    begin, end = (
        (day - period.after).days / period.n_days * PER_BLOCK for day in (span.start, span.after)
    )
    edges = np.arange(n_bins)
    return np.clip(np.minimum(edges + 1, end) - np.maximum(edges, begin), 0, 1)


def _with_unlinked(history: StageHistory, data: Tables) -> StageHistory:
    """The history with deals that name no lead as a segment of their own."""
    if history.arrivals != LEADS or data.deals.empty:
        return history
    deals = new_business(data)
    deals = deals[~deals["lead_id"].isin(data.leads["lead_id"]) & deals["created_at"].notna()]
    left = deals["closed_at"].where(deals["outcome"].isin(["won", "lost"]))
    seconds = [_seconds(each) for each in (deals["created_at"], left)]
    here = ~(seconds[1] < history.windows[0].start)
    if not here.any():
        return history
    value = {"bookings": "amount", "mrr": "mrr"}.get(data.plan.measure)
    is_won = deals["outcome"].eq("won").to_numpy(bool)
    worth = deals[value].to_numpy(float) if value else np.ones(len(deals))
    n = int(here.sum())
    visits = history.visits
    unlinked = pd.DataFrame(
        {
            "path": np.arange(n) + visits["path"].max() + 1,
            "unit": np.arange(n) + visits["unit"].max() + 1,
            "stage": len(history.stages) - 2,
            "entered": seconds[0][here],
            "left_": np.maximum(seconds[1], seconds[0])[here],
            "is_advance": is_won[here],
            "is_source": True,
            "value": np.where(is_won, np.nan_to_num(worth), 0.0)[here],
            "segment": len(history.segments),
        }
    )
    return replace(
        history,
        visits=pd.concat([visits, unlinked], ignore_index=True),
        segments=(*history.segments, NO_LEAD),
        weekly=np.pad(history.weekly, ((0, 0), (0, 1))),
    )


def _seconds(moments: pd.Series) -> Floats:
    since = moments - pd.Timestamp(0, tz="UTC")
    return (since / pd.Timedelta(seconds=1)).to_numpy(float)


def _arrived(history: StageHistory, window: Window) -> Floats:
    """Arrivals at the first stage in the newest block of a window, by segment."""
    visits = history.visits
    here = (visits["stage"] == 0) & (visits["entered"] >= window.end - window.length)
    here &= visits["entered"] < window.end
    return np.bincount(visits.loc[here, "segment"].astype(int), minlength=len(history.segments))


def _wins(history: StageHistory, begin: float, end: float) -> pd.DataFrame:
    visits = history.visits
    here = visits["is_advance"].astype(bool) & (visits["stage"] == len(history.stages) - 2)
    return visits[here & (visits["left_"] >= begin) & (visits["left_"] < end)]


def _outcomes(found: Projection, share: Floats, random: np.random.Generator) -> Floats:
    """What may come of each resample: a random number of wins, each with a random amount."""
    wins, value = ((each[1:] * share).sum(axis=(1, 2, 3)) for each in (found.wins, found.value))
    change = np.exp(random.normal(-(_BETWEEN_PERIODS**2) / 2, _BETWEEN_PERIODS, len(wins)))
    n = random.poisson(wins * change)
    total = np.array([random.choice(found.amounts, each).sum() for each in n])
    mean = np.divide(value, wins, out=np.zeros(len(wins)), where=wins > 0)
    return total * mean / found.amounts.mean() if found.amounts.any() else 0.0 * total


def _row(
    found: Projection, share: Floats, ratio: Floats, drawn: Floats, level: float, label: str
) -> dict[str, object]:
    value = (found.value * share).sum(axis=-1)  # (draw, group, segment)
    expected = value[0].sum()
    of_period = value[:, IS_OF_PERIOD].sum(axis=1)
    difference = (of_period * (1 - ratio)).sum(axis=-1)
    low, high = percentiles(drawn, level)
    ends = percentiles(difference[1:], level)
    return {
        "span": label,
        "expected": float(expected),
        "low": float(low),
        "high": float(high),
        "from_open_deals": float(value[0, IS_DEAL].sum()),
        "from_leads": float(value[0, ~IS_DEAL].sum()),
        "wins": float((found.wins[0] * share).sum()),
        "difference": float(difference[0]),
        "difference_low": float(ends[0]),
        "difference_high": float(ends[1]),
    }


def _back_test(history: StageHistory, data: Tables) -> pd.DataFrame:
    """The outlook of earlier periods, compared with what came of the leads and deals then there."""
    window, plan = history.windows[1], data.plan
    first = history.visits.groupby("unit")["entered"].min()
    rows = []
    for back in range(1, window.n_blocks + 2 - _FEWEST_BLOCKS):
        end = window.end - back * window.length
        before = Window(end, window.length, window.n_blocks + 1 - back)
        if len(_wins(history, end - window.length, end)) < FEWEST_WINS:
            continue
        n_ahead = min(back, 2)
        found = projection(
            history, before, n_ahead * PER_BLOCK, draws=_DRAWS_OF_A_TEST, seed=plan.seed
        )
        random = np.random.default_rng([plan.seed, 6, back])
        for ahead in range(n_ahead):
            share = np.zeros(n_ahead * PER_BLOCK)
            share[ahead * PER_BLOCK : (ahead + 1) * PER_BLOCK] = 1.0
            low, high = percentiles(_outcomes(found, share, random), plan.level)
            begin = end + ahead * window.length
            won = _wins(history, begin, begin + window.length)
            actual = float(won.loc[(first[won["unit"]] < end).to_numpy(), "value"].sum())
            rows.append(
                {
                    "as_of": data.comparison.period.end
                    - dt.timedelta(days=back * data.comparison.period.n_days),
                    "ahead": ahead + 1,
                    "expected": float((found.value[0] * share).sum()),
                    "low": float(low),
                    "high": float(high),
                    "actual": actual,
                    "is_inside": bool(low <= actual <= high),
                }
            )
    return pd.DataFrame(rows, columns=list(_TESTED))


def _rows(data: Tables) -> pd.DataFrame:
    """The open deals, and the leads of the period."""
    deals = new_business(data)
    deals = deals[deals["outcome"].eq("open")]
    leads = data.leads[data.plan.within(data.leads["created_at"], data.comparison.period)]
    return pd.concat(
        [
            rows_of("open deals", "deals", deals["deal_id"]),
            rows_of("leads of the period", "leads", leads["lead_id"]),
        ],
        ignore_index=True,
    )
