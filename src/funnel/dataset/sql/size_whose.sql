-- One row a journey that ended and a unit whose touches it holds: its lead's, and its account.
select ends.journey, people.unit
from size_ends as ends
inner join size_people as people on ends.lead_id = people.lead_id
union
select ends.journey, accounts.unit
from size_ends as ends
inner join size_accounts as accounts on ends.account_id = accounts.account_id
order by journey, unit
