"""Several rows of one deal: shares of its salespeople, repeats, and merged records.

Rows of one key that differ in amount, and in owner or product, are shares, or splits: the plan
says what to do.
Rows of one key that differ in other columns are repeats: one is used. Rows that are equal in all
but the key are one deal under two keys, as systems leave them that merge records: one is used.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from funnel.contract.errors import TableError
from funnel.contract.plan import FILE_NAME, Plan
from funnel.dataset.engine import Engine, literal, quoted
from funnel.dataset.row_checks import FILE, FOLDED, ROW
from funnel.dataset.table_reader import Oddity, Reader, money_of, oddities

TABLE = "rejected.deals_duplicates"
_SPLIT = "select deal_id from rejected.deals_split where"
_IS_SPLIT = f"not {FOLDED} and deal_id in ({_SPLIT} is_split)"
_IS_EQUAL = f"not {FOLDED} and deal_id in ({_SPLIT} is_equal)"
_IS_REPEAT = f"not {FOLDED} and deal_id not in ({_SPLIT} is_split or is_equal)"
_LINKS = ("lead_id", "account_id", "account_name")


def settle(engine: Engine, reader: Reader, plan: Plan, conditions: Sequence[str]) -> None:
    """Decide which rows of a deal are used, and note the others in the reader.

    Parameters
    ----------
    engine
        It has `rejected.deals_duplicates` where a key is there twice.
    reader
        The deals.
    plan
        Its `[records]` says what splits are.
    conditions
        SQL conditions that a row can be used.

    Raises
    ------
    TableError
        If deals are split, and the plan does not say what that means.
    """
    found = {}
    if reader.n_duplicates:
        _find_splits(engine, reader, plan)
        _settle_splits(engine, reader, plan)
        found["equal_shares"] = f'"nth:" > 1 and "like:" is null and {_IS_EQUAL}'
        found["repeated_deals"] = f'"nth:" > 1 and "like:" is null and {_IS_REPEAT}'
    if _find_merged(engine, reader, plan, conditions):
        found["merged_deals"] = '"like:" is not null'
    if found:
        reader.oddities |= oddities(engine, reader, plan, TABLE, found)
    if repeated := reader.oddities.get("repeated_deals"):
        differing = {"columns": _differing(engine, reader, _IS_REPEAT)}
        reader.oddities["repeated_deals"] = dataclasses.replace(repeated, of=differing)


def _find_splits(engine: Engine, reader: Reader, plan: Plan) -> None:
    """Create `rejected.deals_split`: deals whose rows differ in owner or product, as splits do.

    `is_split` where they are shares: their amounts differ, or are equal and those of other deals
    differ, or the plan has said what such rows are. Else they are `is_equal`, where outcome and
    closing are one: a deal that changed hands has more than one.
    """
    there = "true" if reader.source.type_of("amount") else "false"
    is_answered = "false" if plan.records.split_deals == "stop" else "true"
    engine.execute(
        "create or replace table rejected.deals_split as select deal_id, "
        f"by_owner and any_differs or differs or is_equal and {is_answered} as is_split, "
        "is_equal and not is_split as is_equal from "
        "(select deal_id, count(distinct coalesce(amount, 0)) > 1 as differs, "
        "count(distinct coalesce(lower(owner), '')) > 1 as by_owner, "
        "count(distinct coalesce(lower(product), '')) > 1 as by_product, "
        "count(distinct outcome) = 1 and count(distinct closed_at) <= 1 as is_equal, "
        f"max(differs) over () as any_differs from {TABLE} where not {FOLDED} group by deal_id "
        f"having by_owner or by_product and is_equal) where {there}"
    )


def _settle_splits(engine: Engine, reader: Reader, plan: Plan) -> None:
    money = money_of(reader, plan)
    n, n_rows, total = engine.rows(
        f"select count(distinct deal_id), count(*), "
        f"coalesce(sum({money}) filter (outcome = 'won'), 0) from {TABLE} where {_IS_SPLIT}"
    )[0]
    if not n:
        return
    kept = engine.rows(
        f"select coalesce(sum({money}), 0) from {TABLE} "
        f"where {_IS_SPLIT} and outcome = 'won' and \"nth:\" = 1"
    )[0][0]
    shown = oddities(engine, reader, plan, TABLE, {"": _IS_SPLIT})[""]
    facts = {"n_deals": n, "kept": kept, "how": plan.records.split_deals}
    reader.oddities["split_deals"] = Oddity(n_rows - n, shown.examples, total, shown.since, facts)
    if plan.records.split_deals == "stop":
        columns = ", ".join(f"`{name}`" for name in _differing(engine, reader, _IS_SPLIT))
        raise TableError(
            f"deals: {n:,} {'deal has' if n == 1 else 'deals have'} several rows that differ in "
            f"{columns} ({', '.join(shown.examples)}). Won: {total:,.2f} as the sum of all rows, "
            f"{kept:,.2f} with one row for each deal, so nothing was computed. Are the rows shares "
            f'of one deal, to be added up? Then write `split_deals = "sum"` under [records] of '
            f'{FILE_NAME}; `"first"` uses one row of each. {reader.table.owner} knows which.'
        )
    if plan.records.split_deals == "sum":
        _sum_splits(engine, reader)


def _sum_splits(engine: Engine, reader: Reader) -> None:
    """Give the used row of each split deal the sum of all of its outcome.

    A share that is there twice is one.
    """
    place = f"{FILE}, {ROW}"
    for name in ("amount", "mrr"):
        engine.execute(
            f"create or replace temp table _shares as select {place}, "
            f'case when "nth:" = 1 then sum({name}) over (partition by deal_id) end as share '
            "from (select *, row_number() over "
            f"(partition by deal_id, owner, product, {name}, outcome "
            f'order by "nth:") = 1 as is_first, outcome = first_value(outcome) over '
            f'(partition by deal_id order by "nth:") as is_alike from {TABLE} where {_IS_SPLIT}) '
            "where is_first and is_alike"
        )
        for table in (TABLE,) if reader.is_big else (TABLE, "checked.deals"):
            engine.execute(
                f"update {table} as deals set {name} = share from _shares "
                f"where deals.{FILE} = _shares.{FILE} and deals.{ROW} = _shares.{ROW}"
            )


def _differing(engine: Engine, reader: Reader, which: str) -> list[str]:
    """Columns in which rows of one deal differ."""
    names = [name for name in reader.columns if reader.source.type_of(name) and name != "deal_id"]
    tests = ", ".join(
        f"count(distinct {quoted(name)}) > 1 or count({quoted(name)}) not in (0, count(*)) "
        f"as {quoted(name)}"
        for name in names
    )
    any_of = ", ".join(f"bool_or({quoted(name)})" for name in names)
    answers = engine.rows(
        f'select {any_of} from (select {tests} from {TABLE} where {which} and "like:" is null '
        "group by deal_id)"
    )[0]
    return [name for name, differs in zip(names, answers, strict=True) if differs]


def _find_merged(engine: Engine, reader: Reader, plan: Plan, conditions: Sequence[str]) -> bool:
    """Find rows that are equal in all but the key, and add all but one of each to the table.

    They must be of one lead or account, and have been created in the same second: a day alone
    and an amount are shared by chance.
    """
    links = [quoted(name) for name in _LINKS if reader.source.type_of(name)]
    if not links:
        return False
    zone = literal(plan.company.timezone)
    local = f"timezone({zone}, timezone('UTC', created_at))"
    where = [
        *conditions,
        f"({' or '.join(f'{name} is not null' for name in links)})",
        f"{local} <> date_trunc('day', {local})",
    ]
    if reader.n_duplicates:
        where.append(f'({FILE}, {ROW}) not in (select {FILE}, {ROW} from {TABLE} where "nth:" > 1)')
    same = ", ".join(quoted(name) for name in reader.columns if name != "deal_id")
    rows = f"{reader.numbered} where {' and '.join(where)}"
    hashes = f"select hash({same}) as h from {rows}"
    if not engine.rows(f"select 1 from ({hashes}) group by h having count(*) > 1 limit 1"):
        return False
    engine.execute(
        f'create or replace temp table _merged as select *, row_number() over one as "nth:", '
        f'first_value(deal_id) over one as "like:", false as {FOLDED} from {rows} '
        f"window one as (partition by {same} order by deal_id, {FILE}, {ROW}) "
        'qualify "nth:" > 1'
    )
    engine.execute(f"create table if not exists {TABLE} as from _merged limit 0")
    engine.execute(
        f"delete from {TABLE} where ({FILE}, {ROW}) in (select {FILE}, {ROW} from _merged)"
    )
    engine.execute(f"insert into {TABLE} by name from _merged")
    reader.n_duplicates = engine.rows(f'select count(*) from {TABLE} where "nth:" > 1')[0][0]
    return bool(engine.rows("select 1 from _merged limit 1"))
