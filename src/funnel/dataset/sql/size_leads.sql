-- over: journey_ends
-- One row a lead: the number of the unit that it belongs to, its account ($by_account) or itself;
-- none where that has reached the end. Accounts count below zero, leads above.
with ended as (
    select distinct account_id
    from (
        select account_id from journey_ends
        union all
        select lead_account_id from journey_ends
    )
    where $by_account and account_id is not null
),

people as (
    select distinct lead_id from journey_ends where lead_id is not null
),

accounts as (
    select account_id, -row_number() over () as unit
    from (
        select account_id from leads where $by_account
        union
        select account_id from touches where $by_account and not $from_leads
    )
    where account_id is not null and account_id not in (select account_id from ended)
),

-- leads that were cut at the day the data speaks for may have been met before it
strangers as (
    select distinct touches.lead_id
    from touches
    left join leads on touches.lead_id = leads.lead_id
    where
        not $all_known
        and not $from_leads
        and touches.lead_id is not null
        and leads.lead_id is null
)

select
    leads.lead_id,
    null as account_id,
    leads.created_at,
    people.lead_id is not null as has_ended,
    case
        when people.lead_id is not null then null
        when $by_account and leads.account_id is not null then accounts.unit
        else row_number() over ()
    end as unit
from leads
left join people on leads.lead_id = people.lead_id
left join accounts on leads.account_id = accounts.account_id
union all
select
    strangers.lead_id,
    null,
    null,
    people.lead_id is not null,
    (select count(*) from leads) + row_number() over ()
from strangers
left join people on strangers.lead_id = people.lead_id
union all
select null, account_id, null, false, unit from accounts
