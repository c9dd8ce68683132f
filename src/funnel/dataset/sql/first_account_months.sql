-- One row per account that ever paid: the first month above 0.
select
    account_id,
    min(month) as first_month
from account_months
where mrr > 0
group by account_id
order by account_id
