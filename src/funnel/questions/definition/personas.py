"""How often and how soon leads of each role and function are won, and who came first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel import checks
from funnel.contract.labels import NOT_RECORDED, POOLED
from funnel.methods.ages import in_days
from funnel.methods.groups import LAST, group_labels
from funnel.methods.qualification import HandoffStages, Missing, handoff_stages, mature_leads
from funnel.methods.rates import rate
from funnel.questions.definition.columns import FEWEST_EXPECTED
from funnel.questions.definition.leakage import LEAKS, Leakage, leakage
from funnel.results import Result, no_rows, rows_of, speaks_for
from funnel.results.small_groups import SmallGroups
from funnel.stats import benjamini_hochberg, wilson
from funnel.stats.limits import FALSE_DISCOVERIES
from funnel.stats.stratified import association_p

if TYPE_CHECKING:
    from funnel.dataset import Tables

ROLE = ("seniority", "job_function")
DECIDING, FIRST = "deciding", "first"
MORE_OFTEN, LESS_OFTEN, CANNOT_TELL, NOT_COMPARED = (
    *("more often", "less often"),
    *("cannot tell", "not compared"),
)
NO_ROLE, NONE_HANDED = "no role", "none handed over"
_MOST_PAIRS = 30
_FEWEST_WON = 5  # wins from which a median is given


@dataclass(frozen=True, eq=False, kw_only=True)
class Personas(Result):
    """How leads of each role and function are won, as the deciding contact and as the first.

    `table` has one row per contact and pair, largest first (no pair is ranked by its rate):

    - `contact`: `deciding` (each lead by itself: the deal names it) or `first` (the first lead of
      each account, won if any lead of the account was); `seniority`, `job_function`;
    - `n` (leads, or accounts), `n_won`, `win_rate` (0 to 1) with its interval;
    - `days` from creation to the win, the median of those won, with its interval; missing with
      fewer than five wins;
    - `q_value` (after Benjamini-Hochberg over the pairs of a contact) and `verdict`: won `more
      often` or `less often` than all the others, `cannot tell`, or `not compared` (pooled pairs,
      and leads of whom neither is recorded).

    `filled` is the share of leads of which both are recorded. `read` names the columns that are
    used: one of them where the other is blank or excluded. `leaks` are the excluded columns.
    """

    grouped = (
        SmallGroups(
            by=("seniority", "job_function"),
            counts={"n": (), "n_won": ("win_rate", "days")},
            within=("contact",),
            add_up=("n", "n_won"),
        ),
    )

    handoff: HandoffStages
    filled: float = float("nan")
    read: tuple[str, ...] = ROLE
    leaks: tuple[Leakage, ...] = ()
    missing: Missing | None = None


def personas(data: Tables) -> Personas:
    """How often and how soon leads of each role and function are won.

    Parameters
    ----------
    data
        The dataset. Reads `seniority` and `job_function` of leads, and `account_id`.

    Notes
    -----
    Leads are those handed over and mature, as in `criteria`. The deciding contact of a won deal is
    the lead that it names. The first contact is the account's first lead; the account counts as won
    if any of its leads was, by the same age of that first lead. A pair is compared with all others
    by a Mantel-Haenszel test within quarters of creation. Pairs of fewer leads than the plan's
    `smallest_group`, or than five wins would take at the rate of all, and those after the thirty
    largest, are pooled and not compared. A difference is an association.
    """
    mature, worked = mature_leads(data), mature_leads(data).worked
    leaks = tuple(each for each in leakage(data) if each.column in ROLE)
    excluded = {each.column for each in leaks}
    read = [name for name in ROLE if data.has("leads", name) and name not in excluded]
    missing = mature.missing if read else Missing(LEAKS if leaks else NO_ROLE)
    if missing is None and worked.empty:
        missing = Missing(NONE_HANDED)
    parts, rows, filled = [], [no_rows()], float("nan")
    if missing is None:
        worked = worked.join(_roles(data, worked, read))
        filled = float((worked[read] != NOT_RECORDED).all(axis=1).mean())
        followed = checks.times_to(data, "won").set_index("id").loc[worked["lead_id"]]
        worked["days"] = followed["age_days"].where(worked["won"].to_numpy()).to_numpy()
        for contact, frame in ((DECIDING, worked), (FIRST, _first_of_account(data, worked))):
            if len(frame):
                parts.append(_by_pair(frame, contact, data))
                rows.append(rows_of(contact, "leads", frame["lead_id"]))
    return Personas(
        table=pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=_COLUMNS),
        rows=pd.concat(rows, ignore_index=True),
        units={"win_rate": "share won", "days": "days"},
        handoff=handoff_stages(data),
        filled=filled,
        read=tuple(read) or ROLE,
        leaks=leaks,
        missing=missing,
        **speaks_for(data),
    )


_COLUMNS = [
    *("contact", "seniority", "job_function", "n", "n_won"),
    *("win_rate", "win_rate_low", "win_rate_high", "days", "days_low", "days_high"),
    *("q_value", "verdict"),
]


def _roles(data: Tables, worked: pd.DataFrame, read: list[str]) -> pd.DataFrame:
    roles = pd.DataFrame(NOT_RECORDED, worked.index, columns=list(ROLE), dtype="str")
    for name in read:
        roles[name] = group_labels(data.leads[name].loc[worked.index], name)
    return roles


def _first_of_account(data: Tables, worked: pd.DataFrame) -> pd.DataFrame:
    """First leads of accounts, with the account's win; no rows where no account has two leads."""
    leads = data.leads.dropna(subset="account_id").sort_values("created_at", kind="stable")
    if leads.empty or not leads["account_id"].duplicated().any():
        return worked.iloc[:0]
    won = checks.times_to(data, "won").set_index("id")
    won_at = won["happened_at"].reindex(leads["lead_id"]).set_axis(leads["account_id"])
    won_at = won_at.groupby(level=0).min()
    first = leads.drop_duplicates("account_id").set_index("lead_id")["account_id"]
    frame = worked[worked["lead_id"].isin(first.index)].copy()
    at = won_at.reindex(frame["lead_id"].map(first)).set_axis(frame.index)
    days = in_days(at - frame["created_at"]).clip(lower=0)
    frame["won"] = (days <= mature_leads(data).days).to_numpy(bool)
    frame["days"] = days.where(frame["won"])
    return frame


def _by_pair(frame: pd.DataFrame, contact: str, data: Tables) -> pd.DataFrame:
    """One row for each pair, pooled where it is small, largest first."""
    counts = frame.groupby(list(ROLE)).size().sort_values(ascending=False, kind="stable")
    known = counts[[pair != (NOT_RECORDED,) * 2 for pair in counts.index]]
    fewest = max(data.plan.smallest_group, FEWEST_EXPECTED / max(frame["won"].mean(), 1e-9))
    small = known.index[(known < fewest) | (np.arange(len(known)) >= _MOST_PAIRS)]
    pair = pd.MultiIndex.from_frame(frame[list(ROLE)])
    label = frame[list(ROLE)].copy()
    label.loc[pair.isin(small)] = POOLED
    won, quarter = frame["won"].to_numpy(bool), pd.factorize(frame["quarter"])[0]
    days, level, rows = frame["days"].to_numpy(float), data.plan.level, []
    for names, at in label.groupby(list(ROLE)).indices.items():
        inside = np.zeros(len(frame), np.int64)
        inside[at] = 1
        n, k = len(at), int(won[at].sum())
        compared = len(set(names) & {POOLED}) == 0 and set(names) != {NOT_RECORDED}
        p_value = association_p(inside, won, quarter) if compared and n < len(frame) else np.nan
        others = won[inside == 0].mean() if n < len(frame) else np.nan
        rows.append(
            {"contact": contact, "seniority": names[0], "job_function": names[1]}
            | {"n": n, "n_won": k}
            | rate("win_rate", k, n, level)
            | _median(days[at][won[at]], level)
            | {"p_value": p_value, "is_more": k / n > others}
        )
    table = pd.DataFrame(rows)
    table["q_value"] = benjamini_hochberg(table["p_value"].to_numpy(float))
    found = table["q_value"] < FALSE_DISCOVERIES
    table["verdict"] = np.select(
        [table["p_value"].isna(), found & table["is_more"], found],
        [NOT_COMPARED, MORE_OFTEN, LESS_OFTEN],
        CANNOT_TELL,
    )
    last = table["seniority"].map(LAST).where(table["verdict"] == NOT_COMPARED).fillna(0)
    table = table.assign(last=last, size=-table["n"])
    order = ["last", "size", *ROLE]
    return table.sort_values(order, kind="stable")[_COLUMNS].reset_index(drop=True)


def _median(days: np.ndarray, level: float) -> dict[str, float]:
    """Median of days, its interval between the order statistics of Wilson's interval of a half."""
    if len(days) < _FEWEST_WON:
        return {"days": np.nan, "days_low": np.nan, "days_high": np.nan}
    low, high = wilson(len(days) / 2, len(days), level)
    ends = np.quantile(days, [0.5, float(low), float(high)], method="inverted_cdf")
    return dict(zip(("days", "days_low", "days_high"), ends.tolist(), strict=True))
