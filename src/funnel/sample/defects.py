"""Defects of the records: what exports get wrong, to be planted in the tables of a company.

Each is a function of the tables, a day and random draws that gives the tables as a system would
have exported them. What happened at the company stays the same.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

Frames = dict[str, pd.DataFrame]
Plant = Callable[[Frames, pd.Timestamp, np.random.Generator], Frames]
_MINUTE = pd.Timedelta(minutes=1)


@dataclass(frozen=True)
class Defect:
    """A defect, described, with what the checks should call it.

    `days` is how long before the period it begins (negative: within the period); a defect of the
    last days has 0 and begins on its own day, `last_days` before the end.
    """

    name: str
    planted: str
    plant: Plant
    what: tuple[str, ...]
    table: str
    days: tuple[int, int] = (-30, 120)
    last_days: int = 0


def _renamed_channel(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    made = dict(tables)
    for name, at in (("leads", "created_at"), ("touches", "occurred_at")):
        frame = tables[name]
        later = (frame[at] >= day) & frame["channel"].eq("paid search")
        made[name] = frame.assign(channel=frame["channel"].mask(later, "PPC"))
    return made


def _new_region(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    leads = tables["leads"]
    chosen = (leads["created_at"] >= day) & (rng.random(len(leads)) < 0.2)
    return tables | {"leads": leads.assign(region=leads["region"].mask(chosen, "Export"))}


def _dropped_industry(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    leads = tables["leads"]
    old = leads["industry"].mode().iloc[0]
    later = (leads["created_at"] >= day) & leads["industry"].eq(old)
    other = rng.choice(
        leads.loc[leads["industry"] != old, "industry"].dropna().unique(), len(leads)
    )
    return tables | {"leads": leads.assign(industry=leads["industry"].mask(later, other))}


def _new_owner_ids(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    leads = tables["leads"]
    later = leads["created_at"] >= day
    renamed = "user " + leads["owner"].str.removeprefix("rep-")
    return tables | {"leads": leads.assign(owner=leads["owner"].mask(later, renamed))}


def _new_deal_keys(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    deals = tables["deals"]
    later = deals["created_at"] >= day
    renamed = "OPP-" + deals["deal_id"].str[1:]
    return tables | {"deals": deals.assign(deal_id=deals["deal_id"].mask(later, renamed))}


def _bulk_recycle(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    changes = tables["stage_changes"]
    earlier = changes[changes["entered_at"] < day].drop_duplicates("lead_id", keep="last")
    earlier = earlier[~earlier["stage"].isin(["recycled", "rejected", "disqualified"])]
    size = min(max(len(changes) // 130, 40), len(earlier))
    chosen = earlier.sample(size, random_state=rng)
    at = day + pd.to_timedelta(9 * 3600 + rng.integers(0, 50, size), unit="s")
    rows = chosen.assign(stage="recycled", entered_at=at)
    return tables | {"stage_changes": pd.concat([changes, rows], ignore_index=True)}


def _list_import(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    leads = tables["leads"]
    rows = leads.sample(max(len(leads) // 60, 40), random_state=rng)
    at = day + pd.to_timedelta(10 * 3600 + rng.integers(0, 50, len(rows)), unit="s")
    ids = [f"L9{i:06d}" for i in range(len(rows))]
    rows = rows.assign(lead_id=ids, created_at=at, account_id=[f"A9{i}" for i in range(len(rows))])
    rows = rows.assign(email=None, owner=None, assigned_at=pd.NaT, score=rows["score"] + 0.5)
    return tables | {"leads": pd.concat([leads, rows], ignore_index=True)}


def _reassigned(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    leads = tables["leads"]
    recent = leads["created_at"].between(day - pd.Timedelta(days=60), day) & (
        leads["assigned_at"].notna()
    )
    chosen = recent & (rng.random(len(leads)) < 0.4)
    at = leads["assigned_at"].mask(chosen, day + 11 * 60 * _MINUTE)
    return tables | {"leads": leads.assign(assigned_at=at)}


def _migrated(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    leads = tables["leads"]
    at = day + pd.to_timedelta(rng.integers(0, 7200, len(leads)), unit="s")
    created = leads["created_at"].mask(leads["created_at"] < day, pd.Series(at, index=leads.index))
    return tables | {"leads": leads.assign(created_at=created)}


def _dates_only(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    changes = tables["stage_changes"]
    at = changes["entered_at"]
    return tables | {
        "stage_changes": changes.assign(entered_at=at.mask(at < day, at.dt.floor("D")))
    }


def _bought_team(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    leads = tables["leads"]
    region = leads["region"].mode().iloc[0]
    missing = (leads["created_at"] < day) & leads["region"].eq(region)
    missing &= ~leads["lead_id"].isin(tables["deals"]["lead_id"])
    return _without_leads(tables, missing)


def _leads_with_deals(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    leads = tables["leads"]
    missing = (leads["created_at"] < day) & ~leads["lead_id"].isin(tables["deals"]["lead_id"])
    return _without_leads(tables, missing)


def _without_leads(tables: Frames, missing: pd.Series) -> Frames:
    """The tables without some leads, whatever names them left open."""
    ids = tables["leads"].loc[missing, "lead_id"]
    made = dict(tables) | {"leads": tables["leads"][~missing]}
    for name in ("stage_changes", "activities"):
        if name in tables:
            made[name] = tables[name][~tables[name]["lead_id"].isin(ids)]
    for name in ("deals", "touches"):
        if name in tables:
            named = tables[name]["lead_id"]
            made[name] = tables[name].assign(lead_id=named.mask(named.isin(ids)))
    if "touches" in made:
        made["touches"] = made["touches"].dropna(subset=["lead_id"])
    return made


def _won_of_a_product(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    deals = tables["deals"]
    product = deals.loc[deals["outcome"] == "lost", "product"].mode().iloc[0]
    missing = (
        deals["product"].eq(product) & deals["outcome"].eq("lost") & (deals["closed_at"] < day)
    )
    return tables | {"deals": deals[~missing]}


def _won_only(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    deals = tables["deals"]
    return tables | {"deals": deals[~(deals["outcome"].eq("lost") & (deals["closed_at"] < day))]}


def _leads_begin(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    return _without_leads(tables, tables["leads"]["created_at"] < day)


def _touches_begin(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    touches = tables["touches"]
    return tables | {"touches": touches[touches["occurred_at"] >= day]}


def _changes_begin(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    changes = tables["stage_changes"]
    return tables | {"stage_changes": changes[changes["entered_at"] >= day]}


def _outage(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    changes = tables["stage_changes"]
    lost = changes["entered_at"].between(day, day + pd.Timedelta(days=12))
    return tables | {"stage_changes": changes[~lost]}


def _doubled_leads(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    return tables | {"leads": _doubled(tables["leads"], "created_at", "lead_id", day, rng)}


def _doubled_touches(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    return tables | {"touches": _doubled(tables["touches"], "occurred_at", "touch_id", day, rng)}


def _doubled_deals(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    return tables | {"deals": _doubled(tables["deals"], "created_at", "deal_id", day, rng, 0.5)}


def _doubled(
    frame: pd.DataFrame,
    at: str,
    key: str,
    day: pd.Timestamp,
    rng: np.random.Generator,
    share: float = 0.3,
) -> pd.DataFrame:
    """Frame with many of the rows from a day on twice, the second time under another key."""
    again = frame[(frame[at] >= day) & (rng.random(len(frame)) < share)]
    again = again.assign(**{key: again[key] + "X"})
    if "email" in again:
        again = again.assign(email=None)
    return pd.concat([frame, again], ignore_index=True)


def _late_closings(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    deals = tables["deals"]
    late = (deals["closed_at"] >= day) & (rng.random(len(deals)) < 0.75)
    return tables | {
        "deals": deals.assign(
            outcome=deals["outcome"].mask(late, "open"), closed_at=deals["closed_at"].mask(late)
        )
    }


def _unknown_stage(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    changes = tables["stage_changes"]
    later = (changes["entered_at"] >= day) & changes["stage"].eq("sql")
    renamed = changes["stage"].mask(later, "Sales qualified")
    return tables | {"stage_changes": changes.assign(stage=renamed)}


def _blank_industry(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    leads = tables["leads"]
    lost = (leads["created_at"] >= day) & (rng.random(len(leads)) < 0.6)
    return tables | {"leads": leads.assign(industry=leads["industry"].mask(lost))}


def _unlinked_deals(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    deals = tables["deals"]
    lost = (deals["created_at"] >= day) & (rng.random(len(deals)) < 0.7)
    return tables | {"deals": deals.assign(lead_id=deals["lead_id"].mask(lost))}


def _no_reasons(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    deals = tables["deals"]
    lost = (deals["closed_at"] < day) & (rng.random(len(deals)) < 0.95)
    return tables | {"deals": deals.assign(loss_reason=deals["loss_reason"].mask(lost))}


def _other_clock(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    changes = tables["stage_changes"]
    at = changes["entered_at"]
    return tables | {
        "stage_changes": changes.assign(entered_at=at.mask(at >= day, at - 120 * _MINUTE))
    }


def _cents(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    deals = tables["deals"]
    amount = deals["amount"].mask(deals["closed_at"] >= day, deals["amount"] * 100)
    return tables | {"deals": deals.assign(amount=amount)}


def _gross(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    deals = tables["deals"]
    amount = deals["amount"].mask(deals["closed_at"] >= day, (deals["amount"] * 1.19).round(2))
    return tables | {"deals": deals.assign(amount=amount)}


def _mass_closing(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    deals = tables["deals"]
    is_open = (deals["created_at"] < day) & ~(deals["closed_at"] < day)
    chosen = is_open & deals["outcome"].ne("won") & (rng.random(len(deals)) < 0.7)
    at = day + pd.to_timedelta(9 * 3600 + rng.integers(0, 8 * 3600, len(deals)), unit="s")
    return tables | {
        "deals": deals.assign(
            outcome=deals["outcome"].mask(chosen, "lost"),
            closed_at=deals["closed_at"].mask(chosen, pd.Series(at, index=deals.index)),
        )
    }


def _opened_when_closed(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    deals = tables["deals"]
    later = deals["closed_at"] >= day
    created = deals["created_at"].mask(later, deals["closed_at"] - 2 * _MINUTE)
    return tables | {"deals": deals.assign(created_at=created)}


def _keys_used_again(tables: Frames, day: pd.Timestamp, rng: np.random.Generator) -> Frames:
    leads = tables["leads"]
    later = leads.index[(leads["created_at"] >= day) & (rng.random(len(leads)) < 0.2)]
    old = leads.index[leads["created_at"] < day - pd.Timedelta(days=300)][: len(later)]
    later = later[: len(old)]
    ids = leads["lead_id"].copy()
    ids.loc[later] = ids.loc[old].to_numpy()
    return tables | {"leads": leads.assign(lead_id=ids)}


DEFECTS: dict[str, Defect] = {
    each.name: each
    for each in (
        Defect("channel renamed", "Paid search is called PPC from a day on.",
               _renamed_channel, ("value renamed",), "leads"),
        Defect("new region", "A fifth of leads are of a region that did not exist.",
               _new_region, ("value begins",), "leads"),
        Defect("industry dropped", "The largest industry is no longer a choice.",
               _dropped_industry, ("value ends",), "leads"),
        Defect("owner ids", "Owners have other ids from a day on.",
               _new_owner_ids, ("values replaced",), "leads"),
        Defect("deal keys", "Deals of a new system have keys of another form.",
               _new_deal_keys, ("value renamed",), "deals"),
        Defect("bulk recycle", "Some hundred leads are recycled within a minute.",
               _bulk_recycle, ("mass exit",), "stage_changes"),
        Defect("list import", "A list of leads is imported within a minute.",
               _list_import, ("rows at one time",), "leads"),
        Defect("reassigned", "Leads of two months are assigned again within a minute.",
               _reassigned, ("rows at one time",), "leads"),
        Defect("migration", "All earlier leads were created on the day of a migration.",
               _migrated, ("migrated on one day",), "leads", (0, 250)),
        Defect("dates only", "Stages were entered at midnight up to a day.",
               _dates_only, ("times without hours",), "stage_changes", (0, 250)),
        Defect("bought team", "Of one region, earlier leads exist only with a deal.",
               _bought_team, ("only leads with deals",), "leads", (0, 250)),
        Defect("leads with deals", "Earlier leads exist only with a deal.",
               _leads_with_deals, ("only leads with deals",), "leads", (0, 250)),
        Defect("won of a product", "Of one product, earlier deals exist only if won.",
               _won_of_a_product, ("only won deals",), "deals", (0, 150)),
        Defect("won only", "Earlier deals exist only if won.",
               _won_only, ("only won deals",), "deals", (0, 200)),
        Defect("leads begin", "Leads are exported from a day on, deals of all years.",
               _leads_begin, ("table begins",), "leads", (0, 200)),
        Defect("touches begin", "Touches are recorded from a day on.",
               _touches_begin, ("table begins",), "touches", (0, 250)),
        Defect("stages begin", "Stage changes are recorded from a day on.",
               _changes_begin, ("table begins",), "stage_changes", (0, 250)),
        Defect("outage", "No stage change is recorded for twelve days.",
               _outage, ("table interrupted",), "stage_changes"),
        Defect("doubled leads", "Three in ten leads are there twice, without an address.",
               _doubled_leads, ("doubled rows",), "leads"),
        Defect("doubled touches", "Three in ten touches are there twice.",
               _doubled_touches, ("doubled rows",), "touches"),
        Defect("doubled deals", "Every other deal is there twice.",
               _doubled_deals, ("doubled rows",), "deals"),
        Defect("late closings", "Three in four closings of the last twelve days are missing.",
               _late_closings, ("closings entered late",), "deals", (0, 0), 12),
        Defect("unknown stage", "The stage sql has another name from a day on.",
               _unknown_stage, ("rows rejected",), "stage_changes"),
        Defect("industry blank", "Six in ten leads have no industry from a day on.",
               _blank_industry, ("field filled since",), "leads"),
        Defect("deals unlinked", "Seven in ten deals name no lead from a day on.",
               _unlinked_deals, ("field filled since",), "deals"),
        Defect("reasons required", "Reasons of losses are required from a day on.",
               _no_reasons, ("field filled since",), "deals"),
        Defect("other clock", "Stages are entered two hours earlier: another time zone.",
               _other_clock, ("times shifted",), "stage_changes"),
        Defect("cents", "Amounts are in cents from a day on.",
               _cents, ("amounts rescaled",), "deals"),
        Defect("gross", "Amounts hold value-added tax from a day on.",
               _gross, ("amounts rescaled",), "deals"),
        Defect("mass closing", "Most open deals are set lost on one day.",
               _mass_closing, ("mass closing",), "deals"),
        Defect("opened when closed", "Deals are entered when they close, from a day on.",
               _opened_when_closed, ("opened when closed",), "deals"),
        Defect("keys used again", "New leads have keys of old ones.",
               _keys_used_again, ("rows rejected",), "leads"),
    )
}  # fmt: skip


def day_of(
    defect: Defect, period_start: dt.date, end: dt.date, rng: np.random.Generator
) -> dt.date:
    """The day on which a defect begins in a company whose period and data end so."""
    if defect.last_days:
        return end - dt.timedelta(days=defect.last_days - 1)
    return period_start - dt.timedelta(days=int(rng.integers(defect.days[0], defect.days[1] + 1)))
