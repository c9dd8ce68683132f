"""One deal's whole way: every touch, stage and sales action up to its close, and after it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.contract.errors import ParameterError
from funnel.contract.plan import Company
from funnel.methods.paths.scope import asked, ends_of, utc
from funnel.methods.paths.tracing import reasons
from funnel.results import ROWS_SHOWN, Result, first_rows, formats, rows_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.dataset import Tables

TOUCH, LEAD, STAGE, ACTION = "touch", "lead created", "stage", "sales action"
_TABLES = {TOUCH: "touches", LEAD: "leads"}


@dataclass(frozen=True, eq=False, kw_only=True)
class Trace(Result):
    """One deal's way, from the first known touch of anybody on its account to its close.

    `table` has one row per event, in order of time: `happened_at` (UTC), `event` (`touch`, `lead
    created`, `stage`, `sales action`, `deal opened`, `deal won`, `deal lost`), `what` (the
    channel, stage or kind), `lead_id`, `detail` (campaign, content or reason), `id` (the row's
    key, where it has one), `position` (of a touch in the journey; 0 elsewhere),
    `days_before_close` (to the last day of the data, where the deal is open; negative after the
    close), `is_after` (the close: such a touch counts in no journey).

    Attributes
    ----------
    reason
        Why it does not trace; empty where it does.
    """

    deal_id: str
    outcome: str
    amount: float
    reason: str
    company: Company

    @property
    def headline(self) -> str:
        """Where the deal was first met, by how many touches it came, and how it ended."""
        company, table = self.company, self.table
        if not self.deal_id:
            return "There are no deals to trace."
        touches = table[(table["event"] == TOUCH) & ~table["is_after"]]
        says = f"Deal {self.deal_id}, {self._end()}"
        if touches.empty:
            return f"{says}, does not trace: {self.reason}."
        first, n = touches.iloc[0], formats.number(len(touches), company)
        people = touches["lead_id"].nunique()
        by = f" of {formats.number(people, company)} people" if people > 1 else ""
        noun = "touch" if len(touches) == 1 else "touches"
        days = formats.number(max(first["days_before_close"], 0), company)
        on = _day(first["happened_at"], company)
        return (
            f"{says}, was first met through {first['what']} on {on}, "
            f"{days} days before; {n} {noun}{by} came before the end."
        )

    def _end(self) -> str:
        last = self.table[self.table["event"].isin([f"deal {self.outcome}"])]
        money = "" if np.isnan(self.amount) else f" ({formats.money(self.amount, self.company)})"
        if last.empty:
            return f"{self.outcome}{money}"
        return f"{self.outcome} on {_day(last['happened_at'].iloc[0], self.company)}{money}"

    def shown(self) -> pd.DataFrame:
        """Give the events in words, with the days that each lies before the close."""
        company = self.company
        table = self.table
        if len(table) > ROWS_SHOWN:  # what sales did is in the picture
            table = table[table["event"] != ACTION]
        if len(table) > ROWS_SHOWN:
            table = table[table["event"] != STAGE]
        rows = first_rows(table)
        rows.attrs["n_rows"] = len(self.table)
        shown = pd.DataFrame(
            {
                "on": [_day(at, company) for at in rows["happened_at"]],
                "days before the end": [
                    "" if np.isnan(days) else formats.number(days, company)
                    for days in rows["days_before_close"]
                ],
                "event": rows["event"].where(~rows["is_after"], rows["event"] + ", after the end"),
                "what": rows["what"].fillna(""),
                "detail": rows["detail"].fillna(""),
                "lead": rows["lead_id"].fillna(""),
            }
        )
        shown.attrs = rows.attrs
        return shown

    def plot(self, ax: Axes | None = None) -> Axes:
        """Touches by channel, stages and sales actions along the days."""
        from funnel.questions.attribution.path_charts import trace

        return trace(self, ax)


def trace(data: Tables, deal_id: str = "") -> Trace:
    """Show one deal's whole way, whatever became of it.

    Parameters
    ----------
    data
        A company's tables. Reads `deals`, `leads`, `touches`, `stage_changes`, `activities`.
    deal_id
        The deal's key; the newest won deal with a touch before its close if left out (without
        one, the newest won deal; without any, the newest deal).

    Returns
    -------
    Trace
        One row per event, in order of time. Touches, stages and sales actions are those of every
        lead of its account; a touch after the close is told and counts in no journey.

    Raises
    ------
    ParameterError
        If there is no such deal.

    Examples
    --------
    >>> from funnel.methods.paths.example import small_company
    >>> way = trace(small_company(), "D-1")
    >>> way.table["event"].tolist()
    ['touch', 'lead created', 'stage', 'touch', 'deal opened', 'deal won']
    >>> way.table.loc[way.table["position"] > 0, "what"].tolist()
    ['web', 'demo']
    """
    chosen = str(deal_id) or _newest(data)
    if not chosen:
        return _none(data)
    deals = data.sql(
        "select outcome, amount, closed_at from deals where deal_id = $deal_id", deal_id=chosen
    )
    if deals.empty:
        raise ParameterError(_no_such_deal(data, chosen))
    deal = deals.iloc[0]
    table = data.step("deal_events", deal_id=chosen)
    for text in ("event", "what", "lead_id", "detail", "id"):
        table[text] = table[text].astype("str")
    table["happened_at"] = utc(table["happened_at"])
    closed = pd.Timestamp(deal["closed_at"]) if deal["outcome"] != "open" else pd.NaT
    end = data.plan.midnight(data.as_of) if pd.isna(closed) else closed.tz_localize("UTC")
    days = (pd.Timestamp(end) - table["happened_at"]).dt.total_seconds() / 86_400
    is_after = pd.Series(False, index=table.index)
    if not pd.isna(closed):
        is_after = table["happened_at"] > closed.tz_localize("UTC")
    in_journey = (table["event"] == TOUCH) & ~is_after
    table = table.assign(
        position=in_journey.cumsum().where(in_journey, 0),
        days_before_close=days,
        is_after=is_after,
    )
    return Trace(
        table=table,
        as_of=data.as_of,
        rows=_rows(table, chosen),
        units={"days_before_close": "days", "happened_at": "UTC"},
        level=data.plan.level,
        written_caveats=_caveats(table, data.plan.company),
        deal_id=chosen,
        outcome=str(deal["outcome"]),
        amount=float(deal["amount"]),
        reason="" if in_journey.any() else _reason(data, chosen),
        company=data.plan.company,
    )


def _newest(data: Tables) -> str:
    """Find the newest won deal that traces; else the newest won deal; else the newest deal."""
    which = asked(data)
    won = ends_of(data, which)
    if len(won):
        first = data.step("journey_firsts", **which.of_touches)
        traced = won[won["journey_id"].isin(first["journey_id"])]
        return str((traced if len(traced) else won)["journey_id"].iloc[-1])
    newest = data.sql("select deal_id from deals order by created_at desc, deal_id desc limit 1")
    return str(newest["deal_id"].iloc[0]) if len(newest) else ""


def _none(data: Tables) -> Trace:
    """Answer for a company without deals."""
    table = pd.DataFrame({name: pd.Series(dtype="str") for name in ("event", "what", "lead_id")})
    table["happened_at"] = pd.Series(dtype="datetime64[us, UTC]")
    table["is_after"] = pd.Series(dtype="bool")
    for number in ("position", "days_before_close"):
        table[number] = pd.Series(dtype="float64")
    return Trace(
        table=table.assign(detail="", id=""),
        as_of=data.as_of,
        level=data.plan.level,
        deal_id="",
        outcome="",
        amount=float("nan"),
        reason="there are no deals",
        company=data.plan.company,
    )


def _reason(data: Tables, deal_id: str) -> str:
    which = asked(data, to=_opened(data))
    ends = ends_of(data, which)
    ends = ends[ends["journey_id"] == deal_id].reset_index(drop=True)
    if ends.empty:
        return "no touch before its end"
    told = reasons(data, ends, which, pd.Series(True, index=ends.index)).iloc[0]
    return told.replace(which.moment, "its end")


def _opened(data: Tables) -> str:
    from funnel.dataset.stages import opportunity_stage, won_stage

    return opportunity_stage(data.plan.stages) or won_stage(data.plan.stages)


def _rows(table: pd.DataFrame, deal_id: str) -> pd.DataFrame:
    parts = [rows_of("deal", "deals", pd.Series([deal_id]))]
    for event, name in _TABLES.items():
        ids = table.loc[(table["event"] == event) & table["id"].notna(), "id"]
        parts.append(rows_of(event, name, ids))
    return pd.concat(parts, ignore_index=True)


def _caveats(table: pd.DataFrame, company: Company) -> tuple[str, ...]:
    after = int((table["is_after"] & (table["event"] == TOUCH)).sum())
    if not after:
        return ()
    noun = "touch lies" if after == 1 else "touches lie"
    return (f"{formats.number(after, company)} {noun} after the close and count in no journey.",)


def _no_such_deal(data: Tables, deal_id: str) -> str:
    known = data.sql("select deal_id from deals order by deal_id limit 100000")["deal_id"]
    if known.empty:
        return f"There is no deal {deal_id!r}: the tables hold no deals."
    near = difflib.get_close_matches(deal_id, known.tolist()[:20_000], n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there is, for example, {known[0]}."
    return f"There is no deal {deal_id!r}; {hint}"


def _day(moment: pd.Timestamp, company: Company) -> str:
    if pd.isna(moment):
        return ""
    local = moment.tz_convert(company.timezone)
    return formats.day(local.date(), company).replace(" ", formats.NO_BREAK)
