"""Currencies: whether amounts are in one, as the contract has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from funnel.dataset.record_files import currency_column

if TYPE_CHECKING:
    from funnel.dataset import Tables


@dataclass(frozen=True)
class MixedCurrencies:
    """More than one currency in a column of deals: each with its number of deals, by name."""

    column: str
    n_deals: tuple[tuple[str, int], ...]

    @property
    def listed(self) -> str:
        """Each currency with its number of deals: `EUR 355, USD 45`."""
        return ", ".join(f"{name} {n}" for name, n in self.n_deals)


def mixed_currencies(data: Tables) -> MixedCurrencies | None:
    """The first column of deals that names more than one currency; `None` where there is none.

    Reads any further column of `deals` that has `currency` in its name, but not the one that the
    plan's rates are for.

    Examples
    --------
    >>> import pandas as pd
    >>> from funnel.dataset import Tables
    >>> deals = pd.DataFrame({"deal_id": ["D-1", "D-2"], "outcome": "won", "amount": [70.0, 50.0],
    ...                       "created_at": ["2026-01-05", "2026-04-02"],
    ...                       "closed_at": ["2026-02-03", "2026-05-04"],
    ...                       "currency": ["EUR", "USD"]})
    >>> mixed_currencies(Tables.of(deals=deals, as_of="2026-06-30"))
    MixedCurrencies(column='currency', n_deals=(('EUR', 1), ('USD', 1)))
    """
    deals = data.deals
    converted = currency_column(data.extras.get("deals", ())) if data.plan.records.rates else None
    for name in deals.columns:
        if name == converted or "currency" not in str(name).casefold():
            continue
        codes = deals[name].dropna().astype("str").str.strip().str.upper()
        counted = codes[codes != ""].value_counts().sort_index()
        if len(counted) > 1:
            return MixedCurrencies(str(name), tuple((code, int(n)) for code, n in counted.items()))
    return None
