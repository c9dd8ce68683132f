"""Recorded outcomes at other thresholds: leads passed, sales' load, wins kept and lost."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.contract.errors import ParameterError
from funnel.contract.labels import EVERYBODY
from funnel.methods.qualification import NO_HANDOFF, Missing, handoff_stages, mature_leads
from funnel.questions.definition.columns import FEWEST_WON
from funnel.questions.definition.leakage import LEAKS, Leakage, leakage
from funnel.questions.definition.rates import rate
from funnel.questions.definition.threshold_changes import (
    GRADE,
    best_threshold,
    numbers_of,
    threshold_changes,
)
from funnel.results import Result, no_rows, rows_of, speaks_for
from funnel.stats import poisson_interval

if TYPE_CHECKING:
    from funnel.dataset import Tables

REPLAYED, CANNOT_TELL = "replayed", "cannot tell"
NOT_FILLED, NO_THRESHOLD = "not filled", "no threshold"
FEW_WON_AT_ONE = "few won at one threshold"
_LONGEST_DAYS = 730
_SEPARATES = 0.4  # share passed above less share passed below: with less there is no threshold
_MOST_BELOW, _MOST_ABOVE = 4, 14
_QUARTER_LESS = 0.75
_DAY = pd.Timedelta(days=1)


@dataclass(frozen=True, eq=False, kw_only=True)
class ThresholdReplay(Result):
    """Recorded outcomes at other thresholds than the one in force.

    `table` has one row per threshold, from low to high: `threshold` (grades as D 1 to A 4),
    `in_force`, `n_passed` (leads from it up), `n_tried` (those of them that were handed over, and
    so have an outcome), `per_week` (leads passed a week), `wins_kept` and `wins_lost` of the
    recorded ones, with `wins_lost_low`, `wins_lost_high`; `kept_share` with `kept_share_low`,
    `kept_share_high`; `win_rate` of those tried with its interval; `amount_kept`, `amount_lost`
    (currency); `state`: `replayed`, or `cannot tell` below the threshold in force, where leads were
    never handed over and have no outcome.

    `column` is the threshold's; `now` the threshold in force; `days` the age by which outcomes are
    counted; `created_from` and `created_to` the days of creation of the leads; `n_below` the leads
    that were handed over from below the threshold and are excluded.
    """

    column: str = "score"
    now: float = float("nan")
    days: float = float("nan")
    created_from: dt.date | None = None
    created_to: dt.date | None = None
    n_below: int = 0
    leaks: tuple[Leakage, ...] = ()
    missing: Missing | None = None

    @property
    def in_force(self) -> pd.Series:
        """Row of the threshold in force."""
        return self.table[self.table["in_force"]].iloc[0]

    @property
    def with_less_load(self) -> pd.Series | None:
        """Row of the higher threshold whose load is nearest to a quarter less; none without one."""
        higher = self.table[self.table["threshold"] > self.now]
        if higher.empty:
            return None
        gap = (higher["per_week"] / self.in_force["per_week"] - _QUARTER_LESS).abs()
        return higher.loc[gap.idxmin()]


def threshold_replay(data: Tables, column: str = "score") -> ThresholdReplay:
    """Recorded outcomes at other thresholds of the score, of the grade or of another number.

    Parameters
    ----------
    data
        The dataset.
    column
        `score`, `grade`, or another column of leads that holds numbers.

    Raises
    ------
    ParameterError
        If leads have no such column, or it holds words.

    Notes
    -----
    Leads are mature ones of up to two years, created since the threshold last changed. The
    threshold in force is the value that best separates leads handed over from the others; where
    none does, there is no threshold to replay. Leads handed over from below it are excluded. It is
    a replay and no forecast: with fewer leads, sales may do better or worse with each.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> threshold_replay(Tables.of(leads=leads, as_of="2026-01-31")).headline
    'Other thresholds cannot be replayed: no score is filled.'
    """
    _check_column(data, column)
    missing = _missing(data, column)
    leads, now = mature_leads(data).leads.iloc[:0].assign(value=pd.Series(dtype=float)), np.nan
    if missing is None:
        leads = _leads(data, column)
        n_won = int(leads["won"].sum())
        if n_won < FEWEST_WON:
            missing = Missing(FEW_WON_AT_ONE, n=n_won, name=column)
        else:
            now, difference = best_threshold(
                leads["value"].to_numpy(float), leads["had_a_chance"].to_numpy(bool)
            )
            if not difference >= _SEPARATES:
                missing = Missing(NO_THRESHOLD, name=column)
    if missing is not None:
        leads = leads.iloc[:0]
    from_below = leads["had_a_chance"] & (leads["value"] < now)
    n_below, leads = int(from_below.sum()), leads[~from_below]
    created = leads["created_at"]
    weeks = max((created.max() - created.min()) / _DAY / 7, 1.0) if len(leads) else 1.0
    table = [_row(data, leads, each, now, weeks) for each in _thresholds(leads["value"], now)]
    day = data.plan.local_days(created)
    return ThresholdReplay(
        table=pd.DataFrame(table, columns=_COLUMNS),
        rows=rows_of(EVERYBODY, "leads", leads["lead_id"]) if len(leads) else no_rows(),
        units={"per_week": "leads", "amount_lost": data.plan.company.currency},
        column=column,
        now=now,
        days=mature_leads(data).days,
        created_from=day.min().date() if len(leads) else None,
        created_to=day.max().date() if len(leads) else None,
        n_below=n_below,
        leaks=tuple(each for each in leakage(data) if each.column == column),
        missing=missing,
        **speaks_for(data),
    )


_COLUMNS = [
    *("threshold", "in_force", "state", "n_passed", "n_tried", "per_week"),
    *("wins_kept", "kept_share", "kept_share_low", "kept_share_high"),
    *("wins_lost", "wins_lost_low", "wins_lost_high", "win_rate", "win_rate_low", "win_rate_high"),
    *("amount_kept", "amount_lost"),
]


def _check_column(data: Tables, column: str) -> None:
    leads = data.leads
    if column not in leads or not (column == GRADE or pd.api.types.is_numeric_dtype(leads[column])):
        numbers = [name for name in leads if pd.api.types.is_numeric_dtype(leads[name])]
        raise ParameterError(
            f"threshold_replay: column={column!r} must be `grade` or a number of leads; there are "
            f"{', '.join(numbers)}."
        )


def _missing(data: Tables, column: str) -> Missing | None:
    if data.leads.empty or not data.has("leads", column):
        return Missing(NOT_FILLED, name=column)
    if mature_leads(data).missing:
        return mature_leads(data).missing
    if not handoff_stages(data).is_known:
        return Missing(NO_HANDOFF)
    if any(each.column == column for each in leakage(data)):
        return Missing(LEAKS, name=column)
    return None


def _leads(data: Tables, column: str) -> pd.DataFrame:
    """Mature leads with their value, since the threshold last changed."""
    mature = mature_leads(data).leads
    mature = mature.assign(value=numbers_of(data, column, mature["lead_id"]))
    mature = mature.dropna(subset="value")
    recent = mature[mature["created_at"] >= mature["created_at"].max() - _LONGEST_DAYS * _DAY]
    for day in _changed_on(data, column)[::-1]:
        since = recent[recent["created_at"] >= day]
        enough = since["won"].sum() >= FEWEST_WON
        recent = since if enough else recent[recent["created_at"] < day]
        if enough:
            break
    return recent


def _changed_on(data: Tables, column: str) -> list[pd.Timestamp]:
    changes = threshold_changes(data).table
    own = changes[(changes["column"] == column) & (changes["stage"] == handoff_stages(data).stage)]
    return [data.plan.midnight(day) for day in own["day"]]


def _thresholds(values: pd.Series, now: float) -> list[float]:
    """Thresholds to replay, about as many leads apart from each other: few below that in force."""
    chosen: set[float] = {now} if len(values) else set()
    for side, most in ((values[values < now], _MOST_BELOW), (values[values >= now], _MOST_ABOVE)):
        levels = np.unique(side)
        if len(levels) > most:
            share = np.linspace(0, 1, most + 1)[:-1]
            levels = np.unique(np.quantile(side, share, method="inverted_cdf"))
        chosen |= set(levels.tolist())
    return sorted(chosen)


def _row(
    data: Tables, leads: pd.DataFrame, threshold: float, now: float, weeks: float
) -> dict[str, object]:
    passed = leads["value"] >= threshold
    won = leads["won"] & (leads["value"] >= now)
    kept, lost = int((won & passed).sum()), int((won & ~passed).sum())
    n_tried, level = int((passed & leads["had_a_chance"]).sum()), data.plan.level
    low, high = poisson_interval(lost, level)
    return {
        "threshold": threshold,
        "in_force": threshold == now,
        "state": REPLAYED if threshold >= now else CANNOT_TELL,
        "n_passed": int(passed.sum()),
        "n_tried": n_tried,
        "per_week": float(passed.sum() / weeks),
        "wins_kept": kept,
        **rate("kept_share", kept, int(won.sum()), level),
        "wins_lost": lost,
        "wins_lost_low": float(low),
        "wins_lost_high": float(high),
        **rate("win_rate", kept, n_tried, level),
        "amount_kept": float(leads.loc[won & passed, "amount"].sum()),
        "amount_lost": float(leads.loc[won & ~passed, "amount"].sum()),
    }
