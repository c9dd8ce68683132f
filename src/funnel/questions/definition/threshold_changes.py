"""Bars that moved in the past: found, dated and named by what followed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.checks import ThresholdChange, threshold_change
from funnel.contract.plan import Company
from funnel.dataset.cache import cached
from funnel.methods.qualification.handoff import hand_over, leads_with_moments
from funnel.methods.qualification.leads import matured
from funnel.questions.definition.columns import candidates, is_number
from funnel.questions.definition.leakage import set_aside
from funnel.questions.definition.thresholds import (
    FEWEST,
    Step,
    bar_words,
    best_bar,
    numbers_of,
    steps_of,
)
from funnel.results import Result, formats, no_rows, rows_of
from funnel.stats import MOVED, NARROW, Verdict, difference_of_rates, verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.dataset import Tables

LOWERED, RAISED = "lowered", "raised"
_WINDOW_DAYS, _STEP_DAYS = 182, 91  # each day lies in the middle half of some window
_FALSE_ALARMS = 0.05
_RAREST = 0.0004  # what so many shuffles can still show
_SAME_DAYS = 21
_DAY = pd.Timedelta(days=1)


@dataclass(frozen=True, eq=False, kw_only=True)
class BarMoves(Result):
    """Bars that moved, and what was seen before and after.

    `table` has one row per move, the earliest first: `column` (what the bar is set on), `step`
    (`lead to mql`, or `mql to sal`), `day`, `move` (`lowered` or `raised`), `bar_before`,
    `bar_after`, `p_value`; then for leads created up to a quarter before and after, for `passed`
    (share of leads that pass the step in time), `accepted` (share of these that pass the next one
    in time) and `won` (share of leads won by the same age): `<x>_before`, `<x>_after`,
    `<x>_change_low`, `<x>_change_high`, `<x>_verdict`; and `says`.
    """

    company: Company = field(default_factory=Company)
    why: str = ""
    n_looks: int = 0

    @property
    def headline(self) -> str:
        """The latest move, or that none is seen."""
        if self.why:
            return f"Whether a bar moved cannot be told: {self.why}."
        if self.table.empty:
            looks = formats.number(self.n_looks, self.company)
            return f"No bar is seen to have moved, in {looks} looks at columns and half-years."
        says = self.table["says"].iloc[-1]
        n = len(self.table)
        more = f" {formats.number(n - 1, self.company)} earlier ones were found." if n > 1 else ""
        return says + more

    def shown(self) -> pd.DataFrame:
        """Give each move with its day and what followed."""
        each = [row for _, row in self.table.iterrows()]
        return pd.DataFrame(
            {
                "from": [formats.day(row["day"], self.company) for row in each],
                "bar": [
                    f"{row['column']}: {row['move']} from {row['bar_before']} to {row['bar_after']}"
                    for row in each
                ],
                "passed": [self._change(row, "passed") for row in each],
                "accepted": [self._change(row, "accepted") for row in each],
                "won": [self._change(row, "won") for row in each],
            }
        )

    def _change(self, row: pd.Series, name: str) -> str:
        if np.isnan(row[f"{name}_before"]) or np.isnan(row[f"{name}_after"]):
            return "cannot tell"
        shares = [
            formats.share(row[f"{name}_{when}"], self.company, digits=1)
            for when in ("before", "after")
        ]
        ends = (
            formats.number(100 * row[f"{name}_change_{end}"], self.company, digits=1, sign=True)
            for end in ("low", "high")
        )
        return f"{' to '.join(shares)} {formats.interval(*ends)}"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the share passed by week, and each move."""
        from funnel.questions.definition import charts

        return charts.bar_moves(self, ax)

    weekly: pd.DataFrame = field(default_factory=pd.DataFrame)


@cached
def bar_moves(data: Tables) -> BarMoves:
    """Find bars that moved since the records begin, date them, and name what followed.

    Looked at are the hand-over and the acceptance, on every number that leads have and on the
    grade, in half-years that overlap by half.

    Parameters
    ----------
    data
        A company's tables. Columns that seem to be written after the outcome are left out.

    Notes
    -----
    Each look is that of the definition guard (`funnel.checks.threshold_change`): a band of values
    that was let through on one side of a day and not on the other, while elsewhere little changed.
    Wins are compared at the age that the later leads have reached, and not at all where they
    are too young for half of the wins to have come.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> bar_moves(Tables.of(leads=leads, as_of="2026-01-31")).headline
    'Whether a bar moved cannot be told: no hand-over is recorded.'
    """
    way = hand_over(data)
    why = "" if way.is_known else "no hand-over is recorded"
    late = {each.column for each in set_aside(data)} if way.is_known else set()
    names = [name for name in candidates(data) if name not in late] if way.is_known else []
    names = [name for name in names if name == "grade" or is_number(data, name)]
    if way.is_known and not names:
        why = "leads have neither a number nor a grade that a bar could be set on"
    steps = () if why else steps_of(data)
    windows = [] if why else _windows(data)
    n_looks = len(names) * len(steps) * len(windows)
    limit = max(_FALSE_ALARMS / max(n_looks, 1), _RAREST)
    found: list[tuple[ThresholdChange, str, Step]] = []
    for step in steps:
        for name in names:
            values = numbers_of(data, name, step.entered["lead_id"])
            known = step.entered.assign(value=values).dropna(subset="value")
            for begin, after in windows:
                here = known[(known["day"] >= begin) & (known["day"] < after)]
                if len(here) < FEWEST or here["value"].nunique() < 3:
                    continue
                bar = threshold_change(here, limit=limit, seed=data.plan.seed)
                if bar is not None:
                    found.append((bar, name, step))
    told = [_told(data, *each) for each in _distinct(found)]
    told.sort(key=lambda row: (row["day"], row["step"]))
    rows = [rows_of(f"{row['column']}, {row['day']}", "leads", row.pop("ids")) for row in told]
    return BarMoves(
        table=pd.DataFrame(told, columns=_COLUMNS),
        as_of=data.as_of,
        rows=pd.concat(rows, ignore_index=True) if rows else no_rows(),
        units={f"{name}_{when}": "share" for name in _FIGURES for when in ("before", "after")},
        level=data.plan.level,
        company=data.plan.company,
        why=why,
        n_looks=n_looks,
        weekly=_weekly(steps[0].entered) if steps else pd.DataFrame(columns=["week", "n", "share"]),
    )


_FIGURES = ("passed", "accepted", "won")
_COLUMNS = [
    *("column", "step", "day", "move", "bar_before", "bar_after", "p_value"),
    *(
        f"{name}_{what}"
        for name in _FIGURES
        for what in ("before", "after", "change_low", "change_high", "verdict")
    ),
    "says",
]


def _windows(data: Tables) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """Half-years that overlap by half, the last ending with the data."""
    first = leads_with_moments(data)["created_at"].min().tz_localize(None).normalize()
    windows = []
    after = pd.Timestamp(data.as_of) + _DAY
    while after > first + _STEP_DAYS * _DAY:
        windows.append((after - _WINDOW_DAYS * _DAY, after))
        after -= _STEP_DAYS * _DAY
    return windows[::-1]


def _distinct(
    found: list[tuple[ThresholdChange, str, Step]],
) -> list[tuple[ThresholdChange, str, Step]]:
    """Of moves of one step on about one day, keep the one that stands out most.

    A later step that moved within a quarter of an earlier one is left out: its leads are others
    since the bar before it moved.
    """
    kept: list[tuple[ThresholdChange, str, Step]] = []
    for each in sorted(found, key=lambda each: -each[0].z):
        same = (
            abs((each[0].day - other[0].day).days) <= _SAME_DAYS and each[2] is other[2]
            for other in kept
        )
        if not any(same):
            kept.append(each)
    return [
        each
        for each in kept
        if not any(
            other[2].second == each[2].first
            and abs((each[0].day - other[0].day).days) <= _STEP_DAYS
            for other in kept
        )
    ]


def _told(data: Tables, bar: ThresholdChange, name: str, step: Step) -> dict[str, object]:
    """Say how a bar moved, and what was seen of the leads before and after."""
    day = pd.Timestamp(bar.day)
    near = step.entered["day"].sub(day).abs() <= _STEP_DAYS * _DAY
    here = step.entered[near]
    is_after = (here["day"] >= day).to_numpy()
    values, hit = numbers_of(data, name, here["lead_id"]), here["hit"].to_numpy(bool)
    known = ~np.isnan(values)
    bars = [best_bar(values[known & side], hit[known & side])[0] for side in (~is_after, is_after)]
    move = LOWERED if bar.after > bar.before else RAISED
    if np.isnan(bars).any() or (bars[1] < bars[0]) != (move == LOWERED):
        bars = [bar.high, bar.low] if move == LOWERED else [bar.low, bar.high]
    row: dict[str, object] = {
        "column": name,
        "step": step.name,
        "day": bar.day,
        "move": move,
        "bar_before": bar_words(data, name, bars[0]),
        "bar_after": bar_words(data, name, bars[1]),
        "p_value": bar.p_value,
        "ids": here["lead_id"],
    }
    for figure, (hits, counted) in {
        "passed": (hit, np.ones(len(here), dtype=bool)),
        "accepted": _next_step(data, step, here, hit),
        "won": _wins(data, here, is_after),
    }.items():
        row |= _compared(figure, hits, counted, is_after, data.plan.level)
    return row | {"says": _says(data, row, step)}


Pair = tuple[NDArray[np.bool_], NDArray[np.bool_]]


def _next_step(data: Tables, step: Step, here: pd.DataFrame, hit: NDArray[np.bool_]) -> Pair:
    """Of those that passed, and long enough ago: who passed the next step in time."""
    way, nobody = hand_over(data), np.zeros(len(here), dtype=bool)
    if step.second != way.stage or way.decision_days != way.decision_days:
        return nobody, nobody
    frame = leads_with_moments(data).set_index("lead_id").loc[here["lead_id"]]
    waited = (frame["handed_at"] - frame["created_at"]) / _DAY + way.decision_days
    took = (frame["accepted_at"] - frame["handed_at"]) / _DAY
    counted = hit & (frame["age_days"] >= waited).to_numpy(bool)
    return (took <= way.decision_days).to_numpy(bool), counted


def _wins(data: Tables, here: pd.DataFrame, is_after: NDArray[np.bool_]) -> Pair:
    """Who was won by the age that four in five of the later leads have reached."""
    from funnel import checks

    nobody = np.zeros(len(here), dtype=bool)
    full_age = matured(data).attrs["days"]
    if np.isnan(full_age) or not is_after.any():
        return nobody, nobody
    followed = checks.times_to(data, "won").set_index("id").loc[here["lead_id"]]
    age = leads_with_moments(data).set_index("lead_id").loc[here["lead_id"], "age_days"]
    days = min(full_age, float(age[is_after].quantile(0.2)))
    half = checks.maturity(data).quantiles.set_index("share")["days"].get(0.5, np.nan)
    if not days >= half:
        return nobody, nobody
    won = followed["happened"].to_numpy(bool) & (followed["age_days"].to_numpy() <= days)
    return won, (age >= days).to_numpy(bool)


def _compared(
    name: str,
    hit: NDArray[np.bool_],
    counted: NDArray[np.bool_],
    is_after: NDArray[np.bool_],
    level: float,
) -> dict[str, object]:
    n1, n0 = int((counted & is_after).sum()), int((counted & ~is_after).sum())
    k1, k0 = int((hit & counted & is_after).sum()), int((hit & counted & ~is_after).sum())
    low, high = difference_of_rates(k1, n1, k0, n0, level) if n1 and n0 else (np.nan, np.nan)
    before = k0 / n0 if n0 else np.nan
    return {
        f"{name}_before": before,
        f"{name}_after": k1 / n1 if n1 else np.nan,
        f"{name}_change_low": float(low),
        f"{name}_change_high": float(high),
        f"{name}_verdict": verdict(low, high, NARROW * before if n1 and n0 else 0.0),
    }


def _says(data: Tables, row: dict[str, object], step: Step) -> str:
    company = data.plan.company
    begin = (
        f"From {formats.day(row['day'], company)} on, the bar for {step.second} on "
        f"{row['column']} was {row['move']} from {row['bar_before']} to {row['bar_after']}"
    )
    return f"{begin}: {', '.join(_followed(row))}."


def _followed(row: dict[str, object]) -> list[str]:
    """Name what was seen: more or fewer passed, accepted, won."""
    parts = []
    for name, same in (("passed", "as many passed"), ("accepted", "as many accepted")):
        parts += _more_or_fewer(row, name, same)
    parts += _more_or_fewer(row, "won", "wins the same")
    return parts


def _more_or_fewer(row: dict[str, object], name: str, same: str) -> list[str]:
    found: Verdict = row[f"{name}_verdict"]
    low, high = row[f"{name}_change_low"], row[f"{name}_change_high"]
    if np.isnan(low):
        return ["what it did to wins cannot be told yet"] if name == "won" else []
    noun = "wins" if name == "won" else name
    if found == MOVED:
        more = "more" if low > 0 else "fewer"
        return [f"{more} {noun}"]
    words = same if found == "did not move" else f"{same} as far as can be seen"
    points = formats.interval(*(f"{100 * end:+.1f}" for end in (low, high)))
    return [f"{words} {points}" + " points" * (name == "won")]


def _weekly(entered: pd.DataFrame) -> pd.DataFrame:
    """Share passed by week of entry."""
    week = entered["day"].dt.to_period("W").dt.start_time
    weekly = entered.groupby(week)["hit"].agg(n="size", share="mean").reset_index()
    return weekly.rename(columns={"day": "week"})
