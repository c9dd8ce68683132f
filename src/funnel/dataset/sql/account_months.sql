-- One row per account and month with a row: what it pays, its lines (products, discounts) added up.
select
    account_id,
    cast(date_trunc('month', month) as date) as month,
    round(sum(mrr), 6) as mrr
from subscriptions
group by all
