-- Touches by local day and channel.
select
    cast(cast((occurred_at at time zone 'UTC') at time zone $zone as date) as timestamp) as day,
    channel,
    count(*) as n
from touches
group by 1, 2
order by 1, 2
