-- One row a touch of a lead in `size_ties`, lead after lead, each moment in the order of its keys.
select
    hash(touches.lead_id) as unit,
    epoch_us(touches.occurred_at) as moment,
    channels.code
from touches
inner join size_channels as channels on touches.channel is not distinct from channels.given
where hash(touches.lead_id) in (select unit from size_ties)
order by unit, moment, touches.touch_id nulls last, channels.code
