"""Leads too young for their outcome: by a column written at the outcome they look not won."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel import checks
from funnel.checks import is_unknown
from funnel.checks.outcomes import incidence
from funnel.dataset.cache import cached
from funnel.methods.qualification.handoff import leads_with_moments
from funnel.methods.qualification.leads import matured
from funnel.questions.definition.columns import CODED, STEPS, SetAside, ask, stepped
from funnel.results import formats

if TYPE_CHECKING:
    from funnel.dataset import Tables

Floats = NDArray[np.float64]
_SURE = 3.0  # standard errors by which young leads must look like leads that were not won
_MISSING = (0.5, 2.0)  # of what speaks for wins still to come: late writing takes all of it
_MUCH_STEEPER = 1.25  # a step accounts for that much more where something else set in on a day
_FEWEST_YOUNG = 100
_Z = 1.645


def by_age(data: Tables, name: str) -> SetAside | None:
    """Ask whether leads too young for their outcome look like leads that were not won.

    A value known beforehand is spread among young leads as among old ones. One that is written at
    the outcome makes young leads look like those not won, and the more so the younger they are: by
    the share of wins that is still to come at their age.
    """
    young, old, due = _young(data)
    if young is None or len(young) < _FEWEST_YOUNG:
        return None
    values = data.leads.set_index("lead_id")[name]
    won = old["won"].to_numpy(bool)
    step = _fine_steps(values.loc[[*old["lead_id"], *young["lead_id"]]], np.flatnonzero(won))
    before, now = step[: len(old)], step[len(old) :]
    size = step.max() + 1
    of_won = (np.bincount(before[won], minlength=size) + 0.5) / (won.sum() + 0.5 * size)
    of_other = (np.bincount(before[~won], minlength=size) + 0.5) / ((~won).sum() + 0.5 * size)
    # how much a value speaks for a win, so scaled that old leads have 1 on average
    speaks = of_won / of_other - 1
    usual = speaks[before].mean()
    if not usual > 0:
        return None
    speaks = speaks / usual
    noise = speaks[before].var() * _scatter(old, speaks[before])
    short, to_come = 1 - speaks[now], 1 - due
    squares = float((to_come**2).sum())
    if not squares > 0 or not noise > 0:
        return None
    fits = float((to_come * short).sum() / squares)
    z = fits * np.sqrt(squares / noise)
    if z < _SURE or not _MISSING[0] <= fits <= _MISSING[1]:
        return None
    if _best_step(young, short) > _MUCH_STEEPER * fits**2 * squares:
        return None
    from scipy.stats import norm

    company = data.plan.company
    error = np.sqrt(noise / squares)
    ends = (formats.share(max(fits + way * _Z * error, 0.0), company) for way in (-1, 1))
    says = (
        f"By `{name}`, the {formats.number(len(now), company)} leads too young for their outcome "
        "look like leads that were not won, the more so the younger they are: "
        f"{formats.share(fits, company)} {formats.interval(*ends)} of what speaks for the wins "
        "still to come is missing. It seems to be written when the outcome shows, and is set "
        f"aside. {ask(name)}"
    )
    return SetAside(name, "age", len(now), float(norm.sf(z)), says)


def _fine_steps(values: pd.Series, at_won: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give steps that are fine also where won leads lie, which may be a small part of all."""
    codes = stepped(values)
    known = ~is_unknown(values).to_numpy(bool)
    if not pd.api.types.is_numeric_dtype(values) or values.nunique() <= CODED:
        return codes
    numbers = values.to_numpy(float)
    of_won = numbers[at_won][known[at_won]]
    if not len(of_won):
        return codes
    share = np.linspace(0, 1, STEPS + 1)[1:-1]
    edges = np.unique(np.r_[np.quantile(of_won, share), np.quantile(numbers[known], share)])
    return np.where(known, np.searchsorted(edges, np.nan_to_num(numbers)), len(edges) + 1)


def _scatter(old: pd.DataFrame, speaks: Floats) -> float:
    """How much more weekly means scatter than leads do by themselves; at least 1."""
    week = pd.factorize(old["created_at"].dt.tz_localize(None).dt.to_period("W"))[0]
    n = np.bincount(week).astype(float)
    rest = np.bincount(week, speaks - speaks.mean())
    return max(float((rest**2 / n).mean() / max(speaks.var(), 1e-12)), 1.0)


def _best_step(young: pd.DataFrame, short: Floats) -> float:
    """Squares that a change on the best of all days accounts for."""
    order = np.argsort(young["created_at"].to_numpy())[::-1]
    after = np.cumsum(short[order])
    n = np.arange(1, len(short) + 1)
    return float((after**2 / n)[n >= _FEWEST_YOUNG / 4].max(initial=0.0))


@cached
def _young(data: Tables) -> tuple[pd.DataFrame | None, pd.DataFrame, Floats]:
    """Leads too young for their outcome, matured ones, and the share of wins come by each age."""
    old = matured(data)
    frame = leads_with_moments(data)
    young = frame[(frame["age_days"] < old.attrs["days"]) & (frame["age_days"] > 0)]
    followed = checks.times_to(data, "won")
    since = checks.outcomes_recorded_since(data).covered_from
    if since is not None:
        begin = pd.Timestamp(data.plan.midnight(since))
        followed = followed[followed["created_at"] >= begin]
        young = young[young["created_at"] >= begin]
    if young.empty:
        return None, old, np.zeros(0)
    by_age = incidence(followed)
    at_end = float(by_age(np.array([old.attrs["days"]]))[0])
    due = np.clip(by_age(young["age_days"].to_numpy(float)) / at_end, 0, 0.999)
    outcome = checks.times_to(data, "won").set_index("id").loc[young["lead_id"], "happened"]
    young = young.assign(won=outcome.to_numpy(bool))
    on_their_way = due > 0
    return young[on_their_way], old, due[on_their_way]
