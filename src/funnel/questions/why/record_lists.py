"""The records behind each driver of a period, and twenty of them drawn at random to read."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np
import pandas as pd

from funnel.contract.periods import Comparison
from funnel.dataset.stages import is_followed_by_lead, new_business
from funnel.methods.ages import leads_with_ages
from funnel.methods.bridge.stage_history import RENEWALS, WITHOUT_LEAD
from funnel.questions.why.verdicts import Row, is_in_play
from funnel.results import ROW_COLUMNS, Result, speaks_for

if TYPE_CHECKING:
    from funnel.dataset import Tables

MOST = 20  # of each driver, to read
LEFT, LOST, OPEN, CREATED, CLOSED_WON = "left", "lost", "open", "created", "won"
_HASHED = "id-"  # a key that looked like a person's
_DETAILS = ("account", "date", "stage", "amount", "owner", "link")
COLUMNS = ("driver", "records", "n_records", "place", "table", "id", *_DETAILS)


@dataclass(frozen=True, eq=False, kw_only=True)
class RecordLists(Result):
    """For each driver, records of the period that a person can read: at most twenty, at random.

    `table` has one row per record that was drawn: `driver`, `records` (which they are: leads that
    `left` at the step, deals `lost`, `open` or `won`, leads `created`), `n_records` (all there
    are), `place` (1 is the earliest of those drawn), `table`, `id`, `account`, `date`, `stage`,
    `amount`, `owner` (a label), `link` (its address, where the plan has one and the key is as it
    was recorded). `rows` has every record with the same columns. `exits` are the plan's.
    """

    comparison: Comparison
    exits: tuple[str, ...] = ()


def record_lists(data: Tables, table: pd.DataFrame) -> RecordLists:
    """Records of the period behind each driver, and twenty drawn at random.

    Parameters
    ----------
    data
        A dataset.
    table
        Rows of the bridge after the checks.

    Notes
    -----
    Of a step: the leads that left at its first stage in the period; of `opportunity to won` the
    deals lost. Of `timing` the deals that are open, of `lead volume` and `mix` the leads created,
    of deal size and of deals without a lead the deals won. The draw depends on the plan's seed and
    on the driver alone, so that the same data give the same twenty.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> deals = pd.DataFrame({"deal_id": ["D-1", "D-2"], "created_at": "2026-04-02",
    ...                       "closed_at": "2026-05-04", "outcome": ["lost", "won"]})
    >>> bridge = pd.DataFrame({"driver": ["opportunity to won"], "segment": [None],
    ...                        "contribution": [-9.0], "low": [-20.0], "high": [2.0]})
    >>> found = record_lists(Tables.of(deals=deals, as_of="2026-06-30"), bridge)
    >>> found.table[["records", "n_records", "id", "stage"]].values.tolist()
    [['lost', 1, 'D-1', 'lost']]
    """
    totals = table[table["segment"].isna()].to_dict("records") if len(table) else []
    drawn, behind = [], []
    for driver in _by_evidence([row for row in totals if is_in_play(row)]):
        records, found = _records(driver, data)
        found = found.sort_values("id").assign(link=_links(found, data))
        behind.append(found.assign(figure=driver))
        random = np.random.default_rng([data.plan.seed, zlib.crc32(driver.encode())])
        which = random.choice(len(found), min(MOST, len(found)), replace=False)
        few = found.iloc[which].sort_values(["date", "id"], kind="stable")
        place = np.arange(1, len(few) + 1)
        drawn.append(few.assign(driver=driver, records=records, n_records=len(found), place=place))
    texts = dict.fromkeys((*COLUMNS[:2], "table", "id", *_DETAILS), "str")
    kinds = {**texts, "n_records": "Int64", "place": "Int64", "amount": "float64"}
    listed = _joined(drawn, COLUMNS).astype(kinds)
    rows = _joined(behind, (*ROW_COLUMNS, *_DETAILS))
    return RecordLists(
        table=listed,
        rows=rows.astype(dict.fromkeys(ROW_COLUMNS, "str")),
        units={"amount": data.plan.company.currency},
        comparison=data.comparison,
        exits=data.plan.exits,
        **speaks_for(data),
    )


def _by_evidence(rows: list[Row]) -> list[str]:
    """Drivers, those that are named first."""
    order = {row["driver"]: row.get("rank") for row in rows}
    return sorted(order, key=lambda name: math.inf if pd.isna(order[name]) else order[name])


def _joined(parts: list[pd.DataFrame], columns: tuple[str, ...]) -> pd.DataFrame:
    if not parts:
        return pd.DataFrame(columns=list(columns))
    return pd.concat(parts, ignore_index=True).reindex(columns=list(columns))


def _records(driver: str, data: Tables) -> tuple[str, pd.DataFrame]:
    """Which records a driver is about, and these; none where it is about no record."""
    first, _, second = driver.partition(" to ")
    deals, fresh = data.deals, new_business(data)
    by_lead = is_followed_by_lead(data) and data.has("leads")
    if driver.startswith("opportunity to") or (second and not by_lead):
        lost = fresh[fresh["outcome"] == LOST]
        return LOST, _of_deals(_within(lost, "closed_at", data), data)
    if driver == "timing":
        return OPEN, _of_deals(fresh[~fresh["outcome"].isin([CLOSED_WON, LOST])], data)
    if driver == "deal size":
        return CLOSED_WON, _of_deals(_won(fresh, data), data)
    if driver == WITHOUT_LEAD:
        return CLOSED_WON, _of_deals(_won(fresh[fresh["lead_id"].isna()], data), data)
    if driver == RENEWALS:
        return CLOSED_WON, _of_deals(
            _won(deals[~deals["deal_id"].isin(fresh["deal_id"])], data), data
        )
    if by_lead and (second or driver in ("lead volume", "mix")):
        leads = leads_with_ages(data).frame
        if not second:
            return CREATED, _of_leads(leads, "created_at", data)
        stopped = leads[f"{first}_at"].notna() & leads[f"{second}_at"].isna()
        return LEFT, _of_leads(leads[stopped], "left_at", data)
    return "", _of_deals(deals.iloc[:0], data)


def _within(rows: pd.DataFrame, at: str, data: Tables) -> pd.DataFrame:
    return rows[data.plan.within(rows[at], data.comparison.period)]


def _won(deals: pd.DataFrame, data: Tables) -> pd.DataFrame:
    return _within(deals[deals["outcome"] == CLOSED_WON], "closed_at", data)


def _of_deals(deals: pd.DataFrame, data: Tables) -> pd.DataFrame:
    day = data.plan.local_days(deals["closed_at"].fillna(deals["created_at"]))
    return pd.DataFrame(
        {
            "table": "deals", "id": deals["deal_id"], "account": deals["account_id"],
            "date": day.dt.strftime("%Y-%m-%d"), "stage": deals["outcome"],
            "amount": deals["amount"], "owner": deals["owner"],
        }
    )  # fmt: skip


def _of_leads(leads: pd.DataFrame, at: str, data: Tables) -> pd.DataFrame:
    leads = _within(leads, at, data)
    written = data.leads.set_index("lead_id").reindex(leads["lead_id"])
    stages = [stage for stage in data.plan.stages if f"{stage}_at" in leads]
    reached = leads[[f"{stage}_at" for stage in stages]].notna().to_numpy()
    last = np.array(stages)[reached.shape[1] - 1 - reached[:, ::-1].argmax(axis=1)]
    return pd.DataFrame(
        {
            "table": "leads", "id": leads["lead_id"], "account": written["account_id"].to_numpy(),
            "date": data.plan.local_days(leads[at]).dt.strftime("%Y-%m-%d"),
            "stage": leads["left_to"].fillna(pd.Series(last, leads.index)),
            "amount": leads["amount"].where(leads["n_won"] > 0),
            "owner": written["owner"].to_numpy(),
        }
    )  # fmt: skip


def _links(found: pd.DataFrame, data: Tables) -> pd.Series:
    """Address of each record by `[links]` of the plan, else of its account; none for labels."""
    links = data.plan.links

    def link(table: str, key: str, account: object) -> str | None:
        for name, one in ((table.removesuffix("s"), key), ("account", account)):
            if name in links and isinstance(one, str) and not one.startswith(_HASHED):
                return links[name].replace(f"{{{name}_id}}", quote(one, safe=""))
        return None

    made = map(link, found["table"], found["id"], found["account"])
    return pd.Series([*made], found.index, dtype="str")
