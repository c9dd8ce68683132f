"""Won over closed deals, days that deals take to be won, and what the pipeline turns over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel import stats
from funnel.checks.deal_records import NO_OPENING, DealGap, deal_gaps
from funnel.dataset.stages import NEW, new_business
from funnel.methods.ages import in_days
from funnel.methods.rates import rate
from funnel.results import Result, Stated, rows_of, speaks_for
from funnel.results.small_groups import SmallGroups

if TYPE_CHECKING:
    from funnel.contract.periods import Comparison
    from funnel.dataset import Tables

Floats = NDArray[np.float64]
SPANS = ("period", "baseline")
DRAWS = 400
FEWEST_WINS = 10  # in a span, below which it has no cycle
_FIGURES = (
    *("win_rate", "cycle_days", "avg_deal_size", "n_open", "days_open", "velocity", "bookings"),
)
_CELLS_AT_ONCE = 20_000_000
_ENDS = ("", "_low", "_high")


@dataclass(frozen=True, eq=False, kw_only=True)
class WinRate(Result):
    """Won deals over closed ones, by closing date: a mixture of deals of all ages.

    `table` has one row per span: `span` (`period`, `baseline` or `month`), `label`, `kind`,
    `n_won`, `n_lost`, `win_rate` (0 to 1) with `win_rate_low`, `win_rate_high`. They are of new
    business, and `kind` is missing. Where deals are marked as expansions or renewals, further rows
    give each such kind in the period and the baseline.

    Attributes
    ----------
    comparison
        The two periods.
    """

    grouped = (
        SmallGroups(
            by=("kind",), counts=dict.fromkeys(("n_won", "n_lost"), ("win_rate",)), within=("span",)
        ),
    )

    comparison: Comparison

    @property
    def stated(self) -> tuple[Stated, ...]:
        """Wins and the win rate of both periods."""
        rates = self.new_business.set_index("span")["win_rate"]
        wins = self.table.groupby("span")["n_won"].sum()
        return tuple(
            each
            for span in SPANS
            for days in [getattr(self.comparison, span).days]
            for each in (
                Stated("wins", days, value=float(wins[span])),
                Stated("win rate", days, value=rates[span]),
            )
        )

    @property
    def new_business(self) -> pd.DataFrame:
        """The rows that are of no other kind."""
        return self.table[self.table["kind"].isna()]


def win_rate(data: Tables) -> WinRate:
    """Won over closed deals by closing date, for the two periods and by month.

    Notes
    -----
    Expansions and renewals are rows of their own: they are another sale, and hardly ever recorded
    as lost.

    Deals closed in one month were opened in many. This rate moves when old deals are closed in
    bulk, also where leads convert as before; compare with `conversion`.
    """
    closed = data.deals[data.deals["outcome"].isin(["won", "lost"])]
    closed = closed[["deal_id", "outcome", "closed_at"]].assign(
        month=data.plan.local_days(closed["closed_at"]).dt.to_period("M"),
        kind=closed["kind"].mask(closed["kind"].eq(NEW)),
    )
    new = closed[closed["kind"].isna()]
    both, spans = data.comparison, []
    for kind, deals in ((None, new), *closed.groupby("kind")):
        for span, period in (("period", both.period), ("baseline", both.baseline)):
            inside = deals[data.plan.within(deals["closed_at"], period)]
            spans.append((span, period.label, kind, inside))
    spans += [("month", str(month), None, inside) for month, inside in new.groupby("month")]
    counts = []
    for span, label, kind, inside in spans:
        n_won, n = int((inside["outcome"] == "won").sum()), len(inside)
        row = {"span": span, "label": label, "kind": kind, "n_won": n_won, "n_lost": n - n_won}
        counts.append(row | rate("win_rate", n_won, n, data.plan.level))
    table = pd.DataFrame(counts).astype({"kind": "str"})
    has_lost = table.groupby("kind", dropna=False)["n_lost"].transform("sum").gt(0)
    figures = ["win_rate", "win_rate_low", "win_rate_high"]
    table[figures] = table[figures].where(has_lost)
    rows = [
        rows_of(f"{span} {label}{f' {kind}' if kind else ''}", "deals", inside["deal_id"])
        for span, label, kind, inside in spans
    ]
    return WinRate(
        table=table,
        rows=pd.concat(rows, ignore_index=True),
        units={"win_rate": "share of closed deals"},
        comparison=both,
        **speaks_for(data),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class SalesCycle(Result):
    """The pipeline of the period, compared with the baseline's.

    `table` has one row per span (`period`, `baseline`, and `change`, the one less the other):
    `n_deals` in the pipeline (open for some of it), `n_won`, `n_lost`, and, each with `_low` and
    `_high`: `win_rate` (0 to 1, of the deals closed in it), `cycle_days` (median days from opening
    to winning, of the deals won in it), `avg_deal_size` (mean won amount, currency), `n_open`
    (deals open on its average day), `days_open` (mean days that the deals closed in it were open),
    `velocity` and `bookings` (currency a day); `agrees`, whether velocity and bookings do; and
    `verdict_cycle` and `verdict_velocity` on the row `change`.

    Attributes
    ----------
    curve
        Share of the won deals that were won by `days` since the opening, one row per span and day.
    n_not_new
        Expansions and renewals, which are excluded.
    n_backwards
        Deals closed before they were opened; they count as closed on day 0.
    has_lost
        Whether any lost deal is recorded.
    no_opening
        Closed deals whose opening is their closing, where they are so many that no opening is
        recorded; else missing.
    """

    curve: pd.DataFrame
    n_not_new: int = 0
    n_backwards: int = 0
    has_lost: bool = True
    no_opening: DealGap | None = None


def sales_cycle(data: Tables, *, draws: int = DRAWS) -> SalesCycle:
    """Days that deals take to be won, and what the pipeline turns over in a day.

    Parameters
    ----------
    draws
        Bootstrap samples of deals behind the intervals.

    Notes
    -----
    The cycle is of the deals won in a span, as everybody counts it. `velocity` is the deals open
    on an average day x win rate x mean deal / mean days open. Where as many deals of each age are
    open at the end of a span as at its start, it equals what is booked in a day (Little's law). So
    it is compared with that: they agree where the interval of their difference reaches into what
    the change in the number of open deals is worth, or where they differ by less than a tenth. If
    not, the change of velocity is inconclusive. Where no opening is recorded (readiness says so),
    there is no cycle and no velocity. Expansions and renewals are excluded.

    References
    ----------
    Little (1961), Operations Research 9, 383-387.
    """
    spans = {name: _in_pipeline(data, name) for name in SPANS}
    no_opening = next((gap for gap in deal_gaps(data) if gap.kind == NO_OPENING), None)
    found = {
        name: _figures(frame, _n_days(data, name), data.plan.seed, draws)
        for name, frame in spans.items()
    }
    rows = []
    for name, frame in spans.items():
        rows.append(
            {"span": name, "n_deals": float(len(frame))}
            | {f"n_{end}": float(frame["ends"].eq(end).sum()) for end in ("won", "lost")}
            | _with_interval(*found[name][:2], data.plan.level)
            | {"agrees": _agrees(frame, _n_days(data, name), *found[name][:2], data.plan.level)}
        )
    rows.append(_change(rows, found, data.plan.level))
    deals = new_business(data)
    has_lost = deals.empty or bool(deals["outcome"].eq("lost").any())
    table = pd.DataFrame(rows)
    unknown = [] if has_lost else ["win_rate", "velocity"]  # nothing to divide by
    unknown += ["cycle_days", "days_open", "velocity"] if no_opening else []
    table[[f"{name}{end}" for name in unknown for end in _ENDS]] = np.nan
    if no_opening:
        table["verdict_cycle"] = _inconclusive(table["verdict_cycle"])
    if unknown or not table["agrees"].all():
        table["verdict_velocity"] = _inconclusive(table["verdict_velocity"])
    curves = [found[name][2].assign(span=name) for name in SPANS]
    curve = pd.concat(curves, ignore_index=True)
    return SalesCycle(
        table=table,
        curve=curve.iloc[:0] if no_opening else curve,
        rows=pd.concat(
            [rows_of(name, "deals", frame["deal_id"]) for name, frame in spans.items()],
            ignore_index=True,
        ),
        units={
            "cycle_days": "days",
            "days_open": "days",
            "avg_deal_size": data.plan.company.currency,
            "velocity": f"{data.plan.company.currency} a day",
            "bookings": f"{data.plan.company.currency} a day",
        },
        n_not_new=len(data.deals) - len(deals),
        n_backwards=int((deals["closed_at"] < deals["created_at"]).sum()),
        has_lost=has_lost,
        no_opening=no_opening,
        **speaks_for(data),
    )


def _n_days(data: Tables, span: str) -> float:
    first, stop = data.plan.bounds(getattr(data.comparison, span))
    return (stop - first) / pd.Timedelta(days=1)


def _inconclusive(verdicts: pd.Series) -> pd.Series:
    return verdicts.where(verdicts.isna(), stats.CANNOT_TELL)


def _in_pipeline(data: Tables, span: str) -> pd.DataFrame:
    """Deals open for some of a span: ages at which each `enters` and `leaves` it, how it `ends`."""
    first, stop = data.plan.bounds(getattr(data.comparison, span))
    deals = new_business(data)[["deal_id", "created_at", "closed_at", "outcome", "amount"]]
    closed = deals["closed_at"].where(deals["outcome"].isin(["won", "lost"]))
    closed = closed.where(closed.isna() | (closed >= deals["created_at"]), deals["created_at"])
    here = (deals["created_at"] < stop) & (closed.isna() | (closed >= first))
    deals, closed = deals[here], closed[here]
    begin = deals["created_at"].clip(lower=first)
    ends_here = closed < stop
    end = closed.where(ends_here, stop)
    return pd.DataFrame(
        {
            "deal_id": deals["deal_id"],
            "enters": in_days(begin - deals["created_at"]),
            "leaves": in_days(end - deals["created_at"]),
            "ends": deals["outcome"].where(ends_here, "open"),
            "amount": deals["amount"],
        }
    ).reset_index(drop=True)


def _figures(
    frame: pd.DataFrame, n_days: float, seed: int, draws: int
) -> tuple[Floats, Floats, pd.DataFrame]:
    """Figures of the deals, of each bootstrap sample, and the curve."""
    curve = pd.DataFrame({"days": pd.Series(dtype=float), "share": pd.Series(dtype=float)})
    if frame["ends"].eq("won").sum() < FEWEST_WINS:
        none = np.full(len(_FIGURES), np.nan)
        return none, np.full((draws, len(_FIGURES)), np.nan), curve
    frame = frame.sort_values("leaves", kind="stable")
    point = _weighted(frame, n_days, np.ones((1, len(frame))))
    at_once = max(1, _CELLS_AT_ONCE // len(frame))
    drawn = []
    for start in range(0, draws, at_once):
        weights = stats.resampled(np.ones(len(frame)), min(at_once, draws - start), seed + start)
        drawn.append(_weighted(frame, n_days, weights.astype(float)))
    won = np.floor(frame.loc[frame["ends"].eq("won"), "leaves"].to_numpy()).astype(int)
    share = np.cumsum(np.bincount(won)) / len(won)
    curve = pd.DataFrame({"days": np.arange(len(share), dtype=float), "share": share})
    return point[0], np.concatenate(drawn), curve


def _weighted(frame: pd.DataFrame, n_days: float, weights: Floats) -> Floats:
    """`_FIGURES` of deals ordered by age at leaving, for each row of weights; (draws, figures)."""
    is_won, is_lost = (frame["ends"].eq(end).to_numpy() for end in ("won", "lost"))
    amount, days = frame["amount"].to_numpy(float), frame["leaves"].to_numpy(float)
    n_won, n_closed = weights @ is_won, weights @ (is_won | is_lost)
    booked = weights @ np.where(is_won, np.nan_to_num(amount), 0.0)
    n_open = weights @ (days - frame["enters"].to_numpy(float)) / n_days
    figures = {
        "win_rate": _ratio(n_won, n_closed),
        "cycle_days": _medians(days[is_won], weights[:, is_won]),
        "avg_deal_size": _ratio(booked, weights @ (is_won & ~np.isnan(amount))),
        "n_open": n_open,
        "days_open": _ratio(weights @ np.where(is_won | is_lost, days, 0.0), n_closed),
        "bookings": booked / n_days,
    }
    value = n_open * figures["win_rate"] * figures["avg_deal_size"]
    figures["velocity"] = _ratio(value, figures["days_open"])
    return np.column_stack([figures[name] for name in _FIGURES])


def _medians(values: Floats, weights: Floats) -> Floats:
    """Median of ascending values for each row of whole weights; (draws,)."""
    upto = np.cumsum(weights, axis=1)
    middle = upto[:, -1:] / 2 if len(values) else np.zeros((len(weights), 1))
    lower, upper = ((upto < middle).sum(axis=1), (upto <= middle).sum(axis=1))
    known = upper < len(values)
    safe = np.append(values, np.nan)
    return np.where(known, (safe[lower] + safe[upper]) / 2, np.nan)


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)


def _agrees(frame: pd.DataFrame, n_days: float, point: Floats, drawn: Floats, level: float) -> bool:
    """Whether velocity differs from bookings by no more than deals still open explain."""
    of = dict(zip(_FIGURES, point, strict=True))
    place = [_FIGURES.index(name) for name in ("velocity", "bookings")]
    gap, of_draws = (each[..., place[0]] - each[..., place[1]] for each in (point, drawn))
    if not np.isfinite(gap) or abs(gap) <= stats.NARROW * abs(of["bookings"]):
        return True
    low, high = stats.percentiles(of_draws, level)
    was_open = frame["enters"].gt(0).sum()
    more_open = abs(int(frame["ends"].eq("open").sum()) - int(was_open))
    explained = more_open * of["win_rate"] * abs(of["avg_deal_size"]) / n_days
    return bool(low <= explained and high >= -explained)


def _with_interval(point: Floats, drawn: Floats, level: float) -> dict[str, float]:
    low, high = stats.percentiles(drawn, level)
    figures = {}
    for place, name in enumerate(_FIGURES):
        figures |= {
            name: float(point[place]),
            f"{name}_low": float(low[place]),
            f"{name}_high": float(high[place]),
        }
    return figures


def _change(rows: list[dict], found: dict[str, tuple], level: float) -> dict[str, object]:
    now, then = (found[name] for name in SPANS)
    # the spans are resampled independently, so their draws may be paired in any order
    change = _with_interval(now[0] - then[0], now[1] - then[1], level)
    counts = {name: rows[0][name] - rows[1][name] for name in ("n_deals", "n_won", "n_lost")}
    verdicts = {
        f"verdict_{short}": stats.verdict(
            change[f"{name}_low"],
            change[f"{name}_high"],
            stats.NARROW * abs(float(np.nan_to_num(then[0][_FIGURES.index(name)]))),
        )
        for short, name in (("cycle", "cycle_days"), ("velocity", "velocity"))
    }
    agrees = rows[0]["agrees"] and rows[1]["agrees"]
    return {"span": "change", **counts, **change, **verdicts, "agrees": agrees}
