-- One row per converted journey and unit whose touches it holds: its lead's, and its account.
select journeys.journey, people.unit
from converted_journeys as journeys
inner join lead_units as people on journeys.lead_id = people.lead_id
union
select journeys.journey, accounts.unit
from converted_journeys as journeys
inner join account_units as accounts on journeys.account_id = accounts.account_id
order by journey, unit
