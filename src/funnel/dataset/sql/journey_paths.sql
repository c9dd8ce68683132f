-- over: journey_touches
-- One row a journey that traces: its channels in order; one for each run of equal ones, $collapse.
with steps as (
    select
        journey_id,
        position,
        replace(channel, ' > ', '>') as channel,
        lag(channel) over (partition by journey_id order by position) as earlier,
        channel as plain,
        occurred_at
    from journey_touches
)

select
    journey_id,
    string_agg(channel, ' > ' order by position) as path,
    min(occurred_at) as first_touch_at,
    max(occurred_at) as last_touch_at
from steps
where not $collapse or earlier is null or earlier <> plain
group by journey_id
order by journey_id
