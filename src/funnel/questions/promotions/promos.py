"""Promotions of the table `promos`: days, scope, discount and cost."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from funnel.contract.errors import ParameterError

if TYPE_CHECKING:
    from funnel.dataset import Tables

_MOST_PERCENT = 100.0
_EARLIEST, _LATEST = dt.date(1900, 1, 1), dt.date(2200, 1, 1)  # no company's days lie beyond
_NAMED = 5


@dataclass(frozen=True)
class Promotion:
    """One row of `promos`: when, for whom, discount and cost.

    `discount` is a share of the price (0 to 1) and `cost` an amount, each missing (not a number)
    where it is not recorded or impossible; `discount_recorded` and `cost_recorded` are as the row
    has them. `channel` and `segment` are empty for all.
    """

    name: str
    first: dt.date
    last: dt.date
    channel: str = ""
    segment: str = ""
    discount: float = float("nan")
    cost: float = float("nan")
    discount_recorded: float = float("nan")
    cost_recorded: float = float("nan")

    @property
    def is_for_all(self) -> bool:
        """Whether it was for everybody, in all channels and segments."""
        return not self.channel and not self.segment

    def may_share(self, other: Promotion) -> bool:
        """Whether some rows may be in the scope of both."""
        return all(
            not mine or not theirs or mine.casefold() == theirs.casefold()
            for mine, theirs in ((self.channel, other.channel), (self.segment, other.segment))
        )


def read_promotions(data: Tables) -> tuple[Promotion, ...]:
    """Every row of `promos`, in order of their first day."""
    rows = data.promos.sort_values(["starts_on", "promo"], kind="stable")
    return tuple(_read(row) for row in rows.to_dict("records"))


def find_promotion(data: Tables, promo: str | Mapping[str, Any] | pd.Series) -> Promotion:
    """Promotion of a name.

    Parameters
    ----------
    data
        A company's tables.
    promo
        Its name, in any case, or its row of `promos`.

    Raises
    ------
    ParameterError
        If there is none of that name; the nearest one is named.
    """
    name = promo.get("promo", "") if isinstance(promo, Mapping | pd.Series) else promo
    every = read_promotions(data)
    if not every:
        raise ParameterError(
            f"promo={name!r}: no promotion is in the table `promos`{_rejected(data)}. Without "
            "its days there is no estimate. Marketing can list each with its name, first and last "
            "day."
        )
    for one in every:
        if str(name).strip().casefold() == one.name.strip().casefold():
            return one
    names = [one.name for one in every]
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names[:_NAMED])}{more}."
    raise ParameterError(f"promo={name!r} is not in the table `promos`{_rejected(data)}; {hint}")


def _rejected(data: Tables) -> str:
    n = int((data.rejects["table"] == "promos").sum())
    return f", of which {n} row{'s' * (n != 1)} could not be used (see the rejects)" if n else ""


def _read(row: dict[str, Any]) -> Promotion:
    discount, cost = _number(row.get("discount")), _number(row.get("cost"))
    return Promotion(
        name=str(row["promo"]),
        first=_day(row["starts_on"]),
        last=_day(row["ends_on"]),
        channel=_text(row.get("channel")),
        segment=_text(row.get("segment")),
        discount=_discount(discount),
        cost=float("nan") if cost < 0 else cost,
        discount_recorded=discount,
        cost_recorded=cost,
    )


def _discount(recorded: float) -> float:
    """Discount as a share of the price; one above 1 is read as per cent."""
    if not recorded < 0 and not recorded > 1:
        return recorded
    return recorded / 100 if 1 < recorded <= _MOST_PERCENT else float("nan")


def _day(cell: Any) -> dt.date:
    """Day, one out of all reason moved to where weeks can be counted."""
    return min(max(cell.date(), _EARLIEST), _LATEST)


def _number(cell: Any) -> float:
    value = float("nan") if cell is None or pd.isna(cell) else float(cell)
    return value if np.isfinite(value) else float("nan")


def _text(cell: Any) -> str:
    return cell.strip() if isinstance(cell, str) else ""
