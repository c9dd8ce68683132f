"""Reconciliation: the rows read of each table, and what became of them and of their money."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.checks.currencies import currency_name
from funnel.contract.periods import Period
from funnel.contract.tables import TABLES, Kind
from funnel.dataset.cache import shared
from funnel.dataset.casts import currency_code
from funnel.dataset.engine import quoted
from funnel.results import Result, speaks_for

if TYPE_CHECKING:
    from funnel.dataset import Tables

READ, USED, REJECTED, REPEATED, EXCLUDED, AFTER = STATES = (
    "read",
    "used",
    "rejected",
    "repeated",
    "excluded",
    "after as_of",
)
NOT_USED = (REJECTED, REPEATED, EXCLUDED, AFTER)
DEALS = "deals"


@dataclass(frozen=True, eq=False, kw_only=True)
class Reconciliation(Result):
    """Rows of each period of the comparison, by table and by what became of them.

    `table` has one row per table, period and state: `table`, `period`, `state` (`read`, which the
    others add up to; `used`, `rejected`, `repeated`, `excluded`, `after as_of`), `n_rows` and, of
    deals, `money` (what was won, in the plan's measure). A deal belongs to the day of its closing,
    an open one to that of its creation. Of repeated rows another one is used, so their money is in
    the totals; the plan excludes rows, or makes them part of another (repeated). Tables without a
    day, and tables that stay in their files and have every row used, are left out.
    """

    def row(self, period: Period, state: str, table: str = DEALS) -> tuple[int, float]:
        """Rows and money of a state in a period; 0 of a table that is left out."""
        rows = self.table
        is_it = rows["table"].eq(table) & rows["period"].eq(period.label) & rows["state"].eq(state)
        found = rows[is_it]
        return int(found["n_rows"].sum()), float(found["money"].sum())

    @property
    def tables(self) -> list[str]:
        """Names of the tables that it has."""
        return self.table["table"].drop_duplicates().tolist()

    def lost_share(self, period: Period) -> float:
        """Share of a period's money that no total holds, 0 to 1."""
        lost = sum(max(self.row(period, state)[1], 0.0) for state in (REJECTED, EXCLUDED))
        used = self.row(period, USED)[1]
        return lost / (lost + used) if lost > 0 else 0.0


@shared
def reconciliation(data: Tables) -> Reconciliation:
    """What became of the rows of the period and of its comparison.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> deals = pd.DataFrame({"deal_id": ["D-1", "D-2"], "created_at": "2026-01-05",
    ...                       "closed_at": ["2026-05-03", "never"], "outcome": "won",
    ...                       "amount": [70.0, 30.0]})
    >>> data = Tables.of(deals=deals, as_of="2026-06-30", plan={"max_rejected": 1.0})
    >>> reconciliation(data).row(data.comparison.period, "used")
    (1, 70.0)
    """
    unused = data.unused_rows
    periods = (data.comparison.period, data.comparison.baseline)
    names = [
        name
        for name, table in TABLES.items()
        if table.happened
        and (data.has(name) or (unused["table"] == name).any() or name == DEALS)
        # to count the rows of a big table takes a while, and in most of them every one is used
        and (name not in data.views or (unused["table"] == name).any())
    ]
    rows = []
    for name in names:
        used = _used_deals(data, periods) if name == DEALS else _used_rows(data, name, periods)
        for period, counted in zip(periods, used, strict=True):
            states = {USED: counted}
            days = unused["day"].between(period.start.isoformat(), period.end.isoformat())
            for state in NOT_USED:
                found = unused[days & (unused["table"] == name) & (unused["state"] == state)]
                states[state] = int(found["rows"].sum()), float(found["money"].sum())
            n_read, read = (sum(each) for each in zip(*states.values(), strict=True))
            rows += [
                (name, period.label, state, n, amount if name == DEALS else None)
                for state, (n, amount) in {READ: (n_read, read), **states}.items()
            ]
    table = pd.DataFrame(rows, columns=["table", "period", "state", "n_rows", "money"])
    return Reconciliation(
        table=table.astype({"money": "float64"}),
        units={"n_rows": "rows", "money": data.plan.company.currency},
        **speaks_for(data),
    )


@dataclass(frozen=True)
class UnknownMoney:
    """Wins of a period whose money is unknown: `n` of `of`; those in `other` currencies by code."""

    period: str
    n: int
    of: int
    other: tuple[tuple[str, int], ...] = ()

    @property
    def share(self) -> float:
        """Share of the period's wins, 0 to 1."""
        return self.n / self.of if self.of else 0.0


def unknown_money(data: Tables) -> tuple[UnknownMoney, ...]:
    """Wins of the period and of its comparison that no total of money holds.

    Their amount is blank, cannot be read, or is in a currency without a rate. How much it is of the
    period's money is unknown, so it is counted in wins.
    """
    money = "mrr" if data.plan.measure == "mrr" else "amount"
    if not data.has("deals", "closed_at", money):
        return ()
    column, own = currency_name(data, "deals"), data.plan.company.currency
    code = currency_code(quoted(column), own) if column else "cast(null as varchar)"
    found = []
    for period in (data.comparison.period, data.comparison.baseline):
        won = data.sql(
            f"select {code} as code, count(*) as n, count_if({money} is null) as lost from deals "
            f"where outcome = 'won' and {data.plan.within_sql('closed_at', period)} "
            "group by code order by lost desc, code"
        )
        is_other = won["code"].str.fullmatch("[A-Z]{3}").eq(True) & won["code"].ne(own)
        lost = won[is_other & won["lost"].gt(0)]
        other = tuple(
            (str(name), int(n)) for name, n in zip(lost["code"], lost["lost"], strict=True)
        )
        found.append(UnknownMoney(period.label, int(won["lost"].sum()), int(won["n"].sum()), other))
    return tuple(found)


def _used_deals(data: Tables, periods: tuple[Period, ...]) -> list[tuple[int, float]]:
    """Rows and won money of the deals used in each period."""
    deals = data.deals
    is_closed = deals["outcome"].ne("open") & deals["closed_at"].notna()
    moment = deals["closed_at"].where(is_closed, deals["created_at"])
    money = deals["mrr" if data.plan.measure == "mrr" else "amount"]
    money = money.where(deals["outcome"].eq("won")).fillna(0.0)
    inside = [data.plan.within(moment, period).to_numpy() for period in periods]
    return [(int(each.sum()), float(money[each].sum())) for each in inside]


def _used_rows(data: Tables, name: str, periods: tuple[Period, ...]) -> list[tuple[int, float]]:
    """Rows used of a table in each period; no money, since only deals are won."""
    happened = TABLES[name].by_name[TABLES[name].happened]
    counts = ", ".join(
        "coalesce(count_if("  # of no row at all it is NULL
        f"{data.plan.within_sql(happened.name, each, is_date=happened.kind is Kind.DATE)}), 0)"
        for each in periods
    )
    return [(n, 0.0) for n in data.engine.rows(f"select {counts} from {name}")[0]]
