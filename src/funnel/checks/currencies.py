"""Whether amounts are in one currency, as the contract has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from funnel.results import formats

if TYPE_CHECKING:
    from funnel.dataset import Tables

_MOST = 4


def two_currencies(data: Tables) -> str:
    """Say where deals are in more than one currency; empty where none is known to be.

    Parameters
    ----------
    data
        A company's tables. Reads any further column of `deals` that has `currency` in its name.

    Examples
    --------
    >>> import pandas as pd
    >>> from funnel.dataset import Tables
    >>> deals = pd.DataFrame({"deal_id": ["D-1", "D-2"], "outcome": "won", "amount": [70.0, 50.0],
    ...                       "created_at": ["2026-01-05", "2026-04-02"],
    ...                       "closed_at": ["2026-02-03", "2026-05-04"],
    ...                       "currency": ["EUR", "USD"]})
    >>> two_currencies(Tables.of(deals=deals, as_of="2026-06-30"))
    'deals are in 2 currencies by `currency` (EUR 1, USD 1), and no sum of them means anything'
    """
    deals, company = data.deals, data.plan.company
    for name in deals.columns:
        if "currency" not in str(name).casefold():
            continue
        given = deals[name].dropna().astype("str").str.strip().str.upper()
        counted = given[given != ""].value_counts().sort_index()
        if len(counted) > 1:
            shown = [f"{code} {formats.number(n, company)}" for code, n in counted.items()][:_MOST]
            return (
                f"deals are in {formats.number(len(counted), company)} currencies by `{name}` "
                f"({', '.join(shown)}), and no sum of them means anything"
            )
    return ""
