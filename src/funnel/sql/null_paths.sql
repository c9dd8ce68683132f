-- over: journey_ends
-- One row a path that has not (yet) reached the end: the channels of an account's touches in order
-- (of a lead's, where it belongs to no account or journeys are kept by lead), how many went that
-- way, and how many of those began after $young_after.
with ends as (
    select 'account' as kind, account_id as id from journey_ends where account_id is not null
    union
    select 'account', lead_account_id from journey_ends where lead_account_id is not null
    union
    select 'lead', lead_id from journey_ends where lead_id is not null
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

keyed as (
    select
        case
            when $by_account and coalesce(contacts.account_id, leads.account_id) is not null
                then 'account'
            else 'lead'
        end as kind,
        case
            when $by_account
                then coalesce(contacts.account_id, leads.account_id, contacts.lead_id)
            else contacts.lead_id
        end as id,
        contacts.lead_id,
        contacts.occurred_at,
        contacts.touch_id,
        replace(coalesce(contacts.channel, '(blank)'), ' > ', '>') as channel,
        coalesce(leads.created_at, contacts.occurred_at) as began_at
    from contacts
    left join leads on contacts.lead_id = leads.lead_id
),

steps as (
    select
        keyed.kind,
        keyed.id,
        keyed.channel,
        keyed.began_at,
        row_number() over (
            partition by keyed.kind, keyed.id
            order by
                keyed.occurred_at, keyed.touch_id nulls last, keyed.lead_id nulls last,
                keyed.channel
        ) as position
    from keyed
    left join ends as unit on keyed.kind = unit.kind and keyed.id = unit.id
    left join ends as person on person.kind = 'lead' and keyed.lead_id = person.id
    where keyed.id is not null and unit.id is null and person.id is null
),

runs as (
    select
        kind,
        id,
        channel,
        began_at,
        position,
        lag(channel) over (partition by kind, id order by position) as earlier
    from steps
),

walked as (
    select
        kind,
        id,
        string_agg(channel, ' > ' order by position) as path,
        min(began_at) as began_at
    from runs
    where not $collapse or earlier is null or earlier <> channel
    group by kind, id
)

select
    path,
    count(*) as nulls,
    sum(case when began_at > $young_after then 1 else 0 end) as n_young
from walked
group by path
order by nulls desc, path
