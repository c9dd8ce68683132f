-- One row a touch of a unit (account, or lead without one) that has not reached the end, in numbers:
-- the unit's, from `size_leads`, and the channel's, from `size_channels`.
with contacts as not materialized (
    select lead_id, account_id, occurred_at, channel, touch_id
    from touches
    where not $from_leads
    union all
    select lead_id, account_id, created_at, channel, null
    from leads
    where $from_leads
),

people as (
    select lead_id, unit, has_ended, created_at from size_leads where lead_id is not null
),

accounts as (
    select account_id, unit from size_leads where account_id is not null
),

numbered as (
    select
        case when $by_account and contacts.account_id is not null then accounts.unit
            else people.unit end as unit,
        contacts.occurred_at as moment,
        channels.code,
        coalesce(people.created_at, contacts.occurred_at) as began_at,
        contacts.touch_id,
        contacts.lead_id
    from contacts
    inner join size_channels as channels on contacts.channel is not distinct from channels.given
    left join people on contacts.lead_id = people.lead_id
    left join accounts on contacts.account_id = accounts.account_id
    where not coalesce(people.has_ended, false)
)

select unit::integer as unit, moment, code, began_at, touch_id, lead_id
from numbered
where unit is not null
