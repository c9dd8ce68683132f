-- One row a touch, lead after lead, in the order it happened; a lead is the hash of its key, so
-- that no key is looked up. Moment and channel are one number, which is sorted in less time than
-- two: microseconds since $first, times $codes, and the channel's code. Touches of one moment stand
-- in the order of their channels, and `size_keyed` or `size_lead_again` put those right.
select
    hash(touches.lead_id) as unit,
    (epoch_us(touches.occurred_at) - $first) * $codes + channels.code as step
from touches
inner join size_channels as channels on touches.channel is not distinct from channels.given
where touches.lead_id is not null
order by unit, step
