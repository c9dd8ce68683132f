"""Movements of recurring revenue: new, expansion, contraction, churn, reactivation, currency."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from funnel.checks.currencies import currency_name
from funnel.checks.subscription_months import LOADED, add_up_lines, subscription_months
from funnel.dataset.cache import shared
from funnel.dataset.casts import currency_code
from funnel.dataset.engine import quoted
from funnel.dataset.record_files import RATES
from funnel.methods.recurring.accounts import AccountMonth

if TYPE_CHECKING:
    from funnel.dataset import Tables

NEW, EXPANSION, CONTRACTION = "new", "expansion", "contraction"
CHURN, REACTIVATION, CURRENCY = "churn", "reactivation", "currency"
MOVEMENTS = (NEW, EXPANSION, CONTRACTION, CHURN, REACTIVATION, CURRENCY)
_DIGITS = 6  # of what an account pays: prices of a year by twelve do not end at the cent


def to_cents(parts: ArrayLike, whole: float) -> NDArray[np.float64]:
    """Parts in cents that add up to a whole in cents; the largest part takes the rounding.

    Examples
    --------
    >>> to_cents([33.333333, 33.333333, -0.004], 66.66).tolist()
    [33.33, 33.33, 0.0]
    """
    exact = np.asarray(parts, dtype="float64")
    found = np.round(exact, 2) + 0.0
    if len(found):
        at = np.abs(exact).argmax()
        found[at] = round(found[at] + round(whole, 2) - found.sum(), 2)
    return found


def movements_between(data: Tables, then: AccountMonth, now: AccountMonth) -> pd.DataFrame:
    """Change of each account's recurring revenue between two months.

    Returns
    -------
    DataFrame
        One row per account and movement that is not 0: `account_id`, `movement` (one of
        `MOVEMENTS`), `change`. Empty where no figure may read one of the months.
    """
    if then.gap or now.gap:
        return pd.DataFrame({"account_id": [], "movement": [], "change": []}).astype(
            {"account_id": "str", "movement": "str", "change": "float64"}
        )
    moved = _query(data, [then.label, now.label])
    return data.sql(
        f"{moved} select account_id, movement, change from moved where place = 2 "
        "and movement <> '' and change <> 0 order by all"
    )


@shared
def monthly_movements(data: Tables) -> pd.DataFrame:
    """Movements by month, which add up to the change of MRR in cents.

    A loaded month is compared with the loaded month before it; the first is the opening balance. No
    movement is computed into or out of a month that is missing or half loaded.

    Returns
    -------
    DataFrame
        One row per month: `month` (`YYYY-MM`), `state`, `since` (the month it is compared with;
        empty where there is none), `opening` (MRR of that month), `MOVEMENTS`, `mrr`, `n_accounts`
        (above 0), and `n_<movement>`, the accounts of each. Without a comparison they are missing.
    """
    months = subscription_months(data).table
    table = pd.DataFrame({"month": months["month"].dt.strftime("%Y-%m"), "state": months["state"]})
    is_loaded = months["state"] == LOADED
    table["since"] = table["month"].where(is_loaded).ffill().shift().where(is_loaded)
    table["since"] = table["since"].fillna("").astype("str")
    mrr = months["mrr"].where(is_loaded)
    table["opening"] = mrr.ffill().shift().where(table["since"] != "")
    names = [*MOVEMENTS, *(f"n_{name}" for name in MOVEMENTS)]
    found = _by_month(data, list(table.loc[is_loaded, "month"]))
    found = found.reindex(index=table["month"], columns=names, fill_value=0.0)
    values, change = found.to_numpy(float, copy=True), (mrr - table["opening"]).to_numpy(float)
    values[np.isnan(change)] = np.nan
    for at in np.flatnonzero(np.isfinite(change)):
        parts = values[at, : len(MOVEMENTS)]
        parts[:] = to_cents(parts, float(change[at]))
    table = pd.concat([table, pd.DataFrame(values, columns=names)], axis=1)
    table.insert(4 + len(MOVEMENTS), "mrr", mrr)
    table.insert(5 + len(MOVEMENTS), "n_accounts", months["n_paying"].where(is_loaded))
    return table


def _by_month(data: Tables, loaded: list[str]) -> pd.DataFrame:
    """Change and accounts of each movement, by month."""
    if len(loaded) < 2:
        return pd.DataFrame()
    rows = data.sql(
        f"{_query(data, loaded)} select strftime(loaded.month, '%Y-%m') as month, movement, "
        "sum(change) as change, count(*) as n from moved inner join loaded using (place) "
        "where place > 1 and movement <> '' and change <> 0 group by all order by all"
    )
    if rows.empty:
        return pd.DataFrame()
    wide = rows.set_index(["month", "movement"]).unstack(fill_value=0)  # noqa: PD010
    return wide["change"].join(wide["n"].add_prefix("n_"))


def _query(data: Tables, loaded: list[str]) -> str:
    """SQL of `loaded` (`place`, `month`) and `moved` (`account_id`, `place`, its movement).

    What an account pays in another currency moves at the rates of the earlier month; what the rates
    alone add is `currency`.
    """
    add_up_lines(data)
    listed = ", ".join(f"({place}, date '{name}-01')" for place, name in enumerate(loaded, 1))
    currency = currency_name(data, "subscriptions") if data.plan.records.rates else None
    paid = "select account_id, place, mrr, mrr as constant from account_months "
    paid += "inner join loaded using (month) where mrr > 0"
    if currency:
        paid = _at_earlier_rates(currency_code(quoted(currency), data.plan.company.currency))
    return f"""
        with loaded (place, month) as (values {listed}),
        paid as ({paid}),
        steps as (
            select *, lag(place) over by_account as last_place, lag(mrr) over by_account as before,
                lead(place) over by_account as next_place
            from paid window by_account as (partition by account_id order by place)
        ),
        began as (select distinct account_id from steps where last_place is null),
        earlier_payers as (
            select distinct account_id from account_months semi join began using (account_id)
            where month < date '{loaded[0]}-01' and mrr > 0
        ),
        moved as (
            select account_id, place,
                case when last_place = place - 1 then
                        case when constant > before then '{EXPANSION}'
                             when constant < before then '{CONTRACTION}' else '' end
                    when last_place is null and account_id not in (from earlier_payers)
                    then '{NEW}' else '{REACTIVATION}' end as movement,
                round(if(last_place = place - 1, constant - before, mrr), {_DIGITS}) as change
            from steps
            union all
            select account_id, place, '{CURRENCY}', round(mrr - constant, {_DIGITS})
            from steps where last_place = place - 1 and mrr <> constant
            union all
            select account_id, place + 1, '{CHURN}', -mrr
            from steps where coalesce(next_place, 0) <> place + 1 and place < {len(loaded)}
        )
    """


def _at_earlier_rates(code: str) -> str:
    """SQL of what accounts pay, and what it would be at the rates of the month compared with."""
    then = "cast(earlier.month + cast(s.month - loaded.month as integer) as date)"
    return f"""
        select account_id, loaded.place, round(sum(mrr), {_DIGITS}) as mrr,
            round(sum(mrr * coalesce(before.factor / rate.factor, 1)), {_DIGITS}) as constant
        from subscriptions as s
        inner join loaded on cast(date_trunc('month', s.month) as date) = loaded.month
        left join loaded as earlier on earlier.place = loaded.place - 1
        left join {RATES} as rate on rate.rate_of = {code}
            and rate.rate_since <= s.month and s.month < rate.rate_until
        left join {RATES} as before on before.rate_of = {code}
            and before.rate_since <= {then} and {then} < before.rate_until
        group by account_id, loaded.place
        having round(sum(mrr), {_DIGITS}) > 0
    """
