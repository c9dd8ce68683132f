-- One row a lead, and the number of the unit that it belongs to: its account, from `size_accounts`,
-- or itself. Leads that were cut at the day the data speaks for may have been met before it, each a
-- unit of its own: `size_keys` holds the keys of all.
with alone as (
    select lead_id from leads where account_id is null
    union all
    select distinct strangers.lead_id
    from size_keys as strangers
    left join leads on strangers.lead_id = leads.lead_id
    where not $all_known and strangers.lead_id is not null and leads.lead_id is null
)

select leads.lead_id, accounts.unit
from leads
inner join size_accounts as accounts on leads.account_id = accounts.account_id
union all
select lead_id, ((select count(*) from size_accounts) + row_number() over ())::uinteger
from alone
