-- over: journey_touches
-- One row a journey that traces: its first touch, and how many touches it has.
select
    journey_id,
    max(case when position = 1 then channel end) as first_touch,
    min(occurred_at) as first_touch_at,
    count(*) as n_touches
from journey_touches
group by journey_id
