"""Whether what was agreed is done: by marketing, who hands over, and by sales, who takes."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.contract.plan import Company
from funnel.methods.qualification.handoff import hand_over
from funnel.methods.qualification.leads import judged
from funnel.results import Result, formats, no_rows, rows_of
from funnel.stats import MOVED, NARROW, difference_of_rates, verdict, wilson

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.dataset import Tables

MEETS = "of leads handed over, meet it"
PASSED = "of leads that meet it, handed over"
TAKEN = "of leads handed over, accepted"
TAKEN_MEETING = "of those that meet it, accepted"
TAKEN_OTHER = "of those that do not, accepted"
_HALF = {
    MEETS: "marketing",
    PASSED: "marketing",
    TAKEN: "sales",
    TAKEN_MEETING: "sales",
    TAKEN_OTHER: "sales",
}
_DAY = pd.Timedelta(days=1)
_LONGEST_BEFORE = 365


@dataclass(frozen=True, eq=False, kw_only=True)
class Adherence(Result):
    """How often both sides do what the agreed definition says.

    `table` has one row per `comparison` (`agreement`: since it was agreed, against up to a year
    before; `period`: the plan's period against its baseline) and `what`, with the `half` of the
    promise it belongs to (`marketing` hands over, `sales` takes): `n`, `k`, `share` with
    `share_low`, `share_high`; the same of the time before as `..._before`; `change` (points of 1)
    with `change_low`, `change_high` and `verdict`.
    """

    company: Company = field(default_factory=Company)
    agreed_on: dt.date | None = None
    why: str = ""

    @property
    def headline(self) -> str:
        """One sentence for both halves, since the agreement where its day is known."""
        rows = self._rows()
        if rows.empty:
            return f"Whether the agreed definition is kept cannot be told: {self.why}."
        says = []
        for what, words in (
            (MEETS, "of {n} leads handed over, {share} meet the agreed definition"),
            (TAKEN_MEETING, "of {n} that meet it and were handed over, {share} were accepted"),
        ):
            row = rows.loc[what] if what in rows.index else {"n": 0}
            if row["n"]:
                n = formats.number(row["n"], self.company)
                says.append(words.format(n=n, share=self._with_before(row)))
        if not says:
            return "Whether the agreed definition is kept cannot be told: no lead was handed over."
        since = self._since()
        return f"{since}: {'; '.join(says)}."

    def _since(self) -> str:
        if self.agreed_on is not None and self._comparison() == "agreement":
            return f"Since {formats.day(self.agreed_on, self.company)}"
        return "In this period"

    def _comparison(self) -> str:
        here = set(self.table["comparison"])
        return "agreement" if "agreement" in here else "period"

    def _rows(self) -> pd.DataFrame:
        return self.table[self.table["comparison"] == self._comparison()].set_index("what")

    def _with_before(self, row: pd.Series) -> str:
        share = formats.share(row["share"], self.company)
        ends = (formats.number(100 * row[f"share_{end}"], self.company) for end in ("low", "high"))
        says = f"{share} {formats.interval(*ends)}"
        if row["n_before"]:
            says += f" ({formats.share(row['share_before'], self.company)} before)"
        return says

    def shown(self) -> pd.DataFrame:
        """Give each share since it was agreed and before, or of the two periods."""
        if self.table.empty:
            return pd.DataFrame()
        now, then = {
            "agreement": ("since agreed", "year before"),
            "period": ("this period", "baseline"),
        }[self._comparison()]
        each = [row for _, row in self._rows().reset_index().iterrows()]
        return pd.DataFrame(
            {
                "half": [row["half"] for row in each],
                "share": [row["what"] for row in each],
                now: [formats.share_estimate(row, "share", self.company, of="n") for row in each],
                then: [self._before(row) for row in each],
                "change, points": [
                    formats.number_estimate(
                        row, "change", self.company, times=100, digits=1, sign=True
                    )
                    for row in each
                ],
                "verdict": [row["verdict"] for row in each],
            }
        )

    def _before(self, row: pd.Series) -> str:
        values = {f"share{end}": row[f"share_before{end}"] for end in ("", "_low", "_high")}
        return formats.share_estimate(
            {**values, "n": row["n_before"]}, "share", self.company, of="n"
        )

    @property
    def moved(self) -> tuple[str, ...]:
        """The shares that moved, in words of the table."""
        rows = self._rows()
        return tuple(rows.index[rows["verdict"] == MOVED])

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw each share and the one before."""
        from funnel.questions.definition import charts

        return charts.adherence(self, ax)


def adherence(data: Tables) -> Adherence:
    """Say how often leads handed over meet the agreed definition, and how often sales takes them.

    Parameters
    ----------
    data
        A company's tables, with `agreed` in the plan's `[definition]`; with `agreed_on`, the time
        since is compared with up to a year before.

    Notes
    -----
    Nobody is late who is too young: a lead counts as not handed over once it is as old as nine in
    ten of those handed over were, and as not accepted once it has waited as long as nine in ten of
    those accepted had. Shares have Wilson intervals, changes Newcombe's.

    Examples
    --------
    >>> import pandas as pd
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> adherence(Tables.of(leads=leads, as_of="2026-01-31")).headline
    'Whether the agreed definition is kept cannot be told: the plan names no agreed definition.'
    """
    who, way = judged(data), hand_over(data)
    why = _why_not(data)
    table, rows = [], []
    for comparison, now, then in () if why else _spans(data):
        for what in _HALF:
            both = [_hits(data, what, span) for span in (now, then)]
            if both[0] is None:
                continue
            counts = [(int(each["hit"].sum()), len(each)) for each in both]
            table.append(
                {"comparison": comparison, "half": _HALF[what], "what": what}
                | _compared(*counts[0], *counts[1], data.plan.level)
            )
            hits = both[0].loc[both[0]["hit"], "lead_id"]
            rows.append(rows_of(f"{what}, {comparison}", "leads", hits))
    return Adherence(
        table=pd.DataFrame(table, columns=_COLUMNS),
        as_of=data.as_of,
        rows=pd.concat(rows, ignore_index=True) if rows else no_rows(),
        units={"share": "share of leads", "change": "points of 1"},
        level=data.plan.level,
        written_caveats=() if why else (*_limits(data), *who.caveats),
        company=data.plan.company,
        agreed_on=data.plan.definition.agreed_on,
        why=why or ("" if way.is_known else "no hand-over is recorded"),
    )


_COLUMNS = [
    *("comparison", "half", "what", "n", "k", "share", "share_low", "share_high"),
    *("n_before", "k_before", "share_before", "share_before_low", "share_before_high"),
    *("change", "change_low", "change_high", "verdict"),
]


def _why_not(data: Tables) -> str:
    who = judged(data)
    if "agreed" not in who.texts:
        return "the plan names no agreed definition"
    if "agreed" in who.problems:
        return f"it cannot be used ({who.problems['agreed'].rstrip('.')})"
    if data.leads.empty:
        return "there are no leads"
    if not hand_over(data).is_known:
        return "no hand-over is recorded, by stage or by `assigned_at`"
    return ""


def _limits(data: Tables) -> tuple[str, ...]:
    way, company = hand_over(data), data.plan.company
    says = [
        f"Handed over means `{way.stage}`"
        + (f", accepted means `{way.accepted}`" if way.accepted else "; no acceptance is recorded")
        + "."
    ]
    if data.plan.definition.agreed_on is None:
        says.append("The plan does not say since when it is agreed, so the two periods are shown.")
    elif data.plan.definition.agreed_on > data.as_of:
        day = formats.day(data.plan.definition.agreed_on, company)
        says.append(f"The definition is agreed from {day} on, after the last day of the data.")
    return tuple(says)


Span = tuple[pd.Timestamp, pd.Timestamp]


def _spans(data: Tables) -> list[tuple[str, Span, Span]]:
    def moments(start: dt.date, after: dt.date) -> Span:
        return pd.Timestamp(data.plan.midnight(start)), pd.Timestamp(data.plan.midnight(after))

    both, agreed_on = data.comparison, data.plan.definition.agreed_on
    spans = []
    if agreed_on is not None and agreed_on <= data.as_of:
        after = data.as_of + dt.timedelta(days=1)
        before = agreed_on - dt.timedelta(days=_LONGEST_BEFORE)
        spans.append(("agreement", moments(agreed_on, after), moments(before, agreed_on)))
    periods = (moments(span.start, span.after) for span in (both.period, both.baseline))
    return [*spans, ("period", *periods)]


def _hits(data: Tables, what: str, span: Span) -> pd.DataFrame | None:
    """Leads that one share is of, and whether each counts; nothing where it cannot be told."""
    way, leads = hand_over(data), judged(data).leads
    leads = leads[leads["agreed"].notna()] if what not in (TAKEN,) else leads
    meets = leads["agreed"].fillna(False).to_numpy(bool)
    waited = (leads["handed_at"] - leads["created_at"]) / _DAY
    if what == PASSED:
        here = _within(leads["created_at"], span) & meets & (leads["age_days"] >= way.usual_days)
        return _marked(leads[here], (waited <= way.usual_days)[here])
    here = _within(leads["handed_at"], span)
    if what == MEETS:
        return _marked(leads[here], pd.Series(meets, index=leads.index)[here])
    if not way.accepted or way.decision_days != way.decision_days:
        return None
    here &= leads["age_days"] >= waited + way.decision_days
    if what == TAKEN_MEETING:
        here &= meets
    if what == TAKEN_OTHER:
        here &= ~meets
    took = (leads["accepted_at"] - leads["handed_at"]) / _DAY
    return _marked(leads[here], (took <= way.decision_days)[here])


def _within(moments: pd.Series, span: Span) -> pd.Series:
    return (moments >= span[0]) & (moments < span[1])


def _marked(leads: pd.DataFrame, hit: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({"lead_id": leads["lead_id"], "hit": hit.to_numpy(bool)})


def _compared(k1: int, n1: int, k0: int, n0: int, level: float) -> dict[str, object]:
    ends = [wilson(k, n, level) if n else (np.nan, np.nan) for k, n in ((k1, n1), (k0, n0))]
    known = n1 > 0 and n0 > 0
    low, high = difference_of_rates(k1, n1, k0, n0, level) if known else (np.nan, np.nan)
    before = k0 / n0 if n0 else np.nan
    return {
        "n": n1,
        "k": k1,
        "share": k1 / n1 if n1 else np.nan,
        "share_low": float(ends[0][0]),
        "share_high": float(ends[0][1]),
        "n_before": n0,
        "k_before": k0,
        "share_before": before,
        "share_before_low": float(ends[1][0]),
        "share_before_high": float(ends[1][1]),
        "change": k1 / n1 - before if known else np.nan,
        "change_low": float(low),
        "change_high": float(high),
        "verdict": verdict(low, high, NARROW * before if known else 0.0),
    }
