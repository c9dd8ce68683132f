"""Models of credit: how much of a won deal each touch on the way to it is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from funnel.errors import ParameterError
from funnel.journeys import ARROW

Model = Callable[[pd.DataFrame], pd.Series]


def first_touch(journeys: pd.DataFrame) -> pd.Series:
    """Give all credit to the first touch.

    Parameters
    ----------
    journeys
        One row per touch of a won deal. Reads `position` (1 is the first touch).

    Returns
    -------
    Series
        One weight per row of `journeys`; the weights of a deal add up to 1.

    Examples
    --------
    >>> first_touch(steps_of(["web > demo"])).tolist()
    [1.0, 0.0]
    """
    return (journeys["position"] == 1).astype("float64")


def last_touch(journeys: pd.DataFrame) -> pd.Series:
    """Give all credit to the last touch.

    Parameters and returned weights are those of `first_touch`; reads `n_touches` too.

    Examples
    --------
    >>> last_touch(steps_of(["web > demo"])).tolist()
    [0.0, 1.0]
    """
    return (journeys["position"] == journeys["n_touches"]).astype("float64")


def linear(journeys: pd.DataFrame) -> pd.Series:
    """Give every touch the same credit.

    Parameters and returned weights are those of `first_touch`; reads `n_touches` only.

    Examples
    --------
    >>> linear(steps_of(["web > demo"])).tolist()
    [0.5, 0.5]
    """
    return 1.0 / journeys["n_touches"]


def position_based(journeys: pd.DataFrame, *, first: float = 0.4, last: float = 0.4) -> pd.Series:
    """Weigh the first and the last touch most, and share the rest among those between.

    Also called U-shaped, or 40-20-40. A share that no touch can take (with one or two touches
    there is none between) goes to the others in proportion.

    Parameters
    ----------
    journeys
        As in `first_touch`; reads `deal_id`, `position` and `n_touches`.
    first, last
        Shares from 0 to 1; together more than 0 and at most 1.

    Returns
    -------
    Series
        One weight per row of `journeys`; the weights of a deal add up to 1.

    Raises
    ------
    ParameterError
        If the shares would hand out nothing, or more than there is.

    Examples
    --------
    >>> position_based(steps_of(["web > email > event > demo"])).round(2).tolist()
    [0.4, 0.1, 0.1, 0.4]
    >>> position_based(steps_of(["web > demo"])).tolist()
    [0.5, 0.5]
    """
    if min(first, last) < 0 or not 0 < first + last <= 1 + 1e-12:
        raise ParameterError(
            f"first={first:g} and last={last:g} must not be negative, and must add up to "
            "more than 0 and at most 1. The usual choice is 0.4 and 0.4."
        )
    is_first = journeys["position"] == 1
    is_last = journeys["position"] == journeys["n_touches"]
    between = (1 - first - last) / (journeys["n_touches"] - 2).clip(lower=1)
    weight = first * is_first + last * is_last + between * ~(is_first | is_last)
    total = weight.groupby(journeys["deal_id"]).transform("sum")
    # `first=0` leaves a deal of one or two touches without a taker: they share alike
    return (weight / total.where(total > 0)).fillna(1.0 / journeys["n_touches"])


def time_decay(journeys: pd.DataFrame, *, half_life_days: float = 7.0) -> pd.Series:
    """Halve a touch's credit for every so many days that it lies before the last one.

    Parameters
    ----------
    journeys
        As in `first_touch`; reads `deal_id` and `occurred_at`.
    half_life_days
        Above 0. Seven days is the usual choice of open and commercial packages.

    Returns
    -------
    Series
        One weight per row of `journeys`; the weights of a deal add up to 1.

    Raises
    ------
    ParameterError
        If the half-life is not above 0, or the touches have no times (paths have none).

    Examples
    --------
    >>> days = pd.to_datetime(["2026-05-01", "2026-05-08"], utc=True)
    >>> time_decay(steps_of(["web > demo"]).assign(occurred_at=days)).round(2).tolist()
    [0.33, 0.67]
    """
    if not half_life_days > 0:
        raise ParameterError(f"half_life_days={half_life_days:g} must be above 0.")
    if "occurred_at" not in journeys:
        raise ParameterError("time_decay needs the time of each touch, and paths hold none.")
    last = journeys.groupby("deal_id")["occurred_at"].transform("max")
    days = (last - journeys["occurred_at"]).dt.total_seconds() / 86_400
    weight = np.exp2(-days / half_life_days)
    return weight / weight.groupby(journeys["deal_id"]).transform("sum")


MODELS: dict[str, Model] = {
    "first_touch": first_touch,
    "last_touch": last_touch,
    "linear": linear,
    "position_based": position_based,
    "time_decay": time_decay,
}


def steps_of(paths: Sequence[str]) -> pd.DataFrame:
    """Write paths ("A > B") as steps: one row per touch, in order.

    Examples
    --------
    >>> steps_of(["web > demo"])[["deal_id", "position", "n_touches", "channel"]].values.tolist()
    [[0, 1, 2, 'web'], [0, 2, 2, 'demo']]
    """
    parts = pd.Series(list(paths), dtype="str").str.split(ARROW, regex=False)
    n_touches = parts.str.len().astype("int64")
    steps = parts.explode().rename("channel").rename_axis("deal_id").reset_index()
    steps["channel"] = steps["channel"].astype("str").str.strip()
    steps["position"] = steps.groupby("deal_id").cumcount() + 1
    steps["moment"] = steps["position"]
    steps["n_touches"] = steps["deal_id"].map(n_touches)
    return steps
