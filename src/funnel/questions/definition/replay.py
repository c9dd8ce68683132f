"""The bar replayed: at every other bar, the leads passed, sales' load, wins kept and lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.contract.errors import ParameterError
from funnel.contract.plan import Company
from funnel.methods.qualification.handoff import hand_over
from funnel.methods.qualification.leads import matured
from funnel.questions.definition.leakage import set_aside
from funnel.questions.definition.threshold_changes import bar_moves
from funnel.questions.definition.thresholds import bar_words, best_bar, numbers_of
from funnel.results import Result, formats, no_rows, rows_of
from funnel.stats import poisson_interval, wilson

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.dataset import Tables

REPLAYED, CANNOT_TELL = "replayed", "cannot tell"
_LONGEST_DAYS = 730
_FEWEST_WON = 20
_SHARP = 0.4  # of shares passed above and below: less is no bar
_BELOW, _ABOVE = 4, 14
_QUARTER_LESS = 0.75
_DAY = pd.Timedelta(days=1)


@dataclass(frozen=True, eq=False, kw_only=True)
class BarReplay(Result):
    """What recorded outcomes say of other bars than the one that was in force.

    `table` has one row per bar, from low to high: `bar`, `is_now` (the one in force), `n_passed`
    (leads from it up), `n_tried` (those of them that were handed over, and so have an outcome),
    `per_week` (leads passed a week), `wins_kept` and `wins_lost` of the recorded ones, with
    `wins_lost_low`, `wins_lost_high`; `kept_share` with `kept_share_low`, `kept_share_high`;
    `win_rate` of those tried with its interval; `amount_kept`, `amount_lost` (currency); `state`:
    `replayed`, or `cannot tell` below the bar in force, where leads were never handed over and
    nobody knows what would have become of them.
    """

    company: Company = field(default_factory=Company)
    column: str = "score"
    why: str = ""
    now: float = float("nan")
    now_words: str = ""
    days: float = float("nan")

    @property
    def headline(self) -> str:
        """What a bar with about a quarter less load would have kept, and what cannot be told."""
        if self.why:
            return f"Other bars cannot be replayed: {self.why}."
        higher = self.table[(self.table["bar"] > self.now)]
        now = self.table[self.table["is_now"]].iloc[0]
        begin = f"The bar on {self.column} was {self.now_words}"
        number = self._number
        says = f"{begin}, with {number(now['per_week'])} leads a week"
        if len(higher):
            gap = (higher["per_week"] / now["per_week"] - _QUARTER_LESS).abs()
            row = higher.loc[gap.idxmin()]
            low, high = (
                formats.number(100 * row[f"kept_share_{end}"], self.company)
                for end in ("low", "high")
            )
            says += (
                f"; from {row['bar_words']} up it would have been {number(row['per_week'])}, with "
                f"{formats.share(row['kept_share'], self.company)} "
                f"{formats.interval(low, high)} of the {number(now['wins_kept'])} recorded wins"
            )
        return (
            f"{says}; what leads below {self.now_words} would have brought cannot be told, since "
            "they were not handed over."
        )

    def _number(self, value: float) -> str:
        return formats.number(value, self.company)

    def shown(self) -> pd.DataFrame:
        """Give each bar with its load and the wins it keeps."""
        each = [row for _, row in self.table.iterrows()]
        return pd.DataFrame(
            {
                f"bar on {self.column}": [
                    row["bar_words"] + " (in force)" * row["is_now"] for row in each
                ],
                "leads a week": [
                    formats.number(row["per_week"], self.company, digits=1) for row in each
                ],
                "recorded wins kept": [self._kept(row) for row in each],
                "won, of those handed over": [
                    formats.share_estimate(row, "win_rate", self.company, of="n_tried")
                    for row in each
                ],
                "wins lost": [self._lost(row) for row in each],
                "won amount lost": [self._amount(row) for row in each],
            }
        )

    def _kept(self, row: pd.Series) -> str:
        if row["state"] == CANNOT_TELL:
            more = self._number(row["n_passed"] - row["n_tried"])
            return f"cannot tell: {more} more leads, none handed over"
        return formats.share_estimate(row, "kept_share", self.company, digits=0)

    def _lost(self, row: pd.Series) -> str:
        if row["state"] == CANNOT_TELL:
            return ""
        return formats.number_estimate(row, "wins_lost", self.company)

    def _amount(self, row: pd.Series) -> str:
        if row["state"] == CANNOT_TELL:
            return ""
        return formats.money(row["amount_lost"], self.company)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw wins kept against sales' load, bar by bar."""
        from funnel.questions.definition import charts

        return charts.bar_replay(self, ax)


def bar_replay(data: Tables, column: str = "score") -> BarReplay:
    """Replay recorded outcomes at every other bar on the score, or on the grade.

    Parameters
    ----------
    data
        A company's tables.
    column
        `score`, `grade`, or another column of leads that holds numbers.

    Raises
    ------
    ParameterError
        If leads have no such column, or it holds words.

    Notes
    -----
    Leads are matured ones of up to two years, since the bar last moved. The bar in force is the
    value that parts those handed over from the others most sharply; where nothing parts them, leads
    are not handed over by it, and there is no bar to replay. Leads handed over from below it came
    another way and are left out. It is a replay and no forecast: with fewer leads, sales may do
    better or worse with each.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> bar_replay(Tables.of(leads=leads, as_of="2026-01-31")).headline
    'Other bars cannot be replayed: no score is filled.'
    """
    _check_column(data, column)
    chosen, why = _leads(data, column)
    value, now = chosen["value"].to_numpy(float), float("nan")
    if not why:
        now, sharpness = best_bar(value, chosen["had_a_chance"].to_numpy(bool))
        if not sharpness >= _SHARP:
            why = f"leads are not handed over by a bar on {column}"
    if why:
        chosen = chosen.iloc[:0]
    other_way = chosen["had_a_chance"] & (chosen["value"] < now)
    n_other = int(other_way.sum())
    chosen = chosen[~other_way]
    created = chosen["created_at"]
    weeks = max((created.max() - created.min()) / _DAY / 7, 1.0) if len(chosen) else 1.0
    table = [_row(data, column, chosen, bar, now, weeks) for bar in _bars(chosen["value"], now)]
    return BarReplay(
        table=pd.DataFrame(table, columns=_COLUMNS),
        as_of=data.as_of,
        rows=rows_of("all", "leads", chosen["lead_id"]) if len(chosen) else no_rows(),
        units={"per_week": "leads", "amount_lost": data.plan.company.currency},
        level=data.plan.level,
        written_caveats=() if why else _caveats(data, chosen, n_other, column),
        company=data.plan.company,
        column=column,
        why=why,
        now=now,
        now_words="" if why else bar_words(data, column, now),
        days=matured(data).attrs["days"],
    )


_COLUMNS = [
    *("bar", "bar_words", "is_now", "state", "n_passed", "n_tried", "per_week"),
    *("wins_kept", "kept_share", "kept_share_low", "kept_share_high"),
    *("wins_lost", "wins_lost_low", "wins_lost_high", "win_rate", "win_rate_low", "win_rate_high"),
    *("amount_kept", "amount_lost"),
]


def _check_column(data: Tables, column: str) -> None:
    leads = data.leads
    if column not in leads or not (
        column == "grade" or pd.api.types.is_numeric_dtype(leads[column])
    ):
        numbers = [name for name in leads if pd.api.types.is_numeric_dtype(leads[name])]
        raise ParameterError(
            f"bar_replay: column={column!r} must be `grade` or a number of leads; there are "
            f"{', '.join(numbers)}."
        )


def _leads(data: Tables, column: str) -> tuple[pd.DataFrame, str]:
    """Matured leads with their value, of one bar; and why there are none."""
    old, company = matured(data), data.plan.company
    nothing = old.iloc[:0].assign(value=pd.Series(dtype=float))
    if data.leads.empty or not data.has("leads", column):
        return nothing, f"no {column} is filled"
    if old.attrs["why"]:
        return nothing, old.attrs["why"]
    if not hand_over(data).is_known:
        return nothing, "no hand-over is recorded"
    late = [each.says for each in set_aside(data) if each.column == column]
    if late:
        return nothing, late[0].rstrip(".")
    old = old.assign(value=numbers_of(data, column, old["lead_id"])).dropna(subset="value")
    recent = old[old["created_at"] >= old["created_at"].max() - _LONGEST_DAYS * _DAY]
    for day in _moved_on(data, column)[::-1]:
        since = recent[recent["created_at"] >= day]
        enough = since["won"].sum() >= _FEWEST_WON
        recent = since if enough else recent[recent["created_at"] < day]
        if enough:
            break
    n_won = int(recent["won"].sum())
    if n_won < _FEWEST_WON:
        won = formats.number(n_won, company)
        return nothing, f"{won} matured leads with a {column} were won under one bar"
    return recent, ""


def _moved_on(data: Tables, column: str) -> list[pd.Timestamp]:
    moves = bar_moves(data).table
    own = moves[(moves["column"] == column) & moves["step"].str.startswith("lead to")]
    return [pd.Timestamp(data.plan.midnight(day)) for day in own["day"]]


def _bars(values: pd.Series, now: float) -> list[float]:
    """Choose bars to replay, each about as many leads from the next: few below the one in force."""
    bars: set[float] = {now} if len(values) else set()
    for side, most in ((values[values < now], _BELOW), (values[values >= now], _ABOVE)):
        levels = np.unique(side)
        if len(levels) > most:
            share = np.linspace(0, 1, most + 1)[:-1]
            levels = np.unique(np.quantile(side, share, method="inverted_cdf"))
        bars |= set(levels.tolist())
    return sorted(bars)


def _row(
    data: Tables, column: str, leads: pd.DataFrame, bar: float, now: float, weeks: float
) -> dict[str, object]:
    passed = leads["value"] >= bar
    tried = passed & leads["had_a_chance"]
    won = leads["won"] & (leads["value"] >= now)
    kept, lost = int((won & passed).sum()), int((won & ~passed).sum())
    n_tried, all_wins, level = int(tried.sum()), int(won.sum()), data.plan.level
    kept_ends = wilson(kept, all_wins, level)
    lost_ends = poisson_interval(lost, level)
    rate_ends = wilson(kept, n_tried, level) if n_tried else (np.nan, np.nan)
    return {
        "bar": bar,
        "bar_words": bar_words(data, column, bar),
        "is_now": bar == now,
        "state": REPLAYED if bar >= now else CANNOT_TELL,
        "n_passed": int(passed.sum()),
        "n_tried": n_tried,
        "per_week": float(passed.sum() / weeks),
        "wins_kept": kept,
        "kept_share": kept / all_wins if all_wins else np.nan,
        "kept_share_low": float(kept_ends[0]),
        "kept_share_high": float(kept_ends[1]),
        "wins_lost": lost,
        "wins_lost_low": float(lost_ends[0]),
        "wins_lost_high": float(lost_ends[1]),
        "win_rate": kept / n_tried if n_tried else np.nan,
        "win_rate_low": float(rate_ends[0]),
        "win_rate_high": float(rate_ends[1]),
        "amount_kept": float(leads.loc[won & passed, "amount"].sum()),
        "amount_lost": float(leads.loc[won & ~passed, "amount"].sum()),
    }


def _caveats(data: Tables, leads: pd.DataFrame, n_other: int, column: str) -> tuple[str, ...]:
    company, zone = data.plan.company, data.plan.company.timezone
    ends = [
        formats.day(moment.tz_convert(zone).date(), company)
        for moment in (leads["created_at"].min(), leads["created_at"].max())
    ]
    says = [
        f"A replay of the outcomes recorded for leads created from {ends[0]} to {ends[1]}, "
        f"each by {formats.number(matured(data).attrs['days'], company)} days of age. With fewer "
        "leads, sales may do better or worse with each: that is no part of it."
    ]
    if n_other:
        says.append(
            f"{formats.number(n_other, company)} leads were handed over from below the bar; they "
            "came another way and are left out."
        )
    return tuple(says)
