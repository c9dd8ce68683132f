"""What each side says, held against the bridge: evidence for it, against it, and a verdict."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from funnel import formats
from funnel.change import period_change
from funnel.change.words import change_shown
from funnel.evidence import CANNOT_TELL, DID_NOT_MOVE, MOVED
from funnel.plan import Plan
from funnel.results import Result
from funnel.why.words import RESIDUAL, Row, amount, explained_by, is_in_play, with_interval

if TYPE_CHECKING:
    from funnel.load import Tables

SUPPORTED, NOT_SUPPORTED = "supported", "not supported"
SIGNS = {"down": -1, "up": 1, "same": 0}
COLUMNS = ("claim", "said_by", "driver", "direction", "segment", "for", "against", "verdict")
_RAW = {"lead volume": "leads", "deal size": "average deal size"}
_NOTHING = "Nothing: of its sum, interval and segments, none goes that way"


class SharedOut(Protocol):
    """A change shared out among drivers: a bridge, or one with its guards."""

    @property
    def table(self) -> pd.DataFrame:
        """Rows `driver`, `segment`, `contribution`, `low`, `high`, `verdict`."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Claims(Result):
    """What people say, each sentence with what the bridge holds for it and against it.

    `table` has one row per claim: `claim`, `said_by`, `driver`, `direction`, `segment`, `for`,
    `against` (both always filled) and `verdict`: `supported`, `not supported` or `cannot tell`.
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
    """Hold each claim against the driver that it is about.

    Parameters
    ----------
    data
        A company's tables; reads `claims`, and the measures of the two periods.
    shared
        The bridge of the change, with or without its guards.

    Returns
    -------
    Claims
        One row per claim, in the order of the table.

    Notes
    -----
    One rule, whoever says it. `down` and `up` speak of what the driver takes from the period's
    value or adds to it. Where the driver moved that way, the claim is supported; where it moved
    the other way, or did not move, it is not. `same` is supported where it did not move, and not
    where it moved. Where the driver cannot be told, is not known, or a guard (data, definition,
    maturity, calendar) explains it, the claim cannot be told.

    Examples
    --------
    >>> from funnel.load import Tables
    >>> rows = pd.DataFrame({"driver": ["lead volume"], "segment": [None], "contribution": [-40.0],
    ...                      "low": [-70.0], "high": [-10.0], "verdict": ["moved"]})
    >>> said = pd.DataFrame({"claim": ["Fewer leads came."], "said_by": ["sales"],
    ...                      "driver": ["lead volume"], "direction": ["down"]})
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-05-05"]})
    >>> data = Tables.of(leads=leads, claims=said, as_of="2026-06-30")
    >>> class Bridge:
    ...     table = rows
    >>> held = claims(data, Bridge()).table
    >>> held[["for", "verdict"]].values.tolist()[0]
    ['lead volume -€40 [-€70 to -€10].', 'supported']
    """
    rows = shared.table.to_dict("records")
    measured = {row["measure"]: row for row in period_change(data).table.to_dict("records")}
    held = [_held(claim, rows, measured, data.plan) for claim in data.claims.to_dict("records")]
    table = pd.DataFrame(held, columns=list(COLUMNS)).astype("str")
    return Claims(
        table=table,
        as_of=data.as_of,
        level=data.plan.level,
        caveats=(
            "A claim is held against the size of a driver's part; what brought it about is another "
            "question.",
        )
        if len(table)
        else (),
        plan=data.plan,
    )


def verdict_of(direction: str, row: Row) -> str:
    """Give the verdict on a claim about a row of the bridge.

    Examples
    --------
    >>> row = {"driver": "timing", "contribution": -5.0, "verdict": "moved"}
    >>> [verdict_of(said, row) for said in ("down", "up", "same")]
    ['supported', 'not supported', 'not supported']
    """
    if row["verdict"] == CANNOT_TELL or explained_by(row) or row["driver"] == RESIDUAL:
        return CANNOT_TELL
    sign = SIGNS[direction]
    if row["verdict"] == DID_NOT_MOVE:
        return SUPPORTED if sign == 0 else NOT_SUPPORTED
    return SUPPORTED if sign * row["contribution"] > 0 else NOT_SUPPORTED


def _held(
    claim: Mapping[str, Any], rows: list[Row], measured: Mapping[str, Row], plan: Plan
) -> dict[str, Any]:
    segment = claim["segment"] if isinstance(claim["segment"], str) else ""
    said = {name: claim[name] for name in ("claim", "said_by", "driver", "direction")}
    said["segment"] = segment or None
    same_driver = [row for row in rows if _key(row["driver"]) == _key(claim["driver"])]
    found = [row for row in same_driver if _key(_segment(row)) == _key(segment)]
    if not rows:
        why = "the change could not be shared out among drivers"
    elif not same_driver:
        why = _unknown("driver", claim["driver"], [row["driver"] for row in rows])
    elif not found:
        why = _unknown("segment", segment, [_segment(row) for row in same_driver])
    elif not is_in_play(found[0]):
        why = f"these tables hold nothing on {found[0]['driver']}"
    else:
        parts = [] if segment else [row for row in same_driver if _segment(row)]
        raw = None if segment else measured.get(_RAW.get(found[0]["driver"], ""))
        sides = _evidence(claim["direction"], found[0], parts, raw, plan)
        return {**said, **sides, "verdict": verdict_of(claim["direction"], found[0])}
    cells = {"for": f"Nothing: {why}.", "against": f"Nothing: {why}."}
    return {**said, **cells, "verdict": CANNOT_TELL}


def _evidence(
    direction: str, row: Row, parts: list[Row], raw: Row | None, plan: Plan
) -> dict[str, str]:
    """Sort what is known into what agrees with a direction and what does not."""
    sign = SIGNS[direction]
    pieces = _of_staying(row, parts, raw, plan) if sign == 0 else _of_moving(row, parts, raw, plan)
    sides: dict[str, list[str]] = {"for": [], "against": []}
    for agrees_with, text in pieces:
        sides["for" if agrees_with == sign else "against"].append(text)
    if guard := explained_by(row):
        sides["against"].append(f"the guard {guard} accounts for it")
    return {side: f"{'; '.join(texts) or _NOTHING}." for side, texts in sides.items()}


def _of_moving(row: Row, parts: list[Row], raw: Row | None, plan: Plan) -> list[tuple[int, str]]:
    """Say what goes down (-1) and what goes up (1): the sum, its interval, a measure, segments."""
    name = _name(row)
    pieces = [(_sign(row["contribution"]), f"{name} {with_interval(row, plan)}")]
    if row["low"] < 0 < row["high"]:
        other = -_sign(row["contribution"]) or 1
        end = row["low"] if other < 0 else row["high"]
        pieces.append((other, f"its interval reaches {amount(end, plan, sign=True)}"))
    if raw is not None and raw["change"] == raw["change"] and raw["change"]:
        said = f"{raw['measure']} {change_shown(pd.Series(raw), plan.company)}"
        pieces.append((_sign(raw["change"]), said))
    for sign, way in ((-1, "down"), (1, "up")):
        same = [part for part in parts if sign * part["contribution"] > 0]
        if same and len(parts) > 1:
            most = max(same, key=lambda part: abs(part["contribution"]))
            n = f"{len(same)} of {len(parts)} segments"
            pieces.append((sign, f"{way} in {n}, most in {_segment(most)}"))
    return pieces


def _of_staying(row: Row, parts: list[Row], raw: Row | None, plan: Plan) -> list[tuple[int, str]]:
    """Say what stayed (0) and what did not (1)."""
    name = _name(row)
    pieces = [(1, f"{name} {with_interval(row, plan)}")]
    if row["verdict"] != MOVED:
        pieces.append((0, _holds_zero(row)))
    if raw is not None and raw["change"] == raw["change"]:
        said = f"{raw['measure']} {change_shown(pd.Series(raw), plan.company)}"
        pieces.append((int(raw["verdict"] == MOVED), said))
    still = [part for part in parts if part["low"] <= 0 <= part["high"]]
    for stays, some in ((0, still), (1, [part for part in parts if part not in still])):
        if some and len(parts) > 1:
            does = "leaves zero out" if stays else "holds zero"
            pieces.append((stays, f"its interval {does} in {len(some)} of {len(parts)} segments"))
    return pieces


def _holds_zero(row: Row) -> str:
    if row["verdict"] == DID_NOT_MOVE:
        return "its interval holds zero and lies within a twentieth of the earlier value"
    if row["low"] <= 0 <= row["high"]:
        return "its interval holds zero"
    return "over all looks it cannot be told from chance"


def _unknown(kind: str, asked: object, known: list[str]) -> str:
    names = ", ".join(dict.fromkeys(name for name in known if name)) or "none"
    return f"there is no {kind} {asked!r} here; there are {names}"


def _name(row: Row) -> str:
    segment = _segment(row)
    return f"{row['driver']} in {segment}" if segment else row["driver"]


def _segment(row: Row) -> str:
    return row["segment"] if isinstance(row["segment"], str) else ""


def _key(name: object) -> str:
    return re.sub(r"[\s_-]+", " ", str(name)).strip().casefold()


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
