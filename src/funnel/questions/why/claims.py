"""What each side says, compared with the figures: evidence for it, against it, and a verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from funnel.contract.periods import Comparison
from funnel.methods.bridge.stage_history import RENEWALS
from funnel.questions.why.claim_words import DRIVER, MEASURE, Subject, normalised, subject_of
from funnel.questions.why.findings import (
    SEPARATOR,
    drivers_touched,
    explaining_check,
    findings_table,
)
from funnel.questions.why.measures import Measured, Measures
from funnel.questions.why.records import Gap
from funnel.questions.why.verdicts import (
    RESIDUAL,
    Row,
    explained_by,
    is_in_play,
    stated_contribution,
    tier_of,
)
from funnel.results import Result, Stated, no_rows, speaks_for, stated_change
from funnel.results.small_groups import SmallGroups
from funnel.stats import CANNOT_TELL, DID_NOT_MOVE, MOVED

if TYPE_CHECKING:
    from funnel.dataset import Tables

SUPPORTED, NOT_SUPPORTED = "supported", "not supported"
SIGNS = {"down": -1, "up": 1, "same": 0}
_TEXTS = ("claim", "said_by", "driver", "direction", "segment")
_FIGURES = ("value", "baseline", "change", "low", "high")
_PARTS = ("contribution", "contribution_low", "contribution_high")
_COUNTS = (
    *("n_period", "n_baseline"),
    *("n_segments", "n_segments_down", "n_segments_up", "n_segments_clear"),
)
_CODES = ("measure", "unit", "counted", "measure_verdict", "contribution_verdict")
_NAMES = (
    *("contribution_unit", "explained_by", "most_down", "most_up", "gap", "gap_subject"),
    *("tested_by", "tested_segment", "tested_direction"),
)
COLUMNS = (
    *(*_TEXTS, "verdict", "measure", "unit", *_FIGURES, "age_days", "n_period", "n_baseline"),
    *("counted", "is_expected", "measure_verdict", "measure_sign", *_PARTS),
    *("contribution_unit", "contribution_verdict", "explained_by", *_COUNTS[2:]),
    *("most_down", "most_up", "gap", "gap_subject"),
    *("tested_by", "tested_segment", "tested_direction", "p_value"),
)
_DIRECTIONS = {sign: direction for direction, sign in SIGNS.items()}
_ALIASES = {  # what people call a driver
    "leads": "lead volume",
    "average deal size": "deal size",
    "sales cycle": "timing",
    "cycle days": "timing",
    "expansions": RENEWALS,
}
_NO_CONTRIBUTION = {
    "segment": None,
    "contribution": math.nan,
    "low": math.nan,
    "high": math.nan,
    "verdict": CANNOT_TELL,
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Claims(Result):
    """What people say, each sentence with the figures for it and against it.

    `table` has one row per claim: `claim`, `said_by`, `driver`, `direction`, `segment` and
    `verdict` (`supported`, `not supported` or `cannot tell`). Then the driver's own figure where
    there is one: `measure`, `unit` (`count`, `rate`, `days` or `ratio`: like for like, and not
    `value` over `baseline`), `value`, `baseline`, `change`, `low`, `high`, `age_days` (up to which
    it is compared), `n_period`, `n_baseline` (rows, of the kind in `counted`), `is_expected`
    (the baseline is adjusted for calendar and season), `measure_verdict`, `measure_sign` (1 where
    its change adds to the period's value, -1 where it takes away). Then the contribution of the
    driver: `contribution` with `contribution_low`, `contribution_high`, `contribution_unit`,
    `contribution_verdict`, `explained_by` (a check), and of how many segments (`n_segments`) it is
    down or up (`most_down`, `most_up` name the largest), or has an interval that excludes zero
    (`n_segments_clear`). `gap` says why there is no evidence, and `gap_subject` what is known.

    `tested_by` says what the verdict rests on: the `driver`, or a narrower figure that the claim's
    own `words` name or that its column `measure` does. The narrower figure alone decides then, and
    there is no contribution. `tested_segment` is its segment, `tested_direction` the direction
    that is claimed (of the narrower figure itself; of a driver, seen from the period's value), and
    `p_value` that of the narrower figure's own test.
    """

    comparison: Comparison

    @property
    def stated(self) -> tuple[Stated, ...]:
        """The figures of all leads and deals that claims are tested on, and contributions."""
        rows = self.table[self.table["tested_segment"].isna()].to_dict("records")
        found = []
        for row in rows:
            if isinstance(row["measure"], str) and math.isfinite(row["change"]):
                name, verdict = _stated_name(row), row["measure_verdict"]
                found += stated_change(
                    {**row, "measure": name, "verdict": verdict}, self.comparison
                )
            if math.isfinite(row["contribution"]):
                figures = {name: row[f"contribution_{name}"] for name in ("low", "high", "verdict")}
                found.append(stated_contribution({**row, **figures}, self.comparison))
        return tuple(found)

    grouped = (
        SmallGroups(
            by=("tested_segment",),
            counts={
                "n_period": ("value", "change", "low", "high", "p_value"),
                "n_baseline": ("baseline", "change", "low", "high", "p_value"),
            },
            within=("claim",),
        ),
    )


def claims(data: Tables, table: pd.DataFrame, touched: pd.DataFrame | None = None) -> Claims:
    """Compare each claim with the figure it is about, and with its contribution to the change.

    Parameters
    ----------
    data
        A dataset; reads `claims`, and the tables of the drivers' own figures.
    table
        Rows of the bridge after the checks; empty where there is none.
    touched
        Drivers that the checks explain: `check`, `driver`, `direction`, `at_most`.

    Notes
    -----
    There is one rule, whoever says it. Where the words of a claim, or its column `measure`, are
    narrower than its driver, the figure they name decides alone. Else the driver's own figure
    decides first whether it moved: the number of leads, the rate of a step at equal age, deal size
    like for like, the time that deals stay open. Its contribution says what that is worth. It
    decides where the figure is inconclusive, or where there is none (`mix`, `calendar`).

    `down` and `up` are about what the driver takes from the period's value or adds to it. A claim
    is supported where the driver moved in that direction, and not where it moved in the other or
    did not move. `same` is supported where it did not move, and not where it moved. A driver that a
    check explains, and the residual, are inconclusive.
    """
    if touched is None:
        touched = drivers_touched(findings_table([]))
    rows = table.to_dict("records")
    compared, behind = [], [no_rows()]
    for place, claim in enumerate(data.claims.to_dict("records"), start=1):
        row, own = _compared(claim, rows, touched, data)
        compared.append(row)
        if own:
            behind += own.rows_behind(f"{place}. {claim['claim']}", data.comparison)
    kinds = dict.fromkeys((*_TEXTS, "verdict", *_CODES, *_NAMES), "str")
    kinds |= dict.fromkeys((*_FIGURES, *_PARTS, "age_days", "p_value"), "float64")
    kinds |= dict.fromkeys((*_COUNTS, "measure_sign"), "Int64") | {"is_expected": "bool"}
    found = pd.DataFrame(compared, columns=list(COLUMNS))
    found["is_expected"] = found["is_expected"].eq(True)
    return Claims(
        table=found.astype(kinds),
        rows=pd.concat(behind, ignore_index=True),
        units=dict.fromkeys(_FIGURES, "by `unit`: rate and ratio as shares"),
        comparison=data.comparison,
        **speaks_for(data),
    )


def verdict_of(direction: str, row: Row, own: Measured | None = None, check: str = "") -> str:
    """Verdict on a claim.

    Parameters
    ----------
    direction
        That the claim names.
    row
        Of the bridge, for the driver that it is about.
    own
        The driver's own figure, which decides first.
    check
        The check that explains the change of that figure; empty for none.

    Examples
    --------
    >>> row = {"driver": "timing", "contribution": -5.0, "verdict": "moved"}
    >>> [verdict_of(direction, row) for direction in ("down", "up", "same")]
    ['supported', 'not supported', 'not supported']
    """
    if row["driver"] == RESIDUAL or explained_by(row) or check:
        return CANNOT_TELL
    decides = own is not None and own.verdict != CANNOT_TELL
    verdict = own.verdict if decides else row["verdict"]
    if verdict == CANNOT_TELL:
        return CANNOT_TELL
    sign = SIGNS[direction]
    if verdict == DID_NOT_MOVE:
        return SUPPORTED if sign == 0 else NOT_SUPPORTED
    moved = own.sign if decides else _sign(row["contribution"])
    return SUPPORTED if sign * moved > 0 else NOT_SUPPORTED


def _compared(
    claim: Mapping[str, Any], rows: list[Row], touched: pd.DataFrame, data: Tables
) -> tuple[dict[str, Any], Measured | None]:
    written = {name: each for name, each in claim.items() if isinstance(each, str)}
    cells = {name: written.get(name) for name in _TEXTS}
    key = normalised(claim["driver"])
    key = _ALIASES.get(key, key)
    names = [row["driver"] for row in rows] or Measures(data).drivers()
    subject = subject_of(written, key, data)
    if subject.by != MEASURE and key not in map(normalised, names):
        subject = Subject(gap=Gap("unknown driver", _listed(names)))
    cells |= {"tested_by": subject.by, "tested_segment": subject.segment or None}
    if subject.measure or subject.gap:
        return _narrower(cells, subject, data)
    return _of_driver(cells, key, subject, rows, touched, data)


def _narrower(
    cells: dict[str, Any], subject: Subject, data: Tables
) -> tuple[dict[str, Any], Measured | None]:
    """A claim tested on the figure that its words name, in the figure's own direction."""
    own = None if subject.gap else subject.figure(data)
    gap = subject.gap or own.gap
    sign = subject.direction
    if sign is None:
        sign = SIGNS[cells["direction"]] * (own.direction if own else 1)
    cells["tested_direction"] = _DIRECTIONS[sign]
    if gap:
        cells |= {"verdict": CANNOT_TELL, "gap": gap.code, "gap_subject": gap.subject}
        return cells | {"measure": own.measure if own else subject.measure or None}, None
    own = replace(own, direction=1)
    row = {**_NO_CONTRIBUTION, "driver": subject.measure}
    cells["verdict"] = verdict_of(cells["tested_direction"], row, own)
    return cells | _own_cells(own), own


def _of_driver(
    cells: dict[str, Any],
    key: str,
    subject: Subject,
    rows: list[Row],
    touched: pd.DataFrame,
    data: Tables,
) -> tuple[dict[str, Any], Measured | None]:
    """A claim tested on its driver: the driver's own figure first, then its contribution."""
    segment = subject.segment
    cells["tested_direction"] = cells["direction"]
    same_driver = [row for row in rows if normalised(row["driver"]) == key]
    found = [row for row in same_driver if normalised(_segment(row)) == normalised(segment)]
    own = Measures(data, segment=segment, column=subject.column).driver(key)
    row = found[0] if found else {**_NO_CONTRIBUTION, "driver": key}
    if not is_in_play(row):
        row = {**row, "verdict": CANNOT_TELL}  # no wins, and so nothing that could move
    gap, known = "", ""
    if own is None and not rows:
        gap = "no bridge"
    elif own is None and not found:
        gap, known = "unknown segment", _listed([_segment(each) for each in same_driver])
    elif own is None and not is_in_play(row):
        gap = "not in play"
    if gap:
        return cells | {"verdict": CANNOT_TELL, "gap": gap, "gap_subject": known}, None
    check = ""
    if own is not None and own.verdict == MOVED and not tier_of(row):
        check, most = explaining_check(
            touched[touched["check"] != row["driver"]], row["driver"], own.sign
        )
        if most < abs(row["contribution"]):
            check = ""  # the rest decides
    parts = [] if segment else [each for each in same_driver if _segment(each)]
    cells |= _own_cells(own) | _contribution_cells(row, parts, data.plan.measure)
    cells["explained_by"] = explained_by(row) or check
    return cells | {"verdict": verdict_of(cells["direction"], row, own, check)}, own


def _own_cells(own: Measured | None) -> dict[str, Any]:
    if own is None:
        return {}
    cells = own.as_row()
    names = ("measure", "unit", *_FIGURES, "age_days", "counted", "is_expected", *_COUNTS[:2])
    return {name: cells[name] for name in names} | {
        "measure_verdict": own.verdict,
        "measure_sign": own.sign,
        "p_value": own.p_value,
    }


def _contribution_cells(row: Row, parts: list[Row], measure: str) -> dict[str, Any]:
    if not is_in_play(row):
        return {}
    cells: dict[str, Any] = {
        "contribution": row["contribution"],
        "contribution_low": row["low"],
        "contribution_high": row["high"],
        "contribution_unit": "count" if measure == "wins" else "money",
        "contribution_verdict": row["verdict"],
        "n_segments": len(parts),
        "n_segments_clear": sum(not each["low"] <= 0 <= each["high"] for each in parts),
    }
    for name, sign in (("down", -1), ("up", 1)):
        same = [each for each in parts if sign * each["contribution"] > 0]
        cells[f"n_segments_{name}"] = len(same)
        if same:
            most = max(same, key=lambda each: abs(each["contribution"]))
            cells[f"most_{name}"] = _segment(most)
    return cells


def _stated_name(row: Mapping[str, Any]) -> str:
    """What else a figure counts than one of the same measure on another page, in its name."""
    if row["is_expected"]:
        return f"{row['measure']}, adjusted for the expected season"
    if math.isfinite(row["age_days"]):
        return f"{row['measure']} by day {row['age_days']:g} of the visit, {row['counted']}"
    return row["measure"] if row["tested_by"] == DRIVER else f"{row['measure']} of {row['counted']}"


def _listed(names: list[str]) -> str:
    return SEPARATOR.join(dict.fromkeys(name for name in names if name))


def _segment(row: Row) -> str:
    return row["segment"] if isinstance(row["segment"], str) else ""


def _sign(value: float) -> int:
    return int(value > 0) - int(value < 0)
