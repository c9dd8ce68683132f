-- One row a path that has not (yet) ended in a won deal: the channels of an account's touches in
-- order, or of a lead's where it belongs to no account, and how many went that way.
with won as (
    select deals.lead_id, deals.account_id, own.account_id as lead_account_id
    from deals
    left join leads as own on deals.lead_id = own.lead_id
    where deals.outcome = 'won'
),

won_keys as (
    select 'account' as kind, account_id as id from won where account_id is not null
    union
    select 'account', lead_account_id from won where lead_account_id is not null
    union
    select 'lead', lead_id from won where lead_id is not null
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
            when coalesce(contacts.account_id, leads.account_id) is null then 'lead' else 'account'
        end as kind,
        coalesce(contacts.account_id, leads.account_id, contacts.lead_id) as id,
        contacts.lead_id,
        contacts.occurred_at,
        contacts.touch_id,
        replace(coalesce(contacts.channel, '(blank)'), ' > ', '>') as channel
    from contacts
    left join leads on contacts.lead_id = leads.lead_id
),

walked as (
    select
        keyed.kind,
        keyed.id,
        string_agg(keyed.channel, ' > ' order by keyed.occurred_at, keyed.touch_id, keyed.channel)
            as path
    from keyed
    left join won_keys as unit on keyed.kind = unit.kind and keyed.id = unit.id
    left join won_keys as person on person.kind = 'lead' and keyed.lead_id = person.id
    where unit.id is null and person.id is null
    group by keyed.kind, keyed.id
)

select path, count(*) as nulls
from walked
group by path
order by nulls desc, path
