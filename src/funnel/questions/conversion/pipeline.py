"""Won over closed deals, days that deals take to be won, and what the pipeline turns over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel import stats
from funnel.dataset.stages import NEW, new_business
from funnel.methods.ages import in_days
from funnel.methods.rates import rate
from funnel.results import Result, Stated, rows_of, speaks_for
from funnel.results.small_groups import SmallGroups
from funnel.stats.survival import NOTHING, cumulative_incidence

if TYPE_CHECKING:
    from funnel.contract.periods import Comparison
    from funnel.dataset import Tables

SPANS = ("period", "baseline")
DRAWS = 400
FEWEST_WINS = 10  # in a span, below which it has no cycle
_MOST_DAYS = 1_500  # of age; deals open for longer are cut to it
_FIGURES = ("win_rate", "cycle_days", "avg_deal_size", "velocity")
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
    `_high`: `win_rate` (0 to 1, of deals at the span's hazards), `cycle_days` (median days from
    opening to winning), `avg_deal_size` (mean won amount, currency) and `velocity` (currency a
    day); `verdict_cycle` and `verdict_velocity` on the row `change`.

    Attributes
    ----------
    curve
        Share won by `days` since the opening, one row per span and day.
    n_not_new
        Expansions and renewals, which are excluded.
    n_backwards
        Deals closed before they were opened; they count as closed on day 0.
    has_lost
        Whether any lost deal is recorded.
    """

    curve: pd.DataFrame
    n_not_new: int = 0
    n_backwards: int = 0
    has_lost: bool = True


def sales_cycle(data: Tables, *, draws: int = DRAWS) -> SalesCycle:
    """Days that deals take to be won, and what the pipeline turns over in a day.

    Parameters
    ----------
    draws
        Bootstrap samples of deals behind the intervals.

    Notes
    -----
    Every deal that was open for some of a span counts for the days of it in which it was. Of the
    deals open at an age, the share won and the share lost at that age in the span are hazards.
    They give the share of deals that would be won by each age if a deal spent its whole life in
    the span (Aalen-Johansen with late entry). So open deals count, old deals do not count twice,
    and a span's figures depend on that span's events alone. `cycle_days` is the age by which half
    of that share is won. `velocity` is deals in the pipeline x win rate x mean deal / cycle.
    Expansions and renewals, where deals are marked so, are excluded.

    References
    ----------
    Aalen and Johansen (1978), Scand. J. Statist. 5, 141-150; Andersen, Borgan, Gill and Keiding
    (1993), Statistical Models Based on Counting Processes, section IV.4.
    """
    spans = {name: _in_pipeline(data, name) for name in SPANS}
    found = {name: _figures(frame, data.plan.seed, draws) for name, frame in spans.items()}
    rows = []
    for name, frame in spans.items():
        rows.append(
            {"span": name, "n_deals": float(len(frame))}
            | {f"n_{end}": float(frame["ends"].eq(end).sum()) for end in ("won", "lost")}
            | _with_interval(*found[name][:2], data.plan.level)
        )
    rows.append(_change(rows, found, data.plan.level))
    deals = new_business(data)
    has_lost = deals.empty or bool(deals["outcome"].eq("lost").any())
    table = pd.DataFrame(rows)
    if not has_lost:  # nothing to divide by
        table[[f"{name}{end}" for name in ("win_rate", "velocity") for end in _ENDS]] = np.nan
        table["verdict_velocity"] = table["verdict_velocity"].where(
            table["verdict_velocity"].isna(), stats.CANNOT_TELL
        )
    curves = [found[name][2].assign(span=name) for name in SPANS]
    return SalesCycle(
        table=table,
        curve=pd.concat(curves, ignore_index=True),
        rows=pd.concat(
            [rows_of(name, "deals", frame["deal_id"]) for name, frame in spans.items()],
            ignore_index=True,
        ),
        units={
            "cycle_days": "days",
            "avg_deal_size": data.plan.company.currency,
            "velocity": f"{data.plan.company.currency} a day",
        },
        n_not_new=len(data.deals) - len(deals),
        n_backwards=int((deals["closed_at"] < deals["created_at"]).sum()),
        has_lost=has_lost,
        **speaks_for(data),
    )


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
    frame: pd.DataFrame, seed: int, draws: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], pd.DataFrame]:
    """Figures of the deals, of each bootstrap sample, and the curve."""
    none = np.full(len(_FIGURES), np.nan), np.full((draws, len(_FIGURES)), np.nan)
    curve = pd.DataFrame({"days": pd.Series(dtype=float), "share": pd.Series(dtype=float)})
    is_won = frame["ends"].eq("won").to_numpy()
    if is_won.sum() < FEWEST_WINS:
        return *none, curve
    days = [np.minimum(frame[name].to_numpy(), _MOST_DAYS) for name in ("enters", "leaves")]
    enters, leaves = (np.floor(each).astype(int) for each in days)
    n_days = int(leaves.max()) + 1
    cells = _Cells(frame, enters, leaves, is_won, n_days)
    point, share = cells.figures(np.ones((1, len(frame))))
    at_once = max(1, _CELLS_AT_ONCE // max(len(frame), n_days))
    drawn = []
    for start in range(0, draws, at_once):
        weights = stats.resampled(np.ones(len(frame)), min(at_once, draws - start), seed + start)
        drawn.append(cells.figures(weights.astype(float))[0])
    curve = pd.DataFrame({"days": np.arange(n_days, dtype=float), "share": share[0]})
    return point[0], np.concatenate(drawn), curve


@dataclass(frozen=True, eq=False)
class _Cells:
    """Deals by whole days of age, ready to be weighted."""

    frame: pd.DataFrame
    enters: NDArray[np.int64]
    leaves: NDArray[np.int64]
    is_won: NDArray[np.bool_]
    n_days: int

    def figures(self, weights: NDArray[np.float64]) -> tuple[NDArray, NDArray]:
        """Win rate, cycle, mean deal and velocity (draws, 4), and the curve (draws, days)."""
        is_lost = self.frame["ends"].eq("lost").to_numpy()
        entered, left = self._by_day(weights, self.enters), self._by_day(weights, self.leaves)
        won, lost = (self._by_day(weights * kind, self.leaves) for kind in (self.is_won, is_lost))
        # at risk on a day: deals that have entered by it, and have not left before it
        risk = np.cumsum(entered, axis=1) - np.cumsum(left, axis=1) + left
        (share, lost_share), _ = cumulative_incidence(risk, np.stack([won, lost]))
        final, lost_share = share[:, -1], lost_share[:, -1]
        closes = final + lost_share
        win_rate = np.divide(final, closes, out=np.full_like(final, np.nan), where=closes > 0)
        half = (share >= (final / 2 - NOTHING)[:, None]).argmax(axis=1)
        previous = np.take_along_axis(
            np.concatenate([np.zeros((len(share), 1)), share], axis=1), half[:, None], axis=1
        )[:, 0]
        step = np.take_along_axis(share, half[:, None], axis=1)[:, 0] - previous
        within = np.divide(final / 2 - previous, step, out=np.ones_like(step), where=step > 0)
        cycle = np.where(final > 0, half + np.clip(within, 0, 1), np.nan)
        amount = np.nan_to_num(self.frame["amount"].to_numpy(float)) * self.is_won
        priced = self.is_won & self.frame["amount"].notna().to_numpy()
        n_won = weights @ priced
        size = np.divide(weights @ amount, n_won, out=np.full_like(n_won, np.nan), where=n_won > 0)
        velocity = weights.sum(axis=1) * win_rate * size / cycle
        return np.column_stack([win_rate, cycle, size, velocity]), share

    def _by_day(self, weights: NDArray[np.float64], day: NDArray[np.int64]) -> NDArray:
        n_draws = len(weights)
        cell = (np.arange(n_draws)[:, None] * self.n_days + day[None, :]).ravel()
        counted = np.bincount(cell, weights.ravel(), n_draws * self.n_days)
        return counted.reshape(n_draws, self.n_days)


def _with_interval(
    point: NDArray[np.float64], drawn: NDArray[np.float64], level: float
) -> dict[str, float]:
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
    return {"span": "change", **counts, **change, **verdicts}
