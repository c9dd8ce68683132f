-- One row a touch of a unit in `size_ties`, unit after unit, each moment in the order of its keys,
-- then of its leads.
select
    people.unit,
    epoch_us(touches.occurred_at) as moment,
    channels.code
from touches
inner join size_channels as channels on touches.channel is not distinct from channels.given
inner join size_people as people on touches.lead_id = people.lead_id
where people.unit in (select unit from size_ties)
order by
    people.unit, moment, touches.touch_id nulls last, touches.lead_id nulls last, channels.code
