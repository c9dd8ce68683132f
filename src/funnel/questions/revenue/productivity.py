"""Bookings per ramped head: capacity apart from productivity, and the share of quota in force."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from funnel.checks import mixed_currencies
from funnel.contract.labels import EVERYBODY
from funnel.contract.periods import Period
from funnel.dataset.cache import cached
from funnel.methods.change_intervals import Typical, change_of_totals, total_interval
from funnel.results import Result, rows_of, speaks_for
from funnel.results.small_groups import SmallGroups
from funnel.stats import NARROW, verdict

if TYPE_CHECKING:
    from funnel.dataset import Tables

BOOKINGS, HEADS, PER_HEAD = "bookings", "heads", "bookings per head"
CAPACITY, PRODUCTIVITY = "capacity", "productivity"
LEAVERS, JOINERS = "leavers", "joiners and ramp"
_DAY = pd.Timedelta(days=1)


@dataclass(frozen=True, eq=False, kw_only=True)
class Productivity(Result):
    """Bookings per ramped head, and the change of bookings as capacity and productivity.

    `table` has one row per figure (`bookings`, `heads`, `bookings per head`): `value`, `baseline`,
    `change` with `change_low`, `change_high` and `verdict`. Heads are ramped days at work over the
    days of the period; the first and the last day at work count.

    `parts` has rows `part` and `of` (`capacity` for its two parts `leavers` and `joiners and
    ramp`, else empty): `change` with its interval, and `n` (people, or won deals). `capacity` is
    the change of heads at the earlier bookings per head, `productivity` the rest. They add up to
    the change of bookings.

    Attributes
    ----------
    gap
        Why there is no comparison: `no reps`, `no won deals`, `currencies`, `no heads`; else empty.
    n_ramping
        People at work in the period who are not ramped on its last day.
    n_after_leaving, amount_after_leaving
        Wins of the period closed after their owner left.
    n_unknown_owner, amount_unknown_owner
        Wins of the period whose owner is not among the salespeople.
    """

    parts: pd.DataFrame
    gap: str
    n_ramping: int = 0
    n_after_leaving: int = 0
    amount_after_leaving: float = 0.0
    n_unknown_owner: int = 0
    amount_unknown_owner: float = 0.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Attainment(Result):
    """Bookings of the period over the quota that was in force.

    `table` has one row per salesperson, by a stable label, and one for `all`: `owner`, `days` at
    work, `quota` (of those days), `bookings`, `attainment` with its interval, `n` (won deals). The
    team's is the sum of bookings over the sum of quotas.

    Attributes
    ----------
    full_quota
        Sum of the quotas as if everybody had been at work on every day.
    period_days
        Days of the whole period, by which quotas are prorated.
    """

    grouped = (SmallGroups(by=("owner",), counts={"n": ("bookings", "attainment")}, add_up=("n",)),)

    full_quota: float
    period_days: int


def _won(data: Tables) -> pd.DataFrame:
    """Won deals with an amount: `day` of closing, `amount`, `owner`."""
    deals = data.deals
    is_won = (deals["outcome"] == "won") & deals["amount"].notna()
    won = deals.loc[is_won, ["deal_id", "closed_at", "amount", "owner"]]
    return won.assign(day=data.plan.local_days(won["closed_at"]))


def _in(rows: pd.DataFrame, period: Period) -> pd.DataFrame:
    return rows[(rows["day"] >= str(period.start)) & (rows["day"] < str(period.after))]


def days_at_work(reps: pd.DataFrame, period: Period, *, ramped: bool) -> pd.Series:
    """Days of a period on which each salesperson was at work, first and last day included.

    Parameters
    ----------
    reps
        Has `started_on`, `left_on` and `ramp_days`.
    ramped
        Whether only days after the ramp count.

    Examples
    --------
    >>> import datetime as dt
    >>> reps = pd.DataFrame({"started_on": pd.to_datetime(["2026-01-01", "2026-04-11"]),
    ...                      "left_on": pd.to_datetime(["2026-04-30", None]), "ramp_days": [90, 5]})
    >>> april = Period.between(dt.date(2026, 4, 1), dt.date(2026, 5, 1))
    >>> days_at_work(reps, april, ramped=True).tolist()
    [30, 15]
    """
    start, after = pd.Timestamp(period.start), pd.Timestamp(period.after)
    begin = reps["started_on"]
    if ramped:
        begin = begin + pd.to_timedelta(reps["ramp_days"].fillna(0).astype("int64"), unit="D")
    end = (reps["left_on"] + _DAY).fillna(after)
    span = end.clip(upper=after) - begin.clip(lower=start)
    return span.dt.days.clip(lower=0)


@cached
def productivity(data: Tables) -> Productivity:
    """Bookings per ramped head in the period and in the baseline."""
    comparison, level = data.comparison, data.plan.level
    won, reps = _won(data), data.reps
    gap = (
        "no reps" if reps.empty
        else "no won deals" if won.empty
        else "currencies" if mixed_currencies(data)
        else ""
    )  # fmt: skip
    periods = comparison.period, comparison.baseline
    now, then = (_in(won, each) for each in periods)
    heads = [
        (
            days_at_work(reps, each, ramped=True) / each.n_days
            if len(reps)
            else pd.Series(dtype=float)
        )
        for each in periods
    ]
    n_now, n_then = (float(each.sum()) for each in heads)
    if not gap and not (n_now > 0 and n_then > 0):
        gap = "no heads"
    behind = [
        rows_of(f"won, {name}", "deals", each["deal_id"])
        for name, each in (("period", now), ("baseline", then))
    ]
    made = {
        "rows": pd.concat(behind, ignore_index=True),
        "units": {"value": data.plan.company.currency, "change": data.plan.company.currency},
        "gap": gap,
        **_flagged(now, reps),
        **speaks_for(data),
    }
    if gap:
        return Productivity(table=pd.DataFrame(), parts=pd.DataFrame(), **made)
    is_ramping = days_at_work(reps, _last_day(comparison.period), ramped=False) - days_at_work(
        reps, _last_day(comparison.period), ramped=True
    )
    history = won["amount"]
    ends = change_of_totals(now["amount"], then["amount"], level, history=history)
    per_head = change_of_totals(
        now["amount"] / n_now, then["amount"] / n_then, level, history=history / n_then
    )
    booked, before = (float(each["amount"].sum()) for each in (now, then))
    table = pd.DataFrame(
        [
            _row(BOOKINGS, booked, before, ends),
            _row(HEADS, n_now, n_then, (n_now - n_then, n_now - n_then)),
            _row(PER_HEAD, booked / n_now, before / n_then, per_head),
        ]
    )
    return Productivity(
        table=table,
        parts=_parts(now, then, heads, level),
        n_ramping=int((is_ramping > 0).sum()),
        **made,
    )


def _last_day(period: Period) -> Period:
    return Period(period.end, period.end)


def _row(name: str, value: float, baseline: float, ends: tuple[float, float]) -> dict[str, Any]:
    low, high = ends
    return {
        "figure": name, "value": value, "baseline": baseline, "change": value - baseline,
        "change_low": low, "change_high": high,
        "verdict": verdict(low, high, NARROW * abs(baseline)),
    }  # fmt: skip


def _parts(
    now: pd.DataFrame, then: pd.DataFrame, heads: list[pd.Series], level: float
) -> pd.DataFrame:
    """Capacity, its two parts, and productivity."""
    n_now, n_then = (float(each.sum()) for each in heads)
    before = float(then["amount"].sum())
    typical = Typical.of(np.abs(np.concatenate([now["amount"], then["amount"]])))
    bookings = (before, *(total_interval(then["amount"].clip(lower=0), typical, level)))
    change = heads[0] - heads[1]
    capacity = []
    for part, of, moved in (
        (CAPACITY, "", change),
        (LEAVERS, CAPACITY, change[change < 0]),
        (JOINERS, CAPACITY, change[change > 0]),
    ):
        share = float(moved.sum()) / n_then
        low, high = sorted(share * each for each in bookings[1:])
        capacity.append((part, of, share * before, low, high, int((moved != 0).sum())))
    low, high = change_of_totals(
        now["amount"], then["amount"] * (n_now / n_then), level, history=then["amount"]
    )
    value = float(now["amount"].sum()) - n_now * before / n_then
    capacity.append((PRODUCTIVITY, "", value, low, high, len(now) + len(then)))
    return pd.DataFrame(
        capacity, columns=["part", "of", "change", "change_low", "change_high", "n"]
    )


def _flagged(won: pd.DataFrame, reps: pd.DataFrame) -> dict[str, Any]:
    """Wins after their owner left, and of owners who are not among the salespeople."""
    left = won["owner"].map(reps.set_index("owner")["left_on"]) if len(reps) else won["day"]
    after = won[won["day"] > left] if len(reps) else won.iloc[:0]
    unknown = won[~won["owner"].isin(reps["owner"])]
    return {
        "n_after_leaving": len(after),
        "amount_after_leaving": round(float(after["amount"].sum()), 2),
        "n_unknown_owner": len(unknown),
        "amount_unknown_owner": round(float(unknown["amount"].sum()), 2),
    }


def attainment(data: Tables) -> Attainment:
    """Attainment by salesperson and of all, of the quota of their days at work."""
    period = data.comparison.period
    whole = data.plan.fiscal.period_of(period.start, data.plan.period)
    won = _in(_won(data), period)
    reps = data.reps.assign(quota=_quotas(data, whole))
    reps = reps[reps["quota"] > 0]
    days = days_at_work(reps, period, ramped=False)
    reps, days = reps[days > 0], days[days > 0]
    quota = reps["quota"] * days / whole.n_days
    own = won[won["owner"].isin(reps["owner"])]
    typical = Typical.of(own["amount"].clip(lower=0))
    rows = []
    for owner, n_days, in_force in zip(reps["owner"], days, quota, strict=True):
        mine = own.loc[own["owner"] == owner, "amount"]
        rows.append(_attained(owner, int(n_days), in_force, mine, typical, data.plan.level))
    if rows:
        everybody = (EVERYBODY, int(days.sum()), float(quota.sum()), own["amount"], typical)
        rows.append(_attained(*everybody, data.plan.level))
    names = ["owner", "days", "quota", "bookings", "attainment", "attainment_low",
             "attainment_high", "n"]  # fmt: skip
    return Attainment(
        table=pd.DataFrame(rows, columns=names),
        rows=rows_of(EVERYBODY, "deals", own["deal_id"]),
        units=dict.fromkeys(("quota", "bookings"), data.plan.company.currency),
        full_quota=float(reps["quota"].sum()),
        period_days=whole.n_days,
        **speaks_for(data),
    )


def _quotas(data: Tables, whole: Period) -> pd.Series:
    """Quota of each salesperson for a whole period: as in `targets`, else as in `reps`."""
    targets = data.targets
    measured = targets["measure"].astype("str").str.strip().str.casefold() == BOOKINGS
    own = targets[
        measured & targets["owner"].notna() & (targets["period_start"] == str(whole.start))
    ]
    own = own[own["period_end"].isna() | (own["period_end"] == str(whole.end))]
    given = data.reps["owner"].map(
        own.drop_duplicates("owner", keep="last").set_index("owner")["target"]
    )
    return given.fillna(data.reps["quota"])


def _attained(
    owner: str, days: int, quota: float, amounts: pd.Series, typical: Typical | None, level: float
) -> dict[str, Any]:
    low, high = (np.nan, np.nan)
    if typical is not None:
        low, high = (each / quota for each in total_interval(amounts.clip(lower=0), typical, level))
    booked = float(amounts.sum())
    return {
        "owner": owner, "days": days, "quota": quota, "bookings": round(booked, 2),
        "attainment": booked / quota, "attainment_low": low, "attainment_high": high,
        "n": len(amounts),
    }  # fmt: skip
