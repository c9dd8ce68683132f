"""When each lead first reached each stage, and how it left.

A lead may skip a stage, come back to one, or leave and return. The first entry counts, a skipped
stage counts as reached with the next one, and a stage once reached stays reached. Every analysis
of conversion starts from these rows, so all of them count in the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.dataset.cache import cached, shared

if TYPE_CHECKING:
    from funnel.dataset import Tables

UTC_TIME = "datetime64[us, UTC]"
NEW = "new"
_OPPORTUNITY, _WON = "opportunity", "won"
_OUTCOMES = ("returned_from", "n_repeats", "n_deals", "n_won", "amount")


def is_followed_by_lead(data: Tables) -> bool:
    """Whether leads are followed; without any, deals are, from their own creation.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> deals = pd.DataFrame({"deal_id": ["D-1"], "created_at": ["2026-01-05"],
    ...                       "outcome": ["open"]})
    >>> is_followed_by_lead(Tables.of(deals=deals, as_of="2026-01-31"))
    False
    """
    return not data.leads.empty or data.deals.empty


def new_business(data: Tables) -> pd.DataFrame:
    """Deals that are no expansion or renewal; one without a `kind` counts as new.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> deals = pd.DataFrame({"deal_id": ["D-1", "D-2"], "created_at": "2026-01-05",
    ...                       "outcome": "open", "kind": ["renewal", None]})
    >>> new_business(Tables.of(deals=deals, as_of="2026-01-31"))["deal_id"].tolist()
    ['D-2']
    """
    return data.deals[data.deals["kind"].fillna(NEW).eq(NEW)]


@shared
def recorded_stages(data: Tables) -> tuple[str, ...]:
    """The plan's stages that this dataset records, in order.

    Leads record the first stage, deals record opportunity and won; any other stage needs at least
    one stage change. A stage that nothing records is unknown, not skipped by every lead. Deals that
    are all won record no opportunity: those that were lost, or are open, are missing.

    Parameters
    ----------
    data
        A dataset.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> recorded_stages(Tables.of(leads=leads, as_of="2026-01-31"))
    ('lead',)
    """
    plan = data.plan
    entered = changed_stages(data) if is_followed_by_lead(data) else frozenset()
    if not data.deals.empty:
        entered |= {won_stage(plan.stages)}
        if not has_only_wins(data):
            entered |= {opportunity_stage(plan.stages)}
    if is_followed_by_lead(data):
        entered |= {plan.stages[0]}
    return tuple(stage for stage in plan.stages if stage in entered)


def has_only_wins(data: Tables) -> bool:
    """Whether every new deal on record is won, so that no rate of deals has a denominator."""
    return bool(new_business(data)["outcome"].eq("won").all())


@cached
def changed_stages(data: Tables) -> frozenset[str]:
    """Stages and exits that any stage change names."""
    rows = data.engine.rows("select distinct stage from stage_changes where stage is not null")
    return frozenset(stage for (stage,) in rows)


def opportunity_stage(stages: tuple[str, ...]) -> str:
    """Stage that a lead enters when a deal is opened; empty if the plan has none."""
    return _OPPORTUNITY if _OPPORTUNITY in stages[1:] else ""


def won_stage(stages: tuple[str, ...]) -> str:
    """Stage that a lead enters when a deal is won: `won`, or else the plan's last."""
    return _WON if _WON in stages else stages[-1]


@cached
def reached(data: Tables) -> pd.DataFrame:
    """When each lead first reached each stage of the plan, and how it left.

    Parameters
    ----------
    data
        A dataset. Without leads, each deal is followed from its own creation, in place of a lead.

    Returns
    -------
    DataFrame
        The same frame every time, so copy it to change it. One row per lead, in the order of
        `leads`:

        - `lead_id`, `created_at`, `channel` and the plan's segments that leads have;
        - `<stage>_at` for each of the plan's stages: first entry, or that of the next stage
          reached where it was skipped; missing if not reached yet, or not recorded at all;
        - `left_at`, `left_to`: the exit, unless the lead came back or has won;
        - `returned_from`: the latest exit that it came back from;
        - `amount` (sum over won deals, currency), `n_deals`, `n_won`;
        - `n_skipped` stages, `n_repeats` (entries into a stage after the first), `n_disordered`
          (stages after the first that were entered later than a later stage), `n_early` (stages
          entered before the lead's creation, which are dated at the creation).

    Notes
    -----
    Deals that name no lead are in none of these rows: see `deals_without_lead`. Nor are expansions
    and renewals: they start from a customer and not from a lead.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> changes = pd.DataFrame({"lead_id": ["L-1"], "stage": ["sql"],
    ...                         "entered_at": ["2026-01-09"]})
    >>> frame = reached(Tables.of(leads=leads, stage_changes=changes, as_of="2026-01-31"))
    >>> frame[["lead_at", "sql_at"]].iloc[0].dt.day.tolist()
    [5, 9]
    """
    by_lead = is_followed_by_lead(data)
    stages = data.plan.stages
    recorded = recorded_stages(data)
    base = _leads_frame(data) if by_lead else _deals_frame(data)
    entries = _entries(data) if by_lead else _deal_entries(data)
    created = base["created_at"].to_numpy("datetime64[us]")
    known = np.isin(stages, recorded)
    n_skipped = _n_skipped(entries[:, known])
    n_disordered = _n_disordered(entries[:, known])
    n_early = (entries[:, known] < created[:, None]).sum(axis=1)
    entries = _first_of_this_or_later(entries)
    entries[:, ~known] = np.datetime64("NaT")
    entries = np.maximum(entries, created[:, None])
    for position, stage in enumerate(stages):
        base[f"{stage}_at"] = pd.Series(entries[:, position], index=base.index).dt.tz_localize(
            "UTC"
        )
    base = base.join(_exits(data, base) if by_lead else _deal_exits(data))
    base["left_at"] = base["left_at"].clip(lower=base["created_at"])
    return base.assign(n_skipped=n_skipped, n_disordered=n_disordered, n_early=n_early)


def deals_without_lead(data: Tables) -> pd.DataFrame:
    """Number and amount of new deals without a known lead, by outcome.

    Returns
    -------
    DataFrame
        One row per outcome present: `outcome`, `n_deals`, `amount` (currency).

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> deals = pd.DataFrame({"deal_id": ["D-1"], "created_at": ["2026-01-05"],
    ...                       "outcome": ["won"], "closed_at": ["2026-01-06"], "amount": [7.0]})
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> deals_without_lead(Tables.of(deals=deals, leads=leads,
    ...                              as_of="2026-01-31")).to_dict("records")
    [{'outcome': 'won', 'n_deals': 1, 'amount': 7.0}]
    """
    deals = new_business(data)
    alone = deals[~deals["lead_id"].isin(data.leads["lead_id"])]
    return (
        alone.groupby("outcome", sort=True)
        .agg(n_deals=("deal_id", "size"), amount=("amount", "sum"))
        .reset_index()
    )


@cached
def keys(data: Tables, table: str) -> pd.Index:
    """Ids of the rows of `leads` or `deals`, in their order, to find rows by."""
    return pd.Index(data.frame(table)[f"{table[:-1]}_id"])


def segments(data: Tables) -> list[str]:
    """Columns that leads can be split by: channel and the plan's segments, where filled."""
    wanted = dict.fromkeys(("channel", *data.plan.segments))
    return [name for name in wanted if data.has("leads", name)]


def _leads_frame(data: Tables) -> pd.DataFrame:
    return data.leads[["lead_id", "created_at", *segments(data)]].reset_index(drop=True)


def _deals_frame(data: Tables) -> pd.DataFrame:
    wanted = [name for name in dict.fromkeys(data.plan.segments) if data.has("deals", name)]
    frame = new_business(data)[["deal_id", "created_at", *wanted]].reset_index(drop=True)
    return frame.rename(columns={"deal_id": "lead_id"})


def _positions(data: Tables) -> dict[str, int]:
    """Positions, from 1, of the stages that deals record; 0 where the plan has no such stage."""
    stages = data.plan.stages
    opportunity = opportunity_stage(stages)
    return {
        "opportunity": stages.index(opportunity) + 1 if opportunity else 0,
        "won": stages.index(won_stage(stages)) + 1,
    }


def _entries(data: Tables) -> np.ndarray:
    """First entries, shape (leads, stages); NaT where there is none."""
    stages = data.plan.stages
    found = data.step("stage_entries", stages=list(stages), **_positions(data))
    entries = np.full((len(data.leads), len(stages)), np.datetime64("NaT", "us"))
    row = keys(data, "leads").get_indexer(found["lead_id"])
    entries[row, found["position"].to_numpy(int) - 1] = found["first_at"].to_numpy("datetime64[us]")
    entries[:, 0] = data.leads["created_at"].to_numpy("datetime64[us]")
    return entries


def _deal_entries(data: Tables) -> np.ndarray:
    deals, positions = new_business(data), _positions(data)
    entries = np.full((len(deals), len(data.plan.stages)), np.datetime64("NaT", "us"))
    won_at = deals["closed_at"].where(deals["outcome"] == "won")
    entries[:, positions["won"] - 1] = won_at.to_numpy("datetime64[us]")
    if positions["opportunity"]:
        created = deals["created_at"].to_numpy("datetime64[us]")
        entries[:, positions["opportunity"] - 1] = created
    return entries


def _first_of_this_or_later(entries: np.ndarray) -> np.ndarray:
    """Earliest entry into a stage or any later one, which implies all stages before it."""
    return np.fmin.accumulate(entries[:, ::-1], axis=1)[:, ::-1]


def _n_skipped(entries: np.ndarray) -> np.ndarray:
    """Stages without an entry of their own below the highest one entered."""
    missing = np.isnat(entries)
    later = np.logical_or.accumulate(~missing[:, ::-1], axis=1)[:, ::-1]
    return (missing & later).sum(axis=1)


def _n_disordered(entries: np.ndarray) -> np.ndarray:
    """Stages after the first whose first entry lies after that of a later stage."""
    later = _first_of_this_or_later(entries)[:, 2:]
    return (entries[:, 1:-1] > later).sum(axis=1)  # NaT compares as false


def _exits(data: Tables, base: pd.DataFrame) -> pd.DataFrame:
    found = data.step("stage_exits", stages=list(data.plan.stages), exits=list(data.plan.exits))
    found = found.set_index(keys(data, "leads").get_indexer(found["lead_id"]))
    found = found[found.index >= 0]
    found["left_at"] = found["left_at"].astype("datetime64[us]").dt.tz_localize("UTC")
    has_won = base[f"{won_stage(data.plan.stages)}_at"].loc[found.index].notna()
    found.loc[has_won, "left_at"] = pd.NaT
    found["left_to"] = found["left_to"].astype("str").where(~has_won)
    found["returned_from"] = found["returned_from"].astype("str")
    return found[["left_at", "left_to", *_OUTCOMES]]


def _deal_exits(data: Tables) -> pd.DataFrame:
    deals = new_business(data).reset_index(drop=True)
    is_won, is_lost = deals["outcome"] == "won", deals["outcome"] == "lost"
    nothing = pd.Series(None, index=deals.index, dtype="str")
    return pd.DataFrame(
        {
            "left_at": deals["closed_at"].where(is_lost),
            "left_to": nothing.where(~is_lost, "lost"),
            "returned_from": nothing,
            "n_repeats": 0,
            "n_deals": 1,
            "n_won": is_won.astype(int),
            "amount": deals["amount"].where(is_won, 0.0).fillna(0.0),
        }
    )
