"""Roles and functions: how often, and how soon, leads of each are won, and who came first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel import checks
from funnel.checks import is_unknown
from funnel.contract.plan import Company
from funnel.methods.qualification.handoff import hand_over
from funnel.methods.qualification.leads import matured
from funnel.questions.definition.association import association_p
from funnel.questions.definition.leakage import set_aside
from funnel.results import Result, first_rows, formats, no_rows, rows_of
from funnel.stats import benjamini_hochberg, wilson

if TYPE_CHECKING:
    from funnel.dataset import Tables

ROLE = ("seniority", "job_function")
DECIDING, FIRST = "deciding", "first"
MORE_OFTEN, LESS_OFTEN, CANNOT_TELL, NOT_COMPARED = (
    *("more often", "less often"),
    *("cannot tell", "not compared"),
)
POOLED, NOT_RECORDED = "smaller groups", "not recorded"
FALSE_DISCOVERIES = 0.05
_MOST_PAIRS = 30
_FEWEST_EXPECTED = 5.0  # wins of a pair at the rate of all: with fewer, rates say next to nothing
_FEWEST_WON = 5  # wins from which a middle time is given
_LAST = {POOLED: 1, NOT_RECORDED: 2}


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
      often` or `less often` than all the others, `cannot tell`, or `not compared` (smaller pairs,
      which are pooled, and leads of whom neither is recorded).

    `filled` is the share of leads of which both are recorded; `read` names the columns that are
    used, one of them where the other is blank or set aside.
    """

    company: Company = field(default_factory=Company)
    why: str = ""
    filled: float = float("nan")
    read: tuple[str, ...] = ROLE
    unit: str = "leads handed over"

    @property
    def headline(self) -> str:
        """Which pairs are won more or less often than the others, and of how many it is known."""
        if self.why:
            return f"How leads of each role and function are won cannot be told: {self.why}."
        own = self.table[self.table["contact"] == DECIDING]
        looked = own[own["verdict"] != NOT_COMPARED]
        names = np.array(_names(own), object)[(own["verdict"] != NOT_COMPARED).to_numpy()]
        parts = [
            f"{'; '.join(names[looked['verdict'] == verdict])} {verdict}"
            for verdict in (MORE_OFTEN, LESS_OFTEN)
            if (looked["verdict"] == verdict).any()
        ]
        said = ", and ".join(parts) or "none is seen to be won more or less often"
        return (
            f"Of {formats.number(len(looked), self.company)} {_WHAT[self.read][0]}, against the "
            f"other {self.unit}: {said}. {_WHAT[self.read][1]} recorded for "
            f"{formats.share(self.filled, self.company)} of "
            f"{formats.number(own['n'].sum(), self.company)}."
        )

    def shown(self) -> pd.DataFrame:
        """Give each pair in words, the deciding contact before the first."""
        if self.table.empty:
            return pd.DataFrame()
        rows = [row for _, row in self.table.iterrows()]
        shown = pd.DataFrame(
            {
                "contact": self.table["contact"].to_numpy(),
                "role and function": _names(self.table),
                "won": [
                    formats.share_estimate(row, "win_rate", self.company, of="n") for row in rows
                ],
                "than the others": self.table["verdict"].to_numpy(),
                "median days to the win": [
                    formats.number_estimate(row, "days", self.company, digits=0) for row in rows
                ],
            }
        )
        return first_rows(shown, _MOST_PAIRS)


def _names(table: pd.DataFrame) -> list[str]:
    """Name pairs; a part that nobody has is left out, one that says the same of both said once."""
    for name, other in (ROLE, ROLE[::-1]):
        if set(table[name]) <= {NOT_RECORDED, POOLED}:
            return table[other].tolist()
    return [
        role if role == function else f"{role}, {function}"
        for role, function in zip(table["seniority"], table["job_function"], strict=True)
    ]


def personas(data: Tables) -> Personas:
    """Say how often and how soon leads of each role and function are won.

    Parameters
    ----------
    data
        A company's tables. Reads `seniority` and `job_function` of leads, and `account_id`.

    Notes
    -----
    Leads are those handed over and matured, as in `criteria`. The deciding contact of a won deal
    is the lead that it names. The first contact is the account's first lead; the account counts as
    won if any of its leads was by the same age of that first lead. A pair is held against all
    others by a Mantel-Haenszel test within quarters of creation. Pairs of fewer leads than the
    plan's `smallest_group`, or than five wins would take at the rate of all, and those after the
    thirty largest, are pooled and not compared. A difference is an association.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> personas(Tables.of(leads=leads, as_of="2026-01-31")).headline
    'How leads of each role and function are won cannot be told: no role and no function is filled.'
    """
    old, way = matured(data), hand_over(data)
    tried = old[old["had_a_chance"].to_numpy(bool)].reset_index(drop=True)
    late = {each.column: each.says for each in set_aside(data) if each.column in ROLE}
    read = [name for name in ROLE if data.has("leads", name) and name not in late]
    why = "no role and no function is filled" if not late else " ".join(late.values()).rstrip(".")
    if read:
        why = old.attrs["why"] or ("" if len(tried) else "no lead was handed over")
    parts, rows, filled = [], [no_rows()], float("nan")
    if not why:
        tried = tried.join(_roles(data, tried, read))
        filled = float((tried[read] != NOT_RECORDED).all(axis=1).mean())
        followed = checks.times_to(data, "won").set_index("id").loc[tried["lead_id"]]
        tried["days"] = followed["age_days"].where(tried["won"].to_numpy()).to_numpy()
        for contact, frame in ((DECIDING, tried), (FIRST, _first_of_account(data, tried))):
            if len(frame):
                parts.append(_by_pair(frame, contact, data))
                rows.append(rows_of(contact, "leads", frame["lead_id"]))
    return Personas(
        table=pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=_COLUMNS),
        as_of=data.as_of,
        rows=pd.concat(rows, ignore_index=True),
        units={"win_rate": "share won", "days": "days"},
        level=data.plan.level,
        written_caveats=tuple(late.values()) if not why else (),
        company=data.plan.company,
        why=why,
        filled=filled,
        read=tuple(read) or ROLE,
        unit="leads handed over" if way.is_known else "leads",
    )


_WHAT = {
    ROLE: ("pairs of role and function", "Both are"),
    ROLE[:1]: ("roles", "It is"),
    ROLE[1:]: ("functions", "It is"),
}
_COLUMNS = [
    *("contact", "seniority", "job_function", "n", "n_won"),
    *("win_rate", "win_rate_low", "win_rate_high", "days", "days_low", "days_high"),
    *("q_value", "verdict"),
]


def _roles(data: Tables, tried: pd.DataFrame, read: list[str]) -> pd.DataFrame:
    leads = data.leads.set_index("lead_id").loc[tried["lead_id"]].reset_index(drop=True)
    roles = pd.DataFrame(NOT_RECORDED, index=leads.index, columns=list(ROLE), dtype="str")
    for name in read:
        roles[name] = leads[name].astype("str").where(~is_unknown(leads[name]), NOT_RECORDED)
    return roles


def _first_of_account(data: Tables, tried: pd.DataFrame) -> pd.DataFrame:
    """First leads of accounts, with the account's win; nothing where no account has two leads."""
    leads = data.leads.dropna(subset="account_id").sort_values("created_at", kind="stable")
    if leads.empty or not leads["account_id"].duplicated().any():
        return tried.iloc[:0]
    won = checks.times_to(data, "won").set_index("id")
    won_at = won["happened_at"].reindex(leads["lead_id"]).set_axis(leads["account_id"])
    won_at = won_at.groupby(level=0).min()
    first = leads.drop_duplicates("account_id").set_index("lead_id")["account_id"]
    frame = tried[tried["lead_id"].isin(first.index)].copy()
    at = won_at.reindex(frame["lead_id"].map(first)).set_axis(frame.index)
    days = (at - frame["created_at"]).dt.total_seconds().clip(lower=0) / 86_400
    frame["won"] = (days <= matured(data).attrs["days"]).to_numpy(bool)
    frame["days"] = days.where(frame["won"])
    return frame


def _by_pair(frame: pd.DataFrame, contact: str, data: Tables) -> pd.DataFrame:
    """One row for each pair, pooled where it is small, largest first."""
    counts = frame.groupby(list(ROLE)).size().sort_values(ascending=False, kind="stable")
    known = counts[[pair != (NOT_RECORDED,) * 2 for pair in counts.index]]
    fewest = max(data.plan.smallest_group, _FEWEST_EXPECTED / max(frame["won"].mean(), 1e-9))
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
        low, high = wilson(k, n, level)
        compared = len(set(names) & {POOLED}) == 0 and set(names) != {NOT_RECORDED}
        p_value = association_p(inside, won, quarter) if compared and n < len(frame) else np.nan
        others = won[inside == 0].mean() if n < len(frame) else np.nan
        rows.append(
            {"contact": contact, "seniority": names[0], "job_function": names[1]}
            | {"n": n, "n_won": k, "win_rate": k / n}
            | {"win_rate_low": float(low), "win_rate_high": float(high)}
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
    last = table["seniority"].map(_LAST).where(table["verdict"] == NOT_COMPARED).fillna(0)
    table = table.assign(last=last, size=-table["n"])
    order = ["last", "size", *ROLE]
    return table.sort_values(order, kind="stable")[_COLUMNS].reset_index(drop=True)


def _median(days: np.ndarray, level: float) -> dict[str, float]:
    """Median with the order statistics that Wilson's interval of one half points at."""
    if len(days) < _FEWEST_WON:
        return {"days": np.nan, "days_low": np.nan, "days_high": np.nan}
    low, high = wilson(len(days) / 2, len(days), level)
    ends = np.quantile(days, [0.5, float(low), float(high)], method="inverted_cdf")
    return dict(zip(("days", "days_low", "days_high"), ends.tolist(), strict=True))
