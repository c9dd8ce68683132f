"""How often each side kept its half of the promise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.contract.plan import Company
from funnel.methods.qualification import qualification
from funnel.questions.handoff.share_by_time import share_by
from funnel.questions.handoff.times import FEEDBACK, NOT_GRADED, handovers, in_span
from funnel.results import Result, formats, no_rows, rows_of, speaks_for
from funnel.stats import NARROW, difference, smallest_detectable_rate, verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.dataset import Tables

SALES, MARKETING, ROUTING = "sales", "marketing", "routing"
ROUTED_WITHIN = 1.0  # days; the plan promises nothing here, and nobody is held to it
_SPANS = {"period": "", "baseline": "_baseline"}


@dataclass(frozen=True, eq=False, kw_only=True)
class Promises(Result):
    """What each side promised, and how often it was kept, by one table for all.

    `table` has one row per promise:

    - `side` (`sales`, `marketing`, or `routing`, which is neither's), `promise` (in words),
      `grade` and `within_days` (missing where the promise names none);
    - `kept` with `kept_low`, `kept_high` and `n`, of the leads handed over in the period, and
      `n_young` of them, who are younger than the promise and so not late;
      the same of the baseline with `_baseline`;
    - `change` (points of 1) with `change_low`, `change_high`, `verdict`, `smallest_detectable`.
    """

    company: Company = field(default_factory=Company)

    @property
    def headline(self) -> str:
        """The half of each side, in one sentence."""
        if self.table.empty:
            return "No lead was handed over, so no promise can be looked at."
        said = [self._half(side) for side in (SALES, MARKETING)]
        return f"{said[0]}; {said[1]}."

    def _half(self, side: str) -> str:
        rows = self.table[self.table["side"] == side]
        known = rows.dropna(subset="kept")
        name = "Sales' half" if side == SALES else "marketing's half"
        if known.empty:
            return f"{name} cannot be told"
        return f"{name}: " + ", ".join(self._said(row) for _, row in known.iterrows())

    def _said(self, row: pd.Series) -> str:
        share, low, high = (
            formats.share(row[end], self.company) for end in ("kept", "kept_low", "kept_high")
        )
        n = formats.number(row["n"], self.company)
        moved = f", {row['verdict']}" if pd.notna(row["kept_baseline"]) else ""
        return f"{row['promise']} {share} {formats.interval(low, high)} of {n}{moved}"

    def shown(self) -> pd.DataFrame:
        """Give each promise's share in the period and the baseline, and whether it moved."""
        rows = [row for _, row in self.table.iterrows()]
        return pd.DataFrame(
            {
                "side": self.table["side"],
                "promise": self.table["promise"],
                "verdict": self.table["verdict"],
                "this period": [self._cell(row, "") for row in rows],
                "too young": [formats.number(row["n_young"], self.company) for row in rows],
                "baseline": [self._cell(row, "_baseline") for row in rows],
                "change, points": [
                    formats.number_estimate(
                        row, "change", self.company, times=100, digits=1, sign=True
                    )
                    for row in rows
                ],
            }
        )

    def _cell(self, row: pd.Series, side: str) -> str:
        cell = {f"kept{end}": row[f"kept{side}{end}"] for end in ("", "_low", "_high")}
        return formats.share_estimate({**cell, "n": row[f"n{side}"]}, "kept", self.company, of="n")

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw each promise's share in the period and the baseline, with intervals."""
        from funnel.questions.handoff import charts

        return charts.promises(self, ax)


def promises(data: Tables) -> Promises:
    """Say how often each side kept its half of the plan's promise, now and in the baseline.

    Parameters
    ----------
    data
        A company's tables.

    Returns
    -------
    Promises
        Sales' half: a first action on each graded lead within the plan's days of its assignment,
        and feedback within the plan's days of the hand-over. Marketing's half: that what is handed
        over is what was agreed on. Routing lies between the two.

    Notes
    -----
    Leads younger than a promise are not late: they count as far as they were followed. A lead
    that nobody was assigned to is held against routing, not against a salesperson.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-05-05"], "grade": ["A"],
    ...                       "assigned_at": ["2026-05-05"]})
    >>> acts = pd.DataFrame({"lead_id": ["L-1"], "occurred_at": ["2026-05-06"], "kind": ["call"]})
    >>> table = promises(Tables.of(leads=leads, activities=acts, as_of="2026-06-30")).table
    >>> table.loc[table["grade"] == "A", ["promise", "kept"]].values.tolist()
    [['A: first action within 1 day', 1.0]]
    """
    frame = handovers(data)
    spans = {end: frame[in_span(frame, data, span)] for span, end in _SPANS.items()}
    table, caveats = [], [_told(frame, data)]
    for made in (*_sales(data, frame), *_routing(frame)):
        side, promise, grade, days, took, watched, of = made
        row = {"side": side, "promise": promise, "grade": grade, "within_days": days}
        for end, rows in spans.items():
            here = rows.index.intersection(of)
            share, low, high, n = share_by(took.loc[here], watched.loc[here], days, data.plan.level)
            n_young = int((took.loc[here].isna() & (watched.loc[here] < days)).sum())
            row |= _figures(end, share, low, high, n, n_young)
        table.append(row | _change(row, data.plan.level))
    row, says = _marketing(data, spans)
    table.append(row | _change(row, data.plan.level))
    caveats += says
    if not data.has("activities", "occurred_at"):
        caveats.append(
            "No sales action is recorded (table activities), so sales' half cannot be told. Ask "
            "Sales Ops for the log of calls, e-mails and meetings."
        )
    result = pd.DataFrame(table)
    if frame.empty:
        result = result.iloc[:0]
    return Promises(
        table=result,
        rows=_rows(spans),
        units={"kept": "share of leads handed over", "change": "points of 1"},
        written_caveats=tuple(says for says in caveats if says),
        **speaks_for(data),
    )


def _sales(data: Tables, frame: pd.DataFrame) -> Iterator[tuple]:
    if not data.has("activities", "occurred_at"):
        return
    is_given = frame["assigned_at"].notna() | frame["touched_at"].notna()
    if not frame["assigned_at"].notna().any():
        is_given = pd.Series(True, index=frame.index)  # assignments are not recorded
    for grade, days in data.plan.promise.items():
        if grade == FEEDBACK:
            continue
        of = frame.index[frame["grade"].eq(grade) & is_given]
        words = f"{grade}: first action within {_in_words(days)}"
        yield SALES, words, grade, days, frame["rep_days"], frame["held_days"], of
    days = data.plan.promise.get(FEEDBACK)
    if days is None or not frame["fed_back_at"].notna().any():
        return
    graded = [grade for grade in data.plan.promise if grade != FEEDBACK]
    of = frame.index[frame["grade"].isin(graded)] if graded else frame.index
    words = f"feedback within {_in_words(days)}"
    yield SALES, words, "", days, frame["feedback_days"], frame["watched_days"], of


def _routing(frame: pd.DataFrame) -> Iterator[tuple]:
    if not frame["assigned_at"].notna().any() or (frame["assigned_at"] == frame["handed_at"]).all():
        return
    words = f"assigned within {_in_words(ROUTED_WITHIN)}"
    took, watched = frame["routing_days"], frame["watched_days"]
    yield ROUTING, words, "", ROUTED_WITHIN, took, watched, frame.index


def _marketing(data: Tables, spans: dict[str, pd.DataFrame]) -> tuple[dict[str, object], list[str]]:
    """Give the share of what was handed over that meets the agreed definition."""
    row: dict[str, object] = {
        "side": MARKETING,
        "promise": "handed over as agreed",
        "grade": "",
        "within_days": np.nan,
    }
    says: list[str] = []
    meets = None
    found = qualification(data)
    if "agreed" in found.sides:
        meets = found.leads.set_index("lead_id")["agreed"]
    elif "agreed" in found.problems:
        says.append(f"Marketing's half cannot be told: {found.problems['agreed']}")
    else:
        says.append(
            "The plan holds no agreed definition of a lead, so marketing's half cannot be told: "
            "both teams can write it down under [definition]."
        )
    for end, rows in spans.items():
        if meets is None:
            row |= _figures(end, np.nan, np.nan, np.nan, 0, 0)
            continue
        kept = meets.reindex(rows["lead_id"]).to_numpy(dtype=float, na_value=np.nan)
        kept = kept[~np.isnan(kept)]
        share, low, high, n = share_by(
            np.where(kept > 0, 0.0, np.nan), np.ones(len(kept)), 0.5, data.plan.level
        )
        row |= _figures(end, share, low, high, n, 0)
    return row, says


def _figures(end: str, share: float, low: float, high: float, n: int, n_young: int) -> dict:
    return {
        f"kept{end}": share,
        f"kept{end}_low": low,
        f"kept{end}_high": high,
        f"n{end}": n,
        f"n_young{end}": n_young,
    }


def _change(row: dict, level: float) -> dict[str, object]:
    now, then = (
        tuple(row[f"kept{end}{tail}"] for tail in ("", "_low", "_high")) for end in _SPANS.values()
    )
    change = now[0] - then[0]
    low, high = difference(*now, *then) if np.isfinite(change) else (np.nan, np.nan)
    return {
        "change": change,
        "change_low": float(low),
        "change_high": float(high),
        "verdict": verdict(low, high, NARROW * then[0] if then[0] == then[0] else 0.0),
        "smallest_detectable": float(
            smallest_detectable_rate(then[0], row["n"], row["n_baseline"], level)
        ),
    }


def _told(frame: pd.DataFrame, data: Tables) -> str:
    says = f"A hand-over is {frame.attrs['starts_with']}; a lead counts once, at its first."
    n_before = frame.attrs["n_acted_before"]
    if n_before:
        says += f" Acted on before it: {_leads(n_before, data)}, whose clock reads 0."
    n_plain = int((frame["grade"] == NOT_GRADED).sum())
    if n_plain:
        says += f" Without a grade, and so without promised days: {_leads(n_plain, data)}."
    return says


def _leads(n: int, data: Tables) -> str:
    return f"{formats.number(n, data.plan.company)} lead{'s' * (n != 1)}"


def _in_words(days: float) -> str:
    if days < 1 or days != int(days):
        hours = 24 * days
        return f"{hours:g} hour{'s' * (hours != 1)}"
    return f"{days:g} day{'s' * (days != 1)}"


def _rows(spans: dict[str, pd.DataFrame]) -> pd.DataFrame:
    named = [
        rows_of(f"handed over, {span}", "leads", spans[end]["lead_id"])
        for span, end in _SPANS.items()
    ]
    return pd.concat(named, ignore_index=True) if named else no_rows()
