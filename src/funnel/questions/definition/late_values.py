"""Values dated after the outcome of their lead, and fields filled once a lead is settled."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.checks import is_unknown
from funnel.dataset import stages
from funnel.dataset.cache import cached
from funnel.methods.qualification.handoff import hand_over, leads_with_moments
from funnel.questions.definition.association import association_p
from funnel.questions.definition.columns import SetAside, ask, candidates, date_column
from funnel.results import formats

if TYPE_CHECKING:
    from funnel.dataset import Tables

_FEW = 0.01  # a smaller share of values dated too late hides little, and is only told
_APART = 0.5  # fields that make a lead be dealt with sooner come nowhere near it
_SURE = 1e-4
_FEWEST = 20
_AGES = 10
_MOSTLY = 0.5  # of a date column's cells that must read as dates
_DAY_LETTERS = 10  # of a date without a time


@dataclass(frozen=True, eq=False)
class DatedLate:
    """A column of which some values carry a date after the outcome of their lead.

    `n_late` of the `n` leads that have a value, its date and an outcome; `dated_by` is the column
    that holds the dates.
    """

    column: str
    dated_by: str
    n_late: int
    n: int
    says: str

    @property
    def is_many(self) -> bool:
        """Whether they are more than can be passed over."""
        return self.n_late > _FEW * self.n


@cached
def dated_late(data: Tables) -> tuple[DatedLate, ...]:
    """Count the values of leads that carry a date after the outcome of their lead.

    The outcome is the first of: acceptance by sales (where a stage records it), an exit that the
    lead did not come back from, the win. A column's date is the
    column of its name and `_at`, `_on`, `_updated_at`, `_changed_on` and the like. A date without a
    time is late from the day after the outcome on.

    Parameters
    ----------
    data
        A company's tables.

    Returns
    -------
    tuple
        One `DatedLate` per column of `candidates` that has such values.
    """
    names = {name: date_column(data.leads.columns, name) for name in candidates(data)}
    names = {name: by for name, by in names.items() if by}
    if not names:
        return ()
    outcome = _outcome_at(data)
    company, found = data.plan.company, []
    for name, by in names.items():
        written, has_time = _moments(data.leads[by].reset_index(drop=True))
        if written is None:
            continue
        here = outcome.notna() & written.notna() & ~is_unknown(data.leads[name]).to_numpy(bool)
        local = outcome.dt.tz_convert(company.timezone).dt.tz_localize(None).dt.normalize()
        on_day = written.dt.tz_localize(None).dt.normalize() > local
        late = here & (written > outcome).where(has_time, on_day)
        n, n_late = int(here.sum()), int(late.sum())
        if n_late:
            says = (
                f"By `{by}`, `{name}` was written after the outcome (accepted, left or won) of "
                f"{formats.number(n_late, company)} of {formats.number(n, company)} leads that "
                "have one: what it was beforehand is not known"
            )
            found.append(DatedLate(name, by, n_late, n, says))
    return tuple(found)


def by_date(data: Tables, name: str) -> SetAside | None:
    """Set a column aside of which many values are dated after the outcome."""
    each = next((late for late in dated_late(data) if late.column == name), None)
    if each is None or not each.is_many:
        return None
    says = f"{each.says}, and it is set aside. {ask(name)}"
    return SetAside(name, "dated", each.n_late, float("nan"), says)


def by_settling(data: Tables, name: str) -> SetAside | None:
    """Ask whether a field is filled for settled leads, and not for open ones of the same age.

    Leads are those handed over. What is filled with the outcome, whichever it is, shows no
    difference between won and lost; but it is blank as long as a lead is open.
    """
    frame = leads_with_moments(data).assign(settled=_is_settled(data).to_numpy(bool))
    if hand_over(data).is_known:
        frame = frame[frame["handed_at"].notna()]
    settled = frame["settled"].to_numpy(bool)
    values = data.leads.set_index("lead_id").loc[frame["lead_id"], name]
    filled = ~is_unknown(values).to_numpy(bool)
    if min(settled.sum(), (~settled).sum()) < _FEWEST or filled.all() or not filled.any():
        return None
    ages = frame["age_days"].to_numpy(float)
    edges = np.unique(np.quantile(ages[~settled], np.linspace(0, 1, _AGES + 1)[1:-1]))
    stratum = np.searchsorted(edges, ages)
    shares = _share_at(filled, settled, stratum), float(filled[~settled].mean())
    p_value = association_p(filled.astype(np.int64), settled, stratum)
    if not (shares[0] - shares[1] >= _APART and p_value < _SURE):
        return None
    company = data.plan.company
    says = (
        f"`{name}` is filled for {formats.share(shares[1], company)} of "
        f"{formats.number((~settled).sum(), company)} leads that are still open, and for "
        f"{formats.share(shares[0], company)} of those of the same age that were won or have left "
        f"({formats.number(settled.sum(), company)}): it seems to be filled in with the outcome, "
        f"and is set aside. {ask(name)}"
    )
    return SetAside(name, "settled", len(frame), float(p_value), says)


def _share_at(filled: np.ndarray, settled: np.ndarray, stratum: np.ndarray) -> float:
    """Share of settled leads that is filled, at the ages of the open ones."""
    n_open = np.bincount(stratum[~settled], minlength=stratum.max() + 1)
    n = np.bincount(stratum[settled], minlength=stratum.max() + 1)
    k = np.bincount(stratum[settled], filled[settled], minlength=stratum.max() + 1)
    weight = np.where(n > 0, n_open, 0)
    return float((weight * k / np.maximum(n, 1)).sum() / max(weight.sum(), 1))


@cached
def _ends(data: Tables) -> pd.DataFrame:
    """When each lead was accepted, won or left, in the order of leads."""
    frame = stages.reached(data)
    won = f"{stages.won_stage(data.plan.stages)}_at"
    if frame.attrs["unit"] != "leads":
        return pd.DataFrame(columns=["accepted", "won", "left"], dtype=stages.UTC_TIME)
    accepted = leads_with_moments(data)["accepted_at"]
    deals = {stages.opportunity_stage(data.plan.stages), stages.won_stage(data.plan.stages)}
    if hand_over(data).accepted in deals:  # some open a deal with each lead: that decides nothing
        accepted = pd.Series(pd.NaT, accepted.index, dtype=stages.UTC_TIME)
    ends = {"accepted": accepted, "won": frame[won], "left": frame["left_at"]}
    return pd.DataFrame({name: at.reset_index(drop=True) for name, at in ends.items()})


def _outcome_at(data: Tables) -> pd.Series:
    return _ends(data).min(axis=1)


def _is_settled(data: Tables) -> pd.Series:
    return _ends(data)[["won", "left"]].notna().any(axis=1)


def _moments(cells: pd.Series) -> tuple[pd.Series | None, pd.Series]:
    """Read cells as moments, UTC, and say which of them have a time of day; None if they do not."""
    if pd.api.types.is_numeric_dtype(cells) or cells.notna().sum() == 0:
        return None, pd.Series(dtype=bool)
    if pd.api.types.is_datetime64_any_dtype(cells):
        moments = pd.to_datetime(cells, utc=True)
        return moments, pd.Series(
            bool((moments != moments.dt.normalize())[moments.notna()].any()), cells.index
        )
    words = cells.map(lambda cell: cell.isoformat() if isinstance(cell, dt.date) else cell)
    words = words.astype("str").str.strip()
    moments = pd.to_datetime(words, utc=True, errors="coerce", format="ISO8601")
    if moments.notna().sum() < _MOSTLY * words.notna().sum():
        return None, pd.Series(dtype=bool)
    return moments, words.str.len() > _DAY_LETTERS
