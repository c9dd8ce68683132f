-- over: journey_ends
-- One row: how many open deals have a lead or account of which none has converted.
with converted as (
    select account_id from journey_ends where account_id is not null
    union
    select lead_account_id from journey_ends where lead_account_id is not null
),

open_deals as (
    select
        deals.lead_id,
        case when $by_account then coalesce(deals.account_id, own.account_id) end as account_id
    from deals
    left join leads as own on deals.lead_id = own.lead_id
    where deals.outcome = 'open'
)

select count(*) as n
from open_deals
left join (select distinct lead_id from journey_ends) as people
    on open_deals.lead_id = people.lead_id
left join converted on open_deals.account_id = converted.account_id
where
    (open_deals.lead_id is not null or open_deals.account_id is not null)
    and people.lead_id is null
    and converted.account_id is null
