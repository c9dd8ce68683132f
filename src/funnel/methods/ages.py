"""Leads with their ages, the ages at which to compare them, and what must be said of both."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from funnel import checks
from funnel.checks.text import sentence
from funnel.contract.plan import Plan
from funnel.dataset import stages
from funnel.results import Say, formats

if TYPE_CHECKING:
    from funnel.dataset import Tables

USUAL_AGES = (1, 3, 7, 14, 30, 60, 90, 120, 180, 270, 365, 540, 730)
FEWEST_EVENTS = 10  # fewer say too little about how long the way takes
WITHOUT_EVENTS = (30, 90)
FOLLOWED_SHARE = 0.2  # of a cohort that must have reached an age, or the cohort is too young
OF_RETURNS = 0.01  # an exit from which more than this share comes back is not final
DAY = 86_400
_KNOWN: WeakKeyDictionary[Tables, tuple] = WeakKeyDictionary()


def usual_ages(data: Tables) -> tuple[float, float]:
    """Choose two ages at which to compare: when half, and nine in ten, of the wins have come.

    Each is rounded up to a usual one (7, 14, 30, 60 ... days). With fewer than ten wins, 30 and
    90 days.
    """
    how_long = checks.maturity(data)
    if not how_long.n_won >= FEWEST_EVENTS or how_long.quantiles["days"].isna().any():
        return WITHOUT_EVENTS
    days = how_long.quantiles.set_index("share")["days"]
    first, second = (_usual(days[share]) for share in (0.5, 0.9))
    later = [age for age in USUAL_AGES if age > first]
    return first, max(second, float(later[0]) if later else 2 * first)


def old_enough(usual: tuple[float, float], follow_up: pd.Series) -> tuple[float, ...]:
    """Lower two ages to what a fifth of the leads have reached; unchanged where nobody is."""
    if follow_up.empty:
        return usual
    most = follow_up.quantile(1 - FOLLOWED_SHARE)
    within = [float(age) for age in USUAL_AGES if age <= most]
    if usual[1] <= most or not within:
        return usual
    older = within[-1]
    younger = [age for age in (*within, usual[0]) if age < older]
    return (min(usual[0], younger[-1]) if younger[-1:] else older, older) if younger else (older,)


def aged(data: Tables) -> pd.DataFrame:
    """Give `stages.reached` with ages in days, as `reach_by_age` reads them.

    Returns
    -------
    DataFrame
        The columns of `reached`, `<stage>_age` for each recorded stage after the first,
        `lost_age` (final exits only), `follow_up` (days to the end of `as_of`) and, where any deal
        has an amount, `value`.

    Notes
    -----
    An exit is final if at most one in a hundred of those who took it came back later. The others
    (recycling, as a rule) leave a lead where it stood: else the young, who have not had time to
    come back, would look lost.
    """
    frame = stages.reached(data)
    created = frame["created_at"]
    for stage in frame.attrs["stages"][1:]:
        frame[f"{stage}_age"] = (frame[f"{stage}_at"] - created).dt.total_seconds() / DAY
    left, back = frame["left_to"].value_counts(), frame["returned_from"].value_counts()
    share = back.reindex(left.index, fill_value=0) / (left + back.reindex(left.index, fill_value=0))
    final = share.index[share <= OF_RETURNS]
    lost_age = (frame["left_at"] - created).dt.total_seconds() / DAY
    frame["lost_age"] = lost_age.where(frame["left_to"].isin(final))
    end = pd.Timestamp(data.plan.midnight(data.as_of + dt.timedelta(days=1)))
    frame["follow_up"] = (end - created).dt.total_seconds() / DAY
    if data.has("deals", "amount"):
        frame["value"] = frame["amount"]
    return frame


def known(data: Tables) -> tuple[pd.DataFrame, dict[str, checks.RecordedSince]]:
    """Leads with ages, and stages recorded late: worked out once for each company's tables."""
    if data not in _KNOWN:
        frame = aged(data)
        _KNOWN[data] = frame, _recorded_since(data, frame)
    return _KNOWN[data]


def _recorded_since(data: Tables, frame: pd.DataFrame) -> dict[str, checks.RecordedSince]:
    """Find the stages that are recorded only from a later day than the leads."""
    found = {}
    for stage in frame.attrs["stages"][1:]:
        outcome = "won" if stage == stages.won_stage(data.plan.stages) else stage
        if frame.attrs["unit"] == "deals" and outcome != "won":
            continue
        if outcome != "won" and stage not in set(data.stage_changes["stage"].dropna()):
            continue
        since = checks.outcomes_recorded_since(data, outcome)
        if since.is_late:
            found[stage] = since
    return found


def age_caveat(
    data: Tables, unit: str, ages: Sequence[float], usual: Sequence[float]
) -> tuple[str, ...]:
    """Say so where this period's leads are too young for the usual ages."""
    if max(ages) >= max(usual) or usual == WITHOUT_EVENTS:
        return ()
    shown = " and ".join(formats.number(age, data.plan.company) for age in ages)
    wanted = " and ".join(formats.number(age, data.plan.company) for age in usual)
    return (
        f"This period's {unit} are compared at {shown} days of age; half, and nine in ten, of the "
        f"wins take up to about {wanted} days, for which most of these {unit} are too young.",
    )


def caveats(
    data: Tables,
    frame: pd.DataFrame,
    names: Sequence[str],
    since: dict[str, checks.RecordedSince],
) -> tuple[str, ...]:
    """Say what a reader must know of the rows: what is late, missing, odd or left out."""
    company = data.plan.company
    say = Say(company, data.plan.level)
    says = [sentence(late, say) for late in since.values()]
    missing = [name for name in data.plan.stages if name not in frame.attrs["stages"]]
    if missing:
        says.append(f"Nothing records the stages {', '.join(missing)}; they are left out.")
    order = checks.out_of_order(data)
    if order is not None:
        says.append(sentence(order, say))
    n_early = int((frame["n_early"] > 0).sum())
    if n_early:
        says.append(
            f"Dated before the creation of the {frame.attrs['unit'][:-1]}: a stage of "
            f"{formats.number(n_early, company)} {frame.attrs['unit']}; it counts at age 0."
        )
    if frame.attrs["unit"] == "leads":
        apart = stages.deals_without_lead(data)
        if apart["n_deals"].sum():
            won = apart.loc[apart["outcome"] == "won", "amount"].sum()
            says.append(
                f"{formats.number(apart['n_deals'].sum(), company)} deals name no lead and are "
                f"in no rate here; the won ones are worth {formats.money(won, company)}."
            )
    else:
        says.append("Without leads, deals are followed from their own creation.")
    for name in names:
        says += [
            sentence(each, say) for each in checks.filled_by_outcome(data, name) if each.differs
        ]
    return tuple(says)


def month_of(moments: pd.Series, plan: Plan) -> pd.Series:
    """Give the local month of each moment."""
    return moments.dt.tz_convert(plan.company.timezone).dt.tz_localize(None).dt.to_period("M")


def _usual(days: float) -> float:
    return float(next((age for age in USUAL_AGES if age >= days), np.ceil(days)))


def rows_named(figure: str | np.ndarray, table: str, ids: pd.Series) -> pd.DataFrame:
    """Name rows behind figures, one figure for all or one for each."""
    return pd.DataFrame(
        {"figure": figure, "table": table, "id": ids.astype("str").to_numpy()}
    ).astype("str")
