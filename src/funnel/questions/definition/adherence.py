"""How often both teams do what was agreed: marketing hands over, sales accepts."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.contract.periods import Period
from funnel.methods.qualification import (
    NO_HANDOFF,
    HandoffStages,
    Missing,
    handoff_stages,
    qualification,
)
from funnel.methods.rates import rate, rate_change
from funnel.results import Result, no_rows, rows_of, speaks_for
from funnel.results.small_groups import SmallGroups

if TYPE_CHECKING:
    from funnel.dataset import Tables

MEETS = "of leads handed over, meet it"
PASSED = "of leads that meet it, handed over"
TAKEN = "of leads handed over, accepted"
TAKEN_MEETING = "of those that meet it, accepted"
TAKEN_OTHER = "of those that do not, accepted"
SHARES = {
    MEETS: "marketing",
    PASSED: "marketing",
    TAKEN: "sales",
    TAKEN_MEETING: "sales",
    TAKEN_OTHER: "sales",
}
NOT_AGREED, NOT_USABLE, NO_LEADS = "not agreed", "not usable", "no leads"
_DAY = pd.Timedelta(days=1)
_LONGEST_BEFORE = 365


@dataclass(frozen=True, eq=False, kw_only=True)
class Adherence(Result):
    """How often both teams do what the agreed definition says.

    `table` has one row per `comparison` (`agreement`: since it was agreed, compared with up to a
    year before; `period`: the plan's period compared with its baseline) and `what`, with the team
    (`half`) that it is about: `marketing` hands over, `sales` accepts:

    - `n`, `k`, `share` with `share_low`, `share_high`; the same of the time before as
      `..._before`;
    - `change` (points of 1) with `change_low`, `change_high` and `verdict`.

    `agreed_on` is the day of the agreement; `problems` says why a definition cannot be used.
    """

    grouped = (
        SmallGroups(
            by=("comparison", "half", "what"),
            counts={
                "n": ("k", "share", "change"),
                "k": ("share", "change"),
                "n_before": ("k_before", "share_before", "change"),
                "k_before": ("share_before", "change"),
            },
        ),
    )

    handoff: HandoffStages
    agreed_on: dt.date | None = None
    problems: tuple[str, ...] = ()
    missing: Missing | None = None

    @property
    def comparison(self) -> str:
        """Which comparison a page shows: `agreement` where its day is known, else `period`."""
        return "agreement" if (self.table["comparison"] == "agreement").any() else "period"

    @property
    def shares(self) -> pd.DataFrame:
        """The rows of that comparison, by `what`."""
        return self.table[self.table["comparison"] == self.comparison].set_index("what")


def adherence(data: Tables) -> Adherence:
    """How often leads handed over meet the agreed definition, and how often sales accepts them.

    Parameters
    ----------
    data
        The dataset, with `agreed` in the plan's `[definition]`. With `agreed_on`, the time since is
        compared with up to a year before.

    Notes
    -----
    Recent leads do not count against anybody. A lead counts as not handed over once it is as old as
    nine in ten of those handed over were. It counts as not accepted once it has waited as long as
    nine in ten of those accepted had. Shares have Wilson intervals, changes Newcombe's.
    """
    missing = _missing(data)
    table, rows = [], [no_rows()]
    for comparison, now, then in () if missing else _spans(data):
        for what, half in SHARES.items():
            after, before = (_hits(data, what, span) for span in (now, then))
            if after is None:
                continue
            table.append(
                {"comparison": comparison, "half": half, "what": what}
                | _compared(after["hit"], before["hit"], data.plan.level)
            )
            rows.append(
                rows_of(f"{what}, {comparison}", "leads", after.loc[after["hit"], "lead_id"])
            )
    return Adherence(
        table=pd.DataFrame(table, columns=_COLUMNS),
        rows=pd.concat(rows, ignore_index=True),
        units={"share": "share of leads", "change": "points of 1"},
        handoff=handoff_stages(data),
        agreed_on=data.plan.definition.agreed_on,
        problems=tuple(qualification(data).problems.values()),
        missing=missing,
        **speaks_for(data),
    )


_COLUMNS = [
    *("comparison", "half", "what", "n", "k", "share", "share_low", "share_high"),
    *("n_before", "k_before", "share_before", "share_before_low", "share_before_high"),
    *("change", "change_low", "change_high", "verdict"),
]


def _missing(data: Tables) -> Missing | None:
    known = qualification(data)
    if "agreed" not in known.texts:
        return Missing(NOT_AGREED)
    if "agreed" in known.problems:
        return Missing(NOT_USABLE, name=known.problems["agreed"])
    if data.leads.empty:
        return Missing(NO_LEADS)
    return None if handoff_stages(data).is_known else Missing(NO_HANDOFF)


def _spans(data: Tables) -> list[tuple[str, Period, Period]]:
    both, agreed_on = data.comparison, data.plan.definition.agreed_on
    spans = []
    if agreed_on is not None and agreed_on <= data.as_of:
        before = Period.between(agreed_on - dt.timedelta(days=_LONGEST_BEFORE), agreed_on)
        spans.append(("agreement", Period(agreed_on, data.as_of), before))
    return [*spans, ("period", both.period, both.baseline)]


def _hits(data: Tables, what: str, span: Period) -> pd.DataFrame | None:
    """The leads that a share is of, and which of them count; nothing where it is not recorded."""
    handoff, leads = handoff_stages(data), qualification(data).leads
    if what != TAKEN:
        leads = leads[leads["agreed"].notna()]
    meets = leads["agreed"].fillna(False).astype(bool)
    if what == PASSED:
        here = data.plan.within(leads["created_at"], span) & meets
        here &= leads["age_days"] >= handoff.usual_days
        waited = (leads["handed_at"] - leads["created_at"]) / _DAY
        return _marked(leads[here], (waited <= handoff.usual_days)[here])
    here = data.plan.within(leads["handed_at"], span)
    if what == MEETS:
        return _marked(leads[here], meets[here])
    if not handoff.is_decided:
        return None
    here &= leads["is_due"]
    if what == TAKEN_MEETING:
        here &= meets
    if what == TAKEN_OTHER:
        here &= ~meets
    return _marked(leads[here], leads.loc[here, "in_time"])


def _marked(leads: pd.DataFrame, hit: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({"lead_id": leads["lead_id"], "hit": hit.to_numpy(bool)})


def _compared(after: pd.Series, before: pd.Series, level: float) -> dict[str, object]:
    row: dict[str, object] = {}
    for hits, end in ((after, ""), (before, "_before")):
        k, n = int(hits.sum()), len(hits)
        row |= {f"n{end}": n, f"k{end}": k, **rate(f"share{end}", k, n, level)}
    return row | rate_change(row, "share", "share_before")
