-- One row a touch that shares its lead's moment with others, in the order of their keys; without
-- one, in that of their channels: by their full name where the journey has ended. `size_ties` holds
-- the moments in question.
select
    channels.code,
    touches.touch_id is not null as has_key
from touches
inner join size_ties
    on
        hash(touches.lead_id) = size_ties.unit
        and epoch_us(touches.occurred_at) = size_ties.moment
inner join size_channels as channels on touches.channel is not distinct from channels.given
where touches.occurred_at in (select make_timestamp(moment) from size_ties)
order by
    size_ties.has_ended,
    size_ties.unit,
    size_ties.moment,
    touches.touch_id nulls last,
    case when size_ties.has_ended then touches.channel end,
    channels.code
