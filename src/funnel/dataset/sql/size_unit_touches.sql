-- One row a touch, unit after unit (from `size_people`), in the order it happened; moment and
-- channel are one number, as in `size_lead_touches`.
select
    people.unit,
    (epoch_us(touches.occurred_at) - $first) * $codes + channels.code as step
from touches
inner join size_channels as channels on touches.channel is not distinct from channels.given
inner join size_people as people on touches.lead_id = people.lead_id
order by unit, step
