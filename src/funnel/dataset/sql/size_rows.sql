-- over: journey_touches
-- One row a touch of a journey that ended, in numbers: the journey's, from `size_ends`, and the
-- channel's, from `size_channels`. Touches of a journey that share a `tie` cannot be put in order.
with channels as (
    select distinct channel, code from size_channels
)

select
    size_ends.journey,
    epoch_us(journey_touches.occurred_at) as moment,
    channels.code,
    dense_rank() over (
        partition by journey_touches.journey_id
        order by journey_touches.occurred_at, journey_touches.touch_id nulls last
    ) as tie
from journey_touches
inner join size_ends on journey_touches.journey_id = size_ends.journey_id
inner join channels on replace(journey_touches.channel, ' > ', '>') = channels.channel
order by size_ends.journey, journey_touches.position
