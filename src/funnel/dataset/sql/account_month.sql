-- One row per account above 0 in a month.
select
    account_id,
    round(sum(mrr), 6) as mrr
from subscriptions
where month >= $month and month < cast($month as date) + interval 1 month
group by account_id
having round(sum(mrr), 6) > 0
order by account_id
