-- One row per month that has a row. An account below zero counts as 0.
select
    month,
    count(*) as n_accounts,
    count(*) filter (where mrr > 0) as n_paying,
    round(sum(greatest(mrr, 0)), 2) as mrr,
    count(*) filter (where mrr < 0) as n_below_zero,
    round(coalesce(sum(mrr) filter (where mrr < 0), 0), 2) as below_zero
from account_months
group by month
order by month
