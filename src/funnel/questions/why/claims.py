"""What each side says, held against the figures: evidence for it, against it, and a verdict."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from funnel.contract.plan import Plan
from funnel.questions.why.driver_measures import FIGURES, Own, OwnMeasures
from funnel.questions.why.driver_text import (
    RESIDUAL,
    Row,
    amount,
    explained_by,
    is_in_play,
    with_interval,
)
from funnel.questions.why.guard_findings import DOWN, UP
from funnel.results import Result, formats, no_rows, rows_of
from funnel.stats import CANNOT_TELL, DID_NOT_MOVE, MOVED

if TYPE_CHECKING:
    from funnel.dataset import Tables

SUPPORTED, NOT_SUPPORTED = "supported", "not supported"
SIGNS = {"down": -1, "up": 1, "same": 0}
COLUMNS = (
    *("claim", "said_by", "driver", "direction", "segment", "for", "against", "verdict"),
    *("measure", "unit", *FIGURES, "n_period", "n_baseline", "measure_verdict"),
)
_COUNTS = ("n_period", "n_baseline")
# what people call a driver
_SAME = {
    "leads": "lead volume",
    "average deal size": "deal size",
    "sales cycle": "timing",
    "cycle days": "timing",
}
_NOT_SHARED_OUT = {
    "segment": None,
    "contribution": math.nan,
    "low": math.nan,
    "high": math.nan,
    "verdict": CANNOT_TELL,
}
_NOTHING = "Nothing: neither its own measure nor its part goes that way"


class SharedOut(Protocol):
    """A change shared out among drivers: a bridge, or one with its guards."""

    @property
    def table(self) -> pd.DataFrame:
        """Rows `driver`, `segment`, `contribution`, `low`, `high`, `verdict`."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Claims(Result):
    """What people say, each sentence with what is known for it and against it.

    `table` has one row per claim: `claim`, `said_by`, `driver`, `direction`, `segment`, `for`,
    `against` (both always filled), `verdict` (`supported`, `not supported` or `cannot tell`), and
    of the driver's own measure, where there is one: `measure` (its name), `unit` (`count`,
    `rate`, `days` or `ratio`: like for like, and not `value` over `baseline`), `value`,
    `baseline`, `change`, `low`, `high`, `n_period`, `n_baseline`, `measure_verdict`.
    """

    plan: Plan

    @property
    def headline(self) -> str:
        """How many are supported, how many are not, and how many cannot be told."""
        if self.table.empty:
            return "No claims were brought, so there is none to hold against the figures."
        counted = self.table["verdict"].value_counts()
        parts = [
            f"{formats.number(counted.get(word, 0), self.plan.company)} {said}"
            for word, said in (
                (SUPPORTED, "supported"),
                (NOT_SUPPORTED, "not supported"),
                (CANNOT_TELL, "cannot be told"),
            )
        ]
        n = formats.number(len(self.table), self.plan.company)
        return f"Of {n} claims, {', '.join(parts)}."

    def shown(self) -> pd.DataFrame:
        """Give each claim, whose it is, the verdict, and what stands on both sides."""
        columns = {"claim": "claim", "said_by": "said by", "verdict": "verdict"}
        return self.table[[*columns, "for", "against"]].rename(columns=columns)


def claims(data: Tables, shared: SharedOut) -> Claims:
    """Hold each claim against what it is about, and against its part of the change.

    Parameters
    ----------
    data
        A company's tables; reads `claims`, and what the drivers' own measures are taken from.
    shared
        The bridge of the change; its guards too, where it has any.

    Returns
    -------
    Claims
        One row per claim, in the order of the table.

    Notes
    -----
    One rule, whoever says it. The driver's own measure speaks first on whether it moved: the
    count of leads, the rate of a step at equal age, deal size like for like, the time that deals
    stay open. Its part of the change says what that is worth, and speaks on the claim where the
    measure cannot tell, or where there is none (`mix`, `calendar`).

    `down` and `up` speak of what the driver takes from the period's value or adds to it. A claim
    is supported where the driver moved that way, and not where it moved the other way or did not
    move. `same` is supported where it did not move, and not where it moved. What a guard accounts
    for, what is not known, and the residual cannot be told.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> rows = pd.DataFrame({"driver": ["mix"], "segment": [None], "contribution": [-40.0],
    ...                      "low": [-70.0], "high": [-10.0], "verdict": ["moved"]})
    >>> said = pd.DataFrame({"claim": ["Smaller firms came."], "said_by": ["sales"],
    ...                      "driver": ["mix"], "direction": ["down"]})
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-05-05"]})
    >>> data = Tables.of(leads=leads, claims=said, as_of="2026-06-30")
    >>> class Bridge:
    ...     table = rows
    >>> held = claims(data, Bridge()).table
    >>> held[["for", "verdict"]].values.tolist()[0]
    ['Its part of bookings -€40 [-€70 to -€10] (moved).', 'supported']
    """
    rows, guards = shared.table.to_dict("records"), _guards_of(shared)
    measures, held, behind = OwnMeasures(data), [], []
    for place, claim in enumerate(data.claims.to_dict("records"), start=1):
        row, own = _held(claim, rows, guards, measures, data.plan)
        held.append(row)
        if own and own.rows:
            table, *ids = own.rows
            periods = (data.comparison.period, data.comparison.baseline)
            behind += [
                rows_of(f"{place}. {claim['claim']}, {when.label}", table, each)
                for when, each in zip(periods, ids, strict=True)
            ]
    texts = [name for name in COLUMNS if name not in (*FIGURES, *_COUNTS)]
    table = pd.DataFrame(held, columns=list(COLUMNS))
    return Claims(
        table=table.astype(
            dict.fromkeys(texts, "str")
            | dict.fromkeys(FIGURES, "float64")
            | dict.fromkeys(_COUNTS, "Int64")
        ),
        as_of=data.as_of,
        rows=pd.concat(behind, ignore_index=True) if behind else no_rows(),
        units=dict.fromkeys(FIGURES, "by `unit`: rate and ratio as shares"),
        level=data.plan.level,
        written_caveats=(
            "Each claim is one look: whether what it is about moved, and what that is worth. What "
            "brought it about is another question.",
        )
        if len(table)
        else (),
        plan=data.plan,
    )


def verdict_of(direction: str, row: Row, own: Own | None = None, guard: str = "") -> str:
    """Give the verdict on a claim.

    Parameters
    ----------
    direction
        That the claim names.
    row
        Of the bridge, for the driver that it is about.
    own
        The driver's own measure, which speaks first.
    guard
        The guard that accounts for the way the measure moved; empty for none.

    Examples
    --------
    >>> row = {"driver": "timing", "contribution": -5.0, "verdict": "moved"}
    >>> [verdict_of(said, row) for said in ("down", "up", "same")]
    ['supported', 'not supported', 'not supported']
    """
    if row["driver"] == RESIDUAL or explained_by(row) or guard:
        return CANNOT_TELL
    speaks = own is not None and own.verdict != CANNOT_TELL
    verdict = own.verdict if speaks else row["verdict"]
    if verdict == CANNOT_TELL:
        return CANNOT_TELL
    sign = SIGNS[direction]
    if verdict == DID_NOT_MOVE:
        return SUPPORTED if sign == 0 else NOT_SUPPORTED
    moved = own.sign if speaks else _sign(row["contribution"])
    return SUPPORTED if sign * moved > 0 else NOT_SUPPORTED


def _held(
    claim: Mapping[str, Any],
    rows: list[Row],
    guards: list[tuple[str, str]],
    measures: OwnMeasures,
    plan: Plan,
) -> tuple[dict[str, Any], Own | None]:
    segment = claim["segment"] if isinstance(claim["segment"], str) else ""
    said = {name: claim[name] for name in ("claim", "said_by", "driver", "direction")}
    said["segment"] = segment or None
    key = _key(claim["driver"])
    key = _SAME.get(key, key)
    same_driver = [row for row in rows if _key(row["driver"]) == key]
    found = [row for row in same_driver if _key(_segment(row)) == _key(segment)]
    names = [row["driver"] for row in rows] or measures.drivers()
    own = measures.of(key, segment) if key in map(_key, names) else None
    row = found[0] if found else {**_NOT_SHARED_OUT, "driver": key}
    if not is_in_play(row):
        row = {**row, "verdict": CANNOT_TELL}  # no wins, and so nothing that could move
    why = ""
    if key not in map(_key, names):
        why = _unknown("driver", claim["driver"], names)
    elif own is None and not rows:
        why = "the change could not be shared out among drivers"
    elif own is None and not found:
        why = _unknown("segment", segment, [_segment(row) for row in same_driver])
    elif own is None and not is_in_play(row):
        why = f"these tables hold nothing on {row['driver']} that an interval could be had for"
    if why:
        cells = {"for": f"Nothing: {why}.", "against": f"Nothing: {why}."}
        return {**said, **cells, "verdict": CANNOT_TELL}, None
    parts = [] if segment else [row for row in same_driver if _segment(row)]
    guard = _guard_of(own, row["driver"], guards)
    sides = _evidence(claim["direction"], row, parts, own, guard, plan)
    verdict = verdict_of(claim["direction"], row, own, guard)
    return {**said, **sides, "verdict": verdict, **(own.as_row() if own else {})}, own


def _evidence(
    direction: str, row: Row, parts: list[Row], own: Own | None, guard: str, plan: Plan
) -> dict[str, str]:
    """Sort what is known into what agrees with a direction and what does not."""
    sign = SIGNS[direction]
    pieces = []
    if own is not None:
        moved = own.sign if sign else int(own.verdict == MOVED)
        goes = 0 if sign and own.verdict == DID_NOT_MOVE else moved
        pieces.append((goes, own.says(plan.company)))
    if is_in_play(row):
        pieces += (_of_moving if sign else _of_staying)(row, parts, plan)
    sides: dict[str, list[str]] = {"for": [], "against": []}
    for agrees_with, text in pieces:
        sides["for" if agrees_with == sign else "against"].append(text)
    for side, end in (("for", sign), ("against", -sign)):
        reaches = row["high"] if end > 0 else row["low"]
        if end and not sides[side] and end * reaches > 0:
            sides[side].append(f"its interval reaches {amount(reaches, plan, sign=True)}")
    if not is_in_play(row):
        sides["against"].append(f"its part of {plan.measure} has no interval")
    if guard := explained_by(row) or guard:
        sides["against"].append(f"the guard {guard} accounts for it")
    return {side: _sentence("; ".join(texts) or _NOTHING) for side, texts in sides.items()}


def _of_moving(row: Row, parts: list[Row], plan: Plan) -> list[tuple[int, str]]:
    """Say what goes down (-1) and what goes up (1): the part, its interval, segments."""
    sign = _sign(row["contribution"])
    pieces = [(sign, _part(row, plan))]
    for sign, way in ((-1, "down"), (1, "up")):
        same = [part for part in parts if sign * part["contribution"] > 0]
        if same and len(parts) > 1:
            most = max(same, key=lambda part: abs(part["contribution"]))
            n = f"{len(same)} of {len(parts)} segments"
            pieces.append((sign, f"{way} in {n}, most in {_segment(most)}"))
    return pieces


def _of_staying(row: Row, parts: list[Row], plan: Plan) -> list[tuple[int, str]]:
    """Say what stayed (0) and what did not (1)."""
    pieces = [(int(row["verdict"] == MOVED), _part(row, plan))]
    still = [part for part in parts if part["low"] <= 0 <= part["high"]]
    for stays, some in ((0, still), (1, [part for part in parts if part not in still])):
        if some and len(parts) > 1:
            does = "leaves zero out" if stays else "holds zero"
            n = f"{len(some)} of {len(parts)} segments"
            pieces.append((stays, f"the interval of its part {does} in {n}"))
    return pieces


def _part(row: Row, plan: Plan) -> str:
    """Say what a driver is worth, and how surely."""
    return f"its part of {plan.measure} {with_interval(row, plan)} ({row['verdict']})"


def _guards_of(shared: SharedOut) -> list[tuple[str, str]]:
    """List what guards account for, in their order: the guard, and the driver (with its way)."""
    guards = getattr(shared, "guards", None)
    if guards is None or "drivers" not in guards.table:
        return []
    return [
        (row["guard"], driver)
        for row in guards.table.to_dict("records")
        for driver in str(row["drivers"]).split(", ")
    ]


def _guard_of(own: Own | None, driver: str, guards: list[tuple[str, str]]) -> str:
    """Name the guard that accounts for the way a measure moved; empty for none.

    A driver that is a guard as well is its own finding.
    """
    if own is None or own.verdict != MOVED:
        return ""
    way = UP if own.sign > 0 else DOWN
    names = (driver, f"{driver} ({way})")
    return next((guard for guard, said in guards if said in names and guard != driver), "")


def _unknown(kind: str, asked: object, known: list[str]) -> str:
    names = ", ".join(dict.fromkeys(name for name in known if name)) or "none"
    return f"there is no {kind} {asked!r} here; there are {names}"


def _segment(row: Row) -> str:
    return row["segment"] if isinstance(row["segment"], str) else ""


def _key(name: object) -> str:
    return re.sub(r"[\s_-]+", " ", str(name)).strip().casefold()


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
