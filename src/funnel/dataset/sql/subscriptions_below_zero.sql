-- Accounts whose lines add up to less than zero in a month.
select
    account_id,
    month,
    mrr
from account_months
where mrr < 0
order by all
