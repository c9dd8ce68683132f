"""Lines for `[records]` of the plan that would settle findings: words to read as one, test records.

Each is a proposal. Whether two words are one thing, and whether a record is a test, people decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from funnel.checks.breaks import record_breaks
from funnel.dataset import test_records

if TYPE_CHECKING:
    from funnel.dataset import Tables

MOST_KEYS = 50  # a longer list is no line that anybody checks
_HASHED = ("id-", "rep-")


@dataclass(frozen=True)
class Alias:
    """A word of a column, `from_`, that may be read as another, `to`; in `rows` rows."""

    column: str
    from_: str
    to: str
    rows: int


@dataclass(frozen=True)
class Exclusion:
    """Rows of a table that may be test records: those with these `values` in `column`."""

    table: str
    column: str
    values: tuple[str | float, ...]
    rows: int


@dataclass(frozen=True)
class Proposals:
    """What could be written into `[records]` of the plan.

    `aliases` are in the order of columns, each column's most frequent first. `known` are the
    aliases that the plan has already, by column, and `excluded` its conditions, by table: a new
    line holds them, and replaces the old one.
    """

    aliases: tuple[Alias, ...]
    exclusions: tuple[Exclusion, ...]
    known: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    excluded: Mapping[str, str] = field(default_factory=dict)


def proposals(data: Tables) -> Proposals:
    """Lines of the plan that would settle findings of a dataset.

    Spellings of one word and placeholders are proposed as well as words that look alike: without
    the line they count as one, and as not recorded, and the finding comes back every time. So are
    words that end on the day on which another one begins.
    """
    rows: dict[tuple[str, str, str], int] = {}
    renamed = [(each.column, *each.words, each.n) for each in record_breaks(data) if each.remedy]
    odd = [
        (each.column, each.word, each.meant, each.rows)
        for each in (*data.spellings, *data.odd_words)
        if each.meant
    ]
    # a spelling that is read as another word is read as what that one may mean
    meant = {(each.column, each.word): each.meant for each in data.odd_words if each.meant}
    meant |= {(column, old): new for column, old, new, _ in renamed}
    for column, word, first, n in (*odd, *renamed):
        key = (column, word, meant.get((column, first), first))
        rows[key] = rows.get(key, 0) + n
    aliases = [Alias(*key, rows=n) for key, n in rows.items()]
    aliases.sort(key=lambda each: (each.column, -each.rows, each.from_))
    return Proposals(
        aliases=tuple(aliases),
        exclusions=tuple(_exclusions(data)),
        known=data.plan.records.aliases,
        excluded=data.plan.records.exclude,
    )


@dataclass(frozen=True)
class PossibleTests:
    """Won deals of a period that may be test records: `n` of them hold `money` of `won` in all."""

    period: str
    n: int
    money: float
    won: float

    @property
    def share(self) -> float:
        """Share of the period's money, 0 to 1."""
        return self.money / self.won if self.money > 0 and self.won > 0 else 0.0


def possible_tests(data: Tables) -> tuple[PossibleTests, ...]:
    """Won deals of the period and of its comparison that may be test records, and their money.

    Those are deals with such a name or amount, and deals of leads with such an address.
    """
    deals = data.deals[data.deals["outcome"] == "won"]
    amounts, keys = _marks(data)
    money = deals["mrr" if data.plan.measure == "mrr" else "amount"].fillna(0.0)
    is_test = deals["deal_id"].isin(keys["deals"]) | deals["lead_id"].isin(keys["leads"])
    is_test |= deals["amount"].isin(amounts)
    found = []
    for period in (data.comparison.period, data.comparison.baseline):
        inside = data.plan.within(deals["closed_at"], period)
        here = is_test & inside
        found.append(
            PossibleTests(
                period.label, int(here.sum()), float(money[here].sum()), float(money[inside].sum())
            )
        )
    return tuple(found)


def _marks(data: Tables) -> tuple[tuple[float, ...], dict[str, set[str]]]:
    """Amounts that fill a field, and by table the keys of rows that may be tests."""
    keys = {table: set(data.test_keys.get(table, ())) for table in ("deals", "leads")}
    amounts: tuple[float, ...] = ()
    if data.has("deals", "amount"):
        amounts = tuple(test_records.placeholder_amounts(data.engine))
    if data.has("leads"):
        column, addresses = test_records.repeated_addresses(data.engine)
        if addresses:
            is_one = data.leads[column].isin(addresses)
            keys["leads"] |= set(data.leads.loc[is_one, "lead_id"])
    return amounts, keys


def _exclusions(data: Tables) -> Iterable[Exclusion]:
    amounts, keys = _marks(data)
    if amounts:
        # those are found by their amount
        of_amount = data.deals.loc[data.deals["amount"].isin(amounts), "deal_id"]
        keys["deals"] -= set(of_amount)
        yield Exclusion("deals", "amount", amounts, len(of_amount))
    for table, column in (("deals", "deal_id"), ("leads", "lead_id")):
        # a key that is hashed names no row of the files
        known = sorted(key for key in keys[table] if not key.startswith(_HASHED))
        if 0 < len(known) <= MOST_KEYS:
            yield Exclusion(table, column, tuple(known), len(known))
