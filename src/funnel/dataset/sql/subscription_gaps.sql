-- Accounts without a row in one month that others have, which pay the same before and after it.
with loaded as (
    select
        month,
        row_number() over (order by month) as place
    from (select distinct month from account_months)
    where not contains($holes, strftime(month, '%Y-%m'))
),

interrupted as (
    select account_months.account_id
    from account_months
    inner join loaded on account_months.month = loaded.month
    group by account_months.account_id
    having count(*) <= max(loaded.place) - min(loaded.place)
),

placed as (
    select
        account_months.account_id,
        account_months.mrr,
        loaded.place,
        lead(loaded.place) over by_account as next_place,
        lead(account_months.mrr) over by_account as next_mrr
    from account_months
    inner join loaded on account_months.month = loaded.month
    inner join interrupted on account_months.account_id = interrupted.account_id
    window by_account as (partition by account_months.account_id order by loaded.place)
)

select
    placed.account_id,
    loaded.month,
    placed.mrr
from placed
inner join loaded on placed.place + 1 = loaded.place
where placed.next_place = placed.place + 2 and placed.mrr > 0 and placed.mrr = placed.next_mrr
order by all
