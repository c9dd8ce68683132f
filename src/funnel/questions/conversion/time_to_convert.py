"""How long each step takes, and what share of closed deals is won by closing date."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.checks.text import sentence
from funnel.contract.plan import Company
from funnel.methods.ages import DAY, known, month_of, rows_named
from funnel.results import Result, Say, formats, speaks_for
from funnel.stats import wilson

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.dataset import Tables

_FEWEST = 5
_QUARTERS = {"q1_days": 0.25, "median_days": 0.5, "q3_days": 0.75}


@dataclass(frozen=True, eq=False, kw_only=True)
class TimeToConvert(Result):
    """How long those who move on take from stage to stage.

    `table` has one row per step (the last one is the whole way): `step`, `n_entered`, `n_moved`,
    `n_left`, `n_waiting` (neither, at the end of the data), `horizon_days` (how long a tenth of
    those who entered could be followed), `q1_days`, `median_days` with `median_days_low` and
    `median_days_high`, `q3_days`. Missing with fewer than five moves.
    """

    company: Company = field(default_factory=Company)

    @property
    def headline(self) -> str:
        """The median of the whole way."""
        known = self.table.dropna(subset="median_days") if len(self.table) else self.table
        if known.empty:
            return "Too few have moved on from any stage to say how long it takes."
        row = known.iloc[-1]
        days = [
            formats.number(row[name], self.company, digits=0 if row["median_days"] >= 10 else 1)
            for name in ("median_days", "median_days_low", "median_days_high")
        ]
        return (
            f"Half of those who get from {row['step']} take up to {days[0]} days "
            f"{formats.interval(days[1], days[2])}; "
            f"{formats.number(row['n_moved'], self.company)} did, and "
            f"{formats.number(row['n_waiting'], self.company)} have neither got there nor "
            "taken a final exit."
        )

    def shown(self) -> pd.DataFrame:
        """Give each step's median with its interval, the middle half, and who moved."""
        rows = [row for _, row in self.table.iterrows()]
        digits = [0 if row["median_days"] >= 10 else 1 for row in rows]
        return pd.DataFrame(
            {
                "step": self.table["step"].to_numpy(),
                "median days": [
                    formats.number_estimate(row, "median_days", self.company, digits=n)
                    for row, n in zip(rows, digits, strict=True)
                ],
                "middle half": [self._middle(row, n) for row, n in zip(rows, digits, strict=True)],
                "moved on": [self._moved(row) for row in rows],
                "still waiting": [formats.number(row["n_waiting"], self.company) for row in rows],
            }
        )

    def _moved(self, row: pd.Series) -> str:
        moved, entered = (
            formats.number(row[name], self.company) for name in ("n_moved", "n_entered")
        )
        return f"{moved} of{formats.NO_BREAK}{entered}"

    def _middle(self, row: pd.Series, digits: int) -> str:
        ends = [
            formats.number(row[name], self.company, digits=digits)
            for name in ("q1_days", "q3_days")
        ]
        return (
            formats.NOT_KNOWN
            if formats.NOT_KNOWN in ends
            else f"{ends[0]} to{formats.NO_BREAK}{ends[1]}"
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Median and quartiles by step."""
        from funnel.questions.conversion import charts

        return charts.times(self, ax)


@dataclass(frozen=True, eq=False, kw_only=True)
class WinRate(Result):
    """Won deals over closed ones, by closing date: a mixture of old and young deals.

    `table` has one row per span: `span` (`period`, `baseline` or `month`), `label`, `n_won`,
    `n_lost`, `win_rate` (0 to 1) with `win_rate_low`, `win_rate_high`.
    """

    company: Company = field(default_factory=Company)

    @property
    def headline(self) -> str:
        """The period's win rate beside the baseline's."""
        if self.table["n_lost"].sum() == 0:
            return "No lost deal is recorded, so a win rate by closing date cannot be told."
        now, then = (self.table[self.table["span"] == span].iloc[0] for span in _SPANS)
        return (
            f"Won of the deals closed: {self._said(now)} in the period, {self._said(then)} in the "
            "baseline."
        )

    def _said(self, row: pd.Series) -> str:
        n = formats.number(row["n_won"] + row["n_lost"], self.company)
        if np.isnan(row["win_rate"]):
            return f"not known (of {n})"
        rate, low, high = (
            formats.share(row[name], self.company, digits=1)
            for name in ("win_rate", "win_rate_low", "win_rate_high")
        )
        return f"{rate} {formats.interval(low, high)} of {n}"

    def shown(self) -> pd.DataFrame:
        """Give the period, the baseline and the newest months, newest first."""
        if self.table["n_lost"].sum() == 0:
            return pd.DataFrame()  # the headline says why
        months = self.table[self.table["span"] == "month"]
        spans = pd.concat([self.table[self.table["span"] != "month"], months[::-1]])
        rows = [row for _, row in spans.head(len(_SPANS) + _MONTHS_SHOWN).iterrows()]
        names = [row["label"] if row["span"] == "month" else _named(row) for row in rows]
        counted = {
            words: [formats.number(row[name], self.company) for row in rows]
            for words, name in (("won", "n_won"), ("lost", "n_lost"))
        }
        rates = [formats.share_estimate(row, "win_rate", self.company) for row in rows]
        return pd.DataFrame({"deals closed in": names, "won of closed": rates, **counted})

    def plot(self, ax: Axes | None = None) -> Axes:
        """Win rate by month of closing, with intervals."""
        from funnel.questions.conversion import charts

        return charts.win_rate(self, ax)


_SPANS = ("period", "baseline")
_MONTHS_SHOWN = 12


def _named(row: pd.Series) -> str:
    return f"{row['label']} ({'this period' if row['span'] == 'period' else 'baseline'})"


def time_to_convert(data: Tables) -> TimeToConvert:
    """Say how long each step takes, those still waiting taken into account.

    Parameters
    ----------
    data
        A company's tables.

    Notes
    -----
    Only leads created since both stages are recorded count. Time runs from the first entry into a
    stage to the first entry into the next. The cumulative
    incidence of moving on, with final exits as the competing event and the end of the data as
    censoring; a quartile is the time by which that share of the incidence at the horizon has
    come. The median's interval turns Wilson's interval of one half into times.

    References
    ----------
    Marubini and Valsecchi (1995), Analysing Survival Data, chapter 10, as in statsmodels'
    `CumIncidenceRight`.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> time_to_convert(Tables.of(leads=leads, as_of="2026-01-31")).headline
    'Too few have moved on from any stage to say how long it takes.'
    """
    frame, since = known(data)
    names = frame.attrs["stages"]
    pairs = list(itertools.pairwise(names))
    pairs += [(names[0], names[-1])] if len(pairs) > 1 else []
    columns = ["step", "n_entered", "n_moved", "n_left", "n_waiting", "horizon_days"]
    columns += ["q1_days", "median_days", "median_days_low", "median_days_high", "q3_days"]
    rows = []
    for start, end in pairs:
        late = [data.plan.midnight(since[s].covered_from) for s in (start, end) if s in since]
        covered = frame[frame["created_at"] >= max(late)] if late else frame
        rows.append(_step_time(covered, start, end, data.plan.level))
    return TimeToConvert(
        table=pd.DataFrame(rows, columns=columns),
        rows=rows_named("all", frame.attrs["unit"], frame["lead_id"]),
        units={"median_days": "days", "horizon_days": "days"},
        written_caveats=tuple(
            sentence(late, Say(data.plan.company, data.plan.level)) for late in since.values()
        ),
        **speaks_for(data),
    )


def _step_time(frame: pd.DataFrame, start: str, end: str, level: float) -> dict[str, object]:
    from statsmodels.duration.survfunc import CumIncidenceRight

    entered = frame[frame[f"{start}_at"].notna()]
    begin = (entered[f"{start}_at"] - entered["created_at"]).dt.total_seconds() / DAY
    watched = entered["follow_up"] - begin
    took = (entered[f"{end}_at"] - entered[f"{start}_at"]).dt.total_seconds() / DAY
    left = (entered["lost_age"] - begin).clip(lower=0)
    status = np.select([took.notna(), left.notna()], [1, 2], 0)
    time = took.fillna(left).fillna(watched).clip(lower=0)
    row: dict[str, object] = {
        "step": f"{start} to {end}",
        "n_entered": len(entered),
        "n_moved": int((status == 1).sum()),
        "n_left": int((status == 2).sum()),
        "n_waiting": int((status == 0).sum()),
        "horizon_days": float(watched.quantile(0.9)) if len(entered) else np.nan,
    }
    within = (status == 1) & (time.to_numpy() <= row["horizon_days"])
    if within.sum() < _FEWEST:
        return row
    with np.errstate(divide="ignore", invalid="ignore"):  # its errors, which are not used here
        fit = CumIncidenceRight(time.to_numpy(), status)
    upto = int(np.searchsorted(fit.times, row["horizon_days"], side="right"))
    share = fit.cinc[0][:upto] / fit.cinc[0][upto - 1]
    low, high = wilson(within.sum() / 2, within.sum(), level)
    wanted = _QUARTERS | {"median_days_low": float(low), "median_days_high": float(high)}
    for name, p in wanted.items():
        row[name] = float(fit.times[min(np.searchsorted(share, p - 1e-12), upto - 1)])
    return row


def win_rate(data: Tables) -> WinRate:
    """Give won over closed deals by closing date, for the two periods and by month.

    Parameters
    ----------
    data
        A company's tables.

    Notes
    -----
    Deals closed in one month were opened in many: this rate moves when old deals are cleared
    out, also where leads convert as ever. Compare with `conversion` before blaming anybody.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> deals = pd.DataFrame({"deal_id": ["D-1"], "created_at": ["2026-01-05"],
    ...     "outcome": ["won"], "closed_at": ["2026-01-06"]})
    >>> win_rate(Tables.of(deals=deals, as_of="2026-01-31")).headline
    'No lost deal is recorded, so a win rate by closing date cannot be told.'
    """
    closed = data.deals[data.deals["outcome"].isin(["won", "lost"])]
    closed = closed[["deal_id", "outcome", "closed_at"]].assign(
        month=month_of(closed["closed_at"], data.plan)
    )
    both = data.comparison
    spans = []
    for span, period in zip(_SPANS, (both.period, both.baseline), strict=True):
        inside = closed[data.plan.within(closed["closed_at"], period.start, period.after)]
        spans.append((span, period.label, inside))
    spans += [("month", str(month), inside) for month, inside in closed.groupby("month")]
    table = pd.DataFrame(
        {
            "span": [span for span, _, _ in spans],
            "label": [label for _, label, _ in spans],
            "n_won": [int((inside["outcome"] == "won").sum()) for _, _, inside in spans],
            "n_lost": [int((inside["outcome"] == "lost").sum()) for _, _, inside in spans],
        }
    )
    n = table["n_won"] + table["n_lost"]
    low, high = wilson(table["n_won"], n, data.plan.level)
    is_known = (n > 0) & (table["n_lost"].sum() > 0)
    table["win_rate"] = (table["n_won"] / n.where(n > 0)).where(is_known)
    table["win_rate_low"] = pd.Series(low, index=table.index).where(is_known)
    table["win_rate_high"] = pd.Series(high, index=table.index).where(is_known)
    rows = [
        rows_named(f"{span} {label}", "deals", inside["deal_id"]) for span, label, inside in spans
    ]
    return WinRate(
        table=table,
        rows=pd.concat(rows, ignore_index=True),
        units={"win_rate": "share of closed deals"},
        **speaks_for(data),
    )
