-- over: journey_ends, contacts
-- One row per touch of a converted journey, in order: touches of its own lead and ($by_account) of
-- every lead of its accounts and of the accounts themselves; up to the milestone and within the
-- look-back.
--
-- Touches of one moment stand in the order of their key; those without one in the order of their
-- lead, then of their channel's name. `moment` numbers what can be put in order: touches of one
-- moment without a key share it.
with accounts as (
    select journey_id, account_id from journey_ends where $by_account and account_id is not null
    union
    select journey_id, lead_account_id
    from journey_ends
    where $by_account and lead_account_id is not null
),

people as (
    select journey_id, lead_id from journey_ends where lead_id is not null
    union
    select accounts.journey_id, leads.lead_id
    from accounts
    inner join leads on accounts.account_id = leads.account_id
),

found as (
    select
        people.journey_id, contacts.lead_id, contacts.occurred_at, contacts.channel, contacts.touch_id
    from contacts
    inner join people on contacts.lead_id = people.lead_id
    union all
    select
        accounts.journey_id, contacts.lead_id, contacts.occurred_at, contacts.channel,
        contacts.touch_id
    from contacts
    inner join accounts on contacts.account_id = accounts.account_id
    left join people
        on accounts.journey_id = people.journey_id and contacts.lead_id = people.lead_id
    where people.journey_id is null
)

select
    found.journey_id,
    row_number() over (
        partition by found.journey_id
        order by
            found.occurred_at, found.touch_id nulls last, found.lead_id nulls last, found.channel
    ) as position,
    dense_rank() over (
        partition by found.journey_id order by found.occurred_at, found.touch_id nulls last
    ) as moment,
    coalesce(found.channel, $not_recorded) as channel,
    found.occurred_at,
    found.lead_id,
    found.touch_id
from found
inner join journey_ends on found.journey_id = journey_ends.journey_id
where
    found.occurred_at <= journey_ends.milestone
    and (
        $lookback_days = 0
        or found.occurred_at >= journey_ends.milestone - $lookback_days * interval '1 day'
    )
order by found.journey_id, position
