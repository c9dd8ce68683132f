-- One row per account above 0 in a month.
select
    account_id,
    mrr
from account_months
where month = $month and mrr > 0
order by account_id
