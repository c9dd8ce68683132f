-- One row per event of the deal $deal_id, in order of time: its opening and close, and touches,
-- stage entries and sales actions of every person on its accounts.
with own as (
    select
        deals.lead_id,
        deals.account_id,
        leads.account_id as lead_account_id
    from deals
    left join leads on deals.lead_id = leads.lead_id
    where deals.deal_id = $deal_id
),

accounts as (
    select account_id from own where account_id is not null
    union
    select lead_account_id from own where lead_account_id is not null
),

people as (
    select lead_id from own where lead_id is not null
    union
    select leads.lead_id from leads inner join accounts on leads.account_id = accounts.account_id
),

happened as (
    select
        touches.occurred_at as happened_at,
        'touch' as event,
        coalesce(touches.channel, $not_recorded) as what,
        touches.lead_id,
        coalesce(touches.campaign, touches.content, touches.kind) as detail,
        touches.touch_id as id
    from touches
    where
        touches.lead_id in (select lead_id from people)
        or touches.account_id in (select account_id from accounts)
    union all
    select leads.created_at, 'lead created', leads.channel, leads.lead_id, leads.campaign, leads.lead_id
    from leads
    where leads.lead_id in (select lead_id from people)
    union all
    select entered_at, 'stage', stage, lead_id, reason, null
    from stage_changes
    where lead_id in (select lead_id from people)
    union all
    select occurred_at, 'sales action', kind, lead_id, null, null
    from activities
    where lead_id in (select lead_id from people)
    union all
    select created_at, 'deal opened', null, lead_id, product, deal_id
    from deals
    where deal_id = $deal_id
    union all
    select closed_at, 'deal ' || outcome, null, lead_id, loss_reason, deal_id
    from deals
    where deal_id = $deal_id and closed_at is not null and outcome <> 'open'
)

select happened_at, event, what, lead_id, detail, id
from happened
order by
    happened_at nulls last,
    case event
        when 'touch' then 1
        when 'lead created' then 2
        when 'stage' then 3
        when 'sales action' then 4
        when 'deal opened' then 5
        else 6
    end,
    id nulls last,
    lead_id nulls last,
    what
