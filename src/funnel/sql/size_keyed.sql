-- One row a touch that shares its lead's moment with others, in the order of their keys; without
-- one, in that of their channels: by their full name where the journey has ended. `size_ties` holds
-- the moments in question.
with near as materialized (
    select lead_id, occurred_at, channel, touch_id
    from touches
    where occurred_at in (select make_timestamp(moment) from size_ties)
)

select
    channels.code,
    near.touch_id is not null as has_key
from near
inner join size_ties
    on hash(near.lead_id) = size_ties.unit and epoch_us(near.occurred_at) = size_ties.moment
inner join size_channels as channels on near.channel is not distinct from channels.given
order by
    size_ties.has_ended,
    size_ties.unit,
    size_ties.moment,
    near.touch_id nulls last,
    case when size_ties.has_ended then near.channel end,
    channels.code
