"""What the last meetings agreed, measured again: before and since, at equal length."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from funnel.contract.periods import Comparison, Period
from funnel.contract.plan import Company, Plan
from funnel.questions.why.action_measures import Gauges
from funnel.questions.why.measures import Measured
from funnel.questions.why.period_text import shown
from funnel.results import Result, formats, no_rows, rows_of
from funnel.stats import CANNOT_TELL

if TYPE_CHECKING:
    from funnel.dataset import Tables

AS_EXPECTED, OTHER_WAY = "moved as expected", "moved the other way"
MOVED, NO_EFFECT, NOT_YET = "moved", "no effect seen", "cannot tell yet"
COLUMNS = (
    *("action", "owner", "decided_on", "due_on", "measure", "segment", "expected"),
    *("unit", "before", "since", "change", "low", "high", "n_before", "n_since"),
    *("verdict", "says"),
)
_NARROW = 0.1
_FIGURES = ("before", "since", "change", "low", "high")
_NUMBER = re.compile(r"(\d[\d,]*(?:\.\d+)?|\.\d+)\s*(%|per ?cent|points?|pp)?", re.IGNORECASE)
_UP = re.compile(r"\b(up|more|higher|rise|at least|above|over|increase)\b|\+|>", re.IGNORECASE)
_DOWN = re.compile(
    r"\b(down|fewer|less|lower|fall|at most|below|under|decrease|shorter|faster)\b|<|^\s*-",
    re.IGNORECASE,
)
_LEVEL = re.compile(r"\b(at least|at most|to|above|below|over|under)\b|[<>]", re.IGNORECASE)


@dataclass(frozen=True)
class Expected:
    """What an action was to do: the way (1 up, -1 down, 0 not said), and how far where said.

    `size` is a number in `unit` (`%`, `points` or the measure's own, as an empty text); it is a
    level to reach where `is_level`.
    """

    sign: int = 0
    size: float = math.nan
    unit: str = ""
    is_level: bool = False

    def change(self, before: float, unit: str) -> float:
        """Give the change that was expected, in the measure's unit; missing where not said."""
        size = self.size
        if unit == "rate" and (self.unit == "points" or (self.is_level and size > 1)):
            size /= 100
        elif self.unit == "%" and not self.is_level:
            size *= before / 100
        if self.is_level:
            return size - before
        return self.sign * size if self.sign else math.nan


def expected_of(text: str) -> Expected:
    """Read what was expected from what people write.

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

    `table` has one row per action: `action`, `owner` (a label), `decided_on`, `due_on`, `measure`,
    `segment`, `expected`; `unit`, `before`, `since`, `change`, `low`, `high`, `n_before`,
    `n_since` of the measure; `verdict` (`moved as expected`, `moved the other way`, `moved`,
    `no effect seen`, `cannot tell`, `cannot tell yet`) and `says`, which tells it in words.
    """

    plan: Plan

    @property
    def headline(self) -> str:
        """How many actions there are, by verdict."""
        if self.table.empty:
            return "No actions of earlier meetings are recorded, so there is none to measure again."
        counted = self.table["verdict"].value_counts(sort=False)
        parts = [
            f"{formats.number(n, self.plan.company)} {word}" for word, n in sorted(counted.items())
        ]
        n = formats.number(len(self.table), self.plan.company)
        return f"Of {n} actions measured again: {', '.join(parts)}."

    def shown(self) -> pd.DataFrame:
        """Give each action, who took it on, the verdict, and its measure in words."""
        columns = {"action": "action", "owner": "owner", "due_on": "due", "verdict": "verdict"}
        return self.table[[*columns, "says"]].rename(columns={**columns, "says": "its measure"})


def actions(data: Tables) -> Actions:
    """Measure again what the last meetings agreed.

    Parameters
    ----------
    data
        A company's tables; reads `actions`, and what their measures are taken from.

    Returns
    -------
    Actions
        One row per action, the first due first.

    Notes
    -----
    The days from `due_on` to `as_of` stand against as many days that end before the action was
    decided on (before it was due, where that is not recorded). The measure *moved as expected*, or
    *the other way*, where the interval of its change leaves zero out. *No effect seen*: it holds
    zero, and not the change that was expected (where none was named: it lies within a tenth of the
    earlier value). Else it cannot be told; nor can it, yet, before the action is due. Seasons and
    whatever else changed are not taken out, so that a move is no proof of the action.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> closed = pd.date_range("2026-01-01", "2026-06-30", periods=400)
    >>> deals = pd.DataFrame({"deal_id": [f"D-{i}" for i in range(400)], "amount": 100.0,
    ...     "created_at": "2025-12-01", "closed_at": closed, "outcome": ["won", "lost"] * 200})
    >>> agreed = pd.DataFrame({"action": ["Call earlier"], "owner": ["sales"],
    ...     "due_on": ["2026-04-01"], "measure": ["win rate"], "expected": ["up by 20 points"]})
    >>> data = Tables.of(deals=deals, actions=agreed, as_of="2026-06-30")
    >>> actions(data).table["verdict"].tolist()
    ['no effect seen']
    """
    gauges = Gauges(data)
    rows, behind = [], []
    ordered = data.actions.sort_values(["due_on", "action"], kind="stable")
    for place, action in enumerate(ordered.to_dict("records"), start=1):
        row, ids = _again(action, place, gauges, data)
        rows.append(row)
        behind += ids
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    texts = [name for name in COLUMNS if name not in (*_FIGURES, "n_before", "n_since")]
    company = data.plan.company
    return Actions(
        table=table.astype(dict.fromkeys(texts, "str") | dict.fromkeys(_FIGURES, "float64")),
        as_of=data.as_of,
        rows=pd.concat(behind, ignore_index=True) if behind else no_rows(),
        units=dict.fromkeys(_FIGURES, f"by `unit`: money is {company.currency}, rate is 0 to 1"),
        level=data.plan.level,
        written_caveats=(
            "What moved after an action need not have moved by it: season, and whatever else "
            "changed, are not taken out.",
        )
        if rows
        else (),
        plan=data.plan,
    )


def _again(
    action: Mapping[str, Any], place: int, gauges: Gauges, data: Tables
) -> tuple[dict[str, Any], list[pd.DataFrame]]:
    company = data.plan.company
    due, decided = _day(action["due_on"]), _day(action["decided_on"])
    segment = action["segment"] if isinstance(action["segment"], str) else ""
    row: dict[str, Any] = {
        **{name: action[name] for name in ("action", "owner", "measure", "expected")},
        "decided_on": decided.isoformat() if decided else None,
        "due_on": due.isoformat(),
        "segment": segment or None,
        **dict.fromkeys(_FIGURES, math.nan),
        "unit": None,
        "n_before": 0,
        "n_since": 0,
        "verdict": CANNOT_TELL,
    }
    if due >= data.as_of:
        says = f"Not due before {formats.day(due, company)}: the data end on that day or earlier."
        return {**row, "verdict": NOT_YET, "says": says}, []
    windows = _windows(due, decided, data.as_of)
    found = gauges.measure(str(action["measure"]), segment, windows)
    if found is None:
        says = (
            f"No figure is called {action['measure']!r}, so it cannot be measured; known are "
            f"{', '.join(gauges.names())}."
        )
        return {**row, "says": says}, []
    low, high = found.interval
    row |= {
        "unit": found.unit,
        "before": found.baseline,
        "since": found.value,
        "change": found.value - found.baseline,
        "low": low,
        "high": high,
        "n_before": found.n[1],
        "n_since": found.n[0],
    }
    expected = expected_of(str(action["expected"]))
    if found.why or not math.isfinite(low):
        row |= {"low": math.nan, "high": math.nan}
        return {**row, "says": f"{_days(windows)}: {found.why or 'too few rows'}."}, []
    row["verdict"] = _verdict(row, expected.change(found.baseline, found.unit), expected.sign)
    row["says"] = _says(row, found, windows, company)
    label = f"{place}. {action['action']}"
    behind = [
        rows_of(f"{label}, {when}", table, ids)
        for table, now, then in found.rows
        for when, ids in (("since", now), ("before", then))
    ]
    return row, behind


def _windows(due: dt.date, decided: dt.date | None, as_of: dt.date) -> Comparison:
    """Days since it was due, and as many that end before it was decided on."""
    days = as_of - due
    ends = min(decided or due, due) - dt.timedelta(days=1)
    return Comparison(
        Period(due, as_of, "since"), Period(ends - days, ends, "before"), is_complete=True
    )


def _verdict(row: Mapping[str, Any], wanted: float, sign: int) -> str:
    """Give the verdict on one action, from its interval and from what was expected."""
    low, high = row["low"], row["high"]
    way = sign or (0 if math.isnan(wanted) else (wanted > 0) - (wanted < 0))
    if low > 0 or high < 0:
        if way == 0:
            return MOVED
        return AS_EXPECTED if way * row["change"] > 0 else OTHER_WAY
    if math.isfinite(wanted) and wanted:
        return CANNOT_TELL if low <= wanted <= high else NO_EFFECT
    within = max(-low, high) <= _NARROW * abs(row["before"])
    return NO_EFFECT if within else CANNOT_TELL


def _says(row: Mapping[str, Any], found: Measured, windows: Comparison, company: Company) -> str:
    before, since = (_shown(row[name], found.unit, company) for name in ("before", "since"))
    change = _shown(row["change"], found.unit, company, sign=True)
    low, high = (
        _shown(row[end], found.unit, company, sign=True)
        .removesuffix(" points")
        .removesuffix(" days")
        for end in ("low", "high")
    )
    n = [formats.number(each, company) for each in (row["n_since"], row["n_before"])]
    return (
        f"{before} before, {since} since: {change} {formats.interval(low, high)}, from {n[1]} and "
        f"{n[0]} {found.counted}; {_days(windows)}."
    )


def _shown(value: float, unit: str, company: Company, *, sign: bool = False) -> str:
    """Write a value; a change of a rate in points."""
    if unit == "days":
        return f"{formats.number(value, company, digits=1, sign=sign)} days"
    if unit == "rate" and sign:
        return f"{formats.number(100 * value, company, digits=1, sign=True)} points"
    return shown(value, unit, company, sign=sign)


def _days(windows: Comparison) -> str:
    n = windows.period.n_days
    return f"{n} days each" if n > 1 else "one day each"


def _day(value: Any) -> dt.date | None:
    return None if pd.isna(value) else pd.Timestamp(value).date()
