-- One row a touch that shares its unit's moment with others, in the order of their keys; without
-- one, in that of their leads, then of their channels: by their full name where the journey has
-- ended. `size_ties` holds the moments in question, and `size_near` the touches of such moments.
select
    channels.code,
    near.touch_id is not null as has_key
from size_near as near
inner join size_ties on near.unit = size_ties.unit and near.moment = size_ties.moment
inner join size_channels as channels on near.channel is not distinct from channels.given
order by
    size_ties.has_ended,
    size_ties.unit,
    size_ties.moment,
    near.touch_id nulls last,
    near.lead_id,
    case when size_ties.has_ended then near.channel end,
    channels.code
