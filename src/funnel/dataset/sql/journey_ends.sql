-- One row per converted journey: a won deal ($target = 'won'), an opened deal ('opportunity'), or
-- a lead that reached a stage or a later one ('stage'); with the keys that its touches are found
-- by, and the moment up to which they count.
--
-- A deal without a lead of its own is dated by the first lead of its account. $reached_by names
-- the stages that count, as '|mql|sal|'; $by_opening says whether an opened deal has reached it.
with first_of_account as (
    select account_id, min(created_at) as created_at
    from leads
    where account_id in (select account_id from deals)
    group by account_id
),

entries as (
    select lead_id, entered_at as reached_at
    from stage_changes
    where strpos($reached_by, '|' || stage || '|') > 0
    union all
    select lead_id, created_at from deals where $by_opening
    union all
    select lead_id, closed_at from deals where outcome = 'won'
),

reached as (
    select lead_id, min(reached_at) as reached_at
    from entries
    where $target = 'stage' and lead_id is not null and reached_at is not null
    group by lead_id
),

booked as (
    select lead_id, sum(amount) as amount
    from deals
    where $target = 'stage' and outcome = 'won' and lead_id is not null
    group by lead_id
)

select
    deals.deal_id as journey_id,
    deals.lead_id,
    deals.account_id,
    own.account_id as lead_account_id,
    own.channel as lead_channel,
    coalesce(own.created_at, first_of_account.created_at) as lead_created_at,
    deals.created_at as opened_at,
    deals.closed_at,
    case when $target = 'won' then deals.closed_at else deals.created_at end as happened_at,
    case
        when $target = 'opportunity' or $until = 'created_at' then deals.created_at
        when $until = 'closed_at' then deals.closed_at
        else coalesce(own.created_at, first_of_account.created_at)
    end as milestone,
    case when deals.outcome = 'won' then deals.amount end as amount
from deals
left join leads as own on deals.lead_id = own.lead_id
left join first_of_account on deals.account_id = first_of_account.account_id
where $target = 'opportunity' or ($target = 'won' and deals.outcome = 'won')
union all
select
    leads.lead_id,
    leads.lead_id,
    leads.account_id,
    leads.account_id,
    leads.channel,
    leads.created_at,
    null,
    null,
    greatest(reached.reached_at, leads.created_at),
    greatest(reached.reached_at, leads.created_at),
    booked.amount
from reached
inner join leads on reached.lead_id = leads.lead_id
left join booked on leads.lead_id = booked.lead_id
