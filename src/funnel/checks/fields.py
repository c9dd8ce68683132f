"""Fields that are blank or unknown: which words mean so, and whether the outcome matters."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.checks.maturity import COMPARABLE, maturity
from funnel.checks.outcomes import outcomes_recorded_since, table_followed, times_to
from funnel.contract.placeholders import is_direct_word, unknown_among
from funnel.contract.tables import TABLES, Kind
from funnel.dataset.cache import cached, shared
from funnel.stats import benjamini_hochberg, difference_of_rates
from funnel.stats.limits import FALSE_DISCOVERIES
from funnel.stats.stratified import association_p

if TYPE_CHECKING:
    from funnel.dataset import Tables

_SEGMENT_KINDS = (Kind.TEXT, Kind.NUMBER, Kind.MONEY, Kind.COUNT)


@dataclass(frozen=True, eq=False)
class FilledByOutcome:
    """Whether a column is blank or unknown as often for won leads as for the others.

    `share_won` and `share_other` are the blank or unknown shares among leads won and not won;
    `difference` (won less others) has the interval `low` to `high`. `q_value` is the p value
    after Benjamini-Hochberg over the columns tested. `differs` is the verdict: then blank and
    unknown are no value like the others and are not ranked among them.
    """

    column: str
    n_won: int
    n_other: int
    unknown_won: int
    unknown_other: int
    share_won: float
    share_other: float
    difference: float
    low: float
    high: float
    p_value: float
    q_value: float
    differs: bool


def is_unknown(values: pd.Series) -> pd.Series:
    """Whether each cell is blank, or a word that stands for "not known".

    The words are those of `contract.placeholders` (`unknown`, `n/a`, `none`, `(not set)`, `.` ...).
    `other` and `direct` are answers, and are not among them.

    Examples
    --------
    >>> is_unknown(pd.Series(["email", " (Not Set)", None, "other", "N/A"])).tolist()
    [False, True, True, False, True]
    """
    return _is_among(values, unknown_among) | values.isna()


def is_direct(values: pd.Series) -> pd.Series:
    """Whether each cell names the channel of contacts without a referrer.

    Examples
    --------
    >>> is_direct(pd.Series(["(direct)", "DIRECT_TRAFFIC", "direct mail", None])).tolist()
    [True, True, False, False]
    """
    return _is_among(values, lambda words: filter(is_direct_word, words))


def _is_among(values: pd.Series, chosen: Callable[[Collection[str]], Iterable[str]]) -> pd.Series:
    if values.empty or not (
        isinstance(values.dtype, pd.StringDtype | pd.CategoricalDtype) or values.dtype == object
    ):
        return pd.Series(False, index=values.index)
    words = values.dropna().unique()
    texts = [word for word in words if isinstance(word, str)]
    return values.isin(list(chosen(texts)))


@shared
def filled_by_outcome(data: Tables, column: str | None = None) -> tuple[FilledByOutcome, ...]:
    """How often columns of leads are blank or unknown for won leads and for the others.

    Only leads that have had time to be won, and whose wins are recorded, are compared. The test
    is stratified by the month of creation, so that a field which came into use while rates
    changed for another reason raises no alarm.

    Parameters
    ----------
    data
        The dataset.
    column
        One column of leads; all that can split leads into segments if left out.

    Returns
    -------
    tuple
        One `FilledByOutcome` per column with any blank or unknown cell, largest difference first.

    References
    ----------
    Newcombe, "Interval estimation for the difference between independent proportions",
    Statistics in Medicine 17 (1998). Benjamini and Hochberg, JRSS B 57 (1995).
    """
    leads = data.leads
    if leads.empty or data.deals.empty:
        return ()
    mature = _mature(data)
    won = mature["happened"].to_numpy()
    if not won.any() or won.all():
        return ()
    compared = leads[leads["lead_id"].isin(mature["id"])]
    names = segment_columns(data) if column is None else [column]
    month = pd.factorize(mature["month"])[0]
    tested = []
    for name in names:
        unknown = is_unknown(compared[name]).to_numpy()
        if unknown.any() and not unknown.all():
            tested.append((name, unknown, association_p(unknown.astype(int), won, month)))
    if not tested:
        return ()
    q_values = benjamini_hochberg([p_value for _, _, p_value in tested])
    found = [
        _compared(name, unknown, won, p_value, float(q_value), data.plan.level)
        for (name, unknown, p_value), q_value in zip(tested, q_values, strict=True)
    ]
    return tuple(sorted(found, key=lambda each: -abs(each.difference)))


def segment_columns(data: Tables) -> list[str]:
    """Columns of leads that can split them into segments, extra ones included."""
    known = TABLES["leads"].by_name
    return [
        name
        for name in data.leads.columns
        if (name in known and known[name].kind in _SEGMENT_KINDS)
        or (name not in known and not pd.api.types.is_datetime64_any_dtype(data.leads[name]))
    ]


@cached
def _mature(data: Tables) -> pd.DataFrame:
    """Leads whose wins are recorded and of which most wins have come, in the order of leads."""
    followed = times_to(data, "won")
    if table_followed(data, "won") != "leads":
        return followed.iloc[:0].assign(month=pd.Series(dtype="str"))
    month = data.plan.local_days(followed["created_at"]).dt.to_period("M")
    followed = followed.assign(month=month.astype("str"))
    since = outcomes_recorded_since(data).covered_from
    keep = pd.Series(True, index=followed.index)
    if since is not None:
        keep &= followed["created_at"] >= data.plan.midnight(since)
    cohorts = maturity(data).cohorts
    comparable = cohorts.loc[cohorts["state"] == COMPARABLE, "cohort_month"]
    is_mature = followed["month"].isin(comparable)
    if (followed["happened"] & is_mature & keep).any():
        keep &= is_mature
    return followed[keep]


def _compared(
    column: str,
    unknown: np.ndarray,
    won: np.ndarray,
    p_value: float,
    q_value: float,
    level: float,
) -> FilledByOutcome:
    n_won, n_other = int(won.sum()), int((~won).sum())
    unknown_won, unknown_other = int((unknown & won).sum()), int((unknown & ~won).sum())
    share_won, share_other = unknown_won / n_won, unknown_other / n_other
    low, high = difference_of_rates(unknown_won, n_won, unknown_other, n_other, level)
    return FilledByOutcome(
        column=column,
        n_won=n_won,
        n_other=n_other,
        unknown_won=unknown_won,
        unknown_other=unknown_other,
        share_won=share_won,
        share_other=share_other,
        difference=share_won - share_other,
        low=float(low),
        high=float(high),
        p_value=p_value,
        q_value=q_value,
        differs=bool(q_value < FALSE_DISCOVERIES and (low > 0 or high < 0)),
    )
