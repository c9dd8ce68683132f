-- One row a touch of a won deal: touches of its own lead, of every lead of its accounts, and of
-- the accounts themselves, up to the milestone and within the look-back.
--
-- Where no touches are supplied ($from_leads), each lead counts as one touch: its own channel, on
-- the moment it was created.
--
-- Touches of the same moment stand in the order of their key. `moment` numbers what can be told
-- apart: touches of one moment without a key share it, and so share the credit of their places.
with first_of_account as (
    select account_id, min(created_at) as created_at
    from leads
    where account_id is not null
    group by account_id
),

won as (
    select
        deals.deal_id,
        deals.lead_id,
        deals.account_id,
        own.account_id as lead_account_id,
        case $until
            when 'closed_at' then deals.closed_at
            when 'created_at' then deals.created_at
            else coalesce(own.created_at, first_of_account.created_at)
        end as milestone
    from deals
    left join leads as own on deals.lead_id = own.lead_id
    left join first_of_account on deals.account_id = first_of_account.account_id
    where deals.outcome = 'won'
),

accounts as (
    select deal_id, account_id from won where account_id is not null
    union
    select deal_id, lead_account_id from won where lead_account_id is not null
),

people as (
    select deal_id, lead_id from won where lead_id is not null
    union
    select accounts.deal_id, leads.lead_id
    from accounts
    inner join leads on accounts.account_id = leads.account_id
),

contacts as (
    select lead_id, account_id, occurred_at, channel, touch_id
    from touches
    where not $from_leads
    union all
    select lead_id, account_id, created_at, channel, null
    from leads
    where $from_leads
),

found as (
    select people.deal_id, contacts.lead_id, contacts.occurred_at, contacts.channel, contacts.touch_id
    from contacts
    inner join people on contacts.lead_id = people.lead_id
    union all
    select
        accounts.deal_id, contacts.lead_id, contacts.occurred_at, contacts.channel, contacts.touch_id
    from contacts
    inner join accounts on contacts.account_id = accounts.account_id
    left join people on accounts.deal_id = people.deal_id and contacts.lead_id = people.lead_id
    where people.deal_id is null
)

select
    found.deal_id,
    row_number() over (
        partition by found.deal_id
        order by found.occurred_at, found.touch_id nulls last, found.channel, found.lead_id
    ) as position,
    count(*) over (partition by found.deal_id) as n_touches,
    dense_rank() over (
        partition by found.deal_id order by found.occurred_at, found.touch_id nulls last
    ) as moment,
    coalesce(found.channel, '(blank)') as channel,
    found.occurred_at,
    found.lead_id,
    found.touch_id
from found
inner join won on found.deal_id = won.deal_id
where
    found.occurred_at <= won.milestone
    and ($lookback_days = 0 or found.occurred_at >= won.milestone - to_days($lookback_days))
order by found.deal_id, position
