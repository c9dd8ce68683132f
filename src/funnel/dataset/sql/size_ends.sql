-- over: journey_ends
-- One row a journey that ended, numbered from 0 in the order of their keys; its lead as a hash too,
-- and its moments in microseconds since 1970.
select
    journey_id,
    lead_id,
    account_id,
    row_number() over (order by journey_id) - 1 as journey,
    hash(lead_id) as unit,
    lead_id is not null as has_lead,
    coalesce(epoch_us(milestone), -9223372036854775807) as milestone,
    epoch_us(lead_created_at) as lead_created_at,
    epoch_us(opened_at) as opened_at,
    coalesce(amount, 0) as amount
from journey_ends
