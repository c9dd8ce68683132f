-- over: journey_ends
-- One row a journey that ended and a unit whose touches it holds: its lead's, and its account.
select ends.journey, people.unit
from journey_ends
inner join size_ends as ends on journey_ends.journey_id = ends.journey_id
inner join size_people as people on journey_ends.lead_id = people.lead_id
union
select ends.journey, accounts.unit
from journey_ends
inner join size_ends as ends on journey_ends.journey_id = ends.journey_id
inner join size_accounts as accounts on journey_ends.account_id = accounts.account_id
order by journey, unit
