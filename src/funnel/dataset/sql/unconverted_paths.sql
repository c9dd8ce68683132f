-- over: journey_ends, unconverted_touches, channel_codes
-- One row per path that has not converted: the codes of its channels in order, five digits each,
-- how many journeys took it, and how many of those began after $immature_after.
with codes as (
    select distinct channel, code from channel_codes
),

journeys as (
    select
        touches.unit_is,
        touches.id,
        string_agg(lpad(cast(codes.code as varchar), 5, '0'), '' order by touches.position) as path,
        min(touches.began_at) as began_at
    from unconverted_touches as touches
    inner join codes on touches.channel = codes.channel
    group by touches.unit_is, touches.id
)

select
    path,
    count(*) as nulls,
    sum(case when began_at > $immature_after then 1 else 0 end) as n_immature
from journeys
group by path
