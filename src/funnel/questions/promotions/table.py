"""The table `promos`, read: which promotion is meant, and what its row leaves open."""

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
    """One row of `promos`: when, for whom, and what it took off and cost.

    `discount` is a share of the price (0 to 1) and `cost` an amount, each missing (not a number)
    where it is not recorded or makes no sense. `channel` and `segment` are empty for all.
    `notes` say what was odd in the row.
    """

    name: str
    first: dt.date
    last: dt.date
    channel: str = ""
    segment: str = ""
    discount: float = float("nan")
    cost: float = float("nan")
    notes: tuple[str, ...] = ()

    @property
    def runs_for(self) -> str:
        """Its scope in words, empty for all."""
        return " and ".join(part for part in (self.channel, self.segment) if part)

    def may_share(self, other: Promotion) -> bool:
        """Say whether some of the rows that one is for may be the other's too."""
        return all(
            not mine or not theirs or mine.casefold() == theirs.casefold()
            for mine, theirs in ((self.channel, other.channel), (self.segment, other.segment))
        )


def promotions(data: Tables) -> tuple[Promotion, ...]:
    """Read every row of `promos`, in order of their first day."""
    rows = data.promos.sort_values(["starts_on", "promo"], kind="stable")
    return tuple(_read(row) for row in rows.to_dict("records"))


def named(data: Tables, promo: str | Mapping[str, Any] | pd.Series) -> Promotion:
    """Find the promotion that is meant.

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
    every = promotions(data)
    if not every:
        raise ParameterError(
            f"promo={name!r}: no promotion is in the table `promos`{_set_aside(data)}. Without "
            "its days nothing can be said of it. Marketing can list each with its name, first and "
            "last day."
        )
    for one in every:
        if str(name).strip().casefold() == one.name.strip().casefold():
            return one
    names = [one.name for one in every]
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names[:_NAMED])}{more}."
    raise ParameterError(f"promo={name!r} is not in the table `promos`{_set_aside(data)}; {hint}")


def _set_aside(data: Tables) -> str:
    n = int((data.rejects["table"] == "promos").sum())
    return f", of which {n} row{'s' * (n != 1)} could not be used (see the rejects)" if n else ""


def _read(row: dict[str, Any]) -> Promotion:
    discount, of_discount = _discount(_number(row.get("discount")))
    cost, of_cost = _number(row.get("cost")), ""
    if cost < 0:
        of_cost = f"Its cost is recorded as {cost:,.0f}, below 0, and is taken as not recorded."
        cost = float("nan")
    return Promotion(
        name=str(row["promo"]),
        first=_day(row["starts_on"]),
        last=_day(row["ends_on"]),
        channel=_text(row.get("channel")),
        segment=_text(row.get("segment")),
        discount=discount,
        cost=cost,
        notes=tuple(note for note in (of_discount, of_cost) if note),
    )


def _discount(given: float) -> tuple[float, str]:
    """Take a discount as a share; one above 1 is read as per cent, and that is said."""
    if not given < 0 and not given > 1:
        return given, ""
    if 1 < given <= _MOST_PERCENT:
        return given / 100, f"Its discount is recorded as {given:g}, and is read as {given:g}%."
    return float("nan"), (
        f"Its discount is recorded as {given:g}, which is no share of a price, and is taken as "
        "not recorded."
    )


def _day(cell: Any) -> dt.date:
    """Take a day; one that is out of all reason is brought to where weeks can be counted."""
    return min(max(cell.date(), _EARLIEST), _LATEST)


def _number(cell: Any) -> float:
    value = float("nan") if cell is None or pd.isna(cell) else float(cell)
    return value if np.isfinite(value) else float("nan")


def _text(cell: Any) -> str:
    return cell.strip() if isinstance(cell, str) else ""
