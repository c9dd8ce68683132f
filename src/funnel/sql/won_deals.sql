-- One row a won deal: its milestones, its money, and what its own lead says of it.
-- A deal without a lead of its own is dated by the first lead of its account.
with first_of_account as (
    select account_id, min(created_at) as created_at
    from leads
    where account_id is not null
    group by account_id
)

select
    deals.deal_id,
    deals.closed_at,
    deals.created_at,
    coalesce(own.created_at, first_of_account.created_at) as lead_created_at,
    deals.amount,
    own.channel as lead_channel,
    deals.lead_id is not null or deals.account_id is not null as has_key
from deals
left join leads as own on deals.lead_id = own.lead_id
left join first_of_account on deals.account_id = first_of_account.account_id
where deals.outcome = 'won'
order by deals.closed_at, deals.deal_id
