"""Currencies: whether amounts are in one, as the contract has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from funnel.contract.tables import TABLES
from funnel.dataset.cache import cached
from funnel.dataset.casts import currency_code
from funnel.dataset.engine import quoted
from funnel.dataset.record_files import currency_column

if TYPE_CHECKING:
    from funnel.dataset import Tables


@dataclass(frozen=True)
class MixedCurrencies:
    """Currencies in a column of deals, each with its number of deals, by name."""

    column: str
    n_deals: tuple[tuple[str, int], ...]

    @property
    def listed(self) -> str:
        """Each currency with its number of deals: `EUR 355, USD 45`."""
        return ", ".join(f"{name} {n}" for name, n in self.n_deals)


def currency_name(data: Tables, table: str) -> str | None:
    """The column of a table that names currencies, and has any; None without one."""
    known = (*TABLES[table].by_name, *data.extras.get(table, ()))
    return currency_column(
        name for name in known if currency_column((name,)) and data.has(table, name)
    )


@cached
def mixed_currencies(data: Tables, table: str = "deals") -> MixedCurrencies | None:
    """The currencies of a table, where too many are not in the company's and the plan has no rates.

    Too many is a larger share than the plan's `max_rejected`: of these the money is unknown.

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
    column, own = currency_name(data, table), data.plan.company.currency
    if column is None or data.plan.records.rates:
        return None
    counted = data.sql(
        f"select {currency_code(quoted(column), own)} as code, count(*) as n from {table} "
        "group by code having code is not null order by code"
    )
    other = counted.loc[counted["code"] != own, "n"].sum()
    if other <= data.plan.max_rejected * data.engine.rows(f"select count(*) from {table}")[0][0]:
        return None
    # anything else in that column may be a cell of another
    names = counted["code"].where(counted["code"].str.fullmatch("[A-Z]{3}"), "no currency")
    by_name = counted.groupby(names)["n"].sum()
    return MixedCurrencies(column, tuple((str(name), int(n)) for name, n in by_name.items()))
