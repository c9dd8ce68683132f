"""What the last meetings agreed, measured again, and what could be agreed next."""

from __future__ import annotations

import datetime as dt
import math
import re
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from funnel.contract.periods import Comparison, Period
from funnel.methods.bridge.stage_history import RENEWALS
from funnel.methods.recurring import MOVEMENTS
from funnel.questions.why.measures import Measured, Measures
from funnel.questions.why.open_questions import SIDES
from funnel.questions.why.records import Gap
from funnel.questions.why.verdicts import (
    CLEAR,
    POSSIBLE,
    Row,
    is_named,
    stated_contribution,
    tier_of,
)
from funnel.results import Result, Stated, no_rows, speaks_for
from funnel.results.small_groups import SmallGroups
from funnel.stats import CANNOT_TELL, NARROW

if TYPE_CHECKING:
    from funnel.dataset import Tables

AS_EXPECTED, OPPOSITE = "moved as expected", "moved the other way"
MOVED, NO_EFFECT, NOT_YET = "moved", "no effect seen", "cannot tell yet"
AS_USUAL = "within its usual range"
_TEXTS = ("action", "owner", "decided_on", "due_on", "measure", "segment", "expected")
_BEYOND = ("beyond", "beyond_low", "beyond_high")
_FIGURES = ("before", "since", "change", "low", "high", "wanted", "usual", *_BEYOND)
_COUNTS = ("n_before", "n_since", "n_days", "n_usual")
_MOST_EARLIER = 8  # windows that show what is usual
_FEWEST_EARLIER = 3
_CODES = ("counted", "verdict", "gap", "gap_subject", "gap_on")
COLUMNS = (*_TEXTS, "unit", *_FIGURES, "age_days", *_COUNTS, *_CODES)
_NUMBER = re.compile(r"(\d[\d,]*(?:\.\d+)?|\.\d+)\s*(%|per ?cent|points?|pp)?", re.IGNORECASE)
_UP = re.compile(r"\b(up|more|higher|rise|at least|above|over|increase)\b|\+|>", re.IGNORECASE)
_DOWN = re.compile(
    r"\b(down|fewer|less|lower|fall|at most|below|under|decrease|shorter|faster)\b|<|^\s*-",
    re.IGNORECASE,
)
_LEVEL = re.compile(r"\b(at least|at most|to|above|below|over|under)\b|[<>]", re.IGNORECASE)
MOST = 5
_NOBODYS = ("calendar", RENEWALS, *MOVEMENTS, "residual")  # no work on leads moves them


@dataclass(frozen=True)
class Expected:
    """What an action was to do: the direction (1 up, -1 down, 0 unknown), and how far if known.

    `size` is a number in `unit` (`%`, `points` or the measure's own, as an empty text); it is a
    level to reach where `is_level`.
    """

    sign: int = 0
    size: float = math.nan
    unit: str = ""
    is_level: bool = False

    def change(self, before: float, unit: str) -> float:
        """The change that was expected, in the measure's unit; missing where unknown."""
        size = self.size
        if unit == "rate" and (self.unit == "points" or (self.is_level and size > 1)):
            size /= 100
        elif self.unit == "%" and not self.is_level:
            size *= before / 100
        if self.is_level:
            return size - before
        return self.sign * size if self.sign else math.nan


def expected_of(text: str) -> Expected:
    """What was expected, from what people write.

    Examples
    --------
    >>> expected_of("up by 5 points").change(before=0.4, unit="rate")
    0.05
    >>> round(expected_of("at least 0.9").change(before=0.8, unit="rate"), 3)
    0.1
    >>> expected_of("10% fewer").change(before=200.0, unit="count")
    -20.0
    >>> expected_of("a next step on each").sign
    0
    """
    sign = 1 if _UP.search(text) else -1 if _DOWN.search(text) else 0
    number = _NUMBER.search(text)
    if number is None:
        return Expected(sign)
    unit = (number[2] or "").lower()
    unit = "points" if unit.startswith("p") and "cent" not in unit else "%" if unit else ""
    is_level = bool(_LEVEL.search(text)) and " by " not in f" {text.lower()} "
    return Expected(sign, float(number[1].replace(",", "")), unit, is_level)


@dataclass(frozen=True, eq=False, kw_only=True)
class Actions(Result):
    """What was agreed, and what its measure did since.

    `table` has one row per action, the first due first: `action`, `owner` (a label), `decided_on`,
    `due_on`, `measure`, `segment`, `expected`; of the measure `unit`, `before`, `since`, `change`,
    `low`, `high`, `wanted` (the change that was expected), `usual` (its mean over `n_usual` earlier
    windows), `beyond` (what it is now above that) with `beyond_low` and `beyond_high`, `age_days`
    (of figures compared at equal age), `n_before`, `n_since` (rows, of the kind in `counted`),
    `n_days` (of each window); `verdict` (`moved as expected`, `moved the other way`, `moved`,
    `within its usual range`, `no effect seen`, `cannot tell`, `cannot tell yet`), and where there
    is no comparison why: `gap`, `gap_subject`, `gap_on`.
    """

    grouped = (
        SmallGroups(
            by=("segment",),
            counts={
                "n_before": ("before", "change", "low", "high"),
                "n_since": ("since", "change", "low", "high", *_BEYOND),
            },
            within=("action",),
        ),
    )


def actions(data: Tables) -> Actions:
    """What the last meetings agreed, with its measure before and since.

    Parameters
    ----------
    data
        A dataset; reads `actions`, and the tables that their measures are taken from.

    Notes
    -----
    The days from `decided_on` (where that is not recorded: from `due_on`) to `as_of` are compared
    with as many days before. The measure *moved as expected*, or *the other way*, where the
    interval of its change excludes zero. *No effect seen*: it includes zero, and not the change
    that was expected (where none was named: it is within a tenth of the earlier value). Else it is
    inconclusive, as it is before the action is due.

    An action is often decided on after a bad month, and the next one is better without any. So the
    measure is also compared with up to eight windows of the same length further back: it *moved*
    only where it also lies outside the range that these make likely (a prediction interval of
    Student's t, never narrower than that of the change), and is *within its usual range* else. The
    comparison is not adjusted for seasons and other changes, so that a move is no proof of the
    action.
    """
    rows, behind = [], [no_rows()]
    ordered = data.actions.sort_values(["due_on", "action"], kind="stable")
    for place, action in enumerate(ordered.to_dict("records"), start=1):
        row, ids = _measured_again(action, place, data)
        rows.append(row)
        behind += ids
    kinds = dict.fromkeys((*_TEXTS, "unit", *_CODES), "str")
    kinds |= dict.fromkeys((*_FIGURES, "age_days"), "float64")
    return Actions(
        table=pd.DataFrame(rows, columns=list(COLUMNS)).astype(kinds),
        rows=pd.concat(behind, ignore_index=True),
        units=dict.fromkeys(
            _FIGURES, f"by `unit`: money is {data.plan.company.currency}, rate is 0 to 1"
        ),
        **speaks_for(data),
    )


def _measured_again(
    action: Mapping[str, Any], place: int, data: Tables
) -> tuple[dict[str, Any], list[pd.DataFrame]]:
    due, decided = _day(action["due_on"]), _day(action["decided_on"])
    segment = action["segment"] if isinstance(action["segment"], str) else ""
    row: dict[str, Any] = {
        **{name: action[name] for name in ("action", "owner", "measure", "expected")},
        "decided_on": decided.isoformat() if decided else None,
        "due_on": due.isoformat(),
        "segment": segment or None,
        **dict.fromkeys(_COUNTS, 0),
        "verdict": CANNOT_TELL,
    }
    if due >= data.as_of:
        return row | {"verdict": NOT_YET} | _gap(Gap("not due", on=due)), []
    windows = _windows(due, decided, data.as_of)
    measures = Measures(data, windows, segment)
    found = measures.figure(str(action["measure"]))
    row["n_days"] = windows.period.n_days
    if found is None:
        return row | _gap(Gap("unknown measure", ", ".join(measures.names()))), []
    cells = found.as_row()
    row |= {name: cells[name] for name in ("unit", "change", "low", "high", "age_days", "counted")}
    row |= {"before": found.baseline, "since": found.value}
    row["n_since"], row["n_before"] = found.n
    if found.gap or not math.isfinite(found.low):
        return row | _gap(found.gap or Gap("too few rows")), []
    row |= _usual(found, list(_earlier(measures, found.measure)), data.plan.level)
    expected = expected_of(str(action["expected"]))
    row["wanted"] = expected.change(found.baseline, found.unit)
    row["verdict"] = _verdict(row, row["wanted"], expected.sign)
    return row, found.rows_behind(f"{place}. {action['action']}", windows)


def _gap(gap: Gap) -> dict[str, str | None]:
    return {name: cell or None for name, cell in gap.as_row().items()}


def _windows(due: dt.date, decided: dt.date | None, as_of: dt.date) -> Comparison:
    """Days since it was decided on (else: due), and as many before."""
    begins = min(decided or due, due)
    now = Period(begins, as_of, "since")
    return Comparison(now, _before(now), is_complete=True)


def _before(window: Period) -> Period:
    """As many days that end on the day before a window."""
    days = dt.timedelta(days=window.n_days)
    return Period(window.start - days, window.end - days, "before")


def _earlier(measures: Measures, measure: str) -> Iterator[float]:
    """The measure in windows further back, the newest first, as far as it is recorded."""
    window = measures.comparison.baseline
    for _ in range(_MOST_EARLIER):
        window = _before(window)
        found = measures.against(window).figure(measure)
        if found is None or found.gap or not math.isfinite(found.low):
            return
        yield found.baseline


def _usual(found: Measured, earlier: list[float], level: float) -> dict[str, float]:
    """What the measure is on average, and how far it now is beyond that."""
    from scipy.stats import t as student

    n = len(earlier)
    if n < _FEWEST_EARLIER:
        return {}
    usual = statistics.fmean(earlier)
    half = student.ppf((1 + level) / 2, n - 1) * statistics.stdev(earlier) * math.sqrt(1 + 1 / n)
    beyond = found.value - usual
    return {
        "usual": usual, "n_usual": n, "beyond": beyond,
        "beyond_low": beyond - max(half, found.change - found.low),
        "beyond_high": beyond + max(half, found.high - found.change),
    }  # fmt: skip


def _verdict(row: Mapping[str, Any], wanted: float, sign: int) -> str:
    """Verdict on one action, from its interval and from what was expected."""
    low, high = row["low"], row["high"]
    direction = sign or (0 if math.isnan(wanted) else (wanted > 0) - (wanted < 0))
    if low > 0 or high < 0:
        if row.get("beyond_low", 1.0) <= 0 <= row.get("beyond_high", -1.0):
            return AS_USUAL
        if direction == 0:
            return MOVED
        return AS_EXPECTED if direction * row["change"] > 0 else OPPOSITE
    if math.isfinite(wanted) and wanted:
        return CANNOT_TELL if low <= wanted <= high else NO_EFFECT
    within = max(-low, high) <= NARROW * abs(row["before"])
    return NO_EFFECT if within else CANNOT_TELL


def _day(value: Any) -> dt.date | None:
    return None if pd.isna(value) else pd.Timestamp(value).date()


_PROPOSED = (
    *("owner", "due_on", "measure", "stage", "contribution", "low", "high"),
    *("smallest_detectable", "unit"),
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Proposals(Result):
    """Actions that follow from the drivers named, for both sides alike, or none.

    `table` has rows `owner` (a role), `due_on`, `measure` (the driver expected to move), `stage`
    (the one that a step leaves), `contribution` with `low` and `high` (what it is now),
    `smallest_detectable` (the change that would be visible) and `unit`.
    """

    comparison: Comparison
    next_on: dt.date

    @property
    def stated(self) -> tuple[Stated, ...]:
        """Contributions of the drivers that are named."""
        rows = self.table.rename(columns={"measure": "driver"}).to_dict("records")
        return tuple(stated_contribution(row, self.comparison) for row in rows)


def proposals(data: Tables, table: pd.DataFrame) -> Proposals:
    """The same work proposed to both sides for each driver that is named.

    Parameters
    ----------
    table
        Rows of the bridge, with `explained_by` and `tier` where it went through the checks.

    Returns
    -------
    Proposals
        Two per driver, one for each side, for as many drivers as five actions allow: clear ones
        first, and among these what is worth most. They are due a third into the period that
        follows, and measured at its end.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-05-05"]})
    >>> table = pd.DataFrame({"driver": ["timing"], "segment": [None], "contribution": [-40.0],
    ...     "low": [-70.0], "high": [-9.0], "verdict": ["moved"], "smallest_detectable": [50.0]})
    >>> made = proposals(Tables.of(leads=leads, as_of="2026-06-30"), table).table
    >>> made[["owner", "due_on", "measure"]].values.tolist()
    [['head of sales', '2026-07-31', 'timing'], ['head of marketing', '2026-07-31', 'timing']]
    """
    days = dt.timedelta(days=data.comparison.period.n_days)
    begins = data.comparison.period.after
    totals = table[table["segment"].isna()].to_dict("records")
    named = [row for row in totals if is_named(row) and row["driver"] not in _NOBODYS]
    rows = [
        {
            "owner": f"head of {side}",
            "due_on": (begins + days / 3).isoformat(),
            "measure": row["driver"],
            "stage": row["driver"].split(" to ")[0] if " to " in row["driver"] else None,
            **{name: row[name] for name in ("contribution", "low", "high", "smallest_detectable")},
            "unit": "count" if data.plan.measure == "wins" else "money",
        }
        for row in sorted(named, key=_place)[: MOST // len(SIDES)]
        for side in SIDES
    ]
    texts = ("owner", "due_on", "measure", "stage", "unit")
    return Proposals(
        table=pd.DataFrame(rows, columns=list(_PROPOSED)).astype(dict.fromkeys(texts, "str")),
        **speaks_for(data),
        comparison=data.comparison,
        next_on=begins + days - dt.timedelta(days=1),
    )


def _place(row: Row) -> tuple[int, float]:
    """Order of the work: clear drivers first, and among these what is worth most."""
    return ((CLEAR, POSSIBLE, "").index(tier_of(row)), -abs(row["contribution"]))
