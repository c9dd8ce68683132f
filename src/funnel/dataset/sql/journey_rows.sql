-- over: journey_touches
-- One row a touch of a journey. `moment` numbers what can be told apart: touches of one moment
-- without a key share it, and so share the credit of their places.
select
    journey_id,
    position,
    count(*) over (partition by journey_id) as n_touches,
    dense_rank() over (
        partition by journey_id order by occurred_at, touch_id nulls last
    ) as moment,
    channel,
    occurred_at,
    lead_id,
    touch_id
from journey_touches
order by journey_id, position
