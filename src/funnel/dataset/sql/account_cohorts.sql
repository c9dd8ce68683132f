-- One row per month in which accounts first paid, and age in months: how many pay, and how much.
with paid as (select * from account_months where mrr > 0),

began as (
    select
        account_id,
        min(month) as first_month
    from paid
    group by account_id
)

select
    began.first_month,
    datediff('month', began.first_month, paid.month) as age,
    count(*) as n,
    sum(paid.mrr) as mrr
from paid
inner join began on paid.account_id = began.account_id
where list_contains($ages, datediff('month', began.first_month, paid.month))
group by all
order by all
