-- over: journey_ends, contacts
-- One row per touch of an account that has not converted (of a lead, where it belongs to no account
-- or journeys are kept by lead): its place in order, and when its lead was created (the touch's own
-- time where that is not known).
with converted as (
    select 'account' as unit_is, account_id as id from journey_ends where account_id is not null
    union
    select 'account', lead_account_id from journey_ends where lead_account_id is not null
    union
    select 'lead', lead_id from journey_ends where lead_id is not null
),

people as (
    select lead_id, account_id, created_at
    from leads
    where $by_account or $dated
),

keyed as (
    select
        case
            when $by_account and coalesce(contacts.account_id, people.account_id) is not null
                then 'account'
            else 'lead'
        end as unit_is,
        case
            when $by_account
                then coalesce(contacts.account_id, people.account_id, contacts.lead_id)
            else contacts.lead_id
        end as id,
        contacts.lead_id,
        contacts.occurred_at,
        contacts.touch_id,
        replace(coalesce(contacts.channel, $not_recorded), ' > ', '>') as channel,
        coalesce(people.created_at, contacts.occurred_at) as began_at
    from contacts
    left join people on contacts.lead_id = people.lead_id
)

select
    keyed.unit_is,
    keyed.id,
    keyed.channel,
    keyed.began_at,
    row_number() over (
        partition by keyed.unit_is, keyed.id
        order by
            keyed.occurred_at, keyed.touch_id nulls last, keyed.lead_id nulls last,
            keyed.channel
    ) as position
from keyed
left join converted as unit on keyed.unit_is = unit.unit_is and keyed.id = unit.id
left join converted as person on person.unit_is = 'lead' and keyed.lead_id = person.id
where keyed.id is not null and unit.id is null and person.id is null
