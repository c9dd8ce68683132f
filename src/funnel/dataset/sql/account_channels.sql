-- How many accounts (a lead without one stands for itself) have touches, how many have more than
-- one touch, and how many were touched through more than one channel.
with touched as (
    select
        coalesce(touches.account_id, leads.account_id) as account_id,
        touches.lead_id,
        touches.channel
    from touches
    left join leads on touches.lead_id = leads.lead_id
),

accounts as (
    select
        count(*) as n,
        case when min(channel) <> max(channel) then 1 else 0 end as has_more
    from touched
    group by account_id, case when account_id is null then lead_id end
)

select
    count(*) as n_accounts,
    coalesce(sum(n), 0) as n_touches,
    coalesce(sum(case when n > 1 then 1 else 0 end), 0) as n_again,
    coalesce(sum(has_more), 0) as n_more
from accounts
