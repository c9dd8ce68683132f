-- One row per lead: the number of its account from `account_units`, or a number of its own; and
-- whether it was created after $immature_after (unknown for leads that are not in the table of leads).
--
-- Leads that were rejected, or created after `as_of`, may have been touched before it: `lead_keys`
-- holds the keys of all leads.
with alone as (
    select lead_id, created_at > $immature_after as is_immature
    from leads
    where account_id is null or not $by_account
    union all
    select distinct lead_keys.lead_id, null
    from lead_keys
    left join leads on lead_keys.lead_id = leads.lead_id
    where not $all_known and lead_keys.lead_id is not null and leads.lead_id is null
)

select leads.lead_id, accounts.unit, leads.created_at > $immature_after as is_immature
from leads
inner join account_units as accounts on leads.account_id = accounts.account_id
union all
select
    lead_id,
    ((select count(*) from account_units) + row_number() over ())::uinteger,
    is_immature
from alone
