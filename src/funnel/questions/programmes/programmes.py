"""Spend by channel and campaign, beside the leads and the wins of those leads."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from funnel.checks import is_unknown
from funnel.contract.labels import NOT_RECORDED
from funnel.dataset.stages import (
    new_business,
    opportunity_stage,
    reached,
    recorded_stages,
    won_stage,
)
from funnel.methods.ages import in_days
from funnel.methods.change_intervals import Typical, total_interval
from funnel.methods.question import Question, figure
from funnel.results import rows_of, speaks_for
from funnel.results.small_groups import SmallGroups
from funnel.stats import CANNOT_TELL, poisson_interval
from funnel.stats.survival import NOTHING, Incidence, incidence

if TYPE_CHECKING:
    from funnel.dataset import Tables

KEEP, STOP, TOO_EARLY = "keep", "stop", "too early"
NO_SPEND, NO_LEADS = "no spend", "no leads"
FIRST_WINS = 0.1  # share of all wins that has come by the age from which a programme is read
STOP_FROM = 0.5  # share of its wins that must be due before a programme may be called too dear
_COSTS = {"lead": "n_leads", "qualified": "n_qualified", "win": "n_wins"}
_GROUPED = SmallGroups(
    by=("channel", "campaign"),
    counts={
        "n_leads": ("cost_per_lead",),
        "n_qualified": ("cost_per_qualified",),
        "n_wins": ("cost_per_win", "bookings", "margin_per_spend"),
    },
    add_up=("n_leads", "n_wins"),
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Programmes(Question):
    """Spend on each channel and campaign, with its leads, their wins, and what each cost.

    `table` has one row per channel and campaign with spend or leads since spend is recorded, most
    spend first: `channel`, `campaign` (empty where spend names none), `spend` (currency of the
    plan), `n_leads`, `n_qualified`, `n_wins` (leads that were won), `expected_wins` (those that as
    many leads of the same ages bring in all programmes), `share_due` (of its wins, by the ages of
    its leads), `bookings`, `cost_per_lead`, `cost_per_qualified`, `cost_per_win` and
    `margin_per_spend`, each with `_low` and `_high`, `readable_on` and `verdict`.

    A cost of no win has a low end alone. `cost_per_win` and `margin_per_spend` (contribution margin
    for each unit spent) take wins that are still due into account. `verdict` is `keep` or `stop`
    where the interval of `margin_per_spend` lies above or below 1, `too early` until `readable_on`,
    `no spend`, `no leads`, or `cannot tell`.

    Attributes
    ----------
    first_day
        First day with spend: leads created since then are counted. None without spend.
    qualified
        Stage that counts as qualified; empty where none is recorded.
    first_wins_after
        Days by which the first tenth of wins has come; not a number without wins.
    margin
        Contribution margin of the plan.
    n_other, bookings_other
        Deals won since the first day that are of none of these leads, and their amount: earlier
        leads, deals without a lead, expansions and renewals.
    """

    grouped = (_GROUPED,)

    first_day: dt.date | None = None
    qualified: str = ""
    first_wins_after: float = math.nan
    margin: float = math.nan
    n_other: int = 0
    bookings_other: float = 0.0

    @figure
    def recent(self) -> Programmes:
        """The same for spend and leads of the last twelve months."""
        return programmes(self.data, since=_year_before(self.data.as_of))

    @figure
    def channels(self) -> Programmes:
        """The same by channel."""
        return Programmes(data=self.data, **_answer(self.data, ("channel",), None))


def programmes(data: Tables, *, since: dt.date | None = None) -> Programmes:
    """Answer to which channels and campaigns are worth their spend, and which are too recent.

    Spend is summed by channel and campaign before leads are joined to it. A win belongs to the
    channel and campaign of its lead, so that no deal is counted twice. Leads of all programmes
    together say which share of wins has come by which age (Kaplan and Meier); a programme's wins
    and bookings are divided by the share that is due at the ages of its own leads.

    Parameters
    ----------
    data
        A dataset; reads `spend`, `leads` and `deals`, as far as they are there.
    since
        First day of the spend and leads that are counted; by default the first day with spend.

    Notes
    -----
    Intervals: of counts, Garwood's exact one; of bookings, that of Fay and Feuer for sums of
    independent deals. Nothing is made of spend other than what was spent.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1", "L-2"], "created_at": "2026-01-02",
    ...     "channel": "web"})
    >>> spend = pd.DataFrame({"spent_on": ["2026-01-01", "2026-01-02"], "channel": ["web", "fair"],
    ...     "amount": [300.0, 90.0]})
    >>> found = programmes(Tables.of(as_of="2026-06-30", leads=leads, spend=spend))
    >>> found.table[["channel", "spend", "n_leads", "cost_per_lead"]].values.tolist()
    [['web', 300.0, 2, 150.0], ['fair', 90.0, 0, nan]]
    """
    names_campaigns = bool((~is_unknown(data.spend["campaign"])).any())
    by = ("channel", "campaign") if names_campaigns else ("channel",)
    return Programmes(data=data, **_answer(data, by, since))


def _year_before(day: dt.date) -> dt.date:
    """The day after the same day a year before."""
    return (pd.Timestamp(day) - pd.DateOffset(years=1) + pd.Timedelta(days=1)).date()


def _answer(data: Tables, by: Sequence[str], since: dt.date | None) -> dict[str, Any]:
    spent = data.spend[["spent_on", "amount", *by]].dropna(subset=["spent_on", "amount"])
    units = dict.fromkeys(("spend", "bookings", "cost_per_win"), data.plan.company.currency)
    made = {"units": units, "margin": data.plan.margin, **speaks_for(data)}
    if spent.empty:
        return {"table": _tidy([]), **made}
    every_lead = _leads(data, spent["spent_on"].min().date(), by)
    first_day = since or spent["spent_on"].min().date()
    spent = spent[spent["spent_on"] >= str(first_day)]
    leads = every_lead[every_lead["created_at"] >= data.plan.midnight(first_day)]
    won = _won(data, first_day).merge(leads[["lead_id", *by]], on="lead_id", how="left")
    curve = incidence(every_lead["days"], every_lead["is_won"])
    first_wins = curve.time_of(FIRST_WINS * _final(curve) - NOTHING) if len(curve.times) else np.nan
    has_lead = won["channel"].notna()
    typical = Typical.of(won.loc[has_lead, "amount"].dropna())
    sums = _by_programme(_named(spent, by), by)
    members, wins = _by_programme(leads, by), _by_programme(won[has_lead], by)
    rows, behind = [], [rows_of("", "deals", won["deal_id"].head(0))]
    for key in sorted({*sums, *members}):
        of_key = members.get(key, leads.head(0))
        of_won = wins.get(key, won.head(0))
        spend = float(sums[key]["amount"].sum()) if key in sums else 0.0
        row = {"campaign": ""} | dict(zip(by, key, strict=True))
        amounts = of_won["amount"]
        rows.append(row | _figures(data, spend, of_key, amounts, curve, typical, first_wins))
        behind.append(rows_of(f"won, {' '.join(key)}".strip(), "deals", of_won["deal_id"]))
    return {
        "table": _tidy(rows),
        "rows": pd.concat(behind, ignore_index=True),
        "first_day": first_day,
        "qualified": _qualified(data),
        "first_wins_after": float(first_wins),
        "n_other": int((~has_lead).sum()),
        "bookings_other": float(won.loc[~has_lead, "amount"].sum()),
        **made,
    }


def _by_programme(frame: pd.DataFrame, by: Sequence[str]) -> dict[tuple[str, ...], pd.DataFrame]:
    return dict(iter(frame.groupby(list(by))))


def _named(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Rows with a word for channels that are not recorded; no campaign is an empty word."""
    unknown = is_unknown(frame["channel"])
    cleaned = {"channel": frame["channel"].astype("object").mask(unknown, NOT_RECORDED)}
    if "campaign" in by:  # where the channel is not recorded, its campaigns are one row
        unknown |= is_unknown(frame["campaign"])
        cleaned["campaign"] = frame["campaign"].astype("object").mask(unknown, "")
    return frame.assign(**cleaned)


def _won(data: Tables, first_day: dt.date) -> pd.DataFrame:
    """Deals won since a day: `deal_id`, `lead_id` (of new business alone) and `amount`."""
    deals = data.deals
    is_won = deals["outcome"].eq("won") & (deals["closed_at"] >= data.plan.midnight(first_day))
    won = deals.loc[is_won, ["deal_id", "lead_id", "amount"]].copy()
    is_new = won["deal_id"].isin(new_business(data)["deal_id"])
    won["lead_id"] = won["lead_id"].where(is_new)
    return won


def _qualified(data: Tables) -> str:
    """The last stage before an opportunity that is recorded; empty for none."""
    order = data.plan.stages
    before = order[1 : order.index(opportunity_stage(order) or won_stage(order))]
    recorded = [stage for stage in before if stage in recorded_stages(data)]
    return recorded[-1] if recorded else ""


def _leads(data: Tables, first_day: dt.date, by: Sequence[str]) -> pd.DataFrame:
    """Leads created since a day, `days` until they were won or followed so far, and how far."""
    if data.leads.empty:
        names = ("lead_id", *by, "created_at", "days", "is_won", "is_qualified")
        return pd.DataFrame({name: pd.Series(dtype="object") for name in names})
    frame, won = reached(data), f"{won_stage(data.plan.stages)}_at"
    is_since = frame["created_at"] >= data.plan.midnight(first_day)
    leads = _named(data.leads.loc[is_since, ["lead_id", "created_at", *by]], by)
    is_won = frame.loc[is_since, won].notna()
    end = frame.loc[is_since, won].fillna(data.plan.midnight(data.as_of + dt.timedelta(days=1)))
    leads["days"] = in_days(end - leads["created_at"]).clip(lower=0.0)
    leads["is_won"] = is_won
    stage = _qualified(data)
    leads["is_qualified"] = frame.loc[is_since, f"{stage}_at"].notna() if stage else False
    return leads


def _final(curve: Incidence) -> float:
    """Share won by the oldest age that is known."""
    return float(curve.shares[0, -1]) if len(curve.times) else 0.0


def _figures(
    data: Tables,
    spend: float,
    leads: pd.DataFrame,
    amounts: pd.Series,
    curve: Incidence,
    typical: Typical | None,
    first_wins: float,
) -> dict[str, Any]:
    level, n = data.plan.level, len(leads)
    end = data.plan.midnight(data.as_of + dt.timedelta(days=1))
    ages = in_days(end - leads["created_at"]).to_numpy(float) if n else np.zeros(0)
    by_age, final = curve.share(ages), _final(curve)
    due = float(by_age.mean() / final) if n and final > 0 else math.nan
    row: dict[str, Any] = {
        "spend": spend,
        "n_leads": n,
        "n_qualified": int(leads["is_qualified"].sum()),
        "n_wins": int(leads["is_won"].sum()),
        "expected_wins": float(by_age.sum()),
        "share_due": due,
        "bookings": float(amounts.sum()),
    }
    for name, counted in _COSTS.items():
        scale = due if name == "win" else 1.0 if row[counted] else math.nan
        row |= _cost(f"cost_per_{name}", spend * scale, row[counted], level)
    row |= _margin(data, spend, amounts, typical, due)
    begins = leads["created_at"].min() if n else pd.NaT
    is_recent = n > 0 and not (ages >= first_wins).any()
    row["readable_on"] = (
        (begins + pd.Timedelta(days=first_wins)).tz_convert(data.plan.company.timezone).date()
        if is_recent and math.isfinite(first_wins)
        else None
    )
    return row | {"verdict": _verdict(row, is_recent=is_recent)}


def _cost(name: str, spend: float, count: int, level: float) -> dict[str, float]:
    """Spend over a count, with the exact interval of the count; of none, its low end alone."""
    if not spend > 0:
        return dict.fromkeys((name, f"{name}_low", f"{name}_high"), math.nan)
    low, high = poisson_interval(count, level)
    return {
        name: spend / count if count else math.nan,
        f"{name}_low": spend / float(high),
        f"{name}_high": spend / float(low) if count else math.nan,
    }


def _margin(
    data: Tables, spend: float, amounts: pd.Series, typical: Typical | None, due: float
) -> dict[str, float]:
    """Margin of the bookings of leads, with those still due, for each unit spent."""
    name = "margin_per_spend"
    if not (spend > 0 and due > 0) or typical is None:
        return dict.fromkeys((name, f"{name}_low", f"{name}_high"), math.nan)
    known = amounts.fillna(typical.mean)  # a win without an amount counts as an average one
    low, high = total_interval(known, typical, data.plan.level)
    each = data.plan.margin / (due * spend)
    return {
        name: each * float(known.sum()),
        f"{name}_low": each * low,
        f"{name}_high": each * high,
    }


def _verdict(row: dict[str, Any], *, is_recent: bool) -> str:
    """Keep, stop, or why neither can be made."""
    if not row["spend"] > 0:
        return NO_SPEND
    if not row["n_leads"]:
        return NO_LEADS
    if is_recent:
        return TOO_EARLY
    if row["margin_per_spend_low"] > 1:
        return KEEP
    if row["margin_per_spend_high"] < 1 and row["share_due"] >= STOP_FROM:
        return STOP
    return CANNOT_TELL


def _tidy(rows: list[dict[str, Any]]) -> pd.DataFrame:
    costs = [f"cost_per_{name}" for name in _COSTS] + ["margin_per_spend"]
    ends = [f"{name}{end}" for name in costs for end in ("", "_low", "_high")]
    floats = ["spend", "expected_wins", "share_due", "bookings", *ends]
    kinds = dict.fromkeys(("channel", "campaign", "verdict"), "str")
    kinds |= dict.fromkeys(_COSTS.values(), "int64") | dict.fromkeys(floats, "float64")
    columns = [
        *("channel", "campaign", "spend", *_COSTS.values(), "expected_wins", "share_due"),
        *("bookings", *ends, "readable_on", "verdict"),
    ]
    table = pd.DataFrame(rows, columns=columns).astype(kinds)
    order = ["spend", "n_leads", "channel", "campaign"]
    return table.sort_values(order, ascending=[False, False, True, True], ignore_index=True)
