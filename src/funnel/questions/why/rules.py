"""Second guard: whether the rule for a stage changed, rather than who passes it."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.checks.thresholds import ThresholdChange, threshold_change
from funnel.contract.tables import TABLES, Kind
from funnel.dataset import stages
from funnel.questions.why.guard_findings import DOWN, FALSE_ALARMS, UP, Found, Looked
from funnel.questions.why.record_changes import points, span_of, when
from funnel.questions.why.stage_boundaries import moved_borders
from funnel.results import formats
from funnel.stats.change_points import Step, step_in_share

if TYPE_CHECKING:
    from funnel.dataset import Tables

_DAY = pd.Timedelta(days=1)
_SLOWEST_DAYS = 28
_SAME_TIME = 0.15  # a share of leads in two stages at once that counts as a new rule
_KEPT = 0.5  # of all leads' change: more than that beside the bar is not the bar's doing
_FEWEST = 60
_GRADES = {"D": 1.0, "C": 2.0, "B": 3.0, "A": 4.0}
_NUMBERS = (Kind.NUMBER, Kind.MONEY, Kind.COUNT)


@dataclass(frozen=True)
class Pair:
    """Two stages in a row, and who of those entering the first was in the second in time.

    `entered` has one row per lead that entered within the compared span and was seen for `days`
    after it: `lead_id`, `day`, `hit`, and `next_at`.
    """

    first: str
    second: str
    entered: pd.DataFrame
    days: float

    @property
    def name(self) -> str:
        """As the bridge's driver."""
        return f"{self.first} to {self.second}"


def look_at_rules(data: Tables) -> Looked:
    """Look for a moved bar, a moved border between two stages, and stages entered at once.

    Parameters
    ----------
    data
        A company's tables. With no more than two stages recorded there is no border to move.
    """
    frame = stages.reached(data)
    recorded = frame.attrs["stages"]
    pairs = [_pair(data, frame, *names) for names in itertools.pairwise(recorded)]
    columns = _columns(data)
    n_looks = len(columns) * max(len(pairs) - 1, 0) + 2 * max(len(pairs) - 1, 0)
    limit = FALSE_ALARMS / max(n_looks, 1)
    bars = [*_bars(data, pairs, columns, limit)]
    told = {driver for each in bars for driver, _ in each.explains}
    borders = [*moved_borders(data, frame, _strata(data, frame))]
    at_once = [*_at_once(data, frame, recorded, limit)]
    found = bars
    for each in (*borders, *at_once):
        names = {driver for driver, _ in each.explains}
        if not names <= told:
            found.append(each)
            told |= names
    return Looked(tuple(found), max((len(p.entered) for p in pairs), default=0), n_looks)


def _pair(data: Tables, frame: pd.DataFrame, first: str, second: str) -> Pair:
    begin, after = (pd.Timestamp(data.plan.midnight(day)) for day in span_of(data))
    end = pd.Timestamp(data.plan.midnight(data.as_of + dt.timedelta(days=1)))
    at, next_at = frame[f"{first}_at"], frame[f"{second}_at"]
    here = (at >= begin) & (at < after)
    waits = (next_at - at)[here & next_at.notna()]
    days = min(waits.quantile(0.9) / _DAY, _SLOWEST_DAYS) if len(waits) else _SLOWEST_DAYS
    here &= at < end - days * _DAY
    rows = frame[here]
    zone = data.plan.company.timezone
    entered = pd.DataFrame(
        {
            "lead_id": rows["lead_id"],
            "day": at[here].dt.tz_convert(zone).dt.tz_localize(None).dt.normalize(),
            "hit": (next_at[here] - at[here] <= days * _DAY).astype(float),
            "stratum": _strata(data, rows),
        }
    )
    return Pair(first, second, entered, float(days))


def _strata(data: Tables, rows: pd.DataFrame) -> pd.Series:
    """Give each lead the segments of the plan that are rarely blank, so that mix moves no rate."""
    names = [name for name in data.plan.segments if name in rows]
    kept = [name for name in names if rows[name].notna().mean() > 0.5]
    text = pd.Series("", index=rows.index)
    for name in kept:
        text = text + "/" + rows[name].astype("str").fillna("")
    return text


def _counts(entered: pd.DataFrame, by: str = "stratum") -> pd.DataFrame:
    grouped = entered.groupby(["day", by])["hit"].agg(n="size", k="sum").reset_index()
    return grouped.rename(columns={by: "stratum"})


def _columns(data: Tables) -> list[str]:
    """Name the columns of leads that a bar could be set on."""
    contract = [c.name for c in TABLES["leads"].columns if c.kind in _NUMBERS]
    frame = data.leads
    own = [
        name
        for name in frame
        if name not in TABLES["leads"].by_name and pd.api.types.is_numeric_dtype(frame[name])
    ]
    filled = [n for n in (*contract, "grade", *own) if n in frame and frame[n].notna().mean() > 0.5]
    return [name for name in filled if frame[name].nunique() > 2]


def _bars(data: Tables, pairs: list[Pair], columns: list[str], limit: float) -> Iterator[Found]:
    """Find for each pair the bar that moved, on the column that shows it most."""
    leads = data.leads.set_index("lead_id")
    told: set[str] = set()
    for place, pair in enumerate(pairs[:-1]):
        if pair.name in told:
            continue  # its leads are others since the bar before it moved
        best: tuple[ThresholdChange, str] | None = None
        for column in columns:
            values = leads[column].reindex(pair.entered["lead_id"])
            values = values.map(_GRADES) if column == "grade" else values.astype(float)
            entered = pair.entered.assign(value=values.to_numpy()).dropna(subset="value")
            if len(entered) < _FEWEST:
                continue
            bar = threshold_change(entered, limit=limit, seed=data.plan.seed)
            if bar and (best is None or bar.z > best[0].z):
                best = bar, column
        if best:
            moved = _moved_bar(data, pair, pairs[place + 1 :], *best)
            told |= {pair.name, pairs[place + 1].name} | {name for name, _ in moved.explains}
            yield moved


def _moved_bar(
    data: Tables, pair: Pair, following: list[Pair], bar: ThresholdChange, column: str
) -> Found:
    company, ways = data.plan.company, (UP, DOWN) if bar.after > bar.before else (DOWN, UP)
    ends = [_bound(data, column, end) for end in (bar.low, bar.high)]
    like = "above" if bar.after > bar.before else "below"
    leads = data.leads.set_index("lead_id")
    explains, beyond = [], []
    for each, way in ((pair, ways[0]), *((later, ways[1]) for later in following)):
        values = leads[column].reindex(each.entered["lead_id"])
        values = (values.map(_GRADES) if column == "grade" else values.astype(float)).to_numpy()
        is_outside = ~((values >= bar.low) & (values < bar.high))
        moved = _change(each.entered, bar.day)
        beside = _change(each.entered[is_outside], bar.day)
        # what most leads do that the bar never touched is not the bar's doing
        if (moved > 0) != (way == UP) or abs(beside) > _KEPT * abs(moved):
            beyond += [each.name] * (each in (pair, following[0]))
        else:
            explains.append((each.name, way))
    says = (
        f"From {formats.day(bar.day, company)} on, leads with {column} from {ends[0]} to under "
        f"{ends[1]} enter {pair.second} like those {like} it: "
        f"{formats.share(bar.after, company)} of {formats.number(bar.n_after, company)}, and "
        f"{formats.share(bar.before, company)} of {formats.number(bar.n_before, company)} before "
        f"({_between(data, bar.low_change, bar.high_change)} points)."
    )
    if beyond:
        says += f" Beside it, leads of other values moved too: {', '.join(beyond)}."
    n = bar.n_after + bar.n_before
    return Found("definition", says, bar.day, tuple(explains), (), n, bar.p_value)


def _change(entered: pd.DataFrame, day: dt.date) -> float:
    """Change of the share that goes on, from a day on against before."""
    is_after = entered["day"] >= pd.Timestamp(day)
    if is_after.all() or not is_after.any():
        return 0.0
    return float(entered.loc[is_after, "hit"].mean() - entered.loc[~is_after, "hit"].mean())


def _bound(data: Tables, column: str, value: float) -> str:
    if column == "grade":
        return next((g for g, number in _GRADES.items() if number >= value), "A+")
    return formats.number(value, data.plan.company)


def _between(data: Tables, low: float, high: float) -> str:
    ends = [
        formats.number(100 * end, data.plan.company, digits=1, sign=True) for end in (low, high)
    ]
    return formats.interval(*ends)


def _at_once(
    data: Tables, frame: pd.DataFrame, recorded: tuple[str, ...], limit: float
) -> Iterator[Found]:
    """Find stages that leads skip, or enter together with the next, from a day on."""
    begin, after = (pd.Timestamp(data.plan.midnight(day)) for day in span_of(data))
    zone = data.plan.company.timezone
    for earlier, stage, following in zip(recorded, recorded[1:], recorded[2:], strict=False):
        at, next_at = frame[f"{stage}_at"], frame[f"{following}_at"]
        here = (next_at >= begin) & (next_at < after)
        counts = pd.DataFrame(
            {
                "day": next_at[here].dt.tz_convert(zone).dt.tz_localize(None).dt.normalize(),
                "hit": (at[here] == next_at[here]).astype(float),
                "stratum": "",
            }
        )
        step: Step | None = step_in_share(_counts(counts), data.plan.level)
        if not step or step.p_value > limit or abs(step.change) < _SAME_TIME:
            continue
        company = data.plan.company
        ways = (DOWN, UP) if step.change > 0 else (UP, DOWN)
        says = (
            f"{formats.share(step.after, company)} of leads that enter {following} skip {stage} or "
            f"enter it at the same moment {when(data, step)}; {formats.share(step.before, company)}"
            f" did before, {points(data, step)} over {formats.number(step.n, company)} leads."
        )
        yield Found(
            "definition", says, None if step.is_gradual else step.day,
            ((f"{earlier} to {stage}", ways[0]), (f"{stage} to {following}", ways[1])), (),
            step.n, step.p_value,
        )  # fmt: skip
