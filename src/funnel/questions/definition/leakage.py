"""Columns written after the outcome, which would pass for the sharpest criterion of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.checks import is_unknown
from funnel.contract.tables import TABLES
from funnel.dataset.cache import cached
from funnel.methods.qualification.leads import matured
from funnel.questions.definition.association import association_p
from funnel.questions.definition.columns import SetAside, ask, candidates, stepped
from funnel.questions.definition.immature import by_age
from funnel.questions.definition.late_values import by_date, by_settling
from funnel.results import formats
from funnel.stats import benjamini_hochberg, difference_of_rates

if TYPE_CHECKING:
    from funnel.dataset import Tables

FALSE_DISCOVERIES = 0.01
_APART = 0.05  # a smaller difference in fill can hide little
# Above these a column tells won leads from others more often than what is known beforehand does.
# The contract says when scores and attributes are known, and nothing of columns it does not know.
_TOO_SHARP = {"score": 0.95, "grade": 0.95}
_TOO_SHARP_ATTRIBUTE, _TOO_SHARP_OTHER = 0.85, 0.75
_FEWEST_WON = 20


@cached
def set_aside(data: Tables) -> tuple[SetAside, ...]:
    """Find columns of leads that seem to be written after the outcome is known.

    Five looks, at leads that were handed over (all, where no hand-over is recorded):

    - *dated*: its own date (`score_updated_at` for `score`) lies after the outcome of more than
      one in a hundred leads that have both: see `dated_late`;
    - *fill*: blank or unknown for won leads and for others by shares five points or more apart,
      compared within quarters of creation;
    - *settled*: filled for leads that were won or have left, and for those of the same age that
      are still open, by shares fifty points or more apart;
    - *age*: leads too young for their outcome look by it like leads that were not won, the more so
      the younger they are: what is known beforehand does not depend on age;
    - *sharpness*: within quarters of creation it tells won from not won more often than what is
      known beforehand does (the area under its curve is above 0.85, of a score 0.95, of a column
      that the contract does not know 0.75).

    Parameters
    ----------
    data
        A company's tables.

    Returns
    -------
    tuple
        One `SetAside` per column, in the order of `candidates`.

    References
    ----------
    Kaufman, Rosset, Perlich and Stitelman (2012), Leakage in data mining, ACM TKDD 6(4), for what
    it is.
    """
    old = matured(data)
    tried = old[old["had_a_chance"].to_numpy(bool)] if len(old) else old
    names = candidates(data)
    found = {each.column: each for each in (by_date(data, name) for name in names) if each}
    if tried.empty or not _FEWEST_WON <= tried["won"].sum() < len(tried):
        return tuple(found.values())
    found = {each.column: each for each in _by_fill(data, tried, names)} | found
    for name in names:
        each = (
            found.get(name)
            or by_settling(data, name)
            or by_age(data, name)
            or _by_sharpness(data, tried, name)
        )
        if each:
            found[name] = each
    return tuple(found[name] for name in names if name in found)


def area_under(
    step: NDArray[np.int64], won: NDArray[np.bool_], stratum: NDArray[np.int64] | None = None
) -> float:
    """Give the area under the curve of a column whose steps are put in order of their win rates.

    Half where it tells nothing, 1 where it tells all. Pairs are of the same stratum. The order is
    learnt on every other lead and used on the rest, both ways, so that many steps alone do not make
    a column look sharp.

    Examples
    --------
    >>> area_under(np.tile([0, 0, 1, 1], 50), np.tile([False, False, True, True], 50))
    1.0
    """
    from scipy.stats import rankdata

    stratum = np.zeros(len(won), dtype=np.int64) if stratum is None else stratum
    turn = np.zeros(len(won), dtype=bool)
    for outcome in (True, False):  # as many wins on either side
        at = np.flatnonzero(won == outcome)
        turn[at[1::2]] = True
    above, pairs = 0.0, 0.0
    for learn in (turn, ~turn):
        if not learn.any():
            continue
        n = np.bincount(step[learn], minlength=step.max() + 1)
        k = np.bincount(step[learn], won[learn], minlength=step.max() + 1)
        rate = (k + won[learn].mean()) / (n + 1)
        for each in np.unique(stratum):
            here = ~learn & (stratum == each)
            rank, hit = rankdata(rate[step[here]]), won[here]
            n1, n0 = int(hit.sum()), int((~hit).sum())
            above += rank[hit].sum() - n1 * (n1 + 1) / 2
            pairs += n1 * n0
    return float(above / pairs) if pairs else 0.5


def _by_fill(data: Tables, tried: pd.DataFrame, names: tuple[str, ...]) -> list[SetAside]:
    leads = data.leads.set_index("lead_id").loc[tried["lead_id"]]
    won, stratum = tried["won"].to_numpy(bool), pd.factorize(tried["quarter"])[0]
    blank = {name: is_unknown(leads[name]).to_numpy(bool) for name in names}
    looked = [name for name in names if blank[name].any() and not blank[name].all()]
    q_values = benjamini_hochberg(
        [association_p(blank[name].astype(np.int64), won, stratum) for name in looked]
    )
    found = []
    for name, q_value in zip(looked, q_values, strict=True):
        counts = [(int((~blank[name] & side).sum()), int(side.sum())) for side in (won, ~won)]
        shares = [k / n for k, n in counts]
        low, high = difference_of_rates(*counts[0], *counts[1], data.plan.level)
        if not q_value < FALSE_DISCOVERIES or abs(shares[0] - shares[1]) < _APART:
            continue
        if not (low > 0 or high < 0):
            continue
        company = data.plan.company
        points = [
            formats.number(100 * value, company, digits=1, sign=True)
            for value in (shares[0] - shares[1], low, high)
        ]
        says = (
            f"`{name}` is filled for {formats.share(shares[0], company)} of "
            f"{formats.number(counts[0][1], company)} won leads and for "
            f"{formats.share(shares[1], company)} of {formats.number(counts[1][1], company)} "
            f"others ({points[0]} points {formats.interval(points[1], points[2])}, "
            "within quarters of creation): it seems to be filled in once the outcome shows, and is "
            f"set aside. {ask(name)}"
        )
        found.append(SetAside(name, "fill", len(won), float(q_value), says))
    return found


def _by_sharpness(data: Tables, tried: pd.DataFrame, name: str) -> SetAside | None:
    values = data.leads.set_index("lead_id").loc[tried["lead_id"], name]
    won = tried["won"].to_numpy(bool)
    area = area_under(stepped(values), won, pd.factorize(tried["quarter"])[0])
    limit = _TOO_SHARP.get(
        name, _TOO_SHARP_ATTRIBUTE if name in TABLES["leads"].by_name else _TOO_SHARP_OTHER
    )
    if area <= limit:
        return None
    company = data.plan.company
    says = (
        f"`{name}` tells won leads from others in {formats.share(area, company)} of pairs "
        f"({formats.number(won.sum(), company)} won, {formats.number((~won).sum(), company)} not), "
        f"more than the {formats.share(limit, company)} that what is known beforehand reaches: it "
        f"may be measured during or after the outcome, and is set aside. {ask(name)}"
    )
    return SetAside(name, "sharpness", len(won), float("nan"), says)
